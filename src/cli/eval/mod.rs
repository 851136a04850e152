//! `sluicegate eval`: how much of labelled text the judges and a policy find, and how much they take for it wrongly.

mod calibrate;
mod data;
mod measure;
mod plot;
mod report;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;

use crate::config::Flags;
use crate::guard::{
    self,
    body::{self, Inspection},
};
use crate::policy::{Answers, Direction, Policy, Verdict};
use crate::scan::classifier::{self, Classifiers};
use crate::text::Form;
use crate::wire::Api;
use crate::wire::json::Limits;

use super::Status;
use super::judge::{self, Models};
use super::output::Output;
use data::Row;
use measure::Judged;
use report::Report;

/// Run the detectors over labelled text and say what they find
///
/// DATASET holds one JSON object a line with "text" and "label" (injection, jailbreak, toxic, ... or benign, nontoxic), and where known
/// "source", "kind", "lang" and "origin" (user, tool, assistant, system).
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// JSON lines, also compressed with gzip
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,
    /// What is to be found [default: guessed from the labels]
    #[arg(long)]
    task: Option<Task>,
    /// Who wrote the texts that do not say it [default: tool for documents and tool output, else user; toxicity: assistant]
    #[arg(long)]
    origin: Option<Origin>,
    /// Policy to judge with [default: the gateway's]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Folder of policies
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Score by this model of the policy's, not by the built-in judge (what it is not asked about scores 0)
    #[arg(long, value_name = "NAME", conflicts_with = "out")]
    model: Option<String>,
    /// Sources whose benign rows the thresholds are chosen on [default: all]
    #[arg(long, value_name = "SOURCES", value_delimiter = ',')]
    ordinary: Vec<String>,
    /// Print the worst mistakes of both kinds, so many of each
    #[arg(long, value_name = "N", default_value_t = 0)]
    examples: usize,
    /// Draw recall over false positives into an SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print the section of a policy that keeps to this share of false positives on the benign rows (0.01 is one in a hundred)
    #[arg(long, value_name = "SHARE")]
    calibrate: Option<f64>,
    /// Write that section as a policy which extends the one judged with; the file must not be there yet
    #[arg(long, value_name = "FILE", requires = "calibrate")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Task {
    /// Injection and jailbreak
    Injection,
    /// Insults, hate, threats
    Toxicity,
}

impl Task {
    const fn judge(self) -> classifier::Task {
        match self {
            Self::Injection => classifier::Task::Injection,
            Self::Toxicity => classifier::Task::Toxicity,
        }
    }

    /// Whether a rule serves the task.
    fn serves(self, rule: &str) -> bool {
        let scanner = rule.split_once('.').map(|(scanner, _)| scanner);
        match self {
            Self::Injection => matches!(scanner, Some("injection" | "classifier" | "model")),
            Self::Toxicity => scanner == Some("toxicity"),
        }
    }
}

