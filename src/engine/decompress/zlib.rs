//! One zlib stream (RFC 1950).

use std::io::Write;

use super::inflate::inflate;
use super::sink::with_output;
use super::{Method, Next, Settings, Totals, tail};
use crate::checksum::{Kind, Running};
use crate::error::Error;
use crate::format::zlib::{HEADER_LEN, TRAILER_LEN};
use crate::io::input::Input;

/// Decodes the stream at the front of `input`, whose header is known to be all right.
pub(super) fn run<'env>(
    input: &mut Input<'_>,
    out: Option<&'env mut (dyn Write + Send)>,
    settings: Settings<'env>,
    totals: &mut Totals,
) -> Result<Next, Error> {
    input.consume(HEADER_LEN);
    totals.begin_part(Method::Deflated, HEADER_LEN + TRAILER_LEN, 0);
    with_output(out, settings.threads, |output| {
        let data = inflate(input, output, Running::new(Kind::Adler32))?;
        let bytes = input.peek_at_least(TRAILER_LEN).map_err(Error::Read)?;
        let adler = u32::from_be_bytes(*bytes.first_chunk().ok_or(Error::UnexpectedEof)?);
        input.consume(TRAILER_LEN);
        if adler != data.sum {
            return Err(Error::Trailer { crc: true, len: false });
        }
        totals.written += data.len;
        tail(input, settings.leaves_tail).map(Next::End)
    })
}
