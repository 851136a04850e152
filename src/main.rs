//! Arguments, run, exit code; nothing else.

use std::process::ExitCode;

// Linked in place of the system's allocator.
use mimalloc as _;

fn main() -> ExitCode {
    sluicegate::cli::main(std::env::args_os())
}
