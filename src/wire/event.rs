//! Single events of streamed answers.

use super::json::{Document, Limits, Malformed, Value};
use super::odd::Numbered;
use super::template::Template;
use super::walk::{Notes, Walk};
use super::{
    Api, Call, Family, Field, Lane, NO_CHOICE, Part, Piece, Usage, calls, chat, completions,
    embeddings, gemini, messages, path, realtime, responses, shape,
};
use crate::text::Span;

/// What one event of a stream holds.
#[derive(Debug, Default)]
pub struct Event {
    /// Its text, in order of place.
    pub pieces: Vec<Piece>,
    /// How far the answer is with it.
    pub advance: Advance,
    /// An error instead of an answer. Also terminal, except in realtime conversations.
    pub error: bool,
    /// Tokens used so far; join reports by [`Usage::max`].
    pub usage: Option<Usage>,
    /// Images, audio and binary files in it.
    pub media: u32,
    /// As [`Body::logprobs`](super::Body::logprobs), for this event alone.
    pub logprobs: Vec<Span>,
    /// Choice and index of the lanes in which the arguments come of a call that starts here.
    pub call: Option<(u32, u32)>,
    /// Which of its items had a number.
    pub numbered: Numbered,
    /// Hashes of the output item that it adds to and of that item's place, where the format tells both.
    pub item: Option<(u64, u64)>,
    /// The format does not know this type of event. Its strings are pieces like all others.
    pub unknown: bool,
    document: Document,
    /// It was read by comparing, so the document is another event's.
    alike: bool,
    template: Template,
}

/// How far an event brings its answer: what a [`StreamContext`](super::StreamContext) takes note of.
#[derive(Clone, Debug, Default)]
pub struct Advance {
    /// Lanes that end with this event, after its own text.
    pub closes: Vec<Close>,
    /// The choices that it has text of.
    pub choices: Vec<u32>,
    /// The stream has said all it will: nothing is missing if the connection ends now.
    pub terminal: bool,
    /// The answer is over, and another one may follow (realtime).
    pub over: bool,
    /// It is part of an answer; in messages: the answer's first event.
    pub begins: bool,
    /// What the event calls itself (messages, responses), as raw JSON string content.
    pub kind: Option<Span>,
    /// The answer's id, as raw JSON string content.
    pub id: Option<Span>,
    /// The model that answers, as raw JSON string content.
    pub model: Option<Span>,
    /// A content block (messages) or output item (responses) that starts here.
    pub opens: Option<u32>,
    /// Its number in the stream (responses).
    pub sequence: Option<u64>,
}

impl Advance {
    fn clear(&mut self) {
        self.closes.clear();
        self.choices.clear();
        *self = Self {
            closes: std::mem::take(&mut self.closes),
            choices: std::mem::take(&mut self.choices),
            ..Self::default()
        };
    }

    fn note(&mut self, found: &Found, pieces: &[Piece]) {
        self.terminal = found.terminal;
        self.over = found.over;
        self.begins = found.begins;
        self.kind = found.kind;
        self.id = found.id;
        self.model = found.model;
        self.opens = found.opens;
        self.sequence = found.sequence;
        for piece in pieces {
            if let Part::Delta(Lane { choice, .. }) = piece.part
                && choice != NO_CHOICE
                && self.choices.last() != Some(&choice)
            {
                self.choices.push(choice);
            }
        }
    }
}

/// No further delta may come for these lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// All lanes of a choice.
    Choice(u32),
    /// What is thought in a choice: some servers number the item that says it like the one with the answer, which comes later.
    Thoughts(u32),
    /// All lanes of a choice with this index.
    Block {
        /// The choice or output item.
        choice: u32,
        /// The content block or part.
        index: u32,
    },
}

impl Close {
    /// Whether it ends `lane`.
    pub fn ends(self, lane: Lane) -> bool {
        match self {
            Self::Choice(choice) => lane.choice == choice,
            Self::Thoughts(choice) => lane.choice == choice && lane.field == Field::Reasoning,
            Self::Block { choice, index } => lane.choice == choice && lane.index == index,
        }
    }
}

impl Event {
    /// As [`Body::path`](super::Body::path), in the event's data.
    pub fn path(&self, data: &[u8], span: Span) -> String {
        self.with_root(data, |root| path::of(root, span))
    }

