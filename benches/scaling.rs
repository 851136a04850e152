//! What 100 gateways, 1,000,000 keys and 100,000 requests a second would ask of Redis: counted on a model, not measured.
//!
//! `cargo bench --bench scaling`; `cargo test` runs a short one, for its assertions. Keys are asked for by Zipf's law (s = 1),
//! gateways evenly. Each request meets a limit of its key, of its team and of everyone. docs/SCALING.md tells what the
//! columns mean and what follows.
#![expect(clippy::print_stdout, reason = "a bench prints what it found")]

use std::collections::HashMap;

const GATEWAYS: u64 = 100;
const KEYS: u64 = 1_000_000;
const TEAMS: u64 = 1_000;
const PER_SECOND: u64 = 100_000;
/// Nodes of the Redis Cluster, each with as many of its 16,384 slots.
const NODES: u64 = 16;
/// Microseconds that a lease is good for.
const LEASE: u64 = 200_000;
/// A key is hot for a gateway that has asked so often within [`LEASE`].
const HOT: u64 = 4;
const SECOND: u64 = 1_000_000;

fn main() {
    let long = std::env::args().any(|argument| argument == "--bench");
    let seconds = if long { 10 } else { 1 };
    println!(
        "{:<28} {:>9} {:>9} {:>13} {:>12} {:>12} {:>9} {:>9}",
        "design",
        "commands",
        "waits",
        "hottest node",
        "hottest cell",
        "most a span",
        "bound",
        "admitted"
    );
    for design in [Design::OneTag, Design::TagPerCell, Design::Leases] {
        let told = simulate(design, seconds);
        #[expect(clippy::cast_precision_loss, reason = "counts are below 2^52")]
        let per = |count: u64, of: u64| count as f64 / of as f64;
        println!(
            "{:<28} {:>9.2} {:>9.2} {:>11}/s {:>10}/s {:>12} {:>9} {:>8.1}%",
            design.name(),
            per(told.commands, told.requests),
            per(told.waits, told.requests),
            told.hottest_node / seconds,
            told.hottest_cell / seconds,
            told.most,
            told.bound,
            100.0 * per(told.admitted, told.allowed),
        );
        assert!(
            told.most <= told.bound,
            "{}: more was admitted than ever may be",
            design.name()
        );
    }
}

/// Where cells are, and how many steps an exchange takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Design {
    /// All cells under one hash tag: one script before, one after, on one node. What the gateway does today.
    OneTag,
    /// A tag for each cell: one script for each cell before, one after. Not atomic over cells.
    TagPerCell,
    /// A tag for each team, which its keys' cells share; gateways take from wide and hot cells in advance, for a short time.
    Leases,
}

impl Design {
    fn name(self) -> &'static str {
        match self {
            Self::OneTag => "one tag",
            Self::TagPerCell => "a tag for each cell",
            Self::Leases => "a tag for each team, leases",
        }
    }
}

/// What came of it.
#[derive(Default)]
struct Told {
    requests: u64,
    /// Scripts that ran.
    commands: u64,
    /// Round trips that a request waited for.
    waits: u64,
    hottest_node: u64,
    hottest_cell: u64,
    /// The most requests that the limit of everyone admitted within a second.
    most: u64,
    /// The most that it may ever admit in a second.
    bound: u64,
    admitted: u64,
    /// What the limit would have admitted.
    allowed: u64,
}

/// A rate by the generic cell rate algorithm, in microseconds: `rate` a second, of which a second's worth at once.
struct Cell {
    rate: u64,
    /// When it is whole, in parts of a microsecond: multiplied by `rate`.
    whole: u64,
}

impl Cell {
    /// Takes at most so many; how many there were.
    fn take(&mut self, wanted: u64, now: u64) -> u64 {
        let (now, full) = (now * self.rate, SECOND * self.rate);
        let whole = self.whole.max(now);
        let left = (now + full - whole) / SECOND;
        let taken = wanted.min(left);
        self.whole = whole + taken * SECOND;
        taken
    }
}

/// What a gateway holds of a cell.
#[derive(Default)]
struct Lease {
    left: u64,
    /// When what is left is void.
    until: u64,
    /// Until when nobody asks again, because there was too little.
    pause: u64,
    /// Requests since this time.
    asked: u64,
    since: u64,
}

/// A cluster of Redis and what was asked of it.
#[derive(Default)]
struct Cluster {
    by_node: HashMap<u64, u64>,
    by_cell: HashMap<u64, u64>,
    commands: u64,
}

impl Cluster {
    fn run(&mut self, cell: u64, tag: u64) {
        self.commands += 1;
        *self.by_cell.entry(cell).or_default() += 1;
        let node = slot(&format!("{{{tag}}}")) / (16_384 / NODES);
        *self.by_node.entry(node).or_default() += 1;
    }
}

