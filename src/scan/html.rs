//! What a browser would run if a client renders an answer as HTML or Markdown.
//!
//! Redaction cleans: a tag that runs something is taken out whole, its content stays behind as plain text. Nested spellings leave no
//! new tag, because every piece of them is a match of its own.

use super::{Rule, Scanner};

/// Name, pattern, summary. All patterns ignore case.
type Row = (&'static str, &'static str, &'static str);

/// The rule of addresses that run as scripts.
pub(super) const SCHEME: &str = "html.scheme";

/// What browsers leave out of an address, wherever it stands (WHATWG URL, section 4.4); in place of `{n}`.
const LINE_ENDS: &str = r"[\t\n\r]{0,3}";

const ROWS: &[Row] = &[
    (
        "script",
        r"<\s{0,4}/?\s{0,4}(?:script|noscript|template|xml)\b[^<>]*>?",
        "a script element",
    ),
    (
        "event_handler",
        r#"<[a-z][^<>]{0,64}[\s/"'`]on[a-z]{3,}\s{0,8}=[^<>]*>?"#,
        "an element with an event handler",
    ),
    (
        "frame",
        r"<\s{0,4}/?\s{0,4}(?:iframe|frame|frameset|object|embed|applet|portal|fencedframe)\b[^<>]*>?",
        "an embedded document",
    ),
    (
        "document",
        r"<\s{0,4}(?:base|link|style)\b[^<>]*>?|<\s{0,4}meta\s[^<>]{0,40}http-equiv[^<>]*>?|<\s{0,4}form\b[^<>]*>?",
        "an element that changes the page or sends data",
    ),
    (
        "scheme",
        r#"(?:(?:jav|ja[\t\n\r]{n}v|j[\t\n\r]a{n}v){n}a{n}s|liv{n}e{n}s|vbs){n}c{n}r{n}i{n}p{n}t\s{0,4}(?::|&colon;|&#0{0,5}58;?|&#x0{0,5}3a;?)[^\s:*`]|data\s{0,2}:\s{0,2}(?:text/html|application/xhtml|image/svg)[^\s"'<>)]*"#,
        "an address that runs as a script",
    ),
];

pub(super) fn rules() -> Vec<Rule> {
    let rule = |(name, pattern, summary): &Row| Rule {
        id: format!("html.{name}").into(),
        scanner: Scanner::Html,
        category: "active_content",
        label: "HTML".into(),
        score: 0,
        pattern: format!("(?i){}", pattern.replace("{n}", LINE_ENDS)).into(),
        check: None,
        summary: (*summary).into(),
    };
    ROWS.iter().map(rule).collect()
}
