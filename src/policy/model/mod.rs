//! `model:`: which models of the operator's judge the texts of a side, and what a policy does about what they say.
//!
//! Policies are pure and models are slow, so a policy says what it wants to know ([`Question`]), somebody asks, and the same text is judged
//! again with the answers ([`Answers`]). A model is asked about every text, or, as a second look, only about windows whose probability by the
//! built-in classifier lies in a range: then its word takes the place of the classifier's.

pub(super) mod file;

mod question;

use std::borrow::Cow;
use std::sync::Arc;

use self::file::{ModelFile, When};
pub use self::question::{Answer, Answers, Question, Unanswered};
use super::judge::{ByOrigin, Judges, at_origin};
use super::place::Places;
use super::spot::Spot;
use super::{Action, OnError, Treatment};
use crate::diagnostic::Diagnostic;
use crate::scan::classifier::{Opinion, Probability, Reading, Task};
use crate::scan::engine::Engine;
use crate::scan::finding::{Finding, RuleIndex};
use crate::scan::{Rule, Scanner};
use crate::text::view::Unescape;
use crate::text::{Encoding, Form, Origin, Span};

/// The most windows of one text that get a second look; those of lower probability keep the classifier's word.
const MAX_LOOKS: usize = 16;
/// A word of ASCII this short is a name or an id.
const MAX_NAME: usize = 64;

/// What is done about one model's word.
#[derive(Debug)]
pub struct ModelRule {
    name: Arc<str>,
    labels: Option<Arc<[String]>>,
    threshold: ByOrigin,
    flag: ByOrigin,
    when: When,
    /// It acts on nothing, whatever it says and whether or not it says it.
    shadow: bool,
    on_error: OnError,
    optional: bool,
    sha256: Option<String>,
    spot: Spot,
    /// The index of its rule; that of a suspicion follows, then that of windows which await a second look.
    first: u16,
}

/// The models of one side.
#[derive(Debug, Default)]
pub struct Models(Vec<ModelRule>);

/// A question, and what it is about.
#[derive(Debug)]
pub struct Pending {
    /// What is asked.
    pub question: Question,
    /// Index of the model's rule among those of the side.
    rule: usize,
    span: Span,
    /// How likely the classifier took it to be, where this is a second look.
    first: Option<Probability>,
    /// What the classifier found there, as it stands without a second look.
    word: Option<Finding>,
    /// The same where the model does not agree.
    suspicion: Option<Finding>,
}

/// A question without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The model's name.
    pub model: Arc<str>,
    /// Why.
    pub why: Unanswered,
    /// The text goes on without its word.
    pub passes: bool,
}

