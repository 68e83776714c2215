//! Seek marks: DEFLATE blocks that decode to nothing and say where the next mark is.
//!
//! A mark stands on a byte boundary before a *group*: a run of blocks that looks back to nothing
//! before itself and ends on a byte boundary. It says how long the group is, packed and unpacked, so
//! that a reader finds the next group without decoding this one, and decodes both at the same
//! time. To all other decoders it is a dynamic block without symbols, then an empty stored one.
//! docs/FORMAT.md gives the bits one by one.
//!
//! The numbers are in the litlen code, which nobody uses: it has 32 codewords of 5 bits, one for the
//! end of the block and 31 for literals, and how many literals are left out before each of those (3
//! to 6) is a digit. All other bits of a mark are constant, but for the number of literals behind the
//! last one, which is what the others leave. A mark with one wrong digit is none.

/// Length of a mark in bytes.
pub const LEN: usize = 36;
/// What all marks begin with; enough to know that what is no mark is none.
pub const PREFIX: [u8; 4] = [0x14, 0xc0, 0x10, 0x01];
/// One more than the longest group that a mark can announce, unpacked.
pub const DATA_LEN_END: u32 = 1 << (2 * DATA_DIGITS);

/// Digits have 2 bits; the lowest comes first.
const DIGITS: usize = 31;
/// Those of the packed length come first.
const PACKED_DIGITS: usize = 16;
const DATA_DIGITS: usize = DIGITS - PACKED_DIGITS;
/// Where the first digit is, and from one to the next, in bits: 3 for the rest of the run of zeros
/// and 2 for the literal's length, and 1 for the next run. No digit is in two bytes.
const FIRST_DIGIT: usize = 48;
const DIGIT_STEP: usize = 6;
/// Where the last run of zeros says its length.
const LAST_RUN: usize = 235;
/// What it says if all digits are zero: 256 less 31 literals and runs of 3, as a number from 11 on.
const LAST_RUN_AT_MOST: u16 = 256 - 31 * (3 + 1) - 11;
/// The mark with all digits zero; in [`LAST_RUN`] stands [`LAST_RUN_AT_MOST`].
const ZERO: [u8; LEN] = [
    0x14, 0xc0, 0x10, 0x01, 0x00,
    0x20, // header of the block, and the first run as far as it is constant
    0x08, 0x82, 0x20, 0x08, 0x82, 0x20, 0x08, 0x82, 0x20, 0x08, 0x82,
    0x20, // four digits in three bytes
    0x08, 0x82, 0x20, 0x08, 0x82, 0x20, 0x08, 0x82, 0x20, 0x08, 0x82,
    0xce, // the last digit, the last run
    0x07, 0x1f, 0x00, 0x00, 0xff, 0xff, // end of the block; the empty stored block
];

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bytes from the mark's end to the next mark, or to the end of the stream.
    pub packed_len: u32,
    /// Bytes they decode to; less than [`DATA_LEN_END`].
    pub data_len: u32,
}

impl Mark {
    /// The mark's bytes.
    ///
    /// # Panics
    /// If the group is too long.
    pub fn to_bytes(self) -> [u8; LEN] {
        assert!(self.data_len < DATA_LEN_END, "a group is less than 1 GiB long");
        let digits = u64::from(self.packed_len) | u64::from(self.data_len) << (2 * PACKED_DIGITS);
        let (mut bytes, mut sum) = (ZERO, 0);
        for i in 0..DIGITS {
            let (digit, at) = ((digits >> (2 * i) & 3) as u8, FIRST_DIGIT + DIGIT_STEP * i);
            bytes[at / 8] |= digit << (at % 8);
            sum += u16::from(digit);
        }
        let change = (LAST_RUN_AT_MOST ^ (LAST_RUN_AT_MOST - sum)) << (LAST_RUN % 8);
        let [low, high] = change.to_le_bytes();
        bytes[LAST_RUN / 8] ^= low;
        bytes[LAST_RUN / 8 + 1] ^= high;
        bytes
    }

