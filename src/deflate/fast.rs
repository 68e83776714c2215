#![expect(unsafe_code, reason = "the parser's step, which knows how much room there is")]
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
//! a, b = the longest of the candidates at p, p + 1        (compared for 32 bytes)
//! a is 4 bytes or more, and b no longer:  match at p      → 1 token
//! b is 4 bytes or more:                   literal, match  → 2 tokens
//! neither:                                two literals    → 1 token
//! ```
//! In binary data, where literals are many, level 1 takes four of them if the step before found nothing, too.
//! Level 3 weighs dists, too, and of the second case takes the literal only: the match is compared with that
//! of the position behind it in the next step (lazy matching).
//!
//! Candidates are the last place with the same four bytes and, if the level says so, the last one with
//! the same seven. Only what is equal in 32 bytes branches off, to see how much more is, 64 bytes at a time,
//! and to insert a few of the positions that the match skips. The streams take each part of a step in turn:
//! what waits for memory is then near the front of the processor's queues.
//!
//! Contract of a step: [`MARGIN`] bytes from `p` on are in the segment, [`MAX_BACK`] before it in the
//! buffer. What is nearer to the segment's end is left to `finish`, position by position. Entries are the
//! low 16 bits of positions; what they point to is always compared with the data. Whatever is found
//! depends on the chunk alone, since tables are cleared when it begins.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::cmp::Reverse;
use std::hint::select_unpredictable as select;
use std::ops::Range;

use super::bits::BitWriter;
use super::chain::index;
use super::histogram::Histogram;
use super::split::Block;
use super::token::{MAX_MATCH, MIN_MATCH, Token, WINDOW_LEN};
use super::{Chunk, block, split, token};

/// How thorough a level is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// One candidate.
    Least,
    /// Two candidates.
    Less,
    /// Two candidates, and more of what matches skip is inserted.
    More,
}

/// [`Effort`] as the step wants it.
trait Thoroughness {
    /// What is done instead where the data look [`are_binary`].
    type Binary: Thoroughness;
    /// Whether there is a second table, by hash of seven bytes.
    const HAS_LONG: bool;
    /// Whether there is a third table, by hash of three bytes.
    const HAS_SHORTEST: bool;
    /// Whether a match at the second position waits for what is at the third, and dists are weighed.
    const IS_LAZY: bool;
    /// Whether that is something else.
    const HAS_BINARY: bool = Self::Binary::HAS_SHORTEST | Self::Binary::SKIPS;
    /// Whether a step that finds nothing, as the one before it, takes four literals.
    const SKIPS: bool = false;
    /// How many streams take turns, at most [`MAX_STREAMS`]: two fill the processor's queues if a step is long.
    const STREAMS: usize = 2;
    /// Of the window before a segment, every position in so many is inserted.
    const PRIME_STRIDE: usize = 1;
    /// The shortest match that is taken.
    const LEAST_LEN: usize = if Self::HAS_SHORTEST { MIN_MATCH } else { MIN_MATCH + 1 };
    /// How many positions before each step are inserted, at most [`MAX_BACK`].
    const BACK: usize;
    /// How many of the positions in a long match are inserted: all over it into the table of long matches,
    /// if there is one, else three apart from its begin on.
    const IN_LONG: usize;
}

/// One candidate; `SKIPS` where the data are binary.
struct LeastBy<const SKIPS: bool>;
type Least = LeastBy<false>;
impl<const SKIPS: bool> Thoroughness for LeastBy<SKIPS> {
    type Binary = LeastBy<true>;
    const HAS_LONG: bool = false;
    const HAS_SHORTEST: bool = false;
    const IS_LAZY: bool = false;
    const STREAMS: usize = 3;
    const PRIME_STRIDE: usize = 2;
    const SKIPS: bool = SKIPS;
    const BACK: usize = 3;
    const IN_LONG: usize = 4;
}

struct Less;
impl Thoroughness for Less {
    type Binary = Less;
    const HAS_LONG: bool = true;
    const HAS_SHORTEST: bool = false;
    const IS_LAZY: bool = false;
    const BACK: usize = 3;
    const IN_LONG: usize = 8;
}

