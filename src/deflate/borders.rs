//! Where blocks end, token by token.
//!
//! `split` makes blocks of whole runs, by what it thinks that headers take. From there on [`Borders::refine`] looks for
//! better ends: neighbours become one block, the border between two moves, and blocks are cut in two. Where a border
//! is best, ideal codes say: when a token changes sides, only its symbols' shares change, so all places are looked at in one
//! go. Whether a change is made, the true lengths of codes and headers say.

use super::block::extra_bits;
use super::codes::{Coding, FIXED};
use super::histogram::Histogram;
use super::split::{self, Block, FRACTION_BITS, coded, log2};
use super::token::{Token, dist_symbol, len_symbol};

/// What is done to find better ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tuning {
    /// Borders move, so many tokens at most, to where ideal codes take least.
    Near(usize),
    /// All is done so often, by the lengths of codes that so many attempts give.
    Thorough { rounds: u32, attempts: usize },
}

/// Whether a block gains next to nothing over its data as they are: then nothing makes it shorter.
pub(super) fn is_noise(block: &Block) -> bool {
    let bits = (block.cost >> FRACTION_BITS) + extra_bits(&block.histogram);
    bits > 8 * block.histogram.data_len as u64 / 512 * 511
}

/// What a token counts as: its litlen symbol, its dist symbol or [`NO_DIST`], and the bytes it stands for, from the
/// lowest bits up.
#[derive(Clone, Copy)]
struct Symbols(u32);

const NO_DIST: usize = 31;

impl Symbols {
    fn of(token: &Token) -> Symbols {
        let (litlen, dist, len) = if token.is_literal() {
            (token.byte().into(), NO_DIST, 1)
        } else {
            (len_symbol(token.len()).0, dist_symbol(token.dist_less_1()).0, token.len())
        };
        Symbols((litlen | dist << 9 | len << 14) as u32)
    }

    #[inline(always)]
    fn litlen(self) -> usize {
        (self.0 & 0x1ff) as usize
    }

    #[inline(always)]
    fn dist(self) -> usize {
        (self.0 >> 9 & 0x1f) as usize
    }

    #[inline(always)]
    fn data_len(self) -> usize {
        (self.0 >> 14) as usize
    }
}

/// What a symbol that occurs is thought to take in a header, where a border moves.
const SYMBOL_COST: i64 = 1 << FRACTION_BITS;
/// If ideal codes for two blocks do not take so many bits less than one for both, a second header is too much.
const LEAST_HEADER: i64 = 100 << FRACTION_BITS;
/// If ideal codes take so many bits more for one block than for two, no header makes up for that.
const LARGEST_HEADER: u64 = 1200 << FRACTION_BITS;

impl Tuning {
    /// What a symbol that occurs is thought to take in a header, in bits: less than elsewhere, for here headers are short.
    /// Too many blocks are no harm where neighbours become one again.
    pub(super) fn symbol_bits(self) -> u64 {
        match self {
            Tuning::Near(_) => 3,
            Tuning::Thorough { .. } => 2,
        }
    }

    /// How often codes are tried for a block that is written.
    pub(super) fn attempts(self) -> usize {
        match self {
            Tuning::Near(_) => 3,
            Tuning::Thorough { .. } => 8,
        }
    }

    /// What a block with these symbols takes, without extra bits.
    pub(super) fn cost(self, histogram: &Histogram) -> u64 {
        match self {
            Tuning::Near(_) => split::cost_by(self.symbol_bits(), histogram),
            Tuning::Thorough { attempts, .. } => {
                let own = Coding::shortest(histogram, attempts).bit_len;
                own.min(FIXED.bit_len(histogram)) << FRACTION_BITS
            }
        }
    }
}

/// What one more among `count` things adds to their number's product with its logarithm.
#[inline(always)]
fn step(count: u32) -> i64 {
    /// 1 / ln 2 - 1.
    const SHIFT: i64 = 1813;
    if count == 0 { 0 } else { log2(2 * count + 1) as i64 + SHIFT }
}

/// The tokens on one side of a border.
#[derive(Clone)]
struct Side {
    histogram: Histogram,
    litlens: u32,
    dists: u32,
}

impl Side {
    fn new(histogram: &Histogram) -> Side {
        let (litlens, dists) = (histogram.litlen.iter().sum(), histogram.dist.iter().sum());
        Side { histogram: histogram.clone(), litlens, dists }
    }

