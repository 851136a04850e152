//! Policies as people write them: a policy or problems that name a place in the file, and the same again.

use sluicegate::diagnostic::Severity;
use sluicegate::policy::{Source, compile};

use super::Input;

pub(crate) fn check(input: &[u8]) {
    let Some(input) = Input::of(input) else {
        return;
    };
    let Ok(text) = str::from_utf8(input.text) else {
        return;
    };
    let source = Source {
        name: "fuzz".into(),
        file: "fuzz.yaml".into(),
        text: text.into(),
    };
    let parent = Source {
        name: "parent".into(),
        file: "parent.yaml".into(),
        text: "topics: [{id: bird, pattern: bluebird}]".into(),
    };
    let load = |name: &str| (name == "parent").then(|| parent.clone());
    let today = jiff::civil::date(2026, 1, 1);
    let (compiled, problems) = match compile(&source, load, today) {
        Ok((policy, warnings)) => (Some(policy), warnings),
        Err(problems) => (None, problems),
    };
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    assert_eq!(compiled.is_some(), errors == 0, "{problems:?}");
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    for problem in &problems {
        assert_eq!(problem.file, "fuzz.yaml");
        assert!(!problem.found.is_empty());
        if let Some((line, column)) = problem.place {
            assert!((1..=lines.len() + 1).contains(&line), "{problem}");
            assert!(
                (1..=text.chars().count() + 2).contains(&column),
                "{problem}"
            );
        }
    }
    if let Some(policy) = compiled {
        assert_eq!(policy.name, "fuzz");
    }
}
