//! The body of a request, read whole under limits of size, time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::coding::{Coding, Decoder, Problem};

/// Bytes asked of the budget at a time while a body of unknown length arrives.
const STEP: usize = 64 * 1024;

/// The bytes that all exchanges together may hold in memory.
#[derive(Debug)]
pub struct Budget {
    max: usize,
    used: AtomicUsize,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Hold {
    budget: Arc<Budget>,
    bytes: usize,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    /// The budget is used up.
    Busy,
    TooSlow,
    /// The client broke off, or framed it wrongly.
    Broken,
    /// Its compressed form is none, or grows too much.
    Coded(Problem),
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: AtomicUsize::new(0),
        })
    }

    /// Bytes held at the moment.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn hold(self: &Arc<Self>, bytes: usize) -> Result<Hold, Unread> {
        let mut hold = Hold {
            budget: Arc::clone(self),
            bytes: 0,
        };
        hold.grow(bytes)?;
        Ok(hold)
    }
}

impl Hold {
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Unread> {
        if bytes == 0 {
            return Ok(());
        }
        let fits = |used: usize| {
            used.checked_add(bytes)
                .filter(|sum| *sum <= self.budget.max)
        };
        let taken = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map_err(|_| Unread::Busy)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Hold {
    /// Gives all of it back.
    pub(super) fn clear(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Holds this many bytes and no more, in steps of [`STEP`] so that small changes cost nothing.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), Unread> {
        let bytes = bytes / STEP * STEP;
        if bytes >= self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.budget
            .used
            .fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Checks a body's announced length and takes its place in the budget, without reading: a client that waits for
/// `100 Continue` is told to go on by the first read only.
pub(super) fn admit<B: Body>(body: &B, limit: usize, budget: &Arc<Budget>) -> Result<Hold, Unread> {
    let announced = body.size_hint();
    let least = usize::try_from(announced.lower()).unwrap_or(usize::MAX);
    if least > limit {
        return Err(Unread::TooLarge);
    }
    budget.hold(if announced.exact().is_some() {
        least
    } else {
        STEP.min(limit)
    })
}

/// Reads a body to its end.
pub(super) async fn read<B>(
    mut body: B,
    limit: usize,
    time: Duration,
    hold: &mut Hold,
) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    timeout(time, async {
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
                continue;
            };
            let length = first.len() + joined.len() + data.len();
            if length > limit {
                return Err(Unread::TooLarge);
            }
            if length > hold.bytes {
                hold.grow((length - hold.bytes).max(STEP))?;
            }
            if first.is_empty() && joined.is_empty() {
                first = data; // a body that came in one piece is not copied
            } else {
                joined.extend_from_slice(&std::mem::take(&mut first));
                joined.extend_from_slice(&data);
            }
        }
        Ok(if joined.is_empty() {
            first
        } else {
            joined.freeze()
        })
    })
    .await
    .unwrap_or(Err(Unread::TooSlow))
}

/// How a request's body is compressed.
///
/// # Errors
/// By something that is not undone, or more than once.
pub(super) fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Problem> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Coding::parse(value.as_bytes()),
        (Some(_), Some(_)) => Err(Problem::Unknown),
    }
}

/// Undoes a body's compression, if there is any, on a thread where it delays nobody, into at most `limit` bytes that are in the budget.
pub(super) async fn decode(
    bytes: Bytes,
    coding: Option<Coding>,
    limit: usize,
    mut hold: Hold,
) -> Result<(Bytes, Hold), Unread> {
    let Some(coding) = coding else {
        return Ok((bytes, hold));
    };
    let work = move || {
        let mut decoder = Decoder::new(coding).map_err(|_| Unread::Busy)?;
        let mut plain = BytesMut::new();
        decoder.push(bytes);
        while let Some(piece) = decoder.step().map_err(Unread::Coded)? {
            if plain.len() + piece.len() > limit {
                return Err(Unread::TooLarge);
            }
            hold.grow(piece.len())?;
            plain.extend_from_slice(&piece);
        }
        decoder.finish().map_err(Unread::Coded)?;
        Ok((plain.freeze(), hold))
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Unread::Broken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use hyper::body::Frame;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A body of unknown length.
    struct Chunks(std::vec::IntoIter<usize>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(
                self.0
                    .next()
                    .map(|size| Ok(Frame::data(vec![b'a'; size].into()))),
            )
        }
    }

    fn chunks<const N: usize>(sizes: [usize; N]) -> Chunks {
        Chunks(Vec::from(sizes).into_iter())
    }

    #[tokio::test]
    async fn reads_within_limits_and_gives_the_budget_back() {
        let budget = Budget::new(200_000);
        let time = Duration::from_secs(5);
        let body = Full::new(Bytes::from(vec![b'a'; 150_000]));
        let mut hold = admit(&body, 1_000_000, &budget).unwrap();
        assert_eq!(budget.used(), 150_000);
        assert_eq!(admit(&body, 1_000_000, &budget).unwrap_err(), Unread::Busy);
        assert_eq!(
            read(body, 1_000_000, time, &mut hold).await.unwrap().len(),
            150_000
        );
        drop(hold);
        assert_eq!(budget.used(), 0);

        let mut hold = admit(&chunks([]), 1_000_000, &budget).unwrap();
        assert_eq!(
            read(chunks([3, 70_000, 2]), 1_000_000, time, &mut hold)
                .await
                .unwrap()
                .len(),
            70_005
        );
        assert_eq!(
            read(chunks([90_000, 20]), 90_010, time, &mut hold).await,
            Err(Unread::TooLarge)
        );
        assert_eq!(
            read(chunks([100_000, 100_001]), 1_000_000, time, &mut hold).await,
            Err(Unread::Busy)
        );
        drop(hold);
        assert_eq!(budget.used(), 0);
        assert_eq!(
            admit(&Full::new(Bytes::from_static(b"four")), 3, &budget).unwrap_err(),
            Unread::TooLarge
        );
    }
}
