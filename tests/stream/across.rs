//! Text of an answer that is split over blocks, parts and items: read together as clients join it, whole and in streams.

use super::*;
use serde_json::Value;

const MESSAGES: Shape = SHAPES[3];

/// An access key, made here so that nobody mistakes this file for one.
fn access_key() -> String {
    ["AKIA", "IOSFODNN7", "EXAMPLE"].concat()
}

/// The parts as blocks of an answer, each in deltas of so many bytes; what stands between is given in the place of each "|".
fn blocks(parts: &[&str], size: usize) -> Vec<u8> {
    let mut out = String::new();
    let mut event = |name: &str, rest: Value| {
        let mut data = json!({"type": name});
        data.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        out.push_str(&sse(MESSAGES, name, &data.to_string()));
    };
    event(
        "message_start",
        json!({"message": {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}}),
    );
    for (index, part) in parts.iter().enumerate() {
        let (start, kind, field, text) = match part.strip_prefix('|') {
            Some(text) => (
                json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}),
                "input_json_delta",
                "partial_json",
                text,
            ),
            None => (
                json!({"type": "text", "text": ""}),
                "text_delta",
                "text",
                *part,
            ),
        };
        event(
            "content_block_start",
            json!({"index": index, "content_block": start}),
        );
        for delta in text.as_bytes().chunks(size) {
            let delta = str::from_utf8(delta).unwrap();
            event(
                "content_block_delta",
                json!({"index": index, "delta": {"type": kind, field: delta}}),
            );
        }
        event("content_block_stop", json!({"index": index}));
    }
    event(
        "message_delta",
        json!({"delta": {"stop_reason": "end_turn"}}),
    );
    event("message_stop", json!({}));
    out.into_bytes()
}

fn said(bytes: &[u8]) -> Vec<String> {
    texts(MESSAGES, bytes).into_values().collect()
}

#[test]
fn a_match_across_blocks_is_taken_out_of_each() {
    let policy = tested();
    let key = access_key();
    let long = "Well. ".repeat(120);
    let cases: [(&[&str], &[&str]); 8] = [
        (
            &[
                &format!("Use {}", &key[..8]),
                &format!("{} for it.", &key[8..]),
            ],
            &["Use [AWS_ACCESS_KEY]", "[AWS_ACCESS_KEY] for it."],
        ),
        (
            &[&key[..4], &key[4..11], &format!("{}.", &key[11..])],
            &["[AWS_ACCESS_KEY]", "[AWS_ACCESS_KEY]", "[AWS_ACCESS_KEY]."],
        ),
        (
            &[
                &format!("{long}{}", &key[..10]),
                &format!("{} {long}", &key[10..]),
            ],
            &[
                &format!("{long}[AWS_ACCESS_KEY]"),
                &format!("[AWS_ACCESS_KEY] {long}"),
            ],
        ),
        (&["A project", " bluebird."], &["A [BIRD]", "[BIRD]."]),
        // What is whole in one block is found there, whatever the next begins with.
        (&[&key, "And more."], &["[AWS_ACCESS_KEY]", "And more."]),
        (&["more", &key], &["more", "[AWS_ACCESS_KEY]"]),
        // Nothing is found in what only looks like a beginning.
        (&["AKIA", " and no more."], &["AKIA", " and no more."]),
        (&["project", " redbird"], &["project", " redbird"]),
    ];
    for (parts, expected) in cases {
        for size in [1, 5, 1000] {
            let bytes = blocks(parts, size);
            let out = run(MESSAGES, &policy, [&*bytes]);
            assert_eq!(out.summary.ending, Ending::Complete, "{parts:.20?}");
            assert_eq!(said(&out.out), *expected, "{parts:.20?} by {size}");
            let expected = (parts == expected).then_some(&bytes);
            assert!(expected.is_none_or(|bytes| *bytes == out.out));
            for chunk in [1, 7, 100] {
                let again = run(MESSAGES, &policy, bytes.chunks(chunk));
                assert_eq!(again.out, out.out, "{parts:.20?} by {size}, {chunk}");
                assert_eq!(again.summary.verdict, out.summary.verdict);
            }
        }
    }
    let bytes = blocks(&["The launch code", " 1234."], 3);
    let out = run(MESSAGES, &policy, [&*bytes]);
    assert!(matches!(out.summary.ending, Ending::Refuse(_)));
    assert!(!String::from_utf8(out.out).unwrap().contains("1234"));
}

