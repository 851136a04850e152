//! What can only be judged when all settings are known: files that must exist, names that must match, addresses that need TLS.

use std::env;
use std::fs;
use std::path::Path;

use crate::diagnostic::{Diagnostic, nearest};
use crate::upstream::{Credential, Provider};

use super::{Loaded, Origin, provider::ECHO};

/// Every problem of the settings taken together.
pub(super) fn check(loaded: &Loaded) -> Vec<Diagnostic> {
    let checker = Checker { loaded };
    let mut problems = Vec::new();
    checker.listeners(&mut problems);
    checker.files(&mut problems);
    checker.routes(&mut problems);
    for provider in &loaded.config.providers {
        checker.provider(provider, &mut problems);
    }
    problems
}

struct Checker<'l> {
    loaded: &'l Loaded,
}

impl Checker<'_> {
    /// A problem at the place where the setting came from.
    fn problem(&self, key: &str, found: String) -> Diagnostic {
        match self.loaded.origins.get(key) {
            Some(Origin::File { file, line, column }) => {
                Diagnostic::error(file, found).at(*line, *column)
            }
            Some(Origin::Environment(name) | Origin::Flag(name)) => Diagnostic::error(*name, found),
            Some(Origin::Default) | None => Diagnostic::error(key, found),
        }
    }

    /// Keys and prompts must not cross a network in the clear unless somebody said so.
    fn listeners(&self, problems: &mut Vec<Diagnostic>) {
        let config = &self.loaded.config;
        if !config.listen.ip().is_loopback() && config.tls.is_none() && !config.insecure {
            let found = format!("listening on {} without TLS", config.listen);
            let problem = self
                .problem("listen", found)
                .expected("a loopback address, or TLS");
            problems.push(
                problem.help(
                    "set tls (sluicegate certs makes a certificate to try), or say --insecure",
                ),
            );
        }
        if !config.admin.listen.ip().is_loopback() && !config.insecure {
            let found = format!(
                "the operator's address {} can be reached from the network",
                config.admin.listen
            );
            let problem = self.problem("admin", found).expected("a loopback address");
            problems.push(problem.help("reach it through a tunnel, or say --insecure"));
        }
    }

    fn files(&self, problems: &mut Vec<Diagnostic>) {
        let config = &self.loaded.config;
        if let Some(policies) = &config.policies
            && !policies.is_dir()
        {
            let found = format!("no folder {}", policies.display());
            let problem = self
                .problem("policies", found)
                .expected("a folder of policies");
            problems.push(
                problem.help("correct the path, or leave it out to use the embedded policies"),
            );
        }
        if config.data.exists() && !config.data.is_dir() {
            let found = format!("{} is no folder", config.data.display());
            problems.push(
                self.problem("data", found)
                    .expected("a folder, which may be missing still"),
            );
        }
        if let Some(tls) = &config.tls {
            let help = "sluicegate certs makes a certificate to try";
            self.readable("tls.cert", &tls.cert, help, problems);
            self.readable("tls.key", &tls.key, help, problems);
            if let Some(client_ca) = &tls.client_ca {
                self.readable("tls.client_ca", client_ca, "correct the path", problems);
            }
        }
    }

    fn readable(&self, key: &str, path: &Path, help: &str, problems: &mut Vec<Diagnostic>) {
        if let Err(error) = fs::File::open(path) {
            let found = format!("{key}: cannot read {}: {error}", path.display());
            problems.push(
                self.problem(key, found)
                    .expected("a readable file")
                    .help(help),
            );
        }
    }

    fn provider(&self, provider: &Provider, problems: &mut Vec<Diagnostic>) {
        let key = |name: &str| format!("providers.{}.{name}", provider.name);
        if provider.base_url.starts_with("http://") && !provider.allow_private {
            let found = format!("provider {} is spoken to without TLS", provider.name);
            let problem = self.problem(&key("base_url"), found).expected("https://");
            problems.push(
                problem.help(
                    "write https://, or allow_private: true for a machine on your own network",
                ),
            );
        }
        if let Some(ca) = &provider.ca {
            self.readable(&key("ca"), ca, "correct the path", problems);
        }
        match &provider.credential {
            Credential::Environment(name)
                if env::var_os(name).is_none_or(|value| value.is_empty()) =>
            {
                let found = format!("provider {}: the variable {name} is not set", provider.name);
                let problem = self
                    .problem(&key("credential"), found)
                    .expected("a credential in it");
                problems
                    .push(problem.help(format!("export {name}, or use vault:{}", provider.name)));
            }
            Credential::File(path) => {
                self.readable(&key("credential"), path, "correct the path", problems);
            }
            Credential::HashiCorp { .. } if self.loaded.config.hashicorp.is_none() => {
                let found = format!(
                    "provider {}: the server file has no section hashicorp",
                    provider.name
                );
                let problem = self.problem(&key("credential"), found);
                problems.push(problem.expected("where HashiCorp Vault is").help(
                    "add hashicorp: {address: https://vault.example:8200, token: env:VAULT_TOKEN}",
                ));
            }
            Credential::Environment(_)
            | Credential::Vault(_)
            | Credential::HashiCorp { .. }
            | Credential::None => {}
        }
    }

    fn routes(&self, problems: &mut Vec<Diagnostic>) {
        let config = &self.loaded.config;
        let known = || {
            config
                .providers
                .iter()
                .map(|provider| provider.name.as_str())
                .chain([ECHO])
        };
        for (index, route) in config.routes.iter().enumerate() {
            let model = format!("routes[{index}].model");
            let providers = format!("routes[{index}].providers");
            if route.model.is_empty() {
                problems.push(
                    self.problem(&model, "an empty model name".to_owned())
                        .expected("a name such as \"gpt-*\""),
                );
            }
            if route.providers.is_empty() {
                let found = format!("the route of {} names no provider", route.model);
                problems.push(
                    self.problem(&providers, found)
                        .expected("one provider or more"),
                );
            }
            for (place, name) in route.providers.iter().enumerate() {
                if known().any(|provider| provider == name) {
                    continue;
                }
                let found = format!(
                    "the route of {} names a provider that there is not",
                    route.model
                );
                let all: Vec<&str> = known().collect();
                let mut problem = self
                    .problem(&format!("{providers}[{place}]"), found)
                    .expected(all.join(", "));
                if let Some(meant) = nearest(name, known()) {
                    problem = problem.help(format!("did you mean \"{meant}\"?"));
                }
                problems.push(problem);
            }
        }
    }
}
