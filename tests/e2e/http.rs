//! The wire as a client and a provider see it: refusals, errors, and what passes through unchanged.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::gateway::{Answer, Gateway, PATIENCE, run, run_with, send, send_raw, sluicegate};

const HELLO: &str = r#"{"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}"#;

/// A word that no message may repeat.
const CANARY: &str = "prompt-canary-7341";

/// Each error has a status, a code, an id; and repeats neither prompt nor key.
fn is_error(answer: &Answer, status: u16, code: &str, key: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], code, "{answer:?}");
    let id = answer
        .header("x-sluicegate-request-id")
        .unwrap_or_else(|| panic!("no request id: {answer:?}"));
    assert!(answer.body.contains(id), "{answer:?}");
    assert!(
        !answer.body.contains(CANARY) && !answer.body.contains(key),
        "{answer:?}"
    );
}

#[test]
fn bad_requests_are_told_what_is_wrong() {
    let gateway = Gateway::with_config("limits: {max_body_bytes: 64KiB}\n");
    let key = gateway.key();
    let large = format!(
        r#"{{"model": "echo", "messages": [{{"role": "user", "content": "{}"}}]}}"#,
        CANARY.repeat(5_000)
    );
    let bodies = [
        ("not JSON", format!("hello {CANARY}"), 400, "invalid_json"),
        (
            "cut off",
            format!(r#"{{"model": "echo", "messages": [{{"content": "{CANARY}"#),
            400,
            "invalid_json",
        ),
        (
            "a duplicate key",
            format!(
                r#"{{"model": "echo", "messages": [], "messages": [{{"role": "user", "content": "{CANARY}"}}]}}"#
            ),
            400,
            "invalid_json",
        ),
        (
            "trailing bytes",
            format!("{HELLO}{CANARY}"),
            400,
            "invalid_json",
        ),
        ("over the limit", large, 413, "body_too_large"),
    ];
    for (what, body, status, code) in bodies {
        let answer = gateway.chat(key, &body);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        is_error(&answer, status, code, key);
    }
    // An unknown path, and an unknown method on a known one.
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    is_error(
        &gateway.send("POST", "/v1/unknown", &headers, HELLO),
        404,
        "unknown_path",
        key,
    );
    is_error(
        &gateway.send("DELETE", "/v1/chat/completions", &headers, ""),
        405,
        "method_not_allowed",
        key,
    );
    assert!(
        !gateway.printed().contains(CANARY),
        "prompt text in the log"
    );
}

#[test]
fn keys_are_checked() {
    let gateway = Gateway::start();
    let (id, key) = gateway.create_key(&[]);
    assert_eq!(gateway.chat(&key, HELLO).status, 200);
    let (status, ..) = run(sluicegate(gateway.folder()).args(["key", "revoke", &id]));
    assert_eq!(status, 0);
    // The gateway looks at the store four times a second; a revoked key may live no longer than that.
    let refused = (0..200)
        .map(|_| gateway.chat(&key, HELLO))
        .find(|answer| answer.status != 200);
    is_error(
        &refused.expect("the revoked key still works"),
        401,
        "invalid_api_key",
        &key,
    );
    for stranger in ["sg-unknown", &format!("sg-{}", "0".repeat(43)), ""] {
        assert_eq!(gateway.chat(stranger, HELLO).status, 401);
    }
    assert_eq!(
        gateway
            .send("POST", "/v1/chat/completions", &[], HELLO)
            .status,
        401
    );
    let (_, expired) = gateway.create_key(&["--policy", "strict", "--expires", "1s"]);
    let refused = (0..2000)
        .map(|_| gateway.chat(&expired, HELLO).status)
        .find(|status| *status == 401);
    assert!(refused.is_some(), "the expired key still works");
    let printed = gateway.printed();
    let (_, log) = printed.split_once("A provider's credential").unwrap();
    assert!(
        ![key.as_str(), &expired, gateway.key()]
            .iter()
            .any(|key| log.contains(*key)),
        "a key in the log"
    );
}

#[test]
fn a_key_in_the_query_is_not_logged() {
    let gateway = Gateway::start();
    let path = format!("/v1beta/models/echo:generateContent?key={}", gateway.key());
    let body = r#"{"contents": [{"parts": [{"text": "Hello"}]}]}"#;
    let answer = gateway.send("POST", &path, &[("content-type", "application/json")], body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let printed = gateway.printed();
    let (_, log) = printed.split_once("A provider's credential").unwrap();
    assert!(!log.contains(gateway.key()));
    let (_, records, _) = run(sluicegate(gateway.folder()).args(["audit", "tail", "--json"]));
    assert!(
        records.contains("\"gemini\"") && !records.contains(gateway.key()),
        "{records}"
    );
}

#[test]
fn ambiguous_framing_is_refused() {
    let gateway = Gateway::start();
    let host = gateway.url.strip_prefix("http://").unwrap();
    let key = gateway.key();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
    );
    let length = HELLO.len();
    let requests = [
        format!("{head}content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{head}content-length: {length}\r\ncontent-length: 1\r\n\r\n{HELLO}"),
        format!("{head}transfer-encoding: xchunked\r\n\r\n{HELLO}"),
        format!("{head}host: other\r\ncontent-length: {length}\r\n\r\n{HELLO}"),
    ];
    for request in requests {
        // No answer at all is a refusal too.
        let answer = send_raw(host, request.as_bytes());
        assert!(
            answer.is_none_or(|answer| (400..500).contains(&answer.status)),
            "{request}"
        );
    }
    assert_eq!(gateway.chat(key, HELLO).status, 200);
}

#[test]
fn the_operator_sees_health_and_metrics() {
    let gateway = Gateway::start();
    assert_eq!(gateway.chat(gateway.key(), HELLO).status, 200);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            send(&gateway.admin, "GET", path, &[], "").status,
            200,
            "{path}"
        );
    }
    let metrics = send(&gateway.admin, "GET", "/metrics", &[], "");
    assert!(
        metrics.status == 200 && metrics.body.contains("# EOF"),
        "{metrics:?}"
    );
    assert!(!metrics.body.contains(gateway.key()));
    let address = gateway.admin.strip_prefix("http://").unwrap();
    let (status, ..) = run(sluicegate(gateway.folder()).args(["health", "--admin", address]));
    assert_eq!(status, 0);
    // Nothing of the operator's is on the clients' side.
    assert_eq!(gateway.send("GET", "/metrics", &[], "").status, 404);
}

