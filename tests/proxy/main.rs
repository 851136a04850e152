//! The proxy from socket to socket, against a provider that misbehaves on demand.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise"
)]

mod bodies;
mod exchange;
mod faults;
mod smuggling;
mod transport;

#[path = "../support/mod.rs"]
mod support;
