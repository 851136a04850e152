//! Providers that fail, and clients that leave.

use std::sync::Arc;
use std::time::Duration;

use sluicegate::upstream::Timeouts;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::client::{self, Reply, send};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::upstream::{
    self, DONE, LAST_CHUNK, Step, Upstream, answer, chunk, delta, stream_head,
};

async fn asked(gateway: &Gateway, stream: bool) -> Reply {
    send(gateway.address, client::chat(gateway, "hi", stream)).await
}

/// P58: what a provider may send instead of a proper answer, and what the client gets.
#[tokio::test]
async fn p58_improper_answers_become_502() {
    let short =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{}"
            .to_vec();
    let redirect =
        b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let brotli = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\n{}";
    let lengths = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}";
    let bad_chunk = [stream_head("application/json"), b"zz\r\n{}\r\n".to_vec()].concat();
    for (name, bytes) in [
        ("short", short),
        ("garbage", b"SSH-2.0-OpenSSH_9\r\n\r\n".to_vec()),
        ("nothing", Vec::new()),
        ("redirect", redirect),
        ("brotli", brotli.to_vec()),
        ("lengths", lengths.to_vec()),
        ("bad chunk", bad_chunk),
        ("not json", answer(200, "application/json", b"<html>")),
        (
            "duplicate keys",
            answer(200, "application/json", br#"{"a":1,"a":2}"#),
        ),
        (
            "binary",
            answer(200, "application/octet-stream", b"\x00\x01"),
        ),
        (
            "upgrade",
            b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
        ),
    ] {
        let upstream =
            Upstream::start(move |_| vec![Step::Write(bytes.clone()), Step::Close]).await;
        let gateway = Gateway::start(upstream.address, |_| {}).await;
        let reply = asked(&gateway, false).await;
        assert_eq!(
            (name, reply.status, &reply.json()["error"]["code"]),
            (name, 502, &"upstream_error".into())
        );
        assert_eq!(gateway.records(1).await[0]["outcome"], "failed", "{name}");
        assert_eq!(upstream.seen().len(), 1, "{name} is not tried again");
    }
}

#[tokio::test]
async fn a_dead_provider_becomes_502() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = Gateway::start(unused, |_| {}).await;
    let reply = asked(&gateway, false).await;
    assert_eq!(reply.status, 502);
    assert!(
        reply.text().contains("no connection to 127.0.0.1"),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn p39_private_addresses_need_permission() {
    let upstream = Upstream::always(answer(200, "application/json", b"{}")).await;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let gateway = Gateway::start(upstream.address, |config| {
            for provider in &mut config.providers {
                provider.base_url = format!("http://{host}:{}", upstream.address.port());
                provider.allow_private = false;
            }
        })
        .await;
        let reply = asked(&gateway, false).await;
        assert_eq!(reply.status, 502, "{host}");
        assert!(reply.text().contains("allow_private"), "{}", reply.text());
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn error_pages_pass_as_text() {
    let page = b"<html><h1>502 Bad Gateway</h1></html>";
    let upstream = Upstream::always(answer(502, "text/html", page)).await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let reply = asked(&gateway, true).await;
    assert_eq!((reply.status, reply.body.as_slice()), (502, &page[..]));
}

#[tokio::test]
async fn gzip_that_nobody_asked_for_is_undone() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let body = upstream::chat(&"long ".repeat(2000));
    let head = |kind: &str, length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let packed = gzip(&body);
    let json = [head("application/json", packed.len()).as_bytes(), &packed].concat();
    let events = [delta("Hello"), DONE.to_vec()].concat();
    let packed_events = gzip(&events);
    let stream = [
        head("text/event-stream", packed_events.len()).as_bytes(),
        &packed_events,
    ]
    .concat();
    let cut = [
        head("application/json", packed.len() - 4).as_bytes(),
        &packed[..packed.len() - 4],
    ]
    .concat();
    let upstream = Upstream::start(move |seen| {
        let text = String::from_utf8_lossy(&seen.body).into_owned();
        let bytes = if text.contains("\"stream\":true") {
            &stream
        } else if text.contains("cut") {
            &cut
        } else {
            &json
        };
        vec![Step::Write(bytes.clone())]
    })
    .await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let reply = asked(&gateway, false).await;
    assert_eq!(
        (
            reply.status,
            reply.body,
            reply.head.contains("content-encoding")
        ),
        (200, body, false)
    );
    assert_eq!(asked(&gateway, true).await.body, events);
    assert_eq!(
        send(gateway.address, client::chat(&gateway, "cut", false))
            .await
            .status,
        502
    );
}

#[tokio::test]
async fn a_gzip_bomb_is_stopped_at_the_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![b' '; 20_000_000]).unwrap();
    let bomb = encoder.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let upstream = Upstream::always([head.as_bytes(), &bomb].concat()).await;
    let gateway = Gateway::start(upstream.address, |config| {
        config.limits.max_response_bytes = 1 << 20;
    })
    .await;
    let reply = asked(&gateway, false).await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("larger than"), "{}", reply.text());
}

