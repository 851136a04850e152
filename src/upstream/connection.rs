//! One HTTP/1.1 connection to a provider, driven by whoever waits for its answer.
//!
//! hyper splits a connection into a sender and a driver. Here both live in the task that serves the client: no second task,
//! no channel between tasks, and dropping the answer closes the connection at once.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::quiet::Quiet;
use super::socket::Socket;
use super::tls::Tls;

/// A request as it goes to a provider.
pub(super) type Outgoing = Request<Full<Bytes>>;

/// Most of hyper's read buffer; its adaptive one grows to 400 KB otherwise.
const MAX_BUFFER: usize = 64 * 1024;

/// A TCP connection, with or without TLS on it.
pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Io {
    /// Connects and shakes hands; small writes leave at once.
    pub(super) async fn connect(address: SocketAddr, tls: Option<&Tls>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        match tls {
            None => Ok(Self::Plain(stream)),
            Some(tls) => Ok(Self::Tls(Box::new(tls.connect(stream).await?))),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A connection that carries one exchange at a time.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    quiet: Quiet,
}

/// The half of a connection that reads and writes.
pub(super) struct Driver {
    connection: http1::Connection<TokioIo<Io>, Full<Bytes>>,
    /// It has finished and must not be polled again.
    ended: bool,
}

impl Driver {
    /// Reads and writes as far as that goes.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.ended && Pin::new(&mut self.connection).poll(cx).is_ready() {
            self.ended = true;
        }
    }
}

/// Why a request got no answer on a connection.
pub(super) enum Unanswered {
    /// Nothing of it was processed: it may go out again on another connection.
    Untouched(Box<Outgoing>),
    /// It may have been processed.
    Failed(hyper::Error),
    /// The connection ended without a word.
    Closed,
}

impl Connection {
    pub(super) async fn open(io: Io) -> hyper::Result<Box<Self>> {
        let (sender, connection) = http1::Builder::new()
            .writev(false)
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(io))
            .await?;
        Ok(Box::new(Self {
            sender,
            driver: Driver {
                connection,
                ended: false,
            },
            quiet: Quiet::new(),
        }))
    }

    /// Lets the driver read and write as far as it can.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        self.driver.drive(cx);
    }

    /// Polls something that waits for the driver, together with it.
    pub(super) fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        mut poll: impl FnMut(&mut Driver, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { driver, quiet, .. } = self;
        quiet.poll(cx, |cx| poll(driver, cx))
    }

    /// Whether another request may be sent; after an exchange, [`Self::drive`] first.
    pub(super) fn is_ready(&self) -> bool {
        !self.driver.ended && self.sender.is_ready()
    }

    /// What is below HTTP, once both sides have switched to something else.
    pub(super) async fn into_socket(self: Box<Self>) -> hyper::Result<Socket> {
        let Driver {
            mut connection,
            ended,
        } = self.driver;
        if !ended {
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await?;
        }
        let parts = connection.into_parts();
        Ok(Socket::new(parts.io.into_inner(), parts.read_buf))
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        &mut self,
        request: Outgoing,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let result = poll_fn(|cx| {
            self.poll(cx, |driver, cx| {
                driver.drive(cx);
                match answer.as_mut().poll(cx) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending if driver.ended => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
        })
        .await;
        match result {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut error)) => Err(match error.take_message() {
                Some(request) => Unanswered::Untouched(Box::new(request)),
                None => Unanswered::Failed(error.into_error()),
            }),
            None => Err(Unanswered::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn small_writes_to_providers_leave_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let Io::Plain(stream) = Io::connect(address, None).await.unwrap() else {
            panic!("no TLS was asked for");
        };
        assert!(stream.nodelay().unwrap());
    }
}
