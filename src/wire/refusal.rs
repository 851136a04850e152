//! What a client receives instead of an answer, in the shape its SDK understands. Never the text that was the reason.

use serde_json::{Value, json};

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

    fn error(&self, family: Family) -> Value {
        let message = self.explained();
        match family {
            Family::OpenAi => json!({"error": {
                "message": message,
                "type": "invalid_request_error",
                "param": null,
                "code": self.code,
                "sluicegate": {"rule": self.rule, "request_id": self.request_id},
            }}),
            Family::Anthropic => json!({
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": message,
                    "sluicegate": {"code": self.code, "rule": self.rule},
                },
                "request_id": self.request_id,
            }),
            Family::Gemini => json!({"error": {
                "code": 400,
                "message": message,
                "status": "INVALID_ARGUMENT",
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": self.code.to_ascii_uppercase(),
                    "domain": "sluicegate",
                    "metadata": {"rule": self.rule, "request_id": self.request_id},
                }],
            }}),
        }
    }
}

/// The whole body of a refused exchange; `model` as the request named it.
pub fn body(api: Api, refusal: &Refusal, model: Option<&str>) -> Vec<u8> {
    let value = match refusal.shape(api) {
        Respond::Error => refusal.error(api.family()),
        Respond::Message => message(api, refusal, model_name(model)),
    };
    value.to_string().into_bytes()
}

/// The bytes that end a stream by a refusal, after the events that `context` knows of.
pub fn events(api: Api, framing: Framing, refusal: &Refusal, context: &StreamContext) -> Vec<u8> {
    let mut out = Writer::new(framing, context);
    // If every answer is finished there is none left to put a message into.
    let all_finished = context.has_choices() && context.open_choices().next().is_none();
    if refusal.shape(api) == Respond::Error || all_finished {
        out.event(Some("error"), api, &refusal.error(api.family()));
    } else {
        match api {
            Api::Chat | Api::Completions | Api::Embeddings => {
                openai(&mut out, api, refusal, context)
            }
            Api::Messages => anthropic(&mut out, refusal, context),
            Api::Gemini => gemini(&mut out, refusal, context),
        }
    }
    out.finish(api)
}

/// The bytes that end a stream whose upstream failed: an error and nothing that looks like a proper end, apart from the
/// closing bracket that makes an array readable.
pub fn broken(
    api: Api,
    framing: Framing,
    context: &StreamContext,
    message: &str,
    request_id: &str,
) -> Vec<u8> {
    let mut out = Writer::new(framing, context);
    let value = error_value(api.family(), 502, "upstream_failed", (message, request_id));
    out.event(Some("error"), api, &value);
    match framing {
        Framing::Sse => out.bytes,
        Framing::JsonArray => out.finish(api),
    }
}

/// The body of any other error that the gateway itself answers with.
pub fn error(family: Family, status: u16, code: &str, message: &str, request_id: &str) -> Vec<u8> {
    let value = error_value(family, status, code, (message, request_id));
    value.to_string().into_bytes()
}

fn error_value(
    family: Family,
    status: u16,
    code: &str,
    (message, request_id): (&str, &str),
) -> Value {
    match family {
        Family::OpenAi => json!({"error": {
            "message": format!("{message} (request {request_id})"),
            "type": openai_type(status),
            "param": null,
            "code": code,
        }}),
        Family::Anthropic => json!({
            "type": "error",
            "error": {"type": anthropic_type(status), "message": message},
            "request_id": request_id,
        }),
        Family::Gemini => json!({"error": {
            "code": status,
            "message": message,
            "status": gemini_status(status),
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": code.to_ascii_uppercase(),
                "domain": "sluicegate",
                "metadata": {"request_id": request_id},
            }],
        }}),
    }
}

/// The error types of OpenAI's API.
fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The error types of Anthropic's API.
fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The names of google.rpc.Code for HTTP statuses, as google/rpc/code.proto maps them.
fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        502 | 503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

/// A whole answer that says the policy's text.
fn message(api: Api, refusal: &Refusal, model: &str) -> Value {
    let (id, text) = (&refusal.request_id, &refusal.message);
    let usage = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    match api {
        Api::Chat => json!({
            "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": 0, "model": model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": null},
                "logprobs": null,
                "finish_reason": refusal.code,
            }],
            "usage": usage,
        }),
        Api::Completions | Api::Embeddings => json!({
            "id": format!("cmpl-{id}"), "object": "text_completion", "created": 0, "model": model,
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": refusal.code}],
            "usage": usage,
        }),
        Api::Messages => json!({
            "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "refusal", "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }),
        Api::Gemini => json!({
            "candidates": [{
                "content": {"parts": [{"text": text}], "role": "model"},
                "finishReason": "SAFETY",
                "index": 0,
            }],
            "modelVersion": model,
            "responseId": id,
        }),
    }
}

