//! Numbers of the Americas.

use super::Row;
use super::digits::{last, letter, luhn, value, weighted};

pub(super) const ROWS: &[Row] = &[
    (
        "us_ssn",
        "",
        r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
        us_ssn,
        "a US social security or taxpayer number",
    ),
    (
        "us_npi",
        r"\bnpi",
        r"[12][0-9]{9}",
        |text| luhn(&[vec![8, 0, 8, 4, 0], last(text, 10)].concat()),
        "a US provider number",
    ),
    (
        "ca_sin",
        r"\b(?:sin|social insurance)",
        r"[1-9][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        |text| luhn(&last(text, 9)),
        "a Canadian insurance number",
    ),
    (
        "br_cpf",
        r"\bcpf",
        r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}",
        brazilian,
        "a Brazilian CPF number",
    ),
    (
        "br_cpf_written",
        "",
        r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b",
        brazilian,
        "a Brazilian CPF number as it is written",
    ),
    (
        "br_cnpj",
        "",
        r"\b[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}\b",
        |text| {
            let all = last(text, 14);
            let check = |weights: &[u32], place| {
                let rest = weighted(&all, weights) % 11;
                all.get(place) == Some(&if rest < 2 { 0 } else { 11 - rest })
            };
            check(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 12)
                && check(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 13)
        },
        "a Brazilian company's CNPJ number",
    ),
    (
        "ar_cuit",
        "",
        r"\b(?:2[03-7]|3[034])-[0-9]{8}-[0-9]\b",
        |text| {
            let all = last(text, 11);
            let check = 11 - weighted(&all, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
            all.last()
                == Some(&match check {
                    11 => 0,
                    10 => 9,
                    check => check,
                })
        },
        "an Argentine CUIT or CUIL number",
    ),
    (
        "cl_rut",
        "",
        r"\b[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]\b",
        chilean,
        "a Chilean RUT number",
    ),
    (
        "mx_curp",
        r"\bcurp",
        r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]",
        mexican,
        "a Mexican CURP code",
    ),
];

fn us_ssn(text: &str) -> bool {
    let digits = last(text, 9);
    let part = |from: usize, to: usize| value(digits.get(from..to).unwrap_or_default());
    let (area, group, serial) = (part(0, 3), part(3, 5), part(5, 9));
    let taxpayer = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    area != 0 && area != 666 && group != 0 && serial != 0 && (area < 900 || taxpayer)
}

fn brazilian(text: &str) -> bool {
    let digits = last(text, 11);
    let check = |weights: &[u32], place: usize| {
        digits
            .get(place)
            .is_some_and(|digit| weighted(&digits, weights) * 10 % 11 % 10 == *digit)
    };
    check(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 9) && check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 10)
}

fn chilean(text: &str) -> bool {
    let (digits, check) = text.rsplit_once('-').unwrap_or_default();
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(10)).collect();
    let weights = (2..=7).cycle();
    let sum: u32 = digits
        .iter()
        .rev()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum();
    let check = check.chars().next().unwrap_or_default();
    letter(u64::from(11 - sum % 11), b"-123456789K0", check) && sum > 0
}

/// Registro Nacional de Población: 37 characters in their order, Ñ among them.
fn mexican(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let code = upper
        .get(upper.len().saturating_sub(18)..)
        .unwrap_or_default();
    let (code, check) = code.split_at_checked(17).unwrap_or_default();
    let order = |c: char| {
        c.to_digit(36)
            .map_or(0, |order| order + u32::from(order > 23))
    };
    let sum: u32 = code
        .chars()
        .zip((2..=18).rev())
        .map(|(c, weight)| order(c) * weight)
        .sum();
    check.parse() == Ok((10 - sum % 10) % 10)
}