#[tokio::test]
async fn p09_a_stream_that_breaks_off_ends_in_an_error() {
    for ending in [
        vec![Step::Close],
        vec![Step::Write(LAST_CHUNK.to_vec())],
        vec![Step::Write(b"zz\r\n".to_vec())],
    ] {
        let bytes = [stream_head("text/event-stream"), chunk(&delta("Hello"))].concat();
        let steps: Vec<Step> = [vec![Step::Write(bytes)], ending].concat();
        let upstream = Upstream::start(move |_| steps.clone()).await;
        let gateway = Gateway::start(upstream.address, |_| {}).await;
        let reply = asked(&gateway, true).await;
        let text = reply.text();
        assert!(
            text.starts_with(std::str::from_utf8(&delta("Hello")).unwrap()),
            "{text}"
        );
        assert!(
            text.contains("\"error\"") && !text.contains("[DONE]"),
            "{text}"
        );
        let record = &gateway.records(1).await[0];
        assert_eq!(
            (&record["outcome"], &record["reason"]),
            (&"cut".into(), &"upstream_broke_off".into())
        );
    }
}

#[tokio::test]
async fn slow_providers_run_out_of_time() {
    let silent = Upstream::start(|_| vec![Step::Hold]).await;
    let gateway = Gateway::hasty(&silent).await;
    let reply = asked(&gateway, false).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (504, &"upstream_error".into())
    );
    eventually("the connection closed", || silent.closed() == 1).await;

    let bytes = [stream_head("text/event-stream"), chunk(&delta("Hello"))].concat();
    let stalling = Upstream::start(move |_| vec![Step::Write(bytes.clone()), Step::Hold]).await;
    let gateway = Gateway::hasty(&stalling).await;
    let reply = asked(&gateway, true).await;
    assert!(
        reply.complete && reply.text().contains("\"error\""),
        "{}",
        reply.text()
    );
    eventually("the connection closed", || stalling.closed() == 1).await;

    let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"
        .to_vec();
    let half = Upstream::start(move |_| vec![Step::Write(half.clone()), Step::Hold]).await;
    assert_eq!(asked(&Gateway::hasty(&half).await, false).await.status, 504);
}

#[tokio::test]
async fn a_trickling_provider_runs_out_of_time_as_a_whole() {
    let drop_by_drop = Upstream::start(|_| {
        let mut steps = vec![Step::Write(stream_head("text/event-stream"))];
        for _ in 0..1000 {
            steps.push(Step::Write(chunk(b": still here\n\n")));
            steps.push(Step::Pause(Duration::from_millis(20)));
        }
        steps
    })
    .await;
    let gateway = Gateway::start(drop_by_drop.address, |config| {
        for provider in &mut config.providers {
            provider.timeouts = Timeouts {
                whole: Duration::from_millis(300),
                ..Timeouts::default()
            };
        }
    })
    .await;
    let reply = asked(&gateway, true).await;
    assert!(reply.text().contains("\"error\""), "{}", reply.text());
    eventually("the connection closed", || drop_by_drop.closed() == 1).await;
}

