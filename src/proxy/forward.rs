//! Which headers and query parameters cross the gateway, and what a client presents as its key.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::guard::beside;
use crate::policy::{Direction, Policy};
use crate::upstream::credential::{X_API_KEY, X_GOOG_API_KEY};
use crate::wire::Family;

/// Header of keys at Azure, where some clients are configured for it.
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// The subprotocol by which browsers, which cannot set headers, hand over a key (`openai-node`, `realtime/websocket.ts`).
pub(super) const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// Header that tells a key's end users apart; it goes no further.
const USER: HeaderName = HeaderName::from_static("x-sluicegate-user");

/// Headers of a request that go no further: hop-by-hop ones (RFC 9110, section 7.6.1), those about the body's form on the
/// wire, every form of key, and those that tell a provider who the client is or to treat the request as another.
const NOT_UP: [&str; 40] = [
    "accept-encoding",
    "api-key",
    "authorization",
    "cf-connecting-ip",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "prefer",
    "proxy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "x-api-key",
    "x-goog-api-key",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
const NOT_UP_PREFIXES: [&str; 3] = ["x-forwarded-", "x-goog-authenticated-", "x-sluicegate-"];

/// Headers of an answer that a client has a use for. Others stay behind: cookies and addresses are the gateway's own
/// business with the provider, `alt-svc` would lead clients around it.
const DOWN: [&str; 17] = [
    "anthropic-version",
    "cache-control",
    "content-language",
    "content-type",
    "date",
    "deprecation",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "server-timing",
    "sunset",
    "warning",
    "x-request-id",
    "x-should-retry",
];
const DOWN_PREFIXES: [&str; 3] = ["x-ratelimit-", "anthropic-ratelimit-", "ratelimit-"];

/// The headers of a request as they may go up.
pub(super) fn up(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<&str> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let stays = |name: &HeaderName| {
        let is_named = || {
            named
                .iter()
                .any(|named| named.eq_ignore_ascii_case(name.as_str()))
        };
        let text = name.as_str();
        let mut prefixes = NOT_UP_PREFIXES.iter();
        // Servers behind CGI and WSGI take an underscore for a hyphen.
        NOT_UP.contains(&text)
            || prefixes.any(|prefix| text.starts_with(prefix))
            || text.contains('_')
            || name != header::CONTENT_TYPE && is_named()
    };
    headers
        .iter()
        .filter(|(name, _)| !stays(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The headers of an answer as they may go down: none that the policy, if there is one, finds something in.
pub(super) fn down(headers: &HeaderMap, policy: Option<&Policy>) -> HeaderMap {
    // What is shorter holds nothing that a pattern is about.
    const SHORT: usize = 8;
    let clean = |value: &HeaderValue| {
        let text = value.to_str().ok();
        let read = |policy: &Policy| {
            text.is_some_and(|text| {
                text.len() < SHORT || beside::inspect(policy, Direction::Response, text).0
            })
        };
        policy.is_none_or(read)
    };
    let passes = |name: &HeaderName| {
        DOWN.contains(&name.as_str())
            || DOWN_PREFIXES
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix))
    };
    headers
        .iter()
        .filter(|(name, value)| passes(name) && clean(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Why the key that a client presents cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// There is none.
    Missing,
    /// There are several that differ.
    Several,
}

/// The one key a client presents, from wherever its SDK puts it. Of several, those of our own form are meant.
pub(super) fn key(headers: &HeaderMap, query: Option<&str>) -> Result<String, NoKey> {
    let bearer = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .filter_map(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
    let plain = [X_API_KEY, X_GOOG_API_KEY, API_KEY];
    let plain = plain
        .iter()
        .flat_map(|name| headers.get_all(name))
        .filter_map(|value| value.to_str().ok());
    let query = parameters(query)
        .filter(|(name, _)| *name == "key")
        .map(|(_, value)| value);
    let protocols = protocols(headers).filter_map(|name| name.strip_prefix(KEY_PROTOCOL));
    let mut keys: Vec<&str> = bearer
        .chain(plain)
        .chain(query)
        .chain(protocols)
        .filter(|key| !key.is_empty())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() > 1 {
        keys.retain(|key| key.starts_with("sg-"));
    }
    match (keys.first(), keys.len()) {
        (Some(key), 1) => Ok((*key).to_owned()),
        (None, _) => Err(NoKey::Missing),
        (Some(_), _) => Err(NoKey::Several),
    }
}

/// The end user, where the client names one in a header: at most 256 bytes that can be shown.
pub(super) fn user(headers: &HeaderMap) -> Option<Arc<str>> {
    let user = headers.get(USER)?.to_str().ok()?.trim();
    (!user.is_empty() && user.len() <= 256).then(|| user.into())
}

/// The query as it may go up: without keys. For Gemini only parameters known to leave the answer's format alone, because
/// its servers take others (`$alt`, `callback`) that change it.
///
/// # Errors
///
/// The name of a parameter that is not passed on.
pub(super) fn query(family: Family, query: Option<&str>) -> Result<String, String> {
    let mut kept = String::new();
    for (name, value) in parameters(query) {
        let passes = match (family, without_brackets(name)) {
            (_, name) if is_key(name) => continue,
            (Family::Gemini, "alt") => matches!(value, "sse" | "json"),
            (Family::Gemini, "pageSize" | "pageToken") => true,
            (Family::Gemini, _) => false,
            (Family::OpenAi | Family::Anthropic, name) => !name.contains('%'),
        };
        if !passes {
            return Err(shown(name));
        }
        kept.push(if kept.is_empty() { '?' } else { '&' });
        kept.push_str(name);
        if !value.is_empty() {
            kept.push('=');
            kept.push_str(value);
        }
    }
    Ok(kept)
}

/// The subprotocols that a client offers.
pub(super) fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// The name of a list: SDKs write brackets behind it, encoded.
fn without_brackets(name: &str) -> &str {
    let brackets = ["%5B%5D", "%5b%5d", "[]"];
    let mut names = brackets.iter().filter_map(|end| name.strip_suffix(end));
    names.next().unwrap_or(name)
}

/// Whether a parameter carries a key, which goes no further.
pub(super) fn is_key(name: &str) -> bool {
    matches!(
        name,
        "key" | "access_token" | "oauth_token" | "api_key" | "api-key"
    )
}

/// The name of a parameter, as far as it is one, for people.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "$_-.".contains(*c))
        .take(40)
        .collect()
}

/// The parameters of a query, not decoded.
pub(super) fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether a body is JSON in UTF-8, by its one content type.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(Ok(value)), None) = (types.next().map(HeaderValue::to_str), types.next()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts
            .filter_map(charset)
            .all(|charset| charset.eq_ignore_ascii_case("utf-8"))
}

/// The character set, if this parameter of a content type names it.
pub(super) fn charset(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    let names = name.trim().eq_ignore_ascii_case("charset");
    names.then(|| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn keys_and_hops_stay_behind() {
        let up = up(&headers(&[
            ("host", "gateway"),
            ("authorization", "Bearer sg-x"),
            ("x-api-key", "sg-x"),
            ("x-goog-api-key", "sg-x"),
            ("api-key", "sg-x"),
            ("cookie", "a=b"),
            ("connection", "close, X-Hop"),
            ("connection", "anthropic-beta"),
            ("connection", "content-type"),
            ("content-type", "application/json"),
            ("transfer_encoding", "chunked"),
            ("x-original-url", "/v1/files"),
            ("x-forwarded-port", "1"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-http-method-override", "DELETE"),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "hop"),
            ("openai-beta", "assistants=v2"),
            ("user-agent", "OpenAI/Python"),
            ("x-stainless-lang", "python"),
        ]));
        let mut names: Vec<&str> = up.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "anthropic-version",
                "content-type",
                "openai-beta",
                "user-agent",
                "x-stainless-lang"
            ]
        );
    }

    #[test]
    fn answers_keep_what_clients_use() {
        let down = down(
            &headers(&[
                ("content-type", "application/json"),
                ("retry-after", "3"),
                ("x-ratelimit-remaining-requests", "1"),
                ("anthropic-ratelimit-tokens-limit", "1"),
                ("set-cookie", "a=b"),
                ("alt-svc", "h3"),
                ("server", "cloudflare"),
                ("openai-organization", "acme"),
                ("transfer-encoding", "chunked"),
                ("content-length", "3"),
            ]),
            None,
        );
        assert_eq!(down.len(), 4);
    }

    #[test]
    fn keys_are_found_where_sdks_put_them() {
        for (pairs, query) in [
            (&[("authorization", "Bearer sg-1")][..], None),
            (&[("authorization", "bearer  sg-1")], None),
            (&[("x-api-key", "sg-1")], None),
            (&[("x-goog-api-key", "sg-1")], None),
            (&[], Some("alt=sse&key=sg-1")),
            (
                &[("authorization", "Bearer other"), ("x-api-key", "sg-1")],
                None,
            ),
            (
                &[("authorization", "Bearer sg-1"), ("x-api-key", "sg-1")],
                None,
            ),
        ] {
            assert_eq!(key(&headers(pairs), query).as_deref(), Ok("sg-1"));
        }
        assert_eq!(
            key(&headers(&[("authorization", "Basic sg-1")]), None),
            Err(NoKey::Missing)
        );
        let two = headers(&[("authorization", "Bearer sg-1"), ("x-api-key", "sg-2")]);
        assert_eq!(key(&two, None), Err(NoKey::Several));
    }

    #[test]
    fn lists_in_queries_go_up_and_disguised_names_do_not() {
        let up = |text| query(Family::OpenAi, Some(text));
        let list = "include%5B%5D=a&key%5B%5D=secret&include[]=b&after=c%20d";
        let passed = "?include%5B%5D=a&include[]=b&after=c%20d".to_owned();
        assert_eq!(up(list), Ok(passed));
        assert_eq!(up("k%65y=secret"), Err("k65y".to_owned()));
        assert!(query(Family::Gemini, Some("alt[]=proto")).is_err());
    }

    #[test]
    fn queries_lose_their_keys() {
        assert_eq!(
            query(Family::Gemini, Some("key=sg-1&alt=sse")).as_deref(),
            Ok("?alt=sse")
        );
        assert_eq!(
            query(Family::OpenAi, Some("api-version=2024&beta")).as_deref(),
            Ok("?api-version=2024&beta")
        );
        assert_eq!(
            query(Family::Gemini, Some("$alt=proto")),
            Err("$alt".to_owned())
        );
        assert_eq!(
            query(Family::Gemini, Some("alt=media")),
            Err("alt".to_owned())
        );
        assert!(query(Family::OpenAi, Some("%6bey=sg-1")).is_err());
        assert_eq!(query(Family::OpenAi, None).as_deref(), Ok(""));
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=\"UTF-8\"", true),
            ("application/json;charset=utf-16", false),
            ("text/plain", false),
            ("application/jsonp", false),
        ] {
            assert_eq!(
                is_json(&headers(&[("content-type", value)])),
                expected,
                "{value}"
            );
        }
        assert!(!is_json(&headers(&[])));
        let two = [
            ("content-type", "application/json"),
            ("content-type", "text/plain"),
        ];
        assert!(!is_json(&headers(&two)));
    }
}
