//! A number of requests per period, as operators write it: `20/minute`.

pub mod quota;

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// So many per period. All of them may come at once; after that they come back evenly over the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In which time.
    pub per: Period,
}

/// The period of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// 1 second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl Period {
    /// All periods, shortest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// The word in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }
}

/// A rate that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid rate {found:?}: expected a whole number from 1, a slash and second, minute, hour or day, such as 20/minute"
)]
pub struct InvalidRate {
    /// What was written.
    pub found: String,
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = || InvalidRate {
            found: text.chars().take(64).collect(),
        };
        let (count, period) = text.split_once('/').ok_or_else(invalid)?;
        let count = count.trim();
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid()); // `+5` would parse as a number
        }
        let period = period.trim();
        Ok(Self {
            count: count.parse().map_err(|_| invalid())?,
            per: Period::ALL
                .into_iter()
                .find(|known| known.name() == period)
                .ok_or_else(invalid)?,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for text in ["1/second", "20/minute", "1000/hour", "4294967295/day"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!(
            " 20 / minute ".parse::<Rate>().unwrap().to_string(),
            "20/minute"
        );
    }

    #[test]
    fn refuses_with_what_was_found_and_expected() {
        for text in [
            "",
            "20",
            "0/minute",
            "-1/minute",
            "+5/minute",
            "20/fortnight",
            "4294967296/day",
            "20/minutes",
            "/minute",
            "2.5/hour",
        ] {
            let message = text.parse::<Rate>().unwrap_err().to_string();
            assert!(
                message.contains(&format!("{text:?}")) && message.contains("20/minute"),
                "{message}"
            );
        }
    }
}
