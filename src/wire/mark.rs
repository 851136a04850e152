//! Whose a string is and how it is read: what a format says of everything below a value, and the same for one string in a byte.

use super::walk::fnv;
use super::{Lane, Part, Piece};
use crate::text::{Form, Origin, Span};

/// What holds for the strings below a value.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not one state"
)]
pub(super) struct Context {
    pub(super) origin: Origin,
    pub(super) form: Form,
    pub(super) part: Part,
    pub(super) keys: bool,
    pub(super) argument: bool,
    pub(super) said: bool,
    pub(super) credential: bool,
    pub(super) bare: bool,
}

impl Context {
    /// Whole strings in plain text, keys not read.
    pub(super) const fn of(origin: Origin) -> Self {
        Self {
            origin,
            form: Form::Plain,
            part: Part::Whole,
            keys: false,
            argument: false,
            said: false,
            credential: false,
            bare: false,
        }
    }

    /// The same for someone else's text.
    pub(super) const fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The same with keys read, too.
    pub(super) const fn keyed(self) -> Self {
        Self { keys: true, ..self }
    }

    /// The same for strings that hold JSON text, which only tools are given.
    pub(super) const fn json(self) -> Self {
        Self {
            form: Form::Json,
            ..self.argument()
        }
    }

    /// The same for what a tool is given.
    pub(super) const fn argument(self) -> Self {
        Self {
            argument: true,
            ..self
        }
    }

    /// Whether it goes on in the next event.
    pub(super) const fn is_running(self) -> bool {
        matches!(self.part, Part::Delta(_))
    }

    /// The same for what is said: text that goes on in the next part or message.
    pub(super) const fn said(self) -> Self {
        Self { said: true, ..self }
    }

    /// The same for a credential that the provider is to use elsewhere.
    pub(super) const fn credential(self) -> Self {
        Self {
            credential: true,
            ..self
        }
    }

    /// The same for strings in this relation to other events.
    pub(super) const fn part(self, part: Part) -> Self {
        Self { part, ..self }
    }

    /// The same for numbers as they stand.
    pub(super) const fn bare(self) -> Self {
        Self {
            form: Form::Json,
            part: Part::Whole,
            said: false,
            bare: true,
            ..self
        }
    }

    /// Whole strings again, as for ids beside running text.
    pub(super) const fn whole(self) -> Self {
        self.part(Part::Whole)
    }

    /// Below a member of running text that is none by itself each path is a lane of its own, so that texts do not mix.
    pub(super) fn below(self, step: &[u8]) -> Self {
        match self.part {
            Part::Delta(lane) => self.part(Part::Delta(Lane {
                path: fnv(lane.path, step),
                ..lane
            })),
            Part::Whole | Part::Snapshot => self,
        }
    }
}

/// Who wrote a node's string and how it is read, in a byte. 0 is no piece.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark(u8);

impl Mark {
    pub(super) const fn of(context: Context) -> Self {
        let origin = match context.origin {
            Origin::System => 0,
            Origin::User => 1,
            Origin::Assistant => 2,
            Origin::Tool => 3,
        };
        let form = match context.form {
            Form::Plain => 0,
            Form::Json => 4,
        };
        let argument = if context.argument { 16 } else { 0 };
        let said = if context.said { 32 } else { 0 };
        let credential = if context.credential { 64 } else { 0 };
        let bare = if context.bare { 128 } else { 0 };
        Self(8 | origin | form | argument | said | credential | bare)
    }

    /// Whether there is a piece.
    pub(super) const fn is_piece(self) -> bool {
        self.0 != 0
    }

    /// The piece at `span` that this stands for.
    pub(super) const fn piece(self, span: Span) -> Piece {
        let origin = match self.0 & 3 {
            0 => Origin::System,
            1 => Origin::User,
            2 => Origin::Assistant,
            _ => Origin::Tool,
        };
        let form = if self.0 & 4 == 0 {
            Form::Plain
        } else {
            Form::Json
        };
        Piece {
            span,
            origin,
            form,
            part: Part::Whole,
            argument: self.0 & 16 != 0,
            said: self.0 & 32 != 0,
            credential: self.0 & 64 != 0,
            bare: self.0 & 128 != 0,
        }
    }
}
