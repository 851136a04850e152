//! An answer before it takes a format: its choices, their parts, and how they are cut into deltas.

use rand::Rng;
use rand::distr::Alphanumeric;

use super::ask::{self, Ask};
use super::script::Script;

/// Everything that is said in reply to one request.
pub(super) struct Answer {
    /// In order of their index; never empty.
    pub(super) choices: Vec<Choice>,
    /// Characters in one delta, at least 1.
    pub(super) chunk_chars: usize,
    /// Whether the connection breaks before the end.
    pub(super) cut: bool,
    /// The model's name, as asked for.
    pub(super) model: String,
    /// Seconds since 1970.
    pub(super) created: i64,
    /// The size of the prompt.
    pub(super) input_tokens: u64,
}

/// One of several answers to the same prompt.
#[derive(Clone)]
pub(super) struct Choice {
    /// In the order in which they are said; never empty.
    pub(super) parts: Vec<Part>,
    /// Why it ends.
    pub(super) finish: Finish,
}

/// A running text of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// The text itself; a tool call's arguments as JSON.
    pub(super) text: String,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Thought,
    Text,
    Refusal,
    Tool { id: String, name: String },
}

/// Why a choice ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    CallTools,
    Refuse,
}

impl Answer {
    /// Makes the choices of each prompt's script.
    pub(super) fn new(ask: &Ask, scripts: Vec<Script>) -> Self {
        let mut answer = Self {
            choices: Vec::new(),
            chunk_chars: usize::MAX,
            cut: false,
            model: ask.model.clone(),
            created: jiff::Timestamp::now().as_second(),
            input_tokens: ask.input_tokens,
        };
        for script in scripts {
            answer.chunk_chars = answer.chunk_chars.min(script.chunk_chars).max(1);
            answer.cut |= script.cut;
            let choice = script.choice.limited(ask.max_tokens);
            answer
                .choices
                .extend((1..=ask.choices).map(|number| choice.numbered(number)));
        }
        answer
    }

    /// The size of all choices.
    pub(super) fn output_tokens(&self) -> u64 {
        self.parts().map(|part| ask::tokens_of(&part.text)).sum()
    }

    /// The size of the thoughts.
    pub(super) fn thought_tokens(&self) -> u64 {
        self.parts()
            .filter(|part| part.kind == Kind::Thought)
            .map(|part| ask::tokens_of(&part.text))
            .sum()
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.choices.iter().flat_map(|choice| &choice.parts)
    }
}

impl Choice {
    /// The texts of one kind, joined, or nothing where there is none.
    pub(super) fn text(&self, kind: &Kind) -> Option<String> {
        let texts: Vec<&str> = self
            .parts
            .iter()
            .filter(|part| part.kind == *kind)
            .map(|part| part.text.as_str())
            .collect();
        (!texts.is_empty()).then(|| texts.concat())
    }

    /// Cuts the text off where a token limit is reached.
    fn limited(mut self, max_tokens: Option<u64>) -> Self {
        let Some(max_tokens) = max_tokens else {
            return self;
        };
        for part in self.parts.iter_mut().filter(|part| part.kind == Kind::Text) {
            if let Some(kept) = ask::truncated(&part.text, max_tokens) {
                part.text = kept.to_owned();
                self.finish = Finish::Length;
            }
        }
        self
    }

    /// A copy whose text says which one it is, if it is not the first.
    fn numbered(&self, number: u64) -> Self {
        let mut copy = self.clone();
        if number > 1 {
            for part in &mut copy.parts {
                match &mut part.kind {
                    Kind::Text | Kind::Refusal => part.text.insert_str(0, &format!("[{number}] ")),
                    Kind::Tool { id, .. } => *id = identifier(""),
                    Kind::Thought => {}
                }
            }
        }
        copy
    }
}

/// A piece of one part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) choice: usize,
    pub(super) part: usize,
    pub(super) text: String,
    /// The part begins.
    pub(super) first: bool,
    /// The part ends.
    pub(super) last: bool,
}

/// Cuts an answer into deltas, the choices in turn. It keeps places only, so that a long answer costs no more memory.
#[derive(Default)]
pub(super) struct Deltas {
    /// Part and byte offset of each choice; `offset <= text.len()`, on a character boundary.
    places: Vec<(usize, usize)>,
    turn: usize,
}

impl Deltas {
    /// The next delta of `answer`, which must be the same each time.
    pub(super) fn next(&mut self, answer: &Answer) -> Option<Delta> {
        self.places.resize(answer.choices.len(), (0, 0));
        for _ in 0..answer.choices.len() {
            let choice = self.turn;
            self.turn = (self.turn + 1) % answer.choices.len();
            if let Some(delta) = self.take(answer, choice) {
                return Some(delta);
            }
        }
        None
    }

    fn take(&mut self, answer: &Answer, choice: usize) -> Option<Delta> {
        let (part, offset) = self.places.get_mut(choice)?;
        let rest = answer
            .choices
            .get(choice)?
            .parts
            .get(*part)?
            .text
            .get(*offset..)?;
        let end = rest
            .char_indices()
            .nth(answer.chunk_chars)
            .map_or(rest.len(), |(end, _)| end);
        let delta = Delta {
            choice,
            part: *part,
            text: rest.get(..end)?.to_owned(),
            first: *offset == 0,
            last: end == rest.len(),
        };
        if delta.last {
            (*part, *offset) = (*part + 1, 0);
        } else {
            *offset += end;
        }
        Some(delta)
    }
}

/// A fresh identifier with the provider's usual prefix.
pub(super) fn identifier(prefix: &str) -> String {
    let random = rand::rng()
        .sample_iter(Alphanumeric)
        .take(24)
        .map(char::from);
    prefix.chars().chain(random).collect()
}
