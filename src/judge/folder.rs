//! A model in a folder: `model.onnx`, `tokenizer.json`, `config.json` with the labels, and ours, `sluicegate.json`, which says what they mean and
//! how to tell that all of it fits together.
//!
//! A wrong tokenizer or a wrong file makes a model score everything alike, without any error; so at the start the digest, the token ids of one
//! text and the scores of texts with known answers are compared with what they must be.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokenizers::{Encoding, Tokenizer};

use super::runtime::{self, Runtime};
use super::settings::{Expect, HuggingFace, Problem, Settings, json, problem, read};
use crate::scan::classifier::{Probability, Thresholds};
use crate::text::{Origin, unicode};

/// Where a model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder.
    pub folder: PathBuf,
    /// ONNX Runtime's library, to run it by instead of by what is built in.
    pub library: Option<PathBuf>,
}

/// A model that was loaded and tried.
#[derive(Debug)]
pub struct Folder {
    tokenizer: Tokenizer,
    runtime: Box<dyn Runtime>,
    settings: Settings,
    /// All labels by index.
    names: Vec<String>,
    /// Indices of those that count.
    labels: Arc<[usize]>,
    /// Each label has a probability of its own.
    sigmoid: bool,
    sha256: String,
}

impl Folder {
    /// Reads a folder and tries what it holds.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(super) fn load(config: &Config, threads: usize) -> Result<Self, Problem> {
        let file = |name: &str| config.folder.join(name);
        let settings_file = file("sluicegate.json");
        let settings: Settings = json(&settings_file)?;
        settings.check(&settings_file)?;
        let faces: HuggingFace = json(&file("config.json"))?;
        let names = faces.names(&file("config.json"))?;
        let labels = indices(&names, &settings.labels).ok_or_else(|| {
            let found = format!("a label of {:?} that config.json lacks", settings.labels);
            let problem = problem(&settings_file, found).expected(names.join(", "));
            problem.help("labels names those of id2label that count as an attack")
        })?;
        let network_file = file("model.onnx");
        let network = read(&network_file)?;
        let sha256 = hex(&Sha256::digest(&network));
        if sha256 != settings.sha256.to_ascii_lowercase() {
            let problem = problem(&network_file, format!("the file's SHA-256 is {sha256}"));
            let problem = problem.expected(format!("{}, as sluicegate.json says", settings.sha256));
            return Err(problem
                .help("get the model again, or state its digest if you trust it")
                .into());
        }
        let tokenizer = settings.tokenizer(&file("tokenizer.json"))?;
        let runtime = runtime::load(network, config.library.as_deref(), threads);
        let runtime = runtime.map_err(|why| {
            let problem = problem(&network_file, format!("the network cannot be run: {why}"));
            problem.expected("an ONNX sequence classifier")
        })?;
        let many = faces.problem_type.as_deref() == Some("multi_label_classification");
        let folder = Self {
            tokenizer,
            runtime,
            sigmoid: many || names.len() == 1,
            names,
            labels,
            sha256,
            settings,
        };
        folder.try_out(config)?;
        Ok(folder)
    }

    /// Compares what the model does with what it must do.
    fn try_out(&self, config: &Config) -> Result<(), Problem> {
        let golden = &self.settings.golden;
        let file = config.folder.join("tokenizer.json");
        let windows = self.windows(&golden.text);
        let windows = windows.map_err(|why| problem(&file, format!("it fails: {why}")))?;
        let ids = windows.first().map(Vec::as_slice).unwrap_or_default();
        if ids != golden.ids {
            let found = format!("the golden text has the token ids {ids:?}");
            let problem = problem(&file, found).expected(format!("{:?}", golden.ids));
            return Err(problem
                .help("the tokenizer is not the one that the model was made with")
                .into());
        }
        let file = config.folder.join("model.onnx");
        let user = self.defaults(Origin::User);
        for (number, test) in self.settings.self_test.iter().enumerate() {
            let score = self.judge(&test.text);
            let score = score.map_err(|why| {
                let problem = problem(&file, format!("it fails: {why}"));
                problem.expected("one number for each label of config.json")
            })?;
            let probability = Probability::new(score);
            let (fits, expected) = match test.expect {
                Expect::High => (
                    probability >= user.act,
                    format!("at least {}, the threshold", user.act),
                ),
                Expect::Low => (
                    probability < user.flag,
                    format!("below {}, the flag", user.flag),
                ),
            };
            if !fits {
                let found = format!("self-test {} scores {probability}", number + 1);
                let problem = problem(&file, found).expected(expected);
                return Err(problem
                    .help("labels, thresholds or files do not belong together")
                    .into());
            }
        }
        Ok(())
    }

    /// All of a text at once, by the folder's own labels.
    fn judge(&self, text: &str) -> Result<f64, String> {
        let mut worst = 0.0;
        for window in self.windows(text)? {
            worst = f64::max(worst, self.score(&window, &self.labels)?);
        }
        Ok(worst)
    }

    /// The digest of the network's file, in hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What to do where a policy does not say.
    pub fn defaults(&self, origin: Origin) -> Thresholds {
        Thresholds {
            flag: Probability::new(self.settings.flag.of(origin)),
            act: Probability::new(self.settings.threshold.of(origin)),
        }
    }

    /// The built-in classifier's share in a second look.
    pub const fn blend(&self) -> f64 {
        self.settings.blend
    }

    /// Whether all labels are the model's.
    ///
    /// # Errors
    /// Those that are.
    pub fn check_labels(&self, labels: Option<&[String]>) -> Result<(), &[String]> {
        match labels.map(|labels| indices(&self.names, labels)) {
            Some(None) => Err(&self.names),
            Some(Some(_)) | None => Ok(()),
        }
    }

    /// The indices of labels; those of the folder where none are given.
    pub(super) fn labels(&self, labels: Option<&[String]>) -> Arc<[usize]> {
        let given = labels.and_then(|labels| indices(&self.names, labels));
        given.unwrap_or_else(|| Arc::clone(&self.labels))
    }

    /// Bytes of a text that cannot have more windows than may wait.
    pub(super) const fn longest(&self, queue: usize) -> usize {
        // Tokens are four letters or so; of what has longer ones, more than the queue holds is worth no arithmetic.
        queue
            .saturating_mul(self.settings.stride)
            .saturating_mul(16)
    }

    /// The tokens of each window of a text.
    pub(super) fn windows(&self, text: &str) -> Result<Vec<Vec<u32>>, String> {
        let seen = self.seen(text);
        let encoded = self.tokenizer.encode(seen, true);
        let encoded = encoded.map_err(|error| error.to_string())?;
        let ids = |window: &Encoding| window.get_ids().to_vec();
        let mut windows = vec![ids(&encoded)];
        windows.extend(encoded.get_overflowing().iter().map(ids));
        Ok(windows)
    }

    /// A text as the model gets it.
    fn seen(&self, text: &str) -> String {
        let mut seen = String::with_capacity(text.len());
        for character in text.chars() {
            if self.settings.fold {
                unicode::fold(character, &mut seen);
            } else if !unicode::is_invisible(character) {
                seen.push(character);
            }
        }
        seen
    }

    /// How likely one of the labels is in a window.
    pub(super) fn score(&self, tokens: &[u32], labels: &[usize]) -> Result<f64, String> {
        let logits = self.runtime.run(tokens)?;
        if logits.len() != self.names.len() {
            return Err(format!(
                "it gives {} numbers for {} labels",
                logits.len(),
                self.names.len()
            ));
        }
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err("it gives numbers that are none".to_owned());
        }
        let Settings {
            temperature, bias, ..
        } = self.settings;
        let logits: Vec<f64> = logits
            .iter()
            .map(|logit| f64::from(*logit) / temperature)
            .collect();
        let chosen = labels.iter().filter_map(|label| logits.get(*label));
        // Log-odds of what counts against all else.
        let odds = if self.sigmoid {
            chosen.copied().fold(f64::NEG_INFINITY, f64::max)
        } else {
            let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weight = |logit: &f64| (logit - highest).exp();
            let sum: f64 = chosen.map(weight).sum();
            let all: f64 = logits.iter().map(weight).sum();
            (sum / (all - sum).max(f64::MIN_POSITIVE)).ln()
        };
        Ok(1.0 / (1.0 + (-(odds + bias)).exp()))
    }
}

/// The indices of labels; `None` if one is unknown.
fn indices(names: &[String], labels: &[String]) -> Option<Arc<[usize]>> {
    let index = |label: &String| names.iter().position(|name| name == label);
    labels.iter().map(index).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
