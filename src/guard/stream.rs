//! Streamed answers: bytes in, cleared bytes out, without waiting.
//!
//! Events are queued whole and leave in order, as they came, as soon as no match can begin in their text any more; an event
//! is written anew only if an edit touches it. The queue is empty most of the time: an ordinary event is read once, scanned
//! once and passed on within the same call. What is decided depends on the events alone, which do not depend on how the
//! stream was cut into chunks; so neither do output and verdict.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::guard::edit::{self, Carrier, Coding, Edits, Splice};
use crate::guard::known::Known;
use crate::guard::lane::Running;
use crate::policy::{Policy, Tally, Verdict};
use crate::scan::finding::Finding;
use crate::scan::segment::SegmentScan;
use crate::text::{Form, Origin, Span};
use crate::wire::json::{Limits, unescape};
use crate::wire::sse::{RawEvent, Splitter};
use crate::wire::{
    Api, Close, Event, Field, Framing, Lane, Part, Piece, StreamContext, Usage, read_event, refusal,
};

use super::{Cleared, Duty, Failure, Refused, Stop, contain, passes_unjudged};

/// The most texts one stream may have: choices times blocks times kinds.
const MAX_LANES: usize = 1024;

/// The most bytes of events that may wait for the end of a match. A match within the engine's reach spans far less, even in
/// events of one byte of text each.
const MAX_HELD_BYTES: usize = 1 << 20;

/// The guard of one streamed answer.
#[derive(Debug)]
pub struct StreamGuard(Box<Stream>);

/// Whether the caller goes on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// More may come.
    Continue,
    /// The stream has ended with what was written last, which a client understands as the end. Later bytes are ignored.
    End,
}

/// How the upstream's bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As the transport's framing says, they were complete.
    Complete,
    /// The connection broke, a time limit passed, or the gateway itself cut it off.
    Break,
}

/// What the messages to the client say of the exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// As in the log and the audit record.
    pub request_id: String,
    /// The model, as the request named it.
    pub model: Option<String>,
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has not ended.
    Open,
    /// The answer came to its end and all that the policy lets pass was written.
    Complete,
    /// The policy refused it.
    Refuse(Refused),
    /// It could not be judged.
    Fail(Failure),
    /// The upstream ended before its answer did.
    Break,
}

/// What is known of a stream, for charges, log and audit.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What the policy made of it.
    pub verdict: Verdict,
    /// What became of it.
    pub ending: Ending,
    /// Tokens used, as far as the provider has said.
    pub usage: Option<Usage>,
    /// Bytes of running text received, escapes undone: what can be charged by where the provider says no use.
    pub text_bytes: u64,
    /// Images, audio and files, which nothing scans.
    pub media: u32,
    /// The provider sent an error in place of the rest.
    pub upstream_error: bool,
    /// Events that passed unjudged, because the policy says so on an error; and the first error.
    pub unjudged: Option<(u64, Failure)>,
}

impl StreamGuard {
    /// At the start of an answer.
    pub fn new(
        api: Api,
        framing: Framing,
        policy: Arc<Policy>,
        limits: &Limits,
        exchange: Exchange,
    ) -> Self {
        Self(Box::new(Stream {
            api,
            framing,
            policy,
            splitter: Splitter::with_limit(framing, limits.event_bytes),
            limits: limits.clone(),
            context: StreamContext::new(exchange.model),
            request_id: exchange.request_id,
            event: Event::default(),
            findings: Vec::new(),
            lanes: Vec::new(),
            lane: 0,
            closed: Vec::new(),
            known: Known::default(),
            notes: Notes::default(),
            queue: VecDeque::new(),
            held_bytes: 0,
            phase: Phase::Read,
            closing: false,
            tally: Tally::new(),
            ending: Ending::Open,
            usage: None,
            text_bytes: 0,
            media: 0,
            upstream_error: false,
            unjudged: None,
        }))
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
            verdict: stream.tally.verdict().clone(),
            ending: stream.ending.clone(),
            usage: stream.usage,
            text_bytes: stream.text_bytes,
            media: stream.media,
            upstream_error: stream.upstream_error,
            unjudged: stream.unjudged.clone(),
        }
    }

    /// Bytes that wait in the guard: cut events, and events held back.
    pub fn held_bytes(&self) -> usize {
        self.0.held_bytes + self.0.splitter.pending()
    }
}

