//! A policy as written: its YAML read into plain values, every key accounted for.
//!
//! What only a later version can do is refused by name: a setting that nothing acts on would look as if it were in force.

use jiff::civil::Date;

use super::check::Case;
use super::{Action, Direction, OnError, Origins, Respond};
use crate::diagnostic::Diagnostic;
use crate::document::{self, Key, Node, Reader, Value, boolean, integer, list, map, text, word};
use crate::scan::finding::ThreatLevel;
use crate::scan::{self, Scanner};
use crate::text::Origin;

/// The newest `version` of the format that this program knows.
pub const VERSION: u32 = 1;

/// The scanners that have a section of their own on each side.
const SECTIONS: [Scanner; 3] = [Scanner::Injection, Scanner::Secrets, Scanner::Pii];

/// A place in a policy file, for problems that only show when all files are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    file: String,
    line: usize,
    column: usize,
}

impl Spot {
    /// An error at this place.
    pub(super) fn error(&self, found: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.file, found).at(self.line, self.column)
    }
}

/// One policy file. `None` is what its parent, or else the default, decides.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) extends: Option<(String, Spot)>,
    pub(super) description: Option<String>,
    pub(super) on_error: Option<OnError>,
    pub(super) respond: Option<Respond>,
    pub(super) message: Option<String>,
    pub(super) observe: Option<bool>,
    pub(super) request: SideFile,
    pub(super) response: SideFile,
    pub(super) topics: Vec<Topic>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) tests: Vec<Case>,
}

/// `request:` or `response:`.
#[derive(Debug, Default)]
pub(super) struct SideFile {
    pub(super) sections: Vec<(Scanner, Section)>,
    pub(super) rules: Vec<(String, Action)>,
}

/// What one scanner is to do.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) action: Action,
    /// The level from which scored rules act.
    pub(super) level: ThreatLevel,
    /// Whose text counts.
    pub(super) origins: Origins,
    /// The last parts of rule ids that are switched on; `None` means all.
    pub(super) kinds: Option<Vec<String>>,
}

/// An entry of `topics:`.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: String,
    pub(super) pattern: String,
    pub(super) on: Vec<Direction>,
    pub(super) action: Action,
    pub(super) message: Option<String>,
    pub(super) spot: Spot,
}

/// An entry of `exceptions:`.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) rule: String,
    pub(super) text: String,
    pub(super) until: Option<Date>,
    pub(super) spot: Spot,
}

impl File {
    /// Reads the policy called `name`.
    ///
    /// # Errors
    /// Every problem of the file.
    pub(super) fn read(
        name: &str,
        file: &str,
        text: &str,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let root = document::parse(file, text)?;
        let mut reader = Reader::new(file);
        let value = read_file(&mut reader, &root, name, file);
        reader.finish(value)
    }

    /// Takes from `parent` what this file leaves open. Topics of the same id, sections and rules are taken from this file;
    /// a parent's tests stay with the parent, since this file may well decide otherwise.
    pub(super) fn inherit(&mut self, parent: Self) {
        self.extends = parent.extends;
        self.on_error = self.on_error.or(parent.on_error);
        self.respond = self.respond.or(parent.respond);
        self.message = self.message.take().or(parent.message);
        self.observe = self.observe.or(parent.observe);
        self.request.inherit(parent.request);
        self.response.inherit(parent.response);
        let new = |topic: &Topic| self.topics.iter().all(|own| own.id != topic.id);
        let mut topics: Vec<Topic> = parent.topics.into_iter().filter(new).collect();
        topics.append(&mut self.topics);
        self.topics = topics;
        self.exceptions.extend(parent.exceptions);
    }
}

impl SideFile {
    /// The section of a scanner, if it is switched on or off at all.
    pub(super) fn section(&self, scanner: Scanner) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections.find(|(own, _)| *own == scanner).map(|(_, section)| section)
    }

    /// The action that a rule has of its own.
    pub(super) fn rule(&self, id: &str) -> Option<Action> {
        let mut rules = self.rules.iter();
        rules.find(|(own, _)| own == id).map(|(_, action)| *action)
    }

    fn inherit(&mut self, parent: Self) {
        for (scanner, section) in parent.sections {
            if self.section(scanner).is_none() {
                self.sections.push((scanner, section));
            }
        }
        for (id, action) in parent.rules {
            if self.rule(&id).is_none() {
                self.rules.push((id, action));
            }
        }
    }
}

