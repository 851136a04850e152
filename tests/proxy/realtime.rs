//! Realtime conversations: what passes both ways, what is edited or refused, and every way in which they end.

use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::config::Config;
use sluicegate::shared::Fail;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::exchange::{add_key, store};
use crate::support::client::{Reply, send};
use crate::support::eventually;
use crate::support::gateway::{CREDENTIAL, Gateway};
use crate::support::websocket::{Client, OPENING, Provider, Turn, around, delta, frame, ping};

const ASK: &str = r#"{"type": "response.create",  "event_id": "e1"}"#;

const ASK_AGAIN: &str = r#"{"type": "response.create"}"#;

/// A text of a user.
fn item(text: &str) -> String {
    let text = Value::from(text);
    format!(
        r#"{{ "type":"conversation.item.create", "item":{{"type":"message","role":"user","content":[{{"type":"input_text","text":{text}}}]}}, "future": 1.10 }}"#
    )
}

/// A gateway with one policy, whose text follows its name.
async fn under(provider: &Provider, policy: &str) -> (Gateway, TempDir) {
    under_with(provider, policy, |_| {}).await
}

async fn under_with(
    provider: &Provider,
    policy: &str,
    configure: impl FnOnce(&mut Config),
) -> (Gateway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("version: 1\nname: talk\n{policy}");
    std::fs::write(folder.path().join("talk.yaml"), text).unwrap();
    let gateway = Gateway::start(provider.address, |config| {
        config.policies = Some(folder.path().to_owned());
        "talk".clone_into(&mut config.policy);
        configure(config);
    })
    .await;
    (gateway, folder)
}

const SECRET: &str =
    "topics:\n  - {id: bluebird, pattern: 'bluebird-[0-9]{4}', on: [request, response], action: ";

fn on_secret(action: &str) -> String {
    format!("{SECRET}{action}}}\n")
}

