//! Sessions: short-lived tokens that a key's holder makes for others, and ends.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::exchange::{Admitted, Exchange};
use super::outgoing::{self, Outgoing};
use super::respond::Problem;
use super::route::Own;
use crate::audit;
use crate::auth::{Keyring, Principal, StoreError};
use crate::guard::Cleared;

/// How long a session may last.
const LONGEST: Duration = Duration::from_hours(24);

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    /// Seconds until it ends.
    expires_in: u64,
    /// The end user that it is for.
    user: Option<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            expires_in: 3_600,
            user: None,
        }
    }
}

const INVALID: Problem = Problem::Own(
    400,
    "invalid_session",
    "send nothing or {\"expires_in\": SECONDS, \"user\": NAME}, with 1 to 86400 seconds and a name of 1 to 256 bytes",
);
const BY_SESSION: Problem = Problem::Own(
    403,
    "session_not_allowed",
    "a session's token opens no sessions and ends only its own; send the key itself",
);
const UNKNOWN: Problem = Problem::Own(404, "unknown_session", "the key has no such session");

impl Exchange {
    /// Answers what is asked of the gateway itself.
    pub(super) async fn own(
        &mut self,
        own: Own,
        admitted: Admitted,
        body: Incoming,
    ) -> Result<Response<Outgoing>, Problem> {
        let principal = admitted.principal;
        let asked = self
            .gateway
            .own
            .check(&principal.key.id, Instant::now().into_std());
        asked.map_err(|wait| Problem::TooOften(wait.0))?;
        match own {
            Own::Usage => self.tell_usage(&principal).await,
            Own::OpenSession => self.open_session(principal, &admitted.head, body).await,
            Own::EndSession(id) => self.end_session(principal, &id).await,
            Own::PutCredential(provider) => {
                self.put_credential(principal, provider, (&admitted.head, body))
                    .await
            }
            Own::DeleteCredential(provider) => self.delete_credential(principal, provider).await,
        }
    }

    /// Makes a token, shown once, that has the rights of the caller's key.
    async fn open_session(
        &mut self,
        principal: Principal,
        head: &Parts,
        body: Incoming,
    ) -> Result<Response<Outgoing>, Problem> {
        if principal.session.is_some() {
            return Err(BY_SESSION);
        }
        let (body, _hold) = self.read(head, body).await?;
        let wanted = match &*body {
            [] => Wanted::default(),
            // serde would take a list for the fields in their order.
            body if !body.trim_ascii_start().starts_with(b"{") => return Err(INVALID),
            body => serde_json::from_slice(body).map_err(|_| INVALID)?,
        };
        let length = Duration::from_secs(wanted.expires_in);
        let named = |user: &String| {
            !user.trim().is_empty() && user.len() <= 256 && !user.contains(char::is_control)
        };
        if length.is_zero() || length > LONGEST || !wanted.user.as_ref().is_none_or(named) {
            return Err(INVALID);
        }
        let expires = Timestamp::now().checked_add(length).map_err(|_| INVALID)?;
        let (key, user) = (Arc::clone(&principal.key.id), wanted.user.clone());
        let opened = self
            .with_keys(move |keyring| keyring.open_session(&principal, user.as_deref(), expires))
            .await?;
        let id = opened.0.session.unwrap_or_default();
        self.change("session.create", &key, &id)?;
        self.say(
            StatusCode::CREATED,
            &json!({"id": &*id, "token": opened.1.expose(), "expires": expires, "user": wanted.user}),
        )
    }

    /// Ends a session of the caller's key: its token works no more, and its open streams end within a second.
    async fn end_session(
        &mut self,
        principal: Principal,
        id: &str,
    ) -> Result<Response<Outgoing>, Problem> {
        if principal.session.as_deref().is_some_and(|own| own != id) {
            return Err(BY_SESSION);
        }
        let (key, session) = (Arc::clone(&principal.key.id), id.to_owned());
        let ended = self
            .with_keys(move |keyring| keyring.end_session(&principal, &session, Timestamp::now()))
            .await?;
        if !ended {
            return Err(UNKNOWN);
        }
        self.change("session.end", &key, id)?;
        self.say(StatusCode::OK, &json!({"id": id, "ended": true}))
    }

    /// Runs what waits for the store on a thread that may.
    pub(super) async fn with_keys<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keyring) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let places = Arc::clone(&self.gateway.load.lookups);
        let place = places.acquire_owned().await;
        let gateway = Arc::clone(&self.gateway);
        let work = move || {
            let done = work(&gateway.keyring);
            drop(place);
            done
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| Problem::Internal)?
            .map_err(|error| Problem::Unchecked(format!("{error}: {}", error.source)))
    }

    /// Records a change that the holder of a key made. Without the record it is not told.
    pub(super) fn change(
        &self,
        what: &'static str,
        key: &str,
        subject: &str,
    ) -> Result<(), Problem> {
        let change = audit::Change {
            time: Timestamp::now(),
            who: key.to_owned(),
            what,
            subject: subject.to_owned(),
        };
        let appended = self.gateway.audit.append(&audit::Record::Change(change));
        appended.map(drop).map_err(|_| Problem::Unrecorded)
    }

    pub(super) fn say(
        &mut self,
        status: StatusCode,
        told: &Value,
    ) -> Result<Response<Outgoing>, Problem> {
        let closed = self
            .account
            .close(audit::Outcome::Allowed, status.as_u16(), None);
        closed.map_err(|_| Problem::Unrecorded)?;
        Ok(outgoing::json(
            status,
            Cleared::said(told),
            HeaderMap::new(),
        ))
    }
}
