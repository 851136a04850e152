//! What callers may use: rates of requests and tokens, exchanges at a time, budgets; and how often an address may fail to
//! show a key. See `docs/LIMITS.md`.
//!
//! An exchange is admitted by its head, then reserves what its body will cost, and settles what it cost in the end. The rates
//! are ours and not those of a crate such as `governor`: several limits must agree in one step, by amounts that are not one,
//! and what was kept for an answer goes back when the answer is shorter, none of which its cells can do.

mod admission;
mod cell;
mod claim;
mod failures;
mod gcra;
mod ledger;
mod limiter;
mod own;
mod price;
mod queue;
mod scripts;
mod shared;
mod table;
mod window;

pub use admission::{Admission, Estimate};
pub use cell::Spend;
pub use claim::{Caller, Rule, Rules, Scope, Target};
pub use failures::Failures;
pub use ledger::{Account, Books, Ledger, LedgerError, account};
pub use limiter::{Limiter, Setup, Used};
pub use own::OwnLimiter;
pub use price::{FILE as PRICES_FILE, Price, Prices};
pub use queue::Patience;
pub use shared::Together;
pub use window::Window;

use crate::rate::Rate;
use crate::rate::quota::{Budget, Unit};
use std::fmt;
use std::time::Duration;

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

/// How a rate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What it allows per period.
    pub limit: u32,
    /// What could be taken now.
    pub remaining: u32,
    /// How long until all of it is there again.
    pub reset: Duration,
}

/// How the rates that an exchange meets stand: of several, the one with the least left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests.
    pub requests: Option<Level>,
    /// Tokens.
    pub tokens: Option<Level>,
}

impl Standing {
    /// Of each kind the one with the least left.
    fn least(self, other: Self) -> Self {
        let least = |one: Option<Level>, other: Option<Level>| match (one, other) {
            (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
            (one, other) => one.or(other),
        };
        Self {
            requests: least(self.requests, other.requests),
            tokens: least(self.tokens, other.tokens),
        }
    }
}

/// A limit that refuses an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose limit it is.
    pub scope: Scope,
    /// Which.
    pub limit: Limit,
    /// When it would agree; `None` if nobody knows, because others have to end first.
    pub wait: Option<Duration>,
    /// No wait helps: more is asked than the limit ever holds.
    pub never: bool,
    /// How the rates stand.
    pub standing: Standing,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests per time.
    Requests(Rate),
    /// Tokens per time.
    Tokens(Rate),
    /// Exchanges at a time.
    Concurrent(u32),
    /// Streams at a time.
    Streams(u32),
    /// Tokens or money per cycle.
    Budget(Budget),
    /// The model has no price, and there is a budget in money.
    Unpriced,
    /// Others of the same key wait before it.
    Turn,
    /// Limits are counted in a place that is away.
    Away,
}

impl Refused {
    /// By the place where limits are counted, which is away.
    const fn away(standing: Standing) -> Self {
        Self {
            scope: Scope::Everyone,
            limit: Limit::Away,
            wait: Some(Duration::from_secs(1)),
            never: false,
            standing,
        }
    }

    /// The word for programs, as the providers' own APIs have it where they have one.
    pub const fn code(&self) -> &'static str {
        match self.limit {
            Limit::Budget(_) => "insufficient_quota",
            Limit::Unpriced => "model_without_price",
            Limit::Away => "limits_unavailable",
            Limit::Tokens(_) if self.never => "request_too_large",
            Limit::Requests(_)
            | Limit::Tokens(_)
            | Limit::Concurrent(_)
            | Limit::Streams(_)
            | Limit::Turn => "rate_limit_exceeded",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.scope {
            Scope::Everyone => "all callers".to_owned(),
            scope => format!("this {}", scope.name()),
        };
        match self.limit {
            Limit::Requests(rate) => {
                write!(f, "the limit of {rate} requests of {whose} is used up")
            }
            Limit::Tokens(rate) if self.never => write!(
                f,
                "the request and the longest answer to it are larger than the limit of {rate} tokens of {whose}; \
                 shorten it, or set the most tokens of the answer lower"
            ),
            Limit::Tokens(rate) => write!(f, "the limit of {rate} tokens of {whose} is used up"),
            Limit::Concurrent(most) => write!(
                f,
                "{most} requests of {whose} are under way, which is the limit"
            ),
            Limit::Streams(most) => {
                write!(f, "{most} streams of {whose} are open, which is the limit")
            }
            Limit::Turn => write!(f, "other requests of {whose} wait already"),
            Limit::Away => f.write_str(
                "limits cannot be counted at the moment, so nothing is admitted; try again soon",
            ),
            Limit::Unpriced => write!(
                f,
                "the price of this model is not known, so the money budget of {whose} does not allow it"
            ),
            Limit::Budget(budget) => {
                let unit = match budget.unit {
                    Unit::Tokens => "tokens",
                    Unit::Money => "money",
                };
                write!(
                    f,
                    "not enough is left of the {unit} budget of {whose} ({budget})"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up() {
        assert_eq!(RetryAfter(Duration::from_millis(1)).seconds(), 1);
        assert_eq!(RetryAfter(Duration::from_millis(2_001)).seconds(), 3);
        assert_eq!(RetryAfter(Duration::from_secs(2)).seconds(), 2);
    }
}
