//! Keys and what may be presented for them, in memory: found by prefix and by id.
//!
//! A key and its own text are one row in one place, so that a lookup touches far memory once: what leads there, 5 bytes for
//! each, stays near. Sessions, and texts that a rotation left behind, have rows of their own that name their key.

use super::arena::{Arena, Place};
use super::row::Cells;
use ahash::RandomState;
use hashbrown::HashTable;

/// Cells of a key and, without the key's id that follows them, of a text, in the order of [`super::cells`].
pub(super) const KEY_CELLS: usize = 8;
pub(super) const TEXT_CELLS: usize = 7;
/// Room beside a key for its text: what a prefix, a hash and five nulls take.
const TEXT_ROOM: usize = 49;
/// A row's first byte: a key, and its text if it has one; or a text, and the key's id.
const KEY: u8 = 1;
const TEXT: u8 = 2;
/// Tables of an index: each grows on its own, so that nobody waits for long.
const TABLES: usize = 256;

/// The rows.
#[derive(Debug)]
pub(super) struct Rows {
    arena: Arena,
    by_prefix: Index,
    by_id: Index,
    hasher: RandomState,
    /// Whether something had no room.
    full: bool,
    /// The block that is swept next.
    sweeps: usize,
}

#[derive(Debug)]
struct Index(Vec<HashTable<Place>>);

/// A row in its parts.
#[derive(Clone, Copy)]
struct Parts<'a> {
    kind: u8,
    /// The cells of the text; none if a key has none.
    text: Cells<'a>,
    /// The cells of the key, or its id.
    key: Cells<'a>,
}

/// What tells texts apart, and what is asked of them here.
struct Text<'a> {
    prefix: &'a str,
    hash: [u8; 32],
    /// Whether it is a session's, or will end: it does not stay beside its key.
    passes: bool,
    expires: Option<i64>,
}

impl Default for Rows {
    fn default() -> Self {
        let index = || Index((0..TABLES).map(|_| HashTable::new()).collect());
        Self {
            arena: Arena::default(),
            by_prefix: index(),
            by_id: index(),
            hasher: RandomState::new(),
            full: false,
            sweeps: 0,
        }
    }
}

impl Rows {
    /// Whatever has this prefix: the cells of the text, and those of its key, if that is here.
    pub(super) fn find<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (Cells<'a>, Option<Cells<'a>>)> {
        let places = self.by_prefix.of(self.hasher.hash_one(prefix));
        let rows = places.map(|place| Parts::of(self.arena.get(place)));
        let named = rows.filter(move |row| { row.text }.text().is_ok_and(|text| text == prefix));
        named.map(|row| (row.text, self.key(row)))
    }

    /// Whether there is a key of this id.
    pub(super) fn has_key(&self, id: &str) -> bool {
        self.key_place(id).is_some()
    }

    /// Puts a key in: in the place of the one that has its id or, unless it `replaces`, only if there is none.
    pub(super) fn put_key(&mut self, key: Cells<'_>, replaces: bool) {
        let Ok(id) = { key }.text() else { return };
        let key = key.rest();
        match self.key_place(id) {
            Some(place) if replaces => {
                let text = Parts::of(self.arena.get(place)).text.take(TEXT_CELLS);
                let new = [&[KEY], key, text].concat();
                self.replace(place, &new);
            }
            Some(_) => {}
            None => {
                let hash = self.hasher.hash_one(id);
                let place = self.arena.put(&[&[KEY], key].concat(), TEXT_ROOM);
                self.enter(place, |rows, place| rows.insert_id(hash, place));
            }
        }
    }

    /// Puts a text and its key's id in: in the place of the one that has its prefix and hash or, unless it `replaces`, only if
    /// there is none.
    pub(super) fn put_text(&mut self, cells: Cells<'_>, replaces: bool) {
        let Some(text) = Text::of(cells) else { return };
        let mut key = cells;
        let own = key.take(TEXT_CELLS);
        let alone = || [&[TEXT], cells.rest()].concat();
        if let Some(place) = self.text_place(&text) {
            let row = Parts::of(self.arena.get(place));
            let new = match row.kind {
                KEY => [&[KEY], { row.key }.take(KEY_CELLS), own].concat(),
                _ => alone(),
            };
            if replaces {
                self.replace(place, &new);
            }
            return;
        }
        let hash = self.hasher.hash_one(text.prefix);
        let home = key.text().ok().and_then(|id| self.key_place(id));
        let vacant = |place: &Place| Text::of(Parts::of(self.arena.get(*place)).text).is_none();
        let place = match home.filter(|_| !text.passes).filter(vacant) {
            Some(place) => {
                let mut key = Parts::of(self.arena.get(place)).key;
                let new = [&[KEY], key.take(KEY_CELLS), own].concat();
                self.replace(place, &new)
            }
            None => self.arena.put(&alone(), 0),
        };
        self.enter(place, |rows, place| rows.insert_prefix(hash, place));
    }

