//! Messages in characters that no one sees: tag characters spell ASCII, variation selectors spell bytes.

use super::Span;
use super::fragment::{Fragments, Step};

/// Fewer bytes are an emoji's own.
const LEAST_TEXT: usize = 4;
/// The most characters that can be seen between two of a message.
const GAP: usize = 3;

/// A message that is being read.
#[derive(Clone, Debug)]
pub struct Hidden {
    text: Fragments,
    gap: usize,
}

impl Default for Hidden {
    fn default() -> Self {
        Self {
            text: Fragments::new(LEAST_TEXT),
            gap: 0,
        }
    }
}

impl Hidden {
    /// Reads the next character. Whether the message may go on; if not, it has ended.
    pub fn push(&mut self, character: char, source: Span, out: &mut impl FnMut(Step)) -> bool {
        match byte(character) {
            Some(byte) => {
                self.gap = 0;
                self.text.push(byte, source, out);
            }
            None if self.gap >= GAP => {
                self.text.end(out);
                return false;
            }
            None => self.gap += 1,
        }
        true
    }

    /// The end of the text.
    pub fn finish(&mut self, out: &mut impl FnMut(Step)) {
        self.text.end(out);
    }

    /// What has not been given out yet.
    pub const fn text(&self) -> &Fragments {
        &self.text
    }
}

/// The byte that an invisible character spells: as ASCII in tags, by the number of a variation selector.
pub fn byte(character: char) -> Option<u8> {
    let code = u32::from(character);
    let byte = match character {
        '\u{e0020}'..='\u{e007e}' => code - 0xe_0000,
        '\u{fe00}'..='\u{fe0f}' => code - 0xfe00,
        '\u{e0100}'..='\u{e01ef}' => code - 0xe_0100 + 16,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let (mut hidden, mut out) = (Hidden::default(), String::new());
        let mut take = |step| {
            out.push(match step {
                Step::Text(character, _) => character,
                Step::Three(..) | Step::End => '|',
            });
        };
        for (place, character) in text.char_indices() {
            hidden.push(
                character,
                Span::new(place, place + character.len_utf8()),
                &mut take,
            );
        }
        hidden.finish(&mut take);
        out
    }

    fn selector(byte: u8) -> char {
        let code = if byte < 16 {
            0xfe00 + u32::from(byte)
        } else {
            0xe_0100 + u32::from(byte) - 16
        };
        char::from_u32(code).unwrap()
    }

    #[test]
    fn tags_and_variation_selectors_are_read() {
        let tags: String = "ignore"
            .chars()
            .filter_map(|c| char::from_u32(u32::from(c) + 0xe_0000))
            .collect();
        assert_eq!(read(&format!("Nice{tags} day")), "ignore|");
        let selectors: String = "größer".bytes().map(selector).collect();
        assert_eq!(read(&format!("😀{selectors}!")), "größer|");
        let spread: String = "ignore"
            .bytes()
            .flat_map(|byte| ['a', 'b', selector(byte)])
            .collect();
        assert_eq!(read(&spread), "ignore|");
        assert_eq!(read("❤️ and ❤️ and ☀︎"), "");
    }
}
