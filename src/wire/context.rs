//! What a client has received of a stream so far: what its end must look like.

use super::{Advance, Api, Close};
use crate::text::Span;

/// More answers than any API gives; what an upstream claims beyond is not tracked.
const MAX_CHOICES: usize = 1024;

/// The state of a stream as its client sees it. To be told of each event that was written, no others: its id and model may
/// be written again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamContext {
    /// An event of the answer was written (messages: `message_start`).
    pub started: bool,
    /// The answer's id.
    pub id: Option<String>,
    /// The model that answers.
    pub model: Option<String>,
    /// The content block (messages) or output item (responses) that is open.
    pub open_block: Option<u32>,
    /// The index of the next content block or output item.
    pub next_block: u32,
    /// The number of the next event (responses).
    pub next_sequence: u64,
    choices: Vec<Choice>,
    terminal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    index: u32,
    open: bool,
}

impl StreamContext {
    /// The state before the first event, for a request that named `model`.
    pub fn new(model: Option<String>) -> Self {
        Self {
            model,
            ..Self::default()
        }
    }

    /// Takes note of an event that was written; `data` is what it was read from.
    pub fn note(&mut self, event: &Advance, data: &[u8]) {
        if event.over {
            *self = Self::new(self.model.take());
            return;
        }
        self.started |= event.begins;
        self.terminal |= event.terminal;
        if self.id.is_none() {
            self.id = text(event.id, data);
        }
        // The answering model's name is more exact than the request's, and the same in all events.
        if event.begins && event.model.is_some() {
            let known = self.model.as_deref().map(str::as_bytes);
            if event.model.and_then(|span| data.get(span.range())) != known {
                self.model = text(event.model, data);
            }
        }
        for choice in &event.choices {
            self.choice(*choice);
        }
        if let Some(index) = event.opens {
            self.open_block = Some(index);
            self.next_block = index.saturating_add(1);
        }
        if let Some(number) = event.sequence {
            self.next_sequence = number.saturating_add(1);
        }
        for close in &event.closes {
            match *close {
                Close::Choice(index) | Close::Thoughts(index) => {
                    // Output items are what responses have for choices.
                    self.open_block = self.open_block.filter(|open| *open != index);
                    if let Some(choice) = self.choice(index) {
                        choice.open = false;
                    }
                }
                Close::Block { index, .. } => {
                    self.open_block = self.open_block.filter(|open| *open != index);
                }
            }
        }
    }

    /// Whether nothing is missing if the upstream ends here: the format's last event has come, or every answer that was
    /// begun has its finish reason. Streams of messages and responses always have a last event; a realtime conversation may
    /// end between two answers.
    pub fn is_complete(&self, api: Api) -> bool {
        let finished = !self.choices.is_empty() && self.open_choices().next().is_none();
        match api {
            Api::Messages | Api::Responses => self.terminal,
            Api::Realtime => !self.started,
            Api::Chat | Api::Completions | Api::Embeddings | Api::Gemini => {
                self.terminal || finished
            }
        }
    }

    /// Answers that were begun and have no finish reason.
    pub fn open_choices(&self) -> impl Iterator<Item = u32> {
        let open = self.choices.iter().filter(|choice| choice.open);
        open.map(|choice| choice.index)
    }

    /// Whether an answer was begun.
    pub fn has_begun(&self, index: u32) -> bool {
        self.choices.iter().any(|choice| choice.index == index)
    }

    /// Whether any answer has text or a finish reason.
    pub fn has_choices(&self) -> bool {
        !self.choices.is_empty()
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        let known = self.choices.iter().position(|choice| choice.index == index);
        if let Some(position) = known {
            return self.choices.get_mut(position);
        }
        if self.choices.len() < MAX_CHOICES {
            self.choices.push(Choice { index, open: true });
            return self.choices.last_mut();
        }
        None
    }
}

fn text(span: Option<Span>, data: &[u8]) -> Option<String> {
    let raw = data.get(span?.range())?;
    Some(super::json::unescape(raw).into_owned())
}
