//! Which outermost shapes a format knows. What has another one is read all the same: every string in it is a piece.

use super::json::{Kind, Value};
use super::{Api, realtime};

/// Whether a request has the member that says what is asked.
pub(super) fn knows_request(api: Api, root: Value<'_>) -> bool {
    if api == Api::Realtime {
        return realtime::knows_request(root);
    }
    has(
        root,
        match api {
            Api::Chat | Api::Messages => &["messages"],
            Api::Responses => &["input", "prompt", "previous_response_id", "conversation"],
            Api::Completions => &["prompt"],
            Api::Embeddings => &["input"],
            Api::Gemini => &[
                "contents",
                "content",
                "requests",
                "generateContentRequest",
                "generate_content_request",
            ],
            Api::Realtime => &["type"],
        },
    )
}

/// Whether a response is an answer, a count, a list or an error of its API.
pub(super) fn knows_response(api: Api, root: Value<'_>) -> bool {
    has(
        root,
        match api {
            Api::Chat | Api::Completions | Api::Realtime => &["choices", "error", "object"],
            Api::Responses => &["output", "error", "object"],
            Api::Embeddings => &["data", "error", "object"],
            // The type is that of the whole: a message, an error, a model.
            Api::Messages => &["content", "error", "input_tokens", "data", "type"],
            Api::Gemini => &[
                "candidates",
                "promptFeedback",
                "prompt_feedback",
                "usageMetadata",
                "usage_metadata",
                "totalTokens",
                "total_tokens",
                "embedding",
                "embeddings",
                "models",
                "name",
                "error",
            ],
        },
    )
}

/// Whether a stream's event is one that the API has. Those of responses and realtime conversations are told apart by
/// their readers.
pub(super) fn knows_event(api: Api, root: Value<'_>) -> bool {
    match api {
        Api::Messages => {
            let kind = root.get("type").map(Value::name).unwrap_or_default();
            matches!(
                &*kind,
                b"message_start"
                    | b"message_delta"
                    | b"message_stop"
                    | b"content_block_start"
                    | b"content_block_delta"
                    | b"content_block_stop"
                    | b"ping"
                    | b"error"
            )
        }
        Api::Chat | Api::Completions => has(root, &["choices", "usage", "error"]),
        Api::Responses | Api::Realtime => root.kind() == Kind::Object,
        Api::Embeddings | Api::Gemini => knows_response(api, root),
    }
}

fn has(root: Value<'_>, members: &[&str]) -> bool {
    members.iter().any(|member| root.get(member).is_some())
}
