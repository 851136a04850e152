//! The scan of one segment: its views, and the engine's state in each.

use crate::{
    scan::{
        engine::{Engine, Overflow},
        finding::Finding,
    },
    text::{Form, Span},
};

/// The state of one text that is being read, in as many pieces as it comes in. Any cut gives the same findings.
#[derive(Clone, Debug)]
pub struct SegmentScan {
    form: Form,
    text: String,
    holds: bool,
    finished: bool,
}

impl SegmentScan {
    /// At the start of a text.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            text: String::new(),
            holds: false,
            finished: false,
        }
    }

    /// Reads the next piece of text; matches that are complete are added to `findings`.
    ///
    /// # Errors
    /// [`Overflow`]: findings are not complete any more. The piece has been read all the same.
    pub fn push(
        &mut self,
        engine: &Engine,
        text: &str,
        _findings: &mut Vec<Finding>,
    ) -> Result<(), Overflow> {
        self.holds = engine.holds();
        self.text.push_str(text);
        Ok(())
    }

    /// Reads the end of the text; matches that the end completes are added to `findings`. Everything is cleared then.
    ///
    /// # Errors
    /// [`Overflow`], as for [`push`](Self::push).
    pub fn finish(&mut self, engine: &Engine, findings: &mut Vec<Finding>) -> Result<(), Overflow> {
        let _ = self.form;
        self.finished = true;
        for (rule, start, end) in engine.scan_all(&self.text) {
            findings.push(Finding {
                rule,
                span: Span::new(start, end),
                continues: false,
            });
        }
        Ok(())
    }

    /// Bytes of the text, from its start, that may leave: no later or still open match of a rule that holds begins before them.
    pub fn cleared(&self) -> usize {
        if self.holds && !self.finished {
            0
        } else {
            self.text.len()
        }
    }

    /// Bytes of the text read so far.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether no byte has been read.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}
