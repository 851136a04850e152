//! `sluicegate scan`: what a policy makes of a text, a body or a recorded stream, with the guard that the gateway has.

mod guess;
mod stream;

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::config::Flags;
use crate::guard;
use crate::guard::body::{self, Inspection, Outcome};
use crate::guard::place::paths;
use crate::policy::{Action, Direction, OnError, Policy, Verdict};
use crate::scan::classifier::Probability;
use crate::wire::json::Limits;
use crate::wire::{self, Framing};

use super::Status;
use super::judge;
use super::output::{Output, Style};

/// Scan a text, a JSON body or a recorded stream with a policy
///
/// Exit status 0: the policy lets it pass; 1: it blocks or holds it; 2: it could not be judged.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// File to scan; - or nothing for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Policy to scan with [default: the gateway's]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Folder of policies
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Server file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What the input is [default: guessed from its beginning]
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Kind>,
    /// Format of a body or stream [default: guessed from its keys]
    #[arg(long)]
    api: Option<Api>,
    /// It is a model's answer, not a request [default: guessed from its keys]
    #[arg(long)]
    response: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What an input can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Plain text
    Text,
    /// A JSON body
    Body,
    /// A recorded event stream
    Sse,
    /// A recorded stream that is one JSON array (Gemini)
    Array,
}

/// The formats, as the command line names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Api {
    Chat,
    Responses,
    Completions,
    Embeddings,
    Messages,
    Gemini,
    Realtime,
}

impl From<Api> for wire::Api {
    fn from(api: Api) -> Self {
        match api {
            Api::Chat => Self::Chat,
            Api::Responses => Self::Responses,
            Api::Completions => Self::Completions,
            Api::Embeddings => Self::Embeddings,
            Api::Messages => Self::Messages,
            Api::Gemini => Self::Gemini,
            Api::Realtime => Self::Realtime,
        }
    }
}

/// What a scan found.
struct Report {
    verdict: Verdict,
    findings: Vec<Found>,
    /// Images and the like, which nothing scans.
    media: u32,
    /// Why it could not be judged.
    failure: Option<String>,
}

/// One finding and its place.
struct Found {
    rule: String,
    action: Option<Action>,
    /// What was undone to find it.
    encoding: Option<&'static str>,
    /// How sure a judge is.
    probability: Option<Probability>,
    /// The string in a body, `messages[0].content`, or the event of a stream.
    within: Option<String>,
    /// Line and column in the input, from 1.
    line: usize,
    column: Option<usize>,
}

pub(super) fn run(arguments: Arguments, output: &mut Output) -> anyhow::Result<Status> {
    let flags = Flags {
        config: arguments.config,
        policies: arguments.policies,
        policy: arguments.policy,
        ..Flags::default()
    };
    let (policy, models) = judge::policy(&flags)?;
    let (name, input) = read(&arguments.file)?;

    let kind = arguments.kind.unwrap_or_else(|| guess::kind(&input));
    let guessed = guess::body(&input);
    let api = arguments.api.map_or_else(
        || guessed.map_or(wire::Api::Chat, |(api, _)| api),
        Into::into,
    );
    let direction = match guessed {
        _ if arguments.response => Direction::Response,
        Some((_, direction)) if kind == Kind::Body => direction,
        _ => Direction::Request,
    };
    let context = guard::Context::default();
    let limits = Limits::default();
    let report = match kind {
        Kind::Sse => stream::scan((api, Framing::Sse), (&policy, &models), &input),
        Kind::Array => {
            let format = (wire::Api::Gemini, Framing::JsonArray);
            stream::scan(format, (&policy, &models), &input)
        }
        Kind::Text => whole(
            models.inspect(|answers| {
                body::inspect_text(context.hearing(answers), direction, input.clone(), &policy)
            }),
            &input,
            None,
        ),
        Kind::Body => {
            let inspection = models.inspect(|answers| {
                let (context, input) = (context.hearing(answers), input.clone());
                match direction {
                    Direction::Request => {
                        body::inspect_request(context, api, input, &policy, &limits)
                    }
                    Direction::Response => {
                        body::inspect_response(context, api, input, &policy, &limits)
                    }
                }
            });
            let paths = paths(api, direction, &input, &inspection.places).ok();
            whole(inspection, &input, paths)
        }
    };
    if arguments.json {
        print_json(&report, &policy, output)?;
    } else {
        print(&report, &policy, &name, output)?;
    }
    match report.verdict.action {
        _ if report.failure.is_some() => Ok(Status::Failed),
        Action::Allow | Action::Log | Action::Redact | Action::Replace => Ok(Status::Done),
        Action::Hold | Action::Block => Ok(Status::Found),
    }
}

