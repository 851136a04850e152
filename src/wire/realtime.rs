//! `OpenAI`'s realtime API: events of both sides of a conversation over a WebSocket, one JSON object per message.
//!
//! A connection carries many answers, one after the other; lanes are told apart by the ids of answers and items. Events as in
//! the published API of 2026 and as in its beta, whose names differ (`response.text.delta`).

use super::Field;
use super::body::Facts;
use super::event::{Close, Found};
use super::json::{Kind, Value};
use super::mark::Context;
use super::odd::{BLOCKS, OLDER, OTHERS, item_at};
use super::responses::{self, item};
use super::walk::{Walk, fnv, lane};
use crate::text::{Origin, Span};

const CLIENT: Context = Context::of(Origin::User);
const ANSWER: Context = Context::of(Origin::Assistant);

/// The event that brings the next words of the user's speech.
const HEARD: &[u8] = b"conversation.item.input_audio_transcription.delta";

/// What the type of a server's event says.
enum Type {
    /// It adds to a text of the answer; whether that is JSON.
    Delta(Field, bool),
    /// It adds to what is understood of the user's speech.
    Heard,
    /// It ends a text of the answer.
    Done,
    /// It ends what is understood of the user's speech.
    HeardDone,
    /// It adds sound.
    Audio,
    /// Texts in it are whole.
    Whole,
    /// It is not known here; a `delta` in it is running text all the same.
    Unknown,
}

/// One event of the client.
pub(super) fn request(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    facts.stream = has_type(root, b"response.create");
    walk.members(root, CLIENT, |walk, name, value| match name {
        b"type" => walk.word(value, CLIENT),
        b"session" | b"response" => {
            facts.model = value.get("model").and_then(Value::text).map(Into::into);
            facts.max_output_tokens = value.get("max_output_tokens").and_then(Value::as_u64);
            settings(walk, value, CLIENT);
        }
        b"item" => item::item(walk, value, CLIENT),
        b"audio" => walk.media(value, Some(b"audio/"), CLIENT),
        _ => walk.any(value, CLIENT.keyed()),
    });
}

/// Whether a client's event is one that the API has.
pub(super) fn knows_request(root: Value<'_>) -> bool {
    is_client_event(&root.get("type").map(Value::name).unwrap_or_default())
}

/// Whether a word is the type of an event.
pub(super) fn is_event(raw: &[u8]) -> bool {
    is_client_event(raw) || !matches!(type_of(raw), Type::Unknown)
}

const fn is_client_event(raw: &[u8]) -> bool {
    matches!(
        raw,
        b"session.update"
            | b"transcription_session.update"
            | b"input_audio_buffer.append"
            | b"input_audio_buffer.commit"
            | b"input_audio_buffer.clear"
            | b"output_audio_buffer.clear"
            | b"conversation.item.create"
            | b"conversation.item.retrieve"
            | b"conversation.item.truncate"
            | b"conversation.item.delete"
            | b"response.create"
            | b"response.cancel"
    )
}

/// What a session or one answer is to be like. Servers repeat it.
fn settings(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    walk.members(value, context, |walk, name, value| match name {
        b"type" | b"object" => walk.word(value, context),
        b"input" => responses::items(walk, value, CLIENT),
        _ => {
            if !responses::instructions(walk, name, value) {
                walk.any(value, context.keyed());
            }
        }
    });
}

/// One event of the server.
pub(super) fn event(walk: &mut Walk<'_>, root: Value<'_>, closes: &mut Vec<Close>) -> Found {
    let kind = root.get("type").map(Value::name).unwrap_or_default();
    let known = type_of(&kind);
    let ((choice, index), item) = place(walk, root, (&known, &kind));
    let context = match known {
        Type::Heard | Type::HeardDone => CLIENT,
        _ => ANSWER,
    };
    let running = running(&known, &kind, (choice, index));
    let tokens = fnv(index, &kind);
    let over = *kind == *b"response.done";
    let mut found = Found {
        error: *kind == *b"error",
        begins: kind.starts_with(b"response."),
        over,
        item,
        unknown: matches!(known, Type::Unknown),
        ..Found::default()
    };
    walk.members(root, context, |walk, name, value| match name {
        b"type" => walk.word(value, context),
        b"delta" if matches!(known, Type::Audio) => walk.media(value, Some(b"audio/"), context),
        b"delta" => walk.any(value, running),
        b"arguments" => walk.any(value, context.json().keyed()),
        b"part" => item::part(walk, value, context),
        b"item" => item::item(walk, value, context),
        b"session" => {
            found.model = text_span(value.get("model"));
            settings(walk, value, context);
        }
        b"response" => {
            found.id = text_span(value.get("id"));
            found.usage = value
                .get("usage")
                .filter(|_| over)
                .and_then(responses::usage);
            responses::response(walk, value, &mut Facts::default());
        }
        b"logprobs" => walk.logprobs(value, |walk, value| {
            // The tokens joined are the text again.
            walk.any(value, CLIENT.part(lane(choice, Field::Other, tokens)));
        }),
        _ => walk.any(value, context.keyed()),
    });
    match known {
        _ if over => {
            let id = root.get("response").and_then(|answer| answer.get("id"));
            closes.push(Close::Choice(hash(id)));
        }
        Type::Done => closes.push(Close::Block { choice, index }),
        Type::HeardDone => {
            for index in [index, tokens, fnv(index, HEARD)] {
                closes.push(Close::Block { choice, index });
            }
        }
        _ if *kind == *b"response.output_item.added" => {
            found.opens = root.get("output_index").and_then(Value::as_u32);
            found.call = Some((choice, index));
        }
        _ => {}
    }
    found
}

