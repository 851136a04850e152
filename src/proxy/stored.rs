//! Answers that providers keep: read, deleted, cancelled and built upon by their ids, each by whoever made it.

use std::future::Future;
use std::sync::Arc;

use http::Response;
use jiff::Timestamp;

use super::Gateway;
use super::call::Call;
use super::exchange::{Admitted, Exchange};
use super::outgoing::Outgoing;
use super::respond::Problem;
use crate::auth::Principal;
use crate::kept::{KeptError, Maker, Register};
use crate::upstream::Upstream;
use crate::wire::{Api, References, Referent};

/// Ids looked up in the store, or written to it, at a time; others wait for their turn.
pub(super) const PLACES: usize = 32;

/// Why something that a provider keeps is not to be had. It is the same whether it is not there or someone else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotThere {
    /// The answer that the path names.
    Response,
    /// What a request refers to.
    Referent(Referent),
    /// A request refers to more things, or by longer ids, than can be looked up.
    Excessive,
}

impl Exchange {
    /// An answer that the provider keeps, for whoever made it; it is scanned like a new one.
    pub(super) async fn stored(
        &mut self,
        mut admitted: Admitted,
        api: Api,
        id: String,
    ) -> Result<Response<Outgoing>, Problem> {
        self.account.speaks(api);
        let upstream = self.choose(&mut admitted, None).await?;
        let principal = admitted.principal.clone();
        let denied = self.denied(&upstream, &principal, vec![id]).await?;
        if denied.is_some() {
            return Err(Problem::NotThere(NotThere::Response));
        }
        let call = Call::new(api, Arc::clone(&admitted.policy));
        let answer = self.send(&upstream, admitted, None).await?;
        self.answer(answer, call, principal).await
    }

    /// Fails if a request refers to something that its sender did not make.
    pub(super) async fn may_refer(
        &self,
        upstream: &Upstream,
        principal: &Principal,
        references: &References,
    ) -> Result<(), Problem> {
        if references.excessive {
            return Err(Problem::NotThere(NotThere::Excessive));
        }
        if references.ids.is_empty() {
            return Ok(());
        }
        let ids = references.ids.iter().map(|reference| reference.id.clone());
        let denied = self.denied(upstream, principal, ids.collect()).await?;
        let Some(denied) = denied else {
            return Ok(());
        };
        let referred = references.ids.iter().find(|known| known.id == denied);
        let referent = referred.map_or(Referent::Item, |reference| reference.referent);
        Err(Problem::NotThere(NotThere::Referent(referent)))
    }

    /// The first of these ids that a caller may not use.
    async fn denied(
        &self,
        upstream: &Upstream,
        principal: &Principal,
        ids: Vec<String>,
    ) -> Result<Option<String>, Problem> {
        let (provider, caller) = (upstream.name().to_owned(), maker(principal));
        let looked = with_register(Arc::clone(&self.gateway), move |register| {
            let denied = register.denied(&provider, ids.iter().map(String::as_str), &caller)?;
            Ok(denied.map(str::to_owned))
        });
        let unknown =
            |error: KeptError| Problem::Unregistered(format!("{error}: {}", error.source));
        looked.await.ok_or(Problem::Internal)?.map_err(unknown)
    }
}

/// Takes note of what a caller makes at a provider.
pub(super) struct Keeper {
    gateway: Arc<Gateway>,
    provider: String,
    maker: Maker,
}

impl Keeper {
    pub(super) fn new(gateway: &Arc<Gateway>, upstream: &Upstream, principal: &Principal) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            provider: upstream.name().to_owned(),
            maker: maker(principal),
        }
    }

    /// Ready once it is known that these ids are the caller's. What cannot be written down nobody can use later on, which is
    /// for the operator to know and no reason to lose an answer.
    pub(super) fn keep(&self, ids: Vec<String>) -> impl Future<Output = ()> + Send + use<> {
        let (provider, maker) = (self.provider.clone(), self.maker.clone());
        let is_empty = ids.is_empty();
        let written = with_register(Arc::clone(&self.gateway), move |register| {
            register.keep(&provider, &ids, &maker, Timestamp::now())
        });
        async move {
            if is_empty {
                return;
            }
            if let Some(Err(error)) = written.await {
                let cause = error.source.to_string();
                tracing::error!(%error, cause, "a stored answer cannot be used later on");
            }
        }
    }
}

/// Runs what waits for the store on a thread that may; `None` if that thread is lost.
async fn with_register<T: Send + 'static>(
    gateway: Arc<Gateway>,
    work: impl FnOnce(&Register) -> Result<T, KeptError> + Send + 'static,
) -> Option<Result<T, KeptError>> {
    let places = Arc::clone(&gateway.load.ids);
    let place = places.acquire_owned().await.ok()?;
    let work = move || {
        let done = work(&gateway.kept);
        drop(place);
        done
    };
    tokio::task::spawn_blocking(work).await.ok()
}

fn maker(principal: &Principal) -> Maker {
    Maker {
        key: Arc::clone(&principal.key.id),
        team: principal.key.team.as_deref().map(Into::into),
        session: principal.made_for(),
    }
}
