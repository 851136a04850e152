//! A policy's own test cases: what they say, and how an outcome compares.

use serde_json::{Map, Value as Json};

use super::section::{action, filled};
use super::spot::Spot;
use super::{Action, Direction, Policy, Tally, Verdict};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, Reader, json, text};
use crate::scan::finding::Finding;
use crate::text::Origin;

/// A text and what the policy must do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name, unique in its policy.
    pub name: String,
    /// What is judged.
    pub given: Given,
    /// The strictest action that must be decided on, also where the policy only observes.
    pub expect: Action,
    /// The text that must leave; `None` leaves that open.
    pub output: Option<String>,
    pub(super) spot: Spot,
}

/// What a test judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A text that goes up, as a user's message, or comes back, as the model's answer.
    Text(Direction, String),
    /// A call of the tool of this name with these arguments.
    Call(String, Json),
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
        failure: case.compare(&match &case.given {
            Given::Text(direction, text) => run(*direction, text),
            Given::Call(name, arguments) => called(policy, name, arguments),
        }),
    };
    policy.cases.iter().map(report).collect()
}

/// What becomes of a call.
fn called(policy: &Policy, name: &str, arguments: &Json) -> Outcome {
    let mut tally = Tally::new();
    if let Some(rule) = policy.tools.call(name, Ok(arguments)) {
        tally.add(
            &policy.response,
            &Finding::of(rule),
            name,
            Origin::Assistant,
        );
    }
    Outcome {
        verdict: tally.verdict().clone(),
        output: None,
    }
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

/// An entry of `tests:`.
pub(super) fn read_test(reader: &mut Reader, node: &Node) -> Option<Case> {
    let spot = Spot::of(reader, node);
    let mut fields = reader.fields(node)?;
    let name = fields.required("name", filled);
    let request = fields.optional("request", text);
    let response = fields.optional("response", text);
    let call = fields.optional("call", read_call);
    let expect = fields.required("expect", action);
    let output = fields.optional("output", text);
    fields.finish();
    let given = match (request, response, call) {
        (Some(text), None, None) => Given::Text(Direction::Request, text),
        (None, Some(text), None) => Given::Text(Direction::Response, text),
        (None, None, Some((name, arguments))) => Given::Call(name, arguments),
        _ => {
            let problem = reader.problem(node, "a test without exactly one text or call");
            reader.report(problem.expected("either request, response or call"));
            return None;
        }
    };
    let (name, expect) = (name?, expect?);
    if output.is_some() && expect == Action::Block {
        let problem = reader.problem(node, "an output of a test that expects block");
        reader.report(problem.help("nothing leaves when a text is blocked: remove output"));
    }
    Some(Case {
        name,
        given,
        expect,
        output,
        spot,
    })
}

/// A call of a tool: its name and arguments.
fn read_call(reader: &mut Reader, node: &Node) -> Option<(String, Json)> {
    let mut fields = reader.fields(node)?;
    let name = fields.required("name", filled);
    let arguments = fields.optional("arguments", json);
    fields.finish();
    Some((name?, arguments.unwrap_or_else(|| Json::Object(Map::new()))))
}
