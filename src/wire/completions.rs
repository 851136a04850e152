//! OpenAI completions: one prompt, no roles.

use super::body::Facts;
use super::chat;
use super::event::{Close, Found};
use super::json::{Kind, Value};
use super::mark::Context;
use super::odd::CHOICES;
use super::settings;
use super::walk::{Walk, lane};
use super::{Field, NO_CHOICE};
use crate::text::Origin;

const CLIENT: Context = Context::of(Origin::User);
const ANSWER: Context = Context::of(Origin::Assistant);

pub(super) fn request(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    let mut prompts = 1;
    walk.members(root, CLIENT, |walk, name, value| match name {
        b"prompt" => {
            prompts = count(value);
            walk.text_or_tokens(value, CLIENT, facts);
        }
        _ => settings::read(walk, name, value, facts),
    });
    facts.choices = facts.choices.saturating_mul(prompts);
    facts.drafts = facts.drafts.saturating_mul(prompts);
}

/// How many prompts there are: each has answers of its own.
fn count(prompt: Value<'_>) -> u32 {
    let several = prompt
        .items()
        .take_while(|item| item.kind() != Kind::Number);
    u32::try_from(several.count()).unwrap_or(u32::MAX).max(1)
}

pub(super) fn response(walk: &mut Walk<'_>, root: Value<'_>, facts: &mut Facts) {
    walk.members(root, ANSWER, |walk, name, value| match name {
        b"choices" => walk.items(value, ANSWER, |walk, choice, _| {
            walk.members(choice, ANSWER, |walk, name, value| match name {
                b"finish_reason" => walk.word(value, ANSWER),
                b"logprobs" => walk.logprobs(value, |walk, value| walk.any(value, ANSWER.keyed())),
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
                let running = |field| ANSWER.part(lane(index, field, 0));
                walk.members(choice, ANSWER, |walk, name, value| match name {
                    b"text" => walk.running(value, running(Field::Content)),
                    b"reasoning" => walk.running(value, running(Field::Reasoning)),
                    b"reasoning_content" => {
                        walk.any(value, running(Field::Reasoning).below(name));
                    }
                    b"finish_reason" => chat::finish(walk, value, index, closes),
                    // Tokens by key, or as keys of the tokens that were likely: each kind in a lane of its own.
                    b"logprobs" => walk.logprobs(value, |walk, value| {
                        walk.any(value, running(Field::Other).keyed());
                    }),
                    _ => chat::unknown(walk, name, value, index),
                });
            });
        }
        _ => chat::envelope(walk, name, value, &mut found),
    });
    found
}
