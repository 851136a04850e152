//! Whole requests and responses.

use super::json::{Document, Kind, Limits, Malformed, Value};
use super::mark::Mark;
use super::walk::{Notes, Walk};
use super::{
    Api, Call, Piece, References, Usage, calls, chat, completions, embeddings, gemini, messages,
    path, realtime, responses, shape,
};
use crate::text::Span;

/// What a whole request or response holds.
#[derive(Debug)]
pub struct Body {
    /// What it says about itself.
    pub facts: Facts,
    /// Images, audio, binary files and token arrays: content that nothing scans.
    pub media: u32,
    /// Values that repeat the text token by token (`logprobs`, in part as numbers). If any piece of the body is edited, each of
    /// them must be replaced by `null`, edits inside them left out.
    pub logprobs: Vec<Span>,
    /// The format does not know its outermost shape. Its strings are pieces like all others.
    pub unknown: bool,
    document: Document,
    /// Which nodes of the document are text, and whose.
    marks: Box<[Mark]>,
}

/// What a body says about itself. Each is as the sender wrote it, thus not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The model; in Gemini requests it is in the path instead.
    pub model: Option<String>,
    /// Models that may answer in its place (`OpenRouter`'s `models`).
    pub fallbacks: Vec<String>,
    /// A stream is asked for (in realtime: an answer); in Gemini requests it is in the path instead.
    pub stream: bool,
    /// Answers asked for.
    pub choices: u32,
    /// Whether that is sure.
    pub counted: bool,
    /// Answers made of which so many are chosen, where that is more.
    pub drafts: u32,
    /// The most tokens one answer may have.
    pub max_output_tokens: Option<u64>,
    /// Tokens that are written as numbers and not as text.
    pub tokens: u64,
    /// The answer is written whether or not somebody waits for it (responses API).
    pub background: bool,
    /// The end user, where the client names one.
    pub user: Option<String>,
    /// Tokens used, in responses.
    pub usage: Option<Usage>,
    /// What a request says of things that the provider keeps (responses API).
    pub refers: References,
    /// The ids under which the provider may keep an answer and its items (responses API).
    pub ids: Vec<String>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            model: None,
            fallbacks: Vec::new(),
            stream: false,
            choices: 1,
            counted: true,
            drafts: 1,
            max_output_tokens: None,
            tokens: 0,
            background: false,
            user: None,
            usage: None,
            refers: References::default(),
            ids: Vec::new(),
        }
    }
}

impl Facts {
    /// Takes note of how many answers are asked for. Of several numbers the largest holds: servers differ in which they read.
    pub(super) fn asks(&mut self, value: Value<'_>) {
        if let Some(Ok(choices)) = number(value).map(u32::try_from) {
            self.choices = self.choices.max(choices);
        } else {
            self.counted &= value.kind() == Kind::Null;
            self.drafts(value);
        }
    }

    /// Takes note of how many answers are made at least.
    pub(super) fn drafts(&mut self, value: Value<'_>) {
        let drafts = number(value).map(|drafts| u32::try_from(drafts).unwrap_or(u32::MAX));
        self.drafts = self.drafts.max(drafts.unwrap_or_default());
    }

    /// Takes note of how many tokens an answer may have, the largest number as above.
    pub(super) fn limits(&mut self, value: Value<'_>) {
        self.max_output_tokens = self.max_output_tokens.max(number(value));
    }
}

/// A count, which some servers also take as a string: `ProtoJSON`, and whoever reads it as Python does.
fn number(value: Value<'_>) -> Option<u64> {
    let text = || value.text()?.trim().replace('_', "").parse().ok();
    value.as_u64().or_else(text)
}

