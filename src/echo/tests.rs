//! Every shape, over a socket.

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

fn read(text: &str) -> Script {
    Script::read(
        &Prompt::user(text.to_owned()),
        Config::default(),
        "authorization: sha256:00",
    )
}

fn said(script: &Script) -> String {
    script.choice.text(&Kind::Text).unwrap_or_default()
}

#[test]
fn lines_that_are_no_directives_are_text() {
    for text in [
        "plain",
        "",
        "\n two lines \n",
        "/etc/passwd",
        "/error in my code",
        "/error 200",
        "/tool",
        "/tool name {not json}",
        "/tool name [1]",
        "/leak everything",
        "/chunk 0",
        "/pace 60001",
        "/help me",
        "/",
        "a /cut",
    ] {
        let script = read(text);
        assert_eq!(said(&script), text);
        assert!(script.error.is_none() && !script.cut);
    }
}

#[test]
fn directives_are_cut_out() {
    let script = read(
        "one\n/think hm\n/chunk 5\n/pace 7\n/slow 9\n/error 529\n/tool f {\"a\": 1}\ntwo\n/cut\nthree",
    );
    assert_eq!(said(&script), "one\ntwo");
    assert_eq!(script.choice.text(&Kind::Thought).unwrap(), "hm");
    assert_eq!(script.choice.finish, Finish::CallTools);
    assert_eq!(script.choice.parts.last().unwrap().text, "{\"a\": 1}");
    assert_eq!(
        (script.chunk_chars, script.error, script.cut),
        (5, Some(529), true)
    );
    assert_eq!(
        (script.pace, script.slow),
        (Duration::from_millis(7), Duration::from_millis(9))
    );
}

#[test]
fn a_tool_result_holds_no_directives() {
    let script = Script::read(
        &Prompt::tool("/error 500".to_owned()),
        Config::default(),
        "",
    );
    assert_eq!(said(&script), "/error 500");
    assert!(script.error.is_none());
}

#[test]
fn leaks_are_new_each_time_and_well_formed() {
    for (kind, pattern) in [
        (
            "openai-key",
            concat!(r"\bsk-[A-Za-z0-9]{20}T3Blbk", r"FJ[A-Za-z0-9]{20}\b"),
        ),
        ("aws-key", r"\bAKIA[A-Z2-7]{16}\b"),
        ("email", r"\b[a-z]+\.[a-z]+@example\.com\b"),
        ("card", r"\b4\d{3} \d{4} \d{4} \d{4}\b"),
    ] {
        let (first, second) = (
            read(&format!("/leak {kind}")),
            read(&format!("/leak {kind}")),
        );
        assert_ne!(said(&first), said(&second));
        assert_eq!(first.chunk_chars, 4);
        let found = regex::Regex::new(pattern)
            .unwrap()
            .find(&said(&first))
            .unwrap()
            .as_str()
            .to_owned();
        if kind == "card" {
            let digits = found.chars().rev().filter_map(|digit| digit.to_digit(10));
            let sum: u32 = digits
                .enumerate()
                .map(|(place, digit)| {
                    if place % 2 == 0 {
                        digit
                    } else {
                        digit * 2 % 10 + digit * 2 / 10
                    }
                })
                .sum();
            assert_eq!(sum % 10, 0, "{found}");
        }
    }
}

proptest! {
    #[test]
    fn deltas_joined_are_the_parts(texts in prop::collection::vec(".{0,40}", 1..4), chunk_chars in 1_usize..9) {
        let parts: Vec<Part> = texts.iter().map(|text| Part { kind: Kind::Text, text: text.clone() }).collect();
        let choice = Choice { parts, finish: Finish::Stop };
        let answer = Answer {
            choices: vec![choice.clone(), choice],
            chunk_chars,
            cut: false,
            model: String::new(),
            created: 0,
            input_tokens: 1,
        };
        let mut joined = vec![vec![String::new(); texts.len()]; 2];
        let (mut deltas, mut firsts, mut lasts) = (Deltas::default(), 0, 0);
        while let Some(delta) = deltas.next(&answer) {
            prop_assert!(delta.text.chars().count() <= chunk_chars);
            joined[delta.choice][delta.part].push_str(&delta.text);
            firsts += usize::from(delta.first);
            lasts += usize::from(delta.last);
        }
        prop_assert_eq!((firsts, lasts), (2 * texts.len(), 2 * texts.len()));
        prop_assert_eq!(&joined[0], &texts);
        prop_assert_eq!(&joined[1], &texts);
    }
}

