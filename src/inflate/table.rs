#![forbid(unsafe_code)]
//! Decode tables of a block's two codes.
//!
//! A litlen entry, found by the next [`LITLEN_BITS`] bits:
//!
//! | bits | literals, a length, or both | rare |
//! |---|---|---|
//! | 0–7 | bits to consume, of all of them | of the codeword; 0: longer than the index, or none |
//! | 8–23 | one or two literals, the first one lowest | 8–16: a length, or its base; 0: end of block, or unknown; of longer codewords 8–15: the number of their table in `long`, from 1 on |
//! | 17–19 | | extra bits, to be added to the base |
//! | 24–25 | number of literals, 0 to 2 | 0 |
//! | 26–31 | length after the literals, 3 to [`MAX_PLAIN_LEN`], or 0 | 63 |
//!
//! So `entry >> 24 & 3`, then `entry >> 26` is the advance of the output, and `entry >= RARE` tells
//! the rare ones. Extra bits are in the index if there is room for all of them, and the longest
//! length is plain.
//!
//! A dist entry, found by the next [`DIST_BITS`] bits: 0–7 bits to consume, extra bits among them,
//! 8–15 bits of the codeword alone, 16–31 base. Extra bits are never in the index. 0 stands for a
//! codeword that is longer than the index or does not exist.
//!
//! What follows the first [`LITLEN_BITS`] bits of longer litlen codewords is looked up in tables of
//! [`LONG_ENTRIES`], one for each such beginning. Their entries are as above, with one symbol each, but extra
//! bits are never in the index.
//!
//! Codewords that the tables do not know are decoded by [`Canonical`].
//!
//! Building takes a counting sort. The litlen table is laid out in the order of codewords, where all
//! that begins with a symbol stands side by side and is copied in vectors, and turned around then;
//! the dist table is put together by ascending number of bits, doubled in between (§3.2.2's order
//! read backwards).

use super::header::END_OF_BLOCK;

/// The longest codeword of litlen and dist codes, in bits (RFC 1951 §3.2.7).
pub const MAX_CODEWORD_LEN: usize = 15;
/// Bits of a litlen table's index.
pub const LITLEN_BITS: u32 = 11;
/// Bits of a dist table's index.
pub const DIST_BITS: u32 = 9;
/// Entries of a litlen table.
pub const LITLEN_ENTRIES: usize = 1 << LITLEN_BITS;
/// Entries of a dist table.
pub const DIST_ENTRIES: usize = 1 << DIST_BITS;
/// Entries of a table of what follows the beginning of longer litlen codewords.
pub const LONG_ENTRIES: usize = 1 << (MAX_CODEWORD_LEN - LITLEN_BITS as usize);
/// Such tables: each is of two codewords or more, as codes with long codewords are complete.
const LONG_TABLES: usize = LITLEN_SYMBOLS / 2;
/// The longest match that is not rare, in bytes.
pub const MAX_PLAIN_LEN: u32 = 62;
/// The lowest entry that is rare, and the one of a codeword that the litlen table does not know.
pub const RARE: u32 = 63 << 26;
/// No entry with a length is lower than this one, and no other one that is not rare is as high.
pub const MIN_LENGTH_ENTRY: u32 = 3 << 26;
/// Of 256 litlen symbols, by their codewords' lengths, so many literals are many, and so many nearly all.
const MANY_LITERALS: u32 = 160;
const NEARLY_ALL: u32 = 240;
/// The codewords that [`OneLen`] is about: entries have two of shorter ones, and seven fit into the bit buffer.
const MIN_ONE_LEN: usize = LITLEN_BITS as usize / 2 + 1;
const MAX_ONE_LEN: usize = 8;
/// The bit of [`OneLen`] that tells what is something else; so high that a literal shifted by six bits does not
/// reach it.
pub const OTHER_BIT: u32 = 15;

/// Symbols of the litlen code; the last two occur only in the fixed code and mean nothing.
const LITLEN_SYMBOLS: usize = 288;
/// Symbols of the dist code; the last two occur only in the fixed code and mean nothing.
const DIST_SYMBOLS: usize = 32;
const FIRST_LENGTH: usize = 257;

/// Entries of litlen symbols without bits to consume.
const LITLENS: [u32; LITLEN_SYMBOLS] = litlens();
/// Base and extra bits of lengths, by symbols from [`FIRST_LENGTH`] on; 0 if there is none.
const LENGTHS: [(u32, u32); 32] = lengths();
/// Entries of dist symbols, with the extra bits as bits to consume.
const DISTS: [u32; DIST_SYMBOLS] = dists();