#[tokio::test]
async fn p57_a_client_that_leaves_closes_the_provider_too() {
    let bytes = [stream_head("text/event-stream"), chunk(&delta("Hello"))].concat();
    let upstream = Upstream::start(move |seen| {
        if String::from_utf8_lossy(&seen.body).contains("silent") {
            vec![Step::Hold]
        } else {
            vec![Step::Write(bytes.clone()), Step::Hold]
        }
    })
    .await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let mut before_the_head = TcpStream::connect(gateway.address).await.unwrap();
    before_the_head
        .write_all(client::chat(&gateway, "silent", true).as_bytes())
        .await
        .unwrap();
    eventually("the request arrived", || upstream.seen().len() == 1).await;
    drop(before_the_head);
    eventually("the connection closed", || upstream.closed() == 1).await;

    let mut in_mid_stream = TcpStream::connect(gateway.address).await.unwrap();
    in_mid_stream
        .write_all(client::chat(&gateway, "hi", true).as_bytes())
        .await
        .unwrap();
    client::head(&mut in_mid_stream).await;
    client::chunk(&mut in_mid_stream).await.unwrap();
    drop(in_mid_stream);
    eventually("the connection closed", || upstream.closed() == 2).await;
    for record in gateway.records(2).await {
        assert_eq!(
            (&record["outcome"], &record["reason"]),
            (&"cut".into(), &"client_left".into())
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_at_the_last_event_had_it_all() {
    let go_on = Arc::new(Notify::new());
    let bytes = [
        stream_head("text/event-stream"),
        chunk(&delta("Hello")),
        chunk(DONE),
    ]
    .concat();
    let steps = vec![
        Step::Write(bytes),
        Step::Wait(Arc::clone(&go_on)),
        Step::Write(LAST_CHUNK.to_vec()),
    ];
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream
        .write_all(client::chat(&gateway, "hi", true).as_bytes())
        .await
        .unwrap();
    client::head(&mut stream).await;
    let mut received = Vec::new();
    while !received.ends_with(b"[DONE]\n\n") {
        received.extend(client::chunk(&mut stream).await.unwrap());
    }
    drop(stream);
    assert_eq!(gateway.records(1).await[0]["outcome"], "allowed");
}

#[tokio::test]
async fn connections_are_used_again_and_stale_ones_replaced() {
    let body = answer(200, "application/json", &upstream::chat("x"));
    let upstream = Upstream::start(move |seen| {
        let last = String::from_utf8_lossy(&seen.body).contains("last");
        let mut steps = vec![Step::Write(body.clone())];
        if last {
            steps.push(Step::Close);
        }
        steps
    })
    .await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    for (text, connection) in [("a", 0), ("b", 0), ("last", 0), ("c", 1), ("d", 1)] {
        assert_eq!(
            send(gateway.address, client::chat(&gateway, text, false))
                .await
                .status,
            200,
            "{text}"
        );
        assert_eq!(
            upstream.seen().last().unwrap().connection,
            connection,
            "{text}"
        );
        if text == "last" {
            eventually("the provider closed", || upstream.closed() == 1).await;
        }
    }
}

/// A provider that closes idle connections without a word: the request that finds out goes out once more, on a new connection.
#[tokio::test]
async fn a_request_on_a_connection_that_was_closed_before_goes_out_once_more() {
    for (second, status, requests) in [("soon", 200, 3), ("never", 502, 3), ("late", 502, 2)] {
        let body = answer(200, "application/json", &upstream::chat("x"));
        let upstream = Upstream::start(move |seen| {
            let text = String::from_utf8_lossy(&seen.body);
            let stale = seen.connection == 0 && !text.contains("first");
            if text.contains("late") {
                vec![Step::Pause(Duration::from_millis(700)), Step::Close]
            } else if stale || text.contains("never") {
                vec![Step::Close]
            } else {
                vec![Step::Write(body.clone())]
            }
        })
        .await;
        let gateway = Gateway::start(upstream.address, |_| {}).await;
        for (text, status) in [("first", 200), (second, status)] {
            let reply = send(gateway.address, client::chat(&gateway, text, false)).await;
            assert_eq!(reply.status, status, "{text}: {}", reply.text());
        }
        assert_eq!(upstream.seen().len(), requests, "{second}");
    }
}

/// P11, P51: a reader that stops slows the provider down, then is cut off.
#[tokio::test]
async fn p11_a_reader_that_stops_is_cut_off() {
    let event = chunk(&delta(&"x".repeat(8000)));
    let upstream = Upstream::start(move |_| {
        let mut steps = vec![Step::Write(stream_head("text/event-stream"))];
        steps.extend(std::iter::repeat_n(Step::Write(event.clone()), 5000));
        steps
    })
    .await;
    let gateway = Gateway::start(upstream.address, |config| {
        config.timeouts.write = Duration::from_millis(300);
    })
    .await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream
        .write_all(client::chat(&gateway, "hi", true).as_bytes())
        .await
        .unwrap();
    let record = &gateway.records(1).await[0];
    assert_eq!(record["reason"], "client_left");
    let received = record["response"]["bytes"].as_u64().unwrap();
    assert!(received < 20_000_000, "{received} bytes were read ahead");
    eventually("the provider closed", || upstream.closed() == 1).await;
}
