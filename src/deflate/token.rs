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
pub(super) const FIRST_LEN_SYMBOL: usize = 257;

/// A match, a literal or two literals, in 32 bits.
///
/// The low 9 bits are its litlen index: a literal's byte, or 256 and the match's length less 3. The upper
/// half is its other index, where tables have an entry for what follows the litlen symbol: near
/// dists have one each, 128 far ones share one, then comes one for each second literal and one for
/// nothing. The 7 bits between are those in which far dists that share an index differ, else zero: extra
/// bits, as they are. So nobody who counts or writes tokens needs to know what kind they are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Token(u32);

/// Entries of a table by [`Token::litlen_index`].
pub(super) const LITLEN_INDEXES: usize = 512;
/// Entries of a table by [`Token::other_index`].
pub(super) const OTHER_INDEXES: usize = NOTHING + 1;

/// From here on litlen indexes are those of lengths, from [`MIN_MATCH`] on.
pub(super) const LENS: usize = 256;
/// Dists less 1 below this have other indexes of their own; of the others, so many in a row share one.
pub(super) const NEAR: usize = 256;
pub(super) const FAR_SHIFT: u32 = 7;
/// The other index of the second literal 0.
pub(super) const SECOND_LITERALS: usize = NEAR + (WINDOW_LEN >> FAR_SHIFT);
/// The other index of a literal that is alone.
pub(super) const NOTHING: usize = SECOND_LITERALS + 256;

/// Where a token has its other index, and the extra bits below it.
const OTHER_SHIFT: u32 = EXTRA_SHIFT + FAR_SHIFT;
pub(super) const EXTRA_SHIFT: u32 = 9;
/// What bits a token has, even one of what must not be: whoever reads tables may rely on indexes less than the next power of two.
const VALID: u32 = ((OTHER_INDEXES.next_power_of_two() as u32) << OTHER_SHIFT) - 1;

impl Token {
    /// One byte.
    #[inline(always)]
    pub(super) const fn literal(byte: u8) -> Token {
        Token(byte as u32 | (NOTHING as u32) << OTHER_SHIFT)
    }

    /// Two bytes: the lower one, then the upper one.
    #[inline(always)]
    pub(super) const fn literals(bytes: u16) -> Token {
        let upper = (bytes as u32 & 0xff00) << (OTHER_SHIFT - 8);
        Token((bytes as u32 & 0xff | upper) + ((SECOND_LITERALS as u32) << OTHER_SHIFT))
    }

    /// `len` bytes (3 to 258) from `dist` bytes back (1 to 32768).
    #[inline(always)]
    pub(super) const fn match_(len: usize, dist: usize) -> Token {
        debug_assert!(MIN_MATCH <= len && len <= MAX_MATCH && 1 <= dist && dist <= WINDOW_LEN);
        let dist_less_1 = (dist - 1) as u32;
        let near = dist_less_1 << OTHER_SHIFT;
        let far = (dist_less_1 << EXTRA_SHIFT) + ((NEAR as u32) << OTHER_SHIFT);
        let dist = if dist_less_1 < NEAR as u32 { near } else { far };
        Token(dist.wrapping_add((LENS - MIN_MATCH + len) as u32) & VALID)
    }

    /// The extra bits that its other index does not say, the low ones of a far dist, shifted to the left by [`EXTRA_SHIFT`].
    #[inline(always)]
    pub(super) const fn low_extra(self) -> u64 {
        (self.0 as u64 % (1 << OTHER_SHIFT)) & !(LITLEN_INDEXES as u64 - 1)
    }

    /// Where its litlen entry is in tables that have one for each literal and each length.
    #[inline(always)]
    pub(super) const fn litlen_index(self) -> usize {
        self.0 as usize % LITLEN_INDEXES
    }

    /// Where its entry is in tables of what follows the litlen symbol.
    #[inline(always)]
    pub(super) const fn other_index(self) -> usize {
        (self.0 >> OTHER_SHIFT) as usize
    }
}

/// Tokens as they are made in the fewest steps, before [`settle`] gives them their indexes.
///
/// The upper half of two literals is 0, of one literal 1, of a match the complement of its length. The lower half is the
/// literals, the first one lowest (above one that is alone there may be anything), or the complement of the dist less 1.
pub(super) struct Draft;

impl Draft {
    /// The lower one of two bytes, or both.
    #[inline(always)]
    pub(super) fn literals(bytes: u16, is_alone: bool) -> Token {
        Token(u32::from(bytes) | u32::from(is_alone) << 16)
    }

    /// `len` bytes (3 to 258) from `dist_less_1 + 1` back (at most 32768). Any other numbers give something without
    /// meaning.
    #[inline(always)]
    pub(super) fn match_(len: usize, dist_less_1: usize) -> Token {
        Token(!((len as u32) << 16 | dist_less_1 as u32))
    }

