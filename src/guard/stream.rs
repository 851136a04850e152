//! Streamed answers: bytes in, cleared bytes out, without waiting.
//!
//! Events are queued whole and leave in order, as they came, as soon as no match can begin in their text any more; an event
//! is written anew only if an edit touches it. The queue is empty most of the time: an ordinary event is read once, scanned
//! once and passed on within the same call. What is decided depends on the events alone, which do not depend on how the
//! stream was cut into chunks; so neither do output and verdict.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::guard::answer::Answer;
use crate::guard::ask::say;
use crate::guard::ids::Ids;
use crate::guard::notes::Notes;
use crate::guard::pace;
use crate::guard::restore::Originals;
use crate::policy::Policy;
use crate::wire::json::Limits;
use crate::wire::sse::{RawEvent, Splitter};
use crate::wire::{Api, Family, Framing, refusal};

use super::summary::{BROKEN_OFF, Trouble, UNSCANNED, WITHDRAWN};
pub use super::summary::{End, Ending, Exchange, Flow, Summary};
use super::{Cleared, Failure, Refused, Stop, contain, passes_unjudged};

/// The guard of one streamed answer.
#[derive(Debug)]
pub struct StreamGuard(pub(super) Box<Stream>);

impl StreamGuard {
    /// At the start of an answer.
    pub fn new(
        api: Api,
        framing: Framing,
        policy: Arc<Policy>,
        limits: &Limits,
        exchange: Exchange,
    ) -> Self {
        let buffers = api != Api::Realtime && pace::buffers(&policy);
        Self(Box::new(Stream {
            request_id: exchange.request_id.clone(),
            kept_bytes: exchange.originals.bytes(),
            splitter: Splitter::with_limit(framing, limits.event_bytes),
            answer: Answer::new(api, framing, policy, limits, exchange),
            // Mostly one waits.
            queue: VecDeque::with_capacity(1),
            held_bytes: 0,
            buffers,
            notes: Notes::default(),
            phase: Phase::Read,
            closing: false,
            ending: Ending::Open,
            unjudged: None,
        }))
    }

    /// Takes note of what the placeholders stand for that went up since (realtime).
    pub fn know(&mut self, originals: &Arc<Originals>) {
        if !Arc::ptr_eq(&self.0.answer.originals, originals) {
            self.0.answer.originals = Arc::clone(originals);
            self.0.kept_bytes = originals.bytes();
        }
    }

    /// Whether an answer is under way that the client has a part of.
    pub fn is_answering(&self) -> bool {
        self.0.answer.context.started || !self.0.queue.is_empty()
    }

    /// Ends the stream by the refusal of something else than the answer (realtime: of what the client sent).
    pub fn refuse(&mut self, refused: &Refused, out: &mut Vec<Cleared>) {
        if self.0.phase != Phase::End {
            self.0.refuse(refused.clone(), out);
        }
    }

    /// Takes the next bytes from upstream and adds to `out` what may be written now.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Cleared>) -> Flow {
        self.0.push(chunk, out)
    }

    /// Takes the end of the bytes from upstream and adds to `out` the rest of what may be written. Where the answer is not
    /// complete that ends in an error event, never in a clean end.
    pub fn finish(&mut self, end: End, out: &mut Vec<Cleared>) {
        self.0.finish(end, out);
    }

    /// What is known so far.
    pub fn summary(&self) -> Summary {
        let stream = &self.0;
        Summary {
            verdict: stream.answer.tally.verdict().clone(),
            ending: stream.ending.clone(),
            usage: stream.answer.usage,
            text_bytes: stream.answer.counter.bytes,
            tokens: match (&stream.ending, stream.answer.usage) {
                (Ending::Complete, Some(_)) => None,
                _ => stream.answer.counter.tokens(),
            },
            media: stream.answer.media,
            upstream_error: stream.answer.upstream_error,
            unjudged: match (&stream.unjudged, &stream.answer.asking.missing) {
                (None, Some(missing)) => Some((0, missing.clone())),
                (unjudged, _) => unjudged.clone(),
            },
        }
    }

    /// Ids that came since this was last asked, under which the provider may keep the answer and its items.
    pub fn new_ids(&mut self) -> Vec<String> {
        self.0
            .answer
            .ids
            .as_mut()
            .map_or_else(Vec::new, Ids::untold)
    }

    /// A comment to write while nothing else can be, so that the client sees the gateway alive; `None` where nothing waits or the
    /// client could not read it.
    pub fn keep_alive(&self) -> Option<Cleared> {
        let (stream, answer) = (&self.0, &self.0.answer);
        // Google's clients take every line for data.
        let reads = answer.framing == Framing::Sse && answer.api.family() != Family::Gemini;
        let waits = stream.phase == Phase::Read && !stream.queue.is_empty();
        let told = reads && waits && pace::is_slow(&answer.policy);
        told.then(|| Cleared(Bytes::from_static(b": waiting\n\n")))
    }

    /// Ends the waiting as the policy's `on_error` says, because there is no room for more.
    pub fn no_room(&mut self, out: &mut Vec<Cleared>) {
        if self.0.phase == Phase::Read {
            self.0.stop(Failure::NoRoom.into(), None, out);
        }
    }

    /// Bytes that wait in the guard: cut events, events held back with what is noted of them, and what placeholders stand for.
    pub fn held_bytes(&self) -> usize {
        self.0.held_bytes + self.0.splitter.pending() + self.0.kept_bytes
    }
}

