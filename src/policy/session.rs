//! What repeated findings mean for the session that they come from: `sessions:` of a policy file.
//!
//! Each exchange whose request is refused, or in which something new is found, adds points; they halve in a stated time. Their sum
//! is the session's threat level, on the scale of the injection scanner, and the policy says what each level does.

use std::time::Duration;

use super::section::filled;
use super::{Action, Verdict};
use crate::document::{Node, Reader, duration, word};
use crate::scan::finding::ThreatLevel;

/// Points of a request that is refused: two make a session's level high, three critical.
const REFUSED: u32 = 4;
/// Points of a request in which more was found than in the one before it.
const FOUND: u32 = 1;
/// What people send by mistake or need to send: it says nothing of an attack.
const HARMLESS: [&str; 3] = ["secrets.", "pii.", "size."];

/// How a session's threat level rises and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// The time in which points halve.
    pub half_life: Duration,
    /// By level; nothing below `low`.
    steps: [Step; 4],
}

/// What a level does to the session's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// `allow`, `log` or `block`.
    pub action: Action,
    /// What a refused client is told.
    pub message: Option<String>,
}

impl Escalation {
    /// What a level does.
    pub fn step(&self, level: ThreatLevel) -> Option<&Step> {
        let at = match level {
            ThreatLevel::None => return None,
            ThreatLevel::Low => 0,
            ThreatLevel::Medium => 1,
            ThreatLevel::High => 2,
            ThreatLevel::Critical => 3,
        };
        self.steps.get(at)
    }

    /// How many threats a request holds.
    pub fn threats(verdict: &Verdict) -> u32 {
        let rules = verdict.rules.iter().filter(|rule| is_threat(&rule.id));
        rules.fold(0, |sum, rule| sum.saturating_add(rule.count))
    }

    /// The points of a request in which `new` says that it holds more threats than the one before it.
    pub fn points(verdict: &Verdict, new: bool) -> u32 {
        let cause = verdict.cause.as_ref();
        let refused =
            verdict.would == Action::Block && cause.is_some_and(|cause| is_threat(&cause.rule));
        if refused {
            REFUSED
        } else if new {
            FOUND
        } else {
            0
        }
    }
}

fn is_threat(rule: &str) -> bool {
    !HARMLESS.iter().any(|scanner| rule.starts_with(scanner))
}

/// `sessions:`.
pub(super) fn read_sessions(reader: &mut Reader, node: &Node) -> Option<Escalation> {
    let mut fields = reader.fields(node)?;
    let half_life = fields.optional("half_life", lasting);
    let mut steps: [Step; 4] = Default::default();
    for (slot, level) in steps.iter_mut().zip(["low", "medium", "high", "critical"]) {
        *slot = fields.optional(level, read_step).unwrap_or_default();
    }
    fields.finish();
    Some(Escalation {
        half_life: half_life.unwrap_or(Duration::from_mins(15)),
        steps,
    })
}

fn lasting(reader: &mut Reader, node: &Node) -> Option<Duration> {
    let value = duration(reader, node)?;
    if value.is_zero() {
        let problem = reader.problem(node, format!("{} is nothing", reader.path()));
        reader.report(problem.expected("a span of time such as 15m"));
        return None;
    }
    Some(value)
}

/// An action, or a map with a message.
fn read_step(reader: &mut Reader, node: &Node) -> Option<Step> {
    let words = [
        ("allow", Action::Allow),
        ("log", Action::Log),
        ("block", Action::Block),
    ];
    let short = |reader: &mut Reader, node: &Node| {
        let action = word(&words)(reader, node)?;
        Some(Step {
            action,
            message: None,
        })
    };
    reader.short_or_map(node, short, |reader, node| {
        let mut fields = reader.fields(node)?;
        let action = fields.required("action", word(&words));
        let message = fields.optional("message", filled);
        fields.finish();
        Some(Step {
            action: action?,
            message,
        })
    })
}
