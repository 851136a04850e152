//! What is kept: credentials, limits, sessions, the record.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sluicegate::audit::{self, Change, Record};
use sluicegate::auth::{Bearer, KeyRecord, Keyring, Pepper, generate};
use sluicegate::limit::{Caller, Limiter, Rule, Rules, Scope, Setup};
use sluicegate::secret::Secret;
use sluicegate::store;
use sluicegate::vault::{Level, MasterKey, NewEntry, Reader, Vault};

use crate::{Case, Result, expect};

const KEY: &str = "QNPyuU2u6POyMVWCUw5WG+Gf0Y4oGq4cOnrUYdM5Wj4=";

fn master(text: &str) -> MasterKey {
    MasterKey::from_text(&Secret::new(text.to_owned())).unwrap()
}

fn reader(level: Level) -> Reader<'static> {
    Reader { who: "test", level }
}

/// Keeps a secret of some level in a vault.
fn keep(vault: &Vault, secret: &str, level: Level) {
    let secret = Secret::new(secret.to_owned());
    let new = NewEntry {
        name: "openai",
        secret: &secret,
        level,
    };
    vault
        .set(new, reader(Level::Admin), Timestamp::UNIX_EPOCH)
        .unwrap();
}

fn read(vault: &Vault, level: Level) -> Option<String> {
    let secret = vault.read("openai", reader(level), Timestamp::UNIX_EPOCH);
    secret.ok().map(|secret| secret.expose().to_owned())
}

/// A level may read what needs it or less; a word that is no level reads nothing and is read by nobody.
pub(crate) fn vault_access(case: &Case) -> Result {
    let level = |key: &str| case.input[key].as_str().unwrap().parse::<Level>();
    let granted = match (level("requester"), level("required")) {
        (Ok(requester), Ok(required)) => {
            let folder = folder();
            let vault = Vault::open(folder.path(), None).unwrap();
            keep(&vault, "s", required);
            read(&vault, requester).is_some()
        }
        _ => false,
    };
    expect(granted, case.expect["granted"].as_bool().unwrap())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Every byte of every file in a folder.
fn on_disk(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// What is kept comes back, also from another process, and is nowhere on the disk.
fn roundtrip(key: &str, secret: &str) -> Result {
    let folder = folder();
    keep(
        &Vault::open(folder.path(), Some(&master(key))).unwrap(),
        secret,
        Level::Elevated,
    );
    expect(holds(&on_disk(folder.path()), secret), false)?;
    let again = Vault::open(folder.path(), Some(&master(key))).unwrap();
    expect(read(&again, Level::Elevated).as_deref(), Some(secret))
}

pub(crate) fn vault_roundtrip(case: &Case) -> Result {
    roundtrip(KEY, case.input["key"].as_str().unwrap())
}

/// What `sluicegate vault set` keeps of what it is given; nothing if it refuses.
fn set_by_command(given: &str) -> Option<String> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicegate"));
    command
        .args(["vault", "set", "openai", "--data"])
        .arg(folder.path());
    command
        .env("SLUICEGATE_MASTER_KEY", KEY)
        .stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(given.as_bytes())
        .unwrap();
    if !child.wait().unwrap().success() {
        return None;
    }
    let vault = Vault::open(folder.path(), Some(&master(KEY))).unwrap();
    read(&vault, Level::Elevated)
}

pub(crate) fn vault_crypto(case: &Case) -> Result {
    let folder = folder();
    let open = |key: Option<&str>| {
        let key = key.map(master);
        Vault::open(folder.path(), key.as_ref())
    };
    let text = |key: &str| case.input[key].as_str().unwrap_or_default();
    let salt = folder.path().join("vault.salt");
    match case.id.as_str() {
        "vault_crypto-197" => roundtrip(KEY, text("plaintext")),
        "vault_crypto-198" => {
            keep(
                &open(Some(text("key_a"))).unwrap(),
                text("plaintext"),
                Level::Elevated,
            );
            expect(open(Some(text("key_b"))).is_err(), true)
        }
        "vault_crypto-199" => roundtrip(text("passphrase"), text("plaintext")),
        "vault_crypto-200" => {
            drop(open(Some("a passphrase")).unwrap());
            let mode = std::fs::metadata(&salt).unwrap().permissions().mode() & 0o777;
            expect(mode, 0o600)?;
            let written: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&salt).unwrap()).unwrap();
            let bytes = written["bytes"].as_str().unwrap().trim_end_matches('=');
            expect(bytes.len() * 6 / 8, 16)
        }
        "vault_crypto-201" | "vault_crypto-202" => {
            drop(open(Some(KEY)).unwrap());
            let whole = std::fs::read(&salt).unwrap();
            std::fs::write(&salt, &whole[..whole.len() / 2]).unwrap();
            expect(open(Some(KEY)).is_err(), true)?;
            expect(std::fs::read(&salt).unwrap().len(), whole.len() / 2)
        }
        "vault_crypto-203" => {
            let vault = open(None).unwrap();
            expect(vault.is_temporary(), true)?;
            keep(&vault, "secret", Level::Elevated);
            drop(vault);
            expect(read(&open(None).unwrap(), Level::Elevated), None)
        }
        // A secret of nothing is none: it is refused, not kept unsealed.
        "vault_crypto-204" => expect(set_by_command(""), None),
        "vault_crypto-205" => {
            keep(&open(Some(KEY)).unwrap(), "secret", Level::Elevated);
            let file = folder.path().join("vault.json");
            let mut written: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            written["entries"]["openai"]["sealed"] = "AAAA".into();
            std::fs::write(&file, written.to_string()).unwrap();
            expect(
                open(Some(KEY))
                    .ok()
                    .and_then(|vault| read(&vault, Level::Elevated)),
                None,
            )
        }
        "vault_crypto-206" => expect(set_by_command("  some-key \n").as_deref(), Some("some-key")),
        "vault_crypto-207" => expect(set_by_command(text("cartesia_key")), None),
        id => panic!("{id}: a case that nothing here knows"),
    }
}

