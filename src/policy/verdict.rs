//! What a policy can do with a finding, and what it did with an exchange.

use std::borrow::Cow;
use std::fmt;

use crate::scan::classifier::Probability;
use crate::scan::finding::ThreatLevel;
use crate::text::Encodings;

/// What is done about a finding, mildest first: of several, the strictest wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Nothing.
    #[default]
    Allow,
    /// It is recorded.
    Log,
    /// The match is replaced by its placeholder.
    Redact,
    /// The whole text is replaced by the policy's.
    Replace,
    /// The exchange waits until a person has decided.
    Hold,
    /// The exchange ends with a refusal.
    Block,
}

impl Action {
    /// All actions, mildest first.
    pub const ALL: [Self; 6] = [
        Self::Allow,
        Self::Log,
        Self::Redact,
        Self::Replace,
        Self::Hold,
        Self::Block,
    ];

    /// The name in YAML, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Log => "log",
            Self::Redact => "redact",
            Self::Replace => "replace",
            Self::Hold => "hold",
            Self::Block => "block",
        }
    }

    /// Whether it changes or stops what passes; only then is text worth holding back.
    pub const fn interferes(self) -> bool {
        match self {
            Self::Allow | Self::Log => false,
            Self::Redact | Self::Replace | Self::Hold | Self::Block => true,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The outcome for one side of an exchange. Names rules, never the text that they matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The strictest action taken.
    pub action: Action,
    /// The strictest action decided on; differs from `action` where the policy only observes.
    pub would: Action,
    /// What the scores of all scored rules came to.
    pub level: ThreatLevel,
    /// Every rule that matched, in the order of first matches.
    pub rules: Vec<Matched>,
    /// The first rule that decided on the strictest action, if that is more than logging.
    pub cause: Option<Cause>,
}

impl Verdict {
    /// Takes in the verdict on what came later on the same side.
    pub fn join(&mut self, later: &Self) {
        if later.would > self.would && later.cause.is_some() {
            self.cause.clone_from(&later.cause);
        }
        self.action = self.action.max(later.action);
        self.would = self.would.max(later.would);
        self.level = self.level.max(later.level);
        for rule in &later.rules {
            match self.rules.iter_mut().find(|known| known.id == rule.id) {
                Some(known) => {
                    known.count = known.count.saturating_add(rule.count);
                    known.probability = known.probability.max(rule.probability);
                    known.encodings = known.encodings.with(rule.encodings);
                }
                None => self.rules.push(rule.clone()),
            }
        }
    }
}

/// A rule and how often it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The rule's id.
    pub id: Cow<'static, str>,
    /// Number of matches, those made of several parts counted once.
    pub count: u32,
    /// The highest probability, where a judge found it.
    pub probability: Option<Probability>,
    /// What was undone to find it.
    pub encodings: Encodings,
}

/// Why a policy interfered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The rule's id.
    pub rule: Cow<'static, str>,
    /// What to tell the client, if the rule has a text of its own.
    pub message: Option<String>,
}
