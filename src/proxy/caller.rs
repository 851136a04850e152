//! Who calls: the key that was presented becomes a principal, or the caller is refused and counted.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Gateway;
use super::respond::Problem;
use crate::auth::{Principal, Refused};

/// Keys looked up in the store at a time; others wait for their turn.
pub(super) const LOOKUPS: usize = 16;

/// Who presents this key: from memory, else by one statement of the store.
pub(super) async fn identify(
    gateway: &Arc<Gateway>,
    presented: String,
    from: IpAddr,
) -> Result<Principal, Problem> {
    let found = match gateway.keyring.known(&presented, from, Timestamp::now()) {
        Some(found) => found,
        None => look_up(gateway, presented, from).await?,
    };
    found.map_err(|refused| match refused {
        Refused::Denied(denied) => {
            let now = Instant::now().into_std();
            gateway.failures.record(from, now);
            match gateway.failures.check(from, now) {
                Ok(()) => Problem::Denied(denied),
                Err(wait) => Problem::Locked(wait.0),
            }
        }
        Refused::Away => Problem::Unchecked(refused.to_string()),
        Refused::Unread(error) => Problem::Unchecked(format!("{error}: {}", error.source)),
    })
}

/// Asks the store, on a thread that may wait. Callers who sent too many wrong keys share one place, so that a flood of
/// them holds up nobody else, and a valid key among them still has its chance.
async fn look_up(
    gateway: &Arc<Gateway>,
    presented: String,
    from: IpAddr,
) -> Result<Result<Principal, Refused>, Problem> {
    let places = match gateway.failures.check(from, Instant::now().into_std()) {
        Ok(()) => Arc::clone(&gateway.load.lookups).acquire_owned().await.ok(),
        Err(wait) => {
            let place = Arc::clone(&gateway.load.suspects).try_acquire_owned();
            Some(place.map_err(|_| Problem::Locked(wait.0))?)
        }
    };
    let gateway = Arc::clone(gateway);
    let work = move || {
        let found = gateway.keyring.look_up(&presented, from, Timestamp::now());
        drop(places);
        found
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Problem::Internal)
}
