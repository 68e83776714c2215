//! One DEFLATE stream, decoded by one thread, with its checksum.
//!
//! A short stream at hand as a whole is left to libdeflate. A long stream at hand as a whole is decoded by several threads if there are any
//! ([`super::speculative`]); everything else from buffer to buffer, for any size and any cutting of
//! the input. Machines for which our decoder has no fast loops are better off with zlib-ng.
//!
//! Memory: the buffers of [`super::sink`] and of the input, and the decoder's state (about 20 KiB),
//! whatever the stream's size.

use std::cell::RefCell;

use super::sink::Output;
use super::speculative;
use crate::backend::libdeflate::{self, Inflated};
use crate::backend::zlib_ng;
use crate::checksum::Running;
use crate::error::Error;
use crate::inflate::{Decoder, Stop, has_loops};
use crate::io::input::Input;

thread_local! {
    static DECODER: RefCell<Option<Box<Decoder>>> = const { RefCell::new(None) };
}

/// What a stream amounts to.
pub(super) struct Data {
    /// Bytes of it.
    pub(super) len: u64,
    /// Its checksum.
    pub(super) sum: u32,
}

/// Decodes the stream at the front of `input`, from an empty `sum`. What was decoded before an error
/// is in the output.
pub(super) fn inflate(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    mut sum: Running,
) -> Result<Data, Error> {
    output.begin();
    if let Some(data) = short(input, output, &mut sum)? {
        return Ok(data);
    }
    if !has_loops() {
        let len = by_library(input, output, &mut sum)?;
        return Ok(Data { len, sum: sum.sum() });
    }
    DECODER.with_borrow_mut(|cached| {
        let decoder = cached.get_or_insert_with(|| Box::new(Decoder::new()));
        decoder.reset();
        let len = match input.slice() {
            Some(bytes) if bytes.len() >= speculative::MIN_LEN && output.threads.get() > 1 => {
                let mut len = 0;
                let used = speculative::inflate(bytes, output, decoder, &mut sum, &mut len)?;
                input.consume(used);
                len
            }
            _ => in_order(input, output, decoder, &mut sum)?,
        };
        Ok(Data { len, sum: sum.sum() })
    })
}

/// Streams up to this length have few blocks, and libdeflate is the fastest at making tables.
const SHORT_LEN: usize = 16 << 10;

/// Decodes a stream that is short and at hand as a whole, by libdeflate; `None`, and nothing is done,
/// if it is not, or is damaged.
fn short(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    sum: &mut Running,
) -> Result<Option<Data>, Error> {
    if !input.is_whole() || input.peek().len() > SHORT_LEN {
        return Ok(None);
    }
    loop {
        match libdeflate::inflate(input.peek(), &mut output.buf[output.pos..]) {
            Inflated::Done { consumed, produced } => {
                input.consume(consumed);
                let end = output.pos + produced;
                sum.update(&output.buf[output.pos..end]);
                output.pos = end;
                return Ok(Some(Data { len: produced as u64, sum: sum.sum() }));
            }
            // Another one may do.
            Inflated::OutOfSpace if output.pos > 0 => {
                output.hand_over()?;
            }
            Inflated::OutOfSpace | Inflated::Bad => return Ok(None),
        }
    }
}

/// Decodes from buffer to buffer and returns the data's length.
fn in_order(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    decoder: &mut Decoder,
    sum: &mut Running,
) -> Result<u64, Error> {
    let mut len = 0;
    loop {
        let start = output.pos;
        let step = decoder.decode(input.peek(), &mut output.buf, start);
        input.consume(step.consumed);
        output.pos = step.out_pos;
        sum.update(&output.buf[start..output.pos]);
        len += (output.pos - start) as u64;
        match step.stop {
            Stop::End => return Ok(len),
            Stop::Violated => return Err(Error::Violated),
            Stop::NeedsRoom => output.hand_over()?,
            Stop::NeedsInput | Stop::Block | Stop::Paused => {
                if !input.fill().map_err(Error::Read)? {
                    return Err(Error::UnexpectedEof);
                }
            }
        }
    }
}

/// As [`in_order`], by zlib-ng.
fn by_library(input: &mut Input<'_>, output: &mut Output<'_, '_>, sum: &mut Running) -> Result<u64, Error> {
    const PIECE_LEN: usize = 64 << 10;
    let (mut decoder, mut piece, mut len) = (zlib_ng::Decoder::new(), Vec::with_capacity(PIECE_LEN), 0);
    loop {
        if input.peek().is_empty() && !input.fill().map_err(Error::Read)? {
            return Err(Error::UnexpectedEof);
        }
        piece.clear();
        let step = decoder.decode(input.peek(), &mut piece);
        input.consume(step.consumed);
        sum.update(&piece);
        output.put(&piece)?;
        len += piece.len() as u64;
        match step.stop {
            zlib_ng::Stop::End => return Ok(len),
            zlib_ng::Stop::Violated => return Err(Error::Violated),
            zlib_ng::Stop::Pause => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::with_output;
    use super::*;
    use crate::backend::libdeflate;
    use crate::checksum::Kind;
    use crate::engine::Threads;

    type Decode = dyn Fn(&mut Input<'_>, &mut Output<'_, '_>, &mut Running) -> Result<u64, Error>;

    /// Result, data and checksum of `packed` by `decode`.
    fn outcome(packed: &[u8], decode: &Decode) -> (String, Vec<u8>, u32) {
        let (mut out, mut sum) = (Vec::new(), Running::new(Kind::Crc32));
        let threads = Threads::new(Some(1));
        let result = with_output(Some(&mut out), &threads, |output| {
            output.begin();
            let result = decode(&mut Input::from_slice(packed), output, &mut sum);
            Ok(format!("{result:?}"))
        });
        (result.unwrap(), out, sum.sum())
    }

    #[test]
    fn the_library_and_our_decoder_are_interchangeable() {
        let data: Vec<u8> = (0..900_000u32).map(|i| (i % 251 * (i >> 12)) as u8).collect();
        let mut packed = Vec::new();
        libdeflate::encode(6, &data, &mut packed);
        let ours = |input: &mut Input<'_>, output: &mut Output<'_, '_>, sum: &mut Running| {
            in_order(input, output, &mut Decoder::portable(), sum)
        };
        for (cut, damage) in [(packed.len(), 0), (packed.len() - 5, 0), (packed.len(), 0x10)] {
            let mut packed = packed[..cut].to_vec();
            packed[cut / 2] ^= damage;
            assert!(outcome(&packed, &ours) == outcome(&packed, &by_library), "{cut}, {damage}");
        }
    }
}
