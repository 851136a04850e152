//! The parser against its grammar, and against `serde_json` on bytes of every kind.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Document, Malformed> {
    Document::parse(text.as_bytes(), &Limits::default())
}

/// The value as `serde_json` would have it, read through the cursor.
fn rebuild(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Object => value
            .members()
            .map(|(key, member)| (key.text().unwrap().into_owned(), rebuild(member)))
            .collect(),
        Kind::Array => value.items().map(rebuild).collect(),
        Kind::String | Kind::Key => value.text().unwrap().into(),
        Kind::Number | Kind::True | Kind::False | Kind::Null => {
            serde_json::from_slice(value.raw()).unwrap()
        }
    }
}

#[test]
fn refuses_what_parsers_read_differently() {
    let cases: &[(&[u8], usize, &str)] = &[
        (b"", 0, "the end"),
        (b"  ", 2, "the end"),
        (b"{\"a\":1,\"a\":2}", 7, "the same key"),
        (b"{\"a\":1,\"\\u0061\":2}", 7, "the same key"),
        (b"{\"b\":{\"x\":1},\"c\":[{}],\"b\":0}", 22, "the same key"),
        (b"\xEF\xBB\xBF{}", 0, "byte order mark"),
        (b"{\"a\":\"\xFF\"}", 6, "no UTF-8"),
        (b"\"\xC0\xAF\"", 1, "no UTF-8"),
        (b"\"\xED\xA0\x80\"", 1, "no UTF-8"),
        (b"\"\\ud800\"", 1, "half of a surrogate pair"),
        (b"\"\\udc00\\ud800\"", 1, "half of a surrogate pair"),
        (b"\"\\ud800\\u0041\"", 1, "half of a surrogate pair"),
        (b"\"\\ud800x\"", 1, "half of a surrogate pair"),
        (b"\"\\u12g4\"", 1, "without four digits"),
        (b"\"\\x41\"", 1, "unknown escape"),
        (b"\"\\'\"", 1, "unknown escape"),
        (b"\"a\nb\"", 2, "bare control character"),
        (b"\"a\x00b\"", 2, "bare control character"),
        (b"1e999", 0, "range of a double"),
        (b"[-1e400]", 1, "range of a double"),
        (b"01", 0, "leading zeros"),
        (b"-012", 0, "leading zeros"),
        (b"1.", 2, "the end"),
        (b".5", 0, "another character"),
        (b"+1", 0, "another character"),
        (b"1e", 2, "the end"),
        (b"0x10", 1, "bytes after"),
        (b"NaN", 0, "another character"),
        (b"nul", 0, "unquoted word"),
        (b"Infinity", 0, "another character"),
        (b"'a'", 0, "another character"),
        (b"{\"a\":1} x", 8, "bytes after"),
        (b"{\"a\":1}{\"a\":1}", 7, "bytes after"),
        (b"[1,]", 3, "closing bracket"),
        (b"{\"a\":1,}", 7, "closing bracket"),
        (b"{,}", 1, "separator"),
        (b"{a:1}", 1, "another character"),
        (b"{\"a\" 1}", 5, "another character"),
        (b"[1 2]", 3, "another character"),
        (b"[1}", 2, "closing bracket"),
        (b"// c\n1", 0, "comment"),
        (b"[1,/*c*/2]", 3, "comment"),
        (b"[\"open", 6, "the end inside a string"),
        (b"[", 1, "the end"),
        (b"\"\\", 1, "unknown escape"),
        (b"\x0b1", 0, "another character"),
    ];
    for (text, offset, found) in cases {
        let problem = Document::parse(text, &Limits::default()).unwrap_err();
        let shown = String::from_utf8_lossy(text);
        assert_eq!(problem.offset, *offset, "{shown}: {problem}");
        assert!(problem.found.contains(found), "{shown}: {problem}");
    }
}

