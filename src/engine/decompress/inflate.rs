//! One DEFLATE stream with its checksum.
//!
//! A short stream at hand as a whole is left to libdeflate. Seek marks are followed as far as they lead
//! ([`super::marked`]). A long stream is decoded by several threads,
//! if there are any ([`super::speculative`]), from memory at once, from a pipe in batches; with one thread
//! and from memory by a decoder and a scout in one loop; everything else from buffer to buffer, for any size
//! and any cutting of the input. Machines for which our decoder has no fast loops are better off with zlib-ng.
//!
//! Memory: the buffers of [`super::sink`], the decoder's state (about 20 KiB) and the input's buffers, which
//! hold at most three times [`BATCH_LEN`] where threads share the work, and else 256 KiB, whatever the
//! stream's size; and what [`super::speculative`] says.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::marked;
use super::sink::Output;
use super::speculative::{self, Patience};
use crate::backend::libdeflate::{self, Inflated};
use crate::backend::zlib_ng;
use crate::checksum::{Joined, Kind, Running};
use crate::error::Error;
use crate::inflate::bits::Bits;
use crate::inflate::commands::{Commands, Executed, Progressed, Reached, Scout, Walk, Why};
use crate::inflate::{Decoder, Stop, Work, decode_and_scout, has_loops};
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
    if let Some(data) = short(input, output, sum.kind())? {
        return Ok(data);
    }
    if !has_loops() {
        let len = by_library(input, output, &mut sum)?;
        return Ok(Data { len, sum: sum.sum() });
    }
    let mut joined = Joined::new(sum.kind());
    if !marked::inflate(input, output, &mut joined)? {
        DECODER.with_borrow_mut(|cached| {
            let decoder = cached.get_or_insert_with(|| Box::new(Decoder::new()));
            let len = by_us(input, output, decoder, &mut sum)?;
            joined.join(sum.sum(), len);
            Ok(())
        })?;
    }
    Ok(Data { len: joined.len(), sum: joined.sum() })
}

/// Streams up to this length have few blocks, and libdeflate is the fastest at making tables.
const SHORT_LEN: usize = 16 << 10;

/// Decodes a stream that is short and at hand as a whole, by libdeflate; `None`, and nothing is done,
/// if it is not, or is damaged, or is not followed by its checksum: libdeflate takes some codes that zlib
/// does not, so then the verdict is our decoder's.
fn short(input: &mut Input<'_>, output: &mut Output<'_, '_>, kind: Kind) -> Result<Option<Data>, Error> {
    if !input.is_whole() || input.peek().len() > SHORT_LEN {
        return Ok(None);
    }
    loop {
        match libdeflate::inflate(input.peek(), &mut output.buf[output.pos..]) {
            Inflated::Done { consumed, produced } => {
                let end = output.pos + produced;
                let sum = kind.of(&output.buf[output.pos..end]);
                let expected = match kind {
                    Kind::Crc32 => sum.to_le_bytes(),
                    Kind::Adler32 => sum.to_be_bytes(),
                };
                if !input.peek()[consumed..].starts_with(&expected) {
                    return Ok(None);
                }
                input.consume(consumed);
                output.pos = end;
                return Ok(Some(Data { len: produced as u64, sum }));
            }
            // Another one may do.
            Inflated::OutOfSpace if output.pos > 0 => {
                output.hand_over()?;
            }
            Inflated::OutOfSpace | Inflated::Bad => return Ok(None),
        }
    }
}

/// What threads share at a time of a stream that is not in memory, in bytes: no more than this, and no
/// more than was read in the meantime, but for a slow writer's sake not less than the shortest input
/// that is worth it.
const BATCH_LEN: usize = 4 << 20;

