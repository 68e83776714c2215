//! What is said on stderr, and the exit status that follows from it.

use std::io::{self, Write};
use std::sync::Arc;

use super::args::Verbosity;
use super::text;
use super::turn::Voice;
use crate::error::Error;

/// How a run ended; the worse of two wins: ok < warning < error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// All is well: 0.
    #[default]
    Ok,
    /// Something was left alone or ignored: 2.
    Warning,
    /// Something failed: 1.
    Error,
}

impl From<ExitStatus> for i32 {
    fn from(status: ExitStatus) -> i32 {
        match status {
            ExitStatus::Ok => 0,
            ExitStatus::Warning => 2,
            ExitStatus::Error => 1,
        }
    }
}

/// The voice of the program on stderr. What cannot be written there is lost: there is nowhere
/// left to complain.
pub(super) struct Report<'s> {
    program: &'s str,
    verbosity: Verbosity,
    pub(super) status: ExitStatus,
    voice: Arc<Voice<'s>>,
}

impl<'s> Report<'s> {
    /// A report that is made with `voice`.
    pub(super) fn new(program: &'s str, verbosity: Verbosity, voice: Arc<Voice<'s>>) -> Report<'s> {
        Report { program, verbosity, status: ExitStatus::Ok, voice }
    }

    pub(super) fn program(&self) -> &str {
        self.program
    }

    pub(super) fn is_verbose(&self) -> bool {
        self.verbosity >= Verbosity::Verbose
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// The operand `name` failed.
    pub(super) fn error(&mut self, name: &str, error: &Error) {
        // With SIGPIPE ignored, a reader that has seen enough is worth a warning only.
        let is_warning = error.is_broken_pipe();
        self.note(if is_warning { ExitStatus::Warning } else { ExitStatus::Error });
        if is_warning && self.is_quiet() {
            return;
        }
        let blank = if error.follows_blank_line() { "\n" } else { "" };
        for line in error.lines(name) {
            self.say(&format!("{blank}{}: {line}\n", self.program));
        }
    }

    /// Something failed outside the data: `text` is the whole message after the program's name.
    pub(super) fn failure(&mut self, text: &str) {
        self.note(ExitStatus::Error);
        self.say(&format!("{}: {text}\n", self.program));
    }

    /// Something deserves a warning, which `-q` hides, but not from the exit status.
    pub(super) fn warning(&mut self, text: &str) {
        self.note(ExitStatus::Warning);
        self.remark(text);
    }

    /// A warning that even `-q` shows.
    pub(super) fn loud_warning(&mut self, text: &str) {
        self.note(ExitStatus::Warning);
        self.say(&format!("{}: {text}\n", self.program));
    }

    /// A remark that does not change the exit status.
    pub(super) fn remark(&mut self, text: &str) {
        if !self.is_quiet() {
            self.say(&format!("{}: {text}\n", self.program));
        }
    }

    /// Remembers `status` if it is the worst so far.
    pub(super) fn note(&mut self, status: ExitStatus) {
        self.status = self.status.max(status);
    }

    /// Prints `text` as it is.
    pub(super) fn say(&mut self, text: &str) {
        self.voice.say(&text::to_bytes(text));
    }
}

/// Writes `text` to stderr.
pub(super) fn speak(text: &[u8]) {
    let _ = io::stderr().write_all(text);
}

/// The part of `data_len` bytes that compression saved, as gzip prints it: `overhead`, the bytes of
/// header and trailer, does not count against it.
pub(super) fn percent_saved(data_len: u64, packed_len: u64, overhead: u64) -> String {
    percent(i128::from(data_len) - (i128::from(packed_len) - i128::from(overhead)), data_len)
}

/// The part of `whole` that `saved` is, as gzip prints it.
fn percent(saved: i128, whole: u64) -> String {
    let ratio = if whole == 0 { 0.0 } else { 100.0 * saved as f64 / whole as f64 };
    format!("{ratio:5.1}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_win_over_warnings() {
        assert!(ExitStatus::Ok < ExitStatus::Warning && ExitStatus::Warning < ExitStatus::Error);
    }

    #[test]
    fn percentages_have_one_decimal() {
        assert_eq!(percent(536, 1000), " 53.6%");
        assert_eq!(percent(-2, 3), "-66.7%");
        assert_eq!(percent(5, 0), "  0.0%");
    }
}
