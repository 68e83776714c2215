#![expect(
    unsafe_code,
    reason = "the hot loops read the data without bounds checks; tables are in a map of their own"
)]
//! HOT PATH. Hash chains: the earlier places where the next bytes may stand too, nearest first.
//!
//! All places of four bytes in the window (or of up to eight, where few different bytes occur, so that four are
//! everywhere) are known, each linked to the one before it; of three bytes, where they are looked for, too, of which
//! only the nearest place is asked for.
//!
//! Why it is fast: positions are inserted in batches ahead of the search, eight at a time in a loop without
//! branches that depend on the data; links lead back only, so what is ahead does not disturb. And a search
//! goes along whichever chain is shorter at that point: that of the bytes where it begins, or that of those
//! where a match would have to be longer than the best one. Mostly the latter are rare, and often
//! they are nowhere in the window. zlib-ng's slow levels choose between chains, too.
//!
//! Thorough searches have chains of eight bytes besides (of sixteen, where the others are of eight), for matches that
//! are at least as long: of what such a chain leads to, most is of use, where chains of four lead through hundreds of
//! places to find a longer match.
//!
//! The data are read through [`Bytes`]. The argument for its contract: whatever is inserted was in the data,
//! links lead from inserted positions to earlier ones, and a match never goes beyond `end`, which
//! is in the data. Tests run the same code with bounds checks.

use std::hint::select_unpredictable as select;
use std::ops::{Deref, DerefMut, Range};

use memmap2::MmapMut;

use super::token::{MAX_MATCH, MIN_MATCH, WINDOW_LEN, dist_symbol};
#[cfg(target_arch = "x86_64")]
use crate::cpu::{self, Cpu};

/// How thorough a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    /// The most candidates that are compared; the first two always are, but for short searches in binary data.
    pub(super) max_chain: u32,
    /// A match of this length is good enough to end the search.
    pub(super) nice_len: usize,
}

impl Effort {
    /// Whether time is what counts. In binary data, such searches end where the first candidate is another one's: hardly any
    /// match is behind it, and whether there is a second one is hard to guess.
    #[inline(always)]
    pub(super) fn is_short(self) -> bool {
        self.max_chain < 16
    }
}

/// Which of the matches that are found is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste {
    /// Whether none that is a little longer and much farther away.
    pub(super) weighs_dists: bool,
    /// The farthest dist of three bytes.
    pub(super) max_short_dist: usize,
}

/// A match; length 0 if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Match {
    /// Number of bytes.
    pub(super) len: usize,
    /// How far back it begins.
    pub(super) dist: usize,
}

impl Match {
    /// What it is worth: a byte counts for four, the bits of its dist for one each.
    #[inline(always)]
    pub(super) fn worth(self) -> i32 {
        4 * self.len as i32 - (self.dist | 1).ilog2() as i32
    }
}

/// Reads numbers from data.
pub(super) trait Bytes: Copy {
    /// How many bytes there are.
    fn len(self) -> usize;
    /// Four bytes from `at` on.
    ///
    /// # Safety
    /// They are there.
    unsafe fn u32_at(self, at: usize) -> u32;
    /// Eight bytes from `at` on.
    ///
    /// # Safety
    /// They are there.
    unsafe fn u64_at(self, at: usize) -> u64;
}

/// Bytes that are read without asking whether they are there.
#[derive(Clone, Copy)]
pub(super) struct Unchecked<'a>(pub(super) &'a [u8]);

