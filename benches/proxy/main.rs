//! The whole gateway beside nginx, as a plain proxy to the same upstream, in alternating rounds of one run.
//!
//! `cargo bench --bench proxy` prints the tables of docs/BENCHMARKS.md; `-- --rounds 2 --seconds 1` is a quick look. Load,
//! upstream and each proxy are processes of their own, so that CPU time can be told apart; everything is on loopback and
//! bounded in count and time.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts and times here are far below 2^52"
)]

mod gateway;
mod load;
mod nginx;
mod process;
mod prose;
mod report;
mod upstream;

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::load::Target;
use crate::process::Process;
use crate::report::Table;

/// Connections that send JSON requests at the same time.
const CONNECTIONS: usize = 16;
/// Streams that run at a pace at the same time: 50 events a second each.
const PACED_STREAMS: usize = 100;
/// A paced round is so many times longer than the others: a proxy does little in it, and /proc counts in ticks of 10 ms.
const PACED_LONGER: u64 = 4;
/// Events of a stream that comes as fast as it can.
const BURST_EVENTS: usize = 2000;
/// Streams held open to see what they cost in memory.
const OPEN_STREAMS: usize = 1000;

#[derive(Parser)]
struct Arguments {
    /// Rounds, each of which measures every target once.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds for which one target is loaded in a round.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Exchanges per target from which the latencies are taken.
    #[arg(long, default_value_t = 3000)]
    exchanges: usize,
    /// Answers as the upstream instead; the bench starts itself so.
    #[arg(long, hide = true)]
    upstream: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if arguments.upstream {
        return Ok(runtime.block_on(upstream::run())?);
    }
    let folder = tempfile::tempdir()?;
    let mut bench = Bench::start(folder.path())?;
    let mut out = stdout();
    writeln!(out, "\n{}", runtime.block_on(bench.cpu(&arguments))?)?;
    writeln!(out, "\n{}", runtime.block_on(bench.latency(&arguments))?)?;
    writeln!(out, "\n{}", runtime.block_on(bench.memory())?)?;
    Ok(())
}

/// A proxy under test.
struct Proxy {
    process: Process,
    target: Target,
}

struct Bench {
    folder: PathBuf,
    /// Ends with the bench.
    _upstream: Process,
    direct: Target,
    /// nginx first: the others are compared with it.
    proxies: Vec<Proxy>,
}

impl Bench {
    fn start(folder: &Path) -> Result<Self> {
        let mut upstream = Process::start(&std::env::current_exe()?, &["--upstream"], folder, &[])?;
        let address = upstream.await_line(|line| line.parse().ok())?;
        let proxies = proxies(folder, address)?;
        let direct = Target {
            name: "direct",
            address,
            key: String::new(),
        };
        Ok(Self {
            folder: folder.to_owned(),
            _upstream: upstream,
            direct,
            proxies,
        })
    }

    /// CPU time of each proxy per unit of work.
    async fn cpu(&mut self, arguments: &Arguments) -> Result<Table> {
        let first = ["CPU per unit, µs".to_owned()].into_iter();
        let names = self
            .proxies
            .iter()
            .map(|proxy| proxy.target.name.to_owned());
        let ratios = self
            .proxies
            .iter()
            .skip(1)
            .map(|proxy| format!("{} ÷ nginx", proxy.target.name));
        let mut table = Table::new(first.chain(names).chain(ratios));
        for load in [Load::Json, Load::News, Load::Burst, Load::Paced] {
            let mut costs = vec![Vec::new(); self.proxies.len()];
            // One round more than asked for: the first warms up pools and caches and is thrown away.
            for round in 0..=arguments.rounds {
                for (proxy, costs) in self.proxies.iter().zip(&mut costs) {
                    let cost = load.cost(proxy, arguments.seconds).await?;
                    if round > 0 {
                        costs.push(cost);
                    }
                }
            }
            let mut row = vec![load.name().to_owned()];
            row.extend(costs.iter().map(|costs| report::spread(costs)));
            let base = costs.first().context("no proxy")?.clone();
            for costs in costs.iter().skip(1) {
                let ratios: Vec<f64> = costs
                    .iter()
                    .zip(&base)
                    .map(|(cost, base)| cost / base)
                    .collect();
                row.push(report::spread(&ratios));
            }
            table.rows.push(row);
        }
        Ok(table)
    }

