//! A provider as it is configured.

use std::path::PathBuf;
use std::time::Duration;

use crate::wire::Family;

/// One model provider, as configured.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name in routes, paths, logs and metrics.
    pub name: String,
    /// Whose conventions for keys, errors and paths it follows.
    pub family: Family,
    /// `https://host[:port][/prefix]`, without the API's own `/v1`; `http` only for addresses one trusts.
    pub base_url: String,
    /// Where the credential to send is kept.
    pub credential: Credential,
    /// The policy of exchanges with it, for keys and teams that name none.
    pub policy: Option<String>,
    /// Whether it may live at a private, loopback or link-local address.
    pub allow_private: bool,
    /// A PEM file of further certificate authorities to trust.
    pub ca: Option<PathBuf>,
    /// Paths passed on without scanning, such as `/v1/files`; a trailing `*` stands for any rest.
    pub unscanned_paths: Vec<String>,
    /// How long it may take over each step.
    pub timeouts: Timeouts,
    /// Idle connections kept at most.
    pub max_idle: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            name: String::new(),
            family: Family::OpenAi,
            base_url: String::new(),
            credential: Credential::None,
            policy: None,
            allow_private: false,
            ca: None,
            unscanned_paths: Vec::new(),
            timeouts: Timeouts::default(),
            max_idle: 64,
            idle_timeout: Duration::from_mins(1),
        }
    }
}

/// Where a provider's credential is kept. Whoever sends looks it up, last of all, for each exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credential {
    /// The provider wants none.
    #[default]
    None,
    /// An entry of the vault.
    Vault(String),
    /// A variable of the gateway's environment.
    Environment(String),
    /// A file that holds the secret and nothing else; read anew when it changes.
    File(PathBuf),
    /// A field of a secret that `HashiCorp` Vault keeps.
    HashiCorp {
        /// Mount and path: `secret/llm/openai`.
        path: String,
        /// The field.
        field: String,
    },
}

/// How long an upstream may take over each step.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// DNS, TCP and TLS together.
    pub connect: Duration,
    /// From the request's last byte to the head of the answer.
    pub first_byte: Duration,
    /// Between two chunks of the answer.
    pub between_chunks: Duration,
    /// The whole exchange.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(2),
            between_chunks: Duration::from_mins(1),
            whole: Duration::from_mins(30),
        }
    }
}
