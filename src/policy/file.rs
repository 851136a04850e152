//! A policy as written: its YAML read into plain values, every key accounted for.
//!
//! What only a later version can do is refused by name: a setting that nothing acts on would look as if it were in force.

use jiff::civil::Date;

use super::check::{Case, read_test};
use super::judge::JudgeFile;
use super::model::file::ModelFile;
use super::place::Places;
use super::section::{action, filled, read_reversible, read_side, some};
use super::session::{Escalation, read_sessions};
use super::size::Measure;
use super::spot::Spot;
use super::stream::{Mode, read_stream};
use super::tools::{ToolsFile, read_tools};
use super::{Action, Direction, Media, OnError, Origins, Respond, Unknown};
use crate::diagnostic::Diagnostic;
use crate::document::{self, Node, Reader, Shape, Value, boolean, integer, list, text, word};
use crate::scan::classifier::Task;
use crate::scan::finding::ThreatLevel;
use crate::scan::{Hosts, Scanner};

/// The newest `version` of the format that this program knows.
pub const VERSION: u32 = 1;

/// One policy file. `None` is what its parent, or else the default, decides.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Hashes of the texts that it was read from, parents' included.
    pub(super) written: Vec<u64>,
    pub(super) extends: Option<(String, Spot)>,
    pub(super) description: Option<String>,
    pub(super) on_error: Option<OnError>,
    pub(super) unknown: Option<Unknown>,
    pub(super) media: Option<Media>,
    pub(super) respond: Option<Respond>,
    pub(super) message: Option<String>,
    pub(super) observe: Option<bool>,
    pub(super) stream: Option<Mode>,
    pub(super) tools: ToolsFile,
    pub(super) placeholders: Option<Scope>,
    pub(super) sessions: Option<Escalation>,
    pub(super) request: SideFile,
    pub(super) response: SideFile,
    pub(super) topics: Vec<Topic>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) tests: Vec<Case>,
}

/// How long a value of reversible redaction keeps its placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For one request and its answer.
    Exchange,
    /// For all of a session.
    Session,
}

impl Scope {
    const WORDS: [(&'static str, Self); 2] =
        [("exchange", Self::Exchange), ("session", Self::Session)];
}

/// `request:` or `response:`.
#[derive(Debug, Default)]
pub(super) struct SideFile {
    /// Text from outside goes up between marks.
    pub(super) fence: Option<bool>,
    pub(super) sections: Vec<(Scanner, Section)>,
    pub(super) judges: Vec<(Task, JudgeFile)>,
    pub(super) models: Vec<ModelFile>,
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
    /// What to tell a client that was refused.
    pub(super) message: Option<String>,
    /// The hosts that `url:` lists.
    pub(super) hosts: Hosts,
    /// The words of `canary:`.
    pub(super) words: Vec<String>,
    /// A marker is put into system prompts, for `canary:` to find.
    pub(super) marker: bool,
    /// The limits of `size:`.
    pub(super) limits: Vec<(Measure, u64)>,
    /// Where matches count.
    pub(super) places: Places,
    /// What is redacted is put back into the answer.
    pub(super) reversible: bool,
}

/// An entry of `topics:`.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: String,
    pub(super) pattern: String,
    pub(super) on: Vec<Direction>,
    pub(super) action: Action,
    pub(super) message: Option<String>,
    pub(super) reversible: bool,
    /// Of the entry.
    pub(super) spot: Spot,
    pub(super) pattern_spot: Spot,
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
        let value = read_file(&mut reader, &root, name);
        reader.finish(value)
    }

    /// What a policy file may hold.
    pub(super) fn outline() -> Shape {
        Shape::of(|reader, node| read_file(reader, node, ""))
    }

