//! One client's connection: TLS, HTTP/1.1 or HTTP/2, and everything that ends it.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

use super::head::Findings;
use super::socket::{Paced, Sniffed};
use super::stall::Stalls;
use super::{Gateway, exchange};

/// Most of hyper's read buffer per connection; its adaptive one grows to 400 KB otherwise.
const MAX_BUFFER: usize = 64 * 1024;
/// Streams at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Streams that were reset before they were looked at (rapid reset, CVE-2023-44487).
const MAX_RESETS: usize = 20;
/// Bytes an HTTP/2 client may send ahead, per stream and per connection.
const WINDOW: u32 = 256 * 1024;

/// What the exchanges of a connection know of it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) findings: Arc<Findings>,
    pub(super) stalls: Option<Arc<Stalls>>,
}

/// Serves a client until it leaves, is cut off, or `shutdown` turns true and its running exchanges are over.
pub async fn serve<IO>(
    gateway: Arc<Gateway>,
    io: IO,
    address: SocketAddr,
    mut shutdown: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(_place) = Place::take(&gateway) else {
        tracing::warn!(%address, "connection closed: max_connections reached");
        return;
    };
    let io = Paced::new(io, gateway.timeouts.write);
    let limit = gateway.timeouts.handshake;
    match &gateway.tls {
        None => {
            let Ok(Ok((is_http2, io))) = timeout(limit, Sniffed::read(io)).await else {
                return;
            };
            serve_http(&gateway, io, address, is_http2, &mut shutdown).await;
        }
        Some(acceptor) => {
            let accepted = timeout(limit, async {
                let stream = acceptor.accept(io).await?;
                let wants_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let (is_http2, io) = Sniffed::read(stream).await?;
                if is_http2 == wants_http2 {
                    Ok((is_http2, io))
                } else {
                    Err(io::Error::from(io::ErrorKind::InvalidData))
                }
            });
            match accepted.await {
                Ok(Ok((is_http2, io))) => {
                    serve_http(&gateway, io, address, is_http2, &mut shutdown).await
                }
                Ok(Err(error)) => tracing::debug!(%address, %error, "no TLS handshake"),
                Err(_) => tracing::debug!(%address, "no TLS handshake in time"),
            }
        }
    }
}

async fn serve_http<IO>(
    gateway: &Arc<Gateway>,
    io: Sniffed<IO>,
    address: SocketAddr,
    is_http2: bool,
    shutdown: &mut watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let findings = Arc::new(Findings::default());
    let stalls = is_http2.then(|| Arc::new(Stalls::default()));
    let peer = Arc::new(Peer {
        address,
        findings: Arc::clone(&findings),
        stalls: stalls.clone(),
    });
    let handler = {
        let gateway = Arc::clone(gateway);
        service_fn(move |request| {
            exchange::handle(Arc::clone(&gateway), Arc::clone(&peer), request)
        })
    };
    let head_limit = u32::try_from(gateway.limits.max_header_bytes).unwrap_or(u32::MAX);
    if let Some(stalls) = stalls {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_local_error_reset_streams(MAX_RESETS)
            .max_header_list_size(head_limit)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(MAX_BUFFER)
            .keep_alive_interval(gateway.timeouts.head)
            .keep_alive_timeout(gateway.timeouts.handshake)
            .serve_connection(TokioIo::new(io), handler);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stalls.watch(gateway.timeouts.write) => return,
            () = async { drop(shutdown.wait_for(|stop| *stop).await) } => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    result = connection => result,
                    () = stalls.watch(gateway.timeouts.write) => return,
                }
            }
        };
        log(address, result);
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(gateway.timeouts.head)
            .max_headers(gateway.limits.max_headers)
            .max_buf_size(MAX_BUFFER.max(gateway.limits.max_header_bytes))
            .max_header_size(gateway.limits.max_header_bytes)
            .writev(false)
            .serve_connection(TokioIo::new(io.tap(findings)), handler);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = async { drop(shutdown.wait_for(|stop| *stop).await) } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        log(address, result);
    }
}

/// Clients that vanish or send what is not HTTP are ordinary; the rest of the world must not fill the log.
fn log(address: SocketAddr, result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%address, %error, "connection ended");
    }
}

/// A connection's place among those that may be open at a time.
struct Place<'a>(&'a Gateway);

impl<'a> Place<'a> {
    fn take(gateway: &'a Gateway) -> Option<Self> {
        let before = gateway.load.connections.fetch_add(1, Ordering::Relaxed);
        gateway.metrics.connections_open.inc();
        let place = Self(gateway);
        (before < gateway.limits.max_connections).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.load.connections.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.connections_open.dec();
    }
}
