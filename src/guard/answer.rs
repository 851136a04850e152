//! Judges the events of one streamed answer: running text goes into its lanes, all other strings are judged where they are.
//!
//! This is what an answer says; [`stream`](super::stream) is how it travels: what waits, what leaves, how it ends.

use std::sync::Arc;

use bytes::Bytes;

use crate::guard::ask::Waiting;
use crate::guard::bridge::Bridge;
use crate::guard::carrier::{self, Carrier, Coding, Splice, Words};
use crate::guard::count::Counter;
use crate::guard::ids::Ids;
use crate::guard::known::Known;
use crate::guard::lane::{Judge, Running};
use crate::guard::notes::{Delta, Notes};
use crate::guard::numbering::Numbering;
use crate::guard::pace;
use crate::guard::restore::Originals;
use crate::guard::seam::Seams;
use crate::guard::size::Meter;
use crate::guard::tools::{Bench, Calls};
use crate::policy::{Answers, Policy, Stage, Tally};
use crate::scan::finding::Finding;
use crate::wire::json::{Limits, unescape};
use crate::wire::sse::RawEvent;
use crate::wire::{
    Api, Close, Event, Field, Framing, Lane, Part, Piece, StreamContext, Usage, read_event,
};

use super::summary::Exchange;
use super::{Failure, Stop, check_shape};

/// The most texts one answer may have: choices times blocks times kinds.
const MAX_LANES: usize = 1024;

/// Ended lanes of a conversation that are kept.
const KEPT_LANES: usize = 64;

const TOO_MANY: Failure = Failure::TooManyLanes { max: MAX_LANES };

/// What is known of an answer so far.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) api: Api,
    pub(super) framing: Framing,
    pub(super) policy: Arc<Policy>,
    pub(super) limits: Limits,
    /// What the request's placeholders stand for.
    pub(super) originals: Arc<Originals>,
    /// What the client has received.
    pub(super) context: StreamContext,
    /// What the provider has sent, where that waits for its end.
    pub(super) arrived: StreamContext,
    pub(super) tally: Tally,
    /// Tokens used, as far as the provider has said.
    pub(super) usage: Option<Usage>,
    /// Bytes of running text.
    pub(super) counter: Counter,
    /// Images, audio and files.
    pub(super) media: u32,
    /// The provider sent an error in place of the rest.
    pub(super) upstream_error: bool,
    /// Ids under which the provider may keep it, if they are wanted.
    pub(super) ids: Option<Ids>,
    pub(super) lanes: Vec<Running>,
    /// What reads on from texts that have ended into the next ones.
    pub(super) bridge: Option<Bridge>,
    /// What lies across the whole texts of the event.
    pub(super) seams: Seams,
    /// The lane of the last delta.
    lane: usize,
    closed: Vec<Close>,
    /// The last event has come.
    pub(super) ended: bool,
    pub(super) known: Known,
    pub(super) numbering: Numbering,
    /// How much text there has been.
    meter: Meter,
    /// What models are to be asked.
    pub(super) asking: Waiting,
    /// Calls of tools, where rules are about them.
    calls: Option<Calls>,
    // Scratch space, of no meaning between events.
    event: Event,
    pub(super) findings: Vec<Finding>,
}

impl Answer {
    /// At the start of an answer.
    pub(super) fn new(
        api: Api,
        framing: Framing,
        policy: Arc<Policy>,
        limits: &Limits,
        exchange: Exchange,
    ) -> Self {
        Self {
            api,
            framing,
            calls: policy.tools.minds(Stage::Call).then(Calls::default),
            policy,
            limits: limits.clone(),
            arrived: StreamContext::default(),
            originals: exchange.originals,
            meter: Meter::new(exchange.model.as_deref()),
            context: StreamContext::new(exchange.model),
            numbering: Numbering::new(api, exchange.choices),
            tally: Tally::new(),
            usage: None,
            counter: Counter::new(exchange.count_for.as_deref()),
            media: 0,
            upstream_error: false,
            ids: (exchange.kept && api == Api::Responses).then(Ids::default),
            // Mostly one; a vector makes room for four at once.
            lanes: Vec::with_capacity(1),
            bridge: None,
            seams: Seams::default(),
            lane: 0,
            closed: Vec::new(),
            ended: false,
            known: Known::default(),
            asking: Waiting::default(),
            event: Event::default(),
            findings: Vec::new(),
        }
    }

