//! TLS, HTTP/2, time limits on clients, and the end of a gateway.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sluicegate::proxy::tls;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::client::{self, is_closed, post, send};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::upstream::{self, Step, Upstream, answer};

/// A self-signed certificate for `name` in a folder: certificate and key files.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

fn ring() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client's TLS that trusts one certificate and offers one protocol.
async fn tls_client(
    address: std::net::SocketAddr,
    cert: &Path,
    protocol: &[u8],
) -> impl AsyncRead + AsyncWrite + Unpin + Send + use<> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(cert).unwrap())
        .unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(ring())
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    stream
}

/// A provider with TLS that answers everything.
async fn tls_upstream(cert: &Path, key: &Path) -> Upstream {
    let chain = vec![CertificateDer::from_pem_file(cert).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(ring())
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    Upstream::start_with(
        |_| {
            vec![Step::Write(answer(
                200,
                "application/json",
                &upstream::chat("x"),
            ))]
        },
        Some(acceptor),
    )
    .await
}

/// One chat exchange over HTTP/2.
async fn over_http2<IO>(io: IO, key: &str) -> (u16, Bytes)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://gateway/v1/chat/completions")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(
            br#"{"model":"m","messages":[]}"#,
        )))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    (
        response.status().as_u16(),
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let body = upstream::chat("x");
    let upstream = Upstream::always(answer(200, "application/json", &body)).await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    assert_eq!(over_http2(stream, &gateway.key).await, (200, body.into()));
    assert!(upstream.seen()[0].headers("host")[0].starts_with("127.0.0.1"));
}

#[tokio::test]
async fn tls_serves_both_protocols_and_reloads_its_certificate() {
    let body = upstream::chat("x");
    let upstream = Upstream::always(answer(200, "application/json", &body)).await;
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path(), "localhost");
    let files = tls::Config {
        cert: cert.clone(),
        key,
        client_ca: None,
    };
    let gateway = Gateway::start(upstream.address, |config| config.tls = Some(files)).await;
    let http2 = tls_client(gateway.address, &cert, b"h2").await;
    assert_eq!(over_http2(http2, &gateway.key).await.0, 200);
    let mut kept = tls_client(gateway.address, &cert, b"http/1.1").await;
    kept.write_all(client::chat(&gateway, "hi", false).as_bytes())
        .await
        .unwrap();
    assert_eq!(client::reply(&mut kept).await.body, body);

    // A new certificate is for new connections; the old ones stay.
    certificate(folder.path(), "localhost");
    gateway.inner.tls.as_ref().unwrap().reload().unwrap();
    drop(tls_client(gateway.address, &cert, b"http/1.1").await);
    kept.write_all(client::chat(&gateway, "hi", false).as_bytes())
        .await
        .unwrap();
    assert_eq!(client::reply(&mut kept).await.status, 200);

    // A damaged one leaves the last in force.
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    let problem = gateway
        .inner
        .tls
        .as_ref()
        .unwrap()
        .reload()
        .unwrap_err()
        .to_string();
    assert!(problem.contains("key.pem"), "{problem}");
    drop(tls_client(gateway.address, &cert, b"http/1.1").await);
}

#[tokio::test]
async fn providers_must_show_a_certificate_that_is_theirs_and_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path(), "localhost");
    let other = tempfile::tempdir().unwrap();
    let (wrong_name, wrong_key) = certificate(other.path(), "provider.example");
    for (cert, key, ca, expected) in [
        (&cert, &key, Some(&cert), 200),
        (&cert, &key, None, 502),
        (&wrong_name, &wrong_key, Some(&wrong_name), 502),
        (&wrong_name, &wrong_key, Some(&cert), 502),
    ] {
        let upstream = tls_upstream(cert, key).await;
        let gateway = Gateway::start(upstream.address, |config| {
            for provider in &mut config.providers {
                provider.base_url = format!("https://localhost:{}", upstream.address.port());
                provider.ca = ca.cloned();
            }
        })
        .await;
        let reply = send(gateway.address, client::chat(&gateway, "hi", false)).await;
        assert_eq!(reply.status, expected, "{}", reply.text());
        assert_eq!(
            upstream.seen().len(),
            usize::from(expected == 200),
            "the credential went to a stranger"
        );
    }
}

