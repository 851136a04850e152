//! A realtime conversation: the WebSocket of a client, that of a provider, and the guard between them.
//!
//! One task serves both sides: a side is read only when what it said before is written to the other. So a slow reader
//! slows the writer down and nothing queues, and a side that leaves ends the other one at once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::Gateway;
use super::account::Account;
use super::body::Hold;
use super::contain::contain;
use super::ending::{Finish, code};
use super::side::{Received, Side};
use super::stream::Admission;
use super::trouble;
use crate::audit::Outcome;
use crate::auth::Principal;
use crate::guard::restore::Originals;
use crate::guard::stream::StreamGuard;
use crate::policy::{Policy, Verdict};

/// How often a silent side is asked for a sign of life; it is gone when two such questions went unanswered.
const PING: Duration = Duration::from_secs(30);
/// How long the sides may take over the end.
const CLOSING: Duration = Duration::from_secs(2);

/// What the client's events came to.
#[derive(Default)]
pub(super) struct Said {
    pub(super) verdict: Verdict,
    pub(super) originals: Arc<Originals>,
    pub(super) media: u32,
    pub(super) bytes: u64,
}

/// A conversation.
pub(super) struct Conversation {
    pub(super) gateway: Arc<Gateway>,
    pub(super) principal: Principal,
    pub(super) policy: Arc<Policy>,
    /// Judges the provider's events.
    pub(super) guard: StreamGuard,
    pub(super) said: Said,
    pub(super) account: Account,
    admission: Admission,
    /// The budget's part for what the guard holds back.
    pub(super) held: Hold,
    pub(super) id: String,
    /// Bytes from the provider.
    pub(super) received: u64,
    /// It ends with the answer that is under way.
    stopping: bool,
    /// Whose turn it is to be heard first.
    turn: bool,
}

/// What happens next.
enum Step {
    Client(Received),
    Provider(Received),
    /// A side takes nothing more.
    ClientLost,
    ProviderLost,
    /// Time to look at the clocks.
    Tick,
    /// The key no longer works.
    Withdrawn,
    /// The gateway is told to stop.
    Stop,
}

/// When things were last heard, and when to look again.
struct Clocks {
    /// The last text of either side.
    text: Instant,
    pinged: Instant,
    end: Instant,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Clocks {
    fn new(gateway: &Gateway) -> Self {
        let (now, timeouts) = (Instant::now(), &gateway.timeouts);
        let mut clocks = Self {
            text: now,
            pinged: now,
            end: now + timeouts.realtime,
            idle: timeouts.realtime_idle,
            timer: Box::pin(sleep_until(now)),
        };
        clocks.arm();
        clocks
    }

    fn arm(&mut self) {
        let due = self.end.min(self.text + self.idle).min(self.pinged + PING);
        self.timer.as_mut().reset(due);
    }
}

impl Conversation {
    /// Before its first event: who speaks under which policy, the guard of the answers, id and account, and what it takes.
    pub(super) fn new(
        gateway: &Arc<Gateway>,
        (principal, policy): (Principal, Arc<Policy>),
        guard: StreamGuard,
        (id, account): (String, Account),
        (admission, held): (Admission, Hold),
    ) -> Self {
        gateway.metrics.streams_open.inc();
        Self {
            gateway: Arc::clone(gateway),
            principal,
            policy,
            guard,
            said: Said::default(),
            account,
            admission,
            held,
            id,
            received: 0,
            stopping: false,
            turn: false,
        }
    }

