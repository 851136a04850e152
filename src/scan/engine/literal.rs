//! Literals that matches begin with, and the automaton that looks for all of them at once.
//!
//! The automaton is that of Aho and Corasick (1975), as a dense table. Each of its states stands for the longest end of the text that
//! is a prefix of some literal; [`Literals::open_prefix`] tells which ends of the text may still become one, which is what a
//! stream must hold back for literals that are not complete.

use aho_corasick::{
    Anchored, MatchKind, StartKind,
    automaton::{Automaton as _, StateID},
    dfa::DFA,
};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::{BTreeMap, BTreeSet};

/// A literal in lower case (ASCII).
pub(super) type Literal = Vec<u8>;

/// The longest literal; more of a pattern is left to its automaton.
pub(super) const LITERAL_LIMIT: usize = 8;
/// A literal of this length is rare enough: it is not drawn out further over choices.
const RARE: usize = 4;
/// The most literals that one pattern is drawn out to.
const VARIANTS: usize = 256;
/// Classes of at most this many characters, apart from case, count as choices of literals.
const CHOICES: usize = 16;

/// The prefixes that every match of `hir` begins with one of. Empty if one of them is too short to be worth looking for.
pub(super) fn prefixes(hir: &Hir) -> Vec<Literal> {
    let mut all: Vec<Literal> = draw_out(hir)
        .into_iter()
        .map(|prefix| prefix.bytes)
        .collect();
    all.sort();
    all.dedup();
    // A literal that begins with another one would start the same candidate twice.
    let mut kept: Vec<Literal> = Vec::new();
    for literal in all {
        if kept
            .last()
            .is_none_or(|shorter| !literal.starts_with(shorter))
        {
            kept.push(literal);
        }
    }
    let worth = |literal: &Literal| {
        literal.len() >= 3 || literal.len() == 2 && literal.iter().all(u8::is_ascii_punctuation)
    };
    if kept.iter().all(worth) {
        kept
    } else {
        Vec::new()
    }
}

#[derive(Clone, Debug)]
struct Prefix {
    bytes: Literal,
    /// What follows in the pattern follows these bytes directly.
    whole: bool,
}

impl Prefix {
    const fn new(whole: bool) -> Self {
        Self {
            bytes: Vec::new(),
            whole,
        }
    }
}

fn draw_out(hir: &Hir) -> Vec<Prefix> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Prefix::new(true)],
        HirKind::Literal(text) => vec![cut(Prefix {
            bytes: text.0.to_ascii_lowercase(),
            whole: true,
        })],
        HirKind::Class(class) => choices(class).map_or_else(
            || vec![Prefix::new(false)],
            |choices| {
                choices
                    .into_iter()
                    .map(|bytes| Prefix { bytes, whole: true })
                    .collect()
            },
        ),
        HirKind::Capture(capture) => draw_out(&capture.sub),
        HirKind::Alternation(branches) => branches.iter().flat_map(draw_out).collect(),
        HirKind::Concat(parts) => parts.iter().fold(vec![Prefix::new(true)], |before, part| {
            if before.iter().any(|prefix| prefix.whole) {
                join(before, &draw_out(part))
            } else {
                before
            }
        }),
        HirKind::Repetition(repetition) => {
            let once = draw_out(&repetition.sub);
            let mut all = vec![Prefix::new(true)];
            if repetition.min == 0 {
                let more = repetition.max != Some(1);
                all.extend(once.into_iter().map(|prefix| Prefix {
                    whole: prefix.whole && !more,
                    ..prefix
                }));
                return all;
            }
            for _ in 0..repetition.min {
                if all.iter().all(|prefix| !prefix.whole) {
                    break;
                }
                all = join(all, &once);
            }
            if repetition.max != Some(repetition.min) {
                end_here(&mut all);
            }
            all
        }
    }
}

