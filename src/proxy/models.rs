//! Lists of models: those of all providers that serve an API's family, cut down to what a key may use.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Response, StatusCode, header};
use serde_json::{Map, Value};

use super::answer::{Kind, Whole, kind, uninspectable};
use super::applies::may_use;
use super::call::Call;
use super::exchange::{Admitted, Exchange};
use super::forward;
use super::outgoing::Outgoing;
use super::respond::Problem;
use crate::auth::Principal;
use crate::upstream::{self, Upstream};
use crate::wire::{Api, Family};

/// How long a further provider may take for its list, which goes out without it then.
const LIST_TIME: Duration = Duration::from_secs(5);

/// A list as all three families have it: an object with `data`, whose entries have an `id`, or with `models`, whose entries have a `name`.
type List = Map<String, Value>;

impl Exchange {
    /// The models that the key may use, or one of them.
    pub(super) async fn list_models(
        &mut self,
        mut admitted: Admitted,
        model: Option<String>,
    ) -> Result<Response<Outgoing>, Problem> {
        if model.is_some() {
            may_use(&admitted.principal, model.as_deref())?;
        }
        let upstream = self.choose(&mut admitted, model.as_deref()).await?;
        let api = match self.family {
            Family::OpenAi => Api::Chat,
            Family::Anthropic => Api::Messages,
            Family::Gemini => Api::Gemini,
        };
        let call = Call {
            model,
            ..Call::new(api, Arc::clone(&admitted.policy))
        };
        let whole = if call.model.is_some() {
            self.ask_first(&upstream, admitted).await?
        } else {
            self.all_models(&upstream, admitted).await?
        };
        self.whole(whole, &call).await
    }

    /// The list of the provider that serves the family first, and what others add to it. Where it has none, theirs take its place.
    async fn all_models(
        &mut self,
        first: &Arc<Upstream>,
        admitted: Admitted,
    ) -> Result<Whole, Problem> {
        let others = self.others(first, &admitted);
        let principal = admitted.principal.clone();
        let further = others.iter().map(|upstream| self.ask(upstream, &admitted));
        let further = join_all(further).await;
        let mut lists = Vec::new();
        for (upstream, list) in others.into_iter().zip(further) {
            match list {
                Ok((whole, list)) => lists.push((upstream, whole, list)),
                Err(problem) => self.is_missing(&upstream, &problem),
            }
        }
        let mut stand_in = None;
        let mut whole = match self.ask_first(first, admitted).await {
            Ok(whole) if whole.status.is_success() => whole,
            missing if lists.is_empty() => return missing,
            missing => {
                let problem = missing.map_or_else(
                    |problem| problem.told().message,
                    |whole| refused(whole.status),
                );
                self.is_missing(first, &problem);
                let (upstream, whole, _) = lists.remove(0);
                stand_in = Some(upstream);
                whole
            }
        };
        if lists.is_empty() && stand_in.is_none() && !principal.is_restricted() {
            return Ok(whole);
        }
        let wrong = |problem: &str| uninspectable(&whole.provider, problem);
        let mut list = read(&whole.body).map_err(wrong)?;
        let leads = |name: &str, to: &Arc<Upstream>| self.leads(name, to, &principal);
        if let Some(to) = stand_in {
            let models = models(&mut list).map_err(wrong)?;
            models.retain(|model| name(model).is_some_and(|name| leads(name, &to)));
        }
        for (to, _, mut further) in lists {
            merge(&mut list, &mut further, |name| leads(name, &to)).map_err(wrong)?;
        }
        if principal.is_restricted() {
            cut(&mut list, &principal).map_err(wrong)?;
        }
        whole.body = Value::Object(list).to_string().into();
        let held = whole.hold.resize(whole.body.len());
        held.map_err(Problem::Unread)?;
        Ok(whole)
    }

    fn is_missing(&self, upstream: &Upstream, problem: &str) {
        let provider = upstream.name();
        tracing::warn!(
            id = self.id,
            provider,
            problem,
            "a provider's models are missing in the list of models"
        );
    }

