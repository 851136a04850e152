//! A row of a database, in one piece of memory: a cell is its kind and, unless it is null, its value. A number takes 8 bytes
//! (little endian); text and bytes are their length, one byte or 255 and 4 bytes, and themselves.

use super::engine::Value;

/// No cell of this kind: what follows the last one is zero.
const END: u8 = 0;
const NULL: u8 = 1;
const INTEGER: u8 = 2;
const TEXT: u8 = 3;
const BYTES: u8 = 4;
/// A length that stands in the 4 bytes that follow.
const LONG: u8 = 255;

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row(Vec<u8>);

/// Cells, read from left to right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells<'a>(&'a [u8]);

/// A cell that does not hold what it should. Restrictions are kept in cells: what cannot be read does not become none.
#[derive(Debug, thiserror::Error)]
#[error("a row holds what cannot be read: expected {expected}")]
pub(super) struct Unreadable {
    /// What should have been there.
    pub(super) expected: &'static str,
}

impl Row {
    pub(super) fn cells(&self) -> Cells<'_> {
        Cells(&self.0)
    }

    /// Adds a cell.
    pub(super) fn push(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.push(NULL),
            Value::Integer(number) => {
                self.0.push(INTEGER);
                self.0.extend(number.to_le_bytes());
            }
            Value::Text(text) => self.push_long(TEXT, text.as_bytes()),
            Value::Bytes(bytes) => self.push_long(BYTES, bytes),
        }
    }

    fn push_long(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        match u8::try_from(bytes.len()) {
            Ok(length) if length != LONG => self.0.push(length),
            _ => {
                // No cell of ours comes near the bound.
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                self.0.push(LONG);
                self.0.extend(length.to_le_bytes());
            }
        }
        self.0.extend(bytes);
    }
}

impl FromIterator<Value> for Row {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let mut row = Self::default();
        values.into_iter().for_each(|value| row.push(&value));
        row
    }
}

impl<'a> Cells<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet, as bytes.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next cells, this many, as bytes; what is there if they are fewer.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let all = self.0;
        for _ in 0..count {
            if self.next().is_none() {
                break;
            }
        }
        let length = all.len() - self.0.len();
        all.get(..length).unwrap_or_default()
    }

    /// The next cell, if it is text.
    pub(super) fn text(&mut self) -> Result<&'a str, Unreadable> {
        let expected = Unreadable { expected: "text" };
        self.optional_text()?.ok_or(expected)
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<&'a str>, Unreadable> {
        let expected = Unreadable { expected: "text" };
        match self.next() {
            Some((TEXT, text)) => std::str::from_utf8(text).map(Some).map_err(|_| expected),
            Some((NULL, _)) => Ok(None),
            _ => Err(expected),
        }
    }

    pub(super) fn integer(&mut self) -> Result<i64, Unreadable> {
        let expected = Unreadable {
            expected: "a number",
        };
        self.optional_integer()?.ok_or(expected)
    }

    pub(super) fn optional_integer(&mut self) -> Result<Option<i64>, Unreadable> {
        let expected = Unreadable {
            expected: "a number",
        };
        match self.next() {
            Some((INTEGER, number)) => number
                .try_into()
                .map(|number| Some(i64::from_le_bytes(number)))
                .map_err(|_| expected),
            Some((NULL, _)) => Ok(None),
            _ => Err(expected),
        }
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let expected = Unreadable {
            expected: "bytes of a known length",
        };
        match self.next() {
            Some((BYTES, bytes)) => bytes.try_into().map_err(|_| expected),
            _ => Err(expected),
        }
    }

    /// The next cell: its kind and its value's bytes.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (kind, rest) = self.0.split_first()?;
        let (length, rest) = match *kind {
            END => return None,
            NULL => (0, rest),
            INTEGER => (8, rest),
            _ => match rest.split_first()? {
                (&LONG, rest) => {
                    let (length, rest) = rest.split_first_chunk()?;
                    (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
                }
                (length, rest) => (usize::from(*length), rest),
            },
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_went() {
        let texts = [
            "",
            "abcdefgh",
            &"\u{e9}".repeat(127),
            &"x".repeat(255),
            &"y".repeat(70_000),
        ];
        for text in texts {
            let values = [
                text.into(),
                Value::Null,
                Value::Integer(i64::MIN),
                [0, 255, 2].as_slice().into(),
                text.into(),
                Value::Null,
            ];
            let mut row: Row = values.into_iter().collect();
            for zeros in 0..3 {
                row.0.resize(row.0.len() + zeros, 0);
                let mut cells = row.cells();
                assert_eq!(cells.text().unwrap(), text);
                assert_eq!(cells.optional_text().unwrap(), None);
                assert_eq!(cells.integer().unwrap(), i64::MIN);
                assert_eq!(cells.bytes().unwrap(), [0, 255, 2]);
                let rest = cells;
                assert_eq!(
                    cells.take(1),
                    &rest.rest()[..rest.rest().len() - cells.rest().len()]
                );
                assert_eq!(cells.optional_integer().unwrap(), None);
                assert!(cells.optional_integer().is_err());
                assert!(cells.take(2).is_empty());
            }
        }
    }

    #[test]
    fn what_is_not_what_it_should_be_is_an_error() {
        let row: Row = ["text".into(), 5.into(), [255].as_slice().into()]
            .into_iter()
            .collect();
        assert!(row.cells().integer().is_err());
        assert!(row.cells().bytes::<4>().is_err());
        let mut cells = row.cells();
        cells.take(1);
        assert!(cells.clone().optional_text().is_err());
        cells.take(1);
        assert!(cells.clone().text().is_err());
        assert!(cells.bytes::<2>().is_err());
        for length in 0..row.0.len() {
            let mut cut = Cells::new(&row.0[..length]);
            assert!(
                cut.text()
                    .and_then(|_| cut.integer())
                    .and_then(|_| cut.bytes::<1>())
                    .is_err()
            );
        }
    }
}
