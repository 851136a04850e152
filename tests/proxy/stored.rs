//! Answers that a provider keeps are of use to whoever made them, and to nobody else.

use serde_json::{Value, json};
use sluicegate::config::Config;

use crate::exchange::add_key;
use crate::support::client::{Reply, post, send};
use crate::support::gateway::Gateway;
use crate::support::upstream::{LAST_CHUNK, Step, Upstream, answer, chunk, stream_head};

const ASK: &str = r#"{"model":"m","input":"Hello"}"#;

/// A provider that keeps answers: each one has the next number.
async fn provider() -> Upstream {
    let made = std::sync::atomic::AtomicUsize::new(0);
    Upstream::start(move |seen| {
        let asked: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let number = made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let whole = json!({
            "id": format!("resp_{number}"), "object": "response", "status": "completed", "model": "m",
            "output": [{"type": "message", "id": format!("msg_{number}"), "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello"}]}],
        });
        let created = json!({"id": format!("resp_{number}"), "object": "response"});
        if asked.get("stream") != Some(&Value::Bool(true)) {
            let body = whole.to_string();
            return vec![Step::Write(answer(200, "application/json", body.as_bytes()))];
        }
        let mut written = stream_head("text/event-stream");
        for event in [
            json!({"type": "response.created", "response": created}),
            json!({"type": "response.completed", "response": whole}),
        ] {
            written.extend(chunk(format!("data: {event}\n\n").as_bytes()));
        }
        written.extend(LAST_CHUNK);
        vec![Step::Write(written)]
    })
    .await
}

async fn gateway(upstream: &Upstream, configure: impl FnOnce(&mut Config)) -> Gateway {
    Gateway::start(upstream.address, configure).await
}

async fn ask(gateway: &Gateway, key: &str, body: &str) -> Reply {
    send(gateway.address, post("/v1/responses", key, body)).await
}

async fn at(gateway: &Gateway, key: &str, asked: &str) -> Reply {
    let request = format!(
        "{asked} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-length: 0\r\n\r\n"
    );
    send(gateway.address, request).await
}

/// Everything that can be done with an answer by its id.
const PATHS: [&str; 4] = [
    "GET /v1/responses/resp_0",
    "GET /v1/responses/resp_0/input_items",
    "POST /v1/responses/resp_0/cancel",
    "DELETE /v1/responses/resp_0",
];

/// Every way to build upon it.
const REFERENCES: [(&str, u16, &str); 4] = [
    (
        r#""previous_response_id":"resp_0""#,
        400,
        "previous_response_not_found",
    ),
    (
        r#""conversation":{"id":"conv_0"}"#,
        404,
        "conversation_not_found",
    ),
    (
        r#""input":[{"type":"item_reference","id":"msg_0"}]"#,
        404,
        "item_not_found",
    ),
    (
        r#""input":[{"type":"reasoning","id":"rs_0","summary":[]}]"#,
        404,
        "item_not_found",
    ),
];

#[tokio::test]
async fn an_answer_is_its_makers_whole_and_streamed() {
    for stream in ["", r#","stream":true"#] {
        let upstream = provider().await;
        let gateway = gateway(&upstream, |_| {}).await;
        let other = add_key(&gateway, |_| {});
        let made = ask(
            &gateway,
            &gateway.key,
            &ASK.replace('}', &format!("{stream}}}")),
        )
        .await;
        assert!(made.status == 200 && made.text().contains("resp_0"));
        for path in PATHS {
            let told = at(&gateway, &other, path).await;
            assert_eq!(told.status, 404, "{path}");
            assert_eq!(told.json()["error"]["code"], "response_not_found");
            // Whether there is one cannot be told from the outside.
            let none = at(&gateway, &other, &path.replace("resp_0", "resp_x")).await;
            assert_eq!(none.status, 404);
            assert_eq!(none.json()["error"]["code"], "response_not_found");
        }
        for (reference, status, code) in REFERENCES {
            let told = ask(&gateway, &other, &format!(r#"{{"model":"m",{reference}}}"#)).await;
            assert_eq!(told.status, status, "{reference}");
            assert_eq!(told.json()["error"]["code"], code);
        }
        assert_eq!(upstream.seen().len(), 1, "nothing of this went up");
        for path in PATHS {
            assert_eq!(at(&gateway, &gateway.key, path).await.status, 200, "{path}");
        }
        for id in [r#""previous_response_id":"resp_0""#, REFERENCES[2].0] {
            let told = ask(&gateway, &gateway.key, &format!(r#"{{"model":"m",{id}}}"#)).await;
            assert_eq!(told.status, 200, "{id}");
        }
    }
}

#[tokio::test]
async fn what_counts_or_compacts_refers_too() {
    let upstream = provider().await;
    let gateway = gateway(&upstream, |_| {}).await;
    for path in ["/v1/responses/input_tokens", "/v1/responses/compact"] {
        let body = r#"{"model":"m","previous_response_id":"resp_0"}"#;
        let told = send(gateway.address, post(path, &gateway.key, body)).await;
        assert_eq!(told.status, 400, "{path}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn what_is_not_stored_is_nobodys() {
    let upstream = provider().await;
    let gateway = gateway(&upstream, |_| {}).await;
    let made = ask(
        &gateway,
        &gateway.key,
        r#"{"model":"m","input":"a","store":false}"#,
    )
    .await;
    assert_eq!(made.status, 200);
    assert_eq!(at(&gateway, &gateway.key, PATHS[0]).await.status, 404);
}

#[tokio::test]
async fn sessions_have_their_own_and_the_key_has_all() {
    let upstream = provider().await;
    let gateway = gateway(&upstream, |_| {}).await;
    let mut tokens = Vec::new();
    for wanted in [
        r#"{"user":"ann"}"#,
        r#"{"user":"ann"}"#,
        r#"{"user":"bob"}"#,
        "",
    ] {
        let opened = post("/sluicegate/sessions", &gateway.key, wanted);
        let opened = send(gateway.address, opened).await.json();
        tokens.push(opened["token"].as_str().unwrap().to_owned());
    }
    assert_eq!(ask(&gateway, &tokens[0], ASK).await.status, 200);
    for (token, status) in tokens.iter().zip([200, 200, 404, 404]) {
        assert_eq!(at(&gateway, token, PATHS[0]).await.status, status);
    }
    assert_eq!(at(&gateway, &gateway.key, PATHS[0]).await.status, 200);
}

#[tokio::test]
async fn a_team_may_share_and_ids_from_elsewhere_may_be_let_pass() {
    let upstream = provider().await;
    let gateway = gateway(&upstream, |config| {
        config.stored_responses.by_team = true;
        config.stored_responses.allow_unknown = true;
    })
    .await;
    let red = || add_key(&gateway, |record| record.team = Some("red".to_owned()));
    let (maker, mate) = (red(), red());
    assert_eq!(ask(&gateway, &maker, ASK).await.status, 200);
    assert_eq!(at(&gateway, &mate, PATHS[0]).await.status, 200);
    assert_eq!(at(&gateway, &gateway.key, PATHS[0]).await.status, 404);
    let elsewhere = at(&gateway, &gateway.key, "GET /v1/responses/resp_elsewhere").await;
    assert_eq!(elsewhere.status, 200);
}
