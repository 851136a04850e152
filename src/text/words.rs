//! The words that attacks are made of, to part letters that stand one by one and to tell writing that was turned round.

/// In lower case.
const WORDS: &[&str] = &[
    "a",
    "about",
    "above",
    "act",
    "actual",
    "administrator",
    "all",
    "an",
    "and",
    "answer",
    "any",
    "api",
    "are",
    "as",
    "assistant",
    "be",
    "before",
    "below",
    "bypass",
    "cannot",
    "commands",
    "confidential",
    "content",
    "context",
    "dan",
    "data",
    "delete",
    "developer",
    "directives",
    "disable",
    "disclose",
    "disregard",
    "do",
    "email",
    "enabled",
    "ethics",
    "everything",
    "execute",
    "filters",
    "follow",
    "following",
    "for",
    "forget",
    "from",
    "give",
    "given",
    "guardrails",
    "guidelines",
    "have",
    "hidden",
    "how",
    "if",
    "ignore",
    "ignored",
    "in",
    "initial",
    "instruction",
    "instructions",
    "internal",
    "is",
    "it",
    "jailbreak",
    "key",
    "keys",
    "limitations",
    "make",
    "me",
    "messages",
    "mode",
    "must",
    "my",
    "new",
    "no",
    "not",
    "now",
    "obey",
    "of",
    "only",
    "operator",
    "or",
    "orders",
    "original",
    "output",
    "override",
    "password",
    "passwords",
    "policies",
    "policy",
    "pretend",
    "previous",
    "print",
    "prior",
    "programming",
    "prompt",
    "prompts",
    "protocols",
    "repeat",
    "respond",
    "restrictions",
    "reveal",
    "role",
    "rule",
    "rules",
    "safety",
    "say",
    "secret",
    "secrets",
    "security",
    "send",
    "show",
    "system",
    "tell",
    "text",
    "that",
    "the",
    "these",
    "this",
    "to",
    "token",
    "training",
    "unrestricted",
    "user",
    "verbatim",
    "was",
    "were",
    "what",
    "will",
    "with",
    "without",
    "you",
    "your",
];

/// Whether a known word begins with `text` and is longer.
pub(super) fn go_on(text: &str) -> bool {
    let mut words = WORDS.iter();
    words.any(|word| word.len() > text.len() && word.starts_with(text))
}

/// Bytes of the longest known word that `text` begins with; of one letter only if that is all.
pub(super) fn longest(text: &str) -> Option<usize> {
    let known = WORDS.iter().filter(|word| text.starts_with(*word));
    known
        .map(|word| word.len())
        .max()
        .filter(|length| *length > 1 || text.len() == 1)
}

/// The places of the known words of three letters or more in [`WORDS`], by a hash of their shape; one more than the place, 0 where there is none.
/// Those of one hash follow each other.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the compiler runs it, and would refuse; there are fewer than 255 words"
)]
static PLACES: [u8; SHAPES] = {
    assert!(WORDS.len() < 255, "a place is a byte");
    let (mut table, mut at) = ([0; SHAPES], 0);
    while at < WORDS.len() {
        if let [first, second, _, ..] = WORDS[at].as_bytes() {
            let last = WORDS[at].as_bytes()[WORDS[at].len() - 1];
            let mut slot = shape(*first, *second, (last, WORDS[at].len()));
            while table[slot] != 0 {
                slot = (slot + 1) % SHAPES;
            }
            table[slot] = at as u8 + 1;
        }
        at += 1;
    }
    table
};
const SHAPES: usize = 4096;

/// A hash of a word's first two letters, its last one and its length.
const fn shape(first: u8, second: u8, (last, length): (u8, usize)) -> usize {
    let letters = (first as usize * 31 + second as usize) * 31 + last as usize;
    (letters * 16 + length) % SHAPES
}

/// How much it says that so many letters, three or more, are a known word, in either case: 0 if they are none, 1 for a short
/// word, 3 for a long one. `letter` gives the one at a place.
#[inline]
pub(super) fn weight(length: usize, letter: impl Fn(usize) -> u8) -> u32 {
    let lower = |place| letter(place) | 0x20;
    let mut slot = shape(lower(0), lower(1), (lower(length - 1), length));
    // Ends at a free slot, of which there are many.
    while let Some(place) = PLACES.get(slot).and_then(|place| place.checked_sub(1)) {
        let known = WORDS.get(usize::from(place)).copied().unwrap_or_default();
        let mut letters = known.bytes().enumerate();
        if known.len() == length && letters.all(|(place, known)| lower(place) == known) {
            return if length > 4 { 3 } else { 1 };
        }
        slot = (slot + 1) % SHAPES;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_in_order() {
        assert!(WORDS.is_sorted());
    }

    #[test]
    fn known_words_weigh_in_either_case() {
        for word in WORDS.iter().filter(|word| word.len() > 2) {
            let expected = if word.len() > 4 { 3 } else { 1 };
            let of = |word: &str| weight(word.len(), |place| word.as_bytes()[place]);
            assert_eq!(of(word), expected, "{word}");
            assert_eq!(of(&word.to_uppercase()), expected, "{word}");
            assert_eq!(of(&format!("{word}q")), 0, "{word}");
        }
        for other in ["zzz", "ignoring", "ifnore", "administratoradministrator"] {
            let weight = weight(other.len(), |place| other.as_bytes()[place]);
            assert_eq!(weight, 0, "{other}");
        }
    }
}