#[tokio::test]
async fn expect_100_continue_is_answered_only_after_the_checks() {
    let upstream = Upstream::always(answer(200, "application/json", &upstream::chat("x"))).await;
    let gateway = Gateway::start(upstream.address, |config| {
        config.limits.max_body_bytes = 1000;
    })
    .await;
    let head = |length: usize, key: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             expect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    assert_eq!(
        send(gateway.address, head(2000, &gateway.key)).await.status,
        413
    );
    assert_eq!(
        send(gateway.address, head(20, "sg-nobody")).await.status,
        401
    );
    let body = r#"{"model":"m","messages":[]}"#;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream
        .write_all(head(body.len(), &gateway.key).as_bytes())
        .await
        .unwrap();
    assert_eq!(client::head(&mut stream).await.status, 100);
    stream.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(client::reply(&mut stream).await.status, 200);
    assert!(upstream.seen()[0].headers("expect").is_empty());
}

#[tokio::test]
async fn p51_slow_clients_run_out_of_time() {
    let upstream = Upstream::always(answer(200, "application/json", b"{}")).await;
    let gateway = Gateway::start(upstream.address, |config| {
        config.timeouts.handshake = Duration::from_millis(150);
        config.timeouts.head = Duration::from_millis(150);
        config.timeouts.body = Duration::from_millis(150);
    })
    .await;
    let mut silent = TcpStream::connect(gateway.address).await.unwrap();
    assert!(is_closed(&mut silent).await);
    let mut half_preface = TcpStream::connect(gateway.address).await.unwrap();
    half_preface.write_all(b"PRI * HT").await.unwrap();
    assert!(is_closed(&mut half_preface).await);
    let mut half_head = TcpStream::connect(gateway.address).await.unwrap();
    half_head
        .write_all(b"POST / HTTP/1.1\r\nhost:")
        .await
        .unwrap();
    client_gone(&mut half_head).await;
    let request = post("/v1/chat/completions", &gateway.key, "{}    ");
    let half_body = send(gateway.address, &request[..request.len() - 2]).await;
    assert_eq!(
        (half_body.status, &half_body.json()["error"]["code"]),
        (408, &"body_too_slow".into())
    );
    eventually("all connections closed", || {
        gateway
            .inner
            .load
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
            == 0
    })
    .await;
}

/// Reads whatever comes until the gateway closes.
async fn client_gone(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(stream, &mut rest);
    drop(
        tokio::time::timeout(crate::support::PATIENCE, read)
            .await
            .expect("the end in time"),
    );
}

#[tokio::test]
async fn p54_the_memory_of_all_bodies_is_bounded() {
    let go_on = Arc::new(Notify::new());
    let steps = vec![
        Step::Wait(Arc::clone(&go_on)),
        Step::Write(answer(200, "application/json", &upstream::chat("x"))),
    ];
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let gateway = Gateway::start(upstream.address, |config| {
        config.limits.max_buffered_bytes = 10_000;
    })
    .await;
    let body = format!(
        r#"{{"model":"m","messages":[],"x":"{}"}}"#,
        "y".repeat(6000)
    );
    let mut first = TcpStream::connect(gateway.address).await.unwrap();
    first
        .write_all(post("/v1/chat/completions", &gateway.key, &body).as_bytes())
        .await
        .unwrap();
    eventually("the first is at the provider", || {
        upstream.seen().len() == 1
    })
    .await;
    let second = send(
        gateway.address,
        post("/v1/chat/completions", &gateway.key, &body),
    )
    .await;
    assert_eq!(
        (second.status, second.header("retry-after")),
        (503, Some("1"))
    );
    go_on.notify_one();
    assert_eq!(client::reply(&mut first).await.status, 200);
    drop(first);
    eventually("all given back", || gateway.inner.load.budget.used() == 0).await;
}

#[tokio::test]
async fn p54_what_streams_hold_back_counts_too() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "name: whole\nstream: {mode: buffer}\nresponse: {secrets: {action: redact}}\n";
    std::fs::write(folder.path().join("whole.yaml"), policy).unwrap();
    let text = upstream::delta(&"some words ".repeat(2_000));
    let mut steps = vec![Step::Write(upstream::stream_head("text/event-stream"))];
    steps.extend((0..20).map(|_| Step::Write(upstream::chunk(&text))));
    steps.push(Step::Write(upstream::chunk(b"data: [DONE]\n\n")));
    steps.push(Step::Write(b"0\r\n\r\n".to_vec()));
    let upstream = Upstream::start(move |_| steps.clone()).await;
    for (room, whole) in [(8 << 20, true), (200_000, false)] {
        let gateway = Gateway::start(upstream.address, |config| {
            config.limits.max_buffered_bytes = room;
            config.policies = Some(folder.path().to_owned());
            "whole".clone_into(&mut config.policy);
        })
        .await;
        let reply = send(gateway.address, client::chat(&gateway, "hi", true)).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.text().contains("some words"), whole, "{room}");
        assert_eq!(
            reply.text().contains("could not be scanned"),
            !whole,
            "{room}"
        );
        eventually("all given back", || gateway.inner.load.budget.used() == 0).await;
    }
}

