//! One exchange and what it has taken, from its head to its end.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::cell::{Ask, Present, Spend};
use super::claim::{Caller, Cap, Claim, Plan, Scope, Stage, Target};
use super::ledger::Account;
use super::limiter::{Limiter, account, explained};
use super::price::Price;
use super::queue::{Entry, Slot};
use super::{Limit, Refused, Standing};
use crate::rate::quota::Unit;
use crate::shared::Fail;
use crate::wire::Usage;

/// What an exchange may cost at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    /// Tokens that the model will read.
    pub input: u64,
    /// Tokens that it may write.
    pub output: u64,
    /// Whether the answer is a stream.
    pub stream: bool,
}

/// What an exchange has taken. Dropped without a word of what it used, it has used nothing but its request.
#[derive(Debug)]
pub struct Admission {
    limiter: Arc<Limiter>,
    key: Arc<str>,
    /// What was taken; empty once settled.
    claims: Vec<Claim>,
    ask: Ask,
    price: Option<Price>,
    /// The name of what was taken where several gateways count together.
    id: Option<Arc<str>>,
    /// What is still to be taken.
    pub(super) pending: Option<(Vec<Claim>, Ask)>,
    /// Its place in the queue.
    waiting: Option<Arc<Entry>>,
    /// How the rates stood when something was last taken.
    pub standing: Standing,
}

impl Admission {
    /// An exchange that has taken nothing yet.
    pub(super) fn new(limiter: &Arc<Limiter>, key: &Arc<str>) -> Self {
        Self {
            limiter: Arc::clone(limiter),
            key: Arc::clone(key),
            claims: Vec::new(),
            ask: Ask::default(),
            price: None,
            id: None,
            pending: None,
            waiting: None,
            standing: Standing::default(),
        }
    }

    /// Takes what an exchange may cost, from all limits that it meets.
    ///
    /// # Errors
    ///
    /// If one of them has not enough left; nothing is taken then, and what the admission took before is kept. It may
    /// [wait](Self::queue).
    pub async fn reserve(
        &mut self,
        (caller, target): (Caller<'_>, Target<'_>),
        estimate: Estimate,
        now: Instant,
        time: Timestamp,
    ) -> Result<(), Box<Refused>> {
        let limiter = &self.limiter;
        let mut plan = Plan::new(Stage::Body, estimate.stream, time);
        limiter.rules.claim(&mut plan, caller, target);
        let claims = plan.claims;
        self.price = limiter.prices.load().find(target.model.unwrap_or_default());
        let in_money = |claim: &&Claim| matches!(claim.cap, Cap::Amount(Unit::Money, _));
        if self.price.is_none()
            && !limiter.unknown_is_free
            && let Some(claim) = claims.iter().find(in_money)
        {
            return Err(Box::new(Refused {
                scope: claim.name.scope,
                limit: Limit::Unpriced,
                wait: None,
                never: true,
                standing: self.standing,
            }));
        }
        let cost = |price: Price| price.most(estimate.input, estimate.output);
        let ask = Ask {
            tokens: estimate.input.saturating_add(estimate.output),
            money: self.price.map_or(0, cost),
        };
        let present = limiter.present(now, time);
        // What the head alone has claimed, if that was not taken yet.
        let mut all = self
            .pending
            .take()
            .map_or_else(Vec::new, |(claims, _)| claims);
        all.extend(claims);
        self.take(all, ask, present).await
    }

    async fn take(
        &mut self,
        claims: Vec<Claim>,
        ask: Ask,
        now: Present,
    ) -> Result<(), Box<Refused>> {
        let limiter = Arc::clone(&self.limiter);
        let Some(together) = &limiter.together else {
            return self.take_here(claims, ask, now);
        };
        // Nobody overtakes those of its key who wait already.
        if self.waiting.is_none() && ask != Ask::default() && limiter.queue.has_others(&self.key) {
            self.pending = Some((claims, ask));
            return Err(Box::new(self.not_yet()));
        }
        match together.take(&claims, ask, 0).await {
            Ok(Ok((id, standing))) => {
                self.id = Some(id);
                self.took(claims, ask, standing);
                Ok(())
            }
            Ok(Err((refusal, standing))) => {
                limiter.learn(&claims, refusal, now);
                let refused = explained(&claims, refusal, standing);
                self.pending = Some((claims, ask));
                Err(Box::new(refused))
            }
            Err(_) => match together.fail {
                Fail::Local => {
                    self.leave();
                    self.take_here(claims, ask, now)
                }
                Fail::Open => Ok(()),
                Fail::Closed => Err(Box::new(Refused::away(self.standing))),
            },
        }
    }

