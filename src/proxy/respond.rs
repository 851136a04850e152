//! The one place where a problem becomes a status and a body in the shape that the client's SDK reads.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::body::Unread;
use super::forward::NoKey;
use super::outgoing::{Outgoing, json};
use super::route::NoRoute;
use super::stored::NotThere;
use crate::guard::Cleared;
use crate::limit::{Limit, Refused, RetryAfter};
use crate::upstream::Failure;
use crate::wire::{Family, Referent};

/// Header with the id of an exchange: the client's to quote, the operator's to search for.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-sluicegate-request-id");
/// Header by which SDKs are told whether to try again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Why an exchange ends without a model's answer; a policy's refusal is none of these.
#[derive(Debug)]
pub(super) enum Problem {
    /// The head of the request is ambiguous or forbidden.
    Head(&'static str),
    /// The path leads nowhere.
    Route(NoRoute),
    /// The path wants a WebSocket, and the request does not open one.
    Upgrade(&'static str),
    /// A parameter of the query is not passed on.
    Query(String),
    /// The key is missing or not one.
    NoKey(NoKey),
    /// The key is not valid: unknown, revoked, expired, which clients are not told.
    Denied(crate::auth::Denied),
    /// Whether the key is valid cannot be told; says why, to the operator only.
    Unchecked(String),
    /// The provider keeps no such thing for this caller.
    NotThere(NotThere),
    /// Whose something is that the provider keeps cannot be told; says why, to the operator only.
    Unregistered(String),
    /// The gateway itself says no: status, code and message.
    Own(u16, &'static str, &'static str),
    /// The path or the query holds what the policy does not let pass; names the rule.
    Path(String),
    /// The address showed too many wrong keys.
    Locked(Duration),
    /// The key asks the gateway itself too often.
    TooOften(Duration),
    /// A limit has not enough left.
    Limited(Box<Refused>),
    /// The body is compressed.
    Encoding,
    /// The body is not JSON by its content type.
    ContentType,
    /// The body was not read.
    Unread(Unread),
    /// The body is not JSON as it should be; says where.
    Malformed(String),
    /// The key may not use the model.
    Model,
    /// The policy of the key is not loaded.
    NoPolicy(String),
    /// The body cannot be judged.
    Unjudged(String),
    /// The request cannot be inspected because of what it is: sent again it is no better.
    Uninspected(String),
    /// The provider's credential cannot be had.
    Credential { provider: String, problem: String },
    /// The provider gave no usable answer.
    Upstream { provider: String, failure: Failure },
    /// The provider's answer cannot be inspected.
    Uninspectable { provider: String, problem: String },
    /// What happened cannot be recorded.
    Unrecorded,
    /// The gateway has an error of its own.
    Internal,
}

/// Who caused a problem: decides status, retry and metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    Downstream,
    Upstream,
    Internal,
}

/// What a client is told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    /// Machine-readable, in the `code` of the provider's error shape.
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

const PATHS: &str = "unknown path; the gateway serves POST /v1/chat/completions, /v1/responses, \
    /v1/completions, /v1/embeddings, /v1/messages, /v1/messages/count_tokens, /v1beta/models/MODEL:METHOD, \
    GET /v1/models and the WebSocket /v1/realtime, each also under /PROVIDER; other paths only if a provider lists them under \
    unscanned_paths";
const KEY: &str = "send a key made by `sluicegate key create`, as Authorization: Bearer, x-api-key, \
    x-goog-api-key or ?key=";
const UNCHECKED: &str = "keys cannot be checked at the moment; try again shortly";
const UNREGISTERED: &str =
    "whose a stored answer is cannot be told at the moment; try again shortly";
const TOO_OFTEN: &str = "the key asks about its sessions and its use too often";
/// When to try again where nobody can tell.
const SHORTLY: Duration = Duration::from_secs(1);
/// How long a log that cannot be written may take to be mended.
const MENDED: Duration = Duration::from_secs(5);
const LOCKED: &str = "too many wrong keys from this address; wait and send a valid one";
const ENCODING: &str = "the body's Content-Encoding is not one of gzip, deflate, br and zstd, or there are several; \
    send it as one of them or plain";
const CONTENT_TYPE: &str = "the body is not JSON by its content type; send \
    Content-Type: application/json (UTF-8)";
const BUSY: &str = "the gateway holds as many bodies as it may; try again in a moment";
const UNRECORDED: &str = "the exchange cannot be recorded, so it is not made";

impl Problem {
    pub(super) fn party(&self) -> Party {
        match self {
            Self::Limited(refused) if refused.limit == Limit::Away => Party::Internal,
            Self::Upstream { .. } | Self::Uninspectable { .. } => Party::Upstream,
            Self::NoPolicy(_)
            | Self::Unjudged(_)
            | Self::Credential { .. }
            | Self::Unrecorded
            | Self::Unchecked(_)
            | Self::Unregistered(_)
            | Self::Internal
            | Self::Own(503, ..)
            | Self::Unread(Unread::Busy) => Party::Internal,
            _ => Party::Downstream,
        }
    }

