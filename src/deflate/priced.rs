//! HOT PATH. The parser of the levels where size counts more than speed: the cheapest way through the data
//! that can be found in one go, at the prices of what came before.
//!
//! Positions are visited in order. How cheaply each can be reached is known when it is visited; a literal
//! leads from there to the next one, and matches to all the places where they may end. A symbol costs what an
//! ideal code for the last ten thousand bytes or so would need for it. Where the next position is reached for
//! not much more than this one, nothing is searched for: hardly any way leads through here. zstd's optimal
//! parser goes forward like this and passes over such positions, too.
//!
//! Prices have the length in their low bits, so that the least of several says how it came about, and the
//! prices of eight lengths are compared at a time, without a branch. The costs that lengths from 3 to 10 lead to are in a
//! vector that moves on with the position: in memory, each load would have to wait for stores that it overlaps.

use std::ops::Range;

use super::Chunk;
use super::chain::{Bytes, Chains, Effort, Finder, Found, MAX_FOUND, Match};
use super::histogram::Histogram;
use super::lanes::{LANES, Lanes, Task, run};
use super::lazy;
use super::prices::{LEN_BITS, LEN_MASK, NEVER, NO_DIST, PRICE_BITS, Prices};
use super::token::{DIST_SYMBOLS, FIRST_LEN_SYMBOL, LITLEN_SYMBOLS, MAX_MATCH, MIN_MATCH, Token, len_symbol};

/// What the parser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// The search at each position. A match of the nice length is taken without looking at the
    /// positions in it.
    pub(super) effort: Effort,
    /// A position is passed over if the next one costs no more than this beyond it, in eighths of a bit.
    pub(super) margin: i32,
    /// The same inside a match that goes on for [`LONG_LEN`] bytes or more.
    pub(super) long_margin: i32,
    /// Whether of all lengths the nearest places are searched for, even if a match of the position before
    /// goes on here, with chains of more bytes, too.
    pub(super) is_thorough: bool,
}

/// Inside so long a match hardly any way leads through a position, and a search there takes longest: what is
/// behind it is there many times.
const LONG_LEN: usize = 20;

/// A margin with which no position is passed over.
pub(super) const NO_MARGIN: i32 = -1000;

/// Data are parsed in sections of this length: what is needed for one stays in the cache, and no price, at 16
/// bits for a byte, comes near to [`NEVER`].
const SECTION_LEN: usize = 2048;
/// So many positions at the end of a section are the first ones of the next, too: the cheapest way to its end
/// need not be the way that leads farther.
const OVERLAP: usize = 128;
/// The most matches in a section, which ends early where there are more.
const SECTION_MATCHES: usize = 4 * SECTION_LEN;
/// The most matches that are handed on, but for those of a section.
const MAX_MATCHES: usize = 2 << 20;

/// After so many bytes prices are made anew; sooner for the first time, as all begins with a guess.
const LEARN_LEN: usize = 4096;
const FIRST_LEARN_LEN: usize = 1024;

/// Lengths that are looked at together: from [`MIN_MATCH`] on.
pub(super) const SHORT_LENS: usize = LANES;

/// The dist symbols of the nearest matches of each of the shortest lengths, a byte for each; and whether there
/// are longer ones, in the top bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShortDists(pub(super) u64);

impl ShortDists {
    /// No match has any of these lengths.
    const NONE: ShortDists = ShortDists(0x0101_0101_0101_0101 * NO_DIST as u64);

    #[inline(always)]
    fn of(matches: &[Found]) -> ShortDists {
        let (mut dists, mut len) = (0, MIN_MATCH - 1);
        for found in matches {
            let at = 8 * (len + 1 - MIN_MATCH);
            dists = dists & ((1 << at) - 1) | (found.dist_symbol() as u64 * 0x0101_0101_0101_0101) << at;
            len = found.len();
            if len >= MIN_MATCH - 1 + SHORT_LENS {
                let has_long = matches[matches.len() - 1].len() >= MIN_MATCH + SHORT_LENS;
                return ShortDists(dists | u64::from(has_long) << 63);
            }
        }
        let at = 8 * (len + 1 - MIN_MATCH);
        ShortDists(dists & ((1 << at) - 1) | ShortDists::NONE.0 << at)
    }