/// A provider that answers every request with the same bytes, and hands over what it was sent.
fn provider(answer: &'static str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap() == 0 {
                    break;
                }
            }
            let length = head
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            // Whoever asked may have gone.
            head.push_str(str::from_utf8(&body).unwrap());
            drop(sender.send(head));
        }
    });
    (port, requests)
}

fn config(port: u16) -> String {
    format!(
        "providers:\n  lab: {{api: openai, base_url: 'http://127.0.0.1:{port}', credential: vault:lab, allow_private: true}}\n\
         routes: [{{model: 'lab-*', providers: [lab]}}]\n"
    )
}

#[test]
fn credentials_are_swapped_and_bytes_are_not() {
    // Spaces, unknown fields, escapes and the order of keys are as nobody would write them again.
    const BODY: &str = "{ \"messages\":[{\"role\":\"user\",\"content\":\"Gr\\u00fc\\u00dfe \\ud83c\\udf0d\"}],\"x-new\" : [1e2,-0.0,null],\n\t\"model\":\"lab-1\"}";
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 71\r\nconnection: close\r\n\r\n{ \"id\":\"1\",\"choices\":[{\"message\":{\"content\":\"\\u0041\"} } ],\"odd\": 1.50 }";
    let secret = concat!("lab-", "credential-5521");
    let (port, requests) = provider(ANSWER);
    let gateway = Gateway::with_config(&config(port));
    let (status, _, stderr) = run_with(
        sluicegate(gateway.folder()).args(["vault", "set", "lab"]),
        secret,
    );
    assert_eq!(status, 0, "{stderr}");
    let key = gateway.key();
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("openai-beta", "assistants=v2"),
        ("connection", "x-private"),
        ("x-private", key),
    ];
    // The vault is read again a moment after it changed.
    let answer = (0..2000)
        .map(|_| gateway.send("POST", "/v1/chat/completions", &headers, BODY))
        .find(|answer| answer.status != 502);
    let answer = answer.expect("the new credential is never used");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, ANSWER.split_once("\r\n\r\n").unwrap().1)
    );
    let request = requests.recv_timeout(PATIENCE).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert_eq!(body, BODY);
    assert!(
        head.starts_with("post /v1/chat/completions http/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("authorization: bearer {secret}")),
        "{head}"
    );
    assert!(
        head.contains("openai-beta: assistants=v2")
            && head.contains(&format!("host: 127.0.0.1:{port}")),
        "{head}"
    );
    assert!(
        !head.contains(&key.to_ascii_lowercase()) && !head.contains("x-private"),
        "the client's key went up: {head}"
    );
    assert!(!gateway.printed().contains(secret));
    for file in [
        "vault.json",
        "vault.access.jsonl",
        "audit/audit-000001.jsonl",
    ] {
        assert!(
            !fs::read_to_string(gateway.data(file))
                .unwrap()
                .contains(secret),
            "{file}"
        );
    }
}

