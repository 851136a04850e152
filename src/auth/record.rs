//! What is kept of keys and teams: everything but the keys themselves.

use crate::auth::{Denied, Pepper, prefix};
use crate::glob;
use crate::rate::quota::Quota;
use crate::secret::Secret;
use ipnet::IpNet;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Sealed credentials by provider: what seals and opens them is not this module's matter.
pub type Credentials = BTreeMap<String, String>;

/// A virtual key: who calls, and what that caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// `key_…`, what logs and commands call it; a rotated key keeps it.
    pub id: Arc<str>,
    /// The operator's name for it; need not be unique.
    pub name: String,
    /// The first 8 characters after `sg-`, which may be shown.
    pub prefix: String,
    /// The person or service responsible.
    pub owner: Option<String>,
    /// The team it belongs to.
    pub team: Option<String>,
    /// The policy for its exchanges; the team's if not set.
    pub policy: Option<String>,
    /// What it may use; as much as the gateway's own limits allow if not set.
    pub limit: Option<Quota>,
    /// Patterns of the models it may use; empty means all.
    pub models: Vec<String>,
    /// Patterns of the providers it may use; empty means all.
    pub providers: Vec<String>,
    /// Networks it may be used from; empty means all.
    pub networks: Vec<IpNet>,
    /// Whether its holder may bring credentials of their own.
    pub byok: bool,
    /// The operator's own notes, by name.
    pub labels: BTreeMap<String, String>,
    /// Credentials of its own, sealed, by provider.
    pub credentials: Credentials,
    /// Which state of it this is: whoever changes it says which one they changed.
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it no longer works.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

impl KeyRecord {
    /// A record with a new id and nothing restricted, for a key that begins with `prefix`.
    pub fn new(prefix: &str, name: &str, now: Timestamp) -> Self {
        Self {
            id: new_id("key"),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            owner: None,
            team: None,
            policy: None,
            limit: None,
            models: Vec::new(),
            providers: Vec::new(),
            networks: Vec::new(),
            byok: false,
            labels: BTreeMap::new(),
            credentials: Credentials::new(),
            version: 0,
            created: now,
            expires: None,
            revoked: None,
        }
    }

    /// Whether it works at this time.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, now: Timestamp) -> Result<(), Denied> {
        works(self.revoked, self.expires, now)
    }
}

/// What the keys of a team have in common. Its restrictions add to those of each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Team {
    /// What keys call it; unique.
    pub name: Arc<str>,
    /// The policy of its keys that name none; the provider's if not set.
    pub policy: Option<String>,
    /// What its keys together may use.
    pub limit: Option<Quota>,
    /// Patterns of the models its keys may use; empty means all.
    pub models: Vec<String>,
    /// Patterns of the providers its keys may use; empty means all.
    pub providers: Vec<String>,
    /// The operator's own notes, by name.
    pub labels: BTreeMap<String, String>,
    /// Credentials of its own, sealed, by provider.
    pub credentials: Credentials,
    /// Which state of it this is; 0 for one that was not kept yet.
    pub version: u64,
}

/// One text that a caller may present: a key's present or former one, or a session's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The first 8 characters after `sg-`, by which it is looked up.
    pub prefix: String,
    /// HMAC-SHA256 of the whole text under the pepper.
    pub hash: [u8; 32],
    /// `ses_…` if it is a session's.
    pub session: Option<Arc<str>>,
    /// The end user that the session was made for.
    pub user: Option<Arc<str>>,
    /// Credentials of the session's own, sealed, by provider.
    pub credentials: Credentials,
    /// From when on it no longer works; the key's own expiry counts too.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

impl Bearer {
    /// What is kept of a key's text; `None` if it has not the form of a virtual key.
    pub fn new(pepper: &Pepper, text: &Secret) -> Option<Self> {
        Some(Self {
            prefix: prefix(text.expose())?.to_owned(),
            hash: pepper.hash(text.expose()),
            session: None,
            user: None,
            credentials: Credentials::new(),
            expires: None,
            revoked: None,
        })
    }
}

/// A new id of a key (`key`) or session (`ses`).
pub fn new_id(kind: &str) -> Arc<str> {
    format!("{kind}_{:016x}", rand::random::<u64>()).into()
}

/// What a text that is presented stands for, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The text.
    pub bearer: Bearer,
    /// The key it gives the rights of.
    pub key: Arc<KeyRecord>,
    /// The key's team, if it was set up.
    pub team: Option<Arc<Team>>,
}

impl Grant {
    /// Whether it works at this time, for a caller at this address.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, from: IpAddr, now: Timestamp) -> Result<(), Denied> {
        self.key.check(now)?;
        works(self.bearer.revoked, self.bearer.expires, now)?;
        let networks = &self.key.networks;
        let from = from.to_canonical();
        if networks.is_empty() || networks.iter().any(|network| network.contains(&from)) {
            Ok(())
        } else {
            Err(Denied::Network)
        }
    }

    /// When it ends by itself, as far as is known now.
    pub fn expires(&self) -> Option<Timestamp> {
        [self.key.expires, self.bearer.expires]
            .into_iter()
            .flatten()
            .min()
    }
}

fn works(
    revoked: Option<Timestamp>,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Denied> {
    if revoked.is_some() {
        return Err(Denied::Revoked);
    }
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Denied::Expired);
    }
    Ok(())
}

/// Whether a name is among patterns; none at all allow everything.
pub(super) fn allows(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| glob::matches(pattern, name))
}
