//! Keys and credentials that another process changed, and what rested too long.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::proxy::Gateway;
use crate::secret::Secret;
use crate::telemetry::Redactor;
use crate::vault::{Level, Reader};

/// How often other processes' changes are looked for: a revoked key stops within this time.
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
    vault_healthy: bool,
    ledger_healthy: bool,
    access_log_healthy: bool,
}

impl Refresh {
    pub(super) fn new(gateway: Arc<Gateway>, redactor: Redactor) -> Self {
        let refresh = Self {
            gateway,
            redactor,
            vault_healthy: true,
            ledger_healthy: true,
            access_log_healthy: true,
        };
        refresh.protect();
        refresh
    }

    /// What other processes changed. What cannot be read leaves in force what was read before, and says so once.
    fn refresh(&mut self) {
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
        self.gateway.placeholders.prune(Timestamp::now());
        match self.gateway.vault.refresh() {
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

    fn sweep(&self) {
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
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut step: u32 = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
            step = step.wrapping_add(1);
            self.refresh();
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
    use super::*;
    use crate::config::Config;
    use crate::serve::build;

    #[test]
    fn keys_of_other_processes_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().join("data"),
            ..Config::default()
        };
        let built = build::build(&config, crate::config::Policies::default(), None).unwrap();
        let mut refresh = Refresh::new(Arc::clone(&built.gateway), Redactor::default());
        let store = crate::store::open(&config.store, &config.data).unwrap();
        let id = store.list(None, 1).unwrap()[0].id.clone();
        let before = built.gateway.keyring.generation();
        refresh.refresh();
        assert_eq!(built.gateway.keyring.generation(), before);
        assert!(store.revoke(&id, Timestamp::now()).unwrap());
        refresh.refresh();
        assert!(built.gateway.keyring.generation() > before);
    }
}