/// §3.2.5, the first table.
const fn lengths() -> [(u32, u32); 32] {
    let mut lengths = [(0, 0); 32];
    let (mut code, mut base) = (0, 3);
    while code < 28 {
        let extra = if code < 8 { 0 } else { code as u32 / 4 - 1 };
        lengths[code] = (base, extra);
        base += 1 << extra;
        code += 1;
    }
    // The last symbol stands for 258 alone.
    lengths[28] = (258, 0);
    lengths
}

const fn litlens() -> [u32; LITLEN_SYMBOLS] {
    let mut entries = [RARE; LITLEN_SYMBOLS];
    let mut symbol = 0;
    while symbol < END_OF_BLOCK {
        entries[symbol] = 1 << 24 | (symbol as u32) << 8;
        symbol += 1;
    }
    let mut code = 0;
    while code < 29 {
        let (base, extra) = LENGTHS[code];
        entries[FIRST_LENGTH + code] =
            if extra == 0 { length_entry(base) } else { RARE | base << 8 | extra << 17 };
        code += 1;
    }
    entries
}

const fn length_entry(length: u32) -> u32 {
    if length <= MAX_PLAIN_LEN { length << 26 } else { RARE | length << 8 }
}

/// §3.2.5, the second table.
const fn dists() -> [u32; DIST_SYMBOLS] {
    let mut entries = [0; DIST_SYMBOLS];
    let (mut symbol, mut base) = (0, 1);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { symbol as u32 / 2 - 1 };
        entries[symbol] = base << 16 | extra;
        base += 1 << extra;
        symbol += 1;
    }
    entries
}

/// What a litlen symbol means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Litlen {
    /// A byte.
    Literal(u8),
    /// A match of this length and so many extra bits more.
    Length(u16, u8),
    /// The end of the block.
    EndOfBlock,
}

/// What the litlen symbols of a block are likely to be, by their codewords' lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mix {
    /// Anything.
    Any,
    /// A literal behind a literal.
    ManyLiterals,
    /// Literals for long.
    NearlyLiterals,
    /// The same, with codewords of one length.
    OneLen,
}

/// Literals whose codewords have the same length.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct OneLen {
    /// The length, 6 to 8.
    pub len: u32,
    /// By so many bits: the literal, or [`OTHER_BIT`] alone.
    pub literals: [u16; 1 << MAX_ONE_LEN],
}

impl OneLen {
    const fn new() -> OneLen {
        OneLen { len: 0, literals: [1 << OTHER_BIT; 1 << MAX_ONE_LEN] }
    }

    /// Takes over the `count` literals with codewords of `len` bits.
    #[inline(always)]
    fn build(&mut self, code: &Canonical<LITLEN_SYMBOLS>, len: usize, count: u16) {
        self.len = len as u32;
        self.literals.fill(1 << OTHER_BIT);
        let first = code.count[..len].iter().sum::<u16>();
        for place in first..first + count {
            let codeword = place.wrapping_sub(code.offset[len]);
            let index = reversed(codeword, len) as usize % self.literals.len();
            self.literals[index] = code.symbols[usize::from(place) % LITLEN_SYMBOLS];
        }
    }
}

/// Lengths that are those of no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACode;

/// The tables of a block. The sizes do not depend on the block.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Tables {
    /// Entries by the next [`LITLEN_BITS`] bits.
    pub litlen: [u32; LITLEN_ENTRIES],
    /// Entries by the next [`DIST_BITS`] bits.
    pub dist: [u32; DIST_ENTRIES],
    /// Entries by what follows the beginning of longer litlen codewords.
    pub long: [[u32; LONG_ENTRIES]; LONG_TABLES],
    /// How many of those are in use.
    long_count: usize,
    /// All codewords of the litlen code.
    pub litlen_code: Canonical<LITLEN_SYMBOLS>,
    /// All codewords of the dist code.
    pub dist_code: Canonical<DIST_SYMBOLS>,
    /// What to expect.
    pub mix: Mix,
    /// The literals of [`Mix::OneLen`].
    pub one_len: OneLen,
    draft: Draft,
}

impl Default for Tables {
    fn default() -> Tables {
        Tables::new()
    }
}

impl Tables {
    /// Tables that know no codeword.
    pub fn new() -> Tables {
        Tables {
            litlen: [RARE; LITLEN_ENTRIES],
            dist: [0; DIST_ENTRIES],
            long: [[RARE; LONG_ENTRIES]; LONG_TABLES],
            long_count: 0,
            litlen_code: Canonical::new(),
            dist_code: Canonical::new(),
            mix: Mix::Any,
            one_len: OneLen::new(),
            draft: Draft::new(),
        }
    }

