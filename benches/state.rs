//! Keys: how long a start takes and what a lookup costs, with 10 keys in the store and with 1,000,000.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise, prints, and reads the clock"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use sluicegate::auth::{KeyRecord, Keyring, Pepper, generate, new_id};
use sluicegate::secret::Secret;
use sluicegate::store::{self, Config};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Keys that are asked for, evenly spread over all.
const ASKED: usize = 10_000;
const ROUNDS: usize = 5;

fn main() {
    println!(
        "{:>9}  {:>8}  {:>9}  {:>12}  {:>13}  {:>12}",
        "keys", "file MB", "start ms", "in memory ns", "from store ns", "unknown ns"
    );
    for count in [10, 1_000_000] {
        measure(count);
    }
}

fn measure(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let keys = fill(folder.path(), count);
    let size = std::fs::metadata(folder.path().join("sluicegate.db")).unwrap();
    let start = best(|| drop(open(folder.path())));
    let keyring = open(folder.path());
    let asked = || keys.iter().cycle().take(ASKED);
    let stored = best(|| {
        for key in asked() {
            black_box(keyring.look_up(key.expose(), FROM, now()).unwrap());
        }
    });
    let known = best(|| {
        for key in asked() {
            black_box(keyring.known(key.expose(), FROM, now()).unwrap().unwrap());
        }
    });
    let others: Vec<Secret> = (0..ASKED).map(|_| generate().unwrap()).collect();
    let unknown = best(|| {
        for key in &others {
            black_box(keyring.look_up(key.expose(), FROM, now()).unwrap_err());
        }
    });
    let each = |time: Duration| time.as_nanos() / ASKED as u128;
    println!(
        "{count:>9}  {:>8}  {:>9.1}  {:>12}  {:>13}  {:>12}",
        size.len() >> 20,
        start.as_secs_f64() * 1e3,
        each(known),
        each(stored),
        each(unknown)
    );
}

/// What `serve` does before it can answer: the store opened and checked, the pepper compared, nothing read as a whole.
fn open(folder: &Path) -> Keyring {
    let store = store::open(&Config::default(), folder, None).unwrap();
    let pepper = Pepper::open(folder).unwrap();
    pepper.check(&*store).unwrap();
    assert!(KeyRecord::first(&*store, &pepper, now()).unwrap().is_none());
    Keyring::open(store, pepper, true).unwrap()
}

/// Fills a store with keys in one transaction, and gives those that are asked for.
fn fill(folder: &Path, count: usize) -> Vec<Secret> {
    drop(store::open(&Config::default(), folder, None).unwrap());
    let pepper = Pepper::open(folder).unwrap();
    let mut connection = Connection::open(folder.join("sluicegate.db")).unwrap();
    let transaction = connection.transaction().unwrap();
    let mut asked = Vec::new();
    {
        let mut key = transaction
            .prepare(
                "INSERT INTO keys (id, name, prefix, team, created, settings, changed) VALUES (?, 'app', ?, 'red', 1, ?, 0)",
            )
            .unwrap();
        let mut bearer = transaction
            .prepare("INSERT INTO bearers (prefix, hash, key) VALUES (?, ?, ?)")
            .unwrap();
        let settings = r#"{"owner":"ann","limit":"20/minute","models":["gpt-*"]}"#;
        for index in 0..count {
            let text = generate().unwrap();
            let (id, prefix) = (new_id("key"), text.expose().get(3..11).unwrap().to_owned());
            key.execute(params![&*id, prefix, settings]).unwrap();
            bearer
                .execute(params![prefix, pepper.hash(text.expose()), &*id])
                .unwrap();
            if index % count.div_ceil(ASKED) == 0 {
                asked.push(text);
            }
        }
    }
    transaction.commit().unwrap();
    asked
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000_000).unwrap()
}

/// The shortest of some rounds: others run on this machine too.
fn best(mut work: impl FnMut()) -> Duration {
    let round = || {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    std::iter::repeat_with(round).take(ROUNDS).min().unwrap()
}
