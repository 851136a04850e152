//! Phrases that try to change what a model was told to do, or to make it tell.
//!
//! Patterns are a first sieve: they catch plain wording, not a determined attacker. Scores say how much a phrase means by itself: from
//! 7 (high) on it is an attack in nearly any text; 4 to 6 (medium) also appear in honest prompts, documents and code now and then; below that
//! they only add to others. Phrases in other languages are written without accents: the folded view has none.

mod foreseen;
mod instructions;
mod languages;
mod leaks;
mod roles;

use crate::scan::{Rule, Scanner};

pub use foreseen::is_foreseen;

/// A rule as these files write it: category and name, score, pattern, summary. In the pattern, `{_}` stands for what separates
/// words, `{w3}` for up to three words of any kind and `{l3}` for up to three little ones, each with what follows it. Where a phrase begins with a
/// common word, little words it must be: any word would keep ordinary text open for long.
type Row = (&'static str, u32, &'static str, &'static str);

pub(super) fn rules() -> Vec<Rule> {
    [
        instructions::ROWS,
        roles::ROWS,
        leaks::ROWS,
        languages::ROWS,
    ]
    .into_iter()
    .flatten()
    .map(rule)
    .collect()
}

fn rule((name, score, pattern, summary): &Row) -> Rule {
    Rule {
        id: format!("injection.{name}").into(),
        scanner: Scanner::Injection,
        category: name.split('.').next().unwrap_or(name),
        label: "INJECTION".into(),
        score: *score,
        pattern: expand(pattern).into(),
        check: None,
        summary: (*summary).into(),
    }
}

fn expand(pattern: &str) -> String {
    let mut expanded = pattern.replace("{_}", SEPARATOR);
    for most in 1..=4 {
        let words = format!("(?:[a-z]+{SEPARATOR}){{0,{most}}}");
        expanded = expanded.replace(&format!("{{w{most}}}"), &words);
        let words = format!("(?:(?:{LITTLE_WORDS}){SEPARATOR}){{0,{most}}}");
        expanded = expanded.replace(&format!("{{l{most}}}"), &words);
    }
    expanded
}

const SEPARATOR: &str = r#"(?:[\s,"'*_-]+)"#;

const LITTLE_WORDS: &str = "the|all|any|your|my|of|these|this|that|me|us|to|an?|about|what|is|are|out|back|please|and|now|just|exactly|in|for|as|it|you";
