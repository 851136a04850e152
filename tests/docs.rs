//! What the documents say to type, write and build: command lines parse, YAML is accepted, the example says the defaults, and
//! the Dockerfile keeps its promises. What README's curl and SDK lines do is tried in `tests/e2e/readme.rs`.
#![expect(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sluicegate::document::{Node, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The program in an empty folder, without our environment's settings.
fn sluicegate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicegate"));
    command
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("SLUICEGATE_CONFIG")
        .env_remove("SLUICEGATE_DATA");
    command
}

/// A fenced block of a document.
struct Block {
    place: String,
    language: String,
    text: String,
}

/// All fenced blocks of README.md and docs/*.md.
fn blocks() -> Vec<Block> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "md"));
    paths.push(root().join("README.md"));
    paths.sort();
    let mut blocks = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open.as_mut()) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(language), None) => {
                    let place = format!("{name}:{}", index + 1);
                    open = Some(Block {
                        place,
                        language: language.trim().to_owned(),
                        text: String::new(),
                    });
                }
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block is not closed");
    }
    blocks
}

/// The command lines of shell blocks, lines that go on joined, cut at pipes.
fn command_lines() -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for block in blocks()
        .into_iter()
        .filter(|block| ["sh", "bash", "console"].contains(&block.language.as_str()))
    {
        for line in block.text.replace("\\\n", " ").lines() {
            for part in line.split(['|', ';', '&']) {
                let part = part
                    .trim()
                    .trim_start_matches("$ ")
                    .trim_start_matches("./target/release/");
                let part = part.split(" #").next().unwrap_or(part).trim();
                lines.push((block.place.clone(), part.to_owned()));
            }
        }
    }
    lines
}

#[test]
fn command_lines_parse() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for (place, line) in command_lines() {
        let Some(arguments) = line.strip_prefix("sluicegate ") else {
            continue;
        };
        seen += 1;
        // Help is printed only if all that comes before it is understood.
        let words = shlex::split(arguments).unwrap_or_default();
        let words = words
            .into_iter()
            .take_while(|word| !word.starts_with(['>', '<']));
        let output = sluicegate(folder.path())
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{place}: {line}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(seen > 0, "no document has a command line");
}

#[test]
fn make_targets_exist() {
    let makefile = read("Makefile");
    for (place, line) in command_lines() {
        let Some(targets) = line.strip_prefix("make ") else {
            continue;
        };
        for target in targets
            .split_whitespace()
            .filter(|word| !word.contains('='))
        {
            assert!(
                makefile
                    .lines()
                    .any(|line| line.starts_with(&format!("{target}:"))),
                "{place}: make {target}"
            );
        }
    }
}

#[test]
fn yaml_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    for block in blocks()
        .into_iter()
        .filter(|block| block.language == "yaml")
    {
        // A block that begins with the name of a file is the whole of one; others are parts.
        let Some(name) = block
            .text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "))
        else {
            continue;
        };
        let name = name.split_whitespace().next().unwrap_or(name);
        if Path::new(name).extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let file = folder.path().join(Path::new(name).file_name().unwrap());
        fs::write(&file, &block.text).unwrap();
        let output = sluicegate(folder.path())
            .arg("check")
            .arg(&file)
            .output()
            .unwrap();
        let problems = String::from_utf8_lossy(&output.stderr);
        // Certificates and the like that only the reader's machine has are no fault of the document.
        let faults = problems
            .lines()
            .filter(|line| !line.starts_with(' ') && !line.contains("cannot read"))
            .count();
        assert_eq!(faults, 0, "{}\n{problems}", block.place);
        fs::remove_file(file).unwrap();
    }
}

