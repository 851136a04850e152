//! Upstream credentials at rest, sealed under a master key.
//!
//! Each entry has a data key of its own, sealed under the master key; the entry's secret is sealed under the data key. In
//! memory entries stay sealed too: a read opens one of them for the moment, in some microseconds. Several processes
//! may share the files: writers take turns by a lock file and build on what is on the disk, readers call
//! [`Vault::refresh`]. Nothing is ever overwritten because it could not be read.
//!
//! `file` has the files and their forms, `record` one entry, `change` all that writes, `client` credentials that are kept
//! elsewhere, `shelf` the key of those.

mod access;
mod change;
mod cipher;
mod client;
mod error;
mod file;
mod record;
mod shelf;
#[cfg(test)]
mod tests;

pub use access::{Access, Action, Level, UnknownLevel};
pub use change::{Rekeying, Rotation};
pub use cipher::{EmptyMasterKey, MasterKey};
pub use client::Owned;
pub use error::Error;
pub use shelf::{Shelf, ShelfError};

use crate::durable::{self, Stamp};
use crate::secret::Secret;
use access::AccessLog;
use arc_swap::ArcSwap;
use cipher::Key;
use file::{Contents, Index};
use jiff::Timestamp;
use record::Record;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// An open vault.
pub struct Vault {
    folder: PathBuf,
    /// Made without a master key: nothing is written to the disk, and entries end with the process.
    temporary: bool,
    state: ArcSwap<State>,
    /// Seals what clients bring, once it was taken up.
    clients: OnceLock<Key>,
    /// Held while entries change: what the lock file is between processes, between threads.
    writer: Mutex<()>,
    log: AccessLog,
}

#[derive(Clone)]
struct State {
    contents: Contents,
    /// What belongs in it.
    index: Index,
    /// What it is sealed under.
    master: Arc<Key>,
    stamp: Option<Stamp>,
}

/// An entry as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name: a provider, or what the configuration calls it.
    pub name: String,
    /// Grows with each write, never comes twice.
    pub version: u64,
    /// The level a reader needs.
    pub level: String,
    /// When the name was first given a secret.
    pub created: Timestamp,
    /// When it was given this one.
    pub updated: Timestamp,
    /// Until when the secret before works too.
    pub previous_until: Option<Timestamp>,
}

/// An entry to make, or to replace.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    /// 1 to 64 letters, digits, `-`, `_` or `.`.
    pub name: &'a str,
    /// The credential.
    pub secret: &'a Secret,
    /// The level a reader will need; [`Level::Elevated`] for providers' keys.
    pub level: Level,
}

/// Who asks for a secret.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// Which part of the program or which operator: for the access log.
    pub who: &'a str,
    /// How far it is trusted.
    pub level: Level,
}

impl Vault {
    /// Opens the vault in a data folder, making its files on first use; with no master key, a temporary vault. Finishes
    /// what a killed [`rekey`](Self::rekey) began. A passphrase takes tenths of a second and 64 MiB; blocks.
    ///
    /// # Errors
    /// If there are sealed entries and no master key or another one, or a file is damaged, too open, of a later format or
    /// older than the last one written.
    pub fn open(folder: &Path, master: Option<&MasterKey>) -> Result<Self, Error> {
        durable::make_folder(folder).map_err(Error::io("create", folder))?;
        let state = match master {
            Some(master) => {
                let _lock = lock(folder)?;
                file::finish_rekey(folder)?;
                State::first(folder, &Arc::new(file::unlock(folder, master)?))?
            }
            None => temporary(folder)?,
        };
        Ok(Self {
            folder: folder.to_owned(),
            temporary: master.is_none(),
            state: ArcSwap::from_pointee(state),
            clients: OnceLock::new(),
            writer: Mutex::new(()),
            log: AccessLog::new(folder),
        })
    }

    /// Whether entries end with the process, because there is no master key.
    pub fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// All entries by name, without their secrets.
    pub fn list(&self) -> Vec<Entry> {
        let state = self.state.load();
        let entry = |(name, record): (&String, &Record)| Entry {
            name: name.clone(),
            version: record.version,
            level: record.level.clone(),
            created: record.created,
            updated: record.updated,
            previous_until: record.previous.as_ref().map(|previous| previous.until),
        };
        state.contents.entries.iter().map(entry).collect()
    }

