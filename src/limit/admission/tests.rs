//! One exchange from its head to its end, and who waits.

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

fn caller<'a>(key: &'a Arc<str>, team: Option<&'a str>, quota: Option<&'a Quota>) -> Caller<'a> {
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
                let reserved =
                    admitted.and_then(|()| reserve(&mut admission, caller, estimate(10, 10), time));
                match reserved {
                    Ok(()) => Ok(admission),
                    Err(refused) => {
                        admission.cancel(start, time);
                        Err(refused)
                    }
                }
            };
            let first = exchange().unwrap_or_else(|refused| panic!("{scope:?} {quota}: {refused}"));
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

/// A clock that is wrong for a while, forth or back, gives no budget back and lengthens no wait of a rate.
#[test]
fn a_clock_that_jumps_gives_nothing_back() {
    let key: Arc<str> = "key_1".into();
    let quota = "1/minute budget=10tokens/day";
    let (limiter, start, time) = limiter(vec![rule(Scope::Key, "*", quota)]);
    let caller = caller(&key, None, None);
    let used = Usage {
        input: 5,
        output: 5,
        ..Usage::default()
    };
    let ask = |at: Instant, time| {
        let (mut admission, admitted) = limiter.admit(caller, at, time);
        let asked = (caller, MODEL);
        let reserved =
            admitted.and_then(|()| now(admission.reserve(asked, estimate(5, 5), at, time)));
        match reserved {
            Ok(()) => {
                admission.settle((true, used), at, time).1.unwrap();
                Ok(())
            }
            Err(refused) => {
                admission.cancel(at, time);
                Err(refused.wait)
            }
        }
    };
    let (minute, day) = (Duration::from_mins(1), Duration::from_hours(24));
    assert_eq!(ask(start, time), Ok(()));
    for wrong in [time + day * 40, time - day * 2] {
        limiter.sweep(start, wrong);
        assert_eq!(ask(start, wrong), Err(Some(minute)), "the rate");
        assert_eq!(ask(start + minute, time), Err(Some(day / 2)), "the budget");
    }
    // Once it has been the next day for long enough, the day before is forgotten.
    for days in 1..4 {
        limiter.sweep(start + day * days, time + day);
    }
    assert_eq!(ask(start + day, time), Ok(()));
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
        let (mut admission, admitted) = limiter.admit(caller(&keys[key], None, None), start, time);
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
