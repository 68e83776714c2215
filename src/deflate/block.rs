//! Blocks: stored, with the fixed codes or with codes of their own, whatever is shortest (RFC 1951
//! §3.2.3 to §3.2.7).

use std::borrow::Cow;
use std::ops::Range;

use super::bits::BitWriter;
use super::codes::{Codes, Coding, FIXED};
use super::emit::{self, Entries, Entry};
use super::histogram::Histogram;
use super::huffman::build_codewords;
use super::split::{self, Block};
use super::token::{
    DIST_ENDS, END_OF_BLOCK, FAR_SHIFT, FIRST_LEN_SYMBOL, LEN_ENDS, LENS, NEAR, NOTHING, SECOND_LITERALS,
    Token, dist_extra_bits, litlen_extra_bits,
};
use crate::format::stored;

/// Writes the blocks of a chunk, one behind the other.
///
/// What is to be stored waits for what comes: together they take fewer blocks.
pub(super) struct Writer<'a> {
    bits: BitWriter<'a>,
    buf: &'a [u8],
    /// Where in `buf` is what waits, if anything does. What is written next is right behind it.
    stored: Range<usize>,
    /// How often codes are tried that are short together with their header.
    attempts: usize,
}

impl<'a> Writer<'a> {
    /// Appends to `out` what stands for data in `buf`.
    pub(super) fn new(buf: &'a [u8], out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { bits: BitWriter::new(out), buf, stored: 0..0, attempts: 0 }
    }

    /// The same, with codes that take least together with their header, as far as so many attempts tell.
    pub(super) fn with_short_headers(self, attempts: usize) -> Writer<'a> {
        Writer { attempts, ..self }
    }

    /// Appends all of `blocks`, which `tokens` are cut into, and which stand for `data`. If the stream ends with
    /// them, there is one at least.
    pub(super) fn write_all(
        &mut self,
        tokens: &[Token],
        blocks: &[Block],
        data: Range<usize>,
        is_final: bool,
    ) {
        self.write_joined([(tokens, blocks)], data, is_final);
    }

    /// As [`Writer::write_all`], of segments one behind the other: blocks to both sides of a border become one if it
    /// costs less.
    pub(super) fn write_joined<'t>(
        &mut self,
        segments: impl IntoIterator<Item = (&'t [Token], &'t [Block])>,
        data: Range<usize>,
        is_final: bool,
    ) {
        // The block that is not written yet, and its tokens.
        let (mut last, mut pieces): (Option<Cow<'_, Block>>, Vec<&[Token]>) = (None, Vec::new());
        let mut start = data.start;
        let mut write_last = |block: &Block, pieces: &[&[Token]], is_final| {
            let stands_for = start..start + block.histogram.data_len;
            start = stands_for.end;
            if block.len == 0 {
                self.store(stands_for, is_final);
            } else {
                self.write(pieces, &block.histogram, stands_for, is_final);
            }
        };
        for (mut tokens, blocks) in segments {
            for (i, block) in blocks.iter().enumerate() {
                let these;
                (these, tokens) = tokens.split_at(block.len);
                if let Some(before) = last.take() {
                    if i == 0
                        && let Some(joined) = split::join(&before, block)
                    {
                        last = Some(Cow::Owned(joined));
                        pieces.push(these);
                        continue;
                    }
                    write_last(&before, &pieces, false);
                    pieces.clear();
                }
                last = Some(Cow::Borrowed(block));
                pieces.push(these);
            }
        }
        match last {
            Some(block) => write_last(&block, &pieces, is_final),
            None if is_final => self.write(&[], &Histogram::default(), data, true),
            None => {}
        }
    }

    /// Appends one block with all of `tokens`, which stand for `data` and were counted in `histogram`; or stores
    /// `data`.
    fn write(&mut self, tokens: &[&[Token]], histogram: &Histogram, data: Range<usize>, is_final: bool) {
        let extra_bits = extra_bits(histogram);
        let Coding { codes: own, header, bit_len: own_bits } = match self.attempts {
            0 => Coding::usual(histogram),
            attempts => Coding::shortest(histogram, attempts),
        };
        let fixed_bits = FIXED.bit_len(histogram);
        let coded_bits = 3 + extra_bits + own_bits.min(fixed_bits);
        if self.stored_bits(data.len()) < coded_bits {
            return self.store(data, is_final);
        }
        self.write_stored(false);
        let bits = &mut self.bits;
        let is_own = own_bits < fixed_bits;
        bits.put(u64::from(is_final) | if is_own { 0b100 } else { 0b010 }, 3);
        let codes = if is_own { &own } else { &FIXED };
        if is_own {
            header.write(bits);
        }
        write_tokens(bits, tokens, codes, coded_bits);
    }

    /// Brings the output to a byte boundary: behind the final block by padding, else by an empty stored block, a sync
    /// flush, if it is not there already.
    pub(super) fn end(&mut self, is_last: bool) {
        self.write_stored(false);
        if is_last {
            self.bits.align();
        } else if self.bits.bit_count() > 0 {
            self.begin_stored(stored::header(0, false));
        }
    }

    /// Appends `data`, which are right behind what was written, as they are.
    fn store(&mut self, data: Range<usize>, is_final: bool) {
        if self.stored.is_empty() {
            self.stored = data;
        } else {
            self.stored.end = data.end;
        }
        if is_final {
            self.write_stored(true);
        }
    }

    /// Writes what waits to be stored.
    fn write_stored(&mut self, is_final: bool) {
        let data = &self.buf[std::mem::take(&mut self.stored)];
        for (header, block) in stored::blocks(data, is_final) {
            self.begin_stored(header);
            self.bits.put_bytes(block);
        }
    }

    fn begin_stored(&mut self, header: [u8; stored::HEADER_LEN]) {
        let [bits, lens @ ..] = header;
        self.bits.put(bits.into(), 3);
        self.bits.align();
        self.bits.put_bytes(&lens);
    }

    /// What storing `len` bytes more takes.
    fn stored_bits(&self, len: usize) -> u64 {
        const HEADER_BITS: u64 = 8 * stored::HEADER_LEN as u64;
        let blocks = |len: usize| len.div_ceil(stored::MAX_DATA_LEN) as u64;
        let data_bits = 8 * len as u64;
        let waiting = self.stored.len();
        if waiting > 0 {
            return data_bits + HEADER_BITS * (blocks(waiting + len) - blocks(waiting));
        }
        // The first header begins in the middle of a byte.
        let bit_count = self.bits.bit_count();
        let first = 3 + u64::from((8 - (bit_count + 3) % 8) % 8) + 32;
        data_bits + first + HEADER_BITS * (blocks(len).max(1) - 1)
    }
}

