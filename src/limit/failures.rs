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