    /// Whether there are longer ones.
    #[inline(always)]
    pub(super) fn has_long(self) -> bool {
        self.0 >> 63 != 0
    }
}

/// The matches at each of some positions in a row.
pub(super) struct Matches {
    /// Position by position, longer ones later.
    pub(super) all: Vec<Found>,
    /// Where those of each position begin, and where those of the last one end.
    pub(super) starts: Vec<u32>,
    /// What is known of the shortest ones.
    pub(super) dists: Vec<ShortDists>,
}

impl Default for Matches {
    fn default() -> Matches {
        Matches { all: Vec::new(), starts: vec![0], dists: Vec::new() }
    }
}

impl Matches {
    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.starts.truncate(1);
        self.dists.clear();
    }

    /// Those at `pos`.
    #[inline(always)]
    pub(super) fn at(&self, pos: usize) -> &[Found] {
        &self.all[self.starts[pos] as usize..self.starts[pos + 1] as usize]
    }

    /// Makes all matches end where the positions do.
    fn clip(&mut self) {
        let positions = self.starts.len() - 1;
        let first = positions.saturating_sub(MAX_MATCH);
        let begin = self.starts[first] as usize;
        let (ends, tail) = (self.starts.split_off(first + 1), self.all.split_off(begin));
        let mut from = 0;
        for (pos, end) in (first..positions).zip(ends) {
            let (to, mut before) = (end as usize - begin, MIN_MATCH - 1);
            for found in &tail[from..to] {
                let len = found.len().min(positions - pos);
                if len > before {
                    self.all.push(Found::new(len, found.dist()));
                    before = len;
                }
            }
            self.starts.push(self.all.len() as u32);
            self.dists[pos] = ShortDists::of(self.at(pos));
            from = to;
        }
    }
}

/// A parser with what it learnt.
pub(super) struct Priced {
    prices: Prices,
    litlens: [u32; LITLEN_SYMBOLS],
    dists: [u32; DIST_SYMBOLS],
    /// From the section's start on: what the cheapest way to a position costs, and the length of its last step.
    ways: Box<[i32; SECTION_LEN + 1]>,
    /// The same of ways that end with a match which is not short.
    costs: Box<[i32; SECTION_LEN + MAX_MATCH + LANES]>,
    /// The matches at each position of the section, longer ones later, and where they begin.
    matches: Box<[Found; SECTION_MATCHES]>,
    starts: Box<[u32; SECTION_LEN + 1]>,
    short_dists: Box<[ShortDists; SECTION_LEN]>,
    /// How many positions at the beginning have their matches from the section before.
    searched: usize,
    /// The tokens of the section's cheapest way, the last one first.
    way: Vec<Token>,
}

impl Default for Priced {
    fn default() -> Priced {
        let (litlens, dists) = ([0; LITLEN_SYMBOLS], [0; DIST_SYMBOLS]);
        Priced {
            prices: Prices::new(&litlens, &dists),
            litlens,
            dists,
            ways: boxed(0),
            costs: boxed(0),
            matches: boxed(Found::default()),
            starts: boxed(0),
            short_dists: boxed(ShortDists::NONE),
            searched: 0,
            way: Vec::new(),
        }
    }
}

/// An array that never was on the stack.
fn boxed<T: Clone, const N: usize>(value: T) -> Box<[T; N]> {
    let boxed = vec![value; N].into_boxed_slice();
    boxed.try_into().unwrap_or_else(|_| unreachable!("the array's length"))
}

/// What is thought of lengths before any was seen: so often they are, beside [`GUESSED_LITERALS`] literals.
const GUESSED_LENS: [u32; LITLEN_SYMBOLS - FIRST_LEN_SYMBOL] =
    [40, 40, 30, 25, 20, 16, 14, 12, 20, 14, 10, 8, 10, 6, 5, 4, 5, 4, 3, 2, 3, 2, 2, 2, 2, 2, 2, 2, 2];
