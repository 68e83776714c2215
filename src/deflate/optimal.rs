//! HOT PATH. The parser of the dense levels: of all ways to take a stretch of data apart, the one
//! that costs least.
//!
//! All matches of a stretch are found once, by the parser in `priced`, which also makes a first parse. Then
//! each pass takes prices from blocks of the pass before (a symbol costs what an ideal code would need
//! for it, block by block) and goes over data from their end: what is left to pay from a position on is
//! the least, over all lengths that a match there may have, of that token's price and what is left
//! to pay behind it. Of the places with a match of some length only the nearest is weighed.
//!
//! The first pass is over all of the stretch. Then `borders` finds better ends of blocks, and further passes are over one
//! block after the other, each while it gets shorter. What they come to is a local minimum: where nothing but literals
//! is used, no match is cheap. So they begin again, from prices of the longest matches, and from some that are
//! exchanged at random. Iterating prices and shortest paths, and random changes when stuck, are Zopfli's ideas;
//! going backwards over cached matches is libdeflate's.
//!
//! Why a pass is fast: the lengths from 3 to 10 are always weighed together, without a branch, with
//! dist symbols that were spread out beforehand, and with what is left to pay behind them in a vector that moves on with
//! the position (a load would have to wait for stores that it overlaps); longer ones are weighed eight at a time.
//! Prices have the length in their low bits, so that the least price says how it came about.

use std::ops::Range;

use super::block::extra_bits;
use super::borders::{self, Borders};
use super::chain::Bytes;
use super::histogram::Histogram;
use super::lanes::{LANES, Lanes, Task, run};
use super::priced::{self, Matches, SHORT_LENS};
use super::prices::{LEN_MASK, Prices};
use super::split::{self, Block, FRACTION_BITS, split_by};
use super::token::{MAX_MATCH, MIN_MATCH, Token};

/// The most passes over a block from one set of prices.
const MOST_PASSES: usize = 20;

/// Passes end where one gains less than that.
const LEAST_GAIN: u64 = 8 << FRACTION_BITS;

/// Left to pay behind the end: more than any way costs.
const BEYOND: i32 = 1 << 29;

/// What the parser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// The first parse, and the search.
    pub first: priced::Tuning,
    /// How ends of blocks are found.
    pub borders: borders::Tuning,
    /// How often blocks are made better one by one, and their ends after that.
    pub rounds: u32,
    /// From how many sets of prices that begins: those of the block, then those of the longest matches, then
    /// ones that were exchanged at random. 0: from those of the longest matches, where these alone take less.
    pub starts: u32,
    /// The most bytes that are parsed at once.
    pub stretch_len: usize,
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
    /// What a pass comes to; the best of several passes; and the best of all over a block.
    other_tokens: Vec<Token>,
    pass_tokens: Vec<Token>,
    best_tokens: Vec<Token>,
    other_blocks: Vec<Block>,
    /// The tokens of blocks that were made better.
    polished: Vec<Token>,
    borders: Borders,
}

impl Optimal {
    /// Finds the cheapest path through `data`, with the prices of blocks that begin at these offsets.
    fn shortest_path(&mut self, data: &[u8], offset: usize, blocks: &[(usize, Prices)]) {
        self.left.clear();
        self.left.resize(data.len() + 1, 0);
        self.left.resize(data.len() + MAX_MATCH + SHORT_LENS, BEYOND);
        self.choices.clear();
        self.choices.resize(data.len(), 0);
        let Optimal { matches, left, choices, .. } = self;
        run(ShortestPath { data, offset, blocks, matches, left, choices });
    }

    /// Turns the path into tokens. Of all places with a match of the length that was chosen it takes
    /// the cheapest: a farther one is cheaper where its symbol is more frequent.
    fn walk(&mut self, data: &[u8], offset: usize, blocks: &[(usize, Prices)]) {
        let Optimal { matches, choices, other_tokens: tokens, .. } = self;
        tokens.clear();
        let mut next = 0;
        let ends = blocks.iter().skip(1).map(|block| block.0).chain([data.len()]);
        for ((_, prices), end) in blocks.iter().zip(ends) {
            while next < end {
                let pos = next;
                let len = usize::from(choices[pos]);
                next = pos + len;
                if len < MIN_MATCH {
                    tokens.push(Token::literal(data[pos]));
                    continue;
                }
                let (mut dist, mut least) = (0, i32::MAX);
                for found in matches.at(offset + pos) {
                    let price = prices.dist[found.dist_symbol() & 31];
                    if found.len() >= len && price < least {
                        (dist, least) = (found.dist(), price);
                    }
                }
                tokens.push(Token::match_(len, dist));
            }
        }
    }

