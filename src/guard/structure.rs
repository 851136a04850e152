//! Edits of JSON text (tool arguments) that leave it JSON text.
//!
//! A match may lie outside strings (a card number written as a number) or reach over quotes (a key and its value). Cutting it
//! out as it stands would hand the client arguments that it cannot parse. So quotes, brackets, colons and commas stay, a
//! placeholder for a bare value is written as a string in place of all of it, and what is found behind the start of a number becomes 0.

use crate::guard::edit::{Cut, Stand};
use crate::text::Span;

/// What a byte of JSON text follows on (RFC 8259).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Spot {
    /// Structure: brackets, colons, commas, blanks.
    #[default]
    Between,
    /// A number or a word outside strings.
    Bare,
    /// A string that is open.
    String,
    /// A backslash in a string.
    Escape,
}

impl Spot {
    /// After all of `text`.
    pub(super) fn after(self, text: &str) -> Self {
        text.bytes().fold(self, Self::step)
    }

    const fn step(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::String, b'\\') => Self::Escape,
            (Self::String, b'"') => Self::Between,
            (Self::String | Self::Escape, _) | (Self::Between | Self::Bare, b'"') => Self::String,
            (Self::Between | Self::Bare, byte) if is_structure(byte) => Self::Between,
            (Self::Between | Self::Bare, _) => Self::Bare,
        }
    }
}

const fn is_structure(byte: u8) -> bool {
    matches!(
        byte,
        b'{' | b'}' | b'[' | b']' | b':' | b',' | b' ' | b'\t' | b'\n' | b'\r'
    )
}

/// The same cuts of `text`, which begins at `spot`, without the bytes that hold the JSON together.
pub(super) fn keep(mut spot: Spot, text: &str, cuts: impl Iterator<Item = Cut>) -> Vec<Cut> {
    let mut kept = Vec::new();
    let mut bytes = text.bytes().enumerate().peekable();
    for cut in cuts {
        while let Some((_, byte)) = bytes.next_if(|(at, _)| *at < cut.span.start) {
            spot = spot.step(byte);
        }
        let mut with = cut.with;
        let mut open: Option<Cut> = None;
        while let Some((at, byte)) = bytes.next_if(|(at, _)| *at < cut.span.end) {
            let next = spot.step(byte);
            let holds = match spot {
                Spot::Between | Spot::Bare => byte == b'"' || is_structure(byte),
                Spot::String => next == Spot::Between,
                Spot::Escape => false,
            };
            if holds {
                kept.extend(open.take());
            } else if let Some(open) = &mut open {
                open.span.end = at + 1;
            } else {
                let with = std::mem::take(&mut with).at(spot);
                open = Some(Cut {
                    span: Span::new(at, at + 1),
                    with,
                });
            }
            spot = next;
        }
        if let Some(open) = open.as_mut().filter(|open| open.with.is_string()) {
            // The end of a number is no value by itself.
            while let Some((at, _)) = bytes
                .next_if(|(_, byte)| spot == Spot::Bare && !is_structure(*byte) && *byte != b'"')
            {
                open.span.end = at + 1;
            }
        }
        kept.extend(open);
    }
    kept
}

impl Stand {
    /// What stands at `spot` for a stretch that is taken out there.
    const fn at(self, spot: Spot) -> Self {
        match (self, spot) {
            (Self::Placeholder(rule), Spot::Between) => Self::Quoted(rule),
            (Self::Placeholder(_), Spot::Bare) => Self::Zero,
            // A value of its own; the rest of a value that began earlier has its stand there.
            (Self::Nothing, Spot::Between) => Self::Empty,
            (stand, _) => stand,
        }
    }

    /// Whether it is a JSON string by itself.
    const fn is_string(self) -> bool {
        matches!(self, Self::Empty | Self::Quoted(_) | Self::QuotedName(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::finding::RuleIndex;

    /// Takes `start..end` out of `text`, which comes in two parts.
    fn edited(text: &str, (start, end): (usize, usize), at: usize) -> String {
        let (left, right) = text.split_at(at);
        let mut out = Vec::new();
        for (part, offset, spot) in [
            (left, 0, Spot::default()),
            (right, at, Spot::default().after(left)),
        ] {
            let place = |at: usize| at.clamp(offset, offset + part.len()) - offset;
            let with = if start >= offset {
                Stand::Placeholder(RuleIndex(0))
            } else {
                Stand::Nothing
            };
            let cut = Cut {
                span: Span::new(place(start), place(end)),
                with,
            };
            let mut done = 0;
            for cut in keep(
                spot,
                part,
                [cut].into_iter().filter(|cut| !cut.span.is_empty()),
            ) {
                out.extend_from_slice(&part.as_bytes()[done..cut.span.start]);
                out.extend_from_slice(match cut.with {
                    Stand::Nothing => b"",
                    Stand::Empty => b"\"\"",
                    Stand::Zero => b"0",
                    Stand::Placeholder(_) => b"[X]",
                    Stand::Quoted(_) => b"\"[X]\"",
                    Stand::Name(_) | Stand::QuotedName(_) | Stand::Original(_) => b"?",
                });
                done = cut.span.end;
            }
            out.extend_from_slice(&part.as_bytes()[done..]);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_number_goes_as_a_whole() {
        for (text, expected) in [
            ("[4111.5, 1]", "[\"[X]\", 1]"),
            ("{\"a\":4111e3}", "{\"a\":\"[X]\"}"),
        ] {
            let start = text.find("4111").unwrap();
            assert_eq!(edited(text, (start, start + 4), 0), expected);
        }
    }

    #[test]
    fn json_stays_json_wherever_it_is_cut() {
        let cases = [
            (
                r#"{"a": 4111111111111111, "b": 1}"#,
                "4111111111111111",
                r#"{"a": "[X]", "b": 1}"#,
            ),
            (r#"{"a": "my 4111 is"}"#, "4111", r#"{"a": "my [X] is"}"#),
            (
                r#"{"password": "hunter2", "b": 1}"#,
                r#"password": "hunter2"#,
                r#"{"[X]": "", "b": 1}"#,
            ),
            (r#"{"pin": 1234}"#, r#"pin": 1234"#, r#"{"[X]": ""}"#),
            (r#"["a\"b", "c"]"#, r#"\"b"#, r#"["a[X]", "c"]"#),
            (r#"["secret","rest"]"#, r#"secret","re"#, r#"["[X]","st"]"#),
            (r#"{"é": "ß ü"}"#, "é\": \"ß", r#"{"[X]": " ü"}"#),
            (r"[-4111, 1]", "4111", "[-0, 1]"),
            (r"[0.4111]", "4111", "[0.0]"),
        ];
        for (text, cut, expected) in cases {
            let start = text.find(cut).unwrap();
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                let out = edited(text, (start, start + cut.len()), at);
                serde_json::from_str::<serde_json::Value>(&out).unwrap();
                assert_eq!(out, expected, "in two parts at {at}");
            }
        }
    }
}
