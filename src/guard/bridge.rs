//! What is written across the ends of an answer's texts while they stream: blocks or parts that follow each other, each harmless by itself.
//!
//! A text that has ended is read on into the next one, as clients do that join them, beside the next one's own scan. What may belong to a
//! match that has begun is held until the text that follows decides, or anything else does that an answer goes on with. Only matches that go
//! across count here: those within one text are its own.

use crate::guard::answer::Answer;
use crate::guard::lane::Running;
use crate::policy::Ground;
use crate::scan::engine::{Engine, Overflow};
use crate::scan::finding::Finding;
use crate::scan::segment::SegmentScan;
use crate::text::{Origin, Span};
use crate::wire::{Api, Field, Lane};

use super::{Duty, Stop};

/// So much of the next text is read at least, for matches that hold nothing back.
const EDGE: usize = 256;

/// Texts that are read as one.
#[derive(Debug)]
pub(super) struct Bridge {
    /// Texts of this kind only follow each other.
    field: Field,
    scan: Box<SegmentScan>,
    parts: Vec<Part>,
    /// Where the last text ends that has ended.
    joint: usize,
    /// A match went across.
    crossed: bool,
}

/// A piece of a lane's text, which goes on to the start of the next one.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The lane's index.
    lane: usize,
    /// Where it begins in the scan.
    start: usize,
    /// Where it begins in the lane's text.
    offset: usize,
}

impl Bridge {
    /// After what there is of the text of the lane with this index; nothing if that has ended, or is of a kind that does not go on in another.
    fn after(lane: usize, running: &Running) -> Option<Self> {
        let field = running.lane.field;
        let (scan, offset) = running.so_far()?;
        let part = Part {
            lane,
            start: 0,
            offset,
        };
        matches!(field, Field::Content | Field::Reasoning).then(|| Self {
            field,
            joint: scan.len(),
            scan,
            parts: vec![part],
            crossed: false,
        })
    }

    /// Reads the next text, which begins at `offset` of `lane`.
    ///
    /// # Errors
    /// [`Overflow`], as for any text.
    fn push(
        &mut self,
        (lane, offset): (usize, usize),
        text: &str,
        engine: &Engine,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Overflow> {
        if self.parts.last().is_none_or(|part| part.lane != lane) {
            let start = self.scan.len();
            self.parts.push(Part {
                lane,
                start,
                offset,
            });
        }
        self.scan.push(engine, text, findings)
    }

    /// Reads the end: no text follows.
    ///
    /// # Errors
    /// [`Overflow`], as for any text.
    fn finish(&mut self, engine: &Engine, findings: &mut Vec<Finding>) -> Result<(), Overflow> {
        self.scan.finish(engine, findings)
    }

    /// Takes note that the text that was read last has ended, too.
    fn join(&mut self) {
        self.joint = self.scan.len();
    }

    /// Whether nothing can go across any more.
    fn is_done(&self) -> bool {
        let (cleared, len) = (self.scan.cleared(), self.scan.len());
        cleared >= self.joint && len - self.joint >= EDGE && !(self.crossed && cleared < len)
    }

    /// The parts of a finding in each lane that it goes through; none if it is within one.
    fn across(&mut self, finding: &Finding) -> Vec<(usize, Span)> {
        let starts = self.parts.iter().skip(1).map(|part| part.start);
        let ends = starts.chain([self.scan.len()]);
        let within = self.parts.iter().zip(ends).filter_map(|(part, end)| {
            let start = finding.span.start.max(part.start);
            let end = finding.span.end.min(end);
            let place = |at: usize| at - part.start + part.offset;
            (start < end).then(|| (part.lane, Span::new(place(start), place(end))))
        });
        let within: Vec<(usize, Span)> = within.collect();
        if within.len() > 1 || finding.continues && self.crossed {
            self.crossed = true;
            within
        } else {
            Vec::new()
        }
    }

    /// Bytes of a lane's text, from its start, that no match across can begin in any more.
    pub(super) fn cleared(&self, lane: usize) -> usize {
        let cleared = self.scan.cleared();
        let held = |part: &&Part| part.lane == lane;
        let ends = self.parts.iter().skip(1).map(|part| part.start);
        let ends = ends.chain([usize::MAX]);
        let parts = self.parts.iter().zip(ends);
        let open = parts.filter(|(_, end)| cleared < *end);
        let first = open.map(|(part, _)| part).find(held);
        first.map_or(usize::MAX, |part| {
            cleared.saturating_sub(part.start) + part.offset
        })
    }
}

impl Answer {
    /// Reads on from the texts that are about to end.
    pub(super) fn bridge_ends(&mut self, closed: &impl Fn(Lane) -> bool) {
        if self.ended || !self.goes_across() {
            return;
        }
        for (index, running) in self.lanes.iter().enumerate() {
            if !running.is_open() || !closed(running.lane) {
                continue;
            }
            match &mut self.bridge {
                Some(bridge) if bridge.field == running.lane.field => bridge.join(),
                Some(_) => {}
                None => self.bridge = Bridge::after(index, running),
            }
        }
    }

