//! The proxy from socket to socket, against a provider that misbehaves on demand.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and a table of cases is as long as it is"
)]

mod bodies;
mod credentials;
mod exchange;
mod faults;
mod limits;
mod models;
mod realtime;
mod sessions;
mod smuggling;
mod stored;
mod transport;

#[path = "../support/model.rs"]
mod model;
#[path = "../support/mod.rs"]
mod support;
