//! What a request asks for, the same for every format.

use serde_json::Value;

use super::Failure;

/// More answers to one prompt than any test needs; a bound on the work of one request.
const MAX_CHOICES: u64 = 32;

/// Tokens are counted by a rule of thumb: nobody is billed for an echo.
const CHARS_PER_TOKEN: u64 = 4;

/// A request to generate.
pub(super) struct Ask {
    /// The model's name, as asked for.
    pub(super) model: String,
    /// What to answer; only the older completions API has more than one.
    pub(super) prompts: Vec<Prompt>,
    /// Answers to each prompt, at least 1.
    pub(super) choices: u64,
    /// Where the text of an answer is cut off.
    pub(super) max_tokens: Option<u64>,
    /// Whether the answer comes piece by piece.
    pub(super) stream: bool,
    /// Whether a stream of the OpenAI formats ends with a usage chunk.
    pub(super) include_usage: bool,
    /// The size of everything that was sent.
    pub(super) input_tokens: u64,
}

/// The text to answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// The last user message, or the result of a tool.
    pub(super) text: String,
    /// Whether lines of it may be directives.
    pub(super) directives: bool,
}

impl Prompt {
    /// What a user wrote.
    pub(super) fn user(text: String) -> Self {
        Self {
            text,
            directives: true,
        }
    }

    /// What a tool returned.
    pub(super) fn tool(text: String) -> Self {
        Self {
            text,
            directives: false,
        }
    }
}

/// Checks the number of answers asked for, which is 1 where nothing is said.
pub(super) fn choices(value: Option<&Value>) -> Result<u64, Failure> {
    match value {
        None | Some(Value::Null) => Ok(1),
        Some(value) => value
            .as_u64()
            .filter(|count| (1..=MAX_CHOICES).contains(count))
            .ok_or_else(|| {
                Failure::bad_request(format!("the number of choices must be 1 to {MAX_CHOICES}"))
            }),
    }
}

/// The string at `key`.
///
/// # Errors
/// It is missing or no string.
pub(super) fn string(body: &Value, key: &str) -> Result<String, Failure> {
    match body.get(key).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::bad_request(format!(
            "'{key}' is required and must be a string"
        ))),
    }
}

/// The array at `key`.
///
/// # Errors
/// It is missing, empty or no array.
pub(super) fn array<'a>(body: &'a Value, key: &str) -> Result<&'a [Value], Failure> {
    match body.get(key) {
        Some(Value::Array(items)) if !items.is_empty() => Ok(items),
        _ => Err(Failure::bad_request(format!(
            "'{key}' is required and must be a non-empty array"
        ))),
    }
}

/// The text of a message's content: a string, or the `text` of each part that has one, joined by line ends.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// Tokens of a text, rounded up.
pub(super) fn tokens_of(text: &str) -> u64 {
    u64::try_from(text.chars().count())
        .unwrap_or(u64::MAX)
        .div_ceil(CHARS_PER_TOKEN)
}

/// Tokens of all strings in a document; never 0, as no provider reports an empty prompt.
pub(super) fn tokens_in(document: &Value) -> u64 {
    fn sum(value: &Value) -> u64 {
        match value {
            Value::String(text) => tokens_of(text),
            Value::Array(items) => items.iter().map(sum).sum(),
            Value::Object(members) => members.values().map(sum).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }
    sum(document).max(1)
}

/// The first `tokens` tokens of a text, if it is longer.
pub(super) fn truncated(text: &str, tokens: u64) -> Option<&str> {
    let chars = usize::try_from(tokens.saturating_mul(CHARS_PER_TOKEN)).unwrap_or(usize::MAX);
    let (end, _) = text.char_indices().nth(chars)?;
    text.get(..end)
}
