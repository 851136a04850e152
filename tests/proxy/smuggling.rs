//! P50: requests that two readers could understand differently, byte by byte.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::client::{self, is_closed, send};
use crate::support::gateway::Gateway;
use crate::support::upstream::{self, Upstream, answer};

const BODY: &str = r#"{"model":"m","messages":[]}"#;

async fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::always(answer(200, "application/json", &upstream::chat("x"))).await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    (upstream, gateway)
}

#[tokio::test]
async fn p50_ambiguous_heads_are_refused_and_the_connection_closed() {
    let (upstream, gateway) = start().await;
    let length = BODY.len();
    let chunked = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let smuggled = format!(
        "{chunked}POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
    );
    for (name, head, body) in [
        (
            "length then chunked",
            format!("host: a\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n"),
            &*chunked,
        ),
        (
            "chunked then length",
            format!("host: a\r\ntransfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
            &smuggled,
        ),
        (
            "length twice",
            format!("host: a\r\ncontent-length: {length}\r\ncontent-length: {length}\r\n"),
            BODY,
        ),
        (
            "lengths differ",
            format!("host: a\r\ncontent-length: {length}\r\ncontent-length: 1\r\n"),
            BODY,
        ),
        (
            "length list",
            format!("host: a\r\ncontent-length: {length}, {length}\r\n"),
            BODY,
        ),
        (
            "signed length",
            format!("host: a\r\ncontent-length: +{length}\r\n"),
            BODY,
        ),
        (
            "two codings",
            "host: a\r\ntransfer-encoding: gzip, chunked\r\n".to_owned(),
            &chunked,
        ),
        (
            "codings twice",
            "host: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n".to_owned(),
            &chunked,
        ),
        (
            "odd coding",
            "host: a\r\ntransfer-encoding: xchunked\r\n".to_owned(),
            &chunked,
        ),
        ("no host", format!("content-length: {length}\r\n"), BODY),
        (
            "two hosts",
            format!("host: a\r\nhost: b\r\ncontent-length: {length}\r\n"),
            BODY,
        ),
        (
            "user in host",
            format!("host: u@a\r\ncontent-length: {length}\r\n"),
            BODY,
        ),
        (
            "bare line feed",
            format!("host: a\r\nx: y\ncontent-length: {length}\r\n"),
            BODY,
        ),
        (
            "folded line",
            format!("host: a\r\nx: y\r\n folded\r\ncontent-length: {length}\r\n"),
            BODY,
        ),
        (
            "space before colon",
            format!("host: a\r\ncontent-length : {length}\r\n"),
            BODY,
        ),
    ] {
        let key = &gateway.key;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n{head}\r\n{body}"
        );
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!((name, client::head(&mut stream).await.status), (name, 400));
        drop(stream);
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[tokio::test]
async fn nothing_behind_an_ambiguous_request_is_answered() {
    let (upstream, gateway) = start().await;
    let second = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
        gateway.key,
        BODY.len()
    );
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{second}",
        gateway.key
    );
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let reply = client::reply(&mut stream).await;
    assert_eq!(
        (reply.status, reply.header("connection")),
        (400, Some("close"))
    );
    assert!(is_closed(&mut stream).await);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn forbidden_methods_and_targets_are_refused() {
    let (upstream, gateway) = start().await;
    for line in [
        "TRACE / HTTP/1.1",
        "CONNECT provider:443 HTTP/1.1",
        "GET http://user:pw@a/v1/models HTTP/1.1",
    ] {
        let reply = send(gateway.address, format!("{line}\r\nhost: a\r\n\r\n")).await;
        assert_eq!((line, reply.status), (line, 400));
    }
    let reply = send(
        gateway.address,
        "GET http://b/v1/models HTTP/1.1\r\nhost: a\r\n\r\n",
    )
    .await;
    assert_eq!(reply.status, 400);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn chunked_bodies_are_framed_anew_and_end_the_connection() {
    let (upstream, gateway) = start().await;
    let (first, second) = BODY.split_at(7);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{:x};ext=1\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\nx-trailer: y\r\n\r\n",
        gateway.key,
        first.len(),
        second.len()
    );
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let reply = client::reply(&mut stream).await;
    assert_eq!(
        (reply.status, reply.header("connection")),
        (200, Some("close"))
    );
    assert!(is_closed(&mut stream).await);
    let seen = &upstream.seen()[0];
    assert_eq!(
        (seen.body.as_slice(), seen.headers("content-length")),
        (BODY.as_bytes(), vec![BODY.len().to_string()])
    );
    assert!(seen.headers("transfer-encoding").is_empty() && !seen.head.contains("x-trailer"));
}

#[tokio::test]
async fn p53_heads_that_cannot_be_read_are_refused_and_recorded() {
    let (_upstream, gateway) = start().await;
    let long = format!(
        "GET /v1/models HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(100_000)
    );
    let mut answers = vec![send(gateway.address, long).await];
    let many = format!(
        "GET /v1/models HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    answers.push(send(gateway.address, many).await);
    let other = "GET /v1/models HTTP/1.1\r\nno header\r\n\r\n";
    answers.push(send(gateway.address, other).await);
    let records = gateway.records(3).await;
    let codes = ["headers_too_large", "headers_too_large", "invalid_request"];
    for ((answer, code), status) in answers.iter().zip(codes).zip([431, 431, 400]) {
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &body["error"]["code"]),
            (status, &json!(code))
        );
        let id = answer.header("x-sluicegate-request-id");
        let record = records.iter().find(|record| record["id"].as_str() == id);
        assert_eq!(record.unwrap()["status"], status);
        assert_eq!(answer.header("connection"), Some("close"));
    }
    for record in records {
        assert_eq!(record["outcome"], "blocked", "{record}");
        assert_eq!(record["reason"], "unreadable_head", "{record}");
    }
    let counted = "sluicegate_denied_total{reason=\"unreadable_head\"} 3";
    let metrics = gateway.inner.metrics.text();
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn p36_keys_in_queries_reach_no_record() {
    let (upstream, gateway) = start().await;
    let key = gateway.key.clone();
    for query in [
        format!("key={key}"),
        format!("alt=sse&key={key}&key={key}"),
        format!("access_token={key}&key={key}"),
    ] {
        let body = r#"{"contents":[]}"#;
        let path = format!("/v1beta/models/m:generateContent?{query}");
        let reply = send(
            gateway.address,
            client::post_with(&path, "content-type: application/json\r\n", body),
        )
        .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert!(upstream.seen().iter().all(|seen| !seen.head.contains(&key)));
    gateway.records(3).await;
    let written = std::fs::read_to_string(gateway.data.join("audit/audit-000001.jsonl")).unwrap();
    assert!(!written.contains(&key));
}
