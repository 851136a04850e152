//! What a vault promises, whoever edits its files.

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
fn secrets_are_trimmed_and_never_empty() {
    let folder = filled();
    let vault = open(&folder);
    put(&vault, "openai", "  abc \n").unwrap();
    assert_eq!(read(&vault, "openai").unwrap().expose(), "abc");
    let blank = put(&vault, "openai", "   ");
    assert!(matches!(blank, Err(Error::EmptySecret { .. })));
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

/// A change made to a file, and the error it must give.
type Tamper = (fn(&mut serde_json::Value), &'static str);

const TAMPERS: [Tamper; 11] = [
    (
        |file| file["entries"]["openai"] = file["entries"]["gemini"].clone(),
        "swapped",
    ),
    (
        |file| {
            file["entries"]["openai"]["sealed"] = file["entries"]["gemini"]["sealed"].clone();
        },
        "damaged",
    ),
    (
        |file| {
            file["entries"]["openai"]["sealed"]["secret"] =
                file["entries"]["gemini"]["sealed"]["secret"].clone();
        },
        "damaged",
    ),
    (
        |file| {
            file["entries"]["openai"]["sealed"]["secret"] =
                file["entries"]["openai"]["sealed"]["key"].clone();
        },
        "damaged",
    ),
    (
        |file| file["entries"]["openai"]["level"] = "public".into(),
        "damaged",
    ),
    (
        |file| file["entries"]["openai"]["level"] = "root".into(),
        "denied",
    ),
    (
        |file| file["entries"]["openai"]["version"] = 7.into(),
        "swapped",
    ),
    (
        |file| file["entries"]["openai"]["sealed"]["secret"] = "not base64!".into(),
        "damaged",
    ),
    (
        |file| file["entries"]["openai"]["sealed"]["key"] = "".into(),
        "damaged",
    ),
    (
        |file| {
            let previous = file["entries"]["gemini"]["sealed"].clone();
            file["entries"]["openai"]["previous"] = serde_json::json!(
                {"version": 2, "until": "2100-01-01T00:00:00Z", "sealed": previous}
            );
        },
        "swapped",
    ),
    (
        |file| {
            file["entries"].as_object_mut().unwrap().remove("openai");
        },
        "lost",
    ),
];

/// Each way to damage an entry makes that entry unreadable, with an error of its own kind, and no other.
#[test]
fn an_entry_that_was_tampered_with_is_named() {
    for (index, (tamper, kind)) in TAMPERS.into_iter().enumerate() {
        let folder = filled();
        edit(&folder, tamper);
        let vault = open(&folder);
        let error = read(&vault, "openai").unwrap_err();
        assert_eq!(error.kind(), kind, "{index}: {error}");
        assert!(error.to_string().contains("openai"), "{index}: {error}");
        let other = read(&vault, "gemini").unwrap();
        assert_eq!(other.expose(), "other secret", "{index}");
        let damaged: Vec<_> = vault
            .check(OPERATOR, now())
            .into_iter()
            .filter(|(_, opened)| opened.is_err())
            .collect();
        assert_eq!(damaged.len(), 1, "{index}");
    }
}

/// What says what belongs in the vault cannot be edited either.
#[test]
fn an_index_that_was_tampered_with_opens_nothing() {
    let tampers: [fn(&mut serde_json::Value); 4] = [
        |file| file["generation"] = 9.into(),
        |file| file["messages"] = 0.into(),
        |file| file["index"] = file["clients"].clone(),
        |file| file["clients"] = file["index"].clone(),
    ];
    for tamper in tampers {
        let folder = filled();
        edit(&folder, tamper);
        let error = Vault::open(folder.path(), Some(&key())).unwrap_err();
        assert!(matches!(error, Error::DamagedIndex { .. }), "{error}");
    }
}

/// [PITFALLS P68] An entry as it was before is not taken for the present one.
#[test]
fn an_entry_put_back_from_an_older_file_does_not_open() {
    let folder = filled();
    let path = folder.path().join("vault.json");
    let old: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    put(&open(&folder), "openai", "newer").unwrap();
    edit(&folder, |file| {
        file["entries"]["openai"] = old["entries"]["openai"].clone();
    });
    let error = read(&open(&folder), "openai").unwrap_err();
    assert!(matches!(error, Error::SwappedEntry { .. }), "{error}");
    // Setting it again mends it.
    put(&open(&folder), "openai", "newest").unwrap();
    assert_eq!(read(&open(&folder), "openai").unwrap().expose(), "newest");
}

/// [PITFALLS P68] An older file is not taken for the present one after a restart either.
#[test]
fn an_older_file_is_refused_after_a_restart() {
    let folder = filled();
    let (path, mark) = (
        folder.path().join("vault.json"),
        folder.path().join("vault.mark"),
    );
    let old = fs::read(&path).unwrap();
    put(&open(&folder), "openai", "newer").unwrap();
    fs::write(&path, old).unwrap();
    let opened = || Vault::open(folder.path(), Some(&key()));
    let error = opened().unwrap_err();
    let is_older = matches!(
        error,
        Error::OlderFile {
            found: 2,
            known: 3,
            ..
        }
    );
    assert!(is_older, "{error}");
    assert!(error.to_string().contains("vault.mark"), "{error}");
    fs::write(&mark, r#"{"format": 2, "mark": "AAAA"}"#).unwrap();
    assert!(matches!(opened().unwrap_err(), Error::DamagedMark { .. }));
    // The operator's way to accept it.
    fs::remove_file(&mark).unwrap();
    assert_eq!(
        read(&opened().unwrap(), "openai").unwrap().expose(),
        "first secret"
    );
    assert!(mark.exists());
}

#[test]
fn an_entry_under_another_name_does_not_open() {
    let folder = filled();
    edit(&folder, |file| {
        file["entries"]["copy"] = file["entries"]["openai"].clone();
    });
    let error = read(&open(&folder), "copy").unwrap_err();
    assert!(matches!(error, Error::SwappedEntry { .. }), "{error}");
}

#[test]
fn a_rotated_secret_works_until_its_overlap_ends() {
    let folder = filled();
    let vault = open(&folder);
    let until = Timestamp::from_second(1_060).unwrap();
    let rotate = |secret: &str, by| {
        let rotation = Rotation {
            name: "openai",
            secret: &Secret::new(secret),
            until,
        };
        vault.rotate(rotation, by, now())
    };
    let before = |second| {
        let at = Timestamp::from_second(second).unwrap();
        let before = vault.previous("openai", OPERATOR, at).unwrap();
        before.map(|secret| secret.expose().to_owned())
    };
    assert_eq!(before(1_000), None);
    let low = Reader {
        who: "page",
        level: Level::Standard,
    };
    assert!(matches!(rotate("x", low), Err(Error::Denied { .. })));
    assert_eq!(rotate("second", OPERATOR).unwrap(), 3);
    assert_eq!(read(&vault, "openai").unwrap().expose(), "second");
    assert_eq!(before(1_059).as_deref(), Some("first secret"));
    assert!(matches!(
        vault.previous("openai", low, now()),
        Err(Error::Denied { .. })
    ));
    assert_eq!(before(1_060), None);
    assert_eq!(open(&folder).check(OPERATOR, now()).len(), 3);
    // An end that was moved away opens nothing.
    edit(&folder, |file| {
        file["entries"]["openai"]["previous"]["until"] = "2100-01-01T00:00:00Z".into();
    });
    let moved = open(&folder).previous("openai", OPERATOR, now());
    assert!(matches!(moved, Err(Error::DamagedEntry { .. })));
    // Swept once over, and gone for good.
    assert_eq!(rotate("third", OPERATOR).unwrap(), 4);
    vault.sweep(now()).unwrap();
    assert_eq!(before(1_059).as_deref(), Some("second"));
    vault.sweep(until).unwrap();
    assert_eq!(before(1_059), None);
    let text = fs::read_to_string(folder.path().join("vault.json")).unwrap();
    assert!(!text.contains("previous"), "{text}");
    // What was put there by other means is left for whoever looks, and not written again and again.
    edit(&folder, |file| {
        let sealed = file["entries"]["openai"]["sealed"].clone();
        file["entries"]["openai"]["previous"] =
            serde_json::json!({"version": 3, "until": "1970-01-01T00:00:01Z", "sealed": sealed});
    });
    let before = fs::read(folder.path().join("vault.json")).unwrap();
    open(&folder).sweep(until).unwrap();
    assert_eq!(fs::read(folder.path().join("vault.json")).unwrap(), before);
    let unknown = Rotation {
        name: "none",
        secret: &Secret::new("x"),
        until,
    };
    assert!(matches!(
        vault.rotate(unknown, OPERATOR, now()),
        Err(Error::UnknownEntry { .. })
    ));
}

fn other_key() -> MasterKey {
    master("2IwzE_4iO2ihAmUldD1Ck64tXxjSM9nGlCcUXNHChMs=")
}

#[test]
fn a_new_master_key_opens_everything_and_the_old_one_nothing() {
    let folder = filled();
    let running = open(&folder);
    let owned = Owned {
        holder: "key_1",
        provider: "openai",
    };
    let secret = Secret::new("brought along");
    let kept = running.seal_owned(owned, &secret, OPERATOR, now()).unwrap();
    let rotation = Rotation {
        name: "gemini",
        secret: &Secret::new("newer secret"),
        until: Timestamp::from_second(2_000).unwrap(),
    };
    running.rotate(rotation, OPERATOR, now()).unwrap();
    let mut seen = Vec::new();
    let progress = &mut |done, of| seen.push((done, of));
    let count = open(&folder)
        .rekey(&other_key(), OPERATOR, now(), progress)
        .unwrap();
    assert_eq!((count, seen), (2, vec![(0, 2), (1, 2), (2, 2)]));
    let old = Vault::open(folder.path(), Some(&key()));
    assert!(matches!(old, Err(Error::WrongKey { .. })));
    let vault = Vault::open(folder.path(), Some(&other_key())).unwrap();
    assert_eq!(read(&vault, "openai").unwrap().expose(), "first secret");
    assert_eq!(read(&vault, "gemini").unwrap().expose(), "newer secret");
    let before = vault.previous("gemini", OPERATOR, now()).unwrap();
    assert_eq!(before.unwrap().expose(), "other secret");
    let brought = vault.open_owned(owned, &kept, OPERATOR, now()).unwrap();
    assert_eq!(brought.expose(), "brought along");
    // What runs says so, goes on with what it knows, and changes nothing.
    assert!(matches!(running.refresh(), Err(Error::Rekeyed { .. })));
    assert_eq!(read(&running, "openai").unwrap().expose(), "first secret");
    let set = put(&running, "openai", "lost");
    assert!(matches!(set, Err(Error::Rekeyed { .. })));
    assert_eq!(read(&vault, "openai").unwrap().expose(), "first secret");
    // Given the new key it goes on with that.
    let stale = running.reopen(&key());
    assert!(matches!(stale, Err(Error::WrongKey { .. })));
    running.reopen(&other_key()).unwrap();
    assert!(!running.refresh().unwrap());
    let brought = running.open_owned(owned, &kept, OPERATOR, now()).unwrap();
    assert_eq!(brought.expose(), "brought along");
    put(&running, "openai", "kept").unwrap();
    assert!(vault.refresh().unwrap());
    assert_eq!(read(&vault, "openai").unwrap().expose(), "kept");
}

/// A master key that comes late opens no older files than those that were read before.
#[test]
fn what_is_opened_anew_may_not_be_older() {
    let folder = filled();
    let running = open(&folder);
    open(&folder)
        .rekey(&other_key(), OPERATOR, now(), &mut |_, _| {})
        .unwrap();
    let old = fs::read(folder.path().join("vault.json")).unwrap();
    running.reopen(&other_key()).unwrap();
    put(&running, "openai", "newer").unwrap();
    fs::write(folder.path().join("vault.json"), old).unwrap();
    let reopened = running.reopen(&other_key());
    assert!(matches!(reopened, Err(Error::OlderFile { .. })));
    assert_eq!(read(&running, "openai").unwrap().expose(), "newer");
}

/// Killed at any step of replacing the files, the next to open the vault has all of it, under the new key.
#[test]
fn a_killed_rekey_is_finished_by_whoever_comes_next() {
    let (old, new) = (filled(), tempfile::tempdir().unwrap());
    let path = |folder: &TempDir, name: &str| folder.path().join(name);
    for name in ["vault.json", "vault.salt", "vault.mark"] {
        fs::copy(path(&old, name), path(&new, name)).unwrap();
    }
    open(&new)
        .rekey(&other_key(), OPERATOR, now(), &mut |_, _| {})
        .unwrap();
    let parsed = |name| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path(&new, name)).unwrap()).unwrap()
    };
    let pending = serde_json::json!(
        {"format": 2, "salt": parsed("vault.salt"), "contents": parsed("vault.json")}
    );
    for steps in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        for (index, name) in ["vault.salt", "vault.json", "vault.mark"]
            .into_iter()
            .enumerate()
        {
            let from = if index < steps { &new } else { &old };
            if index < 2 || steps < 3 {
                fs::copy(path(from, name), path(&folder, name)).unwrap();
            }
        }
        fs::write(path(&folder, "vault.rekey"), pending.to_string()).unwrap();
        let refused = Vault::open(folder.path(), None).unwrap_err();
        assert!(matches!(refused, Error::NoMasterKey { .. }));
        let refused = Vault::open(folder.path(), Some(&key())).unwrap_err();
        assert!(matches!(refused, Error::WrongKey { .. }), "{refused}");
        assert!(!path(&folder, "vault.rekey").exists(), "{steps}");
        let vault = Vault::open(folder.path(), Some(&other_key())).unwrap();
        assert_eq!(read(&vault, "openai").unwrap().expose(), "first secret");
        assert_eq!(read(&vault, "gemini").unwrap().expose(), "other secret");
        put(&vault, "openai", "newer").unwrap();
    }
    // One that was begun long ago does not take the place of what came after.
    fs::write(path(&new, "vault.rekey"), pending.to_string()).unwrap();
    let vault = Vault::open(new.path(), Some(&other_key())).unwrap();
    put(&vault, "openai", "newer").unwrap();
    fs::write(path(&new, "vault.rekey"), pending.to_string()).unwrap();
    let stale = Vault::open(new.path(), Some(&other_key())).unwrap_err();
    assert!(matches!(stale, Error::OlderFile { .. }), "{stale}");
}

