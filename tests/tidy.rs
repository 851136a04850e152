//! The rules of `docs/STYLE.md` and `docs/ARCHITECTURE.md` that a machine can hold.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// Rows of the house plan: a module imports only from rows above its own.
const ROWS: &[&[&str]] = &[
    &["diagnostic"],
    &["text", "document", "secret", "rate", "glob", "coding"],
    &["wire", "scan"],
    &["policy"],
    &["guard"],
    &["durable", "shared"],
    &[
        "auth",
        "kept",
        "limit",
        "vault",
        "audit",
        "judge",
        "telemetry",
    ],
    &["upstream", "store"],
    &["proxy", "admin", "echo"],
    &["config"],
    &["serve"],
    &["cli"],
];

/// Large dependencies and the only places that may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("aes_gcm", &["src/vault/cipher"]),
    ("aho_corasick", &["src/scan/"]),
    ("argon2", &["src/vault/cipher"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("decancer", &["src/text/"]),
    (
        "hyper",
        &["src/upstream/", "src/proxy/", "src/admin/", "src/echo/"],
    ),
    ("pingora_core", &["src/serve"]),
    ("pingora_limits", &["src/limit/"]),
    ("prometheus_client", &["src/telemetry/"]),
    ("rcgen", &["src/cli/certs.rs"]),
    ("regex_automata", &["src/scan/"]),
    ("deadpool_postgres", &["src/store/"]),
    ("redis", &["src/store/"]),
    ("rten", &["src/judge/runtime"]),
    ("rusqlite", &["src/store/"]),
    (
        "rustls",
        &["src/upstream/", "src/proxy/", "src/serve", "src/store/"],
    ),
    ("serde_yaml", &["src/document"]),
    ("tokenizers", &["src/judge/folder", "src/judge/settings"]),
    ("tokio_postgres", &["src/store/"]),
    ("tracing_subscriber", &["src/telemetry/"]),
];

const MAX_LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` with one of these endings, as paths relative to the root.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let made = ["target", "data", "node_modules", ".git", ".venv"];
                if !made.contains(&name.as_str()) {
                    walk(&path, endings, found);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    let folder = if folder == "." {
        root().to_owned()
    } else {
        root().join(folder)
    };
    if folder.is_dir() {
        walk(&folder, endings, &mut found);
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The code of a file without comments and without its test module, each line with its number.
fn code(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line))
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect()
}

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix("src").unwrap();
    let first = below.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn row_of(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// Names after `crate::` on a line, `crate::{a::b, c}` included.
fn imported(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let items: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split(',').collect(),
            None => vec![rest],
        };
        for item in items {
            let name: String = item
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if !name.is_empty() {
                names.push(name);
            }
        }
    }
    names
}

fn report(what: &str, problems: &[String]) {
    assert!(problems.is_empty(), "{what}:\n{}", problems.join("\n"));
}

#[test]
fn modules_import_only_from_rows_above() {
    let mut problems = Vec::new();
    for path in files("src", &[".rs"]) {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(row) = row_of(&module) else {
            problems.push(format!("{}: {module} has no row", path.display()));
            continue;
        };
        for (number, line) in code(&read(&path)) {
            for name in imported(line) {
                if name != module && row_of(&name).is_some_and(|other| other >= row) {
                    problems.push(format!(
                        "{}:{number}: {module} (row {row}) imports {name}",
                        path.display()
                    ));
                }
            }
        }
    }
    report("imports against the layers of docs/STYLE.md", &problems);
}

#[test]
fn pure_rows_do_no_input_or_output() {
    const UNWANTED: &[&str] = &[
        "std::fs",
        "std::net",
        "std::env",
        "std::time::SystemTime",
        "std::time::Instant",
        "tokio::",
        "async fn",
        "tracing::",
        "println!",
        "static mut",
        "thread_local!",
    ];
    let mut problems = Vec::new();
    for path in files("src", &[".rs"]) {
        if row_of(&module_of(&path)).is_none_or(|row| row > 4) {
            continue;
        }
        for (number, line) in code(&read(&path)) {
            for word in UNWANTED.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    report("rows 0 to 4 are pure", &problems);
}

#[test]
fn large_dependencies_have_one_owner() {
    let mut problems = Vec::new();
    for path in files("src", &[".rs"]) {
        for (number, line) in code(&read(&path)) {
            for (name, owners) in OWNERS {
                let named =
                    line.contains(&format!("{name}::")) || line.contains(&format!("use {name};"));
                let other =
                    line.contains(&format!("_{name}::")) || line.contains(&format!("::{name}::"));
                let owned = owners
                    .iter()
                    .any(|owner| path.to_string_lossy().starts_with(owner));
                if named && !other && !owned {
                    problems.push(format!(
                        "{}:{number}: names {name}, owned by {owners:?}",
                        path.display()
                    ));
                }
            }
        }
    }
    report("one part of the tree owns each large dependency", &problems);
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut problems = Vec::new();
    for path in files("src", &[".rs"]) {
        let text = read(&path);
        if !text.starts_with("//!") {
            problems.push(format!("{}: the first line is no `//!`", path.display()));
        }
        let lines = text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .count();
        if lines > MAX_LINES && !path.ends_with("tests.rs") {
            problems.push(format!(
                "{}: {lines} lines before its tests, at most {MAX_LINES}",
                path.display()
            ));
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["util", "utils", "common", "misc", "helpers", "manager"].contains(&name.as_str()) {
            problems.push(format!("{}: name the thing", path.display()));
        }
    }
    report("files", &problems);
}

