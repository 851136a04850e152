//! Who calls: a presented key or session token becomes a principal, or is refused.
//!
//! What is presented is looked up by its visible prefix and compared by keyed hash in constant time; those used lately are
//! in memory, the rest one statement away. What changes in the store, here or by another gateway or command, reaches those
//! in memory and in use by its id, so that a revocation ends open streams and nothing is ever read as a whole.

mod key;
mod keyring;
mod live;
mod record;
mod session;
pub use key::{InvalidPepper, Pepper, generate, prefix};
pub use keyring::{Keyring, Refused};
pub use record::{Bearer, Credentials, Grant, KeyRecord, Team, new_id};
pub use session::Sessions;

use jiff::Timestamp;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// An authenticated caller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The key whose rights it has.
    pub key: Arc<KeyRecord>,
    /// The key's team, if it was set up.
    pub team: Option<Arc<Team>>,
    /// `ses_…` if a session's token was presented.
    pub session: Option<Arc<str>>,
    /// The end user, where the session or the request names one. Told apart within the key only.
    pub user: Option<Arc<str>>,
    /// Where it calls from.
    pub address: IpAddr,
    /// What it presented, as of now.
    live: Arc<live::Live>,
}

impl Principal {
    /// Whether key and team may use a model.
    pub fn allows_model(&self, model: &str) -> bool {
        self.all(|key| &key.models, |team| &team.models, model)
    }

    /// Whether key and team may use a provider.
    pub fn allows_provider(&self, provider: &str) -> bool {
        self.all(|key| &key.providers, |team| &team.providers, provider)
    }

    /// Whether it may use some models and not others.
    pub fn is_restricted(&self) -> bool {
        !self.key.models.is_empty()
            || self
                .team
                .as_ref()
                .is_some_and(|team| !team.models.is_empty())
    }

    /// The policy that its key or else its team names.
    pub fn policy(&self) -> Option<&str> {
        let team = || self.team.as_ref().and_then(|team| team.policy.as_deref());
        self.key.policy.as_deref().or_else(team)
    }

    /// Its own credential for a provider, sealed, and whose it is: the session's, else the key's, else the team's.
    pub fn credential(&self, provider: &str) -> Option<(Holder, String)> {
        let grant = self.live.grant();
        let session = || {
            let sealed = grant.bearer.credentials.get(provider)?;
            Some((Holder::Session(Arc::clone(self.session.as_ref()?)), sealed))
        };
        let key = || {
            let sealed = grant.key.credentials.get(provider)?;
            Some((Holder::Key(Arc::clone(&grant.key.id)), sealed))
        };
        let team = || {
            let team = grant.team.as_ref()?;
            let sealed = team.credentials.get(provider)?;
            Some((Holder::Team(Arc::clone(&team.name)), sealed))
        };
        let (holder, sealed) = session().or_else(key).or_else(team)?;
        Some((holder, sealed.clone()))
    }

    /// Whom a session was made for, as the key's holder said it: its user, else the session itself. `None` for the key itself.
    pub fn made_for(&self) -> Option<Arc<str>> {
        let session = self.session.as_ref()?;
        let user = self.live.grant().bearer.user.clone();
        // A user may be called like a session.
        Some(user.map_or_else(|| Arc::clone(session), |user| format!("user {user}").into()))
    }

    /// When it ends by itself.
    pub fn expires(&self) -> Option<Timestamp> {
        self.live.grant().expires()
    }

    /// Whether it would still be admitted: open streams ask when the keyring's generation changes, and when they expire.
    ///
    /// # Errors
    /// If the key or session no longer works.
    pub fn recheck(&self, now: Timestamp) -> Result<(), Denied> {
        self.live.grant().check(self.address, now)
    }

    fn all(
        &self,
        key: fn(&KeyRecord) -> &Vec<String>,
        team: fn(&Team) -> &Vec<String>,
        name: &str,
    ) -> bool {
        let team_allows = |of: &Arc<Team>| record::allows(team(of), name);
        record::allows(key(&self.key), name) && self.team.as_ref().is_none_or(team_allows)
    }
}

/// Who has a credential of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A session, by its id.
    Session(Arc<str>),
    /// A key, by its id.
    Key(Arc<str>),
    /// A team, by its name.
    Team(Arc<str>),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) | Self::Key(id) => f.write_str(id),
            Self::Team(name) => write!(f, "team {name}"),
        }
    }
}

/// Why a caller is refused. The caller is told the same for each, so that nobody learns which keys once existed.
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
    /// It may not be used from where the caller is.
    #[error("key used from a network that it is not for")]
    Network,
}

