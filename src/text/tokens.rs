//! How many tokens a text is, as a model's tokeniser would cut it.
//!
//! OpenAI publishes its vocabularies; Anthropic and Google do not, so their models are counted by OpenAI's newest, which is an
//! approximation. Byte-pair merging is worse than linear in runs without a word boundary, so such a run is cut into blocks.

use tiktoken::{CoreBpe, get_encoding};

/// The most bytes that are merged at once. What a hostile text costs per byte grows with it; a cut may add a token.
const BLOCK: usize = 4096;

/// Names with which the models begin that read by `cl100k_base`.
const OLDER: [&str; 6] = [
    "gpt-3.5",
    "gpt-35",
    "gpt-4-",
    "text-embedding-",
    "davinci-002",
    "babbage-002",
];

/// The tokens of `text` for `model`, without what a provider adds around messages.
///
/// Exact for OpenAI's models on text with words (a run of more than 4 KiB without a blank may count a few more), about 10 to 20 % off for
/// others'. Linear: about 100 MB/s of prose, 4 MB/s of the worst (letters without order or blank). The first call for a vocabulary loads it, see [`prepare`].
pub fn count(text: &str, model: &str) -> u64 {
    let Some(encoding) = encoding(model) else {
        // Without the vocabulary, which is compiled in: what no text exceeds.
        return text.len() as u64;
    };
    let (mut rest, mut tokens) = (text, 0);
    let mut last = ("", 0);
    while !rest.is_empty() {
        let (block, later) = rest.split_at_checked(cut(rest)).unwrap_or((rest, ""));
        // What costs most is what repeats itself.
        if block != last.0 {
            last = (block, encoding.count(block) as u64);
        }
        tokens += last.1;
        rest = later;
    }
    tokens
}

/// Loads both vocabularies (0.15 s, 35 MB of memory) now instead of at the first [`count`].
pub fn prepare() {
    for model in ["", "gpt-4"] {
        count("a", model);
    }
}

/// Counts a text that is still arriving.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    /// The end of the text, not counted yet.
    rest: String,
}

impl Counter {
    /// Text is counted in pieces of at least so many bytes.
    const PIECE: usize = 256;

    /// Reads the next piece of the text; the tokens that are certain now.
    pub fn push(&mut self, text: &str, model: &str) -> u64 {
        self.rest.push_str(text);
        if self.rest.len() < Self::PIECE {
            return 0;
        }
        let place = last_gap(self.rest.as_bytes()).unwrap_or(self.rest.len());
        let tokens = self.rest.get(..place).map_or(0, |text| count(text, model));
        self.rest.drain(..place);
        tokens
    }

    /// Reads the end of the text; the tokens of what was left.
    pub fn finish(&mut self, model: &str) -> u64 {
        count(&std::mem::take(&mut self.rest), model)
    }
}

/// What cuts text for `model`, which may carry a vendor's name (`openai/gpt-4`) or a fine-tuning's (`ft:gpt-3.5-turbo:…`).
fn encoding(model: &str) -> Option<&'static CoreBpe> {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let base = name.split(':').next().unwrap_or(name);
    let older = base == "gpt-4" || OLDER.iter().any(|older| base.starts_with(older));
    get_encoding(if older { "cl100k_base" } else { "o200k_base" })
}

/// Where the first block of `text` ends: before a blank between two words, where no token reaches over, if one is near enough.
fn cut(text: &str) -> usize {
    if text.len() <= BLOCK {
        return text.len();
    }
    let end = text.floor_char_boundary(BLOCK);
    last_gap(text.as_bytes().get(..end).unwrap_or_default()).unwrap_or(end)
}

/// The last blank between two words, over which no token reaches.
fn last_gap(text: &[u8]) -> Option<usize> {
    let between = |window: &[u8]| matches!(window, [a, b' ', b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic());
    text.windows(3).rposition(between).map(|place| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_openai_does() {
        // Counts of OpenAI's own library, as its cookbook and its tokeniser page show them.
        for (text, older, newer) in [
            ("", 0, 0),
            ("tiktoken is great!", 6, 6),
            ("antidisestablishmentarianism", 6, 6),
            ("2 + 2 = 4", 7, 7),
            ("お誕生日おめでとう", 9, 8),
        ] {
            assert_eq!(count(text, "gpt-4"), older, "{text:?}");
            assert_eq!(count(text, "gpt-4o"), newer, "{text:?}");
        }
    }

    #[test]
    fn the_model_tells_the_vocabulary() {
        let older = |model| std::ptr::eq(encoding(model).unwrap(), encoding("gpt-4").unwrap());
        for model in [
            "gpt-4-turbo",
            "openai/gpt-4",
            "ft:gpt-3.5-turbo:org::id",
            "gpt-35-turbo",
            "text-embedding-3-small",
        ] {
            assert!(older(model), "{model}");
        }
        for model in [
            "",
            "gpt-4o-mini",
            "gpt-4.1",
            "gpt-5",
            "o3",
            "claude-opus-4",
            "gemini-2.5-pro",
            "models/gemini-2.5-pro",
        ] {
            assert!(!older(model), "{model}");
        }
    }

    #[test]
    fn blocks_change_no_count_of_words_and_little_of_others() {
        let whole = |text: &str| encoding("").unwrap().count(text) as u64;
        let prose = "The quick brown fox jumps over 13 lazy dogs, isn't it? ".repeat(400);
        assert_eq!(count(&prose, ""), whole(&prose));
        for piece in ["a", " ", "\n", "的", "👍🏽", "aB3/", "{\"k\":1},"] {
            let text = piece.repeat(20_000 / piece.len());
            let blocks = text.len() as u64 / BLOCK as u64;
            let (counted, exact) = (count(&text, ""), whole(&text));
            assert!(
                counted.abs_diff(exact) <= blocks * 2,
                "{piece:?}: {counted} for {exact}"
            );
        }
    }

    #[test]
    fn arriving_text_is_counted_like_whole_text() {
        let text =
            "Some words that arrive one by one, 1234 of them; isn't that enough? ".repeat(40);
        for size in [1, 7, 300, 5000] {
            let (mut counter, mut tokens) = (Counter::default(), 0);
            for piece in text.as_bytes().chunks(size) {
                tokens += counter.push(str::from_utf8(piece).unwrap(), "");
            }
            tokens += counter.finish("");
            assert_eq!(tokens, count(&text, ""), "pieces of {size}");
        }
    }

    #[test]
    fn the_parts_cover_the_text() {
        for text in [
            "é".repeat(5000),
            "word ".repeat(3000),
            "x".repeat(BLOCK + 1),
        ] {
            let (mut rest, mut length) = (text.as_str(), 0);
            while !rest.is_empty() {
                let place = cut(rest);
                assert!(place > 0 && place <= BLOCK);
                length += place;
                rest = rest.split_at(place).1;
            }
            assert_eq!(length, text.len());
        }
    }
}
