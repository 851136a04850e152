//! A panic ends one exchange, not its connection.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// Runs a future whose panic is an answer like others.
pub(super) async fn contain<T>(mut future: Pin<Box<impl Future<Output = T>>>) -> Option<T> {
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_like_others() {
        async fn faulty(fault: bool) -> u8 {
            tokio::task::yield_now().await;
            assert!(!fault, "a fault");
            7
        }
        assert_eq!(contain(Box::pin(faulty(false))).await, Some(7));
        assert_eq!(contain(Box::pin(faulty(true))).await, None);
    }
}
