//! Anthropic's messages.

use serde_json::{Value, json};

use super::answer::{Answer, Delta, Finish, Kind, Part, identifier};
use super::ask::{self, Ask, Prompt};
use super::body::Stream;
use super::{Failure, Reply, set};

/// What stands in for the provider's proof that a thought is its own.
const SIGNATURE: &str = "ZWNobw==";

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Ask, Failure> {
    let messages = ask::array(body, "messages")?;
    let Some(max_tokens) = body
        .get("max_tokens")
        .and_then(Value::as_u64)
        .filter(|&tokens| tokens > 0)
    else {
        return Err(Failure::bad_request("max_tokens: required, and at least 1"));
    };
    Ok(Ask {
        model: ask::string(body, "model")?,
        prompts: vec![prompt(messages)],
        choices: 1,
        max_tokens: Some(max_tokens),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: true,
        input_tokens: ask::tokens_in(body),
    })
}

/// The results of tools if the last message has some, else the text of the last user message.
fn prompt(messages: &[Value]) -> Prompt {
    let user = messages
        .iter()
        .rev()
        .find(|message| message.get("role").and_then(Value::as_str) == Some("user"));
    let Some(content) = user.and_then(|message| message.get("content")) else {
        return Prompt::user(String::new());
    };
    let results: Vec<String> = content
        .as_array()
        .into_iter()
        .flatten()
        .filter(|block| block.get("type").and_then(Value::as_str) == Some("tool_result"))
        .filter_map(|block| block.get("content").map(ask::text_of))
        .collect();
    if results.is_empty() {
        Prompt::user(ask::text_of(content))
    } else {
        Prompt::tool(results.join("\n"))
    }
}

/// Counts the tokens of a request.
pub(super) fn count_tokens(body: &Value) -> Value {
    json!({"input_tokens": ask::tokens_in(body)})
}

/// Writes an answer.
pub(super) fn reply(ask: &Ask, answer: Answer) -> Reply {
    let parts = answer
        .choices
        .first()
        .map(|choice| choice.parts.as_slice())
        .unwrap_or_default();
    let finish = answer
        .choices
        .first()
        .map_or(Finish::Stop, |choice| choice.finish);
    let mut message = json!({
        "id": identifier("msg_"),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(answer.input_tokens, 1),
    });
    if !ask.stream {
        set(
            &mut message,
            "content",
            parts.iter().map(|part| block(part, &part.text)).collect(),
        );
        set(&mut message, "stop_reason", reason(finish).into());
        set(
            &mut message,
            "usage",
            usage(answer.input_tokens, answer.output_tokens()),
        );
        return Reply::Whole(message);
    }
    let mut tail = event(&json!({
        "type": "message_delta",
        "delta": {"stop_reason": reason(finish), "stop_sequence": null},
        "usage": {"output_tokens": answer.output_tokens()},
    }));
    tail.extend(event(&json!({"type": "message_stop"})));
    Reply::Stream(Stream {
        content_type: "text/event-stream; charset=utf-8",
        head: event(&json!({"type": "message_start", "message": message})),
        tail,
        write: Box::new(written),
        answer,
    })
}

fn usage(input: u64, output: u64) -> Value {
    json!({
        "input_tokens": input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
        "service_tier": "standard",
    })
}

/// The events of a delta: a block's first one also opens it, its last one closes it.
fn written(answer: &Answer, delta: &Delta) -> Vec<u8> {
    let choice = answer.choices.get(delta.choice);
    let Some(part) = choice.and_then(|choice| choice.parts.get(delta.part)) else {
        return Vec::new();
    };
    let index = delta.part;
    let mut events = Vec::new();
    if delta.first {
        let start = json!({"type": "content_block_start", "index": index, "content_block": block(part, "")});
        events.extend(event(&start));
        if index == 0 {
            events.extend(event(&json!({"type": "ping"})));
        }
    }
    let mut push = |delta: Value| {
        events.extend(event(
            &json!({"type": "content_block_delta", "index": index, "delta": delta}),
        ));
    };
    match &part.kind {
        Kind::Thought => {
            push(json!({"type": "thinking_delta", "thinking": delta.text}));
            if delta.last {
                push(json!({"type": "signature_delta", "signature": SIGNATURE}));
            }
        }
        Kind::Text | Kind::Refusal => push(json!({"type": "text_delta", "text": delta.text})),
        Kind::Tool { .. } => push(json!({"type": "input_json_delta", "partial_json": delta.text})),
    }
    if delta.last {
        events.extend(event(
            &json!({"type": "content_block_stop", "index": index}),
        ));
    }
    events
}

/// A content block that says `text`; with no text, as a stream opens it.
fn block(part: &Part, text: &str) -> Value {
    match &part.kind {
        Kind::Thought => {
            let signature = if text.is_empty() { "" } else { SIGNATURE };
            json!({"type": "thinking", "thinking": text, "signature": signature})
        }
        Kind::Text | Kind::Refusal => json!({"type": "text", "text": text, "citations": null}),
        Kind::Tool { id, name } => {
            let input = serde_json::from_str(text).unwrap_or_else(|_| json!({}));
            json!({"type": "tool_use", "id": format!("toolu_{id}"), "name": name, "input": input})
        }
    }
}

fn event(data: &Value) -> Vec<u8> {
    let kind = data.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {kind}\ndata: {data}\n\n").into_bytes()
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::CallTools => "tool_use",
        Finish::Refuse => "refusal",
    }
}

/// An error as Anthropic reports it.
pub(super) fn error(failure: &Failure) -> Value {
    let kind = match failure.status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({
        "type": "error",
        "error": {"type": kind, "message": failure.message},
        "request_id": identifier("req_"),
    })
}
