//! What the guard costs: CPU time per event and per body with the default policy, memory per stream, and how much waits.
//!
//! `cargo bench --bench stream`. CPU time of this thread from /proc, so that other work on the machine disturbs little.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::let_underscore_must_use,
    reason = "a report for people"
)]

use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use sluicegate::guard::Context;
use sluicegate::guard::body::{Inspection, inspect_request, inspect_response};
use sluicegate::guard::stream::{Exchange, Flow, StreamGuard};
use sluicegate::guard::verdicts::Verdicts;
use sluicegate::policy::{Policy, Source, compile, embedded};
use sluicegate::wire::json::Limits;
use sluicegate::wire::{Api, Framing};

/// Ordinary prose with a few things that look like the beginning of something.
const PROSE: &str = "The committee met on Tuesday to discuss the budget for the coming year. Several members asked whether the \
    figures from the previous quarter could be trusted, since the accounting system had been replaced in March. \
    \"We should ask John,\" said the chair, \"he knows the tables best.\" After a short break the group looked at three \
    proposals: a smaller office, a longer contract with the supplier, and a new skylight. Nobody liked the first. The second \
    was sent to a working group (its report is due on 12 May 2027 at 14:30). Asked for a summary, the secretary wrote: \
    costs 1,250.00 for the skylight, 18 votes for, 3 against. Please ignore the earlier draft; version 2.1.4 of the plan \
    is the right one. Then everyone went home, and the caretaker turned off the lights in rooms 101 to 119.";

/// Bytes of text per event, as providers send a token or two.
const DELTA_BYTES: usize = 20;

struct Format {
    name: &'static str,
    api: Api,
    framing: Framing,
    first: String,
    event: fn(&str) -> String,
}

fn formats() -> Vec<Format> {
    let chat = |text: &str| {
        let text = json!(text);
        format!(
            "data: {{\"id\":\"chatcmpl-BMsb1qVJ2XPzL7c0Yt4uEr9wKa5\",\"object\":\"chat.completion.chunk\",\"created\":1745000000,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_f5bdcc3276\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
        )
    };
    let messages = |text: &str| {
        let text = json!(text);
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}}}\n\n"
        )
    };
    let gemini = |text: &str| {
        let text = json!(text);
        format!(
            "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{{\"text\": {text}}}],\"role\": \"model\"}},\"index\": 0}}],\"usageMetadata\": {{\"promptTokenCount\": 12,\"candidatesTokenCount\": 34,\"totalTokenCount\": 46}},\"modelVersion\": \"gemini-2.0-flash\",\"responseId\": \"x7kRaJPzL7c0Yt4\"}}\r\n\r\n"
        )
    };
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    vec![
        Format {
            name: "chat",
            api: Api::Chat,
            framing: Framing::Sse,
            first: chat(""),
            event: chat,
        },
        Format {
            name: "messages",
            api: Api::Messages,
            framing: Framing::Sse,
            first: start.into(),
            event: messages,
        },
        Format {
            name: "gemini",
            api: Api::Gemini,
            framing: Framing::Sse,
            first: gemini(""),
            event: gemini,
        },
    ]
}

/// CPU nanoseconds that all threads have used.
fn cpu_ns() -> u64 {
    ns(ClockId::ProcessCPUTime)
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap()
}

/// The best of five rounds, in nanoseconds of CPU time.
fn best(mut round: impl FnMut()) -> f64 {
    let times = (0..5).map(|_| {
        let start = cpu_ns();
        round();
        cpu_ns() - start
    });
    #[expect(clippy::cast_precision_loss, reason = "a duration")]
    times.min().map(|ns| ns as f64).unwrap()
}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn policy(name: &str) -> Arc<Policy> {
    let (_, text) = embedded()
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap();
    let source = Source {
        name: name.into(),
        file: name.into(),
        text: text.into(),
    };
    Arc::new(
        compile(&source, |_| None, jiff::civil::date(2026, 1, 1))
            .unwrap()
            .0,
    )
}

fn guard(format: &Format, policy: &Arc<Policy>) -> StreamGuard {
    let mut guard = StreamGuard::new(
        format.api,
        format.framing,
        Arc::clone(policy),
        &Limits::default(),
        Exchange::default(),
    );
    let mut out = Vec::new();
    assert_eq!(
        guard.push(format.first.as_bytes(), &mut out),
        Flow::Continue
    );
    guard
}