/// Decodes to the end of the stream and returns its data's length.
fn by_us(
    input: &mut Input<'_>,
    output: &mut Output<'_, '_>,
    decoder: &mut Decoder,
    sum: &mut Running,
) -> Result<u64, Error> {
    let (mut stream, mut patience) = (Stream::new(output, decoder, sum), Patience::default());
    let mut used = 0;
    loop {
        let at_hand = if input.is_whole() { input.peek().len() } else { 0 };
        let is_long = used + at_hand >= speculative::MIN_LEN;
        let consumed = if is_long && stream.out.threads.get() > 1 {
            input.peek_at_least(speculative::MIN_LEN).map_err(Error::Read)?;
            let (bytes, ahead) = input.peek_and_read();
            let is_done = AtomicBool::new(false);
            thread::scope(|scope| {
                if let Some(ahead) = ahead {
                    let read = || ahead.read(BATCH_LEN, || is_done.load(Ordering::Relaxed));
                    // What is not read now is read later.
                    let _ = thread::Builder::new().spawn_scoped(scope, read);
                }
                let result = speculative::go_on(&mut stream, bytes, &mut patience);
                is_done.store(true, Ordering::Relaxed);
                result
            })?;
            stream.leave(bytes)
        } else {
            let bytes = input.peek();
            if is_long {
                speculative::go_on_alone(&mut stream, bytes)?;
            } else {
                stream.decode_to(bytes, u64::MAX)?;
            }
            stream.leave(bytes)
        };
        input.consume(consumed);
        used += consumed;
        if stream.is_at_end() {
            return Ok(stream.len);
        }
        if !input.fill().map_err(Error::Read)? {
            return Err(Error::UnexpectedEof);
        }
    }
}

/// A stream on its way from input to output. Positions are bits of the input at hand, which every method
/// is given again.
pub(super) struct Stream<'s, 'scope, 'env> {
    pub(super) out: &'s mut Output<'scope, 'env>,
    decoder: &'s mut Decoder,
    sum: &'s mut Running,
    /// Bytes decoded.
    pub(super) len: u64,
    /// Everything before this bit is decoded.
    pub(super) pos: u64,
    place: Place,
}

/// What is at a stream's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The start of a block.
    Block,
    /// The end of the input at hand, somewhere in a block, which the decoder knows; its own positions
    /// count from this bit on, which wraps around where that is behind.
    Inside(u64),
    /// The end of the stream.
    End,
}

