//! A built-in model provider that streams back what it was told, so that everything can be tried and tested offline.
//!
//! It is an HTTP/1.1 server of its own on a loopback address, shaped like OpenAI, Anthropic and Gemini at once, and the
//! gateway reaches it over a socket like any other provider. It shares no code with `wire` or `guard`: what those modules
//! read was written by somebody else.
//!
//! A prompt is answered with its own text. A line of the last user message may be a directive instead (`/help`
//! lists them); directives are cut out of the echoed text, and a line that only looks like one is text. System prompts are
//! not echoed. A tool's result is echoed as it is, without directives, so that an agent's loop ends.
//!
//! Credentials are not checked. `/whoami` tells which ones came, as header names and the beginnings of SHA-256 digests, so
//! that a test can see that a client's key stayed behind.

mod answer;
mod ask;
mod body;
mod chat;
mod completions;
mod credential;
mod embeddings;
mod gemini;
mod messages;
mod models;
mod realtime;
mod responses;
mod route;
mod script;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use self::answer::Answer;
use self::body::{Body, Stream};
use self::route::{Endpoint, Family, Shape};
use self::script::Script;

/// The largest request that is read; the gateway's own limit is lower.
const MAX_BODY_BYTES: usize = 64 << 20;

/// How long to wait after the system refused to accept a connection (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the answers are cut and paced, unless a directive says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Characters (Unicode scalar values) in one delta; 0 counts as 1.
    pub chunk_chars: usize,
    /// Pause before each delta.
    pub pace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chunk_chars: 8,
            pace: Duration::from_millis(15),
        }
    }
}

/// Serves until the future is dropped, which also closes every connection.
pub async fn serve(listener: TcpListener, config: Config) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, config)); }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection. Its errors are the client's: it left, or spoke no HTTP; there is nobody to tell.
async fn connection(stream: TcpStream, config: Config) {
    // Without it, a small delta waits for the acknowledgement of the one before (RFC 896).
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let opened = Mutex::new(None);
    let service = service_fn(|mut request: Request<Incoming>| {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let accepted = realtime::opens(&head).then(|| realtime::accept(&head));
        if accepted.is_some() {
            let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
            *opened = Some((upgrade, head.clone()));
        }
        async move {
            if let Some(accepted) = accepted {
                return Ok(accepted);
            }
            respond(Request::from_parts(head, body), config).await
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    drop(served);
    let opened = opened.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some((upgrade, head)) = opened else {
        return;
    };
    if let Ok(io) = upgrade.await {
        let conversation = realtime::Conversation::new(TokioIo::new(io), &head, config).await;
        drop(Box::pin(conversation.talk()).await);
    }
}

/// What an endpoint answers.
enum Reply {
    /// One JSON document.
    Whole(Value),
    /// An answer that is sent piece by piece.
    Stream(Stream),
}

/// A provider error.
struct Failure {
    /// The HTTP status.
    status: u16,
    /// For the client's developer.
    message: String,
}

impl Failure {
    /// The request is at fault.
    fn bad_request(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
        }
    }
}

async fn respond(request: Request<Incoming>, config: Config) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let endpoint = route::find(&head);
    let response = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => answer(&endpoint, &head, &body.to_bytes(), config).await,
        Err(_) => Err(Failure {
            status: 413,
            message: format!("the body is larger than {MAX_BODY_BYTES} bytes, or was cut off"),
        }),
    };
    Ok(response.unwrap_or_else(|failure| failed(endpoint.family(), &failure)))
}

async fn answer(
    endpoint: &Endpoint,
    head: &http::request::Parts,
    body: &[u8],
    config: Config,
) -> Result<Response<Body>, Failure> {
    let json = || {
        serde_json::from_slice::<Value>(body)
            .map_err(|error| Failure::bad_request(format!("the body is not JSON: {error}")))
    };
    let document = match endpoint {
        Endpoint::Generate(shape) => return generate(shape, &json()?, head, config).await,
        Endpoint::Models(family) => models::list(*family),
        Endpoint::Model(family, name) => models::show(*family, name)?,
        Endpoint::Embeddings => embeddings::answer(&json()?)?,
        Endpoint::MessageTokens => messages::count_tokens(&json()?),
        Endpoint::GeminiTokens => gemini::count_tokens(&json()?),
        Endpoint::EmbedContent => gemini::embed(&json()?)?,
        Endpoint::BatchEmbedContents => gemini::embed_batch(&json()?)?,
        Endpoint::Unknown(_) => {
            return Err(Failure {
                status: 404,
                message: format!("there is no {} {}", head.method, head.uri.path()),
            });
        }
    };
    Ok(whole(&document, false))
}

/// Answers a prompt.
async fn generate(
    shape: &Shape,
    body: &Value,
    head: &http::request::Parts,
    config: Config,
) -> Result<Response<Body>, Failure> {
    let ask = match shape {
        Shape::Chat => chat::read(body)?,
        Shape::Responses => responses::read(body)?,
        Shape::Completions => completions::read(body)?,
        Shape::Messages => messages::read(body)?,
        Shape::Gemini { model, framing } => gemini::read(model, framing.is_some(), body)?,
    };
    let presented = credential::presented(head);
    let scripts: Vec<Script> = ask
        .prompts
        .iter()
        .map(|prompt| Script::read(prompt, config, &presented))
        .collect();
    let (mut slow, mut pace, mut error) = (Duration::ZERO, config.pace, None);
    for script in &scripts {
        slow = slow.max(script.slow);
        pace = script.pace;
        error = error.or(script.error);
    }
    tokio::time::sleep(slow).await;
    if let Some(status) = error {
        let message = format!("this is the error {status} that the prompt asked for");
        return Err(Failure { status, message });
    }
    let answer = Answer::new(&ask, scripts);
    let cut = answer.cut;
    let reply = match shape {
        Shape::Chat => chat::reply(&ask, answer),
        Shape::Responses => responses::reply(&ask, answer),
        Shape::Completions => completions::reply(&ask, answer),
        Shape::Messages => messages::reply(&ask, answer),
        Shape::Gemini { framing, .. } => gemini::reply(*framing, answer),
    };
    Ok(match reply {
        Reply::Whole(document) => whole(&document, cut),
        Reply::Stream(stream) => {
            let content_type = HeaderValue::from_static(stream.content_type);
            headed(StatusCode::OK, content_type, Body::stream(stream, pace))
        }
    })
}

/// Puts a member into an object.
fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

fn whole(document: &Value, cut: bool) -> Response<Body> {
    let body = Body::whole(document.to_string().into(), cut);
    headed(
        StatusCode::OK,
        HeaderValue::from_static("application/json"),
        body,
    )
}

fn failed(family: Family, failure: &Failure) -> Response<Body> {
    let document = match family {
        Family::OpenAi => chat::error(failure),
        Family::Anthropic => messages::error(failure),
        Family::Gemini => gemini::error(failure),
    };
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = Body::whole(document.to_string().into(), false);
    let mut response = headed(status, HeaderValue::from_static("application/json"), body);
    if matches!(failure.status, 429 | 503 | 529) {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn headed(status: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    if let Some(bytes) = response.body().length() {
        response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
    }
    response
}
