//! Who calls: a presented key becomes a principal, or is refused.
//!
//! Keys are looked up by their visible prefix in memory and compared by keyed hash in constant time; the store behind is
//! read again when it says that something changed, so that a key revoked by another process stops working here.

mod key;
pub use key::{InvalidPepper, Pepper, generate, prefix};

use crate::glob;
use crate::rate::quota::Quota;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// A virtual key as it is kept: everything but the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// `key_…`, what logs and commands call it.
    pub id: Arc<str>,
    /// The operator's name for it; need not be unique.
    pub name: String,
    /// The first 8 characters after `sg-`, which may be shown.
    pub prefix: String,
    /// HMAC-SHA256 of the key under the pepper.
    pub hash: [u8; 32],
    /// The person or service responsible.
    pub owner: Option<String>,
    /// The team it belongs to.
    pub team: Option<String>,
    /// The policy for its exchanges; the gateway's default if not set.
    pub policy: Option<String>,
    /// What it may use; as much as the gateway's own limits allow if not set.
    pub limit: Option<Quota>,
    /// Patterns of the models it may use; empty means all.
    pub models: Vec<String>,
    /// Patterns of the providers it may use; empty means all.
    pub providers: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it no longer works.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

impl KeyRecord {
    /// A record for `key` with a new id and nothing restricted; `None` if `key` has not the form of a virtual key.
    pub fn new(
        pepper: &Pepper,
        key: &crate::secret::Secret,
        name: &str,
        now: Timestamp,
    ) -> Option<Self> {
        Some(Self {
            id: format!("key_{:016x}", rand::random::<u64>()).into(),
            name: name.to_owned(),
            prefix: prefix(key.expose())?.to_owned(),
            hash: pepper.hash(key.expose()),
            owner: None,
            team: None,
            policy: None,
            limit: None,
            models: Vec::new(),
            providers: Vec::new(),
            created: now,
            expires: None,
            revoked: None,
        })
    }

    /// Whether it works at this time.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, now: Timestamp) -> Result<(), Denied> {
        if self.revoked.is_some() {
            return Err(Denied::Revoked);
        }
        if self.expires.is_some_and(|expires| expires <= now) {
            return Err(Denied::Expired);
        }
        Ok(())
    }
}

/// An authenticated caller. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The key that was presented.
    pub key: Arc<KeyRecord>,
}

impl Principal {
    /// Whether the key may use a model.
    pub fn allows_model(&self, model: &str) -> bool {
        allows(&self.key.models, model)
    }

    /// Whether the key may use a provider.
    pub fn allows_provider(&self, provider: &str) -> bool {
        allows(&self.key.providers, provider)
    }
}

fn allows(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| glob::matches(pattern, name))
}

/// Why a key is refused. The caller is told the same for each, so that nobody learns which keys once existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denied {
    /// No such key.
    #[error("unknown key")]
    Unknown,
    /// It was revoked.
    #[error("revoked key")]
    Revoked,
    /// Its time is over.
    #[error("expired key")]
    Expired,
}

impl Denied {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_key",
            Self::Revoked => "revoked_key",
            Self::Expired => "expired_key",
        }
    }
}

/// Where keys are kept. Calls block: async callers use a blocking thread.
pub trait KeyStore: Send + Sync + fmt::Debug {
    /// Keeps a new key.
    ///
    /// # Errors
    /// If it cannot be written, or the id or hash exists already.
    fn insert(&self, record: &KeyRecord) -> Result<(), StoreError>;

