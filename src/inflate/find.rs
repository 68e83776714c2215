#![forbid(unsafe_code)]
//! Where a block may begin: for decoding from the middle of a stream, whose blocks before are not
//! known yet.
//!
//! Only dynamic blocks that are not the last one are found: others say too little about themselves.
//! A place is taken for a start if its header is one that encoders write:
//!
//! - no more than 286 and 30 symbols, as zlib wants it;
//! - 12 precode lengths or more: with fewer there is no codeword of 4 bits or less in either code;
//! - precode and litlen code complete, with a codeword for the end of the block;
//! - a dist code that is complete, or has one codeword of one bit (RFC 1951 §3.2.7 allows it, some
//!   encoders do it), or has none while the litlen code has none for lengths either (blocks without
//!   matches).
//!
//! The decoder takes every such header. A start that is missed costs speed, never correctness, and
//! so does one that is none: whoever begins there must see whether a decoder from before arrives at
//! the same place.
//!
//! Nearly all places are no starts, so they are turned away in order of price: block type and
//! numbers of symbols and lengths for a word of places at once; whether the precode is complete; whether the litlen code
//! is; and only then the header is read. The first two are done by kernels, of which [`kernels`] knows.

use super::bits::Bits;
use super::fast_find;
use super::header::{END_OF_BLOCK, Header, PRECODE_ORDER, Progress};
use super::table::{count, kraft_sum};

/// How far a kernel goes at a time, in bytes: words of [`PLACES`], and of 64.
pub(super) const STEP: usize = 384;
/// Longer by a word than a power of two, so that it takes no branch to stay inside.
const WINDOW_LEN: usize = 512 + 8;
/// What a kernel looks at: a step, and what a header there needs behind it.
pub(super) type Window = [u8; WINDOW_LEN];

/// Places of a step, in order.
pub(super) struct List {
    places: [u16; 8 * STEP / 3 + 64],
    len: usize,
}

impl List {
    pub(super) const fn new() -> List {
        List { places: [0; 8 * STEP / 3 + 64], len: 0 }
    }

    pub(super) fn places(&self) -> &[u16] {
        &self.places[..self.len]
    }

    pub(super) fn push(&mut self, place: usize) {
        self.places[self.len] = place as u16;
        self.len += 1;
    }
}

/// One place in so many may have a header that has to be read: in what encoders write it is one in
/// 7,600, so whoever made more of them wants to waste our time.
const PLACES_PER_HEADER: u64 = 256;

/// The first place in `bytes`, in bits, from `from` on and before `to`, where a dynamic block that
/// is not the last one may begin; its header is in `bytes` as a whole. Gives up where too many places
/// look like one at first.
pub fn find(bytes: &[u8], from: u64, to: u64) -> Option<u64> {
    let (_, kernel) = fast_find::kernels().next().expect("there is a portable one");
    kernel(bytes, from, to)
}

/// A function that finds what [`find`] does.
pub type Kernel = fn(&[u8], u64, u64) -> Option<u64>;

/// What the machine can run, and what it is called: the best first, the one that all others are compared with last.
pub fn kernels() -> impl Iterator<Item = (&'static str, Kernel)> {
    fast_find::kernels()
}

/// [`find`] by what lists the places in the first [`STEP`] bytes of a window that may be starts by the header's
/// fields of fixed length and the precode.
#[inline(always)]
pub(super) fn find_by(
    mut list_places: impl FnMut(&Window, &mut List),
    bytes: &[u8],
    from: u64,
    to: u64,
) -> Option<u64> {
    let to = to.min(8 * bytes.len() as u64);
    let mut header = Header::new();
    let mut headers_left = 64 + to.saturating_sub(from) / PLACES_PER_HEADER;
    let mut list = List::new();
    let mut last = [0; WINDOW_LEN];
    for base in (from & !7..to).step_by(8 * STEP) {
        let rest = &bytes[(base / 8) as usize..];
        let window = rest.first_chunk().unwrap_or_else(|| {
            // There may be another one, with less in it.
            last.fill(0);
            last[..rest.len()].copy_from_slice(rest);
            &last
        });
        list.len = 0;
        list_places(window, &mut list);
        for place in list.places() {
            let pos = base + u64::from(*place);
            if (from..to).contains(&pos) {
                if has_litlen_code(bytes, pos) && has_header(bytes, pos, &mut header) {
                    return Some(pos);
                }
                headers_left = headers_left.checked_sub(1)?;
            }
        }
    }
    None
}

/// Places that one look at a word decides about: whole bytes, with all that is looked at behind each.
pub(super) const PLACES: usize = 48;
/// By four precode lengths of 3 bits: how much of all strings of 7 bits their codewords take up, or 255.
static PRECODE_SUMS: [u8; 1 << 12] = precode_sums();