const GUESSED_LITERALS: u32 = 512;

impl Priced {
    /// Forgets all, and makes a guess about `data`.
    pub(super) fn begin(&mut self, data: &[u8]) {
        self.litlens = [0; LITLEN_SYMBOLS];
        let sample = &data[..data.len().min(8 << 10)];
        for byte in sample {
            self.litlens[usize::from(*byte)] = 1;
        }
        // All that occur are thought to be as frequent as each other. Where a few are by far the most
        // frequent, that favours matches, and rightly: those are what makes them frequent.
        let used: u32 = self.litlens.iter().sum();
        for count in &mut self.litlens {
            *count *= GUESSED_LITERALS / used.max(1);
        }
        self.litlens[FIRST_LEN_SYMBOL..].copy_from_slice(&GUESSED_LENS);
        // Where few different bytes occur, literals are short.
        for len in MIN_MATCH..lazy::min_len(data) {
            self.litlens[len_symbol(len).0] = 0;
        }
        // Far ones are more frequent.
        self.dists = std::array::from_fn(|symbol| symbol as u32 + 3);
        self.prices = Prices::new(&self.litlens, &self.dists);
        self.searched = 0;
    }

    /// Learns from what was just made of some data; what is older counts less and less.
    fn learn(&mut self, tokens: &[Token]) {
        let new = Histogram::of(tokens);
        let old = self.litlens.iter_mut().chain(&mut self.dists);
        for (count, new) in old.zip(new.litlen.iter().chain(&new.dist)) {
            *count = *count - *count / 4 + 2 * new;
        }
        self.prices = Prices::new(&self.litlens, &self.dists);
    }

    /// Appends the tokens of a section at the start of a range. Returns its length.
    #[inline(never)]
    fn parse_section<const LEAST: usize, B: Bytes>(
        &mut self,
        finder: &mut Finder<'_, LEAST, B>,
        tuning: Tuning,
        buf: &[u8],
        range: Range<usize>,
        tokens: &mut Vec<Token>,
        found: Option<&mut Matches>,
    ) -> usize {
        let data = &buf[range.start..range.end.min(range.start + SECTION_LEN)];
        let Visited { visited, known } =
            run(Visit { priced: self, finder, tuning, data, range: range.clone() });
        let is_nice = known.len >= tuning.effort.nice_len;
        let Priced { ways, matches, starts, short_dists, searched, way, .. } = self;
        // Where the cheapest way to a position comes from.
        let before = |pos: usize| pos - (ways[pos] & LEN_MASK) as usize;
        let mut end = visited - usize::from(is_nice);
        // Where it leads at last is known only if it ends here.
        let is_open = !is_nice && range.start + end < range.end;
        if is_open && visited > OVERLAP + MAX_MATCH {
            while end > visited - OVERLAP {
                end = before(end);
            }
        }
        way.clear();
        let mut pos = end;
        while pos > 0 {
            let len = pos - before(pos);
            pos = before(pos);
            let matches = &matches[starts[pos] as usize..starts[pos + 1] as usize];
            way.push(match matches.iter().find(|found| found.len() >= len) {
                Some(found) if len >= MIN_MATCH => Token::match_(len, found.dist()),
                _ => Token::literal(data[pos]),
            });
        }
        tokens.extend(way.iter().rev());
        if is_nice {
            tokens.push(Token::match_(known.len, known.dist));
            end += known.len;
        }
        let searched_len = visited.max(*searched);
        if let Some(found) = found {
            let before = found.all.len() as u32;
            let count = starts[searched_len.min(end)];
            found.all.extend_from_slice(&matches[..count as usize]);
            found.starts.extend(starts[1..=searched_len.min(end)].iter().map(|start| before + start));
            found.dists.extend_from_slice(&short_dists[..searched_len.min(end)]);
            found.dists.resize(found.dists.len() + end.saturating_sub(searched_len), ShortDists::NONE);
            found.starts.resize(found.starts.len() + end.saturating_sub(searched_len), before + count);
        }
        // What is searched for is not searched for again.
        *searched = searched_len.saturating_sub(end);
        if *searched > 0 {
            let first = starts[end];
            matches.copy_within(first as usize..starts[searched_len] as usize, 0);
            starts.copy_within(end..=searched_len, 0);
            short_dists.copy_within(end..searched_len, 0);
            starts[..=*searched].iter_mut().for_each(|start| *start -= first);
        }
        end
    }
}

