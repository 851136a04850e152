//! Telephone numbers: with a country's code, in the written forms of some countries, or after a word that tells.
//!
//! Numbers are everywhere, so a form counts only if little else has it. Eight digits in two groups are not enough.

use super::{GAP, rule};
use crate::scan::{Check, Rule};

/// Words before a number.
const WORDS: &str = r"\b(?:tele?phone|telefono?|téléphone|tel\b|phone|mobile|cell(?:ular)?|fax|handy(?:nummer)?|rufnummer|móvil|celular|whats ?app|call (?:me|us|him|her)|answering (?:at|on)|messages? to|dial|(?:call|text|ring|reach)(?: me| us| him| her)? (?:at|on|under))";

pub(super) fn rules() -> Vec<Rule> {
    let number = r"\+?\(?[0-9](?:[ ()./-]{0,2}[0-9]){5,14}";
    vec![
        rule(
            "phone",
            "contact",
            // +49 30 1234567 · (541) 714-1388 · 541-714-1388 · 020 7946 0958 · 06 12 34 56 78 · 030/1234567
            r"(?-u)(?:\+[1-9](?:[ ()./-]{0,3}[0-9]){7,14}\b|\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-][0-9]{4}\b|\b(?:1[ .-])?[2-9][0-9]{2}(?:-[2-9][0-9]{2}-|\.[2-9][0-9]{2}\.)[0-9]{4}\b|\b0[1-9][0-9]{1,3}(?:[ -][0-9]{3,4}){2}\b|\b0[1-9][0-9]{1,2}(?:[ -][0-9]{2,3}){3}\b|\b0[1-9](?:[ .-][0-9]{2}){4}\b|\b0[1-9][0-9]{1,3}[ /-][0-9]{6,7}\b)",
            Some(Check::AnyEnd(written)),
            "a telephone number",
        ),
        rule(
            "phone_named",
            "contact",
            &format!(r"(?i){WORDS}{GAP}{number}\b"),
            Some(Check::AnyEnd(named)),
            "a telephone number after a word that says so",
        ),
    ]
}

fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).collect()
}

/// Numbers of the right length, which repeat no digit all along.
fn written(text: &str) -> bool {
    let digits = digits(text);
    let mixed = digits.iter().any(|digit| Some(digit) != digits.get(1));
    let length = match text.bytes().next() {
        Some(b'+') => 8..=15, // ITU-T E.164
        Some(b'0') => 9..=11,
        _ => 10..=11,
    };
    // Area and exchange codes of North America are never N11, area codes never N9x.
    let american = |digits: &[u8]| {
        !matches!(
            digits,
            [.., _, b'1', b'1', _, _, _, _]
                | [_, b'9', _, _, _, _, _, _, _, _]
                | [_, _, b'9', _, _, _, _, _, _, _, _]
        )
    };
    let national = matches!(text.bytes().next(), Some(b'+' | b'0'));
    mixed && length.contains(&digits.len()) && (national || american(&digits))
}

/// No date or time, and no year.
fn named(text: &str) -> bool {
    let start = text
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len());
    let number = text.get(start..).unwrap_or_default();
    let date = matches!(
        number.as_bytes(),
        [_, _, _, _, b'-' | b'/' | b'.', _, _, b'-' | b'/' | b'.', ..]
            | [_, _, b'/' | b'.', _, _, b'/' | b'.', ..]
    );
    let digits = digits(number);
    !date
        && (7..=15).contains(&digits.len())
        && digits.iter().any(|digit| Some(digit) != digits.first())
}
