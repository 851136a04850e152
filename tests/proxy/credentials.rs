//! Which credential goes up: the newest, the one before while it still works, the nearest.

use std::time::Duration;

use jiff::Timestamp;
use sluicegate::auth::Team;
use sluicegate::proxy::hashicorp;
use sluicegate::secret::Secret;
use sluicegate::upstream::Credential;
use sluicegate::vault::{Level, NewEntry, Owned, Reader, Rotation};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::exchange::{add_key, store};
use crate::support::client::{Reply, post, send};
use crate::support::gateway::{CREDENTIAL, Gateway};
use crate::support::upstream::{self, Step, Upstream, answer};
use crate::support::websocket::Client;

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
const OPERATOR: Reader<'_> = Reader {
    who: "test",
    level: Level::Admin,
};

/// A provider that accepts one key, `Bearer` and all.
async fn accepting(key: &'static str) -> Upstream {
    Upstream::start(move |seen| {
        let accepted = seen.headers("authorization") == [format!("Bearer {key}")];
        let socket = seen.headers("sec-websocket-key").pop();
        let reply = match socket {
            _ if !accepted => answer(401, "application/json", br#"{"error":{"message":"no"}}"#),
            None => answer(200, "application/json", &upstream::chat("Hello")),
            Some(key) => format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            )
            .into_bytes(),
        };
        vec![Step::Write(reply)]
    })
    .await
}

async fn with_vault(upstream: &Upstream) -> Gateway {
    Gateway::start(upstream.address, |config| {
        for provider in &mut config.providers {
            provider.credential = Credential::Vault(provider.name.clone());
        }
    })
    .await
}

async fn chat(gateway: &Gateway, key: &str) -> u16 {
    let request = post("/v1/chat/completions", key, CHAT);
    send(gateway.address, request).await.status
}

/// What the provider was sent, in order.
fn presented(upstream: &Upstream) -> Vec<String> {
    let keys = upstream.seen().into_iter().flat_map(|seen| {
        let keys = seen.headers("authorization").into_iter();
        keys.map(|key| key.trim_start_matches("Bearer ").to_owned())
    });
    keys.collect()
}

#[tokio::test]
async fn while_a_secret_is_rotated_the_one_before_helps_out() {
    let upstream = accepting("old").await;
    let gateway = with_vault(&upstream).await;
    let vault = &gateway.inner.vault;
    let now = Timestamp::now();
    let entry = NewEntry {
        name: "openai",
        secret: &Secret::new("old"),
        level: Level::Elevated,
    };
    vault.set(entry, OPERATOR, now).unwrap();
    assert_eq!(chat(&gateway, &gateway.key).await, 200);
    let rotate = |until| {
        let rotation = Rotation {
            name: "openai",
            secret: &Secret::new("new"),
            until,
        };
        vault.rotate(rotation, OPERATOR, now).unwrap();
    };
    rotate(now.checked_add(Duration::from_hours(1)).unwrap());
    assert_eq!(chat(&gateway, &gateway.key).await, 200);
    assert_eq!(presented(&upstream), ["old", "new", "old"]);
    let headers = format!("authorization: Bearer {}\r\n", gateway.key);
    let converse = || Client::open_with(gateway.address, "/v1/realtime?model=m", &headers);
    assert!(converse().await.is_ok());
    assert_eq!(presented(&upstream)[3..], ["new", "old"]);
    // Over, it is never sent again.
    vault.set(entry, OPERATOR, now).unwrap();
    rotate(now);
    assert_ne!(chat(&gateway, &gateway.key).await, 200);
    assert!(converse().await.is_err());
    assert_eq!(presented(&upstream)[5..], ["new", "new"]);
}

/// A gateway with a vault that lasts, whose keys may bring credentials.
async fn lasting(upstream: &Upstream) -> (Gateway, String) {
    let gateway = Gateway::start(upstream.address, |config| {
        let master = config.data.with_extension("master");
        std::fs::write(&master, "one two three").unwrap();
        config.master_key_file = Some(master);
    })
    .await;
    let key = add_key(&gateway, |record| {
        record.byok = true;
        record.team = Some("red".to_owned());
    });
    (gateway, key)
}