/// Half of all requests are more than the limit of everyone allows.
fn simulate(design: Design, seconds: u64) -> Told {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut everyone = Cell {
        rate: PER_SECOND / 2,
        whole: 0,
    };
    let (mut told, mut cluster) = (Told::default(), Cluster::default());
    let mut leases: HashMap<(u64, u64), Lease> = HashMap::new();
    let mut by_span = vec![0_u64; usize::try_from(seconds * 100 + 1).unwrap_or(0)];
    for index in 0..seconds * PER_SECOND {
        let now = index * SECOND / PER_SECOND;
        let (gateway, key) = (random.below(GATEWAYS), random.zipf(KEYS));
        let cells = [EVERYONE, TEAM + key % TEAMS, KEY + key];
        let granted = match design {
            Design::OneTag => {
                // One script for all cells, and one at the end.
                (0..2).for_each(|_| cluster.run(EVERYONE, EVERYONE));
                told.waits += 1;
                everyone.take(1, now)
            }
            Design::TagPerCell => {
                let twice = cells.iter().flat_map(|cell| [*cell, *cell]);
                twice.for_each(|cell| cluster.run(cell, cell));
                told.waits += 1;
                everyone.take(1, now)
            }
            Design::Leases => {
                let [_, team, key] = cells;
                let lease = leases.entry((gateway, key)).or_default();
                told.waits += lease.pass((key, team), now, &mut cluster);
                let lease = leases.entry((gateway, EVERYONE)).or_default();
                lease.take(&mut everyone, now, &mut cluster)
            }
        };
        told.requests += 1;
        told.admitted += granted;
        let span = usize::try_from(now / 10_000).unwrap_or(0);
        if let Some(count) = by_span.get_mut(span) {
            *count += granted;
        }
    }
    let rate = everyone.rate;
    told.most = by_span
        .windows(100)
        .map(|span| span.iter().sum())
        .max()
        .unwrap_or(0);
    // Burst and rate over the span; with leases, over the span and the time that a lease is good for.
    let slack = if design == Design::Leases { LEASE } else { 0 };
    told.bound = rate + rate * (SECOND + slack) / SECOND;
    told.allowed = (rate + rate * seconds).min(told.requests);
    told.commands = cluster.commands;
    told.hottest_node = cluster.by_node.into_values().max().unwrap_or(0);
    told.hottest_cell = cluster.by_cell.into_values().max().unwrap_or(0);
    told
}

const EVERYONE: u64 = 0;
const TEAM: u64 = 1;
const KEY: u64 = TEAM + TEAMS;

impl Lease {
    /// Counts a request on a key's and its team's cells, whose limits are not met here: by a script for both, or by what was
    /// leased while the key is hot. The round trips that the request waits for.
    fn pass(&mut self, (key, team): (u64, u64), now: u64, cluster: &mut Cluster) -> u64 {
        if now >= self.since + LEASE {
            (self.asked, self.since) = (0, now);
        }
        self.asked += 1;
        if self.asked <= HOT {
            (0..2).for_each(|_| cluster.run(key, team));
            return 1;
        }
        if self.left > 0 && now < self.until {
            self.left -= 1;
            return 0;
        }
        // As many as were asked for lately, and what was used is told by the same script.
        (self.left, self.until) = (self.asked - 1, now + LEASE);
        cluster.run(key, team);
        1
    }

    /// Takes one from the limit of everyone, of which each gateway leases its part.
    fn take(&mut self, cell: &mut Cell, now: u64, cluster: &mut Cluster) -> u64 {
        if self.left == 0 || now >= self.until {
            if now < self.pause {
                return 0;
            }
            cluster.run(EVERYONE, EVERYONE);
            let part = (cell.rate * LEASE / SECOND / GATEWAYS).max(1);
            (self.left, self.until) = (cell.take(part, now), now + LEASE);
            if self.left < part {
                self.pause = now + LEASE / 10;
            }
        }
        if self.left == 0 {
            return 0;
        }
        self.left -= 1;
        1
    }
}

/// The slot of a key with this hash tag: CRC-16 (XMODEM), as Redis Cluster's specification has it.
fn slot(tag: &str) -> u64 {
    let inner = tag.trim_start_matches('{').trim_end_matches('}');
    let crc = inner.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    });
    u64::from(crc) % 16_384
}

/// Marsaglia's xorshift64: the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// A rank from 0: the inverse of Zipf's distribution for s = 1, the harmonic numbers taken as logarithms.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "ranks are small and above zero"
    )]
    fn zipf(&mut self, count: u64) -> u64 {
        let even = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = ((count as f64 + 1.0).ln() * even).exp() as u64;
        rank.clamp(1, count) - 1
    }
}
