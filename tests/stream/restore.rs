//! Reversible redaction: there and back again.

use super::*;
use sluicegate::guard::Context;
use sluicegate::guard::body::{Inspection, inspect_response};
use sluicegate::guard::restore::Originals;

const REVERSIBLE: &str = r"
request:
  pii: {action: redact, reversible: true}
  secrets: {action: redact}
response:
  pii: {action: block}
topics:
  - {id: name, pattern: 'Ann[a-z]{0,5} Smith', action: redact, reversible: true, on: [request]}
  - {id: around, pattern: 'mail=[^ ]{1,60};', action: redact, on: [response]}
";

fn reversible() -> Arc<Policy> {
    static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| policy(REVERSIBLE));
    Arc::clone(&POLICY)
}

/// Inspects a chat request of one user message, whose text left is also given.
fn asked(text: &str) -> (Inspection, String) {
    let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]});
    let bytes = Bytes::from(body.to_string());
    let inspection = inspect_request(
        Context::default(),
        Api::Chat,
        bytes,
        &reversible(),
        &Limits::default(),
    );
    let Outcome::Clear(cleared) = inspection.outcome.clone() else {
        panic!("{:?}", inspection.outcome)
    };
    let sent: serde_json::Value = serde_json::from_slice(&cleared.into_bytes()).unwrap();
    let sent = sent["messages"][0]["content"].as_str().unwrap().to_owned();
    (inspection, sent)
}

fn answered(shape: Shape, originals: &Arc<Originals>, bytes: &[u8], size: usize) -> Run {
    let exchange = Exchange {
        originals: Arc::clone(originals),
        ..Exchange::default()
    };
    let policy = reversible();
    let limits = Limits::default();
    let mut guard = StreamGuard::new(shape.api, shape.framing, policy, &limits, exchange);
    let mut out = Vec::new();
    for chunk in bytes.chunks(size) {
        let _ = guard.push(chunk, &mut out);
    }
    guard.finish(End::Complete, &mut out);
    Run {
        out: joined(out),
        summary: guard.summary(),
    }
}

#[test]
fn values_go_up_as_placeholders() {
    let (inspection, sent) = asked("I am Anna Smith, a@x.example or b@x.example; a@x.example!");
    assert_eq!(sent, "I am <NAME_1>, <EMAIL_1> or <EMAIL_2>; <EMAIL_1>!");
    assert_eq!(inspection.originals.len(), 3);
    let (_, sent) = asked("<EMAIL_1> is not a@x.example");
    assert_eq!(sent, "<EMAIL_1> is not <EMAIL_2>");
    let (inspection, sent) = asked(&format!("key {}", key()));
    assert_eq!(sent, "key [OPENAI_KEY]", "what is not reversible is gone");
    assert!(inspection.originals.is_empty());
}

#[test]
fn arguments_of_earlier_calls_are_hidden_and_stay_json() {
    let arguments = r#"{"to": "a\u0040x.example", "card": 4111111111111111, "pad": "a@x.example"}"#;
    let body = serde_json::json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]}]});
    let inspection = inspect_request(
        Context::default(),
        Api::Chat,
        Bytes::from(body.to_string()),
        &reversible(),
        &Limits::default(),
    );
    let Outcome::Clear(cleared) = inspection.outcome else {
        panic!("{:?}", inspection.outcome)
    };
    let sent: serde_json::Value = serde_json::from_slice(&cleared.into_bytes()).unwrap();
    let call = &sent["messages"][0]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(
        call.as_str().unwrap(),
        r#"{"to": "<EMAIL_1>", "card": "<CARD_1>", "pad": "<EMAIL_1>"}"#
    );
}

#[test]
fn originals_come_back_split_anywhere_in_every_choice() {
    let (inspection, _) = asked("Anna Smith a@x.example");
    let answer = "Dear <NAME_1> <<EMAIL_1>> <EMAIL_2> <email_1> <EMAIL_1";
    let expected = "Dear Anna Smith <a@x.example> <EMAIL_2> <email_1> <EMAIL_1";
    for shape in SHAPES {
        for cut in 1..answer.len() {
            let (left, right) = answer.split_at(cut);
            let deltas = [(0, left), (1, left), (0, right), (1, right)];
            let bytes = stream(shape, &deltas, if cut % 2 == 0 { plain } else { escaped });
            let whole = answered(shape, &inspection.originals, &bytes, usize::MAX);
            assert_eq!(whole.summary.ending, Ending::Complete, "{shape:?}");
            assert_eq!(whole.summary.verdict.action, Action::Allow, "{shape:?}");
            for text in texts(shape, &whole.out)
                .values()
                .filter(|text| !text.is_empty())
            {
                assert_eq!(text, expected, "{shape:?} at {cut}");
            }
            assert_same(
                shape,
                &answered(shape, &inspection.originals, &bytes, 3),
                &whole,
                "by 3",
            );
        }
    }
}

