//! What a credential costs on the way of a request: opened from the vault, or from what a key has of its own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise, prints, and reads the clock"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sluicegate::secret::Secret;
use sluicegate::store::{self, Config};
use sluicegate::vault::{Level, MasterKey, NewEntry, Owned, Reader, Vault};

const READER: Reader<'_> = Reader {
    who: "bench",
    level: Level::Elevated,
};
const TIMES: u32 = 100_000;
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::from_text(&Secret::new("A".repeat(43))).unwrap();
    let vault = Vault::open(folder.path(), Some(&master)).unwrap();
    let store = store::open(&Config::default(), folder.path(), None).unwrap();
    vault.join(Some(&master), &*store).unwrap();
    let (now, secret) = (Timestamp::now(), Secret::new("s".repeat(100)));
    for index in 0..100 {
        let name = format!("entry-{index}");
        let entry = NewEntry {
            name: &name,
            secret: &secret,
            level: Level::Elevated,
        };
        vault.set(entry, READER, now).unwrap();
    }
    let owned = Owned {
        holder: "key_0123456789abcdef",
        provider: "openai",
    };
    let sealed = vault.seal_owned(owned, &secret, READER, now).unwrap();
    told("an entry of 100", || {
        black_box(vault.read("entry-50", READER, Timestamp::now()).unwrap());
    });
    told("a key's own", || {
        let opened = vault.open_owned(owned, &sealed, READER, Timestamp::now());
        black_box(opened.unwrap());
    });
}

/// Prints the best of some rounds: others run on this machine too.
fn told(what: &str, mut work: impl FnMut()) {
    let round = || {
        let began = Instant::now();
        (0..TIMES).for_each(|_| work());
        began.elapsed()
    };
    let best: Duration = std::iter::repeat_with(round).take(ROUNDS).min().unwrap();
    println!(
        "{what}: {:.2} us",
        best.as_secs_f64() * 1e6 / f64::from(TIMES)
    );
}
