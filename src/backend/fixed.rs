//! One fixed block (RFC 1951 §3.2.6) for inputs of a few dozen bytes.
//!
//! libdeflate stores such inputs, which is larger; zlib-ng first allocates and clears 300 KiB,
//! which takes longer than all the rest of a run. Here nothing is allocated: every earlier position is
//! compared, since there are few.

use crate::deflate::bits::BitWriter;

/// The longest input that is worth a search without an index.
pub const MAX_LEN: usize = 64;

const MIN_MATCH: usize = 3;
const END_OF_BLOCK: u16 = 256;

/// Appends `data`, at most [`MAX_LEN`] bytes, to `out` as one complete stream.
pub fn encode(data: &[u8], out: &mut Vec<u8>) {
    assert!(data.len() <= MAX_LEN);
    let mut bits = SymbolWriter(BitWriter::new(out));
    // The final bit, then block type 1.
    bits.0.put(0b011, 3);
    let mut at = 0;
    while at < data.len() {
        let (len, dist) = longest_match(data, at);
        if len >= MIN_MATCH {
            bits.match_(len, dist);
            at += len;
        } else {
            bits.litlen(u16::from(data[at]));
            at += 1;
        }
    }
    bits.litlen(END_OF_BLOCK);
    bits.0.align();
}

/// Length and distance of the longest match at `at`, the nearest of several; length 0 if none.
///
/// Nothing refers to the first byte, as in gzip, whose hash chains take position 0 for their end:
/// what gzip makes of such inputs is well known, and compared with.
fn longest_match(data: &[u8], at: usize) -> (usize, usize) {
    let common = |from: usize| data[from..].iter().zip(&data[at..]).take_while(|(a, b)| a == b).count();
    (1..at)
        .map(|from| (common(from), at - from))
        .max_by_key(|(len, dist)| (*len, usize::MAX - dist))
        .unwrap_or((0, 0))
}

/// The symbols of a fixed block, as bits.
struct SymbolWriter<'a>(BitWriter<'a>);

impl SymbolWriter<'_> {
    /// Appends a codeword, which goes most significant bit first.
    fn codeword(&mut self, code: u16, count: u32) {
        self.0.put(u64::from(u32::from(code).reverse_bits() >> (32 - count)), count);
    }

    fn litlen(&mut self, symbol: u16) {
        match symbol {
            0..144 => self.codeword(0x30 + symbol, 8),
            144..256 => self.codeword(0x190 + (symbol - 144), 9),
            256..280 => self.codeword(symbol - 256, 7),
            _ => self.codeword(0xc0 + (symbol - 280), 8),
        }
    }

    /// Lengths fall into ranges that double every four symbols, distances every two.
    fn match_(&mut self, len: usize, dist: usize) {
        let (symbol, extra, count) = bucket(len - MIN_MATCH, 2);
        self.litlen(257 + symbol);
        self.0.put(extra.into(), count);
        let (symbol, extra, count) = bucket(dist - 1, 1);
        self.codeword(symbol, 5);
        self.0.put(extra.into(), count);
    }
}

/// Symbol, extra bits and their number for `value`, where 2^`split` symbols share each power of two.
fn bucket(value: usize, split: u32) -> (u16, u32, u32) {
    let value = value as u32;
    if value < 1 << (split + 1) {
        return (value as u16, 0, 0);
    }
    let count = value.ilog2() - split;
    let symbol = (count << split) + (value >> count);
    (symbol as u16, value & ((1 << count) - 1), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};

    #[test]
    fn the_bytes_that_gzip_writes() {
        let packed = |data: &[u8]| {
            let mut out = Vec::new();
            encode(data, &mut out);
            out
        };
        assert_eq!(packed(b""), [3, 0]);
        assert_eq!(packed(b"a"), [0x4b, 0x04, 0x00]);
    }

    #[test]
    fn every_length_and_period_round_trips() {
        for len in 0..=MAX_LEN {
            for period in 1..=MAX_LEN {
                for offset in [0, 100, 200] {
                    let data: Vec<u8> = (0..len).map(|i| (offset + 3 * (i % period)) as u8).collect();
                    let mut packed = Vec::new();
                    encode(&data, &mut packed);
                    let mut out = vec![0; data.len()];
                    let consumed = packed.len();
                    assert_eq!(
                        inflate(&packed, &mut out),
                        Inflated::Done { consumed, produced: data.len() },
                        "{len} {period}"
                    );
                    assert_eq!(out, data, "{len} {period}");
                }
            }
        }
    }
}
