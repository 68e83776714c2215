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
//! Building takes a counting sort, entries by ascending codeword length with the table doubled in
//! between (§3.2.2's order read backwards), entries for the extra bits of lengths, and one pass
//! which makes pairs of literals ([`pair_literals`]).

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
        self.build_plain(litlen_lens, dist_lens)?;
        pair_literals(&mut self.litlen);
        Ok(())
    }

    /// As [`Tables::build`], without pairs of literals.
    pub fn build_plain(&mut self, litlen_lens: &[u8], dist_lens: &[u8]) -> Result<(), NotACode> {
        self.litlen_code.build(litlen_lens)?;
        self.dist_code.build(dist_lens)?;
        fill_litlen(&mut self.litlen, &self.litlen_code);
        fill(
            &mut self.dist,
            0,
            &self.dist_code,
            |symbol, len| DISTS[symbol & 31] + 0x101 * len,
            |_, _, _| (),
        );
        Ok(())
    }

    /// Makes the tables of the fixed codes (§3.2.6).
    pub fn build_fixed(&mut self) {
        let mut lens = [8; LITLEN_SYMBOLS];
        lens[144..256].fill(9);
        lens[256..280].fill(7);
        self.build_plain(&lens, &[5; DIST_SYMBOLS]).expect("the fixed codes are complete");
        // Symbols without a meaning are left to `Canonical`.
        for entry in self.litlen.iter_mut().filter(|entry| **entry == LITLENS[287] + 8) {
            *entry = RARE;
        }
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

fn fill_litlen(table: &mut [u32; LITLEN_ENTRIES], code: &Canonical<LITLEN_SYMBOLS>) {
    // Lengths with extra bits: index and entry.
    let (mut lengths, mut count) = ([(0, 0); 32], 0);
    let entry_of = |symbol: usize, len: u32| LITLENS[symbol % 512 % LITLEN_SYMBOLS] + len;
    fill(table, RARE, code, entry_of, |symbol, first, entry| {
        if symbol >= FIRST_LENGTH && entry >> 17 & 7 > 0 && entry >= RARE {
            lengths[count & 31] = (first, entry);
            count += 1;
        }
    });
    for (first, entry) in &lengths[..count.min(32)] {
        let (len, extra, base) = (entry & 0xff, entry >> 17 & 7, entry >> 8 & 0x1ff);
        if len + extra <= LITLEN_BITS {
            for more in 0..1 << extra {
                let entry = length_entry(base + more) | (len + extra);
                let step = 1 << (len + extra);
                table[first | (more as usize) << len..]
                    .iter_mut()
                    .step_by(step)
                    .for_each(|slot| *slot = entry);
            }
        }
    }
}

/// Makes a table of the codewords that are no longer than its index; `empty` for all others.
/// `seen` is told each symbol, its first index and its entry.
#[inline(always)]
fn fill<const N: usize>(
    table: &mut [u32],
    empty: u32,
    code: &Canonical<N>,
    entry_of: impl Fn(usize, u32) -> u32,
    mut seen: impl FnMut(usize, usize, u32),
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
            let entry = entry_of(usize::from(*symbol), len as u32);
            table[index] = entry;
            seen(usize::from(*symbol), index, entry);
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

/// Makes one entry of each two literals in a row whose codewords fit the index.
fn pair_literals(table: &mut [u32; LITLEN_ENTRIES]) {
    // From the end, so that what an entry shows behind its codeword has not been paired itself.
    for index in (0..LITLEN_ENTRIES).rev() {
        let first = table[index];
        let second = table[index >> (first & 15)];
        let bits = (first & 0xff) + (second & 0xff);
        let are_literals = (first | second) >> 24 == 1;
        let pair = (first & 0xff00) | (second & 0xff00) << 8 | bits | 2 << 24;
        table[index] = if are_literals && bits <= LITLEN_BITS { pair } else { first };
    }
}
