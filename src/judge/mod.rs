//! Models of the operator's: asks them within limits of time and number, and remembers what they said.
//!
//! A model is a folder whose network runs here ([`folder`]), on threads of its own so that no exchange waits behind another's arithmetic, or
//! somebody outside ([`Outside`]), whom a higher row reaches. Either is asked by name, with a deadline; who is late or fails has said nothing,
//! and the policy decides what that means.

pub mod folder;

mod pool;
mod runtime;
mod settings;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::folder::Folder;
use self::pool::Pool;
use crate::diagnostic::Diagnostic;
use crate::guard::verdicts::Memory;
use crate::policy::{Answer, Answers, ModelRule, Policy, Question, Unanswered};
use crate::scan::classifier::Thresholds;
use crate::text::Origin;

/// So many answers are remembered.
const REMEMBERED: usize = 1 << 16;
/// Questions of one body that wait at a time, so that a long history fills no queue by itself.
const AT_ONCE: usize = 32;

/// How long a model may take and how much may wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the questions of one body to the last answer, waiting included.
    pub deadline: Duration,
    /// Windows, or texts for one outside, that may wait.
    pub queue: usize,
    /// Windows that are read at a time (a thread each), or texts for one outside; 0 for one per core, four at most.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2),
            queue: 256,
            threads: 0,
        }
    }
}

/// Somebody outside who judges.
#[async_trait]
pub trait Outside: fmt::Debug + Send + Sync {
    /// How likely it is that the text is what is looked for, from 0 to 1.
    async fn judge(&self, text: &str) -> Result<f64, Unanswered>;

    /// What to do about it where a policy does not say.
    fn defaults(&self) -> Thresholds;
}

/// One question that was asked, for the books.
#[derive(Clone, Debug)]
pub struct Told {
    /// The model's name.
    pub model: Arc<str>,
    /// `answered`, `remembered`, or why not.
    pub outcome: &'static str,
    /// From question to answer.
    pub took: Duration,
}

/// All models of a gateway.
#[derive(Debug)]
pub struct Judges {
    models: BTreeMap<Arc<str>, Model>,
    /// Services that are not asked here.
    away: BTreeSet<String>,
    /// Those that could not be loaded, and why.
    broken: BTreeMap<String, Diagnostic>,
    answers: Memory<f64>,
}

#[derive(Debug)]
struct Model {
    limits: Limits,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Folder(Arc<Folder>, Pool),
    Outside(Arc<dyn Outside>, Places),
}

/// Who is with somebody outside, and who waits.
#[derive(Debug)]
struct Places {
    all: Semaphore,
    busy: Semaphore,
}

impl Default for Judges {
    fn default() -> Self {
        Self {
            models: BTreeMap::new(),
            away: BTreeSet::new(),
            broken: BTreeMap::new(),
            answers: Memory::new(REMEMBERED),
        }
    }
}

impl Judges {
    /// Loads a model from its folder and tries it. Blocks, for a second or so. What is wrong with it is told to the policies that want it.
    pub fn load(&mut self, name: &str, config: &folder::Config, limits: Limits) {
        let threads = threads(limits.threads);
        let loaded = Folder::load(config, threads).and_then(|folder| {
            let pool = Pool::new(name, threads, limits.queue);
            let pool = pool.map_err(|error| {
                let found = format!("no threads for the model {name}: {error}");
                Box::new(Diagnostic::error(
                    config.folder.display().to_string(),
                    found,
                ))
            })?;
            Ok(Kind::Folder(Arc::new(folder), pool))
        });
        match loaded {
            Ok(kind) => {
                self.models.insert(name.into(), Model { limits, kind });
            }
            Err(problem) => {
                self.broken.insert(name.to_owned(), *problem);
            }
        }
    }

    /// Says that there is somebody outside of this name, who is not asked: policies go on without.
    pub fn leave_out(&mut self, name: &str) {
        self.away.insert(name.to_owned());
    }

    /// Adds somebody outside.
    pub fn add(&mut self, name: &str, outside: Arc<dyn Outside>, limits: Limits) {
        self.away.remove(name);
        let busy = threads(limits.threads);
        let places = Places {
            all: Semaphore::new(limits.queue.saturating_add(busy)),
            busy: Semaphore::new(busy),
        };
        let kind = Kind::Outside(outside, places);
        self.models.insert(name.into(), Model { limits, kind });
    }

