#![forbid(unsafe_code)]
//! Decode tables of a block's two codes.
//!
//! A litlen entry, found by the next [`LITLEN_BITS`] bits:
//!
//! | bits | literals | match | rare |
//! |---|---|---|---|
//! | 0–7 | bits to consume, of all literals | bits to consume, extra bits among them | the same; 0: codeword longer than the index, or none |
//! | 8–23 | one or two literals, the first one lowest | 0 | 8–16: length, or its base; 0: end of block, or a codeword not known |
//! | 17–19 | | 0 | extra bits that are left, to be added to the base |
//! | 24–31 | number of literals, 1 or 2 | length, 3 to [`MAX_PLAIN_LEN`] | 0xFF |
//!
//! So `entry >> 24` is the advance of the output for all but the rare ones, `entry < 3 << 24` tells
//! literals and `entry >= RARE` the rare ones. Extra bits are in the index if there is room for all
//! of them; a length of more than [`MAX_PLAIN_LEN`] is rare even then.
//!
//! A dist entry, found by the next [`DIST_BITS`] bits: 0–7 bits to consume, extra bits among them,
//! 8–15 bits of the codeword alone, 16–31 base. Extra bits are never in the index. 0 stands for a
//! codeword that is longer than the index or does not exist.
//!
//! Codewords that the tables do not know are decoded by [`Canonical`].
//!
//! Building takes a counting sort, then entries by ascending number of bits, with the table doubled
//! in between: so every symbol, pair of literals and length with extra bits is written once, and
//! the rest is copying.

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
pub const MAX_PLAIN_LEN: u32 = 32;
/// The lowest entry that is rare, and the one of a codeword that the litlen table does not know.
pub const RARE: u32 = 0xff << 24;

/// Symbols of the litlen code; the last two occur only in the fixed code and mean nothing.
const LITLEN_SYMBOLS: usize = 288;
/// Symbols of the dist code; the last two occur only in the fixed code and mean nothing.
const DIST_SYMBOLS: usize = 32;
const FIRST_LENGTH: usize = 257;
/// The first length with extra bits; only the last length, 258, has none again.
const FIRST_EXTRA: usize = 265;

/// Entries of litlen symbols without bits to consume.
const LITLENS: [u32; LITLEN_SYMBOLS] = litlens();
/// Entries of dist symbols, with the extra bits as bits to consume.
const DISTS: [u32; DIST_SYMBOLS] = dists();

/// §3.2.5, the first table.
const fn litlens() -> [u32; LITLEN_SYMBOLS] {
    let mut entries = [RARE; LITLEN_SYMBOLS];
    let mut symbol = 0;
    while symbol < END_OF_BLOCK {
        entries[symbol] = 1 << 24 | (symbol as u32) << 8;
        symbol += 1;
    }
    let (mut code, mut base) = (0, 3);
    while code < 28 {
        let extra = if code < 8 { 0 } else { code / 4 - 1 };
        entries[FIRST_LENGTH + code as usize] =
            if extra == 0 { length_entry(base) } else { RARE | base << 8 | extra << 17 };
        base += 1 << extra;
        code += 1;
    }
    // The last symbol stands for 258 alone.
    entries[FIRST_LENGTH + 28] = length_entry(258);
    entries
}

