//! The whole gateway beside nginx, as a plain proxy to the same upstream, in alternating rounds of one run.
//!
//! `cargo bench --bench proxy` prints the tables of docs/BENCHMARKS.md; `-- --rounds 2 --seconds 1` is a quick look. Load,
//! upstream and each proxy are processes of their own, so that CPU time can be told apart; everything is on loopback and
//! bounded in count and time.
#![expect(clippy::cast_precision_loss, reason = "counts and times here are far below 2^52")]

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if arguments.upstream {
        return Ok(runtime.block_on(upstream::run())?);
    }
    let folder = tempfile::tempdir()?;
    let mut bench = Bench::start(folder.path())?;
    for section in [Bench::cpu, Bench::latency, Bench::memory] {
        let table = runtime.block_on(section(&mut bench, &arguments))?;
        writeln!(stdout(), "\n{table}")?;
    }
    Ok(())
}
