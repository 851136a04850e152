//! Keys, teams and sessions: one suite over every store.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluicegate::auth::{
    Bearer, Denied, KeyRecord, KeyStore, Keyring, Pepper, Principal, Refused, Team, generate,
};
use sluicegate::secret::Secret;
use sluicegate::store::{self, Config, OpenError};
use tempfile::TempDir;

use crate::servers::{Postgres, password};

/// A store under test: what the same database looks like to several gateways.
struct Subject {
    name: &'static str,
    config: Config,
    folder: TempDir,
    /// Whether its gateways have all keys in memory.
    gathers: bool,
    _server: Option<Arc<Postgres>>,
}

impl Subject {
    fn sqlite() -> Self {
        Self {
            name: "sqlite",
            config: Config::default(),
            folder: tempfile::tempdir().unwrap(),
            gathers: false,
            _server: None,
        }
    }

    fn postgres() -> Self {
        let server = Postgres::shared();
        Self {
            _server: Some(Arc::clone(&server)),
            ..Self::at(server.database())
        }
    }

    fn at(url: String) -> Self {
        Self {
            name: "postgres",
            config: Config {
                url: Secret::new(url),
                ..Config::default()
            },
            folder: tempfile::tempdir().unwrap(),
            gathers: false,
            _server: None,
        }
    }

    fn open(&self) -> Arc<dyn KeyStore> {
        store::open(&self.config, self.folder.path(), None).unwrap()
    }

    fn pepper(&self) -> Pepper {
        Pepper::open(self.folder.path()).unwrap()
    }

    fn keyring(&self) -> Keyring {
        let keyring = Keyring::open(self.open(), self.pepper(), true).unwrap();
        assert!(!self.gathers || keyring.gather().unwrap());
        keyring
    }

    /// A new key with these settings.
    fn key(&self, change: impl FnOnce(&mut KeyRecord)) -> (Secret, KeyRecord) {
        let key = generate().unwrap();
        let bearer = Bearer::new(&self.pepper(), &key).unwrap();
        let mut record = KeyRecord::new(&bearer.prefix, "app", at(0));
        change(&mut record);
        self.open().insert(&record, &bearer).unwrap();
        (key, record)
    }
}