/// Two candidates, and a match that waits; `HAS_SHORTEST` where the data are binary.
struct MoreBy<const HAS_SHORTEST: bool>;
type More = MoreBy<false>;
impl<const HAS_SHORTEST: bool> Thoroughness for MoreBy<HAS_SHORTEST> {
    type Binary = MoreBy<true>;
    const HAS_LONG: bool = true;
    const HAS_SHORTEST: bool = HAS_SHORTEST;
    const IS_LAZY: bool = true;
    const BACK: usize = MAX_BACK;
    const IN_LONG: usize = 16;
}

/// Whether so many different bytes occur in `data` that matches of three bytes are worth while, and literals
/// are many: in text, three literals are hardly longer.
fn are_binary(data: &[u8]) -> bool {
    let mut occurs = [false; 256];
    // Odd, so that no structure is met at the same place again and again.
    let stride = 61 * (1 + 2 * (data.len() >> 20));
    for byte in data.iter().step_by(stride) {
        occurs[usize::from(*byte)] = true;
    }
    occurs.iter().filter(|occurs| **occurs).count() > 160
}

const MAX_BACK: usize = 6;

/// The farthest dist less 1 at which a match of 3 bytes is taken, if the level looks for them: beyond it,
/// three literals tend to be shorter.
const MAX_SHORTEST_DIST: usize = 1 << 10;
/// Who takes steps: the oracle of the others, which checks all bounds; what any processor can; AVX2 and BMI.
const CHECKED: u8 = 0;
const PORTABLE: u8 = 1;
#[cfg(target_arch = "x86_64")]
const AVX2: u8 = 2;

/// What a step compares without a branch.
const COMPARED: usize = 32;
/// What is compared of a longer match at a time.
const COMPARED_MORE: usize = 64;
/// So far ahead data are fetched into the nearest cache: several streams with jumps are too much for the
/// processor to foresee.
#[cfg(target_arch = "x86_64")]
const PREFETCHED: usize = 256;
/// What a step may look at from its position on: it moves by 1 + 258 bytes, of which what is beyond
/// [`COMPARED`] is compared in whole pieces.
const MARGIN: usize = 1 + COMPARED + (MAX_MATCH - COMPARED).next_multiple_of(COMPARED_MORE);

/// Segments are no longer than this: the third part of the longest usual chunk fits.
const SEGMENT_LEN: usize = 700 << 10;
/// What is shorter is not cut in two.
const LEAST_CUT_LEN: usize = 32 << 10;
/// The most streams that take turns.
const MAX_STREAMS: usize = 3;
/// Tokens are counted, and blocks cut, in runs of about so many.
const RUN_LEN: usize = 4096;

/// At the begin of a segment, and after noise, it is looked after this many tokens whether there is noise.
const PROBE_LEN: usize = 1024;
/// Noise is skipped in pieces of this length, doubled by each run of noise up to the shift; of what is
/// skipped, one position in so many is inserted, so that repeated noise is noticed.
const LEAST_SKIP_LEN: usize = 4 << 10;
const MAX_SKIP_SHIFT: u32 = 6;
const SKIP_STRIDE: usize = 16;
/// How many pairs of equal bytes the samples of one piece may have: of 256 even bytes 128 are expected, with
/// a standard deviation of 11.
const MAX_EQUAL_PAIRS: u32 = 180;

/// Bits of an index into tables.
const BITS: u32 = 15;
/// Bits that are used for chunks that end at [`SMALL_LEN`] or before, so that less is cleared.
const SMALL_BITS: u32 = 12;
/// Bits of an index into the table by hash of three bytes, which need not know much.
const SHORTEST_BITS: u32 = SMALL_BITS;
const SMALL_LEN: usize = 12 << 10;

/// By hash, where bytes were seen last: four bytes; seven and three, if the level has them.
type Tables = [[u16; 1 << BITS]; 3];

/// Forgets everything.
fn clear<T: Thoroughness>(tables: &mut Tables, bits: u32) {
    for (table, is_used) in tables.iter_mut().zip([true, T::HAS_LONG, T::HAS_SHORTEST]) {
        if is_used {
            table[..1 << bits].fill(0);
        }
    }
}

