//! What a caller may use, as operators write it: `20/minute`, `tokens=100000/minute`, `concurrent=5`, `budget=50usd/month`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::Rate;

/// What may be used in which time. Written as terms with spaces between; a rate alone means requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Requests per time; all of them hold.
    pub requests: Vec<Rate>,
    /// Tokens per time, read and written together; all of them hold.
    pub tokens: Vec<Rate>,
    /// Exchanges at a time.
    pub concurrent: Option<NonZeroU32>,
    /// Streamed exchanges at a time.
    pub streams: Option<NonZeroU32>,
    /// Tokens or money per cycle of the calendar; all of them hold.
    pub budgets: Vec<Budget>,
}

impl Quota {
    /// Whether it restricts nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// So much per cycle of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Of what.
    pub unit: Unit,
    /// How much: tokens, or millionths of a dollar. At most 2^53 - 1, so that any program can read it.
    pub amount: u64,
    /// In which cycle.
    pub cycle: Cycle,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Tokens, read and written together.
    Tokens,
    /// US dollars.
    Money,
}

impl Unit {
    /// The word in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Money => "usd",
        }
    }
}

/// A part of the calendar in UTC, after which a budget is whole again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cycle {
    /// From midnight.
    Day,
    /// From Monday, as ISO 8601 has it.
    Week,
    /// From the first of a month.
    Month,
    /// Without an end.
    Lifetime,
}

impl Cycle {
    /// All of them, shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Lifetime];

    /// The word in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Lifetime => "lifetime",
        }
    }
}

/// A quota that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid limit {found:?}: expected terms such as 20/minute, tokens=100000/minute, concurrent=5, streams=2, \
     budget=50usd/month or budget=2000000tokens/day, with spaces between them"
)]
pub struct InvalidQuota {
    /// What was written, at most 64 characters of it.
    pub found: String,
}

impl InvalidQuota {
    fn of(text: &str) -> Self {
        Self {
            found: text.chars().take(64).collect(),
        }
    }
}

const MAX_AMOUNT: u64 = (1 << 53) - 1;
/// Millionths in one dollar.
const MICRO: u64 = 1_000_000;

impl FromStr for Quota {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let mut quota = Self::default();
        for term in text.split_whitespace() {
            let invalid = || InvalidQuota::of(term);
            let count = |text: &str| whole(text)?.parse().ok();
            let (name, value) = term.split_once('=').unwrap_or(("requests", term));
            let twice = match name {
                "requests" => {
                    quota.requests.push(value.parse().map_err(|_| invalid())?);
                    false
                }
                "tokens" => {
                    quota.tokens.push(value.parse().map_err(|_| invalid())?);
                    false
                }
                "concurrent" => {
                    let value = count(value).ok_or_else(invalid)?;
                    quota.concurrent.replace(value).is_some()
                }
                "streams" => {
                    let value = count(value).ok_or_else(invalid)?;
                    quota.streams.replace(value).is_some()
                }
                "budget" => {
                    quota.budgets.push(value.parse().map_err(|_| invalid())?);
                    false
                }
                _ => return Err(invalid()),
            };
            if twice {
                return Err(invalid());
            }
        }
        Ok(quota)
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.requests.iter().map(ToString::to_string);
        let tokens = self.tokens.iter().map(|rate| format!("tokens={rate}"));
        let concurrent = self.concurrent.map(|most| format!("concurrent={most}"));
        let streams = self.streams.map(|most| format!("streams={most}"));
        let budgets = self.budgets.iter().map(|budget| format!("budget={budget}"));
        let terms: Vec<String> = requests
            .chain(tokens)
            .chain(concurrent)
            .chain(streams)
            .chain(budgets)
            .collect();
        f.write_str(&terms.join(" "))
    }
}

impl FromStr for Budget {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let invalid = || InvalidQuota::of(text);
        let (amount, cycle) = text.split_once('/').ok_or_else(invalid)?;
        let cycle = Cycle::ALL.into_iter().find(|known| known.name() == cycle);
        let (unit, amount) = if let Some(tokens) = amount.strip_suffix("tokens") {
            (
                Unit::Tokens,
                whole(tokens).and_then(|text| text.parse().ok()),
            )
        } else if let Some(dollars) = amount.strip_suffix("usd") {
            (Unit::Money, micro(dollars))
        } else {
            return Err(invalid());
        };
        Ok(Self {
            unit,
            amount: amount
                .filter(|amount| (1..=MAX_AMOUNT).contains(amount))
                .ok_or_else(invalid)?,
            cycle: cycle.ok_or_else(invalid)?,
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Tokens => write!(f, "{}tokens/{}", self.amount, self.cycle.name()),
            Unit::Money => write!(f, "{}usd/{}", dollars(self.amount), self.cycle.name()),
        }
    }
}

/// Millionths of a dollar of a decimal number such as `0.25`, with at most six places; `None` for anything else.
pub fn micro(dollars: &str) -> Option<u64> {
    let (units, places) = dollars.split_once('.').unwrap_or((dollars, "0"));
    let units: u64 = whole(units)?.parse().ok()?;
    if places.len() > 6 {
        return None;
    }
    let places: u64 = format!("{:0<6}", whole(places)?).parse().ok()?;
    units.checked_mul(MICRO)?.checked_add(places)
}

/// Millionths of a dollar as a decimal number without trailing zeros.
pub fn dollars(micro: u64) -> String {
    let (units, places) = (micro / MICRO, micro % MICRO);
    if places == 0 {
        return units.to_string();
    }
    let places = format!("{places:06}");
    format!("{units}.{}", places.trim_end_matches('0'))
}

/// A text of digits alone: `+5` would parse as a number.
fn whole(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for text in [
            "",
            "20/minute",
            "20/minute 1000/day tokens=100000/minute concurrent=5 streams=2 budget=50usd/month",
            "budget=0.000001usd/lifetime budget=2000000tokens/day budget=12.5usd/week",
            "budget=9007199254740991tokens/lifetime",
        ] {
            assert_eq!(text.parse::<Quota>().unwrap().to_string(), text);
        }
        let quota: Quota = "requests=20/minute budget=1.50usd/day".parse().unwrap();
        assert_eq!(quota.to_string(), "20/minute budget=1.5usd/day");
        assert!(Quota::default().is_empty() && !quota.is_empty());
    }

    #[test]
    fn refuses_with_what_was_found() {
        for text in [
            "20",
            "rate=20/minute",
            "concurrent=0",
            "concurrent=+5",
            "concurrent=1 concurrent=2",
            "budget=0usd/day",
            "budget=50/month",
            "budget=50eur/month",
            "budget=50usd/year",
            "budget=-1usd/day",
            "budget=1.0000001usd/day",
            "budget=1.5tokens/day",
            "budget=.5usd/day",
            "budget=9007199254740992tokens/day",
            "budget=99999999999999999999usd/day",
        ] {
            let found = text.parse::<Quota>().unwrap_err().found;
            assert!(text.ends_with(&found), "{text}");
        }
    }

    #[test]
    fn money_is_exact() {
        for (text, expected) in [("0.1", 100_000), ("3", 3_000_000), ("0.000001", 1)] {
            assert_eq!(micro(text), Some(expected));
            assert_eq!(dollars(expected), text);
        }
        assert_eq!(micro("1e3"), None);
        assert_eq!(micro("18446744073710"), None);
    }
}
