//! Where in the texts of an exchange a rule's matches count.

use super::section::some;
use crate::document::{Node, Reader, word};
use crate::scan::Scanner;

/// What a match stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// What a tool is given.
    Arguments,
    /// A fenced code block.
    Blocks,
    /// All other text.
    Text,
}

/// A set of grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places(u8);

impl Places {
    /// Where a scanner looks unless a policy says otherwise: code is found everywhere people talk about code.
    pub(super) const fn of(scanner: Scanner) -> Self {
        match scanner {
            Scanner::Code => Self(Self::bit(Ground::Arguments) | Self::bit(Ground::Blocks)),
            Scanner::Injection
            | Scanner::Classifier
            | Scanner::Toxicity
            | Scanner::Model
            | Scanner::Secrets
            | Scanner::Pii
            | Scanner::Url
            | Scanner::Html
            | Scanner::Path
            | Scanner::Canary
            | Scanner::Topic
            | Scanner::Size
            | Scanner::Tool => Self(u8::MAX),
        }
    }

    /// Whether matches there count.
    pub(super) const fn contains(self, ground: Ground) -> bool {
        self.0 & Self::bit(ground) != 0
    }

    /// Whether matches count everywhere.
    pub(super) const fn is_all(self) -> bool {
        self.contains(Ground::Arguments)
            && self.contains(Ground::Blocks)
            && self.contains(Ground::Text)
    }

    const fn bit(ground: Ground) -> u8 {
        match ground {
            Ground::Arguments => 1,
            Ground::Blocks => 2,
            Ground::Text => 4,
        }
    }
}

/// `in:`.
pub(super) fn read_places(reader: &mut Reader, node: &Node) -> Option<Places> {
    let words = [
        ("arguments", Ground::Arguments),
        ("blocks", Ground::Blocks),
        ("text", Ground::Text),
    ];
    let grounds = some(word(&words))(reader, node)?;
    let bits = grounds.into_iter().map(Places::bit);
    Some(Places(bits.fold(0, |set, bit| set | bit)))
}
