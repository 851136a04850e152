//! PostgreSQL, for several gateways.
//!
//! A pool of connections lives on a thread of its own; whoever asks waits for an answer, and no longer than [`DEADLINE`].

use super::background::Background;
use super::engine::{Engine, Problem, Step, Value};
use super::row::Row;
use super::{OpenError, address};
use bytes::BytesMut;
use deadpool_postgres::{GenericClient, Manager, ManagerConfig, Pool, RecyclingMethod};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres_rustls::MakeRustlsConnect;

/// One step per version of the schema; `schema_version` says how many were taken. A step is never changed once released.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE keys (
        position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id       TEXT NOT NULL UNIQUE,
        name     TEXT NOT NULL,
        prefix   TEXT NOT NULL,
        team     TEXT,
        created  BIGINT NOT NULL,
        revoked  BIGINT,
        settings TEXT NOT NULL,
        changed  BIGINT NOT NULL
    );
    CREATE INDEX keys_changed ON keys (changed) WHERE changed > 0;
    CREATE TABLE bearers (
        prefix   TEXT NOT NULL,
        hash     BYTEA NOT NULL CHECK (length(hash) = 32),
        key      TEXT NOT NULL,
        session  TEXT,
        end_user TEXT,
        expires  BIGINT,
        revoked  BIGINT,
        PRIMARY KEY (prefix, hash)
    );
    CREATE INDEX bearers_key ON bearers (key);
    CREATE INDEX bearers_expires ON bearers (expires) WHERE expires IS NOT NULL;
    CREATE TABLE teams (name TEXT PRIMARY KEY, settings TEXT NOT NULL, changed BIGINT NOT NULL);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
    INSERT INTO counters (name, value) VALUES ('keys', 1);
    CREATE TABLE memory (name TEXT PRIMARY KEY, value TEXT NOT NULL);
",
    "
    ALTER TABLE bearers ADD COLUMN credentials TEXT;
",
    "
    CREATE TABLE spend (
        scope    TEXT NOT NULL,
        subject  TEXT NOT NULL,
        cycle    TEXT NOT NULL,
        number   BIGINT NOT NULL,
        requests BIGINT NOT NULL,
        input    BIGINT NOT NULL,
        output   BIGINT NOT NULL,
        money    BIGINT NOT NULL,
        PRIMARY KEY (scope, subject, cycle, number)
    );
    CREATE TABLE journals (name TEXT PRIMARY KEY, last BIGINT NOT NULL);
",
    "
    CREATE TABLE kept (
        position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        provider TEXT NOT NULL,
        id       TEXT NOT NULL,
        key      TEXT NOT NULL,
        team     TEXT,
        session  TEXT,
        since    BIGINT NOT NULL,
        UNIQUE (provider, id)
    );
    CREATE INDEX kept_since ON kept (since);
",
    "
    ALTER TABLE bearers ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
    CREATE INDEX bearers_changed ON bearers (changed) WHERE changed > 0;
",
];

/// How long anything may take, waiting for a connection included.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections at a time.
const CONNECTIONS: usize = 16;
/// Whom gateways that start together wait for: any number that nobody else locks.
const MIGRATION_LOCK: i64 = 0x736c_7569_6365;

/// A store in a PostgreSQL database of its own.
pub(super) struct Postgres {
    pool: Pool,
    address: String,
    background: Background,
}

impl Postgres {
    /// Connects and brings the schema up to date. TLS unless the URL says `sslmode=disable` or names this machine, with
    /// the roots of `ca` (PEM), else Mozilla's.
    pub(super) fn open(url: &str, ca: Option<&Path>) -> Result<Self, OpenError> {
        let mut config: Config = url.parse().map_err(|_| OpenError::Url {
            scheme: "postgres",
            problem: "it is no PostgreSQL URL".to_owned(),
        })?;
        let is_local = |host: &Host| match host {
            Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1" | "[::1]"),
            Host::Unix(_) => true,
        };
        if !url.contains("sslmode=") && !config.get_hosts().iter().all(is_local) {
            config.ssl_mode(SslMode::Require);
        }
        config
            .connect_timeout(CONNECT)
            .application_name("sluicegate");
        let tls = ClientConfig::builder()
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(config, MakeRustlsConnect::new(tls), recycling);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build();
        let failed = |source: Problem| OpenError::Connect {
            address: address(url),
            source,
        };
        let store = Self {
            pool: pool.map_err(|error| failed(error.into()))?,
            address: address(url),
            background: Background::start("postgres").map_err(OpenError::Thread)?,
        };
        let (found, known) = store.run(migrate(store.pool.clone())).map_err(failed)?;
        if found > known {
            return Err(OpenError::Later {
                place: store.address,
                found,
                known,
            });
        }
        Ok(store)
    }

