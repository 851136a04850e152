//! Streams cut into events, whole and in order: `text/event-stream` (WHATWG HTML, section 9.2) and the arrays of Gemini.
//!
//! Every input byte belongs to exactly one [`RawEvent`], comments and blank lines too: written one after the other they are
//! the input. Where the input was cut into chunks makes no difference to the events. A line end of CR alone is known only with
//! the byte after it (LF would belong to it), so such an event waits for that byte.

use bytes::{Bytes, BytesMut};

use super::Framing;
use super::json::{Limits, Malformed};
pub use super::lines::Style;
use super::lines::{BOM, Lines, lines, poses};
use crate::text::Span;

/// Cuts a stream into events, whatever chunks it comes in. Linear: each byte is looked at a fixed number of times.
#[derive(Debug)]
pub struct Splitter {
    buffer: BytesMut,
    scan: Scan,
    max_event_bytes: usize,
    /// Bytes of the stream before the buffer.
    passed: usize,
}

/// How far the buffer has been scanned.
#[derive(Debug)]
enum Scan {
    /// `line` is the start of the line that `at` is in; `line <= at <= buffer.len()`.
    Lines {
        at: usize,
        line: usize,
        first: bool,
    },
    Array(super::array::Scan),
    /// What is pushed at once is an event.
    Messages,
}

/// One event of a stream, or what stands between events.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not one state"
)]
pub struct RawEvent {
    bytes: Bytes,
    data: Data,
    /// Where the first line starts, after a byte order mark.
    head: usize,
    name: Option<Span>,
    strays: Vec<Span>,
    /// There is a line of a field that the standard does not have, which readers ignore.
    pub unknown: bool,
    /// There is a line that is no data but may be taken for it.
    pub poses: bool,
    /// How its lines are written, where readers that do not keep to the standard read them differently.
    pub style: Style,
    /// The end of what belongs to the event was seen: a blank line, a closing bracket. `false` for what a stream leaves
    /// behind when it ends in the middle; clients discard such an event, readers of raw bytes do not.
    pub complete: bool,
    /// The closing bracket of an array stream: nothing can follow.
    pub closing: bool,
}

#[derive(Clone, Debug)]
enum Data {
    None,
    /// In one stretch of the event's bytes, on one line.
    Plain(Span),
    /// In one stretch, line breaks and all: framings without lines.
    Element(Span),
    /// Several `data` lines, joined by line feeds.
    Joined(Vec<u8>),
}

impl Splitter {
    /// A splitter at the start of a stream, with the default limit of 8 MiB per event.
    pub fn new(framing: Framing) -> Self {
        Self::with_limit(framing, Limits::default().event_bytes)
    }

    /// A splitter that refuses events of more than `max_event_bytes`, framing included.
    pub fn with_limit(framing: Framing, max_event_bytes: usize) -> Self {
        let scan = match framing {
            Framing::Sse => Scan::Lines {
                at: 0,
                line: 0,
                first: true,
            },
            Framing::JsonArray => Scan::Array(super::array::Scan::default()),
            Framing::Messages => Scan::Messages,
        };
        Self {
            buffer: BytesMut::new(),
            scan,
            max_event_bytes,
            passed: 0,
        }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event, or `None` until more bytes are there.
    ///
    /// # Errors
    /// An event over the limit, or no well-formed array. The stream cannot be read any further.
    #[expect(
        clippy::should_implement_trait,
        reason = "more input may follow `None`"
    )]
    pub fn next(&mut self) -> Result<Option<RawEvent>, Malformed> {
        let found = match &mut self.scan {
            Scan::Lines { at, line, first } => {
                let end = lines(&self.buffer, at, line, *first);
                end.map(|end| {
                    let event = RawEvent::of_lines(self.buffer.split_to(end).freeze(), *first);
                    (*at, *line, *first) = (0, 0, false);
                    event
                })
            }
            Scan::Messages => {
                let bytes = self.buffer.split().freeze();
                (!bytes.is_empty()).then(|| {
                    let data = Data::Element(Span::new(0, bytes.len()));
                    RawEvent::of_data(bytes, data)
                })
            }
            Scan::Array(scan) => match scan.advance(&self.buffer) {
                Ok(None) => None,
                Ok(Some(cut)) => {
                    let bytes = self.buffer.split_to(cut.end).freeze();
                    let data = cut.element.map_or(Data::None, Data::Element);
                    let closing = cut.element.is_none();
                    Some(RawEvent {
                        closing,
                        ..RawEvent::of_data(bytes, data)
                    })
                }
                Err(mut problem) => {
                    problem.offset += self.passed;
                    return Err(problem);
                }
            },
        };
        let length = found.as_ref().map_or(self.buffer.len(), |e| e.bytes.len());
        if length > self.max_event_bytes {
            return Err(Malformed::at(
                self.passed + self.max_event_bytes,
                format!("an event of more than {} bytes", self.max_event_bytes),
                "its end",
            ));
        }
        if found.is_some() {
            self.passed += length;
        }
        Ok(found)
    }

    /// What is left at the end of the stream, if anything, as an event that may be incomplete. To be called once, when
    /// [`Splitter::next`] has nothing more.
    pub fn finish(&mut self) -> Option<RawEvent> {
        let bytes = self.buffer.split().freeze();
        if bytes.is_empty() {
            return None;
        }
        self.passed += bytes.len();
        Some(match &mut self.scan {
            Scan::Lines { at, line, first } => {
                // A CR at the very end of the input is a line end of its own after all.
                let complete = *line + 1 == bytes.len() && bytes.last() == Some(&b'\r');
                let event = RawEvent::of_lines(bytes, *first);
                (*at, *line, *first) = (0, 0, false);
                RawEvent { complete, ..event }
            }
            Scan::Messages => {
                let data = Data::Element(Span::new(0, bytes.len()));
                RawEvent::of_data(bytes, data)
            }
            Scan::Array(scan) => {
                let blank = bytes.iter().all(u8::is_ascii_whitespace);
                let element = Span::new(0, bytes.len());
                let data = if blank {
                    Data::None
                } else {
                    Data::Element(element)
                };
                RawEvent {
                    complete: blank && scan.is_done(),
                    ..RawEvent::of_data(bytes, data)
                }
            }
        })
    }

    /// Bytes that wait for the rest of their event.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

