//! Literals that matches begin with, drawn out of patterns.

use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeSet;

/// A literal of folded bytes.
pub(super) type Literal = Vec<u8>;

/// Bytes that literals do not tell apart: letters of either case, blanks, digits. So a pattern is drawn out to few literals, and long ones; its
/// automaton tells them apart.
pub(super) const fn fold(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte | 0x20,
        b'\t'..=b'\r' => b' ',
        b'0'..=b'9' => b'0',
        _ => byte,
    }
}

/// The bytes that fold to this one.
pub(super) fn unfold(folded: u8) -> impl Iterator<Item = u8> {
    let (upper, others) = match folded {
        b'a'..=b'z' => (Some(folded.to_ascii_uppercase()), 0..0),
        b' ' => (None, b'\t'..b'\r' + 1),
        b'0' => (None, b'1'..b'9' + 1),
        _ => (None, 0..0),
    };
    [folded].into_iter().chain(upper).chain(others)
}

/// The longest literal; more of a pattern is left to its automaton.
pub(super) const LITERAL_LIMIT: usize = 8;
/// A literal of this length is rare enough: it is not drawn out further over choices.
const RARE: usize = 4;
/// The most literals that one pattern is drawn out to.
const VARIANTS: usize = 256;
/// Classes of at most this many folded characters count as choices of literals.
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
            bytes: text.0.iter().map(|byte| fold(*byte)).collect(),
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
                all.insert(vec![fold(byte)]);
            }
        }
        Class::Unicode(characters) => {
            for character in characters
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .take(4 * CHOICES)
            {
                let mut bytes = character.to_string().into_bytes();
                for byte in &mut bytes {
                    *byte = fold(*byte);
                }
                all.insert(bytes);
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