    /// Becomes the same as `other`.
    pub(super) fn copy_of(&mut self, other: &Tables) {
        (self.litlen, self.dist) = (other.litlen, other.dist);
        self.long_count = other.long_count;
        self.long[..other.long_count].copy_from_slice(&other.long[..other.long_count]);
        self.litlen_code.clone_from(&other.litlen_code);
        self.dist_code.clone_from(&other.dist_code);
        self.mix = other.mix;
        if self.mix == Mix::OneLen {
            self.one_len.clone_from(&other.one_len);
        }
    }

    /// Makes the tables of the codes with these lengths. As with zlib, a code must be complete, or
    /// have just one codeword, of 1 bit; and the dist code may have none.
    #[inline(always)]
    pub fn build(&mut self, litlen_lens: &[u8], dist_lens: &[u8]) -> Result<(), NotACode> {
        let (litlen_lens, dist_lens) = (padded(litlen_lens), padded(dist_lens));
        let literal_counts = count_groups(&litlen_lens[..END_OF_BLOCK]);
        let mut counts = count_groups(&litlen_lens[END_OF_BLOCK..]);
        counts.iter_mut().zip(literal_counts).for_each(|(sum, count)| *sum += count);
        self.litlen_code.build(&litlen_lens, counts)?;
        self.dist_code.build(&dist_lens, count_groups(&dist_lens))?;
        self.draft.literal_counts = literal_counts;
        self.draft.make(&self.litlen_code, &mut self.litlen);
        self.lay_out_long();
        self.expect(&literal_counts);
        fill(&mut self.dist, 0, &self.dist_code, |symbol, len| DISTS[symbol & 31] + 0x101 * len);
        Ok(())
    }

    /// Finds out what to expect, by the number of literals by codeword length.
    #[inline(always)]
    fn expect(&mut self, literal_counts: &[u16; MAX_CODEWORD_LEN + 1]) {
        let share = |len: usize| u32::from(literal_counts[len]) << (MAX_CODEWORD_LEN - len);
        let of_256 = |share: u32| share >> (MAX_CODEWORD_LEN - 8);
        self.mix = match of_256((1..=LITLEN_BITS as usize).map(share).sum()) {
            NEARLY_ALL.. => Mix::NearlyLiterals,
            MANY_LITERALS.. => Mix::ManyLiterals,
            _ => Mix::Any,
        };
        if self.mix == Mix::NearlyLiterals
            && let Some(len) = (MIN_ONE_LEN..=MAX_ONE_LEN).find(|len| of_256(share(*len)) >= NEARLY_ALL)
        {
            self.mix = Mix::OneLen;
            self.one_len.build(&self.litlen_code, len, literal_counts[len]);
        }
    }

    /// Makes the tables of litlen codewords that are longer than the index, and the entries that lead there.
    #[inline(always)]
    fn lay_out_long(&mut self) {
        const INDEX_BITS: usize = LITLEN_BITS as usize;
        let Tables { litlen, long, litlen_code: code, .. } = self;
        let mut place = code.count[..=INDEX_BITS].iter().map(|count| usize::from(*count)).sum::<usize>();
        let (mut count, mut last_begin) = (0, None);
        for len in INDEX_BITS + 1..=MAX_CODEWORD_LEN {
            let rest_len = len - INDEX_BITS;
            for _ in 0..code.count[len] {
                let codeword = (place as u16).wrapping_sub(code.offset[len]);
                let (begin, rest) = (codeword >> rest_len, codeword & ((1 << rest_len) - 1));
                if last_begin != Some(begin) {
                    last_begin = Some(begin);
                    count += 1;
                    litlen[reversed(begin, INDEX_BITS) as usize] = RARE | (count as u32) << 8;
                }
                let entry = LITLENS[usize::from(code.symbols[place]) % LITLEN_SYMBOLS] + len as u32;
                let places = long[count - 1][reversed(rest, rest_len) as usize..].iter_mut();
                places.step_by(1 << rest_len).for_each(|place| *place = entry);
                place += 1;
            }
        }
        self.long_count = count;
    }

