//! The server file: everything that `sluicegate serve` can be told.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::proxy::route::Route;
use crate::upstream::Provider;
use crate::{admin, proxy};

/// The effective configuration; the defaults are what `serve` starts on without a file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Allows listening beyond loopback without TLS.
    pub insecure: bool,
    /// The operator's listener.
    pub admin: admin::Config,
    /// The folder of keys, vault and audit log.
    pub data: PathBuf,
    /// The folder of policies; `None` for the embedded ones only.
    pub policies: Option<PathBuf>,
    /// The policy of keys that name none.
    pub policy: String,
    /// The listener's certificate; `None` serves plain HTTP.
    pub tls: Option<proxy::tls::Config>,
    /// The providers, in order.
    pub providers: Vec<Provider>,
    /// Which providers serve which models, first match first.
    pub routes: Vec<Route>,
    /// Limits on what clients may send.
    pub limits: proxy::Limits,
    /// How long clients may take.
    pub timeouts: proxy::Timeouts,
    /// Worker threads; 0 for one per core.
    pub threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            insecure: false,
            admin: admin::Config::default(),
            data: PathBuf::from("data"),
            policies: None,
            policy: "default".to_owned(),
            tls: None,
            providers: Vec::new(),
            routes: Vec::new(),
            limits: proxy::Limits::default(),
            timeouts: proxy::Timeouts::default(),
            threads: 0,
        }
    }
}
