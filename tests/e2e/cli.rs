//! The command line: what it prints, what it refuses, and how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::gateway::{run, run_with, sluicegate};

/// What a mistyped server file gets to hear, all of it in one run.
const BROKEN: &str = "\
listen: 0.0.0.0:8080
adminn: foo
store: postgres://user:pw-canary@host/db
providers:
  openai: {base_url: https://x.example/v1, credental: a}
  lab: {api: opena, base_url: 'http://127.0.0.1:8000', credential: sk-canary}
routes:
  - {model: 'gpt-*', providers: [opnai]}
limits: {max_body_bytes: 3 parsecs, max_headers: 2}
timeouts: {head: 0s}
";

const BROKEN_SAYS: &str = "\
sluicegate.yaml:2:1: unknown key \"adminn\" in the document
  expected: listen, insecure, admin, data, master_key_file, policies, policy, tls, store, shared, providers, echo, routes, limits, timeouts, threads or log
  help: did you mean \"admin\"?
sluicegate.yaml:3:8: store: postgres:// is not available in this version
  expected: sqlite
  help: write sqlite, or leave the key out: one gateway's keys live in its data folder
sluicegate.yaml:5:22: providers.openai.base_url ends in the API's version
  expected: https://host[:port][/prefix]
  help: leave /v1 out: the clients' paths bring it
sluicegate.yaml:5:44: unknown key \"credental\" in providers.openai
  expected: api, base_url, credential, allow_private, ca, unscanned_paths, timeouts, max_idle or idle_timeout
  help: did you mean \"credential\"?
sluicegate.yaml:6:14: unknown api \"opena\" in providers.lab
  expected: openai, anthropic or gemini
  help: did you mean \"openai\"?
sluicegate.yaml:6:68: providers.lab.credential says no place that a credential can come from
  expected: vault:NAME, env:VARIABLE, file:PATH or none
  help: keep the secret out of this file: sluicegate vault set NAME
sluicegate.yaml:9:26: limits.max_body_bytes is text
  expected: a number of bytes: 4096, 64KiB, 20MiB or 1GiB
sluicegate.yaml:9:50: limits.max_headers is 2
  expected: a whole number from 8 to 10000
sluicegate.yaml:10:18: timeouts.head is zero
  expected: a span of time above zero
sluicegate.yaml:1:9: listening on 0.0.0.0:8080 without TLS
  expected: a loopback address, or TLS
  help: set tls (sluicegate certs makes a certificate to try), or say --insecure
sluicegate.yaml:8:34: the route of gpt-* names a provider that there is not
  expected: openai, anthropic, gemini, lab, echo
  help: did you mean \"openai\"?
sluicegate.yaml:6:31: provider lab is spoken to without TLS
  expected: https://
  help: write https://, or allow_private: true for a machine on your own network
";

#[test]
fn a_broken_server_file_is_told_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sluicegate.yaml"), BROKEN).unwrap();
    for command in ["serve", "config"] {
        let (status, stdout, stderr) = run(sluicegate(folder.path()).arg(command));
        assert_eq!(
            (status, stdout.as_str(), stderr.as_str()),
            (2, "", BROKEN_SAYS)
        );
    }
    assert!(
        !folder.path().join("data").exists(),
        "nothing is made before the settings are right"
    );
}

#[test]
fn a_missing_server_file_is_an_error_only_if_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let (status, ..) = run(sluicegate(folder.path()).arg("config"));
    assert_eq!(status, 0);
    let (status, _, stderr) =
        run(sluicegate(folder.path()).args(["serve", "--config", "other.yaml"]));
    assert_eq!(status, 2);
    assert!(
        stderr.starts_with("other.yaml: the server file cannot be read"),
        "{stderr}"
    );
    let (status, _, stderr) = run(sluicegate(folder.path())
        .arg("config")
        .env("SLUICEGATE_CONFIG", "gone.yaml"));
    assert!(
        status == 2 && stderr.contains("correct SLUICEGATE_CONFIG"),
        "{stderr}"
    );
}

#[test]
fn flags_win_over_the_environment_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("sluicegate.yaml"),
        "data: from-file\nadmin: 127.0.0.1:1\n",
    )
    .unwrap();
    let value = |arguments: &[&str], variable: Option<&str>, key: &str| {
        let mut command = sluicegate(folder.path());
        if let Some(variable) = variable {
            command.env("SLUICEGATE_DATA", variable);
        }
        let (status, stdout, stderr) = run(command.args(["config", "--json"]).args(arguments));
        assert_eq!(status, 0, "{stderr}");
        let settings: Vec<serde_json::Value> = serde_json::from_str(&stdout).unwrap();
        let setting = settings
            .iter()
            .find(|setting| setting["key"] == key)
            .unwrap();
        format!(
            "{} {}",
            setting["value"].as_str().unwrap(),
            setting["from"].as_str().unwrap()
        )
    };
    assert_eq!(value(&[], None, "data"), "from-file sluicegate.yaml:1");
    assert_eq!(
        value(&[], Some("from-env"), "data"),
        "from-env SLUICEGATE_DATA"
    );
    assert_eq!(
        value(&["--data", "from-flag"], Some("from-env"), "data"),
        "from-flag --data"
    );
    assert_eq!(value(&[], None, "admin"), "127.0.0.1:1 sluicegate.yaml:2");
    assert_eq!(value(&[], None, "policy"), "default default");
}

