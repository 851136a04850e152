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

/// By its first letter, the second letters that a known word may have, a bit each.
#[expect(
    clippy::indexing_slicing,
    reason = "no `get` in what is computed when compiled"
)]
const SECOND: [u32; 26] = {
    let (mut table, mut at) = ([0; 26], 0);
    while at < WORDS.len() {
        if let [first, second, ..] = WORDS[at].as_bytes() {
            table[(*first - b'a') as usize] |= 1 << (*second - b'a');
        }
        at += 1;
    }
    table
};

/// How much it says that these letters are a known word, in either case: 0 if they are none, 1 for a short word, 3 for a long one.
pub(super) fn weight(letters: impl Iterator<Item = u8>) -> u32 {
    let mut letters = letters.map(|letter| letter.to_ascii_lowercase());
    let (Some(first), Some(second)) = (letters.next(), letters.next()) else {
        return 0;
    };
    let seconds = SECOND.get(usize::from(first.wrapping_sub(b'a')));
    if !second.is_ascii_lowercase()
        || seconds.is_none_or(|seconds| seconds >> (second - b'a') & 1 == 0)
    {
        return 0;
    }
    let mut word = [0; 16];
    let mut length = 0;
    for letter in [first, second].into_iter().chain(letters) {
        let Some(place) = word.get_mut(length) else {
            return 0;
        };
        *place = letter;
        length += 1;
    }
    let word = word.get(..length).unwrap_or_default();
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
}