const fn length_entry(length: u32) -> u32 {
    if length <= MAX_PLAIN_LEN { length << 24 } else { RARE | length << 8 }
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
        self.build_with(litlen_lens, dist_lens, true)
    }

    /// As [`Tables::build`], without pairs of literals.
    pub fn build_plain(&mut self, litlen_lens: &[u8], dist_lens: &[u8]) -> Result<(), NotACode> {
        self.build_with(litlen_lens, dist_lens, false)
    }

    fn build_with(&mut self, litlen_lens: &[u8], dist_lens: &[u8], has_pairs: bool) -> Result<(), NotACode> {
        self.litlen_code.build(litlen_lens)?;
        self.dist_code.build(dist_lens)?;
        fill_litlen(&mut self.litlen, &self.litlen_code, has_pairs);
        fill_dist(&mut self.dist, &self.dist_code);
        Ok(())
    }

    /// Makes the tables of the fixed codes (§3.2.6).
    pub fn build_fixed(&mut self) {
        let mut lens = [8; LITLEN_SYMBOLS];
        lens[144..256].fill(9);
        lens[256..280].fill(7);
        self.build(&lens, &[5; DIST_SYMBOLS]).expect("the fixed codes are complete");
        // Symbols without a meaning are left to `Canonical`.
        for entry in self.litlen.iter_mut().filter(|entry| **entry == LITLENS[287] + 8) {
            *entry = RARE;
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
                let length = if entry < RARE { entry >> 24 } else { entry >> 8 & 0x1ff };
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
        Some((dist_entry(symbol, len), len))
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

/// Makes the litlen table, with pairs of literals if `has_pairs`.
///
/// For growing `len`, the first 2^`len` entries are the table of the next `len` bits: those for one
/// bit less, twice, and in their second half, or above them, what takes just `len` bits. That is
/// codewords of this length, and such pairs and extra bits as end there.
fn fill_litlen(table: &mut [u32; LITLEN_ENTRIES], code: &Canonical<LITLEN_SYMBOLS>, has_pairs: bool) {
    // By place in `code.symbols`: the symbol's index and entry.
    let mut placed = [(0, 0); LITLEN_SYMBOLS];
    let mut groups = [Group::default(); LITLEN_BITS as usize + 1];
    table[0] = RARE;
    let (mut index, mut place) = (0, 0);
    for len in 1..=LITLEN_BITS as usize {
        let half = 1 << (len - 1);
        table.copy_within(..half, half);
        let start = place;
        for symbol in &code.symbols[start..][..code.count[len].into()] {
            let entry = LITLENS[usize::from(*symbol)] + len as u32;
            table[index % LITLEN_ENTRIES] = entry;
            placed[place] = (index, entry);
            place += 1;
            index = next_index(index, len);
        }
        let symbols = &code.symbols[start..place];
        groups[len] = Group {
            start,
            literals_end: start + symbols.partition_point(|symbol| usize::from(*symbol) < END_OF_BLOCK),
            extras_start: start + symbols.partition_point(|symbol| usize::from(*symbol) < FIRST_EXTRA),
            end: place,
        };
        for first_len in 1..len {
            let rest = len - first_len;
            let group = groups[first_len];
            for (index, entry) in &placed[group.extras_start..group.end] {
                if (entry >> 17 & 7) as usize == rest && *entry >= RARE {
                    for more in 0..1 << rest {
                        let length = (entry >> 8 & 0x1ff) + more as u32;
                        table[(index | more << first_len) % LITLEN_ENTRIES] =
                            length_entry(length) + len as u32;
                    }
                }
            }
            if has_pairs {
                let second = groups[rest];
                for (index, first) in &placed[group.start..group.literals_end] {
                    for (next, second) in &placed[second.start..second.literals_end] {
                        table[(index | next << first_len) % LITLEN_ENTRIES] = pair(*first, *second);
                    }
                }
            }
        }
    }
}

/// The places of the symbols with codewords of one length.
#[derive(Clone, Copy, Default)]
struct Group {
    start: usize,
    /// Where the literals end, which come first.
    literals_end: usize,
    /// Where the lengths with extra bits begin, and the one of 258.
    extras_start: usize,
    end: usize,
}

/// The entry of two literals in a row.
fn pair(first: u32, second: u32) -> u32 {
    first + (second & 0xff) + ((second & 0xff00) << 8) + (1 << 24)
}

fn fill_dist(table: &mut [u32; DIST_ENTRIES], code: &Canonical<DIST_SYMBOLS>) {
    table[0] = 0;
    let (mut index, mut place) = (0, 0);
    for len in 1..=DIST_BITS as usize {
        let half = 1 << (len - 1);
        table.copy_within(..half, half);
        for symbol in &code.symbols[place..][..code.count[len].into()] {
            table[index % DIST_ENTRIES] = dist_entry(*symbol, len as u32);
            index = next_index(index, len);
        }
        place += usize::from(code.count[len]);
    }
}

/// The entry of a dist symbol with a codeword of `len` bits; 0 if it means nothing.
fn dist_entry(symbol: u16, len: u32) -> u32 {
    let entry = DISTS[usize::from(symbol)];
    if entry == 0 { 0 } else { entry + 0x101 * len }
}

/// Adds one to a codeword of `len` bits, whose first bit is the index's lowest. Behind the last
/// codeword of a complete code there is none.
fn next_index(index: usize, len: usize) -> usize {
    let zeros = !index & ((1 << len) - 1);
    let bit = 1 << (zeros | 1).ilog2();
    index & (bit - 1) | bit
}
