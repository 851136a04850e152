//! What models are to be asked about texts, and what their answers come to.
//!
//! The guard waits for nobody. An inspection that needs a model's word ends with its questions, and nothing is cleared; whoever called asks them
//! and inspects again, with the answers in its [`Context`](super::Context).

use bytes::Bytes;

use crate::guard::answer::Answer;
use crate::guard::pace;
use crate::guard::stream::{End, Flow, Phase, Stream, StreamGuard};
use crate::policy::{Answers, Missing, Pending, Policy, Question, Side};
use crate::scan::finding::Finding;
use crate::text::{Form, Origin};
use crate::wire::Framing;

use super::{Cleared, Duty, Failure, Stop, contain, passes_unjudged};

/// The most questions of one body or answer; the texts beyond them count as not answered.
const MAX_QUESTIONS: usize = 4096;

/// The questions of one inspection.
#[derive(Debug, Default)]
pub(super) struct Asking<'a> {
    /// What came of them, once they were asked.
    pub(super) answers: Option<&'a Answers>,
    /// Those that nobody has asked.
    pub(super) questions: Vec<Question>,
    /// What models did not say, where the policy goes on without.
    pub(super) missing: Option<Failure>,
    /// The same where it does not.
    pub(super) failed: Option<Failure>,
}

impl Asking<'_> {
    /// Takes note of what came of a text's questions. The other texts are judged all the same, so that the verdict is complete.
    pub(super) fn note(&mut self, policy: &Policy, asked: Result<(), Failure>) {
        if let Err(failure) = asked {
            let place = if passes_unjudged(policy, &failure) {
                &mut self.missing
            } else {
                &mut self.failed
            };
            place.get_or_insert(failure);
        }
    }

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
                None if self.questions.len() < MAX_QUESTIONS => {
                    self.questions.push(pending.question);
                }
                None => {}
                Some(answers) => {
                    let heard = self.hear(side, &pending, answers, findings);
                    refused = refused.and(heard);
                }
            }
        }
        refused
    }

    /// Adds what came of one question.
    fn hear(
        &mut self,
        side: &Side,
        pending: &Pending,
        answers: &Answers,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        hear(side, pending, answers, findings).or_else(|(failure, passes)| {
            if !passes {
                return Err(failure);
            }
            self.missing.get_or_insert(failure);
            Ok(())
        })
    }
}

/// Adds what came of one question; or tells why nothing did, and whether the text goes on all the same.
fn hear(
    side: &Side,
    pending: &Pending,
    answers: &Answers,
    findings: &mut Vec<Finding>,
) -> Result<(), (Failure, bool)> {
    let answer = answers.to(&pending.question);
    let heard = side.models.hear(pending, answer, findings);
    heard.map_err(|Missing { model, why, passes }| (Failure::Unanswered { model, why }, passes))
}

/// What a streamed answer waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The texts that models are to be asked about.
    pub(super) pending: Vec<Pending>,
    /// What models did not say, where the policy goes on without.
    pub(super) missing: Option<Failure>,
    /// How the upstream's bytes ended, if they have while answers are missing.
    pub(super) end: Option<End>,
}

impl Answer {
    /// Judges by what models said.
    pub(super) fn hear(&mut self, answers: &Answers) -> Result<(), Stop> {
        for pending in std::mem::take(&mut self.asking.pending) {
            let mut findings = Vec::new();
            let heard = hear(&self.policy.response, &pending, answers, &mut findings);
            for finding in &findings {
                let (text, origin) = (&*pending.question.text, pending.question.origin);
                let action = self.tally.add(&self.policy.response, finding, text, origin);
                match Duty::of(action) {
                    // Models say nothing that could be edited.
                    Duty::Pass | Duty::Edit => {}
                    Duty::Replace | Duty::Stop => return Err(Stop::Block),
                }
            }
            if let Err((failure, passes)) = heard {
                if !passes && !passes_unjudged(&self.policy, &failure) {
                    return Err(failure.into());
                }
                self.asking.missing.get_or_insert(failure);
            }
        }
        Ok(())
    }
}

impl StreamGuard {
    /// What models are to be asked now: at the end of a window or of the answer, which goes on when they were heard.
    pub fn questions(&self) -> Option<Vec<Question>> {
        let asking = &self.0.answer.asking;
        let questions = asking
            .pending
            .iter()
            .map(|pending| pending.question.clone())
            .take(MAX_QUESTIONS);
        let asks = asking.end.is_some() || self.0.waits();
        asks.then(|| questions.collect())
    }

    /// Takes what models said, and goes on with what came after. There may be more to ask then.
    pub fn hear(&mut self, answers: &Answers, out: &mut Vec<Cleared>) -> Flow {
        let stream = &mut self.0;
        let end = stream.answer.asking.end.take();
        if end.is_none() && !stream.waits() {
            return Flow::Continue;
        }
        match contain(|| stream.answer.hear(answers)) {
            Ok(()) => stream.resume(end, out),
            Err(stop) => stream.stop(stop, None, out),
        }
        stream.flow()
    }
}

impl Stream {
    /// Whether nothing more is read or leaves before models were heard.
    pub(super) fn waits(&self) -> bool {
        let answer = &self.answer;
        !answer.asking.pending.is_empty() && pace::asks_at_once(answer.api, &answer.policy)
    }

    /// Takes the events that are there, up to one after which models are to be asked.
    pub(super) fn read(&mut self, out: &mut Vec<Cleared>) {
        while self.phase == Phase::Read && !self.waits() {
            match contain(|| Ok(self.splitter.next()?)) {
                Ok(Some(raw)) => self.take(raw, out),
                Ok(None) => break,
                Err(stop) => self.stop(stop, None, out),
            }
        }
    }

    /// Whether more may come.
    pub(super) fn flow(&self) -> Flow {
        if self.phase == Phase::End {
            Flow::End
        } else {
            Flow::Continue
        }
    }

    /// Goes on after models were heard.
    fn resume(&mut self, end: Option<End>, out: &mut Vec<Cleared>) {
        self.release(false, out);
        self.read(out);
        match end {
            Some(end) if !self.waits() => self.finish(end, out),
            end => self.answer.asking.end = end,
        }
    }

    /// Whether models are to be asked before the answer can end.
    pub(super) fn asks(&mut self, end: End, out: &mut Vec<Cleared>) -> bool {
        if end != End::Complete || self.answer.policy.response.models.is_empty() {
            return false;
        }
        if let Err(stop) = contain(|| self.answer.close(|_| true)) {
            self.stop(stop, None, out);
            return true;
        }
        let asking = &mut self.answer.asking;
        asking.end = (!asking.pending.is_empty()).then_some(end);
        asking.end.is_some()
    }
}

/// Adds events of the gateway's own to what may be written, each by itself where the framing wants it.
pub(super) fn say(framing: Framing, events: Vec<u8>, out: &mut Vec<Cleared>) {
    let events = Bytes::from(events);
    if framing != Framing::Messages {
        return out.push(Cleared(events));
    }
    let lines = events.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    out.extend(lines.map(|line| Cleared(events.slice_ref(line))));
}
