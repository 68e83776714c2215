//! Blocks: stored, with the fixed codes or with codes of their own, whatever is shortest (RFC 1951
//! §3.2.3 to §3.2.7).

use std::borrow::Cow;

use super::bits::BitWriter;
use super::emit::{self, Entries};
use super::histogram::Histogram;
use super::huffman::{MAX_LEN, MAX_PRECODE_LEN, build_codewords, build_lens};
use super::split::{self, Block};
use super::token::{
    DIST_ENDS, DIST_SYMBOLS, END_OF_BLOCK, FAR_SHIFT, FIRST_LEN_SYMBOL, LEN_ENDS, LENS, LITLEN_SYMBOLS, NEAR,
    NOTHING, SECOND_LITERALS, Token, dist_extra_bits, litlen_extra_bits,
};

/// The largest payload of one stored block: its length field has 16 bits.
const MAX_STORED_LEN: usize = 0xffff;

/// Appends all of `blocks`, which `tokens` are cut into, and which stand for `data`. If the stream ends with
/// them, there is one at least.
pub(super) fn write_all(
    bits: &mut BitWriter<'_>,
    tokens: &[Token],
    blocks: &[Block],
    data: &[u8],
    is_final: bool,
) {
    write_joined(bits, [(tokens, blocks)], data, is_final);
}

