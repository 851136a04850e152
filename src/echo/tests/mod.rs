//! Every shape, over a socket.

mod formats;
mod script;

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use proptest::prelude::*;
use serde_json::json;
use tokio::time::Instant;

use super::answer::{Choice, Deltas, Finish, Kind, Part};
use super::ask::Prompt;
use super::*;

/// A server without pauses, and the tasks that go with it.
struct Server {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

/// What came back.
struct Answered {
    status: u16,
    headers: HeaderMap,
    text: String,
    /// The connection broke before the end.
    broken: bool,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// The data of each event; `[DONE]` is left out.
    fn events(&self) -> Vec<Value> {
        self.text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    /// The strings at `pointer` in all events, joined.
    fn joined(&self, pointer: &str) -> String {
        let events = self.events();
        events
            .iter()
            .filter_map(|event| event.pointer(pointer)?.as_str())
            .collect()
    }
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(
            listener,
            Config {
                chunk_chars: 3,
                pace: Duration::ZERO,
            },
        ));
        Self { address, tasks }
    }

    async fn send(&mut self, request: http::request::Builder, body: &Value) -> Answered {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        self.tasks.spawn(async {
            drop(connection.await);
        });
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let request = request
            .header("host", "echo")
            .body(Full::new(bytes))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut broken) = (Vec::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => broken = true,
            }
        }
        Answered {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes).unwrap(),
            broken,
        }
    }

    async fn post(&mut self, path: &str, body: Value) -> Answered {
        self.send(Request::post(path), &body).await
    }

    async fn chat(&mut self, text: &str, stream: bool) -> Answered {
        let messages = json!([{"role": "system", "content": "Say nothing."}, {"role": "user", "content": text}]);
        let body = json!({"model": "echo", "messages": messages, "stream": stream});
        self.post("/v1/chat/completions", body).await
    }

    async fn messages(&mut self, text: &str, stream: bool) -> Answered {
        let messages = json!([{"role": "user", "content": [{"type": "text", "text": text}]}]);
        let body =
            json!({"model": "echo", "max_tokens": 500, "messages": messages, "stream": stream});
        self.post("/v1/messages", body).await
    }

    async fn gemini(&mut self, text: &str, method: &str) -> Answered {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": text}]}]});
        self.post(&format!("/v1beta/models/echo:{method}"), body)
            .await
    }
}

#[tokio::test]
async fn models_in_each_shape() {
    let mut server = Server::start().await;
    let openai = server
        .send(Request::get("/v1/models"), &Value::Null)
        .await
        .json();
    assert_eq!(
        (&openai["object"], &openai["data"][0]["id"]),
        (&json!("list"), &json!("echo"))
    );
    let request = Request::get("/v1/models/echo").header("anthropic-version", "2023-06-01");
    let anthropic = server.send(request, &Value::Null).await.json();
    assert_eq!(
        (&anthropic["type"], &anthropic["id"]),
        (&json!("model"), &json!("echo"))
    );
    let gemini = server
        .send(Request::get("/v1beta/models"), &Value::Null)
        .await
        .json();
    assert_eq!(gemini["models"][0]["name"], "models/echo");
}

#[tokio::test]
async fn errors_take_the_shape_of_the_format() {
    let mut server = Server::start().await;
    let answered = server.chat("/error 429", true).await;
    assert_eq!(answered.status, 429);
    assert_eq!(answered.headers["retry-after"], "1");
    assert_eq!(answered.json()["error"]["code"], "rate_limit_exceeded");
    let answered = server.messages("/error 529", true).await;
    assert_eq!(
        (answered.status, &answered.json()["error"]["type"]),
        (529, &json!("overloaded_error"))
    );
    let answered = server.gemini("/error 503", "generateContent").await;
    assert_eq!(
        (answered.status, &answered.json()["error"]["status"]),
        (503, &json!("UNAVAILABLE"))
    );
    let answered = server
        .post("/v1/messages", json!({"model": "echo", "messages": []}))
        .await;
    assert_eq!(
        (answered.status, &answered.json()["type"]),
        (400, &json!("error"))
    );
    let answered = server.post("/v1beta/models/echo:predict", json!({})).await;
    assert_eq!(
        (answered.status, &answered.json()["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    let answered = server
        .post(
            "/v1/chat/completions",
            json!({"model": "echo", "messages": [{}], "n": 33}),
        )
        .await;
    assert_eq!(answered.status, 400);
}

#[tokio::test]
async fn a_cut_breaks_off_after_what_was_said() {
    let mut server = Server::start().await;
    let stream = server.chat("the beginning\n/cut\nthe end", true).await;
    assert!(stream.broken && !stream.text.contains("[DONE]"));
    assert_eq!(stream.joined("/choices/0/delta/content"), "the beginning");
    let whole = server.messages("the beginning\n/cut", false).await;
    assert!(whole.broken && whole.text.starts_with("{\"id\":\"msg_"));
}

#[tokio::test]
async fn credentials_are_named_but_not_told() {
    let mut server = Server::start().await;
    let body = json!({"contents": [{"parts": [{"text": "/whoami"}]}]});
    let request = Request::post("/v1beta/models/echo:generateContent?key=query-key")
        .header("authorization", "Bearer bearer-key")
        .header("x-goog-api-key", "header-key");
    let answered = server.send(request, &body).await;
    let text = answered.json()["candidates"][0]["content"]["parts"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(text.lines().count(), 3);
    assert!(text.starts_with("authorization: Bearer sha256:"), "{text}");
    assert!(
        !answered.text.contains("-key\"")
            && !text.contains("bearer-key")
            && !text.contains("query-key")
    );
    assert!(
        server
            .chat("/whoami", false)
            .await
            .text
            .contains("no credential")
    );
}

#[tokio::test(start_paused = true)]
async fn deltas_come_at_their_pace() {
    // The clock of the test runs ahead whenever all tasks wait, so this takes no time and cannot be early or late.
    let mut server = Server::start().await;
    let begin = Instant::now();
    server
        .chat("/pace 40\n/chunk 2\n/slow 1000\n12345678", true)
        .await;
    let taken = begin.elapsed();
    assert!(
        taken >= Duration::from_millis(1160) && taken < Duration::from_millis(1300),
        "{taken:?}"
    );
}
