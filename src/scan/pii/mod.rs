//! Personal data that a rule can tell.

mod network;
mod person;
mod phone;
mod wallet;

use super::national::GAP;
use super::{Check, Rule, Scanner};

pub(super) fn rules() -> Vec<Rule> {
    let own = vec![
        rule(
            "email",
            "contact",
            r"(?-u)[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,30}\.){1,5}[A-Za-z]{2,24}\b",
            None,
            "an e-mail address",
        ),
        rule(
            "card",
            "payment",
            CARD,
            Some(Check::AnyEnd(passes_luhn)),
            "a payment card number",
        ),
    ];
    [
        own,
        phone::rules(),
        network::rules(),
        wallet::rules(),
        person::rules(),
    ]
    .concat()
}

/// A rule whose label is its name in capitals.
fn rule(
    name: &str,
    category: &'static str,
    pattern: &str,
    check: Option<Check>,
    summary: &'static str,
) -> Rule {
    Rule {
        id: format!("pii.{name}").into(),
        scanner: Scanner::Pii,
        category,
        label: name.to_ascii_uppercase().into(),
        score: 0,
        pattern: pattern.to_owned().into(),
        check,
        summary: summary.into(),
    }
}

/// Visa, Mastercard, Discover, JCB and China Union Pay in fours (16 or 19 digits), American Express, Diners Club, the old Visa of 13 digits and the old JCB of 15.
const CARD: &str = r"(?-u)\b(?:(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2})|35[2-8][0-9])[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?:[ -]?[0-9]{3})?|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}|3(?:0[0-5]|[689][0-9])[0-9][ -]?[0-9]{6}[ -]?[0-9]{4}|4[0-9]{12}|(?:1800|2131)[0-9]{11})\b";

/// The check digit of ISO/IEC 7812-1, annex B.
fn passes_luhn(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit);
    let sum: u32 = digits
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| {
            let product = u32::from(digit - b'0') * weight;
            product / 10 + product % 10
        })
        .sum();
    sum.is_multiple_of(10) && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhn_accepts_test_numbers_and_refuses_a_wrong_digit() {
        for number in [
            "4111 1111 1111 1111",
            "5555555555554444",
            "378282246310005",
            "30569309025904",
        ] {
            assert!(passes_luhn(number), "{number}");
        }
        assert!(!passes_luhn("4111 1111 1111 1112"));
        assert!(!passes_luhn("0000 0000 0000 0000"));
    }
}
