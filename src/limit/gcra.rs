//! The generic cell rate algorithm (ITU-T I.371, virtual scheduling), exact: a full burst first, then evenly spaced.
//!
//! A cell is one number: the time at which all of its limit is there again. With `count` per `period`, one unit takes
//! `period / count`; to stay in whole numbers whatever the rate, times are counted in nanoseconds times `count`, of which one
//! unit takes exactly `period`.

use std::time::Duration;

use crate::rate::Rate;

/// One unit, and all that the limit ever holds.
fn unit(rate: Rate) -> (u128, u128) {
    let period = rate.per.duration().as_nanos();
    (period, period * u128::from(rate.count.get()))
}

fn scaled(rate: Rate, nanos: u64) -> u128 {
    u128::from(nanos) * u128::from(rate.count.get())
}

fn duration(rate: Rate, scaled: u128) -> Duration {
    let nanos = scaled.div_ceil(u128::from(rate.count.get()));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Takes some units from a cell.
///
/// # Errors
///
/// How long until they could be taken, to the nanosecond, if nobody else takes any.
pub(super) fn take(at: u128, rate: Rate, units: u64, now: u64) -> Result<u128, Duration> {
    let (_, whole) = unit(rate);
    let after = charge(at, rate, units, now);
    let latest = scaled(rate, now) + whole;
    if after <= latest {
        Ok(after)
    } else {
        Err(duration(rate, after - latest))
    }
}

/// Takes some units whether or not they are there: what is missing has to come back first.
pub(super) fn charge(at: u128, rate: Rate, units: u64, now: u64) -> u128 {
    let (one, _) = unit(rate);
    at.max(scaled(rate, now)) + u128::from(units) * one
}

/// Gives some units back.
pub(super) fn refund(at: u128, rate: Rate, units: u64) -> u128 {
    let (one, _) = unit(rate);
    at.saturating_sub(u128::from(units) * one)
}

/// How many units could be taken now.
pub(super) fn remaining(at: u128, rate: Rate, now: u64) -> u32 {
    let (one, whole) = unit(rate);
    let missing = at.saturating_sub(scaled(rate, now));
    u32::try_from(whole.saturating_sub(missing) / one).unwrap_or(u32::MAX)
}

/// How long until all of the limit is there again.
pub(super) fn until_whole(at: u128, rate: Rate, now: u64) -> Duration {
    duration(rate, at.saturating_sub(scaled(rate, now)))
}

/// The cell of which all is there after this time.
pub(super) fn whole_in(rate: Rate, wait: Duration, now: u64) -> u128 {
    scaled(rate, now) + wait.as_nanos() * u128::from(rate.count.get())
}

/// Whether all of the limit is there.
pub(super) fn is_whole(at: u128, rate: Rate, now: u64) -> bool {
    at <= scaled(rate, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;

    const MINUTE: u128 = 60_000_000_000;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    /// The same limit in its other formulation, the continuous-state leaky bucket: an independent reference. The level is
    /// what was taken and has not come back, in units times nanoseconds of a minute.
    struct Bucket {
        count: u128,
        level: u128,
        seen: u128,
    }

    impl Bucket {
        fn drain(&mut self, now: u64) {
            let passed = u128::from(now) - self.seen;
            self.seen = now.into();
            self.level = self.level.saturating_sub(passed * self.count);
        }

        fn take(&mut self, units: u64, now: u64) -> bool {
            self.drain(now);
            let filled = self.level + u128::from(units) * MINUTE;
            let fits = filled <= self.count * MINUTE;
            if fits {
                self.level = filled;
            }
            fits
        }
    }

    proptest::proptest! {
        /// Any rate, also such as do not divide a minute; units taken, charged and given back at any times.
        #[test]
        fn p33_agrees_with_the_leaky_bucket(
            count in 1_u32..5_000_000,
            steps in vec((0_u64..30_000_000_000, 0_u64..3_000_000, 0_u8..4), 1..60),
        ) {
            let limit = rate(&format!("{count}/minute"));
            let mut bucket = Bucket { count: count.into(), level: 0, seen: 0 };
            let (mut at, mut now) = (0, 0);
            for (step, units, what) in steps {
                now += step;
                let units = units % (u64::from(count) * 2);
                match what {
                    0 => {
                        bucket.drain(now);
                        bucket.level += u128::from(units) * MINUTE;
                        at = charge(at, limit, units, now);
                    }
                    1 => {
                        bucket.drain(now);
                        bucket.level = bucket.level.saturating_sub(u128::from(units) * MINUTE);
                        at = refund(at, limit, units);
                    }
                    _ => {
                        let taken = take(at, limit, units, now);
                        proptest::prop_assert_eq!(taken.is_ok(), bucket.take(units, now));
                        at = taken.unwrap_or(at);
                    }
                }
                let left = (bucket.count * MINUTE).saturating_sub(bucket.level) / MINUTE;
                proptest::prop_assert_eq!(u128::from(remaining(at, limit, now)), left);
            }
        }

        /// What is refused is taken after the wait that was told, and not a nanosecond before.
        #[test]
        fn waits_are_exact(count in 1_u32..100_000, used in 0_u64..100_000, units in 1_u64..100_000) {
            let limit = rate(&format!("{count}/hour"));
            let (used, units) = (used % (u64::from(count) + 1), 1 + units % u64::from(count));
            let at = charge(0, limit, used, 7);
            if let Err(wait) = take(at, limit, units, 7) {
                let then = 7 + u64::try_from(wait.as_nanos()).unwrap();
                proptest::prop_assert!(take(at, limit, units, then).is_ok());
                proptest::prop_assert!(take(at, limit, units, then - 1).is_err());
            }
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let fast = rate("4294967295/second");
        let at = charge(0, fast, u64::MAX, u64::MAX);
        assert!(take(at, fast, 1, u64::MAX).is_err());
        assert_eq!(remaining(at, fast, 0), 0);
        assert!(take(0, fast, 4_294_967_295, 0).is_ok());
        let slow = rate("1/day");
        assert_eq!(
            until_whole(charge(0, slow, 1, 0), slow, 0),
            Duration::from_hours(24)
        );
    }
}
