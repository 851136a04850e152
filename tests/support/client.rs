//! A client that writes what it likes and reads what comes.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;
use super::gateway::Gateway;

/// A response, its chunks joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The body came to its proper end.
    pub(crate) complete: bool,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// A request with a key and a JSON body.
pub(crate) fn post(path: &str, key: &str, body: &str) -> String {
    post_with(
        path,
        &format!("authorization: Bearer {key}\r\ncontent-type: application/json\r\n"),
        body,
    )
}

/// A request with these header lines and a body of their length.
pub(crate) fn post_with(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A chat request with one message.
pub(crate) fn chat(gateway: &Gateway, text: &str, stream: bool) -> String {
    let text = serde_json::Value::from(text);
    let body = format!(
        r#"{{"model":"m","stream":{stream},"messages":[{{"role":"user","content":{text}}}]}}"#
    );
    post("/v1/chat/completions", &gateway.key, &body)
}

/// Sends bytes on a new connection and reads one response.
pub(crate) async fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    reply(&mut stream).await
}

/// Reads one response.
pub(crate) async fn reply<IO: AsyncRead + Unpin>(stream: &mut IO) -> Reply {
    timeout(PATIENCE, read(stream))
        .await
        .expect("a response in time")
}

/// Reads the head of a response.
pub(crate) async fn head<IO: AsyncRead + Unpin>(stream: &mut IO) -> Reply {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8())
            .await
            .expect("a head in time");
        head.push(
            byte.unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&head))
            }),
        );
    }
    head.truncate(head.len() - 4);
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply {
        status,
        head,
        body: Vec::new(),
        complete: false,
    }
}

async fn read<IO: AsyncRead + Unpin>(stream: &mut IO) -> Reply {
    let mut reply = head(stream).await;
    if reply.header("transfer-encoding").is_some() {
        while let Some(chunk) = chunk(stream).await {
            if chunk.is_empty() {
                reply.complete = true;
                break;
            }
            reply.body.extend_from_slice(&chunk);
        }
    } else {
        let length = reply
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        reply.body = vec![0; length];
        reply.complete = stream.read_exact(&mut reply.body).await.is_ok();
    }
    reply
}

/// One chunk of a chunked body; empty at the end, `None` if the connection broke.
pub(crate) async fn chunk<IO: AsyncRead + Unpin>(stream: &mut IO) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
    let mut chunk = vec![0; size + 2];
    stream.read_exact(&mut chunk).await.ok()?;
    chunk.truncate(size);
    Some(chunk)
}

/// Whether the peer has closed the connection without another byte.
pub(crate) async fn is_closed<IO: AsyncRead + Unpin>(stream: &mut IO) -> bool {
    let mut byte = [0];
    !matches!(
        timeout(PATIENCE, stream.read(&mut byte))
            .await
            .expect("the end in time"),
        Ok(1)
    )
}
