//! Where keys are kept: opens a store by its URL.

mod background;
pub mod redis;
mod spend;
mod sqlite;

pub use spend::open_ledger;

use crate::auth::KeyStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens the store that `url` names: `sqlite` is the file `sluicegate.db` in the data folder. Blocks.
///
/// # Errors
/// If the URL names no store that there is, or the store cannot be opened.
pub fn open(url: &str, data: &Path) -> Result<Arc<dyn KeyStore>, OpenError> {
    if url == "sqlite" {
        return Ok(Arc::new(sqlite::Sqlite::open(data)?));
    }
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    Err(match scheme {
        Some(scheme @ ("postgres" | "postgresql" | "redis" | "rediss" | "valkey")) => {
            OpenError::Unavailable {
                scheme: scheme.to_owned(),
            }
        }
        // Not the URL itself: it may hold a password.
        Some(_) | None => OpenError::Unknown,
    })
}

/// The host and port of a URL, which may be shown: user, password and everything else left out.
fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit('@').next().unwrap_or_default();
    address.to_owned()
}

/// Why a store cannot be opened. Nothing was overwritten in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A store that this version does not have.
    #[error("store {scheme}:// is not available in this version: expected sqlite")]
    Unavailable {
        /// The scheme of the URL.
        scheme: String,
    },
    /// No store at all.
    #[error("unknown store: expected sqlite")]
    Unknown,
    /// The data folder or the file cannot be made.
    #[error("cannot create the key store {path}")]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A URL that cannot be used.
    #[error(
        "the URL of {scheme} cannot be used: {problem}; expected {scheme}://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Url {
        /// What kind of store it is for.
        scheme: &'static str,
        /// What is wrong with it; never the URL itself, which may hold a password.
        problem: String,
    },
    /// Certificates of authorities that cannot be read.
    #[error("cannot read the certificates {path}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// No thread for a store's connections.
    #[error("cannot start a thread for a store's connections")]
    Thread(#[source] std::io::Error),
    /// The database cannot be opened.
    #[error("cannot open the key store {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "the key store {path} is damaged: {problem}; help: restore it from a backup, or move it away to begin with no keys"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that its own check found.
        problem: String,
    },
    /// A later version of this program wrote the file.
    #[error(
        "the key store {path} has version {found}: expected at most {known}; help: use the version of sluicegate that wrote it"
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest version known here.
        known: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_no_password() {
        for (url, shown) in [
            ("redis://:pass@host:1/2", "host:1"),
            (
                "postgres://user:p%40ss@[::1]:5432/db?sslmode=require",
                "[::1]:5432",
            ),
            ("redis://host", "host"),
            ("hunter2", ""),
        ] {
            assert_eq!(address(url), shown);
        }
    }

    #[test]
    fn other_stores_are_refused_without_repeating_the_url() {
        let folder = tempfile::tempdir().unwrap();
        for (url, expected) in [
            (
                "postgres://user:hunter2@db/x",
                "store postgres:// is not available in this version: expected sqlite",
            ),
            (
                "redis://:hunter2@db",
                "store redis:// is not available in this version: expected sqlite",
            ),
            ("hunter2", "unknown store: expected sqlite"),
        ] {
            let error = open(url, folder.path()).unwrap_err().to_string();
            assert_eq!(error, expected);
        }
    }
}
