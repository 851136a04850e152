//! Streamed answers through the guard: no cut matters, no secret leaves, and what is not edited stays.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use sluicegate::guard::stream::{End, Ending, Exchange, StreamGuard, Summary};
use sluicegate::policy::{Policy, Source, compile};
use sluicegate::wire::json::{Limits, unescape};
use sluicegate::wire::sse::Splitter;
use sluicegate::wire::{Api, Event, Framing, Lane, Part, read_event};

use super::{Input, deltas};

/// Takes the place of each `~` in an input.
pub(crate) const SECRET: &str = "zk-7f3q9x2w";

/// What the policy takes out; the secret has this shape.
pub(crate) static SHAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new("zk-[a-z0-9]{8}").unwrap());

const POLICY: &str = r"
response:
  secrets: {action: redact}
topics:
  - {id: token, pattern: 'zk-[a-z0-9]{8}', action: redact}
  - {id: bird, pattern: '(?i)\bproject\s+bluebird\b', action: redact}
  - {id: stop, pattern: 'launch code [0-9]{4}', action: block}
  - {id: note, pattern: 'weather', action: log}
  - {id: mail, pattern: '[a-z.]{1,16}@[a-z]{1,8}\.(?:org|com)', action: redact}
";

/// The policy that the oracles share.
pub(crate) fn policy() -> Arc<Policy> {
    static POLICIES: LazyLock<Arc<Policy>> = LazyLock::new(|| {
        let source = Source {
            name: "fuzz".into(),
            file: "fuzz.yaml".into(),
            text: POLICY.into(),
        };
        Arc::new(
            compile(&source, |_| None, jiff::civil::date(2026, 1, 1))
                .unwrap()
                .0,
        )
    });
    Arc::clone(&POLICIES)
}

pub(crate) fn check(input: &[u8]) {
    let Some(input) = Input::of(input) else {
        return;
    };
    if input.api() == Api::Realtime {
        return; // Its events come as whole messages, which nothing cuts.
    }
    let text = input.text.iter().flat_map(|byte| match byte {
        b'~' => SECRET.as_bytes(),
        _ => std::slice::from_ref(byte),
    });
    let text: Vec<u8> = text.copied().collect();
    let input = Input {
        text: &text,
        ..input
    };
    let framing = match (input.api(), input.choice >= 128) {
        (Api::Gemini, true) => Framing::JsonArray,
        _ => Framing::Sse,
    };
    let (out, summary) = run(input.api(), framing, [input.text]);
    let (parts, parts_summary) = run(input.api(), framing, input.chunks());
    assert_eq!(
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&parts),
        "the cut changes the output"
    );
    assert_eq!(
        known(&summary),
        known(&parts_summary),
        "the cut changes the verdict"
    );
    // Beside a delta, a message of what was said so far ends before what may become a match.
    let so_far = contains(input.text, b"message") && contains(input.text, b"delta");
    if summary.ending == Ending::Complete && summary.verdict.rules.is_empty() && !so_far {
        let rest = input.text.strip_prefix(out.as_slice());
        assert!(
            rest.is_some_and(|rest| is_cut_off(framing, rest)),
            "nothing was found, and yet it changed"
        );
    }
    for (lane, text) in texts(input.api(), framing, &out) {
        assert!(!SHAPE.is_match(&text), "a secret leaves in {lane:?}");
    }
    assert!(
        !contains(&out, SECRET.as_bytes()),
        "a secret leaves as it stands"
    );
    deltas::alike(input.api(), framing, input.text);
    deltas::check(&input);
}

/// Whether that is nothing, or an event without an end, which readers by the standard discard.
fn is_cut_off(framing: Framing, rest: &[u8]) -> bool {
    let mut splitter = Splitter::new(framing);
    splitter.push(rest);
    rest.is_empty() || framing == Framing::Sse && matches!(splitter.next(), Ok(None))
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// What must not depend on the cut.
fn known(summary: &Summary) -> String {
    let Summary {
        verdict,
        ending,
        usage,
        text_bytes,
        tokens,
        media,
        upstream_error,
        unjudged,
    } = summary;
    format!(
        "{verdict:?} {ending:?} {usage:?} {text_bytes} {tokens:?} {media} {upstream_error} {unjudged:?}"
    )
}

pub(super) fn run<'a>(
    api: Api,
    framing: Framing,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Summary) {
    let limits = Limits {
        event_bytes: 8192,
        ..Limits::default()
    };
    let mut guard = StreamGuard::new(api, framing, policy(), &limits, Exchange::default());
    let mut out = Vec::new();
    for chunk in chunks {
        // A guard that has ended ignores what follows.
        let _flow = guard.push(chunk, &mut out);
    }
    guard.finish(End::Complete, &mut out);
    let out = out
        .into_iter()
        .flat_map(|cleared| cleared.into_bytes().to_vec())
        .collect();
    (out, guard.summary())
}

/// The running texts of what left, and every whole string as one of its own.
fn texts(api: Api, framing: Framing, out: &[u8]) -> Vec<(Option<Lane>, String)> {
    let mut splitter = Splitter::new(framing);
    splitter.push(out);
    let (mut lanes, mut whole) = (BTreeMap::new(), Vec::new());
    while let Ok(Some(raw)) = splitter.next() {
        let mut event = Event::default();
        let Some(data) = raw.data() else { continue };
        if read_event(api, data, &Limits::default(), &mut event).is_err() {
            continue;
        }
        for piece in &event.pieces {
            let text = unescape(&data[piece.span.range()]);
            match piece.part {
                Part::Delta(lane) => lanes
                    .entry(lane)
                    .or_insert_with(String::new)
                    .push_str(&text),
                Part::Whole | Part::Snapshot => whole.push((None, text.into_owned())),
            }
        }
    }
    let lanes = lanes.into_iter().map(|(lane, text)| (Some(lane), text));
    lanes.chain(whole).collect()
}