async fn ask(gateway: &Gateway, (method, provider): (&str, &str), key: &str, body: &str) -> Reply {
    let request = format!(
        "{method} /sluicegate/credentials/{provider} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    send(gateway.address, request).await
}

fn brought(credential: &str) -> String {
    serde_json::json!({"credential": credential}).to_string()
}

#[tokio::test]
async fn the_nearest_credential_wins() {
    let upstream =
        Upstream::always(answer(200, "application/json", &upstream::chat("Hello"))).await;
    let (gateway, key) = lasting(&upstream).await;
    let opened = post("/sluicegate/sessions", &key, "");
    let opened = send(gateway.address, opened).await.json();
    let token = opened["token"].as_str().unwrap();
    assert_eq!(chat(&gateway, &key).await, 200);
    // The team's, from another gateway or a command.
    let (now, store) = (Timestamp::now(), store(&gateway));
    let owned = Owned {
        holder: "team red",
        provider: "openai",
    };
    let vault = &gateway.inner.vault;
    let secret = Secret::new("of-the-team");
    let sealed = vault.seal_owned(owned, &secret, OPERATOR, now).unwrap();
    let team = Team {
        name: "red".into(),
        credentials: [("openai".to_owned(), sealed)].into(),
        ..Team::default()
    };
    assert!(store.put_team(&team).unwrap());
    assert!(gateway.inner.keyring.refresh(now).unwrap());
    assert_eq!(chat(&gateway, &key).await, 200);
    // The key's and the session's, each by its holder, in force at once.
    let put = ("PUT", "openai");
    let told = ask(&gateway, put, &key, &brought("of-the-key")).await;
    assert_eq!(told.status, 200);
    assert!(!told.text().contains("of-the-key"));
    for presented in [&*key, token] {
        assert_eq!(chat(&gateway, presented).await, 200);
    }
    let told = ask(&gateway, put, token, &brought("of-the-session")).await;
    assert_eq!(told.json()["holder"], opened["id"]);
    for presented in [&*key, token] {
        assert_eq!(chat(&gateway, presented).await, 200);
    }
    // Taken away, the next nearest wins again.
    let delete = ("DELETE", "openai");
    assert_eq!(ask(&gateway, delete, token, "").await.status, 200);
    assert_eq!(ask(&gateway, delete, token, "").await.status, 404);
    assert_eq!(chat(&gateway, token).await, 200);
    assert_eq!(ask(&gateway, delete, &key, "").await.status, 200);
    assert_eq!(chat(&gateway, token).await, 200);
    let expected = [
        CREDENTIAL,
        "of-the-team",
        "of-the-key",
        "of-the-key",
        "of-the-key",
        "of-the-session",
        "of-the-key",
        "of-the-team",
    ];
    assert_eq!(presented(&upstream), expected);
    // Another's keys have none of this, and none of it is anywhere on the disk.
    assert_eq!(chat(&gateway, &gateway.key).await, 200);
    assert_eq!(presented(&upstream).last().unwrap(), CREDENTIAL);
    for file in std::fs::read_dir(&gateway.data).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = |plain: &[u8]| bytes.windows(plain.len()).any(|window| window == plain);
        let plain = [&b"of-the-key"[..], b"of-the-session", b"of-the-team"];
        assert!(!plain.into_iter().any(found), "{}", path.display());
    }
    let log = std::fs::read_to_string(gateway.data.join("audit/audit-000001.jsonl")).unwrap();
    assert_eq!(log.matches("credential.set").count(), 2);
    assert_eq!(log.matches("credential.delete").count(), 2);
}

#[tokio::test]
async fn who_may_not_bring_a_credential_is_told_why() {
    let upstream = Upstream::always(answer(200, "application/json", b"{}")).await;
    let (gateway, key) = lasting(&upstream).await;
    let narrow = add_key(&gateway, |record| {
        record.byok = true;
        record.providers = vec!["gemini".to_owned()];
    });
    let put = |provider| ("PUT", provider);
    let good = brought("a-key");
    for (key, provider, body, status, code) in [
        (
            &gateway.key,
            "openai",
            &*good,
            403,
            "credential_not_allowed",
        ),
        (&narrow, "openai", &good, 404, "unknown_provider"),
        (&key, "nobody", &good, 404, "unknown_provider"),
        (&key, "openai", "", 400, "invalid_credential"),
        (&key, "openai", "[\"a-key\"]", 400, "invalid_credential"),
        (&key, "openai", &brought(" "), 400, "invalid_credential"),
        (
            &key,
            "openai",
            &brought("a\r\nx: y"),
            400,
            "invalid_credential",
        ),
        (
            &key,
            "openai",
            &brought(&"a".repeat(16_385)),
            400,
            "invalid_credential",
        ),
    ] {
        let told = ask(&gateway, put(provider), key, body).await;
        let json = told.json();
        assert_eq!(
            (told.status, &json["error"]["code"]),
            (status, &code.into()),
            "{body}"
        );
    }
    assert_eq!(ask(&gateway, ("GET", "openai"), &key, "").await.status, 405);
    assert_eq!(ask(&gateway, ("PUT", "a/b"), &key, &good).await.status, 404);
    assert_eq!(
        ask(&gateway, put("openai"), "sg-unknown", &good)
            .await
            .status,
        401
    );
    // One that cannot be opened stops the exchange: nobody else's is sent in its place.
    assert_eq!(ask(&gateway, put("openai"), &key, &good).await.status, 200);
    let store = store(&gateway);
    let id = key.strip_prefix("sg-").unwrap()[..8].to_owned();
    let mut record = store.lookup("", &id).unwrap().remove(0);
    record
        .credentials
        .insert("openai".to_owned(), "AAAA".to_owned());
    assert!(store.update(&record).unwrap());
    assert!(gateway.inner.keyring.refresh(Timestamp::now()).unwrap());
    assert!(chat(&gateway, &key).await >= 500);
    assert!(presented(&upstream).is_empty());
}

