//! `sluicegate key`: virtual keys. A key is shown once, when it is made; only a keyed hash of it is kept.

mod settings;
pub(super) use settings::parse_label;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::auth::{self, Bearer, KeyRecord, KeyStore, Pepper};
use crate::config::Config;
use crate::document::parse_duration;
use crate::secret::Secret;
use crate::{audit, store};
use settings::{Field, Settings, check_name};

use super::output::{Output, Style};
use super::{Place, Status, change_log, record};

/// Make, list, change and revoke the keys that clients present
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key; it is shown once
    Create(Box<Create>),
    /// Change a key's settings; running gateways follow at once
    Set(Box<Set>),
    /// Give a key a new text, shown once; the old one ends now or after an overlap
    Rotate(Rotate),
    /// List keys, oldest first, revoked and expired ones included
    List {
        /// The most to list
        #[arg(long, default_value_t = 1000, value_name = "NUMBER")]
        count: u32,
        /// Begin after the key of this id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
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
    /// Revoke a key; running gateways refuse it at once and end its open streams
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
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    options: Options,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// Its id, or the beginning of the key
    key: String,
    /// What it is for
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// A setting to take away; may be given several times
    #[arg(long, value_name = "SETTING")]
    clear: Vec<Field>,
    #[command(flatten)]
    options: Options,
}

#[derive(Args, Debug)]
pub(super) struct Rotate {
    /// Its id, or the beginning of the key
    key: String,
    /// How long the old text still works: 10m, 24h, 7d
    #[arg(long, default_value = "0s", value_name = "TIME", value_parser = parse_overlap)]
    overlap: Duration,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(command: Command, output: &mut Output) -> anyhow::Result<Status> {
    let now = Timestamp::now();
    match command {
        Command::Create(arguments) => create(*arguments, now, output)?,
        Command::Set(arguments) => set(*arguments, now, output)?,
        Command::Rotate(arguments) => rotate(arguments, now, output)?,
        Command::List {
            count,
            after,
            options,
        } => {
            let (json, keys) = (options.json, Opened::open(options.place)?);
            let listed = keys.store.list(after.as_deref(), count)?;
            list(&listed, now, json, output)?;
        }
        Command::Show { key, options } => {
            let (json, keys) = (options.json, Opened::open(options.place)?);
            show(&keys.find(&key)?, now, json, output)?;
        }
        Command::Revoke { key, options } => {
            let (json, keys) = (options.json, Opened::open(options.place)?);
            let (found, log) = (keys.find(&key)?, keys.log(now)?);
            keys.store.revoke(&found.id, now)?;
            record(&log, "key.revoke", &found.id, now)?;
            if json {
                output.json(&json!({"id": *found.id, "revoked": true}))?;
            } else {
                writeln!(output, "revoked {} ({})", found.id, found.name)?;
            }
        }
    }
    Ok(Status::Done)
}

/// Two that change one thing at the same time: the second one has not seen what the first one did.
pub(super) const CHANGED_MEANWHILE: &str = "somebody else changed it in the same moment; nothing was changed here\n  help: look at it, and try again";

/// The keys of a gateway, and its settings.
pub(super) struct Opened {
    pub(super) store: std::sync::Arc<dyn KeyStore>,
    pub(super) config: Config,
}

impl Opened {
    /// Of a gateway that is there: a mistyped folder is no empty gateway.
    pub(super) fn open(place: Place) -> anyhow::Result<Self> {
        Self::of(place.existing()?)
    }

    /// What it changes is told to running gateways, where they share a place.
    fn of(config: Config) -> anyhow::Result<Self> {
        let shared = store::shared(config.shared.as_deref(), config.shared_deadline)?;
        let store = store::open(&config.store, &config.data, shared)?;
        Ok(Self { store, config })
    }

    /// Opened before anything is changed.
    pub(super) fn log(&self, now: Timestamp) -> anyhow::Result<audit::Log> {
        change_log(&self.config.data, now)
    }

    fn pepper(&self) -> anyhow::Result<Pepper> {
        let pepper = Pepper::open(&self.config.data)?;
        pepper.check(&*self.store)?;
        Ok(pepper)
    }

