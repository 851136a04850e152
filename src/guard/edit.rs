//! Merges what is to be taken out of a text, and takes it out of the bytes that carry it.
//!
//! Findings count bytes of decoded text, while a body holds raw JSON strings with escapes. A character, an escape or a
//! surrogate pair is never cut in two: a cut grows to whole ones. All other bytes stay as they came, so that a body differs
//! from what was sent only where something was found.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::guard::restore::Originals;
use crate::guard::structure::{self, Spot};
use crate::scan::engine::Engine;
use crate::scan::finding::{Finding, RuleIndex};
use crate::text::{Form, Span};
use crate::wire::json::{escape_into, unescape};

/// A stretch of a segment's text that must not leave. One placeholder, that of `rule`, takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Bytes of the segment's text.
    pub(super) span: Span,
    /// The rule of the finding that begins first; of several, the first in the engine's list.
    pub(super) rule: RuleIndex,
}

/// The edits of one segment, in order of their start, none overlapping another.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

impl Edits {
    /// Adds a finding, as one edit with all those it overlaps; one that `continues` another also joins what it touches.
    ///
    /// The result does not depend on the order in which findings come.
    pub(super) fn add(&mut self, finding: &Finding) {
        if finding.span.is_empty() {
            return;
        }
        let mut edit = Edit {
            span: finding.span,
            rule: finding.rule,
        };
        let reaches = |other: &Edit| {
            other.span.end > finding.span.start
                || finding.continues && other.span.end == finding.span.start
        };
        // Findings come nearly in order: looking from the end takes a step or two.
        let from = self
            .0
            .iter()
            .rposition(|other| !reaches(other))
            .map_or(0, |last| last + 1);
        let mut to = from;
        for other in self.0.get(from..).unwrap_or_default() {
            if other.span.start >= edit.span.end {
                break;
            }
            if (other.span.start, other.rule) < (edit.span.start, edit.rule) {
                edit.rule = other.rule;
            }
            edit.span = Span::new(
                edit.span.start.min(other.span.start),
                edit.span.end.max(other.span.end),
            );
            to += 1;
        }
        self.0.splice(from..to, [edit]);
    }

    /// Whether there is nothing to take out.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What to take out of the part `window` of the segment, in offsets from the part's start.
    pub(super) fn within(&self, window: Span) -> impl Iterator<Item = Cut> {
        let from = self.0.partition_point(|edit| edit.span.end <= window.start);
        self.0
            .iter()
            .skip(from)
            .take_while(move |edit| edit.span.start < window.end && !window.is_empty())
            .map(move |edit| Cut {
                span: Span::new(
                    edit.span.start.saturating_sub(window.start),
                    edit.span.end.min(window.end) - window.start,
                ),
                with: if edit.span.start >= window.start {
                    Stand::Placeholder(edit.rule)
                } else {
                    Stand::Nothing
                },
            })
    }

    /// The cuts in `window`, where placeholders are undone: what a rule found around one is taken out, the placeholder itself is
    /// not masked a second time.
    pub(super) fn restoring(&self, placed: &[Placed], window: Span) -> Vec<Cut> {
        if placed.is_empty() {
            return self.within(window).collect();
        }
        let mut around = Self::default();
        for edit in &self.0 {
            let mut start = edit.span.start;
            let from = placed.partition_point(|known| known.span.end <= start);
            let inside = placed.get(from..).unwrap_or_default().iter();
            for known in inside.take_while(|known| known.span.start < edit.span.end) {
                around.push(start, known.span.start, edit.rule);
                start = known.span.end;
            }
            around.push(start, edit.span.end, edit.rule);
        }
        let mut cuts: Vec<Cut> = around.within(window).collect();
        cuts.extend(
            placed
                .iter()
                .filter(|known| known.span.start < window.end && known.span.end > window.start)
                .map(|known| Cut {
                    span: Span::new(
                        known.span.start.saturating_sub(window.start),
                        known.span.end.min(window.end) - window.start,
                    ),
                    with: if known.span.start >= window.start {
                        Stand::Original(known.number)
                    } else {
                        Stand::Nothing
                    },
                }),
        );
        cuts.sort_unstable_by_key(|cut| cut.span);
        cuts
    }

    /// Whether any of `span` is to be taken out.
    pub(super) fn touches(&self, span: Span) -> bool {
        self.within(span).next().is_some()
    }

    /// Whether `span` is all of one edit.
    pub(super) fn is_one(&self, span: Span) -> bool {
        let at = self.0.partition_point(|edit| edit.span.start < span.start);
        self.0.get(at).is_some_and(|edit| edit.span == span)
    }

    fn push(&mut self, start: usize, end: usize, rule: RuleIndex) {
        if start < end {
            let span = Span::new(start, end);
            self.0.push(Edit { span, rule });
        }
    }

    /// Lets an edit of which nothing was taken out in `window`, because all of it had to stay there, begin after that.
    pub(super) fn delay(&mut self, window: Span, cuts: &[Cut]) {
        let crossing = self.0.iter_mut().find(|edit| {
            (window.start..window.end).contains(&edit.span.start) && edit.span.end > window.end
        });
        if let Some(edit) = crossing
            && cuts
                .iter()
                .all(|cut| cut.span.end + window.start <= edit.span.start)
        {
            edit.span.start = window.end;
        }
    }

    /// Forgets the edits that end before `end`: all of that text has left. One that ends there may still be continued.
    pub(super) fn forget(&mut self, end: usize) {
        let gone = self.0.partition_point(|edit| edit.span.end < end);
        self.0.drain(..gone);
    }
}

