//! Limits that several gateways count together: the cells of an exchange lie in one place, and a script takes from all of
//! them or from none. One round trip before an exchange, one after it.
//!
//! What is taken is leased: the reservations and places of a gateway that is gone are free again after [`LEASE`]. A gateway
//! that lives renews its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::cell::{Ask, Cell, Present, Spend};
use super::claim::{Claim, Kind, Scope};
use super::queue::Queue;
use super::scripts::{RENEW, SETTLE, STAND, TAKE, described, end, standing, word};
use super::table::Refusal;
use super::{Standing, gcra};
use crate::shared::{Away, Fail, Script, Shared, Veil};

/// How long what a gateway took is kept without a word from it.
const LEASE: Duration = Duration::from_mins(1);

/// Ended exchanges that are told at a time.
const MAX_TELLING: usize = 256;

/// A settlement that the place has not confirmed yet.
#[derive(Clone, Debug)]
pub(super) struct Settlement {
    script: Script,
    id: Arc<str>,
    keys: Vec<String>,
    arguments: Vec<String>,
}

/// Where limits are counted together.
#[derive(Debug)]
pub struct Together {
    place: Arc<dyn Shared>,
    /// What to do while the place is away.
    pub(super) fail: Fail,
    veil: Veil,
    /// The leases of exchanges under way: keys and members by id.
    live: Mutex<Live>,
    ended: mpsc::UnboundedSender<Settlement>,
    /// Taken by whoever sends settlements.
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Settlement>>,
}

/// Keys and members of leases by exchange.
type Live = HashMap<Arc<str>, Vec<(String, String)>>;

/// What came of asking the place.
pub(super) type Answer = Result<Result<(Arc<str>, Standing), (Refusal, Standing)>, Away>;

impl Together {
    /// Counts in `place`.
    pub fn new(place: Arc<dyn Shared>, fail: Fail, veil: Veil) -> Self {
        let (ended, queue) = mpsc::unbounded_channel();
        Self {
            place,
            fail,
            veil,
            live: Mutex::default(),
            ended,
            queue: tokio::sync::Mutex::new(queue),
        }
    }

    /// Whether nobody is refused, because the place is away and nothing is counted then.
    pub(super) fn admits_all(&self) -> bool {
        self.fail == Fail::Open && !self.place.is_connected()
    }

    /// Takes from all cells that are claimed, or from none. `micros` is the time, 0 for the place's own.
    pub(super) async fn take(&self, claims: &[Claim], ask: Ask, micros: u64) -> Answer {
        let (id, keys, arguments) = self.asked(claims, ask, micros);
        let told = self.run(TAKE, &keys, &arguments).await?;
        let (rest, refusal) = match told.as_slice() {
            [1, rest @ ..] => (rest, None),
            [0, claim, wait, never, rest @ ..] => {
                let refusal = Refusal {
                    claim: usize::try_from(claim - 1).unwrap_or(0),
                    wait: u64::try_from(*wait).ok().map(Duration::from_micros),
                    never: *never == 1,
                };
                (rest, Some(refusal))
            }
            _ => return Err(Away::Refused("an answer that is none".to_owned())),
        };
        let standing = standing(claims, rest);
        if let Some(refusal) = refusal {
            return Ok(Err((refusal, standing)));
        }
        let leases = claims.iter().filter(|claim| !claim.again);
        let leases: Vec<(String, String)> = leases
            .filter_map(|claim| self.lease(claim, &id, ask))
            .collect();
        self.live().insert(Arc::clone(&id), leases);
        Ok(Ok((id, standing)))
    }

    /// How the cells of some claims stand.
    pub(super) async fn cells(&self, claims: &[Claim], now: Present) -> Result<Vec<Cell>, Away> {
        let keys = claims
            .iter()
            .flat_map(|claim| self.keys(claim))
            .collect::<Vec<_>>();
        let mut arguments = vec![String::new(), "0".to_owned()];
        arguments.extend(claims.iter().map(|claim| word(claim.name.kind).to_owned()));
        let told = self.run(STAND, &keys, &arguments).await?;
        let mut told = told.iter().map(|told| u64::try_from(*told).unwrap_or(0));
        let mut next = || told.next().unwrap_or(0);
        let cell = |claim: &Claim| match claim.name.kind {
            Kind::Requests(rate) | Kind::Tokens(rate) => {
                let wait = Duration::from_micros(next());
                Cell::Rate(gcra::whole_in(rate, wait, now.nanos))
            }
            Kind::Running | Kind::Streams => Cell::Count(u32::try_from(next()).unwrap_or(u32::MAX)),
            Kind::Spend(_) => Cell::Spend {
                spent: Spend {
                    requests: next(),
                    input: next(),
                    output: next(),
                    money: next(),
                },
                reserved: Ask {
                    tokens: next(),
                    money: next(),
                },
            },
        };
        Ok(claims.iter().map(cell).collect())
    }

