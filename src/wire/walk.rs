//! How formats walk a document: combinators that hand every string on, whatever its type or place turns out to be.
//!
//! A format names the members it knows; a member of the wrong type, and everything unknown, falls to [`Walk::any`]. So no
//! spelling of a body hides a string from scanners.

use super::json::{Document, Kind, Malformed, Value};
use super::{Field, Lane, Part, Piece};
use crate::text::{Form, Origin, Span};

/// What holds for the strings below a value.
#[derive(Clone, Copy)]
pub(super) struct Context {
    origin: Origin,
    form: Form,
    part: Part,
    keys: bool,
}

impl Context {
    /// Whole strings in plain text, keys not read.
    pub(super) const fn of(origin: Origin) -> Self {
        Self {
            origin,
            form: Form::Plain,
            part: Part::Whole,
            keys: false,
        }
    }

    /// The same for someone else's text.
    pub(super) const fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The same with keys read, too.
    pub(super) const fn keyed(self) -> Self {
        Self { keys: true, ..self }
    }

    /// The same for strings that hold JSON text.
    pub(super) const fn json(self) -> Self {
        Self {
            form: Form::Json,
            ..self
        }
    }

    /// The same for strings in this relation to other events.
    pub(super) const fn part(self, part: Part) -> Self {
        Self { part, ..self }
    }

    /// Whole strings again, as for ids beside running text.
    pub(super) const fn whole(self) -> Self {
        self.part(Part::Whole)
    }

    /// Below an unknown member of running text each path is a lane of its own, so that texts do not mix.
    fn below(self, step: &[u8]) -> Self {
        match self.part {
            Part::Delta(lane) if lane.field == Field::Other => self.part(Part::Delta(Lane {
                index: fnv(lane.index, step),
                ..lane
            })),
            Part::Delta(_) | Part::Whole => self,
        }
    }
}

/// Collects the pieces of one document.
pub(super) struct Walk<'a> {
    pieces: &'a mut Vec<Piece>,
    logprobs: &'a mut Vec<Span>,
    media: u32,
    seen: u32,
}

impl<'a> Walk<'a> {
    pub(super) fn new(pieces: &'a mut Vec<Piece>, logprobs: &'a mut Vec<Span>) -> Self {
        Self {
            pieces,
            logprobs,
            media: 0,
            seen: 0,
        }
    }

