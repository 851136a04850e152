//! A JSON array that arrives piece by piece, cut into its elements without reading them (Gemini's streams without `alt=sse`).

use super::json::Malformed;
use crate::text::Span;

/// How far the array has been read. `at` counts from the end of the last cut.
#[derive(Debug, Default)]
pub(super) struct Scan {
    at: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Before the opening bracket.
    #[default]
    Start,
    /// After it: the first element or the closing bracket.
    First,
    /// After an element: a comma or the closing bracket.
    After,
    /// After a comma.
    Element,
    /// Inside an element that began at `start`.
    Inside {
        start: usize,
        depth: u32,
        string: bool,
        escape: bool,
    },
    /// After the closing bracket.
    Done,
}

/// The end of an event: of an element, or of the closing bracket if `element` is `None`.
pub(super) struct Cut {
    pub(super) end: usize,
    pub(super) element: Option<Span>,
}

/// The state after a byte, and whether an event ends with it.
type Step = (State, Option<Cut>);

impl Scan {
    /// Looks for the end of the next element or of the array in `buffer`, going on where it stopped.
    pub(super) fn advance(&mut self, buffer: &[u8]) -> Result<Option<Cut>, Malformed> {
        while let Some(byte) = buffer.get(self.at).copied() {
            let at = self.at;
            self.at += 1;
            let (next, cut) = step(self.state, byte, at)?;
            self.state = next;
            if cut.is_some() {
                self.at = 0;
                return Ok(cut);
            }
        }
        Ok(None)
    }

    /// Whether the closing bracket was met.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

fn step(state: State, byte: u8, at: usize) -> Result<Step, Malformed> {
    if let State::Inside {
        start,
        depth,
        string,
        escape,
    } = state
    {
        return Ok(inside(start, depth, (string, escape), byte, at));
    }
    let expected = match (state, byte) {
        (_, b' ' | b'\n' | b'\r' | b'\t') => return Ok((state, None)),
        (State::Start, b'[') => return Ok((State::First, None)),
        (State::After, b',') => return Ok((State::Element, None)),
        (State::First | State::After, b']') => {
            let cut = Cut {
                end: at + 1,
                element: None,
            };
            return Ok((State::Done, Some(cut)));
        }
        (State::First | State::Element, b'{') => {
            let state = State::Inside {
                start: at,
                depth: 1,
                string: false,
                escape: false,
            };
            return Ok((state, None));
        }
        (State::Start, _) => "`[`",
        (State::First, _) => "`{` or `]`",
        (State::Element, _) => "`{`",
        (State::After, _) => "`,` or `]`",
        (State::Done | State::Inside { .. }, _) => "the end",
    };
    Err(Malformed::at(at, "another character", expected))
}

/// One byte inside an element. Brackets only have to be counted here; the element is parsed strictly later.
fn inside(start: usize, depth: u32, (string, escape): (bool, bool), byte: u8, at: usize) -> Step {
    let inside = |depth, string, escape| State::Inside {
        start,
        depth,
        string,
        escape,
    };
    let next = match (string, escape, byte) {
        (true, true, _) => inside(depth, true, false),
        (true, false, b'\\') => inside(depth, true, true),
        (_, _, b'"') => inside(depth, !string, false),
        (true, false, _) => inside(depth, true, false),
        (false, _, b'{' | b'[') => inside(depth.saturating_add(1), false, false),
        (false, _, b'}' | b']') if depth == 1 => {
            let cut = Cut {
                end: at + 1,
                element: Some(Span::new(start, at + 1)),
            };
            return (State::After, Some(cut));
        }
        (false, _, b'}' | b']') => inside(depth - 1, false, false),
        (false, _, _) => inside(depth, false, false),
    };
    (next, None)
}
