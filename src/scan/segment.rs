//! The scan of one segment: its views, and the engine's state in each.
//!
//! While the text as its reader gets it and its folded view are the same, which they are for ASCII, there is one state. A character that
//! folds to something else forks a second one off, which goes again when both have read the same for long enough.

use crate::{
    scan::{
        engine::{Engine, Hit, Overflow, Stream},
        finding::{Finding, RuleIndex},
    },
    text::{
        Form, Span, unicode,
        view::{Map, Place, Unescape},
    },
};

/// Text is folded and read in blocks of so many bytes while there are two states.
const BLOCK: usize = 256;

/// The state of one text that is being read, in as many pieces as it comes in. Any cut gives the same findings.
#[derive(Clone, Debug)]
pub struct SegmentScan {
    length: usize,
    cleared: usize,
    /// Undoes the escapes of [`Form::Json`].
    unescape: Option<Unescape>,
    /// The text as its reader gets it, and where in the source it is.
    plain: Stream,
    plain_map: Map,
    folded: Option<Box<Folded>>,
}

#[derive(Clone, Debug)]
struct Folded {
    stream: Stream,
    /// To offsets of the plain view.
    map: Map,
    /// The last block.
    text: String,
    /// How many of the last bytes are the same in both views.
    same: usize,
    /// What has been reported since the fork and may be found again in the other view.
    reported: Vec<Finding>,
}

impl SegmentScan {
    /// At the start of a text.
    pub fn new(form: Form) -> Self {
        let unescape = match form {
            Form::Plain => None,
            Form::Json => Some(Unescape::default()),
        };
        Self {
            length: 0,
            cleared: 0,
            unescape,
            plain: Stream::new(),
            plain_map: Map::default(),
            folded: None,
        }
    }