#[tokio::test]
async fn a_stopping_gateway_ends_what_runs_and_nothing_else() {
    let go_on = Arc::new(Notify::new());
    let steps = vec![
        Step::Wait(Arc::clone(&go_on)),
        Step::Write(answer(200, "application/json", &upstream::chat("x"))),
    ];
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let mut gateway = Gateway::start(upstream.address, |_| {}).await;
    let mut idle = TcpStream::connect(gateway.address).await.unwrap();
    let mut running = TcpStream::connect(gateway.address).await.unwrap();
    running
        .write_all(client::chat(&gateway, "hi", false).as_bytes())
        .await
        .unwrap();
    eventually("the request is at the provider", || {
        upstream.seen().len() == 1
    })
    .await;
    idle.write_all(b"GET /v1/nothing HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(client::reply(&mut idle).await.status, 404);
    gateway.begin_stop();
    assert!(is_closed(&mut idle).await);
    go_on.notify_one();
    let reply = client::reply(&mut running).await;
    assert_eq!(
        (reply.status, reply.header("connection")),
        (200, Some("close"))
    );
    gateway.stop().await;
    assert!(TcpStream::connect(gateway.address).await.is_err());
    gateway.records(2).await;
}

#[tokio::test]
async fn connections_over_the_limit_are_closed() {
    let upstream = Upstream::always(answer(200, "application/json", b"{}")).await;
    let gateway =
        Gateway::start(upstream.address, |config| config.limits.max_connections = 1).await;
    let first = TcpStream::connect(gateway.address).await.unwrap();
    eventually("the first is in", || {
        gateway
            .inner
            .load
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
            == 1
    })
    .await;
    let mut second = TcpStream::connect(gateway.address).await.unwrap();
    assert!(is_closed(&mut second).await);
    drop(first);
    eventually("the place is free", || {
        gateway
            .inner
            .load
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
            == 0
    })
    .await;
    assert_eq!(
        send(gateway.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .status,
        404
    );
}

/// P52: a stream whose client gives no more room does not stay for ever.
#[tokio::test]
async fn p52_an_http2_reader_that_stops_is_cut_off() {
    let event = upstream::chunk(&upstream::delta(&"x".repeat(8000)));
    let upstream = Upstream::start(move |_| {
        let mut steps = vec![Step::Write(upstream::stream_head("text/event-stream"))];
        steps.extend(std::iter::repeat_n(Step::Write(event.clone()), 1000));
        steps
    })
    .await;
    let gateway = Gateway::start(upstream.address, |config| {
        config.timeouts.write = Duration::from_millis(200);
    })
    .await;
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(20_000)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("http://gateway/v1/chat/completions")
        .header("authorization", format!("Bearer {}", gateway.key))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(
            br#"{"model":"m","stream":true,"messages":[]}"#,
        )))
        .unwrap();
    let unread = sender.send_request(request).await.unwrap();
    assert_eq!(unread.status(), 200);
    let ended = tokio::time::timeout(crate::support::PATIENCE, connection).await;
    drop(ended.expect("the connection is closed in time"));
    eventually("the provider closed", || upstream.closed() == 1).await;
    assert_eq!(gateway.records(1).await[0]["reason"], "client_left");
    drop(unread);
}

/// P52: what an HTTP/2 client may not say of its target.
#[tokio::test]
async fn p50_http2_requests_are_checked_too() {
    let upstream = Upstream::always(answer(200, "application/json", b"{}")).await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for (method, uri, host) in [
        ("GET", "http://user@gateway/v1/models", None),
        ("GET", "http://gateway/v1/models", Some("other")),
        ("TRACE", "http://gateway/v1/models", None),
    ] {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(Full::new(Bytes::new())).unwrap();
        // Refused by us, or by the library below.
        if let Ok(response) = sender.send_request(request).await {
            assert_eq!(response.status(), 400, "{uri}");
        }
    }
    assert!(upstream.seen().is_empty());
}
