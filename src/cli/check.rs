//! `sluicegate check`: server file and policies, every problem in one run, then each policy's own tests.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use jiff::Zoned;
use serde_json::json;

use crate::config::{self, Environment, Flags, Policies};
use crate::diagnostic::Diagnostic;
use crate::document::{self, Value};
use crate::guard::Context;
use crate::guard::body::{self, inspect_text};
use crate::policy::{self, Action, Direction, Policy};

use super::judge::Models;
use super::output::{Output, Style};
use super::{Problems, Status, schema, serve};

/// Check the server file and all policies, then run each policy's own tests
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Server files and policies to check [default: those that serve would read]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    settings: serve::Settings,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema of a kind of file, for editors
    #[arg(long, value_name = "KIND", value_enum, exclusive = true)]
    schema: Option<schema::Kind>,
}

/// One test of one policy, after it ran.
struct Tested {
    policy: String,
    name: String,
    failure: Option<Diagnostic>,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Status> {
    if let Some(kind) = arguments.schema {
        write!(output, "{}", schema::text(kind))?;
        return Ok(Status::Done);
    }
    let (mut policies, mut problems, mut warnings) = read(arguments);
    let (flags, environment) = (arguments.settings.flags(), Environment::of_process());
    let models = Models::load(&config::inspect(&flags, &environment).0.config)?;
    problems.extend(models.bind(&mut policies).err().into_iter().flatten());
    warnings.extend(policies.warnings.iter().cloned());
    let tested: Vec<Tested> = policies
        .by_name
        .values()
        .flat_map(|policy| test(policy, &models))
        .collect();
    let failed = tested.iter().filter(|test| test.failure.is_some()).count();
    if arguments.json {
        let text = |diagnostics: &[Diagnostic]| {
            diagnostics
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        let tests: Vec<_> = tested
            .iter()
            .map(|test| {
                let problem = test.failure.as_ref().map(ToString::to_string);
                json!({"policy": test.policy, "name": test.name, "passed": problem.is_none(), "problem": problem})
            })
            .collect();
        output.json(
            &json!({"problems": text(&problems), "warnings": text(&warnings), "tests": tests}),
        )?;
    } else {
        for warning in &warnings {
            writeln!(io::stderr(), "{warning}")?;
        }
        print(&policies, &tested, failed, output)?;
    }
    match (problems.is_empty(), failed) {
        (false, _) if arguments.json => Ok(Status::Failed),
        (false, _) => Err(Problems(problems).into()),
        (true, 0) => Ok(Status::Done),
        (true, _) => Ok(Status::Found),
    }
}

/// Reads what is to be checked: policies, problems, warnings.
fn read(arguments: &Arguments) -> (Policies, Vec<Diagnostic>, Vec<Diagnostic>) {
    let today = Zoned::now().date();
    let (flags, environment) = (arguments.settings.flags(), Environment::of_process());
    if arguments.files.is_empty() {
        // A broken server file does not hide what is wrong with the policies beside it.
        let (loaded, mut problems) = config::inspect(&flags, &environment);
        let (policies, found) =
            config::check_policies(loaded.config.policies.as_deref(), &[], today);
        if found.is_empty() {
            problems.extend(
                policies
                    .find(&loaded.config.policy, "policy")
                    .err()
                    .into_iter()
                    .flatten(),
            );
        }
        problems.extend(found);
        let prices = config::prices(loaded.config.policies.as_deref());
        problems.extend(prices.err().into_iter().flatten());
        return (policies, problems, loaded.warnings);
    }
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let (servers, files): (Vec<_>, Vec<_>) =
        arguments.files.iter().cloned().partition(is_server_file);
    for server in servers {
        let flags = Flags {
            config: Some(server),
            ..flags.clone()
        };
        let (loaded, found) = config::inspect(&flags, &environment);
        problems.extend(found);
        warnings.extend(loaded.warnings);
    }
    if files.is_empty() {
        return (Policies::default(), problems, warnings);
    }
    let (policies, found) = config::check_policies(None, &files, today);
    problems.extend(found);
    (policies, problems, warnings)
}

/// A policy says its version; a server file has none.
fn is_server_file(file: &PathBuf) -> bool {
    let Ok(text) = fs::read_to_string(file) else {
        return false;
    };
    match document::parse("", &text).map(|root| root.value) {
        Ok(Value::Map(entries)) => !entries.iter().any(|(key, _)| {
            ["version", "extends", "request", "response"].contains(&key.name.as_str())
        }),
        Ok(_) | Err(_) => false,
    }
}

/// Runs a policy's own tests through the guard.
fn test(policy: &Policy, models: &Models) -> Vec<Tested> {
    let judge = |direction, text: &str| judge(policy, models, direction, text);
    let reports = policy::check(policy, judge);
    let tested = |report: policy::Report| Tested {
        policy: policy.name.clone(),
        name: report.name,
        failure: report.failure,
    };
    reports.into_iter().map(tested).collect()
}

fn judge(policy: &Policy, models: &Models, direction: Direction, text: &str) -> policy::Outcome {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let inspection = models.inspect(|answers| {
        let context = Context::default().hearing(answers);
        inspect_text(context, direction, bytes.clone(), policy)
    });
    let mut verdict = inspection.verdict;
    let output = match inspection.outcome {
        body::Outcome::Clear(cleared) => {
            Some(String::from_utf8_lossy(&cleared.into_bytes()).into_owned())
        }
        body::Outcome::Refuse(_) => None,
        body::Outcome::Fail(_) => {
            // A text that cannot be judged does not leave.
            verdict.would = Action::Block;
            None
        }
    };
    policy::Outcome { verdict, output }
}

fn print(
    policies: &Policies,
    tested: &[Tested],
    failed: usize,
    output: &mut Output,
) -> anyhow::Result<()> {
    for test in tested {
        let result = match &test.failure {
            None => output.styled(Style::Good, "ok"),
            Some(_) => output.styled(Style::Bad, "FAILED"),
        };
        writeln!(output, "test {}: {} ... {result}", test.policy, test.name)?;
    }
    for failure in tested.iter().filter_map(|test| test.failure.as_ref()) {
        writeln!(output, "\n{failure}")?;
    }
    let passed = tested.len() - failed;
    writeln!(
        output,
        "\n{} policies; {passed} tests passed, {failed} failed",
        policies.by_name.len()
    )?;
    Ok(())
}
