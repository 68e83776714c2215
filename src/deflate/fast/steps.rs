#![expect(unsafe_code, reason = "steps know how much room there is")]
//! HOT PATH. The parser's step, of one stream or several in turn; [`super::turns`] does the same for some of them.
//! The streams take each part of a step in turn: what waits for memory is then near the front of the processor's
//! queues.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::hint::select_unpredictable as select;

use super::super::token::{self, Draft, MAX_MATCH, MIN_MATCH, Token};
use super::effort::{MAX_STREAMS, Thoroughness};
use super::tables::{Tables, dist_less_1, insert, insert_long, insert_short, u64_at};
#[cfg(target_arch = "x86_64")]
use super::turns;
use super::{Fast, Segment};
#[cfg(target_arch = "x86_64")]
use crate::cpu::{self, Cpu};

/// The farthest dist less 1 at which a match of 3 bytes is taken, if the level looks for them: beyond it,
/// three literals tend to be shorter.
const MAX_SHORTEST_DIST: usize = 1 << 10;
/// Who takes steps: the oracle of the others, which checks all bounds; what any processor can; AVX2 and BMI.
pub(super) const CHECKED: u8 = 0;
pub(super) const PORTABLE: u8 = 1;
#[cfg(target_arch = "x86_64")]
pub(super) const AVX2: u8 = 2;

/// What a step compares without a branch: as a rule; where matches are long, so that there is seldom more to compare.
pub(super) const FEW_COMPARED: usize = 32;
pub(super) const MANY_COMPARED: usize = 64;
/// What is compared of a longer match at a time.
const COMPARED_MORE: usize = 64;
/// So far ahead data are fetched into the nearest cache: several streams with jumps are too much for the
/// processor to foresee.
#[cfg(target_arch = "x86_64")]
pub(super) const PREFETCHED: usize = 256;
/// What a step may look at from its position on, [`FEW_COMPARED`] or more: it moves by 1 + 258 bytes, of which what is
/// beyond the first ones is compared in whole pieces.
pub(super) const MARGIN: usize =
    1 + MANY_COMPARED + (MAX_MATCH - MANY_COMPARED).next_multiple_of(COMPARED_MORE);

impl Fast {
    /// Takes `steps` steps in each of the `N` segments that `streams` names. `EARLY` if a window may reach back to
    /// before the buffer.
    ///
    /// # Safety
    /// In each segment, each step begins with [`MARGIN`] bytes, and [`MAX_BACK`](super::effort::MAX_BACK) are before
    /// it; in the buffer, [`WINDOW_LEN`](super::WINDOW_LEN), unless `EARLY`. The processor can run the kernel.
    #[inline(never)]
    pub(super) unsafe fn take_steps<
        T: Thoroughness,
        const N: usize,
        const BITS: u32,
        const EARLY: bool,
        const COMPARED: usize,
        const KERNEL: u8,
    >(
        &mut self,
        buf: &[u8],
        streams: [usize; N],
        steps: usize,
    ) {
        let Fast { tables, segments, has_avx512, has_looked_ahead } = self;
        // SAFETY: the caller's.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            if KERNEL == AVX2 {
                let is_known = !(EARLY && *has_looked_ahead);
                if N == MAX_STREAMS && BITS == turns::BITS && turns::can_take::<T>() && is_known {
                    return turns::take::<T, COMPARED>(buf, tables, segments, steps, *has_avx512);
                }
                return take_steps_by_avx2::<T, N, BITS, EARLY, COMPARED>(
                    buf, tables, segments, streams, steps,
                );
            }
            take_steps_by::<T, N, BITS, EARLY, COMPARED, KERNEL>(buf, tables, segments, streams, steps);
        }
    }
}

/// # Safety
/// As [`Fast::take_steps`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
unsafe fn take_steps_by_avx2<
    T: Thoroughness,
    const N: usize,
    const BITS: u32,
    const EARLY: bool,
    const COMPARED: usize,
>(
    buf: &[u8],
    tables: &mut [Tables; MAX_STREAMS],
    segments: &mut [Segment; MAX_STREAMS],
    streams: [usize; N],
    steps: usize,
) {
    // SAFETY: the caller's.
    unsafe { take_steps_by::<T, N, BITS, EARLY, COMPARED, AVX2>(buf, tables, segments, streams, steps) }
}

/// # Safety
/// As [`Fast::take_steps`].
#[inline(always)]
unsafe fn take_steps_by<
    T: Thoroughness,
    const N: usize,
    const BITS: u32,
    const EARLY: bool,
    const COMPARED: usize,
    const KERNEL: u8,
