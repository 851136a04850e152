//! Merges what is to be taken out of a text. The bytes that carry the text are another matter, that of
//! [`carrier`](super::carrier).

use crate::guard::restore::{Originals, Restores};
use crate::scan::finding::{Finding, RuleIndex};
use crate::text::{Form, Span};

/// A stretch of a segment's text that must not leave. One placeholder, that of `rule`, takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Bytes of the segment's text.
    pub(super) span: Span,
    /// The rule of the finding that begins first; of several, the first in the engine's list.
    pub(super) rule: RuleIndex,
}

/// The edits of one segment, in order of their start, none overlapping another.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

impl Edits {
    /// Adds a finding, as one edit with all those it overlaps; one that `continues` another also joins what it touches.
    ///
    /// The result does not depend on the order in which findings come.
    pub(super) fn add(&mut self, finding: &Finding) {
        if finding.span.is_empty() {
            return;
        }
        let mut edit = Edit {
            span: finding.span,
            rule: finding.rule,
        };
        let reaches = |other: &Edit| {
            other.span.end > finding.span.start
                || finding.continues && other.span.end == finding.span.start
        };
        // Findings come nearly in order: looking from the end takes a step or two.
        let from = self
            .0
            .iter()
            .rposition(|other| !reaches(other))
            .map_or(0, |last| last + 1);
        let mut to = from;
        for other in self.0.get(from..).unwrap_or_default() {
            if other.span.start >= edit.span.end {
                break;
            }
            if (other.span.start, other.rule) < (edit.span.start, edit.rule) {
                edit.rule = other.rule;
            }
            edit.span = Span::new(
                edit.span.start.min(other.span.start),
                edit.span.end.max(other.span.end),
            );
            to += 1;
        }
        self.0.splice(from..to, [edit]);
    }

    /// Whether there is nothing to take out.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What to take out of the part `window` of the segment, in offsets from the part's start.
    pub(super) fn within(&self, window: Span) -> impl Iterator<Item = Cut> {
        let from = self.0.partition_point(|edit| edit.span.end <= window.start);
        self.0
            .iter()
            .skip(from)
            .take_while(move |edit| edit.span.start < window.end && !window.is_empty())
            .map(move |edit| Cut {
                span: Span::new(
                    edit.span.start.saturating_sub(window.start),
                    edit.span.end.min(window.end) - window.start,
                ),
                with: if edit.span.start >= window.start {
                    Stand::Placeholder(edit.rule)
                } else {
                    Stand::Nothing
                },
            })
    }

    /// The cuts in `window`, where placeholders are undone: what a rule found around one is taken out, the placeholder itself is
    /// not masked a second time.
    pub(super) fn restoring(&self, placed: &[Placed], window: Span) -> Vec<Cut> {
        if placed.is_empty() {
            return self.within(window).collect();
        }
        let mut around = Self::default();
        for edit in &self.0 {
            let mut start = edit.span.start;
            let from = placed.partition_point(|known| known.span.end <= start);
            let inside = placed.get(from..).unwrap_or_default().iter();
            for known in inside.take_while(|known| known.span.start < edit.span.end) {
                around.push(start, known.span.start, edit.rule);
                start = known.span.end;
            }
            around.push(start, edit.span.end, edit.rule);
        }
        let mut cuts: Vec<Cut> = around.within(window).collect();
        cuts.extend(
            placed
                .iter()
                .filter(|known| known.span.start < window.end && known.span.end > window.start)
                .map(|known| Cut {
                    span: Span::new(
                        known.span.start.saturating_sub(window.start),
                        known.span.end.min(window.end) - window.start,
                    ),
                    with: if known.span.start >= window.start {
                        Stand::Original(known.number)
                    } else {
                        Stand::Nothing
                    },
                }),
        );
        cuts.sort_unstable_by_key(|cut| cut.span);
        cuts
    }

