//! A provider's credential, opened for one exchange; and those that callers bring and take away.

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::exchange::Exchange;
use super::hashicorp::HashiCorp;
use super::outgoing::Outgoing;
use super::respond::Problem;
use crate::auth::{Holder, Principal};
use crate::secret::Secret;
pub(super) use crate::upstream::credential::is_refused;
use crate::upstream::{Credential, Upstream};
use crate::vault::{Error, Level, Owned, Reader, Vault};

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
pub(super) async fn open(
    (vault, hashicorp): (&Vault, Option<&HashiCorp>),
    credential: &Credential,
) -> Result<Option<Secret>, String> {
    let secret = match credential {
        Credential::None => return Ok(None),
        Credential::Vault(name) => vault
            .read(name, PROXY, Timestamp::now())
            .map_err(|error| error.to_string())?,
        Credential::HashiCorp { path, field } => match hashicorp {
            Some(hashicorp) => hashicorp.open(path, field).await?,
            None => return Err("the server file has no section hashicorp".to_owned()),
        },
        Credential::Environment(_) | Credential::File(_) => plain(credential).await?,
    };
    Ok(Some(secret))
}

/// What the environment or a file holds; nothing in any other place.
///
/// # Errors
///
/// If there is nothing.
pub(super) async fn plain(credential: &Credential) -> Result<Secret, String> {
    let secret = match credential {
        Credential::Environment(name) => match std::env::var(name) {
            Ok(value) => Secret::new(value),
            Err(_) => return Err(format!("the environment has no variable {name}")),
        },
        Credential::File(path) => match tokio::fs::read_to_string(path).await {
            Ok(text) => Secret::new(text),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        },
        Credential::None | Credential::Vault(_) | Credential::HashiCorp { .. } => Secret::new(""),
    };
    if secret.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(secret)
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

/// A caller's own credential.
pub(super) fn own(
    vault: &Vault,
    (holder, provider): (&Holder, &str),
    sealed: &str,
) -> Result<Secret, String> {
    let holder = holder.to_string();
    let owned = Owned {
        holder: &holder,
        provider,
    };
    let opened = vault.open_owned(owned, sealed, PROXY, Timestamp::now());
    opened.map_err(|error| error.to_string())
}

/// What a client sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Brought {
    credential: String,
}

/// No provider's credential comes near it.
const MAX_BYTES: usize = 16 * 1024;

const INVALID: Problem = Problem::Own(
    400,
    "invalid_credential",
    "send {\"credential\": TEXT}, with the provider's key as text of 1 to 16384 visible characters",
);
const NOT_ALLOWED: Problem = Problem::Own(
    403,
    "credential_not_allowed",
    "this key may not bring credentials of its own; the operator gives that right: sluicegate key set KEY_ID --byok",
);
const UNKNOWN: Problem = Problem::Own(
    404,
    "unknown_provider",
    "there is no provider of this name that the key may use",
);
const NONE: Problem = Problem::Own(
    404,
    "unknown_credential",
    "there is no credential of the key's or session's own for this provider",
);
const TEMPORARY: Problem = Problem::Own(
    503,
    "vault_temporary",
    "this gateway has no master key, so it cannot keep credentials; the operator sets SLUICEGATE_MASTER_KEY",
);

impl Exchange {
    /// The credential for a provider: the caller's own, else everyone's.
    pub(super) async fn credential(
        &self,
        upstream: &Arc<Upstream>,
        principal: &Principal,
    ) -> Result<Option<Secret>, Problem> {
        let vault = &self.gateway.vault;
        let secret = if let Some((holder, sealed)) = principal.credential(upstream.name()) {
            own(vault, (&holder, upstream.name()), &sealed).map(Some)
        } else {
            let hashicorp = self.gateway.hashicorp.as_deref();
            open((vault, hashicorp), &upstream.provider().credential).await
        };
        secret.map_err(|problem| Problem::Credential {
            provider: upstream.name().to_owned(),
            problem,
        })
    }

    /// Keeps a credential of the caller's own: a session's for the session, a key's for the key and its sessions.
    pub(super) async fn put_credential(
        &mut self,
        principal: Principal,
        provider: String,
        (head, body): (&Parts, Incoming),
    ) -> Result<Response<Outgoing>, Problem> {
        let holder = self.may_bring(&principal, &provider)?;
        let (body, _hold) = self.read(head, body).await?;
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let brought: Option<Brought> = serde_json::from_slice(&body).ok().filter(|_| is_object);
        let secret = Secret::new(brought.ok_or(INVALID)?.credential);
        let text = secret.expose().as_bytes();
        if text.is_empty() || text.len() > MAX_BYTES || !text.iter().all(u8::is_ascii_graphic) {
            return Err(INVALID);
        }
        let name = holder.to_string();
        let owned = Owned {
            holder: &name,
            provider: &provider,
        };
        let sealed = self
            .gateway
            .vault
            .seal_owned(owned, &secret, by(&name), Timestamp::now());
        let sealed = sealed.map_err(|error| match error {
            Error::Temporary => TEMPORARY,
            error => {
                tracing::error!(%error, "a client's credential is not kept");
                Problem::Internal
            }
        })?;
        self.keep_credential(principal, &provider, Some(sealed))
            .await?;
        let subject = format!("{name}/{provider}");
        self.change("credential.set", &name, &subject)?;
        self.say(
            StatusCode::OK,
            &json!({"provider": provider, "holder": name, "kept": true}),
        )
    }

    /// Removes a credential of the caller's own.
    pub(super) async fn delete_credential(
        &mut self,
        principal: Principal,
        provider: String,
    ) -> Result<Response<Outgoing>, Problem> {
        let holder = self.may_bring(&principal, &provider)?.to_string();
        if !self.keep_credential(principal, &provider, None).await? {
            return Err(NONE);
        }
        let owned = Owned {
            holder: &holder,
            provider: &provider,
        };
        let logged = self
            .gateway
            .vault
            .removed_owned(owned, by(&holder), Timestamp::now());
        logged.map_err(|_| Problem::Unrecorded)?;
        let subject = format!("{holder}/{provider}");
        self.change("credential.delete", &holder, &subject)?;
        self.say(
            StatusCode::OK,
            &json!({"provider": provider, "holder": holder, "deleted": true}),
        )
    }

    /// Whose credential it would be.
    fn may_bring(&self, principal: &Principal, provider: &str) -> Result<Holder, Problem> {
        if !principal.key.byok {
            return Err(NOT_ALLOWED);
        }
        let known = self.gateway.table.provider(provider).is_some();
        if !known || !principal.allows_provider(provider) {
            return Err(UNKNOWN);
        }
        let session = principal.session.as_ref();
        Ok(session.map_or_else(
            || Holder::Key(Arc::clone(&principal.key.id)),
            |id| Holder::Session(Arc::clone(id)),
        ))
    }

    /// Keeps or removes it in the store; this gateway knows at once, others a moment later.
    async fn keep_credential(
        &self,
        principal: Principal,
        provider: &str,
        sealed: Option<String>,
    ) -> Result<bool, Problem> {
        let provider = provider.to_owned();
        let kept = self.with_keys(move |keyring| {
            let kept = keyring.put_credential(&principal, &provider, sealed.as_deref())?;
            keyring.refresh(Timestamp::now())?;
            Ok(kept)
        });
        let kept = kept.await?;
        self.gateway.keys_changed.notify_waiters();
        Ok(kept)
    }
}

/// Who the access log says it was.
fn by(holder: &str) -> Reader<'_> {
    Reader {
        who: holder,
        level: Level::Elevated,
    }
}
