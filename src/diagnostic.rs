//! One problem in a file that a person wrote: where it is, what was found, what was expected, what to do.
//!
//! Everything that reads such a file collects all its problems in one run and prints them in this form:
//!
//! ```text
//! policies/team.yaml:14:11: unknown action "blok" in rule "injection"
//!   expected: allow, log, redact, replace, hold or block
//!   help: did you mean "block"?
//! ```

use std::fmt;

/// How bad a problem is: only errors stop what was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used; something in it has no effect or will stop working.
    Warning,
}

/// One problem with its place. Never holds a secret or prompt text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops what was being done.
    pub severity: Severity,
    /// The file as the user named it, or a name such as `SLUICEGATE_LISTEN` for another source.
    pub file: String,
    /// Line and column, both from 1; `None` for the file as a whole.
    pub place: Option<(usize, usize)>,
    /// What was found, lower case, without a final stop.
    pub found: String,
    /// What would have been right; empty if there is nothing to say.
    pub expected: String,
    /// What to do; empty if there is nothing to say.
    pub help: String,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub fn error(file: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            place: None,
            found: found.into(),
            expected: String::new(),
            help: String::new(),
        }
    }

    /// The same at a line and column, both from 1.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.place = Some((line, column));
        self
    }

    /// The same, saying what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// The same, saying what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        let prefix = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        write!(f, ": {prefix}{}", self.found)?;
        if !self.expected.is_empty() {
            write!(f, "\n  expected: {}", self.expected)?;
        }
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

/// The word of `known` that `word` was most likely meant to be, for "did you mean".
///
/// The optimal string alignment distance may be at most a third of the word's length.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance, ASCII case ignored: Levenshtein's with the swap of two neighbours as one step
/// (Damerau, 1964). Three rows suffice.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (
        a.to_ascii_lowercase().chars().collect(),
        b.to_ascii_lowercase().chars().collect(),
    );
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, (to, up)) in b.iter().zip(above.iter().skip(1)).enumerate() {
            let mut best = (diagonal + usize::from(from != to))
                .min(up + 1)
                .min(left + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if let Some(swap) = before.get(j.wrapping_sub(1)).filter(|_| swapped) {
                best = best.min(swap + 1);
            }
            diagonal = *up;
            left = best;
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_five_parts() {
        let problem = Diagnostic::error("p.yaml", "unknown action \"blok\"")
            .at(14, 11)
            .expected("allow or block")
            .help("did you mean \"block\"?");
        assert_eq!(
            problem.to_string(),
            "p.yaml:14:11: unknown action \"blok\"\n  expected: allow or block\n  help: did you mean \"block\"?"
        );
    }

    #[test]
    fn finds_the_nearest_word() {
        let known = ["allow", "log", "redact", "block"];
        assert_eq!(nearest("blok", known), Some("block"));
        assert_eq!(nearest("Redcat", known), Some("redact"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest("lgo", known), Some("log"), "a swap is one step");
        assert_eq!(distance("redcat", "redact"), 1);
        assert_eq!(distance("ca", "abc"), 3, "no step inside a swap");
    }
}
