//! What a document may hold, learned from the parsers that read it: they run once over no document at all, and each says what it
//! would take. So a schema made from it cannot differ from what is read.

use super::read::Reader;
use super::{Key, Node, Value};

/// What a parser takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    /// Nobody has said.
    #[default]
    Any,
    /// Text, of this form where a pattern can say it.
    Text(Option<&'static str>),
    /// `true` or `false`.
    Boolean,
    /// A whole number in a range.
    Integer(i64, i64),
    /// A number in a range.
    Number(f64, f64),
    /// One of these words.
    Words(Vec<String>),
    /// A list.
    List(Box<Self>),
    /// A map with keys of the user's own, which are of the first shape.
    Map(Box<Self>, Box<Self>),
    /// A map with these keys.
    Fields(Vec<Field>),
    /// Any of these.
    Either(Vec<Self>),
    /// Nothing at all.
    Null,
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As written.
    pub name: &'static str,
    /// It cannot be left out.
    pub required: bool,
    /// What stands there.
    pub shape: Shape,
}

/// Stands for every value while there is no document.
pub(super) static NOTHING: Node = Node {
    value: Value::Null,
    line: 1,
    column: 1,
};

/// Stands for every key of a user's own. Its place tells it from values.
pub(super) static ANY_KEY: Key = Key {
    name: String::new(),
    line: 0,
    column: 0,
};

impl Shape {
    /// What `parse` takes.
    pub fn of<T>(parse: impl FnOnce(&mut Reader, &'static Node) -> Option<T>) -> Self {
        let mut reader = Reader::new("");
        reader.outline = Some(Self::Any);
        // What it makes of nothing is of no use, and so are its problems.
        let _ = parse(&mut reader, &NOTHING);
        reader.outline.unwrap_or_default()
    }
}

impl Reader {
    /// Notes what the parser that runs now takes, if that is what is asked.
    pub(super) fn takes(&mut self, shape: impl FnOnce() -> Shape) -> bool {
        match &mut self.outline {
            Some(outline) => {
                *outline = shape();
                true
            }
            None => false,
        }
    }

    /// Whether there is no document, and only what parsers would take is asked.
    pub(super) const fn outlines(&self) -> bool {
        self.outline.is_some()
    }

    /// What `parse` takes, in the same outline.
    pub(super) fn outline_of<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Shape {
        let around = self.outline.replace(Shape::Any);
        let _ = parse(self);
        std::mem::replace(&mut self.outline, around).unwrap_or_default()
    }

    /// Adds a key to the map that is being outlined.
    pub(super) fn outline_field(&mut self, field: Field) {
        if let Some(Shape::Fields(fields)) = &mut self.outline {
            fields.push(field);
        }
    }

    /// Notes the words that a value may be, or a key, which has the place of [`ANY_KEY`].
    pub(super) fn outline_words(&mut self, place: (usize, usize), words: Vec<String>) {
        if place == ANY_KEY.place() {
            self.outline_keys = Shape::Words(words);
        } else {
            self.outline = Some(Shape::Words(words));
        }
    }

    /// Reads a value that may be written as a map, or shorter.
    pub fn short_or_map<'n, T>(
        &mut self,
        node: &'n Node,
        short: impl FnOnce(&mut Self, &'n Node) -> Option<T>,
        map: impl FnOnce(&mut Self, &'n Node) -> Option<T>,
    ) -> Option<T> {
        if self.outlines() {
            let short = self.outline_of(|reader| short(reader, node));
            let map = self.outline_of(|reader| map(reader, node));
            self.takes(|| Shape::Either(vec![short, map]));
            return None;
        }
        if matches!(node.value, Value::Map(_)) {
            map(self, node)
        } else {
            short(self, node)
        }
    }
}