const fn precode_sums() -> [u8; 1 << 12] {
    let mut sums = [0; 1 << 12];
    let mut lens = 0;
    while lens < 1 << 12 {
        let (mut sum, mut at) = (0u32, 0);
        while at < 12 {
            let len = lens >> at & 7;
            sum += if len == 0 { 0 } else { 128 >> len };
            at += 3;
        }
        sums[lens] = if sum > 255 { 255 } else { sum as u8 };
        lens += 1;
    }
    sums
}

/// The kernel that all others are compared with. Nobody could tell how many places there are in a word by the fields alone,
/// so that there is a branch for the fifth and those after it only.
#[inline(always)]
pub(super) fn list(window: &Window, list: &mut List) {
    // At most every third place of a word is one.
    let mut begun = [0; 256];
    for first in (0..8 * STEP).step_by(16 * PLACES) {
        let mut len = 0;
        for first in (first..first + 16 * PLACES).step_by(PLACES) {
            let mut starts = starts(word_at(window, first / 8));
            let mut add_first = || {
                begun[len % 256] = (first as u32 + starts.trailing_zeros()) as u16;
                len += usize::from(starts != 0);
                starts &= starts.wrapping_sub(1);
                starts != 0
            };
            (0..4).for_each(|_| _ = add_first());
            while add_first() {}
        }
        for place in begun[..len].iter().map(|place| usize::from(*place)) {
            if has_precode(window, place) {
                list.push(place);
            }
        }
    }
}

/// 64 bits from `byte` on.
#[inline(always)]
pub(super) fn word_at(window: &Window, byte: usize) -> u64 {
    let word = &window[byte % (WINDOW_LEN - 8)..][..8];
    u64::from_le_bytes(word.try_into().expect("8 bytes"))
}

/// The places of a word where the fields of fixed length may be a header's.
#[inline(always)]
pub(super) fn starts(word: u64) -> u64 {
    // The lowest bits of a block: not the last one, of type 2.
    let starts = !word & !(word >> 1) & word >> 2;
    // The upper four bits of the numbers of symbols: not all set.
    let two = word & word >> 1;
    let four = two & two >> 2;
    let too_many_litlens = four >> 4;
    let too_many_dists = four >> 9;
    let many_precode_lens = word >> 16;
    starts & !too_many_litlens & !too_many_dists & many_precode_lens & ((1 << PLACES) - 1)
}

/// The precode lengths of a header at bit `place`, as the upper of 57 bits that are the upper ones themselves.
#[inline(always)]
pub(super) fn lens_at(window: &Window, place: usize) -> u64 {
    let bits_at = |place: usize| word_at(window, place / 8) >> (place % 8);
    let count = 4 + bits_at(place + 13) % 16;
    // 57 bits or more are there, the most that are needed.
    bits_at(place + 17) << (64 - 3 * count)
}

/// Whether the precode of a header at bit `place` is complete.
#[inline(always)]
fn has_precode(window: &Window, place: usize) -> bool {
    let lens = lens_at(window, place);
    let sum = |at: u32| u32::from(PRECODE_SUMS[(lens >> at) as usize % PRECODE_SUMS.len()]);
    [52, 40, 28, 16, 4].into_iter().map(sum).sum::<u32>() == 128
}

#[inline(never)]
fn has_header(bytes: &[u8], pos: u64, header: &mut Header) -> bool {
    header.reset();
    if header.read(&mut Bits::at(bytes, pos + 3)) != Progress::Done {
        return false;
    }
    let litlen_lens = header.litlen_lens();
    let dists = count(header.dist_lens());
    kraft_sum(&count(litlen_lens)) == 1 << 15
        && match kraft_sum(&dists) {
            0x8000 => true,
            0x4000 => dists[1] == 1,
            0 => litlen_lens[END_OF_BLOCK + 1..].iter().all(|len| *len == 0),
            _ => false,
        }
}

/// What a precode symbol says, as far as it matters for how much of a code is taken up.
#[derive(Clone, Copy)]
struct Step {
    /// What a codeword takes up, in 2^-15 of all strings.
    share: u32,
    /// All ones if it is the one before.
    keeps: u32,
    repeats: u32,
    extra_bits: u32,
}

static STEPS: [Step; 32] = {
    let mut steps = [Step { share: 0, keeps: 0, repeats: 1, extra_bits: 0 }; 32];
    let mut len = 1;
    while len < 16 {
        steps[len].share = 1 << 15 >> len;
        len += 1;
    }
    steps[16] = Step { share: 0, keeps: u32::MAX, repeats: 3, extra_bits: 2 };
    steps[17] = Step { share: 0, keeps: 0, repeats: 3, extra_bits: 3 };
    steps[18] = Step { share: 0, keeps: 0, repeats: 11, extra_bits: 7 };
    steps
};

