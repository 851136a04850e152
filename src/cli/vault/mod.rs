//! `sluicegate vault`: provider credentials, sealed. A secret comes from a prompt or standard input, never from an argument:
//! arguments end up in shell histories and process lists.

mod owned;
mod rekey;
mod verify;

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use crate::config::Config;
use crate::secret::Secret;
use crate::vault::{Level, MasterKey, NewEntry, Reader, Rotation, Vault};

use super::key::parse_overlap;
use super::output::Output;
use super::{Master, Place, Problems, Status, change_log, record};

/// Keep provider credentials, sealed under the master key
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Store a credential, read from a prompt, or from standard input when that is no terminal
    Set {
        /// What the configuration calls it, such as openai; for a key's or team's own, the provider
        name: String,
        #[command(flatten)]
        owner: Owner,
        /// What may read it: public, standard, elevated (what sends to providers) or admin
        #[arg(long, default_value = "elevated", value_name = "LEVEL")]
        level: Level,
        #[command(flatten)]
        check: Check,
        #[command(flatten)]
        options: Options,
    },
    /// Give a credential a new secret; the one before is tried when a provider refuses the new one
    Rotate {
        /// The entry
        name: String,
        /// How long the secret before still works: 10m, 24h, 7d
        #[arg(long, default_value = "1h", value_name = "TIME", value_parser = parse_overlap)]
        overlap: Duration,
        #[command(flatten)]
        check: Check,
        #[command(flatten)]
        options: Options,
    },
    /// List the entries; secrets are never shown
    List {
        #[command(flatten)]
        options: Options,
    },
    /// Remove a credential
    Delete {
        /// The entry; for a key's or team's own, the provider
        name: String,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        options: Options,
    },
    /// Put everything under a new master key; running gateways go on, and take it from their master key file
    Rekey {
        /// File that holds the new master key [default: the environment's `SLUICEGATE_NEW_MASTER_KEY`]
        #[arg(long, value_name = "FILE")]
        new_master_key_file: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Give up the credentials that clients brought, because the master key they are under is lost
    Renounce {
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        options: Options,
    },
}

/// Whose credential it is; everyone's if nothing is said.
#[derive(Args, Debug)]
pub(super) struct Owner {
    /// One key's own, by its id or the beginning of the key
    #[arg(long, value_name = "KEY", conflicts_with = "team")]
    key: Option<String>,
    /// A team's own
    #[arg(long, value_name = "TEAM")]
    team: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Check {
    /// Ask the providers that use it whether they accept the credential, before it is stored
    #[arg(long)]
    verify: bool,
}

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    master: Master,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Who the vault's access log says it was.
const OPERATOR: Reader<'static> = Reader {
    who: "operator (sluicegate vault)",
    level: Level::Admin,
};

/// No provider's credential comes near it; a wrong file piped in is noticed.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

pub(super) fn run(command: Command, output: &mut Output) -> anyhow::Result<Status> {
    let now = Timestamp::now();
    match command {
        Command::Set {
            name,
            owner,
            check,
            options,
            ..
        } if owner.is_one() => owned::set((&name, &owner), &check, &options, output)?,
        Command::Delete {
            name,
            owner,
            options,
        } if owner.is_one() => owned::delete((&name, &owner), &options, output)?,
        Command::Set {
            name,
            level,
            check,
            options,
            ..
        } => {
            let Opened { vault, config, .. } = options.open()?;
            let secret = check.read(&config, (&name, true))?;
            let log = change_log(&config.data, now)?;
            let entry = NewEntry {
                name: &name,
                secret: &secret,
                level,
            };
            let version = vault.set(entry, OPERATOR, now)?;
            record(&log, "vault.set", &name, now)?;
            let said = format!("stored {name}, version {version}");
            options.say(&said, &json!({"name": name, "version": version}), output)?;
        }
        Command::Rotate {
            name,
            overlap,
            check,
            options,
        } => rotate((&name, overlap), &check, &options, output)?,
        Command::List { options } => list(&options.open()?.vault, options.json, output)?,
        Command::Delete { name, options, .. } => {
            let Opened { vault, config, .. } = options.open()?;
            let log = change_log(&config.data, now)?;
            vault.delete(&name, OPERATOR, now)?;
            record(&log, "vault.delete", &name, now)?;
            options.say(
                &format!("deleted {name}"),
                &json!({"name": name, "deleted": true}),
                output,
            )?;
        }
        Command::Rekey {
            new_master_key_file,
            options,
        } => rekey::rekey(new_master_key_file.as_deref(), &options, output)?,
        Command::Renounce { yes, options } => rekey::renounce(yes, &options, output)?,
    }
    Ok(Status::Done)
}

