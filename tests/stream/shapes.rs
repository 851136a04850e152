//! Streams as each API writes them.

use super::*;

/// Writes a string's content as JSON with every character as an escape.
pub(super) fn escaped(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut out, unit| {
        write!(out, "\\u{unit:04x}").unwrap();
        out
    })
}

pub(super) fn plain(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A whole stream of events as a provider sends it; `write` turns text into the content of a JSON string. Choice 9 is the
/// arguments of a tool call of choice 0.
pub(super) fn stream(shape: Shape, deltas: &[Delta<'_>], write: fn(&str) -> String) -> Vec<u8> {
    let mut choices: Vec<u32> = deltas.iter().map(|(choice, _)| *choice).collect();
    choices.sort_unstable();
    choices.dedup();
    match shape.api {
        Api::Messages => messages(shape, deltas, &choices, write),
        Api::Responses => responses(shape, deltas, &choices, write),
        Api::Gemini => gemini(shape, deltas, &choices, write),
        Api::Chat | Api::Completions | Api::Embeddings | Api::Realtime => {
            openai(shape, deltas, &choices, write)
        }
    }
}

pub(super) fn sse(shape: Shape, name: &str, data: &str) -> String {
    let end = shape.line_end;
    let event = if name.is_empty() {
        String::new()
    } else {
        format!("event: {name}{end}")
    };
    format!("{event}data: {data}{end}{end}")
}

fn openai(
    shape: Shape,
    deltas: &[Delta<'_>],
    choices: &[u32],
    write: fn(&str) -> String,
) -> Vec<u8> {
    let chat = shape.api == Api::Chat;
    let event = |choice: u32, delta: &str, reason: &str| {
        let body = if chat {
            format!(r#""delta":{{{delta}}}"#)
        } else {
            delta.to_owned()
        };
        let data = format!(
            r#"{{"id":"chatcmpl-7","object":"chat.completion.chunk","created":17,"model":"gpt-4o","choices":[{{"index":{},{body},"finish_reason":{reason}}}]}}"#,
            choice % 9
        );
        sse(shape, "", &data)
    };
    let mut out = format!(": keep-alive{0}{0}", shape.line_end);
    for (choice, text) in deltas {
        let text = write(text);
        let event = match (chat, choice) {
            (false, _) => event(*choice, &format!(r#""text":"{text}""#), "null"),
            (true, 9) => event(
                9,
                &format!(r#""tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]"#),
                "null",
            ),
            (true, _) => event(*choice, &format!(r#""content":"{text}""#), "null"),
        };
        out.push_str(&event);
    }
    for choice in choices.iter().filter(|choice| **choice != 9) {
        out.push_str(&event(
            *choice,
            if chat { "" } else { r#""text":"""# },
            r#""stop""#,
        ));
    }
    out.push_str(&sse(shape, "", r#"{"id":"chatcmpl-7","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#));
    out.push_str(&sse(shape, "", "[DONE]"));
    out.into_bytes()
}

fn messages(
    shape: Shape,
    deltas: &[Delta<'_>],
    choices: &[u32],
    write: fn(&str) -> String,
) -> Vec<u8> {
    let event = |name: &str, rest: &str| sse(shape, name, &format!(r#"{{"type":"{name}"{rest}}}"#));
    let mut out = event(
        "message_start",
        r#","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}"#,
    );
    out.push_str(&event("ping", ""));
    for (index, choice) in choices.iter().enumerate() {
        let (block, kind, name) = match choice {
            9 => (
                r#"{"type":"tool_use","id":"toolu_1","name":"f","input":{}}"#,
                "input_json_delta",
                "partial_json",
            ),
            1 => (
                r#"{"type":"thinking","thinking":""}"#,
                "thinking_delta",
                "thinking",
            ),
            _ => (r#"{"type":"text","text":""}"#, "text_delta", "text"),
        };
        out.push_str(&event(
            "content_block_start",
            &format!(r#","index":{index},"content_block":{block}"#),
        ));
        for (_, text) in deltas.iter().filter(|(of, _)| of == choice) {
            let text = write(text);
            out.push_str(&event(
                "content_block_delta",
                &format!(r#","index":{index},"delta":{{"type":"{kind}","{name}":"{text}"}}"#),
            ));
        }
        out.push_str(&event(
            "content_block_stop",
            &format!(r#","index":{index}"#),
        ));
    }
    out.push_str(&event(
        "message_delta",
        r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}"#,
    ));
    out.push_str(&event("message_stop", ""));
    out.into_bytes()
}

/// Each text comes as deltas, then whole in all the places where the API repeats it.
#[expect(
    clippy::too_many_lines,
    reason = "one stream of the API from its first event to its last"
)]
fn responses(
    shape: Shape,
    deltas: &[Delta<'_>],
    choices: &[u32],
    write: fn(&str) -> String,
) -> Vec<u8> {
    let event = |name: &str, rest: &str| sse(shape, name, &format!(r#"{{"type":"{name}"{rest}}}"#));
    let answer = |status: &str, output: &str| {
        format!(
            r#","response":{{"id":"resp_1","object":"response","model":"gpt-x","status":"{status}","output":[{output}],"usage":{{"input_tokens":5,"output_tokens":7}}}}"#
        )
    };
    let mut out = event("response.created", &answer("in_progress", ""));
    let mut items = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        let texts: Vec<String> = deltas
            .iter()
            .filter(|(of, _)| of == choice)
            .map(|(_, text)| write(text))
            .collect();
        let whole = texts.concat();
        let (name, key, part, item) = match choice {
            9 => (
                "function_call_arguments",
                "arguments",
                String::new(),
                format!(r#"{{"type":"function_call","name":"f","arguments":"{whole}"}}"#),
            ),
            1 => {
                let part = format!(r#"{{"type":"summary_text","text":"{whole}"}}"#);
                let item = format!(r#"{{"type":"reasoning","summary":[{part}]}}"#);
                ("reasoning_summary_text", "text", part, item)
            }
            _ => {
                let part = format!(r#"{{"type":"output_text","text":"{whole}"}}"#);
                let item = format!(r#"{{"type":"message","role":"assistant","content":[{part}]}}"#);
                ("output_text", "text", part, item)
            }
        };
        let place = if *choice == 1 {
            "summary_index"
        } else {
            "content_index"
        };
        let place = format!(r#","item_id":"i_{index}","output_index":{index},"{place}":0"#);
        out.push_str(&event(
            "response.output_item.added",
            &format!(r#","output_index":{index},"item":{{"id":"i_{index}"}}"#),
        ));
        for text in &texts {
            out.push_str(&event(
                &format!("response.{name}.delta"),
                &format!(r#"{place},"delta":"{text}""#),
            ));
        }
        out.push_str(&event(
            &format!("response.{name}.done"),
            &format!(r#"{place},"{key}":"{whole}""#),
        ));
        if !part.is_empty() {
            out.push_str(&event(
                "response.content_part.done",
                &format!(r#"{place},"part":{part}"#),
            ));
        }
        out.push_str(&event(
            "response.output_item.done",
            &format!(r#","output_index":{index},"item":{item}"#),
        ));
        items.push(item);
    }
    out.push_str(&event(
        "response.completed",
        &answer("completed", &items.join(",")),
    ));
    out.into_bytes()
}

fn gemini(
    shape: Shape,
    deltas: &[Delta<'_>],
    choices: &[u32],
    write: fn(&str) -> String,
) -> Vec<u8> {
    let candidate = |choice: u32, text: &str, reason: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"index":{choice}{reason}}}],"usageMetadata":{{"promptTokenCount":5,"candidatesTokenCount":7}},"modelVersion":"gemini-x"}}"#
        )
    };
    let mut events: Vec<String> = deltas
        .iter()
        .map(|(choice, text)| candidate(*choice, &write(text), ""))
        .collect();
    events.extend(
        choices
            .iter()
            .map(|choice| candidate(*choice, "", r#","finishReason":"STOP""#)),
    );
    match shape.framing {
        Framing::Sse => events
            .iter()
            .map(|event| sse(shape, "", event))
            .collect::<String>()
            .into_bytes(),
        Framing::JsonArray | Framing::Messages => {
            format!("[{}\n]\n", events.join("\n,\r\n")).into_bytes()
        }
    }
}
