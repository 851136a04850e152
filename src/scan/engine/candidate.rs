//! The state of one stream of text: what was just read, and the matches that may still become one.

use regex_automata::{dfa::Automaton as _, util::primitives::StateID};

use super::{
    Engine, Overflow,
    compile::{CLASSES, Compiled},
    literal::{Before, LITERAL_LIMIT, Start},
    pattern::is_word_part,
};

/// The most candidates of one stream that live at once.
const LIVE_LIMIT: usize = 64;
/// The last bytes that a stream keeps: a literal and the byte before it.
pub(crate) const TAIL: usize = LITERAL_LIMIT + 1;
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
}

/// One text that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// Bytes read so far.
    position: usize,
    /// State of the literal automaton; `None` before the first byte.
    state: Option<aho_corasick::automaton::StateID>,
    /// The last bytes, at the end of the array.
    tail: [u8; TAIL],
    /// Lengths of the current runs of the engine's classes.
    runs: [u16; CLASSES],
    live: Vec<Candidate>,
    /// The text from `history_start` on, if a live candidate will have to be checked.
    history: Vec<u8>,
    history_start: usize,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    rule: u16,
    continues: bool,
    /// Letters and digits since the last other byte, or since the candidate began.
    word: u8,
    state: StateID,
    start: usize,
    /// The end of the longest match so far; `start` if there is none.
    end: usize,
}

impl Candidate {
    const fn new(rule: u16, state: StateID, start: usize) -> Self {
        Self {
            rule,
            continues: false,
            word: 0,
            state,
            start,
            end: start,
        }
    }
}

/// What one call of [`Stream::read`] works on.
struct Reading<'a> {
    engine: &'a Engine,
    bytes: &'a [u8],
    /// Offset of the first of `bytes`.
    base: usize,
    hits: &'a mut Vec<Hit>,
    overflow: bool,
}

impl Stream {
    pub(crate) const fn new() -> Self {
        Self {
            position: 0,
            state: None,
            tail: [0; TAIL],
            runs: [0; CLASSES],
            live: Vec::new(),
            history: Vec::new(),
            history_start: 0,
        }
    }

    /// Bytes read so far.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// Whether no match is open, and how many of the last bytes may still become a part of one.
    pub(crate) fn idle_tail(&self) -> Option<usize> {
        self.live.is_empty().then(|| {
            self.runs
                .iter()
                .map(|run| usize::from(*run))
                .max()
                .unwrap_or(0)
                .max(TAIL)
        })
    }

    /// No offset below this will be asked for or reported any more.
    pub(crate) fn oldest(&self) -> usize {
        let idle = self
            .position
            .saturating_sub(TAIL.max(super::pattern::LEFT_LIMIT));
        self.live
            .iter()
            .map(|candidate| candidate.start)
            .fold(idle, usize::min)
    }

    /// How many candidates the next byte will be given to.
    #[cfg(test)]
    pub(crate) const fn live(&self) -> usize {
        self.live.len()
    }

    /// Reads more text.
    pub(crate) fn read(
        &mut self,
        engine: &Engine,
        bytes: &[u8],
        hits: &mut Vec<Hit>,
    ) -> Result<(), Overflow> {
        let Some(literals) = &engine.literals else {
            return Ok(());
        };
        let mut state = self.state.unwrap_or_else(|| literals.start());
        let mut reading = Reading {
            engine,
            bytes,
            base: self.position,
            hits,
            overflow: false,
        };
        for (index, &byte) in bytes.iter().enumerate() {
            if !self.live.is_empty() {
                self.step(&mut reading, index, byte);
            }
            state = literals.step(state, byte);
            if literals.is_match(state) {
                for (length, starts) in literals.matches(state) {
                    self.begin_literal(&mut reading, starts, index + 1, length);
                }
            }
            if engine.firsts.any.get(usize::from(byte)) == Some(&true) {
                self.begin_byte(&mut reading, index, byte);
            }
        }
        let overflow = reading.overflow;
        self.state = Some(state);
        self.keep(engine, bytes);
        if overflow { Err(Overflow) } else { Ok(()) }
    }

