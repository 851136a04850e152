//! A cursor over the tape: members, items and text of a value, without copies.

use std::borrow::Cow;

use super::{Node, unescape};
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
        self.node.kind
    }

    /// Its bytes in the document; for strings and keys those between the quotes.
    pub fn span(self) -> Span {
        Span::new(self.node.start as usize, self.node.end as usize)
    }

    /// The bytes of [`Value::span`], escapes not undone.
    pub fn raw(self) -> &'a [u8] {
        self.bytes.get(self.span().range()).unwrap_or(&[])
    }

    /// A string's or key's bytes with escapes undone.
    pub fn name(self) -> Cow<'a, [u8]> {
        if !self.node.escaped {
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
        let mut at = if self.kind() == Kind::Object {
            self.index + 1
        } else {
            self.node.next
        };
        std::iter::from_fn(move || {
            if at >= self.node.next {
                return None;
            }
            let key = Self::at(self.nodes, self.bytes, at)?;
            let value = Self::at(self.nodes, self.bytes, at + 1)?;
            at = value.node.next;
            Some((key, value))
        })
    }

    /// Values of an array in order; nothing for everything else.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let mut at = if self.kind() == Kind::Array {
            self.index + 1
        } else {
            self.node.next
        };
        std::iter::from_fn(move || {
            if at >= self.node.next {
                return None;
            }
            let value = Self::at(self.nodes, self.bytes, at)?;
            at = value.node.next;
            Some(value)
        })
    }
}

impl std::fmt::Debug for Value<'_> {
    /// Kind and place only: values hold prompts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Node { start, end, .. } = self.node;
        write!(f, "{:?} at {start}..{end}", self.kind())
    }
}
