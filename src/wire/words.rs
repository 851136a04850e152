//! Strings that are structure rather than text: words of the protocols, types of files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::unescape;
use super::realtime;

/// The MIME type and the data of a `data:` URL in base64 (RFC 2397), in raw JSON string content.
pub(super) fn data_url(raw: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let head = raw.get(..raw.len().min(256))?;
    let comma = memchr::memchr(b',', head)?;
    // Some writers of JSON escape each slash.
    let head = unescape(head.get(..comma)?);
    let mime = |head: &str| {
        let (scheme, rest) = head.split_at_checked(5)?;
        let mime = rest.strip_suffix(";base64")?;
        scheme
            .eq_ignore_ascii_case("data:")
            .then(|| mime.as_bytes().to_vec())
    };
    Some((mime(&head)?, raw.get(comma + 1..)?))
}

/// Whether raw JSON string content is base64 in either alphabet (RFC 4648), in lines if need be.
pub(super) fn is_base64(raw: &[u8]) -> bool {
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'\\' => matches!(bytes.next(), Some(b'/' | b'n' | b'r')),
            byte => byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// So much of a file is looked at, in digits of base64.
const BEGINNING: usize = 1024;
/// Shorter ones may be text by chance.
const LEAST_TEXT: usize = 24;

/// Whether base64 begins with UTF-8 without control characters: a text file, whatever it is said to be.
pub(super) fn holds_text(data: &[u8]) -> bool {
    let (mut digits, mut bytes) = (Vec::with_capacity(BEGINNING), data.iter());
    while let Some(byte) = bytes.next().filter(|_| digits.len() < BEGINNING) {
        match byte {
            b'-' => digits.push(b'+'),
            b'_' => digits.push(b'/'),
            b'=' => {}
            // An escaped slash, or the end of a line.
            b'\\' => digits.extend(bytes.next().filter(|byte| **byte == b'/')),
            byte => digits.push(*byte),
        }
    }
    let groups = digits.len() / 4 * 4;
    let bytes = STANDARD.decode(digits.get(..groups).unwrap_or_default());
    let bytes = bytes.unwrap_or_default();
    let text = match str::from_utf8(&bytes) {
        Ok(text) => text,
        // A character that the end cuts.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let odd = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
    // A PDF file may begin like text.
    text.len() >= LEAST_TEXT && !text.contains(odd) && !text.starts_with("%PDF-")
}

/// Whether a model reads files of this MIME type as text, so that scanners should, too. An empty type means text (RFC 2397).
pub(super) fn is_text(mime: &[u8]) -> bool {
    const NOT_TEXT: &[&[u8]] = &[
        b"image/",
        b"audio/",
        b"video/",
        b"font/",
        b"application/pdf",
        b"application/octet-stream",
        b"application/zip",
        b"application/msword",
        b"application/vnd.",
    ];
    let starts = |prefix: &&[u8]| {
        mime.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let xml = mime.ends_with(b"+xml") || mime.ends_with(b"+json");
    xml || !NOT_TEXT.iter().any(starts)
}

/// Letters and underscores only, no two capitals together, as all keys of the formats are. Secrets and numbers of people do not look so.
pub(super) fn is_name(key: &[u8]) -> bool {
    let capitals = |pair: &[u8]| pair.iter().all(u8::is_ascii_uppercase);
    (1..=40).contains(&key.len())
        && key.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_')
        && !key.windows(2).any(capitals)
}

/// Whether readers that do not tell cases apart take a name for `known`, which is in lower case. Go's `encoding/json` also takes the long s and
/// the sign of kelvin for letters.
pub(super) fn reads_as(name: &[u8], known: &[u8]) -> bool {
    let mut rest = name;
    for letter in known {
        rest = match (rest, letter) {
            ([0xc5, 0xbf, rest @ ..], b's') | ([0xe2, 0x84, 0xaa, rest @ ..], b'k') => rest,
            ([first, rest @ ..], letter) if first.eq_ignore_ascii_case(letter) => rest,
            _ => return false,
        };
    }
    rest.is_empty()
}

/// Structure that is the same in every body and carries no text of anyone.
pub(super) fn is_word(raw: &[u8]) -> bool {
    raw.len() <= 40
        && (is_of_protocol(raw) || is_of_schema(raw) || is_of_responses(raw) || is_of_realtime(raw))
}

/// Words of the protocols.
fn is_of_protocol(raw: &[u8]) -> bool {
    matches!(
        raw,
        b"assistant"
            | b"user"
            | b"system"
            | b"developer"
            | b"tool"
            | b"model"
            | b"text"
            | b"role"
            | b"content"
            | b"image"
            | b"image_url"
            | b"input_audio"
            | b"file"
            | b"document"
            | b"refusal"
            | b"thinking"
            | b"redacted_thinking"
            | b"tool_use"
            | b"tool_result"
            | b"base64"
            | b"ephemeral"
            | b"auto"
            | b"list"
            | b"embedding"
            | b"chat.completion"
            | b"chat.completion.chunk"
            | b"text_completion"
            | b"stop"
            | b"length"
            | b"tool_calls"
            | b"content_filter"
            | b"message"
            | b"message_start"
            | b"message_delta"
            | b"message_stop"
            | b"content_block_start"
            | b"content_block_delta"
            | b"content_block_stop"
            | b"text_delta"
            | b"input_json_delta"
            | b"thinking_delta"
            | b"signature_delta"
            | b"citations_delta"
            | b"ping"
            | b"end_turn"
            | b"max_tokens"
            | b"stop_sequence"
            | b"STOP"
            | b"MAX_TOKENS"
            | b"SAFETY"
            | b"error"
    )
}

/// Words of OpenAI's realtime API that it does not share with its others.
fn is_of_realtime(raw: &[u8]) -> bool {
    let word = matches!(
        raw,
        b"realtime"
            | b"realtime.item"
            | b"realtime.response"
            | b"realtime.session"
            | b"audio"
            | b"output_audio"
            | b"cancelled"
    );
    word || raw.contains(&b'.') && realtime::is_event(raw)
}

/// Words of OpenAI's responses: types of items and parts, those of the most frequent events, states.
fn is_of_responses(raw: &[u8]) -> bool {
    matches!(
        raw,
        b"response"
            | b"input_text"
            | b"output_text"
            | b"input_image"
            | b"input_file"
            | b"function_call"
            | b"function_call_output"
            | b"custom_tool_call"
            | b"reasoning"
            | b"reasoning_text"
            | b"summary_text"
            | b"completed"
            | b"in_progress"
            | b"incomplete"
            | b"failed"
            | b"queued"
            | b"default"
            | b"response.created"
            | b"response.in_progress"
            | b"response.completed"
            | b"response.incomplete"
            | b"response.failed"
            | b"response.output_item.added"
            | b"response.output_item.done"
            | b"response.content_part.added"
            | b"response.content_part.done"
            | b"response.output_text.delta"
            | b"response.output_text.done"
            | b"response.function_call_arguments.delta"
            | b"response.function_call_arguments.done"
            | b"response.reasoning_summary_text.delta"
            | b"response.reasoning_summary_text.done"
    )
}

/// Words of JSON Schema and of the objects that hold one.
fn is_of_schema(raw: &[u8]) -> bool {
    matches!(
        raw,
        b"function"
            | b"type"
            | b"name"
            | b"description"
            | b"parameters"
            | b"properties"
            | b"required"
            | b"items"
            | b"enum"
            | b"title"
            | b"default"
            | b"format"
            | b"strict"
            | b"schema"
            | b"$schema"
            | b"additionalProperties"
            | b"input_schema"
            | b"minimum"
            | b"maximum"
            | b"object"
            | b"array"
            | b"string"
            | b"number"
            | b"integer"
            | b"boolean"
            | b"null"
            | b"OBJECT"
            | b"ARRAY"
            | b"STRING"
            | b"NUMBER"
            | b"INTEGER"
            | b"BOOLEAN"
            | b"json_schema"
            | b"json_object"
    )
}