#[tokio::test]
async fn chat_whole() {
    let mut server = Server::start().await;
    let answered = server.chat("Grüße, 世界", false).await;
    let body = answered.json();
    assert_eq!(answered.status, 200);
    assert_eq!(
        answered.headers["content-length"],
        answered.text.len().to_string()
    );
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "Grüße, 世界");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let usage = &body["usage"];
    let sum =
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
}

#[tokio::test]
async fn chat_stream() {
    let mut server = Server::start().await;
    let answered = server
        .chat(
            "/think so\n/tool f {\"a\": [1, 2]}\n/tool g\nthe text",
            true,
        )
        .await;
    assert!(
        answered.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/event-stream")
    );
    assert!(answered.text.ends_with("data: [DONE]\n\n"));
    assert_eq!(answered.joined("/choices/0/delta/content"), "the text");
    assert_eq!(answered.joined("/choices/0/delta/reasoning_content"), "so");
    let events = answered.events();
    let calls: Vec<&Value> = events
        .iter()
        .filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0"))
        .collect();
    let arguments = |index: u64| -> String {
        calls
            .iter()
            .filter(|call| call["index"] == index)
            .filter_map(|call| call["function"]["arguments"].as_str())
            .collect()
    };
    assert_eq!(
        (arguments(0).as_str(), arguments(1).as_str()),
        ("{\"a\": [1, 2]}", "{}")
    );
    assert_eq!(
        calls.iter().filter(|call| call.get("id").is_some()).count(),
        2
    );
    let last = events.last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "tool_calls");
    assert!(last.get("usage").is_none());
}

#[tokio::test]
async fn chat_choices_are_interleaved_and_usage_comes_last() {
    let mut server = Server::start().await;
    let body = json!({
        "model": "echo", "n": 3, "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "many words"}],
    });
    let answered = server.post("/v1/chat/completions", body).await;
    let events = answered.events();
    let of = |index: u64| -> String {
        let choices = events
            .iter()
            .filter_map(|event| event.pointer("/choices/0"));
        choices
            .filter(|choice| choice["index"] == index)
            .filter_map(|choice| choice["delta"]["content"].as_str())
            .collect()
    };
    assert_eq!(
        [of(0), of(1), of(2)],
        ["many words", "[2] many words", "[3] many words"]
    );
    let turns: Vec<_> = events
        .iter()
        .skip(3)
        .take(4)
        .map(|event| event["choices"][0]["index"].clone())
        .collect();
    assert_eq!(turns, [0, 1, 2, 0]);
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["total_tokens"].is_u64());
    assert!(
        events
            .iter()
            .rev()
            .skip(1)
            .all(|event| event["usage"].is_null())
    );
}

#[tokio::test]
async fn chat_echoes_tool_results_and_stops_at_a_limit() {
    let mut server = Server::start().await;
    let messages = json!([
        {"role": "user", "content": "/tool f"},
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "x", "content": "sunny and warm"},
    ]);
    let body = json!({"model": "echo", "messages": messages, "max_tokens": 2});
    let body = server.post("/v1/chat/completions", body).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "sunny an");
    assert_eq!(body["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn refusals() {
    let mut server = Server::start().await;
    let body = server.chat("/refuse Not me.", false).await.json();
    assert_eq!(body["choices"][0]["message"]["refusal"], "Not me.");
    assert!(body["choices"][0]["message"]["content"].is_null());
    assert_eq!(
        server
            .chat("/refuse Not me.", true)
            .await
            .joined("/choices/0/delta/refusal"),
        "Not me."
    );
    assert_eq!(
        server.messages("/refuse", false).await.json()["stop_reason"],
        "refusal"
    );
    let body = server.gemini("/refuse", "generateContent").await.json();
    assert_eq!(body["candidates"][0]["finishReason"], "SAFETY");
}

#[tokio::test]
async fn completions_answer_each_prompt() {
    let mut server = Server::start().await;
    let body = json!({"model": "echo", "prompt": ["one", "two"], "n": 2});
    let body = server.post("/v1/completions", body).await.json();
    let texts: Vec<_> = (0..4)
        .map(|index| body["choices"][index]["text"].clone())
        .collect();
    assert_eq!(texts, ["one", "[2] one", "two", "[2] two"]);
    let body = json!({"model": "echo", "prompt": "a longer text", "stream": true});
    let answered = server.post("/v1/completions", body).await;
    assert_eq!(answered.joined("/choices/0/text"), "a longer text");
    assert_eq!(
        answered.events().last().unwrap()["choices"][0]["finish_reason"],
        "stop"
    );
}

#[tokio::test]
async fn embeddings_depend_on_the_text_alone() {
    let mut server = Server::start().await;
    let body = json!({"model": "echo", "input": ["a", "b", "a"], "dimensions": 5});
    let floats = server.post("/v1/embeddings", body).await.json();
    let vector = |index: usize| -> Vec<f64> {
        let numbers = floats["data"][index]["embedding"].as_array().unwrap();
        numbers
            .iter()
            .map(|number| number.as_f64().unwrap())
            .collect()
    };
    assert_eq!(vector(0), vector(2));
    assert_ne!(vector(0), vector(1));
    assert!((vector(0).iter().map(|number| number * number).sum::<f64>() - 1.0).abs() < 1e-5);
    let body = json!({"model": "echo", "input": "a", "dimensions": 5, "encoding_format": "base64"});
    let base64 = server.post("/v1/embeddings", body).await.json();
    let bytes = STANDARD
        .decode(base64["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    let decoded: Vec<f64> = bytes
        .chunks(4)
        .map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap())))
        .collect();
    assert_eq!(decoded, vector(0));
    let body = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 5});
    let gemini = server
        .post("/v1beta/models/echo:embedContent", body.clone())
        .await
        .json();
    assert_eq!(
        gemini["embedding"]["values"],
        floats["data"][0]["embedding"]
    );
    let batch = server
        .post(
            "/v1beta/models/echo:batchEmbedContents",
            json!({"requests": [body]}),
        )
        .await
        .json();
    assert_eq!(batch["embeddings"][0], gemini["embedding"]);
}

