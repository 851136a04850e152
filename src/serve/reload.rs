//! Policies and certificates whose files changed, or that an operator wants read again (SIGHUP). Policies also with each new day, on which exceptions
//! may end.
//!
//! What cannot be read leaves in force what was read before, and says so. Compiling policies takes a moment: it has a thread of
//! its own, so that revoked keys do not wait for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{Zoned, civil::Date};
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::{StartError, build};
use crate::config::Config;
use crate::durable::{self, Stamp};
use crate::proxy::{Gateway, Policies};

/// How often files are looked at.
const STEP: Duration = Duration::from_secs(1);

/// Runs beside the gateway, on a thread of its own: it blocks.
pub(super) struct Reload {
    gateway: Arc<Gateway>,
    config: Config,
    policies: Vec<(PathBuf, Option<Stamp>)>,
    certificates: Vec<(PathBuf, Option<Stamp>)>,
    /// The day on which the policies were read.
    day: Date,
}

impl Reload {
    pub(super) fn new(gateway: Arc<Gateway>, config: Config) -> Self {
        let (policies, certificates) = (policy_files(&config), certificate_files(&config));
        Self {
            gateway,
            config,
            policies,
            certificates,
            day: Zoned::now().date(),
        }
    }

    /// Reads again what changed on the disk, or everything.
    fn reload(&mut self, everything: bool) {
        let files = policy_files(&self.config);
        let today = Zoned::now().date();
        if everything || files != self.policies || today != self.day {
            self.day = today;
            self.policies = files;
            self.reload_policies();
            self.reload_prices();
        }
        let files = certificate_files(&self.config);
        if everything || files != self.certificates {
            self.certificates = files;
            self.reload_certificate();
        }
    }

    fn reload_policies(&self) {
        let bound = build::policies(&self.config).and_then(|mut loaded| {
            let bound = loaded.bind(&self.gateway.judges);
            bound.map(|()| loaded).map_err(StartError::Problems)
        });
        let loaded = match bound {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!("policies not reloaded, those before stay in force");
                for line in error.to_string().lines() {
                    tracing::error!("{line}");
                }
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
        super::record(
            &self.gateway,
            "policy.reload",
            format!("generation {generation}"),
        );
    }

    fn reload_prices(&self) {
        match crate::config::prices(self.config.policies.as_deref()) {
            Ok(prices) => self.gateway.limiter.reprice(prices),
            Err(problems) => {
                tracing::error!("prices not reloaded, those before stay in force");
                for problem in problems {
                    tracing::error!("{problem}");
                }
            }
        }
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
                super::record(&self.gateway, "certificate.reload", "tls".to_owned());
            }
            Some(Err(error)) => {
                tracing::error!(%error, "certificate not reloaded, the one before stays in force");
            }
        }
    }
}

#[async_trait]
impl Service for Reload {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => {
                tracing::error!(%error, "SIGHUP will not reload");
                return;
            }
        };
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.reload(false),
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reading policies and certificate again");
                    self.reload(true);
                }
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
        }
    }

    fn name(&self) -> &'static str {
        "reload"
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

    fn start(folder: &Path) -> Reload {
        std::fs::create_dir(folder.join("policies")).unwrap();
        std::fs::write(folder.join("policies/team.yaml"), POLICY).unwrap();
        let config = Config {
            data: folder.join("data"),
            policies: Some(folder.join("policies")),
            policy: "team".to_owned(),
            ..Config::default()
        };
        let built = build::build(&config, build::policies(&config).unwrap(), None).unwrap();
        Reload::new(built.gateway, config)
    }

    fn generation(reload: &Reload) -> u64 {
        reload.gateway.policies.load().generation
    }

    #[test]
    fn p56_a_bad_reload_leaves_the_old_policies_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let mut reload = start(folder.path());
        let file = folder.path().join("policies/team.yaml");
        reload.reload(false);
        assert_eq!(generation(&reload), 1, "nothing changed");
        std::fs::write(&file, POLICY.replace("redact", "blok!")).unwrap();
        reload.reload(false);
        assert_eq!(generation(&reload), 1);
        assert!(reload.gateway.policies.load().by_name.contains_key("team"));
        std::fs::write(&file, POLICY.replace("redact", "block")).unwrap();
        reload.reload(false);
        assert_eq!(generation(&reload), 2);
        reload.reload(false);
        assert_eq!(generation(&reload), 2);
        reload.reload(true);
        assert_eq!(generation(&reload), 3);
        std::fs::remove_file(&file).unwrap();
        reload.reload(false);
        assert_eq!(generation(&reload), 3, "the default policy is gone");
    }

    #[test]
    fn a_new_day_ends_exceptions() {
        let folder = tempfile::tempdir().unwrap();
        let mut reload = start(folder.path());
        reload.day = reload.day.yesterday().unwrap();
        reload.reload(false);
        assert_eq!(generation(&reload), 2);
        reload.reload(false);
        assert_eq!(generation(&reload), 2);
    }
}
