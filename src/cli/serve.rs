//! `sluicegate serve`: the gateway.

use std::io::{self, IsTerminal as _, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::config::{self, Environment, Flags, parse_address};
use crate::serve::{self, Started};
use crate::vault;

use super::output::{Output, Style, colours_wanted};
use super::vault::typed_master_key;
use super::{Master, Problems, Status};

/// Run the gateway; it needs no file to start
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// Flags that win over the environment and the server file.
#[derive(Args, Clone, Debug)]
pub(super) struct Settings {
    /// Server file [default: sluicegate.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients connect; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    listen: Option<SocketAddr>,
    /// Where the operator connects: health, metrics [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    admin: Option<SocketAddr>,
    /// Folder of keys, vault and audit log, made if missing [default: data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[command(flatten)]
    master: Master,
    /// Folder of policies [default: policies, if there is one, else the embedded ones]
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Policy of keys that name none [default: default]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Listen beyond this machine without TLS all the same
    #[arg(long)]
    insecure: bool,
}

impl Settings {
    pub(super) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            data: self.data.clone(),
            master_key_file: self.master.master_key_file.clone(),
            policies: self.policies.clone(),
            policy: self.policy.clone(),
            listen: self.listen,
            admin: self.admin,
            insecure: self.insecure,
        }
    }
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Status> {
    let mut loaded =
        config::load(&arguments.settings.flags(), &Environment::of_process()).map_err(Problems)?;
    for warning in &loaded.warnings {
        writeln!(output, "{warning}")?;
    }
    loaded.config.log.colour = colours_wanted(&io::stderr());
    let data = loaded.config.data.clone();
    if io::stdin().is_terminal()
        && loaded.config.master_key().map_err(Problems)?.is_none()
        && vault::sealed(&data)?.is_some()
    {
        loaded.config.typed_master_key = Some(typed_master_key()?);
    }
    // A closed standard output is no reason to refuse traffic.
    let started = |started: &Started| drop(greet(output, started, &data.display().to_string()));
    match serve::run(loaded.config, started) {
        Ok(()) => Ok(Status::Done),
        Err(serve::StartError::Problems(problems)) => Err(Problems(problems).into()),
        Err(error) => Err(error).context("the gateway cannot run"),
    }
}

/// Tells whoever started the gateway how to use it. The first key is shown here and never again.
fn greet(output: &mut Output, started: &Started, data: &str) -> io::Result<()> {
    let scheme = if started.tls { "https" } else { "http" };
    let url = format!("{scheme}://{}", reachable(started.listen));
    let title = output.styled(Style::Strong, "sluicegate");
    writeln!(
        output,
        "{title} {} listens on {url}",
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(
        output,
        "operator: http://{}  (/healthz, /readyz, /metrics)",
        reachable(started.admin)
    )?;
    for warning in &started.warnings {
        let label = output.styled(Style::Odd, "warning:");
        writeln!(output, "{label} {warning}")?;
    }
    match &started.first_key {
        Some(key) => first_key(output, &url, key, started.tls)?,
        None => writeln!(
            output,
            "keys are in {data}; another one: sluicegate key create --name NAME --data {data}"
        )?,
    }
    output.flush()
}

fn first_key(output: &mut Output, url: &str, key: &str, tls: bool) -> io::Result<()> {
    let heading = |output: &Output, text: &str| output.styled(Style::Strong, text);
    let first = heading(output, "This is your first key. It is shown only now.");
    let point = heading(
        output,
        "Point a client at the gateway (paste the line you need):",
    );
    let offline = heading(output, "Try it now, offline, with the built-in echo model:");
    let insecure = if tls { " --cacert certs/ca.pem" } else { "" };
    write!(
        output,
        "
{first}

  {key}

{point}

  export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key}
  export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY={key}
  export GOOGLE_GEMINI_BASE_URL={url} GEMINI_API_KEY={key}

{offline}

  curl{insecure} {url}/v1/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{\"model\": \"echo\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

A provider's credential goes into the vault: sluicegate vault set openai
"
    )
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
