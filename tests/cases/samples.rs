//! Samples made from the patterns themselves: every kind of secret and of personal number is found in what its own pattern describes.

use regex_syntax::hir::{Class, Hir, HirKind};
use sluicegate::scan::{Rule, Scanner};

use super::*;

/// So many samples of a pattern are tried until one passes the rule's check.
const TRIES: u32 = 3000;

/// Marsaglia's xorshift, so that a failure comes again.
struct Random(u32);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % end.max(1)
    }
}

/// Adds a text that the pattern matches, but for what it asks of its surroundings.
fn write(hir: &Hir, random: &mut Random, out: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(str::from_utf8(&literal.0).unwrap()),
        HirKind::Class(class) => out.push(letter(class, random)),
        HirKind::Repetition(repetition) => {
            let (least, most) = (repetition.min, repetition.max.unwrap_or(repetition.min + 3));
            let more = random.below(usize::try_from((most - least).min(3)).unwrap() + 1);
            for _ in 0..least as usize + more {
                write(&repetition.sub, random, out);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, random, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, random, out)),
        HirKind::Alternation(parts) => {
            let choice = random.below(parts.len());
            write(&parts[choice], random, out);
        }
    }
}

/// A letter or digit of a class, or what it has.
fn letter(class: &Class, random: &mut Random) -> char {
    let all: Vec<char> = match class {
        Class::Unicode(class) => class
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .take(0x100)
            .collect(),
        Class::Bytes(class) => class
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .map(char::from)
            .collect(),
    };
    let plain: Vec<char> = all
        .iter()
        .copied()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let of = if plain.is_empty() { &all } else { &plain };
    of[random.below(of.len())]
}

/// A text that a rule describes and whose check passes.
fn sample(rule: &Rule, random: &mut Random) -> Option<String> {
    let mut parser = regex_syntax::ParserBuilder::new().utf8(false).build();
    let hir = parser.parse(&rule.pattern).unwrap();
    (0..TRIES).find_map(|_| {
        let mut text = String::new();
        write(&hir, random, &mut text);
        rule.check
            .as_ref()
            .is_none_or(|check| check.passes(&text))
            .then_some(text)
    })
}

/// All that the cases of a file find.
fn named(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(file);
    let cases: Vec<Case> = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    cases.into_iter().flat_map(|case| case.finds).collect()
}

fn short(rule: &Rule) -> &str {
    rule.id.split_once('.').unwrap().1
}

#[test]
fn every_kind_is_found_in_what_its_pattern_describes() {
    let cases: BTreeSet<String> = ["secrets.yaml", "pii.yaml", "national.yaml"]
        .into_iter()
        .flat_map(named)
        .collect();
    let mut random = Random(7);
    let mut missed = Vec::new();
    for rule in rules()
        .iter()
        .filter(|rule| matches!(rule.scanner, Scanner::Secrets | Scanner::Pii))
    {
        let mut found = 0;
        for _ in 0..2 {
            let Some(sample) = sample(rule, &mut random) else {
                continue;
            };
            let text = format!("so:\n{sample}\nand on");
            let findings = scan(Form::Plain, std::iter::once(text.as_str()));
            let own = |finding: &Finding| ENGINE.rule(finding.rule).unwrap().id == rule.id;
            found += u32::from(findings.iter().any(own));
        }
        if found == 0 && !cases.contains(short(rule)) {
            missed.push(rule.id.clone());
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn every_other_rule_has_a_case() {
    let all: BTreeSet<String> = ["html.yaml", "path.yaml", "code.yaml", "url.yaml"]
        .into_iter()
        .flat_map(named)
        .collect();
    let rules = rules();
    let others = rules.iter().filter(|rule| {
        matches!(
            rule.scanner,
            Scanner::Html | Scanner::Path | Scanner::Code | Scanner::Url
        )
    });
    let missing: Vec<&str> = others.map(short).filter(|id| !all.contains(*id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn there_are_as_many_kinds_as_promised() {
    let rules = rules();
    let secrets = rules
        .iter()
        .filter(|rule| rule.scanner == Scanner::Secrets)
        .count();
    let national = rules.iter().filter(|rule| rule.category == "national");
    let countries: BTreeSet<&str> = national
        .filter_map(|rule| short(rule).split('_').next())
        .collect();
    assert!(
        secrets >= 150 && countries.len() >= 15,
        "{secrets} {countries:?}"
    );
}
