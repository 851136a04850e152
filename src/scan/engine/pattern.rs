//! A regular expression as written to the parts that the engine runs.

use regex_syntax::{
    ParserBuilder,
    ast::{self, Ast},
    hir::{Class, Hir, HirKind, Look, Repetition},
};

use super::disguise::reversed;
use super::literal::{self, Literal};

/// The most bytes that the part left of an inner literal may take (`left` below).
pub(super) const LEFT_LIMIT: usize = 256;
/// The longest match that is kept open. Longer ones of an unbounded pattern are reported in parts.
const REACH_UNBOUNDED: usize = 1024;
const REACH_LIMIT: usize = 4096;

/// A pattern in the form that the engine runs.
#[derive(Debug)]
pub(super) struct Pattern {
    /// What the anchored automaton is made of: all of the pattern, or what is right of `left`.
    pub(super) hir: Hir,
    /// What stands before a rare inner literal.
    pub(super) left: Option<Left>,
    /// The prefixes that every match begins with one of; empty if there are none worth looking for.
    pub(super) literals: Vec<Literal>,
    /// Bytes of one match that are kept open.
    pub(super) reach: usize,
    /// Whether it holds unlimited words before it matches.
    pub(super) words: bool,
}

/// A run of bytes of one class: `[a-z.]{1,64}` before the `@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) class: Box<[bool; 256]>,
    pub(super) min: usize,
    pub(super) max: usize,
}

/// Why a pattern is refused, and what to write instead.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) help: &'static str,
}

impl Refused {
    pub(super) fn new(reason: impl Into<String>, help: &'static str) -> Self {
        Self {
            reason: reason.into(),
            help,
        }
    }
}

/// Reads a pattern, or turns it to find its texts from the end to the start.
pub(super) fn parse(written: &str, turned: bool) -> Result<Pattern, Refused> {
    let mut hir = read(written)?;
    if turned {
        hir = reversed(&hir);
    }
    let properties = hir.properties();
    if properties.minimum_len().unwrap_or(0) == 0 {
        return Err(Refused::new(
            "it matches empty text",
            "require at least one character",
        ));
    }
    if !properties.is_utf8() {
        return Err(Refused::new(
            "it can match a part of a character",
            "write negated classes and dots without (?-u)",
        ));
    }
    let reach = properties
        .maximum_len()
        .unwrap_or(REACH_UNBOUNDED)
        .min(REACH_LIMIT);
    let literals = literal::prefixes(&hir);
    let split = if literals.is_empty() {
        split_left(&hir)
    } else {
        None
    };
    let (left, hir) = match split {
        Some((left, right)) => (Some(left), right),
        None => (None, hir),
    };
    let open = openness(&hir, 0);
    if open == Open::Text {
        return Err(Refused::new(
            "it may run on through any text before it matches",
            "give the repetition a limit, such as .{0,200}",
        ));
    }
    Ok(Pattern {
        hir,
        left,
        literals,
        reach,
        words: open == Open::Words,
    })
}

/// Parses a pattern as its operator meant it: ASCII classes, otherwise Unicode.
fn read(written: &str) -> Result<Hir, Refused> {
    let tree = ast::parse::Parser::new()
        .parse(written)
        .map_err(|error| invalid(&error))?;
    ParserBuilder::new()
        .utf8(false)
        .build()
        .parse(&with_ascii_classes(written, &tree))
        .map_err(|error| invalid(&error))
}

fn invalid(error: &dyn std::fmt::Display) -> Refused {
    let error = error.to_string();
    let last = error.lines().last().unwrap_or_default();
    let last = last.trim_start_matches("error: ");
    Refused::new(
        format!("not a valid pattern: {last}"),
        "write it in the syntax of the regex crate, without look-around and back-references",
    )
}

