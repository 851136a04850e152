//! Counts the tokens of text that comes in pieces, where somebody has to know them.

use crate::text::tokens;
use crate::wire::Facts;

/// Bytes that are counted at once: a token between two deltas is one token, and few streams are counted before their end.
const BATCH: usize = 4096;

/// The text of one body or stream so far.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// For which model; `None` if nobody has to know.
    model: Option<String>,
    /// Bytes of text, escapes undone.
    pub(super) bytes: u64,
    tokens: u64,
    /// Text that is not counted yet.
    pending: String,
}

impl Counter {
    /// Counts for a model, or bytes alone.
    pub(super) fn new(model: Option<&str>) -> Self {
        Self {
            model: model.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Goes by what a body says of itself: its model, and its tokens, which then need no counting.
    pub(super) fn reads(&mut self, facts: &Facts) {
        if facts.usage.is_some() {
            self.model = None;
        }
        if let (Some(counted), Some(model)) = (&mut self.model, &facts.model) {
            counted.clone_from(model);
        }
    }

    /// A whole text, which shares no token with others.
    pub(super) fn whole(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        if let Some(model) = &self.model {
            self.tokens += tokens::count(text, model);
        }
    }

    /// The next part of running text.
    pub(super) fn delta(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        let Some(model) = &self.model else { return };
        self.pending.push_str(text);
        if self.pending.len() >= BATCH {
            self.tokens += tokens::count(&self.pending, model);
            self.pending.clear();
        }
    }

    /// Tokens so far; `None` if they are not counted.
    pub(super) fn tokens(&self) -> Option<u64> {
        let model = self.model.as_deref()?;
        Some(self.tokens + tokens::count(&self.pending, model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_count_like_the_whole() {
        let text = "The quick brown fox jumps over the lazy dog. ".repeat(200);
        let (mut whole, mut parts) = (Counter::new(Some("m")), Counter::new(Some("m")));
        whole.whole(&text);
        let mut rest = text.as_str();
        while let Some((part, later)) = rest.split_at_checked(7.min(rest.len()))
            && !part.is_empty()
        {
            parts.delta(part);
            rest = later;
        }
        let (whole, parts) = (whole.tokens().unwrap(), parts.tokens().unwrap());
        assert!(
            whole > 1000 && parts.abs_diff(whole) <= 4,
            "{whole} {parts}"
        );
        let mut none = Counter::new(None);
        none.delta("text");
        assert_eq!((none.bytes, none.tokens()), (4, None));
    }
}
