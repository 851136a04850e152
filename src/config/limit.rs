//! Limits on what callers may use, as the server file has them: one rule a line.

use std::num::NonZeroU32;
use std::str::FromStr;

use crate::document::{Node, Reader, Value, integer, list, text, word};
use crate::limit::{Rule, Scope};
use crate::rate::quota::Quota;

use super::file::set;

/// How budgets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// A model without a price costs nothing; otherwise a budget in money refuses it.
    pub unknown_is_free: bool,
    /// Tokens that are reserved for an answer if the request does not say how many it may have.
    pub output_tokens: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            unknown_is_free: false,
            output_tokens: 4_096,
        }
    }
}

/// The words for what becomes of models without a price.
pub(super) const UNKNOWN: [(&str, bool); 2] = [("refuse", false), ("free", true)];

/// Reads the section on budgets.
pub(super) fn budgets(reader: &mut Reader, node: &Node, budgets: &mut Budgets) -> Option<()> {
    let mut fields = reader.fields(node)?;
    let unknown = fields.optional("unknown_model", word(&UNKNOWN));
    set(&mut budgets.unknown_is_free, unknown);
    let tokens = fields.optional("output_tokens", integer(1..=10_000_000));
    set(&mut budgets.output_tokens, tokens);
    fields.finish();
    Some(())
}

/// Reads one rule: whose use is counted together, and what each of them may use.
pub(super) fn rule(reader: &mut Reader, node: &Node) -> Option<Rule> {
    let scopes = Scope::ALL.map(|scope| (scope.name(), scope));
    let mut fields = reader.fields(node)?;
    let scope = fields.required("scope", word(&scopes));
    let pattern = fields.optional("match", text);
    let count = integer(1..=u32::MAX);
    let quota = Quota {
        requests: fields.optional("requests", one_or_more).unwrap_or_default(),
        tokens: fields.optional("tokens", one_or_more).unwrap_or_default(),
        concurrent: fields
            .optional("concurrent", count)
            .and_then(NonZeroU32::new),
        streams: fields
            .optional("streams", integer(1..=u32::MAX))
            .and_then(NonZeroU32::new),
        budgets: fields.optional("budget", one_or_more).unwrap_or_default(),
    };
    let reader = fields.reader();
    if quota.is_empty() {
        let problem = reader.problem(node, format!("{} limits nothing", reader.path()));
        reader.report(problem.expected("requests, tokens, concurrent, streams or budget"));
    }
    if scope == Some(Scope::Everyone) && pattern.is_some() {
        let problem = reader.problem(node, "a rule for everyone has a \"match\"");
        reader.report(problem.help("remove it: there is nobody else to match"));
    }
    fields.finish();
    Some(Rule {
        scope: scope?,
        pattern: pattern.unwrap_or_else(|| "*".to_owned()),
        quota,
    })
}

/// A text such as `20/minute`, or a list of them.
fn one_or_more<T: FromStr<Err: std::fmt::Display>>(
    reader: &mut Reader,
    node: &Node,
) -> Option<Vec<T>> {
    let one = |reader: &mut Reader, node: &Node| {
        let written = text(reader, node)?;
        match written.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let problem = format!("{}: {error}", reader.path());
                reader.report(reader.problem(node, problem));
                None
            }
        }
    };
    match node.value {
        Value::Seq(_) => list(one)(reader, node),
        _ => one(reader, node).map(|value| vec![value]),
    }
}
