//! All literals of all rules, looked for at once.
//!
//! The automaton is that of Aho and Corasick (1975), as a dense table over folded bytes. Each of its states stands for the longest end of the text that
//! is a prefix of some literal; [`Literals::open_prefix`] tells which ends of the text may still become one, which is what a
//! stream must hold back for literals that are not complete.

use aho_corasick::{
    Anchored, MatchKind, StartKind,
    automaton::{Automaton as _, StateID as State},
    dfa::DFA,
};
use regex_automata::util::primitives::StateID;
use std::collections::BTreeMap;

use super::literal::{Before, fold};

/// A set of bytes that are told apart by their lower six bits: it may hold more than was put in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes(u64);

impl Bytes {
    pub(super) const fn with(self, byte: u8) -> Self {
        Self(self.0 | 1 << (byte & 63))
    }

    #[inline]
    pub(super) const fn may_hold(self, byte: u8) -> bool {
        self.0 >> (byte & 63) & 1 == 1
    }
}

/// A rule that a literal or a byte starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) rule: u16,
    /// The text is read with its letters moved by 13.
    pub(super) rot13: bool,
    /// The state of the rule's automaton after the literal, for each [`Before`], if it is the same in either case.
    pub(super) after: Option<[StateID; 5]>,
    /// What may follow.
    pub(super) next: Bytes,
}

/// A literal of a rule, as [`Literals::build`] needs it.
#[derive(Debug)]
pub(super) struct Trigger<'a> {
    pub(super) literal: &'a [u8],
    pub(super) start: Start,
    /// For each length of prefix, what may stand before it (bits of [`Before`]) for the rule to match; empty for a rule that does not hold text.
    pub(super) viable: &'a [u8],
}

/// All literals of all rules.
#[derive(Debug)]
pub(super) struct Literals {
    automaton: DFA,
    start: State,
    /// The rules that each literal starts, and the literal's length.
    starts: Vec<(usize, Vec<Start>)>,
    /// Each byte folded, and [`FIRST`] if a rule without literals begins with it.
    bytes: Box<[u16; 256]>,
    /// For the state `s`, at `s >> shift`: the ends of the text that may become a literal, the longest first.
    open: Vec<Box<[Open]>>,
    shift: u32,
}

/// A rule without literals may begin with the byte.
const FIRST: u16 = 0x100;

#[derive(Clone, Copy, Debug)]
struct Open {
    length: u8,
    before: u8,
}

impl Literals {
    /// `is_first` are the bytes that rules without literals begin with.
    pub(super) fn build(triggers: &[Trigger<'_>], is_first: &[bool; 256]) -> Option<Self> {
        let mut rules: BTreeMap<&[u8], Vec<Start>> = BTreeMap::new();
        let mut prefixes: BTreeMap<&[u8], u8> = BTreeMap::new();
        for trigger in triggers {
            rules
                .entry(trigger.literal)
                .or_default()
                .push(trigger.start);
            for (length, bits) in trigger.viable.iter().enumerate().skip(1) {
                *prefixes.entry(trigger.literal.get(..length)?).or_default() |= bits;
            }
        }
        let automaton = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(rules.keys())
            .ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        let walk = |bytes: &[u8]| {
            bytes.iter().fold(start, |state, byte| {
                automaton.next_state(Anchored::No, state, *byte)
            })
        };
        let states: BTreeMap<usize, &[u8]> = rules
            .keys()
            .flat_map(|literal| (0..=literal.len()).filter_map(|length| literal.get(..length)))
            .map(|bytes| (walk(bytes).as_usize(), bytes))
            .collect();
        // Rules that all start from single bytes leave the automaton without literals: then there is one state, 0.
        let shift = states
            .keys()
            .fold(0, |bits, state| bits | state)
            .trailing_zeros()
            .min(usize::BITS - 1);
        let mut open =
            vec![Box::default(); states.keys().max().map_or(0, |last| (last >> shift) + 1)];
        for (state, bytes) in states {
            let ends = (0..bytes.len()).filter_map(|skip| bytes.get(skip..));
            let entries = ends.filter_map(|end| {
                Some(Open {
                    length: u8::try_from(end.len()).ok()?,
                    before: *prefixes.get(end)?,
                })
            });
            *open.get_mut(state >> shift)? = entries.filter(|entry| entry.before != 0).collect();
        }
        let starts = rules
            .into_iter()
            .map(|(literal, rules)| (literal.len(), rules))
            .collect();
        Some(Self {
            automaton,
            start,
            starts,
            bytes: bytes(is_first),
            open,
            shift,
        })
    }

    pub(super) const fn start(&self) -> State {
        self.start
    }

    /// Goes on in the text past the next byte with which a literal ends or a rule may begin: how many bytes that are, or nothing if there is none.
    #[inline]
    pub(super) fn skip(&self, state: &mut State, bytes: &[u8]) -> Option<usize> {
        let mut now = *state;
        let found = bytes.iter().position(|byte| {
            let (next, stops) = self.step(now, *byte);
            now = next;
            stops
        });
        *state = now;
        found.map(|place| place + 1)
    }

    /// The state after one more byte, and whether a literal ends or a rule may begin with it.
    #[inline]
    pub(super) fn step(&self, state: State, byte: u8) -> (State, bool) {
        let byte = self.bytes.get(usize::from(byte)).copied().unwrap_or(0);
        let [folded, first] = byte.to_le_bytes();
        let state = self.automaton.next_state(Anchored::No, state, folded);
        (state, self.automaton.is_special(state) || first != 0)
    }

    /// The literals that end here: their length and the rules they start.
    pub(super) fn endings(&self, state: State) -> impl Iterator<Item = (usize, &[Start])> {
        let known = if self.automaton.is_match(state) {
            self.automaton.match_len(state)
        } else {
            0
        };
        (0..known).filter_map(move |index| {
            let (length, rules) = self
                .starts
                .get(self.automaton.match_pattern(state, index).as_usize())?;
            Some((*length, rules.as_slice()))
        })
    }

    /// The length of the longest end of the text that may become a literal of a rule that holds; `before(n)` is what stands before the last `n` bytes.
    pub(super) fn open_prefix(&self, state: State, before: impl Fn(usize) -> Before) -> usize {
        let entries = self
            .open
            .get(state.as_usize() >> self.shift)
            .map(|entries| &**entries)
            .unwrap_or_default();
        let longest = entries
            .iter()
            .find(|entry| entry.before & before(usize::from(entry.length)).bit() != 0);
        longest.map_or(0, |entry| usize::from(entry.length))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.automaton.memory_usage()
            + self
                .open
                .iter()
                .map(|entries| size_of_val(&**entries) + size_of::<Box<[Open]>>())
                .sum::<usize>()
    }
}

/// Each byte folded, and whether a rule begins with it.
fn bytes(is_first: &[bool; 256]) -> Box<[u16; 256]> {
    let mut bytes = Box::new([0; 256]);
    for ((slot, byte), is_first) in bytes.iter_mut().zip(0..=255).zip(is_first) {
        *slot = u16::from(fold(byte)) | if *is_first { FIRST } else { 0 };
    }
    bytes
}
