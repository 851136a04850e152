//! Where keys are kept, as written: `store`.

use std::env;
use std::fs;
use std::path::Path;

use crate::document::{self, Node, Reader, text, word};
use crate::secret::Secret;
use crate::store;

use super::file::{path, set};

/// A URL, or a map with more.
pub(super) fn store(
    reader: &mut Reader,
    node: &Node,
    folder: &Path,
    store: &mut store::Config,
) -> Option<()> {
    const CHOICES: &str =
        "sqlite, postgres://USER:PASSWORD@HOST/DATABASE, env:VARIABLE or file:PATH";
    const FAILS: [(&str, bool); 2] = [("closed", true), ("local", false)];
    let known = |url: &str| url == "sqlite" || has_scheme(url, &["postgres", "postgresql"]);
    let read = |reader: &mut Reader, node: &Node| url(reader, node, folder, known, CHOICES);
    if !matches!(node.value, document::Value::Map(_)) {
        set(&mut store.url, read(reader, node));
        return Some(());
    }
    let relative = |reader: &mut Reader, node: &Node| path(reader, node, folder);
    let mut fields = reader.fields(node)?;
    set(&mut store.url, fields.required("url", read));
    store.ca = fields.nullable("ca", relative);
    set(
        &mut store.fail_closed,
        fields.optional("fail", word(&FAILS)),
    );
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
