//! The vault's cryptography: AES-256-GCM (NIST SP 800-38D) and Argon2id (RFC 9106). The only file that names them.

use crate::secret::Secret;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use std::fmt;
use std::io;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;

/// What the operator opens the vault with.
pub struct MasterKey(Given);

enum Given {
    /// 32 bytes in base64: used as they are.
    Key(Key),
    /// Anything else: goes through Argon2id with the vault's salt.
    Passphrase(Secret),
}

impl MasterKey {
    /// Takes either base64 alphabet, padded or not.
    ///
    /// # Errors
    /// If the text is empty.
    pub fn from_text(text: &Secret) -> Result<Self, EmptyMasterKey> {
        if text.is_empty() {
            return Err(EmptyMasterKey);
        }
        let unpadded = text.expose().trim_end_matches('=');
        let decoded = STANDARD_NO_PAD
            .decode(unpadded)
            .or_else(|_| URL_SAFE_NO_PAD.decode(unpadded));
        if let Ok(bytes) = decoded.map(Zeroizing::new)
            && let Ok(bytes) = bytes.as_slice().try_into()
        {
            return Ok(Self(Given::Key(Key(Zeroizing::new(bytes)))));
        }
        Ok(Self(Given::Passphrase(text.clone())))
    }

    /// The key it stands for; takes tenths of a second for a passphrase.
    pub(super) fn key(&self, salt: &[u8], cost: Cost) -> io::Result<Key> {
        match &self.0 {
            Given::Key(key) => Ok(Key(key.0.clone())),
            Given::Passphrase(passphrase) => Key::derive(passphrase, salt, cost),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// There is nothing in the master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the master key is empty: expected 32 random bytes in base64 or a passphrase; help: for a temporary vault leave it unset, for a lasting one use the output of `openssl rand -base64 32`"
)]
pub struct EmptyMasterKey;

/// An AES-256 key, wiped on drop.
pub(super) struct Key(Zeroizing<[u8; 32]>);

/// Nonce and ciphertext with tag, in base64 where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sealed(Vec<u8>);

/// How dear a guess at the passphrase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Cost {
    /// The second recommendation of RFC 9106, section 4.
    pub(super) const RECOMMENDED: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    /// At least as dear as recommended, and not so dear that a damaged number stops the machine.
    pub(super) fn is_acceptable(self) -> bool {
        (Self::RECOMMENDED.memory_kib..=4 * 1024 * 1024).contains(&self.memory_kib)
            && (Self::RECOMMENDED.passes..=64).contains(&self.passes)
            && (1..=64).contains(&self.lanes)
    }
}

