//! OpenAI's chat completions.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Delta, Finish, Kind, Part, identifier};
use super::ask::{self, Ask, Prompt};
use super::body::Stream;
use super::{Failure, Reply, set};

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Ask, Failure> {
    let messages = ask::array(body, "messages")?;
    Ok(Ask {
        model: ask::string(body, "model")?,
        prompts: vec![prompt(messages)],
        choices: ask::choices(body.get("n"))?,
        max_tokens: ["max_completion_tokens", "max_tokens"]
            .into_iter()
            .find_map(|key| body.get(key)?.as_u64()),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)),
        input_tokens: ask::tokens_in(body),
    })
}

/// The result of a tool if that came last, else what the user said last.
fn prompt(messages: &[Value]) -> Prompt {
    let role =
        |message: &&Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
    let text = |message: &Value| message.get("content").map(ask::text_of).unwrap_or_default();
    if let Some(result) = messages.last().filter(|message| role(message, "tool")) {
        return Prompt::tool(text(result));
    }
    let user = messages.iter().rev().find(|message| role(message, "user"));
    Prompt::user(user.map(text).unwrap_or_default())
}

/// Writes an answer.
pub(super) fn reply(ask: &Ask, answer: Answer) -> Reply {
    let mut envelope = json!({
        "id": identifier("chatcmpl-"),
        "object": if ask.stream { "chat.completion.chunk" } else { "chat.completion" },
        "created": answer.created,
        "model": answer.model,
        "choices": [],
        "service_tier": "default",
        "system_fingerprint": "fp_echo",
    });
    if !ask.stream {
        set(
            &mut envelope,
            "choices",
            answer.choices.iter().enumerate().map(choice).collect(),
        );
        set(&mut envelope, "usage", usage(&answer));
        return Reply::Whole(envelope);
    }
    let chunk = {
        let (mut envelope, include_usage) = (envelope, ask.include_usage);
        move |choices: Value, usage: Value| {
            set(&mut envelope, "choices", choices);
            if include_usage {
                set(&mut envelope, "usage", usage);
            }
            format!("data: {envelope}\n\n").into_bytes()
        }
    };
    Reply::Stream(stream(chunk, ask.include_usage, answer))
}

fn stream(
    mut chunk: impl FnMut(Value, Value) -> Vec<u8> + Send + 'static,
    include_usage: bool,
    answer: Answer,
) -> Stream {
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    for (index, choice) in answer.choices.iter().enumerate() {
        let delta = json!({"role": "assistant", "content": "", "refusal": null});
        head.extend(chunk(json!([step(index, &delta, None)]), Value::Null));
        tail.extend(chunk(
            json!([step(index, &json!({}), Some(choice.finish))]),
            Value::Null,
        ));
    }
    if include_usage {
        tail.extend(chunk(json!([]), usage(&answer)));
    }
    tail.extend_from_slice(b"data: [DONE]\n\n");
    Stream {
        content_type: "text/event-stream; charset=utf-8",
        head,
        tail,
        write: Box::new(move |answer, delta| {
            written(answer, delta)
                .map(|fields| chunk(json!([step(delta.choice, &fields, None)]), Value::Null))
                .unwrap_or_default()
        }),
        answer,
    }
}

fn step(index: usize, delta: &Value, finish: Option<Finish>) -> Value {
    json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": finish.map(reason)})
}

/// The fields of a delta. A tool call's first one also tells its name.
fn written(answer: &Answer, delta: &Delta) -> Option<Value> {
    let parts = &answer.choices.get(delta.choice)?.parts;
    Some(match &parts.get(delta.part)?.kind {
        Kind::Thought => json!({"reasoning_content": delta.text}),
        Kind::Text => json!({"content": delta.text}),
        Kind::Refusal => json!({"refusal": delta.text}),
        Kind::Tool { id, name } => {
            let is_tool = |part: &&Part| matches!(part.kind, Kind::Tool { .. });
            let mut call = Map::new();
            call.insert(
                "index".to_owned(),
                parts.iter().take(delta.part).filter(is_tool).count().into(),
            );
            let mut function = Map::new();
            if delta.first {
                call.insert("id".to_owned(), format!("call_{id}").into());
                call.insert("type".to_owned(), "function".into());
                function.insert("name".to_owned(), name.as_str().into());
            }
            function.insert("arguments".to_owned(), delta.text.as_str().into());
            call.insert("function".to_owned(), function.into());
            json!({"tool_calls": [call]})
        }
    })
}

fn choice((index, choice): (usize, &super::answer::Choice)) -> Value {
    let mut message = json!({
        "role": "assistant",
        "content": choice.text(&Kind::Text),
        "refusal": choice.text(&Kind::Refusal),
        "annotations": [],
    });
    if let Some(thought) = choice.text(&Kind::Thought) {
        set(&mut message, "reasoning_content", thought.into());
    }
    let calls: Vec<Value> = choice
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            Kind::Tool { id, name } => Some(json!({
                "id": format!("call_{id}"),
                "type": "function",
                "function": {"name": name, "arguments": part.text},
            })),
            Kind::Thought | Kind::Text | Kind::Refusal => None,
        })
        .collect();
    if !calls.is_empty() {
        set(&mut message, "tool_calls", calls.into());
    }
    json!({"index": index, "message": message, "logprobs": null, "finish_reason": reason(choice.finish)})
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        // A model that refuses stops like any other and says so in `refusal`.
        Finish::Stop | Finish::Refuse => "stop",
        Finish::Length => "length",
        Finish::CallTools => "tool_calls",
    }
}

/// Usage as both OpenAI formats report it.
pub(super) fn usage(answer: &Answer) -> Value {
    let output = answer.output_tokens();
    json!({
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": output,
        "total_tokens": answer.input_tokens + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.thought_tokens(),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// An error as all OpenAI endpoints report it.
pub(super) fn error(failure: &Failure) -> Value {
    let (kind, code) = match failure.status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        404 => ("invalid_request_error", Some("not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    json!({"error": {"message": failure.message, "type": kind, "param": null, "code": code}})
}
