//! What is asked of a model in one exchange.

use std::sync::Arc;

use super::stored::Keeper;
use crate::guard::body::Inspection;
use crate::guard::restore::Originals;
use crate::policy::Policy;
use crate::wire::{Api, Framing};

/// What is asked of a model.
pub(super) struct Call {
    pub(super) api: Api,
    /// Whether the answer is a message.
    pub(super) generates: bool,
    pub(super) model: Option<String>,
    /// How the answer is framed if a stream is asked for.
    pub(super) framing: Option<Framing>,
    pub(super) policy: Arc<Policy>,
    /// How many choices are asked for, where the format numbers them.
    pub(super) choices: Option<u32>,
    /// What the placeholders that went up stand for.
    pub(super) originals: Arc<Originals>,
    /// The model to count tokens for, if somebody has to know how many there are.
    pub(super) count_for: Option<String>,
    /// Takes note of what the provider keeps of the answer.
    pub(super) keeper: Option<Keeper>,
}

impl Call {
    /// Of an exchange that yields no message.
    pub(super) fn new(api: Api, policy: Arc<Policy>) -> Self {
        Self {
            api,
            generates: false,
            model: None,
            framing: None,
            policy,
            choices: None,
            originals: Arc::default(),
            count_for: None,
            keeper: None,
        }
    }

    /// Takes note of what a request asks for.
    pub(super) fn asks(&mut self, inspection: &Inspection) {
        let facts = &inspection.facts;
        self.model = self.model.take().or_else(|| facts.model.clone());
        self.originals = Arc::clone(&inspection.originals);
        self.choices = match self.api {
            Api::Chat | Api::Completions | Api::Gemini => {
                facts.counted.then(|| facts.choices.max(1))
            }
            Api::Responses | Api::Embeddings | Api::Messages | Api::Realtime => None,
        };
    }
}
