//! The parts of a policy file that say what scanners do: `request:`, `response:`, `stream:` and the words in them.

use super::file::{Section, SideFile};
use super::judge::read_judge;
use super::model::file::read_model;
use super::place::{Places, read_places};
use super::size::read_limits;
use super::{Action, Direction, Origins};
use crate::document::{Fields, Key, Node, Reader, Value, boolean, list, map, text, word};
use crate::scan::classifier::Task;
use crate::scan::finding::ThreatLevel;
use crate::scan::{self, Hosts, Scanner};
use crate::text::Origin;

/// The scanners that have a section of their own on each side.
const SECTIONS: [Scanner; 9] = [
    Scanner::Injection,
    Scanner::Secrets,
    Scanner::Pii,
    Scanner::Url,
    Scanner::Html,
    Scanner::Path,
    Scanner::Code,
    Scanner::Canary,
    Scanner::Size,
];

/// The shortest word of `canary:`: shorter ones stand in ordinary text.
const CANARY_CHARACTERS: usize = 8;

pub(super) const LEVELS: [(&str, ThreatLevel); 4] = [
    (ThreatLevel::Low.name(), ThreatLevel::Low),
    (ThreatLevel::Medium.name(), ThreatLevel::Medium),
    (ThreatLevel::High.name(), ThreatLevel::High),
    (ThreatLevel::Critical.name(), ThreatLevel::Critical),
];

/// `request:` or `response:`.
pub(super) fn read_side(
    reader: &mut Reader,
    node: &Node,
    direction: Direction,
) -> Option<SideFile> {
    let mut fields = reader.fields(node)?;
    fields.unavailable(&["tool", "tools"]);
    let mut side = SideFile::default();
    for scanner in SECTIONS {
        let section = fields.optional(scanner.name(), |reader, node| {
            read_section(reader, node, scanner, direction)
        });
        side.sections
            .extend(section.map(|section| (scanner, section)));
    }
    for task in Task::ALL {
        let judge = fields.optional(task.name(), |reader, node| {
            read_judge(reader, node, task, direction)
        });
        side.judges.extend(judge.map(|judge| (task, judge)));
    }
    let models = fields.optional(
        Scanner::Model.name(),
        map(|reader: &mut Reader, key: &Key, node| read_model(reader, key, node, direction)),
    );
    let models = models.unwrap_or_default().into_iter();
    side.models = models.map(|(_, model)| model).collect();
    if direction == Direction::Request {
        side.fence = fields.optional("fence", boolean);
    }
    let rules = fields.optional("rules", map(read_rule)).unwrap_or_default();
    side.rules = rules
        .into_iter()
        .map(|(key, action)| (key.name, action))
        .collect();
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
    fields.unavailable(&["threshold"]);
    let scored = scanner == Scanner::Injection;
    let action = fields.required("action", action);
    let mut section = Section {
        action: action.unwrap_or_default(),
        level: ThreatLevel::High,
        origins: Origins::ALL,
        kinds: None,
        message: fields.optional("message", filled),
        hosts: Hosts::default(),
        words: Vec::new(),
        marker: false,
        limits: Vec::new(),
        places: Places::of(scanner),
        reversible: false,
    };
    if scored {
        section.level = fields
            .optional("level", word(&LEVELS))
            .unwrap_or(section.level);
        if direction == Direction::Request {
            section.origins = fields
                .optional("origins", origins)
                .unwrap_or(section.origins);
        }
        // An answer is replaced whole, a request only where something was found.
        let edits = match section.action {
            Action::Redact => Some("redacted"),
            Action::Replace if direction == Direction::Request => Some("replaced"),
            Action::Allow | Action::Log | Action::Replace | Action::Hold | Action::Block => None,
        };
        if let Some(edited) = edits.filter(|_| section.level > ThreatLevel::Low) {
            let found = format!("injection {edited} from a level above low");
            let problem = fields.reader().problem(node, found);
            fields.reader().report(problem.expected("level: low, or action: block").help(
                format!("what was found before the level is reached has passed already, so only part would be {edited}"),
            ));
        }
    }
    read_lists(&mut fields, scanner, direction, &mut section);
    if scanner == Scanner::Size {
        read_size(&mut fields, node, direction, &mut section);
    }
    if matches!(scanner, Scanner::Secrets | Scanner::Pii) && direction == Direction::Request {
        section.reversible = read_reversible(&mut fields, section.action == Action::Redact);
    }
    fields.finish();
    action.map(|_| section)
}

/// What `size:` limits, and whether its action can be taken there.
fn read_size(
    fields: &mut Fields<'_, '_>,
    node: &Node,
    direction: Direction,
    section: &mut Section,
) {
    section.limits = read_limits(fields);
    let reader = fields.reader();
    if section.limits.is_empty() {
        let problem = reader.problem(node, format!("{} without a limit", reader.path()));
        reader
            .report(problem.expected("segment_chars, segment_tokens, total_chars or total_tokens"));
    }
    let edits = match section.action {
        Action::Redact => true,
        Action::Replace => direction == Direction::Request,
        Action::Allow | Action::Log | Action::Hold | Action::Block => false,
    };
    if edits {
        let found = format!("{} cannot edit what is too long", reader.path());
        let problem = reader.problem(node, found);
        reader.report(problem.expected("action: log or block; replace in answers"));
    }
}

