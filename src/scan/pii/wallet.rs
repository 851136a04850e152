//! Addresses of crypto-currencies, each with its checksum.

use sha3::{Digest as _, Keccak256};

use super::rule;
use crate::scan::{Check, Rule};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule(
            "bitcoin",
            "payment",
            r"(?-u)\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b",
            Some(Check::AnyEnd(bitcoin)),
            "a Bitcoin address",
        ),
        rule(
            "bitcoin_segwit",
            "payment",
            r"(?-u)\b(?:bc1|BC1|ltc1)[02-9A-HJ-NP-Zac-hj-np-z]{11,}\b",
            Some(Check::AnyEnd(|text| bech32::segwit::decode(text).is_ok())),
            "a Bitcoin or Litecoin address of the newer form",
        ),
        rule(
            "ethereum",
            "payment",
            r"(?-u)\b0x[0-9A-Fa-f]{40}\b",
            Some(Check::AnyEnd(ethereum)),
            "an Ethereum address",
        ),
    ]
}

/// `Base58Check` of a key's or a script's hash.
fn bitcoin(text: &str) -> bool {
    let decoded = bs58::decode(text).with_check(None).into_vec();
    decoded.is_ok_and(|bytes| matches!((bytes.len(), bytes.first()), (21, Some(0 | 5))))
}

/// ERC-55: where letters are of both cases, the case of each is a bit of the hash of the address.
fn ethereum(text: &str) -> bool {
    let digits = text.get(2..).unwrap_or_default();
    let lower = digits.to_ascii_lowercase();
    if digits.bytes().all(|byte| byte == b'0') {
        return false;
    }
    if lower == digits || digits.to_ascii_uppercase() == digits {
        return true;
    }
    let hash = Keccak256::digest(lower.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.bytes().zip(nibbles).all(|(digit, nibble)| {
        !digit.is_ascii_alphabetic() || digit.is_ascii_uppercase() == (nibble > 7)
    })
}