#[derive(Debug)]
struct Stream {
    api: Api,
    framing: Framing,
    policy: Arc<Policy>,
    limits: Limits,
    request_id: String,
    splitter: Splitter,
    /// What the client has received.
    context: StreamContext,
    lanes: Vec<Running>,
    /// The lane of the last delta.
    lane: usize,
    closed: Vec<Close>,
    known: Known,
    queue: VecDeque<Held>,
    /// Bytes of the events in the queue.
    held_bytes: usize,
    phase: Phase,
    /// The closing bracket of an array stream has come.
    closing: bool,
    // Scratch space, empty or of no meaning between events.
    event: Event,
    findings: Vec<Finding>,
    notes: Notes,
    // What the summary tells.
    tally: Tally,
    ending: Ending,
    usage: Option<Usage>,
    text_bytes: u64,
    media: u32,
    upstream_error: bool,
    unjudged: Option<(u64, Failure)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
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

/// What has to be known of an event until it leaves.
#[derive(Debug, Default)]
struct Notes {
    deltas: Vec<Delta>,
    /// Edits of whole strings.
    splices: Vec<Splice>,
    /// What must go if anything is edited.
    logprobs: Vec<Span>,
    /// It could not be judged and passes as it came.
    unjudged: bool,
}

/// A delta of an event.
#[derive(Clone, Copy, Debug)]
struct Delta {
    /// Index in the stream's lanes.
    lane: usize,
    /// Bytes of the lane's text.
    text: Span,
    /// Bytes of the event's data.
    data: Span,
}

impl Stream {
    fn push(&mut self, chunk: &[u8], out: &mut Vec<Cleared>) -> Flow {
        match self.phase {
            Phase::Read => self.splitter.push(chunk),
            Phase::Pass => out.push(Cleared(Bytes::copy_from_slice(chunk))),
            Phase::End => {}
        }
        while self.phase == Phase::Read {
            match contain(|| Ok(self.splitter.next()?)) {
                Ok(Some(raw)) => self.take(raw, out),
                Ok(None) => break,
                Err(stop) => self.stop(stop, None, out),
            }
        }
        if self.phase == Phase::End {
            Flow::End
        } else {
            Flow::Continue
        }
    }

    fn finish(&mut self, end: End, out: &mut Vec<Cleared>) {
        if self.phase == Phase::Read {
            match contain(|| Ok(self.splitter.finish())) {
                // Clients that follow the standard discard an event that was cut off; one that can be read is judged all the same.
                Ok(Some(raw)) if end == End::Complete && (raw.complete || self.reads(&raw)) => {
                    self.take(raw, out)
                }
                Ok(_) => {}
                Err(stop) => self.stop(stop, None, out),
            }
        }
        if self.phase == Phase::End {
            return;
        }
        let closed = self.closing || self.framing == Framing::Sse;
        let complete = closed && self.context.is_complete(self.api);
        if complete || end == End::Complete && self.unjudged.is_some() {
            self.release(true, out);
            self.end(Ending::Complete);
        } else {
            self.break_off(
                "the provider's answer broke off before its end",
                Ending::Break,
                out,
            );
        }
    }