#[test]
fn originals_come_back_into_arguments_as_json() {
    let (inspection, sent) = asked("see \"Ann\u{200b} Smith\" Anna Smith");
    assert!(sent.contains("<NAME_1>"), "{sent}");
    for arguments in [r#"{"to": "<NAME_1>!"}"#, r#"{"to": "\u003cNAME_1\u003e!"}"#] {
        for cut in 1..arguments.len() {
            let (left, right) = arguments.split_at(cut);
            let bytes = stream(CHAT, &[(9, left), (9, right)], plain);
            let run = answered(CHAT, &inspection.originals, &bytes, 5);
            let texts = texts(CHAT, &run.out);
            let out = texts
                .iter()
                .find(|(lane, _)| lane.field == Field::ToolArguments)
                .map(|(_, text)| text.as_str());
            let value: serde_json::Value = serde_json::from_str(out.unwrap()).unwrap();
            let to = value["to"].as_str().unwrap();
            assert!(to.contains("Smith!"), "{to}");
        }
    }
}

#[test]
fn what_is_put_back_is_not_masked_again() {
    let (inspection, _) = asked("a@x.example");
    // The original would be blocked by the response's own rules, the placeholder is not.
    for cut in 0.."x mail=<EMAIL_1>&k=zz; y".len() {
        let (left, right) = "x mail=<EMAIL_1>&k=zz; y".split_at(cut);
        let bytes = stream(CHAT, &[(0, left), (0, right)], plain);
        let run = answered(CHAT, &inspection.originals, &bytes, 7);
        let said: String = texts(CHAT, &run.out).into_values().collect();
        assert_eq!(said, "x [AROUND]a@x.example[AROUND] y", "at {cut}");
    }
    let bytes = stream(CHAT, &[(0, "b@x.example")], plain);
    let run = answered(CHAT, &inspection.originals, &bytes, 7);
    assert!(matches!(run.summary.ending, Ending::Refuse(_)));
}

#[test]
fn whole_answers_get_originals_back() {
    let (inspection, _) = asked("Anna Smith");
    let context = Context::answering(&inspection.originals);
    let answer = serde_json::json!({"id": "x", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi <NAME_1>, <NAME_2>"}, "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"n\": \"<NAME_1>\"}"}}]}, "finish_reason": "stop"}]});
    let inspection = inspect_response(
        context,
        Api::Chat,
        Bytes::from(answer.to_string()),
        &reversible(),
        &Limits::default(),
    );
    let Outcome::Clear(cleared) = inspection.outcome else {
        panic!("{:?}", inspection.outcome)
    };
    let expected = answer.to_string().replace("<NAME_1>", "Anna Smith");
    assert_eq!(str::from_utf8(&cleared.into_bytes()).unwrap(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_model_repeats_comes_back_as_it_was(
        parts in prop::collection::vec(prop::sample::select(vec![
            "a@x.example", " ", "b.c@y.example", "Anna Smith", "<EMAIL_1>", "<NAME_2>", "<", ">", "\"", "\\", "é", "\u{1f642} ", "_1",
        ]), 0..20),
        deltas in cuts(),
        size in 1_usize..40,
        shape in prop::sample::select(SHAPES.to_vec()),
        escape in any::<bool>(),
    ) {
        let text = parts.concat();
        let (inspection, sent) = asked(&text);
        let bytes = stream(shape, &cut(&sent, &deltas), if escape { escaped } else { plain });
        let run = answered(shape, &inspection.originals, &bytes, size);
        // Beside a placeholder an address can end where it did not beside the original; then the response's rule finds it.
        prop_assume!(run.summary.ending == Ending::Complete);
        for said in texts(shape, &run.out).into_values().filter(|said| !said.is_empty()) {
            prop_assert_eq!(&said, &text);
        }
    }
}