/// The policy's text and the finish reason for every choice that is open.
fn openai(out: &mut Writer, api: Api, refusal: &Refusal, context: &StreamContext) {
    let chat = api == Api::Chat;
    let (prefix, object) = if chat {
        ("chatcmpl", "chat.completion.chunk")
    } else {
        ("cmpl", "text_completion")
    };
    let id = context.id.clone();
    let id = id.unwrap_or_else(|| format!("{prefix}-{}", refusal.request_id));
    let open: Vec<u32> = context.open_choices().collect();
    let open = if open.is_empty() { vec![0] } else { open };
    let mut write = |choice: Value| {
        let model = model_name(context.model.as_deref());
        let event =
            json!({"id": id, "object": object, "created": 0, "model": model, "choices": [choice]});
        out.event(None, api, &event);
    };
    for index in open {
        let text = &refusal.message;
        let role = if context.started {
            json!({})
        } else {
            json!({"role": "assistant"})
        };
        if chat {
            let mut delta = role;
            if let Some(delta) = delta.as_object_mut() {
                delta.insert("content".to_owned(), json!(text));
            }
            write(json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null}));
            write(
                json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": refusal.code}),
            );
        } else {
            write(
                json!({"index": index, "text": text, "logprobs": null, "finish_reason": refusal.code}),
            );
        }
    }
}

/// A text block of its own after whatever block is open, then the events that end a message.
fn anthropic(out: &mut Writer, refusal: &Refusal, context: &StreamContext) {
    let mut write = |name: &'static str, event: Value| out.event(Some(name), Api::Messages, &event);
    if !context.started {
        let message = json!({
            "id": format!("msg_{}", refusal.request_id), "type": "message", "role": "assistant",
            "model": model_name(context.model.as_deref()),
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        });
        write(
            "message_start",
            json!({"type": "message_start", "message": message}),
        );
    }
    if let Some(open) = context.open_block {
        write(
            "content_block_stop",
            json!({"type": "content_block_stop", "index": open}),
        );
    }
    let index = context.next_block;
    write(
        "content_block_start",
        json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}),
    );
    write(
        "content_block_delta",
        json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": refusal.message}}),
    );
    write(
        "content_block_stop",
        json!({"type": "content_block_stop", "index": index}),
    );
    write(
        "message_delta",
        json!({
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_sequence": null},
            "usage": {"output_tokens": 0},
        }),
    );
    write("message_stop", json!({"type": "message_stop"}));
}

fn gemini(out: &mut Writer, refusal: &Refusal, context: &StreamContext) {
    let open: Vec<u32> = context.open_choices().collect();
    let open = if open.is_empty() { vec![0] } else { open };
    let candidates: Vec<Value> = open
        .into_iter()
        .map(|index| {
            json!({
                "content": {"parts": [{"text": refusal.message}], "role": "model"},
                "finishReason": "SAFETY",
                "index": index,
            })
        })
        .collect();
    let model = model_name(context.model.as_deref());
    let id = context.id.as_deref().unwrap_or(&refusal.request_id);
    let event = json!({"candidates": candidates, "modelVersion": model, "responseId": id});
    out.event(None, Api::Gemini, &event);
}

/// A model's name as the client or the provider gave it, unless it could be something else than a name.
fn model_name(model: Option<&str>) -> &str {
    let name = |b: u8| b.is_ascii_alphanumeric() || b"._:/@-".contains(&b);
    model
        .filter(|model| model.len() <= 128 && model.bytes().all(name))
        .unwrap_or("unknown")
}

/// Writes events in either framing.
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

    /// One event; only Anthropic's clients go by its name.
    fn event(&mut self, name: Option<&str>, api: Api, value: &Value) {
        let before = match (self.framing, self.empty) {
            (Framing::Sse, _) => "data: ",
            (Framing::JsonArray, true) => "[",
            (Framing::JsonArray, false) => ",\r\n",
        };
        self.empty = false;
        if let Some(name) = name.filter(|_| api == Api::Messages && self.framing == Framing::Sse) {
            self.bytes
                .extend_from_slice(format!("event: {name}\n").as_bytes());
        }
        self.bytes.extend_from_slice(before.as_bytes());
        self.bytes.extend_from_slice(value.to_string().as_bytes());
        if self.framing == Framing::Sse {
            self.bytes.extend_from_slice(b"\n\n");
        }
    }

    /// What follows the last event.
    fn finish(mut self, api: Api) -> Vec<u8> {
        match (self.framing, api.family()) {
            (Framing::JsonArray, _) => self.bytes.extend_from_slice(b"]"),
            (Framing::Sse, Family::OpenAi) => self.bytes.extend_from_slice(b"data: [DONE]\n\n"),
            (Framing::Sse, Family::Anthropic | Family::Gemini) => {}
        }
        self.bytes
    }
}