fn read_file(reader: &mut Reader, root: &Node, name: &str, file: &str) -> Option<File> {
    let spot = |node: &Node| Spot { file: file.to_owned(), line: node.line, column: node.column };
    let mut fields = reader.fields(root)?;
    fields.optional("version", version);
    fields.nullable("name", |reader, node| same_name(reader, node, name));
    fields.unavailable(&["tools", "fence", "sessions", "session", "unknown", "canary", "size"]);
    let read = File {
        extends: fields.nullable("extends", |reader, node| Some((text(reader, node)?, spot(node)))),
        description: fields.nullable("description", text),
        on_error: fields.optional("on_error", word(&OnError::WORDS)),
        respond: fields.optional("respond", word(&Respond::WORDS)),
        message: fields.optional("message", filled),
        observe: fields.optional("observe", boolean),
        request: fields
            .optional("request", |reader, node| read_side(reader, node, Direction::Request))
            .unwrap_or_default(),
        response: fields
            .optional("response", |reader, node| read_side(reader, node, Direction::Response))
            .unwrap_or_default(),
        topics: fields
            .optional("topics", list(|reader, node| read_topic(reader, node, spot(node))))
            .unwrap_or_default(),
        exceptions: fields
            .optional("exceptions", list(|reader, node| read_exception(reader, node, spot(node))))
            .unwrap_or_default(),
        tests: fields
            .optional("tests", list(|reader, node| read_test(reader, node, spot(node))))
            .unwrap_or_default(),
    };
    fields.optional("stream", read_stream);
    fields.finish();
    repeated(reader, "topic", read.topics.iter().map(|topic| (&topic.id, &topic.spot)));
    repeated(reader, "test", read.tests.iter().map(|case| (&case.name, &case.spot)));
    Some(read)
}

/// A version beyond ours makes unknown keys warnings, so that one file can serve gateways of both versions.
fn version(reader: &mut Reader, node: &Node) -> Option<()> {
    let version = integer(1..=u32::MAX)(reader, node)?;
    if version > VERSION {
        reader.lenient = true;
        let problem = reader.problem(node, format!("the policy is written for version {version}"));
        let problem = problem.expected(format!("version {VERSION} or older"));
        reader.report(problem.help("keys that this program does not know have no effect").warning());
    }
    Some(())
}

fn same_name(reader: &mut Reader, node: &Node, name: &str) -> Option<()> {
    let written = text(reader, node)?;
    if written != name {
        let problem = reader.problem(node, "the policy's name is not that of its file");
        reader.report(problem.expected(format!("\"{name}\"")).help("keys and settings choose a policy by its file's name"));
    }
    Some(())
}

/// Text that says something.
fn filled(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = text(reader, node)?;
    if text.trim().is_empty() {
        let problem = reader.problem(node, format!("{} is empty", reader.path()));
        reader.report(problem.expected("text"));
        return None;
    }
    Some(text)
}

/// Two entries of one name could not be told apart in logs.
fn repeated<'f>(
    reader: &mut Reader,
    what: &str,
    names: impl Iterator<Item = (&'f String, &'f Spot)>,
) {
    let mut seen: Vec<&String> = Vec::new();
    for (name, spot) in names {
        if seen.contains(&name) {
            reader.report(spot.error(format!("a second {what} of this name")).help("give each its own"));
        }
        seen.push(name);
    }
}

fn read_stream(reader: &mut Reader, node: &Node) -> Option<()> {
    let mut fields = reader.fields(node)?;
    fields.unavailable(&["window", "overlap", "hold_arguments"]);
    fields.optional("mode", |reader, node| match &node.value {
        Value::Str(mode) if mode == "window" || mode == "buffer" => {
            unavailable(reader, node, mode, "write holdback")
        }
        _ => word(&[("holdback", ())])(reader, node),
    });
    fields.finish();
    Some(())
}

fn read_side(reader: &mut Reader, node: &Node, direction: Direction) -> Option<SideFile> {
    let mut fields = reader.fields(node)?;
    fields.unavailable(&[
        "classifier", "toxicity", "model", "url", "html", "path", "code", "tool", "tools", "canary", "size",
        "fence", "unknown",
    ]);
    let mut side = SideFile::default();
    for scanner in SECTIONS {
        let section = fields.optional(scanner.name(), |reader, node| {
            read_section(reader, node, scanner, direction)
        });
        side.sections.extend(section.map(|section| (scanner, section)));
    }
    let rules = fields.optional("rules", map(read_rule)).unwrap_or_default();
    side.rules = rules.into_iter().map(|(key, action)| (key.name, action)).collect();
    fields.finish();
    Some(side)
}

