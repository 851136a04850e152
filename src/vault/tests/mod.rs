//! What a vault promises, whoever edits its files.

mod change;
mod shelf;
mod tamper;

use super::*;
use std::fs;
use tempfile::TempDir;

const OPERATOR: Reader<'_> = Reader {
    who: "test",
    level: Level::Admin,
};

fn now() -> Timestamp {
    Timestamp::from_second(1_000).unwrap()
}

fn master(text: &str) -> MasterKey {
    MasterKey::from_text(&Secret::new(text)).unwrap()
}

fn key() -> MasterKey {
    master("QNPyuU2u6POyMVWCUw5WG-Gf0Y4oGq4cOnrUYdM5Wj4=")
}

fn open(folder: &TempDir) -> Vault {
    Vault::open(folder.path(), Some(&key())).unwrap()
}

fn put(vault: &Vault, name: &str, secret: impl Into<String>) -> Result<u64, Error> {
    let entry = NewEntry {
        name,
        secret: &Secret::new(secret),
        level: Level::Elevated,
    };
    vault.set(entry, OPERATOR, now())
}

fn read(vault: &Vault, name: &str) -> Result<Secret, Error> {
    vault.read(name, OPERATOR, now())
}

/// What a store is to a vault.
#[derive(Debug, Default)]
struct Memory(Mutex<Option<String>>);

impl Shelf for Memory {
    fn kept(&self) -> Result<Option<String>, ShelfError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn replace(&self, old: Option<&str>, new: &str) -> Result<bool, ShelfError> {
        let mut kept = self.0.lock().unwrap();
        let is_old = kept.as_deref() == old;
        if is_old {
            *kept = Some(new.to_owned());
        }
        Ok(is_old)
    }
}

/// A vault with two entries of the same length.
fn filled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(&folder);
    put(&vault, "openai", "first secret").unwrap();
    put(&vault, "gemini", "other secret").unwrap();
    folder
}

fn edit(folder: &TempDir, change: impl FnOnce(&mut serde_json::Value)) {
    let path = folder.path().join("vault.json");
    let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(&path, serde_json::to_vec(&value).unwrap()).unwrap();
}

/// [vault_roundtrip-159]
#[test]
fn a_secret_comes_back_and_is_nowhere_on_the_disk() {
    let folder = filled();
    let vault = open(&folder);
    assert_eq!(read(&vault, "openai").unwrap().expose(), "first secret");
    assert_eq!(read(&vault, "gemini").unwrap().expose(), "other secret");
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for plain in [b"first secret", b"other secret"] {
            assert!(!bytes.windows(plain.len()).any(|window| window == plain));
        }
    }
    assert!(!format!("{vault:?}").contains("secret"));
}

/// [vault_crypto-199]
#[test]
fn a_passphrase_opens_it_after_a_restart_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(folder.path(), Some(&master("my very secret passphrase"))).unwrap();
    put(&vault, "openai", "value").unwrap();
    drop(vault);
    let vault = Vault::open(folder.path(), Some(&master("my very secret passphrase"))).unwrap();
    assert_eq!(read(&vault, "openai").unwrap().expose(), "value");
    let other = Vault::open(folder.path(), Some(&master("my very secret Passphrase")));
    assert!(matches!(other, Err(Error::WrongKey { .. })));
}

#[test]
fn both_base64_alphabets_make_the_same_key() {
    let folder = filled();
    for text in [
        "QNPyuU2u6POyMVWCUw5WG-Gf0Y4oGq4cOnrUYdM5Wj4",
        "QNPyuU2u6POyMVWCUw5WG+Gf0Y4oGq4cOnrUYdM5Wj4=\n",
    ] {
        assert!(
            Vault::open(folder.path(), Some(&master(text))).is_ok(),
            "{text}"
        );
    }
    assert_eq!(
        MasterKey::from_text(&Secret::new(" ")).unwrap_err(),
        EmptyMasterKey
    );
}

/// [vault_crypto-198]
#[test]
fn another_key_is_told_from_damage_and_changes_nothing() {
    let folder = filled();
    let before = fs::read(folder.path().join("vault.json")).unwrap();
    let other = master("2IwzE_4iO2ihAmUldD1Ck64tXxjSM9nGlCcUXNHChMs=");
    let error = Vault::open(folder.path(), Some(&other)).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }));
    assert!(
        error.to_string().contains("SLUICEGATE_MASTER_KEY"),
        "{error}"
    );
    assert_eq!(fs::read(folder.path().join("vault.json")).unwrap(), before);
}

