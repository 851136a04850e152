//! The journey of one exchange, from a request's head to the head of its response; a step is one call.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::account::{self, Account};
use super::body::{self, Hold};
use super::call::Call;
use super::connection::Peer;
use super::contain::contain;
use super::outgoing::Outgoing;
use super::respond::{self, Problem, REQUEST_ID};
use super::route::{self, Endpoint, Target};
use super::{Gateway, applies, caller, charge, credential, forward, head};
use crate::auth::Principal;
use crate::guard::body::Outcome;
use crate::guard::{Cleared, Failure};
use crate::limit::Standing;
use crate::policy::{Policy, Verdict};
use crate::secret::Secret;
use crate::upstream::{self, Answer, Upstream};
use crate::wire::{Family, Framing};

/// Answers a request. Whatever happens, there is a response and one audit record.
pub(super) async fn handle(
    gateway: Arc<Gateway>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let id = account::new_id();
    let family = route::family(request.uri().path(), request.headers());
    let version = request.version();
    let account = Account::open(&gateway, id.clone());
    let mut exchange = Exchange {
        gateway,
        peer,
        account,
        family,
        id,
        standing: Standing::default(),
    };
    // Boxed, because hyper keeps the handler's memory for as long as the connection lives.
    let result = contain(Box::pin(exchange.run(request)))
        .await
        .unwrap_or(Err(Problem::Internal));
    let mut response = match result {
        Ok(response) => response,
        Err(problem) => {
            exchange.account.fail(&problem);
            respond::problem(&problem, exchange.family, &exchange.id)
        }
    };
    let headers = response.headers_mut();
    charge::tell(headers, exchange.family, exchange.standing);
    if let Ok(id) = HeaderValue::from_str(&exchange.id) {
        headers.insert(REQUEST_ID, id);
    }
    let findings = &exchange.peer.findings;
    if version < Version::HTTP_2 && (findings.is_chunked() || findings.is_ambiguous()) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// One exchange on its way.
pub(super) struct Exchange {
    pub(super) gateway: Arc<Gateway>,
    pub(super) peer: Arc<Peer>,
    pub(super) account: Account,
    pub(super) family: Family,
    pub(super) id: String,
    /// How the limits of requests and tokens stand, for the client.
    pub(super) standing: Standing,
}

/// A request that was admitted, before its body.
pub(super) struct Admitted {
    pub(super) head: Parts,
    /// The API's own path, with the query as it may go up.
    pub(super) path: String,
    /// The provider that the path names.
    pub(super) named: Option<Arc<Upstream>>,
    pub(super) principal: Principal,
    pub(super) policy: Arc<Policy>,
    /// Whether path or query may hold text of the caller's at which nobody looked yet.
    pub(super) worded: bool,
    /// What was found in them.
    pub(super) found: Verdict,
}

impl Exchange {
    async fn run(&mut self, request: Request<Incoming>) -> Result<Response<Outgoing>, Problem> {
        let (head, body) = request.into_parts();
        head::check(&head, &self.peer.findings).map_err(Problem::Head)?;
        if !self.gateway.audit.is_healthy() {
            return Err(Problem::Unrecorded);
        }
        let found = self
            .gateway
            .table
            .find(&head.method, head.uri.path(), &head.headers);
        let Target {
            endpoint,
            provider: named,
            path,
        } = found.map_err(Problem::Route)?;
        self.family = endpoint.family(named.as_ref()).unwrap_or(self.family);
        let principal = self.authenticate(&head).await?;
        // What a key asks the gateway itself takes nothing from its limits.
        if !matches!(endpoint, Endpoint::Own(_)) {
            self.admit_by_head(&principal).await?;
        }
        let policy = self.policy(&principal, None)?;
        let query = forward::query(self.family, head.uri.query()).map_err(Problem::Query)?;
        // The query has the last word on how Gemini frames its stream.
        let sse = forward::parameters(head.uri.query()).any(|pair| pair == ("alt", "sse"));
        let admitted = Admitted {
            path: format!("{path}{query}"),
            head,
            named,
            principal,
            policy: Arc::clone(&policy),
            worded: applies::holds_text(&endpoint, &query),
            found: Verdict::default(),
        };
        match endpoint {
            Endpoint::Exchange {
                api,
                generates,
                model,
                framing,
            } => {
                let framing = framing.map(|framing| if sse { Framing::Sse } else { framing });
                let count_for = self.counts_for(&admitted.principal, model.as_deref());
                let call = Call {
                    generates,
                    model,
                    framing,
                    count_for,
                    ..Call::new(api, policy)
                };
                self.converse(admitted, call, body).await
            }
            Endpoint::Stored { api, id } => self.stored(admitted, api, id).await,
            Endpoint::Models { model, .. } => self.list_models(admitted, model).await,
            Endpoint::Realtime => self.realtime(admitted).await,
            Endpoint::Unscanned => self.pass(admitted, body).await,
            Endpoint::Own(own) => self.own(own, admitted, body).await,
        }
    }

    /// Key to principal.
    async fn authenticate(&mut self, head: &Parts) -> Result<Principal, Problem> {
        let key = forward::key(&head.headers, head.uri.query()).map_err(Problem::NoKey)?;
        let mut principal = caller::identify(&self.gateway, key, self.peer.address.ip()).await?;
        principal.user = principal.user.or_else(|| forward::user(&head.headers));
        self.account
            .note(|record| record.key = Some(principal.key.id.to_string()));
        Ok(principal)
    }

    /// A body goes up, an answer comes down.
    async fn converse(
        &mut self,
        mut admitted: Admitted,
        mut call: Call,
        body: Incoming,
    ) -> Result<Response<Outgoing>, Problem> {
        self.account.speaks(call.api);
        if !forward::is_json(&admitted.head.headers) {
            return Err(Problem::ContentType);
        }
        let (body, hold) = self.read(&admitted.head, body).await?;
        call.policy = self.policy_for(&admitted, &call, &body)?;
        self.check_path(&mut admitted, &call.policy).await?;
        let mut inspection = self.judge_body(&call, &admitted.principal, body).await?;
        admitted.found.join(&inspection.verdict);
        inspection.verdict = std::mem::take(&mut admitted.found);
        call.asks(&inspection);
        let kept = call.originals.bytes();
        let _kept = self
            .gateway
            .load
            .budget
            .hold(kept)
            .map_err(Problem::Unread)?;
        call.count_for = call
            .count_for
            .map(|_| call.model.clone().unwrap_or_default());
        call.framing = call
            .framing
            .or_else(|| inspection.facts.stream.then_some(Framing::Sse));
        self.account.note(|record| {
            let suspect = !inspection.verdict.rules.is_empty();
            record.model = applies::written(&call.policy, suspect, call.model.as_deref());
            record.stream = call.framing.is_some();
            Account::judged(&mut record.request, &inspection.verdict, inspection.media);
            record.request.unjudged = inspection.failure().map(ToString::to_string);
        });
        let body = match &inspection.outcome {
            Outcome::Clear(body) => body.clone(),
            outcome => {
                // What is refused for what it holds is told so, whatever the session's level; it counts.
                drop(self.raise(&call, &admitted.principal, &inspection).await);
                return self.unclear(&call, outcome);
            }
        };
        let upstream = match self
            .destination(&mut admitted, &mut call, &inspection)
            .await
        {
            Ok(upstream) => upstream,
            Err(problem) => {
                let refused = self.raise(&call, &admitted.principal, &inspection).await?;
                return refused.map_or(Err(problem), |refused| self.refuse(&call, refused));
            }
        };
        let principal = admitted.principal.clone();
        let asked = (&inspection, upstream.name());
        if let Some(refused) = self.reserve(&call, &principal, asked).await? {
            return self.refuse(&call, refused);
        }
        let answer = self.send(&upstream, admitted, Some(body)).await?;
        drop(hold); // the body is with the provider
        self.answer(answer, call, principal).await
    }

    /// What comes of a body that is not to be sent.
    fn unclear(&mut self, call: &Call, outcome: &Outcome) -> Result<Response<Outgoing>, Problem> {
        match outcome {
            Outcome::Refuse(refused) => self.refuse(call, refused.clone()),
            Outcome::Fail(Failure::Malformed(malformed)) => {
                Err(Problem::Malformed(malformed.to_string()))
            }
            Outcome::Fail(
                failure @ (Failure::Overflow(_) | Failure::NotText | Failure::Unknown),
            ) => Err(Problem::Uninspected(failure.to_string())),
            Outcome::Fail(failure) => Err(Problem::Unjudged(failure.to_string())),
            Outcome::Clear(_) => Err(Problem::Internal),
        }
    }

    /// Reads a body within limits of size, time and memory.
    pub(super) async fn read(
        &mut self,
        head: &Parts,
        body: Incoming,
    ) -> Result<(Bytes, Hold), Problem> {
        let coding = body::coding(&head.headers).map_err(|_| Problem::Encoding)?;
        let gateway = &self.gateway;
        let limit = gateway.limits.max_body_bytes;
        let mut hold = body::admit(&body, limit, &gateway.load.budget).map_err(Problem::Unread)?;
        let bytes = body::read(body, limit, gateway.timeouts.body, &mut hold)
            .await
            .map_err(Problem::Unread)?;
        let decoded = body::decode(bytes, coding, limit, hold).await;
        let (bytes, hold) = decoded.map_err(Problem::Unread)?;
        self.account
            .note(|record| record.request.bytes = bytes.len() as u64);
        Ok((bytes, hold))
    }

    /// The provider for a model, and with it the policy.
    pub(super) async fn choose(
        &mut self,
        admitted: &mut Admitted,
        model: Option<&str>,
    ) -> Result<Arc<Upstream>, Problem> {
        let chosen = self.gateway.table.choose(
            admitted.named.as_ref(),
            model,
            self.family,
            &admitted.principal,
        );
        let upstream = chosen.map_err(Problem::Route)?;
        admitted.policy = self.policy(&admitted.principal, Some(&upstream))?;
        let policy = Arc::clone(&admitted.policy);
        self.check_path(admitted, &policy).await?;
        self.account
            .note(|record| record.provider = Some(upstream.name().to_owned()));
        Ok(upstream)
    }

    /// Sends what was cleared, with the credential opened last.
    pub(super) async fn send(
        &mut self,
        upstream: &Arc<Upstream>,
        admitted: Admitted,
        body: Option<Cleared>,
    ) -> Result<Answer, Problem> {
        let mut headers = forward::up(&admitted.head.headers);
        if body.is_none() {
            headers.remove(header::CONTENT_TYPE);
        }
        let request = upstream::Request {
            method: admitted.head.method,
            path: admitted.path,
            headers,
            body,
        };
        let principal = admitted.principal;
        let secret = self.credential(upstream, &principal).await?;
        // For the time of a rotation: should the provider refuse the new secret, the one before is tried.
        let source = &upstream.provider().credential;
        let rotating = credential::is_rotating(&self.gateway.vault, source);
        let spare = rotating.then(|| request.clone());
        let mut answer = self.try_send(upstream, request, secret.as_ref()).await?;
        if let Some(request) = spare
            && let Some(before) = self.before(upstream, &principal, answer.status)
        {
            answer = self.try_send(upstream, request, Some(&before)).await?;
        }
        self.account.charge.answers(answer.status.is_success());
        if answer.resent {
            self.gateway.metrics.retried(upstream.name());
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            tracing::warn!(
                id = self.id,
                provider = upstream.name(),
                "the provider does not accept the gateway's credential"
            );
        }
        Ok(answer)
    }

    /// The secret before, if the provider refuses by this status the one that everyone's credential was rotated to.
    pub(super) fn before(
        &self,
        upstream: &Upstream,
        principal: &Principal,
        status: StatusCode,
    ) -> Option<Secret> {
        let provider = upstream.provider();
        let is_own = principal.credential(&provider.name).is_some();
        if is_own || !credential::is_refused(provider.family, status) {
            return None;
        }
        let before = credential::previous(&self.gateway.vault, &provider.credential)?;
        tracing::warn!(
            id = self.id,
            provider = provider.name,
            "the provider refuses the rotated credential; the one before is tried"
        );
        Some(before)
    }

    async fn try_send(
        &mut self,
        upstream: &Arc<Upstream>,
        request: upstream::Request,
        secret: Option<&Secret>,
    ) -> Result<Answer, Problem> {
        self.account.charge.sends(true);
        let sent = upstream.send(request, secret).await;
        sent.map_err(|failure| {
            // A provider that is late may be at work all the same.
            self.account.charge.sends(failure.is_timeout());
            let provider = upstream.name().to_owned();
            Problem::Upstream { provider, failure }
        })
    }
}
