//! HOT PATH. The parser of the middle levels: takes the longest match, unless the next position or
//! the one after it has a better one (lazy matching).

use std::hint::select_unpredictable as select;
use std::ops::Range;

use super::chain::{Bytes, Chains, Effort, Finder, Match, Taste};
use super::histogram::{Histogram, kinds};
use super::lanes::LANES;
use super::prices::{LEN_BITS, PRICE_BITS, Prices};
use super::split::Block;
use super::token::{END_OF_BLOCK, MIN_MATCH, Token, WINDOW_LEN, dist_extra_bits, dist_symbol};

/// What the parser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// The first search at a position.
    pub(super) effort: Effort,
    /// How many positions behind a match are searched for a better one: 1 or 2; 0 where that is seldom of use.
    pub(super) lookahead: usize,
}

/// The farthest dist at which a match of three bytes is taken as long as nothing is known: beyond it, three literals tend to
/// be shorter.
const MAX_SHORT_DIST: usize = 4096;

/// Better matches behind others are frequent if they are more than one for so many matches.
const BETTER_FOR_FREQUENT: usize = 6;

/// A parser in the middle of a chunk.
pub(super) struct Parser<'a, const LEAST: usize, B> {
    finder: Finder<'a, LEAST, B>,
    tuning: Tuning,
    /// Whether better matches were frequent behind others when that was looked for last, or it never was.
    is_ahead_better: bool,
}

impl<'a, const LEAST: usize, B: Bytes> Parser<'a, LEAST, B> {
    /// A parser of `buf`, which takes matches of `LEAST` (3 to 8) bytes and more.
    pub(super) fn new(chains: &'a mut Chains, buf: B, tuning: Tuning) -> Self {
        // Where few different bytes occur, more places are in a chain.
        let more = if LEAST > MIN_MATCH + 1 { 2 } else { 0 };
        let effort = Effort { max_chain: tuning.effort.max_chain + more, ..tuning.effort };
        let tuning = Tuning { effort, ..tuning };
        Parser { finder: chains.begin(buf), tuning, is_ahead_better: true }
    }

    /// Appends the tokens of `range` of `buf` to `tokens`. Ranges follow each other; what is before the first one is
    /// the window. `before` is what became of the range before.
    pub(super) fn parse(
        &mut self,
        buf: &[u8],
        range: Range<usize>,
        before: &[Block],
        tokens: &mut Vec<Token>,
    ) {
        let Tuning { effort, lookahead } = self.tuning;
        // Who looks at two positions for each match sees half as far at each.
        let half = Effort { max_chain: effort.max_chain.div_ceil(2), ..effort };
        self.is_ahead_better = match lookahead {
            0 if self.is_ahead_better => self.parse_by::<1>(buf, range, half, before, tokens),
            0 => self.parse_by::<0>(buf, range, effort, before, tokens),
            1 => self.parse_by::<1>(buf, range, effort, before, tokens),
            _ => self.parse_by::<2>(buf, range, effort, before, tokens),
        };
    }

    /// As [`Parser::parse`], by so much effort and with so many positions searched behind a match. Returns whether better
    /// ones were frequent there.
    #[inline(never)]
    fn parse_by<const LOOKAHEAD: usize>(
        &mut self,
        buf: &[u8],
        range: Range<usize>,
        effort: Effort,
        before: &[Block],
        tokens: &mut Vec<Token>,
    ) -> bool {
        // In text it pays where searches take their time.
        let is_thrifty = LEAST == MIN_MATCH || !effort.is_short();
        let thrift = if is_thrifty { Thrift::<LEAST>::new(before) } else { None };
        let taste = Taste {
            // In text; records repeat from afar.
            weighs_dists: !effort.is_short() && LEAST == MIN_MATCH + 1,
            max_short_dist: if thrift.is_some() { WINDOW_LEN } else { MAX_SHORT_DIST },
        };
        let min_len = min_len(&buf[range.clone()]).max(LEAST);
        let (mut matches, mut better) = (0, 0);
        let Range { start: mut pos, end } = range;
        let mut out = Output { buf, tokens, is_open: false };
        while pos < end {
            let mut best = self.finder.find(pos, end, min_len - 1, effort, taste);
            if best.len == 0 || thrift.as_ref().is_some_and(|thrift| !thrift.pays(buf, pos, best)) {
                out.push_literal(pos);
                pos += 1;
                if LEAST == MIN_MATCH {
                    // Where one literal is there are more.
                    let next = self.finder.pass_over(pos, end, effort, taste);
                    out.push_literals(pos..next);
                    pos = next;
                }
                continue;
            }
            let mut ahead = 1;
            while best.len < effort.nice_len && ahead <= LOOKAHEAD {
                let next = Effort { max_chain: effort.max_chain >> ahead, ..effort };
                let found = self.finder.find(pos + ahead, end, best.len - 1, next, taste);
                // The farther ahead, the more literals it has to make up for.
                let is_better = found.len > 0 && found.worth() - best.worth() > 4 * ahead as i32 - 2;
                if is_better {
                    (pos..pos + ahead).for_each(|pos| out.push_literal(pos));
                    (best, pos, ahead) = (found, pos + ahead, 1);
                    better += 1;
                } else {
                    ahead += 1;
                }
            }
            out.push_match(best);
            pos += best.len;
            matches += 1;
        }
        BETTER_FOR_FREQUENT * better > matches
    }
}

/// Tokens that are appended to, of `buf`.
struct Output<'a> {
    buf: &'a [u8],
    tokens: &'a mut Vec<Token>,
    /// Whether the last token is one literal, which takes another one.
    is_open: bool,
}

