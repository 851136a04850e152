//! Stream modes, held arguments and replaced answers.

use super::*;

const MODES: [&str; 5] = [
    "stream: {mode: buffer}",
    "stream: {mode: window, window_chars: 16, overlap_chars: 0}",
    "stream: {mode: window, window_chars: 40, overlap_chars: 20}",
    "tools: {hold_arguments: true}",
    "stream: {mode: window}\ntools: {hold_arguments: true}",
];

#[test]
fn every_mode_gives_the_same_bytes_in_the_end() {
    let holdback = policy(POLICY);
    for mode in MODES {
        let moded = policy(&format!("{mode}\n{POLICY}"));
        for (shape, bytes) in streams() {
            let expected = run(shape, &holdback, [bytes.as_slice()]);
            assert_same(
                shape,
                &run(shape, &moded, bytes.chunks(13)),
                &expected,
                mode,
            );
        }
    }
}

/// Each action in each mode: the same verdict and the same end as in `holdback`, and what counts never leaves, however the text is dealt out.
#[test]
fn every_action_does_the_same_in_every_mode() {
    for action in ["log", "redact", "replace", "block"] {
        let topic = format!(
            "topics:\n  - {{id: word, pattern: 'bluebird-[0-9]{{4}}', action: {action}, message: No.}}\n"
        );
        let holdback = policy(&topic);
        for mode in MODES {
            let moded = policy(&format!("{mode}\n{topic}"));
            for shape in SHAPES {
                for size in [1, 4, 100] {
                    let text = "It is bluebird-1234, and that is that: nothing more is to be said of birds.";
                    let deltas: Vec<(u32, &str)> = text
                        .as_bytes()
                        .chunks(size)
                        .map(|part| (0, str::from_utf8(part).unwrap()))
                        .collect();
                    let bytes = stream(shape, &deltas, plain);
                    let expected = run(shape, &holdback, [bytes.as_slice()]);
                    let moded = run(shape, &moded, bytes.chunks(11));
                    let known = |run: &Run| {
                        format!("{:?} {:?}", run.summary.verdict.rules, run.summary.ending)
                    };
                    assert_eq!(
                        known(&moded),
                        known(&expected),
                        "{mode} {action} {shape:?} {size}"
                    );
                    let out = String::from_utf8(moded.out.clone()).unwrap();
                    let said: String = texts(shape, &moded.out).into_values().collect();
                    let passes = action == "log";
                    assert_eq!(
                        out == String::from_utf8(bytes).unwrap(),
                        passes,
                        "{mode} {action} {out}"
                    );
                    assert_eq!(said.contains("bird-"), passes, "{mode} {action} {said}");
                    assert_eq!(
                        said.contains("It is [WORD], and"),
                        action == "redact",
                        "{mode} {said}"
                    );
                }
            }
        }
    }
}

/// What has left after each piece of a stream.
fn left(shape: Shape, policy: &Arc<Policy>, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut guard = guard(shape, policy);
    let mut out = Vec::new();
    bytes
        .chunks(8)
        .map(|chunk| {
            let _ = guard.push(chunk, &mut out);
            joined(out.clone())
        })
        .collect()
}

#[test]
fn a_buffered_answer_leaves_at_its_end() {
    let buffer = policy(&format!("stream: {{mode: buffer}}\n{POLICY}"));
    let bytes = stream(CHAT, &[(0, "one"), (0, " two"), (1, "three")], plain);
    let left = left(CHAT, &buffer, &bytes);
    let (last, before) = left.split_last().unwrap();
    assert!(before.iter().all(Vec::is_empty));
    assert_eq!(*last, bytes);
    let mut guard = guard(CHAT, &buffer);
    let mut out = Vec::new();
    assert_eq!(guard.keep_alive(), None, "nothing waits yet");
    let _ = guard.push(&bytes[..bytes.len() - 20], &mut out);
    let comment = guard.keep_alive().unwrap().into_bytes();
    assert!(comment.starts_with(b":") && comment.ends_with(b"\n\n"));
    guard.finish(End::Break, &mut out);
    let out = String::from_utf8(joined(out)).unwrap();
    assert!(!out.contains("one") && out.contains("error"), "{out}");
}

#[test]
fn a_buffer_is_bounded() {
    for (on_error, complete) in [("block", false), ("allow", true)] {
        let text =
            format!("on_error: {on_error}\nstream: {{mode: buffer, buffer_bytes: 4KiB}}\n{POLICY}");
        let long = "x".repeat(9_000);
        let bytes = stream(CHAT, &[(0, &long), (0, "y")], plain);
        let run = run(CHAT, &policy(&text), bytes.chunks(100));
        assert_eq!(
            run.summary.ending == Ending::Complete,
            complete,
            "{on_error}"
        );
        assert_eq!(run.out == bytes, complete);
    }
}

#[test]
fn windows_leave_one_by_one() {
    let windows = policy(&format!(
        "stream: {{mode: window, window_chars: 20, overlap_chars: 5}}\n{POLICY}"
    ));
    let words = "abcd ".repeat(9);
    let deltas: Vec<Delta<'_>> = words
        .as_bytes()
        .chunks(5)
        .map(|word| (0, str::from_utf8(word).unwrap()))
        .collect();
    let bytes = stream(CHAT, &deltas, plain);
    let mut seen: Vec<usize> = left(CHAT, &windows, &bytes)
        .iter()
        .map(|out| texts(CHAT, out).values().map(String::len).sum())
        .collect();
    seen.dedup();
    assert_eq!(seen, [0, 15, 30, 45]);
}

