//! One client's connection: TLS, HTTP/1.1 or HTTP/2, and everything that ends it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::head::Findings;
use super::outgoing::Outgoing;
use super::realtime::Upgraded;
use super::socket::{Paced, Sniffed};
use super::stall::Stalls;
use super::{Gateway, exchange, unreadable};

/// Most of hyper's read buffer per connection; its adaptive one grows to 400 KB otherwise.
const MAX_BUFFER: usize = 64 * 1024;
/// Header lines for which hyper has room without being told; being told costs an allocation for each request.
const USUAL_HEADERS: usize = 100;
/// Streams at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Streams that were reset before they were looked at (rapid reset, CVE-2023-44487).
const MAX_RESETS: usize = 20;
/// Bytes an HTTP/2 client may send ahead, per stream and per connection.
const WINDOW: u32 = 256 * 1024;

/// What the exchanges of a connection know of it.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) findings: Arc<Findings>,
    pub(super) stalls: Option<Arc<Stalls>>,
    /// What follows when the connection's HTTP is over.
    upgraded: Mutex<Option<Box<Upgraded>>>,
}

impl Peer {
    /// Serves a conversation when the connection's HTTP is over.
    pub(super) fn upgrade(&self, upgraded: Upgraded) {
        let mut place = self.upgraded.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Box::new(upgraded));
    }

    fn take_upgraded(&self) -> Option<Box<Upgraded>> {
        let mut place = self.upgraded.lock().unwrap_or_else(PoisonError::into_inner);
        place.take()
    }
}

/// Serves a client until it leaves, is cut off, or `shutdown` turns true and its running exchanges are over.
pub async fn serve<IO>(
    gateway: Arc<Gateway>,
    io: IO,
    address: SocketAddr,
    shutdown: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(_place) = Place::take(&gateway) else {
        tracing::warn!(%address, "connection closed: max_connections reached");
        return;
    };
    let io = Paced::new(io, gateway.timeouts.write);
    let limit = gateway.timeouts.handshake;
    // Boxed, as what follows is, so that a connection takes the memory of its present phase and protocol only.
    let opened = timeout(limit, Box::pin(open(&gateway, io)));
    let serving: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send + '_>> = match opened.await {
        Ok(Ok((false, Opened::Plain(io)))) => Box::pin(http1(&gateway, io, address, shutdown)),
        Ok(Ok((true, Opened::Plain(io)))) => Box::pin(http2(&gateway, io, address, shutdown)),
        Ok(Ok((false, Opened::Tls(io)))) => Box::pin(http1(&gateway, io, address, shutdown)),
        Ok(Ok((true, Opened::Tls(io)))) => Box::pin(http2(&gateway, io, address, shutdown)),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "connection not opened");
            return;
        }
        Err(_) => {
            tracing::debug!(%address, "connection not opened in time");
            return;
        }
    };
    match serving.await {
        Ok(()) => {}
        // Clients that vanish are ordinary; they must not fill the log.
        Err(error) => tracing::debug!(%address, %error, "connection ended"),
    }
}

/// A connection whose protocol is known.
enum Opened<IO> {
    Plain(Sniffed<IO>),
    Tls(Sniffed<Box<TlsStream<IO>>>),
}

/// Shakes hands, and finds out whether the client speaks HTTP/2.
async fn open<IO>(gateway: &Gateway, io: Paced<IO>) -> io::Result<(bool, Opened<Paced<IO>>)>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let Some(acceptor) = &gateway.tls else {
        let (is_http2, io) = Sniffed::read(io).await?;
        return Ok((is_http2, Opened::Plain(io)));
    };
    let stream = acceptor.accept(io).await?;
    let wants_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let (is_http2, io) = Sniffed::read(Box::new(stream)).await?;
    if is_http2 == wants_http2 {
        Ok((is_http2, Opened::Tls(io)))
    } else {
        Err(io::Error::from(io::ErrorKind::InvalidData))
    }
}

async fn http1<IO>(
    gateway: &Arc<Gateway>,
    io: Sniffed<IO>,
    address: SocketAddr,
    mut shutdown: watch::Receiver<bool>,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let findings = Arc::new(Findings::default());
    let peer = Peer {
        address,
        findings: Arc::clone(&findings),
        stalls: None,
        upgraded: Mutex::default(),
    };
    let peer = Arc::new(peer);
    let limits = &gateway.limits;
    let mut builder = http1::Builder::new();
    if limits.max_headers != USUAL_HEADERS {
        builder.max_headers(limits.max_headers);
    }
    let connection = builder
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.timeouts.head)
        .max_buf_size(MAX_BUFFER.max(limits.max_header_bytes))
        .max_header_size(limits.max_header_bytes)
        .writev(false)
        .serve_connection(
            TokioIo::new(io.tap(Arc::clone(&findings))),
            handler(gateway, Arc::clone(&peer)),
        )
        .with_upgrades();
    let connection = pin!(connection);
    let served = drained(connection, &mut shutdown, |connection| {
        connection.graceful_shutdown();
    });
    match served.await {
        Err(error) if error.is_parse() => {
            unreadable::record(gateway, address, &findings, &error);
            return Ok(());
        }
        served => served?,
    }
    if let Some(mut upgraded) = peer.take_upgraded() {
        let client = (&mut upgraded.upgrade).await?;
        if let Ok(parts) = client.downcast::<TokioIo<Sniffed<IO>>>() {
            let io = parts.io.into_inner().untapped();
            Box::pin(upgraded.serve(io, parts.read_buf, shutdown)).await;
        }
    }
    Ok(())
}

async fn http2<IO>(
    gateway: &Arc<Gateway>,
    io: Sniffed<IO>,
    address: SocketAddr,
    mut shutdown: watch::Receiver<bool>,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stalls = Arc::new(Stalls::default());
    let peer = Peer {
        address,
        findings: Arc::default(),
        stalls: Some(Arc::clone(&stalls)),
        upgraded: Mutex::default(),
    };
    let peer = Arc::new(peer);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_header_list_size(u32::try_from(gateway.limits.max_header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(MAX_BUFFER)
        .keep_alive_interval(gateway.timeouts.head)
        .keep_alive_timeout(gateway.timeouts.handshake)
        .serve_connection(TokioIo::new(io), handler(gateway, Arc::clone(&peer)));
    let connection = pin!(connection);
    let served = drained(connection, &mut shutdown, |connection| {
        connection.graceful_shutdown();
    });
    tokio::select! {
        result = served => result,
        () = stalls.watch(gateway.timeouts.write) => Ok(()),
    }
}

/// Serves a connection to its end; once `shutdown` turns true, it is told by `stop` to take no more requests.
async fn drained<C: Future>(
    mut connection: Pin<&mut C>,
    shutdown: &mut watch::Receiver<bool>,
    stop: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = async { drop(shutdown.wait_for(|stop| *stop).await) } => {}
    }
    stop(connection.as_mut());
    connection.await
}

/// Answers the requests of one connection.
fn handler(
    gateway: &Arc<Gateway>,
    peer: Arc<Peer>,
) -> impl HttpService<Incoming, ResBody = Outgoing, Error = Infallible, Future: Send + 'static> + use<>
{
    let gateway = Arc::clone(gateway);
    service_fn(move |request| {
        peer.findings.handle();
        exchange::handle(Arc::clone(&gateway), Arc::clone(&peer), request)
    })
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