impl Output<'_> {
    #[inline(always)]
    fn push_literal(&mut self, pos: usize) {
        let byte = self.buf[pos];
        let before = self.buf[pos - usize::from(self.is_open)];
        let both = Token::literals(u16::from_le_bytes([before, byte]));
        self.tokens.truncate(self.tokens.len() - usize::from(self.is_open));
        self.tokens.push(select(self.is_open, both, Token::literal(byte)));
        self.is_open = !self.is_open;
    }

    #[inline(always)]
    fn push_literals(&mut self, mut range: Range<usize>) {
        if self.is_open
            && let Some(pos) = range.next()
        {
            self.push_literal(pos);
        }
        let (pairs, last) = self.buf[range.clone()].as_chunks();
        self.tokens.extend(pairs.iter().map(|pair| Token::literals(u16::from_le_bytes(*pair))));
        if !last.is_empty() {
            self.push_literal(range.end - 1);
        }
    }

    #[inline(always)]
    fn push_match(&mut self, found: Match) {
        self.tokens.push(Token::match_(found.len, found.dist));
        self.is_open = false;
    }
}

/// What matches of `LEAST` bytes and their literals are expected to cost, from tokens before.
struct Thrift<const LEAST: usize> {
    prices: Prices,
    /// Of the length.
    len: i32,
}

impl<const LEAST: usize> Thrift<LEAST> {
    /// A bit, as prices have it.
    const BIT: i32 = 1 << (PRICE_BITS + LEN_BITS);
    /// Fewer tokens say little.
    const LEAST_TOKENS: u32 = 512;
    /// Symbols that are rare because they were thought dear would stay so: these are the most bits of a length
    /// and of a dist, without its extra bits.
    const MAX_LEN_BITS: i32 = 5;
    const MAX_DIST_BITS: i32 = 4;
    /// A short match may be in the way of a long one: so many bits where all data are matches.
    const MARGIN: i32 = 3;

    /// From blocks before, if there is enough in them.
    fn new(blocks: &[Block]) -> Option<Self> {
        let mut histogram = Histogram::default();
        blocks.iter().for_each(|block| histogram.add(&block.histogram));
        let Histogram { litlen, dist, data_len } = histogram;
        let literals: u32 = litlen[..END_OF_BLOCK].iter().sum();
        let matches: u32 = dist.iter().sum();
        if literals + matches < Self::LEAST_TOKENS {
            return None;
        }
        let mut prices = Prices::new(&litlen, &dist);
        for (symbol, price) in prices.dist.iter_mut().enumerate() {
            *price = (*price).min((Self::MAX_DIST_BITS + dist_extra_bits(symbol) as i32) * Self::BIT);
        }
        let matched = 1.0 - literals as f32 / data_len as f32;
        let len = prices.len[LANES + LEAST].min(Self::MAX_LEN_BITS * Self::BIT);
        Some(Thrift { prices, len: len + (matched * (Self::MARGIN * Self::BIT) as f32) as i32 })
    }

    /// Whether `found` at `pos` is expected to cost less than literals; longer matches always do.
    #[inline(always)]
    fn pays(&self, buf: &[u8], pos: usize, found: Match) -> bool {
        let Some(bytes) = buf[pos..].first_chunk::<LEAST>().filter(|_| found.len == LEAST) else {
            return true;
        };
        let literals: i32 = bytes.iter().map(|byte| self.prices.literal[usize::from(*byte)]).sum();
        literals > self.len + self.prices.dist[dist_symbol(found.dist - 1).0]
    }
}

/// The shortest match that pays in such data: where few different bytes occur, literals are short.
pub(super) fn min_len(data: &[u8]) -> usize {
    match kinds(data, 128) {
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
    use crate::deflate::split::split;
    use crate::deflate::tests::{kinds, unparsed};

    fn parsed<const LEAST: usize>(data: impl Bytes, buf: &[u8], tuning: Tuning, step: usize) -> Vec<Token> {
        let mut chains = Chains::default();
        let mut parser = Parser::<LEAST, _>::new(&mut chains, data, tuning);
        let (mut tokens, mut start, mut before, mut blocks) = (Vec::new(), 0, 0, Vec::new());
        while start < buf.len() {
            let range = start..buf.len().min(start + step);
            start = range.end;
            split(&tokens[before..], 1 << 20, &mut blocks);
            before = tokens.len();
            parser.parse(buf, range, &blocks, &mut tokens);
        }
        tokens
    }

    fn check<const LEAST: usize>(name: &str, data: &[u8], tuning: Tuning, step: usize) {
        let tokens = parsed::<LEAST>(Checked(data), data, tuning, step);
        assert!(unparsed(&tokens) == data, "{name} {}", data.len());
        assert!(tokens == parsed::<LEAST>(Unchecked(data), data, tuning, step));
    }

    #[test]
    fn short_matches_pay_by_what_came_before() {
        let blocks = |tokens: &[Token]| {
            let mut blocks = Vec::new();
            split(tokens, 1 << 20, &mut blocks);
            blocks
        };
        let digits: Vec<Token> = (0..5000).map(|i| Token::literal(b'0' + (i * i % 7) as u8)).collect();
        assert!(Thrift::<5>::new(&blocks(&digits[..100])).is_none());
        let thrift = Thrift::<5>::new(&blocks(&digits)).expect("enough tokens");
        let pays = |buf: &[u8], len, dist| thrift.pays(buf, 0, Match { len, dist });
        // Five literals take some 14 bits, a match from afar 19 and more.
        assert!(!pays(b"0142100000", 5, 20_000) && pays(b"0142100000", 6, 20_000));
        assert!(pays(b"0142100000", 5, 4));
        // Others never occurred.
        assert!(pays(b"other", 5, 20_000));
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
