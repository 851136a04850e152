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
    /// Opens the vault in a data folder, making its salt file on first use; with no master key, a temporary vault.
    /// A passphrase takes tenths of a second and 64 MiB; blocks.
    ///
    /// # Errors
    /// If there are sealed entries and no master key or another one, or a file is damaged, too open or of a later format.
    pub fn open(folder: &Path, master: Option<&MasterKey>) -> Result<Self, Error> {
        let path = folder.join("vault.json");
        durable::make_folder(folder).map_err(Error::io("create", folder))?;
        let (key, state) = if let Some(master) = master {
            (file::unlock(folder, master)?, State::read(&path)?)
        } else {
            if durable::stamp(&path)
                .map_err(Error::io("read", &path))?
                .is_some()
            {
                return Err(Error::NoMasterKey { path });
            }
            (
                Key::random().map_err(Error::io("make a temporary key for", folder))?,
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

    /// Opens the secret of an entry. Memory, and a line in the access log at least once a second; never Argon2.
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
    /// If the name or secret is not acceptable, or the file cannot be read or written: then nothing changed. If the change
    /// cannot be logged: then it was made.
    pub fn set(&self, new: NewEntry<'_>, by: Reader<'_>, now: Timestamp) -> Result<u64, Error> {
        let NewEntry { name, secret, .. } = new;
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
            let record = self.seal(new, contents, now)?;
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
    /// If there is no such entry, or the file cannot be read or written: then nothing changed. If the change cannot be
    /// logged: then it was made.
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
        let stamp = durable::stamp(&path).map_err(Error::io("read", &path))?;
        if stamp == self.state.load().stamp {
            return Ok(false);
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.state.store(Arc::new(self.current()?));
        Ok(true)
    }

    /// Writes what the access log has only counted so far. Blocks.
    ///
    /// # Errors
    /// If it cannot be written; it stays counted.
    pub fn flush(&self) -> Result<(), Error> {
        let failed = Error::io("write", self.log.path());
        self.log.flush().map_err(failed)
    }

    /// Reads every entry, each with its line in the access log: at the start, to find damaged ones and to tell the log's
    /// redaction what to take out. A reader below [`Level::Admin`] may find some refused.
    pub fn check(&self, by: Reader<'_>, now: Timestamp) -> Vec<(String, Result<Secret, Error>)> {
        let state = self.state.load();
        let names = state.contents.entries.keys();
        names
            .map(|name| (name.clone(), self.read(name, by, now)))
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
            state.stamp = durable::stamp(&path).map_err(Error::io("read", &path))?;
        }
        self.state.store(Arc::new(state));
        Ok(result)
    }

    fn lock(&self) -> Result<File, Error> {
        let path = self.folder.join("vault.lock");
        durable::lock(&path).map_err(Error::io("lock", &path))
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
        new: NewEntry<'_>,
        contents: &Contents,
        now: Timestamp,
    ) -> Result<Record, Error> {
        let NewEntry {
            name,
            secret,
            level,
        } = new;
        let failed = |source| Error::io("seal an entry for", &self.folder)(source);
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
            times: None,
        };
        let failed = Error::io("write", self.log.path());
        self.log.record(&access).map_err(failed)
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
        let stamp = durable::stamp(path).map_err(Error::io("read", path))?;
        Ok(Self {
            contents: Contents::read(path)?.unwrap_or_else(Contents::empty),
            stamp,
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    const OPERATOR: Reader<'_> = Reader {
        who: "test",
        level: Level::Admin,
    };

    fn now() -> Timestamp {
        Timestamp::from_second(1_000).unwrap()
    }

    fn master(text: &str) -> MasterKey {
        MasterKey::from_text(&Secret::new(text)).unwrap()
    }

    fn key() -> MasterKey {
        master("QNPyuU2u6POyMVWCUw5WG-Gf0Y4oGq4cOnrUYdM5Wj4=")
    }

    fn open(folder: &TempDir) -> Vault {
        Vault::open(folder.path(), Some(&key())).unwrap()
    }

    fn put(vault: &Vault, name: &str, secret: impl Into<String>) -> Result<u64, Error> {
        let entry = NewEntry {
            name,
            secret: &Secret::new(secret),
            level: Level::Elevated,
        };
        vault.set(entry, OPERATOR, now())
    }

    fn read(vault: &Vault, name: &str) -> Result<Secret, Error> {
        vault.read(name, OPERATOR, now())
    }

    /// A vault with two entries of the same length.
    fn filled() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder);
        put(&vault, "openai", "first secret").unwrap();
        put(&vault, "gemini", "other secret").unwrap();
        folder
    }

    fn edit(folder: &TempDir, change: impl FnOnce(&mut serde_json::Value)) {
        let path = folder.path().join("vault.json");
        let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(&path, serde_json::to_vec(&value).unwrap()).unwrap();
    }

    /// [vault_roundtrip-159]
    #[test]
    fn a_secret_comes_back_and_is_nowhere_on_the_disk() {
        let folder = filled();
        let vault = open(&folder);
        assert_eq!(read(&vault, "openai").unwrap().expose(), "first secret");
        assert_eq!(read(&vault, "gemini").unwrap().expose(), "other secret");
        for file in fs::read_dir(folder.path()).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            for plain in [b"first secret", b"other secret"] {
                assert!(!bytes.windows(plain.len()).any(|window| window == plain));
            }
        }
        assert!(!format!("{vault:?}").contains("secret"));
    }

    /// [vault_crypto-199]
    #[test]
    fn a_passphrase_opens_it_after_a_restart_and_another_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), Some(&master("my very secret passphrase"))).unwrap();
        put(&vault, "openai", "value").unwrap();
        drop(vault);
        let vault = Vault::open(folder.path(), Some(&master("my very secret passphrase"))).unwrap();
        assert_eq!(read(&vault, "openai").unwrap().expose(), "value");
        let other = Vault::open(folder.path(), Some(&master("my very secret Passphrase")));
        assert!(matches!(other, Err(Error::WrongKey { .. })));
    }

    #[test]
    fn both_base64_alphabets_make_the_same_key() {
        let folder = filled();
        for text in [
            "QNPyuU2u6POyMVWCUw5WG-Gf0Y4oGq4cOnrUYdM5Wj4",
            "QNPyuU2u6POyMVWCUw5WG+Gf0Y4oGq4cOnrUYdM5Wj4=\n",
        ] {
            assert!(
                Vault::open(folder.path(), Some(&master(text))).is_ok(),
                "{text}"
            );
        }
        assert_eq!(
            MasterKey::from_text(&Secret::new(" ")).unwrap_err(),
            EmptyMasterKey
        );
    }

    /// [vault_crypto-198]
    #[test]
    fn another_key_is_told_from_damage_and_changes_nothing() {
        let folder = filled();
        let before = fs::read(folder.path().join("vault.json")).unwrap();
        let other = master("2IwzE_4iO2ihAmUldD1Ck64tXxjSM9nGlCcUXNHChMs=");
        let error = Vault::open(folder.path(), Some(&other)).unwrap_err();
        assert!(matches!(error, Error::WrongKey { .. }));
        assert!(
            error.to_string().contains("SLUICEGATE_MASTER_KEY"),
            "{error}"
        );
        assert_eq!(fs::read(folder.path().join("vault.json")).unwrap(), before);
    }

    /// [vault_crypto-203]
    #[test]
    fn without_a_key_entries_end_with_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), None).unwrap();
        assert!(vault.is_temporary());
        put(&vault, "openai", "value").unwrap();
        assert_eq!(read(&vault, "openai").unwrap().expose(), "value");
        assert!(!vault.refresh().unwrap());
        assert!(Vault::open(folder.path(), None).unwrap().list().is_empty());
        assert!(!folder.path().join("vault.json").exists());
    }

    #[test]
    fn sealed_entries_are_not_passed_over_for_a_temporary_vault() {
        let folder = filled();
        let error = Vault::open(folder.path(), None).unwrap_err();
        assert!(matches!(error, Error::NoMasterKey { .. }));
    }

    /// [vault_access-160] to [vault_access-189]
    #[test]
    fn a_level_opens_its_own_and_lower_ones() {
        for (held, required) in [
            "public", "standard", "elevated", "admin", "root", "", "unknown",
        ]
        .into_iter()
        .flat_map(|held| {
            ["public", "standard", "elevated", "admin", "unknown", ""]
                .map(|required| (held, required))
        }) {
            let rank = |name: &str| {
                ["public", "standard", "elevated", "admin"]
                    .iter()
                    .position(|level| *level == name)
            };
            let expected = rank(held)
                .zip(rank(required))
                .is_some_and(|(held, required)| held >= required);
            let folder = tempfile::tempdir().unwrap();
            let vault = Vault::open(folder.path(), None).unwrap();
            vault
                .set(
                    NewEntry {
                        name: "entry",
                        secret: &Secret::new("value"),
                        level: Level::Public,
                    },
                    OPERATOR,
                    now(),
                )
                .unwrap();
            let mut record = vault.state.load().contents.entries["entry"].clone();
            record.level = required.to_owned();
            let granted = held
                .parse()
                .is_ok_and(|held| permit("entry", &record, held).is_ok());
            assert_eq!(granted, expected, "{held:?} reads {required:?}");
        }
    }

    #[test]
    fn every_read_and_refusal_is_logged() {
        let folder = filled();
        let vault = open(&folder);
        let low = Reader {
            who: "page",
            level: Level::Standard,
        };
        read(&vault, "openai").unwrap();
        assert!(matches!(
            vault.read("openai", low, now()),
            Err(Error::Denied { .. })
        ));
        assert!(matches!(
            vault.read("none", low, now()),
            Err(Error::UnknownEntry { .. })
        ));
        vault.delete("openai", OPERATOR, now()).unwrap();
        let log = fs::read_to_string(folder.path().join("vault.access.jsonl")).unwrap();
        let lines: Vec<&str> = log.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                r#"{"time":"1970-01-01T00:16:40Z","who":"test","action":"read","entry":"openai","version":1,"level":"admin","granted":true}"#,
                r#"{"time":"1970-01-01T00:16:40Z","who":"page","action":"read","entry":"openai","version":1,"level":"standard","granted":false,"reason":"denied"}"#,
                r#"{"time":"1970-01-01T00:16:40Z","who":"page","action":"read","entry":"none","version":null,"level":"standard","granted":false,"reason":"unknown entry"}"#,
                r#"{"time":"1970-01-01T00:16:40Z","who":"test","action":"delete","entry":"openai","version":1,"level":"admin","granted":true}"#,
            ]
        );
    }

    /// [vault_crypto-204], [vault_crypto-206], [vault_crypto-207]
    #[test]
    fn secrets_are_trimmed_and_never_empty() {
        let folder = filled();
        let vault = open(&folder);
        put(&vault, "openai", "  abc \n").unwrap();
        assert_eq!(read(&vault, "openai").unwrap().expose(), "abc");
        let blank = put(&vault, "openai", "   ");
        assert!(matches!(blank, Err(Error::EmptySecret { .. })));
        assert_eq!(read(&vault, "openai").unwrap().expose(), "abc");
    }

    #[test]
    fn names_are_plain_words() {
        let folder = filled();
        let vault = open(&folder);
        for name in ["", "a b", "a/b", "../x", "\u{e9}", &"a".repeat(65)] {
            let result = put(&vault, name, "value");
            assert!(matches!(result, Err(Error::InvalidName)), "{name}");
        }
        assert_eq!(vault.list().len(), 2);
    }

    #[test]
    fn versions_never_come_twice() {
        let folder = filled();
        let vault = open(&folder);
        vault.delete("openai", OPERATOR, now()).unwrap();
        let later = Timestamp::from_second(2_000).unwrap();
        let version = vault
            .set(
                NewEntry {
                    name: "openai",
                    secret: &Secret::new("new"),
                    level: Level::Elevated,
                },
                OPERATOR,
                later,
            )
            .unwrap();
        assert_eq!(version, 4);
        let entry = &vault.list()[1];
        assert_eq!(
            (entry.name.as_str(), entry.version, entry.created),
            ("openai", 4, later)
        );
    }

    /// Each way to damage an entry makes that entry unreadable, and no other.
    #[test]
    fn an_entry_that_was_tampered_with_is_named() {
        let tampers: [fn(&mut serde_json::Value); 8] = [
            |file| file["entries"]["openai"] = file["entries"]["gemini"].clone(),
            |file| {
                file["entries"]["openai"]["secret"] = file["entries"]["gemini"]["secret"].clone();
            },
            |file| file["entries"]["openai"]["key"] = file["entries"]["gemini"]["key"].clone(),
            |file| file["entries"]["openai"]["secret"] = file["entries"]["openai"]["key"].clone(),
            |file| file["entries"]["openai"]["level"] = "public".into(),
            |file| file["entries"]["openai"]["version"] = 7.into(),
            |file| file["entries"]["openai"]["secret"] = "not base64!".into(),
            |file| file["entries"]["openai"]["key"] = "".into(),
        ];
        for (index, tamper) in tampers.into_iter().enumerate() {
            let folder = filled();
            edit(&folder, tamper);
            let vault = open(&folder);
            let error = read(&vault, "openai").unwrap_err();
            assert!(
                matches!(&error, Error::DamagedEntry { name, .. } if name == "openai"),
                "{index}: {error}"
            );
            assert_eq!(
                read(&vault, "gemini").unwrap().expose(),
                "other secret",
                "{index}"
            );
            let damaged: Vec<_> = vault
                .check(OPERATOR, now())
                .into_iter()
                .filter(|(_, opened)| opened.is_err())
                .collect();
            assert_eq!(damaged.len(), 1, "{index}");
        }
    }

    #[test]
    fn an_entry_under_another_name_does_not_open() {
        let folder = filled();
        edit(&folder, |file| {
            file["entries"]["copy"] = file["entries"]["openai"].clone();
        });
        assert!(matches!(
            read(&open(&folder), "copy"),
            Err(Error::DamagedEntry { .. })
        ));
    }

    #[test]
    fn an_entry_of_an_unknown_level_is_refused() {
        let folder = filled();
        edit(&folder, |file| {
            file["entries"]["openai"]["level"] = "root".into();
        });
        assert!(matches!(
            read(&open(&folder), "openai"),
            Err(Error::Denied { .. })
        ));
    }

    #[test]
    fn a_running_vault_sees_what_others_change() {
        let folder = filled();
        let (ours, theirs) = (open(&folder), open(&folder));
        assert!(!ours.refresh().unwrap());
        put(&theirs, "new", "value").unwrap();
        assert!(matches!(
            read(&ours, "new"),
            Err(Error::UnknownEntry { .. })
        ));
        assert!(ours.refresh().unwrap());
        assert_eq!(read(&ours, "new").unwrap().expose(), "value");
        assert!(!ours.refresh().unwrap());
    }

    #[test]
    fn an_older_file_is_not_taken_for_a_change() {
        let folder = filled();
        let path = folder.path().join("vault.json");
        let old = fs::read(&path).unwrap();
        let vault = open(&folder);
        put(&vault, "openai", "newer").unwrap();
        fs::write(&path, old).unwrap();
        assert!(matches!(
            vault.refresh(),
            Err(Error::OlderFile {
                found: 2,
                known: 3,
                ..
            })
        ));
        assert_eq!(read(&vault, "openai").unwrap().expose(), "newer");
        fs::remove_file(&path).unwrap();
        assert!(matches!(
            vault.refresh(),
            Err(Error::OlderFile { found: 0, .. })
        ));
        let set = put(&vault, "x", "value");
        assert!(matches!(set, Err(Error::OlderFile { .. })));
    }

    #[test]
    fn concurrent_writers_keep_all_entries() {
        let folder = filled();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let folder = &folder;
                scope.spawn(move || {
                    let vault = open(folder);
                    for index in 0..5 {
                        let name = format!("{writer}-{index}");
                        put(&vault, &name, name.clone()).unwrap();
                    }
                });
            }
        });
        let vault = open(&folder);
        assert_eq!(vault.list().len(), 22);
        for entry in vault.list() {
            let secret = read(&vault, &entry.name).unwrap();
            assert!(secret.expose() == entry.name || secret.expose().ends_with("secret"));
        }
    }

    /// A writer killed before its rename leaves a neighbour, which nobody reads and the next writer takes.
    #[test]
    fn left_overs_of_a_killed_writer_do_no_harm() {
        let folder = filled();
        let left = folder.path().join("vault.json.new");
        fs::write(&left, "{\"for".repeat(1_000)).unwrap();
        fs::write(
            folder.path().join("vault.salt.0123456789abcdef.new"),
            "{\"for",
        )
        .unwrap();
        let vault = open(&folder);
        put(&vault, "openai", "newer").unwrap();
        assert_eq!(read(&open(&folder), "openai").unwrap().expose(), "newer");
        assert!(!left.exists());
    }
}
