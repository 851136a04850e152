//! Upstream credentials at rest, sealed under a master key.
//!
//! Each entry has a data key of its own, sealed under the master key; the entry's secret is sealed under the data key. In
//! memory entries stay sealed too: a read opens one of them for the moment, in about two microseconds. Several processes
//! may share the files: writers take turns by a lock file and build on what is on the disk, readers call
//! [`Vault::refresh`]. Nothing is ever overwritten because it could not be read.

mod access;
mod cipher;
mod error;
mod file;

pub use access::{Access, Action, Level, UnknownLevel};
pub use cipher::{EmptyMasterKey, MasterKey};
pub use error::Error;

use crate::durable::{self, Stamp};
use crate::secret::Secret;
use access::AccessLog;
use arc_swap::ArcSwap;
use cipher::Key;
use file::{Contents, FORMAT, Record};
use jiff::Timestamp;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// An open vault.
pub struct Vault {
    folder: PathBuf,
    master: Key,
    /// Made without a master key: nothing is written to the disk, and entries end with the process.
    temporary: bool,
    state: ArcSwap<State>,
    /// Held while entries change: what the lock file is between processes, between threads.
    writer: Mutex<()>,
    log: AccessLog,
}

struct State {
    contents: Contents,
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
    /// Opens the vault in a data folder, making its salt file on first use; with no master key, a temporary vault.
    /// A passphrase takes tenths of a second and 64 MiB; blocks.
    ///
    /// # Errors
    /// If there are sealed entries and no master key or another one, or a file is damaged, too open or of a later format.
    pub fn open(folder: &Path, master: Option<&MasterKey>) -> Result<Self, Error> {
        let path = folder.join("vault.json");
        let io = |doing| {
            move |source| Error::Io {
                doing,
                path: folder.to_owned(),
                source,
            }
        };
        durable::make_folder(folder).map_err(io("create"))?;
        let (key, state) = if let Some(master) = master {
            (file::unlock(folder, master)?, State::read(&path)?)
        } else {
            if durable::stamp(&path).map_err(io("read"))?.is_some() {
                return Err(Error::NoMasterKey { path });
            }
            (
                Key::random().map_err(io("make a temporary key for"))?,
                State::empty(),
            )
        };
        Ok(Self {
            folder: folder.to_owned(),
            master: key,
            temporary: master.is_none(),
            state: ArcSwap::from_pointee(state),
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
        };
        state.contents.entries.iter().map(entry).collect()
    }

    /// Opens the secret of an entry. Memory and one line in the access log; never Argon2.
    ///
    /// # Errors
    /// If there is no such entry, the reader's level is too low, the entry is damaged, or the access cannot be logged.
    pub fn read(&self, name: &str, reader: Reader<'_>, now: Timestamp) -> Result<Secret, Error> {
        let state = self.state.load();
        let found = state.contents.entries.get(name);
        let secret = found
            .ok_or_else(|| Error::UnknownEntry {
                name: name.to_owned(),
            })
            .and_then(|record| {
                permit(name, record, reader.level).and_then(|()| self.unseal(name, record))
            });
        let reason = secret.as_ref().err().map(Error::kind);
        let version = found.map(|record| record.version);
        self.record(Action::Read, name, reader, now, version, reason)?;
        secret
    }

    /// Seals a secret under a name, in place of the one before. Blocks until it is on the disk. Returns its version.
    ///
    /// # Errors
    /// If the name or secret is not acceptable, or the file cannot be read or written; then nothing changed.
    pub fn set(
        &self,
        name: &str,
        secret: &Secret,
        level: Level,
        by: Reader<'_>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_word) {
            return Err(Error::InvalidName);
        }
        if secret.is_empty() {
            return Err(Error::EmptySecret {
                name: name.to_owned(),
            });
        }
        let version = self.update(|contents| {
            let record = self.seal(name, secret, level, contents, now)?;
            let version = record.version;
            contents.entries.insert(name.to_owned(), record);
            Ok(version)
        })?;
        self.record(Action::Set, name, by, now, Some(version), None)?;
        Ok(version)
    }

    /// Removes an entry. Blocks until that is on the disk.
    ///
    /// # Errors
    /// If there is no such entry, or the file cannot be read or written; then nothing changed.
    pub fn delete(&self, name: &str, by: Reader<'_>, now: Timestamp) -> Result<(), Error> {
        let removed = self.update(|contents| {
            let removed = contents.entries.remove(name);
            removed.ok_or_else(|| Error::UnknownEntry {
                name: name.to_owned(),
            })
        })?;
        self.record(Action::Delete, name, by, now, Some(removed.version), None)
    }

