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

/// Bits of a hash of a word's first two letters, its last one and its length: clear where no known word has it.
#[expect(
    clippy::indexing_slicing,
    reason = "no `get` in what is computed when compiled"
)]
const SHAPES: [u64; 64] = {
    let (mut table, mut at) = ([0; 64], 0);
    while at < WORDS.len() {
        if let [first, second, .., last] = WORDS[at].as_bytes() {
            let shape = shape(*first, *second, (*last, WORDS[at].len()));
            table[shape >> 6] |= 1 << (shape & 63);
        }
        at += 1;
    }
    table
};

/// A number below 4096.
const fn shape(first: u8, second: u8, (last, length): (u8, usize)) -> usize {
    let letters = (first as usize * 31 + second as usize) * 31 + last as usize;
    (letters * 16 + length) & 4095
}

/// How much it says that so many letters, three or more, are a known word, in either case: 0 if they are none, 1 for a short
/// word, 3 for a long one. `letter` gives the one at a place.
#[inline]
pub(super) fn weight(length: usize, letter: impl Fn(usize) -> u8) -> u32 {
    let lower = |place| letter(place) | 0x20;
    let shape = shape(lower(0), lower(1), (lower(length - 1), length));
    let known = SHAPES.get(shape >> 6).copied().unwrap_or_default();
    if known >> (shape & 63) & 1 == 0 {
        return 0;
    }
    let mut word = [0; 16];
    let Some(word) = word.get_mut(..length) else {
        return 0;
    };
    for (place, byte) in word.iter_mut().enumerate() {
        *byte = lower(place);
    }
    let known = WORDS.binary_search_by(|known| known.as_bytes().cmp(word));
    known.map_or(0, |_| if length > 4 { 3 } else { 1 })
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
