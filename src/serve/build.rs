//! From a configuration to a gateway that is ready to serve.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{Timestamp, Zoned};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::StartError;
use crate::auth::{KeyRecord, KeyStore, Keyring, Pepper, Sessions};
use crate::config::{self, Config, Place};
use crate::guard::verdicts::Verdicts;
use crate::judge::Judges;
use crate::kept::Register;
use crate::limit::{Books, Failures, Limiter, OwnLimiter, Setup, Together};
use crate::proxy::hashicorp::HashiCorp;
use crate::proxy::route::Table;
use crate::proxy::service::Service;
use crate::proxy::{Gateway, Limits, Load, Placeholders, Policies, tls};
use crate::secret::Secret;
use crate::shared::{Shared, Veil};
use crate::telemetry::Metrics;
use crate::upstream::{Provider, Upstream};
use crate::vault::Vault;
use crate::{audit, durable, store, wire};

/// Wrong keys that an address may send per minute.
const WRONG_KEYS: u32 = 60;

const TEMPORARY: &str = "no master key: credentials put into the vault end with this process; \
    set SLUICEGATE_MASTER_KEY (openssl rand -base64 32) to keep them";

/// A gateway, and what came of building it.
#[derive(Debug)]
pub struct Built {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The first key, if there was none and one was made.
    pub first_key: Option<Secret>,
    /// Things to warn about, one sentence each.
    pub warnings: Vec<String>,
}

/// Opens and reads everything else that a gateway needs. Blocks: a passphrase takes tenths of a second.
///
/// `echo` is the address of the built-in provider, if it runs.
///
/// # Errors
///
/// If anything cannot be opened, read or understood; nothing is overwritten then.
pub fn build(
    config: &Config,
    mut policies: config::Policies,
    echo: Option<SocketAddr>,
) -> Result<Built, StartError> {
    check_listeners(config)?;
    let now = Timestamp::now();
    let mut warnings = Vec::new();
    let table = Table::new(upstreams(config, echo)?, config.routes.clone());
    let tls = config.tls.clone().map(tls::Acceptor::new).transpose()?;
    make_folder(config)?;
    let master = config.master_key().map_err(StartError::Problems)?;
    let vault = Arc::new(Vault::open(&config.data, master.as_ref())?);
    if vault.is_temporary() {
        warnings.push(TEMPORARY.to_owned());
    }
    let hashicorp = hashicorp(config)?.map(Arc::new);
    let mut judges = config::judges(config);
    services(config, &mut judges, &vault, hashicorp.as_ref())?;
    policies.bind(&judges).map_err(StartError::Problems)?;
    warnings.extend(policies.warnings.iter().map(ToString::to_string));
    let shared = store::shared(config.shared.as_deref(), config.shared_deadline)?;
    let keys = store::open(&config.store, &config.data, shared.clone())?;
    vault.join(master.as_ref(), &*keys)?;
    let pepper = pepper(config, &*keys)?;
    let (sessions, limits) = counted(config, shared.as_ref(), &pepper)?;
    let (keyring, first_key) = keyring(config, keys, pepper, now)?;
    let kept = store::open_kept(&config.store, &config.data)?;
    let placeholders = Placeholders::new(shared.as_ref().map(|_| vault.derived("placeholders")));
    let start = Instant::now().into_std();
    let gateway = Gateway {
        table,
        policies: ArcSwap::from_pointee(Policies {
            by_name: policies.by_name,
            default: config.policy.clone(),
            generation: 1,
        }),
        keyring,
        keys_changed: Arc::new(Notify::new()),
        keys_told: told(shared.as_deref()),
        limiter: Arc::new(Limiter::new(limits, start, now)),
        output_tokens: config.budgets.output_tokens,
        failures: Failures::new(WRONG_KEYS, Duration::from_mins(1), start),
        sessions,
        own: OwnLimiter::new(start),
        fence_secret: *vault.derived("fence"),
        vault,
        hashicorp,
        audit: audit::Log::open(&config.data.join("audit"), now)?,
        metrics: metrics(),
        tls,
        limits: config.limits,
        timeouts: config.timeouts,
        json: json(&config.limits),
        kept: Register::new(kept, config.stored_responses),
        verdicts: Verdicts::default(),
        placeholders,
        judges,
        load: Load::new(&config.limits, threads(config)),
    };
    Ok(Built {
        gateway: Arc::new(gateway),
        first_key,
        warnings,
    })
}

/// The data folder, made on first use.
pub(super) fn make_folder(config: &Config) -> Result<(), StartError> {
    durable::make_folder(&config.data).map_err(|source| StartError::Data {
        folder: config.data.clone(),
        source,
    })
}

/// What keys are hashed under, the same as at all gateways over the store.
fn pepper(config: &Config, keys: &dyn KeyStore) -> Result<Pepper, StartError> {
    let pepper = Pepper::open(&config.data)?;
    pepper.check(keys)?;
    Ok(pepper)
}