impl Bytes for Unchecked<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    unsafe fn u32_at(self, at: usize) -> u32 {
        debug_assert!(at + 4 <= self.0.len());
        // SAFETY: the four bytes are in the slice, says the caller.
        u32::from_le(unsafe { self.0.as_ptr().add(at).cast::<u32>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn u64_at(self, at: usize) -> u64 {
        debug_assert!(at + 8 <= self.0.len());
        // SAFETY: the eight bytes are in the slice, says the caller.
        u64::from_le(unsafe { self.0.as_ptr().add(at).cast::<u64>().read_unaligned() })
    }
}

/// Bytes that a position to be inserted has to have behind it, where chains are of so many bytes.
const fn read_len(width: usize) -> usize {
    if width == 4 { 4 } else { 8 }
}

/// 2^32 by the golden ratio: its product with what is hashed has the best bits on top.
pub(super) const HASH_FACTOR: u32 = 0x9e37_79b1;
/// The same of 2^64.
pub(super) const LONG_HASH_FACTOR: u64 = 0x9e37_79b1_85eb_ca87;

/// The index of the first `width` (3 to 8) of `bytes` in a table of 2^`bits` entries.
#[inline(always)]
pub(super) fn index(width: usize, bytes: u64, bits: u32) -> usize {
    let index = match width {
        3 => ((bytes as u32) << 8).wrapping_mul(HASH_FACTOR) >> (32 - bits),
        4 => (bytes as u32).wrapping_mul(HASH_FACTOR) >> (32 - bits),
        _ => ((bytes << (64 - 8 * width)).wrapping_mul(LONG_HASH_FACTOR) >> (64 - bits)) as u32,
    };
    index as usize % (1 << MAX_BITS)
}

/// The most bits of an index.
const MAX_BITS: u32 = 16;

/// A position that is out of reach from everywhere.
const NOWHERE: i16 = i16::MIN;

/// The most places that are compared for three bytes where all matches are asked for.
const MAX_CHAIN3: u32 = 16;

/// How many positions are inserted at a time, at least.
const BATCH_LEN: usize = 64;

/// The farthest that a match is looked for. [`NOWHERE`] is farther from all that is inserted.
const MAX_DIST: usize = WINDOW_LEN - 1;

/// So many positions are inserted together.
const GROUP: usize = 4;

/// The tables. Positions in them are counted from `base`, a multiple of [`WINDOW_LEN`]; those that are
/// more than a window before it are [`NOWHERE`].
pub(super) struct Chains {
    tables: Place,
    base: usize,
    /// All positions before this one are inserted.
    inserted: usize,
    /// The farthest one that had to be. What is inserted beyond it is less than [`BATCH_LEN`].
    needed: usize,
    /// Bits of indexes into the tables of chains, of wide ones, and of those of three bytes, 0 if one is not used.
    bits: u32,
    wide_bits: u32,
    bits3: u32,
}

/// By position, modulo the window: the last position before it with the same hash.
type Links = [[i16; GROUP]; WINDOW_LEN / GROUP];

/// All in one place: how fast they are would else depend on where each happens to be.
#[repr(C)]
struct Tables {
    /// By hash of the bytes that chains are of, the last position, and the positions before each.
    last: [i16; 1 << MAX_BITS],
    links: Links,
    /// The same for three bytes, and for wide chains.
    last3: [i16; 1 << MAX_BITS],
    links3: Links,
    wide_last: [i16; 1 << MAX_BITS],
    wide_links: [i16; WINDOW_LEN],
}

impl Default for Chains {
    fn default() -> Chains {
        Chains { tables: Place::new(), base: 0, inserted: 0, needed: 0, bits: 0, wide_bits: 0, bits3: 0 }
    }
}

/// Where [`Tables`] are: pages of their own, zeroed by the system when they are first used. Short data use few, and
/// levels that have no chains none.
struct Place(MmapMut);

impl Place {
    fn new() -> Place {
        Place(MmapMut::map_anon(size_of::<Tables>()).expect("there is memory for tables"))
    }
}

impl Deref for Place {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        // SAFETY: the map is as long as `Tables`, its begin that of a page, and any bytes are numbers.
        unsafe { &*self.0.as_ptr().cast() }
    }
}

impl DerefMut for Place {
    fn deref_mut(&mut self) -> &mut Tables {
        // SAFETY: as above.
        unsafe { &mut *self.0.as_mut_ptr().cast() }
    }
}

impl Chains {
    /// Forgets everything, and gets ready for `buf`, in which matches of `LEAST` (3 to 8) bytes and more
    /// are looked for.
    pub(super) fn begin<const LEAST: usize, B: Bytes>(&mut self, buf: B) -> Finder<'_, LEAST, B> {
        self.bits = ((buf.len() | 255).ilog2() + 1).min(MAX_BITS);
        self.bits3 = if Finder::<LEAST, B>::HAS_SHORT { self.bits } else { 0 };
        self.wide_bits = 0;
        self.tables.last[..1 << self.bits].fill(NOWHERE);
        if self.bits3 > 0 {
            self.tables.last3[..1 << self.bits3].fill(NOWHERE);
        }
        (self.base, self.inserted, self.needed) = (0, 0, 0);
        Finder { chains: self, buf }
    }

    /// The same for searches by [`Finder::find_thoroughly`].
    pub(super) fn begin_thorough<const LEAST: usize, B: Bytes>(&mut self, buf: B) -> Finder<'_, LEAST, B> {
        let finder = self.begin(buf);
        finder.chains.wide_bits = finder.chains.bits;
        finder.chains.tables.wide_last[..1 << finder.chains.bits].fill(NOWHERE);
        finder
    }

    /// Goes on to the next window.
    fn slide(&mut self) {
        self.base += WINDOW_LEN;
        slide(&mut self.tables.last[..1 << self.bits]);
        slide(self.tables.links.as_flattened_mut());
        if self.bits3 > 0 {
            slide(&mut self.tables.last3[..1 << self.bits3]);
            slide(self.tables.links3.as_flattened_mut());
        }
        if self.wide_bits > 0 {
            slide(&mut self.tables.wide_last[..1 << self.wide_bits]);
            slide(&mut self.tables.wide_links);
        }
    }

    /// The last position before `pos` in its chain; below all that are in reach if there is none. `pos` is
    /// inserted and in reach.
    #[inline(always)]
    fn link(&self, pos: usize) -> isize {
        self.base as isize + isize::from(self.tables.links.as_flattened()[pos % WINDOW_LEN])
    }

    /// The same in wide chains.
    #[inline(always)]
    fn wide_link(&self, pos: usize) -> isize {
        self.base as isize + isize::from(self.tables.wide_links[pos % WINDOW_LEN])
    }

    /// The same for three bytes.
    #[inline(always)]
    fn link3(&self, pos: usize) -> isize {
        self.base as isize + isize::from(self.tables.links3.as_flattened()[pos % WINDOW_LEN])
    }

    /// The first place in reach from `pos`: not too far, and with its link still there. Each position that is
    /// inserted takes the place of that a window before it; how many are depends on where the buffer begins,
    /// how many may be does not.
    #[inline(always)]
    fn lowest(&self, pos: usize) -> isize {
        let first_link = (self.needed + BATCH_LEN) as isize - WINDOW_LEN as isize;
        (pos.saturating_sub(MAX_DIST) as isize).max(first_link)
    }
}

/// Counts positions from a window later; what is too far back then is [`NOWHERE`].
fn slide(entries: &mut [i16]) {
    #[inline(always)]
    fn slide_by(entries: &mut [i16]) {
        entries.iter_mut().for_each(|entry| *entry = entry.saturating_add(i16::MIN));
    }
    #[cfg(target_arch = "x86_64")]
    {
        /// Sixteen at a time.
        #[target_feature(enable = "avx2")]
        fn slide_by_avx2(entries: &mut [i16]) {
            slide_by(entries);
        }
        if cpu::has(Cpu::Avx2) {
            // SAFETY: the processor has it.
            return unsafe { slide_by_avx2(entries) };
        }
    }
    slide_by(entries);
}

/// The longest list of matches at a position: one of each length.
pub(super) const MAX_FOUND: usize = 256;

/// A match in 32 bits: from the top its dist symbol (8 bits), length (9), dist less 1 (15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found(u32);

impl Found {
    #[inline(always)]
    pub(super) fn new(len: usize, dist: usize) -> Found {
        Found((dist_symbol(dist - 1).0 << 24 | len << 15 | (dist - 1)) as u32)
    }

