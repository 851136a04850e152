//! OpenAI chat completions, and what vLLM, `OpenRouter`, `DeepSeek`, Mistral and others add to them.

use super::body::Facts;
use super::event::{Close, Found};
use super::json::{Kind, Value};
use super::mark::Context;
use super::odd::{CALLS, CHOICES, OTHERS, STRINGS};
use super::settings;
use super::walk::{Walk, fnv, lane};
use super::{Field, Lane, NO_CHOICE, Part, Usage};
use crate::text::Origin;

const CLIENT: Context = Context::of(Origin::User);
const SYSTEM: Context = Context::of(Origin::System);
const ANSWER: Context = Context::of(Origin::Assistant);

/// The tool call index of the older `function_call`, of which there is one.
const FUNCTION_CALL: u32 = u32::MAX;

/// How the strings of a message relate to other events.
#[derive(Clone, Copy)]
enum Run {
    /// They are all there is.
    Whole,
    /// They go on in the next event: texts of a choice, below the member with this path.
    On(u32, u32),
    /// All that a choice has said so far is in each event again, beside its delta.
    Snapshot(u32),
}

impl Run {
    fn part(self, field: Field, index: u32) -> Part {
        match self {
            Self::Whole => Part::Whole,
            Self::Snapshot(_) => Part::Snapshot,
            Self::On(choice, path) => Part::Delta(Lane {
                choice,
                field,
                index,
                path,
            }),
        }
    }

    /// The number of an item, or else its position: in streams the number tells readers which text goes on.
    fn index(self, walk: &mut Walk<'_>, item: Value<'_>, position: u32, kind: u8) -> u32 {
        match self {
            Self::Whole => position,
            // Calls in a whole message are not numbered, those of deltas are.
            Self::On(_, path) if path != 0 => walk.index_of(item, position, OTHERS),
            Self::Snapshot(_) => walk.index_of(item, position, OTHERS),
            Self::On(..) => walk.index_of(item, position, kind),
        }
    }

    /// The same for calls of tools, which are judged when they are complete.
    fn calling(self) -> Self {
        match self {
            Self::Snapshot(choice) => Self::On(choice, fnv(0, b"message")),
            other => other,
        }
    }
}

pub(super) fn request(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, CLIENT, |walk, name, value| match name {
        b"messages" => walk.items(value, CLIENT, |walk, message, _| turn(walk, message)),
        b"tools" | b"functions" | b"response_format" => walk.any(value, SYSTEM.keyed()),
        b"prediction" => walk.any(value, ANSWER.keyed()),
        b"audio" | b"stream_options" | b"web_search_options" | b"modalities" => {
            walk.any(value, CLIENT);
        }
        _ => settings::read(walk, name, value, facts),
    });
}

/// One message of a conversation.
fn turn(walk: &mut Walk<'_>, message: Value<'_>) {
    let role = message.get("role").map(Value::name).unwrap_or_default();
    let context = Context::of(match &*role {
        b"system" | b"developer" => Origin::System,
        b"assistant" => Origin::Assistant,
        b"tool" | b"function" => Origin::Tool,
        // Whoever else it claims to be.
        _ => Origin::User,
    });
    said(walk, message, context, Run::Whole);
}

/// A message or delta. A text that may have several names is one for each.
fn said(walk: &mut Walk<'_>, message: Value<'_>, context: Context, run: Run) {
    let running = |field, index| context.part(run.part(field, index));
    walk.members(message, running(Field::Other, 0), |walk, name, value| {
        let other = running(Field::Other, 0).below(name);
        match name {
            b"role" => walk.word(value, other),
            b"content" => content(walk, value, context, run),
            b"refusal" => walk.running(value, running(Field::Refusal, 0)),
            b"reasoning" => walk.running(value, running(Field::Reasoning, 0)),
            b"reasoning_content" => {
                walk.running(value, running(Field::Reasoning, 0).below(name));
            }
            b"reasoning_details" => reasoning(walk, value, other, run),
            b"images" if matches!(run, Run::Whole) => {
                walk.items(value, other, |walk, image, _| walk.url(image, context));
            }
            b"tool_calls" => walk.items(value, other, |walk, call, position| {
                let index = run.index(walk, call, position, CALLS);
                tool_call(walk, call, context, run.calling(), index);
            }),
            b"function_call" => function(walk, value, context, run.calling(), FUNCTION_CALL),
            b"audio" => walk.members(value, other, |walk, name, value| match name {
                b"data" => walk.media(value, Some(b"audio/"), context),
                b"transcript" => walk.any(value, running(Field::Transcript, 0)),
                _ => walk.any(value, context.keyed()),
            }),
            b"annotations" => walk.items(value, other, |walk, note, position| {
                // Readers join those that have a number, and put others one after the other.
                let own = match note.get("index") {
                    Some(_) => {
                        let index = run.index(walk, note, position, OTHERS);
                        other.below(&index.to_be_bytes())
                    }
                    None => context,
                };
                walk.any(note, own.from(Origin::Tool));
            }),
            b"name" | b"tool_call_id" => walk.any(value, context),
            _ => walk.any(value, other.keyed()),
        }
    });
}

