//! The rules that count in a text, by what was undone to read it.

use super::compile::Compiled;
use crate::scan::{Rule, Scanner, html};

/// The rules that count in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// As it stands or folded: all.
    All,
    /// Decoded: injection, topics, secrets, personal data and canaries. What a browser, a shell or a file system would do only with
    /// the text itself means nothing there: HTML that is escaped is harmless. But a browser undoes references in an address, so those are read, in HTML that is escaped, too.
    Decoded,
    /// In a disguise that only a reader of words sees through: injection, topics and canaries.
    Wording,
    /// With its characters one by one: secrets and canaries. Rows of single digits would pass for numbers of persons.
    Secrets,
}

impl Compiled {
    /// Whether it counts in a text.
    pub(super) fn reads(&self, scope: Scope) -> bool {
        let decoded = [Scanner::Secrets, Scanner::Pii, Scanner::Canary];
        match scope {
            Scope::All => true,
            Scope::Decoded => {
                let is_address = self.rule.id == html::SCHEME;
                is_wording(&self.rule) || is_address || decoded.contains(&self.rule.scanner)
            }
            Scope::Wording => is_turned(&self.rule),
            Scope::Secrets => matches!(self.rule.scanner, Scanner::Secrets | Scanner::Canary),
        }
    }

    /// Whether its matches begin with what an issuer puts before its secrets, which is no beginning of a word.
    pub(super) fn is_issued(&self) -> bool {
        let least = if self.rule.check.is_some() { 3 } else { 4 };
        let mut literals = self.machine.literals.iter().map(|begin| &begin.literal);
        self.rule.scanner == Scanner::Secrets
            && matches!(self.rule.category, "service" | "cloud")
            && literals.len() > 0
            && literals.all(|literal| {
                literal.len() >= least && literal.iter().any(u8::is_ascii_alphabetic)
            })
    }
}

/// Whether a rule is also looked for from the end to the start, and with its letters moved by 13: words that people and models read, and those that
/// a model may be told to disguise.
pub(super) const fn is_turned(rule: &Rule) -> bool {
    is_wording(rule) || matches!(rule.scanner, Scanner::Canary)
}

/// Whether a rule is about words that people and models read, however they are written.
pub(super) const fn is_wording(rule: &Rule) -> bool {
    matches!(rule.scanner, Scanner::Injection | Scanner::Topic)
}
