//! Anthropic messages, token counting included.

use super::body::Facts;
use super::event::{Close, Found};
use super::json::{Kind, Value};
use super::mark::Context;
use super::odd::{BLOCKS, OTHERS};
use super::walk::{Walk, lane};
use super::{Field, Usage};
use crate::text::Origin;

const CLIENT: Context = Context::of(Origin::User);
const SYSTEM: Context = Context::of(Origin::System);
const ANSWER: Context = Context::of(Origin::Assistant);

pub(super) fn request(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, CLIENT, |walk, name, value| match name {
        b"system" => content(walk, value, SYSTEM),
        b"messages" => walk.items(value, CLIENT, |walk, message, _| turn(walk, message)),
        b"tools" => walk.any(value, SYSTEM.keyed()),
        b"mcp_servers" => walk.items(value, CLIENT, |walk, server, _| {
            walk.holding(server, CLIENT.keyed(), &["authorization_token"]);
        }),
        b"metadata" => {
            facts.user = value.get("user_id").and_then(Value::text).map(Into::into);
            walk.any(value, CLIENT.keyed());
        }
        _ => {
            match name {
                b"model" => facts.model = value.text().map(Into::into),
                b"stream" => facts.stream = value.kind() == Kind::True,
                b"max_tokens" => facts.limits(value),
                _ => {}
            }
            walk.any(value, CLIENT.keyed());
        }
    });
}

/// One message of a conversation.
fn turn(walk: &mut Walk<'_>, message: Value<'_>) {
    let role = message.get("role").map(Value::name).unwrap_or_default();
    let context = match &*role {
        b"assistant" => ANSWER,
        b"system" => SYSTEM,
        _ => CLIENT,
    };
    walk.members(message, context, |walk, name, value| match name {
        b"role" => walk.word(value, context),
        b"content" => content(walk, value, context),
        _ => walk.any(value, context.keyed()),
    });
}

/// A string or blocks.
fn content(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    if value.kind() == Kind::String {
        return walk.any(value, context.said());
    }
    walk.items(value, context, |walk, item, _| block(walk, item, context));
}

/// One block: text, media, documents, thinking, tool calls and results, and whatever comes later.
fn block(walk: &mut Walk<'_>, block: Value<'_>, context: Context) {
    let kind = block.get("type").map(Value::name).unwrap_or_default();
    let fetched = kind.ends_with(b"_result") || matches!(&*kind, b"document" | b"container_upload");
    let context = if fetched {
        context.from(Origin::Tool)
    } else {
        context
    };
    walk.members(block, context, |walk, name, value| match name {
        b"type" => walk.word(value, context),
        b"text" => walk.any(value, context.keyed().said()),
        b"source" => source(walk, value, context),
        b"content" => content(walk, value, context),
        b"citations" => walk.any(value, context.from(Origin::Tool)),
        b"cache_control" => walk.any(value, context),
        b"input" => walk.any(value, context.argument().keyed()),
        // Whatever comes later: a model reads the keys as well.
        _ => walk.any(value, context.keyed()),
    });
}

/// Where an image or document comes from: base64, text, a URL, a file's id, or blocks.
fn source(walk: &mut Walk<'_>, source: Value<'_>, context: Context) {
    let kind = source.get("type").map(Value::name).unwrap_or_default();
    let mime = source.get("media_type").map(Value::name);
    walk.members(source, context, |walk, name, value| match name {
        b"type" => walk.word(value, context),
        b"data" if *kind == *b"base64" || kind.is_empty() => {
            walk.media(value, mime.as_deref(), context);
        }
        b"url" | b"file_id" => walk.elsewhere(value, context),
        b"content" => content(walk, value, context),
        b"data" => walk.any(value, context.keyed().said()),
        _ => walk.any(value, context.keyed()),
    });
}

pub(super) fn response(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, ANSWER, |walk, name, value| match name {
        b"type" | b"role" | b"stop_reason" => walk.word(value, ANSWER),
        b"content" => content(walk, value, ANSWER),
        b"usage" => {
            facts.usage = usage(value);
            walk.any(value, ANSWER);
        }
        b"model" => {
            facts.model = value.text().map(Into::into);
            walk.any(value, ANSWER);
        }
        _ => walk.any(value, ANSWER.keyed()),
    });
}

