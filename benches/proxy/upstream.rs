//! A fast upstream: a process of its own that answers by the model's name in the request, and parses nothing else.
//!
//! | model | answer |
//! |---|---|
//! | `json` | a chat completion of about 1 KB |
//! | `burst-N` | a stream of N events, as fast as they can be written |
//! | `paced-N-MS` | a stream of N events, one every MS milliseconds |
//!
//! Each event carries a delta of 20 bytes of English in about 250 bytes of JSON, and is an HTTP chunk of its own.

use std::io::{self, Write as _};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::prose;

/// Bytes of text in one delta.
const DELTA_BYTES: usize = 20;

/// Serves on a free port, whose number it prints, until it is killed.
pub(crate) async fn run() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                connections.spawn(connection(stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut last = (0, Vec::new());
    loop {
        while request_length(&buffer).is_none_or(|length| buffer.len() < length) {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        match Model::of(&buffer) {
            Model::Json => stream.write_all(&json()).await?,
            Model::Burst(events) => {
                if last.0 != events {
                    last = (events, burst(events));
                }
                stream.write_all(&last.1).await?;
            }
            Model::Paced(events, pause) => paced(&mut stream, events, pause).await?,
        }
        buffer.clear();
    }
}

/// Bytes of the request at the start of the buffer, once its head is there. Nobody here sends two at once.
fn request_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(buffer.get(..head)?)
        .ok()?
        .to_ascii_lowercase();
    let (_, rest) = text.split_once("content-length:")?;
    let body: usize = rest.lines().next()?.trim().parse().ok()?;
    Some(head + body)
}

enum Model {
    Json,
    Burst(usize),
    Paced(usize, Duration),
}

impl Model {
    fn of(request: &[u8]) -> Self {
        let text = String::from_utf8_lossy(request);
        let name = text
            .split("\"model\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default();
        let mut words = name.split('-');
        let kind = words.next();
        let mut number = || {
            words
                .next()
                .and_then(|word| word.parse::<usize>().ok())
                .unwrap_or(1)
        };
        match kind {
            Some("burst") => Self::Burst(number()),
            Some("paced") => Self::Paced(number(), Duration::from_millis(number() as u64)),
            _ => Self::Json,
        }
    }
}

fn json() -> Vec<u8> {
    let body = format!(
        r#"{{"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx","object":"chat.completion","created":1767225600,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":200,"completion_tokens":150,"total_tokens":350,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_0123456789"}}"#,
        prose::text(0, 550)
    );
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

fn burst(events: usize) -> Vec<u8> {
    let mut bytes = STREAM_HEAD.to_vec();
    for place in 0..events {
        bytes.extend(event(place));
    }
    bytes.extend(end());
    bytes
}

async fn paced(stream: &mut TcpStream, events: usize, pause: Duration) -> io::Result<()> {
    stream.write_all(STREAM_HEAD).await?;
    stream.write_all(&event(0)).await?;
    let mut ticks = interval_at(Instant::now() + pause, pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for place in 1..events {
        ticks.tick().await;
        stream.write_all(&event(place)).await?;
    }
    stream.write_all(&end()).await
}

fn event(place: usize) -> Vec<u8> {
    let text = prose::text(place * DELTA_BYTES, DELTA_BYTES);
    chunk(&format!(
        r#"data: {{"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx","object":"chat.completion.chunk","created":1767225600,"model":"bench","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}]}}"#
    ))
}

fn end() -> Vec<u8> {
    let mut bytes = chunk(
        r#"data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx","object":"chat.completion.chunk","created":1767225600,"model":"bench","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#,
    );
    bytes.extend(chunk("data: [DONE]"));
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn chunk(event: &str) -> Vec<u8> {
    format!("{:x}\r\n{event}\n\n\r\n", event.len() + 2).into_bytes()
}
