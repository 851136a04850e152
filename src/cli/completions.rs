//! `sluicegate completions`: what a shell needs to complete our command line.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use super::Status;
use super::output::Output;

/// Print completions for a shell
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The shell to complete for
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Status> {
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut super::command(),
        "sluicegate",
        &mut script,
    );
    output.write_all(&script)?;
    Ok(Status::Done)
}