    pub(super) fn take_here(
        &mut self,
        mut claims: Vec<Claim>,
        ask: Ask,
        now: Present,
    ) -> Result<(), Box<Refused>> {
        let limiter = Arc::clone(&self.limiter);
        // Nobody overtakes those who wait already, unless there is no room behind them.
        if !limiter.queue.is_empty() {
            let slot = Slot {
                asks_elsewhere: false,
                claims,
                ask,
                taken: None,
                refused: None,
            };
            match limiter.queue.join(&self.key, slot) {
                Ok(entry) => {
                    self.waiting = Some(entry);
                    return self.turn(now);
                }
                Err(slot) => claims = slot.claims,
            }
        }
        match limiter.take(&mut claims, ask, now) {
            Ok(standing) => {
                self.took(claims, ask, standing);
                Ok(())
            }
            Err(mut refused) => {
                refused.standing = self.standing.least(refused.standing);
                self.pending = Some((claims, ask));
                Err(refused)
            }
        }
    }

    fn took(&mut self, mut claims: Vec<Claim>, ask: Ask, standing: Standing) {
        self.standing = self.standing.least(standing);
        self.claims.append(&mut claims);
        self.ask = ask;
    }

    /// Waits for what was refused, for the time that is given: behind all of its key's that wait already. `None` if it would
    /// take too long or too many wait.
    pub fn queue(&mut self, refused: &Refused) -> Option<Duration> {
        let queue = &self.limiter.queue;
        let patience = queue.patience;
        let too_long = refused.wait.is_some_and(|wait| wait > patience.max_wait);
        // What another place counts is taken in one step, when the body is known.
        let by_head = |(_, ask): &(Vec<Claim>, Ask)| *ask == Ask::default();
        if self.limiter.together.is_some() && self.pending.as_ref().is_none_or(by_head) {
            return None;
        }
        if refused.never || too_long || patience.max_waiting == 0 {
            return None;
        }
        if self.waiting.is_none() {
            let asks_elsewhere = self.limiter.together.is_some();
            let (claims, ask) = if asks_elsewhere {
                Default::default()
            } else {
                self.pending.take()?
            };
            let slot = Slot {
                asks_elsewhere,
                claims,
                ask,
                taken: None,
                refused: None,
            };
            match queue.join(&self.key, slot) {
                Ok(entry) => self.waiting = Some(entry),
                Err(_) => return None,
            }
        }
        Some(patience.max_wait)
    }

    /// Ends when it may be this exchange's turn.
    pub async fn served(&self) {
        match &self.waiting {
            Some(entry) => entry.served().await,
            None => std::future::pending().await,
        }
    }

    /// Tries again what was refused.
    ///
    /// # Errors
    ///
    /// If it is refused again.
    pub async fn retry(&mut self, now: Instant, time: Timestamp) -> Result<(), Box<Refused>> {
        let present = self.limiter.present(now, time);
        let Some((claims, ask)) = self.pending.take() else {
            return self.turn(present);
        };
        let limiter = Arc::clone(&self.limiter);
        let before = self.waiting.clone();
        if before
            .as_ref()
            .is_some_and(|entry| !limiter.queue.is_first(entry))
        {
            self.pending = Some((claims, ask));
            return Err(Box::new(self.not_yet()));
        }
        self.take(claims, ask, present).await?;
        if let Some(entry) = before {
            self.waiting = None;
            limiter.queue.took(&entry);
        }
        Ok(())
    }

