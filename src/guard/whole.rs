//! The strings of an event that are whole: judged where they are, and edited there.

use crate::guard::answer::Answer;
use crate::guard::carrier::{self, Carrier, Coding, Splice, Words};
use crate::guard::edit::Edits;
use crate::guard::lane::{blocks, ground};
use crate::guard::plant::uproot;
use crate::guard::restore::Restores;
use crate::guard::seam::Seams;
use crate::scan::segment::SegmentScan;
use crate::text::{Form, Origin, Span};
use crate::wire::sse::{RawEvent, Splitter};
use crate::wire::{Event, Part, Piece};

use super::{Duty, Failure, Stop};

impl Answer {
    /// Judges a string that is whole, unless it was found clean before.
    pub(super) fn whole(
        &mut self,
        carrier: Carrier<'_>,
        (origin, argument): (Origin, bool),
        splices: &mut Vec<Splice>,
    ) -> Result<(), Stop> {
        let across = carrier.coding == Coding::Json && self.seams.touch(carrier.start);
        if !across && self.known.contains(&carrier) {
            return Ok(());
        }
        let text = carrier.text().ok_or(Failure::NotText)?;
        let side = &self.policy.response;
        self.findings.clear();
        let mut scan = SegmentScan::whole(carrier.form);
        scan.push(&side.engine, &text, &mut self.findings)?;
        scan.finish(&side.engine, &mut self.findings)?;
        let read = (&*text, carrier.form);
        side.judge(read, origin, &mut self.findings);
        let questions = side.questions(read, origin, &mut self.findings);
        if across {
            self.seams.add_to(carrier.start, &text, &mut self.findings);
        }
        if self.findings.is_empty() {
            // The same text is the same question.
            self.known.insert(&carrier);
        }
        self.asking.pending.extend(questions);
        if self.findings.is_empty() {
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
        let cuts = edits.restoring(restores.placed(), Span::new(0, text.len()));
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
        let mut splices = Vec::new();
        for stray in raw.strays() {
            let start = stray.as_ptr().addr() - raw.bytes().as_ptr().addr();
            let span = Span::new(start, start + stray.len());
            let carrier = Carrier::new(raw.bytes(), span, Coding::Plain, Form::Plain);
            self.whole(carrier, (Origin::Assistant, false), &mut splices)?;
        }
        if splices.is_empty() {
            return Ok(None);
        }
        let mut splitter = Splitter::new(self.framing);
        splitter.push(&carrier::splice(raw.bytes(), &splices));
        Ok(splitter.next()?.or_else(|| splitter.finish()))
    }
}
