//! One running text of a streamed answer: how far it is cleared, and what is to be taken out of it.

use crate::guard::ask::Waiting;
use crate::guard::edit::Edits;
use crate::guard::pace::Pace;
use crate::guard::restore::{Originals, Restores};
use crate::guard::size::{Meter, Segment};
use crate::guard::structure::Spot;
use crate::policy::{Ground, Policy, Side, Tally};
use crate::scan::classifier::{Opinion, Reading};
use crate::scan::finding::Finding;
use crate::scan::segment::SegmentScan;
use crate::text::blocks::Blocks;
use crate::text::{Form, Origin, Span};
use crate::wire::{Field, Lane, Piece};

use super::{Duty, Failure, Stop};

/// Bytes of text kept at least, so that a match that was not held back can be compared with the policy's exceptions.
const KEPT_BYTES: usize = 256;

/// What a lane is judged by.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) side: &'a Side,
    pub(super) originals: &'a Originals,
    pub(super) tally: &'a mut Tally,
    /// How much text there has been.
    pub(super) meter: &'a mut Meter,
    /// What models are to be asked.
    pub(super) asking: &'a mut Waiting,
    /// Scratch space.
    pub(super) findings: &'a mut Vec<Finding>,
}

/// A lane and its scan.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) lane: Lane,
    pub(super) edits: Edits,
    pub(super) restores: Restores,
    origin: Origin,
    form: Form,
    /// It is given to a tool.
    argument: bool,
    /// Its fenced code.
    blocks: Blocks,
    size: Segment,
    /// What the next delta follows on, in JSON text.
    spot: Spot,
    /// `None` when the lane has ended.
    scan: Option<Box<SegmentScan>>,
    /// How much may leave while the lane runs on.
    pace: Pace,
    /// What judges have read, where they judge sentences and not the pace's windows.
    reading: Option<Box<Reading>>,
    /// All of the text, where models judge it whole; then judges wait for its end too.
    whole: Option<String>,
    /// A pattern found a sign of an attack.
    suspect: bool,
    /// Where in the lane's text the present scan began: 0, except after a failure that was let pass.
    base: usize,
    /// Bytes of text so far.
    len: usize,
    /// The end of the text, `len` included.
    tail: String,
}

impl Running {
    /// At the start of the lane that `piece` opens.
    pub(super) fn new(lane: Lane, piece: &Piece, policy: &Policy) -> Self {
        let pace = Pace::of(policy, lane.field);
        let asks = !policy.response.models.is_empty();
        let judged = !policy.response.judges.is_empty() && !asks;
        let windows = matches!(pace, Pace::Windows(_));
        let sentences = judged && !windows;
        Self {
            lane,
            edits: Edits::default(),
            restores: Restores::default(),
            origin: piece.origin,
            form: piece.form,
            argument: piece.argument,
            blocks: Blocks::default(),
            size: Segment::default(),
            spot: Spot::default(),
            scan: Some(Box::new(SegmentScan::new(piece.form))),
            pace,
            reading: sentences.then(|| Box::new(Reading::new(piece.form))),
            whole: (asks && !windows).then(String::new),
            suspect: false,
            base: 0,
            len: 0,
            tail: String::new(),
        }
    }

    /// Whether more may come.
    pub(super) const fn is_open(&self) -> bool {
        self.scan.is_some()
    }

    /// How its reader will understand it.
    pub(super) const fn form(&self) -> Form {
        self.form
    }

    /// What the next delta follows on, in JSON text.
    pub(super) const fn spot(&self) -> Spot {
        self.spot
    }

    /// Bytes of text, from the start, that may leave with the edits known so far.
    pub(super) fn cleared(&self) -> usize {
        self.scan
            .as_ref()
            .map_or(self.len, |scan| self.pace.limit(self.base + scan.cleared()))
    }

    /// Reads the next delta. Its place in the lane's text.
    pub(super) fn push(&mut self, judge: &mut Judge<'_>, text: &str) -> Result<Span, Stop> {
        let Some(scan) = &mut self.scan else {
            return if text.is_empty() {
                Ok(Span::new(self.len, self.len))
            } else {
                Err(Failure::LateText.into())
            };
        };
        judge.findings.clear();
        let scanned = scan.push(&judge.side.engine, text, judge.findings);
        let delta = Span::new(self.len, self.len + text.len());
        self.len = delta.end;
        self.tail.push_str(text);
        self.opine(judge, Some(text));
        if self.form == Form::Json {
            self.spot = self.spot.after(text);
        }
        if judge.side.minds_places && !self.argument {
            self.blocks.push(text);
        }
        self.judge(judge)?;
        if self.lane.field != Field::Other {
            let limits = &judge.side.limits;
            judge.findings.clear();
            judge.meter.read(
                limits,
                &mut self.size,
                (text, self.len - self.base),
                judge.findings,
            );
            self.judge(judge)?;
        }
        scanned?;
        self.trim();
        Ok(delta)
    }

    /// Reads the end of the text. Nothing is held back any more.
    pub(super) fn finish(&mut self, judge: &mut Judge<'_>) -> Result<(), Stop> {
        let Some(mut scan) = self.scan.take() else {
            return Ok(());
        };
        judge.findings.clear();
        let scanned = scan.finish(&judge.side.engine, judge.findings);
        self.opine(judge, None);
        self.judge(judge)?;
        judge.findings.clear();
        let limits = &judge.side.limits;
        judge
            .meter
            .finish(limits, &mut self.size, self.len - self.base, judge.findings);
        self.judge(judge)?;
        self.tail = String::new();
        Ok(scanned?)
    }