impl RawEvent {
    /// An event without lines.
    const fn of_data(bytes: Bytes, data: Data) -> Self {
        Self {
            bytes,
            data,
            head: 0,
            name: None,
            strays: Vec::new(),
            unknown: false,
            poses: false,
            style: Style::PLAIN,
            complete: true,
            closing: false,
        }
    }

    /// The event as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its data: the values of all `data` lines joined by line feeds, or the array's element. `None` if there is none or it
    /// is empty, which clients pass over.
    pub fn data(&self) -> Option<&[u8]> {
        let data = match &self.data {
            Data::None => None,
            Data::Plain(span) | Data::Element(span) => self.bytes.get(span.range()),
            Data::Joined(joined) => Some(joined.as_slice()),
        };
        data.filter(|data| !data.is_empty())
    }

    /// The value of the last `event` line.
    pub fn name(&self) -> Option<&[u8]> {
        self.bytes.get(self.name?.range())
    }

    /// Text outside the data that a reader of the stream can see: comments, ids, event names with other than the letters,
    /// dots and underscores of API's event names, `retry` values that are no number, unknown fields.
    pub fn strays(&self) -> impl Iterator<Item = &[u8]> {
        self.strays
            .iter()
            .filter_map(|span| self.bytes.get(span.range()))
    }

    /// The event's bytes with other data; all other lines and the line ends are kept. Data with line breaks takes a `data` line
    /// for each of its lines.
    pub fn rewrite(&self, data: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(self.bytes.len() + data.len());
        match &self.data {
            Data::None => return self.bytes.clone(),
            // Of data that begins with a space, the standard takes one away.
            Data::Plain(_)
                if data.starts_with(b" ") || data.iter().any(|b| matches!(b, b'\n' | b'\r')) =>
            {
                self.rewrite_lines(data, &mut out);
            }
            Data::Plain(span) | Data::Element(span) => {
                out.extend_from_slice(self.bytes.get(..span.start).unwrap_or(&[]));
                out.extend_from_slice(data);
                out.extend_from_slice(self.bytes.get(span.end..).unwrap_or(&[]));
            }
            Data::Joined(_) => self.rewrite_lines(data, &mut out),
        }
        Bytes::from(out)
    }

