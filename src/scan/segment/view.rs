//! One reading of a text, and what is decoded in it.
//!
//! While the text and its folded form are the same, which they are for ASCII, there is one state. A character that folds to something
//! else forks a second one off, which goes again when both have read the same for long enough. Forks and runs read the folded form.

use super::{
    fork::Forks,
    reading::{Label, Reading},
    run::Runs,
};
use crate::{
    scan::engine::{Engine, Scope, Stream},
    text::{Encoding, Span, unicode, view::Map},
};

/// Text is read in blocks of so many bytes.
const BLOCK: usize = 512;
/// While the folded text is read apart, in blocks of so many, and then of twice as many each time, after each of which it may have become the
/// same again.
const FOLDED_BLOCK: usize = 64;

/// One text that is being read.
#[derive(Clone, Debug)]
pub(super) struct View {
    label: Label,
    stream: Stream,
    /// To offsets of the segment.
    map: Map,
    folded: Option<Box<Folded>>,
    forks: Forks,
    runs: Runs,
    /// The last character read, folded.
    last: Option<char>,
}

#[derive(Clone, Debug)]
struct Folded {
    stream: Stream,
    /// To offsets of the segment.
    map: Map,
    /// The last block.
    text: String,
    /// How many of the last bytes are the same in both.
    same: usize,
}

/// A block of text on its way through a view, folded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) text: &'a str,
    /// Its offset in the view.
    pub(super) at: usize,
    pub(super) map: &'a Map,
    /// What stands before it.
    pub(super) before: Option<char>,
}

impl<'a> Block<'a> {
    /// Its characters from `from` on, with their places in the segment.
    pub(super) fn characters(self, from: usize) -> impl Iterator<Item = (usize, char, Span)> + 'a {
        let rest = self.text.get(from..).unwrap_or_default();
        let mut walk = self.map.walk(self.at + from);
        rest.char_indices().map(move |(place, character)| {
            let source = walk.source(self.at + from + place, character.len_utf8());
            (from + place, character, source)
        })
    }

    /// The part of it between two offsets.
    pub(super) fn part(self, from: usize, to: usize) -> Self {
        Self {
            text: self.text.get(from..to).unwrap_or_default(),
            at: self.at + from,
            before: self.before(from),
            ..self
        }
    }

    /// What stands before the offset `place` of the block.
    pub(super) fn before(self, place: usize) -> Option<char> {
        let text = self.text.get(..place).unwrap_or_default();
        text.chars().next_back().or(self.before)
    }
}

impl View {
    /// The text of a segment.
    pub(super) fn new(thorough: bool) -> Self {
        let label = Label {
            encoding: Encoding::None,
            scope: Scope::All,
            depth: 0,
            thorough,
        };
        Self::from_start(label, Map::default())
    }

    /// A text that was decoded, from `source` on.
    pub(super) fn decoded(label: Label, source: usize) -> Self {
        let mut map = Map::default();
        map.same(0, source);
        Self::from_start(label, map)
    }

    fn from_start(label: Label, map: Map) -> Self {
        let state = (Stream::new(), map, Runs::default(), Forks::default());
        Self::like(label, state, None)
    }

    /// A text that is the same as another one so far, up to the character `last`.
    pub(super) fn like(
        label: Label,
        (stream, map, runs, forks): (Stream, Map, Runs, Forks),
        last: Option<char>,
    ) -> Self {
        Self {
            label,
            stream,
            map,
            folded: None,
            forks,
            runs,
            last,
        }
    }

    /// Makes it a view within another one than it was.
    pub(super) const fn relabel(&mut self, label: Label) {
        self.label = label;
    }

    /// Bytes read so far.
    pub(super) const fn position(&self) -> usize {
        self.stream.position()
    }

    /// The place in the segment up to which it has been read.
    pub(super) fn read_to(&self) -> usize {
        self.map.start(self.position())
    }

    /// Where the bytes come from that will be read.
    pub(super) const fn map_mut(&mut self) -> &mut Map {
        &mut self.map
    }

