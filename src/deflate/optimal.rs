//! HOT PATH. The parser of the dense levels: of all ways to take a stretch of data apart, the one
//! that costs least.
//!
//! All matches of a stretch are found once, by the parser in `priced`, which also makes a first parse. Then
//! each pass takes prices from the blocks of the pass before (a symbol costs what an ideal code would need
//! for it, block by block) and goes over the stretch from its end: what is left to pay from a position on is
//! the least, over all lengths that a match there may have, of that token's price and what is left
//! to pay behind it. Of the places with a match of some length only the nearest is weighed. Passes
//! end when there is little to gain; at the densest level they begin again, near the best, a few
//! times. Iterating prices and shortest paths, and random changes when stuck, are Zopfli's ideas; going
//! backwards over cached matches is libdeflate's.
//!
//! Why a pass is fast: the lengths from 3 to 10 are always weighed together, without a branch, with
//! dist symbols that were spread out beforehand, and with what is left to pay behind them in a vector that moves on with
//! the position (a load would have to wait for stores that it overlaps); longer ones are weighed eight at a time.
//! Prices have the length in their low bits, so that the least price says how it came about.

use std::ops::Range;

use super::chain::Bytes;
use super::histogram::Histogram;
use super::lanes::{LANES, Lanes, Task, run};
use super::priced::{self, Matches, SHORT_LENS};
use super::prices::{LEN_MASK, Prices};
use super::split::{Block, FRACTION_BITS, split};
use super::token::{MIN_MATCH, Token, dist_extra_bits, litlen_extra_bits};

/// What the parser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// The first parse, and the search.
    pub first: priced::Tuning,
    /// When to stop.
    pub passes: Passes,
    /// The most bytes that are parsed at once.
    pub stretch_len: usize,
}

/// How many passes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passes {
    /// The most of all.
    pub most: u32,
    /// A pass that gains no more than 1/2^this is the last one, or the last before a shake.
    pub gain_shift: u32,
    /// How often passes begin again, with some prices of the best so far exchanged: what passes come
    /// to is a local minimum, and near it there may be a better one.
    pub shakes: u32,
}

/// A sequence of numbers that is always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize
    }

    /// Gives some symbols, one in six, the frequency of others.
    fn shake(&mut self, counts: &mut [u32]) {
        for i in 0..counts.len() {
            if self.next().is_multiple_of(6) {
                counts[i] = counts[self.next() % counts.len()];
            }
        }
    }
}

/// A parser with its tables.
#[derive(Default)]
pub(super) struct Optimal {
    /// All matches of the stretch.
    matches: Matches,
    /// What is left to pay from each position on: shifted up by [`LEN_BITS`], without the high bits.
    left: Vec<i32>,
    /// The best length at each position; 1 for a literal.
    choices: Vec<u16>,
    /// What a pass comes to, next to the best so far.
    other_tokens: Vec<Token>,
    other_blocks: Vec<Block>,
}

impl Optimal {
    /// Finds the cheapest path through `data`, with the prices of blocks that begin at these offsets.
    fn shortest_path(&mut self, data: &[u8], blocks: &[(usize, Prices)]) {
        self.left.clear();
        self.left.resize(data.len() + MIN_MATCH + SHORT_LENS, 0);
        self.choices.clear();
        self.choices.resize(data.len(), 0);
        let Optimal { matches, left, choices, .. } = self;
        run(ShortestPath { data, blocks, matches, left, choices });
    }

    /// Turns the path into tokens. Of all places with a match of the length that was chosen it takes
    /// the cheapest: a farther one is cheaper where its symbol is more frequent.
    fn walk(&self, data: &[u8], blocks: &[(usize, Prices)], tokens: &mut Vec<Token>) {
        tokens.clear();
        let mut next = 0;
        let ends = blocks.iter().skip(1).map(|block| block.0).chain([data.len()]);
        for ((_, prices), end) in blocks.iter().zip(ends) {
            while next < end {
                let pos = next;
                let len = usize::from(self.choices[pos]);
                next = pos + len;
                if len < MIN_MATCH {
                    tokens.push(Token::literal(data[pos]));
                    continue;
                }
                let (mut dist, mut least) = (0, i32::MAX);
                for found in self.matches.at(pos) {
                    let price = prices.dist[found.dist_symbol() & 31];
                    if found.len() >= len && price < least {
                        (dist, least) = (found.dist(), price);
                    }
                }
                tokens.push(Token::match_(len, dist));
            }
        }
    }