    /// The bytes of an event with its edits.
    pub(super) fn edit(&mut self, raw: &RawEvent, notes: &Notes) -> Result<Bytes, Stop> {
        let Some(data) = raw.data().filter(|_| !notes.unjudged) else {
            return Ok(raw.bytes().clone());
        };
        let splices = self.splices(notes, data);
        if splices.is_empty() {
            self.context.note(&notes.advance, data);
            return Ok(raw.bytes().clone());
        }
        let data = carrier::splice(data, &splices);
        // Read again, so that what is written is known to be well formed, and that the context holds no text that was taken out.
        read_event(self.api, &data, &self.limits, &mut self.event)?;
        self.context.note(&self.event.advance, &data);
        Ok(raw.rewrite(&data))
    }

    /// What changes in an event's data now that all matches in it are known.
    fn splices(&mut self, notes: &Notes, data: &[u8]) -> Vec<Splice> {
        let mut splices = notes.splices.clone();
        for delta in &notes.deltas {
            let Some(lane) = self.lanes.get_mut(delta.lane) else {
                continue;
            };
            if !lane.edits.is_empty() || !lane.restores.placed().is_empty() {
                let mut carrier = Carrier::new(data, delta.data, Coding::Json, lane.form());
                carrier.spot = delta.spot;
                let cuts = lane.edits.restoring(lane.restores.placed(), delta.text);
                let cuts = carrier.cuts(cuts.into_iter());
                let words = Words {
                    engine: &self.policy.response.engine,
                    originals: &self.originals,
                };
                carrier.splice(&cuts, words, &mut splices);
                lane.edits.delay(delta.text, &cuts);
                lane.edits.forget(delta.text.end);
                lane.restores.forget(delta.text.end);
            }
        }
        carrier::with_nulls(splices, &notes.logprobs)
    }

    /// Reads an event's text and judges it. Answers with the event that is to take its place where text outside its data had to
    /// be edited.
    pub(super) fn inspect(
        &mut self,
        raw: &RawEvent,
        notes: &mut Notes,
    ) -> Result<Option<RawEvent>, Stop> {
        notes.clear();
        self.known.rewind();
        let changed = self.strays(raw)?;
        let Some(data) = raw.data() else {
            return Ok(changed);
        };
        let mut event = std::mem::take(&mut self.event);
        let read = read_event(self.api, data, &self.limits, &mut event);
        let judged = read
            .map_err(Stop::from)
            .and_then(|()| Ok(self.numbering.written(raw, &event, data)?))
            .and_then(|()| self.judge(&event, data, notes));
        std::mem::swap(&mut event.advance, &mut notes.advance);
        self.event = event;
        judged.map(|()| changed)
    }

    fn judge(&mut self, event: &Event, data: &[u8], notes: &mut Notes) -> Result<(), Stop> {
        self.usage = match (self.usage, event.usage) {
            // Each answer of a conversation has its own.
            (Some(usage), Some(later)) if self.api == Api::Realtime => Some(usage.plus(later)),
            (Some(usage), Some(later)) => Some(usage.max(later)),
            (usage, later) => usage.or(later),
        };
        self.media = self.media.saturating_add(event.media);
        self.upstream_error |= event.error;
        if self.tally.add_media(&self.policy, event.media) {
            return Err(Stop::Block);
        }
        check_shape(&self.policy, event.unknown)?;
        self.numbering.note(event)?;
        if let Some(ids) = &mut self.ids {
            ids.note(event.ids(data));
        }
        notes.logprobs.extend_from_slice(&event.logprobs);
        if let Some(calls) = &mut self.calls {
            let mut bench = Bench {
                policy: &self.policy,
                tally: &mut self.tally,
            };
            calls.event((self.api, data), event, &mut bench)?;
        }
        self.seams(event, data)?;
        for piece in &event.pieces {
            let raw = data.get(piece.span.range()).unwrap_or_default();
            match piece.part {
                Part::Delta(lane) => notes.deltas.extend(self.delta(lane, piece, raw)?),
                Part::Whole | Part::Snapshot => {
                    let coding = Coding::of(piece);
                    let carrier = Carrier::new(data, piece.span, coding, piece.form);
                    let who = (piece.origin, piece.argument);
                    let goes_on = piece.part == Part::Snapshot;
                    self.whole(carrier, who, goes_on, &mut notes.splices)?;
                }
            }
        }
        if pace::buffers(&self.policy) {
            self.arrived.note(&event.advance, data);
        }
        self.ended |= event.advance.terminal;
        let ended = self.ended;
        let closes = &event.advance.closes;
        self.close(|lane| ended || closes.iter().any(|close| close.ends(lane)))?;
        if self.api == Api::Realtime {
            // Its answers have no end at which models could be asked.
            self.hear(&Answers::default())?;
        }
        notes.call = match &self.calls {
            Some(calls) if !self.policy.observe => calls.waits(),
            Some(_) | None => None,
        };
        let new = closes.iter().filter(|close| !self.closed.contains(close));
        let new: Vec<Close> = new.copied().collect();
        self.closed.extend(new);
        if self.closed.len() > MAX_LANES {
            Err(TOO_MANY.into())
        } else {
            Ok(())
        }
    }

