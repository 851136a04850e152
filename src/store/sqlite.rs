//! An `SQLite` file, shared by the gateway and the commands beside it.
//!
//! Write-ahead log, synced with each transaction (`synchronous=FULL`): a key that was shown was kept. One connection writes;
//! some others read, which do not wait for it.

use super::OpenError;
use super::engine::{Engine, Problem, Step, Value};
use super::row::Row;
use crate::durable;
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, TransactionBehavior, params_from_iter};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One step per version of `sluicegate.db`; `user_version` says how many were taken. A step is never changed once released.
pub(super) const MIGRATIONS: &[&str] = &[
    "
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
",
    "
    ALTER TABLE keys RENAME TO former;
    CREATE TABLE keys (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id       TEXT NOT NULL UNIQUE,
        name     TEXT NOT NULL,
        prefix   TEXT NOT NULL,
        team     TEXT,
        created  INTEGER NOT NULL,
        revoked  INTEGER,
        settings TEXT NOT NULL,
        changed  INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX keys_changed ON keys (changed) WHERE changed > 0;
    CREATE TABLE bearers (
        prefix   TEXT NOT NULL,
        hash     BLOB NOT NULL CHECK (length(hash) = 32),
        key      TEXT NOT NULL,
        session  TEXT,
        end_user TEXT,
        expires  INTEGER,
        revoked  INTEGER,
        PRIMARY KEY (prefix, hash)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX bearers_key ON bearers (key);
    CREATE INDEX bearers_expires ON bearers (expires) WHERE expires IS NOT NULL;
    CREATE TABLE teams (
        name     TEXT NOT NULL PRIMARY KEY,
        settings TEXT NOT NULL,
        changed  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO counters (name, value) VALUES ('keys', 1);
    CREATE TABLE memory (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO bearers (prefix, hash, key) SELECT prefix, hash, id FROM former;
    INSERT INTO keys (position, id, name, prefix, team, created, revoked, settings, changed)
    SELECT position, id, name, prefix, team,
        CAST(round(unixepoch(created, 'subsec') * 1000000.0) AS INTEGER),
        CAST(round(unixepoch(revoked, 'subsec') * 1000000.0) AS INTEGER),
        json_object('owner', owner, 'policy', policy, 'limit', rate, 'expires', expires,
            'models', json(models), 'providers', json(providers)),
        0
    FROM former ORDER BY position;
    DROP TABLE former;
",
    "
    ALTER TABLE bearers ADD COLUMN credentials TEXT;
",
    "
    ALTER TABLE bearers ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX bearers_changed ON bearers (changed) WHERE changed > 0;
",
];

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);
/// Files up to this size are checked whole at the start. In larger ones (over 50,000 keys) indexes are compared with their
/// tables later ([`verify`]), which takes ten times as long as all the rest.
const CHECKED_WHOLE_BYTES: u64 = 16 * 1024 * 1024;
/// Connections that read at a time.
const READERS: usize = 4;

/// A database in a file of the data folder.
#[derive(Debug)]
pub(super) struct Sqlite {
    writer: Mutex<Connection>,
    readers: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
}

impl Sqlite {
    /// Opens a file in the data folder, making both (modes 0600 and 0700) if needed, checks it and brings its schema up
    /// to date.
    pub(super) fn open(data: &Path, name: &str, migrations: &[&str]) -> Result<Self, OpenError> {
        let path = data.join(name);
        let failed = |source| failed(&path, source);
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
        let mut writer = connect(&path).map_err(failed)?;
        let problem = check(&writer, &path).map_err(failed)?;
        if problem != "ok" {
            return Err(OpenError::Damaged { path, problem });
        }
        let (found, known) = migrate(&mut writer, migrations).map_err(failed)?;
        if found > known {
            return Err(OpenError::Later {
                place: path.display().to_string(),
                found,
                known,
            });
        }
        let reader = || {
            let reader = connect(&path)?;
            reader.pragma_update(None, "query_only", true)?;
            Ok(Mutex::new(reader))
        };
        let readers: Result<_, rusqlite::Error> = (0..READERS).map(|_| reader()).collect();
        Ok(Self {
            writer: Mutex::new(writer),
            readers: readers.map_err(failed)?,
            turn: AtomicUsize::new(0),
        })
    }

    /// The same for what need not outlive a loss of power: transactions are not synced one by one. They outlive the process.
    pub(super) fn unhurried(self) -> Self {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Should it not be taken, transactions are only slower.
        let taken = writer.pragma_update(None, "synchronous", "normal");
        drop((writer, taken));
        self
    }

    /// A connection that is free, else the next in turn.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let free = self
            .readers
            .iter()
            .find_map(|reader| reader.try_lock().ok());
        let turn = || {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % READERS;
            self.readers.get(turn).unwrap_or(&self.writer)
        };
        free.unwrap_or_else(|| turn().lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Engine for Sqlite {
    fn read(&self, step: Step) -> Result<Vec<Row>, Problem> {
        Ok(run(&self.reader(), step)?)
    }

    fn write(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Problem> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows: Result<_, _> = steps
            .into_iter()
            .map(|step| run(&transaction, step))
            .collect();
        let rows = rows?;
        transaction.commit()?;
        Ok(rows)
    }
}

/// Compares the indexes of a file with their tables, if it was too large for that when it was opened.
pub(super) fn verify(path: &Path) -> Result<(), OpenError> {
    if is_small(path) {
        return Ok(());
    }
    let checked = || -> rusqlite::Result<String> {
        let connection = connect(path)?;
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
    };
    match checked().map_err(|source| failed(path, source))? {
        problem if problem != "ok" => Err(OpenError::Damaged {
            path: path.to_owned(),
            problem,
        }),
        _ => Ok(()),
    }
}

/// Whether a file is checked whole before the start; one that is not there is.
fn is_small(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |file| file.len() <= CHECKED_WHOLE_BYTES)
}

fn failed(path: &Path, source: rusqlite::Error) -> OpenError {
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged {
            path: path.to_owned(),
            problem: "it is no SQLite database".to_owned(),
        },
        _ => OpenError::Open {
            path: path.to_owned(),
            source,
        },
    }
}

/// What the database's own check finds first; `ok` if nothing.
fn check(connection: &Connection, path: &Path) -> rusqlite::Result<String> {
    let check = if is_small(path) {
        "PRAGMA integrity_check(1)"
    } else {
        "PRAGMA quick_check(1)"
    };
    connection.query_row(check, [], |row| row.get(0))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

fn run(connection: &Connection, step: Step) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(step.sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(step.values), |row| {
        let cells = (0..columns).map(|column| {
            Ok(match row.get(column)? {
                Cell::Integer(number) => Value::Integer(number),
                Cell::Text(text) => Value::Text(text),
                Cell::Blob(bytes) => Value::Bytes(bytes),
                // No column of ours holds fractions; where one does, it is not what was expected either.
                Cell::Null | Cell::Real(_) => Value::Null,
            })
        });
        cells.collect()
    })?;
    rows.collect()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Brings the schema up to date, unless it is a later one: the version found, and the latest one known.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<(u32, u32)> {
    // Immediate: of two processes that start together, one migrates and the other then finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut known = 0;
    for (step, version) in migrations.iter().zip(1..) {
        known = version;
        if found < version {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
        }
    }
    transaction.commit()?;
    Ok((found, known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Bearer, KeyRecord, KeyStore, Pepper, generate};
    use crate::store::keys::Keys;
    use jiff::Timestamp;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    fn insert(store: &Keys, data: &Path) -> KeyRecord {
        let pepper = Pepper::open(data).unwrap();
        let bearer = Bearer::new(&pepper, &generate().unwrap()).unwrap();
        let key = KeyRecord::new(&bearer.prefix, "a", Timestamp::from_second(1).unwrap());
        store.insert(&key, &bearer).unwrap();
        key
    }

    #[test]
    fn files_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let store = Keys::new(
            Sqlite::open(&data, "sluicegate.db", MIGRATIONS).unwrap(),
            None,
        );
        insert(&store, &data);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        for name in ["sluicegate.db", "sluicegate.db-wal", "sluicegate.db-shm"] {
            assert_eq!(mode(&data.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        Pepper::open(folder.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = Keys::new(
                        Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap(),
                        None,
                    );
                    for _ in 0..10 {
                        insert(&store, folder.path());
                    }
                });
            }
        });
        let store = Keys::new(
            Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap(),
            None,
        );
        assert_eq!(store.list(None, 100).unwrap().len(), 40);
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
            Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS),
            Err(OpenError::Damaged { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_damaged_page_is_found_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluicegate.db");
        {
            let store = Keys::new(
                Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap(),
                None,
            );
            for _ in 0..100 {
                insert(&store, folder.path());
            }
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..12_288].fill(0x55);
        fs::write(&path, bytes).unwrap();
        let error = Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    }

    #[test]
    fn a_later_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap());
        let connection = Connection::open(folder.path().join("sluicegate.db")).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap_err();
        assert!(
            matches!(error, OpenError::Later { found: 99, .. }),
            "{error:?}"
        );
    }

    #[test]
    fn keys_of_the_first_version_come_along() {
        let folder = tempfile::tempdir().unwrap();
        let hash = [7_u8; 32];
        {
            let connection = Connection::open(folder.path().join("sluicegate.db")).unwrap();
            connection.execute_batch(MIGRATIONS[0]).unwrap();
            connection.pragma_update(None, "user_version", 1).unwrap();
            let insert = "INSERT INTO keys (id, name, prefix, hash, owner, team, policy, rate, models, providers, created, expires, revoked)
                VALUES ('key_1', 'old', 'abcdefgh', ?1, 'ann', 'red', 'strict', '20/minute', '[\"gpt-*\"]', '[]',
                    '2026-01-02T03:04:05.25Z', '2030-01-02T03:04:05.678901234Z', '2026-02-01T00:00:00Z')";
            connection.execute(insert, [hash]).unwrap();
        }
        let store = Keys::new(
            Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap(),
            None,
        );
        let grant = store.find("abcdefgh").unwrap().remove(0);
        assert_eq!(grant.bearer.hash, hash);
        let at = |text: &str| text.parse().unwrap();
        let expected = KeyRecord {
            id: "key_1".into(),
            owner: Some("ann".to_owned()),
            team: Some("red".to_owned()),
            policy: Some("strict".to_owned()),
            limit: Some("20/minute".parse().unwrap()),
            models: vec!["gpt-*".to_owned()],
            expires: Some(at("2030-01-02T03:04:05.678901234Z")),
            revoked: Some(at("2026-02-01T00:00:00Z")),
            ..KeyRecord::new("abcdefgh", "old", at("2026-01-02T03:04:05.25Z"))
        };
        assert_eq!(*grant.key, expected);
    }
}
