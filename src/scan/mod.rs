//! What to look for in text, and the engine that looks for it while the text is still arriving.
//!
//! A [`Rule`] is a pattern with a name. An [`Engine`](engine::Engine) is made once from the rules a policy has switched on
//! and shared by all streams; a [`SegmentScan`](segment::SegmentScan) is the small state of one text that is being read.

pub mod classifier;
pub mod engine;
pub mod finding;
pub mod segment;

mod canary;
mod code;
mod html;
mod injection;
mod national;
mod path;
mod pii;
mod secrets;
mod url;

use self::finding::ThreatLevel;
use std::{borrow::Cow, fmt, sync::Arc};

pub use canary::{canary_rule, marker, marker_rule};
pub use injection::is_foreseen;
pub use url::{Hosts, InvalidHost};

/// A family of rules; the first part of a rule's id and the key of its section in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scanner {
    /// Attempts to change what a model was told to do, or to make it tell.
    Injection,
    /// What a trained judge takes for such an attempt.
    Classifier,
    /// What a trained judge takes for an insult, a threat or hate.
    Toxicity,
    /// What a model that the operator supplies takes for one of its labels.
    Model,
    /// Credentials.
    Secrets,
    /// Personal data.
    Pii,
    /// Addresses that no request should go to, and links that carry data away.
    Url,
    /// What a browser would run.
    Html,
    /// Files and places in file systems that tools should not touch.
    Path,
    /// Commands and calls that do harm when a tool runs them.
    Code,
    /// Words that must not come back.
    Canary,
    /// An operator's own patterns.
    Topic,
    /// More text than a policy lets pass.
    Size,
    /// Calls of tools that a policy does not let pass.
    Tool,
}

impl Scanner {
    /// All scanners, in the order of reports.
    pub const ALL: [Self; 14] = [
        Self::Injection,
        Self::Classifier,
        Self::Toxicity,
        Self::Model,
        Self::Secrets,
        Self::Pii,
        Self::Url,
        Self::Html,
        Self::Path,
        Self::Code,
        Self::Canary,
        Self::Topic,
        Self::Size,
        Self::Tool,
    ];

    /// The name in ids, YAML, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Classifier => "classifier",
            Self::Toxicity => "toxicity",
            Self::Model => "model",
            Self::Secrets => "secrets",
            Self::Pii => "pii",
            Self::Url => "url",
            Self::Html => "html",
            Self::Path => "path",
            Self::Code => "code",
            Self::Canary => "canary",
            Self::Topic => "topic",
            Self::Size => "size",
            Self::Tool => "tool",
        }
    }
}

impl fmt::Display for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A test that a matched text must pass too.
#[derive(Clone)]
pub enum Check {
    /// Asked at each place where a match may end; the longest match that passes counts: a check digit.
    AnyEnd(fn(&str) -> bool),
    /// Asked once, of the longest match: what a prefix says means nothing, as with the host of an address.
    LongestEnd(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Check {
    /// Whether the text passes.
    pub fn passes(&self, text: &str) -> bool {
        match self {
            Self::AnyEnd(check) => check(text),
            Self::LongestEnd(check) => check(text),
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyEnd(_) => "AnyEnd",
            Self::LongestEnd(_) => "LongestEnd",
        })
    }
}

/// Something to find.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique name, the scanner's name first: `secrets.openai_key`.
    pub id: Cow<'static, str>,
    /// The family.
    pub scanner: Scanner,
    /// The group within the family: `instruction_override`, `provider`, `contact`.
    pub category: &'static str,
    /// What stands in a redacted text for a match, without its brackets: `OPENAI_KEY`.
    pub label: Cow<'static, str>,
    /// Weight of one match: the scores of the distinct injection rules of one side are summed to its threat level. 0 where findings act one by one.
    pub score: u32,
    /// A regular expression in the syntax of the `regex` crate. `\w`, `\d`, `\s` and `\b` mean ASCII.
    pub pattern: Cow<'static, str>,
    /// A test that the matched text must pass too, such as a check digit.
    pub check: Option<Check>,
    /// One sentence for people: what a match is.
    pub summary: Cow<'static, str>,
}

impl Rule {
    /// How bad one match is where what was matched is about to be used. Injection rules have scores instead.
    pub fn severity(&self) -> ThreatLevel {
        match self.scanner {
            Scanner::Url if self.id == "url.metadata" => ThreatLevel::High,
            Scanner::Path if self.id == "path.traversal" => ThreatLevel::Low,
            Scanner::Secrets | Scanner::Html | Scanner::Code | Scanner::Path | Scanner::Canary => {
                ThreatLevel::High
            }
            Scanner::Pii | Scanner::Url | Scanner::Topic => ThreatLevel::Medium,
            Scanner::Injection
            | Scanner::Classifier
            | Scanner::Toxicity
            | Scanner::Model
            | Scanner::Size
            | Scanner::Tool => ThreatLevel::from_score(self.score),
        }
    }
}

/// The rules that exist only where a policy gives them something to find, or switches their judge on.
pub const POLICY_RULES: [&str; 15] = [
    "url.denied_host",
    "url.unlisted_host",
    "canary.word",
    "canary.marker",
    "classifier.injection",
    "classifier.suspicion",
    "toxicity.toxic",
    "toxicity.hate",
    "toxicity.sexism",
    "toxicity.profanity",
    "toxicity.suspicion",
    "size.segment_chars",
    "size.segment_tokens",
    "size.total_chars",
    "size.total_tokens",
];

/// The rules of a policy's `tools:`, where each has its action.
pub const TOOL_RULES: [&str; 4] = [
    "tool.offered",
    "tool.denied",
    "tool.argument",
    "tool.schema",
];

/// All built-in rules: the one list of them.
pub fn rules() -> Vec<Rule> {
    [
        injection::rules(),
        secrets::rules(),
        pii::rules(),
        national::rules(),
        url::rules(),
        html::rules(),
        path::rules(),
        code::rules(),
    ]
    .concat()
}