>(
    buf: &[u8],
    tables: &mut [Tables; MAX_STREAMS],
    segments: &mut [Segment; MAX_STREAMS],
    streams: [usize; N],
    steps: usize,
) {
    let tables = tables.get_disjoint_mut(streams).expect("streams differ");
    let mut segments = segments.get_disjoint_mut(streams).expect("streams differ");
    let mut at = segments.each_ref().map(|segment| (segment.pos, segment.count));
    let drafts = segments.each_mut().map(|segment| &mut segment.tokens[..]);
    let mut entries = [[[0; 3]; 2]; N];
    let mut found = [Found::default(); N];
    for _ in 0..steps {
        // SAFETY: the caller's.
        unsafe {
            for i in 0..N {
                entries[i] = look_up::<T, BITS, KERNEL>(buf, tables[i], at[i].0);
            }
            for i in 0..N {
                found[i] = compare::<T, EARLY, COMPARED, KERNEL>(buf, at[i].0, entries[i], found[i]);
            }
            for i in 0..N {
                if found[i].len == COMPARED {
                    let pos = at[i].0 + usize::from(found[i].is_next);
                    let dist_less_1 = found[i].dist_less_1;
                    found[i].len = match KERNEL {
                        #[cfg(target_arch = "x86_64")]
                        AVX2 => extend_by_avx2::<T, BITS, COMPARED>(buf, tables[i], pos, dist_less_1),
                        _ => extend::<T, BITS, COMPARED, KERNEL>(buf, tables[i], pos, dist_less_1),
                    };
                }
            }
            for i in 0..N {
                at[i] = take::<T, KERNEL>(buf, drafts[i], at[i], found[i]);
                #[cfg(target_arch = "x86_64")]
                _mm_prefetch::<_MM_HINT_T0>(buf.as_ptr().wrapping_add(at[i].0 + PREFETCHED).cast());
            }
        }
    }
    for (segment, at) in segments.iter_mut().zip(at) {
        (segment.pos, segment.count) = at;
    }
}

/// Turns drafts into tokens.
pub(super) fn settle(drafts: &mut [Token]) {
    #[cfg(target_arch = "x86_64")]
    {
        /// Eight at a time.
        #[target_feature(enable = "avx2")]
        fn settle_by_avx2(drafts: &mut [Token]) {
            token::settle(drafts);
        }
        if cpu::has(Cpu::Avx2) {
            // SAFETY: the processor has it.
            return unsafe { settle_by_avx2(drafts) };
        }
    }
    token::settle(drafts);
}

/// The first part of a step from `p` on: inserts the positions before `p`, then `p` and `p + 1`. Returns
/// what was there for these two.
///
/// # Safety
/// As [`Fast::take_steps`].
#[inline(always)]
unsafe fn look_up<T: Thoroughness, const BITS: u32, const KERNEL: u8>(
    buf: &[u8],
    tables: &mut Tables,
    p: usize,
) -> [[u16; 3]; 2] {
    // SAFETY: the caller's.
    unsafe {
        for back in (1..=T::BACK).rev() {
            let bytes = load::<KERNEL>(buf, p - back);
            if T::IS_BACK_LONG {
                insert::<T, BITS>(tables, bytes, p - back);
            } else {
                insert_short::<T, BITS>(tables, bytes, p - back);
            }
        }
        [p, p + 1].map(|pos| insert::<T, BITS>(tables, load::<KERNEL>(buf, pos), pos))
    }
}

/// The best match at a position or at the next: the longer one, the first of two as long.
#[derive(Clone, Copy, Default)]
struct Found {
    /// How many bytes are equal, `COMPARED` at most until it is extended. Often too few for a match.
    len: usize,
    dist_less_1: usize,
    /// Whether it is at the next position.
    is_next: bool,
    /// How many pairs of literals are taken beside the first one if this is nothing.
    more: usize,
}

/// The second part of a step: what the candidates are worth, if `before` was found by the step before.
///
/// # Safety
/// As [`Fast::take_steps`].
#[inline(always)]
unsafe fn compare<T: Thoroughness, const EARLY: bool, const COMPARED: usize, const KERNEL: u8>(
    buf: &[u8],
    p: usize,
    entries: [[u16; 3]; 2],
    before: Found,
) -> Found {
    // SAFETY: the caller's.
    let (mut len_a, mut dist_a) = unsafe { longest::<T, EARLY, COMPARED, KERNEL>(buf, p, entries[0]) };
    // SAFETY: the caller's.
    let (len_b, dist_b) = unsafe { longest::<T, EARLY, COMPARED, KERNEL>(buf, p + 1, entries[1]) };
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
        more: select(
            pays::<T>(before.len, before.dist_less_1),
            0,
            T::MORE[before.more.min(T::MORE.len() - 1)],
        ),
    }
}