fn reasoning(walk: &mut Walk<'_>, value: Value<'_>, context: Context, run: Run) {
    walk.items(value, context, |walk, detail, position| {
        let index = run.index(walk, detail, position, OTHERS) + 1;
        let running = context.part(run.part(Field::Reasoning, index));
        walk.members(detail, running, |walk, name, value| match name {
            b"text" => walk.any(value, running),
            b"summary" | b"data" => walk.any(value, running.below(name)),
            // These come again with each piece.
            b"type" | b"format" | b"id" => walk.any(value, context.whole()),
            _ => walk.any(value, context.below(name)),
        });
    });
}

/// A message's content: a string, or parts of text, files and media.
fn content(walk: &mut Walk<'_>, value: Value<'_>, context: Context, run: Run) {
    let running = |field| context.part(run.part(field, 0));
    if value.kind() != Kind::Array {
        if matches!(run, Run::On(_, 0)) && value.kind() == Kind::String {
            walk.numbered.with |= STRINGS;
        }
        return walk.running(value, running(Field::Content).keyed().said());
    }
    if matches!(run, Run::On(_, 0)) {
        walk.numbered.without |= STRINGS;
    }
    walk.items(value, running(Field::Content), |walk, part, _| {
        if !matches!(run, Run::Whole) {
            walk.mistyped(part);
        }
        let kind = part.get("type").map(Value::name).unwrap_or_default();
        walk.members(
            part,
            running(Field::Content),
            |walk, name, value| match name {
                b"type" => walk.word(value, context),
                b"text" if *kind != *b"text" && !matches!(run, Run::Whole) => {
                    walk.mistyped(value);
                    walk.any(value, running(Field::Content).said());
                }
                b"text" => walk.any(value, running(Field::Content).said()),
                b"refusal" => walk.any(value, running(Field::Refusal)),
                b"thinking" => walk.any(value, running(Field::Reasoning).below(name)),
                b"image_url" | b"video_url" | b"audio_url" if value.kind() == Kind::Object => {
                    walk.members(value, context, |walk, name, value| match name {
                        b"url" => walk.url(value, context),
                        _ => walk.any(value, context),
                    });
                }
                // Some servers take a URL or base64 as it is.
                b"image_url" | b"video_url" | b"audio_url" | b"image" | b"video" | b"audio"
                    if value.kind() == Kind::String =>
                {
                    walk.url(value, context);
                }
                b"input_audio" => walk.members(value, context, |walk, name, value| match name {
                    b"data" => walk.media(value, Some(b"audio/"), context),
                    _ => walk.any(value, context),
                }),
                b"file" => {
                    let context = context.from(Origin::Tool);
                    walk.members(value, context, |walk, name, value| match name {
                        b"file_data" => walk.url(value, context),
                        b"file_id" => walk.elsewhere(value, context),
                        _ => walk.any(value, context.keyed()),
                    });
                }
                b"cache_control" => walk.any(value, context),
                _ => walk.any(value, running(Field::Other).below(name).keyed()),
            },
        );
    });
}

fn tool_call(walk: &mut Walk<'_>, call: Value<'_>, context: Context, run: Run, index: u32) {
    let other = context.part(run.part(Field::Other, index));
    walk.members(call, other, |walk, name, value| match name {
        b"type" => walk.word(value, context),
        b"id" => walk.any(value, context),
        b"function" | b"custom" => function(walk, value, context, run, index),
        _ => walk.any(value, other.below(name).keyed()),
    });
}

fn function(walk: &mut Walk<'_>, value: Value<'_>, context: Context, run: Run, index: u32) {
    let running = |field| context.part(run.part(field, index));
    walk.members(
        value,
        running(Field::Other),
        |walk, name, value| match name {
            b"name" => walk.any(value, running(Field::ToolName)),
            b"arguments" => walk.any(value, running(Field::ToolArguments).json().keyed()),
            // The free text of a custom tool.
            b"input" => walk.any(
                value,
                running(Field::ToolArguments).below(name).argument().keyed(),
            ),
            _ => walk.any(value, running(Field::Other).below(name).keyed()),
        },
    );
}

