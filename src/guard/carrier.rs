//! Bytes that carry text: the strings of a body or an event, and what is spliced into them.
//!
//! Texts are counted decoded, bodies hold escapes. All other bytes stay as they came, so that a body differs from what was sent
//! only where something was found.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::guard::edit::{Cut, Stand};
use crate::guard::restore::Originals;
use crate::guard::structure::{self, Spot};
use crate::scan::engine::Engine;
use crate::scan::finding::RuleIndex;
use crate::text::{Form, Span};
use crate::wire::Piece;
use crate::wire::json::{escape_into, unescape};

/// How bytes carry text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// The content of a JSON string: escapes stand for characters (RFC 8259, section 7).
    Json,
    /// UTF-8 as it stands.
    Plain,
}

impl Coding {
    /// How a piece of JSON is written.
    pub(super) const fn of(piece: &Piece) -> Self {
        if piece.bare { Self::Plain } else { Self::Json }
    }
}

/// One replacement in a body or in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    /// The bytes to take out.
    pub(super) span: Span,
    /// The bytes to put there.
    pub(super) with: Vec<u8>,
}

/// What can stand in the place of text that was taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    /// Knows the rules' labels.
    pub(super) engine: &'a Engine,
    /// Knows placeholders that can be undone.
    pub(super) originals: &'a Originals,
}

/// A string and the bytes that carry it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carrier<'a> {
    /// The bytes, quotes not included.
    pub(super) raw: &'a [u8],
    /// Where they begin in the body or the event's data.
    pub(super) start: usize,
    /// How they carry text.
    pub(super) coding: Coding,
    /// How the text's reader will understand it.
    pub(super) form: Form,
    /// What the text follows on, if it is JSON text.
    pub(super) spot: Spot,
}

impl<'a> Carrier<'a> {
    /// A string at `span` of a body or of an event's data, at the start of a text.
    pub(super) fn new(source: &'a [u8], span: Span, coding: Coding, form: Form) -> Self {
        Self {
            raw: source.get(span.range()).unwrap_or_default(),
            start: span.start,
            coding,
            form,
            spot: Spot::default(),
        }
    }

    /// Where the bytes are in the body or the event's data.
    pub(super) const fn span(&self) -> Span {
        Span::new(self.start, self.start + self.raw.len())
    }

    /// The text; `None` where it is not UTF-8, which JSON always is.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        match self.coding {
            Coding::Json => Some(unescape(self.raw)),
            Coding::Plain => str::from_utf8(self.raw).ok().map(Cow::Borrowed),
        }
    }

    /// Turns spans of the text, in order of their start, into spans of the body. Linear in the bytes up to the last start and in
    /// the lengths of the spans together.
    pub(super) fn spans(&self, spans: impl Iterator<Item = Span>) -> impl Iterator<Item = Span> {
        let start = self.start;
        let mut walk = Walk {
            raw: self.raw,
            coding: self.coding,
            raw_offset: 0,
            offset: 0,
        };
        spans.map(move |span| {
            walk.floor(span.start);
            let mut ahead = walk;
            ahead.ceiling(span.end);
            Span::new(start + walk.raw_offset, start + ahead.raw_offset)
        })
    }

    /// The cuts to make: in JSON text without what holds it together.
    pub(super) fn cuts(&self, cuts: impl Iterator<Item = Cut>) -> Vec<Cut> {
        match self.form {
            Form::Plain => cuts.collect(),
            Form::Json => structure::keep(self.spot, &self.text().unwrap_or_default(), cuts),
        }
    }

    /// Adds what `cuts`, in order, change in the body.
    pub(super) fn splice(&self, cuts: &[Cut], words: Words<'_>, splices: &mut Vec<Splice>) {
        let spans = self.spans(cuts.iter().map(|cut| cut.span));
        let with = cuts.iter().map(|cut| self.write(cut.with, words));
        splices.extend(spans.zip(with).map(|(span, with)| Splice { span, with }));
    }

    /// The bytes of what stands for a cut: escaped for JSON text inside the string, and once more for the JSON around.
    fn write(&self, stand: Stand, words: Words<'_>) -> Vec<u8> {
        let inside = |text: &str| match self.form {
            Form::Json => escaped(text),
            Form::Plain => text.to_owned(),
        };
        let placeholder = |rule| inside(&format!("[{}]", words.label(rule)));
        let text = match stand {
            Stand::Nothing => String::new(),
            Stand::Empty => "\"\"".to_owned(),
            Stand::Zero => "0".to_owned(),
            Stand::Placeholder(rule) => placeholder(rule),
            Stand::Quoted(rule) => format!("\"{}\"", placeholder(rule)),
            Stand::Name(number) => inside(words.originals.name(number)),
            Stand::QuotedName(number) => {
                format!("\"{}\"", inside(words.originals.name(number)))
            }
            Stand::Original(number) => inside(words.originals.text(number)),
        };
        self.encode(text)
    }

    /// The bytes of `message` in place of all of the string; as an object, where JSON text is expected.
    pub(super) fn say(&self, message: &str) -> Vec<u8> {
        self.encode(match self.form {
            Form::Plain => message.to_owned(),
            Form::Json => format!(r#"{{"message":"{}"}}"#, escaped(message)),
        })
    }

    fn encode(&self, text: String) -> Vec<u8> {
        match self.coding {
            Coding::Json => escaped(&text).into_bytes(),
            Coding::Plain => text.into_bytes(),
        }
    }
}

