//! Cheap tests that pass over ordinary text, many bytes at a time.

/// Bytes that are tested together: the compiler makes vectors of them.
const LANES: usize = 32;
/// These, the byte before them and the byte after them.
const WINDOW: usize = LANES + 2;

/// The places from `from` on for which `is` holds of the byte before it, the byte, and the byte after it. `before` stands before the text,
/// `after` after it.
#[inline]
pub(super) fn places(
    text: &[u8],
    from: usize,
    (before, after): (u8, u8),
    is: impl Fn(u8, u8, u8) -> bool + Copy,
) -> impl Iterator<Item = usize> {
    // The window under test, a bit for each byte of it that is left.
    let (mut start, mut end, mut bits) = (from, from, 0u32);
    std::iter::from_fn(move || {
        while bits == 0 {
            start = end;
            if start >= text.len() {
                return None;
            }
            end += LANES;
            bits = match inner(text, start) {
                Some(window) => tested(window, is),
                None => tested(&edge(text, start, (before, after)), is),
            };
        }
        let place = start + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        (place < text.len()).then_some(place)
    })
}

/// The start of the first run of at least `least` bytes from `from` on for which `is` holds, which is told the place, too, or of one that goes up
/// to the end of the text.
///
/// A run covers the place that is `least` after where it may begin at the earliest, so most bytes of ordinary text are never looked at
/// (Boyer and Moore 1977).
#[inline]
pub(super) fn run(
    text: &[u8],
    mut from: usize,
    least: usize,
    is: impl Fn(usize, u8) -> bool,
) -> Option<usize> {
    while let Some(ahead) = text.get(from..).filter(|ahead| !ahead.is_empty()) {
        let ahead = ahead.get(..least).unwrap_or(ahead);
        let mut bytes = ahead.iter().enumerate().rev();
        let Some((other, _)) = bytes.find(|(place, byte)| !is(from + place, **byte)) else {
            return Some(from);
        };
        from += other + 1;
    }
    None
}

/// The places from `from` on of letters and digits that stand next to no other one; none before a stretch of at least `least` bytes, or up to
/// the end, in which no two stand together. `in_word` tells whether one stands before the text.
#[inline]
pub(super) fn alone(
    text: &[u8],
    from: usize,
    least: usize,
    in_word: bool,
) -> impl Iterator<Item = usize> {
    let is = |place: usize| text.get(place).is_some_and(u8::is_ascii_alphanumeric);
    let joined = move |place: usize| is(place) && place.checked_sub(1).map_or(in_word, is);
    let from = run(text, from, least, |place, _| !joined(place));
    let places = from.unwrap_or(text.len())..text.len();
    places.filter(move |place| is(*place) && !joined(*place) && !joined(place + 1))
}

/// A bit for each byte of the window for which `is` holds, the first one lowest.
#[inline]
fn tested(window: &[u8; WINDOW], is: impl Fn(u8, u8, u8) -> bool) -> u32 {
    /// Puts the lowest bits of eight bytes side by side, in the highest byte of the product.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let [befores @ .., _, _] = window;
    let [_, bytes @ .., _] = window;
    let [_, _, afters @ ..] = window;
    let mut lanes = [0u8; LANES];
    let triples = befores.iter().zip(bytes).zip(afters);
    for (lane, ((before, byte), after)) in lanes.iter_mut().zip(triples) {
        *lane = u8::from(is(*before, *byte, *after));
    }
    let (eights, _) = lanes.as_chunks::<8>();
    eights.iter().rev().fold(0, |bits, eight| {
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
        bits << 8 | gathered as u32
    })
}

/// The window of the bytes from `place` on, if it is in the text.
fn inner(text: &[u8], place: usize) -> Option<&[u8; WINDOW]> {
    text.get(place.checked_sub(1)?..)?.first_chunk()
}

/// The window of the bytes from `place` on at an end of the text; what goes beyond is `after`.
fn edge(text: &[u8], place: usize, (before, after): (u8, u8)) -> [u8; WINDOW] {
    let mut window = [b' '; WINDOW];
    let last = place.checked_sub(1).and_then(|last| text.get(last));
    let [first, bytes @ ..] = &mut window;
    *first = *last.unwrap_or(&before);
    let rest = text.get(place..).unwrap_or_default();
    let length = rest.len().min(bytes.len());
    if let (Some(bytes), Some(rest)) = (bytes.get_mut(..length), rest.get(..length)) {
        bytes.copy_from_slice(rest);
    }
    if let Some(end) = bytes.get_mut(length) {
        *end = after;
    }
    window
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_runs_wherever_they_begin() {
        for before in 0..70 {
            for length in [1, 9, 10, 11, 12, 31, 32, 33, 40] {
                for after in [0, 1, 5, 31, 32, 40] {
                    let text = [
                        ".x".repeat(before / 2),
                        ".".repeat(before % 2),
                        "x".repeat(length),
                        ".x".repeat(after),
                    ]
                    .concat();
                    let bytes = text.as_bytes();
                    let runs = |from: usize| {
                        let begins = |at: &usize| *at == from || bytes.get(at - 1) != Some(&b'x');
                        let mut places = (from..bytes.len()).filter(begins);
                        places.find(|at| {
                            let rest = bytes.get(*at..).unwrap_or_default();
                            let run = rest.iter().take_while(|byte| **byte == b'x').count();
                            run >= 11 || run > 0 && run == rest.len()
                        })
                    };
                    for from in [0, 1, before] {
                        let found = run(bytes, from, 11, |_, byte| byte == b'x');
                        assert_eq!(found, runs(from), "{text} {from}");
                    }
                }
            }
        }
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        let is =
            |before: u8, byte: u8, after: u8| byte == b'x' && (before == b'<' || after == b'>');
        let base = ["..x.<x..".repeat(9), "x".to_owned(), ".x.<".repeat(12)].concat();
        for start in 0..base.len() {
            for end in start..=base.len() {
                let text = base.get(start..end).unwrap();
                for (before, after) in [(b'<', b'.'), (b'.', b'>')] {
                    let at = |place: usize| text.as_bytes().get(place).copied().unwrap_or(after);
                    let plain = |place: &usize| {
                        let before = place.checked_sub(1).map_or(before, at);
                        is(before, at(*place), at(place + 1))
                    };
                    for from in [0, 1, text.len() / 2] {
                        let found = places(text.as_bytes(), from, (before, after), is);
                        let plain = (from..text.len()).filter(plain);
                        assert!(found.eq(plain), "{text} {from}");
                    }
                }
            }
        }
    }
}
