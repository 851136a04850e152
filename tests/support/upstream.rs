//! A provider on loopback that answers as its script says, byte for byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// One thing that the provider does.
#[derive(Clone)]
pub(crate) enum Step {
    /// Writes bytes.
    Write(Vec<u8>),
    /// Waits until it is told to go on.
    Wait(Arc<Notify>),
    /// Lets time pass.
    Pause(Duration),
    /// Waits until the gateway closes the connection.
    Hold,
    /// Closes the connection.
    Close,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
    /// The head, without the empty line.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// All values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    }
}

type Script = Arc<dyn Fn(&Seen) -> Vec<Step> + Send + Sync>;

/// A running provider.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    closed: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    /// Answers each request by the script's steps.
    pub(crate) async fn start(script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_with(script, None).await
    }

    /// The same with TLS.
    pub(crate) async fn start_with(
        script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, closed) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicUsize::new(0)),
        );
        let script: Script = Arc::new(script);
        let task = {
            let (seen, closed) = (Arc::clone(&seen), Arc::clone(&closed));
            tokio::spawn(async move {
                for connection in 0.. {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let (script, seen, closed) =
                        (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&closed));
                    let tls = tls.clone();
                    tokio::spawn(async move {
                        match tls {
                            None => talk(stream, connection, script, seen).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    talk(stream, connection, script, seen).await;
                                }
                            }
                        }
                        closed.fetch_add(1, Ordering::SeqCst);
                    });
                }
            })
        };
        Self {
            address,
            seen,
            closed,
            task,
        }
    }

    /// Always the same answer.
    pub(crate) async fn always(answer: Vec<u8>) -> Self {
        Self::start(move |_| vec![Step::Write(answer.clone())]).await
    }

    /// The requests that came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections have ended.
    pub(crate) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

async fn talk<IO>(mut stream: IO, connection: usize, script: Script, seen: Arc<Mutex<Vec<Seen>>>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(request) = read(&mut stream, connection).await {
        seen.lock().unwrap().push(request.clone());
        for step in script(&request) {
            match step {
                Step::Write(bytes) => {
                    if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
                Step::Wait(notify) => notify.notified().await,
                Step::Pause(time) => tokio::time::sleep(time).await,
                Step::Hold => {
                    let mut rest = Vec::new();
                    drop(stream.read_to_end(&mut rest).await);
                    return;
                }
                Step::Close => {
                    drop(stream.shutdown().await);
                    return;
                }
            }
        }
    }
}

async fn read<IO: AsyncRead + Unpin>(stream: &mut IO, connection: usize) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    head.truncate(head.len() - 4);
    let mut request = Seen {
        connection,
        head: String::from_utf8(head).unwrap(),
        body: Vec::new(),
    };
    let length = request
        .headers("content-length")
        .first()
        .map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

/// An answer with a length.
pub(crate) fn answer(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The head of a chunked stream of events.
pub(crate) fn stream_head(content_type: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n")
        .into_bytes()
}

/// One chunk.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The last chunk.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A chat answer with this text.
pub(crate) fn chat(text: &str) -> Vec<u8> {
    let text = serde_json::Value::from(text);
    format!(
        r#"{{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":{text}}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}},  "unknown": [1.50, null]}}"#
    )
    .into_bytes()
}

/// One event of a chat stream.
pub(crate) fn delta(text: &str) -> Vec<u8> {
    let text = serde_json::Value::from(text);
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"finish_reason\":null}}]}}\n\n"
    )
    .into_bytes()
}

/// The events that end a chat stream.
pub(crate) const DONE: &[u8] = b"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