    fn rewrite_lines(&self, data: &[u8], out: &mut Vec<u8>) {
        let mut written = false;
        out.extend_from_slice(self.bytes.get(..self.head).unwrap_or(&[]));
        for line in Lines::from(&self.bytes, self.head) {
            let bytes = self.bytes.get(line.all.range()).unwrap_or(&[]);
            if line.field(&self.bytes) != b"data" {
                out.extend_from_slice(bytes);
                continue;
            }
            if written {
                continue;
            }
            written = true;
            let before = self.bytes.get(line.all.start..line.value.start);
            let end = self.bytes.get(line.value.end..line.all.end);
            let end = end.filter(|end| !end.is_empty()).unwrap_or(b"\n");
            for part in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
                // A line `data` without a colon has no place for a value.
                let before = before.filter(|before| before.contains(&b':'));
                let before = before.unwrap_or(b"data:");
                out.extend_from_slice(before);
                if part.starts_with(b" ") && !before.ends_with(b" ") {
                    out.push(b' ');
                }
                out.extend_from_slice(part);
                out.extend_from_slice(end);
            }
        }
    }

    /// Reads the lines of one event; `first` if it is the stream's first, which may start with a byte order mark.
    fn of_lines(bytes: Bytes, first: bool) -> Self {
        let mut event = Self {
            bytes: Bytes::new(),
            data: Data::None,
            head: if first && bytes.starts_with(BOM) {
                BOM.len()
            } else {
                0
            },
            name: None,
            strays: Vec::new(),
            unknown: false,
            poses: false,
            style: Style::PLAIN,
            complete: true,
            closing: false,
        };
        for line in Lines::from(&bytes, event.head) {
            let value = bytes.get(line.value.range()).unwrap_or(&[]);
            let begun = !matches!(event.data, Data::None);
            // The last one may be half of a line end that was cut.
            let end = bytes.get(line.value.end..line.all.end);
            event.style.returns |= end == Some(b"\r") && line.all.end < bytes.len();
            match line.field(&bytes) {
                b"data" => {
                    event.style.several |= begun;
                    event.style.tight |= line.value.start <= line.name.end + 1;
                    event.data.add(line.value, &bytes);
                }
                b"event" => {
                    event.style.late |= begun || event.name.is_some();
                    event.name = Some(line.value);
                    if !value
                        .iter()
                        .all(|b| b.is_ascii_alphabetic() || b"._".contains(b))
                    {
                        event.strays.push(line.value);
                        event.poses |= poses(value, true);
                    }
                }
                b"retry" if value.iter().all(u8::is_ascii_digit) && value.len() < 10 => {}
                // A comment or a blank line; a comment's value starts after the colon that begins its line.
                b"" | b"id" | b"retry" if value.is_empty() => {}
                b"" | b"id" | b"retry" => {
                    event.strays.push(line.value);
                    event.poses |= poses(value, true);
                }
                _ => {
                    event.strays.push(line.all);
                    event.unknown = true;
                    event.poses |= poses(bytes.get(line.all.range()).unwrap_or(&[]), false);
                }
            }
        }
        event.bytes = bytes;
        event
    }
}

