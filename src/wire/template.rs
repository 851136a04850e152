//! Events that differ from an earlier one of their stream in running text alone, which nearly all do: read by comparing.
//!
//! All bytes but those of a few strings, and of their number in the stream, are the same, and these strings hold neither quote nor backslash. So such
//! an event has the same structure, and what the format's reader made of the earlier one holds for it, with other places.

use memchr::memmem;

use super::event::{Advance, Event};
use super::json::Limits;
use super::{Api, Part, Piece};
use crate::text::Span;

/// Longer events are not remembered.
const MAX_BYTES: usize = 2048;
/// More strings that differ than any event has.
const MAX_HOLES: usize = 4;
/// Keys of running text, and of what some servers pad events with: no reader looks at what these strings say.
const KEYS: [&[u8]; 9] = [
    b"\"content\"",
    b"\"text\"",
    b"\"delta\"",
    b"\"arguments\"",
    b"\"partial_json\"",
    b"\"thinking\"",
    b"\"reasoning_content\"",
    b"\"reasoning\"",
    b"\"obfuscation\"",
];
const SEQUENCE: &[u8] = b"\"sequence_number\":";

/// An event that others are compared with. Empty at first.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// How it was read.
    by: Option<(Api, Limits)>,
    data: Vec<u8>,
    pieces: Vec<Piece>,
    logprobs: Vec<Span>,
    advance: Advance,
    /// What may differ, in order of place.
    holes: Vec<Hole>,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    span: Span,
    /// The event's number, in place of a string.
    is_number: bool,
}

impl Template {
    /// Takes an event that was read from `data` for those that follow, if it holds running text and nothing else of note.
    pub(super) fn learn(&mut self, (api, limits): (Api, &Limits), data: &[u8], event: &Event) {
        self.holes.clear();
        let running = |piece: &Piece| matches!(piece.part, Part::Delta(_));
        if data.len() > MAX_BYTES || is_eventful(event) || !event.pieces.iter().any(running) {
            return;
        }
        let open = event
            .pieces
            .iter()
            .filter(|piece| is_open(data, piece.span));
        self.holes.extend(open.map(|piece| Hole {
            span: piece.span,
            is_number: false,
        }));
        if let Some(number) = event.advance.sequence {
            let Some(span) = sequence(data, number) else {
                return self.holes.clear();
            };
            self.holes.push(Hole {
                span,
                is_number: true,
            });
        }
        self.holes.sort_unstable_by_key(|hole| hole.span.start);
        let fixed = |span: &Span| {
            !self
                .holes
                .iter()
                .any(|hole| span.range().contains(&hole.span.start))
        };
        if self.holes.len() > MAX_HOLES || !event.logprobs.iter().all(fixed) {
            return self.holes.clear();
        }
        self.by = Some((api, limits.clone()));
        self.data.clear();
        self.data.extend_from_slice(data);
        self.pieces.clone_from(&event.pieces);
        self.logprobs.clone_from(&event.logprobs);
        self.advance.clone_from(&event.advance);
    }

    /// Reads `data` into an empty event, if it is the same but for what may differ.
    pub(super) fn read(
        &self,
        (api, limits): (Api, &Limits),
        data: &[u8],
        event: &mut Event,
    ) -> bool {
        let same = self
            .by
            .as_ref()
            .is_some_and(|by| by.0 == api && by.1 == *limits);
        if self.holes.is_empty() || !same || data.len() > limits.body_bytes {
            return false;
        }
        let Some((lengths, sequence)) = self.fit(data, limits) else {
            return false;
        };
        let place = |span: Span| self.place(span, &lengths);
        event.pieces.extend(self.pieces.iter().map(|piece| Piece {
            span: place(piece.span),
            ..*piece
        }));
        event
            .logprobs
            .extend(self.logprobs.iter().copied().map(place));
        event
            .advance
            .choices
            .extend_from_slice(&self.advance.choices);
        event.advance.begins = self.advance.begins;
        event.advance.kind = self.advance.kind.map(place);
        event.advance.id = self.advance.id.map(place);
        event.advance.model = self.advance.model.map(place);
        event.advance.sequence = sequence;
        true
    }

    /// The lengths that the holes have in `data`, and its number.
    fn fit(&self, data: &[u8], limits: &Limits) -> Option<([usize; MAX_HOLES], Option<u64>)> {
        let (mut lengths, mut sequence) = ([0; MAX_HOLES], None);
        let (mut from, mut rest) = (0, data);
        for (hole, length) in self.holes.iter().zip(&mut lengths) {
            rest = rest.strip_prefix(self.data.get(from..hole.span.start)?)?;
            from = hole.span.end;
            let written = if hole.is_number {
                let written = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                sequence = Some(number(rest.get(..written)?)?);
                written
            } else {
                let written = memchr::memchr2(b'"', b'\\', rest)?;
                is_text(rest.get(..written)?, limits).then_some(written)?
            };
            *length = written;
            rest = rest.get(written..)?;
        }
        (rest == self.data.get(from..)?).then_some((lengths, sequence))
    }

    /// Where a string is if the holes have these lengths.
    fn place(&self, span: Span, lengths: &[usize; MAX_HOLES]) -> Span {
        let (mut start, mut length) = (span.start, span.len());
        for (hole, new) in self.holes.iter().zip(lengths).rev() {
            if hole.span.end <= span.start {
                start = start - hole.span.len() + new;
            } else if hole.span == span {
                length = *new;
            }
        }
        Span::new(start, start + length)
    }
}

