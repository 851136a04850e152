//! Providers and routes: the built-in ones, and those of the server file.
//!
//! The file adds to the built-in providers. A provider of the same name keeps what the file does not say; `null` removes it.

use std::path::Path;
use std::time::Duration;

use crate::document::{Key, Node, Reader, Value, boolean, duration, integer, list, text, word};
use crate::proxy::hashicorp;
use crate::proxy::route::Route;
use crate::upstream::{Credential, Provider, Timeouts};
use crate::wire::Family;

use super::file::{path, set, span};

/// The providers that every gateway knows: their credentials are the vault's entries of the same names.
pub(super) fn built_in() -> Vec<Provider> {
    [
        ("openai", Family::OpenAi, "https://api.openai.com"),
        ("anthropic", Family::Anthropic, "https://api.anthropic.com"),
        (
            "gemini",
            Family::Gemini,
            "https://generativelanguage.googleapis.com",
        ),
    ]
    .into_iter()
    .map(|(name, family, base_url)| Provider {
        name: name.to_owned(),
        family,
        base_url: base_url.to_owned(),
        credential: Credential::Vault(name.to_owned()),
        ..Provider::default()
    })
    .collect()
}

/// Models named `echo…` are answered by the gateway itself.
pub(super) fn built_in_routes() -> Vec<Route> {
    vec![Route {
        model: "echo*".to_owned(),
        providers: vec![ECHO.to_owned()],
    }]
}

/// The name of the provider that is part of the gateway.
pub(super) const ECHO: &str = "echo";

/// Names that would hide paths of the gateway's own.
const RESERVED: [&str; 4] = [ECHO, "sluicegate", "v1", "v1beta"];

/// The names of the families in YAML.
pub(super) const FAMILIES: [(&str, Family); 3] = [
    ("openai", Family::OpenAi),
    ("anthropic", Family::Anthropic),
    ("gemini", Family::Gemini),
];

/// Reads the map of providers into those there are.
pub(super) fn providers(
    reader: &mut Reader,
    node: &Node,
    folder: &Path,
    known: &mut Vec<Provider>,
) -> Option<()> {
    let read = |reader: &mut Reader, key: &Key, node: &Node| {
        let old = known.iter().find(|provider| provider.name == key.name);
        let name = named(reader, key);
        let provider = reader.nullable(node, |reader, node| {
            provider(reader, node, folder, old.cloned(), &key.name)
        });
        name.and(provider)
    };
    for (key, provider) in crate::document::map(read)(reader, node)? {
        let place = known.iter().position(|provider| provider.name == key.name);
        match (place.and_then(|place| known.get_mut(place)), provider) {
            (Some(old), Some(new)) => *old = new,
            (None, Some(new)) => known.push(new),
            (_, None) => known.retain(|provider| provider.name != key.name),
        }
    }
    Some(())
}

/// Reports a name that cannot stand in a path.
fn named(reader: &mut Reader, key: &Key) -> Option<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let place = Node {
        value: Value::Null,
        line: key.line,
        column: key.column,
    };
    if key.name.is_empty() || key.name.len() > 64 || !key.name.chars().all(plain) {
        let problem = reader.problem(&place, "a provider's name that cannot stand in a path");
        reader.report(problem.expected("lower-case letters, digits, - and _, at most 64"));
        return None;
    }
    if RESERVED.contains(&key.name.as_str()) {
        let problem = reader.problem(
            &place,
            format!("the provider name \"{}\" is taken by the gateway", key.name),
        );
        reader.report(
            problem.help(
                "choose another name; the key \"echo\" at the top sets the built-in provider",
            ),
        );
        return None;
    }
    Some(())
}

/// Reads one provider; `old` is the built-in one of the same name.
fn provider(
    reader: &mut Reader,
    node: &Node,
    folder: &Path,
    old: Option<Provider>,
    name: &str,
) -> Option<Provider> {
    let mut fields = reader.fields(node)?;
    fields.unavailable(&["retries", "websocket", "http2", "region", "headers"]);
    let complete = old.is_some();
    let mut provider = old.unwrap_or_else(|| Provider {
        name: name.to_owned(),
        credential: Credential::Vault(name.to_owned()),
        ..Provider::default()
    });
    set(
        &mut provider.family,
        fields.required_unless(complete, "api", word(&FAMILIES)),
    );
    set(
        &mut provider.base_url,
        fields.required_unless(complete, "base_url", base_url),
    );
    let credential = fields.optional("credential", |reader, node| {
        credential(reader, node, folder)
    });
    set(&mut provider.credential, credential);
    provider.policy = fields.nullable("policy", text).or(provider.policy);
    set(
        &mut provider.allow_private,
        fields.optional("allow_private", boolean),
    );
    provider.ca = fields
        .nullable("ca", |reader, node| path(reader, node, folder))
        .or(provider.ca);
    set(
        &mut provider.unscanned_paths,
        fields.optional("unscanned_paths", list(unscanned_path)),
    );
    fields.optional("timeouts", |reader, node| {
        timeouts(reader, node, &mut provider.timeouts)
    });
    set(
        &mut provider.max_idle,
        fields.optional("max_idle", integer(0..=10_000)),
    );
    set(
        &mut provider.idle_timeout,
        fields.optional("idle_timeout", span),
    );
    fields.finish();
    Some(provider)
}