pub(super) fn response(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, ANSWER, |walk, name, value| match name {
        b"choices" => walk.items(value, ANSWER, |walk, choice, _| {
            walk.members(choice, ANSWER, |walk, name, value| match name {
                b"message" => said(walk, value, ANSWER, Run::Whole),
                b"finish_reason" => walk.word(value, ANSWER),
                b"logprobs" => walk.logprobs(value, |walk, value| logprobs(walk, value, None)),
                _ => walk.any(value, ANSWER.keyed()),
            });
        }),
        b"object" | b"service_tier" => walk.word(value, ANSWER),
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
    let mut found = Found {
        begins: true,
        ..Found::default()
    };
    let other = ANSWER.part(lane(NO_CHOICE, Field::Other, NO_CHOICE));
    walk.members(root, other, |walk, name, value| match name {
        b"choices" => {
            walk.apart(value);
            walk.items(value, other.below(name), |walk, choice, position| {
                let index = walk.index_of(choice, position, CHOICES);
                let none = ANSWER.part(lane(NO_CHOICE, Field::Other, index));
                walk.members(choice, none, |walk, name, value| match name {
                    b"delta" => said(walk, value, ANSWER, Run::On(index, 0)),
                    b"message" => said(walk, value, ANSWER, beside(choice, index)),
                    b"finish_reason" => finish(walk, value, index, closes),
                    b"logprobs" => {
                        walk.logprobs(value, |walk, value| logprobs(walk, value, Some(index)));
                    }
                    _ => unknown(walk, name, value, index),
                });
            });
        }
        _ => envelope(walk, name, value, &mut found),
    });
    found
}

/// How a `message` in a stream goes on. Some servers send one in place of deltas; beside a delta it is all that was said so far.
fn beside(choice: Value<'_>, index: u32) -> Run {
    let is_object = |value: &Value<'_>| value.kind() == Kind::Object;
    let ends = |value: Value<'_>| value.kind() == Kind::String && !value.span().is_empty();
    match choice.get("delta").filter(is_object) {
        None => Run::On(index, fnv(0, b"message")),
        Some(_) if choice.get("finish_reason").is_some_and(ends) => Run::Whole,
        Some(_) => Run::Snapshot(index),
    }
}

/// A choice's member that no format has: what is said at each place may go on in the next event. Not so what some servers say of a
/// choice with every event.
pub(super) fn unknown(walk: &mut Walk<'_>, name: &[u8], value: Value<'_>, choice: u32) {
    let context = match name {
        b"content_filter_results"
        | b"content_filter_offsets"
        | b"native_finish_reason"
        | b"stop_reason"
        | b"matched_stop" => ANSWER,
        _ => ANSWER
            .part(lane(NO_CHOICE, Field::Other, choice))
            .below(name),
    };
    walk.any(value, context.keyed());
}

/// Members of an event that chat and completions share.
pub(super) fn envelope(walk: &mut Walk<'_>, name: &[u8], value: Value<'_>, found: &mut Found) {
    match name {
        b"object" | b"service_tier" => return walk.word(value, ANSWER),
        b"id" if value.kind() == Kind::String => found.id = Some(value.span()),
        b"model" if value.kind() == Kind::String => found.model = Some(value.span()),
        b"usage" => {
            found.usage = usage(value);
            return walk.any(value, ANSWER);
        }
        b"error" => found.error |= value.kind() != Kind::Null,
        // Where servers say something that have other formats beside this one.
        b"content" | b"text" | b"delta" | b"message" | b"response" | b"completion" | b"output" => {
            return unknown(walk, name, value, NO_CHOICE);
        }
        _ => {}
    }
    walk.any(value, ANSWER.keyed());
}

/// A choice's finish reason. Some servers send an empty one with every event.
pub(super) fn finish(walk: &mut Walk<'_>, value: Value<'_>, choice: u32, closes: &mut Vec<Close>) {
    walk.word(value, ANSWER);
    if value.kind() == Kind::String && !value.span().is_empty() {
        closes.push(Close::Choice(choice));
    }
}

/// Tokens with their probabilities: the chosen ones joined are the text again, and so are those of each lower rank.
fn logprobs(walk: &mut Walk<'_>, value: Value<'_>, choice: Option<u32>) {
    let running = |rank| {
        let part = choice.map_or(Part::Whole, |c| lane(c, Field::Other, rank));
        ANSWER.part(part)
    };
    walk.members(value, running(0), |walk, list, value| {
        // Of what the answer says, or of what it refuses.
        let running = |rank| running(rank).below(list);
        walk.items(value, running(0), |walk, token, _| {
            walk.members(token, running(1), |walk, name, value| match name {
                b"top_logprobs" => walk.items(value, running(2), |walk, top, rank| {
                    walk.any(top, running(rank.saturating_add(2)));
                }),
                _ => walk.any(value, running(1).below(name)),
            });
        });
    });
}

/// Tokens used, by the names of either generation.
pub(super) fn usage(value: Value<'_>) -> Option<Usage> {
    let count = |name| value.get(name).and_then(Value::as_u64);
    let (input, output) = (count("prompt_tokens"), count("completion_tokens"));
    (input.is_some() || output.is_some()).then(|| Usage {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
        cached: detail(value, "prompt_tokens_details", "cached_tokens"),
        reasoning: detail(value, "completion_tokens_details", "reasoning_tokens"),
    })
}

/// A part of a count, 0 where none is told.
pub(super) fn detail(usage: Value<'_>, of: &str, name: &str) -> u64 {
    let details = usage.get(of);
    let part = details.and_then(|details| details.get(name));
    part.and_then(Value::as_u64).unwrap_or(0)
}
