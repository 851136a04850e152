//! The processes under test: how they are started, what they used, and that they end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Clock ticks per second in /proc: `USER_HZ`, which is 100 on every Linux that counts (proc(5)).
const MICROSECONDS_PER_TICK: u64 = 10_000;

/// A started program and the processes it started; all are killed when this goes.
pub(crate) struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // nginx's workers leave when their master does, but only if it gets to tell them.
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            pause(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Process {
    /// Starts a program with room for thousands of sockets.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        directory: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let log = fs::File::create(directory.join("stderr"))?;
        let child = Command::new("sh")
            .args(["-c", "ulimit -n 16384; exec \"$@\"", "sh"])
            .arg(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self { child })
    }

    /// The next lines that the program prints, up to the one in which `wanted` finds something.
    pub(crate) fn await_line<T>(&mut self, mut wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let output = self
            .child
            .stdout
            .take()
            .context("the output was taken before")?;
        let mut lines = BufReader::new(output).lines();
        let mut found = None;
        for line in lines.by_ref() {
            found = wanted(&line?);
            if found.is_some() {
                break;
            }
        }
        // The rest is read and thrown away, so that the program never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        found.context("the program ended before it was ready")
    }

    /// CPU time of the program and its children so far, in microseconds: user and system, threads that ended included.
    pub(crate) fn cpu_microseconds(&self) -> Result<u64> {
        let mut ticks = 0;
        for id in self.family()? {
            let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
            // The name, in parentheses, may hold spaces: count fields after it. utime and stime are fields 14 and 15.
            let (_, fields) = stat.rsplit_once(')').context("/proc stat without a name")?;
            for field in fields.split_whitespace().skip(11).take(2) {
                ticks += field.parse::<u64>()?;
            }
        }
        Ok(ticks * MICROSECONDS_PER_TICK)
    }

    /// Resident memory of the program and its children, in KiB; pages that they share count once for each.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let mut sum = 0;
        for id in self.family()? {
            let status = fs::read_to_string(format!("/proc/{id}/status"))?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .context("no VmRSS")?;
            sum += line.trim().trim_end_matches(" kB").parse::<u64>()?;
        }
        Ok(sum)
    }

    fn family(&self) -> Result<Vec<u32>> {
        let id = self.child.id();
        let mut family = vec![id];
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        for child in children.split_whitespace() {
            family.push(child.parse()?);
        }
        Ok(family)
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Waits until something listens.
pub(crate) fn await_listener(address: SocketAddr) -> Result<()> {
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        pause(Duration::from_millis(20));
    }
    bail!("nothing listens on {address}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "other processes cannot be awaited in another way"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
