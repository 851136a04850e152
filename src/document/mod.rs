//! A YAML document in which every value knows its place, and the typed reading of it.
//!
//! Settings and policies are parsed, not validated: [`parse`] gives a tree of [`Node`]s, and a [`Reader`] turns it into
//! the reader's own types, collecting every problem of the file in one run. The tree is built from parser events and not
//! through serde, because serde stops at the first problem and loses the places of keys.
//!
//! YAML 1.2 core schema: `yes`, `on` and `012` are text or numbers as written, never booleans or octals. Tags, several documents
//! in a file and keys written twice are refused: each lets a file say something other than what its reader sees.

mod outline;
mod read;
mod value;

use std::collections::HashMap;
use std::fmt;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use crate::diagnostic::Diagnostic;
pub use outline::{Field, Shape};
pub use read::{Fields, Reader};
pub use value::{
    boolean, byte_size, duration, integer, json, list, map, number, parse_byte_size,
    parse_duration, text, word,
};

/// A file may have this many bytes.
pub const MAX_BYTES: usize = 4 << 20;
/// Lists and maps may be nested this deep.
const MAX_DEPTH: usize = 32;
/// A document may have this weight: one for each value and for each 32 bytes of text, those that aliases repeat included.
const MAX_WEIGHT: usize = 400_000;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A key of a map and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key as written; numbers and the like are taken as text.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Node {
    /// Line and column.
    pub const fn place(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

impl Key {
    /// Line and column.
    pub const fn place(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

/// What a YAML value can be.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order written; no key occurs twice.
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// The kind of value, as a noun with its article: all that a message may say about a value.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) => "text",
            Self::Seq(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Prints kinds only: a settings file may hold passwords.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(items) => f.debug_list().entries(items).finish(),
            Self::Map(entries) => f
                .debug_map()
                .entries(entries.iter().map(|(key, node)| (key, node)))
                .finish(),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Str(_) => {
                f.write_str(self.kind())
            }
        }
    }
}

/// Reads the one document in `text`; an empty text is [`Value::Null`].
///
/// # Errors
/// Every key written twice, tag and key that is no plain word; or what came before the first syntax error or broken limit, and that.
pub fn parse(file: &str, text: &str) -> Result<Node, Vec<Diagnostic>> {
    if text.len() > MAX_BYTES {
        let problem = Diagnostic::error(file, format!("the file has {} bytes", text.len()));
        return Err(vec![problem.expected(format!("at most {MAX_BYTES} bytes"))]);
    }
    let mut tree = Tree {
        file,
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        weight: 0,
        problems: Vec::new(),
    };
    match tree.document() {
        Ok(node) if tree.problems.is_empty() => Ok(node),
        Ok(_) => Err(tree.problems),
        Err(problem) => {
            tree.problems.push(*problem);
            Err(tree.problems)
        }
    }
}

/// A problem after which the rest of the document has no meaning; boxed because it is large and rare.
type Fatal = Box<Diagnostic>;

/// Builds the tree from parser events, by recursive descent.
struct Tree<'t> {
    file: &'t str,
    events: Parser<'t, serde_yaml::granit_parser::StrInput<'t>>,
    /// Finished values by anchor number, with the weight of each.
    anchors: HashMap<usize, (Node, usize)>,
    weight: usize,
    problems: Vec<Diagnostic>,
}

impl<'t> Tree<'t> {
    fn document(&mut self) -> Result<Node, Fatal> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    return Err(Box::new(
                        self.problem(&span, "a second document")
                            .expected("one document in a file"),
                    ));
                }
                event => root = Some(self.node(event, &span, 0)?),
            }
        }
        Ok(root.unwrap_or(Node {
            value: Value::Null,
            line: 1,
            column: 1,
        }))
    }

    /// The next event that is no comment.
    fn next(&mut self) -> Result<(Event<'t>, Span), Fatal> {
        loop {
            match self.events.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => return Err(Box::new(self.syntax(&error))),
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, Fatal> {
        if depth > MAX_DEPTH {
            let problem = self.problem(span, "lists and maps nested too deep");
            return Err(Box::new(
                problem.expected(format!("at most {MAX_DEPTH} levels")),
            ));
        }
        let before = self.weight;
        self.weigh(
            span,
            if let Event::Scalar(text, ..) = &event {
                1 + text.len() / 32
            } else {
                1
            },
        )?;
        let (value, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = if style == ScalarStyle::Plain {
                    resolve(&text)
                } else {
                    Value::Str(text.into_owned())
                };
                (value, anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(_, anchor, tag) => (self.map(depth)?, anchor, tag),
            Event::Alias(anchor) => {
                // An alias inside the value that its anchor names is not finished yet, thus not found.
                let Some((mut node, weight)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Box::new(
                        self.problem(span, "an alias inside the value it stands for"),
                    ));
                };
                self.weigh(span, weight)?;
                (node.line, node.column) = place(span);
                return Ok(node);
            }
            _ => {
                return Err(Box::new(
                    self.problem(span, "an unexpected end of a list, map or document"),
                ));
            }
        };
        if tag.is_some() {
            let problem = self.problem(span, "a YAML tag").expected("plain values");
            self.problems
                .push(problem.help("remove the tag; put quotes around what should be text"));
        }
        let (line, column) = place(span);
        let node = Node {
            value,
            line,
            column,
        };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.weight - before));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fatal> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Seq(items)),
                (event, span) => items.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Fatal> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            let (line, column) = place(&span);
            let name = match &event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(text, ..) => Some(text.to_string()),
                _ => None,
            };
            self.node(event, &span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, &value_span, depth + 1)?;
            let Some(name) = name else {
                let problem = self
                    .problem(&span, "a key that is no word")
                    .expected("words as keys");
                self.problems.push(problem);
                continue;
            };
            if let Some(first) = lines.insert(name.clone(), line) {
                let problem =
                    self.problem(&span, format!("key {} written twice", read::shown(&name)));
                self.problems.push(problem.help(format!(
                    "it was first written in line {first}; keep one of them"
                )));
                continue;
            }
            entries.push((Key { name, line, column }, value));
        }
    }

    /// Adds up what was read, so that a small file of nested aliases cannot become a huge tree.
    fn weigh(&mut self, span: &Span, weight: usize) -> Result<(), Fatal> {
        self.weight += weight;
        if self.weight <= MAX_WEIGHT {
            return Ok(());
        }
        Err(Box::new(
            self.problem(span, "too many values")
                .help("what aliases repeat counts each time"),
        ))
    }

    fn problem(&self, span: &Span, found: impl Into<String>) -> Diagnostic {
        let (line, column) = place(span);
        Diagnostic::error(self.file, found).at(line, column)
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let mark = error.marker();
        Diagnostic::error(self.file, format!("not readable as YAML: {}", error.info()))
            .at(mark.line(), mark.col() + 1)
            .help("check indentation, quotes and brackets here and in the line above")
    }
}

