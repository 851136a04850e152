//! Tools that requests offer, and calls of tools in answers, whole bodies and events alike.
//!
//! Every API writes a call as an object with the tool's name beside what it is given, so one reader serves all: an object with a
//! string `name` and one of the members below; or an item of the responses API whose type names a built-in tool.

use serde_json::json;

use super::json::{Kind, Value};
use super::words::reads_as;
use crate::text::Span;

/// Members that hold what a tool is given.
const GIVEN: [&str; 4] = ["arguments", "input", "args", "code"];
/// The same of built-in tools.
const BUILT_IN: [&str; 5] = ["action", "code", "operation", "arguments", "input"];
/// Members by which Gemini streams arguments in parts.
const PARTS: [&str; 4] = [
    "partialArgs",
    "partial_args",
    "willContinue",
    "will_continue",
];
/// Members that say which tools there are; calls in them are examples.
const OFFERS: [&[u8]; 4] = [b"tools", b"functions", b"tool_choice", b"toolConfig"];

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// Where the name is.
    pub span: Span,
    /// What it is given, as JSON text. `None`: it is not here, or not all of it.
    pub arguments: Option<String>,
    /// Its arguments come in parts that have to be put together by their paths.
    pub in_parts: bool,
}

/// The arguments of a call that is given free text and no JSON.
pub fn free_text(text: &str) -> String {
    json!({ "input": text }).to_string()
}

/// All calls in a value, in order.
pub(super) fn calls(value: Value<'_>, found: &mut Vec<Call>) {
    match value.kind() {
        Kind::Array => value.items().for_each(|item| calls(item, found)),
        Kind::Object => {
            if let Some(call) = call(value) {
                return found.push(call);
            }
            for (key, member) in value.members() {
                match &*key.name() {
                    b"executableCode" | b"executable_code" => found.push(Call {
                        name: "code_execution".to_owned(),
                        span: key.span(),
                        arguments: member.get("code").map(written),
                        in_parts: false,
                    }),
                    name if OFFERS.contains(&name) => {}
                    _ => calls(member, found),
                }
            }
        }
        Kind::Key | Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => {}
    }
}

fn call(value: Value<'_>) -> Option<Call> {
    let member = |names: &[&str]| names.iter().find_map(|name| value.get(name));
    let in_parts = member(&PARTS).is_some_and(|part| part.kind() != Kind::False);
    let kind = value.get("type").and_then(Value::text);
    let kind = kind.as_deref().unwrap_or_default();
    let named = value.get("name").filter(|name| name.kind() == Kind::String);
    let (name, span, given) = match named.and_then(|name| Some((name.text()?, name.span()))) {
        Some((name, span)) => (name.into_owned(), span, member(&GIVEN)),
        None => (
            kind.strip_suffix("_call")?.to_owned(),
            value.get("type")?.span(),
            member(&BUILT_IN),
        ),
    };
    let calls = kind.ends_with("_call") || kind.ends_with("tool_use");
    if given.is_none() && !in_parts && !calls {
        return None;
    }
    let text = value
        .get("arguments")
        .filter(|text| text.kind() == Kind::String);
    let given = given.filter(|given| given.kind() != Kind::Null);
    Some(Call {
        name,
        span,
        arguments: match text {
            // JSON text in a string.
            Some(text) => text.text().map(Into::into),
            None => given.map(written),
        },
        in_parts,
    })
}

/// A value as the arguments of a call.
fn written(value: Value<'_>) -> String {
    match value.text().filter(|_| value.kind() == Kind::String) {
        Some(text) => free_text(&text),
        None => String::from_utf8_lossy(value.raw()).into_owned(),
    }
}

/// The tools that a request offers: names with their places. Built-in tools are named by their type or key.
pub(super) fn offers(root: Value<'_>, found: &mut Vec<(String, Span)>) {
    for (key, member) in root.members() {
        match &*key.name() {
            b"tools" | b"functions" | b"mcp_servers" => {
                for tool in member.items() {
                    offer(tool, found);
                }
                // One that stands alone, as Gemini takes it.
                offer(member, found);
            }
            // Realtime; countTokens and batches of Gemini.
            b"session" | b"response" | b"generateContentRequest" | b"generate_content_request" => {
                offers(member, found);
            }
            _ => {}
        }
    }
}

/// The members of this name, however its letters are written: some readers do not tell cases apart, and take the last.
fn like<'v>(value: Value<'v>, name: &str) -> impl Iterator<Item = Value<'v>> {
    let members = value.members();
    let like = members.filter(move |(key, _)| reads_as(&key.name(), name.as_bytes()));
    like.map(|(_, member)| member)
}

/// The texts that they say.
fn texts(value: Value<'_>, name: &str) -> impl Iterator<Item = (String, Span)> {
    let strings = like(value, name).filter(|member| member.kind() == Kind::String);
    strings.filter_map(|member| Some((member.text()?.into_owned(), member.span())))
}

fn offer(tool: Value<'_>, found: &mut Vec<(String, Span)>) {
    if tool.kind() == Kind::Array {
        return tool.items().for_each(|tool| offer(tool, found));
    }
    let inner = like(tool, "function").chain(like(tool, "custom"));
    let mut named: Vec<_> = inner.flat_map(|inner| texts(inner, "name")).collect();
    for name in ["name", "server_label", "type"] {
        if named.is_empty() {
            named.extend(texts(tool, name));
        }
    }
    let is_named = !named.is_empty();
    found.extend(named);
    for (key, member) in tool.members() {
        match &*key.name() {
            b"functionDeclarations" | b"function_declarations" | b"tools" => {
                for tool in member.items() {
                    offer(tool, found);
                }
            }
            // Gemini's own tools are keys: `googleSearch`.
            name if !is_named && member.kind() == Kind::Object => {
                found.push((String::from_utf8_lossy(name).into_owned(), key.span()));
            }
            _ => {}
        }
    }
}
