//! How much text may pass: the limits of `size:`.

use super::compile::{next_index, treatment};
use super::file::SideFile;
use super::{Action, Treatment};
use crate::document::{Fields, integer};
use crate::scan::finding::RuleIndex;
use crate::scan::{Rule, Scanner};

/// One limit of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub measure: Measure,
    /// The most that passes.
    pub max: u64,
    /// What is found where there is more.
    pub rule: RuleIndex,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Characters of one text.
    SegmentChars,
    /// Tokens of one text.
    SegmentTokens,
    /// Characters of all texts of the side.
    TotalChars,
    /// Tokens of all texts of the side.
    TotalTokens,
}

impl Measure {
    /// All of them, with their keys.
    const ALL: [(Self, &'static str); 4] = [
        (Self::SegmentChars, "segment_chars"),
        (Self::SegmentTokens, "segment_tokens"),
        (Self::TotalChars, "total_chars"),
        (Self::TotalTokens, "total_tokens"),
    ];

    /// Whether tokens have to be counted.
    pub const fn is_tokens(self) -> bool {
        matches!(self, Self::SegmentTokens | Self::TotalTokens)
    }

    /// Whether it counts all texts of a side together.
    pub const fn is_total(self) -> bool {
        matches!(self, Self::TotalChars | Self::TotalTokens)
    }

    /// What is found where there is more. Nothing looks for it in text.
    pub(super) fn rule(self) -> Rule {
        let id = match self {
            Self::SegmentChars => "size.segment_chars",
            Self::SegmentTokens => "size.segment_tokens",
            Self::TotalChars => "size.total_chars",
            Self::TotalTokens => "size.total_tokens",
        };
        Rule {
            id: id.into(),
            scanner: Scanner::Size,
            category: "size",
            label: "SIZE".into(),
            score: 0,
            pattern: "".into(),
            check: None,
            summary: "more text than the policy lets pass".into(),
        }
    }
}

/// The limits of a section, of which there is at least one.
pub(super) fn read_limits(fields: &mut Fields<'_, '_>) -> Vec<(Measure, u64)> {
    let mut limits = Vec::new();
    for (measure, key) in Measure::ALL {
        let max = fields.optional(key, integer(1..=i64::MAX as u64));
        limits.extend(max.map(|max| (measure, max)));
    }
    limits
}

/// The limits that act, their treatments after those of the engine's rules.
pub(super) fn limits(side: &SideFile, treatments: &mut Vec<Treatment>) -> Vec<Limit> {
    let section = side.section(Scanner::Size);
    let written = section.map(|section| section.limits.as_slice());
    let mut limits = Vec::new();
    for (measure, max) in written.unwrap_or_default() {
        let treatment = treatment(side, &measure.rule());
        let Some(treatment) = treatment.filter(|treatment| treatment.action > Action::Allow) else {
            continue;
        };
        limits.push(Limit {
            measure: *measure,
            max: *max,
            rule: next_index(treatments),
        });
        treatments.push(treatment);
    }
    limits
}
