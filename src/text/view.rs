//! A segment's text as scanners see it, with a map back to its source bytes.
//!
//! A view is made while the text arrives, from whatever piece of it comes: as its reader gets it (JSON escapes undone where the text is JSON), folded
//! ([`crate::text::unicode`]), or with some encoding undone. One that is not the source itself carries a [`Map`].

use super::Span;

/// From offsets in a view to offsets in the source. Only what differs is kept: between two checkpoints, bytes are one to one.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// Ascending in both offsets. Never empty after the first difference.
    checkpoints: Vec<Checkpoint>,
}

#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    view: usize,
    source: usize,
    /// Source bytes that the view's bytes from here to the next checkpoint stand for as a whole; 0 where they are one to one.
    whole: usize,
}

impl Map {
    /// Notes that `view_len` bytes of the view at `view` stand for `source_len` bytes at `source`, none of them separable.
    pub fn whole(&mut self, view: usize, view_len: usize, source: usize, source_len: usize) {
        // What the same source stands for may go on: a group of digits makes several bytes.
        if let [.., before, last] = self.checkpoints.as_mut_slice()
            && before.whole == source_len
            && before.source == source
            && last.view == view
            && source_len > 0
        {
            last.view += view_len;
            return;
        }
        if view_len > 0 {
            self.put(Checkpoint {
                view,
                source,
                whole: source_len,
            });
        }
        self.put(Checkpoint {
            view: view + view_len,
            source: source + source_len,
            whole: 0,
        });
    }

    /// The source offset at which the view's byte at `view` begins.
    pub fn start(&self, view: usize) -> usize {
        start(self.at(view), view)
    }

    /// The source offset at which the view's byte before `view` ends. `view > 0`.
    pub fn end(&self, view: usize) -> usize {
        let last = view.saturating_sub(1);
        end(self.at(last), last)
    }

    /// Where in the source the view's bytes between two offsets begin, if all of them are one to one.
    pub fn straight(&self, from: usize, to: usize) -> Option<usize> {
        let before = self.checkpoints.partition_point(|point| point.view <= from);
        let next = self.checkpoints.get(before);
        let whole = before
            .checked_sub(1)
            .and_then(|last| self.checkpoints.get(last));
        let straight =
            whole.is_none_or(|point| point.whole == 0) && next.is_none_or(|next| next.view >= to);
        straight.then(|| self.start(from))
    }

    /// The same map for what is below `view`; from there on, bytes are one to one.
    #[must_use]
    pub fn up_to(&self, view: usize) -> Self {
        let known = self.checkpoints.partition_point(|point| point.view < view);
        let mut map = Self {
            checkpoints: self.checkpoints.get(..known).unwrap_or_default().to_vec(),
        };
        map.same(view, self.start(view));
        map
    }

    /// Notes that bytes from `view` on are one to one with those from `source` on.
    pub fn same(&mut self, view: usize, source: usize) {
        if self.start(view) != source {
            self.put(Checkpoint {
                view,
                source,
                whole: 0,
            });
        }
    }

    /// Forgets what is only needed for offsets below `view`.
    pub fn trim(&mut self, view: usize) {
        // Shifting the list costs as much as it holds: only where half of it goes.
        if self.checkpoints.len() > 32 {
            let unneeded = self
                .checkpoints
                .partition_point(|point| point.view <= view)
                .saturating_sub(1);
            if unneeded > self.checkpoints.len() / 2 {
                self.checkpoints.drain(..unneeded);
            }
        }
    }

    fn put(&mut self, point: Checkpoint) {
        if let Some(last) = self.checkpoints.last_mut()
            && last.view == point.view
        {
            *last = point;
        } else {
            self.checkpoints.push(point);
        }
    }

    fn at(&self, view: usize) -> Option<&Checkpoint> {
        // Most are asked for at the end.
        if let Some(last) = self.checkpoints.last()
            && last.view <= view
        {
            return Some(last);
        }
        let after = self.checkpoints.partition_point(|point| point.view <= view);
        self.checkpoints.get(after.checked_sub(1)?)
    }

    /// Looks up offsets from `view` on, one after the other.
    pub fn walk(&self, view: usize) -> Walk<'_> {
        let known = self.checkpoints.partition_point(|point| point.view <= view);
        Walk {
            checkpoints: &self.checkpoints,
            known,
        }
    }
}

