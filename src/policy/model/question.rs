//! What a model is asked, and what comes of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::scan::classifier::{Probability, Thresholds};
use crate::text::Origin;

/// A text, or a window of one, that a model is to judge.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The model's name.
    pub model: Arc<str>,
    /// The labels that count; `None` for those that the model's folder names.
    pub labels: Option<Arc<[String]>>,
    /// Who wrote it.
    pub origin: Origin,
    /// The text as its reader gets it.
    pub text: Arc<str>,
}

impl fmt::Debug for Question {
    /// Without the text, which is a prompt or an answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({}, {} bytes)", self.model, self.text.len())
    }
}

/// What a model said of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// How likely one of the labels is that count, from 0 to 1: that of the worst window.
    pub probability: f64,
    /// What to do about it where the policy does not say.
    pub defaults: Thresholds,
    /// The classifier's share in the log-odds of a second look, from 0 to 1.
    pub blend: f64,
}

impl Answer {
    /// The answer together with what the classifier said of the same window: a weighted mean of log-odds.
    pub(super) fn blended(self, first: Option<Probability>) -> Self {
        let odds = |probability: f64| {
            let probability = probability.clamp(0.0005, 0.9995);
            (probability / (1.0 - probability)).ln()
        };
        match first.filter(|_| self.blend > 0.0) {
            None => self,
            Some(first) => {
                let own = (1.0 - self.blend) * odds(self.probability);
                let both = own + self.blend * odds(first.value());
                let probability = 1.0 / (1.0 + (-both).exp());
                Self {
                    probability,
                    ..self
                }
            }
        }
    }
}

/// Why a model said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Unanswered {
    /// Its time was up.
    #[error("it was late")]
    Late,
    /// Too much waits for it already.
    #[error("too many texts wait for it")]
    Full,
    /// It failed, or said what cannot be understood.
    #[error("it failed")]
    Failed,
    /// There is no such model.
    #[error("it is not loaded")]
    Absent,
}

impl Unanswered {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Full => "full",
            Self::Failed => "failed",
            Self::Absent => "absent",
        }
    }
}

/// What came of questions.
#[derive(Clone, Debug, Default)]
pub struct Answers(HashMap<Question, Result<Answer, Unanswered>>);

impl Answers {
    /// What came of a question.
    ///
    /// # Errors
    /// Why there is no answer. One that was not even asked is one too many: [`Unanswered::Full`].
    pub fn to(&self, question: &Question) -> Result<Answer, Unanswered> {
        let answer = self.0.get(question).copied();
        answer.unwrap_or(Err(Unanswered::Full))
    }
}

impl Extend<(Question, Result<Answer, Unanswered>)> for Answers {
    fn extend<I: IntoIterator<Item = (Question, Result<Answer, Unanswered>)>>(&mut self, all: I) {
        self.0.extend(all);
    }
}
