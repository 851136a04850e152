//! How formats walk a document: combinators that hand every string on, whatever its type or place turns out to be.
//!
//! A format names the members it knows; a member of the wrong type, and everything unknown, falls to [`Walk::any`]. So no
//! spelling of a body hides a string from scanners.

use super::body::Facts;
use super::json::{Document, Kind, Malformed, Value};
use super::mark::{Context, Mark};
use super::odd::{Numbered, Odd, is_other_case};
use super::words::{data_url, holds_text, is_base64, is_name, is_text, is_word};
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
    pub(super) odd: Option<(usize, Odd)>,
    /// How the items of a stream were numbered.
    pub(super) numbered: Numbered,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(notes: Notes<'a>, logprobs: &'a mut Vec<Span>) -> Self {
        Self {
            notes,
            logprobs,
            media: 0,
            seen: 0,
            odd: None,
            numbered: Numbered::NONE,
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
        let is_media = value.kind() == Kind::String && is_base64(data) && !holds_text(data);
        self.media += u32::from(is_media);
        if is_media && !mime.is_some_and(is_text) {
            self.seen += 1;
        } else {
            self.any(value, context.keyed());
        }
    }

    /// The URL or id of a file that the provider has or fetches: nothing reads what is in it.
    pub(super) fn elsewhere(&mut self, value: Value<'_>, context: Context) {
        self.media += u32::from(value.kind() == Kind::String && !value.span().is_empty());
        self.any(value, context.keyed());
    }

    /// A URL, or base64 or `data:` URL of a file.
    pub(super) fn url(&mut self, value: Value<'_>, context: Context) {
        match data_url(value.raw()) {
            Some((mime, data)) => self.binary(value, data, Some(&mime), context),
            None if is_base64(value.raw()) => self.binary(value, value.raw(), None, context),
            None => self.elsewhere(value, context),
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
    pub(super) fn text_or_tokens(&mut self, value: Value<'_>, context: Context, facts: &mut Facts) {
        if value.kind() == Kind::Array {
            if value
                .items()
                .next()
                .is_some_and(|item| item.kind() == Kind::Number)
            {
                self.media += 1;
            }
            for item in value.items() {
                facts.tokens += u64::from(item.kind() == Kind::Number);
                self.text_or_tokens(item, context, facts);
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
