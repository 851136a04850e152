//! One exchange and what it has taken, from its head to its end.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::claim::{Cap, Caller, Claim, Kind, Plan, Rules, Stage, Target};
use super::table::{Ask, Present, Refusal, Spend, Table};
use super::{Limit, Refused, Standing};
use crate::rate::quota::Budget;

/// All limits, and how far they are used.
#[derive(Debug)]
pub struct Limiter {
    rules: Rules,
    start: Instant,
    table: Table,
}

impl Limiter {
    /// A limiter in which nothing was used yet. Times before `start` count as `start`.
    pub fn new(rules: Rules, start: Instant) -> Self {
        Self {
            rules,
            start,
            table: Table::new(),
        }
    }

    /// Admits an exchange by its head: takes a request from the limits of its key, its team and everyone.
    ///
    /// # Errors
    ///
    /// If one of them is used up; nothing is taken then.
    pub fn admit(
        self: &Arc<Self>,
        caller: Caller<'_>,
        now: Instant,
        time: Timestamp,
    ) -> Result<Admission, Box<Refused>> {
        let mut plan = Plan::new(Stage::Head, false, time);
        self.rules.claim(&mut plan, caller, Target::default());
        let mut claims = plan.claims;
        let taken = self.take(&mut claims, Ask::default(), self.present(now, time));
        Ok(Admission {
            standing: taken?,
            limiter: Arc::clone(self),
            claims,
            ask: Ask::default(),
            unless_told: Spend::default(),
        })
    }

    /// Whether tokens have to be counted for a caller.
    pub fn counts_tokens(&self, caller: Caller<'_>) -> bool {
        self.rules.counts_tokens(caller)
    }

    /// Forgets what is as good as new: to be called now and then.
    pub fn sweep(&self, now: Instant, time: Timestamp) {
        self.table.sweep(self.present(now, time));
    }

    fn take(
        &self,
        claims: &mut [Claim],
        ask: Ask,
        now: Present,
    ) -> Result<Standing, Box<Refused>> {
        self.table
            .take(claims, ask, now)
            .map_err(|(refusal, standing)| Box::new(explained(claims, refusal, standing)))
    }

    fn present(&self, now: Instant, time: Timestamp) -> Present {
        let nanos = now.saturating_duration_since(self.start).as_nanos();
        Present {
            nanos: u64::try_from(nanos).unwrap_or(u64::MAX),
            time,
        }
    }
}

/// What an exchange has taken. Dropped without a word of what it used, it settles what it was told to settle then.
#[derive(Debug)]
pub struct Admission {
    limiter: Arc<Limiter>,
    /// Empty once settled.
    claims: Vec<Claim>,
    ask: Ask,
    unless_told: Spend,
    /// How the rates stood when something was last taken.
    pub standing: Standing,
}

impl Admission {
    /// Takes what an exchange will use at most, from all limits that it meets.
    ///
    /// # Errors
    ///
    /// If one of them has not enough left; nothing is taken then, and what the admission took is kept.
    pub fn reserve(
        &mut self,
        (caller, target): (Caller<'_>, Target<'_>),
        (ask, stream): (Ask, bool),
        now: Instant,
        time: Timestamp,
    ) -> Result<(), Box<Refused>> {
        let mut plan = Plan::new(Stage::Body, stream, time);
        self.limiter.rules.claim(&mut plan, caller, target);
        let mut claims = plan.claims;
        let present = self.limiter.present(now, time);
        let standing = self.limiter.take(&mut claims, ask, present);
        let standing = standing.map_err(|mut refused| {
            refused.standing = self.standing.least(refused.standing);
            refused
        })?;
        self.standing = self.standing.least(standing);
        self.claims.append(&mut claims);
        self.ask = ask;
        Ok(())
    }

    /// What is settled if this is dropped before anything better is known, as when a client leaves.
    pub const fn unless_told(&mut self, used: Spend) {
        self.unless_told = used;
    }

    /// Puts what was used in the place of what was reserved.
    pub fn settle(mut self, used: Spend, now: Instant, time: Timestamp) {
        let claims = std::mem::take(&mut self.claims);
        let present = self.limiter.present(now, time);
        self.limiter.table.settle(&claims, self.ask, used, present);
    }

    /// Gives everything back: a later limit has refused the exchange.
    pub fn cancel(mut self) {
        let claims = std::mem::take(&mut self.claims);
        self.limiter.table.give_back(&claims, self.ask);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let present = Present {
            nanos: 0,
            time: Timestamp::UNIX_EPOCH,
        };
        let table = &self.limiter.table;
        table.settle(&self.claims, self.ask, self.unless_told, present);
    }
}

/// A refusal in words.
fn explained(claims: &[Claim], refusal: Refusal, standing: Standing) -> Refused {
    let claim = claims.get(refusal.claim);
    let limit = claim.map(|claim| match (claim.name.kind, claim.cap) {
        (Kind::Requests(rate), _) => Limit::Requests(rate),
        (Kind::Tokens(rate), _) => Limit::Tokens(rate),
        (Kind::Streams, Cap::Most(most)) => Limit::Streams(most),
        (Kind::Spend(window), Cap::Amount(unit, amount)) => Limit::Budget(Budget {
            unit,
            amount,
            cycle: window.cycle,
        }),
        (_, Cap::Most(most)) => Limit::Concurrent(most),
        (_, Cap::Rate | Cap::None | Cap::Amount(..)) => Limit::Concurrent(0),
    });
    Refused {
        scope: claim.map_or(super::Scope::Everyone, |claim| claim.name.scope),
        limit: limit.unwrap_or(Limit::Concurrent(0)),
        wait: refusal.wait,
        never: refusal.never,
        standing,
    }
}
