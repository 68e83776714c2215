//! Where the output of an operand goes, and what happens when it is complete.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::args::Mode;
use super::job::{GivenUp, Job, Operand, Outcome};
use super::report::ExitStatus;
use super::text;
use super::turn::OrderedStdout;
use crate::error::{Error, os_text};
use crate::io::output::NewFile;
use crate::io::{signals, source};

/// Where the bytes go.
pub(super) enum Output<'s> {
    Stdout(OrderedStdout<'s>),
    /// A file, with its name in messages.
    File(NewFile, String),
    Nowhere,
}

impl Output<'_> {
    pub(super) fn writer(&mut self) -> Option<&mut (dyn Write + Send)> {
        match self {
            Output::Stdout(stdout) => Some(stdout),
            Output::File(file, _) => Some(file),
            Output::Nowhere => None,
        }
    }

    /// The name under which writing to it fails.
    pub(super) fn name(&self) -> &str {
        match self {
            Output::File(_, name) => name,
            Output::Stdout(_) | Output::Nowhere => "stdout",
        }
    }
}

impl<'s> Job<'s> {
    /// Creates the output file `path`; without one, what is written goes to standard output.
    /// The path comes back, shortened if it was too long.
    pub(super) fn output(
        &mut self,
        operand: &Operand<'_>,
        path: Option<PathBuf>,
    ) -> Outcome<(Output<'s>, Option<PathBuf>)> {
        match path {
            _ if matches!(self.shared.options.mode, Mode::Test | Mode::List) => Ok((Output::Nowhere, None)),
            Some(path) => self.create(operand, path).map(|(output, path)| (output, Some(path))),
            None => {
                let held = std::mem::take(&mut self.done.out);
                let opened = OrderedStdout::open(self.turn, held).map_err(Error::Write);
                self.done.has_lost_stdout = opened.is_err();
                self.judge(operand, "stdout", opened).map(|stdout| (Output::Stdout(stdout), None))
            }
        }
    }

    fn create(&mut self, operand: &Operand<'_>, mut path: PathBuf) -> Outcome<(Output<'s>, PathBuf)> {
        let mut created = NewFile::create(&path);
        if matches!(&created, Err(error) if error.kind() == io::ErrorKind::InvalidFilename)
            && let Some(shortened) =
                operand.path.and_then(|path| self.shared.suffix.append_to_shortened(path))
        {
            // With -v the new name is told at the end.
            if !self.report.is_verbose() {
                self.report.remark(&format!("{} compressed to {}", operand.name, text::of(&shortened)));
            }
            path = shortened;
            created = NewFile::create(&path);
        }
        let name = text::of(&path);
        if matches!(&created, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            if !self.may_overwrite(&name) {
                return Err(GivenUp);
            }
            // A stored name can be the input's own.
            if fs::symlink_metadata(&path).is_ok_and(|existing| operand.input.is_same_file(&existing)) {
                self.report.failure(&format!("{} and {name} are the same file", operand.name));
                return Err(GivenUp);
            }
            // Replaced, not written into: it may be a symlink or have other names.
            if let Err(error) = fs::remove_file(&path) {
                self.report.failure(&format!("{name}: {}", os_text(&error)));
                return Err(GivenUp);
            }
            created = NewFile::create(&path);
        }
        match created {
            Ok(file) => Ok((Output::File(file, name), path)),
            Err(error) => {
                self.report.error(&name, &Error::Create(error));
                Err(GivenUp)
            }
        }
    }

    /// Whether the existing file `name` may be replaced: with `-f`, or if a person says so.
    fn may_overwrite(&mut self, name: &str) -> bool {
        if self.shared.options.force {
            return true;
        }
        if self.reads_terminal() && !signals::ignores_interrupts() {
            self.report.take_turn();
            self.report.say(&format!(
                "{}: {name} already exists; do you wish to overwrite (y or n)? ",
                self.report.program()
            ));
            let mut answer = String::new();
            if io::stdin().read_line(&mut answer).is_ok() && answer.starts_with(['y', 'Y']) {
                return true;
            }
            self.report.note(ExitStatus::Warning);
            self.report.say("\tnot overwritten\n");
        } else {
            self.report.loud_warning(&format!("{name} already exists;\tnot overwritten"));
        }
        false
    }

    pub(super) fn reads_terminal(&self) -> bool {
        self.shared.options.presumes_terminal || source::stdin_is_terminal()
    }

    /// Completes the output; if it is a file, removes the input that it replaces unless that is
    /// `kept`.
    pub(super) fn commit(
        &mut self,
        operand: &Operand<'_>,
        output: Output<'s>,
        mtime: Option<u32>,
        kept: bool,
    ) -> Outcome {
        let synchronize = self.shared.options.synchronizes;
        match output {
            Output::Nowhere => Ok(()),
            Output::Stdout(mut stdout) => {
                let result = if synchronize { stdout.synchronize() } else { Ok(()) };
                self.done.out = stdout.take_held();
                self.judge(operand, "stdout", result.map_err(Error::Write))
            }
            Output::File(file, name) => {
                let committed =
                    file.commit(&operand.input.metadata, mtime, synchronize).map_err(Error::Write);
                self.judge(operand, &name, committed)?;
                match operand.path {
                    Some(path) if !kept => fs::remove_file(path).map_err(|error| {
                        self.report.failure(&format!("{}: {}", operand.name, os_text(&error)));
                        GivenUp
                    }),
                    _ => Ok(()),
                }
            }
        }
    }
}