impl<'a> Words<'a> {
    /// The rule's label.
    pub(super) fn label(&self, rule: RuleIndex) -> &'a str {
        let rule = self.engine.rule(rule);
        rule.map_or("REDACTED", |rule| rule.label.as_ref())
    }
}

/// The text as the content of a JSON string.
fn escaped(text: &str) -> String {
    let mut escaped = Vec::with_capacity(text.len());
    escape_into(text, &mut escaped);
    String::from_utf8(escaped).unwrap_or_default()
}

/// The same edits, in order, with `logprobs` nulled if there are any: they would repeat what was taken out.
pub(super) fn with_nulls(mut splices: Vec<Splice>, logprobs: &[Span]) -> Vec<Splice> {
    if !splices.is_empty() {
        splices.extend(logprobs.iter().map(|span| Splice {
            span: *span,
            with: b"null".to_vec(),
        }));
        // What is only put in comes before what is taken out there.
        splices.sort_by_key(|splice| {
            let span = splice.span;
            (span.start, !span.is_empty(), Reverse(span.end))
        });
    }
    splices
}

/// Writes `source` with the replacements, which are in order of their start. Of one that begins inside another only what it takes out
/// beyond that counts.
pub(super) fn splice(source: &[u8], splices: &[Splice]) -> Vec<u8> {
    let added: usize = splices.iter().map(|splice| splice.with.len()).sum();
    let mut out = Vec::with_capacity(source.len() + added);
    let mut done = 0;
    for splice in splices {
        if splice.span.start >= done {
            out.extend_from_slice(source.get(done..splice.span.start).unwrap_or_default());
            out.extend_from_slice(&splice.with);
        }
        done = splice.span.end.max(done);
    }
    out.extend_from_slice(source.get(done..).unwrap_or_default());
    out
}

/// A walk over a string, one character or escape at a time. `offset` counts decoded bytes and belongs to `raw_offset`.
#[derive(Clone, Copy)]
struct Walk<'a> {
    raw: &'a [u8],
    coding: Coding,
    raw_offset: usize,
    offset: usize,
}

