//! A connection to a provider that was switched from HTTP to WebSocket (RFC 6455, section 4.1).
//!
//! It is never pooled. Who gets it reads and writes frames; dropping it closes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::Answer;
use super::connection::{Io, Unanswered};
use super::{Failure, Request, Upstream};
use crate::secret::Secret;

/// What a provider says to a request to switch.
#[derive(Debug)]
pub enum Upgrade {
    /// It has switched; with the headers of its answer.
    Socket(Socket, HeaderMap),
    /// It has not, and says why.
    Answer(Box<Answer>),
}

/// A connection that carries frames.
pub struct Socket {
    io: Io,
    /// What came right behind the answer's head.
    read: Bytes,
}

impl Socket {
    pub(super) const fn new(io: Io, read: Bytes) -> Self {
        Self { io, read }
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

impl Upstream {
    /// Asks for a WebSocket with a credential. `request` has no body, and no header of the handshake except the protocols.
    ///
    /// # Errors
    ///
    /// See [`Failure`]. An error status is an answer.
    pub async fn upgrade(
        self: &Arc<Self>,
        request: Request,
        secret: Option<&Secret>,
    ) -> Result<Upgrade, Failure> {
        let whole = Instant::now() + self.timeouts().whole;
        let key = generate_key();
        let mut outgoing = self.write(request, secret)?;
        *outgoing.method_mut() = Method::GET;
        let headers = outgoing.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        let key_value = HeaderValue::from_str(&key)
            .map_err(|_| Failure::Unwritable("its WebSocket key is no header"))?;
        headers.insert(header::SEC_WEBSOCKET_KEY, key_value);
        let mut connection = self.connect().await?;
        let limit = (Instant::now() + self.timeouts().first_byte).min(whole);
        let late = |_| Failure::Timeout { step: "its answer" };
        let response = timeout_at(limit, connection.exchange(outgoing))
            .await
            .map_err(late)?
            .map_err(|unanswered| match unanswered {
                Unanswered::Failed(error) => Failure::from_exchange(error),
                Unanswered::Untouched(_) | Unanswered::Closed => Failure::Truncated,
            })?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Upgrade::Answer(Box::new(
                self.accept(response, connection, secret, whole)?,
            )));
        }
        if !switches(response.headers(), &derive_accept_key(key.as_bytes())) {
            return Err(Failure::Protocol(None));
        }
        let headers = response.headers().clone();
        let socket = timeout_at(limit, connection.into_socket()).await;
        let socket = socket.map_err(late)?;
        let socket = socket.map_err(|error| Failure::Protocol(Some(error)))?;
        Ok(Upgrade::Socket(socket, headers))
    }
}

/// Whether a server has understood the handshake, and offers nothing that was not asked for.
fn switches(headers: &HeaderMap, accept: &str) -> bool {
    let has = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    has(header::UPGRADE, "websocket")
        && has(header::CONNECTION, "upgrade")
        && headers
            .get(header::SEC_WEBSOCKET_ACCEPT)
            .is_some_and(|value| value.as_bytes() == accept.as_bytes())
        && !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let length = this.read.len().min(buf.remaining());
        buf.put_slice(this.read.get(..length).unwrap_or_default());
        this.read.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
