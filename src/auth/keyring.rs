//! Keys used lately, in memory, kept true by what the store says has changed.

use crate::auth::{
    Bearer, Credentials, Denied, Grant, KeyRecord, KeyStore, Pepper, Principal, StoreError,
    generate, new_id, prefix,
};

use crate::auth::live::{InUse, Live};
use crate::secret::Secret;
use jiff::Timestamp;
use quick_cache::sync::Cache;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Prefixes remembered, those that nothing has among them: about 50 MB when full.
const CAPACITY: usize = 65_536;
/// How long a prefix is known to belong to no key presented: a flood of one wrong key costs a statement a second.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// How often a change is tried that others' changes come before.
const ATTEMPTS: u32 = 5;
/// How long keys in memory are trusted while the store cannot be read, if it is to fail closed.
const GRACE: Duration = Duration::from_secs(5);

/// The keys.
#[derive(Debug)]
pub struct Keyring {
    store: Arc<dyn KeyStore>,
    pepper: Pepper,
    fail_closed: bool,
    lately: Cache<Arc<str>, Arc<Looked>>,
    in_use: Mutex<InUse>,
    /// The store's version up to which changes were taken in; held while they are.
    version: Mutex<u64>,
    generation: AtomicU64,
    /// When the store began to be unreadable, in microseconds since 1970; 0 while it is not.
    failing_since: AtomicI64,
}

/// All that has one prefix.
#[derive(Debug)]
struct Looked {
    lives: Vec<Arc<Live>>,
    at: Timestamp,
}

/// Why a caller is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What it presents does not work.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Whether it works cannot be told: the store has not been readable for some time.
    #[error("keys cannot be checked: the key store has been away for too long")]
    Away,
    /// Whether it works cannot be told.
    #[error(transparent)]
    Unread(#[from] StoreError),
}

