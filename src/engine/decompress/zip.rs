//! The first entry of a zip file.
//!
//! Stored data whose length only the descriptor behind them tells are searched for a descriptor
//! that tells their length.

use std::io::Write;

use memchr::memmem;

use super::inflate::inflate;
use super::sink::{self, Output, with_output};
use super::{Method, Next, Tail, Totals};
use crate::checksum::{Kind, Running};
use crate::engine::Threads;
use crate::error::Error;
use crate::format::zip::read::{self, DESCRIPTOR_MAGIC, Entry, LOCAL_MAGIC, MAX_DESCRIPTOR_LEN, Sizes};
use crate::io::input::Input;

/// Reads the local header at the front of `input`.
pub(super) fn peek_entry(input: &mut Input<'_>) -> Result<Entry, Error> {
    let len = read::header_len(&[]);
    let len = read::header_len(input.peek_at_least(len).map_err(Error::Read)?);
    read::read_header(input.peek_at_least(len).map_err(Error::Read)?)
}

/// Decodes the entry at the front of `input`.
pub(super) fn run<'env>(
    input: &mut Input<'_>,
    out: Option<&'env mut (dyn Write + Send)>,
    threads: &'env Threads,
    totals: &mut Totals,
) -> Result<Next, Error> {
    let entry = peek_entry(input)?;
    input.consume(entry.header_len);
    totals.begin_part(if entry.is_stored { Method::Stored } else { Method::Deflated }, 0, 0);
    let Sizes { packed_len, data_len, .. } = entry.sizes;
    with_output(out, threads, |output| {
        let actual = if !entry.is_stored {
            inflated(input, output)?
        } else if packed_len != data_len {
            return Err(Error::ZipLengths);
        } else if entry.has_descriptor && data_len == 0 {
            copied_to_descriptor(input, output, &entry)?
        } else {
            copied(input, output, data_len)?
        };
        if entry.has_descriptor {
            let descriptor = input.peek_at_least(MAX_DESCRIPTOR_LEN).map_err(Error::Read)?;
            let len = entry.verify_descriptor(descriptor, actual)?;
            input.consume(len);
        } else {
            entry.verify(actual)?;
        }
        totals.written += actual.data_len;
        let follows = input.peek_at_least(LOCAL_MAGIC.len()).map_err(Error::Read)?;
        Ok(Next::End(if follows.starts_with(&LOCAL_MAGIC) { Tail::Entries } else { Tail::Clean }))
    })
}

/// Decodes deflated data.
fn inflated(input: &mut Input<'_>, output: &mut Output<'_, '_>) -> Result<Sizes, Error> {
    let start = input.pos();
    let data = inflate(input, output, Running::new(Kind::Crc32))?;
    Ok(Sizes { crc: data.sum, packed_len: input.pos() - start, data_len: data.len })
}

/// Copies `len` bytes of stored data.
fn copied(input: &mut Input<'_>, output: &mut Output<'_, '_>, len: u64) -> Result<Sizes, Error> {
    let mut copy = Copy::new(output);
    while copy.len < len {
        if input.peek().is_empty() && !input.fill().map_err(Error::Read)? {
            return Err(Error::UnexpectedEof);
        }
        let rest = usize::try_from(len - copy.len).unwrap_or(usize::MAX);
        copy.some(input, rest)?;
    }
    Ok(copy.sizes())
}

/// Copies stored data of unknown length. Leaves the descriptor in the input.
fn copied_to_descriptor(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    entry: &Entry,
) -> Result<Sizes, Error> {
    let mut copy = Copy::new(output);
    loop {
        let bytes = input.peek_at_least(MAX_DESCRIPTOR_LEN).map_err(Error::Read)?;
        // No more than is copied in one go, so that nothing is searched twice.
        let bytes = &bytes[..bytes.len().min(sink::BUF_LEN)];
        let len = match memmem::find(bytes, &DESCRIPTOR_MAGIC) {
            Some(0) if entry.tells_len(bytes, copy.len) => return Ok(copy.sizes()),
            Some(0) => 1,
            Some(at) => at,
            None if bytes.is_empty() => return Err(Error::UnexpectedEof),
            None if bytes.len() < MAX_DESCRIPTOR_LEN => bytes.len(),
            // The last bytes might begin a descriptor.
            None => bytes.len() - (DESCRIPTOR_MAGIC.len() - 1),
        };
        copy.some(input, len)?;
    }
}

/// Bytes on their way from the input to the output.
struct Copy<'r, 'scope, 'env> {
    output: &'r mut Output<'scope, 'env>,
    crc: Running,
    len: u64,
}

impl<'r, 'scope, 'env> Copy<'r, 'scope, 'env> {
    fn new(output: &'r mut Output<'scope, 'env>) -> Copy<'r, 'scope, 'env> {
        Copy { output, crc: Running::new(Kind::Crc32), len: 0 }
    }

    /// Copies up to `len` of the bytes at hand, as many as are good for the cache.
    fn some(&mut self, input: &mut Input<'_>, len: usize) -> Result<(), Error> {
        let bytes = input.peek();
        let bytes = &bytes[..bytes.len().min(len).min(sink::BUF_LEN)];
        self.crc.update(bytes);
        self.output.put(bytes)?;
        self.len += bytes.len() as u64;
        input.consume(bytes.len());
        Ok(())
    }

    fn sizes(&self) -> Sizes {
        Sizes { crc: self.crc.sum(), packed_len: self.len, data_len: self.len }
    }
}