/// What is counted in the shared place, if there is one: threat levels of sessions, and limits.
fn counted(
    config: &Config,
    shared: Option<&Arc<dyn Shared>>,
    pepper: &Pepper,
) -> Result<(Sessions, Setup), StartError> {
    let together = shared.map(|place| (place, pepper.veil()));
    let limits = limits(config, together.clone())?;
    let sessions = together.map_or_else(Sessions::default, |(place, veil)| {
        Sessions::together(Arc::clone(place), config.sessions_fail, veil)
    });
    Ok((sessions, limits))
}

/// What others tell in the shared place; nothing, if there is none.
fn told(shared: Option<&dyn Shared>) -> Arc<Notify> {
    shared.map_or_else(Arc::default, Shared::hear)
}

/// Nobody listens beyond loopback without TLS unless told to.
fn check_listeners(config: &Config) -> Result<(), StartError> {
    // The admin listener has no TLS.
    for (address, safe) in [
        (config.listen, config.tls.is_some()),
        (config.admin.listen, false),
    ] {
        if !address.ip().is_loopback() && !safe && !config.insecure {
            return Err(StartError::Insecure { address });
        }
    }
    Ok(())
}

/// Counters from nothing, at the first generation of policies.
fn metrics() -> Metrics {
    let metrics = Metrics::default();
    metrics.policy_generation.set(1);
    metrics
}

/// What the limiter goes by, with all that was spent before.
fn limits(
    config: &Config,
    together: Option<(&Arc<dyn Shared>, Veil)>,
) -> Result<Setup, StartError> {
    let ledger = store::open_ledger(&config.store, &config.data)?;
    let together =
        together.map(|(place, veil)| Arc::new(Together::new(Arc::clone(place), config.fail, veil)));
    Ok(Setup {
        rules: config.rules.clone(),
        prices: config::prices(config.policies.as_deref()).map_err(StartError::Problems)?,
        unknown_is_free: config.budgets.unknown_is_free,
        books: Some(Books::open(ledger, &config.data)?),
        patience: config.patience,
        together,
    })
}

/// The server of `HashiCorp` Vault, if there is one.
fn hashicorp(config: &Config) -> Result<Option<HashiCorp>, StartError> {
    let server = config.hashicorp.as_ref().map(HashiCorp::new);
    server.transpose().map_err(|problem| StartError::Provider {
        name: "hashicorp".to_owned(),
        problem,
    })
}

/// Adds the services that judge.
fn services(
    config: &Config,
    judges: &mut Judges,
    vault: &Arc<Vault>,
    hashicorp: Option<&Arc<HashiCorp>>,
) -> Result<(), StartError> {
    for model in &config.models {
        let Place::Service(service) = &model.place else {
            continue;
        };
        let (vault, hashicorp) = (Arc::clone(vault), hashicorp.cloned());
        let service = Service::new(service, model.limits.deadline, vault, hashicorp);
        let service = service.map_err(|problem| StartError::Provider {
            name: format!("models.{}", model.name),
            problem,
        })?;
        judges.add(&model.name, Arc::new(service), model.limits);
    }
    Ok(())
}

/// Limits on JSON: whatever may be read may be parsed.
fn json(limits: &Limits) -> wire::json::Limits {
    let longest = limits.max_body_bytes.max(limits.max_response_bytes);
    wire::json::Limits {
        body_bytes: longest,
        string_bytes: longest,
        ..wire::json::Limits::default()
    }
}

/// Worker threads: as configured, else one per core.
pub(super) fn threads(config: &Config) -> usize {
    match config.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// All policies, among them the one for keys that name none. Compiling them takes a moment.
///
/// # Errors
///
/// Every problem in them.
pub fn policies(config: &Config) -> Result<config::Policies, StartError> {
    let policies = config::policies(config.policies.as_deref(), Zoned::now().date())
        .map_err(StartError::Problems)?;
    policies
        .find(&config.policy, "policy")
        .map_err(StartError::Problems)?;
    for provider in &config.providers {
        if let Some(policy) = &provider.policy {
            let from = format!("providers.{}.policy", provider.name);
            policies.find(policy, &from).map_err(StartError::Problems)?;
        }
    }
    Ok(policies)
}

fn upstreams(config: &Config, echo: Option<SocketAddr>) -> Result<Vec<Arc<Upstream>>, StartError> {
    let built_in = echo.map(|address| Provider {
        name: "echo".to_owned(),
        base_url: format!("http://{address}"),
        allow_private: true,
        ..Provider::default()
    });
    let providers = config.providers.iter().cloned().chain(built_in);
    let upstream = |provider: Provider| {
        let name = provider.name.clone();
        Upstream::new(provider).map_err(|problem| StartError::Provider { name, problem })
    };
    providers.map(upstream).collect()
}

/// The keys; where there are none yet, with a first one.
fn keyring(
    config: &Config,
    store: Arc<dyn KeyStore>,
    pepper: Pepper,
    now: Timestamp,
) -> Result<(Keyring, Option<Secret>), StartError> {
    let first = KeyRecord::first(&*store, &pepper, now)?;
    let keyring = Keyring::open(store, pepper, config.store.fail_closed)?;
    Ok((keyring, first))
}

/// Where the built-in provider listens: any free port, this machine only.
pub(super) const ECHO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
