//! A gateway in a process and a folder of its own, and plain HTTP/1.1 to talk to it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// For anything that happens at once on an idle machine; a busy one may be slow.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// The master key of every gateway here: a passphrase would take longer.
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The program, with nothing of our environment that it would read.
pub fn sluicegate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicegate"));
    command
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("SLUICEGATE_MASTER_KEY", MASTER_KEY);
    command
        .env_remove("SLUICEGATE_CONFIG")
        .env_remove("SLUICEGATE_DATA")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end: exit status, standard output, standard error.
pub fn run(command: &mut Command) -> (i32, String, String) {
    ended(&command.output().unwrap())
}

/// The same with text on standard input.
pub fn run_with(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses to run does not read its input.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    ended(&child.wait_with_output().unwrap())
}

fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// A running gateway. It is killed when dropped.
pub struct Gateway {
    child: Child,
    /// Where clients connect, `http://127.0.0.1:PORT`.
    pub url: String,
    /// Where the operator connects.
    pub admin: String,
    /// The first key, if this was the first start.
    pub key: Option<String>,
    folder: Arc<TempDir>,
    /// All it has printed, logs included.
    printed: Arc<Mutex<String>>,
}

impl Gateway {
    /// Starts one on embedded defaults.
    pub fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), &[])
    }

    /// Starts one with a server file.
    pub fn with_config(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sluicegate.yaml"), yaml).unwrap();
        Self::start_in(Arc::new(folder), &[])
    }

    /// Starts one in a folder that may have been used before.
    pub fn start_in(folder: Arc<TempDir>, arguments: &[&str]) -> Self {
        Self::start_under(MASTER_KEY, folder, arguments)
    }

    /// The same with another master key.
    pub fn start_under(master: &str, folder: Arc<TempDir>, arguments: &[&str]) -> Self {
        let mut command = sluicegate(folder.path());
        command
            .env("SLUICEGATE_MASTER_KEY", master)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let lines = follow(child.stdout.take().unwrap(), &printed);
        let _ = follow(child.stderr.take().unwrap(), &printed);
        let mut gateway = Self {
            child,
            url: String::new(),
            admin: String::new(),
            key: None,
            folder,
            printed,
        };
        gateway.wait_until_started(&lines);
        gateway
    }

    fn wait_until_started(&mut self, lines: &Receiver<String>) {
        loop {
            let line = match lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the gateway did not start in time: {}", self.printed())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the gateway ended: {}", self.printed())
                }
            };
            if let Some((_, url)) = line.split_once(" listens on ") {
                url.clone_into(&mut self.url);
            } else if let Some(rest) = line.strip_prefix("operator: ") {
                rest.split(' ').next().unwrap().clone_into(&mut self.admin);
            } else if line.trim().starts_with("sg-") {
                self.key = Some(line.trim().to_owned());
            }
            if line.starts_with("A provider's credential") || line.starts_with("keys are in") {
                return;
            }
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its folder, to start another gateway in.
    pub fn shared_folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// A file of its data folder.
    pub fn data(&self, name: &str) -> PathBuf {
        self.folder().join("data").join(name)
    }

    /// The first key.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap()
    }

    /// Another key, made beside the running gateway.
    pub fn create_key(&self, arguments: &[&str]) -> (String, String) {
        let mut command = sluicegate(self.folder());
        let (status, stdout, stderr) = run(command
            .args(["key", "create", "--json", "--name", "test"])
            .args(arguments));
        assert_eq!(status, 0, "{stderr}");
        let made: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        (
            made["id"].as_str().unwrap().to_owned(),
            made["key"].as_str().unwrap().to_owned(),
        )
    }

    /// All it has printed so far.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it on the spot (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop (SIGTERM), and waits until it has.
    pub fn stop(&mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(told.unwrap().success());
        assert!(self.child.wait().unwrap().success(), "{}", self.printed());
    }

    /// Sends a request to the clients' side.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(&self.url, method, path, headers, body)
    }

    /// A chat completion with the first key.
    pub fn chat(&self, key: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.send("POST", "/v1/chat/completions", &headers, body)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Collects the lines of a pipe, and passes them on.
fn follow(pipe: impl Read + Send + 'static, printed: &Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, lines) = channel();
    let printed = Arc::clone(printed);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            writeln!(printed.lock().unwrap(), "{line}").unwrap();
            drop(sender.send(line));
        }
    });
    lines
}

/// An answer to a plain HTTP/1.1 request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends one request and reads the answer to the connection's end.
pub fn send(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    try_send(url, method, path, headers, body)
        .unwrap_or_else(|| panic!("{method} {path}: no answer from {url}"))
}

/// The same; `None` if nobody answers.
pub fn try_send(
    url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let host = url.strip_prefix("http://").unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    write!(request, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    send_raw(host, request.as_bytes())
}

/// Sends bytes as they are.
pub fn send_raw(host: &str, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The answer may come before all was read, and the connection may break after it.
    drop(stream.write_all(request));
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes));
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked {
        unchunk(body)
    } else {
        body.to_owned()
    };
    Some(Answer {
        status,
        headers,
        body,
    })
}

/// Undoes the chunked coding (RFC 9112, section 7.1). A body that was cut off is given as far as it came.
fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let Some(chunk) = rest.get(..size).filter(|_| size > 0) else {
            break;
        };
        whole.push_str(chunk);
        body = rest.get(size + 2..).unwrap_or("");
    }
    whole
}
