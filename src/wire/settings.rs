//! Members of requests that chat, completions and responses share: the model, how many answers, how long they may be, for whom.

use super::body::Facts;
use super::json::{Kind, Value};
use super::mark::Context;
use super::walk::Walk;
use crate::text::Origin;

const CLIENT: Context = Context::of(Origin::User);

/// Reads a member.
pub(super) fn read(walk: &mut Walk<'_>, name: &[u8], value: Value<'_>, facts: &mut Facts) {
    match name {
        b"model" => facts.model = value.text().map(Into::into),
        b"models" => {
            let models = value.items().filter_map(Value::text);
            facts.fallbacks.extend(models.map(Into::into));
        }
        b"stream" => facts.stream = value.kind() == Kind::True,
        b"n" => facts.asks(value),
        b"best_of" => facts.drafts(value),
        b"n_cmpl" => {
            facts.counted = false;
            facts.drafts(value);
        }
        b"prompt_embeds" => {
            facts.counted = false;
            return walk.media(value, None, CLIENT);
        }
        b"prompt_token_ids" => return walk.text_or_tokens(value, CLIENT, facts),
        b"max_tokens"
        | b"max_completion_tokens"
        | b"max_output_tokens"
        | b"max_new_tokens"
        | b"n_predict" => facts.limits(value),
        b"background" => facts.background = value.kind() == Kind::True,
        b"user" | b"safety_identifier" => facts.user = value.text().map(Into::into),
        _ => {}
    }
    walk.any(value, CLIENT.keyed());
}