#[test]
fn refuses_duplicates_among_many_keys() {
    for count in [15, 16, 17, 18, 400] {
        let member = |i: usize| format!("\"k{i}\":[{i},{{\"x\":0}}]");
        let members: Vec<String> = (0..count).map(member).collect();
        let unique = format!("{{{}}}", members.join(","));
        assert!(parse(&unique).is_ok());
        for spelling in ["\"k7\":0", "\"\\u006b7\":0"] {
            let twice = format!("{{{},{spelling}}}", members.join(","));
            let problem = parse(&twice).unwrap_err();
            assert_eq!(problem.offset, twice.len() - spelling.len() - 1);
        }
    }
}

#[test]
fn says_place_found_and_expected() {
    let problem = parse("{\n  \"größe\": tru}\n").unwrap_err();
    assert_eq!(
        problem.to_string(),
        "line 2, column 12 (byte 15): found an unquoted word, expected a value"
    );
}

#[test]
fn takes_what_is_well_formed() {
    let text = " {\"a\\u0001\\ud83d\\ude00\":[0,-0,1.5e-3,1E+2,true,false,null,\"\"],\"\":{},\"/\":\"\\/\"}\n";
    let document = parse(text).unwrap();
    let root = document.root(text.as_bytes()).unwrap();
    let expected: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(rebuild(root), expected);
    assert_eq!(document.strings(), 2);
    assert_eq!(root.get("/").unwrap().raw(), b"\\/");
    assert_eq!(root.get("/").unwrap().text().unwrap(), "/");
    let number = |text: &str| parse(text).unwrap().root(text.as_bytes()).unwrap().as_u64();
    assert_eq!(number("18446744073709551615"), Some(u64::MAX));
    assert_eq!(number("2.0"), Some(2));
    assert_eq!(number("1e3"), Some(1000));
    assert_eq!(number("2.5"), None);
    assert_eq!(number("-1"), None);
    assert_eq!(number("1e300"), None);
}

#[test]
fn keeps_limits() {
    let limits = Limits {
        depth: 3,
        nodes: 8,
        keys: 2,
        string_bytes: 4,
        body_bytes: 40,
        ..Limits::default()
    };
    let check = |text: &str| Document::parse(text.as_bytes(), &limits);
    assert!(check("[[[1]]]").is_ok());
    assert_eq!(check("[[[[1]]]]").unwrap_err().offset, 3);
    assert!(check("[1,1,1,1,1,1,1,1]").is_ok(), "one node");
    assert!(check("[[],1,[],1,[],1,[]]").is_ok());
    assert_eq!(check("[[],1,[],1,[],1,[],1]").unwrap_err().offset, 19);
    assert!(check("{\"a\":1,\"b\":1}").is_ok());
    assert_eq!(check("{\"a\":1,\"b\":1,\"c\":1}").unwrap_err().offset, 13);
    assert!(check("\"1234\"").is_ok());
    assert_eq!(check("\"12345\"").unwrap_err().offset, 1);
    assert_eq!(check(&"1".repeat(41)).unwrap_err().offset, 40);
    // Nothing the operator sets lets nesting overflow the stack of those who walk the tape.
    let deep = Limits {
        depth: usize::MAX,
        ..Limits::default()
    };
    let text = ["[".repeat(513), "]".repeat(513)].concat();
    assert_eq!(
        Document::parse(text.as_bytes(), &deep).unwrap_err().offset,
        512
    );
}

#[test]
fn forgets_a_document_that_failed() {
    let mut document = parse("[\"secret\"]").unwrap();
    assert!(document.parse_into(b"[\"x\",", &Limits::default()).is_err());
    assert!(document.root(b"[\"x\",").is_none());
    document.parse_into(b"[1]", &Limits::default()).unwrap();
    assert_eq!(document.nodes(), 2);
    assert_eq!(document.strings(), 0);
}

#[test]
fn numbers_in_a_row_are_one_node_and_many_values() {
    let text = br#" [1, -2.5e3 ,true,null,"a",false , [ ] , 7,8, {"k": 9 , "l": [10,11 ] } ,12 ] "#;
    let document = Document::parse(text, &Limits::default()).unwrap();
    // The list; a run, a string, a word, a list, a run; an object of two keys with a number and a list of one run; a number.
    assert_eq!(document.nodes(), 13);
    let root = document.root(text).unwrap();
    let raw: Vec<&[u8]> = root.items().map(Value::raw).collect();
    let expected: [&[u8]; 11] = [
        b"1",
        b"-2.5e3",
        b"true",
        b"null",
        b"a",
        b"false",
        b"[ ]",
        b"7",
        b"8",
        br#"{"k": 9 , "l": [10,11 ] }"#,
        b"12",
    ];
    assert_eq!(raw, expected);
    assert_eq!(root.raw(), text.trim_ascii());
    assert_eq!(
        root.items().nth(9).unwrap().get("l").unwrap().raw(),
        b"[10,11 ]"
    );
}

