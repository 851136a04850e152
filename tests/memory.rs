//! What a body takes beside itself while it is inspected, worst cases included: at most twice its size.
//!
//! One test, in a program of its own: it counts every allocation.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use sluicegate::guard::Context;
use sluicegate::guard::body::{Outcome, inspect_request, inspect_response};
use sluicegate::policy::{Policy, Source, compile};
use sluicegate::wire::Api;
use sluicegate::wire::json::Limits;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What does not grow with the body: the first nodes of a tape, which are free, and the engine's scratch space.
const FIXED: usize = 256 << 10;
/// What one edited finding takes.
const FINDING: usize = 300;
const SIZE: usize = 1 << 20;

const POLICY: &str = r"
topics:
  - {id: token, pattern: 'zk-[a-z0-9]{8}', action: redact, reversible: true}
  - {id: bird, pattern: '(?i)project\s+bluebird', action: redact}
  - {id: words, pattern: '(?i)ignore\s+(?:all|any)\s+rules', action: log}
";

fn policy() -> Policy {
    let source = Source {
        name: "p".into(),
        file: "p.yaml".into(),
        text: POLICY.into(),
    };
    compile(&source, |_| None, jiff::civil::date(2026, 1, 31))
        .unwrap()
        .0
}

fn filled(item: &str, between: &str) -> String {
    vec![item; SIZE / (item.len() + between.len())].join(between)
}

fn message(text: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn arguments(text: &str) -> String {
    format!(
        r#"{{"messages":[{{"role":"assistant","tool_calls":[{{"function":{{"name":"f","arguments":"{text}"}}}}]}}]}}"#
    )
}

/// Bytes taken at the most while a body is inspected, in hundredths of its size, the body itself included.
fn cost(api: Api, body: String, policy: &Policy, request: bool) -> usize {
    let bytes = Bytes::from(body);
    let length = bytes.len();
    let limits = Limits::default();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let inspection = if request {
        inspect_request(Context::default(), api, bytes, policy, &limits)
    } else {
        inspect_response(Context::default(), api, bytes, policy, &limits)
    };
    let beside = ALLOCATOR.peak_usage() - before;
    match inspection.outcome {
        Outcome::Clear(_) => {}
        Outcome::Refuse(_) | Outcome::Fail(_) => panic!("not accepted: {:?}", inspection.outcome),
    }
    100 + beside.saturating_sub(FIXED) * 100 / length
}

/// Requests of every kind that takes much beside itself.
fn requests() -> Vec<(&'static str, String)> {
    let words = "words and more words, as people write them. ";
    let list = |item: &str| format!(r#"{{"messages":[],"x":[{}]}}"#, filled(item, ","));
    let said = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
    vec![
        ("prose", message(&filled(words, ""))),
        (
            "messages",
            format!(r#"{{"messages":[{}]}}"#, filled(&said(words), ",")),
        ),
        (
            "short messages",
            format!(r#"{{"messages":[{}]}}"#, filled(&said("hi"), ",")),
        ),
        ("short strings", list(r#""abcd""#)),
        ("objects", list(r#"{"abcdefgh":{}}"#)),
        ("lists", list("[[],\"abcdefgh\"]")),
        ("numbers", list("0")),
        ("numbers apart", list(r#"0,"abcdefg""#)),
        ("escapes", message(&filled("\\n", ""))),
        ("surrogate pairs", message(&filled("\\ud83d\\ude00", ""))),
        ("escapes in arguments", arguments(&filled("\\\\n", ""))),
        (
            "escaped letters in arguments",
            arguments(&filled("\\\\u0061", "")),
        ),
        (
            "characters that fold",
            message(&filled("\u{ff41}\u{430}\u{e9}", "")),
        ),
        ("invisible characters", message(&filled("a\u{200b}", ""))),
        ("emoji", message(&filled("\u{1f469}\u{200d}\u{1f680}", ""))),
        (
            "a finding in 200 bytes",
            message(&filled(&format!("zk-7f3q9x2w {}", "x".repeat(188)), "")),
        ),
        (
            "deep",
            format!(
                r#"{{"messages":[],"x":[{}]}}"#,
                filled(
                    &format!(
                        "{}\"{}\"{}",
                        "[".repeat(60),
                        "a".repeat(300),
                        "]".repeat(60)
                    ),
                    ","
                )
            ),
        ),
    ]
}

#[test]
fn a_body_takes_three_times_its_size_at_most() {
    let policy = policy();
    let mut worse = Vec::new();
    for (name, body) in requests() {
        let found = cost(Api::Chat, body, &policy, true);
        if found > 300 {
            worse.push(format!("{name}: {found} %"));
        }
    }
    assert_eq!(worse, [""; 0]);
    // Findings come on top: most of all one after the other, each edited.
    let found = cost(
        Api::Chat,
        message(&filled("zk-7f3q9x2w ", "")),
        &policy,
        true,
    );
    assert!(found <= 100 * (3 + FINDING / 12), "findings: {found} %");
    let vector = format!(
        r#"{{"data":[{{"embedding":[{}]}}]}}"#,
        vec!["-0.0123456"; 1_100_000].join(",")
    );
    let found = cost(Api::Embeddings, vector, &policy, false);
    assert!(found <= 300, "over a million numbers: {found} %");
}
