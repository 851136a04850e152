//! What repeated findings do to a session: its level rises, the operator is told, and from some level on it is refused.

use std::sync::Arc;

use tokio::time::Instant;

use super::Gateway;
use super::account::Account;
use super::call::Call;
use super::conversation::Conversation;
use super::exchange::Exchange;
use super::respond::Problem;
use crate::auth::Principal;
use crate::guard::Refused;
use crate::guard::body::{Inspection, Outcome};
use crate::policy::{Action, Policy, Verdict};
use crate::shared::Away;
use crate::wire::Api;

/// Nobody knows whether the session may go on.
pub(super) const UNKNOWN_LEVEL: Problem = Problem::Own(
    503,
    "sessions_unavailable",
    "the session's threat level cannot be told for now; try again in a moment",
);

/// Counts what was found in what a caller sent; the refusal, if its session has come to a level that the policy refuses.
///
/// # Errors
///
/// If the level cannot be told, and nobody is to be admitted then.
async fn escalate(
    gateway: &Arc<Gateway>,
    account: &mut Account,
    policy: &Policy,
    (principal, user): (&Principal, Option<&str>),
    verdict: &Verdict,
) -> Result<Option<Refused>, Away> {
    let Some(rules) = &policy.sessions else {
        return Ok(None);
    };
    let (who, now) = ((principal, user), Instant::now().into_std());
    let raised = gateway.sessions.raise(who, rules, verdict, now).await;
    let (before, level) = match raised {
        Ok(Some(levels)) => levels,
        Ok(None) => return Ok(None),
        // Nothing is enforced, so nothing is refused for want of a level.
        Err(_) if policy.observe => return Ok(None),
        Err(away) => return Err(away),
    };
    let Some(step) = rules.step(level) else {
        return Ok(None);
    };
    account.note(|record| record.session_level = Some(level.name()));
    if level > before {
        gateway.metrics.escalated(level.name());
        tracing::warn!(
            id = account.id(),
            key = &*principal.key.id,
            session = principal.session.as_deref(),
            level = level.name(),
            action = step.action.name(),
            "a session's threat level has risen: {}",
            level.recommendation()
        );
    }
    if step.action < Action::Block || policy.observe {
        return Ok(None);
    }
    Ok(Some(Refused {
        rule: format!("session.{level}"),
        message: step
            .message
            .clone()
            .unwrap_or_else(|| policy.message.clone()),
        replace: false,
    }))
}

impl Exchange {
    /// The same for a request; what a conversation says is counted by event.
    ///
    /// # Errors
    ///
    /// If the level cannot be told, and nobody is to be admitted then.
    pub(super) async fn raise(
        &mut self,
        call: &Call,
        principal: &Principal,
        inspection: &Inspection,
    ) -> Result<Option<Refused>, Problem> {
        if call.api == Api::Realtime {
            return Ok(None);
        }
        let who = (principal, inspection.facts.user.as_deref());
        let refused = self.raise_by(&call.policy, who, &inspection.verdict).await;
        refused.map_err(|_| UNKNOWN_LEVEL)
    }

    /// The same for a part of a request.
    ///
    /// # Errors
    ///
    /// As for the whole.
    pub(super) async fn raise_by(
        &mut self,
        policy: &Policy,
        who: (&Principal, Option<&str>),
        verdict: &Verdict,
    ) -> Result<Option<Refused>, Away> {
        escalate(&self.gateway, &mut self.account, policy, who, verdict).await
    }
}

impl Conversation {
    /// The same for an event of a client: what comes of it then.
    ///
    /// # Errors
    ///
    /// If the level cannot be told, and nobody is to be admitted then.
    pub(super) async fn escalate(
        &mut self,
        user: Option<&str>,
        verdict: &Verdict,
        outcome: Outcome,
    ) -> Result<Outcome, Away> {
        let who = (&self.principal, user);
        let refused = escalate(&self.gateway, &mut self.account, &self.policy, who, verdict);
        match (outcome, refused.await) {
            (Outcome::Clear(_), Ok(Some(refused))) => Ok(Outcome::Refuse(refused)),
            (Outcome::Clear(_), Err(away)) => Err(away),
            // What is refused for what it holds is told so.
            (outcome, _) => Ok(outcome),
        }
    }
}