#[test]
fn more_values_than_bytes_allow_are_refused_and_numbers_are_not() {
    let list = |item: &str| format!("[{}]", vec![item; 2_000_000 / item.len()].join(","));
    for hostile in ["[]", "\"\"", "{}", "[0]", "\"a\""] {
        let problem = parse(&list(hostile)).unwrap_err();
        assert!(
            problem.found.starts_with("more than"),
            "{hostile}: {problem}"
        );
    }
    assert_eq!(parse(&list("0")).unwrap().nodes(), 2);
    assert_eq!(parse(&list("-0.0123456")).unwrap().nodes(), 2);
}

#[test]
fn maps_decoded_bytes_to_raw_ones() {
    let raw = r"a\u00e9\ud83d\ude00\nz".as_bytes();
    assert_eq!(unescape(raw), "aé😀\nz");
    let offsets: Vec<usize> = (0..=10).map(|decoded| raw_offset(raw, decoded)).collect();
    assert_eq!(offsets, [0, 1, 1, 7, 7, 7, 7, 19, 21, 22, 22]);
    assert_eq!(raw_offset(b"plain", 3), 3);
    assert!(matches!(
        unescape(b"plain"),
        std::borrow::Cow::Borrowed("plain")
    ));
}

/// JSON-like bytes: fragments that are right mostly, in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        8 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", " ", "\n", "\"a\"", "\"b\":", "\"c\":1", "1", "-0.5e3", "true", "null", "\"\\n\"",
            "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"x\u{e9}\u{1f600}\"", "1e400", "00", "\\", "\"", "\t", "fals",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat())
}

/// Well-formed values of every kind, keys distinct.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
        "[\\x00-\\x7f]{0,24}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 48, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"\\\\\n]{0,3}|k[0-9]", inner, 0..20)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_any_bytes(bytes in soup()) {
        let ours = Document::parse(&bytes, &Limits::default());
        let theirs: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
        match (&ours, &theirs) {
            (Ok(document), Ok(value)) => prop_assert_eq!(&rebuild(document.root(&bytes).unwrap()), value),
            (Err(problem), Ok(_)) => prop_assert!(problem.found.contains("same key") || problem.found.contains("NUL"), "{}", problem),
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
            (Err(problem), Err(_)) => prop_assert!(problem.offset <= bytes.len()),
        }
    }

    #[test]
    fn reads_what_serde_json_writes(value in value(), pretty: bool) {
        let bytes = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let document = Document::parse(&bytes, &Limits::default()).unwrap();
        // Read back, because its default reader may be off by one in a number's last bit.
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(rebuild(document.root(&bytes).unwrap()), value);
    }

    #[test]
    fn a_damaged_byte_is_never_read_as_something_else(value in value(), at: prop::sample::Index, byte: u8) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let theirs: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
        match Document::parse(&bytes, &Limits::default()) {
            Ok(document) => prop_assert_eq!(rebuild(document.root(&bytes).unwrap()), theirs.unwrap()),
            Err(problem) => prop_assert!(theirs.is_err() || problem.found.contains("same key") || problem.found.contains("NUL"), "{}", problem),
        }
    }

    #[test]
    fn escapes_and_undoes(text in "\\PC{0,20}|[\\x00-\\x7f]{0,20}") {
        let mut raw = Vec::new();
        escape_into(&text, &mut raw);
        prop_assert_eq!(unescape(&raw), text.as_str());
        for (at, _) in text.char_indices() {
            let start = raw_offset(&raw, at);
            prop_assert_eq!(unescape(&raw[start..]), text.split_at(at).1);
        }
        prop_assert_eq!(raw_offset(&raw, text.len()), raw.len());
    }
}