    /// Reads the end of the text.
    pub(crate) fn finish(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        let position = self.position;
        let mut reading = Reading {
            engine,
            bytes: &[],
            base: position,
            hits,
            overflow: false,
        };
        for mut candidate in std::mem::take(&mut self.live) {
            let Some(compiled) = engine.compiled(candidate.rule) else {
                continue;
            };
            let state = compiled.automaton.next_eoi_state(candidate.state);
            if compiled.automaton.is_match_state(state) {
                self.note_end(&reading, compiled, &mut candidate, position);
            }
            self.report(&mut reading, compiled, &candidate, position);
        }
    }

    /// The offset from which on text must be held: no open or later match of a rule that holds begins before it.
    pub(crate) fn held_from(&self, engine: &Engine) -> usize {
        let holds = |candidate: &&Candidate| {
            engine
                .compiled(candidate.rule)
                .is_some_and(|compiled| compiled.hold)
        };
        let candidates = self
            .live
            .iter()
            .filter(holds)
            .map(|candidate| candidate.start);
        let runs = self
            .runs
            .iter()
            .zip(&engine.classes)
            .map(|(run, class)| self.position - usize::from(*run).min(class.held));
        let literal = match (&engine.literals, self.state) {
            (Some(literals), Some(state)) => literals.open_prefix(state, |length| {
                let place = TAIL.checked_sub(length + 1);
                Before::of(if length < self.position {
                    place.and_then(|place| self.tail.get(place)).copied()
                } else {
                    None
                })
            }),
            _ => 0,
        };
        candidates
            .chain(runs)
            .fold(self.position - literal, usize::min)
    }

