//! The vault's files: `vault.json` with the sealed entries, `vault.salt` with what turns a master key into a key.
//!
//! ```text
//! vault.json  {"format": 2, "generation": G, "messages": N, "entries": {NAME: ENTRY}, "index": INDEX}
//!   ENTRY     {"version", "level", "created", "updated", "sealed", "previous": {"version", "until", "sealed"}}
//!   sealed    {"key", "secret"}: the entry's data key, sealed under the master key; the secret, sealed under the data key.
//!             The associated data is what was sealed, the format, and the entry's name, version, level and end, so that
//!             nothing can stand in for another
//!   clients   where an earlier version kept the key of clients' credentials (`shelf.rs`), sealed under the master key
//!   messages  how many messages the master key has sealed
//!   index     {NAME: [VERSION, VERSION BEFORE]}, sealed under the master key and bound to generation and messages: tells an
//!             entry that was put back, or taken out, from one that belongs there
//! vault.salt  {"format": 2, "kdf": "argon2id", "cost": {"memory_kib", "passes", "lanes"}, "bytes", "check", "sum"}
//!   check     a fixed text sealed under the master key: tells a wrong key from a damaged entry
//!   sum       SHA-256 of the rest: tells a damaged file from a wrong key
//! vault.mark  {"format": 2, "mark": the generation, sealed}: tells an older vault.json that was put back
//! vault.rekey {"format": 2, "salt", "contents"}: both files under a new master key, while they take the places of the old
//! ```
//! All that is sealed is base64 of a 12-byte nonce, the ciphertext and a 16-byte tag.

#[cfg(test)]
mod tests;

use super::Error;
use super::cipher::{self, Cost, Key, MasterKey, Sealed};
use super::record::Record;
use crate::durable;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The format written and read; the first one bound no versions, and had no index.
pub(super) const FORMAT: u32 = 2;
const SALT_BYTES: usize = 16;
const CHECK_TEXT: &[u8] = b"sluicegate vault";
/// A vault of 10,000 entries has about 5 MB; what is longer than this is no vault.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// How many messages one key may seal under random nonces: the bound of NIST SP 800-38D, section 8.3.
const MAX_MESSAGES: u64 = 1 << 32;

/// What `vault.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    format: u32,
    /// Grows with each write; the entry written takes it as its version, so that no version ever comes twice.
    pub(super) generation: u64,
    /// What the master key has sealed.
    pub(super) messages: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) clients: Option<Sealed>,
    pub(super) entries: BTreeMap<String, Record>,
    index: Sealed,
}

/// The versions that belong in a vault by the names of their entries: the entry's, and that of the secret before.
pub(super) type Index = BTreeMap<String, (u64, Option<u64>)>;

impl Contents {
    /// A vault with no entry.
    pub(super) fn empty(master: &Key) -> io::Result<Self> {
        let mut empty = Self {
            format: FORMAT,
            generation: 0,
            messages: 0,
            clients: None,
            entries: BTreeMap::new(),
            index: Sealed::from_text(""),
        };
        empty.seal_index(master, &Index::new())?;
        Ok(empty)
    }

    /// Reads `vault.json`; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        read_json(path)
    }

    /// Replaces `vault.json`.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        write_json(path, self)
    }

    /// Which entries belong in it; `None` if it is not what was written under this key.
    pub(super) fn open_index(&self, master: &Key) -> Option<Index> {
        let bytes = master.open(&self.index, &self.associated())?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Says which entries belong in it, last before it is written.
    pub(super) fn seal_index(&mut self, master: &Key, index: &Index) -> io::Result<()> {
        self.messages += 1;
        if self.messages > MAX_MESSAGES {
            return Err(io::Error::other(
                "the master key has sealed 2^32 messages, and no more are safe; help: sluicegate vault rekey",
            ));
        }
        self.index = master.seal(&serde_json::to_vec(index)?, &self.associated())?;
        Ok(())
    }

    fn associated(&self) -> Vec<u8> {
        cipher::join(&[
            b"index",
            &FORMAT.to_be_bytes(),
            &self.generation.to_be_bytes(),
            &self.messages.to_be_bytes(),
        ])
    }
}

/// The key of clients' credentials, as an earlier version kept it in `vault.json`.
pub(super) fn open_clients(clients: &Sealed, master: &Key) -> Option<Key> {
    master.unwrap(clients, CLIENTS)
}

const CLIENTS: &[u8] = b"sluicegate vault clients";
const MARK: &[u8] = b"sluicegate vault mark";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    format: u32,
    mark: Sealed,
}

/// The latest generation that was written, by the file beside the vault; `None` if there is no such file.
pub(super) fn read_mark(folder: &Path, master: &Key) -> Result<Option<u64>, Error> {
    let path = folder.join("vault.mark");
    let mark = match read_json::<Mark>(&path) {
        Ok(Some(mark)) => mark,
        Ok(None) => return Ok(None),
        Err(Error::DamagedFile { .. }) => return Err(Error::DamagedMark { path }),
        Err(other) => return Err(other),
    };
    let opened = master.open(&mark.mark, MARK);
    let bytes = opened.and_then(|bytes| bytes.as_slice().try_into().ok());
    let bytes = bytes.ok_or(Error::DamagedMark { path })?;
    Ok(Some(u64::from_be_bytes(bytes)))
}