    /// Whether any of `span` is to be taken out.
    pub(super) fn touches(&self, span: Span) -> bool {
        self.within(span).next().is_some()
    }

    /// Whether `span` is all of one edit.
    pub(super) fn is_one(&self, span: Span) -> bool {
        let at = self.0.partition_point(|edit| edit.span.start < span.start);
        self.0.get(at).is_some_and(|edit| edit.span == span)
    }

    fn push(&mut self, start: usize, end: usize, rule: RuleIndex) {
        if start < end {
            let span = Span::new(start, end);
            self.0.push(Edit { span, rule });
        }
    }

    /// Lets an edit of which nothing was taken out in `window`, because all of it had to stay there, begin after that.
    pub(super) fn delay(&mut self, window: Span, cuts: &[Cut]) {
        let crossing = self.0.iter_mut().find(|edit| {
            (window.start..window.end).contains(&edit.span.start) && edit.span.end > window.end
        });
        if let Some(edit) = crossing
            && cuts
                .iter()
                .all(|cut| cut.span.end + window.start <= edit.span.start)
        {
            edit.span.start = window.end;
        }
    }

    /// Forgets the edits that end before `end`: all of that text has left. One that ends there may still be continued.
    pub(super) fn forget(&mut self, end: usize) {
        let gone = self.0.partition_point(|edit| edit.span.end < end);
        self.0.drain(..gone);
    }
}

/// What has to be done about the findings in one text.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) edits: Edits,
    /// Those of `edits` that no placeholder undoes.
    pub(super) one_way: Edits,
    /// Placeholders of the request.
    pub(super) restores: Restores,
    /// The rule whose message takes the place of all.
    pub(super) replaced: Option<RuleIndex>,
}

impl Marks {
    /// Adds a finding that is to be taken out.
    pub(super) fn edit(&mut self, finding: &Finding, reversible: bool) {
        self.edits.add(finding);
        if !reversible {
            self.one_way.add(finding);
        }
    }

    /// Adds what may be a placeholder.
    pub(super) fn restore(
        &mut self,
        originals: Option<&Originals>,
        span: Span,
        (matched, form): (&str, Form),
    ) {
        if let Some(number) = originals.and_then(|all| all.find(matched, form)) {
            self.restores.add(span, number);
        }
    }

    /// Whether a placeholder at `span` can be undone: it stands for all of a match, and for nothing else.
    pub(super) fn reverse(&self, span: Span) -> bool {
        self.edits.is_one(span) && !self.one_way.touches(span)
    }
}

/// What to take out of one string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes of the string's decoded text.
    pub(super) span: Span,
    /// What stands there then.
    pub(super) with: Stand,
}

/// What stands in the place of text that was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stand {
    /// Nothing: the placeholder is where the edit began.
    #[default]
    Nothing,
    /// An empty JSON string.
    Empty,
    /// Digits of a JSON number that began earlier.
    Zero,
    /// The rule's placeholder.
    Placeholder(RuleIndex),
    /// The rule's placeholder as a JSON string.
    Quoted(RuleIndex),
    /// The placeholder of this number, which can be undone.
    Name(usize),
    /// The same as a JSON string.
    QuotedName(usize),
    /// What the placeholder of this number stands for.
    Original(usize),
}

/// A placeholder in an answer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Bytes of the segment's text.
    pub(super) span: Span,
    /// Its number.
    pub(super) number: usize,
}

