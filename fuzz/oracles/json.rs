//! JSON read as another parser reads it, every string met, and bodies that leave as they came.

use std::collections::HashSet;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::Value as Plain;
use sluicegate::guard::Context;
use sluicegate::guard::body::{Outcome, inspect_request, inspect_response};
use sluicegate::policy::Policy;
use sluicegate::wire::json::{Document, Kind, Limits, Value};
use sluicegate::wire::{read_request, read_response};

use super::Input;
use super::stream::{SECRET, policy};

/// What we refuse and `serde_json` reads: what its readers could understand in two ways, and what is over a limit.
const STRICTER: [&str; 3] = [
    "the same key a second time in one object",
    "a key that holds NUL",
    "more than 64 arrays and objects inside each other",
];

/// What we refuse in a body of any format.
const OTHER_CASE: &str = "a name that some readers take for one in lower case";

static POLICY: LazyLock<std::sync::Arc<Policy>> = LazyLock::new(policy);

pub(crate) fn check(input: &[u8]) {
    let Some(input) = Input::of(input) else {
        return;
    };
    let limits = Limits::default();
    let plain: Result<Plain, _> = serde_json::from_slice(input.text);
    match (Document::parse(input.text, &limits), &plain) {
        (Ok(document), Ok(plain)) => {
            let root = document.root(input.text).expect("a value was read");
            assert_eq!(same(root, plain), document.strings() as usize);
            body(&input, plain);
        }
        (Ok(_), Err(error)) => panic!("serde_json refuses what we read: {error}"),
        (Err(error), Ok(_)) => assert!(STRICTER.contains(&&*error.found), "{error}"),
        (Err(_), Err(_)) => {}
    }
}

/// Compares values, and counts strings.
fn same(ours: Value<'_>, plain: &Plain) -> usize {
    match (ours.kind(), plain) {
        (Kind::Null, Plain::Null)
        | (Kind::True, Plain::Bool(true))
        | (Kind::False, Plain::Bool(false)) => 0,
        (Kind::Number, Plain::Number(number)) => {
            // What is whole in another notation, `3e0`, has no whole number of serde_json's.
            if let Some(plain) = number.as_u64() {
                assert_eq!(ours.as_u64(), Some(plain));
            }
            0
        }
        (Kind::String, Plain::String(text)) => {
            assert_eq!(ours.text().as_deref(), Some(text.as_str()));
            1
        }
        (Kind::Array, Plain::Array(items)) => {
            assert_eq!(ours.items().count(), items.len());
            ours.items()
                .zip(items)
                .map(|(ours, plain)| same(ours, plain))
                .sum()
        }
        (Kind::Object, Plain::Object(members)) => {
            assert_eq!(ours.members().count(), members.len());
            let pairs = ours.members().zip(members);
            pairs
                .map(|((key, ours), (name, plain))| {
                    assert_eq!(key.text().as_deref(), Some(name.as_str()));
                    same(ours, plain)
                })
                .sum()
        }
        (kind, plain) => panic!("{kind:?} for {plain}"),
    }
}

/// A body of any format: every text is a piece; without edits the bytes stay, with edits all else does.
fn body(input: &Input<'_>, plain: &Plain) {
    let (api, limits) = (input.api(), Limits::default());
    let request = input.choice < 128;
    let read = if request {
        read_request(api, input.text, &limits)
    } else {
        read_response(api, input.text, &limits)
    };
    let read = match read {
        Ok(read) => read,
        Err(problem) => {
            let expected = request && !plain.is_object() || problem.found == OTHER_CASE;
            assert!(expected, "a body that is JSON is refused: {problem}");
            return;
        }
    };
    let pieces: HashSet<&[u8]> = read
        .pieces(input.text)
        .map(|piece| &input.text[piece.span.range()])
        .collect();
    let mut missed = Vec::new();
    let document = Document::parse(input.text, &limits).unwrap();
    // Words of the protocol and base64 hold no space.
    each_string(document.root(input.text).unwrap(), &mut |raw| {
        if raw.contains(&b' ') && !pieces.contains(raw) {
            missed.push(String::from_utf8_lossy(raw).into_owned());
        }
    });
    assert!(missed.is_empty(), "texts that no scanner gets: {missed:?}");
    let bytes = Bytes::copy_from_slice(input.text);
    let inspection = if request {
        inspect_request(Context::default(), api, bytes, &POLICY, &limits)
    } else {
        inspect_response(Context::default(), api, bytes, &POLICY, &limits)
    };
    let Outcome::Clear(cleared) = inspection.outcome else {
        return;
    };
    let out = cleared.into_bytes();
    if inspection.verdict.rules.is_empty() {
        assert_eq!(out, input.text, "nothing was found, and yet it changed");
        return;
    }
    let edited: Plain = serde_json::from_slice(&out).expect("edited it is still JSON");
    let document = Document::parse(&out, &Limits::NONE).expect("edited it can be read in one way");
    assert_eq!(document.root(&out).map(Value::kind), Some(kind(&edited)));
    each_string(document.root(&out).unwrap(), &mut |raw| {
        let text = sluicegate::wire::json::unescape(raw);
        let piece = pieces.contains(raw);
        assert!(
            !piece || !text.contains(SECRET),
            "the secret stays in {text:?}"
        );
    });
}

fn kind(value: &Plain) -> Kind {
    match value {
        Plain::Null => Kind::Null,
        Plain::Bool(true) => Kind::True,
        Plain::Bool(false) => Kind::False,
        Plain::Number(_) => Kind::Number,
        Plain::String(_) => Kind::String,
        Plain::Array(_) => Kind::Array,
        Plain::Object(_) => Kind::Object,
    }
}

fn each_string<'a>(value: Value<'a>, visit: &mut impl FnMut(&'a [u8])) {
    match value.kind() {
        Kind::String => visit(value.raw()),
        Kind::Array => value.items().for_each(|item| each_string(item, visit)),
        Kind::Object => value
            .members()
            .for_each(|(_, member)| each_string(member, visit)),
        Kind::Key | Kind::Number | Kind::True | Kind::False | Kind::Null => {}
    }
}
