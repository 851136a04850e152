//! Threads for long arithmetic, and a short queue before them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::policy::Unanswered;

type Work = Box<dyn FnOnce() + Send>;

/// A fixed number of threads, which end when this is dropped.
#[derive(Debug)]
pub(super) struct Pool(SyncSender<Work>);

impl Pool {
    /// Starts so many threads; `queue` pieces of work may wait for them.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub(super) fn new(name: &str, threads: usize, queue: usize) -> io::Result<Self> {
        let (sender, receiver) = sync_channel::<Work>(queue.max(1));
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads.max(1) {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new()
                .name(format!("model-{name}"))
                .spawn(move || serve(&receiver))?;
        }
        Ok(Self(sender))
    }

    /// Has something done. Nothing comes if it panics; it is not begun once nobody waits for it.
    ///
    /// # Errors
    /// [`Unanswered::Full`].
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Unanswered> {
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            if !sender.is_closed() {
                // Whoever has left needs no answer.
                drop(sender.send(work()));
            }
        };
        match self.0.try_send(Box::new(work)) {
            Ok(()) => Ok(receiver),
            Err(TrySendError::Full(_)) => Err(Unanswered::Full),
            Err(TrySendError::Disconnected(_)) => Err(Unanswered::Failed),
        }
    }
}

fn serve(receiver: &Mutex<Receiver<Work>>) {
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(work) = next else { return };
        // What panics drops its end of the channel, which tells whoever waits.
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!("a model panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_much_is_refused_and_a_panic_harms_nobody_else() {
        let pool = Pool::new("test", 1, 1).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (began, has_begun) = std::sync::mpsc::channel();
        let first = pool.run(move || {
            began.send(()).unwrap();
            wait.recv().is_ok()
        });
        has_begun.recv().unwrap();
        let second = pool.run(|| panic!("of the model"));
        assert_eq!(pool.run(|| ()).unwrap_err(), Unanswered::Full);
        go.send(()).unwrap();
        assert!(first.unwrap().await.unwrap());
        assert!(second.unwrap().await.is_err());
        assert_eq!(pool.run(|| 7).unwrap().await.unwrap(), 7);
    }

    #[tokio::test]
    async fn nothing_is_begun_for_who_has_left() {
        let pool = Pool::new("test", 1, 2).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = pool.run(move || wait.recv().is_ok()).unwrap();
        let (done, was_done) = std::sync::mpsc::channel();
        drop(pool.run(move || done.send(()).is_ok()).unwrap());
        go.send(()).unwrap();
        assert!(first.await.unwrap());
        drop(pool);
        // The thread has ended, and with it the sender: nothing was sent.
        assert!(was_done.recv().is_err());
    }
}
