//! Fenced code blocks of Markdown text that is still arriving.
//!
//! As in `CommonMark` 0.31, section 4.5, but at any indentation and in quotes: models fence code in lists and quotations, too.

use std::collections::VecDeque;

/// Fences that are remembered: more than a match and the text held back for it can span.
const MAX_EDGES: usize = 1024;

/// The fences of a text so far.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    /// Bytes read.
    length: usize,
    line: Line,
    /// The character and length of the fence that opened the block we are in.
    open: Option<(u8, usize)>,
    /// Where blocks begin and end, in turn.
    edges: VecDeque<usize>,
    /// Blocks begin at odd edges: one has been forgotten.
    odd: bool,
}

/// How far a line has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// Blanks and quotation marks.
    #[default]
    Start,
    /// So many of the same fence character, the first of them there.
    Fence {
        mark: u8,
        count: usize,
        at: usize,
    },
    /// Blanks after what may close a block.
    Closing,
    Rest,
}

impl Blocks {
    /// The fences of a whole text.
    pub fn of(text: &str) -> Self {
        let mut blocks = Self::default();
        blocks.push(text);
        blocks
    }

    /// Reads the next piece of the text.
    pub fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            self.step(byte);
            self.length += 1;
        }
    }

    /// Whether the byte at `place` is in a block, its fences included.
    pub fn contains(&self, place: usize) -> bool {
        let before = self.edges.partition_point(|edge| *edge <= place);
        (before + usize::from(self.odd)) % 2 == 1
    }

    fn step(&mut self, byte: u8) {
        self.line = match (self.line, byte) {
            (Line::Closing, b'\n') => {
                self.open = None;
                self.edge(self.length);
                Line::Start
            }
            (Line::Fence { mark, count, at }, _) if byte != mark => {
                self.line = self.fence(mark, count, at);
                return self.step(byte);
            }
            (Line::Fence { mark, count, at }, _) => Line::Fence {
                mark,
                count: count + 1,
                at,
            },
            (_, b'\n') | (Line::Start, b' ' | b'\t' | b'>') => Line::Start,
            (Line::Start, b'`' | b'~') => Line::Fence {
                mark: byte,
                count: 1,
                at: self.length,
            },
            (Line::Closing, b' ' | b'\t' | b'\r') => Line::Closing,
            (Line::Start | Line::Closing | Line::Rest, _) => Line::Rest,
        };
    }

    /// What a run of fence characters is.
    fn fence(&mut self, mark: u8, count: usize, at: usize) -> Line {
        match self.open {
            None if count >= 3 => {
                self.open = Some((mark, count));
                self.edge(at);
                Line::Rest
            }
            Some((open, length)) if open == mark && count >= length => Line::Closing,
            None | Some(_) => Line::Rest,
        }
    }

    fn edge(&mut self, at: usize) {
        self.edges.push_back(at);
        if self.edges.len() > MAX_EDGES {
            self.edges.pop_front();
            self.odd = !self.odd;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_where_markdown_has_them() {
        // Upper-case letters are in blocks, lower-case ones are not.
        for text in [
            "plain\n```\nCODE\n```\nplain",
            "```1\nCODE ``` STILL\n  ```  \nplain\n~~~~\nA\n~~~\nB\n```\nC\n~~~~\nno",
            "1. item\n\n    ```2\n    X\n    ```\n   no `inline` or ``two`` here",
            "> ```\n> QUOTED\n> ```\n> no",
            "no\n```\nOPEN TO THE END",
            "a ``` b\nplain\n```\nA\n``` B\nC\n```\r\nno",
        ] {
            let blocks = Blocks::of(text);
            let mut pieces = Blocks::default();
            for character in text.split_inclusive(|_| true) {
                pieces.push(character);
            }
            for (place, byte) in text
                .bytes()
                .enumerate()
                .filter(|(_, b)| b.is_ascii_alphabetic())
            {
                assert_eq!(
                    blocks.contains(place),
                    byte.is_ascii_uppercase(),
                    "{place} of {text:?}"
                );
                assert_eq!(blocks.contains(place), pieces.contains(place));
            }
        }
    }

    #[test]
    fn memory_is_bounded_and_the_latest_fences_count() {
        let text = "```\nX\n```\nx\n".repeat(3000);
        let blocks = Blocks::of(&text);
        assert!(blocks.edges.len() <= MAX_EDGES);
        let tail = text.len() - 12 * 100;
        for (place, byte) in text
            .bytes()
            .enumerate()
            .skip(tail)
            .filter(|(_, b)| b.is_ascii_alphabetic())
        {
            assert_eq!(blocks.contains(place), byte == b'X');
        }
    }
}
