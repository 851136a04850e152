//! All policies of a gateway: the embedded ones, and those of the policies folder, which win.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;

use crate::diagnostic::{Diagnostic, nearest};
use crate::judge::Judges;
use crate::limit::{PRICES_FILE, Prices};
use crate::policy::{self, Policy, Source};
use crate::scan::engine::Automata;

/// Policies by name.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Compiled and ready.
    pub by_name: BTreeMap<String, Arc<Policy>>,
    /// What is questionable but no error.
    pub warnings: Vec<Diagnostic>,
}

/// A policy file is smaller by far.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Reads and compiles all policies. `today` decides which exceptions have expired.
///
/// # Errors
///
/// Every problem of every policy.
pub fn policies(folder: Option<&Path>, today: Date) -> Result<Policies, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let sources = sources(folder, &mut problems);
    let policies = compile_all(&sources, sources.values(), today, &mut problems);
    if problems.is_empty() {
        Ok(policies)
    } else {
        Err(problems)
    }
}

/// Reads and compiles one policy; `from` is where its name was written.
///
/// # Errors
///
/// Every problem of the folder and of this policy, or that there is none of this name.
pub fn policy(
    folder: Option<&Path>,
    name: &str,
    from: &str,
    today: Date,
) -> Result<Policies, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let sources = sources(folder, &mut problems);
    match sources.get(name) {
        None => problems.push(unknown(name, from, sources.keys().map(String::as_str))),
        Some(source) => {
            let policies = compile_all(&sources, [source], today, &mut problems);
            if problems.is_empty() {
                return Ok(policies);
            }
        }
    }
    Err(problems)
}

/// Reads and compiles all policies of a folder, or only the given files beside the embedded policies and their own
/// neighbours; gives those that are right, and every problem.
pub fn check_policies(
    folder: Option<&Path>,
    files: &[PathBuf],
    today: Date,
) -> (Policies, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    if files.is_empty() {
        let sources = sources(folder, &mut problems);
        let policies = compile_all(&sources, sources.values(), today, &mut problems);
        return (policies, problems);
    }
    let mut all = Policies::default();
    for file in files {
        match source(file) {
            Ok(named) => {
                // A neighbour's problems are told only if this file extends it.
                let neighbours = sources(
                    file.parent().filter(|folder| folder.is_dir()),
                    &mut Vec::new(),
                );
                let policies = compile_all(&neighbours, [&named], today, &mut problems);
                all.by_name.extend(policies.by_name);
                all.warnings.extend(policies.warnings);
            }
            Err(problem) => problems.push(*problem),
        }
    }
    (all, problems)
}

/// The prices of models: those of the folder, or the embedded ones if it has none.
///
/// # Errors
///
/// Every problem of the file.
pub fn prices(folder: Option<&Path>) -> Result<Prices, Vec<Diagnostic>> {
    let path = folder.map(|folder| folder.join(PRICES_FILE));
    match path.filter(|path| path.exists()) {
        None => Prices::embedded(),
        Some(path) => {
            let source = source(&path).map_err(|problem| vec![*problem])?;
            Prices::parse(&source.file, &source.text)
        }
    }
}

