//! One exchange and what it has taken, from its head to its end.

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
                Fail::Local => self.take_here(claims, ask, now),
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
        if self.waiting.is_none() && self.limiter.together.is_none() {
            let (claims, ask) = self.pending.take()?;
            let slot = Slot {
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
        match self.pending.take() {
            Some((claims, ask)) => self.take(claims, ask, present).await,
            None => self.turn(present),
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
        let refused = slot.refused.clone().unwrap_or_else(|| {
            Box::new(Refused {
                scope: Scope::Key,
                limit: Limit::Turn,
                wait: None,
                never: false,
                standing: self.standing,
            })
        });
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
        self.limiter.queue.leave(&entry);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::claim::{Rule, Rules};
    use crate::limit::limiter::Setup;
    use crate::limit::price::Prices;
    use crate::limit::queue::Patience;
    use crate::rate::quota::Quota;
    use std::time::Duration;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn rule(scope: Scope, pattern: &str, quota: &str) -> Rule {
        Rule {
            scope,
            pattern: pattern.to_owned(),
            quota: quota.parse().unwrap(),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one instant to count from"
    )]
    fn limiter(rules: Vec<Rule>) -> (Arc<Limiter>, Instant, Timestamp) {
        let (start, time) = (Instant::now(), NOW.parse().unwrap());
        let setup = Setup {
            rules: Rules(rules),
            prices: Prices::parse("p", "models: [{model: m, input: 1, output: 10}]").unwrap(),
            ..Setup::default()
        };
        (Arc::new(Limiter::new(setup, start, time)), start, time)
    }

    fn caller<'a>(
        key: &'a Arc<str>,
        team: Option<&'a str>,
        quota: Option<&'a Quota>,
    ) -> Caller<'a> {
        Caller {
            key,
            name: "app",
            team,
            quota,
            team_quota: None,
        }
    }

    const MODEL: Target<'_> = Target {
        user: Some("ann"),
        model: Some("m"),
        provider: Some("openai"),
    };

    fn estimate(input: u64, output: u64) -> Estimate {
        Estimate {
            input,
            output,
            stream: true,
        }
    }

    /// What is counted in memory never waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }

    fn reserve(
        admission: &mut Admission,
        caller: Caller<'_>,
        estimate: Estimate,
        time: Timestamp,
    ) -> Result<(), Box<Refused>> {
        let start = admission.limiter.start;
        now(admission.reserve((caller, MODEL), estimate, start, time))
    }

    /// Every scope refuses by itself, and what refuses leaves no trace in the others.
    #[test]
    fn all_scopes_must_agree() {
        let key: Arc<str> = "key_1".into();
        for (scope, pattern) in [
            (Scope::Key, "app"),
            (Scope::Key, "key_*"),
            (Scope::Team, "red"),
            (Scope::User, "a*"),
            (Scope::Model, "m"),
            (Scope::Provider, "openai"),
            (Scope::Everyone, "*"),
        ] {
            for quota in [
                "1/day",
                "tokens=30/day",
                "concurrent=1",
                "streams=1",
                "budget=30tokens/day",
                "budget=0.0002usd/lifetime",
            ] {
                let all = rule(Scope::Everyone, "*", "2/day tokens=40/day concurrent=2");
                let (limiter, start, time) = limiter(vec![all, rule(scope, pattern, quota)]);
                let caller = caller(&key, Some("red"), None);
                let exchange = || {
                    let (mut admission, admitted) = limiter.admit(caller, start, time);
                    let reserved = admitted
                        .and_then(|()| reserve(&mut admission, caller, estimate(10, 10), time));
                    match reserved {
                        Ok(()) => Ok(admission),
                        Err(refused) => {
                            admission.cancel(start, time);
                            Err(refused)
                        }
                    }
                };
                let first =
                    exchange().unwrap_or_else(|refused| panic!("{scope:?} {quota}: {refused}"));
                let refused = exchange().unwrap_err();
                assert_eq!(refused.scope, scope, "{quota}: {refused}");
                assert!(exchange().is_err(), "{scope:?} {quota}");
                first.cancel(start, time);
                exchange().unwrap_or_else(|refused| panic!("{scope:?} {quota}: {refused}"));
            }
        }
    }

    #[test]
    fn rules_concern_those_who_fit() {
        let rules = vec![
            rule(Scope::Team, "red", "1/day"),
            rule(Scope::Model, "gpt-*", "tokens=1/day"),
        ];
        let (limiter, start, time) = limiter(rules);
        let (one, two): (Arc<str>, Arc<str>) = ("key_1".into(), "key_2".into());
        let red = caller(&one, Some("red"), None);
        let (mut first, admitted) = limiter.admit(red, start, time);
        assert!(admitted.is_ok() && reserve(&mut first, red, estimate(9, 9), time).is_ok());
        let other = caller(&two, Some("red"), None);
        assert!(limiter.admit(other, start, time).1.is_err(), "one team");
        for team in [Some("blue"), None] {
            assert!(
                limiter
                    .admit(caller(&two, team, None), start, time)
                    .1
                    .is_ok()
            );
        }
    }

    #[test]
    fn a_model_without_a_price_is_refused_by_a_budget_in_money_alone() {
        let (limiter, start, time) = limiter(Vec::new());
        let key: Arc<str> = "key_1".into();
        let target = Target {
            model: Some("unknown"),
            ..MODEL
        };
        for (quota, expected) in [
            ("budget=1usd/day", Some(Limit::Unpriced)),
            ("budget=1000tokens/day", None),
        ] {
            let quota = quota.parse().unwrap();
            let caller = caller(&key, None, Some(&quota));
            let (mut admission, _) = limiter.admit(caller, start, time);
            let reserved = now(admission.reserve((caller, target), estimate(1, 1), start, time));
            assert_eq!(reserved.err().map(|refused| refused.limit), expected);
        }
    }

    #[test]
    fn p31_money_is_reserved_settled_and_reported() {
        let (limiter, start, time) = limiter(Vec::new());
        let key: Arc<str> = "key_1".into();
        let quota: Quota = "60/minute budget=0.001usd/day".parse().unwrap();
        let caller = caller(&key, None, Some(&quota));
        let (mut first, _) = limiter.admit(caller, start, time);
        // 100 + 90 * 10 = 1,000 millionths: all of it.
        reserve(&mut first, caller, estimate(100, 90), time).unwrap();
        let (mut second, _) = limiter.admit(caller, start, time);
        let refused = reserve(&mut second, caller, estimate(1, 0), time).unwrap_err();
        assert_eq!((refused.code(), refused.wait), ("insufficient_quota", None));
        second.cancel(start, time);
        let usage = Usage {
            input: 100,
            output: 20,
            ..Usage::default()
        };
        let (cost, written) = first.settle((true, usage), start, time);
        assert_eq!(cost, Some(300));
        assert!(written.is_ok());
        let later = start + Duration::from_millis(500);
        let (month, used) = now(limiter.report(caller, later, time)).unwrap();
        assert_eq!((month.requests, month.tokens(), month.money), (1, 120, 300));
        let [rate, budget] = used.as_slice() else {
            panic!("{used:?}")
        };
        assert_eq!((rate.used, budget.used, budget.reserved), (1, 300, 0));
        assert_eq!(budget.whole, Some("2026-11-23T00:00:00Z".parse().unwrap()));
        let tomorrow = "2026-11-23T00:00:00Z".parse().unwrap();
        let (mut next, _) = limiter.admit(caller, start, tomorrow);
        reserve(&mut next, caller, estimate(100, 90), tomorrow).unwrap();
    }

    /// A key with many requests waits for itself; those that leave are forgotten, whatever they were served.
    #[test]
    fn the_queue_is_bounded_and_fair_by_key() {
        let (start, time) = (limiter(Vec::new()).1, NOW.parse().unwrap());
        let setup = Setup {
            rules: Rules(vec![rule(Scope::Everyone, "*", "concurrent=1")]),
            patience: Patience {
                max_wait: Duration::from_secs(5),
                max_waiting: 4,
            },
            ..Setup::default()
        };
        let limiter = Arc::new(Limiter::new(setup, start, time));
        let keys: Vec<Arc<str>> = vec!["a".into(), "b".into()];
        let come = |key: usize| {
            let (mut admission, admitted) =
                limiter.admit(caller(&keys[key], None, None), start, time);
            let waits = admitted.is_err_and(|refused| admission.queue(&refused).is_some());
            (admission, waits)
        };
        let (mut running, waits) = come(0);
        assert!(!waits);
        let mut waiting: Vec<(&str, Admission)> = Vec::new();
        for (name, key) in [("a1", 0), ("a2", 0), ("a3", 0), ("b1", 1)] {
            let (admission, waits) = come(key);
            assert!(waits, "{name}");
            waiting.push((name, admission));
        }
        assert!(!come(1).1, "no more may wait");
        waiting.remove(1); // a2 leaves
        for expected in ["a1", "b1", "a3"] {
            running
                .settle((true, Usage::default()), start, time)
                .1
                .unwrap();
            let mut served: Vec<usize> = Vec::new();
            for (index, (_, admission)) in waiting.iter_mut().enumerate() {
                if now(admission.retry(start, time)).is_ok() {
                    served.push(index);
                }
            }
            assert_eq!(served.len(), 1);
            let (name, next) = waiting.remove(served[0]);
            assert_eq!(name, expected);
            running = next;
        }
        // What was served to one that leaves in the same moment goes to the next.
        let (left, _) = come(0);
        let (mut next, _) = come(1);
        running
            .settle((true, Usage::default()), start, time)
            .1
            .unwrap();
        drop(left);
        assert!(now(next.retry(start, time)).is_ok());
    }
}
