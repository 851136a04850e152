//! A streamed answer on its way through the guard.
//!
//! The client's connection asks for the next part; that asks the provider's connection, in the same task. So a client that
//! reads slowly slows the provider down, nothing queues, and a client that leaves closes the provider's connection.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep};

use super::Gateway;
use super::account::Account;
use super::body::Hold;
use super::inspect::ask;
use super::respond::Problem;
use super::stall::Progress;
use super::stored::Keeper;
use crate::auth::Principal;
use crate::guard::Cleared;
use crate::guard::stream::{End, Ending, Flow, StreamGuard};
use crate::policy::Answers;
use crate::telemetry::Direction;
use crate::upstream;

/// How long a client sees nothing while the guard holds all of an answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

type Asking = Pin<Box<dyn Future<Output = Answers> + Send>>;

/// A streamed answer.
pub(super) struct Stream {
    /// `None` once nothing more is read from the provider.
    source: Option<upstream::Body>,
    guard: StreamGuard,
    ready: Vec<Cleared>,
    account: Account,
    admission: Admission,
    keeper: Option<Keeper>,
    /// Runs until it is written down whose the ids are that wait in `ready`.
    keeping: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    progress: Option<Arc<Progress>>,
    /// The place that what waits in the guard takes in the budget, and what the answer's placeholders stand for.
    hold: Hold,
    received: u64,
    /// Time spent in the guard.
    inspecting: Duration,
    failed: bool,
    /// Models that are asked at the end of a window or of the answer.
    asking: Option<Asking>,
    /// Runs while the guard holds what the client waits for.
    quiet: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(super) fn new(
        source: upstream::Body,
        guard: StreamGuard,
        (account, hold): (Account, Hold),
        (admission, keeper): (Admission, Option<Keeper>),
        progress: Option<Arc<Progress>>,
    ) -> Self {
        account.metrics().streams_open.inc();
        Self {
            source: Some(source),
            guard,
            ready: Vec::new(),
            account,
            admission,
            keeper,
            keeping: None,
            progress,
            hold,
            received: 0,
            inspecting: Duration::ZERO,
            failed: false,
            asking: None,
            quiet: None,
        }
    }

    /// The next bytes that may be written; `None` at the end.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(progress) = &self.progress {
            progress.asked();
        }
        // A panic must not take the connection's other streams and this one's record with it.
        let polled = catch_unwind(AssertUnwindSafe(|| self.poll_step(cx)));
        let polled = polled.unwrap_or_else(|_| {
            self.failed = true;
            self.source = None;
            Poll::Ready(Some(Err(io::Error::other("internal error"))))
        });
        if let (Poll::Ready(Some(Ok(_))), Some(progress)) = (&polled, &self.progress) {
            progress.given();
        }
        polled
    }

    /// Whether everything was handed over.
    pub(super) fn is_end(&self) -> bool {
        self.source.is_none() && self.ready.is_empty() && self.keeping.is_none()
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            ready!(self.poll_kept(cx));
            if let Some(bytes) = join(&mut self.ready) {
                self.quiet = None;
                return Poll::Ready(Some(Ok(bytes)));
            }
            let Some(source) = &mut self.source else {
                return Poll::Ready(None);
            };
            if self.admission.poll_withdrawn(cx).is_ready() {
                self.account
                    .note(|record| record.reason = Some("key_withdrawn".to_owned()));
                self.guard.finish(End::Withdrawn, &mut self.ready);
            } else if let Some(asking) = &mut self.asking {
                let Poll::Ready(answers) = asking.as_mut().poll(cx) else {
                    return self.poll_keep_alive(cx);
                };
                self.asking = None;
                if self.guard.hear(&answers, &mut self.ready) == Flow::Continue {
                    self.ask();
                    continue;
                }
            } else {
                match source.poll_chunk(cx) {
                    Poll::Pending => return self.poll_keep_alive(cx),
                    Poll::Ready(Some(Ok(chunk))) => {
                        if self.take(&chunk) == Flow::Continue {
                            self.ask();
                            continue;
                        }
                        // The rest is of no interest, but a connection read to its end can be used again.
                        let source = self.source.as_mut();
                        if source.is_some_and(|source| source.poll_chunk(cx).is_pending()) {}
                    }
                    Poll::Ready(None) => {
                        self.guard.finish(End::Complete, &mut self.ready);
                        if self.ask() {
                            continue;
                        }
                    }
                    Poll::Ready(Some(Err(failure))) => {
                        tracing::warn!(id = self.account.id(), %failure, "the provider's stream broke off");
                        self.guard.finish(End::Break, &mut self.ready);
                    }
                }
            }
            self.source = None;
            if let Err(error) = self.close() {
                tracing::error!(%error, "no audit record, so the stream is cut off");
                self.ready.clear();
                return Poll::Ready(Some(Err(io::Error::other(
                    "the exchange cannot be recorded",
                ))));
            }
        }
    }

    /// Has the guard read what came from the provider.
    fn take(&mut self, chunk: &[u8]) -> Flow {
        if self.received == 0 {
            self.account.first_byte();
        }
        self.received += chunk.len() as u64;
        let began = Instant::now();
        let flow = self.guard.push(chunk, &mut self.ready);
        self.inspecting += began.elapsed();
        if self.hold.resize(self.guard.held_bytes()).is_ok() {
            return flow;
        }
        self.guard.no_room(&mut self.ready);
        self.guard.push(&[], &mut self.ready)
    }

    /// Ready once the ids that the client is about to read will be known as its own.
    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(keeper) = &self.keeper
            && self.keeping.is_none()
        {
            let ids = self.guard.new_ids();
            self.keeping = (!ids.is_empty()).then(|| Box::pin(keeper.keep(ids)) as _);
        }
        if let Some(keeping) = &mut self.keeping {
            ready!(keeping.as_mut().poll(cx));
            self.keeping = None;
        }
        Poll::Ready(())
    }

    /// Asks models what the guard wants to know before it goes on, if anything.
    fn ask(&mut self) -> bool {
        self.asking = self.guard.questions().map(|questions| {
            let gateway = Arc::clone(&self.admission.gateway);
            let asking = async move { ask(&gateway, &questions).await };
            Box::pin(asking) as Asking
        });
        self.asking.is_some()
    }

    /// A comment, when the client has seen nothing for long and the guard holds something.
    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(comment) = self.guard.keep_alive() else {
            return Poll::Pending;
        };
        let quiet = self
            .quiet
            .get_or_insert_with(|| Box::pin(sleep(KEEP_ALIVE)));
        quiet.as_mut().poll(cx).map(|()| {
            self.quiet = None;
            Some(Ok(comment.into_bytes()))
        })
    }

    fn close(&mut self) -> Result<(), crate::audit::Error> {
        let received = self.received;
        self.account.note(|record| record.response.bytes = received);
        self.account.close_stream(&self.guard.summary())
    }
}

