//! Virtual keys: `sg-` and 43 characters of base64url, 256 random bits. Only a keyed hash of a key is ever kept.

use crate::durable;
use crate::secret::Secret;
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
use zeroize::{Zeroize, Zeroizing};

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
