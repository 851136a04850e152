//! The opening of a WebSocket (RFC 6455, section 4.2), and what of it goes up.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::forward;
use super::outgoing::{self, Outgoing};
use super::respond::Problem;
use crate::guard::Cleared;
use crate::policy::Policy;

/// Parameters of the query that go up: what the conversation is with and of which kind.
const PARAMETERS: [&str; 5] = ["model", "intent", "call_id", "deployment", "api-version"];

/// A request to open a WebSocket that is as it should be.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: HeaderValue,
    /// The subprotocols on offer, keys left out.
    protocols: Vec<String>,
    /// The model that the query names.
    pub(super) model: Option<String>,
}

impl Handshake {
    /// Reads the head of a request.
    pub(super) fn read(head: &Parts) -> Result<Self, Problem> {
        let headers = &head.headers;
        let key = headers.get_all(header::SEC_WEBSOCKET_KEY);
        let mut keys = key.iter();
        let problem = match (keys.next(), keys.next()) {
            _ if head.version != Version::HTTP_11 => {
                "the path is served as a WebSocket over HTTP/1.1 only"
            }
            _ if !has(headers, &header::UPGRADE, "websocket")
                || !has(headers, &header::CONNECTION, "upgrade") =>
            {
                "the path is a WebSocket: send Connection: Upgrade and Upgrade: websocket"
            }
            _ if headers.contains_key(header::TRANSFER_ENCODING)
                || headers
                    .get(header::CONTENT_LENGTH)
                    .is_some_and(|length| length != "0") =>
            {
                "a request to open a WebSocket has no body"
            }
            _ if headers
                .get(header::SEC_WEBSOCKET_VERSION)
                .is_none_or(|version| version != "13") =>
            {
                "the WebSocket's version is not 13"
            }
            // 16 bytes in base64.
            (Some(key), None) if key.len() == 24 => {
                return Ok(Self {
                    accept: HeaderValue::try_from(derive_accept_key(key.as_bytes()))
                        .map_err(|_| Problem::Internal)?,
                    protocols: forward::protocols(headers)
                        .filter(|name| !name.starts_with(forward::KEY_PROTOCOL))
                        .map(str::to_owned)
                        .collect(),
                    model: model(head.uri.query())?,
                });
            }
            _ => "the request has no valid Sec-WebSocket-Key",
        };
        Err(Problem::Upgrade(problem))
    }

    /// The headers that go up beside those of the gateway's own handshake.
    pub(super) fn up(&self, headers: &HeaderMap) -> HeaderMap {
        let mut up = forward::up(headers);
        for name in [
            header::SEC_WEBSOCKET_ACCEPT,
            header::SEC_WEBSOCKET_EXTENSIONS,
            header::SEC_WEBSOCKET_KEY,
            header::SEC_WEBSOCKET_PROTOCOL,
            header::SEC_WEBSOCKET_VERSION,
            header::CONTENT_TYPE,
        ] {
            up.remove(name);
        }
        if let Ok(protocols) = HeaderValue::try_from(self.protocols.join(", "))
            && !protocols.is_empty()
        {
            up.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
        }
        up
    }

    /// The answer that opens the client's side, after the provider's with these headers has opened the other one.
    pub(super) fn answer(
        self,
        provider: &HeaderMap,
        policy: Option<&Policy>,
    ) -> Response<Outgoing> {
        let mut headers = forward::down(provider, policy);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        let chosen = provider.get(header::SEC_WEBSOCKET_PROTOCOL);
        let offered = chosen.filter(|chosen| {
            self.protocols
                .iter()
                .any(|name| name.as_bytes() == chosen.as_bytes())
        });
        if let Some(chosen) = offered {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen.clone());
        }
        outgoing::whole(StatusCode::SWITCHING_PROTOCOLS, Cleared::empty(), headers)
    }
}

/// The model in a query that may go up.
fn model(query: Option<&str>) -> Result<Option<String>, Problem> {
    let mut model = None;
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in forward::parameters(query) {
        if forward::is_key(name) {
            continue;
        }
        // Nothing scans the query, so no text may be in it.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        let known = PARAMETERS.iter().find(|known| **known == name);
        let Some(known) = known.filter(|_| value.len() <= 128 && value.bytes().all(plain)) else {
            return Err(Problem::Query(forward::shown(name)));
        };
        if seen.contains(known) {
            return Err(Problem::Query(forward::shown(name)));
        }
        seen.push(known);
        if name == "model" {
            model = Some(value.to_owned());
        }
    }
    Ok(model)
}

fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, changes: &[(&'static str, &'static str)]) -> Parts {
        let mut headers: Vec<(&str, &str)> = vec![
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            (
                "sec-websocket-protocol",
                "realtime, openai-insecure-api-key.sg-key",
            ),
            ("sec-websocket-protocol", "openai-beta.realtime-v1"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ];
        for (name, value) in changes {
            headers.retain(|(known, _)| known != name);
            headers.push((name, value));
        }
        let mut request = http::Request::get(uri);
        for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn answers_as_the_standard_says_and_lets_no_key_up() {
        let head = head("/v1/realtime?model=gpt-realtime&key=sg-key", &[]);
        let handshake = Handshake::read(&head).unwrap();
        assert_eq!(handshake.model.as_deref(), Some("gpt-realtime"));
        let up = handshake.up(&head.headers);
        assert_eq!(
            up["sec-websocket-protocol"],
            "realtime, openai-beta.realtime-v1"
        );
        assert_eq!(up.len(), 1, "{up:?}");
        let mut provider = HeaderMap::new();
        provider.insert(
            "sec-websocket-protocol",
            HeaderValue::from_static("realtime"),
        );
        let answer = handshake.answer(&provider, None);
        assert_eq!(answer.status(), 101);
        // RFC 6455, section 1.3.
        let accept = &answer.headers()["sec-websocket-accept"];
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answer.headers()["sec-websocket-protocol"], "realtime");
    }

    #[test]
    fn a_protocol_that_was_not_offered_is_not_passed_on() {
        let handshake = Handshake::read(&head("/v1/realtime", &[])).unwrap();
        let mut provider = HeaderMap::new();
        provider.insert("sec-websocket-protocol", HeaderValue::from_static("other"));
        let answer = handshake.answer(&provider, None);
        assert!(!answer.headers().contains_key("sec-websocket-protocol"));
    }

    #[test]
    fn refuses_what_is_no_handshake() {
        for change in [
            ("connection", "keep-alive"),
            ("upgrade", "h2c"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "c2hvcnQ="),
            ("sec-websocket-key", ""),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
        ] {
            let read = Handshake::read(&head("/v1/realtime", &[change]));
            assert!(matches!(read, Err(Problem::Upgrade(_))), "{change:?}");
        }
        for query in [
            "model=a&model=b",
            "model=a%20b",
            "note=text",
            "model=a+secret",
        ] {
            let read = Handshake::read(&head(&format!("/v1/realtime?{query}"), &[]));
            assert!(matches!(read, Err(Problem::Query(_))), "{query}");
        }
    }
}
