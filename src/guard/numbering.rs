//! Whether a stream numbers its texts in one way.
//!
//! Clients put texts together by the numbers of choices, calls and blocks, by the ids of items, or by none of these. Where these ways
//! would give different texts, what was scanned is not what every client reads, so such a stream is refused.

use crate::wire::{Event, Numbered};

use super::Failure;

/// So many items of a stream are known, the last ones. An answer has a few.
const MAX_ITEMS: usize = 4096;

/// What is known of a stream's numbers.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// Answers asked for, where that is known.
    choices: Option<u32>,
    numbered: Numbered,
    /// Hashes of items and of their places, in the order in which they came.
    items: Vec<(u64, u64)>,
}

impl Numbering {
    /// Of an answer to a request that asked for so many choices, if that is known.
    pub(super) fn new(choices: Option<u32>) -> Self {
        Self {
            choices,
            ..Self::default()
        }
    }

    /// Takes note of an event's numbers.
    ///
    /// # Errors
    /// Clients may put the stream together in different ways.
    pub(super) fn note(&mut self, event: &Event) -> Result<(), Failure> {
        let asked = self.choices.unwrap_or(u32::MAX);
        if event.advance.choices.iter().any(|choice| *choice >= asked) {
            return Err(Failure::Numbered("more choices than were asked for"));
        }
        self.numbered.with |= event.numbered.with;
        self.numbered.without |= event.numbered.without;
        if self.numbered.with & self.numbered.without != 0 {
            return Err(Failure::Numbered("an index in some events only"));
        }
        match event.item {
            Some(item) if self.items.last() != Some(&item) => self.item(item),
            _ => Ok(()),
        }
    }

    /// Takes note of an item that goes on or begins. Some servers give each event an id of its own, but then none comes back.
    fn item(&mut self, (item, place): (u64, u64)) -> Result<(), Failure> {
        let known = self.items.iter().rposition(|(known, _)| *known == item);
        let Some(known) = known else {
            if self.items.len() >= MAX_ITEMS {
                self.items.drain(..MAX_ITEMS / 2);
            }
            self.items.push((item, place));
            return Ok(());
        };
        let mut later = self.items.iter().skip(known);
        if self.items.get(known) != Some(&(item, place)) {
            return Err(Failure::Numbered("one item at two places"));
        }
        if later.any(|(other, at)| *at == place && *other != item) {
            return Err(Failure::Numbered("two items at one place"));
        }
        Ok(())
    }
}
