//! Where keys are kept, and where gateways count together: opens stores by their URLs.

mod arena;
mod background;
mod cells;
mod directory;
mod engine;
mod kept;
mod keys;
mod postgres;
pub mod redis;
mod row;
mod rows;
mod spend;
mod sqlite;

pub use kept::open_kept;
pub use spend::open_ledger;

use crate::auth::KeyStore;
use crate::secret::Secret;
use crate::shared::Shared;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Which store keeps keys, teams and sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `sqlite`, the file `sluicegate.db` in the data folder, or `postgres://…`.
    pub url: Secret,
    /// Certificates (PEM) of the authorities that vouch for the server; Mozilla's if not set.
    pub ca: Option<PathBuf>,
    /// Whether nobody is admitted once the store has been away for 5 seconds; else keys used lately go on working.
    pub fail_closed: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Secret::new("sqlite".to_owned()),
            ca: None,
            fail_closed: true,
        }
    }
}

impl Config {
    /// The store without user and password: what may be shown.
    pub fn shown(&self) -> String {
        match self.url.expose().split_once("://") {
            Some((scheme, _)) => format!("{scheme}://{}", address(self.url.expose())),
            None => self.url.expose().to_owned(),
        }
    }
}

/// Opens the store that keeps keys, of whose changes others are told in a shared place, if there is one. Blocks.
///
/// # Errors
/// If the URL names no store that there is, or the store cannot be opened.
pub fn open(
    config: &Config,
    data: &Path,
    shared: Option<Arc<dyn Shared>>,
) -> Result<Arc<dyn KeyStore>, OpenError> {
    let url = config.url.expose();
    if url == "sqlite" {
        let sqlite = sqlite::Sqlite::open(data, "sluicegate.db", sqlite::MIGRATIONS)?;
        return Ok(Arc::new(keys::Keys::new(sqlite, shared)));
    }
    // Not the URL itself: it may hold a password.
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => {
            let postgres = postgres::Postgres::open(url, config.ca.as_deref())?;
            Ok(Arc::new(keys::Keys::new(postgres, shared)))
        }
        Some(_) | None => Err(OpenError::Unknown),
    }
}

/// Checks whole those files of the data folder that were too large for it when they were opened. Blocks, for seconds then.
///
/// # Errors
/// If one is damaged or cannot be read.
pub fn verify(config: &Config, data: &Path) -> Result<(), OpenError> {
    if config.url.expose() != "sqlite" {
        return Ok(());
    }
    let mut files = ["sluicegate.db", "spend.db", "kept.db"].iter();
    files.try_for_each(|name| sqlite::verify(&data.join(name)))
}

/// Opens the place that several gateways share, if there is one, for whose answers is waited until `deadline`. Blocks for
/// at most 2 seconds, or `deadline` if longer.
///
/// # Errors
/// If the URL cannot be used.
pub fn shared(url: Option<&str>, deadline: Duration) -> Result<Option<Arc<dyn Shared>>, OpenError> {
    let open = |url| Ok(redis::Redis::open(url, None, deadline)? as Arc<dyn Shared>);
    url.map(open).transpose()
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
    /// No store at all.
    #[error("unknown store: expected sqlite or postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
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
    /// The server cannot be reached, or does not let us in.
    #[error(
        "cannot use the key store at {address}; help: see that the server runs and that the URL names a user, password and database that it knows"
    )]
    Connect {
        /// The server's address.
        address: String,
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No thread for a store's connections.
    #[error("cannot start a thread for a store's connections")]
    Thread(#[source] std::io::Error),
    /// The database cannot be opened.
    #[error("cannot open the database {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "the database {path} is damaged: {problem}; help: if no more than an index is named, stop the gateway and run `sqlite3 {path} REINDEX`; else restore it from a backup, or move it away to begin without what it holds (sluicegate.db: keys and teams; spend.db: what was spent; kept.db: whose stored answers are)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that its own check found.
        problem: String,
    },
    /// A later version of this program wrote the file.
    #[error(
        "the key store {place} has version {found}: expected at most {known}; help: use the version of sluicegate that wrote it"
    )]
    Later {
        /// The file, or the server's address.
        place: String,
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
        for url in ["redis://:hunter2@db", "hunter2", "postgres://hunter2@[x"] {
            let config = Config {
                url: Secret::new(url.to_owned()),
                ..Config::default()
            };
            let error = open(&config, folder.path(), None).unwrap_err();
            assert!(!format!("{error} {error:?} {config:?}").contains("hunter2"));
        }
    }
}
