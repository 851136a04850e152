//! Views that differ from their base in places only: escapes undone, leetspeak read as letters, letters one by one as words, and as tokens.
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
        apart::{self, Apart},
        escape::{self, Unescaping},
        leet::{self, Leet},
        spaced::{self, Spaced},
        view::{Map, Walk},
    },
};

/// The kinds of forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Escape,
    Leet,
    Spaced,
    Apart,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Escape, Self::Leet, Self::Spaced, Self::Apart];

    const fn encoding(self) -> Encoding {
        match self {
            Self::Escape => Encoding::Escape,
            Self::Leet => Encoding::Leet,
            Self::Spaced | Self::Apart => Encoding::Spaced,
        }
    }

    const fn scope(self) -> Scope {
        match self {
            Self::Escape => Scope::Decoded,
            Self::Leet | Self::Spaced => Scope::Wording,
            Self::Apart => Scope::Secrets,
        }
    }
}

/// While there is a fork, text is read in steps of so many bytes, and then of twice as many each time, after each of which it may go.
const STEP: usize = 32;

/// The forks of one view, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Forks([Option<Box<Fork>>; Kind::ALL.len()]);

#[derive(Clone, Debug)]
struct Fork {
    rewriting: Rewriting,
    view: View,
    /// What the view has not read yet.
    text: String,
    /// Where in the source some of that was decided late only.
    late: Vec<Span>,
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
    Apart(Apart),
}

impl Forks {
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.0, [None, None, None, None])
    }

    /// Reads a block of the base, the base's own stream and runs included.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading<'_>,
        stream: &mut Stream,
        block: Block<'_>,
        (label, runs): (Label, &mut Runs),
    ) {
        for slot in &mut self.0 {
            if slot.as_ref().is_some_and(|fork| fork.is_over(block.text)) {
                *slot = None;
            }
        }
        let (mut from, mut step) = (0, STEP);
        while from < block.text.len() {
            let end = if self.is_empty() {
                step = STEP;
                block.text.len()
            } else {
                let end = block.text.floor_char_boundary(from + step);
                step *= 2;
                end
            };
            let part = block.part(from, end);
            let sign = self.sign(reading.engine, part);
            let part = part.part(0, sign.map_or(part.text.len(), |(place, _)| place));
            reading.read(stream, part.text, part.map, label);
            runs.read(reading, part, label);
            for fork in self.0.iter_mut().flatten() {
                fork.read(reading, part);
            }
            // Two may begin at one place.
            if !part.text.is_empty() {
                self.forget(stream, runs);
            }
            from += part.text.len();
            if let Some((_, index)) = sign {
                self.begin(index, block.part(from, from), (label, stream, runs));
            }
        }
    }

    /// The first place in a block where a fork begins of a kind that there is none of, and the kind.
    fn sign(&self, engine: &Engine, block: Block<'_>) -> Option<(usize, usize)> {
        let slots = self.0.iter().zip(Kind::ALL).enumerate();
        let signs = slots.filter_map(|(index, (slot, kind))| {
            let reads = slot.is_none() && engine.any(kind.scope()).reads;
            let place = if reads { find(kind, block) } else { None };
            place.map(|place| (place, index))
        });
        signs.min()
    }

    /// Begins a fork before the block.
    fn begin(
        &mut self,
        index: usize,
        block: Block<'_>,
        (label, stream, runs): (Label, &Stream, &Runs),
    ) {
        let Some(kind) = Kind::ALL.get(index) else {
            return;
        };
        let label = label.within(kind.encoding(), kind.scope());
        let (runs, forks) = if label.decodes() {
            (runs.clone(), self.within(label))
        } else {
            Default::default()
        };
        let like = (stream.clone(), block.map.up_to(block.at), runs, forks);
        let view = View::like(label, like, block.before);
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(Box::new(Fork::new(*kind, view, block.before)));
        }
    }

    /// The same in a view that is the same as theirs so far.
    fn within(&self, label: Label) -> Self {
        let mut forks = self.clone();
        for (fork, kind) in forks.0.iter_mut().zip(Kind::ALL) {
            if let Some(fork) = fork {
                let label = label.within(kind.encoding(), kind.scope());
                fork.view.relabel(label);
            }
        }
        forks
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
                let holds = engine.any(fork.view.scope()).holds;
                let pending = fork.rewriting.pending().filter(|_| holds);
                pending.into_iter().chain(fork.view.held(engine)).min()
            })
            .min()
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.0.iter().flatten().map(|fork| fork.view.live()).sum()
    }

    /// Drops forks that are the same as their base.
    fn forget(&mut self, stream: &Stream, runs: &Runs) {
        for slot in &mut self.0 {
            if slot.as_ref().is_some_and(|fork| fork.is_same(stream, runs)) {
                *slot = None;
            }
        }
    }
}

impl Fork {
    fn new(kind: Kind, view: View, before: Option<char>) -> Self {
        let rewriting = match kind {
            Kind::Escape => Rewriting::Escape(Unescaping::default()),
            Kind::Leet => Rewriting::Leet(Leet::new(before)),
            Kind::Spaced => Rewriting::Spaced(Spaced::new(before)),
            Kind::Apart => Rewriting::Apart(Apart::new(before)),
        };
        Self {
            rewriting,
            view,
            text: String::new(),
            late: Vec::new(),
            changed: false,
            same: 0,
        }
    }

