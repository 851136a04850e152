//! Builds everything once, runs it, reloads it, shuts it down.
//!
//! `build` makes the gateway from its configuration, `server` carries it on pingora's server, `refresh` and `reload` keep
//! it up to date with its files. Tests use [`policies`], [`build()`] and [`accept`] on a listener of their own.

mod build;
mod claim;
mod refresh;
mod reload;
mod server;
mod signals;
mod upkeep;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::build::{Built, build, policies};
use crate::audit::{Change, Record};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::proxy::{self, Gateway};

/// What a started gateway has to tell the person who started it.
#[derive(Clone, Debug)]
pub struct Started {
    /// The address clients connect to, as bound.
    pub listen: SocketAddr,
    /// The operator's address, as bound.
    pub admin: SocketAddr,
    /// Whether clients must speak TLS.
    pub tls: bool,
    /// The first key, in full, if there was none and one was made. Shown once.
    pub first_key: Option<String>,
    /// Things to warn about, one sentence each (a temporary master key, for instance).
    pub warnings: Vec<String>,
}

/// Why the gateway could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; help: {help} --{flag}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// What to do with the flag.
        help: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The address is open to the network, and nothing protects what is sent to it.
    #[error(
        "refused to listen on {address} without TLS: keys and prompts would cross the network in the clear; \
         help: set tls (`sluicegate certs` makes a certificate), listen on 127.0.0.1, or say --insecure"
    )]
    Insecure {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// Settings or policies that cannot be used.
    #[error("{}", joined(.0))]
    Problems(Vec<Diagnostic>),
    /// A provider that cannot be used.
    #[error("provider {name}: {problem}")]
    Provider {
        /// The provider's name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The listener's certificate.
    #[error("the listener's certificate")]
    Tls(#[from] proxy::tls::Unusable),
    /// The data folder.
    #[error("cannot use the data folder {}", folder.display())]
    Data {
        /// The folder.
        folder: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Another gateway runs on the data folder.
    #[error(
        "another gateway runs on the data folder {}; help: stop it, give this one a folder of its own (--data), or let both count in \
         Redis (shared)",
        folder.display()
    )]
    Claimed {
        /// The folder.
        folder: PathBuf,
    },
    /// The vault.
    #[error("cannot open the vault")]
    Vault(#[from] crate::vault::Error),
    /// The store of keys.
    #[error(transparent)]
    Store(#[from] crate::store::OpenError),
    /// A key that cannot be kept or read.
    #[error(transparent)]
    Keys(#[from] crate::auth::StoreError),
    /// What was spent.
    #[error(transparent)]
    Spend(#[from] crate::limit::LedgerError),
    /// The secret that keys are hashed under.
    #[error(transparent)]
    Pepper(#[from] crate::auth::InvalidPepper),
    /// The audit log.
    #[error("cannot open the audit log")]
    Audit(#[from] crate::audit::Error),
    /// The log on standard error.
    #[error(transparent)]
    Log(#[from] crate::telemetry::InvalidFilter),
    /// The operating system refuses something else that is needed.
    #[error("cannot {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

fn joined(problems: &[Diagnostic]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Runs the gateway until it is told to stop (SIGTERM, SIGINT) and has drained. Blocks; to be called outside of any runtime.
///
/// `started` is called once, when both listeners are bound.
///
/// # Errors
///
/// If anything it needs cannot be opened, read or bound.
pub fn run(config: Config, started: impl FnOnce(&Started)) -> Result<(), StartError> {
    server::run(config, started)
}

/// Serves clients of a plain listener until `shutdown` turns true and their running exchanges are over: what [`run`] does,
/// without the server underneath.
pub async fn accept(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut helper = JoinSet::new();
    let limiter = Arc::clone(&gateway.limiter);
    helper.spawn(async move { limiter.work().await });
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = async { drop(shutdown.wait_for(|stop| *stop).await) } => break,
            Some(_) = connections.join_next() => continue,
        };
        if let Ok((stream, address)) = accepted
            && at_once(&stream).is_ok()
        {
            connections.spawn(proxy::serve(
                Arc::clone(&gateway),
                stream,
                address,
                shutdown.clone(),
            ));
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Has small writes leave at once: Nagle's algorithm and delayed acknowledgements together make a stream go in steps of 40 ms.
fn at_once(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// Records what the gateway did of itself. It goes on without the record, which its health then shows.
fn record(gateway: &Gateway, what: &'static str, subject: String) {
    let change = Change {
        time: Timestamp::now(),
        who: "serve".to_owned(),
        what,
        subject,
    };
    if let Err(error) = gateway.audit.append(&Record::Change(change)) {
        tracing::error!(%error, "no audit record");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_writes_to_clients_leave_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let stream = accepted.unwrap().0;
        assert!(!stream.nodelay().unwrap(), "the system's default");
        at_once(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        drop(client);
    }
}
