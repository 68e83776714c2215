//! All operands of a call: one after the other, or several at once.
//!
//! Small files are worked on whole, some on each thread; what is printed for them is held back and
//! comes in the order of the operands ([`super::turn`]). Everything else has the threads for
//! itself: large files, which are split among them, standard input, and whatever might depend on
//! what became of an operand before it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{Mode, Options};
use super::job::{Done, Job, Shared};
use super::list::Table;
use super::report::{ExitStatus, Report, speak};
use super::text;
use super::turn::{Order, Part, Turn, Voice};
use super::walk::{Depth, Item, Items};
use crate::engine::{Threads, tasks};
use crate::error::Error;
use crate::format::gzip::{self, Header};
use crate::io::close::close_stdout;
use crate::io::source::Stdout;
use crate::plan::names;
use crate::plan::recipe::Recipe;

/// Everything that one call of the program works with.
pub(super) struct Session {
    shared: Shared,
    threads: Threads,
}

/// The end of the work before the end of the operands: nobody reads standard output any more.
struct Stop;

impl Session {
    pub(super) fn new(program: String, options: Options) -> Session {
        let recipe = Recipe::new(&options.wanted);
        let (suffix, threads) = (options.suffix(), Threads::new(options.processes));
        Session { shared: Shared { program, options, recipe, suffix }, threads }
    }

    /// Works on all operands; the failure of one does not keep the others from being tried.
    pub(super) fn run(mut self) -> ExitStatus {
        let operands = std::mem::take(&mut self.shared.options.operands);
        let mut printer = Printer::new(&self.shared);
        for remark in &self.shared.options.remarks {
            printer.report.remark(remark);
        }
        let has_totals = operands.len() > 1;
        if self.work(operands, &mut printer).is_ok() && has_totals {
            printer.totals();
        }
        printer.finish()
    }

    fn work(&self, operands: Vec<OsString>, printer: &mut Printer<'_>) -> Result<(), Stop> {
        let options = &self.shared.options;
        let has_several = options.recurses || operands.len() > 1;
        let depth = Depth {
            recurses: options.recurses,
            follows_links: options.follows_links(),
            replaces: !options.leaves_inputs_alone(),
        };
        let mut items = Items::new(operands, depth);
        while let Some(item) = items.next() {
            if let Item::Folder(folder) = item {
                items.enter(folder);
                continue;
            }
            let mut company = Company::new(&self.shared);
            if !has_several || !company.admits(&item) {
                printer.print(Job::new(&self.shared, &self.threads, None).run(&[item]))?;
                continue;
            }
            let mut group = vec![item];
            while !company.is_worth_threads()
                && let Some(item) = items.next_if(|item| company.admits(item))
            {
                group.push(item);
            }
            let threads = if company.is_worth_threads() { self.threads.get() } else { 1 };
            let next_group = || {
                let data_len = company.data_len;
                while group.len() < GROUP_ITEMS
                    && company.data_len - data_len < GROUP_DATA
                    && let Some(item) = items.next_if(|item| company.admits(item))
                {
                    group.push(item);
                }
                Some(std::mem::take(&mut group)).filter(|group| !group.is_empty())
            };
            self.work_side_by_side(threads, next_group, printer)?;
        }
        Ok(())
    }

    /// Works on all groups that `next_group` gives, each on one of `threads` threads.
    fn work_side_by_side(
        &self,
        threads: usize,
        mut next_group: impl FnMut() -> Option<Vec<Item>>,
        printer: &mut Printer<'_>,
    ) -> Result<(), Stop> {
        let alone = Threads::new(Some(1));
        let order = Order::default();
        let mut numbers = 0..;
        let produce = || Ok(next_group().zip(numbers.next()));
        let work = |(group, number): (Vec<Item>, usize)| {
            let turn = (threads > 1).then(|| Turn::new(&order, number));
            Job::new(&self.shared, &alone, turn).run(&group)
        };
        tasks::map(threads, produce, work, |done| {
            let printed = printer.print(done);
            match printed {
                Ok(()) => order.advance(),
                Err(Stop) => order.end(),
            }
            printed
        })
    }
}

/// A group is what one thread takes at a time: handing over costs about as much as working on a
/// tiny file.
const GROUP_ITEMS: usize = 16;
const GROUP_DATA: u64 = 256 << 10;

/// Files up to this length are not worth splitting as long as there are others.
const WHOLE_LEN: u64 = 1 << 20;

/// Fewer items than this, with less data than that, are done before threads have started.
const FEW_ITEMS: usize = 8;
const LITTLE_DATA: u64 = 128 << 10;

/// Enough to see most headers of members.
const HEADER_LEN: u64 = 512;

/// Names that are remembered before a new company is formed.
const MAX_NAMES: usize = 8192;

/// Items that may be worked on side by side, because none can see what becomes of another.
struct Company<'s> {
    shared: &'s Shared,
    items: usize,
    data_len: u64,
    /// Files that are read, removed or created: device and inode of the folder, and name.
    names: BTreeSet<(u64, u64, OsString)>,
    /// The folder of the file before, with its device and inode.
    folder: Option<(PathBuf, (u64, u64))>,
}

