//! From policy files to a [`Policy`], or every problem they have.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use jiff::civil::Date;

use super::file::{Exception, File, Scope, SideFile, Topic};
use super::judge::Judges;
use super::model::Models;
use super::model::file::check_models;
use super::place::Places;
use super::stream::Mode;
use super::{Action, Direction, Policy, Scored, Side, Treatment, size};
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::scan::engine::{Automata, Engine, Unsupported};
use crate::scan::finding::RuleIndex;
use crate::scan::{self, Hosts, Rule, Scanner};

/// The most policies that may extend one another in a row.
const MAX_PARENTS: usize = 8;

/// What a refused client is told where the policy has no text of its own.
const MESSAGE: &str = "This was stopped by the gateway's policy.";

/// A policy file that has been read from where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The policy's name: that of its file, without the ending.
    pub name: String,
    /// The file as the user knows it, for messages.
    pub file: String,
    /// The YAML text.
    pub text: String,
}

/// The policies that every gateway has: names and YAML texts. A file of the same name in the policies folder takes the
/// place of one.
pub const fn embedded() -> [(&'static str, &'static str); 3] {
    [
        ("default", include_str!("../../policies/default.yaml")),
        ("strict", include_str!("../../policies/strict.yaml")),
        ("observe", include_str!("../../policies/observe.yaml")),
    ]
}

/// Compiles a policy and says what to be warned of. `load` finds the policy that another one extends; `today` decides which
/// exceptions have expired.
///
/// # Errors
/// Every problem of the file, or of a file it extends, or of all of them together.
pub fn compile(
    source: &Source,
    load: impl Fn(&str) -> Option<Source>,
    today: Date,
) -> Result<(Policy, Vec<Diagnostic>), Vec<Diagnostic>> {
    compile_with(source, load, &Automata::default(), today)
}

/// The same with the automata of policies compiled before.
///
/// # Errors
/// As [`compile`].
pub fn compile_with(
    source: &Source,
    load: impl Fn(&str) -> Option<Source>,
    automata: &Automata,
    today: Date,
) -> Result<(Policy, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (mut file, mut problems) = read_chain(source, load)?;
    let exceptions = valid_exceptions(&file, today, &mut problems);
    let unusable = |rules: Vec<Unsupported>| -> Vec<Diagnostic> {
        let rules = rules.iter();
        rules
            .map(|rule| unusable(rule, &file.topics, source))
            .collect()
    };
    let waits = !matches!(file.stream, Some(Mode::Holdback) | None);
    problems.extend(check_models(&file.request, true));
    problems.extend(check_models(&file.response, waits));
    // The file's own patterns first: that is quick, and the built-in ones are known to compile.
    let own = file.topics.iter().map(|topic| (topic.rule(), false));
    problems.extend(
        Engine::compile_with(own.collect(), automata)
            .err()
            .map(unusable)
            .unwrap_or_default(),
    );
    if problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        return Err(problems);
    }
    let side = |direction| compile_side(&file, direction, &exceptions, automata).map_err(unusable);
    let (mut request, mut response) = (side(Direction::Request)?, side(Direction::Response)?);
    let tools = std::mem::take(&mut file.tools);
    let hold_arguments = tools.hold_arguments.unwrap_or(false);
    let tools = tools.compile([&mut request, &mut response], automata);
    if request.treatments.is_empty() && response.treatments.is_empty() {
        let problem = Diagnostic::error(&source.file, "no rule is switched on: everything passes");
        let help = "add a section such as secrets under request or response";
        problems.push(problem.help(help).warning());
    }
    let policy = Policy {
        name: source.name.clone(),
        description: file.description.unwrap_or_default(),
        on_error: file.on_error.unwrap_or_default(),
        unknown: file.unknown.unwrap_or_default(),
        media: file.media.unwrap_or_default(),
        respond: file.respond.unwrap_or_default(),
        message: file.message.unwrap_or_else(|| MESSAGE.to_owned()),
        observe: file.observe.unwrap_or(false),
        stream: file.stream.unwrap_or_default(),
        fence: file.request.fence.unwrap_or(false) && !file.observe.unwrap_or(false),
        hold_arguments,
        placeholders: file.placeholders.unwrap_or(Scope::Exchange),
        tools,
        sessions: file.sessions,
        request,
        response,
        cases: file.tests,
    };
    Ok((policy, problems))
}