    /// Takes from `parent` what this file leaves open. Topics of the same id, sections and rules are taken from this file;
    /// a parent's tests stay with the parent, since this file may well decide otherwise.
    pub(super) fn inherit(&mut self, parent: Self) {
        self.extends = parent.extends;
        self.on_error = self.on_error.or(parent.on_error);
        self.unknown = self.unknown.or(parent.unknown);
        self.media = self.media.or(parent.media);
        self.respond = self.respond.or(parent.respond);
        self.message = self.message.take().or(parent.message);
        self.observe = self.observe.or(parent.observe);
        self.stream = self.stream.or(parent.stream);
        self.tools.inherit(parent.tools);
        self.placeholders = self.placeholders.or(parent.placeholders);
        self.sessions = self.sessions.take().or(parent.sessions);
        self.request.inherit(parent.request);
        self.response.inherit(parent.response);
        let new = |topic: &Topic| self.topics.iter().all(|own| own.id != topic.id);
        let mut topics: Vec<Topic> = parent.topics.into_iter().filter(new).collect();
        topics.append(&mut self.topics);
        self.topics = topics;
        self.exceptions.extend(parent.exceptions);
    }
}

impl File {
    /// Whether anything in requests is redacted so that it can be put back.
    pub(super) fn is_reversible(&self) -> bool {
        let sections = &self.request.sections;
        sections.iter().any(|(_, section)| section.reversible)
            || self.topics.iter().any(|topic| topic.reversible)
    }
}

impl SideFile {
    /// The section of a scanner, if it is switched on or off at all.
    pub(super) fn section(&self, scanner: Scanner) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections
            .find(|(own, _)| *own == scanner)
            .map(|(_, section)| section)
    }

    /// The action that a rule has of its own.
    pub(super) fn rule(&self, id: &str) -> Option<Action> {
        let mut rules = self.rules.iter();
        rules.find(|(own, _)| own == id).map(|(_, action)| *action)
    }

    fn inherit(&mut self, parent: Self) {
        self.fence = self.fence.or(parent.fence);
        for (scanner, section) in parent.sections {
            if self.section(scanner).is_none() {
                self.sections.push((scanner, section));
            }
        }
        for (task, judge) in parent.judges {
            if self.judges.iter().all(|(own, _)| *own != task) {
                self.judges.push((task, judge));
            }
        }
        for model in parent.models {
            if self.models.iter().all(|own| own.name != model.name) {
                self.models.push(model);
            }
        }
        for (id, action) in parent.rules {
            if self.rule(&id).is_none() {
                self.rules.push((id, action));
            }
        }
    }
}

fn read_file(reader: &mut Reader, root: &Node, name: &str) -> Option<File> {
    let mut fields = reader.fields(root)?;
    fields.optional("version", version);
    fields.nullable("name", |reader, node| same_name(reader, node, name));
    fields.unavailable(&["canary", "size"]);
    let read = File {
        written: Vec::new(),
        extends: fields.nullable("extends", |reader, node| {
            Some((text(reader, node)?, Spot::of(reader, node)))
        }),
        description: fields.nullable("description", text),
        on_error: fields.optional("on_error", word(&OnError::WORDS)),
        unknown: fields.optional("unknown", word(&Unknown::WORDS)),
        media: fields.optional("media", word(&Media::WORDS)),
        respond: fields.optional("respond", word(&Respond::WORDS)),
        message: fields.optional("message", filled),
        observe: fields.optional("observe", boolean),
        stream: fields.optional("stream", read_stream),
        tools: fields.optional("tools", read_tools).unwrap_or_default(),
        placeholders: fields.optional("placeholders", word(&Scope::WORDS)),
        sessions: fields.optional("sessions", read_sessions),
        request: fields
            .optional("request", |reader, node| {
                read_side(reader, node, Direction::Request)
            })
            .unwrap_or_default(),
        response: fields
            .optional("response", |reader, node| {
                read_side(reader, node, Direction::Response)
            })
            .unwrap_or_default(),
        topics: fields
            .optional("topics", list(read_topic))
            .unwrap_or_default(),
        exceptions: fields
            .optional("exceptions", list(read_exception))
            .unwrap_or_default(),
        tests: fields
            .optional("tests", list(read_test))
            .unwrap_or_default(),
    };
    fields.finish();
    repeated(
        reader,
        "topic",
        read.topics.iter().map(|topic| (&topic.id, &topic.spot)),
    );
    repeated(
        reader,
        "test",
        read.tests.iter().map(|case| (&case.name, &case.spot)),
    );
    Some(read)
}

