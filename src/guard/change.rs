//! What the findings in one text of a body come to: what is told of them, and what changes in the body.

use std::sync::Arc;

use crate::guard::body::{Inspector, MAX_PLACES};
use crate::guard::carrier::{Carrier, Coding, Splice, Words};
use crate::guard::edit::Marks;
use crate::guard::lane::{blocks, ground};
use crate::guard::place::Place;
use crate::guard::plant::uproot;
use crate::guard::restore::Originals;
use crate::policy::Direction;
use crate::scan::is_foreseen;
use crate::text::{Encoding, Form, Origin, Span};
use crate::wire::Piece;

use super::Duty;

impl Inspector<'_> {
    /// Judges what was found in one text.
    pub(super) fn judge(&mut self, piece: &Piece, coding: Coding, text: &str) {
        let side = self.policy.side(self.direction);
        let mut marks = Marks::default();
        let carrier = Carrier::new(self.bytes, piece.span, coding, piece.form);
        let mut judged = Vec::with_capacity(self.findings.len());
        let blocks = blocks(side, piece.argument, text);
        for finding in &self.findings {
            if !side.minds(finding.rule, ground(piece.argument, &blocks, finding.span)) {
                continue;
            }
            if side.marks(finding.rule) && piece.origin == Origin::System {
                uproot(&carrier, text, finding.span, &mut self.splices);
                continue;
            }
            let spared = piece.credential && self.direction == Direction::Request;
            if spared && side.spares(finding.rule) {
                continue;
            }
            let matched = text.get(finding.span.range()).unwrap_or_default();
            if side.restores(finding.rule) {
                marks.restore(
                    self.context.originals.map(AsRef::as_ref),
                    finding.span,
                    (matched, piece.form),
                );
                continue;
            }
            // What a system prompt says: definitions of tools, of the same origin, may come from anybody.
            let foreseen = piece.origin == Origin::System
                && piece.said
                && side.sums(finding.rule)
                && finding.encoding == Encoding::None
                && is_foreseen(text, finding.span.start);
            let action = if foreseen {
                self.tally.log(side, finding)
            } else {
                self.tally.add(side, finding, matched, piece.origin)
            };
            let how = (finding.encoding, finding.probability);
            judged.push((finding.span, finding.rule, action, how));
            match Duty::of(action) {
                Duty::Pass => {}
                Duty::Edit => marks.edit(finding, side.reverses(finding.rule)),
                Duty::Replace => marks.replaced = marks.replaced.or(Some(finding.rule)),
                Duty::Stop => self.blocked = true,
            }
        }
        self.change(&carrier, text, &marks);
        judged.sort_unstable();
        judged.truncate(MAX_PLACES - self.places.len());
        let spans = carrier.spans(judged.iter().map(|(span, ..)| *span));
        self.places
            .extend(spans.zip(&judged).map(|(span, judged)| Place {
                rule: side.id(judged.1).to_owned(),
                span,
                action: judged.2,
                encoding: judged.3.0,
                probability: judged.3.1,
            }));
    }

    /// Notes what changes in one text.
    fn change(&mut self, carrier: &Carrier<'_>, text: &str, marks: &Marks) {
        let side = self.policy.side(self.direction);
        let none = Originals::default();
        // Not so for plain text in place of an answer.
        let whole = (carrier.coding, carrier.form) == (Coding::Plain, Form::Plain);
        match (marks.replaced, self.direction) {
            // Text, reasoning and tool calls of an answer belong together: all of it goes.
            (Some(_), Direction::Response) if !whole => self.blocked = true,
            (Some(rule), ..) => {
                let message = side.message(rule).unwrap_or(&self.policy.message);
                self.splices.push(Splice {
                    span: carrier.span(),
                    with: carrier.say(message),
                });
            }
            (None, ..) => {
                let cuts = marks
                    .edits
                    .restoring(marks.restores.placed(), Span::new(0, text.len()));
                let mut cuts = carrier.cuts(cuts.into_iter());
                if side.is_reversible {
                    let label = |rule| side.engine.rule(rule).map(|rule| rule.label.as_ref());
                    for cut in cuts.iter_mut().filter(|cut| marks.reverse(cut.span)) {
                        let originals = Arc::make_mut(&mut self.originals);
                        cut.hide(originals, (text, carrier.form), label);
                    }
                }
                let words = Words {
                    engine: &side.engine,
                    originals: match self.direction {
                        Direction::Request => &self.originals,
                        Direction::Response => self.context.originals.map_or(&none, AsRef::as_ref),
                    },
                };
                carrier.splice(&cuts, words, &mut self.splices);
            }
        }
    }
}
