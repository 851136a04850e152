//! All that changes a vault: entries set, rotated, deleted, and a new master key.

use super::cipher::{Key, MasterKey};
use super::file;
use super::record::{Bound, Envelope, Previous, Record};
use super::{Action, Error, NewEntry, Reader, Shelf, State, Vault, lock, permit};
use crate::durable;
use crate::secret::Secret;
use jiff::Timestamp;
use std::sync::{Arc, PoisonError};

/// A new secret for an entry, while the one before goes on working for a time.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// The entry.
    pub name: &'a str,
    /// Its new secret.
    pub secret: &'a Secret,
    /// Until when the one before works too.
    pub until: Timestamp,
}

/// The master key there is, and the one to come.
#[derive(Clone, Copy, Debug)]
pub struct Rekeying<'a> {
    /// What the vault was opened with.
    pub from: &'a MasterKey,
    /// What opens it from then on.
    pub to: &'a MasterKey,
}

impl Vault {
    /// Seals a secret under a name, in place of the one before. Blocks until it is on the disk. Returns its version.
    ///
    /// # Errors
    /// If the name or secret is not acceptable, or the file cannot be read or written: then nothing changed. If the change
    /// cannot be logged: then it was made.
    pub fn set(&self, new: NewEntry<'_>, by: Reader<'_>, now: Timestamp) -> Result<u64, Error> {
        let NewEntry {
            name,
            secret,
            level,
        } = new;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_word) {
            return Err(Error::InvalidName);
        }
        fit(name, secret)?;
        let version = self.update(now, |state| {
            let created = state.contents.entries.get(name).map(|old| old.created);
            let record = Record {
                version: state.contents.generation,
                level: level.name().to_owned(),
                created: created.unwrap_or(now),
                updated: now,
                sealed: self.seal(state, (name, level.name()), secret)?,
                previous: None,
            };
            Ok(state.put(name, record))
        })?;
        self.record((Action::Set, name, Some(version)), by, now, None)?;
        Ok(version)
    }

    /// Gives an entry a new secret; the one before works until a given time. Blocks until it is on the disk. Returns the
    /// new version.
    ///
    /// # Errors
    /// If there is no such entry, its present secret does not open, the new one is empty, or the file cannot be read or
    /// written: then nothing changed. If the change cannot be logged: then it was made.
    pub fn rotate(
        &self,
        rotation: Rotation<'_>,
        by: Reader<'_>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let Rotation {
            name,
            secret,
            until,
        } = rotation;
        fit(name, secret)?;
        let version = self.update(now, |state| {
            let old = state.find(name, &self.folder)?.clone();
            permit(name, &old, by.level)?;
            let opened = old.sealed.open(&state.master, old.bound(name));
            let opened = opened.ok_or_else(|| self.damaged(name))?;
            let bound = Bound {
                until: Some(until),
                ..old.bound(name)
            };
            let sealed = Envelope::seal(&state.master, opened.expose(), bound);
            state.contents.messages += 1;
            let record = Record {
                version: state.contents.generation,
                updated: now,
                sealed: self.seal(state, (name, &old.level), secret)?,
                previous: Some(Previous {
                    version: old.version,
                    until,
                    sealed: sealed.map_err(Error::io("seal an entry for", &self.folder))?,
                }),
                ..old
            };
            Ok(state.put(name, record))
        })?;
        self.record((Action::Rotate, name, Some(version)), by, now, None)?;
        Ok(version)
    }

    /// Removes an entry. Blocks until that is on the disk.
    ///
    /// # Errors
    /// If there is no such entry, or the file cannot be read or written: then nothing changed. If the change cannot be
    /// logged: then it was made.
    pub fn delete(&self, name: &str, by: Reader<'_>, now: Timestamp) -> Result<(), Error> {
        let version = self.update(now, |state| {
            let belonged = state.index.remove(name);
            let removed = state.contents.entries.remove(name);
            let version = removed.map(|record| record.version);
            let version = version.or_else(|| belonged.map(|(version, _)| version));
            version.ok_or_else(|| Error::UnknownEntry {
                name: name.to_owned(),
            })
        })?;
        self.record((Action::Delete, name, Some(version)), by, now, None)
    }

    /// Forgets secrets whose overlap is over. Blocks; cheap if there are none.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn sweep(&self, now: Timestamp) -> Result<(), Error> {
        let state = self.state.load();
        let mut entries = state.contents.entries.iter();
        if entries.any(|(name, record)| state.is_over(name, record, now)) {
            self.update(now, |_| Ok(()))?;
        }
        Ok(())
    }

    /// Puts everything under a new master key, `progress` being told how many entries of how many are done: the key of
    /// clients' credentials on the shelf, then the files. Killed between the two, it is begun again; in the last step, the
    /// next to open the vault finishes it. Running gateways keep what they know, and say that they want the new key.
    /// Blocks; the number of entries.
    ///
    /// # Errors
    /// If the vault is temporary, an entry does not open, or a file or the shelf cannot be read or written.
    pub fn rekey(
        self,
        (keys, place): (Rekeying<'_>, &(impl Shelf + ?Sized)),
        by: Reader<'_>,
        now: Timestamp,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<usize, Error> {
        if self.temporary {
            return Err(Error::Temporary);
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = lock(&self.folder)?;
        file::finish_rekey(&self.folder)?;
        let State {
            mut contents,
            index,
            master,
            ..
        } = self.current(&self.state.load().master)?;
        let failed = |source| Error::io("rekey", &self.folder)(source);
        let (salt, key) = file::make_salt(keys.to).map_err(failed)?;
        let count = contents.entries.len();
        for (done, (name, record)) in contents.entries.iter_mut().enumerate() {
            progress(done, count);
            if !record.rewrap(name, &master, &key).map_err(failed)? {
                return Err(self.damaged(name));
            }
        }
        self.pass_on((keys.from, keys.to), (&salt, &key), place)?;
        contents.clients = None;
        contents.generation += 1;
        contents.messages = 2 * count as u64 + 2;
        contents.seal_index(&key, &index).map_err(failed)?;
        let generation = contents.generation;
        file::replace_both(&self.folder, salt, contents)?;
        file::write_mark(&self.folder, &key, generation)?;
        progress(count, count);
        self.record((Action::Rekey, "*", None), by, now, None)?;
        Ok(count)
    }

    /// Changes what is on the disk now, which may be newer than what is in memory.
    pub(super) fn update<T>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.state.load();
        let (_lock, mut state) = if self.temporary {
            (None, State::clone(&known))
        } else {
            let lock = lock(&self.folder)?;
            file::finish_rekey(&self.folder)?;
            (Some(lock), self.current(&known.master)?)
        };
        state.contents.generation += 1;
        state.forget(now);
        let result = change(&mut state)?;
        let State {
            contents,
            index,
            master,
            ..
        } = &mut state;
        contents.messages += 1; // that of the mark
        let sealed = contents.seal_index(master, index);
        sealed.map_err(Error::io("seal an entry for", &self.folder))?;
        if !self.temporary {
            let path = self.folder.join("vault.json");
            contents.write(&path)?;
            file::write_mark(&self.folder, master, contents.generation)?;
            state.stamp = durable::stamp(&path).map_err(Error::io("read", &path))?;
        }
        self.state.store(Arc::new(state));
        Ok(result)
    }

    /// Seals an entry's secret as its next version.
    fn seal(
        &self,
        state: &mut State,
        (name, level): (&str, &str),
        secret: &Secret,
    ) -> Result<Envelope, Error> {
        state.contents.messages += 1;
        let bound = Bound {
            name,
            version: state.contents.generation,
            level,
            until: None,
        };
        let sealed = Envelope::seal(&state.master, secret.expose(), bound);
        sealed.map_err(Error::io("seal an entry for", &self.folder))
    }
}

impl State {
    /// Puts an entry where it belongs; its version.
    fn put(&mut self, name: &str, record: Record) -> u64 {
        let version = record.version;
        let before = record.previous.as_ref().map(|previous| previous.version);
        self.index.insert(name.to_owned(), (version, before));
        self.contents.entries.insert(name.to_owned(), record);
        version
    }

    /// Forgets secrets whose overlap is over.
    fn forget(&mut self, now: Timestamp) {
        let entries = self.contents.entries.iter();
        let over: Vec<String> = entries
            .filter(|(name, record)| self.is_over(name, record, now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            if let Some(record) = self.contents.entries.get_mut(&name) {
                record.previous = None;
                self.index.insert(name, (record.version, None));
            }
        }
    }

    /// Whether an entry's overlap is over. One that does not belong there is left as it is, to be found.
    fn is_over(&self, name: &str, record: &Record, now: Timestamp) -> bool {
        let before = record.previous.as_ref();
        before.is_some_and(|before| {
            let versions = Some((record.version, Some(before.version)));
            before.until <= now && self.index.get(name).copied() == versions
        })
    }
}

impl Record {
    /// Puts the data keys under another master key; false if one does not open.
    fn rewrap(&mut self, name: &str, from: &Key, to: &Key) -> std::io::Result<bool> {
        let Some(sealed) = self.sealed.rewrap(from, to, self.bound(name))? else {
            return Ok(false);
        };
        if let Some(before) = &self.previous {
            let bound = self.bound_before(name, before);
            let Some(sealed) = before.sealed.rewrap(from, to, bound)? else {
                return Ok(false);
            };
            let before = Previous {
                sealed,
                ..before.clone()
            };
            self.previous = Some(before);
        }
        self.sealed = sealed;
        Ok(true)
    }
}

/// Whether a secret can be sent: a header carries no more than one line of visible characters.
pub(super) fn fit(name: &str, secret: &Secret) -> Result<(), Error> {
    let problem = if secret.is_empty() {
        "is empty"
    } else if secret
        .expose()
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return Ok(());
    } else {
        "is more than one line of visible ASCII characters"
    };
    Err(Error::UnfitSecret {
        name: name.to_owned(),
        problem,
    })
}
