//! What a rule about calls of tools asks of their arguments: conditions on single ones, and a JSON Schema for all of them.

use jsonschema::{PatternOptions, Validator};
use regex::Regex;
use serde_json::Value as Json;

use super::section::LEVELS;
use crate::document::{Key, Node, Reader, Value, json, text, word};
use crate::scan::engine::{Automata, Engine};
use crate::scan::finding::ThreatLevel;
use crate::scan::segment::SegmentScan;
use crate::scan::{self, Rule, Scanner};
use crate::text::Form;

/// The scanners that conditions can name.
const SCANNERS: [Scanner; 7] = [
    Scanner::Injection,
    Scanner::Secrets,
    Scanner::Pii,
    Scanner::Url,
    Scanner::Html,
    Scanner::Path,
    Scanner::Code,
];

/// What must hold of an argument.
#[derive(Debug)]
pub(super) struct Condition {
    /// Keys on the way to it; `*` is any key.
    path: Vec<String>,
    tests: Vec<Test>,
}

#[derive(Debug)]
enum Test {
    /// A scanner finds something of at least this level.
    Finds(Scanner, ThreatLevel),
    /// The pattern matches.
    Matches(Regex),
    /// The pattern does not match.
    Unless(Regex),
}

impl Condition {
    /// The scanners that it asks.
    pub(super) fn scanners(&self) -> impl Iterator<Item = Scanner> {
        self.tests.iter().filter_map(|test| match test {
            Test::Finds(scanner, _) => Some(*scanner),
            Test::Matches(_) | Test::Unless(_) => None,
        })
    }

    /// Whether all of it is so; `any_case` if names of arguments may be written in any case.
    pub(super) fn holds(&self, engine: Option<&Engine>, arguments: &Json, any_case: bool) -> bool {
        let (mut found, mut texts) = (Vec::new(), Vec::new());
        follow(arguments, (&self.path, any_case), &mut found);
        for value in found {
            strings(value, &mut texts);
        }
        let joined = texts.join(" ");
        self.tests.iter().all(|test| match test {
            Test::Finds(scanner, level) => finds(engine, *scanner, *level, &joined),
            Test::Matches(pattern) => {
                texts.iter().any(|text| pattern.is_match(text)) || pattern.is_match(&joined)
            }
            Test::Unless(pattern) => texts.iter().any(|text| !pattern.is_match(text)),
        })
    }
}

/// The engine for what conditions look for; `None` if they look for nothing.
pub(super) fn engine(wanted: &[Scanner], automata: &Automata) -> Option<Engine> {
    let rules = scan::rules().into_iter();
    let rules = rules.filter(|rule| wanted.contains(&rule.scanner));
    let rules: Vec<(Rule, bool)> = rules.map(|rule| (rule, false)).collect();
    // The built-in rules are known to compile; without an engine everything is found.
    (!rules.is_empty())
        .then(|| Engine::compile_with(rules, automata).ok())
        .flatten()
}

/// Whether a scanner finds something of that level in a text. Scores of injection rules are summed.
fn finds(engine: Option<&Engine>, scanner: Scanner, level: ThreatLevel, text: &str) -> bool {
    let Some(engine) = engine else {
        return true;
    };
    let (mut scan, mut findings) = (SegmentScan::whole(Form::Plain), Vec::new());
    let read = scan.push(engine, text, &mut findings);
    if scan.finish(engine, &mut findings).and(read).is_err() {
        return true;
    }
    let mut rules: Vec<&Rule> = findings
        .iter()
        .filter_map(|finding| engine.rule(finding.rule))
        .filter(|rule| rule.scanner == scanner)
        .collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    rules.dedup_by(|a, b| a.id == b.id);
    let sum = ThreatLevel::from_score(rules.iter().map(|rule| rule.score).sum());
    let single = rules.iter().map(|rule| rule.severity()).max();
    single.unwrap_or_default().max(sum) >= level
}

/// The values at a path; lists on the way are gone through.
fn follow<'j>(value: &'j Json, (path, any_case): (&[String], bool), found: &mut Vec<&'j Json>) {
    let Some((key, rest)) = path.split_first() else {
        return found.push(value);
    };
    match value {
        Json::Array(items) => {
            let each = items.iter();
            each.for_each(|item| follow(item, (path, any_case), found));
        }
        Json::Object(members) => {
            let is_meant = |name: &str| {
                key == "*" || name == key || any_case && name.eq_ignore_ascii_case(key)
            };
            let named = members.iter().filter(|(name, _)| is_meant(name));
            named.for_each(|(_, member)| follow(member, (rest, any_case), found));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Every text at and below a value, numbers included.
fn strings(value: &Json, texts: &mut Vec<String>) {
    match value {
        Json::String(text) => texts.push(text.clone()),
        Json::Number(_) | Json::Bool(_) => texts.push(value.to_string()),
        Json::Array(items) => items.iter().for_each(|item| strings(item, texts)),
        Json::Object(members) => members.values().for_each(|member| strings(member, texts)),
        Json::Null => {}
    }
}

/// A path with what must hold of the argument there.
pub(super) fn read_condition(reader: &mut Reader, key: &Key, node: &Node) -> Option<Condition> {
    let mut fields = reader.fields(node)?;
    let mut tests = Vec::new();
    for scanner in SCANNERS {
        let level = fields.optional(scanner.name(), word(&LEVELS));
        tests.extend(level.map(|level| Test::Finds(scanner, level)));
    }
    tests.extend(fields.optional("pattern", pattern).map(Test::Matches));
    tests.extend(fields.optional("unless", pattern).map(Test::Unless));
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        let reader = fields.reader();
        let problem = reader.problem(node, format!("{} says nothing", reader.path()));
        reader.report(problem.expected("a scanner with a level, pattern or unless"));
    }
    fields.finish();
    let path = key.name.split('.').map(str::to_owned).collect();
    Some(Condition { path, tests })
}

/// A regular expression over one argument; linear, whatever it is.
fn pattern(reader: &mut Reader, node: &Node) -> Option<Regex> {
    let written = text(reader, node)?;
    let pattern = Regex::new(&written).ok();
    if pattern.is_none() {
        let problem = reader.problem(node, format!("{} is no valid pattern", reader.path()));
        reader.report(problem.expected("the syntax of the regex crate"));
    }
    pattern
}

/// `schema:`. Patterns in it are linear too; it can refer to nothing outside itself.
pub(super) fn read_schema(reader: &mut Reader, node: &Node) -> Option<Validator> {
    let schema = json(reader, node)?;
    if !matches!(node.value, Value::Map(_)) {
        reader.mismatch(node, "a JSON Schema (2020-12), written in YAML or JSON");
        return None;
    }
    let options = jsonschema::draft202012::options();
    match options
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
    {
        Ok(schema) => Some(schema),
        Err(error) => {
            let found = format!("{} is no JSON Schema: {error}", reader.path());
            let problem = reader.problem(node, found);
            reader.report(problem.expected("draft 2020-12, patterns without look-around"));
            None
        }
    }
}
