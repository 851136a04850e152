//! What has to be known of an event until it leaves.

use crate::guard::carrier::Splice;
use crate::guard::structure::Spot;
use crate::text::Span;
use crate::wire::Advance;

/// What was found out about one event.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) deltas: Vec<Delta>,
    /// Edits of whole strings.
    pub(super) splices: Vec<Splice>,
    /// What must go if anything is edited.
    pub(super) logprobs: Vec<Span>,
    /// How far the answer is with it.
    pub(super) advance: Advance,
    /// The newest call of a tool that was not decided then: the event waits for it.
    pub(super) call: Option<u64>,
    /// It could not be judged and passes as it came.
    pub(super) unjudged: bool,
}

/// A delta of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delta {
    /// Index in the answer's lanes.
    pub(super) lane: usize,
    /// Bytes of the lane's text.
    pub(super) text: Span,
    /// Bytes of the event's data.
    pub(super) data: Span,
    /// What the text follows on, in JSON text.
    pub(super) spot: Spot,
}

impl Notes {
    /// Of an event that passes as it came.
    pub(super) fn unjudged() -> Self {
        Self {
            unjudged: true,
            ..Self::default()
        }
    }

    /// Of the next event.
    pub(super) fn clear(&mut self) {
        self.deltas.clear();
        self.splices.clear();
        self.logprobs.clear();
        self.call = None;
        self.unjudged = false;
    }
}
