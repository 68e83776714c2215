//! How often each symbol occurs in a run of tokens, and how many bytes in data.

use super::token::{
    DIST_ENDS, DIST_SYMBOLS, FIRST_LEN_SYMBOL, LEN_ENDS, LENS, LITLEN_INDEXES, LITLEN_SYMBOLS, MAX_MATCH,
    MIN_MATCH, OTHER_INDEXES, SECOND_LITERALS, Token,
};

/// Number of occurrences by symbol. The end of the block is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram {
    /// Literals and lengths.
    pub litlen: [u32; LITLEN_SYMBOLS],
    /// Dists.
    pub dist: [u32; DIST_SYMBOLS],
    /// How many bytes of data the tokens stand for.
    pub data_len: usize,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { litlen: [0; LITLEN_SYMBOLS], dist: [0; DIST_SYMBOLS], data_len: 0 }
    }
}

impl Histogram {
    /// Counts `tokens`.
    pub(super) fn of(tokens: &[Token]) -> Histogram {
        let mut parts = tokens.chunks(u16::MAX.into());
        let mut histogram = Histogram::of_part(parts.next().unwrap_or_default());
        parts.for_each(|part| histogram.add(&Histogram::of_part(part)));
        histogram
    }

    /// Counts `tokens`, so few that 16 bits are enough for each counter: of short runs, clearing counters and adding
    /// them up takes a good part of the time.
    ///
    /// The same symbols come again and again, so neighbours have counters of their own: an addition
    /// need not wait for the one before.
    fn of_part(tokens: &[Token]) -> Histogram {
        debug_assert!(tokens.len() <= u16::MAX.into());
        let mut litlen = [[0u16; LITLEN_INDEXES]; 2];
        let mut other = [[0u16; OTHER_INDEXES.next_power_of_two()]; 2];
        let mut count = |token: Token, i: usize| {
            let litlen = &mut litlen[i][token.litlen_index()];
            let other = &mut other[i][token.other_index() % OTHER_INDEXES.next_power_of_two()];
            (*litlen, *other) = (litlen.wrapping_add(1), other.wrapping_add(1));
        };
        let mut pairs = tokens.chunks_exact(2);
        for pair in &mut pairs {
            count(pair[0], 0);
            count(pair[1], 1);
        }
        for token in pairs.remainder() {
            count(*token, 0);
        }
        let (litlens, others) = (both(litlen), both(other));
        let mut sums = Histogram::default();
        let (literals, lens) = litlens.split_at(LENS);
        let second_literals = &others[SECOND_LITERALS..][..256];
        for (sum, (first, second)) in sums.litlen.iter_mut().zip(literals.iter().zip(second_literals)) {
            *sum = u32::from(*first) + u32::from(*second);
            sums.data_len += *sum as usize;
        }
        for (len, count) in (MIN_MATCH..=MAX_MATCH).zip(lens) {
            sums.data_len += usize::from(*count) * len;
        }
        let sum = |counts: &[u16]| counts.iter().map(|count| u32::from(*count)).sum();
        let (mut start, lens_of) = (0, &mut sums.litlen[FIRST_LEN_SYMBOL..]);
        for (count, end) in lens_of.iter_mut().zip(&LEN_ENDS) {
            *count = sum(&lens[start..usize::from(*end)]);
            start = usize::from(*end);
        }
        start = 0;
        for (count, end) in sums.dist.iter_mut().zip(&DIST_ENDS) {
            *count = sum(&others[start..usize::from(*end)]);
            start = usize::from(*end);
        }
        sums
    }

    /// Adds what `other` counted.
    pub(super) fn add(&mut self, other: &Histogram) {
        for (sum, count) in self.litlen.iter_mut().zip(&other.litlen) {
            *sum += count;
        }
        for (sum, count) in self.dist.iter_mut().zip(&other.dist) {
            *sum += count;
        }
        self.data_len += other.data_len;
    }
}

/// The sums of two series of counters.
fn both<const N: usize>([mut sums, counts]: [[u16; N]; 2]) -> [u16; N] {
    for (sum, count) in sums.iter_mut().zip(&counts) {
        *sum = sum.wrapping_add(*count);
    }
    sums
}

/// How many different bytes occur in a sample of `data`: some 64 pieces of `piece_len` bytes, from all over it.
pub(super) fn kinds(data: &[u8], piece_len: usize) -> usize {
    let mut occurs = [false; 256];
    for piece in data.chunks((data.len() / 64).max(piece_len)) {
        for byte in &piece[..piece.len().min(piece_len)] {
            occurs[usize::from(*byte)] = true;
        }
    }
    occurs.iter().filter(|occurs| **occurs).count()
}

#[cfg(test)]
mod tests {
    use super::super::token::{dist_symbol, len_symbol};
    use super::*;

    #[test]
    fn every_token_is_counted_once() {
        let mut tokens: Vec<Token> = (0..=255).map(Token::literal).collect();
        tokens.extend((MIN_MATCH..=MAX_MATCH).map(|len| Token::match_(len, 1 + 127 * (len - MIN_MATCH))));
        tokens.push(Token::literals(u16::from_le_bytes(*b"ab")));
        let counted = Histogram::of(&tokens);
        let mut expected = Histogram::default();
        for token in &tokens[..tokens.len() - 1] {
            if token.is_literal() {
                expected.litlen[usize::from(token.byte())] += 1;
            } else {
                expected.litlen[len_symbol(token.len()).0] += 1;
                expected.dist[dist_symbol(token.dist_less_1()).0] += 1;
            }
        }
        expected.litlen[usize::from(b'a')] += 1;
        expected.litlen[usize::from(b'b')] += 1;
        expected.data_len = tokens.iter().map(|token| token.data_len()).sum();
        assert_eq!(counted, expected);
        let many = vec![Token::literal(7); 3 << 16];
        assert_eq!(Histogram::of(&many).litlen[7], 3 << 16);
        let mut twice = counted.clone();
        twice.add(&counted);
        assert_eq!(twice, Histogram::of(&[&tokens[..], &tokens[..]].concat()));
    }
}
