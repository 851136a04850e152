//! All cells in memory: an exchange takes from every cell that it claims, or from none.
//!
//! Cells lie in shards behind locks of their own. The shards of an exchange are locked together, in one order, so the claims
//! are looked at and taken in one step: exact under any concurrency, and nothing has to be given back when one of them refuses.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ahash::RandomState;

use super::cell::{Ask, Cell, Present, Spend, check, filled, without};
use super::claim::{Claim, Kind, Name, Scope};
use super::gcra;
use super::window::Window;
use super::{Level, Standing};
use crate::rate::Rate;

const SHARDS: usize = 64;
/// Cells beyond which new users and models, whose names clients choose, share one.
const MAX_CELLS: usize = 1_000_000;

/// A claim that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Which of the claims.
    pub(super) claim: usize,
    /// When it would agree; `None` if nobody knows.
    pub(super) wait: Option<Duration>,
    /// No wait helps: more is asked than the limit ever holds.
    pub(super) never: bool,
}

type Shard = HashMap<Name, Cell, RandomState>;

/// All cells.
#[derive(Debug)]
pub(super) struct Table {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    /// About how many cells there are.
    cells: AtomicUsize,
    max_cells: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            cells: AtomicUsize::new(0),
            max_cells: MAX_CELLS,
        }
    }

    /// Takes what is asked from all cells that are claimed, and says how the rates stand after it.
    ///
    /// # Errors
    ///
    /// The claim that refuses, the one with the longest wait if there are several; nothing is taken then.
    pub(super) fn take(
        &self,
        claims: &mut [Claim],
        ask: Ask,
        now: Present,
    ) -> Result<Standing, (Refusal, Standing)> {
        self.fold(claims);
        let mut locked = self.lock(claims);
        let mut refusal: Option<Refusal> = None;
        for (index, claim) in claims.iter().enumerate() {
            let cell = locked.read(index, claim);
            if let Err((wait, never)) = check(claim, cell, ask, now) {
                let found = Refusal {
                    claim: index,
                    wait,
                    never,
                };
                if refusal.is_none_or(|worst| worst.rank() < found.rank()) {
                    refusal = Some(found);
                }
            }
        }
        if refusal.is_none() {
            for (index, claim) in claims.iter().enumerate().filter(|(_, claim)| !claim.again) {
                let kind = claim.name.kind;
                locked.change(index, claim, |cell| filled(kind, cell, ask, now));
            }
        }
        let mut standing = Standing::default();
        for (index, claim) in claims.iter().enumerate() {
            standing.note(claim.name.kind, locked.read(index, claim), now);
        }
        refusal.map_or(Ok(standing), |refusal| Err((refusal, standing)))
    }

    /// Gives back what was taken, as if it had not been; exchanges at a time included.
    pub(super) fn give_back(&self, claims: &[Claim], ask: Ask) {
        let mut locked = self.lock(claims);
        for (index, claim) in claims.iter().enumerate().filter(|(_, claim)| !claim.again) {
            locked.change(index, claim, |cell| match (claim.name.kind, cell) {
                (Kind::Requests(rate), Cell::Rate(at)) => Cell::Rate(gcra::refund(at, rate, 1)),
                (Kind::Tokens(rate), Cell::Rate(at)) => {
                    Cell::Rate(gcra::refund(at, rate, ask.tokens))
                }
                (_, Cell::Count(count)) => Cell::Count(count.saturating_sub(1)),
                (_, Cell::Spend { spent, reserved }) => Cell::Spend {
                    spent,
                    reserved: without(reserved, ask),
                },
                (_, cell) => cell,
            });
        }
    }

    /// Puts what was used in the place of what was kept for it; the exchange is no longer under way.
    pub(super) fn settle(&self, claims: &[Claim], ask: Ask, used: Spend, now: Present) {
        let mut locked = self.lock(claims);
        for (index, claim) in claims.iter().enumerate().filter(|(_, claim)| !claim.again) {
            locked.change(index, claim, |cell| match (claim.name.kind, cell) {
                (Kind::Tokens(rate), Cell::Rate(at)) => {
                    let tokens = used.tokens();
                    Cell::Rate(if tokens <= ask.tokens {
                        gcra::refund(at, rate, ask.tokens - tokens)
                    } else {
                        gcra::charge(at, rate, tokens - ask.tokens, now.nanos)
                    })
                }
                (_, Cell::Count(count)) => Cell::Count(count.saturating_sub(1)),
                (_, Cell::Spend { spent, reserved }) => Cell::Spend {
                    spent: spent.plus(used),
                    reserved: without(reserved, ask),
                },
                (_, cell) => cell,
            });
        }
    }

    /// Adds to a cell what was spent before this process began.
    pub(super) fn restore(&self, name: Name, before: Spend) {
        let mut shard = self.shard(self.index(&name));
        let cell = shard.entry(name).or_insert_with_key(|name| {
            self.cells.fetch_add(1, Ordering::Relaxed);
            Cell::empty(name.kind)
        });
        if let Cell::Spend { spent, .. } = cell {
            *spent = spent.plus(before);
        }
    }

    /// How a cell stands.
    pub(super) fn cell(&self, name: &Name) -> Cell {
        let cell = self.shard(self.index(name)).get(name).copied();
        cell.unwrap_or_else(|| Cell::empty(name.kind))
    }

    /// Forgets cells that are as good as new, and those of windows that are over.
    pub(super) fn sweep(&self, now: Present) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|name, cell| match (name.kind, *cell) {
                (Kind::Requests(rate) | Kind::Tokens(rate), Cell::Rate(at)) => {
                    !gcra::is_whole(at, rate, now.nanos)
                }
                (Kind::Spend(window), Cell::Spend { reserved, .. }) => {
                    window >= Window::at(window.cycle, now.time) || reserved != Ask::default()
                }
                (_, Cell::Count(count)) => count > 0,
                _ => false,
            });
            self.cells
                .fetch_sub(before - shard.len(), Ordering::Relaxed);
            if shard.capacity() > 4 * shard.len() {
                shard.shrink_to_fit();
            }
        }
    }

    /// Lets names that clients choose share a cell once there are too many.
    fn fold(&self, claims: &mut [Claim]) {
        if self.cells.load(Ordering::Relaxed) < self.max_cells {
            return;
        }
        for claim in claims {
            let chosen = matches!(claim.name.scope, Scope::User | Scope::Model);
            if chosen
                && !self
                    .shard(self.index(&claim.name))
                    .contains_key(&claim.name)
            {
                claim.name.subject = Arc::from("*");
            }
        }
    }

    fn index(&self, name: &Name) -> usize {
        // Without the kind, so that the cells of a key lie together.
        let hash = self.hasher.hash_one((name.scope, &name.subject));
        usize::try_from(hash % SHARDS as u64).unwrap_or(0)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "an index is a remainder of the number of shards"
    )]
    fn shard(&self, index: usize) -> MutexGuard<'_, Shard> {
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the shards of some claims, always in the same order, so that no two exchanges wait for each other.
    fn lock(&self, claims: &[Claim]) -> Locked<'_> {
        let homes: Vec<usize> = claims.iter().map(|claim| self.index(&claim.name)).collect();
        let mut order = homes.clone();
        order.sort_unstable();
        order.dedup();
        let guards = order.into_iter().map(|home| (home, self.shard(home)));
        Locked {
            guards: guards.collect(),
            homes,
            cells: &self.cells,
        }
    }
}