/// A version beyond ours makes unknown keys warnings, so that one file can serve gateways of both versions.
fn version(reader: &mut Reader, node: &Node) -> Option<()> {
    let version = integer(1..=u32::MAX)(reader, node)?;
    if version > VERSION {
        reader.lenient = true;
        let problem = reader.problem(node, format!("the policy is written for version {version}"));
        let problem = problem.expected(format!("version {VERSION} or older"));
        reader.report(
            problem
                .help("keys that this program does not know have no effect")
                .warning(),
        );
    }
    Some(())
}

fn same_name(reader: &mut Reader, node: &Node, name: &str) -> Option<()> {
    let written = text(reader, node)?;
    if written != name {
        let problem = reader.problem(node, "the policy's name is not that of its file");
        reader.report(
            problem
                .expected(format!("\"{name}\""))
                .help("keys and settings choose a policy by its file's name"),
        );
    }
    Some(())
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
            reader.report(
                spot.error(format!("a second {what} of this name"))
                    .help("give each its own"),
            );
        }
        seen.push(name);
    }
}

fn read_topic(reader: &mut Reader, node: &Node) -> Option<Topic> {
    let spot = Spot::of(reader, node);
    let mut fields = reader.fields(node)?;
    let id = fields.required("id", topic_id);
    let pattern = fields.required("pattern", |reader, node| {
        Some((filled(reader, node)?, node.place()))
    });
    let on = fields.optional("on", some(word(&Direction::WORDS)));
    let action = fields.optional("action", action);
    let message = fields.optional("message", filled);
    let edits = action == Some(Action::Redact)
        && on
            .as_ref()
            .is_none_or(|on| on.contains(&Direction::Request));
    let reversible = read_reversible(&mut fields, edits);
    fields.unavailable(&["words", "deny", "allow"]);
    fields.finish();
    let (pattern, place) = pattern?;
    Some(Topic {
        id: id?,
        pattern,
        on: on.unwrap_or_else(|| vec![Direction::Request, Direction::Response]),
        action: action.unwrap_or(Action::Block),
        message,
        reversible,
        pattern_spot: spot.moved(place),
        spot,
    })
}

/// A topic's id becomes part of a rule id and, in capitals, its placeholder.
fn topic_id(reader: &mut Reader, node: &Node) -> Option<String> {
    let id = text(reader, node)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if id.is_empty() || id.len() > 40 || !id.bytes().all(plain) {
        let problem = reader.problem(node, format!("{} cannot name a rule", reader.path()));
        reader.report(problem.expected("1 to 40 lower-case letters, digits and \"_\""));
        return None;
    }
    Some(id)
}

fn read_exception(reader: &mut Reader, node: &Node) -> Option<Exception> {
    let spot = Spot::of(reader, node);
    let mut fields = reader.fields(node)?;
    let rule = fields.required("rule", |reader, node| {
        Some((text(reader, node)?, node.place()))
    });
    let text = fields.required("text", filled);
    // Only people read the reason; it is required because nobody remembers it a year later.
    fields.required("reason", filled);
    let until = fields.nullable("until", date);
    fields.finish();
    let (rule, place) = rule?;
    Some(Exception {
        rule,
        text: text?,
        until,
        spot: spot.moved(place),
    })
}

/// A day as in RFC 3339, `2027-12-31`.
fn date(reader: &mut Reader, node: &Node) -> Option<Date> {
    let date = if let Value::Str(text) = &node.value {
        text.parse().ok()
    } else {
        None
    };
    if date.is_none() {
        reader.mismatch(node, "a date: 2027-12-31");
    }
    date
}
