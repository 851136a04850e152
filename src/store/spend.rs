//! What was spent, as sums in tables: `spend.db` in the data folder, apart from the keys, so that neither waits for the
//! other; or the PostgreSQL database that gateways share.

use super::engine::{Engine, Problem, Step, Value, step};
use super::row::{Cells, Unreadable};
use super::sqlite::Sqlite;
use super::{Config, OpenError, postgres};
use crate::limit::{Account, Ledger, LedgerError, Spend, account};
use std::path::Path;
use std::sync::Arc;

/// One step per version of `spend.db`.
const MIGRATIONS: &[&str] = &["
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
"];

/// Sums in a database.
#[derive(Debug)]
struct Sums {
    engine: Box<dyn Engine>,
    shared: bool,
}

/// Opens the ledger beside the store that keeps keys: `spend.db` in the data folder (mode 0600, made if needed, checked),
/// or tables in the PostgreSQL database. Blocks.
///
/// # Errors
///
/// If it cannot be opened, is damaged or of a later version.
pub fn open_ledger(config: &Config, data: &Path) -> Result<Arc<dyn Ledger>, OpenError> {
    let url = config.url.expose();
    let shared = url != "sqlite";
    let engine: Box<dyn Engine> = if shared {
        Box::new(postgres::Postgres::open(url, config.ca.as_deref())?)
    } else {
        Box::new(Sqlite::open(data, "spend.db", MIGRATIONS)?)
    };
    Ok(Arc::new(Sums { engine, shared }))
}

impl Ledger for Sums {
    fn load(&self, journal: &str) -> Result<(u64, Vec<(Account, Spend)>), LedgerError> {
        let last = step(
            "SELECT last FROM journals WHERE name = $1",
            [journal.into()],
        );
        let mut last = self.read(last, unsigned)?;
        let sums = step(
            "SELECT requests, input, output, money, scope, subject, cycle, number FROM spend",
            [],
        );
        Ok((last.pop().unwrap_or(0), self.read(sums, read_sum)?))
    }

    fn add(
        &self,
        journal: &str,
        (from, to): (u64, u64),
        changes: &[(Account, Spend)],
    ) -> Result<bool, LedgerError> {
        let begin = step(
            "INSERT INTO journals (name, last) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING",
            [journal.into()],
        );
        // An earlier attempt, whose answer was lost, may be at it still: this waits for it.
        let lock = step(
            "UPDATE journals SET last = last WHERE name = $1",
            [journal.into()],
        );
        let end = step(
            "UPDATE journals SET last = $1 WHERE name = $2 AND last = $3 RETURNING name",
            [signed(to), journal.into(), signed(from)],
        );
        let mut steps = vec![begin, lock];
        steps.extend(
            changes
                .iter()
                .map(|(account, spend)| add_one((journal, from), account, *spend)),
        );
        steps.push(end);
        let written = self.engine.write(steps).map_err(failed("write"))?;
        Ok(written.last().is_some_and(|rows| !rows.is_empty()))
    }

    fn spent(&self, account: &Account) -> Result<Spend, LedgerError> {
        let step = step(
            "SELECT requests, input, output, money FROM spend \
             WHERE scope = $1 AND subject = $2 AND cycle = $3 AND number = $4",
            [
                account.scope.name().into(),
                (&*account.subject).into(),
                account.window.cycle.name().into(),
                i64::from(account.window.number).into(),
            ],
        );
        let found = self.read(step, read_spend)?.pop();
        Ok(found.unwrap_or_default())
    }

    fn is_shared(&self) -> bool {
        self.shared
    }
}

impl Sums {
    fn read<T>(
        &self,
        step: Step,
        parse: fn(&mut Cells<'_>) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, LedgerError> {
        let rows = self.engine.read(step).map_err(failed("read"))?;
        let parsed: Result<_, _> = rows.iter().map(|row| parse(&mut row.cells())).collect();
        parsed.map_err(|error: Unreadable| failed("read")(error.into()))
    }
}

/// Adds to one sum, if the journal's last line is still this one.
fn add_one((journal, from): (&str, u64), account: &Account, spend: Spend) -> Step {
    step(
        "INSERT INTO spend (scope, subject, cycle, number, requests, input, output, money) \
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), \
             CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS BIGINT) \
         WHERE (SELECT last FROM journals WHERE name = $9) = $10 \
         ON CONFLICT (scope, subject, cycle, number) DO UPDATE SET \
             requests = spend.requests + excluded.requests, input = spend.input + excluded.input, \
             output = spend.output + excluded.output, money = spend.money + excluded.money",
        [
            account.scope.name().into(),
            (&*account.subject).into(),
            account.window.cycle.name().into(),
            i64::from(account.window.number).into(),
            signed(spend.requests),
            signed(spend.input),
            signed(spend.output),
            signed(spend.money),
            journal.into(),
            signed(from),
        ],
    )
}

/// The databases' numbers are signed.
fn signed(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn unsigned(row: &mut Cells<'_>) -> Result<u64, Unreadable> {
    Ok(u64::try_from(row.integer()?).unwrap_or(0))
}

fn read_spend(row: &mut Cells<'_>) -> Result<Spend, Unreadable> {
    Ok(Spend {
        requests: unsigned(row)?,
        input: unsigned(row)?,
        output: unsigned(row)?,
        money: unsigned(row)?,
    })
}

fn read_sum(row: &mut Cells<'_>) -> Result<(Account, Spend), Unreadable> {
    let spend = read_spend(row)?;
    let (scope, subject, cycle) = (row.text()?, row.text()?, row.text()?);
    let number = u32::try_from(row.integer()?).ok();
    // What cannot be read must not count as nothing.
    let account = number.and_then(|number| account(scope, subject, cycle, number));
    let expected = "a scope and cycle that this version knows";
    Ok((account.ok_or(Unreadable { expected })?, spend))
}

fn failed(doing: &'static str) -> impl Fn(Problem) -> LedgerError {
    move |source| LedgerError { doing, source }
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
            let ledger = open_ledger(&Config::default(), folder.path()).unwrap();
            assert_eq!(ledger.load("a").unwrap(), (0, Vec::new()));
            let one = [(key.clone(), spend(5))];
            assert!(ledger.add("a", (0, 7), &one).unwrap());
            // Once, however often it is said.
            assert!(!ledger.add("a", (0, 7), &one).unwrap());
            let both = [(key.clone(), spend(6)), (team.clone(), spend(1))];
            assert!(ledger.add("b", (0, 3), &both).unwrap());
            assert_eq!(ledger.spent(&key).unwrap(), spend(5).plus(spend(6)));
        }
        let ledger = open_ledger(&Config::default(), folder.path()).unwrap();
        let (last, sums) = ledger.load("a").unwrap();
        assert_eq!(last, 7);
        assert_eq!(sums, [(key, spend(5).plus(spend(6))), (team, spend(1))]);
        assert_eq!(ledger.load("b").unwrap().0, 3);
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spend.db"), "not a database".repeat(99)).unwrap();
        let error = open_ledger(&Config::default(), folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    }
}
