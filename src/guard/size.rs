//! How much text there has been, against the limits of a side.

use crate::policy::Limit;
use crate::scan::finding::{Finding, RuleIndex};
use crate::text::tokens::Counter;
use crate::text::{Encoding, Span};

/// The text of one side of one exchange.
#[derive(Debug, Default)]
pub(super) struct Meter {
    model: String,
    total: Amount,
    exceeded: Vec<RuleIndex>,
}

/// One text of it.
#[derive(Debug, Default)]
pub(super) struct Segment {
    amount: Amount,
    counter: Counter,
    exceeded: Vec<RuleIndex>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    chars: u64,
    tokens: u64,
}

impl Meter {
    /// Of texts that `model` reads or writes, the empty name standing for any.
    pub(super) fn new(model: Option<&str>) -> Self {
        Self {
            model: model.unwrap_or_default().to_owned(),
            ..Self::default()
        }
    }

    /// Counts the next piece of a text. Adds a finding of that piece, which ends at `end`, for each limit that is exceeded with it.
    pub(super) fn read(
        &mut self,
        limits: &[Limit],
        segment: &mut Segment,
        (text, end): (&str, usize),
        findings: &mut Vec<Finding>,
    ) {
        if limits.is_empty() {
            return;
        }
        let mut added = Amount {
            chars: text.chars().count() as u64,
            tokens: 0,
        };
        if limits.iter().any(|limit| limit.measure.is_tokens()) {
            added.tokens = segment.counter.push(text, &self.model);
        }
        let span = Span::new(end.saturating_sub(text.len()), end);
        self.add(limits, segment, (added, span), findings);
    }

    /// Counts the end of a text, at `end`.
    pub(super) fn finish(
        &mut self,
        limits: &[Limit],
        segment: &mut Segment,
        end: usize,
        findings: &mut Vec<Finding>,
    ) {
        if limits.is_empty() {
            return;
        }
        let added = Amount {
            chars: 0,
            tokens: segment.counter.finish(&self.model),
        };
        self.add(limits, segment, (added, Span::new(end, end)), findings);
    }

    /// Counts a whole text.
    pub(super) fn whole(&mut self, limits: &[Limit], text: &str, findings: &mut Vec<Finding>) {
        let (mut segment, end) = (Segment::default(), text.len());
        self.read(limits, &mut segment, (text, end), findings);
        self.finish(limits, &mut segment, end, findings);
    }

    fn add(
        &mut self,
        limits: &[Limit],
        segment: &mut Segment,
        (added, span): (Amount, Span),
        findings: &mut Vec<Finding>,
    ) {
        self.total.add(added);
        segment.amount.add(added);
        for limit in limits {
            let (amount, exceeded) = if limit.measure.is_total() {
                (self.total, &mut self.exceeded)
            } else {
                (segment.amount, &mut segment.exceeded)
            };
            let amount = if limit.measure.is_tokens() {
                amount.tokens
            } else {
                amount.chars
            };
            if amount > limit.max && !exceeded.contains(&limit.rule) {
                exceeded.push(limit.rule);
                findings.push(Finding {
                    rule: limit.rule,
                    span,
                    continues: false,
                    encoding: Encoding::None,
                    probability: None,
                });
            }
        }
    }
}

impl Amount {
    const fn add(&mut self, more: Self) {
        self.chars = self.chars.saturating_add(more.chars);
        self.tokens = self.tokens.saturating_add(more.tokens);
    }
}
