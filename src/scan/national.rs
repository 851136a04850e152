//! Numbers by which states and banks know a person, each with the check digit its issuer publishes.
//!
//! A number without a shape of its own counts only after a word that tells what it is. The match then begins with that word.

use super::{Check, Rule, Scanner};

/// Name, words before the number (none: its shape tells), its shape, test, summary. All ignore case where words stand before.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    fn(&str) -> bool,
    &'static str,
);

const ROWS: &[Row] = &[
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
        "uk_nhs",
        r"\bnhs",
        r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}",
        |text| modulo_11(&last(text, 10), &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        "a UK NHS number",
    ),
    (
        "ca_sin",
        r"\b(?:sin|social insurance)",
        r"[1-9][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        |text| luhn(&last(text, 9)),
        "a Canadian insurance number",
    ),
    (
        "de_tax_id",
        r"\b(?:steuer-?id|steueridentifikations|idnr|tax id)",
        r"[1-9][0-9](?: ?[0-9]{3}){3}",
        |text| iso_7064_mod_11_10(&last(text, 11)),
        "a German tax id",
    ),
    (
        "fr_nir",
        r"\b(?:nir|insee|securite sociale|sécurité sociale)",
        r"[12](?: ?[0-9]{2}){3}(?: ?[0-9]{3}){2} ?[0-9]{2}",
        |text| {
            let all = last(text, 15);
            (value(all.get(..13).unwrap_or_default()) + value(all.get(13..).unwrap_or_default()))
                .is_multiple_of(97)
                && all.len() == 15
        },
        "a French social security number",
    ),
    (
        "nl_bsn",
        r"\b(?:bsn|burgerservicenummer|sofi)",
        r"[0-9]{9}",
        |text| modulo_11(&last(text, 9), &[9, 8, 7, 6, 5, 4, 3, 2, 10]),
        "a Dutch citizen number",
    ),
    (
        "be_national",
        r"\b(?:rijksregister|insz|niss|registre national)",
        r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}",
        belgian,
        "a Belgian national number",
    ),
    (
        "pl_pesel",
        r"\bpesel",
        r"[0-9]{11}",
        |text| {
            let all = last(text, 11);
            !all.is_empty() && weighted(&all, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
        },
        "a Polish PESEL number",
    ),
    (
        "se_personnummer",
        r"\b(?:personnummer|personnr)",
        r"(?:[12][0-9])?[0-9]{6}[-+ ]?[0-9]{4}",
        |text| luhn(&last(text, 10)),
        "a Swedish personal number",
    ),
    (
        "no_fodselsnummer",
        r"\bf(?:ø|o|oe)dselsn(?:umme)?r",
        r"[0-9]{6} ?[0-9]{5}",
        |text| {
            let all = last(text, 11);
            modulo_11(&all, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0])
                && modulo_11(&all, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1])
        },
        "a Norwegian birth number",
    ),
    (
        "pt_nif",
        r"\b(?:nif|contribuinte)",
        r"[1-9][0-9]{8}",
        |text| modulo_11(&last(text, 9), &[9, 8, 7, 6, 5, 4, 3, 2, 1]),
        "a Portuguese tax number",
    ),
    (
        "es_dni",
        r"\b(?:dni|nie|nif)",
        r"[XYZxyz]?[0-9]{7,8}-?[A-Za-z]",
        spanish,
        "a Spanish DNI or NIE",
    ),
    (
        "fi_hetu",
        r"\b(?:henkil(?:ö|o)tunnus|hetu)",
        r"[0-9]{6}[-+A-Fa-f][0-9]{3}[0-9A-Ya-y]",
        finnish,
        "a Finnish personal code",
    ),
    (
        "br_cpf",
        r"\bcpf",
        r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}",
        brazilian,
        "a Brazilian CPF number",
    ),
    (
        "in_aadhaar",
        r"\baadh?aar",
        r"[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        |text| verhoeff(&last(text, 12)),
        "an Indian Aadhaar number",
    ),
    (
        "au_tfn",
        r"\b(?:tfn|tax file)",
        r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        |text| modulo_11(&last(text, 9), &[1, 4, 3, 7, 5, 8, 6, 9, 10]),
        "an Australian tax file number",
    ),
    (
        "tr_tckn",
        r"\b(?:tckn|tc kimlik|kimlik)",
        r"[1-9][0-9]{10}",
        |text| {
            let all = last(text, 11);
            all.get(..10).is_some_and(|first| {
                first.iter().sum::<u32>() % 10 == all.last().copied().unwrap_or(10)
            })
        },
        "a Turkish identity number",
    ),
    (
        "za_id",
        r"\b(?:sa id|south african id|id number)",
        r"[0-9]{6} ?[0-9]{4} ?[0-9]{3}",
        |text| luhn(&last(text, 13)),
        "a South African identity number",
    ),
    (
        "iban",
        "",
        r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        iban,
        "an international bank account number",
    ),
];