    /// All keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// If they cannot be read.
    fn list(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Revokes a key; false if there is none of this id. One that was revoked before keeps its time.
    ///
    /// # Errors
    /// If it cannot be written.
    fn revoke(&self, id: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// A number that differs from the last one if anything may have changed since, here or in another process. Cheap.
    ///
    /// # Errors
    /// If it cannot be read.
    fn generation(&self) -> Result<u64, StoreError>;
}

/// A store that cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} in the key store")]
pub struct StoreError {
    /// What was being done, such as "list keys".
    pub doing: &'static str,
    /// What the store says.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// All keys in memory, as of the last [`refresh`](Self::refresh).
#[derive(Debug)]
pub struct Keyring {
    store: Arc<dyn KeyStore>,
    pepper: Pepper,
    index: ArcSwap<Index>,
    /// The store's generation that `index` was read at, held while reading.
    read_at: Mutex<u64>,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct Index {
    by_prefix: HashMap<String, Vec<Arc<KeyRecord>>>,
    by_id: HashMap<Arc<str>, Arc<KeyRecord>>,
}

impl Keyring {
    /// Reads all keys. Blocks.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn open(store: Arc<dyn KeyStore>, pepper: Pepper) -> Result<Self, StoreError> {
        let read_at = store.generation()?;
        let index = Index::new(store.list()?);
        Ok(Self {
            store,
            pepper,
            index: ArcSwap::from_pointee(index),
            read_at: Mutex::new(read_at),
            generation: AtomicU64::new(1),
        })
    }

    /// Who presents this key. Memory only, a few microseconds, whatever the number of keys.
    ///
    /// # Errors
    /// If it is no key of ours, or no longer works.
    pub fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Principal, Denied> {
        let prefix = prefix(presented).ok_or(Denied::Unknown)?;
        let hash = self.pepper.hash(presented);
        let index = self.index.load();
        let key = index
            .by_prefix
            .get(prefix)
            .into_iter()
            .flatten()
            .find(|key| key.hash.ct_eq(&hash).into())
            .ok_or(Denied::Unknown)?;
        key.check(now)?;
        Ok(Principal {
            key: Arc::clone(key),
        })
    }

    /// Whether a caller admitted earlier would still be admitted: open streams ask when the generation changes, and now
    /// and then for the expiry's sake.
    ///
    /// # Errors
    /// If the key no longer works.
    pub fn recheck(&self, principal: &Principal, now: Timestamp) -> Result<(), Denied> {
        let index = self.index.load();
        index
            .by_id
            .get(&principal.key.id)
            .ok_or(Denied::Unknown)?
            .check(now)
    }

    /// Reads the keys again if the store changed; true if so. Blocks. To be called every 250 ms.
    ///
    /// # Errors
    /// If the store cannot be read; the keys known so far stay in force.
    pub fn refresh(&self) -> Result<bool, StoreError> {
        let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.store.generation()?;
        if generation == *read_at {
            return Ok(false);
        }
        self.index.store(Arc::new(Index::new(self.store.list()?)));
        *read_at = generation;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// Grows with each reload.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How many keys are known, revoked and expired ones included.
    pub fn len(&self) -> usize {
        self.index.load().by_id.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Index {
    fn new(records: Vec<KeyRecord>) -> Self {
        let mut index = Self::default();
        for record in records {
            let record = Arc::new(record);
            index
                .by_prefix
                .entry(record.prefix.clone())
                .or_default()
                .push(Arc::clone(&record));
            index.by_id.insert(Arc::clone(&record.id), record);
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[derive(Debug, Default)]
    struct Memory {
        records: Mutex<Vec<KeyRecord>>,
        generation: AtomicU64,
    }

    impl KeyStore for Memory {
        fn insert(&self, record: &KeyRecord) -> Result<(), StoreError> {
            self.records.lock().unwrap().push(record.clone());
            self.generation.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
            Ok(self.records.lock().unwrap().clone())
        }

        fn revoke(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
            let mut records = self.records.lock().unwrap();
            let found = records.iter_mut().find(|record| &*record.id == id);
            self.generation.fetch_add(1, Ordering::Relaxed);
            Ok(found.map(|record| record.revoked = Some(at)).is_some())
        }

        fn generation(&self) -> Result<u64, StoreError> {
            Ok(self.generation.load(Ordering::Relaxed))
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A keyring with one key that ends at second 100.
    fn keyring() -> (Keyring, Arc<Memory>, Secret, KeyRecord) {
        let folder = tempfile::tempdir().unwrap();
        let pepper = Pepper::open(folder.path()).unwrap();
        let key = generate().unwrap();
        let mut record = KeyRecord::new(&pepper, &key, "app", at(0)).unwrap();
        record.expires = Some(at(100));
        let store = Arc::new(Memory::default());
        store.insert(&record).unwrap();
        let keyring = Keyring::open(store.clone(), pepper).unwrap();
        (keyring, store, key, record)
    }

    #[test]
    fn a_key_makes_its_principal() {
        let (keyring, _, key, record) = keyring();
        let principal = keyring.authenticate(key.expose(), at(99)).unwrap();
        assert_eq!(*principal.key, record);
    }

    #[test]
    fn other_texts_do_not() {
        let (keyring, _, key, record) = keyring();
        let hash = format!("sg-{}", URL_SAFE_NO_PAD.encode(record.hash));
        let same_prefix = format!("sg-{}{}", record.prefix, "A".repeat(35));
        let upper = key.expose().to_uppercase();
        for text in [
            "",
            &hash,
            &record.id,
            &record.prefix,
            &same_prefix,
            &upper,
            "sg-' OR 1=1 --",
        ] {
            assert_eq!(
                keyring.authenticate(text, at(0)),
                Err(Denied::Unknown),
                "{text}"
            );
        }
    }

    #[test]
    fn time_ends_a_key() {
        let (keyring, _, key, _) = keyring();
        let principal = keyring.authenticate(key.expose(), at(99)).unwrap();
        assert_eq!(
            keyring.authenticate(key.expose(), at(100)),
            Err(Denied::Expired)
        );
        assert_eq!(keyring.recheck(&principal, at(100)), Err(Denied::Expired));
    }

    #[test]
    fn a_revocation_elsewhere_reaches_callers_admitted_before() {
        let (keyring, store, key, record) = keyring();
        let principal = keyring.authenticate(key.expose(), at(1)).unwrap();
        let before = keyring.generation();
        assert!(!keyring.refresh().unwrap());
        assert!(store.revoke(&record.id, at(2)).unwrap());
        assert!(keyring.refresh().unwrap());
        assert!(keyring.generation() > before);
        assert_eq!(
            keyring.authenticate(key.expose(), at(3)),
            Err(Denied::Revoked)
        );
        assert_eq!(keyring.recheck(&principal, at(3)), Err(Denied::Revoked));
    }

    #[test]
    fn keys_of_one_prefix_are_told_apart() {
        let (keyring, store, _, record) = keyring();
        let other = format!("sg-{}{}", record.prefix, "B".repeat(35));
        let secret = Secret::new(other.clone());
        store
            .insert(&KeyRecord::new(&keyring.pepper, &secret, "other", at(0)).unwrap())
            .unwrap();
        keyring.refresh().unwrap();
        assert_eq!(
            keyring.authenticate(&other, at(0)).unwrap().key.name,
            "other"
        );
    }

    #[test]
    fn patterns_restrict_models_and_providers() {
        let (keyring, _, key, _) = keyring();
        let mut principal = keyring.authenticate(key.expose(), at(0)).unwrap();
        assert!(principal.allows_model("anything") && principal.allows_provider("anything"));
        let restricted = Arc::make_mut(&mut principal.key);
        restricted.models = vec!["gpt-4*".to_owned(), "o3".to_owned()];
        restricted.providers = vec!["openai".to_owned()];
        assert!(principal.allows_model("gpt-4o-mini") && principal.allows_model("o3"));
        assert!(!principal.allows_model("gpt-3.5") && !principal.allows_model("o3-mini"));
        assert!(principal.allows_provider("openai") && !principal.allows_provider("lab"));
    }

    #[test]
    fn nothing_prints_a_key() {
        let (keyring, _, key, _) = keyring();
        assert!(!format!("{keyring:?}").contains(key.expose()));
    }
}
