//! What is in memory of the keys presented lately: one of each, brought up to date in place.

use crate::auth::{Grant, Team};
use ahash::RandomState;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use subtle::ConstantTimeEq;

/// Something presented that is in memory: its grant is replaced when it changes, for everyone who holds this.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) grant: ArcSwap<Grant>,
}

impl Live {
    pub(super) fn grant(&self) -> Arc<Grant> {
        self.grant.load_full()
    }

    /// Whether the text with this hash is meant. Constant in time.
    pub(super) fn is(&self, hash: &[u8; 32]) -> bool {
        self.grant.load().bearer.hash.ct_eq(hash).into()
    }
}

/// What is in memory or used by an open exchange, by key.
#[derive(Debug, Default)]
pub(super) struct InUse {
    by_key: HashMap<Arc<str>, Vec<Weak<Live>>, RandomState>,
    /// Grows whenever changes are taken in: what was read from the store before is not registered after.
    pub(super) epoch: u64,
    /// The size at which those no longer used are looked for.
    prune_at: usize,
}

impl InUse {
    /// Puts what was read into memory; what is there already is brought up to date, so that there is one of each.
    pub(super) fn register(&mut self, grants: Vec<Grant>) -> Vec<Arc<Live>> {
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

    pub(super) fn of_keys(&self, ids: &[Arc<str>]) -> Vec<Arc<Live>> {
        let lives = ids.iter().filter_map(|id| self.by_key.get(id)).flatten();
        lives.filter_map(Weak::upgrade).collect()
    }

    pub(super) fn of_teams(&self, teams: &[Team]) -> Vec<(Arc<Live>, Arc<Team>)> {
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
