//! Runs the cases in `tests/cases/`: what each scanner finds, and what it leaves alone. Attacks and ordinary text stand side by side.
//!
//! A case is scanned whole and byte by byte, and both must agree. `~~` is taken out of a text before it is scanned: it keeps code
//! hosts from taking the samples for secrets.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use serde::Deserialize;
use sluicegate::{
    scan::{
        engine::Engine,
        finding::{Finding, ThreatLevel},
        rules,
        segment::SegmentScan,
    },
    text::Form,
};
use std::{collections::BTreeSet, path::Path, sync::LazyLock};

#[path = "cases/samples.rs"]
mod samples;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows.
    name: String,
    text: String,
    /// The text is JSON: its escapes are undone.
    #[serde(default)]
    json: bool,
    /// All rules that are found, without the scanner's name; in injection cases, rules or categories that must be among them.
    #[serde(default)]
    finds: Vec<String>,
    /// The threat level of the injection rules found.
    #[serde(default)]
    level: Option<String>,
    /// The text with every finding replaced by its label.
    #[serde(default)]
    redacted: Option<String>,
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::compile(rules().into_iter().map(|rule| (rule, true)).collect()).unwrap()
});

fn scan<'t>(form: Form, pieces: impl Iterator<Item = &'t str>) -> Vec<Finding> {
    let (mut state, mut findings) = (SegmentScan::new(form), Vec::new());
    for piece in pieces {
        state.push(&ENGINE, piece, &mut findings).unwrap();
    }
    state.finish(&ENGINE, &mut findings).unwrap();
    findings
}

/// The text with the findings of `scanner` replaced; overlapping ones count as the first of them.
fn redact(text: &str, findings: &[Finding], scanner: &str) -> String {
    let mut findings: Vec<&Finding> = findings.iter().collect();
    findings.sort_by_key(|finding| (finding.span.start, std::cmp::Reverse(finding.span.end)));
    let (mut out, mut done) = (String::new(), 0);
    for finding in findings {
        let rule = ENGINE.rule(finding.rule).unwrap();
        if rule.scanner.name() == scanner && finding.span.start >= done {
            out.push_str(text.get(done..finding.span.start).unwrap());
            out.extend(["[", rule.label.as_ref(), "]"]);
        }
        if rule.scanner.name() == scanner {
            done = done.max(finding.span.end);
        }
    }
    out + text.get(done..).unwrap()
}

fn check(scanner: &str, case: &Case) -> Result<(), String> {
    let text = case.text.replace("~~", "");
    let form = if case.json { Form::Json } else { Form::Plain };
    let findings = scan(form, std::iter::once(text.as_str()));
    let characters = text
        .char_indices()
        .map(|(place, character)| text.get(place..place + character.len_utf8()).unwrap());
    if findings != scan(form, characters) {
        return Err("found something else byte by byte".to_owned());
    }
    let found: BTreeSet<&str> = findings
        .iter()
        .filter_map(|finding| {
            ENGINE
                .rule(finding.rule)
                .unwrap()
                .id
                .strip_prefix(scanner)?
                .strip_prefix('.')
        })
        .collect();
    let expected: BTreeSet<&str> = case.finds.iter().map(String::as_str).collect();
    if let Some(level) = &case.level {
        let score = ENGINE.rules().filter(|rule| {
            rule.scanner.name() == scanner && found.iter().any(|id| rule.id.ends_with(id))
        });
        let is = ThreatLevel::from_score(score.map(|rule| rule.score).sum());
        if is.name() != level {
            return Err(format!("level {is}, expected {level}: {found:?}"));
        }
        let missing = expected.iter().find(|wanted| {
            !found
                .iter()
                .any(|id| id == *wanted || id.split('.').next() == Some(wanted))
        });
        return missing.map_or(Ok(()), |missing| {
            Err(format!("{missing} not among {found:?}"))
        });
    }
    if found != expected {
        return Err(format!("finds {found:?}, expected {expected:?}"));
    }
    let redacted = redact(&text, &findings, scanner);
    match &case.redacted {
        Some(wanted) if *wanted != redacted => {
            Err(format!("redacted to {redacted:?}, expected {wanted:?}"))
        }
        _ => Ok(()),
    }
}

/// Checks every case of a file; `scanner` is the first part of the ids it speaks of.
fn run(file: &str, scanner: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(file);
    let cases: Vec<Case> = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.name, check(scanner, case).err()?)))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases in {file} fail:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

#[test]
fn injection() {
    run("injection.yaml", "injection");
}

#[test]
fn secrets() {
    run("secrets.yaml", "secrets");
}

#[test]
fn pii() {
    run("pii.yaml", "pii");
}

#[test]
fn national() {
    run("national.yaml", "pii");
}

#[test]
fn url() {
    run("url.yaml", "url");
}

#[test]
fn html() {
    run("html.yaml", "html");
}

#[test]
fn path() {
    run("path.yaml", "path");
}

#[test]
fn code() {
    run("code.yaml", "code");
}

#[test]
fn view() {
    run("view.yaml", "injection");
}
