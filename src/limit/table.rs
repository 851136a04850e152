//! All cells in memory: an exchange takes from every cell that it claims, or from none.
//!
//! Cells lie in shards behind locks of their own. The shards of an exchange are locked together, in one order, so the claims
//! are looked at and taken in one step: exact under any concurrency, and nothing has to be given back when one of them refuses.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

type Shard = HashMap<Name, Cell>;

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

#[cfg(test)]
mod tests {
    use super::super::claim::Cap;
    use super::*;
    use crate::rate::quota::{Cycle, Unit};
    use jiff::Timestamp;
    use proptest::collection::vec;

    const SECOND: u64 = 1_000_000_000;

    fn len(table: &Table) -> usize {
        (0..SHARDS).map(|index| table.shard(index).len()).sum()
    }

    fn at(nanos: u64) -> Present {
        Present {
            nanos,
            time: Timestamp::from_second(i64::try_from(nanos / SECOND).unwrap()).unwrap(),
        }
    }

    fn claim(scope: Scope, subject: &str, kind: Kind, cap: Cap) -> Claim {
        let subject = subject.into();
        Claim {
            name: Name {
                scope,
                subject,
                kind,
            },
            cap,
            again: false,
        }
    }

    fn rate(scope: Scope, subject: &str, text: &str) -> Claim {
        claim(
            scope,
            subject,
            Kind::Tokens(text.parse().unwrap()),
            Cap::Rate,
        )
    }

    fn budget(subject: &str, unit: Unit, amount: u64) -> Claim {
        let window = Window::at(Cycle::Day, Timestamp::UNIX_EPOCH);
        claim(
            Scope::Key,
            subject,
            Kind::Spend(window),
            Cap::Amount(unit, amount),
        )
    }

    const fn tokens(tokens: u64) -> Ask {
        Ask { tokens, money: 0 }
    }

    const fn used(input: u64, money: u64) -> Spend {
        Spend {
            requests: 1,
            input,
            output: 0,
            money,
        }
    }

    /// All cells of one exchange as a plain list: the reference.
    #[derive(Default)]
    struct Model {
        /// By subject: what was taken from the rate, in units times nanoseconds, and when that was last looked at.
        rates: Vec<(u128, u64)>,
        running: Vec<u32>,
        spent: Vec<(u64, u64)>,
    }

    const COUNT: u128 = 700;
    const MINUTE: u128 = 60 * 1_000_000_000;
    const MOST: u32 = 3;
    const BUDGET: u64 = 5_000;

    impl Model {
        fn take(&mut self, subjects: &[usize], amount: u64, now: u64) -> bool {
            for (level, seen) in &mut self.rates {
                *level = level.saturating_sub(u128::from(now - *seen) * COUNT);
                *seen = now;
            }
            let cost = u128::from(amount) * MINUTE;
            let agrees = |subject: &usize| {
                let (spent, kept) = self.spent[*subject];
                self.rates[*subject].0 + cost <= COUNT * MINUTE
                    && self.running[*subject] < MOST
                    && spent + kept + amount <= BUDGET
                    && spent + kept < BUDGET
            };
            let all = subjects.iter().all(agrees);
            for subject in subjects.iter().filter(|_| all) {
                self.rates[*subject].0 += cost;
                self.running[*subject] += 1;
                self.spent[*subject].1 += amount;
            }
            all
        }

        fn settle(&mut self, subjects: &[usize], kept: u64, used: Option<u64>, now: u64) {
            for (level, seen) in &mut self.rates {
                *level = level.saturating_sub(u128::from(now - *seen) * COUNT);
                *seen = now;
            }
            for subject in subjects {
                let level = &mut self.rates[*subject].0;
                *level = (*level + u128::from(used.unwrap_or(0)) * MINUTE)
                    .saturating_sub(u128::from(kept) * MINUTE);
                self.running[*subject] -= 1;
                self.spent[*subject].0 += used.unwrap_or(0);
                self.spent[*subject].1 -= kept;
            }
        }
    }

