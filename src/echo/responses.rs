//! OpenAI's responses.

use serde_json::{Value, json};

use super::answer::{Answer, Delta, Finish, Kind, Part, identifier};
use super::ask::{self, Ask, Prompt};
use super::body::Stream;
use super::{Failure, Reply, set};

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Ask, Failure> {
    let prompt = match body.get("input") {
        Some(Value::String(text)) => Prompt::user(text.clone()),
        _ => prompt(ask::array(body, "input")?),
    };
    Ok(Ask {
        model: ask::string(body, "model")?,
        prompts: vec![prompt],
        choices: 1,
        max_tokens: body.get("max_output_tokens").and_then(Value::as_u64),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: true,
        input_tokens: ask::tokens_in(body),
    })
}

/// The result of a tool if that came last, else what the user said last.
pub(super) fn prompt(items: &[Value]) -> Prompt {
    let is =
        |item: &Value, key: &str, word: &str| item.get(key).and_then(Value::as_str) == Some(word);
    let text = |item: &Value, key: &str| item.get(key).map(ask::text_of).unwrap_or_default();
    let last = items.last();
    if let Some(result) = last.filter(|item| is(item, "type", "function_call_output")) {
        return Prompt::tool(text(result, "output"));
    }
    let user = items.iter().rev().find(|item| is(item, "role", "user"));
    Prompt::user(user.map(|item| text(item, "content")).unwrap_or_default())
}

/// Writes an answer.
pub(super) fn reply(ask: &Ask, answer: Answer) -> Reply {
    let parts: Vec<Part> = answer
        .choices
        .first()
        .map(|choice| choice.parts.clone())
        .unwrap_or_default();
    let finish = answer
        .choices
        .first()
        .map_or(Finish::Stop, |choice| choice.finish);
    let ids: Vec<String> = parts.iter().map(|part| id(&part.kind)).collect();
    let items: Value = parts
        .iter()
        .zip(&ids)
        .map(|(part, id)| item(part, id, &part.text, true))
        .collect();
    let begun = envelope(&answer);
    let mut whole = begun.clone();
    let status = if finish == Finish::Length {
        "incomplete"
    } else {
        "completed"
    };
    set(&mut whole, "status", status.into());
    if finish == Finish::Length {
        set(
            &mut whole,
            "incomplete_details",
            json!({"reason": "max_output_tokens"}),
        );
    }
    set(&mut whole, "output", items);
    set(&mut whole, "usage", usage(&answer));
    if !ask.stream {
        return Reply::Whole(whole);
    }
    // The number of the last event is known before the first is sent: two at the start, then those of each delta.
    let mut numbered = Numbered::default();
    let mut head = numbered.event("response.created", json!({"response": begun}));
    head.extend(numbered.event("response.in_progress", json!({"response": begun})));
    let deltas = events_of(&parts, answer.chunk_chars);
    let mut last = Numbered {
        next: numbered.next + deltas,
    };
    let tail = last.event(&format!("response.{status}"), json!({"response": whole}));
    Reply::Stream(Stream {
        content_type: "text/event-stream; charset=utf-8",
        head,
        tail,
        write: Box::new(move |answer, delta| written(&mut numbered, answer, delta, &ids)),
        answer,
    })
}

/// Events about all parts, deltas included.
fn events_of(parts: &[Part], chunk_chars: usize) -> usize {
    let of = |part: &Part| {
        let deltas = part.text.chars().count().div_ceil(chunk_chars).max(1);
        deltas + parts_events(&part.kind)
    };
    parts.iter().map(of).sum()
}

/// Events about a part beside its deltas.
fn parts_events(kind: &Kind) -> usize {
    match kind {
        Kind::Tool { .. } => 3,
        Kind::Thought | Kind::Text | Kind::Refusal => 5,
    }
}

fn envelope(answer: &Answer) -> Value {
    json!({
        "id": identifier("resp_"),
        "object": "response",
        "created_at": answer.created,
        "status": "in_progress",
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": null,
        "model": answer.model,
        "output": [],
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": "default",
        "store": false,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "metadata": {},
    })
}

fn usage(answer: &Answer) -> Value {
    let output = answer.output_tokens();
    json!({
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": answer.thought_tokens()},
        "total_tokens": answer.input_tokens + output,
    })
}

