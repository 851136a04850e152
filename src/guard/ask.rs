//! What models are to be asked about texts, and what their answers come to.
//!
//! The guard waits for nobody. An inspection that needs a model's word ends with its questions, and nothing is cleared; whoever called asks them
//! and inspects again, with the answers in its [`Context`](super::Context).

use crate::policy::{Answers, Missing, Pending, Question, Side};
use crate::scan::finding::Finding;
use crate::text::{Form, Origin};

use super::Failure;

/// The questions of one inspection.
#[derive(Debug, Default)]
pub(super) struct Asking<'a> {
    /// What came of them, once they were asked.
    pub(super) answers: Option<&'a Answers>,
    /// Those that nobody has asked.
    pub(super) questions: Vec<Question>,
    /// What models did not say, where the policy goes on without.
    pub(super) missing: Option<Failure>,
}

impl Asking<'_> {
    /// Adds what models say of a text to what else was found in it, or notes that they are to be asked.
    ///
    /// # Errors
    /// A model said nothing, and the policy does not go on without its word.
    pub(super) fn ask(
        &mut self,
        side: &Side,
        text: (&str, Form),
        origin: Origin,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let mut refused = Ok(());
        for pending in side.questions(text, origin, findings) {
            match self.answers {
                None => self.questions.push(pending.question),
                Some(answers) => {
                    let heard = self.hear(side, &pending, answers, findings);
                    refused = refused.and(heard);
                }
            }
        }
        refused
    }

    /// Adds what came of one question.
    pub(super) fn hear(
        &mut self,
        side: &Side,
        pending: &Pending,
        answers: &Answers,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let answer = answers.to(&pending.question);
        let Err(Missing { model, why, passes }) = side.models.hear(pending, answer, findings)
        else {
            return Ok(());
        };
        let failure = Failure::Unanswered { model, why };
        if !passes {
            return Err(failure);
        }
        self.missing.get_or_insert(failure);
        Ok(())
    }
}
