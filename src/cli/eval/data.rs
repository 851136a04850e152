//! The rows of a data set.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::{Origin, Task};

/// A row of the data set; what else it says has no meaning here.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) text: String,
    pub(super) label: Value,
    pub(super) source: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) lang: Option<String>,
    origin: Option<Origin>,
}

impl Row {
    /// Whether it is to be found.
    pub(super) fn attack(&self) -> bool {
        match &self.label {
            Value::String(label) => {
                !matches!(label.as_str(), "benign" | "nontoxic" | "safe" | "ham" | "0")
            }
            Value::Bool(label) => *label,
            label => label.as_f64() != Some(0.0),
        }
    }

    /// Who wrote it: as it says, else as the caller does, else by its kind.
    pub(super) fn origin(&self, given: Option<Origin>, task: Task) -> Origin {
        let by_kind = || match (task, self.kind.as_deref()) {
            (Task::Toxicity, _) | (_, Some("response")) => Origin::Assistant,
            (_, Some("document" | "indirect" | "tool-output")) => Origin::Tool,
            (_, Some("tool-schema" | "system-prompt")) => Origin::System,
            _ => Origin::User,
        };
        self.origin.or(given).unwrap_or_else(by_kind)
    }
}

/// Reads JSON lines, compressed ones too.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Row>> {
    let name = file.display();
    let mut bytes = fs::read(file).with_context(|| format!("cannot read {name}"))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut plain)
            .with_context(|| format!("cannot read {name}"))?;
        bytes = plain;
    }
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    let row = |(line, number)| {
        serde_json::from_slice(line).with_context(|| {
            format!("{name}:{number}: not a row of a data set\n  expected: a JSON object with \"text\" and \"label\"")
        })
    };
    lines.map(row).collect()
}
