//! Matches that may still become one: how they begin, go on and end.

use std::borrow::Cow;

use regex_automata::{dfa::Automaton as _, util::primitives::StateID};

use super::{
    Engine,
    compile::{Compiled, Run},
    literal::Before,
    pattern::is_word_part,
    stream::{Stream, TAIL},
    trigger::Start,
    wrap::Wrap,
};
use crate::{
    scan::{Check, Scanner},
    text::{Encoding, rot13},
};

/// The most candidates of one stream that live for longer than a byte.
const LIVE_LIMIT: usize = 64;
/// A rule's check looks at every end of a match up to this length, and at the last end of longer ones.
const CHECKED_ENDS: usize = 64;
/// The longest word that an unlimited repetition takes before a match is reached.
const WORD_LIMIT: u8 = 64;
/// The most bytes at the ends of lines that a candidate goes over.
const SKIPPED_LIMIT: u8 = 64;
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
    /// It follows on letters or digits: counts in whole texts only.
    pub(crate) glued: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) rule: u16,
    pub(super) continues: bool,
    /// The text is read with its letters moved by 13.
    rot13: bool,
    /// Letters and digits since the last other byte, or since the candidate began.
    word: u8,
    wrap: Wrap,
    /// Bytes at the ends of lines that are no part of what it matches.
    skipped: u8,
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
            wrap: Wrap::Line,
            skipped: 0,
            state,
            start,
            end: start,
        }
    }
}

