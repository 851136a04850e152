//! README's lines, word for word, in a shell in which its `export` lines were pasted.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::gateway::{Gateway, MASTER_KEY, run};
use crate::sdk::python;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The fenced blocks of a document in one language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// Lets a command see what a reader has exported.
fn exported<'c>(command: &'c mut Command, gateway: &Gateway) -> &'c mut Command {
    let program = Path::new(env!("CARGO_BIN_EXE_sluicegate"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    command
        .current_dir(gateway.folder())
        .env("PATH", path)
        .env("NO_PROXY", "127.0.0.1")
        .env("SLUICEGATE_MASTER_KEY", MASTER_KEY)
        .env("OPENAI_BASE_URL", format!("{}/v1", gateway.url))
        .env("OPENAI_API_KEY", gateway.key())
        .env("ANTHROPIC_BASE_URL", &gateway.url)
        .env("ANTHROPIC_API_KEY", gateway.key())
        .env("GOOGLE_GEMINI_BASE_URL", &gateway.url)
        .env("GEMINI_API_KEY", gateway.key())
}

fn shell(gateway: &Gateway, script: &str) -> (i32, String, String) {
    run(exported(
        Command::new("bash").args(["-u", "-c", script]),
        gateway,
    ))
}

#[test]
fn curl_lines_work() {
    let gateway = Gateway::start();
    let mut answers = Vec::new();
    for document in ["README.md", "docs/ECHO.md"] {
        for block in blocks(document, "sh")
            .iter()
            .filter(|block| block.contains("curl "))
        {
            let (status, stdout, stderr) = shell(&gateway, block);
            assert!(
                status == 0 && !stdout.is_empty(),
                "{document}:\n{block}\n{stdout}\n{stderr}"
            );
            assert!(
                !stdout.contains("invalid_api_key"),
                "{document}:\n{block}\n{stdout}"
            );
            answers.push(stdout);
        }
    }
    let says = |text: &str| answers.iter().any(|answer| answer.contains(text));
    assert!(says("Hello, gate."), "the echo of the first line");
    assert!(says("content_filter"), "the refusal of the injection");
    assert!(says("[OPENAI_KEY]"), "the redacted stream");
    assert!(!says(gateway.key()), "a key came back");
}

#[test]
fn python_lines_work() {
    let gateway = Gateway::start();
    for block in blocks("README.md", "python") {
        let (status, stdout, stderr) = run(exported(python().args(["-c", &block]), &gateway));
        assert!(
            status == 0 && stdout.contains("[OPENAI_KEY]"),
            "{block}\n{stdout}\n{stderr}"
        );
    }
}

#[test]
fn command_lines_work() {
    let gateway = Gateway::start();
    let mut ran = 0;
    for block in blocks("README.md", "sh") {
        let is_ours =
            |line: &&str| line.contains("sluicegate ") && !line.starts_with("sluicegate serve");
        for line in block.lines().filter(is_ours) {
            let (id, _) = gateway.create_key(&[]);
            let line = line.replace("KEY_ID", &id);
            let line = if line.contains("vault set") {
                format!("echo credential | {line}")
            } else {
                line
            };
            let (status, stdout, stderr) = shell(&gateway, &line);
            // A scan that finds something ends in 1.
            let right = status == 0 || (status == 1 && line.contains("scan"));
            assert!(right && !stdout.is_empty(), "{line}\n{stdout}\n{stderr}");
            ran += 1;
        }
    }
    assert!(ran > 0);
}

#[test]
fn the_greeting_works_as_pasted() {
    let gateway = Gateway::start();
    let printed = gateway.printed();
    let exports: Vec<&str> = printed
        .lines()
        .filter(|line| line.trim_start().starts_with("export "))
        .collect();
    assert_eq!(exports.len(), 3, "{printed}");
    let (_, curl) = printed.split_once("\n  curl ").unwrap();
    let curl = curl.split("\n\n").next().unwrap();
    let script = format!(
        "{}\ncurl {curl}\necho\necho $OPENAI_BASE_URL $ANTHROPIC_BASE_URL $GOOGLE_GEMINI_BASE_URL $OPENAI_API_KEY $ANTHROPIC_API_KEY $GEMINI_API_KEY",
        exports.join("\n")
    );
    let (status, stdout, stderr) = shell(&gateway, &script);
    assert!(
        status == 0 && stdout.contains("\"content\""),
        "{stdout}{stderr}"
    );
    let (url, key) = (&gateway.url, gateway.key());
    assert!(
        stdout.ends_with(&format!("{url}/v1 {url} {url} {key} {key} {key}\n")),
        "{stdout}"
    );
    // It is shown once: the next start does not know it any more.
    let mut first = gateway;
    first.kill();
    let again = Gateway::start_in(first.shared_folder(), &[]);
    assert!(again.key.is_none() && !again.printed().contains(&key_of(&first)));
}

fn key_of(gateway: &Gateway) -> String {
    gateway.key().to_owned()
}
