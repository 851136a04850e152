//! What is heard in a realtime conversation, and how it ends.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::charge;
use super::conversation::Conversation;
use super::inspect::inspect_asking;
use super::side::{Loss, Received, Side};
use super::trouble::{
    BINARY, BUSY, INTERNAL, MALFORMED, MODEL, NOT_TEXT, TOO_LARGE, Trouble, UNKNOWN_LEVEL,
};
use crate::audit::Outcome;
use crate::guard::body::{self, inspect_request, inspect_text};
use crate::guard::stream::{End, Ending, Flow};
use crate::guard::{Cleared, Context, Failure, Refused};
use crate::policy::{self, Action, Answers, Respond};
use crate::telemetry::Direction;
use crate::wire::Api;

/// Close codes (RFC 6455, section 7.4.1).
pub(super) mod code {
    pub(in crate::proxy) const NORMAL: u16 = 1000;
    pub(in crate::proxy) const GOING_AWAY: u16 = 1001;
    pub(in crate::proxy) const PROTOCOL: u16 = 1002;
    pub(in crate::proxy) const UNSUPPORTED: u16 = 1003;
    pub(in crate::proxy) const NONE: u16 = 1005;
    pub(in crate::proxy) const NOT_TEXT: u16 = 1007;
    pub(in crate::proxy) const POLICY: u16 = 1008;
    pub(in crate::proxy) const TOO_LARGE: u16 = 1009;
    pub(in crate::proxy) const FAILED: u16 = 1011;
    pub(in crate::proxy) const TRY_AGAIN: u16 = 1013;
}

/// How a conversation ends.
pub(super) struct Finish {
    /// The close codes for client and provider.
    pub(super) codes: (u16, u16),
    /// The provider's word on it, if nothing is found in it.
    pub(super) reason: String,
    /// The outcome, where the guard's own summary does not say it.
    pub(super) cut: Option<(Outcome, &'static str)>,
}

impl Finish {
    /// As the guard's summary says.
    pub(super) const fn summed(code: u16) -> Self {
        Self {
            codes: (code, code::NORMAL),
            reason: String::new(),
            cut: None,
        }
    }

    /// For a reason that lies in no text.
    pub(super) fn by(code: u16, outcome: Outcome, reason: &'static str) -> Self {
        Self {
            cut: Some((outcome, reason)),
            ..Self::summed(code)
        }
    }
}

impl Conversation {
    /// Takes what the client sent; how the conversation ends, if it does.
    pub(super) async fn hear_client<C, P>(
        &mut self,
        received: Received,
        client: &mut Side<C>,
        provider: &mut Side<P>,
    ) -> Option<Finish>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        P: AsyncRead + AsyncWrite + Unpin,
    {
        let text = match received {
            Received::Text(text) => text,
            Received::Control => return None,
            Received::Binary => return Some(self.end(client, &BINARY)),
            Received::Close(code, _) => return Some(self.client_closes(code)),
            Received::Gone(loss) => {
                return Some(match loss {
                    Loss::Left => Self::client_left(),
                    Loss::TooLarge => self.end(client, &TOO_LARGE),
                    Loss::NotText => self.end(client, &NOT_TEXT),
                    Loss::Malformed => self.end(client, &MALFORMED),
                    Loss::Busy => self.end(client, &BUSY),
                });
            }
        };
        self.said.bytes += text.len() as u64;
        let Ok(_hold) = self.gateway.load.budget.hold(text.len()) else {
            return Some(self.end(client, &BUSY));
        };
        let work = {
            let (gateway, policy) = (Arc::clone(&self.gateway), Arc::clone(&self.policy));
            let (before, text) = (Arc::clone(&self.said.originals), text.clone());
            move |answers: Option<&Answers>| {
                let context = gateway.context().knowing(&before).hearing(answers);
                let text = text.clone();
                Ok(inspect_request(
                    context,
                    Api::Realtime,
                    text,
                    &policy,
                    &gateway.json,
                ))
            }
        };
        let effort = self.policy.request.effort(text.len());
        match inspect_asking(&self.gateway, Direction::Request, effort, work).await {
            Ok(inspection) => self.judge(inspection, client, provider).await,
            Err(_) => Some(self.end(client, &INTERNAL)),
        }
    }

    /// Does what came of inspecting a client's event.
    async fn judge<C, P>(
        &mut self,
        inspection: body::Inspection,
        client: &mut Side<C>,
        provider: &mut Side<P>,
    ) -> Option<Finish>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        P: AsyncRead + AsyncWrite + Unpin,
    {
        let facts = inspection.facts;
        self.said.verdict.join(&inspection.verdict);
        self.said.media = self.said.media.saturating_add(inspection.media);
        self.guard.know(&inspection.originals);
        self.said.originals = inspection.originals;
        let (user, verdict) = (facts.user.as_deref(), &inspection.verdict);
        let escalated = self.escalate(user, verdict, inspection.outcome).await;
        let Ok(outcome) = escalated else {
            return Some(self.end(client, &UNKNOWN_LEVEL));
        };
        match outcome {
            body::Outcome::Clear(event) => {
                let model = facts.model.as_deref();
                if model.is_some_and(|model| !self.principal.allows_model(model)) {
                    return Some(self.end(client, &MODEL));
                }
                if facts.stream && self.is_limited() {
                    let message = "the key's limit of requests is used up for now";
                    client.send(self.error(429, "rate_limit_exceeded", message));
                } else {
                    provider.send(event);
                }
                None
            }
            body::Outcome::Refuse(refused) => {
                let mut events = Vec::new();
                self.guard.refuse(&refused, &mut events);
                client.send_all(events);
                Some(Finish::summed(self.refusal_code(&refused)))
            }
            body::Outcome::Fail(Failure::Malformed(problem)) => {
                let message = format!("the event cannot be read safely: {problem}");
                let trouble = Trouble {
                    message: message.into(),
                    code: "invalid_json",
                    ..NOT_TEXT
                };
                Some(self.end(client, &trouble))
            }
            body::Outcome::Fail(failure) => {
                let trouble = Trouble {
                    message: format!("the event cannot be inspected: {failure}").into(),
                    code: "not_inspected",
                    ..INTERNAL
                };
                Some(self.end(client, &trouble))
            }
        }
    }

