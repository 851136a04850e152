//! The lists of models.

use serde_json::{Value, json};

use super::Failure;
use super::route::Family;

/// Any name works; these are the ones to show.
const NAMES: [&str; 2] = ["echo", "echo-embedding"];

/// When the models came to be, in seconds since 1970 and as RFC 3339 has it.
const CREATED: (u64, &str) = (1_767_225_600, "2026-01-01T00:00:00Z");

/// All models.
pub(super) fn list(family: Family) -> Value {
    let models: Vec<Value> = NAMES.iter().map(|name| model(family, name)).collect();
    match family {
        Family::OpenAi => json!({"object": "list", "data": models}),
        Family::Anthropic => json!({
            "data": models,
            "has_more": false,
            "first_id": NAMES.first(),
            "last_id": NAMES.last(),
        }),
        Family::Gemini => json!({"models": models}),
    }
}

/// One model.
///
/// # Errors
/// 404 for a name that is not listed.
pub(super) fn show(family: Family, name: &str) -> Result<Value, Failure> {
    if NAMES.contains(&name) {
        return Ok(model(family, name));
    }
    Err(Failure {
        status: 404,
        message: format!("there is no model {name}; try {}", NAMES.join(" or ")),
    })
}

fn model(family: Family, name: &str) -> Value {
    let (seconds, date) = CREATED;
    match family {
        Family::OpenAi => {
            json!({"id": name, "object": "model", "created": seconds, "owned_by": "sluicegate"})
        }
        Family::Anthropic => {
            json!({"type": "model", "id": name, "display_name": name, "created_at": date})
        }
        Family::Gemini => json!({
            "name": format!("models/{name}"),
            "version": "1",
            "displayName": name,
            "description": "Says what it was told.",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 1_048_576,
            "supportedGenerationMethods": [
                "generateContent",
                "streamGenerateContent",
                "countTokens",
                "embedContent",
                "batchEmbedContents",
            ],
        }),
    }
}