    /// Makes the tables of the fixed codes (§3.2.6).
    pub fn build_fixed(&mut self) {
        let mut lens = [8; LITLEN_SYMBOLS];
        lens[144..256].fill(9);
        lens[256..280].fill(7);
        self.build(&lens, &[5; DIST_SYMBOLS]).expect("the fixed codes are complete");
        // Symbols without a meaning are left to `Canonical`; those of the litlen code are RARE.
        for entry in self.dist.iter_mut().filter(|entry| **entry >> 16 == 0) {
            *entry = 0;
        }
    }
}

/// A canonical prefix code (§3.2.2), whole: finds a codeword of any length in a few steps.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Canonical<const N: usize> {
    /// `limit[len]`: 15 bits, in the order of their coming and first bit highest, that are no less
    /// than this begin no codeword of at most `len` bits. Ascending; 2^15 if there are none such.
    pub limit: [u16; MAX_CODEWORD_LEN + 1],
    /// `offset[len]`: what to add, modulo 2^16, to a codeword of `len` bits for its place in `symbols`.
    pub offset: [u16; MAX_CODEWORD_LEN + 1],
    /// `count[len]`: the number of codewords of `len` bits.
    pub count: [u16; MAX_CODEWORD_LEN + 1],
    /// By ascending codeword length, then by symbol.
    pub symbols: [u16; N],
}

impl<const N: usize> Canonical<N> {
    const fn new() -> Canonical<N> {
        Canonical {
            limit: [0; MAX_CODEWORD_LEN + 1],
            offset: [0; MAX_CODEWORD_LEN + 1],
            count: [0; MAX_CODEWORD_LEN + 1],
            symbols: [0; N],
        }
    }

    /// Takes over the lengths, each at most 15, of the symbols in their order.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "arrays by length, side by side")]
    fn build(&mut self, lens: &[u8; N], count: [u16; MAX_CODEWORD_LEN + 1]) -> Result<(), NotACode> {
        self.count = count;
        if !is_code(&self.count) {
            return Err(NotACode);
        }
        let mut place = [0u16; MAX_CODEWORD_LEN + 1];
        let (mut used, mut next) = (0, 0);
        for len in 1..=MAX_CODEWORD_LEN {
            let codeword = next >> (MAX_CODEWORD_LEN - len);
            place[len] = used;
            self.offset[len] = used.wrapping_sub(codeword);
            used += self.count[len];
            next += self.count[len] << (MAX_CODEWORD_LEN - len);
            self.limit[len] = next;
        }
        for (group, lens) in lens.chunks(8).enumerate() {
            let lens = u64::from_le_bytes(lens.try_into().expect("a multiple of 8 symbols"));
            let mut used = (lens + 0x7f7f_7f7f_7f7f_7f7f) & 0x8080_8080_8080_8080;
            while used != 0 {
                let shift = used.trailing_zeros() & 56;
                used &= used - 1;
                let place = &mut place[(lens >> shift) as usize & 15];
                if let Some(slot) = self.symbols.get_mut(usize::from(*place)) {
                    *slot = (8 * group as u32 + shift / 8) as u16;
                }
                *place += 1;
            }
        }
        Ok(())
    }

    /// The symbol whose codeword begins `bits` (lowest bit first), and the codeword's length;
    /// `None` if there is no such codeword.
    #[inline]
    pub fn find(&self, bits: u64) -> Option<(u16, u32)> {
        let codeword = (bits as u16).reverse_bits() >> 1;
        let len = 1 + self.limit[1..].iter().map(|limit| usize::from(codeword >= *limit)).sum::<usize>();
        if len > MAX_CODEWORD_LEN {
            return None;
        }
        let place = (codeword >> (MAX_CODEWORD_LEN - len)).wrapping_add(self.offset[len]);
        Some((self.symbols[usize::from(place)], len as u32))
    }
}

impl Canonical<LITLEN_SYMBOLS> {
    /// What [`Canonical::find`] finds as a litlen symbol, and the codeword's length; a meaning of
    /// `None` is that of a symbol which must not occur.
    pub fn litlen(&self, bits: u64) -> Option<(Option<Litlen>, u32)> {
        let (symbol, len) = self.find(bits)?;
        let meaning = match usize::from(symbol) {
            literal @ 0..END_OF_BLOCK => Some(Litlen::Literal(literal as u8)),
            END_OF_BLOCK => Some(Litlen::EndOfBlock),
            symbol @ FIRST_LENGTH..286 => {
                let entry = LITLENS[symbol];
                let length = if entry < RARE { entry >> 26 } else { entry >> 8 & 0x1ff };
                Some(Litlen::Length(length as u16, (entry >> 17 & 7) as u8))
            }
            _ => None,
        };
        Some((meaning, len))
    }
}

