//! Every way to break the files, each with its own error.

use super::*;
use crate::secret::Secret;
use crate::vault::{Level, NewEntry, Reader, Vault};
use jiff::Timestamp;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use tempfile::TempDir;

fn master() -> MasterKey {
    MasterKey::from_text(&Secret::new("QNPyuU2u6POyMVWCUw5WG-Gf0Y4oGq4cOnrUYdM5Wj4=")).unwrap()
}

fn filled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(folder.path(), Some(&master())).unwrap();
    let by = Reader {
        who: "test",
        level: Level::Admin,
    };
    let secret = Secret::new("value");
    let entry = NewEntry {
        name: "openai",
        secret: &secret,
        level: Level::Elevated,
    };
    vault.set(entry, by, Timestamp::UNIX_EPOCH).unwrap();
    folder
}

/// Opens a vault one of whose files was changed: its error, after having seen that no file was touched.
fn error_with(name: &str, change: impl FnOnce(&Path)) -> Error {
    let folder = filled();
    change(&folder.path().join(name));
    let files = || ["vault.json", "vault.salt"].map(|name| fs::read(folder.path().join(name)).ok());
    let before = files();
    let error = Vault::open(folder.path(), Some(&master())).unwrap_err();
    assert!(files() == before, "a file was changed");
    assert!(!error.to_string().contains("value"));
    error
}

fn replaced<'a>(from: &'a str, to: &'a str) -> impl FnOnce(&Path) + 'a {
    move |path| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from));
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

fn cut(len: usize) -> impl FnOnce(&Path) {
    move |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..len]).unwrap();
    }
}

#[test]
fn a_cut_vault_file_is_refused_wherever_it_is_cut() {
    let len = fs::read(filled().path().join("vault.json")).unwrap().len();
    for at in (0..len - 2).step_by(37) {
        let error = error_with("vault.json", cut(at));
        assert!(
            matches!(
                error,
                Error::DamagedFile {
                    problem: "is cut off",
                    ..
                }
            ),
            "{at}: {error}"
        );
    }
}

#[test]
fn a_vault_file_of_another_form_is_refused_with_its_place() {
    let error = error_with("vault.json", replaced("\"entries\"", "\"entires\""));
    assert!(
        matches!(error, Error::DamagedFile { line: 5, .. }),
        "{error:?}"
    );
    let error = error_with(
        "vault.json",
        replaced("\"version\": 1", "\"version\": \"1\""),
    );
    assert!(matches!(error, Error::DamagedFile { .. }), "{error:?}");
    let error = error_with("vault.json", |path| {
        fs::write(path, b"\x00\x01garbage").unwrap();
    });
    assert!(
        matches!(error, Error::DamagedFile { line: 1, .. }),
        "{error:?}"
    );
}

#[test]
fn other_formats_are_refused_with_what_to_do() {
    for (name, written, format, help) in [
        ("vault.json", "3, \"new\": true", 3, "use that one"),
        ("vault.salt", "3", 3, "use that one"),
        ("vault.json", "1", 1, "set the credentials again"),
        ("vault.salt", "1", 1, "set the credentials again"),
    ] {
        let written = format!("\"format\": {written}");
        let error = error_with(name, replaced("\"format\": 2", &written));
        assert!(
            matches!(&error, Error::UnknownFormat { found, .. } if *found == format),
            "{error:?}"
        );
        assert!(error.to_string().ends_with(help), "{error}");
    }
}

/// [vault_crypto-200]
#[test]
fn the_salt_file_is_made_once_for_its_owner_only() {
    let folder = filled();
    let path = folder.path().join("vault.salt");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        STANDARD
            .decode(value["bytes"].as_str().unwrap())
            .unwrap()
            .len(),
        SALT_BYTES
    );
    assert_eq!(
        value["cost"],
        serde_json::json!({"memory_kib": 65_536, "passes": 3, "lanes": 4})
    );
    Vault::open(folder.path(), Some(&master())).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_ne!(
        fs::read_to_string(filled().path().join("vault.salt")).unwrap(),
        text
    );
}

/// [vault_crypto-201]
#[test]
fn a_damaged_salt_file_is_refused_and_not_made_anew() {
    let len = fs::read(filled().path().join("vault.salt")).unwrap().len();
    for at in [0, 1, len / 2, len - 2] {
        let error = error_with("vault.salt", cut(at));
        assert!(matches!(error, Error::DamagedSalt { .. }), "{at}: {error}");
    }
    for (from, to) in [
        ("\"passes\": 3", "\"passes\": 4"),
        ("65536", "8"),
        ("\"bytes\": \"", "\"bytes\": \"A"),
        ("argon2id", "argon2i"),
    ] {
        let error = error_with("vault.salt", replaced(from, to));
        assert!(
            matches!(error, Error::DamagedSalt { .. }),
            "{from}: {error}"
        );
    }
}

/// The checksum is no secret: what is below the recommended cost is refused even if it fits.
#[test]
fn a_cheap_salt_file_is_refused() {
    let error = error_with("vault.salt", |path| {
        let mut salt: Salt = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        salt.cost.memory_kib = 8;
        salt.sum = salt.digest();
        fs::write(path, serde_json::to_vec(&salt).unwrap()).unwrap();
    });
    assert!(matches!(error, Error::DamagedSalt { problem, .. } if problem.contains("cost")));
}

#[test]
fn a_missing_salt_file_is_not_made_anew() {
    let error = error_with("vault.salt", |path| fs::remove_file(path).unwrap());
    assert!(matches!(error, Error::MissingSalt { .. }), "{error:?}");
}

#[test]
fn a_salt_file_open_to_others_is_refused() {
    for mode in [0o640, 0o604, 0o660] {
        let error = error_with("vault.salt", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        });
        assert!(matches!(error, Error::OpenSalt { .. }), "{error:?}");
        assert!(error.to_string().contains("chmod 600"));
    }
}

/// [vault_crypto-202]
#[test]
fn an_unreadable_salt_file_is_an_error() {
    let error = error_with("vault.salt", |path| {
        fs::remove_file(path).unwrap();
        fs::DirBuilder::new().create(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    });
    assert!(
        matches!(error, Error::Io { doing: "read", .. }),
        "{error:?}"
    );
}
