//! Which credentials came with a request, told without telling them.

use std::fmt::Write as _;

use http::request::Parts;
use sha2::{Digest, Sha256};

/// Where SDKs, and clients that should know better, put keys.
const HEADERS: [&str; 6] = [
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "proxy-authorization",
    "cookie",
];

/// One line for each credential: the header's name, its scheme, and the first 12 hexadecimal digits of the value's SHA-256.
pub(super) fn presented(head: &Parts) -> String {
    let mut lines = Vec::new();
    for name in HEADERS {
        for value in head.headers.get_all(name) {
            lines.push(described(name, value.as_bytes()));
        }
    }
    for pair in head.uri.query().unwrap_or_default().split('&') {
        if let Some(value) = pair.strip_prefix("key=") {
            lines.push(described("?key=", value.as_bytes()));
        }
    }
    if lines.is_empty() {
        return "no credential".to_owned();
    }
    lines.join("\n")
}

fn described(name: &str, value: &[u8]) -> String {
    match value.strip_prefix(b"Bearer ") {
        Some(token) => format!("{name}: Bearer sha256:{}", digest(token)),
        None => format!("{name}: sha256:{}", digest(value)),
    }
}

fn digest(value: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(value).iter().take(6) {
        // Writing to a string cannot fail.
        let _ignored = write!(text, "{byte:02x}");
    }
    text
}
