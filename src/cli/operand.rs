//! One operand from opening to removal, and the loop over all of them.
//!
//! The order is gzip's, because scripts see it: open; refuse what must not be touched; find the
//! output's name; create the output; work; give it the input's attributes; remove the input.
//! Whatever fails, the output is removed again (by [`NewFile`]) and the input stays.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::args::{Mode, Options, Verbosity};
use super::list::{Row, Table};
use super::report::{ExitStatus, Report, percent};
use crate::engine::Threads;
use crate::engine::compress::{self, Source, compress};
use crate::engine::decompress::{self, Header, Settings, Tail, decompress, first_header};
use crate::error::{Error, os_text};
use crate::format::gzip::{FIXED_HEADER_LEN, NewHeader, TRAILER_LEN};
use crate::io::input;
use crate::io::map::Map;
use crate::io::output::NewFile;
use crate::io::signals;
use crate::io::source::{self, Input, Stdout};
use crate::plan::names;
use crate::plan::recipe::{Format, Recipe, Wanted};

/// Regular files up to this length are read; longer ones are mapped (for decoding) or read by
/// the workers (for encoding). A map costs more than it saves on a small file.
const SMALL_LEN: u64 = 128 << 10;

/// Everything that one call of the program works with.
pub(super) struct Session {
    options: Options,
    recipe: Recipe,
    threads: Threads,
    report: Report,
    table: Table,
    has_lost_stdout: bool,
    /// The contents of small files, one after the other.
    small: Vec<u8>,
}

/// Why an operand was given up; the report has been made.
struct GivenUp;

type Outcome<T = ()> = Result<T, GivenUp>;

/// An operand whose input is open.
struct Operand<'p> {
    input: Input,
    /// Its name in messages.
    name: String,
    /// `None` for standard input.
    path: Option<&'p Path>,
}

impl Session {
    pub(super) fn new(options: Options, mut report: Report) -> Session {
        report.verbosity = options.verbosity;
        let recipe = Recipe::new(&Wanted {
            level: options.level,
            format: if options.is_bgzf { Format::Bgzf } else { Format::Gzip },
            block_len: options.block_len,
            ..Wanted::default()
        });
        let has_frame = options.verbosity != Verbosity::Quiet;
        let table = Table::new(options.verbosity == Verbosity::Verbose, has_frame);
        let threads = Threads::new(options.processes);
        Session { options, recipe, threads, report, table, has_lost_stdout: false, small: Vec::new() }
    }

    /// Works on all operands; the failure of one does not keep the others from being tried.
    pub(super) fn run(mut self) -> ExitStatus {
        let operands = std::mem::take(&mut self.options.operands);
        if operands.is_empty() {
            let _ = self.stdin();
        }
        for operand in &operands {
            let _ = if operand == "-" { self.stdin() } else { self.file(Path::new(operand)) };
        }
        if let Some(totals) = self.table.totals() {
            self.print(&totals);
        }
        self.report.status
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
        let compresses = self.options.mode == Mode::Compress;
        let is_terminal = if compresses { source::stdout_is_terminal() } else { source::stdin_is_terminal() };
        if self.options.force || self.options.mode == Mode::List || !is_terminal {
            return Ok(());
        }
        let (what, de) = if compresses { ("written to", "") } else { ("read from", "de") };
        self.report.failure(&format!(
            "compressed data not {what} a terminal. Use -f to force {de}compression.\nFor help, type: rigz -h"
        ));
        Err(GivenUp)
    }

    fn file(&mut self, path: &Path) -> Outcome {
        let follow = self.leaves_inputs_alone() || self.options.force;
        let (path, opened) = self.open(path, follow);
        let name = path.to_string_lossy().into_owned();
        let input = opened.map_err(|error| {
            self.report.failure(&format!("{name}: {}", os_text(&error)));
            GivenUp
        })?;
        let operand = Operand { input, name, path: Some(&path) };
        self.refuse_kind(&operand)?;
        self.operand(&operand)
    }

