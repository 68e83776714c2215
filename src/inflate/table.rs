#![forbid(unsafe_code)]
//! Decode tables of a block's two codes.
//!
//! A litlen entry, found by the next [`LITLEN_BITS`] bits:
//!
//! | bits | literals, a length, or both | rare |
//! |---|---|---|
//! | 0–7 | bits to consume, of all of them | of the codeword; 0: longer than the index, or none |
//! | 8–23 | one or two literals, the first one lowest | 8–16: a length, or its base; 0: end of block, or unknown |
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
//! Codewords that the tables do not know are decoded by [`Canonical`].
//!
//! Building takes a counting sort, and entries by ascending number of bits with the table doubled in
//! between (§3.2.2's order read backwards).

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
/// The longest match that is not rare, in bytes.
pub const MAX_PLAIN_LEN: u32 = 62;
/// The lowest entry that is rare, and the one of a codeword that the litlen table does not know.
pub const RARE: u32 = 63 << 26;

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
    /// All codewords of the litlen code.
    pub litlen_code: Canonical<LITLEN_SYMBOLS>,
    /// All codewords of the dist code.
    pub dist_code: Canonical<DIST_SYMBOLS>,
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
            litlen_code: Canonical::new(),
            dist_code: Canonical::new(),
        }
    }

    /// Makes the tables of the codes with these lengths. As with zlib, a code must be complete, or
    /// have just one codeword, of 1 bit; and the dist code may have none.
    pub fn build(&mut self, litlen_lens: &[u8], dist_lens: &[u8]) -> Result<(), NotACode> {
        self.litlen_code.build(litlen_lens)?;
        self.dist_code.build(dist_lens)?;
        fill_litlen(&mut self.litlen, &self.litlen_code);
        fill(&mut self.dist, 0, &self.dist_code, |symbol, len| DISTS[symbol & 31] + 0x101 * len);
        Ok(())
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

    /// Takes over at most `N` lengths, each at most 15.
    fn build(&mut self, lens: &[u8]) -> Result<(), NotACode> {
        let lens = &lens[..lens.len().min(N)];
        self.count = count(lens);
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
        for (symbol, len) in lens.iter().enumerate() {
            if *len > 0 {
                let place = &mut place[usize::from(*len & 15)];
                self.symbols[usize::from(*place)] = symbol as u16;
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

/// How many of `lens`, which are at most 15, there are of each.
pub(super) fn count(lens: &[u8]) -> [u16; MAX_CODEWORD_LEN + 1] {
    // Two at a time, so that equal neighbours do not wait for each other.
    let mut counts = [[0u16; MAX_CODEWORD_LEN + 1]; 2];
    let pairs = lens.chunks_exact(2);
    for len in pairs.remainder() {
        counts[0][usize::from(*len & 15)] += 1;
    }
    for pair in pairs {
        counts[0][usize::from(pair[0] & 15)] += 1;
        counts[1][usize::from(pair[1] & 15)] += 1;
    }
    let mut sum = counts[0];
    sum.iter_mut().zip(counts[1]).for_each(|(sum, count)| *sum += count);
    sum
}

/// How much of all bit strings the codewords take up, in 2^-15.
pub(super) fn kraft_sum(count: &[u16; MAX_CODEWORD_LEN + 1]) -> u32 {
    (1..=MAX_CODEWORD_LEN).map(|len| u32::from(count[len]) << (MAX_CODEWORD_LEN - len)).sum()
}

/// Whether the code is complete, or has one codeword of one bit, or none at all.
fn is_code(count: &[u16; MAX_CODEWORD_LEN + 1]) -> bool {
    let codewords: u16 = count[1..].iter().sum();
    let sum = kraft_sum(count);
    sum == 1 << MAX_CODEWORD_LEN || sum == 0 || (codewords == 1 && count[1] == 1)
}

/// Makes the litlen table.
///
/// An entry is as much of the bits of its index as can be decoded, up to two literals and a length.
/// Sequences of symbols are like codewords: the table of the first `n` bits is that of the first
/// `n - 1`, twice, and in it what takes just `n` bits. So each sequence is put down once.
fn fill_litlen(table: &mut [u32; LITLEN_ENTRIES], code: &Canonical<LITLEN_SYMBOLS>) {
    const BITS: usize = LITLEN_BITS as usize;
    // All of these are indices in the upper half and entries in the lower one, by ascending number
    // of bits; those of `n` bits begin at `starts[n]`.
    let (mut literals, mut literal_starts) = ([0; 256], [0; BITS + 2]);
    let (mut pairs, mut pair_starts) = ([0; LITLEN_ENTRIES], [0; BITS + 2]);
    // Lengths with all extra bits. A length is one of a symbol's at most.
    let (mut lengths, mut length_starts) = ([0; 320], [0; BITS + 2]);
    let mut counts = [0; BITS + 1];
    let mut symbols = code.symbols.iter();
    for len in 1..=BITS {
        for symbol in symbols.by_ref().take(usize::from(code.count[len])) {
            if let Some((_, extra)) = plain_length(*symbol, len) {
                counts[len + extra] += 1 << extra;
            }
        }
    }
    for len in 1..=BITS {
        length_starts[len + 1] = length_starts[len] + counts[len];
    }
    let mut length_ends = length_starts;

    table[0] = RARE;
    let (mut index, mut symbols) = (0u64, code.symbols.iter());
    let (mut literal_count, mut pair_count) = (0, 0);
    for n in 1..=BITS {
        let half = 1 << (n - 1);
        table.copy_within(..half, half);
        literal_starts[n] = literal_count;
        for symbol in symbols.by_ref().take(usize::from(code.count[n])) {
            let entry = LITLENS[usize::from(*symbol) % 512 % LITLEN_SYMBOLS] + n as u32;
            if let Some((base, extra)) = plain_length(*symbol, n) {
                for more in 0..1u64 << extra {
                    let slot = &mut length_ends[n + extra];
                    lengths[*slot % 320] =
                        (index | more << n) << 32 | (u64::from(base) + more) << 26 | (n + extra) as u64;
                    *slot += 1;
                }
            } else {
                if entry >> 24 == 1 {
                    literals[literal_count & 255] = index << 32 | u64::from(entry);
                    literal_count += 1;
                }
                put(table, index << 32 | u64::from(entry));
            }
            // Adds one to the codeword: its last bit is the index's highest. After the last
            // codeword of a complete code there is none left to set.
            let rest = !index & (2 * half as u64 - 1);
            let bit = 1 << (rest | 1).ilog2();
            index = index & (bit - 1) | bit;
        }
        literal_starts[n + 1] = literal_count;
        lengths[length_starts[n]..length_ends[n]].iter().for_each(|length| put(table, *length));
        pair_starts[n] = pair_count;
        for first_len in 1..n {
            let second_len = n - first_len;
            let firsts = &literals[literal_starts[first_len]..literal_starts[first_len + 1]];
            let seconds = &literals[literal_starts[second_len]..literal_starts[second_len + 1]];
            if !firsts.is_empty() {
                for second in seconds {
                    let byte = second >> 8 & 0xff;
                    let more = second >> 32 << (32 + first_len) | 1 << 24 | byte << 16 | second_len as u64;
                    for first in firsts {
                        put(table, first + more);
                        pairs[pair_count % LITLEN_ENTRIES] = first + more;
                        pair_count += 1;
                    }
                }
            }
            let pairs = &pairs[pair_starts[first_len]..pair_starts[first_len + 1]];
            for length in &lengths[length_starts[second_len]..length_ends[second_len]] {
                let more = length >> 32 << (32 + first_len) | length & 0xffff_ffff;
                firsts.iter().chain(pairs).for_each(|first| put(table, first + more));
            }
        }
        pair_starts[n + 1] = pair_count;
    }
}

/// Puts down an entry at its index, which is in the upper half.
#[inline(always)]
fn put(table: &mut [u32; LITLEN_ENTRIES], entry: u64) {
    table[(entry >> 32) as usize % LITLEN_ENTRIES] = entry as u32;
}

/// The base and the extra bits of the lengths of a symbol whose codeword has `len` bits, if all of
/// them are to be in the table.
#[inline(always)]
fn plain_length(symbol: u16, len: usize) -> Option<(u32, usize)> {
    let (base, extra) = LENGTHS[usize::from(symbol).checked_sub(FIRST_LENGTH)? % 32];
    let longest = base + (1 << extra) - 1;
    (base > 0 && longest <= MAX_PLAIN_LEN && len + extra as usize <= LITLEN_BITS as usize)
        .then_some((base, extra as usize))
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
fn repeat(table: &mut [u32], mut len: usize) {
    while len < table.len() {
        table.copy_within(..len, len);
        len *= 2;
    }
}