    /// The mark that `bytes` begin with; `None` if they begin with anything else, be it off by a bit.
    pub fn read(bytes: &[u8]) -> Option<Mark> {
        let bytes: &[u8; LEN] = bytes.first_chunk()?;
        let digits = (0..DIGITS).fold(0, |digits, i| {
            let at = FIRST_DIGIT + DIGIT_STEP * i;
            digits | u64::from(bytes[at / 8] >> (at % 8) & 3) << (2 * i)
        });
        let mark = Mark { packed_len: digits as u32, data_len: (digits >> (2 * PACKED_DIGITS)) as u32 };
        (mark.to_bytes() == *bytes).then_some(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};
    use crate::backend::zlib_ng;

    /// Bits in the order of DEFLATE.
    struct Bits(Vec<bool>);

    impl Bits {
        /// A number, lowest bit first.
        fn number(&mut self, value: u64, len: u32) {
            self.0.extend((0..len).map(|i| value >> i & 1 == 1));
        }

        /// A codeword, as it is written on paper.
        fn codeword(&mut self, codeword: &str) {
            self.0.extend(codeword.chars().map(|bit| bit == '1'));
        }
    }

    /// The mark as RFC 1951 has it, field by field.
    fn by_the_book(mark: Mark) -> Vec<u8> {
        let digits = u64::from(mark.data_len) << 32 | u64::from(mark.packed_len);
        let mut bits = Bits(Vec::new());
        // A dynamic block, not the last one; 259 litlen lengths, 1 dist length, 10 precode lengths.
        for (value, len) in [(0, 1), (2, 2), (259 - 257, 5), (0, 5), (10 - 4, 4)] {
            bits.number(value, len);
        }
        // Of 16, 17, 18, 0, 8, 7, 9, 6, 10, 5; the codewords are 17: 0, 5: 10, 18: 11.
        for len in [0, 1, 2, 0, 0, 0, 0, 0, 0, 2] {
            bits.number(len, 3);
        }
        let mut symbol = 0;
        for i in 0..31 {
            let digit = digits >> (2 * i) & 3;
            bits.codeword("0");
            bits.number(digit, 3);
            bits.codeword("10");
            symbol += 3 + digit + 1;
        }
        bits.codeword("11");
        bits.number(256 - symbol - 11, 7);
        // 256, the end of the block; then 257, 258 and the dist length.
        bits.codeword("10");
        bits.codeword("0");
        bits.number(0, 3);
        bits.codeword("11111");
        // An empty stored block, not the last one.
        bits.number(0, 3);
        assert_eq!(bits.0.len() % 8, 0);
        bits.number(0xffff_0000, 32);
        bits.0.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
    }

    /// Marks with every digit at every value, and with lengths of any size.
    fn marks() -> impl Iterator<Item = Mark> {
        let digits = (0..=62).flat_map(|at| [1 << at, 3 << at, (1 << at) - 1, !(1 << at)]);
        let mut state = 1u64;
        let any = std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> (state & 31)
        });
        digits.chain(any.take(500)).map(|digits: u64| Mark {
            packed_len: digits as u32,
            data_len: (digits >> 32) as u32 % DATA_LEN_END,
        })
    }

    #[test]
    fn a_mark_is_the_blocks_that_the_format_document_describes() {
        for mark in marks() {
            assert_eq!(mark.to_bytes()[..], by_the_book(mark), "{mark:?}");
        }
    }

    #[test]
    fn marks_are_read_back() {
        for mark in marks() {
            let bytes = [&mark.to_bytes()[..], b"behind"].concat();
            assert_eq!(Mark::read(&bytes), Some(mark));
            assert_eq!(Mark::read(&bytes[..LEN]), Some(mark));
            assert_eq!(Mark::read(&bytes[..LEN - 1]), None);
            assert!(bytes.starts_with(&PREFIX));
        }
    }

    #[test]
    fn a_mark_with_a_bit_changed_is_none() {
        for mark in marks() {
            for at in 0..8 * LEN {
                let mut bytes = mark.to_bytes();
                bytes[at / 8] ^= 1 << (at % 8);
                assert_eq!(Mark::read(&bytes), None, "bit {at} of {mark:?}");
            }
        }
    }

    #[test]
    fn decoders_see_nothing_in_a_mark() {
        let mut stream: Vec<u8> = marks().flat_map(Mark::to_bytes).collect();
        stream.extend_from_slice(b"\x01\x02\0\xfd\xffok");
        let consumed = stream.len();
        let mut out = [0; 10];
        assert_eq!(inflate(&stream, &mut out), Inflated::Done { consumed, produced: 2 });
        let mut data = Vec::with_capacity(10);
        let step = zlib_ng::Decoder::new().decode(&stream, &mut data);
        assert_eq!((step.consumed, step.stop, &data[..]), (consumed, zlib_ng::Stop::End, &b"ok"[..]));
    }
}
