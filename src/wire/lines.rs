//! The lines of one event of a stream (WHATWG HTML, section 9.2): name, colon, value.

use crate::text::Span;
use crate::text::unicode::is_invisible;

/// One line of an event.
pub(super) struct Line {
    /// With its line end.
    pub(super) all: Span,
    /// Before the colon.
    pub(super) name: Span,
    /// After the colon and one space; empty without a colon.
    pub(super) value: Span,
}

impl Line {
    /// The bytes of the name.
    pub(super) fn field<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.name.range()).unwrap_or(&[])
    }
}

/// The lines of an event, blank ones included.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// From byte `at` on.
    pub(super) fn from(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let start = self.at;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let end = start + length;
        self.at = match (self.bytes.get(end), self.bytes.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => end + 2,
            (Some(_), _) => end + 1,
            (None, _) => end,
        };
        let line = rest.get(..length)?;
        let colon = memchr::memchr(b':', line);
        let value = match colon {
            None => end,
            Some(colon) => start + colon + 1 + usize::from(line.get(colon + 1) == Some(&b' ')),
        };
        Some(Line {
            all: Span::new(start, self.at),
            name: Span::new(start, start + colon.unwrap_or(length)),
            value: Span::new(value, end),
        })
    }
}

/// Whether a line that is no data is JSON or begins with `data` for readers that do not keep to the standard: those that take every line for data
/// (google-genai), that look for the word at the start of a line in any case and behind blanks, or that end lines where Python's `str.splitlines`
/// does. A line that is a `field` of the standard is one only from the second such line on.
pub(super) fn poses(line: &[u8], field: bool) -> bool {
    let ends = [
        '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
    ];
    let text = String::from_utf8_lossy(line);
    let mut parts = text.split(ends).skip(usize::from(field));
    parts.any(|part| {
        let part = part.trim_start_matches(|letter: char| {
            letter.is_whitespace() || letter.is_control() || is_invisible(letter)
        });
        let word = part.get(..4).unwrap_or_default();
        part.starts_with(['{', '[']) || word.eq_ignore_ascii_case("data")
    })
}

/// How an event's lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not one state"
)]
pub struct Style {
    /// Lines end in a carriage return alone.
    pub(super) returns: bool,
    /// No space follows the colon of a `data` line.
    pub(super) tight: bool,
    /// The data is on several lines.
    pub(super) several: bool,
    /// There is an `event` line after data, or a second one.
    pub(super) late: bool,
}

impl Style {
    /// As lines mostly are.
    pub(super) const PLAIN: Self = Self {
        returns: false,
        tight: false,
        several: false,
        late: false,
    };
}

pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The end of the first event in `buffer`, which is the end of its blank line; goes on at `at`.
pub(super) fn lines(buffer: &[u8], at: &mut usize, line: &mut usize, first: bool) -> Option<usize> {
    loop {
        let rest = buffer.get(*at..)?;
        let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
            *at = buffer.len();
            return None;
        };
        let end = *at + length;
        let next = match (buffer.get(end), buffer.get(end + 1)) {
            (Some(b'\r'), None) => {
                *at = end;
                return None;
            }
            (Some(b'\r'), Some(b'\n')) => end + 2,
            _ => end + 1,
        };
        // A byte order mark is no text of the stream's first line.
        let mark = first && *line == 0 && buffer.get(..end) == Some(BOM);
        let blank = *line == end || mark;
        *at = next;
        *line = next;
        if blank {
            return Some(next);
        }
    }
}
