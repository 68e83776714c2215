#![forbid(unsafe_code)]
//! Where a block may begin: for decoding from the middle of a stream, whose blocks before are not
//! known yet.
//!
//! Only dynamic blocks that are not the last one are found: others say too little about themselves.
//! A place is taken for a start if its header is one that encoders write:
//!
//! - no more than 286 and 30 symbols, as zlib wants it;
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
//! numbers of symbols for 48 places at once, the precode's lengths by five look-ups, and only then
//! the header is read.

use super::bits::Bits;
use super::header::{END_OF_BLOCK, Header, Progress};
use super::table::{count, kraft_sum};

/// Places that one look at a word decides about.
const PLACES: u32 = 48;
/// As many lengths, fewer than those of a litlen code, give most wrong headers away.
const FEW_LENS: usize = 32;
/// One place in so many may have a header that has to be read: in what encoders write it is one in
/// 2,200, so whoever made more of them wants to waste our time.
const PLACES_PER_HEADER: u64 = 256;
/// By four precode lengths of 3 bits: how much of all strings of 7 bits their codewords take up;
/// 255 if it is more than that.
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
    let mut base = from & !7;
    while base < to {
        let word = word_at(bytes, base / 8);
        // The lowest bits of a block: not the last one, of type 2.
        let starts = !word & !(word >> 1) & word >> 2;
        // The upper four bits of the numbers of symbols: not all set.
        let too_many_litlens = word >> 4 & word >> 5 & word >> 6 & word >> 7;
        let too_many_dists = word >> 9 & word >> 10 & word >> 11 & word >> 12;
        let mut places = starts & !too_many_litlens & !too_many_dists & ((1 << PLACES) - 1);
        if base < from {
            places &= !0 << (from - base);
        }
        if to - base < PLACES.into() {
            places &= (1 << (to - base)) - 1;
        }
        while places != 0 {
            let place = places.trailing_zeros();
            places &= places - 1;
            let pos = base + u64::from(place);
            let precode_count = 4 + (word >> (place + 13) & 15) as u32;
            if has_precode(bytes, pos, precode_count) {
                if has_header(bytes, pos, &mut header) {
                    return Some(pos);
                }
                headers_left = headers_left.checked_sub(1)?;
            }
        }
        base += u64::from(PLACES);
    }
    None
}

/// Eight bytes from `byte` on, with zeros behind the end.
#[inline(always)]
fn word_at(bytes: &[u8], byte: u64) -> u64 {
    let at = byte as usize;
    match bytes.get(at..at + 8) {
        Some(word) => u64::from_le_bytes(word.try_into().expect("8 bytes")),
        None => last_word(bytes, at),
    }
}

#[cold]
fn last_word(bytes: &[u8], at: usize) -> u64 {
    let left = bytes.get(at..).unwrap_or_default();
    left.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Whether the precode of a header at `pos` is complete.
#[inline(always)]
fn has_precode(bytes: &[u8], pos: u64, precode_count: u32) -> bool {
    let first = pos + 17;
    // 57 bits or more: the most there are.
    let lens = word_at(bytes, first / 8) >> (first % 8) & ((1 << (3 * precode_count)) - 1);
    let sum = |at: u32| u32::from(PRECODE_SUMS[(lens >> at) as usize % PRECODE_SUMS.len()]);
    sum(0) + sum(12) + sum(24) + sum(36) + sum(48) == 128
}

#[inline(never)]
fn has_header(bytes: &[u8], pos: u64, header: &mut Header) -> bool {
    let mut bits = Bits::at(bytes, pos + 3);
    header.reset();
    // Lengths of something else soon are too many short ones.
    let few = header.read_some(&mut bits, FEW_LENS) == Progress::Done
        && kraft_sum(&count(header.lens())) <= 1 << 15;
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