#[test]
fn arguments_leave_when_they_are_complete() {
    let held = policy(&format!("tools: {{hold_arguments: true}}\n{POLICY}"));
    for shape in [CHAT, SHAPES[3]] {
        let bytes = stream(shape, &[(0, "hi"), (9, r#"{"a": 1"#), (9, "2}")], plain);
        for out in left(shape, &held, &bytes) {
            let texts = texts(shape, &out);
            let mut arguments = texts
                .iter()
                .filter(|(lane, _)| lane.field == Field::ToolArguments);
            assert!(
                arguments.all(|(_, text)| text.is_empty()
                    || text == r#"{"a": 1"#
                    || text == r#"{"a": 12}"#),
                "{texts:?}"
            );
        }
        let mut sizes: Vec<usize> = left(shape, &held, &bytes)
            .iter()
            .map(|out| {
                let texts = texts(shape, out);
                let arguments = texts
                    .iter()
                    .filter(|(lane, _)| lane.field == Field::ToolArguments);
                arguments.map(|(_, text)| text.len()).sum()
            })
            .collect();
        sizes.dedup();
        assert_eq!(sizes, [0, 9], "{shape:?}");
    }
}

const REPLACE: &str = "message: base\ntopics:\n  - {id: rude, pattern: 'darn it', action: replace, message: Let us stay polite.}\n";

#[test]
fn a_replaced_answer_ends_in_the_message() {
    let policy = policy(REPLACE);
    for shape in SHAPES {
        let bytes = stream(
            shape,
            &[
                (0, "Well "),
                (1, "other"),
                (0, "da"),
                (0, "rn it all"),
                (1, " choice"),
            ],
            plain,
        );
        let whole = run(shape, &policy, [bytes.as_slice()]);
        assert_eq!(whole.summary.verdict.action, Action::Replace);
        assert!(matches!(&whole.summary.ending, Ending::Refuse(refused) if refused.replace));
        let out = String::from_utf8(whole.out.clone()).unwrap();
        let finish = match shape.api {
            Api::Messages => "refusal",
            Api::Gemini => "SAFETY",
            _ => "content_filter",
        };
        assert!(
            out.contains(finish) && !out.contains("\"error\":{"),
            "{out}"
        );
        assert!(!out.contains("rn it"), "{out}");
        let texts = texts(shape, &whole.out);
        let said: String = texts.values().cloned().collect();
        assert!(
            said.contains("Well ") && said.contains("Let us stay polite."),
            "{said}"
        );
        for size in [1, 2, 3, 7, 50] {
            assert_same(
                shape,
                &run(shape, &policy, bytes.chunks(size)),
                &whole,
                "by size",
            );
        }
    }
}

#[test]
fn a_refused_stream_says_the_message_where_the_policy_wants_it() {
    let policy = policy(&format!("respond: message\n{POLICY}"));
    for shape in SHAPES {
        let bytes = stream(shape, &[(0, "The launch code 1234 is")], plain);
        let run = run(shape, &policy, bytes.chunks(5));
        let out = String::from_utf8(run.out.clone()).unwrap();
        assert!(
            !out.contains("\"error\":{") && out.contains("Not that."),
            "{out}"
        );
        let said: String = texts(shape, &run.out).into_values().collect();
        assert_eq!(said, "Not that.");
    }
}

#[test]
fn whole_bodies_are_replaced_by_segment_or_answer() {
    let policy = policy(REPLACE);
    let body = r#"{"model": "m", "messages": [{"role": "user", "content": "darn it, now"}, {"role": "user", "content": "fine"}, {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\": \"darn it\"}"}}]}]}"#;
    let inspection = inspect_request(
        Context::default(),
        Api::Chat,
        Bytes::from(body),
        &policy,
        &Limits::default(),
    );
    let Outcome::Clear(cleared) = inspection.outcome else {
        panic!("{:?}", inspection.outcome)
    };
    let expected = body
        .replacen("darn it, now", "Let us stay polite.", 1)
        .replace(
            r#"{\"a\": \"darn it\"}"#,
            r#"{\"message\":\"Let us stay polite.\"}"#,
        );
    assert_eq!(str::from_utf8(&cleared.into_bytes()).unwrap(), expected);
    let body = r#"{"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "darn it"}, "finish_reason": "stop"}]}"#;
    let inspection = inspect_response(
        Context::default(),
        Api::Chat,
        Bytes::from(body),
        &policy,
        &Limits::default(),
    );
    let Outcome::Refuse(refused) = inspection.outcome else {
        panic!("{:?}", inspection.outcome)
    };
    let refusal = refused.refusal(&policy, "req-1");
    assert_eq!(refusal.status(Api::Chat), 200);
    let answer = Cleared::refusal(Api::Chat, &refusal, Some("m")).into_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "Let us stay polite."
    );
    let text = inspect_text(
        Context::default(),
        Direction::Response,
        Bytes::from("so darn it"),
        &policy,
    );
    let Outcome::Clear(cleared) = text.outcome else {
        panic!("{:?}", text.outcome)
    };
    assert_eq!(cleared.into_bytes(), "Let us stay polite.");
}
