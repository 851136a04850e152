//! Numbers of Asia, Africa and Oceania.

use super::Row;
use super::digits::{last, letter, luhn, modulo_11, verhoeff, weighted};

pub(super) const ROWS: &[Row] = &[
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
        "za_id",
        r"\b(?:sa id|south african id|id number)",
        r"[0-9]{6} ?[0-9]{4} ?[0-9]{3}",
        |text| luhn(&last(text, 13)),
        "a South African identity number",
    ),
    (
        "cn_resident_id",
        "",
        r"\b[1-8][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]\b",
        |text| {
            let (digits, check) = text.split_at_checked(17).unwrap_or_default();
            let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
            let sum = u64::from(weighted(&last(digits, 17), &weights));
            let check = check.chars().next().unwrap_or_default();
            letter(sum % 11, b"10X98765432", check)
        },
        "a Chinese resident id",
    ),
    (
        "kr_rrn",
        "",
        r"\b[0-9]{2}[01][0-9][0-3][0-9]-[1-4][0-9]{6}\b",
        |text| {
            let all = last(text, 13);
            let sum = weighted(&all, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
            all.last() == Some(&((11 - sum % 11) % 10))
        },
        "a Korean resident registration number",
    ),
    (
        "jp_my_number",
        r"(?:\bmy ?number|マイナンバー|個人番号)",
        r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        |text| {
            let all = last(text, 12);
            let rest = weighted(&all, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
            all.last() == Some(&if rest < 2 { 0 } else { 11 - rest })
        },
        "a Japanese individual number",
    ),
    (
        "tw_id",
        r"(?:\btaiwan(?:ese)? id|身分證|身份證)",
        r"[A-Z][12][0-9]{8}",
        taiwanese,
        "a Taiwanese identity number",
    ),
    (
        "hk_id",
        "",
        r"\b[A-Z]{1,2}[0-9]{6}\([0-9A]\)",
        hong_kong,
        "a Hong Kong identity number",
    ),
    (
        "sg_nric",
        r"\b(?:nric|fin)",
        r"[STFG][0-9]{7}[A-Z]",
        singaporean,
        "a Singaporean NRIC or FIN",
    ),
    (
        "th_id",
        r"(?:\bthai (?:national )?id|บัตรประชาชน)",
        r"[1-8][ -]?[0-9]{4}[ -]?[0-9]{5}[ -]?[0-9]{2}[ -]?[0-9]",
        |text| {
            let all = last(text, 13);
            let sum = weighted(&all, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
            all.last() == Some(&((11 - sum % 11) % 10))
        },
        "a Thai identity number",
    ),
    (
        "in_pan",
        r"\b(?:pan card|pan|permanent account)",
        r"[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]",
        |_| true,
        "an Indian PAN",
    ),
    (
        "il_id",
        r"(?:\bteudat zehut|\bisraeli id|תעודת זהות)",
        r"[0-9]{8}-?[0-9]",
        |text| luhn(&last(text, 9)),
        "an Israeli identity number",
    ),
    (
        "kz_iin",
        r"(?:\biin|иин)",
        r"[0-9]{12}",
        |text| {
            let all = last(text, 12);
            let first = weighted(&all, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
            let check = match first {
                10 => weighted(&all, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11,
                first => first,
            };
            all.last() == Some(&check)
        },
        "a Kazakh individual number",
    ),
];

/// Letters count by a table as two digits, the first of which has weight one.
fn taiwanese(text: &str) -> bool {
    const ORDER: &str = "ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let upper = text.to_ascii_uppercase();
    let code = upper
        .get(upper.len().saturating_sub(10)..)
        .unwrap_or_default();
    let first = code.chars().next().and_then(|first| ORDER.find(first));
    let Some(first) = first.and_then(|place| u32::try_from(place + 10).ok()) else {
        return false;
    };
    let all = last(code, 9);
    let sum = first / 10 + first % 10 * 9 + weighted(&all, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    !all.is_empty() && sum.is_multiple_of(10)
}

/// Letters count from 10 on, a missing first one 36; the sum with the check digit is divisible by 11.
fn hong_kong(text: &str) -> bool {
    let values: Vec<u32> = text
        .chars()
        .filter_map(|character| character.to_digit(36))
        .collect();
    let values = if values.len() == 8 {
        [vec![36], values].concat()
    } else {
        values
    };
    values.len() == 9 && weighted(&values, &[9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn singaporean(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let code = upper
        .get(upper.len().saturating_sub(9)..)
        .unwrap_or_default();
    let mut ends = code.chars();
    let (first, check) = (
        ends.next().unwrap_or_default(),
        ends.next_back().unwrap_or_default(),
    );
    let sum = weighted(&last(code, 7), &[2, 7, 6, 5, 4, 3, 2]);
    let later = if matches!(first, 'T' | 'G') { 4 } else { 0 };
    let letters: &[u8] = match first {
        'S' | 'T' => b"JZIHGFEDCBA",
        _ => b"XWUTRQPNMLK",
    };
    sum > 0 && letter(u64::from(sum + later), letters, check)
}