    /// Waits here for what is done there.
    fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let (done, wait) = mpsc::channel();
        self.background.handle.spawn(async move {
            let result = timeout(DEADLINE, work).await;
            let late = |_| Err(format!("no answer within {} s", DEADLINE.as_secs()).into());
            // Whoever asked is waiting.
            drop(done.send(result.unwrap_or_else(late)));
        });
        wait.recv()?.map_err(|problem| root(&*problem))
    }
}

/// What the server or the system itself says, without what the libraries in between say of each other.
fn root(problem: &(dyn Error + 'static)) -> Problem {
    match problem.source() {
        Some(source) => root(source),
        None => problem.to_string().into(),
    }
}

impl Engine for Postgres {
    fn read(&self, step: Step) -> Result<Vec<Row>, Problem> {
        let pool = self.pool.clone();
        self.run(async move { run(&pool.get().await?, step).await })
    }

    fn write(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Problem> {
        let pool = self.pool.clone();
        self.run(async move {
            let mut client = pool.get().await?;
            let transaction = client.transaction().await?;
            let mut rows = Vec::with_capacity(steps.len());
            for step in steps {
                rows.push(run(&transaction, step).await?);
            }
            transaction.commit().await?;
            Ok(rows)
        })
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({})", self.address)
    }
}

async fn run(client: &impl GenericClient, step: Step) -> Result<Vec<Row>, Problem> {
    let statement = client.prepare_cached(step.sql).await?;
    let parameters: Vec<&(dyn ToSql + Sync)> = step
        .values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect();
    let rows = client.query(&statement, &parameters).await?;
    let read = |row: tokio_postgres::Row| {
        let cells = (0..row.len()).map(|column| row.try_get::<_, Value>(column));
        Ok(cells.collect::<Result<_, _>>()?)
    };
    rows.into_iter().map(read).collect()
}

/// Brings the schema up to date, unless it is a later one: the version found, and the latest one known.
async fn migrate(pool: Pool) -> Result<(u32, u32), Problem> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    // Of gateways that start together, one migrates and the others then find it done.
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    transaction
        .batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .await?;
    let row = transaction
        .query_opt("SELECT version FROM schema_version", &[])
        .await?;
    let found = row.map_or(Ok(0), |row| row.try_get::<_, i64>(0))?;
    let mut known = 0;
    for (step, version) in MIGRATIONS.iter().zip(1..) {
        known = version;
        if found < version {
            transaction.batch_execute(step).await?;
        }
    }
    if found < known {
        transaction
            .batch_execute("DELETE FROM schema_version")
            .await?;
        transaction
            .execute("INSERT INTO schema_version VALUES ($1)", &[&known])
            .await?;
    }
    transaction.commit().await?;
    Ok((u32::try_from(found)?, u32::try_from(known)?))
}

/// Those of a file, else Mozilla's.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let failed = |problem: String| OpenError::Roots {
        path: path.to_owned(),
        source: std::io::Error::other(problem),
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(roots)
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql_checked(kind, out),
            Self::Text(text) => text.to_sql_checked(kind, out),
            Self::Bytes(bytes) => bytes.to_sql_checked(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true // each kind of value checks for itself
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Integer),
            Type::BYTEA => Vec::from_sql(kind, raw).map(Self::Bytes),
            _ => String::from_sql(kind, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::BYTEA | Type::TEXT)
    }
}
