//! Where digits may hold text: most runs of digits are words and numbers, and are passed over here without being decoded one by one.
//!
//! Two digits that follow each other settle, for each way to group them, what kind of byte they make. Text needs some bytes in a row that are none but text.

use super::digits::{ANYWHERE, Inside, LEAST_TEXT, RESTART, SEPARATORS, WAYS};
use super::gate;
use super::radix::{NO_DIGIT, Radix};

/// A place in a text from which a run has to be read digit by digit.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The place.
    pub place: usize,
    /// Where in the run that is.
    pub inside: Inside,
    /// There may be text; otherwise only if more digits follow, and before the place there is none.
    pub text: bool,
    /// Where the run began, if in this text.
    pub start: Option<usize>,
}

/// The first run from `from` on, after `before`, that may hold text or go on after the end; `inside` is known of one that goes on at `from`.
pub fn seek(
    (radix, thorough): (Radix, bool),
    text: &[u8],
    (mut from, before): (usize, Option<char>),
    mut inside: Option<Inside>,
) -> Option<Found> {
    // What is known of a run's start is no more than the search finds.
    inside = inside.filter(|inside| inside.count > 0);
    loop {
        let (place, start, known) = if let Some(inside) = inside.take() {
            (from, None, inside)
        } else {
            let place = find((radix, thorough), text, from, before)?;
            if text.len() - place < least_run(radix) && radix != Radix::Hex {
                return Some(Found {
                    place,
                    inside: Inside::default(),
                    text: false,
                    start: Some(place),
                });
            }
            (place, Some(place), Inside::default())
        };
        let walked = match radix {
            Radix::Base64 => walk_base64(text, place, thorough, known),
            Radix::Base32 | Radix::Hex => walk(text, place, (radix, thorough), known),
        };
        match walked {
            Ok((place, inside, text)) => {
                return Some(Found {
                    place,
                    inside,
                    text,
                    start,
                });
            }
            Err(end) => from = end,
        }
    }
}

/// The digits of the shortest text.
const fn least_run(radix: Radix) -> usize {
    (LEAST_TEXT * 8).div_ceil(radix.bits())
}

/// Whether digits in base64 at the start of a run, fewer than the shortest text has, may be the start of one in a stream.
pub fn begins_text(digits: &[u8]) -> bool {
    let mut high = false;
    let mut values = digits
        .iter()
        .filter_map(|digit| Radix::Base64.value(*digit, false));
    let Some(mut last) = values.next() else {
        return false;
    };
    // After a sign, text may begin again.
    let sign = digits
        .iter()
        .any(|digit| matches!(digit, b'+' | b'-' | b'/' | b'_'));
    for (place, value) in values.enumerate() {
        let pair = usize::from(last) << 6 | usize::from(value);
        last = value;
        let phase = place % WAYS;
        if phase == RESTART {
            continue;
        }
        let kinds = PAIRS.get(pair).copied().unwrap_or_default();
        match kinds >> (2 * phase) & 3 {
            ASCII => high = false,
            NONE => return sign,
            FOLLOWS if !high => return sign,
            _ => high = true,
        }
    }
    true
}

/// What a run is after it has been walked over: a place to read it from, where that is in the run, and whether there may be text. An error is the
/// place where it ended without any.
type Walked = Result<(usize, Inside, bool), usize>;

/// A run of few ways: long enough is all that is asked.
fn walk(text: &[u8], start: usize, (radix, thorough): (Radix, bool), at: Inside) -> Walked {
    let (mut inside, mut before) = (at, 0);
    let least = least_run(radix);
    for (place, byte) in text.iter().enumerate().skip(start) {
        let value = radix.value(*byte, thorough);
        if value.is_none() && inside.is_prefix(radix, before, *byte) {
            inside.forget_prefix();
        } else if !inside.go_on(radix, *byte, value) {
            return Err(place);
        }
        if inside.count >= least {
            return Ok((start, at, true));
        }
        before = value.unwrap_or(1);
    }
    Ok((start, at, false))
}

