//! Streams that clients may put together in different ways: what is scanned is what each of them reads, or nothing leaves.

use super::*;
use serde_json::Value;

const COMPLETIONS: Shape = SHAPES[2];
const MESSAGES: Shape = SHAPES[3];
const GEMINI: Shape = SHAPES[4];

fn chat(index: &Value, text: &str) -> Value {
    json!({"choices": [{"index": index, "delta": {"content": text}}]})
}

fn unnumbered(text: &str) -> Value {
    json!({"choices": [{"delta": {"content": text}}]})
}

fn call(index: &Value, text: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, "function": {"arguments": text}}]}}]})
}

fn block(index: &Value, text: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}})
}

fn candidate(index: &Value, text: &str) -> Value {
    json!({"candidates": [{"index": index, "content": {"parts": [{"text": text}]}}]})
}

fn item(id: &str, output: &Value, part: &Value, text: &str) -> Value {
    json!({"type": "response.output_text.delta", "item_id": id, "output_index": output, "content_index": part, "delta": text})
}

/// What became of a stream of these events, for a request that asked for so many choices.
fn read(shape: Shape, choices: Option<u32>, events: &[Value]) -> (String, Ending) {
    let exchange = Exchange {
        choices,
        ..Exchange::default()
    };
    let limits = Limits::default();
    let (api, framing) = (shape.api, shape.framing);
    let mut guard = StreamGuard::new(api, framing, tested(), &limits, exchange);
    let mut out = Vec::new();
    for event in events {
        let written = match framing {
            Framing::Messages => event.to_string(),
            _ => sse(shape, "", &event.to_string()),
        };
        let _ = guard.push(written.as_bytes(), &mut out);
    }
    let ending = guard.summary().ending;
    (String::from_utf8(joined(out)).unwrap(), ending)
}

#[test]
fn an_index_that_readers_take_differently_ends_the_stream() {
    let zero = json!(0);
    for odd in [
        json!(4_294_967_296_u64),
        json!(65_536),
        json!(-1),
        json!(0.5),
        json!("z"),
        json!([0]),
    ] {
        for (shape, events) in [
            (CHAT, [chat(&zero, "zk-1"), chat(&odd, "zz ")]),
            (CHAT, [call(&zero, "zk-1"), call(&odd, "zz ")]),
            (
                COMPLETIONS,
                [&zero, &odd].map(|index| json!({"choices": [{"index": index, "text": "zk-1"}]})),
            ),
            (MESSAGES, [block(&zero, "zk-1"), block(&odd, "zz ")]),
            (GEMINI, [candidate(&zero, "zk-1"), candidate(&odd, "zz ")]),
            (
                RESPONSES,
                [
                    item("a", &zero, &zero, "zk-1"),
                    item("a", &zero, &odd, "zz "),
                ],
            ),
            (
                RESPONSES,
                [
                    item("a", &zero, &zero, "zk-1"),
                    item("a", &odd, &zero, "zz "),
                ],
            ),
            (
                REALTIME,
                [
                    item("a", &zero, &zero, "zk-1"),
                    item("a", &zero, &odd, "zz "),
                ],
            ),
        ] {
            let (out, ending) = read(shape, None, &events);
            assert!(
                matches!(ending, Ending::Fail(Failure::Malformed(_))),
                "{events:?}: {ending:?}"
            );
            assert!(!out.contains("zz "), "{out}");
        }
    }
}

const REALTIME: Shape = Shape {
    api: Api::Realtime,
    framing: Framing::Messages,
    line_end: "\n",
};

/// Streams whose numbers lead readers apart, for requests that asked for so many choices.
fn misnumbered() -> Vec<(Shape, Option<u32>, Vec<Value>)> {
    let (zero, one) = (json!(0), json!(1));
    let twice = json!({"choices": [{"index": 0, "delta": {"content": "zk-1"}}, {"index": 0, "delta": {"content": "zz "}}]});
    let candidates = json!({"candidates": [{"content": {"parts": [{"text": "zk-1"}]}}, {"index": 0, "content": {"parts": [{"text": "zz "}]}}]});
    vec![
        (CHAT, None, vec![twice]),
        (GEMINI, None, vec![candidates]),
        (CHAT, None, vec![chat(&zero, "zk-1"), unnumbered("zz ")]),
        (CHAT, None, vec![unnumbered("zk-1"), chat(&zero, "zz ")]),
        (
            CHAT,
            None,
            vec![call(&zero, "zk-1"), call(&Value::Null, "zz ")],
        ),
        (
            MESSAGES,
            None,
            vec![block(&zero, "zk-1"), block(&Value::Null, "zz ")],
        ),
        (CHAT, Some(1), vec![chat(&zero, "zk-1"), chat(&one, "zz ")]),
        (
            COMPLETIONS,
            Some(1),
            vec![json!({"choices": [{"index": 1, "text": "zz "}]})],
        ),
        (
            GEMINI,
            Some(2),
            vec![candidate(&zero, "zk-1"), candidate(&json!(2), "zz ")],
        ),
        (
            RESPONSES,
            None,
            vec![
                item("a", &zero, &zero, "zk-1"),
                item("a", &one, &zero, "zz "),
            ],
        ),
        (
            RESPONSES,
            None,
            vec![
                item("a", &zero, &zero, "zk-1"),
                item("b", &zero, &zero, "x"),
                item("a", &zero, &zero, "zz "),
            ],
        ),
        (
            REALTIME,
            None,
            vec![
                item("a", &zero, &zero, "zk-1"),
                item("a", &one, &zero, "zz "),
            ],
        ),
    ]
}

