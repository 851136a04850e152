//! What gateways keep and share: real PostgreSQL and Redis servers, started here on free ports and stopped in mid-load.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise"
)]
#![expect(unreachable_pub, reason = "nothing outside this crate sees it")]

mod kept;
mod keys;
mod levels;
mod limits;
mod redis;
mod servers;
mod spend;