/// All extra bits of what was counted.
pub(super) fn extra_bits(histogram: &Histogram) -> u64 {
    let sum = |counts: &[u32], bits: fn(usize) -> u32| -> u64 {
        counts.iter().enumerate().map(|(symbol, count)| u64::from(*count) * u64::from(bits(symbol))).sum()
    };
    sum(&histogram.litlen, litlen_extra_bits) + sum(&histogram.dist, dist_extra_bits)
}

/// Appends `tokens` and the end of the block, `total` bits at most.
fn write_tokens(bits: &mut BitWriter<'_>, tokens: &[&[Token]], codes: &Codes, total: u64) {
    let mut litlen_codewords = [0; 288];
    build_codewords(&codes.litlen, &mut litlen_codewords);
    let mut dist_codewords = [0; 32];
    build_codewords(&codes.dist, &mut dist_codewords);
    let mut entries = Entries::new();
    let Entries { litlen, other, .. } = &mut entries;
    for entries in [&mut litlen[..LENS], &mut other[SECOND_LITERALS..NOTHING]] {
        for ((entry, codeword), len) in entries.iter_mut().zip(&litlen_codewords).zip(&codes.litlen) {
            *entry = Entry::new((*codeword).into(), (*len).into());
        }
    }
    let mut start = 0;
    for (symbol, end) in (FIRST_LEN_SYMBOL..).zip(&LEN_ENDS) {
        let end = usize::from(*end);
        let (len, codeword) = (u32::from(codes.litlen[symbol]), u32::from(litlen_codewords[symbol]));
        for (extra, entry) in (0..).zip(&mut litlen[LENS + start..LENS + end]) {
            *entry = Entry::new(codeword | extra << len, len + litlen_extra_bits(symbol));
        }
        start = end;
    }
    let mut start = 0;
    for (symbol, end) in DIST_ENDS.iter().enumerate() {
        let end = usize::from(*end);
        let (len, codeword) = (u32::from(codes.dist[symbol]), u32::from(dist_codewords[symbol]));
        let extra_bits = dist_extra_bits(symbol);
        // Near ones count dists, the others as many as differ in low extra bits.
        let shift = if start < NEAR { 0 } else { FAR_SHIFT };
        for (i, entry) in (start as u32..).zip(&mut entries.other[start..end]) {
            let extra = i << shift & ((1 << extra_bits) - 1);
            *entry = Entry::new(codeword | extra << len, len + extra_bits);
        }
        if start >= NEAR {
            entries.has_extra_bits(start..end, extra_bits);
        }
        start = end;
    }
    for tokens in tokens {
        emit::write(bits, tokens, &entries, (total / 8) as usize);
    }
    bits.put(u64::from(litlen_codewords[END_OF_BLOCK]), u32::from(codes.litlen[END_OF_BLOCK]));
}
