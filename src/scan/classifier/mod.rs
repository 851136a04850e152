//! Trained judges of what a text tries: injection and jailbreak, and toxicity.
//!
//! Each is one linear layer over hashed features of a window ([`features`]): the mean of a few thousand table entries of one byte, then a
//! logistic curve fitted so that the number is a probability. The text's probability is that of its worst window ([`windows`]), or
//! of the worst text that a window holds in disguise ([`crate::text::decoded`]).
//! `models/train.py` makes the tables from labelled text; nothing of it is needed to build or to run.

pub mod features;
pub mod windows;

mod gather;
mod weights;

use std::fmt;
use std::sync::Arc;

use crate::text::decoded::decoded;
use crate::text::view::{Map, Place, Unescape};
use crate::text::{Encoding, Form, Origin, Span};
use gather::{Gatherer, Lent, Pool};
use windows::{Window, Windows};

pub use weights::{InvalidWeights, Thresholds, Weights};

/// One or two words of fewer bytes tell nobody what to do: commands, names and results of tools are such. Longer ones are words written together.
const LEAST_TEXT: usize = 24;

/// What a judge is for: the name of its section in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// Attempts to change what a model was told to do: `classifier`.
    Injection,
    /// What insults, threatens or degrades.
    Toxicity,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Injection, Self::Toxicity];

    /// Its section in a policy and the first part of its rules' ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Injection => "classifier",
            Self::Toxicity => "toxicity",
        }
    }

    /// What it tells apart; the first stands for all of them together.
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Injection => &["injection"],
            Self::Toxicity => &["toxic", "hate", "sexism", "profanity"],
        }
    }

    /// The weights that the binary carries.
    ///
    /// # Errors
    /// The file in `models/` was not whole when the binary was built.
    pub fn weights(self) -> Result<Weights, InvalidWeights> {
        Weights::read(match self {
            Self::Injection => include_bytes!("../../../models/injection.bin"),
            Self::Toxicity => include_bytes!("../../../models/toxicity.bin"),
        })
    }
}

/// A probability in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Probability(u16);

impl Probability {
    /// The nearest thousandth, rounded down so that a threshold is reached only by what reaches it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is between 0 and 1000"
    )]
    pub fn new(value: f64) -> Self {
        Self((value.clamp(0.0, 1.0) * 1000.0) as u16)
    }

    /// As a number from 0 to 1.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.value())
    }
}

/// What one judge thinks of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// The judge.
    pub task: Task,
    /// The index of the label in [`Task::labels`]: the first, or the likeliest of the others where it is likelier than not.
    pub label: usize,
    /// How likely the first label is.
    pub probability: f64,
    /// What was undone to read it.
    pub encoding: Encoding,
    /// Where the window is in the text that was pushed.
    pub span: Span,
}

/// The judges of one side of a policy.
#[derive(Clone, Debug, Default)]
pub struct Classifiers {
    judges: Vec<(Task, Weights)>,
    pool: Arc<Pool>,
}

impl Classifiers {
    /// Of these tasks.
    ///
    /// # Errors
    /// As for [`Task::weights`].
    pub fn new(tasks: &[Task]) -> Result<Self, InvalidWeights> {
        let weights = tasks.iter().map(|task| Ok((*task, task.weights()?)));
        Ok(Self {
            judges: weights.collect::<Result<_, _>>()?,
            pool: Arc::default(),
        })
    }

    /// What a judge does where a policy does not say; `None` where it is not among these.
    pub fn thresholds(&self, task: Task, origin: Origin) -> Option<Thresholds> {
        let found = self.judges.iter().find(|(other, _)| *other == task);
        found.map(|(_, weights)| weights.thresholds(origin))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.judges.is_empty()
    }

    /// The worst opinion of each judge on a whole text, in the order of the tasks. An instruction is not looked for in
    /// one or two short words, and nothing in no text.
    pub fn judge(&self, text: &str, form: Form) -> Vec<Opinion> {
        let mut worst: Vec<Opinion> = Vec::with_capacity(self.judges.len());
        let mut reading = Reading::new(form);
        let mut keep =
            |opinion: Opinion| match worst.iter_mut().find(|other| other.task == opinion.task) {
                Some(other) if other.probability >= opinion.probability => {}
                Some(other) => *other = opinion,
                None => worst.push(opinion),
            };
        let mut lent = self.pool.lend();
        reading.read(self, text, &mut lent, &mut keep);
        reading.end(self, &mut lent, &mut keep);
        worst
    }
}