    /// Starts the candidates of a literal of `length` bytes that ends before `reading.bytes[end]`.
    fn begin_literal(
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
                None => self.walk(reading, compiled, before, first..first + length),
            };
            if let Some(state) = state
                && !compiled.automaton.is_dead_state(state)
            {
                self.admit(reading, compiled, Candidate::new(start.rule, state, first));
            }
        }
    }

    /// Starts the candidates of rules that begin with the byte `reading.bytes[index]`.
    fn begin_byte(&mut self, reading: &mut Reading<'_>, index: usize, byte: u8) {
        let engine = reading.engine;
        let first = reading.base + index;
        let before = self.before(reading, first);
        for rule in engine.firsts.starting_with(byte, before) {
            let Some(compiled) = engine.compiled(*rule) else {
                continue;
            };
            let Some(state) = self.walk(reading, compiled, before, first..first + 1) else {
                continue;
            };
            let mut candidate = Candidate::new(*rule, state, first);
            if let Some((class, min, max)) = compiled.left {
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
        before: Before,
        mut places: std::ops::Range<usize>,
    ) -> Option<StateID> {
        places.try_fold(compiled.start(before)?, |state, place| {
            let byte = self.byte(reading, place)?;
            Some(compiled.automaton.next_state(state, byte))
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
    fn step(&mut self, reading: &mut Reading<'_>, index: usize, byte: u8) {
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
            candidate.state = compiled.automaton.next_state(candidate.state, byte);
            if compiled.automaton.is_special_state(candidate.state) {
                if compiled.automaton.is_dead_state(candidate.state) {
                    self.report(reading, compiled, &candidate, at + 1);
                    continue;
                }
                self.note_end(reading, compiled, &mut candidate, at);
                if compiled.is_final(candidate.state) {
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
            if compiled.words && unmatched && candidate.word > WORD_LIMIT {
                continue;
            }
            if at - candidate.start > compiled.reach
                && !self.report_part(reading, compiled, &mut candidate, at + 1)
            {
                continue;
            }
            let same = |older: &&mut Candidate| {
                older.rule == candidate.rule && older.state == candidate.state
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
    fn note_end(
        &self,
        reading: &Reading<'_>,
        compiled: &Compiled,
        candidate: &mut Candidate,
        end: usize,
    ) {
        if end - candidate.start <= CHECKED_ENDS
            && !candidate.continues
            && !self.passes(reading, compiled, candidate.start, end)
        {
            return;
        }
        candidate.end = end;
    }

    fn report(
        &self,
        reading: &mut Reading<'_>,
        compiled: &Compiled,
        candidate: &Candidate,
        at: usize,
    ) {
        let &Candidate {
            rule,
            continues,
            start,
            end,
            ..
        } = candidate;
        let unchecked = end - start > CHECKED_ENDS && !continues;
        if end > start && !(unchecked && !self.passes(reading, compiled, start, end)) {
            reading.hits.push(Hit {
                rule,
                start,
                end,
                at,
                continues,
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
        let Some(check) = compiled.rule.check else {
            return true;
        };
        let text: Vec<u8> = (start..end)
            .filter_map(|place| self.byte(reading, place))
            .collect();
        // Text that is not whole would be a bug of ours; then the shape alone decides, on the safe side.
        std::str::from_utf8(&text)
            .ok()
            .filter(|text| text.len() == end - start)
            .is_none_or(check)
    }

    fn before(&self, reading: &Reading<'_>, place: usize) -> Before {
        Before::of(
            place
                .checked_sub(1)
                .and_then(|place| self.byte(reading, place)),
        )
    }

    /// A byte that is still known.
    fn byte(&self, reading: &Reading<'_>, place: usize) -> Option<u8> {
        if let Some(index) = place.checked_sub(reading.base) {
            return reading.bytes.get(index).copied();
        }
        let known = place
            .checked_sub(self.history_start)
            .and_then(|index| self.history.get(index));
        known
            .or_else(|| self.tail.get((place + TAIL).checked_sub(reading.base)?))
            .copied()
    }

    /// The length of the run of a class that ends before `reading.bytes[index]`.
    fn run_before(&self, reading: &Reading<'_>, class: usize, index: usize) -> usize {
        let Some(table) = reading.engine.classes.get(class).map(|class| &*class.bytes) else {
            return 0;
        };
        let read = reading.bytes.get(..index).unwrap_or_default();
        let run = read
            .iter()
            .rev()
            .take_while(|byte| table.get(usize::from(**byte)) == Some(&true))
            .count();
        if run < index {
            run
        } else {
            run + self.runs.get(class).map_or(0, |run| usize::from(*run))
        }
    }

    /// Keeps what the next call needs of `bytes`.
    fn keep(&mut self, engine: &Engine, bytes: &[u8]) {
        for (class, slot) in engine.classes.iter().zip(&mut self.runs) {
            let run = bytes
                .iter()
                .rev()
                .take_while(|byte| class.bytes.get(usize::from(**byte)) == Some(&true))
                .count();
            let whole = if run < bytes.len() {
                run
            } else {
                run + usize::from(*slot)
            };
            *slot = u16::try_from(whole).unwrap_or(u16::MAX);
        }
        let checked = |candidate: &&Candidate| {
            engine
                .compiled(candidate.rule)
                .is_some_and(|compiled| compiled.rule.check.is_some() && !candidate.continues)
        };
        match self
            .live
            .iter()
            .filter(checked)
            .map(|candidate| candidate.start)
            .min()
        {
            None => self.history.clear(),
            Some(start) if start >= self.position || self.history.is_empty() => {
                self.history.clear();
                self.history.extend_from_slice(
                    bytes
                        .get(start.saturating_sub(self.position)..)
                        .unwrap_or_default(),
                );
                self.history_start = start.max(self.position);
            }
            Some(start) => {
                self.history.drain(
                    ..start
                        .saturating_sub(self.history_start)
                        .min(self.history.len()),
                );
                self.history_start = start.max(self.history_start);
                self.history.extend_from_slice(bytes);
            }
        }
        if let Some(last) = bytes.last_chunk::<TAIL>() {
            self.tail = *last;
        } else {
            self.tail.copy_within(bytes.len().., 0);
            if let Some(end) = self.tail.get_mut(TAIL - bytes.len()..) {
                end.copy_from_slice(bytes);
            }
        }
        self.position += bytes.len();
    }
}
