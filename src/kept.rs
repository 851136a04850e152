//! What providers keep under ids, such as answers of the responses API, and for whom: an id is of use only to the key that made
//! it, whoever else may have learnt of it.

use jiff::Timestamp;
use quick_cache::sync::Cache;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Ids looked up lately that are in memory: about 15 MB when full.
const CAPACITY: usize = 65_536;

/// How ids are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether the keys of a team share what they made.
    pub by_team: bool,
    /// Whether ids that this gateway has not seen may be used by everyone: those made elsewhere with the same credential, or
    /// longer ago than `keep`.
    pub allow_unknown: bool,
    /// How long it is known who made an id.
    pub keep: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            by_team: false,
            allow_unknown: false,
            keep: Duration::from_hours(30 * 24),
        }
    }
}

/// Who made something that a provider keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// The key's id.
    pub key: Arc<str>,
    /// The team that the key belonged to.
    pub team: Option<Arc<str>>,
    /// Whom the session was made for that presented the key's rights; `None` for the key itself.
    pub session: Option<Arc<str>>,
}

impl Maker {
    /// Whether a caller may use what this one made. Sessions are for others: each has its own, and the key has all of them.
    fn shares(&self, caller: &Self, by_team: bool) -> bool {
        let same_key = self.key == caller.key;
        match &caller.session {
            Some(_) => same_key && self.session == caller.session,
            None => same_key || by_team && self.team.is_some() && self.team == caller.team,
        }
    }
}

/// Where it is kept who made which id. Calls block, a few milliseconds at most while all is well.
pub trait KeptStore: Send + Sync + fmt::Debug {
    /// Keeps who made these ids at a provider. One that is known stays with whom it belongs to.
    ///
    /// # Errors
    /// If it cannot be written.
    fn keep(
        &self,
        provider: &str,
        ids: &[String],
        maker: &Maker,
        now: Timestamp,
    ) -> Result<(), KeptError>;

    /// Who made an id.
    ///
    /// # Errors
    /// If it cannot be read.
    fn maker(&self, provider: &str, id: &str) -> Result<Option<Maker>, KeptError>;

    /// Forgets some of the ids that were made before this time, and of those beyond the store's bound.
    ///
    /// # Errors
    /// If it cannot be written.
    fn sweep(&self, before: Timestamp) -> Result<(), KeptError>;
}

/// A store that cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} who made what a provider keeps")]
pub struct KeptError {
    /// What was being done: `read` or `write`.
    pub doing: &'static str,
    /// What the store says.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Who made which id.
#[derive(Debug)]
pub struct Register {
    store: Arc<dyn KeptStore>,
    config: Config,
    lately: Cache<Arc<str>, Maker>,
}

impl Register {
    /// A register of which nothing is in memory yet.
    pub fn new(store: Arc<dyn KeptStore>, config: Config) -> Self {
        Self {
            store,
            config,
            lately: Cache::new(CAPACITY),
        }
    }

    /// Keeps who made these ids at a provider. Blocks.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(
        &self,
        provider: &str,
        ids: &[String],
        maker: &Maker,
        now: Timestamp,
    ) -> Result<(), KeptError> {
        self.store.keep(provider, ids, maker, now)
    }

    /// The first of these ids that a caller may not use. Blocks.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn denied<'a>(
        &self,
        provider: &str,
        ids: impl IntoIterator<Item = &'a str>,
        caller: &Maker,
    ) -> Result<Option<&'a str>, KeptError> {
        for id in ids {
            let allowed = match self.maker(provider, id)? {
                Some(maker) => maker.shares(caller, self.config.by_team),
                None => self.config.allow_unknown,
            };
            if !allowed {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Who made an id never changes, so what was read once is true.
    fn maker(&self, provider: &str, id: &str) -> Result<Option<Maker>, KeptError> {
        // No provider's name has a slash.
        let name = format!("{provider}/{id}");
        if let Some(maker) = self.lately.get(&*name) {
            return Ok(Some(maker));
        }
        let maker = self.store.maker(provider, id)?;
        if let Some(maker) = &maker {
            self.lately.insert(name.into(), maker.clone());
        }
        Ok(maker)
    }

    /// Forgets what was made too long ago. Blocks.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sweep(&self, now: Timestamp) -> Result<(), KeptError> {
        let before = now.checked_sub(self.config.keep);
        self.store.sweep(before.unwrap_or(Timestamp::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(key: &str, team: Option<&str>, session: Option<&str>) -> Maker {
        Maker {
            key: key.into(),
            team: team.map(Into::into),
            session: session.map(Into::into),
        }
    }

    #[test]
    fn what_a_key_made_is_its_own() {
        let (key, ann) = (maker("a", None, None), maker("a", None, Some("ann")));
        let (bob, other) = (maker("a", None, Some("bob")), maker("b", None, None));
        for (made, by, shares) in [
            (&key, &key, true),
            (&key, &other, false),
            (&key, &ann, false),
            (&ann, &ann, true),
            (&ann, &bob, false),
            (&ann, &key, true),
            (&ann, &other, false),
            // Two keys without a team are not of the same one.
            (&other, &key, false),
        ] {
            for by_team in [false, true] {
                assert_eq!(made.shares(by, by_team), shares, "{made:?} {by:?}");
            }
        }
    }

    #[test]
    fn a_team_shares_only_if_told_so_and_never_with_others_sessions() {
        let made = maker("a", Some("red"), None);
        let beside = maker("b", Some("red"), None);
        assert!(made.shares(&beside, true));
        assert!(!made.shares(&beside, false));
        assert!(!made.shares(&maker("b", Some("blue"), None), true));
        assert!(!made.shares(&maker("b", Some("red"), Some("ann")), true));
        let ann = maker("a", Some("red"), Some("ann"));
        assert!(!ann.shares(&maker("b", Some("red"), Some("ann")), true));
    }
}
