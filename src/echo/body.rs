//! The body of a response: a document, or an answer said at a pace.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use super::answer::{Answer, Delta, Deltas};

/// How long the bytes before a break have to get out: an error in a body makes hyper drop what it has not written yet.
const BREAK_PAUSE: Duration = Duration::from_millis(20);

/// Writes a delta in some format; what it returns may be empty.
pub(super) type Write = Box<dyn FnMut(&Answer, &Delta) -> Vec<u8> + Send>;

/// An answer, and how it is written.
pub(super) struct Stream {
    pub(super) content_type: &'static str,
    pub(super) answer: Answer,
    /// What comes first.
    pub(super) head: Vec<u8>,
    pub(super) write: Write,
    /// What comes last, unless the answer is cut.
    pub(super) tail: Vec<u8>,
}

/// What is sent after a pause; an error breaks the connection.
struct Step {
    pause: Duration,
    send: io::Result<Bytes>,
}

impl Step {
    fn now(bytes: impl Into<Bytes>) -> Self {
        Self {
            pause: Duration::ZERO,
            send: Ok(bytes.into()),
        }
    }

    fn cut() -> Self {
        Self {
            pause: BREAK_PAUSE,
            send: Err(io::Error::other("the prompt asked for a cut")),
        }
    }
}

/// A response body.
pub(super) struct Body {
    steps: Box<dyn Iterator<Item = Step> + Send>,
    /// What is sent when the timer fires.
    waiting: Option<Step>,
    timer: Pin<Box<Sleep>>,
    length: Option<usize>,
}

impl Body {
    /// A document whose length is known; cut, it breaks off in the middle.
    pub(super) fn whole(mut bytes: Bytes, cut: bool) -> Self {
        let length = Some(bytes.len());
        if cut {
            bytes.truncate(bytes.len() / 2);
        }
        Self::new(
            iter::once(Step::now(bytes)).chain(cut.then(Step::cut)),
            length,
        )
    }

    /// An answer that is said delta by delta.
    pub(super) fn stream(stream: Stream, pace: Duration) -> Self {
        let Stream {
            answer,
            head,
            mut write,
            tail,
            ..
        } = stream;
        let end = if answer.cut {
            Step::cut()
        } else {
            Step::now(tail)
        };
        let mut deltas = Deltas::default();
        let written = iter::from_fn(move || {
            let delta = deltas.next(&answer)?;
            Some(Step {
                pause: pace,
                send: Ok(write(&answer, &delta).into()),
            })
        });
        let head = iter::once(Step::now(head));
        Self::new(
            head.chain(written.filter(|step| !step.is_empty()))
                .chain([end]),
            None,
        )
    }

    fn new(steps: impl Iterator<Item = Step> + Send + 'static, length: Option<usize>) -> Self {
        Self {
            steps: Box::new(steps),
            waiting: None,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            length,
        }
    }

    /// Bytes in all, where that is known before they are sent.
    pub(super) fn length(&self) -> Option<usize> {
        self.length
    }
}

impl Step {
    fn is_empty(&self) -> bool {
        self.send.as_ref().is_ok_and(Bytes::is_empty)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let step = match this.waiting.take() {
            Some(step) => step,
            None => match this.steps.next() {
                Some(step) => {
                    this.timer.as_mut().reset(Instant::now() + step.pause);
                    step
                }
                None => return Poll::Ready(None),
            },
        };
        if !step.pause.is_zero() && this.timer.as_mut().poll(context).is_pending() {
            this.waiting = Some(step);
            return Poll::Pending;
        }
        Poll::Ready(Some(step.send.map(Frame::data)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