    /// Adds what judges say of the sentences or windows that `delta`, the last piece of `tail`, completes; or the text's end.
    fn opine(&mut self, judge: &mut Judge<'_>, delta: Option<&str>) {
        let judges = &judge.side.judges;
        if let Some(whole) = &mut self.whole {
            self.suspect |= judge.side.suspects(judge.findings);
            if let Some(text) = delta {
                whole.push_str(text);
            } else {
                let whole = std::mem::take(whole);
                let (text, who) = ((&*whole, self.form), (self.origin, self.suspect));
                judge.side.judge_by(text, who, judge.findings);
                let questions = judge.side.questions_by(text, who, judge.findings);
                judge.asking.pending.extend(questions);
            }
        }
        let unread = judges.is_empty() && judge.side.models.is_empty();
        if unread || self.whole.is_some() {
            if let Some(text) = delta {
                self.pace.read(text, self.len - text.len(), &mut |_| {});
            }
            return;
        }
        self.suspect |= judge.side.suspects(judge.findings);
        let (origin, agrees, base) = (self.origin, self.suspect, self.base);
        if let Some(reading) = &mut self.reading {
            let findings = &mut *judge.findings;
            let mut say = |opinion: Opinion| {
                findings.extend(judges.finding(&opinion, origin, agrees));
            };
            match delta {
                Some(text) => reading.push(judges.classifiers(), text, &mut say),
                None => reading.finish(judges.classifiers(), &mut say),
            }
            return;
        }
        let mut windows = Vec::new();
        match delta {
            Some(text) => {
                let start = self.len - text.len();
                self.pace
                    .read(text, start, &mut |window| windows.push(window));
            }
            None => windows.extend(self.pace.rest(self.len)),
        }
        let kept = self.len - self.tail.len();
        for window in windows {
            let from = window.start.saturating_sub(kept);
            let text = self.tail.get(from..window.end - kept).unwrap_or_default();
            let (text, who) = ((text, self.form), (origin, agrees));
            let mut found = Vec::new();
            judge.side.judge_by(text, who, &mut found);
            let questions = judge.side.questions_by(text, who, &mut found);
            judge.asking.pending.extend(questions);
            // Findings count from the start of the scan.
            let moved = window.start.max(base) - base;
            judge.findings.extend(found.into_iter().map(|finding| {
                let Span { start, end } = finding.span;
                let span = Span::new(start + moved, end + moved);
                Finding { span, ..finding }
            }));
        }
    }

    /// The scan as it stands, to be read on into another text, and where in this one it began; nothing if it has ended.
    pub(super) fn so_far(&self) -> Option<(Box<SegmentScan>, usize)> {
        self.scan.clone().map(|scan| (scan, self.base))
    }

    /// Begins a new scan after what was read so far, which is let pass.
    pub(super) fn restart(&mut self) {
        if self.scan.is_some() {
            self.reading = self
                .reading
                .take()
                .map(|_| Box::new(Reading::new(self.form)));
            self.scan = Some(Box::new(SegmentScan::new(self.form)));
            self.base = self.len;
        }
    }

    fn judge(&mut self, judge: &mut Judge<'_>) -> Result<(), Stop> {
        let start = self.len - self.tail.len();
        for finding in judge.findings.iter() {
            let span = Span::new(finding.span.start + self.base, finding.span.end + self.base);
            let ground = ground(self.argument, &self.blocks, span);
            if !judge.side.minds(finding.rule, ground) {
                continue;
            }
            let kept = span
                .start
                .checked_sub(start)
                .and_then(|from| self.tail.get(from..span.end - start));
            let matched = kept.unwrap_or_default();
            if judge.side.restores(finding.rule) {
                if let Some(number) = judge.originals.find(matched, self.form) {
                    self.restores.add(span, number);
                }
                continue;
            }
            let action = judge.tally.add(judge.side, finding, matched, self.origin);
            match Duty::of(action) {
                Duty::Pass => {}
                Duty::Edit => self.edits.add(&Finding { span, ..*finding }),
                Duty::Replace | Duty::Stop => return Err(Stop::Block),
            }
        }
        Ok(())
    }

    /// Forgets text that no later match needs, in steps, so that each byte is moved a bounded number of times.
    fn trim(&mut self) {
        let start = self.len - self.tail.len();
        let surplus = self
            .cleared()
            .min(self.len.saturating_sub(KEPT_BYTES))
            .saturating_sub(start);
        if surplus > KEPT_BYTES {
            self.tail.drain(..self.tail.floor_char_boundary(surplus));
        }
    }
}

/// The fenced code of a text that is whole, if it matters.
pub(super) fn blocks(side: &Side, argument: bool, text: &str) -> Blocks {
    if side.minds_places && !argument {
        Blocks::of(text)
    } else {
        Blocks::default()
    }
}

/// What a match stands in.
pub(super) fn ground(argument: bool, blocks: &Blocks, span: Span) -> Ground {
    if argument {
        Ground::Arguments
    } else if blocks.contains(span.start) || blocks.contains(span.end.saturating_sub(1)) {
        Ground::Blocks
    } else {
        Ground::Text
    }
}