/// Settings by key, with where they came from.
fn settings(folder: &Path, arguments: &[&str]) -> Vec<(String, String, String)> {
    let output = sluicegate(folder)
        .args(["config", "--json"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let settings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    settings
        .iter()
        .map(|setting| {
            (
                text(&setting["key"]),
                text(&setting["value"]),
                text(&setting["from"]),
            )
        })
        .collect()
}

#[test]
fn the_example_says_every_default() {
    // Defaults that an example cannot repeat: what the file's folder or the reader's choice decides.
    const OTHER: [&str; 4] = ["data", "policies", "tls", "master_key_file"];
    let folder = tempfile::tempdir().unwrap();
    let text = read("docs/sluicegate.example.yaml");
    fs::write(folder.path().join("example.yaml"), &text).unwrap();
    let defaults = settings(folder.path(), &[]);
    let example = settings(folder.path(), &["--config", "example.yaml"]);
    for (key, value, _) in &defaults {
        if OTHER.contains(&key.as_str()) {
            assert!(
                text.lines().any(|line| line
                    .trim_start_matches("# ")
                    .starts_with(&format!("{key}:"))),
                "{key} is missing"
            );
            continue;
        }
        if key.starts_with("routes[") {
            continue;
        }
        let (_, written, from) = example.iter().find(|(known, ..)| known == key).unwrap();
        assert_eq!(written, value, "{key}");
        let elsewhere =
            key.starts_with("providers.anthropic") || key.starts_with("providers.gemini");
        assert!(
            elsewhere || key == "admin" || from.starts_with("example.yaml"),
            "{key} is not in the example"
        );
    }
    // With the lines that are commented out it is accepted too.
    let whole: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting)
                if OTHER
                    .iter()
                    .any(|key| setting.starts_with(&format!("{key}:"))) =>
            {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(folder.path().join("example.yaml"), whole).unwrap();
    let output = sluicegate(folder.path())
        .args(["config", "--config", "example.yaml"])
        .output()
        .unwrap();
    let problems = String::from_utf8_lossy(&output.stderr);
    let unknown = problems
        .lines()
        .filter(|line| line.starts_with("example.yaml") && line.contains("unknown"));
    assert_eq!(unknown.count(), 0, "{problems}");
}

#[test]
fn the_image_is_small_and_unprivileged() {
    let dockerfile = read("Dockerfile");
    let instructions: Vec<&str> = dockerfile
        .lines()
        .filter(|line| !line.starts_with(['#', ' ']) && !line.is_empty())
        .collect();
    let last_stage = instructions
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .unwrap();
    assert!(last_stage > 0, "one stage would ship the compiler");
    let (build, shipped) = instructions.split_at(last_stage);
    let rust = read("Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap()
        .trim_matches('"')
        .to_owned();
    assert!(
        build
            .iter()
            .any(|line| line.starts_with(&format!("FROM rust:{rust}"))),
        "the compiler is not Rust {rust}"
    );
    let user = shipped
        .iter()
        .rfind(|line| line.starts_with("USER "))
        .expect("a USER");
    let id: u32 = user
        .trim_start_matches("USER ")
        .split(':')
        .next()
        .unwrap()
        .parse()
        .expect("a numeric user, for runAsNonRoot");
    assert_ne!(id, 0);
    assert!(
        !shipped.iter().any(|line| line.starts_with("RUN ")),
        "there is no shell to run anything"
    );
    for word in ["SECRET", "PASSWORD", "TOKEN", "MASTER_KEY"] {
        let set = instructions.iter().any(|line| {
            (line.starts_with("ENV ") || line.starts_with("ARG ")) && line.contains(word)
        });
        assert!(!set, "{word} in the image");
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["HEALTHCHECK", "CMD"] {
        let line = shipped.iter().rfind(|line| line.starts_with(name)).unwrap();
        let words: Vec<String> =
            serde_json::from_str(line.get(line.find('[').unwrap()..).unwrap()).unwrap();
        let arguments = words.iter().filter(|word| !word.ends_with("/sluicegate"));
        let output = sluicegate(folder.path())
            .args(arguments)
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}");
    }
    let context = read(".dockerignore");
    for line in build.iter().filter(|line| line.starts_with("COPY ")) {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        for source in words.iter().take(words.len() - 1) {
            assert!(root().join(source).exists(), "{line}");
            assert!(
                context.lines().any(|line| line == format!("!{source}")),
                "{source} is kept out by .dockerignore"
            );
        }
    }
}

/// What the program embeds from other folders must be there when the image is built.
#[test]
fn the_image_is_built_from_all_that_is_embedded() {
    let dockerfile = read("Dockerfile");
    let mut folders = vec![root().join("src")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            let embedded = text
                .split("include_str!(\"")
                .chain(text.split("include_bytes!(\""));
            let outside = embedded.filter_map(|text| text.strip_prefix("../../"));
            for file in outside {
                let file = file.trim_start_matches("../");
                let top = file.split('/').next().unwrap();
                let copied = format!("COPY {top} ./{top}");
                assert!(
                    dockerfile.lines().any(|line| line == copied),
                    "{} embeds a file of {top}, which the image is built without",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 6, "only {seen} files are embedded");
}

#[test]
fn the_compose_file_gives_away_nothing() {
    let text = read("compose.yaml");
    let compose: serde_json::Value = yaml(&text);
    let service = &compose["services"]["sluicegate"];
    assert_eq!(
        (&service["read_only"], &service["cap_drop"][0]),
        (&true.into(), &"ALL".into())
    );
    let port = service["ports"][0].as_str().unwrap();
    assert!(
        port.starts_with("127.0.0.1:"),
        "{port} is open to the network without TLS"
    );
    let master = service["environment"]["SLUICEGATE_MASTER_KEY"]
        .as_str()
        .unwrap();
    assert!(
        master.starts_with("${SLUICEGATE_MASTER_KEY:?"),
        "a master key in the file, or none"
    );
}

/// A YAML document as JSON, in which tests can look things up.
fn yaml(text: &str) -> serde_json::Value {
    fn convert(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Str(text) => text.clone().into(),
            Value::Seq(items) => items.iter().map(convert).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.name.clone(), convert(value)))
                .collect(),
        }
    }
    convert(&sluicegate::document::parse("", text).unwrap())
}

#[test]
fn ci_runs_the_documented_command() {
    assert!(read(".ci/run").contains("make test"));
    assert!(read("README.md").contains("make test") && read("README.md").contains("make run"));
}
