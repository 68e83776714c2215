//! Where blocks end: short runs of tokens are joined as long as one code for two neighbours costs
//! less than a header for each.

use std::collections::BinaryHeap;

use super::histogram::Histogram;
use super::token::{END_OF_BLOCK, Token};

/// A block to be: tokens and what was counted in them. Without tokens it is something to be stored, of which
/// nothing but the length was counted.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Number of tokens.
    pub len: usize,
    /// Their symbols.
    pub histogram: Histogram,
    /// What it is thought to take, in 1/2^[`FRACTION_BITS`] of a bit, without extra bits.
    pub(super) cost: u64,
}

/// Cuts `tokens` into blocks of whole runs of `run_len` tokens (the last one may be shorter).
///
/// The two neighbours that gain most by being one block are joined, again and again until none
/// gains. A header is paid for by the symbols that occur, the rest by their entropy.
pub(super) fn split(tokens: &[Token], run_len: usize, blocks: &mut Vec<Block>) {
    split_by(SYMBOL_BITS, tokens, run_len, blocks);
}

/// The same, where each symbol that occurs takes so many bits of a header.
pub(super) fn split_by(symbol_bits: u64, tokens: &[Token], run_len: usize, blocks: &mut Vec<Block>) {
    let cost = |histogram: &Histogram| cost_by(symbol_bits, histogram);
    blocks.clear();
    blocks.extend(tokens.chunks(run_len).map(|run| {
        let histogram = Histogram::of(run);
        Block { len: run.len(), cost: cost(&histogram), histogram }
    }));
    let gain = |a: &Block, b: &Block| {
        let mut both = a.histogram.clone();
        both.add(&b.histogram);
        let cost = cost(&both);
        (a.cost + b.cost).checked_sub(cost).map(|gain| (gain, cost))
    };
    // What each block gains by being joined to the next, and what both then cost; and where the next
    // and the one before are. Blocks that were joined to the one before stay as empty ones till the
    // end: moving all behind them would take longer than all else.
    let mut gains: Vec<_> = blocks.windows(2).map(|pair| gain(&pair[0], &pair[1])).collect();
    // All gains that there were, the greatest first.
    let numbered = gains.iter().enumerate();
    let mut queue: BinaryHeap<_> =
        numbered.filter_map(|(at, gain)| gain.map(|(gain, _)| (gain, at))).collect();
    let count = blocks.len();
    let mut nexts: Vec<usize> = (1..=count).collect();
    let mut befores: Vec<usize> = (0..count).map(|at| at.wrapping_sub(1)).collect();
    while let Some((gain_then, at)) = queue.pop() {
        let Some((_, cost)) = gains[at].filter(|(gain, _)| *gain == gain_then) else { continue };
        let (joined, rest) = blocks.split_at_mut(at + 1);
        let (joined, next) = (&mut joined[at], &mut rest[nexts[at] - at - 1]);
        joined.len += std::mem::take(&mut next.len);
        joined.histogram.add(&next.histogram);
        joined.cost = cost;
        if let Some(gone) = gains.get_mut(nexts[at]) {
            *gone = None;
        }
        nexts[at] = nexts[nexts[at]];
        gains[at] = None;
        let mut update = |at: usize, next: usize| {
            gains[at] = gain(&blocks[at], &blocks[next]);
            queue.extend(gains[at].map(|(gain, _)| (gain, at)));
        };
        if nexts[at] < count {
            befores[nexts[at]] = at;
            update(at, nexts[at]);
        }
        if befores[at] < count {
            update(befores[at], at);
        }
    }
    blocks.retain(|block| block.len > 0);
}

/// One block of two neighbours that have tokens, if it costs no more than they.
pub(super) fn join(a: &Block, b: &Block) -> Option<Block> {
    if a.len == 0 || b.len == 0 {
        return None;
    }
    let mut histogram = a.histogram.clone();
    histogram.add(&b.histogram);
    let cost = cost(&histogram);
    (cost <= a.cost + b.cost).then_some(Block { len: a.len + b.len, histogram, cost })
}

/// Costs count fractions of bits: this many binary digits behind the point.
pub(super) const FRACTION_BITS: u32 = 12;
/// What a header takes beside the symbols, and for each symbol that occurs, in bits.
pub(super) const HEADER_BITS: u64 = 200;
pub(super) const SYMBOL_BITS: u64 = 4;

