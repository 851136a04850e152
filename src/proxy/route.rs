//! From a path and a model to an endpoint and a provider.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::auth::Principal;
use crate::glob;
use crate::upstream::Upstream;
use crate::upstream::credential::X_GOOG_API_KEY;
use crate::wire::{Api, Family, Framing};

/// Which providers serve the models of a pattern.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// A model name in which `*` stands for any characters.
    pub model: String,
    /// Names of providers, in order of preference.
    pub providers: Vec<String>,
}

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A body goes up, and is read as the API's.
    Exchange {
        api: Api,
        /// Whether the answer is a message of the model; token counts and embeddings have no place for one.
        generates: bool,
        /// The model, where the path names it.
        model: Option<String>,
        /// How the answer is framed if it is a stream; `None` where the body decides by `"stream": true`.
        framing: Option<Framing>,
    },
    /// An answer that the provider keeps: read, deleted or cancelled by its id.
    Stored { api: Api, id: String },
    /// The models a key may use, or one of them.
    Models {
        family: Family,
        model: Option<String>,
    },
    /// A conversation over a WebSocket.
    Realtime,
    /// Passed on without scanning, because the provider's configuration says so.
    Unscanned,
    /// What the gateway answers by itself.
    Own(Own),
}

/// What a key's holder may ask of the gateway itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// What the key has used.
    Usage,
    /// A token for a session of the key.
    OpenSession,
    /// The end of one of the key's sessions.
    EndSession(String),
    /// A credential of the caller's own for a provider.
    PutCredential(String),
    /// That credential's removal.
    DeleteCredential(String),
}

impl Endpoint {
    /// Whose conventions it follows; `None` if it has none of its own.
    pub(super) fn family(&self, named: Option<&Arc<Upstream>>) -> Option<Family> {
        match self {
            Self::Exchange { api, .. } | Self::Stored { api, .. } => Some(api.family()),
            Self::Models { family, .. } => Some(*family),
            Self::Realtime => Some(Family::OpenAi),
            Self::Unscanned => named.map(|upstream| upstream.provider().family),
            Self::Own(_) => None,
        }
    }
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// The gateway does not know the path.
    Path,
    /// It knows the path, with another method.
    Method(&'static str),
    /// No provider serves it.
    Provider,
    /// The key may use no provider that serves it.
    Forbidden,
}

/// Where a request goes.
#[derive(Debug)]
pub(super) struct Target {
    /// What the path means.
    pub(super) endpoint: Endpoint,
    /// The provider that the path names.
    pub(super) provider: Option<Arc<Upstream>>,
    /// The API's own path, without a provider's name before it.
    pub(super) path: String,
}

/// All providers and the routes to them.
#[derive(Debug, Default)]
pub struct Table {
    providers: Vec<Arc<Upstream>>,
    routes: Vec<Route>,
}

impl Table {
    /// Providers in order; for each API the first one of its family is the default.
    pub const fn new(providers: Vec<Arc<Upstream>>, routes: Vec<Route>) -> Self {
        Self { providers, routes }
    }

    /// All providers.
    pub fn providers(&self) -> &[Arc<Upstream>] {
        &self.providers
    }

    /// What a path means, and which provider it names.
    pub(super) fn find(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Target, NoRoute> {
        let (provider, path) = self.split(path);
        let endpoint = match endpoint(method, path, headers) {
            Err(NoRoute::Path) if self.is_unscanned(provider.as_ref(), path) => Endpoint::Unscanned,
            endpoint => endpoint?,
        };
        let provider = match endpoint {
            // Without a name in the path, the provider that lists it is meant.
            Endpoint::Unscanned => {
                provider.or_else(|| self.providers.iter().find(|p| lists(p, path)).cloned())
            }
            _ => provider,
        };
        Ok(Target {
            endpoint,
            provider,
            path: path.to_owned(),
        })
    }

    /// The provider for a request: the one its path names, else by model, else the family's first.
    pub(super) fn choose(
        &self,
        named: Option<&Arc<Upstream>>,
        model: Option<&str>,
        family: Family,
        principal: &Principal,
    ) -> Result<Arc<Upstream>, NoRoute> {
        let allowed = |upstream: &&Arc<Upstream>| principal.allows_provider(upstream.name());
        if let Some(upstream) = named {
            return Some(upstream)
                .filter(allowed)
                .cloned()
                .ok_or(NoRoute::Forbidden);
        }
        let route = model.and_then(|model| {
            self.routes
                .iter()
                .find(|route| glob::matches(&route.model, model))
        });
        let candidates: Vec<&Arc<Upstream>> = match route {
            Some(route) => route
                .providers
                .iter()
                .filter_map(|name| self.provider(name))
                .collect(),
            None => self
                .providers
                .iter()
                .filter(|upstream| upstream.provider().family == family)
                .collect(),
        };
        if candidates.is_empty() {
            return Err(NoRoute::Provider);
        }
        candidates
            .into_iter()
            .find(allowed)
            .cloned()
            .ok_or(NoRoute::Forbidden)
    }

    pub(super) fn provider(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.providers
            .iter()
            .find(|upstream| upstream.name() == name)
    }

    /// A provider's name at the start of a path, and the rest.
    fn split<'a>(&self, path: &'a str) -> (Option<Arc<Upstream>>, &'a str) {
        let named = self.providers.iter().find_map(|upstream| {
            let rest = path.strip_prefix('/')?.strip_prefix(upstream.name())?;
            rest.starts_with('/')
                .then_some((Arc::clone(upstream), rest))
        });
        named.map_or((None, path), |(upstream, rest)| (Some(upstream), rest))
    }

