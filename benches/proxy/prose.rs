//! Ordinary English to send back and forth.

/// The text of the licence of this crate: prose that is always at hand.
const LICENSE: &str = include_str!("../../LICENSE");

/// `length` bytes from a place in the text, which repeats for ever; without characters that JSON would have to escape.
pub(crate) fn text(start: usize, length: usize) -> String {
    let words = LICENSE.bytes().map(|byte| match byte {
        b'"' | b'\\' | 0..0x20 | 0x7f.. => ' ',
        byte => char::from(byte),
    });
    words
        .cycle()
        .skip(start % LICENSE.len())
        .take(length)
        .collect()
}
