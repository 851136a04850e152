//! Credentials of clients: sealed by one gateway, opened by all that share a store and a master key.

use super::change::other_key;
use super::*;

const OURS: Owned<'_> = Owned {
    holder: "key_1",
    provider: "openai",
};

/// Another gateway's folder over the same shelf.
fn joined(folder: &TempDir, shelf: &Memory, text: &MasterKey) -> Result<Vault, Error> {
    let vault = Vault::open(folder.path(), Some(text))?;
    vault.join(Some(text), shelf).map(|()| vault)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn seal(vault: &Vault) -> String {
    let secret = Secret::new("brought along");
    vault.seal_owned(OURS, &secret, OPERATOR, now()).unwrap()
}

fn opened(vault: &Vault, kept: &str) -> Result<String, Error> {
    let opened = vault.open_owned(OURS, kept, OPERATOR, now());
    opened.map(|secret| secret.expose().to_owned())
}

pub(super) fn rekey(
    vault: Vault,
    shelf: &Memory,
    (from, to): (&MasterKey, &MasterKey),
) -> Result<usize, Error> {
    let keys = Rekeying { from, to };
    vault.rekey((keys, shelf), OPERATOR, now(), &mut |_, _| {})
}

/// Without a file in common: each has a salt of its own.
#[test]
fn what_one_gateway_seals_all_open() {
    for text in [
        "QNPyuU2u6POyMVWCUw5WG-Gf0Y4oGq4cOnrUYdM5Wj4=",
        "one two three",
    ] {
        let (shelf, ours, theirs) = (Memory::default(), folder(), folder());
        let one = joined(&ours, &shelf, &master(text)).unwrap();
        let two = joined(&theirs, &shelf, &master(text)).unwrap();
        let kept = seal(&one);
        assert_eq!(opened(&two, &kept).unwrap(), "brought along");
        assert_eq!(opened(&one, &seal(&two)).unwrap(), "brought along");
        assert_eq!(one.derived("fence"), two.derived("fence"));
        assert_ne!(one.derived("fence"), one.derived("other"));
        drop(one);
        let again = joined(&ours, &shelf, &master(text)).unwrap();
        assert_eq!(opened(&again, &kept).unwrap(), "brought along");
        assert!(!shelf.kept().unwrap().unwrap().contains("brought"));
    }
}

#[test]
fn gateways_that_start_together_take_up_one_key() {
    let shelf = Memory::default();
    let folders: Vec<TempDir> = (0..4).map(|_| folder()).collect();
    let vaults: Vec<Vault> = std::thread::scope(|scope| {
        let shelf = &shelf;
        let start = |folder| scope.spawn(move || joined(folder, shelf, &key()).unwrap());
        let started: Vec<_> = folders.iter().map(start).collect();
        started
            .into_iter()
            .map(|vault| vault.join().unwrap())
            .collect()
    });
    let kept = seal(&vaults[0]);
    for vault in &vaults {
        assert_eq!(opened(vault, &kept).unwrap(), "brought along");
    }
}

#[test]
fn a_gateway_with_another_master_key_or_none_is_told_at_its_start() {
    let (shelf, ours, theirs) = (Memory::default(), folder(), folder());
    joined(&ours, &shelf, &key()).unwrap();
    for other in [other_key(), master("a passphrase")] {
        let error = joined(&folder(), &shelf, &other).unwrap_err();
        assert!(matches!(error, Error::OtherMasterKey), "{error}");
    }
    let temporary = Vault::open(theirs.path(), None).unwrap();
    let error = temporary.join(None, &shelf).unwrap_err();
    assert!(matches!(error, Error::NoMasterKeyForClients));
    // Alone it starts, and takes nothing.
    temporary.join(None, &Memory::default()).unwrap();
    let secret = Secret::new("brought along");
    let refused = temporary.seal_owned(OURS, &secret, OPERATOR, now());
    assert!(matches!(refused, Err(Error::Temporary)));
    assert_ne!(temporary.derived("fence"), temporary.derived("fence"));
}

#[test]
fn what_is_kept_cannot_be_edited() {
    let (shelf, ours) = (Memory::default(), folder());
    joined(&ours, &shelf, &key()).unwrap();
    let kept = shelf.kept().unwrap().unwrap();
    let edits: [fn(&mut serde_json::Value); 7] = [
        |kept| kept["clients"] = kept["salt"]["check"].clone(),
        |kept| kept["clients"] = "".into(),
        |kept| kept["format"] = 3.into(),
        |kept| kept["salt"]["cost"]["memory_kib"] = 8.into(),
        |kept| kept["salt"]["check"] = kept["clients"].clone(),
        |kept| kept["more"] = 1.into(),
        |kept| *kept = "text".into(),
    ];
    for (number, edit) in edits.iter().enumerate() {
        let mut value = serde_json::from_str(&kept).unwrap();
        edit(&mut value);
        let edited = Memory(Mutex::new(Some(value.to_string())));
        let error = joined(&ours, &edited, &key()).unwrap_err();
        assert!(
            matches!(error, Error::DamagedClients(_)),
            "{number}: {error}"
        );
    }
}

#[test]
fn a_rekey_goes_from_gateway_to_gateway_and_changes_nothing_of_what_clients_brought() {
    let (shelf, ours, theirs) = (Memory::default(), folder(), folder());
    let running = joined(&ours, &shelf, &key()).unwrap();
    let kept = seal(&running);
    joined(&theirs, &shelf, &key()).unwrap();
    let keys = (&key(), &other_key());
    rekey(open(&ours), &shelf, keys).unwrap();
    // Who runs goes on; who starts is told to do the same.
    assert_eq!(opened(&running, &kept).unwrap(), "brought along");
    let error = joined(&theirs, &shelf, &key()).unwrap_err();
    assert!(matches!(error, Error::OtherMasterKey));
    rekey(open(&theirs), &shelf, keys).unwrap();
    for folder in [&ours, &theirs] {
        let vault = joined(folder, &shelf, &other_key()).unwrap();
        assert_eq!(opened(&vault, &kept).unwrap(), "brought along");
    }
    assert!(matches!(
        joined(&folder(), &shelf, &key()),
        Err(Error::OtherMasterKey)
    ));
}

/// Killed between store and files, a rekey is begun again.
#[test]
fn a_rekey_that_was_killed_half_way_is_begun_again() {
    for text in [
        "QNPyuU2u6POyMVWCUw5WG-Gf0Y4oGq4cOnrUYdM5Wj4=",
        "one two three",
    ] {
        let (shelf, ours) = (Memory::default(), folder());
        let kept = seal(&joined(&ours, &shelf, &master(text)).unwrap());
        let (salt, made) = file::make_salt(&other_key()).unwrap();
        let vault = Vault::open(ours.path(), Some(&master(text))).unwrap();
        let keys = (&master(text), &other_key());
        vault.pass_on(keys, (&salt, &made), &shelf).unwrap();
        let error = joined(&ours, &shelf, &master(text)).unwrap_err();
        assert!(
            error.to_string().contains("sluicegate vault rekey"),
            "{error}"
        );
        let vault = Vault::open(ours.path(), Some(&master(text))).unwrap();
        rekey(vault, &shelf, keys).unwrap();
        let vault = joined(&ours, &shelf, &other_key()).unwrap();
        assert_eq!(opened(&vault, &kept).unwrap(), "brought along");
    }
}

#[test]
fn what_is_under_a_lost_key_is_given_up_and_nothing_else() {
    let (shelf, ours) = (Memory::default(), folder());
    let vault = joined(&ours, &shelf, &key()).unwrap();
    let kept = seal(&vault);
    assert!(matches!(
        vault.renounce(&key(), &shelf),
        Err(Error::NotLost)
    ));
    let fresh = folder();
    let vault = Vault::open(fresh.path(), Some(&other_key())).unwrap();
    vault.renounce(&other_key(), &shelf).unwrap();
    vault.join(Some(&other_key()), &shelf).unwrap();
    let gone = opened(&vault, &kept);
    assert!(matches!(gone, Err(Error::ForeignCredential { .. })));
    assert_eq!(opened(&vault, &seal(&vault)).unwrap(), "brought along");
}

/// Where an earlier version kept the key: it goes to the store, and a rekey takes it out of the file.
#[test]
fn a_key_in_a_vaults_own_file_is_taken_along() {
    let (shelf, ours) = (Memory::default(), folder());
    let clients = Key::random().unwrap();
    let former = {
        let vault = open(&ours);
        vault
            .update(now(), |state| {
                let sealed = clients.wrap(&state.master, b"sluicegate vault clients");
                state.contents.clients = Some(sealed.unwrap());
                Ok(())
            })
            .unwrap();
        let label = cipher::join(&[b"owned", b"key_1", b"openai"]);
        let sealed = clients.derive_from(&label).seal(b"brought along", &label);
        sealed.unwrap().to_text()
    };
    let path = ours.path().join("vault.json");
    let whole = fs::read(&path).unwrap();
    let mut edited: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    edited["clients"] = edited["index"].clone();
    fs::write(&path, edited.to_string()).unwrap();
    // No other takes its place: what is under it would be lost without a word.
    let error = joined(&ours, &shelf, &key()).unwrap_err();
    assert!(matches!(error, Error::DamagedClients(_)), "{error}");
    assert_eq!(shelf.kept().unwrap(), None);
    fs::write(&path, whole).unwrap();
    let theirs = folder();
    for folder in [&ours, &theirs] {
        let vault = joined(folder, &shelf, &key()).unwrap();
        assert_eq!(opened(&vault, &former).unwrap(), "brought along");
    }
    rekey(open(&ours), &shelf, (&key(), &other_key())).unwrap();
    let file = fs::read_to_string(ours.path().join("vault.json")).unwrap();
    assert!(!file.contains("clients"));
    let vault = joined(&ours, &shelf, &other_key()).unwrap();
    assert_eq!(opened(&vault, &former).unwrap(), "brought along");
}

#[test]
fn what_is_kept_elsewhere_opens_for_its_owner_only() {
    let (shelf, ours, theirs) = (Memory::default(), folder(), folder());
    let vault = joined(&ours, &shelf, &key()).unwrap();
    let others = joined(&theirs, &Memory::default(), &key()).unwrap();
    let owned = |holder, provider| Owned { holder, provider };
    let kept = seal(&vault);
    assert!(!kept.contains("brought"));
    let open_with = |vault: &Vault, of, kept: &str| vault.open_owned(of, kept, OPERATOR, now());
    let foreign = [
        open_with(&vault, owned("key_2", "openai"), &kept),
        open_with(&vault, owned("key_1", "gemini"), &kept),
        open_with(&vault, owned("key_1o", "penai"), &kept),
        open_with(&vault, OURS, &kept.replacen('A', "B", 1).to_lowercase()),
        open_with(&vault, OURS, ""),
        open_with(&others, OURS, &kept),
        // Not taken up yet.
        open_with(&open(&ours), OURS, &kept),
    ];
    for opened in foreign {
        assert!(matches!(opened, Err(Error::ForeignCredential { .. })));
    }
    let low = Reader {
        who: "page",
        level: Level::Standard,
    };
    let denied = vault.open_owned(OURS, &kept, low, now());
    assert!(matches!(denied, Err(Error::Denied { .. })));
}
