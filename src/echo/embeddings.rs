//! OpenAI's embeddings, and the vectors that all formats give out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Failure;
use super::ask;

/// Numbers in a vector where the request does not say.
const DIMENSIONS: u64 = 256;

/// As many as the largest model of a real provider has.
const MAX_DIMENSIONS: u64 = 3072;

/// Answers a request.
pub(super) fn answer(body: &Value) -> Result<Value, Failure> {
    let model = ask::string(body, "model")?;
    let inputs: Vec<String> = match body.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        // An array of numbers is one text in tokens; each of its elements may also be such an array.
        Some(Value::Array(items)) if items.iter().all(Value::is_number) && !items.is_empty() => {
            vec![Value::from(items.clone()).to_string()]
        }
        Some(Value::Array(items)) if !items.is_empty() => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), str::to_owned)
            })
            .collect(),
        _ => {
            return Err(Failure::bad_request(
                "'input' is required and must be a string or a non-empty array",
            ));
        }
    };
    let dimensions = dimensions(body.get("dimensions"))?;
    let base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(input, dimensions);
            let embedding = if base64 {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|number| number.to_le_bytes())
                    .collect();
                Value::from(STANDARD.encode(bytes))
            } else {
                Value::from(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: u64 = inputs.iter().map(|input| ask::tokens_of(input)).sum();
    Ok(json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }))
}

/// Checks how many numbers a vector shall have.
pub(super) fn dimensions(value: Option<&Value>) -> Result<u64, Failure> {
    match value {
        None | Some(Value::Null) => Ok(DIMENSIONS),
        Some(value) => value
            .as_u64()
            .filter(|count| (1..=MAX_DIMENSIONS).contains(count))
            .ok_or_else(|| {
                Failure::bad_request(format!("the dimensions must be 1 to {MAX_DIMENSIONS}"))
            }),
    }
}

/// A unit vector that depends on the text alone: equal texts are near, others are not.
pub(super) fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let seed = Sha256::digest(text);
    let mut numbers: Vec<f32> = (0..dimensions)
        .map(|place| {
            let digest = Sha256::new_with_prefix(seed)
                .chain_update(place.to_le_bytes())
                .finalize();
            let [low, high, ..] = digest.as_slice() else {
                return 0.0;
            };
            f32::from(i16::from_le_bytes([*low, *high]))
        })
        .collect();
    let norm = numbers
        .iter()
        .map(|number| number * number)
        .sum::<f32>()
        .sqrt()
        .max(1.0);
    for number in &mut numbers {
        *number /= norm;
    }
    numbers
}
