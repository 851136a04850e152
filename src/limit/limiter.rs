//! All limits, what they go by, and how far they are used.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::admission::Admission;
use super::cell::{self, Ask, Cell, Present, Spend};
use super::claim::{Caller, Cap, Claim, Kind, Name, Plan, Rules, Scope, Stage, Target};
use super::ledger::{Account, Books, LedgerError};
use super::price::Prices;
use super::queue::{Patience, Queue};
use super::shared::Together;
use super::table::{Refusal, Table};
use super::window::{Said, Window};
use super::{Limit, Refused, Standing};
use crate::rate::quota::{Budget, Cycle};
use crate::shared::Fail;

/// What a limiter goes by.
#[derive(Debug, Default)]
pub struct Setup {
    /// The configuration's limits.
    pub rules: Rules,
    /// What models cost.
    pub prices: Prices,
    /// Models without a price cost nothing; otherwise a budget in money refuses them.
    pub unknown_is_free: bool,
    /// Where what was spent is kept, and what is in it; without it, a restart forgets.
    pub books: Option<(Books, Vec<(Account, Spend)>)>,
    /// How long and how many may wait.
    pub patience: Patience,
    /// Where several gateways count together; without it, this one counts for itself.
    pub together: Option<Arc<Together>>,
}

/// All limits, and how far they are used.
pub struct Limiter {
    pub(super) rules: Rules,
    pub(super) prices: ArcSwap<Prices>,
    pub(super) unknown_is_free: bool,
    pub(super) books: Option<Books>,
    pub(super) start: Instant,
    pub(super) table: Table,
    pub(super) queue: Queue,
    pub(super) together: Option<Arc<Together>>,
    /// Rates of requests that another place has refused, and until when: in nanoseconds since the start.
    pub(super) used_up: Mutex<HashMap<Name, u64>>,
    said: Mutex<Said>,
}

/// How far a key has used one of its limits, or a limit of its team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub limit: Limit,
    /// Requests, tokens, exchanges, or millionths of a dollar.
    pub used: u64,
    /// Of a budget, what is kept for exchanges under way.
    pub reserved: u64,
    /// When it is whole again.
    pub whole: Option<Timestamp>,
}

impl Limiter {
    /// A limiter in which nothing was used yet but what the books say. Times before `start` count as `start`.
    pub fn new(setup: Setup, start: Instant, time: Timestamp) -> Self {
        let table = Table::new();
        let (books, sums) = setup
            .books
            .map_or((None, Vec::new()), |(books, sums)| (Some(books), sums));
        let mut said = Said::new(time);
        for (account, spent) in sums {
            let window = account.window;
            if window >= Window::at(window.cycle, said.past(0, time)) {
                table.restore(name(account), spent);
            }
        }
        Self {
            rules: setup.rules,
            prices: ArcSwap::from_pointee(setup.prices),
            unknown_is_free: setup.unknown_is_free,
            books,
            start,
            table,
            queue: Queue::new(setup.patience),
            together: setup.together,
            used_up: Mutex::default(),
            said: Mutex::new(said),
        }
    }

    /// Goes by other prices from now on.
    pub fn reprice(&self, prices: Prices) {
        self.prices.store(Arc::new(prices));
    }

    /// Admits an exchange by its head: takes a request from the limits of its key, its team and everyone. Where several
    /// gateways count together, that waits for [`Admission::reserve`], and only what is known to be used up refuses.
    ///
    /// Gives what was taken, and if there is not enough, why; then it may [wait](Admission::queue).
    pub fn admit(
        self: &Arc<Self>,
        caller: Caller<'_>,
        now: Instant,
        time: Timestamp,
    ) -> (Admission, Result<(), Box<Refused>>) {
        let claims = self.by_head(caller, time);
        self.begin(caller, claims, self.present(now, time))
    }

    /// Takes a request for one more answer of an exchange that has its place among those at a time already.
    ///
    /// # Errors
    ///
    /// If there is none left.
    pub fn admit_another(
        self: &Arc<Self>,
        caller: Caller<'_>,
        now: Instant,
        time: Timestamp,
    ) -> Result<(), Box<Refused>> {
        let mut claims = self.by_head(caller, time);
        claims.retain(|claim| !matches!(claim.cap, Cap::Most(_)));
        self.begin(caller, claims, self.present(now, time)).1
    }

