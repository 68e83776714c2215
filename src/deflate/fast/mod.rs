#![expect(unsafe_code, reason = "it vouches for the room that steps need")]
//! HOT PATH. The parser of the fast levels: two or three segments of a chunk at a time, without branches.
//!
//! What makes a parser slow is waiting: position → hash → table → candidate → comparison → next position,
//! and where that decides a branch, guessing wrong. So a step here takes the same way whatever it finds,
//! and steps of streams alternate, each of which has a segment and tables of its own. Tables of a
//! stream are primed with the window before its segment, so that cutting costs next to nothing.
//!
//! A step looks at `p` and at `p + 1`:
//! ```text
//! insert the positions just before p, which a match may have skipped
//! a, b = the longest of the candidates at p, p + 1   (compared for 32 bytes, or 64)
//! a is 4 bytes or more, and b no longer:  match at p      → 1 token
//! b is 4 bytes or more:                   literal, match  → 2 tokens
//! neither:                                two literals    → 1 token
//! ```
//! In text, where few different bytes occur, level 1 takes matches of five bytes or more only. Where literals are many and in long
//! rows, levels 1 and 2 take more of them if the step before found nothing, too; where there is hardly anything else, ten. Where
//! matches save nothing to speak of, most of the data is not searched at all.
//!
//! A stream that comes to the end of its segment takes over half of what another one has left.
//! Level 3 weighs dists, too, and of the second case takes the literal only: the match is compared with that
//! of the position behind it in the next step (lazy matching).
//!
//! Candidates are the last place with the same four bytes (five) and, if the level says so, the last one with
//! the same seven. Only what is equal in all bytes that are compared branches off, to see how much more is, 64 bytes
//! at a time, and to insert a few of the positions that the match skips. What is so long so often that branches
//! would be guessed wrong all the time makes levels 1 and 2 compare 64 bytes.
//!
//! `steps` has the step, `turns` that of levels 1 and 2 in assembly, `tables` what is remembered, `effort` what the levels
//! differ in. A step makes drafts of tokens (`token::Draft`); runs of them become tokens when they are counted.
//!
//! Contract of a step: [`MARGIN`] bytes from `p` on are in the segment, [`MAX_BACK`] before it in the
//! buffer. What is nearer to the segment's end is left to `finish`, position by position. Entries are the
//! low 16 bits of positions; what they point to is always compared with the data. Whatever is found
//! depends on the chunk alone, since tables are cleared when it begins.

mod effort;
mod steps;
mod tables;
#[cfg(target_arch = "x86_64")]
mod turns;

use std::cmp::Reverse;
use std::ops::{Range, RangeInclusive};

use super::histogram::{Histogram, kinds};
use super::split::Block;
use super::token::{Draft, END_OF_BLOCK, MAX_MATCH, MIN_MATCH, Token, WINDOW_LEN};
use super::{Chunk, block, split, token};
use crate::cpu::{self, Cpu};
pub(super) use effort::Effort;
use effort::{Least, Less, MAX_BACK, MAX_STREAMS, More, Thoroughness};
#[cfg(target_arch = "x86_64")]
use steps::AVX2;
use steps::{FEW_COMPARED, MANY_COMPARED, MARGIN, PORTABLE, settle};
use tables::{BITS, SMALL_BITS, SMALL_LEN, Tables, clear, dist_less_1, insert, prime, u64_at};

/// These are few kinds of bytes: numbers, tables of them, bases of DNA. The more there are, the longer literals are, and the shorter
/// matches that are worth while.
const FEW_KINDS: RangeInclusive<usize> = 0..=44;
/// And these many: text has fewer.
const MANY_KINDS: RangeInclusive<usize> = 161..=256;

/// Segments are no longer than this: the third part of the longest usual chunk fits.
const SEGMENT_LEN: usize = 700 << 10;
/// How many steps are taken before it is looked after what was found.
const MAX_STEPS: usize = 1024;
/// What is shorter is not cut in two.
const LEAST_CUT_LEN: usize = 32 << 10;
/// A stream that is at its end takes half of what another one has left, unless that is less; where tokens are long, a window
/// takes longer to insert than that to parse.
const LEAST_SHARED_LEN: usize = 32 << 10;
const LEAST_SHARED_LONG_LEN: usize = 128 << 10;

