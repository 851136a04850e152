//! All keys and what may be presented for them, packed in memory, so that a lookup costs the same with a million keys as
//! with ten.
//!
//! They are gathered page by page beside the gateway's work. What changes from the beginning on is taken in by the counter
//! that tells of all changes, so that nothing read in between is missed or put back. What is new is not counted, since all
//! who open sessions would wait for each other at the counter: it is asked for by its prefix when it is presented.

use super::cells::{micros, read_bearer, read_key, read_team};
use super::engine::{Engine, Problem, Step, Value, step};
use super::row::{Cells, Unreadable};
use super::rows::{KEY_CELLS, Rows, TEXT_CELLS};
use crate::auth::{Grant, Team};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The most memory that it may take: some five million keys.
const MOST_BYTES: usize = 1 << 30;
/// Rows read at a time.
const PAGE: i64 = 2_000;
/// Prefixes asked for in one statement.
const ASKED: usize = 8;
macro_rules! bearers {
    ($rest:literal) => {
        concat!(
            "SELECT prefix, hash, session, end_user, credentials, expires, revoked, key FROM bearers ",
            $rest
        )
    };
}
macro_rules! keys {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT id, name, prefix, team, created, revoked, settings, changed",
            $more,
            " FROM keys ",
            $rest
        )
    };
}
const VERSION: &str = "SELECT value FROM counters WHERE name = 'keys'";
const TEAMS: &str = "SELECT name, settings, changed FROM teams WHERE changed > $1";

/// What those hear who waited for another's look.
const UNANSWERED: &str = "the store did not answer";

/// All that may be presented, as of the last look.
#[derive(Debug)]
pub(super) struct Directory {
    rows: RwLock<Rows>,
    teams: RwLock<BTreeMap<Arc<str>, Arc<Team>>>,
    /// Whether everything is in it: what is not, is not in the store either.
    complete: AtomicBool,
    asked: Mutex<Asked>,
    looked: Mutex<Looked>,
}

/// What the next look is for.
#[derive(Debug, Default)]
struct Asked {
    /// Looks at the store that were begun.
    begun: u64,
    prefixes: Vec<String>,
}

/// What came of looking at the store; held by whoever looks.
#[derive(Debug)]
struct Looked {
    /// The store's version up to which changes were taken in.
    version: i64,
    /// Which look was the last that ended, and which the last that had no answer.
    number: u64,
    failed: u64,
    /// What the last one with an answer found.
    found: Found,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is true as of now.
    True,
    /// Nothing in it can be relied on: the store was put back from a backup, or holds more than may be in memory.
    Useless,
}

impl Directory {
    /// With nothing in it yet, from now on true to what changes.
    pub(super) fn begin(engine: &dyn Engine) -> Result<Self, Problem> {
        Ok(Self {
            rows: RwLock::default(),
            teams: RwLock::default(),
            complete: AtomicBool::new(false),
            asked: Mutex::default(),
            looked: Mutex::new(Looked {
                version: version(engine)?,
                number: 0,
                failed: 0,
                found: Found::True,
            }),
        })
    }

    /// Reads everything, for seconds if it is much.
    pub(super) fn gather(&self, engine: &dyn Engine) -> Result<Found, Problem> {
        self.take_teams(engine, -1)?;
        let mut after = 0;
        let page = |after: i64| {
            let sql = keys!(
                ", position",
                "WHERE position > $1 ORDER BY position LIMIT $2"
            );
            step(sql, [after.into(), PAGE.into()])
        };
        let mut rows = engine.read(page(after))?;
        while !rows.is_empty() && self.fits() {
            for row in rows {
                let mut cells = row.cells();
                let key = cells.take(KEY_CELLS);
                after = cells.integer()?;
                self.rows_mut().put_key(Cells::new(key), false);
            }
            rows = engine.read(page(after))?;
        }
        let page = |[prefix, hash]: [Value; 2]| {
            let sql = bearers!("WHERE (prefix, hash) > ($1, $2) ORDER BY prefix, hash LIMIT $3");
            step(sql, [prefix, hash, PAGE.into()])
        };
        let mut rows = engine.read(page(["".into(), [].as_slice().into()]))?;
        while !rows.is_empty() && self.fits() {
            for row in &rows {
                self.rows_mut().put_text(row.cells(), false);
            }
            let Some(last) = rows.last() else { break };
            let mut last = last.cells();
            let (prefix, hash): (_, [u8; 32]) = (last.text()?, last.bytes()?);
            rows = engine.read(page([prefix.into(), hash.as_slice().into()]))?;
        }
        if !self.fits() {
            return Ok(Found::Useless);
        }
        self.complete.store(true, Ordering::Release);
        Ok(Found::True)
    }

