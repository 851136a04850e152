//! What a client receives instead of an answer, in the shape its SDK understands. Never the text that was the reason.

mod errors;
mod message;
mod realtime;
mod responses;

use serde_json::Value;

use super::{Api, Family, Framing, StreamContext};

/// How a blocked client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Respond {
    /// The provider's own error.
    #[default]
    Error,
    /// An ordinary answer with the policy's text and the provider's finish reason for filtered content.
    Message,
}

/// A refusal by the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind, for programs: `content_filter`.
    pub code: &'static str,
    /// The rule that decided.
    pub rule: String,
    /// The policy's text for the client.
    pub message: String,
    /// The exchange, as in the log and the audit record.
    pub request_id: String,
    /// How many answers the request asked for: each says the text.
    pub choices: u32,
    /// In which shape. Exchanges that yield no message (embeddings, token counts) need [`Respond::Error`].
    pub respond: Respond,
}

impl Refusal {
    /// The HTTP status to send [`body`] with.
    pub fn status(&self, api: Api) -> u16 {
        match self.shape(api) {
            Respond::Error => 400,
            Respond::Message => 200,
        }
    }

    fn shape(&self, api: Api) -> Respond {
        // An embedding has no place for a message.
        if api == Api::Embeddings {
            Respond::Error
        } else {
            self.respond
        }
    }

    /// The text of an error: 403 or 401 would make people look at their key, so rule and request are named.
    fn explained(&self) -> String {
        format!(
            "{} (rule {}, request {})",
            self.message, self.rule, self.request_id
        )
    }
}

/// The whole body of a refused exchange; `model` as the request named it.
pub fn body(api: Api, refusal: &Refusal, model: Option<&str>) -> Vec<u8> {
    let value = match refusal.shape(api) {
        Respond::Error => errors::refused(refusal, api.family()),
        Respond::Message => message::whole(api, refusal, message::model_name(model)),
    };
    value.to_string().into_bytes()
}

/// The bytes that end a stream by a refusal, after the events that `context` knows of. Messages of a WebSocket are one a line.
pub fn events(api: Api, framing: Framing, refusal: &Refusal, context: &StreamContext) -> Vec<u8> {
    let mut out = Writer::new(framing, context);
    // If every answer is finished there is none left to put a message into.
    // Items of responses are not such answers: another one may always follow.
    let all_finished = !matches!(api, Api::Responses | Api::Realtime)
        && context.has_choices()
        && context.open_choices().next().is_none();
    if refusal.shape(api) == Respond::Error || all_finished {
        out.error(api, &errors::refused(refusal, api.family()), context);
    } else {
        match api {
            Api::Chat | Api::Completions | Api::Embeddings => {
                message::openai(&mut out, api, refusal, context);
            }
            Api::Responses => responses::message(&mut out, refusal, context),
            Api::Messages => message::anthropic(&mut out, refusal, context),
            Api::Gemini => message::gemini(&mut out, refusal, context),
            Api::Realtime => realtime::message(&mut out, refusal, context),
        }
    }
    out.finish(api)
}

/// The bytes that end a stream before its answer's end, by an error of this status and code: an error and nothing that looks like a proper end, apart from the
/// closing bracket that makes an array readable.
pub fn broken(
    api: Api,
    framing: Framing,
    context: &StreamContext,
    (status, code, message): (u16, &str, &str),
    request_id: &str,
) -> Vec<u8> {
    let mut out = Writer::new(framing, context);
    let value = errors::other(api.family(), status, code, (message, request_id));
    out.error(api, &value, context);
    match framing {
        Framing::Sse | Framing::Messages => out.bytes,
        Framing::JsonArray => out.finish(api),
    }
}

/// The body of any other error that the gateway itself answers with.
pub fn error(family: Family, status: u16, code: &str, message: &str, request_id: &str) -> Vec<u8> {
    let value = errors::other(family, status, code, (message, request_id));
    value.to_string().into_bytes()
}

/// An event that tells of any other error, in a stream that may go on.
pub fn error_event(api: Api, status: u16, code: &str, message: &str, request_id: &str) -> Vec<u8> {
    let mut out = Writer::new(Framing::Messages, &StreamContext::default());
    let value = errors::other(api.family(), status, code, (message, request_id));
    out.error(api, &value, &StreamContext::default());
    out.bytes.pop(); // the line's end
    out.bytes
}

/// Writes events in any framing.
struct Writer {
    framing: Framing,
    bytes: Vec<u8>,
    /// No element of the array has been written.
    empty: bool,
}

impl Writer {
    fn new(framing: Framing, context: &StreamContext) -> Self {
        Self {
            framing,
            bytes: Vec::new(),
            empty: !context.started,
        }
    }

    /// An error, given as the body that a request of its own would get.
    fn error(&mut self, api: Api, body: &Value, context: &StreamContext) {
        match api {
            Api::Responses => responses::error(self, body, context),
            Api::Realtime => realtime::error(self, body),
            _ => self.event(Some("error"), api, body),
        }
    }

    /// One event; clients go by its name in Anthropic's messages and OpenAI's responses.
    fn event(&mut self, name: Option<&str>, api: Api, value: &Value) {
        let before = match (self.framing, self.empty) {
            (Framing::Sse, _) => "data: ",
            (Framing::Messages, _) => "",
            (Framing::JsonArray, true) => "[",
            (Framing::JsonArray, false) => ",\r\n",
        };
        self.empty = false;
        if let Some(name) = name.filter(|_| is_named(api) && self.framing == Framing::Sse) {
            self.bytes
                .extend_from_slice(format!("event: {name}\n").as_bytes());
        }
        self.bytes.extend_from_slice(before.as_bytes());
        self.bytes.extend_from_slice(value.to_string().as_bytes());
        self.bytes.extend_from_slice(match self.framing {
            Framing::Sse => b"\n\n",
            Framing::Messages => b"\n",
            Framing::JsonArray => b"",
        });
    }

    /// What follows the last event.
    fn finish(mut self, api: Api) -> Vec<u8> {
        match (self.framing, api.family()) {
            (Framing::JsonArray, _) => self.bytes.extend_from_slice(b"]"),
            // Streams of responses end with an event of their own.
            (Framing::Sse, Family::OpenAi) if api != Api::Responses => {
                self.bytes.extend_from_slice(b"data: [DONE]\n\n");
            }
            (Framing::Sse, Family::OpenAi | Family::Anthropic | Family::Gemini)
            | (Framing::Messages, _) => {}
        }
        self.bytes
    }
}

/// Whether the events of an API's streams have names.
const fn is_named(api: Api) -> bool {
    matches!(api, Api::Messages | Api::Responses)
}