    /// What is wrong with models that could not be loaded.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &Diagnostic)> {
        let broken = self.broken.iter();
        broken.map(|(name, problem)| (name.as_str(), problem))
    }

    /// Looks for the models that a policy wants. Optional ones that cannot be used are left out of it, with a warning each.
    ///
    /// # Errors
    /// Every model that cannot be used as the policy wants it.
    pub fn bind(&self, policy: &mut Policy) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let (mut warnings, mut problems) = (Vec::new(), Vec::new());
        for side in policy.sides_mut() {
            side.models.retain(|rule| {
                let Err(problem) = self.fits(rule) else {
                    return true;
                };
                let problem = *problem;
                let list = if rule.is_optional() || self.away.contains(rule.name()) {
                    &mut warnings
                } else {
                    &mut problems
                };
                if !list.contains(&problem) {
                    list.push(problem);
                }
                false
            });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let without = |problem: Diagnostic| {
            let found = format!("going on without a model: {}", problem.found);
            Diagnostic { found, ..problem }.warning()
        };
        Ok(warnings.into_iter().map(without).collect())
    }

    /// Whether a model can be used as a policy wants it.
    fn fits(&self, rule: &ModelRule) -> Result<(), Box<Diagnostic>> {
        let name = rule.name();
        if self.away.contains(name) {
            let problem = rule.problem(format!("the model {name} is a service"));
            return Err(problem.help("only a running gateway asks it").into());
        }
        if let Some(broken) = self.broken.get(name) {
            return Err(broken.clone().into());
        }
        let Some(model) = self.models.get(name) else {
            let known: Vec<&str> = self.models.keys().map(|name| &**name).collect();
            let problem = rule.problem(format!("there is no model \"{name}\""));
            let problem = match known.as_slice() {
                [] => problem,
                known => problem.expected(known.join(", ")),
            };
            return Err(problem.help(format!(
                "add models: {{{name}: {{folder: PATH}}}} to the server file, or write optional: true to go on without"
            )).into());
        };
        match &model.kind {
            Kind::Folder(folder, _) => {
                folder.check_labels(rule.labels()).map_err(|known| {
                    let problem = rule.problem(format!("the model {name} has no such label"));
                    Box::new(problem.expected(known.join(", ")))
                })?;
                match rule.sha256() {
                    Some(digest) if digest != folder.sha256() => {
                        let problem =
                            rule.problem(format!("the model {name} is not the one that is meant"));
                        let problem = problem.expected(format!("SHA-256 {digest}"));
                        let found = format!("its model.onnx has {}", folder.sha256());
                        Err(problem.help(found).into())
                    }
                    _ => Ok(()),
                }
            }
            Kind::Outside(..) if rule.labels().is_some() || rule.sha256().is_some() => {
                let problem =
                    rule.problem(format!("labels or sha256 of {name}, which is a service"));
                Err(problem
                    .help("remove them: what a service means is set in the server file")
                    .into())
            }
            Kind::Outside(..) => Ok(()),
        }
    }

    /// Asks all questions, each once, and says what came of them.
    pub async fn ask(&self, questions: &[Question]) -> (Answers, Vec<Told>) {
        let began = Instant::now();
        let mut seen = HashSet::with_capacity(questions.len());
        let distinct = questions.iter().filter(|question| seen.insert(*question));
        let asked = distinct.map(|question| async move {
            let (answer, remembered) = self.ask_one(question, began).await;
            let outcome = match answer {
                Ok(_) if remembered => "remembered",
                Ok(_) => "answered",
                Err(why) => why.name(),
            };
            let told = Told {
                model: Arc::clone(&question.model),
                outcome,
                took: began.elapsed(),
            };
            ((question.clone(), answer), told)
        });
        let asked: Vec<_> = asked.collect();
        let asked = stream::iter(asked).buffer_unordered(AT_ONCE);
        asked.unzip().await
    }

    /// One answer, and whether it was known.
    async fn ask_one(
        &self,
        question: &Question,
        began: Instant,
    ) -> (Result<Answer, Unanswered>, bool) {
        let Some(model) = self.models.get(&question.model) else {
            return (Err(Unanswered::Absent), false);
        };
        let defaults = model.defaults(question.origin);
        let answer = |probability| Answer {
            probability,
            defaults,
            blend: model.blend(),
        };
        let asks = (&question.model, &question.labels);
        let key = self.answers.key(&asks, &question.text);
        if let Some(probability) = self.answers.recall(key, |known| *known) {
            return (Ok(answer(probability)), true);
        }
        let asked = timeout_at(began + model.limits.deadline, model.ask(question)).await;
        let asked = asked.unwrap_or(Err(Unanswered::Late));
        if let Ok(probability) = asked {
            self.answers.remember(key, probability);
        }
        (asked.map(answer), false)
    }
}

impl Model {
    fn defaults(&self, origin: Origin) -> Thresholds {
        match &self.kind {
            Kind::Folder(folder, _) => folder.defaults(origin),
            Kind::Outside(outside, _) => outside.defaults(),
        }
    }

    fn blend(&self) -> f64 {
        match &self.kind {
            Kind::Folder(folder, _) => folder.blend(),
            Kind::Outside(..) => 0.0,
        }
    }

    async fn ask(&self, question: &Question) -> Result<f64, Unanswered> {
        match &self.kind {
            Kind::Folder(folder, pool) => {
                if question.text.len() > folder.longest(self.limits.queue) {
                    return Err(Unanswered::Full);
                }
                let (reader, text) = (Arc::clone(folder), Arc::clone(&question.text));
                let windows = pool.run(move || reader.windows(&text))?.await;
                let windows = windows.map_err(|_| Unanswered::Failed)?;
                let windows = windows.map_err(|why| failed(question, &why))?;
                let labels = folder.labels(question.labels.as_deref());
                let mut scores = Vec::with_capacity(windows.len());
                for window in windows {
                    let (reader, labels) = (Arc::clone(folder), Arc::clone(&labels));
                    scores.push(pool.run(move || reader.score(&window, &labels))?);
                }
                let mut worst = 0.0;
                for score in scores {
                    let score = score.await.map_err(|_| Unanswered::Failed)?;
                    worst = f64::max(worst, score.map_err(|why| failed(question, &why))?);
                }
                Ok(worst)
            }
            Kind::Outside(outside, places) => {
                let _place = places.all.try_acquire().map_err(|_| Unanswered::Full)?;
                let _busy = places.busy.acquire().await;
                outside.judge(&question.text).await
            }
        }
    }
}

fn failed(question: &Question, why: &str) -> Unanswered {
    tracing::error!(model = &*question.model, why, "a model failed");
    Unanswered::Failed
}

fn threads(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
        threads => threads,
    }
}
