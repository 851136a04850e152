//! Redaction against a simple implementation of its own, and encoded secrets in streams cut at every place.

use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const POLICY: &str = r"
request:
  secrets: {action: redact, kinds: [aws_access_key, github_token]}
response:
  secrets: {action: redact, kinds: [aws_access_key, github_token]}
topics:
  - {id: falcon, pattern: 'crimson falcon', on: [request, response], action: redact}
  - {id: crest, pattern: 'falcon crest', on: [request, response], action: redact}
  - {id: forest, pattern: '静かな森', on: [request, response], action: redact}
";

fn policy() -> Arc<Policy> {
    static POLICIES: LazyLock<Arc<Policy>> = LazyLock::new(|| super::policy(POLICY));
    Arc::clone(&POLICIES)
}

/// An AWS key id, made here so that nobody mistakes this file for one.
fn aws() -> String {
    format!("{}{}", "AKIA", "QZ7WX2LM9PRT4VBK")
}

const LITERALS: [(&str, &str); 3] = [
    ("crimson falcon", "[FALCON]"),
    ("falcon crest", "[CREST]"),
    ("静かな森", "[FOREST]"),
];

/// What must leave of a text: everything is found, what overlaps is one, the placeholder is that of what begins first.
fn reference(text: &str, whole: bool) -> String {
    let mut found: Vec<(usize, usize, &str)> = Vec::new();
    for (start, _) in text.char_indices() {
        let rest = &text[start..];
        for (literal, placeholder) in LITERALS {
            if rest.starts_with(literal) {
                found.push((start, start + literal.len(), placeholder));
            }
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let run = rest.chars().take_while(|c| word(*c)).count();
        // Behind letters a key is found in whole texts only (docs/SCANNERS.md).
        let begins = whole || !text[..start].ends_with(word);
        let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        if begins && run == 20 && rest.starts_with("AKIA") && rest[..20].chars().all(shape) {
            found.push((start, start + 20, "[AWS_ACCESS_KEY]"));
        }
    }
    let (mut out, mut at, mut end) = (String::new(), 0, 0);
    for (from, to, placeholder) in found {
        if from >= end {
            out += &text[at..from];
            out += placeholder;
        }
        end = end.max(to);
        at = end;
    }
    out + &text[at..]
}

/// Values, their beginnings and ends, and what may stand beside them.
fn fragments() -> impl Strategy<Value = String> {
    let mut fragments: Vec<String> = [
        "crimson falcon",
        "crimson ",
        "falcon crest",
        "falcon",
        " crest",
        "crim",
        "静かな森",
        "静かな",
        "森",
        " ",
        "\n",
        "\t",
        ".",
        ",",
        "\"",
        "\\",
        "/",
        "\u{1f642}",
        "日本語",
        "<b>",
        "AKIA",
        "QZ7WX2",
        "_",
        "word",
        "{",
        "}",
    ]
    .map(str::to_owned)
    .to_vec();
    fragments.extend([aws(), aws()]);
    prop::collection::vec(prop::sample::select(fragments), 0..24).prop_map(|parts| parts.concat())
}

fn message(bytes: &[u8], path: &str) -> String {
    let body: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    body.pointer(path).unwrap().as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redaction_does_what_a_simple_one_does(
        text in fragments(),
        deltas in cuts(),
        shape in prop::sample::select(SHAPES.to_vec()),
        escape in any::<bool>(),
    ) {
        let (policy, expected) = (policy(), reference(&text, true));
        let write = if escape { escaped } else { plain };
        let (context, limits) = (Context::default(), Limits::default());
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, write(&text));
        let Outcome::Clear(up) = inspect_request(context, Api::Chat, body.into(), &policy, &limits).outcome else {
            panic!("refused")
        };
        prop_assert_eq!(message(&up.into_bytes(), "/messages/0/content"), &*expected);
        let body = format!(r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"{}"}}}}]}}"#, write(&text));
        let Outcome::Clear(down) = inspect_response(context, Api::Chat, body.into(), &policy, &limits).outcome else {
            panic!("refused")
        };
        prop_assert_eq!(message(&down.into_bytes(), "/choices/0/message/content"), &*expected);
        let bytes = stream(shape, &cut(&text, &deltas), write);
        let run = run(shape, &policy, [bytes.as_slice()]);
        let left = texts(shape, &run.out).into_iter().filter(|(lane, _)| lane.field == Field::Content);
        prop_assert_eq!(left.map(|(_, text)| text).collect::<String>(), reference(&text, false));
    }
}

/// A secret in the encodings that are read.
fn encoded() -> Vec<(&'static str, String)> {
    let key = aws();
    let each = |write: &dyn Fn(u8) -> String| key.bytes().map(write).collect::<String>();
    let base64 = BASE64_STANDARD.encode(&key);
    vec![
        ("twice base64", BASE64_STANDARD.encode(&base64)),
        ("base64", base64),
        ("hexadecimal", each(&|byte| format!("{byte:02x}"))),
        ("percent", each(&|byte| format!("%{byte:02X}"))),
        ("entities", each(&|byte| format!("&#{byte};"))),
        ("escapes", each(&|byte| format!("\\u{byte:04x}"))),
        ("octal", each(&|byte| format!("\\{byte:03o}"))),
        (
            "invisible",
            each(&|byte| format!("{}\u{200b}", char::from(byte))),
        ),
        (
            "full width",
            each(&|byte| {
                char::from_u32(u32::from(byte) + 0xfee0)
                    .unwrap()
                    .to_string()
            }),
        ),
    ]
}

fn answer(shape: Shape, deltas: &[Delta<'_>]) -> String {
    let bytes = stream(shape, deltas, plain);
    let whole = run(shape, &policy(), [bytes.as_slice()]);
    assert_same(
        shape,
        &run(shape, &policy(), bytes.chunks(1)),
        &whole,
        "into bytes",
    );
    let left = texts(shape, &whole.out).into_iter();
    left.filter(|(lane, _)| lane.field == Field::Content)
        .map(|(_, text)| text)
        .collect()
}

#[test]
fn encoded_secrets_leave_no_byte_however_they_are_split() {
    for (name, secret) in encoded() {
        let text = format!("Here it is: {secret} and no more.");
        // What follows the secret stays: padding, an invisible character.
        let padding = match name {
            "base64" => "=",
            "twice base64" => "PQ==",
            "invisible" => "\u{200b}",
            _ => "",
        };
        let expected = format!("Here it is: [AWS_ACCESS_KEY]{padding} and no more.");
        let ends: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        for at in &ends {
            let (left, right) = text.split_at(*at);
            assert_eq!(
                answer(CHAT, &[(0, left), (0, right)]),
                expected,
                "{name} at {at}"
            );
        }
        let alone: Vec<Delta<'_>> = ends.windows(2).map(|at| (0, &text[at[0]..at[1]])).collect();
        for shape in SHAPES {
            assert_eq!(answer(shape, &alone), expected, "{name} alone, {shape:?}");
        }
    }
}
