//! Where a budget's cycle stands: the day, week or month in UTC that a moment belongs to.

use std::time::Duration;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::rate::quota::Cycle;

/// One turn of a cycle, such as a certain month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Of which cycle.
    pub cycle: Cycle,
    /// Days since 1970-01-01, weeks since the Monday before it, months since January 1970; 0 for a lifetime.
    pub number: u32,
}

/// The Thursday that computers count from.
const EPOCH: Date = date(1970, 1, 1);
/// The Monday before it.
const MONDAY: Date = date(1969, 12, 29);

impl Window {
    /// The turn of a cycle that a moment belongs to. Moments before 1970 count as its beginning.
    pub fn at(cycle: Cycle, time: Timestamp) -> Self {
        let days = time.as_second().div_euclid(86_400);
        let number = match cycle {
            Cycle::Day => days,
            Cycle::Week => (days + 3).div_euclid(7),
            Cycle::Month => {
                let date = TimeZone::UTC.to_datetime(time);
                (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1
            }
            Cycle::Lifetime => 0,
        };
        Self {
            cycle,
            number: u32::try_from(number).unwrap_or(0),
        }
    }

    /// The next one.
    const fn next(self) -> Self {
        Self {
            cycle: self.cycle,
            number: self.number.saturating_add(1),
        }
    }

    /// Its first day; `None` for a lifetime.
    pub fn start(self) -> Option<Date> {
        let number = i64::from(self.number);
        let start = match self.cycle {
            Cycle::Day => EPOCH.checked_add(number.days()),
            Cycle::Week => MONDAY.checked_add(number.weeks()),
            Cycle::Month => EPOCH.checked_add(number.months()),
            Cycle::Lifetime => return None,
        };
        start.ok()
    }

    /// The moment when it is over; `None` for a lifetime.
    pub fn end(self) -> Option<Timestamp> {
        let day = self.next().start()?;
        day.to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    }
}

/// What the calendar said before: a window that it said to be over for less than a day may come back, as when a clock is
/// set wrong, or stands wrong at the start, and is put right.
#[derive(Debug)]
pub(super) struct Said {
    /// When it was asked last, in nanoseconds of a clock that is never set.
    at: u64,
    latest: Timestamp,
    /// What it said a day before that.
    before: Timestamp,
}

/// Between two of its sayings that are kept.
const DAY: Duration = Duration::from_hours(24);

impl Said {
    /// At the start, when its first saying may be wrong by a day.
    pub(super) fn new(time: Timestamp) -> Self {
        Self {
            at: 0,
            latest: time,
            before: time.checked_sub(DAY).unwrap_or(Timestamp::MIN),
        }
    }

    /// What is past for certain, now that it says this time.
    pub(super) fn past(&mut self, nanos: u64, time: Timestamp) -> Timestamp {
        if u128::from(nanos.saturating_sub(self.at)) >= DAY.as_nanos() {
            *self = Self {
                at: nanos,
                latest: time,
                before: self.latest,
            };
        }
        time.min(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cycle: Cycle, time: &str) -> (String, String) {
        let window = Window::at(cycle, time.parse().unwrap());
        (
            window.start().unwrap().to_string(),
            window.end().unwrap().to_string(),
        )
    }

    #[test]
    fn p33_windows_follow_the_calendar_in_utc() {
        for (cycle, time, start, end) in [
            (
                Cycle::Day,
                "2026-11-22T00:00:00Z",
                "2026-11-22",
                "2026-11-23T00:00:00Z",
            ),
            (
                Cycle::Day,
                "2026-11-21T23:59:59.999Z",
                "2026-11-21",
                "2026-11-22T00:00:00Z",
            ),
            (
                Cycle::Week,
                "2026-11-22T12:00:00Z",
                "2026-11-16",
                "2026-11-23T00:00:00Z",
            ),
            (
                Cycle::Week,
                "2026-11-23T00:00:00Z",
                "2026-11-23",
                "2026-11-30T00:00:00Z",
            ),
            (
                Cycle::Month,
                "2024-02-29T23:00:00-05:00",
                "2024-03-01",
                "2024-04-01T00:00:00Z",
            ),
            (
                Cycle::Month,
                "2026-12-31T23:59:59Z",
                "2026-12-01",
                "2027-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(
                window(cycle, time),
                (start.to_owned(), end.to_owned()),
                "{time}"
            );
        }
        let lifetime = Window::at(Cycle::Lifetime, Timestamp::UNIX_EPOCH);
        assert_eq!((lifetime.start(), lifetime.end()), (None, None));
    }

    /// However far a clock is set, for less than a day, or at the start by less than one: no window is over that is not.
    #[test]
    fn what_a_wrong_clock_says_to_be_over_comes_back() {
        let right: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let hours = |hours: i64| right.checked_add(hours.hours()).unwrap();
        let past = |said: &mut Said, hour: u64, time| said.past(hour * 3_600_000_000_000, time);
        for wrong in [hours(14), hours(24 * 40), hours(-24 * 40)] {
            let mut said = Said::new(right);
            for hour in 1..24 {
                assert!(past(&mut said, hour, wrong) <= right);
            }
        }
        // At the start a day ahead, as by a wrong time zone, and put right after an hour.
        let mut said = Said::new(hours(14));
        assert!(past(&mut said, 1, hours(14)) <= right);
        assert!(past(&mut said, 2, hours(2)) <= hours(2));
        // After some days nothing holds the past up.
        for day in 1..4 {
            past(&mut said, day * 24, hours(i64::try_from(day).unwrap() * 24));
        }
        assert!(past(&mut said, 97, hours(97)) >= hours(48));
    }
}
