//! What symbols cost: an ideal code's bits, from how often they occur.
//!
//! Prices have room for a length in their low bits, so that the least of several sums says how it came about.

use super::huffman::{MAX_LEN, build_lens};
use super::lanes::LANES;
use super::split::{FRACTION_BITS, log2};
use super::token::{
    DIST_SYMBOLS, END_OF_BLOCK, LITLEN_SYMBOLS, MAX_MATCH, MIN_MATCH, dist_extra_bits, len_symbol,
};

/// Prices are in 1/2^[`PRICE_BITS`] of a bit.
pub(super) const PRICE_BITS: u32 = 5;
/// Below a price there is a length.
pub(super) const LEN_BITS: u32 = 9;
pub(super) const LEN_MASK: i32 = (1 << LEN_BITS) - 1;
/// More than any way costs.
pub(super) const NEVER: i32 = 1 << 30;

/// In place of the dist symbol of something that there is not.
pub(super) const NO_DIST: usize = 31;

/// If no more symbols than these are frequent, codewords are no ideal code: four as frequent as each other
/// take 2 bits, but for one of them, which has to leave room for the rest.
const FEW: usize = 7;

/// Prices of symbols, with their extra bits, shifted up by [`LEN_BITS`].
pub(super) struct Prices {
    pub(super) literal: [i32; 256],
    /// By length and [`LANES`]; the length is in the low bits. There is no price for less than
    /// [`MIN_MATCH`].
    pub(super) len: [i32; LANES + MAX_MATCH + 1],
    /// By symbol.
    pub(super) dist: [i32; 32],
}

impl Prices {
    /// What an ideal code needs for symbols that occur this often; those that do not cost a bit more than
    /// those that do once.
    pub(super) fn new(litlens: &[u32; LITLEN_SYMBOLS], dists: &[u32; DIST_SYMBOLS]) -> Prices {
        let mut prices = Prices { literal: [0; 256], len: [NEVER; LANES + MAX_MATCH + 1], dist: [NEVER; 32] };
        let price = |total: u32, count: u32, extra_bits: u32| {
            let bits =
                if count == 0 { log2(total) + (1 << FRACTION_BITS) } else { log2(total) - log2(count) };
            let bits = bits.max(1 << (FRACTION_BITS - 1)) + u64::from(extra_bits << FRACTION_BITS);
            ((bits >> (FRACTION_BITS - PRICE_BITS)) as i32) << LEN_BITS
        };
        let total: u32 = litlens.iter().sum::<u32>() + 1;
        for (price_of, count) in prices.literal.iter_mut().zip(litlens) {
            *price_of = price(total, *count, 0) + 1;
        }
        if litlens.iter().filter(|count| **count > total / 64).count() <= FEW {
            let mut counts = *litlens;
            counts[END_OF_BLOCK] = 1;
            let mut lens = [0; LITLEN_SYMBOLS];
            build_lens(&counts, MAX_LEN, &mut lens);
            for (price_of, len) in prices.literal.iter_mut().zip(lens).filter(|(_, len)| *len > 0) {
                *price_of = (*price_of).max((i32::from(len) << (PRICE_BITS + LEN_BITS)) + 1);
            }
        }
        for len in MIN_MATCH..=MAX_MATCH {
            let (symbol, extra_bits) = len_symbol(len);
            prices.len[LANES + len] = price(total, litlens[symbol], extra_bits) + len as i32;
        }
        let total: u32 = dists.iter().sum::<u32>().max(1);
        for (symbol, count) in dists.iter().enumerate() {
            prices.dist[symbol] = price(total, *count, dist_extra_bits(symbol));
        }
        prices
    }
}