    /// The refusal of one that has others before it.
    const fn not_yet(&self) -> Refused {
        Refused {
            scope: Scope::Key,
            limit: Limit::Turn,
            wait: None,
            never: false,
            standing: self.standing,
        }
    }

    /// Serves the queue, and takes what this exchange was served.
    fn turn(&mut self, now: Present) -> Result<(), Box<Refused>> {
        let limiter = Arc::clone(&self.limiter);
        limiter.queue.serve(&limiter.table, now, explained);
        let Some(entry) = self.waiting.take() else {
            return Ok(());
        };
        let mut slot = entry.slot();
        if let Some(standing) = slot.taken {
            let claims = std::mem::take(&mut slot.claims);
            self.took(claims, slot.ask, standing);
            return Ok(());
        }
        // Who was not asked yet has others before it.
        let refused = slot
            .refused
            .clone()
            .unwrap_or_else(|| Box::new(self.not_yet()));
        drop(slot);
        self.waiting = Some(entry);
        Err(refused)
    }

    /// Puts what was used in the place of what was reserved, and gives its cost in millionths of a dollar, if the model has a
    /// price. `sent` if a provider got the request.
    ///
    /// # Errors
    ///
    /// If it cannot be written to the journal: then a kill within the next second forgets it.
    pub fn settle(
        mut self,
        (sent, usage): (bool, Usage),
        now: Instant,
        time: Timestamp,
    ) -> (Option<u64>, std::io::Result<()>) {
        let cost = self.price.map(|price| price.of(usage));
        let spend = Spend {
            requests: u64::from(sent),
            input: usage.input,
            output: usage.output,
            money: cost.unwrap_or(0),
        };
        let present = self.limiter.present(now, time);
        (cost, self.close(spend, Some(present)))
    }

    /// Gives everything back: a limit has refused the exchange.
    pub fn cancel(mut self, now: Instant, time: Timestamp) {
        self.leave();
        self.pending = None;
        let claims = std::mem::take(&mut self.claims);
        let limiter = &self.limiter;
        if let (Some(id), Some(together)) = (self.id.take(), &limiter.together) {
            together.settle(&id, &claims, self.ask, (Spend::default(), true));
        } else {
            limiter.table.give_back(&claims, self.ask);
        }
        limiter.serve(limiter.present(now, time));
    }

    fn close(&mut self, spend: Spend, now: Option<Present>) -> std::io::Result<()> {
        self.leave();
        let claims = std::mem::take(&mut self.claims);
        let limiter = &self.limiter;
        // Told once: what is dropped after it was settled has nothing more to say.
        match (self.id.take(), &limiter.together) {
            (Some(id), Some(together)) => {
                together.settle(&id, &claims, self.ask, (spend, false));
            }
            // The head's request counts, even if no more than the head was looked at.
            (None, Some(together)) if self.pending.is_some() => {
                let (claims, _) = self.pending.take().unwrap_or_default();
                together.count(claims);
            }
            _ => {
                let now = now.unwrap_or(Present::BEGINNING);
                limiter.table.settle(&claims, self.ask, spend, now);
            }
        }
        if let Some(now) = now {
            limiter.serve(now);
        }
        let Some(books) = limiter.books.as_ref().filter(|_| spend != Spend::default()) else {
            return Ok(());
        };
        let accounts: Vec<Account> = claims
            .into_iter()
            .filter(|claim| !claim.again)
            .filter_map(|claim| account(claim.name))
            .collect();
        if accounts.is_empty() {
            return Ok(());
        }
        books.append(accounts, spend)
    }

    /// Leaves the queue, and gives back what it was served in the same moment.
    fn leave(&mut self) {
        let Some(entry) = self.waiting.take() else {
            return;
        };
        let queue = &self.limiter.queue;
        queue.leave(&entry);
        if self.limiter.together.is_some() {
            queue.wake();
        }
        let mut slot = entry.slot();
        if slot.taken.is_some() {
            let claims = std::mem::take(&mut slot.claims);
            self.limiter.table.give_back(&claims, slot.ask);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // Nothing was spent, so nothing is written that could fail. Whoever waits looks again before long.
        if self.close(Spend::default(), None).is_err() {}
    }
}