/// Inserts the positions from `from` to `to` that the level wants of a window, as far as there are bytes enough.
fn prime<T: Thoroughness, const BITS: u32>(tables: &mut Tables, buf: &[u8], from: usize, to: usize) {
    const GROUP: usize = 4;
    let to = to.min(buf.len().saturating_sub(7)).max(from);
    let rest = (to - from) % (GROUP * T::PRIME_STRIDE);
    for pos in (from..to - rest).step_by(GROUP * T::PRIME_STRIDE) {
        // What is loaded may have to wait until it is known where the stores before it go: so some at once.
        let bytes: [u64; GROUP] = std::array::from_fn(|i| u64_at(buf, pos + i * T::PRIME_STRIDE));
        for (i, bytes) in bytes.into_iter().enumerate() {
            insert::<T, BITS>(tables, bytes, pos + i * T::PRIME_STRIDE);
        }
    }
    for pos in (to - rest..to).step_by(T::PRIME_STRIDE) {
        insert::<T, BITS>(tables, u64_at(buf, pos), pos);
    }
}

/// Inserts `pos`, where `bytes` are; returns what was there, or something else where there is no table.
#[inline(always)]
fn insert<T: Thoroughness, const BITS: u32>(tables: &mut Tables, bytes: u64, pos: usize) -> [u16; 3] {
    let short = std::mem::replace(&mut tables[0][index(4, bytes, BITS)], pos as u16);
    let long = if T::HAS_LONG { insert_long::<BITS>(tables, bytes, pos) } else { short };
    if !T::HAS_SHORTEST {
        return [short, long, short];
    }
    let shortest = &mut tables[2][index(3, bytes, SHORTEST_BITS)];
    [short, long, std::mem::replace(shortest, pos as u16)]
}

/// Inserts `pos` into the table of long matches.
#[inline(always)]
fn insert_long<const BITS: u32>(tables: &mut Tables, bytes: u64, pos: usize) -> u16 {
    std::mem::replace(&mut tables[1][index(7, bytes, BITS)], pos as u16)
}

/// A segment, and what it became.
#[derive(Default)]
struct Segment {
    range: Range<usize>,
    pos: usize,
    /// Room for as many tokens as the segment has bytes, and a few.
    tokens: Vec<Token>,
    count: usize,
    blocks: Vec<Block>,
    /// How many tokens are in blocks.
    counted: usize,
    /// How many runs before this looked like noise.
    noisy_runs: u32,
}

impl Segment {
    fn begin(&mut self, range: Range<usize>) {
        (self.pos, self.count, self.counted, self.noisy_runs) = (range.start, 0, 0, 0);
        if self.tokens.len() < range.len() + 2 {
            // Memory is only there where it was written to: one long buffer takes less than longer and longer
            // ones.
            let len = if range.len() < LEAST_CUT_LEN { range.len() } else { SEGMENT_LEN };
            self.tokens = token::nothing(len + 2);
        }
        self.blocks.clear();
        self.range = range;
    }

    /// How many bytes are not parsed yet.
    fn left(&self) -> usize {
        self.range.end - self.pos
    }

    fn push(&mut self, token: Token) {
        self.tokens[self.count] = token;
        self.count += 1;
    }

    /// Whether there is enough that was not counted.
    fn has_run(&self) -> bool {
        let is_probe = self.noisy_runs > 0 || self.blocks.is_empty();
        self.count - self.counted >= if is_probe { PROBE_LEN } else { RUN_LEN }
    }

