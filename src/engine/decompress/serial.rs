//! Any gzip members, one after the other.

use std::io::Write;

use super::inflate::inflate;
use super::sink::{Output, with_output};
use super::{Format, GzipHeader, Method, Next, Totals, ahead, long_header, next, peek_header};
use crate::checksum::{Kind, Running};
use crate::engine::Threads;
use crate::error::Error;
use crate::format::gzip::{TRAILER_LEN, Trailer};
use crate::io::input::Input;

/// What the route leaves to others.
#[derive(Clone, Copy)]
pub(super) struct Leaves {
    /// What is no member.
    pub(super) tail: bool,
    /// Members that say their length.
    pub(super) sized: bool,
    /// What is behind a short member, if it is in memory.
    pub(super) short: bool,
}

/// Decodes at least one member, up to what it leaves to others or what is no member.
pub(super) fn run<'env>(
    input: &mut Input<'_>,
    out: Option<&'env mut (dyn Write + Send)>,
    threads: &'env Threads,
    leaves: Leaves,
    totals: &mut Totals,
) -> Result<Next, Error> {
    with_output(out, threads, |output| {
        loop {
            let len = member(input, output, totals)?;
            match next(input, leaves.tail)? {
                Next::Part(Format::Gzip) => {}
                other => return Ok(other),
            }
            if leaves.sized && says_len(input) {
                return Ok(Next::Part(Format::Gzip));
            }
            if leaves.short && len <= ahead::MAX_DATA_LEN as u64 && ahead::is_worthwhile(input) {
                return Ok(Next::Another);
            }
        }
    })
}

/// Decodes the member at the front and checks its trailer. Returns the length of its data.
fn member(input: &mut Input<'_>, output: &mut Output<'_, '_>, totals: &mut Totals) -> Result<u64, Error> {
    let (mtime, header_len) = match peek_header(input, 0)? {
        GzipHeader::Whole(header) => {
            input.consume(header.len);
            (header.mtime, header.len)
        }
        GzipHeader::Long(header) => (header.mtime, long_header::skip(input)?),
    };
    totals.begin_part(Method::Deflated, header_len + TRAILER_LEN, mtime);
    let data = inflate(input, output, Running::new(Kind::Crc32))?;
    let trailer = input.peek_at_least(TRAILER_LEN).map_err(Error::Read)?;
    let trailer = Trailer::read(trailer).ok_or(Error::UnexpectedEof)?;
    input.consume(TRAILER_LEN);
    trailer.verify(Trailer::new(data.sum, data.len))?;
    totals.crc = Some(data.sum);
    totals.written += data.len;
    Ok(data.len)
}

fn says_len(input: &mut Input<'_>) -> bool {
    matches!(peek_header(input, 0), Ok(GzipHeader::Whole(header)) if header.member_len.is_some())
}