    fn read(&mut self, reading: &mut Reading<'_>, block: Block<'_>) {
        let mut sources = block.map.walk(block.at);
        let mut place = 0;
        while place < block.text.len() {
            let rest = block.part(place, block.text.len());
            place += match self.skip(rest, &mut sources) {
                0 => self.read_sign(rest, &mut sources),
                skipped => skipped,
            };
        }
        self.flush(reading);
    }

    /// Takes text at the start of the block as it stands, if it may; so many bytes.
    fn skip(&mut self, block: Block<'_>, sources: &mut Walk<'_>) -> usize {
        let skipped = match &mut self.rewriting {
            Rewriting::Escape(escape) => escape.skip(block.text),
            Rewriting::Leet(leet) => leet.skip(block.text, block.before),
            Rewriting::Spaced(spaced) => spaced.skip(block.text, block.before),
            Rewriting::Apart(apart) => apart.skip(block.text, block.before),
        };
        if skipped == 0 {
            return 0;
        }
        let text = block.text.get(..skipped).unwrap_or_default();
        let at = self.view.position() + self.text.len();
        let map = self.view.map_mut();
        match block.map.straight(block.at, block.at + skipped) {
            Some(source) => map.same(at, source),
            None => {
                for (place, character) in text.char_indices() {
                    let source = sources.source(block.at + place, character.len_utf8());
                    note(map, at + place, (character.len_utf8(), source));
                }
            }
        }
        self.text.push_str(text);
        self.same += skipped;
        skipped
    }

    /// Reads the escape or the character that the block begins with; so many bytes, none if it is to be read again.
    fn read_sign(&mut self, block: Block<'_>, sources: &mut Walk<'_>) -> usize {
        if let Rewriting::Escape(escape) = &self.rewriting
            && let Some((decoded, length)) = escape.whole(block.text)
        {
            let source = sources.source(block.at, length);
            self.rewrite(|_, out| out(decoded, source, true));
            return length;
        }
        let Some(character) = block.text.chars().next() else {
            return block.text.len();
        };
        let source = sources.source(block.at, character.len_utf8());
        let pending = self.rewriting.pending();
        let before = self.text.len();
        self.rewrite(|rewriting, out| rewriting.push(character, source, out));
        // What was not decided before is complete only now.
        if let Some(first) = pending.filter(|_| self.text.len() > before) {
            self.late.push(Span::new(first, source.end));
        }
        if let Rewriting::Escape(escape) = &mut self.rewriting
            && pending.is_some()
            && escape.take_back()
        {
            return 0;
        }
        character.len_utf8()
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
            ..
        } = self;
        let start = view.position();
        let map = view.map_mut();
        step(rewriting, &mut |character, source, is_changed| {
            let length = character.len_utf8();
            let at = start + text.len();
            if is_changed {
                map.whole(at, length, source.start, source.len());
            } else {
                note(map, at, (length, source));
            }
            *changed |= is_changed;
            *same = if is_changed { 0 } else { *same + length };
            text.push(character);
        });
    }

    fn flush(&mut self, reading: &mut Reading<'_>) {
        reading.count(self.text.len());
        let Self {
            view, text, late, ..
        } = self;
        reading.decided_late(late, |reading| view.read(reading, text));
        text.clear();
    }

    /// Whether it is the same as its base and will be, if `text` follows.
    fn is_over(&self, text: &str) -> bool {
        matches!(&self.rewriting, Rewriting::Apart(apart) if !self.changed && apart.is_over(text))
    }

    fn is_same(&self, stream: &Stream, runs: &Runs) -> bool {
        if self.rewriting.pending().is_some() {
            return false;
        }
        let runs_settled = || !self.view.decodes() || runs.is_settled(self.same);
        !self.changed
            || stream.is_settled(self.same) && self.view.is_settled(self.same) && runs_settled()
    }
}

impl Rewriting {
    fn pending(&self) -> Option<usize> {
        match self {
            Self::Escape(escape) => escape.pending(),
            Self::Leet(leet) => leet.pending(),
            Self::Spaced(spaced) => spaced.pending(),
            Self::Apart(apart) => apart.pending(),
        }
    }

    fn push(&mut self, character: char, source: Span, mut out: &mut dyn FnMut(char, Span, bool)) {
        match self {
            Self::Escape(escape) => escape.push(character, source, &mut out),
            Self::Leet(leet) => leet.push(character, source, &mut out),
            Self::Spaced(spaced) => spaced.push(character, source, &mut out),
            Self::Apart(apart) => apart.push(character, source, &mut out),
        }
    }

    fn finish(&mut self, mut out: &mut dyn FnMut(char, Span, bool)) {
        match self {
            Self::Escape(escape) => escape.finish(&mut out),
            Self::Leet(leet) => leet.finish(&mut out),
            Self::Spaced(spaced) => spaced.finish(&mut out),
            Self::Apart(apart) => apart.finish(&mut out),
        }
    }
}

/// Notes that `length` bytes of a view, unchanged, stand for `source`.
fn note(map: &mut Map, at: usize, (length, source): (usize, Span)) {
    if length == source.len() {
        map.same(at, source.start);
    } else {
        map.whole(at, length, source.start, source.len());
    }
}

/// Where in a block a fork of the kind begins.
fn find(kind: Kind, block: Block<'_>) -> Option<usize> {
    let bytes = block.text.as_bytes();
    match kind {
        Kind::Escape => escape::begin(block.text),
        Kind::Leet => leet::find(bytes, 0, block.before),
        Kind::Spaced => spaced::find(bytes, 0, block.before),
        Kind::Apart => apart::find(bytes, 0, block.before),
    }
}
