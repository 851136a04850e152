//! `OpenAI`'s realtime conversations: what is said in text is echoed in text, or with sound beside its transcript if asked for.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::answer::{Answer, Delta, Deltas, Kind, Part, identifier};
use super::ask::{Ask, tokens_in};
use super::body::Body;
use super::responses::prompt;
use super::script::Script;
use super::{Config, credential, set};

/// The subprotocol that clients in browsers offer.
const PROTOCOL: &str = "realtime";

/// Sound without any: 3 ms.
const SILENCE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether a request opens a conversation.
pub(super) fn opens(head: &Parts) -> bool {
    head.method == Method::GET
        && head.uri.path() == "/v1/realtime"
        && head.headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

/// The answer to it (RFC 6455, section 4.2.2).
pub(super) fn accept(head: &Parts) -> Response<Body> {
    let key = head.headers.get(header::SEC_WEBSOCKET_KEY);
    let accept = derive_accept_key(key.map(HeaderValue::as_bytes).unwrap_or_default());
    let mut response = Response::new(Body::whole(bytes::Bytes::new(), false));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    let offered = head.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|value| value.to_str().ok());
    if offered.any(|value| value.split(',').any(|name| name.trim() == PROTOCOL)) {
        let protocol = HeaderValue::from_static(PROTOCOL);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// A conversation.
pub(super) struct Conversation<IO> {
    socket: WebSocketStream<IO>,
    config: Config,
    model: String,
    /// What `/whoami` answers.
    presented: String,
    /// What the session was set to.
    settings: Value,
    items: Vec<Value>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Conversation<IO> {
    /// A conversation that `head` has opened.
    pub(super) async fn new(io: IO, head: &Parts, config: Config) -> Self {
        let buffers = WebSocketConfig::default().read_buffer_size(8 << 10);
        let query = head.uri.query().unwrap_or_default();
        let model = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("model="));
        Self {
            socket: WebSocketStream::from_raw_socket(io, Role::Server, Some(buffers)).await,
            config,
            model: model.unwrap_or("echo").to_owned(),
            presented: credential::presented(head),
            settings: json!({}),
            items: Vec::new(),
        }
    }

    /// Talks until the client leaves, or has said `/cut`.
    pub(super) async fn talk(mut self) -> Result<(), Error> {
        self.say("session.created", json!({"session": self.session()}))
            .await?;
        while let Some(message) = self.socket.next().await {
            let text = match message? {
                Message::Text(text) => text,
                // What there is to reply goes out by the next read.
                Message::Close(_) | Message::Ping(_) | Message::Pong(_) => continue,
                Message::Binary(_) | Message::Frame(_) => {
                    self.fail("binary messages are not supported").await?;
                    continue;
                }
            };
            let Ok(event) = serde_json::from_str::<Value>(&text) else {
                self.fail("the event is not JSON").await?;
                continue;
            };
            if !self.hear(&event).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does what a client's event says. Whether the conversation goes on.
    async fn hear(&mut self, event: &Value) -> Result<bool, Error> {
        let member = |key: &str| event.get(key).cloned().unwrap_or_default();
        match event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "session.update" => {
                if let (Value::Object(settings), Value::Object(new)) =
                    (&mut self.settings, member("session"))
                {
                    settings.extend(new);
                }
                let session = self.session();
                self.say("session.updated", json!({"session": session}))
                    .await?;
            }
            "conversation.item.create" => {
                let mut item = member("item");
                if item.get("id").is_none() {
                    set(&mut item, "id", identifier("item_").into());
                }
                set(&mut item, "object", "realtime.item".into());
                set(&mut item, "status", "completed".into());
                let place = json!({"previous_item_id": null, "item": item});
                self.items.push(item);
                self.say("conversation.item.added", place.clone()).await?;
                self.say("conversation.item.done", place).await?;
            }
            "input_audio_buffer.commit" => {
                let item = json!({"item_id": identifier("item_"), "previous_item_id": null});
                self.say("input_audio_buffer.committed", item).await?;
            }
            "input_audio_buffer.append" | "response.cancel" => {}
            "input_audio_buffer.clear" => {
                self.say("input_audio_buffer.cleared", json!({})).await?;
            }
            "response.create" => return self.answer(&member("response")).await,
            other => {
                let message = format!("there is no event {}", other.escape_default());
                self.fail(&message).await?;
            }
        }
        Ok(true)
    }

    /// Answers what was said last. Whether the conversation goes on.
    async fn answer(&mut self, asked: &Value) -> Result<bool, Error> {
        let input = asked.get("input").and_then(Value::as_array);
        let prompt = prompt(input.unwrap_or(&self.items));
        let script = Script::read(&prompt, self.config, &self.presented);
        let (slow, pace, cut) = (script.slow, script.pace, script.cut);
        tokio::time::sleep(slow).await;
        if let Some(status) = script.error {
            let message = format!("this is the error {status} that the prompt asked for");
            self.fail(&message).await?;
            return Ok(true);
        }
        let ask = Ask {
            model: self.model.clone(),
            prompts: Vec::new(),
            choices: 1,
            max_tokens: None,
            stream: true,
            include_usage: true,
            input_tokens: tokens_in(&self.items.clone().into()),
        };
        let answer = Answer::new(&ask, vec![script]);
        let modalities = |value: &Value| value.get("output_modalities").cloned();
        let wanted = modalities(asked).or_else(|| modalities(&self.settings));
        let sound = wanted.is_some_and(|wanted| wanted == json!(["audio"]));
        let reply = Reply {
            id: identifier("resp_"),
            ids: (0..answer
                .choices
                .first()
                .map_or(0, |choice| choice.parts.len()))
                .map(|_| identifier("item_"))
                .collect(),
            sound,
        };
        self.stream(&reply, &answer, pace, cut).await?;
        Ok(!cut)
    }

    async fn stream(
        &mut self,
        reply: &Reply,
        answer: &Answer,
        pace: Duration,
        cut: bool,
    ) -> Result<(), Error> {
        let begun = reply.envelope("in_progress", &json!([]), &Value::Null);
        self.say("response.created", begun).await?;
        let mut deltas = Deltas::default();
        while let Some(delta) = deltas.next(answer) {
            tokio::time::sleep(pace).await;
            let Some(part) = answer.choices.first().and_then(|c| c.parts.get(delta.part)) else {
                continue;
            };
            for (kind, event) in reply.events(part, &delta) {
                self.say(kind, event).await?;
            }
        }
        if cut {
            return Ok(());
        }
        let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
        let output: Vec<Value> = (0..)
            .zip(parts)
            .map(|(place, part)| reply.item(part, place, "completed"))
            .collect();
        self.items.extend(output.iter().cloned());
        let (input, written) = (answer.input_tokens, answer.output_tokens());
        let usage = json!({
            "total_tokens": input + written, "input_tokens": input, "output_tokens": written,
        });
        let done = reply.envelope("completed", &output.into(), &usage);
        self.say("response.done", done).await
    }

    fn session(&self) -> Value {
        let mut session = json!({
            "type": "realtime", "object": "realtime.session", "id": "sess_echo", "model": self.model,
            "output_modalities": ["text"], "instructions": "", "tools": [], "tool_choice": "auto",
        });
        if let (Value::Object(session), Value::Object(settings)) = (&mut session, &self.settings) {
            session.extend(settings.clone());
        }
        session
    }

    async fn fail(&mut self, message: &str) -> Result<(), Error> {
        let error = json!({
            "type": "invalid_request_error", "code": "invalid_event", "message": message,
            "param": null, "event_id": null,
        });
        self.say("error", json!({"error": error})).await
    }

    async fn say(&mut self, kind: &str, members: Value) -> Result<(), Error> {
        let mut event = json!({"type": kind, "event_id": identifier("event_")});
        if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
            event.extend(members);
        }
        self.socket.send(Message::text(event.to_string())).await
    }
}

/// What the events of one answer have in common.
struct Reply {
    id: String,
    /// Of its items.
    ids: Vec<String>,
    /// With sound, and text as its transcript.
    sound: bool,
}

impl Reply {
    fn envelope(&self, status: &str, output: &Value, usage: &Value) -> Value {
        json!({"response": {
            "object": "realtime.response", "id": self.id, "status": status, "status_details": null,
            "output": output, "metadata": null, "usage": usage,
        }})
    }

    fn item(&self, part: &Part, place: usize, status: &str) -> Value {
        let begun = status == "in_progress";
        let text = if begun { "" } else { &part.text };
        let id = self.ids.get(place);
        if let Kind::Tool { id: call_id, name } = &part.kind {
            return json!({
                "object": "realtime.item", "id": id, "type": "function_call", "status": status,
                "name": name, "call_id": call_id, "arguments": text,
            });
        }
        let content = if begun {
            json!([])
        } else if self.sound {
            json!([{"type": "output_audio", "transcript": text}])
        } else {
            json!([{"type": "output_text", "text": text}])
        };
        json!({
            "object": "realtime.item", "id": id, "type": "message", "status": status,
            "role": "assistant", "content": content,
        })
    }

    /// The events of one delta, with those that begin and end its part.
    fn events(&self, part: &Part, delta: &Delta) -> Vec<(&'static str, Value)> {
        let place = json!({"response_id": self.id, "output_index": delta.part});
        let with = |members: Value| {
            let mut event = place.clone();
            if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
                event.extend(members);
            }
            event
        };
        let id = self.ids.get(delta.part);
        let mut events = Vec::new();
        if delta.first {
            let item = self.item(part, delta.part, "in_progress");
            events.push(("response.output_item.added", with(json!({"item": item}))));
        }
        let text = &delta.text;
        if let Kind::Tool { id: call_id, name } = &part.kind {
            let event = with(json!({"item_id": id, "call_id": call_id, "delta": text}));
            events.push(("response.function_call_arguments.delta", event));
            if delta.last {
                let whole = &part.text;
                let event = with(
                    json!({"item_id": id, "call_id": call_id, "name": name, "arguments": whole}),
                );
                events.push(("response.function_call_arguments.done", event));
            }
        } else {
            self.said(part, delta, &mut events, &|members| {
                let mut event = with(json!({"item_id": id, "content_index": 0}));
                if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
                    event.extend(members);
                }
                event
            });
        }
        if delta.last {
            let item = self.item(part, delta.part, "completed");
            events.push(("response.output_item.done", with(json!({"item": item}))));
        }
        events
    }

    /// The events of a delta of what is shown or spoken.
    fn said(
        &self,
        part: &Part,
        delta: &Delta,
        events: &mut Vec<(&'static str, Value)>,
        with: &dyn Fn(Value) -> Value,
    ) {
        let (kind, key) = if self.sound {
            ("audio", "transcript")
        } else {
            ("text", "text")
        };
        let content = |text: &str| json!({"part": {"type": kind, key: text}});
        if delta.first {
            events.push(("response.content_part.added", with(content(""))));
        }
        let (next, done) = if self.sound {
            (
                "response.output_audio_transcript.delta",
                "response.output_audio_transcript.done",
            )
        } else {
            ("response.output_text.delta", "response.output_text.done")
        };
        events.push((next, with(json!({"delta": delta.text}))));
        if self.sound {
            let sound = with(json!({"delta": SILENCE}));
            events.push(("response.output_audio.delta", sound));
        }
        if delta.last {
            if self.sound {
                events.push(("response.output_audio.done", with(json!({}))));
            }
            events.push((done, with(json!({key: part.text}))));
            events.push(("response.content_part.done", with(content(&part.text))));
        }
    }
}
