//! Keys and credentials that another process changed, and what rested too long.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::upkeep::Upkeep;
use crate::config::{self, Config};
use crate::durable::{self, Stamp};
use crate::proxy::Gateway;
use crate::secret::Secret;
use crate::telemetry::Redactor;
use crate::vault::{self, Level, Reader};

/// How often other processes' changes are looked for: a revoked key stops within this time, whether or not anybody tells.
const STEP: Duration = Duration::from_millis(250);
/// Steps between sweeps of what rested too long.
const SWEEP_EVERY: u32 = 40;
/// Steps between bringing what was spent into the ledger.
const FOLD_EVERY: u32 = 4;
/// Reads every credential, so that the log can leave it out.
const READER: Reader<'_> = Reader {
    who: "redaction",
    level: Level::Admin,
};

/// Runs beside the gateway, on a thread of its own: it blocks.
pub(super) struct Refresh {
    gateway: Arc<Gateway>,
    redactor: Redactor,
    step: Duration,
    master_key_file: Option<PathBuf>,
    /// The state of that file whose key is not the vault's new one.
    tried: Option<Stamp>,
    upkeep: Upkeep,
    vault_healthy: bool,
    ledger_healthy: bool,
    access_log_healthy: bool,
}

impl Refresh {
    pub(super) fn new(gateway: Arc<Gateway>, redactor: Redactor, config: &Config) -> Self {
        let refresh = Self {
            upkeep: Upkeep::new(Arc::clone(&gateway), config),
            gateway,
            redactor,
            step: STEP,
            master_key_file: config.master_key_file.clone(),
            tried: None,
            vault_healthy: true,
            ledger_healthy: true,
            access_log_healthy: true,
        };
        refresh.protect();
        refresh
    }

    /// What other processes changed of keys. What cannot be read leaves in force what was read before, and says so once.
    fn refresh_keys(&self) {
        let healthy = &self.gateway.load.keys_healthy;
        match self.gateway.keyring.refresh(Timestamp::now()) {
            Ok(changed) => {
                healthy.store(true, Ordering::Release);
                if changed {
                    self.gateway.keys_changed.notify_waiters();
                }
            }
            Err(error) => {
                if healthy.swap(false, Ordering::AcqRel) {
                    let cause = error.source.to_string();
                    tracing::error!(%error, cause, "changes of keys do not arrive");
                }
            }
        }
    }

    /// What they changed in the vault, likewise.
    fn refresh_vault(&mut self) {
        let refreshed = match self.gateway.vault.refresh() {
            Err(rekeyed @ vault::Error::Rekeyed { .. }) => self.reopen(rekeyed),
            refreshed => refreshed,
        };
        match refreshed {
            Ok(changed) => {
                self.vault_healthy = true;
                if changed {
                    self.protect();
                }
            }
            Err(error) => {
                if std::mem::take(&mut self.vault_healthy) {
                    tracing::error!(%error, "credentials known so far stay in force");
                }
            }
        }
    }

    /// After `sluicegate vault rekey`: goes on with the new master key, once the file holds it.
    fn reopen(&mut self, rekeyed: vault::Error) -> Result<bool, vault::Error> {
        let Some(file) = &self.master_key_file else {
            return Err(rekeyed);
        };
        let stamp = durable::stamp(file).ok().flatten();
        if stamp.is_none() || stamp == self.tried {
            return Err(rekeyed);
        }
        self.tried = stamp;
        let Ok(master) = config::master_key_of(file) else {
            return Err(rekeyed);
        };
        match self.gateway.vault.reopen(&master) {
            Ok(()) => {
                self.tried = None;
                tracing::info!("the vault has a new master key, which the file holds");
                super::record(&self.gateway, "vault.reopen", "*".to_owned());
                Ok(true)
            }
            Err(vault::Error::WrongKey { .. }) => Err(rekeyed),
            Err(error) => Err(error),
        }
    }

    /// Keeps the vault's secrets out of the log.
    fn protect(&self) {
        let (mut secrets, mut damaged): (Vec<Secret>, Vec<String>) = (Vec::new(), Vec::new());
        for (name, secret) in self.gateway.vault.check(READER, Timestamp::now()) {
            match secret {
                Ok(secret) => secrets.push(secret),
                Err(_) => damaged.push(name),
            }
        }
        if !damaged.is_empty() {
            tracing::error!(
                entries = damaged.join(", "),
                "entries of the vault cannot be opened"
            );
        }
        self.redactor.protect(secrets);
    }

    /// Brings what was spent into the ledger, and reads of credentials into their log. What cannot be written stays in the
    /// journal, or counted.
    fn fold(&mut self) {
        match self.gateway.vault.flush() {
            Ok(()) => self.access_log_healthy = true,
            Err(error) => {
                if std::mem::take(&mut self.access_log_healthy) {
                    tracing::error!(%error, "reads of credentials are counted, not logged");
                }
            }
        }
        match self.gateway.limiter.fold() {
            Ok(()) => self.ledger_healthy = true,
            Err(error) => {
                if std::mem::take(&mut self.ledger_healthy) {
                    tracing::error!(%error, "the journal keeps what was spent");
                }
            }
        }
    }

