//! What tells a person apart only beside a word that says what it is; and postal addresses of three countries.

use super::{GAP, rule};
use crate::scan::{Check, Rule};

const BIRTH: &str = r"(?:\b(?:date of birth|birth ?date|birthday|d\.?o\.?b|born(?: on)?|geburtsdatum|geb(?:oren(?: am)?)?|n[ée]e? le|date de naissance|fecha de nacimiento|nacid[oa] el|data di nascita|nat[oa] il|data de nascimento|geboortedatum)\b)";
const MONTH: &str =
    r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zäéû]{0,7}\.?";

/// Words of streets in the United States and the United Kingdom.
const STREET: &str = r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|Parkway|Pkwy|Circle|Cir|Highway|Hwy|Close|Crescent|Gardens|Grove|Mews|Row|Trail)\.?";

pub(super) fn rules() -> Vec<Rule> {
    let day = r"[0-3]?[0-9](?:st|nd|rd|th|\.)?";
    let date = format!(
        r"(?:[0-9]{{1,4}}[./-][0-9]{{1,2}}[./-][0-9]{{1,4}}|{day} (?:of )?{MONTH},? [0-9]{{4}}|{MONTH} {day},? [0-9]{{4}})"
    );
    let street =
        format!(r"(?-u)\b[1-9][0-9]{{0,4}} (?:[A-Z0-9][A-Za-z0-9.'-]{{0,14}} ){{1,3}}{STREET},?\s");
    // Quarter of a town, flat, town, county.
    let words = r"(?:[A-Z0-9#][A-Za-z0-9.'#-]{0,14},?\s{1,2}){1,5}";
    vec![
        rule(
            "passport",
            "document",
            &format!(
                r"(?i)\b(?:passport|reisepass|passeport|pasaporte|passaporto|paspoort){GAP}[A-Z0-9]{{7,9}}\b"
            ),
            Some(Check::AnyEnd(|text| ends_in_digits(text, 9, 4))),
            "a passport number",
        ),
        rule(
            "driving_licence",
            "document",
            &format!(
                r"(?i)\b(?:driv(?:er|ing)['’]?s? licen[cs]e|führerschein|permis de conduire){GAP}(?-u:[A-Za-z0-9][A-Za-z0-9-]{{6,}})\b"
            ),
            Some(Check::AnyEnd(|text| ends_in_digits(text, 18, 4))),
            "a driving licence number",
        ),
        rule(
            "birth_date",
            "person",
            &format!(r#"(?i){BIRTH}[\s"':=(.]{{0,6}}(?:is |was )?{date}\b"#),
            Some(Check::AnyEnd(recent)),
            "a date of birth",
        ),
        rule(
            "address_us",
            "contact",
            &format!(r"{street}{words}[A-Z]{{2}},? [0-9]{{5}}(?:-[0-9]{{4}})?\b"),
            None,
            "a postal address of the United States",
        ),
        rule(
            "address_uk",
            "contact",
            &format!(r"{street}{words}[A-Z]{{1,2}}[0-9][0-9A-Z]? [0-9][A-Z]{{2}}\b"),
            None,
            "a postal address of the United Kingdom",
        ),
        rule(
            "address_de",
            "contact",
            r"(?i)(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer) [1-9][0-9]{0,3} ?[a-h]?,?\s{1,2}(?:D-)?[0-9]{5} [a-zäöü][a-zäöüß-]+",
            None,
            "a postal address of Germany",
        ),
    ]
}

/// The last word is no longer than `most` and has at least so many digits.
fn ends_in_digits(text: &str, most: usize, digits: usize) -> bool {
    let word = text
        .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .next()
        .unwrap_or_default();
    word.len() <= most && word.bytes().filter(u8::is_ascii_digit).count() >= digits
}

/// Of someone who may live: from 1900 on.
fn recent(text: &str) -> bool {
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers: Vec<&str> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(digits)
        .collect();
    let year = numbers
        .iter()
        .find(|number| number.len() == 4)
        .or_else(|| numbers.last());
    let year = year.and_then(|year| year.parse::<u32>().ok().map(|value| (year.len(), value)));
    matches!(year, Some((4, 1900..2100) | (2, _)))
}
