//! What repeated findings do to a session: its level rises, the operator is told, and from some level on it is refused.

use std::sync::Arc;

use tokio::time::Instant;

use super::Gateway;
use super::account::Account;
use super::conversation::Conversation;
use crate::auth::Principal;
use crate::guard::Refused;
use crate::guard::body::Outcome;
use crate::policy::{Action, Policy, Verdict};

/// Counts what was found in what a caller sent; the refusal, if its session has come to a level that the policy refuses.
pub(super) fn escalate(
    gateway: &Arc<Gateway>,
    account: &mut Account,
    policy: &Policy,
    (principal, user): (&Principal, Option<&str>),
    verdict: &Verdict,
) -> Option<Refused> {
    let rules = policy.sessions.as_ref()?;
    let now = Instant::now().into_std();
    let raised = gateway
        .sessions
        .raise((principal, user), rules, verdict, now);
    let (before, level) = raised?;
    let step = rules.step(level)?;
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
        return None;
    }
    Some(Refused {
        rule: format!("session.{level}"),
        message: step
            .message
            .clone()
            .unwrap_or_else(|| policy.message.clone()),
        replace: false,
    })
}

impl Conversation {
    /// The same for an event of a client: what comes of it then.
    pub(super) fn escalate(
        &mut self,
        user: Option<&str>,
        verdict: &Verdict,
        outcome: Outcome,
    ) -> Outcome {
        let who = (&self.principal, user);
        let refused = escalate(&self.gateway, &mut self.account, &self.policy, who, verdict);
        match (outcome, refused) {
            (Outcome::Clear(_), Some(refused)) => Outcome::Refuse(refused),
            (outcome, _) => outcome,
        }
    }
}