/// Runs a test over every store.
fn each(test: impl Fn(&Subject)) {
    for gathers in [false, true] {
        for subject in [Subject::sqlite(), Subject::postgres()] {
            println!("store: {}, gathers: {gathers}", subject.name);
            test(&Subject { gathers, ..subject });
        }
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn here() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

/// What a gateway does with a key that is presented.
fn present(keyring: &Keyring, key: &str, now: Timestamp) -> Result<Principal, Option<Denied>> {
    present_from(keyring, key, here(), now)
}

fn present_from(
    keyring: &Keyring,
    key: &str,
    from: IpAddr,
    now: Timestamp,
) -> Result<Principal, Option<Denied>> {
    let found = keyring.known(key, from, now);
    let found = found.unwrap_or_else(|| keyring.look_up(key, from, now));
    found.map_err(|refused| match refused {
        Refused::Denied(denied) => Some(denied),
        Refused::Away | Refused::Unread(_) => None,
    })
}

fn refused(keyring: &Keyring, key: &str, now: Timestamp) -> Option<Denied> {
    present(keyring, key, now).err().flatten()
}

fn full(record: &mut KeyRecord) {
    "it's \"quoted\"; DROP TABLE keys; --".clone_into(&mut record.name);
    record.owner = Some("ann".to_owned());
    record.team = Some("red".to_owned());
    record.policy = Some("strict".to_owned());
    record.limit = Some("20/minute".parse().unwrap());
    record.models = vec!["gpt-*".to_owned(), "a,b".to_owned()];
    record.providers = vec!["openai".to_owned()];
    record.networks = vec![
        "10.0.0.0/8".parse().unwrap(),
        "2001:db8::/32".parse().unwrap(),
    ];
    record.byok = true;
    record.labels = [("cost centre".to_owned(), "4711".to_owned())].into();
    record.expires = Some("2030-01-02T03:04:05.678901234Z".parse().unwrap());
}

#[test]
fn records_come_back_as_they_went() {
    each(|subject| {
        let (_, full) = subject.key(full);
        let (_, plain) = subject.key(|_| {});
        let store = subject.open();
        assert_eq!(store.list(None, 10).unwrap(), [full.clone(), plain.clone()]);
        let (one, other) = (slice::from_ref(&full), slice::from_ref(&plain));
        assert_eq!(store.list(None, 1).unwrap(), one);
        assert_eq!(store.list(Some(&full.id), 10).unwrap(), other);
        assert_eq!(store.lookup(&full.id, "").unwrap(), one);
        assert_eq!(store.lookup("", &full.prefix[..5]).unwrap(), one);
        assert!(store.lookup("key_none", "").unwrap().is_empty());
        assert!(
            store
                .lookup("' OR 1=1 --", "' OR 1=1 --")
                .unwrap()
                .is_empty()
        );
        let changed = KeyRecord {
            name: "other".to_owned(),
            team: None,
            ..plain
        };
        assert!(store.update(&changed).unwrap());
        let now = store.list(Some(&full.id), 10).unwrap().remove(0);
        assert_eq!((&now.name, &now.team), (&changed.name, &None));
        // Whoever has not seen that changes nothing.
        assert!(!store.update(&changed).unwrap());
        assert!(store.update(&now).unwrap());
        let unknown = KeyRecord {
            id: "key_none".into(),
            ..changed
        };
        assert!(!store.update(&unknown).unwrap());
    });
}

#[test]
fn ids_and_hashes_come_once() {
    each(|subject| {
        let (key, record) = subject.key(|_| {});
        let store = subject.open();
        let bearer = Bearer::new(&subject.pepper(), &key).unwrap();
        let other = KeyRecord {
            id: "key_other".into(),
            ..record.clone()
        };
        assert!(store.insert(&other, &bearer).is_err());
        let new = Bearer::new(&subject.pepper(), &generate().unwrap()).unwrap();
        assert!(store.insert(&record, &new).is_err());
        assert_eq!(store.list(None, 10).unwrap(), [record], "nothing by half");
    });
}

#[test]
fn a_key_makes_its_principal_and_other_texts_do_not() {
    each(|subject| {
        let (key, record) = subject.key(|_| {});
        let keyring = subject.keyring();
        let key = key.expose();
        for _ in 0..2 {
            assert_eq!(*present(&keyring, key, at(1)).unwrap().key, record);
        }
        let bearer = Bearer::new(&subject.pepper(), &Secret::new(key)).unwrap();
        let hex = bearer.hash.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let same_prefix = format!("sg-{}{}", record.prefix, "A".repeat(35));
        let other = format!("sg-{}", "A".repeat(43));
        for text in [
            "",
            &hex,
            &record.id,
            &record.prefix,
            &same_prefix,
            &other,
            &key.to_uppercase(),
            "sg-' OR 1=1 --",
        ] {
            for _ in 0..2 {
                assert_eq!(
                    refused(&keyring, text, at(1)),
                    Some(Denied::Unknown),
                    "{text}"
                );
            }
        }
        assert!(
            present(&keyring, key, at(1)).is_ok(),
            "after a guess at its prefix"
        );
    });
}

/// CVE-2026-42208, CVE-2026-35030, GHSA-69x8-hrgq-fjj8: nothing but the whole key opens anything.
#[test]
fn p37_neither_prefix_nor_hash_nor_sql_is_a_key() {
    each(|subject| {
        let (key, record) = subject.key(|_| {});
        let keyring = subject.keyring();
        assert!(present(&keyring, key.expose(), at(1)).is_ok());
        // The one in memory shares the prefix with a guess: only the hash of the whole decides.
        let mut guess = key.expose().to_owned();
        let last = guess.pop().unwrap();
        guess.push(if last == 'A' { 'B' } else { 'A' });
        assert!(guess.contains(&record.prefix));
        assert_eq!(refused(&keyring, &guess, at(1)), Some(Denied::Unknown));
        let hash = subject.pepper().hash(key.expose());
        let store = subject.open();
        let found = store.find(&record.prefix).unwrap();
        assert!(found[0].bearer.hash == hash, "what is kept is a keyed hash");
        assert!(store.find("' OR ''='").unwrap().is_empty());
        assert!(store.find("%").unwrap().is_empty());
    });
}

#[test]
fn a_wrong_key_is_asked_for_once_a_second() {
    each(|subject| {
        let keyring = subject.keyring();
        let (key, record) = subject.key(|_| {});
        let wrong = format!("sg-{}{}", record.prefix, "A".repeat(35));
        assert!(keyring.known(&wrong, here(), at(1)).is_none());
        assert!(keyring.look_up(&wrong, here(), at(1)).is_err());
        assert!(keyring.known(&wrong, here(), at(1)).is_some());
        assert!(keyring.known(key.expose(), here(), at(1)).is_some());
        assert!(keyring.known(&wrong, here(), at(2)).is_none());
    });
}

#[test]
fn time_and_networks_bound_a_key() {
    each(|subject| {
        let (key, _) = subject.key(|record| {
            record.expires = Some(at(100));
            record.networks = vec!["192.0.2.0/24".parse().unwrap()];
        });
        let keyring = subject.keyring();
        let key = key.expose();
        let principal = present(&keyring, key, at(99)).unwrap();
        assert_eq!(refused(&keyring, key, at(100)), Some(Denied::Expired));
        assert_eq!(principal.recheck(at(100)), Err(Denied::Expired));
        let from = |address: &str| {
            let from = address.parse().unwrap();
            present_from(&keyring, key, from, at(1)).map(|_| ())
        };
        assert_eq!(from("::ffff:192.0.2.77"), Ok(()));
        assert_eq!(from("192.0.3.1"), Err(Some(Denied::Network)));
        assert_eq!(from("2001:db8::1"), Err(Some(Denied::Network)));
    });
}

#[test]
fn p40_a_revocation_elsewhere_reaches_callers_admitted_before() {
    each(|subject| {
        let (key, record) = subject.key(|_| {});
        let keyring = subject.keyring();
        let principal = present(&keyring, key.expose(), at(1)).unwrap();
        let before = keyring.generation();
        assert!(!keyring.refresh(at(1)).unwrap());
        let elsewhere = subject.open();
        assert!(elsewhere.revoke(&record.id, at(2)).unwrap());
        assert!(elsewhere.revoke(&record.id, at(9)).unwrap());
        assert!(!elsewhere.revoke("key_none", at(9)).unwrap());
        assert!(keyring.refresh(at(3)).unwrap());
        assert!(!keyring.refresh(at(3)).unwrap());
        assert!(keyring.generation() > before);
        assert_eq!(principal.recheck(at(3)), Err(Denied::Revoked));
        assert_eq!(
            refused(&keyring, key.expose(), at(3)),
            Some(Denied::Revoked)
        );
        let kept = elsewhere.lookup(&record.id, "").unwrap();
        assert_eq!(kept[0].revoked, Some(at(2)), "the first time stays");
    });
}

#[test]
fn changed_settings_arrive_and_do_not_undo_a_revocation() {
    each(|subject| {
        let (key, record) = subject.key(|_| {});
        let keyring = subject.keyring();
        let early = present(&keyring, key.expose(), at(1)).unwrap();
        assert!(early.allows_model("anything") && early.allows_provider("anything"));
        let elsewhere = subject.open();
        let changed = KeyRecord {
            models: vec!["gpt-4*".to_owned(), "o3".to_owned()],
            providers: vec!["openai".to_owned()],
            ..record
        };
        assert!(elsewhere.update(&changed).unwrap());
        assert!(keyring.refresh(at(1)).unwrap());
        let late = present(&keyring, key.expose(), at(1)).unwrap();
        assert!(late.allows_model("gpt-4o-mini") && late.allows_model("o3"));
        assert!(!late.allows_model("gpt-3.5") && !late.allows_model("o3-mini"));
        assert!(late.allows_provider("openai") && !late.allows_provider("lab"));
        assert!(elsewhere.revoke(&changed.id, at(2)).unwrap());
        assert!(!elsewhere.update(&changed).unwrap());
        let revoked = elsewhere.lookup(&changed.id, "").unwrap().remove(0);
        assert!(elsewhere.update(&revoked).unwrap());
        assert!(keyring.refresh(at(3)).unwrap());
        assert_eq!(early.recheck(at(3)), Err(Denied::Revoked));
    });
}

#[test]
fn a_rotated_key_has_an_overlap() {
    each(|subject| {
        let (old, record) = subject.key(|_| {});
        let keyring = subject.keyring();
        let principal = present(&keyring, old.expose(), at(1)).unwrap();
        let new = generate().unwrap();
        let bearer = Bearer::new(&subject.pepper(), &new).unwrap();
        subject.open().rotate(&record.id, &bearer, at(100)).unwrap();
        assert!(keyring.refresh(at(2)).unwrap());
        let rotated = present(&keyring, new.expose(), at(2)).unwrap();
        assert_eq!(
            (&rotated.key.id, &rotated.key.prefix),
            (&record.id, &bearer.prefix)
        );
        assert!(present(&keyring, old.expose(), at(99)).is_ok());
        assert_eq!(principal.expires(), Some(at(100)));
        assert_eq!(
            refused(&keyring, old.expose(), at(100)),
            Some(Denied::Expired)
        );
        assert_eq!(principal.recheck(at(100)), Err(Denied::Expired));
        assert!(present(&keyring, new.expose(), at(100)).is_ok());
    });
}

#[test]
fn teams_add_their_restrictions_at_once() {
    each(|subject| {
        let (key, _) = subject.key(|record| {
            record.team = Some("red".to_owned());
            record.models = vec!["gpt-*".to_owned()];
        });
        let keyring = subject.keyring();
        let before = present(&keyring, key.expose(), at(1)).unwrap();
        assert!(before.team.is_none() && before.policy().is_none());
        let team = Team {
            name: "red".into(),
            policy: Some("strict".to_owned()),
            limit: Some("5/second".parse().unwrap()),
            models: vec!["*-mini".to_owned()],
            providers: vec!["openai".to_owned()],
            labels: [("a".to_owned(), "b".to_owned())].into(),
            ..Team::default()
        };
        let elsewhere = subject.open();
        assert!(elsewhere.put_team(&team).unwrap());
        assert!(
            !elsewhere.put_team(&team).unwrap(),
            "it has another version"
        );
        let kept = elsewhere.teams().unwrap().remove(0);
        let team = Team {
            version: kept.version,
            ..team
        };
        assert_eq!(kept, team);
        assert!(keyring.refresh(at(1)).unwrap());
        for keyring in [&keyring, &subject.keyring()] {
            let principal = present(keyring, key.expose(), at(1)).unwrap();
            assert_eq!(principal.team.as_deref(), Some(&team));
            assert_eq!(principal.policy(), Some("strict"));
            assert!(principal.allows_model("gpt-4o-mini"));
            assert!(!principal.allows_model("gpt-4o") && !principal.allows_model("o3-mini"));
            assert!(!principal.allows_provider("lab"));
        }
    });
}

#[test]
fn sessions_live_with_their_key_and_their_own_time() {
    each(|subject| {
        let (key, record) = subject.key(|_| {});
        let keyring = subject.keyring();
        let owner = present(&keyring, key.expose(), at(1)).unwrap();
        let (one, token) = keyring.open_session(&owner, Some("ann"), at(50)).unwrap();
        let (two, other) = keyring.open_session(&owner, None, at(500)).unwrap();
        // Another gateway, or this one after a restart.
        let elsewhere = subject.keyring();
        let principal = present(&elsewhere, token.expose(), at(2)).unwrap();
        assert_eq!(principal.key.id, record.id);
        assert_eq!(principal.session, one.session);
        assert_eq!(principal.user.as_deref(), Some("ann"));
        assert_eq!(
            refused(&elsewhere, token.expose(), at(50)),
            Some(Denied::Expired)
        );
        // A rotated key keeps its sessions.
        let bearer = Bearer::new(&subject.pepper(), &generate().unwrap()).unwrap();
        subject.open().rotate(&record.id, &bearer, at(3)).unwrap();
        let session = present(&elsewhere, other.expose(), at(4)).unwrap();
        let id = two.session.unwrap();
        assert!(!keyring.end_session(&owner, "ses_none", at(5)).unwrap());
        assert!(keyring.end_session(&owner, &id, at(5)).unwrap());
        assert!(elsewhere.refresh(at(5)).unwrap());
        assert_eq!(session.recheck(at(5)), Err(Denied::Revoked));
        // What ended is forgotten.
        let store = subject.open();
        store.sweep(at(50)).unwrap();
        assert!(!store.find(&one.prefix).unwrap().is_empty());
        store.sweep(at(51)).unwrap();
        assert!(store.find(&one.prefix).unwrap().is_empty());
        assert_eq!(
            refused(&subject.keyring(), token.expose(), at(2)),
            Some(Denied::Unknown)
        );
    });
}

#[test]
fn a_revoked_key_takes_its_sessions_along() {
    each(|subject| {
        let (key, record) = subject.key(|_| {});
        let keyring = subject.keyring();
        let owner = present(&keyring, key.expose(), at(1)).unwrap();
        let (_, token) = keyring.open_session(&owner, None, at(500)).unwrap();
        let session = present(&keyring, token.expose(), at(2)).unwrap();
        subject.open().revoke(&record.id, at(3)).unwrap();
        assert!(keyring.refresh(at(3)).unwrap());
        assert_eq!(session.recheck(at(3)), Err(Denied::Revoked));
        assert_eq!(
            refused(&keyring, token.expose(), at(3)),
            Some(Denied::Revoked)
        );
    });
}

#[test]
fn gateways_over_one_store_share_one_pepper() {
    each(|subject| {
        let store = subject.open();
        subject.pepper().check(&*store).unwrap();
        subject.pepper().check(&*store).unwrap();
        let other = tempfile::tempdir().unwrap();
        assert!(Pepper::open(other.path()).unwrap().check(&*store).is_err());
    });
}

/// Of writers that go on from the same value, one is heard.
#[test]
fn a_value_is_replaced_only_by_who_knows_it() {
    each(|subject| {
        let store = subject.open();
        let kept = || subject.open().recall("it's; --").unwrap();
        assert_eq!(kept(), None);
        assert!(!store.remember("it's; --", Some("one"), "two").unwrap());
        assert!(store.remember("it's; --", None, "one").unwrap());
        assert!(!store.remember("it's; --", None, "two").unwrap());
        assert_eq!(kept().as_deref(), Some("one"));
        assert!(!store.remember("it's; --", Some("two"), "three").unwrap());
        assert!(store.remember("it's; --", Some("one"), "two").unwrap());
        assert_eq!(kept().as_deref(), Some("two"));
        assert_eq!(store.recall("other").unwrap(), None);
    });
}

#[test]
fn the_first_key_is_made_once() {
    each(|subject| {
        let (store, pepper) = (subject.open(), subject.pepper());
        let first = KeyRecord::first(&*store, &pepper, at(1)).unwrap().unwrap();
        assert!(KeyRecord::first(&*store, &pepper, at(1)).unwrap().is_none());
        assert!(present(&subject.keyring(), first.expose(), at(2)).is_ok());
    });
}

#[test]
fn changes_come_in_order_from_many_writers() {
    each(|subject| {
        let keys: Vec<_> = (0..4).map(|_| subject.key(|_| {})).collect();
        let keyring = subject.keyring();
        let principals: Vec<_> = keys
            .iter()
            .map(|(key, _)| present(&keyring, key.expose(), at(1)).unwrap())
            .collect();
        std::thread::scope(|scope| {
            for (_, record) in &keys {
                scope.spawn(|| {
                    let store = subject.open();
                    for round in 0..10 {
                        let name = format!("round {round}");
                        let changed = KeyRecord {
                            name,
                            ..store.lookup(&record.id, "").unwrap().remove(0)
                        };
                        assert!(store.update(&changed).unwrap());
                    }
                    assert!(store.revoke(&record.id, at(2)).unwrap());
                });
            }
            while principals
                .iter()
                .any(|principal| principal.recheck(at(3)).is_ok())
            {
                keyring.refresh(at(3)).unwrap();
            }
        });
    });
}

/// The store is killed under load: known keys go on for 5 seconds, then nothing does until it is back; or they go on for
/// as long as it takes, if the operator wants that. Keys that must be looked up are refused, and told apart from wrong ones.
#[test]
fn the_store_is_killed_in_mid_load() {
    let mut server = Postgres::start();
    let subject = Subject::at(server.url.clone());
    let (known, record) = subject.key(|_| {});
    let (unknown, _) = subject.key(|_| {});
    let closed = subject.keyring();
    let local = Keyring::open(subject.open(), subject.pepper(), false).unwrap();
    let set_back = subject.keyring();
    for keyring in [&closed, &local, &set_back] {
        present(keyring, known.expose(), at(1)).unwrap();
    }
    server.kill();
    // A clock that is put back while the store is away lengthens no grace.
    for now in [at(1_000), at(10)] {
        assert!(set_back.refresh(now).is_err());
        assert!(present(&set_back, known.expose(), now).is_ok());
    }
    assert!(present(&set_back, known.expose(), at(15)).is_ok());
    assert_eq!(
        present(&set_back, known.expose(), at(16)).unwrap_err(),
        None
    );
    for keyring in [&closed, &local] {
        assert!(keyring.refresh(at(10)).is_err());
        assert!(keyring.refresh(at(14)).is_err());
        assert!(present(keyring, known.expose(), at(15)).is_ok());
        assert_eq!(
            present(keyring, unknown.expose(), at(15)).unwrap_err(),
            None
        );
    }
    assert_eq!(present(&closed, known.expose(), at(16)).unwrap_err(), None);
    assert!(present(&local, known.expose(), at(16)).is_ok());
    server.restart();
    subject.open().revoke(&record.id, at(20)).unwrap();
    for keyring in [&closed, &local] {
        assert!(keyring.refresh(at(20)).unwrap());
        assert_eq!(
            refused(keyring, known.expose(), at(20)),
            Some(Denied::Revoked)
        );
        assert!(present(keyring, unknown.expose(), at(20)).is_ok());
    }
}

/// Keys that are in memory need no store, used before or not; what is new cannot be told from what is wrong then.
#[test]
fn gathered_keys_outlive_the_store() {
    let mut server = Postgres::start();
    let subject = Subject::at(server.url.clone());
    let (key, _) = subject.key(|_| {});
    let keyring = subject.keyring();
    assert!(keyring.needs_gathering());
    assert!(keyring.gather().unwrap() && !keyring.needs_gathering());
    let (new, _) = subject.key(|_| {});
    server.kill();
    assert!(keyring.known(key.expose(), here(), at(1)).unwrap().is_ok());
    assert_eq!(present(&keyring, new.expose(), at(1)).unwrap_err(), None);
    server.restart();
    assert!(present(&keyring, new.expose(), at(1)).is_ok());
}

/// What changes while keys are gathered is neither missed nor put back, whatever page it is on.
#[test]
fn changes_while_keys_are_gathered_all_count() {
    let subject = Subject::sqlite();
    let (_, first) = subject.key(|_| {});
    let path = subject.folder.path().join("sluicegate.db");
    let connection = rusqlite::Connection::open(path).unwrap();
    let copies = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO keys (id, name, prefix, created, settings, changed)
        SELECT 'key_' || i, 'app', printf('%08d', i), 0, settings, 0 FROM n, keys WHERE id = '{id}';
        INSERT INTO bearers (prefix, hash, key) SELECT prefix, randomblob(32), id FROM keys WHERE id <> '{id}';",
        id = first.id
    );
    connection.execute_batch(&copies).unwrap();
    let gathered = subject.open();
    let mut prefixes: Vec<String> = (1..=5_000).map(|i| format!("{i:08}")).collect();
    std::thread::scope(|scope| {
        let gathering = scope.spawn(|| gathered.gather().unwrap());
        let store = subject.open();
        for i in (1..=5_000).step_by(250) {
            let id = format!("key_{i}");
            match i / 250 % 3 {
                0 => assert!(store.revoke(&id, at(2)).unwrap()),
                1 => {
                    let text = generate().unwrap();
                    let bearer = Bearer::new(&subject.pepper(), &text).unwrap();
                    store.rotate(&id, &bearer, at(3)).unwrap();
                    prefixes.push(bearer.prefix);
                }
                _ => prefixes.push(subject.key(|_| {}).1.prefix),
            }
            gathered.changes(Some(1)).unwrap();
        }
        assert!(gathering.join().unwrap());
    });
    gathered.changes(Some(1)).unwrap();
    let asked = subject.open();
    for prefix in prefixes {
        assert_eq!(
            gathered.at_hand(&prefix).unwrap(),
            asked.find(&prefix).unwrap()
        );
    }
    assert!(gathered.find("absent__").unwrap().is_empty());
}

/// Nobody waits for another who opens a session: what is new is not counted, and found all the same.
#[test]
fn sessions_are_opened_side_by_side() {
    each(|subject| {
        let (_, record) = subject.key(|_| {});
        let (store, other) = (subject.open(), subject.open());
        assert!(other.gather().unwrap());
        let before = store.changes(None).unwrap().version;
        let session = |number: usize| {
            let text = generate().unwrap();
            let bearer = Bearer {
                session: Some(format!("ses_{number}").into()),
                ..Bearer::new(&subject.pepper(), &text).unwrap()
            };
            store.add_session(&record.id, &bearer).unwrap();
            bearer
        };
        let sessions: Vec<Bearer> = (0..20).map(session).collect();
        assert_eq!(store.changes(None).unwrap().version, before);
        // Asked for at once, they share a look, and so do those that nobody has.
        let found = std::thread::scope(|scope| {
            let find = |prefix: String| scope.spawn(|| (other.find(&prefix).unwrap(), prefix));
            let absent = (0..20).map(|number| format!("absent{number:02}"));
            let prefixes = sessions.iter().map(|bearer| bearer.prefix.clone());
            let asked: Vec<_> = prefixes.chain(absent).map(find).collect();
            let ended = asked.into_iter().map(|asked| asked.join().unwrap());
            ended.collect::<Vec<_>>()
        });
        for (place, (grants, prefix)) in found.iter().enumerate() {
            let hashes: Vec<_> = grants.iter().map(|grant| grant.bearer.hash).collect();
            let expected: Vec<_> = sessions
                .get(place)
                .map(|bearer| bearer.hash)
                .into_iter()
                .collect();
            assert_eq!(hashes, expected, "{prefix}");
        }
        // They are in memory from then on, and an end is heard of.
        assert_eq!(other.at_hand(&sessions[0].prefix).unwrap().len(), 1);
        assert!(store.end_session(&record.id, "ses_0", at(9)).unwrap());
        other.changes(Some(before)).unwrap();
        let ended = other.at_hand(&sessions[0].prefix).unwrap();
        assert_eq!(ended[0].bearer.revoked, Some(at(9)));
    });
}

/// After a backup was put back anything may be otherwise: keys are gathered again, and looked up until then.
#[test]
fn a_store_put_back_from_a_backup_is_gathered_again() {
    let subject = Subject::sqlite();
    let (key, record) = subject.key(|_| {});
    let (later, _) = subject.key(|_| {});
    let keyring = Keyring::open(subject.open(), subject.pepper(), true).unwrap();
    assert!(keyring.gather().unwrap());
    let path = subject.folder.path().join("sluicegate.db");
    let backup = format!(
        "DELETE FROM bearers WHERE key <> '{}'; UPDATE counters SET value = 1;",
        record.id
    );
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(&backup).unwrap();
    keyring.refresh(at(1)).unwrap();
    assert!(keyring.needs_gathering());
    for _ in 0..2 {
        assert!(present(&keyring, key.expose(), at(1)).is_ok());
        assert_eq!(
            refused(&keyring, later.expose(), at(1)),
            Some(Denied::Unknown)
        );
        assert!(keyring.gather().unwrap());
    }
}

#[test]
fn a_database_that_lets_nobody_in_is_told_without_its_password() {
    let server = Postgres::shared();
    let config = Config {
        url: Secret::new(server.url.replace("gateway:", "other:")),
        ..Config::default()
    };
    let began = std::time::Instant::now();
    let error = store::open(&config, Path::new(""), None).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains(&password()),
        "{error:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(30));
}

/// Over TLS: the server's certificate must be vouched for, and be for the name that was asked for.
#[test]
fn postgres_is_spoken_to_by_tls() {
    let mut server = Postgres::start();
    let plain = Config {
        url: Secret::new(format!("{}?sslmode=require", server.url)),
        ..Config::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let refused = |config: &Config| {
        let error = store::open(config, folder.path(), None).unwrap_err();
        assert!(matches!(error, OpenError::Connect { .. }), "{error}");
        assert!(!format!("{error:?}").contains(&password()));
    };
    refused(&plain); // it has no TLS yet
    let ca = server.speak_tls("127.0.0.1");
    let trusted = Config {
        ca: Some(ca),
        ..plain.clone()
    };
    let store = store::open(&trusted, folder.path(), None).unwrap();
    assert!(store.list(None, 1).unwrap().is_empty());
    refused(&plain); // nobody vouches for it
    refused(&Config {
        url: Secret::new(format!("{}?sslmode=disable", server.url)),
        ..trusted.clone()
    });
    let other = server.speak_tls("database.example");
    refused(&Config {
        ca: Some(other),
        ..plain
    });
}
