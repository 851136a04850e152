//! Items of the responses API: what is said, called, found and thought; the same in inputs, outputs and events.

use crate::text::Origin;
use crate::wire::json::{Kind, Value};
use crate::wire::mark::Context;
use crate::wire::walk::Walk;

/// One item of whatever type; `context` says whose it is where the item itself does not.
pub(in crate::wire) fn item(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    let kind = value.get("type").map(Value::name).unwrap_or_default();
    let context = origin(value, &kind).map_or(context, |origin| context.from(origin));
    let found = context.from(Origin::Tool);
    if value.kind() == Kind::String {
        return walk.any(value, context.said());
    }
    walk.members(value, context, |walk, name, value| match name {
        b"type" | b"role" | b"status" => walk.word(value, context),
        b"content" | b"summary" => parts(walk, value, context),
        b"arguments" => walk.any(value, context.json().keyed()),
        // What a tool, a search or a program gave back, errors included.
        b"output" | b"outputs" | b"results" | b"error" => parts(walk, value, found),
        b"input" | b"code" | b"operation" => walk.any(value, context.argument().keyed()),
        // Those that a search for tools has found, and more of them.
        b"tools" => super::tools(walk, value, context),
        b"action" => walk.members(value, context, |walk, name, value| match name {
            b"type" => walk.word(value, context),
            b"sources" => walk.any(value, found.keyed()),
            _ => walk.any(value, context.argument().keyed()),
        }),
        b"result" if *kind == *b"image_generation_call" => {
            walk.media(value, Some(b"image/"), context);
        }
        _ => walk.any(value, context.keyed()),
    });
}

/// Who wrote an item: its type says it, else its role.
fn origin(item: Value<'_>, kind: &[u8]) -> Option<Origin> {
    if kind.ends_with(b"_output") || kind == b"mcp_list_tools" {
        return Some(Origin::Tool);
    }
    if kind.ends_with(b"_call") || matches!(kind, b"reasoning" | b"compaction") {
        return Some(Origin::Assistant);
    }
    Some(match &*item.get("role")?.name() {
        b"system" | b"developer" => Origin::System,
        b"assistant" => Origin::Assistant,
        b"tool" => Origin::Tool,
        b"user" => Origin::User,
        _ => return None,
    })
}

/// Content: a string, a part, or parts of text, files and media.
pub(in crate::wire) fn parts(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    if value.kind() == Kind::String {
        return walk.any(value, context.said());
    }
    walk.one_or_more(value, |walk, value, _| part(walk, value, context));
}

/// One part. The places in its annotations count characters of its text as the model wrote it; they are not moved by edits.
pub(in crate::wire) fn part(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    let kind = value.get("type").map(Value::name).unwrap_or_default();
    let found = context.from(Origin::Tool);
    let context = if *kind == *b"input_file" {
        found
    } else {
        context
    };
    walk.members(value, context, |walk, name, value| match name {
        b"type" => walk.word(value, context),
        b"text" => walk.any(value, context.keyed().said()),
        b"image_url" | b"file_data" | b"file_url" | b"url" => walk.url(value, context),
        b"file_id" => walk.elsewhere(value, context),
        // The names of the responses and of the realtime API.
        b"data" | b"audio" if kind.ends_with(b"audio") => {
            walk.media(value, Some(b"audio/"), context);
        }
        b"input_audio" => walk.members(value, context, |walk, name, value| match name {
            b"data" => walk.media(value, Some(b"audio/"), context),
            _ => walk.any(value, context.keyed()),
        }),
        b"annotations" => walk.any(value, found.keyed()),
        b"logprobs" => walk.logprobs(value, |walk, value| walk.any(value, context.keyed())),
        _ => walk.any(value, context.keyed()),
    });
}
