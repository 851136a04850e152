//! What a database has to do for us: run statements, one transaction at a time.
//!
//! The statements are the same for both engines: bound parameters `$1`, `$2` in the order of their first use, and values
//! of four kinds. So everything above this is written, and tested, once.

use std::error::Error;
use std::fmt;
use std::vec::IntoIter;

/// What a database says when it cannot do something.
pub(super) type Problem = Box<dyn Error + Send + Sync>;

/// A database. Calls block.
pub(super) trait Engine: Send + Sync + fmt::Debug {
    /// Runs one statement that changes nothing.
    fn read(&self, step: Step) -> Result<Vec<Row>, Problem>;

    /// Runs statements as one transaction, and gives the rows of each. It is on the disk when this returns.
    fn write(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Problem>;
}

/// A statement and its parameters.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value>,
}

/// A parameter or a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with parameters, in their order.
pub(super) fn step<const N: usize>(sql: &'static str, values: [Value; N]) -> Step {
    Step {
        sql,
        values: values.into(),
    }
}

/// A row, read from left to right.
#[derive(Debug)]
pub(super) struct Row(IntoIter<Value>);

/// A cell that does not hold what it should. Restrictions are kept in cells: what cannot be read does not become none.
#[derive(Debug, thiserror::Error)]
#[error("a row holds what cannot be read: expected {expected}")]
pub(super) struct Unreadable {
    /// What should have been there.
    pub(super) expected: &'static str,
}

impl Row {
    pub(super) fn new(cells: Vec<Value>) -> Self {
        Self(cells.into_iter())
    }

    /// The next cell, if it is text.
    pub(super) fn text(&mut self) -> Result<String, Unreadable> {
        let expected = Unreadable { expected: "text" };
        self.optional_text()?.ok_or(expected)
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<String>, Unreadable> {
        match self.0.next() {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(Unreadable { expected: "text" }),
        }
    }

    pub(super) fn integer(&mut self) -> Result<i64, Unreadable> {
        let expected = Unreadable {
            expected: "a number",
        };
        self.optional_integer()?.ok_or(expected)
    }

    pub(super) fn optional_integer(&mut self) -> Result<Option<i64>, Unreadable> {
        match self.0.next() {
            Some(Value::Integer(number)) => Ok(Some(number)),
            Some(Value::Null) => Ok(None),
            _ => Err(Unreadable {
                expected: "a number",
            }),
        }
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let expected = Unreadable {
            expected: "bytes of a known length",
        };
        match self.0.next() {
            Some(Value::Bytes(bytes)) => bytes.try_into().map_err(|_| expected),
            _ => Err(expected),
        }
    }
}
