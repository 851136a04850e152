//! What must hold for any input at all, one module a fuzz target. `tests/fuzz.rs` runs them on the corpus and on inputs of its own,
//! so they are alive without a nightly compiler.
//!
//! The first two bytes of an input choose: what is read, and where it is cut. The rest is the text.
pub(crate) mod deltas;
pub(crate) mod json;
pub(crate) mod policy;
pub(crate) mod sse;
pub(crate) mod stream;
pub(crate) mod vault;
pub(crate) mod view;

use sluicegate::wire::Api;

/// The choices of an input, and its text.
pub(crate) struct Input<'a> {
    pub(crate) choice: u8,
    seed: u8,
    pub(crate) text: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn of(input: &'a [u8]) -> Option<Self> {
        let (&[choice, seed], text) = input.split_first_chunk()?;
        Some(Self { choice, seed, text })
    }

    pub(crate) fn api(&self) -> Api {
        Api::ALL[usize::from(self.choice) % Api::ALL.len()]
    }

    /// The text in pieces of 1 to 16 bytes, or of 1 to 256.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &'a [u8]> {
        let widest = if self.seed.is_multiple_of(2) { 16 } else { 256 };
        let mut rest = self.text;
        let mut state = u32::from(self.seed) | 0x100;
        std::iter::from_fn(move || {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let length = (1 + state as usize % widest).min(rest.len());
            let (chunk, after) = rest.split_at(length);
            rest = after;
            (!chunk.is_empty()).then_some(chunk)
        })
    }
}
