//! Escapes in running text: percent signs (RFC 3986), character references of HTML, backslashes of JSON, JavaScript, Python and C.
//!
//! All kinds are undone at once, so a text that mixes them is read too. What is no valid escape stays as it is.

use super::Span;
use super::view::{Escape, read_unicode_escape};

/// The references that matter where text is hidden: punctuation and blanks.
const NAMES: [(&str, char); 34] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("vert", '|'),
    ("rcub", '}'),
    ("hyphen", '-'),
];

/// Letters of the longest of them.
const LONGEST_NAME: usize = 7;

/// The longest escape: a character of four bytes, each escaped.
const LONGEST: usize = 16;

/// A rewriting that is under way.
#[derive(Clone, Debug, Default)]
pub struct Unescaping {
    /// An escape that is not complete yet.
    waiting: Vec<(char, Span)>,
    /// Its characters.
    text: String,
}

impl Unescaping {
    /// Where in the source an escape begins that is not complete yet.
    pub fn pending(&self) -> Option<usize> {
        self.waiting.first().map(|(_, source)| source.start)
    }

    /// How many bytes of the text stay as they are and need not be given to [`push`](Self::push).
    pub fn skip(&self, text: &str) -> usize {
        if self.waiting.is_empty() {
            find(text, 0).unwrap_or(text.len())
        } else {
            0
        }
    }

    /// What the escape at the start of the text stands for, and its length, if it is complete whatever follows: then it need not be given to
    /// [`push`](Self::push).
    pub fn whole(&self, text: &str) -> Option<(char, usize)> {
        if !self.waiting.is_empty() {
            return None;
        }
        let Escape::Of(decoded, length) = read(text) else {
            return None;
        };
        let alone = read(text.get(..length)?);
        matches!(alone, Escape::Of(..)).then_some((decoded, length))
    }

    /// Reads the next character; `out` is given what it becomes, and whether that is something else.
    pub fn push(&mut self, character: char, source: Span, out: &mut impl FnMut(char, Span, bool)) {
        if self.waiting.is_empty() && !is_sign(character) {
            out(character, source, false);
            return;
        }
        self.waiting.push((character, source));
        self.text.push(character);
        self.resolve(false, out);
    }

    /// Takes the last character back, if it is a sign and nothing else waits: with more text after it, it may be [skipped](Self::skip).
    pub fn take_back(&mut self) -> bool {
        let alone = self.waiting.len() == 1;
        if alone {
            self.waiting.clear();
            self.text.clear();
        }
        alone
    }

    /// The end of the text.
    pub fn finish(&mut self, out: &mut impl FnMut(char, Span, bool)) {
        self.resolve(true, out);
    }

    fn resolve(&mut self, end: bool, out: &mut impl FnMut(char, Span, bool)) {
        while let Some(&(first, place)) = self.waiting.first() {
            let read = match read(&self.text) {
                Escape::Open if !end => return,
                // Something that is no part of any escape follows.
                Escape::Open => read(&format!("{}\0", self.text)),
                known => known,
            };
            let (bytes, count) = match read {
                Escape::Of(decoded, bytes) => {
                    let escape = self.text.get(..bytes).unwrap_or_default();
                    let count = escape.chars().count();
                    let last = self.waiting.get(count - 1).map_or(place, |last| last.1);
                    out(decoded, Span::new(place.start, last.end), true);
                    (bytes, count)
                }
                Escape::Open | Escape::Plain(_) => {
                    out(first, place, false);
                    (first.len_utf8(), 1)
                }
            };
            self.text.drain(..bytes);
            self.waiting.drain(..count);
        }
    }
}

/// The first place from `from` on where text changes, or may if more follows.
pub fn find(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut signs =
        memchr::memchr3_iter(b'%', b'&', b'\\', bytes.get(from..)?).map(|place| from + place);
    signs.find(|place| {
        let end = text.floor_char_boundary(text.len().min(place + LONGEST));
        let escape = text.get(*place..end).map(read);
        // Cut off here, an escape may be complete in the text.
        !matches!(escape, Some(Escape::Plain(_)))
    })
}

/// The first place where text with its escapes undone has to be read from: that of the first change, or before it of what looked like
/// no escape but may be completed by what changes (`%%36%39` is `%69`).
pub fn begin(text: &str) -> Option<usize> {
    let change = find(text, 0)?;
    let from = text.floor_char_boundary(change.saturating_sub(LONGEST));
    let before = text.as_bytes().get(from..change)?;
    let mut signs = memchr::memchr3_iter(b'%', b'&', b'\\', before).map(|place| from + place);
    let open = signs.find(|place| {
        let escape = text.get(*place..change).map(read);
        matches!(escape, Some(Escape::Open))
    });
    open.or(Some(change))
}

