//! The scripts by which several gateways count together: what they are told of claims, and what they tell.

use std::time::Duration;

use super::claim::{Cap, Claim, Kind};
use super::window::Window;
use super::{Level, Standing};
use crate::rate::quota::Unit;
use crate::shared::Script;

pub(super) const TAKE: Script = Script {
    name: "limit_take",
    text: concat!(include_str!("head.lua"), include_str!("take.lua")),
};
pub(super) const SETTLE: Script = Script {
    name: "limit_settle",
    text: concat!(include_str!("head.lua"), include_str!("settle.lua")),
};
pub(super) const STAND: Script = Script {
    name: "limit_stand",
    text: concat!(include_str!("head.lua"), include_str!("stand.lua")),
};
pub(super) const RENEW: Script = Script {
    name: "limit_renew",
    text: "local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
for index, key in ipairs(KEYS) do
  redis.call('ZADD', key, 'XX', now + tonumber(ARGV[1]), ARGV[index + 1])
end
return {}",
};

/// What the scripts call a kind of cell.
pub(super) const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Requests(_) | Kind::Tokens(_) => "r",
        Kind::Running | Kind::Streams => "c",
        Kind::Spend(_) => "s",
    }
}

/// The end of a window in microseconds, 0 for none.
pub(super) fn end(window: Window) -> u128 {
    let end = window.end().map(jiff::Timestamp::as_microsecond);
    end.and_then(|end| u128::try_from(end).ok()).unwrap_or(0)
}

/// What the script that takes is told of a claim.
pub(super) fn described(claim: &Claim) -> [String; 6] {
    let rate = |units: i64, rate: crate::rate::Rate| {
        (
            units,
            i128::from(rate.count.get()),
            rate.per.duration().as_micros(),
        )
    };
    let (a, b, c) = match (claim.name.kind, claim.cap) {
        (Kind::Requests(limit), _) => rate(1, limit),
        (Kind::Tokens(limit), _) => rate(-1, limit),
        (Kind::Running | Kind::Streams, Cap::Most(most)) => (i64::from(most), 0, 0),
        (Kind::Running | Kind::Streams, _) => (i64::MAX, 0, 0),
        (Kind::Spend(window), Cap::Amount(Unit::Tokens, most)) => (signed(most), -1, end(window)),
        (Kind::Spend(window), Cap::Amount(Unit::Money, most)) => (-1, most.into(), end(window)),
        (Kind::Spend(window), _) => (-1, -1, end(window)),
    };
    let again = if claim.again { "1" } else { "0" };
    [
        word(claim.name.kind).to_owned(),
        again.to_owned(),
        a.to_string(),
        b.to_string(),
        c.to_string(),
        String::new(),
    ]
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How the rates stand, by what the script tells of each in turn.
pub(super) fn standing(claims: &[Claim], told: &[i64]) -> Standing {
    let rates = claims.iter().filter_map(|claim| match claim.name.kind {
        Kind::Requests(rate) => Some((true, rate)),
        Kind::Tokens(rate) => Some((false, rate)),
        Kind::Running | Kind::Streams | Kind::Spend(_) => None,
    });
    let mut standing = Standing::default();
    for ((requests, rate), told) in rates.zip(told.chunks_exact(2)) {
        let &[remaining, reset] = told else { continue };
        let level = Some(Level {
            limit: rate.count.get(),
            remaining: u32::try_from(remaining).unwrap_or(0),
            reset: Duration::from_micros(u64::try_from(reset).unwrap_or(0)),
        });
        standing = standing.least(Standing {
            requests: level.filter(|_| requests),
            tokens: level.filter(|_| !requests),
        });
    }
    standing
}
