//! Cheap tests that pass over ordinary text, many bytes at a time.

/// Bytes that are tested together: the compiler makes vectors of them.
const LANES: usize = 32;
/// These, the byte before them and the byte after them.
const WINDOW: usize = LANES + 2;

/// The first place from `from` on for which `is` holds of the byte before it, the byte, and the byte after it. `before` stands before the text,
/// `after` after it.
#[inline]
pub(super) fn find(
    text: &[u8],
    from: usize,
    (before, after): (u8, u8),
    is: impl Fn(u8, u8, u8) -> bool + Copy,
) -> Option<usize> {
    let mut place = from;
    while place < text.len() {
        let found = if let Some(window) = inner(text, place) {
            any(window, is).then(|| first(window, is))
        } else {
            let window = edge(text, place, (before, after));
            any(&window, is).then(|| first(&window, is))
        };
        if let Some(lane) = found {
            return lane
                .map(|lane| place + lane)
                .filter(|place| *place < text.len());
        }
        place += LANES;
    }
    None
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

#[inline]
fn any(window: &[u8; WINDOW], is: impl Fn(u8, u8, u8) -> bool) -> bool {
    triples(window).fold(false, |any, (before, byte, after)| {
        any | is(before, byte, after)
    })
}

fn first(window: &[u8; WINDOW], is: impl Fn(u8, u8, u8) -> bool) -> Option<usize> {
    triples(window).position(|(before, byte, after)| is(before, byte, after))
}

#[inline]
fn triples(window: &[u8; WINDOW]) -> impl Iterator<Item = (u8, u8, u8)> {
    let [befores @ .., _, _] = window;
    let [_, bytes @ .., _] = window;
    let [_, _, afters @ ..] = window;
    befores
        .iter()
        .zip(bytes)
        .zip(afters)
        .map(|((before, byte), after)| (*before, *byte, *after))
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    let plain = |from: usize| {
                        (from..text.len()).find(|place| {
                            is(
                                place.checked_sub(1).map_or(before, at),
                                at(*place),
                                at(place + 1),
                            )
                        })
                    };
                    for from in [0, 1, text.len() / 2] {
                        assert_eq!(
                            find(text.as_bytes(), from, (before, after), is),
                            plain(from),
                            "{text} {from}"
                        );
                    }
                }
            }
        }
    }
}