    /// Opens the secret of an entry. Memory, and a line in the access log at least once a second; never Argon2.
    ///
    /// # Errors
    /// If there is no such entry, the reader's level is too low, the entry is damaged or not the one that belongs there, or
    /// the access cannot be logged.
    pub fn read(&self, name: &str, reader: Reader<'_>, now: Timestamp) -> Result<Secret, Error> {
        let state = self.state.load();
        let opened = state.find(name, &self.folder).and_then(|record| {
            permit(name, record, reader.level)?;
            let opened = record.sealed.open(&state.master, record.bound(name));
            opened.ok_or_else(|| self.damaged(name))
        });
        let reason = opened.as_ref().err().map(Error::kind);
        let version = state.version(name);
        self.record((Action::Read, name, version), reader, now, reason)?;
        opened
    }

    /// Opens the secret that an entry had before, while it still works; `None` after that, or if there is none.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for an entry that does not exist.
    pub fn previous(
        &self,
        name: &str,
        reader: Reader<'_>,
        now: Timestamp,
    ) -> Result<Option<Secret>, Error> {
        let state = self.state.load();
        let Ok(record) = state.find(name, &self.folder) else {
            return Ok(None);
        };
        let works = record.previous.as_ref().filter(|before| now < before.until);
        let Some(before) = works else {
            return Ok(None);
        };
        let opened = permit(name, record, reader.level).and_then(|()| {
            let bound = record.bound_before(name, before);
            let opened = before.sealed.open(&state.master, bound);
            opened.ok_or_else(|| self.damaged(name))
        });
        let reason = opened.as_ref().err().map(Error::kind);
        let version = Some(before.version);
        self.record((Action::Read, name, version), reader, now, reason)?;
        opened.map(Some)
    }

    /// Whether an entry has a secret before that still works. Memory; not an access.
    pub fn is_rotating(&self, name: &str, now: Timestamp) -> bool {
        let state = self.state.load();
        let before = |record: &Record| record.previous.as_ref().map(|before| before.until);
        let until = state.contents.entries.get(name).and_then(before);
        until.is_some_and(|until| now < until)
    }

