//! Bytes that may be text to the text they hold.
//!
//! Decoded bytes are mostly no text: pictures, hashes, words that only look encoded. Text is what goes on for a few bytes as UTF-8
//! without control characters; each such stretch is a fragment, and what lies between fragments is dropped.

use super::Span;

/// A character of a fragment and the source that holds it, or the end of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next character.
    Text(char, Span),
    /// The next three, of ASCII.
    Three([u8; 3], Span),
    /// The fragment has ended. Only after a character.
    End,
}

/// Tells text from other bytes, which come one by one with their places.
#[derive(Clone, Debug)]
pub struct Fragments {
    /// The bytes that make a fragment; shorter ones are dropped.
    least: usize,
    /// Bytes of text since the last other byte.
    bytes: usize,
    /// The fragment, until it is long enough.
    waiting: Vec<(char, Span)>,
    /// A character that is not complete yet.
    partial: [u8; 4],
    partial_len: usize,
    partial_start: usize,
}

impl Fragments {
    /// For fragments of at least so many bytes.
    pub const fn new(least: usize) -> Self {
        Self {
            least,
            bytes: 0,
            waiting: Vec::new(),
            partial: [0; 4],
            partial_len: 0,
            partial_start: 0,
        }
    }

    /// Reads the next byte, which `source` holds. Whether all that was read may be text so far.
    #[inline]
    pub fn push(&mut self, byte: u8, source: Span, out: &mut impl FnMut(Step)) -> bool {
        if self.partial_len > 0 || kind(byte) != ASCII {
            return self.push_other(byte, source, out);
        }
        self.text(char::from(byte), source, out);
        true
    }

    /// The same for three bytes that `source` holds together. As soon as one is no text and `strict`, those after it are dropped.
    #[inline]
    pub fn push_three(
        &mut self,
        bytes: [u8; 3],
        (source, strict): (Span, bool),
        out: &mut impl FnMut(Step),
    ) -> bool {
        let kinds = bytes.map(kind);
        let [first, second, third] = kinds;
        if self.partial_len == 0 && self.is_given() && first & second & third == ASCII {
            self.bytes += bytes.len();
            out(Step::Three(bytes, source));
            return true;
        }
        let mut text = true;
        let mut rest = bytes.as_slice();
        // Most bytes where there is no text: what stands before the last of those that are none is dropped.
        if (first | second | third) & OTHER == 0
            && self.partial_len == 0
            && self.bytes + 2 < self.least
            && let Some(last) = kinds.iter().rposition(|kind| *kind == NONE)
        {
            self.bytes = 0;
            self.waiting.clear();
            if strict {
                return false;
            }
            text = false;
            rest = bytes.get(last + 1..).unwrap_or_default();
        }
        for byte in rest.iter().copied() {
            text &= self.push(byte, source, out);
            if !text && strict {
                break;
            }
        }
        text
    }

    fn push_other(&mut self, byte: u8, source: Span, out: &mut impl FnMut(Step)) -> bool {
        let broken = self.partial_len > 0 && !(0x80..0xc0).contains(&byte);
        if broken {
            self.end(out);
        } else if self.partial_len > 0 {
            return self.go_on(byte, source, out);
        }
        match byte {
            _ if kind(byte) == ASCII => self.text(char::from(byte), source, out),
            // ASCII in UTF-16.
            0 => {}
            0xc2..=0xf4 => {
                self.partial[0] = byte;
                self.partial_len = 1;
                self.partial_start = source.start;
            }
            _ => {
                self.end(out);
                return false;
            }
        }
        !broken
    }

    /// No more bytes, or other ones than text.
    pub fn end(&mut self, out: &mut impl FnMut(Step)) {
        if self.is_given() {
            out(Step::End);
        }
        self.bytes = 0;
        self.waiting.clear();
        self.partial_len = 0;
    }

    /// Whether the present fragment has begun to be given out.
    pub const fn is_given(&self) -> bool {
        self.bytes >= self.least
    }

