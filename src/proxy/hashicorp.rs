//! Credentials that `HashiCorp` Vault keeps, read by its KV version 2 HTTP API and remembered for a while.
//!
//! `GET /v1/MOUNT/data/PATH` with the token in `X-Vault-Token`; the answer is `{"data": {"data": {FIELD: …}, "metadata": …}}`,
//! 404 for what was deleted (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;

use super::credential;
use crate::secret::Secret;
use crate::upstream::{Credential, Provider, Request, Timeouts, Upstream};

/// Where the server is, and how it is asked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `https://host[:port]`.
    pub address: String,
    /// Where the token to ask with is kept: an environment variable or a file, which an agent may renew.
    pub token: Credential,
    /// The namespace, where the server has such.
    pub namespace: Option<String>,
    /// A PEM file of further certificate authorities to trust.
    pub ca: Option<PathBuf>,
    /// How long a credential is used before the server is asked again.
    pub refresh: Duration,
}

/// A server and what it said lately.
pub struct HashiCorp {
    upstream: Arc<Upstream>,
    token: Credential,
    namespace: Option<HeaderValue>,
    refresh: Duration,
    known: Mutex<HashMap<String, Known>>,
    /// Held while asking: one question at a time.
    asking: tokio::sync::Mutex<()>,
}

struct Known {
    secret: Secret,
    /// When the server said so.
    at: Instant,
    /// Until when it is not asked again.
    until: Instant,
}

/// How long a credential goes on working while the server is away.
const STALE: Duration = Duration::from_hours(1);
/// How long a server that was away is left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// No secret of a provider comes near it.
const MAX_BYTES: usize = 1024 * 1024;
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_secs(3),
    between_chunks: Duration::from_secs(3),
    whole: Duration::from_secs(5),
};

/// Why there is no credential.
enum Failed {
    /// The server says so.
    Refused(String),
    /// The server says nothing that helps.
    Away(String),
}

#[derive(Deserialize)]
struct Answer {
    data: Version,
}

#[derive(Deserialize)]
struct Version {
    data: HashMap<String, serde_json::Value>,
}

impl HashiCorp {
    /// Prepares a server; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// A sentence on what is wrong with its address, namespace or authorities.
    pub fn new(config: &Config) -> Result<Self, String> {
        let upstream = Upstream::new(Provider {
            name: "hashicorp".to_owned(),
            base_url: config.address.clone(),
            ca: config.ca.clone(),
            allow_private: true,
            timeouts: TIMEOUTS,
            ..Provider::default()
        })?;
        let namespace = config.namespace.as_deref().map(HeaderValue::from_str);
        Ok(Self {
            upstream,
            token: config.token.clone(),
            namespace: namespace
                .transpose()
                .map_err(|_| "the namespace cannot stand in a header".to_owned())?,
            refresh: config.refresh,
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// The credential in a field of the secret at a path, from memory if it was read lately.
    ///
    /// # Errors
    ///
    /// If the server has none or gives none, or has been away for an hour.
    pub(super) async fn open(&self, path: &str, field: &str) -> Result<Secret, String> {
        let place = format!("{path}#{field}");
        if let Some(secret) = self.fresh(&place) {
            return Ok(secret);
        }
        let _asking = self.asking.lock().await;
        if let Some(secret) = self.fresh(&place) {
            return Ok(secret);
        }
        let asked = self.ask(path, field).await;
        let now = Instant::now();
        let mut known = self.known();
        match asked {
            Ok(secret) => {
                let new = Known {
                    secret: secret.clone(),
                    at: now,
                    until: now + self.refresh,
                };
                known.insert(place, new);
                Ok(secret)
            }
            Err(Failed::Refused(why)) => {
                known.remove(&place);
                Err(why)
            }
            Err(Failed::Away(why)) => {
                let lately = known.get_mut(&place).filter(|known| now < known.at + STALE);
                let Some(lately) = lately else {
                    return Err(why);
                };
                tracing::error!(why, "HashiCorp Vault is away, its last word stays in force");
                lately.until = now + PAUSE;
                Ok(lately.secret.clone())
            }
        }
    }

    /// Forgets, and wipes, what nobody asked for lately; to be called now and then.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.known().retain(|_, known| now < known.at + STALE);
        self.upstream.sweep();
    }

    fn fresh(&self, place: &str) -> Option<Secret> {
        let known = self.known();
        let fresh = known
            .get(place)
            .filter(|known| Instant::now() < known.until);
        fresh.map(|known| known.secret.clone())
    }

    async fn ask(&self, path: &str, field: &str) -> Result<Secret, Failed> {
        let token = credential::plain(&self.token).await;
        let token =
            token.map_err(|why| Failed::Away(format!("the token for HashiCorp Vault: {why}")))?;
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_str(token.expose())
            .map_err(|_| Failed::Away("the token for HashiCorp Vault is none".to_owned()))?;
        token.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-vault-token"), token);
        let marker = HeaderName::from_static("x-vault-request");
        headers.insert(marker, HeaderValue::from_static("true"));
        if let Some(namespace) = &self.namespace {
            let name = HeaderName::from_static("x-vault-namespace");
            headers.insert(name, namespace.clone());
        }
        let (mount, rest) = path.split_once('/').unwrap_or((path, ""));
        let request = Request {
            method: Method::GET,
            path: format!("/v1/{mount}/data/{rest}"),
            headers,
            body: None,
        };
        let away = |failure: crate::upstream::Failure| {
            Failed::Away(format!("HashiCorp Vault cannot be asked: {failure}"))
        };
        let answer = self.upstream.send(request, None).await.map_err(away)?;
        let status = answer.status;
        let body = answer.body.collect(MAX_BYTES, |_| true).await;
        match status {
            StatusCode::OK => read(&body.map_err(away)?, field),
            StatusCode::NOT_FOUND => Err(Failed::Refused(format!(
                "HashiCorp Vault has no secret at {path}, or it was deleted"
            ))),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Err(Failed::Refused(format!(
                "HashiCorp Vault does not let the token read {path}"
            ))),
            status => Err(Failed::Away(format!(
                "HashiCorp Vault answers {status} for {path}"
            ))),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HashiCorp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashiCorp")
    }
}

fn read(body: &[u8], field: &str) -> Result<Secret, Failed> {
    // Not serde's own words, which may quote the secret.
    let answer: Answer = serde_json::from_slice(body).map_err(|_| {
        Failed::Away("HashiCorp Vault's answer is not that of its KV version 2".to_owned())
    })?;
    let mut fields = answer.data.data;
    match fields.remove(field) {
        Some(serde_json::Value::String(text)) if !text.trim().is_empty() => Ok(Secret::new(text)),
        Some(_) => Err(Failed::Refused(format!("the field {field} is no text"))),
        None => Err(Failed::Refused(format!("the secret has no field {field}"))),
    }
}