impl Canonical<DIST_SYMBOLS> {
    /// What [`Canonical::find`] finds as a dist entry (extra bits among the bits to consume), and
    /// the codeword's length; an entry of 0 is that of a symbol which must not occur.
    pub fn dist(&self, bits: u64) -> Option<(u32, u32)> {
        let (symbol, len) = self.find(bits)?;
        let entry = DISTS[usize::from(symbol)];
        Some((if entry == 0 { 0 } else { entry + 0x101 * len }, len))
    }
}

/// The lengths of `N` symbols, the last of which have none.
#[inline(always)]
fn padded<const N: usize>(lens: &[u8]) -> [u8; N] {
    let (mut padded, len) = ([0; N], lens.len().min(N));
    padded[..len].copy_from_slice(&lens[..len]);
    padded
}

/// How many of `lens`, which are at most 15, there are of each but 0.
pub(super) fn count(lens: &[u8]) -> [u16; MAX_CODEWORD_LEN + 1] {
    count_groups(&padded::<{ LITLEN_SYMBOLS + DIST_SYMBOLS }>(lens))
}

/// The same for a multiple of 8 lengths.
#[inline(always)]
fn count_groups(lens: &[u8]) -> [u16; MAX_CODEWORD_LEN + 1] {
    const LOW_HALVES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    let mut counts = [0; MAX_CODEWORD_LEN + 1];
    // No more than a byte can count.
    for lens in lens.chunks(128) {
        let (mut even, mut odd) = (0, 0);
        for group in lens.as_chunks::<8>().0 {
            // Four bits for each length, in a register: equal neighbours do not wait for each other.
            let shifts = u64::from_le_bytes(*group) << 2;
            let counts = (0..8).fold(0, |counts, i| counts + (1u64 << (shifts >> (8 * i) & 60)));
            even += counts & LOW_HALVES;
            odd += counts >> 4 & LOW_HALVES;
        }
        for (counts, (even, odd)) in
            counts.as_chunks_mut::<2>().0.iter_mut().zip(even.to_le_bytes().iter().zip(odd.to_le_bytes()))
        {
            counts[0] += u16::from(*even);
            counts[1] += u16::from(odd);
        }
    }
    counts[0] = 0;
    counts
}

/// How much of all bit strings the codewords take up, in 2^-15.
#[inline(always)]
pub(super) fn kraft_sum(count: &[u16; MAX_CODEWORD_LEN + 1]) -> u32 {
    (1..=MAX_CODEWORD_LEN).map(|len| u32::from(count[len]) << (MAX_CODEWORD_LEN - len)).sum()
}

/// Whether the code is complete, or has one codeword of one bit, or none at all.
#[inline(always)]
fn is_code(count: &[u16; MAX_CODEWORD_LEN + 1]) -> bool {
    let codewords: u16 = count[1..].iter().sum();
    let sum = kraft_sum(count);
    sum == 1 << MAX_CODEWORD_LEN || sum == 0 || (codewords == 1 && count[1] == 1)
}

/// A litlen table in the making. Tables in here are by codewords as numbers (first bit highest), so
/// that what begins with a symbol stands side by side, in the order of [`Canonical::symbols`].
#[derive(Clone, Debug)]
struct Draft {
    /// The number of literals by codeword length, up to [`END_OF_BLOCK`].
    literal_counts: [u16; MAX_CODEWORD_LEN + 1],
    litlen: [u32; LITLEN_ENTRIES],
    /// What `n` bits behind one literal add to its entry is `behind_one[1 << n..2 << n]`.
    behind_one: [u32; LITLEN_ENTRIES],
    /// The same for two.
    behind_two: [u32; LITLEN_ENTRIES],
}

impl Draft {
    const fn new() -> Draft {
        Draft {
            literal_counts: [0; MAX_CODEWORD_LEN + 1],
            litlen: [RARE; LITLEN_ENTRIES],
            behind_one: [0; LITLEN_ENTRIES],
            behind_two: [0; LITLEN_ENTRIES],
        }
    }

