//! The state of one stream of text: what was just read, and the matches that may still become one.

use regex_automata::dfa::Automaton as _;

use super::{
    Engine, Overflow, Scope,
    candidate::{Candidate, Hit, Reading},
    compile::CLASSES,
    literal::{Before, LITERAL_LIMIT},
};

/// The last bytes that a stream keeps: a literal and the two bytes before it.
pub(crate) const TAIL: usize = LITERAL_LIMIT + 2;

/// One text that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// Bytes read so far.
    position: usize,
    /// State of the literal automaton; `None` before the first byte.
    state: Option<aho_corasick::automaton::StateID>,
    /// The last bytes, at the end of the array.
    pub(super) tail: [u8; TAIL],
    /// Lengths of the current runs of the engine's classes.
    runs: [u16; CLASSES],
    pub(super) live: Vec<Candidate>,
    /// The text from `history_start` on, if a live candidate will have to be checked.
    pub(super) history: Vec<u8>,
    pub(super) history_start: usize,
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

    /// Whether it would be the same after other text, if only the last `same` bytes were these.
    pub(crate) fn is_settled(&self, same: usize) -> bool {
        let run = self.runs.iter().map(|run| usize::from(*run)).max();
        let settled = |candidate: &Candidate| {
            !candidate.continues && self.position - candidate.start + TAIL < same
        };
        same > run.unwrap_or(0).max(TAIL) && self.live.iter().all(settled)
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
        let mut read = 0;
        while let Some(rest @ [byte, ..]) = bytes.get(read..) {
            if self.live.is_empty() {
                // Most text: nothing is open and nothing begins.
                let Some(skipped) = literals.skip(&mut state, rest) else {
                    break;
                };
                read += skipped;
            } else {
                self.step(&mut reading, read, *byte);
                let (next, stops) = literals.step(state, *byte);
                state = next;
                read += 1;
                if !stops {
                    continue;
                }
            }
            self.begin(&reading, literals.endings(state), read);
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
            let state = compiled.machine.automaton.next_eoi_state(candidate.state);
            if compiled.machine.automaton.is_match_state(state) {
                self.note_end(&reading, compiled, &mut candidate, position);
            }
            self.report(&mut reading, compiled, &candidate, position);
        }
    }

    /// The offset from which on text must be held: no open or later match of a rule that holds and counts begins before it.
    pub(crate) fn held_from(&self, engine: &Engine, scope: Scope) -> usize {
        let wording = scope == Scope::Wording;
        if !engine.any(scope).holds {
            return self.position;
        }
        let holds = |candidate: &&Candidate| {
            engine
                .compiled(candidate.rule)
                .is_some_and(|compiled| compiled.hold && compiled.reads(scope))
        };
        let candidates = self
            .live
            .iter()
            .filter(holds)
            .map(|candidate| candidate.start);
        let runs = self.runs.iter().zip(&engine.classes).map(|(run, class)| {
            let held = if wording {
                class.held_wording
            } else {
                class.held
            };
            self.position - usize::from(*run).min(held)
        });
        let literal = match (&engine.literals, self.state) {
            (Some(literals), Some(state)) => literals.open_prefix(state, |length| {
                let before = self.tail.iter().rev().nth(length);
                Before::of(before.filter(|_| length < self.position).copied())
            }),
            _ => 0,
        };
        candidates
            .chain(runs)
            .fold(self.position - literal, usize::min)
    }

    pub(super) fn before(&self, reading: &Reading<'_>, place: usize) -> Before {
        Before::of(
            place
                .checked_sub(1)
                .and_then(|place| self.byte(reading, place)),
        )
    }

    /// A byte that is still known.
    pub(super) fn byte(&self, reading: &Reading<'_>, place: usize) -> Option<u8> {
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

    /// Whether the digits of a fraction begin there: they are nobody's number.
    pub(super) fn is_fraction(&self, reading: &Reading<'_>, place: usize) -> bool {
        let byte = |back: usize| self.byte(reading, place.checked_sub(back)?);
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
        byte(1) == Some(b'.') && is_digit(byte(2)) && is_digit(self.byte(reading, place))
    }

    /// The length of the run of a class that ends before `reading.bytes[index]`.
    pub(super) fn run_before(&self, reading: &Reading<'_>, class: usize, index: usize) -> usize {
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