/// Compiles what a file says about one direction.
fn compile_side(
    file: &File,
    direction: Direction,
    exceptions: &[(String, String)],
    automata: &Automata,
) -> Result<Side, Vec<Unsupported>> {
    let written = match direction {
        Direction::Request => &file.request,
        Direction::Response => &file.response,
    };
    let observe = file.observe.unwrap_or(false);
    let (mut rules, mut treatments) = rules(written, &file.topics, direction);
    let restore = (direction == Direction::Response && file.is_reversible()).then(|| {
        let (rule, treatment) = restore();
        rules.push(rule);
        treatments.push(treatment);
        RuleIndex(u16::try_from(rules.len() - 1).unwrap_or(u16::MAX))
    });
    let holds = treatments
        .iter()
        .map(|treatment| treatment.action.interferes() && !observe);
    let mut engine = Engine::compile_with(rules.into_iter().zip(holds).collect(), automata)?;
    let judges = Judges::compile(written, &mut engine, &mut treatments)?;
    let on_error = file.on_error.unwrap_or_default();
    let models = Models::compile(&written.models, on_error, &mut engine, &mut treatments);
    let limits = size::limits(written, &mut treatments);
    let marker = treatments.iter().position(|own| own.id == "canary.marker");
    Ok(Side {
        engine,
        judges,
        models,
        limits,
        minds_places: treatments.iter().any(|own| !own.places.is_all()),
        is_reversible: treatments.iter().any(|own| own.reversible),
        treatments,
        exceptions: exceptions.to_vec(),
        observe,
        restore,
        marker: marker.and_then(|at| u16::try_from(at).ok()).map(RuleIndex),
        generation: hash_of(&(&file.written, direction)),
    })
}