    /// Counts what was parsed since the last time: another block, or more of the last one if one code for
    /// both costs less than two.
    fn count(&mut self) {
        let run = &self.tokens[self.counted..self.count];
        let histogram = Histogram::of(run);
        let cost = split::cost(&histogram);
        if run.len() >= PROBE_LEN && is_noise(&histogram, cost) {
            self.count = self.counted;
            self.noisy_runs += 1;
            self.add_noise(histogram.data_len);
            return;
        }
        self.noisy_runs = 0;
        self.counted = self.count;
        let block = Block { len: run.len(), histogram, cost };
        if let Some(last) = self.blocks.last_mut()
            && let Some(joined) = split::join(last, &block)
        {
            *last = joined;
            return;
        }
        self.blocks.push(block);
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
                if u64_at(buf, pos - 1 - dist_less_1(pos, entry).min(pos - 1)) == bytes {
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
}

impl Default for Fast {
    fn default() -> Fast {
        let tables = vec![[[0; 1 << BITS]; 3]; MAX_STREAMS].into_boxed_slice();
        Fast { tables: tables.try_into().expect("as many as streams"), segments: Default::default() }
    }
}

impl Fast {
    /// Appends `chunk` to `out`.
    pub(super) fn encode(&mut self, effort: Effort, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        #[cfg(target_arch = "x86_64")]
        if has_avx2() {
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
        let mut bits = BitWriter::new(out);
        // For each stream, up to where it knows all; cleared are the tables of those that began.
        let mut known = [None; MAX_STREAMS];
        for (piece, is_last) in chunk.pieces() {
            let mut start = piece.start;
            loop {
                let left = piece.end - start;
                let begin = start;
                let count = if left < LEAST_CUT_LEN { 1 } else { T::STREAMS };
                let len = left.div_ceil(count).min(SEGMENT_LEN);
                let streams = self.tables.iter_mut().zip(&mut self.segments).zip(&mut known);
                for ((tables, segment), known) in streams.take(count) {
                    let end = (start + len).min(piece.end);
                    segment.begin(start..end);
                    if known.is_none() {
                        clear::<T::Binary>(tables, BITS);
                    }
                    let from = known.unwrap_or(0).max(start.saturating_sub(WINDOW_LEN));
                    prime::<T::Binary, BITS>(tables, buf, from, start);
                    *known = Some(end);
                    start = end;
                }
                if T::HAS_BINARY && are_binary(&buf[begin..start]) {
                    self.parse::<T::Binary, BITS, KERNEL>(buf, count);
                } else {
                    self.parse::<T, BITS, KERNEL>(buf, count);
                }
                let is_final = is_last && start == piece.end;
                let segments = self.segments[..count].iter();
                let segments = segments.map(|it| (&it.tokens[..it.count], &it.blocks[..]));
                block::write_joined(&mut bits, segments, &buf[begin..start], is_final);
                if start == piece.end {
                    break;
                }
            }
            if is_last {
                bits.align();
            } else {
                block::write_flush(&mut bits);
            }
        }
    }

    /// Parses the first `count` segments.
    fn parse<T: Thoroughness, const BITS: u32, const KERNEL: u8>(&mut self, buf: &[u8], count: usize) {
        for segment in &mut self.segments[..count] {
            while segment.pos < MAX_BACK.min(segment.range.end) {
                segment.push(Token::literal(buf[segment.pos]));
                segment.pos += 1;
            }
        }
        if count == MAX_STREAMS {
            run::<T, MAX_STREAMS, BITS, KERNEL>(buf, self.tables.each_mut(), self.segments.each_mut());
        }
        if count >= 2 {
            // Whoever is at its end first leaves.
            let mut streams: [usize; MAX_STREAMS] = std::array::from_fn(|i| i);
            streams[..count].sort_by_key(|i| Reverse(self.segments[*i].left()));
            let two = [streams[0], streams[1]];
            let tables = self.tables.get_disjoint_mut(two).expect("two streams");
            let segments = self.segments.get_disjoint_mut(two).expect("two streams");
            run::<T, 2, BITS, KERNEL>(buf, tables, segments);
        }
        for (tables, segment) in self.tables.iter_mut().zip(&mut self.segments).take(count) {
            run::<T, 1, BITS, KERNEL>(buf, [tables], [segment]);
            finish::<T, BITS>(buf, tables, segment);
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
        if best.0 > MIN_MATCH {
            segment.push(Token::match_(best.0, best.1 + 1));
            segment.pos += best.0;
        } else {
            segment.push(Token::literal(buf[pos]));
            segment.pos += 1;
        }
    }
    if segment.count > segment.counted {
        segment.count();
    }
}

/// Whether the processor can run the kernel of that name.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")
}

/// Takes steps as long as all `N` segments have a margin.
fn run<T: Thoroughness, const N: usize, const BITS: u32, const KERNEL: u8>(
    buf: &[u8],
    mut tables: [&mut Tables; N],
    mut segments: [&mut Segment; N],
) {
    loop {
        let room = segments.iter().map(|segment| segment.left()).min().unwrap_or(0);
        if room < MARGIN {
            return;
        }
        let steps = ((room - MARGIN) / (1 + MAX_MATCH) + 1).min(RUN_LEN / 4);
        // SAFETY: a step moves by 1 + 258 bytes at most, so all `steps` begin with a margin. That the processor
        // can run the kernel is known to whoever chose it.
        unsafe {
            if BITS == SMALL_BITS || segments.iter().any(|segment| segment.pos < WINDOW_LEN) {
                take_steps::<T, N, BITS, true, KERNEL>(buf, &mut tables, &mut segments, steps);
            } else {
                take_steps::<T, N, BITS, false, KERNEL>(buf, &mut tables, &mut segments, steps);
            }
        }
        for (segment, tables) in segments.iter_mut().zip(&mut tables) {
            if segment.has_run() {
                segment.count();
                if segment.noisy_runs > 0 {
                    segment.skip_noise::<T, BITS>(tables, buf);
                }
            }
        }
    }
}

/// Takes `steps` steps in each of `N` segments. `EARLY` if a window may reach back to before the buffer.
///
/// # Safety
/// In each segment, each step begins with [`MARGIN`] bytes, and [`MAX_BACK`] are before it; in the
/// buffer, [`WINDOW_LEN`], unless `EARLY`. The processor can run the kernel.
#[inline(never)]
unsafe fn take_steps<
    T: Thoroughness,
    const N: usize,
    const BITS: u32,
    const EARLY: bool,
    const KERNEL: u8,
>(
    buf: &[u8],
    tables: &mut [&mut Tables; N],
    segments: &mut [&mut Segment; N],
    steps: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if KERNEL == AVX2 {
            return take_steps_by_avx2::<T, N, BITS, EARLY>(buf, tables, segments, steps);
        }
        take_steps_by::<T, N, BITS, EARLY, KERNEL>(buf, tables, segments, steps);
    }
}

/// # Safety
/// As [`take_steps`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
unsafe fn take_steps_by_avx2<T: Thoroughness, const N: usize, const BITS: u32, const EARLY: bool>(
    buf: &[u8],
    tables: &mut [&mut Tables; N],
    segments: &mut [&mut Segment; N],
    steps: usize,
) {
    // SAFETY: the caller's.
    unsafe { take_steps_by::<T, N, BITS, EARLY, AVX2>(buf, tables, segments, steps) }
}

/// # Safety
/// As [`take_steps`].
#[inline(always)]
unsafe fn take_steps_by<
    T: Thoroughness,
    const N: usize,
    const BITS: u32,
    const EARLY: bool,
    const KERNEL: u8,
>(
    buf: &[u8],
    tables: &mut [&mut Tables; N],
    segments: &mut [&mut Segment; N],
    steps: usize,
) {
    let mut at = segments.each_ref().map(|segment| (segment.pos, segment.count));
    let tokens = segments.each_mut().map(|segment| &mut segment.tokens[..]);
    let mut entries = [[[0; 3]; 2]; N];
    let mut found = [Found::default(); N];
    for _ in 0..steps {
        // SAFETY: the caller's.
        unsafe {
            for i in 0..N {
                entries[i] = look_up::<T, BITS, KERNEL>(buf, tables[i], at[i].0);
            }
            for i in 0..N {
                found[i] = compare::<T, EARLY, KERNEL>(buf, at[i].0, entries[i], found[i]);
            }
            for i in 0..N {
                if found[i].len == COMPARED {
                    let pos = at[i].0 + usize::from(found[i].is_next);
                    let dist_less_1 = found[i].dist_less_1;
                    found[i].len = match KERNEL {
                        #[cfg(target_arch = "x86_64")]
                        AVX2 => extend_by_avx2::<T, BITS>(buf, tables[i], pos, dist_less_1),
                        _ => extend::<T, BITS, KERNEL>(buf, tables[i], pos, dist_less_1),
                    };
                }
            }
            for i in 0..N {
                at[i] = take::<T, KERNEL>(buf, tokens[i], at[i], found[i]);
                #[cfg(target_arch = "x86_64")]
                _mm_prefetch::<_MM_HINT_T0>(buf.as_ptr().wrapping_add(at[i].0 + PREFETCHED).cast());
            }
        }
    }
    for (segment, at) in segments.iter_mut().zip(at) {
        (segment.pos, segment.count) = at;
    }
}

/// The first part of a step from `p` on: inserts the positions before `p`, then `p` and `p + 1`. Returns
/// what was there for these two.
///
/// # Safety
/// As [`take_steps`].
#[inline(always)]
unsafe fn look_up<T: Thoroughness, const BITS: u32, const KERNEL: u8>(
    buf: &[u8],
    tables: &mut Tables,
    p: usize,
) -> [[u16; 3]; 2] {
    // SAFETY: the caller's.
    unsafe {
        for back in (1..=T::BACK).rev() {
            insert::<T, BITS>(tables, load::<KERNEL>(buf, p - back), p - back);
        }
        [p, p + 1].map(|pos| insert::<T, BITS>(tables, load::<KERNEL>(buf, pos), pos))
    }
}

/// The best match at a position or at the next: the longer one, the first of two as long.
#[derive(Clone, Copy, Default)]
struct Found {
    /// How many bytes are equal, [`COMPARED`] at most until it is extended. Often too few for a match.
    len: usize,
    dist_less_1: usize,
    /// Whether it is at the next position.
    is_next: bool,
    /// Whether the step before found nothing.
    is_after_none: bool,
}

/// The second part of a step: what the candidates are worth, if `before` was found by the step before.
///
/// # Safety
/// As [`take_steps`].
#[inline(always)]
unsafe fn compare<T: Thoroughness, const EARLY: bool, const KERNEL: u8>(
    buf: &[u8],
    p: usize,
    entries: [[u16; 3]; 2],
    before: Found,
) -> Found {
    // SAFETY: the caller's.
    let (mut len_a, mut dist_a) = unsafe { longest::<T, EARLY, KERNEL>(buf, p, entries[0]) };
    // SAFETY: the caller's.
    let (len_b, dist_b) = unsafe { longest::<T, EARLY, KERNEL>(buf, p + 1, entries[1]) };
    let is_next = if T::IS_LAZY {
        let is_better = before.is_next & (before.len >= len_a);
        len_a = select(is_better, before.len, len_a);
        dist_a = select(is_better, before.dist_less_1, dist_a);
        // A byte counts for four bits, the literal for half a byte; a dist's bits are those of its extra
        // bits.
        let bits = (4 * (len_b as i32 - len_a as i32) - 2).clamp(-16, 16);
        let is_longer = (dist_b as u64 + 1) << 16 < (dist_a as u64 + 1) << (16 + bits);
        pays::<T>(len_b, dist_b) & ((len_a < T::LEAST_LEN) | is_longer)
    } else {
        len_a < len_b
    };
    Found {
        len: select(is_next, len_b, len_a),
        dist_less_1: select(is_next, dist_b, dist_a),
        is_next,
        is_after_none: T::SKIPS && !pays::<T>(before.len, before.dist_less_1),
    }
}

/// Whether a match is worth its symbols.
#[inline(always)]
fn pays<T: Thoroughness>(len: usize, dist_less_1: usize) -> bool {
    (len > MIN_MATCH) | ((len >= T::LEAST_LEN) & (dist_less_1 < MAX_SHORTEST_DIST))
}

/// The longest of the candidates for `pos`: its length, [`COMPARED`] at most, and its dist less 1.
///
/// # Safety
/// As [`take_steps`].
#[inline(always)]
unsafe fn longest<T: Thoroughness, const EARLY: bool, const KERNEL: u8>(
    buf: &[u8],
    pos: usize,
    [short, long, shortest]: [u16; 3],
) -> (usize, usize) {
    // SAFETY: the caller's.
    let (mut len, mut dist_less_1) = unsafe { candidate::<EARLY, KERNEL>(buf, pos, short) };
    for (has, entry) in [(T::HAS_LONG, long), (T::HAS_SHORTEST, shortest)] {
        if has {
            // SAFETY: the caller's.
            let (other_len, other_dist) = unsafe { candidate::<EARLY, KERNEL>(buf, pos, entry) };
            let is_longer = len < other_len;
            len = select(is_longer, other_len, len);
            dist_less_1 = select(is_longer, other_dist, dist_less_1);
        }
    }
    (len, dist_less_1)
}

/// What `entry` is worth at `pos`: as [`longest`]. No closure: instructions that only some processors have
/// become calls in what is not inlined.
///
/// # Safety
/// As [`take_steps`].
#[inline(always)]
unsafe fn candidate<const EARLY: bool, const KERNEL: u8>(
    buf: &[u8],
    pos: usize,
    entry: u16,
) -> (usize, usize) {
    let dist_less_1 = dist_less_1(pos, entry);
    let dist_less_1 = if EARLY { dist_less_1.min(pos - 1) } else { dist_less_1 };
    // SAFETY: positions are at most `MARGIN` - `COMPARED` ahead, and back as far as a dist, which has
    // been limited if it must be.
    let len = unsafe { equal_len::<COMPARED, KERNEL>(buf, pos - 1 - dist_less_1, pos) };
    (len, dist_less_1)
}

/// The part of few steps: returns the length of a match whose first [`COMPARED`] bytes are equal; inserts
/// some of what it skips.
///
/// # Safety
/// As [`take_steps`].
#[inline(never)]
unsafe fn extend<T: Thoroughness, const BITS: u32, const KERNEL: u8>(
    buf: &[u8],
    tables: &mut Tables,
    pos: usize,
    dist_less_1: usize,
) -> usize {
    // SAFETY: the caller's.
    unsafe { extend_by::<T, BITS, KERNEL>(buf, tables, pos, dist_less_1) }
}

/// # Safety
/// As [`take_steps`].
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2")]
unsafe fn extend_by_avx2<T: Thoroughness, const BITS: u32>(
    buf: &[u8],
    tables: &mut Tables,
    pos: usize,
    dist_less_1: usize,
) -> usize {
    // SAFETY: the caller's.
    unsafe { extend_by::<T, BITS, AVX2>(buf, tables, pos, dist_less_1) }
}

/// # Safety
/// As [`take_steps`].
#[inline(always)]
unsafe fn extend_by<T: Thoroughness, const BITS: u32, const KERNEL: u8>(
    buf: &[u8],
    tables: &mut Tables,
    pos: usize,
    dist_less_1: usize,
) -> usize {
    let from = pos - 1 - dist_less_1;
    let mut len = COMPARED;
    // SAFETY: the margin ends behind the piece in which a match gets too long.
    unsafe {
        while len < MAX_MATCH {
            let equal = equal_len::<COMPARED_MORE, KERNEL>(buf, from + len, pos + len);
            len += equal;
            if equal < COMPARED_MORE {
                break;
            }
        }
        len = len.min(MAX_MATCH);
        let span = if T::HAS_LONG { len - T::BACK } else { 3 * T::IN_LONG };
        for i in 0..T::IN_LONG {
            let at = pos + 1 + span * i / T::IN_LONG;
            let bytes = load::<KERNEL>(buf, at);
            if T::HAS_LONG {
                insert_long::<BITS>(tables, bytes, at);
            } else {
                insert::<T, BITS>(tables, bytes, at);
            }
        }
    }
    len
}

/// The last part of a step: adds tokens for what was found. Returns the next position and number of tokens.
///
/// # Safety
/// As [`take_steps`].
#[inline(always)]
unsafe fn take<T: Thoroughness, const KERNEL: u8>(
    buf: &[u8],
    tokens: &mut [Token],
    (p, count): (usize, usize),
    Found { len, dist_less_1, is_next, is_after_none }: Found,
) -> (usize, usize) {
    let is_match = pays::<T>(len, dist_less_1);
    // SAFETY: of tokens there are never more than bytes before `p`, and room is for two more.
    unsafe {
        let bytes = load::<KERNEL>(buf, p);
        let literals = bytes as u16;
        let (literal, match_) = (Token::literal(literals as u8), Token::found(len, dist_less_1));
        let first = select(is_match, select(is_next, literal, match_), Token::literals(literals));
        store::<KERNEL, _>(tokens, count, first);
        if T::IS_LAZY {
            return (p + select(is_match, select(is_next, 1, len), 2), count + 1);
        }
        if T::SKIPS {
            let second = select(is_match, match_, Token::literals((bytes >> 16) as u16));
            store::<KERNEL, _>(tokens, count + 1, second);
            let literals = select(is_after_none, 4, 2);
            let has_second = select(is_match, is_next, is_after_none);
            return (
                p + select(is_match, len + usize::from(is_next), literals),
                count + 1 + usize::from(has_second),
            );
        }
        store::<KERNEL, _>(tokens, count + 1, match_);
    }
    let next = p + select(is_match, len + usize::from(is_next), 2);
    (next, count + 1 + usize::from(is_match & is_next))
}

/// How many of the `LEN` bytes (a multiple of 16, 64 at most) from `a` and from `b` on are equal before
/// the first that differ.
///
/// # Safety
/// They are there, unless it is [`CHECKED`].
#[inline(always)]
unsafe fn equal_len<const LEN: usize, const KERNEL: u8>(buf: &[u8], a: usize, b: usize) -> usize {
    const { assert!(LEN.is_multiple_of(16) && LEN <= 64) };
    #[cfg(target_arch = "x86_64")]
    if KERNEL != CHECKED {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256,
            _mm256_movemask_epi8,
        };
        debug_assert!(a.max(b) + LEN <= buf.len());
        let mut equal = 0;
        if KERNEL == AVX2 && LEN.is_multiple_of(32) {
            for at in (0..LEN).step_by(32) {
                // SAFETY: the caller's.
                let mask = unsafe {
                    let load = |from| _mm256_loadu_si256(buf.as_ptr().add(from + at).cast());
                    _mm256_movemask_epi8(_mm256_cmpeq_epi8(load(a), load(b)))
                };
                equal |= u64::from(mask as u32) << at;
            }
            return (!equal).trailing_zeros() as usize;
        }
        for at in (0..LEN).step_by(16) {
            // SAFETY: the caller's; every x86-64 has these instructions.
            let mask = unsafe {
                let load = |from| _mm_loadu_si128(buf.as_ptr().add(from + at).cast());
                _mm_movemask_epi8(_mm_cmpeq_epi8(load(a), load(b)))
            };
            equal |= (mask as u64) << at;
        }
        return (!equal).trailing_zeros() as usize;
    }
    let mut bits = 0;
    for at in (0..LEN).step_by(8).rev() {
        // SAFETY: the caller's.
        let differing = unsafe { load::<KERNEL>(buf, a + at) ^ load::<KERNEL>(buf, b + at) };
        bits = select(differing == 0, 64 + bits, differing.trailing_zeros());
    }
    (bits / 8) as usize
}

/// How far back an entry points from `pos`, less 1.
#[inline(always)]
fn dist_less_1(pos: usize, entry: u16) -> usize {
    pos.wrapping_sub(1).wrapping_sub(usize::from(entry)) % WINDOW_LEN
}

/// Eight bytes as a number.
#[inline(always)]
fn u64_at(buf: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(buf[at..at + 8].try_into().expect("eight bytes"))
}

/// How many bytes from `a` and from `b` on are equal, `max_len` at most.
fn match_len(buf: &[u8], a: usize, b: usize, max_len: usize) -> usize {
    buf[a..].iter().zip(&buf[b..b + max_len]).take_while(|(a, b)| a == b).count()
}

/// Eight bytes as a number.
///
/// # Safety
/// They are there, unless it is [`CHECKED`].
#[inline(always)]
unsafe fn load<const KERNEL: u8>(buf: &[u8], at: usize) -> u64 {
    if KERNEL == CHECKED {
        return u64_at(buf, at);
    }
    debug_assert!(at + 8 <= buf.len());
    // SAFETY: the caller's.
    u64::from_le(unsafe { buf.as_ptr().add(at).cast::<u64>().read_unaligned() })
}

/// # Safety
/// There is such an element, unless it is [`CHECKED`].
#[inline(always)]
unsafe fn store<const KERNEL: u8, T>(slice: &mut [T], at: usize, value: T) {
    if KERNEL == CHECKED {
        slice[at] = value;
    } else {
        debug_assert!(at < slice.len());
        // SAFETY: the caller's.
        unsafe { *slice.get_unchecked_mut(at) = value };
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};

    const EFFORTS: [Effort; 3] = [Effort::Least, Effort::Less, Effort::More];

    /// Encodes `data[start..]` with what is before it as window, by a parser with memory of other data; in
    /// the same way by one that checks all bounds.
    fn encode(effort: Effort, data: &[u8], start: usize) -> Vec<u8> {
        thread_local! {
            static PARSERS: RefCell<[Fast; 3]> = RefCell::default();
        }
        let chunk = Chunk { buf: data, data: start..data.len(), cuts: &[], is_last: true };
        let (mut out, mut checked, mut portable) = (Vec::new(), Vec::new(), Vec::new());
        PARSERS.with_borrow_mut(|[parser, other, third]| {
            parser.encode(effort, &chunk, &mut out);
            other.encode_as::<CHECKED>(effort, &chunk, &mut checked);
            third.encode_as::<PORTABLE>(effort, &chunk, &mut portable);
            other.encode(Effort::More, &Chunk { data: 0..data.len(), ..chunk }, &mut Vec::new());
        });
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