    /// Forgets some of the texts that ended before this time: after some calls, all of them.
    pub(super) fn sweep(&mut self, before: i64) {
        let ended = |row: &[u8]| {
            let text = Text::of(Parts::of(row).text);
            let text = text.filter(|text| text.expires.is_some_and(|expires| expires < before));
            text.map(|text| self.hasher.hash_one(text.prefix))
        };
        let block = self.arena.block(self.sweeps);
        let ended: Vec<(Place, u64)> = block
            .filter_map(|(place, row)| Some((place, ended(row)?)))
            .collect();
        self.sweeps = self.sweeps.wrapping_add(1);
        for (place, hash) in ended {
            self.by_prefix.remove(hash, place);
            let row = Parts::of(self.arena.get(place));
            if row.kind == KEY {
                let key = [&[KEY], { row.key }.take(KEY_CELLS)].concat();
                self.arena.replace(place, &key);
            } else {
                self.arena.remove(place);
            }
        }
    }

    /// Bytes in memory; more than there can be if something had no room.
    pub(super) fn bytes(&self) -> usize {
        if self.full {
            return usize::MAX;
        }
        let tables = self.by_prefix.0.iter().chain(&self.by_id.0);
        self.arena.bytes() + tables.map(HashTable::allocation_size).sum::<usize>()
    }

    /// The key of a row.
    fn key<'a>(&'a self, row: Parts<'a>) -> Option<Cells<'a>> {
        if row.kind == KEY {
            return Some(row.key);
        }
        let place = self.key_place({ row.key }.text().ok()?)?;
        Some(Parts::of(self.arena.get(place)).key)
    }

    fn key_place(&self, id: &str) -> Option<Place> {
        let mut places = self.by_id.of(self.hasher.hash_one(id));
        places.find(|place| Parts::of(self.arena.get(*place)).key.text().ok() == Some(id))
    }

    fn text_place(&self, text: &Text<'_>) -> Option<Place> {
        let mut places = self.by_prefix.of(self.hasher.hash_one(text.prefix));
        places.find(|place| {
            let found = Text::of(Parts::of(self.arena.get(*place)).text);
            found.is_some_and(|found| (found.prefix, found.hash) == (text.prefix, text.hash))
        })
    }

    /// Puts another row in the place of one, and leads there whatever led to the old one.
    fn replace(&mut self, place: Place, row: &[u8]) -> Option<Place> {
        let old = Parts::of(self.arena.get(place));
        let id = { old.key }.text().ok().filter(|_| old.kind == KEY);
        let id = id.map(|id| self.hasher.hash_one(id));
        let prefix = { old.text }.text().ok();
        let prefix = prefix.map(|prefix| self.hasher.hash_one(prefix));
        let new = self.arena.replace(place, row);
        self.full |= new.is_none();
        if let Some(new) = new {
            if let Some(hash) = id {
                self.by_id.lead(hash, place, new);
            }
            if let Some(hash) = prefix {
                self.by_prefix.lead(hash, place, new);
            }
        }
        new
    }

    fn enter(&mut self, place: Option<Place>, insert: impl FnOnce(&mut Self, Place)) {
        match place {
            Some(place) => insert(self, place),
            None => self.full = true,
        }
    }

    fn insert_id(&mut self, hash: u64, place: Place) {
        let (arena, hasher) = (&self.arena, &self.hasher);
        self.by_id.insert(hash, place, |place| {
            let mut key = Parts::of(arena.get(*place)).key;
            hasher.hash_one(key.text().unwrap_or_default())
        });
    }

    fn insert_prefix(&mut self, hash: u64, place: Place) {
        let (arena, hasher) = (&self.arena, &self.hasher);
        self.by_prefix.insert(hash, place, |place| {
            let mut text = Parts::of(arena.get(*place)).text;
            hasher.hash_one(text.text().unwrap_or_default())
        });
    }
}