/// Notes the generation that was written.
pub(super) fn write_mark(folder: &Path, master: &Key, generation: u64) -> Result<(), Error> {
    let path = folder.join("vault.mark");
    let mark = master.seal(&generation.to_be_bytes(), MARK);
    let mark = Mark {
        format: FORMAT,
        mark: mark.map_err(Error::io("write", &path))?,
    };
    write_json(&path, &mark)
}

/// Both files under a new master key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rekey {
    format: u32,
    salt: Salt,
    contents: Contents,
}

/// Puts both files under a new master key: from the moment that `vault.rekey` is there, whatever happens.
pub(super) fn replace_both(folder: &Path, salt: Salt, contents: Contents) -> Result<(), Error> {
    let rekey = Rekey {
        format: FORMAT,
        salt,
        contents,
    };
    write_json(&folder.join("vault.rekey"), &rekey)?;
    finish_rekey(folder)
}

/// Finishes what a killed process began. The caller holds the lock.
pub(super) fn finish_rekey(folder: &Path) -> Result<(), Error> {
    let path = folder.join("vault.rekey");
    let Some(rekey) = read_json::<Rekey>(&path)? else {
        return Ok(());
    };
    let vault = folder.join("vault.json");
    let known = Contents::read(&vault)?.map_or(0, |contents| contents.generation);
    if rekey.contents.generation < known {
        return Err(Error::OlderFile {
            path,
            found: rekey.contents.generation,
            known,
        });
    }
    write_json(&folder.join("vault.salt"), &rekey.salt)?;
    rekey.contents.write(&vault)?;
    // The mark is under the old key; whoever opens the vault makes it anew. What happened last is forgotten last.
    for path in [folder.join("vault.mark"), path] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &path)(error));
            }
            Ok(()) | Err(_) => {}
        }
        durable::sync_folder(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

/// What `vault.salt` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Salt {
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
        let (made, _) = make_salt(master).map_err(Error::io("create", &path))?;
        let text = serde_json::to_vec_pretty(&made)
            .map_err(|error| Error::io("create", &path)(error.into()))?;
        durable::create_once(&path, &text).map_err(Error::io("create", &path))?;
    }
    if durable::is_open_to_others(&path).map_err(Error::io("read", &path))? {
        return Err(Error::OpenSalt { path });
    }
    read_salt(&path)?.key(master).map_err(|unfit| match unfit {
        Unfit::Damaged(problem) => Error::DamagedSalt { path, problem },
        Unfit::Key => Error::WrongKey {
            path: folder.join("vault.json"),
        },
        Unfit::Failed(source) => Error::io("derive the key of", &path)(source),
    })
}

/// The salt of the vault in `folder`.
pub(super) fn read_salt_of(folder: &Path) -> Result<Salt, Error> {
    read_salt(&folder.join("vault.salt"))
}

fn read_salt(path: &Path) -> Result<Salt, Error> {
    match read_json::<Salt>(path) {
        Ok(Some(salt)) => Ok(salt),
        Ok(None) => Err(Error::MissingSalt {
            path: path.to_owned(),
        }),
        Err(Error::DamagedFile { .. }) => Err(Error::DamagedSalt {
            path: path.to_owned(),
            problem: "it is cut off or no JSON",
        }),
        Err(other) => Err(other),
    }
}

/// Whether the vault in `folder` is still under this key.
pub(super) fn is_under(folder: &Path, key: &Key) -> Result<bool, Error> {
    Ok(read_salt_of(folder)?.fits(key))
}

/// A salt file for a master key, and the key that both make.
pub(super) fn make_salt(master: &MasterKey) -> io::Result<(Salt, Key)> {
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
    Ok((salt, key))
}

/// Why a salt and a master key make no key.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The salt is not what was written.
    Damaged(&'static str),
    /// The master key is another one.
    Key,
    /// There is no memory for it.
    Failed(io::Error),
}

impl Salt {
    /// The key that a master key makes with it.
    pub(super) fn key(&self, master: &MasterKey) -> Result<Key, Unfit> {
        if self.sum != self.digest() {
            return Err(Unfit::Damaged("its checksum does not fit"));
        }
        if self.kdf != "argon2id" || !self.cost.is_acceptable() {
            return Err(Unfit::Damaged(
                "its cost is below RFC 9106's second recommendation or beyond reason",
            ));
        }
        let bytes = STANDARD.decode(&self.bytes).ok();
        let bytes = bytes.filter(|bytes| bytes.len() == SALT_BYTES);
        let bytes = bytes.ok_or(Unfit::Damaged("its salt is not 16 bytes of base64"))?;
        let key = master.key(&bytes, self.cost).map_err(Unfit::Failed)?;
        if self.fits(&key) {
            Ok(key)
        } else {
            Err(Unfit::Key)
        }
    }

    /// Whether it was made with this key.
    pub(super) fn fits(&self, key: &Key) -> bool {
        let text = key.open(&self.check, &self.associated());
        text.is_some_and(|text| text.as_slice() == CHECK_TEXT)
    }

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

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let failed = |source| Error::io("write", path)(source);
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    durable::replace(path, &text).map_err(failed)
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
