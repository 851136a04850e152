//! Rotation, new master keys, what is kept elsewhere, and several processes at once.

use super::*;

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

pub(super) fn other_key() -> MasterKey {
    master("2IwzE_4iO2ihAmUldD1Ck64tXxjSM9nGlCcUXNHChMs=")
}

/// Puts a vault under the other key.
fn rekey(vault: Vault) -> Result<usize, Error> {
    super::shelf::rekey(vault, &Memory::default(), (&key(), &other_key()))
}

#[test]
fn p38_a_new_master_key_opens_everything_and_the_old_one_nothing() {
    let folder = filled();
    let running = open(&folder);
    let rotation = Rotation {
        name: "gemini",
        secret: &Secret::new("newer secret"),
        until: Timestamp::from_second(2_000).unwrap(),
    };
    running.rotate(rotation, OPERATOR, now()).unwrap();
    let mut seen = Vec::new();
    let progress = &mut |done, of| seen.push((done, of));
    let (from, to) = (key(), other_key());
    let keys = Rekeying {
        from: &from,
        to: &to,
    };
    let count = open(&folder)
        .rekey((keys, &Memory::default()), OPERATOR, now(), progress)
        .unwrap();
    assert_eq!((count, seen), (2, vec![(0, 2), (1, 2), (2, 2)]));
    let old = Vault::open(folder.path(), Some(&key()));
    assert!(matches!(old, Err(Error::WrongKey { .. })));
    let vault = Vault::open(folder.path(), Some(&other_key())).unwrap();
    assert_eq!(read(&vault, "openai").unwrap().expose(), "first secret");
    assert_eq!(read(&vault, "gemini").unwrap().expose(), "newer secret");
    let before = vault.previous("gemini", OPERATOR, now()).unwrap();
    assert_eq!(before.unwrap().expose(), "other secret");
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
    put(&running, "openai", "kept").unwrap();
    assert!(vault.refresh().unwrap());
    assert_eq!(read(&vault, "openai").unwrap().expose(), "kept");
}

/// A master key that comes late opens no older files than those that were read before.
#[test]
fn what_is_opened_anew_may_not_be_older() {
    let folder = filled();
    let running = open(&folder);
    rekey(open(&folder)).unwrap();
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
    rekey(open(&new)).unwrap();
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
    let error = rekey(open(&folder));
    assert!(matches!(error, Err(Error::DamagedEntry { name, .. }) if name == "openai"));
    assert_eq!(fs::read(folder.path().join("vault.json")).unwrap(), before);
    assert!(!folder.path().join("vault.rekey").exists());
    let temporary = Vault::open(tempfile::tempdir().unwrap().path(), None).unwrap();
    let error = rekey(temporary);
    assert!(matches!(error, Err(Error::Temporary)));
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
