//! Limits that several gateways count together in Redis: exact, and given back when a gateway is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::test_runner::TestRunner;
use sluicegate::limit::{
    Admission, Caller, Estimate, Limit, Limiter, Patience, Refused, Rule, Rules, Scope, Setup,
    Target, Together,
};
use sluicegate::rate::quota::Quota;
use sluicegate::shared::{Away, Fail, Script, Shared, Veil};
use sluicegate::store::redis::Redis as Connection;
use sluicegate::wire::Usage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::servers::{PATIENCE, Redis, eventually, killed_in_mid_load};

async fn connect(server: &Redis) -> Arc<dyn Shared> {
    let connection = Connection::open(&server.url, None, PATIENCE).unwrap();
    eventually("connection", || connection.is_connected()).await;
    connection
}

/// A gateway's limiter that counts in this place, and does what it has to beside.
fn gateway(
    place: &Arc<dyn Shared>,
    quota: &str,
    fail: Fail,
    helpers: &mut JoinSet<()>,
) -> Arc<Limiter> {
    let rule = Rule {
        scope: Scope::Everyone,
        pattern: "*".to_owned(),
        quota: quota.parse().unwrap(),
    };
    let veil = Veil::new(&[7; 32]);
    let together = Together::new(Arc::clone(place), fail, veil);
    let setup = Setup {
        rules: Rules(vec![rule]),
        together: Some(Arc::new(together)),
        ..Setup::default()
    };
    let limiter = Arc::new(Limiter::new(setup, Instant::now(), Timestamp::now()));
    let working = Arc::clone(&limiter);
    helpers.spawn(async move { working.work().await });
    limiter
}

const fn caller<'a>(key: &'a Arc<str>, quota: Option<&'a Quota>) -> Caller<'a> {
    Caller {
        key,
        name: "app",
        team: None,
        quota,
        team_quota: None,
    }
}

async fn exchange(limiter: &Arc<Limiter>, tokens: u64) -> Result<Admission, Box<Refused>> {
    exchange_of(limiter, caller(&"key_1".into(), None), tokens).await
}

async fn exchange_of(
    limiter: &Arc<Limiter>,
    caller: Caller<'_>,
    tokens: u64,
) -> Result<Admission, Box<Refused>> {
    let (mut admission, admitted) = limiter.admit(caller, Instant::now(), Timestamp::now());
    let estimate = Estimate {
        input: tokens,
        output: 0,
        stream: true,
    };
    let asked = (caller, Target::default());
    let taken = match admitted {
        Ok(()) => {
            admission
                .reserve(asked, estimate, Instant::now(), Timestamp::now())
                .await
        }
        Err(refused) => Err(refused),
    };
    match taken {
        Ok(()) => Ok(admission),
        Err(refused) => {
            admission.cancel(Instant::now(), Timestamp::now());
            Err(refused)
        }
    }
}

fn settle(admission: Admission, input: u64) {
    let usage = Usage {
        input,
        ..Usage::default()
    };
    admission
        .settle((true, usage), Instant::now(), Timestamp::now())
        .1
        .unwrap();
}

/// 16 tasks in two gateways hammer one limit: all that it allows, and not one more.
#[tokio::test]
async fn p30_many_gateways_never_exceed_a_limit_by_one() {
    let server = Redis::start();
    let mut helpers = JoinSet::new();
    for (quota, wanted) in [
        ("40/day", 40),
        ("tokens=80/day", 40),
        ("concurrent=30", 30),
        ("streams=30", 30),
        ("budget=60tokens/lifetime", 30),
        ("50/day tokens=60/day budget=100tokens/month", 30),
    ] {
        // A server's own keys: the cases share cells.
        let place = connect(&server).await;
        let clear = Script {
            name: "clear",
            text: "redis.call('FLUSHALL') return {}",
        };
        place.run(clear, &[], &[]).await.unwrap();
        let gateways = [(); 2].map(|()| gateway(&place, quota, Fail::Closed, &mut helpers));
        let admitted = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let (limiter, admitted) = (Arc::clone(&gateways[task % 2]), Arc::clone(&admitted));
            tasks.spawn(async move {
                let mut kept = Vec::new();
                for _ in 0..5 {
                    if let Ok(admission) = exchange(&limiter, 2).await {
                        admitted.fetch_add(1, Ordering::SeqCst);
                        kept.push(admission);
                    }
                }
                kept
            });
        }
        let kept = tasks.join_all().await;
        assert_eq!(admitted.load(Ordering::SeqCst), wanted, "{quota}");
        drop(kept);
    }
}

