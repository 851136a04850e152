//! Callers without a valid key, counted by address in constant memory.

use crate::limit::RetryAfter;
use pingora_limits::estimator::Estimator;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Failures per address and window, in two count-min sketches (Cormode and Muthukrishnan, 2005, by `pingora-limits`):
/// however many addresses come, it does not grow. A sketch may count too many, never too few.
pub struct Failures {
    per_window: u32,
    window: Duration,
    counts: RwLock<Counts>,
}

struct Counts {
    began: Instant,
    now: Estimator,
    before: Estimator,
}

/// 4 rows of 4,096 counters: 128 KiB each, and an estimate that is too high by more than 3 in 4,096 of all failures of a
/// window for fewer than 1 address in 50.
fn sketch() -> Estimator {
    Estimator::new(4, 4_096)
}

impl Failures {
    /// Allows each address `per_window` failures in each `window`, sliding.
    pub fn new(per_window: u32, window: Duration, start: Instant) -> Self {
        Self {
            per_window,
            window,
            counts: RwLock::new(Counts {
                began: start,
                now: sketch(),
                before: sketch(),
            }),
        }
    }

    /// Whether an address may still try.
    ///
    /// # Errors
    /// If it failed too often; says when the window has moved on.
    pub fn check(&self, address: IpAddr, now: Instant) -> Result<(), RetryAfter> {
        self.turn(now);
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        let key = group(address);
        let elapsed = now.saturating_duration_since(counts.began).min(self.window);
        // Of the window before this one, the part that a window ending now still covers.
        let share = 1.0 - elapsed.as_secs_f64() / self.window.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let estimate = counts.now.get(key) as f64 + counts.before.get(key) as f64 * share;
        if estimate < f64::from(self.per_window) {
            return Ok(());
        }
        Err(RetryAfter(
            self.window
                .saturating_sub(elapsed)
                .max(Duration::from_secs(1)),
        ))
    }

    /// Counts a failure of an address.
    pub fn record(&self, address: IpAddr, now: Instant) {
        self.turn(now);
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        counts.now.incr(group(address), 1);
    }

    /// Begins the next window if this one is over.
    fn turn(&self, now: Instant) {
        let is_over = |counts: &Counts| now.saturating_duration_since(counts.began) >= self.window;
        if !is_over(&self.counts.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        if !is_over(&counts) {
            return; // another thread was faster
        }
        let missed = now.saturating_duration_since(counts.began) >= self.window * 2;
        let finished = std::mem::replace(&mut counts.now, sketch());
        counts.before = if missed { sketch() } else { finished };
        counts.began = if missed {
            now
        } else {
            counts.began + self.window
        };
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failures({} per {:?})", self.per_window, self.window)
    }
}

/// One subscriber: an IPv4 address, or the /64 that an IPv6 subscriber has to itself (RFC 6177).
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one instant to count from"
    )]
    fn failures() -> (Failures, Instant) {
        let start = Instant::now();
        (Failures::new(3, MINUTE, start), start)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_allowed_number_and_no_more() {
        let (failures, start) = failures();
        let guesser = address("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(failures.check(guesser, start), Ok(()));
            failures.record(guesser, start);
        }
        let refused = failures.check(guesser, start + MINUTE / 4).unwrap_err();
        assert_eq!(refused.seconds(), 45);
        assert_eq!(failures.check(address("192.0.2.2"), start), Ok(()));
    }

    #[test]
    fn failures_fade_over_the_next_window() {
        let (failures, start) = failures();
        let guesser = address("192.0.2.1");
        for _ in 0..3 {
            failures.record(guesser, start);
        }
        assert!(failures.check(guesser, start + MINUTE).is_err());
        assert!(
            failures
                .check(guesser, start + MINUTE + MINUTE / 10)
                .is_ok()
        );
        assert!(failures.check(guesser, start + MINUTE * 3).is_ok());
    }

    #[test]
    fn an_ipv6_subscriber_is_one_caller_and_a_mapped_address_its_ipv4() {
        assert_eq!(
            group(address("2001:db8::1")),
            group(address("2001:db8:0:0:ffff::1"))
        );
        assert_ne!(
            group(address("2001:db8::1")),
            group(address("2001:db8:0:1::1"))
        );
        assert_eq!(group(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn many_addresses_do_not_shut_out_others() {
        let (failures, start) = failures();
        for address in 0..2_000_u32 {
            failures.record(IpAddr::V4((0x0a00_0000 + address).into()), start);
        }
        let refused = (0..1_000_u32)
            .filter(|address| {
                failures
                    .check(IpAddr::V4((0xc000_0000 + address).into()), start)
                    .is_err()
            })
            .count();
        assert!(refused < 20, "{refused} of 1000");
    }
}
