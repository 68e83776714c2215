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
pub(super) const PRECODE_ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const MAX_PRECODE_LEN: u32 = 7;
const PRECODE_ENTRIES: usize = 1 << MAX_PRECODE_LEN;
/// The most extra bits of a precode symbol.
const MAX_EXTRA: u32 = 7;
/// As many lengths are written at once.
const STEP: usize = 16;
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

/// What to do about a precode symbol.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Bits of the codeword and extra bits.
    bits: u32,
    codeword_len: u8,
    /// How often the length is meant, without what the extra bits add.
    repeats: u8,
    /// The length, unless it is the one before.
    len: u8,
    /// All ones if it is the one before.
    keeps: u8,
}

impl Entry {
    fn new(symbol: u8, codeword_len: u8) -> Entry {
        let (len, keeps, repeats, extra) = match symbol {
            16 => (0, 0xff, 3, 2),
            17 => (0, 0, 3, 3),
            18 => (0, 0, 11, 7),
            len => (len, 0, 1, 0),
        };
        Entry { bits: u32::from(codeword_len) + extra, codeword_len, repeats, len, keeps }
    }
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
    /// By the next bits.
    precode: [Entry; PRECODE_ENTRIES],
    /// First those of the litlen code, then those of the dist code, then anything.
    lens: [u8; MAX_LITLENS + MAX_DISTS + STEP],
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
            precode: [Entry::default(); PRECODE_ENTRIES],
            lens: [0; MAX_LITLENS + MAX_DISTS + STEP],
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
        if let Stage::Counts = self.stage {
            match self.read_counts(bits) {
                Progress::Done => (self.stage, self.have) = (Stage::Precode, 0),
                other => return other,
            }
        }
        if let Stage::Precode = self.stage {
            match self.read_precode(bits) {
                Progress::Done => {
                    (self.stage, self.have) = (Stage::Lens, 0);
                    self.lens.fill(0);
                }
                other => return other,
            }
        }
        // A copy, for the compiler to keep in registers.
        let mut bits_here = bits.clone();
        let progress = self.read_lens(&mut bits_here);
        *bits = bits_here;
        match progress {
            Progress::Done if self.lens[END_OF_BLOCK] == 0 => Progress::Violated,
            other => other,
        }
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
            let entry = Entry::new(symbol as u8, *len);
            self.precode[first..].iter_mut().step_by(1 << len).for_each(|slot| *slot = entry);
        }
        true
    }

    #[inline(always)]
    fn read_lens(&mut self, bits: &mut Bits<'_>) -> Progress {
        let total = self.litlen_count + self.dist_count;
        // A copy, for the compiler to keep in a register.
        let mut have = self.have;
        let mut last = have.checked_sub(1).map_or(0, |last| self.lens[last]);
        let progress = loop {
            if have >= total {
                break Progress::Done;
            }
            if bits.count() < MAX_PRECODE_LEN + MAX_EXTRA {
                bits.refill();
            }
            let entry = self.precode[bits.peek() as usize % PRECODE_ENTRIES];
            if entry.bits > bits.count() {
                break Progress::NeedsInput;
            }
            let with_extra = bits.peek() & ((1 << entry.bits) - 1);
            bits.consume(entry.bits);
            let repeats = usize::from(entry.repeats) + (with_extra >> entry.codeword_len) as usize;
            let end = have + repeats;
            if end > total || (have == 0 && entry.keeps != 0) {
                break Progress::Violated;
            }
            last = last & entry.keeps | entry.len;
            // Only zeros are more than that, and so is what is behind; the rest of the step is
            // overwritten by what comes.
            self.lens[have..have + STEP].fill(last);
            have = end;
        };
        self.have = have;
        progress
    }
}
