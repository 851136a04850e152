//! Secret rules.

use crate::scan::{Rule, Scanner};
use std::borrow::Cow;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            id: Cow::Borrowed("secrets.openai_key"),
            scanner: Scanner::Secrets,
            category: "provider",
            label: Cow::Borrowed("OPENAI_KEY"),
            score: 0,
            pattern: Cow::Borrowed(r"(?-u)\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}"),
            check: None,
            summary: Cow::Borrowed("an OpenAI API key"),
        },
        Rule {
            id: Cow::Borrowed("secrets.aws_access_key"),
            scanner: Scanner::Secrets,
            category: "cloud",
            label: Cow::Borrowed("AWS_ACCESS_KEY"),
            score: 0,
            pattern: Cow::Borrowed(r"(?-u)\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
            check: None,
            summary: Cow::Borrowed("an AWS access key id"),
        },
    ]
}
