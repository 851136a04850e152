//! A stream's text, however it is dealt out to events: the same is found, the same leaves, and nothing goes across two texts.

use std::fmt::Write as _;

use sluicegate::guard::stream::Summary;
use sluicegate::wire::json::{Limits, unescape};
use sluicegate::wire::sse::Splitter;
use sluicegate::wire::{Api, Event, Field, Framing, Lane, Part, read_event};

use super::Input;
use super::stream::{SHAPE, run};

/// Parts the texts of an answer.
const BETWEEN: char = '|';

/// The input's text as an answer of several texts: cut into deltas in two ways.
pub(crate) fn check(input: &Input<'_>) {
    let Ok(text) = str::from_utf8(input.text) else {
        return;
    };
    let blocks: Vec<&str> = text.split(BETWEEN).collect();
    let whole = |block: &str| vec![block.to_owned()];
    let cut = |block: &str| {
        let part = Input {
            text: block.as_bytes(),
            ..*input
        };
        super::view::pieces(&part, block)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let one = answer(&blocks, whole);
    let many = answer(&blocks, cut);
    // How much is found and leaves before an answer is stopped is another matter.
    let completes = |answer: &(Vec<String>, String)| answer.1.ends_with("Complete");
    assert_eq!(
        completes(&one),
        completes(&many),
        "how text is dealt out changes the end"
    );
    if completes(&one) {
        assert_eq!(one.1, many.1, "how text is dealt out changes the verdict");
        assert_eq!(one.0, many.0, "how text is dealt out changes the text");
    }
    assert!(
        !SHAPE.is_match(&one.0.concat()),
        "a secret leaves across texts"
    );
}

/// The texts that leave, and what is found, of an answer with these texts, each in deltas as `cut` says.
fn answer(blocks: &[&str], cut: impl Fn(&str) -> Vec<String>) -> (Vec<String>, String) {
    let mut stream = String::from(
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\",\"content\":[]}}\n\n",
    );
    for (index, block) in blocks.iter().enumerate() {
        let mut event = |kind: &str, rest: &str| {
            write!(
                stream,
                "data: {{\"type\":\"content_block_{kind}\",\"index\":{index}{rest}}}\n\n"
            )
            .expect("a string takes it");
        };
        event(
            "start",
            ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}",
        );
        for delta in cut(block) {
            let text = serde_json::Value::from(delta);
            event(
                "delta",
                &format!(",\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}"),
            );
        }
        event("stop", "");
    }
    stream.push_str("data: {\"type\":\"message_stop\"}\n\n");
    let (out, summary) = run(Api::Messages, Framing::Sse, [stream.as_bytes()]);
    (texts(&out), found(&summary))
}

/// The rules and the end. What goes across texts is found after what is within them, so the rules' order may differ.
fn found(summary: &Summary) -> String {
    let rules = summary.verdict.rules.iter();
    let mut rules: Vec<String> = rules.map(|rule| format!("{rule:?}")).collect();
    rules.sort();
    format!("{rules:?} {:?}", summary.ending)
}

fn texts(out: &[u8]) -> Vec<String> {
    let mut splitter = Splitter::new(Framing::Sse);
    splitter.push(out);
    let (mut texts, mut event) = (Vec::new(), Event::default());
    while let Ok(Some(raw)) = splitter.next() {
        let Some(data) = raw.data() else { continue };
        read_event(Api::Messages, data, &Limits::default(), &mut event)
            .expect("what leaves is well formed");
        for piece in &event.pieces {
            if let Part::Delta(Lane {
                field: Field::Content,
                index,
                ..
            }) = piece.part
            {
                texts.resize(texts.len().max(index as usize + 1), String::new());
                texts[index as usize].push_str(&unescape(&data[piece.span.range()]));
            }
        }
    }
    texts
}

/// An event that is read after others is read as if it were the first.
pub(crate) fn alike(api: Api, framing: Framing, stream: &[u8]) {
    let mut splitter = Splitter::new(framing);
    splitter.push(stream);
    let mut used = Event::default();
    while let Ok(Some(raw)) = splitter.next() {
        let Some(data) = raw.data() else { continue };
        assert_eq!(
            known(api, data, &mut used),
            known(api, data, &mut Event::default()),
            "the events before change how one is read"
        );
    }
}

/// All that is known of an event but how it was read.
fn known(api: Api, data: &[u8], event: &mut Event) -> Option<String> {
    read_event(api, data, &Limits::default(), event).ok()?;
    let event = &*event;
    let paths: Vec<_> = event
        .pieces
        .iter()
        .map(|piece| event.path(data, piece.span))
        .collect();
    let Event {
        pieces,
        advance,
        error,
        usage,
        media,
        logprobs,
        call,
        unknown,
        ..
    } = event;
    Some(format!(
        "{pieces:?} {advance:?} {error} {usage:?} {media} {logprobs:?} {call:?} {unknown} {paths:?} {:?} {:?}",
        event.calls(data),
        event.ids(data),
    ))
}
