//! Requests over HTTP/1 whose head hyper cannot read. It answers them itself, with a status and nothing else, before anybody is asked;
//! what it writes is replaced on its way out by an answer that says what is wrong.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::Gateway;
use super::account::{self, Account};
use super::head::Findings;
use super::respond::REQUEST_ID;
use crate::audit::Outcome;
use crate::guard::Cleared;
use crate::wire::Family;

/// The reason of records and counts for such heads.
const REASON: &str = "unreadable_head";

const TOO_LARGE: (&str, &str) = (
    "headers_too_large",
    "the request's header lines are too many or too long (limits.max_headers, limits.max_header_bytes)",
);
const TOO_LONG: (&str, &str) = (
    "uri_too_long",
    "the request's path and query are too long; send what is long in the body",
);
const MALFORMED: (&str, &str) = (
    "invalid_request",
    "the request's head is not HTTP/1.1 as RFC 9112 has it: a method, a path and a version, then lines of NAME: VALUE",
);

/// What stands in hyper's answers for the body that they lack.
const NO_BODY: &[u8] = b"content-length: 0\r\n";

/// A request that was answered without being read.
#[derive(Debug)]
pub(super) struct Unreadable {
    id: String,
    status: u16,
}

/// The answer that takes the place of hyper's own, and what is known of its request; `None` if `written` is no such answer.
pub(super) fn answer(written: &[u8]) -> Option<(Bytes, Unreadable)> {
    let status = written.strip_prefix(b"HTTP/1.1 ")?.first_chunk::<3>()?;
    let (status, (code, message)) = match status {
        b"400" => (400, MALFORMED),
        b"414" => (414, TOO_LONG),
        b"431" => (431, TOO_LARGE),
        _ => return None,
    };
    // What the gateway answers has an id.
    if memchr::memmem::find(written, REQUEST_ID.as_str().as_bytes()).is_some() {
        return None;
    }
    let place = memchr::memmem::find(written, NO_BODY)?;
    let (before, after) = written.split_at(place);
    let after = after.get(NO_BODY.len()..)?;
    // Nothing follows the head.
    if memchr::memmem::find(written, b"\r\n\r\n")? + 4 != written.len() {
        return None;
    }
    let id = account::new_id();
    let body = Cleared::error(Family::OpenAi, status, code, message, &id).into_bytes();
    let lines = format!(
        "content-type: application/json\r\n{REQUEST_ID}: {id}\r\ncontent-length: {}\r\n",
        body.len()
    );
    let answer = [before, lines.as_bytes(), after, &body].concat();
    Some((answer.into(), Unreadable { id, status }))
}

/// Leaves a record of a request that was answered so.
pub(super) fn record(
    gateway: &Arc<Gateway>,
    address: SocketAddr,
    findings: &Findings,
    error: &hyper::Error,
) {
    let (id, status) = match findings.unreadable() {
        Some(request) => (request.id.clone(), request.status),
        None if error.is_parse_too_large() => (account::new_id(), 431),
        None => (account::new_id(), 400),
    };
    let mut account = Account::open(gateway, id);
    tracing::info!(id = account.id(), %address, %error, "the head of a request cannot be read");
    gateway.metrics.denied(REASON);
    let closed = account.close(Outcome::Blocked, status, Some(REASON.to_owned()));
    if let Err(error) = closed {
        tracing::error!(%error, "no audit record");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hypers_own_answers_and_no_others_are_replaced() {
        for (status, code) in [
            ("400 Bad Request", "invalid_request"),
            ("414 URI Too Long", "uri_too_long"),
            ("431 Request Header Fields Too Large", "headers_too_large"),
        ] {
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
            let own = format!("{head}content-length: 0\r\ndate: x\r\n\r\n");
            let (answer, request) = answer(own.as_bytes()).unwrap();
            let answer = str::from_utf8(&answer).unwrap();
            let (lines, body) = answer.split_once("\r\n\r\n").unwrap();
            let length = format!("content-length: {}\r\ndate: x", body.len());
            assert!(
                lines.starts_with(&head) && lines.ends_with(&length),
                "{lines}"
            );
            assert!(lines.contains(&request.id) && body.contains(&request.id));
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["error"]["code"], code);
        }
        for other in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\nx-sluicegate-request-id: req_1\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert!(answer(other.as_bytes()).is_none(), "{other}");
        }
    }
}
