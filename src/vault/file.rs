//! The vault's two files: `vault.json` with the sealed entries, `vault.salt` with what turns a master key into a key.
//!
//! ```text
//! vault.json  {"format": 1, "generation": G, "entries": {NAME: {"version", "level", "created", "updated", "key", "secret"}}}
//!   key       the entry's data key, sealed under the master key
//!   secret    the secret, sealed under the data key
//!             both: base64 of a 12-byte nonce, the ciphertext and a 16-byte tag; the associated data is what was sealed,
//!             the format, and the entry's name, version and level, so that no entry can stand in for another
//! vault.salt  {"format": 1, "kdf": "argon2id", "cost": {"memory_kib", "passes", "lanes"}, "bytes", "check", "sum"}
//!   check     a fixed text sealed under the master key: tells a wrong key from a damaged entry
//!   sum       SHA-256 of the rest: tells a damaged file from a wrong key
//! ```

use super::Error;
use super::cipher::{self, Cost, Key, MasterKey, Sealed};
use crate::durable;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The only format so far.
pub(super) const FORMAT: u32 = 1;
const SALT_BYTES: usize = 16;
const CHECK_TEXT: &[u8] = b"sluicegate vault";
/// A vault of 10,000 entries has about 5 MB; what is longer than this is no vault.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// What `vault.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub(super) format: u32,
    /// Grows with each write; the entry written takes it as its version, so that no version ever comes twice.
    pub(super) generation: u64,
    pub(super) entries: BTreeMap<String, Record>,
}

/// One sealed entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) version: u64,
    /// As written: a level that nobody knows must not be mistaken for one.
    pub(super) level: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) key: Sealed,
    pub(super) secret: Sealed,
}

impl Contents {
    pub(super) const fn empty() -> Self {
        Self {
            format: FORMAT,
            generation: 0,
            entries: BTreeMap::new(),
        }
    }

    /// Reads `vault.json`; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        read_json(path)
    }

    /// Replaces `vault.json`.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::io("write", path)(source);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        durable::replace(path, &text).map_err(failed)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Salt {
    format: u32,
    kdf: String,
    cost: Cost,
    bytes: String,
    check: Sealed,
    sum: String,
}

/// The key of the vault in `folder`: reads `vault.salt`, or makes it if no vault was sealed yet.
pub(super) fn unlock(folder: &Path, master: &MasterKey) -> Result<Key, Error> {
    let path = folder.join("vault.salt");
    if !path.try_exists().map_err(Error::io("read", &path))? {
        if folder.join("vault.json").exists() {
            return Err(Error::MissingSalt { path });
        }
        let made = make_salt(master).map_err(Error::io("create", &path))?;
        let text = serde_json::to_vec_pretty(&made)
            .map_err(|error| Error::io("create", &path)(error.into()))?;
        durable::create_once(&path, &text).map_err(Error::io("create", &path))?;
    }
    if durable::is_open_to_others(&path).map_err(Error::io("read", &path))? {
        return Err(Error::OpenSalt { path });
    }
    let damaged = |problem| Error::DamagedSalt {
        path: path.clone(),
        problem,
    };
    let salt = match read_json::<Salt>(&path) {
        Ok(Some(salt)) => salt,
        Ok(None) => return Err(Error::MissingSalt { path }),
        Err(Error::DamagedFile { .. }) => return Err(damaged("it is cut off or no JSON")),
        Err(other) => return Err(other),
    };
    if salt.sum != salt.digest() {
        return Err(damaged("its checksum does not fit"));
    }
    if salt.kdf != "argon2id" || !salt.cost.is_acceptable() {
        return Err(damaged(
            "its cost is below RFC 9106's second recommendation or beyond reason",
        ));
    }
    let bytes = STANDARD
        .decode(&salt.bytes)
        .ok()
        .filter(|bytes| bytes.len() == SALT_BYTES);
    let bytes = bytes.ok_or_else(|| damaged("its salt is not 16 bytes of base64"))?;
    let key = master
        .key(&bytes, salt.cost)
        .map_err(Error::io("derive the key of", &path))?;
    match key.open(&salt.check, &salt.associated()) {
        Some(text) if text.as_slice() == CHECK_TEXT => Ok(key),
        Some(_) | None => Err(Error::WrongKey {
            path: folder.join("vault.json"),
        }),
    }
}

fn make_salt(master: &MasterKey) -> io::Result<Salt> {
    let bytes: [u8; SALT_BYTES] = cipher::random()?;
    let cost = Cost::RECOMMENDED;
    let key = master.key(&bytes, cost)?;
    let mut salt = Salt {
        format: FORMAT,
        kdf: "argon2id".to_owned(),
        cost,
        bytes: STANDARD.encode(bytes),
        check: key.seal(&[], &[])?,
        sum: String::new(),
    };
    salt.check = key.seal(CHECK_TEXT, &salt.associated())?;
    salt.sum = salt.digest();
    Ok(salt)
}

impl Salt {
    /// Everything but the check itself and the sum.
    fn associated(&self) -> Vec<u8> {
        cipher::join(&[
            b"check",
            &self.format.to_be_bytes(),
            self.kdf.as_bytes(),
            &self.cost.memory_kib.to_be_bytes(),
            &self.cost.passes.to_be_bytes(),
            &self.cost.lanes.to_be_bytes(),
            self.bytes.as_bytes(),
        ])
    }

    fn digest(&self) -> String {
        let check = serde_json::to_vec(&self.check).unwrap_or_default();
        let digest = Sha256::digest(cipher::join(&[&self.associated(), &check]));
        STANDARD.encode(digest)
    }
}

/// Reads a file that says its format; `None` if there is none.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let bytes = durable::read(path, MAX_BYTES).map_err(Error::io("read", path))?;
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    // Of serde's error only the place: its text may quote the file.
    let damaged = |error: &serde_json::Error| Error::DamagedFile {
        path: path.to_owned(),
        problem: if error.is_eof() {
            "is cut off"
        } else {
            "is not what was written"
        },
        line: error.line(),
        column: error.column(),
    };
    let head: Head = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
    if head.format != FORMAT {
        return Err(Error::UnknownFormat {
            path: path.to_owned(),
            found: head.format,
        });
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| damaged(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::vault::{Level, NewEntry, Reader, Vault};
    use std::fs;
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
        let files =
            || ["vault.json", "vault.salt"].map(|name| fs::read(folder.path().join(name)).ok());
        let before = files();
        let error = Vault::open(folder.path(), Some(&master())).unwrap_err();
        assert!(files() == before, "a file was changed");
        assert!(!error.to_string().contains("value"));
        error
    }

    fn replaced(from: &'static str, to: &'static str) -> impl FnOnce(&Path) {
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
            matches!(error, Error::DamagedFile { line: 4, .. }),
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
    fn a_later_format_is_refused() {
        let error = error_with(
            "vault.json",
            replaced("\"format\": 1", "\"format\": 2, \"new\": true"),
        );
        assert!(
            matches!(error, Error::UnknownFormat { found: 2, .. }),
            "{error:?}"
        );
        let error = error_with("vault.salt", replaced("\"format\": 1", "\"format\": 2"));
        assert!(
            matches!(error, Error::UnknownFormat { found: 2, .. }),
            "{error:?}"
        );
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
}
