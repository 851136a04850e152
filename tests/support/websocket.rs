//! Both ends of conversations over a socket: a client that writes what it likes, and a provider that answers by its script.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::PATIENCE;
use super::client::{self, Reply};

/// The header lines of an opening handshake.
pub(crate) const OPENING: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A client.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// The answer to its handshake.
    pub(crate) opened: Reply,
}

impl Client {
    /// A conversation by a key.
    pub(crate) async fn open(address: SocketAddr, key: &str) -> Self {
        let key = format!("authorization: Bearer {key}\r\n");
        let path = "/v1/realtime?model=gpt-realtime";
        Self::open_with(address, path, &key).await.unwrap()
    }

    /// A conversation at a path with further header lines, or the answer in its place.
    pub(crate) async fn open_with(
        address: SocketAddr,
        path: &str,
        headers: &str,
    ) -> Result<Self, Reply> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n{OPENING}{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut opened = client::head(&mut stream).await;
        if opened.status != 101 {
            let length = opened.header("content-length").unwrap().parse().unwrap();
            opened.body = vec![0; length];
            stream.read_exact(&mut opened.body).await.unwrap();
            return Err(opened);
        }
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        Ok(Self { socket, opened })
    }

    /// Sends an event.
    pub(crate) async fn say(&mut self, event: &str) {
        self.socket.send(Message::text(event)).await.unwrap();
    }

    /// Sends any message.
    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Writes bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Message {
        let next = timeout(PATIENCE, self.socket.next()).await;
        next.expect("a message in time").unwrap().unwrap()
    }

    /// The next event, as it came.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} in place of an event"),
            }
        }
    }

    /// The next event.
    pub(crate) async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// All events to the close, and its code.
    pub(crate) async fn rest(&mut self) -> (Vec<Value>, u16) {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                Message::Text(text) => events.push(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => {
                    return (events, frame.map_or(1005, |frame| frame.code.into()));
                }
                _ => {}
            }
        }
    }
}

/// One frame of a client, masked with zeros: as its first byte says, and with a length of any size.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0xFE); // masked, and a length of two bytes
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// What a provider does.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Say(String),
    Send(Message),
    Close(u16, &'static str),
    /// Closes the connection without a word.
    Drop,
}

type Script = Arc<dyn Fn(&str) -> Vec<Turn> + Send + Sync>;

/// A provider.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<Message>>>,
    closed: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    /// Does what the script says at the beginning, where it is given no text, and after each event.
    pub(crate) async fn start(script: impl Fn(&str) -> Vec<Turn> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, heard) = (Arc::default(), Arc::default());
        let closed = Arc::new(AtomicUsize::new(0));
        let script: Script = Arc::new(script);
        let task = {
            let (heads, heard, closed) =
                (Arc::clone(&heads), Arc::clone(&heard), Arc::clone(&closed));
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (script, heads) = (Arc::clone(&script), Arc::clone(&heads));
                    let (heard, closed) = (Arc::clone(&heard), Arc::clone(&closed));
                    tokio::spawn(async move {
                        talk(stream, script, heads, heard).await;
                        closed.fetch_add(1, Ordering::SeqCst);
                    });
                }
            })
        };
        Self {
            address,
            heads,
            heard,
            closed,
            task,
        }
    }

    /// One that says what it is told as soon as it hears anything.
    pub(crate) async fn saying(events: Vec<String>) -> Self {
        Self::start(move |heard| match heard {
            "" => Vec::new(),
            _ => events.iter().cloned().map(Turn::Say).collect(),
        })
        .await
    }

    /// The heads of all handshakes.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Every message of text that came, and the codes with which conversations were closed.
    pub(crate) fn heard(&self) -> (Vec<String>, Vec<u16>) {
        let heard = self.heard.lock().unwrap();
        let texts = heard.iter().filter_map(|message| match message {
            Message::Text(text) => Some(text.as_str().to_owned()),
            _ => None,
        });
        let codes = heard.iter().filter_map(|message| match message {
            Message::Close(frame) => Some(frame.as_ref().map_or(1005, |frame| frame.code.into())),
            _ => None,
        });
        (texts.collect(), codes.collect())
    }

    /// Pings that came.
    pub(crate) fn pings(&self) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|message| message.is_ping()).count()
    }

    /// How many conversations are over.
    pub(crate) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

