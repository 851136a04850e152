//! Pooled connections that the provider had closed before a request came.
//!
//! A provider may close an idle connection without saying so. Where that is known before the request is written, nothing was lost. But mostly
//! the news comes when it has been written: then the connection ends at once and without an answer, and the request goes out again, once. A provider
//! that had read it and hung up as fast gets it twice, which is rarer than the other. What ends later is not sent twice.

use std::error::Error as _;
use std::io::{Error, ErrorKind};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Outgoing, Unanswered};

/// The news of a connection's end takes one way to the provider and back.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The same request, for another connection.
pub(super) fn copy(request: &Outgoing) -> Outgoing {
    let mut copy = Outgoing::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Whether a connection on which a request was `sent` ended as one does that had been closed before.
pub(super) fn is_stale(failed: &Unanswered, sent: Instant) -> bool {
    let ended = match failed {
        Unanswered::Untouched(_) => false,
        Unanswered::Closed => true,
        Unanswered::Failed(error) => {
            let cause = error
                .source()
                .and_then(|cause| cause.downcast_ref::<Error>());
            error.is_incomplete_message() || cause.is_some_and(is_end)
        }
    };
    ended && sent.elapsed() < AT_ONCE
}

fn is_end(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
    )
}
