//! The journey's way back: a provider's answer, or a policy's refusal, to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde::de::IgnoredAny;

use super::account::Account;
use super::body::{Hold, Unread};
use super::call::Call;
use super::exchange::Exchange;
use super::forward;
use super::inspect::inspect_asking;
use super::outgoing::{self, Outgoing};
use super::respond::Problem;
use super::stream::{Admission, Stream};
use crate::audit;
use crate::auth::Principal;
use crate::guard::body::{Outcome, inspect_response, inspect_text};
use crate::guard::stream::{self, StreamGuard};
use crate::guard::{Cleared, Context, Refused};
use crate::policy::{self, Answers, Unknown};
use crate::telemetry::Direction;
use crate::upstream::{Answer, Failure};
use crate::wire::Framing;
use crate::wire::refusal::Respond;

/// What an answer is, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Text,
    Stream(Framing),
    /// Nothing that a scanner could read.
    Other,
}

/// An answer of which all is there.
pub(super) struct Whole {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The provider's name.
    pub(super) provider: String,
    pub(super) body: Bytes,
    pub(super) is_text: bool,
    /// The body's part of the memory budget.
    pub(super) hold: Hold,
}

impl Exchange {
    /// A provider's answer of any status, inspected whole or as it comes.
    pub(super) async fn answer(
        &mut self,
        answer: Answer,
        call: Call,
        principal: Principal,
    ) -> Result<Response<Outgoing>, Problem> {
        match kind(&answer, call.framing) {
            Kind::Stream(framing) => self.stream(answer, framing, call, principal),
            Kind::Json => {
                let whole = self.collect(answer, false).await?;
                self.whole(whole, &call).await
            }
            Kind::Text if call.policy.unknown == Unknown::Block && !call.policy.observe => Err(
                uninspectable(answer.provider(), "it is text where JSON was expected"),
            ),
            Kind::Text => {
                let whole = self.collect(answer, true).await?;
                self.whole(whole, &call).await
            }
            Kind::Other => Err(uninspectable(
                answer.provider(),
                "it is neither JSON nor text nor a stream of events, in UTF-8",
            )),
        }
    }

    /// Tells the client of a refusal, in the shape that the policy wants.
    pub(super) fn refuse(
        &mut self,
        call: &Call,
        refused: Refused,
    ) -> Result<Response<Outgoing>, Problem> {
        let mut refusal = refused.refusal(&call.policy, &self.id);
        refusal.choices = call.choices.unwrap_or(1);
        if !call.generates {
            refusal.respond = Respond::Error; // no place for a message
        }
        let status = refusal.status(call.api);
        let response = match call.framing {
            Some(framing) if status == 200 => {
                let events =
                    Cleared::refusal_events(call.api, framing, &refusal, call.model.as_deref());
                outgoing::whole(
                    StatusCode::OK,
                    events,
                    stream_headers(framing, HeaderMap::new()),
                )
            }
            _ => {
                let body = Cleared::refusal(call.api, &refusal, call.model.as_deref());
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                outgoing::json(status, body, HeaderMap::new())
            }
        };
        let closed = self
            .account
            .close(audit::Outcome::Blocked, status, Some(refused.rule));
        closed.map_err(|_| Problem::Unrecorded)?;
        Ok(response)
    }

    /// An answer that is inspected when all of it is there.
    pub(super) async fn whole(
        &mut self,
        answer: Whole,
        call: &Call,
    ) -> Result<Response<Outgoing>, Problem> {
        let Whole {
            status,
            headers,
            provider,
            body,
            is_text,
            hold,
        } = answer;
        let bytes = body.len() as u64;
        let is_text = body.is_empty() || is_text && !is_json(status, &body);
        let inspection = {
            let (api, policy) = (call.api, Arc::clone(&call.policy));
            let limits = self.gateway.json.clone();
            let (originals, count_for) = (Arc::clone(&call.originals), call.count_for.clone());
            let effort = policy.response.effort(body.len());
            let work = move |answers: Option<&Answers>| {
                let context = Context::answering(&originals).counting(count_for.as_deref());
                let (context, body) = (context.hearing(answers), body.clone());
                Ok(if is_text {
                    inspect_text(context, policy::Direction::Response, body, &policy)
                } else {
                    inspect_response(context, api, body, &policy, &limits)
                })
            };
            inspect_asking(&self.gateway, Direction::Response, effort, work).await?
        };
        let (told, charge) = (inspection.facts.usage, &mut self.account.charge);
        charge.wrote(told, inspection.tokens);
        self.account.note(|record| {
            record.response.bytes = bytes;
            Account::judged(&mut record.response, &inspection.verdict, inspection.media);
            record.response.unjudged = inspection.failure().map(ToString::to_string);
        });
        if let Some(keeper) = &call.keeper {
            keeper.keep(inspection.facts.ids).await;
        }
        match inspection.outcome {
            Outcome::Clear(body) => {
                let headers = forward::down(&headers, Some(&call.policy));
                let mut response = outgoing::whole(status, body, headers);
                response.body_mut().keep(hold);
                self.account.first_byte();
                let closed = self
                    .account
                    .close(audit::Outcome::Allowed, status.as_u16(), None);
                closed.map_err(|_| Problem::Unrecorded)?;
                Ok(response)
            }
            Outcome::Refuse(refused) => self.refuse(call, refused),
            Outcome::Fail(failure) => Err(uninspectable(&provider, &failure.to_string())),
        }
    }

