//! The clients' side: accepts connections, finds routes and carries each exchange from request to record.

use std::time::Duration;

pub mod route;
pub mod tls;

/// Limits on what one client, and all of them together, may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head.
    pub max_header_bytes: usize,
    /// Header lines of a request.
    pub max_headers: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Bytes of an answer that is not a stream.
    pub max_response_bytes: usize,
    /// Bytes of bodies held in memory by all exchanges together; over it, clients get 503.
    pub max_buffered_bytes: usize,
    /// Connections open at a time; over it, new ones are closed.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_body_bytes: 32 * 1024 * 1024,
            max_response_bytes: 32 * 1024 * 1024,
            max_buffered_bytes: 512 * 1024 * 1024,
            max_connections: 10_000,
        }
    }
}

/// How long a client may take over each step.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TLS handshake, and from there to the first byte of the first request.
    pub handshake: Duration,
    /// The head of a request, from its first byte; also how long a kept-alive connection may rest.
    pub head: Duration,
    /// The whole body of a request.
    pub body: Duration,
    /// A client that reads nothing for this long is cut off.
    pub write: Duration,
    /// How long running exchanges may go on once the gateway was told to stop.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(60),
            body: Duration::from_secs(60),
            write: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}