#[tokio::test]
async fn events_pass_byte_for_byte_both_ways_and_keys_stay_behind() {
    let (before, after) = around("Paris it is.");
    let events = [before, vec![delta("Paris"), delta(" it is.")], after].concat();
    let second: Vec<String> = events
        .iter()
        .map(|event| {
            event
                .replace(r#""r1""#, r#""r2""#)
                .replace(r#""i1""#, r#""i2""#)
        })
        .collect();
    let answers = [events.clone(), second.clone()];
    let provider = Provider::start(move |heard| {
        let answer = match heard {
            ASK => &answers[0],
            ASK_AGAIN => &answers[1],
            _ => return Vec::new(),
        };
        answer.iter().cloned().map(Turn::Say).collect()
    })
    .await;
    let gateway = Gateway::start(provider.address, |_| {}).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    assert_eq!(client.opened.header("openai-model"), Some("m"));
    assert_eq!(client.opened.header("set-cookie"), None);
    assert!(client.opened.header("x-sluicegate-request-id").is_some());
    let said = item("Which city?");
    client.say(&said).await;
    client.say(ASK).await;
    for event in &events {
        assert_eq!(client.text().await, *event);
    }
    client.say(ASK_AGAIN).await;
    for event in &second {
        assert_eq!(client.text().await, *event);
    }
    client.send(Message::Close(None)).await;
    assert_eq!(client.rest().await.1, 1005);
    eventually("the end", || provider.closed() == 1).await;
    assert_eq!(provider.heard().0, [said.as_str(), ASK, ASK_AGAIN]);
    let head = &provider.heads()[0];
    assert!(head.starts_with("GET /v1/realtime?model=gpt-realtime HTTP/1.1"));
    assert!(head.contains(&format!("authorization: Bearer {CREDENTIAL}")));
    assert!(!head.contains("sg-") && !head.contains("dGhlIHNhbXBsZSBub25jZQ"));
    let record = &gateway.records(1).await[0];
    assert_eq!(record["outcome"], "allowed", "{record}");
    assert_eq!(record["api"], "realtime");
    assert_eq!(record["model"], "gpt-realtime");
    assert_eq!(record["provider"], "openai");
    assert_eq!(record["status"], 101);
    assert_eq!(record["usage"], json!({"input": 6, "output": 4}));
    assert_eq!(
        record["request"]["bytes"],
        said.len() + ASK.len() + ASK_AGAIN.len()
    );
}

#[tokio::test]
async fn a_key_may_come_as_a_subprotocol() {
    let provider = Provider::saying(vec![]).await;
    let gateway = Gateway::start(provider.address, |_| {}).await;
    let headers = format!(
        "sec-websocket-protocol: realtime, openai-insecure-api-key.{}, openai-beta.realtime-v1\r\n\
         sec-websocket-extensions: permessage-deflate\r\norigin: http://page\r\n",
        gateway.key
    );
    let path = "/openai/v1/realtime?model=gpt-realtime&intent=transcription";
    let client = Client::open_with(gateway.address, path, &headers).await;
    let client = client.unwrap_or_else(|reply| panic!("{reply:?}"));
    let chosen = client.opened.header("sec-websocket-protocol");
    assert_eq!(chosen, Some("realtime"));
    assert_eq!(client.opened.header("sec-websocket-extensions"), None);
    let head = provider.heads()[0].to_ascii_lowercase();
    assert!(head.contains("sec-websocket-protocol: realtime, openai-beta.realtime-v1\r\n"));
    assert!(!head.contains("extensions") && !head.contains("origin") && !head.contains("sg-"));
    assert!(head.starts_with("get /v1/realtime?model=gpt-realtime&intent=transcription http"));
}

#[tokio::test]
async fn what_opens_no_conversation_is_refused_clearly() {
    let provider = Provider::saying(vec![]).await;
    let gateway = Gateway::start(provider.address, |_| {}).await;
    let limited = add_key(&gateway, |record| record.models = vec!["other".to_owned()]);
    let bearer = |key: &str| format!("authorization: Bearer {key}\r\n");
    let path = "/v1/realtime?model=gpt-realtime";
    let refused = async |path: &str, headers: &str| -> Reply {
        let opened = Client::open_with(gateway.address, path, headers).await;
        opened.err().expect("a refusal")
    };
    let reply = refused(path, "").await;
    assert_eq!(reply.status, 401);
    let reply = refused(path, &bearer("sg-wrong")).await;
    assert_eq!(reply.status, 401);
    let reply = refused(path, &bearer(&limited)).await;
    assert_eq!(reply.json()["error"]["code"], "model_not_allowed");
    let reply = refused(&format!("{path}&note=text"), &bearer(&gateway.key)).await;
    assert_eq!(reply.json()["error"]["code"], "invalid_query");
    let plain = format!(
        "GET {path} HTTP/1.1\r\nhost: gateway\r\n{}\r\n",
        bearer(&gateway.key)
    );
    let reply = send(gateway.address, plain).await;
    assert_eq!(reply.json()["error"]["code"], "websocket_required");
    let post = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\n{OPENING}{}content-length: 0\r\n\r\n",
        bearer(&gateway.key)
    );
    assert_eq!(send(gateway.address, post).await.status, 405);
    assert_eq!(provider.heads().len(), 0);
    gateway.records(6).await;
}

#[tokio::test]
async fn a_provider_that_does_not_open_one_is_an_answer_like_others() {
    use crate::support::upstream::{Upstream, answer};
    let body = br#"{"error":{"message":"no such model: bluebird-1234","type":"invalid_request_error","code":"model_not_found","param":null}}"#;
    let upstream = Upstream::always(answer(404, "application/json", body)).await;
    let folder = tempfile::tempdir().unwrap();
    let text = format!("version: 1\nname: talk\n{}", on_secret("redact"));
    std::fs::write(folder.path().join("talk.yaml"), text).unwrap();
    let gateway = Gateway::start(upstream.address, |config| {
        config.policies = Some(folder.path().to_owned());
        "talk".clone_into(&mut config.policy);
    })
    .await;
    let headers = format!("authorization: Bearer {}\r\n", gateway.key);
    let opened = Client::open_with(gateway.address, "/v1/realtime?model=m", &headers).await;
    let reply = opened.err().expect("a refusal");
    assert_eq!(reply.status, 404);
    assert_eq!(
        reply.json()["error"]["message"],
        "no such model: [BLUEBIRD]"
    );
    let broken = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: wrong\r\n\r\n";
    let upstream = Upstream::always(broken.to_vec()).await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let headers = format!("authorization: Bearer {}\r\n", gateway.key);
    let opened = Client::open_with(gateway.address, "/v1/realtime?model=m", &headers).await;
    assert_eq!(opened.err().expect("a refusal").status, 502);
}

#[tokio::test]
async fn a_refused_event_never_goes_up() {
    let provider = Provider::saying(vec![]).await;
    let (gateway, _folder) = under(&provider, &on_secret("block")).await;
    let tool = r#"{"type":"session.update","session":{"type":"realtime","tools":[{"type":"function","name":"f","description":"uses bluebird-1234"}]}}"#;
    let instructions =
        r#"{"type":"session.update","session":{"instructions":"the code is blue\u0062ird-1234"}}"#;
    let answer = r#"{"type":"response.create","response":{"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"bluebird-1234"}]}]}}"#;
    let unknown = r#"{"type":"session.whisper","words":["bluebird-1234"]}"#;
    let said = item("it is bluebird-1234");
    let refused = [said.as_str(), tool, instructions, answer, unknown];
    for (count, event) in refused.iter().enumerate() {
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(&item("harmless")).await;
        client.say(event).await;
        let (events, code) = client.rest().await;
        assert_eq!(code, 1008, "{event}");
        let [error] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(error["type"], "error");
        assert_eq!(error["error"]["code"], "content_filter");
        assert_eq!(error["error"]["sluicegate"]["rule"], "topic.bluebird");
        assert!(!error.to_string().contains("bluebird-1234"));
        let record = gateway.records(count + 1).await.pop().unwrap();
        assert_eq!(record["outcome"], "blocked");
        assert_eq!(record["reason"], "topic.bluebird");
        assert_eq!(record["request"]["action"], "block");
        assert_eq!(record["response"]["action"], "allow");
    }
    let conversations = refused.len();
    eventually("all ends", || provider.closed() == conversations).await;
    assert!(!format!("{:?}", provider.heard()).contains("1234"));
}

#[tokio::test]
async fn a_refusal_may_be_a_message() {
    let provider = Provider::saying(vec![]).await;
    let policy = format!(
        "respond: message\nmessage: Not here.\n{}",
        on_secret("block")
    );
    let (gateway, _folder) = under(&provider, &policy).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.say(&item("bluebird-1234")).await;
    let (events, code) = client.rest().await;
    assert_eq!(code, 1000);
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"response.created"));
    let done = events.last().unwrap();
    assert_eq!(done["type"], "response.done");
    assert_eq!(
        done["response"]["status_details"]["reason"],
        "content_filter"
    );
    let text = &done["response"]["output"][0]["content"][0]["text"];
    assert_eq!(text, "Not here.");
    assert_eq!(gateway.records(1).await[0]["outcome"], "blocked");
}

