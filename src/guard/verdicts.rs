//! What was found in texts that were judged before, and what models said of them: long histories are sent again with each turn.
//!
//! A text is known by a keyed hash of 128 bits (two `SipHash-1-3`, whose keys are random per value of this type) over text, origin, form
//! and the policy's generation, so nobody outside can make two texts that pass for one. Memory is bounded: of each shard two halves
//! are kept; what was not asked for while one half filled is forgotten with the other.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, Hasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::scan::finding::Finding;
use crate::text::{Form, Origin};

/// Shorter texts are scanned faster than looked up.
const MIN_BYTES: usize = 32;
/// Texts with more findings are not kept.
const MAX_FINDINGS: usize = 8;
/// Each has a lock of its own.
const SHARDS: usize = 32;

/// Findings of whole texts, shared by all exchanges.
#[derive(Debug)]
pub struct Verdicts(Memory<Box<[Finding]>>);

/// What is known of texts, by their hashes.
#[derive(Debug)]
pub struct Memory<V> {
    hashers: [RandomState; 2],
    shards: Vec<Mutex<Shard<V>>>,
    /// Entries of half a shard.
    half: usize,
}

/// A text, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64, u64);

#[derive(Debug)]
struct Shard<V> {
    young: HashMap<Key, V>,
    old: HashMap<Key, V>,
}

impl Default for Verdicts {
    /// For 65,536 texts: 4 MB if nothing was found in them, 20 MB at most.
    fn default() -> Self {
        Self::new(1 << 16)
    }
}

impl Verdicts {
    /// For so many texts, rounded up to 64.
    pub fn new(texts: usize) -> Self {
        Self(Memory::new(texts))
    }

    /// How a text is known under the generation of a policy; `None` for one that is not worth it.
    pub(super) fn key(&self, who: (u64, Origin, Form), text: &str) -> Option<Key> {
        (text.len() >= MIN_BYTES).then(|| self.0.key(&who, text))
    }

    /// Puts what is known of a text into `findings`; `false` if it is not known.
    pub(super) fn recall(&self, key: Key, findings: &mut Vec<Finding>) -> bool {
        let known = self
            .0
            .recall(key, |known| findings.extend_from_slice(known));
        known.is_some()
    }

    /// Remembers all that was found in a text.
    pub(super) fn remember(&self, key: Key, findings: &[Finding]) {
        if findings.len() <= MAX_FINDINGS {
            self.0.remember(key, findings.into());
        }
    }
}

impl<V> Memory<V> {
    /// For so many texts, rounded up to 64.
    pub fn new(texts: usize) -> Self {
        let shard = || Shard {
            young: HashMap::new(),
            old: HashMap::new(),
        };
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            half: texts.div_ceil(SHARDS * 2).max(1),
        }
    }

    /// How a text is known, and who asks about it.
    pub fn key(&self, asks: &impl Hash, text: &str) -> Key {
        let [first, second] = self.hashers.each_ref().map(|hasher| {
            let mut hasher = hasher.build_hasher();
            asks.hash(&mut hasher);
            hasher.write(text.as_bytes());
            hasher.finish()
        });
        Key(first, second)
    }

    /// Reads what is known of a text, if anything.
    pub fn recall<R>(&self, key: Key, read: impl FnOnce(&V) -> R) -> Option<R> {
        let mut shard = self.shard(key)?;
        if let Some(known) = shard.young.get(&key) {
            return Some(read(known));
        }
        let known = shard.old.remove(&key)?;
        let read = read(&known);
        self.insert(&mut shard, key, known);
        Some(read)
    }

    /// Remembers something of a text.
    pub fn remember(&self, key: Key, known: V) {
        if let Some(mut shard) = self.shard(key) {
            self.insert(&mut shard, key, known);
        }
    }

    fn insert(&self, shard: &mut Shard<V>, key: Key, known: V) {
        if shard.young.len() >= self.half {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(key, known);
    }

    fn shard(&self, key: Key) -> Option<MutexGuard<'_, Shard<V>>> {
        let index = usize::try_from(key.0 % SHARDS as u64).ok()?;
        // A panic between two steps leaves at worst an entry less.
        let shard = self.shards.get(index)?.lock();
        Some(shard.unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::finding::RuleIndex;
    use crate::text::{Encoding, Span};

    fn finding(start: usize) -> Finding {
        Finding {
            rule: RuleIndex(1),
            span: Span::new(start, start + 1),
            continues: false,
            encoding: Encoding::None,
            probability: None,
        }
    }

    #[test]
    fn tells_texts_origins_forms_and_generations_apart() {
        let verdicts = Verdicts::new(1000);
        let text = "x".repeat(300);
        let key = |generation, origin, form, text: &str| {
            verdicts.key((generation, origin, form), text).unwrap()
        };
        let keys = [
            key(1, Origin::User, Form::Plain, &text),
            key(2, Origin::User, Form::Plain, &text),
            key(1, Origin::Tool, Form::Plain, &text),
            key(1, Origin::User, Form::Json, &text),
            key(1, Origin::User, Form::Plain, &format!("{text}y")),
        ];
        for (position, key) in keys.into_iter().enumerate() {
            let mut found = Vec::new();
            assert!(!verdicts.recall(key, &mut found));
            verdicts.remember(key, &[finding(position)]);
            assert!(verdicts.recall(key, &mut found));
            assert_eq!(found, [finding(position)]);
        }
        assert_eq!(verdicts.key((1, Origin::User, Form::Plain), "short"), None);
        let other = Verdicts::new(1000);
        let foreign = other.key((1, Origin::User, Form::Plain), &text).unwrap();
        assert_ne!(foreign, keys[0], "keys are random");
    }

    #[test]
    fn stays_small_and_keeps_what_is_asked_for() {
        let verdicts = Verdicts::new(640);
        let asked = Key(7, 7);
        verdicts.remember(asked, &[]);
        for number in 0..10_000 {
            verdicts.remember(Key(number, number), &[finding(3)]);
            assert!(verdicts.recall(asked, &mut Vec::new()), "{number}");
        }
        let kept: usize = (0..10_000)
            .filter(|number| verdicts.recall(Key(*number, *number), &mut Vec::new()))
            .count();
        assert!((300..=640).contains(&kept), "{kept}");
        verdicts.remember(Key(1, 2), &[finding(1); MAX_FINDINGS + 1]);
        assert!(!verdicts.recall(Key(1, 2), &mut Vec::new()));
    }
}
