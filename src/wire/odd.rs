//! What readers of a body or an event take differently: names in another case, items numbered in odd ways, texts and types that contradict
//! each other. Scanned in one way, they would be read in another.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::Field;
use super::json::{Kind, Value};
use super::mark::Context;
use super::walk::Walk;
use super::words::reads_as;

/// What readers take differently.
#[derive(Clone, Copy)]
pub(super) enum Odd {
    /// A name that is a known one but for its case.
    Name,
    /// A number of an item that is none, or is too large.
    Index,
    /// A number that two choices of an event have.
    Twice,
    /// A text or switch whose type, or whose kind of value, says that it is another.
    Type,
}

impl Odd {
    /// What was found and what was expected.
    pub(super) const fn tell(self) -> (&'static str, &'static str) {
        match self {
            Self::Name => (
                "a name that some readers take for one in lower case",
                "names as the API writes them",
            ),
            Self::Index => (
                "an item with an index that readers may take differently",
                "a whole number below 65536, or none",
            ),
            Self::Twice => ("two choices with one index", "each choice once"),
            Self::Type => (
                "a text or switch of another type, which only some readers read",
                "texts and types together as the API writes them",
            ),
        }
    }
}

/// What an event told its texts apart by, and what it did without: bits of [`CHOICES`] and so on, numbers mostly, and other choices between
/// two ways of writing the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    /// What had a number, or was written in the first of two ways.
    pub with: u8,
    /// What had none, or was written in the second.
    pub without: u8,
}

impl Numbered {
    /// Nothing so far.
    pub(super) const NONE: Self = Self {
        with: 0,
        without: 0,
    };

    /// Takes note of whether an event had a name of its own.
    pub const fn named(&mut self, named: bool) {
        let bits = if named {
            &mut self.with
        } else {
            &mut self.without
        };
        *bits |= NAMES;
    }
}

/// What may be numbered or not, as it comes.
pub(super) const OTHERS: u8 = 0;
/// Choices of an answer.
pub(super) const CHOICES: u8 = 1;
/// Calls of tools.
pub(super) const CALLS: u8 = 1 << 1;
/// Blocks of a message, parts of an output item.
pub(super) const BLOCKS: u8 = 1 << 2;
/// Names of events.
const NAMES: u8 = 1 << 3;
/// Ids of output items.
const ITEMS: u8 = 1 << 4;
/// Whether a chat's content is a string.
pub(super) const STRINGS: u8 = 1 << 5;
/// Whether an event's type is an older name of it.
pub(super) const OLDER: u8 = 1 << 6;

/// Indexes are smaller.
const MAX_INDEX: u32 = 1 << 16;

/// Members that decide what a body does, or what it says. Readers that do not tell cases apart (Go's `encoding/json`) take other
/// spellings for them.
const KNOWN: [&[u8]; 37] = [
    b"arguments",
    b"candidates",
    b"choices",
    b"content",
    b"contents",
    b"conversation",
    b"delta",
    b"function",
    b"function_call",
    b"functions",
    b"id",
    b"index",
    b"input",
    b"instructions",
    b"max_completion_tokens",
    b"max_output_tokens",
    b"max_tokens",
    b"message",
    b"messages",
    b"model",
    b"models",
    b"n",
    b"name",
    b"output",
    b"parts",
    b"previous_response_id",
    b"prompt",
    b"reasoning",
    b"role",
    b"stream",
    b"system",
    b"text",
    b"tool_calls",
    b"tool_choice",
    b"tools",
    b"type",
    b"usage",
];

impl Walk<'_> {
    /// The number of an item of a stream in its member `name`; 0 bits of `kind` where it makes no difference whether others have one.
    pub(super) fn number_of(&mut self, item: Value<'_>, name: &str, kind: u8) -> Option<u32> {
        let written = item.get(name).filter(|value| value.kind() != Kind::Null);
        let Some(written) = written else {
            self.numbered.without |= kind;
            return None;
        };
        self.numbered.with |= kind;
        let number = written.as_u32().filter(|number| *number < MAX_INDEX);
        if number.is_none() {
            self.odd = Some((written.span().start, Odd::Index));
        }
        number
    }

    /// The number in an item's `index`, or else its position.
    pub(super) fn index_of(&mut self, item: Value<'_>, position: u32, kind: u8) -> u32 {
        self.number_of(item, "index", kind).unwrap_or(position)
    }

    /// Takes note of a switch that is neither on nor off: JavaScript takes for on what others do not.
    pub(super) fn flag(&mut self, value: Value<'_>) {
        if !matches!(value.kind(), Kind::True | Kind::False | Kind::Null) {
            self.odd = Some((value.span().start, Odd::Type));
        }
    }

    /// Takes note of a text that readers who go by types pass over and others do not.
    pub(super) fn mistyped(&mut self, value: Value<'_>) {
        if value.kind() == Kind::String && !value.span().is_empty() {
            self.odd = Some((value.span().start, Odd::Type));
        }
    }

    /// Running text, which is a string: some readers pass over a list of them.
    pub(super) fn running(&mut self, value: Value<'_>, context: Context) {
        if context.is_running() && matches!(value.kind(), Kind::Array | Kind::Object) {
            self.odd = Some((value.span().start, Odd::Type));
        }
        self.any(value, context);
    }

    /// Sees to it that no two choices of an event have one number: readers would join them or not.
    pub(super) fn apart(&mut self, choices: Value<'_>) {
        if choices.items().nth(1).is_none() {
            return;
        }
        let absent = Absent::of(choices);
        let number = |(position, choice): (u32, Value<'_>)| {
            let index = choice.get("index").and_then(Value::as_u32);
            index.unwrap_or_else(|| absent.number(position))
        };
        let mut numbers: Vec<u32> = (0..).zip(choices.items()).map(number).collect();
        numbers.sort_unstable();
        if numbers.windows(2).any(|pair| pair.first() == pair.last()) {
            self.odd = Some((choices.span().start, Odd::Twice));
        }
    }
}

/// What choices without a number are numbered by.
#[derive(Clone, Copy)]
pub(super) enum Absent {
    /// None has one: by their positions.
    Positions,
    /// Others have one: they are the first, since `ProtoJSON` leaves out what is 0.
    Zero,
}

impl Absent {
    pub(super) fn of(choices: Value<'_>) -> Self {
        if choices.items().any(|choice| choice.get("index").is_some()) {
            Self::Zero
        } else {
            Self::Positions
        }
    }

    pub(super) const fn number(self, position: u32) -> u32 {
        match self {
            Self::Positions => position,
            Self::Zero => 0,
        }
    }
}

/// The hashes of the output item that an event adds to, and of the item's place: the kind of text, the answer, and the item's number. Some servers
/// number what is thought and what is said alike.
pub(super) fn item_at(
    walk: &mut Walk<'_>,
    root: Value<'_>,
    place: (Field, u32, Option<u32>),
) -> Option<(u64, u64)> {
    let item = root.get("item_id").map(Value::name).unwrap_or_default();
    if item.is_empty() {
        walk.numbered.without |= ITEMS;
        return None;
    }
    walk.numbered.with |= ITEMS;
    Some((hash((place.0, &*item)), hash(place)))
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whether a name is a [`KNOWN`] one but for its case.
pub(super) fn is_other_case(name: &[u8]) -> bool {
    let other = |byte: &u8| byte.is_ascii_uppercase() || !byte.is_ascii();
    name.iter().any(other) && KNOWN.iter().any(|known| reads_as(name, known))
}