/// The client has left, or has all it wants: many leave at the last event, before the connection's own end.
impl Drop for Stream {
    fn drop(&mut self) {
        let metrics = self.account.metrics();
        metrics.streams_open.dec();
        metrics.inspected(Direction::Response, self.inspecting);
        if self.failed {
            self.account.fail(&Problem::Internal);
        } else if self.source.is_some() {
            let cut = self.guard.summary();
            self.guard.finish(End::Complete, &mut self.ready);
            let ended = self.guard.summary();
            let received = self.received;
            self.account.note(|record| record.response.bytes = received);
            let summary = if ended.ending == Ending::Complete {
                &ended
            } else {
                &cut
            };
            if let Err(error) = self.account.close_stream(summary) {
                tracing::error!(%error, "no audit record");
            }
        }
    }
}

/// All that is ready, as one piece: one write.
fn join(ready: &mut Vec<Cleared>) -> Option<Bytes> {
    let joined = match ready.len() {
        0 => return None,
        1 => ready.pop().map(Cleared::into_bytes).unwrap_or_default(),
        _ => {
            let mut joined = BytesMut::with_capacity(ready.iter().map(Cleared::len).sum());
            for part in ready.drain(..) {
                joined.extend_from_slice(&part.into_bytes());
            }
            joined.freeze()
        }
    };
    (!joined.is_empty()).then_some(joined)
}

/// A caller's admission for as long as a stream takes: withdrawn when its key is revoked or expires.
pub(super) struct Admission {
    gateway: Arc<Gateway>,
    principal: Principal,
    generation: u64,
    changed: Pin<Box<OwnedNotified>>,
    /// Whom `changed` will wake. Asking it again each time would take a lock that all streams share.
    registered: Option<Waker>,
    expiry: Option<Pin<Box<Sleep>>>,
}

impl Admission {
    pub(super) fn new(gateway: &Arc<Gateway>, principal: Principal) -> Self {
        Self {
            changed: Box::pin(Arc::clone(&gateway.keys_changed).notified_owned()),
            // Zero is before every generation, so the first look is never skipped.
            generation: 0,
            registered: None,
            gateway: Arc::clone(gateway),
            expiry: until_expiry(&principal),
            principal,
        }
    }

    /// Ready once the key no longer works.
    pub(super) fn poll_withdrawn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let generation = self.gateway.keyring.generation();
        let changed = generation != self.generation;
        if changed {
            self.changed
                .set(Arc::clone(&self.gateway.keys_changed).notified_owned());
            self.registered = None;
            self.generation = generation;
            self.expiry = until_expiry(&self.principal);
        }
        if !self
            .registered
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            // A notification that came since the generation was read wakes at once.
            if self.changed.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            self.registered = Some(cx.waker().clone());
        }
        let expired = self
            .expiry
            .as_mut()
            .is_some_and(|expiry| expiry.as_mut().poll(cx).is_ready());
        if (changed || expired) && self.principal.recheck(Timestamp::now()).is_err() {
            return Poll::Ready(());
        }
        if expired {
            self.expiry = None;
        }
        Poll::Pending
    }
}

/// Runs until the key or session ends by itself, as far as is known now.
fn until_expiry(principal: &Principal) -> Option<Pin<Box<Sleep>>> {
    principal.expires().map(|expires| {
        let left = Duration::try_from(expires.duration_since(Timestamp::now())).unwrap_or_default();
        Box::pin(sleep(left))
    })
}