/// A stream that clients may read differently ends before its last text.
fn is_refused(shape: Shape, choices: Option<u32>, events: &[Value]) {
    let (out, ending) = read(shape, choices, events);
    let failed = matches!(
        ending,
        Ending::Fail(Failure::Malformed(_) | Failure::Numbered(_))
    );
    assert!(failed, "{events:?}: {ending:?}");
    assert!(!out.contains("zz "), "{out}");
}

#[test]
fn numbers_that_lead_readers_apart_end_the_stream() {
    for (shape, choices, events) in misnumbered() {
        is_refused(shape, choices, &events);
    }
}

#[test]
fn streams_that_are_read_in_one_way_go_on() {
    let (zero, one) = (json!(0), json!(1));
    for (shape, choices, events) in [
        (
            CHAT,
            Some(2),
            vec![
                chat(&zero, "a "),
                chat(&one, "b "),
                chat(&zero, "c "),
                json!({"choices": []}),
            ],
        ),
        (CHAT, Some(1), vec![unnumbered("a "), unnumbered("b ")]),
        (
            CHAT,
            Some(1),
            vec![chat(&Value::Null, "a "), unnumbered("b ")],
        ),
        (
            GEMINI,
            Some(1),
            vec![candidate(&zero, "a "), candidate(&Value::Null, "b ")],
        ),
        (
            RESPONSES,
            None,
            vec![
                item("a", &zero, &zero, "a "),
                item("b", &zero, &zero, "b "),
                item("c", &zero, &zero, "c "),
            ],
        ),
        (
            RESPONSES,
            None,
            vec![
                item("a", &zero, &zero, "a "),
                item("b", &one, &zero, "b "),
                item("a", &zero, &one, "c "),
            ],
        ),
        (
            RESPONSES,
            None,
            vec![item("", &zero, &zero, "a "), item("", &one, &zero, "b ")],
        ),
        (
            REALTIME,
            None,
            vec![item("a", &zero, &zero, "a "), item("b", &one, &zero, "b ")],
        ),
    ] {
        let (_, ending) = read(shape, choices, &events);
        assert_eq!(ending, Ending::Open, "{events:?}");
    }
}

#[test]
fn lines_that_some_readers_take_for_data_end_the_stream() {
    let json = r#"{"candidates":[{"content":{"parts":[{"text":"zk-1"}]}}]}"#;
    for line in [
        json.to_owned(),
        format!("  {json}"),
        format!("[{json}]"),
        format!(" data: {json}"),
        format!("data : {json}"),
        format!("DATA: {json}"),
        format!("\u{feff}data: {json}"),
        format!("\u{200b}data: {json}"),
        format!(": x\u{b}data: {json}"),
        format!(": x\u{85}data: {json}"),
        format!("id: x\u{2028}{json}"),
        format!("event: x\u{1d}data: {json}"),
        format!("retry: 1\u{c}data: {json}"),
    ] {
        for shape in [CHAT, GEMINI] {
            let bytes = format!("data: {{}}\n\n{line}\n\n");
            let run = run(shape, &tested(), [bytes.as_bytes()]);
            assert_eq!(run.summary.ending, Ending::Fail(Failure::Posing), "{line}");
            assert!(!String::from_utf8_lossy(&run.out).contains("zk-1"));
        }
    }
    let ordinary =
        ": {\"waiting\": 1}\nid: 7\nevent: x\nretry: 10\nnote: data follows\ndata: [DONE]\n\n";
    let run = run(CHAT, &tested(), [ordinary.as_bytes()]);
    assert_eq!(
        (run.summary.ending, run.out),
        (Ending::Complete, ordinary.as_bytes().to_vec())
    );
}

