//! The connection to Redis: scripts, and what comes of them while the server is away.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use sluicegate::auth::{Bearer, Denied, KeyRecord, Keyring, Pepper, generate};
use sluicegate::secret::Secret;
use sluicegate::shared::{Away, Script, Shared};
use sluicegate::store;
use sluicegate::store::redis::Redis as Connection;

use crate::servers::{PATIENCE, Postgres, Redis, eventually, killed_in_mid_load};

const COUNT: Script = Script {
    name: "count",
    text: "return {redis.call('INCRBY', KEYS[1], ARGV[1]), #KEYS}",
};
const FAULTY: Script = Script {
    name: "faulty",
    text: "return {redis.call('INCR', KEYS[1], 'too', 'many')}",
};

async fn connect(server: &Redis) -> Arc<Connection> {
    let connection = Connection::open(&server.url, None, PATIENCE).unwrap();
    eventually("connection", || connection.is_connected()).await;
    connection
}

#[tokio::test]
async fn scripts_run_and_survive_a_restart() {
    let mut server = Redis::start();
    let shared = connect(&server).await;
    let count = || shared.run(COUNT, &["a"], &["2"]);
    assert_eq!(count().await, Ok(vec![2, 1]));
    assert_eq!(count().await, Ok(vec![4, 1]));
    server.kill();
    eventually("loss", || !shared.is_connected()).await;
    assert_eq!(count().await, Err(Away::NotConnected));
    server.restart();
    eventually("connection", || shared.is_connected()).await;
    // The new server has neither the value nor the script.
    assert_eq!(count().await, Ok(vec![2, 1]));
}

#[tokio::test]
async fn an_error_of_a_script_is_told_and_costs_no_connection() {
    let server = Redis::start();
    let shared = connect(&server).await;
    let failed = shared.run(FAULTY, &["a"], &[]).await;
    assert!(matches!(failed, Err(Away::Refused(_))), "{failed:?}");
    let text = Script {
        name: "text",
        text: "return {'not a number'}",
    };
    assert!(shared.run(text, &[], &[]).await.is_err());
    let counted = shared.run(COUNT, &["a"], &["1"]).await;
    assert_eq!(counted, Ok(vec![1, 1]));
}

#[tokio::test]
async fn a_server_that_hangs_keeps_nobody_past_the_deadline() {
    let server = Redis::start();
    let deadline = Duration::from_millis(20);
    let shared = Connection::open(&server.url, None, deadline).unwrap();
    eventually("connection", || shared.is_connected()).await;
    server.freeze();
    let run = || shared.run(COUNT, &["a"], &["1"]);
    assert_eq!(run().await, Err(Away::Late(deadline)));
    eventually("loss", || !shared.is_connected()).await;
    assert_eq!(run().await, Err(Away::NotConnected));
    server.thaw();
    let again = async {
        while run().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let answered = tokio::time::timeout(PATIENCE, again).await;
    answered.expect("answers again");
}

#[tokio::test]
async fn a_kill_in_mid_load_is_told_to_everyone() {
    let mut server = Redis::start();
    let shared = connect(&server).await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut counted = 0;
            loop {
                match shared.run(COUNT, &["n"], &["1"]).await {
                    Ok(_) => counted += 1,
                    Err(Away::NotConnected) => return counted,
                    Err(away) => panic!("{away:?}"),
                }
            }
        });
    }
    while shared.run(COUNT, &["n"], &["0"]).await.unwrap()[0] < 500 {}
    server.kill();
    let counted: i64 = tokio::time::timeout(PATIENCE, tasks.join_all())
        .await
        .unwrap()
        .iter()
        .sum();
    assert!(counted >= 480, "{counted}");
}

#[tokio::test]
async fn the_server_may_come_later_than_the_gateway() {
    let mut server = Redis::start();
    server.kill();
    let shared = Connection::open(&server.url, None, PATIENCE).unwrap();
    assert!(!shared.is_connected());
    server.restart();
    eventually("connection", || shared.is_connected()).await;
}

/// Two gateways over one PostgreSQL: what one revokes, the other hears of at once; without Redis it finds out when it looks.
#[tokio::test]
async fn revocations_are_told_to_every_gateway() {
    let (mut server, postgres) = (Redis::start(), Postgres::shared());
    let folder = tempfile::tempdir().unwrap();
    let config = store::Config {
        url: Secret::new(postgres.database()),
        ..store::Config::default()
    };
    let (one, two) = (connect(&server).await, connect(&server).await);
    let changes = two.hear();
    let told = || tokio::time::timeout(PATIENCE, changes.notified());
    told().await.expect("what went unheard before");
    let open = |shared: &Arc<Connection>| {
        let shared: Arc<dyn Shared> = Arc::clone(shared) as Arc<dyn Shared>;
        store::open(&config, folder.path(), Some(shared)).unwrap()
    };
    let pepper = || Pepper::open(folder.path()).unwrap();
    let store = open(&one);
    let gateway = Arc::new(Keyring::open(open(&two), pepper(), true).unwrap());
    let (from, now) = ("192.0.2.1".parse().unwrap(), Timestamp::now());
    let keys = [(); 2].map(|()| generate().unwrap());
    let callers = keys.each_ref().map(|key| {
        let bearer = Bearer::new(&pepper(), key).unwrap();
        let record = KeyRecord::new(&bearer.prefix, "app", now);
        store.insert(&record, &bearer).unwrap();
        gateway.look_up(key.expose(), from, now).unwrap()
    });
    assert!(store.revoke(&callers[0].key.id, now).unwrap());
    told().await.expect("the revocation");
    gateway.refresh(now).unwrap();
    assert_eq!(callers[0].recheck(now), Err(Denied::Revoked));
    let [_, other] = keys;
    let (looking, key) = (Arc::clone(&gateway), other.clone());
    let ask = move || {
        let found = looking.look_up(key.expose(), from, now).is_ok();
        async move { found }
    };
    let found = killed_in_mid_load(&mut server, &*one, ask).await;
    assert!(
        found.iter().all(|found| *found),
        "nobody needs it to be known"
    );
    assert!(store.revoke(&callers[1].key.id, now).unwrap());
    gateway.refresh(now).unwrap();
    assert_eq!(callers[1].recheck(now), Err(Denied::Revoked));
    let found = gateway.look_up(other.expose(), from, now);
    assert!(found.is_err());
    server.restart();
    told().await.expect("what went unheard meanwhile");
}

#[test]
fn a_url_that_cannot_be_used_is_not_repeated() {
    for url in [
        "redis://user:hunter2@host:port/0",
        "http://hunter2",
        "hunter2",
    ] {
        let error = Connection::open(url, None, PATIENCE).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
}
