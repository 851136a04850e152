//! What must not be in a request's head, because two readers of it could disagree about where the request ends or whose it is.
//!
//! hyper follows RFC 9112 where a message gives both its length and a transfer encoding, and hides that from us. Whatever
//! stands in front of the gateway may have read it otherwise, so [`Tap`] reads the raw heads beside hyper and [`check`]
//! refuses such requests.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Version};

use super::unreadable::Unreadable;

/// Longest part of a header line that is looked at: enough for a name and a length.
const MAX_LINE: usize = 64;

/// What the taps of a connection found; read by the handler of its requests.
#[derive(Debug, Default)]
pub(super) struct Findings {
    ambiguous: AtomicBool,
    chunked: AtomicBool,
    /// Requests that hyper could read.
    handled: AtomicUsize,
    unreadable: OnceLock<Unreadable>,
}

impl Findings {
    /// Whether a head could be read in two ways.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.ambiguous.load(Ordering::Acquire)
    }

    /// Whether a chunked body was announced: nothing behind it is read beside hyper, so the connection ends with it.
    pub(super) fn is_chunked(&self) -> bool {
        self.chunked.load(Ordering::Acquire)
    }

    /// Takes note of a request that hyper could read.
    pub(super) fn handle(&self) {
        self.handled.fetch_add(1, Ordering::Release);
    }

    /// Takes note of one that it could not.
    pub(super) fn refuse(&self, request: Unreadable) {
        // Nothing follows it on its connection.
        drop(self.unreadable.set(request));
    }

    /// The request that hyper could not read, once that is answered.
    pub(super) fn unreadable(&self) -> Option<&Unreadable> {
        self.unreadable.get()
    }
}

/// Follows the heads of one HTTP/1 connection.
#[derive(Debug, Default)]
pub(super) struct Tap {
    state: State,
    line: Vec<u8>,
    /// Bytes of the line, stored or not.
    line_bytes: usize,
    last: u8,
    lines: usize,
    /// Heads that were read to their end.
    heads: usize,
    length: Option<u64>,
    chunked: bool,
    ambiguous: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    /// This many bytes of a body are left.
    Body(u64),
    Off,
}

impl Tap {
    /// Takes the next bytes of the connection.
    pub(super) fn feed(&mut self, mut bytes: &[u8], findings: &Findings) {
        while !bytes.is_empty() {
            match self.state {
                State::Off => return,
                State::Body(left) => {
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    let left = left - skipped as u64;
                    self.state = if left == 0 {
                        State::Head
                    } else {
                        State::Body(left)
                    };
                }
                State::Head => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    bytes = rest;
                    self.extend(line);
                    if end.is_some() {
                        self.end_line(findings);
                    }
                }
            }
        }
    }

    /// Whether a head has begun of which hyper has made no request.
    pub(super) fn waits(&self, findings: &Findings) -> bool {
        let begun = self.lines > 0 || self.line_bytes > 0;
        self.heads + usize::from(begun) > findings.handled.load(Ordering::Acquire)
    }

    fn extend(&mut self, part: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend(part.iter().take(room));
        self.line_bytes += part.len();
        // The byte before the line feed, also where that comes first in a later part.
        let mut backwards = part.iter().rev();
        let last = backwards.next();
        if last == Some(&b'\n') {
            if let Some(before) = backwards.next() {
                self.last = *before;
            }
        } else if let Some(last) = last {
            self.last = *last;
        }
    }

    fn end_line(&mut self, findings: &Findings) {
        let line = std::mem::take(&mut self.line);
        let bytes = std::mem::take(&mut self.line_bytes);
        self.ambiguous |= std::mem::take(&mut self.last) != b'\r';
        match line.iter().position(|byte| *byte == b':') {
            _ if bytes <= 2 => {
                // Empty lines before a request line are skipped (RFC 9112, section 2.2).
                if self.lines > 0 {
                    self.end_head(findings);
                }
                self.ambiguous = false;
                return;
            }
            Some(colon) if self.lines > 0 => self.header(line.split_at(colon), bytes > MAX_LINE),
            _ => {}
        }
        self.lines += 1;
    }

    fn header(&mut self, (name, value): (&[u8], &[u8]), cut: bool) {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.ambiguous |= self.chunked || self.length.is_some();
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value.get(1..).unwrap_or_default())
                .ok()
                .map(str::trim)
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok());
            self.ambiguous |= self.chunked || self.length.is_some() || length.is_none() || cut;
            self.length = length.or(self.length);
        }
    }

    fn end_head(&mut self, findings: &Findings) {
        if self.ambiguous {
            findings.ambiguous.store(true, Ordering::Release);
        }
        if self.chunked {
            findings.chunked.store(true, Ordering::Release);
        }
        self.state = match self.length.take() {
            _ if self.chunked || self.ambiguous => State::Off,
            Some(length) if length > 0 => State::Body(length),
            _ => State::Head,
        };
        self.lines = 0;
        self.heads += 1;
    }
}

