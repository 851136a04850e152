//! `sluicegate team`: what the keys of a team have in common.

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::auth::Team;
use crate::config;
use crate::rate::quota::Quota;

use super::key::{CHANGED_MEANWHILE, Opened, fields, parse_label};
use super::output::Output;
use super::{Place, Problems, Status, record};

/// Set up teams, whose restrictions add to those of their keys
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set a team up anew, as these flags say and no otherwise; running gateways follow at once
    Set(Set),
    /// List the teams that were set up
    List {
        #[command(flatten)]
        options: Options,
    },
    /// Show one team's settings
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// Its name, as keys have it
    name: String,
    /// What its keys together may use: 20/minute, tokens=100000/minute, concurrent=5, budget=50usd/month
    #[arg(long, value_name = "LIMITS")]
    limit: Option<Quota>,
    /// Policy for its keys that name none
    #[arg(long)]
    policy: Option<String>,
    /// A model its keys may use, * for any characters; may be given several times [default: all]
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// A provider its keys may use, * for any characters; may be given several times [default: all]
    #[arg(long = "provider", value_name = "PATTERN")]
    providers: Vec<String>,
    /// A note of your own; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(command: Command, output: &mut Output) -> anyhow::Result<Status> {
    match command {
        Command::Set(arguments) => set(arguments, output)?,
        Command::List { options } => {
            let teams = Opened::open(options.place)?.store.teams()?;
            if options.json {
                output.json(&teams.iter().map(shown).collect::<Vec<_>>())?;
            } else {
                for team in &teams {
                    writeln!(output, "{}", team.name)?;
                }
            }
        }
        Command::Show { name, options } => {
            let teams = Opened::open(options.place)?.store.teams()?;
            let Some(team) = teams.iter().find(|team| *team.name == *name) else {
                bail!("no team of this name was set up\n  help: sluicegate team list");
            };
            fields(&shown(team), options.json, output)?;
        }
    }
    Ok(Status::Done)
}

fn set(arguments: Set, output: &mut Output) -> anyhow::Result<()> {
    let name = arguments.name.trim();
    if name.is_empty() || name.len() > 100 || name.contains(char::is_control) {
        bail!("expected a name of 1 to 100 characters on one line");
    }
    let now = Timestamp::now();
    let keys = Opened::open(arguments.options.place)?;
    if let Some(policy) = &arguments.policy {
        let folder = keys.config.policies.as_deref();
        config::policy(folder, policy, "--policy", Zoned::now().date()).map_err(Problems)?;
    }
    let before = keys.store.teams()?;
    let before = before.into_iter().find(|team| *team.name == *name);
    let team = Team {
        name: name.into(),
        policy: arguments.policy,
        limit: arguments.limit,
        models: arguments.models,
        providers: arguments.providers,
        labels: arguments.labels.into_iter().collect(),
        ..before.unwrap_or_default()
    };
    let log = keys.log(now)?;
    if !keys.store.put_team(&team)? {
        bail!("{CHANGED_MEANWHILE}");
    }
    record(&log, "team.set", name, now)?;
    fields(&shown(&team), arguments.options.json, output)
}

fn shown(team: &Team) -> Value {
    json!({
        "name": *team.name, "policy": team.policy,
        "limit": team.limit.as_ref().map(ToString::to_string),
        "models": team.models, "providers": team.providers,
        "credentials": team.credentials.keys().collect::<Vec<_>>(), "labels": team.labels,
    })
}
