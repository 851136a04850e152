//! The server underneath: pingora's listeners, worker threads and shutdown, with our own drain.
//!
//! pingora sleeps its whole grace period and then kills what is left. So its grace is zero, and it is told to stop only
//! when the exchanges are over or their time is. It would also panic on a port in use, and not tell which port it got: the
//! listeners are bound here and handed to it by their file descriptors, as an old process would hand them over.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::protocols::Stream;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{
    ListenFds, RunArgs, Server, ShutdownSignal, ShutdownSignalWatch, ShutdownWatch,
};
use pingora_core::services::Service;
use pingora_core::services::listening;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::refresh::Refresh;
use super::reload::Reload;
use super::signals::Stops;
use super::{StartError, Started, build, claim, record};
use crate::admin::{Admin, Status};
use crate::config::Config;
use crate::proxy::{self, Gateway};
use crate::telemetry::{self, Redactor};

/// How often the drain looks whether all exchanges are over.
const DRAIN_STEP: Duration = Duration::from_millis(20);
/// Where clients come from if the socket does not say, which TCP sockets always do.
const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

pub(super) fn run(config: Config, started: impl FnOnce(&Started)) -> Result<(), StartError> {
    let redactor = Redactor::default();
    telemetry::start(&log(&config), &redactor)?;
    let listener = bind(config.listen, "listen")?;
    let admin = bind(config.admin.listen, "admin")?;
    let echo = bind(build::ECHO, "listen")?;
    let policies = build::policies(&config)?;
    let _claim = claim::claim(&config)?;
    let built = build::build(&config, policies, Some(address(&echo)?))?;
    let gateway = built.gateway;

    let (stop, stopping) = watch::channel(false);
    let health = Arc::new(Health {
        gateway: Arc::clone(&gateway),
        draining: AtomicBool::new(false),
    });
    let mut server = server(&config);
    let told = Started {
        listen: address(&listener)?,
        admin: address(&admin)?,
        tls: config.tls.is_some(),
        first_key: built.first_key.map(|key| key.expose().to_owned()),
        warnings: built.warnings,
    };
    let clients = Clients {
        gateway: Arc::clone(&gateway),
        stopping: stopping.clone(),
    };
    server.add_service(Bound::new(
        "proxy",
        clients,
        listener,
        None,
        Some(stopping),
    )?);
    let hosts = config.admin.hosts.clone();
    let operators = Operators(Arc::new(Admin::new(
        hosts,
        Arc::clone(&health) as Arc<dyn Status>,
    )));
    server.add_service(Bound::new("admin", operators, admin, Some(1), None)?);
    server.add_service(Echo {
        listener: Some(echo),
        config: config.echo,
    });
    server.add_service(Counting(Arc::clone(&gateway)));
    server.add_service(Refresh::new(Arc::clone(&gateway), redactor, &config));
    server.add_service(Reload::new(Arc::clone(&gateway), config));
    let version = concat!("version ", env!("CARGO_PKG_VERSION"));
    record(&gateway, "start", version.to_owned());
    if told.first_key.is_some() {
        record(&gateway, "key.create", "first".to_owned());
    }
    let drain = Box::new(Drain::new(health, stop)?);
    started(&told);
    server.run(RunArgs {
        shutdown_signal: drain,
    });
    gateway.limiter.fold()?;
    Ok(gateway.audit.flush()?)
}

fn server(config: &Config) -> Server {
    Server::new_with_opt_and_conf(
        None,
        ServerConf {
            threads: build::threads(config),
            grace_period_seconds: Some(0),
            graceful_shutdown_timeout_seconds: Some(1),
            ..ServerConf::default()
        },
    )
}

/// As configured, unless `RUST_LOG` says otherwise.
fn log(config: &Config) -> telemetry::Config {
    let filter = std::env::var("RUST_LOG").ok();
    telemetry::Config {
        filter: filter
            .filter(|filter| !filter.is_empty())
            .unwrap_or_else(|| config.log.filter.clone()),
        ..config.log.clone()
    }
}

fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| {
        let help = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "another program has this port; stop it or choose another port with"
            }
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege; choose another port with"
            }
            _ => "choose an address of this machine with",
        };
        StartError::Listen {
            address,
            flag,
            help,
            source,
        }
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::System {
        doing: "tell the address of a listener",
        source,
    })
}

/// A service on a listener that is bound already.
struct Bound<A> {
    service: listening::Service<A>,
    listener: Option<TcpListener>,
    address: String,
    /// Turns true when no more connections are to be accepted; `None` for pingora's own word, which comes last.
    stopping: Option<watch::Receiver<bool>>,
}

