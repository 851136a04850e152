//! OpenAI's older completions: prompts in, text out.

use serde_json::{Value, json};

use super::answer::{Answer, Choice, Finish, Kind, identifier};
use super::ask::{self, Ask, Prompt};
use super::body::Stream;
use super::{Failure, Reply, chat, set};

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Ask, Failure> {
    let prompts = match body.get("prompt") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) if !items.is_empty() => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| {
                Failure::bad_request("'prompt' must be a string or an array of strings")
            })?,
        _ => {
            return Err(Failure::bad_request(
                "'prompt' is required and must be a string or an array of strings",
            ));
        }
    };
    Ok(Ask {
        model: ask::string(body, "model")?,
        prompts: prompts.into_iter().map(Prompt::user).collect(),
        choices: ask::choices(body.get("n"))?,
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)),
        input_tokens: ask::tokens_in(body),
    })
}

/// Writes an answer. The format knows text only: thoughts and tool calls are left out.
pub(super) fn reply(ask: &Ask, answer: Answer) -> Reply {
    let mut envelope = json!({
        "id": identifier("cmpl-"),
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [],
        "system_fingerprint": "fp_echo",
    });
    if !ask.stream {
        let choice =
            |(index, choice): (usize, &Choice)| step(index, &text(choice), Some(choice.finish));
        set(
            &mut envelope,
            "choices",
            answer.choices.iter().enumerate().map(choice).collect(),
        );
        set(&mut envelope, "usage", chat::usage(&answer));
        return Reply::Whole(envelope);
    }
    let include_usage = ask.include_usage;
    let mut chunk = move |choices: Value, usage: Value| {
        set(&mut envelope, "choices", choices);
        if include_usage {
            set(&mut envelope, "usage", usage);
        }
        format!("data: {envelope}\n\n").into_bytes()
    };
    let mut tail = Vec::new();
    for (index, choice) in answer.choices.iter().enumerate() {
        tail.extend(chunk(
            json!([step(index, "", Some(choice.finish))]),
            Value::Null,
        ));
    }
    if include_usage {
        tail.extend(chunk(json!([]), chat::usage(&answer)));
    }
    tail.extend_from_slice(b"data: [DONE]\n\n");
    Reply::Stream(Stream {
        content_type: "text/event-stream; charset=utf-8",
        head: Vec::new(),
        tail,
        write: Box::new(move |answer, delta| {
            let part = answer
                .choices
                .get(delta.choice)
                .and_then(|choice| choice.parts.get(delta.part));
            match part.map(|part| &part.kind) {
                Some(Kind::Text | Kind::Refusal) => {
                    chunk(json!([step(delta.choice, &delta.text, None)]), Value::Null)
                }
                Some(Kind::Thought | Kind::Tool { .. }) | None => Vec::new(),
            }
        }),
        answer,
    })
}

fn text(choice: &Choice) -> String {
    choice
        .text(&Kind::Text)
        .or_else(|| choice.text(&Kind::Refusal))
        .unwrap_or_default()
}

fn step(index: usize, text: &str, finish: Option<Finish>) -> Value {
    let reason = finish.map(|finish| match finish {
        Finish::Stop | Finish::CallTools => "stop",
        Finish::Length => "length",
        Finish::Refuse => "content_filter",
    });
    json!({"text": text, "index": index, "logprobs": null, "finish_reason": reason})
}
