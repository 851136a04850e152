//! What a scanner reports.

use crate::scan::classifier::Probability;
use crate::text::{Encoding, Span};
use std::fmt;

/// How threatening the findings of one side of an exchange are together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThreatLevel {
    /// Nothing found.
    #[default]
    None,
    /// Worth a line in the log.
    Low,
    /// Unusual for ordinary text.
    Medium,
    /// Very likely an attack.
    High,
    /// An attack beyond reasonable doubt.
    Critical,
}

impl ThreatLevel {
    /// All levels, mildest first.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The name in YAML, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// What an operator may do about it.
    pub const fn recommendation(self) -> &'static str {
        match self {
            Self::None => "nothing to do",
            Self::Low => "log it",
            Self::Medium => "redact what is found, and keep an eye on it",
            Self::High => "look at it yourself, use a strict policy, and read the audit log",
            Self::Critical => "block it, raise an alert, and consider blocking the address",
        }
    }

    /// The level of a summed score: 1 low, 4 medium, 7 high, 10 critical.
    pub const fn from_score(score: u32) -> Self {
        match score {
            0 => Self::None,
            1..=3 => Self::Low,
            4..=6 => Self::Medium,
            7..=9 => Self::High,
            _ => Self::Critical,
        }
    }
}

impl fmt::Display for ThreatLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Index of a rule in its engine's list of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u16);

impl Finding {
    /// What a rule finds that looks at more than a text.
    pub const fn of(rule: RuleIndex) -> Self {
        Self {
            rule,
            span: Span::new(0, 0),
            continues: false,
            encoding: Encoding::None,
            probability: None,
        }
    }
}

/// One match of one rule. Never holds the matched text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule, in the engine that found it.
    pub rule: RuleIndex,
    /// Bytes of the segment's text (as given to the scanner, before any view), counted from the segment's start.
    pub span: Span,
    /// The match goes on from the finding before it: longer than the reach, so reported in parts. One placeholder stands for all.
    pub continues: bool,
    /// What was undone to find it.
    pub encoding: Encoding,
    /// How sure a judge is; patterns either match or do not.
    pub probability: Option<Probability>,
}