const fn is_sign(character: char) -> bool {
    matches!(character, '%' | '&' | '\\')
}

fn read(text: &str) -> Escape {
    match text.as_bytes() {
        [b'%', b'u' | b'U', rest @ ..] => {
            digits(rest, 4, 4).map_or(Escape::Plain(1), |code| code.escape(2))
        }
        [b'%', ..] => octets(text, "%"),
        [b'&', b'#', b'x' | b'X', rest @ ..] => reference(rest, 16, 3),
        [b'&', b'#', rest @ ..] => reference(rest, 10, 2),
        [b'&', ..] => name(text),
        [b'\\', b'x' | b'u', b'{', rest @ ..] => braced(rest),
        [b'\\', b'x', ..] => octets(text, "\\x"),
        [b'\\', b'u', ..] => read_unicode_escape(text),
        [b'\\', b'U', rest @ ..] => {
            digits(rest, 8, 8).map_or(Escape::Plain(1), |code| code.escape(2))
        }
        [b'\\', b'0'..=b'3', rest @ ..] => octal(text, rest),
        [b'\\', sign, ..] => match sign {
            b'n' => Escape::Of('\n', 2),
            b'r' => Escape::Of('\r', 2),
            b't' => Escape::Of('\t', 2),
            b'"' | b'\'' | b'/' | b'\\' => Escape::Of(char::from(*sign), 2),
            _ => Escape::Plain(1),
        },
        [sign] if is_sign(char::from(*sign)) => Escape::Open,
        [sign, ..] if sign.is_ascii() => Escape::Plain(1),
        _ => Escape::Plain(text.chars().next().map_or(1, char::len_utf8)),
    }
}

/// Digits that were read: the number, how many, and whether more may come.
struct Number {
    value: u32,
    length: usize,
    open: bool,
}

impl Number {
    /// The character of this number, `before` bytes after the start of the escape.
    fn escape(&self, before: usize) -> Escape {
        match char::from_u32(self.value) {
            _ if self.open => Escape::Open,
            Some(character) => Escape::Of(character, before + self.length),
            None => Escape::Plain(1),
        }
    }
}

/// `least` to `most` hexadecimal digits; `None` if there are too few.
fn digits(text: &[u8], least: usize, most: usize) -> Option<Number> {
    number(text, 16, least, most)
}

fn number(text: &[u8], radix: u32, least: usize, most: usize) -> Option<Number> {
    let digits = text
        .iter()
        .take(most)
        .map_while(|byte| char::from(*byte).to_digit(radix));
    let (mut value, mut length) = (0_u32, 0);
    for digit in digits {
        value = value.saturating_mul(radix).saturating_add(digit);
        length += 1;
    }
    let open = length < most && length == text.len();
    (length >= least || open).then_some(Number {
        value,
        length,
        open,
    })
}

/// `\u{69}` after the brace.
fn braced(rest: &[u8]) -> Escape {
    match digits(rest, 1, 8) {
        Some(code) if !code.open => match rest.get(code.length) {
            Some(b'}') => Number {
                length: code.length + 1,
                ..code
            }
            .escape(3),
            Some(_) => Escape::Plain(1),
            None => Escape::Open,
        },
        Some(_) => Escape::Open,
        None => Escape::Plain(1),
    }
}

/// Three octal digits after the backslash.
fn octal(text: &str, rest: &[u8]) -> Escape {
    match rest {
        [b'0'..=b'7', b'0'..=b'7', ..] => {
            let value = text
                .get(1..4)
                .and_then(|digits| u8::from_str_radix(digits, 8).ok());
            value.map_or(Escape::Plain(1), |value| Escape::Of(char::from(value), 4))
        }
        [] | [b'0'..=b'7'] => Escape::Open,
        _ => Escape::Plain(1),
    }
}

/// `&#105;` after `&#` or `&#x`; the semicolon may be missing.
fn reference(rest: &[u8], radix: u32, before: usize) -> Escape {
    match number(rest, radix, 1, 9) {
        Some(code) if !code.open => {
            let semicolon = usize::from(rest.get(code.length) == Some(&b';'));
            if semicolon == 0 && rest.len() == code.length {
                return Escape::Open;
            }
            Number {
                length: code.length + semicolon,
                ..code
            }
            .escape(before)
        }
        Some(_) => Escape::Open,
        None => Escape::Plain(1),
    }
}

