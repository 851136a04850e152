//! Words that a policy has planted, or knows to stand in its prompts only: their return in an answer is a leak.

use std::borrow::Cow;

use super::{Rule, Scanner};

/// The rule that finds any of `words`, in either case and as written or folded.
pub fn canary_rule(words: &[String]) -> Rule {
    let words: Vec<String> = words
        .iter()
        .map(|word| regex_syntax::escape(word))
        .collect();
    Rule {
        id: Cow::Borrowed("canary.word"),
        scanner: Scanner::Canary,
        category: "leak",
        label: Cow::Borrowed("CANARY"),
        score: 0,
        pattern: Cow::Owned(format!("(?i)(?:{})", words.join("|"))),
        check: None,
        summary: Cow::Borrowed("a word that the policy planted"),
    }
}
