//! How often a key may ask, and how often an address may fail to show one.

mod failures;
pub use failures::Failures;

use crate::rate::Rate;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Limits by key, with the generic cell rate algorithm (ITU-T I.371, by the `governor` crate): a full burst first, then
/// evenly spaced. Only for authenticated callers, because it remembers each name it is asked about.
#[derive(Debug)]
pub struct Limiter {
    clock: Driven,
    start: Instant,
    rates: RwLock<HashMap<Rate, Arc<Keyed>>>,
}

type Keyed = RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, Driven, StateInformationMiddleware>;

/// What is left of a limit after a request was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// How many more would be admitted at this moment.
    pub remaining: u32,
}

/// The limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(
    /// How long from now until the next request would be admitted, to the nanosecond.
    pub Duration,
);

impl RetryAfter {
    /// The value of a `Retry-After` header (RFC 9110, section 10.2.3): whole seconds, rounded up, at least 1.
    pub fn seconds(self) -> u64 {
        let rounded = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        rounded.max(1)
    }
}

impl Limiter {
    /// A limiter in which nothing was used yet. Times before `start` count as `start`.
    pub fn new(start: Instant) -> Self {
        Self {
            clock: Driven::default(),
            start,
            rates: RwLock::default(),
        }
    }

    /// Takes one request from the limit of `key`.
    ///
    /// # Errors
    /// If the limit is used up; nothing is taken then.
    pub fn check(&self, key: &Arc<str>, rate: Rate, now: Instant) -> Result<Admitted, RetryAfter> {
        let now = self
            .clock
            .advance(now.saturating_duration_since(self.start));
        match self.keyed(rate).check_key(key) {
            Ok(state) => Ok(Admitted {
                remaining: state.remaining_burst_capacity(),
            }),
            Err(refused) => Err(RetryAfter(refused.wait_time_from(now))),
        }
    }

    /// Forgets keys whose limits are whole again: to be called about once a minute.
    pub fn forget_idle(&self, now: Instant) {
        self.clock
            .advance(now.saturating_duration_since(self.start));
        let mut rates = self.rates.write().unwrap_or_else(PoisonError::into_inner);
        rates.retain(|_, keyed| {
            keyed.retain_recent();
            keyed.shrink_to_fit();
            // Another thread may hold it between looking it up and using it: then it stays.
            !keyed.is_empty() || Arc::strong_count(keyed) > 1
        });
    }

    fn keyed(&self, rate: Rate) -> Arc<Keyed> {
        let rates = self.rates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(keyed) = rates.get(&rate) {
            return Arc::clone(keyed);
        }
        drop(rates);
        let mut rates = self.rates.write().unwrap_or_else(PoisonError::into_inner);
        let keyed = rates.entry(rate).or_insert_with(|| {
            Arc::new(Keyed::new(
                quota(rate),
                DashMapStateStore::default(),
                self.clock.clone(),
            ))
        });
        Arc::clone(keyed)
    }
}

/// One request comes back each `period / count`; `count` may come at once.
fn quota(rate: Rate) -> Quota {
    let spacing = rate.per.duration() / rate.count.get();
    // At most 4,294,967,295 per second leave a spacing of 0 ns, which is no quota: 1 ns is as good as no limit.
    Quota::with_period(spacing)
        .unwrap_or_else(|| Quota::per_second(rate.count))
        .allow_burst(rate.count)
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

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one instant to count from"
    )]
    fn limiter() -> (Limiter, Instant) {
        let start = Instant::now();
        (Limiter::new(start), start)
    }

    /// [rate_limit-208]
    #[test]
    fn a_burst_and_then_exact_waiting() {
        let (limiter, start) = limiter();
        let (key, other): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let limit = rate("60/minute");
        for left in (0..60).rev() {
            assert_eq!(
                limiter.check(&key, limit, start),
                Ok(Admitted { remaining: left })
            );
        }
        let refused = limiter.check(&key, limit, start).unwrap_err();
        assert_eq!(refused, RetryAfter(Duration::from_secs(1)));
        assert!(
            limiter.check(&other, limit, start).is_ok(),
            "each key has its own"
        );
        let early = start + Duration::from_nanos(999_999_999);
        assert_eq!(
            limiter.check(&key, limit, early),
            Err(RetryAfter(Duration::from_nanos(1)))
        );
        assert!(
            limiter.check(&key, limit, start + refused.0).is_ok(),
            "Retry-After is exact"
        );
    }

    #[test]
    fn retry_after_is_rounded_up() {
        assert_eq!(RetryAfter(Duration::from_millis(1)).seconds(), 1);
        assert_eq!(RetryAfter(Duration::from_millis(2_001)).seconds(), 3);
        assert_eq!(RetryAfter(Duration::from_secs(2)).seconds(), 2);
    }

    /// GCRA as its definition has it, in nanoseconds: the reference that the limiter must agree with.
    fn reference(arrivals: &[u64], count: u64, period: u64) -> Vec<bool> {
        let spacing = period / count;
        let mut expected = 0;
        let admit = |now: &u64| {
            let admitted = expected <= now + spacing * (count - 1);
            if admitted {
                expected = expected.max(*now) + spacing;
            }
            admitted
        };
        arrivals.iter().map(admit).collect()
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_definition(count in 1_u32..20, steps in proptest::collection::vec(0_u64..20_000_000_000, 1..100)) {
            let (limiter, start) = limiter();
            let key: Arc<str> = "k".into();
            let limit = rate(&format!("{count}/minute"));
            let mut now = 0;
            let arrivals: Vec<u64> = steps.into_iter().map(|step| { now += step; now }).collect();
            let admit = |now: &u64| limiter.check(&key, limit, start + Duration::from_nanos(*now)).is_ok();
            let admitted: Vec<bool> = arrivals.iter().map(admit).collect();
            proptest::prop_assert_eq!(admitted, reference(&arrivals, count.into(), 60_000_000_000));
        }
    }

    #[test]
    fn many_threads_never_exceed_it() {
        let (limiter, start) = limiter();
        let key: Arc<str> = "k".into();
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let ok = limiter.check(&key, rate("100/day"), start).is_ok();
                        admitted.fetch_add(u64::from(ok), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 100);
    }

    #[test]
    fn idle_keys_are_forgotten_and_busy_ones_are_not() {
        let (limiter, start) = limiter();
        let (idle, busy): (Arc<str>, Arc<str>) = ("idle".into(), "busy".into());
        limiter.check(&idle, rate("1/second"), start).unwrap();
        limiter.check(&busy, rate("1/day"), start).unwrap();
        limiter.forget_idle(start + Duration::from_mins(1));
        assert_eq!(limiter.rates.read().unwrap().len(), 1);
        assert!(
            limiter
                .check(&busy, rate("1/day"), start + Duration::from_secs(61))
                .is_err()
        );
    }

    #[test]
    fn the_largest_rate_works() {
        let (limiter, start) = limiter();
        assert!(
            limiter
                .check(&"k".into(), rate("4294967295/second"), start)
                .is_ok()
        );
    }
}
