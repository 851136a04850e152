//! What happened, one record per exchange and per change by an operator, so that tampering shows.
//!
//! Records are JSON lines in `audit/audit-000001.jsonl` and so on, linked by [`chain`]. A record is handed to the kernel
//! before its exchange ends, and is on the disk at most about 100 ms later: a killed process loses nothing, a machine that
//! loses power at most that. No record holds prompt text, a key or a credential.

pub mod chain;
mod error;
mod file;
mod read;
mod writer;

pub use error::{Broken, Error};
pub use file::Log;
pub use read::{Follower, Progress, Report, tail, verify};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A request and its response, however it ended.
    Exchange(Box<Exchange>),
    /// A change by an operator.
    Change(Change),
    /// The log itself was mended.
    Repair(Repair),
}

/// A request and its response.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// When the request came.
    pub time: Timestamp,
    /// The request id that the client was told.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, if it was not allowed: a fixed word such as `rate_limit` or a rule's name. Never text of the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The status that the client was sent, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The id of the caller's key, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The API spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The provider that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that was asked for, at most 128 characters of it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "clipped")]
    pub model: Option<String>,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// The policy that judged, and the generation of the loaded policies.
    pub policy: PolicyRef,
    /// What was found in and done to the request.
    pub request: Side,
    /// What was found in and done to the response.
    pub response: Side,
    /// The threat level that the caller's session has come to, where the policy watches sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_level: Option<&'static str>,
    /// Tokens, as the provider counted them; as the gateway did where the provider said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// From the first byte of the request to the last of the response, in microseconds.
    pub duration_us: u64,
}

/// Which policy judged.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PolicyRef {
    /// Its name.
    pub name: String,
    /// The generation of the loaded policies.
    pub generation: u64,
}

/// One direction of an exchange.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Side {
    /// Bytes that came from the sender.
    pub bytes: u64,
    /// What was done.
    pub action: &'static str,
    /// What would have been done without `observe`, if that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<&'static str>,
    /// The threat level.
    pub level: &'static str,
    /// Rules that found something, and how often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, u32>,
    /// What was undone to find it, by rule: `base64`, `leet`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub encodings: BTreeMap<String, Vec<&'static str>>,
    /// How sure a judge was at most, from 0 to 1, by rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub probabilities: BTreeMap<String, f64>,
    /// Why it was not judged in full: a model that gave no answer, text beyond the engine's bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<String>,
    /// Images, audio and other parts that no scanner reads.
    #[serde(skip_serializing_if = "is_zero")]
    pub media_unscanned: u32,
}

/// Tokens of an exchange.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    /// Read by the model.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// What they cost, in millionths of a dollar, where the model's price is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The client has the whole answer, edited where the policy said so.
    Allowed,
    /// A rule, limit or key check stopped it.
    Blocked,
    /// The gateway or the provider could not do it.
    Failed,
    /// The client or the provider left in the middle.
    Cut,
}

impl Outcome {
    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Cut => "cut",
        }
    }
}

/// A change by an operator, or by the gateway itself.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// When.
    pub time: Timestamp,
    /// Who: `cli`, `serve`, later an operator's name.
    pub who: String,
    /// What, as a verb with its object: `key.create`, `key.revoke`, `vault.set`, `vault.delete`, `policy.reload`, `start`, `stop`.
    pub what: &'static str,
    /// To which key, entry or policy.
    pub subject: String,
}

/// The log was mended after a process or machine had stopped in the middle of a line.
#[derive(Clone, Debug, Serialize)]
pub struct Repair {
    /// When.
    pub time: Timestamp,
    /// Bytes of the unfinished line, which were cut off.
    pub cut_bytes: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The model's name comes from the client, so its length is bounded here.
#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn clipped<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let end = text
        .as_deref()
        .and_then(|text| text.char_indices().nth(128));
    match (text, end) {
        (Some(text), Some((end, _))) => {
            serializer.serialize_some(text.get(..end).unwrap_or_default())
        }
        (text, _) => text.serialize(serializer),
    }
}