/// Rewrites `\w`, `\d`, `\s` and `\b` to mean ASCII wherever they stand: dense automata have no Unicode word boundaries, and Unicode
/// classes make them large. Everything else, letters in any case included, keeps its Unicode meaning.
fn with_ascii_classes(written: &str, tree: &Ast) -> String {
    struct Finder(Vec<(std::ops::Range<usize>, String)>);
    impl Finder {
        fn perl(&mut self, class: &ast::ClassPerl) {
            let set = match class.kind {
                ast::ClassPerlKind::Digit => "0-9",
                ast::ClassPerlKind::Space => r"\t\n\x0b\x0c\r\x20",
                ast::ClassPerlKind::Word => "0-9A-Za-z_",
            };
            let not = if class.negated { "^" } else { "" };
            self.0.push((
                class.span.start.offset..class.span.end.offset,
                format!("[{not}{set}]"),
            ));
        }
    }
    impl ast::Visitor for Finder {
        type Output = Self;
        type Err = std::convert::Infallible;
        fn finish(self) -> Result<Self, Self::Err> {
            Ok(self)
        }
        fn visit_pre(&mut self, tree: &Ast) -> Result<(), Self::Err> {
            match tree {
                Ast::ClassPerl(class) => self.perl(class),
                Ast::Assertion(assertion) if is_word_assertion(&assertion.kind) => {
                    let range = assertion.span.start.offset..assertion.span.end.offset;
                    self.0.push((range, String::new()));
                }
                _ => {}
            }
            Ok(())
        }
        fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), Self::Err> {
            if let ast::ClassSetItem::Perl(class) = item {
                self.perl(class);
            }
            Ok(())
        }
    }
    let Ok(Finder(changes)) = ast::visit(tree, Finder(Vec::new()));
    let mut text = String::with_capacity(written.len() + 64);
    let mut done = 0;
    for (range, replacement) in changes {
        text.push_str(written.get(done..range.start).unwrap_or_default());
        if replacement.is_empty() {
            text.push_str("(?-u:");
            text.push_str(written.get(range.clone()).unwrap_or_default());
            text.push(')');
        } else {
            text.push_str(&replacement);
        }
        done = range.end;
    }
    text.push_str(written.get(done..).unwrap_or_default());
    text
}

fn is_word_assertion(kind: &ast::AssertionKind) -> bool {
    use ast::AssertionKind as Kind;
    match kind {
        Kind::StartLine | Kind::EndLine | Kind::StartText | Kind::EndText => false,
        Kind::WordBoundary
        | Kind::NotWordBoundary
        | Kind::WordBoundaryStart
        | Kind::WordBoundaryEnd
        | Kind::WordBoundaryStartAngle
        | Kind::WordBoundaryEndAngle
        | Kind::WordBoundaryStartHalf
        | Kind::WordBoundaryEndHalf => true,
    }
}

/// What unlimited repetitions before a match is reached may run over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Open {
    /// Nothing, or blanks and punctuation only, of which ordinary text has no long runs.
    No,
    /// Single words: the engine gives up on one that is too long.
    Words,
    /// Ordinary text.
    Text,
}

/// The unlimited repetitions that stand before something that every match needs.
fn openness(hir: &Hir, needed_after: usize) -> Open {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => Open::No,
        HirKind::Capture(capture) => openness(&capture.sub, needed_after),
        HirKind::Alternation(branches) => branches
            .iter()
            .map(|branch| openness(branch, needed_after))
            .max()
            .unwrap_or(Open::No),
        // Where nothing more is needed, a match has been reached already.
        HirKind::Repetition(repetition) if repetition.min == 0 && needed_after == 0 => Open::No,
        HirKind::Repetition(repetition) => {
            let own = repetition.sub.properties().minimum_len().unwrap_or(0);
            let repeats = usize::try_from(repetition.min).unwrap_or(usize::MAX);
            let rest = own.saturating_mul(repeats.saturating_sub(1));
            let within = openness(&repetition.sub, needed_after.saturating_add(rest));
            if repetition.max.is_some() || needed_after == 0 {
                return within;
            }
            let (words, others) = consists_of(&repetition.sub);
            let this = match (words, others) {
                (false, _) => Open::No,
                (true, false) => Open::Words,
                (true, true) => Open::Text,
            };
            this.max(within)
        }
        HirKind::Concat(parts) => {
            let mut needed = needed_after;
            let mut open = Open::No;
            for part in parts.iter().rev() {
                open = open.max(openness(part, needed));
                needed = needed.saturating_add(part.properties().minimum_len().unwrap_or(0));
            }
            open
        }
    }
}