    /// The number of media, once every string of the document has been met.
    pub(super) fn finish(self, document: &Document, bytes: &[u8]) -> Result<u32, Malformed> {
        if self.seen != document.strings() {
            let found = "a string that the reader of this format did not visit";
            return Err(Malformed::at(0, found, "none").located(bytes));
        }
        Ok(self.media)
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
                        self.push(key.span(), context);
                    }
                    match &*name {
                        b"type" | b"role" | b"object" => self.word(member, context.below(&name)),
                        _ => self.any(member, context.below(&name)),
                    }
                }
            }
            Kind::Key | Kind::Number | Kind::True | Kind::False | Kind::Null => {}
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
            read(self, &key.name(), member);
        }
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
            self.any(value, context.whole());
        }
    }

    /// A string of base64 that is no text, of the given MIME type if known.
    pub(super) fn media(&mut self, value: Value<'_>, mime: Option<&[u8]>, context: Context) {
        if value.kind() == Kind::String && !mime.is_some_and(is_text) {
            self.seen += 1;
            self.media += 1;
        } else {
            self.any(value, context.keyed());
        }
    }

    /// A URL, or base64 or `data:` URL of a file.
    pub(super) fn url(&mut self, value: Value<'_>, context: Context) {
        match data_url(value.raw()) {
            Some(mime) => self.media(value, Some(mime), context),
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

    fn string(&mut self, value: Value<'_>, context: Context) {
        self.seen += 1;
        self.push(value.span(), context);
    }

    fn push(&mut self, span: Span, context: Context) {
        if !span.is_empty() {
            self.pieces.push(Piece {
                span,
                origin: context.origin,
                form: context.form,
                part: context.part,
            });
        }
    }
}

/// A lane of running text.
pub(super) const fn lane(choice: u32, field: Field, index: u32) -> Part {
    Part::Delta(Lane {
        choice,
        field,
        index,
    })
}

/// The number in an item's `index`, or else its position.
pub(super) fn index_of(item: Value<'_>, position: u32) -> u32 {
    item.get("index")
        .and_then(Value::as_u32)
        .unwrap_or(position)
}

/// The 32-bit FNV-1a hash (Fowler, Noll, Vo) of `step`, going on from `state`.
pub(super) fn fnv(state: u32, step: &[u8]) -> u32 {
    let start = state ^ 0x811C_9DC5;
    step.iter().fold(start, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// Where `span` lies below `root`.
pub(super) fn path(root: Option<Value<'_>>, span: Span) -> String {
    let holds = |value: Value<'_>| value.span().start <= span.start && span.end <= value.span().end;
    let mut path = String::new();
    let mut here = root;
    while let Some(value) = here {
        here = None;
        for (position, (key, member)) in value.members().enumerate() {
            if holds(key) {
                path.push_str(&format!("{{key {position}}}"));
            } else if holds(member) {
                let name = key.name();
                if is_name(&name) {
                    let dot = if path.is_empty() { "" } else { "." };
                    path.push_str(&format!("{dot}{}", String::from_utf8_lossy(&name)));
                } else {
                    path.push_str(&format!("{{{position}}}"));
                }
                here = Some(member);
            }
        }
        if let Some((position, item)) = value.items().enumerate().find(|(_, item)| holds(*item)) {
            path.push_str(&format!("[{position}]"));
            here = Some(item);
        }
    }
    path
}

/// Letters and underscores only, as all keys of the formats are. Secrets and numbers of people do not look so.
fn is_name(key: &[u8]) -> bool {
    (1..=40).contains(&key.len()) && key.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_')
}

/// The MIME type of a `data:` URL in base64 (RFC 2397), in raw JSON string content. With escapes in it, it counts as text.
fn data_url(raw: &[u8]) -> Option<&[u8]> {
    let head = raw.get(..raw.len().min(256))?;
    let (scheme, rest) = head.split_at_checked(5)?;
    let comma = rest.iter().position(|byte| *byte == b',')?;
    let mime = rest.get(..comma)?.strip_suffix(b";base64")?;
    scheme.eq_ignore_ascii_case(b"data:").then_some(mime)
}

/// Whether a model reads files of this MIME type as text, so that scanners should, too. An empty type means text (RFC 2397).
fn is_text(mime: &[u8]) -> bool {
    const NOT_TEXT: &[&[u8]] = &[
        b"image/",
        b"audio/",
        b"video/",
        b"font/",
        b"application/pdf",
        b"application/octet-stream",
        b"application/zip",
        b"application/msword",
        b"application/vnd.",
    ];
    let starts = |prefix: &&[u8]| {
        mime.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let xml = mime.ends_with(b"+xml") || mime.ends_with(b"+json");
    xml || !NOT_TEXT.iter().any(starts)
}

/// Words of the protocols and of JSON Schema: structure that is the same in every body and carries no text of anyone.
fn is_word(raw: &[u8]) -> bool {
    matches!(
        raw,
        b"assistant"
            | b"user"
            | b"system"
            | b"developer"
            | b"tool"
            | b"function"
            | b"model"
            | b"text"
            | b"type"
            | b"role"
            | b"content"
            | b"name"
            | b"description"
            | b"parameters"
            | b"properties"
            | b"required"
            | b"items"
            | b"enum"
            | b"title"
            | b"default"
            | b"format"
            | b"strict"
            | b"schema"
            | b"$schema"
            | b"additionalProperties"
            | b"input_schema"
            | b"minimum"
            | b"maximum"
            | b"object"
            | b"array"
            | b"string"
            | b"number"
            | b"integer"
            | b"boolean"
            | b"null"
            | b"OBJECT"
            | b"ARRAY"
            | b"STRING"
            | b"NUMBER"
            | b"INTEGER"
            | b"BOOLEAN"
            | b"image"
            | b"image_url"
            | b"input_audio"
            | b"file"
            | b"document"
            | b"refusal"
            | b"json_schema"
            | b"json_object"
            | b"thinking"
            | b"redacted_thinking"
            | b"tool_use"
            | b"tool_result"
            | b"base64"
            | b"ephemeral"
            | b"auto"
            | b"list"
            | b"embedding"
            | b"chat.completion"
            | b"chat.completion.chunk"
            | b"text_completion"
            | b"stop"
            | b"length"
            | b"tool_calls"
            | b"content_filter"
            | b"message"
            | b"message_start"
            | b"message_delta"
            | b"message_stop"
            | b"content_block_start"
            | b"content_block_delta"
            | b"content_block_stop"
            | b"text_delta"
            | b"input_json_delta"
            | b"thinking_delta"
            | b"signature_delta"
            | b"citations_delta"
            | b"ping"
            | b"end_turn"
            | b"max_tokens"
            | b"stop_sequence"
            | b"STOP"
            | b"MAX_TOKENS"
            | b"SAFETY"
            | b"error"
    )
}
