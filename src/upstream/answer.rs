//! A provider's answer: its head, and its body chunk by chunk under time limits.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Connection;
use super::mask::Mask;
use super::{Failure, Upstream};
use crate::coding::Decoder;

/// A provider's answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, as they came.
    pub headers: HeaderMap,
    /// Its body; dropping it before the end closes the connection.
    pub body: Body,
    /// The request went out a second time, because the pooled connection of the first was closed.
    pub resent: bool,
}

impl Answer {
    /// The name of the provider that answers.
    pub fn provider(&self) -> &str {
        self.body.upstream.name()
    }
}

/// The body of an answer. Whoever polls it drives the connection.
pub struct Body {
    incoming: Incoming,
    connection: Option<Box<Connection>>,
    upstream: Arc<Upstream>,
    decoder: Option<Decoder>,
    mask: Option<Mask>,
    clock: Clock,
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        connection: Box<Connection>,
        upstream: Arc<Upstream>,
        (decoder, mask): (Option<Decoder>, Option<Mask>),
        whole: Instant,
    ) -> Self {
        let clock = Clock::new(upstream.timeouts().between_chunks, whole);
        let mut body = Self {
            incoming,
            connection: Some(connection),
            upstream,
            decoder,
            mask,
            clock,
        };
        if body.incoming.is_end_stream() {
            body.release(&mut Context::from_waker(std::task::Waker::noop()));
        }
        body
    }

    /// The next bytes, never none at all; `None` once the body has come to its proper end.
    ///
    /// # Errors
    ///
    /// If it ended early, was garbled, or took too long. Nothing may follow then.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            let chunk = ready!(self.poll_decoded(cx)?);
            let Some(mask) = &mut self.mask else {
                return Poll::Ready(chunk.map(Ok));
            };
            let ended = chunk.is_none();
            let chunk = match chunk {
                Some(chunk) => mask.push(chunk),
                None => mask.rest(),
            };
            if ended || !chunk.is_empty() {
                return Poll::Ready((!chunk.is_empty()).then_some(Ok(chunk)));
            }
        }
    }

    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            if let Some(decoder) = &mut self.decoder
                && let Some(chunk) = decoder.step().transpose()
            {
                return Poll::Ready(chunk.map(Some).map_err(Failure::from));
            }
            let Some(chunk) = ready!(self.poll_frame(cx)?) else {
                let finished = self.decoder.as_mut().map_or(Ok(()), Decoder::finish);
                return Poll::Ready(finished.map(|()| None).map_err(Failure::from));
            };
            match &mut self.decoder {
                Some(decoder) => decoder.push(chunk),
                None if chunk.is_empty() => {}
                None => return Poll::Ready(Ok(Some(chunk))),
            }
        }
    }

    /// Whether [`Self::poll_chunk`] is known to have nothing more to give.
    pub fn is_end(&self) -> bool {
        let masked = self.mask.as_ref().is_none_or(Mask::is_done);
        masked && self.decoder.is_none() && self.incoming.is_end_stream()
    }

    /// The whole body, of at most `limit` bytes; `admit` is asked for room before each part is kept.
    ///
    /// # Errors
    ///
    /// As [`Self::poll_chunk`], or if it is longer or there is no room.
    pub async fn collect(
        mut self,
        limit: usize,
        mut admit: impl FnMut(usize) -> bool,
    ) -> Result<Bytes, Failure> {
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(chunk) = poll_fn(|cx| self.poll_chunk(cx)).await {
            let chunk = chunk?;
            if first.len() + joined.len() + chunk.len() > limit {
                return Err(Failure::TooLarge { limit });
            }
            if !admit(chunk.len()) {
                return Err(Failure::NoRoom);
            }
            if first.is_empty() && joined.is_empty() {
                first = chunk; // the usual case, a body in one chunk, is not copied
            } else {
                joined.extend_from_slice(&std::mem::take(&mut first));
                joined.extend_from_slice(&chunk);
            }
        }
        Ok(if joined.is_empty() {
            first
        } else {
            joined.freeze()
        })
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        if self.connection.is_none() && self.incoming.is_end_stream() {
            return Poll::Ready(Ok(None));
        }
        let incoming = &mut self.incoming;
        let polled = match &mut self.connection {
            None => Pin::new(incoming).poll_frame(cx),
            Some(connection) => connection.poll(cx, |driver, cx| {
                let polled = Pin::new(&mut *incoming).poll_frame(cx);
                if polled.is_ready() {
                    return polled;
                }
                driver.drive(cx);
                Pin::new(&mut *incoming).poll_frame(cx)
            }),
        };
        let frame = match polled {
            Poll::Ready(frame) => frame,
            Poll::Pending => return self.clock.poll(cx).map(Err),
        };
        self.clock.chunk();
        match frame {
            Some(Ok(frame)) => {
                if self.incoming.is_end_stream() {
                    self.release(cx);
                }
                Poll::Ready(Ok(Some(frame.into_data().unwrap_or_default())))
            }
            Some(Err(error)) => {
                self.connection = None;
                Poll::Ready(Err(Failure::from_body(&error)))
            }
            None => {
                self.release(cx);
                Poll::Ready(Ok(None))
            }
        }
    }

    /// Gives the connection back once the body is over, if it can carry another exchange.
    fn release(&mut self, cx: &mut Context<'_>) {
        if let Some(mut connection) = self.connection.take() {
            connection.drive(cx);
            if connection.is_ready() {
                self.upstream.pool.put(connection);
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("upstream", &self.upstream.name())
            .finish_non_exhaustive()
    }
}

/// The limits on time between chunks and in total, on one timer that is armed only when something has to be waited for.
struct Clock {
    between: Duration,
    whole: Instant,
    last: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn new(between: Duration, whole: Instant) -> Self {
        Self {
            between,
            whole,
            last: Instant::now(),
            timer: None,
        }
    }

    fn chunk(&mut self) {
        self.last = Instant::now();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        loop {
            let due = (self.last + self.between).min(self.whole);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            ready!(timer.as_mut().poll(cx));
            // Chunks move `last` on without touching the timer, so it may ring early.
            let now = Instant::now();
            if now >= self.whole {
                return Poll::Ready(Failure::Timeout {
                    step: "the end of its answer",
                });
            }
            if now >= self.last + self.between {
                return Poll::Ready(Failure::Timeout {
                    step: "the next part of its answer",
                });
            }
            timer.as_mut().reset(due);
        }
    }
}
