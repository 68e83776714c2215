//! Walking over DEFLATE blocks (RFC 1951 §3.2) without decoding their bytes, and taking some of
//! them out, bit by bit.
//!
//! The input is what an encoder of this program has just written; a stream that is not valid is a
//! defect here and panics.

use crate::deflate::bits::BitWriter;

/// The order in which a dynamic block lists its precode lengths (§3.2.7).
const PRECODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// Base and extra bits of the match lengths, symbols 257 to 285 (§3.2.5).
const LENGTHS: [(u16, u8); 29] = lengths();
const MAX_CODEWORD_LEN: usize = 15;
const END_OF_BLOCK: u16 = 256;
/// An empty stored block behind its three header bits and the padding.
const EMPTY_STORED: [u8; 4] = [0, 0, 0xff, 0xff];

/// Appends to `out`, which ends on a byte boundary, the blocks of `packed` (a complete stream)
/// whose bytes lie from `start` on. At each of `ends`, ascending and each the end of a block, an
/// empty stored block leads to a byte boundary, but at the last one only if not `is_last`: then the
/// stream ends there.
pub(super) fn copy(packed: &[u8], start: usize, ends: &[usize], is_last: bool, out: &mut Vec<u8>) {
    let mut reader = BitReader { bytes: packed, at: 0 };
    let mut writer = BitWriter::new(out);
    let (mut pos, mut ends) = (0, ends.iter().peekable());
    loop {
        let from = reader.at;
        let block = skip_block(&mut reader);
        let is_copied = pos >= start;
        pos += block.len;
        if is_copied {
            writer.put(u64::from(block.is_final && is_last), 1);
            if block.is_stored {
                // Its padding depends on where it stands.
                writer.put(0, 2);
                writer.align();
                copy_bits(&mut writer, packed, reader.at - 8 * (block.len + 4), reader.at);
            } else {
                copy_bits(&mut writer, packed, from + 1, reader.at);
            }
            if ends.peek() == Some(&&pos) {
                ends.next();
                if ends.peek().is_some() || !is_last {
                    empty_stored(&mut writer);
                }
            }
        }
        if block.is_final {
            break;
        }
    }
    assert!(ends.peek().is_none(), "every end is the end of a block");
    writer.align();
}

/// What is to know of a block.
struct Block {
    is_final: bool,
    is_stored: bool,
    /// Bytes it decodes to.
    len: usize,
}

/// Reads one block, from its header to its end.
fn skip_block(reader: &mut BitReader<'_>) -> Block {
    let is_final = reader.bits(1) == 1;
    let kind = reader.bits(2);
    let len = match kind {
        0 => {
            reader.at = reader.at.next_multiple_of(8);
            let len = usize::from(reader.bits(16));
            reader.at += 16 + 8 * len;
            len
        }
        1 => {
            let mut lens = [8; 288];
            lens[144..256].fill(9);
            lens[256..280].fill(7);
            skip_symbols(reader, &Code::new(&lens), &Code::new(&[5; 32]))
        }
        2 => {
            let (litlen, dist) = read_codes(reader);
            skip_symbols(reader, &litlen, &dist)
        }
        _ => panic!("block type 3"),
    };
    Block { is_final, is_stored: kind == 0, len }
}

/// The two codes of a dynamic block (§3.2.7).
fn read_codes(reader: &mut BitReader<'_>) -> (Code, Code) {
    let litlen_count = usize::from(reader.bits(5)) + 257;
    let dist_count = usize::from(reader.bits(5)) + 1;
    let precode_count = usize::from(reader.bits(4)) + 4;
    let mut precode_lens = [0; 19];
    for symbol in &PRECODE_ORDER[..precode_count] {
        precode_lens[*symbol] = reader.bits(3) as u8;
    }
    let precode = Code::new(&precode_lens);
    let mut lens: Vec<u8> = Vec::with_capacity(litlen_count + dist_count);
    while lens.len() < litlen_count + dist_count {
        let (len, count) = match precode.read(reader) {
            16 => (*lens.last().expect("a length to repeat"), 3 + reader.bits(2)),
            17 => (0, 3 + reader.bits(3)),
            18 => (0, 11 + reader.bits(7)),
            len => (len as u8, 1),
        };
        lens.extend(std::iter::repeat_n(len, count.into()));
    }
    (Code::new(&lens[..litlen_count]), Code::new(&lens[litlen_count..]))
}

/// Reads the symbols of a block to its end; returns the number of bytes they stand for.
fn skip_symbols(reader: &mut BitReader<'_>, litlen: &Code, dist: &Code) -> usize {
    let mut len = 0;
    loop {
        match litlen.read(reader) {
            0..END_OF_BLOCK => len += 1,
            END_OF_BLOCK => return len,
            symbol => {
                let (base, extra) = LENGTHS[usize::from(symbol) - 257];
                len += usize::from(base + reader.bits(extra.into()));
                let symbol = dist.read(reader);
                reader.at += usize::from((symbol / 2).saturating_sub(1));
            }
        }
    }
}

const fn lengths() -> [(u16, u8); 29] {
    let mut table = [(258, 0); 29];
    let (mut symbol, mut base) = (0, 3);
    // The last symbol stands for 258 alone.
    while symbol < 28 {
        let extra = if symbol < 8 { 0 } else { symbol as u8 / 4 - 1 };
        table[symbol] = (base, extra);
        base += 1 << extra;
        symbol += 1;
    }
    table
}

