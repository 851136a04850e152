//! A request and its answer passed on unscanned, because the operator lists its path under `unscanned_paths`.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;

use super::account::Account;
use super::applies::may_use;
use super::exchange::{Admitted, Exchange};
use super::forward;
use super::outgoing::Outgoing;
use super::respond::Problem;
use crate::audit::Outcome;
use crate::guard::Cleared;
use crate::upstream;

impl Exchange {
    /// Passes a request on unscanned, because the operator lists its path.
    pub(super) async fn pass(
        &mut self,
        mut admitted: Admitted,
        body: Incoming,
    ) -> Result<Response<Outgoing>, Problem> {
        may_use(&admitted.principal, None)?;
        let (body, _hold) = self.read(&admitted.head, body).await?;
        let upstream = self.choose(&mut admitted, None).await?;
        let body = (!body.is_empty()).then(|| Cleared::unscanned(body));
        let answer = self.send(&upstream, admitted, body).await?;
        let status = answer.status;
        let passed = Passed::new(answer.body, self.account.hand_on(), status.as_u16());
        let mut response = Response::new(Outgoing::Passed(Box::new(passed)));
        *response.status_mut() = status;
        *response.headers_mut() = forward::down(&answer.headers, None);
        Ok(response)
    }
}

/// An answer that nothing looks into.
pub(super) struct Passed {
    source: Option<upstream::Body>,
    account: Account,
    status: u16,
    received: u64,
}

impl Passed {
    pub(super) const fn new(source: upstream::Body, account: Account, status: u16) -> Self {
        Self {
            source: Some(source),
            account,
            status,
            received: 0,
        }
    }

    /// The next bytes; `None` at the end.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        let chunk = ready!(source.poll_chunk(cx));
        let (outcome, reason, result) = match chunk {
            Some(Ok(chunk)) => {
                self.received += chunk.len() as u64;
                return Poll::Ready(Some(Ok(Cleared::unscanned(chunk).into_bytes())));
            }
            None => (Outcome::Allowed, "unscanned_path", None),
            Some(Err(failure)) => (
                Outcome::Cut,
                "upstream_broke_off",
                Some(Err(io::Error::other(failure))),
            ),
        };
        self.source = None;
        let received = self.received;
        self.account.note(|record| record.response.bytes = received);
        Poll::Ready(
            match self
                .account
                .close(outcome, self.status, Some(reason.to_owned()))
            {
                Ok(()) => result,
                Err(error) => Some(Err(io::Error::other(error))),
            },
        )
    }
}
