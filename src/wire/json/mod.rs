//! JSON read strictly and in place: one flat tape of values over the bytes as they came, no tree, no copies.
//!
//! What two parsers could read differently is refused (RFC 8259 section 4, 8.1 and 9 leave it open): duplicate keys, invalid
//! UTF-8, a byte order mark, lone surrogates, numbers outside the range of an IEEE 754 double, comments, trailing commas and
//! bytes. So what was scanned is what the next parser sees. Positions are bytes of the input, so that strings can be
//! replaced where they stand and everything else passes on untouched.

mod escape;
mod keys;
mod parse;
mod value;

pub use escape::{escape_into, raw_offset, unescape};
pub use value::{Kind, Value};

use std::borrow::Cow;
use std::fmt;

use parse::Parser;

/// Nodes that a document of any size may have.
const FREE_NODES: usize = 16_384;
/// Beyond those, a node for so many bytes: with 8 bytes for a node and one for what a format says of it, the tape takes less than
/// twice the document. Lists of numbers have one node, answers with log-probabilities one for 6 bytes.
const BYTES_PER_NODE: usize = 5;

/// Upper bounds on what is read. Whatever exceeds one is refused, never cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arrays and objects inside each other; above 512 counts as 512, because readers of the tape recurse.
    pub depth: usize,
    /// Values and keys together; numbers, `true`, `false` and `null` that follow each other in a list count as one. Beyond
    /// 16,384 there may also be no more than one for each 5 bytes of the document.
    pub nodes: usize,
    /// Members of one object.
    pub keys: usize,
    /// Bytes of one string as written, between the quotes.
    pub string_bytes: usize,
    /// Bytes of one document: a body, or the data of one event.
    pub body_bytes: usize,
    /// Bytes of one event of a stream, framing included.
    pub event_bytes: usize,
}

impl Limits {
    /// For what was read within others before.
    pub const NONE: Self = Self {
        depth: usize::MAX,
        nodes: usize::MAX,
        keys: usize::MAX,
        string_bytes: usize::MAX,
        body_bytes: usize::MAX,
        event_bytes: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            nodes: 4 << 20,
            keys: 16_384,
            string_bytes: 20 << 20,
            body_bytes: 20 << 20,
            event_bytes: 8 << 20,
        }
    }
}

/// Why bytes were refused: the place, what was found there and what was expected. Never their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The first byte that was wrong, counted from the start of the document or stream.
    pub offset: usize,
    /// Line and column in characters, both from 1; `None` where lines mean nothing (streams).
    pub place: Option<(usize, usize)>,
    /// What was found.
    pub found: Cow<'static, str>,
    /// What would have been right.
    pub expected: Cow<'static, str>,
}

impl Malformed {
    /// A problem at `offset` of a stream.
    pub fn at(
        offset: usize,
        found: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            offset,
            place: None,
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// The same with the line and column that `offset` has in `bytes`.
    #[must_use]
    pub fn located(mut self, bytes: &[u8]) -> Self {
        let before = bytes.get(..self.offset).unwrap_or(bytes);
        let line = before.split(|byte| *byte == b'\n').count();
        let tail = before.rsplit(|byte| *byte == b'\n').next().unwrap_or(&[]);
        // Bytes that continue a UTF-8 character start with the bits 10 (RFC 3629 section 3).
        let column = tail.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        self.place = Some((line.max(1), column + 1));
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column} ")?;
        }
        write!(
            f,
            "(byte {}): found {}, expected {}",
            self.offset, self.found, self.expected
        )
    }
}

impl std::error::Error for Malformed {}

/// One value or key of a document, or a run of numbers and words that follow each other in an array: 8 bytes.
///
/// The tape is in reading order. An object is followed by key, value, key, value; an array by its items.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Strings and keys: the first byte after the opening quote. Else: the value's first byte. Below it, in the lowest three bits, the
    /// [`Tag`].
    head: u32,
    /// Arrays and objects: the index after their last node, so `index < tail <= nodes.len()`. Strings and keys: the closing quote.
    /// Else: one past the last byte.
    tail: u32,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Object,
    Array,
    String,
    /// A string with at least one backslash.
    EscapedString,
    Key,
    EscapedKey,
    /// A number, `true`, `false` or `null`; in an array, as many as follow each other.
    Scalars,
}

/// What a document may have: its last byte's offset must fit beside the tag.
const MAX_BYTES: usize = (u32::MAX >> 3) as usize;

impl Node {
    fn new(tag: Tag, start: usize, tail: usize) -> Self {
        Self {
            head: index(start) << 3 | tag as u32,
            tail: index(tail),
        }
    }

    const fn start(self) -> usize {
        (self.head >> 3) as usize
    }

    const fn tag(self) -> Tag {
        match self.head & 7 {
            0 => Tag::Object,
            1 => Tag::Array,
            2 => Tag::String,
            3 => Tag::EscapedString,
            4 => Tag::Key,
            5 => Tag::EscapedKey,
            _ => Tag::Scalars,
        }
    }

    const fn is_container(self) -> bool {
        matches!(self.tag(), Tag::Object | Tag::Array)
    }

    /// The index after the last node of this value, which is at `index`: so its next sibling.
    const fn next(self, index: u32) -> u32 {
        if self.is_container() {
            self.tail
        } else {
            index + 1
        }
    }
}

/// Positions fit: a document has at most [`MAX_BYTES`], and fewer nodes than bytes.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// The tape of one JSON text. Keeps its memory when it is used again.
#[derive(Debug, Default)]
pub struct Document {
    nodes: Vec<Node>,
    open: Vec<parse::Open>,
    strings: u32,
}

impl Document {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one JSON text into a new document.
    ///
    /// # Errors
    /// As [`Document::parse_into`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Malformed> {
        let mut document = Self::new();
        document.parse_into(bytes, limits)?;
        Ok(document)
    }

    /// Reads one JSON text in place of what this document held before. Linear in the number of bytes, apart from
    /// sorting the keys of objects with more than 16 members.
    ///
    /// # Errors
    /// The first place that is no strict JSON or exceeds a limit; the document is then empty.
    pub fn parse_into(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), Malformed> {
        self.nodes.clear();
        self.open.clear();
        self.strings = 0;
        match Parser::new(bytes, limits, &mut self.nodes, &mut self.open).document() {
            Ok(strings) => {
                self.strings = strings;
                Ok(())
            }
            Err(problem) => {
                self.nodes.clear();
                Err(problem.located(bytes))
            }
        }
    }

    /// The outermost value, over the bytes that were parsed; `None` if nothing was parsed.
    pub fn root<'a>(&'a self, bytes: &'a [u8]) -> Option<Value<'a>> {
        Value::at(&self.nodes, bytes, 0)
    }

    /// Number of string values, keys not counted. A reader that has met fewer has missed one.
    pub fn strings(&self) -> u32 {
        self.strings
    }

    /// Number of nodes: values and keys, what [`Limits::nodes`] counts as one being one.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The node at an index, as a value: a string or key.
    pub(in crate::wire) fn string<'a>(
        &'a self,
        bytes: &'a [u8],
        index: usize,
    ) -> Option<Value<'a>> {
        Value::at(&self.nodes, bytes, u32::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests;