/// The way forward through a section.
struct Visit<'a, 'b, const LEAST: usize, B> {
    priced: &'a mut Priced,
    finder: &'a mut Finder<'b, LEAST, B>,
    tuning: Tuning,
    /// The section.
    data: &'a [u8],
    /// From its start to where all ends.
    range: Range<usize>,
}

/// What comes of it.
struct Visited {
    /// How many positions were visited.
    visited: usize,
    /// The longest match of the last one.
    known: Match,
}

impl<const LEAST: usize, B: Bytes> Task for Visit<'_, '_, LEAST, B> {
    type Output = Visited;

    #[inline(always)]
    fn go(self, lanes: impl Lanes) -> Visited {
        let Visit { priced, finder, tuning, data, range } = self;
        let Tuning { effort, margin, long_margin, is_thorough } = tuning;
        let [margin, long_margin] = [margin, long_margin].map(|margin| margin << (PRICE_BITS + LEN_BITS - 3));
        let Priced { prices, ways, costs, matches, starts, short_dists, searched, .. } = priced;
        costs[..data.len() + MAX_MATCH + 1].fill(NEVER);
        let short_lens = lanes.load(prices.len[LANES + MIN_MATCH..].first_chunk().expect("as many"));
        let dist_prices = lanes.table(&prices.dist);
        // What it costs to come to the next positions by a match: to one, two, and those where short ones end.
        let (mut next, mut second, mut short) = (NEVER, NEVER, lanes.splat(NEVER));
        // The longest match of the position before, as far as it reaches beyond this one.
        let mut known = Match::default();
        let mut visited = 0;
        ways[0] = 0;
        for (pos, byte) in data.iter().enumerate() {
            let here = ways[pos] & !LEN_MASK;
            ways[pos + 1] = next.min(here + prices.literal[usize::from(*byte)]);
            known.len = known.len.saturating_sub(1);
            visited = pos + 1;
            let start = starts[pos] as usize;
            let is_new = pos >= *searched;
            if is_new {
                starts[pos + 1] = start as u32;
                short_dists[pos] = ShortDists::NONE;
            }
            if !is_new || next - here > if known.len >= LONG_LEN { long_margin } else { margin } {
                if is_new {
                    let room = (&mut matches[start..start + MAX_FOUND]).try_into().expect("as many");
                    let count = if is_thorough {
                        finder.find_thoroughly(range.start + pos, range.end, effort, room)
                    } else {
                        finder.find_all(range.start + pos, range.end, known, effort, room)
                    };
                    starts[pos + 1] = (start + count) as u32;
                    short_dists[pos] = ShortDists::of(&matches[start..start + count]);
                }
                let matches = &matches[start..starts[pos + 1] as usize];
                let dists = short_dists[pos];
                let there = lanes.add(lanes.splat(here), short_lens);
                short = lanes.min(short, lanes.add(there, lanes.look_up(dist_prices, dists.0)));
                if dists.has_long() {
                    let costs: &mut [i32; MAX_MATCH + LANES] =
                        (&mut costs[pos..pos + MAX_MATCH + LANES]).try_into().expect("as many");
                    let mut len_before = MIN_MATCH + SHORT_LENS - 1;
                    for found in matches {
                        if found.len() <= len_before {
                            continue;
                        }
                        let base = lanes.splat(here + prices.dist[found.dist_symbol() % 32]);
                        // In whole eights up to the length: shorter ones are possible, too.
                        let mut first = found.len() + 1;
                        loop {
                            first -= LANES;
                            let costs = costs[first..].first_chunk_mut().expect("as many");
                            let lens =
                                lanes.load(prices.len[LANES + first..].first_chunk().expect("as many"));
                            lanes.store(lanes.min(lanes.load(costs), lanes.add(base, lens)), costs);
                            if first <= len_before + 1 {
                                break;
                            }
                        }
                        len_before = found.len();
                    }
                }
                known = match matches.last() {
                    Some(found) => Match { len: found.len(), dist: found.dist() },
                    None => Match::default(),
                };
                if known.len >= effort.nice_len || starts[pos + 1] as usize > SECTION_MATCHES - MAX_FOUND {
                    break;
                }
            }
            (next, second) = (second, lanes.first(short));
            short = lanes.push_back(short, costs[pos + MIN_MATCH + SHORT_LENS]);
        }
        Visited { visited, known }
    }
}

