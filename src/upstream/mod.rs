//! Connections to the model providers: sends cleared bytes with one credential and hands the answer back.
//!
//! Knows no keys, policies or vault. hyper carries HTTP/1.1; the task that serves the client drives the provider's
//! connection too (see `connection`), because relays over channels cost a multiple on streams and miss a client that leaves.

mod address;
mod answer;
mod connection;
pub mod credential;
mod failure;
mod mask;
mod pool;
mod provider;
mod quiet;
mod socket;
mod stale;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri, Version};
use http_body_util::Full;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::answer::{Answer, Body};
use self::connection::{Connection, Io, Outgoing, Unanswered};
pub use self::failure::Failure;
use self::mask::Mask;
use self::pool::Pool;
pub use self::provider::{Credential, Provider, Timeouts};
pub use self::socket::{Socket, Upgrade};
use self::tls::Tls;
use crate::coding::{Coding, Decoder};
use crate::guard::Cleared;
use crate::secret::Secret;

/// A provider that can be sent to.
pub struct Upstream {
    provider: Provider,
    tls: Option<Tls>,
    host: String,
    port: u16,
    authority: HeaderValue,
    prefix: String,
    pool: Pool,
}

/// What to send.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The API's own path and query, as in `/v1/chat/completions`.
    pub path: String,
    /// Headers to pass on: hop-by-hop ones and the client's keys already removed.
    pub headers: HeaderMap,
    /// The body; `None` for a request without one.
    pub body: Option<Cleared>,
}

