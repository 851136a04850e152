//! Text as models and people read it, apart from the bytes and formats that carry it.

pub mod apart;
pub mod blocks;
pub mod decoded;
pub mod digits;
pub mod escape;
pub mod fragment;
pub mod hidden;
pub mod leet;
pub mod opaque;
pub mod radix;
pub mod seek;
pub mod spaced;
pub mod tokens;
pub mod unicode;
pub mod view;

mod gate;
mod words;

/// The letter 13 further in the alphabet; other bytes stay.
pub(crate) const fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        _ => byte,
    }
}

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

/// What was undone to read a text: the outermost of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// Nothing.
    #[default]
    None,
    /// Invisible characters and look-alikes.
    Folded,
    /// Percent signs, entities of HTML, backslashes.
    Escape,
    /// RFC 4648, section 4 or 5.
    Base64,
    /// RFC 4648, section 6.
    Base32,
    /// Two digits a byte.
    Hex,
    /// Tag characters or variation selectors that spell a message.
    Hidden,
    /// Digits and signs in the place of letters.
    Leet,
    /// Letters one by one.
    Spaced,
    /// Each letter in the place of the one 13 further.
    Rot13,
    /// From the end to the start.
    Reversed,
}

impl Encoding {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::Folded,
        Self::Escape,
        Self::Base64,
        Self::Base32,
        Self::Hex,
        Self::Hidden,
        Self::Leet,
        Self::Spaced,
        Self::Rot13,
        Self::Reversed,
    ];

    /// The name in reports; `None` for text that is found as it stands.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::Folded => "folded",
            Self::Escape => "escape",
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Hidden => "hidden",
            Self::Leet => "leet",
            Self::Spaced => "spaced",
            Self::Rot13 => "rot13",
            Self::Reversed => "reversed",
        })
    }
}

/// A set of encodings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encodings(u16);

impl Encodings {
    /// The set of one.
    pub const fn of(encoding: Encoding) -> Self {
        Self(1 << encoding as u16)
    }

    /// What is in either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of those in which something was undone.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let own = Encoding::ALL.into_iter();
        own.filter(move |encoding| self.0 & Self::of(*encoding).0 != 0)
            .filter_map(Encoding::name)
    }
}

/// A half-open range of bytes, `start <= end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