/// Compiles `chosen`, which may extend any of `sources`.
fn compile_all<'s>(
    sources: &BTreeMap<String, Source>,
    chosen: impl IntoIterator<Item = &'s Source>,
    today: Date,
    problems: &mut Vec<Diagnostic>,
) -> Policies {
    let mut policies = Policies::default();
    let automata = Automata::default();
    for source in chosen {
        let load = |name: &str| sources.get(name).cloned();
        match policy::compile_with(source, load, &automata, today) {
            Ok((policy, warnings)) => {
                policies.warnings.extend(warnings);
                policies
                    .by_name
                    .insert(policy.name.clone(), Arc::new(policy));
            }
            // A problem of a policy that others extend is found once for each of them.
            Err(found) => {
                for problem in found {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
            }
        }
    }
    policies
}

impl Policies {
    /// Looks for the models that the policies want; optional ones that cannot be used are left out, with a warning.
    ///
    /// # Errors
    ///
    /// Every model that a policy cannot go on without.
    pub fn bind(&mut self, judges: &Judges) -> Result<(), Vec<Diagnostic>> {
        let mut problems = Vec::new();
        for policy in self.by_name.values_mut() {
            // Nobody else has one yet.
            let Some(policy) = Arc::get_mut(policy) else {
                continue;
            };
            match judges.bind(policy) {
                Ok(warnings) => self.warnings.extend(warnings),
                Err(found) => problems.extend(found),
            }
        }
        problems.dedup();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// The policy of a name.
    ///
    /// # Errors
    ///
    /// If there is none; `from` is where the name was written.
    pub fn find(&self, name: &str, from: &str) -> Result<Arc<Policy>, Vec<Diagnostic>> {
        if let Some(policy) = self.by_name.get(name) {
            return Ok(Arc::clone(policy));
        }
        Err(vec![unknown(
            name,
            from,
            self.by_name.keys().map(String::as_str),
        )])
    }
}

fn unknown<'k>(name: &str, from: &str, known: impl Iterator<Item = &'k str> + Clone) -> Diagnostic {
    let problem = Diagnostic::error(
        from,
        format!("there is no policy \"{}\"", name.escape_debug()),
    );
    let problem = problem.expected(known.clone().collect::<Vec<_>>().join(", "));
    match nearest(name, known) {
        Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
        None => problem.help("correct the name, or the folder (--policies)"),
    }
}

/// The texts of all policies by name.
fn sources(folder: Option<&Path>, problems: &mut Vec<Diagnostic>) -> BTreeMap<String, Source> {
    let mut sources: BTreeMap<String, Source> = policy::embedded()
        .into_iter()
        .map(|(name, text)| {
            let file = format!("(embedded) {name}.yaml");
            (
                name.to_owned(),
                Source {
                    name: name.to_owned(),
                    file,
                    text: text.to_owned(),
                },
            )
        })
        .collect();
    let Some(folder) = folder else { return sources };
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut paths: Vec<_> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
        Err(error) => {
            let problem = Diagnostic::error(
                folder.display().to_string(),
                format!("the folder of policies: {error}"),
            );
            problems.push(
                problem
                    .expected("a readable folder")
                    .help("correct --policies or the key \"policies\""),
            );
            return sources;
        }
    };
    paths.retain(|path| {
        path.extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
            && path.file_name().is_none_or(|name| name != PRICES_FILE)
    });
    paths.sort();
    let mut read: BTreeMap<String, Source> = BTreeMap::new();
    for path in &paths {
        match source(path) {
            Ok(source) => {
                if let Some(other) = read.insert(source.name.clone(), source) {
                    let problem = Diagnostic::error(
                        path.display().to_string(),
                        format!("{} has the same name", other.file),
                    );
                    problems.push(
                        problem
                            .expected("one file for each policy")
                            .help("remove one of the two"),
                    );
                }
            }
            Err(problem) => problems.push(*problem),
        }
    }
    sources.extend(read);
    sources
}

/// The text of one policy file.
///
/// # Errors
///
/// If it cannot be read as text.
fn source(path: &Path) -> Result<Source, Box<Diagnostic>> {
    let file = path.display().to_string();
    let problem = |found: String| {
        let problem = Diagnostic::error(&file, found);
        Box::new(problem.expected("a readable YAML file of at most 4 MiB"))
    };
    let size = fs::metadata(path)
        .map_err(|error| problem(format!("the policy cannot be read: {error}")))?
        .len();
    if size > MAX_FILE_BYTES {
        return Err(problem(format!("the file has {size} bytes")));
    }
    let text = fs::read_to_string(path)
        .map_err(|error| problem(format!("the policy cannot be read: {error}")))?;
    let name = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(Source { name, file, text })
}
