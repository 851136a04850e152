//! The command line: arguments, one file a subcommand, and the one place where an error is printed.

mod audit;
mod certs;
mod check;
mod completions;
mod config;
mod eval;
mod health;
mod judge;
mod key;
mod man;
mod output;
mod scan;
mod schema;
mod serve;
mod team;
mod vault;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand};
use jiff::Timestamp;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::audit as audit_log;
use crate::config::{Config, Environment, Flags, Loaded, audit_folder};
use crate::diagnostic::Diagnostic;
use output::Output;

const AFTER_HELP: &str = "\
Exit status:
  0  done; for scan: allowed
  1  something was found: scan would block or hold, a policy's test failed, the audit log is broken
  2  the command could not do its work

Environment:
  SLUICEGATE_CONFIG      the server file, as --config
  SLUICEGATE_DATA        the data folder, as --data
  SLUICEGATE_MASTER_KEY  what seals the vault: 32 bytes in base64, or any passphrase
  SLUICEGATE_NEW_MASTER_KEY  what `vault rekey` seals it with from now on
  NO_COLOR               no colours";

/// A streaming firewall for LLM traffic: a reverse proxy that scans every prompt and every streamed delta.
#[derive(Debug, Parser)]
#[command(name = "sluicegate", version, after_help = AFTER_HELP, max_term_width = 100, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Scan(scan::Arguments),
    Check(check::Arguments),
    Eval(eval::Arguments),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Team(team::Command),
    #[command(subcommand)]
    Vault(vault::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    Certs(certs::Arguments),
    Config(config::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
    #[command(hide = true)]
    Health(health::Arguments),
}

/// Commands that a later version brings: whoever asks for one learns that it is not a typing mistake.
const LATER: [(&str, &str); 6] = [
    ("", "approve"),
    ("", "run"),
    ("audit", "search"),
    ("audit", "export"),
    ("serve", "reload"),
    ("", "sandbox"),
];

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Exit status 0.
    Done,
    /// Exit status 1: what was looked at is not as it should be.
    Found,
    /// Exit status 2: it could not be judged, which the output says.
    Failed,
}

/// The problems of files that a person wrote.
#[derive(Debug)]
struct Problems(Vec<Diagnostic>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Where settings and data are, for commands that work beside a gateway.
#[derive(Args, Clone, Debug, Default)]
struct Place {
    /// Server file [default: sluicegate.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of keys, vault and audit log [default: data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// How the sealed vault is opened.
#[derive(Args, Clone, Debug, Default)]
struct Master {
    /// File that holds the vault's master key [default: the environment's]
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

impl Place {
    /// The settings that these commands need; whether a gateway could start on them is not their concern.
    fn read(self) -> anyhow::Result<Loaded> {
        let flags = Flags {
            config: self.config,
            data: self.data,
            ..Flags::default()
        };
        crate::config::read(&flags, &Environment::of_process())
            .map_err(|problems| Problems(problems).into())
    }

    /// The data folder, which must be there: a mistyped name is no empty gateway.
    fn data(self) -> anyhow::Result<PathBuf> {
        Ok(self.existing()?.data)
    }

    /// The settings of a gateway whose data folder is there.
    fn existing(self) -> anyhow::Result<Config> {
        let config = self.read()?.config;
        let data = &config.data;
        if data.is_dir() {
            return Ok(config);
        }
        let problem = Diagnostic::error(data.display().to_string(), "there is no such data folder");
        let problem = problem.expected("the data folder of a gateway");
        Err(Problems(vec![problem.help(
            "name it with --data; sluicegate serve and key create make one",
        )])
        .into())
    }
}

/// The audit log, opened before anything is changed: a change that cannot be recorded is not made.
fn change_log(data: &Path, now: Timestamp) -> anyhow::Result<audit_log::Log> {
    audit_log::Log::open(&audit_folder(data), now)
        .context("the change cannot be recorded, so it was not made")
}

/// Records a change by whoever runs this command.
fn record(
    log: &audit_log::Log,
    what: &'static str,
    subject: &str,
    time: Timestamp,
) -> anyhow::Result<()> {
    let change = audit_log::Change {
        time,
        who: "cli".to_owned(),
        what,
        subject: subject.to_owned(),
    };
    log.append(&audit_log::Record::Change(change))?;
    log.flush()?;
    Ok(())
}

/// Runs the command line and gives its exit status: 0 done, 1 found, 2 failed.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let mut output = Output::standard();
    let result = keep_to_itself().and_then(|()| dispatch(arguments.command, &mut output));
    let flushed = output.flush();
    match result.and_then(|status| flushed.map(|()| status).map_err(Into::into)) {
        Ok(Status::Done) => ExitCode::SUCCESS,
        Ok(Status::Found) => ExitCode::from(1),
        Ok(Status::Failed) => ExitCode::from(2),
        // Whoever reads our output has seen enough (`| head`): no error, and nobody to tell.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed too, the exit status must do.
            drop(write_error(&error));
            ExitCode::from(2)
        }
    }
}

/// Keeps this process's memory, where secrets pass through, out of core dumps and from other processes of the same user.
fn keep_to_itself() -> anyhow::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .context("cannot keep this process out of core dumps")
}

fn dispatch(command: Command, output: &mut Output) -> anyhow::Result<Status> {
    match command {
        Command::Serve(arguments) => serve::run(&arguments, output),
        Command::Scan(arguments) => scan::run(arguments, output),
        Command::Check(arguments) => check::run(&arguments, output),
        Command::Eval(arguments) => eval::run(&arguments, output),
        Command::Key(command) => key::run(command, output),
        Command::Team(command) => team::run(command, output),
        Command::Vault(command) => vault::run(command, output),
        Command::Audit(command) => audit::run(command, output),
        Command::Certs(arguments) => certs::run(&arguments, output),
        Command::Config(arguments) => config::run(&arguments, output),
        Command::Completions(arguments) => completions::run(&arguments, output),
        Command::Man(arguments) => man::run(&arguments, output),
        Command::Health(arguments) => health::run(&arguments),
    }
}

/// Wrong arguments, or a request for help or the version.
fn usage(error: &clap::Error) -> ExitCode {
    let later = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => LATER.iter().find(|(_, name)| name == word),
        _ => None,
    };
    if let Some((group, name)) = later {
        let command = format!("{group} {name}");
        let message = anyhow::anyhow!(
            "sluicegate {} is not in this version\n  help: sluicegate --help lists the commands there are",
            command.trim_start()
        );
        drop(write_error(&message));
        return ExitCode::from(2);
    }
    // clap knows whether to write to standard output (help) or standard error, and about colours.
    drop(error.print());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Prints an error once, with what caused it.
fn write_error(error: &anyhow::Error) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    if error.chain().len() == 1 && error.is::<Problems>() {
        return writeln!(stderr, "{error}");
    }
    writeln!(stderr, "error: {error}")?;
    for cause in error.chain().skip(1) {
        writeln!(stderr, "  because: {cause}")?;
    }
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The whole command line, for completions and the man page.
fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn problems_are_printed_one_below_the_other() {
        let problems = Problems(vec![
            Diagnostic::error("a.yaml", "one"),
            Diagnostic::error("a.yaml", "two").help("do"),
        ]);
        assert_eq!(problems.to_string(), "a.yaml: one\na.yaml: two\n  help: do");
    }
}
