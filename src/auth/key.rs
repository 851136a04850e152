//! Virtual keys: `sg-` and 43 characters of base64url, 256 random bits. Only a keyed hash of a key is ever kept.

use crate::auth::{KeyStore, StoreError};
use crate::durable;
use crate::secret::Secret;
use crate::shared::Veil;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::Sha256;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// What is hashed to tell peppers apart; no key has this form.
const FINGERPRINT: &str = "key.pepper";
/// What is hashed for the secret of end users' names; no key has this form.
const NAMES: &str = "shared.names";
const LABEL: &str = "sg-";
const RANDOM_CHARS: usize = 43;
const PREFIX_CHARS: usize = 8;

/// A new key.
///
/// # Errors
/// If the operating system has no random bytes.
pub fn generate() -> io::Result<Secret> {
    let mut random = Zeroizing::new([0; 32]);
    OsRng
        .try_fill_bytes(random.as_mut())
        .map_err(io::Error::other)?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_ref()));
    Ok(Secret::new(format!("{LABEL}{}", text.as_str())))
}

/// The part of a key that may be shown and looked up: 8 characters after `sg-`; `None` for what is no virtual key.
pub fn prefix(key: &str) -> Option<&str> {
    let random = key.strip_prefix(LABEL)?;
    let is_ours = random.len() == RANDOM_CHARS
        && random
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_ours {
        random.get(..PREFIX_CHARS)
    } else {
        None
    }
}

/// The secret under which keys are hashed: a copy of the store alone tells nothing about any key.
/// Kept as one block of SHA-256, the rest of it zero, which is what HMAC makes of a shorter key.
pub struct Pepper([u8; 64]);

/// A pepper file that cannot be used. It is never replaced: all keys would stop working.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPepper {
    /// It cannot be read or made.
    #[error(
        "cannot read or create the key pepper {path}: expected a file of 32 bytes in a writable folder"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It has the wrong length.
    #[error(
        "the key pepper {path} has {found} bytes: expected 32; help: restore it from a backup, or remove it together with all keys and create new keys"
    )]
    Damaged {
        /// Where.
        path: PathBuf,
        /// How many bytes it has.
        found: usize,
    },
    /// The store's keys were hashed under another one.
    #[error(
        "the keys in the store were made with another key.pepper: expected the one of the gateway that made the first key; help: copy its data/key.pepper to this gateway's data folder"
    )]
    Other,
    /// The store cannot say what its keys were hashed under.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others may read it.
    #[error(
        "the key pepper {path} is open to other users: expected mode 0600; help: chmod 600 {path}"
    )]
    Open {
        /// Where.
        path: PathBuf,
    },
}

impl Pepper {
    /// Reads `key.pepper` in the data folder, making it (mode 0600) on the first start.
    ///
    /// # Errors
    /// If it cannot be read or made, has the wrong length, or is open to others.
    pub fn open(folder: &Path) -> Result<Self, InvalidPepper> {
        let path = folder.join("key.pepper");
        let failed = |source| InvalidPepper::Io {
            path: path.clone(),
            source,
        };
        if !path.try_exists().map_err(failed)? {
            let mut random = Zeroizing::new([0; 32]);
            OsRng
                .try_fill_bytes(random.as_mut())
                .map_err(|error| failed(io::Error::other(error)))?;
            durable::make_folder(folder).map_err(failed)?;
            durable::create_once(&path, random.as_ref()).map_err(failed)?;
        }
        if durable::is_open_to_others(&path).map_err(failed)? {
            return Err(InvalidPepper::Open { path });
        }
        let bytes = Zeroizing::new(
            durable::read(&path, 4_096)
                .map_err(failed)?
                .unwrap_or_default(),
        );
        let found = bytes.len();
        if found != 32 {
            return Err(InvalidPepper::Damaged { path, found });
        }
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(bytes.iter()) {
            *to = *from;
        }
        Ok(Self(block))
    }

    /// Sees that a store's keys were hashed under this pepper, the first to ask deciding: gateways over one store that
    /// differ in it would each refuse the others' keys. Blocks.
    ///
    /// # Errors
    /// If they were hashed under another, or the store cannot be used.
    pub fn check(&self, store: &dyn KeyStore) -> Result<(), InvalidPepper> {
        let ours = URL_SAFE_NO_PAD.encode(self.hash(FINGERPRINT));
        if store.recall(FINGERPRINT)?.is_none() {
            store.remember(FINGERPRINT, None, &ours)?;
        }
        let theirs = store.recall(FINGERPRINT)?.unwrap_or_default();
        if theirs.as_bytes().ct_eq(ours.as_bytes()).into() {
            Ok(())
        } else {
            Err(InvalidPepper::Other)
        }
    }

    /// What end users are called where gateways count together: they have the same pepper.
    pub fn veil(&self) -> Veil {
        Veil::new(&self.hash(NAMES))
    }

    /// HMAC-SHA256 (RFC 2104, FIPS 180-4) of a key.
    pub fn hash(&self, key: &str) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&self.0).into());
        mac.update(key.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl Drop for Pepper {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn keys_have_their_form_and_differ() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        for key in [one, two] {
            let random = key.expose().strip_prefix("sg-").unwrap();
            assert_eq!(URL_SAFE_NO_PAD.decode(random).unwrap().len(), 32);
            assert_eq!(prefix(key.expose()), random.get(..8));
        }
    }

    #[test]
    fn what_is_no_key_has_no_prefix() {
        let random = "a".repeat(43);
        assert!(prefix(&format!("sg-{random}")).is_some());
        for text in [
            String::new(),
            "sg-".to_owned(),
            random.clone(),
            format!("SG-{random}"),
            format!("sg-{random}a"),
            format!("sg-{}", "a".repeat(42)),
            format!("sg-{}+", "a".repeat(42)),
            format!("sg-{}", "\u{e9}".repeat(43)),
            format!(" sg-{random}"),
        ] {
            assert_eq!(prefix(&text), None, "{text}");
        }
    }

    /// RFC 4231, test case 2, whose key is shorter than ours but padded in the same way.
    #[test]
    fn hashes_are_hmac_sha256() {
        let mut block = [0; 64];
        block[..4].copy_from_slice(b"Jefe");
        let hash = Pepper(block).hash("what do ya want for nothing?");
        let halves = hash
            .as_chunks()
            .0
            .iter()
            .map(|half| u128::from_be_bytes(*half));
        assert!(halves.eq([
            0x5bdc_c146_bf60_754e_6a04_2426_0895_75c7,
            0x5a00_3f08_9d27_3983_9dec_58b9_64ec_3843
        ]));
    }

    #[test]
    fn the_pepper_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let hash = Pepper::open(folder.path()).unwrap().hash("key");
        assert_eq!(Pepper::open(folder.path()).unwrap().hash("key"), hash);
        let path = folder.path().join("key.pepper");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(Pepper::open(other.path()).unwrap().hash("key"), hash);
    }

    #[test]
    fn a_pepper_that_cannot_be_used_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        Pepper::open(folder.path()).unwrap();
        let path = folder.path().join("key.pepper");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Pepper::open(folder.path()),
            Err(InvalidPepper::Open { .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, [0; 31]).unwrap();
        assert!(matches!(
            Pepper::open(folder.path()),
            Err(InvalidPepper::Damaged { found: 31, .. })
        ));
        assert_eq!(fs::read(&path).unwrap().len(), 31);
    }
}
