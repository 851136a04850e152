//! Applies a policy to bytes. What left the guard is [`Cleared`], and nothing else may be written, downstream or upstream.
//!
//! The guard is pure and fed from outside: [`body`] takes whole requests and responses, [`beside`] looks at what stands beside them, [`stream`] takes a streamed answer
//! chunk by chunk and holds back only what a match that has begun may still need. Whatever goes wrong inside, a panic
//! included, ends as the policy's `on_error` says.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod beside;
pub mod body;
pub mod place;
pub mod restore;
pub mod stream;
pub mod verdicts;

mod answer;
mod apart;
mod ask;
mod bridge;
mod carrier;
mod change;
mod count;
mod edit;
mod fence;
mod ids;
mod known;
mod lane;
mod notes;
mod numbering;
mod pace;
mod plant;
mod seam;
mod size;
mod structure;
mod summary;
mod tools;
mod whole;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::guard::restore::Originals;
use crate::guard::verdicts::Verdicts;
use crate::policy::{Action, Answers, OnError, Policy, Respond, Unanswered, Unknown, Verdict};
use crate::scan::engine::Overflow;
use crate::wire::json::Malformed;
use crate::wire::refusal::{self, Refusal};
use crate::wire::{Api, Family, Framing, StreamContext};

/// Bytes that went through the guard, or that the gateway says itself. Only this module makes them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cleared(Bytes);

impl Cleared {
    /// No bytes at all: the body of a request without one.
    pub const fn empty() -> Self {
        Self(Bytes::new())
    }

    /// What a client receives instead of an answer that the policy refused; `model` as the request named it. To be sent with
    /// the status that [`Refusal::status`] says.
    pub fn refusal(api: Api, refusal: &Refusal, model: Option<&str>) -> Self {
        Self(refusal::body(api, refusal, model).into())
    }

    /// An error of the gateway's own, in the shape that the family's clients understand.
    pub fn error(family: Family, status: u16, code: &str, message: &str, request_id: &str) -> Self {
        Self(refusal::error(family, status, code, message, request_id).into())
    }

    /// The same for a client that waits for a stream.
    pub fn refusal_events(
        api: Api,
        framing: Framing,
        refusal: &Refusal,
        model: Option<&str>,
    ) -> Self {
        let context = StreamContext::new(model.map(str::to_owned));
        Self(refusal::events(api, framing, refusal, &context).into())
    }

    /// The same as an event of a conversation that may go on.
    pub fn error_event(api: Api, status: u16, code: &str, message: &str, request_id: &str) -> Self {
        Self(refusal::error_event(api, status, code, message, request_id).into())
    }

    /// What the gateway itself tells a client, or asks a service that judges.
    pub fn said(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }

    /// Bytes that the operator wants passed on without a look at them: those of a path listed under `unscanned_paths`.
    pub const fn unscanned(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes, to be written.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Cleared {
    /// Only the length: the bytes are prompts and answers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cleared({} bytes)", self.0.len())
    }
}

/// What an inspection may make use of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// What the request's placeholders stand for, for its answer; for a request, what those sent before it in the same
    /// conversation do.
    pub originals: Option<&'a Arc<Originals>>,
    /// What was found in texts judged before.
    pub verdicts: Option<&'a Verdicts>,
    /// What the marks around untrusted text are derived from.
    pub secret: &'a [u8],
    /// Tokens are to be counted, for this model if the body names none.
    pub count_for: Option<&'a str>,
    /// What models said, once they were asked.
    pub answers: Option<&'a Answers>,
}

impl<'a> Context<'a> {
    /// The same, with tokens counted for a model.
    #[must_use]
    pub const fn counting(mut self, count_for: Option<&'a str>) -> Self {
        self.count_for = count_for;
        self
    }

    /// The same once models were asked.
    #[must_use]
    pub const fn hearing(mut self, answers: Option<&'a Answers>) -> Self {
        self.answers = answers;
        self
    }

    /// The same for a request of a conversation in which these placeholders are known.
    #[must_use]
    pub const fn knowing(mut self, originals: &'a Arc<Originals>) -> Self {
        self.originals = Some(originals);
        self
    }

    /// For the answer to a request whose placeholders stand for these texts.
    pub fn answering(originals: &'a Arc<Originals>) -> Self {
        Self {
            originals: Some(originals),
            ..Self::default()
        }
    }
}