    /// Reads the entries again if another process changed them; true if so. Blocks.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged; the entries known so far stay in force.
    pub fn refresh(&self) -> Result<bool, Error> {
        if self.temporary {
            return Ok(false);
        }
        let path = self.folder.join("vault.json");
        let stamp = durable::stamp(&path).map_err(|source| Error::Io {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        if stamp == self.state.load().stamp {
            return Ok(false);
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.state.store(Arc::new(self.current()?));
        Ok(true)
    }

    /// Opens every entry, whatever its level, for the log's redaction and to find damaged ones. The secrets are for
    /// recognising, not for use.
    pub fn check(&self) -> Vec<(String, Result<Secret, Error>)> {
        let state = self.state.load();
        let entries = state.contents.entries.iter();
        entries
            .map(|(name, record)| (name.clone(), self.unseal(name, record)))
            .collect()
    }

    /// Changes what is on the disk now, which may be newer than what is in memory.
    fn update<T>(
        &self,
        change: impl FnOnce(&mut Contents) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (_lock, mut state) = if self.temporary {
            (
                None,
                State {
                    contents: self.state.load().contents.clone(),
                    stamp: None,
                },
            )
        } else {
            (Some(self.lock()?), self.current()?)
        };
        state.contents.generation += 1;
        let result = change(&mut state.contents)?;
        if !self.temporary {
            let path = self.folder.join("vault.json");
            state.contents.write(&path)?;
            state.stamp = durable::stamp(&path).map_err(|source| Error::Io {
                doing: "read",
                path,
                source,
            })?;
        }
        self.state.store(Arc::new(state));
        Ok(result)
    }

    fn lock(&self) -> Result<File, Error> {
        let path = self.folder.join("vault.lock");
        durable::lock(&path).map_err(|source| Error::Io {
            doing: "lock",
            path,
            source,
        })
    }

    /// What is on the disk, which must not have gone or gone back.
    fn current(&self) -> Result<State, Error> {
        let path = self.folder.join("vault.json");
        let current = State::read(&path)?;
        let known = self.state.load().contents.generation;
        if current.contents.generation < known {
            return Err(Error::OlderFile {
                path,
                found: current.contents.generation,
                known,
            });
        }
        Ok(current)
    }

    fn seal(
        &self,
        name: &str,
        secret: &Secret,
        level: Level,
        contents: &Contents,
        now: Timestamp,
    ) -> Result<Record, Error> {
        let failed = |source| Error::Io {
            doing: "seal an entry for",
            path: self.folder.clone(),
            source,
        };
        let version = contents.generation;
        let key = Key::random().map_err(failed)?;
        let bound = |what| associated(what, name, version, level.name());
        Ok(Record {
            version,
            level: level.name().to_owned(),
            created: contents.entries.get(name).map_or(now, |old| old.created),
            updated: now,
            key: key.wrap(&self.master, &bound("key")).map_err(failed)?,
            secret: key
                .seal(secret.expose().as_bytes(), &bound("secret"))
                .map_err(failed)?,
        })
    }

    fn unseal(&self, name: &str, record: &Record) -> Result<Secret, Error> {
        let bound = |what| associated(what, name, record.version, &record.level);
        self.master
            .unwrap(&record.key, &bound("key"))
            .and_then(|key| key.open(&record.secret, &bound("secret")))
            .and_then(|bytes| Some(Secret::new(std::str::from_utf8(&bytes).ok()?)))
            .ok_or_else(|| Error::DamagedEntry {
                name: name.to_owned(),
                path: self.folder.join("vault.json"),
            })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one line of the log, from the only place that writes it"
    )]
    fn record(
        &self,
        action: Action,
        entry: &str,
        by: Reader<'_>,
        time: Timestamp,
        version: Option<u64>,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let (who, level) = (by.who, by.level);
        let access = Access {
            time,
            who,
            action,
            entry,
            version,
            level,
            granted: reason.is_none(),
            reason,
        };
        let path = self.log.path();
        self.log.record(&access).map_err(|source| Error::Io {
            doing: "write",
            path: path.to_owned(),
            source,
        })
    }
}

impl State {
    fn empty() -> Self {
        Self {
            contents: Contents::empty(),
            stamp: None,
        }
    }

    fn read(path: &Path) -> Result<Self, Error> {
        // The stamp first: if the file is replaced between the two, it is read once more, never once too few.
        let stamp = durable::stamp(path).map_err(|source| Error::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            contents: Contents::read(path)?.unwrap_or_else(Contents::empty),
            stamp,
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Vault({} entries)",
            self.state.load().contents.entries.len()
        )
    }
}

/// Whether a level may open an entry; an entry of an unknown level may be opened by nobody.
fn permit(name: &str, record: &Record, held: Level) -> Result<(), Error> {
    match record.level.parse::<Level>() {
        Ok(required) if held >= required => Ok(()),
        Ok(_) | Err(UnknownLevel) => Err(Error::Denied {
            name: name.to_owned(),
            required: record.level.clone(),
            held,
        }),
    }
}

/// What a sealed part is bound to: moved to another entry, version, level, format or field, it does not open.
fn associated(what: &str, name: &str, version: u64, level: &str) -> Vec<u8> {
    cipher::join(&[
        what.as_bytes(),
        &FORMAT.to_be_bytes(),
        name.as_bytes(),
        &version.to_be_bytes(),
        level.as_bytes(),
    ])
}
