//! The strings of an event that are whole: judged where they are, and edited there.

use crate::guard::answer::Answer;
use crate::guard::carrier::{self, Carrier, Coding, Splice, Words};
use crate::guard::edit::{Cut, Edits, Stand};
use crate::guard::lane::{blocks, ground};
use crate::guard::plant::uproot;
use crate::guard::restore::Restores;
use crate::guard::seam::Seams;
use crate::scan::engine::{Engine, Overflow};
use crate::scan::finding::Finding;
use crate::scan::segment::SegmentScan;
use crate::text::{Form, Origin, Span};
use crate::wire::sse::{RawEvent, Splitter};
use crate::wire::{Event, Part, Piece};

use super::{Duty, Failure, Stop, check_shape};

impl Answer {
    /// Judges a string that is whole, unless it was found clean before. Of one that `goes_on` when it comes again, what may belong to a
    /// match that has begun is left out.
    pub(super) fn whole(
        &mut self,
        carrier: Carrier<'_>,
        (origin, argument): (Origin, bool),
        goes_on: bool,
        splices: &mut Vec<Splice>,
    ) -> Result<(), Stop> {
        let across = carrier.coding == Coding::Json && self.seams.touch(carrier.start);
        let goes_on = goes_on && !self.policy.observe;
        if !across && !goes_on && self.known.contains(&carrier) {
            return Ok(());
        }
        let text = carrier.text().ok_or(Failure::NotText)?;
        let side = &self.policy.response;
        self.findings.clear();
        let cleared = scan(
            (&text, carrier.form),
            goes_on,
            &side.engine,
            &mut self.findings,
        )?;
        let read = (&*text, carrier.form);
        side.judge(read, origin, &mut self.findings);
        let questions = side.questions(read, origin, &mut self.findings);
        if across {
            self.seams.add_to(carrier.start, &text, &mut self.findings);
        }
        let clean = self.findings.is_empty() && cleared == text.len();
        if clean {
            // The same text is the same question.
            self.known.insert(&carrier);
        }
        self.asking.pending.extend(questions);
        if clean {
            return Ok(());
        }
        let (mut edits, mut restores) = (Edits::default(), Restores::default());
        let blocks = blocks(side, argument, &text);
        for finding in &self.findings {
            if !side.minds(finding.rule, ground(argument, &blocks, finding.span)) {
                continue;
            }
            if side.marks(finding.rule) && origin == Origin::System {
                uproot(&carrier, &text, finding.span, splices);
                continue;
            }
            let matched = text.get(finding.span.range()).unwrap_or_default();
            if side.restores(finding.rule) {
                if let Some(number) = self.originals.find(matched, carrier.form) {
                    restores.add(finding.span, number);
                }
                continue;
            }
            match Duty::of(self.tally.add(side, finding, matched, origin)) {
                Duty::Pass => {}
                Duty::Edit => edits.add(finding),
                Duty::Replace | Duty::Stop => return Err(Stop::Block),
            }
        }
        let mut cuts = edits.restoring(restores.placed(), Span::new(0, text.len()));
        end_at(&mut cuts, cleared, text.len());
        let words = Words {
            engine: &side.engine,
            originals: &self.originals,
        };
        carrier.splice(&carrier.cuts(cuts.into_iter()), words, splices);
        Ok(())
    }

    /// Reads the ends of an event's whole texts together, where it has several.
    pub(super) fn seams(&mut self, event: &Event, data: &[u8]) -> Result<(), Stop> {
        let whole = |piece: &&Piece| piece.said && piece.part == Part::Whole;
        let texts = event.pieces.iter().filter(whole);
        self.seams = match texts.clone().count() {
            0 | 1 => Seams::default(),
            _ => Seams::read((data, &[]), texts.copied(), &self.policy.response, None)?,
        };
        Ok(())
    }

    /// Judges comments, ids and the like. If some were edited, the event with other ones.
    pub(super) fn strays(&mut self, raw: &RawEvent) -> Result<Option<RawEvent>, Stop> {
        if raw.poses {
            return Err(Failure::Posing.into());
        }
        check_shape(&self.policy, raw.unknown)?;
        let mut splices = Vec::new();
        for stray in raw.strays() {
            let start = stray.as_ptr().addr() - raw.bytes().as_ptr().addr();
            let span = Span::new(start, start + stray.len());
            let carrier = Carrier::new(raw.bytes(), span, Coding::Plain, Form::Plain);
            self.whole(carrier, (Origin::Assistant, false), false, &mut splices)?;
        }
        if splices.is_empty() {
            return Ok(None);
        }
        let mut splitter = Splitter::new(self.framing);
        splitter.push(&carrier::splice(raw.bytes(), &splices));
        Ok(splitter.next()?.or_else(|| splitter.finish()))
    }
}

/// Scans a whole text, and says how much of it no later text can make a match of: all, unless it goes on.
fn scan(
    (text, form): (&str, Form),
    goes_on: bool,
    engine: &Engine,
    findings: &mut Vec<Finding>,
) -> Result<usize, Overflow> {
    let begin = if goes_on {
        SegmentScan::new
    } else {
        SegmentScan::whole
    };
    let mut scan = begin(form);
    scan.push(engine, text, findings)?;
    let cleared = if goes_on { scan.cleared() } else { text.len() };
    scan.finish(engine, findings)?;
    Ok(cleared)
}

/// Leaves out what follows the first `cleared` bytes of a text.
fn end_at(cuts: &mut Vec<Cut>, cleared: usize, length: usize) {
    if cleared == length {
        return;
    }
    cuts.retain(|cut| cut.span.start < cleared);
    let from = cuts.last().map_or(cleared, |cut| cut.span.end.max(cleared));
    cuts.push(Cut {
        span: Span::new(from, length),
        with: Stand::Nothing,
    });
}
