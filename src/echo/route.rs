//! Which endpoint a request is for.

use http::Method;
use http::request::Parts;

/// Whose shapes an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    OpenAi,
    Anthropic,
    Gemini,
}

/// How a streamed Gemini answer is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Sse,
    JsonArray,
}

/// The formats that answer a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Chat,
    Responses,
    Completions,
    Messages,
    Gemini {
        model: String,
        framing: Option<Framing>,
    },
}

/// Everything that can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Generate(Shape),
    Models(Family),
    Model(Family, String),
    Embeddings,
    MessageTokens,
    GeminiTokens,
    EmbedContent,
    BatchEmbedContents,
    Unknown(Family),
}

impl Endpoint {
    /// Whose error shape a failure takes.
    pub(super) fn family(&self) -> Family {
        match self {
            Self::Generate(Shape::Chat | Shape::Responses | Shape::Completions)
            | Self::Embeddings => Family::OpenAi,
            Self::Generate(Shape::Messages) | Self::MessageTokens => Family::Anthropic,
            Self::Generate(Shape::Gemini { .. })
            | Self::GeminiTokens
            | Self::EmbedContent
            | Self::BatchEmbedContents => Family::Gemini,
            Self::Models(family) | Self::Model(family, _) | Self::Unknown(family) => *family,
        }
    }
}

/// Finds the endpoint of a request.
pub(super) fn find(head: &Parts) -> Endpoint {
    let family = family(head);
    let path = head.uri.path();
    let Some(path) = path
        .strip_prefix("/v1beta/")
        .or_else(|| path.strip_prefix("/v1/"))
    else {
        return Endpoint::Unknown(family);
    };
    let endpoint = if head.method == Method::POST {
        post(path, head.uri.query().unwrap_or_default())
    } else if head.method == Method::GET {
        match path.strip_prefix("models") {
            Some("") => Some(Endpoint::Models(family)),
            Some(name) => name
                .strip_prefix('/')
                .map(|name| Endpoint::Model(family, name.to_owned())),
            None => None,
        }
    } else {
        None
    };
    endpoint.unwrap_or(Endpoint::Unknown(family))
}

fn post(path: &str, query: &str) -> Option<Endpoint> {
    Some(match path {
        "chat/completions" => Endpoint::Generate(Shape::Chat),
        "responses" => Endpoint::Generate(Shape::Responses),
        "completions" => Endpoint::Generate(Shape::Completions),
        "embeddings" => Endpoint::Embeddings,
        "messages" => Endpoint::Generate(Shape::Messages),
        "messages/count_tokens" => Endpoint::MessageTokens,
        _ => {
            let (model, method) = path.strip_prefix("models/")?.split_once(':')?;
            let generate = |framing| {
                let model = model.to_owned();
                Endpoint::Generate(Shape::Gemini { model, framing })
            };
            match method {
                "generateContent" => generate(None),
                "streamGenerateContent" if query.split('&').any(|pair| pair == "alt=sse") => {
                    generate(Some(Framing::Sse))
                }
                "streamGenerateContent" => generate(Some(Framing::JsonArray)),
                "countTokens" => Endpoint::GeminiTokens,
                "embedContent" => Endpoint::EmbedContent,
                "batchEmbedContents" => Endpoint::BatchEmbedContents,
                _ => return None,
            }
        }
    })
}

/// Guesses by path and headers who is calling, where the path alone does not say it.
fn family(head: &Parts) -> Family {
    let path = head.uri.path();
    if head.headers.contains_key("anthropic-version") || path.starts_with("/v1/messages") {
        Family::Anthropic
    } else if path.starts_with("/v1beta/")
        || head.headers.contains_key("x-goog-api-key")
        || head.headers.contains_key("x-goog-api-client")
    {
        Family::Gemini
    } else {
        Family::OpenAi
    }
}