    /// Parses `data`, from `offset` on in the stretch, by the longest matches, unless the next position has a longer one.
    fn longest(&mut self, data: &[u8], offset: usize) {
        /// Matches of three bytes from farther away take more than literals.
        const MAX_SHORT_DIST: usize = 4096;
        let Optimal { matches, other_tokens: tokens, .. } = self;
        tokens.clear();
        let longest = |pos: usize| {
            let found = if pos < data.len() { matches.at(offset + pos).last() } else { None };
            found
                .map(|found| (found.len().min(data.len() - pos), found.dist()))
                .filter(|(len, dist)| *len > MIN_MATCH || *len == MIN_MATCH && *dist <= MAX_SHORT_DIST)
        };
        let mut pos = 0;
        while pos < data.len() {
            match longest(pos) {
                Some((len, dist)) if longest(pos + 1).is_none_or(|(next, _)| next <= len) => {
                    tokens.push(Token::match_(len, dist));
                    pos += len;
                }
                _ => {
                    tokens.push(Token::literal(data[pos]));
                    pos += 1;
                }
            }
        }
    }

    /// Makes blocks of `data` better, each by itself.
    fn polish(&mut self, tuning: Tuning, data: &[u8], tokens: &mut Vec<Token>, blocks: &mut [Block]) {
        let mut random = Random(1);
        let mut polished = std::mem::take(&mut self.polished);
        polished.clear();
        let (mut token_start, mut start) = (0, 0);
        for block in blocks {
            let before = &tokens[token_start..token_start + block.len];
            token_start += block.len;
            let data = &data[start..start + block.histogram.data_len];
            let is_better =
                !borders::is_noise(block) && self.polish_block(tuning, data, start, block, &mut random);
            polished.extend_from_slice(if is_better { &self.best_tokens } else { before });
            start += data.len();
        }
        std::mem::swap(tokens, &mut polished);
        self.polished = polished;
    }

    /// Makes the block of `data`, from `offset` on in the stretch, better: from its own prices on, and then from others,
    /// for what that comes to is a local minimum. Returns whether it is better; its tokens are the best ones, then.
    fn polish_block(
        &mut self,
        tuning: Tuning,
        data: &[u8],
        offset: usize,
        block: &mut Block,
        random: &mut Random,
    ) -> bool {
        let mut least = block.cost + extra_cost(&block.histogram);
        let mut is_better = false;
        let literals: u32 = block.histogram.litlen[..256].iter().sum();
        let starts = match tuning.starts {
            // Only where literals are most of the data, matches look too dear.
            0 if 2 * literals < data.len() as u32 => 0..0,
            0 => 1..2,
            starts => 0..starts,
        };
        for start in starts {
            let mut histogram = block.histogram.clone();
            match start {
                0 => {}
                1 => {
                    self.longest(data, offset);
                    histogram = Histogram::of(&self.other_tokens);
                    let coded = |histogram| split::coded(histogram) + extra_cost(histogram);
                    if tuning.starts == 0 && coded(&histogram) >= coded(&block.histogram) {
                        break;
                    }
                }
                _ => {
                    random.shake(&mut histogram.litlen);
                    random.shake(&mut histogram.dist);
                }
            }
            let cost = self.passes(tuning, data, offset, &mut histogram);
            let full = cost + extra_cost(&histogram);
            if full < least {
                (least, is_better) = (full, true);
                *block = Block { len: self.pass_tokens.len(), histogram, cost };
                std::mem::swap(&mut self.best_tokens, &mut self.pass_tokens);
            }
        }
        is_better
    }

    /// Passes over `data` again and again, at the prices of `histogram` and then of the pass before, while it gets shorter.
    /// Returns what the best pass costs, without extra bits.
    fn passes(&mut self, tuning: Tuning, data: &[u8], offset: usize, histogram: &mut Histogram) -> u64 {
        let (mut least, mut least_cost) = (u64::MAX, 0);
        for _ in 0..MOST_PASSES {
            let models = [(0, Prices::new(&histogram.litlen, &histogram.dist))];
            self.shortest_path(data, offset, &models);
            self.walk(data, offset, &models);
            let this = Histogram::of(&self.other_tokens);
            if least_cost > 0 && this == *histogram {
                break;
            }
            let cost = tuning.borders.cost(&this);
            let full = cost + extra_cost(&this);
            let gain = least.saturating_sub(full);
            if gain > 0 {
                (least, least_cost, *histogram) = (full, cost, this);
                std::mem::swap(&mut self.pass_tokens, &mut self.other_tokens);
            }
            if gain <= LEAST_GAIN {
                break;
            }
        }
        least_cost
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
        split_by(tuning.borders.symbol_bits(), tokens, run_len, blocks);
        let models = models(blocks);
        self.shortest_path(data, 0, &models);
        self.walk(data, 0, &models);
        split_by(tuning.borders.symbol_bits(), &self.other_tokens, run_len, &mut self.other_blocks);
        if total_cost(&self.other_blocks) < total_cost(blocks) {
            std::mem::swap(tokens, &mut self.other_tokens);
            std::mem::swap(blocks, &mut self.other_blocks);
        }
        if blocks.iter().all(borders::is_noise) {
            return end;
        }
        if tuning.starts > 0 {
            blocks.iter_mut().for_each(|block| block.cost = tuning.borders.cost(&block.histogram));
            self.borders.refine(tokens, tuning.borders, blocks);
        }
        for _ in 0..tuning.rounds {
            self.polish(tuning, data, tokens, blocks);
            self.borders.refine(tokens, tuning.borders, blocks);
        }
        end
    }
}