    /// Judges the next event and lets leave what may.
    fn take(&mut self, raw: RawEvent, out: &mut Vec<Cleared>) {
        self.closing |= raw.closing;
        let raw = match contain(|| self.inspect(&raw)) {
            Ok(changed) => changed.unwrap_or(raw),
            Err(stop) => return self.stop(stop, Some(raw), out),
        };
        if self.queue.is_empty() && self.may_leave(&self.notes) {
            let notes = std::mem::take(&mut self.notes);
            return self.write(raw, notes, true, out);
        }
        self.held_bytes += raw.bytes().len();
        let notes = std::mem::take(&mut self.notes);
        self.queue.push_back(Held { raw, notes });
        self.release(false, out);
        if self.held_bytes > MAX_HELD_BYTES {
            self.stop(
                Failure::TooMuchHeld {
                    max: MAX_HELD_BYTES,
                }
                .into(),
                None,
                out,
            );
        }
    }

    fn may_leave(&self, notes: &Notes) -> bool {
        let cleared = |delta: &Delta| {
            self.lanes
                .get(delta.lane)
                .is_some_and(|lane| lane.cleared() >= delta.text.end)
        };
        notes.deltas.iter().all(cleared)
    }

    /// Writes the events at the front of the queue that may leave, or all of them.
    fn release(&mut self, all: bool, out: &mut Vec<Cleared>) {
        while let Some(held) = self.queue.pop_front() {
            if !all && !self.may_leave(&held.notes) {
                self.queue.push_front(held);
                return;
            }
            self.held_bytes -= held.raw.bytes().len();
            self.write(held.raw, held.notes, false, out);
        }
        if self.queue.capacity() > 16 {
            self.queue = VecDeque::new();
        }
    }

    /// Writes one event with its edits. `fresh` if `self.event` still is what was read from it.
    fn write(&mut self, raw: RawEvent, notes: Notes, fresh: bool, out: &mut Vec<Cleared>) {
        match contain(|| self.edit(&raw, &notes, fresh)) {
            Ok(bytes) => out.push(Cleared(bytes)),
            Err(stop) => self.stop(stop, Some(raw), out),
        }
        self.notes = notes;
    }

    /// The bytes of an event with its edits.
    fn edit(&mut self, raw: &RawEvent, notes: &Notes, fresh: bool) -> Result<Bytes, Stop> {
        let Some(data) = raw.data().filter(|_| !notes.unjudged) else {
            return Ok(raw.bytes().clone());
        };
        let splices = self.splices(notes, data);
        if splices.is_empty() {
            if !fresh {
                read_event(self.api, data, &self.limits, &mut self.event)?;
            }
            self.context.note(&self.event, data);
            return Ok(raw.bytes().clone());
        }
        let data = edit::splice(data, &splices);
        // Read again, so that what is written is known to be well formed, and that the context holds no text that was taken out.
        read_event(self.api, &data, &self.limits, &mut self.event)?;
        self.context.note(&self.event, &data);
        Ok(raw.rewrite(&data))
    }

    /// What changes in an event's data now that all matches in it are known.
    fn splices(&mut self, notes: &Notes, data: &[u8]) -> Vec<Splice> {
        let mut splices = notes.splices.clone();
        for delta in &notes.deltas {
            let Some(lane) = self.lanes.get_mut(delta.lane) else {
                continue;
            };
            if !lane.edits.is_empty() {
                let raw = data.get(delta.data.range()).unwrap_or_default();
                let carrier = Carrier {
                    raw,
                    start: delta.data.start,
                    coding: Coding::Json,
                    form: lane.form(),
                };
                carrier.splice(
                    lane.edits.within(delta.text),
                    &self.policy.response.engine,
                    &mut splices,
                );
                lane.edits.forget(delta.text.end);
            }
        }
        edit::with_nulls(splices, &notes.logprobs)
    }

    /// Reads an event's text and judges it; its notes are in `self.notes` then. Answers with the event that is to take its place where
    /// text outside its data had to be edited.
    fn inspect(&mut self, raw: &RawEvent) -> Result<Option<RawEvent>, Stop> {
        self.notes.clear();
        self.known.rewind();
        let changed = self.strays(raw)?;
        let Some(data) = raw.data() else {
            return Ok(changed);
        };
        let mut event = std::mem::take(&mut self.event);
        let read = read_event(self.api, data, &self.limits, &mut event);
        let judged = read
            .map_err(Stop::from)
            .and_then(|()| self.judge(&event, data));
        self.event = event;
        judged.map(|()| changed)
    }