    fn is_unscanned(&self, provider: Option<&Arc<Upstream>>, path: &str) -> bool {
        match provider {
            Some(upstream) => lists(upstream, path),
            None => self.providers.iter().any(|upstream| lists(upstream, path)),
        }
    }
}

/// Whether a provider passes a path on unscanned. Spellings that a server may read as another path never match.
fn lists(upstream: &Arc<Upstream>, path: &str) -> bool {
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~:@".contains(&byte))
        && !path
            .split('/')
            .skip(1)
            .any(|segment| matches!(segment, "" | "." | ".."));
    plain
        && upstream
            .provider()
            .unscanned_paths
            .iter()
            .any(|pattern| glob::matches(pattern, path))
}

/// What a path means, without a provider's name before it.
fn endpoint(method: &Method, path: &str, headers: &HeaderMap) -> Result<Endpoint, NoRoute> {
    let exchange = |api, generates| Endpoint::Exchange {
        api,
        generates,
        model: None,
        framing: None,
    };
    let found = match path {
        "/v1/chat/completions" => exchange(Api::Chat, true),
        "/v1/responses" => exchange(Api::Responses, true),
        "/v1/responses/input_tokens" | "/v1/responses/compact" => exchange(Api::Responses, false),
        "/v1/completions" => exchange(Api::Completions, true),
        "/v1/embeddings" => exchange(Api::Embeddings, false),
        "/v1/messages" => exchange(Api::Messages, true),
        "/v1/messages/count_tokens" => exchange(Api::Messages, false),
        "/v1/models" | "/v1beta/models" => Endpoint::Models {
            family: family(path, headers),
            model: None,
        },
        "/v1/realtime" => Endpoint::Realtime,
        "/sluicegate/usage" => Endpoint::Own(Own::Usage),
        _ if path.starts_with("/v1/responses/") => return stored(method, path),
        _ if path.starts_with("/sluicegate/credentials/") => return credential(method, path),
        _ if path.starts_with("/sluicegate/sessions") => return session(method, path),
        _ => {
            let (version, rest) = path
                .strip_prefix("/v1beta/models/")
                .map(|rest| ("v1beta", rest))
                .or_else(|| Some(("v1", path.strip_prefix("/v1/models/")?)))
                .ok_or(NoRoute::Path)?;
            model_endpoint(version, rest, path, headers)?
        }
    };
    let expected = match found {
        Endpoint::Exchange { .. } => Method::POST,
        Endpoint::Models { .. }
        | Endpoint::Stored { .. }
        | Endpoint::Realtime
        | Endpoint::Unscanned
        | Endpoint::Own(_) => Method::GET,
    };
    if *method == expected {
        Ok(found)
    } else {
        Err(NoRoute::Method(if expected == Method::POST {
            "POST"
        } else {
            "GET"
        }))
    }
}

/// The caller's own credential for a provider.
fn credential(method: &Method, path: &str) -> Result<Endpoint, NoRoute> {
    let provider = path.strip_prefix("/sluicegate/credentials/");
    let is_name = |name: &&str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !name.is_empty() && name.bytes().all(known)
    };
    let provider = provider.filter(is_name).ok_or(NoRoute::Path)?.to_owned();
    match *method {
        Method::PUT => Ok(Endpoint::Own(Own::PutCredential(provider))),
        Method::DELETE => Ok(Endpoint::Own(Own::DeleteCredential(provider))),
        _ => Err(NoRoute::Method("PUT or DELETE")),
    }
}

