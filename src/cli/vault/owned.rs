//! Credentials of one key or team: sealed by the vault, kept beside the key or team in the store.

use anyhow::bail;
use jiff::Timestamp;
use serde_json::json;

use crate::auth::{Credentials, Holder, KeyRecord, Team};
use crate::cli::key::{CHANGED_MEANWHILE, Opened};
use crate::cli::output::Output;
use crate::cli::record;
use crate::config::Config;
use crate::vault::Owned;

use super::{Check, OPERATOR, Options, Owner};

/// Whose credential it is, as kept now.
enum Found {
    Key(KeyRecord),
    Team(Team),
}

/// Gives a key or team a credential of its own for a provider.
pub(super) fn set(
    (provider, owner): (&str, &Owner),
    check: &Check,
    options: &Options,
    output: &mut Output,
) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let super::Opened {
        vault,
        config,
        master,
    } = options.open()?;
    known(&config, provider)?;
    let keys = Opened::open(options.place.clone())?;
    vault.join(Some(&master), &*keys.store)?;
    let mut found = owner.find(&keys)?;
    let secret = check.read(&config, (provider, false))?;
    let holder = found.holder();
    let whose = Owned {
        holder: &holder,
        provider,
    };
    let log = keys.log(now)?;
    let sealed = vault.seal_owned(whose, &secret, OPERATOR, now)?;
    found.credentials().insert(provider.to_owned(), sealed);
    found.keep(&keys)?;
    record(&log, "credential.set", &format!("{holder}/{provider}"), now)?;
    options.say(
        &format!("stored {provider} for {holder}"),
        &json!({"provider": provider, "holder": holder, "kept": true}),
        output,
    )
}

/// Takes it away.
pub(super) fn delete(
    (provider, owner): (&str, &Owner),
    options: &Options,
    output: &mut Output,
) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let vault = options.open()?.vault;
    let keys = Opened::open(options.place.clone())?;
    let mut found = owner.find(&keys)?;
    let holder = found.holder();
    if found.credentials().remove(provider).is_none() {
        bail!("{holder} has no credential of its own for {provider}");
    }
    let log = keys.log(now)?;
    found.keep(&keys)?;
    let whose = Owned {
        holder: &holder,
        provider,
    };
    vault.removed_owned(whose, OPERATOR, now)?;
    let subject = format!("{holder}/{provider}");
    record(&log, "credential.delete", &subject, now)?;
    options.say(
        &format!("deleted {provider} of {holder}"),
        &json!({"provider": provider, "holder": holder, "deleted": true}),
        output,
    )
}

impl Owner {
    fn find(&self, keys: &Opened) -> anyhow::Result<Found> {
        match (&self.key, &self.team) {
            (Some(key), _) => keys.find(key).map(Found::Key),
            (None, team) => {
                let name = team.as_deref().unwrap_or_default();
                let mut teams = keys.store.teams()?.into_iter();
                let Some(team) = teams.find(|team| *team.name == *name) else {
                    bail!("no team of this name was set up\n  help: sluicegate team set {name}");
                };
                Ok(Found::Team(team))
            }
        }
    }
}

impl Found {
    fn holder(&self) -> String {
        match self {
            Self::Key(key) => Holder::Key(key.id.clone()),
            Self::Team(team) => Holder::Team(team.name.clone()),
        }
        .to_string()
    }

    fn credentials(&mut self) -> &mut Credentials {
        match self {
            Self::Key(key) => &mut key.credentials,
            Self::Team(team) => &mut team.credentials,
        }
    }

    fn keep(&self, keys: &Opened) -> anyhow::Result<()> {
        let kept = match self {
            Self::Key(key) => keys.store.update(key)?,
            Self::Team(team) => keys.store.put_team(team)?,
        };
        if !kept {
            bail!("{CHANGED_MEANWHILE}");
        }
        Ok(())
    }
}

fn known(config: &Config, provider: &str) -> anyhow::Result<()> {
    let mut names = config.providers.iter().map(|provider| &provider.name);
    if !names.any(|name| name == provider) {
        bail!("there is no provider {provider}\n  help: sluicegate config");
    }
    Ok(())
}