    /// The other providers whose models the key may use without naming them in the path: of the same family, and judged by the same policy.
    /// A further page of a list, or a part of it, is asked of the first alone.
    fn others(&self, first: &Arc<Upstream>, admitted: &Admitted) -> Vec<Arc<Upstream>> {
        if admitted.named.is_some() || admitted.path.contains('?') {
            return Vec::new();
        }
        let principal = &admitted.principal;
        let (known, policy) = (first.provider(), principal.policy());
        let is_other = |upstream: &&Arc<Upstream>| {
            let other = upstream.provider();
            other.name != known.name
                && other.family == known.family
                && (policy.is_some() || other.policy == known.policy)
                && principal.allows_provider(&other.name)
        };
        let providers = self.gateway.table.providers();
        providers.iter().filter(is_other).cloned().collect()
    }

    /// Whether a request for the model goes to the provider if it names none.
    fn leads(&self, model: &str, upstream: &Arc<Upstream>, principal: &Principal) -> bool {
        let table = &self.gateway.table;
        let chosen = table.choose(None, Some(model), self.family, principal);
        chosen.is_ok_and(|chosen| chosen.name() == upstream.name())
    }

    async fn ask_first(
        &mut self,
        upstream: &Arc<Upstream>,
        admitted: Admitted,
    ) -> Result<Whole, Problem> {
        let answer = self.send(upstream, admitted, None).await?;
        match kind(&answer, None) {
            Kind::Json => self.collect(answer, false).await,
            Kind::Text => self.collect(answer, true).await,
            Kind::Stream(_) | Kind::Other => {
                Err(uninspectable(answer.provider(), "it is no list of models"))
            }
        }
    }

    /// A further provider's list; an error says why there is none.
    async fn ask(
        &self,
        upstream: &Arc<Upstream>,
        admitted: &Admitted,
    ) -> Result<(Whole, List), String> {
        let asked = async {
            let mut headers = forward::up(&admitted.head.headers);
            headers.remove(header::CONTENT_TYPE);
            let request = upstream::Request {
                method: admitted.head.method.clone(),
                path: admitted.path.clone(),
                headers,
                body: None,
            };
            let secret = self.credential(upstream, &admitted.principal).await;
            let secret = secret.map_err(|problem| problem.told().message)?;
            let answer = upstream.send(request, secret.as_ref()).await;
            let answer = answer.map_err(|failure| failure.to_string())?;
            if !answer.status.is_success() || kind(&answer, None) != Kind::Json {
                return Err(refused(answer.status));
            }
            let whole = self.collect(answer, false).await;
            let whole = whole.map_err(|problem| problem.told().message)?;
            let list = read(&whole.body)?;
            Ok((whole, list))
        };
        let timed = tokio::time::timeout(LIST_TIME, asked).await;
        timed.unwrap_or_else(|_| Err("it took too long".to_owned()))
    }
}

fn refused(status: StatusCode) -> String {
    format!("it answered with status {status} and no list")
}

fn read(body: &Bytes) -> Result<List, &'static str> {
    let mut list = serde_json::from_slice(body).map_err(|_| "the list of models is not JSON")?;
    models(&mut list)?;
    Ok(list)
}

fn models(list: &mut List) -> Result<&mut Vec<Value>, &'static str> {
    let mut fields = list.iter_mut();
    let models = fields.find(|(name, _)| matches!(name.as_str(), "data" | "models"));
    models
        .and_then(|(_, models)| models.as_array_mut())
        .ok_or("the list of models has none")
}

/// The model's name, before which Gemini puts `models/`.
fn name(model: &Value) -> Option<&str> {
    let name = model.get("id").or_else(|| model.get("name"))?.as_str()?;
    Some(name.strip_prefix("models/").unwrap_or(name))
}

/// Adds those models of a further list that are not in it and of whose names `leads` holds.
fn merge(
    list: &mut List,
    further: &mut List,
    leads: impl Fn(&str) -> bool,
) -> Result<(), &'static str> {
    let list = models(list)?;
    let known: HashSet<String> = list.iter().filter_map(name).map(str::to_owned).collect();
    let further = models(further)?.drain(..);
    list.extend(
        further
            .filter(|model| name(model).is_some_and(|name| !known.contains(name) && leads(name))),
    );
    Ok(())
}

/// Leaves only the models that the key may use.
fn cut(list: &mut List, principal: &Principal) -> Result<(), &'static str> {
    models(list)?.retain(|model| name(model).is_some_and(|name| principal.allows_model(name)));
    // Where the page began and ended is told by names too.
    for name in ["first_id", "last_id"] {
        list.shift_remove(name);
    }
    Ok(())
}
