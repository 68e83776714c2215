#![forbid(unsafe_code)]
//! What stands before the symbols of a dynamic block (RFC 1951 §3.2.7): the numbers of codeword
//! lengths, the precode, and with it the lengths of the litlen and the dist code.
//!
//! A [`Header`] can be left and taken up again at any bit. It finds what zlib finds, and at the
//! same bit: a header that is cut off is incomplete as long as nothing before the cut is wrong.
//! There is one exception, where zlib reads on to a verdict that cannot be another: a precode
//! without any symbol is wrong as soon as its lengths are known.

use super::bits::Bits;

/// The order of the precode's lengths.
const PRECODE_ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const MAX_PRECODE_LEN: u32 = 7;
/// The most litlen lengths: 257 to 286; the field could say up to 288.
const MAX_LITLENS: usize = 286;
/// The most dist lengths; the field could say up to 32.
const MAX_DISTS: usize = 30;
/// The symbol that ends a block.
pub(super) const END_OF_BLOCK: usize = 256;

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is complete.
    Done,
    /// It goes on behind the input, all of which is consumed.
    NeedsInput,
    /// It breaks a rule.
    Violated,
}

/// What is read next.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Counts,
    Precode,
    Lens,
}

/// The header of a dynamic block.
#[derive(Clone, Debug)]
pub struct Header {
    stage: Stage,
    /// How many lengths of the stage there are yet.
    have: usize,
    precode_count: usize,
    litlen_count: usize,
    dist_count: usize,
    precode_lens: [u8; 19],
    /// By the next 7 bits: codeword length in bits 0-2, symbol in bits 3-7.
    precode: [u8; 1 << MAX_PRECODE_LEN],
    /// First those of the litlen code, then those of the dist code.
    lens: [u8; MAX_LITLENS + MAX_DISTS],
}

impl Default for Header {
    fn default() -> Header {
        Header::new()
    }
}

impl Header {
    /// A header that begins behind a block's first three bits.
    pub fn new() -> Header {
        Header {
            stage: Stage::Counts,
            have: 0,
            precode_count: 0,
            litlen_count: 0,
            dist_count: 0,
            precode_lens: [0; 19],
            precode: [0; 1 << MAX_PRECODE_LEN],
            lens: [0; MAX_LITLENS + MAX_DISTS],
        }
    }

    /// Goes back to the start of a header.
    pub fn reset(&mut self) {
        self.stage = Stage::Counts;
    }

    /// The lengths of the litlen code, once the header is complete; the one of the end of a block
    /// is not 0.
    pub fn litlen_lens(&self) -> &[u8] {
        &self.lens[..self.litlen_count]
    }

    /// The lengths of the dist code, once the header is complete.
    pub fn dist_lens(&self) -> &[u8] {
        &self.lens[self.litlen_count..self.litlen_count + self.dist_count]
    }

    /// Reads on. Whether the lengths belong to codes is left to those who build tables of them.
    pub fn read(&mut self, bits: &mut Bits<'_>) -> Progress {
        match self.read_some(bits, MAX_LITLENS + MAX_DISTS) {
            Progress::Done if self.lens[END_OF_BLOCK] == 0 => Progress::Violated,
            other => other,
        }
    }

    /// As [`Header::read`], but is done as soon as `some` of the lengths or more are there.
    pub(super) fn read_some(&mut self, bits: &mut Bits<'_>, some: usize) -> Progress {
        if let Stage::Counts = self.stage {
            match self.read_counts(bits) {
                Progress::Done => (self.stage, self.have) = (Stage::Precode, 0),
                other => return other,
            }
        }
        if let Stage::Precode = self.stage {
            match self.read_precode(bits) {
                Progress::Done => (self.stage, self.have) = (Stage::Lens, 0),
                other => return other,
            }
        }
        self.read_lens(bits, some)
    }

    /// The lengths that are there, of both codes.
    pub(super) fn lens(&self) -> &[u8] {
        &self.lens[..self.have]
    }

    fn read_counts(&mut self, bits: &mut Bits<'_>) -> Progress {
        let Some(counts) = bits.take(14) else { return Progress::NeedsInput };
        self.litlen_count = (counts & 31) as usize + 257;
        self.dist_count = (counts >> 5 & 31) as usize + 1;
        self.precode_count = (counts >> 10) as usize + 4;
        if self.litlen_count > MAX_LITLENS || self.dist_count > MAX_DISTS {
            return Progress::Violated;
        }
        Progress::Done
    }

    fn read_precode(&mut self, bits: &mut Bits<'_>) -> Progress {
        while self.have < self.precode_count {
            let Some(len) = bits.take(3) else { return Progress::NeedsInput };
            self.precode_lens[usize::from(PRECODE_ORDER[self.have])] = len as u8;
            self.have += 1;
        }
        for symbol in &PRECODE_ORDER[self.have..] {
            self.precode_lens[usize::from(*symbol)] = 0;
        }
        if self.build_precode() { Progress::Done } else { Progress::Violated }
    }

    /// Makes the table of the precode; false unless the code is complete.
    fn build_precode(&mut self) -> bool {
        let mut counts = [0u8; 8];
        for len in self.precode_lens {
            counts[usize::from(len)] += 1;
        }
        // The first index of each length, in the order of codewords read from their first bit on.
        let (mut starts, mut end) = ([0u16; 8], 0);
        for len in 1..8 {
            starts[len] = end;
            end += u16::from(counts[len]) << (7 - len);
        }
        if end != 1 << MAX_PRECODE_LEN {
            return false;
        }
        for (symbol, len) in self.precode_lens.iter().enumerate().filter(|(_, len)| **len > 0) {
            let start = &mut starts[usize::from(*len)];
            // Bits come lowest first.
            let first = usize::from(start.reverse_bits() >> (16 - MAX_PRECODE_LEN));
            *start += 1 << (7 - len);
            let entry = (symbol as u8) << 3 | len;
            self.precode[first..].iter_mut().step_by(1 << len).for_each(|slot| *slot = entry);
        }
        true
    }

    fn read_lens(&mut self, bits: &mut Bits<'_>, some: usize) -> Progress {
        let total = self.litlen_count + self.dist_count;
        while self.have < total.min(some) {
            // The longest codeword and the most extra bits.
            if bits.count() < 14 {
                bits.refill();
            }
            let entry = self.precode[bits.peek() as usize & 127];
            let len = u32::from(entry & 7);
            if entry < 16 << 3 {
                if len > bits.count() {
                    return Progress::NeedsInput;
                }
                bits.consume(len);
                self.lens[self.have] = entry >> 3;
                self.have += 1;
                continue;
            }
            let (base, extra) = match entry >> 3 {
                16 => (3, 2),
                17 => (3, 3),
                _ => (11, 7),
            };
            if len + extra > bits.count() {
                return Progress::NeedsInput;
            }
            let repeats = base + (bits.peek() >> len & ((1 << extra) - 1)) as usize;
            bits.consume(len + extra);
            let value = match (entry >> 3, self.have) {
                (16, 0) => return Progress::Violated,
                (16, have) => self.lens[have - 1],
                _ => 0,
            };
            if self.have + repeats > total {
                return Progress::Violated;
            }
            self.lens[self.have..self.have + repeats].fill(value);
            self.have += repeats;
        }
        Progress::Done
    }
}