/// A text that is being judged, in as many pieces as it comes in. Any cut gives the same opinions.
#[derive(Clone, Debug)]
pub struct Reading {
    windows: Windows,
    /// Undoes the escapes of [`Form::Json`], with the way back.
    unescape: Option<(Unescape, Map)>,
    /// Bytes of the text and of its view so far.
    source: usize,
    view: usize,
    gatherer: Gatherer,
}

impl Reading {
    /// At the start of a text.
    pub fn new(form: Form) -> Self {
        Self {
            windows: Windows::default(),
            unescape: match form {
                Form::Plain => None,
                Form::Json => Some(Default::default()),
            },
            source: 0,
            view: 0,
            gatherer: Gatherer::default(),
        }
    }

    /// Reads the next piece; `say` is handed what each judge thinks of each window that it completes.
    pub fn push(&mut self, judges: &Classifiers, text: &str, say: &mut impl FnMut(Opinion)) {
        self.read(judges, text, &mut judges.pool.lend(), say);
    }

    /// Reads the end of the text.
    pub fn finish(&mut self, judges: &Classifiers, say: &mut impl FnMut(Opinion)) {
        self.end(judges, &mut judges.pool.lend(), say);
    }

    fn read(
        &mut self,
        judges: &Classifiers,
        text: &str,
        lent: &mut Lent<'_>,
        say: &mut impl FnMut(Opinion),
    ) {
        let Self {
            windows,
            unescape,
            gatherer,
            ..
        } = self;
        match unescape {
            None => windows.push(text, &mut |window| {
                judges.window(window, (gatherer, lent), say);
            }),
            Some((unescape, map)) => {
                let mut view = String::with_capacity(text.len());
                let at = Place {
                    view: self.view,
                    source: self.source,
                };
                unescape.push(text, at, &mut view, map);
                self.view += view.len();
                let mut say = |opinion: Opinion| say(opinion.moved(map));
                windows.push(&view, &mut |window| {
                    judges.window(window, (gatherer, lent), &mut say);
                });
                map.trim(windows.done());
            }
        }
        self.source += text.len();
    }

    fn end(&mut self, judges: &Classifiers, lent: &mut Lent<'_>, say: &mut impl FnMut(Opinion)) {
        let gatherer = &mut self.gatherer;
        match &mut self.unescape {
            None => self
                .windows
                .finish(&mut |window| judges.window(window, (gatherer, lent), say)),
            Some((unescape, map)) => {
                let mut rest = String::new();
                unescape.finish(&mut rest);
                let mut say = |opinion: Opinion| say(opinion.moved(map));
                let mut judge =
                    |window: Window<'_>| judges.window(window, (gatherer, lent), &mut say);
                self.windows.push(&rest, &mut judge);
                self.windows.finish(&mut judge);
            }
        }
    }
}

impl Opinion {
    /// With the place in the source of a view.
    fn moved(self, map: &Map) -> Self {
        let Span { start, end } = self.span;
        Self {
            span: Span::new(map.start(start), map.end(end.max(1))),
            ..self
        }
    }
}

impl Classifiers {
    /// Judges a window as it stands, and each text that it holds in disguise.
    fn window(
        &self,
        window: Window<'_>,
        (gatherer, lent): (&mut Gatherer, &mut Lent<'_>),
        say: &mut impl FnMut(Opinion),
    ) {
        self.score(window, (gatherer, lent), say);
        for found in decoded(window.written) {
            let mut say = |opinion: Opinion| {
                say(Opinion {
                    encoding: found.encoding,
                    span: window.span,
                    ..opinion
                });
            };
            let mut judge = |window: Window<'_>| self.score(window, (gatherer, lent), &mut say);
            let mut windows = Windows::default();
            windows.push(&found.text, &mut judge);
            windows.finish(&mut judge);
        }
    }

    fn score(
        &self,
        window: Window<'_>,
        (gatherer, lent): (&mut Gatherer, &mut Lent<'_>),
        say: &mut impl FnMut(Opinion),
    ) {
        if window.text.len() < 2 {
            return;
        }
        let found = gatherer.gather(window, &self.judges, lent);
        let tells = found.words > 2 || window.text.len() >= LEAST_TEXT;
        for ((task, weights), sums) in self.judges.iter().zip(found.sums) {
            if *task == Task::Injection && !tells {
                continue;
            }
            let (label, probability) = weights.judge(*sums, found.entries, window.kind);
            say(Opinion {
                task: *task,
                label,
                probability,
                encoding: Encoding::None,
                span: window.span,
            });
        }
    }
}
