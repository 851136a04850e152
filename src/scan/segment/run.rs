//! Runs of digits, and hidden messages, that hold text of their own.
//!
//! A run is read digit by digit while it arrives, so what must be held of it is known: from the group in which the earliest open match of the text
//! within begins. What is too short to be text yet is held whole, a few digits at most.

use super::{
    reading::{Label, Reading},
    view::{Block, View},
};
use crate::{
    scan::engine::{Engine, Scope},
    text::{
        Encoding, Span,
        digits::{Digits, Inside, Open, RESTART, WAYS},
        fragment::{Fragments, Step},
        hidden::{self, Hidden},
        radix::Radix,
        seek::{Found, begins_text, seek},
    },
};

/// The kinds of runs.
const KINDS: [(Radix, Encoding); 3] = [
    (Radix::Base64, Encoding::Base64),
    (Radix::Base32, Encoding::Base32),
    (Radix::Hex, Encoding::Hex),
];

/// The open runs of one view.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    digits: [Slot; 3],
    hidden: Option<Box<Message>>,
    /// The end of the text, as far as it is undecided.
    carry: Carry,
}

/// A run of one kind.
#[derive(Clone, Debug, Default)]
struct Slot {
    /// The run, while there may be text in it.
    run: Option<Box<Run>>,
    /// Otherwise where in a run the undecided text begins, if in any.
    inside: Option<Inside>,
    /// How many of the last bytes are undecided.
    undecided: usize,
    /// Where in the segment those of them begin that may turn out to be held.
    held: Option<usize>,
    /// Bytes of text since the run began. No place in the view: those of its folded text and of what it stands for differ.
    age: usize,
}

#[derive(Clone, Debug, Default)]
struct Carry {
    text: String,
    before: Option<char>,
}

#[derive(Clone, Debug)]
struct Run {
    digits: Digits,
    /// The texts within, by the way in which they are read.
    texts: [Option<Box<Text>>; WAYS],
}

#[derive(Clone, Debug)]
struct Message {
    hidden: Hidden,
    text: Option<Box<Text>>,
}

/// A text that was found in a run.
#[derive(Clone, Debug)]
struct Text {
    view: View,
    /// What the view has not read yet.
    unread: String,
    /// Where in the source some of that was decided late only.
    late: Vec<Span>,
}

impl Runs {
    /// Whether they would be the same after other text, if only the last `same` bytes were these.
    pub(super) fn is_settled(&self, same: usize) -> bool {
        let settled = |slot: &Slot| {
            let recent = slot.inside.is_none() || slot.age < same;
            slot.run.is_none() && recent
        };
        self.hidden.is_none() && self.digits.iter().all(settled)
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        let runs = self.digits.iter().filter_map(|slot| slot.run.as_ref());
        let texts = runs.flat_map(|run| run.texts.iter().flatten());
        texts.map(|text| text.view.live()).sum()
    }

