//! Servers of Debian's packages (`redis-server`, `postgresql`), each with a free port and a folder of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use sluicegate::shared::Shared;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// For anything that happens at once on an idle machine; a busy one may be slow.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until something is so.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The answers of eight who ask without end, before and after the server is killed.
pub async fn killed_in_mid_load<T, F>(
    server: &mut Redis,
    place: &dyn Shared,
    ask: impl Fn() -> F + Clone + Send + 'static,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let (answered, stop) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut load = JoinSet::new();
    for _ in 0..8 {
        let ask = ask.clone();
        let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
        load.spawn(async move {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                answers.push(ask().await);
                answered.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            answers
        });
    }
    let more = async || {
        let enough = answered.load(Ordering::Relaxed) + 50;
        eventually("answers", || answered.load(Ordering::Relaxed) > enough).await;
    };
    more().await;
    server.kill();
    eventually("loss", || !place.is_connected()).await;
    more().await;
    stop.store(true, Ordering::Relaxed);
    let answers = timeout(PATIENCE, load.join_all()).await.unwrap();
    answers.into_iter().flatten().collect()
}

/// A Redis server, empty at first. Killed when dropped.
pub struct Redis {
    pub url: String,
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Redis {
    pub fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        Self {
            url: format!("redis://127.0.0.1:{port}"),
            child: redis(folder.path(), port),
            port,
            folder,
        }
    }

    /// Kills it as a crash would; what it held is lost.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, empty, where it was.
    pub fn restart(&mut self) {
        self.child = redis(self.folder.path(), self.port);
    }

    /// Lets it hang: connections stay, answers do not come.
    pub fn freeze(&self) {
        signal(self.child.id(), "STOP");
    }

    /// Ends [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        signal(self.child.id(), "CONT");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn redis(folder: &Path, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed (Debian's package redis-server; make test installs it)")
}

fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// A PostgreSQL server with an empty database. Killed when dropped.
pub struct Postgres {
    pub url: String,
    port: u16,
    folder: TempDir,
    child: Child,
}

/// The password of its one user, made at run time so that nothing takes it for a leaked one.
pub fn password() -> String {
    ["pg", "canary", "4711"].join("-")
}

impl Postgres {
    pub fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        // PostgreSQL refuses to run as root, so another user must be able to write here.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, password()).unwrap();
        let made = postgres("initdb")
            .args([
                "--no-sync",
                "--username",
                "gateway",
                "--auth",
                "scram-sha-256",
            ])
            .args(["--encoding", "UTF8", "--locale", "C"])
            .arg("--pwfile")
            .arg(&file)
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "initdb");
        let server = Self {
            url: format!(
                "postgres://gateway:{}@127.0.0.1:{port}/postgres",
                password()
            ),
            child: start(folder.path(), port),
            port,
            folder,
        };
        server.wait();
        server
    }

    /// One for all tests that leave it alone; it ends with the last of them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start());
        *shared = Arc::downgrade(&server);
        server
    }

    /// The URL of a new and empty database.
    pub fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let made = postgres("createdb")
            .env("PGPASSWORD", password())
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--username", "gateway", "--template", "template0", &name])
            .status();
        assert!(made.unwrap().success(), "createdb");
        self.url.replace("/postgres", &format!("/{name}"))
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        // The postmaster's children end with it.
        signal(self.child.id(), "QUIT");
        self.child.wait().unwrap();
    }

    /// Starts it again, with what it held.
    pub fn restart(&mut self) {
        self.child = start(self.folder.path(), self.port);
        self.wait();
    }

    /// Lets it speak nothing but TLS over the network from now on; the certificate, for this name or address.
    pub fn speak_tls(&mut self, name: &str) -> std::path::PathBuf {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let (cert, data) = (
            self.folder.path().join("server.pem"),
            self.folder.path().join("data"),
        );
        let key = cert.with_extension("key");
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        for (from, to) in [(&cert, "server.crt"), (&key, "server.key")] {
            let mut install = postgres("install");
            let installed = install.args(["-m", "600"]).arg(from).arg(data.join(to));
            assert!(installed.status().unwrap().success());
        }
        let access = data.join("pg_hba.conf");
        let lines = std::fs::read_to_string(&access).unwrap();
        std::fs::write(&access, lines.replace("\nhost ", "\nhostssl ")).unwrap();
        let settings = data.join("postgresql.conf");
        let lines = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, format!("{lines}\nssl = on\n")).unwrap();
        self.kill();
        self.restart();
        cert
    }

    /// Waits until it answers.
    fn wait(&self) {
        let deadline = std::time::Instant::now() + PATIENCE;
        let ready = || {
            let asked = postgres("pg_isready")
                .args([
                    "--quiet",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    &self.port.to_string(),
                ])
                .status();
            asked.unwrap().success()
        };
        while !ready() {
            assert!(std::time::Instant::now() < deadline, "postgres never came");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill();
        }
    }
}

fn start(folder: &Path, port: u16) -> Child {
    postgres("postgres")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-F",
            "-k",
            "",
            "-D",
        ])
        .arg(folder.join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A program of PostgreSQL's newest version here, run as its own user if we are root.
fn postgres(program: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let found = versions
        .map(|version| version.unwrap().path().join("bin").join(program))
        .filter(|path| path.exists());
    let path = found.max().unwrap_or_else(|| program.into());
    let is_root = std::env::var_os("USER").is_some_and(|user| user == "root")
        || std::fs::metadata("/proc/self")
            .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0);
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command
            .args([
                "--reuid",
                "postgres",
                "--regid",
                "postgres",
                "--clear-groups",
                "--",
            ])
            .arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/");
    command
}