#[tokio::test]
async fn messages_whole() {
    let mut server = Server::start().await;
    let body = server
        .messages("/think hm\n/tool f {\"a\": 1}\nhello", false)
        .await
        .json();
    let kinds: Vec<_> = (0..3)
        .map(|index| body["content"][index]["type"].clone())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    assert_eq!(body["content"][1]["text"], "hello");
    assert_eq!(body["content"][2]["input"], json!({"a": 1}));
    assert_eq!(body["stop_reason"], "tool_use");
    let body = json!({"model": "echo", "messages": [{"role": "user", "content": "12345678"}]});
    let body = server.post("/v1/messages/count_tokens", body).await.json();
    assert_eq!(body["input_tokens"], 4);
}

#[tokio::test]
async fn messages_stream() {
    let mut server = Server::start().await;
    let answered = server
        .messages("/think hm\n/tool f {\"a\": 1}\nhello you", true)
        .await;
    let events = answered.events();
    let mut kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    kinds.dedup();
    let block = [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ];
    let mut expected = vec!["message_start", block[0], "ping", block[1], block[2]];
    expected.extend([block, block].concat());
    expected.extend(["message_delta", "message_stop"]);
    assert_eq!(kinds, expected);
    for event in &events {
        assert!(answered.text.contains(&format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )));
    }
    assert_eq!(answered.joined("/delta/thinking"), "hm");
    assert_eq!(answered.joined("/delta/text"), "hello you");
    assert_eq!(answered.joined("/delta/partial_json"), "{\"a\": 1}");
    assert_eq!(answered.joined("/delta/stop_reason"), "tool_use");
}

#[tokio::test]
async fn gemini_in_three_framings() {
    let mut server = Server::start().await;
    let prompt = "/think hm\n/tool f {\"a\": 1}\nhello you";
    let whole = server.gemini(prompt, "generateContent").await.json();
    let parts = &whole["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0], json!({"text": "hm", "thought": true}));
    assert_eq!(parts[1]["text"], "hello you");
    assert_eq!(parts[2]["functionCall"]["args"], json!({"a": 1}));
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");

    let sse = server.gemini(prompt, "streamGenerateContent?alt=sse").await;
    let array = server.gemini(prompt, "streamGenerateContent").await;
    assert_eq!(
        array.headers["content-type"],
        "application/json; charset=UTF-8"
    );
    let array: Vec<Value> = serde_json::from_str(&array.text).unwrap();
    for chunks in [sse.events(), array] {
        let parts: Vec<&Value> = chunks
            .iter()
            .map(|chunk| &chunk["candidates"][0]["content"]["parts"][0])
            .collect();
        let texts = parts.iter().filter(|part| part.get("thought").is_none());
        assert_eq!(
            texts
                .filter_map(|part| part["text"].as_str())
                .collect::<String>(),
            "hello you"
        );
        assert_eq!(
            parts
                .iter()
                .filter(|part| part.get("functionCall").is_some())
                .count(),
            1
        );
        let last = chunks.last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    }
    let tokens = server.gemini("12345678", "countTokens").await.json();
    assert_eq!(tokens["totalTokens"], 3);
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
