//! Keys, teams and sessions in tables: what is looked for has columns, what is only read is JSON in one of them.

use super::cells::{micros, read_grant, read_key, read_team, settings, team_settings, written};
use super::engine::{Engine, Problem, Row, Step, Unreadable, step};
use crate::auth::{Bearer, Changes, Credentials, Grant, KeyRecord, KeyStore, StoreError, Team};
use crate::shared::Shared;
use crate::vault::{Shelf, ShelfError};
use jiff::Timestamp;
use std::sync::Arc;

/// A key store in a database.
#[derive(Debug)]
pub(super) struct Keys {
    engine: Box<dyn Engine>,
    /// Where others are told of changes.
    shared: Option<Arc<dyn Shared>>,
}

/// The columns of a key, as [`read_key`] takes them.
macro_rules! key_columns {
    () => {
        "k.id, k.name, k.prefix, k.team, k.created, k.revoked, k.settings, k.changed"
    };
}

/// Counts a change. It locks the counter until the transaction ends, so that changes become visible in their order.
const CHANGE: &str = "UPDATE counters SET value = value + 1 WHERE name = 'keys' RETURNING value";
/// Says of a key that it changed.
const TOUCH: &str = "UPDATE keys SET changed = (SELECT value FROM counters WHERE name = 'keys') \
    WHERE id = $1 RETURNING id";
/// The name under which the key of clients' credentials is kept.
const CLIENTS: &str = "vault.clients";
/// Most rows that one sweep removes.
const SWEEP: i64 = 10_000;

impl Keys {
    pub(super) fn new(engine: impl Engine + 'static, shared: Option<Arc<dyn Shared>>) -> Self {
        Self {
            engine: Box::new(engine),
            shared,
        }
    }

    fn read<T>(
        &self,
        doing: &'static str,
        step: Step,
        parse: fn(Row) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = |source: Problem| StoreError { doing, source };
        let rows = self.engine.read(step).map_err(failed)?;
        let parsed: Result<_, _> = rows.into_iter().map(parse).collect();
        parsed.map_err(|error: Unreadable| failed(error.into()))
    }

    /// Runs a transaction, and tells others if it counted a change; true if its last statement returned a row.
    fn write(&self, doing: &'static str, steps: Vec<Step>) -> Result<bool, StoreError> {
        let counted = steps.first().is_some_and(|step| step.sql == CHANGE);
        let written = self.engine.write(steps);
        let rows = written.map_err(|source| StoreError { doing, source })?;
        if let Some(shared) = self.shared.as_ref().filter(|_| counted) {
            shared.tell();
        }
        Ok(rows.last().is_some_and(|rows| !rows.is_empty()))
    }
}

impl KeyStore for Keys {
    fn insert(&self, key: &KeyRecord, bearer: &Bearer) -> Result<(), StoreError> {
        let insert = step(
            "INSERT INTO keys (id, name, prefix, team, created, revoked, settings, changed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
            [
                (&*key.id).into(),
                key.name.as_str().into(),
                key.prefix.as_str().into(),
                key.team.as_deref().into(),
                micros(key.created).into(),
                key.revoked.map(micros).into(),
                settings(key)?,
            ],
        );
        self.write("insert a key", vec![insert, insert_bearer(&key.id, bearer)])?;
        Ok(())
    }

    fn add_session(&self, key: &str, bearer: &Bearer) -> Result<(), StoreError> {
        self.write("keep a session", vec![insert_bearer(key, bearer)])?;
        Ok(())
    }

    fn rotate(&self, key: &str, bearer: &Bearer, at: Timestamp) -> Result<(), StoreError> {
        let retire = step(
            "UPDATE bearers SET expires = $1 WHERE key = $2 AND session IS NULL AND (expires IS NULL OR expires > $1)",
            [micros(at).into(), key.into()],
        );
        let show = step(
            "UPDATE keys SET prefix = $1 WHERE id = $2",
            [bearer.prefix.as_str().into(), key.into()],
        );
        let steps = vec![
            step(CHANGE, []),
            retire,
            insert_bearer(key, bearer),
            show,
            step(TOUCH, [key.into()]),
        ];
        self.write("rotate a key", steps)?;
        Ok(())
    }

