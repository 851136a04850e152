//! Answers that say the policy's text, whole or as the events that end a stream.

use serde_json::{Value, json};

use super::{Refusal, Writer, responses};
use crate::wire::{Api, StreamContext};

/// More answers than any API gives.
const MAX_CHOICES: u32 = 128;

/// The answers that a request asked for.
fn asked(refusal: &Refusal) -> std::ops::Range<u32> {
    0..refusal.choices.clamp(1, MAX_CHOICES)
}

/// The answers that are open, or that have not begun.
fn unfinished(refusal: &Refusal, context: &StreamContext) -> Vec<u32> {
    let new = asked(refusal).filter(|index| !context.has_begun(*index));
    let mut all: Vec<u32> = context.open_choices().chain(new).collect();
    all.sort_unstable();
    all
}

/// A whole answer that says the policy's text.
pub(super) fn whole(api: Api, refusal: &Refusal, model: &str) -> Value {
    let (id, text) = (&refusal.request_id, &refusal.message);
    let usage = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    match api {
        Api::Chat => json!({
            "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": 0, "model": model,
            "choices": asked(refusal).map(|index| json!({
                "index": index,
                "message": {"role": "assistant", "content": text, "refusal": null},
                "logprobs": null,
                "finish_reason": refusal.code,
            })).collect::<Vec<_>>(),
            "usage": usage,
        }),
        Api::Responses => responses::whole(refusal, model),
        Api::Completions | Api::Embeddings | Api::Realtime => json!({
            "id": format!("cmpl-{id}"), "object": "text_completion", "created": 0, "model": model,
            "choices": asked(refusal).map(|index| json!(
                {"index": index, "text": text, "logprobs": null, "finish_reason": refusal.code}
            )).collect::<Vec<_>>(),
            "usage": usage,
        }),
        Api::Messages => json!({
            "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "refusal", "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }),
        Api::Gemini => json!({
            "candidates": asked(refusal).map(|index| candidate(refusal, index)).collect::<Vec<_>>(),
            "modelVersion": model,
            "responseId": id,
        }),
    }
}

/// The policy's text and the finish reason for every choice that is open.
pub(super) fn openai(out: &mut Writer, api: Api, refusal: &Refusal, context: &StreamContext) {
    let chat = api == Api::Chat;
    let (prefix, object) = if chat {
        ("chatcmpl", "chat.completion.chunk")
    } else {
        ("cmpl", "text_completion")
    };
    let id = context.id.clone();
    let id = id.unwrap_or_else(|| format!("{prefix}-{}", refusal.request_id));
    let mut write = |choice: Value| {
        let model = model_name(context.model.as_deref());
        let event =
            json!({"id": id, "object": object, "created": 0, "model": model, "choices": [choice]});
        out.event(None, api, &event);
    };
    for index in unfinished(refusal, context) {
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
pub(super) fn anthropic(out: &mut Writer, refusal: &Refusal, context: &StreamContext) {
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

pub(super) fn gemini(out: &mut Writer, refusal: &Refusal, context: &StreamContext) {
    let candidates: Vec<Value> = unfinished(refusal, context)
        .into_iter()
        .map(|index| candidate(refusal, index))
        .collect();
    let model = model_name(context.model.as_deref());
    let id = context.id.as_deref().unwrap_or(&refusal.request_id);
    let event = json!({"candidates": candidates, "modelVersion": model, "responseId": id});
    out.event(None, Api::Gemini, &event);
}

fn candidate(refusal: &Refusal, index: u32) -> Value {
    json!({
        "content": {"parts": [{"text": refusal.message}], "role": "model"},
        "finishReason": "SAFETY",
        "index": index,
    })
}

/// A model's name as the client or the provider gave it, unless it could be something else than a name.
pub(super) fn model_name(model: Option<&str>) -> &str {
    let name = |b: u8| b.is_ascii_alphanumeric() || b"._:/@-".contains(&b);
    model
        .filter(|model| model.len() <= 128 && model.bytes().all(name))
        .unwrap_or("unknown")
}