/// The shards of one exchange.
struct Locked<'t> {
    guards: Vec<(usize, MutexGuard<'t, Shard>)>,
    /// By claim.
    homes: Vec<usize>,
    cells: &'t AtomicUsize,
}

impl Locked<'_> {
    fn shard(&mut self, claim: usize) -> Option<&mut Shard> {
        let home = self.homes.get(claim)?;
        let guard = self.guards.iter_mut().find(|(at, _)| at == home)?;
        Some(&mut guard.1)
    }

    fn read(&mut self, index: usize, claim: &Claim) -> Cell {
        let cell = self.shard(index).and_then(|shard| shard.get(&claim.name));
        cell.copied()
            .unwrap_or_else(|| Cell::empty(claim.name.kind))
    }

    fn change(&mut self, index: usize, claim: &Claim, change: impl FnOnce(Cell) -> Cell) {
        let cells = self.cells;
        let Some(shard) = self.shard(index) else {
            return;
        };
        if let Some(cell) = shard.get_mut(&claim.name) {
            *cell = change(*cell);
        } else {
            cells.fetch_add(1, Ordering::Relaxed);
            let cell = change(Cell::empty(claim.name.kind));
            shard.insert(claim.name.clone(), cell);
        }
    }
}

impl Refusal {
    /// The one to tell of is the one that lasts longest; unknown waits are short ones.
    fn rank(self) -> (bool, Duration) {
        (self.never, self.wait.unwrap_or_default())
    }
}

impl Standing {
    /// Notes how a rate stands, if none of its kind has less left.
    fn note(&mut self, kind: Kind, cell: Cell, now: Present) {
        let level = |rate: Rate, at| {
            Some(Level {
                limit: rate.count.get(),
                remaining: gcra::remaining(at, rate, now.nanos),
                reset: gcra::until_whole(at, rate, now.nanos),
            })
        };
        *self = self.least(match (kind, cell) {
            (Kind::Requests(rate), Cell::Rate(at)) => Self {
                requests: level(rate, at),
                tokens: None,
            },
            (Kind::Tokens(rate), Cell::Rate(at)) => Self {
                requests: None,
                tokens: level(rate, at),
            },
            _ => return,
        });
    }
}