    proptest::proptest! {
        /// Exchanges of several subjects at a time begin, end and are given back in any order: the table decides as the
        /// model does, and refuses without a trace.
        #[test]
        fn p33_agrees_with_the_model(
            steps in vec((0_u64..40_000_000_000, vec(0_usize..4, 1..4), 1_u64..400, 0_u64..500, 0_u8..5), 1..80),
        ) {
            let table = Table::new();
            let mut model = Model { rates: vec![(0, 0); 4], running: vec![0; 4], spent: vec![(0, 0); 4] };
            let mut open: Vec<(Vec<usize>, Vec<Claim>, u64)> = Vec::new();
            let mut now = 0;
            for (step, mut subjects, amount, real, what) in steps {
                now += step;
                if what < 2 && !open.is_empty() {
                    let (subjects, claims, kept) = open.swap_remove(usize::try_from(real).unwrap() % open.len());
                    if what == 0 {
                        table.settle(&claims, tokens(kept), used(real, 0), at(now));
                    } else {
                        table.give_back(&claims, tokens(kept));
                    }
                    model.settle(&subjects, kept, (what == 0).then_some(real), now);
                    continue;
                }
                subjects.sort_unstable();
                subjects.dedup();
                let mut claims = Vec::new();
                for subject in &subjects {
                    let name = subject.to_string();
                    claims.push(rate(Scope::Key, &name, "700/minute"));
                    claims.push(claim(Scope::Key, &name, Kind::Running, Cap::Most(MOST)));
                    claims.push(budget(&name, Unit::Tokens, BUDGET));
                }
                let taken = table.take(&mut claims, tokens(amount), at(now));
                proptest::prop_assert_eq!(taken.is_ok(), model.take(&subjects, amount, now));
                if taken.is_ok() {
                    open.push((subjects, claims, amount));
                }
                for (subject, (spent, kept)) in model.spent.iter().enumerate() {
                    let name = budget(&subject.to_string(), Unit::Tokens, BUDGET).name;
                    let Cell::Spend { spent: found, reserved } = table.cell(&name) else { panic!() };
                    proptest::prop_assert_eq!((found.tokens(), reserved.tokens), (*spent, *kept));
                }
            }
        }
    }

    #[test]
    fn sixteen_threads_never_exceed_a_limit_by_one() {
        for claims in [
            vec![rate(Scope::Key, "k", "100/day")],
            vec![budget("k", Unit::Tokens, 100)],
            vec![claim(Scope::Key, "k", Kind::Running, Cap::Most(100))],
            vec![
                rate(Scope::Key, "k", "150/day"),
                rate(Scope::Everyone, "", "100/day"),
                budget("k", Unit::Tokens, 120),
            ],
        ] {
            let (table, taken) = (Table::new(), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..16 {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            let ok = table.take(&mut claims.clone(), tokens(1), at(0)).is_ok();
                            taken.fetch_add(usize::from(ok), Ordering::Relaxed);
                        }
                    });
                }
            });
            assert_eq!(taken.into_inner(), 100);
        }
    }

    #[test]
    fn p31_a_budget_is_never_overdrawn_by_what_is_under_way() {
        let table = Table::new();
        let money = |money| Ask { tokens: 0, money };
        let mut claims = vec![budget("k", Unit::Money, 100)];
        assert!(table.take(&mut claims, money(60), at(0)).is_ok());
        let (refusal, _) = table.take(&mut claims, money(60), at(0)).unwrap_err();
        assert_eq!(refusal.wait, None, "the first may cost less");
        table.settle(&claims, money(60), used(0, 50), at(0));
        assert!(table.take(&mut claims, money(50), at(0)).is_ok());
        table.settle(&claims, money(50), used(0, 50), at(0));
        let (refusal, _) = table.take(&mut claims, money(0), at(0)).unwrap_err();
        assert_eq!(refusal.wait, Some(Duration::from_hours(24)), "spent up");
    }

    #[test]
    fn more_than_was_reserved_is_a_debt() {
        let table = Table::new();
        let mut claims = vec![rate(Scope::Key, "k", "60/minute")];
        table.take(&mut claims, tokens(10), at(0)).unwrap();
        table.settle(&claims, tokens(10), used(90, 0), at(0));
        let (refusal, standing) = table.take(&mut claims, tokens(1), at(0)).unwrap_err();
        assert_eq!(refusal.wait, Some(Duration::from_secs(31)));
        assert_eq!(standing.tokens.unwrap().remaining, 0);
        let never = table.take(&mut claims, tokens(61), at(0)).unwrap_err().0;
        assert!(never.never);
    }

    #[test]
    fn what_is_whole_again_is_forgotten() {
        let table = Table::new();
        let mut claims = vec![
            rate(Scope::Key, "idle", "60/minute"),
            rate(Scope::Key, "busy", "60/day"),
            claim(Scope::Key, "k", Kind::Running, Cap::Most(1)),
            budget("k", Unit::Tokens, 100),
        ];
        table.take(&mut claims, tokens(60), at(0)).unwrap();
        table.sweep(at(61 * SECOND));
        assert_eq!(len(&table), 3);
        table.settle(&claims, tokens(60), used(60, 0), at(0));
        table.sweep(at(61 * SECOND));
        assert_eq!(len(&table), 2, "the budget's day is not over");
        table.sweep(at(2 * 86_400 * SECOND));
        assert_eq!(len(&table), 0);
        assert_eq!(table.cells.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn names_of_clients_do_not_grow_the_table() {
        let mut table = Table::new();
        table.max_cells = 8;
        for user in 0..100 {
            let mut claims = vec![rate(Scope::User, &user.to_string(), "1/day")];
            let taken = table.take(&mut claims, tokens(1), at(0));
            assert_eq!(taken.is_ok(), user <= 8, "those over it share one limit");
        }
        assert_eq!(len(&table), 9);
    }
}
