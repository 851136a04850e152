//! What a prompt asks for, and what is said to it.

use super::*;

fn read(text: &str) -> Script {
    Script::read(
        &Prompt::user(text.to_owned()),
        Config::default(),
        "authorization: sha256:00",
    )
}

fn said(script: &Script) -> String {
    script.choice.text(&Kind::Text).unwrap_or_default()
}

#[test]
fn lines_that_are_no_directives_are_text() {
    for text in [
        "plain",
        "",
        "\n two lines \n",
        "/etc/passwd",
        "/error in my code",
        "/error 200",
        "/tool",
        "/tool name {not json}",
        "/tool name [1]",
        "/leak everything",
        "/chunk 0",
        "/pace 60001",
        "/help me",
        "/",
        "a /cut",
    ] {
        let script = read(text);
        assert_eq!(said(&script), text);
        assert!(script.error.is_none() && !script.cut);
    }
}

#[test]
fn directives_are_cut_out() {
    let script = read(
        "one\n/think hm\n/chunk 5\n/pace 7\n/slow 9\n/error 529\n/tool f {\"a\": 1}\ntwo\n/cut\nthree",
    );
    assert_eq!(said(&script), "one\ntwo");
    assert_eq!(script.choice.text(&Kind::Thought).unwrap(), "hm");
    assert_eq!(script.choice.finish, Finish::CallTools);
    assert_eq!(script.choice.parts.last().unwrap().text, "{\"a\": 1}");
    assert_eq!(
        (script.chunk_chars, script.error, script.cut),
        (5, Some(529), true)
    );
    assert_eq!(
        (script.pace, script.slow),
        (Duration::from_millis(7), Duration::from_millis(9))
    );
}

#[test]
fn a_tool_result_holds_no_directives() {
    let script = Script::read(
        &Prompt::tool("/error 500".to_owned()),
        Config::default(),
        "",
    );
    assert_eq!(said(&script), "/error 500");
    assert!(script.error.is_none());
}

#[test]
fn leaks_are_new_each_time_and_well_formed() {
    for (kind, pattern) in [
        (
            "openai-key",
            concat!(r"\bsk-[A-Za-z0-9]{20}T3Blbk", r"FJ[A-Za-z0-9]{20}\b"),
        ),
        ("aws-key", r"\bAKIA[A-Z2-7]{16}\b"),
        ("email", r"\b[a-z]+\.[a-z]+@example\.com\b"),
        ("card", r"\b4\d{3} \d{4} \d{4} \d{4}\b"),
    ] {
        let (first, second) = (
            read(&format!("/leak {kind}")),
            read(&format!("/leak {kind}")),
        );
        assert_ne!(said(&first), said(&second));
        assert_eq!(first.chunk_chars, 4);
        let found = regex::Regex::new(pattern)
            .unwrap()
            .find(&said(&first))
            .unwrap()
            .as_str()
            .to_owned();
        if kind == "card" {
            let digits = found.chars().rev().filter_map(|digit| digit.to_digit(10));
            let sum: u32 = digits
                .enumerate()
                .map(|(place, digit)| {
                    if place % 2 == 0 {
                        digit
                    } else {
                        digit * 2 % 10 + digit * 2 / 10
                    }
                })
                .sum();
            assert_eq!(sum % 10, 0, "{found}");
        }
    }
}

proptest! {
    #[test]
    fn deltas_joined_are_the_parts(texts in prop::collection::vec(".{0,40}", 1..4), chunk_chars in 1_usize..9) {
        let parts: Vec<Part> = texts.iter().map(|text| Part { kind: Kind::Text, text: text.clone() }).collect();
        let choice = Choice { parts, finish: Finish::Stop };
        let answer = Answer {
            choices: vec![choice.clone(), choice],
            chunk_chars,
            cut: false,
            model: String::new(),
            created: 0,
            input_tokens: 1,
        };
        let mut joined = vec![vec![String::new(); texts.len()]; 2];
        let (mut deltas, mut firsts, mut lasts) = (Deltas::default(), 0, 0);
        while let Some(delta) = deltas.next(&answer) {
            prop_assert!(delta.text.chars().count() <= chunk_chars);
            joined[delta.choice][delta.part].push_str(&delta.text);
            firsts += usize::from(delta.first);
            lasts += usize::from(delta.last);
        }
        prop_assert_eq!((firsts, lasts), (2 * texts.len(), 2 * texts.len()));
        prop_assert_eq!(&joined[0], &texts);
        prop_assert_eq!(&joined[1], &texts);
    }
}
