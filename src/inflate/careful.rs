#![forbid(unsafe_code)]
//! The decoder that can stop and go on anywhere: between any two bytes of input and of output.
//!
//! The caller owns input and output. It hands over pieces of input of any size, each of which
//! begins where the last step stopped, and an output buffer of which the last `window_len` bytes
//! before `out_pos` are what was decoded (or was there) before; see [`Decoder::decode`]. Between
//! calls the decoder keeps the codes, a few bits of input, and what is left of a match or a stored
//! block.
//!
//! A symbol (a literal, or a match with both codewords and all extra bits) is either decoded whole
//! or its bits are kept, and looked at again when more have come. So wherever input or room ends,
//! everything before is in the output, and what is damaged is found at the same bit as by zlib.
//!
//! This is the judge and the portable fallback; faster loops take over in the middle of a block,
//! where input and room are plenty, and leave the edges to it.

use super::WINDOW_LEN;
use super::bits::Bits;
use super::header::{Header, Progress};
use super::table::{DIST_ENTRIES, LITLEN_ENTRIES, Litlen, RARE, Tables};

/// One step of [`Decoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of input used. Behind the end of a stream nothing is.
    pub consumed: usize,
    /// Where the output ends now.
    pub out_pos: usize,
    /// What stopped the step.
    pub stop: Stop,
}

/// Why a step of [`Decoder::decode`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It needs more room if there was none left, else more input (all is used), unless it stands
    /// before a block as [`Decoder::pause_at`] wants it. Where there was no room left, more output
    /// may come without more input.
    Pause,
    /// The stream is complete.
    End,
    /// The data are damaged; what was decoded before the damage is in the output.
    Violated,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A block, or the end of the stream.
    Block,
    /// The lengths of a stored block, on a byte boundary.
    StoredLen,
    /// So many bytes of a stored block.
    Stored(usize),
    /// The header of a dynamic block.
    Header,
    /// Symbols.
    Symbols,
    /// `len` bytes of a match, then symbols.
    Copy { len: usize, dist: usize },
    /// Nothing: the stream is complete.
    End,
    /// Nothing: the stream is damaged.
    Violated,
}