fn read_section(
    reader: &mut Reader,
    node: &Node,
    scanner: Scanner,
    direction: Direction,
) -> Option<Section> {
    let mut fields = reader.fields(node)?;
    fields.unavailable(&["threshold", "reversible", "message"]);
    let scored = scanner == Scanner::Injection;
    let action = fields.required("action", action);
    let mut section = Section {
        action: action.unwrap_or_default(),
        level: ThreatLevel::High,
        origins: Origins::ALL,
        kinds: None,
    };
    if scored {
        section.level = fields.optional("level", word(&LEVELS)).unwrap_or(section.level);
        if direction == Direction::Request {
            section.origins = fields.optional("origins", origins).unwrap_or(section.origins);
        }
        if section.action == Action::Redact && section.level > ThreatLevel::Low {
            let problem = fields.reader().problem(node, "injection redacted from a level above low");
            fields.reader().report(problem.expected("level: low, or action: block").help(
                "what was found before the level is reached has passed already, so only part would be redacted",
            ));
        }
    }
    if scanner == Scanner::Pii {
        section.kinds = fields.optional("kinds", list(kind));
    }
    fields.finish();
    action.map(|_| section)
}

const LEVELS: [(&str, ThreatLevel); 4] = [
    (ThreatLevel::Low.name(), ThreatLevel::Low),
    (ThreatLevel::Medium.name(), ThreatLevel::Medium),
    (ThreatLevel::High.name(), ThreatLevel::High),
    (ThreatLevel::Critical.name(), ThreatLevel::Critical),
];

/// An action that this version can take.
fn action(reader: &mut Reader, node: &Node) -> Option<Action> {
    const ACTIONS: [(&str, Action); 4] = [
        (Action::Allow.name(), Action::Allow),
        (Action::Log.name(), Action::Log),
        (Action::Redact.name(), Action::Redact),
        (Action::Block.name(), Action::Block),
    ];
    match &node.value {
        Value::Str(word) if word == Action::Replace.name() => {
            unavailable(reader, node, word, "write redact or block")
        }
        Value::Str(word) if word == Action::Hold.name() => unavailable(reader, node, word, "write block"),
        Value::Str(word) if word == "off" || word == "none" => {
            let problem = reader.problem(node, format!("unknown action \"{word}\" in {}", reader.path()));
            reader.report(problem.expected("allow, log, redact or block").help("write allow to switch it off"));
            None
        }
        _ => word(&ACTIONS)(reader, node),
    }
}

/// Refuses a word that a later version will know.
fn unavailable<T>(reader: &mut Reader, node: &Node, word: &str, help: &str) -> Option<T> {
    let found = format!("{} \"{word}\" is not available in this version", reader.path());
    reader.report(reader.problem(node, found).help(help));
    None
}

fn origins(reader: &mut Reader, node: &Node) -> Option<Origins> {
    let words = [
        ("user", Origin::User),
        ("tool", Origin::Tool),
        ("assistant", Origin::Assistant),
        ("system", Origin::System),
    ];
    let origins = list(word(&words))(reader, node)?;
    Some(origins.into_iter().collect())
}

/// The last part of a pii rule's id.
fn kind(reader: &mut Reader, node: &Node) -> Option<String> {
    let kind = text(reader, node)?;
    let rules = scan::rules();
    let known = rules.iter().filter_map(|rule| rule.id.strip_prefix("pii."));
    if known.clone().any(|known| known == kind) {
        return Some(kind);
    }
    reader.unknown_word(node, &kind, known);
    None
}

fn read_rule(reader: &mut Reader, key: &Key, node: &Node) -> Option<Action> {
    known_rule(reader, &key.name, key.line, key.column);
    action(reader, node)
}

/// Reports an id that is no built-in rule's.
fn known_rule(reader: &mut Reader, id: &str, line: usize, column: usize) {
    let rules = scan::rules();
    if rules.iter().all(|rule| rule.id != id) {
        let place = Node { value: Value::Null, line, column };
        reader.unknown_rule(&place, id, rules.iter().map(|rule| rule.id.as_ref()));
    }
}