#[test]
fn fields_that_the_standard_does_not_have_are_refused_where_the_policy_says_so() {
    let policy = policy("unknown: block\n");
    let refused = run(CHAT, &policy, [&b"note: x\ndata: [DONE]\n\n"[..]]);
    assert_eq!(refused.summary.ending, Ending::Fail(Failure::Unknown));
    let known = run(
        CHAT,
        &policy,
        [&b": x\nid: 1\nevent: x\nretry: 1\ndata: [DONE]\n\n"[..]],
    );
    assert_eq!(known.summary.ending, Ending::Complete);
}

fn block_delta(kind: &str, delta: &Value) -> Value {
    json!({"type": kind, "index": 0, "delta": delta})
}

fn content_part(part: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": [part]}}]})
}

fn thought(thought: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": [{"text": "zz ", "thought": thought}]}}]})
}

/// Streams with a text that goes by its type for some readers only.
fn mistyped() -> Vec<(Shape, Vec<Value>)> {
    let start = |index: u32, block: &Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let text = json!({"type": "text", "text": ""});
    vec![
        (
            MESSAGES,
            vec![block_delta(
                "content_block_delta",
                &json!({"type": "signature_delta", "text": "zz "}),
            )],
        ),
        (
            MESSAGES,
            vec![block_delta(
                "content_block_delta",
                &json!({"type": "text_delta", "thinking": "zz "}),
            )],
        ),
        (
            MESSAGES,
            vec![block_delta(
                "content_block_delta",
                &json!({"type": "odd", "partial_json": "zz "}),
            )],
        ),
        (
            MESSAGES,
            vec![block_delta("content_block_delta", &json!({"text": "zz "}))],
        ),
        (
            MESSAGES,
            vec![block_delta(
                "ping",
                &json!({"type": "text_delta", "text": "zz "}),
            )],
        ),
        (
            MESSAGES,
            vec![block_delta(
                "message_delta",
                &json!({"type": "text_delta", "text": "zz "}),
            )],
        ),
        (
            MESSAGES,
            vec![start(0, &json!({"type": "text", "thinking": "zz "}))],
        ),
        (MESSAGES, vec![start(0, &text), start(0, &text)]),
        (
            CHAT,
            vec![content_part(&json!({"type": "odd", "text": "zz "}))],
        ),
        (CHAT, vec![content_part(&json!({"text": "zz "}))]),
        (GEMINI, vec![thought(&json!(1))]),
        (GEMINI, vec![thought(&json!("true"))]),
    ]
}

#[test]
fn texts_that_only_some_readers_read_end_the_stream() {
    for (shape, events) in mistyped() {
        is_refused(shape, None, &events);
    }
    let known = [
        (
            MESSAGES,
            block_delta(
                "content_block_delta",
                &json!({"type": "new_delta", "note": "words "}),
            ),
        ),
        (
            MESSAGES,
            block_delta(
                "message_delta",
                &json!({"stop_reason": "end_turn", "stop_sequence": null}),
            ),
        ),
        (
            CHAT,
            content_part(
                &json!({"type": "thinking", "thinking": [{"type": "text", "text": "words "}]}),
            ),
        ),
        (GEMINI, thought(&json!(false))),
    ];
    for (shape, event) in known {
        let (_, ending) = read(shape, None, std::slice::from_ref(&event));
        assert_eq!(ending, Ending::Open, "{event}");
    }
}

#[test]
fn events_are_named_after_what_they_are_or_none_is() {
    let text = block(&json!(0), "zk-1").to_string();
    let (chat, gemini) = (
        chat(&json!(0), "zk-1").to_string(),
        candidate(&json!(0), "zk-1").to_string(),
    );
    let item = item("a", &json!(0), &json!(0), "zk-1").to_string();
    let (block, delta) = ("content_block_delta", "response.output_text.delta");
    for (shape, first, second, data) in [
        (MESSAGES, block, "ping", &text),
        (MESSAGES, block, "", &text),
        (MESSAGES, "", block, &text),
        (RESPONSES, delta, "response.refusal.delta", &item),
        (CHAT, "", "ping", &chat),
        (GEMINI, "ping", "message", &gemini),
    ] {
        let bytes = [sse(shape, first, data), sse(shape, second, data)].concat();
        let run = run(shape, &tested(), [bytes.as_bytes()]);
        assert!(
            matches!(run.summary.ending, Ending::Fail(Failure::Numbered(_))),
            "{first} {second}: {:?}",
            run.summary.ending
        );
        // The same without one of the two is read.
        let same = sse(shape, first, data).repeat(2);
        let run = self::run(shape, &tested(), [same.as_bytes()]);
        assert!(
            matches!(run.summary.ending, Ending::Break),
            "{:?}",
            run.summary.ending
        );
    }
}