    /// Reads the next piece of text; matches that are complete are added to `findings`, in the order in which they became so.
    ///
    /// # Errors
    /// [`Overflow`]: findings are not complete any more. The piece has been read all the same.
    pub fn push(
        &mut self,
        engine: &Engine,
        text: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Overflow> {
        let source = self.length;
        self.length += text.len();
        let result = match &mut self.unescape {
            Some(unescape) if !unescape.is_plain(text) => {
                let mut view = String::with_capacity(text.len());
                let view_start = self.plain.position();
                let at = Place {
                    view: view_start,
                    source,
                };
                unescape.push(text, at, &mut view, &mut self.plain_map);
                self.read(engine, &view, findings)
            }
            _ => self.read(engine, text, findings),
        };
        self.clear(engine);
        result
    }

    /// Reads the end of the text; matches that the end completes are added to `findings`. Everything is cleared then.
    ///
    /// # Errors
    /// [`Overflow`], as for [`push`](Self::push).
    pub fn finish(&mut self, engine: &Engine, findings: &mut Vec<Finding>) -> Result<(), Overflow> {
        let mut rest = String::new();
        if let Some(unescape) = &mut self.unescape {
            unescape.finish(&mut rest);
        }
        let result = self.read(engine, &rest, findings);
        let (mut hits, mut folded_hits) = (Vec::new(), Vec::new());
        self.plain.finish(engine, &mut hits);
        if let Some(folded) = &mut self.folded {
            folded.stream.finish(engine, &mut folded_hits);
        }
        self.report(&hits, &folded_hits, findings);
        self.cleared = self.length;
        result
    }

    /// Bytes of the text, from its start, that may leave: no later or still open match of a rule that holds begins before them.
    pub const fn cleared(&self) -> usize {
        self.cleared
    }

    /// Bytes of the text read so far.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether no byte has been read.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads more of the plain view.
    fn read(
        &mut self,
        engine: &Engine,
        mut text: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Overflow> {
        let mut result = Ok(());
        let (mut hits, mut folded_hits) = (Vec::new(), Vec::new());
        while !text.is_empty() {
            let (block, rest) = match self.folded {
                None => text.split_at_checked(unchanged(text)).unwrap_or((text, "")),
                Some(_) => text
                    .split_at_checked(text.floor_char_boundary(BLOCK))
                    .unwrap_or((text, "")),
            };
            text = rest;
            let base = self.plain.position();
            let read = self.plain.read(engine, block.as_bytes(), &mut hits);
            result = result.and(read);
            if let Some(folded) = &mut self.folded {
                folded.fold(block, base);
                let text = folded.text.as_bytes();
                let read = folded.stream.read(engine, text, &mut folded_hits);
                result = result.and(read);
            } else if !rest.is_empty() {
                self.folded = Some(Box::new(Folded::fork(&self.plain)));
            }
            self.report(&hits, &folded_hits, findings);
            hits.clear();
            folded_hits.clear();
            self.forget();
        }
        result
    }

    /// Turns hits of both views into findings, in the order in which they were complete, each once.
    fn report(&mut self, hits: &[Hit], folded_hits: &[Hit], findings: &mut Vec<Finding>) {
        let finding = |hit: &Hit, start: usize, end: usize| Finding {
            rule: RuleIndex(hit.rule),
            span: Span::new(self.plain_map.start(start), self.plain_map.end(end)),
            continues: hit.continues,
            probability: None,
        };
        let plain = hits
            .iter()
            .map(|hit| (hit.at, finding(hit, hit.start, hit.end)));
        let Some(folded) = &mut self.folded else {
            findings.extend(plain.map(|(_, finding)| finding));
            return;
        };
        let map = &folded.map;
        let mut all: Vec<(usize, Finding)> = plain.collect();
        all.extend(folded_hits.iter().map(|hit| {
            (
                map.end(hit.at),
                finding(hit, map.start(hit.start), map.end(hit.end)),
            )
        }));
        all.sort_by_key(|(at, _)| *at);
        for (_, finding) in all {
            if !folded.reported.contains(&finding) {
                folded.reported.push(finding);
                findings.push(finding);
            }
        }
    }

    /// Drops what can matter no more: the second state if it is the same as the first, and places far behind.
    fn forget(&mut self) {
        let mut oldest = self.plain.oldest();
        if let Some(folded) = &mut self.folded {
            let idle = self.plain.idle_tail().zip(folded.stream.idle_tail());
            if idle.is_some_and(|(plain, folded_tail)| folded.same > plain.max(folded_tail)) {
                self.folded = None;
            } else {
                oldest = oldest.min(folded.map.start(folded.stream.oldest()));
                folded.map.trim(folded.stream.oldest());
                let source = self.plain_map.start(oldest);
                folded
                    .reported
                    .retain(|finding| finding.span.start >= source);
            }
        }
        self.plain_map.trim(oldest);
    }

    fn clear(&mut self, engine: &Engine) {
        if !engine.holds() {
            self.cleared = self.length;
            return;
        }
        let mut from = self.plain.held_from(engine);
        if let Some(folded) = &self.folded {
            from = from.min(folded.map.start(folded.stream.held_from(engine)));
        }
        self.cleared = self.plain_map.start(from);
    }
}

impl Folded {
    fn fork(plain: &Stream) -> Self {
        Self {
            stream: plain.clone(),
            map: Map::default(),
            text: String::new(),
            same: 0,
            reported: Vec::new(),
        }
    }

    /// Folds a block that begins at `base` of the plain view.
    fn fold(&mut self, block: &str, base: usize) {
        self.text.clear();
        let view = self.stream.position();
        for (place, character) in block.char_indices() {
            let before = self.text.len();
            unicode::fold(character, &mut self.text);
            let made = self.text.get(before..).unwrap_or_default();
            if made == character.encode_utf8(&mut [0; 4]) {
                self.same += made.len();
            } else {
                self.map.whole(
                    view + before,
                    made.len(),
                    base + place,
                    character.len_utf8(),
                );
                self.same = 0;
            }
        }
    }
}

/// How many bytes of the text, from its start, fold to themselves.
fn unchanged(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let mut folded = String::new();
    let changed = text.char_indices().find(|(_, character)| {
        folded.clear();
        unicode::fold(*character, &mut folded);
        folded.as_str() != character.encode_utf8(&mut [0; 4])
    });
    changed.map_or(text.len(), |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Check, Rule, Scanner};
    use proptest::prelude::*;
    use regex_automata::{Anchored, Input, MatchKind, nfa::thompson::pikevm::PikeVM, util::syntax};
    use std::{fmt::Write as _, sync::OnceLock};

    fn rule(id: &str, pattern: &str, check: Option<Check>) -> Rule {
        Rule {
            id: id.to_owned().into(),
            scanner: Scanner::Topic,
            category: "test",
            label: "TEST".into(),
            score: 0,
            pattern: pattern.to_owned().into(),
            check,
            summary: "".into(),
        }
    }

    fn even(text: &str) -> bool {
        text.bytes()
            .filter(u8::is_ascii_digit)
            .map(u32::from)
            .sum::<u32>()
            % 2
            == 0
    }

    /// Patterns of every shape the engine treats differently.
    fn shapes() -> Vec<Rule> {
        [
            r"(?i)\bignore\s+(?:(?:all|any)\s+){0,2}(?:rules|text)\b",
            r"\bkey-[a-z0-9]{3,}",
            r"AKIA[A-Z0-9]{4}\b",
            r"[a-z.]{1,6}@[a-z]{1,5}(?:\.[a-z]{2,3})+",
            r"\b[\w.]+@x\b",
            r"(?m)^system:",
            r"end of text\z",
            r"\Astart",
            r"(?:abc|abcd|bcd)e?",
            r"ab{2}c[^é]d",
            r"(?i)straße|über",
            r"<\|[a-z]{1,5}\|>",
            r"aba",
            r"игнор(?:ируй)?",
        ]
        .iter()
        .enumerate()
        .map(|(index, pattern)| rule(&format!("test.{index}"), pattern, None))
        .chain([rule(
            "test.digits",
            r"\b\d{3,5}(?: \d{2,4}){0,2}\b",
            Some(Check::AnyEnd(even)),
        )])
        .collect()
    }

    struct Rules {
        engine: Engine,
        oracle: Vec<(PikeVM, Option<Check>)>,
    }

    fn test_rules() -> &'static Rules {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| {
            let rules: Vec<Rule> = shapes().into_iter().chain(crate::scan::rules()).collect();
            let ascii = |pattern: &str| {
                pattern
                    .replace(r"\b", r"(?-u:\b)")
                    .replace(r"\w", "A-Za-z0-9_")
                    .replace(r"\s", r"[\t\n\x0b\x0c\r\x20]")
                    .replace(r"\d", "[0-9]")
            };
            let vm = |rule: &Rule| {
                let config = PikeVM::config().match_kind(MatchKind::All);
                PikeVM::builder()
                    .configure(config)
                    .syntax(syntax::Config::new().utf8(false))
                    .build(&ascii(&rule.pattern))
                    .expect("a pattern")
            };
            let oracle = rules
                .iter()
                .take(shapes().len())
                .map(|rule| (vm(rule), rule.check.clone()))
                .collect();
            let engine = Engine::compile(rules.into_iter().map(|rule| (rule, true)).collect())
                .expect("supported rules");
            Rules { engine, oracle }
        })
    }

    /// All pairs of a start and the longest match from there.
    fn expected(text: &str, (vm, check): &(PikeVM, Option<Check>)) -> Vec<Span> {
        let mut cache = vm.create_cache();
        let mut all = Vec::new();
        for start in (0..text.len()).filter(|place| text.is_char_boundary(*place)) {
            let ends = (start + 1..=text.len())
                .rev()
                .filter(|end| text.is_char_boundary(*end));
            let mut longest = |end: usize| {
                let mut slots = [None; 2];
                // The look-around at the end must see the rest of the text, so search it all and accept only this end.
                let input = Input::new(text).range(start..).anchored(Anchored::Yes);
                vm.search_slots(&mut cache, &input, &mut slots)
                    .and(slots[1])
                    .is_some_and(|found| found.get() == end)
            };
            let found = match check {
                None => ends.clone().find(|end| longest(*end)),
                // Shorter ends count too where a check decides: the rule of this test only ends at word boundaries.
                Some(check) => ends.clone().find(|end| {
                    digits_end(text, start, *end)
                        && check.passes(text.get(start..*end).expect("a span"))
                }),
            };
            all.extend(found.map(|end| Span::new(start, end)));
        }
        all
    }

    /// `\b\d{3,5}(?: \d{2,4}){0,2}\b` on exactly this span.
    fn digits_end(text: &str, start: usize, end: usize) -> bool {
        let word = |place: Option<usize>| {
            place
                .and_then(|place| text.as_bytes().get(place))
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        let groups: Vec<&str> = text.get(start..end).expect("a span").split(' ').collect();
        let digits = groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_digit()));
        digits
            && groups.len() <= 3
            && (3..=5).contains(&groups[0].len())
            && groups[1..]
                .iter()
                .all(|group| (2..=4).contains(&group.len()))
            && !word(start.checked_sub(1))
            && !word(Some(end))
    }

    /// Scans the pieces; checks what every scan promises of `cleared`.
    fn scan<'t>(
        engine: &Engine,
        form: Form,
        pieces: impl IntoIterator<Item = &'t str>,
    ) -> Vec<Finding> {
        let (mut state, mut findings, mut cleared) = (SegmentScan::new(form), Vec::new(), 0);
        for piece in pieces {
            let before = findings.len();
            state
                .push(engine, piece, &mut findings)
                .expect("no overflow");
            assert!(
                findings[before..]
                    .iter()
                    .all(|finding| finding.span.start >= cleared),
                "a match began in text that had left"
            );
            assert!(
                state.cleared() >= cleared && state.cleared() <= state.len(),
                "cleared goes forward"
            );
            cleared = state.cleared();
        }
        let before = findings.len();
        state.finish(engine, &mut findings).expect("no overflow");
        assert!(
            findings[before..]
                .iter()
                .all(|finding| finding.span.start >= cleared),
            "a match began in text that had left"
        );
        assert_eq!(state.cleared(), state.len());
        findings
    }

    fn characters(text: &str) -> impl Iterator<Item = &str> {
        text.char_indices().map(|(place, character)| {
            text.get(place..place + character.len_utf8())
                .expect("a character")
        })
    }

    /// Text of which every piece is a part of some pattern.
    fn text() -> impl Strategy<Value = String> {
        let pieces = [
            "ignore",
            "IGNORE",
            " ",
            "  ",
            "all ",
            "any ",
            "rules",
            "text",
            "key-",
            "k",
            "abc",
            "abcd",
            "e",
            "AKIA",
            "AKIAB2",
            "XY",
            "@",
            "x",
            "a.b",
            "..",
            ".de",
            "\n",
            "system:",
            "end of text",
            "start",
            "abbc",
            "é",
            "d",
            "straße",
            "STRASSE",
            "ſ",
            "Über",
            "<|",
            "|>",
            "im",
            "ab",
            "a",
            "игнор",
            "ируй",
            "123",
            "45",
            " 67",
            "_",
            "-",
            "’",
            "\u{200b}",
            "ｉgnore",
            "о",
            "sk-",
            "gh",
            "p_",
            "4111 1111 1111 1111",
            " 123",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14)
            .prop_map(|pieces| pieces.concat())
    }

    fn cut<'t>(text: &'t str, cuts: &[prop::sample::Index]) -> Vec<&'t str> {
        let mut places: Vec<usize> = cuts
            .iter()
            .map(|cut| text.floor_char_boundary(cut.index(text.len() + 1)))
            .chain([0, text.len()])
            .collect();
        places.sort_unstable();
        places
            .windows(2)
            .map(|pair| text.get(pair[0]..pair[1]).expect("a piece"))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn finds_what_the_pattern_says_and_covers_every_match(text in text()) {
            let rules = test_rules();
            let findings = scan(&rules.engine, Form::Plain, [text.as_str()]);
            for (index, oracle) in rules.oracle.iter().enumerate() {
                let expected = expected(&text, oracle);
                let found: Vec<Span> = findings.iter().filter(|finding| usize::from(finding.rule.0) == index).map(|finding| finding.span).collect();
                for span in &expected {
                    prop_assert!(found.iter().any(|found| found.start <= span.start && found.end >= span.end), "rule {index} misses {span:?} in {text:?}: {found:?}");
                }
                if text.is_ascii() {
                    for span in &found {
                        prop_assert!(expected.contains(span) || index == 4, "rule {index} made up {span:?} in {text:?}");
                    }
                }
            }
        }

        #[test]
        fn any_cut_gives_the_same_findings(text in text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let engine = &test_rules().engine;
            let whole = scan(engine, Form::Plain, [text.as_str()]);
            prop_assert_eq!(&whole, &scan(engine, Form::Plain, cut(&text, &cuts)));
            prop_assert_eq!(&whole, &scan(engine, Form::Plain, characters(&text)));
        }

        #[test]
        fn json_text_is_read_as_its_reader_will(text in text(), escaped in prop::collection::vec(any::<bool>(), 64), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let engine = &test_rules().engine;
            let (mut written, mut places) = (String::new(), vec![0]);
            for (character, escaped) in text.chars().zip(escaped.iter().cycle()) {
                match character {
                    _ if *escaped => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write!(written, "\\u{unit:04x}").expect("a string takes it")),
                    '\n' => written.push_str("\\n"),
                    _ => written.push(character),
                }
                places.resize(places.len() + character.len_utf8() - 1, usize::MAX);
                places.push(written.len());
            }
            let plain = scan(engine, Form::Plain, [text.as_str()]);
            let moved: Vec<Finding> = plain.iter().map(|finding| Finding { span: Span::new(places[finding.span.start], places[finding.span.end]), ..*finding }).collect();
            prop_assert_eq!(&moved, &scan(engine, Form::Json, [written.as_str()]));
            prop_assert_eq!(&moved, &scan(engine, Form::Json, cut(&written, &cuts)));
            prop_assert_eq!(&moved, &scan(engine, Form::Json, characters(&written)));
        }
    }

    fn rules_of(patterns: &[&str]) -> Engine {
        let rule = |(index, pattern): (usize, &&str)| {
            (rule(&format!("test.{index}"), pattern, None), true)
        };
        Engine::compile(patterns.iter().enumerate().map(rule).collect())
            .expect("supported patterns")
    }

    fn spans(engine: &Engine, text: &str) -> Vec<(usize, usize, bool)> {
        let findings = scan(engine, Form::Plain, [text]);
        assert_eq!(findings, scan(engine, Form::Plain, characters(text)));
        findings
            .iter()
            .map(|finding| (finding.span.start, finding.span.end, finding.continues))
            .collect()
    }

    #[test]
    fn a_match_longer_than_the_reach_is_swallowed_in_parts() {
        let engine = rules_of(&[r"\bkey-[a-z]{3,}"]);
        let text = format!("a key-{} b", "x".repeat(3000));
        let found = spans(&engine, &text);
        assert_eq!(
            found.first().map(|first| (first.0, first.2)),
            Some((2, false))
        );
        assert_eq!(
            found.last().map(|last| (last.1, last.2)),
            Some((3006, true))
        );
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].1 == pair[1].0 && pair[1].2),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .all(|(start, end, _)| end - start <= engine.reach() + 1)
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let engine = rules_of(&[r"alpha\s+beta", r"abc[a-z]{0,300}!"]);
        let mut state = SegmentScan::new(Form::Plain);
        let mut findings = Vec::new();
        assert_eq!(
            state.push(
                &engine,
                &format!("alpha{}", " ".repeat(2000)),
                &mut findings
            ),
            Err(Overflow)
        );
        assert_eq!(
            state.push(&engine, "alpha beta ", &mut findings),
            Ok(()),
            "the scan goes on"
        );
        assert_eq!(findings.len(), 1);
        assert_eq!(
            state.push(&engine, &"abc".repeat(200), &mut findings),
            Err(Overflow)
        );
    }

    #[test]
    fn hostile_text_costs_a_bounded_number_of_steps() {
        let engine = &test_rules().engine;
        let base = [
            "a",
            "@",
            "a@",
            "1",
            "4",
            "4111 ",
            "ignore ",
            "ignore all ",
            "sk-",
            "sk-a",
            "eyJ",
            "eyJa.",
            "-----BEGIN ",
            "://a:",
            "password=",
            "<|",
            "you are now ",
            "0Q~",
            "é",
            "\u{200b}",
            "о",
            "SG.",
            "M",
            "Ma.",
            "key-",
            "ghp_",
            "act as ",
            "print the ",
            "abc",
            "ab",
            "..",
            "bearer ",
        ];
        for piece in base {
            let text = piece.repeat(20_000 / piece.len());
            let mut state = SegmentScan::new(Form::Plain);
            let mut findings = Vec::new();
            let mut steps = 0;
            for character in characters(&text) {
                let folded = state
                    .folded
                    .as_ref()
                    .map_or(0, |folded| folded.stream.live());
                steps += (state.plain.live() + folded) * character.len();
                if state.push(engine, character, &mut findings).is_err() {
                    break;
                }
            }
            assert!(
                steps <= 16 * text.len(),
                "{piece:?}: {steps} steps for {} bytes",
                text.len()
            );
        }
    }

    #[test]
    fn nothing_is_held_where_nothing_can_begin() {
        let engine = rules_of(&[
            r"\bignore\s+all\b",
            r"\bkey-[a-z]{3,}",
            r"[a-z.]{1,64}@[a-z]{2,9}\.de",
        ]);
        let without_runs = rules_of(&[r"\bignore\s+all\b", r"\bkey-[a-z]{3,}"]);
        let held = |engine: &Engine, text: &str| {
            let mut state = SegmentScan::new(Form::Plain);
            state
                .push(engine, text, &mut Vec::new())
                .expect("no overflow");
            text.len() - state.cleared()
        };
        for (text, with, without) in [
            ("I", 1, 1),
            ("Hi", 1, 0),
            ("big", 3, 0),
            ("so ig", 2, 2),
            ("so ignorant", 8, 0),
            ("so ignore", 6, 6),
            ("so ignore  al", 10, 10),
            ("so ignore  al ", 0, 0),
            ("a mon", 3, 0),
            ("a key-ab", 6, 6),
            ("a key-abc", 7, 7),
            ("a key-abc.", 4, 0),
            ("1+1=", 0, 0),
            ("k\u{200b}ey", 6, 6),
        ] {
            assert_eq!(held(&without_runs, text), without, "{text:?}");
            assert_eq!(held(&engine, text), with, "{text:?} with e-mail");
        }
    }

    #[test]
    fn patterns_that_cannot_be_scanned_are_refused_with_the_reason() {
        for (pattern, reason) in [
            ("a(", "not a valid pattern"),
            (r"(a)\1", "not a valid pattern"),
            ("a*", "empty text"),
            ("(?-u:[^a])bcd", "part of a character"),
            ("abc.*def", "any text"),
            (r"abc(?:\w+\s+)*def", "any text"),
            ("[a-z]{2,9}", "common characters"),
            (r"\w+ing\b", "common characters"),
            (".{0,200}", "empty text"),
            ("abc(?:[a-z]{0,300}x){3}", "too large"),
        ] {
            let refused = Engine::compile(vec![(rule("topic.test", pattern, None), true)])
                .expect_err(pattern);
            assert!(
                refused[0].reason.contains(reason),
                "{pattern}: {}",
                refused[0]
            );
            assert_eq!(refused[0].rule, "topic.test");
        }
        rules_of(&[]);
        rules_of(&[
            r"(?i)project\s+bluebird",
            r"\b[A-Za-z0-9._%+-]+@company\.com\b",
            r"(?i)straße \w+ nord",
            r"\b[A-Z]{2}\d{6}\b",
            "geheim",
        ]);
    }
}
