//! How formats walk a document: combinators that hand every string on, whatever its type or place turns out to be.
//!
//! A format names the members it knows; a member of the wrong type, and everything unknown, falls to [`Walk::any`]. So no
//! spelling of a body hides a string from scanners.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::json::{Document, Kind, Malformed, Value};
use super::mark::{Context, Mark};
use super::words::{data_url, holds_text, is_base64, is_name, is_text, is_word, reads_as};
use super::{Field, Lane, Part, Piece};
use crate::text::{Origin, Span};

/// Shorter numbers tell nothing by themselves.
const LONG_NUMBER: usize = 9;

/// Where the pieces of a document are noted.
pub(super) enum Notes<'a> {
    /// One by one, as events need them.
    Pieces(&'a mut Vec<Piece>),
    /// As a mark for each node of the tape: a large body has many.
    Marks(&'a mut [Mark]),
}

/// Finds the pieces of one document.
pub(super) struct Walk<'a> {
    notes: Notes<'a>,
    logprobs: &'a mut Vec<Span>,
    media: u32,
    seen: u32,
    /// Where something stands that readers take differently, and what it is.
    odd: Option<(usize, Odd)>,
    /// How the items of a stream were numbered.
    numbered: Numbered,
}

/// What readers take differently.
#[derive(Clone, Copy)]
enum Odd {
    /// A name that is a known one but for its case.
    Name,
    /// A number of an item that is none, or is too large.
    Index,
    /// A number that two choices of an event have.
    Twice,
    /// A text whose type says that it is another.
    Type,
}

impl Odd {
    /// What was found and what was expected.
    const fn tell(self) -> (&'static str, &'static str) {
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
                "a text in something of another type, which only some readers read",
                "texts and types together as the API writes them",
            ),
        }
    }
}

/// Which items of an event had a number, and which had none: bits of [`CHOICES`] and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    /// Items that had one.
    pub with: u8,
    /// Items that had none.
    pub without: u8,
}

impl Numbered {
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

/// Names of events.
const NAMES: u8 = 8;
/// Choices of an answer.
pub(super) const CHOICES: u8 = 1;
/// Calls of tools.
pub(super) const CALLS: u8 = 2;
/// Blocks of a message, parts of an output item.
pub(super) const BLOCKS: u8 = 4;
/// What may be numbered or not, as it comes.
pub(super) const OTHERS: u8 = 0;

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

impl<'a> Walk<'a> {
    pub(super) const fn new(notes: Notes<'a>, logprobs: &'a mut Vec<Span>) -> Self {
        Self {
            notes,
            logprobs,
            media: 0,
            seen: 0,
            odd: None,
            numbered: Numbered {
                with: 0,
                without: 0,
            },
        }
    }

    /// The number of media, once every string of the document has been met.
    pub(super) fn finish(
        self,
        document: &Document,
        bytes: &[u8],
    ) -> Result<(u32, Numbered), Malformed> {
        if let Some((at, odd)) = self.odd {
            let (found, expected) = odd.tell();
            return Err(Malformed::at(at, found, expected).located(bytes));
        }
        if self.seen != document.strings() {
            let found = "a string that the reader of this format did not visit";
            return Err(Malformed::at(0, found, "none").located(bytes));
        }
        Ok((self.media, self.numbered))
    }

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

    /// Sees to it that no two choices of an event have one number: readers would join them or not.
    pub(super) fn apart(&mut self, choices: Value<'_>) {
        let mut indexes: Vec<u32> = Vec::new();
        for (position, choice) in (0..).zip(choices.items()) {
            let index = choice.get("index").and_then(Value::as_u32);
            indexes.push(index.unwrap_or(position));
        }
        indexes.sort_unstable();
        if indexes.windows(2).any(|pair| pair.first() == pair.last()) {
            self.odd = Some((choices.span().start, Odd::Twice));
        }
    }

