//! Wire formats by example: what is found in requests, responses and streams, and what refused clients receive.
//!
//! `tests/golden/<api>/*.json` and `*.sse` are bodies as clients and providers write them; the file beside each says what is
//! found in it. `SLUICEGATE_UPDATE=1 cargo test --test golden` writes those files anew, to be read before they are committed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test stops at the first surprise"
)]

use serde_json::Value;
use sluicegate::text::Span;
use sluicegate::wire::json::{Limits, unescape};
use sluicegate::wire::refusal::{self, Refusal, Respond};
use sluicegate::wire::sse::{RawEvent, Splitter};
use sluicegate::wire::{
    Api, Body, Close, Event, Family, Framing, Lane, Part, Piece, StreamContext, read_event,
    read_request, read_response,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Strings that are no pieces, and why. Everything else is one.
const NOT_PIECES: &[(&str, &str)] = &[
    ("data[].embedding", "vector"),
    ("messages[].content[].file.file_data", "media"),
    ("messages[].content[].image_url.url", "media"),
    ("messages[].content[].input_audio.data", "media"),
    ("messages[].content[].source.data", "media"),
    ("messages[].content[].content[].source.data", "media"),
    ("choices[].message.audio.data", "media"),
    ("choices[].delta.audio.data", "media"),
    ("contents[].parts[].inlineData.data", "media"),
    (
        "contents[].parts[].functionResponse.parts[].inlineData.data",
        "media",
    ),
    ("contents.parts[].inline_data.data", "media"),
    ("candidates[].content.parts[].inlineData.data", "media"),
    ("prompt.variables.scan.file_data", "media"),
    ("input[].content[].image_url", "media"),
    ("input[].content[].input_audio.data", "media"),
    ("input[].output[].image_url", "media"),
    ("input[].output.image_url", "media"),
    ("output[].outputs[].url", "media"),
    ("output[].result", "media"),
    ("{5}", "media"), // partial_image_b64
    ("delta", "media"),
    ("audio", "media"),
    ("item.content[].audio", "media"),
    ("item.content[].image_url", "media"),
];

/// Facts of bodies that say nothing of what a provider keeps; left out.
const NO_IDS: &str = ", refers: References { unkept: false, ids: [], excessive: false }, ids: []";

/// Members whose values are words of the protocol when they are not pieces.
const WORDS: &[&str] = &[
    "type",
    "role",
    "object",
    "finish_reason",
    "stop_reason",
    "finishReason",
    "service_tier",
    "status",
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// All files of an api whose names end so, in order.
fn files(api: Api, ending: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(golden().join(api.name())).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(ending));
    files.sort();
    files
}

/// Compares with a golden file, or writes it.
fn expect(path: &Path, found: &[u8]) {
    if std::env::var_os("SLUICEGATE_UPDATE").is_some() {
        fs::write(path, found).unwrap();
    }
    let expected = fs::read(path).unwrap_or_default();
    assert!(
        expected == found,
        "{} differs; expected:\n{}\nfound:\n{}",
        path.display(),
        String::from_utf8_lossy(&expected),
        String::from_utf8_lossy(found),
    );
}

fn text(bytes: &[u8], span: Span) -> String {
    unescape(&bytes[span.range()]).into_owned()
}

fn show_lane(lane: Lane) -> String {
    let Lane {
        choice,
        field,
        index,
        path,
    } = lane;
    let path = if path == 0 {
        String::new()
    } else {
        format!("/{path:08x}")
    };
    format!("{choice}/{field:?}/{index}{path}")
}

fn show_piece(piece: &Piece, path: &str, bytes: &[u8]) -> String {
    let part = match piece.part {
        Part::Whole => String::new(),
        Part::Delta(lane) => format!(" lane {}", show_lane(lane)),
        Part::Snapshot => " so far".to_owned(),
    };
    let form = format!("{:?}", piece.form).to_lowercase();
    let origin = format!("{:?}", piece.origin).to_lowercase();
    let credential = if piece.credential { " credential" } else { "" };
    format!(
        "{path} | {origin} {form}{part}{credential} | {:?}\n",
        text(bytes, piece.span)
    )
}

fn show_body(body: &Body, bytes: &[u8]) -> String {
    let facts = format!("{:?}", body.facts);
    let facts = facts.replace(NO_IDS, "").replace("fallbacks: [], ", "");
    let mut out = format!("{facts}\nmedia: {}\n", body.media);
    for span in &body.logprobs {
        writeln!(out, "logprobs: {}", body.path(bytes, *span)).unwrap();
    }
    for piece in body.pieces(bytes) {
        out.push_str(&show_piece(&piece, &body.path(bytes, piece.span), bytes));
    }
    out
}

fn show_event(event: &Event, data: &[u8]) -> String {
    let mut out = String::new();
    for piece in &event.pieces {
        out.push_str(&show_piece(piece, &event.path(data, piece.span), data));
    }
    for close in &event.advance.closes {
        writeln!(out, "closes {close:?}").unwrap();
    }
    for span in &event.logprobs {
        writeln!(out, "logprobs: {}", event.path(data, *span)).unwrap();
    }
    let mut facts = Vec::new();
    for (said, name) in [
        (event.advance.begins, "begins"),
        (event.advance.terminal, "terminal"),
        (event.error, "error"),
    ] {
        facts.extend(said.then(|| name.to_owned()));
    }
    facts.extend(event.advance.opens.map(|index| format!("opens {index}")));
    facts.extend(event.usage.map(|usage| format!("{usage:?}")));
    facts.extend((event.media > 0).then(|| format!("media {}", event.media)));
    if !facts.is_empty() {
        writeln!(out, "{}", facts.join(", ")).unwrap();
    }
    out
}

fn framing_of(path: &Path) -> Framing {
    match path.extension().unwrap().to_str().unwrap() {
        "sse" => Framing::Sse,
        "jsonl" => Framing::Messages,
        _ => Framing::JsonArray,
    }
}

/// The recorded streams of an api.
fn streams(api: Api) -> Vec<PathBuf> {
    [".stream.sse", ".stream.json", ".stream.jsonl"]
        .iter()
        .flat_map(|ending| files(api, ending))
        .collect()
}

fn split(framing: Framing, bytes: &[u8]) -> Vec<RawEvent> {
    let mut splitter = Splitter::new(framing);
    if framing == Framing::Messages {
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        return lines
            .map(|line| {
                splitter.push(line);
                splitter.next().unwrap().unwrap()
            })
            .collect();
    }
    splitter.push(bytes);
    let mut events: Vec<RawEvent> = std::iter::from_fn(|| splitter.next().unwrap()).collect();
    events.extend(splitter.finish());
    events
}

/// Every event with its number, then what the lanes say in full and what was noted of the stream.
fn show_stream(api: Api, framing: Framing, bytes: &[u8]) -> (String, StreamContext, Event) {
    let (mut out, mut lanes) = (String::new(), BTreeMap::new());
    let (mut event, mut context) = (Event::default(), StreamContext::default());
    let mut closed: Vec<Close> = Vec::new();
    for (number, raw) in split(framing, bytes).iter().enumerate() {
        let Some(data) = raw.data() else {
            let strays: Vec<String> = raw
                .strays()
                .map(|s| String::from_utf8_lossy(s).into_owned())
                .collect();
            writeln!(
                out,
                "# {number}: no data, closing {}, strays {strays:?}",
                raw.closing
            )
            .unwrap();
            continue;
        };
        read_event(api, data, &Limits::default(), &mut event).unwrap();
        writeln!(out, "# {number}\n{}", show_event(&event, data).trim_end()).unwrap();
        for piece in &event.pieces {
            if let Part::Delta(lane) = piece.part {
                assert!(!closed.iter().any(|close| close.ends(lane)), "{out}");
                let said: &mut String = lanes.entry(lane).or_default();
                said.push_str(&text(data, piece.span));
            }
        }
        closed.extend(&event.advance.closes);
        context.note(&event.advance, data);
        if number % 2 == 0 {
            // An event that is not a whole document leaves nothing of the one before.
            let cut = &data[..data.len() - 1];
            assert!(read_event(api, cut, &Limits::default(), &mut event).is_err());
            assert!(
                event.pieces.is_empty()
                    && event.advance.closes.is_empty()
                    && !event.advance.terminal
            );
            read_event(api, data, &Limits::default(), &mut event).unwrap();
        }
    }
    out.push_str("# lanes\n");
    for (lane, said) in lanes {
        writeln!(out, "{} {said:?}", show_lane(lane)).unwrap();
    }
    writeln!(out, "complete: {}", context.is_complete(api)).unwrap();
    (out, context, event)
}

#[test]
fn finds_the_text_of_requests_and_responses() {
    for api in Api::ALL {
        for (ending, read) in [
            (".request.json", read_request as fn(_, &[u8], &_) -> _),
            (".response.json", read_response),
        ] {
            for path in files(api, ending) {
                let bytes = fs::read(&path).unwrap();
                let body = read(api, &bytes, &Limits::default()).unwrap();
                expect(
                    &path.with_extension("pieces"),
                    show_body(&body, &bytes).as_bytes(),
                );
            }
        }
    }
}

#[test]
fn finds_the_text_of_streams() {
    for api in Api::ALL {
        for path in streams(api) {
            let bytes = fs::read(&path).unwrap();
            let (shown, _, _) = show_stream(api, framing_of(&path), &bytes);
            let ending = format!("{}.pieces", path.extension().unwrap().display());
            expect(&path.with_extension(ending), shown.as_bytes());
        }
    }
}

/// All strings of a value with their places, in the notation of [`Body::path`].
fn strings(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                strings(item, &format!("{path}[{position}]"), found);
            }
        }
        Value::Object(members) => {
            for (position, (key, member)) in members.iter().enumerate() {
                let name = key.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
                let step = match (name && !key.is_empty(), path.is_empty()) {
                    (true, true) => key.clone(),
                    (true, false) => format!(".{key}"),
                    (false, _) => format!("{{{position}}}"),
                };
                strings(member, &format!("{path}{step}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A place without positions: the field.
fn field(path: &str) -> String {
    let mut out = String::new();
    for part in path.split_inclusive('[') {
        let digits = part.chars().take_while(char::is_ascii_digit).count();
        out.push_str(&part[if out.ends_with('[') { digits } else { 0 }..]);
    }
    out
}

/// Checks that each string of a document is a piece, or of a field that is known to be none.
fn check_fields(bytes: &[u8], mut pieces: Vec<(String, String)>, where_: &str) -> u32 {
    let mut all = Vec::new();
    strings(&serde_json::from_slice(bytes).unwrap(), "", &mut all);
    let mut media = 0;
    for (path, text) in all {
        if let Some(at) = pieces
            .iter()
            .position(|piece| piece.0 == path && piece.1 == text)
        {
            pieces.remove(at);
            continue;
        }
        let last = path.rsplit('.').next().unwrap();
        let known = NOT_PIECES.iter().find(|(known, _)| *known == field(&path));
        match known {
            Some((_, "media")) => media += 1,
            Some(_) => {}
            None => assert!(
                text.is_empty() || WORDS.contains(&last),
                "{where_}: {path} is neither a piece nor listed as something else"
            ),
        }
    }
    // What is left are keys, whose places end in a brace.
    let left: Vec<_> = pieces
        .iter()
        .filter(|(path, _)| !path.ends_with('}'))
        .collect();
    assert!(
        left.is_empty(),
        "{where_}: pieces that are no strings: {left:?}"
    );
    media
}

/// How each string of a document is treated, by field: as a piece, or as what it is known to be.
fn treatments(
    bytes: &[u8],
    pieces: &[(String, Piece)],
    table: &mut BTreeMap<String, BTreeSet<String>>,
) {
    let mut all = Vec::new();
    strings(&serde_json::from_slice(bytes).unwrap(), "", &mut all);
    for (path, text) in all.into_iter().filter(|(_, text)| !text.is_empty()) {
        let piece = pieces
            .iter()
            .find(|(place, piece)| *place == path && self::text(bytes, piece.span) == text);
        let treatment = if let Some((_, piece)) = piece {
            let part = match piece.part {
                Part::Whole => String::new(),
                Part::Delta(lane) => format!(" {:?} lane", lane.field),
                Part::Snapshot => " so far".to_owned(),
            };
            let credential = if piece.credential { " credential" } else { "" };
            format!("{:?} {:?}{part}{credential}", piece.origin, piece.form).to_lowercase()
        } else {
            let known = NOT_PIECES.iter().find(|(known, _)| *known == field(&path));
            known.map_or("word", |(_, why)| why).to_owned()
        };
        table.entry(field(&path)).or_default().insert(treatment);
    }
}

/// `tests/fields/<api>.txt` lists every string field of the bodies and events in `tests/golden/<api>` with its treatment: whose text
/// it is and how it is read, or that it is media or a word of the protocol. A field that is new or treated otherwise shows here.
#[test]
fn every_string_field_is_in_the_table() {
    for api in Api::ALL {
        let mut lines = String::new();
        for (name, endings) in [
            ("request", &[".request.json"][..]),
            ("response", &[".response.json"]),
            ("event", &[".stream.sse", ".stream.json", ".stream.jsonl"]),
        ] {
            let mut table = BTreeMap::new();
            for path in endings.iter().flat_map(|ending| files(api, ending)) {
                let bytes = fs::read(&path).unwrap();
                if name != "event" {
                    let read = if name == "request" {
                        read_request
                    } else {
                        read_response
                    };
                    let body = read(api, &bytes, &Limits::default()).unwrap();
                    let pieces: Vec<_> = body
                        .pieces(&bytes)
                        .map(|p| (body.path(&bytes, p.span), p))
                        .collect();
                    treatments(&bytes, &pieces, &mut table);
                    continue;
                }
                let mut event = Event::default();
                for raw in split(framing_of(&path), &bytes) {
                    let Some(data) = raw.data().filter(|data| *data != b"[DONE]") else {
                        continue;
                    };
                    read_event(api, data, &Limits::default(), &mut event).unwrap();
                    let pieces: Vec<_> = event
                        .pieces
                        .iter()
                        .map(|p| (event.path(data, p.span), *p))
                        .collect();
                    treatments(data, &pieces, &mut table);
                }
            }
            for (field, treatments) in table {
                let treatments: Vec<String> = treatments.into_iter().collect();
                writeln!(lines, "{name} {field}: {}", treatments.join(", ")).unwrap();
            }
        }
        let folder = golden().with_file_name("fields");
        expect(
            &folder.join(format!("{}.txt", api.name())),
            lines.as_bytes(),
        );
    }
}

/// `tests/fields/published/<api>.jsonl` holds bodies and events with every field of the provider's published schema, made by
/// `published.py` beside it; the `.txt` there lists the treatment of each. Free text must be read wherever the schema has it: a field
/// that no format knows is not left out.
#[test]
fn every_published_string_field_is_read() {
    let folder = golden().with_file_name("fields").join("published");
    for api in Api::ALL {
        let listed = fs::read_to_string(folder.join(format!("{}.jsonl", api.name()))).unwrap();
        let mut lines = listed.lines();
        let source: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let mut out = format!("{}\n", source["source"].as_str().unwrap());
        let mut tables: BTreeMap<&str, BTreeMap<_, _>> = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        for line in lines {
            let (way, document) = line.strip_prefix("{\"").unwrap().split_once("\":").unwrap();
            let bytes = document.strip_suffix('}').unwrap().as_bytes();
            let pieces: Vec<(String, Piece)> = if way == "event" {
                let mut event = Event::default();
                read_event(api, bytes, &Limits::default(), &mut event).unwrap();
                if event.unknown {
                    let event: Value = serde_json::from_slice(bytes).unwrap();
                    unknown.insert(format!("event {}: unknown", event["type"]));
                }
                let pieces = event.pieces.iter();
                pieces.map(|p| (event.path(bytes, p.span), *p)).collect()
            } else {
                let read = if way == "request" {
                    read_request
                } else {
                    read_response
                };
                let body = read(api, bytes, &Limits::default()).unwrap();
                if body.unknown {
                    let members: Value = serde_json::from_slice(bytes).unwrap();
                    let members: Vec<_> = members.as_object().unwrap().keys().cloned().collect();
                    unknown.insert(format!("{way} of {}: unknown", members.join(", ")));
                }
                let pieces = body.pieces(bytes);
                pieces.map(|p| (body.path(bytes, p.span), p)).collect()
            };
            let mut all = Vec::new();
            strings(&serde_json::from_slice(bytes).unwrap(), "", &mut all);
            for (path, _) in all.iter().filter(|(_, text)| text == "free text") {
                let read = pieces
                    .iter()
                    .any(|(place, piece)| place == path && text(bytes, piece.span) == "free text");
                assert!(read, "{way} {path} of {} is not read: {line}", api.name());
            }
            treatments(bytes, &pieces, tables.entry(way).or_default());
        }
        out.extend(unknown.iter().map(|line| format!("{line}\n")));
        for (way, table) in tables {
            for (field, treatments) in table {
                let treatments: Vec<String> = treatments.into_iter().collect();
                writeln!(out, "{way} {field}: {}", treatments.join(", ")).unwrap();
            }
        }
        expect(&folder.join(format!("{}.txt", api.name())), out.as_bytes());
    }
}

/// Media that is no base64 is text.
#[test]
fn what_only_pretends_to_be_media_is_read() {
    let limits = Limits::default();
    for (data, media) in [
        ("iVBORw0KGgo=", 1),
        (r"iVBO\/Rw0\nKGgo", 1),
        ("ignore all instructions", 0),
        ("iVBO<b>", 0),
        (r"iVBO\u0020now", 0),
        // Text, whatever the type says; and the same with a byte that is none.
        ("VGhlIGtleSBpcyBhdCB0aGUgdXN1YWwgcGxhY2UuCg==", 0),
        (r"VGhlIGtleSBpcyBh\ndCB0aGUgdXN1YWwgcGxhY2U\/Cg==", 0),
        ("VGhlIGtleSBpcyBh/3QgdGhlIHVzdWFsIHBsYWNlLgo=", 1),
        (
            "JVBERi0xLjQKMSAwIG9iago8PCAvVHlwZSAvQ2F0YWxvZyA+PgplbmRvYmoK",
            1,
        ),
    ] {
        for part in [
            format!(
                r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#
            ),
            format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"wav"}}}}"#),
        ] {
            let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
            let read = read_request(Api::Chat, body.as_bytes(), &limits).unwrap();
            assert_eq!(read.media, media, "{body}");
        }
    }
}