impl<A: ServerApp + Send + Sync + 'static> Bound<A> {
    fn new(
        name: &str,
        app: A,
        listener: TcpListener,
        threads: Option<usize>,
        stopping: Option<watch::Receiver<bool>>,
    ) -> Result<Self, StartError> {
        let address = address(&listener)?.to_string();
        let mut service = listening::Service::new(name.to_owned(), app);
        service.threads = threads;
        service
            .add_listener(ListenerConfig::tcp(&address).l4_buffer(L4BufferSettings::unbuffered()));
        Ok(Self {
            service,
            listener: Some(listener),
            address,
            stopping,
        })
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> Service for Bound<A> {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        if let (Some(fds), Some(listener)) = (&fds, self.listener.take()) {
            fds.lock().add(self.address.clone(), listener.into_raw_fd());
        }
        let shutdown = self.stopping.clone().unwrap_or(shutdown);
        self.service
            .start_service(fds, shutdown, listeners_per_fd)
            .await;
    }

    fn name(&self) -> &str {
        self.service.name()
    }

    fn threads(&self) -> Option<usize> {
        self.service.threads
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(vec![self.address.clone()])
    }
}

/// Serves clients.
struct Clients {
    gateway: Arc<Gateway>,
    stopping: watch::Receiver<bool>,
}

#[async_trait]
impl ServerApp for Clients {
    async fn process_new(self: &Arc<Self>, stream: Stream, _: &ShutdownWatch) -> Option<Stream> {
        let digest = stream.get_socket_digest();
        let peer = digest
            .as_ref()
            .and_then(|digest| digest.peer_addr().and_then(|peer| peer.as_inet().copied()));
        proxy::serve(
            Arc::clone(&self.gateway),
            stream,
            peer.unwrap_or(NOWHERE),
            self.stopping.clone(),
        )
        .await;
        None
    }
}

/// Serves operators.
struct Operators(Arc<Admin>);

#[async_trait]
impl ServerApp for Operators {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        Arc::clone(&self.0).serve(stream, shutdown.clone()).await;
        None
    }
}

/// The built-in provider.
struct Echo {
    listener: Option<TcpListener>,
    config: crate::echo::Config,
}

#[async_trait]
impl Service for Echo {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        match self.listener.take().map(tokio::net::TcpListener::from_std) {
            Some(Ok(listener)) => tokio::select! {
                () = crate::echo::serve(listener, self.config) => {}
                _ = shutdown.wait_for(|stop| *stop) => {}
            },
            Some(Err(error)) => tracing::error!(%error, "the built-in provider does not run"),
            None => {}
        }
    }

    fn name(&self) -> &'static str {
        "echo"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

/// Tells other gateways what ended here, where limits are counted together.
struct Counting(Arc<Gateway>);

#[async_trait]
impl Service for Counting {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        tokio::select! {
            () = self.0.limiter.work() => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
        }
    }

    fn name(&self) -> &'static str {
        "counting"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

/// What the operator's side says of the gateway.
struct Health {
    gateway: Arc<Gateway>,
    draining: AtomicBool,
}

impl Status for Health {
    fn ready(&self) -> Result<(), String> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        let (audit, load) = (&self.gateway.audit, &self.gateway.load);
        let problems = [
            (is(&self.draining), "the gateway is shutting down"),
            (!audit.is_healthy(), "the audit log is out of service"),
            (
                !audit.is_writable(),
                "the audit log cannot be written; see log",
            ),
            (!is(&load.keys_healthy), "the store of keys cannot be read"),
            (!is(&load.stores_whole), "a data file is damaged; see log"),
        ];
        let found = problems.iter().find(|(is_so, _)| *is_so);
        found.map_or(Ok(()), |(_, problem)| Err((*problem).to_owned()))
    }

    fn metrics(&self) -> String {
        let metrics = &self.gateway.metrics;
        metrics
            .buffered_bytes
            .set(i64::try_from(self.gateway.load.budget.used()).unwrap_or(i64::MAX));
        metrics.text()
    }
}

/// Waits for SIGTERM or SIGINT, then lets the running exchanges end; a second signal cuts them off.
struct Drain {
    health: Arc<Health>,
    stop: watch::Sender<bool>,
    stops: Stops,
}

impl Drain {
    fn new(health: Arc<Health>, stop: watch::Sender<bool>) -> Result<Self, StartError> {
        let stops = Stops::catch().map_err(|source| StartError::System {
            doing: "catch signals",
            source,
        })?;
        Ok(Self {
            health,
            stop,
            stops,
        })
    }
}

#[async_trait]
impl ShutdownSignalWatch for Drain {
    async fn recv(&self) -> ShutdownSignal {
        self.stops.next().await;
        tracing::info!("shutting down: no new connections, running exchanges may end");
        self.health.draining.store(true, Ordering::Release);
        self.stop.send_replace(true);
        let gateway = &self.health.gateway;
        let drained = async {
            let end = Instant::now() + gateway.timeouts.drain;
            while Instant::now() < end && gateway.load.connections.load(Ordering::Acquire) > 0 {
                sleep(DRAIN_STEP).await;
            }
            while Instant::now() < end && !gateway.limiter.is_settled() {
                sleep(DRAIN_STEP).await;
            }
        };
        tokio::select! {
            () = drained => {}
            () = self.stops.next() => {}
        }
        let left = gateway.load.exchanges.load(Ordering::Acquire);
        if left > 0 {
            tracing::warn!(exchanges = left, "cut off");
        }
        record(gateway, "stop", format!("{left} exchanges cut off"));
        if let Err(error) = gateway.audit.flush() {
            tracing::error!(%error, "the audit log's end may not be on the disk");
        }
        ShutdownSignal::GracefulTerminate
    }
}