/// Whether there is more to know of an event than its strings, or it ends something.
fn is_eventful(event: &Event) -> bool {
    let advance = &event.advance;
    advance.terminal
        || advance.over
        || advance.opens.is_some()
        || !advance.closes.is_empty()
        || event.error
        || event.unknown
        || event.usage.is_some()
        || event.media > 0
        || event.call.is_some()
}

/// Whether a string has one of the [`KEYS`].
fn is_open(data: &[u8], string: Span) -> bool {
    let before = data
        .get(..string.start.saturating_sub(1))
        .unwrap_or_default();
    let key = before
        .trim_ascii_end()
        .strip_suffix(b":")
        .unwrap_or_default();
    let key = key.trim_ascii_end();
    KEYS.iter().any(|known| key.ends_with(known))
}

/// Where the event's number is written: after the only key of its name.
fn sequence(data: &[u8], value: u64) -> Option<Span> {
    let mut places = memmem::find_iter(data, SEQUENCE);
    let start = places.next()? + SEQUENCE.len();
    let digits = data
        .get(start..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let span = Span::new(start, start + digits.count());
    let known = places.next().is_none() && number(data.get(span.range())?) == Some(value);
    known.then_some(span)
}

/// A number as JSON has it, without sign, fraction and exponent.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}

/// Whether bytes without quotes and backslashes are the content of a JSON string.
fn is_text(bytes: &[u8], limits: &Limits) -> bool {
    (1..=limits.string_bytes).contains(&bytes.len())
        && bytes.iter().all(|byte| *byte >= b' ')
        && (bytes.is_ascii() || std::str::from_utf8(bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::read_event;
    use proptest::prelude::*;

    const EVENTS: [(Api, &str); 9] = [
        (
            Api::Chat,
            r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"@"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"@"}"#,
        ),
        (
            Api::Chat,
            r#"{"id": "c1", "choices": [{"index": 1, "delta": {"role": "assistant", "content": "@"}, "finish_reason": null}], "model": "m"}"#,
        ),
        (
            Api::Chat,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"@"}}]},"finish_reason":null}]}"#,
        ),
        (
            Api::Chat,
            r#"{"choices":[{"index":0,"delta":{"content":"@"},"logprobs":{"content":[{"token":"@"}]},"finish_reason":"stop"}]}"#,
        ),
        (
            Api::Completions,
            r#"{"id":"c1","choices":[{"text":"@","index":0,"logprobs":null,"finish_reason":null}],"model":"m"}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"@"}}"#,
        ),
        (
            Api::Gemini,
            r#"{"candidates":[{"content":{"parts":[{"text":"@"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}"#,
        ),
        (
            Api::Responses,
            r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"@","logprobs":[],"obfuscation":"@"}"#,
        ),
    ];

    /// All that is known of an event but how it was read.
    fn known(api: Api, data: &str, event: &mut Event) -> Option<String> {
        read_event(api, data.as_bytes(), &Limits::default(), event).ok()?;
        let event = &*event;
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
        let path = pieces
            .last()
            .map(|piece| event.path(data.as_bytes(), piece.span));
        let calls = event.calls(data.as_bytes());
        Some(format!(
            "{pieces:?} {advance:?} {error} {usage:?} {media} {logprobs:?} {call:?} {unknown} {path:?} {calls:?}"
        ))
    }

    #[test]
    fn events_of_all_formats_are_read_by_comparing() {
        for (api, event) in EVENTS
            .into_iter()
            .filter(|(_, event)| !event.contains("token"))
        {
            let data = |text: &str, number: &str| event.replace('@', text).replace('#', number);
            let mut first = Event::default();
            known(api, &data("one", "1"), &mut first).unwrap();
            let mut template = Template::default();
            template.learn(
                (api, &Limits::default()),
                data("one", "1").as_bytes(),
                &first,
            );
            let read = |data: &str| {
                template.read(
                    (api, &Limits::default()),
                    data.as_bytes(),
                    &mut Event::default(),
                )
            };
            assert!(read(&data("the other \u{e9}", "12")), "{event}");
            for (text, number) in [
                ("", "1"),
                ("a\\n", "1"),
                ("a\nb", "1"),
                ("a\",\"b\":\"c", "1"),
            ] {
                assert!(!read(&data(text, number)), "{event} {text}");
            }
            if event.contains('#') {
                for number in [
                    "01",
                    "-1",
                    "1.0",
                    "1e3",
                    "99999999999999999999",
                    "",
                    "\"1\"",
                ] {
                    assert!(!read(&data("two", number)), "{number}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_else_is_known_of_an_event_after_others(events in prop::collection::vec((0..EVENTS.len(), "([a-z \u{e9}\u{6587}]{0,9}|\\PC{0,9}|stop|user|data:image/png;base64,aaaa|\\\\n|\\\\u00e9|\\\\|\"|[\u{0}-\u{1f}])", prop_oneof![0..30u64, any::<u64>()]), 1..12)) {
            let mut used = Event::default();
            for (at, text, number) in events {
                let (api, event) = EVENTS[at];
                let data = event.replace('@', &text).replace('#', &number.to_string());
                prop_assert_eq!(known(api, &data, &mut used), known(api, &data, &mut Event::default()), "{}", data);
            }
        }
    }
}