/// Tokens are long if on average they stand for more bytes than this.
const LONG_LEN: usize = 12;
/// How long rows of literals are is seen from so many tokens at the end of a run.
const PROBED_FOR_ROWS: usize = 2048;
/// At the begin of a segment, and after noise, it is looked after this many tokens whether there is noise.
const PROBE_LEN: usize = 1024;
/// Noise is skipped in pieces of this length, doubled by each run of noise up to the shift; of what is
/// skipped, one position in so many is inserted, so that repeated noise is noticed.
const LEAST_SKIP_LEN: usize = 4 << 10;
const MAX_SKIP_SHIFT: u32 = 6;
const SKIP_STRIDE: usize = 16;
/// Where matches save less than this part of what is written, literals alone are taken, in pieces of that length, too, doubled
/// up to this shift.
const PLAIN_PART: u64 = 256;
const MAX_PLAIN_SHIFT: u32 = 4;
/// And where they save less than this, and there are [`Thoroughness::BARE`] literals for each, many at a time.
const BARE_PART: u64 = 16;
/// Only if there are more literals for a match, it is looked at what they save.
const LEAST_FOR_SAVED: u32 = 6;
/// How many pairs of equal bytes the samples of one piece may have: of 256 even bytes 128 are expected, with
/// a standard deviation of 11.
const MAX_EQUAL_PAIRS: u32 = 180;

/// A part of the data that is parsed.
struct Piece {
    /// Where in the data it begins.
    start: usize,
    /// Which of its stream's tokens are its own.
    tokens: Range<usize>,
    blocks: Vec<Block>,
}

/// A segment, and what it became.
#[derive(Default)]
struct Segment {
    /// What is not written yet, to the segment's end.
    range: Range<usize>,
    pos: usize,
    /// What the stream parsed before this segment.
    pieces: Vec<Piece>,
    /// Room for as many tokens as the segment has bytes, and a few. Those that are not counted yet are drafts.
    tokens: Vec<Token>,
    /// Behind its last token, where its first one is.
    count: usize,
    first: usize,
    blocks: Vec<Block>,
    /// Behind the last token that is in a block.
    counted: usize,
    /// How many runs before this looked like noise, and in how many matches were hardly shorter than literals.
    noisy_runs: u32,
    plain_runs: u32,
    /// Whether the tokens of the last run are long, whether literals are many there, and whether there is hardly anything else.
    is_long: bool,
    is_sparse: bool,
    is_bare: bool,
}

impl Segment {
    fn begin(&mut self, range: Range<usize>) {
        (self.pos, self.first, self.count, self.counted) = (range.start, 0, 0, 0);
        self.pieces.clear();
        (self.noisy_runs, self.plain_runs) = (0, 0);
        (self.is_long, self.is_sparse, self.is_bare) = (false, false, false);
        if self.tokens.len() < range.len() + 2 {
            // Memory is only there where it was written to: one long buffer takes less than longer and longer
            // ones.
            let len = if range.len() < LEAST_CUT_LEN { range.len() } else { SEGMENT_LEN };
            self.tokens = token::nothing(len + 2);
        }
        self.blocks.clear();
        self.range = range;
    }

    /// Ends the segment.
    fn end(&mut self) {
        let tokens = self.first..self.count;
        self.pieces.push(Piece { start: self.range.start, tokens, blocks: std::mem::take(&mut self.blocks) });
        self.first = self.count;
    }

    /// Goes on with the second half of what `other` has left, if it is worth while and a whole window is before it: tables may know
    /// places behind it.
    fn share(&mut self, other: &mut Segment) -> bool {
        let least = if other.is_long { LEAST_SHARED_LONG_LEN } else { LEAST_SHARED_LEN };
        let middle = other.pos + other.left() / 2;
        let len = other.range.end - middle;
        if other.left() < least || middle < WINDOW_LEN || self.tokens.len() - self.count < len + 2 {
            return false;
        }
        self.range = middle..other.range.end;
        self.pos = middle;
        other.range.end = middle;
        (self.noisy_runs, self.plain_runs) = (0, 0);
        (self.is_long, self.is_sparse, self.is_bare) = (other.is_long, other.is_sparse, other.is_bare);
        true
    }

    /// How many bytes are not parsed yet.
    fn left(&self) -> usize {
        self.range.end - self.pos
    }

    fn push(&mut self, draft: Token) {
        self.tokens[self.count] = draft;
        self.count += 1;
    }