fn rotate(
    (name, overlap): (&str, Duration),
    check: &Check,
    options: &Options,
    output: &mut Output,
) -> anyhow::Result<()> {
    let Opened { vault, config, .. } = options.open()?;
    let secret = check.read(&config, (name, true))?;
    let now = Timestamp::now();
    let until = now.checked_add(overlap).context("an overlap without end")?;
    let log = change_log(&config.data, now)?;
    let rotation = Rotation {
        name,
        secret: &secret,
        until,
    };
    let version = vault.rotate(rotation, OPERATOR, now)?;
    record(&log, "vault.rotate", name, now)?;
    options.say(
        &format!("rotated {name}, version {version}; the secret before works until {until:.0}"),
        &json!({"name": name, "version": version, "previous_until": until}),
        output,
    )
}

impl Owner {
    fn is_one(&self) -> bool {
        self.key.is_some() || self.team.is_some()
    }
}

impl Check {
    /// Reads a credential, and asks its providers about it if that is wanted.
    fn read(&self, config: &Config, asked: (&str, bool)) -> anyhow::Result<Secret> {
        let secret = read_secret(asked.0)?;
        if self.verify {
            verify::verify(config, asked, &secret)?;
        }
        Ok(secret)
    }
}

/// The vault, and what it was opened with.
struct Opened {
    vault: Vault,
    config: Config,
    master: MasterKey,
}

impl Options {
    fn open(&self) -> anyhow::Result<Opened> {
        let mut config = self.place.clone().read()?.config;
        if self.master.master_key_file.is_some() {
            config
                .master_key_file
                .clone_from(&self.master.master_key_file);
        }
        let master = master_key(&config)?;
        let vault = Vault::open(&config.data, Some(&master));
        let vault =
            vault.with_context(|| format!("cannot open the vault in {}", config.data.display()))?;
        Ok(Opened {
            vault,
            config,
            master,
        })
    }

    fn say(&self, said: &str, json: &serde_json::Value, output: &mut Output) -> anyhow::Result<()> {
        if self.json {
            return output.json(json);
        }
        writeln!(output, "{said}")?;
        Ok(())
    }
}

/// The configured master key, or one that a person types. A temporary vault would end with this command.
fn master_key(config: &Config) -> anyhow::Result<MasterKey> {
    if let Some(master) = config.master_key().map_err(Problems)? {
        return Ok(master);
    }
    if !io::stdin().is_terminal() {
        bail!(
            "there is no master key to seal the vault with\n  \
             expected: SLUICEGATE_MASTER_KEY or --master-key-file, the same for the gateway\n  \
             help: export SLUICEGATE_MASTER_KEY=\"$(openssl rand -base64 32)\", and keep it in a safe place"
        );
    }
    Ok(MasterKey::from_text(&typed_master_key()?)?)
}

/// The master key that a person types, who does not see it.
pub(super) fn typed_master_key() -> anyhow::Result<Secret> {
    let typed = rpassword::prompt_password("Master key of the vault: ");
    Ok(Secret::new(typed.context("cannot read the master key")?))
}

/// Reads the secret; line ends around it are not part of it.
fn read_secret(name: &str) -> anyhow::Result<Secret> {
    if io::stdin().is_terminal() {
        let prompt = format!("Credential for {name}: ");
        return Ok(Secret::new(
            rpassword::prompt_password(prompt).context("cannot read the credential")?,
        ));
    }
    let mut text = String::new();
    let read = io::stdin()
        .lock()
        .take(MAX_SECRET_BYTES + 1)
        .read_to_string(&mut text);
    let read =
        read.with_context(|| format!("cannot read the credential for {name} from standard input"))?;
    let secret = Secret::new(text);
    if read as u64 > MAX_SECRET_BYTES {
        bail!(
            "the credential for {name} is longer than {MAX_SECRET_BYTES} bytes\n  expected: one provider's key"
        );
    }
    Ok(secret)
}

fn list(vault: &Vault, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let entries = vault.list();
    if json {
        let list: Vec<_> = entries
            .iter()
            .map(|entry| {
                json!({
                    "name": entry.name, "version": entry.version, "level": entry.level,
                    "created": entry.created, "updated": entry.updated,
                    "previous_until": entry.previous_until,
                })
            })
            .collect();
        return output.json(&list);
    }
    if entries.is_empty() {
        writeln!(
            output,
            "the vault is empty; help: sluicegate vault set NAME"
        )?;
        return Ok(());
    }
    let mut rows = vec![
        [
            "NAME",
            "VERSION",
            "LEVEL",
            "CREATED",
            "UPDATED",
            "PREVIOUS UNTIL",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(entries.iter().map(|entry| {
        vec![
            entry.name.clone(),
            entry.version.to_string(),
            entry.level.clone(),
            format!("{:.0}", entry.created),
            format!("{:.0}", entry.updated),
            entry
                .previous_until
                .map_or_else(String::new, |until| format!("{until:.0}")),
        ]
    }));
    output.table(&rows)?;
    Ok(())
}
