//! What to look for in text, and the engine that looks for it while the text is still arriving.
//!
//! A [`Rule`] is a pattern with a name. An [`Engine`](engine::Engine) is made once from the rules a policy has switched on
//! and shared by all streams; a [`SegmentScan`](segment::SegmentScan) is the small state of one text that is being read.

pub mod engine;
pub mod finding;
pub mod segment;

mod injection;
mod pii;
mod secrets;

use std::{borrow::Cow, fmt};

/// A family of rules; the first part of a rule's id and the key of its section in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scanner {
    /// Attempts to change what a model was told to do, or to make it tell.
    Injection,
    /// Credentials.
    Secrets,
    /// Personal data.
    Pii,
    /// An operator's own patterns.
    Topic,
}

impl Scanner {
    /// All scanners, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Injection, Self::Secrets, Self::Pii, Self::Topic];

    /// The name in ids, YAML, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Secrets => "secrets",
            Self::Pii => "pii",
            Self::Topic => "topic",
        }
    }
}

impl fmt::Display for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
    pub check: Option<fn(&str) -> bool>,
    /// One sentence for people: what a match is.
    pub summary: Cow<'static, str>,
}

/// All built-in rules: the one list of them.
pub fn rules() -> Vec<Rule> {
    [injection::rules(), secrets::rules(), pii::rules()].concat()
}
