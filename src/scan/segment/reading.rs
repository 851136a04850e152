//! What one call of a scan works with: the engine, and what it finds in all views.

use crate::{
    scan::{
        engine::{Engine, Hit, Scope, Stream},
        finding::{Finding, RuleIndex},
    },
    text::{Encoding, Span, view::Map},
};

/// The most bytes of decoded text in one segment. Beyond it a scan is an error, never silence.
const DECODED_LIMIT: usize = 64 << 20;

/// Encodings within encodings are undone to this depth.
const DEPTH: u8 = 3;

/// The findings of one call, in all views.
#[derive(Debug)]
pub(super) struct Reading<'e> {
    pub(super) engine: &'e Engine,
    /// Each with the place in the source at which it was complete, and the [rank](Label::rank) of its view.
    pub(super) found: Vec<((usize, u8), Finding)>,
    pub(super) overflow: bool,
    /// Bytes of decoded text so far.
    pub(super) decoded: usize,
    /// What is found now was not decided before this place in the source.
    decided: usize,
    /// Places in the source up to whose end, from one of them on, nothing was decided before that end. Of a view within another after those of the other.
    late: Vec<Span>,
    hits: Vec<Hit>,
}

/// What is known of a view's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) encoding: Encoding,
    /// The rules that count.
    pub(super) scope: Scope,
    /// How many encodings were undone to get here.
    pub(super) depth: u8,
    /// Nothing leaves before all is read, so text in runs may begin anywhere.
    pub(super) thorough: bool,
}

impl Label {
    /// Of a text in which something more was undone; the outermost encoding gives the name.
    pub(super) const fn within(self, encoding: Encoding, scope: Scope) -> Self {
        Self {
            encoding: match self.encoding {
                Encoding::None | Encoding::Folded => encoding,
                outer => outer,
            },
            scope,
            depth: self.depth + 1,
            thorough: self.thorough,
        }
    }

    /// Its place among views that find the same: the simplest counts. A hidden message does before the text with its characters folded.
    const fn rank(self) -> u8 {
        match self.encoding {
            Encoding::Hidden => self.depth.saturating_sub(1),
            _ => self.depth,
        }
    }

    /// Whether more may be undone in it.
    pub(super) const fn decodes(self) -> bool {
        self.depth < DEPTH && !matches!(self.scope, Scope::Wording | Scope::Secrets)
    }
}

impl<'e> Reading<'e> {
    pub(super) const fn new(engine: &'e Engine, decoded: usize) -> Self {
        Self {
            engine,
            found: Vec::new(),
            overflow: false,
            decoded,
            decided: 0,
            late: Vec::new(),
            hits: Vec::new(),
        }
    }

    /// Reads text of a view.
    pub(super) fn read(&mut self, stream: &mut Stream, text: &str, map: &Map, label: Label) {
        let read = stream.read(self.engine, text.as_bytes(), &mut self.hits);
        self.overflow |= read.is_err();
        self.take(map, label);
    }

    /// Reads the end of a view.
    pub(super) fn finish(&mut self, stream: &mut Stream, map: &Map, label: Label) {
        stream.finish(self.engine, &mut self.hits);
        self.take(map, label);
    }

    /// Counts decoded text.
    pub(super) fn count(&mut self, bytes: usize) {
        self.decoded = self.decoded.saturating_add(bytes);
        self.overflow |= self.decoded > DECODED_LIMIT;
    }

    /// Does some work whose findings were not decided before `place`.
    pub(super) fn decided_at(&mut self, place: usize, work: impl FnOnce(&mut Self)) {
        let before = self.decided;
        self.decided = place.max(before);
        work(self);
        self.decided = before;
    }

    /// Does some work whose findings in each of the places `late`, which ascend, were not decided before its end.
    pub(super) fn decided_late(&mut self, late: &mut Vec<Span>, work: impl FnOnce(&mut Self)) {
        let before = self.late.len();
        self.late.append(late);
        work(self);
        self.late.truncate(before);
    }

    fn take(&mut self, map: &Map, label: Label) {
        for hit in self.hits.drain(..) {
            if !self.engine.reads(hit.rule, label.scope) || hit.glued && !label.thorough {
                continue;
            }
            let encoding = match label.encoding {
                Encoding::None | Encoding::Folded if hit.encoding != Encoding::None => hit.encoding,
                encoding => encoding,
            };
            let finding = Finding {
                rule: RuleIndex(hit.rule),
                span: Span::new(map.start(hit.start), map.end(hit.end)),
                continues: hit.continues,
                probability: None,
                encoding,
            };
            let inside = |at: &Span, place: usize| at.start < place && place <= at.end;
            let complete = self.late.iter().rev();
            let complete = complete.fold(map.end(hit.at), |place, late| {
                if inside(late, place) { late.end } else { place }
            });
            let at = complete.max(self.decided);
            self.found.push(((at, label.rank()), finding));
        }
    }
}
