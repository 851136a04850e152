//! Streams that are refused, break off or cannot be judged.

use super::*;

#[test]
fn a_refused_stream_is_refused_alike_however_it_is_cut() {
    let policy = tested();
    for shape in SHAPES {
        let bytes = stream(
            shape,
            &[
                (0, "The launch"),
                (0, " code 12"),
                (0, "34 opens it"),
                (0, " all"),
            ],
            plain,
        );
        let whole = run(shape, &policy, [bytes.as_slice()]);
        let Ending::Refuse(refused) = &whole.summary.ending else {
            panic!("{shape:?}: {:?}", whole.summary)
        };
        assert_eq!(
            (refused.rule.as_str(), refused.message.as_str()),
            ("topic.stop", "Not that.")
        );
        let text = String::from_utf8_lossy(&whole.out).into_owned();
        assert!(text.contains("Not that."), "{text}");
        assert!(
            !text.contains("code 1") && !text.contains("opens"),
            "{text}"
        );
        for size in [1, 2, 3, 7, 50] {
            assert_same(
                shape,
                &run(shape, &policy, bytes.chunks(size)),
                &whole,
                &format!("by {size}"),
            );
        }
    }
}

/// A client can read all of it.
fn assert_readable(shape: Shape, out: &[u8]) {
    if shape.framing == Framing::JsonArray {
        assert!(
            serde_json::from_slice::<Vec<serde_json::Value>>(out).is_ok(),
            "{}",
            String::from_utf8_lossy(out)
        );
    }
    texts(shape, out);
}

#[test]
fn a_refusal_can_be_read_wherever_it_comes() {
    for respond in ["error", "message"] {
        let policy = policy(&format!("respond: {respond}\n{POLICY}"));
        for shape in SHAPES {
            for before in 0..3 {
                let mut deltas = vec![(0, "Well, "); before];
                deltas.push((0, "the launch code 1234"));
                let run = run(shape, &policy, [stream(shape, &deltas, plain).as_slice()]);
                assert!(matches!(run.summary.ending, Ending::Refuse(_)));
                assert_readable(shape, &run.out);
                let text: String = texts(shape, &run.out).into_values().collect();
                let told = if respond == "message" {
                    "Not that."
                } else {
                    ""
                };
                assert_eq!(
                    text,
                    format!("{}{told}", "Well, ".repeat(before)),
                    "{shape:?}"
                );
            }
        }
    }
}

#[test]
fn an_answer_that_breaks_off_ends_in_an_error_and_tells_no_more() {
    let policy = tested();
    for shape in SHAPES {
        let bytes = stream(
            shape,
            &[(0, "Here: "), (0, "zk-1"), (0, "23456"), (0, " and more")],
            plain,
        );
        let whole = String::from_utf8(run(shape, &policy, [bytes.as_slice()]).out).unwrap();
        for (at, end) in (0..bytes.len()).flat_map(|at| [(at, End::Complete), (at, End::Break)]) {
            let mut guard = guard(shape, &policy);
            let mut out = Vec::new();
            let _ = guard.push(&bytes[..at], &mut out);
            guard.finish(end, &mut out);
            let out = String::from_utf8(joined(out)).unwrap();
            if guard.summary().ending == Ending::Complete {
                assert!(whole.starts_with(&out), "{shape:?} cut at {at}: {out}");
                continue;
            }
            assert_readable(shape, out.as_bytes());
            assert_eq!(
                guard.summary().ending,
                Ending::Break,
                "{shape:?} cut at {at}"
            );
            assert!(
                out.contains("broke off before its end"),
                "{shape:?} cut at {at}: {out}"
            );
            assert!(
                !out.contains("zk-") && !out.contains("123"),
                "{shape:?} cut at {at}: {out}"
            );
            assert!(
                !out.contains("[DONE]") && !out.contains("message_stop"),
                "{shape:?} cut at {at}: {out}"
            );
        }
    }
}

#[test]
fn what_cannot_be_judged_follows_on_error() {
    let block = tested();
    let allow = policy(&format!("on_error: allow\n{POLICY}"));
    let good = String::from_utf8(stream(CHAT, &[(0, "a zk-1234567 b")], plain)).unwrap();
    let redacted = good.replace("zk-1234567", "[TOKEN]");
    for bad in [
        "data: {\"a\":1,\"a\":2}\n\n",
        "data: nonsense\n\n",
        ": \u{fffd}\u{1}\n\ndata: [1\n\n",
    ] {
        let bytes = format!("{bad}{good}");
        let out = run(CHAT, &block, [bytes.as_bytes()]);
        assert!(
            matches!(out.summary.ending, Ending::Fail(Failure::Malformed(_))),
            "{:?}",
            out.summary
        );
        assert!(
            String::from_utf8(out.out)
                .unwrap()
                .contains("could not be scanned")
        );
        for size in [1, 5, 1000] {
            let out = run(CHAT, &allow, bytes.as_bytes().chunks(size));
            assert_eq!(
                String::from_utf8(out.out).unwrap(),
                format!("{bad}{redacted}")
            );
            assert_eq!(out.summary.unjudged.unwrap().0, 1);
            assert_eq!(out.summary.ending, Ending::Complete);
        }
    }
}

#[test]
fn text_for_an_ended_part_is_an_error() {
    let policy = tested();
    let text = String::from_utf8(stream(CHAT, &[(0, "a zk-12")], plain)).unwrap();
    for choice in [0, 3] {
        let late = format!(
            r#"{{"id":"c","choices":[{{"index":{choice},"delta":{{"content":"zk-345678"}}}}]}}"#
        );
        let late = sse(CHAT, "", &late);
        let done = "data: [DONE]\n\n";
        for place in [format!("{late}{done}"), format!("{done}{late}")] {
            let out = run(CHAT, &policy, [text.replace(done, &place).as_bytes()]);
            let ending = if choice == 3 && place.starts_with(&late) {
                Ending::Complete
            } else {
                Ending::Fail(Failure::LateText)
            };
            assert_eq!(out.summary.ending, ending, "{place}");
            assert!(!String::from_utf8(out.out).unwrap().contains("345"));
        }
    }
}