    /// Parses a stretch from `range.start` on, and cuts it into blocks; returns where it ends. Calls
    /// follow each other from the beginning of the data to their end.
    pub(super) fn parse<const LEAST: usize, B: Bytes>(
        &mut self,
        parser: &mut priced::Parser<'_, LEAST, B>,
        range: Range<usize>,
        tuning: Tuning,
        run_len: usize,
        tokens: &mut Vec<Token>,
        blocks: &mut Vec<Block>,
    ) -> usize {
        let end = range.end.min(range.start + tuning.stretch_len);
        tokens.clear();
        self.matches.clear();
        let end = parser.parse(range.start..end, tokens, Some(&mut self.matches));
        let data = &parser.chunk.buf[range.start..end];
        split(tokens, run_len, blocks);
        let mut total = total_cost(blocks);
        let mut other_tokens = std::mem::take(&mut self.other_tokens);
        let mut other_blocks = std::mem::take(&mut self.other_blocks);
        let mut statistics = statistics(blocks);
        let mut shakes = tuning.passes.shakes;
        let mut random = Random(1);
        let mut before = u64::MAX;
        for _ in 0..tuning.passes.most {
            let models: Vec<_> = statistics
                .iter()
                .map(|(start, histogram)| (*start, Prices::new(&histogram.litlen, &histogram.dist)))
                .collect();
            self.shortest_path(data, &models);
            self.walk(data, &models, &mut other_tokens);
            split(&other_tokens, run_len, &mut other_blocks);
            let now = total_cost(&other_blocks);
            statistics = self::statistics(&other_blocks);
            let gain = before.saturating_sub(now);
            before = now;
            if now < total {
                total = now;
                std::mem::swap(tokens, &mut other_tokens);
                std::mem::swap(blocks, &mut other_blocks);
            }
            if gain <= now >> tuning.passes.gain_shift {
                if shakes == 0 {
                    break;
                }
                shakes -= 1;
                before = u64::MAX;
                statistics = self::statistics(blocks);
                for (_, histogram) in &mut statistics {
                    random.shake(&mut histogram.litlen);
                    random.shake(&mut histogram.dist);
                }
            }
        }
        self.other_tokens = other_tokens;
        self.other_blocks = other_blocks;
        end
    }
}

/// A search for the cheapest path: see [`Optimal`].
struct ShortestPath<'a> {
    data: &'a [u8],
    blocks: &'a [(usize, Prices)],
    matches: &'a Matches,
    left: &'a mut [i32],
    choices: &'a mut [u16],
}