impl Key {
    /// A fresh key from the operating system.
    pub(super) fn random() -> io::Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// Argon2id, version 0x13, 32 bytes.
    pub(super) fn derive(passphrase: &Secret, salt: &[u8], cost: Cost) -> io::Result<Self> {
        let failed = |error: argon2::Error| io::Error::other(error.to_string());
        let params =
            Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(failed)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), salt, key.as_mut())
            .map_err(failed)?;
        Ok(Self(key))
    }

    /// Encrypts under a fresh random nonce. With 2^32 messages under one key, the bound of SP 800-38D section 8.3, two
    /// nonces are equal with probability below 2^-32; the master key seals one message per written entry, a data key one.
    pub(super) fn seal(&self, plain: &[u8], associated: &[u8]) -> io::Result<Sealed> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let bytes = self
            .cipher()
            .encrypt(
                Nonce::from_slice(&nonce),
                Payload {
                    msg: plain,
                    aad: associated,
                },
            )
            .map_err(|_| io::Error::other("the message is too long for AES-GCM"))?;
        Ok(Sealed([nonce.as_slice(), &bytes].concat()))
    }

    /// Decrypts; `None` if anything is not as it was when sealed: key, bytes or associated data.
    pub(super) fn open(&self, sealed: &Sealed, associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, bytes) = sealed.0.split_at_checked(NONCE_BYTES)?;
        self.cipher()
            .decrypt(
                Nonce::from_slice(nonce),
                Payload {
                    msg: bytes,
                    aad: associated,
                },
            )
            .ok()
            .map(Zeroizing::new)
    }

    /// This key, sealed under another.
    pub(super) fn wrap(&self, under: &Self, associated: &[u8]) -> io::Result<Sealed> {
        under.seal(self.0.as_slice(), associated)
    }

    /// A key sealed under this one.
    pub(super) fn unwrap(&self, sealed: &Sealed, associated: &[u8]) -> Option<Self> {
        let bytes = self.open(sealed, associated)?;
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// A key of its own for each label: HMAC-SHA256 (FIPS 198-1) as the pseudo-random function of NIST SP 800-108.
    pub(super) fn derive_from(&self, label: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; 64]);
        for (to, from) in block.iter_mut().zip(self.0.iter()) {
            *to = *from;
        }
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new((&*block).into());
        mac.update(label);
        Self(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// For what needs a secret and no cipher.
    pub(super) fn into_bytes(self) -> Zeroizing<[u8; 32]> {
        self.0
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.0.as_slice().into())
    }
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Joins parts so that no other parts give the same bytes: each with its length before it, as 8 bytes, big endian.
pub(super) fn join(parts: &[&[u8]]) -> Vec<u8> {
    let bytes = parts.iter().map(|part| 8 + part.len()).sum();
    let mut joined = Vec::with_capacity(bytes);
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

impl Sealed {
    /// As it is written.
    pub(super) fn to_text(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// Text that is no base64 becomes empty, which never opens: one damaged entry must not make the others unreadable.
    pub(super) fn from_text(text: &str) -> Self {
        Self(STANDARD.decode(text).unwrap_or_default())
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_text(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap();
        let byte = |pair: &[u8; 2]| u8::try_from(digit(&pair[0]) << 4 | digit(&pair[1])).unwrap();
        text.as_bytes().as_chunks().0.iter().map(byte).collect()
    }

    fn key(text: &str) -> Key {
        Key(Zeroizing::new(hex(text).try_into().unwrap()))
    }

    /// Test cases 15 and 16 of "The Galois/Counter Mode of Operation" (`McGrew` and Viega), which NIST took over.
    #[test]
    fn aes_256_gcm_vectors() {
        let key = key("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce = "cafebabefacedbaddecaf888";
        let plain = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        );
        let bytes = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
        let tag = "b094dac5d93471bdec1a502270e3cc6c";
        let sealed = Sealed(hex(&format!("{nonce}{bytes}{tag}")));
        assert_eq!(key.open(&sealed, b"").unwrap().as_slice(), plain);

        let associated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let short = bytes.get(..120).unwrap();
        let sealed = Sealed(hex(&format!(
            "{nonce}{short}76fc6ece0f4e1768cddf8853bb2d551b"
        )));
        assert_eq!(
            key.open(&sealed, &associated).unwrap().as_slice(),
            &plain[..60]
        );
        assert!(key.open(&sealed, b"").is_none());
    }

    /// RFC 9106, section 5.3.
    #[test]
    fn argon2id_vector() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .build()
            .unwrap();
        let mut tag = [0; 32];
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params)
            .unwrap()
            .hash_password_into(&[1; 32], &[2; 16], &mut tag)
            .unwrap();
        assert_eq!(
            tag.as_slice(),
            hex("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659")
        );
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let key = Key::random().unwrap();
        let (one, two) = (
            key.seal(b"same", b"").unwrap(),
            key.seal(b"same", b"").unwrap(),
        );
        assert_ne!(one, two);
        assert_eq!(key.open(&one, b"").unwrap().as_slice(), b"same");
        assert!(Key::random().unwrap().open(&one, b"").is_none());
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let key = Key::random().unwrap();
        let sealed = key.seal(b"text", b"name").unwrap();
        for bit in 0..sealed.0.len() * 8 {
            let mut changed = sealed.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(&changed, b"name").is_none(), "bit {bit}");
        }
        assert!(key.open(&Sealed(vec![0; 11]), b"name").is_none());
    }

    #[test]
    fn joined_parts_cannot_be_shifted() {
        assert_ne!(join(&[b"ab", b"c"]), join(&[b"a", b"bc"]));
        assert_ne!(join(&[b"ab"]), join(&[b"ab", b""]));
    }
}