    fn sweep(&mut self) {
        self.upkeep.begin();
        for upstream in self.gateway.table.providers() {
            upstream.sweep();
        }
        if let Some(hashicorp) = &self.gateway.hashicorp {
            hashicorp.sweep();
        }
        let limiter = &self.gateway.limiter;
        limiter.sweep(Instant::now().into_std(), Timestamp::now());
        self.gateway.own.forget_idle(Instant::now().into_std());
        if let Err(error) = self.gateway.vault.sweep(Timestamp::now()) {
            tracing::warn!(%error, "credentials whose overlap is over stay in the vault for now");
        }
        if let Err(error) = self.gateway.keyring.sweep(Timestamp::now()) {
            tracing::warn!(%error, "sessions that ended stay in the store for now");
        }
        if let Err(error) = self.gateway.kept.sweep(Timestamp::now()) {
            tracing::warn!(%error, "ids of stored answers stay known for now");
        }
    }
}

#[async_trait]
impl Service for Refresh {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let told = Arc::clone(&self.gateway.keys_told);
        let mut ticks = interval(self.step);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut step: u32 = 0;
        self.upkeep.begin();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = told.notified() => {
                    self.refresh_keys();
                    continue;
                }
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
            step = step.wrapping_add(1);
            self.refresh_keys();
            self.gateway.placeholders.prune(Timestamp::now());
            self.refresh_vault();
            if step.is_multiple_of(FOLD_EVERY) {
                self.fold();
            }
            if step.is_multiple_of(SWEEP_EVERY) {
                self.sweep();
            }
        }
    }

    fn name(&self) -> &'static str {
        "refresh"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine as _};

    use super::*;
    use crate::serve::build;
    use crate::store;
    use crate::vault::{MasterKey, NewEntry, Rekeying, Vault};

    #[test]
    fn keys_of_other_processes_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().join("data"),
            ..Config::default()
        };
        let built = build::build(&config, crate::config::Policies::default(), None).unwrap();
        let refresh = Refresh::new(Arc::clone(&built.gateway), Redactor::default(), &config);
        let store = crate::store::open(&config.store, &config.data, None).unwrap();
        let id = store.list(None, 1).unwrap()[0].id.clone();
        let before = built.gateway.keyring.generation();
        refresh.refresh_keys();
        assert_eq!(built.gateway.keyring.generation(), before);
        assert!(store.revoke(&id, Timestamp::now()).unwrap());
        refresh.refresh_keys();
        assert!(built.gateway.keyring.generation() > before);
    }

    /// Told, nobody waits for the next look.
    #[tokio::test]
    async fn what_others_tell_arrives_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().join("data"),
            ..Config::default()
        };
        let built = build::build(&config, crate::config::Policies::default(), None).unwrap();
        let keyring = &built.gateway.keyring;
        let mut refresh = Refresh::new(Arc::clone(&built.gateway), Redactor::default(), &config);
        refresh.step = Duration::from_hours(24);
        let store = crate::store::open(&config.store, &config.data, None).unwrap();
        let id = store.list(None, 1).unwrap()[0].id.clone();
        let before = keyring.generation();
        let (_stop, stopping) = tokio::sync::watch::channel(false);
        let changed = built.gateway.keys_changed.notified();
        let seen = async {
            tokio::task::yield_now().await; // the first look is over
            assert!(store.revoke(&id, Timestamp::now()).unwrap());
            built.gateway.keys_told.notify_one();
            changed.await;
        };
        tokio::select! {
            () = refresh.start_service(None, stopping, 1) => {}
            () = seen => {}
        }
        assert!(keyring.generation() > before);
    }

    /// In either order: the vault is put under a new key, and the file gets it.
    #[test]
    fn a_new_master_key_is_taken_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        let config = Config {
            data: folder.path().join("data"),
            master_key_file: Some(file.clone()),
            ..Config::default()
        };
        let keys = [(); 3].map(|()| BASE64_STANDARD.encode(rand::random::<[u8; 32]>()));
        let put = |key: &str| durable::replace(&file, key.as_bytes()).unwrap();
        let master = |key: &str| MasterKey::from_text(&Secret::new(key)).unwrap();
        let open = |key: &str| Vault::open(&config.data, Some(&master(key))).unwrap();
        put(&keys[0]);
        let built = build::build(&config, crate::config::Policies::default(), None).unwrap();
        let vault = &built.gateway.vault;
        let mut refresh = Refresh::new(Arc::clone(&built.gateway), Redactor::default(), &config);
        for (from, to, first) in [(&keys[0], &keys[1], false), (&keys[1], &keys[2], true)] {
            if first {
                put(to);
            }
            let now = Timestamp::now();
            let keys = Rekeying {
                from: &master(from),
                to: &master(to),
            };
            let store = store::open(&store::Config::default(), &config.data, None).unwrap();
            let rekeyed = open(from).rekey((keys, &*store), READER, now, &mut |_, _| {});
            rekeyed.unwrap();
            if !first {
                for _ in 0..2 {
                    refresh.refresh_vault();
                    assert!(matches!(vault.refresh(), Err(vault::Error::Rekeyed { .. })));
                }
                put(to);
            }
            refresh.refresh_vault();
            assert!(!vault.refresh().unwrap());
            let secret = Secret::new("a secret");
            let entry = NewEntry {
                name: "openai",
                secret: &secret,
                level: Level::Elevated,
            };
            open(to).set(entry, READER, Timestamp::now()).unwrap();
            refresh.refresh_vault();
            let read = vault.read("openai", READER, Timestamp::now()).unwrap();
            assert_eq!(read.expose(), "a secret");
        }
    }
}