/// A limiter that goes by these limits of keys and everyone; how many of so many requests of a key it admits after so many seconds.
struct Limits(Arc<Limiter>, Instant);

impl Limits {
    fn new(quotas: &[(Scope, &str)]) -> Self {
        let rule = |(scope, quota): &(Scope, &str)| Rule {
            scope: *scope,
            pattern: "*".to_owned(),
            quota: quota.parse().unwrap(),
        };
        let rules = Rules(quotas.iter().map(rule).collect());
        let (start, setup) = (
            Instant::now(),
            Setup {
                rules,
                ..Setup::default()
            },
        );
        Self(
            Arc::new(Limiter::new(setup, start, Timestamp::UNIX_EPOCH)),
            start,
        )
    }

    fn admits(&self, key: &str, requests: usize, second: u64) -> usize {
        let caller = Caller {
            key: &key.into(),
            name: key,
            team: None,
            quota: None,
            team_quota: None,
        };
        let now = self.1 + Duration::from_secs(second);
        let time = Timestamp::from_second(second.cast_signed()).unwrap();
        let admits = |_: &usize| self.0.admit(caller, now, time).1.is_ok();
        (0..requests).filter(admits).count()
    }
}

/// What is used up comes back.
pub(crate) fn refill(case: &Case) -> Result {
    let limits = Limits::new(&[(Scope::Key, "5/minute")]);
    expect(limits.admits("k", 6, 0), 5)?;
    expect(
        limits.admits("k", 6, case.input["then_wait_s"].as_u64().unwrap()),
        5,
    )
}

pub(crate) fn rate_limit(case: &Case) -> Result {
    let requests = || usize::try_from(case.input["requests"].as_u64().unwrap()).unwrap();
    let usual = Limits::new(&[(Scope::Key, "60/minute")]);
    match case.id.as_str() {
        "rate_limit-208" => {
            expect(usual.admits("k", requests(), 0), 60)?;
            expect(usual.admits("other", 1, 0), 1)
        }
        "rate_limit-209" => expect(usual.admits("k", requests(), 0), 10),
        // A burst is a rate of its own, and the strictest of all limits counts.
        "rate_limit-211" => {
            let limits = Limits::new(&[
                (Scope::Key, "5/minute"),
                (Scope::Everyone, "10/minute"),
                (Scope::Key, "3/second"),
            ]);
            expect(limits.admits("k", requests(), 0), 3)
        }
        // A request that one limit refuses takes nothing from the others.
        "rate_limit-213" => {
            let limits = Limits::new(&[
                (Scope::Key, "5/second"),
                (Scope::Key, "10/hour"),
                (Scope::Everyone, "100/hour"),
            ]);
            expect(limits.admits("k", 20, 0), 5)?;
            expect(limits.admits("k", 20, 1), 5)?;
            expect(limits.admits("k", 20, 2), 0)?;
            expect(limits.admits("other", 1, 2), 1)
        }
        id => panic!("{id}: a case that nothing here knows"),
    }
}

/// A session lives as long as it was opened for, and what is none does not live at all.
pub(crate) fn session(case: &Case) -> Result {
    let folder = folder();
    let pepper = || Pepper::open(folder.path()).unwrap();
    let store = store::open(&store::Config::default(), folder.path(), None).unwrap();
    let key = generate().unwrap();
    let bearer = Bearer::new(&pepper(), &key).unwrap();
    let start = Timestamp::UNIX_EPOCH;
    store
        .insert(&KeyRecord::new(&bearer.prefix, "app", start), &bearer)
        .unwrap();
    let keyring = Keyring::open(store, pepper(), true).unwrap();
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let principal = keyring.look_up(key.expose(), here, start).ok().unwrap();
    let seconds = case.input["expires_in_seconds"].as_i64().unwrap();
    let after = |seconds| {
        start
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap()
    };
    let (_, token) = keyring
        .open_session(&principal, None, after(seconds))
        .unwrap();
    let valid = |token: &str, at| keyring.look_up(token, here, at).is_ok();
    expect(valid(token.expose(), start), true)?;
    expect(valid(token.expose(), after(2)), false)?;
    expect(valid("sg-unknown", start), false)
}

/// What was done can be read back with its number, and an edited log does not verify.
pub(crate) fn audit() -> Result {
    let folder = folder();
    let log = audit::Log::open(folder.path(), Timestamp::UNIX_EPOCH).unwrap();
    let change = |what| {
        let time = "2024-01-01T00:00:00Z".parse().unwrap();
        let (who, subject) = ("test_user".to_owned(), "original_data".to_owned());
        Record::Change(Change {
            time,
            who,
            what,
            subject,
        })
    };
    let first = log.append(&change("file.read")).unwrap();
    let second = log.append(&change("test.action")).unwrap();
    expect(second, first + 1)?;
    log.flush().unwrap();
    drop(log);
    let lines = audit::tail(folder.path(), 10).unwrap().0.concat();
    expect(
        lines.contains("file.read") && lines.contains("test_user"),
        true,
    )?;
    expect(audit::verify(folder.path(), |_| {}).is_ok(), true)?;
    let file = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path());
    let file = file
        .into_iter()
        .find(|file| file.extension().is_some_and(|kind| kind == "jsonl"))
        .unwrap();
    let edited = std::fs::read_to_string(&file)
        .unwrap()
        .replace("original_data", "other_data");
    std::fs::write(&file, edited).unwrap();
    expect(audit::verify(folder.path(), |_| {}).is_err(), true)
}
