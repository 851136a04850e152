//! Appending: one log shared by all processes of a data folder, synced in groups, cut into files by size.

#[cfg(test)]
mod tests;

use super::chain::Link;
use super::error::Error;
use super::read::{Folder, Head};
use super::writer::Writer;
use super::{Record, Repair};
use crate::durable;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The log is synced at once when it changes, then not again for this long.
const SYNC_EVERY: Duration = Duration::from_millis(100);
/// So long after a record that could not be written others send their traffic elsewhere (`/readyz`).
const REFUSED_SECONDS: i64 = 10;
/// A file of this size is followed by a new one.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// The audit log, open for appending. Several processes may have it open.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    changed: SyncSender<()>,
    /// Gone with the log: ends the syncing thread's pause.
    _open: mpsc::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    max_file_bytes: u64,
    writer: Mutex<Writer>,
    head: File,
    healthy: AtomicBool,
    /// When a record could not be written last, in seconds since 1970.
    refused: AtomicI64,
}

impl Log {
    /// Opens the log in a folder, or begins it. An unfinished last line of a killed process is cut off, which is recorded.
    ///
    /// # Errors
    /// If files are missing, cut or cannot be read or written.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, Error> {
        Self::open_with(folder, now, MAX_FILE_BYTES)
    }

    fn open_with(folder: &Path, now: Timestamp, max_file_bytes: u64) -> Result<Self, Error> {
        let folder = Folder::new(folder);
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io {
                doing,
                path,
                source,
            }
        };
        durable::make_folder(&folder.path).map_err(failed("create", &folder.path))?;
        let lock = durable::lock(&folder.lock_path()).map_err(failed("lock", &folder.path))?;
        let (writer, torn) = Writer::open(&folder, lock)?;
        let head_path = folder.head_path();
        let head = OpenOptions::new().read(true).write(true).open(&head_path);
        let shared = Arc::new(Shared {
            head: head.map_err(failed("open", &head_path))?,
            folder,
            max_file_bytes,
            writer: Mutex::new(writer),
            healthy: AtomicBool::new(true),
            refused: AtomicI64::new(0),
        });
        {
            let mut writer = shared.writer();
            let repaired = if torn > 0 {
                shared.write(&mut writer, &repair(torn, now))
            } else {
                Ok(())
            };
            writer.unlock(&shared.folder)?;
            repaired?;
        }
        let (changed, wake) = mpsc::sync_channel(1);
        let (open, closed) = mpsc::channel();
        let syncing = Arc::clone(&shared);
        thread::Builder::new()
            .name("audit-sync".to_owned())
            .spawn(move || syncing.sync_on(&wake, &closed))
            .map_err(failed("start the thread that syncs", &shared.folder.path))?;
        Ok(Self {
            shared,
            changed,
            _open: open,
        })
    }

    /// Appends a record; when this returns the kernel has it, so that it outlives this process. Returns its number.
    ///
    /// Takes some microseconds, so that async callers may call it; a disk that blocks blocks the caller too, which is meant:
    /// no exchange ends without its record.
    ///
    /// # Errors
    /// If it could not be written: then the exchange must fail too.
    pub fn append(&self, record: &Record) -> Result<u64, Error> {
        if !self.is_healthy() {
            return Err(Error::OutOfService);
        }
        let mut writer = self.shared.writer();
        let appended = self.shared.append(&mut writer, record);
        if appended.is_ok() {
            writer.release(&self.shared.folder)?;
        } else {
            writer.unlock(&self.shared.folder)?;
        }
        let seq = writer.end.seq;
        drop(writer);
        if appended.is_err() {
            let now = Timestamp::now().as_second();
            self.shared.refused.store(now, Ordering::Relaxed);
        }
        appended?;
        // A full channel means that the thread was told already.
        self.changed.try_send(()).unwrap_or_default();
        Ok(seq)
    }

    /// Waits until everything appended is on the disk: at shutdown, and after an operator's change.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.sync()
    }

    /// Whether records may be written again at all: after a failed sync nobody knows what is there.
    pub fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Acquire)
    }

    /// Whether records could be written lately, as when the disk is not full.
    pub fn is_writable(&self) -> bool {
        let refused = self.shared.refused.load(Ordering::Relaxed);
        self.is_healthy() && Timestamp::now().as_second() - refused > REFUSED_SECONDS
    }
}