    /// Whether nothing that was read last is text.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0 && self.partial_len == 0
    }

    /// The characters of a fragment that has not been given out.
    pub fn waiting(&self) -> &[(char, Span)] {
        &self.waiting
    }

    /// Where in the source a character begins that is not complete yet.
    pub fn partial(&self) -> Option<usize> {
        (self.partial_len > 0).then_some(self.partial_start)
    }

    /// Whether text can go on, or begin, with the byte.
    pub fn may_go_on(&self, byte: u8) -> bool {
        if self.partial_len > 0 {
            matches!(byte, 0x80..=0xbf)
        } else {
            kind(byte) != NONE
        }
    }

    fn go_on(&mut self, byte: u8, source: Span, out: &mut impl FnMut(Step)) -> bool {
        if let Some(slot) = self.partial.get_mut(self.partial_len) {
            *slot = byte;
        }
        self.partial_len += 1;
        let needed = match self.partial[0] {
            ..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        if self.partial_len < needed {
            return true;
        }
        let bytes = self.partial.get(..self.partial_len).unwrap_or_default();
        let character = str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.chars().next());
        let Some(character) = character.filter(|character| !character.is_control()) else {
            self.end(out);
            return false;
        };
        self.partial_len = 0;
        self.text(character, Span::new(self.partial_start, source.end), out);
        true
    }

    #[inline]
    fn text(&mut self, character: char, source: Span, out: &mut impl FnMut(Step)) {
        let given = self.is_given();
        self.bytes += character.len_utf8();
        if given {
            out(Step::Text(character, source));
        } else {
            self.wait(character, source, out);
        }
    }

    fn wait(&mut self, character: char, source: Span, out: &mut impl FnMut(Step)) {
        self.waiting.push((character, source));
        if self.is_given() {
            for (character, source) in self.waiting.drain(..) {
                out(Step::Text(character, source));
            }
        }
    }
}

/// What a byte is to text that no character is open in: of none, of ASCII, else one with which a character may begin.
const NONE: u8 = 0;
const ASCII: u8 = 1;
const OTHER: u8 = 2;

static KINDS: [u8; 256] = kinds();

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would refuse"
)]
const fn kinds() -> [u8; 256] {
    let mut kinds = [NONE; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte {
            0x20..=0x7e | 0x09 | 0x0a | 0x0d => ASCII,
            // The first is of ASCII in UTF-16.
            0 | 0xc2..=0xf4 => OTHER,
            _ => NONE,
        };
        byte += 1;
    }
    kinds
}

#[inline]
fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragments(bytes: &[u8]) -> Vec<String> {
        let (mut all, mut open) = (Vec::new(), String::new());
        let mut fragments = Fragments::new(4);
        let mut take = |step| match step {
            Step::Text(character, _) => open.push(character),
            Step::Three(bytes, _) => open.extend(bytes.map(char::from)),
            Step::End => all.push(std::mem::take(&mut open)),
        };
        for (place, byte) in bytes.iter().enumerate() {
            fragments.push(*byte, Span::new(place, place + 1), &mut take);
        }
        fragments.end(&mut take);
        all
    }

    #[test]
    fn text_is_kept_and_other_bytes_part_it() {
        for (bytes, expected) in [
            (&b"hello"[..], &["hello"][..]),
            (b"abc", &[]),
            (b"\x89PNG\r\n\x1a\n\0\0", &["PNG\r\n"]),
            (b"abcd\x01efg\xffhijk", &["abcd", "hijk"]),
            (b"i\0g\0n\0o\0r\0e\0", &["ignore"]),
            ("игнорируй 忽略 😀".as_bytes(), &["игнорируй 忽略 😀"]),
            (b"abcd\xd0efgh", &["abcd", "efgh"]),
            (b"abcd\xc2\x85efgh", &["abcd", "efgh"]),
            (b"abcd\xed\xa0\x80efgh", &["abcd", "efgh"]),
        ] {
            assert_eq!(fragments(bytes), expected, "{bytes:?}");
        }
    }
}
