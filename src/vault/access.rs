//! Who may read an entry, and the log of who did.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
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
    /// It was given a new secret, the one before working for a time.
    Rotate,
    /// It was removed.
    Delete,
    /// Everything was put under a new master key.
    Rekey,
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
    /// How many accesses the line stands for, if more than one: so many since the line before of the same kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

/// Accesses, one JSON line each, in `vault.access.jsonl`. When that is full it becomes `vault.access.1.jsonl`, in place of
/// the one before.
///
/// A busy gateway opens one entry thousands of times a second: their lines would push all others out of the log. So of granted
/// reads by one reader, one a second is written at once, and the next line says for how many it stands.
#[derive(Debug)]
pub(super) struct AccessLog {
    path: PathBuf,
    state: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    open: Option<Open>,
    /// By entry: clients' credentials may be many.
    repeated: BTreeMap<String, Vec<Repeated>>,
}

/// Reads since the last line about them.
#[derive(Debug)]
struct Repeated {
    who: String,
    version: Option<u64>,
    level: Level,
    /// When the last line was written.
    line: Timestamp,
    /// When the entry was last read.
    last: Timestamp,
    /// Reads that no line stands for yet.
    times: u64,
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
            state: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line, or counts a read like one of the last second.
    pub(super) fn record(&self, access: &Access<'_>) -> io::Result<()> {
        let mut written = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if access.action != Action::Read || !access.granted {
            return self.write(&mut written.open, access);
        }
        let Written { open, repeated } = &mut *written;
        let reads = repeated.get_mut(access.entry);
        let read = reads.and_then(|reads| reads.iter_mut().find(|read| read.is(access)));
        let Some(read) = read else {
            // In this order: a read whose line cannot be written is refused, and so is the next one.
            self.write(open, access)?;
            let reads = repeated.entry(access.entry.to_owned()).or_default();
            reads.push(Repeated::new(access));
            return Ok(());
        };
        if access.version == read.version && !read.is_due(access.time) {
            read.times += 1;
            read.last = access.time;
            return Ok(());
        }
        if access.version != read.version {
            self.write_counted(open, access.entry, read)?;
        }
        let times = read.times + 1;
        let line = Access {
            times: (times > 1).then_some(times),
            ..access.clone()
        };
        self.write(open, &line)?;
        *read = Repeated::new(access);
        Ok(())
    }

    /// Writes what has been counted and not written.
    pub(super) fn flush(&self) -> io::Result<()> {
        let mut written = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Written { open, repeated } = &mut *written;
        for (entry, reads) in repeated.iter_mut() {
            for read in reads {
                self.write_counted(open, entry, read)?;
            }
        }
        repeated.clear();
        Ok(())
    }

    fn write_counted(
        &self,
        open: &mut Option<Open>,
        entry: &str,
        read: &mut Repeated,
    ) -> io::Result<()> {
        if read.times > 0 {
            self.write(open, &read.access(entry))?;
            read.times = 0;
        }
        Ok(())
    }

    /// Appends one line, with one write(2), which the kernel does not mix with another process's.
    fn write(&self, held: &mut Option<Open>, access: &Access<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(access)?;
        line.push(b'\n');
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

impl Repeated {
    fn new(access: &Access<'_>) -> Self {
        Self {
            who: access.who.to_owned(),
            version: access.version,
            level: access.level,
            line: access.time,
            last: access.time,
            times: 0,
        }
    }

    fn is(&self, access: &Access<'_>) -> bool {
        self.who == access.who && self.level == access.level
    }

    /// Also if the clock has been set back.
    fn is_due(&self, now: Timestamp) -> bool {
        now.as_millisecond().abs_diff(self.line.as_millisecond()) >= 1_000
    }

    fn access<'a>(&'a self, entry: &'a str) -> Access<'a> {
        Access {
            time: self.last,
            who: &self.who,
            action: Action::Read,
            entry,
            version: self.version,
            level: self.level,
            granted: true,
            reason: None,
            times: Some(self.times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entry: &str, millisecond: i64, version: u64) -> Access<'_> {
        Access {
            time: Timestamp::from_millisecond(millisecond).unwrap(),
            who: "proxy",
            action: Action::Read,
            entry,
            version: Some(version),
            level: Level::Elevated,
            granted: true,
            reason: None,
            times: None,
        }
    }

    /// Time, entry and count of each line.
    fn lines(log: &AccessLog) -> Vec<(String, String, u64)> {
        let text = fs::read_to_string(log.path()).unwrap();
        let line = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| line[name].as_str().unwrap().to_owned();
            (
                word("time"),
                word("entry"),
                line["times"].as_u64().unwrap_or(1),
            )
        };
        text.lines().map(line).collect()
    }

    fn line(time: &str, entry: &str, times: u64) -> (String, String, u64) {
        (format!("1970-01-01T00:00:{time}Z"), entry.to_owned(), times)
    }

    #[test]
    fn no_read_is_lost_by_counting() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::new(folder.path());
        for millisecond in 0..1_500 {
            log.record(&read("a", millisecond, 1)).unwrap();
        }
        log.record(&read("b", 1_500, 1)).unwrap();
        log.record(&read("a", 1_600, 2)).unwrap();
        log.record(&read("a", 1_700, 2)).unwrap();
        log.flush().unwrap();
        log.flush().unwrap();
        let expected = [
            line("00", "a", 1),
            line("01", "a", 1_000),
            line("01.5", "b", 1),
            line("01.499", "a", 499),
            line("01.6", "a", 1),
            line("01.7", "a", 1),
        ];
        assert_eq!(lines(&log), expected);
    }

    #[test]
    fn a_read_whose_line_cannot_be_written_is_an_error_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::new(&folder.path().join("missing"));
        for _ in 0..3 {
            log.record(&read("a", 0, 1)).unwrap_err();
        }
    }

    #[test]
    fn every_refusal_has_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::new(folder.path());
        for _ in 0..3 {
            let refused = Access {
                granted: false,
                reason: Some("level"),
                ..read("a", 0, 1)
            };
            log.record(&refused).unwrap();
        }
        assert_eq!(lines(&log).len(), 3);
    }
}
