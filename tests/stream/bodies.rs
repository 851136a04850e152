//! Whole bodies: what is edited, refused, and left as it was.

use super::*;

#[test]
fn bodies_change_only_where_something_was_found() {
    let policy = tested();
    let limits = Limits::default();
    let clean = Bytes::from_static(b"{ \"model\":\"m\",\n\"messages\" : [{\"role\":\"user\",\"content\":\"h\\u00e9llo zk-1 \\/ weather\"}], \"x\": 1.50e1 }\n");
    let kept = inspect_request(
        Context::default(),
        Api::Chat,
        clean.clone(),
        &policy,
        &limits,
    );
    let Outcome::Clear(cleared) = kept.outcome else {
        panic!("{:?}", kept.outcome)
    };
    let cleared = cleared.into_bytes();
    assert_eq!(cleared, clean);
    assert_eq!(cleared.as_ptr(), clean.as_ptr(), "a copy was made");
    assert_eq!(kept.verdict.action, Action::Log);

    let secret = r#"{ "model":"m", "messages":[{"role":"tool","content":[{"type":"text","text":"\u007ak-\u0031234567\ud83d\ude42 & Project\nBluebird"}]}], "y":[ 1 ,2 ] }"#;
    let edited = inspect_request(
        Context::default(),
        Api::Chat,
        Bytes::from_static(secret.as_bytes()),
        &policy,
        &limits,
    );
    let Outcome::Clear(cleared) = edited.outcome else {
        panic!("{:?}", edited.outcome)
    };
    assert_eq!(
        std::str::from_utf8(&cleared.into_bytes()).unwrap(),
        r#"{ "model":"m", "messages":[{"role":"tool","content":[{"type":"text","text":"[TOKEN]\ud83d\ude42 & [BIRD]"}]}], "y":[ 1 ,2 ] }"#
    );
    let found: Vec<(&str, &str)> = edited
        .places
        .iter()
        .map(|place| (place.rule.as_str(), &secret[place.span.range()]))
        .collect();
    assert_eq!(
        found,
        [
            ("topic.token", r"\u007ak-\u0031234567"),
            ("topic.bird", r"Project\nBluebird")
        ]
    );
}

