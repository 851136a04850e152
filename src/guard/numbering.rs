//! Whether a stream numbers its texts in one way.
//!
//! Clients put texts together by the numbers of choices, calls and blocks, by the ids of items, or by none of these. Where these ways
//! would give different texts, what was scanned is not what every client reads, so such a stream is refused.

use crate::wire::{Api, Event, Numbered, Part, Piece};

use super::Failure;

/// So many items of a stream are known, the last ones. An answer has a few.
const MAX_ITEMS: usize = 4096;

/// What is known of a stream's numbers.
#[derive(Debug)]
pub(super) struct Numbering {
    api: Api,
    /// Answers asked for, where that is known.
    choices: Option<u32>,
    /// The lowest index that a block that begins may have (messages).
    next_block: u32,
    numbered: Numbered,
    /// Hashes of items and of their places, in the order in which they came.
    items: Vec<(u64, u64)>,
}

impl Numbering {
    /// Of an answer to a request that asked for so many choices, if that is known.
    pub(super) fn new(api: Api, choices: Option<u32>) -> Self {
        Self {
            api,
            choices,
            next_block: 0,
            numbered: Numbered::default(),
            items: Vec::new(),
        }
    }

    /// Answers asked for, one where nobody knows.
    pub(super) fn choices(&self) -> u32 {
        self.choices.unwrap_or(1)
    }

    /// Takes note of the name of an event with this data, by which some clients choose what they read.
    ///
    /// # Errors
    /// As for [`note`](Self::note).
    pub(super) fn name(
        &mut self,
        name: Option<&[u8]>,
        event: &Event,
        data: &[u8],
    ) -> Result<(), Failure> {
        // By the standard that is the name of events without one.
        let name = name.filter(|name| !matches!(*name, b"" | b"message"));
        let kind = event.advance.kind.and_then(|span| data.get(span.range()));
        if name.zip(kind).is_some_and(|(name, kind)| name != kind) {
            return Err(Failure::Numbered(
                "an event with another name than its type",
            ));
        }
        let running = |piece: &Piece| matches!(piece.part, Part::Delta(_));
        if event.pieces.iter().any(running) {
            self.numbered.named(name.is_some());
        }
        Ok(())
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
            return Err(Failure::Numbered("an index or a name in some events only"));
        }
        if let Some(block) = event.advance.opens.filter(|_| self.api == Api::Messages) {
            if block < self.next_block {
                return Err(Failure::Numbered("a block that begins twice"));
            }
            self.next_block = block + 1;
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
