//! What a database has to do for us: run statements, one transaction at a time.
//!
//! The statements are the same for both engines: bound parameters `$1`, `$2` in the order of their first use, and values
//! of four kinds. So everything above this is written, and tested, once.

use super::row::Row;
use std::error::Error;
use std::fmt;

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