#[test]
fn a_rekey_that_cannot_be_whole_changes_nothing() {
    let folder = filled();
    edit(&folder, |file| {
        file["entries"]["openai"]["sealed"]["secret"] = "".into();
    });
    let before = fs::read(folder.path().join("vault.json")).unwrap();
    let error = open(&folder).rekey(&other_key(), OPERATOR, now(), &mut |_, _| {});
    assert!(matches!(error, Err(Error::DamagedEntry { name, .. }) if name == "openai"));
    assert_eq!(fs::read(folder.path().join("vault.json")).unwrap(), before);
    assert!(!folder.path().join("vault.rekey").exists());
    let temporary = Vault::open(tempfile::tempdir().unwrap().path(), None).unwrap();
    let error = temporary.rekey(&other_key(), OPERATOR, now(), &mut |_, _| {});
    assert!(matches!(error, Err(Error::Temporary)));
}

#[test]
fn what_is_kept_elsewhere_opens_for_its_owner_only() {
    let (folder, others) = (filled(), filled());
    let vault = open(&folder);
    let owned = |holder, provider| Owned { holder, provider };
    let ours = owned("key_1", "openai");
    let secret = Secret::new("brought along");
    let kept = vault.seal_owned(ours, &secret, OPERATOR, now()).unwrap();
    assert!(!kept.contains("brought"));
    let open_with = |vault: &Vault, of, kept: &str| vault.open_owned(of, kept, OPERATOR, now());
    let opened = open_with(&open(&folder), ours, &kept).unwrap();
    assert_eq!(opened.expose(), "brought along");
    let foreign = [
        open_with(&vault, owned("key_2", "openai"), &kept),
        open_with(&vault, owned("key_1", "gemini"), &kept),
        open_with(&vault, owned("key_1o", "penai"), &kept),
        open_with(&vault, ours, &kept.replacen('A', "B", 1).to_lowercase()),
        open_with(&vault, ours, ""),
        open_with(&open(&others), ours, &kept),
    ];
    for opened in foreign {
        assert!(matches!(opened, Err(Error::ForeignCredential { .. })));
    }
    let low = Reader {
        who: "page",
        level: Level::Standard,
    };
    let denied = vault.open_owned(ours, &kept, low, now());
    assert!(matches!(denied, Err(Error::Denied { .. })));
    let temporary = Vault::open(tempfile::tempdir().unwrap().path(), None).unwrap();
    let refused = temporary.seal_owned(ours, &secret, OPERATOR, now());
    assert!(matches!(refused, Err(Error::Temporary)));
}