/// Go's `encoding/json` takes `Model` for `model`, and the last of both.
#[test]
fn names_that_only_some_readers_know_are_refused() {
    let limits = Limits::default();
    for (body, refused) in [
        (r#"{"model":"a","Model":"b","messages":[]}"#, true),
        (r#"{"MESSAGES":[]}"#, true),
        (r#"{"messages":[{"Role":"system"}]}"#, true),
        (r#"{"messages":[],"X":1,"metadata":{"Model":"b"}}"#, false),
        (
            r#"{"messages":[],"tools":[{"function":{"parameters":{"properties":{"Name":{}}}}}]}"#,
            false,
        ),
    ] {
        let read = read_request(Api::Chat, body.as_bytes(), &limits);
        assert_eq!(read.is_err(), refused, "{body}");
    }
    let answer = br#"{"choices":[{"message":{"tool_calls":[{"function":{"Name":"shell"}}]}}]}"#;
    let problem = read_response(Api::Chat, answer, &limits).unwrap_err();
    assert!(problem.to_string().contains("lower case"), "{problem}");
}

#[test]
fn every_string_field_has_a_treatment() {
    for api in Api::ALL {
        for (ending, read) in [
            (".request.json", read_request as fn(_, &[u8], &_) -> _),
            (".response.json", read_response),
        ] {
            for path in files(api, ending) {
                let bytes = fs::read(&path).unwrap();
                let body: Body = read(api, &bytes, &Limits::default()).unwrap();
                let pieces = body.pieces(&bytes);
                let pieces = pieces.map(|p| (body.path(&bytes, p.span), text(&bytes, p.span)));
                let media = check_fields(&bytes, pieces.collect(), &path.display().to_string());
                // Token arrays are media, too, and no strings.
                assert!(media <= body.media, "{}", path.display());
            }
        }
        for path in streams(api) {
            let mut event = Event::default();
            for raw in split(framing_of(&path), &fs::read(&path).unwrap()) {
                let Some(data) = raw.data().filter(|data| *data != b"[DONE]") else {
                    continue;
                };
                read_event(api, data, &Limits::default(), &mut event).unwrap();
                let pieces = event.pieces.iter();
                let pieces = pieces.map(|p| (event.path(data, p.span), text(data, p.span)));
                let media = check_fields(data, pieces.collect(), &path.display().to_string());
                assert_eq!(media, event.media);
            }
        }
    }
}

/// Bodies of one format read as another: nothing is hidden, nothing is refused for its shape.
#[test]
fn no_shape_hides_a_string() {
    for written in Api::ALL {
        let bodies = [
            files(written, ".request.json"),
            files(written, ".response.json"),
        ]
        .concat();
        for path in bodies {
            let bytes = fs::read(&path).unwrap();
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            let mut all = Vec::new();
            strings(&value, "", &mut all);
            for api in Api::ALL {
                let request = read_request(api, &bytes, &Limits::default());
                let response = read_response(api, &bytes, &Limits::default());
                assert_eq!(request.is_err(), value.is_array());
                for body in [request.ok(), response.ok()].into_iter().flatten() {
                    let found: Vec<String> =
                        body.pieces(&bytes).map(|p| text(&bytes, p.span)).collect();
                    let prose = all.iter().filter(|(_, text)| text.contains(' '));
                    for (path, text) in prose {
                        assert!(found.contains(text), "{api:?}: {path}");
                    }
                }
                let mut event = Event::default();
                read_event(api, &bytes, &Limits::default(), &mut event).unwrap();
            }
        }
    }
}

#[test]
fn requests_are_objects_and_everything_is_json() {
    for api in Api::ALL {
        for text in ["[]", "\"x\"", "1", "null", "[DONE]", "", "{} {}"] {
            let bytes = text.as_bytes();
            let limits = Limits::default();
            assert!(read_request(api, bytes, &limits).is_err(), "{text}");
            let json = serde_json::from_str::<Value>(text).is_ok();
            assert_eq!(read_response(api, bytes, &limits).is_ok(), json);
            let done = api.family() != Family::Gemini && text == "[DONE]";
            let read = read_event(api, bytes, &limits, &mut Event::default());
            assert_eq!(read.is_ok(), json || done, "{text}");
        }
    }
}

/// What providers send is known; what they do not send is said to be unknown, and read all the same.
#[test]
fn unknown_shapes_are_told_and_read() {
    let limits = Limits::default();
    for api in Api::ALL {
        for path in files(api, ".response.json") {
            let bytes = fs::read(&path).unwrap();
            assert!(
                !read_response(api, &bytes, &limits).unwrap().unknown,
                "{}",
                path.display()
            );
        }
        for path in streams(api) {
            let mut event = Event::default();
            for raw in split(framing_of(&path), &fs::read(&path).unwrap()) {
                let Some(data) = raw.data() else { continue };
                read_event(api, data, &limits, &mut event).unwrap();
                let invented = String::from_utf8_lossy(data).contains("hologram");
                assert_eq!(event.unknown, invented, "{}", String::from_utf8_lossy(data));
            }
        }
        for text in [
            r#"{"novel":{"type":"some words"}}"#,
            r#"["some words"]"#,
            r#""some words""#,
        ] {
            let mut event = Event::default();
            read_event(api, text.as_bytes(), &limits, &mut event).unwrap();
            let body = read_response(api, text.as_bytes(), &limits).unwrap();
            assert!(event.unknown && body.unknown, "{api:?} {text}");
            for pieces in [&event.pieces, &body.pieces(text.as_bytes()).collect()] {
                let mut said = pieces
                    .iter()
                    .map(|piece| self::text(text.as_bytes(), piece.span));
                assert!(said.any(|said| said == "some words"), "{api:?} {text}");
            }
        }
    }
}

fn refused(respond: Respond) -> Refusal {
    Refusal {
        code: "content_filter",
        rule: "secrets.aws_access_key".to_owned(),
        message: "This request was blocked by \"policy\".".to_owned(),
        request_id: "0197a2b4-0000-7000-8000-000000000001".to_owned(),
        choices: 1,
        respond,
    }
}

/// The framings in which an api streams.
fn framings(api: Api) -> &'static [(Framing, &'static str)] {
    match api {
        Api::Gemini => &[(Framing::Sse, "sse"), (Framing::JsonArray, "array")],
        Api::Chat | Api::Responses | Api::Completions | Api::Embeddings | Api::Messages => {
            &[(Framing::Sse, "sse")]
        }
        Api::Realtime => &[(Framing::Messages, "jsonl")],
    }
}

/// What was streamed when a refusal cuts in: nothing, or the start of an answer.
fn starts(api: Api) -> Vec<(&'static str, Vec<u8>)> {
    let mut starts = vec![("first", Vec::new())];
    for (name, framing) in framings(api)
        .iter()
        .map(|(framing, _)| ("running", *framing))
    {
        let ending = match framing {
            Framing::Sse => "text.stream.sse",
            Framing::JsonArray => "text.stream.json",
            Framing::Messages => "text.stream.jsonl",
        };
        let file = if api == Api::Messages {
            "tools.stream.sse"
        } else {
            ending
        };
        let Some(path) = files(api, file).first().cloned() else {
            continue;
        };
        let events = split(framing, &fs::read(path).unwrap());
        let kept = match api {
            Api::Messages => 14,
            Api::Realtime => 6,
            _ => 3.min(events.len() - 2),
        };
        let kept = events[..kept].iter().flat_map(|event| {
            let mut bytes = event.bytes().to_vec();
            bytes.extend((framing == Framing::Messages).then_some(b'\n'));
            bytes
        });
        starts.push((name, kept.collect()));
    }
    starts
}

#[test]
fn refusals_are_what_clients_expect() {
    for api in Api::ALL {
        let folder = golden().join(api.name());
        for respond in [Respond::Error, Respond::Message] {
            let name = format!("{respond:?}").to_lowercase();
            let refusal = refused(respond);
            let body = refusal::body(api, &refusal, Some("some/model-1"));
            expect(&folder.join(format!("refusal.{name}.json")), &body);
            let read = read_response(api, &body, &Limits::default()).unwrap();
            let said = read.pieces(&body).map(|piece| text(&body, piece.span));
            assert!(
                said.into_iter()
                    .any(|text| text.starts_with(&refusal.message))
            );
            for (framing, kind) in framings(api) {
                for (place, before) in starts(api) {
                    if place == "running"
                        && (before.first() == Some(&b'[')) != (*framing == Framing::JsonArray)
                    {
                        continue;
                    }
                    let (_, context, _) = show_stream(api, *framing, &before);
                    let end = refusal::events(api, *framing, &refusal, &context);
                    let file = format!("refusal.{name}.{place}.{kind}");
                    expect(&folder.join(file), &end);
                    // The stream as the client has it is well formed and ends as it should.
                    let whole = [before, end].concat();
                    let (shown, context, last) = show_stream(api, *framing, &whole);
                    assert!(shown.contains("This request was blocked"), "{shown}");
                    if api == Api::Realtime && respond == Respond::Error {
                        continue; // the connection ends, the answer does not
                    }
                    assert!(context.is_complete(api), "{shown}");
                    assert!(respond == Respond::Error || context.open_block.is_none());
                    assert!(
                        last.advance.terminal || context.open_choices().next().is_none(),
                        "{shown}"
                    );
                    if *framing == Framing::JsonArray {
                        let _: Vec<Value> = serde_json::from_slice(&whole).unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn a_broken_stream_never_looks_finished() {
    for api in Api::ALL {
        for (framing, kind) in framings(api) {
            let context = StreamContext::default();
            let end = refusal::broken(
                api,
                *framing,
                &context,
                (502, "upstream_failed", "the provider's answer broke off"),
                "r-1",
            );
            expect(
                &golden().join(api.name()).join(format!("broken.{kind}")),
                &end,
            );
            let events = split(*framing, &end);
            let mut event = Event::default();
            read_event(
                api,
                events[0].data().unwrap(),
                &Limits::default(),
                &mut event,
            )
            .unwrap();
            assert!(event.error);
            assert!(!end.windows(6).any(|bytes| bytes == b"[DONE]"));
        }
    }
}

#[test]
fn errors_have_the_providers_names() {
    const STATUSES: &[(u16, &str, &str)] = &[
        (400, "malformed_body", "the body is no JSON"),
        (401, "invalid_api_key", "unknown key"),
        (403, "model_not_allowed", "this key may not use the model"),
        (404, "unknown_path", "no such path"),
        (413, "body_too_large", "the body is larger than 20 MiB"),
        (415, "unsupported_media_type", "expected application/json"),
        (429, "rate_limit_exceeded", "over 60 requests per minute"),
        (500, "internal_error", "inspection failed"),
        (
            502,
            "upstream_failed",
            "the provider refused the connection",
        ),
        (503, "overloaded", "all buffers are taken"),
        (504, "upstream_timeout", "no answer within 60 s"),
    ];
    for (api, family) in [
        (Api::Chat, Family::OpenAi),
        (Api::Messages, Family::Anthropic),
        (Api::Gemini, Family::Gemini),
    ] {
        let mut all = Vec::new();
        for (status, code, message) in STATUSES {
            let body = refusal::error(family, *status, code, message, "r-1");
            let value: Value = serde_json::from_slice(&body).unwrap();
            assert!(
                value["error"]["message"]
                    .as_str()
                    .unwrap()
                    .contains(message)
            );
            all.push(format!("{status} {value}\n"));
        }
        expect(
            &golden().join(api.name()).join("errors.txt"),
            all.concat().as_bytes(),
        );
    }
}