    fn by_head(&self, caller: Caller<'_>, time: Timestamp) -> Vec<Claim> {
        let mut plan = Plan::new(Stage::Head, false, time);
        self.rules.claim(&mut plan, caller, Target::default());
        plan.claims
    }

    fn begin(
        self: &Arc<Self>,
        caller: Caller<'_>,
        claims: Vec<Claim>,
        present: Present,
    ) -> (Admission, Result<(), Box<Refused>>) {
        let mut admission = Admission::new(self, caller.key);
        let taken = if self.together.is_none() {
            admission.take_here(claims, Ask::default(), present)
        } else {
            let known = self.known(&claims, present);
            admission.pending = Some((claims, Ask::default()));
            known
        };
        (admission, taken)
    }

    /// Does what several gateways need of each other, for ever; returns at once if this one counts for itself. One call at a
    /// time works, others wait.
    pub async fn work(&self) {
        if let Some(together) = &self.together {
            together.work(&self.queue).await;
        }
    }

    /// Whether tokens have to be counted for a caller.
    pub fn counts_tokens(&self, caller: Caller<'_>) -> bool {
        self.rules.counts_tokens(caller)
    }

    /// What a key has used this month, and how its own limits and its team's stand: on all gateways that count together.
    ///
    /// # Errors
    ///
    /// If the place where they count is away, and nothing counts in its stead.
    pub async fn report(
        &self,
        caller: Caller<'_>,
        now: Instant,
        time: Timestamp,
    ) -> Result<(Spend, Vec<Used>), Box<Refused>> {
        let mut claims = Vec::new();
        for stage in [Stage::Head, Stage::Body] {
            let mut plan = Plan::new(stage, true, time);
            self.rules.claim(&mut plan, caller, Target::default());
            claims.append(&mut plan.claims);
        }
        claims.retain(|claim| matches!(claim.name.scope, Scope::Key | Scope::Team));
        let present = self.present(now, time);
        let cells = self.cells(&claims, present).await?;
        let month = Kind::Spend(Window::at(Cycle::Month, time));
        let (mut this_month, mut told) = (Spend::default(), Vec::new());
        for (claim, cell) in claims.iter().zip(cells) {
            let is_month = claim.name.scope == Scope::Key && claim.name.kind == month;
            if let (true, Cell::Spend { spent, .. }) = (is_month, cell) {
                this_month = spent;
            }
            let (used, reserved, whole) = cell::used(claim, cell, present);
            told.extend(limit(claim).map(|limit| Used {
                scope: claim.name.scope,
                limit,
                used,
                reserved,
                whole,
            }));
        }
        Ok((this_month, told))
    }

    async fn cells(&self, claims: &[Claim], now: Present) -> Result<Vec<Cell>, Box<Refused>> {
        if let Some(together) = &self.together {
            match together.cells(claims, now).await {
                Ok(cells) => return Ok(cells),
                Err(_) if together.fail == Fail::Closed => {
                    return Err(Box::new(Refused::away(Standing::default())));
                }
                Err(_) => {}
            }
        }
        let cell = |claim: &Claim| self.table.cell(&claim.name);
        Ok(claims.iter().map(cell).collect())
    }

    /// What a key has used this month on all gateways, up to a second ago; `None` if this one keeps its own books. Blocks.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be read.
    pub fn spent_by_all(
        &self,
        key: &Arc<str>,
        time: Timestamp,
    ) -> Result<Option<Spend>, LedgerError> {
        let month = Account {
            scope: Scope::Key,
            subject: Arc::clone(key),
            window: Window::at(Cycle::Month, time),
        };
        self.books
            .as_ref()
            .map_or(Ok(None), |books| books.spent_by_all(&month))
    }

    /// Whether nothing that has ended is still to be told to others.
    pub fn is_settled(&self) -> bool {
        self.together
            .as_ref()
            .is_none_or(|together| together.is_settled())
    }

    /// Forgets what is as good as new: to be called now and then.
    pub fn sweep(&self, now: Instant, time: Timestamp) {
        let present = self.present(now, time);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let time = said.past(present.nanos, time);
        drop(said);
        self.table.sweep(Present { time, ..present });
        let mut used_up = self.used_up.lock().unwrap_or_else(PoisonError::into_inner);
        used_up.retain(|_, until| *until > present.nanos);
    }