fn timeouts(reader: &mut Reader, node: &Node, timeouts: &mut Timeouts) -> Option<()> {
    let mut fields = reader.fields(node)?;
    set(&mut timeouts.connect, fields.optional("connect", span));
    set(
        &mut timeouts.first_byte,
        fields.optional("first_byte", span),
    );
    set(
        &mut timeouts.between_chunks,
        fields.optional("between_chunks", span),
    );
    set(&mut timeouts.whole, fields.optional("whole", span));
    fields.finish();
    Some(())
}

/// `https://host[:port][/prefix]`. What is wrong is named without repeating the value: it may hold a password.
fn base_url(reader: &mut Reader, node: &Node) -> Option<String> {
    let written = text(reader, node)?;
    let trimmed = written.trim_end_matches('/');
    let wrong = match trimmed.parse::<http::Uri>() {
        Err(_) => Some(("is no URL", "write it as https://host[:port][/prefix]")),
        Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => {
            Some(("has no scheme http or https", "begin it with https://"))
        }
        Ok(uri)
            if uri.authority().is_none_or(|authority| {
                authority.as_str().contains('@') || authority.host().is_empty()
            }) =>
        {
            Some((
                "has a user name or no host",
                "keep secrets in the vault: sluicegate vault set NAME",
            ))
        }
        Ok(uri) if uri.query().is_some() || written.contains('#') => Some((
            "has a query or a fragment",
            "end it after the host or the path prefix",
        )),
        Ok(uri) if uri.path().ends_with("/v1") || uri.path().ends_with("/v1beta") => Some((
            "ends in the API's version",
            "leave /v1 out: the clients' paths bring it",
        )),
        Ok(_) => None,
    };
    let Some((found, help)) = wrong else {
        return Some(trimmed.to_owned());
    };
    let problem = reader.problem(node, format!("{} {found}", reader.path()));
    reader.report(problem.expected("https://host[:port][/prefix]").help(help));
    None
}

/// Where a credential comes from.
pub(super) fn credential(reader: &mut Reader, node: &Node, folder: &Path) -> Option<Credential> {
    let written = text(reader, node)?;
    let name = |rest: &str| {
        !rest.is_empty()
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    match written.split_once(':') {
        None if written == "none" => Some(Credential::None),
        Some(("vault", entry)) if name(entry) => Some(Credential::Vault(entry.to_owned())),
        Some(("env", variable)) if name(variable) => {
            Some(Credential::Environment(variable.to_owned()))
        }
        Some(("file", file)) if !file.is_empty() => Some(Credential::File(folder.join(file))),
        Some(("hashicorp", place)) if kept(place).is_some() => kept(place),
        _ => {
            // The value is not repeated: it may well be the secret itself.
            let problem = reader.problem(
                node,
                format!(
                    "{} says no place that a credential can come from",
                    reader.path()
                ),
            );
            let problem = problem.expected(
                "vault:NAME, env:VARIABLE, file:PATH, hashicorp:MOUNT/PATH#FIELD or none",
            );
            reader.report(
                problem.help("keep the secret out of this file: sluicegate vault set NAME"),
            );
            None
        }
    }
}

/// `MOUNT/PATH#FIELD`.
fn kept(place: &str) -> Option<Credential> {
    let (path, field) = place.split_once('#')?;
    let plain = |name: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !name.is_empty() && name.chars().all(known) && !name.chars().all(|c| c == '.')
    };
    let is_path = path.contains('/') && path.split('/').all(plain);
    (is_path && plain(field)).then(|| Credential::HashiCorp {
        path: path.to_owned(),
        field: field.to_owned(),
    })
}

/// The server of `HashiCorp` Vault.
pub(super) fn hashicorp(
    reader: &mut Reader,
    node: &Node,
    folder: &Path,
) -> Option<hashicorp::Config> {
    let mut fields = reader.fields(node)?;
    let address = fields.required("address", base_url);
    let token = fields.required("token", |reader, node| token(reader, node, folder));
    let namespace = fields.nullable("namespace", text);
    let ca = fields.nullable("ca", |reader, node| path(reader, node, folder));
    let refresh = fields.optional("refresh", duration);
    fields.finish();
    Some(hashicorp::Config {
        address: address?,
        token: token?,
        namespace,
        ca,
        refresh: refresh.unwrap_or(Duration::from_mins(1)),
    })
}