/// Offsets of a map, asked for in ascending order.
#[derive(Debug)]
pub struct Walk<'a> {
    checkpoints: &'a [Checkpoint],
    /// How many of them are at or before the last offset.
    known: usize,
}

impl Walk<'_> {
    /// The source of `length` bytes of the view at `view`, which is none before the one asked for last. `length > 0`.
    #[inline]
    pub fn source(&mut self, view: usize, length: usize) -> Span {
        let point = self.at(view);
        let first = start(point, view);
        if length == 1 {
            return Span::new(first, end(point, view));
        }
        let last = view + length - 1;
        Span::new(first, end(self.at(last), last))
    }

    #[inline]
    fn at(&mut self, view: usize) -> Option<&Checkpoint> {
        while let Some(next) = self.checkpoints.get(self.known)
            && next.view <= view
        {
            self.known += 1;
        }
        self.checkpoints.get(self.known.checked_sub(1)?)
    }
}

/// Where in the source the view's byte at `view` begins, which follows the checkpoint.
fn start(point: Option<&Checkpoint>, view: usize) -> usize {
    match point {
        None => view,
        Some(point) if point.whole > 0 => point.source,
        Some(point) => point.source + (view - point.view),
    }
}

/// Where in the source the view's byte at `view` ends.
fn end(point: Option<&Checkpoint>, view: usize) -> usize {
    match point {
        None => view + 1,
        Some(point) if point.whole > 0 => point.source + point.whole,
        Some(point) => point.source + (view - point.view) + 1,
    }
}

/// The same place in a view and in its source.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Offset in the view.
    pub view: usize,
    /// Offset in the source.
    pub source: usize,
}

/// Undoes JSON string escapes (RFC 8259, section 7) in text that arrives in pieces. What is no valid escape stays as written.
#[derive(Clone, Debug, Default)]
pub struct Unescape {
    /// An escape that is not complete yet, as written; with a high surrogate before it, both.
    pending: String,
}

impl Unescape {
    /// Source bytes of an escape that is not complete yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether `text` can be taken as it is.
    pub fn is_plain(&self, text: &str) -> bool {
        self.pending.is_empty() && !text.contains('\\')
    }

    /// Appends the unescaped text to `view`, whose first byte is at `at.view`; `text` is at `at.source`.
    pub fn push(&mut self, text: &str, at: Place, view: &mut String, map: &mut Map) {
        let mut end = at.source;
        for character in text.chars() {
            end += character.len_utf8();
            if self.pending.is_empty() && character != '\\' {
                view.push(character);
            } else {
                self.pending.push(character);
                let source = end - self.pending.len();
                self.resolve(Place { source, ..at }, view, map);
            }
        }
    }

    /// All of a text at once.
    pub fn whole(text: &str) -> String {
        let (mut unescape, mut view) = (Self::default(), String::with_capacity(text.len()));
        let at = Place { view: 0, source: 0 };
        unescape.push(text, at, &mut view, &mut Map::default());
        unescape.finish(&mut view);
        view
    }

    /// The end of the text: an escape that was cut off stays as written.
    pub fn finish(&mut self, view: &mut String) {
        view.push_str(&self.pending);
        self.pending.clear();
    }

    /// Moves as much of `pending`, which begins at `at.source`, to the view as is decided.
    fn resolve(&mut self, at: Place, view: &mut String, map: &mut Map) {
        let mut source = at.source;
        while !self.pending.is_empty() {
            let length = match read_escape(&self.pending) {
                Escape::Open => return,
                Escape::Plain(length) => {
                    view.extend(self.pending.drain(..length));
                    length
                }
                Escape::Of(decoded, length) => {
                    map.whole(at.view + view.len(), decoded.len_utf8(), source, length);
                    view.push(decoded);
                    self.pending.drain(..length);
                    length
                }
            };
            source += length;
        }
    }
}

/// What a piece of text that may be an escape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// More text decides.
    Open,
    /// So many bytes stand for themselves.
    Plain(usize),
    /// So many bytes stand for this character.
    Of(char, usize),
}

