//! Sluicegate: a streaming firewall for LLM traffic.
//!
//! A request's journey, which is also the order to read the modules in: [`proxy`] accepts it and finds its route, [`auth`]
//! and [`limit`] admit it, [`guard`] inspects the body ([`wire`] finds the text, [`text`] makes views of it, [`scan`] finds
//! things in the views, [`policy`] decides), [`vault`] opens one credential, [`upstream`] sends, [`guard`] inspects the
//! answer while it streams, and [`audit`] and [`telemetry`] keep the record.

pub mod admin;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod coding;
pub mod config;
pub mod diagnostic;
pub mod document;
pub mod durable;
pub mod echo;
pub mod glob;
pub mod guard;
pub mod judge;
pub mod kept;
pub mod limit;
pub mod policy;
pub mod proxy;
pub mod rate;
pub mod scan;
pub mod secret;
pub mod serve;
pub mod shared;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod upstream;
pub mod vault;
pub mod wire;
