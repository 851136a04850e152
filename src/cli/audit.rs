//! `sluicegate audit`: reads the audit log and checks that nobody has changed it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::audit;
use crate::config::audit_folder;

use super::output::{Output, Style};
use super::{Place, Status};

/// Read and verify the audit log
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the last records
    Tail {
        /// How many
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10)]
        lines: usize,
        /// Go on with records as they come
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Check every link of the log: exit status 1 and the first broken place if it was changed
    Verify {
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(250);

pub(super) fn run(command: Command, output: &mut Output) -> anyhow::Result<Status> {
    match command {
        Command::Tail {
            lines,
            follow,
            options,
        } => {
            let folder = audit_folder(&options.place.data()?);
            let (records, mut follower) = audit::tail(&folder, lines)?;
            print(&records, options.json, output)?;
            if !follow {
                return Ok(Status::Done);
            }
            loop {
                output.flush()?;
                std::thread::park_timeout(POLL);
                print(&follower.poll()?, options.json, output)?;
            }
        }
        Command::Verify { options } => {
            verify(&audit_folder(&options.place.data()?), options.json, output)
        }
    }
}

fn print(records: &[String], json: bool, output: &mut Output) -> io::Result<()> {
    for record in records {
        match serde_json::from_str(record) {
            Ok(value) if !json => writeln!(output, "{}", summary(&value, output))?,
            _ => writeln!(output, "{record}")?,
        }
    }
    Ok(())
}

/// A record on one line, for people.
fn summary(record: &Value, output: &Output) -> String {
    let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or("-");
    let time = text("time");
    match text("kind") {
        "exchange" => {
            let outcome = text("outcome");
            let style = match outcome {
                "allowed" => Style::Good,
                "blocked" => Style::Bad,
                _ => Style::Odd,
            };
            let status = record
                .get("status")
                .and_then(Value::as_u64)
                .map_or_else(|| "-".to_owned(), |status| status.to_string());
            let mut line = format!(
                "{time} {} {status} {} {} {}",
                output.styled(style, outcome),
                text("key"),
                text("provider"),
                text("model")
            );
            for side in ["request", "response"] {
                let rules = record
                    .get(side)
                    .and_then(|side| side.get("rules"))
                    .and_then(Value::as_object);
                let rules: Vec<&str> = rules
                    .into_iter()
                    .flatten()
                    .map(|(rule, _)| rule.as_str())
                    .collect();
                if !rules.is_empty() {
                    line.extend([" ", side, ": ", &rules.join(", ")]);
                }
            }
            if record.get("reason").is_some() {
                line.extend([" (", text("reason"), ")"]);
            }
            line
        }
        "change" => format!(
            "{time} {} {} by {}",
            text("what"),
            text("subject"),
            text("who")
        ),
        kind => format!("{time} {kind}"),
    }
}

fn verify(folder: &Path, json: bool, output: &mut Output) -> anyhow::Result<Status> {
    let mut shown = None;
    let is_watched = io::stderr().is_terminal();
    let result = audit::verify(folder, |progress| {
        let percent = progress.bytes.saturating_mul(100) / progress.total_bytes.max(1);
        if is_watched && shown != Some(percent) {
            shown = Some(percent);
            // Progress that cannot be shown is no reason to stop.
            drop(write!(io::stderr(), "\rverifying {percent} %"));
        }
    });
    if shown.is_some() {
        drop(write!(io::stderr(), "\r\x1b[K"));
    }
    match result {
        Ok(report) if json => output.json(&json!({
            "whole": true, "records": report.records, "files": report.files,
            "beyond_head": report.beyond_head, "torn_bytes": report.torn_bytes,
        }))?,
        Ok(report) => {
            let whole = output.styled(Style::Good, "whole");
            writeln!(
                output,
                "{whole}: {} records in {} files",
                report.records, report.files
            )?;
            if report.beyond_head > 0 {
                writeln!(
                    output,
                    "the last {} records are newer than the head file: a writer was killed, or is writing",
                    report.beyond_head
                )?;
            }
            if report.torn_bytes > 0 {
                writeln!(
                    output,
                    "an unfinished last line of {} bytes: its writer was killed; the next one mends it",
                    report.torn_bytes
                )?;
            }
        }
        Err(audit::Error::Broken(broken)) => {
            if json {
                output.json(&json!({"whole": false, "problem": broken.to_string()}))?;
            } else {
                writeln!(output, "{}: {broken}", output.styled(Style::Bad, "broken"))?;
            }
            return Ok(Status::Found);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Status::Done)
}
