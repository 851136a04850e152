//! Who made what providers keep: `kept.db` in the data folder, apart from the keys, which must not wait for it; or the
//! PostgreSQL database that gateways share.

use super::cells::micros;
use super::engine::{Engine, Problem, step};
use super::row::{Cells, Unreadable};
use super::sqlite::Sqlite;
use super::{Config, OpenError, postgres};
use crate::kept::{KeptError, KeptStore, Maker};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// One step per version of `kept.db`.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE kept (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        provider TEXT NOT NULL,
        id       TEXT NOT NULL,
        key      TEXT NOT NULL,
        team     TEXT,
        session  TEXT,
        since    INTEGER NOT NULL,
        UNIQUE (provider, id)
    ) STRICT;
    CREATE INDEX kept_since ON kept (since);
"];

/// The most ids that are known; beyond it, the oldest ones are forgotten.
const MOST: i64 = 2_000_000;
/// Most ids that one sweep forgets for their age, and as many beyond [`MOST`].
const SWEEP: i64 = 50_000;

/// Makers in a database.
#[derive(Debug)]
struct Makers {
    engine: Box<dyn Engine>,
}

/// Opens the store beside the one that keeps keys: `kept.db` in the data folder (mode 0600, made if needed, checked), or a
/// table in the PostgreSQL database. Blocks.
///
/// # Errors
///
/// If it cannot be opened, is damaged or of a later version.
pub fn open_kept(config: &Config, data: &Path) -> Result<Arc<dyn KeptStore>, OpenError> {
    let url = config.url.expose();
    let engine: Box<dyn Engine> = if url == "sqlite" {
        // An id that a loss of power takes is refused later on: nothing worse.
        Box::new(Sqlite::open(data, "kept.db", MIGRATIONS)?.unhurried())
    } else {
        Box::new(postgres::Postgres::open(url, config.ca.as_deref())?)
    };
    Ok(Arc::new(Makers { engine }))
}

impl KeptStore for Makers {
    fn keep(
        &self,
        provider: &str,
        ids: &[String],
        maker: &Maker,
        now: Timestamp,
    ) -> Result<(), KeptError> {
        let insert = |id: &String| {
            step(
                "INSERT INTO kept (provider, id, key, team, session, since) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (provider, id) DO NOTHING",
                [
                    provider.into(),
                    id.as_str().into(),
                    (&*maker.key).into(),
                    maker.team.as_deref().into(),
                    maker.session.as_deref().into(),
                    micros(now).into(),
                ],
            )
        };
        let written = self.engine.write(ids.iter().map(insert).collect());
        written.map(drop).map_err(failed("write"))
    }

    fn maker(&self, provider: &str, id: &str) -> Result<Option<Maker>, KeptError> {
        let find = step(
            "SELECT key, team, session FROM kept WHERE provider = $1 AND id = $2",
            [provider.into(), id.into()],
        );
        let rows = self.engine.read(find).map_err(failed("read"))?;
        let maker = rows.last().map(|row| read_maker(row.cells())).transpose();
        maker.map_err(|error| failed("read")(error.into()))
    }

    fn sweep(&self, before: Timestamp) -> Result<(), KeptError> {
        let old = step(
            "DELETE FROM kept WHERE position IN (SELECT position FROM kept WHERE since < $1 LIMIT $2)",
            [micros(before).into(), SWEEP.into()],
        );
        let surplus = step(
            "DELETE FROM kept WHERE position IN (SELECT position FROM kept \
             WHERE position <= (SELECT max(position) FROM kept) - $1 LIMIT $2)",
            [MOST.into(), SWEEP.into()],
        );
        let swept = self.engine.write(vec![old, surplus]);
        swept.map(drop).map_err(failed("write"))
    }
}

fn read_maker(mut row: Cells<'_>) -> Result<Maker, Unreadable> {
    Ok(Maker {
        key: row.text()?.into(),
        team: row.optional_text()?.map(Into::into),
        session: row.optional_text()?.map(Into::into),
    })
}

fn failed(doing: &'static str) -> impl Fn(Problem) -> KeptError {
    move |source| KeptError { doing, source }
}
