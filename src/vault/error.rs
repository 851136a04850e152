//! What can go wrong with a vault, each with what to do about it.

use super::access::Level;
use super::file::FORMAT;
use super::shelf::ShelfError;
use std::io;
use std::path::{Path, PathBuf};

/// Why the vault cannot do what it was asked for. Nothing was overwritten in any of these cases.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "read as `vault::Error`, like `io::Error`"
)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// There are sealed entries and nothing to open them with.
    #[error(
        "{path} holds sealed credentials, but there is no master key: expected the one it was sealed with; help: set SLUICEGATE_MASTER_KEY, or move the file away to start with a temporary vault"
    )]
    NoMasterKey {
        /// The vault file.
        path: PathBuf,
    },
    /// The master key is another one.
    #[error(
        "the master key does not fit the vault {path}: expected the one it was sealed with; help: check SLUICEGATE_MASTER_KEY; for a new vault move vault.json and vault.salt away"
    )]
    WrongKey {
        /// The vault file.
        path: PathBuf,
    },
    /// The salt file is gone; a new one would make the entries unreadable for ever.
    #[error(
        "the salt file {path} is missing, and without it the vault cannot be opened; help: restore it from a backup"
    )]
    MissingSalt {
        /// The salt file.
        path: PathBuf,
    },
    /// The salt file is not what was written.
    #[error("the salt file {path} is damaged: {problem}; help: restore it from a backup")]
    DamagedSalt {
        /// The salt file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Others may read the salt file.
    #[error(
        "the salt file {path} is open to other users: expected mode 0600; help: chmod 600 {path}"
    )]
    OpenSalt {
        /// The salt file.
        path: PathBuf,
    },
    /// A file is not what was written.
    #[error("{path}:{line}:{column}: the vault file {problem}; help: restore it from a backup")]
    DamagedFile {
        /// The vault file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// Where, from 1; 0 in an empty file.
        line: usize,
        /// Where, from 1; 0 at the end of a line.
        column: usize,
    },
    /// Another version of this program wrote the file.
    #[error(
        "{path} has format {found}: expected {FORMAT}; help: {}",
        if *found < FORMAT {
            "an earlier version of sluicegate wrote it, and this one does not read it: move vault.json, vault.salt and \
             vault.mark away, and set the credentials again"
        } else {
            "a later version of sluicegate wrote it: use that one"
        }
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// An older file was put in place of the one that was read before, or it is gone.
    #[error(
        "{path} is older than what was read from it before: found generation {found}, expected {known} or later; help: put the newer file back; to accept this one, remove vault.mark and restart"
    )]
    OlderFile {
        /// The vault file.
        path: PathBuf,
        /// Its generation; 0 if there is no file.
        found: u64,
        /// The generation read before.
        known: u64,
    },
    /// What says which entries belong in the vault does not authenticate.
    #[error(
        "{path} is not what was written: its generation, its index or its counter was changed; help: restore it from a backup"
    )]
    DamagedIndex {
        /// The vault file.
        path: PathBuf,
    },
    /// The file that tells an older vault file does not authenticate.
    #[error(
        "{path} does not open: it is damaged, or of another vault; help: restore it from a backup, or remove it to accept the vault.json that is there"
    )]
    DamagedMark {
        /// The mark.
        path: PathBuf,
    },
    /// Another process put the vault under a new master key.
    #[error(
        "the vault {path} has a new master key; help: put it into the file that master_key_file names, where a running gateway finds it, or restart with it; the credentials known so far stay in force until then"
    )]
    Rekeyed {
        /// The vault file.
        path: PathBuf,
    },
    /// An entry of another time, or from nowhere.
    #[error(
        "vault entry {name:?} in {path} is not the one that belongs there: an older one was put back, or one was added by other means; help: set it again"
    )]
    SwappedEntry {
        /// The entry.
        name: String,
        /// The vault file.
        path: PathBuf,
    },
    /// An entry that should be there.
    #[error(
        "vault entry {name:?} is missing in {path}: it was taken out by other means than `sluicegate vault delete`; help: set it again, or delete it"
    )]
    LostEntry {
        /// The entry.
        name: String,
        /// The vault file.
        path: PathBuf,
    },
    /// A vault that ends with the process cannot keep anything.
    #[error(
        "the vault ends with this process, because there is no master key; help: set SLUICEGATE_MASTER_KEY"
    )]
    Temporary,
    /// A credential kept elsewhere was sealed for another owner, or with another vault.
    #[error(
        "the credential {name} does not open with this vault: it is damaged, or was sealed for another holder or under another key; help: bring it again"
    )]
    ForeignCredential {
        /// Holder and provider.
        name: String,
    },
    /// The clients' key in the store is under another master key.
    #[error(
        "the credentials that clients brought are in the store under another master key than this gateway's: expected one master key for all gateways over a store; help: set the one of the others; after a rekey at another of them, run `sluicegate vault rekey` here too; if that key is lost, `sluicegate vault renounce` gives those credentials up"
    )]
    OtherMasterKey,
    /// There is a clients' key in the store, and nothing to open it with.
    #[error(
        "the store holds credentials that clients brought, sealed, but there is no master key: expected that of the other gateways over this store; help: set SLUICEGATE_MASTER_KEY; if that key is lost, set a new one and `sluicegate vault renounce` gives those credentials up"
    )]
    NoMasterKeyForClients,
    /// The clients' key, in the store or where an earlier version kept it, is not what was written.
    #[error(
        "the key of the credentials that clients brought is damaged: {0}; help: restore the store, or the vault's file, from a backup, or give those credentials up with `sluicegate vault renounce`"
    )]
    DamagedClients(
        /// What is wrong with it.
        &'static str,
    ),
    /// Nothing is given up that still opens.
    #[error(
        "the credentials that clients brought open with this master key: there is nothing to give up"
    )]
    NotLost,
    /// The store cannot do what it was asked for.
    #[error("cannot use the key of clients' credentials in the store")]
    Store(#[source] ShelfError),
    /// An entry does not authenticate.
    #[error(
        "vault entry {name:?} in {path} does not open: it is damaged, or was moved from another name, version or level; help: set it again"
    )]
    DamagedEntry {
        /// The entry.
        name: String,
        /// The vault file.
        path: PathBuf,
    },
    /// There is no such entry.
    #[error("no vault entry {name:?}; help: sluicegate vault set {name}")]
    UnknownEntry {
        /// The name asked for.
        name: String,
    },
    /// The name of a new entry cannot be used. It is not repeated: a secret may have been pasted in its place.
    #[error("invalid name for a vault entry: expected 1 to 64 letters, digits, '-', '_' or '.'")]
    InvalidName,
    /// The secret of a new entry is none that a provider can be sent.
    #[error(
        "the secret for vault entry {name:?} {problem}: expected the credential as the provider shows it"
    )]
    UnfitSecret {
        /// The entry.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The reader's level is too low.
    #[error("vault entry {name:?} needs access level {required}, found {held}")]
    Denied {
        /// The entry.
        name: String,
        /// What it needs.
        required: String,
        /// What the reader holds.
        held: Level,
    },
}

impl Error {
    /// What the operating system says about a file, for `map_err`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    /// The reason in the access log.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::DamagedEntry { .. } | Self::ForeignCredential { .. } => "damaged",
            Self::SwappedEntry { .. } => "swapped",
            Self::LostEntry { .. } => "lost",
            Self::UnknownEntry { .. } => "unknown entry",
            _ => "failed",
        }
    }
}
