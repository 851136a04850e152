//! Whether a provider accepts a credential: one request for its list of models, which costs nothing.

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::config::Config;
use crate::secret::Secret;
use crate::upstream::credential::is_refused;
use crate::upstream::{Credential, Provider, Request, Upstream};
use crate::wire::Family;

/// Asks every provider that would use this credential: for everyone's, those that take it from this entry of the vault; else
/// the one of this name.
///
/// # Errors
///
/// If none does, one refuses the credential, or one cannot be asked.
pub(super) fn verify(
    config: &Config,
    (name, everyones): (&str, bool),
    secret: &Secret,
) -> anyhow::Result<()> {
    let uses = |provider: &&Provider| match &provider.credential {
        Credential::Vault(entry) if everyones => entry == name,
        _ => !everyones && provider.name == name,
    };
    let providers: Vec<&Provider> = config.providers.iter().filter(uses).collect();
    if providers.is_empty() {
        bail!(
            "no provider has the credential vault:{name}, so nobody can be asked about it\n  \
             help: name it in the server file, or leave out --verify"
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("cannot ask the provider")?;
    for provider in providers {
        runtime.block_on(ask(provider, secret))?;
    }
    Ok(())
}

async fn ask(provider: &Provider, secret: &Secret) -> anyhow::Result<()> {
    let name = &provider.name;
    let failed = || format!("cannot ask the provider {name}; nothing was stored");
    let upstream = Upstream::new(provider.clone()).map_err(anyhow::Error::msg);
    let upstream = upstream.with_context(failed)?;
    let mut headers = HeaderMap::new();
    let path = match provider.family {
        Family::OpenAi => "/v1/models",
        Family::Anthropic => {
            let version = HeaderName::from_static("anthropic-version");
            headers.insert(version, HeaderValue::from_static("2023-06-01"));
            "/v1/models"
        }
        Family::Gemini => "/v1beta/models",
    };
    let request = Request {
        method: Method::GET,
        path: path.to_owned(),
        headers,
        body: None,
    };
    let answer = upstream.send(request, Some(secret)).await;
    let status = answer.with_context(failed)?.status;
    if status.is_success() {
        return Ok(());
    }
    if is_refused(provider.family, status) {
        bail!(
            "the provider {name} refuses the credential ({status}); nothing was stored\n  \
             help: copy it again from the provider's page"
        );
    }
    bail!(
        "the provider {name} did not say whether it accepts the credential: it answered {status}; nothing was stored\n  \
         help: try again later, or leave out --verify"
    )
}