    /// Reads a block of folded text.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, block: Block<'_>, label: Label) {
        if block.text.is_empty() {
            return;
        }
        let mut carry = std::mem::take(&mut self.carry);
        let carried = carry.text.len();
        let whole = if carried == 0 {
            block
        } else {
            carry.text.push_str(block.text);
            Block {
                text: &carry.text,
                at: block.at - carried,
                before: carry.before,
                ..block
            }
        };
        let mut undecided = 0;
        for (slot, (radix, encoding)) in self.digits.iter_mut().zip(KINDS) {
            let from = carried - slot.undecided;
            slot.age += block.text.len();
            slot.read(
                reading,
                whole,
                from,
                (radix, label.within(encoding, Scope::Decoded)),
            );
            undecided = undecided.max(slot.undecided);
        }
        let decided = whole.text.len() - undecided;
        let before = whole.before(decided);
        if carried == 0 {
            carry
                .text
                .push_str(block.text.get(decided..).unwrap_or_default());
        } else {
            carry.text.drain(..decided);
        }
        carry.before = before;
        self.carry = carry;
    }

    /// Reads a block of text as it stands.
    pub(super) fn read_hidden(
        &mut self,
        reading: &mut Reading<'_>,
        block: Block<'_>,
        label: Label,
    ) {
        let label = label.within(Encoding::Hidden, Scope::Decoded);
        for (_, character, source) in block.characters(0) {
            if self.hidden.is_none() && hidden::byte(character).is_none() {
                continue;
            }
            let message = self.hidden.get_or_insert_with(|| {
                Box::new(Message {
                    hidden: Hidden::default(),
                    text: None,
                })
            });
            let Message { hidden, text } = &mut **message;
            let goes_on = hidden.push(character, source, &mut |step| {
                take(text, step, reading, (source.end, label));
            });
            if !goes_on {
                self.hidden = None;
            }
        }
        if let Some(message) = &mut self.hidden {
            flush(&mut message.text, reading);
        }
    }

    pub(super) fn finish(&mut self, reading: &mut Reading<'_>, label: Label) {
        for (slot, (_, encoding)) in self.digits.iter_mut().zip(KINDS) {
            if let Some(run) = &mut slot.run {
                run.finish(
                    reading,
                    (usize::MAX, label.within(encoding, Scope::Decoded)),
                );
            }
        }
        if let Some(message) = &mut self.hidden {
            let Message { hidden, text } = &mut **message;
            let label = label.within(Encoding::Hidden, Scope::Decoded);
            hidden.finish(&mut |step| take(text, step, reading, (usize::MAX, label)));
        }
    }

    /// Where in the segment text must be held from, if any.
    pub(super) fn held(&self, engine: &Engine) -> Option<usize> {
        let runs = self.digits.iter().filter_map(|slot| match &slot.run {
            Some(run) => run.held(engine),
            None => slot.held,
        });
        let hidden = self.hidden.iter().filter_map(|message| {
            let waiting = first(message.hidden.text());
            let text = message
                .text
                .as_ref()
                .and_then(|text| text.view.held(engine));
            waiting.into_iter().chain(text).min()
        });
        runs.chain(hidden).min()
    }
}

impl Slot {
    /// Reads the block from `from` on.
    fn read(
        &mut self,
        reading: &mut Reading<'_>,
        block: Block<'_>,
        mut from: usize,
        (radix, label): (Radix, Label),
    ) {
        self.undecided = 0;
        self.held = None;
        loop {
            if let Some(run) = &mut self.run {
                let Some((end, inside)) = run.read(reading, block, from, label) else {
                    return;
                };
                self.run = None;
                self.inside = inside;
                from = end;
            }
            let kind = (radix, label.thorough);
            let text = block.text.as_bytes();
            let Some(found) = seek(kind, text, (from, block.before(from)), self.inside.take())
            else {
                return;
            };
            if let Some(start) = found.start {
                self.age = text.len() - start;
            }
            if !found.text {
                self.inside = Some(found.inside);
                self.undecided = text.len() - found.place;
                if self.undecided > 0 && !label.thorough && reading.engine.holds() {
                    self.held = held(block, found, radix);
                }
                return;
            }
            from = found.place;
            self.run = Some(Box::new(Run {
                digits: Digits::new(radix, label.thorough, found.inside),
                texts: [const { None }; WAYS],
            }));
        }
    }
}

/// Where in the segment digits begin that are undecided and may be text.
fn held(block: Block<'_>, found: Found, radix: Radix) -> Option<usize> {
    let digits = block.text.get(found.place..).unwrap_or_default();
    if radix == Radix::Base64 && found.start == Some(found.place) && !begins_text(digits.as_bytes())
    {
        return None;
    }
    let mut digits = Digits::new(radix, false, found.inside);
    for (_, character, source) in block.characters(found.place) {
        digits.push(character, source, &mut |_, _| {});
    }
    digits.open().filter_map(|open| pending(&open)).min()
}

impl Run {
    /// Reads the block from `from` on. Where in it the run ends, or can be passed over again from a place inside, if it does.
    fn read(
        &mut self,
        reading: &mut Reading<'_>,
        block: Block<'_>,
        from: usize,
        label: Label,
    ) -> Option<(usize, Option<Inside>)> {
        for (place, character, source) in block.characters(from) {
            let Self { digits, texts } = self;
            let goes_on = digits.push(character, source, &mut |way, step| {
                if let Some(text) = texts.get_mut(way) {
                    take(text, step, reading, (source.end, label));
                }
            });
            if !goes_on {
                self.finish(reading, (source.end, label));
                return Some((place, None));
            }
            if let Some(inside) = digits.restart() {
                let back = (place + 1)
                    .checked_sub(RESTART)
                    .filter(|back| *back >= from);
                if let Some(back) = back {
                    return Some((back, Some(inside)));
                }
            }
        }
        for text in &mut self.texts {
            flush(text, reading);
        }
        None
    }

