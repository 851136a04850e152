//! The lines of one event of a stream (WHATWG HTML, section 9.2): name, colon, value.

use crate::text::Span;

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
