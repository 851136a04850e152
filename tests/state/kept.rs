//! Who made what providers keep: one suite over every store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluicegate::kept::{self, KeptStore, Maker, Register};
use sluicegate::secret::Secret;
use sluicegate::store::{Config, open_kept};

use crate::servers::Postgres;

/// Runs a test over each kind of store; `open` gives what another gateway or a restarted one sees.
fn each(test: impl Fn(&dyn Fn() -> Arc<dyn KeptStore>)) {
    let folder = tempfile::tempdir().unwrap();
    test(&|| open_kept(&Config::default(), folder.path()).unwrap());
    let server = Postgres::shared();
    let config = Config {
        url: Secret::new(server.database()),
        ..Config::default()
    };
    test(&|| open_kept(&config, folder.path()).unwrap());
}

fn maker(key: &str) -> Maker {
    Maker {
        key: key.into(),
        team: Some("it's; DROP TABLE kept; --".into()),
        session: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn an_id_belongs_to_who_made_it_first_at_its_provider() {
    each(|open| {
        let store = open();
        store
            .keep("openai", &ids(&["resp_1", "msg_1"]), &maker("a"), at(1))
            .unwrap();
        store
            .keep("openai", &ids(&["resp_1", "resp_2"]), &maker("b"), at(2))
            .unwrap();
        let elsewhere = open();
        for (id, made) in [("resp_1", "a"), ("msg_1", "a"), ("resp_2", "b")] {
            assert_eq!(elsewhere.maker("openai", id).unwrap(), Some(maker(made)));
        }
        assert_eq!(elsewhere.maker("lab", "resp_1").unwrap(), None);
        assert_eq!(elsewhere.maker("openai", "resp_3").unwrap(), None);
    });
}

#[test]
fn what_is_old_is_forgotten() {
    each(|open| {
        let config = kept::Config {
            keep: Duration::from_secs(100),
            ..kept::Config::default()
        };
        let (a, b) = (maker("a"), maker("b"));
        let register = Register::new(open(), config);
        register.keep("p", &ids(&["old"]), &a, at(1)).unwrap();
        register.keep("p", &ids(&["new"]), &a, at(50)).unwrap();
        register.sweep(at(120)).unwrap();
        let register = Register::new(open(), config);
        assert_eq!(
            register.denied("p", ["new", "old"], &a).unwrap(),
            Some("old")
        );
        // Once read, it is known without the store.
        assert_eq!(register.denied("p", ["new"], &a).unwrap(), None);
        assert_eq!(register.denied("p", ["new"], &b).unwrap(), Some("new"));
    });
}

#[test]
fn what_nobody_made_here_may_be_allowed_but_not_what_another_key_made() {
    each(|open| {
        let config = kept::Config {
            allow_unknown: true,
            ..kept::Config::default()
        };
        let register = Register::new(open(), config);
        let (a, b) = (maker("a"), maker("b"));
        register.keep("p", &ids(&["resp_1"]), &a, at(1)).unwrap();
        assert_eq!(
            register.denied("p", ["elsewhere", "resp_1"], &a).unwrap(),
            None
        );
        assert_eq!(
            register.denied("p", ["elsewhere", "resp_1"], &b).unwrap(),
            Some("resp_1")
        );
    });
}
