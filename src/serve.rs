//! Builds everything once, runs it, reloads it, shuts it down.

use std::net::SocketAddr;

use crate::config::Config;

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
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (--{flag}): {source}; {help}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// What to do.
        help: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

/// Runs the gateway until it is told to stop (SIGTERM, SIGINT) and has drained.
///
/// `started` is called once, when both listeners are bound.
///
/// # Errors
///
/// If anything it needs cannot be opened, read or bound.
pub fn run(config: Config, started: impl FnOnce(&Started)) -> Result<(), Error> {
    let _ = (config, started);
    Ok(())
}
