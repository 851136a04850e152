//! Places in policy files.

use crate::diagnostic::Diagnostic;
use crate::document::{Node, Reader};

/// A place in a policy file, for problems that only show when all files are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    file: String,
    line: usize,
    column: usize,
}

impl Spot {
    /// An error at this place.
    pub(super) fn error(&self, found: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.file, found).at(self.line, self.column)
    }

    pub(super) fn of(reader: &Reader, node: &Node) -> Self {
        Self {
            file: reader.file().to_owned(),
            line: node.line,
            column: node.column,
        }
    }

    /// Another place of the same file.
    pub(super) fn moved(&self, (line, column): (usize, usize)) -> Self {
        Self {
            file: self.file.clone(),
            line,
            column,
        }
    }
}
