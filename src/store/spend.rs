//! What was spent, in `spend.db` of the data folder: apart from the keys, so that neither waits for the other.

use crate::limit::{Account, Ledger, LedgerError, Spend, account};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, named_params, params};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::OpenError;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS spend (
        scope    TEXT NOT NULL,
        subject  TEXT NOT NULL,
        cycle    TEXT NOT NULL,
        number   INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        input    INTEGER NOT NULL,
        output   INTEGER NOT NULL,
        money    INTEGER NOT NULL,
        PRIMARY KEY (scope, subject, cycle, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS journals (
        name TEXT PRIMARY KEY,
        last INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";
/// The version of the schema.
const VERSION: u32 = 1;
const BUSY: Duration = Duration::from_secs(10);

/// Sums in SQLite.
#[derive(Debug)]
struct SpendFile {
    connection: Mutex<Connection>,
}

/// Opens `spend.db` in the data folder, making it (mode 0600) if needed, and checks it. Blocks.
///
/// # Errors
///
/// If it cannot be opened, is damaged or of a later version.
pub fn open_ledger(data: &Path) -> Result<Arc<dyn Ledger>, OpenError> {
    let path = data.join("spend.db");
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| OpenError::Create {
            path: path.clone(),
            source,
        })?;
    let connection = prepare(&path).map_err(|source| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            damaged(&path, "it is no SQLite database")
        }
        _ => OpenError::Open {
            path: path.clone(),
            source,
        },
    })?;
    let read = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, u32>(0))
            .map_err(|source| OpenError::Open {
                path: path.clone(),
                source,
            })
    };
    let found = read("user_version")?;
    if found > VERSION {
        return Err(OpenError::Later {
            place: path.display().to_string(),
            found,
            known: VERSION,
        });
    }
    let checked = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match checked {
        Ok(problem) if problem == "ok" => Ok(Arc::new(SpendFile {
            connection: Mutex::new(connection),
        })),
        Ok(problem) => Err(damaged(&path, &problem)),
        Err(source) => Err(OpenError::Open { path, source }),
    }
}

fn prepare(path: &PathBuf) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < VERSION {
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(connection)
}

fn damaged(path: &Path, problem: &str) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

impl SpendFile {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for SpendFile {
    fn load(&self, journal: &str) -> Result<(u64, Vec<(Account, Spend)>), LedgerError> {
        let failed = failed("read");
        let connection = self.connection();
        let query = "SELECT last FROM journals WHERE name = ?1";
        let last = connection
            .query_row(query, [journal], |row| number(row, "last"))
            .optional()
            .map_err(&failed)?;
        let mut statement = connection.prepare("SELECT * FROM spend").map_err(&failed)?;
        let sums = statement.query_map([], read_sum).map_err(&failed)?;
        let sums = sums.collect::<Result<_, _>>().map_err(&failed)?;
        Ok((last.unwrap_or(0), sums))
    }

    fn add(
        &self,
        journal: &str,
        last: u64,
        changes: &[(Account, Spend)],
    ) -> Result<(), LedgerError> {
        self.write(journal, last, changes).map_err(failed("write"))
    }
}

impl SpendFile {
    fn write(
        &self,
        journal: &str,
        last: u64,
        changes: &[(Account, Spend)],
    ) -> rusqlite::Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut add = transaction.prepare_cached(
                "INSERT INTO spend VALUES (:scope, :subject, :cycle, :number, :requests, :input, :output, :money)
                 ON CONFLICT DO UPDATE SET requests = requests + :requests, input = input + :input,
                     output = output + :output, money = money + :money",
            )?;
            for (account, spend) in changes {
                add.execute(named_params! {
                    ":scope": account.scope.name(),
                    ":subject": &*account.subject,
                    ":cycle": account.window.cycle.name(),
                    ":number": account.window.number,
                    ":requests": stored(spend.requests),
                    ":input": stored(spend.input),
                    ":output": stored(spend.output),
                    ":money": stored(spend.money),
                })?;
            }
        }
        transaction.execute(
            "INSERT INTO journals VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last = ?2",
            params![journal, stored(last)],
        )?;
        transaction.commit()
    }
}

/// SQLite's numbers are signed.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn read_sum(row: &Row<'_>) -> rusqlite::Result<(Account, Spend)> {
    let (scope, subject, cycle): (String, String, String) =
        (row.get("scope")?, row.get("subject")?, row.get("cycle")?);
    let unknown = || {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::InvalidColumnType(0, "scope".to_owned(), kind)
    };
    let spend = Spend {
        requests: number(row, "requests")?,
        input: number(row, "input")?,
        output: number(row, "output")?,
        money: number(row, "money")?,
    };
    // What cannot be read must not count as nothing.
    let account = account(&scope, &subject, &cycle, row.get("number")?).ok_or_else(unknown)?;
    Ok((account, spend))
}

fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError {
    move |source| LedgerError {
        doing,
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_the_last_line_come_back_together() {
        let folder = tempfile::tempdir().unwrap();
        let key = account("key", "it's; DROP TABLE spend; --", "month", 682).unwrap();
        let team = account("team", "red", "lifetime", 0).unwrap();
        let spend = |money| Spend {
            requests: 1,
            input: 2,
            output: 3,
            money,
        };
        {
            let ledger = open_ledger(folder.path()).unwrap();
            assert_eq!(ledger.load("a").unwrap(), (0, Vec::new()));
            ledger.add("a", 7, &[(key.clone(), spend(5))]).unwrap();
            let both = [(key.clone(), spend(6)), (team.clone(), spend(1))];
            ledger.add("b", 3, &both).unwrap();
        }
        let ledger = open_ledger(folder.path()).unwrap();
        let (last, sums) = ledger.load("a").unwrap();
        assert_eq!(last, 7);
        assert_eq!(sums, [(key, spend(5).plus(spend(6))), (team, spend(1))]);
        assert_eq!(ledger.load("b").unwrap().0, 3);
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spend.db"), "not a database".repeat(99)).unwrap();
        let error = open_ledger(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    }
}
