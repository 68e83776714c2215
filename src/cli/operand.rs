//! One operand from opening to removal.
//!
//! The order is gzip's, because scripts see it: open; refuse what must not be touched; find the
//! output's name; create the output; work; give it the input's attributes; remove the input.
//! Whatever fails, the output is removed again (by [`NewFile`](crate::io::output::NewFile)) and
//! the input stays.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::args::Mode;
use super::job::{Done, GivenUp, Job, Operand, Outcome};
use super::output::Output;
use super::text;
use super::walk::Item;
use crate::error::{Error, os_text};
use crate::io::source::{self, Input};

/// Regular files up to this length are read; longer ones are mapped (for decoding) or read by
/// the workers (for encoding). A map costs more than it saves on a small file.
pub(super) const SMALL_LEN: u64 = 128 << 10;

impl Job<'_> {
    /// Works on `items`. The failure of one does not keep the others from being tried.
    pub(super) fn run(mut self, items: &[Item]) -> Done {
        for item in items {
            let _ = match item {
                Item::Stdin => self.stdin(),
                Item::File(path) | Item::Folder(path) => self.file(path),
                Item::Unreadable(path, reason) => {
                    self.report.failure(&format!("{}: {reason}", text::of(path)));
                    Err(GivenUp)
                }
            };
            if self.done.has_lost_stdout {
                break;
            }
        }
        self.done.status = self.report.status;
        self.done.parts = self.voice.take_held();
        self.done
    }

    fn stdin(&mut self) -> Outcome {
        self.refuse_terminal()?;
        let input = Input::stdin().map_err(|error| {
            self.report.failure(&format!("standard input: {}", os_text(&error)));
            GivenUp
        })?;
        self.operand(&Operand { input, name: "stdin".to_owned(), path: None })
    }

    /// Compressed data are not for terminals, in either direction.
    fn refuse_terminal(&mut self) -> Outcome {
        let compresses = self.shared.options.mode == Mode::Compress;
        let is_terminal = self.shared.options.presumes_terminal
            || if compresses { source::stdout_is_terminal() } else { source::stdin_is_terminal() };
        if self.shared.options.force || self.shared.options.mode == Mode::List || !is_terminal {
            return Ok(());
        }
        let (what, de) = if compresses { ("written to", "") } else { ("read from", "de") };
        let program = self.report.program().to_owned();
        self.report.failure(&format!(
            "compressed data not {what} a terminal. Use -f to force {de}compression.\nFor help, type: {program} -h"
        ));
        Err(GivenUp)
    }

    fn file(&mut self, path: &Path) -> Outcome {
        let (path, opened) = self.open(path);
        let name = text::of(&path);
        let input = opened.map_err(|error| {
            self.report.failure(&format!("{name}: {}", os_text(&error)));
            GivenUp
        })?;
        let operand = Operand { input, name, path: Some(&path) };
        self.refuse_kind(&operand)?;
        self.operand(&operand)
    }

    /// Opens `path` or, to decompress, the first of the names with a suffix that exists.
    fn open(&self, path: &Path) -> (PathBuf, io::Result<Input>) {
        let (follow, wait) = (self.shared.options.follows_links(), self.leaves_inputs_alone());
        let opened = Input::open(path, follow, wait);
        let is_missing = matches!(&opened, Err(error) if error.kind() == io::ErrorKind::NotFound);
        if self.shared.options.mode == Mode::Compress
            || !is_missing
            || self.shared.suffix.found_in(path).is_some()
        {
            return (path.to_owned(), opened);
        }
        let mut alternatives = self.shared.suffix.alternatives(path);
        for alternative in &alternatives {
            match Input::open(alternative, follow, wait) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return (alternative.clone(), opened),
            }
        }
        (alternatives.swap_remove(0), opened)
    }

    /// Whether inputs are only read: output goes to stdout or nowhere.
    pub(super) fn leaves_inputs_alone(&self) -> bool {
        self.shared.options.leaves_inputs_alone()
    }

    /// Refuses what cannot be replaced by another file without loss.
    fn refuse_kind(&mut self, operand: &Operand<'_>) -> Outcome {
        let (name, metadata) = (&operand.name, &operand.input.metadata);
        let refusal = if metadata.is_dir() {
            Some(format!("{name} is a directory -- ignored"))
        } else if self.leaves_inputs_alone() {
            None
        } else if !metadata.is_file() {
            Some(format!("{name} is not a directory or a regular file - ignored"))
        } else if metadata.mode() & libc::S_ISUID != 0 {
            Some(format!("{name} is set-user-ID on execution - ignored"))
        } else if metadata.mode() & libc::S_ISGID != 0 {
            Some(format!("{name} is set-group-ID on execution - ignored"))
        } else if self.shared.options.force {
            None
        } else if metadata.mode() & libc::S_ISVTX != 0 {
            Some(format!("{name} has the sticky bit set - file ignored"))
        } else if metadata.nlink() > 1 {
            let others = metadata.nlink() - 1;
            Some(format!(
                "{name} has {others} other link{} -- file ignored",
                if others == 1 { "" } else { "s" }
            ))
        } else {
            None
        };
        match refusal {
            None => Ok(()),
            Some(text) => {
                self.report.warning(&text);
                Err(GivenUp)
            }
        }
    }

    fn operand(&mut self, operand: &Operand<'_>) -> Outcome {
        match self.shared.options.mode {
            Mode::Compress => self.compress(operand),
            Mode::Decompress | Mode::Test | Mode::List => self.decompress(operand),
        }
    }

    /// Reports a failed job under the name of the side that failed. What it wrote to standard
    /// output before stays written.
    pub(super) fn settle<T>(
        &mut self,
        operand: &Operand<'_>,
        output: &mut Output<'_>,
        result: Result<T, Error>,
    ) -> Outcome<T> {
        if let (Output::Stdout(_), Err(error)) = (&*output, &result) {
            self.done.has_lost_stdout = matches!(error, Error::Write(_));
        }
        let result = result.map_err(|error| match (error, &output) {
            (Error::Corrupt, Output::File(file, _)) if !file.is_empty() => Error::CorruptFile,
            (error, _) => error,
        });
        self.judge(operand, output.name(), result)
    }

    pub(super) fn judge<T>(
        &mut self,
        operand: &Operand<'_>,
        output_name: &str,
        result: Result<T, Error>,
    ) -> Outcome<T> {
        result.map_err(|error| {
            let name = if matches!(error, Error::Write(_)) { output_name } else { &operand.name };
            self.report.error(name, &error);
            GivenUp
        })
    }

    /// With `-v`, begins the line that says what becomes of the operand: its name and a tab.
    pub(super) fn announce(&mut self, operand: &Operand<'_>) {
        if self.report.is_verbose() && operand.path.is_some() {
            self.report.say(&format!("{}:\t", operand.name));
        }
    }

    /// Ends that line: ` 53.6% -- replaced with f.gz`. For standard input there is only the first part.
    pub(super) fn tell(&mut self, operand: &Operand<'_>, target: Option<&Path>, percent: &str) {
        let (verb, to) = match target {
            Some(path) if self.shared.options.keep => ("created", text::of(path)),
            Some(path) => ("replaced with", text::of(path)),
            None if self.shared.options.keep => ("created", "stdout".to_owned()),
            None => ("replaced with", "stdout".to_owned()),
        };
        match operand.path {
            Some(_) => self.report.say(&format!("{percent} -- {verb} {to}\n")),
            None => self.report.say(&format!("{percent}\n")),
        }
    }
}
