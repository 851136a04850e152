//! Duplicate keys, which parsers resolve differently (RFC 8259 section 4), compared as readers see them: escapes undone.

use std::borrow::Cow;

use super::parse::{Open, Step, refuse};
use super::{Node, Tag, unescape};

/// Up to this many keys are compared pairwise, more are sorted.
const PAIRWISE: usize = 16;

const NO_KEY: Node = Node { head: 0, tail: 0 };

/// Whether raw string content holds the escape of U+0000: a backslash that is not itself escaped, then `u0000`.
pub(super) fn has_nul(raw: &[u8]) -> bool {
    memchr::memmem::find_iter(raw, b"\\u0000").any(|at| {
        let before = raw.get(..at).unwrap_or(&[]);
        let slashes = before
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        slashes % 2 == 0
    })
}

/// Refuses an object, whose last node is the tape's last, if two of its keys are equal.
pub(super) fn refuse_duplicates(bytes: &[u8], nodes: &[Node], open: Open) -> Step<()> {
    let keys = keys(nodes, open.node + 1);
    if open.keys as usize > PAIRWISE || open.escaped_keys {
        return sorted(bytes, keys);
    }
    let mut earlier = [NO_KEY; PAIRWISE];
    for (count, key) in keys.enumerate() {
        let name = raw(bytes, key);
        if earlier
            .iter()
            .take(count)
            .any(|one| raw(bytes, *one) == name)
        {
            return duplicate(key);
        }
        if let Some(slot) = earlier.get_mut(count) {
            *slot = key;
        }
    }
    Ok(())
}

fn sorted(bytes: &[u8], keys: impl Iterator<Item = Node>) -> Step<()> {
    let name = |key: &Node| match (raw(bytes, *key), key.tag()) {
        (raw, Tag::EscapedKey) => Cow::Owned(unescape(raw).into_owned().into_bytes()),
        (raw, _) => Cow::Borrowed(raw),
    };
    let mut keys: Vec<(Cow<'_, [u8]>, Node)> = keys.map(|key| (name(&key), key)).collect();
    keys.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.start().cmp(&b.1.start())));
    let twice = keys.windows(2).find_map(|pair| match pair {
        [(a, _), (b, later)] if a == b => Some(*later),
        _ => None,
    });
    twice.map_or(Ok(()), duplicate)
}

/// The keys of the object whose first key is at `at`.
fn keys(nodes: &[Node], mut at: u32) -> impl Iterator<Item = Node> {
    std::iter::from_fn(move || {
        let key = *nodes.get(at as usize)?;
        at = nodes.get(at as usize + 1)?.next(at + 1);
        Some(key)
    })
}

fn raw(bytes: &[u8], key: Node) -> &[u8] {
    bytes.get(key.start()..key.tail as usize).unwrap_or(&[])
}

fn duplicate(later: Node) -> Step<()> {
    refuse(
        later.start().saturating_sub(1),
        "the same key a second time in one object",
        "each key once",
    )
}