/// A canonical prefix code (§3.2.2), as a table with an entry for each 15 bits: symbol and length.
struct Code(Vec<(u16, u8)>);

impl Code {
    fn new(lens: &[u8]) -> Code {
        let mut table = vec![(0, 0); 1 << MAX_CODEWORD_LEN];
        let mut next = 0u16;
        for len in 1..=MAX_CODEWORD_LEN {
            for (symbol, _) in lens.iter().enumerate().filter(|(_, has)| usize::from(**has) == len) {
                let first = usize::from(next.reverse_bits() >> (16 - len));
                table[first..]
                    .iter_mut()
                    .step_by(1 << len)
                    .for_each(|entry| *entry = (symbol as u16, len as u8));
                next += 1;
            }
            next <<= 1;
        }
        Code(table)
    }

    fn read(&self, reader: &mut BitReader<'_>) -> u16 {
        let (symbol, len) = self.0[reader.peek() as usize & ((1 << MAX_CODEWORD_LEN) - 1)];
        assert!(len > 0, "a codeword that the block does not have");
        reader.at += usize::from(len);
        symbol
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position in bits.
    at: usize,
}

impl BitReader<'_> {
    /// The next 24 bits or more; zeros behind the end.
    fn peek(&self) -> u32 {
        let mut next = [0; 4];
        let left = &self.bytes[(self.at / 8).min(self.bytes.len())..];
        let len = left.len().min(4);
        next[..len].copy_from_slice(&left[..len]);
        u32::from_le_bytes(next) >> (self.at % 8)
    }

    /// The next `count` bits, at most 16.
    fn bits(&mut self, count: u32) -> u16 {
        let bits = self.peek() & ((1 << count) - 1);
        self.at += count as usize;
        bits as u16
    }
}

/// Appends an empty stored block behind `writer`'s bits.
fn empty_stored(writer: &mut BitWriter<'_>) {
    writer.put(0, 3);
    writer.align();
    writer.put_bytes(&EMPTY_STORED);
}

/// Appends the bits of `bytes` from `from` to `end`.
fn copy_bits(writer: &mut BitWriter<'_>, bytes: &[u8], from: usize, end: usize) {
    let mut reader = BitReader { bytes, at: from };
    while reader.at < end {
        let count = (end - reader.at).min(16) as u32;
        let bits = reader.bits(count);
        writer.put(bits.into(), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};
    use crate::backend::zlib_ng::{self, Tuning};
    use crate::backend::{Chunk, fixed, stored};

    /// Blocks of all types, with matches of all lengths; the offsets where blocks end for certain.
    fn stream() -> (Vec<u8>, Vec<u8>, Vec<usize>) {
        let mut data: Vec<u8> =
            (0..300u32).flat_map(|len| (0..len).map(move |i| ((i * len) >> 3) as u8)).collect();
        data.extend((0..40_000u32).map(|i| (i.wrapping_mul(i) >> 6) as u8));
        data.extend([7; 2000]);
        let mut packed = Vec::new();
        stored::encode(Chunk { data: &data[..10], ..Chunk::default() }, &mut packed);
        let rest = Chunk { window: &data[..10], data: &data[10..], cuts: &[1, 30_000], is_last: false };
        zlib_ng::encode(Tuning::level(9), rest, &mut packed);
        fixed::encode(b"the end, the end", &mut packed);
        let ends = vec![10, 11, 30_010, data.len(), data.len() + 16];
        data.extend_from_slice(b"the end, the end");
        (data, packed, ends)
    }

    #[test]
    fn copies_of_all_blocks_decode_to_the_same() {
        let (data, packed, ends) = stream();
        for chosen in [&ends[..], &ends[4..]] {
            let mut copied = Vec::new();
            copy(&packed, 0, chosen, true, &mut copied);
            let mut out = vec![0; data.len()];
            let consumed = copied.len();
            assert_eq!(inflate(&copied, &mut out), Inflated::Done { consumed, produced: data.len() });
            assert!(out == data);
        }
    }

    #[test]
    fn what_is_copied_from_a_place_on_continues_a_stream() {
        let (data, packed, ends) = stream();
        for (i, start) in ends[..4].iter().enumerate() {
            for is_last in [true, false] {
                let mut joined = Vec::new();
                stored::encode(Chunk { data: &data[..*start], ..Chunk::default() }, &mut joined);
                copy(&packed, *start, &ends[i + 1..], is_last, &mut joined);
                if !is_last {
                    assert!(joined.ends_with(&EMPTY_STORED));
                    fixed::encode(b"", &mut joined);
                }
                let mut out = vec![0; data.len()];
                let consumed = joined.len();
                assert_eq!(
                    inflate(&joined, &mut out),
                    Inflated::Done { consumed, produced: data.len() },
                    "from {start}"
                );
                assert!(out == data);
            }
        }
    }

    #[test]
    fn lengths_are_the_specifications() {
        assert_eq!([LENGTHS[0], LENGTHS[8], LENGTHS[27], LENGTHS[28]], [(3, 0), (11, 1), (227, 5), (258, 0)]);
    }
}
