//! Compressing one operand.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::job::{GivenUp, Job, Operand, Outcome};
use super::local_time;
use super::operand::SMALL_LEN;
use super::output::Output;
use super::report::percent_saved;
use super::text;
use crate::engine::compress::{Source, Totals, compress};
use crate::error::Error;
use crate::format::gzip::{FIXED_HEADER_LEN, NewHeader, TRAILER_LEN};
use crate::plan::recipe::Format;

impl Job<'_> {
    pub(super) fn compress(&mut self, operand: &Operand<'_>) -> Outcome {
        let target = match operand.path.filter(|_| !self.shared.options.to_stdout) {
            None => None,
            Some(path) => {
                self.refuse_compressed(operand, path)?;
                Some(self.shared.suffix.append(path))
            }
        };
        let (mut output, target) = self.output(operand, target)?;
        self.announce(operand);
        let header = self.new_header(operand);
        let result = self.encode(operand, &header, &mut output);
        let totals = self.settle(operand, &mut output, result)?;
        self.commit(operand, output, None, self.shared.options.keep)?;
        if self.report.is_verbose() {
            let saved = percent_saved(totals.read, totals.written, overhead(&header));
            self.tell(operand, target.as_deref(), &saved);
        }
        Ok(())
    }

    /// Refuses a file whose name says that it is compressed, with a remark unless it was met on a
    /// walk through folders.
    fn refuse_compressed(&mut self, operand: &Operand<'_>, path: &Path) -> Outcome {
        match self.shared.suffix.found_in(path) {
            Some(found) if !self.shared.options.force => {
                if !self.shared.options.recurses || self.report.is_verbose() {
                    let found = text::of(Path::new(found));
                    self.report.remark(&format!("{} already has {found} suffix -- unchanged", operand.name));
                }
                Err(GivenUp)
            }
            _ => Ok(()),
        }
    }

    fn encode(
        &mut self,
        operand: &Operand<'_>,
        header: &NewHeader,
        output: &mut Output<'_>,
    ) -> Result<Totals, Error> {
        let input = &operand.input;
        let mut reader = input.reader();
        // Small files are read to their end, whatever their length is said to be: in /proc and
        // /sys it is not the truth.
        let source = match input.regular_len() {
            Some(len) if len > SMALL_LEN => Source::File { file: &input.file, start: input.start, len },
            _ => Source::Stream(&mut reader),
        };
        let is_file = matches!(source, Source::File { .. });
        let out = output.writer().expect("compressed data go somewhere");
        let totals = compress(source, out, &self.shared.recipe, header, self.threads)?;
        let end = input.start + totals.read;
        if is_file {
            input.leave_at(end);
        }
        if input.regular_len().is_some_and(|len| len > 0 && len != totals.read) {
            self.report.say(&format!(
                "{}: {}: file size changed while zipping\n",
                self.report.program(),
                operand.name
            ));
        }
        self.demand_whole(operand, end)?;
        Ok(totals)
    }

    /// The first member's header: name and time of a file, the time of a redirected file, nothing
    /// of a pipe.
    fn new_header(&mut self, operand: &Operand<'_>) -> NewHeader {
        let options = &self.shared.options;
        let mut header = NewHeader {
            xfl: options.wanted.level.xfl(),
            comment: options.comment.clone(),
            ..NewHeader::default()
        };
        if options.names != Some(false) {
            header.name = operand.path.and_then(Path::file_name).map(|name| name.as_bytes().to_vec());
        }
        let is_zip = options.wanted.format == Format::Zip;
        if is_zip && header.name.is_none() {
            header.name.clone_from(&options.alias);
        }
        if let Some(mtime) = operand.input.mtime().filter(|_| options.times != Some(false)) {
            if is_zip {
                header.utc_offset = local_time(mtime).offset().seconds();
                header.mtime = mtime;
            } else if matches!(u32::try_from(mtime), Ok(1..)) {
                header.mtime = mtime;
            } else {
                self.report.warning(&format!(
                    "{}: warning: file timestamp out of range for gzip format",
                    operand.name
                ));
            }
        }
        header
    }
}

/// Bytes of a member's header and trailer, which do not count against the ratio.
fn overhead(header: &NewHeader) -> u64 {
    let name_len = header.name.as_ref().map_or(0, |name| name.len() + 1);
    (FIXED_HEADER_LEN + name_len + TRAILER_LEN) as u64
}
