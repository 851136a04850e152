//! Exchanges that wait for a limit: so many and so long, in turn by key.
//!
//! Whoever frees something serves the queue: it asks the first exchange of each key in turn, and a key that was served goes to
//! the back. A key with many requests thus waits for itself, not before others; and one that cannot go on yet stops no other.
//! Where several gateways count together, the first of each key asks the common place itself when something may have become free.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::cell::{Ask, Present};
use super::claim::Claim;
use super::table::{Refusal, Table};
use super::{Refused, Standing};

/// How long and how many may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// The longest wait.
    pub max_wait: Duration,
    /// The most exchanges that wait at a time; with 0, none does.
    pub max_waiting: usize,
}

/// Who waits.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) patience: Patience,
    /// How many wait.
    waiting: AtomicUsize,
    /// Keys in turn, with their exchanges in order of arrival.
    keys: Mutex<Keys>,
}

type Keys = VecDeque<(Arc<str>, VecDeque<Arc<Entry>>)>;

/// One exchange that waits.
#[derive(Debug)]
pub(super) struct Entry {
    key: Arc<str>,
    slot: Mutex<Slot>,
    served: Notify,
}

#[derive(Debug)]
pub(super) struct Slot {
    /// It takes for itself, from another place, when it is the first of its key.
    pub(super) asks_elsewhere: bool,
    pub(super) claims: Vec<Claim>,
    pub(super) ask: Ask,
    /// Set once its claims were taken.
    pub(super) taken: Option<Standing>,
    /// Why they were not, last time.
    pub(super) refused: Option<Box<Refused>>,
}

impl Entry {
    pub(super) fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn served(&self) {
        self.served.notified().await;
    }

    fn try_take(
        &self,
        table: &Table,
        now: Present,
        explained: impl Fn(&[Claim], Refusal, Standing) -> Refused,
    ) -> bool {
        let mut slot = self.slot();
        if slot.asks_elsewhere {
            return false;
        }
        let ask = slot.ask;
        match table.take(&mut slot.claims, ask, now) {
            Ok(standing) => {
                slot.taken = Some(standing);
                self.served.notify_one();
                true
            }
            Err((refusal, standing)) => {
                let refused = explained(&slot.claims, refusal, standing);
                slot.refused = Some(Box::new(refused));
                false
            }
        }
    }
}

impl Queue {
    /// Nobody waits yet.
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            waiting: AtomicUsize::new(0),
            keys: Mutex::default(),
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Puts an exchange behind the others of its key.
    ///
    /// # Errors
    ///
    /// The exchange, if too many wait.
    pub(super) fn join(&self, key: &Arc<str>, slot: Slot) -> Result<Arc<Entry>, Slot> {
        let mut keys = self.keys();
        if self.waiting.load(Ordering::Acquire) >= self.patience.max_waiting {
            return Err(slot);
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let entry = Arc::new(Entry {
            key: Arc::clone(key),
            slot: Mutex::new(slot),
            served: Notify::new(),
        });
        if let Some((_, entries)) = keys.iter_mut().find(|(known, _)| known == key) {
            entries.push_back(Arc::clone(&entry));
        } else {
            let entries = VecDeque::from([Arc::clone(&entry)]);
            keys.push_back((Arc::clone(key), entries));
        }
        Ok(entry)
    }

    /// Whether a key's next exchange would wait behind others of it.
    pub(super) fn has_others(&self, key: &Arc<str>) -> bool {
        let full = self.waiting.load(Ordering::Acquire) >= self.patience.max_waiting;
        !self.is_empty() && !full && self.keys().iter().any(|(known, _)| known == key)
    }

    /// Whether an exchange is the first of its key.
    pub(super) fn is_first(&self, entry: &Arc<Entry>) -> bool {
        let is_it = |first: &Arc<Entry>| Arc::ptr_eq(first, entry);
        let keys = self.keys();
        let mut firsts = keys.iter().map(|(_, entries)| entries.front());
        firsts.any(|first| first.is_some_and(is_it))
    }

    /// Lets the first of each key ask again, in turn.
    pub(super) fn wake(&self) {
        for (_, entries) in self.keys().iter() {
            if let Some(entry) = entries.front() {
                entry.served.notify_one();
            }
        }
    }

    /// Takes an exchange out that took what it waited for. Its key goes to the back.
    pub(super) fn took(&self, entry: &Arc<Entry>) {
        self.leave(entry);
        let mut keys = self.keys();
        let own = keys.iter().position(|(key, _)| *key == entry.key);
        if let Some(own) = own.and_then(|place| keys.remove(place)) {
            keys.push_back(own);
        }
        drop(keys);
        self.wake();
    }

    /// Takes an exchange out, if it still waits.
    pub(super) fn leave(&self, gone: &Arc<Entry>) {
        let mut keys = self.keys();
        for (_, entries) in keys.iter_mut() {
            let before = entries.len();
            entries.retain(|entry| !Arc::ptr_eq(entry, gone));
            self.waiting
                .fetch_sub(before - entries.len(), Ordering::AcqRel);
        }
        keys.retain(|(_, entries)| !entries.is_empty());
    }

    /// Lets go on who can, in turn.
    pub(super) fn serve(
        &self,
        table: &Table,
        now: Present,
        explained: impl Fn(&[Claim], Refusal, Standing) -> Refused,
    ) {
        let mut keys = self.keys();
        let mut again = true;
        while again {
            again = false;
            let (mut passed, mut served) = (Keys::new(), Keys::new());
            while let Some((key, mut entries)) = keys.pop_front() {
                let took = entries
                    .front()
                    .is_some_and(|entry| entry.try_take(table, now, &explained));
                if took {
                    entries.pop_front();
                    self.waiting.fetch_sub(1, Ordering::AcqRel);
                    again = true;
                }
                match (entries.is_empty(), took) {
                    (true, _) => {}
                    (false, true) => served.push_back((key, entries)),
                    (false, false) => passed.push_back((key, entries)),
                }
            }
            passed.append(&mut served);
            *keys = passed;
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