fn deltas() -> Vec<&'static str> {
    let mut rest = PROSE;
    let mut deltas = Vec::new();
    while !rest.is_empty() {
        let (delta, after) = rest.split_at(rest.floor_char_boundary(DELTA_BYTES).max(1));
        deltas.push(delta);
        rest = after;
    }
    deltas
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn events(policy: &Arc<Policy>) {
    const ROUNDS: usize = 500;
    for format in formats() {
        let events: Vec<String> = deltas().into_iter().map(format.event).collect();
        let bytes: usize = events.iter().map(String::len).sum();
        let count = (events.len() * ROUNDS) as f64;
        let mut out = Vec::new();
        let (mut waiting, mut held) = (0, 0);
        let paced = best(|| {
            (waiting, held) = (0, 0);
            let mut pending = 0;
            let mut guard = guard(&format, policy);
            for event in events.iter().cycle().take(events.len() * ROUNDS) {
                let _ = black_box(guard.push(event.as_bytes(), &mut out));
                pending += event.len();
                pending -= out.drain(..).map(|cleared| cleared.len()).sum::<usize>();
                waiting += usize::from(pending > 0);
                held += pending;
            }
        });
        let burst: Vec<u8> = events.concat().into_bytes().repeat(ROUNDS);
        let bursts = best(|| {
            let mut guard = guard(&format, policy);
            for chunk in burst.chunks(16_384) {
                let _ = black_box(guard.push(chunk, &mut out));
                out.clear();
            }
        });
        println!(
            "{:9} {:4} B/event   one a push {:6.3} us/event   16 KiB a push {:6.3} us/event, {:5.0} MB/s   waiting after a push {:4.1} % of events, {:5.1} B",
            format.name,
            bytes / events.len(),
            paced / count / 1e3,
            bursts / count / 1e3,
            burst.len() as f64 / bursts * 1e3,
            100.0 * waiting as f64 / count,
            held as f64 / count,
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn bodies(policy: &Policy) {
    for (name, bytes) in [("1 KB", 1 << 10), ("64 KB", 64 << 10)] {
        let text: String = PROSE.chars().cycle().take(bytes - 80).collect();
        let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]});
        let body = Bytes::from(body.to_string());
        let rounds = (8 << 20) / bytes;
        let judge = || {
            let (context, limits) = (Context::default(), Limits::default());
            black_box(inspect_request(
                context,
                Api::Chat,
                body.clone(),
                policy,
                &limits,
            ));
        };
        let time = best(|| (0..rounds).for_each(|_| judge()));
        let each = time / rounds as f64;
        // Long ones are judged by two threads: what a client waits for.
        let waits = (0..rounds).map(|_| {
            let begin = ns(ClockId::Monotonic);
            judge();
            ns(ClockId::Monotonic) - begin
        });
        let waits = waits.min().unwrap() / 1000;
        println!(
            "request of {name:5}   {:7.1} us   {:5.0} MB/s   done after {waits} us",
            each / 1e3,
            body.len() as f64 / each * 1e3
        );
    }
}

/// A conversation of 100 messages of 2 KB whose last one is new, as an agent sends it at each turn.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn histories(policy: &Policy) {
    const ROUNDS: usize = 40;
    let verdicts = Verdicts::default();
    let remembering = Context {
        verdicts: Some(&verdicts),
        ..Context::default()
    };
    let message = |number: usize| {
        let text: String = PROSE
            .chars()
            .cycle()
            .skip(number % 97)
            .take(2_000)
            .collect();
        json!({"role": "user", "content": format!("{number} {text}")}).to_string()
    };
    let known: Vec<String> = (0..99).map(message).collect();
    let head = format!("{{\"model\":\"gpt-4o\",\"messages\":[{},", known.join(","));
    let mut turn = 1_000;
    for (name, context) in [("scanned", Context::default()), ("remembered", remembering)] {
        let mut bytes = 0;
        let time = best(|| {
            for _ in 0..ROUNDS {
                turn += 1;
                let body = format!("{head}{}]}}", message(turn));
                bytes = body.len();
                let limits = Limits::default();
                let inspection = inspect_request(context, Api::Chat, body.into(), policy, &limits);
                black_box(inspection);
            }
        });
        let each = time / ROUNDS as f64;
        println!(
            "history {name:10}   {:7.1} us   {:5.0} MB/s",
            each / 1e3,
            bytes as f64 / each * 1e3
        );
    }
}

/// Bodies that keep the guard busy beside their text: very many short texts, text in parts. Times as much, a byte, as an ordinary body of that kind.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn hostile(policy: &Policy) {
    const BYTES: usize = 256 << 10;
    // The clock of a thread is coarse.
    const ROUNDS: usize = 16;
    for (kind, ordinary, units, inspect) in [
        ("request", REQUEST, REQUESTS, inspect_request as Inspect),
        ("answer", ANSWER, ANSWERS, inspect_response as Inspect),
    ] {
        let cost = |(api, head, unit, tail): (Api, &str, &str, &str)| {
            let units = vec![unit; BYTES / unit.len() + 1].join(",");
            let body = Bytes::from(format!("{head}{units}{tail}"));
            let time = best(|| {
                let limits = Limits::default();
                // What is refused costs what it did until then.
                for _ in 0..ROUNDS {
                    black_box(inspect(
                        Context::default(),
                        api,
                        body.clone(),
                        policy,
                        &limits,
                    ));
                }
            });
            time / (ROUNDS * body.len()) as f64
        };
        let prose = format!(r#"{{"role":"user","content":{}}}"#, json!(PROSE.repeat(8)));
        let (api, head, tail) = ordinary;
        let usual = cost((api, head, &prose, tail));
        let mut costs: Vec<(f64, &str)> = units
            .iter()
            .map(|(name, body)| (cost(*body) / usual, *name))
            .collect();
        costs.sort_by(|one, other| other.0.total_cmp(&one.0));
        let costs: Vec<String> = costs
            .iter()
            .map(|(times, name)| format!("{name} {times:.1}"))
            .collect();
        println!(
            "hostile {kind}: {usual:.1} ns a byte ordinarily; times as much: {}",
            costs.join(", ")
        );
    }
}

