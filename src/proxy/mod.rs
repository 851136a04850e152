//! The clients' side: accepts connections, finds routes and carries each exchange from request to record.

mod account;
mod answer;
mod applies;
mod body;
mod call;
mod caller;
mod charge;
mod connection;
mod contain;
mod conversation;
mod credential;
mod ending;
mod escalate;
mod exchange;
mod forward;
mod handshake;
pub mod hashicorp;
mod head;
mod inspect;
mod models;
mod outgoing;
mod passed;
mod placeholders;
mod realtime;
mod respond;
pub mod route;
pub mod service;
mod session;
mod side;
mod socket;
mod stall;
mod stored;
mod stream;
pub mod tls;
mod trouble;
mod unreadable;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

pub use self::body::Budget;
pub use self::connection::serve;
use self::hashicorp::HashiCorp;
pub use self::placeholders::Placeholders;
use self::route::Table;
use crate::auth::{Keyring, Sessions};
use crate::guard::Context;
use crate::guard::verdicts::Verdicts;
use crate::judge::Judges;
use crate::kept::Register;
use crate::limit::{Failures, Limiter, OwnLimiter};
use crate::policy::Policy;
use crate::telemetry::Metrics;
use crate::vault::Vault;
use crate::{audit, wire};

/// Limits on what one client, and all of them together, may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head.
    pub max_header_bytes: usize,
    /// Header lines of a request.
    pub max_headers: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Bytes of an answer that is not a stream.
    pub max_response_bytes: usize,
    /// Bytes of bodies held in memory by all exchanges together; over it, clients get 503.
    pub max_buffered_bytes: usize,
    /// Connections open at a time; over it, new ones are closed.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_body_bytes: 20 * 1024 * 1024,
            max_response_bytes: 32 * 1024 * 1024,
            max_buffered_bytes: 512 * 1024 * 1024,
            max_connections: 10_000,
        }
    }
}

/// How long a client may take over each step.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TLS handshake, and from there to the first byte of the first request.
    pub handshake: Duration,
    /// The head of a request, from its first byte; also how long a kept-alive connection may rest.
    pub head: Duration,
    /// The whole body of a request.
    pub body: Duration,
    /// A client that reads nothing for this long is cut off.
    pub write: Duration,
    /// A realtime conversation in which nobody says anything for this long is ended.
    pub realtime_idle: Duration,
    /// The whole of a realtime conversation.
    pub realtime: Duration,
    /// How long running exchanges may go on once the gateway was told to stop.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_mins(1),
            body: Duration::from_mins(1),
            write: Duration::from_mins(1),
            realtime_idle: Duration::from_mins(15),
            realtime: Duration::from_hours(2),
            drain: Duration::from_secs(30),
        }
    }
}

/// The policies in force.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// All of them.
    pub by_name: BTreeMap<String, Arc<Policy>>,
    /// The name of the one for keys that name none.
    pub default: String,
    /// Grows with each reload; part of every audit record.
    pub generation: u64,
}

/// Everything that exchanges need, built once.
#[derive(Debug)]
pub struct Gateway {
    /// Providers and the routes to them.
    pub table: Table,
    /// Swapped whole on reload.
    pub policies: ArcSwap<Policies>,
    /// Who may call.
    pub keyring: Keyring,
    /// To be notified after each reload of the keyring: open streams look again.
    pub keys_changed: Arc<Notify>,
    /// Notified when others tell that keys changed in the store; never, where there is no shared place.
    pub keys_told: Arc<Notify>,
    /// What callers may use.
    pub limiter: Arc<Limiter>,
    /// Tokens that are reserved for an answer if the request does not say how many it may have.
    pub output_tokens: u64,
    /// Wrong keys by address.
    pub failures: Failures,
    /// The threat levels of sessions.
    pub sessions: Sessions,
    /// What keys ask the gateway itself.
    pub own: OwnLimiter,
    /// The providers' credentials.
    pub vault: Arc<Vault>,
    /// The server of `HashiCorp` Vault that some credentials come from.
    pub hashicorp: Option<Arc<HashiCorp>>,
    /// One record per exchange.
    pub audit: audit::Log,
    /// Counters.
    pub metrics: Metrics,
    /// The listener's certificate; `None` serves plain HTTP.
    pub tls: Option<tls::Acceptor>,
    /// Limits on what clients may send.
    pub limits: Limits,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// Limits on JSON.
    pub json: wire::json::Limits,
    /// Who made what providers keep.
    pub kept: Register,
    /// What was found in texts judged before, for histories that are sent again.
    pub verdicts: Verdicts,
    /// What the marks around untrusted text are derived from: of all gateways over a store the same, where they have a master key.
    pub fence_secret: [u8; 32],
    /// What placeholders stand for over the exchanges of a session.
    pub placeholders: Placeholders,
    /// Models of the operator's.
    pub judges: Judges,
    /// What is under way.
    pub load: Load,
}

impl Gateway {
    /// What inspections of requests may make use of.
    fn context(&self) -> Context<'_> {
        Context {
            verdicts: Some(&self.verdicts),
            secret: &self.fence_secret,
            ..Context::default()
        }
    }
}

/// What is under way in a gateway.
#[derive(Debug)]
pub struct Load {
    /// Exchanges whose account is open.
    pub exchanges: AtomicUsize,
    /// Connections of clients.
    pub connections: AtomicUsize,
    /// Bytes of bodies in memory.
    pub budget: Arc<Budget>,
    /// Whether the store of keys could be read last time.
    pub keys_healthy: AtomicBool,
    /// Whether no damage was found in the files of the data folder.
    pub stores_whole: AtomicBool,
    /// Places for inspections that take a thread.
    heavy: Arc<Semaphore>,
    /// Places for keys that must be looked up in the store.
    lookups: Arc<Semaphore>,
    /// Places for ids that are looked up in the store, or written to it.
    ids: Arc<Semaphore>,
    /// The same for addresses that sent too many wrong keys.
    suspects: Arc<Semaphore>,
}

impl Load {
    /// Nothing yet; `threads` long inspections may run at a time.
    pub fn new(limits: &Limits, threads: usize) -> Self {
        Self {
            exchanges: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            budget: Budget::new(limits.max_buffered_bytes),
            keys_healthy: AtomicBool::new(true),
            stores_whole: AtomicBool::new(true),
            heavy: Arc::new(Semaphore::new(threads.max(1))),
            lookups: Arc::new(Semaphore::new(caller::LOOKUPS)),
            ids: Arc::new(Semaphore::new(stored::PLACES)),
            suspects: Arc::new(Semaphore::new(1)),
        }
    }
}