async fn talk(
    mut stream: TcpStream,
    script: Script,
    heads: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<Message>>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let request = String::from_utf8(bytes).unwrap();
    let header = |name: &str| {
        let mut lines = request.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let accept = derive_accept_key(header("sec-websocket-key").unwrap().as_bytes());
    let protocol = header("sec-websocket-protocol").map_or(String::new(), |offered| {
        let first = offered.split(',').next().unwrap();
        format!("sec-websocket-protocol: {first}\r\n")
    });
    heads.lock().unwrap().push(request);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n{protocol}openai-model: m\r\nset-cookie: a=b\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut turns = script("");
    loop {
        for turn in turns {
            let message = match turn {
                Turn::Say(text) => Message::text(text),
                Turn::Send(message) => message,
                Turn::Close(code, reason) => Message::Close(Some(CloseFrame {
                    code: code.into(),
                    reason: reason.into(),
                })),
                Turn::Drop => return None,
            };
            socket.send(message).await.ok()?;
        }
        let message = socket.next().await?.ok()?;
        turns = match &message {
            Message::Text(text) => script(text),
            _ => Vec::new(),
        };
        heard.lock().unwrap().push(message);
    }
}

/// An event of text in an answer.
pub(crate) fn delta(text: &str) -> String {
    let text = Value::from(text);
    format!(
        r#"{{"type": "response.output_text.delta", "event_id": "e", "response_id": "r1", "item_id": "i1", "output_index": 0, "content_index": 0, "delta": {text}}}"#
    )
}

/// The events around the deltas of an answer that says this.
pub(crate) fn around(text: &str) -> (Vec<String>, Vec<String>) {
    let text = Value::from(text);
    let place = r#""response_id": "r1", "item_id": "i1", "output_index": 0, "content_index": 0"#;
    let item = |content: &str| {
        format!(
            r#"{{"id": "i1", "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed", "content": [{content}]}}"#
        )
    };
    let whole = item(&format!(r#"{{"type": "output_text", "text": {text}}}"#));
    let answer = |output: &str, usage: &str| {
        format!(
            r#"{{"object": "realtime.response", "id": "r1", "status": "completed", "output": [{output}], "usage": {usage}}}"#
        )
    };
    let before = vec![
        format!(
            r#"{{"type": "response.created", "event_id": "e", "response": {}}}"#,
            answer("", "null")
        ),
        format!(
            r#"{{"type": "response.output_item.added", "event_id": "e", "response_id": "r1", "output_index": 0, "item": {}}}"#,
            item("")
        ),
        format!(
            r#"{{"type": "response.content_part.added", "event_id": "e", {place}, "part": {{"type": "text", "text": ""}}}}"#
        ),
    ];
    let after = vec![
        format!(
            r#"{{"type": "response.output_text.done", "event_id": "e", {place}, "text": {text}}}"#
        ),
        format!(
            r#"{{"type": "response.content_part.done", "event_id": "e", {place}, "part": {{"type": "text", "text": {text}}}}}"#
        ),
        format!(
            r#"{{"type": "response.output_item.done", "event_id": "e", "response_id": "r1", "output_index": 0, "item": {whole}}}"#
        ),
        format!(
            r#"{{"type": "response.done", "event_id": "e", "response": {}}}"#,
            answer(&whole, r#"{"input_tokens": 3, "output_tokens": 2}"#)
        ),
    ];
    (before, after)
}

/// An empty ping.
pub(crate) fn ping() -> Message {
    Message::Ping(Bytes::from_static(b"are you there"))
}
