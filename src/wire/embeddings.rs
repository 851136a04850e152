//! OpenAI embeddings: text in, vectors out.

use super::body::Facts;
use super::chat;
use super::event::Found;
use super::json::Value;
use super::mark::Context;
use super::settings;
use super::walk::Walk;
use crate::text::Origin;

const CLIENT: Context = Context::of(Origin::User);
const ANSWER: Context = Context::of(Origin::Assistant);

pub(super) fn request(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, CLIENT, |walk, name, value| match name {
        b"input" => walk.text_or_tokens(value, CLIENT, facts),
        _ => settings::read(walk, name, value, facts),
    });
}

pub(super) fn response(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, ANSWER, |walk, name, value| match name {
        b"data" => walk.items(value, ANSWER, |walk, item, _| {
            walk.members(item, ANSWER, |walk, name, value| match name {
                b"embedding" => walk.vector(value, ANSWER),
                b"object" => walk.word(value, ANSWER),
                _ => walk.any(value, ANSWER.keyed()),
            });
        }),
        b"object" => walk.word(value, ANSWER),
        b"usage" => {
            facts.usage = chat::usage(value);
            walk.any(value, ANSWER);
        }
        b"model" => {
            facts.model = value.text().map(Into::into);
            walk.any(value, ANSWER);
        }
        _ => walk.any(value, ANSWER.keyed()),
    });
}

/// Embeddings are not streamed; whatever comes as an event is read like a response.
pub(super) fn event(walk: &mut Walk<'_>, root: Value<'_>) -> Found {
    let mut facts = Facts::default();
    response(walk, root, &mut facts);
    Found {
        error: root.get("error").is_some(),
        usage: facts.usage,
        ..Found::default()
    }
}