/// Whether a match is worth its symbols.
#[inline(always)]
fn pays<T: Thoroughness>(len: usize, dist_less_1: usize) -> bool {
    (len >= T::LEAST_LEN) & ((len > MIN_MATCH) | (dist_less_1 < MAX_SHORTEST_DIST))
}

/// The longest of the candidates for `pos`: its length, `COMPARED` at most, and its dist less 1.
///
/// # Safety
/// As [`Fast::take_steps`].
#[inline(always)]
unsafe fn longest<T: Thoroughness, const EARLY: bool, const COMPARED: usize, const KERNEL: u8>(
    buf: &[u8],
    pos: usize,
    [short, long, shortest]: [u16; 3],
) -> (usize, usize) {
    // SAFETY: the caller's.
    let (mut len, mut dist_less_1) = unsafe { candidate::<EARLY, COMPARED, KERNEL>(buf, pos, short) };
    for (has, entry) in [(T::HAS_LONG, long), (T::HAS_SHORTEST, shortest)] {
        if has {
            // SAFETY: the caller's.
            let (other_len, other_dist) = unsafe { candidate::<EARLY, COMPARED, KERNEL>(buf, pos, entry) };
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
/// As [`Fast::take_steps`].
#[inline(always)]
unsafe fn candidate<const EARLY: bool, const COMPARED: usize, const KERNEL: u8>(
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

/// The part of few steps: returns the length of a match whose first `COMPARED` bytes are equal; inserts
/// some of what it skips.
///
/// # Safety
/// As [`Fast::take_steps`].
#[inline(never)]
unsafe fn extend<T: Thoroughness, const BITS: u32, const COMPARED: usize, const KERNEL: u8>(
    buf: &[u8],
    tables: &mut Tables,
    pos: usize,
    dist_less_1: usize,
) -> usize {
    // SAFETY: the caller's.
    unsafe { extend_by::<T, BITS, COMPARED, KERNEL>(buf, tables, pos, dist_less_1) }
}

/// # Safety
/// As [`Fast::take_steps`].
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2")]
unsafe fn extend_by_avx2<T: Thoroughness, const BITS: u32, const COMPARED: usize>(
    buf: &[u8],
    tables: &mut Tables,
    pos: usize,
    dist_less_1: usize,
) -> usize {
    // SAFETY: the caller's.
    unsafe { extend_by::<T, BITS, COMPARED, AVX2>(buf, tables, pos, dist_less_1) }
}

/// # Safety
/// As [`Fast::take_steps`].
#[inline(always)]
unsafe fn extend_by<T: Thoroughness, const BITS: u32, const COMPARED: usize, const KERNEL: u8>(
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

/// The last part of a step: adds drafts of tokens for what was found. Returns the next position and number of
/// tokens.
///
/// # Safety
/// As [`Fast::take_steps`].
#[inline(always)]
unsafe fn take<T: Thoroughness, const KERNEL: u8>(
    buf: &[u8],
    drafts: &mut [Token],
    (p, count): (usize, usize),
    Found { len, dist_less_1, is_next, more }: Found,
) -> (usize, usize) {
    let is_match = pays::<T>(len, dist_less_1);
    // SAFETY: of tokens there are never more than bytes before `p`, and room is for two more, and as many as are in a margin.
    unsafe {
        let bytes = load::<KERNEL>(buf, p);
        let match_ = Draft::match_(len, dist_less_1);
        let first = select(is_match & !is_next, match_, Draft::literals(bytes as u16, is_match));
        store::<KERNEL, _>(drafts, count, first);
        if T::IS_LAZY {
            return (p + select(is_match, select(is_next, 1, len), 2), count + 1);
        }
        if T::MORE[0] > 0 {
            let second = select(is_match, match_, Draft::literals((bytes >> 16) as u16, false));
            store::<KERNEL, _>(drafts, count + 1, second);
            for i in 2..=T::MORE[0].max(T::MORE[1]) {
                let bytes = load::<KERNEL>(buf, p + 2 * i);
                store::<KERNEL, _>(drafts, count + i, Draft::literals(bytes as u16, false));
            }
            return (
                p + select(is_match, len + usize::from(is_next), 2 + 2 * more),
                count + 1 + select(is_match, is_next.into(), more),
            );
        }
        store::<KERNEL, _>(drafts, count + 1, match_);
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
