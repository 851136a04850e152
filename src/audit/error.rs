//! What can go wrong with the log while writing, and what can be wrong with a log that is read.

use super::chain::Break;
use std::io;
use std::path::PathBuf;

/// A log that cannot be written to. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "read as `audit::Error`, like `io::Error`"
)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {doing} the audit log {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Its end is not what it was.
    #[error(
        "the audit log cannot be continued; help: `sluicegate audit verify` tells more; keep the folder as evidence and move it away to begin a new log"
    )]
    Broken(
        /// What is wrong.
        #[from]
        Broken,
    ),
    /// An earlier write to the disk failed: what was recorded since may be lost.
    #[error(
        "the audit log is out of service since a write to the disk failed; help: check the disk, then restart"
    )]
    OutOfService,
}

/// Where and how a log was tampered with or damaged.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A line does not follow the line before it.
    #[error("{path}:{line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        problem: Break,
    },
    /// A file between others, or before them, is gone.
    #[error("{path} is missing: files after it exist")]
    MissingFile {
        /// The file.
        path: PathBuf,
    },
    /// Records at the end are gone.
    #[error("{path} ends with record {found}, but record {expected} was written: {} records are missing at the end", expected - found)]
    CutEnd {
        /// The last file.
        path: PathBuf,
        /// The last record's number.
        found: u64,
        /// The number in the head file.
        expected: u64,
    },
    /// The record that the head file remembers has another hash.
    #[error("record {seq} is not the one that was written: its hash is not that in {path}")]
    Rewritten {
        /// The head file.
        path: PathBuf,
        /// The record's number.
        seq: u64,
    },
    /// The head file is gone or unreadable, so that a cut end could not be told.
    #[error("{path} is missing or damaged: whether the log's end was cut off cannot be told")]
    NoHead {
        /// The head file.
        path: PathBuf,
    },
}
