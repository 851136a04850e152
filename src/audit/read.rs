//! Reading a log: its last records, new ones as they come, and whether it is whole.

use super::chain::{Break, Link, parse_hash};
use super::error::{Broken, Error};
use crate::durable;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where a log's files are.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn file_path(&self, number: u32) -> PathBuf {
        self.path.join(format!("audit-{number:06}.jsonl"))
    }

    pub(super) fn head_path(&self) -> PathBuf {
        self.path.join("audit.head")
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.path.join("audit.lock")
    }

    /// The numbers of all files, from 1, none missing.
    pub(super) fn numbers(&self) -> Result<Vec<u32>, Error> {
        let failed = |source| Error::Io {
            doing: "list",
            path: self.path.clone(),
            source,
        };
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number: Option<u32> = name.to_str().and_then(|name| {
                name.strip_prefix("audit-")?
                    .strip_suffix(".jsonl")?
                    .parse()
                    .ok()
            });
            numbers.extend(number);
        }
        numbers.sort_unstable();
        for (number, expected) in numbers.iter().zip(1..) {
            if *number != expected {
                return Err(Broken::MissingFile {
                    path: self.file_path(expected),
                }
                .into());
            }
        }
        Ok(numbers)
    }

    /// Hands on the whole lines of a file from an offset on; says where they end.
    fn read_lines(
        &self,
        number: u32,
        offset: u64,
        mut take: impl FnMut(String),
    ) -> Result<u64, Error> {
        let path = self.file_path(number);
        let failed = |source| Error::Io {
            doing: "read",
            path: path.clone(),
            source,
        };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // A log that has not begun.
            Err(error) if error.kind() == io::ErrorKind::NotFound && number == 1 => return Ok(0),
            Err(error) => return Err(failed(error)),
        };
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut reader = BufReader::new(file);
        let (mut end, mut line) = (offset, Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(failed)?;
            let Some(record) = line.strip_suffix(b"\n") else {
                return Ok(end);
            };
            take(String::from_utf8_lossy(record).into_owned());
            end += read as u64;
        }
    }
}

/// The head file: number and hash of a record known to be on the disk, so that a cut end shows. 128 bytes in one sector,
/// overwritten in place.
pub(super) struct Head;

impl Head {
    pub(super) const BYTES: usize = 128;

    pub(super) fn text(end: &Link) -> [u8; Self::BYTES] {
        let text = format!(r#"{{"seq":{},"hash":"{}"}}"#, end.seq, end.hash_text());
        let mut bytes = [b' '; Self::BYTES];
        for (to, from) in bytes.iter_mut().zip(text.bytes().chain([b'\n'])) {
            *to = from;
        }
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Link> {
        let text = std::str::from_utf8(bytes).ok()?.trim_end();
        let (seq, hash) = text
            .strip_prefix(r#"{"seq":"#)?
            .strip_suffix(r#""}"#)?
            .split_once(r#","hash":""#)?;
        Some(Link {
            seq: seq.parse().ok()?,
            hash: parse_hash(hash.as_bytes())?,
        })
    }

    pub(super) fn read(path: &Path) -> Result<Link, Error> {
        let bytes = durable::read(path, 4_096).map_err(|source| Error::Io {
            doing: "read the head of",
            path: path.to_owned(),
            source,
        })?;
        let head = bytes.and_then(|bytes| Self::parse(&bytes));
        head.ok_or_else(|| {
            Broken::NoHead {
                path: path.to_owned(),
            }
            .into()
        })
    }
}

/// The end of a file.
pub(super) struct End {
    /// Its last whole line, without line end.
    pub(super) line: Option<Vec<u8>>,
    /// Bytes up to the end of that line.
    pub(super) whole: u64,
    /// Bytes in all.
    pub(super) len: u64,
}

/// Finds the last whole line, reading backwards.
pub(super) fn last_line(file: &File) -> io::Result<End> {
    let len = file.metadata()?.len();
    let mut tail = Vec::new();
    let mut start = len;
    loop {
        let mut ends = tail
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at);
        let (last, before) = (ends.next(), ends.next());
        if let (Some(last), true) = (last, before.is_some() || start == 0) {
            let from = before.map_or(0, |at| at + 1);
            let line = tail.get(from..last).unwrap_or_default().to_vec();
            return Ok(End {
                line: Some(line),
                whole: start + last as u64 + 1,
                len,
            });
        }
        if start == 0 {
            return Ok(End {
                line: None,
                whole: 0,
                len,
            });
        }
        let size = start.min(64 * 1024);
        start -= size;
        let mut block = vec![0; usize::try_from(size).unwrap_or_default()];
        file.read_exact_at(&mut block, start)?;
        block.append(&mut tail);
        tail = block;
    }
}

/// The last `count` records, oldest first, and a follower for those to come.
///
/// # Errors
/// If the log cannot be read or a file is missing.
pub fn tail(folder: &Path, count: usize) -> Result<(Vec<String>, Follower), Error> {
    let folder = Folder::new(folder);
    let numbers = folder.numbers()?;
    let mut follower = Follower {
        folder,
        number: numbers.last().copied().unwrap_or(1),
        offset: 0,
    };
    let mut found = VecDeque::new();
    for number in numbers.into_iter().rev() {
        let mut lines = VecDeque::new();
        let end = follower.folder.read_lines(number, 0, |line| {
            lines.push_back(line);
            if lines.len() > count {
                lines.pop_front();
            }
        })?;
        if number == follower.number {
            follower.offset = end;
        }
        for line in lines.into_iter().rev().take(count - found.len()) {
            found.push_front(line);
        }
        if found.len() == count {
            break;
        }
    }
    Ok((found.into(), follower))
}

/// Reads records as they are appended.
#[derive(Debug)]
pub struct Follower {
    folder: Folder,
    number: u32,
    offset: u64,
}

impl Follower {
    /// The records since the last call, in order; empty if there are none. To be called now and then.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn poll(&mut self) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        loop {
            // Asked before reading: a file has all its lines once the next one exists.
            let is_finished = self.folder.file_path(self.number + 1).exists();
            self.offset = self
                .folder
                .read_lines(self.number, self.offset, |line| lines.push(line))?;
            if !is_finished {
                return Ok(lines);
            }
            self.number += 1;
            self.offset = 0;
        }
    }
}

/// How far [`verify`] has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes to read.
    pub total_bytes: u64,
}

/// A log that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Number of records.
    pub records: u64,
    /// Number of files.
    pub files: usize,
    /// How many of the last records the head file does not yet vouch for: at most those of the last 100 ms before a kill.
    pub beyond_head: u64,
    /// Bytes of an unfinished last line, whose writer was killed; its exchange had not ended. The next writer mends that.
    pub torn_bytes: u64,
}

