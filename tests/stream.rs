//! Streams through the guard: any cut gives the same, nothing of a match leaves, and what is not touched stays as it was.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test stops at the first surprise, and reads a stream to its end whatever the guard says"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use sluicegate::guard::Cleared;
use sluicegate::guard::Context;
use sluicegate::guard::Failure;
use sluicegate::guard::body::{Outcome, inspect_request, inspect_response, inspect_text};
use sluicegate::guard::stream::{End, Ending, Exchange, Flow, StreamGuard, Summary};
use sluicegate::policy::{Action, Direction, Policy, Source, compile};
use sluicegate::scan::engine::Engine;
use sluicegate::scan::{Rule, Scanner};
use sluicegate::wire::json::{Limits, unescape};
use sluicegate::wire::sse::Splitter;
use sluicegate::wire::{Api, Event, Field, Framing, Lane, Part, read_event};

use cuts::{assert_same, cut, cuts, streams};
use edits::redacted;
use shapes::{escaped, plain, sse, stream};

#[path = "stream/across.rs"]
mod across;
#[path = "stream/bodies.rs"]
mod bodies;
#[path = "stream/canary.rs"]
mod canary;
#[path = "stream/credential.rs"]
mod credential;
#[path = "stream/cuts.rs"]
mod cuts;
#[path = "stream/edits.rs"]
mod edits;
#[path = "stream/fence.rs"]
mod fence;
#[path = "stream/fields.rs"]
mod fields;
#[path = "stream/models.rs"]
mod models;
#[path = "stream/modes.rs"]
mod modes;
#[path = "stream/readers.rs"]
mod readers;
#[path = "stream/reference.rs"]
mod reference;
#[path = "stream/refusals.rs"]
mod refusals;
#[path = "stream/restore.rs"]
mod restore;
#[path = "stream/shapes.rs"]
mod shapes;
#[path = "stream/size.rs"]
mod size;
#[path = "stream/tools.rs"]
mod tools;
#[path = "stream/verdicts.rs"]
mod verdicts;

/// Redacts two kinds of words of the tests' own and OpenAI keys, blocks a third kind, logs a fourth.
const POLICY: &str = r"
response:
  secrets: {action: redact}
topics:
  - {id: token, pattern: '\bzk-[a-z0-9]{6,}', on: [request, response], action: redact}
  - {id: bird, pattern: '(?i)\bproject\s+bluebird\b', on: [request, response], action: redact}
  - {id: stop, pattern: 'launch code [0-9]{4}', on: [request, response], action: block, message: Not that.}
  - {id: note, pattern: 'weather', on: [request, response], action: log}
";

fn policy(text: &str) -> Arc<Policy> {
    let source = Source {
        name: "p".into(),
        file: "p.yaml".into(),
        text: text.into(),
    };
    Arc::new(
        compile(&source, |_| None, jiff::civil::date(2026, 1, 31))
            .unwrap()
            .0,
    )
}

/// The policy above, compiled once.
fn tested() -> Arc<Policy> {
    static TESTED: LazyLock<Arc<Policy>> = LazyLock::new(|| policy(POLICY));
    Arc::clone(&TESTED)
}

/// An OpenAI key, made here so that nobody mistakes this file for one.
fn key() -> String {
    format!("sk-{}-{}", "proj", "Zq8Lw3Vn5Xb7Rt2Ky9Pd4Hs6".repeat(2))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    api: Api,
    framing: Framing,
    line_end: &'static str,
}

const SHAPES: [Shape; 7] = [
    Shape {
        api: Api::Chat,
        framing: Framing::Sse,
        line_end: "\n",
    },
    Shape {
        api: Api::Chat,
        framing: Framing::Sse,
        line_end: "\r\n",
    },
    Shape {
        api: Api::Completions,
        framing: Framing::Sse,
        line_end: "\n",
    },
    Shape {
        api: Api::Messages,
        framing: Framing::Sse,
        line_end: "\n",
    },
    Shape {
        api: Api::Gemini,
        framing: Framing::Sse,
        line_end: "\r\n",
    },
    Shape {
        api: Api::Gemini,
        framing: Framing::JsonArray,
        line_end: "\n",
    },
    Shape {
        api: Api::Responses,
        framing: Framing::Sse,
        line_end: "\n",
    },
];

const CHAT: Shape = SHAPES[0];
const RESPONSES: Shape = SHAPES[6];

/// A delta: which choice (or block) of the answer, and its text.
type Delta<'a> = (u32, &'a str);

/// What came out, and what is known of it.
#[derive(Debug)]
struct Run {
    out: Vec<u8>,
    summary: Summary,
}

fn guard(shape: Shape, policy: &Arc<Policy>) -> StreamGuard {
    let exchange = Exchange {
        request_id: "req-1".into(),
        model: Some("gpt-4o".into()),
        ..Exchange::default()
    };
    StreamGuard::new(
        shape.api,
        shape.framing,
        Arc::clone(policy),
        &Limits::default(),
        exchange,
    )
}

fn joined(out: Vec<Cleared>) -> Vec<u8> {
    out.into_iter()
        .flat_map(|cleared| cleared.into_bytes().to_vec())
        .collect()
}

fn bytes_of(cleared: &Cleared) -> Bytes {
    cleared.clone().into_bytes()
}

fn run<'a>(shape: Shape, policy: &Arc<Policy>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Run {
    let mut guard = guard(shape, policy);
    let mut out = Vec::new();
    for chunk in chunks {
        let _ = guard.push(chunk, &mut out);
    }
    guard.finish(End::Complete, &mut out);
    Run {
        out: joined(out),
        summary: guard.summary(),
    }
}

/// The running text of each lane in a stream's bytes.
fn texts(shape: Shape, bytes: &[u8]) -> BTreeMap<Lane, String> {
    let mut splitter = Splitter::new(shape.framing);
    splitter.push(bytes);
    let mut texts = BTreeMap::new();
    while let Some(raw) = splitter.next().unwrap() {
        let Some(data) = raw.data() else { continue };
        let mut event = Event::default();
        read_event(shape.api, data, &Limits::default(), &mut event).unwrap();
        for piece in &event.pieces {
            if let Part::Delta(lane) = piece.part {
                let text: &mut String = texts.entry(lane).or_default();
                text.push_str(&unescape(&data[piece.span.range()]));
            }
        }
    }
    texts
}