impl Shared {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the writer up to date, and appends; the log stays locked.
    fn append(&self, writer: &mut Writer, record: &Record) -> Result<(), Error> {
        let torn = writer.take(&self.folder, self.max_file_bytes)?;
        if torn > 0 {
            let time = match record {
                Record::Exchange(exchange) => exchange.time,
                Record::Change(change) => change.time,
                Record::Repair(repair) => repair.time,
            };
            self.write(writer, &repair(torn, time))?;
        }
        self.write(writer, record)
    }

    /// With the lock held and the writer up to date: appends.
    fn write(&self, writer: &mut Writer, record: &Record) -> Result<(), Error> {
        let failed = |source| Error::Io {
            doing: "write to",
            path: self.folder.file_path(writer.number),
            source,
        };
        let mut line = std::mem::take(&mut writer.line);
        line.clear();
        let end = writer
            .end
            .seal(&mut line, |line| serde_json::to_writer(line, record));
        let end = end.map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        if let Err(error) = (&*writer.file).write_all(&line) {
            // A full disk takes part of a line; it is cut off, so that the log stays whole. If that fails too, the next
            // writer finds the torn line.
            writer.file.set_len(writer.len).unwrap_or_default();
            return Err(failed(error));
        }
        writer.len += line.len() as u64;
        writer.end = end;
        writer.line = line;
        Ok(())
    }

    fn sync_on(&self, wake: &Receiver<()>, closed: &Receiver<()>) {
        while wake.recv().is_ok() {
            if let Err(error) = self.sync() {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "audit log out of service"
                );
            }
            // Nothing is ever sent: this ends by time, or at once when the log is closed.
            closed.recv_timeout(SYNC_EVERY).unwrap_or_default();
        }
    }

    /// Syncs the log, then moves the head file on. In this order: the head must never know more than the log.
    fn sync(&self) -> Result<(), Error> {
        let (file, number, end) = {
            let writer = self.writer();
            (Arc::clone(&writer.file), writer.number, writer.end)
        };
        let failed = |source| {
            // After a failed sync the kernel may have dropped what it could not write (fsyncgate, 2018): trying again
            // proves nothing.
            self.healthy.store(false, Ordering::Release);
            Error::Io {
                doing: "sync",
                path: self.folder.file_path(number),
                source,
            }
        };
        if let Err(error) = file.sync_data() {
            let error = failed(error);
            self.writer().unlock(&self.folder)?;
            return Err(error);
        }
        let mut writer = self.writer();
        if let Err(error) = writer.lock(&self.folder) {
            self.healthy.store(false, Ordering::Release);
            return Err(error);
        }
        let moved = self.move_head(end);
        writer.unlock(&self.folder)?;
        drop(writer);
        moved.and_then(|()| self.head.sync_data()).map_err(failed)
    }

    fn move_head(&self, end: Link) -> io::Result<()> {
        let mut bytes = [0; Head::BYTES];
        self.head.read_exact_at(&mut bytes, 0)?;
        match Head::parse(&bytes) {
            Some(head) if head.seq >= end.seq => Ok(()), // another process was faster
            Some(_) | None => self.head.write_all_at(&Head::text(&end), 0),
        }
    }
}

fn repair(cut_bytes: u64, time: Timestamp) -> Record {
    tracing::warn!(
        cut_bytes,
        "the audit log's last line was unfinished and has been cut off"
    );
    Record::Repair(Repair { time, cut_bytes })
}