    fn update(&self, key: &KeyRecord) -> Result<bool, StoreError> {
        let update = step(
            "UPDATE keys SET name = $1, team = $2, settings = $3, \
             changed = (SELECT value FROM counters WHERE name = 'keys') WHERE id = $4 AND changed = $5 RETURNING id",
            [
                key.name.as_str().into(),
                key.team.as_deref().into(),
                settings(key)?,
                (&*key.id).into(),
                key.version.cast_signed().into(),
            ],
        );
        self.write("change a key", vec![step(CHANGE, []), update])
    }

    fn revoke(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let revoke = step(
            "UPDATE keys SET revoked = coalesce(revoked, $1), \
             changed = (SELECT value FROM counters WHERE name = 'keys') WHERE id = $2 RETURNING id",
            [micros(at).into(), id.into()],
        );
        self.write("revoke a key", vec![step(CHANGE, []), revoke])
    }

    fn end_session(&self, key: &str, session: &str, at: Timestamp) -> Result<bool, StoreError> {
        let end = step(
            "UPDATE bearers SET revoked = coalesce(revoked, $1) WHERE key = $2 AND session = $3 RETURNING key",
            [micros(at).into(), key.into(), session.into()],
        );
        let steps = vec![step(CHANGE, []), step(TOUCH, [key.into()]), end];
        self.write("end a session", steps)
    }

    fn put_session_credentials(
        &self,
        (key, session): (&str, &str),
        old: &Credentials,
        new: &Credentials,
    ) -> Result<bool, StoreError> {
        let put = step(
            "UPDATE bearers SET credentials = $1 \
             WHERE key = $2 AND session = $3 AND coalesce(credentials, '{}') = $4 RETURNING key",
            [written(new)?, key.into(), session.into(), written(old)?],
        );
        let steps = vec![step(CHANGE, []), step(TOUCH, [key.into()]), put];
        self.write("keep a session's credential", steps)
    }

    fn find(&self, prefix: &str) -> Result<Vec<Grant>, StoreError> {
        let sql = concat!(
            "SELECT b.prefix, b.hash, b.session, b.end_user, b.credentials, b.expires, b.revoked, ",
            key_columns!(),
            ", t.name, t.settings, t.changed FROM bearers b JOIN keys k ON k.id = b.key \
             LEFT JOIN teams t ON t.name = k.team WHERE b.prefix = $1"
        );
        self.read("look up a key", step(sql, [prefix.into()]), read_grant)
    }