/// Every message under the master key is counted, and the 2^32nd is the last.
#[test]
fn the_master_key_seals_no_more_than_is_safe() {
    let folder = filled();
    let messages = || {
        let text = fs::read(folder.path().join("vault.json")).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        file["messages"].as_u64().unwrap()
    };
    let before = messages();
    let vault = open(&folder);
    put(&vault, "openai", "newer").unwrap();
    assert_eq!(messages(), before + 3);
    let mut state = State::clone(&vault.state.load());
    state.contents.messages = (1 << 32) - 1;
    let error = state
        .contents
        .seal_index(&state.master.clone(), &state.index);
    assert!(error.is_ok());
    let error = state
        .contents
        .seal_index(&state.master.clone(), &state.index);
    assert!(error.unwrap_err().to_string().contains("rekey"));
}

#[test]
fn a_running_vault_sees_what_others_change() {
    let folder = filled();
    let (ours, theirs) = (open(&folder), open(&folder));
    assert!(!ours.refresh().unwrap());
    put(&theirs, "new", "value").unwrap();
    assert!(matches!(
        read(&ours, "new"),
        Err(Error::UnknownEntry { .. })
    ));
    assert!(ours.refresh().unwrap());
    assert_eq!(read(&ours, "new").unwrap().expose(), "value");
    assert!(!ours.refresh().unwrap());
}