/// A parser in the middle of a chunk.
pub(super) struct Parser<'a, const LEAST: usize, B> {
    priced: &'a mut Priced,
    finder: Finder<'a, LEAST, B>,
    pub(super) chunk: &'a Chunk<'a>,
    tuning: Tuning,
}

impl<'a, const LEAST: usize, B: Bytes> Parser<'a, LEAST, B> {
    /// A parser of `chunk`, whose buffer is read as `bytes`.
    pub(super) fn new(
        priced: &'a mut Priced,
        chains: &'a mut Chains,
        chunk: &'a Chunk<'a>,
        bytes: B,
        tuning: Tuning,
    ) -> Self {
        priced.begin(&chunk.buf[chunk.data.clone()]);
        let finder = if tuning.is_thorough { chains.begin_thorough(bytes) } else { chains.begin(bytes) };
        Parser { priced, finder, chunk, tuning }
    }

    /// Appends the tokens of `range` to `tokens`, and all matches that were found to `found`, if that is
    /// asked for. Ranges follow each other; what is before the first one is the window.
    ///
    /// Returns where the tokens end: before the end of the range if there are too many matches.
    pub(super) fn parse(
        &mut self,
        range: Range<usize>,
        tokens: &mut Vec<Token>,
        mut found: Option<&mut Matches>,
    ) -> usize {
        let Parser { priced, finder, chunk, tuning } = self;
        let Range { mut start, end } = range;
        // What is behind a cut must not depend on what was before it.
        if chunk.cuts.binary_search(&(start - chunk.data.start)).is_ok() {
            priced.begin(&chunk.buf[range]);
        }
        let (mut learnt, mut learn_at) = (tokens.len(), start + FIRST_LEARN_LEN);
        while start < end {
            start +=
                priced.parse_section(finder, *tuning, chunk.buf, start..end, tokens, found.as_deref_mut());
            if start >= learn_at {
                priced.learn(&tokens[learnt..]);
                (learnt, learn_at) = (tokens.len(), start + LEARN_LEN);
            }
            if let Some(found) = &mut found
                && found.all.len() >= MAX_MATCHES
            {
                found.clip();
                break;
            }
        }
        priced.learn(&tokens[learnt..]);
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::chain::Unchecked;
    use crate::deflate::chain::tests::Checked;
    use crate::deflate::tests::{kinds, random, unparsed};

    /// The tokens of `buf`, and where they end: it is parsed in ranges of `step` bytes.
    fn parsed<const LEAST: usize>(
        bytes: impl Bytes,
        buf: &[u8],
        tuning: Tuning,
        step: usize,
        mut found: Option<&mut Matches>,
    ) -> Vec<Token> {
        let (mut priced, mut chains) = (Priced::default(), Chains::default());
        let chunk = Chunk::whole(buf);
        let mut parser = Parser::<LEAST, _>::new(&mut priced, &mut chains, &chunk, bytes, tuning);
        let (mut tokens, mut start) = (Vec::new(), 0);
        while start < buf.len() {
            let end = buf.len().min(start + step);
            start = parser.parse(start..end, &mut tokens, found.as_deref_mut());
            assert!(start == end || found.is_some());
        }
        tokens
    }

    fn tunings() -> impl Iterator<Item = Tuning> {
        [(1, 8, 0), (8, 30, 48), (60, 258, 16), (60, 258, NO_MARGIN)].into_iter().flat_map(
            |(max_chain, nice_len, margin)| {
                let effort = Effort { max_chain, nice_len };
                [false, true].map(|is_thorough| Tuning {
                    effort,
                    margin,
                    long_margin: margin.max(12),
                    is_thorough,
                })
            },
        )
    }

    #[test]
    fn reading_without_bounds_checks_makes_no_difference() {
        for len in (0..20).chain([255, 256, 257, 300, 4000, 40_000]) {
            for (name, data) in kinds(len) {
                for tuning in tunings() {
                    for step in [70_000, 1000, 7] {
                        let tokens = parsed::<3>(Checked(&data), &data, tuning, step, None);
                        assert!(unparsed(&tokens) == data, "{name} {len} {tuning:?}");
                        assert!(tokens == parsed::<3>(Unchecked(&data), &data, tuning, step, None));
                        let tokens = parsed::<8>(Checked(&data), &data, tuning, step, None);
                        assert!(unparsed(&tokens) == data, "{name} {len} {tuning:?}");
                        assert!(tokens == parsed::<8>(Unchecked(&data), &data, tuning, step, None));
                    }
                }
            }
        }
    }

    #[test]
    fn matches_that_are_handed_on_are_there_and_end_in_their_range() {
        for (name, data) in kinds(100_000) {
            for tuning in tunings() {
                for step in [70_000, 3000] {
                    let mut found = Matches::default();
                    let tokens = parsed::<3>(Unchecked(&data), &data, tuning, step, Some(&mut found));
                    assert!(
                        tokens == parsed::<3>(Unchecked(&data), &data, tuning, step, None),
                        "{name} {tuning:?}"
                    );
                    assert_eq!(found.starts.len(), data.len() + 1, "{name} {tuning:?}");
                    for pos in 0..data.len() {
                        let end = data.len().min(pos / step * step + step);
                        let mut before = 0;
                        for found in found.at(pos) {
                            assert!(found.len() > before && pos + found.len() <= end && found.dist() <= pos);
                            before = found.len();
                            let there = &data[pos - found.dist()..][..before];
                            assert!(there == &data[pos..pos + before], "{name} at {pos}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_range_ends_early_where_there_are_too_many_matches() {
        // Many matches at each position: all lengths, each nearest somewhere else.
        let mut random = random();
        let data: Vec<u8> = (0..500_000).map(|_| b'a' + (random() >> 30) as u8).collect();
        let effort = Effort { max_chain: 200, nice_len: 258 };
        let tuning = Tuning { effort, margin: NO_MARGIN, long_margin: NO_MARGIN, is_thorough: true };
        let (mut priced, mut chains) = (Priced::default(), Chains::default());
        let chunk = Chunk::whole(&data);
        let mut parser = Parser::<3, _>::new(&mut priced, &mut chains, &chunk, Unchecked(&data), tuning);
        let (mut tokens, mut start, mut ranges) = (Vec::new(), 0, 0);
        while start < data.len() {
            let mut found = Matches::default();
            let end = parser.parse(start..data.len(), &mut tokens, Some(&mut found));
            assert!(found.all.len() <= MAX_MATCHES + SECTION_MATCHES);
            let ends =
                (0..end - start).flat_map(|pos| found.at(pos).iter().map(move |found| pos + found.len()));
            assert!(found.starts.len() == end - start + 1 && ends.max() <= Some(end - start));
            start = end;
            ranges += 1;
        }
        assert!(ranges > 1 && unparsed(&tokens) == data);
    }
}
