//! Text as models and people read it, apart from the bytes and formats that carry it.

pub mod blocks;
pub mod tokens;
pub mod unicode;
pub mod view;

/// Who wrote a piece of text. Any of them may be under an attacker's control; policies weigh them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// System and developer prompts, tool definitions.
    System,
    /// What the end user wrote.
    User,
    /// What a model wrote, now or in an earlier turn.
    Assistant,
    /// Results of tools, documents and other things fetched from outside.
    Tool,
}

/// How the reader of a segment will understand its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// As it stands.
    Plain,
    /// As JSON text (tool arguments): escapes such as `\u0073` will be undone before it is used, so scanners see them undone.
    Json,
}

/// A half-open range of bytes, `start <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range `start..end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Number of bytes.
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it holds no byte.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// As a standard range, to index with.
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start..self.end
    }
}
