//! What an operator sees of a running gateway: log lines without secrets, and metrics.

mod log;
mod metrics;
mod redact;

pub use log::{Config, Format, InvalidFilter, start};
pub use metrics::{Direction, Ended, Metrics};
pub use redact::{Redactor, redact};