    /// Number of bytes.
    #[inline(always)]
    pub(super) fn len(self) -> usize {
        (self.0 >> 15 & 0x1ff) as usize
    }

    /// How far back it begins.
    #[inline(always)]
    pub(super) fn dist(self) -> usize {
        (self.0 & 0x7fff) as usize + 1
    }

    /// The symbol of that.
    #[inline(always)]
    pub(super) fn dist_symbol(self) -> usize {
        (self.0 >> 24) as usize
    }
}

/// A search in the middle.
#[derive(Clone, Copy)]
struct Search {
    /// Where a match is searched for, and the four bytes there.
    pos: usize,
    bytes: u32,
    /// So many bytes follow in the data, or [`MAX_MATCH`].
    max_len: usize,
    /// A match of this length ends the search.
    nice_len: usize,
    /// The next candidate in the chain of `bytes`, and the first place where one may be.
    from: isize,
    lowest: isize,
    /// How many more may be compared.
    left: u32,
}

/// Finds matches in `buf`, by tables that are about no other data.
pub(super) struct Finder<'a, const LEAST: usize, B> {
    chains: &'a mut Chains,
    buf: B,
}

impl<const LEAST: usize, B: Bytes> Finder<'_, LEAST, B> {
    /// What chains are of, in bytes.
    const WIDTH: usize = if LEAST > MIN_MATCH { LEAST } else { LEAST + 1 };
    /// Whether three bytes are matches, too.
    const HAS_SHORT: bool = LEAST == MIN_MATCH;
    /// What wide chains are of, in bytes.
    const WIDE: usize = if Self::WIDTH < 8 { 8 } else { 16 };

    /// Inserts positions, `pos` and some more: whole groups, but at the end of the data.
    #[inline(never)]
    fn insert(&mut self, pos: usize) {
        let end = (pos / (2 * GROUP) * (2 * GROUP) + BATCH_LEN)
            .min((self.buf.len() + 1).saturating_sub(read_len(Self::WIDTH)));
        while self.chains.inserted < end {
            if self.chains.inserted - self.chains.base >= WINDOW_LEN {
                self.chains.slide();
            }
            let buf = self.buf;
            let Chains { tables, base, inserted, bits, wide_bits, bits3, .. } = &mut *self.chains;
            let range = *inserted..end.min(*base + WINDOW_LEN);
            let Tables { last, links, last3, links3, wide_last, wide_links } = &mut **tables;
            if *wide_bits > 0 {
                let to = range.end.min((buf.len() + 1).saturating_sub(Self::WIDE));
                // SAFETY: `at + WIDE <= buf.len()`, for `at < to`.
                let index = |at| unsafe { wide_index(Self::WIDE, buf, at, *wide_bits) };
                insert_wide(range.start..to, *base, wide_last, wide_links, index);
            }
            // SAFETY: `range.end - 1 + read_len(WIDTH) <= buf.len()`, and it begins with whole groups.
            unsafe {
                if Self::HAS_SHORT {
                    insert_all::<MIN_MATCH>(last3, links3, buf, range.clone(), *base, *bits3);
                }
                match Self::WIDTH {
                    4 => insert_all::<4>(last, links, buf, range.clone(), *base, *bits),
                    5 => insert_all::<5>(last, links, buf, range.clone(), *base, *bits),
                    6 => insert_all::<6>(last, links, buf, range.clone(), *base, *bits),
                    7 => insert_all::<7>(last, links, buf, range.clone(), *base, *bits),
                    _ => insert_all::<8>(last, links, buf, range.clone(), *base, *bits),
                }
            }
            *inserted = range.end;
        }
    }

    /// Where three bytes are matches: the first position from `pos` on, `end` at most, where [`Finder::find`] may find one. It asks for
    /// little else than whether there is one: much less work where literals are many.
    ///
    /// # Panics
    /// If `end` is behind the data.
    #[inline(always)]
    pub(super) fn pass_over(&mut self, mut pos: usize, end: usize, effort: Effort, taste: Taste) -> usize {
        assert!(Self::HAS_SHORT && end <= self.buf.len());
        while pos + Self::WIDTH <= end {
            self.need(pos);
            let (chains, buf) = (&mut *self.chains, self.buf);
            let needed = chains.needed;
            let to = chains.inserted.min(end + 1 - Self::WIDTH);
            while pos < to {
                chains.needed = needed.max(pos);
                let lowest = chains.lowest(pos);
                let lowest3 = lowest.max(pos as isize - taste.max_short_dist as isize);
                let (from, from3) = (chains.link(pos), chains.link3(pos));
                let (this, this3) = (from.max(lowest) as usize, from3.max(lowest3) as usize);
                // SAFETY: `pos + 4 <= end`, and both are `pos` or before it.
                let [bytes, first, three] = unsafe { [pos, this, this3].map(|at| buf.u32_at(at)) };
                let mut is_there = (from >= lowest) & (first == bytes);
                is_there |= (from3 >= lowest3) & ((three ^ bytes) << 8 == 0);
                if !effort.is_short() {
                    let from = chains.link(this);
                    // SAFETY: as above: links lead back.
                    let second = unsafe { buf.u32_at(from.max(lowest) as usize) };
                    is_there |= (from >= lowest) & (second == bytes);
                }
                if is_there {
                    return pos;
                }
                pos += 1;
            }
        }
        pos
    }

    /// Returns the longest match at `pos`, or a better one, that is longer than `least` (2 at least), the nearest of several;
    /// it ends at `end` or before. Positions may be asked for in ascending order only, with steps of up
    /// to [`MAX_MATCH`].
    ///
    /// # Panics
    /// If `end` is behind the data.
    #[inline(always)]
    pub(super) fn find(
        &mut self,
        pos: usize,
        end: usize,
        least: usize,
        effort: Effort,
        taste: Taste,
    ) -> Match {
        assert!(end <= self.buf.len());
        let max_len = end.saturating_sub(pos).min(MAX_MATCH);
        if max_len <= least.max(Self::WIDTH - 1) || pos + read_len(Self::WIDTH) > self.buf.len() {
            return Match::default();
        }
        self.need(pos);
        let buf = self.buf;
        // SAFETY: as has just been asked.
        let bytes = unsafe { bytes_at(Self::WIDTH, buf, pos) };
        let nice_len = effort.nice_len.min(max_len);
        let mut left = effort.max_chain;
        let lowest = self.chains.lowest(pos);
        let mut from = self.chains.link(pos);
        let mut best = Match { len: least, dist: 0 };
        if least < Self::WIDTH {
            if Self::HAS_SHORT && least < MIN_MATCH {
                let lowest3 = lowest.max(pos as isize - taste.max_short_dist as isize);
                let from3 = self.chains.link3(pos);
                let this = from3.max(lowest3) as usize;
                // SAFETY: `0 <= this <= pos`.
                let differing = unsafe { buf.u32_at(this) } ^ bytes as u32;
                let is_there = (from3 >= lowest3) & (differing << 8 == 0);
                best.dist = select(is_there, pos - this, 0);
                best.len = select(is_there, MIN_MATCH, least);
            }
            // What is in the chain is better. Whether the chain goes on, and whether it leads to the same
            // bytes, is hard to guess: of its first two places both are asked together. In binary data the third
            // is seldom worth it, nor the second where time is short.
            let mut is_second = false;
            let is_only = Self::HAS_SHORT && effort.is_short();
            let this = loop {
                let is_near = from >= lowest;
                let this = from.max(lowest) as usize;
                from = self.chains.link(this);
                // SAFETY: `0 <= this <= pos`.
                if is_near & (unsafe { bytes_at(Self::WIDTH, buf, this) } == bytes) {
                    break this;
                }
                left = left.saturating_sub(1);
                if is_only || is_second && (Self::HAS_SHORT || from < lowest || left == 0) {
                    return if best.dist == 0 { Match::default() } else { best };
                }
                is_second = true;
            };
            // SAFETY: `pos + max_len <= buf.len()`.
            let len = unsafe { match_len(buf, this, pos, max_len) };
            best = Match { len, dist: pos - this };
            if len >= nice_len {
                return best;
            }
        }
        let search = Search { pos, bytes: bytes as u32, max_len, nice_len, from, lowest, left };
        let mut chosen = best;
        let choose = |found: Match| {
            if !taste.weighs_dists || chosen.dist == 0 || found.worth() > chosen.worth() {
                chosen = found;
            }
        };
        // SAFETY: all of it is as it says.
        unsafe { self.find_longer::<false>(search, best, choose) };
        if chosen.dist == 0 { Match::default() } else { chosen }
    }

    /// Sets `found` to the matches at `pos`, longer ones later, each the nearest of its length that `effort`
    /// allows to find; they end at `end` or before. `known` is one that is known to be there, or of length
    /// 0: what is longer than the nearest, but not than this one, is not searched for.
    ///
    /// Returns how many there are. Positions may be asked for as in `find`.
    ///
    /// # Panics
    /// If `end` is behind the data.
    #[inline(never)]
    pub(super) fn find_all(
        &mut self,
        pos: usize,
        end: usize,
        known: Match,
        effort: Effort,
        found: &mut [Found; MAX_FOUND],
    ) -> usize {
        assert!(end <= self.buf.len());
        let max_len = end.saturating_sub(pos).min(MAX_MATCH);
        if max_len < Self::WIDTH || pos + read_len(Self::WIDTH) > self.buf.len() {
            return 0;
        }
        self.need(pos);
        let buf = self.buf;
        // SAFETY: as has just been asked.
        let bytes = unsafe { bytes_at(Self::WIDTH, buf, pos) };
        let nice_len = effort.nice_len.min(max_len);
        let lowest = self.chains.lowest(pos);
        let mut from = self.chains.link(pos);
        let mut count = 0;
        if Self::HAS_SHORT {
            // SAFETY: `pos + 4 <= buf.len()`.
            let nearest = unsafe { self.nearest3(pos, bytes as u32, lowest) };
            found[0] = Found::new(MIN_MATCH, nearest.map_or(1, |this| pos - this));
            count = usize::from(nearest.is_some());
        }
        if from < lowest && known.len < Self::WIDTH {
            return count;
        }
        let mut best = Match { len: Self::WIDTH - 1, dist: 0 };
        for _ in 0..2 {
            let is_near = from >= lowest;
            let this = from.max(lowest) as usize;
            from = self.chains.link(this);
            // SAFETY: `0 <= this <= pos`.
            if is_near & (unsafe { bytes_at(Self::WIDTH, buf, this) } == bytes) {
                // SAFETY: `pos + max_len <= buf.len()`.
                best = Match { len: unsafe { match_len(buf, this, pos, max_len) }, dist: pos - this };
                found[count] = Found::new(best.len, best.dist);
                count += 1;
                break;
            }
        }
        if known.len.min(max_len) > best.len {
            best = Match { len: known.len.min(max_len), ..known };
            found[count] = Found::new(best.len, best.dist);
            count += 1;
        }
        if best.len < nice_len {
            let search =
                Search { pos, bytes: bytes as u32, max_len, nice_len, from, lowest, left: effort.max_chain };
            // SAFETY: all of it is as it says, and links lead back.
            unsafe {
                self.find_longer::<false>(search, best, |best| {
                    found[count % MAX_FOUND] = Found::new(best.len, best.dist);
                    count += 1;
                });
            }
        }
        count
    }

    /// Sets `found` to the matches at `pos`, longer ones later, each the nearest of its length that `effort`
    /// allows to find; they end at `end` or before. Returns how many there are. Positions may be asked for as in
    /// `find`; the last few of the data have none.
    ///
    /// # Panics
    /// If `end` is behind the data, or the search was not begun as a thorough one.
    #[inline(never)]
    pub(super) fn find_thoroughly(
        &mut self,
        pos: usize,
        end: usize,
        effort: Effort,
        found: &mut [Found; MAX_FOUND],
    ) -> usize {
        assert!(end <= self.buf.len() && self.chains.wide_bits > 0);
        let max_len = end.saturating_sub(pos).min(MAX_MATCH);
        if max_len < Self::WIDTH || pos + Self::WIDE > self.buf.len() {
            return 0;
        }
        self.need(pos);
        let buf = self.buf;
        let mut count = 0;
        // SAFETY: `pos + WIDE <= buf.len()`, and `WIDE` is 8 at least.
        let head = unsafe { buf.u64_at(pos) };
        let bytes = head << (64 - 8 * Self::WIDTH) >> (64 - 8 * Self::WIDTH);
        let nice_len = effort.nice_len.min(max_len);
        let lowest = self.chains.lowest(pos);
        // The nearest match that wide chains know: behind it no shorter one is of use.
        let mut wide_from = if max_len >= Self::WIDE { self.chains.wide_link(pos) } else { -1 };
        let (mut nearest, mut wide_left) = (None, effort.max_chain);
        while wide_from >= lowest && nearest.is_none() && wide_left > 0 {
            wide_left -= 1;
            let this = wide_from as usize;
            wide_from = self.chains.wide_link(this);
            // SAFETY: `0 <= this < pos`.
            if unsafe { is_wide_match(Self::WIDE, buf, this, pos) } {
                nearest = Some(this);
            }
        }
        if Self::HAS_SHORT {
            // SAFETY: `pos + 4 <= buf.len()`.
            let nearest = unsafe { self.nearest3(pos, bytes as u32, lowest) };
            found[0] = Found::new(MIN_MATCH, nearest.map_or(1, |this| pos - this));
            count = usize::from(nearest.is_some());
        }
        let mut add = |best: Match| {
            found[count % MAX_FOUND] = Found::new(best.len, best.dist);
            count += 1;
        };
        let lowest_short = nearest.map_or(lowest, |this| this as isize + 1);
        let mut best = Match { len: Self::WIDTH - 1, dist: 0 };
        let mut from = self.chains.link(pos);
        for _ in 0..2 {
            let is_near = from >= lowest_short;
            let this = from.max(lowest) as usize;
            from = self.chains.link(this);
            // SAFETY: `0 <= this <= pos`.
            if is_near & (unsafe { bytes_at(Self::WIDTH, buf, this) } == bytes) {
                // SAFETY: `pos + max_len <= buf.len()`.
                best = Match { len: unsafe { match_len(buf, this, pos, max_len) }, dist: pos - this };
                add(best);
                break;
            }
        }
        // What is longer than that, wide chains know.
        let short_len = nice_len.min(Self::WIDE - 1);
        let search = Search {
            pos,
            bytes: bytes as u32,
            max_len,
            nice_len: short_len,
            from,
            lowest: lowest_short,
            left: effort.max_chain,
        };
        if best.len < short_len {
            // SAFETY: all of it is as it says, and links lead back.
            unsafe { self.find_longer::<false>(search, best, &mut add) };
        }
        if let Some(this) = nearest {
            // SAFETY: `pos + max_len <= buf.len()`.
            let best = Match { len: unsafe { match_len(buf, this, pos, max_len) }, dist: pos - this };
            add(best);
            if best.len < nice_len {
                let search = Search { nice_len, from: wide_from, lowest, ..search };
                // SAFETY: as above.
                unsafe { self.find_longer::<true>(search, best, &mut add) };
            }
        }
        count
    }

    /// The last place from `lowest` on where the first three of `bytes` are, which are those at `pos`: of the first few in its
    /// chain, most have them.
    ///
    /// # Safety
    /// Four bytes are there, and `pos` is inserted.
    #[inline(always)]
    unsafe fn nearest3(&self, pos: usize, bytes: u32, lowest: isize) -> Option<usize> {
        let mut from = self.chains.link3(pos);
        for _ in 0..MAX_CHAIN3 {
            if from < lowest {
                break;
            }
            let this = from as usize;
            // SAFETY: `0 <= this < pos`.
            if (unsafe { self.buf.u32_at(this) } ^ bytes) << 8 == 0 {
                return Some(this);
            }
            from = self.chains.link3(this);
        }
        None
    }

    /// Sees to it that `pos` is inserted.
    #[inline(always)]
    fn need(&mut self, pos: usize) {
        self.chains.needed = self.chains.needed.max(pos);
        if pos >= self.chains.inserted {
            self.insert(pos);
        }
    }

    /// Goes on with `search`, along wide chains or others, for matches longer than `best`; calls `found` with
    /// each, and returns the last.
    ///
    /// # Safety
    /// What `search` says is true; `best.len` is 1 less than what the chains are of, or more, and less than
    /// `search.max_len`.
    #[inline(always)]
    unsafe fn find_longer<const IS_WIDE: bool>(
        &mut self,
        search: Search,
        mut best: Match,
        mut found: impl FnMut(Match),
    ) -> Match {
        let Search { pos, bytes, max_len, nice_len, mut from, lowest, mut left } = search;
        let buf = self.buf;
        let width = if IS_WIDE { Self::WIDE } else { Self::WIDTH };
        let link = |chains: &Chains, pos| if IS_WIDE { chains.wide_link(pos) } else { chains.link(pos) };
        // A candidate is a place where the bytes stand again that are `ahead` of `pos`; a match would
        // begin at `from`, which is before `pos`: links lead back.
        let mut ahead = 0;
        'longer: loop {
            // A longer match has the bytes that end behind the best one, where that one fails. If their
            // last place is farther back than the next candidate, all candidates up to there are in vain.
            let chain_ahead = best.len + 1 - width;
            let there = pos + chain_ahead;
            if IS_WIDE || width == 4 || there + read_len(width) <= buf.len() {
                self.need(there);
                let chain_from = link(self.chains, there) - chain_ahead as isize;
                if chain_from < from {
                    (ahead, from) = (chain_ahead, chain_from);
                }
            }
            let lowest = self.chains.lowest(pos).max(lowest);
            let tail_ahead = best.len + 1 - 4;
            // SAFETY: `tail_ahead + 4 = best.len + 1 <= max_len`.
            let tail = unsafe { buf.u32_at(pos + tail_ahead) };
            loop {
                if from < lowest || left == 0 {
                    break 'longer;
                }
                left -= 1;
                let this = from as usize;
                from = link(self.chains, this + ahead) - ahead as isize;
                // SAFETY: `0 <= this < pos`.
                if unsafe { (buf.u32_at(this + tail_ahead) == tail) & (buf.u32_at(this) == bytes) } {
                    // SAFETY: `pos + max_len <= buf.len()`.
                    let len = unsafe { match_len(buf, this, pos, max_len) };
                    if len > best.len {
                        best = Match { len, dist: pos - this };
                        found(best);
                        if len >= nice_len {
                            break 'longer;
                        }
                        continue 'longer;
                    }
                }
            }
        }
        best
    }
}