/// Whether an older candidate of the same rule goes the same way from here on: it covers the younger, but for a match that only this one has had,
/// which is left to `part`.
fn is_covered(
    older: &mut [Candidate],
    candidate: &Candidate,
    part: impl FnOnce(&Candidate),
) -> bool {
    let of_rule = older.iter_mut().rev().take(COMPARED);
    let mut of_rule = of_rule.take_while(|older| older.rule == candidate.rule);
    let same = |older: &&mut Candidate| {
        (older.state, older.rot13, older.wrap) == (candidate.state, candidate.rot13, candidate.wrap)
    };
    let Some(older) = of_rule.find(same) else {
        return false;
    };
    older.word = older.word.min(candidate.word);
    part(older);
    true
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
    /// Starts the candidates of literals that may end, and of rules that may begin, with the byte before `reading.bytes[end]`.
    pub(super) fn begin<'e>(
        &mut self,
        reading: &Reading<'_>,
        endings: impl Iterator<Item = (usize, &'e [Start])>,
        end: usize,
    ) {
        let end = reading.base + end;
        for (length, starts) in endings {
            let Some(first) = end.checked_sub(length) else {
                continue;
            };
            let before = self.before(reading, first);
            for start in starts {
                self.begin_one(reading, start, first..end, before);
            }
        }
        let firsts = &reading.engine.firsts;
        if let Some(byte) = self.byte(reading, end - 1)
            && firsts.any.get(usize::from(byte)) == Some(&true)
        {
            let before = self.before(reading, end - 1);
            for start in firsts.starting_with(byte, before) {
                self.begin_one(reading, start, end - 1..end, before);
            }
        }
    }

    /// Starts a candidate after the bytes of `places`, unless the next byte ends it without a match, as it does with most.
    fn begin_one(
        &mut self,
        reading: &Reading<'_>,
        start: &Start,
        places: std::ops::Range<usize>,
        before: Before,
    ) {
        let next = places.end.checked_sub(reading.base);
        let next = next.and_then(|next| reading.bytes.get(next)).copied();
        // A candidate that may go over the end of a line may do so at once.
        let breaks = next.is_some_and(|next| Wrap::Line.after(next).is_some());
        if !breaks && next.is_some_and(|next| !start.next.may_hold(next)) {
            return;
        }
        let Some(compiled) = reading.engine.compiled(start.rule) else {
            return;
        };
        if compiled.rule.scanner == Scanner::Pii && self.is_fraction(reading, places.start) {
            return;
        }
        let next = next.filter(|_| !(breaks && compiled.wraps));
        let state = match start.after {
            Some(after) => after.get(before as usize).copied(),
            None => self.walk(reading, compiled, (before, start.rot13), places.clone()),
        };
        let automaton = &compiled.machine.automaton;
        let ends = |state: StateID, byte: u8| {
            let byte = if start.rot13 { rot13(byte) } else { byte };
            automaton.is_dead_state(automaton.next_state(state, byte))
        };
        let Some(state) = state.filter(|state| {
            !automaton.is_dead_state(*state) && !next.is_some_and(|next| ends(*state, next))
        }) else {
            return;
        };
        let mut candidate = Candidate::new(start.rule, state, places.start);
        candidate.rot13 = start.rot13;
        if let Some(Run { class, min, max }) = compiled.left {
            let run = self.run_before(reading, class, places.start.saturating_sub(reading.base));
            if run < min {
                return;
            }
            candidate.start -= run.min(max);
            candidate.end = candidate.start;
        }
        self.admit(reading, compiled, candidate);
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

    fn admit(&mut self, reading: &Reading<'_>, compiled: &Compiled, candidate: Candidate) {
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
            let (older, rest) = live.split_at_mut(kept);
            if self.step_one(reading, &mut candidate, at, byte)
                && !is_covered(older, &candidate, |older| {
                    if candidate.end > older.end
                        && let Some(compiled) = reading.engine.compiled(candidate.rule)
                    {
                        self.report(reading, compiled, &candidate, at + 1);
                    }
                })
                && let Some(slot) = rest.first_mut()
            {
                *slot = candidate;
                kept += 1;
            }
        }
        reading.overflow |= kept > LIVE_LIMIT;
        live.truncate(kept.min(LIVE_LIMIT));
        self.live = live;
    }

    /// Steps a candidate; whether it lives on.
    #[inline]
    fn step_one(
        &self,
        reading: &mut Reading<'_>,
        candidate: &mut Candidate,
        at: usize,
        byte: u8,
    ) -> bool {
        let Some(compiled) = reading.engine.compiled(candidate.rule) else {
            return false;
        };
        let machine = &*compiled.machine;
        let read = if candidate.rot13 { rot13(byte) } else { byte };
        let state = machine.automaton.next_state(candidate.state, read);
        let unmatched = candidate.end == candidate.start;
        let dead = machine.automaton.is_dead_state(state);
        if compiled.wraps && unmatched && (dead || candidate.wrap == Wrap::End) {
            candidate.wrap = match candidate.wrap.after(byte) {
                Some(wrap) => wrap,
                None => return false,
            };
            candidate.skipped += 1;
            return candidate.skipped < SKIPPED_LIMIT;
        }
        candidate.wrap = Wrap::Line;
        candidate.state = state;
        if machine.automaton.is_special_state(candidate.state) {
            if dead {
                self.report(reading, compiled, candidate, at + 1);
                return false;
            }
            self.note_end(reading, compiled, candidate, at);
            if machine.is_final(candidate.state) {
                self.report(reading, compiled, candidate, at + 1);
                return false;
            }
        }
        candidate.word = if is_word_part(byte) {
            candidate.word.saturating_add(1)
        } else {
            0
        };
        let unmatched = candidate.end == candidate.start;
        if machine.words && unmatched && candidate.word > WORD_LIMIT {
            return false;
        }
        at - candidate.start <= machine.reach + usize::from(candidate.skipped)
            || self.report_part(reading, compiled, candidate, at + 1)
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
            && !self.passes(reading, compiled, candidate, end)
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
        if end > start && (checked || self.passes(reading, compiled, candidate, end)) {
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
                glued: compiled.glued,
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

    fn passes(
        &self,
        reading: &Reading<'_>,
        compiled: &Compiled,
        candidate: &Candidate,
        end: usize,
    ) -> bool {
        let start = candidate.start;
        let Some(check) = &compiled.rule.check else {
            return true;
        };
        let own = start.checked_sub(reading.base);
        let own = own.and_then(|from| reading.bytes.get(from..end - reading.base));
        let kept = || {
            let bytes = (start..end).filter_map(|place| self.byte(reading, place));
            Cow::Owned(bytes.collect())
        };
        let mut text: Cow<'_, [u8]> = own.map_or_else(kept, Cow::Borrowed);
        if candidate.rot13 {
            text = text.iter().map(|byte| rot13(*byte)).collect();
        }
        // Text that is not whole would be a bug of ours; then the shape alone decides, on the safe side.
        std::str::from_utf8(&text)
            .ok()
            .filter(|text| text.len() == end - start)
            .is_none_or(|text| check.passes(text))
    }
}