impl Index {
    fn of(&self, hash: u64) -> impl Iterator<Item = Place> {
        let table = self.0.get(table(hash));
        table
            .into_iter()
            .flat_map(move |table| table.iter_hash(hash).copied())
    }

    /// Enters a place; `rehash` says the hash of one that was entered.
    fn insert(&mut self, hash: u64, place: Place, rehash: impl Fn(&Place) -> u64) {
        if let Some(table) = self.0.get_mut(table(hash)) {
            table.insert_unique(hash, place, rehash);
        }
    }

    fn lead(&mut self, hash: u64, old: Place, new: Place) {
        let table = self.0.get_mut(table(hash));
        if let Some(place) = table.and_then(|table| table.find_mut(hash, |place| *place == old)) {
            *place = new;
        }
    }

    fn remove(&mut self, hash: u64, place: Place) {
        let table = self.0.get_mut(table(hash));
        let entry = table.and_then(|table| table.find_entry(hash, |known| *known == place).ok());
        if let Some(entry) = entry {
            entry.remove();
        }
    }
}

/// The table of a hash: by bits that the tables themselves do not go by.
fn table(hash: u64) -> usize {
    let [byte, ..] = (hash >> 40).to_le_bytes();
    usize::from(byte)
}

impl<'a> Parts<'a> {
    fn of(row: &'a [u8]) -> Self {
        let (kind, cells) = row.split_first().unwrap_or((&TEXT, &[]));
        let (first, mut second) = (Cells::new(cells), Cells::new(cells));
        if *kind == KEY {
            second.take(KEY_CELLS);
            return Self {
                kind: KEY,
                text: second,
                key: first,
            };
        }
        second.take(TEXT_CELLS);
        Self {
            kind: TEXT,
            text: first,
            key: second,
        }
    }
}

