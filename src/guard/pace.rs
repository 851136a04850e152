//! How much of a running text may leave beside what patterns hold back: windows, and tool arguments that leave whole.
//!
//! A window is what a judge of more than patterns reads at once. Its text leaves when all of it is there, apart from the part
//! that the next window begins with: what lies across the end of one window is read whole in the next before any of it leaves.

use std::collections::VecDeque;

use crate::policy::{Mode, Policy};
use crate::text::Span;
use crate::wire::{Api, Field};

/// The most bytes of events that may wait for the end of a match. A match within the engine's reach spans far less, even in
/// events of one byte of text each.
const MAX_HELD_BYTES: usize = 1 << 20;
/// An event of one character takes less, with all that is noted of it.
const BYTES_PER_CHAR: usize = 1 << 10;
/// The most bytes of events that may wait for the end of tool arguments.
const MAX_ARGUMENT_BYTES: usize = 16 << 20;

/// Audio that may wait beside the transcript that is held back: 24,000 samples of two bytes a second, in base64.
const MAX_AUDIO_BYTES: usize = 8 << 20;

/// The most bytes of events that may wait under a policy.
pub(super) fn max_held_bytes(api: Api, policy: &Policy) -> usize {
    let audio = if api == Api::Realtime {
        MAX_AUDIO_BYTES
    } else {
        0
    };
    audio + max_text_bytes(policy)
}

fn max_text_bytes(policy: &Policy) -> usize {
    let arguments = if policy.hold_arguments || policy.tools.read_arguments() {
        MAX_ARGUMENT_BYTES
    } else {
        0
    };
    match policy.stream {
        Mode::Holdback => MAX_HELD_BYTES + arguments,
        Mode::Window { chars, .. } => MAX_HELD_BYTES + arguments + chars * BYTES_PER_CHAR,
        Mode::Buffer { max_bytes } => max_bytes,
    }
}

/// Whether nothing of an answer leaves before its end.
pub(super) const fn buffers(policy: &Policy) -> bool {
    !policy.observe && matches!(policy.stream, Mode::Buffer { .. })
}

/// Whether models are asked as soon as a window is complete, and all that comes after waits for them.
pub(super) const fn asks_at_once(api: Api, policy: &Policy) -> bool {
    let windows = matches!(policy.stream, Mode::Window { .. });
    !policy.observe && windows && !matches!(api, Api::Realtime)
}

/// Whether text can wait for long.
pub(super) fn is_slow(policy: &Policy) -> bool {
    let holds = policy.hold_arguments || policy.tools.read_arguments();
    !policy.observe && (holds || !matches!(policy.stream, Mode::Holdback))
}

/// How much of a lane may leave while it runs on.
#[derive(Debug)]
pub(super) enum Pace {
    /// All that no match can begin in.
    Free,
    /// What windows have been read around.
    Windows(Windows),
    /// Nothing.
    Whole,
}

/// The windows of one text. Window `k` has `chars` characters from character `k * step` on.
#[derive(Debug)]
pub(super) struct Windows {
    chars: usize,
    step: usize,
    /// Characters since the start of the first window that is not complete.
    count: usize,
    /// Where the windows after that one start, as far as they have.
    starts: VecDeque<usize>,
    /// Bytes, from the start of the text, that no later window holds.
    read: usize,
}

impl Pace {
    /// The pace of a lane under a policy.
    pub(super) fn of(policy: &Policy, field: Field) -> Self {
        match policy.stream {
            _ if policy.observe => Self::Free,
            _ if policy.hold_arguments && field == Field::ToolArguments => Self::Whole,
            Mode::Window { chars, overlap } => Self::Windows(Windows {
                chars,
                step: chars.saturating_sub(overlap).max(1),
                count: 0,
                starts: VecDeque::new(),
                read: 0,
            }),
            // The stream holds all events.
            Mode::Holdback | Mode::Buffer { .. } => Self::Free,
        }
    }

    /// Reads the next delta, which begins at byte `start` of the text; `judge` is handed each window that it completes.
    pub(super) fn read(&mut self, text: &str, start: usize, judge: &mut impl FnMut(Span)) {
        if let Self::Windows(windows) = self {
            for (place, _) in text.char_indices() {
                windows.character(start + place, judge);
            }
            windows.complete(start + text.len(), judge);
        }
    }

    /// The window that the end of a text of `len` bytes completes.
    pub(super) fn rest(&self, len: usize) -> Option<Span> {
        match self {
            Self::Windows(windows) if windows.read < len => Some(Span::new(windows.read, len)),
            Self::Free | Self::Whole | Self::Windows(_) => None,
        }
    }

    /// Of `cleared` bytes, those that may leave.
    pub(super) fn limit(&self, cleared: usize) -> usize {
        match self {
            Self::Free => cleared,
            Self::Windows(windows) => cleared.min(windows.read),
            Self::Whole => 0,
        }
    }
}

impl Windows {
    /// Takes the character at byte `place`.
    fn character(&mut self, place: usize, judge: &mut impl FnMut(Span)) {
        self.complete(place, judge);
        if self.count > 0 && self.count.is_multiple_of(self.step) {
            self.starts.push_back(place);
        }
        self.count += 1;
    }

    /// Ends the window if it is full with the text before `end`.
    fn complete(&mut self, end: usize, judge: &mut impl FnMut(Span)) {
        if self.count == self.chars {
            judge(Span::new(self.read, end));
            // Without overlap the next window starts where this one ends.
            self.read = self.starts.pop_front().unwrap_or(end);
            self.count -= self.step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has been read after each character of `text`.
    fn read(chars: usize, overlap: usize, text: &str) -> Vec<usize> {
        let mut windows = Pace::Windows(Windows {
            chars,
            step: chars - overlap,
            count: 0,
            starts: VecDeque::new(),
            read: 0,
        });
        text.char_indices()
            .map(|(place, character)| {
                windows.read(character.encode_utf8(&mut [0; 4]), place, &mut |_| {});
                windows.limit(usize::MAX)
            })
            .collect()
    }

    #[test]
    fn every_character_is_in_a_window_that_is_judged() {
        for (chars, overlap, text) in [(4, 1, "abcdefghijk"), (4, 0, "abcdefgh"), (6, 3, "abc")] {
            let mut pace = Pace::Windows(Windows {
                chars,
                step: chars - overlap,
                count: 0,
                starts: VecDeque::new(),
                read: 0,
            });
            let mut judged = Vec::new();
            pace.read(text, 0, &mut |window| judged.push(window));
            judged.extend(pace.rest(text.len()));
            assert_eq!(judged.first().map(|window| window.start), Some(0));
            assert_eq!(judged.last().map(|window| window.end), Some(text.len()));
            assert!(judged.iter().all(|window| window.len() <= chars));
            for pair in judged.windows(2) {
                assert_eq!(pair[1].start + overlap, pair[0].end, "{judged:?}");
            }
        }
    }

    #[test]
    fn a_window_leaves_apart_from_what_the_next_one_holds() {
        assert_eq!(read(4, 0, "abcdefghi"), [0, 0, 0, 4, 4, 4, 4, 8, 8]);
        assert_eq!(read(4, 1, "abcdefghij"), [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]);
        assert_eq!(read(4, 2, "abcdefgh"), [0, 0, 0, 2, 2, 4, 4, 6]);
        assert_eq!(read(2, 1, "éüöa"), [0, 2, 4, 6]);
    }
}
