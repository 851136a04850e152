//! Arguments, run, exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluicegate::cli::main(std::env::args_os())
}