/// Who wrote a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// What an end user writes
    User,
    /// What tools bring
    Tool,
    /// What a model answers
    Assistant,
    /// What an operator tells the model
    System,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Status> {
    let budget = arguments.calibrate;
    if let Some(share) = budget.filter(|share| !(0.0..=0.5).contains(share)) {
        bail!(
            "--calibrate is {share}\n  expected: a share from 0 to 0.5\n  help: 0.01 allows one false positive in a hundred texts"
        );
    }
    let rows = data::read(&arguments.dataset)?;
    let toxic = |row: &Row| matches!(row.label.as_str(), Some("toxic" | "nontoxic"));
    let guessed = if rows.iter().any(toxic) {
        Task::Toxicity
    } else {
        Task::Injection
    };
    let task = arguments.task.unwrap_or(guessed);
    let (mut policy, models) = policy(arguments)?;
    if let Some(model) = &arguments.model {
        listen(&mut policy, model)?;
    }
    let (judged, speed) = judge_all(arguments, task, (&policy, &models), &rows)?;
    let benign = benign(arguments, &judged)?;
    let thresholds = [0.005, 0.01].map(|share| measure::threshold(benign.clone(), share));
    let report = Report {
        task,
        area: measure::area(&judged),
        groups: measure::groups(&judged, thresholds),
        rows: judged,
        thresholds,
        speed,
    };
    if let Some(file) = &arguments.plot {
        let title = format!("{}: {}", task.judge().name(), arguments.dataset.display());
        let drawing = plot::svg(&title, &measure::curve(&report.rows));
        fs::write(file, drawing).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let model = arguments.model.as_deref();
    let calibrated = budget.map(|share| calibrate::calibrate(task, model, &benign, share));
    if let (Some(file), Some(calibrated)) = (&arguments.out, &calibrated) {
        calibrated.write(file, &policy.name, &arguments.dataset)?;
        let told = format!("wrote {}: check it with sluicegate check", file.display());
        writeln!(std::io::stderr(), "{told}")?;
    }
    if arguments.json {
        let calibrated = budget.map(|share| measure::threshold(benign, share));
        report::print_json(&report, calibrated, output)?;
    } else {
        report::print(&report, output)?;
        report::examples(&report, &rows, arguments.examples, output)?;
        if let Some(calibrated) = &calibrated {
            calibrated.print(output)?;
        }
    }
    Ok(Status::Done)
}

/// The scores that thresholds are chosen on.
fn benign(arguments: &Arguments, judged: &[Judged]) -> anyhow::Result<Vec<f64>> {
    let named = &arguments.ordinary;
    let ordinary = |row: &&Judged| {
        let source = row.groups.first().and_then(Option::as_deref);
        let source = source.unwrap_or_default();
        let family = source.split(':').next().unwrap_or_default();
        let listed = named.iter().any(|name| name == source || name == family);
        !row.attack && (named.is_empty() || listed)
    };
    let benign = judged.iter().filter(ordinary).map(|row| row.score);
    let benign: Vec<f64> = benign.collect();
    if benign.is_empty() {
        bail!(
            "{} has no benign row to choose thresholds on\n  expected: rows with the label benign or nontoxic, of the sources in --ordinary if it is given",
            arguments.dataset.display()
        );
    }
    Ok(benign)
}

fn policy(arguments: &Arguments) -> anyhow::Result<(Arc<Policy>, Models)> {
    let flags = Flags {
        policies: arguments.policies.clone(),
        policy: arguments.policy.clone(),
        ..Flags::default()
    };
    judge::policy(&flags)
}

/// Has the policy tell all that a model says, however little it is.
fn listen(policy: &mut Arc<Policy>, model: &str) -> anyhow::Result<()> {
    // Nobody else has it.
    let sides = Arc::get_mut(policy).map(Policy::sides_mut);
    let found = sides.map(|sides| sides.map(|side| side.models.tell_all(model)));
    if found.is_none_or(|found| found == [false; 2]) {
        bail!(
            "the policy {} asks no model \"{model}\"\n  expected: the name of a section in its `model`",
            policy.name
        );
    }
    Ok(())
}

/// What the model says of a row, whose word it is rather than the judge's; 0 where it was not asked.
fn word_of(model: &str, verdict: &Verdict) -> f64 {
    let said = verdict.rules.iter().filter(|rule| {
        let name = rule.id.strip_prefix("model.");
        name.is_some_and(|name| name.strip_suffix("_suspicion").unwrap_or(name) == model)
    });
    let probabilities = said.filter_map(|rule| rule.probability);
    probabilities.max().unwrap_or_default().value()
}

/// Judges every row, by the judge alone and by the policy.
#[expect(clippy::disallowed_methods, reason = "the speed is one of the results")]
fn judge_all(
    arguments: &Arguments,
    task: Task,
    (policy, models): (&Policy, &Models),
    rows: &[Row],
) -> anyhow::Result<(Vec<Judged>, [f64; 2])> {
    let classifiers = Classifiers::new(&[task.judge()])?;
    // Draws nothing where standard error is no terminal.
    let progress = ProgressBar::new(rows.len() as u64);
    progress.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}")?);
    let (mut judged, mut bytes, mut took) = (Vec::with_capacity(rows.len()), 0, [0.0; 2]);
    for row in rows {
        let began = Instant::now();
        let opinions = classifiers.judge(&row.text, Form::Plain);
        let between = Instant::now();
        let origin = row.origin(arguments.origin, task);
        let inspection = models.inspect(|answers| inspect(row, origin, policy, answers));
        let [alone, all] = &mut took;
        *alone += (between - began).as_secs_f64();
        *all += between.elapsed().as_secs_f64();
        bytes += row.text.len();
        let verdict = &inspection.verdict;
        let cause = verdict.cause.as_ref();
        let model = arguments.model.as_deref();
        // A model that tells all is not to be taken at its every word.
        let told = model.map(|model| format!("model.{model}_suspicion"));
        let mut rules = verdict.rules.iter().map(|rule| &*rule.id);
        let first = opinions.first().map_or(0.0, |opinion| opinion.probability);
        judged.push(Judged {
            attack: row.attack(),
            score: model.map_or(first, |model| word_of(model, verdict)),
            flagged: rules.any(|id| task.serves(id) && told.as_deref() != Some(id)),
            stopped: cause.is_some_and(|cause| task.serves(&cause.rule)),
            groups: [row.source.clone(), row.kind.clone(), row.lang.clone()],
        });
        progress.inc(1);
    }
    progress.finish_and_clear();
    #[expect(
        clippy::cast_precision_loss,
        reason = "files have fewer bytes than 2^52"
    )]
    let kilobytes = (bytes as f64 / 1024.0).max(f64::MIN_POSITIVE);
    Ok((judged, took.map(|seconds| seconds * 1e6 / kilobytes)))
}

/// What the policy makes of a row, sent as who wrote it would.
fn inspect(row: &Row, origin: Origin, policy: &Policy, answers: Option<&Answers>) -> Inspection {
    let limits = Limits::default();
    let context = guard::Context::default().hearing(answers);
    let message = match origin {
        Origin::Assistant => {
            let text = Bytes::from(row.text.clone());
            return body::inspect_text(context, Direction::Response, text, policy);
        }
        Origin::User => json!({"role": "user", "content": row.text}),
        Origin::Tool => json!({"role": "tool", "tool_call_id": "call", "content": row.text}),
        Origin::System => json!({"role": "system", "content": row.text}),
    };
    let request = json!({"model": "model", "messages": [message]});
    let body = Bytes::from(request.to_string());
    body::inspect_request(context, Api::Chat, body, policy, &limits)
}
