//! What the two seed projects do, case by case, through the public interfaces of what took their place.
//!
//! `cases.jsonl` holds their cases; `~~` is taken out of it before it is read, and keeps code hosts from taking samples for secrets. A case
//! with `quirk` says what is wrong with the reference: there the sensible result holds, not the reference's.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    reason = "a test stops at the first surprise"
)]

mod state;
mod text;

use std::collections::BTreeMap;
use std::io::Write;

use serde::Deserialize;
use serde_json::Value;
use sluicegate::scan::finding::ThreatLevel;

/// One case of a seed project.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    kind: String,
    input: Value,
    expect: Value,
    /// What is wrong with the reference.
    quirk: Option<String>,
}

impl Case {
    /// The input, where it is text.
    fn text(&self) -> &str {
        self.input.as_str().unwrap()
    }
}

/// What came of a case: nothing to say, or what is wrong.
type Result = std::result::Result<(), String>;

/// `Err` with what was found, if it is not what is expected.
fn expect<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found:?}, not {expected:?}"))
}

/// `None` where the part that the case speaks of is not built yet.
fn run(case: &Case) -> Option<Result> {
    Some(match case.kind.as_str() {
        "reference_quirk" if case.input.is_object() => state::refill(case),
        "prompt" | "reference_quirk" => text::prompt(case),
        "file_access" | "network_request" | "code_execution" => text::argument(case),
        "sanitize_html" => text::html(case),
        "sanitize_path" => text::path(case),
        "redact_error" | "redact_log" | "safe_log" => text::log(case),
        "threshold" | "processor" => text::messages(),
        "streaming" => text::stream(),
        "policy" => text::failing(),
        "config" => text::unknown_key(),
        "vault_access" => state::vault_access(case),
        "vault_roundtrip" => state::vault_roundtrip(case),
        "vault_crypto" => state::vault_crypto(case),
        "rate_limit" => state::rate_limit(case),
        "session" => state::session(case),
        "audit" => state::audit(),
        // Approvals, and prompts in the audit log, sealed, where a policy asks.
        "action" | "log_content_optin" => return None,
        kind => panic!("{kind}: a kind that nothing here knows"),
    })
}

#[test]
fn every_seed_case_holds() {
    let cases = include_str!("cases.jsonl").replace("~~", "");
    let (mut failures, mut absent) = (Vec::new(), BTreeMap::<String, usize>::new());
    let mut held = 0;
    for line in cases.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        match run(&case) {
            Some(Ok(())) => held += 1,
            Some(Err(problem)) => {
                let quirk = case.quirk.unwrap_or_default();
                failures.push(format!("{}: {}: {problem} {quirk}", case.id, case.input));
            }
            None => *absent.entry(case.kind).or_default() += 1,
        }
    }
    for (kind, count) in &absent {
        // Not caught by the test harness, so that it shows.
        let mut shown = std::io::stderr();
        writeln!(
            shown,
            "not covered: {count} cases of {kind}, whose part is not built yet"
        )
        .unwrap();
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(held + absent.values().sum::<usize>(), 186);
}

/// What the seeds recommend for each level, in the operator's text.
#[test]
fn each_level_has_the_seeds_advice() {
    for (level, words) in [
        (ThreatLevel::Critical, &["block", "alert", "address"][..]),
        (ThreatLevel::High, &["yourself", "strict", "audit"]),
        (ThreatLevel::Medium, &["redact", "keep an eye"]),
        (ThreatLevel::Low, &["log"]),
    ] {
        let advice = level.recommendation();
        let told = include_str!("../../docs/POLICY.md");
        let line = format!("| {level} | {advice} |");
        assert!(told.contains(&line), "{line}");
        assert!(words.iter().all(|word| advice.contains(word)), "{advice}");
    }
}