#[tokio::test]
async fn an_answer_is_redacted_in_deltas_and_in_every_repetition() {
    let text = "The code is bluebird-1234, keep it.";
    let (before, after) = around(text);
    for size in [1, 3, 7, 100] {
        let letters: Vec<char> = text.chars().collect();
        let deltas = letters
            .chunks(size)
            .map(|part| delta(&part.iter().collect::<String>()));
        let events = [before.clone(), deltas.collect(), after.clone()].concat();
        let provider = Provider::saying(events).await;
        let (gateway, _folder) = under(&provider, &on_secret("redact")).await;
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(ASK).await;
        let mut said = String::new();
        loop {
            let event = client.hear().await;
            assert!(!event.to_string().contains("1234"), "{event}");
            said.push_str(event["delta"].as_str().unwrap_or_default());
            let whole = "The code is [BLUEBIRD], keep it.";
            match event["type"].as_str().unwrap() {
                "response.output_text.done" => assert_eq!(event["text"], whole),
                "response.content_part.done" => assert_eq!(event["part"]["text"], whole),
                "response.done" => {
                    let item = &event["response"]["output"][0];
                    assert_eq!(item["content"][0]["text"], whole);
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(said, "The code is [BLUEBIRD], keep it.", "{size}");
        client.send(Message::Close(None)).await;
        let record = &gateway.records(1).await[0];
        assert_eq!(record["response"]["action"], "redact");
        assert_eq!(record["outcome"], "allowed");
    }
}

#[tokio::test]
async fn a_blocked_answer_ends_the_conversation_before_its_text_is_seen() {
    let (before, after) = around("It is bluebird-1234.");
    let deltas = vec![delta("It is blue"), delta("bird-1234.")];
    for (respond, code, kind) in [("error", 1008, "error"), ("message", 1000, "response.done")] {
        let provider =
            Provider::saying([before.clone(), deltas.clone(), after.clone()].concat()).await;
        let policy = format!("respond: {respond}\n{}", on_secret("block"));
        let (gateway, _folder) = under(&provider, &policy).await;
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(ASK).await;
        let (events, closed) = client.rest().await;
        assert_eq!(closed, code);
        assert_eq!(events.last().unwrap()["type"], kind);
        assert!(!format!("{events:?}").contains("bird-1"), "{events:?}");
        let record = &gateway.records(1).await[0];
        assert_eq!(record["outcome"], "blocked");
        assert_eq!(record["response"]["action"], "block");
        eventually("the provider is told", || provider.closed() == 1).await;
    }
}

#[tokio::test]
async fn what_was_taken_out_is_put_back_in_later_answers() {
    let (before, after) = around("I write to <MAIL_1> and <MAIL_2>.");
    let deltas = vec![delta("I write to <MA"), delta("IL_1> and <MAIL_2>.")];
    let events = [before, deltas, after].concat();
    let provider = Provider::start(move |heard| {
        if heard.contains("response.create") {
            events.iter().cloned().map(Turn::Say).collect()
        } else {
            Vec::new()
        }
    })
    .await;
    let policy = "topics:\n  - {id: mail, pattern: '[a-z]{1,9}@example[.]com', on: [request], action: redact, reversible: true}\n";
    let (gateway, _folder) = under(&provider, policy).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.say(&item("Write to ann@example.com")).await;
    client
        .say(&item("and to bob@example.com, not ann@example.com"))
        .await;
    client.say(ASK).await;
    let mut said = String::new();
    loop {
        let event = client.hear().await;
        said.push_str(event["delta"].as_str().unwrap_or_default());
        if event["type"] == "response.output_text.done" {
            assert_eq!(
                event["text"],
                "I write to ann@example.com and bob@example.com."
            );
            break;
        }
    }
    assert_eq!(said, "I write to ann@example.com and bob@example.com.");
    let up = provider.heard().0.concat();
    assert!(up.contains("and to <MAIL_2>, not <MAIL_1>"), "{up}");
    assert!(!up.contains('@'));
}

#[tokio::test]
async fn media_passes_counted_or_not_at_all() {
    let sound = r#"{"type":"response.output_audio.delta","event_id":"e","response_id":"r1","item_id":"i1","output_index":0,"content_index":0,"delta":"AAAAAAAA"}"#;
    let audio = r#"{"type":"input_audio_buffer.append","audio":"AAAAAAAA"}"#;
    let provider = Provider::saying(vec![sound.to_owned()]).await;
    let (gateway, _folder) = under(&provider, "media: pass\n").await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.say(audio).await;
    assert_eq!(client.text().await, sound);
    client.send(Message::Close(None)).await;
    let record = &gateway.records(1).await[0];
    assert_eq!(record["request"]["media_unscanned"], 1);
    assert_eq!(record["response"]["media_unscanned"], 1);
    for said in [audio, ASK] {
        let (gateway, _folder) = under(&provider, "media: block\n").await;
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(said).await;
        let (events, code) = client.rest().await;
        assert_eq!(code, 1008);
        assert_eq!(events.len(), 1, "{events:?}");
        let rule = &events[0]["error"]["sluicegate"]["rule"];
        assert_eq!(rule, "media.unscanned");
        let record = &gateway.records(1).await[0];
        assert_eq!(record["reason"], "media.unscanned");
    }
    assert_eq!(provider.heard().0, [audio, ASK]);
}

#[tokio::test]
async fn unknown_events_are_scanned_or_refused() {
    let novel = r#"{"type":"response.hologram.delta","event_id":"e","response_id":"r1","delta":"bluebird-1234"}"#;
    let provider = Provider::saying(vec![novel.to_owned()]).await;
    let (gateway, _folder) = under(&provider, &on_secret("redact")).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.say(r#"{"type":"session.whisper"}"#).await;
    client
        .say(r#"{"type":"session.whisper","to":"bluebird-1234"}"#)
        .await;
    // Nobody says where the text of an unknown event ends, so it waits for what is behind it.
    client.say(ASK).await;
    eventually("all three", || provider.heard().0.len() == 3).await;
    assert!(provider.heard().0[1].contains("[BLUEBIRD]"));
    drop(client);
    let policy = format!("unknown: block\n{}", on_secret("redact"));
    let (gateway, _folder) = under(&provider, &policy).await;
    for (said, code) in [(r#"{"type":"session.whisper"}"#, 1011), (ASK, 1011)] {
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(said).await;
        let (events, closed) = client.rest().await;
        assert_eq!((events.len(), closed), (1, code), "{events:?}");
        assert_eq!(events[0]["type"], "error");
    }
    for record in gateway.records(2).await {
        assert_eq!(record["outcome"], "failed");
    }
}

#[tokio::test]
async fn frames_that_are_no_events_end_the_conversation() {
    let provider = Provider::saying(vec![]).await;
    let gateway = Gateway::start(provider.address, |config| {
        config.limits.max_body_bytes = 2_000;
    })
    .await;
    let text = |payload: &[u8]| frame(0x81, payload);
    let long = format!(r#"{{"type":"session.update","x":"{}"}}"#, "y".repeat(3_000));
    let mut unmasked = vec![0x81, 2];
    unmasked.extend_from_slice(b"{}");
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("binary", frame(0x82, b"{}"), 1003, "unsupported_data"),
        ("no JSON", text(b"{oops"), 1007, "invalid_json"),
        (
            "a key twice",
            text(br#"{"type":"response.create","type":"x"}"#),
            1007,
            "invalid_json",
        ),
        ("no object", text(b"[]"), 1007, "invalid_json"),
        ("nothing", text(b""), 1007, "invalid_json"),
        ("no UTF-8", text(b"\"\xff\""), 1007, "invalid_text"),
        ("too long", text(long.as_bytes()), 1009, "message_too_large"),
        ("a reserved bit", frame(0xC1, b"{}"), 1002, "invalid_frame"),
        (
            "a reserved opcode",
            frame(0x83, b"{}"),
            1002,
            "invalid_frame",
        ),
        ("no mask", unmasked, 1002, "invalid_frame"),
        (
            "a fragment of nothing",
            frame(0x80, b"{}"),
            1002,
            "invalid_frame",
        ),
        (
            "a ping in fragments",
            frame(0x09, b"x"),
            1002,
            "invalid_frame",
        ),
        (
            "a ping too long",
            frame(0x89, &[b'x'; 126]),
            1002,
            "invalid_frame",
        ),
        (
            "a text within a text",
            [frame(0x01, b"{"), frame(0x81, b"{}")].concat(),
            1002,
            "invalid_frame",
        ),
        (
            "a character that its fragments do not end",
            [frame(0x01, b"\"\xc3"), frame(0x80, b"\"")].concat(),
            1007,
            "invalid_text",
        ),
        (
            "fragments too long together",
            [
                frame(0x01, &long.as_bytes()[..1500]),
                frame(0x80, &long.as_bytes()[1500..]),
            ]
            .concat(),
            1009,
            "message_too_large",
        ),
        (
            "a length that no message has",
            [&[0x81, 0xFF][..], &[0x7F; 8], &[0; 4]].concat(),
            1009,
            "message_too_large",
        ),
    ];
    for (count, (name, bytes, code, reason)) in cases.iter().enumerate() {
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.write(bytes).await;
        let (events, closed) = client.rest().await;
        assert_eq!((events.len(), closed), (1, *code), "{name}: {events:?}");
        assert_eq!(events[0]["error"]["code"], *reason, "{name}");
        let record = gateway.records(count + 1).await.pop().unwrap();
        assert_eq!(record["outcome"], "blocked", "{name}");
        assert_eq!(record["reason"], *reason, "{name}");
    }
    eventually("all ends", || provider.closed() == cases.len()).await;
    assert_eq!(provider.heard().0, Vec::<String>::new());
}

#[tokio::test]
async fn fragments_are_one_event_and_pings_are_answered_by_the_gateway() {
    let provider = Provider::start(|heard| match heard {
        "" => vec![Turn::Send(ping())],
        _ => vec![
            Turn::Send(ping()),
            Turn::Say(r#"{"type":"session.updated","event_id":"e"}"#.to_owned()),
        ],
    })
    .await;
    let (gateway, _folder) = under(&provider, &on_secret("redact")).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    let event = item("it is bluebird-1234, oui à Évian");
    let (first, rest) = event.as_bytes().split_at(event.find("bird").unwrap());
    let (second, rest) = rest.split_at(3);
    // Within a character.
    let (third, last) = rest.split_at(rest.iter().position(|byte| *byte == 0xC3).unwrap() + 1);
    client.write(&frame(0x01, first)).await;
    client.write(&frame(0x89, b"hello")).await;
    client.write(&frame(0x00, second)).await;
    client.write(&frame(0x00, b"")).await;
    client.write(&frame(0x00, third)).await;
    client.write(&frame(0x80, last)).await;
    assert_eq!(
        client.next().await,
        Message::Pong(Bytes::from_static(b"hello"))
    );
    assert_eq!(client.hear().await["type"], "session.updated");
    eventually("the event", || provider.heard().0.len() == 1).await;
    assert!(provider.heard().0[0].contains("it is [BLUEBIRD], oui à Évian"));
    assert_eq!(provider.pings(), 0, "what a ping says would pass unscanned");
}

#[tokio::test]
async fn fragments_of_a_provider_are_one_event_too() {
    let part = |text: &str, kind, last| {
        let frame = Frame::message(text.as_bytes().to_vec(), OpCode::Data(kind), last);
        Turn::Send(Message::Frame(frame))
    };
    let (before, after) = around("it is bluebird-1234, yes");
    let event = delta("it is bluebird-1234, yes");
    let (first, rest) = event.split_at(event.find("bird").unwrap());
    let (second, third) = rest.split_at(7);
    let turns = [
        part(first, Data::Text, false),
        Turn::Send(ping()),
        part(second, Data::Continue, false),
        part(third, Data::Continue, true),
    ];
    let before = before.into_iter().map(Turn::Say);
    let after = after.into_iter().map(Turn::Say);
    let all: Vec<Turn> = before.chain(turns).chain(after).collect();
    let provider = Provider::start(move |heard| match heard {
        "" => Vec::new(),
        _ => all.clone(),
    })
    .await;
    let (gateway, _folder) = under(&provider, &on_secret("redact")).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.say(ASK).await;
    let mut heard = String::new();
    loop {
        let event = client.text().await;
        heard.push_str(&event);
        if event.contains("response.done") {
            break;
        }
    }
    assert!(!heard.contains("bluebird"), "{heard}");
    assert!(heard.contains("it is [BLUEBIRD], yes"), "{heard}");
}

#[tokio::test]
async fn a_provider_that_dies_is_an_error_event() {
    let (before, _) = around("x");
    for turns in [
        vec![Turn::Drop],
        vec![
            Turn::Say(before[0].clone()),
            Turn::Say(delta("half")),
            Turn::Drop,
        ],
        vec![Turn::Say(before[0].clone()), Turn::Close(1000, "")],
        vec![Turn::Send(Message::Binary(Bytes::from_static(b"{}")))],
        vec![Turn::Say("{oops".to_owned())],
        vec![Turn::Say(r#"{"type":"a","type":"b"}"#.to_owned())],
    ] {
        let script = turns.clone();
        let provider = Provider::start(move |heard| match heard {
            "" => Vec::new(),
            _ => script.clone(),
        })
        .await;
        let gateway = Gateway::start(provider.address, |_| {}).await;
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(ASK).await;
        let (events, code) = client.rest().await;
        assert_eq!(code, 1011, "{turns:?}");
        let last = events.last().unwrap();
        assert_eq!(last["type"], "error", "{turns:?}");
        assert_eq!(last["error"]["code"], "upstream_failed");
        let record = &gateway.records(1).await[0];
        let outcome = record["outcome"].as_str().unwrap();
        assert!(matches!(outcome, "cut" | "failed"), "{record}");
    }
}

#[tokio::test]
async fn a_provider_that_closes_is_heard_out() {
    for (reason, passed) in [("bye", "bye"), ("it was bluebird-1234", "")] {
        let provider = Provider::start(move |heard| match heard {
            "" => Vec::new(),
            _ => vec![Turn::Close(4000, reason)],
        })
        .await;
        let (gateway, _folder) = under(&provider, &on_secret("redact")).await;
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(ASK).await;
        let Message::Close(Some(frame)) = client.next().await else {
            panic!("no close")
        };
        assert_eq!(
            (u16::from(frame.code), frame.reason.as_str()),
            (4000, passed)
        );
        assert_eq!(gateway.records(1).await[0]["outcome"], "allowed");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_providers_side() {
    let (before, _) = around("x");
    let provider = Provider::saying(vec![before[0].clone()]).await;
    let gateway = Gateway::start(provider.address, |_| {}).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.say(ASK).await;
    client.hear().await;
    drop(client);
    eventually("the provider is told", || provider.closed() == 1).await;
    let record = &gateway.records(1).await[0];
    assert_eq!(record["reason"], "client_left");
    assert_eq!(record["outcome"], "cut");
    // A code of the client's goes on.
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.write(&frame(0x88, &[0x0F, 0xA1])).await;
    eventually("the code", || provider.heard().1.contains(&4001)).await;
    assert_eq!(client.rest().await.1, 4001);
    assert_eq!(gateway.records(2).await[1]["outcome"], "allowed");
}

#[tokio::test]
async fn p40_a_revoked_key_ends_its_conversation() {
    let provider = Provider::saying(vec![]).await;
    let gateway = Gateway::start(provider.address, |_| {}).await;
    let mut id = None;
    let key = add_key(&gateway, |record| id = Some(record.id.clone()));
    let mut client = Client::open(gateway.address, &key).await;
    client.say(ASK).await;
    eventually("the event", || provider.heard().0.len() == 1).await;
    let now = jiff::Timestamp::now();
    assert!(store(&gateway).revoke(&id.unwrap(), now).unwrap());
    assert!(gateway.inner.keyring.refresh(now).unwrap());
    gateway.inner.keys_changed.notify_waiters();
    let (events, code) = client.rest().await;
    assert_eq!(code, 1008);
    assert_eq!(events[0]["error"]["code"], "key_withdrawn");
    assert_eq!(gateway.records(1).await[0]["reason"], "key_withdrawn");
    eventually("the provider is told", || provider.closed() == 1).await;
}

#[tokio::test]
async fn answers_count_against_the_limit_of_a_key() {
    let provider = Provider::saying(vec![]).await;
    let gateway = Gateway::start(provider.address, |_| {}).await;
    let key = add_key(&gateway, |record| {
        // The conversation has the only place itself.
        record.limit = Some("2/hour concurrent=1".parse().unwrap());
    });
    let mut client = Client::open(gateway.address, &key).await;
    client.say(ASK).await;
    client.say(ASK).await;
    let error = client.hear().await;
    assert_eq!(error["error"]["code"], "rate_limit_exceeded");
    // Everything else goes on.
    client.say(&item("later")).await;
    eventually("two events", || provider.heard().0.len() == 2).await;
    assert_eq!(provider.heard().0[1], item("later"));
}

#[tokio::test]
async fn models_are_checked_in_events_too() {
    let provider = Provider::saying(vec![]).await;
    let gateway = Gateway::start(provider.address, |_| {}).await;
    let key = add_key(&gateway, |record| {
        record.models = vec!["gpt-realtime".to_owned()];
    });
    let mut client = Client::open(gateway.address, &key).await;
    let event = |model: &str| {
        format!(r#"{{"type":"session.update","session":{{"type":"realtime","model":"{model}"}}}}"#)
    };
    client.say(&event("gpt-realtime")).await;
    client.say(&event("gpt-huge")).await;
    let (events, code) = client.rest().await;
    assert_eq!(code, 1008);
    assert_eq!(events[0]["error"]["code"], "model_not_allowed");
    eventually("one event", || provider.heard().0.len() == 1).await;
}

#[tokio::test]
async fn silence_and_length_have_limits() {
    for (idle, whole, reason) in [
        (
            Duration::from_millis(100),
            Duration::from_mins(1),
            "session_idle",
        ),
        (
            Duration::from_mins(1),
            Duration::from_millis(100),
            "session_too_long",
        ),
    ] {
        let provider = Provider::saying(vec![]).await;
        let gateway = Gateway::start(provider.address, |config| {
            config.timeouts.realtime_idle = idle;
            config.timeouts.realtime = whole;
        })
        .await;
        let mut client = Client::open(gateway.address, &gateway.key).await;
        client.say(ASK).await;
        let (events, code) = client.rest().await;
        assert_eq!(code, 1001);
        assert_eq!(events[0]["error"]["code"], reason);
        assert_eq!(gateway.records(1).await[0]["reason"], reason);
    }
}

#[tokio::test]
async fn the_budget_of_bytes_in_memory_holds_for_messages() {
    let provider = Provider::saying(vec![]).await;
    let gateway = Gateway::start(provider.address, |config| {
        config.limits.max_buffered_bytes = 40_000;
    })
    .await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    // The budget is over before the message is there.
    client.write(&frame(0x81, &vec![b' '; 60_000])).await;
    let (events, code) = client.rest().await;
    assert_eq!(code, 1013);
    assert_eq!(events[0]["error"]["code"], "overloaded");
    eventually("all given back", || gateway.inner.load.budget.used() == 0).await;
}

#[tokio::test]
async fn a_gateway_that_stops_lets_the_answer_end() {
    let (before, after) = around("Yes. ");
    let turns = [vec![before[0].clone()], vec![delta("Yes. ")]].concat();
    let provider = Provider::start(move |heard| match heard {
        "" => Vec::new(),
        text if text.contains("response.create") => turns.iter().cloned().map(Turn::Say).collect(),
        _ => vec![Turn::Say(after[3].clone())],
    })
    .await;
    let mut gateway = Gateway::start(provider.address, |_| {}).await;
    let mut client = Client::open(gateway.address, &gateway.key).await;
    client.say(ASK).await;
    assert_eq!(client.hear().await["type"], "response.created");
    gateway.begin_stop();
    assert_eq!(client.hear().await["delta"], "Yes. ");
    client.say(&item("go on")).await;
    assert_eq!(client.hear().await["type"], "response.done");
    let (events, code) = client.rest().await;
    assert_eq!((events.len(), code), (0, 1001));
    drop(client);
    gateway.stop().await;
    assert_eq!(gateway.records(1).await[0]["reason"], "gateway_stopped");
}

#[tokio::test]
async fn a_session_whose_level_cannot_be_told_is_not_served() {
    let provider = Provider::saying(Vec::new()).await;
    let policy = "sessions:\n  critical: {action: block}\n";
    let (gateway, _folder) = under_with(&provider, policy, |config| {
        // Nobody listens there.
        config.shared = Some("redis://127.0.0.1:1".to_owned());
        config.fail = Fail::Open;
    })
    .await;
    let headers = format!(
        "authorization: Bearer {}\r\nx-sluicegate-user: ann\r\n",
        gateway.key
    );
    let opened = Client::open_with(gateway.address, "/v1/realtime?model=m", &headers).await;
    let mut client = opened.unwrap();
    client.say(&item("Hello")).await;
    let (events, code) = client.rest().await;
    assert_eq!(code, 1013);
    assert_eq!(events[0]["error"]["code"], "sessions_unavailable");
    assert_eq!(provider.heard().0, [""; 0]);
}
