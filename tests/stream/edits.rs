//! What an edit changes in a stream, and what keeps its bytes.

use super::*;

#[test]
fn without_edits_every_byte_is_kept() {
    let quiet = policy("response:\n  secrets: {action: redact}\n");
    let observe = policy(&format!("observe: true\n{POLICY}"));
    for (shape, bytes) in streams() {
        let watched = run(shape, &observe, bytes.chunks(11));
        assert_eq!(watched.out, bytes, "{shape:?}");
        assert_eq!(watched.summary.ending, Ending::Complete);
        let loud = run(shape, &tested(), [bytes.as_slice()]);
        assert_eq!(watched.summary.verdict.would, loud.summary.verdict.action);
        assert_eq!(watched.summary.verdict.rules, loud.summary.verdict.rules);
        let run = run(shape, &quiet, bytes.chunks(11));
        if run.summary.verdict.action < Action::Redact {
            assert_eq!(run.out, bytes, "{shape:?}");
        } else {
            assert_ne!(run.out, bytes, "{shape:?}");
        }
    }
}

/// What the policy makes of a whole text.
pub(super) fn redacted(policy: &Policy, text: &str) -> Option<String> {
    let inspection = inspect_text(
        Context::default(),
        Direction::Response,
        Bytes::copy_from_slice(text.as_bytes()),
        policy,
    );
    match inspection.outcome {
        Outcome::Clear(cleared) => Some(String::from_utf8(cleared.into_bytes().to_vec()).unwrap()),
        Outcome::Refuse(_) => None,
        Outcome::Fail(failure) => panic!("{failure}"),
    }
}

#[test]
fn running_text_is_edited_as_whole_text_would_be() {
    let policy = tested();
    for (shape, bytes) in streams() {
        let before = texts(shape, &bytes);
        let after = texts(shape, &run(shape, &policy, bytes.chunks(29)).out);
        let expected: BTreeMap<Lane, String> = before
            .iter()
            .map(|(lane, text)| (*lane, redacted(&policy, text).unwrap()))
            .collect();
        for (lane, text) in expected {
            assert_eq!(
                after.get(&lane).map_or("", String::as_str),
                text,
                "{shape:?} {lane:?}"
            );
        }
    }
}

#[test]
fn untouched_events_around_an_edit_keep_their_bytes() {
    let policy = tested();
    let bytes = stream(
        CHAT,
        &[(0, "one "), (0, "zk-1234567 two"), (0, " three")],
        plain,
    );
    let text = String::from_utf8(bytes.clone()).unwrap();
    let out = String::from_utf8(run(CHAT, &policy, [bytes.as_slice()]).out).unwrap();
    assert_eq!(out, text.replace("zk-1234567", "[TOKEN]"));
}

#[test]
fn the_placeholder_stands_where_the_match_begins() {
    let policy = tested();
    let deltas = [(0, "see z"), (0, "k-123"), (0, "456"), (0, "7"), (0, " ok")];
    let bytes = stream(CHAT, &deltas, plain);
    let out = String::from_utf8(run(CHAT, &policy, [bytes.as_slice()]).out).unwrap();
    let contents: Vec<&str> = out
        .split(r#""content":""#)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(contents, ["see [TOKEN]", "", "", "", " ok"]);
}

#[test]
fn ordinary_events_leave_at_once() {
    let policy = tested();
    for shape in SHAPES {
        let bytes = stream(
            shape,
            &[(0, "The quick brown fox. "), (0, "It jumps. ")],
            plain,
        );
        let mut guard = guard(shape, &policy);
        let mut out = Vec::new();
        let mut splitter = Splitter::new(shape.framing);
        splitter.push(&bytes);
        while let Some(raw) = splitter.next().unwrap() {
            let _ = guard.push(raw.bytes(), &mut out);
            let left = joined(std::mem::take(&mut out));
            assert_eq!(left, raw.bytes()[..], "{shape:?}");
        }
    }
}

#[test]
fn tool_arguments_stay_json() {
    let policy = policy(
        "topics:\n  - {id: pin, pattern: '[\"'']?pin[\"'']?:\\s*[\"'']?[0-9]{4}', on: [response], action: redact}\n  - {id: card, pattern: '\\b4111[0-9]{12}\\b', on: [response], action: redact}\n",
    );
    let arguments = r#"{"card": 4111111111111111, "pin": 1234, "more": [true, "pin: 9999", "4111111111111111"]}"#;
    let expected = r#"{"card": "[CARD]", "[PIN]": "", "more": [true, "[PIN]", "[CARD]"]}"#;
    for size in 1..arguments.len() {
        let parts: Vec<String> = arguments
            .as_bytes()
            .chunks(size)
            .map(|part| String::from_utf8(part.to_vec()).unwrap())
            .collect();
        for shape in [CHAT, SHAPES[3]] {
            let deltas: Vec<Delta<'_>> = parts.iter().map(|part| (9, part.as_str())).collect();
            let out = run(shape, &policy, [stream(shape, &deltas, plain).as_slice()]);
            let texts = texts(shape, &out.out);
            let (_, text) = texts
                .iter()
                .find(|(lane, _)| lane.field == Field::ToolArguments)
                .unwrap();
            assert_eq!(text, expected, "{shape:?} in parts of {size}");
        }
    }
}

#[test]
fn repeated_tokens_go_with_what_they_repeat() {
    let policy = tested();
    let event = |text: &str, tokens: &str| {
        let data = format!(
            r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":{{"content":[{tokens}]}},"finish_reason":null}}]}}"#
        );
        sse(CHAT, "", &data)
    };
    let clean = event(
        "fine ",
        r#"{"token":"fine ","logprob":-1,"bytes":[102],"top_logprobs":[]}"#,
    );
    let secret = event(
        "zk-abcdefg",
        r#"{"token":"zk-abcdefg","logprob":-1,"bytes":[122,107,45],"top_logprobs":[]}"#,
    );
    let end = sse(
        CHAT,
        "",
        r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    ) + sse(CHAT, "", "[DONE]").as_str();
    let out = run(CHAT, &policy, [format!("{clean}{secret}{end}").as_bytes()]);
    let edited = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"[TOKEN]"},"logprobs":null,"finish_reason":null}]}"#;
    assert_eq!(
        String::from_utf8(out.out).unwrap(),
        format!("{clean}{}{end}", sse(CHAT, "", edited))
    );
}

