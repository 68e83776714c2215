//! Members one after the other, in bounded memory: the route that can read everything and whose
//! verdict counts.
//!
//! Two ways to decode a member:
//! - *whole*: libdeflate in one call, when the packed member is at hand and the output is likely
//!   to fit a buffer. Thousands of tiny members then cost one call each, and a small file one.
//! - *streamed*: zlib-ng, from buffer to buffer, for any size and any cutting of the input.
//!
//! What a whole attempt cannot finish (too long, damaged, cut off) is streamed from its start,
//! which also yields the good prefix before damage.
//!
//! Memory: the buffers of [`super::sink`] and of the input, and zlib-ng's state (about 50 KiB),
//! whatever the member's size.

use std::cell::RefCell;
use std::io::Write;

use super::sink::{Sink, empty_buf, with_sink};
use super::{Settings, Tail, Totals, peek_header};
use crate::backend::libdeflate::{self, Inflated};
use crate::backend::zlib_ng::{Decoder, Stop};
use crate::checksum::{Running, crc32};
use crate::error::Error;
use crate::format::gzip::{Header, TRAILER_LEN, Trailer, begins_member};
use crate::io::input::Input;

/// The longest output for which a whole decode is tried on the strength of the length field at
/// the end of the input.
const MAX_WHOLE_LEN: usize = 1 << 20;

/// With less of a stream than this at hand, a whole decode that fails is tried again with more.
const FEW_BYTES: usize = 64 << 10;

thread_local! {
    static DECODER: RefCell<Option<Decoder>> = const { RefCell::new(None) };
}

/// Decodes at least one member, up to the end of `input` or, if `may_leave`, up to a member that
/// says its length. Returns what follows the last member, or `None` if it left.
pub(super) fn run<'env>(
    input: &mut Input<'_>,
    out: Option<&'env mut (dyn Write + Send)>,
    settings: Settings<'env>,
    may_leave: bool,
    totals: &mut Totals,
) -> Result<Option<Tail>, Error> {
    if totals.read > 0
        && let Some(tail) = tail(input, settings.leaves_tail)?
    {
        return Ok(Some(tail));
    }
    with_sink(out, settings.threads, |sink| {
        let mut route = Serial { input, sink, buf: empty_buf(), expects_small: false };
        let result = route.members(settings.leaves_tail, may_leave, totals);
        // The good prefix is written even if decoding failed; the first error is the one told.
        let buf = std::mem::take(&mut route.buf);
        let finished = route.sink.finish(buf);
        result.and_then(|tail| finished.map(|()| tail))
    })
}

struct Serial<'r, 'a, 'scope, 'env> {
    input: &'r mut Input<'a>,
    sink: &'r mut Sink<'scope, 'env>,
    /// Decoded bytes that the sink does not have yet.
    buf: Vec<u8>,
    /// Whether the last member fitted a buffer, so that the next one probably does too.
    expects_small: bool,
}

impl Serial<'_, '_, '_, '_> {
    fn members(
        &mut self,
        leaves_tail: bool,
        may_leave: bool,
        totals: &mut Totals,
    ) -> Result<Option<Tail>, Error> {
        loop {
            let Some(header) = peek_header(self.input, 0)? else {
                return Err(Error::UnexpectedEof);
            };
            let len = self.member(&header, totals)?;
            totals.written += len;
            if let Some(tail) = tail(self.input, leaves_tail)? {
                return Ok(Some(tail));
            }
            if may_leave && matches!(peek_header(self.input, 0), Ok(Some(Header { member_len: Some(_), .. })))
            {
                return Ok(None);
            }
        }
    }

    /// Decodes the member at the front and checks its trailer; returns the length of its data.
    fn member(&mut self, header: &Header, totals: &mut Totals) -> Result<u64, Error> {
        self.input.consume(header.len);
        totals.read += header.len as u64;
        let (packed_len, data_len, crc) = match self.whole() {
            Some(whole) => whole?,
            None => self.streamed()?,
        };
        totals.read += packed_len + TRAILER_LEN as u64;
        totals.crc = crc;
        let trailer = self.input.peek_at_least(TRAILER_LEN).map_err(Error::Read)?;
        let trailer = Trailer::read(trailer).ok_or(Error::UnexpectedEof)?;
        self.input.consume(TRAILER_LEN);
        trailer.verify(Trailer::new(crc, data_len))?;
        Ok(data_len)
    }

