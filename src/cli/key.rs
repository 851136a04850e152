//! `sluicegate key`: virtual keys. A key is shown once, when it is made; only a keyed hash of it is kept.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::auth::{self, KeyRecord, KeyStore, Pepper};
use crate::config;
use crate::document::parse_duration;
use crate::rate::quota::Quota;
use crate::store;

use super::output::{Output, Style};
use super::{Place, Problems, Status, change_log, record};

/// Make, list and revoke the keys that clients present
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key; it is shown once
    Create(Box<Create>),
    /// List all keys, revoked and expired ones included
    List {
        #[command(flatten)]
        options: Options,
    },
    /// Show one key's settings
    Show {
        /// Its id, or the beginning of the key
        key: String,
        #[command(flatten)]
        options: Options,
    },
    /// Revoke a key; running gateways refuse it at once
    Revoke {
        /// Its id, or the beginning of the key
        key: String,
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
pub(super) struct Create {
    /// What it is for
    #[arg(long)]
    name: String,
    /// What it may use, several with spaces between: 20/minute, tokens=100000/minute, concurrent=5, streams=2,
    /// budget=50usd/month, budget=2000000tokens/day
    #[arg(long, value_name = "LIMITS")]
    limit: Option<Quota>,
    /// Policy for its exchanges, instead of the gateway's own
    #[arg(long)]
    policy: Option<String>,
    /// When it ends: after 12h or 30d, or at the beginning of a day, 2030-01-31 (UTC)
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// The person or service responsible
    #[arg(long)]
    owner: Option<String>,
    /// The team it belongs to
    #[arg(long)]
    team: Option<String>,
    /// A model it may use, * for any characters; may be given several times [default: all]
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// A provider it may use; may be given several times [default: all]
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
    /// Folder of policies, to check --policy
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(command: Command, output: &mut Output) -> anyhow::Result<Status> {
    let now = Timestamp::now();
    match command {
        Command::Create(arguments) => create(*arguments, now, output)?,
        Command::List { options } => {
            let keys = open(&options.place.data()?)?.list()?;
            list(&keys, now, options.json, output)?;
        }
        Command::Show { key, options } => {
            let keys = open(&options.place.data()?)?.list()?;
            show(find(&keys, &key)?, now, options.json, output)?;
        }
        Command::Revoke { key, options } => {
            let data = options.place.data()?;
            let store = open(&data)?;
            let keys = store.list()?;
            let found = find(&keys, &key)?;
            let log = change_log(&data, now)?;
            store.revoke(&found.id, now)?;
            record(&log, "key.revoke", &found.id, now)?;
            if options.json {
                output.json(&json!({"id": *found.id, "revoked": true}))?;
            } else {
                writeln!(output, "revoked {} ({})", found.id, found.name)?;
            }
        }
    }
    Ok(Status::Done)
}

fn open(data: &std::path::Path) -> anyhow::Result<Arc<dyn KeyStore>> {
    Ok(store::open("sqlite", data)?)
}

fn create(arguments: Create, now: Timestamp, output: &mut Output) -> anyhow::Result<()> {
    let config = arguments.options.place.read()?.config;
    if arguments.name.trim().is_empty()
        || arguments.name.len() > 100
        || arguments.name.contains(char::is_control)
    {
        bail!("--name: expected 1 to 100 characters on one line");
    }
    if let Some(policy) = &arguments.policy {
        let folder = arguments.policies.as_ref().or(config.policies.as_ref());
        let folder = folder.map(PathBuf::as_path);
        config::policy(folder, policy, "--policy", Zoned::now().date()).map_err(Problems)?;
    }
    let expires = arguments
        .expires
        .as_deref()
        .map(|text| parse_expiry(text, now))
        .transpose()?;
    let store = open(&config.data)?;
    let pepper = Pepper::open(&config.data)?;
    let log = change_log(&config.data, now)?;
    let key = auth::generate().context("the system has no random bytes to make a key of")?;
    let mut made = KeyRecord::new(&pepper, &key, arguments.name.trim(), now)
        .context("the key that was made is no key")?;
    made.limit = arguments.limit;
    made.policy = arguments.policy;
    made.expires = expires;
    made.owner = arguments.owner;
    made.team = arguments.team;
    made.models = arguments.models;
    made.providers = arguments.providers;
    store.insert(&made)?;
    record(&log, "key.create", &made.id, now)?;
    if arguments.options.json {
        return output.json(&json!({"id": *made.id, "key": key.expose()}));
    }
    writeln!(output, "{}", output.styled(Style::Strong, key.expose()))?;
    writeln!(
        output,
        "This is {} ({}). It is shown only now.",
        made.id, made.name
    )?;
    Ok(())
}

/// A span of time from now, or the beginning of a day.
fn parse_expiry(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let time = match (parse_duration(text), text.parse::<Date>()) {
        (Some(span), _) => now.checked_add(span).ok(),
        (None, Ok(date)) => date
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|midnight| midnight.timestamp()),
        (None, Err(_)) => None,
    };
    time.filter(|time| *time > now).with_context(|| {
        let shown = text.escape_debug();
        format!("--expires: \"{shown}\" is no time to come\n  expected: 12h, 30d or a date such as 2030-01-31")
    })
}

/// The key of an id, or the only one that begins so.
fn find<'k>(keys: &'k [KeyRecord], asked: &str) -> anyhow::Result<&'k KeyRecord> {
    if let Some(found) = keys.iter().find(|key| *key.id == *asked) {
        return Ok(found);
    }
    // A whole key may have been pasted; it is not repeated.
    let beginning = asked.strip_prefix("sg-").unwrap_or("");
    let begins = |key: &&KeyRecord| {
        !beginning.is_empty()
            && (beginning.starts_with(&key.prefix) || key.prefix.starts_with(beginning))
    };
    let mut found = keys.iter().filter(begins);
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => {
            bail!("several keys begin so\n  help: name one by its id; sluicegate key list")
        }
        (None, _) => bail!(
            "there is no such key\n  expected: an id such as key_0123456789abcdef\n  help: sluicegate key list"
        ),
    }
}