#[test]
fn an_older_file_is_not_taken_for_a_change() {
    let folder = filled();
    let path = folder.path().join("vault.json");
    let old = fs::read(&path).unwrap();
    let vault = open(&folder);
    put(&vault, "openai", "newer").unwrap();
    fs::write(&path, old).unwrap();
    assert!(matches!(
        vault.refresh(),
        Err(Error::OlderFile {
            found: 2,
            known: 3,
            ..
        })
    ));
    assert_eq!(read(&vault, "openai").unwrap().expose(), "newer");
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        vault.refresh(),
        Err(Error::OlderFile { found: 0, .. })
    ));
    let set = put(&vault, "x", "value");
    assert!(matches!(set, Err(Error::OlderFile { .. })));
}

#[test]
fn concurrent_writers_keep_all_entries() {
    let folder = filled();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                let vault = open(folder);
                for index in 0..5 {
                    let name = format!("{writer}-{index}");
                    put(&vault, &name, name.clone()).unwrap();
                }
            });
        }
    });
    let vault = open(&folder);
    assert_eq!(vault.list().len(), 22);
    for entry in vault.list() {
        let secret = read(&vault, &entry.name).unwrap();
        assert!(secret.expose() == entry.name || secret.expose().ends_with("secret"));
    }
}

/// A writer killed before its rename leaves a neighbour, which nobody reads and the next writer takes.
#[test]
fn left_overs_of_a_killed_writer_do_no_harm() {
    let folder = filled();
    let left = folder.path().join("vault.json.new");
    fs::write(&left, "{\"for".repeat(1_000)).unwrap();
    fs::write(
        folder.path().join("vault.salt.0123456789abcdef.new"),
        "{\"for",
    )
    .unwrap();
    let vault = open(&folder);
    put(&vault, "openai", "newer").unwrap();
    assert_eq!(read(&open(&folder), "openai").unwrap().expose(), "newer");
    assert!(!left.exists());
}
