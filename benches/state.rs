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
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use sluicegate::auth::{KeyRecord, KeyStore, Keyring, Pepper, generate, new_id};
use sluicegate::secret::Secret;
use sluicegate::store::{self, Config};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Keys that are asked for, evenly spread over all.
const ASKED: usize = 10_000;
const ROUNDS: usize = 5;

fn main() {
    println!(
        "{:>9}  {:>7}  {:>8}  {:>9}  {:>9}  {:>7}  {:>9}  {:>8}  {:>10}",
        "keys",
        "file MB",
        "start ms",
        "gather ms",
        "memory MB",
        "used ns",
        "unused ns",
        "cold ns",
        "unknown ns"
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
    let before = resident();
    let began = Instant::now();
    assert!(keyring.gather().unwrap());
    let (gather, memory) = (began.elapsed(), resident().saturating_sub(before));
    let store = store::open(&Config::default(), folder.path(), None).unwrap();
    assert!(store.gather().unwrap());
    let unused = best_of(|| time_unused(&store, folder.path(), &keys, false));
    let cold = best_of(|| time_unused(&store, folder.path(), &keys, true));
    for key in &keys {
        keyring.known(key.expose(), FROM, now()).unwrap().unwrap();
    }
    let used = best(|| {
        for key in keys.iter().cycle().take(ASKED) {
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
        "{count:>9}  {:>7}  {:>8.1}  {:>9.0}  {:>9}  {:>7}  {:>9}  {:>8}  {:>10}",
        size.len() >> 20,
        start.as_secs_f64() * 1e3,
        gather.as_secs_f64() * 1e3,
        memory >> 20,
        each(used),
        each(unused),
        each(cold),
        each(unknown)
    );
}

/// The time that keys take which were not used before: 10 at a time, by a keyring that has seen none. `cold` if something
/// else was at work in between, as it is in a gateway, so that the processor's caches hold nothing of either store.
fn time_unused(store: &Arc<dyn KeyStore>, folder: &Path, keys: &[Secret], cold: bool) -> Duration {
    let mut other_work = vec![1_u8; if cold { 64 << 20 } else { 0 }];
    let mut taken = Duration::ZERO;
    let mut asked = keys.iter().cycle();
    let rounds = if cold { ASKED / 500 } else { ASKED / 10 };
    for _ in 0..rounds {
        let pepper = Pepper::open(folder).unwrap();
        let keyring = Keyring::open(Arc::clone(store), pepper, true).unwrap();
        for _ in 0..10 {
            let key = asked.next().unwrap();
            if cold {
                other_work
                    .iter_mut()
                    .step_by(64)
                    .for_each(|byte| *byte ^= 1);
                black_box(&other_work);
            }
            let began = Instant::now();
            black_box(keyring.known(key.expose(), FROM, now()).unwrap().unwrap());
            taken += began.elapsed();
        }
    }
    taken * u32::try_from(ASKED / 10 / rounds).unwrap()
}

/// Bytes of this process in memory (proc(5), `statm`, in pages of 4 KiB).
fn resident() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap();
    told.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
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
    best_of(|| {
        let began = Instant::now();
        work();
        began.elapsed()
    })
}

fn best_of(round: impl FnMut() -> Duration) -> Duration {
    std::iter::repeat_with(round).take(ROUNDS).min().unwrap()
}
