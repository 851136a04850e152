//! OpenAI responses: requests, whole answers, stored answers and their lists of items.

mod event;
pub(super) mod item;
pub(super) mod kept;

pub(super) use event::event;

use super::Usage;
use super::body::Facts;
use super::chat::detail;
use super::json::Value;
use super::mark::Context;
use super::settings;
use super::walk::Walk;
use crate::text::Origin;

const CLIENT: Context = Context::of(Origin::User);
const SYSTEM: Context = Context::of(Origin::System);
const ANSWER: Context = Context::of(Origin::Assistant);

pub(super) fn request(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, CLIENT, |walk, name, value| match name {
        b"input" => items(walk, value, CLIENT),
        _ => {
            if !instructions(walk, name, value) {
                settings::read(walk, name, value, facts);
            }
        }
    });
}

/// Members of requests that answers repeat. Whether this was one.
pub(super) fn instructions(walk: &mut Walk<'_>, name: &[u8], value: Value<'_>) -> bool {
    match name {
        b"instructions" => items(walk, value, SYSTEM),
        // `text` holds the schema that the answer must have.
        b"tools" => tools(walk, value, SYSTEM),
        b"text" => walk.any(value, SYSTEM.keyed()),
        b"prompt" => walk.members(value, CLIENT, |walk, name, value| match name {
            b"variables" => walk.entries(value, CLIENT, |walk, _, value| {
                item::parts(walk, value, CLIENT);
            }),
            _ => walk.any(value, CLIENT.keyed()),
        }),
        _ => return false,
    }
    true
}

/// Tools on offer. Some are given credentials for servers that the provider asks.
pub(super) fn tools(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    walk.items(value, context, |walk, tool, _| {
        let credentials: &[&str] = match tool.get("type").map(Value::name).as_deref() {
            Some(b"mcp") => &["authorization", "headers"],
            Some(b"code_interpreter") => &["container.network_policy.domain_secrets.value"],
            Some(b"shell") => &["environment.network_policy.domain_secrets.value"],
            _ => &[],
        };
        walk.holding(tool, context.keyed(), credentials);
    });
}

/// A string, or items.
pub(super) fn items(walk: &mut Walk<'_>, value: Value<'_>, context: Context) {
    walk.one_or_more(value, |walk, value, _| item::item(walk, value, context));
}

pub(super) fn response(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, ANSWER, |walk, name, value| match name {
        b"object" | b"status" | b"service_tier" => walk.word(value, ANSWER),
        b"output" => items(walk, value, ANSWER),
        // The input of a stored answer.
        b"data" => items(walk, value, CLIENT),
        b"usage" => {
            facts.usage = usage(value);
            walk.any(value, ANSWER);
        }
        b"model" => {
            facts.model = value.text().map(Into::into);
            walk.any(value, ANSWER);
        }
        _ => {
            if !instructions(walk, name, value) {
                walk.any(value, ANSWER.keyed());
            }
        }
    });
}

pub(super) fn usage(value: Value<'_>) -> Option<Usage> {
    let count = |name| value.get(name).and_then(Value::as_u64);
    Some(Usage {
        input: count("input_tokens")?,
        output: count("output_tokens")?,
        cached: detail(value, "input_tokens_details", "cached_tokens"),
        reasoning: detail(value, "output_tokens_details", "reasoning_tokens"),
    })
}
