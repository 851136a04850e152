//! Keys used lately, in memory, kept true by what the store says has changed.

use crate::auth::{
    Bearer, Denied, Grant, KeyRecord, KeyStore, Pepper, Principal, StoreError, Team, generate,
    new_id, prefix,
};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use quick_cache::sync::Cache;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Prefixes remembered, those that nothing has among them: about 50 MB when full.
const CAPACITY: usize = 65_536;
/// How long a prefix is known to belong to no key presented: a flood of one wrong key costs a statement a second.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
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

/// Something presented that is in memory: its grant is replaced when it changes, for everyone who holds this.
#[derive(Debug)]
pub(super) struct Live {
    grant: ArcSwap<Grant>,
}

/// All that has one prefix.
#[derive(Debug)]
struct Looked {
    lives: Vec<Arc<Live>>,
    at: Timestamp,
}

/// What is in memory or used by an open exchange, by key.
#[derive(Debug, Default)]
struct InUse {
    by_key: HashMap<Arc<str>, Vec<Weak<Live>>>,
    /// Grows whenever changes are taken in: what was read from the store before is not registered after.
    epoch: u64,
    /// The size at which those no longer used are looked for.
    prune_at: usize,
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

impl Live {
    pub(super) fn grant(&self) -> Arc<Grant> {
        self.grant.load_full()
    }

    /// Whether the text with this hash is meant. Constant in time.
    fn is(&self, hash: &[u8; 32]) -> bool {
        self.grant.load().bearer.hash.ct_eq(hash).into()
    }
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
        let looked = self.lately.get(prefix)?;
        let hash = self.pepper.hash(presented);
        if let Some(live) = looked.lives.iter().find(|live| live.is(&hash)) {
            return Some(admit(live, from, now).map_err(Refused::Denied));
        }
        let age = Duration::try_from(now.duration_since(looked.at)).unwrap_or_default();
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
        let lives = loop {
            let epoch = self.in_use().epoch;
            let grants = self.store.find(prefix)?;
            let mut in_use = self.in_use();
            // What was read may have changed before anybody knew that it is in use: read it again.
            if in_use.epoch == epoch {
                break in_use.register(grants);
            }
        };
        let hash = self.pepper.hash(presented);
        let found = lives.iter().find(|live| live.is(&hash)).cloned();
        let looked = Looked { lives, at: now };
        self.lately.insert(prefix.into(), Arc::new(looked));
        Ok(admit(&found.ok_or(Denied::Unknown)?, from, now)?)
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
                since => since,
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
            let found = self.store.find(&prefix)?;
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
        self.generation.fetch_add(1, Ordering::Release);
        Ok(true)
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

impl InUse {
    /// Puts what was read into memory; what is there already is brought up to date, so that there is one of each.
    fn register(&mut self, grants: Vec<Grant>) -> Vec<Arc<Live>> {
        if self.by_key.len() >= self.prune_at {
            self.by_key.retain(|_, lives| {
                lives.retain(|live| live.strong_count() > 0);
                !lives.is_empty()
            });
            self.prune_at = (self.by_key.len() * 2).max(1_024);
        }
        let live = |grant: Grant| {
            let lives: &mut Vec<Weak<Live>> =
                self.by_key.entry(Arc::clone(&grant.key.id)).or_default();
            let mut known = lives.iter().filter_map(Weak::upgrade);
            if let Some(known) = known.find(|live| live.is(&grant.bearer.hash)) {
                known.grant.store(Arc::new(grant));
                return known;
            }
            let live = Arc::new(Live {
                grant: ArcSwap::from_pointee(grant),
            });
            lives.retain(|live| live.strong_count() > 0);
            lives.push(Arc::downgrade(&live));
            live
        };
        grants.into_iter().map(live).collect()
    }

    fn of_keys(&self, ids: &[Arc<str>]) -> Vec<Arc<Live>> {
        let lives = ids.iter().filter_map(|id| self.by_key.get(id)).flatten();
        lives.filter_map(Weak::upgrade).collect()
    }

    fn of_teams(&self, teams: &[Team]) -> Vec<(Arc<Live>, Arc<Team>)> {
        if teams.is_empty() {
            return Vec::new();
        }
        let teams: HashMap<&str, Arc<Team>> = teams
            .iter()
            .map(|team| (&*team.name, Arc::new(team.clone())))
            .collect();
        let lives = self.by_key.values().flatten().filter_map(Weak::upgrade);
        let with_team = |live: Arc<Live>| {
            let name = live.grant().key.team.clone()?;
            let team = Arc::clone(teams.get(name.as_str())?);
            Some((live, team))
        };
        lives.filter_map(with_team).collect()
    }
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