    /// The calls of tools that it begins or repeats.
    pub fn calls(&self, data: &[u8]) -> Vec<Call> {
        let mut found = Vec::new();
        self.with_root(data, |root| {
            if let Some(root) = root {
                calls::calls(root, &mut found);
            }
        });
        found
    }

    /// The ids in it under which the provider may keep the answer and its items (responses API).
    pub fn ids(&self, data: &[u8]) -> Vec<String> {
        self.with_root(data, |root| root.map(responses::kept::ids))
            .unwrap_or_default()
    }

    fn with_root<R>(&self, data: &[u8], read: impl FnOnce(Option<Value<'_>>) -> R) -> R {
        if !self.alike {
            return read(self.document.root(data));
        }
        let mut document = Document::default();
        let parsed = document.parse_into(data, &Limits::NONE);
        read(parsed.ok().and_then(|()| document.root(data)))
    }

    fn clear(&mut self) {
        self.pieces.clear();
        self.advance.clear();
        self.logprobs.clear();
        *self = Self {
            pieces: std::mem::take(&mut self.pieces),
            advance: std::mem::take(&mut self.advance),
            logprobs: std::mem::take(&mut self.logprobs),
            document: std::mem::take(&mut self.document),
            template: std::mem::take(&mut self.template),
            ..Self::default()
        };
    }
}

/// Finds the text of one event's data in place of what `event` held before, whose memory is used again.
///
/// # Errors
/// The data is neither strict JSON within the limits nor `[DONE]` where the format has it.
pub fn read_event(
    api: Api,
    data: &[u8],
    limits: &Limits,
    event: &mut Event,
) -> Result<(), Malformed> {
    event.clear();
    if data == b"[DONE]" && api.family() != Family::Gemini {
        // Some servers end streams of messages with it, too, after their own last event.
        event.advance.terminal = api.family() == Family::OpenAi;
        return Ok(());
    }
    let template = std::mem::take(&mut event.template);
    event.alike = template.read((api, limits), data, event);
    event.template = template;
    if event.alike {
        return Ok(());
    }
    let mut document = std::mem::take(&mut event.document);
    let result = document.parse_into(data, limits).and_then(|()| {
        let mut walk = Walk::new(Notes::Pieces(&mut event.pieces), &mut event.logprobs);
        let nothing = || Malformed::at(0, "nothing", "a JSON value").located(data);
        let root = document.root(data).ok_or_else(nothing)?;
        let closes = &mut event.advance.closes;
        let mut found = match api {
            Api::Chat => chat::event(&mut walk, root, closes),
            Api::Responses => responses::event(&mut walk, root, closes),
            Api::Completions => completions::event(&mut walk, root, closes),
            // Embeddings do not stream; an event would be a response like any other.
            Api::Embeddings => embeddings::event(&mut walk, root),
            Api::Messages => messages::event(&mut walk, root, closes),
            Api::Gemini => gemini::event(&mut walk, root, closes),
            Api::Realtime => realtime::event(&mut walk, root, closes),
        };
        (event.media, event.numbered) = walk.finish(&document, data)?;
        // A realtime conversation goes on after an error.
        found.terminal |= found.error && api != Api::Realtime;
        event.error = found.error;
        event.usage = found.usage;
        event.call = found.call;
        event.item = found.item;
        event.unknown = found.unknown || !shape::knows_event(api, root);
        event.advance.note(&found, &event.pieces);
        Ok(())
    });
    event.document = document;
    if result.is_err() {
        event.clear();
    } else {
        let mut template = std::mem::take(&mut event.template);
        template.learn((api, limits), data, event);
        event.template = template;
    }
    result
}

/// What a format's reader says of an event beside its text.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not one state"
)]
pub(super) struct Found {
    pub(super) terminal: bool,
    pub(super) error: bool,
    pub(super) over: bool,
    pub(super) usage: Option<Usage>,
    pub(super) kind: Option<Span>,
    pub(super) id: Option<Span>,
    pub(super) model: Option<Span>,
    pub(super) begins: bool,
    pub(super) opens: Option<u32>,
    pub(super) call: Option<(u32, u32)>,
    pub(super) item: Option<(u64, u64)>,
    pub(super) sequence: Option<u64>,
    pub(super) unknown: bool,
}