    /// Whether there is enough that was not counted.
    fn has_run<T: Thoroughness>(&self) -> bool {
        let is_probe = self.noisy_runs > 0 || self.plain_runs > 0 || self.blocks.is_empty();
        self.count - self.counted >= if is_probe { PROBE_LEN } else { T::RUN_LEN }
    }

    /// Counts what was parsed since the last time.
    fn count<T: Thoroughness>(&mut self) {
        let run = &mut self.tokens[self.counted..self.count];
        settle(run);
        let histogram = Histogram::of(run);
        self.is_long = histogram.data_len > LONG_LEN * run.len();
        let literals: u32 = histogram.litlen[..END_OF_BLOCK].iter().sum();
        let matches: u32 = histogram.dist.iter().sum();
        self.is_sparse = T::ADAPTS && 2 * literals > T::MANY_FOR_TWO * matches && {
            let (in_rows, rows) = token::rows_of_literals(&run[run.len().saturating_sub(PROBED_FOR_ROWS)..]);
            in_rows > T::LONG_ROW[usize::from(self.is_sparse)] * rows
        };
        let save_less = |part| literals / LEAST_FOR_SAVED > matches && saves_less(part, &histogram);
        self.is_bare = literals / T::BARE > matches && save_less(BARE_PART);
        self.plain_runs = if save_less(PLAIN_PART) { self.plain_runs + 1 } else { 0 };
        let cost = split::cost(&histogram);
        if run.len() >= PROBE_LEN && is_noise(&histogram, cost) {
            self.count = self.counted;
            self.noisy_runs += 1;
            self.add_noise(histogram.data_len);
            return;
        }
        self.noisy_runs = 0;
        let len = run.len();
        self.add(Block { len, histogram, cost });
    }

    /// Appends a block, all that is not counted yet: another one, or more of the last one if one code for both costs less than two.
    fn add(&mut self, block: Block) {
        self.counted = self.count;
        if let Some(last) = self.blocks.last_mut()
            && let Some(joined) = split::join(last, &block)
        {
            *last = joined;
            return;
        }
        self.blocks.push(block);
    }

    /// Writes all blocks but the last one, which may become longer, and makes room for as many tokens: fewer pages are
    /// used, and those are near.
    fn flush(&mut self, writer: &mut block::Writer<'_>) {
        let Some((_, complete)) = self.blocks.split_last().filter(|(_, complete)| !complete.is_empty())
        else {
            return;
        };
        let len = complete.iter().map(|block| block.len).sum();
        let data_len: usize = complete.iter().map(|block| block.histogram.data_len).sum();
        let rest = self.range.start + data_len;
        writer.write_all(&self.tokens[..len], complete, self.range.start..rest, false);
        self.range.start = rest;
        self.blocks.drain(..self.blocks.len() - 1);
        self.tokens.copy_within(len..self.count, 0);
        self.count -= len;
        self.counted -= len;
    }

    /// Appends `len` bytes that are to be stored.
    fn add_noise(&mut self, len: usize) {
        match self.blocks.last_mut() {
            Some(last) if last.len == 0 => last.histogram.data_len += len,
            _ => {
                let histogram = Histogram { data_len: len, ..Histogram::default() };
                self.blocks.push(Block { len: 0, histogram, cost: 0 });
            }
        }
    }

