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
/// No entry with a length is lower than this one, and no other one that is not rare is as high.
pub const MIN_LENGTH_ENTRY: u32 = 3 << 26;
/// Of 256 litlen symbols, by their codewords' lengths, so many literals are many.
const MANY_LITERALS: usize = 160;
/// The most bits of two literals that a length may follow in the same entry.
const MAX_PAIR_BITS: usize = 8;

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
    /// Whether a literal is to be expected after a literal.
    pub has_many_literals: bool,
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
            has_many_literals: false,
        }
    }

    /// Makes the tables of the codes with these lengths. As with zlib, a code must be complete, or
    /// have just one codeword, of 1 bit; and the dist code may have none.
    pub fn build(&mut self, litlen_lens: &[u8], dist_lens: &[u8]) -> Result<(), NotACode> {
        self.litlen_code.build(litlen_lens)?;
        self.dist_code.build(dist_lens)?;
        let literals = fill_litlen(&mut self.litlen, &self.litlen_code, litlen_lens);
        self.has_many_literals = literals >= MANY_LITERALS;
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
    #[expect(clippy::needless_range_loop, reason = "arrays by length, side by side")]
    fn build(&mut self, lens: &[u8]) -> Result<(), NotACode> {
        let lens = &lens[..lens.len().min(N)];
        let [low_count, high_count] = count_halves(lens);
        self.count = low_count;
        self.count.iter_mut().zip(high_count).for_each(|(sum, count)| *sum += count);
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
        // Symbols without a codeword come behind all others, which takes no branch. Both halves of
        // the symbols at the same time, so that equal lengths do not wait for each other.
        place[0] = used;
        let (low, high) = lens.split_at(lens.len() / 2);
        let mut high_place = place;
        high_place.iter_mut().zip(low_count).for_each(|(place, count)| *place += count);
        let mut put = |place: &mut [u16; MAX_CODEWORD_LEN + 1], len: u8, symbol: usize| {
            let place = &mut place[usize::from(len & 15)];
            if let Some(slot) = self.symbols.get_mut(usize::from(*place)) {
                *slot = symbol as u16;
            }
            *place += 1;
        };
        for (symbol, (low_len, high_len)) in low.iter().zip(high).enumerate() {
            put(&mut place, *low_len, symbol);
            put(&mut high_place, *high_len, low.len() + symbol);
        }
        if high.len() > low.len() {
            put(&mut high_place, high[low.len()], 2 * low.len());
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
    let [mut sum, high] = count_halves(lens);
    sum.iter_mut().zip(high).for_each(|(sum, count)| *sum += count);
    sum
}

/// The same for each half of `lens`, the second of which is the longer one.
fn count_halves(lens: &[u8]) -> [[u16; MAX_CODEWORD_LEN + 1]; 2] {
    // Side by side, so that equal neighbours do not wait for each other.
    let mut counts = [[0u16; MAX_CODEWORD_LEN + 1]; 2];
    let (low, high) = lens.split_at(lens.len() / 2);
    for (low_len, high_len) in low.iter().zip(high) {
        counts[0][usize::from(*low_len & 15)] += 1;
        counts[1][usize::from(*high_len & 15)] += 1;
    }
    for len in &high[low.len()..] {
        counts[1][usize::from(*len & 15)] += 1;
    }
    counts
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

/// Makes the litlen table. Returns how many of 256 symbols are literals, if their codewords have the
/// lengths that suit.
///
/// An entry is as much of the bits of its index as can be decoded, up to two literals and a length.
/// Sequences of symbols are like codewords: the table of the first `n` bits is that of the first
/// `n - 1`, twice, and in it what takes just `n` bits. So each sequence is put down once.
#[expect(clippy::needless_range_loop, reason = "arrays by length, side by side")]
fn fill_litlen(table: &mut [u32; LITLEN_ENTRIES], code: &Canonical<LITLEN_SYMBOLS>, lens: &[u8]) -> usize {
    const BITS: usize = LITLEN_BITS as usize;
    // All of these are indices in the upper half and entries in the lower one, by ascending number
    // of bits; those of `n` bits begin at `starts[n]`.
    let (mut literals, mut literal_starts) = ([0; 256], [0; BITS + 2]);
    let (mut pairs, mut pair_starts) = ([0; 1 << (MAX_PAIR_BITS + 1)], [0; BITS + 2]);
    // Lengths with all extra bits. A length is one of a symbol's at most.
    let (mut lengths, mut length_starts) = ([0; 256], [0; BITS + 2]);
    // Rare ones.
    let (mut others, mut other_starts) = ([0; 32], [0; BITS + 2]);

    let mut literal_counts = code.count;
    for len in lens.iter().skip(END_OF_BLOCK).filter(|len| **len > 0) {
        literal_counts[usize::from(*len & 15)] -= 1;
    }
    let (mut counts, mut place) = ([0; BITS + 1], 0);
    for len in 1..=BITS {
        let symbols = &code.symbols[place..place + usize::from(code.count[len])];
        let (class_literals, rest) = symbols.split_at(usize::from(literal_counts[len]));
        let codeword = (place as u16).wrapping_sub(code.offset[len]);
        let start = literal_starts[len];
        literal_starts[len + 1] = start + class_literals.len();
        for (i, symbol) in class_literals.iter().enumerate() {
            let index = reversed(codeword + i as u16, len);
            literals[(start + i) & 255] = index << 32 | 1 << 24 | u64::from(*symbol & 255) << 8 | len as u64;
        }
        other_starts[len + 1] = other_starts[len];
        for (i, symbol) in rest.iter().enumerate() {
            if let Some((_, extra)) = plain_length(*symbol, len) {
                counts[len + extra] += 1 << extra;
            } else {
                let index = reversed(codeword + (class_literals.len() + i) as u16, len);
                let entry = LITLENS[usize::from(*symbol) % 512 % LITLEN_SYMBOLS] + len as u32;
                others[other_starts[len + 1] & 31] = index << 32 | u64::from(entry);
                other_starts[len + 1] += 1;
            }
        }
        place += symbols.len();
    }
    for len in 1..=BITS {
        length_starts[len + 1] = length_starts[len] + counts[len];
    }
    let mut length_ends = length_starts;
    let mut place = 0;
    for len in 1..=BITS {
        let symbols = &code.symbols[place..place + usize::from(code.count[len])];
        let codeword = (place as u16).wrapping_sub(code.offset[len]);
        for (i, symbol) in symbols.iter().enumerate().skip(usize::from(literal_counts[len])) {
            let Some((base, extra)) = plain_length(*symbol, len) else { continue };
            let (index, bits) = (reversed(codeword + i as u16, len), len + extra);
            for more in 0..1u64 << extra {
                let entry = (u64::from(base) + more) << 26 | bits as u64;
                lengths[length_ends[bits] & 255] = (index | more << len) << 32 | entry;
                length_ends[bits] += 1;
            }
        }
        place += symbols.len();
    }

    table[0] = RARE;
    let (mut pair_count, mut share) = (0, 0);
    for n in 1..=BITS {
        let half = 1 << (n - 1);
        table.copy_within(..half, half);
        put_all(table, &others[other_starts[n]..other_starts[n + 1]], 0);
        put_all(table, &lengths[length_starts[n]..length_ends[n]], 0);
        let literals_of = |len: usize| &literals[literal_starts[len]..literal_starts[len + 1]];
        put_all(table, literals_of(n), 0);
        share += literals_of(n).len() << (BITS - n);
        pair_starts[n] = pair_count;
        for first_len in 1..n {
            let (firsts, second_len) = (literals_of(first_len), n - first_len);
            if !firsts.is_empty() {
                for second in literals_of(second_len) {
                    let byte = second >> 8 & 0xff;
                    let more = second >> 32 << (32 + first_len) | 1 << 24 | byte << 16 | second_len as u64;
                    put_all(table, firsts, more);
                    if n <= MAX_PAIR_BITS {
                        for first in firsts {
                            pairs[pair_count % (2 << MAX_PAIR_BITS)] = first + more;
                            pair_count += 1;
                        }
                    }
                }
            }
            let pairs = &pairs[pair_starts[first_len]..pair_starts[first_len + 1]];
            for length in &lengths[length_starts[second_len]..length_ends[second_len]] {
                let more = length >> 32 << (32 + first_len) | length & 0xffff_ffff;
                put_all(table, firsts, more);
                put_all(table, pairs, more);
            }
        }
        pair_starts[n + 1] = pair_count;
    }
    share >> (BITS - 8)
}

/// Puts down entries, with `more` in them, at their indices, which are in the upper halves.
#[inline(always)]
fn put_all(table: &mut [u32; LITLEN_ENTRIES], entries: &[u64], more: u64) {
    for entry in entries {
        let entry = entry + more;
        table[(entry >> 32) as usize % LITLEN_ENTRIES] = entry as u32;
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
        let codes: [&[(usize, u8)]; 6] = [
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
                                && u32::from(base) + (1 << extra) - 1 <= MAX_PLAIN_LEN
                                && (literals.len() < 2 || used as usize <= MAX_PAIR_BITS) =>
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
                let expected = rare.unwrap_or(if plain == 0 { RARE } else { plain });
                assert_eq!(*entry, expected, "{counts:?}, step {step}, index {index:#b}: {entry:#x}");
            }
        }
    }
}