    /// Refuses what another place has refused a moment ago, until it would agree, unless nothing is counted by now.
    pub(super) fn known(&self, claims: &[Claim], now: Present) -> Result<(), Box<Refused>> {
        if self
            .together
            .as_ref()
            .is_some_and(|place| place.admits_all())
        {
            return Ok(());
        }
        let used_up = self.used_up.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, claim) in claims.iter().enumerate() {
            let until = used_up.get(&claim.name).copied().unwrap_or(0);
            if until > now.nanos {
                let refusal = Refusal {
                    claim: index,
                    wait: Some(Duration::from_nanos(until - now.nanos)),
                    never: false,
                };
                return Err(Box::new(explained(claims, refusal, Standing::default())));
            }
        }
        Ok(())
    }

    /// Remembers a rate of requests that another place has refused: of those alone nothing is given back early.
    pub(super) fn learn(&self, claims: &[Claim], refusal: Refusal, now: Present) {
        let claim = claims.get(refusal.claim);
        let claim = claim.filter(|claim| matches!(claim.name.kind, Kind::Requests(_)));
        if let (Some(claim), Some(wait)) = (claim, refusal.wait) {
            let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            let mut used_up = self.used_up.lock().unwrap_or_else(PoisonError::into_inner);
            used_up.insert(claim.name.clone(), now.nanos.saturating_add(wait));
        }
    }

    /// Brings what was spent into the ledger: to be called every second, and at the end. Blocks.
    ///
    /// # Errors
    ///
    /// If it cannot be written; it stays in the journal then.
    pub fn fold(&self) -> Result<(), LedgerError> {
        self.books.as_ref().map_or(Ok(()), Books::fold)
    }

    /// Lets go on who waits, after something became free.
    pub(super) fn serve(&self, now: Present) {
        if !self.queue.is_empty() {
            self.queue.serve(&self.table, now, explained);
        }
    }

    pub(super) fn take(
        &self,
        claims: &mut [Claim],
        ask: Ask,
        now: Present,
    ) -> Result<Standing, Box<Refused>> {
        self.table
            .take(claims, ask, now)
            .map_err(|(refusal, standing)| Box::new(explained(claims, refusal, standing)))
    }

    pub(super) fn present(&self, now: Instant, time: Timestamp) -> Present {
        let nanos = now.saturating_duration_since(self.start).as_nanos();
        Present {
            nanos: u64::try_from(nanos).unwrap_or(u64::MAX),
            time,
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter({} rules)", self.rules.0.len())
    }
}

fn name(account: Account) -> Name {
    Name {
        scope: account.scope,
        subject: account.subject,
        kind: Kind::Spend(account.window),
    }
}

pub(super) fn account(name: Name) -> Option<Account> {
    let Kind::Spend(window) = name.kind else {
        return None;
    };
    Some(Account {
        scope: name.scope,
        subject: name.subject,
        window,
    })
}

/// The limit that a claim is about; `None` for one that only counts.
fn limit(claim: &Claim) -> Option<Limit> {
    Some(match (claim.name.kind, claim.cap) {
        (Kind::Requests(rate), _) => Limit::Requests(rate),
        (Kind::Tokens(rate), _) => Limit::Tokens(rate),
        (Kind::Running, Cap::Most(most)) => Limit::Concurrent(most),
        (Kind::Streams, Cap::Most(most)) => Limit::Streams(most),
        (Kind::Spend(window), Cap::Amount(unit, amount)) => Limit::Budget(Budget {
            unit,
            amount,
            cycle: window.cycle,
        }),
        (Kind::Running | Kind::Streams | Kind::Spend(_), _) => return None,
    })
}

/// A refusal in words.
pub(super) fn explained(claims: &[Claim], refusal: Refusal, standing: Standing) -> Refused {
    let claim = claims.get(refusal.claim);
    Refused {
        scope: claim.map_or(Scope::Everyone, |claim| claim.name.scope),
        limit: claim.and_then(limit).unwrap_or(Limit::Concurrent(0)),
        wait: refusal.wait,
        never: refusal.never,
        standing,
    }
}