fn read_escape(text: &str) -> Escape {
    let mut characters = text.chars();
    match characters.next() {
        Some('\\') => {}
        Some(other) => return Escape::Plain(other.len_utf8()),
        None => return Escape::Open,
    }
    let decoded = match characters.next() {
        None => return Escape::Open,
        Some('"') => '"',
        Some('\\') => '\\',
        Some('/') => '/',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return read_unicode_escape(text),
        Some(_) => return Escape::Plain(1),
    };
    Escape::Of(decoded, 2)
}

/// `text` begins with `\u`.
pub(super) fn read_unicode_escape(text: &str) -> Escape {
    let Some(first) = hex(text, 2) else {
        return open_or_plain(text, 0);
    };
    if let Some(character) = char::from_u32(first) {
        return Escape::Of(character, 6);
    }
    let high = (0xd800..0xdc00).contains(&first);
    let rest = text.get(6..).unwrap_or_default();
    if high && (rest.len() < 2 && r"\u".starts_with(rest) || rest.starts_with(r"\u")) {
        match hex(text, 8) {
            Some(low @ 0xdc00..=0xdfff) => {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                return Escape::Of(
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
                    12,
                );
            }
            Some(_) => {}
            None => {
                if let Escape::Open = open_or_plain(text, 6) {
                    return Escape::Open;
                }
            }
        }
    }
    // A lone surrogate is no character; its reader will see it as unreadable, or refuse it.
    Escape::Of(char::REPLACEMENT_CHARACTER, 6)
}

/// The four hexadecimal digits at `at`, if they are all there.
fn hex(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

/// Whether the text from `at` may still become `\uXXXX`.
fn open_or_plain(text: &str, at: usize) -> Escape {
    let rest = text.get(at..).unwrap_or_default();
    let digits = rest.get(2..).unwrap_or_default();
    if rest.len() < 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Escape::Open
    } else {
        Escape::Plain(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unescaped(pieces: &[&str]) -> (String, Map) {
        let (mut unescape, mut map, mut view, mut source) =
            (Unescape::default(), Map::default(), String::new(), 0);
        for piece in pieces {
            unescape.push(piece, Place { view: 0, source }, &mut view, &mut map);
            source += piece.len();
        }
        unescape.finish(&mut view);
        (view, map)
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        for (written, meant) in [
            (r#"a\"b\\c\/d\n\té"#, "a\"b\\c/d\n\té"),
            (r"\u0069gnore \u00e9", "ignore é"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\ud83dA", "\u{fffd}A"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ude00", "\u{fffd}"),
            (r"\q\u12x \u+123 \", r"\q\u12x \u+123 \"),
            (r"\u12é", r"\u12é"),
            (r"\u12", r"\u12"),
            (r"\ud83d\u12", "\\ud83d\\u12"),
        ] {
            assert_eq!(unescaped(&[written]).0, meant, "{written}");
        }
    }

    #[test]
    fn offsets_lead_back_to_whole_escapes() {
        let (view, map) = unescaped(&[r#"ab\u0069cd\ud83d\ude00e\"f"#]);
        assert_eq!(view, "abicd😀e\"f");
        assert_eq!((map.start(2), map.end(3)), (2, 8));
        assert_eq!((map.start(3), map.end(5)), (8, 10));
        assert_eq!((map.start(5), map.end(9)), (10, 22));
        assert_eq!((map.start(6), map.end(7)), (10, 22));
        assert_eq!((map.start(9), map.end(10)), (22, 23));
        assert_eq!((map.start(11), map.end(12)), (25, 26));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_text(text in r#"([a-zé😀]|\\|\\n|\\"|\\u00e9|\\ud83d|\\ude00|u|0|d83d){0,12}"#, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
            let mut places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            places.push(text.len());
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| places[cut.index(places.len())]).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| text.get(pair[0]..pair[1]).unwrap()).collect();
            let (whole, whole_map) = unescaped(&[&text]);
            let (parts, parts_map) = unescaped(&pieces);
            prop_assert_eq!(&whole, &parts);
            for offset in 0..whole.len() {
                prop_assert_eq!(whole_map.start(offset), parts_map.start(offset));
                prop_assert_eq!(whole_map.end(offset + 1), parts_map.end(offset + 1));
            }
        }
    }
}
