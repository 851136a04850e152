//! Where keys are kept, and whose the answers are that providers keep, as written: `store` and `stored_responses`.

use std::env;
use std::fs;
use std::path::Path;

use crate::document::{Node, Reader, text, word};
use crate::kept;
use crate::secret::Secret;
use crate::store;

use super::file::{path, set, span};

/// A URL, or a map with more.
pub(super) fn store(reader: &mut Reader, node: &Node, folder: &Path) -> Option<store::Config> {
    const CHOICES: &str =
        "sqlite, postgres://USER:PASSWORD@HOST/DATABASE, env:VARIABLE or file:PATH";
    const FAILS: [(&str, bool); 2] = [("closed", true), ("local", false)];
    let known = |url: &str| url == "sqlite" || has_scheme(url, &["postgres", "postgresql"]);
    let read = |reader: &mut Reader, node: &Node| url(reader, node, folder, known, CHOICES);
    reader.short_or_map(
        node,
        |reader, node| {
            let url = read(reader, node)?;
            let default = store::Config::default();
            Some(store::Config { url, ..default })
        },
        |reader, node| {
            let relative = |reader: &mut Reader, node: &Node| path(reader, node, folder);
            let mut fields = reader.fields(node)?;
            let url = fields.required("url", read);
            let ca = fields.nullable("ca", relative);
            let fail_closed = fields.optional("fail", word(&FAILS));
            fields.finish();
            Some(store::Config {
                url: url?,
                ca,
                fail_closed: fail_closed.unwrap_or(true),
            })
        },
    )
}

/// Who shares what a key made in YAML; whether it is the team.
pub(super) const OWNERS: [(&str, bool); 2] = [("key", false), ("team", true)];
/// What becomes of ids that this gateway has not seen, in YAML; whether they are allowed.
pub(super) const UNKNOWN_IDS: [(&str, bool); 2] = [("block", false), ("allow", true)];

pub(super) fn stored_responses(
    reader: &mut Reader,
    node: &Node,
    config: &mut kept::Config,
) -> Option<()> {
    let mut fields = reader.fields(node)?;
    let by_team = fields.optional("belong_to", word(&OWNERS));
    set(&mut config.by_team, by_team);
    let allow = fields.optional("unknown", word(&UNKNOWN_IDS));
    set(&mut config.allow_unknown, allow);
    set(&mut config.keep, fields.optional("keep", span));
    fields.finish();
    Some(())
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    url.split_once("://")
        .is_some_and(|(scheme, _)| schemes.contains(&scheme))
}

/// A URL as it stands, or from where `env:` or `file:` says. It is never repeated: it may hold a password.
fn url(
    reader: &mut Reader,
    node: &Node,
    folder: &Path,
    known: fn(&str) -> bool,
    choices: &str,
) -> Option<Secret> {
    let written = text(reader, node)?;
    let (found, help) = match written.split_once(':') {
        Some(("env", name)) => (
            env::var(name).map_err(|_| format!("the variable {name} is not set")),
            format!("export {name}"),
        ),
        Some(("file", name)) => {
            let read = fs::read_to_string(folder.join(name));
            (
                read.map_err(|error| format!("{name} cannot be read: {error}")),
                "write the URL into the file".to_owned(),
            )
        }
        _ => (
            Ok(written.clone()),
            "correct it, or leave the key out".to_owned(),
        ),
    };
    let problem = match found.map(Secret::new) {
        Ok(url) if known(url.expose()) => return Some(url),
        Ok(_) => format!("{} is none of the known choices", reader.path()),
        Err(problem) => format!("{}: {problem}", reader.path()),
    };
    let problem = reader.problem(node, problem).expected(choices);
    reader.report(problem.help(help));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, file};

    fn read(yaml: &str, folder: &Path) -> Result<store::Config, String> {
        let mut config = Config::default();
        match file::read("x.yaml", yaml, folder, &mut config) {
            Ok(_) => Ok(config.store),
            Err(problems) => Err(format!("{problems:?}")),
        }
    }

    #[test]
    fn a_store_is_named_shortly_or_at_length() {
        let folder = tempfile::tempdir().unwrap();
        let url = "postgres://user:hunter2@host/db";
        fs::write(folder.path().join("url"), format!("{url}\n")).unwrap();
        let read = |yaml: &str| read(yaml, folder.path());
        assert_eq!(read("store: sqlite"), Ok(store::Config::default()));
        for yaml in [format!("store: {url}"), "store: file:url".to_owned()] {
            let store = read(&yaml).unwrap();
            assert_eq!(store.url, Secret::new(url));
            assert!(store.fail_closed);
            assert_eq!(store.shown(), "postgres://host");
        }
        let store = read("store: {url: file:url, ca: ca.pem, fail: local}").unwrap();
        assert!(!store.fail_closed);
        assert_eq!(store.ca, Some(folder.path().join("ca.pem")));
    }

    #[test]
    fn what_is_no_store_is_told_without_its_password() {
        for yaml in [
            "store: mysql://user:hunter2@host/db",
            "store: redis://:hunter2@host",
            "store: hunter2",
            "store: file:missing",
            "store: env:SLUICEGATE_NO_SUCH_VARIABLE",
            "store: {fail: local}",
            "store: {url: sqlite, fail: open}",
        ] {
            let problem = read(yaml, Path::new("/nowhere")).unwrap_err();
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }
}