impl Data {
    fn add(&mut self, value: Span, bytes: &[u8]) {
        let bytes_of = |span: Span| bytes.get(span.range()).unwrap_or(&[]);
        match self {
            Self::None => *self = Self::Plain(value),
            Self::Plain(first) | Self::Element(first) => {
                let joined = [bytes_of(*first), bytes_of(value)].join(&b'\n');
                *self = Self::Joined(joined);
            }
            Self::Joined(joined) => {
                joined.push(b'\n');
                joined.extend_from_slice(bytes_of(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All events of `chunks`, the rest at the end included.
    fn split(framing: Framing, chunks: &[&[u8]]) -> Result<Vec<RawEvent>, Malformed> {
        let mut splitter = Splitter::with_limit(framing, 4096);
        let mut events = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(event) = splitter.next()? {
                events.push(event);
            }
        }
        events.extend(splitter.finish());
        assert_eq!(splitter.pending(), 0);
        Ok(events)
    }

    type Shown = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, bool, bool);

    fn show(events: &[RawEvent]) -> Vec<Shown> {
        let owned = |bytes: &[u8]| bytes.to_vec();
        events
            .iter()
            .map(|event| {
                let (data, name) = (event.data().map(owned), event.name().map(owned));
                (
                    event.bytes().to_vec(),
                    data,
                    name,
                    event.complete,
                    event.closing,
                )
            })
            .collect()
    }

    /// Checks that no cut changes the events, and that they are the input; returns them.
    fn check(framing: Framing, input: &[u8]) -> Vec<RawEvent> {
        let whole = split(framing, &[input]).unwrap();
        let joined: Vec<u8> = whole.iter().flat_map(|e| e.bytes().to_vec()).collect();
        assert_eq!(joined, input);
        for at in 0..=input.len() {
            let (left, right) = input.split_at(at);
            let cut = split(framing, &[left, right]).unwrap();
            assert_eq!(show(&cut), show(&whole), "cut at {at}");
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(show(&split(framing, &bytes).unwrap()), show(&whole));
        whole
    }

    /// The interpretation of the WHATWG algorithm (HTML section 9.2.6) on the whole text: what a client dispatches.
    fn reference(input: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let text = input.strip_prefix(BOM).unwrap_or(input);
        let mut lines = vec![Vec::new()];
        let mut bytes = text.iter().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\r' => {
                    bytes.next_if_eq(&&b'\n');
                    lines.push(Vec::new());
                }
                b'\n' => lines.push(Vec::new()),
                other => lines.last_mut().unwrap().push(*other),
            }
        }
        lines.pop(); // without a line end it is no line
        let (mut events, mut data, mut name) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':');
            let field = &line[..colon.unwrap_or(line.len())];
            let value = colon.map_or(&[][..], |at| &line[at + 1..]);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                _ if line.is_empty() => {
                    data.pop();
                    if !data.is_empty() {
                        events.push((name.clone(), data.clone()));
                    }
                    data.clear();
                    name.clear();
                }
                b"data" => {
                    data.extend_from_slice(value);
                    data.push(b'\n');
                }
                b"event" => name = value.to_vec(),
                _ => {}
            }
        }
        events
    }

    fn dispatched(events: &[RawEvent]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let complete = events.iter().filter(|event| event.complete);
        complete
            .filter_map(|event| {
                let name = event.name().unwrap_or_default();
                Some((name.to_vec(), event.data()?.to_vec()))
            })
            .collect()
    }

    #[test]
    fn follows_the_grammar() {
        let inputs: &[&str] = &[
            "data: a\n\ndata: b\n\n",
            "data: a\r\n\r\ndata:b\r\n\r\n",
            "data: a\r\rdata:  b\r\r",
            "data: a\r\n\n\rdata: b\n\r\n",
            "\u{feff}data: a\n\n\u{feff}data: b\n\n",
            "\u{feff}\n\ndata: a\n\n",
            "\u{feff}",
            ": keep-alive\n\n:\n\ndata: a\n\n",
            "event: message_start\ndata: a\ndata: b\ndata\nid: 7\nretry: 10\n\n",
            "data\n\ndata:\n\ndata\ndata\n\n",
            "event: x\n\nother: y\nDATA: z\n data: w\n\n",
            "data: a\n\ndata: never dispatched\n",
            "data: a\n\ndata: cut",
            "data: a\r",
            "data: a\n\r",
            "\n\n\r\n\r\r",
            "data: \u{1f600}\u{2028}\u{85}\u{b}x\n\n",
            "",
        ];
        for input in inputs {
            let events = check(Framing::Sse, input.as_bytes());
            assert_eq!(
                dispatched(&events),
                reference(input.as_bytes()),
                "{input:?}"
            );
        }
    }

    #[test]
    fn hands_out_what_clients_discard() {
        let events = check(Framing::Sse, b"data: a\n\ndata: b\ndata: c");
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].data(), Some(&b"b\nc"[..]));
        assert!(events[0].complete && !events[1].complete);
    }

    #[test]
    fn shows_text_outside_the_data() {
        let input = b": hello\nid: 1\nid\nretry: 5\nretry: soon\nevent: chat.delta\nevent: say hello\nnote: x\nnote\ndata: a\n\n";
        let events = check(Framing::Sse, input);
        let strays: Vec<&[u8]> = events[0].strays().collect();
        let expected: [&[u8]; 6] = [
            b"hello",
            b"1",
            b"soon",
            b"say hello",
            b"note: x\n",
            b"note\n",
        ];
        assert_eq!(strays, expected);
    }

    #[test]
    fn rewrites_data_and_keeps_the_rest() {
        let cases: &[(&str, &str, &str)] = &[
            ("data: a\n\n", "b", "data: b\n\n"),
            (
                "event: x\r\ndata:a\r\nid: 1\r\n\r\n",
                "bb",
                "event: x\r\ndata:bb\r\nid: 1\r\n\r\n",
            ),
            (
                "\u{feff}data: a\n:c\ndata: b\nid: 1\n\n",
                "x",
                "\u{feff}data: x\n:c\nid: 1\n\n",
            ),
            ("data: {\ndata: }\n\n", "{\n}", "data: {\ndata: }\n\n"),
            ("data: a\r\r", "b\nc\rd", "data: b\rdata: c\rdata: d\r\r"),
            ("data\ndata: a\n\n", "x", "data:x\n\n"),
            ("data: cut", "x\ny", "data: x\ndata: y\n"),
            ("data:a\n\n", " x\n y", "data:  x\ndata:  y\n\n"),
            ("data:a\n\n", " x", "data:  x\n\n"),
            ("data: a\n\n", " x", "data:  x\n\n"),
            (": none\n\n", "x", ": none\n\n"),
        ];
        for (input, data, expected) in cases {
            let events = check(Framing::Sse, input.as_bytes());
            let rewritten = events[0].rewrite(data.as_bytes());
            assert_eq!(rewritten, expected.as_bytes(), "{input:?}");
        }
    }

    #[test]
    fn refuses_events_over_the_limit() {
        for framing in [Framing::Sse, Framing::JsonArray] {
            let start: &[u8] = if framing == Framing::Sse {
                b"data: "
            } else {
                b"[{\"a\":\""
            };
            for end in [&b""[..], b"\"}\n\n"] {
                let input = [start, &[b'x'; 4096], end].concat();
                let problem = split(framing, &[&input]).unwrap_err();
                assert_eq!(problem.offset, 4096);
            }
            // Events before it are none of its business.
            let before = if framing == Framing::Sse {
                &b"data: 1\n\n"[..]
            } else {
                b"[{}"
            };
            let mut splitter = Splitter::with_limit(framing, 16);
            splitter.push(before);
            splitter.push(if framing == Framing::Sse {
                b"data: 2\n\n"
            } else {
                b",{},{}"
            });
            assert!(splitter.next().unwrap().is_some());
            assert!(splitter.next().unwrap().is_some());
        }
    }

    #[test]
    fn cuts_arrays_into_elements() {
        let input = b"[{\"a\": \"]}\\\"\\\\\"}\n,\r\n{\"b\": [{}, []]} , {}\n]\n";
        let events = check(Framing::JsonArray, input);
        let data: Vec<Option<&[u8]>> = events.iter().map(RawEvent::data).collect();
        let expected: [Option<&[u8]>; 5] = [
            Some(b"{\"a\": \"]}\\\"\\\\\"}"),
            Some(b"{\"b\": [{}, []]}"),
            Some(b"{}"),
            None,
            None,
        ];
        assert_eq!(data, expected);
        assert_eq!(events[1].bytes(), &b"\n,\r\n{\"b\": [{}, []]}"[..]);
        assert_eq!(events[1].rewrite(b"{}"), &b"\n,\r\n{}"[..]);
        // Servers write elements over several lines; an edited one takes them all.
        assert_eq!(events[1].rewrite(b"{\n}"), &b"\n,\r\n{\n}"[..]);
        assert_eq!(events[3].bytes(), &b"\n]"[..]);
        assert!(events[3].closing && events[4].complete);
        assert!(check(Framing::JsonArray, b" [ ] ")[0].closing);
        let cut = check(Framing::JsonArray, b"[{}\n,{\"a\":");
        assert!(!cut[1].complete && cut[1].data().is_some());
        assert!(!check(Framing::JsonArray, b"[{}\n")[1].complete);
    }

    #[test]
    fn refuses_other_arrays() {
        let cases: &[(&[u8], usize)] = &[
            (b"{}", 0),
            (b"[1]", 1),
            (b"[,{}]", 1),
            (b"[{},]", 4),
            (b"[{} {}]", 4),
            (b"[{}]{}", 4),
            (b"[{}] x", 5),
            (b"data: {}", 0),
        ];
        for (input, offset) in cases {
            let problem = split(Framing::JsonArray, &[input]).unwrap_err();
            assert_eq!(
                problem.offset,
                *offset,
                "{}",
                String::from_utf8_lossy(input)
            );
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_reference(parts in prop::collection::vec(prop::sample::select(vec![
            "data", "data:", "data: x", "event: e", ":", " ", "\n", "\r", "\r\n", "\n\n", "id: 1", "\u{feff}", "\u{e9}", "y:z",
        ]), 0..24), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
            let input = parts.concat();
            let input = input.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            at.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for to in at {
                chunks.push(&input[from..to]);
                from = to;
            }
            chunks.push(&input[from..]);
            let events = split(Framing::Sse, &chunks).unwrap();
            prop_assert_eq!(show(&events), show(&split(Framing::Sse, &[input]).unwrap()));
            let joined: Vec<u8> = events.iter().flat_map(|e| e.bytes().to_vec()).collect();
            prop_assert_eq!(joined, input);
            prop_assert_eq!(dispatched(&events), reference(input));
            for (position, event) in events.iter().enumerate() {
                if event.data().is_some() {
                    // A byte order mark counts at the start of a stream only.
                    let before: &[u8] = if position == 0 { b"" } else { b"\n" };
                    let again = split(Framing::Sse, &[before, &event.rewrite(b"new")]).unwrap();
                    let again = again.last().unwrap();
                    prop_assert_eq!(again.data(), Some(&b"new"[..]));
                    prop_assert_eq!(again.name(), event.name());
                }
            }
        }
    }
}