    fn lookup(&self, id: &str, beginning: &str) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = concat!(
            "SELECT ",
            key_columns!(),
            " FROM keys k WHERE k.id = $1 \
             OR ($2 <> '' AND substr(k.prefix, 1, length($2)) = $2) ORDER BY k.id = $1 DESC LIMIT 2"
        );
        let step = step(sql, [id.into(), beginning.into()]);
        self.read("look up a key", step, |mut row| read_key(&mut row))
    }

    fn list(&self, after: Option<&str>, count: u32) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = concat!(
            "SELECT ",
            key_columns!(),
            " FROM keys k WHERE k.position > coalesce((SELECT position FROM keys WHERE id = $1), 0) \
             ORDER BY k.position LIMIT $2"
        );
        let step = step(sql, [after.into(), i64::from(count).into()]);
        self.read("list keys", step, |mut row| read_key(&mut row))
    }

    fn put_team(&self, team: &Team) -> Result<bool, StoreError> {
        let put = step(
            "INSERT INTO teams (name, settings, changed) \
             VALUES ($1, $2, (SELECT value FROM counters WHERE name = 'keys')) \
             ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, changed = excluded.changed \
             WHERE teams.changed = $3 RETURNING name",
            [
                (&*team.name).into(),
                team_settings(team)?,
                team.version.cast_signed().into(),
            ],
        );
        self.write("keep a team", vec![step(CHANGE, []), put])
    }

    fn teams(&self) -> Result<Vec<Team>, StoreError> {
        let sql = "SELECT name, settings, changed FROM teams ORDER BY name";
        self.read("list teams", step(sql, []), |mut row| read_team(&mut row))
    }

    fn changes(&self, since: Option<u64>) -> Result<Changes, StoreError> {
        const DOING: &str = "read what changed";
        let sql = "SELECT value FROM counters WHERE name = 'keys'";
        let counted = self.read(DOING, step(sql, []), |mut row| row.integer())?;
        let version = counted.first().copied().unwrap_or_default();
        let mut changes = Changes {
            version: version.cast_unsigned(),
            ..Changes::default()
        };
        let Some(since) = since.filter(|since| *since != changes.version) else {
            return Ok(changes);
        };
        // A store put back from a backup counts from an earlier number: then anything may have changed.
        let since = since.cast_signed();
        let since = if since > version { 0 } else { since };
        let sql = "SELECT id FROM keys WHERE changed > $1 AND changed > 0";
        let keys = step(sql, [since.into()]);
        changes.keys = self.read(DOING, keys, |mut row| Ok(row.text()?.into()))?;
        let sql = "SELECT name, settings, changed FROM teams WHERE changed > $1";
        let teams = step(sql, [since.into()]);
        changes.teams = self.read(DOING, teams, |mut row| read_team(&mut row))?;
        Ok(changes)
    }

    fn sweep(&self, before: Timestamp) -> Result<(), StoreError> {
        let sweep = step(
            "DELETE FROM bearers WHERE (prefix, hash) IN \
             (SELECT prefix, hash FROM bearers WHERE expires < $1 LIMIT $2)",
            [micros(before).into(), SWEEP.into()],
        );
        self.write("forget what ended", vec![sweep])?;
        Ok(())
    }

    fn recall(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM memory WHERE name = $1";
        let mut kept = self.read("recall a value", step(sql, [name.into()]), |mut row| {
            row.text()
        })?;
        Ok(kept.pop())
    }

    fn remember(&self, name: &str, old: Option<&str>, new: &str) -> Result<bool, StoreError> {
        let step = match old {
            None => step(
                "INSERT INTO memory (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING name",
                [name.into(), new.into()],
            ),
            Some(old) => step(
                "UPDATE memory SET value = $1 WHERE name = $2 AND value = $3 RETURNING name",
                [new.into(), name.into(), old.into()],
            ),
        };
        self.write("remember a value", vec![step])
    }
}

/// Where all gateways find the key of clients' credentials.
impl Shelf for dyn KeyStore {
    fn kept(&self) -> Result<Option<String>, ShelfError> {
        Ok(self.recall(CLIENTS)?)
    }

    fn replace(&self, old: Option<&str>, new: &str) -> Result<bool, ShelfError> {
        Ok(self.remember(CLIENTS, old, new)?)
    }
}

/// Keeps a text that may be presented; fails if its key is not there.
fn insert_bearer(key: &str, bearer: &Bearer) -> Step {
    step(
        "INSERT INTO bearers (prefix, hash, session, end_user, expires, revoked, key) \
         VALUES ($1, $2, $3, $4, $5, $6, (SELECT id FROM keys WHERE id = $7))",
        [
            bearer.prefix.as_str().into(),
            bearer.hash.as_slice().into(),
            bearer.session.as_deref().into(),
            bearer.user.as_deref().into(),
            bearer.expires.map(micros).into(),
            bearer.revoked.map(micros).into(),
            key.into(),
        ],
    )
}