impl Walk<'_> {
    /// Goes to the start of the character that holds the decoded byte `target`.
    fn floor(&mut self, target: usize) {
        while let Some((raw_bytes, bytes)) = self
            .next()
            .filter(|(_, bytes)| self.offset + bytes <= target)
        {
            self.raw_offset += raw_bytes;
            self.offset += bytes;
        }
    }

    /// Goes to the first character's start at or after the decoded byte `target`.
    fn ceiling(&mut self, target: usize) {
        while self.offset < target
            && let Some((raw_bytes, bytes)) = self.next()
        {
            self.raw_offset += raw_bytes;
            self.offset += bytes;
        }
    }

    /// How many raw and decoded bytes the next character takes; `None` at the end.
    fn next(&self) -> Option<(usize, usize)> {
        let rest = self.raw.get(self.raw_offset..)?;
        let first = *rest.first()?;
        let (raw_bytes, bytes) = match (first, self.coding) {
            (b'\\', Coding::Json) => escape(rest),
            _ => (utf8_bytes(first), utf8_bytes(first)),
        };
        Some((raw_bytes.min(rest.len()), bytes))
    }
}

/// Raw and decoded length of the escape that `raw` begins with.
fn escape(raw: &[u8]) -> (usize, usize) {
    if raw.get(1) != Some(&b'u') {
        return (2, 1);
    }
    let unit = raw
        .get(2..6)
        .unwrap_or_default()
        .iter()
        .fold(0_u32, |unit, digit| {
            unit << 4 | char::from(*digit).to_digit(16).unwrap_or(0)
        });
    match unit {
        0..0x80 => (6, 1),
        0x80..0x800 => (6, 2),
        0xD800..0xE000 => (12, 4), // a surrogate pair; the parser has refused lone ones
        _ => (6, 3),
    }
}

/// Length of the UTF-8 sequence that begins with `first` (RFC 3629).
const fn utf8_bytes(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(raw: &str, coding: Coding, start: usize, end: usize) -> String {
        let carrier = Carrier {
            raw: raw.as_bytes(),
            start: 0,
            coding,
            form: Form::Plain,
            spot: Spot::default(),
        };
        let spans: Vec<Splice> = carrier
            .spans([Span::new(start, end)].into_iter())
            .map(|span| Splice {
                span,
                with: b"[X]".to_vec(),
            })
            .collect();
        String::from_utf8(splice(raw.as_bytes(), &spans)).unwrap()
    }

    #[test]
    fn characters_and_escapes_are_never_cut() {
        let json: &[(&str, usize, usize, &str)] = &[
            ("abcdef", 2, 4, "ab[X]ef"),
            (r"a\u0062c", 1, 2, "a[X]c"),
            (r"\n\t\\x", 1, 3, r"\n[X]x"),
            ("añb", 2, 3, "a[X]b"),
            ("añb", 1, 2, "a[X]b"),
            (r"a\ud83d\ude00b", 3, 4, "a[X]b"),
            (r"a\ud83d\ude00b", 5, 6, r"a\ud83d\ude00[X]"),
            (r"\u00e9\u20acz", 2, 5, r"\u00e9[X]z"),
            ("😀x", 0, 1, "[X]x"),
            ("ab", 0, 2, "[X]"),
        ];
        for (raw, start, end, expected) in json {
            assert_eq!(
                &cut(raw, Coding::Json, *start, *end),
                expected,
                "{raw} {start}..{end}"
            );
        }
        assert_eq!(cut(r"a\u0062", Coding::Plain, 1, 3), "a[X]0062");
    }

    #[test]
    fn splices_keep_every_other_byte() {
        let replace = |start, end, with: &str| Splice {
            span: Span::new(start, end),
            with: with.into(),
        };
        assert_eq!(
            splice(
                b"0123456789",
                &[replace(1, 3, "a"), replace(3, 3, "b"), replace(8, 10, "")]
            ),
            b"0ab34567"
        );
        assert_eq!(
            splice(b"01234", &[replace(0, 3, "a"), replace(2, 4, "b")]),
            b"a4"
        );
        assert_eq!(
            splice(b"01234", &[replace(0, 4, "null"), replace(2, 3, "b")]),
            b"null4"
        );
        assert_eq!(splice(b"", &[]), b"");
    }
}
