//! HOT PATH. The parser of the middle levels: takes the longest match, unless the next position or
//! the one after it has a better one (lazy matching).

use std::ops::Range;

use super::chain::{Bytes, Chains, Effort, FEW_BITS3, Finder, Match};
use super::token::Token;

/// What the parser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// The first search at a position.
    pub(super) effort: Effort,
    /// How many positions behind a match are searched for a better one: 0 to 2.
    pub(super) lookahead: usize,
}

/// What a match is worth: a byte counts for four, the bits of its dist for one each.
#[inline(always)]
fn worth(found: Match) -> i32 {
    4 * found.len as i32 - (found.dist | 1).ilog2() as i32
}

/// A parser in the middle of a chunk.
pub(super) struct Parser<'a, const LEAST: usize, B> {
    finder: Finder<'a, LEAST, B>,
    effort: Effort,
}

impl<'a, const LEAST: usize, B: Bytes> Parser<'a, LEAST, B> {
    /// A parser of `buf`, which takes matches of `LEAST` (3 to 8) bytes and more.
    pub(super) fn new(chains: &'a mut Chains, buf: B, effort: Effort) -> Self {
        Parser { finder: chains.begin(buf, FEW_BITS3), effort }
    }

    /// Appends the tokens of `range` of `buf` to `tokens`; so many positions behind a match are searched for
    /// a better one. Ranges follow each other; what is before the first one is the window.
    #[inline(never)]
    pub(super) fn parse<const LOOKAHEAD: usize>(
        &mut self,
        buf: &[u8],
        range: Range<usize>,
        tokens: &mut Vec<Token>,
    ) {
        let effort = self.effort;
        let min_len = min_len(&buf[range.clone()]).max(LEAST);
        let Range { start: mut pos, end } = range;
        while pos < end {
            let mut best = self.finder.find(pos, end, min_len - 1, effort);
            if best.len == 0 {
                tokens.push(Token::literal(buf[pos]));
                pos += 1;
                continue;
            }
            let mut ahead = 1;
            while best.len < effort.nice_len && ahead <= LOOKAHEAD {
                let next = Effort { max_chain: effort.max_chain >> ahead, ..effort };
                let found = self.finder.find(pos + ahead, end, best.len - 1, next);
                // The farther ahead, the more literals it has to make up for.
                let is_better = found.len > 0 && worth(found) - worth(best) > 4 * ahead as i32 - 2;
                if is_better {
                    tokens.extend(buf[pos..pos + ahead].iter().map(|byte| Token::literal(*byte)));
                    (best, pos, ahead) = (found, pos + ahead, 1);
                } else {
                    ahead += 1;
                }
            }
            tokens.push(Token::match_(best.len, best.dist));
            pos += best.len;
        }
    }
}

/// The shortest match that pays in such data: where few different bytes occur, literals are short.
pub(super) fn min_len(data: &[u8]) -> usize {
    /// A sample of so many pieces of such a length will do.
    const PIECES: usize = 64;
    const PIECE_LEN: usize = 128;
    let step = (data.len() / PIECES).max(PIECE_LEN);
    let mut seen = [false; 256];
    for piece in data.chunks(step) {
        for byte in &piece[..piece.len().min(PIECE_LEN)] {
            seen[usize::from(*byte)] = true;
        }
    }
    match seen.iter().filter(|seen| **seen).count() {
        0..6 => 9,
        6..8 => 8,
        8..10 => 7,
        10..16 => 6,
        16..45 => 5,
        45..128 => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::chain::Unchecked;
    use crate::deflate::chain::tests::Checked;
    use crate::deflate::tests::{kinds, unparsed};

    fn parsed<const LEAST: usize>(
        data: impl Bytes,
        buf: &[u8],
        Tuning { effort, lookahead }: Tuning,
        step: usize,
    ) -> Vec<Token> {
        let mut chains = Chains::default();
        let mut parser = Parser::<LEAST, _>::new(&mut chains, data, effort);
        let (mut tokens, mut start) = (Vec::new(), 0);
        while start < buf.len() {
            let range = start..buf.len().min(start + step);
            start = range.end;
            match lookahead {
                0 => parser.parse::<0>(buf, range, &mut tokens),
                1 => parser.parse::<1>(buf, range, &mut tokens),
                _ => parser.parse::<2>(buf, range, &mut tokens),
            }
        }
        tokens
    }

    fn check<const LEAST: usize>(name: &str, data: &[u8], tuning: Tuning, step: usize) {
        let tokens = parsed::<LEAST>(Checked(data), data, tuning, step);
        assert!(unparsed(&tokens) == data, "{name} {}", data.len());
        assert!(tokens == parsed::<LEAST>(Unchecked(data), data, tuning, step));
    }

    #[test]
    fn reading_without_bounds_checks_makes_no_difference() {
        for len in (0..40).chain([255, 256, 257, 300, 4000, 100_000]) {
            for (name, data) in kinds(len) {
                for (max_chain, nice_len, lookahead) in [(1, 8, 0), (8, 30, 1), (60, 258, 2)] {
                    let tuning = Tuning { effort: Effort { max_chain, nice_len }, lookahead };
                    for step in [70_000, 1000, 7] {
                        check::<3>(name, &data, tuning, step);
                        check::<4>(name, &data, tuning, step);
                        check::<5>(name, &data, tuning, step);
                        check::<8>(name, &data, tuning, step);
                    }
                }
            }
        }
    }
}
