//! What placeholders stand for over the exchanges of one session, where the policy wants that: the same value has the same placeholder
//! in all of them. When a session no longer works, what is kept of it is wiped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::body::{Budget, Hold, Unread};
use super::call::Call;
use super::exchange::Exchange;
use super::inspect::inspect_asking;
use super::respond::Problem;
use crate::auth::Principal;
use crate::guard::Context;
use crate::guard::body::{Inspection, inspect_request};
use crate::guard::restore::Originals;
use crate::policy::{Answers, Policy, Scope};
use crate::telemetry::Direction;

/// A session takes about so much without any text.
const SESSION_BYTES: usize = 1 << 10;

/// The sessions in which something was or may be redacted so that it can be put back.
#[derive(Debug, Default)]
pub struct Placeholders {
    sessions: Mutex<HashMap<Arc<str>, Kept>>,
    /// Where there are several gateways, each of which knows originals of its own: what they make the same numbers from.
    secret: Option<Zeroizing<[u8; 32]>>,
}

#[derive(Debug)]
struct Kept {
    /// Says when the session no longer works.
    principal: Principal,
    memory: Arc<Memory>,
}

/// What one session's placeholders stand for. Its requests are inspected one after the other, for each goes on from what the one before
/// knew.
#[derive(Debug)]
pub(super) struct Memory(Mutex<State>);

#[derive(Debug)]
struct State {
    originals: Arc<Originals>,
    hold: Hold,
}

impl Placeholders {
    /// No session yet. Several gateways have one `secret`; one alone counts.
    pub fn new(secret: Option<Zeroizing<[u8; 32]>>) -> Self {
        Self {
            sessions: Mutex::default(),
            secret,
        }
    }

    /// The memory of a caller's session; `None` without one, or where the policy keeps nothing beyond the exchange.
    pub(super) fn of(
        &self,
        policy: &Policy,
        principal: &Principal,
        budget: &Arc<Budget>,
    ) -> Result<Option<Arc<Memory>>, Unread> {
        let kept = policy.placeholders == Scope::Session && policy.request.is_reversible;
        let Some(session) = principal.session.as_ref().filter(|_| kept) else {
            return Ok(None);
        };
        let mut sessions = self.lock();
        if let Some(kept) = sessions.get(session) {
            return Ok(Some(Arc::clone(&kept.memory)));
        }
        let memory = Arc::new(Memory(Mutex::new(State {
            originals: Arc::new(
                self.secret
                    .as_ref()
                    .map_or_else(Originals::default, |secret| {
                        Originals::numbered(secret.as_slice(), session)
                    }),
            ),
            hold: budget.hold(SESSION_BYTES)?,
        })));
        let kept = Kept {
            principal: principal.clone(),
            memory: Arc::clone(&memory),
        };
        sessions.insert(Arc::clone(session), kept);
        Ok(Some(memory))
    }

    /// Forgets sessions that no longer work.
    pub fn prune(&self, now: Timestamp) {
        self.lock()
            .retain(|_, kept| kept.principal.recheck(now).is_ok());
    }

    /// How many sessions are known.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Kept>> {
        // A panic between two steps leaves at worst an entry less.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Inspects a request of the session with what is known so far, and keeps what is known then.
    pub(super) fn inspect(
        &self,
        inspect: impl FnOnce(&Arc<Originals>) -> Inspection,
    ) -> Result<Inspection, Unread> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inspection = inspect(&state.originals);
        if !inspection.questions.is_empty() {
            return Ok(inspection); // it comes again
        }
        let bytes = inspection.originals.bytes();
        let before = state.originals.bytes();
        if bytes > before {
            state.hold.grow(bytes - before)?;
        }
        state.originals = Arc::clone(&inspection.originals);
        Ok(inspection)
    }
}

impl Exchange {
    /// Inspects a request's body, with what is known of its session.
    pub(super) async fn judge_body(
        &self,
        call: &Call,
        principal: &Principal,
        body: Bytes,
    ) -> Result<Inspection, Problem> {
        let memory =
            self.gateway
                .placeholders
                .of(&call.policy, principal, &self.gateway.load.budget);
        let memory = memory.map_err(Problem::Unread)?;
        let (gateway, policy) = (Arc::clone(&self.gateway), Arc::clone(&call.policy));
        let (api, count_for) = (call.api, call.count_for.clone());
        // One that may have to wait for another of its session does so where it delays nobody.
        let alone = memory.is_none();
        let effort = policy.request.effort(body.len());
        let effort = if alone { effort } else { usize::MAX };
        let work = move |answers: Option<&Answers>| {
            let context = gateway.context().counting(count_for.as_deref());
            let context = context.hearing(answers);
            let inspect = |context: Context<'_>| {
                inspect_request(context, api, body.clone(), &policy, &gateway.json)
            };
            match &memory {
                Some(memory) => memory.inspect(|known| inspect(context.knowing(known))),
                None => Ok(inspect(context)),
            }
            .map_err(Problem::Unread)
        };
        inspect_asking(&self.gateway, Direction::Request, effort, work).await
    }
}
