//! What an input is, by its first characters and its keys; flags say otherwise.

use serde_json::Value;

use crate::policy::Direction;
use crate::wire::Api;

use super::Kind;

/// Keys of requests and answers, the telling ones first.
const KEYS: [(&str, Api, Direction); 14] = [
    ("contents", Api::Gemini, Direction::Request),
    ("candidates", Api::Gemini, Direction::Response),
    ("promptFeedback", Api::Gemini, Direction::Response),
    ("system", Api::Messages, Direction::Request),
    ("stop_reason", Api::Messages, Direction::Response),
    ("stop_sequences", Api::Messages, Direction::Request),
    ("messages", Api::Chat, Direction::Request),
    ("choices", Api::Chat, Direction::Response),
    ("prompt", Api::Completions, Direction::Request),
    ("instructions", Api::Responses, Direction::Request),
    ("max_output_tokens", Api::Responses, Direction::Request),
    ("previous_response_id", Api::Responses, Direction::Request),
    ("input", Api::Embeddings, Direction::Request),
    ("error", Api::Chat, Direction::Response),
];

/// Text, a body, or a stream.
pub(super) fn kind(input: &[u8]) -> Kind {
    let text = String::from_utf8_lossy(input.get(..input.len().min(4096)).unwrap_or_default());
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let is_event = |name: &str| {
        text.lines()
            .next()
            .is_some_and(|line| line.starts_with(name))
    };
    if ["data:", "event:", "id:", "retry:"]
        .into_iter()
        .any(is_event)
        || (text.starts_with(':') && text.contains("\ndata:"))
    {
        return Kind::Sse;
    }
    match body(input) {
        Some((Api::Gemini, Direction::Response)) if text.starts_with('[') => Kind::Array,
        Some(_) => Kind::Body,
        // A body that is cut off or malformed must not pass as harmless text.
        None if text.starts_with('{') && serde_json::from_slice::<Value>(input).is_err() => {
            Kind::Body
        }
        None => Kind::Text,
    }
}

/// The format and direction of a body, or of the first event of a stream; `None` for what is neither.
pub(super) fn body(input: &[u8]) -> Option<(Api, Direction)> {
    let value = serde_json::from_slice(input)
        .ok()
        .or_else(|| first_event(input))?;
    let value = match value {
        Value::Array(items) => items.into_iter().next()?,
        value => value,
    };
    match value
        .get("object")
        .or_else(|| value.get("type"))
        .and_then(Value::as_str)
    {
        Some("text_completion") => return Some((Api::Completions, Direction::Response)),
        Some(kind) if kind == "response" || kind.starts_with("response.") => {
            return Some((Api::Responses, Direction::Response));
        }
        Some("message" | "message_start" | "ping") => {
            return Some((Api::Messages, Direction::Response));
        }
        _ => {}
    }
    let has_tool_blocks = |message: &Value| {
        let blocks = message.get("content").and_then(Value::as_array);
        let is_tool = |block: &Value| {
            matches!(
                block.get("type").and_then(Value::as_str),
                Some("tool_use" | "tool_result")
            )
        };
        blocks.is_some_and(|blocks| blocks.iter().any(is_tool))
    };
    if value
        .get("messages")
        .and_then(Value::as_array)
        .is_some_and(|messages| messages.iter().any(has_tool_blocks))
    {
        return Some((Api::Messages, Direction::Request));
    }
    let is_item = |item: &Value| item.get("role").or_else(|| item.get("type")).is_some();
    if value
        .get("input")
        .and_then(Value::as_array)
        .is_some_and(|items| items.iter().any(is_item))
    {
        return Some((Api::Responses, Direction::Request));
    }
    KEYS.into_iter()
        .find(|(key, ..)| value.get(key).is_some())
        .map(|(_, api, direction)| (api, direction))
}

fn first_event(input: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(input);
    let data = text
        .lines()
        .find_map(|line| line.trim_start_matches('\u{feff}').strip_prefix("data:"))?;
    serde_json::from_str(data.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_inputs_apart() {
        let asks = |api| Some((api, Direction::Request));
        let says = |api| Some((api, Direction::Response));
        let (chat, messages, gemini) = (Api::Chat, Api::Messages, Api::Gemini);
        let start = "event: message_start\ndata: {\"type\": \"message_start\"}\n\n";
        let cases = [
            ("Hello", Kind::Text, None),
            ("", Kind::Text, None),
            (r#"{"a": 1}"#, Kind::Text, None),
            (r#"{"messages": [{"#, Kind::Body, None),
            (r#"{"messages": []}"#, Kind::Body, asks(chat)),
            (
                r#"{"messages": [], "system": "x"}"#,
                Kind::Body,
                asks(messages),
            ),
            (r#"{"type": "message"}"#, Kind::Body, says(messages)),
            (r#"{"contents": []}"#, Kind::Body, asks(gemini)),
            (r#"[{"candidates": []}]"#, Kind::Array, says(gemini)),
            ("data: {\"choices\": []}\n\n", Kind::Sse, says(chat)),
            (start, Kind::Sse, says(messages)),
            (
                ": hi\n\ndata:{\"candidates\": []}\n\n",
                Kind::Sse,
                says(gemini),
            ),
        ];
        for (input, expected, format) in cases {
            let found = (kind(input.as_bytes()), body(input.as_bytes()));
            assert_eq!(found, (expected, format), "{input}");
        }
    }
}