/// As [`write_all`], of segments one behind the other: blocks to both sides of a border become one if it costs
/// less.
pub(super) fn write_joined<'a>(
    bits: &mut BitWriter<'_>,
    segments: impl IntoIterator<Item = (&'a [Token], &'a [Block])>,
    mut data: &[u8],
    is_final: bool,
) {
    // The block that is not written yet, and its tokens.
    let (mut last, mut pieces): (Option<Cow<'_, Block>>, Vec<&[Token]>) = (None, Vec::new());
    let mut write_last = |block: &Block, pieces: &[&[Token]], is_final| {
        let (stands_for, rest) = data.split_at(block.histogram.data_len);
        if block.len == 0 {
            write_stored(bits, stands_for, is_final);
        } else {
            write(bits, pieces, &block.histogram, stands_for, is_final);
        }
        data = rest;
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
        None if is_final => write(bits, &[], &Histogram::default(), &[], true),
        None => {}
    }
}

/// Appends one block with all of `tokens`, which stand for `data` and were counted in `histogram`; or as many
/// stored blocks as `data` need.
fn write(bits: &mut BitWriter<'_>, tokens: &[&[Token]], histogram: &Histogram, data: &[u8], is_final: bool) {
    let extra_bits = extra_bits(histogram);
    let own = Codes::own(histogram);
    let header = Header::of(&own);
    let own_bits = header.bit_len + own.bit_len(histogram);
    let fixed_bits = FIXED.bit_len(histogram);
    let coded_bits = 3 + extra_bits + own_bits.min(fixed_bits);
    if stored_bits(data.len(), bits.bit_count()) < coded_bits {
        return write_stored(bits, data, is_final);
    }
    let is_own = own_bits < fixed_bits;
    bits.put(u64::from(is_final) | if is_own { 0b100 } else { 0b010 }, 3);
    let codes = if is_own { &own } else { &FIXED };
    if is_own {
        header.write(bits);
    }
    write_tokens(bits, tokens, codes, coded_bits);
}

/// Brings the output to a byte boundary: behind the final block by padding, else by an empty stored block, a sync flush.
pub(super) fn write_end(bits: &mut BitWriter<'_>, is_last: bool) {
    if is_last {
        bits.align();
    } else {
        write_stored(bits, &[], false);
    }
}

/// Appends `data` as stored blocks, at least one.
fn write_stored(bits: &mut BitWriter<'_>, data: &[u8], is_final: bool) {
    let mut rest = data;
    loop {
        let (block, behind) = rest.split_at(rest.len().min(MAX_STORED_LEN));
        bits.put(u64::from(is_final && behind.is_empty()), 3);
        bits.align();
        let len = block.len() as u16;
        bits.put_bytes(&len.to_le_bytes());
        bits.put_bytes(&(!len).to_le_bytes());
        bits.put_bytes(block);
        rest = behind;
        if rest.is_empty() {
            return;
        }
    }
}

/// What `len` bytes take in stored blocks, when `bit_count` bits of the last byte are in use.
fn stored_bits(len: usize, bit_count: u32) -> u64 {
    let blocks = len.div_ceil(MAX_STORED_LEN).max(1) as u64;
    let first = 3 + u64::from((8 - (bit_count + 3) % 8) % 8) + 32;
    first + (blocks - 1) * 40 + 8 * len as u64
}

/// All extra bits of what was counted.
fn extra_bits(histogram: &Histogram) -> u64 {
    let sum = |counts: &[u32], bits: fn(usize) -> u32| -> u64 {
        counts.iter().enumerate().map(|(symbol, count)| u64::from(*count) * u64::from(bits(symbol))).sum()
    };
    sum(&histogram.litlen, litlen_extra_bits) + sum(&histogram.dist, dist_extra_bits)
}

/// The lengths of a block's codewords.
#[derive(Clone, Debug)]
struct Codes {
    litlen: [u8; 288],
    dist: [u8; 32],
}

/// The codes of blocks that bring none (RFC 1951 §3.2.6).
static FIXED: Codes = {
    let mut litlen = [8; 288];
    let mut symbol = 144;
    while symbol < 280 {
        litlen[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    Codes { litlen, dist: [5; 32] }
};

impl Codes {
    /// The best for what was counted and one end of the block.
    fn own(histogram: &Histogram) -> Codes {
        let mut codes = Codes { litlen: [0; 288], dist: [0; 32] };
        let mut litlen = histogram.litlen;
        litlen[END_OF_BLOCK] = 1;
        build_lens(&litlen, MAX_LEN, &mut codes.litlen[..LITLEN_SYMBOLS]);
        build_lens(&histogram.dist, MAX_LEN, &mut codes.dist[..DIST_SYMBOLS]);
        codes
    }

    /// What all codewords take together, with the one at the end of the block.
    fn bit_len(&self, histogram: &Histogram) -> u64 {
        let sum = |counts: &[u32], lens: &[u8]| -> u64 {
            counts.iter().zip(lens).map(|(count, len)| u64::from(*count) * u64::from(*len)).sum()
        };
        sum(&histogram.litlen, &self.litlen)
            + sum(&histogram.dist, &self.dist)
            + u64::from(self.litlen[END_OF_BLOCK])
    }
}

/// The order in which a header has the precode's lengths.
const PRECODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Precode symbols: repeat the length before 3 to 6 times; 3 to 10 and 11 to 138 zeros.
const REPEAT: u8 = 16;
const ZEROS: u8 = 17;
const MANY_ZEROS: u8 = 18;

/// What describes a block's codes (RFC 1951 §3.2.7).
struct Header {
    litlens: usize,
    dists: usize,
    precodes: usize,
    precode: [u8; 19],
    /// Precode symbols and their extra bits.
    items: [(u8, u8); 288 + 32],
    item_count: usize,
    bit_len: u64,
}

impl Header {
    fn of(codes: &Codes) -> Header {
        let used = |lens: &[u8], least: usize| {
            lens.iter().rposition(|len| *len > 0).map_or(least, |at| least.max(at + 1))
        };
        let (litlens, dists) = (used(&codes.litlen, 257), used(&codes.dist, 1));
        let mut lens = [0; 288 + 32];
        lens[..litlens].copy_from_slice(&codes.litlen[..litlens]);
        lens[litlens..litlens + dists].copy_from_slice(&codes.dist[..dists]);
        let mut items = [(0, 0); 288 + 32];
        let item_count = run_lengths(&lens[..litlens + dists], &mut items);
        let mut freqs = [0; 19];
        for (symbol, _) in &items[..item_count] {
            freqs[usize::from(*symbol)] += 1;
        }
        let mut precode = [0; 19];
        build_lens(&freqs, MAX_PRECODE_LEN, &mut precode);
        let precodes =
            PRECODE_ORDER.iter().rposition(|symbol| precode[*symbol] > 0).map_or(4, |at| 4.max(at + 1));
        let symbols: u64 = freqs.iter().zip(&precode).map(|(f, len)| u64::from(*f) * u64::from(*len)).sum();
        let extra = 2 * freqs[16] + 3 * freqs[17] + 7 * freqs[18];
        let bit_len = 5 + 5 + 4 + 3 * precodes as u64 + symbols + u64::from(extra);
        Header { litlens, dists, precodes, precode, items, item_count, bit_len }
    }

    fn write(&self, bits: &mut BitWriter<'_>) {
        bits.put((self.litlens - 257) as u64, 5);
        bits.put((self.dists - 1) as u64, 5);
        bits.put((self.precodes - 4) as u64, 4);
        for symbol in &PRECODE_ORDER[..self.precodes] {
            bits.put(u64::from(self.precode[*symbol]), 3);
        }
        let mut codewords = [0; 19];
        build_codewords(&self.precode, &mut codewords);
        bits.put_all(&self.items[..self.item_count], self.bit_len, |(symbol, extra)| {
            let len = u32::from(self.precode[usize::from(symbol)]);
            let extra_bits = match symbol {
                REPEAT => 2,
                ZEROS => 3,
                MANY_ZEROS => 7,
                _ => 0,
            };
            (u64::from(codewords[usize::from(symbol)]) | u64::from(extra) << len, len + extra_bits)
        });
    }
}

/// Turns codeword lengths into precode symbols with their extra bits; returns their number.
fn run_lengths(lens: &[u8], items: &mut [(u8, u8)]) -> usize {
    let mut count = 0;
    let mut put = |symbol, extra: usize| {
        items[count] = (symbol, extra as u8);
        count += 1;
    };
    for run in lens.chunk_by(|a, b| a == b) {
        let (len, mut left) = (run[0], run.len());
        if len == 0 {
            while left >= 11 {
                let zeros = left.min(138);
                put(MANY_ZEROS, zeros - 11);
                left -= zeros;
            }
            if left >= 3 {
                put(ZEROS, left - 3);
                left = 0;
            }
        } else if left >= 4 {
            put(len, 0);
            left -= 1;
            while left >= 3 {
                let repeats = left.min(6);
                put(REPEAT, repeats - 3);
                left -= repeats;
            }
        }
        for _ in 0..left {
            put(len, 0);
        }
    }
    count
}

/// Appends `tokens` and the end of the block, `total` bits at most.
fn write_tokens(bits: &mut BitWriter<'_>, tokens: &[&[Token]], codes: &Codes, total: u64) {
    let mut litlen_codewords = [0; 288];
    build_codewords(&codes.litlen, &mut litlen_codewords);
    let mut dist_codewords = [0; 32];
    build_codewords(&codes.dist, &mut dist_codewords);
    let mut entries = Entries::new();
    let Entries { litlen, litlen_count, other, other_len, other_count } = &mut entries;
    let second_literals = SECOND_LITERALS..NOTHING;
    for (entries, counts) in [
        (&mut litlen[..LENS], &mut litlen_count[..LENS]),
        (&mut other[second_literals.clone()], &mut other_count[second_literals]),
    ] {
        for (entry, codeword) in entries.iter_mut().zip(&litlen_codewords) {
            *entry = u32::from(*codeword);
        }
        counts.copy_from_slice(&codes.litlen[..LENS]);
    }
    let mut start = 0;
    for (symbol, end) in (FIRST_LEN_SYMBOL..).zip(&LEN_ENDS) {
        let end = usize::from(*end);
        let (len, codeword) = (u32::from(codes.litlen[symbol]), u32::from(litlen_codewords[symbol]));
        for (extra, entry) in (0..).zip(&mut litlen[LENS + start..LENS + end]) {
            *entry = codeword | extra << len;
        }
        litlen_count[LENS + start..LENS + end].fill((len + litlen_extra_bits(symbol)) as u8);
        start = end;
    }
    let mut start = 0;
    for (symbol, end) in DIST_ENDS.iter().enumerate() {
        let end = usize::from(*end);
        let (len, codeword) = (u32::from(codes.dist[symbol]), u32::from(dist_codewords[symbol]));
        let extra_bits = dist_extra_bits(symbol);
        // Near ones count dists, the others as many as differ in low extra bits.
        let shift = if start < NEAR { 0 } else { FAR_SHIFT };
        for (i, entry) in (start as u32..).zip(&mut other[start..end]) {
            *entry = codeword | (i << shift & ((1 << extra_bits) - 1)) << len;
        }
        other_len[start..end].fill(len as u8);
        other_count[start..end].fill((len + extra_bits) as u8);
        start = end;
    }
    for tokens in tokens {
        emit::write(bits, tokens, &entries, (total / 8) as usize);
    }
    bits.put(u64::from(litlen_codewords[END_OF_BLOCK]), u32::from(codes.litlen[END_OF_BLOCK]));
}
