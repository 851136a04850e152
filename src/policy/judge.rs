//! `classifier:` and `toxicity:`: what a policy does about the opinions of trained judges.
//!
//! There are two thresholds for each origin. From `threshold` on an opinion is acted on. From `flag` on it is logged as a suspicion, and
//! acted on where a pattern of the injection scanner says the same of that text, or where what is judged was hidden in it. What the operator wrote as
//! a system prompt is flagged at most: such prompts speak of rules and roles just as attacks do.

use std::borrow::Cow;

use super::file::SideFile;
use super::place::Places;
use super::section::{filled, some};
use super::{Action, Direction, Treatment};
use crate::document::{Node, Reader, list, number, word};
use crate::scan::classifier::{Classifiers, Opinion, Probability, Task};
use crate::scan::engine::{Engine, Unsupported};
use crate::scan::finding::{Finding, RuleIndex};
use crate::scan::{Rule, Scanner};
use crate::text::{Encoding, Form, Origin};

pub(super) const ORIGINS: [Origin; 4] = [
    Origin::System,
    Origin::User,
    Origin::Assistant,
    Origin::Tool,
];

/// The name of the rule of what is only flagged.
const SUSPICION: &str = "suspicion";

/// A section as written.
#[derive(Debug)]
pub(super) struct JudgeFile {
    action: Action,
    threshold: ByOrigin,
    flag: ByOrigin,
    /// Indices of the labels that count; `None` means all.
    kinds: Option<Vec<usize>>,
    message: Option<String>,
}

impl JudgeFile {
    /// Whether it is switched on.
    pub(super) fn is_on(&self) -> bool {
        self.action > Action::Allow
    }
}

/// What was written for each of [`ORIGINS`].
pub(super) type ByOrigin = [Option<Probability>; 4];

/// The section of a task.
pub(super) fn read_judge(
    reader: &mut Reader,
    node: &Node,
    task: Task,
    direction: Direction,
) -> Option<JudgeFile> {
    let mut fields = reader.fields(node)?;
    let action = fields.required("action", judged_action);
    let by_origin = |reader: &mut Reader, node: &Node| by_origin(reader, node, direction);
    let file = JudgeFile {
        action: action.unwrap_or_default(),
        threshold: fields.optional("threshold", by_origin).unwrap_or_default(),
        flag: fields.optional("flag", by_origin).unwrap_or_default(),
        kinds: match task {
            Task::Injection => None,
            Task::Toxicity => fields.optional(
                "kinds",
                some(|reader: &mut Reader, node| kind(reader, node, task)),
            ),
        },
        message: fields.optional("message", filled),
    };
    check_flags(fields.reader(), node, &file.threshold, &file.flag);
    fields.finish();
    action.map(|_| file)
}

/// Reports what is acted on but not logged.
pub(super) fn check_flags(reader: &mut Reader, node: &Node, threshold: &ByOrigin, flag: &ByOrigin) {
    let pairs = threshold.iter().zip(flag);
    if pairs
        .filter_map(|(threshold, flag)| threshold.zip(*flag))
        .any(|(threshold, flag)| flag > threshold)
    {
        let problem = reader.problem(node, "a flag above its threshold");
        reader.report(problem.expected("flag of at most threshold"));
    }
}

/// What was written for an origin.
pub(super) fn at_origin(written: &ByOrigin, origin: Origin) -> Option<Probability> {
    let mut all = ORIGINS.iter().zip(written);
    all.find(|(known, _)| **known == origin)?.1.to_owned()
}

/// `[LOW, HIGH]`, two probabilities in order.
pub(super) fn range(reader: &mut Reader, node: &Node) -> Option<(Probability, Probability)> {
    let written = list(|reader: &mut Reader, node| number(0.0..=1.0)(reader, node));
    let written = written(reader, node)?;
    if let [low, high] = written.as_slice()
        && low <= high
    {
        return Some((Probability::new(*low), Probability::new(*high)));
    }
    let problem = reader.problem(node, format!("{} is no range", reader.path()));
    reader.report(problem.expected("[LOW, HIGH], two numbers from 0 to 1"));
    None
}

