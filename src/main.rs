//! The `rigz` program: arguments in, exit status out.

use std::process::ExitCode;

fn main() -> ExitCode {
    rigz::cli::run(std::env::args_os())
}
