//! Much traffic, of all kinds, through one gateway: it takes no more memory than before.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::gateway::Gateway;

/// Bytes of the system prompt that goes with each request: what would be kept of one by mistake.
const PROMPT_BYTES: usize = 64 << 10;
/// Rounds until pools, caches and the allocator are as large as they become.
const WARM_ROUNDS: usize = 40;
const ROUNDS: usize = 100;

fn body(gateway: &Gateway, prompt: &str, stream: bool) -> String {
    let body = format!(
        r#"{{"model": "echo", "stream": {stream}, "messages": [{{"role": "system", "content": "{prompt}"}}, {{"role": "user", "content": "/chunk 4 Hello"}}]}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        gateway.key(),
        body.len()
    )
}

/// An answer, a stream, a stream that its client leaves, a request that breaks off, and one that is refused.
fn round(gateway: &Gateway, prompt: &str) {
    let host = gateway.url.strip_prefix("http://").unwrap();
    let send = |request: &str| {
        let mut client = TcpStream::connect(host).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client
    };
    let (json, stream) = (body(gateway, prompt, false), body(gateway, prompt, true));
    let mut bytes = [0; 64];
    for request in [&json, &stream] {
        let answered = send(request).read(&mut bytes).unwrap();
        assert!(bytes[..answered].starts_with(b"HTTP/1.1 200"));
    }
    drop(send(&stream));
    let (half, _) = json.split_at(json.len() / 2);
    drop(send(half));
    let refused = send(&json.replace("\"role\": \"user\"", "\"role\":  user ")).read(&mut bytes);
    assert!(bytes[..refused.unwrap()].starts_with(b"HTTP/1.1 400"));
}

fn resident(gateway: &Gateway) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<usize>().ok()).unwrap() << 10
}

#[test]
fn p55_memory_does_not_grow_with_traffic() {
    let gateway = Gateway::start();
    let prompt = "You are a helpful assistant of a library. ".repeat(PROMPT_BYTES / 42);
    for _ in 0..WARM_ROUNDS {
        round(&gateway, &prompt);
    }
    let before = resident(&gateway);
    for _ in 0..ROUNDS {
        round(&gateway, &prompt);
    }
    let grown = resident(&gateway).saturating_sub(before);
    // One body in twenty that were sent.
    let least = 5 * ROUNDS * PROMPT_BYTES / 20;
    assert!(grown < least, "{grown} of {least} bytes");
}
