//! The gateway's settings: embedded defaults, overridden by the server file, the environment and flags, in this order.
//!
//! Every setting has a default, so that `serve` needs no file. Paths in the file are relative to the file's folder, paths in
//! flags and the environment to the working directory. Whatever is wrong anywhere is reported in one run.

mod check;
mod effective;
mod file;
mod limit;
mod master;
mod model;
mod policies;
mod provider;
mod state;

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::document;
use crate::limit::{Patience, Rules};
use crate::proxy::route::Route;
use crate::secret::Secret;
use crate::shared::Fail;
use crate::upstream::Provider;
use crate::{admin, echo, kept, proxy, store, telemetry};

pub use effective::Setting;
pub use limit::Budgets;
pub use master::{master_key, master_key_of};
pub use model::{Model, Place, judges};
pub use policies::{Policies, check_policies, policies, policy, prices};

/// The server file that is read from the working directory if no other is named; it may be missing.
pub const DEFAULT_FILE: &str = "sluicegate.yaml";

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
    /// The file that holds the vault's master key, unless the environment does.
    pub master_key_file: Option<PathBuf>,
    /// The vault's master key where a person typed it.
    pub typed_master_key: Option<Secret>,
    /// The folder of policies; `None` for the embedded ones only.
    pub policies: Option<PathBuf>,
    /// The policy of keys that name none.
    pub policy: String,
    /// The listener's certificate; `None` serves plain HTTP.
    pub tls: Option<proxy::tls::Config>,
    /// Where keys are kept.
    pub store: store::Config,
    /// Whose the answers are that providers keep.
    pub stored_responses: kept::Config,
    /// The server of `HashiCorp` Vault that `hashicorp:` credentials come from.
    pub hashicorp: Option<proxy::hashicorp::Config>,
    /// The providers, in order; `echo` is not among them.
    pub providers: Vec<Provider>,
    /// The operator's models.
    pub models: Vec<Model>,
    /// How the built-in provider answers.
    pub echo: echo::Config,
    /// Which providers serve which models, first match first.
    pub routes: Vec<Route>,
    /// Limits on what clients may send.
    pub limits: proxy::Limits,
    /// Limits on what callers may use.
    pub rules: Rules,
    /// How long and how many may wait for a limit.
    pub patience: Patience,
    /// Where several gateways count limits together (a URL); `None` counts within this one.
    pub shared: Option<String>,
    /// How long a request waits for that place's answer before it counts as away.
    pub shared_deadline: Duration,
    /// What to do while that place is away.
    pub fail: Fail,
    /// The same for the threat levels of sessions.
    pub sessions_fail: Fail,
    /// How budgets are kept.
    pub budgets: Budgets,
    /// How long clients may take.
    pub timeouts: proxy::Timeouts,
    /// Worker threads; 0 for one per core.
    pub threads: usize,
    /// Which log lines are written, and how.
    pub log: telemetry::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            insecure: false,
            admin: admin::Config::default(),
            data: PathBuf::from("data"),
            master_key_file: None,
            typed_master_key: None,
            policies: None,
            policy: "default".to_owned(),
            tls: None,
            store: store::Config::default(),
            stored_responses: kept::Config::default(),
            hashicorp: None,
            providers: provider::built_in(),
            models: Vec::new(),
            echo: echo::Config::default(),
            routes: provider::built_in_routes(),
            limits: proxy::Limits::default(),
            rules: Rules::default(),
            patience: Patience::default(),
            shared: None,
            shared_deadline: Duration::from_millis(500),
            fail: Fail::default(),
            sessions_fail: Fail::default(),
            budgets: Budgets::default(),
            timeouts: proxy::Timeouts::default(),
            threads: 0,
            log: telemetry::Config {
                format: telemetry::Format::Text,
                filter: "info".to_owned(),
                colour: false,
            },
        }
    }
}

/// What the server file may hold.
pub fn outline() -> document::Shape {
    file::outline()
}

/// The folder of the audit log in a data folder.
pub fn audit_folder(data: &Path) -> PathBuf {
    data.join("audit")
}

