//! Gemini: generateContent and its stream, countTokens, embedContent, batchEmbedContents.
//!
//! The service takes every name in camel case and in snake case (proto3 JSON mapping), so both are read.

use super::body::Facts;
use super::event::{Close, Found};
use super::json::{Kind, Value};
use super::mark::Context;
use super::odd::{Absent, OTHERS};
use super::walk::{Walk, fnv, lane};
use super::{Field, NO_CHOICE, Part, Usage};
use crate::text::Origin;

const CLIENT: Context = Context::of(Origin::User);
const SYSTEM: Context = Context::of(Origin::System);
const ANSWER: Context = Context::of(Origin::Assistant);

/// Where tools hold credentials for servers that the service asks.
const CREDENTIALS: [&str; 12] = [
    "exaAiSearch.apiKey",
    "exa_ai_search.api_key",
    "parallelAiSearch.apiKey",
    "parallel_ai_search.api_key",
    "googleMaps.authConfig",
    "google_maps.auth_config",
    "retrieval.externalApi.authConfig",
    "retrieval.external_api.auth_config",
    "retrieval.externalApi.apiAuth",
    "retrieval.external_api.api_auth",
    "mcpServers.streamableHttpTransport.headers",
    "mcp_servers.streamable_http_transport.headers",
];

pub(super) fn request(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, CLIENT, |walk, name, value| match name {
        b"contents" | b"content" => walk.one_or_more(value, |walk, turn, _| {
            content(walk, turn, CLIENT, None);
        }),
        b"systemInstruction" | b"system_instruction" => content(walk, value, SYSTEM, None),
        b"tools" => walk.one_or_more(value, |walk, tool, _| {
            walk.holding(tool, SYSTEM.keyed(), &CREDENTIALS);
        }),
        b"generationConfig" | b"generation_config" => config(walk, value, facts),
        // countTokens and batchEmbedContents hold whole requests.
        b"generateContentRequest" | b"generate_content_request" if value.kind() == Kind::Object => {
            request(walk, value, facts);
        }
        b"requests" => walk.items(value, CLIENT, |walk, inner, _| {
            if inner.kind() == Kind::Object {
                request(walk, inner, facts);
            } else {
                walk.any(inner, CLIENT.keyed());
            }
        }),
        b"safetySettings" | b"safety_settings" => walk.any(value, CLIENT),
        b"cachedContent" | b"cached_content" => walk.elsewhere(value, CLIENT),
        _ => walk.any(value, CLIENT.keyed()),
    });
}

fn config(walk: &mut Walk<'_>, value: Value<'_>, facts: &mut Facts) {
    walk.members(value, CLIENT, |walk, name, value| {
        match name {
            b"candidateCount" | b"candidate_count" => facts.asks(value),
            b"maxOutputTokens" | b"max_output_tokens" => facts.limits(value),
            b"responseSchema"
            | b"response_schema"
            | b"responseJsonSchema"
            | b"response_json_schema" => return walk.any(value, SYSTEM.keyed()),
            _ => {}
        }
        walk.any(value, CLIENT.keyed());
    });
}

/// One turn of a conversation. `choice` is set in streams, where its text is running.
fn content(walk: &mut Walk<'_>, value: Value<'_>, context: Context, choice: Option<u32>) {
    let role = value.get("role").map(Value::name);
    let context = match role.as_deref() {
        Some(b"model") => context.from(Origin::Assistant),
        Some(b"function") => context.from(Origin::Tool),
        _ => context,
    };
    walk.members(value, context, |walk, name, value| match name {
        b"role" => walk.word(value, context),
        b"parts" => walk.one_or_more(value, |walk, item, _| part(walk, item, context, choice)),
        _ => walk.any(value, context.keyed()),
    });
}

