//! LZH as SCO's `compress -H` writes it: the method -lh5- of LHA, in a file of its own.
//!
//! Magic number, then blocks, from the highest bit down. A block begins with the number of its
//! symbols in 16 bits, 0 being the end, and three sets of codeword lengths: one for the lengths of
//! the next (the "precode"), one for bytes and match lengths ("litlen"), one for distances. A match
//! is 3 to 256 bytes long and 1 to 8192 bytes back. The distance symbol is the number of bits of
//! the distance less one, whose highest bit is not written.
//!
//! Unlike gzip this takes no zeros for bits that are not there: a file without the empty block at
//! its end has been cut.

use super::bits::BitReader;
use super::output::{Output, WINDOW_LEN};
use super::{Decoded, Legacy};
use crate::error::Error;
use crate::io::input::Input;

/// The longest codeword, in bits.
const MAX_CODEWORD_LEN: usize = 16;

/// Bytes and the match lengths 3 to 256.
const LITLEN_SYMBOLS: usize = 256 + 254;
/// Bit counts of 0 to 13.
const DIST_SYMBOLS: usize = 14;
/// Runs of zero lengths (three kinds) and lengths of 1 to 16.
const PRECODE_SYMBOLS: usize = 3 + MAX_CODEWORD_LEN;

/// Litlen symbol of the shortest match, and its length in bytes.
const FIRST_MATCH: usize = 256;
const MIN_MATCH_LEN: usize = 3;

// The farthest distance is what the window holds.
const _: () = assert!(1 << (DIST_SYMBOLS - 1) == WINDOW_LEN);

/// Decodes the stream at the front of `input`, which must begin with its magic number.
///
/// # Errors
/// As for [`Legacy::decode`].
pub fn decode(
    input: &mut Input<'_>,
    put: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Decoded, Error> {
    Legacy::Lzh.enter(input)?;
    let mut decoder = Decoder {
        bits: BitReader::new(input),
        out: Output::new(put),
        litlen: Table::new(12),
        dist: Table::new(8),
        precode: Table::new(8),
    };
    let decoded = decoder.blocks();
    let written = decoder.out.written();
    decoder.out.finish(decoded)?;
    Ok(Decoded { read: 2 + decoder.bits.finish(), written, unknown_flags: 0 })
}

struct Decoder<'i, 'a, 'p> {
    bits: BitReader<'i, 'a>,
    out: Output<'p>,
    litlen: Table,
    dist: Table,
    precode: Table,
}

impl Decoder<'_, '_, '_> {
    fn blocks(&mut self) -> Result<(), Error> {
        loop {
            let count = self.bits.take(16)?;
            if count == 0 {
                return Ok(());
            }
            self.read_short_code::<PRECODE_SYMBOLS>(5, Some(3), |decoder| &mut decoder.precode)?;
            self.read_litlen_code()?;
            self.read_short_code::<DIST_SYMBOLS>(4, None, |decoder| &mut decoder.dist)?;
            for _ in 0..count {
                self.symbol()?;
            }
        }
    }

    fn symbol(&mut self) -> Result<(), Error> {
        let symbol = self.litlen.decode(&mut self.bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            return self.out.push(byte);
        }
        let len = symbol - FIRST_MATCH + MIN_MATCH_LEN;
        let dist = match self.dist.decode(&mut self.bits)? {
            0 => 1,
            bit_count => (1 << (bit_count - 1)) + self.bits.take(bit_count as u32 - 1)? + 1,
        };
        self.copy(len, dist)
    }

    fn copy(&mut self, len: usize, dist: usize) -> Result<(), Error> {
        if dist as u64 > self.out.written() {
            return Err(Error::Violated);
        }
        self.out.make_room()?;
        let (next, from) = (self.out.next, self.out.next - dist);
        if dist >= len {
            self.out.buf.copy_within(from..from + len, next);
        } else {
            for i in 0..len {
                self.out.buf[next + i] = self.out.buf[from + i];
            }
        }
        self.out.next += len;
        Ok(())
    }

    /// Reads a code whose lengths are written as they are: three bits, and where these are all
    /// ones, further ones up to a zero. Their number has `count_bits` bits. After the length
    /// number `gap` follow two bits that say how many zeros come next.
    fn read_short_code<const SYMBOLS: usize>(
        &mut self,
        count_bits: u32,
        gap: Option<usize>,
        table: fn(&mut Self) -> &mut Table,
    ) -> Result<(), Error> {
        let count = self.bits.take(count_bits)?;
        if count == 0 {
            let only = self.bits.take(count_bits)?;
            return table(self).set_only(only, SYMBOLS);
        }
        let mut lens = Lens::<SYMBOLS>::new();
        while lens.count < count {
            let mut len = self.bits.take(3)?;
            if len == 7 {
                while self.bits.take(1)? == 1 {
                    len += 1;
                    if len > MAX_CODEWORD_LEN {
                        return Err(Error::BadTable);
                    }
                }
            }
            lens.push(len)?;
            if gap == Some(lens.count) {
                let zeros = self.bits.take(2)?;
                lens.push_zeros(zeros)?;
            }
        }
        table(self).build(&lens.lens)
    }

    fn read_litlen_code(&mut self) -> Result<(), Error> {
        const COUNT_BITS: u32 = 9;
        let count = self.bits.take(COUNT_BITS)?;
        if count == 0 {
            let only = self.bits.take(COUNT_BITS)?;
            return self.litlen.set_only(only, LITLEN_SYMBOLS);
        }
        let mut lens = Lens::<LITLEN_SYMBOLS>::new();
        while lens.count < count {
            match self.precode.decode(&mut self.bits)? {
                0 => lens.push_zeros(1)?,
                1 => lens.push_zeros(3 + self.bits.take(4)?)?,
                2 => lens.push_zeros(20 + self.bits.take(9)?)?,
                symbol => lens.push(symbol - 2)?,
            }
        }
        self.litlen.build(&lens.lens)
    }
}

