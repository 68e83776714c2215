//! The user's words and rigz's answers.
//!
//! `args` reads the command line, `operand` carries out one operand, `list` prints what `-l`
//! asks for, `report` says on stderr what happened and remembers the exit status.

mod args;
mod list;
mod operand;
mod report;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use args::{Request, UsageError};
use operand::Session;
pub use report::ExitStatus;
use report::Report;

use crate::error::os_text;

/// Runs the program with the arguments `argv`, the program's name first; prints, and returns the exit status.
pub fn run(mut argv: impl Iterator<Item = OsString>) -> ExitStatus {
    let program = argv.next().unwrap_or_default();
    let program =
        Path::new(&program).file_name().unwrap_or(OsStr::new("rigz")).to_string_lossy().into_owned();
    match args::parse(&program, argv) {
        Ok(Request::Run(options)) => Session::new(*options, Report::new(program)).run(),
        Ok(Request::Print(text)) => print(&program, &text),
        Err(error) => refuse(&program, &error),
    }
}

fn print(program: &str, text: &str) -> ExitStatus {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitStatus::Ok,
        Err(error) => {
            let _ = writeln!(io::stderr(), "\n{program}: stdout: {}", os_text(&error));
            ExitStatus::Error
        }
    }
}

fn refuse(program: &str, error: &UsageError) -> ExitStatus {
    let _ = writeln!(io::stderr(), "{program}: {error}");
    if matches!(error, UsageError::Words(_)) {
        let _ = writeln!(io::stderr(), "Try `{program} --help' for more information.");
    }
    ExitStatus::Error
}
