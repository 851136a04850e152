//! The marker that the gateway puts into system prompts: where it goes, and that no client gets it back.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::*;

const POLICY: &str = "response: {canary: {action: redact, marker: true}}\n";

fn sent(policy: &Policy, api: Api, body: &serde_json::Value) -> String {
    let context = Context {
        secret: b"secret",
        ..Context::default()
    };
    let (bytes, limits) = (body.to_string().into(), Limits::default());
    match inspect_request(context, api, bytes, policy, &limits).outcome {
        Outcome::Clear(cleared) => String::from_utf8(cleared.into_bytes().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The marker in what was sent.
fn marker(sent: &str) -> &str {
    let start = sent.find("sgc-").unwrap();
    &sent[start..start + 20]
}

fn received(policy: &Policy, api: Api, body: &str) -> (String, Action) {
    let (bytes, limits) = (body.to_owned().into(), Limits::default());
    let inspection = inspect_response(Context::default(), api, bytes, policy, &limits);
    let action = inspection.verdict.action;
    match inspection.outcome {
        Outcome::Clear(cleared) => (
            String::from_utf8(cleared.into_bytes().to_vec()).unwrap(),
            action,
        ),
        Outcome::Refuse(_) => (String::new(), action),
        other @ Outcome::Fail(_) => panic!("{other:?}"),
    }
}

#[test]
fn a_marker_goes_to_the_end_of_the_last_system_prompt() {
    let policy = policy(POLICY);
    for (api, body) in [
        (
            Api::Chat,
            json!({"messages": [{"role": "system", "content": "Be kind."}, {"role": "developer", "content": [{"type": "text", "text": "LAST"}]}, {"role": "user", "content": "Hi"}]}),
        ),
        (
            Api::Responses,
            json!({"instructions": "LAST", "input": "Hi", "tools": [{"type": "function", "name": "f", "description": "Does."}]}),
        ),
        (
            Api::Responses,
            json!({"input": [{"role": "system", "content": [{"type": "input_text", "text": "LAST"}]}]}),
        ),
        (
            Api::Messages,
            json!({"system": "LAST", "messages": [{"role": "user", "content": "Hi"}], "tools": [{"name": "f", "description": "Does."}]}),
        ),
        (
            Api::Messages,
            json!({"system": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "LAST", "cache_control": {"type": "ephemeral"}}], "messages": []}),
        ),
        (
            Api::Gemini,
            json!({"systemInstruction": {"parts": [{"text": "LAST"}]}, "contents": [{"parts": [{"text": "Hi"}]}]}),
        ),
        (
            Api::Realtime,
            json!({"type": "session.update", "session": {"instructions": "LAST"}}),
        ),
    ] {
        let sent = sent(&policy, api, &body);
        let expected = format!("LAST\\n\\n[{}]", marker(&sent));
        assert_eq!(sent, body.to_string().replace("LAST", &expected));
    }
    assert!(!super::policy(&format!("observe: true\n{POLICY}")).plants());
    // Nothing to protect, nothing to put in.
    let body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(sent(&policy, Api::Chat, &body), body.to_string());
}

#[test]
fn what_a_model_says_with_a_marker_in_it_is_a_leak() {
    let policy = policy(POLICY);
    let chat = json!({"messages": [{"role": "system", "content": "Be kind."}]});
    let sent = sent(&policy, Api::Chat, &chat);
    let marker = marker(&sent);
    let spelled: String = marker.chars().flat_map(|c| [c, '\u{200b}']).collect();
    let spaced: String = marker.chars().flat_map(|c| [c, ' ']).collect();
    for leak in [
        marker.to_owned(),
        marker.to_uppercase(),
        spelled,
        spaced.trim_end().to_owned(),
        BASE64_STANDARD.encode(format!("My prompt is: Be kind. {marker} and so on")),
    ] {
        let text = format!("It ends in {leak} and no more.");
        let body = json!({"choices": [{"message": {"role": "assistant", "content": text}}]});
        let (out, action) = received(&policy, Api::Chat, &body.to_string());
        assert_eq!(action, Action::Redact, "{text}");
        assert!(!out.contains(&leak) && out.contains("[CANARY]"), "{out}");
        let arguments = json!({"to": leak}).to_string();
        let body = json!({"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}}]});
        let (out, action) = received(&policy, Api::Chat, &body.to_string());
        assert_eq!(action, Action::Redact, "{arguments}");
        assert!(!out.contains(&leak), "{out}");
    }
    // Any cut of a stream.
    let deltas: Vec<String> = format!("So: {marker}.").chars().map(String::from).collect();
    let bytes: String = deltas
        .iter()
        .map(|delta| json!({"id": "x", "choices": [{"index": 0, "delta": {"content": delta}}]}))
        .map(|event| format!("data: {event}\n\n"))
        .chain(["data: [DONE]\n\n".to_owned()])
        .collect();
    let run = run(CHAT, &policy, bytes.as_bytes().chunks(11));
    assert_eq!(run.summary.verdict.action, Action::Redact);
    let out = String::from_utf8(run.out).unwrap();
    assert!(!out.contains("sgc") && out.contains("[CANARY]"), "{out}");
    // A look-alike with other digits is none.
    for other in ["sgc-0123456789abcdef", "sgc-00000000", &marker[..19]] {
        let body = json!({"choices": [{"message": {"content": other}}]}).to_string();
        assert_eq!(received(&policy, Api::Chat, &body), (body, Action::Allow));
    }
}

#[test]
fn a_prompt_that_the_provider_repeats_is_as_the_client_wrote_it() {
    let policy = policy("response: {canary: {action: block, marker: true}}\n");
    let request = json!({"instructions": "Be \"kind\".", "input": "Hi"});
    let sent = sent(&policy, Api::Responses, &request);
    let echoed: serde_json::Value = serde_json::from_str(&sent).unwrap();
    let answer = |instructions: &serde_json::Value| json!({"id": "r", "object": "response", "instructions": instructions, "output": []});
    let (with, without) = (
        answer(&echoed["instructions"]),
        answer(&request["instructions"]),
    );
    let (out, action) = received(&policy, Api::Responses, &with.to_string());
    assert_eq!((out, action), (without.to_string(), Action::Allow));
    let events = |response: &serde_json::Value| {
        ["response.created", "response.completed"]
            .map(|kind| format!("data: {}\n\n", json!({"type": kind, "response": response})))
            .concat()
    };
    let shape = Shape {
        api: Api::Responses,
        framing: Framing::Sse,
        line_end: "\n",
    };
    let run = run(shape, &policy, events(&with).as_bytes().chunks(9));
    assert_eq!(String::from_utf8(run.out).unwrap(), events(&without));
    assert_eq!(run.summary.verdict.rules, []);
}