/// What a gateway without a master key took would be lost with it.
#[tokio::test]
async fn a_vault_that_ends_with_the_process_takes_no_credentials() {
    let upstream = Upstream::always(answer(200, "application/json", b"{}")).await;
    let gateway = Gateway::start(upstream.address, |_| {}).await;
    let key = add_key(&gateway, |record| record.byok = true);
    let told = ask(&gateway, ("PUT", "openai"), &key, &brought("a-key")).await;
    assert_eq!(told.status, 503);
    assert_eq!(told.json()["error"]["code"], "vault_temporary");
}

/// A server of KV version 2, by its documented answers; the token is `kv-token`.
async fn kv() -> Upstream {
    Upstream::start(|seen| {
        let path = seen.head.split(' ').nth(1).unwrap();
        let token = seen.headers("x-vault-token");
        let secret = |fields: &str| {
            let body = format!(
                r#"{{"request_id":"1","lease_id":"","data":{{"data":{fields},"metadata":{{"created_time":"2026-01-01T00:00:00Z",
                "deletion_time":"","destroyed":false,"version":3}}}}}}"#
            );
            answer(200, "application/json", body.as_bytes())
        };
        let reply = match path {
            _ if token != ["kv-token"] => answer(403, "application/json", br#"{"errors":["permission denied"]}"#),
            "/v1/secret/data/llm/good" => secret(r#"{"key":"kept-elsewhere","other":1}"#),
            "/v1/secret/data/llm/once" if seen.connection == 0 => secret(r#"{"key":"kept-elsewhere"}"#),
            "/v1/secret/data/llm/once" => answer(503, "application/json", br#"{"errors":["sealed"]}"#),
            "/v1/secret/data/llm/odd" => answer(200, "application/json", b"{}"),
            _ => answer(404, "application/json", br#"{"data":{"data":null,"metadata":{"deletion_time":"2026-01-02T00:00:00Z"}}}"#),
        };
        vec![Step::Write(reply), Step::Close]
    })
    .await
}

/// A gateway whose credential is that field of that secret.
async fn with_kv(
    upstream: &Upstream,
    kv: &Upstream,
    (path, field, token): (&str, &str, &str),
) -> Gateway {
    Gateway::start(upstream.address, |config| {
        let file = config.data.with_extension("token");
        std::fs::write(&file, token).unwrap();
        config.hashicorp = Some(hashicorp::Config {
            address: format!("http://{}", kv.address),
            token: Credential::File(file),
            namespace: Some("team-a".to_owned()),
            ca: None,
            refresh: Duration::ZERO,
        });
        for provider in &mut config.providers {
            provider.credential = Credential::HashiCorp {
                path: path.to_owned(),
                field: field.to_owned(),
            };
        }
    })
    .await
}

#[tokio::test]
async fn hashicorp_vault_gives_credentials_and_refuses_them() {
    let kv = kv().await;
    for (path, field, token, sent) in [
        ("secret/llm/good", "key", "kv-token", 1),
        ("secret/llm/good", "key", "wrong", 0),
        ("secret/llm/good", "other", "kv-token", 0),
        ("secret/llm/good", "none", "kv-token", 0),
        ("secret/llm/deleted", "key", "kv-token", 0),
        ("secret/llm/odd", "key", "kv-token", 0),
        ("secret/llm/good", "key", " ", 0),
    ] {
        let upstream =
            Upstream::always(answer(200, "application/json", &upstream::chat("Hello"))).await;
        let gateway = with_kv(&upstream, &kv, (path, field, token)).await;
        let status = chat(&gateway, &gateway.key).await;
        assert_eq!(status == 200, sent == 1, "{path} {field} {token}: {status}");
        assert_eq!(presented(&upstream), vec!["kept-elsewhere"; sent]);
    }
    let seen = kv.seen().remove(0);
    assert!(
        seen.head
            .starts_with("GET /v1/secret/data/llm/good HTTP/1.1")
    );
    assert_eq!(seen.headers("x-vault-namespace"), ["team-a"]);
    assert!(seen.headers("authorization").is_empty());
}

#[tokio::test]
async fn hashicorp_vaults_last_word_stays_while_it_is_away() {
    let kv = kv().await;
    let upstream =
        Upstream::always(answer(200, "application/json", &upstream::chat("Hello"))).await;
    let gateway = with_kv(&upstream, &kv, ("secret/llm/once", "key", "kv-token")).await;
    for _ in 0..3 {
        assert_eq!(chat(&gateway, &gateway.key).await, 200);
    }
    assert_eq!(presented(&upstream), ["kept-elsewhere"; 3]);
    // Once asked, once found away, then left alone for a while.
    assert_eq!(kv.seen().len(), 2);
}