fn read(file: &PathBuf) -> anyhow::Result<(String, Bytes)> {
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        return Ok(("(standard input)".to_owned(), bytes.into()));
    }
    let name = file.display().to_string();
    if file.is_dir() {
        bail!("{name} is a folder\n  expected: a file to scan");
    }
    let bytes = fs::read(file).with_context(|| format!("cannot read {name}"))?;
    Ok((name, bytes.into()))
}

/// The report on a whole text or body.
fn whole(inspection: Inspection, input: &[u8], paths: Option<Vec<String>>) -> Report {
    let mut paths = paths.map(Vec::into_iter);
    let findings = inspection
        .places
        .iter()
        .map(|place| {
            let (line, column) = position(input, place.span.start);
            Found {
                rule: place.rule.clone(),
                action: Some(place.action),
                encoding: place.encoding.name(),
                probability: place.probability,
                within: paths.as_mut().and_then(Iterator::next),
                line,
                column: Some(column),
            }
        })
        .collect();
    let failure = match inspection.outcome {
        Outcome::Fail(failure) => Some(failure.to_string()),
        Outcome::Clear(_) | Outcome::Refuse(_) => None,
    };
    Report {
        verdict: inspection.verdict,
        findings,
        media: inspection.media,
        failure,
    }
}

/// Line and column, in characters, of a byte.
fn position(input: &[u8], offset: usize) -> (usize, usize) {
    let before = input.get(..offset).unwrap_or(input);
    let mut lines = before.split(|byte| *byte == b'\n');
    let last = lines.next_back().unwrap_or_default();
    let line = lines.count() + 1;
    let column = String::from_utf8_lossy(last).chars().count() + 1;
    (line, column)
}

fn print(report: &Report, policy: &Policy, name: &str, output: &mut Output) -> anyhow::Result<()> {
    for found in &report.findings {
        let column = found
            .column
            .map_or_else(String::new, |column| format!(":{column}"));
        write!(
            output,
            "{name}:{}{column}: {}",
            found.line,
            output.styled(Style::Strong, &found.rule)
        )?;
        if let Some(action) = found.action {
            write!(output, " ({action})")?;
        }
        if let Some(encoding) = found.encoding {
            write!(output, " as {encoding}")?;
        }
        if let Some(probability) = found.probability {
            write!(output, ", probability {probability}")?;
        }
        match &found.within {
            Some(within) => writeln!(output, " in {within}")?,
            None => writeln!(output)?,
        }
    }
    if report.media > 0 {
        writeln!(
            output,
            "{name}: {} images or other media were not scanned",
            report.media
        )?;
    }
    if let Some(failure) = &report.failure {
        writeln!(
            output,
            "{name}: {}: {failure}",
            output.styled(Style::Bad, "not judged")
        )?;
    }
    conclude(report, policy, output)
}

/// The last line: what comes of it.
fn conclude(report: &Report, policy: &Policy, output: &mut Output) -> anyhow::Result<()> {
    let verdict = &report.verdict;
    if report.failure.is_some()
        && verdict.action < Action::Replace
        && !(policy.observe || policy.on_error == OnError::Allow)
    {
        let action = output.styled(Style::Bad, "refused");
        writeln!(
            output,
            "{action}: what cannot be judged does not pass, policy {}",
            policy.name
        )?;
        return Ok(());
    }
    let style = if verdict.action > Action::Replace {
        Style::Bad
    } else {
        Style::Good
    };
    let action = output.styled(style, verdict.action.name());
    write!(
        output,
        "{action}: threat level {}, policy {}",
        verdict.level, policy.name
    )?;
    if verdict.would != verdict.action {
        write!(output, ", which only observes and would {}", verdict.would)?;
    }
    writeln!(output)?;
    Ok(())
}

fn print_json(report: &Report, policy: &Policy, output: &mut Output) -> anyhow::Result<()> {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|found| {
            json!({
                "rule": found.rule, "action": found.action.map(Action::name), "encoding": found.encoding,
                "probability": found.probability.map(Probability::value), "in": found.within,
                "line": found.line, "column": found.column,
            })
        })
        .collect();
    let verdict = &report.verdict;
    output.json(&json!({
        "action": verdict.action.name(), "would": verdict.would.name(), "level": verdict.level.name(),
        "policy": policy.name, "findings": findings, "media_unscanned": report.media, "failure": report.failure,
    }))
}
