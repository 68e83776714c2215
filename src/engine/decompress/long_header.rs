//! gzip headers that are too long to be looked at as a whole.

use crate::checksum::{Kind, Running};
use crate::error::Error;
use crate::format::gzip::{FCOMMENT, FEXTRA, FHCRC, FIXED_HEADER_LEN, FNAME};
use crate::io::input::Input;

/// Passes over the header at the front of `input`, whose fixed part is known to be all right, and
/// returns its length in bytes.
///
/// # Errors
/// [`Error::Read`], [`Error::UnexpectedEof`], [`Error::HeaderCrc`].
pub(super) fn skip(input: &mut Input<'_>) -> Result<usize, Error> {
    let start = input.pos();
    let mut skipper = Skipper { input, crc: Running::new(Kind::Crc32) };
    let flags = skipper.take::<FIXED_HEADER_LEN>()?[3];
    if flags & FEXTRA != 0 {
        let len = u16::from_le_bytes(skipper.take()?);
        for _ in 0..len {
            skipper.take::<1>()?;
        }
    }
    for text in [FNAME, FCOMMENT] {
        if flags & text != 0 {
            skipper.zero_terminated()?;
        }
    }
    if flags & FHCRC != 0 {
        let computed = skipper.crc.sum() as u16;
        let stored = u16::from_le_bytes(skipper.take()?);
        if stored != computed {
            return Err(Error::HeaderCrc { stored, computed });
        }
    }
    Ok((input.pos() - start) as usize)
}

struct Skipper<'r, 'a> {
    input: &'r mut Input<'a>,
    /// Of everything passed over.
    crc: Running,
}

impl Skipper<'_, '_> {
    fn take<const LEN: usize>(&mut self) -> Result<[u8; LEN], Error> {
        let bytes = self.input.peek_at_least(LEN).map_err(Error::Read)?;
        let taken = *bytes.first_chunk::<LEN>().ok_or(Error::UnexpectedEof)?;
        self.skip(LEN);
        Ok(taken)
    }

    fn zero_terminated(&mut self) -> Result<(), Error> {
        loop {
            let bytes = self.input.peek();
            if let Some(zero) = memchr::memchr(0, bytes) {
                self.skip(zero + 1);
                return Ok(());
            }
            self.skip(bytes.len());
            if !self.input.fill().map_err(Error::Read)? {
                return Err(Error::UnexpectedEof);
            }
        }
    }

    fn skip(&mut self, len: usize) {
        self.crc.update(&self.input.peek()[..len]);
        self.input.consume(len);
    }
}
