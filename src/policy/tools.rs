//! Rules about tools: `tools:` of a policy file, what they say of a tool that is offered to a model, and of a call.
//!
//! Rules are read in order; the first whose name fits and whose conditions on arguments hold decides, as in a firewall.

use jsonschema::Validator;
use serde_json::Value as Json;

use super::condition::{self, Condition, read_condition, read_schema};
use super::place::Places;
use super::section::{action, filled, some};
use super::{Action, Side, Treatment};
use crate::document::{Node, Reader, boolean, map, word};
use crate::glob;
use crate::scan::Scanner;
use crate::scan::engine::{Automata, Engine};
use crate::scan::finding::RuleIndex;
use crate::text::unicode;

/// `tools:` as written.
#[derive(Debug, Default)]
pub(super) struct ToolsFile {
    pub(super) hold_arguments: Option<bool>,
    pub(super) rules: Vec<ToolRule>,
}

/// One rule.
#[derive(Debug)]
pub(super) struct ToolRule {
    name: String,
    /// The same folded, unless it allows: what is not allowed is not to be had by another spelling, what is allowed only by its own.
    looks: Option<String>,
    on: Vec<Stage>,
    action: Action,
    message: Option<String>,
    conditions: Vec<Condition>,
    schema: Option<Validator>,
    /// What is found where it decides, in requests and in answers; `None` lets the tool pass.
    rule: [Option<RuleIndex>; 2],
}

/// When a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A client offers the tool to a model.
    Offer,
    /// A model calls it.
    Call,
}

