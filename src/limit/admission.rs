//! One exchange and what it has taken, from its head to its end.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::claim::{Caller, Cap, Claim, Kind, Name, Plan, Rules, Scope, Stage, Target};
use super::ledger::{Account, Books, LedgerError};
use super::price::{Price, Prices};
use super::table::{Ask, Present, Refusal, Spend, Table};
use super::window::Window;
use super::{Limit, Refused, Standing};
use crate::rate::quota::{Budget, Cycle, Unit};
use crate::wire::Usage;

/// What a limiter goes by.
#[derive(Debug, Default)]
pub struct Setup {
    /// The configuration's limits.
    pub rules: Rules,
    /// What models cost.
    pub prices: Prices,
    /// Models without a price cost nothing; otherwise a budget in money refuses them.
    pub unknown_is_free: bool,
    /// Where what was spent is kept, and what is in it; without it, a restart forgets.
    pub books: Option<(Books, Vec<(Account, Spend)>)>,
}

/// All limits, and how far they are used.
pub struct Limiter {
    rules: Rules,
    prices: ArcSwap<Prices>,
    unknown_is_free: bool,
    books: Option<Books>,
    start: Instant,
    table: Table,
}

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

/// How far a key has used one of its limits, or a limit of its team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub limit: Limit,
    /// Requests, tokens, exchanges, or millionths of a dollar.
    pub used: u64,
    /// Of a budget, what is kept for exchanges under way.
    pub reserved: u64,
    /// When it is whole again.
    pub whole: Option<Timestamp>,
}

impl Limiter {
    /// A limiter in which nothing was used yet but what the books say. Times before `start` count as `start`.
    pub fn new(setup: Setup, start: Instant, time: Timestamp) -> Self {
        let table = Table::new();
        let (books, sums) = setup
            .books
            .map_or((None, Vec::new()), |(books, sums)| (Some(books), sums));
        for (account, spent) in sums {
            let window = account.window;
            if window >= Window::at(window.cycle, time) {
                table.restore(name(account), spent);
            }
        }
        Self {
            rules: setup.rules,
            prices: ArcSwap::from_pointee(setup.prices),
            unknown_is_free: setup.unknown_is_free,
            books,
            start,
            table,
        }
    }

    /// Goes by other prices from now on.
    pub fn reprice(&self, prices: Prices) {
        self.prices.store(Arc::new(prices));
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
            price: None,
        })
    }

    /// Whether tokens have to be counted for a caller.
    pub fn counts_tokens(&self, caller: Caller<'_>) -> bool {
        self.rules.counts_tokens(caller)
    }

    /// What a key has used this month, and how its own limits and its team's stand.
    pub fn report(&self, caller: Caller<'_>, now: Instant, time: Timestamp) -> (Spend, Vec<Used>) {
        let mut claims = Vec::new();
        for stage in [Stage::Head, Stage::Body] {
            let mut plan = Plan::new(stage, true, time);
            self.rules.claim(&mut plan, caller, Target::default());
            claims.append(&mut plan.claims);
        }
        claims.retain(|claim| matches!(claim.name.scope, Scope::Key | Scope::Team));
        let month = Account {
            scope: Scope::Key,
            subject: Arc::clone(caller.key),
            window: Window::at(Cycle::Month, time),
        };
        let present = self.present(now, time);
        let used = claims.iter().filter_map(|claim| {
            let (used, reserved, whole) = self.table.used(claim, present);
            Some(Used {
                scope: claim.name.scope,
                limit: limit(claim)?,
                used,
                reserved,
                whole,
            })
        });
        (self.table.spent(&name(month)).0, used.collect())
    }

    /// Forgets what is as good as new: to be called now and then.
    pub fn sweep(&self, now: Instant, time: Timestamp) {
        self.table.sweep(self.present(now, time));
    }

    /// Brings what was spent into the ledger: to be called every second, and at the end. Blocks.
    ///
    /// # Errors
    ///
    /// If it cannot be written; it stays in the journal then.
    pub fn fold(&self) -> Result<(), LedgerError> {
        self.books.as_ref().map_or(Ok(()), Books::fold)
    }

    fn take(&self, claims: &mut [Claim], ask: Ask, now: Present) -> Result<Standing, Box<Refused>> {
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

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter({} rules)", self.rules.0.len())
    }
}

/// What an exchange has taken. Dropped without a word of what it used, it has used nothing but its request.
#[derive(Debug)]
pub struct Admission {
    limiter: Arc<Limiter>,
    /// Empty once settled.
    claims: Vec<Claim>,
    ask: Ask,
    price: Option<Price>,
    /// How the rates stood when something was last taken.
    pub standing: Standing,
}

impl Admission {
    /// Takes what an exchange may cost, from all limits that it meets.
    ///
    /// # Errors
    ///
    /// If one of them has not enough left; nothing is taken then, and what the admission took before is kept.
    pub fn reserve(
        &mut self,
        (caller, target): (Caller<'_>, Target<'_>),
        estimate: Estimate,
        now: Instant,
        time: Timestamp,
    ) -> Result<(), Box<Refused>> {
        let limiter = &self.limiter;
        let mut plan = Plan::new(Stage::Body, estimate.stream, time);
        limiter.rules.claim(&mut plan, caller, target);
        let mut claims = plan.claims;
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
        let taken = limiter.take(&mut claims, ask, limiter.present(now, time));
        let standing = taken.map_err(|mut refused| {
            refused.standing = self.standing.least(refused.standing);
            refused
        })?;
        self.standing = self.standing.least(standing);
        self.claims.append(&mut claims);
        self.ask = ask;
        Ok(())
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
        (cost, self.close(spend, present))
    }

