//! What several gateways count together and tell each other: a place that runs small atomic scripts, what to do while it is
//! away, and how people are called there.
//!
//! Said here as a trait, because those who count (row 5) know no Redis; `store::redis` fulfils it.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A script that the place runs as one step, nothing else in between.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// What it is called here; one name, one text.
    pub name: &'static str,
    /// Lua as Redis and Valkey run it (`KEYS`, `ARGV`); it answers with a list of integers.
    pub text: &'static str,
}

/// Where scripts run. Cheap to share; many run at a time over one connection.
#[async_trait]
pub trait Shared: Send + Sync + fmt::Debug {
    /// Runs a script with these keys and arguments and gives its integers: one round trip, three after the place forgot the
    /// script.
    ///
    /// # Errors
    /// If there is no connection, at once; if no answer came in time, when the script may have run all the same.
    async fn run(
        &self,
        script: Script,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Vec<i64>, Away>;

    /// Whether there is a connection now: while there is none, [`run`](Self::run) fails at once.
    fn is_connected(&self) -> bool;

    /// Tells all who [hear](Self::hear) that keys, teams or sessions changed in their store. Blocks until it is sent, or
    /// the place did not answer in time; if it cannot be sent, nobody hears it and all find out when they look.
    fn tell(&self);

    /// Is notified of what others tell, and whenever something may have been missed.
    fn hear(&self) -> Arc<Notify>;
}

/// What end users are called in the shared place: a keyed hash of their names, which are often addresses, the same at all
/// gateways.
#[derive(Clone)]
pub struct Veil(Hmac<Sha256>);

impl Veil {
    /// Under a secret that all gateways have, and whoever else may read the place has not.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(secret) {
            *to = *from;
        }
        Self(<Hmac<Sha256> as KeyInit>::new(&block.into()))
    }

    /// Half of the HMAC-SHA256 (RFC 2104) of a name, in base64url.
    pub fn name(&self, name: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(name.as_bytes());
        let hash = mac.finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
    }
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Veil")
    }
}

/// Why a script gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Away {
    /// There is no connection; it is being sought.
    #[error("the shared store is not connected")]
    NotConnected,
    /// The answer took too long.
    #[error("the shared store did not answer within {} ms", .0.as_millis())]
    Late(
        /// How long was waited.
        Duration,
    ),
    /// The place answered with an error.
    #[error("the shared store cannot run a script: {0}")]
    Refused(
        /// What it says.
        String,
    ),
}

/// What to do about something shared while the place is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fail {
    /// Refuse: nothing is admitted that cannot be counted.
    #[default]
    Closed,
    /// Admit without counting.
    Open,
    /// Count in this gateway alone.
    Local,
}

impl Fail {
    /// All of them, by their names in files.
    pub const ALL: [(&'static str, Self); 3] = [
        ("closed", Self::Closed),
        ("open", Self::Open),
        ("local", Self::Local),
    ];
}
