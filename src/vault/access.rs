//! Who may read an entry, and the log of who did.

use jiff::Timestamp;
use serde::Serialize;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// How far a reader is trusted, and how far one must be to read an entry: the reader's level may not be below the entry's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Anyone.
    Public,
    /// Ordinary parts of the gateway.
    Standard,
    /// The part that sends to providers: their keys are kept at this level.
    Elevated,
    /// Operators.
    Admin,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Standard, Self::Elevated, Self::Admin];

    /// The name in files and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Standard => "standard",
            Self::Elevated => "elevated",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no level. Whoever holds it may read nothing, and what requires it may be read by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown access level: expected public, standard, elevated or admin")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == name)
            .ok_or(UnknownLevel)
    }
}

/// What was done to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Its secret was opened, or would have been.
    Read,
    /// It was made or given a new secret.
    Set,
    /// It was removed.
    Delete,
}

/// One access, granted or refused.
#[derive(Clone, Debug, Serialize)]
pub struct Access<'a> {
    /// When.
    pub time: Timestamp,
    /// Which part of the program or which operator.
    pub who: &'a str,
    /// What was done.
    pub action: Action,
    /// The entry's name.
    pub entry: &'a str,
    /// The entry's version, if there is such an entry.
    pub version: Option<u64>,
    /// What the reader holds.
    pub level: Level,
    /// Whether it was done.
    pub granted: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// Accesses, one JSON line each, in `vault.access.jsonl`. When that is full it becomes `vault.access.1.jsonl`, in place of
/// the one before.
#[derive(Debug)]
pub(super) struct AccessLog {
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes in the file, as far as this process knows.
    len: u64,
}

const MAX_BYTES: u64 = 64 * 1024 * 1024;

impl AccessLog {
    /// The file is made with the first line.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("vault.access.jsonl"),
            open: Mutex::new(None),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line, with one write(2), which the kernel does not mix with another process's.
    pub(super) fn record(&self, access: &Access<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(access)?;
        line.push(b'\n');
        let mut held = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = match held.take() {
            Some(open) if open.len < MAX_BYTES => open,
            Some(_) | None => self.open_file()?,
        };
        open.file.write_all(&line)?;
        open.len += line.len() as u64;
        *held = Some(open);
        Ok(())
    }

    fn open_file(&self) -> io::Result<Open> {
        let open = || {
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(&self.path)
        };
        let mut file = open()?;
        // Another process may have moved the full file away already: what is full is looked at under the path, not the handle.
        if file.metadata()?.size() >= MAX_BYTES {
            fs::rename(&self.path, self.path.with_file_name("vault.access.1.jsonl"))?;
            file = open()?;
        }
        let len = file.metadata()?.size();
        Ok(Open { file, len })
    }
}
