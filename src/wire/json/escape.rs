//! Escapes of JSON strings (RFC 8259 section 7): undone for scanners, redone where an edit is written.

use std::borrow::Cow;
use std::io::Write as _;

/// One step of a string: how many raw bytes it takes, and the character that an escape stands for.
enum Unit {
    Plain(usize),
    Escape(usize, char),
}

/// The text of a string's raw bytes, the quotes not included. Borrows when there is nothing to undo.
///
/// `raw` comes from a parsed document; anything that is no valid escape becomes U+FFFD.
pub fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return utf8(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while !rest.is_empty() {
        let (plain, after) = match unit(rest) {
            Unit::Plain(length) => rest.split_at_checked(length).unwrap_or((rest, &[])),
            Unit::Escape(length, character) => {
                text.push(character);
                (&[][..], rest.get(length..).unwrap_or(&[]))
            }
        };
        text.push_str(&utf8(plain));
        rest = after;
    }
    Cow::Owned(text)
}

/// Nearly always valid, which the standard library finds out much faster than where it is not.
fn utf8(raw: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed)
}

/// Where byte `decoded` of the unescaped text starts in `raw`. A byte inside an escaped character maps to the start of its
/// escape; the end of the text and beyond map to the end of `raw`. Linear in `decoded`.
pub fn raw_offset(raw: &[u8], decoded: usize) -> usize {
    let (mut from, mut text) = (0, 0);
    while let Some(rest) = raw.get(from..).filter(|rest| !rest.is_empty()) {
        let (length, width) = match unit(rest) {
            Unit::Plain(length) if decoded < text + length => return from + (decoded - text),
            Unit::Plain(length) => (length, length),
            Unit::Escape(length, character) => (length, character.len_utf8()),
        };
        if decoded < text + width {
            return from;
        }
        from += length;
        text += width;
    }
    raw.len()
}

/// Writes `text` as the inside of a JSON string.
pub fn escape_into(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                // Writing to a vector cannot fail.
                let _infallible = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
}

/// The first step of `rest`, which is not empty: everything before the next backslash, or one escape.
fn unit(rest: &[u8]) -> Unit {
    match memchr::memchr(b'\\', rest) {
        Some(0) => escape(rest),
        Some(length) => Unit::Plain(length),
        None => Unit::Plain(rest.len()),
    }
}

/// The escape that `rest` starts with, both halves of a surrogate pair as one.
fn escape(rest: &[u8]) -> Unit {
    let simple = match rest.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(rest),
        Some(other @ (b'"' | b'\\' | b'/')) => char::from(*other),
        _ => char::REPLACEMENT_CHARACTER,
    };
    Unit::Escape(rest.len().min(2), simple)
}

fn unicode(rest: &[u8]) -> Unit {
    let Some(first) = hex4(rest.get(2..6)) else {
        return Unit::Escape(rest.len().min(2), char::REPLACEMENT_CHARACTER);
    };
    if let Some(character) = char::from_u32(first) {
        return Unit::Escape(6, character);
    }
    let low = rest.get(6..8).filter(|next| *next == b"\\u");
    let pair = low
        .and_then(|_| hex4(rest.get(8..12)))
        .and_then(|second| combine(first, second));
    match pair {
        Some(character) => Unit::Escape(12, character),
        None => Unit::Escape(6, char::REPLACEMENT_CHARACTER),
    }
}

/// The value of four hexadecimal digits.
pub(super) fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    let digits = digits.filter(|digits| digits.len() == 4)?;
    digits.iter().try_fold(0, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// The character of a surrogate pair (Unicode 16, D91).
pub(super) fn combine(high: u32, low: u32) -> Option<char> {
    if !(0xD800..0xDC00).contains(&high) || !(0xDC00..0xE000).contains(&low) {
        return None;
    }
    char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
}

/// Bytes before the first quote, backslash or control character, eight at a time.
///
/// The tests for a zero byte and for a byte below n are those of Anderson, "Bit Twiddling Hacks"; a byte can be reported
/// wrongly only after one that is reported rightly, so the first is exact.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (chunks, _) = bytes.as_chunks::<8>();
    for (position, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let hit = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5C)) | control;
        if hit != 0 {
            return position * 8 + hit.trailing_zeros() as usize / 8;
        }
    }
    let tail = chunks.len() * 8;
    let rest = bytes.get(tail..).unwrap_or(&[]);
    let plain = rest
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
        .count();
    tail + plain
}