impl Stage {
    const WORDS: [(&'static str, Self); 2] = [("offer", Self::Offer), ("call", Self::Call)];
}

/// What a policy says of tools.
#[derive(Debug, Default)]
pub struct Tools {
    rules: Vec<ToolRule>,
    /// Finds what rules look for in arguments.
    engine: Option<Engine>,
}

impl ToolsFile {
    /// Takes from `parent` what this file leaves open; rules as a whole, for their order matters.
    pub(super) fn inherit(&mut self, parent: Self) {
        self.hold_arguments = self.hold_arguments.or(parent.hold_arguments);
        if self.rules.is_empty() {
            self.rules = parent.rules;
        }
    }

    /// The rules, with their treatments after all others of both sides.
    pub(super) fn compile(self, [request, response]: [&mut Side; 2], automata: &Automata) -> Tools {
        let mut rules = self.rules;
        for rule in &mut rules {
            for (stage, side) in [(Stage::Offer, &mut *request), (Stage::Call, &mut *response)] {
                if rule.on.contains(&stage) && rule.action > Action::Allow {
                    let index = rule.treat(stage, side);
                    if let Some(slot) = rule.rule.get_mut(stage as usize) {
                        *slot = Some(index);
                    }
                }
            }
        }
        let conditions = rules.iter().flat_map(|rule| &rule.conditions);
        let wanted: Vec<Scanner> = conditions.flat_map(Condition::scanners).collect();
        let engine = condition::engine(&wanted, automata);
        Tools { rules, engine }
    }
}

impl ToolRule {
    /// Whether it asks what a tool is given.
    const fn reads_arguments(&self) -> bool {
        !self.conditions.is_empty() || self.schema.is_some()
    }

    fn treat(&self, stage: Stage, side: &mut Side) -> RuleIndex {
        let id = match stage {
            Stage::Offer => "tool.offered",
            Stage::Call if self.schema.is_some() => "tool.schema",
            Stage::Call if self.reads_arguments() => "tool.argument",
            Stage::Call => "tool.denied",
        };
        side.add(Treatment {
            id: id.into(),
            action: self.action,
            scored: None,
            message: self.message.clone(),
            reversible: false,
            places: Places::of(Scanner::Tool),
        })
    }

    /// Whether it decides about a call. Arguments that cannot be read are `Err`: they meet every condition but those of a rule
    /// that allows.
    fn decides(&self, engine: Option<&Engine>, arguments: Result<&Json, &()>) -> bool {
        if !self.reads_arguments() {
            return true;
        }
        let Ok(arguments) = arguments else {
            return self.action > Action::Allow;
        };
        // As with names: what is not allowed is not to be had by another spelling.
        let any_case = self.action > Action::Allow;
        self.conditions
            .iter()
            .all(|condition| condition.holds(engine, arguments, any_case))
            && self
                .schema
                .as_ref()
                .is_none_or(|schema| !schema.is_valid(arguments))
    }
}

impl Tools {
    /// Whether rules are about this.
    pub fn minds(&self, stage: Stage) -> bool {
        self.rules.iter().any(|rule| rule.on.contains(&stage))
    }

    /// Whether the arguments of some tool matter.
    pub fn read_arguments(&self) -> bool {
        self.rules.iter().any(ToolRule::reads_arguments)
    }

    /// Whether what is done about a call of this tool depends on its arguments.
    pub fn reads_arguments_of(&self, name: &str) -> bool {
        let mut rules = self.about(Stage::Call, name);
        rules.next().is_some_and(ToolRule::reads_arguments)
    }

    /// What is found where a client offers a tool, if anything.
    pub fn offer(&self, name: &str) -> Option<RuleIndex> {
        let [offered, _] = self.about(Stage::Offer, name).next()?.rule;
        offered
    }

    /// What is found in a call, if anything. Arguments that cannot be read are `Err`.
    pub fn call(&self, name: &str, arguments: Result<&Json, &()>) -> Option<RuleIndex> {
        let mut rules = self.about(Stage::Call, name);
        let [_, called] = rules
            .find(|rule| rule.decides(self.engine.as_ref(), arguments))?
            .rule;
        called
    }

    fn about(&self, stage: Stage, name: &str) -> impl Iterator<Item = &ToolRule> {
        let folded = folded(name);
        let named = move |rule: &ToolRule| {
            let looks = rule.looks.as_deref();
            glob::matches(&rule.name, name)
                || looks.is_some_and(|looks| glob::matches(looks, &folded))
        };
        let fits = move |rule: &&ToolRule| rule.on.contains(&stage) && named(rule);
        self.rules.iter().filter(fits)
    }
}

/// A tool's name in the letters that it looks like, without regard to case and blanks.
fn folded(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    name.chars()
        .for_each(|character| unicode::fold(character, &mut folded));
    folded.trim().to_lowercase()
}

/// `tools:`: a list of rules, or a map with settings.
pub(super) fn read_tools(reader: &mut Reader, node: &Node) -> Option<ToolsFile> {
    let list = |reader: &mut Reader, node| {
        Some(ToolsFile {
            hold_arguments: None,
            rules: some(read_rule)(reader, node)?,
        })
    };
    reader.short_or_map(node, list, |reader, node| {
        let mut fields = reader.fields(node)?;
        let tools = ToolsFile {
            hold_arguments: fields.optional("hold_arguments", boolean),
            rules: fields
                .optional("rules", some(read_rule))
                .unwrap_or_default(),
        };
        fields.finish();
        Some(tools)
    })
}

fn read_rule(reader: &mut Reader, node: &Node) -> Option<ToolRule> {
    let mut fields = reader.fields(node)?;
    let name = fields.required("name", filled);
    let action = fields.required("action", action);
    let on = fields.optional("on", some(word(&Stage::WORDS)));
    let message = fields.optional("message", filled);
    let conditions = fields.optional("arguments", map(read_condition));
    let schema = fields.optional("schema", read_schema);
    let forbids = action.is_some_and(|action| action > Action::Allow);
    let rule = ToolRule {
        looks: name.as_deref().filter(|_| forbids).map(folded),
        name: name.clone().unwrap_or_default(),
        on: on.unwrap_or_else(|| vec![Stage::Call]),
        action: action.unwrap_or_default(),
        message,
        conditions: conditions
            .unwrap_or_default()
            .into_iter()
            .map(|(_, condition)| condition)
            .collect(),
        schema,
        rule: [None; 2],
    };
    if let Some((found, expected)) = rule.contradiction() {
        let problem = fields.reader().problem(node, found);
        fields.reader().report(problem.expected(expected));
    }
    fields.finish();
    name.zip(action).map(|_| rule)
}

impl ToolRule {
    /// What cannot be meant, and what could.
    const fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let offers = matches!(self.on.as_slice(), [Stage::Offer] | [_, _, ..]);
        match self.action {
            Action::Redact => Some((
                "a tool cannot be redacted",
                "action: allow, log, replace or block",
            )),
            Action::Replace if offers => Some((
                "the offer of a tool cannot be replaced",
                "action: allow, log or block, or on: [call]",
            )),
            Action::Allow if self.schema.is_some() => Some((
                "a rule that allows what does not fit its schema",
                "action: log, replace or block, and a later rule for what fits",
            )),
            Action::Allow | Action::Log | Action::Replace | Action::Hold | Action::Block
                if offers && self.reads_arguments() =>
            {
                Some((
                    "the offer of a tool has no arguments",
                    "on: [call], and another rule for offers",
                ))
            }
            Action::Allow | Action::Log | Action::Replace | Action::Hold | Action::Block => None,
        }
    }
}
