//! One DEFLATE stream, decoded by one thread, with its checksum.
//!
//! Most streams that come together, and most that are alone, fit a buffer: such a stream is
//! decoded in one call by libdeflate, which is the fastest way but all or nothing. Everything else
//! is streamed through zlib-ng from buffer to buffer, for any size and any cutting of the input;
//! also what a whole attempt cannot finish (too long, damaged, cut off), which yields the good
//! prefix before damage.
//!
//! Memory: the buffers of [`super::sink`] and of the input, and zlib-ng's state (about 50 KiB),
//! whatever the stream's size.

use std::cell::RefCell;

use super::sink::Output;
use crate::backend::libdeflate::{self, Inflated};
use crate::backend::zlib_ng::{Decoder, Stop};
use crate::checksum::Running;
use crate::error::Error;
use crate::io::input::Input;

/// The longest output for which a whole decode is tried on the strength of a length that the
/// input claims.
pub(super) const MAX_WHOLE_LEN: usize = 1 << 20;

/// With less of a stream than this at hand, a whole decode that fails is tried again with more.
const FEW_BYTES: usize = 64 << 10;

thread_local! {
    static DECODER: RefCell<Option<Decoder>> = const { RefCell::new(None) };
}

/// What a stream amounts to.
pub(super) struct Data {
    /// Bytes of it.
    pub(super) len: u64,
    /// Its checksum.
    pub(super) sum: u32,
}

/// Decodes the stream at the front of `input`, from an empty `sum`. A whole decode is tried if
/// there is a `likely_len` for the data, which need not be true (0: they fit a buffer).
pub(super) fn inflate(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    mut sum: Running,
    likely_len: Option<usize>,
) -> Result<Data, Error> {
    let whole = match likely_len {
        Some(len) => whole(input, output, &mut sum, len)?,
        None => None,
    };
    let len = match whole {
        Some(len) => len,
        None => DECODER.with_borrow_mut(|cached| {
            let decoder = cached.get_or_insert_with(Decoder::new);
            decoder.reset();
            streamed(input, output, &mut sum, decoder)
        })?,
    };
    Ok(Data { len, sum: sum.sum() })
}

/// Decodes in one call and returns the data's length; `None` if the stream has to be streamed.
fn whole(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    sum: &mut Running,
    likely_len: usize,
) -> Result<Option<u64>, Error> {
    output.buf.reserve(likely_len.min(MAX_WHOLE_LEN));
    loop {
        let start = output.buf.len();
        match libdeflate::inflate(input.peek(), &mut output.buf) {
            Inflated::Done { consumed } => {
                input.consume(consumed);
                sum.update(&output.buf[start..]);
                return Ok(Some((output.buf.len() - start) as u64));
            }
            Inflated::OutOfSpace if start > 0 => output.hand_over()?,
            Inflated::Bad if input.peek().len() < FEW_BYTES && !input.is_whole() => {
                input.fill().map_err(Error::Read)?;
            }
            Inflated::OutOfSpace | Inflated::Bad => return Ok(None),
        }
    }
}

/// Decodes from buffer to buffer and returns the data's length.
fn streamed(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    sum: &mut Running,
    decoder: &mut Decoder,
) -> Result<u64, Error> {
    let mut len = 0;
    loop {
        if input.peek().is_empty() && !input.fill().map_err(Error::Read)? {
            return Err(Error::UnexpectedEof);
        }
        let start = output.buf.len();
        let step = decoder.decode(input.peek(), &mut output.buf);
        input.consume(step.consumed);
        sum.update(&output.buf[start..]);
        len += (output.buf.len() - start) as u64;
        match step.stop {
            Stop::End => return Ok(len),
            Stop::Violated => return Err(Error::Violated),
            Stop::Pause if output.buf.len() == output.buf.capacity() => output.hand_over()?,
            Stop::Pause => {}
        }
    }
}
