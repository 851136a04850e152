//! The operator's listener: health, readiness and metrics.
//!
//! It shows no prompt, key or credential, so it asks for none; it listens on the loopback address unless told otherwise, and
//! answers only to names that a web page elsewhere cannot have pointed at it (DNS rebinding).

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::telemetry::Metrics;

/// How long a client may take over a request's head, or rest between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head at most; no request here has a body worth reading.
const MAX_HEAD: usize = 16 * 1024;

const INDEX: &str = "\
sluicegate, the operator's side

  /healthz   200 as long as the process answers
  /readyz    200 if it can serve exchanges, else 503 and why not
  /metrics   counters, in the text form that Prometheus reads
";

/// The listener of the operator's side.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Names besides the loopback ones by which it may be addressed (DNS rebinding is refused).
    pub hosts: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            hosts: Vec::new(),
        }
    }
}

/// What the operator's side asks of the gateway.
pub trait Status: Send + Sync {
    /// Whether it can serve exchanges.
    ///
    /// # Errors
    ///
    /// Why not, in one sentence.
    fn ready(&self) -> Result<(), String>;

    /// All counters, in the media type [`Metrics::MEDIA_TYPE`].
    fn metrics(&self) -> String;
}

/// The operator's side.
pub struct Admin {
    hosts: Vec<String>,
    status: Arc<dyn Status>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// Answers from `status` to requests addressed to loopback names, plain addresses and `hosts`.
    pub const fn new(hosts: Vec<String>, status: Arc<dyn Status>) -> Self {
        Self { hosts, status }
    }

    /// Serves one connection until it ends or `shutdown` turns true.
    pub async fn serve<IO>(self: Arc<Self>, io: IO, mut shutdown: watch::Receiver<bool>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handler = service_fn(move |request| {
            let response = self.answer(&request);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(io), handler);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = async { drop(shutdown.wait_for(|stop| *stop).await) } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "operator's connection ended");
        }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !self.is_addressed(request.headers()) {
            let message = "this name is not the operator's side; use its address, or list the name under admin.hosts\n";
            return text(StatusCode::FORBIDDEN, message.to_owned());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is served here\n".to_owned(),
            );
        }
        match request.uri().path() {
            "/" => text(StatusCode::OK, INDEX.to_owned()),
            "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match self.status.ready() {
                Ok(()) => text(StatusCode::OK, "ok\n".to_owned()),
                Err(problem) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
            },
            "/metrics" => {
                let mut response = text(StatusCode::OK, self.status.metrics());
                let kind = HeaderValue::from_static(Metrics::MEDIA_TYPE);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            _ => text(StatusCode::NOT_FOUND, INDEX.to_owned()),
        }
    }

    /// Whether the Host header is a plain address, a loopback name or a name of ours.
    fn is_addressed(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Ok(authority) = Authority::try_from(host.as_bytes()) else {
            return false;
        };
        let name = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let is_bare = !authority.as_str().contains('@');
        let is_known = name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self
                .hosts
                .iter()
                .any(|host| name.eq_ignore_ascii_case(host));
        is_bare && is_known
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    struct Sick;

    impl Status for Sick {
        fn ready(&self) -> Result<(), String> {
            Err("draining".to_owned())
        }
        fn metrics(&self) -> String {
            "up 1\n".to_owned()
        }
    }

    fn answer(method: &str, path: &str, host: &str) -> Response<Full<Bytes>> {
        let admin = Admin::new(vec!["ops.example".to_owned()], Arc::new(Sick));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", host)
            .body(());
        admin.answer(&request.unwrap())
    }

    #[tokio::test]
    async fn answers_health_readiness_and_metrics() {
        assert_eq!(answer("GET", "/healthz", "127.0.0.1:9090").status(), 200);
        assert_eq!(answer("GET", "/", "[::1]:9090").status(), 200);
        assert_eq!(answer("GET", "/nothing", "localhost").status(), 404);
        assert_eq!(answer("POST", "/healthz", "localhost").status(), 405);
        let sick = answer("GET", "/readyz", "OPS.example:80");
        assert_eq!(sick.status(), 503);
        assert_eq!(
            sick.into_body().collect().await.unwrap().to_bytes(),
            "draining\n"
        );
        let metrics = answer("GET", "/metrics", "localhost").into_body();
        assert_eq!(metrics.collect().await.unwrap().to_bytes(), "up 1\n");
    }

    #[test]
    fn refuses_names_of_others() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "",
            "a@localhost:b",
        ] {
            assert_eq!(answer("GET", "/metrics", host).status(), 403, "{host}");
        }
    }
}