impl<'a> Text<'a> {
    /// `None` if there is none.
    fn of(mut cells: Cells<'a>) -> Option<Self> {
        let (prefix, hash) = (cells.text().ok()?, cells.bytes().ok()?);
        let mut nulls = cells;
        let named = (0..3).any(|_| nulls.optional_text().ok().flatten().is_some());
        cells.take(3);
        let expires = cells.optional_integer().ok()?;
        let passes = named || expires.is_some();
        Some(Self {
            prefix,
            hash,
            passes,
            expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::Value;
    use crate::store::row::Row;
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use std::collections::{BTreeMap, BTreeSet};

    fn key(id: &str, settings: &str) -> Row {
        let cells = [
            id.into(),
            "app".into(),
            "abcdefgh".into(),
            Value::Null,
            1.into(),
        ];
        let more = [Value::Null, settings.into(), 0.into()];
        cells.into_iter().chain(more).collect()
    }

    fn text(prefix: &str, hash: u8, session: Option<&str>, expires: Option<i64>, id: &str) -> Row {
        let cells = [prefix.into(), [hash; 32].as_slice().into(), session.into()];
        let more = [
            Value::Null,
            Value::Null,
            expires.into(),
            Value::Null,
            id.into(),
        ];
        cells.into_iter().chain(more).collect()
    }

    /// The hashes that are found under a prefix, and the settings of their keys.
    fn found(rows: &Rows, prefix: &str) -> Vec<(u8, Option<String>)> {
        let one = |(mut text, key): (Cells<'_>, Option<Cells<'_>>)| {
            text.take(1);
            let settings = |mut key: Cells<'_>| {
                key.take(6);
                key.text().unwrap().to_owned()
            };
            (text.bytes::<32>().unwrap()[0], key.map(settings))
        };
        let mut found: Vec<_> = rows.find(prefix).map(one).collect();
        found.sort();
        found
    }

    fn is(hash: u8, settings: &str) -> (u8, Option<String>) {
        (hash, Some(settings.to_owned()))
    }

    #[test]
    fn a_key_and_its_text_are_one_row_and_others_lead_to_it() {
        let mut rows = Rows::default();
        rows.put_key(key("key_1", "a").cells(), false);
        rows.put_text(text("own_____", 1, None, None, "key_1").cells(), false);
        let own = |rows: &Rows| rows.find("own_____").next().unwrap().0.rest().as_ptr();
        let (place, bytes) = (own(&rows), rows.bytes());
        assert_eq!(rows.arena.block(0).count(), 1);
        for hash in 2..50 {
            rows.put_text(
                text("session_", hash, Some("ses"), Some(9), "key_1").cells(),
                false,
            );
        }
        rows.put_text(text("former__", 50, None, Some(9), "key_1").cells(), false);
        rows.put_text(text("second__", 51, None, None, "key_1").cells(), false);
        assert_eq!(rows.arena.block(0).count(), 51);
        // It grows out of its place, and everything still leads to it.
        rows.put_key(key("key_1", &"b".repeat(500)).cells(), true);
        rows.put_key(key("key_1", "late page").cells(), false);
        assert_ne!(own(&rows), place);
        assert_eq!(found(&rows, "own_____"), [is(1, &"b".repeat(500))]);
        assert_eq!(found(&rows, "former__"), [is(50, &"b".repeat(500))]);
        assert_eq!(found(&rows, "second__"), [is(51, &"b".repeat(500))]);
        assert_eq!(found(&rows, "session_").len(), 48);
        assert!(found(&rows, "absent__").is_empty());
        assert!(rows.bytes() <= bytes + 4_096);
    }

    #[test]
    fn what_ended_is_forgotten_and_its_key_stays() {
        let mut rows = Rows::default();
        rows.put_key(key("key_1", "a").cells(), false);
        rows.put_text(text("own_____", 1, None, None, "key_1").cells(), false);
        rows.put_text(text("own_____", 1, None, Some(5), "key_1").cells(), true);
        rows.put_text(
            text("session_", 2, Some("ses"), Some(6), "key_1").cells(),
            false,
        );
        rows.sweep(5);
        assert_eq!(found(&rows, "own_____"), [is(1, "a")]);
        rows.sweep(6);
        assert!(found(&rows, "own_____").is_empty());
        assert_eq!(found(&rows, "session_"), [is(2, "a")]);
        // A new text takes the room beside the key.
        rows.put_text(text("new_____", 3, None, None, "key_1").cells(), true);
        assert_eq!(rows.arena.block(0).count(), 2);
        rows.sweep(7);
        assert_eq!(found(&rows, "new_____"), [is(3, "a")]);
        assert_eq!(rows.arena.block(0).count(), 1);
    }

    #[test]
    fn a_row_that_fits_nowhere_is_told_by_the_size() {
        let mut rows = Rows::default();
        rows.put_key(key("key_1", &"x".repeat(16 << 20)).cells(), false);
        assert_eq!(rows.bytes(), usize::MAX);
    }

    /// Whatever comes, changes and ends, on pages read late too: what is found is what maps hold.
    #[test]
    fn rows_hold_what_maps_hold() {
        let mut random = StdRng::seed_from_u64(4);
        let (mut rows, mut keys) = (Rows::default(), BTreeMap::<String, String>::new());
        let mut texts = BTreeMap::<(String, u8), (String, Option<i64>)>::new();
        for now in 0..20_000_i64 {
            let replaces = random.random();
            let (prefix, hash) = (random.random_range(0..90), random.random_range(0..4));
            // The key of a text never changes; some have several.
            let id = format!("key_{}", (prefix * 4 + usize::from(hash)) % 300);
            let prefix = format!("prefix{prefix:02}");
            match random.random_range(0..10) {
                0..3 => {
                    let settings = "s".repeat(random.random_range(0..300));
                    rows.put_key(key(&id, &settings).cells(), replaces);
                    if replaces || !keys.contains_key(&id) {
                        keys.insert(id, settings);
                    }
                }
                3..9 => {
                    let session = random.random::<bool>().then_some("ses_1");
                    let lasts = random.random_range(0..999);
                    let expires = random.random::<bool>().then_some(now + lasts);
                    let text = text(&prefix, hash, session, expires, &id);
                    rows.put_text(text.cells(), replaces);
                    let name = (prefix, hash);
                    if replaces || !texts.contains_key(&name) {
                        texts.insert(name, (id, expires));
                    }
                }
                _ => {
                    rows.sweep(now);
                    texts.retain(|_, (_, expires)| expires.is_none_or(|at| at >= now));
                }
            }
            if now % 100 == 0 {
                let prefixes: BTreeSet<&str> = texts.keys().map(|(name, _)| &**name).collect();
                for prefix in prefixes {
                    let of = texts.iter().filter(|((name, _), _)| name == prefix);
                    let expected = of.map(|((_, hash), (id, _))| (*hash, keys.get(id).cloned()));
                    assert_eq!(found(&rows, prefix), expected.collect::<Vec<_>>());
                }
            }
        }
        assert!(rows.bytes() < 3 << 20);
    }
}
