//! The end of the log as this process knows it: found at the start, brought up to date before each append.

use super::chain::{Break, Link};
use super::error::{Broken, Error};
use super::read::{Folder, Head, last_line};
use crate::durable;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// After another process has written, so many appends release the lock at once.
const SHARED: u32 = 100;

/// What this process knows of the log's end. Other processes may have written since: see [`Writer::take`].
#[derive(Debug)]
pub(super) struct Writer {
    /// Locked while the log is looked at and written to.
    lock: File,
    /// Whether it is locked by this process now.
    locked: bool,
    /// Appends that are to release the lock at once: other processes have been writing too.
    shared: u32,
    pub(super) file: Arc<File>,
    pub(super) number: u32,
    /// Bytes of the file up to the end of the last record known here.
    pub(super) len: u64,
    pub(super) end: Link,
    /// Space for the next line.
    pub(super) line: Vec<u8>,
}

impl Writer {
    /// With the lock held: finds the log's end, beginning the log if there is none. Also says how many bytes of an unfinished
    /// line were cut off.
    pub(super) fn open(folder: &Folder, lock: File) -> Result<(Self, u64), Error> {
        let failed = |source| Error::Io {
            doing: "open",
            path: folder.path.clone(),
            source,
        };
        let numbers = folder.numbers()?;
        let head_path = folder.head_path();
        if numbers.is_empty() && durable::stamp(&head_path).map_err(failed)?.is_none() {
            durable::create_once(&head_path, &Head::text(&Link::START)).map_err(failed)?;
        }
        let head = Head::read(&head_path)?;
        let number = numbers.last().copied().unwrap_or(1);
        let file = open_file(&folder.file_path(number)).map_err(failed)?;
        durable::sync_folder(&folder.file_path(number)).map_err(failed)?;
        let mut writer = Self {
            lock,
            locked: true,
            shared: SHARED,
            file: Arc::new(file),
            number,
            len: 0,
            end: Link::START,
            line: Vec::new(),
        };
        let torn = writer.find_end(folder)?;
        let path = folder.file_path(writer.number);
        if writer.end.seq < head.seq {
            return Err(Broken::CutEnd {
                path,
                found: writer.end.seq,
                expected: head.seq,
            }
            .into());
        }
        if writer.end.seq == head.seq && writer.end.hash != head.hash {
            return Err(Broken::Rewritten {
                path: head_path,
                seq: head.seq,
            }
            .into());
        }
        Ok((writer, torn))
    }

    /// Reads the last record from the end of the last file, or of the file before if that one is still empty.
    fn find_end(&mut self, folder: &Folder) -> Result<u64, Error> {
        let path = folder.file_path(self.number);
        let found = last_line(&self.file).map_err(|source| Error::Io {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        self.len = found.whole;
        let torn = self.cut(found.len, &path)?;
        self.end = match found.line {
            Some(line) => Link::read(&line).ok_or_else(|| unreadable(path))?,
            None if self.number == 1 => Link::START,
            None => {
                let path = folder.file_path(self.number - 1);
                let before = File::open(&path).and_then(|file| last_line(&file));
                let before = before.map_err(|source| Error::Io {
                    doing: "read",
                    path: path.clone(),
                    source,
                })?;
                before
                    .line
                    .and_then(|line| Link::read(&line))
                    .ok_or_else(|| unreadable(path))?
            }
        };
        Ok(torn)
    }

    /// Locks the log, if it is not, and brings this process up to date. Says how many bytes of an unfinished line were cut off.
    pub(super) fn take(&mut self, folder: &Folder, max_file_bytes: u64) -> Result<u64, Error> {
        if self.locked && self.len < max_file_bytes {
            return Ok(0);
        }
        self.lock(folder)?;
        let known = self.end.seq;
        let torn = self.catch_up(folder, max_file_bytes)?;
        self.shared = if self.end.seq == known {
            self.shared.saturating_sub(1)
        } else {
            SHARED
        };
        Ok(torn)
    }

    /// After an append: lets other processes write, unless there seem to be none. Then the lock is kept until the next sync:
    /// locking and looking at the file would cost as much as writing to it.
    pub(super) fn release(&mut self, folder: &Folder) -> Result<(), Error> {
        if self.shared == 0 {
            return Ok(());
        }
        self.unlock(folder)
    }

    /// With the lock held: takes in what other processes wrote, and goes on to the next file when this one is full. Says how
    /// many bytes of an unfinished line were cut off.
    fn catch_up(&mut self, folder: &Folder, max_file_bytes: u64) -> Result<u64, Error> {
        let mut torn = 0;
        loop {
            let path = folder.file_path(self.number);
            let failed = |doing| {
                let path = path.clone();
                move |source| Error::Io {
                    doing,
                    path,
                    source,
                }
            };
            let state = self.file.metadata().map_err(failed("read"))?;
            if state.nlink() == 0 {
                return Err(Broken::MissingFile { path }.into());
            }
            if state.size() < self.len {
                let expected = self.end.seq;
                return Err(Broken::CutEnd {
                    path,
                    found: 0,
                    expected,
                }
                .into());
            }
            torn += self.take_in(state.size(), &path)?;
            if self.len < max_file_bytes {
                return Ok(torn);
            }
            let next = folder.file_path(self.number + 1);
            self.file.sync_data().map_err(failed("sync"))?;
            self.file = Arc::new(open_file(&next).map_err(failed("open the file after"))?);
            durable::sync_folder(&next).map_err(failed("sync the folder of"))?;
            self.number += 1;
            self.len = 0;
        }
    }

    /// Checks the lines between what is known and `size`, which another process wrote, and cuts off an unfinished one.
    fn take_in(&mut self, size: u64, path: &Path) -> Result<u64, Error> {
        if size == self.len {
            return Ok(0);
        }
        let failed = |source| Error::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        };
        let mut bytes = vec![0; usize::try_from(size - self.len).unwrap_or(usize::MAX)];
        self.file
            .read_exact_at(&mut bytes, self.len)
            .map_err(failed)?;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(record) = line.strip_suffix(b"\n") else {
                break;
            };
            let problem = |problem| Broken::Line {
                path: path.to_owned(),
                line: 0,
                problem,
            };
            self.end = self.end.check(record).map_err(problem)?;
            self.len += line.len() as u64;
        }
        self.cut(size, path)
    }

    /// Cuts off what follows the last whole line: how many bytes.
    fn cut(&self, size: u64, path: &Path) -> Result<u64, Error> {
        let torn = size - self.len;
        if torn > 0 {
            self.file.set_len(self.len).map_err(|source| Error::Io {
                doing: "mend",
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(torn)
    }

    pub(super) fn lock(&mut self, folder: &Folder) -> Result<(), Error> {
        if !self.locked {
            self.lock.lock().map_err(|source| Error::Io {
                doing: "lock",
                path: folder.path.clone(),
                source,
            })?;
            self.locked = true;
        }
        Ok(())
    }

    pub(super) fn unlock(&mut self, folder: &Folder) -> Result<(), Error> {
        self.locked = false;
        self.lock.unlock().map_err(|source| Error::Io {
            doing: "unlock",
            path: folder.path.clone(),
            source,
        })
    }
}

fn unreadable(path: PathBuf) -> Error {
    Broken::Line {
        path,
        line: 0,
        problem: Break::Unreadable,
    }
    .into()
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(path)
}
