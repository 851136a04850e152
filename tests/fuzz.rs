//! The oracles of `fuzz/` on the inputs that fuzzing has kept, and on inputs made here: differential tests against plain readers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an oracle stops at the first surprise"
)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/oracles/mod.rs"]
mod oracles;

/// Runs an oracle on each file of its corpus.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).expect("a corpus") {
        let path = file.expect("a file").path();
        let input = fs::read(&path).expect("an input");
        // A failure names the input: the panic's own message comes before.
        let passed = std::panic::catch_unwind(|| check(&input)).is_ok();
        assert!(passed, "{} fails", path.display());
        count += 1;
    }
    assert!(count >= 5, "{target}: an empty corpus tests nothing");
}

#[test]
fn sse_corpus() {
    replay("sse", oracles::sse::check);
}

#[test]
fn json_corpus() {
    replay("json", oracles::json::check);
}

#[test]
fn view_corpus() {
    replay("view", oracles::view::check);
}

#[test]
fn stream_corpus() {
    replay("stream", oracles::stream::check);
}

#[test]
fn policy_corpus() {
    replay("policy", oracles::policy::check);
}

#[test]
fn vault_corpus() {
    replay("vault", oracles::vault::check);
}

/// What fuzzing would be given: two bytes of choices, and text made of words.
fn input(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    (
        any::<[u8; 2]>(),
        prop::collection::vec(prop::sample::select(words), 0..24),
    )
        .prop_map(|(choices, words)| {
            let mut input = choices.to_vec();
            input.extend_from_slice(words.concat().as_bytes());
            input
        })
}

/// Lines in every spelling that the event-stream grammar has.
const LINES: &[&str] = &[
    "data",
    ":",
    " ",
    "event",
    "id",
    "retry",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\u{feff}",
    "a",
    "{\"a\":1}",
    "[",
    "]",
    ",",
    "7",
    "é",
    ": c",
    "data: x\n",
    "data:\n",
    "event: e\r\n",
];

/// JSON whole and broken, with spellings on which parsers differ.
const VALUES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"a\":",
    "\"\\u0061\":",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\u0000\"",
    "1",
    "-0",
    "1e999",
    "01",
    "1.5e3",
    "true",
    "null",
    " ",
    "\n",
    "\"zk-7f3q9x2w\"",
    "{\"messages\":[",
    "{\"role\":\"user\",\"content\":\"a b\"}",
    "\u{feff}",
    "\"x y\"",
    "9007199254740993",
];

/// Text that folds, decodes or matches.
const TEXTS: &[&str] = &[
    "zk-",
    "7f3q9x2w",
    "z\u{200b}k-",
    "zk\u{2010}",
    "\\u007a",
    "\\",
    "\\n",
    "\\ud83d",
    "\\ude00",
    "project ",
    "bluebird",
    "ｂluebird",
    "a@b.org",
    "@",
    "é",
    "\u{301}",
    "😀",
    " ",
    "weather",
    "launch code ",
    "1234",
    "ß",
    "\u{e0061}",
];

/// Events of answers, cut in odd places.
const EVENTS: &[&str] = &[
    "data: ",
    "\n\n",
    "\n",
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
    "zk-",
    "~",
    "7f3q9x2w",
    "\"}}]}",
    "weather ",
    "launch code 1234",
    "[DONE]",
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"",
    "\"}}",
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"",
    "\"}]}}]}",
    "[",
    ",",
    "]",
    ": ~\n",
    "id: ~\n",
    "event: ~\n",
    "\"id\":\"~\"",
    "\\u007ak-",
];

/// Lines of policies, right and wrong.
const POLICIES: &[&str] = &[
    "version: 1\n",
    "name: fuzz\n",
    "extends: parent\n",
    "request:\n",
    "response:\n",
    "  pii: {action: redact, kinds: [email]}\n",
    "  rules:\n",
    "    secrets.openai_key: block\n",
    "topics:\n",
    "  - {id: a, pattern: 'ab+c'}\n",
    "  - {id: a, pattern: '('}\n",
    "  - {id: b, pattern: '[a-z]{0,9000}'}\n",
    "tests: []\n",
    "é: ü\n",
    "\t",
    "]",
    "stream: {mode: window, window_chars: 10}\n",
    "observe: yes\n",
    "exceptions: [{rule: x, text: y, reason: z}]\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_are_those_of_a_plain_reader(input in input(LINES)) {
        oracles::sse::check(&input);
    }

    #[test]
    fn json_is_that_of_serde(input in input(VALUES)) {
        oracles::json::check(&input);
    }

    #[test]
    fn views_are_those_of_the_whole(input in input(TEXTS)) {
        oracles::view::check(&input);
    }

    #[test]
    fn streams_keep_secrets(input in input(EVENTS)) {
        oracles::stream::check(&input);
    }

    #[test]
    fn policies_have_places(input in input(POLICIES)) {
        oracles::policy::check(&input);
    }

    #[test]
    fn a_damaged_vault_is_an_error(choices in any::<[u8; 2]>(), edits in prop::collection::vec(any::<u8>(), 0..12)) {
        oracles::vault::check(&[choices.as_slice(), &edits].concat());
    }
}