/// Whether it can hold letters or digits, and whether it can hold anything else.
fn consists_of(hir: &Hir) -> (bool, bool) {
    let join = |(words, others): (bool, bool), (more_words, more_others): (bool, bool)| {
        (words || more_words, others || more_others)
    };
    let of = |bytes: &mut dyn Iterator<Item = u8>| {
        bytes.fold((false, false), |seen, byte| {
            let word = is_word_part(byte);
            join(seen, (word, !word))
        })
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (false, false),
        HirKind::Literal(text) => of(&mut text.0.iter().copied()),
        HirKind::Class(class) => match class_bytes(class) {
            Some(table) => of(&mut (0u8..=255)
                .zip(table.iter())
                .filter_map(|(byte, in_class)| in_class.then_some(byte))),
            None => match class {
                // Letters of other scripts are words; a class that also holds blanks is text.
                Class::Unicode(all) => {
                    (true, all.ranges().iter().any(|range| range.start() <= ' '))
                }
                Class::Bytes(_) => (true, true),
            },
        },
        HirKind::Capture(capture) => consists_of(&capture.sub),
        HirKind::Repetition(repetition) => consists_of(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(consists_of).fold((false, false), join)
        }
    }
}

/// Whether the byte belongs to words, whose length the engine limits.
pub(super) const fn is_word_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// The ASCII class as a table; `None` if it holds more than ASCII.
fn class_bytes(class: &Class) -> Option<Box<[bool; 256]>> {
    let mut table = Box::new([false; 256]);
    let bytes = match class {
        Class::Bytes(bytes) => bytes.clone(),
        Class::Unicode(characters) => characters.to_byte_class()?,
    };
    for range in bytes.ranges() {
        if !range.end().is_ascii() {
            return None;
        }
        for byte in range.start()..=range.end() {
            if let Some(slot) = table.get_mut(usize::from(byte)) {
                *slot = true;
            }
        }
    }
    Some(table)
}

/// Splits `[class]{min,max}rest` where the rest cannot begin with a byte of the class. A `\b` before the class is dropped if the class
/// holds all word bytes: it could only move the start of a match past leading punctuation.
fn split_left(hir: &Hir) -> Option<(Left, Hir)> {
    let hir = unwrap_capture(hir);
    let HirKind::Concat(parts) = hir.kind() else {
        return None;
    };
    let (boundary, parts) = match parts.split_first()? {
        (first, rest)
            if matches!(
                first.kind(),
                HirKind::Look(Look::WordAscii | Look::WordStartAscii | Look::WordStartHalfAscii)
            ) =>
        {
            (true, rest)
        }
        _ => (false, parts.as_slice()),
    };
    let (first, rest) = parts.split_first()?;
    let HirKind::Repetition(Repetition { min, max, sub, .. }) = unwrap_capture(first).kind() else {
        return None;
    };
    let HirKind::Class(class) = unwrap_capture(sub).kind() else {
        return None;
    };
    let class = class_bytes(class)?;
    let words = class
        .iter()
        .zip(0u8..=255)
        .all(|(in_class, byte)| *in_class || !(byte.is_ascii_alphanumeric() || byte == b'_'));
    if boundary && !words {
        return None;
    }
    let min = usize::try_from(*min).ok()?;
    let max = max.map_or(LEFT_LIMIT, |max| {
        usize::try_from(max).unwrap_or(LEFT_LIMIT).min(LEFT_LIMIT)
    });
    Some((Left { class, min, max }, Hir::concat(rest.to_vec())))
}

fn unwrap_capture(mut hir: &Hir) -> &Hir {
    while let HirKind::Capture(capture) = hir.kind() {
        hir = &capture.sub;
    }
    hir
}
