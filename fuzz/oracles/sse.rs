//! Streams cut into events: nothing is lost, no cut matters, and the data is what the standard says.

use sluicegate::wire::Framing;
use sluicegate::wire::json::Malformed;
use sluicegate::wire::sse::{RawEvent, Splitter};

use super::Input;

/// Small, so that inputs reach it.
const MAX_EVENT_BYTES: usize = 4096;

pub(crate) fn check(input: &[u8]) {
    let Some(input) = Input::of(input) else {
        return;
    };
    let framing = if input.choice.is_multiple_of(2) {
        Framing::Sse
    } else {
        Framing::JsonArray
    };
    let (whole, error) = events((framing, MAX_EVENT_BYTES), [input.text]);
    let (parts, parts_error) = events((framing, MAX_EVENT_BYTES), input.chunks());
    assert_eq!(shown(&whole), shown(&parts), "the cut changes the events");
    assert_eq!(error, parts_error, "the cut changes the error");
    let written: Vec<u8> = whole
        .iter()
        .flat_map(|event| event.bytes().to_vec())
        .collect();
    if error.is_some() {
        assert!(input.text.starts_with(&written), "events are not the input");
        return;
    }
    assert_eq!(written, input.text, "events are not the input");
    for (first, event) in std::iter::once(true)
        .chain(std::iter::repeat(false))
        .zip(&whole)
    {
        if framing == Framing::Sse {
            let (name, data) = plainly(event.bytes(), first);
            assert_eq!(
                event.data(),
                Some(data.as_slice()).filter(|data| !data.is_empty())
            );
            assert_eq!(event.name(), name.as_deref());
        }
        if let Some(data) = event.data() {
            rewritten(framing, event, first, data);
        }
    }
}

/// An event with other data says that data, and the same besides.
fn rewritten(framing: Framing, event: &RawEvent, first: bool, data: &[u8]) {
    if framing == Framing::JsonArray {
        return;
    }
    // A byte order mark is one in a stream's first event only.
    let before = if first { "" } else { "\n" };
    let again = [before.as_bytes(), &event.rewrite(data)].concat();
    let (again, error) = events((framing, usize::MAX), [again.as_slice()]);
    assert!(
        error.is_none() && again.len() == 1 + before.len(),
        "rewritten it is no event"
    );
    assert_eq!(
        again.last().and_then(RawEvent::data),
        Some(data),
        "its own data"
    );
    let (name, other) = plainly(&event.rewrite(b"one\ntwo"), first);
    assert_eq!(other, b"one\ntwo");
    assert_eq!(
        event.name(),
        name.as_deref(),
        "the name changes with the data"
    );
}

fn events<'a>(
    (framing, most): (Framing, usize),
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<RawEvent>, Option<Malformed>) {
    let mut splitter = Splitter::with_limit(framing, most);
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.push(chunk);
        loop {
            match splitter.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    events.extend(splitter.finish());
    (events, None)
}

/// All that can be asked of events.
fn shown(events: &[RawEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let strays: Vec<&[u8]> = event.strays().collect();
            let (bytes, name, data) = (event.bytes(), event.name(), event.data());
            format!(
                "{bytes:?} {name:?} {data:?} {strays:?} {} {}",
                event.complete, event.closing
            )
        })
        .collect()
}

/// Name and data of one event by the letter of the standard (WHATWG HTML, section 9.2.6), a line at a time.
fn plainly(bytes: &[u8], first: bool) -> (Option<Vec<u8>>, Vec<u8>) {
    let (mut name, mut data) = (None, Vec::new());
    let mut rest = bytes;
    if first {
        rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
    }
    while !rest.is_empty() {
        let length = rest
            .iter()
            .take_while(|byte| !b"\r\n".contains(byte))
            .count();
        let (line, after) = rest.split_at(length);
        rest = after
            .strip_prefix(b"\r\n")
            .or_else(|| after.get(1..))
            .unwrap_or(after);
        let colon = line.iter().position(|byte| *byte == b':');
        let field = &line[..colon.unwrap_or(line.len())];
        let value = colon.map_or(&b""[..], |colon| &line[colon + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            b"event" => name = Some(value.to_vec()),
            _ => {}
        }
    }
    data.pop();
    (name, data)
}