/// A search for the cheapest path: see [`Optimal`].
struct ShortestPath<'a> {
    data: &'a [u8],
    offset: usize,
    blocks: &'a [(usize, Prices)],
    matches: &'a Matches,
    left: &'a mut [i32],
    choices: &'a mut [u16],
}

impl Task for ShortestPath<'_> {
    type Output = ();

    #[inline(always)]
    fn go(self, lanes: impl Lanes) {
        let ShortestPath { data, offset, blocks, matches, left, choices } = self;
        let mut block_end = data.len();
        // What is left behind the shortest lengths, and behind one and two bytes.
        let mut behind_short = lanes.splat(BEYOND);
        let (mut behind, mut behind_two) = (0i32, BEYOND);
        for (start, prices) in blocks.iter().rev() {
            let short_lens = prices.len[LANES + MIN_MATCH..].first_chunk().expect("as many");
            let short_lens = lanes.load(short_lens);
            let table = lanes.table(&prices.dist);
            for pos in (*start..block_end).rev() {
                let dists = matches.dists[offset + pos];
                // All is relative to what is left behind the shortest match.
                let base = lanes.first(behind_short);
                let short = lanes.add(lanes.sub(behind_short, lanes.splat(base)), short_lens);
                let mut best = lanes.add(short, lanes.look_up(table, dists.0));
                if dists.has_long() {
                    let ahead = &left[pos + 1..];
                    let mut len = MIN_MATCH + SHORT_LENS;
                    for found in matches.at(offset + pos) {
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

/// The prices of each block, and where in the data it begins.
fn models(blocks: &[Block]) -> Vec<(usize, Prices)> {
    let mut end = 0;
    blocks
        .iter()
        .map(|Block { histogram, .. }| {
            let start = end;
            end += histogram.data_len;
            (start, Prices::new(&histogram.litlen, &histogram.dist))
        })
        .collect()
}

/// What blocks take, in the unit of their costs, with extra bits.
fn total_cost(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| block.cost + extra_cost(&block.histogram)).sum()
}

/// What extra bits take, in that unit.
fn extra_cost(histogram: &Histogram) -> u64 {
    extra_bits(histogram) << FRACTION_BITS
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

    /// What the cheapest of all parses takes that use the matches that were found from `offset` on, in any length.
    fn least_price(parser: &Optimal, prices: &Prices, data: &[u8], offset: usize) -> i64 {
        let mut left = vec![0; data.len() + 1];
        for pos in (0..data.len()).rev() {
            let mut best = left[pos + 1] + i64::from(prices.literal[usize::from(data[pos])] >> LEN_BITS);
            for found in parser.matches.at(offset + pos) {
                for len in MIN_MATCH..=found.len().min(data.len() - pos) {
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
            borders: borders::Tuning::Near(0),
            rounds: 0,
            starts: 0,
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
                split_by(3, &tokens, 1 << 20, &mut blocks);
                let mut prices = Prices::new(&blocks[0].histogram.litlen, &blocks[0].histogram.dist);
                // Nearer is cheaper, so that the nearest of a length is the best.
                prices.dist[..DIST_SYMBOLS].sort_unstable();
                let models = [(0, prices)];
                parser.shortest_path(&data, 0, &models);
                parser.walk(&data, 0, &models);
                tokens.clone_from(&parser.other_tokens);
                let least = least_price(&parser, &models[0].1, &data, 0);
                assert_eq!(i64::from(parser.left[0] >> LEN_BITS), least);
                assert_eq!(price(&models[0].1, &tokens), least);
                assert_eq!(tokens.iter().map(|token| token.data_len()).sum::<usize>(), data.len());
                // Of a part, which ends where it ends.
                let part = &data[data.len() / 3..data.len() / 2];
                parser.shortest_path(part, data.len() / 3, &models);
                let least = least_price(&parser, &models[0].1, part, data.len() / 3);
                assert_eq!(i64::from(parser.left[0] >> LEN_BITS), least);
            }
        }
    }
}
