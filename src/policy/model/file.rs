//! A section of `model:` as written.

use crate::diagnostic::Diagnostic;
use crate::document::{Key, Node, Reader, boolean, text, word};
use crate::policy::file::SideFile;
use crate::policy::judge::{ByOrigin, JudgeFile, by_origin, check_flags, judged_action, range};
use crate::policy::section::{filled, some};
use crate::policy::spot::Spot;
use crate::policy::{Action, Direction, OnError};
use crate::scan::Scanner;
use crate::scan::classifier::{Probability, Task};

/// A section as written.
#[derive(Debug)]
pub(in crate::policy) struct ModelFile {
    pub(in crate::policy) name: String,
    pub(super) action: Action,
    pub(super) threshold: ByOrigin,
    pub(super) flag: ByOrigin,
    pub(super) labels: Option<Vec<String>>,
    pub(super) when: When,
    pub(super) shadow: bool,
    pub(super) optional: bool,
    pub(super) on_error: Option<OnError>,
    pub(super) sha256: Option<String>,
    pub(super) message: Option<String>,
    pub(super) spot: Spot,
}

impl ModelFile {
    /// The id of its rule.
    pub(in crate::policy) fn id(&self) -> String {
        format!("{}.{}", Scanner::Model, self.name)
    }
}

/// About which texts a model is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum When {
    Always,
    /// Windows that the classifier would at least log.
    Flagged,
    /// Windows whose probability by the classifier is between these, both included.
    Grey(Probability, Probability),
}

/// `model:`, a map of sections by the models' names.
pub(in crate::policy) fn read_model(
    reader: &mut Reader,
    key: &Key,
    node: &Node,
    direction: Direction,
) -> Option<ModelFile> {
    let spot = Spot::of(reader, node);
    let spot = spot.moved(key.place());
    named(reader, key);
    let mut fields = reader.fields(node)?;
    let action = fields.required("action", judged_action);
    let origins = |reader: &mut Reader, node: &Node| by_origin(reader, node, direction);
    let always = fields.optional("when", word(&[("always", false), ("flagged", true)]));
    let grey = fields.optional("grey", range);
    let file = ModelFile {
        name: key.name.clone(),
        action: action.unwrap_or_default(),
        threshold: fields.optional("threshold", origins).unwrap_or_default(),
        flag: fields.optional("flag", origins).unwrap_or_default(),
        labels: fields.optional("labels", some(filled)),
        when: match (always, grey) {
            (_, Some((low, high))) => When::Grey(low, high),
            (Some(true), None) => When::Flagged,
            (Some(false) | None, None) => When::Always,
        },
        shadow: fields.optional("shadow", boolean).unwrap_or(false),
        optional: fields.optional("optional", boolean).unwrap_or(false),
        on_error: fields.optional("on_error", word(&OnError::WORDS)),
        sha256: fields.optional("sha256", sha256),
        message: fields.optional("message", filled),
        spot,
    };
    check_flags(fields.reader(), node, &file.threshold, &file.flag);
    if always.is_some() && grey.is_some() {
        let problem = fields.reader().problem(node, "both when and grey");
        fields
            .reader()
            .report(problem.expected("when: always or flagged, or grey: [LOW, HIGH]"));
    }
    fields.finish();
    action.map(|_| file)
}

/// A model's name becomes part of rule ids.
fn named(reader: &mut Reader, key: &Key) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if key.name.is_empty() || key.name.len() > 40 || !key.name.chars().all(plain) {
        let problem = reader.problem_at(key.place(), "a model's name that cannot name a rule");
        reader.report(problem.expected("1 to 40 lower-case letters, digits, - and _"));
    }
}

/// What cannot be said of one model alone: who takes a second look needs a first one, and only one has the last word.
pub(in crate::policy) fn check_models(side: &SideFile, waits: bool) -> Vec<Diagnostic> {
    let on = |file: &&ModelFile| file.action > Action::Allow && file.when != When::Always;
    let mut seconds = side.models.iter().filter(on);
    let judged = |(task, judge): &(Task, JudgeFile)| *task == Task::Injection && judge.is_on();
    let first = side.judges.iter().any(judged);
    let mut problems = Vec::new();
    let on_all = side
        .models
        .iter()
        .filter(|file| file.action > Action::Allow);
    for model in on_all.filter(|_| !waits) {
        let found = format!(
            "the model {} judges answers, which do not wait for it",
            model.name
        );
        let problem = model.spot.error(found);
        problems.push(problem.expected("stream: {mode: window} or {mode: buffer}"));
    }
    if let Some(second) = seconds.next()
        && !first
    {
        let found = format!("a second look by {} without a first one", second.name);
        let problem = second.spot.error(found).expected("the section classifier");
        problems.push(problem.help("add classifier, or write when: always"));
    }
    for third in seconds {
        let found = format!("a second look by {}, and by another model too", third.name);
        let problem = third.spot.error(found);
        problems.push(problem.expected("one model with when: flagged or grey a side"));
    }
    problems
}

/// A digest in hexadecimal digits.
fn sha256(reader: &mut Reader, node: &Node) -> Option<String> {
    let written = text(reader, node)?.to_ascii_lowercase();
    if written.len() == 64 && written.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(written);
    }
    let problem = reader.problem(node, format!("{} is no SHA-256", reader.path()));
    reader.report(problem.expected("64 hexadecimal digits, as sha256sum prints them"));
    None
}
