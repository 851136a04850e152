//! HTTP/2 streams whose client gives no more room to write.
//!
//! hyper does not ask a body for its next part until the last one could be sent, so a body cannot notice this itself, and
//! the connection's socket may be busy with other streams. Each body notes when it last handed something over; a
//! connection with a stream that stands too long is closed.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The streams of a connection.
#[derive(Debug, Default)]
pub(super) struct Stalls(Mutex<Vec<Weak<Progress>>>);

/// When a stream handed something over that hyper has not come back from yet.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<Instant>>);

impl Progress {
    /// A part was handed over, to be written.
    pub(super) fn given(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// The next part is being asked for, so the last one is written.
    pub(super) fn asked(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn stands(&self, limit: Duration) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|since| since.elapsed() >= limit)
    }
}

impl Stalls {
    /// Watches one more stream, as long as the result lives.
    pub(super) fn join(&self) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&progress));
        progress
    }

    /// Returns once a stream has stood for `limit`, within a quarter of it.
    pub(super) async fn watch(&self, limit: Duration) {
        loop {
            sleep(limit / 4).await;
            let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if streams
                .iter()
                .filter_map(Weak::upgrade)
                .any(|stream| stream.stands(limit))
            {
                return;
            }
        }
    }
}
