//! Views that differ from their base in places only: escapes undone, leetspeak read as letters, letters one by one as words.
//!
//! A fork begins as a copy of its base's state where the text gives a sign, and goes when both have read the same for long enough. It would find
//! the same if it had been there from the start, so when it comes and goes changes nothing but the time it takes.

use super::{
    reading::{Label, Reading},
    run::Runs,
    view::{Block, View},
};
use crate::{
    scan::engine::{Engine, Scope, Stream},
    text::{
        Encoding, Span,
        escape::{self, Unescaping},
        leet::{self, Leet},
        spaced::{self, Spaced},
    },
};

/// The kinds of forks.
const KINDS: [Encoding; 3] = [Encoding::Escape, Encoding::Leet, Encoding::Spaced];

/// The forks of one view, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Forks([Option<Box<Fork>>; 3]);

#[derive(Clone, Debug)]
struct Fork {
    rewriting: Rewriting,
    view: View,
    /// What the view has not read yet.
    text: String,
    /// Whether anything has changed since the fork.
    changed: bool,
    /// How many of the last bytes are the same as in the base.
    same: usize,
}

#[derive(Clone, Debug)]
enum Rewriting {
    Escape(Unescaping),
    Leet(Leet),
    Spaced(Spaced),
}

impl Forks {
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.0, [None, None, None])
    }

    /// Reads a block of the base, the base's own stream and runs included.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading<'_>,
        stream: &mut Stream,
        block: Block<'_>,
        (label, runs): (Label, &mut Runs),
    ) {
        let mut from = 0;
        let wording = reading.engine.reads_wording();
        let mut signs = KINDS.map(|kind| {
            let reads = wording || kind == Encoding::Escape;
            reads.then(|| find(kind, block)).flatten()
        });
        loop {
            let alive = self.0.iter().map(Option::is_some);
            let next = signs.iter().zip(alive).enumerate();
            let next = next
                .filter_map(|(index, (sign, alive))| {
                    sign.filter(|_| !alive).map(|sign| (sign, index))
                })
                .min();
            let to = next.map_or(block.text.len(), |(place, _)| place);
            let part = block.part(from, to);
            reading.read(stream, part.text, part.map, label);
            runs.read(reading, part, label);
            for fork in self.0.iter_mut().flatten() {
                fork.read(reading, part);
            }
            let Some((place, index)) = next else { return };
            from = place;
            if let (Some(slot), Some(sign), Some(kind)) = (
                self.0.get_mut(index),
                signs.get_mut(index),
                KINDS.get(index),
            ) {
                *sign = None;
                let scope = if *kind == Encoding::Escape {
                    Scope::Decoded
                } else {
                    Scope::Wording
                };
                let label = label.within(*kind, scope);
                let runs = if label.decodes() {
                    runs.clone()
                } else {
                    Runs::default()
                };
                let view = View::of(
                    label,
                    stream.clone(),
                    block.map.up_to(block.at + place),
                    runs,
                );
                *slot = Some(Box::new(Fork::new(*kind, view, block.before(place))));
            }
        }
    }

    pub(super) fn finish(&mut self, reading: &mut Reading<'_>) {
        for fork in self.0.iter_mut().flatten() {
            fork.finish(reading);
        }
    }

    pub(super) fn held(&self, engine: &Engine) -> Option<usize> {
        let forks = self.0.iter().flatten();
        forks
            .filter_map(|fork| {
                let wording = !matches!(fork.rewriting, Rewriting::Escape(_));
                let pending = fork
                    .rewriting
                    .pending()
                    .filter(|_| !wording || engine.holds_wording());
                pending.into_iter().chain(fork.view.held(engine)).min()
            })
            .min()
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.0.iter().flatten().map(|fork| fork.view.live()).sum()
    }

    /// Drops forks that are the same as their base.
    pub(super) fn forget(&mut self, base: &Stream) {
        for slot in &mut self.0 {
            if slot.as_ref().is_some_and(|fork| fork.is_same(base)) {
                *slot = None;
            }
        }
    }
}

impl Fork {
    fn new(kind: Encoding, view: View, before: Option<char>) -> Self {
        let rewriting = match kind {
            Encoding::Leet => Rewriting::Leet(Leet::new(before)),
            Encoding::Spaced => Rewriting::Spaced(Spaced::new(before)),
            _ => Rewriting::Escape(Unescaping::default()),
        };
        Self {
            rewriting,
            view,
            text: String::new(),
            changed: false,
            same: 0,
        }
    }

    fn read(&mut self, reading: &mut Reading<'_>, block: Block<'_>) {
        for (_, character, source) in block.characters(0) {
            // What was not decided before is complete only now.
            let late = self.rewriting.pending().is_some();
            if late {
                self.flush(reading);
            }
            self.rewrite(|rewriting, out| rewriting.push(character, source, out));
            if late && !self.text.is_empty() {
                reading.decided_at(source.end, |reading| self.flush(reading));
            }
        }
        self.flush(reading);
    }

    fn finish(&mut self, reading: &mut Reading<'_>) {
        self.rewrite(Rewriting::finish);
        self.flush(reading);
        self.view.finish(reading);
    }

    fn rewrite(&mut self, step: impl FnOnce(&mut Rewriting, &mut dyn FnMut(char, Span, bool))) {
        let Self {
            rewriting,
            view,
            text,
            changed,
            same,
        } = self;
        let start = view.position();
        let map = view.map_mut();
        step(rewriting, &mut |character, source, is_changed| {
            let length = character.len_utf8();
            if is_changed || length != source.len() {
                map.whole(start + text.len(), length, source.start, source.len());
            } else {
                map.same(start + text.len(), source.start);
            }
            *changed |= is_changed;
            *same = if is_changed { 0 } else { *same + length };
            text.push(character);
        });
    }

    fn flush(&mut self, reading: &mut Reading<'_>) {
        reading.count(self.text.len());
        self.view.read(reading, &self.text);
        self.text.clear();
    }

    fn is_same(&self, base: &Stream) -> bool {
        if self.rewriting.pending().is_some() {
            return false;
        }
        let idle = base.idle_tail().zip(self.view.stream().idle_tail());
        !self.changed
            || self.view.is_single() && idle.is_some_and(|(base, own)| self.same > base.max(own))
    }
}

impl Rewriting {
    fn pending(&self) -> Option<usize> {
        match self {
            Self::Escape(escape) => escape.pending(),
            Self::Leet(leet) => leet.pending(),
            Self::Spaced(spaced) => spaced.pending(),
        }
    }

    fn push(&mut self, character: char, source: Span, mut out: &mut dyn FnMut(char, Span, bool)) {
        match self {
            Self::Escape(escape) => escape.push(character, source, &mut out),
            Self::Leet(leet) => leet.push(character, source, &mut out),
            Self::Spaced(spaced) => spaced.push(character, source, &mut out),
        }
    }

    fn finish(&mut self, mut out: &mut dyn FnMut(char, Span, bool)) {
        match self {
            Self::Escape(escape) => escape.finish(&mut out),
            Self::Leet(leet) => leet.finish(&mut out),
            Self::Spaced(spaced) => spaced.finish(&mut out),
        }
    }
}

/// Where in a block a fork of the kind begins.
fn find(kind: Encoding, block: Block<'_>) -> Option<usize> {
    let bytes = block.text.as_bytes();
    match kind {
        Encoding::Leet => leet::find(bytes, 0, block.before),
        Encoding::Spaced => spaced::find(bytes, 0, block.before),
        _ => escape::find(block.text, 0),
    }
}
