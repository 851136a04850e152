//! Matches that may still become one: how they begin, go on and end.

use regex_automata::{dfa::Automaton as _, util::primitives::StateID};

use super::{
    Engine,
    compile::{Compiled, Run},
    disguise::rot13,
    literal::{Before, Start},
    pattern::is_word_part,
    stream::{Stream, TAIL},
};
use crate::{scan::Check, text::Encoding};

/// The most candidates of one stream that live at once.
const LIVE_LIMIT: usize = 64;
/// A rule's check looks at every end of a match up to this length, and at the last end of longer ones.
const CHECKED_ENDS: usize = 64;
/// The longest word that an unlimited repetition takes before a match is reached.
const WORD_LIMIT: u8 = 64;
/// How many older candidates of the same rule a candidate is compared with.
const COMPARED: usize = 4;

/// A match of a rule in the text of a stream; offsets count from the stream's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: u16,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Bytes that had been read when the match was complete.
    pub(crate) at: usize,
    pub(crate) continues: bool,
    /// What was undone to find it.
    pub(crate) encoding: Encoding,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) rule: u16,
    pub(super) continues: bool,
    /// The text is read with its letters moved by 13.
    rot13: bool,
    /// Letters and digits since the last other byte, or since the candidate began.
    word: u8,
    pub(super) state: StateID,
    pub(super) start: usize,
    /// The end of the longest match so far; `start` if there is none.
    pub(super) end: usize,
}

impl Candidate {
    const fn new(rule: u16, state: StateID, start: usize) -> Self {
        Self {
            rule,
            continues: false,
            rot13: false,
            word: 0,
            state,
            start,
            end: start,
        }
    }
}

/// What one call of [`Stream::read`] works on.
pub(super) struct Reading<'a> {
    pub(super) engine: &'a Engine,
    pub(super) bytes: &'a [u8],
    /// Offset of the first of `bytes`.
    pub(super) base: usize,
    pub(super) hits: &'a mut Vec<Hit>,
    pub(super) overflow: bool,
}

impl Stream {
    /// Starts the candidates of a literal of `length` bytes that ends before `reading.bytes[end]`.
    pub(super) fn begin_literal(
        &mut self,
        reading: &mut Reading<'_>,
        starts: &[Start],
        end: usize,
        length: usize,
    ) {
        let Some(first) = (reading.base + end).checked_sub(length) else {
            return;
        };
        let before = self.before(reading, first);
        for start in starts {
            let Some(compiled) = reading.engine.compiled(start.rule) else {
                continue;
            };
            let state = match start.after {
                Some(after) => after.get(before as usize).copied(),
                None => self.walk(
                    reading,
                    compiled,
                    (before, start.rot13),
                    first..first + length,
                ),
            };
            if let Some(state) = state
                && !compiled.machine.automaton.is_dead_state(state)
            {
                let mut candidate = Candidate::new(start.rule, state, first);
                candidate.rot13 = start.rot13;
                self.admit(reading, compiled, candidate);
            }
        }
    }

    /// Starts the candidates of rules that begin with the byte `reading.bytes[index]`.
    pub(super) fn begin_byte(&mut self, reading: &mut Reading<'_>, index: usize, byte: u8) {
        let engine = reading.engine;
        let first = reading.base + index;
        let before = self.before(reading, first);
        for rule in engine.firsts.starting_with(byte, before) {
            let Some(compiled) = engine.compiled(*rule) else {
                continue;
            };
            let Some(state) = self.walk(reading, compiled, (before, false), first..first + 1)
            else {
                continue;
            };
            let mut candidate = Candidate::new(*rule, state, first);
            if let Some(Run { class, min, max }) = compiled.left {
                let run = self.run_before(reading, class, index);
                if run < min {
                    continue;
                }
                candidate.start -= run.min(max);
                candidate.end = candidate.start;
            }
            self.admit(reading, compiled, candidate);
        }
    }

    /// The state after the bytes of `places`. No match ends within them: they are what every match begins with.
    fn walk(
        &self,
        reading: &Reading<'_>,
        compiled: &Compiled,
        (before, moved): (Before, bool),
        mut places: std::ops::Range<usize>,
    ) -> Option<StateID> {
        places.try_fold(compiled.machine.start(before)?, |state, place| {
            let byte = self.byte(reading, place)?;
            let byte = if moved { rot13(byte) } else { byte };
            Some(compiled.machine.automaton.next_state(state, byte))
        })
    }

    fn admit(&mut self, reading: &mut Reading<'_>, compiled: &Compiled, candidate: Candidate) {
        if self.live.len() >= LIVE_LIMIT {
            reading.overflow = true;
            return;
        }
        let first = candidate.start;
        if compiled.rule.check.is_some()
            && first < reading.base
            && (self.history.is_empty() || first < self.history_start)
        {
            self.history_start = first;
            self.history.clear();
            let kept = self.tail.get(TAIL - (reading.base - first)..);
            self.history.extend_from_slice(kept.unwrap_or_default());
        }
        // Candidates of one rule stand together, the oldest first.
        let mut older = self.live.iter();
        let place = older.rposition(|other| other.rule <= candidate.rule);
        self.live
            .insert(place.map_or(0, |last| last + 1), candidate);
    }

