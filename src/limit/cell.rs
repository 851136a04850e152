//! One cell: what is counted under one name, when it agrees and what is left of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::claim::{Cap, Claim, Kind};
use super::gcra;
use crate::rate::Rate;
use crate::rate::quota::Unit;

/// What an exchange asks for, or what is kept for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// Tokens, read and written.
    pub tokens: u64,
    /// Millionths of a dollar.
    pub money: u64,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spend {
    /// Exchanges that reached a provider.
    pub requests: u64,
    /// Tokens read.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
    /// Millionths of a dollar.
    pub money: u64,
}

impl Spend {
    /// The sum, at most the largest number.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            money: self.money.saturating_add(other.money),
        }
    }

    /// Tokens, read and written together.
    pub const fn tokens(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// The present, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    /// Nanoseconds since the limiter began; never goes back.
    pub(super) nanos: u64,
    /// The calendar's time.
    pub(super) time: Timestamp,
}

impl Present {
    /// For what does not depend on the time.
    pub(super) const BEGINNING: Self = Self {
        nanos: 0,
        time: Timestamp::UNIX_EPOCH,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// See [`gcra`].
    Rate(u128),
    Count(u32),
    Spend {
        spent: Spend,
        reserved: Ask,
    },
}

impl Cell {
    pub(super) const fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Requests(_) | Kind::Tokens(_) => Self::Rate(0),
            Kind::Running | Kind::Streams => Self::Count(0),
            Kind::Spend(_) => Self::Spend {
                spent: Spend {
                    requests: 0,
                    input: 0,
                    output: 0,
                    money: 0,
                },
                reserved: Ask {
                    tokens: 0,
                    money: 0,
                },
            },
        }
    }
}

/// Whether a cell agrees; if not, when it would, and whether it never would.
pub(super) fn check(
    claim: &Claim,
    cell: Cell,
    ask: Ask,
    now: Present,
) -> Result<(), (Option<Duration>, bool)> {
    let rate = |at, rate: Rate, amount| {
        if amount > u64::from(rate.count.get()) {
            return Err((None, true));
        }
        gcra::take(at, rate, amount, now.nanos)
            .map(drop)
            .map_err(|wait| (Some(wait), false))
    };
    match (claim.name.kind, claim.cap, cell) {
        (Kind::Requests(limit), _, Cell::Rate(at)) => rate(at, limit, 1),
        (Kind::Tokens(limit), _, Cell::Rate(at)) => rate(at, limit, ask.tokens),
        (_, Cap::Most(most), Cell::Count(count)) if count >= most => Err((None, false)),
        (Kind::Spend(window), Cap::Amount(unit, amount), Cell::Spend { spent, reserved }) => {
            let (spent, kept, asked) = match unit {
                Unit::Tokens => (spent.tokens(), reserved.tokens, ask.tokens),
                Unit::Money => (spent.money, reserved.money, ask.money),
            };
            // What is spent up refuses even what costs nothing.
            let taken = spent.saturating_add(kept);
            if taken.saturating_add(asked) <= amount && taken < amount {
                return Ok(());
            }
            let end = window
                .end()
                .map(|end| Duration::try_from(end.duration_since(now.time)).unwrap_or_default());
            // What is only kept for others may come back at any time.
            let spent_up = spent.saturating_add(asked) > amount || spent >= amount;
            Err((end.filter(|_| spent_up), spent_up && window.end().is_none()))
        }
        _ => Ok(()),
    }
}

/// A cell after something was taken from it.
pub(super) fn filled(kind: Kind, cell: Cell, ask: Ask, now: Present) -> Cell {
    match (kind, cell) {
        (Kind::Requests(rate), Cell::Rate(at)) => Cell::Rate(gcra::charge(at, rate, 1, now.nanos)),
        (Kind::Tokens(rate), Cell::Rate(at)) => {
            Cell::Rate(gcra::charge(at, rate, ask.tokens, now.nanos))
        }
        (_, Cell::Count(count)) => Cell::Count(count.saturating_add(1)),
        (_, Cell::Spend { spent, reserved }) => Cell::Spend {
            spent,
            reserved: Ask {
                tokens: reserved.tokens.saturating_add(ask.tokens),
                money: reserved.money.saturating_add(ask.money),
            },
        },
        (_, cell) => cell,
    }
}

pub(super) const fn without(reserved: Ask, ask: Ask) -> Ask {
    Ask {
        tokens: reserved.tokens.saturating_sub(ask.tokens),
        money: reserved.money.saturating_sub(ask.money),
    }
}

/// What was used of a claim's cell, what is reserved of it, and when it is whole again.
pub(super) fn used(claim: &Claim, cell: Cell, now: Present) -> (u64, u64, Option<Timestamp>) {
    match (claim.name.kind, cell) {
        (Kind::Requests(rate) | Kind::Tokens(rate), Cell::Rate(at)) => {
            let left = gcra::remaining(at, rate, now.nanos);
            let whole = SignedDuration::try_from(gcra::until_whole(at, rate, now.nanos)).ok();
            let whole = whole.and_then(|whole| now.time.checked_add(whole).ok());
            (u64::from(rate.count.get().saturating_sub(left)), 0, whole)
        }
        (Kind::Spend(window), Cell::Spend { spent, reserved }) => match claim.cap {
            Cap::Amount(Unit::Money, _) => (spent.money, reserved.money, window.end()),
            _ => (spent.tokens(), reserved.tokens, window.end()),
        },
        (_, Cell::Count(count)) => (u64::from(count), 0, None),
        _ => (0, 0, None),
    }
}
