//! The server file as written: one small function a section.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::document::{
    self, Fields, Node, Reader, Shape, boolean, byte_size, duration, integer, list, text, word,
};
use crate::shared::Fail;
use crate::{admin, echo, proxy, telemetry};

use super::{Config, limit, model, parse_address, provider, state};

/// Reads the file's text into `config`, and gives warnings. Paths are relative to `folder`.
///
/// # Errors
///
/// Every problem in the file.
pub(super) fn read(
    file: &str,
    text: &str,
    folder: &Path,
    config: &mut Config,
) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let root = document::parse(file, text)?;
    let mut reader = Reader::new(file);
    let read = sections(&mut reader, &root, folder, config);
    reader.finish(read).map(|((), warnings)| warnings)
}

/// What the server file may hold.
pub(super) fn outline() -> Shape {
    let mut config = Config::default();
    Shape::of(|reader, node| sections(reader, node, Path::new(""), &mut config))
}

/// Puts a value that was read in the place of the default.
pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn sections(reader: &mut Reader, root: &Node, folder: &Path, config: &mut Config) -> Option<()> {
    let mut fields = reader.fields(root)?;
    set(&mut config.listen, fields.optional("listen", address));
    set(&mut config.insecure, fields.optional("insecure", boolean));
    fields.optional("admin", |reader, node| {
        operator(reader, node, &mut config.admin)
    });
    let relative = |reader: &mut Reader, node: &Node| path(reader, node, folder);
    set(&mut config.data, fields.optional("data", relative));
    config.master_key_file = fields.optional("master_key_file", relative);
    config.policies = fields.optional("policies", relative);
    set(&mut config.policy, fields.optional("policy", text));
    config.tls = fields.nullable("tls", |reader, node| tls(reader, node, folder));
    set(
        &mut config.store,
        fields.optional("store", |reader, node| state::store(reader, node, folder)),
    );
    fields.optional("stored_responses", |reader, node| {
        state::stored_responses(reader, node, &mut config.stored_responses)
    });
    together(&mut fields, config);
    config.hashicorp = fields.nullable("hashicorp", |reader, node| {
        provider::hashicorp(reader, node, folder)
    });
    fields.optional("providers", |reader, node| {
        provider::providers(reader, node, folder, &mut config.providers)
    });
    set(
        &mut config.models,
        fields.optional("models", |reader, node| model::models(reader, node, folder)),
    );
    fields.optional("echo", |reader, node| {
        built_in(reader, node, &mut config.echo)
    });
    if let Some(routes) = fields.optional("routes", list(provider::route)) {
        // The file's routes come first; the built-in one for `echo*` stays behind them.
        config.routes.splice(0..0, routes);
    }
    fields.optional("limits", |reader, node| limits(reader, node, config));
    fields.optional("budgets", |reader, node| {
        limit::budgets(reader, node, &mut config.budgets)
    });
    fields.optional("timeouts", |reader, node| {
        timeouts(reader, node, &mut config.timeouts)
    });
    set(
        &mut config.threads,
        fields.optional("threads", integer(0..=1024)),
    );
    fields.optional("log", |reader, node| log(reader, node, &mut config.log));
    fields.finish();
    Some(())
}

/// `ADDRESS:PORT`.
fn address(reader: &mut Reader, node: &Node) -> Option<SocketAddr> {
    let written = text(reader, node)?;
    if let Ok(address) = parse_address(&written) {
        return Some(address);
    }
    let problem = reader.problem(node, format!("{} is no address with a port", reader.path()));
    reader.report(
        problem.expected("an address and a port, such as 127.0.0.1:8080 or \"[::1]:8080\""),
    );
    None
}

/// A path, relative to the file's folder.
pub(super) fn path(reader: &mut Reader, node: &Node, folder: &Path) -> Option<PathBuf> {
    text(reader, node).map(|written| folder.join(written))
}

/// The operator's listener: its address, or a map with more.
fn operator(reader: &mut Reader, node: &Node, admin: &mut admin::Config) -> Option<()> {
    let (listen, hosts) = reader.short_or_map(
        node,
        |reader, node| Some((address(reader, node), None)),
        |reader, node| {
            let mut fields = reader.fields(node)?;
            let listen = fields.optional("listen", address);
            let hosts = fields.optional("hosts", list(text));
            fields.finish();
            Some((listen, hosts))
        },
    )?;
    set(&mut admin.listen, listen);
    set(&mut admin.hosts, hosts);
    Some(())
}

fn tls(reader: &mut Reader, node: &Node, folder: &Path) -> Option<proxy::tls::Config> {
    let relative = |reader: &mut Reader, node: &Node| path(reader, node, folder);
    let mut fields = reader.fields(node)?;
    let cert = fields.required("cert", relative);
    let key = fields.required("key", relative);
    let client_ca = fields.nullable("client_ca", relative);
    fields.finish();
    Some(proxy::tls::Config {
        cert: cert?,
        key: key?,
        client_ca,
    })
}