    /// Opens `path` or, to decompress, the first of the names with a suffix that exists.
    fn open(&self, path: &Path, follow: bool) -> (PathBuf, io::Result<Input>) {
        let opened = Input::open(path, follow);
        let is_missing = matches!(&opened, Err(error) if error.kind() == io::ErrorKind::NotFound);
        if self.options.mode == Mode::Compress || !is_missing || self.options.suffix.found_in(path).is_some()
        {
            return (path.to_owned(), opened);
        }
        let mut alternatives = self.options.suffix.alternatives(path);
        for alternative in &alternatives {
            match Input::open(alternative, follow) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return (alternative.clone(), opened),
            }
        }
        (alternatives.swap_remove(0), opened)
    }

    /// Whether inputs are only read: output goes to stdout or nowhere.
    fn leaves_inputs_alone(&self) -> bool {
        self.options.to_stdout || matches!(self.options.mode, Mode::Test | Mode::List)
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
        } else if self.options.force {
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
        match self.options.mode {
            Mode::Compress => self.compress(operand),
            Mode::Decompress | Mode::Test | Mode::List => self.decompress(operand),
        }
    }

    fn compress(&mut self, operand: &Operand<'_>) -> Outcome {
        let target = match operand.path.filter(|_| !self.options.to_stdout) {
            None => None,
            Some(path) => {
                if let Some(found) = self.options.suffix.found_in(path).filter(|_| !self.options.force) {
                    let found = found.to_string_lossy();
                    self.report.remark(&format!("{} already has {found} suffix -- unchanged", operand.name));
                    return Err(GivenUp);
                }
                Some(self.options.suffix.append(path))
            }
        };
        let header = self.new_header(operand);
        let overhead =
            (FIXED_HEADER_LEN + header.name.as_ref().map_or(0, |name| name.len() + 1) + TRAILER_LEN) as u64;
        let mut output = self.output(operand, target.as_deref())?;
        let result = self.encode(&operand.input, &header, &mut output);
        let totals = self.settle(operand, &output, result)?;
        self.commit(operand, output, None)?;
        if self.report.is_verbose() {
            let saved = i128::from(totals.read) - (i128::from(totals.written) - i128::from(overhead));
            self.tell(operand, target.as_deref(), &percent(saved, totals.read));
        }
        Ok(())
    }

    fn encode(
        &self,
        input: &Input,
        header: &NewHeader,
        output: &mut Output,
    ) -> Result<compress::Totals, Error> {
        let mut reader = input.reader();
        // Small files are read to their end, whatever their length is said to be: in /proc and
        // /sys it is not the truth.
        let source = match input.regular_len() {
            Some(len) if len > SMALL_LEN => Source::File { file: &input.file, start: input.start, len },
            _ => Source::Stream(&mut reader),
        };
        let is_file = matches!(source, Source::File { .. });
        let totals = compress(
            source,
            output.writer().expect("compressed data go somewhere"),
            &self.recipe,
            header,
            &self.threads,
        )?;
        if is_file {
            input.leave_at(input.start + totals.read);
        }
        Ok(totals)
    }

    /// The first member's header: name and time of a file, the time of a redirected file, nothing
    /// of a pipe.
    fn new_header(&mut self, operand: &Operand<'_>) -> NewHeader {
        let mut header = NewHeader { xfl: self.options.level.xfl(), ..NewHeader::default() };
        if self.options.names == Some(false) {
            return header;
        }
        header.name = operand.path.and_then(Path::file_name).map(|name| name.as_bytes().to_vec());
        if let Some(mtime) = operand.input.mtime() {
            match u32::try_from(mtime) {
                Ok(1..) => header.mtime = mtime,
                _ => {
                    self.report.warning(&format!(
                        "{}: warning: file timestamp out of range for gzip format",
                        operand.name
                    ));
                }
            }
        }
        header
    }

    /// Loads or maps what is to be decoded, if it is a regular file.
    fn content(&mut self, operand: &Operand<'_>) -> Outcome<Content> {
        let Input { file, start, .. } = &operand.input;
        match operand.input.regular_len() {
            None | Some(0) => Ok(Content::Stream(Vec::new())),
            Some(1..=SMALL_LEN) => {
                let mut small = std::mem::take(&mut self.small);
                small.clear();
                let loaded =
                    operand.input.reader().take(SMALL_LEN + 1).read_to_end(&mut small).map_err(Error::Read);
                let len = self.judge(operand, "", loaded)? as u64;
                // One byte more than there was: the file is growing.
                Ok(if len > SMALL_LEN { Content::Stream(small) } else { Content::Small(small) })
            }
            Some(len) => {
                // A map begins at the start of the file.
                let end = usize::try_from(start + len).ok();
                let map = end.and_then(|end| Map::new(file, end).ok());
                Ok(map.map_or(Content::Stream(Vec::new()), Content::Mapped))
            }
        }
    }

    fn decompress(&mut self, operand: &Operand<'_>) -> Outcome {
        let content = self.content(operand)?;
        let result = match &content {
            Content::Mapped(map) => {
                let bytes = &map.bytes()[operand.input.start as usize..];
                let result = self.decode(operand, &mut input::Input::from_slice(bytes), || map.shrank());
                operand.input.leave_at(map.bytes().len() as u64);
                result
            }
            Content::Small(bytes) => self.decode(operand, &mut input::Input::from_slice(bytes), || false),
            Content::Stream(begin) => {
                let mut reader = begin.as_slice().chain(operand.input.reader());
                self.decode(operand, &mut input::Input::from_reader(&mut reader), || false)
            }
        };
        if let Content::Small(small) = content {
            self.small = small;
        }
        result
    }

    /// Decodes `bytes`. `shrank` tells, afterwards, whether they were all there.
    fn decode(
        &mut self,
        operand: &Operand<'_>,
        bytes: &mut input::Input<'_>,
        shrank: impl Fn() -> bool,
    ) -> Outcome {
        let target = match operand.path.filter(|_| !self.leaves_inputs_alone()) {
            None => None,
            Some(path) => Some(self.options.suffix.strip(path).ok_or_else(|| {
                self.report.warning(&format!("{}: unknown suffix -- ignored", operand.name));
                GivenUp
            })?),
        };
        let copies_unknown = self.copies_unknown(operand);
        let header = match first_header(bytes, settings(&self.threads, copies_unknown)) {
            Err(Error::NotGzip) if copies_unknown => {
                let mut output = self.output(operand, None)?;
                let result = copy_rest(bytes, output.writer());
                return self.settle(operand, &output, result);
            }
            result => self.judge(operand, "", result)?,
        };
        let restores = self.options.names == Some(true);
        let target = match (target, operand.path, &header.name) {
            (Some(_), Some(path), Some(stored)) if restores && names::restored(path, stored).is_some() => {
                names::restored(path, stored)
            }
            (target, ..) => target,
        };
        let mut output = self.output(operand, target.as_deref())?;
        let settings = settings(&self.threads, copies_unknown);
        let result = decompress(bytes, output.writer(), settings).and_then(|totals| match totals.tail {
            Tail::Left => copy_rest(bytes, output.writer()).map(|()| totals),
            // The input would be removed, with all that is not in the output.
            Tail::Entries if target.is_some() => Err(Error::ZipEntries),
            _ => Ok(totals),
        });
        let result = if shrank() { Err(Error::Shrank) } else { result };
        let totals = self.settle(operand, &output, result)?;
        let mtime = Some(totals.mtime).filter(|mtime| restores && *mtime != 0);
        self.commit(operand, output, mtime)?;
        self.mention_tail(operand, totals.tail);
        self.decompressed(operand, target.as_deref(), &header, totals);
        Ok(())
    }

    /// Says what `-l`, `-t` and `-v` ask for.
    fn decompressed(
        &mut self,
        operand: &Operand<'_>,
        target: Option<&Path>,
        header: &Header,
        totals: decompress::Totals,
    ) {
        match self.options.mode {
            Mode::List => self.list(operand, header, totals),
            Mode::Test if self.report.is_verbose() => match operand.path {
                Some(_) => self.report.say(&format!("{}:\t OK\n", operand.name)),
                None => self.report.say(" OK\n"),
            },
            Mode::Decompress if self.report.is_verbose() && operand.path.is_some() => {
                let saved =
                    i128::from(totals.written) - (i128::from(totals.read) - i128::from(totals.overhead));
                self.tell(operand, target, &percent(saved, totals.written));
            }
            _ => {}
        }
    }

    fn list(&mut self, operand: &Operand<'_>, header: &Header, totals: decompress::Totals) {
        let restores = self.options.names == Some(true);
        let stored = header.name.as_deref().filter(|_| restores);
        let name = match (operand.path, stored) {
            (_, Some(stored)) => String::from_utf8_lossy(stored).into_owned(),
            (Some(path), None) => {
                let stripped = self.options.suffix.strip(path);
                stripped.as_deref().unwrap_or(path).to_string_lossy().into_owned()
            }
            (None, None) => "stdout".to_owned(),
        };
        let time = match totals.mtime {
            mtime @ 1.. if restores => i64::from(mtime),
            _ => operand.input.mtime().unwrap_or_else(source::now),
        };
        let row = Row {
            method: totals.method.name(),
            packed_len: totals.read,
            overhead: totals.overhead,
            data_len: totals.written,
            crc: totals.crc,
            time,
            name,
        };
        let text = self.table.row(&row);
        self.print(&text);
    }

    /// Prints on standard output, until that fails for the first time.
    fn print(&mut self, text: &str) {
        if self.has_lost_stdout {
            return;
        }
        if let Err(error) = Stdout::open().and_then(|mut stdout| stdout.write_all(text.as_bytes())) {
            self.report.error("stdout", &Error::Write(error));
            self.has_lost_stdout = true;
        }
    }

    /// Whether data that are not compressed are copied as they are: `-dcf`, and `-tf`, which
    /// accepts them.
    fn copies_unknown(&self, operand: &Operand<'_>) -> bool {
        let replaces_nothing = self.leaves_inputs_alone() || operand.path.is_none();
        self.options.force && replaces_nothing && self.options.mode != Mode::List
    }

    fn mention_tail(&mut self, operand: &Operand<'_>, tail: Tail) {
        let what = match tail {
            Tail::Clean | Tail::Left => return,
            Tail::Zeros if self.report.is_verbose() => "zero bytes",
            Tail::Zeros => return,
            Tail::Garbage => "garbage",
            Tail::Entries => {
                self.report.warning(&format!("{} has more than one entry--rest ignored", operand.name));
                return;
            }
        };
        if self.report.verbosity != Verbosity::Quiet {
            self.report.say("\n");
        }
        self.report.warning(&format!("{}: decompression OK, trailing {what} ignored", operand.name));
    }

    /// Says what became of the operand: `f: 53.6% -- replaced with f.gz`, a tab behind the colon.
    fn tell(&mut self, operand: &Operand<'_>, target: Option<&Path>, percent: &str) {
        if operand.path.is_none() {
            return self.report.say(&format!("{percent}\n"));
        }
        let (verb, to) = match target {
            Some(path) => {
                (if self.options.keep { "created" } else { "replaced with" }, path.to_string_lossy())
            }
            None => ("replaced with", "stdout".into()),
        };
        self.report.say(&format!("{}:\t{percent} -- {verb} {to}\n", operand.name));
    }

    /// Creates the output file `path`; without one, what is written goes to standard output.
    fn output(&mut self, operand: &Operand<'_>, path: Option<&Path>) -> Outcome<Output> {
        match path {
            _ if matches!(self.options.mode, Mode::Test | Mode::List) => Ok(Output::Nowhere),
            Some(path) => self.create(operand, path),
            None => {
                let opened = Stdout::open().map_err(Error::Write);
                self.judge(operand, "stdout", opened).map(Output::Stdout)
            }
        }
    }

    fn create(&mut self, operand: &Operand<'_>, path: &Path) -> Outcome<Output> {
        let name = path.to_string_lossy().into_owned();
        let mut created = NewFile::create(path);
        if matches!(&created, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            if !self.may_overwrite(&name) {
                return Err(GivenUp);
            }
            // A stored name can be the input's own.
            if fs::symlink_metadata(path).is_ok_and(|existing| operand.input.is_same_file(&existing)) {
                self.report.failure(&format!("{} and {name} are the same file", operand.name));
                return Err(GivenUp);
            }
            // Replaced, not written into: it may be a symlink or have other names.
            created = fs::remove_file(path).and_then(|()| NewFile::create(path));
        }
        match created {
            Ok(file) => Ok(Output::File(file, name)),
            Err(error) => {
                self.report.failure(&format!("{name}: {}", os_text(&error)));
                Err(GivenUp)
            }
        }
    }

    /// Whether the existing file `name` may be replaced: with `-f`, or if a person says so.
    fn may_overwrite(&mut self, name: &str) -> bool {
        if self.options.force {
            return true;
        }
        if source::stdin_is_terminal() && !signals::ignores_interrupts() {
            self.report.say(&format!(
                "{}: {name} already exists; do you wish to overwrite (y or n)? ",
                self.report.program()
            ));
            let mut answer = String::new();
            if io::stdin().read_line(&mut answer).is_ok() && answer.starts_with(['y', 'Y']) {
                return true;
            }
            self.report.status = self.report.status.max(ExitStatus::Warning);
            self.report.say("\tnot overwritten\n");
        } else {
            self.report.loud_warning(&format!("{name} already exists;\tnot overwritten"));
        }
        false
    }

    /// Reports a failed job under the name of the side that failed.
    fn settle<T>(&mut self, operand: &Operand<'_>, output: &Output, result: Result<T, Error>) -> Outcome<T> {
        let output_name = match output {
            Output::File(_, name) => name,
            Output::Stdout(_) | Output::Nowhere => "stdout",
        };
        self.judge(operand, output_name, result)
    }

    fn judge<T>(&mut self, operand: &Operand<'_>, output_name: &str, result: Result<T, Error>) -> Outcome<T> {
        result.map_err(|error| {
            let name = if matches!(error, Error::Write(_)) { output_name } else { &operand.name };
            self.report.error(name, &error);
            GivenUp
        })
    }

    /// Completes an output file and removes the input that it replaces.
    fn commit(&mut self, operand: &Operand<'_>, output: Output, mtime: Option<u32>) -> Outcome {
        let Output::File(file, name) = output else { return Ok(()) };
        let committed = file.commit(&operand.input.metadata, mtime).map_err(Error::Write);
        self.judge(operand, &name, committed)?;
        match operand.path {
            Some(path) if !self.options.keep => fs::remove_file(path).map_err(|error| {
                self.report.failure(&format!("{}: {}", operand.name, os_text(&error)));
                GivenUp
            }),
            _ => Ok(()),
        }
    }
}

/// What is to be decoded.
enum Content {
    /// A map of the file.
    Mapped(Map),
    /// The whole of a small file.
    Small(Vec<u8>),
    /// A stream, of which these bytes were read already.
    Stream(Vec<u8>),
}

/// Where the bytes go.
enum Output {
    Stdout(Stdout),
    File(NewFile, String),
    Nowhere,
}

impl Output {
    fn writer(&mut self) -> Option<&mut (dyn Write + Send)> {
        match self {
            Output::Stdout(stdout) => Some(stdout),
            Output::File(file, _) => Some(file),
            Output::Nowhere => None,
        }
    }
}

fn settings(threads: &Threads, copies_unknown: bool) -> Settings<'_> {
    Settings { threads, leaves_tail: copies_unknown, reads_zlib: !copies_unknown }
}

/// Copies all that is left of `bytes` as it is.
fn copy_rest(bytes: &mut input::Input<'_>, mut out: Option<&mut (dyn Write + Send)>) -> Result<(), Error> {
    loop {
        if let Some(out) = &mut out {
            out.write_all(bytes.peek()).map_err(Error::Write)?;
        }
        bytes.consume(bytes.peek().len());
        if !bytes.fill().map_err(Error::Read)? {
            return Ok(());
        }
    }
}