    /// Leaves noise unparsed that follows noise: the more the longer there was nothing else. Looks at
    /// samples, and stops where they repeat what is in the tables, or are less even than noise is.
    fn skip_noise<T: Thoroughness, const BITS: u32>(&mut self, tables: &mut Tables, buf: &[u8]) {
        let len = LEAST_SKIP_LEN << self.noisy_runs.min(MAX_SKIP_SHIFT);
        let mut end = self.pos;
        'pieces: while end - self.pos < len && self.range.end - end >= LEAST_SKIP_LEN + 8 {
            let (mut counts, mut equal_pairs) = ([0u8; 256], 0);
            for pos in (end..end + LEAST_SKIP_LEN).step_by(SKIP_STRIDE) {
                let bytes = u64_at(buf, pos);
                let [entry, ..] = insert::<T, BITS>(tables, bytes, pos);
                if is_repeated(buf, pos, bytes, entry) {
                    self.noisy_runs = 0;
                    break 'pieces;
                }
                let count = &mut counts[usize::from(bytes as u8)];
                equal_pairs += u32::from(*count);
                *count = count.saturating_add(1);
            }
            if equal_pairs > MAX_EQUAL_PAIRS {
                self.noisy_runs = 0;
                break;
            }
            end += LEAST_SKIP_LEN;
        }
        if end > self.pos {
            self.add_noise(end - self.pos);
            self.pos = end;
        }
    }

    /// Takes literals only behind a run in which matches were hardly shorter: the more the longer it has been so. Looks at samples, and
    /// stops where they repeat what is in the tables.
    fn take_literals<T: Thoroughness, const BITS: u32>(&mut self, tables: &mut Tables, buf: &[u8]) {
        let len = LEAST_SKIP_LEN << self.plain_runs.min(MAX_PLAIN_SHIFT);
        let begin = self.pos;
        while self.pos - begin < len && self.left() >= LEAST_SKIP_LEN + 8 {
            let end = self.pos + LEAST_SKIP_LEN;
            let is_new = (self.pos..end).step_by(SKIP_STRIDE).all(|pos| {
                let bytes = u64_at(buf, pos);
                let [entry, ..] = insert::<T, BITS>(tables, bytes, pos);
                !is_repeated(buf, pos, bytes, entry)
            });
            if !is_new {
                self.plain_runs = 0;
                break;
            }
            let drafts = &mut self.tokens[self.count..self.count + LEAST_SKIP_LEN / 2];
            for (draft, pair) in drafts.iter_mut().zip(buf[self.pos..end].as_chunks().0) {
                *draft = Draft::literals(u16::from_le_bytes(*pair), false);
            }
            self.count += LEAST_SKIP_LEN / 2;
            self.pos = end;
        }
        if self.count > self.counted {
            let run = &mut self.tokens[self.counted..self.count];
            settle(run);
            let (len, histogram) = (run.len(), Histogram::of(run));
            let cost = split::cost(&histogram);
            self.add(Block { len, histogram, cost });
        }
    }
}

/// Whether there are the same eight bytes at `pos` as where the entry points to.
fn is_repeated(buf: &[u8], pos: usize, bytes: u64, entry: u16) -> bool {
    u64_at(buf, pos - 1 - dist_less_1(pos, entry).min(pos - 1)) == bytes
}

/// Whether matches save less than one part of so many of what the run with these symbols takes.
fn saves_less(part: u64, histogram: &Histogram) -> bool {
    let literals: u32 = histogram.litlen[..END_OF_BLOCK].iter().sum();
    let all = split::coded(histogram) + (block::extra_bits(histogram) << split::FRACTION_BITS);
    let only_literals =
        split::coded_literals(histogram) * histogram.data_len as u64 / u64::from(literals.max(1));
    only_literals < all + all / part
}

/// Whether a run with these symbols, which cost so much, has nothing that a code could shorten: its bytes
/// are almost as many as its entropy. Small samples of even bytes seem to have 184 bits less.
fn is_noise(histogram: &Histogram, cost: u64) -> bool {
    let len = histogram.data_len as u64;
    let header_bits = split::HEADER_BITS + 256 * split::SYMBOL_BITS;
    cost >> split::FRACTION_BITS >= 8 * len + header_bits - 184 - len / 16
}

/// What the fast levels keep from chunk to chunk: memory.
pub(super) struct Fast {
    tables: Box<[Tables; MAX_STREAMS]>,
    segments: [Segment; MAX_STREAMS],
    /// Whether AVX-512 may be used where there is AVX2.
    has_avx512: bool,
    /// Whether, of this chunk, tables may have places that streams have not come to.
    has_looked_ahead: bool,
}

impl Default for Fast {
    fn default() -> Fast {
        let tables = vec![[[0; 1 << BITS]; 3]; MAX_STREAMS].into_boxed_slice();
        Fast {
            tables: tables.try_into().expect("as many as streams"),
            segments: Default::default(),
            has_avx512: false,
            has_looked_ahead: false,
        }
    }
}

impl Fast {
    /// Appends `chunk` to `out`.
    pub(super) fn encode(&mut self, effort: Effort, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        self.encode_by_cpu(Cpu::Avx512, effort, chunk, out);
    }

