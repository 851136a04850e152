//! How often a key may ask the gateway about itself: sessions, use, credentials. That costs a provider nothing, so no limit
//! of the operator's is charged; but each asking may write to the store.

use super::RetryAfter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Requests that a key may send at once.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
/// Requests that come back each second.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// One quota for each key, by the `governor` crate: only for authenticated callers, because it remembers each name it is
/// asked about.
#[derive(Debug)]
pub struct OwnLimiter {
    start: Instant,
    clock: Driven,
    keys: RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, Driven, NoOpMiddleware<Nanos>>,
}

impl OwnLimiter {
    /// With nothing used yet. Times before `start` count as `start`.
    pub fn new(start: Instant) -> Self {
        let clock = Driven::default();
        let quota = Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self {
            start,
            keys: RateLimiter::new(quota, DashMapStateStore::default(), clock.clone()),
            clock,
        }
    }

    /// Takes one request of a key.
    ///
    /// # Errors
    /// If there were too many: how long to wait.
    pub fn check(&self, key: &Arc<str>, now: Instant) -> Result<(), RetryAfter> {
        let now = self
            .clock
            .advance(now.saturating_duration_since(self.start));
        let checked = self.keys.check_key(key);
        checked.map_err(|refused| RetryAfter(refused.wait_time_from(now)))
    }

    /// Forgets keys whose quota is whole again: to be called about once a minute.
    pub fn forget_idle(&self, now: Instant) {
        self.clock
            .advance(now.saturating_duration_since(self.start));
        self.keys.retain_recent();
        self.keys.shrink_to_fit();
    }
}

/// A clock that shows the latest time that any caller brought along.
#[derive(Clone, Debug, Default)]
struct Driven(Arc<AtomicU64>);

impl Driven {
    fn advance(&self, since_start: Duration) -> Nanos {
        let now = u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX);
        Nanos::from(self.0.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

impl Clock for Driven {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one instant to count from"
    )]
    fn a_key_that_asks_too_often_waits_and_others_do_not() {
        let start = Instant::now();
        let limiter = OwnLimiter::new(start);
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        for _ in 0..BURST.get() {
            limiter.check(&one, start).unwrap();
        }
        let wait = limiter.check(&one, start).unwrap_err();
        assert_eq!(wait.0, Duration::from_millis(100));
        limiter.check(&other, start).unwrap();
        let later = start + wait.0;
        limiter.check(&one, later).unwrap();
        limiter.check(&one, later).unwrap_err();
        limiter.forget_idle(start + Duration::from_mins(1));
        assert!(limiter.keys.is_empty());
    }
}
