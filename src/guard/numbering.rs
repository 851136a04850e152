//! Whether a stream numbers its texts, and writes its events, in one way.
//!
//! Clients put texts together by the numbers of choices, calls and blocks, by the ids of items, or by none of these. Where these ways
//! would give different texts, what was scanned is not what every client reads, so such a stream is refused.

use crate::wire::sse::{RawEvent, Style};
use crate::wire::{Api, Event, Numbered, Part, Piece};

use super::Failure;

/// So many items of a stream are known, the last ones. An answer has a few.
const MAX_ITEMS: usize = 4096;

/// More blocks than any message has.
const MAX_BLOCKS: usize = 1024;

/// What is known of a stream's numbers.
#[derive(Debug)]
pub(super) struct Numbering {
    api: Api,
    /// Answers asked for, where that is known.
    choices: Option<u32>,
    /// The blocks of the message that have begun (messages).
    blocks: Vec<u32>,
    /// How events with text are written, and their name.
    style: Option<Style>,
    name: Option<Box<[u8]>>,
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
            blocks: Vec::new(),
            style: None,
            name: None,
            numbered: Numbered::default(),
            items: Vec::new(),
        }
    }

    /// Answers asked for, one where nobody knows.
    pub(super) fn choices(&self) -> u32 {
        self.choices.unwrap_or(1)
    }

    /// Takes note of how an event with this data is written, and of its name, by which some clients choose what they read.
    ///
    /// # Errors
    /// As for [`note`](Self::note).
    pub(super) fn written(
        &mut self,
        raw: &RawEvent,
        event: &Event,
        data: &[u8],
    ) -> Result<(), Failure> {
        // By the standard that is the name of events without one.
        let name = raw.name().filter(|name| !matches!(*name, b"" | b"message"));
        let kind = event.advance.kind.and_then(|span| data.get(span.range()));
        if name.zip(kind).is_some_and(|(name, kind)| name != kind) {
            return Err(Failure::Numbered(
                "an event with another name than its type",
            ));
        }
        if !has_text(event) {
            return Ok(());
        }
        self.numbered.named(name.is_some());
        if *self.style.get_or_insert(raw.style) != raw.style {
            return Err(Failure::Numbered("events written in different ways"));
        }
        // Where types tell events apart, names only repeat them.
        let name = name.filter(|_| kind.is_none()).unwrap_or_default();
        match &self.name {
            Some(known) if **known != *name => Err(Failure::Numbered("events of several names")),
            Some(_) => Ok(()),
            None => {
                self.name = Some(name.into());
                Ok(())
            }
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
        if has_text(event) {
            self.numbered.with |= event.numbered.with;
            self.numbered.without |= event.numbered.without;
        }
        if self.numbered.with & self.numbered.without != 0 {
            return Err(Failure::Numbered(
                "what only some events have: an index, a name, an id",
            ));
        }
        if self.api == Api::Messages {
            self.block(event)?;
        }
        match event.item {
            Some(item) if self.items.last() != Some(&item) => self.item(item),
            _ => Ok(()),
        }
    }

    /// Takes note of a block that begins, in each message once.
    fn block(&mut self, event: &Event) -> Result<(), Failure> {
        if event.advance.begins {
            self.blocks.clear();
        }
        let Some(block) = event.advance.opens else {
            return Ok(());
        };
        if self.blocks.contains(&block) || self.blocks.len() >= MAX_BLOCKS {
            return Err(Failure::Numbered("a block that begins twice"));
        }
        self.blocks.push(block);
        Ok(())
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

/// Whether an event has running text.
fn has_text(event: &Event) -> bool {
    let running = |piece: &Piece| matches!(piece.part, Part::Delta(_));
    event.pieces.iter().any(running)
}