    /// Whether an answer has several texts that clients join. Others have one, or one that goes on; in a conversation much may come before the next.
    const fn goes_across(&self) -> bool {
        matches!(self.api, Api::Messages | Api::Responses)
    }

    /// Reads the next delta, at `offset` of a lane's text, beside the lane itself.
    pub(super) fn bridge(&mut self, lane: usize, offset: usize, text: &str) -> Result<(), Stop> {
        let Some(field) = self.lanes.get(lane).map(|running| running.lane.field) else {
            return Ok(());
        };
        // A text may begin before the one before it has ended.
        if self.bridge.is_none() && offset == 0 && self.goes_across() {
            let mut others = self.lanes.iter().enumerate().rev();
            let last = others.find(|(index, other)| {
                *index != lane && other.is_open() && other.lane.field == field
            });
            self.bridge = last.and_then(|(index, running)| Bridge::after(index, running));
        }
        let Some(bridge) = &mut self.bridge else {
            return Ok(());
        };
        if field != bridge.field {
            return self.end_bridge();
        }
        self.findings.clear();
        let engine = &self.policy.response.engine;
        let scanned = bridge.push((lane, offset), text, engine, &mut self.findings);
        self.judge_across()?;
        scanned?;
        self.bridge = self.bridge.take().filter(|bridge| !bridge.is_done());
        Ok(())
    }

    /// Lets leave what waits for a text that would follow.
    pub(super) fn end_bridge(&mut self) -> Result<(), Stop> {
        let Some(bridge) = &mut self.bridge else {
            return Ok(());
        };
        self.findings.clear();
        let scanned = bridge.finish(&self.policy.response.engine, &mut self.findings);
        self.judge_across()?;
        self.bridge = None;
        Ok(scanned?)
    }

    /// Judges what was found across texts.
    fn judge_across(&mut self) -> Result<(), Stop> {
        let side = &self.policy.response;
        let Some(bridge) = &mut self.bridge else {
            return Ok(());
        };
        for finding in &self.findings {
            let parts = bridge.across(finding);
            let minds = side.minds(finding.rule, Ground::Text) && !side.restores(finding.rule);
            if parts.is_empty() || !minds {
                continue;
            }
            match Duty::of(self.tally.add(side, finding, "", Origin::Assistant)) {
                Duty::Pass => {}
                // Events of the other APIs have repeated the first text as it was.
                Duty::Edit if self.api == Api::Messages => {
                    for (nth, (lane, span)) in parts.into_iter().enumerate() {
                        let part = Finding {
                            span,
                            continues: finding.continues || nth > 0,
                            ..*finding
                        };
                        if let Some(running) = self.lanes.get_mut(lane) {
                            running.edits.add(&part);
                        }
                    }
                }
                Duty::Edit | Duty::Replace | Duty::Stop => return Err(Stop::Block),
            }
        }
        Ok(())
    }
}
