//! What is written across the ends of a body's texts: parts of a message or of an answer, messages of one origin. Each may be harmless by itself.
//!
//! After all texts have been seen, the end of each and the start of the next of the same origin are read as one, once joined directly
//! and, where words may meet, once with a blank between. Only what lies across such a joint is found here, and is mapped to each text's
//! own bytes. Texts that are short are read with all their neighbours; a body with one text of each origin costs nothing.
//! What was found in such a joint text is remembered like that of any other, so that a history that is sent again costs a hash.

use std::borrow::Cow;

use crate::guard::verdicts::Verdicts;
use crate::policy::Side;
use crate::scan::engine::{Engine, Overflow};
use crate::scan::finding::Finding;
use crate::scan::segment::SegmentScan;
use crate::text::{Form, Origin, Span};
use crate::wire::Piece;
use crate::wire::json::{raw_offset, unescape};

/// So much of the end and of the start of a text is read with its neighbours. More than any match has on one side, but for long keys.
const EDGE: usize = 256;
/// Bytes of words that may follow what was found without being a part of it, and of numbers.
const LONGEST_WORD: usize = 8;
const LONGEST_NUMBER: usize = 3;
/// Longer runs of short texts are cut, with an edge of both parts in common.
const MAX_RUN: usize = 2048;
/// Each has runs of its own.
const ORIGINS: [Origin; 4] = [
    Origin::System,
    Origin::User,
    Origin::Assistant,
    Origin::Tool,
];

/// A finding that goes across, as its part in one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    /// Where the text begins in the body.
    text: usize,
    /// Bytes of the text; counted from its end if `from_end`, the start being further away.
    span: Span,
    from_end: bool,
    finding: Finding,
}

/// All that was found across the texts of a body.
#[derive(Debug, Default)]
pub(super) struct Seams(Vec<Found>);

/// A part of a text that is read with others.
#[derive(Clone, Debug)]
struct Part<'b> {
    /// Where the text begins in the body.
    at: usize,
    text: Cow<'b, str>,
    /// It is the end of its text, not the start or all.
    is_end: bool,
}

/// Neighbouring parts of one origin.
#[derive(Debug, Default)]
struct Run<'b> {
    parts: Vec<Part<'b>>,
    bytes: usize,
    /// The last text, if it is longer than what is read of it: its end begins the next run.
    open: Option<(usize, &'b [u8])>,
}

impl Seams {
    /// Reads the ends of a body's texts; `answers` are the places, in order, at which what follows is read apart from what stands before.
    ///
    /// # Errors
    /// [`Overflow`], as for any text.
    pub(super) fn read<'b>(
        (body, answers): (&'b [u8], &[usize]),
        pieces: impl Iterator<Item = Piece>,
        side: &Side,
        verdicts: Option<&Verdicts>,
    ) -> Result<Self, Overflow> {
        let mut seams = Self::default();
        let mut runs: [Run<'b>; 4] = Default::default();
        let mut answers = answers.iter().peekable();
        let mut result = Ok(());
        for piece in pieces.filter(|piece| piece.said) {
            let mut apart = false;
            while answers.next_if(|at| **at <= piece.span.start).is_some() {
                apart = true;
            }
            for (run, origin) in runs.iter_mut().zip(ORIGINS).filter(|_| apart) {
                let run = std::mem::take(run);
                let read = seams.run(&run, origin, side, verdicts);
                result = result.and(read);
            }
            let at = ORIGINS.iter().position(|origin| *origin == piece.origin);
            let Some(run) = at.and_then(|at| runs.get_mut(at)) else {
                continue;
            };
            let raw = body.get(piece.span.range()).unwrap_or_default();
            let mut reader = |run: &mut Run<'b>| {
                let read = seams.run(run, piece.origin, side, verdicts);
                result = result.and(read);
            };
            run.add(piece.span.start, raw, &mut reader);
        }
        for (run, origin) in runs.iter_mut().zip(ORIGINS) {
            let read = seams.run(run, origin, side, verdicts);
            result = result.and(read);
        }
        seams.0.sort_by_key(|found| found.text);
        result.map(|()| seams)
    }

    /// Whether anything lies in a text that begins at `at` of the body.
    pub(super) fn touch(&self, at: usize) -> bool {
        self.0.iter().any(|found| found.text == at)
    }

    /// Adds what lies in a text that begins at `at` of the body.
    pub(super) fn add_to(&self, at: usize, text: &str, findings: &mut Vec<Finding>) {
        let from = self.0.partition_point(|found| found.text < at);
        let own = self.0.iter().skip(from);
        findings.extend(own.take_while(|found| found.text == at).map(|found| {
            let place = |offset: usize| {
                if found.from_end {
                    text.len().saturating_sub(offset)
                } else {
                    offset
                }
            };
            Finding {
                span: Span::new(place(found.span.start), place(found.span.end)),
                ..found.finding
            }
        }));
    }