/// Why bytes could not be judged. For the operator; never holds what was in them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The format could not be read.
    #[error("cannot read what is to be scanned: {0}")]
    Malformed(#[from] Malformed),
    /// Plain text that is not UTF-8.
    #[error("cannot scan text that is not UTF-8")]
    NotText,
    /// The scan engine's bounds.
    #[error("cannot scan: {0}")]
    Overflow(#[from] Overflow),
    /// Text for a part of the answer that has ended.
    #[error("the provider sent text for a part of its answer that had ended")]
    LateText,
    /// Texts that clients may put together in different ways.
    #[error(
        "the provider numbers the texts of its answer so that clients read them differently: {0}"
    )]
    Numbered(&'static str),
    /// What is no data in an event stream and may be read as such.
    #[error(
        "the provider sent a line outside the data of an event stream that clients may take for data"
    )]
    Posing,
    /// What a tool is given, of which nobody knows yet which tool it is.
    #[error("the provider sent a tool call's arguments before the tool's name")]
    UnnamedCall,
    /// A stream with more parts than any answer has.
    #[error("the provider's stream has more than {max} texts")]
    TooManyLanes {
        /// The bound.
        max: usize,
    },
    /// Events waited for the end of a match that did not come.
    #[error("more than {max} bytes of a stream would have to be held back")]
    TooMuchHeld {
        /// The bound.
        max: usize,
    },
    /// What waits in all streams together is more than the gateway may keep.
    #[error("the gateway holds as many bytes as it may")]
    NoRoom,
    /// A shape that is not known, where the policy wants it refused.
    #[error("the API has no such body or event, and the policy refuses what is unknown")]
    Unknown,
    /// Models have to be asked first: what is to be asked stands beside it.
    #[error("models have to be asked, and nobody has")]
    Unasked,
    /// A model said nothing of a text, and the policy does not go on without its word.
    #[error("the model {model} gave no answer: {why}")]
    Unanswered {
        /// The model's name.
        model: Arc<str>,
        /// Why.
        why: Unanswered,
    },
    /// A bug of ours.
    #[error("the scan failed by a fault of the gateway's own; please report it")]
    Panic,
}

/// What the client is told when the policy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The id of the rule that decided.
    pub rule: String,
    /// The rule's own text, else the policy's.
    pub message: String,
    /// The message takes the answer's place, however the policy responds to what it blocks.
    pub replace: bool,
}

impl Refused {
    fn new(policy: &Policy, verdict: &Verdict) -> Self {
        let cause = verdict.cause.as_ref();
        Self {
            rule: cause
                .map(|cause| cause.rule.to_string())
                .unwrap_or_default(),
            message: cause
                .and_then(|cause| cause.message.clone())
                .unwrap_or_else(|| policy.message.clone()),
            replace: verdict.action == Action::Replace,
        }
    }

    /// The refusal to write, in the shape that the policy asks for.
    pub fn refusal(&self, policy: &Policy, request_id: &str) -> Refusal {
        Refusal {
            code: "content_filter",
            rule: self.rule.clone(),
            message: self.message.clone(),
            request_id: request_id.to_owned(),
            choices: 1,
            respond: match policy.respond {
                Respond::Error if !self.replace => refusal::Respond::Error,
                Respond::Error | Respond::Message => refusal::Respond::Message,
            },
        }
    }
}

/// Why inspecting went no further.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The policy refuses.
    Block,
    /// The bytes could not be judged.
    Fail(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(failure: E) -> Self {
        Self::Fail(failure.into())
    }
}

/// What the guard itself has to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    Pass,
    Edit,
    Replace,
    Stop,
}

impl Duty {
    const fn of(action: Action) -> Self {
        match action {
            Action::Allow | Action::Log => Self::Pass,
            Action::Redact => Self::Edit,
            Action::Replace => Self::Replace,
            // Approval is not offered by policies yet: stopping errs on the safe side.
            Action::Hold | Action::Block => Self::Stop,
        }
    }
}

/// Whether bytes that could not be judged pass all the same. A policy that only observes enforces nothing.
/// What the policy itself refuses is no error.
fn passes_unjudged(policy: &Policy, failure: &Failure) -> bool {
    match policy.on_error {
        OnError::Allow if *failure == Failure::Unknown => false,
        // A model's own `on_error` has decided.
        _ if matches!(failure, Failure::Unanswered { .. }) => policy.observe,
        OnError::Allow => true,
        OnError::Block => policy.observe,
    }
}

/// Stops at a shape that is not known, if the policy wants that.
fn check_shape(policy: &Policy, unknown: bool) -> Result<(), Stop> {
    match policy.unknown {
        Unknown::Block if unknown && !policy.observe => Err(Failure::Unknown.into()),
        Unknown::Block | Unknown::Scan => Ok(()),
    }
}

/// Runs a piece of inspection so that a panic inside is a failure of that inspection and of nothing else.
///
/// State that `work` may leave half changed must not be used after [`Failure::Panic`] without being reset.
fn contain<T>(work: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Stop::Fail(Failure::Panic)))
}