impl Company<'_> {
    fn new(shared: &Shared) -> Company<'_> {
        Company { shared, items: 0, data_len: 0, names: BTreeSet::new(), folder: None }
    }

    fn is_worth_threads(&self) -> bool {
        self.items >= FEW_ITEMS || (self.items > 1 && self.data_len >= LITTLE_DATA)
    }

    /// Takes in `item`, unless it must be worked on alone or has to wait for one of the others.
    fn admits(&mut self, item: &Item) -> bool {
        let admitted = match item {
            Item::Stdin | Item::Folder(_) => false,
            Item::Unreadable(..) => true,
            Item::File(path) => self.admits_file(path).unwrap_or(false),
        };
        self.items += usize::from(admitted);
        admitted
    }

    /// `None` if the system does not tell what has to be known.
    fn admits_file(&mut self, path: &Path) -> Option<bool> {
        let options = &self.shared.options;
        let itself = fs::symlink_metadata(path).ok()?;
        let metadata = match itself.is_symlink() {
            true if options.leaves_inputs_alone() => fs::metadata(path).ok()?,
            // Where links are replaced, what they lead to may be another operand.
            true => return Some(!options.force),
            false => itself,
        };
        if metadata.is_dir() {
            return Some(true);
        }
        if !metadata.is_file() || (metadata.len() > WHOLE_LEN && !self.is_for_one_thread(path)?) {
            return Some(false);
        }
        let is_free = options.leaves_inputs_alone() || self.reserve(path)?;
        self.data_len += metadata.len();
        Some(is_free)
    }

    /// Whether the large file at `path` keeps only one thread busy anyway: if it is one to be
    /// decoded whose members do not say their lengths.
    fn is_for_one_thread(&self, path: &Path) -> Option<bool> {
        let options = &self.shared.options;
        if options.mode == Mode::Compress || options.to_stdout {
            return Some(false);
        }
        let mut begin = Vec::new();
        File::open(path).ok()?.take(HEADER_LEN).read_to_end(&mut begin).ok()?;
        Some(matches!(gzip::read_header(&begin), Ok(Some(Header { member_len: None, .. }))))
    }

    /// Reserves the names of `path` and of what it becomes; false if one is taken, or not known.
    fn reserve(&mut self, path: &Path) -> Option<bool> {
        let options = &self.shared.options;
        let becomes = match options.mode {
            // The name will be found inside the file.
            Mode::Decompress if options.names == Some(true) => return Some(false),
            Mode::Decompress => self.shared.strip(path),
            _ => Some(self.shared.suffix.append(path)).filter(|path| !names::is_too_long(path)),
        };
        let (device, inode) = self.folder_of(path)?;
        let reserved = [path, becomes.as_deref()?].map(|path| path.file_name().map(OsStr::to_owned));
        for name in reserved {
            if self.names.len() >= MAX_NAMES || !self.names.insert((device, inode, name?)) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Device and inode of the folder of `path`.
    fn folder_of(&mut self, path: &Path) -> Option<(u64, u64)> {
        let parent = path.parent()?;
        match &self.folder {
            Some((folder, id)) if folder == parent => Some(*id),
            _ => {
                let place = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                let metadata = fs::metadata(place).ok()?;
                let id = (metadata.dev(), metadata.ino());
                self.folder = Some((parent.to_owned(), id));
                Some(id)
            }
        }
    }
}

/// Prints what jobs leave, in the order of the operands.
struct Printer<'s> {
    report: Report<'s>,
    table: Table,
}

impl<'s> Printer<'s> {
    fn new(shared: &'s Shared) -> Printer<'s> {
        let verbosity = shared.options.verbosity;
        let report = Report::new(&shared.program, verbosity, Arc::new(Voice::new(None)));
        let table = Table::new(report.is_verbose(), !report.is_quiet());
        Printer { report, table }
    }

    fn print(&mut self, done: Done) -> Result<(), Stop> {
        self.report.note(done.status);
        let mut written = Ok(());
        for part in done.parts {
            match part {
                Part::Stderr(text) => speak(&text),
                _ if written.is_err() => {}
                Part::Stdout(bytes) => written = self.write(&bytes),
                Part::Row(row) => {
                    let text = self.table.row(&row);
                    written = self.write(&text::to_bytes(&text));
                }
            }
        }
        if done.has_lost_stdout { Err(Stop) } else { written }
    }

    fn totals(&mut self) {
        if let Some(totals) = self.table.totals() {
            // The failure is in the report; there is nothing left to stop.
            let _ = self.write(totals.as_bytes());
        }
    }

    /// Closes standard output and returns how it all ended.
    fn finish(mut self) -> ExitStatus {
        if let Err(error) = close_stdout() {
            self.report.error("stdout", &Error::Write(error));
        }
        self.report.status
    }

    /// Writes to standard output.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if bytes.is_empty() {
            return Ok(());
        }
        Stdout::open().and_then(|mut stdout| stdout.write_all(bytes)).map_err(|error| {
            self.report.error("stdout", &Error::Write(error));
            Stop
        })
    }
}