impl Task for ShortestPath<'_> {
    type Output = ();

    #[inline(always)]
    fn go(self, lanes: impl Lanes) {
        let ShortestPath { data, blocks, matches, left, choices } = self;
        let mut block_end = data.len();
        // What is left behind the shortest lengths, and behind one and two bytes.
        let mut behind_short = lanes.splat(0);
        let (mut behind, mut behind_two) = (0i32, 0);
        for (start, prices) in blocks.iter().rev() {
            let short_lens = prices.len[LANES + MIN_MATCH..].first_chunk().expect("as many");
            let short_lens = lanes.load(short_lens);
            let table = lanes.table(&prices.dist);
            for pos in (*start..block_end).rev() {
                let dists = matches.dists[pos];
                // All is relative to what is left behind the shortest match.
                let base = lanes.first(behind_short);
                let short = lanes.add(lanes.sub(behind_short, lanes.splat(base)), short_lens);
                let mut best = lanes.add(short, lanes.look_up(table, dists.0));
                if dists.has_long() {
                    let ahead = &left[pos + 1..];
                    let mut len = MIN_MATCH + SHORT_LENS;
                    for found in matches.at(pos) {
                        let longest = found.len();
                        if longest < len {
                            continue;
                        }
                        // In whole eights: shorter ones are possible, too.
                        let first = longest + 1 - (longest + 1 - len).next_multiple_of(LANES);
                        let dist = lanes.splat(prices.dist[found.dist_symbol() & 31].wrapping_sub(base));
                        let (left, _) = ahead[first - 1..longest].as_chunks();
                        let (lens, _) = prices.len[LANES + first..=LANES + longest].as_chunks();
                        for (left, lens) in left.iter().zip(lens) {
                            let left = lanes.add(lanes.load(left), dist);
                            best = lanes.min(best, lanes.add(left, lanes.load(lens)));
                        }
                        len = longest + 1;
                    }
                }
                let literal = prices.literal[usize::from(data[pos])];
                let best = lanes.least(best).min(behind.wrapping_sub(base) + literal);
                choices[pos] = (best & LEN_MASK) as u16;
                let here = base.wrapping_add(best & !LEN_MASK);
                left[pos] = here;
                behind_short = lanes.push_front(behind_short, behind_two);
                (behind, behind_two) = (here, behind);
            }
            block_end = *start;
        }
    }
}

/// The symbols of each block, and where in the data it begins.
fn statistics(blocks: &[Block]) -> Vec<(usize, Histogram)> {
    let mut end = 0;
    blocks
        .iter()
        .map(|block| {
            let start = end;
            end += block.histogram.data_len;
            (start, block.histogram.clone())
        })
        .collect()
}