/// A place that counts what it is asked for.
#[derive(Debug)]
struct Counting(Arc<dyn Shared>, AtomicUsize);

#[async_trait::async_trait]
impl Shared for Counting {
    async fn run(
        &self,
        script: Script,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Vec<i64>, Away> {
        // Leases are renewed now and then, for all exchanges together.
        let costs = script.name != "limit_renew";
        self.1.fetch_add(usize::from(costs), Ordering::SeqCst);
        self.0.run(script, keys, arguments).await
    }

    fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    fn tell(&self) {
        self.0.tell();
    }

    fn hear(&self) -> Arc<tokio::sync::Notify> {
        self.0.hear()
    }
}

/// The promise of docs/SCALING.md: one round trip before an exchange and one after it, however it ends.
#[tokio::test]
async fn an_exchange_costs_two_scripts() {
    let server = Redis::start();
    let place = Arc::new(Counting(connect(&server).await, AtomicUsize::new(0)));
    let shared: Arc<dyn Shared> = Arc::clone(&place) as Arc<dyn Shared>;
    let mut helpers = JoinSet::new();
    let quota = "1000/day tokens=100000/day concurrent=9 budget=100000tokens/month";
    let limiter = gateway(&shared, quota, Fail::Closed, &mut helpers);
    for exchanges in 1..=6 {
        let admission = exchange(&limiter, 5).await.unwrap();
        match exchanges % 3 {
            0 => settle(admission, 5),
            1 => admission.cancel(Instant::now(), Timestamp::now()),
            _ => drop(admission),
        }
        eventually("settlement", || limiter.is_settled()).await;
        assert_eq!(place.1.load(Ordering::SeqCst), 2 * exchanges);
    }
}

/// An exchange of a key, and how long it waits if it does not go on at once.
async fn come(limiter: &Arc<Limiter>, key: &str) -> (Admission, Result<(), Option<Duration>>) {
    let (key, now) = (key.into(), (Instant::now(), Timestamp::now()));
    let caller = caller(&key, None);
    let (mut admission, admitted) = limiter.admit(caller, now.0, now.1);
    admitted.unwrap();
    let estimate = Estimate {
        input: 1,
        ..Estimate::default()
    };
    let taken = admission.reserve((caller, Target::default()), estimate, now.0, now.1);
    let taken = taken.await.map_err(|refused| admission.queue(&refused));
    (admission, taken)
}

/// A key with many requests waits for itself, no more wait than may, and only the first of each key asks the place.
#[tokio::test]
async fn who_waits_takes_turns_by_key() {
    let server = Redis::start();
    let place = Arc::new(Counting(connect(&server).await, AtomicUsize::new(0)));
    let shared: Arc<dyn Shared> = Arc::clone(&place) as Arc<dyn Shared>;
    let together = Together::new(shared, Fail::Closed, Veil::new(&[7; 32]));
    let setup = Setup {
        rules: Rules(vec![Rule {
            scope: Scope::Everyone,
            pattern: "*".to_owned(),
            quota: "concurrent=1".parse().unwrap(),
        }]),
        patience: Patience {
            max_wait: PATIENCE,
            max_waiting: 4,
        },
        together: Some(Arc::new(together)),
        ..Setup::default()
    };
    let limiter = Arc::new(Limiter::new(setup, Instant::now(), Timestamp::now()));
    let (mut helpers, working) = (JoinSet::new(), Arc::clone(&limiter));
    helpers.spawn(async move { working.work().await });
    let come = async |key| come(&limiter, key).await;
    let (running, taken) = come("a").await;
    assert_eq!(taken, Ok(()));
    let (mut waiting, (told, mut turns)) = (Vec::new(), mpsc::unbounded_channel());
    for (name, key) in [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b")] {
        let (admission, waits) = come(key).await;
        assert_eq!(waits, Err(Some(PATIENCE)), "{name}");
        waiting.push((name, admission));
    }
    // The first of all, and the first of each key.
    assert_eq!(place.1.load(Ordering::SeqCst), 3);
    assert_eq!(come("b").await.1, Err(None), "no more may wait");
    waiting.remove(1); // a2 leaves
    for (name, mut admission) in waiting {
        let told = told.clone();
        helpers.spawn(async move {
            while admission
                .retry(Instant::now(), Timestamp::now())
                .await
                .is_err()
            {
                admission.served().await;
            }
            told.send((name, admission)).unwrap();
        });
    }
    let mut running = running;
    for expected in ["a1", "b1", "a3"] {
        settle(running, 1);
        let (name, next) = timeout(PATIENCE, turns.recv()).await.unwrap().unwrap();
        assert_eq!(name, expected);
        running = next;
    }
}

/// Who else may read the place learns of no end user.
#[tokio::test]
async fn names_of_users_are_not_kept_in_clear() {
    let server = Redis::start();
    let place = connect(&server).await;
    let together = Together::new(Arc::clone(&place), Fail::Closed, Veil::new(&[7; 32]));
    let rule = Rule {
        scope: Scope::User,
        pattern: "*".to_owned(),
        quota: "1/day concurrent=9 budget=9tokens/month".parse().unwrap(),
    };
    let setup = Setup {
        rules: Rules(vec![rule]),
        together: Some(Arc::new(together)),
        ..Setup::default()
    };
    let limiter = Arc::new(Limiter::new(setup, Instant::now(), Timestamp::now()));
    let (key, now) = ("key_1".into(), Timestamp::now());
    let caller = caller(&key, None);
    let ask = async |user| {
        let target = Target {
            user: Some(user),
            ..Target::default()
        };
        let (mut admission, admitted) = limiter.admit(caller, Instant::now(), now);
        admitted.unwrap();
        let asked = (caller, target);
        let estimate = Estimate::default();
        let taken = admission.reserve(asked, estimate, Instant::now(), now);
        taken.await.is_ok()
    };
    assert_eq!(
        [ask("ann").await, ask("ann").await, ask("bob").await],
        [true, false, true]
    );
    let search = Script {
        name: "search",
        text: "local found = 0
for _, key in ipairs(redis.call('KEYS', '*')) do
  if string.find(key, 'ann') or string.find(key, 'bob') then found = found + 1 end
end
return {found}",
    };
    assert_eq!(place.run(search, &[], &[]).await, Ok(vec![0]));
}

#[tokio::test]
async fn what_ends_is_settled_for_all() {
    let server = Redis::start();
    let place = connect(&server).await;
    let mut helpers = JoinSet::new();
    let [one, two] = [(); 2].map(|()| {
        gateway(
            &place,
            "concurrent=2 budget=100tokens/month",
            Fail::Closed,
            &mut helpers,
        )
    });
    let first = exchange(&one, 60).await.unwrap();
    let refused = exchange(&two, 60).await.unwrap_err();
    assert!(matches!(refused.limit, Limit::Budget(_)), "{refused}");
    settle(first, 30);
    eventually("settled", || one.is_settled()).await;
    let second = exchange(&two, 70).await.unwrap();
    assert!(exchange(&one, 1).await.is_err(), "30 used, 70 reserved");
    second.cancel(Instant::now(), Timestamp::now());
    eventually("settled", || two.is_settled()).await;
    let third = exchange(&one, 35).await.unwrap();
    let fourth = exchange(&two, 35).await.unwrap();
    let refused = exchange(&two, 0).await.unwrap_err();
    assert_eq!(refused.limit, Limit::Concurrent(2));
    drop((third, fourth));
}

/// Each gateway tells a key what it used at all of them.
#[tokio::test]
async fn every_gateway_tells_of_all() {
    let mut server = Redis::start();
    let place = connect(&server).await;
    let mut helpers = JoinSet::new();
    let gateways = [(); 2].map(|()| gateway(&place, "1000/day", Fail::Closed, &mut helpers));
    let [one, two] = &gateways;
    let key: Arc<str> = "key_1".into();
    let quota: Quota = "10/hour tokens=700/hour concurrent=3 budget=1000tokens/month"
        .parse()
        .unwrap();
    let caller = caller(&key, Some(&quota));
    let used = async |limiter: &Arc<Limiter>| {
        let reported = limiter.report(caller, Instant::now(), Timestamp::now());
        let (month, used) = reported.await.map_err(|refused| refused.limit)?;
        let used: Vec<_> = used.iter().map(|used| (used.used, used.reserved)).collect();
        assert!(used.len() < 5, "none of everyone's");
        Ok::<_, Limit>((month.requests, month.tokens(), used))
    };
    let ended = exchange_of(one, caller, 100).await.unwrap();
    let _open = exchange_of(two, caller, 60).await.unwrap();
    for limiter in &gateways {
        let expected = vec![(2, 0), (2, 0), (160, 0), (0, 160)];
        assert_eq!(used(limiter).await, Ok((0, 0, expected)));
    }
    settle(ended, 40);
    eventually("settled", || one.is_settled()).await;
    for limiter in &gateways {
        let expected = vec![(2, 0), (1, 0), (100, 0), (40, 60)];
        assert_eq!(used(limiter).await, Ok((1, 40, expected)));
    }
    server.kill();
    eventually("loss", || !place.is_connected()).await;
    assert_eq!(used(one).await, Err(Limit::Away));
}

/// Whoever asks while the place is killed is answered by the setting or, on the way, as away: nobody waits or is let in wrongly.
#[tokio::test]
async fn a_kill_in_mid_load_fails_as_configured() {
    for fail in [Fail::Closed, Fail::Open, Fail::Local] {
        let mut server = Redis::start();
        let place = connect(&server).await;
        let mut helpers = JoinSet::new();
        let limiter = gateway(&place, "1000000/day", fail, &mut helpers);
        let load = Arc::clone(&limiter);
        let ask = move || {
            let limiter = Arc::clone(&load);
            async move {
                let answer = exchange(&limiter, 1).await;
                let answer = answer.map(|taken| settle(taken, 1));
                answer.map_err(|refused| refused.limit)
            }
        };
        let answers = killed_in_mid_load(&mut server, &*place, ask).await;
        let answer = exchange(&limiter, 1).await.map(drop);
        assert!(answers.iter().any(Result::is_ok), "{fail:?}");
        match fail {
            Fail::Closed => {
                assert_eq!(answer.unwrap_err().limit, Limit::Away);
                assert!(
                    answers
                        .iter()
                        .all(|answer| matches!(answer, Ok(()) | Err(Limit::Away)))
                );
                assert!(answers.iter().any(Result::is_err));
            }
            Fail::Open | Fail::Local => {
                assert!(answer.is_ok());
                assert!(answers.iter().all(Result::is_ok), "{fail:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_place_that_is_away_fails_as_configured() {
    let mut server = Redis::start();
    let place = connect(&server).await;
    let mut helpers = JoinSet::new();
    let limiters = [Fail::Closed, Fail::Open, Fail::Local]
        .map(|fail| gateway(&place, "1/day", fail, &mut helpers));
    let [closed, open, local] = &limiters;
    assert!(exchange(open, 1).await.is_ok());
    // What was refused a moment ago is refused at once, but not while nothing is counted.
    for _ in 0..2 {
        assert!(exchange(open, 1).await.is_err());
    }
    server.kill();
    eventually("loss", || !place.is_connected()).await;
    assert_eq!(exchange(closed, 1).await.unwrap_err().limit, Limit::Away);
    for _ in 0..3 {
        assert!(exchange(open, 1).await.is_ok());
    }
    assert!(exchange(local, 1).await.is_ok());
    assert!(matches!(
        exchange(local, 1).await.unwrap_err().limit,
        Limit::Requests(_)
    ));
}

const TAKE: Script = Script {
    name: "take",
    text: concat!(
        include_str!("../../src/limit/head.lua"),
        include_str!("../../src/limit/take.lua")
    ),
};
const SETTLE: Script = Script {
    name: "settle",
    text: concat!(
        include_str!("../../src/limit/head.lua"),
        include_str!("../../src/limit/settle.lua")
    ),
};
const MOST: usize = 3;
const BUDGET: u64 = 5_000;
const LEASE: u64 = 1_000_000_000_000;

/// The scripts against plain arithmetic: any rates, times, amounts and order of ends, each end told once or twice.
#[test]
fn p33_the_scripts_agree_with_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = Redis::start();
    let place = runtime.block_on(connect(&server));
    let step = (0_u64..20_000_000, 1_u64..400, 0_u64..500, 0_u8..6);
    let cases = (1_u64..1_000_000, vec(step, 1..40));
    let mut runner = TestRunner::new(proptest::test_runner::Config::with_cases(32));
    let cases_run = AtomicUsize::new(0);
    runner
        .run(&cases, |(count, steps)| {
            let case = cases_run.fetch_add(1, Ordering::SeqCst);
            runtime.block_on(agree(&place, case, count, &steps));
            Ok(())
        })
        .unwrap();
}

async fn agree(place: &Arc<dyn Shared>, case: usize, count: u64, steps: &[(u64, u64, u64, u8)]) {
    const MINUTE: u128 = 60_000_000;
    let cell = |name: &str| format!("{case}:{name}");
    let cells = ["rate", "-", "running", "-", "sums", "kept"].map(cell);
    let (mut level, mut spent, mut kept) = (0_u128, 0, 0);
    let mut open: Vec<(String, u64)> = Vec::new();
    let mut now = 1_700_000_000_000_000_u64;
    for (index, (pause, tokens, used, what)) in steps.iter().enumerate() {
        now += pause;
        level = level.saturating_sub(u128::from(*pause) * u128::from(count));
        let (tokens, id) = (1 + tokens % count, format!("{case}-{index}"));
        if *what < 3 && !open.is_empty() {
            let (id, reserved) = open.swap_remove(usize::try_from(*used).unwrap() % open.len());
            let used = if *what == 0 { 0 } else { *used };
            let mut keys = vec![format!("{case}:done:{id}")];
            keys.extend(cells.clone());
            let arguments =
                format!("{id} {now} {reserved} 0 1 {used} 0 0 0 t {count} {MINUTE} c 0 0 s 0 0");
            for _ in 0..=*what {
                run(place, SETTLE, &keys, &arguments).await;
            }
            level =
                (level + u128::from(used) * MINUTE).saturating_sub(u128::from(reserved) * MINUTE);
            (spent, kept) = (spent + used, kept - reserved);
            continue;
        }
        let arguments = format!(
            "{id} {now} {LEASE} {tokens} 0 r 0 -1 {count} {MINUTE} 0 c 0 {MOST} 0 0 0 s 0 {BUDGET} -1 0 0"
        );
        let answer = run(place, TAKE, &cells, &arguments).await;
        let filled = level + u128::from(tokens) * MINUTE;
        let agrees = filled <= u128::from(count) * MINUTE
            && open.len() < MOST
            && spent + kept + tokens <= BUDGET
            && spent + kept < BUDGET;
        assert_eq!(
            answer.first() == Some(&1),
            agrees,
            "{answer:?} at step {index} of {steps:?}, {count}/minute"
        );
        if agrees {
            level = filled;
            kept += tokens;
            open.push((id, tokens));
        }
    }
}

async fn run(
    place: &Arc<dyn Shared>,
    script: Script,
    keys: &[String],
    arguments: &str,
) -> Vec<i64> {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let arguments: Vec<&str> = arguments.split(' ').collect();
    place.run(script, &keys, &arguments).await.unwrap()
}

/// What a killed gateway took is free again when its lease is over; what it had settled stays.
#[tokio::test]
async fn leases_of_a_gateway_that_is_gone_run_out() {
    let server = Redis::start();
    let place = connect(&server).await;
    let cells = ["running", "-", "sums", "kept"].map(str::to_owned);
    let at = |seconds: u64| 1_700_000_000_000_000 + seconds * 1_000_000;
    let take = |id: &str, seconds| {
        let now = at(seconds);
        format!("{id} {now} 60000000 70 0 c 0 1 0 0 0 s 0 100 -1 0 0")
    };
    assert_eq!(run(&place, TAKE, &cells, &take("gone", 0)).await[0], 1);
    assert_eq!(run(&place, TAKE, &cells, &take("next", 59)).await[0], 0);
    assert_eq!(run(&place, TAKE, &cells, &take("next", 61)).await[0], 1);
    // The first was not gone after all: what it used counts, once.
    let mut keys = vec!["done:gone".to_owned()];
    keys.extend(cells.clone());
    let ended = format!("gone {} 70 0 1 30 0 0 0 c 0 0 s 0 0", at(62));
    for _ in 0..2 {
        run(&place, SETTLE, &keys, &ended).await;
    }
    keys[0] = "done:next".to_owned();
    let ended = format!("next {} 70 0 1 50 0 0 0 c 0 0 s 0 0", at(63));
    run(&place, SETTLE, &keys, &ended).await;
    let left = format!("last {} 60000000 21 0 c 0 1 0 0 0 s 0 100 -1 0 0", at(64));
    assert_eq!(
        run(&place, TAKE, &cells, &left).await[0],
        0,
        "80 of 100 are used"
    );
    let left = left.replace(" 21 ", " 20 ");
    assert_eq!(run(&place, TAKE, &cells, &left).await[0], 1);
}
