#![forbid(unsafe_code)]
//! The decoder that can stop and go on anywhere: between any two bytes of input and of output.
//!
//! The caller owns input and output. It hands over pieces of input of any size, each of which
//! begins where the last step stopped, and an output buffer of which the last `window_len` bytes
//! before `out_pos` are what was decoded (or was there) before; see [`Decoder::decode`]. Between
//! calls the decoder keeps the codes, a few bits of input, and what is left of a match or a stored
//! block.
//!
//! A literal, or a match's length or distance with its extra bits, is either decoded whole or its
//! bits are kept, and looked at again when more have come. So wherever input or room ends,
//! everything before is in the output, and what is damaged is found at the same bit as by zlib.
//!
//! This is the judge and the portable fallback; faster loops take over in the middle of a block,
//! where input and room are plenty, and leave the edges to it.

use super::WINDOW_LEN;
use super::bits::Bits;
use super::commands::{Scout, Walk};
use super::fast::{self, Lane};
use super::fast_commands;
use super::header::{self, Header};
use super::lane::{Machine, Next};
use super::table::{DIST_ENTRIES, LITLEN_ENTRIES, Litlen, MIN_LENGTH_ENTRY, Mix, RARE, Tables};

/// The most bits of a match: two codewords, and extra bits of both.
const MAX_MATCH_BITS: u32 = 15 + 5 + 15 + 13;

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
    /// All input is used, and more is needed for whatever comes next.
    NeedsInput,
    /// There is no room left for what comes next. It may need no more input.
    NeedsRoom,
    /// The other of two streams has stopped; nothing is missing ([`decode_two`]).
    Paused,
    /// A block comes next, and [`Decoder::stop_at`] wants to know.
    Block,
    /// The stream is complete.
    End,
    /// The data are damaged; what was decoded before the damage is in the output.
    Violated,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bits of the first byte that belong to what is before, then a block.
    Skip(u32),
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
    /// The distance of a match of so many bytes, then symbols.
    Dist(usize),
    /// `len` bytes of a match, then symbols.
    Copy { len: usize, dist: usize },
    /// Nothing any more.
    Stopped(Stop),
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
    /// Bytes of input consumed.
    consumed: u64,
    stop_at: u64,
    window_len: usize,
    header: Header,
    tables: Tables,
    /// Whether there is a fast loop.
    machine: Option<Machine>,
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
            consumed: 0,
            stop_at: u64::MAX,
            window_len: 0,
            header: Header::new(),
            tables: Tables::new(),
            machine: Machine::detect(),
        }
    }

    /// A decoder that never uses what only some machines have.
    pub fn portable() -> Decoder {
        Decoder { machine: None, ..Decoder::new() }
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
        self.state = if skip == 0 { State::Block } else { State::Skip(skip) };
        self.is_final = false;
        (self.bit_buf, self.bit_count) = (0, 0);
        self.consumed = 0;
        self.stop_at = u64::MAX;
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

    /// Where the next byte of input begins, in bits as [`Decoder::pos`].
    pub fn input_pos(&self) -> u64 {
        8 * self.consumed
    }

    /// Whether a symbol comes next, at bit `pos` (counted as by [`Decoder::pos`]).
    pub fn is_at_symbol(&self, pos: u64) -> bool {
        self.state == State::Symbols && self.pos() == pos
    }

    /// Whether nearly all codewords of the last block with codes have the same length.
    pub fn has_one_len(&self) -> bool {
        self.tables.mix == Mix::OneLen
    }

    /// The codes of the block, and whether it is the last one, if the decoder is among its symbols.
    pub(super) fn block(&self) -> Option<(&Tables, bool)> {
        let is_inside = matches!(self.state, State::Symbols | State::Dist(_) | State::Copy { .. });
        is_inside.then_some((&self.tables, self.is_final))
    }

    /// Goes on where `scout` has stopped in the middle of a block, at the symbol before which `bits` are; they count from
    /// `origin` bytes before the first byte since a reset. `window_len` bytes of what is before are known.
    pub fn take_over(&mut self, scout: &mut Scout, mut bits: Bits<'_>, origin: u64, window_len: usize) {
        let (tables, is_final) = scout.leave();
        if let Some(tables) = tables {
            self.tables.copy_of(tables);
            self.has_fixed = false;
        }
        let next;
        bits.give_back();
        (self.bit_buf, self.bit_count, next) = bits.save();
        self.consumed = next as u64 - origin;
        self.window_len = window_len.min(WINDOW_LEN);
        (self.state, self.is_final) = (State::Symbols, is_final);
    }

    /// Lets the decoder stop before the first block that begins at bit `pos` or behind it
    /// (counted as by [`Decoder::pos`]); a reset forgets that.
    pub fn stop_at(&mut self, pos: u64) {
        self.stop_at = pos;
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
        let (mut bits, mut out) = self.begin_step(input, out, out_pos);
        let stop = self.run(&mut bits, &mut out);
        self.end_step(bits, &out, stop)
    }

    fn begin_step<'a>(&self, input: &'a [u8], out: &'a mut [u8], out_pos: usize) -> (Bits<'a>, Out<'a>) {
        let Some(floor) = out_pos.checked_sub(self.window_len) else {
            panic!("the window is not in the buffer");
        };
        assert!(out_pos <= out.len(), "there is no such place in the buffer");
        (Bits::resume(input, self.bit_buf, self.bit_count), Out { buf: out, pos: out_pos, floor })
    }

    /// Keeps what the next step will need.
    fn end_step(&mut self, mut bits: Bits<'_>, out: &Out<'_>, stop: Stop) -> Step {
        let out_pos = out.pos;
        self.window_len = (out_pos - out.floor).min(WINDOW_LEN);
        // Whoever needs input keeps all there is.
        if stop != Stop::NeedsInput {
            bits.give_back();
        }
        let consumed;
        (self.bit_buf, self.bit_count, consumed) = bits.save();
        self.consumed += consumed as u64;
        Step { consumed, out_pos, stop }
    }

    /// Goes on until something stops it.
    fn run(&mut self, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Stop {
        loop {
            let result = match self.state {
                State::Symbols => match self.machine {
                    Some(machine) if is_worthwhile(bits, out) => {
                        let next = fast::run(machine, Lane { tables: &self.tables, bits, out });
                        self.go_on(next, bits, out)
                    }
                    _ => self.decode_symbols(bits, out),
                },
                _ => self.advance(bits, out),
            };
            if let Err(stop) = result {
                return self.stopped(stop);
            }
        }
    }

    /// Goes on until the fast loop can.
    fn run_to_symbols(&mut self, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Result<(), Stop> {
        while self.state != State::Symbols || !is_worthwhile(bits, out) {
            self.advance(bits, out)?;
        }
        Ok(())
    }

    /// Does what comes next.
    fn advance(&mut self, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Result<(), Stop> {
        match self.state {
            State::Skip(len) => bits.take(len).map(|_| self.state = State::Block).ok_or(Stop::NeedsInput),
            State::Block => self.begin_block(bits),
            State::StoredLen => self.read_stored_len(bits),
            State::Stored(len) => self.copy_stored(len, bits, out),
            State::Header => self.read_header(bits),
            State::Symbols => self.decode_symbols(bits, out),
            State::Dist(len) => self.decode_dist(len, bits, out),
            State::Copy { len, dist } => self.copy_match(len, dist, out),
            State::Stopped(stop) => Err(stop),
        }
    }

    /// Remembers what cannot change any more.
    fn stopped(&mut self, stop: Stop) -> Stop {
        if let Stop::End | Stop::Violated = stop {
            self.state = State::Stopped(stop);
        }
        stop
    }

    /// Reads what all blocks begin with (RFC 1951 §3.2.3), or ends the stream.
    fn begin_block(&mut self, bits: &mut Bits<'_>) -> Result<(), Stop> {
        if self.is_final {
            bits.align();
            return Err(Stop::End);
        }
        // The position is negative only in bits that were consumed before.
        if (8 * self.consumed).wrapping_add_signed(bits.pos()) >= self.stop_at {
            return Err(Stop::Block);
        }
        let start = bits.take(3).ok_or(Stop::NeedsInput)?;
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
            _ => return Err(Stop::Violated),
        };
        Ok(())
    }

    /// §3.2.4.
    fn read_stored_len(&mut self, bits: &mut Bits<'_>) -> Result<(), Stop> {
        let lens = bits.take(32).ok_or(Stop::NeedsInput)?;
        let len = lens & 0xffff;
        if len != !lens >> 16 {
            return Err(Stop::Violated);
        }
        self.state = State::Stored(len as usize);
        Ok(())
    }

    fn copy_stored(&mut self, len: usize, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Result<(), Stop> {
        let bytes = bits.take_bytes(len.min(out.room()));
        out.push(bytes);
        self.state = State::Stored(len - bytes.len());
        if bytes.len() == len {
            self.state = State::Block;
            Ok(())
        } else if out.room() == 0 {
            Err(Stop::NeedsRoom)
        } else {
            Err(Stop::NeedsInput)
        }
    }

    fn read_header(&mut self, bits: &mut Bits<'_>) -> Result<(), Stop> {
        match self.header.read(bits) {
            header::Progress::Done => {}
            header::Progress::NeedsInput => return Err(Stop::NeedsInput),
            header::Progress::Violated => return Err(Stop::Violated),
        }
        self.has_fixed = false;
        let (litlen_lens, dist_lens) = (self.header.litlen_lens(), self.header.dist_lens());
        fast::build_tables(self.machine, &mut self.tables, litlen_lens, dist_lens)
            .map_err(|_| Stop::Violated)?;
        self.state = State::Symbols;
        Ok(())
    }

    fn copy_match(&mut self, len: usize, dist: usize, out: &mut Out<'_>) -> Result<(), Stop> {
        let now = len.min(out.room());
        out.copy(now, dist);
        if now < len {
            self.state = State::Copy { len: len - now, dist };
            return Err(Stop::NeedsRoom);
        }
        self.state = State::Symbols;
        Ok(())
    }

    /// Decodes symbols as far as input and room reach; with a fast loop, until that can go on.
    fn decode_symbols(&mut self, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Result<(), Stop> {
        // Copies of both, for the compiler to keep in registers.
        let (mut bits_here, mut out_here) = (bits.clone(), Out { buf: out.buf, ..*out });
        let result = decode_symbols(&self.tables, self.machine, &mut bits_here, &mut out_here);
        out.pos = out_here.pos;
        *bits = bits_here;
        self.state = result?;
        Ok(())
    }

    /// Does what comes next behind a fast loop.
    fn go_on(&mut self, next: Next, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Result<(), Stop> {
        match next {
            Next::Symbol => self.decode_symbols(bits, out),
            Next::Dist(len) => self.decode_dist(len, bits, out),
        }
    }

    /// Decodes the distance of a match of `len` bytes, and copies.
    #[inline(always)]
    fn decode_dist(&mut self, len: usize, bits: &mut Bits<'_>, out: &mut Out<'_>) -> Result<(), Stop> {
        self.state = State::Dist(len);
        bits.refill();
        let (dist, used) = next_dist(&self.tables, bits)?;
        if used > bits.count() {
            return Err(Stop::NeedsInput);
        }
        if dist > out.pos - out.floor {
            return Err(Stop::Violated);
        }
        bits.consume(used);
        if len > out.room() {
            self.state = State::Copy { len, dist };
        } else {
            out.copy(len, dist);
            self.state = State::Symbols;
        }
        Ok(())
    }
}

/// What a stream of [`decode_two`] is decoded from, and to: as for [`Decoder::decode`].
#[derive(Debug)]
pub struct Work<'a> {
    /// The decoder of the stream.
    pub decoder: &'a mut Decoder,
    /// What comes next of the stream.
    pub input: &'a [u8],
    /// The window and room behind it.
    pub out: &'a mut [u8],
    /// Where the room begins.
    pub out_pos: usize,
}

/// Decodes two streams side by side, in less time than one after the other, until one of them
/// stops as it would in [`Decoder::decode`]; the other one is [`Stop::Paused`]. To keep two in work,
/// the caller goes on with the one that has paused and with another stream.
///
/// The last bytes of room are filled slowly. Where it is known how much comes, 1 KiB more is of use.
///
/// # Panics
/// As [`Decoder::decode`].
pub fn decode_two(works: [Work<'_>; 2]) -> [Step; 2] {
    let [first, second] = works;
    let (mut first_bits, mut first_out) = first.decoder.begin_step(first.input, first.out, first.out_pos);
    let (mut second_bits, mut second_out) =
        second.decoder.begin_step(second.input, second.out, second.out_pos);
    let stops = loop {
        let Some(machine) = first.decoder.machine.and(second.decoder.machine) else {
            break [first.decoder.run(&mut first_bits, &mut first_out), Stop::Paused];
        };
        if let Err(stop) = first.decoder.run_to_symbols(&mut first_bits, &mut first_out) {
            break [first.decoder.stopped(stop), Stop::Paused];
        }
        if let Err(stop) = second.decoder.run_to_symbols(&mut second_bits, &mut second_out) {
            break [Stop::Paused, second.decoder.stopped(stop)];
        }
        let lanes = [
            Lane { tables: &first.decoder.tables, bits: &mut first_bits, out: &mut first_out },
            Lane { tables: &second.decoder.tables, bits: &mut second_bits, out: &mut second_out },
        ];
        let (index, next) = fast::run_two(machine, lanes);
        if index == 0 {
            if let Err(stop) = first.decoder.go_on(next, &mut first_bits, &mut first_out) {
                break [first.decoder.stopped(stop), Stop::Paused];
            }
        } else if let Err(stop) = second.decoder.go_on(next, &mut second_bits, &mut second_out) {
            break [Stop::Paused, second.decoder.stopped(stop)];
        }
    };
    [
        first.decoder.end_step(first_bits, &first_out, stops[0]),
        second.decoder.end_step(second_bits, &second_out, stops[1]),
    ]
}

/// As [`Decoder::decode`], with a scout beside it that goes on at the same time, in less time than one after the
/// other.
///
/// # Panics
/// As [`Decoder::decode`].
pub fn decode_and_scout(work: Work<'_>, walk: &mut Walk<'_, &mut Scout>) -> Step {
    let Work { decoder, input, out, out_pos } = work;
    let (mut bits, mut out) = decoder.begin_step(input, out, out_pos);
    let stop = loop {
        if let Some(machine) = decoder.machine {
            if let Err(stop) = decoder.run_to_symbols(&mut bits, &mut out) {
                break decoder.stopped(stop);
            }
            if walk.reach_symbols() && walk.lane().is_worthwhile() {
                let lane = Lane { tables: &decoder.tables, bits: &mut bits, out: &mut out };
                match fast_commands::decode_and_scout(machine, lane, walk.lane()) {
                    (0, next) => {
                        if let Err(stop) = decoder.go_on(next, &mut bits, &mut out) {
                            break decoder.stopped(stop);
                        }
                    }
                    (_, next) => walk.symbol(next),
                }
                continue;
            }
        }
        break decoder.run(&mut bits, &mut out);
    };
    decoder.end_step(bits, &out, stop)
}

/// Whether there is enough input and room for the fast loop.
fn is_worthwhile(bits: &Bits<'_>, out: &Out<'_>) -> bool {
    fast::is_worthwhile(bits.bytes_left(), out.room())
}

/// Decodes symbols to the end of the block, or to a match for which there is not enough room or
/// whose distance is not at hand; with a fast loop, until that can go on.
#[inline(always)]
fn decode_symbols(
    tables: &Tables,
    machine: Option<Machine>,
    bits: &mut Bits<'_>,
    out: &mut Out<'_>,
) -> Result<State, Stop> {
    let look_up = |bits: &Bits<'_>| tables.litlen[bits.peek() as usize % LITLEN_ENTRIES];
    let fits = |entry: u32, bits: &Bits<'_>, out: &Out<'_>| entry & 0xff <= bits.count() && out.room() >= 2;
    loop {
        bits.refill();
        let mut entry = look_up(bits);
        while entry < MIN_LENGTH_ENTRY && fits(entry, bits, out) {
            out.push_literals(entry);
            bits.consume(entry & 0xff);
            entry = look_up(bits);
        }
        if bits.count() < MAX_MATCH_BITS {
            bits.refill();
            entry = look_up(bits);
        }
        let len = if entry < RARE && fits(entry, bits, out) {
            out.push_literals(entry);
            bits.consume(entry & 0xff);
            (entry >> 26) as usize
        } else {
            match next_symbol(tables, bits.peek(), bits.count())? {
                (Litlen::Literal(_), _) if out.room() == 0 => return Err(Stop::NeedsRoom),
                (Litlen::Literal(literal), used) => {
                    out.push(&[literal]);
                    bits.consume(used);
                    0
                }
                (Litlen::EndOfBlock, used) => {
                    bits.consume(used);
                    return Ok(State::Block);
                }
                (Litlen::Length(_, extra), used) if used + u32::from(extra) > bits.count() => {
                    return Err(Stop::NeedsInput);
                }
                (Litlen::Length(base, extra), used) => {
                    let more = bits.peek() >> used & ((1 << extra) - 1);
                    bits.consume(used + u32::from(extra));
                    usize::from(base) + more as usize
                }
            }
        };
        if len > 0 {
            let Ok((dist, used)) = next_dist(tables, bits) else { return Ok(State::Dist(len)) };
            if used > bits.count() || dist > out.pos - out.floor || len > out.room() {
                return Ok(State::Dist(len));
            }
            bits.consume(used);
            out.copy(len, dist);
        }
        if machine.is_some() && is_worthwhile(bits, out) {
            return Ok(State::Symbols);
        }
    }
}

/// The litlen symbol at the front of `next`, of which `count` bits are real, and the length of its
/// codeword, all of which is there.
#[inline(never)]
pub(super) fn next_symbol(tables: &Tables, next: u64, count: u32) -> Result<(Litlen, u32), Stop> {
    match tables.litlen_code.litlen(next) {
        Some((_, len)) if len > count => Err(Stop::NeedsInput),
        None if count == 0 => Err(Stop::NeedsInput),
        Some((None, _)) | None => Err(Stop::Violated),
        Some((Some(symbol), len)) => Ok((symbol, len)),
    }
}

/// The next distance, and how many bits it takes, some of which may be missing.
#[inline(always)]
pub(super) fn next_dist(tables: &Tables, bits: &Bits<'_>) -> Result<(usize, u32), Stop> {
    let next = bits.peek();
    let mut entry = tables.dist[next as usize % DIST_ENTRIES];
    if entry == 0 {
        entry = next_long_dist(tables, next, bits.count())?;
    }
    let with_extra = next & ((1 << (entry & 0xff)) - 1);
    let dist = (entry >> 16) as usize + (with_extra >> (entry >> 8 & 0xff)) as usize;
    Ok((dist, entry & 0xff))
}

/// The entry of a codeword that the dist table does not know, at the front of `next`, of which
/// `count` bits are real.
#[inline(never)]
fn next_long_dist(tables: &Tables, next: u64, count: u32) -> Result<u32, Stop> {
    match tables.dist_code.dist(next) {
        Some((_, len)) if len > count => Err(Stop::NeedsInput),
        None if count == 0 => Err(Stop::NeedsInput),
        Some((0, _)) | None => Err(Stop::Violated),
        Some((entry, _)) => Ok(entry),
    }
}

/// The output, and what is before it.
pub(super) struct Out<'a> {
    pub(super) buf: &'a mut [u8],
    pub(super) pos: usize,
    /// Where the window begins, or the buffer if all of it is window.
    pub(super) floor: usize,
}

impl Out<'_> {
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// Appends `bytes`, for which there is room.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buf[self.pos..self.pos + bytes.len()].copy_from_slice(bytes);
        self.pos += bytes.len();
    }

    /// Appends the literals of a litlen entry, at most two; there is room for two.
    #[inline(always)]
    pub(super) fn push_literals(&mut self, entry: u32) {
        let both = ((entry >> 8) as u16).to_le_bytes();
        self.buf[self.pos..self.pos + 2].copy_from_slice(&both);
        self.pos += (entry >> 24 & 3) as usize;
    }

    /// Appends `len` bytes, for which there is room, from `dist` bytes before (RFC 1951 §3.2.3).
    #[inline(always)]
    pub(super) fn copy(&mut self, len: usize, dist: usize) {
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
