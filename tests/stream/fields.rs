//! Every text of a stream is read on by itself, wherever it stands, beside whatever else its events say.

use super::*;
use serde_json::Value;

const TEXT: &str = "see zk-1234567 ok";

/// What a client reads that joins the strings at this place of each event.
fn read(shape: Shape, out: &[u8], place: &str) -> String {
    let mut splitter = Splitter::new(shape.framing);
    splitter.push(out);
    let mut said = String::new();
    while let Ok(Some(raw)) = splitter.next() {
        let data: Option<Value> = serde_json::from_slice(raw.data().unwrap_or_default()).ok();
        let text = data.as_ref().and_then(|data| data.pointer(place)?.as_str());
        said.push_str(text.unwrap_or_default());
    }
    said
}

/// The text in pieces, each in an event with `place` for it and `beside` around it.
fn written(shape: Shape, place: &str, beside: &Value) -> Vec<u8> {
    let mut out = String::new();
    for piece in TEXT.as_bytes().chunks(3) {
        let piece = str::from_utf8(piece).unwrap();
        let mut event = beside.clone();
        *event.pointer_mut(place).unwrap() = json!(piece);
        out.push_str(&sse(shape, "", &event.to_string()));
    }
    out.push_str(&match shape.api {
        Api::Gemini => sse(shape, "", r#"{"candidates":[{"finishReason":"STOP"}]}"#),
        _ => sse(shape, "", "[DONE]"),
    });
    out.into_bytes()
}

/// Events with `x` wherever a text may be.
fn events() -> Vec<(Shape, Value)> {
    let (completions, gemini) = (SHAPES[2], SHAPES[4]);
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let said = delta(
        json!({"role": "x", "content": "x", "reasoning": "x", "reasoning_content": "x", "refusal": "x",
        "reasoning_details": [{"index": 0, "text": "x", "summary": "x", "data": "x"}], "one": "x", "two": {"a": "x", "b": ["x"]},
        "annotations": [{"index": 0, "url_citation": {"title": "x", "url": "x"}}], "audio": {"transcript": "x"},
        "tool_calls": [{"index": 0, "kind": "x", "function": {"name": "x", "arguments": "x", "input": "x", "more": "x"}}]}),
    );
    let parts = delta(
        json!({"content": [{"type": "text", "text": "x", "refusal": "x", "thinking": "x", "odd": "x"}]}),
    );
    let probable = json!({"choices": [{"index": 0, "delta": {}, "logprobs": {
        "content": [{"token": "x", "odd": "x", "top_logprobs": [{"token": "x"}]}], "refusal": [{"token": "x"}]}}]});
    let odd = json!({"content": "x", "text": "x", "choices": [{"index": 0, "text": "x", "more": {"text": "x"}, "delta": "x"}]});
    let whole =
        json!({"choices": [{"index": 0, "message": {"content": "x", "reasoning_content": "x"}}]});
    let completion = json!({"content": "x", "choices": [{"index": 0, "text": "x", "reasoning": "x", "reasoning_content": "x",
        "delta": {"content": "x"}}]});
    let part = json!({"candidates": [{"index": 0, "content": {"parts": [{"text": "x", "odd": "x", "more": {"a": "x"}}]}}]});
    vec![
        (CHAT, said),
        (CHAT, parts),
        (CHAT, probable),
        (CHAT, odd),
        (CHAT, whole),
        (
            CHAT,
            json!([{"choices": [{"delta": {"content": "x", "a": "x"}}]}]),
        ),
        (
            CHAT,
            json!({"choices": {"0": {"delta": {"content": "x"}}, "1": "x"}}),
        ),
        (
            gemini,
            json!({"response": {"text": "x"}, "candidates": {"content": {"parts": [{"text": "x"}]}}}),
        ),
        (
            gemini,
            json!({"candidates": [{"content": [{"parts": [{"text": "x"}]}], "output": "x"}]}),
        ),
        (completions, completion),
        (gemini, part),
    ]
}

#[test]
fn texts_beside_each_other_do_not_hide_each_other() {
    let policy = tested();
    for (shape, event) in events() {
        let mut places = Vec::new();
        strings(&event, &mut String::new(), &mut places);
        assert!(places.len() > 1, "{event}");
        for place in places {
            let bytes = written(shape, &place, &event);
            assert_eq!(read(shape, &bytes, &place), TEXT);
            let run = run(shape, &policy, [bytes.as_slice()]);
            // Google's streams end with the last candidate, which these may not have.
            if shape.api != Api::Gemini {
                assert_eq!(run.summary.ending, Ending::Complete, "{place}");
            }
            let count = run
                .summary
                .verdict
                .rules
                .iter()
                .map(|matched| matched.count)
                .sum::<u32>();
            assert_eq!(count, 1, "{place}: {:?}", run.summary.verdict);
            let out = read(shape, &run.out, &place).replace('"', "");
            // Probabilities are taken out as a whole.
            let nulled = place.contains("logprobs") && !out.contains("zk-");
            // What waits when a stream breaks off does not leave.
            let broken = shape.api == Api::Gemini && out.starts_with("see [TOKEN]");
            let whole = out == "see [TOKEN] ok";
            assert!(whole || nulled || broken, "{place}: {out}");
        }
    }
}

/// The places of all strings that are `x`, as JSON pointers (RFC 6901).
fn strings(value: &Value, place: &mut String, places: &mut Vec<String>) {
    let mut below = |step: String, value: &Value| {
        let length = place.len();
        place.push_str(&step);
        strings(value, place, places);
        place.truncate(length);
    };
    match value {
        Value::String(text) if text == "x" => places.push(place.clone()),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| below(format!("/{index}"), item));
        }
        Value::Object(members) => {
            let members = members.iter();
            members.for_each(|(name, member)| below(format!("/{name}"), member));
        }
        _ => {}
    }
}

/// Some servers send all that was said so far beside each delta.
#[test]
fn what_was_said_so_far_holds_no_start_of_a_match() {
    let event = |so_far: &str, delta: &str, reason: Value| {
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": so_far}, "delta": {"content": delta},
            "finish_reason": reason});
        sse(CHAT, "", &json!({"choices": [choice]}).to_string())
    };
    for size in 1..TEXT.len() {
        let (mut bytes, mut so_far) = (String::new(), String::new());
        for piece in TEXT.as_bytes().chunks(size) {
            let piece = str::from_utf8(piece).unwrap();
            so_far.push_str(piece);
            bytes.push_str(&event(&so_far, piece, Value::Null));
        }
        bytes.push_str(&event(&so_far, "", json!("stop")));
        bytes.push_str(&sse(CHAT, "", "[DONE]"));
        let run = run(CHAT, &tested(), [bytes.as_bytes()]);
        let out = String::from_utf8(run.out.clone()).unwrap();
        assert!(!out.contains("zk-"), "{size}: {out}");
        let place = "/choices/0/delta/content";
        assert_eq!(read(CHAT, &run.out, place), "see [TOKEN] ok");
        let last = out.rsplit("\"content\":\"see [TOKEN] ok\"").count();
        assert!(last > 1, "{size}: {out}");
        let observing = policy(&format!("observe: true\n{POLICY}"));
        let watched = super::run(CHAT, &observing, [bytes.as_bytes()]);
        assert_eq!(watched.out, bytes.as_bytes());
    }
}
