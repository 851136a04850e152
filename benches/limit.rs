//! Processor time of limits and budgets per exchange: `cargo bench --bench limit`.
//!
//! One exchange hashes a key, is admitted, reserves and settles under two limits of each scope that a busy gateway may have,
//! with its journal on a real disk. The promise is 5 microseconds (issue 4).
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench prints what it measured, and stops at the first surprise"
)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use sluicegate::auth::{Pepper, generate};
use sluicegate::limit::{
    Books, Caller, Estimate, Limiter, Prices, Rule, Rules, Scope, Setup, Target,
};
use sluicegate::rate::quota::Quota;
use sluicegate::wire::Usage;

const ROUNDS: u32 = 200_000;
const KEYS: usize = 1_000;

fn main() {
    for (name, quota, rules, books) in [
        ("no limits", "", &[][..], false),
        ("one rate of a key", "1000000/second", &[], false),
        (
            "rates and places of key, team and everyone",
            "1000000/second tokens=4000000000/minute concurrent=9",
            RULES,
            false,
        ),
        (
            "the same with budgets, and the journal",
            "1000000/second tokens=4000000000/minute budget=9000000usd/month",
            RULES,
            true,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let limiter = limiter(folder.path(), rules, books);
        let quota: Quota = quota.parse().unwrap();
        let pepper = Pepper::open(folder.path()).unwrap();
        let secret = generate().unwrap();
        let keys: Vec<Arc<str>> = (0..KEYS)
            .map(|key| format!("key_{key:016x}").into())
            .collect();
        let mut times: Vec<f64> = (0..5)
            .map(|_| measure(&limiter, &quota, &keys, || pepper.hash(secret.expose())))
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.2} us ({:.2} to {:.2})",
            times[2], times[0], times[4]
        );
    }
}

const RULES: &[(Scope, &str)] = &[
    (Scope::Key, "100000/second concurrent=1000"),
    (
        Scope::Team,
        "tokens=4000000000/minute budget=9000000usd/month",
    ),
    (Scope::Model, "tokens=4000000000/minute"),
    (Scope::Everyone, "1000000/second concurrent=100000"),
];

fn limiter(folder: &std::path::Path, rules: &[(Scope, &str)], books: bool) -> Arc<Limiter> {
    let rules = rules.iter().map(|(scope, quota)| Rule {
        scope: *scope,
        pattern: "*".to_owned(),
        quota: quota.parse().unwrap(),
    });
    let setup = Setup {
        rules: Rules(rules.collect()),
        prices: Prices::embedded().unwrap(),
        books: books.then(|| {
            let ledger =
                sluicegate::store::open_ledger(&sluicegate::store::Config::default(), folder)
                    .unwrap();
            Books::open(ledger, folder).unwrap()
        }),
        ..Setup::default()
    };
    Arc::new(Limiter::new(setup, Instant::now(), Timestamp::now()))
}

/// Microseconds of processor time per exchange.
fn measure<T>(
    limiter: &Arc<Limiter>,
    quota: &Quota,
    keys: &[Arc<str>],
    hash: impl Fn() -> T,
) -> f64 {
    let before = clock_gettime(ClockId::ProcessCPUTime);
    for round in 0..ROUNDS {
        std::hint::black_box(hash());
        let caller = Caller {
            key: &keys[round as usize % keys.len()],
            name: "app",
            team: Some("red"),
            quota: Some(quota),
            team_quota: None,
        };
        let (mut admission, admitted) = limiter.admit(caller, Instant::now(), Timestamp::now());
        admitted.unwrap();
        let target = Target {
            user: None,
            model: Some("gpt-4o-mini"),
            provider: Some("openai"),
        };
        let estimate = Estimate {
            input: 100,
            output: 100,
            stream: true,
        };
        let reserving =
            admission.reserve((caller, target), estimate, Instant::now(), Timestamp::now());
        now(reserving).unwrap();
        let usage = Usage {
            input: 100,
            output: 50,
            ..Usage::default()
        };
        admission
            .settle((true, usage), Instant::now(), Timestamp::now())
            .1
            .unwrap();
    }
    limiter.fold().unwrap();
    let after = clock_gettime(ClockId::ProcessCPUTime);
    let nanos =
        (after.tv_sec - before.tv_sec) as f64 * 1e9 + (after.tv_nsec - before.tv_nsec) as f64;
    nanos / f64::from(ROUNDS) / 1e3
}

/// What is counted in memory never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