fn id(kind: &Kind) -> String {
    identifier(match kind {
        Kind::Thought => "rs_",
        Kind::Text | Kind::Refusal => "msg_",
        Kind::Tool { .. } => "fc_",
    })
}

/// An output item that says `text`: whole, or as a stream opens it.
fn item(part: &Part, id: &str, text: &str, whole: bool) -> Value {
    let status = if whole { "completed" } else { "in_progress" };
    let contents: Vec<Value> = whole
        .then(|| content(&part.kind, text))
        .into_iter()
        .collect();
    match &part.kind {
        Kind::Thought => json!({"id": id, "type": "reasoning", "summary": contents}),
        Kind::Text | Kind::Refusal => json!({
            "id": id, "type": "message", "status": status, "role": "assistant", "content": contents,
        }),
        Kind::Tool { id: call, name } => json!({
            "id": id, "type": "function_call", "status": status,
            "call_id": format!("call_{call}"), "name": name, "arguments": text,
        }),
    }
}

fn content(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Thought => json!({"type": "summary_text", "text": text}),
        Kind::Refusal => json!({"type": "refusal", "refusal": text}),
        Kind::Text | Kind::Tool { .. } => {
            json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
        }
    }
}

/// The names of a part's events and members.
struct Names {
    /// `response.….delta`
    text: &'static str,
    /// `response.….added`; empty for tool calls, whose item is all there is.
    part: &'static str,
    index: &'static str,
    whole: &'static str,
}

const fn names(kind: &Kind) -> Names {
    let (text, part, index, whole) = match kind {
        Kind::Thought => (
            "reasoning_summary_text",
            "reasoning_summary_part",
            "summary_index",
            "text",
        ),
        Kind::Text => ("output_text", "content_part", "content_index", "text"),
        Kind::Refusal => ("refusal", "content_part", "content_index", "refusal"),
        Kind::Tool { .. } => ("function_call_arguments", "", "", "arguments"),
    };
    Names {
        text,
        part,
        index,
        whole,
    }
}

/// The events of a delta: an item's first one also opens it, its last one repeats it whole and closes it.
fn written(numbered: &mut Numbered, answer: &Answer, delta: &Delta, ids: &[String]) -> Vec<u8> {
    let choice = answer.choices.get(delta.choice);
    let part = choice.and_then(|choice| choice.parts.get(delta.part));
    let (Some(part), Some(id)) = (part, ids.get(delta.part)) else {
        return Vec::new();
    };
    let names = names(&part.kind);
    let mut place = json!({"item_id": id, "output_index": delta.part});
    if !names.index.is_empty() {
        set(&mut place, names.index, 0.into());
    }
    let with = |key: &str, value: Value| {
        let mut members = place.clone();
        set(&mut members, key, value);
        members
    };
    let mut events = Vec::new();
    let mut push = |kind: String, members: Value| events.extend(numbered.event(&kind, members));
    if delta.first {
        let item = item(part, id, "", false);
        push(
            "response.output_item.added".to_owned(),
            json!({"output_index": delta.part, "item": item}),
        );
        if !names.part.is_empty() {
            push(
                format!("response.{}.added", names.part),
                with("part", content(&part.kind, "")),
            );
        }
    }
    push(
        format!("response.{}.delta", names.text),
        with("delta", delta.text.as_str().into()),
    );
    if delta.last {
        push(
            format!("response.{}.done", names.text),
            with(names.whole, part.text.as_str().into()),
        );
        if !names.part.is_empty() {
            push(
                format!("response.{}.done", names.part),
                with("part", content(&part.kind, &part.text)),
            );
        }
        let item = item(part, id, &part.text, true);
        push(
            "response.output_item.done".to_owned(),
            json!({"output_index": delta.part, "item": item}),
        );
    }
    events
}

/// Writes events and counts them.
#[derive(Default)]
struct Numbered {
    next: usize,
}

impl Numbered {
    fn event(&mut self, kind: &str, members: Value) -> Vec<u8> {
        let mut event = json!({"type": kind, "sequence_number": self.next});
        self.next += 1;
        if let Value::Object(members) = members {
            for (key, value) in members {
                set(&mut event, &key, value);
            }
        }
        format!("event: {kind}\ndata: {event}\n\n").into_bytes()
    }
}
