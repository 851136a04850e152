//! The opening of a realtime conversation: first the provider's WebSocket, then the client's.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::applies::{may_use, written};
use super::call::Call;
use super::conversation::Conversation;
use super::exchange::{Admitted, Exchange};
use super::handshake::Handshake;
use super::outgoing::Outgoing;
use super::respond::Problem;
use super::side::Side;
use super::socket::Paced;
use super::stream::Admission;
use crate::auth::Principal;
use crate::guard::Context;
use crate::guard::body::inspect_text;
use crate::guard::stream::{self, StreamGuard};
use crate::policy;
use crate::upstream::{Request, Socket, Upgrade, Upstream};
use crate::wire::{Api, Framing};

impl Exchange {
    /// Opens the provider's side, then the client's. What follows is served when this connection's HTTP is over.
    pub(super) async fn realtime(
        &mut self,
        mut admitted: Admitted,
    ) -> Result<Response<Outgoing>, Problem> {
        self.account.speaks(Api::Realtime);
        let handshake = Handshake::read(&admitted.head)?;
        let model = handshake.model.clone();
        let policy = Arc::clone(&admitted.policy);
        self.account.note(|record| {
            record.model = written(&policy, true, model.as_deref());
            record.stream = true;
        });
        may_use(&admitted.principal, model.as_deref())?;
        let upgrade = admitted.head.extensions.remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or(Problem::Internal)?;
        let upstream = self.choose(&mut admitted, model.as_deref()).await?;
        let count_for = self.counts_for(&admitted.principal, model.as_deref());
        let call = Call {
            model,
            framing: Some(Framing::Messages),
            count_for,
            ..Call::new(Api::Realtime, admitted.policy)
        };
        // Nothing is said yet: what is taken is a place, and the tokens are settled at the end.
        let (context, up) = (Context::default(), policy::Direction::Request);
        let nothing = inspect_text(context, up, Bytes::new(), &call.policy);
        self.reserve(&call, &admitted.principal, (&nothing, upstream.name()))
            .await?;
        let request = Request {
            method: admitted.head.method,
            path: admitted.path,
            headers: handshake.up(&admitted.head.headers),
            body: None,
        };
        match self.open(&upstream, request, &admitted.principal).await? {
            Upgrade::Socket(socket, headers) => {
                self.account.charge.answers(true);
                let opened = handshake.answer(&headers, Some(&call.policy));
                let mut conversation = self.conversation(admitted.principal, call)?;
                conversation.said.verdict = admitted.found;
                self.peer.upgrade(Upgraded {
                    upgrade,
                    socket,
                    conversation,
                });
                Ok(opened)
            }
            Upgrade::Answer(answer) => {
                self.account.charge.answers(false);
                let framing = None;
                let call = Call { framing, ..call };
                self.answer(*answer, call, admitted.principal).await
            }
        }
    }

    /// Asks the provider for a WebSocket, while its credential is rotated with the one before, too.
    async fn open(
        &mut self,
        upstream: &Arc<Upstream>,
        request: Request,
        principal: &Principal,
    ) -> Result<Upgrade, Problem> {
        let failed = |failure| Problem::Upstream {
            provider: upstream.name().to_owned(),
            failure,
        };
        let secret = self.credential(upstream, principal).await?;
        self.account.charge.sends(true);
        let opened = upstream.upgrade(request.clone(), secret.as_ref()).await;
        let opened = opened.map_err(failed)?;
        if let Upgrade::Answer(answer) = &opened
            && let Some(before) = self.before(upstream, principal, answer.status)
        {
            let again = upstream.upgrade(request, Some(&before)).await;
            return again.map_err(failed);
        }
        Ok(opened)
    }

    /// Hands the account on to the conversation that follows.
    fn conversation(&mut self, principal: Principal, call: Call) -> Result<Conversation, Problem> {
        let asked = stream::Exchange {
            request_id: self.id.clone(),
            model: call.model,
            choices: None,
            originals: Arc::default(),
            count_for: call.count_for,
            kept: false,
        };
        let json = &self.gateway.json;
        let (framing, policy) = (Framing::Messages, call.policy);
        let guard = StreamGuard::new(Api::Realtime, framing, Arc::clone(&policy), json, asked);
        self.account.note(|record| record.status = Some(101));
        let held = self.gateway.load.budget.hold(0).map_err(Problem::Unread)?;
        let admission = Admission::new(&self.gateway, principal.clone());
        Ok(Conversation::new(
            &self.gateway,
            (principal, policy),
            guard,
            (self.id.clone(), self.account.hand_on()),
            (admission, held),
        ))
    }
}

/// A conversation whose client's connection is about to be HTTP no longer.
pub(super) struct Upgraded {
    /// The client's connection, once it has been told.
    pub(super) upgrade: OnUpgrade,
    socket: Socket,
    conversation: Conversation,
}

impl Upgraded {
    /// Serves it to its end; `read` is what the client sent right behind its request.
    pub(super) async fn serve<IO>(self, io: IO, read: Bytes, shutdown: watch::Receiver<bool>)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let gateway = Arc::clone(self.conversation.gateway());
        let (limits, budget) = (&gateway.limits, &gateway.load.budget);
        let (Ok(first), Ok(second)) = (budget.hold(read.len()), budget.hold(0)) else {
            return; // the account closes itself
        };
        let limit = limits.max_body_bytes;
        let client = Side::new(io, &read, Role::Server, limit, first).await;
        let io = Paced::new(self.socket, gateway.timeouts.write);
        let limit = limits.max_response_bytes;
        let provider = Side::new(io, &[], Role::Client, limit, second).await;
        self.conversation.serve(client, provider, shutdown).await;
    }
}