#[test]
fn bodies_that_cannot_be_read() {
    let policy = tested();
    let allow = crate::policy(&format!("on_error: allow\n{POLICY}"));
    let limits = Limits::default();
    let bad = Bytes::from_static(br#"{"a":1,"a":2}"#);
    for policy in [&policy, &allow] {
        let request = inspect_request(Context::default(), Api::Chat, bad.clone(), policy, &limits);
        assert!(matches!(
            request.outcome,
            Outcome::Fail(Failure::Malformed(_))
        ));
    }
    let response = inspect_response(Context::default(), Api::Chat, bad.clone(), &policy, &limits);
    assert!(matches!(
        response.outcome,
        Outcome::Fail(Failure::Malformed(_))
    ));
    let response = inspect_response(Context::default(), Api::Chat, bad.clone(), &allow, &limits);
    assert!(matches!(response.outcome, Outcome::Clear(cleared) if bytes_of(&cleared) == bad));
    assert!(response.unjudged.is_some());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one answer of each API")]
fn responses_of_every_api_are_edited_and_refused() {
    let context = Context::default();
    let policy = tested();
    let limits = Limits::default();
    let bodies = |text: &str| {
        [
            (
                Api::Chat,
                json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}),
            ),
            (
                Api::Chat,
                json!({"error": {"message": text, "type": "t", "code": null}}),
            ),
            (
                Api::Responses,
                json!({"output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}]}),
            ),
            (
                Api::Completions,
                json!({"choices": [{"index": 0, "text": text, "logprobs": null}]}),
            ),
            (
                Api::Messages,
                json!({"type": "message", "content": [{"type": "text", "text": text}]}),
            ),
            (
                Api::Messages,
                json!({"type": "error", "error": {"type": "x", "message": text}}),
            ),
            (
                Api::Gemini,
                json!({"candidates": [{"content": {"parts": [{"text": text}]}}]}),
            ),
            (Api::Embeddings, json!({"error": {"message": text}})),
        ]
    };
    for ((api, body), (_, expected)) in bodies("a zk-1234567 b")
        .into_iter()
        .zip(bodies("a [TOKEN] b"))
    {
        let inspection = inspect_response(
            context,
            api,
            Bytes::from(body.to_string()),
            &policy,
            &limits,
        );
        let Outcome::Clear(cleared) = inspection.outcome else {
            panic!("{:?}", inspection.outcome)
        };
        assert_eq!(
            std::str::from_utf8(&cleared.into_bytes()).unwrap(),
            expected.to_string()
        );
        assert_eq!(inspection.verdict.action, Action::Redact);
    }
    for (api, body) in bodies("the launch code 1234") {
        let inspection = inspect_response(
            context,
            api,
            Bytes::from(body.to_string()),
            &policy,
            &limits,
        );
        assert!(
            matches!(inspection.outcome, Outcome::Refuse(refused) if refused.rule == "topic.stop")
        );
    }
}

#[test]
fn keys_that_would_become_the_same_are_refused() {
    let policy = policy(POLICY);
    let ask = |metadata: &str| {
        let body = format!(r#"{{"model":"m","messages":[],"metadata":{{{metadata}}}}}"#);
        inspect_request(
            Context::default(),
            Api::Chat,
            Bytes::from(body),
            &policy,
            &Limits::default(),
        )
        .outcome
    };
    let Outcome::Clear(cleared) = ask(r#""zk-1234567":1"#) else {
        panic!("one key is edited")
    };
    assert!(
        bytes_of(&cleared)
            .windows(11)
            .any(|bytes| bytes == br#""[TOKEN]":1"#)
    );
    let two = ask(r#""zk-1234567":1,"zk-7654321":2"#);
    assert!(matches!(two, Outcome::Refuse(refused) if refused.rule == "topic.token"));
}

/// Every string of a document under one of these keys.
fn strings_at<'v>(value: &'v serde_json::Value, keys: &[&str], found: &mut Vec<&'v str>) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                match member.as_str() {
                    Some(text) if keys.contains(&key.as_str()) => found.push(text),
                    _ => strings_at(member, keys, found),
                }
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                strings_at(item, keys, found);
            }
        }
        _ => {}
    }
}

#[test]
fn repetitions_in_responses_are_edited_alike() {
    let policy = policy(POLICY);
    for choice in [0, 1, 9] {
        // Arguments are JSON, and stay so.
        let (text, expected) = if choice == 9 {
            (r#"["zk-1234567"]"#, r#"["[TOKEN]"]"#)
        } else {
            ("a zk-1234567 b", "a [TOKEN] b")
        };
        for cut in 1..14 {
            let deltas = [(choice, &text[..cut]), (choice, &text[cut..])];
            let run = run(RESPONSES, &policy, [&*stream(RESPONSES, &deltas, plain)]);
            let said: Vec<String> = texts(RESPONSES, &run.out).into_values().collect();
            assert_eq!(said, [expected], "cut at {cut}");
            let mut repeated = Vec::new();
            let text = std::str::from_utf8(&run.out).unwrap();
            for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
                let value: serde_json::Value = serde_json::from_str(data).unwrap();
                let mut found = Vec::new();
                strings_at(&value, &["text", "arguments"], &mut found);
                repeated.extend(found.into_iter().map(str::to_owned));
            }
            let times = if choice == 9 { 3 } else { 4 };
            assert_eq!(repeated, vec![expected; times], "cut at {cut}");
        }
    }
}