/// Inserts `range`, which begins with an even number of groups, into chains of `WIDTH` (3 to 8) bytes.
///
/// # Safety
/// `read_len(WIDTH)` bytes are there from all of these positions on.
#[inline(always)]
unsafe fn insert_all<const WIDTH: usize>(
    last: &mut [i16; 1 << MAX_BITS],
    links: &mut Links,
    buf: impl Bytes,
    range: Range<usize>,
    base: usize,
    bits: u32,
) {
    let Range { start: mut at, end } = range;
    debug_assert!(at.is_multiple_of(2 * GROUP));
    #[cfg(target_arch = "x86_64")]
    if WIDTH <= 4 && cpu::has(Cpu::Avx2) {
        let end = end.min(buf.len().saturating_sub(8));
        // SAFETY: the processor has it, and 8 bytes are behind all that is inserted.
        at = unsafe { insert_by_avx2::<WIDTH>(last, links, buf, at..end, base, bits) };
    }
    let mut exchange = |pos: usize, index: usize| std::mem::replace(&mut last[index], (pos - base) as i16);
    while at + 2 * GROUP <= end && at + 2 * GROUP + 8 <= buf.len() {
        // A load may have to wait until it is known where the stores before it go: so first all indexes.
        let indexes: [[usize; GROUP]; 2] = std::array::from_fn(|half| {
            let at = at + half * GROUP;
            // SAFETY: `at + 2 * GROUP + 8 <= buf.len()`.
            unsafe {
                if WIDTH <= 8 - (GROUP - 1) {
                    let bytes = buf.u64_at(at);
                    std::array::from_fn(|i| index(WIDTH, bytes >> (8 * i), bits))
                } else {
                    std::array::from_fn(|i| index(WIDTH, buf.u64_at(at + i), bits))
                }
            }
        });
        for (pos, indexes) in (at..).step_by(GROUP).zip(indexes) {
            links[pos / GROUP % (WINDOW_LEN / GROUP)] =
                std::array::from_fn(|i| exchange(pos + i, indexes[i]));
        }
        at += 2 * GROUP;
    }
    for pos in at..end {
        // SAFETY: the caller's.
        let bytes = unsafe { bytes_at(WIDTH.max(4), buf, pos) };
        links.as_flattened_mut()[pos % WINDOW_LEN] = exchange(pos, index(WIDTH, bytes, bits));
    }
}