    /// Forgets lanes that have ended, and ends that are long past: a conversation has any number. To be called while no event
    /// waits.
    pub(super) fn forget(&mut self) {
        if self.lanes.len() >= KEPT_LANES || self.closed.len() >= KEPT_LANES {
            self.lanes.retain(Running::is_open);
            if let Some(calls) = &mut self.calls {
                calls.forget();
            }
            self.lane = 0;
            let surplus = self.closed.len().saturating_sub(KEPT_LANES / 2);
            self.closed.drain(..surplus);
        }
    }

    /// Ends the lanes that are `closed`: nothing of them is held back any more.
    pub(super) fn close(&mut self, closed: impl Fn(Lane) -> bool) -> Result<(), Stop> {
        if let Some(calls) = &mut self.calls {
            let mut bench = Bench {
                policy: &self.policy,
                tally: &mut self.tally,
            };
            calls.close(&closed, &mut bench)?;
        }
        self.bridge_ends(&closed);
        for running in self.lanes.iter_mut().filter(|running| closed(running.lane)) {
            running.finish(&mut Judge {
                side: &self.policy.response,
                originals: &self.originals,
                tally: &mut self.tally,
                meter: &mut self.meter,
                asking: &mut self.asking,
                findings: &mut self.findings,
            })?;
        }
        if self.ended {
            self.end_bridge()?;
        }
        Ok(())
    }

    fn delta(&mut self, lane: Lane, piece: &Piece, raw: &[u8]) -> Result<Option<Delta>, Stop> {
        let text = unescape(raw);
        if text.is_empty() {
            return Ok(None);
        }
        if self.ended {
            return Err(Failure::LateText.into());
        }
        if lane.field != Field::Other {
            self.counter.delta(&text);
        }
        // Gemini's calls are whole, or name the places of their parts.
        if let Some(calls) = self.calls.as_mut().filter(|_| self.api != Api::Gemini) {
            let mut bench = Bench {
                policy: &self.policy,
                tally: &mut self.tally,
            };
            calls.delta(lane, (&text, piece.form), &mut bench)?;
        }
        let index = self.lane(lane, piece)?;
        let Some(running) = self.lanes.get_mut(index) else {
            return Ok(None);
        };
        let spot = running.spot();
        let mut judge = Judge {
            side: &self.policy.response,
            originals: &self.originals,
            tally: &mut self.tally,
            meter: &mut self.meter,
            asking: &mut self.asking,
            findings: &mut self.findings,
        };
        let place = running.push(&mut judge, &text)?;
        self.bridge(index, place.start, &text)?;
        Ok(Some(Delta {
            lane: index,
            text: place,
            data: piece.span,
            spot,
        }))
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
                self.lanes.push(Running::new(lane, piece, &self.policy));
            }
        }
        Ok(self.lane)
    }

    /// Whether an event that was cut off can be read.
    pub(super) fn reads(&mut self, raw: &RawEvent) -> bool {
        raw.data()
            .is_some_and(|data| read_event(self.api, data, &self.limits, &mut self.event).is_ok())
    }

    /// Whether no match can begin any more in the text of an event.
    pub(super) fn may_leave(&self, notes: &Notes) -> bool {
        let cleared = |delta: &Delta| {
            let across = self.bridge.as_ref();
            let across = across.is_none_or(|bridge| bridge.cleared(delta.lane) >= delta.text.end);
            let lane = self.lanes.get(delta.lane);
            across && lane.is_some_and(|lane| lane.cleared() >= delta.text.end)
        };
        let decided = |call| {
            self.calls
                .as_ref()
                .is_none_or(|calls| calls.are_decided(call))
        };
        notes.call.is_none_or(decided) && notes.deltas.iter().all(cleared)
    }

    /// Begins anew after a panic: what was read so far passes, what comes is judged again.
    pub(super) fn restart(&mut self) {
        self.bridge = None;
        self.lanes.iter_mut().for_each(Running::restart);
    }
}