    /// The text for the operator, where it differs from the client's; follows the chain of sources.
    pub(super) fn detail(&self) -> Option<String> {
        let failure = match self {
            Self::Upstream { failure, .. } => failure,
            Self::Unchecked(problem) | Self::Unregistered(problem) => return Some(problem.clone()),
            _ => return None,
        };
        let mut text = failure.to_string();
        let mut source = std::error::Error::source(failure);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Some(text)
    }

    pub(super) fn told(&self) -> Told {
        match self {
            Self::Head(message) => say(400, "invalid_request", *message),
            Self::Route(problem) => route(*problem),
            Self::Upgrade(problem) => say(400, "websocket_required", *problem),
            Self::Query(name) => {
                let message = format!("the query parameter \"{name}\" is not passed on");
                say(400, "invalid_query", message)
            }
            Self::NoKey(NoKey::Missing) => say(401, "missing_api_key", format!("no key; {KEY}")),
            Self::NoKey(NoKey::Several) => say(
                400,
                "several_api_keys",
                format!("several keys that differ; {KEY}"),
            ),
            Self::Denied(_) => say(
                401,
                "invalid_api_key",
                format!("the key is not valid; {KEY}"),
            ),
            Self::Unchecked(_) => say(503, "keys_unavailable", UNCHECKED).after(SHORTLY),
            Self::NotThere(what) => not_there(*what),
            Self::Unregistered(_) => say(503, "ids_unavailable", UNREGISTERED).after(SHORTLY),
            Self::Own(503, code, message) => say(503, code, *message).after(SHORTLY),
            Self::Own(status, code, message) => say(*status, code, *message),
            Self::Path(rule) => say(400, "content_filter", forbidden(rule)),
            Self::TooOften(wait) => say(429, "too_many_requests", TOO_OFTEN).after(*wait),
            Self::Locked(wait) => say(429, "too_many_wrong_keys", LOCKED).after(*wait),
            Self::Limited(refused) => limited(refused),
            Self::Encoding => say(415, "unsupported_encoding", ENCODING),
            Self::ContentType => say(415, "unsupported_content_type", CONTENT_TYPE),
            Self::Unread(problem) => unread(*problem),
            Self::Malformed(problem) => say(400, "invalid_json", unsafe_body(problem)),
            Self::Model => say(403, "model_not_allowed", "the key may not use this model"),
            Self::NoPolicy(name) => {
                let message =
                    format!("the key's policy \"{name}\" is not loaded, so nothing passes");
                say(500, "no_policy", message)
            }
            Self::Unjudged(problem) => say(500, "not_inspected", uninspected(problem)),
            Self::Uninspected(problem) => say(400, "not_inspected", uninspected(problem)),
            Self::Credential { provider, problem } => {
                let message = format!("no credential for provider {provider}: {problem}");
                say(502, "no_credential", message)
            }
            Self::Upstream { provider, failure } => {
                let status = if failure.is_timeout() { 504 } else { 502 };
                let message = format!("provider {provider} gave no usable answer: {failure}");
                say(status, "upstream_error", message)
            }
            Self::Uninspectable { provider, problem } => {
                let message = format!("the answer of {provider} cannot be inspected: {problem}");
                say(502, "upstream_error", message)
            }
            Self::Unrecorded => say(503, "audit_unavailable", UNRECORDED).after(MENDED),
            Self::Internal => say(500, "internal_error", "the gateway has an internal error"),
        }
    }
}

impl Told {
    /// The same, with advice on when to try again.
    const fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

fn say(status: u16, code: &'static str, message: impl Into<String>) -> Told {
    Told {
        status,
        code,
        message: message.into(),
        retry_after: None,
    }
}

fn limited(refused: &Refused) -> Told {
    let status = match refused.limit {
        Limit::Unpriced => 403,
        Limit::Away => 503,
        _ => 429,
    };
    let told = say(status, refused.code(), refused.to_string());
    if refused.never {
        return told;
    }
    // If others have to end first, nobody can tell when.
    told.after(refused.wait.unwrap_or(Duration::from_secs(1)))
}

fn route(problem: NoRoute) -> Told {
    match problem {
        NoRoute::Path => say(404, "unknown_path", PATHS),
        NoRoute::Method(expected) => {
            let message = format!("this path is served with {expected} only");
            say(405, "method_not_allowed", message)
        }
        NoRoute::Provider => {
            let message = "no provider is configured for this path and model";
            say(404, "no_provider", message)
        }
        NoRoute::Forbidden => say(
            403,
            "provider_not_allowed",
            "the key may not use this provider",
        ),
    }
}

fn uninspected(problem: &str) -> String {
    format!("the request cannot be inspected: {problem}")
}

fn unsafe_body(problem: &str) -> String {
    format!("the body cannot be read safely: {problem}")
}

fn forbidden(rule: &str) -> String {
    format!("the path or the query holds something that the policy does not let pass ({rule})")
}

/// As `OpenAI` says it.
fn not_there(what: NotThere) -> Told {
    match what {
        NotThere::Response => say(404, "response_not_found", "the key made no such response"),
        NotThere::Referent(Referent::Response) => say(
            400,
            "previous_response_not_found",
            "the key made no response of this previous_response_id",
        ),
        NotThere::Referent(Referent::Conversation) => say(
            404,
            "conversation_not_found",
            "the key made no such conversation",
        ),
        NotThere::Referent(Referent::Item) => say(
            404,
            "item_not_found",
            "the key made no item of an id in the input, or it was not stored",
        ),
        NotThere::Excessive => say(
            400,
            "invalid_request",
            "the request refers to more than 256 stored things, or by ids of more than 128 bytes",
        ),
    }
}

fn unread(problem: Unread) -> Told {
    match problem {
        Unread::TooLarge => say(
            413,
            "body_too_large",
            "the body is larger than the gateway takes (limits.max_body_bytes)",
        ),
        Unread::TooSlow => say(408, "body_too_slow", "the body took too long to arrive"),
        Unread::Broken => say(
            400,
            "invalid_request",
            "the body broke off or is framed wrongly",
        ),
        Unread::Coded(problem) => say(
            400,
            "invalid_encoding",
            format!("the body cannot be decompressed: {problem}"),
        ),
        Unread::Busy => say(503, "overloaded", BUSY).after(Duration::from_secs(1)),
    }
}

/// A problem as the client's SDK reads it.
pub(super) fn problem(problem: &Problem, family: Family, request_id: &str) -> Response<Outgoing> {
    let told = problem.told();
    let body = Cleared::error(family, told.status, told.code, &told.message, request_id);
    let mut response = json(
        StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        body,
        HeaderMap::new(),
    );
    let headers = response.headers_mut();
    if let Some(wait) = told.retry_after {
        let seconds = RetryAfter(wait).seconds();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    // What only the operator can repair is not worth asking again.
    let spent = |refused: &Refused| refused.never || matches!(refused.limit, Limit::Budget(_));
    if matches!(problem, Problem::Limited(refused) if spent(refused))
        || matches!(
            problem,
            Problem::Credential { .. }
                | Problem::Upstream {
                    failure: Failure::Redirect { .. },
                    ..
                }
        )
    {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}