    /// One more; returns what that costs.
    #[inline(always)]
    fn add(&mut self, symbols: Symbols) -> i64 {
        let one = |count: &mut u32, total: &mut u32| {
            let is_new = i64::from(*count == 0);
            let cost = step(*total) - step(*count) + is_new * SYMBOL_COST;
            (*count, *total) = (*count + 1, *total + 1);
            cost
        };
        self.histogram.data_len += symbols.data_len();
        let cost = one(&mut self.histogram.litlen[symbols.litlen()], &mut self.litlens);
        match self.histogram.dist.get_mut(symbols.dist()) {
            Some(count) => cost + one(count, &mut self.dists),
            None => cost,
        }
    }

    /// One less; returns what that saves.
    #[inline(always)]
    fn remove(&mut self, symbols: Symbols) -> i64 {
        let one = |count: &mut u32, total: &mut u32| {
            (*count, *total) = (*count - 1, *total - 1);
            let was_last = i64::from(*count == 0);
            step(*total) - step(*count) + was_last * SYMBOL_COST
        };
        self.histogram.data_len -= symbols.data_len();
        let cost = one(&mut self.histogram.litlen[symbols.litlen()], &mut self.litlens);
        match self.histogram.dist.get_mut(symbols.dist()) {
            Some(count) => cost + one(count, &mut self.dists),
            None => cost,
        }
    }

    fn block(self, len: usize, tuning: Tuning) -> Block {
        Block { len, cost: tuning.cost(&self.histogram), histogram: self.histogram }
    }
}

/// Moves borders.
#[derive(Default)]
pub(super) struct Borders {
    symbols: Vec<Symbols>,
}

impl Borders {
    /// Makes the ends of `blocks`, which `tokens` are cut into, better. Their costs are by `tuning`.
    pub(super) fn refine(&mut self, tokens: &[Token], tuning: Tuning, blocks: &mut Vec<Block>) {
        if blocks.iter().all(is_noise) {
            return;
        }
        self.symbols.clear();
        self.symbols.extend(tokens.iter().map(Symbols::of));
        let Tuning::Thorough { rounds, .. } = tuning else {
            return self.shift(tuning, blocks);
        };
        join(tuning, blocks);
        for _ in 0..rounds {
            self.shift(tuning, blocks);
            self.cut(tuning, blocks);
            join(tuning, blocks);
        }
    }

    /// Where among `all` two blocks, one behind the other, take least; before, `at` of them are in the first one.
    /// `None` if that is not between two of them, or is where it was.
    fn best(
        tuning: Tuning,
        all: &[Symbols],
        left: &Side,
        right: &Side,
        at: usize,
        gain: i64,
    ) -> Option<[Block; 2]> {
        let reach = if let Tuning::Near(reach) = tuning { reach } else { all.len() };
        let (mut least, mut best) = (-gain, at);
        let (mut to, mut from) = (right.clone(), left.clone());
        let mut cost = 0;
        for (i, symbols) in all[..at].iter().enumerate().rev().take(reach) {
            cost += to.add(*symbols) - from.remove(*symbols);
            if cost < least {
                (least, best) = (cost, i);
            }
        }
        (to, from) = (left.clone(), right.clone());
        cost = 0;
        for (i, symbols) in all.iter().enumerate().skip(at).take(reach) {
            cost += to.add(*symbols) - from.remove(*symbols);
            if cost < least {
                (least, best) = (cost, i + 1);
            }
        }
        if best == at || best == 0 || best == all.len() {
            return None;
        }
        let (mut left, mut right) = (left.clone(), right.clone());
        let (moved, from, to) = if best < at {
            (&all[best..at], &mut left, &mut right)
        } else {
            (&all[at..best], &mut right, &mut left)
        };
        for symbols in moved {
            from.remove(*symbols);
            to.add(*symbols);
        }
        Some([left.block(best, tuning), right.block(all.len() - best, tuning)])
    }

    /// Moves each border to where its two blocks take least.
    fn shift(&self, tuning: Tuning, blocks: &mut [Block]) {
        let mut start = 0;
        for i in 1..blocks.len() {
            let [a, b] = &mut blocks[i - 1..=i] else { unreachable!("two of them") };
            let all = &self.symbols[start..start + a.len + b.len];
            let moved =
                Borders::best(tuning, all, &Side::new(&a.histogram), &Side::new(&b.histogram), a.len, 0);
            if let Some([left, right]) = moved
                && left.cost + right.cost < a.cost + b.cost
            {
                (*a, *b) = (left, right);
            }
            start += a.len;
        }
    }