fn part(walk: &mut Walk<'_>, value: Value<'_>, context: Context, choice: Option<u32>) {
    let thought = value.get("thought");
    if let Some(thought) = thought
        && choice.is_some()
    {
        walk.flag(thought);
    }
    let thought = thought.is_some_and(|v| v.kind() == Kind::True);
    let field = if thought {
        Field::Reasoning
    } else {
        Field::Content
    };
    let running =
        |field, index| context.part(choice.map_or(Part::Whole, |c| lane(c, field, index)));
    let fetched = context.from(Origin::Tool);
    walk.members(value, context, |walk, name, value| match name {
        b"text" => walk.running(value, running(field, 0).said()),
        b"inlineData" | b"inline_data" => inline_data(walk, value, context),
        b"fileData" | b"file_data" => {
            walk.members(value, fetched, |walk, name, value| match name {
                b"fileUri" | b"file_uri" => walk.elsewhere(value, fetched),
                _ => walk.any(value, fetched.keyed()),
            });
        }
        b"functionResponse" | b"function_response" => function_response(walk, value, fetched),
        b"functionCall" | b"function_call" => {
            function_call(walk, value, context.argument(), choice);
        }
        b"executableCode" | b"executable_code" => {
            walk.any(value, running(Field::Other, 1).argument());
        }
        b"codeExecutionResult" | b"code_execution_result" => {
            let output = choice.map_or(Part::Whole, |c| lane(c, Field::Other, 2));
            walk.any(value, fetched.part(output));
        }
        b"thoughtSignature" | b"thought_signature" => walk.any(value, context),
        _ => walk.any(value, running(Field::Other, 0).below(name).keyed()),
    });
}

fn inline_data(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    let mime = value.get("mimeType").or_else(|| value.get("mime_type"));
    let mime = mime.map(Value::name);
    walk.members(value, context, |walk, name, value| match name {
        b"data" => walk.media(value, mime.as_deref(), context),
        _ => walk.any(value, context.keyed()),
    });
}

/// A tool's result, which may hold media of its own.
fn function_response(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    walk.members(value, context, |walk, name, value| match name {
        b"parts" => walk.one_or_more(value, |walk, item, _| part(walk, item, context, None)),
        _ => walk.any(value, context.keyed()),
    });
}

/// A tool call: whole, or with its arguments' texts in pieces that name their place by a JSON path.
fn function_call(walk: &mut Walk<'_>, value: Value<'_>, context: Context, choice: Option<u32>) {
    walk.members(value, context, |walk, name, value| match name {
        b"partialArgs" | b"partial_args" => walk.items(value, context, |walk, argument, _| {
            let path = argument
                .get("jsonPath")
                .or_else(|| argument.get("json_path"));
            let index = fnv(0, path.map_or(&[], Value::raw));
            let part = choice.map_or(Part::Whole, |c| lane(c, Field::ToolArguments, index));
            walk.members(argument, context, |walk, name, value| match name {
                b"stringValue" | b"string_value" => walk.any(value, context.part(part)),
                _ => walk.any(value, context.keyed()),
            });
        }),
        _ => walk.any(value, context.keyed()),
    });
}

pub(super) fn response(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    let mut found = Found::default();
    answer(walk, root, None, &mut found);
    facts.usage = found.usage.or(facts.usage);
    let model = root
        .get("modelVersion")
        .or_else(|| root.get("model_version"));
    facts.model = model.and_then(Value::text).map(Into::into);
}

pub(super) fn event(walk: &mut Walk<'_>, root: Value<'_>, closes: &mut Vec<Close>) -> Found {
    let mut found = Found {
        begins: true,
        ..Found::default()
    };
    answer(walk, root, Some(closes), &mut found);
    found
}

/// A response, or one event of a stream if there is a place for what it closes.
fn answer(
    walk: &mut Walk<'_>,
    root: Value<'_>,
    mut closes: Option<&mut Vec<Close>>,
    found: &mut Found,
) {
    let other = other(closes.is_some().then_some(NO_CHOICE));
    walk.members(root, other, |walk, name, value| match name {
        b"candidates" => {
            if closes.is_some() {
                walk.apart(value);
            }
            // A whole answer is read by positions alone.
            let absent = closes
                .as_ref()
                .map_or(Absent::Positions, |_| Absent::of(value));
            walk.items(value, other.below(name), |walk, value, position| {
                candidate(walk, value, absent.number(position), closes.as_deref_mut());
            });
        }
        // Where servers say something that have another format.
        b"response" | b"content" | b"text" | b"output" => {
            walk.any(value, other.below(name).keyed());
        }
        b"usageMetadata" | b"usage_metadata" => {
            found.usage = usage(value);
            walk.any(value, ANSWER);
        }
        b"embedding" | b"embeddings" => walk.any(value, ANSWER),
        b"promptFeedback" | b"prompt_feedback" => {
            // A prompt that the provider blocks has no candidates at all.
            let reason = value
                .get("blockReason")
                .or_else(|| value.get("block_reason"));
            found.terminal |= reason.is_some();
            walk.any(value, ANSWER);
        }
        b"responseId" | b"response_id" if value.kind() == Kind::String => {
            found.id = Some(value.span());
            walk.any(value, ANSWER);
        }
        b"modelVersion" | b"model_version" if value.kind() == Kind::String => {
            found.model = Some(value.span());
            walk.any(value, ANSWER);
        }
        b"error" => {
            found.error = true;
            walk.any(value, ANSWER.keyed());
        }
        _ => walk.any(value, ANSWER.keyed()),
    });
}