    /// Reads the entries again if another process changed them; true if so. Blocks.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged or older, or has another master key now; the entries known so far stay in
    /// force.
    pub fn refresh(&self) -> Result<bool, Error> {
        if self.temporary {
            return Ok(false);
        }
        let path = self.folder.join("vault.json");
        let stamp = durable::stamp(&path).map_err(Error::io("read", &path))?;
        if stamp == self.state.load().stamp {
            return Ok(false);
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current(&self.state.load().master)?;
        self.state.store(Arc::new(current));
        Ok(true)
    }

    /// Goes on with the master key that another process put everything under. Blocks; a passphrase takes tenths of a second.
    ///
    /// # Errors
    /// If it is not that key, or a file cannot be read, is damaged or older; the entries known so far stay in force.
    pub fn reopen(&self, master: &MasterKey) -> Result<(), Error> {
        if self.temporary {
            return Err(Error::Temporary);
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = lock(&self.folder)?;
        file::finish_rekey(&self.folder)?;
        let master = Arc::new(file::unlock(&self.folder, master)?);
        self.state.store(Arc::new(self.current(&master)?));
        Ok(())
    }

    /// Writes what the access log has only counted so far. Blocks.
    ///
    /// # Errors
    /// If it cannot be written; it stays counted.
    pub fn flush(&self) -> Result<(), Error> {
        let failed = Error::io("write", self.log.path());
        self.log.flush().map_err(failed)
    }

    /// Reads every entry, each with its line in the access log, and the secrets before that still work: at the start, to
    /// find damaged ones and to tell the log's redaction what to take out. A reader below [`Level::Admin`] may find some
    /// refused.
    pub fn check(&self, by: Reader<'_>, now: Timestamp) -> Vec<(String, Result<Secret, Error>)> {
        let state = self.state.load();
        // Those that should be there, and those that are.
        let lost = state.index.keys();
        let lost = lost.filter(|name| !state.contents.entries.contains_key(*name));
        let names = state.contents.entries.keys().chain(lost);
        let secrets = names.flat_map(|name| {
            let before = self.previous(name, by, now).transpose();
            [Some(self.read(name, by, now)), before]
                .into_iter()
                .flatten()
                .map(|secret| (name.clone(), secret))
        });
        secrets.collect()
    }

    /// What is on the disk, which must not have gone or gone back, nor been put under another master key.
    fn current(&self, master: &Arc<Key>) -> Result<State, Error> {
        let path = self.folder.join("vault.json");
        let known = self.state.load().contents.generation;
        let current = match State::read(&self.folder, master)? {
            Some(current) if current.contents.generation >= known => current,
            other => {
                let found = other.map_or(0, |state| state.contents.generation);
                return Err(Error::OlderFile { path, found, known });
            }
        };
        Ok(current)
    }

    fn damaged(&self, name: &str) -> Error {
        Error::DamagedEntry {
            name: name.to_owned(),
            path: self.folder.join("vault.json"),
        }
    }

    /// Writes a line of the access log, about an entry and its version.
    fn record(
        &self,
        (action, entry, version): (Action, &str, Option<u64>),
        by: Reader<'_>,
        time: Timestamp,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let access = Access {
            time,
            who: by.who,
            action,
            entry,
            version,
            level: by.level,
            granted: reason.is_none(),
            reason,
            times: None,
        };
        let failed = Error::io("write", self.log.path());
        self.log.record(&access).map_err(failed)
    }
}

impl State {
    /// A vault with no entry.
    fn empty(master: Arc<Key>) -> io::Result<Self> {
        Ok(Self {
            contents: Contents::empty(&master)?,
            index: Index::new(),
            master,
            stamp: None,
        })
    }

    /// The files as they are at the start, made if there are none; the caller holds the lock.
    fn first(folder: &Path, master: &Arc<Key>) -> Result<Self, Error> {
        let path = folder.join("vault.json");
        let mark = file::read_mark(folder, master)?;
        let state = match Self::read(folder, master)? {
            Some(state) => state,
            None if mark.is_none() => {
                let empty = Self::empty(Arc::clone(master));
                let empty = empty.map_err(Error::io("create", &path))?;
                empty.contents.write(&path)?;
                let stamp = durable::stamp(&path).map_err(Error::io("read", &path))?;
                Self { stamp, ..empty }
            }
            None => {
                return Err(Error::OlderFile {
                    path,
                    found: 0,
                    known: mark.unwrap_or_default(),
                });
            }
        };
        let found = state.contents.generation;
        match mark {
            Some(known) if found < known => Err(Error::OlderFile { path, found, known }),
            Some(known) if found == known => Ok(state),
            // A writer was killed between the two files.
            Some(_) | None => file::write_mark(folder, master, found).map(|()| state),
        }
    }

    fn read(folder: &Path, master: &Arc<Key>) -> Result<Option<Self>, Error> {
        let path = folder.join("vault.json");
        // The stamp first: if the file is replaced between the two, it is read once more, never once too few.
        let stamp = durable::stamp(&path).map_err(Error::io("read", &path))?;
        let Some(contents) = Contents::read(&path)? else {
            return Ok(None);
        };
        match contents.open_index(master) {
            Some(index) => Ok(Some(Self {
                contents,
                index,
                master: Arc::clone(master),
                stamp,
            })),
            None if file::is_under(folder, master)? => Err(Error::DamagedIndex { path }),
            None => Err(Error::Rekeyed { path }),
        }
    }

    /// An entry, if it is the one that belongs under this name.
    fn find(&self, name: &str, folder: &Path) -> Result<&Record, Error> {
        let (name, path) = (name.to_owned(), || folder.join("vault.json"));
        let versions = |record: &Record| {
            let before = record.previous.as_ref().map(|previous| previous.version);
            (record.version, before)
        };
        match (self.contents.entries.get(&name), self.index.get(&name)) {
            (None, None) => Err(Error::UnknownEntry { name }),
            (None, Some(_)) => Err(Error::LostEntry { name, path: path() }),
            (Some(record), Some(known)) if versions(record) == *known => Ok(record),
            (Some(_), _) => Err(Error::SwappedEntry { name, path: path() }),
        }
    }

    fn version(&self, name: &str) -> Option<u64> {
        let record = self.contents.entries.get(name);
        record.map(|record| record.version)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::error!(%error, "the vault's access log misses its end");
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.state.load().contents.entries.len();
        write!(f, "Vault({entries} entries)")
    }
}

/// The file in a folder that only a master key opens, if there is one.
///
/// # Errors
///
/// If it cannot be told.
pub fn sealed(folder: &Path) -> Result<Option<PathBuf>, Error> {
    for name in ["vault.json", "vault.rekey"] {
        let path = folder.join(name);
        let stamp = durable::stamp(&path).map_err(Error::io("read", &path))?;
        if stamp.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// A key that nobody knows, and nothing under it, unless there are entries that need another.
fn temporary(folder: &Path) -> Result<State, Error> {
    if let Some(path) = sealed(folder)? {
        return Err(Error::NoMasterKey { path });
    }
    let path = folder.join("vault.json");
    let state = Key::random().and_then(|key| State::empty(Arc::new(key)));
    state.map_err(Error::io("make a temporary key for", &path))
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("vault.lock");
    durable::lock(&path).map_err(Error::io("lock", &path))
}

fn permit(name: &str, record: &Record, held: Level) -> Result<(), Error> {
    if record.permits(held) {
        return Ok(());
    }
    Err(Error::Denied {
        name: name.to_owned(),
        required: record.level.clone(),
        held,
    })
}
