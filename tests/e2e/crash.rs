//! kill -9 at any moment: vault, keys and audit log are whole afterwards, and nothing that was confirmed is missing.

use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::gateway::{Gateway, run, run_with, sluicegate};

/// Commands that are killed, of each kind.
const ROUNDS: u64 = 25;

/// Runs a command that is killed after a while; its standard output, if it came to its end.
fn run_until_killed(
    folder: &Path,
    arguments: &[&str],
    input: &str,
    after: Duration,
) -> Option<String> {
    use std::io::Write;
    let mut command = sluicegate(folder);
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    // Nothing is waited for: this picks the moment of the kill.
    thread::park_timeout(after);
    drop(child.kill());
    let output = child.wait_with_output().unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

/// What a command prints as JSON.
fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let (status, stdout, stderr) = run(sluicegate(folder).args(arguments).arg("--json"));
    assert_eq!(status, 0, "{arguments:?}: {stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn names(list: &serde_json::Value, field: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn killed_commands_leave_everything_whole() {
    let folder = tempfile::tempdir().unwrap();
    // So that both are there whatever is killed.
    run(sluicegate(folder.path()).args(["key", "create", "--name", "first"]));
    let confirmed = Mutex::new((Vec::new(), Vec::new()));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                let name = format!("entry-{round}");
                let done = run_until_killed(
                    folder.path(),
                    &["vault", "set", &name],
                    "secret",
                    Duration::from_millis(round * 4),
                );
                if done.is_some() {
                    confirmed.lock().unwrap().0.push(name);
                }
            }
        });
        scope.spawn(|| {
            for round in 0..ROUNDS {
                let arguments = ["key", "create", "--name", "app", "--json"];
                if let Some(made) = run_until_killed(
                    folder.path(),
                    &arguments,
                    "",
                    Duration::from_millis(round * 4),
                ) {
                    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
                    confirmed
                        .lock()
                        .unwrap()
                        .1
                        .push(made["id"].as_str().unwrap().to_owned());
                }
            }
        });
    });
    let (entries, keys) = confirmed.into_inner().unwrap();
    // Both go on working, on the same files.
    let (status, _, stderr) = run_with(
        sluicegate(folder.path()).args(["vault", "set", "last"]),
        "secret",
    );
    assert_eq!(status, 0, "{stderr}");
    let kept = names(&json(folder.path(), &["vault", "list"]), "name");
    assert!(
        entries.iter().all(|name| kept.contains(name)),
        "{entries:?} of {kept:?}"
    );
    let kept = names(&json(folder.path(), &["key", "list"]), "id");
    assert!(
        keys.iter().all(|id| kept.contains(id)),
        "{keys:?} of {kept:?}"
    );
    let report = json(folder.path(), &["audit", "verify"]);
    assert_eq!(report["whole"], true);
    let confirmed = u64::try_from(keys.len() + entries.len()).unwrap();
    assert!(report["records"].as_u64().unwrap() > confirmed);
}

#[test]
fn a_killed_gateway_leaves_a_record_of_every_answer() {
    let mut gateway = Gateway::start();
    let folder = gateway.shared_folder();
    let (url, key) = (gateway.url.clone(), gateway.key().to_owned());
    let answered = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let bearer = format!("Bearer {key}");
                let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
                let body = r#"{"model": "echo", "stream": true, "messages": [{"role": "user", "content": "/pace 0\nHello"}]}"#;
                // Until the gateway is gone.
                while let Some(answer) = crate::gateway::try_send(&url, "POST", "/v1/chat/completions", &headers, body) {
                    if answer.status == 200 && answer.body.contains("[DONE]") {
                        answered.lock().unwrap().push(answer.header("x-sluicegate-request-id").unwrap().to_owned());
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..5 {
                run(sluicegate(folder.path()).args(["key", "create", "--name", "beside"]));
            }
            gateway.kill();
        });
    });
    let answered = answered.into_inner().unwrap();
    assert!(!answered.is_empty());
    let (status, stdout, stderr) = run(sluicegate(folder.path()).args(["audit", "verify"]));
    assert_eq!(status, 0, "{stdout}{stderr}");
    let count = (answered.len() * 2 + 100).to_string();
    let (_, records, _) =
        run(sluicegate(folder.path()).args(["audit", "tail", "--json", "-n", &count]));
    let missing: Vec<_> = answered
        .iter()
        .filter(|id| !records.contains(id.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} answers have no record",
        missing.len(),
        answered.len()
    );
    assert_eq!(
        json(folder.path(), &["key", "list"])
            .as_array()
            .unwrap()
            .len(),
        6
    );
    // It starts again on the same files, and the first key is still good.
    let again = Gateway::start_in(folder, &[]);
    let answer = again.chat(
        &key,
        r#"{"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}"#,
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    // Nor is anything forgotten that was spent.
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    let told = crate::gateway::try_send(&again.url, "GET", "/sluicegate/usage", &headers, "");
    let told: serde_json::Value = serde_json::from_str(&told.unwrap().body).unwrap();
    let requests = told["month"]["requests"].as_u64().unwrap();
    let least = u64::try_from(answered.len()).unwrap() + 1;
    // Each of the four clients may have been cut off after the provider had answered.
    assert!(
        (least..=least + 4).contains(&requests),
        "{requests} of {least}"
    );
}
