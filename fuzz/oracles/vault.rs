//! The vault's files after damage: an error, or exactly what was sealed.

use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use sluicegate::secret::Secret;
use sluicegate::vault::{Level, MasterKey, NewEntry, Reader, Vault};
use tempfile::TempDir;

use super::Input;

const OPERATOR: Reader<'static> = Reader {
    who: "fuzz",
    level: Level::Admin,
};
const ENTRIES: [(&str, &str, Level); 2] = [
    ("openai", "a first credential", Level::Elevated),
    ("gemini", "the other one", Level::Standard),
];

/// A vault with two entries: its folder, its key, and both files' bytes.
struct Sealed {
    folder: TempDir,
    master: MasterKey,
    entries: Vec<u8>,
    salt: Vec<u8>,
}

static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    // 32 bytes in base64: used as they are, without a slow derivation.
    let master =
        MasterKey::from_text(&Secret::new("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")).unwrap();
    let vault = Vault::open(folder.path(), Some(&master)).unwrap();
    for (name, secret, level) in ENTRIES {
        let secret = Secret::new(secret);
        let new = NewEntry {
            name,
            secret: &secret,
            level,
        };
        vault.set(new, OPERATOR, Timestamp::UNIX_EPOCH).unwrap();
    }
    let read = |name| fs::read(folder.path().join(name)).unwrap();
    let (entries, salt) = (read("vault.json"), read("vault.salt"));
    Sealed {
        folder,
        master,
        entries,
        salt,
    }
});

static TURN: Mutex<()> = Mutex::new(());

pub(crate) fn check(input: &[u8]) {
    let Some(input) = Input::of(input) else {
        return;
    };
    let sealed = &*SEALED;
    // One folder for all inputs, so one input at a time.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = sealed.folder.path();
    let (name, whole) = if input.choice.is_multiple_of(2) {
        ("vault.json", &sealed.entries)
    } else {
        ("vault.salt", &sealed.salt)
    };
    let damaged = if input.choice < 128 {
        edited(whole, input.text)
    } else {
        input.text.to_vec()
    };
    fs::write(folder.join("vault.json"), &sealed.entries).unwrap();
    fs::write(folder.join("vault.salt"), &sealed.salt).unwrap();
    fs::write(folder.join(name), &damaged).unwrap();
    let opened = Vault::open(folder, Some(&sealed.master));
    let kept = fs::read(folder.join(name)).unwrap() == damaged;
    assert!(kept, "a damaged file was overwritten");
    if let Ok(vault) = opened {
        read(&vault, name == "vault.salt", folder);
    }
}

/// The file with bytes changed: each three bytes of `edits` are a place and what stands there instead; 255 cuts the file.
fn edited(whole: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % whole.len();
        match edit[2] {
            255 => bytes.truncate(at),
            other => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = other;
                }
            }
        }
    }
    bytes
}

fn read(vault: &Vault, all: bool, folder: &Path) {
    let mut opened = 0;
    for (name, secret) in vault.check(OPERATOR, Timestamp::UNIX_EPOCH) {
        let Ok(secret) = secret else { continue };
        let (_, sealed, level) = ENTRIES
            .iter()
            .find(|(known, ..)| *known == name)
            .expect("an entry that nobody made");
        assert_eq!(secret.expose(), *sealed, "another secret for {name}");
        let entry = vault
            .list()
            .into_iter()
            .find(|entry| entry.name == name)
            .unwrap();
        assert_eq!(entry.level, level.name(), "another level for {name}");
        opened += 1;
    }
    assert!(
        !all || opened == ENTRIES.len(),
        "the salt opens the vault in part"
    );
    // Or it would grow without end.
    fs::remove_file(folder.join("vault.access.jsonl")).ok();
}
