//! How often each symbol occurs in a run of tokens.

use super::token::{DIST_SYMBOLS, END_OF_BLOCK, LITLEN_INDEXES, LITLEN_SYMBOLS, Token, len_of, len_symbol};

/// Number of occurrences by symbol. The end of the block is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram {
    /// Literals and lengths.
    pub(super) litlen: [u32; LITLEN_SYMBOLS],
    /// Dists.
    pub(super) dist: [u32; DIST_SYMBOLS],
    /// How many bytes of data the tokens stand for.
    pub(super) data_len: usize,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { litlen: [0; LITLEN_SYMBOLS], dist: [0; DIST_SYMBOLS], data_len: 0 }
    }
}

impl Histogram {
    /// Counts `tokens`.
    ///
    /// The same symbols come again and again, so neighbours have counters of their own: an addition
    /// need not wait for the one before.
    pub(super) fn of(tokens: &[Token]) -> Histogram {
        let mut litlen = [[0u32; LITLEN_INDEXES]; 2];
        let mut dist = [[0u32; 32]; 2];
        let mut count = |token: Token, i: usize| {
            litlen[i][token.litlen_index()] += 1;
            dist[i][token.dist_symbol()] += 1;
        };
        let mut pairs = tokens.chunks_exact(2);
        for pair in &mut pairs {
            count(pair[0], 0);
            count(pair[1], 1);
        }
        for token in pairs.remainder() {
            count(*token, 0);
        }
        let mut sums = Histogram::default();
        for (index, (a, b)) in litlen[0].iter().zip(&litlen[1]).enumerate() {
            let (symbol, len) = SYMBOLS[index];
            sums.litlen[usize::from(symbol)] += a + b;
            sums.data_len += usize::from(len) * (a + b) as usize;
        }
        for (symbol, sum) in sums.dist.iter_mut().enumerate() {
            *sum = dist[0][symbol] + dist[1][symbol];
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

/// By litlen index: the symbol, and the number of bytes.
static SYMBOLS: [(u16, u16); LITLEN_INDEXES] = {
    let mut table = [(0, 1); LITLEN_INDEXES];
    let mut index = 0;
    while index < LITLEN_INDEXES {
        table[index] = if index < END_OF_BLOCK {
            (index as u16, 1)
        } else {
            (len_symbol(len_of(index)).0 as u16, len_of(index) as u16)
        };
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::token::{MAX_MATCH, MIN_MATCH, dist_symbol};

    #[test]
    fn every_token_is_counted_once() {
        let mut expected = Histogram::default();
        let mut tokens = Vec::new();
        for byte in (0..=255).chain([b'a']) {
            tokens.push(Token::literal(byte));
            expected.litlen[usize::from(byte)] += 1;
            expected.data_len += 1;
        }
        for len in MIN_MATCH..=MAX_MATCH {
            let dist = 1 + 127 * (len - MIN_MATCH);
            tokens.push(Token::match_(len, dist));
            expected.litlen[len_symbol(len).0] += 1;
            expected.dist[dist_symbol(dist - 1).0] += 1;
            expected.data_len += len;
        }
        let counted = Histogram::of(&tokens);
        assert_eq!(counted, expected);
        assert_eq!(counted.litlen[usize::from(b'a')], 2);
        let mut twice = counted.clone();
        twice.add(&counted);
        assert_eq!(twice, Histogram::of(&[&tokens[..], &tokens[..]].concat()));
    }
}
