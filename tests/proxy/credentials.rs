//! Which credential goes up: the newest, the one before while it still works, the nearest.

use std::time::Duration;

use jiff::Timestamp;
use sluicegate::secret::Secret;
use sluicegate::upstream::Credential;
use sluicegate::vault::{Level, NewEntry, Reader, Rotation};

use crate::support::client::{post, send};
use crate::support::gateway::Gateway;
use crate::support::upstream::{self, Step, Upstream, answer};

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
const OPERATOR: Reader<'_> = Reader {
    who: "test",
    level: Level::Admin,
};

/// A provider that accepts one key, `Bearer` and all.
async fn accepting(key: &'static str) -> Upstream {
    Upstream::start(move |seen| {
        let accepted = seen.headers("authorization") == [format!("Bearer {key}")];
        let reply = if accepted {
            answer(200, "application/json", &upstream::chat("Hello"))
        } else {
            answer(401, "application/json", br#"{"error":{"message":"no"}}"#)
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
    // Over, it is never sent again.
    vault.set(entry, OPERATOR, now).unwrap();
    rotate(now);
    assert_ne!(chat(&gateway, &gateway.key).await, 200);
    assert_eq!(presented(&upstream)[3..], ["new"]);
}
