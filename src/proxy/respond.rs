//! The one place where a problem becomes a status and a body in the shape that the client's SDK reads.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::body::Unread;
use super::forward::NoKey;
use super::outgoing::{Outgoing, json};
use super::route::NoRoute;
use crate::guard::Cleared;
use crate::upstream::Failure;
use crate::wire::Family;

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
    /// A parameter of the query is not passed on.
    Query(String),
    /// The key is missing or not one.
    NoKey(NoKey),
    /// The key is not valid: unknown, revoked, expired, which clients are not told.
    Denied(crate::auth::Denied),
    /// The address showed too many wrong keys.
    Locked(Duration),
    /// The key's limit is used up.
    Limited(Duration),
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
    pub(super) status: StatusCode,
    /// Machine-readable, in the `code` of the provider's error shape.
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

const PATHS: &str = "unknown path; the gateway serves POST /v1/chat/completions, /v1/completions, /v1/embeddings, \
    /v1/messages, /v1/messages/count_tokens, /v1beta/models/MODEL:METHOD and GET /v1/models, each also under /PROVIDER; \
    other paths only if a provider lists them under unscanned_paths";
const KEY: &str = "send a key made by `sluicegate key create`, as Authorization: Bearer, x-api-key, x-goog-api-key or ?key=";

impl Problem {
    pub(super) const fn party(&self) -> Party {
        match self {
            Self::Upstream { .. } | Self::Uninspectable { .. } => Party::Upstream,
            Self::NoPolicy(_)
            | Self::Unjudged(_)
            | Self::Credential { .. }
            | Self::Unrecorded
            | Self::Internal
            | Self::Unread(Unread::Busy) => Party::Internal,
            _ => Party::Downstream,
        }
    }

    /// The text for the operator, where it differs from the client's; follows the chain of sources.
    pub(super) fn detail(&self) -> Option<String> {
        let Self::Upstream { failure, .. } = self else {
            return None;
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
        let (status, code, message) = match self {
            Self::Head(message) => (StatusCode::BAD_REQUEST, "invalid_request", (*message).to_owned()),
            Self::Route(problem) => return route(*problem),
            Self::Query(name) => {
                (StatusCode::BAD_REQUEST, "invalid_query", format!("the query parameter \"{name}\" is not passed on"))
            }
            Self::NoKey(NoKey::Missing) => (StatusCode::UNAUTHORIZED, "missing_api_key", format!("no key; {KEY}")),
            Self::NoKey(NoKey::Several) => {
                (StatusCode::BAD_REQUEST, "several_api_keys", format!("several keys that differ; {KEY}"))
            }
            Self::Denied(_) => (StatusCode::UNAUTHORIZED, "invalid_api_key", format!("the key is not valid; {KEY}")),
            Self::Locked(wait) => {
                let message = "too many wrong keys from this address; wait and send a valid one".to_owned();
                return told(StatusCode::TOO_MANY_REQUESTS, "too_many_wrong_keys", message, Some(*wait));
            }
            Self::Limited(wait) => {
                let message = "the key's limit of requests is used up for now".to_owned();
                return told(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message, Some(*wait));
            }
            Self::Encoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_encoding",
                "compressed bodies are not read by this version; send the body without Content-Encoding".to_owned(),
            ),
            Self::ContentType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_content_type",
                "the body is not JSON by its content type; send Content-Type: application/json (UTF-8)".to_owned(),
            ),
            Self::Unread(problem) => return unread(*problem),
            Self::Malformed(problem) => {
                (StatusCode::BAD_REQUEST, "invalid_json", format!("the body cannot be read safely: {problem}"))
            }
            Self::Model => {
                let message = "the key may not use this model; its owner can allow it".to_owned();
                (StatusCode::FORBIDDEN, "model_not_allowed", message)
            }
            Self::NoPolicy(name) => {
                let message = format!("the key's policy \"{name}\" is not loaded, so nothing passes");
                (StatusCode::INTERNAL_SERVER_ERROR, "no_policy", message)
            }
            Self::Unjudged(problem) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "not_inspected", format!("the body cannot be inspected: {problem}"))
            }
            Self::Credential { provider, problem } => {
                (StatusCode::BAD_GATEWAY, "no_credential", format!("no credential for provider {provider}: {problem}"))
            }
            Self::Upstream { provider, failure } => {
                let status = if failure.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
                (status, "upstream_error", format!("provider {provider} gave no usable answer: {failure}"))
            }
            Self::Uninspectable { provider, problem } => {
                let message = format!("the answer of provider {provider} cannot be inspected: {problem}");
                (StatusCode::BAD_GATEWAY, "upstream_error", message)
            }
            Self::Unrecorded => {
                let message = "the exchange cannot be recorded, so it is not made".to_owned();
                return told(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", message, Some(Duration::from_secs(5)));
            }
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the gateway has an internal error".to_owned())
            }
        };
        told(status, code, message, None)
    }
}

const fn told(
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
) -> Told {
    Told {
        status,
        code,
        message,
        retry_after,
    }
}

fn route(problem: NoRoute) -> Told {
    let (status, code, message) = match problem {
        NoRoute::Path => (StatusCode::NOT_FOUND, "unknown_path", PATHS.to_owned()),
        NoRoute::Later => {
            let message =
                "this version of the gateway does not scan this path, so it is refused".to_owned();
            (StatusCode::NOT_FOUND, "unsupported_path", message)
        }
        NoRoute::Method(expected) => (
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("this path is served with {expected} only"),
        ),
        NoRoute::Provider => (
            StatusCode::NOT_FOUND,
            "no_provider",
            "no provider is configured for this path and model".to_owned(),
        ),
        NoRoute::Forbidden => (
            StatusCode::FORBIDDEN,
            "provider_not_allowed",
            "the key may not use this provider".to_owned(),
        ),
    };
    told(status, code, message, None)
}

fn unread(problem: Unread) -> Told {
    let (status, code, message) = match problem {
        Unread::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the body is larger than the gateway's limit",
        ),
        Unread::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "the body took too long to arrive",
        ),
        Unread::Broken => (
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the body broke off or is framed wrongly",
        ),
        Unread::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "the gateway holds as many bodies as it may; try again in a moment",
        ),
    };
    let wait = (problem == Unread::Busy).then_some(Duration::from_secs(1));
    told(status, code, message.to_owned(), wait)
}

/// A problem as the client's SDK reads it.
pub(super) fn problem(problem: &Problem, family: Family, request_id: &str) -> Response<Outgoing> {
    let told = problem.told();
    let body = Cleared::error(
        family,
        told.status.as_u16(),
        told.code,
        &told.message,
        request_id,
    );
    let mut response = json(told.status, body, HeaderMap::new());
    let headers = response.headers_mut();
    if let Some(wait) = told.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    // What only the operator can repair is not worth asking again.
    if matches!(
        problem,
        Problem::Credential { .. }
            | Problem::Upstream {
                failure: Failure::Redirect { .. },
                ..
            }
    ) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}
