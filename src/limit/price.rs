//! What a model costs, as `policies/prices.yaml` has it.

use crate::diagnostic::Diagnostic;
use crate::document::{self, Node, Reader, Value, list, text};
use crate::glob;
use crate::rate::quota::micro;
use crate::wire::Usage;

/// The file's name in the folder of policies.
pub const FILE: &str = "prices.yaml";

/// What is built in.
const EMBEDDED: &str = include_str!("../../policies/prices.yaml");

/// What a million tokens cost, in millionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Read by the model.
    pub input: u64,
    /// Read by the model from the provider's cache.
    pub cached: u64,
    /// Written by the model.
    pub output: u64,
    /// Written by the model for itself.
    pub reasoning: u64,
}

impl Price {
    /// What tokens cost, in millionths of a dollar, rounded up.
    pub fn of(&self, usage: Usage) -> u64 {
        let cached = usage.cached.min(usage.input);
        let reasoning = usage.reasoning.min(usage.output);
        let parts = [
            (usage.input - cached, self.input),
            (cached, self.cached),
            (usage.output - reasoning, self.output),
            (reasoning, self.reasoning),
        ];
        let cost = parts.map(|(tokens, price)| u128::from(tokens) * u128::from(price));
        let cost = cost.into_iter().fold(0, u128::saturating_add);
        u64::try_from(cost.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// The most that an exchange can cost: nothing from a cache, all of the answer at its dearer rate.
    pub fn most(&self, input: u64, output: u64) -> u64 {
        let price = Self {
            input: self.input.max(self.cached),
            output: self.output.max(self.reasoning),
            ..*self
        };
        price.of(Usage {
            input,
            output,
            ..Usage::default()
        })
    }
}

/// Prices by pattern of model, first match first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(Vec<(String, Price)>);

impl Prices {
    /// The price of a model; `None` if nobody knows.
    pub fn find(&self, model: &str) -> Option<Price> {
        let fits = |(pattern, _): &&(String, Price)| glob::matches(pattern, model);
        self.0.iter().find(fits).map(|(_, price)| *price)
    }

    /// Reads a file of prices.
    ///
    /// # Errors
    ///
    /// Every problem in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let root = document::parse(file, text)?;
        let mut reader = Reader::new(file);
        let read = reader.fields(&root).and_then(|mut fields| {
            let models = fields.required("models", list(model));
            fields.finish();
            models
        });
        reader.finish(read).map(|(models, _)| Self(models))
    }

    /// Those that are built in.
    ///
    /// # Errors
    ///
    /// Every problem in them, of which there is none as long as this module's tests pass.
    pub fn embedded() -> Result<Self, Vec<Diagnostic>> {
        Self::parse("(embedded) prices.yaml", EMBEDDED)
    }
}

fn model(reader: &mut Reader, node: &Node) -> Option<(String, Price)> {
    let mut fields = reader.fields(node)?;
    let pattern = fields.required("model", text);
    let input = fields.required("input", dollars);
    let cached = fields.optional("cached", dollars);
    let output = fields.required("output", dollars);
    let reasoning = fields.optional("reasoning", dollars);
    fields.finish();
    let (input, output) = (input?, output?);
    let price = Price {
        input,
        cached: cached.unwrap_or(input),
        output,
        reasoning: reasoning.unwrap_or(output),
    };
    Some((pattern?, price))
}

/// A decimal number of dollars. What was read as a floating-point number is taken by its shortest decimal form, which for
/// as few digits as prices have is the one that was written.
fn dollars(reader: &mut Reader, node: &Node) -> Option<u64> {
    let value = match &node.value {
        Value::Int(value) => micro(&value.to_string()),
        Value::Float(value) => micro(&value.to_string()),
        Value::Str(_) | Value::Null | Value::Bool(_) | Value::Seq(_) | Value::Map(_) => None,
    };
    if value.is_none() {
        reader.mismatch(node, "dollars per million tokens, such as 2.5");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_prices_are_read_exactly() {
        let prices = Prices::embedded().unwrap();
        let mini = prices.find("gpt-4o-mini-2024-07-18").unwrap();
        assert_eq!(
            (mini.input, mini.cached, mini.output),
            (150_000, 75_000, 600_000)
        );
        assert_eq!(mini.reasoning, mini.output);
        assert_eq!(prices.find("gpt-5-mini").unwrap().output, 2_000_000);
        assert_eq!(prices.find("gpt-4.1-nano").unwrap().cached, 25_000);
        assert_eq!(
            prices.find("echo").unwrap().of(Usage {
                input: 9,
                ..Usage::default()
            }),
            0
        );
        assert_eq!(prices.find("gpt-6"), None);
    }

    #[test]
    fn costs_are_whole_and_rounded_up_once() {
        let price = Price {
            input: 150_000,
            cached: 75_000,
            output: 600_000,
            reasoning: 700_000,
        };
        let usage = Usage {
            input: 1_000,
            cached: 400,
            output: 100,
            reasoning: 40,
        };
        // 600 * 0.15 + 400 * 0.075 + 60 * 0.6 + 40 * 0.7 = 184 millionths.
        assert_eq!(price.of(usage), 184);
        assert_eq!(
            price.of(Usage {
                input: 1,
                ..Usage::default()
            }),
            1
        );
        assert_eq!(price.most(1_000, 100), 150 + 70);
        assert_eq!(
            price.of(Usage {
                input: u64::MAX,
                ..Usage::default()
            }),
            2_767_011_611_056_432_743
        );
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for (text, problem) in [
            ("models: [{model: m, input: 1}]", "output"),
            (
                "models: [{model: m, input: -1, output: 1}]",
                "dollars per million",
            ),
            (
                "models: [{model: m, input: 0.0000001, output: 1}]",
                "dollars per million",
            ),
            (
                "models: [{model: m, input: 1, output: 1, cache: 1}]",
                "cached",
            ),
        ] {
            let problems = Prices::parse("p.yaml", text).unwrap_err();
            assert!(problems[0].to_string().contains(problem), "{}", problems[0]);
        }
    }
}