fn built_in(reader: &mut Reader, node: &Node, echo: &mut echo::Config) -> Option<()> {
    let mut fields = reader.fields(node)?;
    set(
        &mut echo.chunk_chars,
        fields.optional("chunk_chars", integer(1..=100_000)),
    );
    set(&mut echo.pace, fields.optional("pace", duration));
    fields.finish();
    Some(())
}

/// The names of log formats in YAML.
pub(super) const FORMATS: [(&str, telemetry::Format); 2] = [
    ("text", telemetry::Format::Text),
    ("json", telemetry::Format::Json),
];

fn log(reader: &mut Reader, node: &Node, log: &mut telemetry::Config) -> Option<()> {
    const LEVELS: [(&str, &str); 5] = [
        ("error", "error"),
        ("warn", "warn"),
        ("info", "info"),
        ("debug", "debug"),
        ("trace", "trace"),
    ];
    let mut fields = reader.fields(node)?;
    set(&mut log.format, fields.optional("format", word(&FORMATS)));
    if let Some(level) = fields.optional("level", word(&LEVELS)) {
        level.clone_into(&mut log.filter);
    }
    fields.finish();
    Some(())
}

/// Where limits are counted: `memory`, or the URL of Redis or Valkey, which is not repeated because it may hold a password.
#[expect(
    clippy::option_option,
    reason = "whether it could be read, and whether there is a URL"
)]
fn shared(reader: &mut Reader, node: &Node) -> Option<Option<String>> {
    let written = text(reader, node)?;
    let scheme = written.split_once("://").map(|(scheme, _)| scheme);
    if matches!(scheme, Some("redis" | "rediss" | "valkey" | "valkeys")) {
        return Some(Some(written));
    }
    if written == "memory" {
        return Some(None);
    }
    let problem = reader.problem(
        node,
        format!("{} is none of the known choices", reader.path()),
    );
    reader.report(problem.expected("memory, or redis://HOST:PORT"));
    None
}

fn limits(reader: &mut Reader, node: &Node, config: &mut Config) -> Option<()> {
    let mut fields = reader.fields(node)?;
    set(
        &mut config.rules.0,
        fields.optional("rules", list(limit::rule)),
    );
    set(&mut config.fail, fields.optional("fail", word(&Fail::ALL)));
    let queue = fields.nullable("queue", limit::patience);
    config.patience = queue.unwrap_or_default();
    let limits = &mut config.limits;
    set(
        &mut limits.max_header_bytes,
        fields.optional("max_header_bytes", size),
    );
    set(
        &mut limits.max_headers,
        fields.optional("max_headers", integer(8..=10_000)),
    );
    set(
        &mut limits.max_body_bytes,
        fields.optional("max_body_bytes", size),
    );
    set(
        &mut limits.max_response_bytes,
        fields.optional("max_response_bytes", size),
    );
    set(
        &mut limits.max_buffered_bytes,
        fields.optional("max_buffered_bytes", size),
    );
    set(
        &mut limits.max_connections,
        fields.optional("max_connections", integer(1..=1_000_000)),
    );
    fields.finish();
    Some(())
}

/// A number of bytes large enough to be of use.
fn size(reader: &mut Reader, node: &Node) -> Option<usize> {
    const LEAST: usize = 1024;
    let bytes = byte_size(reader, node)?;
    if bytes >= LEAST {
        return Some(bytes);
    }
    let problem = reader.problem(node, format!("{} is {bytes}", reader.path()));
    reader.report(problem.expected(format!("at least {LEAST}")));
    None
}

/// Where gateways count together, and what they do without it.
fn together(fields: &mut Fields<'_, '_>, config: &mut Config) {
    config.shared = fields.optional("shared", shared).flatten();
    set(
        &mut config.shared_deadline,
        fields.optional("shared_deadline", span),
    );
    fields.optional("sessions", |reader, node| {
        let mut fields = reader.fields(node)?;
        set(
            &mut config.sessions_fail,
            fields.optional("fail", word(&Fail::ALL)),
        );
        fields.finish();
        Some(())
    });
}

/// A span of time that is not zero: nothing could be done within it.
pub(super) fn span(reader: &mut Reader, node: &Node) -> Option<Duration> {
    let span = duration(reader, node)?;
    if !span.is_zero() {
        return Some(span);
    }
    let problem = reader.problem(node, format!("{} is zero", reader.path()));
    reader.report(problem.expected("a span of time above zero"));
    None
}

fn timeouts(reader: &mut Reader, node: &Node, timeouts: &mut proxy::Timeouts) -> Option<()> {
    let mut fields = reader.fields(node)?;
    set(&mut timeouts.handshake, fields.optional("handshake", span));
    set(&mut timeouts.head, fields.optional("head", span));
    set(&mut timeouts.body, fields.optional("body", span));
    set(&mut timeouts.write, fields.optional("write", span));
    let idle = fields.optional("realtime_idle", span);
    set(&mut timeouts.realtime_idle, idle);
    set(&mut timeouts.realtime, fields.optional("realtime", span));
    set(&mut timeouts.drain, fields.optional("drain", span));
    fields.finish();
    Some(())
}