/// What a section lists: kinds, hosts, words, places.
fn read_lists(
    fields: &mut Fields<'_, '_>,
    scanner: Scanner,
    direction: Direction,
    section: &mut Section,
) {
    if !matches!(
        scanner,
        Scanner::Injection | Scanner::Canary | Scanner::Size
    ) {
        section.kinds = fields.optional("kinds", |reader, node| {
            some(|reader: &mut Reader, node| kind(reader, node, scanner))(reader, node)
        });
    }
    if scanner == Scanner::Url {
        section.hosts.allow = fields.optional("allow", some(host)).unwrap_or_default();
        section.hosts.deny = fields.optional("deny", some(host)).unwrap_or_default();
    }
    if scanner == Scanner::Code {
        section.places = fields.optional("in", read_places).unwrap_or(section.places);
    }
    if scanner == Scanner::Canary {
        if direction == Direction::Response {
            section.marker = read_marker(fields, section.action);
        }
        let known = section.marker;
        let words = fields.required_unless(known, "words", some(canary));
        section.words = words.unwrap_or_default();
    }
}

/// `marker:`, which no client may see.
fn read_marker(fields: &mut Fields<'_, '_>, action: Action) -> bool {
    let marker = fields.optional("marker", |reader, node| {
        let marker = boolean(reader, node)?;
        if marker && !action.interferes() {
            let found = format!("{} that would reach clients", reader.path());
            let problem = reader.problem(node, found);
            reader.report(problem.expected("action: redact, replace or block"));
        }
        Some(marker)
    });
    marker.unwrap_or(false)
}

/// `reversible:`, which only goes with `redact` in requests.
pub(super) fn read_reversible(fields: &mut Fields<'_, '_>, redacts: bool) -> bool {
    fields
        .optional("reversible", |reader, node| {
            let reversible = boolean(reader, node)?;
            if reversible && !redacts {
                let found = format!("{} without redaction of requests", reader.path());
                let problem = reader.problem(node, found);
                reader.report(problem.expected("action: redact, on requests"));
            }
            Some(reversible)
        })
        .unwrap_or(false)
}

/// The actions that this version can take.
pub(super) const ACTIONS: [(&str, Action); 5] = [
    (Action::Allow.name(), Action::Allow),
    (Action::Log.name(), Action::Log),
    (Action::Redact.name(), Action::Redact),
    (Action::Replace.name(), Action::Replace),
    (Action::Block.name(), Action::Block),
];

/// An action that this version can take.
pub(super) fn action(reader: &mut Reader, node: &Node) -> Option<Action> {
    if let Value::Str(written) = &node.value {
        match written.as_str() {
            "hold" => return unavailable(reader, node, written, "write block"),
            // Common words for it elsewhere, too far from ours to be guessed by spelling.
            "off" | "none" => {
                let found = format!("{} \"{written}\" is no action", reader.path());
                let problem = reader.problem(node, found);
                let problem = problem.expected("allow, log, redact, replace or block");
                reader.report(problem.help("write allow to switch it off"));
                return None;
            }
            _ => {}
        }
    }
    word(&ACTIONS)(reader, node)
}

/// Refuses a word that a later version will know.
fn unavailable<T>(reader: &mut Reader, node: &Node, word: &str, help: &str) -> Option<T> {
    let found = format!(
        "{} \"{word}\" is not available in this version",
        reader.path()
    );
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
    let origins = some(word(&words))(reader, node)?;
    Some(origins.into_iter().collect())
}

/// A host of `allow:` or `deny:`.
fn host(reader: &mut Reader, node: &Node) -> Option<String> {
    let host = Hosts::parse(&text(reader, node)?);
    if host.is_err() {
        let problem = reader.problem(node, format!("{} is not a host name", reader.path()));
        let problem =
            problem.expected("a name such as example.com, which stands for those below it too");
        reader.report(problem.help("leave out scheme, port and path; write other scripts as xn--"));
    }
    host.ok()
}

/// A word of `canary:`.
fn canary(reader: &mut Reader, node: &Node) -> Option<String> {
    let word = filled(reader, node)?;
    if word.chars().count() < CANARY_CHARACTERS {
        let problem = reader.problem(node, format!("{} is too short", reader.path()));
        let problem = problem.expected(format!("at least {CANARY_CHARACTERS} characters"));
        reader.report(problem.help("a word that ordinary text holds would stop ordinary answers"));
        return None;
    }
    Some(word)
}

/// The last part of the id of one of the scanner's rules.
fn kind(reader: &mut Reader, node: &Node, scanner: Scanner) -> Option<String> {
    let kind = text(reader, node)?;
    let rules = scan::rules();
    let known = rules.iter().filter(|rule| rule.scanner == scanner);
    let known = known.filter_map(|rule| Some(rule.id.split_once('.')?.1));
    if known.clone().any(|known| known == kind) {
        return Some(kind);
    }
    reader.unknown_word(node.place(), Some("kind"), &kind, known);
    None
}

fn read_rule(reader: &mut Reader, key: &Key, node: &Node) -> Option<Action> {
    let rules = scan::rules();
    let known = rules.iter().map(|rule| rule.id.as_ref());
    let known = known.chain(scan::POLICY_RULES);
    if !known.clone().any(|id| id == key.name) {
        reader.unknown_word(key.place(), Some("rule"), &key.name, known);
    }
    action(reader, node)
}

/// Text that says something.
pub(super) fn filled(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = text(reader, node)?;
    if text.trim().is_empty() {
        let problem = reader.problem(node, format!("{} is empty", reader.path()));
        reader.report(problem.expected("text"));
        return None;
    }
    Some(text)
}

/// A list with at least one entry: an empty one would switch something off without saying so.
pub(super) fn some<'n, T>(
    item: impl Fn(&mut Reader, &'n Node) -> Option<T>,
) -> impl FnOnce(&mut Reader, &'n Node) -> Option<Vec<T>> {
    move |reader, node| {
        if matches!(&node.value, Value::Seq(items) if items.is_empty()) {
            let problem = reader.problem(node, format!("{} is an empty list", reader.path()));
            reader.report(problem.expected("at least one entry"));
            return None;
        }
        list(item)(reader, node)
    }
}
