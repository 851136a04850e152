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
    let number = &refusal.request_id;
    let fresh = format!("resp_{number}");
    let answer_id = context.id.as_deref().unwrap_or(&fresh);
    let mut count = 0;
    let mut write = |kind: &str, members: Value| {
        count += 1;
        let mut event = json!({"type": kind, "event_id": format!("event_{number}_{count}")});
        if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
            event.extend(members);
        }
        out.event(None, Api::Realtime, &event);
    };
    let answer = |status: &str, details: Value, output: Value| {
        json!({"response": {
            "object": "realtime.response", "id": answer_id, "status": status,
            "status_details": details, "output": output, "metadata": null, "usage": null,
        }})
    };
    if !context.started {
        write(
            "response.created",
            answer("in_progress", Value::Null, json!([])),
        );
    }
    let (text, place) = (&refusal.message, context.next_block);
    let item_id = format!("item_{number}");
    let item = |status: &str, content: Value| {
        json!({
            "object": "realtime.item", "id": item_id, "type": "message", "role": "assistant",
            "status": status, "content": content,
        })
    };
    let whole = item("incomplete", json!([{"type": "output_text", "text": text}]));
    let in_answer = |key: &str, value: Value| {
        let mut members = json!({"response_id": answer_id, "output_index": place});
        if let Some(members) = members.as_object_mut() {
            members.insert(key.to_owned(), value);
        }
        members
    };
    let in_part = |key: &str, value: Value| {
        let mut members = in_answer(key, value);
        if let Some(members) = members.as_object_mut() {
            members.insert("item_id".to_owned(), json!(item_id));
            members.insert("content_index".to_owned(), json!(0));
        }
        members
    };
    let begun = item("in_progress", json!([]));
    write("response.output_item.added", in_answer("item", begun));
    let part = |text: &str| json!({"type": "text", "text": text});
    write("response.content_part.added", in_part("part", part("")));
    write("response.output_text.delta", in_part("delta", json!(text)));
    write("response.output_text.done", in_part("text", json!(text)));
    write("response.content_part.done", in_part("part", part(text)));
    write(
        "response.output_item.done",
        in_answer("item", whole.clone()),
    );
    let details = json!({"type": "incomplete", "reason": refusal.code});
    write(
        "response.done",
        answer("incomplete", details, json!([whole])),
    );
}
