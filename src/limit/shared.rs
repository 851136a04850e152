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
use super::claim::{Cap, Claim, Kind};
use super::gcra;
use super::table::Refusal;
use super::{Level, Standing};
use crate::rate::quota::Unit;
use crate::shared::{Away, Fail, Script, Shared};

/// How long what a gateway took is kept without a word from it.
const LEASE: Duration = Duration::from_mins(1);

/// Ended exchanges that are told at a time.
const MAX_TELLING: usize = 256;

const TAKE: Script = Script {
    name: "limit_take",
    text: concat!(include_str!("head.lua"), include_str!("take.lua")),
};
const SETTLE: Script = Script {
    name: "limit_settle",
    text: concat!(include_str!("head.lua"), include_str!("settle.lua")),
};
const STAND: Script = Script {
    name: "limit_stand",
    text: concat!(include_str!("head.lua"), include_str!("stand.lua")),
};
const RENEW: Script = Script {
    name: "limit_renew",
    text: "local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
for index, key in ipairs(KEYS) do
  redis.call('ZADD', key, 'XX', now + tonumber(ARGV[1]), ARGV[index + 1])
end
return {}",
};

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
    deadline: Duration,
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
    /// Counts in `place`, for whose answers an exchange waits at most `deadline`.
    pub fn new(place: Arc<dyn Shared>, fail: Fail, deadline: Duration) -> Self {
        let (ended, queue) = mpsc::unbounded_channel();
        Self {
            place,
            fail,
            deadline,
            live: Mutex::default(),
            ended,
            queue: tokio::sync::Mutex::new(queue),
        }
    }

    /// Takes from all cells that are claimed, or from none. `micros` is the time, 0 for the place's own.
    pub(super) async fn take(&self, claims: &[Claim], ask: Ask, micros: u64) -> Answer {
        let (id, keys, arguments) = asked(claims, ask, micros);
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
        let leases: Vec<(String, String)> =
            leases.filter_map(|claim| lease(claim, &id, ask)).collect();
        self.live().insert(Arc::clone(&id), leases);
        Ok(Ok((id, standing)))
    }

    /// How the cells of some claims stand.
    pub(super) async fn cells(&self, claims: &[Claim], now: Present) -> Result<Vec<Cell>, Away> {
        let keys: Vec<String> = claims.iter().flat_map(keys).collect();
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
        keys_of.extend(taken.iter().flat_map(|claim| keys(claim)));
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
        let (id, keys, arguments) = asked(&claims, Ask::default(), 0);
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

    /// Tells the place of ended exchanges, and renews the leases of those under way, for ever. One call at a time does it.
    pub(super) async fn work(self: &Arc<Self>) {
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
                Some(_) = telling.join_next() => {}
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
        self.place
            .run(script, &keys, &arguments, self.deadline)
            .await
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the script that takes is told: the exchange's id, keys and arguments.
fn asked(claims: &[Claim], ask: Ask, micros: u64) -> (Arc<str>, Vec<String>, Vec<String>) {
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
    (id, claims.iter().flat_map(keys).collect(), arguments)
}

/// The keys of a claim's cell. One hash tag holds all of them together, as scripts need it.
fn keys(claim: &Claim) -> [String; 2] {
    let name = &claim.name;
    let kind = match name.kind {
        Kind::Requests(rate) => format!("requests:{rate}"),
        Kind::Tokens(rate) => format!("tokens:{rate}"),
        Kind::Running => "running".to_owned(),
        Kind::Streams => "streams".to_owned(),
        Kind::Spend(window) => format!("{}:{}", window.cycle.name(), window.number),
    };
    let cell = format!("{{limit}}:{kind}:{}:{}", name.scope.name(), name.subject);
    let leases = format!("{cell}\n");
    [cell, leases]
}

/// What the scripts call a kind of cell.
const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Requests(_) | Kind::Tokens(_) => "r",
        Kind::Running | Kind::Streams => "c",
        Kind::Spend(_) => "s",
    }
}

/// The end of a window in microseconds, 0 for none.
fn end(window: super::Window) -> u128 {
    let end = window.end().map(jiff::Timestamp::as_microsecond);
    end.and_then(|end| u128::try_from(end).ok()).unwrap_or(0)
}

fn described(claim: &Claim) -> [String; 6] {
    let rate = |units: i64, rate: crate::rate::Rate| {
        (
            units,
            i128::from(rate.count.get()),
            rate.per.duration().as_micros(),
        )
    };
    let (a, b, c) = match (claim.name.kind, claim.cap) {
        (Kind::Requests(limit), _) => rate(1, limit),
        (Kind::Tokens(limit), _) => rate(-1, limit),
        (Kind::Running | Kind::Streams, Cap::Most(most)) => (i64::from(most), 0, 0),
        (Kind::Running | Kind::Streams, _) => (i64::MAX, 0, 0),
        (Kind::Spend(window), Cap::Amount(Unit::Tokens, most)) => (signed(most), -1, end(window)),
        (Kind::Spend(window), Cap::Amount(Unit::Money, most)) => (-1, most.into(), end(window)),
        (Kind::Spend(window), _) => (-1, -1, end(window)),
    };
    let again = if claim.again { "1" } else { "0" };
    [
        word(claim.name.kind).to_owned(),
        again.to_owned(),
        a.to_string(),
        b.to_string(),
        c.to_string(),
        String::new(),
    ]
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What has to be renewed for an exchange under way.
fn lease(claim: &Claim, id: &str, ask: Ask) -> Option<(String, String)> {
    let [cell, leases] = keys(claim);
    match claim.name.kind {
        Kind::Running | Kind::Streams => Some((cell, id.to_owned())),
        Kind::Spend(_) => Some((leases, format!("{id}:{}:{}", ask.tokens, ask.money))),
        Kind::Requests(_) | Kind::Tokens(_) => None,
    }
}

/// How the rates stand, by what the script tells of each in turn.
fn standing(claims: &[Claim], told: &[i64]) -> Standing {
    let rates = claims.iter().filter_map(|claim| match claim.name.kind {
        Kind::Requests(rate) => Some((true, rate)),
        Kind::Tokens(rate) => Some((false, rate)),
        Kind::Running | Kind::Streams | Kind::Spend(_) => None,
    });
    let mut standing = Standing::default();
    for ((requests, rate), told) in rates.zip(told.chunks_exact(2)) {
        let &[remaining, reset] = told else { continue };
        let level = Some(Level {
            limit: rate.count.get(),
            remaining: u32::try_from(remaining).unwrap_or(0),
            reset: Duration::from_micros(u64::try_from(reset).unwrap_or(0)),
        });
        standing = standing.least(Standing {
            requests: level.filter(|_| requests),
            tokens: level.filter(|_| !requests),
        });
    }
    standing
}
