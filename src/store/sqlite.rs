//! Keys in an `SQLite` file, shared by the gateway and the commands beside it.
//!
//! Write-ahead log, synced with each transaction (`synchronous=FULL`): a key that was shown was kept. Every value is a bound
//! parameter.

use super::OpenError;
use crate::auth::{KeyRecord, KeyStore, StoreError};
use crate::durable;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior, named_params};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One step per version of the schema; `user_version` says how many were taken. A step is never changed once released.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE keys (
        position  INTEGER PRIMARY KEY AUTOINCREMENT,
        id        TEXT NOT NULL UNIQUE,
        name      TEXT NOT NULL,
        prefix    TEXT NOT NULL,
        hash      BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
        owner     TEXT,
        team      TEXT,
        policy    TEXT,
        rate      TEXT,
        models    TEXT NOT NULL,
        providers TEXT NOT NULL,
        created   TEXT NOT NULL,
        expires   TEXT,
        revoked   TEXT
    ) STRICT;
"];

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// A key store in `sluicegate.db`.
#[derive(Debug)]
pub(super) struct Sqlite {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    /// Writes through this connection, which `PRAGMA data_version` does not count.
    writes: u64,
}

impl Sqlite {
    /// Opens the file in the data folder, making both (modes 0600 and 0700) if needed, checks it and brings its schema up
    /// to date.
    pub(super) fn open(data: &Path) -> Result<Self, OpenError> {
        let path = data.join("sluicegate.db");
        let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged {
                path: path.clone(),
                problem: "it is no SQLite database".to_owned(),
            },
            _ => OpenError::Open {
                path: path.clone(),
                source,
            },
        };
        // Made here, for its mode; SQLite gives its companion files the same one.
        durable::make_folder(data)
            .and_then(|()| {
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .mode(0o600)
                    .open(&path)
            })
            .map_err(|source| OpenError::Create {
                path: path.clone(),
                source,
            })?;
        let mut connection = Connection::open(&path).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection
            .pragma_update(None, "journal_mode", "wal")
            .map_err(failed)?;
        connection
            .pragma_update(None, "synchronous", "full")
            .map_err(failed)?;
        let problem: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(failed)?;
        if problem != "ok" {
            return Err(OpenError::Damaged { path, problem });
        }
        let (found, known) = migrate(&mut connection).map_err(failed)?;
        if found > known {
            return Err(OpenError::Later { path, found, known });
        }
        Ok(Self {
            state: Mutex::new(State {
                connection,
                writes: 0,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyStore for Sqlite {
    fn insert(&self, record: &KeyRecord) -> Result<(), StoreError> {
        let failed = |source| failed("insert a key", source);
        let mut state = self.state();
        state
            .connection
            .execute(
                "INSERT INTO keys (id, name, prefix, hash, owner, team, policy, rate, models, providers, created, expires, revoked)
                 VALUES (:id, :name, :prefix, :hash, :owner, :team, :policy, :rate, :models, :providers, :created, :expires, :revoked)",
                named_params! {
                    ":id": &*record.id,
                    ":name": record.name,
                    ":prefix": record.prefix,
                    ":hash": record.hash,
                    ":owner": record.owner,
                    ":team": record.team,
                    ":policy": record.policy,
                    ":rate": record.limit.as_ref().map(ToString::to_string),
                    ":models": list_text(&record.models),
                    ":providers": list_text(&record.providers),
                    ":created": record.created.to_string(),
                    ":expires": record.expires.map(|time| time.to_string()),
                    ":revoked": record.revoked.map(|time| time.to_string()),
                },
            )
            .map_err(failed)?;
        state.writes += 1;
        Ok(())
    }

    fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let failed = |source| failed("list keys", source);
        let state = self.state();
        let mut statement = state
            .connection
            .prepare_cached("SELECT * FROM keys ORDER BY position")
            .map_err(failed)?;
        let records = statement.query_map([], read_record).map_err(failed)?;
        records.collect::<Result<_, _>>().map_err(failed)
    }

    fn revoke(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let failed = |source| failed("revoke a key", source);
        let mut state = self.state();
        let changed = state
            .connection
            .execute(
                "UPDATE keys SET revoked = coalesce(revoked, :at) WHERE id = :id",
                named_params! { ":id": id, ":at": at.to_string() },
            )
            .map_err(failed)?;
        state.writes += 1;
        Ok(changed > 0)
    }

    fn generation(&self) -> Result<u64, StoreError> {
        let state = self.state();
        let others: u32 = state
            .connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .optional()
            .map_err(|source| failed("read the version", source))?
            .unwrap_or_default();
        Ok(state.writes << 32 | u64::from(others))
    }
}

/// Brings the schema up to date, unless it is a later one: the version found, and the latest one known.
fn migrate(connection: &mut Connection) -> rusqlite::Result<(u32, u32)> {
    // Immediate: of two processes that start together, one migrates and the other then finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut known = 0;
    for (step, version) in MIGRATIONS.iter().zip(1..) {
        known = version;
        if found < version {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
        }
    }
    transaction.commit()?;
    Ok((found, known))
}

fn failed(doing: &'static str, source: rusqlite::Error) -> StoreError {
    StoreError {
        doing,
        source: Box::new(source),
    }
}

/// A list of names as a JSON array.
fn list_text(names: &[String]) -> String {
    serde_json::json!(names).to_string()
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    Ok(KeyRecord {
        id: row.get::<_, String>("id")?.into(),
        name: row.get("name")?,
        prefix: row.get("prefix")?,
        hash: row.get("hash")?,
        owner: row.get("owner")?,
        team: row.get("team")?,
        policy: row.get("policy")?,
        limit: parsed(row, "rate")?,
        models: list(row, "models")?,
        providers: list(row, "providers")?,
        created: parsed(row, "created")?.ok_or_else(|| unreadable("created"))?,
        expires: parsed(row, "expires")?,
        revoked: parsed(row, "revoked")?,
    })
}

/// A restriction that cannot be read must not become none: the whole record is refused.
fn parsed<T: FromStr>(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|_| unreadable(column)))
        .transpose()
}

fn list(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| unreadable(column))
}

fn unreadable(column: &'static str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(0, column.to_owned(), rusqlite::types::Type::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{self, Keyring, Pepper};
    use crate::secret::Secret;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::sync::Arc;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(data: &Path, name: &str) -> (Secret, KeyRecord) {
        let key = auth::generate().unwrap();
        let record = KeyRecord::new(&Pepper::open(data).unwrap(), &key, name, at(1)).unwrap();
        (key, record)
    }

    fn full(data: &Path) -> KeyRecord {
        let (_, mut record) = record(data, "it's \"quoted\"; DROP TABLE keys; --");
        record.owner = Some("ann".to_owned());
        record.team = Some("red".to_owned());
        record.policy = Some("strict".to_owned());
        record.limit = Some("20/minute".parse().unwrap());
        record.models = vec!["gpt-*".to_owned(), "a,b".to_owned()];
        record.providers = vec!["openai".to_owned()];
        record.expires = Some("2030-01-02T03:04:05.678901234Z".parse().unwrap());
        record
    }

    #[test]
    fn records_come_back_as_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let full = full(&data);
        let (_, plain) = record(&data, "plain");
        {
            let store = Sqlite::open(&data).unwrap();
            store.insert(&full).unwrap();
            store.insert(&plain).unwrap();
        }
        let store = Sqlite::open(&data).unwrap();
        assert_eq!(store.list().unwrap(), [full, plain]);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        for name in ["sluicegate.db", "sluicegate.db-wal", "sluicegate.db-shm"] {
            assert_eq!(mode(&data.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn ids_and_hashes_come_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        let (_, record) = record(folder.path(), "a");
        store.insert(&record).unwrap();
        let other_id = KeyRecord {
            id: "key_other".into(),
            ..record.clone()
        };
        assert!(store.insert(&other_id).is_err());
        assert_eq!(store.list().unwrap(), [record]);
    }

    #[test]
    fn a_key_is_revoked_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        let (_, record) = record(folder.path(), "a");
        store.insert(&record).unwrap();
        assert!(store.revoke(&record.id, at(5)).unwrap());
        assert!(store.revoke(&record.id, at(9)).unwrap());
        assert!(!store.revoke("key_none", at(9)).unwrap());
        assert_eq!(store.list().unwrap()[0].revoked, Some(at(5)));
    }

    #[test]
    fn the_generation_follows_both_sides() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (
            Sqlite::open(folder.path()).unwrap(),
            Sqlite::open(folder.path()).unwrap(),
        );
        let (key, record) = record(folder.path(), "a");
        let before = ours.generation().unwrap();
        assert_eq!(ours.generation().unwrap(), before);
        ours.insert(&record).unwrap();
        let own = ours.generation().unwrap();
        assert_ne!(own, before);
        let keyring = Keyring::open(Arc::new(ours), Pepper::open(folder.path()).unwrap()).unwrap();
        assert!(keyring.authenticate(key.expose(), at(2)).is_ok());
        theirs.revoke(&record.id, at(2)).unwrap();
        assert!(keyring.refresh().unwrap());
        assert!(keyring.authenticate(key.expose(), at(3)).is_err());
        assert!(!keyring.refresh().unwrap());
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let records: Vec<_> = (0..4)
            .map(|writer| record(folder.path(), &writer.to_string()).1)
            .collect();
        std::thread::scope(|scope| {
            for record in &records {
                scope.spawn(|| {
                    let store = Sqlite::open(folder.path()).unwrap();
                    for index in 0..10 {
                        let mut hash = record.hash;
                        hash[0] = index;
                        let id = format!("{}-{index}", record.id).into();
                        store
                            .insert(&KeyRecord {
                                id,
                                hash,
                                ..record.clone()
                            })
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(
            Sqlite::open(folder.path()).unwrap().list().unwrap().len(),
            40
        );
    }

    #[test]
    fn what_is_no_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluicegate.db");
        fs::write(
            &path,
            "not a database, and long enough to have a header of a hundred bytes".repeat(9),
        )
        .unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(
            Sqlite::open(folder.path()),
            Err(OpenError::Damaged { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_damaged_page_is_found_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluicegate.db");
        {
            let store = Sqlite::open(folder.path()).unwrap();
            for index in 0..100 {
                store
                    .insert(&record(folder.path(), &index.to_string()).1)
                    .unwrap();
            }
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..12_288].fill(0x55);
        fs::write(&path, bytes).unwrap();
        let error = Sqlite::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    }

    #[test]
    fn a_later_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(Sqlite::open(folder.path()).unwrap());
        let connection = Connection::open(folder.path().join("sluicegate.db")).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = Sqlite::open(folder.path()).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Later {
                    found: 99,
                    known: 1,
                    ..
                }
            ),
            "{error:?}"
        );
    }

    #[test]
    fn an_unreadable_limit_does_not_become_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        store.insert(&full(folder.path())).unwrap();
        store
            .state()
            .connection
            .execute("UPDATE keys SET rate = 'lots'", [])
            .unwrap();
        assert!(store.list().is_err());
    }
}
