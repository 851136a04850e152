//! The operator's listener: health, readiness and metrics.

use std::net::{Ipv4Addr, SocketAddr};

/// The listener of the operator's side.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Names besides the loopback ones by which it may be addressed (DNS rebinding is refused).
    pub hosts: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            hosts: Vec::new(),
        }
    }
}