/// Inserts `range`, of which `index` knows the entries, into wide chains.
#[inline(always)]
fn insert_wide(
    range: Range<usize>,
    base: usize,
    last: &mut [i16; 1 << MAX_BITS],
    links: &mut [i16; WINDOW_LEN],
    index: impl Fn(usize) -> usize,
) {
    let mut exchange = |pos: usize, index: usize| std::mem::replace(&mut last[index], (pos - base) as i16);
    let mut at = range.start;
    while at + 2 * GROUP <= range.end {
        let indexes: [usize; 2 * GROUP] = std::array::from_fn(|i| index(at + i));
        let links = links[at % WINDOW_LEN..].first_chunk_mut().expect("whole groups");
        *links = std::array::from_fn::<_, { 2 * GROUP }, _>(|i| exchange(at + i, indexes[i]));
        at += 2 * GROUP;
    }
    for pos in at..range.end {
        links[pos % WINDOW_LEN] = exchange(pos, index(pos));
    }
}

/// The index of the first `width` (8 or 16) bytes at `pos` in a table of 2^`bits` entries.
///
/// # Safety
/// These bytes are there.
#[inline(always)]
unsafe fn wide_index(width: usize, buf: impl Bytes, pos: usize, bits: u32) -> usize {
    // SAFETY: the caller's.
    let mut hash = unsafe { buf.u64_at(pos) }.wrapping_mul(LONG_HASH_FACTOR);
    if width > 8 {
        // SAFETY: the caller's.
        hash = (hash.rotate_left(32) ^ unsafe { buf.u64_at(pos + width - 8) }).wrapping_mul(LONG_HASH_FACTOR);
    }
    (hash >> (64 - bits)) as usize % (1 << MAX_BITS)
}