/// What a byte is to text.
const NONE: u8 = 0;
const ASCII: u8 = 1;
const LEAD: u8 = 2;
const FOLLOWS: u8 = 3;

const fn kind(byte: u8) -> u8 {
    match byte {
        b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0 => ASCII,
        0xc2..=0xf4 => LEAD,
        0x80..=0xbf => FOLLOWS,
        _ => NONE,
    }
}

/// By the values of two digits, the kinds of the first, second and third byte of a group that they settle, two bits each.
static PAIRS: [u8; 4096] = pairs();

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would refuse"
)]
const fn pairs() -> [u8; 4096] {
    let mut pairs = [0; 4096];
    // Twelve bits: the byte of the group begins at the first, third or fifth.
    let mut bits: u16 = 0;
    while bits < 4096 {
        let [third, _] = bits.to_le_bytes();
        let [second, _] = (bits >> 2).to_le_bytes();
        let [first, _] = (bits >> 4).to_le_bytes();
        pairs[bits as usize] = kind(first) | kind(second) << 2 | kind(third) << 4;
        bits += 1;
    }
    pairs
}

/// Bytes of text in a row, in one way to group digits.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    length: usize,
    /// Where the group is in which it begins.
    first: Digit,
    /// The last byte is no ASCII.
    high: bool,
}

/// A digit that was read.
#[derive(Clone, Copy, Debug, Default)]
struct Digit {
    number: usize,
    place: usize,
    line: usize,
}

/// The state of a walk over a run in base64.
struct Walk {
    thorough: bool,
    from: [usize; WAYS],
    streaks: [Streak; WAYS],
    recent: [Digit; WAYS],
    last: Option<u8>,
}

fn walk_base64(text: &[u8], start: usize, thorough: bool, at: Inside) -> Walked {
    let mut inside = at;
    let mut walk = Walk {
        thorough,
        from: std::array::from_fn(|number| at.from(Radix::Base64, thorough, number)),
        streaks: Default::default(),
        recent: Default::default(),
        last: None,
    };
    for (place, byte) in text.iter().enumerate().skip(start) {
        let value = Radix::Base64.value(*byte, thorough);
        let (number, line) = (inside.count, inside.line);
        if !inside.go_on(Radix::Base64, *byte, value) {
            return Err(place);
        }
        let Some(value) = value else { continue };
        let text = walk.digit(
            Digit {
                number,
                place,
                line,
            },
            value,
            at.count,
        );
        if inside.fresh
            && let Some(from) = walk.from.get_mut(inside.count % WAYS)
        {
            *from = inside.count.min(*from);
        }
        if text {
            let open = walk.streaks.iter().filter(|streak| streak.length > 0);
            let first = open
                .map(|streak| streak.first)
                .min_by_key(|first| first.number);
            return Ok(resume(first.unwrap_or_default(), true));
        }
    }
    let open = walk.open((at.count, inside.count));
    Ok(open.map_or((text.len(), inside, false), |first| resume(first, false)))
}

/// A run from the digit on.
fn resume(first: Digit, text: bool) -> (usize, Inside, bool) {
    let inside = Inside {
        count: first.number,
        line: first.line,
        gap: 0,
        fresh: first.number > 0,
    };
    (first.place, inside, text)
}

impl Walk {
    /// Reads a digit; digits before `known` have not been read. Whether there may be text.
    fn digit(&mut self, at: Digit, value: u8, known: usize) -> bool {
        if let Some(slot) = self.recent.get_mut(at.number % WAYS) {
            *slot = at;
        }
        let Some(last) = self.last.replace(value) else {
            return false;
        };
        // Near the start of a word there is mostly no way in which it may be text.
        if self.from.iter().all(|from| at.number <= *from) {
            return false;
        }
        let pair = usize::from(last) << 6 | usize::from(value);
        let kinds = PAIRS.get(pair).copied().unwrap_or_default();
        let mut text = false;
        for phase in 0..RESTART {
            let Some(first) = at
                .number
                .checked_sub(phase + 1)
                .filter(|first| *first >= known)
            else {
                break;
            };
            text |= self.byte(first, kinds >> (2 * phase) & 3);
        }
        text
    }