    /// The gateway that it runs through.
    pub(super) const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Serves it to its end.
    pub(super) async fn serve<C, P>(
        mut self,
        mut client: Side<C>,
        mut provider: Side<P>,
        shutdown: watch::Receiver<bool>,
    ) where
        C: AsyncRead + AsyncWrite + Unpin,
        P: AsyncRead + AsyncWrite + Unpin,
    {
        // A panic must not take the record with it.
        let going = self.run(&mut client, &mut provider, shutdown);
        let finish = contain(Box::pin(going)).await;
        let finish = finish.unwrap_or_else(|| {
            tracing::error!(id = self.id, "a fault of the gateway's own");
            Finish::by(code::FAILED, Outcome::Failed, "internal_error")
        });
        self.close(&finish);
        client.close(finish.codes.0, &finish.reason);
        provider.discard();
        provider.close(finish.codes.1, "");
        // A connection that is closed with bytes unread is reset, and what was written last may be lost with it.
        let ended = poll_fn(|cx| {
            let (sent, told) = (client.poll_send(cx), provider.poll_send(cx));
            while let Poll::Ready(received) = client.poll_receive(cx) {
                if matches!(received, Received::Gone(_)) {
                    return if told.is_ready() {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    };
                }
            }
            match sent {
                Poll::Ready(Err(_)) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        });
        drop(timeout(CLOSING, ended).await);
    }

    /// Carries events until something ends the conversation.
    async fn run<C, P>(
        &mut self,
        client: &mut Side<C>,
        provider: &mut Side<P>,
        mut shutdown: watch::Receiver<bool>,
    ) -> Finish
    where
        C: AsyncRead + AsyncWrite + Unpin,
        P: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stopped = pin!(async move { drop(shutdown.wait_for(|stop| *stop).await) });
        let mut clocks = Clocks::new(&self.gateway);
        loop {
            let step = poll_fn(|cx| {
                if !self.stopping && stopped.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Step::Stop);
                }
                self.poll_step(cx, client, provider, &mut clocks)
            })
            .await;
            if let Step::Client(Received::Text(_)) | Step::Provider(Received::Text(_)) = step {
                clocks.text = Instant::now();
            }
            let finish = match step {
                Step::Client(received) => self.hear_client(received, client, provider).await,
                Step::Provider(received) => self.hear_provider(received, client),
                Step::ClientLost => Some(Self::client_left()),
                Step::ProviderLost => Some(self.provider_left(client)),
                Step::Tick => self.look(&mut clocks, client, provider),
                Step::Withdrawn => Some(self.end(client, &trouble::WITHDRAWN)),
                Step::Stop => {
                    self.stopping = true;
                    None
                }
            };
            if finish.is_some() || self.stopping && !self.guard.is_answering() {
                let reason = "gateway_stopped";
                let last = || Finish::by(code::GOING_AWAY, Outcome::Allowed, reason);
                return finish.unwrap_or_else(last);
            }
        }
    }

    fn poll_step<C, P>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Side<C>,
        provider: &mut Side<P>,
        clocks: &mut Clocks,
    ) -> Poll<Step>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        P: AsyncRead + AsyncWrite + Unpin,
    {
        if clocks.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Step::Tick);
        }
        if self.admission.poll_withdrawn(cx).is_ready() {
            return Poll::Ready(Step::Withdrawn);
        }
        let told = match client.poll_send(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Step::ClientLost),
            sent => sent.is_ready(),
        };
        let asked = match provider.poll_send(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Step::ProviderLost),
            sent => sent.is_ready(),
        };
        // Both in turn, so that none can keep the other from being heard.
        self.turn = !self.turn;
        for client_first in [self.turn, !self.turn] {
            let polled = match client_first {
                true if asked => client.poll_receive(cx).map(Step::Client),
                false if told => provider.poll_receive(cx).map(Step::Provider),
                _ => Poll::Pending,
            };
            if polled.is_ready() {
                return polled;
            }
        }
        Poll::Pending
    }

    /// Looks at the clocks: is anybody gone, has it taken too long?
    fn look<C, P>(
        &mut self,
        clocks: &mut Clocks,
        client: &mut Side<C>,
        provider: &mut Side<P>,
    ) -> Option<Finish>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        P: AsyncRead + AsyncWrite + Unpin,
    {
        let now = Instant::now();
        if now >= clocks.end {
            return Some(self.end(client, &trouble::TOO_LONG));
        }
        if now >= clocks.text + clocks.idle {
            return Some(self.end(client, &trouble::IDLE));
        }
        if now >= clocks.pinged + PING {
            if now >= client.heard + 2 * PING {
                return Some(Self::client_left());
            }
            if now >= provider.heard + 2 * PING {
                return Some(self.provider_left(client));
            }
            client.ping();
            provider.ping();
            clocks.pinged = now;
        }
        clocks.arm();
        None
    }

    /// Closes the account.
    fn close(&mut self, finish: &Finish) {
        self.note();
        let closed = self
            .account
            .close_conversation(finish.cut, &self.guard.summary());
        if let Err(error) = closed {
            tracing::error!(%error, "no audit record");
        }
    }

    fn note(&mut self) {
        let (said, received) = (&self.said, self.received);
        self.account.note(|record| {
            record.request.bytes = said.bytes;
            record.response.bytes = received;
            Account::judged(&mut record.request, &said.verdict, said.media);
        });
    }
}

/// However it ended, what was judged is in the record, which the account writes by itself if nobody else has.
impl Drop for Conversation {
    fn drop(&mut self) {
        self.gateway.metrics.streams_open.dec();
        self.note();
    }
}