/// Whether the first `width` (8 or 16) bytes at `a` and at `b` are the same.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn is_wide_match(width: usize, buf: impl Bytes, a: usize, b: usize) -> bool {
    // SAFETY: the caller's.
    let differing = |at: usize| unsafe { buf.u64_at(a + at) ^ buf.u64_at(b + at) };
    differing(0) | differing(width - 8) == 0
}

/// Inserts whole groups of `range`, two at a time, into chains of `WIDTH` (3 or 4) bytes; returns where they end. The indexes of
/// eight positions are made at once, and what was there is gathered in a register: half as many instructions for
/// each.
///
/// # Safety
/// The range begins with an even number of groups; eight bytes follow it in the data.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn insert_by_avx2<const WIDTH: usize>(
    last: &mut [i16; 1 << MAX_BITS],
    links: &mut Links,
    buf: impl Bytes,
    range: Range<usize>,
    base: usize,
    bits: u32,
) -> usize {
    use std::arch::x86_64::*;
    // Four bytes from each of eight positions on; a zero and three bytes.
    let mut fours = _mm256_setr_epi8(
        0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, // the first group
        4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10,
    );
    if WIDTH == 3 {
        let zeros = _mm256_set1_epi32(0xff);
        fours = _mm256_or_si256(_mm256_sub_epi8(fours, _mm256_set1_epi8(1)), zeros);
    }
    let factor = _mm256_set1_epi32(HASH_FACTOR as i32);
    let shift = _mm_cvtsi32_si128(32 - bits as i32);
    let mut at = range.start;
    while at + 2 * GROUP <= range.end {
        // SAFETY: these are 16 bytes, 8 of them in the range or behind it.
        let bytes = unsafe { _mm_set_epi64x(buf.u64_at(at + 8) as i64, buf.u64_at(at) as i64) };
        let bytes = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), fours);
        let indexes = _mm256_srl_epi32(_mm256_mullo_epi32(bytes, factor), shift);
        let upper = _mm256_extracti128_si256::<1>(indexes);
        let indexes = _mm_packus_epi32(_mm256_castsi256_si128(indexes), upper);
        let here = (at - base) as i16;
        let mut before = _mm_setzero_si128();
        macro_rules! exchange {
            ($($i:literal)*) => {$(
                let entry = &mut last[_mm_extract_epi16::<$i>(indexes) as usize % (1 << MAX_BITS)];
                before = _mm_insert_epi16::<$i>(before, i32::from(*entry));
                *entry = here + $i;
            )*};
        }
        exchange!(0 1 2 3 4 5 6 7);
        // SAFETY: both are eight numbers of 16 bits.
        let before = unsafe { std::mem::transmute::<__m128i, [[i16; GROUP]; 2]>(before) };
        let group = at / GROUP % (WINDOW_LEN / GROUP);
        (links[group], links[group + 1]) = (before[0], before[1]);
        at += 2 * GROUP;
    }
    at
}