    /// Steps every live candidate with the byte at `reading.bytes[index]`.
    pub(super) fn step(&mut self, reading: &mut Reading<'_>, index: usize, byte: u8) {
        let at = reading.base + index;
        let mut live = std::mem::take(&mut self.live);
        let mut kept = 0;
        for place in 0..live.len() {
            let Some(&(mut candidate)) = live.get(place) else {
                break;
            };
            let Some(compiled) = reading.engine.compiled(candidate.rule) else {
                continue;
            };
            let read = if candidate.rot13 { rot13(byte) } else { byte };
            candidate.state = compiled.machine.automaton.next_state(candidate.state, read);
            if compiled.machine.automaton.is_special_state(candidate.state) {
                if compiled.machine.automaton.is_dead_state(candidate.state) {
                    self.report(reading, compiled, &candidate, at + 1);
                    continue;
                }
                self.note_end(reading, compiled, &mut candidate, at);
                if compiled.machine.is_final(candidate.state) {
                    self.report(reading, compiled, &candidate, at + 1);
                    continue;
                }
            }
            let in_word = is_word_part(byte);
            candidate.word = if in_word {
                candidate.word.saturating_add(1)
            } else {
                0
            };
            let unmatched = candidate.end == candidate.start;
            if compiled.machine.words && unmatched && candidate.word > WORD_LIMIT {
                continue;
            }
            if at - candidate.start > compiled.machine.reach
                && !self.report_part(reading, compiled, &mut candidate, at + 1)
            {
                continue;
            }
            let same = |older: &&mut Candidate| {
                older.rule == candidate.rule
                    && older.state == candidate.state
                    && older.rot13 == candidate.rot13
            };
            let older = live.get_mut(..kept).unwrap_or_default().iter_mut();
            if let Some(older) = older.rev().take(COMPARED).find(same) {
                // From here on both go the same way; the older one covers the younger, but for a match that only this one has had.
                older.word = older.word.min(candidate.word);
                if candidate.end > older.end {
                    self.report(reading, compiled, &candidate, at + 1);
                }
                continue;
            }
            if let Some(slot) = live.get_mut(kept) {
                *slot = candidate;
                kept += 1;
            }
        }
        live.truncate(kept);
        self.live = live;
    }

    /// Notes that a match of `candidate` may end at `end`.
    pub(super) fn note_end(
        &self,
        reading: &Reading<'_>,
        compiled: &Compiled,
        candidate: &mut Candidate,
        end: usize,
    ) {
        let every_end = !matches!(compiled.rule.check, Some(Check::LongestEnd(_)));
        if every_end
            && end - candidate.start <= CHECKED_ENDS
            && !candidate.continues
            && !self.passes(reading, compiled, candidate.start, end)
        {
            return;
        }
        candidate.end = end;
    }

    pub(super) fn report(
        &self,
        reading: &mut Reading<'_>,
        compiled: &Compiled,
        candidate: &Candidate,
        at: usize,
    ) {
        let &Candidate {
            continues,
            rot13,
            start,
            end,
            ..
        } = candidate;
        let longest = matches!(compiled.rule.check, Some(Check::LongestEnd(_)));
        let checked = continues || !longest && end - start <= CHECKED_ENDS;
        if end > start && (checked || self.passes(reading, compiled, start, end)) {
            reading.hits.push(Hit {
                rule: compiled.stands_for,
                start,
                end,
                at,
                continues,
                encoding: if rot13 {
                    Encoding::Rot13
                } else {
                    compiled.encoding
                },
            });
        }
    }

    /// Reports what has matched of a candidate that has grown beyond its reach, and lets the rest go on. Whether it goes on.
    fn report_part(
        &self,
        reading: &mut Reading<'_>,
        compiled: &Compiled,
        candidate: &mut Candidate,
        at: usize,
    ) -> bool {
        if candidate.end == candidate.start {
            reading.overflow = true;
            return false;
        }
        let before = reading.hits.len();
        self.report(reading, compiled, candidate, at);
        candidate.start = candidate.end;
        candidate.continues = true;
        reading.hits.len() > before
    }

    fn passes(&self, reading: &Reading<'_>, compiled: &Compiled, start: usize, end: usize) -> bool {
        let Some(check) = &compiled.rule.check else {
            return true;
        };
        let text: Vec<u8> = (start..end)
            .filter_map(|place| self.byte(reading, place))
            .collect();
        // Text that is not whole would be a bug of ours; then the shape alone decides, on the safe side.
        std::str::from_utf8(&text)
            .ok()
            .filter(|text| text.len() == end - start)
            .is_none_or(|text| check.passes(text))
    }
}