/// Reads the whole log and checks every link, as of the moment of the call: writers may go on.
///
/// # Errors
/// [`Error::Broken`] with the first thing that is wrong, or that the log cannot be read.
pub fn verify(folder: &Path, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let folder = Folder::new(folder);
    let (files, head) = snapshot(&folder)?;
    let total_bytes = files.iter().map(|(_, len)| len).sum();
    let (mut bytes, mut end, mut at_head) = (0, Link::START, Link::START);
    let mut torn_bytes = 0;
    for (path, len) in &files {
        let failed = |source| Error::Io {
            doing: "read",
            path: path.clone(),
            source,
        };
        let mut reader = BufReader::new(File::open(path).map_err(failed)?.take(*len));
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(failed)? as u64;
            if read == 0 {
                break;
            }
            bytes += read;
            progress(Progress { bytes, total_bytes });
            let broken = |problem| Broken::Line {
                path: path.clone(),
                line: number,
                problem,
            };
            match line.strip_suffix(b"\n") {
                Some(record) => end = end.check(record).map_err(broken)?,
                None if bytes == total_bytes => torn_bytes = read,
                None => return Err(broken(Break::Unreadable).into()),
            }
            if end.seq == head.seq {
                at_head = end;
            }
        }
    }
    let path = folder.head_path();
    match at_head.seq.cmp(&head.seq) {
        Ordering::Less => {
            let path = folder.file_path(u32::try_from(files.len().max(1)).unwrap_or(u32::MAX));
            Err(Broken::CutEnd {
                path,
                found: end.seq,
                expected: head.seq,
            }
            .into())
        }
        _ if at_head.hash != head.hash => Err(Broken::Rewritten {
            path,
            seq: head.seq,
        }
        .into()),
        _ => Ok(Report {
            records: end.seq,
            files: files.len(),
            beyond_head: end.seq - head.seq,
            torn_bytes,
        }),
    }
}

/// The files with their sizes, and the head, at one moment between two writes.
fn snapshot(folder: &Folder) -> Result<(Vec<(PathBuf, u64)>, Link), Error> {
    let failed = |source| Error::Io {
        doing: "read",
        path: folder.path.clone(),
        source,
    };
    // A copy of a log may come without its lock file; nobody writes to it then.
    let lock = File::open(folder.lock_path()).ok();
    if let Some(lock) = &lock {
        lock.lock_shared().map_err(failed)?;
    }
    let head = Head::read(&folder.head_path())?;
    let mut files = Vec::new();
    for number in folder.numbers()? {
        let path = folder.file_path(number);
        let len = fs::metadata(&path).map_err(failed)?.len();
        files.push((path, len));
    }
    Ok((files, head))
}
