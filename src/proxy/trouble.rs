//! Why the gateway itself ends a realtime conversation, and what the client is told.

use std::borrow::Cow;

use super::ending::code;
use crate::audit::Outcome;

/// Why the gateway itself ends a conversation.
pub(super) struct Trouble {
    /// The status that an exchange over HTTP would have.
    pub(super) status: u16,
    /// In the error's `code` and the record's `reason`.
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
    pub(super) close: u16,
    pub(super) outcome: Outcome,
}

impl Trouble {
    const fn new(
        (status, close): (u16, u16),
        outcome: Outcome,
        code: &'static str,
        message: &'static str,
    ) -> Self {
        Self {
            status,
            code,
            message: Cow::Borrowed(message),
            close,
            outcome,
        }
    }
}

pub(super) const WITHDRAWN: Trouble = Trouble::new(
    (401, code::POLICY),
    Outcome::Cut,
    "key_withdrawn",
    "the key no longer works",
);
pub(super) const TOO_LONG: Trouble = Trouble::new(
    (408, code::GOING_AWAY),
    Outcome::Cut,
    "session_too_long",
    "the conversation has taken as long as it may; open another one",
);
pub(super) const IDLE: Trouble = Trouble::new(
    (408, code::GOING_AWAY),
    Outcome::Cut,
    "session_idle",
    "nobody has said anything for as long as the gateway waits",
);
pub(super) const BINARY: Trouble = Trouble::new(
    (400, code::UNSUPPORTED),
    Outcome::Blocked,
    "unsupported_data",
    "events are messages of text; binary ones are not passed on",
);
pub(super) const TOO_LARGE: Trouble = Trouble::new(
    (413, code::TOO_LARGE),
    Outcome::Blocked,
    "message_too_large",
    "the message is larger than the gateway takes (limits.max_body_bytes)",
);
pub(super) const NOT_TEXT: Trouble = Trouble::new(
    (400, code::NOT_TEXT),
    Outcome::Blocked,
    "invalid_text",
    "the message is not UTF-8",
);
pub(super) const MALFORMED: Trouble = Trouble::new(
    (400, code::PROTOCOL),
    Outcome::Blocked,
    "invalid_frame",
    "the frames are not those of RFC 6455",
);
pub(super) const BUSY: Trouble = Trouble::new(
    (503, code::TRY_AGAIN),
    Outcome::Failed,
    "overloaded",
    "the gateway holds as many bytes as it may; try again in a moment",
);
pub(super) const MODEL: Trouble = Trouble::new(
    (403, code::POLICY),
    Outcome::Blocked,
    "model_not_allowed",
    "the key may not use this model",
);
pub(super) const INTERNAL: Trouble = Trouble::new(
    (500, code::FAILED),
    Outcome::Failed,
    "internal_error",
    "the gateway has an internal error",
);
pub(super) const UNKNOWN_LEVEL: Trouble = Trouble::new(
    (503, code::TRY_AGAIN),
    Outcome::Failed,
    "sessions_unavailable",
    "the session's threat level cannot be told for now; try again in a moment",
);
