//! What a gateway does beside its work, from its start on: it takes all keys into memory, and checks files whole that are too
//! large for it before the start.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crate::config::Config;
use crate::proxy::Gateway;
use crate::store;

/// Works on threads of its own, which nobody waits for at the end. One that panics stops no other.
pub(super) struct Upkeep {
    gateway: Arc<Gateway>,
    /// What is not checked yet.
    unchecked: Option<(store::Config, PathBuf)>,
    checking: Option<JoinHandle<()>>,
    gathering: Option<JoinHandle<()>>,
}

impl Upkeep {
    pub(super) fn new(gateway: Arc<Gateway>, config: &Config) -> Self {
        Self {
            gateway,
            unchecked: Some((config.store.clone(), config.data.clone())),
            checking: None,
            gathering: None,
        }
    }

    /// Begins what is to be done, if anything is and it is not under way: to be called now and then.
    pub(super) fn begin(&mut self) {
        let is_at_work = |working: &JoinHandle<()>| !working.is_finished();
        if self.gateway.keyring.needs_gathering()
            && !self.gathering.as_ref().is_some_and(is_at_work)
        {
            let gateway = Arc::clone(&self.gateway);
            self.gathering = spawn("gather", move || gather(&gateway));
        }
        if let Some((store, data)) = self.unchecked.clone() {
            let gateway = Arc::clone(&self.gateway);
            self.checking = spawn("check", move || check(&gateway, &store, &data));
            if self.checking.is_some() {
                self.unchecked = None;
            }
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let spawned = thread.spawn(work);
    spawned
        .inspect_err(
            |error| tracing::error!(%error, name, "no thread to look after the key store on"),
        )
        .ok()
}

fn gather(gateway: &Gateway) {
    match gateway.keyring.gather() {
        Ok(true) => {}
        Ok(false) => tracing::warn!(
            "there are more keys than are kept in memory: those not used lately are looked up in the store"
        ),
        Err(error) => {
            let cause = error.source.to_string();
            tracing::warn!(%error, cause, "keys are looked up in the store for now");
        }
    }
}

/// Goes on with what can be read of a damaged file, and is not ready any more: whoever is, takes over.
fn check(gateway: &Gateway, store: &store::Config, data: &std::path::Path) {
    if let Err(error) = store::verify(store, data) {
        gateway.load.stores_whole.store(false, Ordering::Release);
        tracing::error!(%error, "a file of the data folder is damaged");
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::config::Policies;
    use crate::serve::build;

    /// An index of other values than its table, in a file that is too large to be compared with its indexes before the start.
    #[test]
    fn a_damaged_index_is_found_after_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().join("data"),
            ..Config::default()
        };
        let path = config.data.join("sluicegate.db");
        for is_damaged in [false, true] {
            let built = build::build(&config, Policies::default(), None).unwrap();
            let gateway = &built.gateway;
            let mut upkeep = Upkeep::new(Arc::clone(gateway), &config);
            upkeep.begin();
            for working in [upkeep.gathering.take(), upkeep.checking.take()] {
                working.unwrap().join().unwrap();
            }
            assert!(!gateway.keyring.needs_gathering());
            let is_whole = gateway.load.stores_whole.load(Ordering::Acquire);
            assert_eq!(is_whole, !is_damaged);
            upkeep.begin();
            let is_idle = upkeep.gathering.is_none() && upkeep.checking.is_none();
            assert!(is_idle, "nothing is left to do");
            let connection = Connection::open(&path).unwrap();
            let damage = "PRAGMA writable_schema = ON;
                CREATE TABLE IF NOT EXISTS padding (bytes);
                INSERT INTO padding VALUES (zeroblob(17000000));
                UPDATE sqlite_schema SET sql = 'CREATE INDEX bearers_key ON bearers (session)'
                WHERE name = 'bearers_key';";
            connection.execute_batch(damage).unwrap();
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            connection.query_row(checkpoint, [], |_| Ok(())).unwrap();
        }
        let error = store::verify(&config.store, &config.data).unwrap_err();
        assert!(error.to_string().contains("bearers_key"), "{error}");
    }
}