/// An action that a judge's opinion can have: it speaks of sentences, not of words that could be taken out.
pub(super) fn judged_action(reader: &mut Reader, node: &Node) -> Option<Action> {
    let action = super::section::action(reader, node)?;
    if action == Action::Redact {
        let found = format!("{} \"redact\" has nothing to take out", reader.path());
        let problem = reader.problem(node, found);
        reader.report(problem.expected("allow, log, replace or block"));
        return None;
    }
    Some(action)
}

/// One number for all, or a map by origin.
pub(super) fn by_origin(
    reader: &mut Reader,
    node: &Node,
    direction: Direction,
) -> Option<ByOrigin> {
    let probability =
        |reader: &mut Reader, node: &Node| number(0.001..=1.0)(reader, node).map(Probability::new);
    let short =
        |reader: &mut Reader, node: &Node| probability(reader, node).map(|value| [Some(value); 4]);
    reader.short_or_map(node, short, |reader, node| {
        let mut fields = reader.fields(node)?;
        let user = match direction {
            Direction::Request => fields.optional("user", probability),
            Direction::Response => None,
        };
        let assistant = fields.optional("assistant", probability);
        let tool = fields.optional("tool", probability);
        fields.finish();
        Some([None, user, assistant, tool])
    })
}

fn kind(reader: &mut Reader, node: &Node, task: Task) -> Option<usize> {
    let labels: Vec<(&'static str, usize)> = (0..)
        .zip(task.labels())
        .map(|(at, label)| (*label, at))
        .collect();
    word(&labels)(reader, node)
}

/// The judges of one side, and what is done about what they say.
#[derive(Debug, Default)]
pub struct Judges {
    classifiers: Classifiers,
    tasks: Vec<Judge>,
}

#[derive(Debug)]
struct Judge {
    task: Task,
    /// By [`ORIGINS`]; `None` where it never acts.
    act: ByOrigin,
    flag: [Probability; 4],
    kinds: Option<Vec<usize>>,
    /// The index of its first label's rule; that of a suspicion follows the last label's.
    first: u16,
}

impl Judges {
    /// Of what a side has switched on. The rules of their findings, and what is done about each, follow those that are there.
    pub(super) fn compile(
        side: &SideFile,
        engine: &mut Engine,
        treatments: &mut Vec<Treatment>,
    ) -> Result<Self, Vec<Unsupported>> {
        let on = side
            .judges
            .iter()
            .filter(|(_, file)| file.action > Action::Allow);
        let tasks: Vec<Task> = on.clone().map(|(task, _)| *task).collect();
        let classifiers = Classifiers::new(&tasks).map_err(|invalid| {
            vec![Unsupported {
                rule: "classifier".to_owned(),
                reason: invalid.to_string(),
                help: "build the program again from a whole copy of its source".to_owned(),
            }]
        })?;
        let mut judges = Self {
            classifiers,
            tasks: Vec::new(),
        };
        for (task, file) in on {
            let defaults = ORIGINS.map(|origin| {
                judges
                    .classifiers
                    .thresholds(*task, origin)
                    .unwrap_or_default()
            });
            let mut act = [None; 4];
            let mut flag = [Probability::default(); 4];
            for (at, default) in defaults.iter().enumerate() {
                let of = |written: &ByOrigin| written.get(at).copied().flatten();
                let threshold = of(&file.threshold).unwrap_or(default.act);
                if let (Some(act), Some(flag)) = (act.get_mut(at), flag.get_mut(at)) {
                    *act = (ORIGINS.get(at) != Some(&Origin::System)).then_some(threshold);
                    *flag = of(&file.flag).unwrap_or(default.flag).min(threshold);
                }
            }
            judges.tasks.push(Judge {
                task: *task,
                act,
                flag,
                kinds: file.kinds.clone(),
                first: u16::try_from(treatments.len()).unwrap_or(u16::MAX),
            });
            let labels = task.labels().iter().chain([&SUSPICION]);
            let made = labels.map(|label| judged(*task, label, side, file));
            let (rules, more): (Vec<Rule>, Vec<Treatment>) = made.unzip();
            engine.add_judged(rules);
            treatments.extend(more);
        }
        Ok(judges)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The judges themselves, for text that arrives in pieces.
    pub const fn classifiers(&self) -> &Classifiers {
        &self.classifiers
    }

    /// Adds what is to be found in a whole text. `agrees` if another sign of an attack was found in it.
    pub fn judge(
        &self,
        (text, form): (&str, Form),
        origin: Origin,
        agrees: bool,
        findings: &mut Vec<Finding>,
    ) {
        if !self.is_empty() {
            let opinions = self.classifiers.judge(text, form);
            self.weigh(&opinions, origin, agrees, findings);
        }
    }

    /// Adds what comes of opinions on a text. `agrees` as for [`judge`](Self::judge).
    pub fn weigh(
        &self,
        opinions: &[Opinion],
        origin: Origin,
        agrees: bool,
        findings: &mut Vec<Finding>,
    ) {
        let opinions = opinions.iter();
        findings.extend(opinions.filter_map(|opinion| self.finding(opinion, origin, agrees)));
    }

    /// What an opinion comes to where another judge overrules it: a line in the log, if it is worth one.
    pub fn suspicion(&self, opinion: &Opinion, origin: Origin) -> Option<Finding> {
        let judge = self.tasks.iter().find(|judge| judge.task == opinion.task)?;
        let at = ORIGINS.iter().position(|known| *known == origin)?;
        let probability = Probability::new(opinion.probability);
        (probability >= *judge.flag.get(at)?)
            .then(|| judge.found(opinion, judge.task.labels().len()))
    }

    /// What an opinion comes to, if it is worth a finding.
    pub fn finding(&self, opinion: &Opinion, origin: Origin, agrees: bool) -> Option<Finding> {
        let judge = self.tasks.iter().find(|judge| judge.task == opinion.task)?;
        if judge
            .kinds
            .as_ref()
            .is_some_and(|kinds| !kinds.contains(&opinion.label))
        {
            return None;
        }
        let probability = Probability::new(opinion.probability);
        let at = ORIGINS.iter().position(|known| *known == origin)?;
        let flagged = probability >= *judge.flag.get(at)?;
        let agrees = agrees || hides(opinion.encoding);
        let reached = judge
            .act
            .get(at)?
            .is_some_and(|act| probability >= act || flagged && agrees);
        let labels = judge.task.labels().len();
        let label = if reached { opinion.label } else { labels };
        (reached || flagged).then(|| judge.found(opinion, label))
    }
}

impl Judge {
    /// The finding of a label; that after the last stands for a suspicion.
    fn found(&self, opinion: &Opinion, label: usize) -> Finding {
        let label = u16::try_from(label).unwrap_or(u16::MAX);
        Finding {
            span: opinion.span,
            probability: Some(Probability::new(opinion.probability)),
            encoding: opinion.encoding,
            ..Finding::of(RuleIndex(self.first.saturating_add(label)))
        }
    }
}

/// Whether nobody writes like that but to hide something. Escapes stand in code and addresses, look-alikes in other languages.
const fn hides(encoding: Encoding) -> bool {
    match encoding {
        Encoding::None | Encoding::Folded | Encoding::Escape => false,
        Encoding::Base64
        | Encoding::Base32
        | Encoding::Hex
        | Encoding::Hidden
        | Encoding::Leet
        | Encoding::Spaced
        | Encoding::Rot13
        | Encoding::Reversed => true,
    }
}

/// The rule of a label, and what is done about it.
fn judged(task: Task, label: &str, side: &SideFile, file: &JudgeFile) -> (Rule, Treatment) {
    let id: Cow<'static, str> = format!("{}.{label}", task.name()).into();
    let action = match side.rule(&id) {
        Some(own) => own,
        None if label == SUSPICION => Action::Log,
        None => file.action,
    };
    let rule = Rule {
        id: id.clone(),
        scanner: match task {
            Task::Injection => Scanner::Classifier,
            Task::Toxicity => Scanner::Toxicity,
        },
        category: "classifier",
        label: label.to_ascii_uppercase().into(),
        score: 0,
        pattern: Cow::Borrowed(""),
        check: None,
        summary: Cow::Borrowed("what a trained judge takes for it"),
    };
    let treatment = Treatment {
        id,
        action,
        scored: None,
        message: file.message.clone(),
        reversible: false,
        places: Places::of(rule.scanner),
    };
    (rule, treatment)
}