/// The sessions of a key, or one of them by its id.
fn session(method: &Method, path: &str) -> Result<Endpoint, NoRoute> {
    let (endpoint, expected, name) = match path.strip_prefix("/sluicegate/sessions") {
        Some("") => (Own::OpenSession, Method::POST, "POST"),
        Some(rest) => {
            let id = rest.strip_prefix('/').filter(|id| {
                let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                !id.is_empty() && id.bytes().all(known)
            });
            let id = id.ok_or(NoRoute::Path)?;
            (Own::EndSession(id.to_owned()), Method::DELETE, "DELETE")
        }
        None => return Err(NoRoute::Path),
    };
    if *method == expected {
        Ok(Endpoint::Own(endpoint))
    } else {
        Err(NoRoute::Method(name))
    }
}

/// An answer that the provider keeps, by its id.
fn stored(method: &Method, path: &str) -> Result<Endpoint, NoRoute> {
    let rest = path.strip_prefix("/v1/responses/").ok_or(NoRoute::Path)?;
    let (id, action) = rest.split_once('/').unwrap_or((rest, ""));
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if id.is_empty() || !id.bytes().all(known) {
        return Err(NoRoute::Path);
    }
    let (allowed, expected): (&[Method], _) = match action {
        "" => (&[Method::GET, Method::DELETE], "GET or DELETE"),
        "input_items" => (&[Method::GET], "GET"),
        "cancel" => (&[Method::POST], "POST"),
        _ => return Err(NoRoute::Path),
    };
    if allowed.contains(method) {
        Ok(Endpoint::Stored {
            api: Api::Responses,
            id: id.to_owned(),
        })
    } else {
        Err(NoRoute::Method(expected))
    }
}

/// `MODEL` or `MODEL:METHOD` below a list of models.
fn model_endpoint(
    version: &str,
    rest: &str,
    path: &str,
    headers: &HeaderMap,
) -> Result<Endpoint, NoRoute> {
    let is_name = |name: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.bytes().all(known) && !name.bytes().all(|byte| byte == b'.')
    };
    // Fine-tuned OpenAI models have colons in their names, Gemini's methods have known ones.
    let method = rest.rsplit_once(':').and_then(|(model, method)| {
        let (generates, framing) = match method {
            "generateContent" => (true, None),
            "streamGenerateContent" => (true, Some(Framing::JsonArray)),
            "countTokens" | "embedContent" | "batchEmbedContents" => (false, None),
            _ => return None,
        };
        Some((model, generates, framing))
    });
    if let Some((model, generates, framing)) = method {
        return if is_name(model) {
            Ok(Endpoint::Exchange {
                api: Api::Gemini,
                generates,
                model: Some(model.to_owned()),
                framing,
            })
        } else {
            Err(NoRoute::Path)
        };
    }
    let colons = version == "v1" && rest.split(':').all(is_name);
    if colons || is_name(rest) {
        return Ok(Endpoint::Models {
            family: family(path, headers),
            model: Some(rest.to_owned()),
        });
    }
    Err(NoRoute::Path)
}