#[test]
fn what_providers_do_wrong_is_an_error_of_theirs() {
    let answers = [
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "a redirect",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\nconnection: close\r\n\r\n{\"choices\": [",
            "a body that is cut off",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"choices\": [",
            "a body that is no JSON",
        ),
    ];
    let mut config = "providers:\n".to_owned();
    let mut requests = Vec::new();
    for (number, (answer, _)) in answers.into_iter().enumerate() {
        let (port, received) = provider(answer);
        let options = "api: openai, credential: none, allow_private: true";
        writeln!(
            config,
            "  lab{number}: {{{options}, base_url: 'http://127.0.0.1:{port}'}}"
        )
        .unwrap();
        requests.push(received);
    }
    let gateway = Gateway::with_config(&config);
    let bearer = format!("Bearer {}", gateway.key());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    for (number, (_, what)) in answers.into_iter().enumerate() {
        let answer = gateway.send(
            "POST",
            &format!("/lab{number}/v1/chat/completions"),
            &headers,
            HELLO,
        );
        assert!((500..600).contains(&answer.status), "{what}: {answer:?}");
        assert!(
            answer.json()["error"]["message"].is_string(),
            "{what}: {answer:?}"
        );
    }
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    for flag in ["--listen", "--admin"] {
        let other = if flag == "--listen" {
            "--admin"
        } else {
            "--listen"
        };
        let (status, _, stderr) =
            run(sluicegate(folder.path()).args(["serve", flag, &address, other, "127.0.0.1:0"]));
        assert_eq!(status, 2);
        assert!(
            stderr.contains(&address) && stderr.contains(flag) && stderr.contains("in use"),
            "{stderr}"
        );
    }
}

/// Two that count for themselves would let everybody have twice as much.
#[test]
fn a_data_folder_belongs_to_one_gateway() {
    let mut gateway = Gateway::start();
    let folder = gateway.shared_folder();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let (status, _, stderr) = run(sluicegate(folder.path()).args(serve));
    assert!(
        status == 2 && stderr.contains("another gateway runs") && stderr.contains("--data"),
        "{stderr}"
    );
    gateway.kill();
}

#[test]
fn a_gateway_refuses_what_is_damaged() {
    let mut gateway = Gateway::start();
    let folder = gateway.shared_folder();
    let (status, ..) = run_with(
        sluicegate(folder.path()).args(["vault", "set", "openai"]),
        "secret",
    );
    assert_eq!(status, 0);
    gateway.kill();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let (status, _, stderr) = run(sluicegate(folder.path())
        .env("SLUICEGATE_MASTER_KEY", "another")
        .args(serve));
    assert!(
        status == 2 && stderr.contains("the master key does not fit"),
        "{stderr}"
    );
    let damaged: [(&str, &[&str]); 5] = [
        ("vault.json", &serve),
        ("vault.json", &["vault", "list"]),
        ("vault.salt", &["vault", "list"]),
        ("key.pepper", &["key", "create", "--name", "app"]),
        ("sluicegate.db", &["key", "list"]),
    ];
    for (file, arguments) in damaged {
        let path = gateway.data(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, b"damaged").unwrap();
        let (status, _, stderr) = run(sluicegate(folder.path()).args(arguments));
        assert!(status == 2 && stderr.contains(file), "{file}: {stderr}");
        assert_eq!(
            fs::read(&path).unwrap(),
            b"damaged",
            "{file} was overwritten"
        );
        fs::write(&path, whole).unwrap();
    }
    // A line of the audit log is changed: what is appended later would hide it.
    let log = gateway.data("audit/audit-000001.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("vault.set", "vault.let", 1)).unwrap();
    let (status, stdout, _) = run(sluicegate(folder.path()).args(["audit", "verify"]));
    assert!(
        status == 1 && stdout.contains("audit-000001.jsonl:"),
        "{stdout}"
    );
    fs::write(&log, text).unwrap();
    assert_eq!(
        run(sluicegate(folder.path()).args(["audit", "verify"])).0,
        0
    );
}