    /// Takes what the provider sent; how the conversation ends, if it does.
    pub(super) fn hear_provider<C>(
        &mut self,
        received: Received,
        client: &mut Side<C>,
    ) -> Option<Finish>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let mut events = Vec::new();
        let finish = match received {
            Received::Control => None,
            Received::Text(text) => {
                if self.received == 0 {
                    self.account.first_byte();
                }
                self.received += text.len() as u64;
                let began = Instant::now();
                let flow = self.guard.push(&text, &mut events);
                let took = began.elapsed();
                self.gateway.metrics.inspected(Direction::Response, took);
                if self.held.resize(self.guard.held_bytes()).is_err() {
                    return Some(self.end(client, &BUSY));
                }
                (flow == Flow::End).then(|| Finish::summed(self.ending_code()))
            }
            Received::Close(code, reason) => {
                self.guard.finish(End::Complete, &mut events);
                let code = match self.guard.summary().ending {
                    Ending::Complete => code.unwrap_or(code::NONE),
                    _ => code::FAILED,
                };
                Some(Finish {
                    reason: self.scanned(reason),
                    ..Finish::summed(code)
                })
            }
            Received::Binary | Received::Gone(_) => return Some(self.provider_left(client)),
        };
        client.send_all(events);
        finish
    }

    /// The client has closed its side.
    fn client_closes(&self, code: Option<u16>) -> Finish {
        let mut finish = if self.guard.is_answering() {
            Self::client_left()
        } else {
            Finish::by(code::NORMAL, Outcome::Allowed, "")
        };
        finish.codes = (code::NORMAL, code.unwrap_or(code::NONE));
        finish
    }

    /// The client has gone without a word.
    pub(super) fn client_left() -> Finish {
        Finish {
            codes: (code::GOING_AWAY, code::GOING_AWAY),
            ..Finish::by(code::GOING_AWAY, Outcome::Cut, "client_left")
        }
    }

    /// The provider has gone without a word, or speaks another language.
    pub(super) fn provider_left<C>(&mut self, client: &mut Side<C>) -> Finish
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        tracing::warn!(id = self.id, "the provider's conversation broke off");
        let mut events = Vec::new();
        self.guard.finish(End::Break, &mut events);
        client.send_all(events);
        Finish::summed(code::FAILED)
    }

    /// Ends the conversation by an error of the gateway's own.
    pub(super) fn end<C>(&self, client: &mut Side<C>, trouble: &Trouble) -> Finish
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        if trouble.outcome == Outcome::Blocked {
            self.gateway.metrics.denied(trouble.code);
        }
        client.send(self.error(trouble.status, trouble.code, &trouble.message));
        Finish::by(trouble.close, trouble.outcome, trouble.code)
    }

    fn error(&self, status: u16, code: &str, message: &str) -> Cleared {
        Cleared::error_event(Api::Realtime, status, code, message, &self.id)
    }

    /// Whether the key has no further answer for now. Its place among the exchanges at a time is the conversation's own.
    fn is_limited(&self) -> bool {
        let (now, time) = (Instant::now().into_std(), Timestamp::now());
        let caller = charge::caller(&self.principal);
        let limited = self
            .gateway
            .limiter
            .admit_another(caller, now, time)
            .is_err();
        if limited {
            self.gateway.metrics.denied("rate_limit_exceeded");
        }
        limited
    }

    /// The code that closes the conversation as the guard has ended it.
    fn ending_code(&self) -> u16 {
        match &self.guard.summary().ending {
            Ending::Refuse(refused) => self.refusal_code(refused),
            Ending::Complete | Ending::Open => code::NORMAL,
            Ending::Fail(_) | Ending::Break => code::FAILED,
        }
    }

    fn refusal_code(&self, refused: &Refused) -> u16 {
        if refused.replace || self.policy.respond == Respond::Message {
            code::NORMAL
        } else {
            code::POLICY
        }
    }

    /// A provider's reason for closing, if nothing at all is found in it.
    fn scanned(&self, reason: String) -> String {
        let text = reason.clone().into_bytes().into();
        let found = inspect_text(
            Context::default(),
            policy::Direction::Response,
            text,
            &self.policy,
        );
        match found.outcome {
            body::Outcome::Clear(_) if found.verdict.would == Action::Allow => reason,
            _ => String::new(),
        }
    }
}
