//! `sluicegate vault`: provider credentials, sealed. A secret comes from a prompt or standard input, never from an argument:
//! arguments end up in shell histories and process lists.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use crate::config::Config;
use crate::secret::Secret;
use crate::vault::{Level, MasterKey, NewEntry, Reader, Vault};

use super::output::Output;
use super::{Master, Place, Problems, Status, change_log, record};

/// Keep provider credentials, sealed under the master key
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Store a credential, read from a prompt, or from standard input when that is no terminal
    Set {
        /// What the configuration calls it, such as openai
        name: String,
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
        /// The entry
        name: String,
        #[command(flatten)]
        options: Options,
    },
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
        Command::Set { name, options } => {
            let (vault, data) = options.open()?;
            let secret = read_secret(&name)?;
            let log = change_log(&data, now)?;
            let entry = NewEntry {
                name: &name,
                secret: &secret,
                level: Level::Elevated,
            };
            let version = vault.set(entry, OPERATOR, now)?;
            record(&log, "vault.set", &name, now)?;
            let said = format!("stored {name}, version {version}");
            options.say(&said, &json!({"name": name, "version": version}), output)?;
        }
        Command::List { options } => list(&options.open()?.0, options.json, output)?,
        Command::Delete { name, options } => {
            let (vault, data) = options.open()?;
            let log = change_log(&data, now)?;
            vault.delete(&name, OPERATOR, now)?;
            record(&log, "vault.delete", &name, now)?;
            options.say(
                &format!("deleted {name}"),
                &json!({"name": name, "deleted": true}),
                output,
            )?;
        }
    }
    Ok(Status::Done)
}

impl Options {
    fn open(&self) -> anyhow::Result<(Vault, PathBuf)> {
        let mut config = self.place.clone().read()?.config;
        if self.master.master_key_file.is_some() {
            config
                .master_key_file
                .clone_from(&self.master.master_key_file);
        }
        let master = master_key(&config)?;
        let data = config.data;
        let vault = Vault::open(&data, Some(&master));
        Ok((
            vault.with_context(|| format!("cannot open the vault in {}", data.display()))?,
            data,
        ))
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
    let typed = rpassword::prompt_password("Master key of the vault: ")
        .context("cannot read the master key")?;
    Ok(MasterKey::from_text(&Secret::new(typed))?)
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
        ["NAME", "VERSION", "LEVEL", "CREATED", "UPDATED"]
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
        ]
    }));
    output.table(&rows)?;
    Ok(())
}