/// What blocks take, in the unit of their costs, with extra bits.
fn total_cost(blocks: &[Block]) -> u64 {
    blocks
        .iter()
        .map(|block| {
            let extra: u64 = block
                .histogram
                .litlen
                .iter()
                .enumerate()
                .map(|(symbol, count)| u64::from(*count) * u64::from(litlen_extra_bits(symbol)))
                .chain(
                    block
                        .histogram
                        .dist
                        .iter()
                        .enumerate()
                        .map(|(symbol, count)| u64::from(*count) * u64::from(dist_extra_bits(symbol))),
                )
                .sum();
            block.cost + (extra << FRACTION_BITS)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};
    use crate::deflate::chain::{Chains, Effort, Unchecked};
    use crate::deflate::priced::Priced;
    use crate::deflate::prices::LEN_BITS;
    use crate::deflate::tests::random;
    use crate::deflate::token::{DIST_SYMBOLS, dist_symbol};
    use crate::deflate::{Chunk, encode};

    /// Words of a small language.
    fn text(len: usize) -> Vec<u8> {
        let mut random = random();
        let mut text = Vec::new();
        while text.len() < len {
            let word = random() % 300;
            text.extend_from_slice(format!("{}{} ", word * word, ["and", "of", "the"][word % 3]).as_bytes());
        }
        text.truncate(len);
        text
    }

    #[test]
    fn every_kind_of_data_comes_back() {
        let mut random = random();
        let noise: Vec<u8> = (0..150_000).map(|_| random() as u8).collect();
        let mut samples = vec![
            noise.clone(),
            [&noise[..40_000], &noise[..40_000], &noise[..40_000], &noise[..20_000]].concat(),
            (0..700_000).map(|_| b'a' + (random() % 2) as u8).collect(),
            (0..400_000u32).flat_map(|i| (i / 4).to_be_bytes()).take(600_000).collect(),
            text(700_000),
        ];
        samples.extend((0..=300).map(|len| text(300)[300 - len..].to_vec()));
        samples.extend((0..=300).step_by(7).map(|len| noise[..len].to_vec()));
        samples.extend([0, 1, 2, 3, 255, 256, 257, 258, 259, 1_000_000].map(|len| vec![0; len]));
        for period in [2, 3, 5, 100, 257, 258, 259, 32_766, 32_767, 32_768, 32_769] {
            samples.push(noise[..period].iter().copied().cycle().take(140_000).collect());
        }
        for data in samples {
            for level in 9..=12 {
                let mut packed = Vec::new();
                let chunk = Chunk { buf: &data, data: 0..data.len(), cuts: &[], is_last: true };
                encode(crate::deflate::Tuning::level(level), &chunk, &mut packed);
                let mut out = vec![1; data.len()];
                let done = Inflated::Done { consumed: packed.len(), produced: data.len() };
                assert_eq!(inflate(&packed, &mut out), done, "{} bytes at level {level}", data.len());
                assert!(out == data, "{} bytes at level {level}", data.len());
            }
        }
    }

    const FIRST: priced::Tuning = priced::Tuning {
        effort: Effort { max_chain: 200, nice_len: 258 },
        margin: priced::NO_MARGIN,
        long_margin: priced::NO_MARGIN,
        is_thorough: true,
    };

    fn price(prices: &Prices, tokens: &[Token]) -> i64 {
        let price = |token: &Token| {
            if token.is_literal() {
                return i64::from(prices.literal[usize::from(token.byte())] >> LEN_BITS);
            }
            let dist = dist_symbol(token.dist_less_1()).0;
            i64::from(prices.len[LANES + token.len()] >> LEN_BITS) + i64::from(prices.dist[dist] >> LEN_BITS)
        };
        tokens.iter().map(price).sum()
    }

    /// What the cheapest of all parses takes that use the matches that were found, in any length.
    fn least_price(parser: &Optimal, prices: &Prices, data: &[u8]) -> i64 {
        let mut left = vec![0; data.len() + 1];
        for pos in (0..data.len()).rev() {
            let mut best = left[pos + 1] + i64::from(prices.literal[usize::from(data[pos])] >> LEN_BITS);
            for found in parser.matches.at(pos) {
                for len in MIN_MATCH..=found.len() {
                    let token = Token::match_(len, found.dist());
                    best = best.min(left[pos + len] + price(prices, &[token]));
                }
            }
            left[pos] = best;
        }
        left[0]
    }

    #[test]
    fn the_path_is_the_cheapest_of_all_and_costs_what_its_tokens_cost() {
        let mut random = random();
        let mut samples = vec![text(3000), text(200), vec![7; 700], b"ab".repeat(300)];
        for letters in [2, 3, 20] {
            samples.push((0..3000).map(|_| b'a' + (random() % letters) as u8).collect());
        }
        let tuning = Tuning {
            first: FIRST,
            passes: Passes { most: 1, gain_shift: 10, shakes: 0 },
            stretch_len: 1 << 19,
        };
        for data in samples {
            let (mut state, mut chains) = (Priced::default(), Chains::default());
            let all = 0..data.len();
            let chunk = Chunk::whole(&data);
            let mut first =
                priced::Parser::<3, _>::new(&mut state, &mut chains, &chunk, Unchecked(&data), FIRST);
            let mut parser = Optimal::default();
            let (mut tokens, mut blocks) = (Vec::new(), Vec::new());
            let end = parser.parse(&mut first, all, tuning, 1 << 20, &mut tokens, &mut blocks);
            assert_eq!(end, data.len());
            for _ in 0..3 {
                split(&tokens, 1 << 20, &mut blocks);
                let mut prices = Prices::new(&blocks[0].histogram.litlen, &blocks[0].histogram.dist);
                // Nearer is cheaper, so that the nearest of a length is the best.
                prices.dist[..DIST_SYMBOLS].sort_unstable();
                let models = [(0, prices)];
                parser.shortest_path(&data, &models);
                parser.walk(&data, &models, &mut tokens);
                let least = least_price(&parser, &models[0].1, &data);
                assert_eq!(i64::from(parser.left[0] >> LEN_BITS), least);
                assert_eq!(price(&models[0].1, &tokens), least);
                assert_eq!(tokens.iter().map(|token| token.data_len()).sum::<usize>(), data.len());
            }
        }
    }
}
