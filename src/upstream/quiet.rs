//! Keeps the two halves of a connection from waking the task that polls both.
//!
//! hyper hands what arrives from the connection's driver to the answer's body through a slot, and either end wakes the other.
//! Here one task polls both, in turn, until nothing moves any more. A wake meanwhile tells it nothing new, but would have the
//! whole connection of the client polled once more for each chunk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Nobody polls at the moment: wakes are passed on.
const OUTSIDE: u8 = 0;
/// Under way, and no wake has come.
const INSIDE: u8 = 1;
/// Under way, and a wake has come.
const WOKEN: u8 = 2;

/// Polls what must not wake the task while it is polled.
pub(super) struct Quiet {
    wakes: Arc<Wakes>,
    waker: Waker,
}

struct Wakes {
    task: AtomicWaker,
    state: AtomicU8,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self
            .state
            .compare_exchange(INSIDE, WOKEN, Ordering::AcqRel, Ordering::Acquire);
        if noted == Err(OUTSIDE) {
            self.task.wake();
        }
    }
}

impl Quiet {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Wakes {
            task: AtomicWaker::new(),
            state: AtomicU8::new(OUTSIDE),
        });
        let waker = Waker::from(Arc::clone(&shared));
        Self {
            wakes: shared,
            waker,
        }
    }

    /// Polls again where a wake came meanwhile and nothing else did. Whoever gets something must poll again before it waits.
    pub(super) fn poll<T>(
        &self,
        cx: &Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Wakes { task, state } = &*self.wakes;
        task.register(cx.waker());
        for _ in 0..2 {
            state.store(INSIDE, Ordering::Release);
            let polled = poll(&mut Context::from_waker(&self.waker));
            let woken = state.swap(OUTSIDE, Ordering::AcqRel) == WOKEN;
            if polled.is_ready() || !woken {
                return polled;
            }
        }
        // Whose turn is over is woken at once and gets nothing before the next one.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_wakes_from_outside_reach_the_task() {
        let (quiet, count) = (Quiet::new(), Arc::new(Count::default()));
        let task = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&task);
        let (mut polls, mut kept) = (0, None);
        // Woken within: polled again there, and what is found then is given.
        let polled = quiet.poll(&cx, |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            kept = Some(cx.waker().clone());
            if polls == 2 {
                Poll::Ready(7)
            } else {
                Poll::Pending
            }
        });
        assert_eq!((polled, polls), (Poll::Ready(7), 2));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        kept.unwrap().wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_is_always_woken_lets_others_have_their_turn() {
        let (quiet, count) = (Quiet::new(), Arc::new(Count::default()));
        let task = Waker::from(Arc::clone(&count));
        let mut polls = 0;
        let polled: Poll<()> = quiet.poll(&Context::from_waker(&task), |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(polled.is_pending() && polls == 2);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