/// Whether the litlen code of a header is complete, by tables that are made for nothing else; what is no header
/// nearly always has too many short codewords, and soon. The precode is complete. True at the end of the input.
#[inline(always)]
fn has_litlen_code(bytes: &[u8], pos: u64) -> bool {
    let bits_at = |pos: u64| {
        let word = bytes.get((pos / 8) as usize..)?.first_chunk()?;
        Some(u64::from_le_bytes(*word) >> (pos % 8))
    };
    let (Some(counts), Some(lens)) = (bits_at(pos), bits_at(pos + 17)) else { return true };
    let litlen_count = 257 + (counts >> 3 & 31) as u32;
    let precode_len = 3 * (4 + (counts >> 13 & 15));
    let precode = Precode::new(lens & ((1 << precode_len) - 1));
    let mut pos = pos + 17 + precode_len;
    // There is nothing to repeat yet.
    let (mut left, mut share, mut sum) = (litlen_count, 1 << 16, 0);
    while left > 0 && sum <= 1 << 15 {
        let Some(mut bits) = bits_at(pos) else { return true };
        // Of 14 bits each.
        for _ in 0..4 {
            let next = bits as usize % 128;
            let (symbol, len) = (precode.symbols[next], precode.lens[next]);
            let step = &STEPS[usize::from(symbol) % 32];
            let extra = (bits as u32 & ((1 << len) - 1)) >> (u32::from(len) - step.extra_bits);
            let repeats = step.repeats + extra;
            share = share & step.keeps | step.share;
            sum += share * repeats.min(left);
            left = left.saturating_sub(repeats);
            bits >>= len;
            pos += u64::from(len);
        }
    }
    sum == 1 << 15
}

/// A precode, by the next 7 bits of the input.
struct Precode {
    symbols: [u8; 128],
    /// Of codewords with their extra bits.
    lens: [u8; 128],
}

impl Precode {
    /// By the lengths, 3 bits each, of a complete code. Each symbol is compared with all places: so there are no branches.
    #[inline(always)]
    fn new(lens: u64) -> Precode {
        // Eight times each length, for numbers that have a byte for each.
        let len_at = |at: usize| (lens << 3 >> (3 * at)) as u32 & 56;
        let share = |len: u32| (128 >> (len / 8)) % 128;
        let shares = (0..19).fold(0u64, |shares, at| shares + (share(len_at(at)) << len_at(at)));
        // The next codeword of each length, as 7 bits from the first on.
        let mut next = shares.wrapping_mul(0x0101_0101_0101_0100);
        let mut precode = Precode { symbols: [0; 128], lens: [0; 128] };
        for (symbol, at) in POSITIONS.into_iter().enumerate() {
            let len = len_at(at);
            let codeword = REVERSED[(next >> len) as usize % 128];
            next += share(len) << len;
            // No place is like one of no length.
            let (mask, codeword) = ((1 << (len / 8)) - 1, codeword | if len == 0 { 128 } else { 0 });
            let with_extra = (len / 8 + STEPS[symbol].extra_bits) as u8;
            for i in 0..128 {
                // All ones if it is the one; in bytes, for the compiler to take many at once.
                let is_it = u8::from(i as u8 & mask == codeword).wrapping_neg();
                precode.symbols[i] |= symbol as u8 & is_it;
                precode.lens[i] |= with_extra & is_it;
            }
        }
        precode
    }
}

/// By 7 bits: the same from the last one on.
static REVERSED: [u8; 128] = {
    let mut reversed = [0; 128];
    let mut i = 0;
    while i < 128 {
        reversed[i] = (i as u8).reverse_bits() >> 1;
        i += 1;
    }
    reversed
};

/// By symbol: where its length is among those of the precode.
const POSITIONS: [usize; 19] = {
    let (mut positions, mut i) = ([0; 19], 0);
    while i < 19 {
        positions[PRECODE_ORDER[i] as usize] = i;
        i += 1;
    }
    positions
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate;

    #[test]
    fn whoever_begins_many_headers_is_not_followed_to_the_end() {
        let data: Vec<u8> = (0..400_000u32).map(|i| (i % 251 * (i >> 12)) as u8).collect();
        let mut block = Vec::new();
        libdeflate::encode(6, &data, &mut block);
        assert_eq!(find(&block, 0, 8), Some(0));
        // The precode of the block, and nothing of what it is for.
        let begun = [&block[..10], &[0xff; 2]].concat();
        for (count, found) in [(50, true), (5000, false)] {
            let bytes = [&begun.repeat(count), &block[..]].concat();
            let start = 8 * (count * begun.len()) as u64;
            for (name, find) in kernels() {
                assert_eq!(find(&bytes, start, start + 8), Some(start), "{name}");
                assert_eq!(find(&bytes, 0, u64::MAX), found.then_some(start), "{name}, {count}");
            }
        }
    }
}
