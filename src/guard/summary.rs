//! What goes into the guard of a stream beside its bytes, and what is known when it ends.

use std::sync::Arc;

use crate::guard::restore::Originals;
use crate::policy::Verdict;
use crate::wire::Usage;

use super::{Failure, Refused};

/// Whether the caller goes on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// More may come.
    Continue,
    /// The stream has ended with what was written last, which a client understands as the end. Later bytes are ignored.
    End,
}

/// Status, code and message of what ends a stream before its answer's end.
pub(super) type Trouble = (u16, &'static str, &'static str);

/// What a client is told; the operator gets the reason from the summary.
pub(super) const UNSCANNED: Trouble = (
    502,
    "upstream_failed",
    "the provider's answer could not be scanned",
);
pub(super) const BROKEN_OFF: Trouble = (
    502,
    "upstream_failed",
    "the provider's answer broke off before its end",
);
pub(super) const WITHDRAWN: Trouble = (
    401,
    "invalid_api_key",
    "the key no longer works, so the answer ends here",
);

/// How the upstream's bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As the transport's framing says, they were complete.
    Complete,
    /// The connection broke, a time limit passed, or the gateway itself cut it off.
    Break,
    /// The gateway cut it off, because its key no longer works.
    Withdrawn,
}

/// What the messages to the client say of the exchange.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// As in the log and the audit record.
    pub request_id: String,
    /// The model, as the request named it.
    pub model: Option<String>,
    /// How many choices the request asked for, where the format numbers them.
    pub choices: Option<u32>,
    /// What the request's placeholders stand for.
    pub originals: Arc<Originals>,
    /// Tokens are to be counted, for this model.
    pub count_for: Option<String>,
    /// The ids are wanted under which the provider may keep the answer.
    pub kept: bool,
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has not ended.
    Open,
    /// The answer came to its end and all that the policy lets pass was written.
    Complete,
    /// The policy refused it.
    Refuse(Refused),
    /// It could not be judged.
    Fail(Failure),
    /// The upstream ended before its answer did.
    Break,
}

/// What is known of a stream, for charges, log and audit.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What the policy made of it.
    pub verdict: Verdict,
    /// What became of it.
    pub ending: Ending,
    /// Tokens used, as far as the provider has said.
    pub usage: Option<Usage>,
    /// Bytes of running text received, escapes undone.
    pub text_bytes: u64,
    /// Tokens of that text, if they were to be counted and the provider has not told of all.
    pub tokens: Option<u64>,
    /// Images, audio and files, which nothing scans.
    pub media: u32,
    /// The provider sent an error in place of the rest.
    pub upstream_error: bool,
    /// Events that passed unjudged, because the policy says so on an error; and the first error.
    pub unjudged: Option<(u64, Failure)>,
}

impl Summary {
    /// Why it was not judged in full, whether or not it passed.
    pub fn failure(&self) -> Option<&Failure> {
        match (&self.ending, &self.unjudged) {
            (Ending::Fail(failure), _) | (_, Some((_, failure))) => Some(failure),
            (Ending::Open | Ending::Complete | Ending::Refuse(_) | Ending::Break, None) => None,
        }
    }
}
