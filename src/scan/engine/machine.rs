//! One pattern to the tables that run it.

use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson::{NFA, WhichCaptures},
    util::{alphabet, primitives::StateID, start},
};
use regex_syntax::hir::Hir;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::{
    literal::{Before, Literal, unfold},
    pattern::{self, Left, Pattern, Refused},
    trigger::Bytes,
};
use crate::text::rot13;

/// The largest automaton of one rule.
const AUTOMATON_BYTES: usize = 1 << 20;

/// Automata by pattern, so that engines with the same patterns share them: a policy compiled after another one is quick and
/// takes little memory.
#[derive(Debug, Default)]
pub struct Automata(Mutex<HashMap<(String, bool), Arc<Machine>>>);

impl Automata {
    pub(super) fn machine(&self, pattern: &str, turned: bool) -> Result<Arc<Machine>, Refused> {
        let mut machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (pattern.to_owned(), turned);
        if let Some(machine) = machines.get(&key) {
            return Ok(Arc::clone(machine));
        }
        let machine = Arc::new(Machine::new(pattern, turned)?);
        machines.insert(key, Arc::clone(&machine));
        Ok(machine)
    }
}

/// What a pattern is run by, whatever rule it belongs to.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) automaton: dense::DFA<Vec<u32>>,
    /// One byte of each class of bytes that the automaton does not tell apart.
    representatives: Vec<u8>,
    /// The start state for each [`Before`].
    starts: [StateID; 5],
    pub(super) reach: usize,
    /// Whether a candidate that has not matched is given up in a very long word.
    pub(super) words: bool,
    pub(super) left: Option<Left>,
    pub(super) literals: Vec<Begin>,
}

/// A literal that matches begin with.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) literal: Literal,
    /// The same with its letters moved by 13.
    pub(super) rot13: Literal,
    /// As in [`Start`](super::trigger::Start).
    pub(super) after: Option<[StateID; 5]>,
    /// What may follow it, and in a text with its letters moved.
    pub(super) next: Bytes,
    pub(super) rot13_next: Bytes,
    /// As in [`Trigger`](super::trigger::Trigger).
    pub(super) viable: Vec<u8>,
}

impl Machine {
    fn new(written: &str, turned: bool) -> Result<Self, Refused> {
        let Pattern {
            hir,
            left,
            literals,
            reach,
            words,
        } = pattern::parse(written, turned)?;
        let automaton = automaton(&hir).ok_or_else(too_large)?;
        let mut machine = Self {
            starts: starts(&automaton).ok_or_else(too_large)?,
            representatives: automaton
                .byte_classes()
                .representatives(0..=255)
                .filter_map(alphabet::Unit::as_u8)
                .collect(),
            automaton,
            reach,
            words,
            left,
            literals: Vec::new(),
        };
        let begins = literals.into_iter().map(|literal| Begin {
            after: machine.after(&literal),
            next: machine.next(&literal, |byte| byte),
            rot13_next: machine.next(&literal, rot13),
            viable: machine.viable(&literal),
            rot13: literal.iter().map(|byte| rot13(*byte)).collect(),
            literal,
        });
        machine.literals = begins.collect();
        Ok(machine)
    }

    pub(super) fn start(&self, before: Before) -> Option<StateID> {
        self.starts.get(before as usize).copied()
    }

    /// Whether nothing can follow in `state`, so that the match is complete without another byte.
    pub(super) fn is_final(&self, state: StateID) -> bool {
        let mut representatives = self.representatives.iter();
        representatives.all(|byte| {
            let next = self.automaton.next_state(state, *byte);
            self.automaton.is_dead_state(next)
        }) && self
            .automaton
            .is_dead_state(self.automaton.next_eoi_state(state))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.automaton.memory_usage() + size_of::<Self>()
    }

    /// The states that `state` goes to with one of the bytes that fold to `byte`.
    fn step(&self, state: StateID, byte: u8) -> impl Iterator<Item = StateID> {
        unfold(byte)
            .map(move |byte| self.automaton.next_state(state, byte))
            .filter(|next| !self.automaton.is_dead_state(*next))
    }

    /// The states that the texts that fold to `literal` lead to from `start`.
    fn states(&self, start: StateID, literal: &[u8]) -> BTreeSet<StateID> {
        let start = BTreeSet::from([start]);
        literal.iter().fold(start, |states, byte| {
            let states = states.iter().flat_map(|state| self.step(*state, *byte));
            states.collect()
        })
    }

    /// The state after `literal` for each [`Before`], unless it depends on more than the folded bytes.
    fn after(&self, literal: &[u8]) -> Option<[StateID; 5]> {
        let mut after = self.starts;
        for state in &mut after {
            for byte in literal {
                let mut next = unfold(*byte).map(|byte| self.automaton.next_state(*state, byte));
                let first = next.next()?;
                if next.any(|other| other != first) {
                    return None;
                }
                *state = first;
            }
        }
        Some(after)
    }

    /// The bytes that may follow `literal`, if each is read as `read` says.
    fn next(&self, literal: &[u8], read: fn(u8) -> u8) -> Bytes {
        let states = self
            .starts
            .iter()
            .flat_map(|start| self.states(*start, literal));
        self.next_of(&states.collect(), read)
    }

    /// The bytes with which one of the states goes on, if each is read as `read` says.
    pub(super) fn next_of(&self, states: &BTreeSet<StateID>, read: fn(u8) -> u8) -> Bytes {
        let goes_on = |byte: u8| {
            let mut states = states.iter();
            states.any(|state| {
                let next = self.automaton.next_state(*state, read(byte));
                !self.automaton.is_dead_state(next)
            })
        };
        let bytes = (0..=255).filter(|byte| goes_on(*byte));
        bytes.fold(Bytes::default(), Bytes::with)
    }

    /// For each length of a proper prefix of `literal`, what may stand before it.
    fn viable(&self, literal: &[u8]) -> Vec<u8> {
        let mut lengths = vec![0; literal.len()];
        for (before, _) in Before::ALL {
            let mut states: BTreeSet<StateID> = self.start(before).into_iter().collect();
            for (byte, bits) in literal.iter().zip(&mut lengths) {
                if !states.is_empty() {
                    *bits |= before.bit();
                }
                states = states
                    .iter()
                    .flat_map(|state| self.step(*state, *byte))
                    .collect();
            }
        }
        lengths
    }
}

fn too_large() -> Refused {
    Refused::new(
        "its automaton is too large",
        "use fewer choices and smaller repetition counts; {1,} is smaller than {1,100}",
    )
}

/// The anchored automaton that goes through all matches, to the longest; `None` if it is too large.
fn automaton(hir: &Hir) -> Option<dense::DFA<Vec<u32>>> {
    let nfa = NFA::config()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(AUTOMATON_BYTES));
    let nfa = NFA::compiler().configure(nfa).build_from_hir(hir).ok()?;
    let dfa = dense::Config::new()
        .dfa_size_limit(Some(AUTOMATON_BYTES))
        .determinize_size_limit(Some(4 * AUTOMATON_BYTES))
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .accelerate(false);
    dense::Builder::new()
        .configure(dfa)
        .build_from_nfa(&nfa)
        .ok()
}

fn starts(automaton: &dense::DFA<Vec<u32>>) -> Option<[StateID; 5]> {
    let mut starts = [StateID::ZERO; 5];
    for (slot, (_, byte)) in starts.iter_mut().zip(Before::ALL) {
        let before = start::Config::new()
            .anchored(Anchored::Yes)
            .look_behind(byte);
        *slot = automaton.start_state(&before).ok()?;
    }
    Some(starts)
}