#[derive(Debug)]
pub(super) struct Stream {
    request_id: String,
    pub(super) splitter: Splitter,
    pub(super) answer: Answer,
    /// Events that wait, and all behind them.
    queue: VecDeque<Held>,
    /// What the events in the queue take, their notes included.
    held_bytes: usize,
    /// What the request's placeholders stand for takes so much.
    kept_bytes: usize,
    /// Nothing leaves before the answer's end.
    buffers: bool,
    /// Scratch space, of no meaning between events.
    notes: Notes,
    pub(super) phase: Phase,
    /// The closing bracket of an array stream has come.
    closing: bool,
    ending: Ending,
    unjudged: Option<(u64, Failure)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Events are read and judged.
    Read,
    /// The bytes cannot be cut into events, and the policy lets them pass.
    Pass,
    End,
}

/// An event in the queue.
#[derive(Debug)]
struct Held {
    raw: RawEvent,
    notes: Notes,
}

impl Held {
    /// What it takes, so that many small events do not pass for few bytes.
    fn bytes(&self) -> usize {
        self.raw.bytes().len() + size_of::<Self>()
    }
}

impl Stream {
    fn push(&mut self, chunk: &[u8], out: &mut Vec<Cleared>) -> Flow {
        match self.phase {
            Phase::Read => self.splitter.push(chunk),
            Phase::Pass => out.push(Cleared(Bytes::copy_from_slice(chunk))),
            Phase::End => {}
        }
        self.read(out);
        self.flow()
    }

    pub(super) fn finish(&mut self, end: End, out: &mut Vec<Cleared>) {
        if end == End::Complete && self.waits() {
            self.answer.asking.end = Some(end);
            return;
        }
        // Whether what is written so far ends where an event does.
        let mut whole = self.phase == Phase::Read || self.answer.framing != Framing::Sse;
        if self.phase == Phase::Read {
            match contain(|| Ok(self.splitter.finish())) {
                // Readers that follow the standard discard an event that was cut off, others do not.
                Ok(Some(raw))
                    if end == End::Complete && (raw.complete || self.answer.reads(&raw)) =>
                {
                    whole = raw.complete;
                    self.take(raw, out);
                }
                Ok(_) => {}
                Err(stop) => self.stop(stop, None, out),
            }
        }
        if self.phase == Phase::End {
            return;
        }
        if self.phase == Phase::Read && self.asks(end, out) {
            return;
        }
        let closed = self.closing || self.answer.framing != Framing::JsonArray;
        let api = self.answer.api;
        let broken = api == Api::Realtime && end != End::Complete;
        if self.buffers && end == End::Complete && self.answer.arrived.is_complete(api) {
            self.buffers = false;
            self.release(false, out);
        }
        let complete = closed && !broken && self.answer.context.is_complete(api);
        if complete || end == End::Complete && self.unjudged.is_some() {
            return self.complete(out);
        }
        if !whole {
            out.push(Cleared(Bytes::from_static(b"\n\n")));
        }
        let trouble = match end {
            End::Withdrawn => WITHDRAWN,
            End::Complete | End::Break => BROKEN_OFF,
        };
        self.break_off(trouble, Ending::Break, out);
    }

    /// Judges the next event and lets leave what may.
    pub(super) fn take(&mut self, raw: RawEvent, out: &mut Vec<Cleared>) {
        self.closing |= raw.closing;
        if self.answer.api == Api::Realtime && self.queue.is_empty() {
            self.answer.forget();
        }
        let raw = match contain(|| self.answer.inspect(&raw, &mut self.notes)) {
            Ok(changed) => changed.unwrap_or(raw),
            Err(stop) => return self.stop(stop, Some(raw), out),
        };
        let notes = std::mem::take(&mut self.notes);
        self.buffers &= !self.answer.ended || !self.answer.asking.pending.is_empty();
        if self.answer.api == Api::Realtime {
            self.buffers = self.answer.arrived.started;
        }
        let leaves = !self.buffers && !self.waits() && self.answer.may_leave(&notes);
        if self.queue.is_empty() && leaves {
            return self.write(&raw, notes, out);
        }
        self.hold(raw, notes);
        self.release(false, out);
        let max = pace::max_held_bytes(self.answer.api, &self.answer.policy);
        if self.held_bytes > max {
            self.stop(Failure::TooMuchHeld { max }.into(), None, out);
        }
    }

