//! Numbers of Europe, Turkey and Russia.

use super::Row;
use super::digits::{iso_7064_mod_11_10, last, letter, luhn, modulo_11, value, weighted};

pub(super) const ROWS: &[Row] = &[
    (
        "uk_nhs",
        r"\bnhs",
        r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}",
        |text| modulo_11(&last(text, 10), &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        "a UK NHS number",
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
        "uk_nino",
        r"\b(?:national insurance|nino|ni n(?:umber|o))",
        r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?[0-9]{2}){3} ?[A-D]",
        |text| {
            !matches!(
                last_letters(text),
                "BG" | "GB" | "NK" | "KN" | "TN" | "NT" | "ZZ"
            )
        },
        "a UK national insurance number",
    ),
    (
        "ie_pps",
        r"\bpps",
        r"[0-9]{7}[A-W][A-IW]?",
        irish,
        "an Irish PPS number",
    ),
    (
        "it_codice_fiscale",
        "",
        r"\b[A-Z]{6}[0-9L-NP-V]{2}[A-EHLMPR-T][0-9L-NP-V]{2}[A-Z][0-9L-NP-V]{3}[A-Z]\b",
        italian,
        "an Italian tax code",
    ),
    (
        "at_svnr",
        r"\b(?:svnr|sv-?nummer|sozialversicherungsn(?:umme)?r)",
        r"[1-9][0-9]{3} ?[0-9]{6}",
        |text| {
            let all = last(text, 10);
            all.get(3)
                .is_some_and(|check| weighted(&all, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == *check)
        },
        "an Austrian social security number",
    ),
    (
        "ch_ahv",
        "",
        r"\b756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}\b",
        |text| {
            let all = last(text, 13);
            !all.is_empty()
                && weighted(&all, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
        },
        "a Swiss AHV number",
    ),
    (
        "dk_cpr",
        r"\bcpr",
        r"[0-3][0-9][01][0-9]{3}-?[0-9]{4}",
        |text| {
            // The check digit has not held for all since 2007.
            let all = last(text, 10);
            let part = |from, to| value(all.get(from..to).unwrap_or_default());
            (1..=31).contains(&part(0, 2)) && (1..=12).contains(&part(2, 4))
        },
        "a Danish CPR number",
    ),
    (
        "cz_rodne_cislo",
        "",
        r"\b[0-9]{2}[0-8][0-9][0-3][0-9]/[0-9]{4}\b",
        |text| {
            let all = last(text, 10);
            let part = |from, to| value(all.get(from..to).unwrap_or_default());
            let month = part(2, 4);
            let month = month % 50 - if month % 50 > 20 { 20 } else { 0 };
            (1..=12).contains(&month)
                && (1..=31).contains(&part(4, 6))
                && part(0, 10).is_multiple_of(11)
        },
        "a Czech or Slovak birth number",
    ),
    (
        "ro_cnp",
        r"\b(?:cnp|cod numeric personal)",
        r"[1-9][0-9]{12}",
        |text| {
            let all = last(text, 13);
            let sum = weighted(&all, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
            all.last() == Some(&if sum == 10 { 1 } else { sum })
        },
        "a Romanian CNP number",
    ),
    (
        "bg_egn",
        r"(?:\begn|егн)",
        r"[0-9]{10}",
        |text| {
            let all = last(text, 10);
            all.last() == Some(&(weighted(&all, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10))
        },
        "a Bulgarian EGN number",
    ),
    (
        "hu_taj",
        r"\btaj",
        r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        |text| {
            let all = last(text, 9);
            all.last() == Some(&(weighted(&all, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10))
        },
        "a Hungarian TAJ number",
    ),
    (
        "gr_amka",
        r"(?:\bamka|αμκα)",
        r"[0-3][0-9][01][0-9]{8}",
        |text| luhn(&last(text, 11)),
        "a Greek AMKA number",
    ),
    (
        "ee_isikukood",
        r"\b(?:isikukood|asmens kod)[a-z]{0,3}",
        r"[1-6][0-9]{10}",
        baltic,
        "an Estonian or Lithuanian personal code",
    ),
    (
        "lv_personas_kods",
        r"\bpersonas kod[a-z]{0,3}",
        r"[0-3][0-9][01][0-9]{3}-?[0-9]{5}",
        |text| {
            let all = last(text, 11);
            let sum = weighted(&all, &[1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
            all.last() == Some(&((1101 - sum) % 11))
        },
        "a Latvian personal code",
    ),
    (
        "hr_oib",
        r"\boib",
        r"[0-9]{11}",
        |text| iso_7064_mod_11_10(&last(text, 11)),
        "a Croatian OIB number",
    ),
    (
        "si_emso",
        r"\b(?:emšo|emso|jmbg)",
        r"[0-3][0-9][01][0-9]{10}",
        |text| {
            let all = last(text, 13);
            let sum = weighted(&all, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
            all.last() == Some(&((11 - sum) % 11))
        },
        "a personal number of Slovenia or its neighbours",
    ),
    (
        "ua_rnokpp",
        r"(?:\brnokpp|рнокпп|іпн)",
        r"[0-9]{10}",
        |text| {
            let all = last(text, 10);
            // The first weight is minus one, which is ten modulo eleven.
            all.last() == Some(&(weighted(&all, &[10, 5, 7, 9, 4, 6, 10, 5, 7]) % 11 % 10))
        },
        "a Ukrainian tax number",
    ),
    (
        "ru_snils",
        r"(?:\bsnils|снилс)",
        r"[0-9]{3}-?[0-9]{3}-?[0-9]{3}[ -]?[0-9]{2}",
        |text| {
            let all = last(text, 11);
            let sum = u64::from(weighted(&all, &[9, 8, 7, 6, 5, 4, 3, 2, 1])) % 101 % 100;
            !all.is_empty() && value(all.get(9..).unwrap_or_default()) == sum
        },
        "a Russian SNILS number",
    ),
    (
        "ru_inn",
        r"(?:\binn|инн)",
        r"[0-9]{12}",
        |text| {
            let all = last(text, 12);
            let check = |weights: &[u32], place| {
                all.get(place) == Some(&(weighted(&all, weights) % 11 % 10))
            };
            check(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8], 10)
                && check(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8], 11)
        },
        "a Russian taxpayer number",
    ),
];

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

/// The two letters before the last six digits.
fn last_letters(text: &str) -> &str {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let start = letters.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    start
        .get(start.len().saturating_sub(2)..)
        .unwrap_or_default()
}

fn irish(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let tail = upper.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let mut letters = upper.get(tail.len()..).unwrap_or_default().chars();
    let (check, second) = (letters.next().unwrap_or_default(), letters.next());
    let second = second.filter(|letter| *letter != 'W').map_or(0, |letter| {
        u64::from(u32::from(letter) - u32::from('A') + 1) * 9
    });
    let sum = u64::from(weighted(&last(tail, 7), &[8, 7, 6, 5, 4, 3, 2]));
    sum > 0 && letter(sum + second, b"WABCDEFGHIJKLMNOPQRSTUV", check)
}

/// Ministerial decree of 23 December 1976: characters at odd places count by a table, those at even ones by their order.
fn italian(text: &str) -> bool {
    const ODD: [u64; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let upper = text.to_ascii_uppercase();
    let code = upper
        .get(upper.len().saturating_sub(16)..)
        .unwrap_or_default();
    let (code, check) = code.split_at_checked(15).unwrap_or_default();
    let order = |character: char| match character.to_digit(36) {
        Some(digit) if digit > 9 => digit - 10,
        digit => digit.unwrap_or(0),
    };
    let sum = code.chars().enumerate().map(|(place, character)| {
        let order = order(character);
        match place % 2 {
            0 => usize::try_from(order)
                .ok()
                .and_then(|order| ODD.get(order))
                .copied()
                .unwrap_or(0),
            _ => u64::from(order),
        }
    });
    let check = check.chars().next().unwrap_or_default();
    letter(sum.sum(), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", check)
}

fn baltic(text: &str) -> bool {
    let all = last(text, 11);
    let first = weighted(&all, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let check = match first {
        10 => weighted(&all, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        first => first,
    };
    all.last() == Some(&check)
}
