//! Refusals in the shapes of the realtime API.

use serde_json::{Value, json};

use super::{Refusal, Writer};
use crate::wire::{Api, StreamContext};

/// The event of an error, with the members of `body`, which a request of its own would get.
pub(super) fn error(out: &mut Writer, body: &Value) {
    let mut error = body.get("error").cloned().unwrap_or_default();
    if let Some(members) = error.as_object_mut() {
        // The client's event that was the reason; what was refused may well not be of the client's.
        members.insert("event_id".to_owned(), Value::Null);
    }
    let event = json!({"type": "error", "event_id": "event_sluicegate", "error": error});
    out.event(None, Api::Realtime, &event);
}

/// An answer that says the policy's text and that it is no complete one; the rest of the one that is under way, if one is.
pub(super) fn message(out: &mut Writer, refusal: &Refusal, context: &StreamContext) {
    let fresh = format!("resp_{}", refusal.request_id);
    let answer_id = context.id.as_deref().unwrap_or(&fresh);
    let answer = |status: &str, details: Value, output: Value| {
        json!({"response": {
            "object": "realtime.response", "id": answer_id, "status": status,
            "status_details": details, "output": output, "metadata": null, "usage": null,
        }})
    };
    let mut events = Vec::new();
    if !context.started {
        let begun = answer("in_progress", Value::Null, json!([]));
        events.push(("response.created", begun));
    }
    let details = json!({"type": "incomplete", "reason": refusal.code});
    let parts = json!([{"type": "output_text", "text": refusal.message}]);
    let whole = item(refusal, "incomplete", &parts);
    events.extend(said(refusal, &whole, (answer_id, context.next_block)));
    let done = answer("incomplete", details, json!([whole]));
    events.push(("response.done", done));
    for (count, (kind, members)) in events.into_iter().enumerate() {
        let id = format!("event_{}_{count}", refusal.request_id);
        let event = joined(json!({"type": kind, "event_id": id}), members);
        out.event(None, Api::Realtime, &event);
    }
}

/// The events of one item at a place of an answer.
fn said(
    refusal: &Refusal,
    whole: &Value,
    (answer_id, place): (&str, u32),
) -> [(&'static str, Value); 6] {
    let text = &refusal.message;
    let of_answer = |members: Value| {
        let place = json!({"response_id": answer_id, "output_index": place});
        joined(place, members)
    };
    let of_part = |members: Value| {
        let place = json!({"item_id": whole.get("id"), "content_index": 0});
        of_answer(joined(place, members))
    };
    let part = |text: &str| of_part(json!({"part": {"type": "text", "text": text}}));
    let begun = item(refusal, "in_progress", &json!([]));
    [
        (
            "response.output_item.added",
            of_answer(json!({"item": begun})),
        ),
        ("response.content_part.added", part("")),
        (
            "response.output_text.delta",
            of_part(json!({"delta": text})),
        ),
        ("response.output_text.done", of_part(json!({"text": text}))),
        ("response.content_part.done", part(text)),
        (
            "response.output_item.done",
            of_answer(json!({"item": whole})),
        ),
    ]
}

fn item(refusal: &Refusal, status: &str, content: &Value) -> Value {
    json!({
        "object": "realtime.item", "id": format!("item_{}", refusal.request_id), "type": "message",
        "role": "assistant", "status": status, "content": content,
    })
}

fn joined(mut object: Value, members: Value) -> Value {
    if let (Value::Object(object), Value::Object(members)) = (&mut object, members) {
        object.extend(members);
    }
    object
}
