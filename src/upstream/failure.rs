//! Why a provider gave no usable answer.

use http::StatusCode;

use crate::coding;

/// Why a provider gave no usable answer. Texts name the provider's host and never a secret or a prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The host has no address.
    #[error("the host {host} could not be resolved")]
    Resolve {
        /// The host in `base_url`.
        host: String,
        /// The resolver's answer.
        source: std::io::Error,
    },
    /// The host resolves to addresses inside only.
    #[error(
        "the host {host} is at a private address, which needs allow_private: true for this provider"
    )]
    Private {
        /// The host in `base_url`.
        host: String,
    },
    /// No connection, or no TLS on it.
    #[error("no connection to {host}")]
    Connect {
        /// The host in `base_url`.
        host: String,
        /// What the operating system or the TLS library said.
        source: std::io::Error,
    },
    /// A step took too long.
    #[error("it took too long over {step}")]
    Timeout {
        /// The step.
        step: &'static str,
    },
    /// It answered with a redirect, which clients would follow with their key.
    #[error("it answered with a redirect ({status}), which is not followed")]
    Redirect {
        /// The redirect's status.
        status: StatusCode,
    },
    /// Its answer is not HTTP/1.1.
    #[error("its answer is not proper HTTP")]
    Protocol(#[source] Option<hyper::Error>),
    /// It closed a connection that had a request on it.
    #[error("it closed the connection without an answer")]
    Unanswered(#[source] hyper::Error),
    /// Its answer ended before its end.
    #[error("its answer broke off before its end")]
    Truncated,
    /// Its answer is compressed in a way that was not asked for and is not understood.
    #[error("its answer is compressed in a way that cannot be undone")]
    Encoding,
    /// Its answer is larger than allowed.
    #[error("its answer is larger than {limit} bytes, or grows beyond them when decompressed")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Whoever collects it has no room for it at the moment.
    #[error("there is no room for its answer at the moment")]
    NoRoom,
    /// The path or the credential cannot be put into a request.
    #[error("the request cannot be written: {0}")]
    Unwritable(&'static str),
}

impl From<coding::Problem> for Failure {
    fn from(problem: coding::Problem) -> Self {
        match problem {
            coding::Problem::Unknown | coding::Problem::Malformed => Self::Encoding,
            coding::Problem::Truncated => Self::Truncated,
            coding::Problem::TooLarge { limit } => Self::TooLarge { limit },
        }
    }
}

impl Failure {
    /// Whether it is a matter of time (504) rather than of the answer (502).
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// What came of a request that was sent.
    pub(super) fn from_exchange(error: hyper::Error) -> Self {
        if error.is_incomplete_message() {
            Self::Unanswered(error)
        } else {
            Self::Protocol(Some(error))
        }
    }

    pub(super) fn from_body(error: &hyper::Error) -> Self {
        if error.is_parse() {
            Self::Protocol(None)
        } else {
            Self::Truncated
        }
    }
}
