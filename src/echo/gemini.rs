//! Gemini's generateContent and its relatives.

use serde_json::{Value, json};

use super::answer::{Answer, Choice, Delta, Finish, Kind, Part, identifier};
use super::ask::{self, Ask, Prompt};
use super::body::Stream;
use super::route::Framing;
use super::{Failure, Reply, embeddings, set};

/// What stands in for the provider's proof that a thought is its own.
const SIGNATURE: &str = "ZWNobw==";

/// Reads a request.
pub(super) fn read(model: &str, stream: bool, body: &Value) -> Result<Ask, Failure> {
    let contents = ask::array(body, "contents")?;
    let setting = |camel: &str, snake: &str| {
        let settings = body
            .get("generationConfig")
            .or_else(|| body.get("generation_config"))?;
        settings.get(camel).or_else(|| settings.get(snake))
    };
    Ok(Ask {
        model: model.to_owned(),
        prompts: vec![prompt(contents)],
        choices: ask::choices(setting("candidateCount", "candidate_count"))?,
        max_tokens: setting("maxOutputTokens", "max_output_tokens").and_then(Value::as_u64),
        stream,
        include_usage: true,
        input_tokens: ask::tokens_in(body),
    })
}

/// The results of functions if the last content has some, else the text of the last user content.
fn prompt(contents: &[Value]) -> Prompt {
    // A content without a role is the user's.
    let user = contents
        .iter()
        .rev()
        .find(|content| content.get("role").and_then(Value::as_str) != Some("model"));
    let parts = user
        .and_then(|content| content.get("parts"))
        .cloned()
        .unwrap_or_default();
    let results: Vec<String> = parts
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part.get("functionResponse")?.get("response"))
        .map(Value::to_string)
        .collect();
    if results.is_empty() {
        Prompt::user(ask::text_of(&parts))
    } else {
        Prompt::tool(results.join("\n"))
    }
}

/// Writes an answer; `framing` is missing where it comes whole.
pub(super) fn reply(framing: Option<Framing>, answer: Answer) -> Reply {
    let id = identifier("");
    let candidates: Vec<Value> = answer
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| {
            let parts = if framing.is_some() {
                vec![json!({"text": ""})]
            } else {
                choice
                    .parts
                    .iter()
                    .map(|part| written(part, &part.text))
                    .collect()
            };
            let mut candidate = candidate(index, &parts);
            set(&mut candidate, "finishReason", reason(choice.finish).into());
            candidate
        })
        .collect();
    let mut last = chunk(&answer, &id, &candidates);
    set(&mut last, "usageMetadata", usage(&answer));
    let Some(framing) = framing else {
        return Reply::Whole(last);
    };
    let mut begun = false;
    let (content_type, head, tail) = match framing {
        Framing::Sse => (
            "text/event-stream",
            Vec::new(),
            format!("data: {last}\r\n\r\n"),
        ),
        Framing::JsonArray => (
            "application/json; charset=UTF-8",
            b"[".to_vec(),
            format!(",\r\n{last}\n]"),
        ),
    };
    Reply::Stream(Stream {
        content_type,
        head,
        tail: tail.into_bytes(),
        write: Box::new(move |answer, delta| {
            let Some(part) = delta_part(answer, delta) else {
                return Vec::new();
            };
            let data = chunk(answer, &id, &[candidate(delta.choice, &[part])]);
            let separator = if begun { ",\r\n" } else { "" };
            begun = true;
            match framing {
                Framing::Sse => format!("data: {data}\r\n\r\n").into_bytes(),
                Framing::JsonArray => format!("{separator}{data}").into_bytes(),
            }
        }),
        answer,
    })
}

/// The part that a delta becomes. Function calls come whole, with the first delta.
fn delta_part(answer: &Answer, delta: &Delta) -> Option<Value> {
    let choice: &Choice = answer.choices.get(delta.choice)?;
    let part = choice.parts.get(delta.part)?;
    match part.kind {
        Kind::Tool { .. } => delta.first.then(|| written(part, &part.text)),
        Kind::Thought | Kind::Text | Kind::Refusal => Some(written(part, &delta.text)),
    }
}

fn written(part: &Part, text: &str) -> Value {
    match &part.kind {
        Kind::Thought => json!({"text": text, "thought": true}),
        Kind::Text | Kind::Refusal => json!({"text": text}),
        Kind::Tool { id, name } => {
            let arguments: Value = serde_json::from_str(text).unwrap_or_else(|_| json!({}));
            json!({"functionCall": {"id": id, "name": name, "args": arguments}, "thoughtSignature": SIGNATURE})
        }
    }
}

fn candidate(index: usize, parts: &[Value]) -> Value {
    json!({"content": {"parts": parts, "role": "model"}, "index": index})
}

fn chunk(answer: &Answer, id: &str, candidates: &[Value]) -> Value {
    json!({"candidates": candidates, "modelVersion": answer.model, "responseId": id})
}

fn usage(answer: &Answer) -> Value {
    let (output, thoughts) = (answer.output_tokens(), answer.thought_tokens());
    json!({
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": output - thoughts,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": answer.input_tokens + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.input_tokens}],
    })
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::CallTools => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Refuse => "SAFETY",
    }
}

/// Counts the tokens of a request.
pub(super) fn count_tokens(body: &Value) -> Value {
    let tokens = ask::tokens_in(body);
    json!({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]})
}

/// Makes one vector.
pub(super) fn embed(body: &Value) -> Result<Value, Failure> {
    Ok(json!({"embedding": embedding(body)?}))
}

/// Makes a vector for each request in a batch.
pub(super) fn embed_batch(body: &Value) -> Result<Value, Failure> {
    let embeddings: Result<Vec<Value>, Failure> = ask::array(body, "requests")?
        .iter()
        .map(embedding)
        .collect();
    Ok(json!({"embeddings": embeddings?}))
}

fn embedding(request: &Value) -> Result<Value, Failure> {
    let Some(parts) = request.pointer("/content/parts") else {
        return Err(Failure::bad_request("'content.parts' is required"));
    };
    let dimensions = embeddings::dimensions(request.get("outputDimensionality"))?;
    Ok(json!({"values": embeddings::vector(&ask::text_of(parts), dimensions)}))
}

/// An error as Google reports it.
pub(super) fn error(failure: &Failure) -> Value {
    let status = match failure.status {
        400 | 413 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    };
    json!({"error": {"code": failure.status, "message": failure.message, "status": status}})
}
