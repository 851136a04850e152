//! A cursor over the tape: members, items and text of a value, without copies.

use std::borrow::Cow;

use super::{Node, Tag, unescape};
use crate::text::Span;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// A string that is a value.
    String,
    /// A string that names a member.
    Key,
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// One value or key of a parsed document.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    nodes: &'a [Node],
    bytes: &'a [u8],
    index: u32,
    node: Node,
}

impl<'a> Value<'a> {
    pub(super) fn at(nodes: &'a [Node], bytes: &'a [u8], index: u32) -> Option<Self> {
        let node = *nodes.get(index as usize)?;
        Some(Self {
            nodes,
            bytes,
            index,
            node,
        })
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.node.tag() {
            Tag::Object => Kind::Object,
            Tag::Array => Kind::Array,
            Tag::String | Tag::EscapedString => Kind::String,
            Tag::Key | Tag::EscapedKey => Kind::Key,
            Tag::Scalars => match self.bytes.get(self.node.start()) {
                Some(b't') => Kind::True,
                Some(b'f') => Kind::False,
                Some(b'n') => Kind::Null,
                _ => Kind::Number,
            },
        }
    }

    /// Its bytes in the document; for strings and keys those between the quotes. Takes time for arrays and objects.
    pub fn span(self) -> Span {
        let end = if self.node.is_container() {
            self.end()
        } else {
            self.node.tail as usize
        };
        Span::new(self.node.start(), end)
    }

    /// One past the closing bracket: the tape knows where the last value inside ends, and only blanks and brackets follow it.
    fn end(self) -> usize {
        let (mut last, mut open) = (self, 0);
        while last.node.is_container() {
            open += 1;
            let Some(inner) = last.children().last() else {
                break;
            };
            last = inner;
        }
        let mut at = match last.node.tag() {
            Tag::Object | Tag::Array => last.node.start() + 1,
            Tag::Scalars => last.node.tail as usize,
            Tag::String | Tag::EscapedString | Tag::Key | Tag::EscapedKey => {
                last.node.tail as usize + 1
            }
        };
        while open > 0 && at < self.bytes.len() {
            open -= usize::from(matches!(self.bytes.get(at), Some(b']' | b'}')));
            at += 1;
        }
        at
    }

    /// The position of a string or key on the tape.
    pub(in crate::wire) const fn position(self) -> usize {
        self.index as usize
    }

    /// The bytes of [`Value::span`], escapes not undone.
    pub fn raw(self) -> &'a [u8] {
        self.bytes.get(self.span().range()).unwrap_or(&[])
    }

    /// A string's or key's bytes with escapes undone.
    pub fn name(self) -> Cow<'a, [u8]> {
        if !matches!(self.node.tag(), Tag::EscapedString | Tag::EscapedKey) {
            return Cow::Borrowed(self.raw());
        }
        match unescape(self.raw()) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    /// A string's text with escapes undone; `None` for everything else.
    pub fn text(self) -> Option<Cow<'a, str>> {
        matches!(self.kind(), Kind::String | Kind::Key).then(|| unescape(self.raw()))
    }

    /// A number that is whole and fits, in whatever notation: `3`, `3.0`, `3e0`.
    pub fn as_u64(self) -> Option<u64> {
        if self.kind() != Kind::Number {
            return None;
        }
        let text = str::from_utf8(self.raw()).ok()?;
        if let Ok(number) = text.parse() {
            return Some(number);
        }
        let number: f64 = text.parse().ok()?;
        // Two to the 53rd: above it a double does not hold every whole number.
        if number.fract() != 0.0 || !(0.0..=9_007_199_254_740_992.0).contains(&number) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, not negative and below 2^53, as checked above"
        )]
        Some(number as u64)
    }

    /// The same for indexes and counts.
    pub fn as_u32(self) -> Option<u32> {
        self.as_u64().and_then(|number| u32::try_from(number).ok())
    }

    /// The value of an object's member; `None` if there is none or this is no object.
    pub fn get(self, key: &str) -> Option<Self> {
        self.members()
            .find(|(name, _)| *name.name() == *key.as_bytes())
            .map(|(_, value)| value)
    }

    /// Keys and values of an object in order; nothing for everything else.
    pub fn members(self) -> impl Iterator<Item = (Self, Self)> {
        let object = self.kind() == Kind::Object;
        let mut nodes = self.children().filter(move |_| object);
        std::iter::from_fn(move || Some((nodes.next()?, nodes.next()?)))
    }

    /// Values of an array in order; nothing for everything else.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let array = self.kind() == Kind::Array;
        self.children().filter(move |_| array).flat_map(Self::each)
    }

    /// The nodes directly below an array or object.
    fn children(self) -> impl Iterator<Item = Self> {
        let end = if self.node.is_container() {
            self.node.tail
        } else {
            0
        };
        let mut at = self.index + 1;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let value = Self::at(self.nodes, self.bytes, at)?;
            at = value.node.next(at);
            Some(value)
        })
    }

    /// The values of one node: those of a run one by one, everything else as it is.
    fn each(self) -> impl Iterator<Item = Self> {
        let run = self.node.tag() == Tag::Scalars;
        let (mut at, end) = (self.node.start(), self.node.tail as usize);
        let mut first = true;
        std::iter::from_fn(move || {
            if !run {
                return std::mem::take(&mut first).then_some(self);
            }
            let part = |byte: &u8| !matches!(byte, b',' | b' ' | b'\n' | b'\r' | b'\t');
            let rest = self.bytes.get(at..end)?;
            let start = at + rest.iter().position(part)?;
            let rest = self.bytes.get(start..end)?;
            at = start + rest.iter().take_while(|byte| part(byte)).count();
            let node = Node::new(Tag::Scalars, start, at);
            Some(Self { node, ..self })
        })
    }
}

impl std::fmt::Debug for Value<'_> {
    /// Kind and place only: values hold prompts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Span { start, end } = self.span();
        write!(f, "{:?} at {start}..{end}", self.kind())
    }
}