    /// Makes the litlen table. An entry is as much of the bits of its index as can be decoded, up to
    /// two literals and a length.
    #[inline(always)]
    fn make(&mut self, code: &Canonical<LITLEN_SYMBOLS>, table: &mut [u32; LITLEN_ENTRIES]) {
        const BITS: usize = LITLEN_BITS as usize;
        let counts = &self.literal_counts;
        if let Some(shortest) = (1..=BITS).find(|len| counts[*len] > 0) {
            for bits in 0..=BITS.saturating_sub(2 * shortest) {
                let table = &mut self.behind_two[1 << bits..2 << bits];
                lay_out(table, code, counts, &[0; LITLEN_ENTRIES], |_, _| 0, |_, _| 0, 0);
            }
            for bits in 0..=BITS - shortest {
                let table = &mut self.behind_one[1 << bits..2 << bits];
                let second = |symbol, len| 1 << 24 | u32::from(symbol) << 16 | len;
                lay_out(table, code, counts, &self.behind_two, second, |_, _| 0, 0);
            }
        }
        let first = |symbol, len| 1 << 24 | u32::from(symbol) << 8 | len;
        let rare = |symbol: u16, len| LITLENS[usize::from(symbol) % 512 % LITLEN_SYMBOLS] + len;
        lay_out(&mut self.litlen, code, counts, &self.behind_one, first, rare, RARE);
        turn(&self.litlen, table);
    }
}

/// Lays out a table by codewords as numbers: literals with what is behind them (`behind` is by number of
/// bits, then bits), lengths with all extra bits, if there is room for those, or other entries; and `none`
/// for longer codewords.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "arrays by length, side by side")]
fn lay_out(
    table: &mut [u32],
    code: &Canonical<LITLEN_SYMBOLS>,
    literal_counts: &[u16; MAX_CODEWORD_LEN + 1],
    behind: &[u32; LITLEN_ENTRIES],
    literal: impl Fn(u8, u32) -> u32,
    other: impl Fn(u16, u32) -> u32,
    none: u32,
) {
    let bits = table.len().trailing_zeros() as usize;
    let (mut rest, mut place) = (table, 0);
    for len in 1..=bits {
        let size = 1 << (bits - len);
        let symbols = &code.symbols[place..place + usize::from(code.count[len])];
        place += symbols.len();
        let (literals, others) = symbols.split_at(usize::from(literal_counts[len]));
        let (behind, entry) = (&behind[size..2 * size], |symbol: u16| literal(symbol as u8, len as u32));
        rest = match size {
            1 => lay_few::<1>(rest, literals, behind, entry),
            2 => lay_few::<2>(rest, literals, behind, entry),
            4 => lay_few::<4>(rest, literals, behind, entry),
            _ => lay_many(rest, literals, behind, entry),
        };
        for symbol in others {
            let (base, extra) = match plain_length(*symbol, len, bits) {
                Some(length) => length,
                None => {
                    rest = lay_same(rest, size, other(*symbol, len as u32));
                    continue;
                }
            };
            for i in 0..1usize << extra {
                // The first of the extra bits is the lowest of the number that they are.
                let more = u32::from(REVERSED[i & 255]) >> (8 - extra);
                rest = lay_same(rest, size >> extra, (base + more) << 26 | (len + extra) as u32);
            }
        }
    }
    rest.fill(none);
}

/// Lays out the same entry `size` times; returns the room that is left.
#[inline(always)]
fn lay_same(room: &mut [u32], size: usize, entry: u32) -> &mut [u32] {
    let (slots, rest) = room.split_at_mut(size);
    slots.iter_mut().for_each(|slot| *slot = entry);
    rest
}

/// Lays out literals of `SIZE` entries each; returns the room that is left.
#[inline(always)]
fn lay_few<'a, const SIZE: usize>(
    room: &'a mut [u32],
    literals: &[u16],
    behind: &[u32],
    entry: impl Fn(u16) -> u32,
) -> &'a mut [u32] {
    let behind: &[u32; SIZE] = behind.try_into().expect("as many as entries");
    let (slots, rest) = room.split_at_mut(SIZE * literals.len());
    for (slots, symbol) in slots.as_chunks_mut::<SIZE>().0.iter_mut().zip(literals) {
        let entry = entry(*symbol);
        *slots = behind.map(|behind| entry + behind);
    }
    rest
}

/// The same for a multiple of 8 entries.
#[inline(always)]
fn lay_many<'a>(
    mut room: &'a mut [u32],
    literals: &[u16],
    behind: &[u32],
    entry: impl Fn(u16) -> u32,
) -> &'a mut [u32] {
    let (behind, _) = behind.as_chunks::<8>();
    for symbol in literals {
        let entry = entry(*symbol);
        let (slots, rest) = room.split_at_mut(8 * behind.len());
        for (slots, behind) in slots.as_chunks_mut::<8>().0.iter_mut().zip(behind) {
            *slots = behind.map(|behind| entry + behind);
        }
        room = rest;
    }
    room
}

