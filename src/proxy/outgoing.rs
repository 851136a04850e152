//! What is written to a client: a whole body, a stream under guard, or bytes passed on as the operator decided.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::body::Hold;
use super::passed::Passed;
use super::stream::Stream;
use crate::guard::Cleared;

/// The body of a response.
pub(super) enum Outgoing {
    /// All of it at once, and its part of the memory budget.
    Whole(Bytes, Option<Hold>),
    /// As it comes, through the guard.
    Stream(Box<Stream>),
    /// As it comes, unscanned.
    Passed(Box<Passed>),
}

impl Outgoing {
    /// Keeps a whole body's part of the memory budget until it is written.
    pub(super) fn keep(&mut self, part: Hold) {
        if let Self::Whole(_, hold) = self {
            *hold = Some(part);
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let data = match self.get_mut() {
            Self::Whole(bytes, _) => {
                let bytes = std::mem::take(bytes);
                (!bytes.is_empty()).then_some(Ok(bytes))
            }
            Self::Stream(stream) => ready!(stream.poll_data(cx)),
            Self::Passed(passed) => ready!(passed.poll_data(cx)),
        };
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes, _) => bytes.is_empty(),
            Self::Stream(stream) => stream.is_end(),
            Self::Passed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) | Self::Passed(_) => SizeHint::default(),
        }
    }
}

/// A whole response in JSON.
pub(super) fn json(
    status: StatusCode,
    body: Cleared,
    mut headers: HeaderMap,
) -> Response<Outgoing> {
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    whole(status, body, headers)
}

/// A whole response with these headers.
pub(super) fn whole(status: StatusCode, body: Cleared, headers: HeaderMap) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::Whole(body.into_bytes(), None));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
