//! Events of streamed responses.
//!
//! The same text comes several times: as deltas, then whole in `….done`, in its part, in its item and in the answer at the end.
//! Each whole repetition is read as a string of its own, in which the same is found as in the deltas joined.

use super::{ANSWER, item, response, usage};
use crate::text::{Origin, Span};
use crate::wire::body::Facts;
use crate::wire::event::{Close, Found};
use crate::wire::json::{Kind, Value};
use crate::wire::mark::Context;
use crate::wire::odd::{BLOCKS, OLDER, OTHERS, item_at};
use crate::wire::walk::{Walk, fnv, lane};
use crate::wire::{Field, NO_CHOICE};

/// The output of events that name none, such as those of audio.
const NO_OUTPUT: u32 = NO_CHOICE;

/// Summaries and texts of reasoning are numbered apart.
const SUMMARY: u32 = 1 << 31;

/// What the type of an event says.
enum Type {
    /// It adds to a text of this kind; whether that is JSON.
    Delta(Field, bool),
    /// It adds to a command that a shell is to run.
    Command,
    /// It adds to what a command printed.
    Printed,
    /// It adds sound.
    Audio,
    /// It holds what is whole.
    Whole,
    /// It is not known here; a `delta` in it is running text all the same.
    Unknown,
}

pub(in crate::wire) fn event(
    walk: &mut Walk<'_>,
    root: Value<'_>,
    closes: &mut Vec<Close>,
) -> Found {
    let kind = root.get("type").map(Value::name).unwrap_or_default();
    let known = type_of(&kind);
    older(walk, &kind);
    let (output, index) = place(walk, root, &known);
    let item = match &known {
        Type::Delta(field, _) => item_at(walk, root, (*field, 0, output)),
        _ => None,
    };
    let choice = output.unwrap_or(NO_OUTPUT);
    let running = running(&known, &kind, choice, index);
    let mut found = Found {
        error: *kind == *b"error" || root.get("error").is_some_and(|e| e.kind() == Kind::Object),
        terminal: matches!(
            &*kind,
            b"response.completed"
                | b"response.incomplete"
                | b"response.failed"
                | b"response.cancelled"
        ),
        begins: kind.starts_with(b"response."),
        kind: text_span(root.get("type")),
        item,
        sequence: root.get("sequence_number").and_then(Value::as_u64),
        unknown: matches!(known, Type::Unknown),
        ..Found::default()
    };
    walk.members(root, ANSWER, |walk, name, value| match name {
        b"type" => walk.word(value, ANSWER),
        b"delta" if matches!(known, Type::Audio) => walk.media(value, Some(b"audio/"), ANSWER),
        b"delta" => walk.any(value, running),
        b"arguments" => walk.any(value, ANSWER.json().keyed()),
        b"input" | b"code" | b"command" => walk.any(value, ANSWER.argument().keyed()),
        b"partial_image_b64" => walk.media(value, Some(b"image/"), ANSWER),
        b"part" => item::part(walk, value, ANSWER),
        b"item" => item::item(walk, value, ANSWER),
        b"annotation" => walk.any(value, ANSWER.from(Origin::Tool).keyed()),
        b"logprobs" if matches!(known, Type::Delta(..)) => {
            walk.logprobs(value, |walk, value| logprobs(walk, value, (choice, index)));
        }
        b"logprobs" => walk.logprobs(value, |walk, value| walk.any(value, ANSWER.keyed())),
        b"response" => {
            found.id = text_span(value.get("id"));
            found.model = text_span(value.get("model"));
            found.usage = value.get("usage").and_then(usage);
            response(walk, value, &mut Facts::default());
        }
        _ => walk.any(value, ANSWER.keyed()),
    });
    match &*kind {
        b"response.output_item.added" => {
            found.opens = output;
            found.call = Some((choice, 0));
        }
        b"response.output_item.done" => closes.push(end(root, choice)),
        kind if kind.ends_with(b".done") => closes.push(Close::Block { choice, index }),
        _ => {}
    }
    found
}

/// What ends with an item.
fn end(root: Value<'_>, choice: u32) -> Close {
    let kind = root.get("item").and_then(|item| item.get("type"));
    if kind.is_some_and(|kind| *kind.name() == *b"reasoning") {
        Close::Thoughts(choice)
    } else {
        Close::Choice(choice)
    }
}

/// The output item that an event adds to, and which of its texts.
fn place(walk: &mut Walk<'_>, root: Value<'_>, known: &Type) -> (Option<u32>, u32) {
    let parts = match known {
        Type::Delta(Field::Content | Field::Refusal, _) => BLOCKS,
        _ => OTHERS,
    };
    let output = walk.number_of(root, "output_index", OTHERS);
    let content = walk.number_of(root, "content_index", parts);
    let summary = walk.number_of(root, "summary_index", OTHERS);
    let command = walk.number_of(root, "command_index", OTHERS);
    let summary = summary.map(|index| index | SUMMARY);
    (output, content.or(summary).or(command).unwrap_or(0))
}

/// Takes note of whether a type has the older of two names: clients that know one of them pass over the other.
fn older(walk: &mut Walk<'_>, kind: &[u8]) {
    match kind {
        b"response.reasoning.delta"
        | b"response.reasoning_summary.delta"
        | b"response.mcp_call.arguments.delta"
        | b"response.code_interpreter_call.code.delta"
        | b"response.audio.transcript.delta" => walk.numbered.with |= OLDER,
        b"response.reasoning_text.delta"
        | b"response.reasoning_summary_text.delta"
        | b"response.mcp_call_arguments.delta"
        | b"response.code_interpreter_call_code.delta"
        | b"response.output_audio_transcript.delta" => walk.numbered.without |= OLDER,
        _ => {}
    }
}