    /// Hands over what an exchange used, to be told to the place as soon as it listens. `cancel` gives its request back, too.
    pub(super) fn settle(
        &self,
        id: &Arc<str>,
        claims: &[Claim],
        ask: Ask,
        (used, cancel): (Spend, bool),
    ) {
        let taken: Vec<&Claim> = claims.iter().filter(|claim| !claim.again).collect();
        let mut keys_of = vec![format!("{{limit}}:done:{id}")];
        keys_of.extend(taken.iter().flat_map(|claim| self.keys(claim)));
        let mut arguments = vec![id.to_string()];
        let numbers = [
            0,
            ask.tokens,
            ask.money,
            used.requests,
            used.input,
            used.output,
            used.money,
            u64::from(cancel),
        ];
        arguments.extend(numbers.map(|number| number.to_string()));
        for claim in taken {
            let (kind, count, period) = match claim.name.kind {
                Kind::Requests(rate) => (
                    "r",
                    rate.count.get().into(),
                    rate.per.duration().as_micros(),
                ),
                Kind::Tokens(rate) => (
                    "t",
                    rate.count.get().into(),
                    rate.per.duration().as_micros(),
                ),
                Kind::Running | Kind::Streams => ("c", 0_u64, 0),
                Kind::Spend(window) => ("s", 0, end(window)),
            };
            arguments.extend([kind.to_owned(), count.to_string(), period.to_string()]);
        }
        self.send(Settlement {
            script: SETTLE,
            id: Arc::clone(id),
            keys: keys_of,
            arguments,
        });
    }

    /// Takes requests from rates, whether or not anybody waits for the answer.
    pub(super) fn count(&self, mut claims: Vec<Claim>) {
        claims.retain(|claim| matches!(claim.name.kind, Kind::Requests(_)));
        if claims.is_empty() {
            return;
        }
        let (id, keys, arguments) = self.asked(&claims, Ask::default(), 0);
        self.send(Settlement {
            script: TAKE,
            id,
            keys,
            arguments,
        });
    }

    fn send(&self, settlement: Settlement) {
        // The receiver lives as long as this value.
        if self.ended.send(settlement).is_err() {}
    }

    /// Whether nothing that has ended is still to be told.
    pub(super) fn is_settled(&self) -> bool {
        self.live().is_empty()
    }

    /// Tells the place of ended exchanges, after which those that wait may ask again, and renews the leases of those under way, for ever. One
    /// call at a time does it.
    pub(super) async fn work(self: &Arc<Self>, waiting: &Queue) {
        let mut queue = self.queue.lock().await;
        let mut renewal = tokio::time::interval(LEASE / 3);
        // Not at once: nothing is under way.
        renewal.reset();
        let mut telling = JoinSet::new();
        loop {
            tokio::select! {
                next = queue.recv(), if telling.len() < MAX_TELLING => match next {
                    Some(settlement) => {
                        let together = Arc::clone(self);
                        telling.spawn(async move { together.tell(settlement).await });
                    }
                    None => return,
                },
                Some(_) = telling.join_next() => waiting.wake(),
                _ = renewal.tick() => self.renew().await,
            }
        }
    }

    /// Tells the place until it has heard. Told twice, it does it once.
    async fn tell(&self, settlement: Settlement) {
        while let Err(Away::NotConnected | Away::Late(_)) = self
            .run(settlement.script, &settlement.keys, &settlement.arguments)
            .await
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.live().remove(&settlement.id);
    }

    async fn renew(&self) {
        let leases: Vec<(String, String)> = self.live().values().flatten().cloned().collect();
        for some in leases.chunks(500) {
            let keys: Vec<String> = some.iter().map(|(key, _)| key.clone()).collect();
            let mut arguments = vec![LEASE.as_micros().to_string()];
            arguments.extend(some.iter().map(|(_, member)| member.clone()));
            // If it fails, the next one comes before the lease is over.
            if self.run(RENEW, &keys, &arguments).await.is_err() {}
        }
    }

    async fn run(
        &self,
        script: Script,
        keys: &[String],
        arguments: &[String],
    ) -> Result<Vec<i64>, Away> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.place.run(script, &keys, &arguments).await
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the script that takes is told: the exchange's id, keys and arguments.
    fn asked(
        &self,
        claims: &[Claim],
        ask: Ask,
        micros: u64,
    ) -> (Arc<str>, Vec<String>, Vec<String>) {
        let id: Arc<str> = uuid::Uuid::now_v7().simple().to_string().into();
        let mut arguments = vec![
            id.to_string(),
            micros.to_string(),
            LEASE.as_micros().to_string(),
            ask.tokens.to_string(),
            ask.money.to_string(),
        ];
        for claim in claims {
            arguments.extend(described(claim));
        }
        (
            id,
            claims.iter().flat_map(|claim| self.keys(claim)).collect(),
            arguments,
        )
    }

    /// The keys of a claim's cell. One hash tag holds all of them together, as scripts need it.
    fn keys(&self, claim: &Claim) -> [String; 2] {
        let name = &claim.name;
        let kind = match name.kind {
            Kind::Requests(rate) => format!("requests:{rate}"),
            Kind::Tokens(rate) => format!("tokens:{rate}"),
            Kind::Running => "running".to_owned(),
            Kind::Streams => "streams".to_owned(),
            Kind::Spend(window) => format!("{}:{}", window.cycle.name(), window.number),
        };
        let user = (name.scope == Scope::User).then(|| self.veil.name(&name.subject));
        let subject = user.as_deref().unwrap_or(&name.subject);
        let cell = format!("{{limit}}:{kind}:{}:{subject}", name.scope.name());
        let leases = format!("{cell}\n");
        [cell, leases]
    }

    /// What has to be renewed for an exchange under way.
    fn lease(&self, claim: &Claim, id: &str, ask: Ask) -> Option<(String, String)> {
        let [cell, leases] = self.keys(claim);
        match claim.name.kind {
            Kind::Running | Kind::Streams => Some((cell, id.to_owned())),
            Kind::Spend(_) => Some((leases, format!("{id}:{}:{}", ask.tokens, ask.money))),
            Kind::Requests(_) | Kind::Tokens(_) => None,
        }
    }
}