/// A resumable decoder of one raw DEFLATE stream.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// Whether the block is the last one.
    is_final: bool,
    /// Whether the tables are those of the fixed codes.
    has_fixed: bool,
    /// Bits of input that have been consumed but not used, and their number.
    bit_buf: u64,
    bit_count: u32,
    /// Bits of the first byte that belong to something else.
    skip: u32,
    /// Bytes of input consumed.
    consumed: u64,
    pause_at: u64,
    window_len: usize,
    header: Header,
    tables: Tables,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Decoder {
        Decoder {
            state: State::Block,
            is_final: false,
            has_fixed: false,
            bit_buf: 0,
            bit_count: 0,
            skip: 0,
            consumed: 0,
            pause_at: u64::MAX,
            window_len: 0,
            header: Header::new(),
            tables: Tables::new(),
        }
    }

    /// Goes back to the start of a stream.
    pub fn reset(&mut self) {
        self.reset_at(0, 0);
    }

    /// Goes to the start of a block in the middle of a stream: behind the lowest `skip` bits (0 to
    /// 7) of the next byte, and with `window_len` known bytes of output before it, of which no more
    /// than 32 KiB count.
    pub fn reset_at(&mut self, skip: u32, window_len: usize) {
        assert!(skip < 8, "a bit of a byte");
        self.state = State::Block;
        self.is_final = false;
        (self.bit_buf, self.bit_count, self.skip) = (0, 0, skip);
        self.consumed = 0;
        self.pause_at = u64::MAX;
        self.window_len = window_len.min(WINDOW_LEN);
        self.header.reset();
    }

    /// How many bytes before the next output must be in the buffer: 32 KiB, or all there were.
    pub fn window_len(&self) -> usize {
        self.window_len
    }

    /// How many bits of input are behind the decoder, from the first byte since a reset on.
    pub fn pos(&self) -> u64 {
        8 * self.consumed - u64::from(self.bit_count)
    }

    /// Whether a block comes next, and not the end of the stream.
    pub fn is_before_block(&self) -> bool {
        self.state == State::Block && !self.is_final
    }

    /// Lets the decoder pause before the first block that begins at bit `pos` or behind it
    /// (counted as by [`Decoder::pos`]); a reset forgets that.
    pub fn pause_at(&mut self, pos: u64) {
        self.pause_at = pos;
    }

    /// Decodes `input` to `out[out_pos..]` until something is used up or the stream ends.
    ///
    /// The [`Decoder::window_len`] bytes before `out_pos` must be those that were decoded last, or
    /// that a reset has promised. Bytes of `out` behind the new `out_pos` may be overwritten with
    /// anything.
    ///
    /// # Panics
    /// If `out` does not reach to `out_pos`, or `out_pos` is less than the window's length.
    pub fn decode(&mut self, input: &[u8], out: &mut [u8], out_pos: usize) -> Step {
        let Some(floor) = out_pos.checked_sub(self.window_len) else {
            panic!("the window is not in the buffer");
        };
        assert!(out_pos <= out.len(), "there is no such place in the buffer");
        let mut bits = Bits::resume(input, self.bit_buf, self.bit_count);
        let mut out = Out { buf: out, pos: out_pos, floor };
        let stop = self.run(&mut bits, &mut out);
        let out_pos = out.pos;
        self.window_len = (out_pos - floor).min(WINDOW_LEN);
        let consumed;
        (self.bit_buf, self.bit_count, consumed) = bits.save();
        self.consumed += consumed as u64;
        Step { consumed, out_pos, stop }
    }

    fn run(&mut self, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Stop {
        if self.skip > 0 {
            if bits.take(self.skip).is_none() {
                return Stop::Pause;
            }
            self.skip = 0;
        }
        loop {
            let progress = match self.state {
                State::Block if self.is_final => {
                    bits.align();
                    self.state = State::End;
                    return Stop::End;
                }
                State::Block => {
                    if self.consumed as i64 * 8 + bits.pos() >= self.pause_at.min(i64::MAX as u64) as i64 {
                        return Stop::Pause;
                    }
                    self.begin_block(bits)
                }
                State::StoredLen => self.read_stored_len(bits),
                State::Stored(len) => {
                    let bytes = bits.take_bytes(len.min(out.room()));
                    out.push(bytes);
                    let left = len - bytes.len();
                    self.state = if left == 0 { State::Block } else { State::Stored(left) };
                    if left == 0 { Progress::Done } else { Progress::Pause }
                }
                State::Header => self.read_header(bits),
                State::Copy { len, dist } => {
                    let now = len.min(out.room());
                    out.copy(now, dist);
                    self.state = State::Symbols;
                    if now == len {
                        Progress::Done
                    } else {
                        self.state = State::Copy { len: len - now, dist };
                        Progress::Pause
                    }
                }
                State::Symbols => self.decode_symbols(bits, out),
                State::End => return Stop::End,
                State::Violated => Progress::Violated,
            };
            match progress {
                Progress::Done => {}
                Progress::Pause => return Stop::Pause,
                Progress::Violated => {
                    self.state = State::Violated;
                    return Stop::Violated;
                }
            }
        }
    }

    /// Reads what all blocks begin with (RFC 1951 §3.2.3).
    fn begin_block(&mut self, bits: &mut Bits<'_>) -> Progress {
        let Some(start) = bits.take(3) else { return Progress::Pause };
        self.is_final = start & 1 == 1;
        self.state = match start >> 1 {
            0 => {
                bits.align();
                State::StoredLen
            }
            1 => {
                if !self.has_fixed {
                    self.tables.build_fixed();
                    self.has_fixed = true;
                }
                State::Symbols
            }
            2 => {
                self.header.reset();
                State::Header
            }
            _ => return Progress::Violated,
        };
        Progress::Done
    }

    /// §3.2.4.
    fn read_stored_len(&mut self, bits: &mut Bits<'_>) -> Progress {
        let Some(lens) = bits.take(32) else { return Progress::Pause };
        let len = lens & 0xffff;
        if len != !lens >> 16 {
            return Progress::Violated;
        }
        self.state = State::Stored(len as usize);
        Progress::Done
    }

    fn read_header(&mut self, bits: &mut Bits<'_>) -> Progress {
        let progress = self.header.read(bits);
        if progress == Progress::Done {
            self.has_fixed = false;
            if self.tables.build(self.header.litlen_lens(), self.header.dist_lens()).is_err() {
                return Progress::Violated;
            }
            self.state = State::Symbols;
        }
        progress
    }

    /// Decodes symbols to the end of the block (`Done`), as far as input and room reach.
    fn decode_symbols(&mut self, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Progress {
        let tables = &self.tables;
        loop {
            bits.refill();
            let entry = tables.litlen[bits.peek() as usize % LITLEN_ENTRIES];
            let used = entry & 0xff;
            if entry < 3 << 24 && used <= bits.count() && out.room() >= 2 {
                out.push_literals(entry);
                bits.consume(used);
                continue;
            }
            let (length, used) = if (3 << 24..RARE).contains(&entry) {
                (entry >> 24, used)
            } else {
                match next_symbol(tables, bits) {
                    Err(progress) => return progress,
                    Ok((Litlen::Literal(_), _)) if out.room() == 0 => return Progress::Pause,
                    Ok((Litlen::Literal(literal), used)) => {
                        out.push(&[literal]);
                        bits.consume(used);
                        continue;
                    }
                    Ok((Litlen::EndOfBlock, used)) => {
                        bits.consume(used);
                        self.state = State::Block;
                        return Progress::Done;
                    }
                    Ok((Litlen::Length(base, extra), used)) => {
                        let more = bits.peek() >> used & ((1 << extra) - 1);
                        (u32::from(base) + more as u32, used + u32::from(extra))
                    }
                }
            };
            if used > bits.count() {
                return Progress::Pause;
            }
            let (dist, used) = match next_dist(tables, bits, used) {
                Ok(found) => found,
                Err(progress) => return progress,
            };
            if used > bits.count() {
                return Progress::Pause;
            }
            if dist > out.pos - out.floor {
                return Progress::Violated;
            }
            bits.consume(used);
            let len = length as usize;
            if len > out.room() {
                self.state = State::Copy { len, dist };
                return Progress::Done;
            }
            out.copy(len, dist);
        }
    }
}

/// The next litlen symbol and the length of its codeword, which is there; or what stands against it.
#[cold]
fn next_symbol(tables: &Tables, bits: &Bits<'_>) -> Result<(Litlen, u32), Progress> {
    match tables.litlen_code.litlen(bits.peek()) {
        Some((_, len)) if len > bits.count() => Err(Progress::Pause),
        Some((Some(symbol), len)) => Ok((symbol, len)),
        None if bits.count() == 0 => Err(Progress::Pause),
        Some((None, _)) | None => Err(Progress::Violated),
    }
}

/// The distance behind the next `skip` bits, and how many bits there are with it, some of which
/// may be missing; or what stands against it.
#[inline(always)]
fn next_dist(tables: &Tables, bits: &Bits<'_>, skip: u32) -> Result<(usize, u32), Progress> {
    let next = bits.peek() >> skip;
    let mut entry = tables.dist[next as usize % DIST_ENTRIES];
    if entry == 0 {
        entry = next_long_dist(tables, next, bits.count() - skip)?;
    }
    let with_extra = next & ((1 << (entry & 0xff)) - 1);
    let dist = (entry >> 16) as usize + (with_extra >> (entry >> 8 & 0xff)) as usize;
    Ok((dist, skip + (entry & 0xff)))
}

/// The entry of a codeword that the dist table does not know, at the front of `next`, of which
/// `count` bits are real.
#[cold]
fn next_long_dist(tables: &Tables, next: u64, count: u32) -> Result<u32, Progress> {
    match tables.dist_code.dist(next) {
        Some((_, len)) if len > count => Err(Progress::Pause),
        None if count == 0 => Err(Progress::Pause),
        Some((0, _)) | None => Err(Progress::Violated),
        Some((entry, _)) => Ok(entry),
    }
}

/// The output, and what is before it.
struct Out<'a> {
    buf: &'a mut [u8],
    pos: usize,
    /// Where the window begins, or the buffer if all of it is window.
    floor: usize,
}

