//! A provider's credential, opened for one exchange.

use jiff::Timestamp;

use crate::secret::Secret;
use crate::upstream::Credential;
use crate::vault::{Level, Reader, Vault};

/// The secret, or `None` for a provider that wants none.
///
/// # Errors
///
/// What is wrong and what to do, in words that hold no secret.
pub(super) async fn open(vault: &Vault, credential: &Credential) -> Result<Option<Secret>, String> {
    let secret = match credential {
        Credential::None => return Ok(None),
        Credential::Vault(name) => {
            let reader = Reader {
                who: "proxy",
                level: Level::Elevated,
            };
            vault
                .read(name, reader, Timestamp::now())
                .map_err(|error| error.to_string())?
        }
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
