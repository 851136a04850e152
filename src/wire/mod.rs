//! The formats of LLM APIs: where their bodies and events hold text, and how to write them.
//!
//! Formats do not judge. They say where each string is; nothing in a body is left out by them, whatever its key: every string
//! value is a [`Piece`], except what no model or person reads as text, which is counted or known:
//! - base64 of images, audio and binary files, and text given as token numbers: counted as `media`;
//! - words of the protocol itself (`"role": "assistant"`), recognised by key and value together;
//! - embedding vectors in base64, empty strings.
//!
//! Long numbers that a tool is given or gives back are pieces too: a model reads them as it reads text.
//!
//! Readers count what they have visited against the number of strings in the document, and refuse the body if one was missed.
//!
//! Keys are pieces where a model reads them: in tool definitions, schemas, tool inputs and results, and below unknown members.

pub mod json;
pub mod refusal;
pub mod sse;

mod array;
mod body;
mod calls;
mod chat;
mod completions;
mod context;
mod embeddings;
mod event;
mod gemini;
mod lines;
mod mark;
mod messages;
mod odd;
mod path;
mod realtime;
mod responses;
mod settings;
mod shape;
mod template;
mod walk;
mod words;

pub use body::{Body, Facts, read_request, read_response};
pub use calls::{Call, free_text};
pub use context::StreamContext;
pub use event::{Advance, Close, Event, read_event};
pub use odd::Numbered;
pub use responses::kept::{Reference, References, Referent};

use crate::text::{Form, Origin, Span};

/// The wire format that is spoken. Not the vendor: many vendors speak `chat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI responses.
    Responses,
    /// OpenAI completions (the older, single-prompt API).
    Completions,
    /// OpenAI embeddings.
    Embeddings,
    /// Anthropic messages, token counting included.
    Messages,
    /// Gemini generateContent and its relatives.
    Gemini,
    /// Events of OpenAI's realtime API, which come over a WebSocket.
    Realtime,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Responses,
        Self::Completions,
        Self::Embeddings,
        Self::Messages,
        Self::Gemini,
        Self::Realtime,
    ];

    /// The name in logs, metrics and policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Realtime => "realtime",
        }
    }

    /// Whose conventions it follows.
    pub const fn family(self) -> Family {
        match self {
            Self::Chat
            | Self::Responses
            | Self::Completions
            | Self::Embeddings
            | Self::Realtime => Family::OpenAi,
            Self::Messages => Family::Anthropic,
            Self::Gemini => Family::Gemini,
        }
    }
}

/// Whose conventions for keys, errors and paths apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `Authorization: Bearer`, `{"error": {"message", "type", "param", "code"}}`.
    OpenAi,
    /// `x-api-key`, `{"type": "error", "error": {"type", "message"}}`.
    Anthropic,
    /// `x-goog-api-key` or `?key=`, `{"error": {"code", "message", "status"}}`.
    Gemini,
}

/// How a streamed answer is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// `text/event-stream` (WHATWG HTML, section 9.2).
    Sse,
    /// One JSON array whose elements arrive one by one (Gemini without `alt=sse`).
    JsonArray,
    /// Messages of a WebSocket, of which each is an event.
    Messages,
}

/// A string in a body or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not one state"
)]
pub struct Piece {
    /// The raw JSON content between the quotes, escapes not undone, in the body's or event data's bytes.
    pub span: Span,
    /// Who wrote it.
    pub origin: Origin,
    /// How its reader will understand it.
    pub form: Form,
    /// Whether it goes on a segment of earlier events, or is whole.
    pub part: Part,
    /// It is given to a tool, or is part of what is.
    pub argument: bool,
    /// It is said to or by a model: text that may go on in the next part or message, unlike names and settings.
    pub said: bool,
    /// It is where a client puts a credential that the provider is to use elsewhere; no model reads it.
    pub credential: bool,
    /// It is no string but a number, or several in a list, as they stand.
    pub bare: bool,
}

/// How a string in an event relates to the strings of other events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A whole string: everything in a plain body; ids, names and the like in events.
    Whole,
    /// The next delta of a lane.
    Delta(Lane),
    /// All of a running text so far, which the next event has again and goes on.
    Snapshot,
}

/// One running text of a streamed answer: all its deltas joined are one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The choice, candidate or output item; 0 where the format has one answer only.
    pub choice: u32,
    /// Which text of the choice.
    pub field: Field,
    /// The content block, part or tool call; 0 where there is one only.
    pub index: u32,
    /// A hash of the members that lead there, where the same text has other names too or no format knows it; else 0.
    pub path: u32,
}

/// The choice of what belongs to none.
const NO_CHOICE: u32 = u32::MAX;

/// The kinds of running text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// What the user is shown.
    Content,
    /// Thinking, reasoning and summaries of it.
    Reasoning,
    /// A refusal by the model itself.
    Refusal,
    /// The name of a tool to call, where a format streams it.
    ToolName,
    /// Arguments of a tool call, as JSON text.
    ToolArguments,
    /// Spoken audio's transcript.
    Transcript,
    /// Anything else that comes in pieces (signatures, citations); scanned like content.
    Other,
}

/// Tokens that the provider says it has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// Of those read, the ones from the provider's cache.
    pub cached: u64,
    /// Of those written, the ones that nobody sees.
    pub reasoning: u64,
}

impl Usage {
    /// The use of two answers.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cached: self.cached.saturating_add(other.cached),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }

    /// The use known after a later report: reports are running totals and may leave out what was said before.
    #[must_use]
    pub fn max(self, later: Self) -> Self {
        Self {
            input: self.input.max(later.input),
            output: self.output.max(later.output),
            cached: self.cached.max(later.cached),
            reasoning: self.reasoning.max(later.reasoning),
        }
    }
}
