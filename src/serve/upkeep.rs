//! What keeps a running gateway up to date: keys and credentials that another process changed, policies and certificates
//! whose files changed or that an operator wants read again (SIGHUP).
//!
//! What cannot be read leaves in force what was read before, and says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::build;
use crate::audit::{Change, Record};
use crate::config::Config;
use crate::durable::{self, Stamp};
use crate::proxy::{Gateway, Policies};
use crate::secret::Secret;
use crate::telemetry::Redactor;
use crate::vault::{Level, Reader};

/// How often other processes' changes are looked for: a revoked key stops within this time.
const STEP: Duration = Duration::from_millis(250);
/// Steps between looks at files, and between sweeps of what rested too long.
const FILES_EVERY: u32 = 4;
const SWEEP_EVERY: u32 = 40;
/// Reads every credential, so that the log can leave it out.
const READER: Reader<'_> = Reader {
    who: "redaction",
    level: Level::Admin,
};

/// Runs beside the gateway, on a thread of its own: it blocks.
pub(super) struct Upkeep {
    gateway: Arc<Gateway>,
    config: Config,
    redactor: Redactor,
    policies: Vec<(PathBuf, Option<Stamp>)>,
    certificates: Vec<(PathBuf, Option<Stamp>)>,
}

impl Upkeep {
    pub(super) fn new(gateway: Arc<Gateway>, config: Config, redactor: Redactor) -> Self {
        let (policies, certificates) = (policy_files(&config), certificate_files(&config));
        let upkeep = Self {
            gateway,
            config,
            redactor,
            policies,
            certificates,
        };
        upkeep.protect();
        upkeep
    }

    /// Keys and credentials.
    fn refresh(&self) {
        let healthy = &self.gateway.load.keys_healthy;
        match self.gateway.keyring.refresh() {
            Ok(changed) => {
                healthy.store(true, Ordering::Release);
                if changed {
                    self.gateway.keys_changed.notify_waiters();
                }
            }
            Err(error) => {
                if healthy.swap(false, Ordering::AcqRel) {
                    tracing::error!(%error, "keys known so far stay in force");
                }
            }
        }
        match self.gateway.vault.refresh() {
            Ok(true) => self.protect(),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "credentials known so far stay in force"),
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

    /// Reads again what changed on the disk, or everything.
    fn reload(&mut self, everything: bool) {
        let files = policy_files(&self.config);
        if everything || files != self.policies {
            self.policies = files;
            self.reload_policies();
        }
        let files = certificate_files(&self.config);
        if everything || files != self.certificates {
            self.certificates = files;
            self.reload_certificate();
        }
    }

    fn reload_policies(&self) {
        let loaded = match build::policies(&self.config) {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!("policies not reloaded, those before stay in force:\n{error}");
                return;
            }
        };
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let generation = self.gateway.policies.load().generation + 1;
        let default = self.config.policy.clone();
        self.gateway.policies.store(Arc::new(Policies {
            by_name: loaded.by_name,
            default,
            generation,
        }));
        self.gateway
            .metrics
            .policy_generation
            .set(i64::try_from(generation).unwrap_or(i64::MAX));
        tracing::info!(generation, "policies reloaded");
        self.record("policy.reload", format!("generation {generation}"));
    }

    fn reload_certificate(&self) {
        match self
            .gateway
            .tls
            .as_ref()
            .map(crate::proxy::tls::Acceptor::reload)
        {
            None => {}
            Some(Ok(())) => {
                tracing::info!("certificate reloaded");
                self.record("certificate.reload", "tls".to_owned());
            }
            Some(Err(error)) => {
                tracing::error!(%error, "certificate not reloaded, the one before stays in force")
            }
        }
    }

    fn record(&self, what: &'static str, subject: String) {
        let change = Change {
            time: Timestamp::now(),
            who: "serve".to_owned(),
            what,
            subject,
        };
        if let Err(error) = self.gateway.audit.append(&Record::Change(change)) {
            tracing::error!(%error, "no audit record");
        }
    }

