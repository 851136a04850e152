//! Words that a policy has planted, or knows to stand in its prompts only: their return in an answer is a leak.

use std::borrow::Cow;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::{Check, Rule, Scanner};
use crate::text::rot13;

/// The rule that finds any of `words`, in either case and as written or folded.
pub fn canary_rule(words: &[String]) -> Rule {
    let words: Vec<String> = words
        .iter()
        .map(|word| regex_syntax::escape(word))
        .collect();
    Rule {
        id: Cow::Borrowed("canary.word"),
        scanner: Scanner::Canary,
        category: "leak",
        label: Cow::Borrowed("CANARY"),
        score: 0,
        pattern: Cow::Owned(format!("(?i)(?:{})", words.join("|"))),
        check: None,
        summary: Cow::Borrowed("a word that the policy planted"),
    }
}

/// The rule that finds markers which a gateway has put into system prompts, of this process or another.
pub fn marker_rule() -> Rule {
    Rule {
        id: Cow::Borrowed("canary.marker"),
        scanner: Scanner::Canary,
        category: "leak",
        label: Cow::Borrowed("CANARY"),
        score: 0,
        pattern: Cow::Borrowed(r"(?i)\bsgc-[0-9a-f]{16}\b"),
        check: Some(Check::AnyEnd(is_marker)),
        summary: Cow::Borrowed("the marker that the gateway put into a system prompt"),
    }
}

/// The marker for a system prompt: always the same for the same prompt, which keeps a provider's prompt cache warm. Eight digits
/// are an HMAC-SHA-256 (RFC 2104) of the prompt, eight a hash of those, by which a marker is recognised without the secret.
pub fn marker(secret: &[u8], prompt: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return String::new(); // any length of key is taken
    };
    mac.update(b"canary");
    mac.update(prompt.as_bytes());
    let number = eight_digits(&mac.finalize().into_bytes());
    let check = checked(&number);
    format!("sgc-{number}{check}")
}

/// Whether that is a marker, be it with its letters moved by 13.
fn is_marker(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let moved = text.bytes().map(|byte| char::from(rot13(byte)));
    checks(&text) || checks(&moved.collect::<String>())
}

fn checks(text: &str) -> bool {
    let digits = text
        .strip_prefix("sgc-")
        .and_then(|digits| digits.split_at_checked(8));
    digits.is_some_and(|(number, check)| check == checked(number))
}

fn checked(number: &str) -> String {
    eight_digits(&Sha256::digest(format!("sluicegate canary {number}")))
}

fn eight_digits(hash: &[u8]) -> String {
    let digits = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
    format!("{:08x}", hash.iter().take(4).fold(0, digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{engine::Engine, segment::SegmentScan};
    use crate::text::Form;

    #[test]
    fn words_and_markers_are_found_turned() {
        let rules = [canary_rule(&["bluebird-4711".to_owned()]), marker_rule()];
        let engine = Engine::compile(rules.map(|rule| (rule, true)).into()).unwrap();
        let mark = marker(b"secret", "a prompt");
        let turn = |text: &str| -> String {
            let turned = text.bytes().map(|byte| char::from(rot13(byte)));
            turned.collect()
        };
        let reversed = |text: &str| text.chars().rev().collect::<String>();
        for (text, found) in [
            (&*format!("It says Bluebird-4711, and {mark}."), 2),
            (&*turn(&format!("It says bluebird-4711, and {mark}.")), 2),
            (&*reversed("It says bluebird-4711."), 1),
            (
                "It says bluebird and 4711, as sgc-0123456789abcdef and 1174 say.",
                0,
            ),
        ] {
            let (mut scan, mut findings) = (SegmentScan::new(Form::Plain), Vec::new());
            scan.push(&engine, text, &mut findings).unwrap();
            scan.finish(&engine, &mut findings).unwrap();
            assert_eq!(findings.len(), found, "{text}: {findings:?}");
        }
    }
}