/// Whose conventions a client follows, where the path alone does not say.
pub(super) fn family(path: &str, headers: &HeaderMap) -> Family {
    if path.starts_with("/v1beta/")
        || headers.contains_key(X_GOOG_API_KEY)
        || headers.contains_key("x-goog-api-client")
    {
        Family::Gemini
    } else if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
        Family::Anthropic
    } else {
        Family::OpenAi
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Provider;

    fn table() -> Table {
        let provider = |name: &str, family, unscanned: &[&str]| {
            Upstream::new(Provider {
                name: name.to_owned(),
                family,
                base_url: "http://127.0.0.1:1".to_owned(),
                unscanned_paths: unscanned.iter().map(ToString::to_string).collect(),
                ..Provider::default()
            })
            .unwrap()
        };
        Table::new(
            vec![
                provider("openai", Family::OpenAi, &["/v1/files", "/v1/files/*"]),
                provider("anthropic", Family::Anthropic, &[]),
                provider("lab", Family::OpenAi, &[]),
            ],
            vec![Route {
                model: "llama*".to_owned(),
                providers: vec!["lab".to_owned()],
            }],
        )
    }

    fn find(method: &str, path: &str) -> Result<Target, NoRoute> {
        table().find(&method.parse().unwrap(), path, &HeaderMap::new())
    }

    #[test]
    fn known_paths_have_endpoints() {
        for (path, api) in [
            ("/v1/chat/completions", Api::Chat),
            ("/lab/v1/chat/completions", Api::Chat),
            ("/v1/completions", Api::Completions),
            ("/v1/responses", Api::Responses),
            ("/v1/embeddings", Api::Embeddings),
            ("/v1/messages", Api::Messages),
            ("/v1/messages/count_tokens", Api::Messages),
            (
                "/v1beta/models/gemini-2.0-flash:generateContent",
                Api::Gemini,
            ),
            ("/v1/models/gemini-2.0-flash:countTokens", Api::Gemini),
        ] {
            let target = find("POST", path).unwrap();
            assert!(
                matches!(target.endpoint, Endpoint::Exchange { api: found, .. } if found == api),
                "{path}"
            );
            assert_eq!(target.provider.is_some(), path.starts_with("/lab"));
            assert!(target.path.starts_with("/v1"));
            assert_eq!(find("GET", path).unwrap_err(), NoRoute::Method("POST"));
        }
        for path in ["/v1/realtime", "/lab/v1/realtime"] {
            assert_eq!(find("GET", path).unwrap().endpoint, Endpoint::Realtime);
        }
        let stream = find("POST", "/v1beta/models/m:streamGenerateContent").unwrap();
        assert!(matches!(
            stream.endpoint,
            Endpoint::Exchange {
                framing: Some(Framing::JsonArray),
                ..
            }
        ));
        for path in [
            "/v1/models",
            "/v1beta/models",
            "/v1/models/gpt-4o",
            "/v1/models/ft:gpt-4o:me::7",
        ] {
            let found = find("GET", path);
            assert_eq!(found.is_ok(), !path.contains("::"), "{path}");
        }
    }

    #[test]
    fn other_paths_have_none() {
        for path in [
            "/",
            "/v1",
            "/v1/chat/completions/",
            "/v1//chat/completions",
            "/V1/chat/completions",
            "/v1/chat/%63ompletions",
            "/v1/images/generations",
            "/v1/models/../files",
            "/v1beta/models/..:generateContent",
            "/v1beta/models/a%2fb:generateContent",
            "/v1beta/models/a/b:generateContent",
            "/v1beta/models/m:delete",
            "/nobody/v1/chat/completions",
            "/openaiv1/chat/completions",
            "/anthropic/v1/files",
        ] {
            assert_eq!(find("POST", path).unwrap_err(), NoRoute::Path, "{path}");
        }
        assert_eq!(
            find("POST", "/v1/realtime").unwrap_err(),
            NoRoute::Method("GET")
        );
    }

    #[test]
    fn stored_answers_are_found_by_id() {
        for (method, path, expected) in [
            ("GET", "/v1/responses/resp_1", Ok(())),
            ("DELETE", "/lab/v1/responses/resp_1", Ok(())),
            ("GET", "/v1/responses/resp_1/input_items", Ok(())),
            ("POST", "/v1/responses/resp_1/cancel", Ok(())),
            (
                "POST",
                "/v1/responses/resp_1",
                Err(NoRoute::Method("GET or DELETE")),
            ),
            (
                "DELETE",
                "/v1/responses/resp_1/input_items",
                Err(NoRoute::Method("GET")),
            ),
            (
                "GET",
                "/v1/responses/resp_1/cancel",
                Err(NoRoute::Method("POST")),
            ),
            ("GET", "/v1/responses/", Err(NoRoute::Path)),
            ("GET", "/v1/responses/..", Err(NoRoute::Path)),
            ("GET", "/v1/responses/a%2fb", Err(NoRoute::Path)),
            ("GET", "/v1/responses/a/b", Err(NoRoute::Path)),
        ] {
            let found = find(method, path).map(|target| {
                let Endpoint::Stored { api, id } = target.endpoint else {
                    panic!("{path}")
                };
                assert_eq!((api, id.as_str()), (Api::Responses, "resp_1"), "{path}");
            });
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[test]
    fn unscanned_paths_are_taken_literally() {
        for path in ["/v1/files", "/v1/files/abc/content", "/openai/v1/files"] {
            let target = find("POST", path).unwrap();
            assert_eq!(target.endpoint, Endpoint::Unscanned);
            assert_eq!(target.provider.unwrap().name(), "openai");
        }
        for path in [
            "/v1/files/../chat/completions",
            "/v1/files/%2e%2e/x",
            "/v1/files//x",
            "/v1/files/",
            "/lab/v1/files",
        ] {
            assert!(find("POST", path).is_err(), "{path}");
        }
    }
}
