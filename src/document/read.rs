//! The typed reading of a document: problems are collected, and every key of a map is accounted for.

use super::outline::{Field, NOTHING, Shape};
use super::{Key, Node, Value};
use crate::diagnostic::{Diagnostic, Severity, nearest};

/// Longer lists of known words are not printed.
const MAX_LISTED: usize = 24;

/// Collects the problems of one file while it is read. A parser that answers `None` has reported why.
#[derive(Debug)]
pub struct Reader {
    file: String,
    /// Whether unknown keys are warnings only: the file says that it was written for a newer program.
    pub lenient: bool,
    /// Keys and indices from the root to the value being read.
    path: Vec<String>,
    problems: Vec<Diagnostic>,
    /// What the parser that runs now takes, where there is no document and only that is asked.
    pub(super) outline: Option<Shape>,
    /// The same for the keys of a map with keys of the user's own.
    pub(super) outline_keys: Shape,
}

impl Reader {
    /// A reader of the file that the user calls `file`.
    pub fn new(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            lenient: false,
            path: Vec::new(),
            problems: Vec::new(),
            outline: None,
            outline_keys: Shape::Any,
        }
    }

    /// The file's name as the user knows it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Adds a problem.
    pub fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// An error at a value, not yet reported.
    pub fn problem(&self, node: &Node, found: impl Into<String>) -> Diagnostic {
        self.problem_at(node.place(), found)
    }

    /// An error at a place, not yet reported.
    pub fn problem_at(
        &self,
        (line, column): (usize, usize),
        found: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(&self.file, found).at(line, column)
    }

    /// Reports that the value being read is of another kind or outside its range. Says nothing of the value but its kind.
    pub fn mismatch(&mut self, node: &Node, expected: impl Into<String>) {
        if self.outline == Some(Shape::Any) {
            self.outline = Some(Shape::Text(None));
        }
        let problem = self.problem(node, format!("{} is {}", self.path(), node.value.kind()));
        self.report(problem.expected(expected));
    }

    /// Reports a word that is none of `known`, with the one that was probably meant. `noun` says what it should name; by
    /// default that is the key.
    pub fn unknown_word<'k>(
        &mut self,
        place: (usize, usize),
        noun: Option<&str>,
        word: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) {
        if self.outlines() {
            let words = known.map(str::to_owned).collect();
            return self.outline_words(place, words);
        }
        let keys = self.path.iter().rposition(|step| !step.starts_with('['));
        let (parents, key) = match keys.and_then(|end| self.path.split_at_checked(end)) {
            Some((parents, [key, ..])) => (parents, key.as_str()),
            _ => (&[][..], "word"),
        };
        let mut found = format!("unknown {} {}", noun.unwrap_or(key), shown(word));
        if !parents.is_empty() {
            found = format!("{found} in {}", join(parents.iter().map(String::as_str)));
        }
        let mut problem = self.problem_at(place, found);
        if known.clone().count() <= MAX_LISTED {
            problem = problem.expected(alternatives(known.clone()));
        }
        if let Some(meant) = nearest(word, known) {
            problem = problem.help(format!("did you mean \"{meant}\"?"));
        }
        self.report(problem);
    }

    /// The keys and indices that lead to the value being read, `request.injection.action`.
    pub fn path(&self) -> String {
        if self.path.is_empty() {
            "the document".to_owned()
        } else {
            join(self.path.iter().map(String::as_str))
        }
    }

    /// The path of a key in the map being read.
    fn path_of(&self, key: &str) -> String {
        let steps = self.path.iter().map(String::as_str).chain([key]);
        join(steps)
    }

    /// Opens a map to read its keys. The document itself may be empty, which is a map without keys.
    pub fn fields<'n>(&mut self, node: &'n Node) -> Option<Fields<'_, 'n>> {
        let outlines = self.takes(|| Shape::Fields(Vec::new()));
        let entries = match &node.value {
            Value::Map(entries) => entries.iter().map(|(key, value)| (key, value)).collect(),
            Value::Null if outlines || self.path.is_empty() => Vec::new(),
            _ => {
                self.mismatch(node, "a map");
                return None;
            }
        };
        Some(Fields {
            reader: self,
            place: node.place(),
            entries,
            known: Vec::new(),
        })
    }

    /// A value, or nothing where it is empty or `null`.
    pub fn nullable<'n, T>(
        &mut self,
        node: &'n Node,
        parse: impl FnOnce(&mut Self, &'n Node) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.outlines() {
            let shape = self.outline_of(|reader| parse(reader, node));
            self.takes(|| Shape::Either(vec![shape, Shape::Null]));
            None
        } else if node.value == Value::Null {
            Some(None)
        } else {
            parse(self, node).map(Some)
        }
    }

    /// Runs `parse` one step further down, so that messages name the whole path.
    pub(super) fn within<T>(
        &mut self,
        step: String,
        parse: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.path.push(step);
        let value = parse(self);
        self.path.pop();
        value
    }

    /// Ends the reading: the value with its warnings.
    ///
    /// # Errors
    /// Every problem, in the order of places, if one of them is an error.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Diagnostic>), Vec<Diagnostic>> {
        self.problems.sort_by_key(|problem| problem.place);
        let failed = self
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error);
        match value {
            Some(value) if !failed => Ok((value, self.problems)),
            _ => Err(self.problems),
        }
    }
}