pub(super) fn event(walk: &mut Walk<'_>, root: Value<'_>, closes: &mut Vec<Close>) -> Found {
    let kind = root.get("type").map(Value::name).unwrap_or_default();
    let numbers = match &*kind {
        b"content_block_start" | b"content_block_delta" | b"content_block_stop" => BLOCKS,
        _ => OTHERS,
    };
    let index = walk.index_of(root, 0, numbers);
    let mut found = Found {
        kind: text_span(root.get("type")),
        terminal: *kind == *b"message_stop",
        error: *kind == *b"error",
        begins: *kind == *b"message_start",
        ..Found::default()
    };
    walk.members(root, ANSWER, |walk, name, value| match name {
        b"type" => walk.word(value, ANSWER),
        b"message" => {
            found.id = text_span(value.get("id"));
            found.model = text_span(value.get("model"));
            found.usage = value.get("usage").and_then(usage);
            response(walk, value, &mut Facts::default());
        }
        b"content_block" => start(walk, value, index),
        b"delta" => delta(walk, value, index, *kind == *b"content_block_delta"),
        b"usage" => {
            found.usage = usage(value);
            walk.any(value, ANSWER);
        }
        _ => walk.any(value, ANSWER.keyed()),
    });
    match &*kind {
        b"content_block_start" => {
            found.opens = Some(index);
            found.call = Some((0, index));
        }
        b"content_block_stop" => closes.push(Close::Block { choice: 0, index }),
        b"message_stop" => closes.push(Close::Choice(0)),
        _ => {}
    }
    found
}

/// The start of a block. Its text, mostly empty, begins the lane that deltas go on.
fn start(walk: &mut Walk<'_>, value: Value<'_>, index: u32) {
    let kind = value.get("type").map(Value::name).unwrap_or_default();
    let running = |field| ANSWER.part(lane(0, field, index));
    match &*kind {
        b"text" | b"thinking" => walk.members(value, ANSWER, |walk, name, value| match name {
            b"type" => walk.word(value, ANSWER),
            b"text" | b"thinking" if *name != *kind => {
                walk.mistyped(value);
                walk.any(value, ANSWER);
            }
            b"text" => walk.any(value, running(Field::Content)),
            b"thinking" => walk.any(value, running(Field::Reasoning)),
            b"signature" => walk.any(value, running(Field::Other)),
            b"citations" => walk.any(value, ANSWER.from(Origin::Tool)),
            _ => walk.any(value, ANSWER.keyed()),
        }),
        _ => block(walk, value, ANSWER),
    }
}

/// What an event adds; to a block if it is `of_block`.
fn delta(walk: &mut Walk<'_>, value: Value<'_>, index: u32, of_block: bool) {
    let kind = value.get("type").map(Value::name).unwrap_or_default();
    let running = |field| ANSWER.part(lane(0, field, index));
    walk.members(value, running(Field::Other), |walk, name, value| {
        let expected: &[u8] = match name {
            b"text" => b"text_delta",
            b"thinking" => b"thinking_delta",
            b"partial_json" => b"input_json_delta",
            b"signature" if *kind != *b"thinking_delta" => b"signature_delta",
            _ => b"",
        };
        if !(expected.is_empty() || of_block && *kind == *expected) {
            walk.mistyped(value);
        }
        match name {
            b"type" | b"stop_reason" => walk.word(value, ANSWER),
            b"text" => walk.running(value, running(Field::Content)),
            b"thinking" => walk.running(value, running(Field::Reasoning)),
            b"partial_json" => walk.running(value, running(Field::ToolArguments).json()),
            b"citation" => walk.any(value, ANSWER.from(Origin::Tool)),
            b"stop_sequence" | b"container" => walk.any(value, ANSWER.keyed()),
            // Signatures and whatever comes later.
            _ => walk.any(value, running(Field::Other).keyed()),
        }
    });
}

fn text_span(value: Option<Value<'_>>) -> Option<crate::text::Span> {
    value.filter(|v| v.kind() == Kind::String).map(Value::span)
}

/// Tokens used; what was written to or read from the cache was read as well.
fn usage(value: Value<'_>) -> Option<Usage> {
    let count = |name| value.get(name).and_then(Value::as_u64);
    let output = count("output_tokens")?;
    let input = [
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ];
    let input = input.into_iter().filter_map(count);
    Some(Usage {
        input: input.fold(0, u64::saturating_add),
        output,
        cached: count("cache_read_input_tokens").unwrap_or(0),
        reasoning: 0,
    })
}