/// Every whole prefix of `before` continued by every one of `after`, unless that is too many or not needed.
fn join(mut before: Vec<Prefix>, after: &[Prefix]) -> Vec<Prefix> {
    let whole = before.iter().filter(|prefix| prefix.whole).count();
    let rare = before
        .iter()
        .filter(|prefix| prefix.whole)
        .all(|prefix| prefix.bytes.len() >= RARE);
    if after.len() > 1 && rare || before.len() + whole * after.len() > VARIANTS {
        end_here(&mut before);
        return before;
    }
    let mut joined = Vec::new();
    for prefix in before {
        if !prefix.whole {
            joined.push(prefix);
            continue;
        }
        joined.extend(after.iter().map(|next| {
            cut(Prefix {
                bytes: [prefix.bytes.as_slice(), &next.bytes].concat(),
                whole: next.whole,
            })
        }));
    }
    joined
}

fn end_here(prefixes: &mut [Prefix]) {
    for prefix in prefixes {
        prefix.whole = false;
    }
}

fn cut(mut prefix: Prefix) -> Prefix {
    if prefix.bytes.len() > LITERAL_LIMIT {
        prefix.bytes.truncate(LITERAL_LIMIT);
        prefix.whole = false;
    }
    prefix
}

fn choices(class: &Class) -> Option<BTreeSet<Literal>> {
    let mut all = BTreeSet::new();
    match class {
        Class::Bytes(bytes) => {
            for byte in bytes
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .take(4 * CHOICES)
            {
                all.insert(vec![byte.to_ascii_lowercase()]);
            }
        }
        Class::Unicode(characters) => {
            for character in characters
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .take(4 * CHOICES)
            {
                all.insert(character.to_ascii_lowercase().to_string().into_bytes());
            }
        }
    }
    (1..=CHOICES).contains(&all.len()).then_some(all)
}

/// What stands before a place in the text, as far as patterns can tell: the start configurations of `regex-automata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    LineFeed,
    CarriageReturn,
    Word,
    Other,
}

impl Before {
    pub(super) const ALL: [(Self, Option<u8>); 5] = [
        (Self::Nothing, None),
        (Self::LineFeed, Some(b'\n')),
        (Self::CarriageReturn, Some(b'\r')),
        (Self::Word, Some(b'a')),
        (Self::Other, Some(b' ')),
    ];

    pub(super) const fn of(byte: Option<u8>) -> Self {
        match byte {
            None => Self::Nothing,
            Some(b'\n') => Self::LineFeed,
            Some(b'\r') => Self::CarriageReturn,
            Some(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_') => Self::Word,
            Some(_) => Self::Other,
        }
    }

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A rule that a literal starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) rule: u16,
    /// The text is read with its letters moved by 13.
    pub(super) rot13: bool,
    /// The state of the rule's automaton after the literal, for each [`Before`], if it is the same in either case.
    pub(super) after: Option<[regex_automata::util::primitives::StateID; 5]>,
}

/// A literal of a rule, as the automaton's builder needs it.
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
    start: StateID,
    /// The rules that each literal starts, and the literal's length.
    starts: Vec<(usize, Vec<Start>)>,
    /// For the state `s`, at `s >> shift`: the ends of the text that may become a literal, the longest first.
    open: Vec<Box<[Open]>>,
    shift: u32,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    length: u8,
    before: u8,
}

impl Literals {
    pub(super) fn build(triggers: &[Trigger<'_>]) -> Option<Self> {
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
            .ascii_case_insensitive(true)
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
            open,
            shift,
        })
    }

    pub(super) const fn start(&self) -> StateID {
        self.start
    }

    #[inline]
    pub(super) fn step(&self, state: StateID, byte: u8) -> StateID {
        self.automaton.next_state(Anchored::No, state, byte)
    }

    /// Whether a literal ends here.
    #[inline]
    pub(super) fn is_match(&self, state: StateID) -> bool {
        self.automaton.is_special(state) && self.automaton.is_match(state)
    }

    /// The literals that end here: their length and the rules they start.
    pub(super) fn matches(&self, state: StateID) -> impl Iterator<Item = (usize, &[Start])> {
        (0..self.automaton.match_len(state)).filter_map(move |index| {
            let (length, rules) = self
                .starts
                .get(self.automaton.match_pattern(state, index).as_usize())?;
            Some((*length, rules.as_slice()))
        })
    }

    /// The length of the longest end of the text that may become a literal of a rule that holds; `before(n)` is what stands before the last `n` bytes.
    pub(super) fn open_prefix(&self, state: StateID, before: impl Fn(usize) -> Before) -> usize {
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
