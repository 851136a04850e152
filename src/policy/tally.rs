//! The running sum of what was found on one side of one exchange.

use super::verdict::{Action, Cause, Matched, Verdict};
use super::{FOREIGN, Side, Treatment};
use crate::scan::finding::{Finding, ThreatLevel};
use crate::text::{Encodings, Origin};

/// The findings of one side of one exchange so far, and what they came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub(super) verdict: Verdict,
    score: u32,
    /// Rules whose score is in the sum, as positions in `verdict.rules`.
    summed: Vec<usize>,
}

impl Tally {
    /// Before the first finding.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a finding and says what is to be done about it now. `matched` is the text it matched, which is only compared
    /// with the policy's exceptions. Where a policy observes, the answer is never stricter than [`Action::Log`].
    pub fn add(&mut self, side: &Side, finding: &Finding, matched: &str, origin: Origin) -> Action {
        let treatment = side
            .treatments
            .get(usize::from(finding.rule.0))
            .unwrap_or(&FOREIGN);
        if side.excepts(&treatment.id, matched) {
            return Action::Allow;
        }
        let position = self.count(treatment, finding);
        let would = match treatment.scored {
            None => treatment.action,
            Some(scored) if !scored.origins.contains(origin) => treatment.action.min(Action::Log),
            Some(scored) => {
                if !self.summed.contains(&position) {
                    self.summed.push(position);
                    self.score = self.score.saturating_add(scored.score);
                    self.verdict.level = ThreatLevel::from_score(self.score);
                }
                let reached = self.verdict.level >= scored.level;
                if reached {
                    treatment.action
                } else {
                    treatment.action.min(Action::Log)
                }
            }
        };
        if would > self.verdict.would && would.interferes() {
            let rule = treatment.id.clone();
            self.verdict.cause = Some(Cause {
                rule,
                message: treatment.message.clone(),
            });
        }
        let action = if side.observe {
            would.min(Action::Log)
        } else {
            would
        };
        self.verdict.would = self.verdict.would.max(would);
        self.verdict.action = self.verdict.action.max(action);
        action
    }

    /// Records a finding that is not to act, whatever the policy says of it.
    pub fn log(&mut self, side: &Side, finding: &Finding) -> Action {
        let treatment = side.treatments.get(usize::from(finding.rule.0));
        let treatment = treatment.unwrap_or(&FOREIGN);
        self.count(treatment, finding);
        let action = treatment.action.min(Action::Log);
        self.verdict.would = self.verdict.would.max(action);
        self.verdict.action = self.verdict.action.max(action);
        action
    }

    /// What all findings so far came to.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Counts a match, later parts of a long match not again. The position of the rule in the verdict's list.
    fn count(&mut self, treatment: &Treatment, finding: &Finding) -> usize {
        let rules = &mut self.verdict.rules;
        let Some(position) = rules.iter().position(|matched| matched.id == treatment.id) else {
            rules.push(Matched {
                id: treatment.id.clone(),
                count: 1,
                probability: finding.probability,
                encodings: Encodings::of(finding.encoding),
            });
            return rules.len() - 1;
        };
        if let Some(matched) = rules.get_mut(position) {
            matched.count = matched.count.saturating_add(u32::from(!finding.continues));
            matched.probability = matched.probability.max(finding.probability);
            matched.encodings = matched.encodings.with(Encodings::of(finding.encoding));
        }
        position
    }
}