    /// Reads a run as one text, and again with blanks between words.
    fn run(
        &mut self,
        run: &Run<'_>,
        origin: Origin,
        side: &Side,
        verdicts: Option<&Verdicts>,
    ) -> Result<(), Overflow> {
        if run.parts.len() < 2 {
            return Ok(());
        }
        let direct = self.joined(run, (origin, ""), side, verdicts);
        if run.parts.windows(2).any(meets) {
            let apart = self.joined(run, (origin, " "), side, verdicts);
            return direct.and(apart);
        }
        direct
    }

    fn joined(
        &mut self,
        run: &Run<'_>,
        (origin, joint): (Origin, &str),
        side: &Side,
        verdicts: Option<&Verdicts>,
    ) -> Result<(), Overflow> {
        let mut text = String::with_capacity(run.bytes + run.parts.len());
        let mut places = Vec::with_capacity(run.parts.len());
        let mut before: Option<&Part<'_>> = None;
        for part in &run.parts {
            if before.is_some_and(|before| meets(&[before.clone(), part.clone()])) {
                text.push_str(joint);
            }
            places.push(Span::new(text.len(), text.len() + part.text.len()));
            text.push_str(&part.text);
            before = Some(part);
        }
        let mut findings = Vec::new();
        // Not the generation of whole texts: here only what goes across is remembered.
        let generation = side.generation().wrapping_add(1);
        let who = (generation, origin, Form::Plain);
        let key = verdicts.filter(|_| side.reads_text());
        let key = key.and_then(|verdicts| Some((verdicts, verdicts.key(who, &text)?)));
        if !key.is_some_and(|(verdicts, key)| verdicts.recall(key, &mut findings)) {
            scan(&side.engine, Form::Plain, &text, &mut findings)?;
            findings.retain(|finding| {
                parts_of(&places, finding.span).count() > 1
                    && !ends_in_words(&side.engine, &text, &places, finding)
            });
            if let Some((verdicts, key)) = key {
                verdicts.remember(key, &findings);
            }
        }
        for finding in findings {
            self.note(&run.parts, &places, finding);
        }
        Ok(())
    }

    /// Notes a finding in each text that it goes through.
    fn note(&mut self, parts: &[Part<'_>], places: &[Span], finding: Finding) {
        for (nth, (index, span)) in parts_of(places, finding.span).enumerate() {
            let (Some(part), Some(place)) = (parts.get(index), places.get(index)) else {
                continue;
            };
            let from = |offset: usize| {
                if part.is_end {
                    place.end - offset
                } else {
                    offset - place.start
                }
            };
            let found = Found {
                text: part.at,
                span: Span {
                    start: from(span.start),
                    end: from(span.end),
                },
                from_end: part.is_end,
                finding: Finding {
                    continues: finding.continues || nth > 0,
                    ..finding
                },
            };
            if !self.0.contains(&found) {
                self.0.push(found);
            }
        }
    }
}

impl<'b> Run<'b> {
    /// Adds the next text; `read` is handed each run that is complete.
    fn add(&mut self, at: usize, raw: &'b [u8], read: &mut impl FnMut(&mut Self)) {
        if let Some((at, raw)) = self.open.take() {
            self.push(at, tail(raw), true);
        }
        if raw.len() <= 2 * EDGE {
            self.push(at, unescape(raw), false);
            if self.bytes > MAX_RUN {
                read(self);
                self.keep_edge();
            }
            return;
        }
        if !self.parts.is_empty() {
            self.push(at, head(raw), false);
            read(self);
        }
        *self = Self {
            open: Some((at, raw)),
            ..Self::default()
        };
    }

    fn push(&mut self, at: usize, text: Cow<'b, str>, is_end: bool) {
        self.bytes += text.len();
        self.parts.push(Part { at, text, is_end });
    }