    /// Reads more text, whose places are in the map already.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, mut text: &str) {
        let mut apart = FOLDED_BLOCK;
        while !text.is_empty() {
            let most = if self.folded.is_some() {
                apart = BLOCK.min(2 * apart);
                apart / 2
            } else {
                apart = FOLDED_BLOCK;
                BLOCK
            };
            let block = text.get(..text.floor_char_boundary(most)).unwrap_or(text);
            let block = match self.folded {
                None => block.get(..unchanged(block)).unwrap_or(block),
                Some(_) => block,
            };
            if block.is_empty() {
                self.folded = Some(Box::new(Folded {
                    stream: self.stream.clone(),
                    map: self.map.up_to(self.stream.position()),
                    text: String::new(),
                    same: 0,
                }));
                continue;
            }
            text = text.get(block.len()..).unwrap_or_default();
            self.read_block(reading, block);
            self.forget();
        }
    }

    /// Reads the end of the text.
    pub(super) fn finish(&mut self, reading: &mut Reading<'_>) {
        reading.finish(&mut self.stream, &self.map, self.label);
        if let Some(folded) = &mut self.folded {
            let label = Label {
                encoding: folded_encoding(self.label.encoding),
                ..self.label
            };
            reading.finish(&mut folded.stream, &folded.map, label);
        }
        self.forks.finish(reading);
        self.runs.finish(reading, self.label);
    }

    /// Where in the segment text must be held from, if any.
    pub(super) fn held(&self, engine: &Engine) -> Option<usize> {
        let held = |stream: &Stream, map: &Map| {
            let from = stream.held_from(engine, self.label.scope);
            (from < stream.position()).then(|| map.start(from))
        };
        let folded = self.folded.as_ref();
        let all = [
            held(&self.stream, &self.map),
            folded.and_then(|folded| held(&folded.stream, &folded.map)),
            self.forks.held(engine),
            self.runs.held(engine),
        ];
        all.into_iter().flatten().min()
    }

    /// How many candidates the next byte will be given to.
    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        let folded = self
            .folded
            .as_ref()
            .map_or(0, |folded| folded.stream.live());
        self.stream.live() + folded + self.forks.live() + self.runs.live()
    }

    /// Whether it would be the same after other text, if only the last `same` bytes were these.
    pub(super) fn is_settled(&self, same: usize) -> bool {
        let single = self.folded.is_none() && self.forks.is_empty();
        single && self.stream.is_settled(same) && self.runs.is_settled(same)
    }

    /// The rules that count in it.
    pub(super) const fn scope(&self) -> Scope {
        self.label.scope
    }

    /// Whether more may be undone in it.
    pub(super) const fn decodes(&self) -> bool {
        self.label.decodes()
    }

    fn read_block(&mut self, reading: &mut Reading<'_>, text: &str) {
        let at = self.stream.position();
        let before = self.last;
        let mut label = self.label;
        let (stream, block) = match &mut self.folded {
            None => (
                &mut self.stream,
                Block {
                    text,
                    at,
                    map: &self.map,
                    before,
                },
            ),
            Some(folded) => {
                let plain = Block {
                    text,
                    at,
                    map: &self.map,
                    before,
                };
                reading.read(&mut self.stream, text, &self.map, label);
                if label.decodes() {
                    self.runs.read_hidden(reading, plain, label);
                }
                label.encoding = folded_encoding(label.encoding);
                let at = folded.stream.position();
                fold(
                    plain,
                    at,
                    &mut folded.text,
                    &mut folded.map,
                    &mut folded.same,
                );
                let (text, map) = (&folded.text, &folded.map);
                (
                    &mut folded.stream,
                    Block {
                        text,
                        at,
                        map,
                        before,
                    },
                )
            }
        };
        if label.decodes() {
            self.forks
                .read(reading, stream, block, (label, &mut self.runs));
        } else {
            reading.read(stream, block.text, block.map, label);
        }
        self.last = block.before(block.text.len());
    }

    /// Drops what can matter no more: states that are the same as their base, and places far behind.
    fn forget(&mut self) {
        if let Some(folded) = &mut self.folded {
            let same = folded.same;
            if self.stream.is_settled(same) && folded.stream.is_settled(same) {
                self.folded = None;
            } else {
                folded.map.trim(folded.stream.oldest());
            }
        }
        self.map.trim(self.stream.oldest());
    }
}

const fn folded_encoding(encoding: Encoding) -> Encoding {
    match encoding {
        Encoding::None => Encoding::Folded,
        encoding => encoding,
    }
}

/// Folds a block; the folded text begins at `at` of its view.
fn fold(block: Block<'_>, at: usize, text: &mut String, map: &mut Map, same: &mut usize) {
    text.clear();
    for (_, character, source) in block.characters(0) {
        let before = text.len();
        unicode::fold(character, text);
        let made = text.get(before..).unwrap_or_default();
        if made == character.encode_utf8(&mut [0; 4]) {
            *same += made.len();
            if made.len() == source.len() {
                map.same(at + before, source.start);
                continue;
            }
        } else {
            *same = 0;
        }
        map.whole(at + before, made.len(), source.start, source.len());
    }
}

/// How many bytes of the text, from its start, fold to themselves.
fn unchanged(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let mut folded = String::new();
    let changed = text.char_indices().find(|(_, character)| {
        folded.clear();
        unicode::fold(*character, &mut folded);
        folded.as_str() != character.encode_utf8(&mut [0; 4])
    });
    changed.map_or(text.len(), |(place, _)| place)
}
