//! Lists of models, cut down to those that a key may use.

use bytes::Bytes;
use serde_json::Value;

use crate::auth::Principal;

/// The list without the models that the key may not use; as it is if there are none such. All three families wrap it in an object: `data` with `id`, or
/// `models` with `name`, where Gemini puts `models/` before the name.
///
/// # Errors
///
/// What is wrong with the list.
pub(super) fn filter(body: Bytes, principal: &Principal) -> Result<Bytes, &'static str> {
    if !principal.is_restricted() {
        return Ok(body);
    }
    let mut list: Value =
        serde_json::from_slice(&body).map_err(|_| "the list of models is not JSON")?;
    let fields = list
        .as_object_mut()
        .ok_or("the list of models is not an object")?;
    let models = fields
        .iter_mut()
        .find(|(name, _)| matches!(name.as_str(), "data" | "models"));
    let models = models
        .and_then(|(_, models)| models.as_array_mut())
        .ok_or("the list of models has none")?;
    models.retain(|model| {
        let name = model
            .get("id")
            .or_else(|| model.get("name"))
            .and_then(Value::as_str);
        name.is_some_and(|name| {
            principal.allows_model(name.strip_prefix("models/").unwrap_or(name))
        })
    });
    // Where the page began and ended is told by names too.
    for name in ["first_id", "last_id"] {
        fields.shift_remove(name);
    }
    Ok(list.to_string().into())
}