/// `&quot;`, with its semicolon.
fn name(text: &str) -> Escape {
    let rest = text.get(1..).unwrap_or_default();
    let letters = rest.bytes().take(LONGEST_NAME + 1);
    let length = letters.take_while(u8::is_ascii_alphabetic).count();
    let known = rest.get(..length).unwrap_or_default();
    match rest.as_bytes().get(length) {
        Some(b';') => {
            let mut names = NAMES.iter();
            let found = names.find(|(name, _)| *name == known);
            found.map_or(Escape::Plain(1), |(_, character)| {
                Escape::Of(*character, length + 2)
            })
        }
        None if NAMES.iter().any(|(name, _)| name.starts_with(known)) => Escape::Open,
        _ => Escape::Plain(1),
    }
}

/// The bytes of one character in UTF-8, each two digits after `sign`; a single other byte is taken as Latin-1.
fn octets(text: &str, sign: &str) -> Escape {
    let unit = sign.len() + 2;
    let (mut bytes, mut known) = ([0; 4], 0);
    let mut rest = text;
    loop {
        let needed = match bytes[0] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        if known >= needed {
            break;
        }
        let digits = match rest.strip_prefix(sign) {
            Some(digits) => digits.as_bytes(),
            None if sign.starts_with(rest) => return Escape::Open,
            None => break,
        };
        match number(digits, 16, 2, 2) {
            Some(Number { open: true, .. }) => return Escape::Open,
            Some(byte) => {
                if let Some(slot) = bytes.get_mut(known) {
                    *slot = byte.value.to_le_bytes()[0];
                }
            }
            None => break,
        }
        known += 1;
        rest = rest.get(unit..).unwrap_or_default();
    }
    if known == 0 {
        return Escape::Plain(1);
    }
    let text = str::from_utf8(bytes.get(..known).unwrap_or_default());
    match text.ok().and_then(|text| text.chars().next()) {
        Some(character) => Escape::Of(character, unit * known),
        None => Escape::Of(char::from(bytes[0]), unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        let mut escapes = Unescaping::default();
        let (mut out, mut first, mut end) = (String::new(), None, 0);
        let mut take = |character, source: Span, changed: bool| {
            out.push(character);
            assert_eq!(source.start, end, "{text}");
            end = source.end;
            first = first.or_else(|| changed.then_some(source.start));
        };
        for (place, character) in text.char_indices() {
            escapes.push(
                character,
                Span::new(place, place + character.len_utf8()),
                &mut take,
            );
        }
        escapes.finish(&mut take);
        assert_eq!(end, text.len());
        if let Some(first) = first {
            assert!(find(text, 0).is_some_and(|found| found <= first), "{text}");
        }
        out
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        for (text, expected) in [
            ("%69gnore%20all", "ignore all"),
            ("%u0069gnore", "ignore"),
            ("&#105&#103", "ig"),
            ("%D0%B8%d0%b3 %C3%A9 %E5%BF%BD", "иг é 忽"),
            ("50% of 100%, 5%zz, %4", "50% of 100%, 5%zz, %4"),
            ("%E9t%E9 ", "été "),
            (
                "&#105;&#x67;&#0110ore &lt;all&gt;&nbsp;&NewLine;",
                "ignore <all> \n",
            ),
            (
                "AT&T, a && b, &copy; &#; &#x; &",
                "AT&T, a && b, &copy; &#; &#x; &",
            ),
            (r"\u0069\u{67}\x6e\x{6f}\162\U00000065", "ignore"),
            (r"\ud83d\ude00 \xc3\xa9", "😀 é"),
            (r"a\nb\tc\\d\/e\q \1 \", "a\nb\tc\\d/e\\q \\1 \\"),
            (r"\u{110000} \x{} \uZZ", r"\u{110000} \x{} \uZZ"),
        ] {
            assert_eq!(rewritten(text), expected, "{text}");
        }
    }

    #[test]
    fn text_without_escapes_is_passed_over() {
        for text in [
            "100% sure",
            "AT&T & co",
            "a \\d b",
            "if a && b {",
            "R&D; 5%;",
        ] {
            assert_eq!(find(text, 0), None, "{text}");
        }
        assert_eq!(find("so %6", 0), Some(3));
        assert_eq!(find("so &a", 0), Some(3));
    }

    #[test]
    fn what_a_change_may_complete_is_read_with_it() {
        for (text, place) in [
            ("so %d%61", Some(3)),
            ("so %%36%39", Some(3)),
            ("so &#10%35;", Some(3)),
            ("50% of %61", Some(7)),
            ("%zz%61", Some(3)),
            ("none", None),
        ] {
            assert_eq!(begin(text), place, "{text}");
        }
    }
}
