//! Numbers by which states and banks know a person, each with the check digit its issuer publishes.
//!
//! A number without a shape of its own counts only after a word that tells what it is. The match then begins with that word.

mod americas;
mod asia;
mod digits;
mod europe;

use super::{Check, Rule, Scanner};

/// Name, words before the number (none: its shape tells), its shape, test, summary. All ignore case where words stand before.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    fn(&str) -> bool,
    &'static str,
);

const IBAN: Row = (
    "iban",
    "",
    r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    iban,
    "an international bank account number",
);

/// In either case, after the word.
const IBAN_NAMED: Row = (
    "iban_named",
    r"\biban",
    r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?",
    |text| {
        let upper = text.to_ascii_uppercase();
        (0..upper.len()).any(|at| upper.get(at..).is_some_and(iban))
    },
    "an international bank account number in either case",
);

/// What may stand between the word and the number.
pub(super) const GAP: &str =
    r#"[\s"':=#.(-]{0,6}(?:(?:number|nummer|numer|no|nr|num|id|is|code)[\s"':=#.(-]{0,4}){0,3}"#;

pub(super) fn rules() -> Vec<Rule> {
    let rule = |(name, words, shape, test, summary): &Row| Rule {
        id: format!("pii.{name}").into(),
        scanner: Scanner::Pii,
        category: "national",
        label: name.to_ascii_uppercase().into(),
        score: 0,
        pattern: if words.is_empty() {
            (*shape).into()
        } else {
            format!(r"(?i){words}{GAP}{shape}\b").into()
        },
        check: Some(Check::AnyEnd(*test)),
        summary: (*summary).into(),
    };
    let all = [
        europe::ROWS,
        americas::ROWS,
        asia::ROWS,
        &[IBAN, IBAN_NAMED],
    ];
    all.concat().iter().map(rule).collect()
}

/// ISO 13616: countries with their lengths; modulo 97 of the number with its first four characters at the end.
fn iban(text: &str) -> bool {
    const LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 TN24 TR26 UA29 VA22 VG24 XK20";
    let compact: String = text.chars().filter(|c| *c != ' ').collect();
    let known = |entry: &str| {
        entry.get(..2) == compact.get(..2)
            && entry.get(2..).and_then(|length| length.parse().ok()) == Some(compact.len())
    };
    let (head, rest) = compact.split_at_checked(4).unwrap_or_default();
    let remainder = rest
        .chars()
        .chain(head.chars())
        .try_fold(0, |sum, character| {
            let digit = character.to_digit(36)?;
            Some((sum * if digit > 9 { 100 } else { 10 } + digit) % 97)
        });
    LENGTHS.split(' ').any(known) && remainder == Some(1)
}