impl Cut {
    /// Lets a placeholder that can be undone stand there, for a cut that is all of a match in `text`.
    pub(super) fn hide<'a>(
        &mut self,
        originals: &mut Originals,
        (text, form): (&str, Form),
        label: impl Fn(RuleIndex) -> Option<&'a str>,
    ) {
        let (rule, stand): (_, fn(usize) -> Stand) = match self.with {
            Stand::Placeholder(rule) => (rule, Stand::Name),
            Stand::Quoted(rule) => (rule, Stand::QuotedName),
            Stand::Nothing
            | Stand::Empty
            | Stand::Zero
            | Stand::Name(_)
            | Stand::QuotedName(_)
            | Stand::Original(_) => return,
        };
        if let Some((label, matched)) = label(rule).zip(text.get(self.span.range())) {
            self.with = stand(originals.hide(label, matched, form));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Encoding;

    fn finding(rule: u16, start: usize, end: usize) -> Finding {
        Finding {
            rule: RuleIndex(rule),
            span: Span::new(start, end),
            continues: false,
            encoding: Encoding::None,
            probability: None,
        }
    }

    /// A rule and a span.
    type Marked = (u16, usize, usize);

    fn edits(findings: &[Finding]) -> Vec<Marked> {
        let mut edits = Edits::default();
        for finding in findings {
            edits.add(finding);
        }
        edits
            .0
            .iter()
            .map(|edit| (edit.rule.0, edit.span.start, edit.span.end))
            .collect()
    }

    #[test]
    fn overlapping_findings_become_one_edit_in_any_order() {
        let cases: &[(&[Finding], &[Marked])] = &[
            (&[finding(3, 0, 4), finding(1, 2, 8)], &[(3, 0, 8)]),
            (&[finding(3, 2, 4), finding(1, 2, 8)], &[(1, 2, 8)]),
            (
                &[finding(1, 0, 4), finding(2, 4, 8)],
                &[(1, 0, 4), (2, 4, 8)],
            ),
            (
                &[
                    finding(1, 0, 2),
                    finding(2, 4, 6),
                    finding(3, 8, 9),
                    finding(4, 1, 9),
                ],
                &[(1, 0, 9)],
            ),
            (&[finding(1, 5, 5)], &[]),
            (
                &[finding(5, 10, 20), finding(2, 0, 3), finding(4, 12, 14)],
                &[(2, 0, 3), (5, 10, 20)],
            ),
        ];
        for (findings, expected) in cases {
            let mut order: Vec<usize> = (0..findings.len()).collect();
            for _ in 0..findings.len() {
                order.rotate_left(1);
                let turned: Vec<Finding> = order.iter().map(|i| findings[*i]).collect();
                assert_eq!(&edits(&turned), expected);
                let back: Vec<Finding> = turned.into_iter().rev().collect();
                assert_eq!(&edits(&back), expected);
            }
        }
    }

    #[test]
    fn a_match_reported_in_parts_is_one_edit() {
        let mut second = finding(7, 10, 20);
        second.continues = true;
        assert_eq!(edits(&[finding(7, 0, 10), second]), [(7, 0, 20)]);
    }

    #[test]
    fn one_placeholder_where_the_match_begins() {
        let mut all = Edits::default();
        all.add(&finding(1, 4, 12));
        let cut = |start, end, rule: Option<u16>| Cut {
            span: Span::new(start, end),
            with: rule.map_or(Stand::Nothing, |rule| Stand::Placeholder(RuleIndex(rule))),
        };
        let within = |start, end| all.within(Span::new(start, end)).collect::<Vec<_>>();
        assert_eq!(within(0, 4), []);
        assert_eq!(within(0, 6), [cut(4, 6, Some(1))]);
        assert_eq!(within(6, 10), [cut(0, 4, None)]);
        assert_eq!(within(10, 15), [cut(0, 2, None)]);
        assert_eq!(within(12, 15), []);
        assert_eq!(within(6, 6), []);
    }

    #[test]
    fn forgetting_keeps_what_may_be_continued() {
        let mut all = Edits::default();
        all.add(&finding(1, 0, 4));
        all.add(&finding(1, 6, 8));
        all.forget(8);
        let mut more = finding(1, 8, 12);
        more.continues = true;
        all.add(&more);
        assert_eq!(
            all.0,
            [Edit {
                span: Span::new(6, 12),
                rule: RuleIndex(1)
            }]
        );
        all.forget(13);
        assert!(all.is_empty());
    }
}