impl Keyring {
    /// A keyring with nothing in memory yet. Blocks for one statement. With `fail_closed`, nobody is admitted once the
    /// store has not been readable for 5 seconds; else those in memory still are.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn open(
        store: Arc<dyn KeyStore>,
        pepper: Pepper,
        fail_closed: bool,
    ) -> Result<Self, StoreError> {
        let version = store.changes(None)?.version;
        Ok(Self {
            store,
            pepper,
            fail_closed,
            lately: Cache::new(CAPACITY),
            in_use: Mutex::default(),
            version: Mutex::new(version),
            generation: AtomicU64::new(1),
            failing_since: AtomicI64::new(0),
        })
    }

    /// Who presents this, from memory; `None` if that must be [looked up](Self::look_up). A few microseconds.
    pub fn known(
        &self,
        presented: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Option<Result<Principal, Refused>> {
        let Some(prefix) = prefix(presented) else {
            return Some(Err(Denied::Unknown.into()));
        };
        if self.fail_closed && self.is_away(now) {
            return Some(Err(Refused::Away));
        }
        let looked = match self.lately.get(prefix) {
            Some(looked) => looked,
            None => self
                .take_up(prefix, now, || self.store.at_hand(prefix).ok_or(()))
                .ok()?,
        };
        let hash = self.pepper.hash(presented);
        if let Some(live) = looked.lives.iter().find(|live| live.is(&hash)) {
            return Some(admit(live, from, now).map_err(Refused::Denied));
        }
        let age = now.duration_since(looked.at).unsigned_abs();
        (age < UNKNOWN_FOR).then_some(Err(Refused::Denied(Denied::Unknown)))
    }

    /// Who presents this, by one statement. Blocks.
    ///
    /// # Errors
    /// If it is nothing of ours, no longer works, or cannot be looked up.
    pub fn look_up(
        &self,
        presented: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Principal, Refused> {
        let prefix = prefix(presented).ok_or(Denied::Unknown)?;
        let looked = self.take_up(prefix, now, || self.store.find(prefix))?;
        let hash = self.pepper.hash(presented);
        let found = looked.lives.iter().find(|live| live.is(&hash)).cloned();
        Ok(admit(&found.ok_or(Denied::Unknown)?, from, now)?)
    }

    /// Remembers what has a prefix.
    fn take_up<E>(
        &self,
        prefix: &str,
        now: Timestamp,
        find: impl Fn() -> Result<Vec<Grant>, E>,
    ) -> Result<Arc<Looked>, E> {
        let lives = loop {
            let epoch = self.in_use().epoch;
            let grants = find()?;
            let mut in_use = self.in_use();
            // What was read may have changed before anybody knew that it is in use: read it again.
            if in_use.epoch == epoch {
                break in_use.register(grants);
            }
        };
        let looked = Arc::new(Looked { lives, at: now });
        self.lately.insert(prefix.into(), Arc::clone(&looked));
        Ok(looked)
    }

    /// Takes all keys of the store into memory, if they are not there; false if they are too many. Blocks for seconds.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn gather(&self) -> Result<bool, StoreError> {
        Ok(!self.needs_gathering() || self.store.gather()?)
    }

    /// Whether [`gather`](Self::gather) has something to do.
    pub fn needs_gathering(&self) -> bool {
        self.store.needs_gathering()
    }

    /// Makes a token for a session of the caller's key: what is kept of it, and the token itself. Blocks.
    ///
    /// # Errors
    /// If it cannot be kept, or the system has no random bytes.
    pub fn open_session(
        &self,
        principal: &Principal,
        user: Option<&str>,
        expires: Timestamp,
    ) -> Result<(Bearer, Secret), StoreError> {
        let failed = |source| StoreError {
            doing: "make a session",
            source,
        };
        let token = generate().map_err(|error| failed(error.into()))?;
        let bearer = Bearer::new(&self.pepper, &token).map(|bearer| Bearer {
            session: Some(new_id("ses")),
            user: user.map(Into::into),
            expires: Some(expires),
            ..bearer
        });
        let bearer = bearer.ok_or_else(|| failed("a token that is none".into()))?;
        self.store.add_session(&principal.key.id, &bearer)?;
        Ok((bearer, token))
    }

    /// Ends a session of the caller's key; false if there is none of this id. Blocks.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end_session(
        &self,
        principal: &Principal,
        session: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store.end_session(&principal.key.id, session, now)
    }

    /// Keeps a credential, sealed, for a provider, or removes it (`None`): the session's if the caller has one, else the
    /// key's. False if there was none to remove. Blocks.
    ///
    /// # Errors
    /// If it cannot be written, or the session or key is gone or changes all the time.
    pub fn put_credential(
        &self,
        principal: &Principal,
        provider: &str,
        sealed: Option<&str>,
    ) -> Result<bool, StoreError> {
        let change = |credentials: &mut Credentials| match sealed {
            Some(sealed) => {
                credentials.insert(provider.to_owned(), sealed.to_owned());
                true
            }
            None => credentials.remove(provider).is_some(),
        };
        let id = &*principal.key.id;
        for _ in 0..ATTEMPTS {
            let kept = match &principal.session {
                None => {
                    let mut found = self.store.lookup(id, "")?.into_iter();
                    let Some(mut key) = found.next() else {
                        break;
                    };
                    if !change(&mut key.credentials) {
                        return Ok(false);
                    }
                    self.store.update(&key)?
                }
                Some(session) => {
                    let prefix = principal.live.grant().bearer.prefix.clone();
                    let found = self.store.find(&prefix)?.into_iter();
                    let mut bearers = found.map(|grant| grant.bearer);
                    let is_it = |bearer: &Bearer| bearer.session.as_ref() == Some(session);
                    let Some(bearer) = bearers.find(is_it) else {
                        break;
                    };
                    let mut new = bearer.credentials.clone();
                    if !change(&mut new) {
                        return Ok(false);
                    }
                    let of = (id, &**session);
                    self.store
                        .put_session_credentials(of, &bearer.credentials, &new)?
                }
            };
            if kept {
                return Ok(true);
            }
        }
        Err(StoreError {
            doing: "keep a credential",
            source: "its key or session is gone, or others change it all the time".into(),
        })
    }

    /// Takes in what changed in the store; true if anything did. Blocks. To be called every 250 ms.
    ///
    /// # Errors
    /// If the store cannot be read; what is in memory stays in force, if it may.
    pub fn refresh(&self, now: Timestamp) -> Result<bool, StoreError> {
        let refreshed = self.take_in();
        let since = match &refreshed {
            Ok(_) => 0,
            Err(_) => match self.failing_since.load(Ordering::Acquire) {
                0 => now.as_microsecond().max(1),
                since => since.min(now.as_microsecond()),
            },
        };
        self.failing_since.store(since, Ordering::Release);
        refreshed
    }

    /// Forgets, in the store, texts that ended an hour ago. Blocks.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.checked_sub(Duration::from_hours(1)).unwrap_or(now);
        self.store.sweep(before)
    }

    /// Grows whenever anything in use may have changed.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How many prefixes are in memory, at most 65,536.
    pub fn len(&self) -> usize {
        self.lately.len()
    }

    /// Whether nothing is in memory.
    pub fn is_empty(&self) -> bool {
        self.lately.is_empty()
    }

    fn is_away(&self, now: Timestamp) -> bool {
        let since = self.failing_since.load(Ordering::Acquire);
        let grace = i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
        since != 0 && now.as_microsecond().saturating_sub(since) > grace
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self) -> Result<bool, StoreError> {
        let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.store.changes(Some(*version))?;
        if changes.version == *version {
            return Ok(false);
        }
        let (by_key, by_team) = {
            let mut in_use = self.in_use();
            in_use.epoch += 1;
            (
                in_use.of_keys(&changes.keys),
                in_use.of_teams(&changes.teams),
            )
        };
        for (live, team) in by_team {
            let grant = Grant::clone(&live.grant());
            live.grant.store(Arc::new(Grant {
                team: Some(team),
                ..grant
            }));
        }
        let prefixes: BTreeSet<String> = by_key
            .iter()
            .map(|live| live.grant().bearer.prefix.clone())
            .collect();
        for prefix in prefixes {
            // What is in memory is as it is after these changes: no statement for each of many sessions.
            let at_hand = self.store.at_hand(&prefix);
            let found = at_hand.map_or_else(|| self.store.find(&prefix), Ok)?;
            for live in &by_key {
                let mut grant = Grant::clone(&live.grant());
                if grant.bearer.prefix != prefix {
                    continue;
                }
                let same = |found: &&Grant| found.bearer.hash == grant.bearer.hash;
                match found.iter().find(same) {
                    Some(found) => grant = found.clone(),
                    None => grant.bearer.expires = Some(Timestamp::MIN),
                }
                live.grant.store(Arc::new(grant));
            }
        }
        *version = changes.version;
        // What is new concerns nobody who is admitted.
        let concerns = !changes.keys.is_empty() || !changes.teams.is_empty();
        if concerns {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(concerns)
    }
}

fn admit(live: &Arc<Live>, from: IpAddr, now: Timestamp) -> Result<Principal, Denied> {
    let grant = live.grant();
    grant.check(from, now)?;
    Ok(Principal {
        key: Arc::clone(&grant.key),
        team: grant.team.clone(),
        session: grant.bearer.session.clone(),
        user: grant.bearer.user.clone(),
        address: from,
        live: Arc::clone(live),
    })
}

impl KeyRecord {
    /// Sets up the store's first key, if it has none yet. Blocks.
    ///
    /// # Errors
    /// If the store cannot be used, or the system has no random bytes.
    pub fn first(
        store: &dyn KeyStore,
        pepper: &Pepper,
        now: Timestamp,
    ) -> Result<Option<Secret>, StoreError> {
        if !store.list(None, 1)?.is_empty() {
            return Ok(None);
        }
        let key = generate().map_err(|error| StoreError {
            doing: "make a first key",
            source: error.into(),
        })?;
        if let Some(bearer) = Bearer::new(pepper, &key) {
            store.insert(&Self::new(&bearer.prefix, "first", now), &bearer)?;
        }
        Ok(Some(key))
    }
}
