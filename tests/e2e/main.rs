//! The whole program, driven as its users drive it: by its command line, raw HTTP and the real SDKs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise"
)]
#![expect(
    clippy::too_many_lines,
    reason = "a test tells one story, which starting a gateway begins"
)]
#![expect(unreachable_pub, reason = "nothing outside this crate sees it")]

mod cli;
mod cluster;
mod crash;
mod gateway;
mod http;
mod readme;
mod sdk;
mod soak;

#[path = "../state/servers.rs"]
#[expect(dead_code, reason = "other tests do more with these servers")]
mod servers;