/// The index of the next treatment.
pub(super) fn next_index(treatments: &[Treatment]) -> RuleIndex {
    RuleIndex(u16::try_from(treatments.len()).unwrap_or(u16::MAX))
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Reads a file and those it extends into one.
fn read_chain(
    source: &Source,
    load: impl Fn(&str) -> Option<Source>,
) -> Result<(File, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (mut file, mut warnings) = File::read(&source.name, &source.file, &source.text)?;
    file.written.push(hash_of(&source.text));
    let mut names = vec![source.name.clone()];
    while let Some((name, spot)) = file.extends.take() {
        if names.contains(&name) {
            names.push(name);
            let problem = spot.error(format!(
                "policies that extend each other: {}",
                names.join(", ")
            ));
            return Err(vec![problem.help("let one of them stand by itself")]);
        }
        if names.len() > MAX_PARENTS {
            let problem = spot.error("too many policies that extend one another");
            return Err(vec![problem.expected(format!("at most {MAX_PARENTS}"))]);
        }
        let Some(parent) = load(&name) else {
            let problem = spot.error("extends a policy that does not exist");
            let help = "add its file to the policies folder, or name default, strict or observe";
            return Err(vec![problem.expected("the name of a policy").help(help)]);
        };
        file.written.push(hash_of(&parent.text));
        let (parent, more) = File::read(&parent.name, &parent.file, &parent.text)?;
        warnings.extend(more);
        names.push(name);
        file.inherit(parent);
    }
    Ok((file, warnings))
}

/// The rules that a side has switched on, and what is done about each.
fn rules(side: &SideFile, topics: &[Topic], direction: Direction) -> (Vec<Rule>, Vec<Treatment>) {
    let hosts = side.section(Scanner::Url).map(|section| &section.hosts);
    let listed = hosts.map(Hosts::rules).unwrap_or_default();
    let canary = side.section(Scanner::Canary);
    let words = canary.filter(|section| !section.words.is_empty());
    let words = words.map(|section| scan::canary_rule(&section.words));
    let marker = canary.filter(|section| section.marker);
    let marker = marker.map(|_| scan::marker_rule());
    let all = scan::rules().into_iter().chain(listed).chain(words);
    let all = all.chain(marker);
    let built_in = all.filter_map(|rule| {
        let treatment = treatment(side, &rule)?;
        let rule = match hosts {
            Some(hosts) if rule.scanner == Scanner::Url && rule.category != "host" => {
                hosts.sparing(rule)
            }
            _ => rule,
        };
        Some((rule, treatment))
    });
    let own = topics
        .iter()
        .filter(|topic| topic.on.contains(&direction))
        .map(|topic| {
            let rule = topic.rule();
            let treatment = Treatment {
                id: rule.id.clone(),
                action: topic.action,
                scored: None,
                message: topic.message.clone(),
                reversible: topic.reversible && direction == Direction::Request,
                places: Places::of(Scanner::Topic),
            };
            (rule, treatment)
        });
    built_in
        .chain(own)
        .filter(|(_, treatment)| treatment.action > Action::Allow)
        .unzip()
}

/// What finds placeholders in answers. The guard puts originals back where it finds one of the request's, letter by letter.
fn restore() -> (Rule, Treatment) {
    let rule = Rule {
        id: Cow::Borrowed("restore.placeholder"),
        scanner: Scanner::Topic,
        category: "restore",
        label: Cow::Borrowed("PLACEHOLDER"),
        score: 0,
        pattern: Cow::Borrowed("<[A-Z0-9_]{1,48}>"),
        check: None,
        summary: Cow::Borrowed("what may be a placeholder of the request"),
    };
    let treatment = Treatment {
        id: rule.id.clone(),
        action: Action::Redact,
        scored: None,
        message: None,
        reversible: false,
        places: Places::of(Scanner::Topic),
    };
    (rule, treatment)
}

/// What a side does about a built-in rule; `None` if nothing switches it on.
pub(super) fn treatment(side: &SideFile, rule: &Rule) -> Option<Treatment> {
    let id = rule.id.clone();
    // An action of the rule's own is meant for the rule by itself, whatever its score.
    if let Some(action) = side.rule(&rule.id) {
        return Some(Treatment {
            id,
            action,
            scored: None,
            message: None,
            reversible: false,
            places: side
                .section(rule.scanner)
                .map_or_else(|| Places::of(rule.scanner), |section| section.places),
        });
    }
    let section = side.section(rule.scanner)?;
    // What a policy lists by itself is no kind.
    let listed = scan::POLICY_RULES.contains(&rule.id.as_ref());
    if let Some(kinds) = &section.kinds
        && !listed
        && !kinds.iter().any(|kind| {
            rule.id
                .split_once('.')
                .is_some_and(|(_, last)| last == kind)
        })
    {
        return None;
    }
    let scored = (rule.scanner == Scanner::Injection).then_some(Scored {
        score: rule.score,
        level: section.level,
        origins: section.origins,
    });
    Some(Treatment {
        id,
        action: section.action,
        scored,
        message: section.message.clone(),
        reversible: section.reversible,
        places: section.places,
    })
}

impl Topic {
    fn id(&self) -> String {
        format!("{}.{}", Scanner::Topic, self.id)
    }

    fn rule(&self) -> Rule {
        Rule {
            id: Cow::Owned(self.id()),
            scanner: Scanner::Topic,
            category: "topic",
            label: Cow::Owned(self.id.to_ascii_uppercase()),
            score: 0,
            pattern: Cow::Owned(self.pattern.clone()),
            check: None,
            summary: Cow::Borrowed("a topic of the policy"),
        }
    }
}

/// The exceptions in force. One that has expired is a warning; one for a rule that does not exist is an error.
fn valid_exceptions(
    file: &File,
    today: Date,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(String, String)> {
    let mut known: Vec<Cow<'_, str>> = scan::rules().into_iter().map(|rule| rule.id).collect();
    known.extend(scan::POLICY_RULES.map(Cow::Borrowed));
    known.extend(scan::TOOL_RULES.map(Cow::Borrowed));
    known.extend(file.topics.iter().map(|topic| Cow::Owned(topic.id())));
    let models = file.request.models.iter().chain(&file.response.models);
    known.extend(models.map(|model| Cow::Owned(model.id())));
    let mut valid = Vec::new();
    for Exception {
        rule,
        text,
        until,
        spot,
    } in &file.exceptions
    {
        if !known.iter().any(|id| id == rule) {
            let mut problem = spot.error("an exception from a rule that does not exist");
            if let Some(meant) = nearest(rule, known.iter().map(Cow::as_ref)) {
                problem = problem.help(format!("did you mean \"{meant}\"?"));
            }
            problems.push(problem);
        } else if let Some(until) = until.filter(|until| *until < today) {
            let problem = spot
                .error(format!("the exception from {rule} expired after {until}"))
                .warning();
            problems
                .push(problem.help("it has no effect any more: remove it, or set a later date"));
        } else {
            valid.push((rule.clone(), text.clone()));
        }
    }
    valid
}

/// A rule that the engine cannot run, at the place of its pattern.
fn unusable(rule: &Unsupported, topics: &[Topic], source: &Source) -> Diagnostic {
    let found = format!(
        "the pattern of {} cannot be used: {}",
        rule.rule, rule.reason
    );
    let problem = match topics.iter().find(|topic| topic.id() == rule.rule) {
        Some(topic) => topic.pattern_spot.error(found),
        None => Diagnostic::error(&source.file, found),
    };
    problem.help(&rule.help)
}
