//! Tokens: what a parse consists of, and the symbols that stand for them (RFC 1951 §3.2.5).

/// The shortest match.
pub(super) const MIN_MATCH: usize = 3;
/// The longest match.
pub(super) const MAX_MATCH: usize = 258;
/// The farthest that a match reaches back.
pub(super) const WINDOW_LEN: usize = 32 << 10;

/// Symbols of the litlen alphabet that may occur.
pub(super) const LITLEN_SYMBOLS: usize = 286;
/// Symbols of the dist alphabet that may occur.
pub(super) const DIST_SYMBOLS: usize = 30;
/// The litlen symbol at the end of a block.
pub(super) const END_OF_BLOCK: usize = 256;
/// The litlen symbol of the shortest match.
const FIRST_LEN_SYMBOL: usize = 257;

/// A literal or a match, as it is written: from the lowest bit up, 9 bits that say which literal or which
/// length, 5 bits of dist symbol, 13 bits of dist's extra bits. Literals have a dist symbol, too,
/// [`NO_DIST`], which is written as nothing; so whoever counts or writes tokens need not tell the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token(u32);

/// The dist symbol of literals.
pub(super) const NO_DIST: usize = 31;

impl Token {
    /// One byte.
    #[inline(always)]
    pub(super) fn literal(byte: u8) -> Token {
        Token((NO_DIST as u32) << 9 | u32::from(byte))
    }

    /// `len` bytes (3 to 258) from `dist` bytes back (1 to 32768).
    #[inline(always)]
    pub(super) fn match_(len: usize, dist: usize) -> Token {
        debug_assert!((MIN_MATCH..=MAX_MATCH).contains(&len) && (1..=WINDOW_LEN).contains(&dist));
        let (symbol, extra_bits) = dist_symbol(dist - 1);
        let extra = (dist as u32 - 1) & ((1 << extra_bits) - 1);
        Token(extra << 14 | (symbol as u32) << 9 | (len + 256 - MIN_MATCH) as u32)
    }

    /// Where its entry is in tables of [`LITLEN_INDEXES`] entries: at first literals, then lengths from
    /// [`MIN_MATCH`] on.
    #[inline(always)]
    pub(super) fn litlen_index(self) -> usize {
        self.0 as usize % LITLEN_INDEXES
    }

    /// Its dist symbol.
    #[inline(always)]
    pub(super) fn dist_symbol(self) -> usize {
        (self.0 >> 9) as usize % 32
    }

    /// The extra bits of its dist.
    #[inline(always)]
    pub(super) fn dist_extra(self) -> u32 {
        self.0 >> 14
    }
}

/// Number of values of [`Token::litlen_index`].
pub(super) const LITLEN_INDEXES: usize = 512;

/// The length that an index of at least 256 stands for.
pub(super) const fn len_of(litlen_index: usize) -> usize {
    litlen_index - 256 + MIN_MATCH
}

/// The symbol of a value where `2^split` symbols share each power of two, and its number of extra
/// bits; they are the low bits of the value.
const fn bucket(value: u32, split: u32) -> (u32, u32) {
    if value < 2 << split {
        return (value, 0);
    }
    let count = value.ilog2() - split;
    ((count << split) + (value >> count), count)
}

/// The litlen symbol of a match length, 3 to 258, and the number of its extra bits.
pub(super) const fn len_symbol(len: usize) -> (usize, u32) {
    if len == MAX_MATCH {
        return (LITLEN_SYMBOLS - 1, 0);
    }
    let (symbol, count) = bucket((len - MIN_MATCH) as u32, 2);
    (FIRST_LEN_SYMBOL + symbol as usize, count)
}

/// The dist symbol of a dist less 1, 0 to 32767, and the number of its extra bits.
#[inline(always)]
pub(super) const fn dist_symbol(dist_less_1: usize) -> (usize, u32) {
    let (symbol, count) = bucket(dist_less_1 as u32, 1);
    (symbol as usize, count)
}

/// The extra bits of a length: what its value less 3 has above its symbol's.
pub(super) const fn len_extra(len: usize) -> u32 {
    let (_, count) = len_symbol(len);
    (len - MIN_MATCH) as u32 & ((1 << count) - 1)
}

/// The number of extra bits of a litlen symbol.
pub(super) const fn litlen_extra_bits(symbol: usize) -> u32 {
    if symbol < FIRST_LEN_SYMBOL + 8 || symbol >= LITLEN_SYMBOLS - 1 {
        0
    } else {
        ((symbol - FIRST_LEN_SYMBOL) / 4 - 1) as u32
    }
}

/// The number of extra bits of a dist symbol.
pub(super) const fn dist_extra_bits(symbol: usize) -> u32 {
    if symbol < 4 { 0 } else { (symbol / 2 - 1) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_dists_fall_into_the_ranges_of_the_rfc() {
        // The first value of each symbol, from the tables in RFC 1951 §3.2.5.
        let lens = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
            163, 195, 227, 258,
        ];
        let dists = [
            1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
            3073, 4097, 6145, 8193, 12289, 16385, 24577,
        ];
        for len in MIN_MATCH..=MAX_MATCH {
            let symbol = lens.partition_point(|first| *first <= len) - 1;
            let (found, count) = len_symbol(len);
            assert_eq!(found, 257 + symbol, "{len}");
            assert_eq!(litlen_extra_bits(found), count);
            assert_eq!(len_extra(len) as usize, len - lens[symbol], "{len}");
            assert!(len_extra(len) < 1 << count);
        }
        for dist in 1..=WINDOW_LEN {
            let symbol = dists.partition_point(|first| *first <= dist) - 1;
            let (found, count) = dist_symbol(dist - 1);
            assert_eq!(found, symbol, "{dist}");
            assert_eq!(dist_extra_bits(symbol), count);
            assert_eq!((dist - 1) & ((1 << count) - 1), dist - dists[symbol], "{dist}");
        }
    }
}