#[test]
fn strings_beside_the_text_are_judged_too() {
    let policy = tested();
    let end = stream(CHAT, &[(0, "x")], plain);
    let end = String::from_utf8(end).unwrap();
    let cases = [
        (": zk-1234567\n\n", ": [TOKEN]\n\n"),
        (
            "id: zk-1234567\ndata: {\"id\":\"c\",\"choices\":[]}\n\n",
            "id: [TOKEN]\ndata: {\"id\":\"c\",\"choices\":[]}\n\n",
        ),
        (
            "data: {\"id\":\"zk-1234567\",\"choices\":[]}\n\n",
            "data: {\"id\":\"[TOKEN]\",\"choices\":[]}\n\n",
        ),
        (
            "data: {\"new\":{\"zk-1234567\":[\"zk-1234567\"]}}\n\n",
            "data: {\"new\":{\"[TOKEN]\":[\"[TOKEN]\"]}}\n\n",
        ),
    ];
    for (event, expected) in cases {
        for _ in 0..2 {
            let out = run(CHAT, &policy, [format!("{event}{event}{end}").as_bytes()]).out;
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("{expected}{expected}{end}")
            );
        }
    }
}

#[test]
fn use_and_text_are_counted() {
    let policy = tested();
    for shape in SHAPES {
        let bytes = stream(shape, &[(0, "Grü"), (0, "ße")], plain);
        let summary = run(shape, &policy, [bytes.as_slice()]).summary;
        let usage = summary.usage.unwrap();
        assert_eq!(
            (usage.input, usage.output, summary.text_bytes),
            (5, 7, 7),
            "{shape:?}"
        );
    }
}

#[test]
fn numbers_that_tools_are_given_are_read() {
    let pii = policy(
        "request: {pii: {action: redact, reversible: true}}\nresponse: {pii: {action: redact}}\n",
    );
    let card = 4_111_111_111_111_111_u64;
    let body = |api, input: serde_json::Value| match api {
        Api::Gemini => {
            json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "pay", "args": input}}]}}], "usageMetadata": {"promptTokenCount": card}})
        }
        _ => {
            json!({"content": [{"type": "tool_use", "id": "t", "name": "pay", "input": input}], "usage": {"output_tokens": 1}})
        }
    };
    let given = json!({"card": card, "list": [1, card, true, card], "small": 41_111, "is": "x"});
    let left = json!({"card": "[CARD]", "list": [1, "[CARD]", true, "[CARD]"], "small": 41_111, "is": "x"});
    let (context, limits) = (Context::default(), Limits::default());
    for api in [Api::Gemini, Api::Messages] {
        let bytes = body(api, given.clone()).to_string();
        let outcome = inspect_response(context, api, bytes.into(), &pii, &limits).outcome;
        let Outcome::Clear(out) = outcome else {
            panic!("{api:?}");
        };
        assert_eq!(out.into_bytes(), body(api, left.clone()).to_string());
    }
    // Whole in one event.
    let shape = SHAPES[4];
    let event = sse(shape, "", &body(Api::Gemini, given).to_string());
    let out = run(shape, &pii, [event.as_bytes()]);
    let expected = body(Api::Gemini, left).to_string();
    assert!(String::from_utf8(out.out).unwrap().contains(&expected));
    // What tools give back, and what they are told to take.
    let request = json!({
        "contents": [{"role": "user", "parts": [{"functionResponse": {"name": "pay", "response": {"n": card}}}]}],
        "tools": [{"functionDeclarations": [{"name": "pay", "parameters": {"enum": [card]}}]}],
    });
    let outcome = inspect_request(
        context,
        Api::Gemini,
        request.to_string().into(),
        &pii,
        &limits,
    )
    .outcome;
    let Outcome::Clear(out) = outcome else {
        panic!("refused");
    };
    let expected = request
        .to_string()
        .replace(&card.to_string(), "\"<CARD_1>\"");
    assert_eq!(out.into_bytes(), expected);
    // What every answer has is left alone.
    let own = json!({"id": "c", "created": card, "choices": [{"message": {"content": "x"}}]});
    let own = own.to_string();
    let outcome = inspect_response(context, Api::Chat, own.clone().into(), &pii, &limits).outcome;
    assert!(matches!(outcome, Outcome::Clear(out) if bytes_of(&out) == own));
}
