//! A new master key, and one that is lost.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;

use crate::cli::output::Output;
use crate::cli::{Problems, change_log, record};
use crate::secret::Secret;
use crate::vault::{MasterKey, Rekeying};
use crate::{config, store};

use super::{OPERATOR, Opened, Options};

/// Puts everything under a new master key.
pub(super) fn rekey(
    file: Option<&Path>,
    options: &Options,
    output: &mut Output,
) -> anyhow::Result<()> {
    const VARIABLE: &str = "SLUICEGATE_NEW_MASTER_KEY";
    let Opened {
        vault,
        config,
        master,
    } = options.open()?;
    let given = config::master_key(VARIABLE, file).map_err(Problems)?;
    let to = match given {
        Some(key) => key,
        None if io::stdin().is_terminal() => {
            let typed = || rpassword::prompt_password("New master key of the vault: ");
            let key = typed().context("cannot read the new master key")?;
            let again = rpassword::prompt_password("The same again: ");
            if again.context("cannot read the new master key")? != key {
                bail!("the two are not the same; nothing was changed");
            }
            MasterKey::from_text(&Secret::new(key))?
        }
        None => bail!(
            "there is no new master key\n  expected: {VARIABLE} or --new-master-key-file\n  \
             help: make one with `openssl rand -base64 32`, and keep it in a safe place"
        ),
    };
    let now = Timestamp::now();
    let log = change_log(&config.data, now)?;
    // Draws nothing where standard error is no terminal.
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:40} {pos}/{len}")?);
    let store = store::open(&config.store, &config.data, None)?;
    let keys = Rekeying {
        from: &master,
        to: &to,
    };
    let count = vault.rekey((keys, &*store), OPERATOR, now, &mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    record(&log, "vault.rekey", "*", now)?;
    options.say(
        &format!(
            "under the new master key: {count}; put it where the gateway has it from: a running one finds it in \
             master_key_file, a variable needs a restart"
        ),
        &json!({"entries": count, "rekeyed": true}),
        output,
    )
}

/// Gives up what clients brought, if it is meant.
pub(super) fn renounce(yes: bool, options: &Options, output: &mut Output) -> anyhow::Result<()> {
    if !yes {
        confirm()?;
    }
    let Opened {
        vault,
        config,
        master,
    } = options.open()?;
    let now = Timestamp::now();
    let log = change_log(&config.data, now)?;
    let store = store::open(&config.store, &config.data, None)?;
    vault.renounce(&master, &*store)?;
    record(&log, "vault.renounce", "*", now)?;
    options.say(
        "what clients brought so far opens no more: they have to bring it again; restart every gateway over this store",
        &json!({"renounced": true}),
        output,
    )
}

/// Asks a person; whoever is none has to say `--yes`.
fn confirm() -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        bail!(
            "this gives up all credentials that clients brought, for good; nothing was changed\n  \
             expected: a terminal to ask at, or --yes"
        );
    }
    write!(
        io::stderr(),
        "All credentials that clients brought are given up, for good. Type yes to go on: "
    )?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("the answer was not yes; nothing was changed");
    }
    Ok(())
}