    /// The end of the run, which is known at `decided`.
    fn finish(&mut self, reading: &mut Reading<'_>, (decided, label): (usize, Label)) {
        let Self { digits, texts } = self;
        for text in &mut *texts {
            flush(text, reading);
        }
        reading.decided_at(decided, |reading| {
            digits.finish(&mut |way, step| {
                if let Some(text) = texts.get_mut(way) {
                    take(text, step, reading, (decided, label));
                }
            });
        });
    }

    fn held(&self, engine: &Engine) -> Option<usize> {
        let ways = self.digits.open().filter_map(|open| {
            let text = self.texts.get(open.way).and_then(Option::as_ref);
            let within = text.and_then(|text| text.view.held(engine));
            within.into_iter().chain(pending(&open)).min()
        });
        ways.min()
    }
}

impl Text {
    /// One that begins with `source`.
    fn new(label: Label, source: Span) -> Box<Self> {
        let (unread, late) = Default::default();
        let view = View::decoded(label, source.start);
        Box::new(Self { view, unread, late })
    }

    /// Notes that its next bytes stand for `source`, which was decided at that place of the segment.
    fn note(&mut self, length: usize, source: Span, decided: usize) {
        // That it is text may be known only now.
        let noted = |late: &Vec<Span>| late.last().is_some_and(|last| last.end == decided);
        if decided > source.end && !noted(&self.late) {
            self.late.push(Span::new(source.start, decided));
        }
        let at = self.view.position() + self.unread.len();
        let map = self.view.map_mut();
        map.whole(at, length, source.start, source.len());
    }
}

/// Where digits begin that may be text with those that follow.
fn pending(open: &Open<'_>) -> Option<usize> {
    let group = (!open.group.is_empty()).then_some(open.group.start);
    if open.text.is_given() {
        return open.text.partial().or(group);
    }
    let mut ahead = open.text.clone();
    for byte in &open.bytes {
        if !ahead.push(*byte, open.group, &mut |_| {}) && open.strict {
            return None;
        }
    }
    if ahead.is_given() {
        return first(open.text);
    }
    // Of a group whose first bytes are no text, the others may be.
    let goes_on = |(low, high)| !open.strict || (low..=high).any(|byte| ahead.may_go_on(byte));
    first(&ahead)
        .or(group)
        .filter(|_| open.next.is_none_or(goes_on))
}

/// Where text begins that has not been given out, of a fragment that may still become one.
fn first(text: &Fragments) -> Option<usize> {
    let waiting = text.waiting().first().map(|(_, source)| source.start);
    waiting.or_else(|| text.partial())
}

/// Takes what a run has given out at the place `decided` of the segment.
fn take(
    slot: &mut Option<Box<Text>>,
    step: Step,
    reading: &mut Reading<'_>,
    (decided, label): (usize, Label),
) {
    match step {
        Step::Text(character, source) => {
            let text = slot.get_or_insert_with(|| Text::new(label, source));
            text.note(character.len_utf8(), source, decided);
            text.unread.push(character);
        }
        Step::Three(bytes, source) => {
            let text = slot.get_or_insert_with(|| Text::new(label, source));
            text.note(bytes.len(), source, decided);
            for byte in bytes {
                text.unread.push(char::from(byte));
            }
        }
        Step::End => {
            flush(slot, reading);
            if let Some(mut text) = slot.take() {
                reading.decided_at(decided, |reading| text.view.finish(reading));
            }
        }
    }
}

fn flush(text: &mut Option<Box<Text>>, reading: &mut Reading<'_>) {
    if let Some(text) = text
        && !text.unread.is_empty()
    {
        reading.count(text.unread.len());
        let Text { view, unread, late } = &mut **text;
        reading.decided_late(late, |reading| view.read(reading, unread));
        unread.clear();
    }
}