/// Where the token for that server is kept. The value is not repeated: it may be the token itself.
fn token(reader: &mut Reader, node: &Node, folder: &Path) -> Option<Credential> {
    let written = text(reader, node)?;
    match written.split_once(':') {
        Some(("env", variable)) if !variable.is_empty() => {
            Some(Credential::Environment(variable.to_owned()))
        }
        Some(("file", file)) if !file.is_empty() => Some(Credential::File(folder.join(file))),
        _ => {
            let found = format!("{} says no place that a token can come from", reader.path());
            let problem = reader.problem(node, found);
            reader.report(problem.expected("env:VARIABLE or file:PATH"));
            None
        }
    }
}

fn unscanned_path(reader: &mut Reader, node: &Node) -> Option<String> {
    let written = text(reader, node)?;
    let star = written
        .find('*')
        .is_none_or(|place| place + 1 == written.len());
    if written.starts_with('/')
        && written.len() > 1
        && written != "/*"
        && star
        && !written.contains(['?', '#', ' '])
    {
        return Some(written);
    }
    let problem = reader.problem(
        node,
        format!("{} is no path below the provider", reader.path()),
    );
    reader.report(problem.expected("a path such as /v1/files, with * at its end at most"));
    None
}

/// Reads one route.
pub(super) fn route(reader: &mut Reader, node: &Node) -> Option<Route> {
    let mut fields = reader.fields(node)?;
    let model = fields.required("model", text);
    let providers = fields.required("providers", list(text));
    fields.finish();
    Some(Route {
        model: model?,
        providers: providers?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    fn read(yaml: &str) -> Result<Vec<Provider>, Vec<String>> {
        let root = document::parse("s.yaml", yaml).unwrap();
        let mut reader = Reader::new("s.yaml");
        let mut known = built_in();
        let value = providers(&mut reader, &root, Path::new("etc"), &mut known);
        let read = reader.finish(value);
        read.map(|_| known)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_file_changes_adds_and_removes() {
        let providers = read("openai: {base_url: 'https://proxy.example/'}\ngemini: null\nlab: {api: openai, base_url: 'https://lab.example/openai', credential: 'file:lab.key'}\n").unwrap();
        let names: Vec<&str> = providers
            .iter()
            .map(|provider| provider.name.as_str())
            .collect();
        assert_eq!(names, ["openai", "anthropic", "lab"]);
        assert_eq!(providers[0].base_url, "https://proxy.example");
        assert_eq!(
            providers[0].credential,
            Credential::Vault("openai".to_owned())
        );
        assert_eq!(
            providers[2].credential,
            Credential::File("etc/lab.key".into())
        );
    }

    #[test]
    fn what_cannot_be_used_is_not_repeated() {
        for url in [
            "example.com",
            "ftp://example.com",
            "https://user:pw-canary@example.com",
            "https://",
            "https://example.com/v1/",
            "https://example.com/?key=pw-canary",
        ] {
            let problems = read(&format!("lab: {{api: openai, base_url: '{url}'}}\n")).unwrap_err();
            assert_eq!(problems.len(), 1, "{url}");
            assert!(
                problems[0].contains("expected: https://host[:port][/prefix]")
                    && !problems[0].contains("canary"),
                "{problems:?}"
            );
        }
        for credential in [
            "sk-canary",
            "vault:",
            "env:A B",
            "vault:a/b",
            "VAULT:openai",
            "hashicorp:secret/openai",
            "hashicorp:secret#key",
            "hashicorp:secret/../sys#key",
            "hashicorp:secret/a?b#key",
        ] {
            let problems = read(&format!("openai: {{credential: '{credential}'}}\n")).unwrap_err();
            assert!(
                problems[0].contains("vault:NAME, env:VARIABLE, file:PATH, hashicorp:")
                    && !problems[0].contains("canary"),
                "{problems:?}"
            );
        }
        for name in ["echo", "v1", "Upper", "a b"] {
            assert_eq!(
                read(&format!(
                    "'{name}': {{api: openai, base_url: 'https://a.example'}}\n"
                ))
                .unwrap_err()
                .len(),
                1,
                "{name}"
            );
        }
        for path in ["files", "/", "/*", "/a*b", "/a?b"] {
            assert_eq!(
                read(&format!("openai: {{unscanned_paths: ['{path}']}}\n"))
                    .unwrap_err()
                    .len(),
                1,
                "{path}"
            );
        }
        assert!(read("openai: {unscanned_paths: [/v1/files, '/v1/files/*']}\n").is_ok());
    }
}