    /// Whether what is not in it is new, or not in the store either.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Takes in what changed until now, and what is new and has this prefix. Those who come while one looks share the next
    /// look, and its failure.
    pub(super) fn catch_up(
        &self,
        engine: &dyn Engine,
        prefix: Option<&str>,
    ) -> Result<Found, Problem> {
        let come = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.prefixes.extend(prefix.map(str::to_owned));
            asked.begun
        };
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.failed > come {
            return Err(UNANSWERED.into());
        }
        if looked.number > come {
            return Ok(looked.found);
        }
        let prefixes = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.begun += 1;
            looked.number = asked.begun;
            std::mem::take(&mut asked.prefixes)
        };
        let found = self.look(engine, looked.version, &prefixes);
        if found.is_err() {
            looked.failed = looked.number;
        }
        (looked.found, looked.version) = found?;
        Ok(looked.found)
    }

    /// Takes in what changed since a version and what has these prefixes, and gives the present version.
    fn look(
        &self,
        engine: &dyn Engine,
        since: i64,
        prefixes: &[String],
    ) -> Result<(Found, i64), Problem> {
        let version = version(engine)?;
        if version < since || !self.fits() {
            return Ok((Found::Useless, version));
        }
        if version > since {
            self.take_changes(engine, since)?;
        }
        for some in prefixes.chunks(ASKED) {
            let mut asked = [const { Value::Null }; ASKED];
            for (place, prefix) in asked.iter_mut().zip(some) {
                *place = prefix.as_str().into();
            }
            let sql = bearers!("WHERE prefix IN ($1, $2, $3, $4, $5, $6, $7, $8)");
            self.take_bearers(engine, step(sql, asked))?;
        }
        Ok((Found::True, version))
    }

    fn take_changes(&self, engine: &dyn Engine, since: i64) -> Result<(), Problem> {
        let changed = |sql| step(sql, [since.into()]);
        self.take_teams(engine, since)?;
        let sql = keys!("", "WHERE changed > $1 AND changed > 0");
        for row in engine.read(changed(sql))? {
            self.rows_mut().put_key(row.cells(), true);
        }
        let sql = bearers!("WHERE changed > $1 AND changed > 0");
        self.take_bearers(engine, changed(sql))
    }

    fn take_bearers(&self, engine: &dyn Engine, which: Step) -> Result<(), Problem> {
        for row in engine.read(which)? {
            // A new key's own row counts no change.
            let mut key = row.cells();
            key.take(TEXT_CELLS);
            let key = key.text()?;
            if !self.rows().has_key(key) {
                let sql = keys!("", "WHERE id = $1");
                for row in engine.read(step(sql, [key.into()]))? {
                    self.rows_mut().put_key(row.cells(), true);
                }
            }
            self.rows_mut().put_text(row.cells(), true);
        }
        Ok(())
    }

    /// Whatever has this prefix; `None` if it holds nothing of it.
    pub(super) fn find(&self, prefix: &str) -> Result<Option<Vec<Grant>>, Unreadable> {
        let rows = self.rows();
        let mut grants = Vec::new();
        for (mut bearer, key) in rows.find(prefix) {
            let Some(mut key) = key else {
                return Ok(None);
            };
            let key = Arc::new(read_key(&mut key)?);
            let teams = self.teams.read().unwrap_or_else(PoisonError::into_inner);
            let team = key.team.as_deref().and_then(|team| teams.get(team));
            grants.push(Grant {
                bearer: read_bearer(&mut bearer)?,
                team: team.cloned(),
                key,
            });
        }
        Ok((!grants.is_empty()).then_some(grants))
    }

    /// Forgets some of what ended before this time: after some calls, all of it.
    pub(super) fn sweep(&self, before: Timestamp) {
        self.rows_mut().sweep(micros(before));
    }

    fn take_teams(&self, engine: &dyn Engine, since: i64) -> Result<(), Problem> {
        for row in engine.read(step(TEAMS, [since.into()]))? {
            let team = Arc::new(read_team(&mut row.cells())?);
            let mut teams = self.teams.write().unwrap_or_else(PoisonError::into_inner);
            let known = teams.get(&team.name);
            if known.is_none_or(|known| known.version < team.version) {
                teams.insert(Arc::clone(&team.name), team);
            }
        }
        Ok(())
    }

    fn fits(&self) -> bool {
        self.rows().bytes() <= MOST_BYTES
    }

    fn rows(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows_mut(&self) -> RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(engine: &dyn Engine) -> Result<i64, Problem> {
    let version: Step = step(VERSION, []);
    let rows = engine.read(version)?;
    Ok(rows.last().map_or(Ok(0), |row| row.cells().integer())?)
}
