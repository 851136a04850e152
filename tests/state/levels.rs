//! Threat levels of sessions that several gateways count in Redis, and what happens while it is away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::date;
use sluicegate::auth::{Bearer, KeyRecord, Keyring, Pepper, Principal, Sessions, generate};
use sluicegate::policy::{Action, Cause, Escalation, Matched, Source, Verdict, compile};
use sluicegate::scan::finding::ThreatLevel;
use sluicegate::shared::{Fail, Script, Shared, Veil};
use sluicegate::store::redis::Redis as Connection;
use sluicegate::store::{self, Config};
use sluicegate::text::Encodings;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::servers::{PATIENCE, Redis, eventually, killed_in_mid_load};

async fn connect(server: &Redis) -> Arc<dyn Shared> {
    let connection = Connection::open(&server.url, None, PATIENCE).unwrap();
    eventually("connection", || connection.is_connected()).await;
    connection
}

/// A caller, whose end users are told apart.
fn caller(folder: &TempDir) -> Principal {
    let store = store::open(&Config::default(), folder.path(), None).unwrap();
    let pepper = || Pepper::open(folder.path()).unwrap();
    let (key, now) = (generate().unwrap(), Timestamp::now());
    let bearer = Bearer::new(&pepper(), &key).unwrap();
    let record = KeyRecord::new(&bearer.prefix, "app", now);
    store.insert(&record, &bearer).unwrap();
    let keyring = Keyring::open(store, pepper(), true).unwrap();
    let from = "192.0.2.1".parse().unwrap();
    keyring.look_up(key.expose(), from, now).unwrap()
}

fn rules() -> Escalation {
    let source = Source {
        name: "p".to_owned(),
        file: "p.yaml".to_owned(),
        text: "sessions: {half_life: 1h, critical: block}\n".to_owned(),
    };
    let (policy, _) = compile(&source, |_| None, date(2026, 1, 31)).unwrap();
    policy.sessions.unwrap()
}

/// A request that is refused.
fn attack() -> Verdict {
    let rule = "injection.override";
    let matched = Matched {
        id: rule.into(),
        count: 1,
        probability: None,
        encodings: Encodings::default(),
    };
    Verdict {
        would: Action::Block,
        rules: vec![matched],
        cause: Some(Cause {
            rule: rule.into(),
            message: None,
        }),
        ..Verdict::default()
    }
}

fn gateway(place: &Arc<dyn Shared>, fail: Fail) -> Sessions {
    Sessions::together(Arc::clone(place), fail, Veil::new(&[7; 32]))
}

#[tokio::test]
async fn a_session_has_one_level_at_all_gateways() {
    use ThreatLevel::{Critical, High, Medium, None};
    let (server, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let place = connect(&server).await;
    let gateways = [(); 3].map(|()| gateway(&place, Fail::Closed));
    let (caller, rules, now) = (caller(&folder), rules(), Instant::now());
    let level = async |gateway: usize, user: &str, verdict: &Verdict| {
        let who = (&caller, Some(user));
        let raised = gateways[gateway].raise(who, &rules, verdict, now).await;
        raised.unwrap().unwrap()
    };
    let calm = Verdict::default();
    assert_eq!(level(0, "ann", &calm).await, (None, None));
    assert_eq!(level(0, "ann", &attack()).await, (None, Medium));
    assert_eq!(level(1, "ann", &attack()).await, (Medium, High));
    assert_eq!(level(2, "ann", &attack()).await, (High, Critical));
    for gateway in 0..3 {
        assert_eq!(level(gateway, "ann", &calm).await, (Critical, Critical));
        assert_eq!(level(gateway, "bob", &calm).await, (None, None));
    }
    // Who names nobody has none, and nothing is kept of those who are calm.
    let (nobody, attack) = ((&caller, Option::None), attack());
    let told = gateways[0].raise(nobody, &rules, &attack, now).await;
    assert_eq!(told, Ok(Option::None));
    let count = Script {
        name: "count",
        text: "local keys = redis.call('KEYS', '*')
return {#keys, redis.call('PTTL', keys[1]), string.find(keys[1], 'ann') or 0}",
    };
    let kept = place.run(count, &[], &[]).await.unwrap();
    let day = i64::try_from(Duration::from_hours(20).as_millis()).unwrap();
    assert_eq!(kept[0], 1);
    assert!((day - 600_000..=day).contains(&kept[1]), "{kept:?}");
    assert_eq!(kept[2], 0, "a name in clear");
}

#[tokio::test]
async fn attacks_at_once_at_many_gateways_all_count() {
    let (server, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let place = connect(&server).await;
    let caller = caller(&folder);
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let (sessions, caller) = (gateway(&place, Fail::Closed), caller.clone());
        tasks.spawn(async move {
            let (who, rules, attack) = ((&caller, Some("ann")), rules(), attack());
            let raised = sessions.raise(who, &rules, &attack, Instant::now()).await;
            raised.unwrap().unwrap().1
        });
    }
    let levels: BTreeSet<&str> = tasks
        .join_all()
        .await
        .into_iter()
        .map(ThreatLevel::name)
        .collect();
    assert_eq!(levels, BTreeSet::from(["medium", "high", "critical"]));
}

#[tokio::test]
async fn while_the_place_is_away_the_setting_decides() {
    let (mut server, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let place = connect(&server).await;
    let (caller, rules, now) = (caller(&folder), rules(), Instant::now());
    let gateways = [Fail::Closed, Fail::Open, Fail::Local].map(|fail| gateway(&place, fail));
    let raise = async |gateway: usize| {
        let who = (&caller, Some("ann"));
        gateways[gateway].raise(who, &rules, &attack(), now).await
    };
    for gateway in 0..3 {
        assert!(raise(gateway).await.unwrap().is_some());
    }
    server.kill();
    eventually("loss", || !place.is_connected()).await;
    assert!(raise(0).await.is_err());
    assert_eq!(raise(1).await, Ok(None));
    // From what this gateway has seen itself.
    let levels = Some((ThreatLevel::Medium, ThreatLevel::High));
    assert_eq!(raise(2).await, Ok(levels));
    server.restart();
    eventually("connection", || place.is_connected()).await;
    assert!(raise(0).await.unwrap().is_some());
}

/// Nobody waits for a level, and nobody's is told wrongly, while the place is killed.
#[tokio::test]
async fn a_kill_in_mid_load_fails_as_configured() {
    for fail in [Fail::Closed, Fail::Open, Fail::Local] {
        let (mut server, folder) = (Redis::start(), tempfile::tempdir().unwrap());
        let place = connect(&server).await;
        let asked = Arc::new((gateway(&place, fail), caller(&folder), rules()));
        let ask = move || {
            let asked = Arc::clone(&asked);
            async move {
                let (sessions, caller, rules) = &*asked;
                let who = (caller, Some("ann"));
                sessions.raise(who, rules, &attack(), Instant::now()).await
            }
        };
        let answers = killed_in_mid_load(&mut server, &*place, ask).await;
        let told = |answer: &Result<_, _>| matches!(answer, Ok(Some(_)));
        assert!(answers.iter().any(told), "{fail:?}");
        match fail {
            Fail::Closed => {
                assert!(answers.iter().all(|answer| told(answer) || answer.is_err()));
                assert!(answers.iter().any(Result::is_err));
            }
            Fail::Open => {
                assert!(answers.iter().all(Result::is_ok));
                assert!(answers.contains(&Ok(None)));
            }
            Fail::Local => assert!(answers.iter().all(told)),
        }
    }
}