    /// The same by nothing better than `most`.
    fn encode_by_cpu(&mut self, most: Cpu, effort: Effort, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        #[cfg(target_arch = "x86_64")]
        if most >= Cpu::Avx2 && cpu::has(Cpu::Avx2) {
            self.has_avx512 = most >= Cpu::Avx512 && cpu::has(Cpu::Avx512);
            return self.encode_as::<AVX2>(effort, chunk, out);
        }
        self.encode_as::<PORTABLE>(effort, chunk, out);
    }

    fn encode_as<const KERNEL: u8>(&mut self, effort: Effort, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        match effort {
            Effort::Least => self.encode_by::<Least, KERNEL>(chunk, out),
            Effort::Less => self.encode_by::<Less, KERNEL>(chunk, out),
            Effort::More => self.encode_by::<More, KERNEL>(chunk, out),
        }
    }

    fn encode_by<T: Thoroughness, const KERNEL: u8>(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if chunk.data.end <= SMALL_LEN {
            self.encode_with::<T, SMALL_BITS, KERNEL>(chunk, out);
        } else {
            self.encode_with::<T, BITS, KERNEL>(chunk, out);
        }
    }

    fn encode_with<T: Thoroughness, const BITS: u32, const KERNEL: u8>(
        &mut self,
        chunk: &Chunk<'_>,
        out: &mut Vec<u8>,
    ) {
        let buf = chunk.buf;
        let mut writer = block::Writer::new(buf, out);
        let mut known = [None; MAX_STREAMS];
        self.has_looked_ahead = false;
        for (piece, is_last) in chunk.pieces() {
            let mut start = piece.start;
            loop {
                let left = piece.end - start;
                let count = if left < LEAST_CUT_LEN { 1 } else { T::STREAMS };
                let len = left.div_ceil(count).min(SEGMENT_LEN);
                let begin = start;
                let ranges: [Range<usize>; MAX_STREAMS] = std::array::from_fn(|_| {
                    let range = start..(start + len).min(piece.end);
                    start = range.end;
                    range
                });
                start = ranges[count - 1].end;
                // Where the data say where to cut, what is found should depend on as little as possible that is
                // not the data.
                let primes_all = !chunk.cuts.is_empty();
                // One line of the cache each.
                let kinds = kinds(&buf[begin..start], 64);
                let parse = match kinds {
                    _ if FEW_KINDS.contains(&kinds) => Self::parse::<T::Few, BITS, KERNEL>,
                    _ if MANY_KINDS.contains(&kinds) => Self::parse::<T::Many, BITS, KERNEL>,
                    _ => Self::parse::<T, BITS, KERNEL>,
                };
                parse(self, buf, &ranges[..count], &mut known, primes_all, &mut writer);
                let is_final = is_last && start == piece.end;
                let segments = self.segments[..count].iter();
                let mut pieces: Vec<_> = segments
                    .flat_map(|it| it.pieces.iter().map(|piece| (&it.tokens[piece.tokens.clone()], piece)))
                    .collect();
                pieces.sort_by_key(|(_, piece)| piece.start);
                let rest = pieces[0].1.start..start;
                let pieces = pieces.into_iter().map(|(tokens, piece)| (tokens, &piece.blocks[..]));
                writer.write_joined(pieces, rest, is_final);
                if start == piece.end {
                    break;
                }
            }
            writer.end(is_last);
        }
    }