/// What may stand between the word and the number.
const GAP: &str =
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
    ROWS.iter().map(rule).collect()
}

/// The last `count` digits; none if there are fewer, or if all are the same.
fn last(text: &str, count: usize) -> Vec<u32> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|character| character.to_digit(10))
        .collect();
    let start = digits.len().checked_sub(count);
    let digits = start
        .and_then(|start| digits.get(start..))
        .unwrap_or_default();
    let mixed = digits.iter().any(|digit| Some(digit) != digits.first());
    if mixed { digits.to_vec() } else { Vec::new() }
}

fn value(digits: &[u32]) -> u64 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + u64::from(*digit))
}

fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum()
}

fn modulo_11(digits: &[u32], weights: &[u32]) -> bool {
    digits.len() == weights.len() && weighted(digits, weights).is_multiple_of(11)
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u32]) -> bool {
    let doubled = digits
        .iter()
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| {
            let product = digit * weight;
            product / 10 + product % 10
        });
    digits.len() > 5 && doubled.sum::<u32>().is_multiple_of(10)
}

/// ISO 7064, hybrid system.
fn iso_7064_mod_11_10(digits: &[u32]) -> bool {
    let Some((check, digits)) = digits.split_last() else {
        return false;
    };
    let product = digits.iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

/// Verhoeff (1969): the dihedral group of order 10.
fn verhoeff(digits: &[u32]) -> bool {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = |digit: u32, times: usize| {
        (0..times % 8).fold(digit, |digit, _| {
            usize::try_from(digit)
                .ok()
                .and_then(|place| PERMUTATION.get(place))
                .copied()
                .unwrap_or(digit)
        })
    };
    let places = digits.iter().rev().enumerate();
    !digits.is_empty()
        && places.fold(0, |sum, (place, digit)| {
            product(sum, permuted(*digit, place))
        }) == 0
}

fn us_ssn(text: &str) -> bool {
    let digits = last(text, 9);
    let part = |from: usize, to: usize| value(digits.get(from..to).unwrap_or_default());
    let (area, group, serial) = (part(0, 3), part(3, 5), part(5, 9));
    let taxpayer = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    area != 0 && area != 666 && group != 0 && serial != 0 && (area < 900 || taxpayer)
}

/// The digits before the last two, or those with a 2 before them for who was born from 2000 on, leave 97 minus the last two.
fn belgian(text: &str) -> bool {
    let digits = last(text, 11);
    let (Some(first), Some(check)) = (digits.get(..9), digits.get(9..)) else {
        return false;
    };
    let (first, check) = (value(first), value(check));
    [first, first + 2_000_000_000]
        .iter()
        .any(|number| 97 - number % 97 == check)
}

fn letter(number: u64, letters: &[u8], found: char) -> bool {
    let place = usize::try_from(number).unwrap_or(usize::MAX) % letters.len().max(1);
    letters
        .get(place)
        .is_some_and(|letter| char::from(*letter) == found.to_ascii_uppercase())
}

fn spanish(text: &str) -> bool {
    let number: String = text.chars().rev().filter(|c| *c != '-').take(9).collect();
    let mut characters = number.chars();
    let Some(check) = characters.next() else {
        return false;
    };
    let digits: String = characters
        .rev()
        .filter(|c| !matches!(c, 'X' | 'x' | ' ' | ':'))
        .collect();
    let digits = digits
        .to_ascii_uppercase()
        .replace('Y', "1")
        .replace('Z', "2");
    digits
        .parse()
        .is_ok_and(|number| letter(number, b"TRWAGMYFPDXBNJZSQVHLCKE", check))
}

fn finnish(text: &str) -> bool {
    let check = text.chars().next_back().unwrap_or_default();
    let digits = last(
        text.get(..text.len().saturating_sub(check.len_utf8()))
            .unwrap_or_default(),
        9,
    );
    !digits.is_empty() && letter(value(&digits), b"0123456789ABCDEFHJKLMNPRSTUVWXY", check)
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
