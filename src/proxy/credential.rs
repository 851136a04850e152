//! A provider's credential, opened for one exchange.

use jiff::Timestamp;

use crate::secret::Secret;
use crate::upstream::Credential;
pub(super) use crate::upstream::credential::is_refused;
use crate::vault::{Level, Reader, Vault};

/// Who reads.
const PROXY: Reader<'_> = Reader {
    who: "proxy",
    level: Level::Elevated,
};

/// The secret, or `None` for a provider that wants none.
///
/// # Errors
///
/// What is wrong and what to do, in words that hold no secret.
pub(super) async fn open(vault: &Vault, credential: &Credential) -> Result<Option<Secret>, String> {
    let secret = match credential {
        Credential::None => return Ok(None),
        Credential::Vault(name) => vault
            .read(name, PROXY, Timestamp::now())
            .map_err(|error| error.to_string())?,
        Credential::Environment(name) => match std::env::var(name) {
            Ok(value) => Secret::new(value),
            Err(_) => return Err(format!("the environment has no variable {name}")),
        },
        Credential::File(path) => match tokio::fs::read_to_string(path).await {
            Ok(text) => Secret::new(text),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        },
    };
    if secret.is_empty() {
        Err("it is empty".to_owned())
    } else {
        Ok(Some(secret))
    }
}

/// Whether the secret before may still work.
pub(super) fn is_rotating(vault: &Vault, credential: &Credential) -> bool {
    matches!(credential, Credential::Vault(name) if vault.is_rotating(name, Timestamp::now()))
}

/// The secret before, if it may still work.
pub(super) fn previous(vault: &Vault, credential: &Credential) -> Option<Secret> {
    let Credential::Vault(name) = credential else {
        return None;
    };
    match vault.previous(name, PROXY, Timestamp::now()) {
        Ok(previous) => previous,
        Err(error) => {
            tracing::error!(%error, "the secret before cannot be tried");
            None
        }
    }
}