    /// Reads a byte of the group that begins with the digit `first`.
    fn byte(&mut self, first: usize, kind: u8) -> bool {
        let way = first % WAYS;
        let (Some(from), Some(streak), Some(place)) = (
            self.from.get_mut(way),
            self.streaks.get_mut(way),
            self.recent.get(way),
        ) else {
            return false;
        };
        if first < *from {
            return false;
        }
        if kind == NONE || kind == FOLLOWS && !streak.high {
            streak.length = 0;
            streak.high = false;
            if !self.thorough && first < ANYWHERE {
                *from = ANYWHERE;
            }
            return false;
        }
        if streak.length == 0 {
            streak.first = *place;
        }
        streak.length += 1;
        streak.high = kind != ASCII;
        streak.length >= LEAST_TEXT
    }

    /// The first digit that may be a part of text with those that follow, of `count` digits of which those from `known` on have been read.
    fn open(&self, (known, count): (usize, usize)) -> Option<Digit> {
        let streaks = self.streaks.iter().filter(|streak| streak.length > 0);
        let streaks = streaks.map(|streak| streak.first);
        let groups = (count.saturating_sub(RESTART).max(known)..count).filter(|first| {
            let from = self.from.get(first % WAYS);
            let begun = first + 1 < count;
            // Near the start, text begins with the first byte of a group or not in this way.
            from.is_some_and(|from| first >= from)
                && (self.thorough || *first >= ANYWHERE || !begun)
        });
        let groups = groups.filter_map(|first| self.recent.get(first % WAYS).copied());
        streaks.chain(groups).min_by_key(|first| first.number)
    }
}

/// The first place from `from` on, after `before`, where a run begins that is long enough to hold text, or may be if more follows.
fn find(
    (radix, thorough): (Radix, bool),
    text: &[u8],
    from: usize,
    before: Option<char>,
) -> Option<usize> {
    let least = least_run(radix);
    match radix {
        Radix::Base64 | Radix::Base32 => {
            let values = radix.values(thorough);
            gate::run(text, from, least, |_, byte| {
                values.get(usize::from(byte)) != Some(&NO_DIGIT)
            })
        }
        Radix::Hex => find_hex(text, from, before),
    }
}

/// What hexadecimal digits and all that may stand between them are made of.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would refuse"
)]
static IN_HEX: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0u8);
    while byte < 0x80 {
        table[byte as usize] = byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X');
        byte += 1;
    }
    let mut at = 0;
    while at < SEPARATORS.len() {
        table[SEPARATORS[at] as usize] = true;
        at += 1;
    }
    table
};

/// The first two digits, or `0x`, that no letter or digit stands before; or one digit, if the text ends there.
fn find_hex(text: &[u8], from: usize, before: Option<char>) -> Option<usize> {
    // Hardly any prose can hold so many digits.
    let least = least_run(Radix::Hex);
    let from = gate::run(text, from, least, |_, byte| {
        IN_HEX.get(usize::from(byte)) == Some(&true)
    })?;
    let word = before.is_some_and(|before| before.is_alphanumeric() || !before.is_ascii());
    let ends = (if word { b'a' } else { b' ' }, b'a');
    let mut pairs = gate::places(text, from, ends, |before, byte, after| {
        let prefix = byte == b'0' && after | 0x20 == b'x';
        let in_word = before.is_ascii_alphanumeric() || before >= 0x80;
        !in_word && byte.is_ascii_hexdigit() && (after.is_ascii_hexdigit() || prefix)
    });
    pairs.next()
}