/// Copies what is by codewords as numbers to where it is by codewords as they come, first bit lowest.
#[inline(always)]
fn turn(from: &[u32; LITLEN_ENTRIES], to: &mut [u32; LITLEN_ENTRIES]) {
    // The two highest and the two lowest bits of an index change places in squares of 4 by 4.
    const QUARTER: usize = LITLEN_ENTRIES / 4;
    const TWO: [usize; 4] = [0, 2, 1, 3];
    for middle in 0..QUARTER / 4 {
        let rows: [&[u32; 4]; 4] = TWO.map(|high| {
            let at = high * QUARTER + 4 * middle;
            from[at..at + 4].try_into().expect("4 entries")
        });
        let turned = 4 * reversed(middle as u16, LITLEN_BITS as usize - 4) as usize % QUARTER;
        for low in 0..4 {
            let at = TWO[low] * QUARTER + turned;
            to[at..at + 4].copy_from_slice(&rows.map(|row| row[low]));
        }
    }
}

/// The index of a codeword of `len` bits: its bits, first bit lowest.
#[inline(always)]
fn reversed(codeword: u16, len: usize) -> u64 {
    let low = REVERSED[usize::from(codeword & 0xff)];
    let high = REVERSED[usize::from(codeword >> 8)];
    (usize::from(low) << 8 | usize::from(high)) as u64 >> (16 - len)
}

/// Bytes with their bits in reverse.
const REVERSED: [u8; 256] = {
    let mut reversed = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        reversed[byte] = (byte as u8).reverse_bits();
        byte += 1;
    }
    reversed
};

/// The base and the extra bits of the lengths of a symbol whose codeword has `len` bits, if all of
/// them are to be in a table of `bits` bits.
#[inline(always)]
fn plain_length(symbol: u16, len: usize, bits: usize) -> Option<(u32, usize)> {
    let (base, extra) = LENGTHS[usize::from(symbol).checked_sub(FIRST_LENGTH)? % 32];
    let longest = base + (1 << extra) - 1;
    (base > 0 && longest <= MAX_PLAIN_LEN && len + extra as usize <= bits).then_some((base, extra as usize))
}

/// Makes a table of the codewords that are no longer than its index; `empty` for all others.
#[inline(always)]
fn fill<const N: usize>(
    table: &mut [u32],
    empty: u32,
    code: &Canonical<N>,
    entry_of: impl Fn(usize, u32) -> u32,
) {
    let index_bits = table.len().trailing_zeros() as usize;
    // The table of the first `len` bits, for growing `len`; its next index is the next codeword
    // with its first bit lowest.
    table[0] = empty;
    let (mut index, mut symbols) = (0usize, code.symbols.iter());
    for len in 1..=index_bits {
        let half = 1 << (len - 1);
        table.copy_within(..half, half);
        for symbol in symbols.by_ref().take(usize::from(code.count[len])) {
            table[index] = entry_of(usize::from(*symbol), len as u32);
            // Adds one to the codeword: its last bit is the index's highest. After the last
            // codeword of a complete code there is none left to set.
            let rest = !index & (2 * half - 1);
            if rest == 0 {
                repeat(table, 2 * half);
                return;
            }
            let bit = 1 << rest.ilog2();
            index = index & (bit - 1) | bit;
        }
    }
}

