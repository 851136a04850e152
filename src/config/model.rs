//! `models:`: the operator's models, by the names that policies call them.

use std::path::Path;

use crate::document::{Fields, Key, Node, Reader, boolean, integer, list, map, number, text, word};
use crate::judge::{Judges, Limits, folder};
use crate::proxy::service::{self, Api};
use crate::scan::classifier::{Probability, Thresholds};
use crate::upstream::{Credential, Provider};

use super::Config;
use super::file::{path, set, span};
use super::provider::credential;

/// One model.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name in policies, metrics and the ids of its rules.
    pub name: String,
    /// How long it may take, and how much may wait for it.
    pub limits: Limits,
    /// Where it is.
    pub place: Place,
}

/// Where a model is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a folder, to be run here.
    Folder(folder::Config),
    /// Outside, to be asked over HTTP.
    Service(Box<service::Config>),
}

/// Reads the map of models.
pub(super) fn models(reader: &mut Reader, node: &Node, folder: &Path) -> Option<Vec<Model>> {
    let one = |reader: &mut Reader, key: &Key, node: &Node| model(reader, key, node, folder);
    let models = map(one)(reader, node)?;
    Some(models.into_iter().map(|(_, model)| model).collect())
}

fn model(reader: &mut Reader, key: &Key, node: &Node, folder: &Path) -> Option<Model> {
    let relative = |reader: &mut Reader, node: &Node| path(reader, node, folder);
    let mut fields = reader.fields(node)?;
    let kind = fields.optional("kind", word(&[("folder", false), ("http", true)]));
    let place = if kind == Some(true) {
        service(&mut fields, &key.name, folder).map(|service| Place::Service(Box::new(service)))
    } else {
        let place = fields.required("folder", relative);
        let library = fields.nullable("library", relative);
        place.map(|folder| Place::Folder(folder::Config { folder, library }))
    };
    let mut limits = Limits::default();
    set(&mut limits.deadline, fields.optional("deadline", span));
    set(
        &mut limits.queue,
        fields.optional("queue", integer(1..=65_536)),
    );
    set(
        &mut limits.threads,
        fields.optional("threads", integer(0..=1024)),
    );
    fields.finish();
    if let Some(Place::Service(service)) = &place
        && service.provider.base_url.starts_with("http://")
        && !service.provider.allow_private
    {
        let problem = reader.problem(node, format!("{} is spoken to without TLS", reader.path()));
        let problem = problem.expected("https://");
        reader.report(
            problem
                .help("write https://, or allow_private: true for a machine on your own network"),
        );
    }
    Some(Model {
        name: key.name.clone(),
        limits,
        place: place?,
    })
}

/// What is said of a service.
fn service(fields: &mut Fields<'_, '_>, name: &str, folder: &Path) -> Option<service::Config> {
    let url = fields.required("url", url);
    let chat = fields.required("api", word(&[("score", false), ("chat", true)]))?;
    let api = if chat {
        let model = fields.required("model", text);
        Api::Chat { model: model? }
    } else {
        let at = fields.optional("pointer", pointer);
        Api::Score {
            pointer: at.unwrap_or_else(|| "/score".to_owned()),
            labels: fields.optional("labels", list(text)).unwrap_or_default(),
        }
    };
    let from = |reader: &mut Reader, node: &Node| credential(reader, node, folder);
    let credential = fields.optional("credential", from);
    let allow_private = fields.optional("allow_private", boolean);
    let ca = fields.nullable("ca", |reader, node| path(reader, node, folder));
    let probability =
        |reader: &mut Reader, node: &Node| number(0.001..=1.0)(reader, node).map(Probability::new);
    let threshold = fields.optional("threshold", probability);
    let flag = fields.optional("flag", probability);
    let act = threshold.unwrap_or_else(|| Probability::new(0.8));
    let (base_url, path) = url?;
    Some(service::Config {
        provider: Provider {
            name: name.to_owned(),
            base_url,
            credential: credential.unwrap_or(Credential::None),
            allow_private: allow_private.unwrap_or(false),
            ca,
            ..Provider::default()
        },
        path,
        api,
        thresholds: Thresholds {
            flag: flag.unwrap_or_else(|| Probability::new(0.5)).min(act),
            act,
        },
    })
}

/// `https://host[:port]/path`, as its host and its path. What is wrong is named without repeating the value: it may hold a password.
fn url(reader: &mut Reader, node: &Node) -> Option<(String, String)> {
    let written = text(reader, node)?;
    let parsed: Option<http::Uri> = written.parse().ok();
    let plain = parsed.filter(|uri| {
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri
            .authority()
            .is_some_and(|host| !host.as_str().contains('@'));
        known && host && uri.query().is_none() && !written.contains('#')
    });
    let Some(uri) = plain else {
        let problem = reader.problem(node, format!("{} is no URL of a service", reader.path()));
        let problem = problem.expected("https://host[:port]/path, without a query or a user name");
        reader.report(problem.help("keep secrets in the vault: sluicegate vault set NAME"));
        return None;
    };
    let (scheme, host) = (uri.scheme_str()?, uri.authority()?);
    Some((format!("{scheme}://{host}"), uri.path().to_owned()))
}

/// A place in JSON (RFC 6901).
fn pointer(reader: &mut Reader, node: &Node) -> Option<String> {
    let written = text(reader, node)?;
    if written.is_empty() || written.starts_with('/') {
        return Some(written);
    }
    let problem = reader.problem(node, format!("{} is no JSON pointer", reader.path()));
    reader.report(problem.expected("a pointer such as /score or /results/0/score"));
    None
}

impl Model {
    /// Its settings in force: keys below its name, and values.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = match &self.place {
            Place::Folder(folder) => {
                let library = folder.library.as_deref();
                let library = library.map_or_else(|| "null".to_owned(), shown);
                vec![("folder", shown(&folder.folder)), ("library", library)]
            }
            Place::Service(service) => {
                let url = format!("{}{}", service.provider.base_url, service.path);
                vec![("kind", "http".to_owned()), ("url", url)]
            }
        };
        settings.extend([
            ("deadline", super::effective::duration(self.limits.deadline)),
            ("queue", self.limits.queue.to_string()),
            ("threads", self.limits.threads.to_string()),
        ]);
        settings
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Loads the models that run here. Blocks, for a second or so each. Services are only asked by a gateway, which adds them.
pub fn judges(config: &Config) -> Judges {
    let mut judges = Judges::default();
    for model in &config.models {
        match &model.place {
            Place::Folder(folder) => judges.load(&model.name, folder, model.limits),
            Place::Service(_) => judges.leave_out(&model.name),
        }
    }
    judges
}
