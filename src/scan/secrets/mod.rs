//! Credentials in the shapes that their issuers give them.
//!
//! Where an issuer's prefix and length are exact, the shape alone decides. Tails without an upper limit take the whole token, so
//! that no end of it stays behind. Shapes that ordinary text has too carry a check.

mod cloud;
mod generic;
mod labelled;
mod more;
mod services;

use crate::scan::{Check, Rule, Scanner};

/// A rule as these files write it: name, pattern, summary. The label is the name in capitals.
type Row = (&'static str, &'static str, &'static str);

type Test = fn(&str) -> bool;

/// Rules whose shape alone is too loose.
const CHECKS: &[(&str, Test)] = &[
    ("openai_key", is_openai_key),
    ("discord_bot_token", is_mixed),
    ("huggingface_token", is_random),
    ("basic_auth_url", has_real_password),
    ("database_url", has_real_password),
    ("assigned_secret", is_assigned_secret),
    ("bearer_token", is_random),
    ("notion_token", is_mixed),
];

pub(super) fn rules() -> Vec<Rule> {
    let lists = [
        ("service", services::ROWS),
        ("cloud", cloud::ROWS),
        ("generic", generic::ROWS),
        ("service", more::ROWS),
    ];
    let shapes = lists
        .into_iter()
        .flat_map(|(category, rows)| rows.iter().map(move |row| rule(category, row)));
    shapes.chain(labelled::ROWS.iter().map(labelled)).collect()
}

/// What may stand between a name and the value it is given.
const ASSIGNED: &str = r#"[A-Za-z0-9_.\s'"-]{0,20}[=:>,|][`'"\s=>|:]{0,5}"#;

fn labelled((name, word, value, summary): &(&'static str, &str, &str, &'static str)) -> Rule {
    Rule {
        id: format!("secrets.{name}").into(),
        scanner: Scanner::Secrets,
        category: "labelled",
        label: name.to_ascii_uppercase().into(),
        score: 0,
        // Without the boundary, the end of every word that ends as a name begins would be held back.
        pattern: format!(r"(?i-u)(?:\b|_)(?:{word}){ASSIGNED}{value}\b").into(),
        check: Some(Check::AnyEnd(ends_in_secret)),
        summary: (*summary).into(),
    }
}

/// Whether the last word, the value, has digits and is no word or number of ordinary text.
fn ends_in_secret(text: &str) -> bool {
    let value = text
        .rsplit([' ', '\t', '\n', '"', '\'', '`', '=', '>', ',', '|'])
        .find(|part| part.len() >= 8)
        .unwrap_or_default();
    value.bytes().any(|byte| byte.is_ascii_digit()) && entropy(value) > 2.5
}

fn rule(category: &'static str, (name, pattern, summary): &Row) -> Rule {
    let check = CHECKS.iter().find(|(checked, _)| checked == name);
    Rule {
        id: format!("secrets.{name}").into(),
        scanner: Scanner::Secrets,
        category,
        label: name.to_ascii_uppercase().into(),
        score: 0,
        pattern: format!("(?-u){pattern}").into(),
        check: check.map(|(_, check)| Check::AnyEnd(*check)),
        summary: (*summary).into(),
    }
}

/// Other issuers use `sk-` too, and so do names in code: `sk-fading-circle`.
fn is_openai_key(text: &str) -> bool {
    let rest = text.strip_prefix("sk-").unwrap_or(text);
    let named = ["proj-", "svcacct-", "admin-"];
    if ["ant-", "or-"].iter().any(|other| rest.starts_with(other)) {
        return false;
    }
    named.iter().any(|prefix| rest.starts_with(prefix))
        || !rest.contains(['-', '_'])
        || rest.bytes().any(|byte| byte.is_ascii_digit()) && entropy(rest) > 3.0
}

/// Letters of both cases and digits.
fn is_mixed(text: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| text.bytes().any(|byte| kind(&byte));
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// Not a few characters repeated, nor words.
fn is_random(text: &str) -> bool {
    let token = text.rsplit([' ', '_']).next().unwrap_or(text);
    entropy(token) > 3.0
}

/// Not a placeholder: `user:<password>@`, `${USER}:${PASS}@`, `user:***@`.
fn has_real_password(text: &str) -> bool {
    let login = text
        .split_once("://")
        .map_or(text, |(_, rest)| rest)
        .rsplit_once('@');
    let password = login
        .and_then(|(login, _)| login.split_once(':'))
        .map_or("", |(_, password)| password);
    let placeholder = password.contains(['<', '>', '{', '}', '$', '*', '[', ']', '%'])
        && !password.bytes().any(|byte| byte.is_ascii_digit());
    !placeholder
        && !password
            .bytes()
            .all(|byte| matches!(byte, b'x' | b'X' | b'.'))
}

/// The value of an assignment, if it is long, mixed and not a word or a call.
fn is_assigned_secret(text: &str) -> bool {
    let value = text
        .rsplit([':', '=', ' ', '"', '\'', '>'])
        .find(|part| part.len() >= 12)
        .unwrap_or_default();
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && entropy(value) > 3.2
}

/// Bits per character (Shannon, 1948) of the text's own distribution of bytes.
fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX).max(1));
    let bits = counts.iter().filter(|count| **count > 0).map(|count| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    });
    bits.sum()
}
