//! When the text of a streamed answer leaves: `stream:` of a policy file.

use crate::document::{Node, Reader, byte_size, integer, word};

/// The words for modes.
pub(super) const MODES: [(&str, &str); 3] = [
    ("holdback", "holdback"),
    ("window", "window"),
    ("buffer", "buffer"),
];

/// When the text of a streamed answer leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As soon as it can be no part of a match any more.
    #[default]
    Holdback,
    /// Besides, only when all of the window around it is there: for judges that need more than a few words.
    Window {
        /// Characters that are read at once.
        chars: usize,
        /// Characters at the end of a window that belong to the next one too, and wait for it.
        overlap: usize,
    },
    /// When the whole answer is there.
    Buffer {
        /// The most bytes of events that are kept.
        max_bytes: usize,
    },
}

/// `stream:`.
pub(super) fn read_stream(reader: &mut Reader, node: &Node) -> Option<Mode> {
    let mut fields = reader.fields(node)?;
    let mode = fields.optional("mode", word(&MODES));
    let (chars, overlap) = (integer(16..=16_384), integer(0..=8_192));
    let chars = fields.optional("window_chars", of_mode(mode, "window", chars));
    let overlap = fields.optional("overlap_chars", of_mode(mode, "window", overlap));
    let max_bytes = fields.optional("buffer_bytes", of_mode(mode, "buffer", byte_size));
    let (chars, overlap) = (chars.unwrap_or(800), overlap.unwrap_or(100));
    if mode == Some("window") && overlap * 2 > chars {
        let reader = fields.reader();
        let problem = reader.problem(node, "windows that overlap by more than half");
        reader.report(problem.expected(format!("overlap_chars of at most {}", chars / 2)));
    }
    let mode = match mode {
        Some("window") => Mode::Window { chars, overlap },
        Some("buffer") => Mode::Buffer {
            max_bytes: max_bytes.unwrap_or(4 << 20),
        },
        Some(_) | None => Mode::Holdback,
    };
    fields.finish();
    Some(mode)
}

/// A key that says nothing in other modes.
fn of_mode<'n, T>(
    mode: Option<&str>,
    needed: &'static str,
    parse: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
) -> impl FnOnce(&mut Reader, &'n Node) -> Option<T> {
    move |reader, node| {
        if mode != Some(needed) {
            let found = format!("{} without mode: {needed}", reader.path());
            let problem = reader.problem(node, found);
            reader.report(problem.help("remove it, or set the mode"));
        }
        parse(reader, node)
    }
}
