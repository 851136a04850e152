//! Where each family of providers wants its credential.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderValue};
use http::{HeaderMap, StatusCode};

use crate::wire::Family;

/// Header of Anthropic's keys.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Header of Gemini's keys.
pub const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Puts a credential where the family wants it; HTTP libraries are told not to print or index it.
///
/// # Errors
///
/// If it holds bytes that no header can carry, such as a line break at its end.
pub fn place(
    headers: &mut HeaderMap,
    family: Family,
    secret: &str,
) -> Result<(), InvalidHeaderValue> {
    let (name, mut value) = match family {
        Family::OpenAi => (
            AUTHORIZATION,
            HeaderValue::try_from(format!("Bearer {secret}"))?,
        ),
        Family::Anthropic => (X_API_KEY, HeaderValue::from_str(secret)?),
        Family::Gemini => (X_GOOG_API_KEY, HeaderValue::from_str(secret)?),
    };
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// Whether an answer's status says that the credential is not accepted. Gemini answers 400 to a key that it does not know.
pub fn is_refused(family: Family, status: StatusCode) -> bool {
    match status {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => family == Family::Gemini,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_place() {
        for (family, name, value) in [
            (Family::OpenAi, "authorization", "Bearer secret"),
            (Family::Anthropic, "x-api-key", "secret"),
            (Family::Gemini, "x-goog-api-key", "secret"),
        ] {
            let mut headers = HeaderMap::new();
            place(&mut headers, family, "secret").unwrap();
            assert_eq!(headers.len(), 1);
            assert_eq!(headers[name], value);
            assert!(headers[name].is_sensitive());
        }
    }

    #[test]
    fn refuses_what_would_split_the_head() {
        assert!(place(&mut HeaderMap::new(), Family::OpenAi, "secret\r\nx: y").is_err());
    }
}
