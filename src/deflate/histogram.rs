//! How often each symbol occurs in a run of tokens.

use super::token::{
    DIST_SYMBOLS, LITLEN_INDEXES, LITLEN_SYMBOLS, OTHER_INDEXES, Other, Token, len_of, len_symbol, other_of,
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
    ///
    /// The same symbols come again and again, so neighbours have counters of their own: an addition
    /// need not wait for the one before.
    pub(super) fn of(tokens: &[Token]) -> Histogram {
        let mut litlen = [[0u32; LITLEN_INDEXES]; 2];
        let mut other = [[0u32; 1024]; 2];
        let mut count = |token: Token, i: usize| {
            litlen[i][token.litlen_index()] += 1;
            other[i][token.other_index() % 1024] += 1;
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
            sums.litlen[usize::from(LITLENS[index])] += a + b;
            sums.data_len += (a + b) as usize * len_of(index).unwrap_or(1);
        }
        for (index, (a, b)) in other[0].iter().zip(&other[1]).enumerate().take(OTHER_INDEXES) {
            match other_of(index) {
                Other::Dist(symbol) => sums.dist[symbol] += a + b,
                Other::Literal(symbol) => {
                    sums.litlen[symbol] += a + b;
                    sums.data_len += (a + b) as usize;
                }
                Other::Nothing => {}
            }
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

/// The litlen symbol of each litlen index.
static LITLENS: [u16; LITLEN_INDEXES] = {
    let mut table = [0; LITLEN_INDEXES];
    let mut index = 0;
    while index < table.len() {
        table[index] = match len_of(index) {
            Some(len) => len_symbol(len).0 as u16,
            None => index as u16 % 256,
        };
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::super::token::{MAX_MATCH, MIN_MATCH, dist_symbol};
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
        let mut twice = counted.clone();
        twice.add(&counted);
        assert_eq!(twice, Histogram::of(&[&tokens[..], &tokens[..]].concat()));
    }
}
