//! The trigger engine: many patterns over one stream of text, a few nanoseconds a byte, with exact hold-back.

use crate::scan::{Rule, finding::RuleIndex};
use thiserror::Error;

/// Compiled rules, shared by all streams.
#[derive(Debug)]
pub struct Engine {
    rules: Vec<(Rule, bool)>,
    regexes: Vec<regex::Regex>,
}

/// A rule that cannot be scanned for in a stream.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("rule {rule}: {reason}\n  help: {help}")]
pub struct Unsupported {
    /// The id of the rule.
    pub rule: String,
    /// Why it cannot be.
    pub reason: String,
    /// What to write instead.
    pub help: String,
}

/// A text that makes more partial matches live at once, or a longer partial match, than a stream may keep. The scan goes on without the
/// match that did not fit, so its findings are no longer complete: treat it as an error of the scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("text keeps too many or too long partial matches alive to be scanned whole")]
pub struct Overflow;

impl Engine {
    /// Compiles rules; each comes with whether text must be held back while it may match (its action edits or stops).
    ///
    /// # Errors
    /// Every rule that is not valid or cannot be scanned for in a stream.
    pub fn compile(rules: Vec<(Rule, bool)>) -> Result<Self, Vec<Unsupported>> {
        let mut regexes = Vec::new();
        let mut problems = Vec::new();
        for (rule, _) in &rules {
            match regex::Regex::new(&rule.pattern) {
                Ok(regex) => regexes.push(regex),
                Err(error) => problems.push(Unsupported {
                    rule: rule.id.to_string(),
                    reason: error.to_string(),
                    help: "write it in the syntax of the regex crate".to_owned(),
                }),
            }
        }
        if problems.is_empty() {
            Ok(Self { rules, regexes })
        } else {
            Err(problems)
        }
    }

    /// The rule of a finding; `None` for an index of another engine.
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(usize::from(index.0)).map(|(rule, _)| rule)
    }

    /// The rules, in the order they were given: a rule's place is its [`RuleIndex`].
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    pub(super) fn scan_all(&self, text: &str) -> Vec<(RuleIndex, usize, usize)> {
        let mut all = Vec::new();
        for (index, regex) in self.regexes.iter().enumerate() {
            for found in regex.find_iter(text) {
                all.push((
                    RuleIndex(u16::try_from(index).unwrap_or(u16::MAX)),
                    found.start(),
                    found.end(),
                ));
            }
        }
        all
    }

    pub(super) fn holds(&self) -> bool {
        self.rules.iter().any(|(_, hold)| *hold)
    }
}
