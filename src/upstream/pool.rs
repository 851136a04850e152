//! Idle connections of one provider, most recently used first.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;

/// Idle connections, at most `limit` of them, none older than `timeout`.
pub(super) struct Pool {
    idle: Mutex<Vec<(Instant, Box<Connection>)>>,
    limit: usize,
    timeout: Duration,
}

impl Pool {
    pub(super) fn new(limit: usize, timeout: Duration) -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
            limit,
            timeout,
        }
    }

    /// A connection that was still open when asked just now.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        loop {
            let (since, mut connection) = self.lock().pop()?;
            // Nobody polls an idle connection, so what the provider did meanwhile (a close, mostly) shows only now.
            connection.drive(&mut Context::from_waker(Waker::noop()));
            if since.elapsed() < self.timeout && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose exchange is over, if another can follow.
    pub(super) fn put(&self, connection: Box<Connection>) {
        let mut idle = self.lock();
        if idle.len() < self.limit {
            idle.push((Instant::now(), connection));
        }
    }

    /// Closes connections that rested too long. Called now and then, so that idle gateways hold no sockets.
    pub(super) fn sweep(&self) {
        self.lock()
            .retain(|(since, _)| since.elapsed() < self.timeout);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Box<Connection>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
