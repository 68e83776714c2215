//! Where the output of an operand goes, and what happens when it is complete.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Mode;
use super::job::{GivenUp, Job, Operand, Outcome};
use super::report::ExitStatus;
use super::text;
use super::turn::OrderedStdout;
use crate::error::{Error, os_text};
use crate::io::output::NewFile;
use crate::io::{signals, source};
use crate::plan::names;

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
                let opened = OrderedStdout::open(Arc::clone(&self.voice)).map_err(Error::Write);
                self.done.has_lost_stdout = opened.is_err();
                self.judge(operand, "stdout", opened).map(|stdout| (Output::Stdout(stdout), None))
            }
        }
    }

    fn create(&mut self, operand: &Operand<'_>, mut path: PathBuf) -> Outcome<(Output<'s>, PathBuf)> {
        let mut created = NewFile::create(&path);
        let mut was_cut = false;
        while matches!(&created, Err(error) if error.kind() == io::ErrorKind::InvalidFilename)
            && let Some(shorter) = self.shorter(operand, &path)
        {
            path = shorter;
            was_cut = true;
            created = NewFile::create(&path);
        }
        let name = text::of(&path);
        if matches!(&created, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            if !self.may_overwrite(&name) {
                return Err(GivenUp);
            }
            if is_own_name(operand, &path) {
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
        let file = created.map_err(|error| {
            self.report.error(&name, &Error::Create(error));
            GivenUp
        })?;
        if was_cut && self.shared.options.mode == Mode::Decompress {
            self.report.warning(&format!("{name}: warning, name truncated"));
        } else if was_cut && !self.report.is_verbose() {
            // With -v the new name is told at the end.
            self.report.remark(&format!("{} compressed to {name}", operand.name));
        }
        Ok((Output::File(file, name), path))
    }

    /// A shorter name for the output than `path`, which is too long.
    fn shorter(&self, operand: &Operand<'_>, path: &Path) -> Option<PathBuf> {
        if self.shared.options.mode == Mode::Decompress {
            return names::cut(path);
        }
        let shorter = operand.path.and_then(|input| self.shared.suffix.append_to_shortened(input));
        shorter.filter(|shorter| shorter != path)
    }

    /// Whether the existing file `name` may be replaced: with `-f`, or if a person says so.
    fn may_overwrite(&mut self, name: &str) -> bool {
        if self.shared.options.force {
            return true;
        }
        if self.reads_terminal() && !signals::ignores_interrupts() {
            // If nobody listens any more the answer is not heard either.
            let _ = self.voice.take_turn();
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

    /// Fails if the input is to be removed and has data behind `end`, which are not in the output.
    pub(super) fn demand_whole(&self, operand: &Operand<'_>, end: u64) -> Result<(), Error> {
        let is_removed = operand.path.is_some() && !self.shared.options.keep && !self.leaves_inputs_alone();
        if is_removed && operand.input.has_behind(end) { Err(Error::Grew) } else { Ok(()) }
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
                self.judge(operand, "stdout", result.map_err(Error::Write))
            }
            Output::File(file, name) => {
                for error in file.adopt(&operand.input.metadata, mtime) {
                    self.report.warning(&format!("{name}: {}", os_text(&error)));
                }
                self.judge(operand, &name, file.commit(synchronize).map_err(Error::Write))?;
                if let Some(path) = operand.path.filter(|_| !kept)
                    && let Err(error) = fs::remove_file(path)
                {
                    self.report.warning(&format!("{}: {}", operand.name, os_text(&error)));
                }
                Ok(())
            }
        }
    }
}

/// Whether `path` is the very name of the input, as a stored name can be. Another name of the same
/// file is not: it can go.
fn is_own_name(operand: &Operand<'_>, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|existing| {
        // File systems that ignore case know one name by several.
        let has_other_name =
            existing.nlink() > 1 && operand.path.and_then(Path::file_name) != path.file_name();
        operand.input.is_same_file(&existing) && !has_other_name
    })
}