    fn judge(&mut self, event: &Event, data: &[u8]) -> Result<(), Stop> {
        self.usage = match (self.usage, event.usage) {
            (Some(usage), Some(later)) => Some(usage.max(later)),
            (usage, later) => usage.or(later),
        };
        self.media = self.media.saturating_add(event.media);
        self.upstream_error |= event.error;
        self.notes.logprobs.extend_from_slice(&event.logprobs);
        for piece in &event.pieces {
            let raw = data.get(piece.span.range()).unwrap_or_default();
            match piece.part {
                Part::Delta(lane) => self.delta(lane, piece, raw)?,
                Part::Whole => {
                    let carrier = Carrier {
                        raw,
                        start: piece.span.start,
                        coding: Coding::Json,
                        form: piece.form,
                    };
                    let mut splices = std::mem::take(&mut self.notes.splices);
                    self.whole(carrier, piece.origin, &mut splices)?;
                    self.notes.splices = splices;
                }
            }
        }
        let Self {
            lanes,
            tally,
            findings,
            policy,
            ..
        } = self;
        for running in lanes.iter_mut() {
            if event.terminal || event.closes.iter().any(|close| close.ends(running.lane)) {
                running.finish(&policy.response, tally, findings)?;
            }
        }
        for close in &event.closes {
            if !self.closed.contains(close) {
                self.closed.push(*close);
            }
        }
        if self.closed.len() > MAX_LANES {
            Err(TOO_MANY.into())
        } else {
            Ok(())
        }
    }

    fn delta(&mut self, lane: Lane, piece: &Piece, raw: &[u8]) -> Result<(), Stop> {
        let text = unescape(raw);
        if text.is_empty() {
            return Ok(());
        }
        let index = self.lane(lane, piece)?;
        let Self {
            lanes,
            tally,
            findings,
            policy,
            ..
        } = self;
        let Some(running) = lanes.get_mut(index) else {
            return Ok(());
        };
        let span = running.push(&policy.response, tally, findings, &text)?;
        self.notes.deltas.push(Delta {
            lane: index,
            text: span,
            data: piece.span,
        });
        if lane.field != Field::Other {
            self.text_bytes += text.len() as u64;
        }
        Ok(())
    }

    /// The index of a lane, which begins here if it is new.
    fn lane(&mut self, lane: Lane, piece: &Piece) -> Result<usize, Stop> {
        if self
            .lanes
            .get(self.lane)
            .is_none_or(|last| last.lane != lane)
        {
            let known = self.lanes.iter().position(|running| running.lane == lane);
            if known.is_none() && self.closed.iter().any(|close| close.ends(lane)) {
                return Err(Failure::LateText.into());
            }
            if known.is_none() && self.lanes.len() >= MAX_LANES {
                return Err(TOO_MANY.into());
            }
            self.lane = known.unwrap_or(self.lanes.len());
            if known.is_none() {
                self.lanes.push(Running::new(lane, piece));
            }
        }
        Ok(self.lane)
    }

    /// Judges a string that is whole, unless it was found clean before.
    fn whole(
        &mut self,
        carrier: Carrier<'_>,
        origin: Origin,
        splices: &mut Vec<Splice>,
    ) -> Result<(), Stop> {
        if self.known.contains(&carrier) {
            return Ok(());
        }
        let text = carrier.text().ok_or(Failure::NotText)?;
        let side = &self.policy.response;
        self.findings.clear();
        let mut scan = SegmentScan::new(carrier.form);
        scan.push(&side.engine, &text, &mut self.findings)?;
        scan.finish(&side.engine, &mut self.findings)?;
        if self.findings.is_empty() {
            self.known.insert(&carrier);
            return Ok(());
        }
        let mut edits = Edits::default();
        for finding in &self.findings {
            let matched = text.get(finding.span.range()).unwrap_or_default();
            match Duty::of(self.tally.add(side, finding, matched, origin)) {
                Duty::Pass => {}
                Duty::Edit => edits.add(finding),
                Duty::Stop => return Err(Stop::Block),
            }
        }
        carrier.splice(
            edits.within(Span::new(0, text.len())),
            &side.engine,
            splices,
        );
        Ok(())
    }

