//! Thresholds for a budget of false positives, to read or as a policy of their own.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, bail};

use super::{Task, measure};
use crate::cli::output::Output;

/// Thresholds for one judge.
#[derive(Clone, Debug)]
pub(super) struct Calibrated {
    section: String,
    notes: Vec<String>,
    side: &'static str,
}

/// The section of a policy whose false positives on these scores keep to the share; acting at a tenth of it.
pub(super) fn calibrate(task: Task, model: Option<&str>, benign: &[f64], share: f64) -> Calibrated {
    // Thresholds are written in thousandths; the next one up keeps the promise.
    let up = |threshold: f64| ((threshold * 1000.0).ceil() / 1000.0).clamp(0.001, 1.0);
    let flag = up(measure::threshold(benign.to_vec(), share));
    let act = up(measure::threshold(benign.to_vec(), share / 10.0));
    let (action, side) = match task {
        Task::Injection => ("block", "request"),
        Task::Toxicity => ("replace", "response"),
    };
    let texts = benign.len();
    let mut notes = vec![format!(
        "At most {share} of {texts} benign texts is flagged, a tenth of that is stopped."
    )];
    #[expect(
        clippy::cast_precision_loss,
        reason = "a data set has fewer rows than 2^52"
    )]
    if (texts as f64) * share < 10.0 {
        let few = "These are few texts for so small a share: the thresholds rest on less than ten of them.";
        notes.push(few.to_owned());
    }
    let name = task.judge().name();
    if model.is_some() {
        notes.push("What else the model's section says stays in it.".to_owned());
    }
    Calibrated {
        section: model.map_or_else(
            || format!("{name}: {{action: {action}, threshold: {act:.3}, flag: {flag:.3}}}"),
            |model| format!("model: {{{model}: {{threshold: {act:.3}, flag: {flag:.3}}}}}"),
        ),
        notes,
        side,
    }
}

impl Calibrated {
    /// Prints the section.
    pub(super) fn print(&self, output: &mut Output) -> anyhow::Result<()> {
        writeln!(output)?;
        for note in &self.notes {
            writeln!(output, "# {note}")?;
        }
        writeln!(output, "{}", self.section)?;
        Ok(())
    }

    /// Writes a policy with the section, that has all else from the policy called `parent`. A file that is there stays.
    pub(super) fn write(&self, file: &Path, parent: &str, dataset: &Path) -> anyhow::Result<()> {
        let named = file
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        let (Some(name), true) = (file.file_stem().and_then(|name| name.to_str()), named) else {
            bail!(
                "{} is no name for a policy\n  expected: a file such as policies/calibrated.yaml",
                file.display()
            );
        };
        if name == parent {
            bail!(
                "{} would extend itself\n  help: give the file another name than \"{parent}\"",
                file.display()
            );
        }
        let notes: String = self
            .notes
            .iter()
            .map(|note| note.clone() + "\n# ")
            .collect();
        let (side, section) = (self.side, &self.section);
        let text = format!(
            "# {notes}By sluicegate eval {}.\nversion: 1\nname: {name}\nextends: {parent}\n{side}:\n  {section}\n",
            dataset.display()
        );
        let made = File::create_new(file).and_then(|mut made| made.write_all(text.as_bytes()));
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
                "{} is there already\n  help: name another file, or remove it first",
                file.display()
            ),
            made => made.with_context(|| format!("cannot write {}", file.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Source, compile, embedded};

    #[test]
    fn what_is_written_is_a_policy_and_nothing_is_overwritten() {
        let scores: Vec<f64> = (0..1000).map(|score| f64::from(score) / 1000.0).collect();
        let calibrated = calibrate(Task::Injection, None, &scores, 0.01);
        assert_eq!(
            calibrated.section,
            "classifier: {action: block, threshold: 0.999, flag: 0.990}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.yaml");
        calibrated
            .write(&file, "default", Path::new("data.jsonl"))
            .unwrap();
        let source = |name: &str, text: String| Source {
            name: name.to_owned(),
            file: format!("{name}.yaml"),
            text,
        };
        let parent = |name: &str| {
            let (name, text) = embedded().into_iter().find(|(own, _)| *own == name)?;
            Some(source(name, text.to_owned()))
        };
        let written = source("mine", std::fs::read_to_string(&file).unwrap());
        let (_, warnings) = compile(&written, parent, jiff::civil::date(2026, 1, 1)).unwrap();
        assert_eq!(warnings, []);
        for (file, said) in [
            (file.as_path(), "is there already"),
            (Path::new("thresholds"), "is no name for a policy"),
            (Path::new("default.yaml"), "would extend itself"),
        ] {
            let refused = calibrated.write(file, "default", Path::new("data.jsonl"));
            assert!(refused.unwrap_err().to_string().contains(said), "{said}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), written.text);
        assert!(calibrate(Task::Toxicity, None, &scores, 0.001).notes[1].contains("few texts"));
        let model = calibrate(Task::Injection, Some("guard"), &scores, 0.01);
        assert_eq!(
            model.section,
            "model: {guard: {threshold: 0.999, flag: 0.990}}"
        );
    }
}
