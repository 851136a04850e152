//! Redis or Valkey, where several gateways count together.
//!
//! One connection carries the commands of all threads, pipelined. A keeper on a thread of its own makes it, looks after it
//! and makes it again: whoever finds it gone is told so at once and does not wait for it.

use super::background::Background;
use super::{OpenError, address};
use crate::shared::{Away, Script, Shared};
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, TlsCertificates};
use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use futures_util::StreamExt as _;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How long making a connection may take at least, and how long the start waits for the first.
const CONNECT: Duration = Duration::from_secs(2);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(200);
/// Between two looks whether the connection still lives, while nobody complains.
const LOOK: Duration = Duration::from_secs(1);
/// How long a connection has at least to answer a ping before it is given up.
const PATIENCE: Duration = Duration::from_millis(500);

/// The channel on which gateways and commands tell that keys changed.
const CHANGES: &str = "sluicegate:keys";

/// A connection to Redis or Valkey.
#[derive(Debug)]
pub struct Redis {
    line: Arc<Line>,
    scripts: Mutex<HashMap<&'static str, Arc<::redis::Script>>>,
    background: Background,
}

struct Line {
    client: Client,
    /// Without user and password.
    address: String,
    /// How long a script may take.
    deadline: Duration,
    connection: ArcSwapOption<MultiplexedConnection>,
    /// Told by whoever waited in vain.
    complaints: Notify,
}

impl Redis {
    /// Connects to `redis://`, `rediss://` (TLS), `valkey://` or `valkeys://`, with the roots of `ca` (PEM) if given. A
    /// server that is away is no error: it is sought for as long as this value lives. Scripts are waited for until
    /// `deadline`, and whether the connection still lives for no less. Blocks for at most 2 seconds, or `deadline` if longer.
    ///
    /// # Errors
    /// If the URL or the roots cannot be used.
    pub fn open(url: &str, ca: Option<&Path>, deadline: Duration) -> Result<Arc<Self>, OpenError> {
        let client = match ca {
            None => Client::open(url),
            Some(path) => {
                let roots = std::fs::read(path).map_err(|source| OpenError::Roots {
                    path: path.to_owned(),
                    source,
                })?;
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(roots),
                };
                Client::build_with_tls(url, certificates)
            }
        };
        let line = Arc::new(Line {
            client: client.map_err(|error| OpenError::Url {
                scheme: "redis",
                // Only its kind: its text may repeat the URL.
                problem: error.category().to_owned(),
            })?,
            address: address(url),
            deadline,
            connection: ArcSwapOption::empty(),
            complaints: Notify::new(),
        });
        let background = Background::start("redis").map_err(OpenError::Thread)?;
        let (tried, first) = mpsc::channel();
        background
            .handle
            .spawn(keep(Arc::clone(&line), Some(tried)));
        // Ends when the keeper drops its side, which also tells of failures.
        if first.recv_timeout(CONNECT.max(deadline)) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!(address = line.address, "shared store takes long to connect");
        }
        Ok(Arc::new(Self {
            line,
            scripts: Mutex::default(),
            background,
        }))
    }

    /// The script with its digest, computed once.
    fn script(&self, script: Script) -> Arc<::redis::Script> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = scripts
            .entry(script.name)
            .or_insert_with(|| Arc::new(::redis::Script::new(script.text)));
        Arc::clone(known)
    }
}

#[async_trait]
impl Shared for Redis {
    async fn run(
        &self,
        script: Script,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Vec<i64>, Away> {
        let connection = self.line.connection.load_full().ok_or(Away::NotConnected)?;
        let script = self.script(script);
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(*key);
        }
        for argument in arguments {
            invocation.arg(*argument);
        }
        let mut connection = (*connection).clone();
        match timeout(self.line.deadline, invocation.invoke_async(&mut connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.line.complaints.notify_one();
                Err(if error.is_unrecoverable_error() {
                    Away::NotConnected
                } else {
                    Away::Refused(error.to_string())
                })
            }
            Err(_) => {
                self.line.complaints.notify_one();
                Err(Away::Late(self.line.deadline))
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.line.connection.load().is_some()
    }

    fn tell(&self) {
        let Some(connection) = self.line.connection.load_full() else {
            return;
        };
        let (sending, sent) = mpsc::channel::<()>();
        self.background.handle.spawn(async move {
            let mut connection = (*connection).clone();
            let publish = ::redis::cmd("PUBLISH").arg(CHANGES).arg("").to_owned();
            if let Err(error) = publish.exec_async(&mut connection).await {
                tracing::warn!(%error, "a change of keys could not be told to other gateways");
            }
            drop(sending);
        });
        // Ends when the task drops its side.
        if sent.recv_timeout(PATIENCE.max(self.line.deadline))
            == Err(mpsc::RecvTimeoutError::Timeout)
        {
            self.line.complaints.notify_one();
        }
    }

    fn hear(&self) -> Arc<Notify> {
        let told = Arc::new(Notify::new());
        let hearing = hear(Arc::clone(&self.line), Arc::clone(&told));
        self.background.handle.spawn(hearing);
        told
    }
}

/// Subscribes to what others tell, on a connection of its own, for ever.
async fn hear(line: Arc<Line>, told: Arc<Notify>) {
    loop {
        let subscribing = async {
            let mut subscription = line.client.get_async_pubsub().await?;
            subscription.subscribe(CHANGES).await?;
            Ok::<_, ::redis::RedisError>(subscription)
        };
        if let Ok(Ok(subscription)) = timeout(CONNECT.max(line.deadline), subscribing).await {
            let mut messages = subscription.into_on_message();
            // What was told before went unheard.
            told.notify_one();
            while messages.next().await.is_some() {
                told.notify_one();
            }
        }
        sleep(RETRY).await;
    }
}

/// Makes the connection, watches it, and makes it again, for ever. `tried` hears of the first attempt's end.
async fn keep(line: Arc<Line>, mut tried: Option<mpsc::Sender<()>>) {
    let patience = CONNECT.max(line.deadline);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(patience))
        .set_response_timeout(None);
    let mut silent = false;
    loop {
        let connecting = line
            .client
            .get_multiplexed_async_connection_with_config(&config);
        match timeout(patience, connecting).await {
            Ok(Ok(connection)) => {
                line.connection.store(Some(Arc::new(connection.clone())));
                drop(tried.take());
                silent = false;
                tracing::info!(address = line.address, "shared store connected");
                watch(&line, connection).await;
                line.connection.store(None);
                tracing::error!(address = line.address, "shared store lost");
            }
            failed if !silent => {
                let problem = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer".to_owned(),
                };
                tracing::error!(address = line.address, problem, "shared store is away");
                silent = true;
            }
            _ => {}
        }
        drop(tried.take());
        sleep(RETRY).await;
    }
}

/// Comes back when the connection is dead.
async fn watch(line: &Line, mut connection: MultiplexedConnection) {
    let patience = PATIENCE.max(line.deadline);
    loop {
        tokio::select! {
            () = line.complaints.notified() => {}
            () = sleep(LOOK) => {}
        }
        let ping = ::redis::cmd("PING");
        let answer = timeout(patience, ping.query_async::<String>(&mut connection)).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redis({})", self.address)
    }
}
