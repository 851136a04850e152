//! Where in a body something was found, for people.

use crate::policy::{Action, Direction};
use crate::scan::classifier::Probability;
use crate::text::{Encoding, Span};
use crate::wire::json::{Limits, Malformed};
use crate::wire::{Api, read_request, read_response};

/// One finding and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The rule's id.
    pub rule: String,
    /// The bytes of the body that it takes.
    pub span: Span,
    /// What was done about it by itself.
    pub action: Action,
    /// What was undone to find it.
    pub encoding: Encoding,
    /// How sure a judge is.
    pub probability: Option<Probability>,
}

/// The strings that hold findings: `messages[2].content`, one for each place. Reads the body again, because few who inspect
/// want to know.
///
/// # Errors
/// The body cannot be read, or is not the one that was inspected.
pub fn paths(
    api: Api,
    direction: Direction,
    body: &[u8],
    places: &[Place],
) -> Result<Vec<String>, Malformed> {
    let limits = Limits::default();
    let parsed = match direction {
        Direction::Request => read_request(api, body, &limits)?,
        Direction::Response => read_response(api, body, &limits)?,
    };
    Ok(places
        .iter()
        .map(|place| parsed.path(body, place.span))
        .collect())
}
