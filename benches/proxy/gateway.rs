//! The gateway under test: the release binary as `serve` starts it, with a key, a vault credential, limits, audit and a policy.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::load::Target;
use crate::process::Process;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sluicegate");

/// Seals the vault of this run, which is deleted with its folder.
const MASTER_KEY: (&str, &str) = ("SLUICEGATE_MASTER_KEY", "only for this bench");

/// A policy that looks for nothing: what the gateway costs without scanning.
const NOTHING: &str = "version: 1\n";

/// Starts a gateway with one worker thread, as nginx has one worker, in front of an upstream and with the policy of that name; `nothing` is this file's own.
pub(crate) fn start(
    name: &'static str,
    policy: &str,
    directory: &Path,
    upstream: SocketAddr,
) -> Result<(Process, Target)> {
    fs::create_dir_all(directory.join("policies"))?;
    if policy == "nothing" {
        fs::write(directory.join("policies/nothing.yaml"), NOTHING)?;
    }
    let policies = if policy == "nothing" {
        "policies: policies\n"
    } else {
        ""
    };
    let configuration = format!(
        "listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 1
policy: {policy}
{policies}providers:
  mock:
    api: openai
    base_url: http://{upstream}
    allow_private: true
    max_idle: 1024
routes:
  - {{model: \"*\", providers: [mock]}}
"
    );
    fs::write(directory.join("sluicegate.yaml"), configuration)?;
    store_credential(directory)?;
    let mut process = Process::start(Path::new(PROGRAM), &["serve"], directory, &[MASTER_KEY])?;
    let mut address = None;
    let target = process
        .await_line(|line| {
            if let Some((_, url)) = line.split_once("listens on http://") {
                address = url.trim().parse().ok();
            }
            let key = line
                .split_whitespace()
                .find(|word| word.starts_with("sg-"))?;
            Some(Target {
                name,
                address: address?,
                key: key.to_owned(),
            })
        })
        .with_context(|| fs::read_to_string(directory.join("stderr")).unwrap_or_default())?;
    Ok((process, target))
}

fn store_credential(directory: &Path) -> Result<()> {
    let mut command = Command::new(PROGRAM)
        .args(["vault", "set", "mock"])
        .env(MASTER_KEY.0, MASTER_KEY.1)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut input = command.stdin.take().context("no standard input")?;
    input.write_all(b"bench-credential\n")?;
    drop(input);
    ensure!(command.wait()?.success(), "sluicegate vault set failed");
    Ok(())
}