impl Upstream {
    /// Prepares a provider; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// A sentence on what is wrong with the provider's `base_url` or `ca`.
    pub fn new(provider: Provider) -> Result<Arc<Self>, String> {
        let base: Uri = provider
            .base_url
            .parse()
            .map_err(|_| format!("base_url \"{}\" is not a URL", provider.base_url))?;
        let wrong = |problem: &str| format!("base_url \"{}\" {problem}", provider.base_url);
        let secure = match base.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("does not start with https:// or http://")),
        };
        let authority = base.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(
                "base_url holds a user name or password, which belong in the vault".to_owned(),
            );
        }
        if base.query().is_some() {
            return Err(wrong("has a query"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let tls = if secure {
            Some(Tls::new(&host, provider.ca.as_deref())?)
        } else {
            None
        };
        Ok(Arc::new(Self {
            port: authority
                .port_u16()
                .unwrap_or(if secure { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority.as_str())
                .map_err(|_| wrong("names no host"))?,
            prefix: base.path().trim_end_matches('/').to_owned(),
            pool: Pool::new(provider.max_idle, provider.idle_timeout),
            host,
            tls,
            provider,
        }))
    }

    /// The provider's name.
    pub fn name(&self) -> &str {
        &self.provider.name
    }

    /// The provider as configured.
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Closes connections that rested too long; to be called now and then.
    pub fn sweep(&self) {
        self.pool.sweep();
    }

    const fn timeouts(&self) -> &Timeouts {
        &self.provider.timeouts
    }

    /// Sends a request with a credential, and waits for the head of the answer.
    ///
    /// A pooled connection that turns out to be closed is replaced once: if nothing of the request was processed on it, or it ended at
    /// once (see `stale`).
    ///
    /// # Errors
    ///
    /// See [`Failure`]. An error status is an answer, a redirect is not.
    pub async fn send(
        self: &Arc<Self>,
        request: Request,
        secret: Option<&Secret>,
    ) -> Result<Answer, Failure> {
        let whole = Instant::now() + self.timeouts().whole;
        let mut outgoing = self.write(request, secret)?;
        let mut pooled = self.pool.take();
        let mut resent = false;
        loop {
            let reused = pooled.is_some();
            let spare = reused.then(|| stale::copy(&outgoing));
            let sent = Instant::now();
            let mut connection = match pooled.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let limit = (Instant::now() + self.timeouts().first_byte).min(whole);
            let answered = timeout_at(limit, connection.exchange(outgoing)).await;
            match answered.map_err(|_| Failure::Timeout { step: "its answer" })? {
                Ok(response) => {
                    let mut answer = self.accept(response, connection, secret, whole)?;
                    answer.resent = resent;
                    return Ok(answer);
                }
                Err(Unanswered::Untouched(untouched)) if reused => {
                    outgoing = *untouched;
                    resent = true;
                }
                Err(failed)
                    if let Some(spare) = spare
                        && stale::is_stale(&failed, sent) =>
                {
                    outgoing = spare;
                    resent = true;
                }
                Err(Unanswered::Failed(error)) => return Err(Failure::from_exchange(error)),
                Err(Unanswered::Untouched(_) | Unanswered::Closed) => {
                    return Err(Failure::Truncated);
                }
            }
        }
    }

    fn write(&self, request: Request, secret: Option<&Secret>) -> Result<Outgoing, Failure> {
        let uri = PathAndQuery::try_from(format!("{}{}", self.prefix, request.path))
            .map_err(|_| Failure::Unwritable("its path holds characters that no URL may hold"))?;
        let body = request.body.map_or_else(Bytes::new, Cleared::into_bytes);
        let mut outgoing = Outgoing::new(Full::new(body));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = Uri::from(uri);
        *outgoing.version_mut() = Version::HTTP_11;
        let mut headers = request.headers;
        headers.insert(header::HOST, self.authority.clone());
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        if let Some(secret) = secret {
            credential::place(&mut headers, self.provider.family, secret.expose()).map_err(
                |_| Failure::Unwritable("its credential holds characters that no header may hold"),
            )?;
        }
        *outgoing.headers_mut() = headers;
        Ok(outgoing)
    }

    fn accept(
        self: &Arc<Self>,
        response: http::Response<hyper::body::Incoming>,
        connection: Box<Connection>,
        secret: Option<&Secret>,
        whole: Instant,
    ) -> Result<Answer, Failure> {
        let (head, incoming) = response.into_parts();
        if head.status.is_redirection() {
            return Err(Failure::Redirect {
                status: head.status,
            });
        }
        if head.status.is_informational() {
            return Err(Failure::Protocol(None));
        }
        let mut codings = head.headers.get_all(header::CONTENT_ENCODING).iter();
        let coding = match (codings.next(), codings.next()) {
            (None, _) => None,
            (Some(value), None) => Coding::parse(value.as_bytes())?,
            (Some(_), Some(_)) => return Err(Failure::Encoding),
        };
        let decoder = coding.map(Decoder::new).transpose();
        let decoder = decoder.map_err(|_| Failure::Encoding)?;
        let (mask, mut headers) = (Mask::new(secret), head.headers);
        if let Some(mask) = &mask {
            mask.clean(&mut headers);
        }
        let body = Body::new(
            incoming,
            connection,
            Arc::clone(self),
            (decoder, mask),
            whole,
        );
        Ok(Answer {
            status: head.status,
            headers,
            body,
            resent: false,
        })
    }

    /// A fresh connection, within the one limit for DNS, TCP and TLS together.
    async fn connect(&self) -> Result<Box<Connection>, Failure> {
        let limit = self.timeouts().connect;
        timeout(limit, async {
            let mut failed = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
            let addresses = self.resolve().await?;
            let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
            for address in addresses {
                // A dead first address must not use up the time of the others.
                match timeout(limit / left.max(1), Io::connect(address, self.tls.as_ref())).await {
                    Ok(Ok(io)) => {
                        return Connection::open(io)
                            .await
                            .map_err(|error| Failure::Protocol(Some(error)));
                    }
                    Ok(Err(error)) => failed = error,
                    Err(_) => failed = std::io::ErrorKind::TimedOut.into(),
                }
                left -= 1;
            }
            if failed.kind() == std::io::ErrorKind::TimedOut {
                return Err(Failure::Timeout { step: "connecting" });
            }
            Err(Failure::Connect {
                host: self.host.clone(),
                source: failed,
            })
        })
        .await
        .unwrap_or(Err(Failure::Timeout { step: "connecting" }))
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Failure> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|source| Failure::Resolve {
                host: self.host.clone(),
                source,
            })?;
        let mut allowed: Vec<SocketAddr> = found.collect();
        if !self.provider.allow_private {
            allowed.retain(|address| !address::is_private(address.ip()));
        }
        if allowed.is_empty() {
            return Err(Failure::Private {
                host: self.host.clone(),
            });
        }
        Ok(allowed)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("provider", &self.provider.name)
            .finish_non_exhaustive()
    }
}