#[test]
fn what_is_held_is_bounded() {
    let policy = tested();
    let mut guard = guard(CHAT, &policy);
    let mut out = Vec::new();
    let open = sse(
        CHAT,
        "",
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"zk-123"}}]}"#,
    );
    assert_eq!(guard.push(open.as_bytes(), &mut out), Flow::Continue);
    let other = format!(
        r#"{{"id":"c","choices":[{{"index":1,"delta":{{"content":"{}"}}}}]}}"#,
        "x".repeat(50_000)
    );
    let mut flow = Flow::Continue;
    for _ in 0..30 {
        assert!(guard.held_bytes() <= (1 << 20) + 60_000);
        flow = guard.push(sse(CHAT, "", &other).as_bytes(), &mut out);
    }
    assert_eq!(flow, Flow::End);
    assert!(matches!(
        guard.summary().ending,
        Ending::Fail(Failure::TooMuchHeld { .. })
    ));
    assert!(!String::from_utf8(joined(out)).unwrap().contains("zk-"));
}

/// A policy whose scanner panics at the word `boom`.
fn panicking(on_error: &str) -> Arc<Policy> {
    let mut policy = Arc::into_inner(policy(&format!("on_error: {on_error}\n{POLICY}"))).unwrap();
    let rule = |id: &str, pattern: &str, check| Rule {
        id: id.to_owned().into(),
        scanner: Scanner::Topic,
        category: "test",
        label: "TEST".into(),
        score: 0,
        pattern: pattern.to_owned().into(),
        check,
        summary: "a test".into(),
    };
    let boom: fn(&str) -> bool = |_| panic!("a bug");
    for side in [&mut policy.request, &mut policy.response] {
        side.engine = Engine::compile(vec![(
            rule(
                "topic.boom",
                "boom",
                Some(sluicegate::scan::Check::AnyEnd(boom)),
            ),
            true,
        )])
        .unwrap();
    }
    Arc::new(policy)
}

#[test]
fn a_panic_stays_inside() {
    let bytes = stream(CHAT, &[(0, "one "), (0, "boom "), (0, "two")], plain);
    let blocked = run(CHAT, &panicking("block"), [bytes.as_slice()]);
    assert_eq!(blocked.summary.ending, Ending::Fail(Failure::Panic));
    let text = String::from_utf8(blocked.out).unwrap();
    assert!(
        text.contains("one ") && text.contains("could not be scanned") && !text.contains("boom"),
        "{text}"
    );
    let passed = run(CHAT, &panicking("allow"), [bytes.as_slice()]);
    assert_eq!(passed.out, bytes);
    assert_eq!(passed.summary.ending, Ending::Complete);
    assert_eq!(passed.summary.unjudged, Some((1, Failure::Panic)));

    let body =
        Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"boom"}]}"#);
    let limits = Limits::default();
    let blocked = inspect_request(
        Context::default(),
        Api::Chat,
        body.clone(),
        &panicking("block"),
        &limits,
    );
    assert!(matches!(blocked.outcome, Outcome::Fail(Failure::Panic)));
    let passed = inspect_request(
        Context::default(),
        Api::Chat,
        body.clone(),
        &panicking("allow"),
        &limits,
    );
    assert!(matches!(passed.outcome, Outcome::Clear(cleared) if bytes_of(&cleared) == body));
    assert_eq!(passed.unjudged, Some(Failure::Panic));
}

#[test]
fn every_answer_that_was_asked_for_says_the_text() {
    let policy = policy(&format!("{POLICY}respond: message\n"));
    let body = json!({"model": "m", "choices": [{"index": 0, "message": {"content": "launch code 1234"}}]});
    let inspection = inspect_response(
        Context::default(),
        Api::Chat,
        body.to_string().into(),
        &policy,
        &Limits::default(),
    );
    let Outcome::Refuse(refused) = inspection.outcome else {
        panic!("{inspection:?}");
    };
    let mut refusal = refused.refusal(&policy, "req-1");
    refusal.choices = 3;
    for (api, list) in [
        (Api::Chat, "choices"),
        (Api::Completions, "choices"),
        (Api::Gemini, "candidates"),
    ] {
        let whole = Cleared::refusal(api, &refusal, None).into_bytes();
        let whole: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        let indexes = |list: &serde_json::Value| -> Vec<u64> {
            let items = list.as_array().unwrap().iter();
            items.map(|item| item["index"].as_u64().unwrap()).collect()
        };
        assert_eq!(indexes(&whole[list]), [0, 1, 2], "{whole}");
    }
    // One of three had begun.
    let exchange = Exchange {
        choices: Some(3),
        ..Exchange::default()
    };
    let limits = Limits::default();
    let mut guard = StreamGuard::new(Api::Chat, Framing::Sse, policy, &limits, exchange);
    let mut out = Vec::new();
    for text in ["Well. That is so. ", "launch code 1234 and"] {
        let event = json!({"id": "c", "choices": [{"index": 1, "delta": {"content": text}}]});
        let _ = guard.push(sse(CHAT, "", &event.to_string()).as_bytes(), &mut out);
    }
    let out = String::from_utf8(joined(out)).unwrap();
    for index in 0..3 {
        let ended = format!(
            r#""index":{index},"delta":{{}},"logprobs":null,"finish_reason":"content_filter""#
        );
        assert!(out.contains(&ended), "{out}");
    }
}