    fn sweep(&self) {
        for upstream in self.gateway.table.providers() {
            upstream.sweep();
        }
        self.gateway.limiter.forget_idle(Instant::now().into_std());
    }
}

#[async_trait]
impl Service for Upkeep {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => {
                tracing::error!(%error, "SIGHUP will not reload");
                return;
            }
        };
        self.record("start", format!("version {}", env!("CARGO_PKG_VERSION")));
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut step: u32 = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    step = step.wrapping_add(1);
                    self.refresh();
                    if step.is_multiple_of(FILES_EVERY) {
                        self.reload(false);
                    }
                    if step.is_multiple_of(SWEEP_EVERY) {
                        self.sweep();
                    }
                }
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reading policies, certificate, keys and credentials again");
                    self.refresh();
                    self.reload(true);
                }
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
        }
    }

    fn name(&self) -> &'static str {
        "upkeep"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

/// The states of all policy files; a folder that cannot be read has none, which is a change too.
fn policy_files(config: &Config) -> Vec<(PathBuf, Option<Stamp>)> {
    let entries = config
        .policies
        .as_ref()
        .and_then(|folder| std::fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    stamped(paths)
}

fn certificate_files(config: &Config) -> Vec<(PathBuf, Option<Stamp>)> {
    let Some(tls) = &config.tls else {
        return Vec::new();
    };
    let paths = [Some(&tls.cert), Some(&tls.key), tls.client_ca.as_ref()];
    stamped(
        paths
            .into_iter()
            .flatten()
            .map(|path| Path::to_owned(path))
            .collect(),
    )
}

fn stamped(paths: Vec<PathBuf>) -> Vec<(PathBuf, Option<Stamp>)> {
    let stamp = |path: PathBuf| {
        let stamp = durable::stamp(&path).ok().flatten();
        (path, stamp)
    };
    paths.into_iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "version: 1\nname: team\nrequest:\n  secrets: {action: redact}\n";

    fn upkeep(folder: &Path) -> Upkeep {
        std::fs::create_dir(folder.join("policies")).unwrap();
        std::fs::write(folder.join("policies/team.yaml"), POLICY).unwrap();
        let config = Config {
            data: folder.join("data"),
            policies: Some(folder.join("policies")),
            policy: "team".to_owned(),
            ..Config::default()
        };
        let built = build::build(&config, None).unwrap();
        Upkeep::new(built.gateway, config, Redactor::default())
    }

    fn generation(upkeep: &Upkeep) -> u64 {
        upkeep.gateway.policies.load().generation
    }

    #[test]
    fn p56_a_bad_reload_leaves_the_old_policies_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let mut upkeep = upkeep(folder.path());
        let file = folder.path().join("policies/team.yaml");
        upkeep.reload(false);
        assert_eq!(generation(&upkeep), 1, "nothing changed");
        std::fs::write(&file, POLICY.replace("redact", "blok!")).unwrap();
        upkeep.reload(false);
        assert_eq!(generation(&upkeep), 1);
        assert!(upkeep.gateway.policies.load().by_name.contains_key("team"));
        std::fs::write(&file, POLICY.replace("redact", "block")).unwrap();
        upkeep.reload(false);
        assert_eq!(generation(&upkeep), 2);
        upkeep.reload(false);
        assert_eq!(generation(&upkeep), 2);
        upkeep.reload(true);
        assert_eq!(generation(&upkeep), 3);
        std::fs::remove_file(&file).unwrap();
        upkeep.reload(false);
        assert_eq!(generation(&upkeep), 3, "the default policy is gone");
    }

    #[test]
    fn keys_of_other_processes_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let upkeep = upkeep(folder.path());
        let store = crate::store::open("sqlite", &upkeep.config.data).unwrap();
        let id = store.list().unwrap()[0].id.clone();
        let before = upkeep.gateway.keyring.generation();
        upkeep.refresh();
        assert_eq!(upkeep.gateway.keyring.generation(), before);
        assert!(store.revoke(&id, Timestamp::now()).unwrap());
        upkeep.refresh();
        assert!(upkeep.gateway.keyring.generation() > before);
    }
}
