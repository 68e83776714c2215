//! The user's words and rigz's answers.
//!
//! | module | holds |
//! |---|---|
//! | [`flags`] | the table of flags |
//! | `args` | command line and environment → options |
//! | `session`, `walk`, `turn` | all operands: folders, several at once, heard in order |
//! | `job`, `operand`, `compress`, `decompress`, `output` | one operand, from opening to removal |
//! | `list`, `report`, `text` | the table of `-l`; messages and exit status; names in them |

mod args;
mod compress;
mod decompress;
pub mod flags;
mod job;
mod list;
mod operand;
mod output;
mod report;
mod session;
mod text;
mod turn;
mod walk;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use args::{Environment, Request, UsageError};
pub use report::ExitStatus;
use session::Session;

use crate::error::os_text;
use crate::io::source::{self, Stdout};

/// Runs the program with the arguments `argv`, the program's name first; prints, and returns the exit status.
pub fn run(mut argv: impl Iterator<Item = OsString>) -> ExitStatus {
    source::reserve_standard_streams();
    let typed = argv.next().unwrap_or_default();
    let program = text::of(Path::new(Path::new(&typed).file_name().unwrap_or(OsStr::new("rigz"))));
    match args::parse(&program, Environment::of_process(), argv) {
        Ok(Request::Run(options)) => Session::new(program, *options).run(),
        Ok(Request::Print(text)) => print(&program, &text),
        Err(error) => refuse(&program, &error),
    }
}

/// `time`, in seconds since 1970, where the user is.
fn local_time(time: i64) -> Zoned {
    Timestamp::from_second(time).unwrap_or_default().to_zoned(TimeZone::system())
}

fn print(program: &str, text: &str) -> ExitStatus {
    match Stdout::open().and_then(|mut stdout| stdout.write_all(text.as_bytes())) {
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
