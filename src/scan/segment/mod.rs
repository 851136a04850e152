//! The scan of one segment: what is read of its text, however it is written, and what may leave.
//!
//! A [`View`] is one reading of the text: as it stands, or with some encoding undone. Views arise where the text gives cause and go when
//! nothing of them can matter any more, so ordinary text is read once.

mod fork;
mod reading;
mod run;
mod view;

#[cfg(test)]
mod tests;

use crate::{
    scan::{
        engine::{Engine, Overflow},
        finding::Finding,
    },
    text::{
        Form,
        view::{Place, Unescape},
    },
};
use reading::Reading;
use view::View;

/// So many of the last findings are known, so that what two views find is reported once.
const REPORTED: usize = 64;

/// The state of one text that is being read, in as many pieces as it comes in. Any cut gives the same findings.
#[derive(Clone, Debug)]
pub struct SegmentScan {
    length: usize,
    cleared: usize,
    /// Bytes of decoded text so far.
    decoded: usize,
    /// Undoes the escapes of [`Form::Json`].
    unescape: Option<Unescape>,
    /// The text as its reader gets it.
    view: View,
    /// The last findings, the next of which takes the place of the one at `oldest`.
    reported: Vec<Finding>,
    oldest: usize,
}

impl SegmentScan {
    /// At the start of a text of which parts may leave before all is read.
    pub fn new(form: Form) -> Self {
        Self::start(form, false)
    }

    /// At the start of a text that is read whole before anything leaves, and therefore a little more thoroughly: text in base64 may begin at any
    /// digit, base32 may be in lower case.
    pub fn whole(form: Form) -> Self {
        Self::start(form, true)
    }

    fn start(form: Form, thorough: bool) -> Self {
        let unescape = match form {
            Form::Plain => None,
            Form::Json => Some(Unescape::default()),
        };
        Self {
            length: 0,
            cleared: 0,
            decoded: 0,
            unescape,
            view: View::new(thorough),
            reported: Vec::new(),
            oldest: 0,
        }
    }

    /// Reads the next piece of text; matches that are complete are added to `findings`, in the order in which they became so.
    ///
    /// # Errors
    /// [`Overflow`]: findings are not complete any more. The piece has been read all the same.
    pub fn push(
        &mut self,
        engine: &Engine,
        text: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Overflow> {
        let source = self.length;
        self.length += text.len();
        if !engine.reads_text() {
            self.cleared = self.length;
            return Ok(());
        }
        let mut reading = Reading::new(engine, self.decoded);
        match &mut self.unescape {
            Some(unescape) if !unescape.is_plain(text) => {
                let mut view = String::with_capacity(text.len());
                let at = Place {
                    view: self.view.position(),
                    source,
                };
                unescape.push(text, at, &mut view, self.view.map_mut());
                self.view.read(&mut reading, &view);
            }
            _ => self.view.read(&mut reading, text),
        }
        let result = self.report(reading, findings);
        self.clear(engine);
        result
    }

    /// Reads the end of the text; matches that the end completes are added to `findings`. Everything is cleared then.
    ///
    /// # Errors
    /// [`Overflow`], as for [`push`](Self::push).
    pub fn finish(&mut self, engine: &Engine, findings: &mut Vec<Finding>) -> Result<(), Overflow> {
        if !engine.reads_text() {
            return Ok(());
        }
        let mut rest = String::new();
        if let Some(unescape) = &mut self.unescape {
            unescape.finish(&mut rest);
        }
        let mut reading = Reading::new(engine, self.decoded);
        self.view.read(&mut reading, &rest);
        self.view.finish(&mut reading);
        self.cleared = self.length;
        self.report(reading, findings)
    }

    /// Bytes of the text, from its start, that may leave: no later or still open match of a rule that holds begins before them.
    pub const fn cleared(&self) -> usize {
        self.cleared
    }

    /// Bytes of the text read so far.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether no byte has been read.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds what was found in all views, in the order in which it was complete, each once: as the simplest view has it, which is always
    /// there, while those that differ from it elsewhere come and go.
    fn report(
        &mut self,
        reading: Reading<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Overflow> {
        let Reading {
            mut found,
            overflow,
            decoded,
            ..
        } = reading;
        self.decoded = decoded;
        found.sort_by_key(|(order, _)| *order);
        for (_, finding) in found {
            let same = |other: &Finding| {
                other.rule == finding.rule
                    && other.span == finding.span
                    && other.continues == finding.continues
            };
            if !self.reported.iter().any(same) {
                if let Some(oldest) = self.reported.get_mut(self.oldest) {
                    *oldest = finding;
                } else {
                    self.reported.push(finding);
                }
                self.oldest = (self.oldest + 1) % REPORTED;
                findings.push(finding);
            }
        }
        if overflow { Err(Overflow) } else { Ok(()) }
    }

    fn clear(&mut self, engine: &Engine) {
        if !engine.holds() {
            self.cleared = self.length;
            return;
        }
        let read = self.view.read_to();
        self.cleared = self.view.held(engine).map_or(read, |held| held.min(read));
    }
}