    /// Drops the parts that begin an edge before the end.
    fn keep_edge(&mut self) {
        let mut bytes = 0;
        let last = self.parts.iter().rposition(|part| {
            bytes += part.text.len();
            bytes > EDGE
        });
        self.parts.drain(..last.unwrap_or(0));
        self.bytes = self.parts.iter().map(|part| part.text.len()).sum();
    }
}

/// Whether a blank between two texts would part words.
fn meets(pair: &[Part<'_>]) -> bool {
    let [left, right] = pair else {
        return false;
    };
    let ends = left.text.chars().next_back();
    let starts = right.text.chars().next();
    ends.is_some_and(char::is_alphanumeric) && starts.is_some_and(char::is_alphanumeric)
}

/// The parts that `span` goes through, with what of it is in each.
fn parts_of(places: &[Span], span: Span) -> impl Iterator<Item = (usize, Span)> {
    let from = places.partition_point(|place| place.end <= span.start);
    let through = places.iter().enumerate().skip(from);
    through
        .take_while(move |(_, place)| place.start < span.end)
        .map(move |(index, place)| {
            let own = Span::new(span.start.max(place.start), span.end.min(place.end));
            (index, own)
        })
        .filter(|(_, own)| !own.is_empty())
}

/// Whether a finding is all there in the text that it begins in, and reaches into the next ones by nothing but the words that these begin
/// with: an address at the end of a message and the `and` of the next one are no longer address.
fn ends_in_words(engine: &Engine, text: &str, places: &[Span], finding: &Finding) -> bool {
    let Some(first) = parts_of(places, finding.span)
        .next()
        .and_then(|(first, _)| places.get(first))
    else {
        return false;
    };
    let rest = text.get(first.end..finding.span.end).unwrap_or_default();
    if finding.continues || !rest.split_whitespace().all(is_plain) {
        return false;
    }
    let mut alone = Vec::new();
    let left = text.get(first.range()).unwrap_or_default();
    let scanned = scan(engine, Form::Plain, left, &mut alone);
    let same = |other: &Finding| {
        other.rule == finding.rule && first.start + other.span.start == finding.span.start
    };
    scanned.is_ok() && alone.iter().any(same)
}

/// Whether a word is written like one of a language, or is a short number.
fn is_plain(word: &str) -> bool {
    let mut letters = word.chars();
    let first = letters.next().is_some_and(char::is_alphabetic);
    let short = word.len() <= LONGEST_WORD;
    let number = word.len() <= LONGEST_NUMBER && word.bytes().all(|byte| byte.is_ascii_digit());
    number
        || short && first && letters.all(|letter| letter.is_alphabetic() && !letter.is_uppercase())
}

/// The start of a long string, escapes undone.
fn head(raw: &[u8]) -> Cow<'_, str> {
    let mut end = raw_offset(raw, EDGE);
    while raw.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
        end -= 1;
    }
    unescape(raw.get(..end).unwrap_or_default())
}

/// The end of a long string, escapes undone: from after a byte that can be no part of an escape.
fn tail(raw: &[u8]) -> Cow<'_, str> {
    const FAR: usize = 64;
    let from = raw.len().saturating_sub(EDGE);
    let near = raw.get(from.saturating_sub(FAR)..from).unwrap_or_default();
    let apart =
        |byte: &u8| byte.is_ascii() && !byte.is_ascii_hexdigit() && !b"\\\"/nrtu".contains(byte);
    if let Some(last) = near.iter().rposition(apart) {
        let start = from - near.len() + last + 1;
        return unescape(raw.get(start..).unwrap_or_default());
    }
    let text = unescape(raw).into_owned();
    let start = text.floor_char_boundary(text.len().saturating_sub(EDGE));
    Cow::Owned(text.get(start..).unwrap_or_default().to_owned())
}

/// Scans a whole text, in blocks: views and their maps of a large text at once would take many times its size.
pub(super) fn scan(
    engine: &Engine,
    form: Form,
    text: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), Overflow> {
    const BLOCK: usize = 16 << 10;
    let (mut scan, mut rest, mut result) = (SegmentScan::whole(form), text, Ok(()));
    while !rest.is_empty() {
        let (block, after) = rest
            .split_at_checked(rest.floor_char_boundary(BLOCK))
            .unwrap_or((rest, ""));
        result = scan.push(engine, block, findings).and(result);
        rest = after;
    }
    scan.finish(engine, findings).and(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::escape_into;

    #[test]
    fn edges_end_between_characters_whatever_escapes_there_are() {
        for unit in [
            "a",
            "é",
            "\u{1F600}",
            "\\",
            "\"\n",
            "0a\u{1}",
            "word \\n ",
            "ufff\u{7}\\",
        ] {
            for extra in 0..8 {
                let text = format!("{}{}", "x".repeat(extra), unit.repeat(1200 / unit.len()));
                let mut raw = Vec::new();
                escape_into(&text, &mut raw);
                let (head, tail) = (head(&raw), tail(&raw));
                assert!(text.starts_with(&*head) && text.ends_with(&*tail), "{unit}");
                assert!(
                    (EDGE - 4..=EDGE).contains(&head.len()),
                    "{unit} {}",
                    head.len()
                );
                assert!(
                    tail.len() <= EDGE + 64 && tail.len() * 8 > EDGE,
                    "{unit} {}",
                    tail.len()
                );
            }
        }
    }
}
