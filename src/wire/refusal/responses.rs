//! Refusals in the shapes of the responses API.

use serde_json::{Value, json};

use super::message::model_name;
use super::{Refusal, Writer};
use crate::wire::{Api, StreamContext};

/// A whole answer that says the policy's text and that it is no complete one.
pub(super) fn whole(refusal: &Refusal, model: &str) -> Value {
    let id = format!("resp_{}", refusal.request_id);
    let mut answer = answer(&id, model, refusal);
    set(&mut answer, "output", json!([item(refusal)]));
    answer
}

/// An item of its own after those that were begun, then the event that ends an answer short of its end. An item that is open
/// stays so: its text as a whole, which would have to be said at its end, is not known.
pub(super) fn message(out: &mut Writer, refusal: &Refusal, context: &StreamContext) {
    let fresh = format!("resp_{}", refusal.request_id);
    let id = context.id.as_deref().unwrap_or(&fresh);
    let mut answer = answer(id, model_name(context.model.as_deref()), refusal);
    let mut number = context.next_sequence;
    let mut write = |kind: &str, members: Value| {
        let mut event = json!({"type": kind, "sequence_number": number});
        for (key, value) in members.as_object().into_iter().flatten() {
            set(&mut event, key, value.clone());
        }
        number += 1;
        out.event(Some(kind), Api::Responses, &event);
    };
    if !context.started {
        let mut begun = answer.clone();
        set(&mut begun, "status", json!("in_progress"));
        set(&mut begun, "incomplete_details", Value::Null);
        write("response.created", json!({"response": begun}));
    }
    let (whole, place, text) = (item(refusal), context.next_block, &refusal.message);
    let mut begun = whole.clone();
    set(&mut begun, "status", json!("in_progress"));
    set(&mut begun, "content", json!([]));
    write(
        "response.output_item.added",
        json!({"output_index": place, "item": begun}),
    );
    let part = json!({"item_id": whole.get("id"), "output_index": place, "content_index": 0});
    let with = |key: &str, value: Value| {
        let mut members = part.clone();
        set(&mut members, key, value);
        members
    };
    write("response.content_part.added", with("part", content("")));
    let mut delta = with("delta", json!(text));
    set(&mut delta, "logprobs", json!([]));
    write("response.output_text.delta", delta);
    let mut done = with("text", json!(text));
    set(&mut done, "logprobs", json!([]));
    write("response.output_text.done", done);
    write("response.content_part.done", with("part", content(text)));
    write(
        "response.output_item.done",
        json!({"output_index": place, "item": whole}),
    );
    set(&mut answer, "output", json!([whole]));
    write("response.incomplete", json!({"response": answer}));
}

/// The event of an error. SDKs raise it where it has an `error`, as OpenAI's own servers write it; its reference has the members
/// beside the type. So it has both.
pub(super) fn error(out: &mut Writer, body: &Value, context: &StreamContext) {
    let error = body.get("error");
    let member = |key| error.and_then(|error| error.get(key));
    let event = json!({
        "type": "error",
        "code": member("code"),
        "message": member("message"),
        "param": null,
        "sequence_number": context.next_sequence,
        "error": error,
    });
    out.event(Some("error"), Api::Responses, &event);
}

/// An answer without output.
fn answer(id: &str, model: &str, refusal: &Refusal) -> Value {
    json!({
        "id": id, "object": "response", "created_at": 0, "status": "incomplete", "background": false,
        "error": null, "incomplete_details": {"reason": refusal.code},
        "instructions": null, "max_output_tokens": null, "model": model, "output": [],
        "parallel_tool_calls": true, "previous_response_id": null, "temperature": null,
        "tool_choice": "auto", "tools": [], "top_p": null, "metadata": {},
        "usage": {
            "input_tokens": 0, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 0, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 0,
        },
    })
}

fn item(refusal: &Refusal) -> Value {
    json!({
        "id": format!("msg_{}", refusal.request_id), "type": "message", "role": "assistant",
        "status": "incomplete", "content": [content(&refusal.message)],
    })
}

fn content(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}