/// Codeword lengths as they come in, in bits; zeros follow.
struct Lens<const SYMBOLS: usize> {
    lens: [u8; SYMBOLS],
    count: usize,
}

impl<const SYMBOLS: usize> Lens<SYMBOLS> {
    fn new() -> Self {
        Lens { lens: [0; SYMBOLS], count: 0 }
    }

    fn push(&mut self, len: usize) -> Result<(), Error> {
        *self.lens.get_mut(self.count).ok_or(Error::BadTable)? = len as u8;
        self.count += 1;
        Ok(())
    }

    fn push_zeros(&mut self, count: usize) -> Result<(), Error> {
        self.count += count;
        if self.count > SYMBOLS { Err(Error::BadTable) } else { Ok(()) }
    }
}

/// Finds the symbol that the next bits stand for.
struct Table {
    /// By the next `bits` bits: symbol and length of the codeword they begin with, or [`LONGER`].
    cells: Vec<(u16, u8)>,
    bits: u32,
    /// By length: the lowest 16 bits that do not begin with a codeword of that length or less.
    ends: [usize; MAX_CODEWORD_LEN + 1],
    /// By length: where in `symbols` the codewords of that length end.
    offsets: [usize; MAX_CODEWORD_LEN + 1],
    /// Symbols in the order of their codewords.
    symbols: Vec<u16>,
}

/// The cell of bits that begin longer codewords.
const LONGER: (u16, u8) = (0, u8::MAX);

impl Table {
    fn new(bits: u32) -> Table {
        Table {
            cells: vec![LONGER; 1 << bits],
            bits,
            ends: [0; MAX_CODEWORD_LEN + 1],
            offsets: [0; MAX_CODEWORD_LEN + 1],
            symbols: Vec::new(),
        }
    }

    /// The code of one symbol, which takes no bits.
    fn set_only(&mut self, symbol: usize, symbol_count: usize) -> Result<(), Error> {
        if symbol >= symbol_count {
            return Err(Error::BadTable);
        }
        self.cells.fill((symbol as u16, 0));
        Ok(())
    }

    /// The code with these lengths in bits, 0 for symbols that do not occur. Codewords are in the
    /// order of their lengths, then of their symbols; all bit strings have to begin with one.
    fn build(&mut self, lens: &[u8]) -> Result<(), Error> {
        let mut counts = [0; MAX_CODEWORD_LEN + 1];
        lens.iter().filter(|len| **len > 0).for_each(|len| counts[usize::from(*len)] += 1);
        // By length: the next codeword, as the highest of 16 bits, and its place in `symbols`.
        let (mut next, mut place) = (self.ends, self.offsets);
        let (mut end, mut offset) = (0, 0);
        for len in 1..=MAX_CODEWORD_LEN {
            (next[len], place[len]) = (end, offset);
            end += counts[len] << (MAX_CODEWORD_LEN - len);
            offset += counts[len];
            (self.ends[len], self.offsets[len]) = (end, offset);
        }
        if end != 1 << MAX_CODEWORD_LEN {
            return Err(Error::BadTable);
        }
        self.symbols.resize(offset, 0);
        self.cells.fill(LONGER);
        let spare = MAX_CODEWORD_LEN - self.bits as usize;
        for (symbol, len) in lens.iter().enumerate().filter(|(_, len)| **len > 0) {
            let bits = usize::from(*len);
            let codeword = next[bits];
            next[bits] += 1 << (MAX_CODEWORD_LEN - bits);
            self.symbols[place[bits]] = symbol as u16;
            place[bits] += 1;
            if bits <= self.bits as usize {
                self.cells[codeword >> spare..next[bits] >> spare].fill((symbol as u16, *len));
            }
        }
        Ok(())
    }

    #[inline]
    fn decode(&self, bits: &mut BitReader<'_, '_>) -> Result<usize, Error> {
        bits.refill()?;
        let (symbol, len) = match self.cells[bits.peek(self.bits)] {
            LONGER => self.long_codeword(bits),
            cell => cell,
        };
        bits.skip(u32::from(len))?;
        Ok(usize::from(symbol))
    }

    /// The symbol of a codeword that is not in a cell, and its length.
    #[cold]
    fn long_codeword(&self, bits: &BitReader<'_, '_>) -> (u16, u8) {
        let next = bits.peek(MAX_CODEWORD_LEN as u32);
        let is_whole = |len: &usize| next < self.ends[*len];
        let len = (self.bits as usize + 1..MAX_CODEWORD_LEN).find(is_whole).unwrap_or(MAX_CODEWORD_LEN);
        // Counted from the last codeword of that length.
        let back = (self.ends[len] - 1 - next) >> (MAX_CODEWORD_LEN - len);
        (self.symbols[self.offsets[len] - 1 - back], len as u8)
    }
}