impl Denied {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_key",
            Self::Revoked => "revoked_key",
            Self::Expired => "expired_key",
            Self::Network => "forbidden_network",
        }
    }
}

/// Where keys are kept. Calls block, a few milliseconds at most while all is well: async callers use a blocking thread.
pub trait KeyStore: Send + Sync + fmt::Debug {
    /// Keeps a new key and the text that is presented for it.
    ///
    /// # Errors
    /// If it cannot be written, or the id or hash exists already.
    fn insert(&self, key: &KeyRecord, bearer: &Bearer) -> Result<(), StoreError>;

    /// Keeps a session's text for a key.
    ///
    /// # Errors
    /// If it cannot be written, or there is no such key.
    fn add_session(&self, key: &str, bearer: &Bearer) -> Result<(), StoreError>;

    /// Gives a key a new text, and lets its present ones end at this time, sessions not among them.
    ///
    /// # Errors
    /// If it cannot be written, or there is no such key.
    fn rotate(&self, key: &str, bearer: &Bearer, at: Timestamp) -> Result<(), StoreError>;

    /// Keeps a key's changed settings and credentials; false if there is no such key or it was changed since this state
    /// of it was read.
    ///
    /// # Errors
    /// If it cannot be written.
    fn update(&self, key: &KeyRecord) -> Result<bool, StoreError>;

    /// Revokes a key; false if there is none of this id. One that was revoked before keeps its time.
    ///
    /// # Errors
    /// If it cannot be written.
    fn revoke(&self, id: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Ends a key's session; false if the key has no such session.
    ///
    /// # Errors
    /// If it cannot be written.
    fn end_session(&self, key: &str, session: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Whatever may be presented that has this prefix: none or one, but for accidents.
    ///
    /// # Errors
    /// If it cannot be read.
    fn find(&self, prefix: &str) -> Result<Vec<Grant>, StoreError>;

    /// The same from memory, as of the last look at changes; `None` if it is not there, which says nothing of the store.
    fn at_hand(&self, prefix: &str) -> Option<Vec<Grant>>;

    /// Whether [`gather`](Self::gather) would be of use.
    fn needs_gathering(&self) -> bool;

    /// Takes all that may be presented into memory and keeps it true by [`changes`](Self::changes); false if it is too much.
    /// Lookups need no store then, and unknown texts no more than to ask it what is new. Takes seconds for a million keys.
    ///
    /// # Errors
    /// If they cannot be read.
    fn gather(&self) -> Result<bool, StoreError>;

    /// The keys whose id is this, or whose prefix begins so; at most two.
    ///
    /// # Errors
    /// If they cannot be read.
    fn lookup(&self, id: &str, beginning: &str) -> Result<Vec<KeyRecord>, StoreError>;

    /// At most `count` keys after the one of this id, oldest first, revoked ones included; `None` for the first ones.
    ///
    /// # Errors
    /// If they cannot be read.
    fn list(&self, after: Option<&str>, count: u32) -> Result<Vec<KeyRecord>, StoreError>;

    /// Replaces the credentials of a key's session; false if there is no such session or it has others by now.
    ///
    /// # Errors
    /// If it cannot be written.
    fn put_session_credentials(
        &self,
        of: (&str, &str),
        old: &Credentials,
        new: &Credentials,
    ) -> Result<bool, StoreError>;

    /// Keeps a team's settings and credentials, new or changed; false if it was changed since this state of it was read.
    ///
    /// # Errors
    /// If it cannot be written.
    fn put_team(&self, team: &Team) -> Result<bool, StoreError>;

    /// All teams, by name.
    ///
    /// # Errors
    /// If they cannot be read.
    fn teams(&self) -> Result<Vec<Team>, StoreError>;

    /// What changed after this version; nothing in particular if there was none yet (`None`). Cheap if nothing did.
    ///
    /// # Errors
    /// If it cannot be read.
    fn changes(&self, since: Option<u64>) -> Result<Changes, StoreError>;

    /// Forgets texts that ended before this time.
    ///
    /// # Errors
    /// If it cannot be written.
    fn sweep(&self, before: Timestamp) -> Result<(), StoreError>;

    /// The value that is kept under a name.
    ///
    /// # Errors
    /// If it cannot be read.
    fn recall(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Keeps a value under a name in the place of `old`, or as the first; false if another is kept by now.
    ///
    /// # Errors
    /// If it cannot be written.
    fn remember(&self, name: &str, old: Option<&str>, new: &str) -> Result<bool, StoreError>;
}

/// What changed in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Grows with every change.
    pub version: u64,
    /// Ids of keys of which anything changed.
    pub keys: Vec<Arc<str>>,
    /// Teams that changed.
    pub teams: Vec<Team>,
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