    fn hold(&mut self, raw: RawEvent, notes: Notes) {
        let held = Held { raw, notes };
        self.held_bytes += held.bytes();
        self.queue.push_back(held);
    }

    /// Writes the events at the front of the queue that may leave, or all of them.
    pub(super) fn release(&mut self, all: bool, out: &mut Vec<Cleared>) {
        let holds = self.buffers || self.waits();
        while let Some(held) = self
            .queue
            .pop_front_if(|held| all || !holds && self.answer.may_leave(&held.notes))
        {
            self.held_bytes -= held.bytes();
            self.write(&held.raw, held.notes, out);
        }
        if self.queue.is_empty() && self.queue.capacity() > 16 {
            self.queue = VecDeque::new();
        }
    }

    /// Writes one event with its edits.
    fn write(&mut self, raw: &RawEvent, notes: Notes, out: &mut Vec<Cleared>) {
        match contain(|| self.answer.edit(raw, &notes)) {
            Ok(bytes) => {
                out.push(Cleared(bytes));
                self.notes = notes;
            }
            // What is known to be in it must not leave, whatever the policy says about what is not known.
            Err(Stop::Fail(failure)) => self.break_off(UNSCANNED, Ending::Fail(failure), out),
            Err(Stop::Block) => self.block(out),
        }
    }

    /// Does what the policy says when inspecting went no further: at the event `raw`, else at bytes that are none.
    pub(super) fn stop(&mut self, stop: Stop, raw: Option<RawEvent>, out: &mut Vec<Cleared>) {
        let failure = match stop {
            Stop::Block => return self.block(out),
            Stop::Fail(failure) => failure,
        };
        if !passes_unjudged(&self.answer.policy, &failure) {
            return self.break_off(UNSCANNED, Ending::Fail(failure), out);
        }
        let held_too_much = matches!(failure, Failure::TooMuchHeld { .. } | Failure::NoRoom);
        if failure == Failure::Panic {
            self.answer.restart();
        }
        let (events, _) = self.unjudged.get_or_insert((0, failure));
        *events += 1;
        if let Some(raw) = raw {
            self.hold(raw, Notes::unjudged());
            return self.release(false, out);
        }
        self.release(true, out);
        if !held_too_much && self.phase == Phase::Read {
            self.answer.restart();
            let rest = contain(|| Ok(self.splitter.finish())).ok().flatten();
            out.extend(rest.map(|raw| Cleared(raw.bytes().clone())));
            self.phase = Phase::Pass;
        }
    }

    /// Ends an answer of which nothing is missing.
    fn complete(&mut self, out: &mut Vec<Cleared>) {
        match contain(|| self.answer.close(|_| true)) {
            Err(Stop::Fail(failure)) if passes_unjudged(&self.answer.policy, &failure) => {
                self.unjudged.get_or_insert((1, failure));
            }
            Err(stop) => return self.stop(stop, None, out),
            Ok(()) => {}
        }
        self.release(true, out);
        if self.phase != Phase::End {
            self.end(Ending::Complete);
        }
    }

    fn block(&mut self, out: &mut Vec<Cleared>) {
        let refused = Refused::new(&self.answer.policy, self.answer.tally.verdict());
        self.refuse(refused, out);
    }

    fn refuse(&mut self, refused: Refused, out: &mut Vec<Cleared>) {
        let Answer {
            api,
            framing,
            policy,
            context,
            numbering,
            ..
        } = &self.answer;
        let mut refusal = refused.refusal(policy, &self.request_id);
        refusal.choices = numbering.choices();
        let events = refusal::events(*api, *framing, &refusal, context);
        say(*framing, events, out);
        self.end(Ending::Refuse(refused));
    }

    fn break_off(&mut self, trouble: Trouble, ending: Ending, out: &mut Vec<Cleared>) {
        let (answer, id) = (&self.answer, &self.request_id);
        let events = refusal::broken(answer.api, answer.framing, &answer.context, trouble, id);
        say(answer.framing, events, out);
        self.end(ending);
    }

    /// Ends the stream; what was still held back is dropped.
    fn end(&mut self, ending: Ending) {
        self.ending = ending;
        self.phase = Phase::End;
        self.held_bytes = 0;
        self.queue = VecDeque::new();
        self.notes = Notes::default();
    }
}
