//! What lies between a client's socket and hyper: time limits on writes, and a look at the first bytes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::head::{Findings, Tap};
use super::unreadable;

/// The bytes by which an HTTP/2 client shows that it is one (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A socket that fails when its peer takes no byte for too long; hyper has no such limit.
pub(super) struct Paced<IO> {
    io: IO,
    limit: Duration,
    stalled: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<IO> Paced<IO> {
    pub(super) const fn new(io: IO, limit: Duration) -> Self {
        Self {
            io,
            limit,
            stalled: false,
            timer: None,
        }
    }

    fn progress<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = false;
            return polled;
        }
        let due = Instant::now() + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if !self.stalled {
            self.stalled = true;
            timer.as_mut().reset(due);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client stopped reading",
        )))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Paced<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Paced<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write(cx, buf);
        this.progress(cx, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_flush(cx);
        this.progress(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_shutdown(cx);
        this.progress(cx, polled)
    }
}

/// A connection whose first bytes were read already, and whose HTTP/1 heads are tapped.
pub(super) struct Sniffed<IO> {
    io: IO,
    first: Vec<u8>,
    given: usize,
    tap: Option<(Tap, Arc<Findings>)>,
    /// Only a part of the last write went out, so the next one begins within it.
    partial: bool,
    /// What is left of the answer that ends the connection, in place of all else that is written.
    last: Option<Bytes>,
}

impl<IO: AsyncRead + Unpin> Sniffed<IO> {
    /// Reads until it is clear whether the client speaks HTTP/2; at least one byte, at most the preface.
    pub(super) async fn read(mut io: IO) -> io::Result<(bool, Self)> {
        let mut first = Vec::with_capacity(PREFACE.len());
        let http2 = loop {
            let mut rest = [0; PREFACE.len()];
            let room = rest.get_mut(first.len()..).unwrap_or_default();
            let read = io.read(room).await?;
            first.extend(room.iter().take(read));
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if first == PREFACE {
                break true;
            }
            if !PREFACE.starts_with(&first) {
                break false;
            }
        };
        Ok((
            http2,
            Self {
                io,
                first,
                given: 0,
                tap: None,
                partial: false,
                last: None,
            },
        ))
    }

    /// Watches the heads of an HTTP/1 connection.
    pub(super) fn tap(mut self, findings: Arc<Findings>) -> Self {
        let mut tap = Tap::default();
        tap.feed(&self.first, &findings);
        self.tap = Some((tap, findings));
        self
    }
}

impl<IO> Sniffed<IO> {
    /// Watches no longer: what follows is no HTTP.
    pub(super) fn untapped(mut self) -> Self {
        self.tap = None;
        self
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Sniffed<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waiting = this.first.get(this.given..).unwrap_or_default();
        let replay = waiting.get(..buf.remaining()).unwrap_or(waiting);
        let replayed = replay.len();
        buf.put_slice(replay);
        this.given += replayed;
        // The first bytes and those after them come as one read: two would make hyper's buffer grow to twice its size.
        let before = buf.filled().len();
        if replayed > 0 && buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Pending if replayed > 0 => return Poll::Ready(Ok(())),
            polled => ready!(polled)?,
        }
        if let Some((tap, findings)) = &mut this.tap {
            tap.feed(buf.filled().get(before..).unwrap_or_default(), findings);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO> Sniffed<IO> {
    /// The answer to a head that hyper could not read, if that is what it writes.
    fn refusal(&self, written: &[u8]) -> Option<Bytes> {
        let (tap, findings) = self.tap.as_ref().filter(|_| !self.partial)?;
        if !tap.waits(findings) {
            return None;
        }
        let (answer, request) = unreadable::answer(written)?;
        findings.refuse(request);
        Some(answer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Sniffed<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.last.is_none() {
            this.last = this.refusal(buf);
        }
        let Some(last) = &mut this.last else {
            let written = ready!(Pin::new(&mut this.io).poll_write(cx, buf))?;
            this.partial = written < buf.len();
            return Poll::Ready(Ok(written));
        };
        while last.has_remaining() {
            let written = ready!(Pin::new(&mut this.io).poll_write(cx, last))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            last.advance(written);
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn first_bytes_and_those_after_them_are_one_read() {
        let (mut client, server) = tokio::io::duplex(1024);
        let request = [b"POST / HTTP/1.1\r\n".as_slice(), &[b'x'; 100]].concat();
        client.write_all(&request).await.unwrap();
        let (is_http2, mut sniffed) = Sniffed::read(server).await.unwrap();
        assert!(!is_http2);
        let mut buffer = [0; 1024];
        let read = sniffed.read(&mut buffer).await.unwrap();
        assert_eq!(buffer[..read], request);
    }

    #[tokio::test]
    async fn first_bytes_do_not_wait_for_more() {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(b"GET").await.unwrap();
        let (_, mut sniffed) = Sniffed::read(server).await.unwrap();
        let mut byte = [0];
        for expected in b"GET" {
            sniffed.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte[0], *expected);
        }
    }
}