    /// All of an answer.
    pub(super) async fn collect(&self, answer: Answer, is_text: bool) -> Result<Whole, Problem> {
        let (provider, limit) = (
            answer.provider().to_owned(),
            self.gateway.limits.max_response_bytes,
        );
        let mut hold = self.gateway.load.budget.hold(0).map_err(Problem::Unread)?;
        let body = answer.body;
        let collected = body.collect(limit, |bytes| hold.grow(bytes).is_ok()).await;
        match collected {
            Ok(body) => Ok(Whole {
                status: answer.status,
                headers: answer.headers,
                provider,
                body,
                is_text,
                hold,
            }),
            Err(Failure::NoRoom) => Err(Problem::Unread(Unread::Busy)),
            Err(failure) => Err(Problem::Upstream { provider, failure }),
        }
    }

    /// An answer that is inspected as it comes.
    fn stream(
        &mut self,
        answer: Answer,
        framing: Framing,
        call: Call,
        principal: Principal,
    ) -> Result<Response<Outgoing>, Problem> {
        let count_for = call.count_for;
        let asked = stream::Exchange {
            model: call.model,
            request_id: self.id.clone(),
            choices: call.choices,
            originals: call.originals,
            count_for,
            kept: call.keeper.is_some(),
        };
        let headers = forward::down(&answer.headers, Some(&call.policy));
        let guard = StreamGuard::new(call.api, framing, call.policy, &self.gateway.json, asked);
        let mut hold = self.gateway.load.budget.hold(0).map_err(Problem::Unread)?;
        hold.resize(guard.held_bytes()).map_err(Problem::Unread)?;
        self.account.note(|record| {
            record.stream = true;
            record.status = Some(answer.status.as_u16());
        });
        let stream = Stream::new(
            answer.body,
            guard,
            (self.account.hand_on(), hold),
            (Admission::new(&self.gateway, principal), call.keeper),
            self.peer.stalls.as_ref().map(|stalls| stalls.join()),
        );
        let mut response = Response::new(Outgoing::Stream(Box::new(stream)));
        *response.status_mut() = answer.status;
        *response.headers_mut() = stream_headers(framing, headers);
        Ok(response)
    }
}

/// What an answer is. `asked` is how the answer that was asked for is framed, if that is a stream.
pub(super) fn kind(answer: &Answer, asked: Option<Framing>) -> Kind {
    let mut types = answer.headers.get_all(header::CONTENT_TYPE).iter();
    // Of several, clients may believe any.
    let (first, None) = (types.next(), types.next()) else {
        return Kind::Other;
    };
    let Ok(value) = first.map_or(Ok(""), HeaderValue::to_str) else {
        return Kind::Other;
    };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !parts.filter_map(forward::charset).all(is_read) {
        return Kind::Other;
    }
    let asked = asked.filter(|_| answer.status.is_success());
    match (essence.as_str(), asked) {
        ("text/event-stream", _) => Kind::Stream(Framing::Sse),
        ("application/json", Some(Framing::JsonArray)) => Kind::Stream(Framing::JsonArray),
        ("application/json" | "application/problem+json", _) => Kind::Json,
        // Without a type it is most likely a word of some server on the way. Who asked for events reads them, whatever they are called.
        (essence, asked) if essence.is_empty() || essence.starts_with("text/") => {
            asked.map_or(Kind::Text, Kind::Stream)
        }
        _ => Kind::Other,
    }
}

/// Whether text in this character set is read right: UTF-8, or one whose ASCII is that of UTF-8. In others the same bytes say
/// something else to who believes the name.
fn is_read(charset: &str) -> bool {
    let known = ["utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252"];
    known
        .iter()
        .any(|known| charset.eq_ignore_ascii_case(known))
}

/// Whether who reads a text takes it for JSON, whatever it is called. What should have been an answer but is broken is no text either.
fn is_json(status: StatusCode, body: &[u8]) -> bool {
    // Some readers skip a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let begins = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    begins && (status.is_success() || serde_json::from_slice::<IgnoredAny>(body).is_ok())
}

/// The headers of a stream, which must not wait in anybody's buffer or cache.
fn stream_headers(framing: Framing, mut headers: HeaderMap) -> HeaderMap {
    let content_type = match framing {
        Framing::Sse => "text/event-stream; charset=utf-8",
        Framing::JsonArray | Framing::Messages => "application/json",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers
}

pub(super) fn uninspectable(provider: &str, problem: &str) -> Problem {
    Problem::Uninspectable {
        provider: provider.to_owned(),
        problem: problem.to_owned(),
    }
}