    /// Cuts blocks in two, and these again, while that is of use.
    fn cut(&self, tuning: Tuning, blocks: &mut Vec<Block>) {
        let mut left: Vec<Block> = blocks.drain(..).rev().collect();
        let (mut start, nothing) = (0, Side::new(&Histogram::default()));
        while let Some(block) = left.pop() {
            let all = &self.symbols[start..start + block.len];
            let halves =
                Borders::best(tuning, all, &Side::new(&block.histogram), &nothing, all.len(), LEAST_HEADER);
            match halves {
                Some([first, second]) if first.cost + second.cost < block.cost => {
                    left.extend([second, first])
                }
                _ => {
                    start += block.len;
                    blocks.push(block);
                }
            }
        }
    }
}

/// Joins neighbours, those first that gain most by it.
fn join(tuning: Tuning, blocks: &mut Vec<Block>) {
    let joined = |pair: &[Block]| {
        let [a, b] = pair else { unreachable!("two of them") };
        let mut histogram = a.histogram.clone();
        histogram.add(&b.histogram);
        if coded(&histogram) > coded(&a.histogram) + coded(&b.histogram) + LARGEST_HEADER {
            return None;
        }
        let cost = tuning.cost(&histogram);
        let gain = (a.cost + b.cost).checked_sub(cost)?;
        Some((gain, Block { len: a.len + b.len, cost, histogram }))
    };
    let mut pairs: Vec<_> = blocks.windows(2).map(joined).collect();
    let best = |pairs: &[Option<(u64, Block)>]| {
        let gains = pairs.iter().enumerate().filter_map(|(at, pair)| Some((pair.as_ref()?.0, at)));
        gains.max().map(|(_, at)| at)
    };
    while let Some(at) = best(&pairs) {
        let (_, block) = pairs.remove(at).expect("it was the best one");
        blocks.splice(at..at + 2, [block]);
        for first in [at.wrapping_sub(1), at] {
            if let Some(pair) = pairs.get_mut(first) {
                *pair = joined(&blocks[first..first + 2]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::split::split_by;
    use crate::deflate::tests::random;

    #[test]
    fn blocks_end_where_the_data_change() {
        let mut random = random();
        let mut tokens = Vec::new();
        for (len, first, letters) in [(5000, b'a', 20), (301, b'0', 3), (7777, b'0', 10), (2222, b'A', 26)] {
            tokens.extend((0..len).map(|_| Token::literal(first + (random() % letters) as u8)));
            tokens.extend((3..20).map(|len| Token::match_(len, 1 + random() % 30_000)));
        }
        for tuning in [Tuning::Near(256), Tuning::Thorough { rounds: 1, attempts: 2 }] {
            let mut blocks = Vec::new();
            split_by(tuning.symbol_bits(), &tokens, 256, &mut blocks);
            let before: u64 = blocks.iter().map(|block| tuning.cost(&block.histogram)).sum();
            blocks.iter_mut().for_each(|block| block.cost = tuning.cost(&block.histogram));
            Borders::default().refine(&tokens, tuning, &mut blocks);
            let mut start = 0;
            for block in &blocks {
                let these = &tokens[start..start + block.len];
                assert_eq!(block.histogram, Histogram::of(these));
                assert_eq!(block.cost, tuning.cost(&block.histogram));
                start += block.len;
            }
            assert_eq!(start, tokens.len());
            assert!(blocks.iter().map(|block| block.cost).sum::<u64>() <= before);
            let ends: Vec<usize> = blocks.iter().map(|block| block.len).collect();
            assert!(blocks[0].len.abs_diff(5017) < 40, "{ends:?}");
        }
    }

    #[test]
    fn what_is_added_and_removed_again_costs_nothing() {
        let mut random = random();
        let mut side = Side::new(&Histogram::default());
        let symbols: Vec<Symbols> = (0..3000)
            .map(|i| {
                if i % 3 == 0 {
                    Token::match_(3 + random() % 256, 1 + random() % 32_768)
                } else {
                    Token::literal(random() as u8)
                }
            })
            .map(|token| Symbols::of(&token))
            .collect();
        let costs: Vec<i64> = symbols.iter().map(|symbols| side.add(*symbols)).collect();
        let ideal = (split::coded(&side.histogram) >> FRACTION_BITS) as i64;
        let used =
            side.histogram.litlen.iter().chain(&side.histogram.dist).filter(|count| **count > 0).count()
                as i64;
        let cost = (costs.iter().sum::<i64>() >> FRACTION_BITS) - used;
        assert!(cost.abs_diff(ideal) < ideal as u64 / 200, "{cost} {ideal}");
        for (symbols, cost) in symbols.iter().zip(costs).rev() {
            assert_eq!(side.remove(*symbols), cost);
        }
        assert_eq!(side.histogram, Histogram::default());
    }
}