#[test]
fn tests_are_honest() {
    // Spelled in parts, so that this file does not find itself.
    let unwanted = [
        concat!("#[ig", "nore"),
        concat!("#[should", "_panic"),
        concat!("thread::", "sleep("),
        concat!("todo", "!("),
        concat!("unimplem", "ented!("),
    ];
    let mut problems = Vec::new();
    for folder in ["src", "tests"] {
        for path in files(folder, &[".rs"]) {
            for (index, line) in read(&path).lines().enumerate() {
                for word in unwanted.iter().filter(|word| line.contains(**word)) {
                    problems.push(format!("{}:{}: {word}", path.display(), index + 1));
                }
            }
        }
    }
    report("no ignored tests, no sleeps, nothing left to do", &problems);
}

#[test]
fn only_guard_makes_cleared_bytes() {
    let mut problems = Vec::new();
    for path in files("src", &[".rs"]) {
        if path.starts_with("src/guard") {
            continue;
        }
        for (number, line) in code(&read(&path)) {
            if line.contains("Cleared(") && !line.contains("::Cleared(") {
                problems.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    report("`Cleared` is made in src/guard alone", &problems);
}

#[test]
fn documents_name_paths_that_exist() {
    const TOPS: &[&str] = &[
        "src/",
        "tests/",
        "docs/",
        "benches/",
        "policies/",
        "fuzz/",
        "deploy/",
    ];
    let mut problems = Vec::new();
    for path in files("docs", &[".md"])
        .into_iter()
        .chain([PathBuf::from("README.md")])
    {
        if path.ends_with("STYLE.md") {
            continue; // it names model codebases and parts of the tree still to come
        }
        for word in read(&path).split(|c: char| c.is_whitespace() || "`()[],;\"'|*".contains(c)) {
            let word = word.trim_end_matches(['.', ':', '/']);
            let ours = TOPS.iter().any(|top| word.starts_with(top));
            // `team` and `NAME` stand for a user's own.
            let pattern = word.contains(['{', '<', '*', '$', '#'])
                || word.contains("NAME")
                || word.contains("team");
            if ours && !pattern && !root().join(word).exists() {
                problems.push(format!("{}: {word} does not exist", path.display()));
            }
        }
    }
    report("paths in documents", &problems);
}

#[test]
fn pitfalls_have_tests_that_exist() {
    let mut problems = Vec::new();
    let table = read(Path::new("tests/pitfalls.txt"));
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ').skip(1);
        let (Some(file), Some(test)) = (words.next(), words.next()) else {
            problems.push(format!("{line}: no file and test"));
            continue;
        };
        if !root().join(file).exists() || !read(Path::new(file)).contains(&format!("fn {test}(")) {
            problems.push(format!("{line}: there is no such test"));
        }
    }
    report("tests/pitfalls.txt", &problems);
}

#[test]
fn nothing_names_a_machine() {
    const ENDINGS: &[&str] = &[
        ".rs",
        ".md",
        ".yaml",
        ".yml",
        ".toml",
        ".sh",
        ".py",
        ".mjs",
        ".js",
        "Makefile",
        "Dockerfile",
    ];
    let unwanted = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/tmp/", "wt"),
    ];
    let mut problems = Vec::new();
    for path in files(".", ENDINGS) {
        for (index, line) in read(&path).lines().enumerate() {
            for word in unwanted.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{}:{}: {word}", path.display(), index + 1));
            }
        }
    }
    report("no absolute machine paths", &problems);
}
