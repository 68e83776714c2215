//! Decompressing, testing and listing one operand.

use std::cell::Cell;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::args::{Mode, Verbosity};
use super::job::{GivenUp, Job, Operand, Outcome};
use super::list::Row;
use super::operand::SMALL_LEN;
use super::report::percent_saved;
use super::text;
use crate::engine::decompress::{Header, Settings, Tail, Totals, decompress, first_header};
use crate::error::Error;
use crate::io::input;
use crate::io::map::Map;
use crate::io::source::Input;
use crate::plan::names;
use crate::plan::recipe::Format;

thread_local! {
    /// The contents of small files, one after the other.
    static SMALL: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Job<'_> {
    /// Loads or maps what is to be decoded, if it is a regular file.
    fn content(&mut self, operand: &Operand<'_>) -> Outcome<Content> {
        let Input { file, start, .. } = &operand.input;
        match operand.input.regular_len() {
            None | Some(0) => Ok(Content::Stream(Vec::new())),
            Some(1..=SMALL_LEN) => {
                let mut small = SMALL.take();
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

    pub(super) fn decompress(&mut self, operand: &Operand<'_>) -> Outcome {
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
            SMALL.set(small);
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
        let target = self.target(operand)?;
        let copies_unknown = self.copies_unknown(operand);
        let settings = Settings {
            threads: self.threads,
            leaves_tail: copies_unknown,
            // zlib's format has so little of a magic number that data to be copied if unknown are not
            // taken for it unless the user says so.
            reads_zlib: !copies_unknown || self.shared.options.wanted.format == Format::Zlib,
        };
        let header = match first_header(bytes, settings) {
            Err(Error::NotGzip) if copies_unknown => {
                let (mut output, _) = self.output(operand, None)?;
                self.announce(operand);
                let result = copy_rest(bytes, output.writer());
                self.settle(operand, &mut output, result)?;
                self.commit(operand, output, None, true)?;
                self.tell_decompressed(operand, None, Totals::default());
                return Ok(());
            }
            result => self.judge(operand, "", result)?,
        };
        if let Some(len) = header.extra_len.filter(|_| self.report.is_verbose()) {
            self.report.remark(&format!("{}: extra field of {len} bytes ignored", operand.name));
        }
        let restored = match (operand.path, self.stored_name(&header)) {
            (Some(path), Some(stored)) => names::restored(path, stored),
            _ => None,
        };
        let target = target.map(|target| restored.unwrap_or(target));
        let (mut output, target) = self.output(operand, target)?;
        if self.shared.options.mode != Mode::List {
            self.announce(operand);
        }
        let result = decompress(bytes, output.writer(), settings).and_then(|mut totals| {
            match totals.tail {
                Tail::Left => {
                    let len = copy_rest(bytes, output.writer())?;
                    totals.read += len;
                    totals.written += len;
                }
                // The input would be removed, with all that is not in the output.
                Tail::Entries if target.is_some() => return Err(Error::ZipEntries),
                _ => {}
            }
            let Input { metadata, start, .. } = &operand.input;
            self.demand_whole(operand, metadata.len().max(start + bytes.pos()))?;
            Ok(totals)
        });
        let result = if shrank() { Err(Error::Shrank) } else { result };
        let totals = self.settle(operand, &mut output, result)?;
        let mtime = self.stored_time(totals);
        self.commit(operand, output, mtime, self.shared.options.keep)?;
        if let (Some(_), Some(target)) = (mtime, &target)
            && self.shared.options.verbosity == Verbosity::Talkative
        {
            self.report.say(&format!("{}: timestamp restored\n", text::of(target)));
        }
        self.mention_oddities(operand, totals);
        if self.shared.options.mode == Mode::List {
            self.list(operand, &header, totals);
        }
        self.tell_decompressed(operand, target.as_deref(), totals);
        Ok(())
    }

    /// Says what `-t` and `-v` ask for.
    fn tell_decompressed(&mut self, operand: &Operand<'_>, target: Option<&Path>, totals: Totals) {
        match self.shared.options.mode {
            // gzip leaves standard input at the first warning.
            Mode::Test if operand.path.is_none() && totals.tail != Tail::Clean => {}
            Mode::Test if self.report.is_verbose() => self.report.say(" OK\n"),
            Mode::Decompress if self.report.is_verbose() && operand.path.is_some() => {
                self.tell(operand, target, &percent_saved(totals.written, totals.read, totals.overhead));
            }
            _ => {}
        }
    }

    fn list(&mut self, operand: &Operand<'_>, header: &Header, totals: Totals) {
        let name = match (operand.path, self.stored_name(header)) {
            (_, Some(stored)) => text::of_bytes(match names::base(stored) {
                b"" => stored,
                base => base,
            }),
            (Some(path), None) => text::of(self.shared.suffix.strip(path, false).as_deref().unwrap_or(path)),
            (None, None) => "stdout".to_owned(),
        };
        let time = match self.stored_time(totals) {
            Some(time) => i64::from(time),
            None => operand.input.mtime().unwrap_or_default(),
        };
        self.voice.add_row(Row {
            method: totals.method.name(),
            packed_len: totals.read,
            overhead: totals.overhead,
            data_len: totals.written,
            crc: totals.crc,
            time,
            name,
        });
    }

    /// The stored name, if it is to be restored.
    fn stored_name<'h>(&self, header: &'h Header) -> Option<&'h [u8]> {
        header.name.as_deref().filter(|_| self.shared.options.names == Some(true))
    }

    /// The stored time, if it is to be restored.
    fn stored_time(&self, totals: Totals) -> Option<u32> {
        Some(totals.mtime).filter(|mtime| *mtime != 0 && self.shared.options.times == Some(true))
    }

    /// The name of the output file, if there is to be one.
    fn target(&mut self, operand: &Operand<'_>) -> Outcome<Option<PathBuf>> {
        let Some(path) = operand.path.filter(|_| !self.shared.options.to_stdout) else { return Ok(None) };
        let is_made = self.shared.options.mode == Mode::Decompress;
        let recurses = self.shared.options.recurses;
        match self.shared.strip(path) {
            Some(target) => Ok(Some(target).filter(|_| is_made)),
            // Any name will do for testing and listing, but a walk through folders looks at the
            // same files as it would for decompression.
            None if !is_made && !recurses => Ok(None),
            None => {
                // Where it is not said it does not count as a warning either.
                if self.report.is_verbose() || !(recurses || self.report.is_quiet()) {
                    self.report.warning(&format!("{}: unknown suffix -- ignored", operand.name));
                }
                Err(GivenUp)
            }
        }
    }

    /// Whether data that are not compressed are copied as they are: `-dcf`, and `-tf`, which
    /// accepts them.
    fn copies_unknown(&self, operand: &Operand<'_>) -> bool {
        let replaces_nothing = self.leaves_inputs_alone() || operand.path.is_none();
        self.shared.options.force && replaces_nothing && self.shared.options.mode != Mode::List
    }

    /// Warns of what is odd about data that could be decoded.
    fn mention_oddities(&mut self, operand: &Operand<'_>, totals: Totals) {
        if totals.unknown_flags != 0 {
            self.warn(&format!("{}: warning, unknown flags 0x{:x}", operand.name, totals.unknown_flags));
        }
        let what = match totals.tail {
            Tail::Clean | Tail::Left => return,
            Tail::Zeros if self.report.is_verbose() => "zero bytes",
            Tail::Zeros => return,
            Tail::Garbage => "garbage",
            Tail::Entries => {
                self.report.warning(&format!("{} has more than one entry--rest ignored", operand.name));
                return;
            }
        };
        self.warn(&format!("{}: decompression OK, trailing {what} ignored", operand.name));
    }

    /// Warns on a line of its own, for `-v` may have begun another.
    fn warn(&mut self, text: &str) {
        if !self.report.is_quiet() {
            self.report.say("\n");
        }
        self.report.warning(text);
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

/// Copies all that is left of `bytes` as it is and returns how much that was.
fn copy_rest(bytes: &mut input::Input<'_>, mut out: Option<&mut (dyn Write + Send)>) -> Result<u64, Error> {
    let start = bytes.pos();
    loop {
        if let Some(out) = &mut out {
            out.write_all(bytes.peek()).map_err(Error::Write)?;
        }
        bytes.consume(bytes.peek().len());
        if !bytes.fill().map_err(Error::Read)? {
            return Ok(bytes.pos() - start);
        }
    }
}