/// Fills a table with copies of its first `len` entries.
#[inline(always)]
fn repeat(table: &mut [u32], mut len: usize) {
    while len < table.len() {
        table.copy_within(..len, len);
        len *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of a complete code: the numbers of codewords by length, spread over the symbols.
    fn spread(counts: &[(usize, u8)], symbols: usize, step: usize) -> Vec<u8> {
        let mut lens = vec![0; symbols];
        let mut at = END_OF_BLOCK;
        for (count, len) in counts {
            for _ in 0..*count {
                lens[at] = *len;
                at = (at + step) % symbols;
            }
        }
        lens
    }

    #[test]
    fn an_entry_is_what_its_codewords_are_one_after_the_other() {
        let codes: [&[(usize, u8)]; 8] = [
            &[(2, 1)],
            &[(3, 2), (1, 3), (2, 4)],
            &[
                (1, 1),
                (1, 2),
                (1, 3),
                (1, 4),
                (1, 5),
                (1, 6),
                (1, 7),
                (1, 8),
                (1, 9),
                (1, 10),
                (1, 11),
                (2, 12),
            ],
            &[(30, 5), (3, 6), (2, 7)],
            &[(100, 7), (20, 8), (71, 9), (2, 10)],
            &[(226, 8), (60, 9)],
            // Most of them are longer than the index.
            &[(14, 4), (4, 6), (245, 12), (21, 13), (2, 14)],
            &[(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (12, 10), (15, 12), (1, 13), (1, 14), (2, 15)],
        ];
        for (counts, step) in codes.iter().flat_map(|counts| [1, 285, 5, 7, 97].map(|step| (counts, step))) {
            let lens = spread(counts, 286, step);
            let mut tables = Tables::new();
            tables.build(&lens, &[1, 1]).expect("a complete code");
            for (index, entry) in tables.litlen.iter().enumerate() {
                let (mut used, mut literals, mut length) = (0, Vec::new(), 0);
                let mut rare = None;
                while let Some((symbol, len)) = tables.litlen_code.litlen(index as u64 >> used) {
                    let left = LITLEN_BITS - used;
                    match symbol.expect("all symbols have a meaning") {
                        Litlen::Literal(byte) if len <= left && literals.len() < 2 => literals.push(byte),
                        Litlen::Length(base, extra)
                            if len + u32::from(extra) <= left
                                && u32::from(base) + (1 << extra) - 1 <= MAX_PLAIN_LEN =>
                        {
                            let more = index as u32 >> (used + len) & ((1 << extra) - 1);
                            length = u32::from(base) + more;
                            used += len + u32::from(extra);
                            break;
                        }
                        Litlen::Length(base, extra) if len <= left && used == 0 => {
                            rare = Some(RARE | u32::from(base) << 8 | u32::from(extra) << 17 | len);
                            break;
                        }
                        Litlen::EndOfBlock if len <= left && used == 0 => {
                            rare = Some(RARE | len);
                            break;
                        }
                        _ => break,
                    }
                    used += len;
                }
                let first = literals.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
                let plain = used | first << 8 | (literals.len() as u32) << 24 | length << 26;
                if rare.is_none() && plain == 0 {
                    let table = &tables.long[((*entry - RARE) as usize >> 8) - 1];
                    for (rest, entry) in table.iter().enumerate() {
                        let (symbol, len) =
                            tables.litlen_code.litlen((rest << LITLEN_BITS | index) as u64).unwrap();
                        let expected = match symbol.expect("all symbols have a meaning") {
                            Litlen::Literal(byte) => 1 << 24 | u32::from(byte) << 8,
                            Litlen::Length(base, 0) if u32::from(base) <= MAX_PLAIN_LEN => {
                                u32::from(base) << 26
                            }
                            Litlen::Length(base, extra) => {
                                RARE | u32::from(base) << 8 | u32::from(extra) << 17
                            }
                            Litlen::EndOfBlock => RARE,
                        };
                        assert_eq!(
                            *entry,
                            expected | len,
                            "{counts:?}, step {step}, index {index:#b}, {rest:#b}"
                        );
                    }
                    continue;
                }
                let expected = rare.unwrap_or(plain);
                assert_eq!(*entry, expected, "{counts:?}, step {step}, index {index:#b}: {entry:#x}");
            }
        }
    }

    #[test]
    fn what_has_one_length_is_the_literal_or_marked() {
        let codes: [(&[(usize, u8)], Mix); 4] = [
            (&[(252, 8), (8, 9)], Mix::OneLen),
            (&[(62, 6), (4, 7)], Mix::OneLen),
            (&[(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 6)], Mix::NearlyLiterals),
            (&[(100, 7), (20, 8), (71, 9), (2, 10)], Mix::NearlyLiterals),
        ];
        for (counts, mix) in codes {
            let mut tables = Tables::new();
            // The shortest codeword is not that of a literal if `END_OF_BLOCK` has it.
            let mut lens = spread(counts, 286, 285);
            let longest = (0..END_OF_BLOCK).max_by_key(|symbol| lens[*symbol]).expect("some literals");
            lens.swap(longest, END_OF_BLOCK);
            tables.build(&lens, &[1, 1]).expect("a complete code");
            assert_eq!(tables.mix, mix, "{counts:?}");
            if mix != Mix::OneLen {
                continue;
            }
            for bits in 0..1 << tables.one_len.len {
                let found = tables.litlen_code.litlen(bits as u64).expect("the code is complete");
                let expected = match found {
                    (Some(Litlen::Literal(literal)), len) if len == tables.one_len.len => literal.into(),
                    _ => 1 << OTHER_BIT,
                };
                assert_eq!(tables.one_len.literals[bits], expected, "{counts:?}, {bits:#b}");
            }
        }
    }
}
