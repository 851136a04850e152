//! A marker at the end of a system prompt, by which an answer that repeats the prompt is known.
//!
//! What the model says with the marker in it is a leak, and found like all else. What the provider itself repeats of the request (the
//! instructions of a stored answer) is handed to the client as the client wrote it.

use crate::guard::carrier::{Carrier, Coding, Splice};
use crate::scan::marker;
use crate::text::{Form, Span};
use crate::wire::Piece;
use crate::wire::json::unescape;

/// What stands around a marker in a prompt.
const AROUND: [&str; 2] = ["\n\n[", "]"];

/// Adds the marker to the system prompt `piece` of `body`.
pub(super) fn plant(body: &[u8], piece: &Piece, secret: &[u8], splices: &mut Vec<Splice>) {
    let raw = body.get(piece.span.range()).unwrap_or_default();
    let marker = marker(secret, &unescape(raw));
    let [before, after] = AROUND;
    let carrier = Carrier::new(body, piece.span, Coding::Json, Form::Plain);
    splices.push(Splice {
        span: Span::new(piece.span.end, piece.span.end),
        with: carrier.say(&format!("{before}{marker}{after}")),
    });
}

/// Takes a marker out of a repeated prompt, together with what was put around it.
pub(super) fn uproot(carrier: &Carrier<'_>, text: &str, marker: Span, splices: &mut Vec<Splice>) {
    let [before, after] = AROUND;
    let mut span = marker;
    let (left, right) = (text.get(..span.start), text.get(span.end..));
    if left.is_some_and(|left| left.ends_with(before))
        && right.is_some_and(|right| right.starts_with(after))
    {
        span = Span::new(span.start - before.len(), span.end + after.len());
    }
    splices.extend(carrier.spans(std::iter::once(span)).map(|span| Splice {
        span,
        with: Vec::new(),
    }));
}