    /// Time from the request's first byte to the first byte of a streamed answer's body, one exchange at a time.
    async fn latency(&mut self, arguments: &Arguments) -> Result<Table> {
        let targets: Vec<&Target> = [&self.direct]
            .into_iter()
            .chain(self.proxies.iter().map(|proxy| &proxy.target))
            .collect();
        let mut times = vec![Vec::new(); targets.len()];
        let mut clients = Vec::new();
        for target in &targets {
            clients.push(load::Client::connect(target).await?);
        }
        for exchange in 0..arguments.exchanges + 100 {
            for ((client, target), times) in clients.iter_mut().zip(&targets).zip(&mut times) {
                let time = client
                    .first_byte(&load::request(target, "burst-20", true))
                    .await?;
                if exchange >= 100 {
                    times.push(time.as_secs_f64() * 1e6);
                }
            }
        }
        let mut table = Table::new(["first byte, µs", "p50", "p99", "p50 added", "p99 added"]);
        let base = times.first().context("no target")?.clone();
        for (target, times) in targets.iter().zip(&times) {
            let mut row = vec![target.name.to_owned()];
            let of = |times: &[f64], share| report::quantile(times, share);
            row.extend([0.5, 0.99].map(|share| format!("{:.0}", of(times, share))));
            row.extend(
                [0.5, 0.99].map(|share| format!("{:.0}", of(times, share) - of(&base, share))),
            );
            table.rows.push(row);
        }
        Ok(table)
    }

    /// Resident memory of freshly started proxies, and how much more streams make it. The first thousand may settle in memory
    /// that the start has freed; what a stream costs shows in the second thousand.
    async fn memory(&mut self) -> Result<Table> {
        self.proxies.clear();
        let mut table = Table::new([
            "resident",
            "idle, MiB",
            "1,000 streams, MiB",
            "2,000 streams, MiB",
            "per stream of the second thousand, KiB",
        ]);
        for proxy in proxies(&self.folder.join("memory"), self.direct.address)? {
            let second = Duration::from_secs(1);
            load::repeat(&proxy.target, "json", (false, false), CONNECTIONS, second).await?;
            let mut resident = vec![proxy.process.resident_kib()? as f64];
            let mut clients = Vec::new();
            for _ in 0..2 {
                clients.extend(load::open(&proxy.target, "paced-600-500", OPEN_STREAMS).await?);
                tokio::time::sleep(5 * second).await;
                resident.push(proxy.process.resident_kib()? as f64);
            }
            drop(clients);
            let mut row = vec![proxy.target.name.to_owned()];
            row.extend(resident.iter().map(|kib| format!("{:.1}", kib / 1024.0)));
            if let [.., first, second] = resident.as_slice() {
                row.push(format!("{:.1}", (second - first) / OPEN_STREAMS as f64));
            }
            table.rows.push(row);
        }
        Ok(table)
    }
}

fn proxies(folder: &Path, upstream: std::net::SocketAddr) -> Result<Vec<Proxy>> {
    let started = [
        nginx::start(&folder.join("nginx"), upstream)?,
        gateway::start("sluicegate", "default", &folder.join("default"), upstream)?,
        gateway::start(
            "without scanning",
            "nothing",
            &folder.join("nothing"),
            upstream,
        )?,
    ];
    Ok(started
        .into_iter()
        .map(|(process, target)| Proxy { process, target })
        .collect())
}

/// A kind of traffic.
#[derive(Clone, Copy)]
enum Load {
    /// The same request again and again, as of a client with one prompt: what was judged before is remembered.
    Json,
    /// The user's text is new each time, the system prompt is not.
    News,
    Burst,
    Paced,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON exchange, 1 KB each way, 16 connections",
            Self::News => "the same with a new text each time",
            Self::Burst => "event in a burst, 4 connections",
            Self::Paced => "event at 50 a second, 100 streams",
        }
    }

    /// Puts the load on a proxy; returns the proxy's CPU microseconds per exchange or event.
    async fn cost(self, proxy: &Proxy, seconds: u64) -> Result<f64> {
        let (target, time) = (&proxy.target, Duration::from_secs(seconds));
        let before = proxy.process.cpu_microseconds()?;
        let units = match self {
            Self::Json | Self::News => {
                let how = (false, matches!(self, Self::News));
                load::repeat(target, "json", how, CONNECTIONS, time).await?
            }
            Self::Burst => {
                let model = format!("burst-{BURST_EVENTS}");
                load::repeat(target, &model, (true, false), 4, time).await? * BURST_EVENTS as u64
            }
            Self::Paced => {
                let events = seconds * PACED_LONGER * 50;
                load::once(target, &format!("paced-{events}-20"), PACED_STREAMS).await? * events
            }
        };
        let used = proxy.process.cpu_microseconds()? - before;
        Ok(used as f64 / units as f64)
    }
}