fn place(span: &Span) -> (usize, usize) {
    (span.start.line(), span.start.col() + 1)
}

/// The value of a plain scalar in the core schema (YAML 1.2.2, section 10.3.2).
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(value) = text
        .parse()
        .ok()
        .or_else(|| radix("0x", 16))
        .or_else(|| radix("0o", 8))
    {
        return Value::Int(value);
    }
    // Rust also reads `inf`, `nan` and `infinity`, which are words here; `.inf` and `.nan` serve no setting.
    let numeric = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse() {
        Ok(value) if numeric => Value::Float(value),
        _ => Value::Str(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        parse("f.yaml", text)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn values(text: &str) -> Vec<(String, Value)> {
        match parse("f.yaml", text).unwrap().value {
            Value::Map(entries) => entries
                .into_iter()
                .map(|(key, node)| (key.name, node.value))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let read = values(
            "a: yes\nb: 012\nc: 0x1F\nd: 1e3\ne: ~\nf:\ng: \"7\"\nh: 2027-12-31\ni: inf\nj: -3\nk: True\nl: 1.10",
        );
        let text = |text: &str| Value::Str(text.to_owned());
        let expected = [
            text("yes"),
            Value::Int(12),
            Value::Int(31),
            Value::Float(1000.0),
            Value::Null,
            Value::Null,
            text("7"),
            text("2027-12-31"),
            text("inf"),
            Value::Int(-3),
            Value::Bool(true),
            Value::Float(1.1),
        ];
        assert!(
            read.iter().map(|(_, value)| value).eq(&expected),
            "{read:?}"
        );
    }

    #[test]
    fn places_are_those_of_the_file() {
        let root = parse("f.yaml", "# comment\na: 1\nb:\n  - {c: é, d: x}\n").unwrap();
        let Value::Map(entries) = &root.value else {
            panic!("{root:?}")
        };
        let (key, b) = &entries[1];
        assert_eq!((key.line, key.column), (3, 1));
        let Value::Seq(items) = &b.value else {
            panic!("{b:?}")
        };
        let Value::Map(inner) = &items[0].value else {
            panic!("{items:?}")
        };
        assert_eq!(
            (inner[1].0.line, inner[1].0.column, inner[1].1.column),
            (4, 12, 15)
        );
    }

    #[test]
    fn every_repeated_key_and_tag_is_reported() {
        assert_eq!(
            problems("a: 1\nb: {c: 1, c: 2}\na: 3\nd: !!str 4\n"),
            [
                "f.yaml:2:11: key \"c\" written twice\n  help: it was first written in line 2; keep one of them",
                "f.yaml:3:1: key \"a\" written twice\n  help: it was first written in line 1; keep one of them",
                "f.yaml:4:10: a YAML tag\n  expected: plain values\n  help: remove the tag; put quotes around what should be text",
            ]
        );
    }

    #[test]
    fn syntax_errors_have_a_place_and_no_content() {
        let found = problems("a: 1\nb: [hunter2, \n");
        assert!(
            found[0].starts_with("f.yaml:2:4: not readable as YAML: "),
            "{found:?}"
        );
        assert!(!found[0].contains("hunter2"), "{found:?}");
        assert!(problems("a: 1\n---\nb: 2\n")[0].contains("a second document"));
        assert!(problems("[a]: 1\n")[0].contains("a key that is no word"));
    }

    #[test]
    fn an_empty_file_is_null() {
        assert_eq!(parse("f.yaml", "# nothing\n").unwrap().value, Value::Null);
    }

    #[test]
    fn aliases_repeat_values_within_limits() {
        let read = values("a: &x [1, 2]\nb: *x\n");
        assert_eq!(read[0].1.kind(), read[1].1.kind());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let previous = format!("*a{}, ", level - 1).repeat(10);
            let level = level.to_string();
            bomb.push_str(&["a", &level, ": &a", &level, " [", &previous, "]\n"].concat());
        }
        assert!(problems(&bomb)[0].contains("too many values"));
        let long = "x".repeat(1 << 20);
        let copies = "*l, ".repeat(1000);
        assert!(problems(&format!("a: &l {long}\nb: [{copies}]\n"))[0].contains("too many values"));
        assert!(problems("a: &x [*x]\n")[0].contains("inside the value"));
    }

    #[test]
    fn depth_is_limited() {
        let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
        assert!(problems(&deep)[0].contains("nested too deep"));
    }

    #[test]
    fn values_are_not_printed() {
        let root = parse("f.yaml", "password: hunter2\n").unwrap();
        assert!(!format!("{root:?}").contains("hunter2"));
    }
}
