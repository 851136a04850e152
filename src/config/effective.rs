//! The configuration in force, setting by setting, each with where its value came from.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use crate::document::{Node, Value};
use crate::shared::Fail;
use crate::upstream::{Credential, Provider};

use super::file::FORMATS;
use super::limit::UNKNOWN;
use super::provider::FAMILIES;
use super::state::{OWNERS, UNKNOWN_IDS};
use super::{Config, Origin};

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The dotted key, `providers.openai.base_url`.
    pub key: String,
    /// The value as it would be written in YAML; never a secret, since settings hold none.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Notes the place of every value of the file, lists as a whole and item by item.
pub(super) fn places(file: &str, node: &Node, key: String, places: &mut HashMap<String, Origin>) {
    let join = |name: &str| {
        if key.is_empty() {
            name.to_owned()
        } else {
            format!("{key}.{name}")
        }
    };
    match &node.value {
        Value::Map(entries) => {
            for (name, value) in entries {
                self::places(file, value, join(&name.name), places);
            }
        }
        Value::Seq(items) => {
            for (index, item) in items.iter().enumerate() {
                self::places(file, item, format!("{key}[{index}]"), places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
    }
    if !key.is_empty() {
        let file = file.to_owned();
        places.insert(
            key,
            Origin::File {
                file,
                line: node.line,
                column: node.column,
            },
        );
    }
}

/// All settings, in the order of the example file.
pub(super) fn settings(config: &Config, origins: &HashMap<String, Origin>) -> Vec<Setting> {
    let mut list = List {
        origins,
        settings: Vec::new(),
    };
    list.add("listen", config.listen);
    list.add("insecure", config.insecure);
    list.add("admin", config.admin.listen);
    if !config.admin.hosts.is_empty() {
        list.add("admin.hosts", sequence(&config.admin.hosts));
    }
    list.add("data", config.data.display());
    let master = config.master_key_file.as_deref();
    list.add(
        "master_key_file",
        master.map_or_else(|| "null".to_owned(), shown),
    );
    let policies = config.policies.as_deref();
    list.add(
        "policies",
        policies.map_or_else(|| "(embedded)".to_owned(), shown),
    );
    list.add("policy", &config.policy);
    match &config.tls {
        None => list.add("tls", "null"),
        Some(tls) => {
            list.add("tls.cert", tls.cert.display());
            list.add("tls.key", tls.key.display());
            list.add(
                "tls.client_ca",
                tls.client_ca
                    .as_deref()
                    .map_or_else(|| "null".to_owned(), shown),
            );
        }
    }
    list.store(config);
    list.shared(config);
    list.hashicorp(config);
    for provider in &config.providers {
        list.provider(provider);
    }
    list.models(config);
    list.add("echo.chunk_chars", config.echo.chunk_chars);
    list.add("echo.pace", duration(config.echo.pace));
    for (index, route) in config.routes.iter().enumerate() {
        list.add(&format!("routes[{index}].model"), &route.model);
        list.add(
            &format!("routes[{index}].providers"),
            sequence(&route.providers),
        );
    }
    list.limits(config);
    list.add("threads", config.threads);
    let format = FORMATS
        .iter()
        .find(|(_, format)| *format == config.log.format);
    list.add("log.format", format.map_or("", |(name, _)| name));
    list.add("log.level", &config.log.filter);
    list.settings
}

struct List<'o> {
    origins: &'o HashMap<String, Origin>,
    settings: Vec<Setting>,
}

impl List<'_> {
    fn add(&mut self, key: &str, value: impl Display) {
        self.settings.push(Setting {
            key: key.to_owned(),
            value: value.to_string(),
            origin: self.origins.get(key).cloned().unwrap_or(Origin::Default),
        });
    }

    fn store(&mut self, config: &Config) {
        let store = &config.store;
        self.add("store", store.shown());
        let fail = if store.fail_closed { "closed" } else { "local" };
        self.add("store.fail", fail);
        let ca = store.ca.as_deref();
        self.add("store.ca", ca.map_or_else(|| "null".to_owned(), shown));
        self.stored_responses(config);
    }

    fn stored_responses(&mut self, config: &Config) {
        let stored = config.stored_responses;
        let word = |words: [(&'static str, bool); 2], value| {
            let found = words.into_iter().find(|(_, meant)| *meant == value);
            found.map_or("", |(word, _)| word)
        };
        let belong_to = word(OWNERS, stored.by_team);
        self.add("stored_responses.belong_to", belong_to);
        let unknown = word(UNKNOWN_IDS, stored.allow_unknown);
        self.add("stored_responses.unknown", unknown);
        self.add("stored_responses.keep", duration(stored.keep));
    }

    fn shared(&mut self, config: &Config) {
        let shared = config.shared.as_deref();
        // The rest may hold a password.
        let shown = match shared.and_then(|url| url.split_once("://")) {
            Some((scheme, _)) => format!("{scheme}://…"),
            None => "memory".to_owned(),
        };
        self.add("shared", shown);
        self.add("shared_deadline", duration(config.shared_deadline));
        self.fail("sessions.fail", config.sessions_fail);
    }

    fn fail(&mut self, key: &str, chosen: Fail) {
        let known = Fail::ALL.iter().find(|(_, fail)| *fail == chosen);
        self.add(key, known.map_or("", |(name, _)| name));
    }

    fn hashicorp(&mut self, config: &Config) {
        let Some(server) = &config.hashicorp else {
            return;
        };
        self.add("hashicorp.address", &server.address);
        let token = match &server.token {
            Credential::Environment(name) => format!("env:{name}"),
            Credential::File(path) => format!("file:{}", path.display()),
            Credential::None | Credential::Vault(_) | Credential::HashiCorp { .. } => String::new(),
        };
        self.add("hashicorp.token", token);
        let namespace = server.namespace.as_deref();
        self.add("hashicorp.namespace", namespace.unwrap_or("null"));
        let ca = server.ca.as_deref();
        self.add("hashicorp.ca", ca.map_or_else(|| "null".to_owned(), shown));
        self.add("hashicorp.refresh", duration(server.refresh));
    }

    fn provider(&mut self, provider: &Provider) {
        let key = |name: &str| format!("providers.{}.{name}", provider.name);
        let family = FAMILIES
            .iter()
            .find(|(_, family)| *family == provider.family);
        self.add(&key("api"), family.map_or("", |(name, _)| name));
        self.add(&key("base_url"), &provider.base_url);
        self.add(
            &key("credential"),
            match &provider.credential {
                Credential::None => "none".to_owned(),
                Credential::Vault(name) => format!("vault:{name}"),
                Credential::Environment(name) => format!("env:{name}"),
                Credential::File(path) => format!("file:{}", path.display()),
                Credential::HashiCorp { path, field } => format!("hashicorp:{path}#{field}"),
            },
        );
        let policy = provider.policy.as_deref();
        self.add(&key("policy"), policy.unwrap_or("null"));
        self.add(&key("allow_private"), provider.allow_private);
        self.add(
            &key("ca"),
            provider
                .ca
                .as_deref()
                .map_or_else(|| "null".to_owned(), shown),
        );
        self.add(&key("unscanned_paths"), sequence(&provider.unscanned_paths));
        self.add(
            &key("timeouts.connect"),
            duration(provider.timeouts.connect),
        );
        self.add(
            &key("timeouts.first_byte"),
            duration(provider.timeouts.first_byte),
        );
        self.add(
            &key("timeouts.between_chunks"),
            duration(provider.timeouts.between_chunks),
        );
        self.add(&key("timeouts.whole"), duration(provider.timeouts.whole));
        self.add(&key("max_idle"), provider.max_idle);
        self.add(&key("idle_timeout"), duration(provider.idle_timeout));
    }

    fn models(&mut self, config: &Config) {
        for model in &config.models {
            for (key, value) in model.settings() {
                self.add(&format!("models.{}.{key}", model.name), value);
            }
        }
    }

    fn limits(&mut self, config: &Config) {
        let limits = &config.limits;
        self.add("limits.max_header_bytes", bytes(limits.max_header_bytes));
        self.add("limits.max_headers", limits.max_headers);
        self.add("limits.max_body_bytes", bytes(limits.max_body_bytes));
        self.add(
            "limits.max_response_bytes",
            bytes(limits.max_response_bytes),
        );
        self.add(
            "limits.max_buffered_bytes",
            bytes(limits.max_buffered_bytes),
        );
        self.add("limits.max_connections", limits.max_connections);
        for (index, rule) in config.rules.0.iter().enumerate() {
            let key = |name: &str| format!("limits.rules[{index}].{name}");
            self.add(&key("scope"), rule.scope.name());
            self.add(&key("match"), &rule.pattern);
            self.add(&key("quota"), &rule.quota);
        }
        self.fail("limits.fail", config.fail);
        if config.patience.max_waiting == 0 {
            self.add("limits.queue", "null");
        } else {
            self.add("limits.queue.max_wait", duration(config.patience.max_wait));
            self.add("limits.queue.max_waiting", config.patience.max_waiting);
        }
        let unknown = UNKNOWN
            .iter()
            .find(|(_, free)| *free == config.budgets.unknown_is_free);
        self.add(
            "budgets.unknown_model",
            unknown.map_or("", |(name, _)| name),
        );
        self.add("budgets.output_tokens", config.budgets.output_tokens);
        let timeouts = &config.timeouts;
        self.add("timeouts.handshake", duration(timeouts.handshake));
        self.add("timeouts.head", duration(timeouts.head));
        self.add("timeouts.body", duration(timeouts.body));
        self.add("timeouts.write", duration(timeouts.write));
        let idle = duration(timeouts.realtime_idle);
        self.add("timeouts.realtime_idle", idle);
        self.add("timeouts.realtime", duration(timeouts.realtime));
        self.add("timeouts.drain", duration(timeouts.drain));
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A list in YAML's flow style.
fn sequence(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

/// In the largest unit that divides it, as [`crate::document::duration`] reads it.
pub(super) fn duration(value: Duration) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
        (1, "ms"),
    ];
    in_unit(value.as_millis(), &units)
}

/// In the largest unit that divides it, as [`crate::document::byte_size`] reads it.
fn bytes(value: usize) -> String {
    in_unit(
        value as u128,
        &[
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
            (1, ""),
        ],
    )
}

fn in_unit(value: u128, units: &[(u128, &str)]) -> String {
    let mut fitting = units.iter().filter(|(size, _)| value.is_multiple_of(*size));
    // Zero divides by all of them; it is written in the smallest.
    let unit = if value == 0 {
        fitting.next_back()
    } else {
        fitting.next()
    };
    unit.map_or_else(
        || value.to_string(),
        |(size, unit)| format!("{}{unit}", value / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{parse_byte_size, parse_duration};

    #[test]
    fn shows_values_as_they_are_written() {
        let times = [
            (0, "0ms"),
            (1, "1ms"),
            (1500, "1500ms"),
            (30_000, "30s"),
            (120_000, "2m"),
            (172_800_000, "2d"),
        ];
        for (milliseconds, text) in times {
            let time = Duration::from_millis(milliseconds);
            assert_eq!(
                (duration(time).as_str(), parse_duration(text)),
                (text, Some(time))
            );
        }
        for (size, text) in [
            (0, "0"),
            (1000, "1000"),
            (65536, "64KiB"),
            (32 << 20, "32MiB"),
            (1 << 30, "1GiB"),
        ] {
            assert_eq!(
                (bytes(size).as_str(), parse_byte_size(text)),
                (text, Some(size))
            );
        }
    }
}