#[test]
fn nothing_waits_across_blocks_for_long() {
    let policy = tested();
    // The end of the first block may begin a match; the tool call after it says that it does not.
    let bytes = blocks(&["It is AKIA", r#"|{"a":1}"#, "IOSFODNN"], 1000);
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut guard = guard(MESSAGES, &policy);
    let mut out = Vec::new();
    let call = text.find("event: content_block_delta").unwrap();
    let call = call + 1 + text[call + 1..].find("event: content_block_delta").unwrap();
    let after = call + text[call..].find("\n\n").unwrap() + 2;
    let _ = guard.push(&bytes[..call], &mut out);
    assert!(
        !String::from_utf8(joined(out.clone()))
            .unwrap()
            .contains("AKIA")
    );
    let _ = guard.push(&bytes[call..after], &mut out);
    assert_eq!(joined(out.clone()), bytes[..after]);
    let _ = guard.push(&bytes[after..], &mut out);
    guard.finish(End::Complete, &mut out);
    assert_eq!(joined(out), bytes);
}

#[test]
fn a_match_across_items_of_a_stream_that_repeats_them_refuses_it() {
    let policy = tested();
    let key = access_key();
    let (left, right) = key.split_at(9);
    for size in [1, 6, 100] {
        let mut deltas: Vec<Delta<'_>> = Vec::new();
        for (choice, text) in [(0, left), (2, right)] {
            let pieces = text.as_bytes().chunks(size);
            deltas.extend(pieces.map(|piece| (choice, str::from_utf8(piece).unwrap())));
        }
        let bytes = stream(RESPONSES, &deltas, escaped);
        let out = run(RESPONSES, &policy, bytes.chunks(11));
        assert!(matches!(out.summary.ending, Ending::Refuse(_)), "{size}");
        let out = String::from_utf8(out.out).unwrap();
        assert!(!out.contains(right) && !out.contains(left), "{out}");
    }
    let deltas = [(0, "It is AKIA"), (2, " and no more")];
    let bytes = stream(RESPONSES, &deltas, plain);
    assert_eq!(run(RESPONSES, &policy, [&*bytes]).out, bytes);
}

/// Whole answers with two texts each.
fn answers(left: &str, right: &str) -> Vec<(Api, Value)> {
    let texts = |kind: &str| json!([{"type": kind, "text": left}, {"type": kind, "text": right}]);
    let output = |text: &str| json!({"type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]});
    vec![
        (
            Api::Chat,
            json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": texts("text")}}]}),
        ),
        (
            Api::Messages,
            json!({"type": "message", "role": "assistant", "content": texts("text")}),
        ),
        (
            Api::Responses,
            json!({"object": "response", "status": "completed", "output": [{"type": "message", "role": "assistant", "content": texts("output_text")}]}),
        ),
        (
            Api::Responses,
            json!({"object": "response", "status": "completed", "output": [output(left), output(right)]}),
        ),
        (
            Api::Gemini,
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": left}, {"text": right}]}}]}),
        ),
        (
            Api::Gemini,
            json!([{"candidates": [{"content": {"role": "model", "parts": [{"text": left}]}}]}, {"candidates": [{"content": {"role": "model", "parts": [{"text": right}]}}]}]),
        ),
    ]
}

#[test]
fn a_match_across_texts_of_a_whole_answer_is_taken_out_of_each() {
    let policy = tested();
    let key = access_key();
    let (left, right) = (format!("Use {}", &key[..8]), format!("{} now.", &key[8..]));
    let wanted = answers("Use [AWS_ACCESS_KEY]", "[AWS_ACCESS_KEY] now.");
    let refused = answers("The launch code", "1234");
    let clean = answers("It is AKIA", "and no more");
    let all = answers(&left, &right)
        .into_iter()
        .zip(wanted)
        .zip(refused)
        .zip(clean);
    for ((((api, body), (_, wanted)), (_, refused)), (_, clean)) in all {
        let inspected = |body: &Value| {
            let (context, limits) = (Context::default(), Limits::default());
            inspect_response(context, api, body.to_string().into(), &policy, &limits).outcome
        };
        let Outcome::Clear(out) = inspected(&body) else {
            panic!("{api:?}");
        };
        assert_eq!(out.into_bytes(), wanted.to_string(), "{api:?}");
        assert!(matches!(inspected(&refused), Outcome::Refuse(_)), "{api:?}");
        let Outcome::Clear(out) = inspected(&clean) else {
            panic!("{api:?}");
        };
        assert_eq!(out.into_bytes(), clean.to_string(), "{api:?}");
    }
}

#[test]
fn several_answers_are_not_read_as_one() {
    let policy = tested();
    let key = access_key();
    let (left, right) = key.split_at(8);
    let chat = json!({"choices": [{"index": 0, "message": {"content": left}}, {"index": 1, "message": {"content": right}}]});
    let gemini = json!({"candidates": [{"content": {"parts": [{"text": left}]}}, {"content": {"parts": [{"text": right}]}}]});
    for (api, body) in [(Api::Chat, chat), (Api::Gemini, gemini)] {
        let (context, limits) = (Context::default(), Limits::default());
        let body = body.to_string();
        let outcome = inspect_response(context, api, body.clone().into(), &policy, &limits).outcome;
        let Outcome::Clear(out) = outcome else {
            panic!("{api:?}");
        };
        assert_eq!(out.into_bytes(), body, "{api:?}");
    }
}

#[test]
fn texts_that_are_open_together_or_come_whole_are_read_together() {
    let policy = tested();
    let key = access_key();
    let (left, right) = key.split_at(9);
    let delta = |index: u32, kind: &str, text: &str| {
        let mut delta = json!({"type": format!("{kind}_delta")});
        delta[kind] = json!(text);
        let data = json!({"type": "content_block_delta", "index": index, "delta": delta});
        sse(MESSAGES, "content_block_delta", &data.to_string())
    };
    let end = sse(MESSAGES, "message_stop", r#"{"type":"message_stop"}"#);
    for kind in ["text", "thinking"] {
        let bytes = [delta(0, kind, left), delta(1, kind, right), end.clone()].concat();
        let out = run(MESSAGES, &policy, [bytes.as_bytes()]);
        let expected = ["[AWS_ACCESS_KEY]", "[AWS_ACCESS_KEY]"];
        assert_eq!(said(&out.out), expected, "{kind}");
    }
    let bytes = [delta(0, "text", left), delta(1, "thinking", right), end].concat();
    assert_eq!(
        run(MESSAGES, &policy, [bytes.as_bytes()]).out,
        bytes.as_bytes()
    );
    let part = |text: &str| json!({"type": "output_text", "text": text});
    let output = |left: &str, right: &str| {
        let item = json!({"type": "message", "content": [part(left), part(right)]});
        json!({"type": "response.completed", "response": {"id": "r", "output": [item]}}).to_string()
    };
    let bytes = sse(RESPONSES, "response.completed", &output(left, right));
    let out = run(RESPONSES, &policy, [bytes.as_bytes(), bytes.as_bytes()]);
    let wanted = output("[AWS_ACCESS_KEY]", "[AWS_ACCESS_KEY]");
    let wanted = sse(RESPONSES, "response.completed", &wanted).repeat(2);
    assert_eq!(out.out, wanted.as_bytes());
}
