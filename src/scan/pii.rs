//! Personal data rules.

use crate::scan::{Rule, Scanner};
use std::borrow::Cow;

pub(super) fn rules() -> Vec<Rule> {
    vec![Rule {
        id: Cow::Borrowed("pii.email"),
        scanner: Scanner::Pii,
        category: "contact",
        label: Cow::Borrowed("EMAIL"),
        score: 0,
        pattern: Cow::Borrowed(
            r"(?-u)[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+",
        ),
        check: None,
        summary: Cow::Borrowed("an e-mail address"),
    }]
}
