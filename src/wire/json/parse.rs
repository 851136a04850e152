//! The parser: RFC 8259 as a loop over an explicit stack, so that depth costs no machine stack.

use std::borrow::Cow;

use super::escape::{combine, hex4, plain_run};
use super::{BYTES_PER_NODE, FREE_NODES, Limits, MAX_BYTES, Malformed, Node, Tag, index, keys};

/// The deepest nesting whatever the limits say: readers of the tape recurse.
const MAX_DEPTH: usize = 512;

/// Texts up to this size get room for a usual number of nodes.
const SHORT_BYTES: usize = 4096;

/// An array or object that is not closed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// Its place on the tape.
    pub(super) node: u32,
    pub(super) object: bool,
    /// Keys so far, and whether any of them holds an escape.
    pub(super) keys: u32,
    pub(super) escaped_keys: bool,
}

/// What may come next.
enum Next {
    Value,
    FirstItem,
    FirstKey,
    AfterValue,
}

/// What went wrong is boxed, so that what goes right is returned in registers.
pub(super) type Step<T> = Result<T, Box<Malformed>>;

/// Ends the reading at `offset`.
#[cold]
pub(super) fn refuse<T>(
    offset: usize,
    found: impl Into<Cow<'static, str>>,
    expected: impl Into<Cow<'static, str>>,
) -> Step<T> {
    Err(Box::new(Malformed::at(offset, found, expected)))
}