    /// Parses segments with these ranges. `known` says up to where each stream knows all, if its tables are cleared.
    fn parse<T: Thoroughness, const BITS: u32, const KERNEL: u8>(
        &mut self,
        buf: &[u8],
        ranges: &[Range<usize>],
        known: &mut [Option<usize>; MAX_STREAMS],
        primes_all: bool,
        writer: &mut block::Writer<'_>,
    ) {
        let count = ranges.len();
        let streams = self.tables.iter_mut().zip(&mut self.segments).zip(known.iter_mut());
        for (((tables, segment), known), range) in streams.zip(ranges) {
            segment.begin(range.clone());
            if known.is_none() {
                clear::<T::Many>(tables, BITS);
            }
            let from = known.unwrap_or(0).max(range.start.saturating_sub(WINDOW_LEN));
            if primes_all {
                prime::<T, BITS, true>(tables, buf, from, range.start);
            } else {
                prime::<T, BITS, false>(tables, buf, from, range.start);
            }
            *known = Some(range.end);
        }
        for segment in &mut self.segments[..count] {
            while segment.pos < MAX_BACK.min(segment.range.end) {
                segment.push(Draft::literals(buf[segment.pos].into(), true));
                segment.pos += 1;
            }
        }
        let mut streams: Vec<usize> = (0..count).collect();
        while let Some(first) = streams.first().copied() {
            match streams[..] {
                [_, _, _] => self.run::<T, MAX_STREAMS, BITS, KERNEL>(buf, [0, 1, 2], writer),
                [a, b] => self.run::<T, 2, BITS, KERNEL>(buf, [a, b], writer),
                _ => self.run::<T, 1, BITS, KERNEL>(buf, [first], writer),
            }
            // Whoever is at its end helps another one, or leaves.
            streams.sort_by_key(|i| Reverse(self.segments[*i].left()));
            let last = streams.pop().expect("there is one");
            finish::<T, BITS>(buf, &mut self.tables[last], &mut self.segments[last]);
            self.segments[last].end();
            if let Some(most) = streams.first() {
                let [segment, other] = self.segments.get_disjoint_mut([last, *most]).expect("they differ");
                if segment.share(other) {
                    let start = segment.pos;
                    if primes_all {
                        prime::<T, BITS, true>(&mut self.tables[last], buf, start - WINDOW_LEN, start);
                    } else {
                        prime::<T, BITS, false>(&mut self.tables[last], buf, start - WINDOW_LEN, start);
                    }
                    known[last] = Some(segment.range.end);
                    streams.push(last);
                }
            }
        }
    }

    /// Takes steps as long as all segments of these streams have a margin.
    fn run<T: Thoroughness, const N: usize, const BITS: u32, const KERNEL: u8>(
        &mut self,
        buf: &[u8],
        streams: [usize; N],
        writer: &mut block::Writer<'_>,
    ) {
        loop {
            let those = streams.map(|i| &self.segments[i]);
            let room = those.iter().map(|segment| segment.left()).min().unwrap_or(0);
            if room < MARGIN {
                return;
            }
            let steps = ((room - MARGIN) / (1 + MAX_MATCH) + 1).min(MAX_STEPS);
            let is_early = BITS == SMALL_BITS || those.iter().any(|segment| segment.pos < WINDOW_LEN);
            let is_most = |is: fn(&Segment) -> bool| 2 * those.iter().filter(|it| is(it)).count() > N;
            // SAFETY: a step moves by 1 + 258 bytes at most, so all `steps` begin with a margin. That the
            // processor can run the kernel is known to whoever chose it.
            unsafe {
                if is_early {
                    self.take_steps::<T, N, BITS, true, FEW_COMPARED, KERNEL>(buf, streams, steps);
                } else if T::ADAPTS && is_most(|segment| segment.is_bare) {
                    self.take_steps::<T::Bare, N, BITS, false, FEW_COMPARED, KERNEL>(buf, streams, steps);
                } else if T::ADAPTS && is_most(|segment| segment.is_sparse) {
                    self.take_steps::<T::Sparse, N, BITS, false, FEW_COMPARED, KERNEL>(buf, streams, steps);
                } else if T::ADAPTS && is_most(|segment| segment.is_long) {
                    self.take_steps::<T, N, BITS, false, MANY_COMPARED, KERNEL>(buf, streams, steps);
                } else {
                    self.take_steps::<T, N, BITS, false, FEW_COMPARED, KERNEL>(buf, streams, steps);
                }
            }
            for i in streams {
                let segment = &mut self.segments[i];
                if segment.has_run::<T>() {
                    segment.count::<T>();
                    if segment.noisy_runs > 0 {
                        self.has_looked_ahead = true;
                        segment.skip_noise::<T, BITS>(&mut self.tables[i], buf);
                    } else if segment.plain_runs > 0 {
                        self.has_looked_ahead = true;
                        segment.take_literals::<T, BITS>(&mut self.tables[i], buf);
                    }
                    // What is before the others need not wait for them.
                    if i == 0 && segment.pieces.is_empty() {
                        segment.flush(writer);
                    }
                }
            }
        }
    }
}

