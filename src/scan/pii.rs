//! Personal data that a rule can tell.

use crate::scan::{Check, Rule, Scanner};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            id: "pii.email".into(),
            scanner: Scanner::Pii,
            category: "contact",
            label: "EMAIL".into(),
            score: 0,
            pattern: r"(?-u)[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,30}\.){1,5}[A-Za-z]{2,24}\b".into(),
            check: None,
            summary: "an e-mail address".into(),
        },
        Rule {
            id: "pii.card".into(),
            scanner: Scanner::Pii,
            category: "payment",
            label: "CARD".into(),
            score: 0,
            pattern: CARD.into(),
            check: Some(Check::AnyEnd(passes_luhn)),
            summary: "a payment card number".into(),
        },
    ]
}

/// Visa, Mastercard, Discover, JCB and China Union Pay in fours (16 or 19 digits), American Express, Diners Club, and the old Visa of 13 digits.
const CARD: &str = r"(?-u)\b(?:(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2})|35[2-8][0-9])[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?:[ -]?[0-9]{3})?|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}|3(?:0[0-5]|[689][0-9])[0-9][ -]?[0-9]{6}[ -]?[0-9]{4}|4[0-9]{12})\b";

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