    /// The key of an id, or the only one that begins so.
    pub(super) fn find(&self, asked: &str) -> anyhow::Result<KeyRecord> {
        // A whole key may have been pasted; it is not repeated.
        let pasted = asked.strip_prefix("sg-").unwrap_or("");
        let beginning: String = pasted.chars().take(8).collect();
        let mut found = self.store.lookup(asked, &beginning)?.into_iter();
        match (found.next(), found.next()) {
            (Some(key), _) if *key.id == *asked => Ok(key),
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => {
                bail!("several keys begin so\n  help: name one by its id; sluicegate key list")
            }
            (None, _) => bail!(
                "there is no such key\n  expected: an id such as key_0123456789abcdef\n  help: sluicegate key list"
            ),
        }
    }
}

fn create(arguments: Create, now: Timestamp, output: &mut Output) -> anyhow::Result<()> {
    let config = arguments.options.place.read()?.config;
    let name = check_name(&arguments.name)?;
    let mut made = KeyRecord::new("", name, now);
    arguments.settings.apply(&mut made, &config, now)?;
    let keys = Opened::of(config)?;
    let pepper = keys.pepper()?;
    let log = keys.log(now)?;
    let (key, bearer) = generate(&pepper)?;
    made.prefix.clone_from(&bearer.prefix);
    keys.store.insert(&made, &bearer)?;
    record(&log, "key.create", &made.id, now)?;
    tell(&key, &made, arguments.options.json, output)
}

fn set(arguments: Set, now: Timestamp, output: &mut Output) -> anyhow::Result<()> {
    let (json, keys) = (
        arguments.options.json,
        Opened::open(arguments.options.place)?,
    );
    let mut key = keys.find(&arguments.key)?;
    if let Some(name) = &arguments.name {
        check_name(name)?.clone_into(&mut key.name);
    }
    for field in arguments.clear {
        field.clear(&mut key);
    }
    arguments.settings.apply(&mut key, &keys.config, now)?;
    let log = keys.log(now)?;
    if !keys.store.update(&key)? {
        bail!("{CHANGED_MEANWHILE}");
    }
    record(&log, "key.set", &key.id, now)?;
    show(&key, now, json, output)
}

fn rotate(arguments: Rotate, now: Timestamp, output: &mut Output) -> anyhow::Result<()> {
    let (json, keys) = (
        arguments.options.json,
        Opened::open(arguments.options.place)?,
    );
    let found = keys.find(&arguments.key)?;
    if found.revoked.is_some() {
        bail!(
            "{} is revoked, which a new text does not change\n  help: sluicegate key create",
            found.id
        );
    }
    let pepper = keys.pepper()?;
    let log = keys.log(now)?;
    let (key, bearer) = generate(&pepper)?;
    let end = now.checked_add(arguments.overlap);
    let end = end.context("--overlap: that time never comes")?;
    keys.store.rotate(&found.id, &bearer, end)?;
    record(&log, "key.rotate", &found.id, now)?;
    tell(&key, &found, json, output)
}

/// A new key and what is kept of it.
fn generate(pepper: &Pepper) -> anyhow::Result<(Secret, Bearer)> {
    let key = auth::generate().context("the system has no random bytes to make a key of")?;
    let bearer = Bearer::new(pepper, &key).context("the key that was made is no key")?;
    Ok((key, bearer))
}

pub(super) fn parse_overlap(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a span of time such as 10m, 24h or 7d".to_owned())
}

/// Shows a key, the only time.
fn tell(key: &Secret, made: &KeyRecord, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
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

fn state(key: &KeyRecord, now: Timestamp) -> &'static str {
    match key.check(now) {
        Ok(()) => "valid",
        Err(auth::Denied::Revoked) => "revoked",
        Err(_) => "expired",
    }
}

/// All that may be shown of a key.
fn shown(key: &KeyRecord, now: Timestamp) -> Value {
    json!({
        "id": *key.id, "name": key.name, "prefix": format!("sg-{}", key.prefix), "state": state(key, now),
        "owner": key.owner, "team": key.team, "policy": key.policy,
        "limit": key.limit.as_ref().map(ToString::to_string),
        "models": key.models, "providers": key.providers, "networks": key.networks,
        "byok": key.byok, "credentials": key.credentials.keys().collect::<Vec<_>>(), "labels": key.labels,
        "created": key.created, "expires": key.expires, "revoked": key.revoked,
    })
}

fn list(keys: &[KeyRecord], now: Timestamp, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        return output.json(&keys.iter().map(|key| shown(key, now)).collect::<Vec<_>>());
    }
    let heading = [
        "ID", "NAME", "KEY", "STATE", "TEAM", "LIMIT", "POLICY", "CREATED", "EXPIRES",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    rows.extend(keys.iter().map(|key| {
        vec![
            key.id.to_string(),
            key.name.clone(),
            format!("sg-{}…", key.prefix),
            state(key, now).to_owned(),
            or_dash(key.team.clone()),
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
    fields(&shown(key, now), json, output)
}

/// An object as JSON, or one line a field; an empty list of what it may use allows all.
pub(super) fn fields(shown: &Value, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        return output.json(shown);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) if items.is_empty() && name == "credentials" => "none".to_owned(),
            Value::Array(items) if items.is_empty() => "all".to_owned(),
            Value::Object(entries) if entries.is_empty() => "-".to_owned(),
            other => other.to_string(),
        };
        writeln!(output, "{name:<11} {text}")?;
    }
    Ok(())
}