pub(super) struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: &'a Limits,
    nodes: &'a mut Vec<Node>,
    open: &'a mut Vec<Open>,
    strings: u32,
    /// The most nodes that this document may have.
    most_nodes: usize,
    /// The tape's last node is the last item of the innermost array, and further numbers and words go on it.
    run: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        limits: &'a Limits,
        nodes: &'a mut Vec<Node>,
        open: &'a mut Vec<Open>,
    ) -> Self {
        Self {
            bytes,
            at: 0,
            limits,
            nodes,
            open,
            strings: 0,
            most_nodes: limits
                .nodes
                .min(FREE_NODES.max(bytes.len() / BYTES_PER_NODE)),
            run: false,
        }
    }

    /// Reads the whole text and returns the number of its string values.
    pub(super) fn document(mut self) -> Step<u32> {
        let limit = self.limits.body_bytes.min(MAX_BYTES);
        if self.bytes.len() > limit {
            let found = format!("{} bytes", self.bytes.len());
            return refuse(limit, found, format!("at most {limit} bytes"));
        }
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            return refuse(0, "a byte order mark", "JSON without one");
        }
        if let Err(error) = str::from_utf8(self.bytes) {
            let offset = error.valid_up_to();
            return refuse(offset, "bytes that are no UTF-8", "UTF-8 text");
        }
        self.reserve();
        let mut next = Next::Value;
        loop {
            self.skip_space();
            next = match next {
                Next::FirstItem if self.peek() == Some(b']') => self.close()?,
                Next::Value | Next::FirstItem => self.value()?,
                Next::FirstKey if self.peek() == Some(b'}') => self.close()?,
                Next::FirstKey => self.key()?,
                Next::AfterValue => match self.open.last() {
                    None => break,
                    Some(open) => self.after_value(open.object)?,
                },
            };
        }
        if self.at < self.bytes.len() {
            return self.fail("bytes after the JSON value", "the end");
        }
        Ok(self.strings)
    }

    fn after_value(&mut self, object: bool) -> Step<Next> {
        match (self.peek(), object) {
            (Some(b','), true) => {
                self.at += 1;
                self.skip_space();
                self.key()
            }
            (Some(b','), false) => {
                self.at += 1;
                Ok(Next::Value)
            }
            (Some(b'}'), true) | (Some(b']'), false) => self.close(),
            (_, true) => self.unexpected("`,` or `}`"),
            (_, false) => self.unexpected("`,` or `]`"),
        }
    }

    fn value(&mut self) -> Step<Next> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.string(Tag::String, Tag::EscapedString)?;
                self.strings += 1;
                Ok(Next::AfterValue)
            }
            Some(b'{') => self.open(true),
            Some(b'[') => self.open(false),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.scalar(start)
            }
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.unexpected("a value"),
        }
    }

    fn word(&mut self, word: &[u8]) -> Step<Next> {
        let start = self.at;
        if self.bytes.get(start..start + word.len()) != Some(word) {
            return self.fail("an unquoted word", "a value");
        }
        self.at += word.len();
        self.scalar(start)
    }

    /// Notes a number or word that ends here. In an array it goes on the run before it.
    fn scalar(&mut self, start: usize) -> Step<Next> {
        if self.run
            && let Some(last) = self.nodes.last_mut()
        {
            last.tail = index(self.at);
            return Ok(Next::AfterValue);
        }
        self.push(Node::new(Tag::Scalars, start, self.at), start)?;
        self.run = self.open.last().is_some_and(|open| !open.object);
        Ok(Next::AfterValue)
    }

    fn open(&mut self, object: bool) -> Step<Next> {
        let limit = self.limits.depth.min(MAX_DEPTH);
        if self.open.len() >= limit {
            return self.fail(
                format!("more than {limit} arrays and objects inside each other"),
                "flatter JSON",
            );
        }
        let node = index(self.nodes.len());
        let tag = if object { Tag::Object } else { Tag::Array };
        self.push(Node::new(tag, self.at, 0), self.at)?;
        self.open.push(Open {
            node,
            object,
            keys: 0,
            escaped_keys: false,
        });
        self.at += 1;
        Ok(if object {
            Next::FirstKey
        } else {
            Next::FirstItem
        })
    }

    fn close(&mut self) -> Step<Next> {
        self.at += 1;
        self.run = false;
        let next = index(self.nodes.len());
        if let Some(open) = self.open.pop() {
            if let Some(node) = self.nodes.get_mut(open.node as usize) {
                node.tail = next;
            }
            if open.keys > 1 {
                keys::refuse_duplicates(self.bytes, self.nodes, open)?;
            }
        }
        Ok(Next::AfterValue)
    }

    fn key(&mut self) -> Step<Next> {
        if self.peek() != Some(b'"') {
            return self.unexpected("a key in double quotes");
        }
        let start = self.at;
        let escaped = self.string(Tag::Key, Tag::EscapedKey)?;
        // Parsers in C end a key there, so that it could be another key's name.
        if escaped && keys::has_nul(self.bytes.get(start..self.at).unwrap_or(&[])) {
            return refuse(start, "a key that holds NUL", "one without");
        }
        if let Some(open) = self.open.last_mut() {
            open.keys += 1;
            open.escaped_keys |= escaped;
            if open.keys as usize > self.limits.keys {
                let found = format!("an object with more than {} keys", self.limits.keys);
                return refuse(start, found, "a smaller one");
            }
        }
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.unexpected("`:`");
        }
        self.at += 1;
        Ok(Next::Value)
    }

    /// Reads a string from its opening quote to past its closing one, and says whether it holds an escape.
    fn string(&mut self, plain: Tag, with_escapes: Tag) -> Step<bool> {
        let (bytes, start) = (self.bytes, self.at + 1);
        let (mut at, mut escaped) = (start, false);
        loop {
            at += plain_run(bytes.get(at..).unwrap_or(&[]));
            if bytes.get(at) == Some(&b'"') {
                break;
            }
            self.at = at;
            match bytes.get(at) {
                Some(b'\\') => self.escape()?,
                Some(_) => return self.fail("a bare control character in a string", "`\\u00XX`"),
                None => return self.fail("the end inside a string", "`\"`"),
            }
            (at, escaped) = (self.at, true);
        }
        self.at = at;
        if self.at - start > self.limits.string_bytes {
            let limit = self.limits.string_bytes;
            let found = format!("a string of more than {limit} bytes");
            return refuse(start, found, "a shorter one");
        }
        let tag = if escaped { with_escapes } else { plain };
        self.push(Node::new(tag, start, self.at), start)?;
        self.at += 1;
        Ok(escaped)
    }

    fn escape(&mut self) -> Step<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let Some(first) = hex4(self.bytes.get(self.at + 2..self.at + 6)) else {
                    return self.fail("`\\u` without four digits", "four hexadecimal digits");
                };
                let second = match self.bytes.get(self.at + 6..self.at + 8) {
                    Some(b"\\u") => hex4(self.bytes.get(self.at + 8..self.at + 12)),
                    _ => None,
                };
                if char::from_u32(first).is_some() {
                    self.at += 6;
                } else if second.and_then(|low| combine(first, low)).is_some() {
                    self.at += 12;
                } else {
                    return self.fail("half of a surrogate pair", "both halves");
                }
                Ok(())
            }
            _ => self.fail(
                "an unknown escape",
                "one of `\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX`",
            ),
        }
    }

    fn number(&mut self) -> Step<()> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return refuse(start, "a number with leading zeros", "a number without");
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        // Without an exponent it takes 309 digits to leave the range of a double.
        if exponent || whole > 308 {
            let text = self.bytes.get(start..self.at).unwrap_or(&[]);
            let number: Option<f64> = str::from_utf8(text).ok().and_then(|t| t.parse().ok());
            if !number.is_some_and(f64::is_finite) {
                return refuse(
                    start,
                    "a number outside the range of a double",
                    "a number below 1.8e308",
                );
            }
        }
        Ok(())
    }

    /// Skips digits, of which there must be one, and returns how many.
    fn digits(&mut self) -> Step<usize> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return self.unexpected("a digit");
        }
        self.at += count;
        Ok(count)
    }

    /// Makes room for all nodes that there can be, so that the tape is not moved and half of it left empty: values and keys are
    /// separated, and arrays and objects opened, by one byte each. A short text takes longer to count than a tape to move.
    fn reserve(&mut self) {
        let most = if self.bytes.len() <= SHORT_BYTES {
            self.bytes.len() / BYTES_PER_NODE
        } else {
            let separates = |byte: &u8| u8::from(matches!(byte, b',' | b':' | b'[' | b'{'));
            // Parts that a byte can count, which the compiler counts 16 bytes at a time.
            let parts = self.bytes.chunks(usize::from(u8::MAX));
            let count = |part: &[u8]| usize::from(part.iter().map(separates).sum::<u8>());
            1 + parts.map(count).sum::<usize>()
        };
        self.nodes.reserve_exact(most.min(self.most_nodes));
    }

    fn push(&mut self, node: Node, start: usize) -> Step<Next> {
        if self.nodes.len() >= self.most_nodes {
            let found = format!("more than {} values and keys", self.most_nodes);
            return refuse(start, found, "fewer");
        }
        self.nodes.push(node);
        self.run = false;
        Ok(Next::AfterValue)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn unexpected<T>(&self, expected: &'static str) -> Step<T> {
        let found = match self.peek() {
            None => "the end",
            Some(b'/') => "a comment",
            Some(b'}' | b']') => "a closing bracket",
            Some(b',' | b':') => "a separator",
            Some(b'"') => "a string",
            Some(_) => "another character",
        };
        self.fail(found, expected)
    }

    fn fail<T>(&self, found: impl Into<Cow<'static, str>>, expected: &'static str) -> Step<T> {
        refuse(self.at, found, expected)
    }
}