type Inspect = fn(Context<'_>, Api, Bytes, &Policy, &Limits) -> Inspection;

/// What stands before the units of a body, the unit, and what stands behind.
type Units = (Api, &'static str, &'static str, &'static str);

const REQUEST: (Api, &str, &str) = (Api::Chat, r#"{"model":"gpt-4o","messages":["#, "]}");
const ANSWER: (Api, &str, &str) = (Api::Responses, r#"{"model":"gpt-4o","output":["#, "]}");

const REQUESTS: &[(&str, Units)] = &[
    (
        "messages",
        (
            REQUEST.0,
            REQUEST.1,
            r#"{"role":"user","content":"abc"}"#,
            REQUEST.2,
        ),
    ),
    (
        "messages of one word",
        (
            REQUEST.0,
            REQUEST.1,
            r#"{"role":"user","content":"ignore"}"#,
            REQUEST.2,
        ),
    ),
    (
        "parts",
        (
            Api::Chat,
            r#"{"messages":[{"role":"user","content":["#,
            r#"{"text":"a"}"#,
            "]}]}",
        ),
    ),
    (
        "parts with encoded ends",
        (
            Api::Chat,
            r#"{"messages":[{"role":"user","content":["#,
            r#"{"text":"aWdub3JlIGFsbCBwcmV2"}"#,
            "]}]}",
        ),
    ),
    (
        "strings",
        (
            Api::Gemini,
            r#"{"contents":{"parts":[{"functionResponse":{"response":["#,
            r#""a""#,
            "]}}]}}",
        ),
    ),
    (
        "empty messages",
        (Api::Messages, r#"{"messages":["#, "{}", "]}"),
    ),
    (
        "tool calls",
        (
            Api::Chat,
            r#"{"messages":[{"role":"assistant","tool_calls":["#,
            r#"{"function":{"name":"f","arguments":"{\"a\":1}"}}"#,
            "]}]}",
        ),
    ),
    (
        "tools",
        (
            Api::Messages,
            r#"{"messages":[],"tools":["#,
            r#"{"name":"f","description":"d","input_schema":{"type":"object"}}"#,
            "]}",
        ),
    ),
    (
        "keys",
        (
            Api::Messages,
            r#"{"messages":[],"tools":["#,
            r#"{"a b":1}"#,
            "]}",
        ),
    ),
    (
        "embedded texts",
        (Api::Embeddings, r#"{"input":["#, r#""a""#, "]}"),
    ),
];

const ANSWERS: &[(&str, Units)] = &[
    (
        "choices",
        (
            Api::Chat,
            r#"{"choices":["#,
            r#"{"message":{"content":"abc"}}"#,
            "]}",
        ),
    ),
    (
        "parts",
        (Api::Messages, r#"{"content":["#, r#"{"text":"a"}"#, "]}"),
    ),
    (
        "items",
        (
            ANSWER.0,
            ANSWER.1,
            r#"{"role":"assistant","content":"a"}"#,
            ANSWER.2,
        ),
    ),
    (
        "tool calls",
        (
            Api::Chat,
            r#"{"choices":[{"message":{"tool_calls":["#,
            r#"{"function":{"name":"f","arguments":"{\"a\":1}"}}"#,
            "]}}]}",
        ),
    ),
    (
        "numbers",
        (Api::Embeddings, r#"{"data":[{"embedding":["#, "0.1", "]}]}"),
    ),
    (
        "tokens",
        (
            Api::Chat,
            r#"{"choices":[{"logprobs":{"content":["#,
            r#"{"token":"a","top_logprobs":[{"token":"b"}]}"#,
            "]}}]}",
        ),
    ),
];

fn memory(policy: &Arc<Policy>) {
    const STREAMS: usize = 5_000;
    // All are kept to the end: memory that an earlier format gave back would hide what a later one takes.
    let mut kept = Vec::new();
    for format in formats() {
        let events: Vec<String> = deltas().into_iter().map(format.event).collect();
        let before = resident_bytes();
        let mut out = Vec::new();
        kept.extend((0..STREAMS).map(|_| {
            let mut guard = guard(&format, policy);
            for event in &events {
                let _ = guard.push(event.as_bytes(), &mut out);
                out.clear();
            }
            guard
        }));
        let each = (resident_bytes() - before) / STREAMS;
        println!(
            "{:9} {each} B resident per open stream between events",
            format.name
        );
    }
}

fn main() {
    let policy = policy("default");
    memory(&policy);
    events(&policy);
    bodies(&policy);
    histories(&policy);
    hostile(&policy);
}