/// The first `width` (4 to 8) bytes from `at` on, zeros above.
///
/// # Safety
/// `read_len(width)` bytes are there.
#[inline(always)]
unsafe fn bytes_at(width: usize, buf: impl Bytes, at: usize) -> u64 {
    // SAFETY: the caller's.
    unsafe {
        if width == 4 {
            u64::from(buf.u32_at(at))
        } else {
            buf.u64_at(at) << (64 - 8 * width) >> (64 - 8 * width)
        }
    }
}

/// How many bytes from `a` and from `b` on are equal, `max_len` at most; the first four are.
///
/// # Safety
/// `max_len` bytes are there from both on, and 4 at least.
#[inline(always)]
unsafe fn match_len(buf: impl Bytes, a: usize, b: usize, max_len: usize) -> usize {
    let mut len = 4;
    while len + 8 <= max_len {
        // SAFETY: `len + 8 <= max_len`.
        let differing = unsafe { buf.u64_at(a + len) ^ buf.u64_at(b + len) };
        if differing != 0 {
            return len + (differing.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    while len < max_len {
        // SAFETY: `len >= 4` and `len < max_len`, so these end with the byte at `len`.
        let differing = unsafe { buf.u32_at(a + len - 3) ^ buf.u32_at(b + len - 3) };
        if differing != 0 {
            break;
        }
        len += 1;
    }
    len
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::deflate::tests::kinds;

    const ANY: Taste = Taste { weighs_dists: false, max_short_dist: WINDOW_LEN };

    /// Bytes that panic where they are not.
    #[derive(Clone, Copy)]
    pub(in crate::deflate) struct Checked<'a>(pub(in crate::deflate) &'a [u8]);

    impl Bytes for Checked<'_> {
        fn len(self) -> usize {
            self.0.len()
        }

        unsafe fn u32_at(self, at: usize) -> u32 {
            u32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
        }

        unsafe fn u64_at(self, at: usize) -> u64 {
            u64::from_le_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
        }
    }

    /// The matches of more than three bytes at `pos`, each longer than all that are nearer, by comparing with
    /// every place from `lowest` on.
    fn longer_and_longer(data: &[u8], lowest: isize, pos: usize, end: usize) -> Vec<Match> {
        let mut found = Vec::new();
        let mut longest = MIN_MATCH;
        for from in (lowest as usize..pos).rev() {
            let len = data[from..].iter().zip(&data[pos..end]).take_while(|(a, b)| a == b).count();
            if len.min(MAX_MATCH) > longest {
                longest = len.min(MAX_MATCH);
                found.push(Match { len: longest, dist: pos - from });
            }
        }
        found
    }

    #[test]
    fn a_search_without_limits_finds_what_there_is() {
        let effort = Effort { max_chain: u32::MAX, nice_len: MAX_MATCH };
        let [mut chains, mut others, mut wides, mut thoroughs, mut wide_thoroughs] =
            [(); 5].map(|()| Chains::default());
        let mut found = [Found::default(); MAX_FOUND];
        for (name, data) in kinds(40_000) {
            let mut finder = chains.begin::<4, _>(Checked(&data));
            let mut other = others.begin::<3, _>(Checked(&data));
            let mut wide = wides.begin::<8, _>(Checked(&data));
            let padded = [&data[..], &[0; 16]].concat();
            let mut thorough = thoroughs.begin_thorough::<3, _>(Checked(&padded));
            let mut wide_thorough = wide_thoroughs.begin_thorough::<8, _>(Checked(&padded));
            let (mut pos, mut step) = (0, 1);
            while pos < data.len() {
                let end = data.len().min(pos + 3 * step);
                let longest = finder.find(pos, end, MIN_MATCH - 1, effort, ANY);
                let count = other.find_all(pos, end, Match::default(), effort, &mut found);
                let listed = |found: &[Found], least: usize| -> Vec<Match> {
                    let all = found.iter().map(|found| Match { len: found.len(), dist: found.dist() });
                    all.filter(|found| found.len >= least).collect()
                };
                let all = listed(&found[..count], MIN_MATCH + 1);
                // What is searched for far ahead may cost a place at the end of the window.
                let expected = longer_and_longer(&data, finder.chains.lowest(pos), pos, end);
                assert!(all.starts_with(&expected), "{name} at {pos}: {all:?} {expected:?}");
                assert!(
                    all.len() <= expected.len() + 1 && longest == all.last().copied().unwrap_or_default()
                );
                let count = thorough.find_thoroughly(pos, end, effort, &mut found);
                let expected = longer_and_longer(&data, thorough.chains.lowest(pos), pos, end);
                let all = listed(&found[..count], MIN_MATCH + 1);
                assert!(all.starts_with(&expected), "{name} at {pos}: {all:?} {expected:?}");
                assert!(all.len() <= expected.len() + 1);
                let count = wide_thorough.find_thoroughly(pos, end, effort, &mut found);
                let all = listed(&found[..count], 8);
                let mut expected = longer_and_longer(&data, wide_thorough.chains.lowest(pos), pos, end);
                expected.retain(|found| found.len >= 8);
                assert!(all.starts_with(&expected), "{name} at {pos}: {all:?} {expected:?}");
                assert!(all.len() <= expected.len() + 1);
                let longest_wide = wide.find(pos, end, 7, effort, ANY);
                assert_eq!(
                    longest_wide,
                    if longest.len < 8 { Match::default() } else { longest },
                    "{name} at {pos}"
                );
                assert!(
                    finder.chains.lowest(pos)
                        <= (pos + MAX_MATCH + BATCH_LEN).saturating_sub(WINDOW_LEN) as isize
                );
                // Later on in longer steps: comparing takes its time.
                step = 1 + (pos * 7) % (1 + pos / 300).min(MAX_MATCH);
                pos += step;
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_inserts_as_one_position_after_the_other_would_be() {
        if !cpu::has(Cpu::Avx2) {
            return;
        }
        for (name, data) in kinds(WINDOW_LEN + 30_000) {
            for (bits, base) in [(MAX_BITS, WINDOW_LEN), (9, WINDOW_LEN), (MAX_BITS, 0)] {
                check_avx2::<3>(name, &data, bits, base);
                check_avx2::<4>(name, &data, bits, base);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn check_avx2<const WIDTH: usize>(name: &str, data: &[u8], bits: u32, base: usize) {
        let [mut tables, mut expected] = [(); 2].map(|()| Place::new());
        let range = base + 8..base + 29_990;
        let Tables { last, links, .. } = &mut *tables;
        // SAFETY: the processor has it; there are 10 bytes more.
        let end = unsafe { insert_by_avx2::<WIDTH>(last, links, Checked(data), range.clone(), base, bits) };
        assert_eq!(end, range.end - 6);
        for pos in range.start..end {
            let four = u32::from_le_bytes(data[pos..pos + 4].try_into().expect("four bytes"));
            let entry = &mut expected.last[index(WIDTH, four.into(), bits)];
            expected.links.as_flattened_mut()[pos % WINDOW_LEN] =
                std::mem::replace(entry, (pos - base) as i16);
        }
        assert!(
            tables.last == expected.last && tables.links == expected.links,
            "{WIDTH} {name} {bits} {base}"
        );
    }

    #[test]
    fn what_is_passed_over_has_no_match() {
        let [mut chains, mut others] = [(); 2].map(|()| Chains::default());
        for (name, data) in kinds(100_000) {
            for (max_chain, max_short_dist) in [(2, 4096), (20, 4096), (20, WINDOW_LEN)] {
                let effort = Effort { max_chain, nice_len: MAX_MATCH };
                let taste = Taste { max_short_dist, ..ANY };
                let mut finder = chains.begin::<3, _>(Checked(&data));
                let mut other = others.begin::<3, _>(Checked(&data));
                let mut pos = 0;
                while pos < data.len() {
                    let end = data.len().min((pos / 7000 + 1) * 7000);
                    let next = finder.pass_over(pos, end, effort, taste);
                    for pos in pos..next {
                        assert_eq!(other.find(pos, end, 2, effort, taste).len, 0, "{name} at {pos}");
                    }
                    let found = finder.find(next, end, 2, effort, taste);
                    assert_eq!(found, other.find(next, end, 2, effort, taste), "{name} at {next}");
                    assert!(found.len > 0 || next + 4 > end, "{name} at {next}");
                    pos = next + found.len.max(1);
                }
            }
        }
    }

    /// Inside of matches, too.
    #[test]
    fn three_bytes_are_found_wherever_they_stood_last() {
        let mut chains = Chains::default();
        for (data, pos, expected) in [
            (&b"--ababa---"[..], 4, 2),
            (b"abc-abc---", 4, 4),
            (b"aaaaaaa---", 4, 1),
            (b"-abc-abd--", 5, 0),
            (b"ababa-----", 2, 2),
        ] {
            let mut finder = chains.begin::<3, _>(Checked(data));
            let effort = Effort { max_chain: 16, nice_len: MAX_MATCH };
            let found = finder.find(pos, pos + 4, 2, effort, ANY);
            assert_eq!(found.dist, expected, "{}", data.escape_ascii());
        }
    }

    #[test]
    fn matches_of_three_bytes_are_found_where_they_are_near() {
        let effort = Effort { max_chain: 8, nice_len: MAX_MATCH };
        let mut chains = Chains::default();
        for gap in [4, 100, 4095, 4096, 4097] {
            let data = [b"abcx", &vec![0xff; gap - 4][..], b"abcy"].concat();
            let mut finder = chains.begin::<3, _>(Checked(&data));
            let taste = Taste { max_short_dist: 4096, ..ANY };
            let found = (0..=gap).map(|pos| finder.find(pos, data.len(), 2, effort, taste)).last();
            let expected = if gap <= 4096 { Match { len: 3, dist: gap } } else { Match::default() };
            assert_eq!(found, Some(expected), "{gap}");
        }
    }
}