impl Out<'_> {
    #[inline(always)]
    fn room(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// Appends `bytes`, for which there is room.
    fn push(&mut self, bytes: &[u8]) {
        self.buf[self.pos..self.pos + bytes.len()].copy_from_slice(bytes);
        self.pos += bytes.len();
    }

    /// Appends the one or two literals of a litlen entry; there is room for two.
    #[inline(always)]
    fn push_literals(&mut self, entry: u32) {
        let both = ((entry >> 8) as u16).to_le_bytes();
        self.buf[self.pos..self.pos + 2].copy_from_slice(&both);
        self.pos += (entry >> 24) as usize;
    }

    /// Appends `len` bytes, for which there is room, from `dist` bytes before (RFC 1951 §3.2.3).
    #[inline(always)]
    fn copy(&mut self, len: usize, dist: usize) {
        let (from, to) = (self.pos - dist, self.pos);
        self.pos += len;
        // Whole steps; what they write too much is overwritten by what comes.
        const STEP: usize = 16;
        if dist >= STEP && self.buf.len() - to >= len.next_multiple_of(STEP) {
            let mut done = 0;
            while done < len {
                let step: [u8; STEP] =
                    self.buf[from + done..from + done + STEP].try_into().expect("so many bytes");
                self.buf[to + done..to + done + STEP].copy_from_slice(&step);
                done += STEP;
            }
        } else if dist == 1 {
            let byte = self.buf[from];
            self.buf[to..to + len].fill(byte);
        } else {
            for i in 0..len {
                self.buf[to + i] = self.buf[from + i];
            }
        }
    }
}
