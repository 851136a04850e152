//! The load: a small HTTP/1.1 client that checks every answer, so that a broken proxy cannot look fast.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::prose;

/// Nothing in these runs takes longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where to send to, and with which key.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

/// One connection to a target.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(target.address)
            .await
            .with_context(|| format!("connect to {}", target.name))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 << 10),
        })
    }

    /// Sends a request and reads the whole answer; returns the bytes of its body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request).await?;
        let mut head = self.head().await?;
        while !self.take(&mut head)? {
            self.more().await?;
        }
        Ok(head.bytes)
    }

    /// Sends a request and waits for the first byte of its answer's body; the rest is read after the clock has stopped.
    pub(crate) async fn first_byte(&mut self, request: &[u8]) -> Result<Duration> {
        let begin = Instant::now();
        self.stream.write_all(request).await?;
        let mut head = self.head().await?;
        while self.buffer.is_empty() {
            self.more().await?;
        }
        let taken = begin.elapsed();
        while !self.take(&mut head)? {
            self.more().await?;
        }
        Ok(taken)
    }

    /// Sends a request and leaves the answer to come.
    pub(crate) async fn begin(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.head().await.map(drop)
    }

    async fn more(&mut self) -> Result<()> {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer))
            .await
            .context("the answer stopped")??;
        ensure!(
            read > 0,
            "the connection was closed in the middle of an answer"
        );
        Ok(())
    }

    async fn head(&mut self) -> Result<Head> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default())
                    .to_ascii_lowercase();
                self.buffer.drain(..end + 4);
                ensure!(head.starts_with("http/1.1 200"), "not a 200: {head}");
                let length = head
                    .split("content-length:")
                    .nth(1)
                    .and_then(|rest| rest.lines().next());
                let rest = match length {
                    Some(length) => Rest::Bytes(length.trim().parse()?),
                    None => Rest::Chunks,
                };
                return Ok(Head { rest, bytes: 0 });
            }
            self.more().await?;
        }
    }

    /// Takes what has come of a body out of the buffer; true at its end.
    fn take(&mut self, head: &mut Head) -> Result<bool> {
        match head.rest {
            Rest::Bytes(length) => {
                if self.buffer.len() < length {
                    return Ok(false);
                }
                self.buffer.drain(..length);
                head.bytes = length;
                Ok(true)
            }
            Rest::Chunks => {
                let mut used = 0;
                let mut ended = false;
                while let Some(chunk) = self.buffer.get(used..).and_then(next_chunk) {
                    let (size, whole) = chunk?;
                    used += whole;
                    head.bytes += size;
                    if size == 0 {
                        ended = true;
                        break;
                    }
                }
                self.buffer.drain(..used);
                Ok(ended)
            }
        }
    }
}

struct Head {
    rest: Rest,
    /// Bytes of the body so far.
    bytes: usize,
}

enum Rest {
    Bytes(usize),
    Chunks,
}

/// Payload bytes and bytes in all of the chunk at the start, if it is there whole (RFC 9112, section 7.1).
fn next_chunk(bytes: &[u8]) -> Option<Result<(usize, usize)>> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")?;
    let size = std::str::from_utf8(bytes.get(..line)?)
        .ok()
        .and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
    let Some(size) = size else {
        return Some(Err(anyhow::anyhow!("a chunk without a size")));
    };
    let whole = line + 2 + size + 2;
    (bytes.len() >= whole).then_some(Ok((size, whole)))
}

/// A chat request of about 1 KB in all.
pub(crate) fn request(target: &Target, model: &str, stream: bool) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"temperature":0.7,"messages":[{{"role":"system","content":"{}"}},{{"role":"user","content":"{}"}}]}}"#,
        prose::text(1000, 200),
        prose::text(3000, 650),
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\nuser-agent: bench\r\naccept: */*\r\ncontent-length: {}\r\n\r\n{body}",
        target.key,
        body.len(),
    )
    .into_bytes()
}

/// Numbers what is said for the first time.
static SAID: AtomicU32 = AtomicU32::new(0);

/// Gives the user's text of a request a number that no other has had.
fn renew(request: &mut [u8]) -> Option<()> {
    const TEXT: &[u8] = br#""role":"user","content":""#;
    let start = memchr::memmem::find(request, TEXT)? + TEXT.len();
    let number = format!("{:08} ", SAID.fetch_add(1, Ordering::Relaxed));
    let place = request.get_mut(start..start + number.len())?;
    place.copy_from_slice(number.as_bytes());
    Some(())
}

/// Sends a request over and over on some connections, for some time, with a new text each time if `fresh`; returns how many were answered.
pub(crate) async fn repeat(
    target: &Target,
    model: &str,
    (stream, fresh): (bool, bool),
    connections: usize,
    time: Duration,
) -> Result<u64> {
    let end = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (mut request, target) = (request(target, model, stream), target.clone());
        tasks.spawn(async move {
            let mut client = Client::connect(&target).await?;
            let mut count = 0_u64;
            let mut expected = None;
            while Instant::now() < end {
                if fresh {
                    renew(&mut request).context("no text of a user")?;
                }
                let bytes = client.exchange(&request).await?;
                ensure!(
                    *expected.get_or_insert(bytes) == bytes,
                    "{} gave {bytes} bytes, earlier {expected:?}",
                    target.name
                );
                count += 1;
            }
            Ok(count)
        });
    }
    sum(tasks).await
}

/// Reads one stream on each of some connections to its end; returns how many were read.
pub(crate) async fn once(target: &Target, model: &str, connections: usize) -> Result<u64> {
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (request, target) = (request(target, model, true), target.clone());
        tasks.spawn(async move {
            Client::connect(&target).await?.exchange(&request).await?;
            Ok(1)
        });
    }
    sum(tasks).await
}

/// Opens streams and returns them, still open, when the first of their bytes have come.
pub(crate) async fn open(target: &Target, model: &str, connections: usize) -> Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut client = Client::connect(target).await?;
        client.begin(&request(target, model, true)).await?;
        clients.push(client);
    }
    Ok(clients)
}

async fn sum(mut tasks: JoinSet<Result<u64>>) -> Result<u64> {
    let mut sum = 0;
    while let Some(count) = tasks.join_next().await {
        sum += count??;
    }
    Ok(sum)
}