    /// Every string at and below a value, unknown structure included.
    pub(super) fn any(&mut self, value: Value<'_>, context: Context) {
        match value.kind() {
            Kind::String => self.string(value, context),
            Kind::Array => {
                for item in value.items() {
                    self.any(item, context);
                }
            }
            Kind::Object => {
                for (key, member) in value.members() {
                    let name = key.name();
                    if context.keys && !is_word(&name) {
                        self.push(key, context.whole());
                    } else {
                        self.odd_key(key, &name, context);
                    }
                    match &*name {
                        b"type" | b"role" | b"object" => self.word(member, context.below(&name)),
                        _ => self.any(member, context.below(&name)),
                    }
                }
            }
            Kind::Number => self.number(value, context),
            Kind::Key | Kind::True | Kind::False | Kind::Null => {}
        }
    }

    /// Calls `read` for each member of an object; anything else is walked as it stands.
    pub(super) fn members(
        &mut self,
        value: Value<'_>,
        context: Context,
        mut read: impl FnMut(&mut Self, &[u8], Value<'_>),
    ) {
        if value.kind() != Kind::Object {
            return self.any(value, context.keyed());
        }
        for (key, member) in value.members() {
            let name = key.name();
            if is_other_case(&name) {
                self.odd = Some((key.span().start, Odd::Name));
            }
            self.odd_key(key, &name, context);
            read(self, &name, member);
        }
    }

    /// Keys of a format's own are no text. One that no format has, with digits or blanks in it, might be.
    fn odd_key(&mut self, key: Value<'_>, name: &[u8], context: Context) {
        if !is_name(name) {
            self.push(key, context.whole());
        }
    }

    /// Calls `read` for each member of an object whose keys are of the sender's own choosing, and so pieces themselves.
    pub(super) fn entries(
        &mut self,
        value: Value<'_>,
        context: Context,
        mut read: impl FnMut(&mut Self, &[u8], Value<'_>),
    ) {
        if value.kind() != Kind::Object {
            return self.any(value, context.keyed());
        }
        for (key, member) in value.members() {
            let name = key.name();
            if !is_word(&name) {
                self.push(key, context.whole());
            }
            read(self, &name, member);
        }
    }

    /// Everything at and below a value, of which the members at these places hold credentials: names with dots between, which
    /// also lead through arrays.
    pub(super) fn holding(&mut self, value: Value<'_>, context: Context, credentials: &[&str]) {
        if credentials.is_empty() {
            return self.any(value, context.keyed());
        }
        self.one_or_more(value, |walk, value, _| {
            walk.entries(value, context, |walk, name, value| {
                let steps = credentials
                    .iter()
                    .map(|place| place.split_once('.').unwrap_or((place, "")));
                let below: Vec<&str> = steps
                    .filter(|(step, _)| step.as_bytes() == name)
                    .map(|(_, rest)| rest)
                    .collect();
                match name {
                    _ if below.contains(&"") => walk.any(value, context.keyed().credential()),
                    b"type" | b"role" | b"object" => walk.word(value, context),
                    _ => walk.holding(value, context, &below),
                }
            });
        });
    }

    /// Calls `read` for each item of an array with its position; anything else is walked as it stands.
    pub(super) fn items(
        &mut self,
        value: Value<'_>,
        context: Context,
        mut read: impl FnMut(&mut Self, Value<'_>, u32),
    ) {
        if value.kind() != Kind::Array {
            return self.any(value, context.keyed());
        }
        for (position, item) in (0..).zip(value.items()) {
            read(self, item, position);
        }
    }

    /// The same, but a single value that is no array is read as the only item.
    pub(super) fn one_or_more(
        &mut self,
        value: Value<'_>,
        mut read: impl FnMut(&mut Self, Value<'_>, u32),
    ) {
        if value.kind() != Kind::Array {
            return read(self, value, 0);
        }
        for (position, item) in (0..).zip(value.items()) {
            read(self, item, position);
        }
    }

    /// A string that is normally a word of the protocol; any other one is a piece.
    pub(super) fn word(&mut self, value: Value<'_>, context: Context) {
        if value.kind() == Kind::String && is_word(value.raw()) {
            self.seen += 1;
        } else {
            self.any(value, context);
        }
    }

    /// A string of base64 that is no text, of the given MIME type if known. What is no base64 is text after all.
    pub(super) fn media(&mut self, value: Value<'_>, mime: Option<&[u8]>, context: Context) {
        self.binary(value, value.raw(), mime, context);
    }

    /// The same where only `data` of the string is base64.
    fn binary(&mut self, value: Value<'_>, data: &[u8], mime: Option<&[u8]>, context: Context) {
        let is_media = !mime.is_some_and(is_text) && is_base64(data) && !holds_text(data);
        if value.kind() == Kind::String && is_media {
            self.seen += 1;
            self.media += 1;
        } else {
            self.any(value, context.keyed());
        }
    }

    /// A URL, or base64 or `data:` URL of a file.
    pub(super) fn url(&mut self, value: Value<'_>, context: Context) {
        match data_url(value.raw()) {
            Some((mime, data)) => self.binary(value, data, Some(&mime), context),
            None => self.any(value, context),
        }
    }

    /// A vector of numbers in base64; anything outside that alphabet is a piece.
    pub(super) fn vector(&mut self, value: Value<'_>, context: Context) {
        let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        if value.kind() == Kind::String && value.raw().iter().all(base64) {
            self.seen += 1;
        } else {
            self.any(value, context);
        }
    }

    /// Text as strings, or as arrays of token numbers, which count as media.
    pub(super) fn text_or_tokens(&mut self, value: Value<'_>, context: Context) {
        if value.kind() == Kind::Array {
            if value
                .items()
                .next()
                .is_some_and(|item| item.kind() == Kind::Number)
            {
                self.media += 1;
            }
            for item in value.items() {
                self.text_or_tokens(item, context);
            }
        } else {
            self.any(value, context.keyed());
        }
    }

    /// A value that repeats the answer's text by tokens; its strings are walked by `read`.
    pub(super) fn logprobs(&mut self, value: Value<'_>, read: impl FnOnce(&mut Self, Value<'_>)) {
        if value.kind() != Kind::Null {
            self.logprobs.push(value.span());
        }
        read(self, value);
    }

    /// A number that could be somebody's, where a model reads it; in a body with all that follow it in its list.
    fn number(&mut self, value: Value<'_>, context: Context) {
        let read = context.argument || matches!(context.origin, Origin::System | Origin::Tool);
        if read && value.raw().len() >= LONG_NUMBER {
            self.push(value, context.bare());
        }
    }

    fn string(&mut self, value: Value<'_>, context: Context) {
        self.seen += 1;
        self.push(value, context);
    }

    /// Notes a string or key.
    fn push(&mut self, value: Value<'_>, context: Context) {
        let span = value.span();
        if span.is_empty() {
            return;
        }
        match &mut self.notes {
            Notes::Pieces(pieces) => pieces.push(Piece {
                span,
                origin: context.origin,
                form: context.form,
                part: context.part,
                argument: context.argument,
                said: context.said,
                credential: context.credential,
                bare: context.bare,
            }),
            Notes::Marks(marks) => {
                if let Some(mark) = marks.get_mut(value.position()) {
                    *mark = Mark::of(context);
                }
            }
        }
    }
}

/// The hashes of the output item that an event adds to, and of the item's place.
pub(super) fn item_at(root: Value<'_>, place: impl Hash) -> Option<(u64, u64)> {
    let item = root.get("item_id").map(Value::name)?;
    let hash = |value: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        value(&mut hasher);
        hasher.finish()
    };
    let hashes = (
        hash(&|hasher| item.hash(hasher)),
        hash(&|hasher| place.hash(hasher)),
    );
    (!item.is_empty()).then_some(hashes)
}

/// Whether a name is a [`KNOWN`] one but for its case.
fn is_other_case(name: &[u8]) -> bool {
    let other = |byte: &u8| byte.is_ascii_uppercase() || !byte.is_ascii();
    name.iter().any(other) && KNOWN.iter().any(|known| reads_as(name, known))
}

/// A lane of running text.
pub(super) const fn lane(choice: u32, field: Field, index: u32) -> Part {
    Part::Delta(Lane {
        choice,
        field,
        index,
        path: 0,
    })
}

/// The 32-bit FNV-1a hash (Fowler, Noll, Vo) of `step`, going on from `state`.
pub(super) fn fnv(state: u32, step: &[u8]) -> u32 {
    let start = state ^ 0x811C_9DC5;
    step.iter().fold(start, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