    /// Decodes in one call; `None` if the member has to be streamed. Packed length, data length
    /// and CRC-32 otherwise.
    fn whole(&mut self) -> Option<Result<(u64, u64, u32), Error>> {
        let hint = self.likely_len();
        if !self.expects_small && hint.is_none() {
            return None;
        }
        self.buf.reserve(hint.unwrap_or_default().min(MAX_WHOLE_LEN));
        loop {
            let start = self.buf.len();
            match libdeflate::inflate(self.input.peek(), &mut self.buf) {
                Inflated::Done { consumed } => {
                    self.input.consume(consumed);
                    self.expects_small = true;
                    let data = &self.buf[start..];
                    return Some(Ok((consumed as u64, data.len() as u64, crc32(data))));
                }
                Inflated::OutOfSpace if start > 0 => {
                    if let Err(error) = self.hand_over() {
                        return Some(Err(error));
                    }
                }
                Inflated::Bad if self.input.peek().len() < FEW_BYTES && !self.input.is_whole() => {
                    if let Err(error) = self.input.fill() {
                        return Some(Err(Error::Read(error)));
                    }
                }
                Inflated::OutOfSpace | Inflated::Bad => {
                    self.expects_small = false;
                    return None;
                }
            }
        }
    }

    /// The length that the last trailer of the input promises, if that can be seen and is short.
    fn likely_len(&self) -> Option<usize> {
        let bytes = self.input.peek();
        let trailer = bytes.len().checked_sub(TRAILER_LEN).filter(|_| self.input.is_whole())?;
        let len = Trailer::read(&bytes[trailer..])?.len as usize;
        (len <= MAX_WHOLE_LEN).then_some(len)
    }

    /// Decodes from buffer to buffer. Packed length, data length and CRC-32.
    fn streamed(&mut self) -> Result<(u64, u64, u32), Error> {
        DECODER.with_borrow_mut(|cached| {
            let decoder = cached.get_or_insert_with(Decoder::new);
            decoder.reset();
            self.stream(decoder)
        })
    }

    fn stream(&mut self, decoder: &mut Decoder) -> Result<(u64, u64, u32), Error> {
        let (mut crc, mut packed_len, mut data_len) = (Running::new(), 0, 0);
        loop {
            if self.input.peek().is_empty() && !self.input.fill().map_err(Error::Read)? {
                return Err(Error::UnexpectedEof);
            }
            let start = self.buf.len();
            let step = decoder.decode(self.input.peek(), &mut self.buf);
            self.input.consume(step.consumed);
            packed_len += step.consumed as u64;
            crc.update(&self.buf[start..]);
            data_len += (self.buf.len() - start) as u64;
            match step.stop {
                Stop::End => break,
                Stop::Violated => return Err(Error::Violated),
                Stop::Pause if self.buf.len() == self.buf.capacity() => self.hand_over()?,
                Stop::Pause => {}
            }
        }
        self.expects_small = data_len <= super::sink::BUF_LEN as u64;
        Ok((packed_len, data_len, crc.sum()))
    }

    /// Gives the buffer to the sink and takes an empty one.
    fn hand_over(&mut self) -> Result<(), Error> {
        self.buf = self.sink.put(std::mem::take(&mut self.buf))?;
        Ok(())
    }
}

/// What follows a member, if no further member does.
///
/// As gzip judges it: nothing, or zeros only, are fine; what begins with the magic number is a
/// member; one lone byte might be the first of a magic number, so the input counts as cut off.
fn tail(input: &mut Input<'_>, is_left: bool) -> Result<Option<Tail>, Error> {
    match input.peek_at_least(2).map_err(Error::Read)? {
        [] => Ok(Some(Tail::Clean)),
        bytes if begins_member(bytes) => Ok(None),
        _ if is_left => Ok(Some(Tail::Left)),
        [0, ..] => zeros(input).map(Some),
        [_] => Err(Error::UnexpectedEof),
        _ => Ok(Some(Tail::Garbage)),
    }
}

/// Reads on through zeros.
fn zeros(input: &mut Input<'_>) -> Result<Tail, Error> {
    loop {
        let bytes = input.peek();
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(Tail::Garbage);
        }
        input.consume(bytes.len());
        if !input.fill().map_err(Error::Read)? {
            return Ok(Tail::Zeros);
        }
    }
}