/// Parses the rest of a segment, position by position.
fn finish<T: Thoroughness, const BITS: u32>(buf: &[u8], tables: &mut Tables, segment: &mut Segment) {
    let end = segment.range.end;
    while segment.pos < end {
        let pos = segment.pos;
        let mut best = (0, 0);
        if pos > 0 && pos + 8 <= buf.len() {
            for entry in insert::<T, BITS>(tables, u64_at(buf, pos), pos) {
                let dist_less_1 = dist_less_1(pos, entry).min(pos - 1);
                let len = match_len(buf, pos - 1 - dist_less_1, pos, (end - pos).min(MAX_MATCH));
                if len > best.0 {
                    best = (len, dist_less_1);
                }
            }
        }
        if best.0 >= T::LEAST_LEN.max(MIN_MATCH + 1) {
            segment.push(Draft::match_(best.0, best.1));
            segment.pos += best.0;
        } else {
            segment.push(Draft::literals(buf[pos].into(), true));
            segment.pos += 1;
        }
    }
    if segment.count > segment.counted {
        segment.count::<T>();
    }
}

/// How many bytes from `a` and from `b` on are equal, `max_len` at most.
fn match_len(buf: &[u8], a: usize, b: usize, max_len: usize) -> usize {
    buf[a..].iter().zip(&buf[b..b + max_len]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::steps::CHECKED;
    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};

    const EFFORTS: [Effort; 3] = [Effort::Least, Effort::Less, Effort::More];

    /// Encodes `data[start..]` with what is before it as window, by a parser with memory of other data; in
    /// the same way by one that checks all bounds.
    fn encode(effort: Effort, data: &[u8], start: usize) -> Vec<u8> {
        thread_local! {
            static PARSERS: RefCell<[Fast; 4]> = RefCell::default();
        }
        let chunk = Chunk { buf: data, data: start..data.len(), cuts: &[], is_last: true };
        let [mut out, mut checked, mut portable, mut narrow] = [const { Vec::new() }; 4];
        PARSERS.with_borrow_mut(|[parser, other, third, fourth]| {
            fourth.encode_by_cpu(Cpu::Avx2, effort, &chunk, &mut narrow);
            parser.encode(effort, &chunk, &mut out);
            other.encode_as::<CHECKED>(effort, &chunk, &mut checked);
            third.encode_as::<PORTABLE>(effort, &chunk, &mut portable);
            other.encode(Effort::More, &Chunk { data: 0..data.len(), ..chunk }, &mut Vec::new());
        });
        assert!(out == narrow, "{effort:?}: {} bytes from {start} on", data.len());
        assert!(out == portable, "{effort:?}: {} bytes from {start} on", data.len());
        assert!(out == checked, "{effort:?}: {} bytes from {start} on", data.len());
        out
    }

    fn check(data: &[u8]) -> [usize; 3] {
        EFFORTS.map(|effort| {
            let packed = encode(effort, data, 0);
            let mut out = vec![0; data.len()];
            let done = Inflated::Done { consumed: packed.len(), produced: data.len() };
            assert_eq!(inflate(&packed, &mut out), done, "{effort:?}: {} bytes", data.len());
            assert!(out == data, "{effort:?}: {} bytes", data.len());
            packed.len()
        })
    }

    const fn random(state: u64) -> u64 {
        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
    }

    static NOISE: [u8; 300_000] = {
        let (mut bytes, mut state, mut i) = ([0; 300_000], 1, 0);
        while i < bytes.len() {
            state = random(state);
            bytes[i] = (state >> 40) as u8;
            i += 1;
        }
        bytes
    };

    /// Words, numbers, repeats from near and far, runs.
    fn mixed(len: usize) -> Vec<u8> {
        let mut state = len as u64;
        let mut data = Vec::new();
        while data.len() < len {
            state = random(state);
            let number = (state >> 33) as usize;
            match number % 5 {
                0 => data.push(number as u8),
                1 => data.extend(std::iter::repeat_n(number as u8, number >> 8 & 0x1ff)),
                2 => data.extend_from_slice(format!("{} words ", number % 1000).as_bytes()),
                _ => {
                    let from = data.len().saturating_sub(1 + (number >> 3) % 33_000);
                    data.extend_from_within(from..(from + (number >> 20 & 0x3f)).min(data.len()));
                }
            }
        }
        data.truncate(len);
        data
    }

    #[test]
    fn every_short_input_comes_back() {
        for len in 0..=700 {
            check(&NOISE[..len]);
            check(&mixed(len));
            check(&vec![7; len]);
        }
    }

    #[test]
    fn every_period_comes_back_much_shorter() {
        for period in 1..=40 {
            for len in [5_000, 70_000 + period] {
                let data: Vec<u8> = NOISE.iter().take(period).cycle().take(len).copied().collect();
                for packed in check(&data) {
                    assert!(packed < 130 + len / 100, "{period} {len}: {packed}");
                }
            }
        }
    }

    #[test]
    fn lengths_around_the_ends_of_segments_come_back() {
        for around in
            [SMALL_LEN, WINDOW_LEN, LEAST_CUT_LEN, 2 * LEAST_CUT_LEN, 2 * SEGMENT_LEN, 3 * SEGMENT_LEN]
        {
            for len in [around - 300, around - 2, around - 1, around, around + 1, around + 2, around + 300] {
                check(&mixed(len));
            }
        }
        check(&mixed(5 * SEGMENT_LEN / 2));
    }

    #[test]
    fn noise_does_not_grow_by_more_than_its_frames() {
        for packed in check(&NOISE) {
            assert!(packed < NOISE.len() + 60, "{packed}");
        }
        let wanted =
            [&NOISE[..100_000], &vec![0; 100_000], &NOISE[50_000..100_000], &mixed(100_000)].concat();
        for packed in check(&wanted) {
            assert!(packed < 200_000, "{packed}");
        }
    }

    /// Long matches with changes between them, short ones, and hardly any: what the parser adapts to.
    #[test]
    fn data_of_each_kind_and_their_changes_come_back() {
        let (mut state, mut lines, mut bytes) = (1, Vec::new(), Vec::new());
        while lines.len() < 300_000 {
            state = random(state);
            let number = state >> 40;
            lines.extend_from_slice(
                format!("{number:08} the same words on every line, for {} times and more, ", number % 7)
                    .as_bytes(),
            );
        }
        while bytes.len() < 300_000 {
            state = random(state);
            // Even and odd ones differ in what they often are.
            bytes.extend((0..8).map(|i| (state >> (8 * i)) as u8 >> (i % 3)));
        }
        let lines_packed = check(&lines);
        assert!(lines_packed.iter().all(|packed| *packed < lines.len() / 5), "{lines_packed:?}");
        check(&bytes);
        let (lines, bytes, mixed) = (&lines[..150_000], &bytes[..150_000], mixed(150_000));
        check(&[lines, bytes, &mixed].concat());
        check(&[bytes, &mixed, lines, &mixed].concat());
    }

    /// Bytes of 64 kinds in which nothing repeats but, if so, five of them now and then: literals are taken many at a time, or alone.
    fn even(len: usize, repeats: bool) -> Vec<u8> {
        let mut data: Vec<u8> = NOISE.iter().cycle().take(len).map(|byte| byte & 0x3f | 0x80).collect();
        let (mut state, mut pos) = (5, 2000);
        while repeats && pos + 200 < len {
            state = random(state);
            let from = pos - 100 - (state >> 40) as usize % 1000;
            data.copy_within(from..from + 5, pos);
            pos += 60 + (state >> 60) as usize;
        }
        data
    }

    #[test]
    fn hardly_any_matches_and_none_come_back() {
        for repeats in [false, true] {
            let (whole, half) = (even(300_000, repeats), even(150_000, repeats));
            for packed in check(&whole) {
                assert!(packed < 227_000, "{packed}");
            }
            // What repeats all of it near is found.
            for packed in check(&[&half[..], &half[120_000..], &half[120_000..]].concat()) {
                assert!(packed < 125_000, "{packed}");
            }
            check(&[&half[..], &mixed(100_000), &half, &NOISE[..50_000]].concat());
        }
    }

    #[test]
    fn uneven_segments_come_back() {
        for slow in 0..3 {
            let pieces = [0, 1, 2].map(|i| if i == slow { even(200_000, true) } else { vec![i; 200_000] });
            check(&pieces.concat());
        }
    }

    #[test]
    fn what_is_far_back_in_the_window_is_found() {
        let data = [&NOISE[..WINDOW_LEN], &NOISE[..WINDOW_LEN]].concat();
        for packed in check(&data) {
            assert!(packed < WINDOW_LEN + 1000, "{packed}");
        }
        // And in the window before a chunk.
        for effort in EFFORTS {
            let packed = encode(effort, &data, WINDOW_LEN);
            assert!(packed.len() < 1000, "{effort:?}: {}", packed.len());
        }
    }
}