#[test]
fn later_commands_are_said_to_be_later() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["approve", "list"][..],
        &["run", "--", "true"],
        &["eval", "x"],
        &["vault", "rekey"],
        &["audit", "search"],
    ] {
        let (status, _, stderr) = run(sluicegate(folder.path()).args(arguments));
        assert!(
            status == 2 && stderr.contains("is not in this version"),
            "{arguments:?}: {stderr}"
        );
    }
}

#[test]
fn the_vault_keeps_its_secrets() {
    let secret = concat!("sk-", "proj-", "vaultcanary0123456789");
    let folder = tempfile::tempdir().unwrap();
    let vault = |arguments: &[&str], master: Option<&str>, input: &str| {
        let mut command = sluicegate(folder.path());
        match master {
            Some(master) => command.env("SLUICEGATE_MASTER_KEY", master),
            None => command.env_remove("SLUICEGATE_MASTER_KEY"),
        };
        let (status, stdout, stderr) = run_with(command.arg("vault").args(arguments), input);
        assert!(
            !format!("{stdout}{stderr}").contains("vaultcanary"),
            "a secret was printed"
        );
        (status, stdout, stderr)
    };
    let (status, stdout, stderr) = vault(
        &["set", "openai"],
        Some("one two three"),
        &format!("{secret}\n"),
    );
    assert_eq!(
        (status, stdout.as_str()),
        (0, "stored openai, version 1\n"),
        "{stderr}"
    );
    let (_, stdout, _) = vault(&["list", "--json"], Some("one two three"), "");
    let entries: Vec<serde_json::Value> = serde_json::from_str(&stdout).unwrap();
    assert_eq!(entries[0]["name"], "openai");

    let file = folder.path().join("data/vault.json");
    let sealed = fs::read(&file).unwrap();
    let refused = [
        (
            vault(&["list"], Some("another"), ""),
            "the master key does not fit",
        ),
        (
            vault(&["set", "openai"], None, "x"),
            "there is no master key",
        ),
        (
            vault(&["set", "openai"], Some(""), "x"),
            "the master key is empty",
        ),
        (
            vault(&["set", "openai"], Some("one two three"), "\n"),
            "is empty",
        ),
        (
            vault(&["delete", "gemini"], Some("one two three"), ""),
            "no vault entry",
        ),
    ];
    for ((status, _, stderr), says) in refused {
        assert!(status == 2 && stderr.contains(says), "{stderr}");
    }
    assert_eq!(
        fs::read(&file).unwrap(),
        sealed,
        "a refused command changed the vault"
    );

    fs::write(&file, &sealed[..sealed.len() / 2]).unwrap();
    let (status, _, stderr) = vault(&["list"], Some("one two three"), "");
    assert!(
        status == 2 && stderr.contains("vault.json") && stderr.contains("restore it from a backup"),
        "{stderr}"
    );
    assert_eq!(
        fs::read(&file).unwrap(),
        sealed[..sealed.len() / 2],
        "a damaged vault was overwritten"
    );
}

#[test]
fn certificates_are_private_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) =
        run(sluicegate(folder.path()).args(["certs", "--host", "gateway.example"]));
    assert_eq!(status, 0, "{stderr}");
    assert!(
        stdout.contains("tls: {cert: certs/server.pem, key: certs/server.key}"),
        "{stdout}"
    );
    for key in ["certs/ca.key", "certs/server.key"] {
        assert_eq!(
            fs::metadata(folder.path().join(key))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
    }
    let before = fs::read(folder.path().join("certs/server.pem")).unwrap();
    let (status, _, stderr) = run(sluicegate(folder.path()).arg("certs"));
    assert!(status == 2 && stderr.contains("exists already"), "{stderr}");
    assert_eq!(
        fs::read(folder.path().join("certs/server.pem")).unwrap(),
        before
    );
}

#[test]
fn the_manual_and_completions_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let (status, stdout, _) = run(sluicegate(folder.path()).arg("man"));
    assert!(status == 0 && stdout.contains(".TH sluicegate"));
    let (status, ..) = run(sluicegate(folder.path()).args(["man", "pages"]));
    assert!(status == 0 && folder.path().join("pages/sluicegate-vault-set.1").exists());
    for shell in ["bash", "zsh", "fish"] {
        let (status, stdout, _) = run(sluicegate(folder.path()).args(["completions", shell]));
        assert!(status == 0 && stdout.contains("sluicegate"));
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = sluicegate(folder.path());
    let mut child = command
        .args(["completions", "zsh"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}
