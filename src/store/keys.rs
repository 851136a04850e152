//! Keys, teams and sessions in tables: what is looked for has columns, what is only read is JSON in one of them.

use super::cells::{micros, read_grant, read_key, read_team, settings, team_settings, written};
use super::directory::{Directory, Found};
use super::engine::{Engine, Problem, Step, step};
use super::row::{Cells, Unreadable};
use crate::auth::{Bearer, Changes, Credentials, Grant, KeyRecord, KeyStore, StoreError, Team};
use crate::shared::Shared;
use crate::vault::{Shelf, ShelfError};
use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A key store in a database.
#[derive(Debug)]
pub(super) struct Keys {
    engine: Box<dyn Engine>,
    /// Where others are told of changes.
    shared: Option<Arc<dyn Shared>>,
    /// All keys in memory, once they are wanted there.
    directory: ArcSwapOption<Directory>,
    /// Whether there are too many for that.
    too_many: AtomicBool,
}

/// The columns of a key, as [`read_key`] takes them.
macro_rules! key_columns {
    () => {
        "k.id, k.name, k.prefix, k.team, k.created, k.revoked, k.settings, k.changed"
    };
}

/// Counts a change. It locks the counter until the transaction ends, so that changes become visible in their order.
const CHANGE: &str = "UPDATE counters SET value = value + 1 WHERE name = 'keys' RETURNING value";
/// Counts what is new, of which nobody has to be told: whoever is presented it looks.
const COUNT: &str = "UPDATE counters SET value = value + 1 WHERE name = 'keys'";
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
            directory: ArcSwapOption::empty(),
            too_many: AtomicBool::new(false),
        }
    }

    /// The directory, true as of now, if there is one, with what is new and has this prefix. It may be on its way yet.
    fn directory(
        &self,
        doing: &'static str,
        prefix: Option<&str>,
    ) -> Result<Option<Arc<Directory>>, StoreError> {
        let Some(directory) = self.directory.load_full() else {
            return Ok(None);
        };
        let found = directory.catch_up(&*self.engine, prefix);
        match found.map_err(|source| StoreError { doing, source })? {
            Found::True => Ok(Some(directory)),
            Found::Useless => {
                self.directory.store(None);
                Ok(None)
            }
        }
    }

    fn read<T>(
        &self,
        doing: &'static str,
        step: Step,
        parse: fn(&mut Cells<'_>) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = |source: Problem| StoreError { doing, source };
        let rows = self.engine.read(step).map_err(failed)?;
        let parsed: Result<_, _> = rows.iter().map(|row| parse(&mut row.cells())).collect();
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
        let steps = vec![step(COUNT, []), insert, insert_bearer(&key.id, bearer)];
        self.write("insert a key", steps)?;
        Ok(())
    }

    fn add_session(&self, key: &str, bearer: &Bearer) -> Result<(), StoreError> {
        self.write("keep a session", vec![insert_bearer(key, bearer)])?;
        Ok(())
    }

    fn rotate(&self, key: &str, bearer: &Bearer, at: Timestamp) -> Result<(), StoreError> {
        let retire = step(
            "UPDATE bearers SET expires = $1, changed = (SELECT value FROM counters WHERE name = 'keys') \
             WHERE key = $2 AND session IS NULL AND (expires IS NULL OR expires > $1)",
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
            "UPDATE bearers SET revoked = coalesce(revoked, $1), \
             changed = (SELECT value FROM counters WHERE name = 'keys') WHERE key = $2 AND session = $3 RETURNING key",
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
            "UPDATE bearers SET credentials = $1, changed = (SELECT value FROM counters WHERE name = 'keys') \
             WHERE key = $2 AND session = $3 AND coalesce(credentials, '{}') = $4 RETURNING key",
            [written(new)?, key.into(), session.into(), written(old)?],
        );
        let steps = vec![step(CHANGE, []), step(TOUCH, [key.into()]), put];
        self.write("keep a session's credential", steps)
    }

    fn find(&self, prefix: &str) -> Result<Vec<Grant>, StoreError> {
        const DOING: &str = "look up a key";
        if let Some(directory) = self.directory(DOING, Some(prefix))?
            && directory.is_complete()
        {
            let found = directory.find(prefix).map_err(|error| StoreError {
                doing: DOING,
                source: error.into(),
            });
            return Ok(found?.unwrap_or_default());
        }
        let sql = concat!(
            "SELECT b.prefix, b.hash, b.session, b.end_user, b.credentials, b.expires, b.revoked, ",
            key_columns!(),
            ", t.name, t.settings, t.changed FROM bearers b JOIN keys k ON k.id = b.key \
             LEFT JOIN teams t ON t.name = k.team WHERE b.prefix = $1"
        );
        self.read(DOING, step(sql, [prefix.into()]), read_grant)
    }

    fn at_hand(&self, prefix: &str) -> Option<Vec<Grant>> {
        self.directory.load().as_ref()?.find(prefix).ok()?
    }

    fn needs_gathering(&self) -> bool {
        self.directory.load().is_none() && !self.too_many.load(Ordering::Acquire)
    }

    fn gather(&self) -> Result<bool, StoreError> {
        let gather = || {
            let directory = Arc::new(Directory::begin(&*self.engine)?);
            self.directory.store(Some(Arc::clone(&directory)));
            directory.gather(&*self.engine)
        };
        let gathered = gather();
        if !matches!(gathered, Ok(Found::True)) {
            self.directory.store(None);
        }
        let gathered = gathered.map_err(|source| StoreError {
            doing: "gather all keys",
            source,
        })?;
        self.too_many
            .store(gathered == Found::Useless, Ordering::Release);
        Ok(gathered == Found::True)
    }

    fn lookup(&self, id: &str, beginning: &str) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = concat!(
            "SELECT ",
            key_columns!(),
            " FROM keys k WHERE k.id = $1 \
             OR ($2 <> '' AND substr(k.prefix, 1, length($2)) = $2) ORDER BY k.id = $1 DESC LIMIT 2"
        );
        let step = step(sql, [id.into(), beginning.into()]);
        self.read("look up a key", step, read_key)
    }

    fn list(&self, after: Option<&str>, count: u32) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = concat!(
            "SELECT ",
            key_columns!(),
            " FROM keys k WHERE k.position > coalesce((SELECT position FROM keys WHERE id = $1), 0) \
             ORDER BY k.position LIMIT $2"
        );
        let step = step(sql, [after.into(), i64::from(count).into()]);
        self.read("list keys", step, read_key)
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
        self.read("list teams", step(sql, []), read_team)
    }

    fn changes(&self, since: Option<u64>) -> Result<Changes, StoreError> {
        const DOING: &str = "read what changed";
        let sql = "SELECT value FROM counters WHERE name = 'keys'";
        let counted = self.read(DOING, step(sql, []), read_number)?;
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
        changes.keys = self.read(DOING, keys, |row| Ok(row.text()?.into()))?;
        let sql = "SELECT name, settings, changed FROM teams WHERE changed > $1";
        let teams = step(sql, [since.into()]);
        changes.teams = self.read(DOING, teams, read_team)?;
        // Whoever finds something in memory from now on finds it as it is after these changes.
        self.directory(DOING, None)?;
        Ok(changes)
    }

    fn sweep(&self, before: Timestamp) -> Result<(), StoreError> {
        let sweep = step(
            "DELETE FROM bearers WHERE (prefix, hash) IN \
             (SELECT prefix, hash FROM bearers WHERE expires < $1 LIMIT $2)",
            [micros(before).into(), SWEEP.into()],
        );
        self.write("forget what ended", vec![sweep])?;
        if let Some(directory) = &*self.directory.load() {
            directory.sweep(before);
        }
        Ok(())
    }

    fn recall(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM memory WHERE name = $1";
        let mut kept = self.read("recall a value", step(sql, [name.into()]), |row| {
            Ok(row.text()?.to_owned())
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

fn read_number(cells: &mut Cells<'_>) -> Result<i64, Unreadable> {
    cells.integer()
}

/// Keeps a text that may be presented; fails if its key is not there.
fn insert_bearer(key: &str, bearer: &Bearer) -> Step {
    step(
        "INSERT INTO bearers (prefix, hash, session, end_user, expires, revoked, key, changed) \
         VALUES ($1, $2, $3, $4, $5, $6, (SELECT id FROM keys WHERE id = $7), \
         (SELECT value FROM counters WHERE name = 'keys'))",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Denied, Keyring, Pepper, generate};
    use crate::store::row::Row;
    use crate::store::sqlite::{MIGRATIONS, Sqlite};
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::AtomicUsize;

    /// A database that counts what is asked of it.
    #[derive(Debug)]
    struct Counting(Sqlite, Arc<AtomicUsize>);

    impl Engine for Counting {
        fn read(&self, step: Step) -> Result<Vec<Row>, Problem> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read(step)
        }

        fn write(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Problem> {
            self.0.write(steps)
        }
    }

    #[test]
    fn revoked_sessions_cost_no_statement_each() {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(folder.path(), "sluicegate.db", MIGRATIONS).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let keys: Arc<dyn KeyStore> = Arc::new(Keys::new(Counting(sqlite, asked.clone()), None));
        let pepper = || Pepper::open(folder.path()).unwrap();
        let (text, from) = (generate().unwrap(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let at = |second| Timestamp::from_second(second).unwrap();
        let bearer = Bearer::new(&pepper(), &text).unwrap();
        let record = KeyRecord::new(&bearer.prefix, "app", at(0));
        keys.insert(&record, &bearer).unwrap();
        let keyring = Keyring::open(Arc::clone(&keys), pepper(), true).unwrap();
        assert!(keyring.gather().unwrap());
        let present = |text: &str| keyring.look_up(text, from, at(1)).unwrap();
        let owner = present(text.expose());
        let open = |_| {
            let opened = keyring.open_session(&owner, None, at(900)).unwrap();
            present(opened.1.expose())
        };
        let sessions: Vec<_> = (0..50).map(open).collect();
        assert!(keys.revoke(&record.id, at(2)).unwrap());
        let before = asked.load(Ordering::Relaxed);
        assert!(keyring.refresh(at(2)).unwrap());
        let taken = asked.load(Ordering::Relaxed) - before;
        assert!(taken < 10, "{taken} statements");
        let ended = |session: &crate::auth::Principal| session.recheck(at(2));
        assert!(
            sessions
                .iter()
                .all(|session| ended(session) == Err(Denied::Revoked))
        );
    }
}
