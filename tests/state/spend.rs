//! What was spent: one suite over every ledger, and what several gateways add to one.

use std::sync::Arc;

use sluicegate::limit::{Account, Ledger, Spend, account};
use sluicegate::secret::Secret;
use sluicegate::store::{Config, open_ledger};

use crate::servers::Postgres;

fn spend(money: u64) -> Spend {
    Spend {
        requests: 1,
        input: 2,
        output: 3,
        money,
    }
}

fn key() -> Account {
    account("key", "it's; DROP TABLE spend; --", "month", 682).unwrap()
}

/// Runs a test over each kind of ledger; `open` gives what another gateway or a restarted one sees.
fn each(test: impl Fn(&dyn Fn() -> Arc<dyn Ledger>)) {
    let folder = tempfile::tempdir().unwrap();
    test(&|| open_ledger(&Config::default(), folder.path()).unwrap());
    let server = Postgres::shared();
    let config = Config {
        url: Secret::new(server.database()),
        ..Config::default()
    };
    test(&|| open_ledger(&config, folder.path()).unwrap());
}

#[test]
fn a_line_counts_once_however_often_it_is_said() {
    each(|open| {
        let ledger = open();
        assert_eq!(ledger.load("a").unwrap(), (0, Vec::new()));
        let one = [(key(), spend(5))];
        assert!(ledger.add("a", (0, 7), &one).unwrap());
        assert!(!ledger.add("a", (0, 7), &one).unwrap());
        assert!(!ledger.add("a", (6, 8), &one).unwrap());
        let elsewhere = open();
        assert_eq!(elsewhere.load("a").unwrap(), (7, one.to_vec()));
        assert!(elsewhere.add("a", (7, 8), &[]).unwrap());
        assert!(ledger.add("a", (8, 9), &one).unwrap());
        assert_eq!(elsewhere.spent(&key()).unwrap(), spend(5).plus(spend(5)));
        let other = account("team", "red", "lifetime", 0).unwrap();
        assert_eq!(elsewhere.spent(&other).unwrap(), Spend::default());
    });
}

#[test]
fn many_gateways_add_to_one_sum() {
    each(|open| {
        std::thread::scope(|scope| {
            for gateway in 0..4 {
                let ledger = open();
                scope.spawn(move || {
                    let journal = format!("gateway {gateway}");
                    for line in 0..20 {
                        let changes = [(key(), spend(1))];
                        assert!(ledger.add(&journal, (line, line + 1), &changes).unwrap());
                    }
                });
            }
        });
        assert_eq!(open().spent(&key()).unwrap().money, 80);
    });
}
