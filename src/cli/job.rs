//! A job: the work on some of a call's items, and what it leaves to be printed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Options;
use super::report::{ExitStatus, Report};
use super::turn::{Part, Turn, Voice};
use crate::engine::Threads;
use crate::io::source::Input;
use crate::plan::names::Suffix;
use crate::plan::recipe::Recipe;

/// What all jobs of a call have in common.
pub(super) struct Shared {
    pub(super) program: String,
    pub(super) options: Options,
    pub(super) recipe: Recipe,
    pub(super) suffix: Suffix,
}

impl Shared {
    /// The name of what is inside `path`, as its suffix tells.
    pub(super) fn strip(&self, path: &Path) -> Option<PathBuf> {
        // Whoever walks through folders does not expect archives to be taken apart.
        self.suffix.strip(path, !self.options.recurses)
    }
}

/// Why an operand was given up; the report has been made.
pub(super) struct GivenUp;

pub(super) type Outcome<T = ()> = Result<T, GivenUp>;

/// An operand whose input is open.
pub(super) struct Operand<'p> {
    pub(super) input: Input,
    /// Its name in messages.
    pub(super) name: String,
    /// `None` for standard input.
    pub(super) path: Option<&'p Path>,
}

/// The work on items, one after the other.
pub(super) struct Job<'s> {
    pub(super) shared: &'s Shared,
    pub(super) threads: &'s Threads,
    pub(super) report: Report<'s>,
    /// For standard output; that of `report`.
    pub(super) voice: Arc<Voice<'s>>,
    /// What became of them.
    pub(super) done: Done,
}

/// What a finished job leaves to be printed, and how it ended.
#[derive(Default)]
pub(super) struct Done {
    pub(super) status: ExitStatus,
    /// What is to be printed.
    pub(super) parts: Vec<Part>,
    /// Whether standard output takes no more, so that going on is in vain.
    pub(super) has_lost_stdout: bool,
}

impl<'s> Job<'s> {
    /// A job on `threads`; one that runs beside others waits for its `turn` to be heard.
    pub(super) fn new(shared: &'s Shared, threads: &'s Threads, turn: Option<Turn<'s>>) -> Job<'s> {
        let voice = Arc::new(Voice::new(turn));
        let report = Report::new(&shared.program, shared.options.verbosity, Arc::clone(&voice));
        Job { shared, threads, report, voice, done: Done::default() }
    }
}