impl Body {
    /// Its text, in order of place. `bytes` are those the body was read from.
    pub fn pieces<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Piece> + 'a {
        let marks = self.marks.iter().enumerate();
        let marked = marks.filter(|(_, mark)| mark.is_piece());
        marked.filter_map(move |(index, mark)| {
            let span = self.document.string(bytes, index)?.span();
            Some(mark.piece(span))
        })
    }

    /// Whether the string at `span` names a member: a colon follows its closing quote, as after no other string.
    pub fn is_key(bytes: &[u8], span: Span) -> bool {
        let after = bytes.get(span.end + 1..).unwrap_or_default();
        after.trim_ascii_start().starts_with(b":")
    }

    /// The calls of tools in an answer.
    pub fn calls(&self, bytes: &[u8]) -> Vec<Call> {
        let mut found = Vec::new();
        if let Some(root) = self.document.root(bytes) {
            calls::calls(root, &mut found);
        }
        found
    }

    /// Where each of several answers to the same request begins: whoever reads one of them does not read on in the next.
    pub fn answers(&self, bytes: &[u8]) -> Vec<usize> {
        let root = self.document.root(bytes);
        let each = |root: Value<'_>| {
            let all = ["choices", "candidates"].into_iter();
            let all = all.filter_map(|name| root.get(name)).flat_map(Value::items);
            all.map(|answer| answer.span().start).collect()
        };
        root.map(each).unwrap_or_default()
    }

    /// The tools that a request offers, and where they are named.
    pub fn offers(&self, bytes: &[u8]) -> Vec<(String, Span)> {
        let mut found = Vec::new();
        if let Some(root) = self.document.root(bytes) {
            calls::offers(root, &mut found);
        }
        found
    }

    /// The place of a byte range such as `messages[2].content[0].text`, for people. `bytes` are those the body was read from.
    ///
    /// Keys that could be more than names are given by their position, `{3}`: a path never shows content.
    pub fn path(&self, bytes: &[u8], span: Span) -> String {
        path::of(self.document.root(bytes), span)
    }
}

/// Finds the text of a request.
///
/// # Errors
/// It is no strict JSON, exceeds a limit, or is no object.
pub fn read_request(api: Api, body: &[u8], limits: &Limits) -> Result<Body, Malformed> {
    let read = read_body(body, limits, |walk, root, facts| {
        match api {
            Api::Chat => chat::request(walk, root, facts),
            Api::Responses => {
                facts.refers = responses::kept::references(root);
                responses::request(walk, root, facts);
            }
            Api::Completions => completions::request(walk, root, facts),
            Api::Embeddings => embeddings::request(walk, root, facts),
            Api::Messages => messages::request(walk, root, facts),
            Api::Gemini => gemini::request(walk, root, facts),
            Api::Realtime => realtime::request(walk, root, facts),
        }
        shape::knows_request(api, root)
    })?;
    match read.document.root(body) {
        Some(root) if root.kind() == Kind::Object => Ok(read),
        _ => Err(Malformed::at(0, "something else than an object", "a JSON object").located(body)),
    }
}

/// Finds the text of a response of any status, error bodies and what no provider sends included.
///
/// # Errors
/// It is no strict JSON or exceeds a limit.
pub fn read_response(api: Api, body: &[u8], limits: &Limits) -> Result<Body, Malformed> {
    read_body(body, limits, |walk, root, facts| {
        // Errors of Gemini's array streams are arrays, too.
        let many = api == Api::Gemini && root.kind() == Kind::Array;
        let mut known = true;
        for root in many.then(|| root.items()).into_iter().flatten() {
            gemini::response(walk, root, facts);
            known &= shape::knows_response(api, root);
        }
        if many {
            return known;
        }
        match api {
            // Of realtime only refusals to begin a conversation are no events.
            Api::Chat | Api::Realtime => chat::response(walk, root, facts),
            Api::Responses => {
                facts.ids = responses::kept::ids(root);
                responses::response(walk, root, facts);
            }
            Api::Completions => completions::response(walk, root, facts),
            Api::Embeddings => embeddings::response(walk, root, facts),
            Api::Messages => messages::response(walk, root, facts),
            Api::Gemini => gemini::response(walk, root, facts),
        }
        shape::knows_response(api, root)
    })
}

/// Reads a body with `read`, which says whether its format knows the outermost shape.
fn read_body(
    bytes: &[u8],
    limits: &Limits,
    read: impl FnOnce(&mut Walk<'_>, Value<'_>, &mut Facts) -> bool,
) -> Result<Body, Malformed> {
    let document = Document::parse(bytes, limits)?;
    let mut marks = vec![Mark::default(); document.nodes()].into_boxed_slice();
    let (mut logprobs, mut facts) = (Vec::new(), Facts::default());
    let mut walk = Walk::new(Notes::Marks(&mut marks), &mut logprobs);
    let known = document
        .root(bytes)
        .is_some_and(|root| read(&mut walk, root, &mut facts));
    let (media, _) = walk.finish(&document, bytes)?;
    Ok(Body {
        facts,
        media,
        logprobs,
        unknown: !known,
        document,
        marks,
    })
}