/// A map being read. Each key is taken once; [`Fields::finish`] reports those that nobody took.
#[derive(Debug)]
#[must_use = "finish() reports the keys that nobody took"]
pub struct Fields<'r, 'n> {
    reader: &'r mut Reader,
    place: (usize, usize),
    entries: Vec<(&'n Key, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'_, 'n> {
    /// The value of a key as it stands, with the key; `None` if it is not there.
    pub fn take(&mut self, name: &'static str) -> Option<(&'n Key, &'n Node)> {
        self.known.push(name);
        self.remove(name)
    }

    /// The parsed value of a key that may be left out, but not left empty.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
    ) -> Option<T> {
        if self.reader.outlines() {
            return self.outline(name, false, parse);
        }
        let (_, node) = self.take(name)?;
        self.reader
            .within(name.to_owned(), |reader| parse(reader, node))
    }

    /// Notes what `parse` takes for a key. There is no value.
    fn outline<T>(
        &mut self,
        name: &'static str,
        required: bool,
        parse: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
    ) -> Option<T> {
        let shape = self.reader.outline_of(|reader| parse(reader, &NOTHING));
        self.reader.outline_field(Field {
            name,
            required,
            shape,
        });
        None
    }

    /// The parsed value of a key that may be left out, empty or `null`, all of which are `None`.
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
    ) -> Option<T> {
        let value = self.optional(name, |reader, node| reader.nullable(node, parse));
        value.flatten()
    }

    /// The parsed value of a key that must be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
    ) -> Option<T> {
        if self.reader.outlines() {
            return self.outline(name, true, parse);
        }
        if !self.entries.iter().any(|(key, _)| key.name == name) {
            let found = format!("{} has no key \"{name}\"", self.reader.path());
            let problem = self.reader.problem_at(self.place, found);
            self.reader.report(problem.help(format!("add \"{name}\"")));
        }
        self.optional(name, parse)
    }

    /// The parsed value of a key that must be there unless it is `known` from elsewhere.
    pub fn required_unless<T>(
        &mut self,
        known: bool,
        name: &'static str,
        parse: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
    ) -> Option<T> {
        if known || self.reader.outlines() {
            self.optional(name, parse)
        } else {
            self.required(name, parse)
        }
    }

    /// Refuses keys that a later version will know: a setting that nothing acts on must not look as if it were in force.
    pub fn unavailable(&mut self, names: &[&'static str]) {
        for name in names {
            if let Some((key, _)) = self.remove(name) {
                let found = format!(
                    "{} is not available in this version",
                    self.reader.path_of(name)
                );
                self.unusable(self.reader.problem_at(key.place(), found).help("remove it"));
            }
        }
    }

    /// The reader, for problems that concern several keys.
    pub fn reader(&mut self) -> &mut Reader {
        self.reader
    }

    /// Reports every key that nobody took.
    pub fn finish(mut self) {
        for (key, _) in std::mem::take(&mut self.entries) {
            let found = format!("unknown key {} in {}", shown(&key.name), self.reader.path());
            let known = self.known.iter().copied();
            let mut problem = self.reader.problem_at(key.place(), found);
            if let Some(meant) = nearest(&key.name, known.clone()) {
                problem = problem.help(format!("did you mean \"{meant}\"?"));
            }
            self.unusable(problem.expected(alternatives(known)));
        }
    }

    fn remove(&mut self, name: &str) -> Option<(&'n Key, &'n Node)> {
        let index = self.entries.iter().position(|(key, _)| key.name == name)?;
        Some(self.entries.remove(index))
    }

    fn unusable(&mut self, problem: Diagnostic) {
        let lenient = self.reader.lenient;
        self.reader
            .report(if lenient { problem.warning() } else { problem });
    }
}

/// `a, b or c`.
pub(super) fn alternatives<'k>(words: impl Iterator<Item = &'k str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn join<'s>(path: impl IntoIterator<Item = &'s str>) -> String {
    let mut joined = String::new();
    for step in path {
        if !joined.is_empty() && !step.starts_with('[') {
            joined.push('.');
        }
        joined.push_str(step);
    }
    joined
}

/// A key or word for a message, in quotes; what does not look like a word may be a secret in the wrong place.
pub(super) fn shown(word: &str) -> String {
    if is_word(word) {
        format!("\"{word}\"")
    } else {
        format!("of {} characters", word.chars().count())
    }
}

pub(super) fn shown_key(key: &str) -> String {
    if is_word(key) {
        key.to_owned()
    } else {
        "…".to_owned()
    }
}

fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.*/ ".contains(c);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    !text.is_empty() && text.len() <= 40 && digits <= 4 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{byte_size, duration, integer, list, map, number, parse, text, word};
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Mode {
        Fast,
        Safe,
    }

    #[derive(Debug, PartialEq)]
    struct Settings {
        listen: Option<String>,
        mode: Option<Mode>,
        wait: Option<Duration>,
        size: Option<usize>,
        ports: Vec<u16>,
        ca: Option<String>,
        limits: Vec<(String, f64)>,
    }

    fn settings(reader: &mut Reader, node: &Node) -> Option<Settings> {
        let mut fields = reader.fields(node)?;
        fields.unavailable(&["cluster"]);
        let settings = Settings {
            listen: fields.required("listen", text),
            mode: fields.optional("mode", word(&[("fast", Mode::Fast), ("safe", Mode::Safe)])),
            wait: fields.optional("wait", duration),
            size: fields.optional("size", byte_size),
            ports: fields
                .optional(
                    "ports",
                    list(|reader, node| integer(1..=65535)(reader, node)),
                )
                .unwrap_or_default(),
            ca: fields.nullable("ca", text),
            limits: fields
                .optional(
                    "limits",
                    map(|reader, _, node| number(0.0..=1.0)(reader, node)),
                )
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| (key.name, value))
                .collect(),
        };
        fields.finish();
        Some(settings)
    }

    fn read(yaml: &str) -> Result<(Settings, Vec<Diagnostic>), Vec<String>> {
        let root = parse("s.yaml", yaml).unwrap();
        let mut reader = Reader::new("s.yaml");
        let value = settings(&mut reader, &root);
        reader
            .finish(value)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_every_type() {
        let (read, warnings) = read(
            "listen: a\nmode: safe\nwait: 500ms\nsize: 20MiB\nports: [80, 443]\nca: null\nlimits: {app: 0.5, web: 1}\n",
        )
        .unwrap();
        assert!(warnings.is_empty());
        assert_eq!(
            read,
            Settings {
                listen: Some("a".to_owned()),
                mode: Some(Mode::Safe),
                wait: Some(Duration::from_millis(500)),
                size: Some(20 << 20),
                ports: vec![80, 443],
                ca: None,
                limits: vec![("app".to_owned(), 0.5), ("web".to_owned(), 1.0)],
            }
        );
    }

    #[test]
    fn reports_every_problem_in_one_run() {
        let yaml = "mode: saff\nwait: 30\nsize: 3 parsecs\nports: [80, 0, http]\nlimits: {app: 2}\nca: 7\nlisten2: b\ncluster: {}\n";
        assert_eq!(
            read(yaml).unwrap_err(),
            [
                "s.yaml:1:1: the document has no key \"listen\"\n  help: add \"listen\"",
                "s.yaml:1:7: unknown mode \"saff\"\n  expected: fast or safe\n  help: did you mean \"safe\"?",
                "s.yaml:2:7: wait is a number\n  expected: a number and its unit: 500ms, 30s, 5m, 2h or 7d",
                "s.yaml:3:7: size is text\n  expected: a number of bytes: 4096, 64KiB, 20MiB or 1GiB",
                "s.yaml:4:13: ports[1] is 0\n  expected: a whole number from 1 to 65535",
                "s.yaml:4:16: ports[2] is text\n  expected: a whole number from 1 to 65535",
                "s.yaml:5:15: limits.app is 2\n  expected: a number from 0 to 1",
                "s.yaml:6:5: ca is a number\n  expected: text\n  help: put quotes around it",
                "s.yaml:7:1: unknown key \"listen2\" in the document\n  expected: listen, mode, wait, size, ports, ca or limits\n  help: did you mean \"listen\"?",
                "s.yaml:8:1: cluster is not available in this version\n  help: remove it",
            ]
        );
    }

    #[test]
    fn wrong_kinds_are_named() {
        assert_eq!(
            read("- a\n").unwrap_err(),
            ["s.yaml:1:1: the document is a list\n  expected: a map"]
        );
        let problems = read("listen: [a]\nports: {}\nmode: 1\n").unwrap_err();
        assert_eq!(
            problems,
            [
                "s.yaml:1:9: listen is a list\n  expected: text",
                "s.yaml:2:8: ports is a map\n  expected: a list",
                "s.yaml:3:7: mode is a number\n  expected: fast or safe",
            ]
        );
    }

    #[test]
    fn what_may_be_a_secret_is_not_printed() {
        let secret = "sk-abcdefgh12345678abcdefgh12345678";
        let problems = read(&format!("listen: a\nmode: {secret}\n{secret}: 1\n"))
            .unwrap_err()
            .join("\n");
        assert!(!problems.contains("abcdefgh"), "{problems}");
    }

    #[test]
    fn a_newer_file_gives_warnings_only() {
        let root = parse("s.yaml", "listen: a\nshiny: 1\ncluster: 2\n").unwrap();
        let mut reader = Reader::new("s.yaml");
        reader.lenient = true;
        let value = settings(&mut reader, &root);
        let (_, warnings) = reader.finish(value).unwrap();
        assert_eq!(warnings.len(), 2);
        assert!(
            warnings
                .iter()
                .all(|problem| problem.severity == Severity::Warning)
        );
    }
}