/// Checks what hyper lets through.
///
/// # Errors
///
/// A sentence for the client.
pub(super) fn check(head: &Parts, findings: &Findings) -> Result<(), &'static str> {
    if findings.is_ambiguous() {
        return Err(
            "the request gives its length in more than one way, or has line ends other than CR LF",
        );
    }
    if matches!(head.method, Method::TRACE | Method::CONNECT) {
        return Err("the methods TRACE and CONNECT are not served");
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => {
            Some(authority(host.as_bytes()).ok_or("the Host header is not a host name")?)
        }
        (Some(_), Some(_)) => return Err("the request has more than one Host header"),
    };
    let target = match head.uri.authority() {
        None => None,
        Some(target) => Some(
            authority(target.as_str().as_bytes())
                .ok_or("the request's authority is not a host name")?,
        ),
    };
    match (host, target) {
        (None, None) => return Err("the request has no Host header"),
        (Some(host), Some(target)) if host != target => {
            return Err("the Host header and the request's authority differ");
        }
        _ => {}
    }
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next().map(HeaderValue::as_bytes), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None)
            if coding.eq_ignore_ascii_case(b"chunked") && head.version == Version::HTTP_11 =>
        {
            Ok(())
        }
        _ => Err("the request's Transfer-Encoding is not just chunked"),
    }
}

/// A host with or without a port and without user information.
fn authority(bytes: &[u8]) -> Option<Authority> {
    Authority::try_from(bytes)
        .ok()
        .filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tapped(bytes: &[u8]) -> (bool, bool) {
        let whole = Findings::default();
        Tap::default().feed(bytes, &whole);
        let single = Findings::default();
        let mut tap = Tap::default();
        for byte in bytes {
            tap.feed(std::slice::from_ref(byte), &single);
        }
        let found = (whole.is_ambiguous(), whole.is_chunked());
        assert_eq!(
            found,
            (single.is_ambiguous(), single.is_chunked()),
            "the cut matters"
        );
        found
    }

    #[test]
    fn ordinary_heads_pass() {
        assert_eq!(tapped(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (false, false));
        let two = b"\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na\n\nb:GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(tapped(two), (false, false));
        assert_eq!(
            tapped(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello"),
            (false, true)
        );
    }

    #[test]
    fn heads_of_two_minds_are_seen() {
        for head in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "transfer-encoding: chunked\r\nCONTENT-LENGTH: 5",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: +5",
            "Content-Length: 5, 5",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "X: y\nContent-Length: 5",
        ] {
            let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n");
            assert!(tapped(request.as_bytes()).0, "{head}");
        }
    }

    #[test]
    fn later_heads_are_read_too() {
        let requests = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabPOST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(tapped(requests).0);
    }

    #[test]
    fn checks_hosts_methods_and_codings() {
        let check = |uri: &str, headers: &[(&str, &str)]| {
            let mut request = http::Request::builder().method("POST").uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            super::check(
                &request.body(()).unwrap().into_parts().0,
                &Findings::default(),
            )
        };
        assert!(check("/", &[("host", "a:80")]).is_ok());
        assert!(check("http://a/", &[]).is_ok());
        assert!(check("/", &[("host", "a"), ("transfer-encoding", "Chunked")]).is_ok());
        assert!(check("/", &[]).is_err());
        assert!(check("/", &[("host", "a"), ("host", "a")]).is_err());
        assert!(check("/", &[("host", "user@a")]).is_err());
        assert!(check("http://user@a/", &[]).is_err());
        assert!(check("http://b/", &[("host", "a")]).is_err());
        assert!(
            check(
                "/",
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")]
            )
            .is_err()
        );
        assert!(check("/", &[("host", "a"), ("transfer-encoding", "xchunked")]).is_err());
        let trace = http::Request::builder()
            .method("TRACE")
            .header("host", "a")
            .body(())
            .unwrap()
            .into_parts()
            .0;
        assert!(super::check(&trace, &Findings::default()).is_err());
    }
}
