//! Which policy applies to an exchange, which provider it goes to, and whether a key may use a model.

use std::sync::Arc;

use serde::Deserialize;

use super::account::Account;
use super::call::Call;
use super::exchange::{Admitted, Exchange};
use super::respond::Problem;
use super::route::Endpoint;
use super::stored::Keeper;
use crate::auth::Principal;
use crate::guard::beside;
use crate::guard::body::Inspection;
use crate::policy::{Direction, Policy};
use crate::upstream::Upstream;
use crate::wire::Api;

/// What a body says of its model; everything else is left alone.
#[derive(Deserialize)]
struct Asked {
    model: Option<String>,
}

impl Exchange {
    /// The policy of the key, else of its team, else of the provider, else the gateway's. One that is missing lets nothing
    /// pass.
    pub(super) fn policy(
        &mut self,
        principal: &Principal,
        provider: Option<&Arc<Upstream>>,
    ) -> Result<Arc<Policy>, Problem> {
        let policies = self.gateway.policies.load();
        let of_provider = provider.and_then(|upstream| upstream.provider().policy.as_deref());
        let name = principal.policy().or(of_provider);
        let name = name.unwrap_or(&policies.default);
        self.account.note(|record| {
            name.clone_into(&mut record.policy.name);
            record.policy.generation = policies.generation;
        });
        policies
            .by_name
            .get(name)
            .cloned()
            .ok_or_else(|| Problem::NoPolicy(name.to_owned()))
    }

    /// The provider that a body may go to.
    pub(super) async fn destination(
        &mut self,
        admitted: &mut Admitted,
        call: &mut Call,
        inspection: &Inspection,
    ) -> Result<Arc<Upstream>, Problem> {
        may_use(&admitted.principal, call.model.as_deref())?;
        for model in &inspection.facts.fallbacks {
            may_use(&admitted.principal, Some(model))?;
        }
        let upstream = self.choose(admitted, call.model.as_deref()).await?;
        same(&admitted.policy, &call.policy)?;
        let (principal, references) = (&admitted.principal, &inspection.facts.refers);
        self.may_refer(&upstream, principal, references).await?;
        if call.api == Api::Responses && call.generates && !references.unkept {
            call.keeper = Some(Keeper::new(&self.gateway, &upstream, principal));
        }
        Ok(upstream)
    }

    /// Refuses a path and query that hold what the policy that applies does not let pass: they cannot be edited.
    pub(super) async fn check_path(
        &mut self,
        admitted: &mut Admitted,
        policy: &Policy,
    ) -> Result<(), Problem> {
        if !std::mem::take(&mut admitted.worded) {
            return Ok(());
        }
        let (passes, verdict) = beside::inspect(policy, Direction::Request, &admitted.path);
        self.account
            .note(|record| Account::judged(&mut record.request, &verdict, 0));
        if passes {
            admitted.found = verdict;
            return Ok(());
        }
        // What is refused for what it holds is told so, whatever the session's level; it counts.
        let who = (&admitted.principal, None);
        drop(self.raise_by(policy, who, &verdict).await);
        Err(verdict.cause.map_or_else(
            || Problem::Uninspected("the path or the query is too complex".to_owned()),
            |cause| Problem::Path(cause.rule.to_string()),
        ))
    }

    /// The policy by which a body is judged, before it was read as its API has it: if providers have policies of their own, the
    /// model that it names says which provider it will be. Should that turn out otherwise, nothing is sent ([`same`]).
    pub(super) fn policy_for(
        &mut self,
        admitted: &Admitted,
        call: &Call,
        body: &[u8],
    ) -> Result<Arc<Policy>, Problem> {
        let table = &self.gateway.table;
        let have_some = |upstream: &Arc<Upstream>| upstream.provider().policy.is_some();
        if admitted.principal.policy().is_some() || !table.providers().iter().any(have_some) {
            return Ok(Arc::clone(&call.policy));
        }
        let named = || serde_json::from_slice::<Asked>(body).ok()?.model;
        let model = call.model.clone().or_else(named);
        let (principal, named) = (&admitted.principal, admitted.named.as_ref());
        let chosen = table.choose(named, model.as_deref(), self.family, principal);
        self.policy(principal, chosen.ok().as_ref())
    }
}

/// Fails if an exchange was judged by another policy than that of the provider that it goes to.
pub(super) fn same(applies: &Policy, judged: &Policy) -> Result<(), Problem> {
    if applies.name == judged.name {
        return Ok(());
    }
    tracing::error!(
        applies = applies.name,
        judged = judged.name,
        "an exchange was judged by another policy than its provider's; it is not sent"
    );
    Err(Problem::Internal)
}

/// A model's name as it is written down: whoever asks chooses it, so if something was found in the request, it may be in the name.
pub(super) fn written(policy: &Policy, suspect: bool, model: Option<&str>) -> Option<String> {
    let model = model?;
    if !suspect {
        return Some(model.to_owned());
    }
    let (_, verdict) = beside::inspect(policy, Direction::Request, model);
    let clean = verdict.rules.is_empty();
    Some(if clean { model } else { "[withheld]" }.to_owned())
}

/// Whether a key may use a model. Where none is named the provider chooses, so only a key for all models may go on.
pub(super) fn may_use(principal: &Principal, model: Option<&str>) -> Result<(), Problem> {
    if principal.allows_model(model.unwrap_or_default()) {
        Ok(())
    } else {
        Err(Problem::Model)
    }
}

/// Whether what goes up of a path, or the query, may hold text of the caller's.
pub(super) const fn holds_text(endpoint: &Endpoint, query: &str) -> bool {
    match endpoint {
        Endpoint::Unscanned | Endpoint::Own(_) => false,
        Endpoint::Exchange { model: None, .. }
        | Endpoint::Models { model: None, .. }
        | Endpoint::Realtime => !query.is_empty(),
        Endpoint::Exchange { .. } | Endpoint::Models { .. } | Endpoint::Stored { .. } => true,
    }
}