fn state(key: &KeyRecord, now: Timestamp) -> &'static str {
    match key.check(now) {
        Ok(()) => "valid",
        Err(denied) => match denied {
            auth::Denied::Revoked => "revoked",
            auth::Denied::Expired => "expired",
            auth::Denied::Unknown => "unknown",
        },
    }
}

/// All that may be shown of a key.
fn shown(key: &KeyRecord, now: Timestamp) -> Value {
    json!({
        "id": *key.id, "name": key.name, "prefix": format!("sg-{}", key.prefix), "state": state(key, now),
        "owner": key.owner, "team": key.team, "policy": key.policy,
        "limit": key.limit.as_ref().map(ToString::to_string),
        "models": key.models, "providers": key.providers,
        "created": key.created, "expires": key.expires, "revoked": key.revoked,
    })
}

fn list(keys: &[KeyRecord], now: Timestamp, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        return output.json(&keys.iter().map(|key| shown(key, now)).collect::<Vec<_>>());
    }
    let mut rows = vec![
        [
            "ID", "NAME", "KEY", "STATE", "LIMIT", "POLICY", "CREATED", "EXPIRES",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    rows.extend(keys.iter().map(|key| {
        vec![
            key.id.to_string(),
            key.name.clone(),
            format!("sg-{}…", key.prefix),
            state(key, now).to_owned(),
            or_dash(key.limit.as_ref().map(ToString::to_string)),
            or_dash(key.policy.clone()),
            format!("{:.0}", key.created),
            or_dash(key.expires.map(|time| format!("{time:.0}"))),
        ]
    }));
    output.table(&rows)?;
    Ok(())
}

fn show(key: &KeyRecord, now: Timestamp, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let shown = shown(key, now);
    if json {
        return output.json(&shown);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) if items.is_empty() => "all".to_owned(),
            other => other.to_string(),
        };
        writeln!(output, "{name:<10} {text}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_a_span_or_a_day_to_come() {
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let at = |text: &str| {
            parse_expiry(text, now)
                .map(|time| time.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(at("12h").unwrap(), "2026-05-02T00:00:00Z");
        assert_eq!(at("30d").unwrap(), "2026-05-31T12:00:00Z");
        assert_eq!(at("2030-01-31").unwrap(), "2030-01-31T00:00:00Z");
        for wrong in [
            "",
            "soon",
            "0s",
            "2020-01-01",
            "30",
            "18446744073709551615d",
        ] {
            assert!(
                at(wrong).unwrap_err().contains("no time to come"),
                "{wrong}"
            );
        }
    }
}