/// Pieces of text and a decoy between them, as a stream in bytes.
#[test]
fn events_with_text_are_all_written_alike() {
    let (data, decoy) = (
        chat(&json!(0), "zk-1").to_string(),
        chat(&json!(0), "zz ").to_string(),
    );
    let (left, right) = decoy.split_once(',').unwrap_or((&decoy, ""));
    for second in [
        format!(": x\rdata: {decoy}\n\n"),
        format!("data:{decoy}\n\n"),
        format!("data: {left},\ndata: {right}\n\n"),
        format!("data: {decoy}\nevent: message\n\n"),
    ] {
        let bytes = format!("data: {data}\n\n{second}");
        let run = run(CHAT, &tested(), [bytes.as_bytes()]);
        let failed = matches!(run.summary.ending, Ending::Fail(Failure::Numbered(_)));
        assert!(failed, "{second}: {:?}", run.summary.ending);
    }
    let names = format!("event: chunk\ndata: {data}\n\nevent: thread.x\ndata: {decoy}\n\n");
    let run = run(CHAT, &tested(), [names.as_bytes()]);
    assert!(matches!(
        run.summary.ending,
        Ending::Fail(Failure::Numbered(_))
    ));
}

#[test]
fn text_is_a_string_wherever_it_goes_on() {
    let zero = json!(0);
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let listed = |kind: &str, name: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": kind, name: ["zz "]}});
    let unnamed = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "zz "});
    let older = json!({"type": "response.text.delta", "response_id": "r", "item_id": "a", "output_index": 0, "content_index": 0, "delta": "zz "});
    let newer = json!({"type": "response.output_text.delta", "response_id": "r", "item_id": "a", "output_index": 0, "content_index": 0, "delta": "x"});
    for (shape, events) in [
        (CHAT, vec![delta(json!({"content": ["zz "]}))]),
        (
            CHAT,
            vec![
                chat(&zero, "x"),
                delta(json!({"content": [{"type": "text", "text": "zz "}]})),
            ],
        ),
        (CHAT, vec![delta(json!({"reasoning": ["zz "]}))]),
        (
            COMPLETIONS,
            vec![json!({"choices": [{"index": 0, "text": ["zz "]}]})],
        ),
        (MESSAGES, vec![listed("text_delta", "text")]),
        (MESSAGES, vec![listed("thinking_delta", "thinking")]),
        (
            GEMINI,
            vec![json!({"candidates": [{"content": {"parts": [{"text": ["zz "]}]}}]})],
        ),
        (RESPONSES, vec![item("a", &zero, &zero, "x"), unnamed]),
        (REALTIME, vec![newer, older]),
    ] {
        is_refused(shape, None, &events);
    }
}

#[test]
fn streams_as_servers_write_them_go_on() {
    let (zero, one) = (json!(0), json!(1));
    let truncated = json!({"type": "conversation.item.truncated", "item_id": "a", "content_index": 0, "audio_end_ms": 100});
    let second = json!({"candidates": [{"index": 1, "content": {"parts": [{"text": "x "}]}}, {"content": {"parts": [{"text": "y "}]}}]});
    let reasoning = json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs", "output_index": 0, "summary_index": 0, "delta": "x "});
    // LiteLLM gives the item with the answer the number of the one that was thought.
    let thought = json!({"type": "response.output_item.done", "output_index": 0, "item": {"id": "rs", "type": "reasoning", "summary": []}});
    let last = json!({"choices": [{"delta": {}, "finish_reason": null}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    let thinking = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "x ", "signature": "ab"}});
    let start = |index: u32| json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}});
    for (shape, events) in [
        (
            REALTIME,
            vec![
                item("a", &zero, &zero, "x "),
                truncated,
                item("b", &one, &zero, "y "),
            ],
        ),
        (GEMINI, vec![second]),
        (
            RESPONSES,
            vec![reasoning.clone(), thought, item("msg", &zero, &zero, "x ")],
        ),
        (
            RESPONSES,
            vec![
                item("msg", &zero, &zero, "x "),
                reasoning,
                item("msg", &zero, &zero, "y "),
            ],
        ),
        (CHAT, vec![chat(&zero, "x "), last]),
        (MESSAGES, vec![start(1), start(0), thinking]),
    ] {
        let (_, ending) = read(shape, None, &events);
        assert_eq!(ending, Ending::Open, "{events:?}");
    }
}