/// What the command line says; it wins over everything else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--master-key-file`
    pub master_key_file: Option<PathBuf>,
    /// `--policies`
    pub policies: Option<PathBuf>,
    /// `--policy`
    pub policy: Option<String>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--admin`
    pub admin: Option<SocketAddr>,
    /// `--insecure`
    pub insecure: bool,
}

/// What the environment says; it wins over the file. An empty variable counts as none.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `SLUICEGATE_CONFIG`
    pub config: Option<PathBuf>,
    /// `SLUICEGATE_DATA`
    pub data: Option<PathBuf>,
}

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let variable = |name| {
            env::var_os(name)
                .filter(|value: &OsString| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            config: variable("SLUICEGATE_CONFIG"),
            data: variable("SLUICEGATE_DATA"),
        }
    }
}

/// Where the value of a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built into the program.
    Default,
    /// Written in the server file.
    File {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line, .. } => write!(f, "{file}:{line}"),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A configuration with its history.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// The server file that was read, if any.
    pub file: Option<PathBuf>,
    /// What is questionable but no error.
    pub warnings: Vec<Diagnostic>,
    /// Origins by dotted key; what is not listed is a default.
    origins: HashMap<String, Origin>,
}

/// Puts the configuration together and checks that a gateway can start on it.
///
/// # Errors
///
/// Every problem of the file, and of the settings taken together.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, Vec<Diagnostic>> {
    let (loaded, problems) = inspect(flags, environment);
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

/// The same with what could be read beside the problems.
pub fn inspect(flags: &Flags, environment: &Environment) -> (Loaded, Vec<Diagnostic>) {
    let (loaded, mut problems) = gather(flags, environment);
    problems.extend(check::check(&loaded));
    (loaded, problems)
}

/// Puts the configuration together for a command beside a gateway, which may run elsewhere: files and variables that only
/// the gateway needs are not looked for.
///
/// # Errors
///
/// Every problem of the file.
pub fn read(flags: &Flags, environment: &Environment) -> Result<Loaded, Vec<Diagnostic>> {
    let (loaded, problems) = gather(flags, environment);
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

fn gather(flags: &Flags, environment: &Environment) -> (Loaded, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut loaded = Loaded {
        config: Config::default(),
        file: None,
        warnings: Vec::new(),
        origins: HashMap::new(),
    };
    let named = flags.config.as_ref().or(environment.config.as_ref());
    let path = named.map_or_else(|| Path::new(DEFAULT_FILE), PathBuf::as_path);
    match fs::read_to_string(path) {
        Ok(text) => {
            let name = path.display().to_string();
            match file::read(
                &name,
                &text,
                path.parent().unwrap_or_else(|| Path::new("")),
                &mut loaded.config,
            ) {
                Ok(warnings) => loaded.warnings = warnings,
                Err(found) => problems.extend(found),
            }
            if let Ok(root) = document::parse(&name, &text) {
                effective::places(&name, &root, String::new(), &mut loaded.origins);
            }
            loaded.file = Some(path.to_owned());
        }
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {}
        Err(error) => problems.push(unreadable(path, &error, flags.config.is_some())),
    }
    loaded.apply(flags, environment);
    loaded.find_policies();
    (loaded, problems)
}

/// The server file was named, but cannot be read.
fn unreadable(path: &Path, error: &std::io::Error, flag: bool) -> Diagnostic {
    let said_by = if flag {
        "--config"
    } else {
        "SLUICEGATE_CONFIG"
    };
    Diagnostic::error(
        path.display().to_string(),
        format!("the server file cannot be read: {error}"),
    )
    .expected("a readable YAML file")
    .help(format!(
        "correct {said_by}, or leave it out to start on the embedded defaults"
    ))
}

impl Loaded {
    /// Lets the environment and then the flags win over the file.
    fn apply(&mut self, flags: &Flags, environment: &Environment) {
        let config = &mut self.config;
        let mut from = |key: &str, origin| self.origins.insert(key.to_owned(), origin);
        if let Some(data) = &environment.data {
            config.data.clone_from(data);
            from("data", Origin::Environment("SLUICEGATE_DATA"));
        }
        if let Some(data) = &flags.data {
            config.data.clone_from(data);
            from("data", Origin::Flag("--data"));
        }
        if let Some(file) = &flags.master_key_file {
            config.master_key_file = Some(file.clone());
            from("master_key_file", Origin::Flag("--master-key-file"));
        }
        if let Some(policies) = &flags.policies {
            config.policies = Some(policies.clone());
            from("policies", Origin::Flag("--policies"));
        }
        if let Some(policy) = &flags.policy {
            config.policy.clone_from(policy);
            from("policy", Origin::Flag("--policy"));
        }
        if let Some(listen) = flags.listen {
            config.listen = listen;
            from("listen", Origin::Flag("--listen"));
        }
        if let Some(admin) = flags.admin {
            config.admin.listen = admin;
            from("admin", Origin::Flag("--admin"));
        }
        if flags.insecure {
            config.insecure = true;
            from("insecure", Origin::Flag("--insecure"));
        }
    }

    /// Without a word about policies, those of the folder `policies` are taken if there is one, else the embedded ones.
    fn find_policies(&mut self) {
        let usual = PathBuf::from("policies");
        if self.config.policies.is_none() && usual.is_dir() {
            self.config.policies = Some(usual);
        }
    }

    /// Every setting with its value and where it came from, in the order of the example file.
    pub fn settings(&self) -> Vec<Setting> {
        effective::settings(&self.config, &self.origins)
    }
}

/// Reads `ADDRESS:PORT`; `localhost` stands for 127.0.0.1.
///
/// # Errors
///
/// What an address looks like.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    let address = numeric.as_deref().unwrap_or(text).parse();
    address.map_err(|_| {
        "expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned()
    })
}