    /// The token.
    #[inline(always)]
    fn settled(Token(draft): Token) -> Token {
        let others = if draft >> 16 == 0 {
            (draft & 0xff00) << (OTHER_SHIFT - 8) | (SECOND_LITERALS as u32) << OTHER_SHIFT
        } else {
            (NOTHING as u32) << OTHER_SHIFT
        };
        let literals = draft & 0xff | others;
        let (len, dist_less_1) = (!draft >> 16, !draft & 0xffff);
        let near = dist_less_1 << OTHER_SHIFT;
        let far = (dist_less_1 << EXTRA_SHIFT) + ((NEAR as u32) << OTHER_SHIFT);
        let dist = if dist_less_1 < NEAR as u32 { near } else { far };
        let match_ = dist.wrapping_add(len + (LENS - MIN_MATCH) as u32);
        Token(if draft >> 16 < 2 { literals } else { match_ & VALID })
    }
}

/// Turns drafts into tokens.
#[inline(always)]
pub(super) fn settle(drafts: &mut [Token]) {
    for draft in drafts {
        *draft = Draft::settled(*draft);
    }
}

/// How many literals follow each other in tokens for two, but for the first token of each row, and how many of these rows end at a
/// match.
pub(super) fn rows_of_literals(tokens: &[Token]) -> (u32, u32) {
    let Some(thirds) = tokens.get(2..) else { return (0, 0) };
    let is_literal = |token: Token| token.0 >> 8 & 1 ^ 1;
    let (mut pairs, mut ends) = (0, 0);
    for ((first, second), third) in tokens.iter().zip(&tokens[1..]).zip(thirds) {
        let is_pair = is_literal(*first) & is_literal(*second);
        pairs += is_pair;
        ends += is_pair & (is_literal(*third) ^ 1);
    }
    (2 * pairs, ends)
}

/// So many tokens that mean nothing, in memory that was not written to yet.
pub(super) fn nothing(len: usize) -> Vec<Token> {
    // Only of plain numbers the library knows that fresh memory has zeros; that these become tokens where
    // they are takes nothing.
    vec![0; len].into_iter().map(Token).collect()
}

/// What a token is, for those who look at tokens one by one.
impl Token {
    /// Whether it is one byte or two.
    #[inline(always)]
    pub(super) fn is_literal(self) -> bool {
        self.litlen_index() < LENS
    }

    /// The byte, if it is one; the first of two.
    #[inline(always)]
    pub(super) fn byte(self) -> u8 {
        self.0 as u8
    }

    /// The length of a match.
    #[inline(always)]
    pub(super) fn len(self) -> usize {
        debug_assert!(!self.is_literal());
        self.litlen_index() - LENS + MIN_MATCH
    }

    /// The dist of a match, less 1.
    pub(super) fn dist_less_1(self) -> usize {
        let index = self.other_index();
        if index < NEAR {
            index
        } else {
            (index - NEAR) << FAR_SHIFT | (self.low_extra() >> EXTRA_SHIFT) as usize
        }
    }

    /// How many bytes of data it stands for.
    #[cfg(test)]
    pub(super) fn data_len(self) -> usize {
        if !self.is_literal() { self.len() } else { 1 + usize::from(self.other_index() != NOTHING) }
    }
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

/// Behind the last length of each litlen symbol that stands for some, less [`MIN_MATCH`].
pub(super) static LEN_ENDS: [u16; LITLEN_SYMBOLS - FIRST_LEN_SYMBOL] = {
    let mut ends = [0; LITLEN_SYMBOLS - FIRST_LEN_SYMBOL];
    let mut len = MIN_MATCH;
    while len <= MAX_MATCH {
        ends[len_symbol(len).0 - FIRST_LEN_SYMBOL] = (len - MIN_MATCH + 1) as u16;
        len += 1;
    }
    ends
};

/// Behind the last other index of each dist symbol. Those that no dist has may be anywhere.
pub(super) static DIST_ENDS: [u16; DIST_SYMBOLS] = {
    let mut ends = [0; DIST_SYMBOLS];
    let mut dist_less_1 = 0;
    while dist_less_1 < WINDOW_LEN {
        ends[dist_symbol(dist_less_1).0] = Token::match_(MIN_MATCH, dist_less_1 + 1).other_index() as u16 + 1;
        dist_less_1 += 1;
    }
    ends
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_become_what_they_stand_for() {
        for byte in 0..=u8::MAX {
            let others = u16::from_le_bytes([byte, byte.wrapping_mul(31)]);
            let mut tokens = [Draft::literals(others, true), Draft::literals(others, false)];
            settle(&mut tokens);
            assert_eq!(tokens, [Token::literal(byte), Token::literals(others)]);
        }
        for len in MIN_MATCH..=MAX_MATCH {
            for dist in (1..300).chain((300..=WINDOW_LEN).step_by(97)).chain([WINDOW_LEN]) {
                let mut tokens = [Draft::match_(len, dist - 1)];
                settle(&mut tokens);
                assert_eq!(tokens, [Token::match_(len, dist)], "{len} {dist}");
            }
        }
    }

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
            assert!(len - lens[symbol] < 1 << count, "{len}");
            assert!(len - MIN_MATCH < usize::from(LEN_ENDS[symbol]));
            assert!(symbol == 0 || len - MIN_MATCH >= usize::from(LEN_ENDS[symbol - 1]));
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