/// [vault_crypto-203]
#[test]
fn without_a_key_entries_end_with_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(folder.path(), None).unwrap();
    assert!(vault.is_temporary());
    put(&vault, "openai", "value").unwrap();
    assert_eq!(read(&vault, "openai").unwrap().expose(), "value");
    assert!(!vault.refresh().unwrap());
    assert!(Vault::open(folder.path(), None).unwrap().list().is_empty());
    assert!(!folder.path().join("vault.json").exists());
}

#[test]
fn sealed_entries_are_not_passed_over_for_a_temporary_vault() {
    let folder = filled();
    let error = Vault::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, Error::NoMasterKey { .. }));
}

/// [vault_access-160] to [vault_access-189]
#[test]
fn a_level_opens_its_own_and_lower_ones() {
    for (held, required) in [
        "public", "standard", "elevated", "admin", "root", "", "unknown",
    ]
    .into_iter()
    .flat_map(|held| {
        ["public", "standard", "elevated", "admin", "unknown", ""].map(|required| (held, required))
    }) {
        let rank = |name: &str| {
            ["public", "standard", "elevated", "admin"]
                .iter()
                .position(|level| *level == name)
        };
        let expected = rank(held)
            .zip(rank(required))
            .is_some_and(|(held, required)| held >= required);
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), None).unwrap();
        vault
            .set(
                NewEntry {
                    name: "entry",
                    secret: &Secret::new("value"),
                    level: Level::Public,
                },
                OPERATOR,
                now(),
            )
            .unwrap();
        let mut record = vault.state.load().contents.entries["entry"].clone();
        record.level = required.to_owned();
        let granted = held.parse().is_ok_and(|held| record.permits(held));
        assert_eq!(granted, expected, "{held:?} reads {required:?}");
    }
}

#[test]
fn every_read_and_refusal_is_logged() {
    let folder = filled();
    let vault = open(&folder);
    let low = Reader {
        who: "page",
        level: Level::Standard,
    };
    read(&vault, "openai").unwrap();
    assert!(matches!(
        vault.read("openai", low, now()),
        Err(Error::Denied { .. })
    ));
    assert!(matches!(
        vault.read("none", low, now()),
        Err(Error::UnknownEntry { .. })
    ));
    vault.delete("openai", OPERATOR, now()).unwrap();
    let log = fs::read_to_string(folder.path().join("vault.access.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            r#"{"time":"1970-01-01T00:16:40Z","who":"test","action":"read","entry":"openai","version":1,"level":"admin","granted":true}"#,
            r#"{"time":"1970-01-01T00:16:40Z","who":"page","action":"read","entry":"openai","version":1,"level":"standard","granted":false,"reason":"denied"}"#,
            r#"{"time":"1970-01-01T00:16:40Z","who":"page","action":"read","entry":"none","version":null,"level":"standard","granted":false,"reason":"unknown entry"}"#,
            r#"{"time":"1970-01-01T00:16:40Z","who":"test","action":"delete","entry":"openai","version":1,"level":"admin","granted":true}"#,
        ]
    );
}

/// [vault_crypto-204], [vault_crypto-206], [vault_crypto-207]
#[test]
fn secrets_are_trimmed_and_fit_into_a_header() {
    let folder = filled();
    let vault = open(&folder);
    put(&vault, "openai", "  abc \n").unwrap();
    assert_eq!(read(&vault, "openai").unwrap().expose(), "abc");
    for unfit in ["   ", "abc\ndef", "abc\u{1}", "abc\u{e9}"] {
        let refused = put(&vault, "openai", unfit).unwrap_err();
        assert!(matches!(refused, Error::UnfitSecret { .. }), "{refused}");
        assert!(!refused.to_string().contains("abc"), "{refused}");
    }
    assert_eq!(read(&vault, "openai").unwrap().expose(), "abc");
}

#[test]
fn names_are_plain_words() {
    let folder = filled();
    let vault = open(&folder);
    for name in ["", "a b", "a/b", "../x", "\u{e9}", &"a".repeat(65)] {
        let result = put(&vault, name, "value");
        assert!(matches!(result, Err(Error::InvalidName)), "{name}");
    }
    assert_eq!(vault.list().len(), 2);
}

#[test]
fn versions_never_come_twice() {
    let folder = filled();
    let vault = open(&folder);
    vault.delete("openai", OPERATOR, now()).unwrap();
    let later = Timestamp::from_second(2_000).unwrap();
    let version = vault
        .set(
            NewEntry {
                name: "openai",
                secret: &Secret::new("new"),
                level: Level::Elevated,
            },
            OPERATOR,
            later,
        )
        .unwrap();
    assert_eq!(version, 4);
    let entry = &vault.list()[1];
    assert_eq!(
        (entry.name.as_str(), entry.version, entry.created),
        ("openai", 4, later)
    );
}
