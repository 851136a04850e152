//! A gateway on a port of its own, a provider that misbehaves on demand, and a client that writes raw bytes.

pub(crate) mod client;
pub(crate) mod gateway;
pub(crate) mod upstream;
pub(crate) mod websocket;

use std::time::Duration;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