impl<'s, 'scope, 'env> Stream<'s, 'scope, 'env> {
    fn new(
        out: &'s mut Output<'scope, 'env>,
        decoder: &'s mut Decoder,
        sum: &'s mut Running,
    ) -> Stream<'s, 'scope, 'env> {
        Stream { out, decoder, sum, len: 0, pos: 0, place: Place::Block }
    }

    pub(super) fn is_at_block(&self) -> bool {
        self.place == Place::Block
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.place == Place::End
    }

    /// Whether nearly all codewords of the last block with codes have the same length.
    pub(super) fn has_one_len(&self) -> bool {
        self.decoder.has_one_len()
    }

    /// Decodes on to the first block that begins at bit `to` or behind it, or to the end of `bytes` or of
    /// the stream.
    pub(super) fn decode_to(&mut self, bytes: &[u8], to: u64) -> Result<(), Error> {
        self.decode_beside(bytes, to, None)
    }

    /// The same, with a scout beside it.
    pub(super) fn decode_beside(
        &mut self,
        bytes: &[u8],
        to: u64,
        mut walk: Option<&mut Walk<'_, &mut Scout>>,
    ) -> Result<(), Error> {
        let (origin, mut at) = match self.place {
            Place::End => return Ok(()),
            Place::Block if self.pos >= to => return Ok(()),
            Place::Block => {
                let at = self.pos / 8;
                self.decoder.reset_at((self.pos % 8) as u32, self.out.pos - self.out.floor);
                (8 * at, at as usize)
            }
            Place::Inside(origin) => (origin, (self.pos / 8) as usize),
        };
        // No input at hand is so long.
        self.decoder.stop_at(to.min(1 << 62).wrapping_sub(origin));
        loop {
            let (input, out, out_pos) = (&bytes[at..], &mut self.out.buf[..], self.out.pos);
            let step = match &mut walk {
                Some(walk) => decode_and_scout(Work { decoder: self.decoder, input, out, out_pos }, walk),
                None => self.decoder.decode(input, out, out_pos),
            };
            at += step.consumed;
            self.advance(step.out_pos);
            self.pos = origin.wrapping_add(self.decoder.pos());
            self.place = match step.stop {
                Stop::NeedsRoom => {
                    self.out.hand_over()?;
                    continue;
                }
                Stop::Violated => return Err(Error::Violated),
                Stop::Block => Place::Block,
                Stop::NeedsInput | Stop::Paused => {
                    self.pos = 8 * bytes.len() as u64;
                    Place::Inside(origin)
                }
                Stop::End => {
                    self.pos = 8 * at as u64;
                    Place::End
                }
            };
            return Ok(());
        }
    }

    /// Lets `scout` enter the block that the stream is in the middle of; false if it is not.
    pub(super) fn let_in(&self, scout: &mut Scout) -> bool {
        matches!(self.place, Place::Inside(_)) && scout.enter(self.decoder)
    }

    /// The bit that is decoded next.
    pub(super) fn next_bit(&self) -> u64 {
        match self.place {
            Place::Inside(origin) => origin.wrapping_add(self.decoder.pos()),
            Place::Block | Place::End => self.pos,
        }
    }

    /// Whether a symbol comes next, at bit `pos`.
    pub(super) fn is_at_symbol(&self, pos: u64) -> bool {
        matches!(self.place, Place::Inside(origin) if self.decoder.is_at_symbol(pos.wrapping_sub(origin)))
    }

    /// Does what `scout` has found in `bytes` from here on to the symbol before which `bits` are.
    pub(super) fn execute_inside(
        &mut self,
        bytes: &[u8],
        scout: &mut Scout,
        bits: Bits<'_>,
    ) -> Result<(), Error> {
        self.execute_all(bytes, &scout.commands)?;
        let Place::Inside(origin) = self.place else { unreachable!("the stream is inside of a block") };
        self.decoder.take_over(scout, bits, origin / 8, self.out.pos - self.out.floor);
        self.pos = origin.wrapping_add(self.decoder.input_pos());
        Ok(())
    }

    /// Does what `commands` say, which were made of `bytes` from here on to where `reached` is.
    pub(super) fn execute(
        &mut self,
        bytes: &[u8],
        commands: &Commands,
        reached: Reached,
    ) -> Result<(), Error> {
        self.execute_all(bytes, commands)?;
        self.pos = reached.pos;
        self.place = if reached.why == Why::End { Place::End } else { Place::Block };
        Ok(())
    }

    fn execute_all(&mut self, bytes: &[u8], commands: &Commands) -> Result<(), Error> {
        let mut done = Progressed::default();
        loop {
            let (start, floor) = (self.out.pos, self.out.floor);
            let (pos, executed) = commands.execute(&mut done, bytes, &mut self.out.buf, floor, start);
            self.advance(pos);
            match executed {
                Executed::All => return Ok(()),
                Executed::NeedsRoom => self.out.hand_over()?,
                Executed::Violated => return Err(Error::Violated),
            }
        }
    }

    /// The output has grown to `pos`.
    fn advance(&mut self, pos: usize) {
        let new = &self.out.buf[self.out.pos..pos];
        self.sum.update(new);
        self.len += new.len() as u64;
        self.out.pos = pos;
    }

    /// Parts with the input at hand and returns how many bytes of it are used.
    fn leave(&mut self, bytes: &[u8]) -> usize {
        let used = ((self.pos / 8) as usize).min(bytes.len());
        self.pos -= 8 * used as u64;
        if let Place::Inside(origin) = &mut self.place {
            *origin = origin.wrapping_sub(8 * used as u64);
        }
        used
    }
}

/// As [`by_us`], by zlib-ng.
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
            by_us(input, output, &mut Decoder::portable(), sum)
        };
        for (cut, damage) in [(packed.len(), 0), (packed.len() - 5, 0), (packed.len(), 0x10)] {
            let mut packed = packed[..cut].to_vec();
            packed[cut / 2] ^= damage;
            assert!(outcome(&packed, &ours) == outcome(&packed, &by_library), "{cut}, {damage}");
        }
    }
}