    /// Gives everything back: a limit has refused the exchange.
    pub fn cancel(mut self) {
        let claims = std::mem::take(&mut self.claims);
        self.limiter.table.give_back(&claims, self.ask);
    }

    fn close(&mut self, spend: Spend, now: Present) -> std::io::Result<()> {
        let claims = std::mem::take(&mut self.claims);
        self.limiter.table.settle(&claims, self.ask, spend, now);
        let Some(books) = self
            .limiter
            .books
            .as_ref()
            .filter(|_| spend != Spend::default())
        else {
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
        // Nothing was spent, so nothing is written that could fail.
        if self.close(Spend::default(), present).is_err() {}
    }
}

fn name(account: Account) -> Name {
    Name {
        scope: account.scope,
        subject: account.subject,
        kind: Kind::Spend(account.window),
    }
}

fn account(name: Name) -> Option<Account> {
    let Kind::Spend(window) = name.kind else {
        return None;
    };
    Some(Account {
        scope: name.scope,
        subject: name.subject,
        window,
    })
}

/// The limit that a claim is about; `None` for one that only counts.
fn limit(claim: &Claim) -> Option<Limit> {
    Some(match (claim.name.kind, claim.cap) {
        (Kind::Requests(rate), _) => Limit::Requests(rate),
        (Kind::Tokens(rate), _) => Limit::Tokens(rate),
        (Kind::Running, Cap::Most(most)) => Limit::Concurrent(most),
        (Kind::Streams, Cap::Most(most)) => Limit::Streams(most),
        (Kind::Spend(window), Cap::Amount(unit, amount)) => Limit::Budget(Budget {
            unit,
            amount,
            cycle: window.cycle,
        }),
        (Kind::Running | Kind::Streams | Kind::Spend(_), _) => return None,
    })
}

/// A refusal in words.
fn explained(claims: &[Claim], refusal: Refusal, standing: Standing) -> Refused {
    let claim = claims.get(refusal.claim);
    Refused {
        scope: claim.map_or(Scope::Everyone, |claim| claim.name.scope),
        limit: claim.and_then(limit).unwrap_or(Limit::Concurrent(0)),
        wait: refusal.wait,
        never: refusal.never,
        standing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::claim::Rule;
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
                    let mut admission = limiter.admit(caller, start, time)?;
                    match admission.reserve((caller, MODEL), estimate(10, 10), start, time) {
                        Ok(()) => Ok(admission),
                        Err(refused) => {
                            admission.cancel();
                            Err(refused)
                        }
                    }
                };
                let first =
                    exchange().unwrap_or_else(|refused| panic!("{scope:?} {quota}: {refused}"));
                let refused = exchange().unwrap_err();
                assert_eq!(refused.scope, scope, "{quota}: {refused}");
                assert!(exchange().is_err(), "{scope:?} {quota}");
                first.cancel();
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
        let mut first = limiter.admit(red, start, time).unwrap();
        assert!(
            first
                .reserve((red, MODEL), estimate(9, 9), start, time)
                .is_ok()
        );
        let other = caller(&two, Some("red"), None);
        assert!(limiter.admit(other, start, time).is_err(), "one team");
        for team in [Some("blue"), None] {
            assert!(limiter.admit(caller(&two, team, None), start, time).is_ok());
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
            let mut admission = limiter.admit(caller, start, time).unwrap();
            let reserved = admission.reserve((caller, target), estimate(1, 1), start, time);
            assert_eq!(reserved.err().map(|refused| refused.limit), expected);
        }
    }

    #[test]
    fn p31_money_is_reserved_settled_and_reported() {
        let (limiter, start, time) = limiter(Vec::new());
        let key: Arc<str> = "key_1".into();
        let quota: Quota = "60/minute budget=0.001usd/day".parse().unwrap();
        let caller = caller(&key, None, Some(&quota));
        let mut first = limiter.admit(caller, start, time).unwrap();
        // 100 + 90 * 10 = 1,000 millionths: all of it.
        first
            .reserve((caller, MODEL), estimate(100, 90), start, time)
            .unwrap();
        let mut second = limiter.admit(caller, start, time).unwrap();
        let refused = second
            .reserve((caller, MODEL), estimate(1, 0), start, time)
            .unwrap_err();
        assert_eq!((refused.code(), refused.wait), ("insufficient_quota", None));
        second.cancel();
        let usage = Usage {
            input: 100,
            output: 20,
            ..Usage::default()
        };
        let (cost, written) = first.settle((true, usage), start, time);
        assert_eq!(cost, Some(300));
        assert!(written.is_ok());
        let (month, used) = limiter.report(caller, start + Duration::from_millis(500), time);
        assert_eq!((month.requests, month.tokens(), month.money), (1, 120, 300));
        let [rate, budget] = used.as_slice() else {
            panic!("{used:?}")
        };
        assert_eq!((rate.used, budget.used, budget.reserved), (1, 300, 0));
        assert_eq!(budget.whole, Some("2026-11-23T00:00:00Z".parse().unwrap()));
        let tomorrow = "2026-11-23T00:00:00Z".parse().unwrap();
        let mut next = limiter.admit(caller, start, tomorrow).unwrap();
        next.reserve((caller, MODEL), estimate(100, 90), start, tomorrow)
            .unwrap();
    }
}
