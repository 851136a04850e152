//! A policy's own test cases: what they say, and how an outcome compares.

use super::spot::Spot;
use super::{Action, Direction, Policy, Verdict};
use crate::diagnostic::Diagnostic;

/// A text and what the policy must do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name, unique in its policy.
    pub name: String,
    /// Whether the text goes up, as a user's message, or comes back, as the model's answer.
    pub direction: Direction,
    /// The text.
    pub text: String,
    /// The strictest action that must be decided on, also where the policy only observes.
    pub expect: Action,
    /// The text that must leave; `None` leaves that open.
    pub output: Option<String>,
    pub(super) spot: Spot,
}

/// What happened to a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What the policy decided.
    pub verdict: Verdict,
    /// The text that left; `None` if it was refused.
    pub output: Option<String>,
}

/// The result of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The case's name.
    pub name: String,
    /// Why it failed; `None` if it passed.
    pub failure: Option<Diagnostic>,
}

/// Runs all cases of a policy. `run` sends a text through the guard, which this row does not know.
pub fn check(policy: &Policy, mut run: impl FnMut(Direction, &str) -> Outcome) -> Vec<Report> {
    let report = |case: &Case| Report {
        name: case.name.clone(),
        failure: case.compare(&run(case.direction, &case.text)),
    };
    policy.cases.iter().map(report).collect()
}

impl Case {
    /// The difference between what was expected and what happened. Shows a test's own text only, which is in the policy file.
    pub fn compare(&self, outcome: &Outcome) -> Option<Diagnostic> {
        let decided = outcome.verdict.would;
        if decided != self.expect {
            let found = format!("test \"{}\" ended in {decided}", self.name);
            let rules: Vec<&str> = outcome
                .verdict
                .rules
                .iter()
                .map(|rule| rule.id.as_ref())
                .collect();
            let help = match rules.as_slice() {
                [] => "no rule matched".to_owned(),
                rules => format!("rules that matched: {}", rules.join(", ")),
            };
            return Some(
                self.spot
                    .error(found)
                    .expected(self.expect.name())
                    .help(help),
            );
        }
        match (&self.output, &outcome.output) {
            (Some(expected), Some(left)) if expected != left => {
                let same = expected
                    .chars()
                    .zip(left.chars())
                    .take_while(|(a, b)| a == b)
                    .count();
                let left = excerpt(left, same);
                let found = format!("test \"{}\": the text that left is {left}", self.name);
                let help = format!("the two differ from character {} on", same + 1);
                let problem = self.spot.error(found).expected(excerpt(expected, same));
                Some(problem.help(help))
            }
            (Some(_), None) => {
                let found = format!(
                    "test \"{}\": no text left, and \"output\" says one",
                    self.name
                );
                Some(self.spot.error(found))
            }
            (Some(_) | None, _) => None,
        }
    }
}

/// What stands around character `at` of a text, in quotes.
fn excerpt(text: &str, at: usize) -> String {
    const BEFORE: usize = 20;
    const LENGTH: usize = 60;
    let start = at.saturating_sub(BEFORE);
    let shown: String = text.chars().skip(start).take(LENGTH).collect();
    let dots = |cut: bool| if cut { "…" } else { "" };
    let after = dots(text.chars().nth(start + LENGTH).is_some());
    format!("{}{shown:?}{after}", dots(start > 0))
}
