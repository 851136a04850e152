//! Properties of scans: the same findings for any cut, nothing of a match leaves early, bounded work.

use super::*;
use crate::{
    scan::{Check, Rule, Scanner},
    text::{Encoding, Span},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
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
            "cleared goes forward: {cleared} then {} of {} after {piece:?}",
            state.cleared(),
            state.len()
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

/// The same in disguise: parts of encoded text, escapes, leetspeak, letters one by one.
fn disguised() -> impl Strategy<Value = String> {
    let pieces = [
        "c28ga2V",
        "5LWFiY2QsIGln",
        "bm9yZSBhbGwgcnVsZXM=",
        "YzI4Z2EyVjVMV0ZpWTJRc0lHbG5ibT",
        "l5WlNCaGJHd2djblZzWlhNPQ==",
        "6b65792d6",
        "162636420616e64206d6f7265",
        "NFTW433SMUQ",
        "GC3DMEBZHK3DFOM======",
        "6b 65 79 2d ",
        "61 62 63 64 65 66",
        "%6b",
        "%65y-",
        "%61bc",
        "&#107;",
        "&#x65;y-",
        "\\u006b",
        "\\x6b\\x65",
        "\\",
        "1gn0r3 ",
        "4",
        "1",
        "k e y ",
        "i g n o r e ",
        " a l l",
        "i.g.n.o.r.e",
        "%2569gnore",
        "%",
        "%%36%39",
        "%6%62",
        "&#10%37;",
        "&#1",
        "ignore ",
        "all ",
        "rules",
        "key-",
        "abc",
        " ",
        "\n",
        "/",
        "é",
        "ｉ",
        "\u{e0069}\u{e0067}",
        "\u{e006e}\u{e006f}\u{e0072}\u{e0065}",
        "\u{e0120}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..10)
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
                    let plain = findings.iter().any(|finding| finding.span == *span && finding.encoding <= Encoding::Folded);
                    prop_assert!(!plain || expected.contains(span) || index == 4, "rule {index} made up {span:?} in {text:?}");
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
    fn any_cut_of_disguised_text_gives_the_same_findings(text in disguised(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
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
    let rule =
        |(index, pattern): (usize, &&str)| (rule(&format!("test.{index}"), pattern, None), true);
    Engine::compile(patterns.iter().enumerate().map(rule).collect()).expect("supported patterns")
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
            steps += state.view.live() * character.len();
            if state.push(engine, character, &mut findings).is_err() {
                break;
            }
        }
        assert!(
            steps <= 48 * text.len(),
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
        ("big", 3, 3),
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
        assert_eq!(
            (held(&engine, text), held(&without_runs, text)),
            (with, without),
            "{text:?} with e-mail, without"
        );
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
        let refused =
            Engine::compile(vec![(rule("topic.test", pattern, None), true)]).expect_err(pattern);
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

/// The encoding and the source of each finding.
fn found<'t>(engine: &Engine, text: &'t str) -> Vec<(Encoding, &'t str)> {
    let findings = scan(engine, Form::Plain, [text]);
    assert_eq!(findings, scan(engine, Form::Plain, characters(text)));
    findings
        .iter()
        .map(|finding| {
            (
                finding.encoding,
                text.get(finding.span.range()).expect("whole characters"),
            )
        })
        .collect()
}

#[test]
fn what_is_encoded_is_found_where_it_is() {
    let engine = rules_of(&[r"\bkey-[a-z]{4,}", r"\bignore\s+all\b"]);
    for (before, source, after, encoding) in [
        ("in ", "a2V5LWFiY2Qg", "YW5kIG1vcmU= it", Encoding::Base64),
        ("c28gdGhl", "IGtleS1hYmNk", "LCBvayB5ZXM", Encoding::Base64),
        (
            "dear ",
            "NNSXSLLBMJRWILBA",
            "MFXGIIDNN5ZGK",
            Encoding::Base32,
        ),
        ("0x736f20", "6b65792d61626364", "2c20616e64", Encoding::Hex),
        (
            "73 6f 20 ",
            "6b 65 79 2d 61 62 63 64",
            " 2c 20 61 6e 64",
            Encoding::Hex,
        ),
        ("a ", "k%65y-ab%63d", ", b", Encoding::Escape),
        ("a ", "&#107;ey-abc&#x64;", ", b", Encoding::Escape),
        ("a ", r"key\u002dabcd", ", b", Encoding::Escape),
        ("a ", "1gn0r3 4ll", " b", Encoding::Leet),
        ("a ", "i g n o r e  a l l", ", b", Encoding::Spaced),
        ("please ", "i.g.n.o.r.e all", " b", Encoding::Spaced),
        ("a ", "ｋey-abcd", ", b", Encoding::Folded),
        ("a ", "%2569gnore all", " b", Encoding::Escape),
        ("a ", "%%36%39gnore all", " b", Encoding::Escape),
        ("a ", "i g n o r e  %61 l l", " b", Encoding::Escape),
        ("a ", "1gn0r%65 4ll", " b", Encoding::Escape),
        (
            "b: ",
            "YTJWNUxXRmlZMlFn",
            "WVc1a0lHMXZjbVU= it",
            Encoding::Base64,
        ),
    ] {
        let text = format!("{before}{source}{after}");
        assert_eq!(found(&engine, &text), [(encoding, source)], "{text}");
    }
}

#[test]
fn what_two_views_find_is_named_after_the_simpler() {
    let engine = rules_of(&[r"\bignore\s+all\b"]);
    // An escape before it: whether its view is still there depends on how the text was cut.
    for text in ["%6bbm9yZSBhbGwgcnVsZXM= 1gn0r3 all", "%6b 1gn0r3 all"] {
        assert_eq!(found(&engine, text), [(Encoding::Leet, "1gn0r3 all")]);
    }
}

#[test]
fn what_is_turned_or_hidden_is_found() {
    let engine = rules_of(&[r"\bkey-[a-z]{4,}", r"\bignore\s+all\b"]);
    for (text, encoding) in [
        ("so vtaber  nyy b", Encoding::Rot13),
        ("so lla erongi b", Encoding::Reversed),
    ] {
        let found: Vec<Encoding> = found(&engine, text)
            .iter()
            .map(|(encoding, _)| *encoding)
            .collect();
        assert_eq!(found, [encoding], "{text}");
    }
    let tags: String = "key-abcd ok"
        .chars()
        .filter_map(|c| char::from_u32(u32::from(c) + 0xe_0000))
        .collect();
    assert!(
        found(&engine, &format!("Hi{tags} all"))
            .iter()
            .any(|(encoding, _)| *encoding <= Encoding::Hidden)
    );
    let selectors = "key-abcd ok"
        .bytes()
        .filter_map(|byte| char::from_u32(u32::from(byte) + 0xe_0100 - 16));
    let selectors: String = selectors.collect();
    let hidden: String = selectors.chars().take(8).collect();
    assert_eq!(
        found(&engine, &format!("Hi{selectors} all")),
        [(Encoding::Hidden, hidden.as_str())]
    );
}

#[test]
fn a_long_run_is_read_as_it_comes_and_held_only_where_a_match_may_be() {
    let engine = rules_of(&[r"\bkey-[a-z]{4,}"]);
    let mut state = SegmentScan::new(Form::Plain);
    let mut findings = Vec::new();
    for _ in 0..20_000 {
        state
            .push(&engine, "bm8ga2V5IGhlcmUg", &mut findings)
            .expect("no overflow");
        assert!(state.len() - state.cleared() <= 16);
    }
    state
        .push(&engine, "bm8ga2V5LWFi", &mut findings)
        .expect("no overflow");
    let held = state.len() - state.cleared();
    assert!(
        (8..=16).contains(&held),
        "from the group in which `key-` begins: {held}"
    );
    assert!(findings.is_empty());
}

/// Text that is encoded or looks so, in up to two layers.
fn nested() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        "[Vk/aT0+_-]{1,12}V{0,9}",
        "[VUTaz/ _+=&\\\\%x0127;u-]{1,16}",
        "[A-Z2-7]{1,20}=?",
        "[0-9a-fx\\\\% ,:-]{1,20}",
        "(ignore|key-abc|é|文|abc|AKIA0000|a@b.cc|%41|&#65;|\\\\u0041| ){1,6}",
    ];
    let encoded = (plain, 0..7u8).prop_map(|(text, how)| encode(&text, how));
    prop::collection::vec((encoded, 0..7u8), 1..6).prop_map(|parts| {
        let parts = parts.iter().map(|(text, how)| encode(text, *how));
        parts.collect()
    })
}

fn encode(text: &str, how: u8) -> String {
    let mut out = String::new();
    match how {
        0 => return BASE64_STANDARD.encode(text),
        1 | 2 => {
            for byte in text.bytes() {
                let sign = if how == 2 { "%" } else { "" };
                write!(out, "{sign}{byte:02x}").expect("a string takes it");
            }
        }
        3 | 4 => {
            for letter in text.chars().map(u32::from) {
                let written = if how == 3 {
                    format!("&#{letter};")
                } else {
                    format!("\\u{letter:04x}")
                };
                out.push_str(&written);
            }
        }
        _ => return text.to_owned(),
    }
    out
}

proptest! {
    #[test]
    fn what_was_cleared_is_never_taken_back(text in nested(), json in any::<bool>()) {
        let engine = &test_rules().engine;
        let form = if json { Form::Json } else { Form::Plain };
        let (mut scan, mut findings, mut cleared) = (SegmentScan::new(form), Vec::new(), 0);
        for (place, letter) in text.char_indices() {
            scan.push(engine, letter.encode_utf8(&mut [0; 4]), &mut findings).unwrap();
            prop_assert!(scan.cleared() >= cleared, "at {}: {} after {}", place, scan.cleared(), cleared);
            cleared = scan.cleared();
        }
    }
}