    /// Judges comments, ids and the like. If some were edited, the event with other ones.
    fn strays(&mut self, raw: &RawEvent) -> Result<Option<RawEvent>, Stop> {
        let mut splices = Vec::new();
        for stray in raw.strays() {
            let start = stray.as_ptr().addr() - raw.bytes().as_ptr().addr();
            let carrier = Carrier {
                raw: stray,
                start,
                coding: Coding::Plain,
                form: Form::Plain,
            };
            self.whole(carrier, Origin::Assistant, &mut splices)?;
        }
        if splices.is_empty() {
            return Ok(None);
        }
        let mut splitter = Splitter::new(self.framing);
        splitter.push(&edit::splice(raw.bytes(), &splices));
        Ok(splitter.next()?.or_else(|| splitter.finish()))
    }

    /// Whether an event that was cut off can be read.
    fn reads(&mut self, raw: &RawEvent) -> bool {
        raw.data()
            .is_none_or(|data| read_event(self.api, data, &self.limits, &mut self.event).is_ok())
    }

    /// Does what the policy says when inspecting went no further, at the event `raw` or at bytes that are none.
    fn stop(&mut self, stop: Stop, raw: Option<RawEvent>, out: &mut Vec<Cleared>) {
        let failure = match stop {
            Stop::Block => return self.refuse(out),
            Stop::Fail(failure) => failure,
        };
        if !passes_unjudged(&self.policy) {
            return self.break_off(
                "the provider's answer could not be scanned",
                Ending::Fail(failure),
                out,
            );
        }
        let held_too_much = matches!(failure, Failure::TooMuchHeld { .. });
        if failure == Failure::Panic {
            self.lanes.iter_mut().for_each(Running::restart);
        }
        let (events, _) = self.unjudged.get_or_insert((0, failure));
        *events += 1;
        if let Some(raw) = raw {
            self.held_bytes += raw.bytes().len();
            self.queue.push_back(Held {
                raw,
                notes: Notes {
                    unjudged: true,
                    ..Notes::default()
                },
            });
            self.release(false, out);
        } else {
            self.release(true, out);
            if !held_too_much {
                let rest = contain(|| Ok(self.splitter.finish())).ok().flatten();
                out.extend(rest.map(|raw| Cleared(raw.bytes().clone())));
                self.phase = Phase::Pass;
            }
        }
    }

    fn refuse(&mut self, out: &mut Vec<Cleared>) {
        let refused = Refused::new(&self.policy, self.tally.verdict());
        let refusal = refused.refusal(&self.policy, &self.request_id);
        let events = refusal::events(self.api, self.framing, &refusal, &self.context);
        out.push(Cleared(events.into()));
        self.end(Ending::Refuse(refused));
    }

    fn break_off(&mut self, message: &str, ending: Ending, out: &mut Vec<Cleared>) {
        let events = refusal::broken(
            self.api,
            self.framing,
            &self.context,
            message,
            &self.request_id,
        );
        out.push(Cleared(events.into()));
        self.end(ending);
    }

    /// Ends the stream; what was still held back is dropped.
    fn end(&mut self, ending: Ending) {
        self.ending = ending;
        self.phase = Phase::End;
        self.held_bytes = 0;
        self.queue = VecDeque::new();
        self.lanes = Vec::new();
        self.notes = Notes::default();
        self.event = Event::default();
    }
}

const TOO_MANY: Failure = Failure::TooManyLanes { max: MAX_LANES };

impl Notes {
    fn clear(&mut self) {
        self.deltas.clear();
        self.splices.clear();
        self.logprobs.clear();
        self.unjudged = false;
    }
}
