//! A gateway in this process, on a free port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use sluicegate::config::Config;
use sluicegate::serve;
use sluicegate::upstream::{Credential, Provider};
use sluicegate::wire::Family;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::upstream::Upstream;
use super::{PATIENCE, eventually};

/// What the gateway sends to providers.
pub(crate) const CREDENTIAL: &str = "upstream-credential-canary";

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    /// A key that may do everything.
    pub(crate) key: String,
    pub(crate) inner: Arc<sluicegate::proxy::Gateway>,
    pub(crate) data: PathBuf,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Gateway {
    /// A gateway whose providers of all families are `upstream`, with further settings.
    pub(crate) async fn start(upstream: SocketAddr, configure: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let credential = folder.path().join("credential");
        std::fs::write(&credential, CREDENTIAL).unwrap();
        let families = [
            ("openai", Family::OpenAi),
            ("anthropic", Family::Anthropic),
            ("gemini", Family::Gemini),
        ];
        let provider = |(name, family): (&str, Family)| Provider {
            name: name.to_owned(),
            family,
            base_url: format!("http://{upstream}"),
            allow_private: true,
            credential: Credential::File(credential.clone()),
            ..Provider::default()
        };
        let mut config = Config {
            data: folder.path().join("data"),
            providers: families.into_iter().map(provider).collect(),
            ..Config::default()
        };
        configure(&mut config);
        let built = serve::build(&config, policies(&config), None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(serve::accept(
            Arc::clone(&built.gateway),
            listener,
            stopping,
        ));
        Self {
            address,
            key: built.first_key.unwrap().expose().to_owned(),
            inner: built.gateway,
            data: config.data,
            stop,
            task: Some(task),
            _folder: folder,
        }
    }

    /// A gateway with short time limits towards its provider.
    pub(crate) async fn hasty(upstream: &Upstream) -> Self {
        Self::start(upstream.address, |config| {
            for provider in &mut config.providers {
                provider.timeouts.connect = Duration::from_secs(2);
                provider.timeouts.first_byte = Duration::from_millis(150);
                provider.timeouts.between_chunks = Duration::from_millis(150);
            }
        })
        .await
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        let task = self.task.take().unwrap();
        tokio::time::timeout(PATIENCE, task)
            .await
            .expect("the gateway drains")
            .unwrap();
    }

    /// Tells it to stop.
    pub(crate) fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// The audit records of exchanges, once there are that many.
    pub(crate) async fn records(&self, count: usize) -> Vec<Value> {
        let read = || {
            let text = std::fs::read_to_string(self.data.join("audit/audit-000001.jsonl"))
                .unwrap_or_default();
            let records = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            records
                .filter(|record| record["kind"] == "exchange")
                .collect::<Vec<_>>()
        };
        eventually("audit records", || read().len() >= count).await;
        let records = read();
        assert_eq!(records.len(), count, "{records:?}");
        records
    }
}

/// All policies of a configuration; the embedded ones are compiled once.
fn policies(config: &Config) -> sluicegate::config::Policies {
    static EMBEDDED: OnceLock<sluicegate::config::Policies> = OnceLock::new();
    match &config.policies {
        Some(_) => serve::policies(config).unwrap(),
        None => EMBEDDED
            .get_or_init(|| serve::policies(config).unwrap())
            .clone(),
    }
}
