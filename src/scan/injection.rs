//! Injection rules.

use crate::scan::{Rule, Scanner};
use std::borrow::Cow;

pub(super) fn rules() -> Vec<Rule> {
    vec![Rule {
        id: Cow::Borrowed("injection.instruction_override.ignore_previous"),
        scanner: Scanner::Injection,
        category: "instruction_override",
        label: Cow::Borrowed("INJECTION"),
        score: 7,
        pattern: Cow::Borrowed(
            r"(?i-u)\b(?:ignore|disregard|forget)\s+(?:all\s+)?(?:previous|prior|above|earlier)\s+instructions",
        ),
        check: None,
        summary: Cow::Borrowed("tells the model to drop what it was told before"),
    }]
}