impl Models {
    /// Of what a side has switched on. The rules of their findings, and what is done about each, follow those that are there.
    pub(super) fn compile(
        files: &[ModelFile],
        on_error: OnError,
        engine: &mut Engine,
        treatments: &mut Vec<Treatment>,
    ) -> Self {
        let mut rules = Vec::new();
        for file in files.iter().filter(|file| file.action > Action::Allow) {
            let action = if file.shadow {
                Action::Log
            } else {
                file.action
            };
            rules.push(ModelRule {
                name: file.name.as_str().into(),
                labels: file.labels.as_deref().map(Arc::from),
                threshold: file.threshold,
                flag: file.flag,
                when: file.when,
                shadow: file.shadow,
                on_error: file.on_error.unwrap_or(on_error),
                optional: file.optional,
                sha256: file.sha256.clone(),
                spot: file.spot.clone(),
                first: u16::try_from(treatments.len()).unwrap_or(u16::MAX),
            });
            let made = [
                ("", action),
                ("_suspicion", Action::Log),
                ("_pending", Action::Log),
            ];
            let made = made.map(|(end, action)| made_of(file, end, action));
            let (more, of): (Vec<Rule>, Vec<Treatment>) = made.into_iter().unzip();
            engine.add_judged(more);
            treatments.extend(of);
        }
        Self(rules)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The models by name, with the labels and the digest that a policy wants.
    pub fn wanted(&self) -> impl Iterator<Item = &ModelRule> {
        self.0.iter()
    }

    /// Has the model of this name tell all that it says, however little; whether there is one.
    pub fn tell_all(&mut self, name: &str) -> bool {
        let mut found = false;
        for rule in self.0.iter_mut().filter(|rule| &*rule.name == name) {
            rule.flag = [Some(Probability::new(0.001)); 4];
            found = true;
        }
        found
    }

    /// Leaves out those that are not there.
    pub fn retain(&mut self, keep: impl FnMut(&ModelRule) -> bool) {
        self.0.retain(keep);
    }

    /// The one that takes a second look, and its place.
    pub(super) fn second(&self) -> Option<&ModelRule> {
        self.0.iter().find(|rule| rule.when != When::Always)
    }

    /// What is to be asked about a text, of which all is found that needs no model. Findings that wait for a second look are taken out.
    pub(super) fn questions(
        &self,
        judges: &Judges,
        (text, form): (&str, Form),
        (origin, agrees): (Origin, bool),
        findings: &mut Vec<Finding>,
    ) -> Vec<Pending> {
        let mut all = Vec::new();
        for (at, rule) in self.0.iter().enumerate() {
            if rule.when == When::Always {
                if is_worth(text) {
                    let span = Span::new(0, text.len());
                    all.push(rule.pending(at, as_read(text, form), origin, span));
                }
                continue;
            }
            findings.retain(|finding| {
                if finding.rule != rule.awaiting() {
                    return true;
                }
                let window = text.get(finding.span.range()).unwrap_or_default();
                let mut pending = rule.pending(at, as_read(window, form), origin, finding.span);
                let opinion = opinion(finding);
                pending.first = finding.probability;
                pending.word = judges.finding(&opinion, origin, agrees);
                pending.suspicion = judges.suspicion(&opinion, origin);
                all.push(pending);
                false
            });
        }
        all
    }

    /// Adds what an answer comes to.
    ///
    /// # Errors
    /// [`Missing`]: there is none; then what the classifier says by itself is added.
    pub fn hear(
        &self,
        pending: &Pending,
        answer: Result<Answer, Unanswered>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Missing> {
        let Some(rule) = self.0.get(pending.rule) else {
            return Ok(());
        };
        match answer {
            Ok(answer) => {
                let answer = answer.blended(pending.first);
                let said = rule.finding(&answer, pending.question.origin, pending.span);
                if rule.shadow {
                    findings.extend(pending.word);
                } else if said.is_none_or(|said| said.rule != RuleIndex(rule.first)) {
                    findings.extend(pending.suspicion);
                }
                findings.extend(said);
                Ok(())
            }
            Err(why) => {
                findings.extend(pending.word);
                Err(Missing {
                    model: Arc::clone(&rule.name),
                    why,
                    passes: rule.shadow || rule.on_error == OnError::Allow,
                })
            }
        }
    }

    /// Finds what the classifier says of a text, leaving windows that get a second look to it.
    pub(super) fn look(
        second: &ModelRule,
        judges: &Judges,
        (text, form): (&str, Form),
        (origin, agrees): (Origin, bool),
        findings: &mut Vec<Finding>,
    ) {
        let (mut asked, mut rest) = (Vec::new(), Vec::new());
        let worth = is_worth(text);
        let mut say = |opinion: Opinion| {
            if worth && second.covers(judges, &opinion, (origin, agrees)) {
                asked.push(opinion);
            } else {
                keep(&mut rest, opinion);
            }
        };
        let mut reading = Reading::new(form);
        reading.push(judges.classifiers(), text, &mut say);
        reading.finish(judges.classifiers(), &mut say);
        asked.sort_by(|one, other| other.probability.total_cmp(&one.probability));
        for opinion in asked.split_off(asked.len().min(MAX_LOOKS)) {
            keep(&mut rest, opinion);
        }
        findings.extend(asked.iter().map(|opinion| second.await_look(opinion)));
        let found = rest.iter();
        findings.extend(found.filter_map(|opinion| judges.finding(opinion, origin, agrees)));
    }
}

/// Keeps the worst opinion of each task.
fn keep(worst: &mut Vec<Opinion>, opinion: Opinion) {
    match worst.iter_mut().find(|other| other.task == opinion.task) {
        Some(other) if other.probability >= opinion.probability => {}
        Some(other) => *other = opinion,
        None => worst.push(opinion),
    }
}

/// The opinion that a finding was made of.
fn opinion(finding: &Finding) -> Opinion {
    Opinion {
        task: Task::Injection,
        label: 0,
        probability: finding.probability.unwrap_or_default().value(),
        encoding: finding.encoding,
        span: finding.span,
    }
}

impl ModelRule {
    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels that count, where the policy says them.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// The digest that its file must have, where the policy says one.
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    /// Whether the policy goes on where the model cannot be used.
    pub const fn is_optional(&self) -> bool {
        self.optional
    }

    /// A problem at its place in the policy file.
    pub fn problem(&self, found: String) -> Diagnostic {
        self.spot.error(found)
    }

    /// Whether a window gets a second look. What hides, or what a pattern agrees with, gets none.
    pub(super) fn covers(
        &self,
        judges: &Judges,
        opinion: &Opinion,
        (origin, agrees): (Origin, bool),
    ) -> bool {
        let probability = Probability::new(opinion.probability);
        let inside = match self.when {
            When::Always => false,
            When::Flagged => judges.suspicion(opinion, origin).is_some(),
            When::Grey(low, high) => (low..=high).contains(&probability),
        };
        let sure = opinion.encoding != Encoding::None
            || agrees && judges.suspicion(opinion, origin).is_some();
        opinion.task == Task::Injection && inside && !sure
    }

    /// The finding that stands for a window until the answer is there.
    pub(super) fn await_look(&self, opinion: &Opinion) -> Finding {
        Finding {
            span: opinion.span,
            encoding: opinion.encoding,
            probability: Some(Probability::new(opinion.probability)),
            ..Finding::of(self.awaiting())
        }
    }

    const fn awaiting(&self) -> RuleIndex {
        RuleIndex(self.first.saturating_add(2))
    }

    fn pending(&self, rule: usize, text: String, origin: Origin, span: Span) -> Pending {
        Pending {
            question: Question {
                model: Arc::clone(&self.name),
                labels: self.labels.clone(),
                origin,
                text: text.into(),
            },
            rule,
            span,
            first: None,
            word: None,
            suspicion: None,
        }
    }

    /// What an answer comes to, if it is worth a finding. What the operator wrote is flagged at most.
    fn finding(&self, answer: &Answer, origin: Origin, span: Span) -> Option<Finding> {
        let probability = Probability::new(answer.probability);
        let threshold = at_origin(&self.threshold, origin).unwrap_or(answer.defaults.act);
        let flag = at_origin(&self.flag, origin).unwrap_or(answer.defaults.flag);
        let reached = probability >= threshold && origin != Origin::System;
        let rule = self.first + u16::from(!reached);
        (reached || probability >= flag.min(threshold)).then(|| Finding {
            span,
            probability: Some(probability),
            ..Finding::of(RuleIndex(rule))
        })
    }
}

/// A rule of a model's, and what is done about it.
fn made_of(file: &ModelFile, end: &str, action: Action) -> (Rule, Treatment) {
    let id: Cow<'static, str> = format!("{}{end}", file.id()).into();
    let rule = Rule {
        id: id.clone(),
        scanner: Scanner::Model,
        category: "model",
        label: Cow::Borrowed("MODEL"),
        score: 0,
        pattern: Cow::Borrowed(""),
        check: None,
        summary: Cow::Borrowed("what a model of the operator's takes for it"),
    };
    let treatment = Treatment {
        id,
        action,
        scored: None,
        message: file.message.clone(),
        reversible: false,
        places: Places::of(Scanner::Model),
    };
    (rule, treatment)
}

/// Whether a text says anything: ids and names are in every body.
fn is_worth(text: &str) -> bool {
    let name = text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic());
    !name && text.chars().any(char::is_alphanumeric)
}

/// A text as its reader gets it.
fn as_read(text: &str, form: Form) -> String {
    match form {
        Form::Plain => text.to_owned(),
        Form::Json => Unescape::whole(text),
    }
}
