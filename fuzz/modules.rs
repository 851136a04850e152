//! The modules that fuzzing is for, as `src/lib.rs` has them: rows 0 to 4 of `docs/ARCHITECTURE.md`, and the vault.
#![allow(dead_code)]

#[path = "../src/diagnostic.rs"]
pub mod diagnostic;
#[path = "../src/document/mod.rs"]
pub mod document;
#[path = "../src/durable.rs"]
pub mod durable;
#[path = "../src/glob.rs"]
pub mod glob;
#[path = "../src/guard/mod.rs"]
pub mod guard;
#[path = "../src/policy/mod.rs"]
pub mod policy;
#[path = "../src/scan/mod.rs"]
pub mod scan;
#[path = "../src/secret.rs"]
pub mod secret;
#[path = "../src/text/mod.rs"]
pub mod text;
#[path = "../src/vault/mod.rs"]
pub mod vault;
#[path = "../src/wire/mod.rs"]
pub mod wire;