/// What a block with these symbols takes, without extra bits.
pub(super) fn cost(histogram: &Histogram) -> u64 {
    cost_by(SYMBOL_BITS, histogram)
}

/// The same, where each symbol that occurs takes so many bits of a header.
pub(super) fn cost_by(symbol_bits: u64, histogram: &Histogram) -> u64 {
    let (litlen, litlens) = entropy(&histogram.litlen);
    let (dist, dists) = entropy(&histogram.dist);
    litlen + dist + ((HEADER_BITS + symbol_bits * (litlens + dists)) << FRACTION_BITS)
}

/// What ideal codes take for these symbols, without extra bits.
pub(super) fn coded(histogram: &Histogram) -> u64 {
    entropy(&histogram.litlen).0 + entropy(&histogram.dist).0
}

/// What of that literals take.
pub(super) fn coded_literals(histogram: &Histogram) -> u64 {
    let total = log2(histogram.litlen.iter().sum());
    let literals = &histogram.litlen[..END_OF_BLOCK];
    literals.iter().map(|count| u64::from(*count) * total - weighted_log2(*count)).sum()
}

/// What an ideal code takes for symbols that occur this often, and how many of them occur.
fn entropy(counts: &[u32]) -> (u64, u64) {
    let (mut total, mut used, mut sum) = (0u32, 0, 0u64);
    for count in counts {
        total += count;
        used += u64::from(*count != 0);
        sum += weighted_log2(*count);
    }
    (weighted_log2(total) - sum, used)
}

/// A number times its binary logarithm, as [`log2`] has it.
fn weighted_log2(number: u32) -> u64 {
    match WEIGHTED_LOG2.get(number as usize) {
        Some(weighted) => u64::from(*weighted),
        None => u64::from(number) * log2(number),
    }
}

/// For the numbers that are frequent.
static WEIGHTED_LOG2: [u32; 2048] = {
    let mut table = [0; 2048];
    let mut number = 0;
    while number < table.len() {
        table[number] = number as u32 * log2(number as u32) as u32;
        number += 1;
    }
    table
};

/// The binary logarithm, in 1/2^[`FRACTION_BITS`]; 0 of 0. Numbers count to 9 binary digits.
pub(super) const fn log2(number: u32) -> u64 {
    let number = if number == 0 { 1 } else { number };
    let exponent = number.ilog2();
    let mantissa = (((number as u64) << 9) >> exponent) as usize % 512;
    (exponent << FRACTION_BITS) as u64 + LOG2[mantissa] as u64
}

/// The logarithm of 1 + i/512, by squaring: each squaring brings one more binary digit.
const LOG2: [u16; 512] = {
    let mut table = [0; 512];
    let mut i = 0;
    while i < table.len() {
        let (mut number, mut digits, mut log) = (((512 + i) as u64) << 22, 0, 0);
        while digits < FRACTION_BITS {
            number = (number * number) >> 31;
            let digit = number >> 32;
            log = log << 1 | digit as u16;
            number >>= digit;
            digits += 1;
        }
        table[i] = log;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_near_the_true_ones() {
        for number in (1..5000).chain((5000..1 << 20).step_by(997)) {
            let expected = f64::from(number).log2();
            let found = log2(number) as f64 / f64::from(1 << FRACTION_BITS);
            assert!((found - expected).abs() < 0.004, "{number}: {found} {expected}");
        }
        assert_eq!(log2(0), 0);
    }

    #[test]
    fn blocks_end_where_the_data_change() {
        let text = |i: usize| Token::literal(b'a' + (i * i % 20) as u8);
        let digits = |i: usize| Token::literal(b'0' + (i * i % 7) as u8);
        let tokens: Vec<Token> = (0..8192).map(text).chain((0..12288).map(digits)).collect();
        let mut blocks = Vec::new();
        split(&tokens, 1024, &mut blocks);
        let lens: Vec<usize> = blocks.iter().map(|block| block.len).collect();
        assert_eq!(lens, [8192, 12288]);
        assert_eq!(blocks[0].histogram, Histogram::of(&tokens[..8192]));
        assert_eq!(blocks[1].histogram, Histogram::of(&tokens[8192..]));
        split(&tokens[..8000], 1024, &mut blocks);
        assert_eq!(blocks.len(), 1);
        split(&[], 1024, &mut blocks);
        assert!(blocks.is_empty());
    }
}
