//! The files of a model's folder that say what the model means.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::{PostProcessor as _, Tokenizer, TruncationParams};

use crate::diagnostic::Diagnostic;
use crate::text::Origin;

/// What is wrong with a file of a folder.
pub(super) type Problem = Box<Diagnostic>;

/// `sluicegate.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) version: u32,
    pub(super) labels: Vec<String>,
    pub(super) threshold: ByOrigin,
    pub(super) flag: ByOrigin,
    #[serde(default = "one")]
    pub(super) temperature: f64,
    #[serde(default)]
    pub(super) bias: f64,
    #[serde(default)]
    pub(super) blend: f64,
    pub(super) window: usize,
    pub(super) stride: usize,
    #[serde(default)]
    pub(super) fold: bool,
    pub(super) sha256: String,
    pub(super) golden: Golden,
    pub(super) self_test: Vec<SelfTest>,
    #[serde(default, rename = "about")]
    _about: Value,
}

const fn one() -> f64 {
    1.0
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ByOrigin {
    All(f64),
    Each {
        user: f64,
        assistant: f64,
        tool: f64,
    },
}

impl ByOrigin {
    pub(super) const fn of(self, origin: Origin) -> f64 {
        match (self, origin) {
            (Self::All(all), _) => all,
            (Self::Each { user, .. }, Origin::User | Origin::System) => user,
            (Self::Each { assistant, .. }, Origin::Assistant) => assistant,
            (Self::Each { tool, .. }, Origin::Tool) => tool,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    pub(super) text: String,
    pub(super) ids: Vec<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelfTest {
    pub(super) text: String,
    pub(super) expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expect {
    High,
    Low,
}

/// What is read of `config.json`.
#[derive(Debug, Deserialize)]
pub(super) struct HuggingFace {
    pub(super) id2label: BTreeMap<String, String>,
    pub(super) problem_type: Option<String>,
}

impl Settings {
    pub(super) fn check(&self, file: &Path) -> Result<(), Problem> {
        let wrong = |found: &str, expected: &str| {
            Err(Problem::new(problem(file, found).expected(expected)))
        };
        let within = |number: f64| number > 0.0 && number <= 1.0;
        let origins = [Origin::User, Origin::Assistant, Origin::Tool];
        let expects = |expect| self.self_test.iter().any(|test| test.expect == expect);
        if self.version != 1 {
            return wrong("a version that this program does not know", "version 1");
        }
        if self.labels.is_empty() {
            return wrong("no labels", "at least one label that counts as an attack");
        }
        if !origins.iter().all(|origin| {
            let (flag, act) = (self.flag.of(*origin), self.threshold.of(*origin));
            within(flag) && within(act) && flag <= act
        }) {
            return wrong(
                "thresholds that cannot be",
                "numbers above 0 and up to 1, flag at most threshold",
            );
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0 && self.bias.is_finite()) {
            return wrong("a temperature that cannot be", "a number above 0");
        }
        if !(0.0..=1.0).contains(&self.blend) {
            return wrong("a blend that cannot be", "a number from 0 to 1");
        }
        if !(8..=4096).contains(&self.window) || self.stride == 0 || self.stride > self.window {
            return wrong(
                "a window or stride that cannot be",
                "a window of 8 to 4096 tokens, a stride of 1 to window",
            );
        }
        if !expects(Expect::High) || !expects(Expect::Low) {
            return wrong(
                "a self_test that tests nothing",
                "a text with expect high and one with expect low",
            );
        }
        Ok(())
    }

    /// The tokenizer, which cuts long texts into windows.
    pub(super) fn tokenizer(&self, file: &Path) -> Result<Tokenizer, Problem> {
        let bytes = read(file)?;
        let broken = |error: &dyn std::fmt::Display| {
            let problem = problem(file, format!("the tokenizer cannot be read: {error}"));
            problem.expected("a tokenizer.json of Hugging Face's tokenizers")
        };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| broken(&error))?;
        let special = tokenizer.get_post_processor();
        let special = special.map_or(0, |processor| processor.added_tokens(false));
        let room = self.window.saturating_sub(special);
        let truncation = TruncationParams {
            max_length: self.window,
            stride: room.saturating_sub(self.stride),
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| broken(&error))?
            .with_padding(None);
        Ok(tokenizer)
    }
}

impl HuggingFace {
    /// The labels in order.
    pub(super) fn names(&self, file: &Path) -> Result<Vec<String>, Problem> {
        let name = |index: usize| self.id2label.get(&index.to_string()).cloned();
        let names: Option<Vec<String>> = (0..self.id2label.len()).map(name).collect();
        names.filter(|names| !names.is_empty()).ok_or_else(|| {
            let problem = problem(file, "id2label has gaps");
            problem.expected("{\"0\": NAME, \"1\": NAME, …}").into()
        })
    }
}

pub(super) fn problem(file: &Path, found: impl Into<String>) -> Diagnostic {
    Diagnostic::error(file.display().to_string(), found)
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(file).map_err(|error| {
        let problem = problem(file, format!("a model's file cannot be read: {error}"));
        let files = "model.onnx, tokenizer.json, config.json and sluicegate.json";
        problem.expected(format!("a folder with {files}")).into()
    })
}

pub(super) fn json<T: DeserializeOwned>(file: &Path) -> Result<T, Problem> {
    let bytes = read(file)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let found = format!("not what a model's folder needs: {error}");
        let problem = problem(file, found).at(error.line(), error.column());
        problem
            .help("docs/SCANNERS.md shows the files of a model")
            .into()
    })
}