#[test]
fn unknown_shapes_are_scanned_or_refused_as_the_policy_says() {
    let event =
        br#"data: {"type":"response.hologram.delta","sequence_number":1,"delta":"a zk-1234567 b"}

"#;
    let end = br#"data: {"type":"response.completed","response":{"id":"r","object":"response","output":[]}}

"#;
    let body = Bytes::from_static(br#"{"novel": "a zk-1234567 b"}"#);
    for (words, blocks) in [
        ("", false),
        ("unknown: scan\n", false),
        ("unknown: block\n", true),
        ("unknown: block\non_error: allow\n", true),
        ("unknown: block\nobserve: true\n", false),
    ] {
        let policy = policy(&format!("{words}{POLICY}"));
        let streamed = run(RESPONSES, &policy, [&event[..], &end[..]]);
        let out = String::from_utf8(streamed.out).unwrap();
        let response = inspect_response(
            Context::default(),
            Api::Chat,
            body.clone(),
            &policy,
            &Limits::default(),
        );
        let request = inspect_request(
            Context::default(),
            Api::Chat,
            body.clone(),
            &policy,
            &Limits::default(),
        );
        for inspection in [request, response] {
            match inspection.outcome {
                Outcome::Clear(cleared) => {
                    assert!(!blocks);
                    assert_eq!(
                        bytes_of(&cleared).windows(7).any(|b| b == b"[TOKEN]"),
                        !policy.observe
                    );
                }
                outcome => assert!(blocks && matches!(outcome, Outcome::Fail(Failure::Unknown))),
            }
        }
        assert_eq!(
            matches!(streamed.summary.ending, Ending::Fail(Failure::Unknown)),
            blocks,
            "{words}"
        );
        assert_eq!(out.contains("hologram"), !blocks, "{words}");
        assert_eq!(out.contains("zk-1234567"), policy.observe, "{words}");
    }
}

const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

/// Bodies with one medium each.
fn media() -> Vec<(Api, serde_json::Value)> {
    let url = "https://images.example/a.png";
    let data = format!("data:image/png;base64,{PICTURE}");
    let chat = [
        json!({"type": "image_url", "image_url": {"url": url}}),
        json!({"type": "image_url", "image_url": {"url": data}}),
        json!({"type": "image_url", "image_url": data}),
        json!({"type": "image", "image": PICTURE}),
        json!({"type": "file", "file": {"file_id": "file-1"}}),
    ];
    let responses = [
        json!({"type": "input_image", "image_url": url}),
        json!({"type": "input_file", "file_url": url}),
        json!({"type": "input_file", "file_id": "file-1"}),
    ];
    let messages = [
        json!({"type": "url", "url": url}),
        json!({"type": "file", "file_id": "file_1"}),
        json!({"type": "base64", "media_type": "text/plain", "data": PICTURE}),
        json!({"media_type": "image/png", "data": PICTURE}),
    ];
    let gemini = [
        json!({"fileData": {"mimeType": "image/png", "fileUri": url}}),
        json!({"inlineData": {"mimeType": "image/png", "data": PICTURE}}),
    ];
    let said = |part| json!({"messages": [{"role": "user", "content": [part]}]});
    let mut all: Vec<(Api, serde_json::Value)> = vec![
        (
            Api::Chat,
            json!({"messages": [{"role": "user", "content": "x", "images": [PICTURE]}]}),
        ),
        (Api::Chat, json!({"messages": [], "prompt_embeds": PICTURE})),
        (Api::Completions, json!({"prompt": [1, 2, 3]})),
        (
            Api::Gemini,
            json!({"contents": [], "cachedContent": "cachedContents/a"}),
        ),
    ];
    all.extend(chat.map(|part| (Api::Chat, said(part))));
    all.extend(responses.map(|part| {
        (
            Api::Responses,
            json!({"input": [{"role": "user", "content": [part]}]}),
        )
    }));
    all.extend(messages.map(|source| {
        (
            Api::Messages,
            said(json!({"type": "image", "source": source})),
        )
    }));
    all.extend(gemini.map(|part| (Api::Gemini, json!({"contents": [{"parts": [part]}]}))));
    all
}

#[test]
fn media_is_counted_and_refused_wherever_it_is() {
    let policy = policy("media: block\n");
    for (api, body) in media() {
        let bytes = Bytes::from(body.to_string());
        let read = inspect_request(Context::default(), api, bytes, &policy, &Limits::default());
        assert_eq!(read.media, 1, "{body}");
        assert!(matches!(read.outcome, Outcome::Refuse(_)), "{body}");
    }
}