/// Choice and index of the lane that an event adds to: the answer, and the part of its item; or an item of the user's. And the
/// item with its place.
fn place(
    walk: &mut Walk<'_>,
    root: Value<'_>,
    (known, kind): (&Type, &[u8]),
) -> ((u32, u32), Option<(u64, u64)>) {
    older(walk, kind);
    let parts = match known {
        Type::Delta(Field::Content | Field::Transcript, _) => BLOCKS,
        _ => OTHERS,
    };
    let output = walk.number_of(root, "output_index", OTHERS);
    let content = walk.number_of(root, "content_index", parts);
    let id = match known {
        Type::Heard | Type::HeardDone => root.get("item_id"),
        _ => root.get("response_id"),
    };
    let part = fnv(output.unwrap_or(0), &content.unwrap_or(0).to_be_bytes());
    let item = match known {
        Type::Delta(field, _) => item_at(walk, root, (*field, hash(id), output)),
        _ => None,
    };
    ((hash(id), part), item)
}

/// Takes note of whether an event has the name that the preview of the API had: clients that know one of them pass over the other.
fn older(walk: &mut Walk<'_>, kind: &[u8]) {
    match kind {
        b"response.text.delta" | b"response.audio_transcript.delta" => {
            walk.numbered.with |= OLDER;
        }
        b"response.output_text.delta" | b"response.output_audio_transcript.delta" => {
            walk.numbered.without |= OLDER;
        }
        _ => {}
    }
}

fn hash(id: Option<Value<'_>>) -> u32 {
    fnv(0, &id.map(Value::name).unwrap_or_default())
}

fn type_of(kind: &[u8]) -> Type {
    match kind {
        b"response.output_text.delta" | b"response.text.delta" => {
            Type::Delta(Field::Content, false)
        }
        b"response.output_audio_transcript.delta" | b"response.audio_transcript.delta" => {
            Type::Delta(Field::Transcript, false)
        }
        b"response.function_call_arguments.delta" | b"response.mcp_call_arguments.delta" => {
            Type::Delta(Field::ToolArguments, true)
        }
        HEARD => Type::Heard,
        b"conversation.item.input_audio_transcription.completed"
        | b"conversation.item.input_audio_transcription.failed" => Type::HeardDone,
        b"response.output_audio.delta" | b"response.audio.delta" => Type::Audio,
        b"response.output_text.done"
        | b"response.text.done"
        | b"response.output_audio_transcript.done"
        | b"response.audio_transcript.done"
        | b"response.function_call_arguments.done"
        | b"response.mcp_call_arguments.done" => Type::Done,
        _ if is_whole(kind) => Type::Whole,
        _ => Type::Unknown,
    }
}

const fn is_whole(kind: &[u8]) -> bool {
    matches!(
        kind,
        b"error"
            | b"session.created"
            | b"session.updated"
            | b"transcription_session.created"
            | b"transcription_session.updated"
            | b"conversation.created"
            | b"conversation.item.created"
            | b"conversation.item.added"
            | b"conversation.item.done"
            | b"conversation.item.retrieved"
            | b"conversation.item.truncated"
            | b"conversation.item.deleted"
            | b"conversation.item.input_audio_transcription.segment"
            | b"input_audio_buffer.committed"
            | b"input_audio_buffer.cleared"
            | b"input_audio_buffer.speech_started"
            | b"input_audio_buffer.speech_stopped"
            | b"input_audio_buffer.timeout_triggered"
            | b"input_audio_buffer.dtmf_event_received"
            | b"output_audio_buffer.started"
            | b"output_audio_buffer.stopped"
            | b"output_audio_buffer.cleared"
            | b"response.created"
            | b"response.done"
            | b"response.output_item.added"
            | b"response.output_item.done"
            | b"response.content_part.added"
            | b"response.content_part.done"
            | b"response.output_audio.done"
            | b"response.audio.done"
            | b"response.mcp_call.in_progress"
            | b"response.mcp_call.completed"
            | b"response.mcp_call.failed"
            | b"mcp_list_tools.in_progress"
            | b"mcp_list_tools.completed"
            | b"mcp_list_tools.failed"
            | b"rate_limits.updated"
    )
}

/// What holds for the `delta` of an event.
fn running(known: &Type, kind: &[u8], (choice, index): (u32, u32)) -> Context {
    match known {
        Type::Delta(field, true) => ANSWER.part(lane(choice, *field, index)).json(),
        Type::Delta(field, false) => ANSWER.part(lane(choice, *field, index)),
        Type::Heard => CLIENT.part(lane(choice, Field::Transcript, index)),
        Type::HeardDone => CLIENT.keyed(),
        Type::Audio | Type::Done | Type::Whole => ANSWER.keyed(),
        // Each unknown type is a text of its own.
        Type::Unknown => ANSWER
            .part(lane(choice, Field::Other, fnv(index, kind)))
            .keyed(),
    }
}

fn has_type(root: Value<'_>, kind: &[u8]) -> bool {
    root.get("type").is_some_and(|value| *value.name() == *kind)
}

fn text_span(value: Option<Value<'_>>) -> Option<Span> {
    value.filter(|v| v.kind() == Kind::String).map(Value::span)
}
