//! Real SDKs against the whole program: each script prints `ok CASE` for what it has seen.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::gateway::{Gateway, run, sluicegate};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A provider that nobody answers for, beside the built-in ones.
const CONFIG: &str = "
providers:
  dead: {api: openai, base_url: 'http://127.0.0.1:9', credential: none, allow_private: true, timeouts: {connect: 2s}}
routes:
  - {model: 'dead-*', providers: [dead]}
echo: {pace: 0s}
";

/// What `make test` installed.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(ROOT).join("target/sdk").join(path);
    assert!(
        path.exists(),
        "{} is missing: run `make test`, which installs the SDKs first",
        path.display()
    );
    path
}

pub fn python() -> Command {
    let mut python = Command::new(installed("venv/bin/python"));
    python
        .env_remove("PYTHONPATH")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

fn node() -> Command {
    installed("node_modules/openai");
    let mut node = Command::new("node");
    node.env("SDK", installed(""));
    node
}

/// Runs a script; it must have run as many cases as it has.
fn check(mut interpreter: Command, script: &str, marker: &str, variables: &[(&str, &str)]) {
    let path = Path::new(ROOT).join("tests/e2e").join(script);
    let cases = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with(marker))
        .count();
    interpreter.arg(&path);
    for name in [
        "GOOGLE_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "OPENAI_ORG_ID",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
    ] {
        interpreter.env_remove(name);
    }
    interpreter
        .env("NO_PROXY", "127.0.0.1,localhost")
        .envs(variables.iter().copied());
    let (status, stdout, stderr) = run(&mut interpreter);
    assert_eq!(status, 0, "{script}\n{stdout}\n{stderr}");
    let ran = stdout
        .lines()
        .filter(|line| line.starts_with("ok case_"))
        .count();
    assert!(
        ran == cases && cases > 0,
        "{script}: {ran} of {cases} cases ran\n{stdout}"
    );
}

/// No key in anything that the gateway has printed since its greeting.
fn prints_no_key(gateway: &Gateway, keys: &[&str]) {
    let printed = gateway.printed();
    let (_, log) = printed.split_once("A provider's credential").unwrap();
    for key in keys {
        assert!(!log.contains(key), "a key is in the log");
    }
}

/// The lists of published fields are those of the SDKs that are installed here.
#[test]
fn published_fields_are_up_to_date() {
    let kept = Path::new(ROOT).join("tests/fields/published");
    let folder = tempfile::tempdir().unwrap();
    let mut python = python();
    python.arg(kept.with_extension("py")).arg(folder.path());
    let (status, _, stderr) = run(&mut python);
    assert_eq!(status, 0, "{stderr}");
    for made in std::fs::read_dir(folder.path()).unwrap() {
        let made = made.unwrap().path();
        let kept = kept.join(made.file_name().unwrap());
        let is_same = std::fs::read(&made).unwrap() == std::fs::read(&kept).unwrap_or_default();
        assert!(
            is_same,
            "{} is out of date: run published.py beside it",
            kept.display()
        );
    }
}

#[test]
fn python_openai() {
    let gateway = Gateway::with_config(CONFIG);
    let (_, limited) = gateway.create_key(&["--limit", "1/minute"]);
    let base = format!("{}/v1", gateway.url);
    let variables = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_API_KEY", gateway.key()),
        ("LIMITED_KEY", &limited),
    ];
    check(python(), "openai_python.py", "def case_", &variables);
    prints_no_key(&gateway, &[gateway.key(), &limited]);
}

#[test]
fn python_anthropic() {
    let gateway = Gateway::with_config(CONFIG);
    let (_, limited) = gateway.create_key(&["--limit", "1/minute"]);
    let variables = [
        ("ANTHROPIC_BASE_URL", gateway.url.as_str()),
        ("ANTHROPIC_API_KEY", gateway.key()),
        ("LIMITED_KEY", &limited),
    ];
    check(python(), "anthropic_python.py", "def case_", &variables);
    prints_no_key(&gateway, &[gateway.key(), &limited]);
}

#[test]
fn python_gemini() {
    let gateway = Gateway::with_config(CONFIG);
    let (_, limited) = gateway.create_key(&["--limit", "1/minute"]);
    let variables = [
        ("GOOGLE_GEMINI_BASE_URL", gateway.url.as_str()),
        ("GEMINI_API_KEY", gateway.key()),
        ("LIMITED_KEY", &limited),
    ];
    check(python(), "gemini_python.py", "def case_", &variables);
    prints_no_key(&gateway, &[gateway.key(), &limited]);
}

#[test]
fn node_openai() {
    let gateway = Gateway::with_config(CONFIG);
    let (_, limited) = gateway.create_key(&["--limit", "1/minute"]);
    let base = format!("{}/v1", gateway.url);
    let variables = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_API_KEY", gateway.key()),
        ("LIMITED_KEY", &limited),
    ];
    check(node(), "openai_node.cjs", "  async ", &variables);
    prints_no_key(&gateway, &[gateway.key(), &limited]);
}

/// A gateway with a certificate, and its authority's.
fn over_tls() -> (Gateway, String) {
    let folder = tempfile::tempdir().unwrap();
    let (status, _, stderr) = run(sluicegate(folder.path()).arg("certs"));
    assert_eq!(status, 0, "{stderr}");
    let config = format!("{CONFIG}tls: {{cert: certs/server.pem, key: certs/server.key}}\n");
    std::fs::write(folder.path().join("sluicegate.yaml"), config).unwrap();
    let authority = folder
        .path()
        .join("certs/ca.pem")
        .to_str()
        .unwrap()
        .to_owned();
    let gateway = Gateway::start_in(folder.into(), &[]);
    assert!(gateway.url.starts_with("https://"), "{}", gateway.url);
    (gateway, authority)
}

#[test]
fn node_openai_over_tls() {
    let (gateway, authority) = over_tls();
    let (_, limited) = gateway.create_key(&["--limit", "1/minute"]);
    let base = format!("{}/v1", gateway.url);
    let variables = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_API_KEY", gateway.key()),
        ("LIMITED_KEY", &limited),
        ("NODE_EXTRA_CA_CERTS", &authority),
    ];
    check(node(), "openai_node.cjs", "  async ", &variables);
}

#[test]
fn node_http2_in_the_clear() {
    let gateway = Gateway::with_config(CONFIG);
    let variables = [
        ("URL", gateway.url.as_str()),
        ("KEY", gateway.key()),
        ("LIMITED_KEY", ""),
    ];
    check(node(), "http2_node.cjs", "  async ", &variables);
}

#[test]
fn node_http2_over_tls() {
    let (gateway, authority) = over_tls();
    let variables = [
        ("URL", gateway.url.as_str()),
        ("KEY", gateway.key()),
        ("NODE_EXTRA_CA_CERTS", authority.as_str()),
    ];
    check(node(), "http2_node.cjs", "  async ", &variables);
}