/// What to take out of one string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes of the string's decoded text.
    pub(super) span: Span,
    /// What stands there then.
    pub(super) with: Stand,
}

/// What stands in the place of text that was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stand {
    /// Nothing: the placeholder is where the edit began.
    #[default]
    Nothing,
    /// An empty JSON string.
    Empty,
    /// The rule's placeholder.
    Placeholder(RuleIndex),
    /// The rule's placeholder as a JSON string.
    Quoted(RuleIndex),
    /// The placeholder of this number, which can be undone.
    Name(usize),
    /// The same as a JSON string.
    QuotedName(usize),
    /// What the placeholder of this number stands for.
    Original(usize),
}

/// A placeholder in an answer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Bytes of the segment's text.
    pub(super) span: Span,
    /// Its number.
    pub(super) number: usize,
}

/// What can stand in the place of text that was taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    /// Knows the rules' labels.
    pub(super) engine: &'a Engine,
    /// Knows placeholders that can be undone.
    pub(super) originals: &'a Originals,
}

impl Cut {
    /// Lets a placeholder that can be undone stand there, for a cut that is all of a match in `text`.
    pub(super) fn hide<'a>(
        &mut self,
        originals: &mut Originals,
        (text, form): (&str, Form),
        label: impl Fn(RuleIndex) -> Option<&'a str>,
    ) {
        let (Stand::Placeholder(rule) | Stand::Quoted(rule)) = self.with else {
            return;
        };
        let matched = text.get(self.span.range());
        let Some((label, matched)) = label(rule).zip(matched) else {
            return;
        };
        let number = originals.hide(label, matched, form);
        self.with = match self.with {
            Stand::Quoted(_) => Stand::QuotedName(number),
            _ => Stand::Name(number),
        };
    }
}

/// How bytes carry text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// The content of a JSON string: escapes stand for characters (RFC 8259, section 7).
    Json,
    /// UTF-8 as it stands.
    Plain,
}

/// One replacement in a body or in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    /// The bytes to take out.
    pub(super) span: Span,
    /// The bytes to put there.
    pub(super) with: Vec<u8>,
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

    fn finding(rule: u16, start: usize, end: usize) -> Finding {
        Finding {
            rule: RuleIndex(rule),
            span: Span::new(start, end),
            continues: false,
        }
    }

    /// A rule and a span.
    type Marked = (u16, usize, usize);

    fn edits(findings: &[Finding]) -> Vec<Marked> {
        let mut edits = Edits::default();
        for finding in findings {
            edits.add(finding);
        }
        edits
            .0
            .iter()
            .map(|edit| (edit.rule.0, edit.span.start, edit.span.end))
            .collect()
    }

    #[test]
    fn overlapping_findings_become_one_edit_in_any_order() {
        let cases: &[(&[Finding], &[Marked])] = &[
            (&[finding(3, 0, 4), finding(1, 2, 8)], &[(3, 0, 8)]),
            (&[finding(3, 2, 4), finding(1, 2, 8)], &[(1, 2, 8)]),
            (
                &[finding(1, 0, 4), finding(2, 4, 8)],
                &[(1, 0, 4), (2, 4, 8)],
            ),
            (
                &[
                    finding(1, 0, 2),
                    finding(2, 4, 6),
                    finding(3, 8, 9),
                    finding(4, 1, 9),
                ],
                &[(1, 0, 9)],
            ),
            (&[finding(1, 5, 5)], &[]),
            (
                &[finding(5, 10, 20), finding(2, 0, 3), finding(4, 12, 14)],
                &[(2, 0, 3), (5, 10, 20)],
            ),
        ];
        for (findings, expected) in cases {
            let mut order: Vec<usize> = (0..findings.len()).collect();
            for _ in 0..findings.len() {
                order.rotate_left(1);
                let turned: Vec<Finding> = order.iter().map(|i| findings[*i]).collect();
                assert_eq!(&edits(&turned), expected);
                let back: Vec<Finding> = turned.into_iter().rev().collect();
                assert_eq!(&edits(&back), expected);
            }
        }
    }

    #[test]
    fn a_match_reported_in_parts_is_one_edit() {
        let mut second = finding(7, 10, 20);
        second.continues = true;
        assert_eq!(edits(&[finding(7, 0, 10), second]), [(7, 0, 20)]);
    }

    #[test]
    fn one_placeholder_where_the_match_begins() {
        let mut all = Edits::default();
        all.add(&finding(1, 4, 12));
        let cut = |start, end, rule: Option<u16>| Cut {
            span: Span::new(start, end),
            with: rule.map_or(Stand::Nothing, |rule| Stand::Placeholder(RuleIndex(rule))),
        };
        let within = |start, end| all.within(Span::new(start, end)).collect::<Vec<_>>();
        assert_eq!(within(0, 4), []);
        assert_eq!(within(0, 6), [cut(4, 6, Some(1))]);
        assert_eq!(within(6, 10), [cut(0, 4, None)]);
        assert_eq!(within(10, 15), [cut(0, 2, None)]);
        assert_eq!(within(12, 15), []);
        assert_eq!(within(6, 6), []);
    }

    #[test]
    fn forgetting_keeps_what_may_be_continued() {
        let mut all = Edits::default();
        all.add(&finding(1, 0, 4));
        all.add(&finding(1, 6, 8));
        all.forget(8);
        let mut more = finding(1, 8, 12);
        more.continues = true;
        all.add(&more);
        assert_eq!(
            all.0,
            [Edit {
                span: Span::new(6, 12),
                rule: RuleIndex(1)
            }]
        );
        all.forget(13);
        assert!(all.is_empty());
    }

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
