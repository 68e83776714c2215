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
//! numbers of symbols and lengths for 48 places at once, the precode's lengths by five look-ups, and only
//! then the header is read.

use super::bits::Bits;
use super::header::{END_OF_BLOCK, Header, Progress};
use super::table::{count, kraft_sum};

/// Places that one look at a word decides about: whole bytes, with all that is looked at behind each.
const PLACES: u32 = 48;
/// Words whose places are listed before one of them is looked at more closely.
const WORDS: usize = 16;
const WINDOW_LEN: usize = 128 + 8;
/// As many lengths, fewer than those of a litlen code, give most wrong headers away.
const FEW_LENS: usize = 32;
/// One place in so many may have a header that has to be read: in what encoders write it is one in
/// 2,200, so whoever made more of them wants to waste our time.
const PLACES_PER_HEADER: u64 = 256;
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

/// The first place in `bytes`, in bits, from `from` on and before `to`, where a dynamic block that
/// is not the last one may begin; its header is in `bytes` as a whole. Gives up where too many places
/// look like one at first.
pub fn find(bytes: &[u8], from: u64, to: u64) -> Option<u64> {
    let to = to.min(8 * bytes.len() as u64);
    let mut header = Header::new();
    let mut headers_left = 64 + to.saturating_sub(from) / PLACES_PER_HEADER;
    let mut places = [0; 256];
    for base in (from & !7..to).step_by(WORDS * PLACES as usize) {
        let rest = &bytes[(base / 8) as usize..];
        let mut last = [0; WINDOW_LEN];
        let window = rest.first_chunk().unwrap_or_else(|| {
            last[..rest.len()].copy_from_slice(rest);
            &last
        });
        for place in list(window, &mut places) {
            let pos = base + u64::from(*place);
            if has_precode(window, *place) && (from..to).contains(&pos) {
                if has_header(bytes, pos, &mut header) {
                    return Some(pos);
                }
                headers_left = headers_left.checked_sub(1)?;
            }
        }
    }
    None
}

/// What is looked at at a time, and what a header there needs behind it; longer by a word than a power of two,
/// so that it takes no branch to stay inside.
type Window = [u8; WINDOW_LEN];

/// 64 bits from `byte` on.
#[inline(always)]
fn word_at(window: &Window, byte: usize) -> u64 {
    let word = &window[byte % (WINDOW_LEN - 8)..][..8];
    u64::from_le_bytes(word.try_into().expect("8 bytes"))
}

/// Lists the places in the first words of `window` that may be starts by the header's fields of fixed length.
/// Nobody could tell how many there are in a word, so that there is a branch for the fifth and those after it only.
#[inline(always)]
fn list<'p>(window: &Window, places: &'p mut [u16; 256]) -> &'p [u16] {
    let mut len = 0;
    for word in 0..WORDS {
        let first = word as u32 * PLACES;
        let mut starts = starts(word_at(window, first as usize / 8));
        let mut add_first = || {
            places[len % 256] = (first + starts.trailing_zeros()) as u16;
            len += usize::from(starts != 0);
            starts &= starts.wrapping_sub(1);
            starts != 0
        };
        (0..4).for_each(|_| _ = add_first());
        while add_first() {}
    }
    &places[..len]
}

/// The places of a word where the fields of fixed length may be a header's.
#[inline(always)]
fn starts(word: u64) -> u64 {
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

/// Whether the precode of a header at bit `place` seems to be complete.
#[inline(always)]
fn has_precode(window: &Window, place: u16) -> bool {
    let bits_at = |place: usize| word_at(window, place / 8) >> (place % 8);
    let precode_count = 4 + bits_at(usize::from(place) + 13) % 16;
    // At the upper end: 57 bits or more are there, the most that are needed.
    let lens = bits_at(usize::from(place) + 17) << (64 - 3 * precode_count);
    let sum = |at: u32| PRECODE_SUMS[(lens >> at) as usize % PRECODE_SUMS.len()];
    [52, 40, 28, 16, 4].into_iter().fold(0u8, |all, at| all.wrapping_add(sum(at))) == 128
}

#[inline(never)]
fn has_header(bytes: &[u8], pos: u64, header: &mut Header) -> bool {
    let mut bits = Bits::at(bytes, pos + 3);
    header.reset();
    // Lengths of something else soon are too many short ones.
    let few = header.read_some(&mut bits, FEW_LENS) == Progress::Done
        && header.lens()[..FEW_LENS].iter().map(|len| (1 << 15 >> len) & 0x7fff).sum::<u32>() <= 1 << 15;
    if !few || header.read(&mut bits) != Progress::Done {
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
            assert_eq!(find(&bytes, start, start + 8), Some(start));
            assert_eq!(find(&bytes, 0, u64::MAX), found.then_some(start), "{count}");
        }
    }
}