/// For what no place is known, of this candidate: in streams it may go on in the next event.
fn other(choice: Option<u32>) -> Context {
    let part = choice.map_or(Part::Whole, |c| lane(NO_CHOICE, Field::Other, c));
    ANSWER.part(part)
}

fn candidate(
    walk: &mut Walk<'_>,
    value: Value<'_>,
    position: u32,
    closes: Option<&mut Vec<Close>>,
) {
    // What is 0 may be left out (Protocol Buffers, ProtoJSON).
    let index = match closes {
        Some(_) => walk.index_of(value, position, OTHERS),
        None => position,
    };
    let choice = closes.is_some().then_some(index);
    let mut finished = false;
    let other = other(choice);
    walk.members(value, other, |walk, name, value| match name {
        b"content" if value.kind() == Kind::Object => content(walk, value, ANSWER, choice),
        b"finishReason" | b"finish_reason" => {
            finished = value.kind() == Kind::String && !value.span().is_empty();
            walk.word(value, ANSWER);
        }
        b"safetyRatings" | b"safety_ratings" | b"continuationToken" | b"continuation_token" => {
            walk.any(value, ANSWER);
        }
        b"citationMetadata"
        | b"citation_metadata"
        | b"groundingMetadata"
        | b"grounding_metadata"
        | b"urlContextMetadata"
        | b"url_context_metadata" => {
            walk.any(value, ANSWER.from(Origin::Tool));
        }
        b"logprobsResult" | b"logprobs_result" => {
            walk.logprobs(value, |walk, value| logprobs(walk, value, choice));
        }
        _ => walk.any(value, other.below(name).keyed()),
    });
    if let Some(closes) = closes.filter(|_| finished) {
        closes.push(Close::Choice(index));
    }
}

/// Tokens with their probabilities: the chosen ones joined are the text again, and so are those of each lower rank.
fn logprobs(walk: &mut Walk<'_>, value: Value<'_>, choice: Option<u32>) {
    let running = |rank| {
        let part = choice.map_or(Part::Whole, |c| lane(c, Field::Other, rank));
        ANSWER.part(part)
    };
    walk.members(value, running(3), |walk, name, value| match name {
        b"topCandidates" | b"top_candidates" => walk.items(value, running(4), |walk, step, _| {
            walk.members(step, running(4), |walk, _, value| {
                walk.items(value, running(4), |walk, token, rank| {
                    walk.any(token, running(rank.saturating_add(4)));
                });
            });
        }),
        _ => walk.any(value, running(3)),
    });
}

/// Tokens used; thinking was written, tool results were read.
fn usage(value: Value<'_>) -> Option<Usage> {
    let count = |camel, snake| {
        let member = value.get(camel).or_else(|| value.get(snake));
        member.and_then(Value::as_u64)
    };
    let sum = |parts: [Option<u64>; 2]| {
        let said = parts.iter().any(Option::is_some);
        said.then(|| parts.into_iter().flatten().fold(0, u64::saturating_add))
    };
    let input = sum([
        count("promptTokenCount", "prompt_token_count"),
        count("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
    ]);
    let output = sum([
        count("candidatesTokenCount", "candidates_token_count"),
        count("thoughtsTokenCount", "thoughts_token_count"),
    ]);
    (input.is_some() || output.is_some()).then(|| Usage {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
        cached: count("cachedContentTokenCount", "cached_content_token_count").unwrap_or(0),
        reasoning: count("thoughtsTokenCount", "thoughts_token_count").unwrap_or(0),
    })
}