fn type_of(kind: &[u8]) -> Type {
    match kind {
        b"response.output_text.delta" => Type::Delta(Field::Content, false),
        b"response.refusal.delta" => Type::Delta(Field::Refusal, false),
        b"response.reasoning_text.delta"
        | b"response.reasoning_summary_text.delta"
        | b"response.reasoning.delta"
        | b"response.reasoning_summary.delta" => Type::Delta(Field::Reasoning, false),
        b"response.function_call_arguments.delta"
        | b"response.mcp_call_arguments.delta"
        | b"response.mcp_call.arguments.delta" => Type::Delta(Field::ToolArguments, true),
        b"response.custom_tool_call_input.delta"
        | b"response.code_interpreter_call_code.delta"
        | b"response.code_interpreter_call.code.delta" => Type::Delta(Field::ToolArguments, false),
        b"response.shell_call_command.delta" => Type::Command,
        b"response.shell_call_output_content.delta" => Type::Printed,
        b"response.audio.transcript.delta" | b"response.output_audio_transcript.delta" => {
            Type::Delta(Field::Transcript, false)
        }
        b"response.audio.delta" | b"response.output_audio.delta" => Type::Audio,
        b"error" => Type::Whole,
        _ => {
            let name = kind.strip_prefix(b"response.").unwrap_or_default();
            let dot = memchr::memrchr(b'.', name).unwrap_or(0);
            let (of, step) = name.split_at_checked(dot).unwrap_or_default();
            if is_whole(of, step) {
                Type::Whole
            } else {
                Type::Unknown
            }
        }
    }
}

/// Whether `response.OF.STEP`, with the step's dot, is an event in which texts are whole.
fn is_whole(of: &[u8], step: &[u8]) -> bool {
    match of {
        b"" => matches!(
            step,
            b"created"
                | b"queued"
                | b"in_progress"
                | b"completed"
                | b"incomplete"
                | b"failed"
                | b"cancelled"
        ),
        b"output_item" | b"content_part" | b"reasoning_summary_part" => {
            matches!(step, b".added" | b".done")
        }
        b"output_text.annotation" => step == b".added",
        b"shell_call_command" => matches!(step, b".added" | b".done"),
        b"compaction" => step == b".compacting",
        b"output_text"
        | b"refusal"
        | b"reasoning_text"
        | b"reasoning_summary_text"
        | b"reasoning"
        | b"reasoning_summary"
        | b"function_call_arguments"
        | b"mcp_call_arguments"
        | b"mcp_call.arguments"
        | b"custom_tool_call_input"
        | b"code_interpreter_call_code"
        | b"code_interpreter_call.code"
        | b"shell_call_output_content"
        | b"audio"
        | b"audio.transcript"
        | b"output_audio"
        | b"output_audio_transcript" => step == b".done",
        b"file_search_call"
        | b"web_search_call"
        | b"code_interpreter_call"
        | b"image_generation_call"
        | b"mcp_call"
        | b"mcp_list_tools" => matches!(
            step,
            b".in_progress"
                | b".searching"
                | b".interpreting"
                | b".generating"
                | b".partial_image"
                | b".completed"
                | b".failed"
        ),
        _ => false,
    }
}

/// What holds for the `delta` of an event.
fn running(known: &Type, kind: &[u8], choice: u32, index: u32) -> Context {
    match known {
        Type::Delta(field, true) => ANSWER.part(lane(choice, *field, index)).json(),
        Type::Delta(field @ Field::ToolArguments, false) => {
            ANSWER.part(lane(choice, *field, index)).argument()
        }
        Type::Delta(field, false) => ANSWER.part(lane(choice, *field, index)),
        Type::Command => ANSWER.part(lane(choice, Field::Other, index)).argument(),
        // Each of its streams is a text of its own.
        Type::Printed => ANSWER
            .from(Origin::Tool)
            .part(lane(choice, Field::Other, fnv(index, kind)))
            .keyed(),
        Type::Audio | Type::Whole => ANSWER.keyed(),
        // Each unknown type is a text of its own.
        Type::Unknown => {
            let place = fnv(fnv(index, kind), &choice.to_be_bytes());
            ANSWER.part(lane(NO_OUTPUT, Field::Other, place)).keyed()
        }
    }
}

/// Tokens with their probabilities: the chosen ones joined are the text again, and so are those of each lower rank.
fn logprobs(walk: &mut Walk<'_>, value: Value<'_>, (choice, index): (u32, u32)) {
    let running = |rank: u32| {
        let place = fnv(index, &rank.to_be_bytes());
        ANSWER.part(lane(choice, Field::Other, place))
    };
    walk.items(value, running(0), |walk, token, _| {
        walk.members(token, running(0), |walk, name, value| match name {
            b"top_logprobs" => walk.items(value, running(1), |walk, top, rank| {
                walk.any(top, running(rank.saturating_add(1)));
            }),
            _ => walk.any(value, running(0)),
        });
    });
}

fn text_span(value: Option<Value<'_>>) -> Option<Span> {
    value.filter(|v| v.kind() == Kind::String).map(Value::span)
}
