#![forbid(unsafe_code)]
//! Bits of a byte slice, lowest bit of each byte first (RFC 1951 §3.1.1).
//!
//! The next bits wait in a 64-bit buffer, which [`Bits::refill`] brings to at least
//! [`REFILLED`] bits as long as there is input; no byte behind the slice is ever read.
//! [`Bits::peek`] may be asked for more bits than there are: what it shows behind `count` bits is
//! either what follows in the input or zero, and only consuming it would be an error. So a decoder
//! looks up first and compares the number of bits it needs with [`Bits::count`] then.
//!
//! The buffer outlives the slice: a decoder that waits for input keeps [`Bits::save`]'s bits and
//! begins with them, and the next slice, in [`Bits::resume`].

/// As many bits as there are at least after a refill, unless the input is used up.
pub const REFILLED: u32 = 56;

/// A position in a byte slice, in bits.
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    pub(super) bytes: &'a [u8],
    /// Index of the first byte that has not been counted into `count`.
    pub(super) next: usize,
    /// The next bits, from the lowest on. Those behind `count` are either zero or those that
    /// follow in `bytes`, so that a refill can put the same ones over them.
    pub(super) buf: u64,
    pub(super) count: u32,
}

impl<'a> Bits<'a> {
    /// The bits of `bytes` behind the first `pos` bits.
    pub fn at(bytes: &'a [u8], pos: u64) -> Bits<'a> {
        let next = usize::try_from(pos / 8).map_or(bytes.len(), |next| next.min(bytes.len()));
        let mut bits = Bits { bytes, next, buf: 0, count: 0 };
        bits.refill();
        bits.consume(((pos % 8) as u32).min(bits.count));
        bits
    }

    /// The `count` bits of `buf`, then those of `bytes`.
    pub fn resume(bytes: &'a [u8], buf: u64, count: u32) -> Bits<'a> {
        debug_assert!(count < 64 && buf >> count == 0);
        Bits { bytes, next: 0, buf, count }
    }

    /// What is left of the bits, their number, and how many bytes of the slice have been taken into
    /// them.
    pub fn save(self) -> (u64, u32, usize) {
        (self.buf & ((1 << self.count) - 1), self.count, self.next)
    }

    /// Sees to at least [`REFILLED`] bits, or to all there are.
    #[inline(always)]
    pub fn refill(&mut self) {
        if let Some(word) = self.bytes.get(self.next..self.next + 8) {
            let word = u64::from_le_bytes(word.try_into().expect("8 bytes"));
            self.buf |= word << self.count;
            self.next += ((63 - self.count) >> 3) as usize;
            self.count |= REFILLED;
        } else {
            self.refill_at_end();
        }
    }

    #[cold]
    #[inline(never)]
    fn refill_at_end(&mut self) {
        while self.count < REFILLED {
            let Some(byte) = self.bytes.get(self.next) else { return };
            self.buf |= u64::from(*byte) << self.count;
            self.next += 1;
            self.count += 8;
        }
    }

    /// How many bits of [`Bits::peek`] are real.
    #[inline(always)]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The next bits, from the lowest on.
    #[inline(always)]
    pub fn peek(&self) -> u64 {
        self.buf
    }

    /// Goes on by `len` bits, at most `count` and less than 64.
    #[inline(always)]
    pub fn consume(&mut self, len: u32) {
        debug_assert!(len <= self.count);
        self.buf >>= len;
        self.count -= len;
    }

    /// The next `len` bits, at most 32; `None` if there are fewer, and then none is consumed.
    #[inline(always)]
    pub fn take(&mut self, len: u32) -> Option<u32> {
        if self.count < len {
            self.refill();
            if self.count < len {
                return None;
            }
        }
        let value = (self.buf & ((1 << len) - 1)) as u32;
        self.consume(len);
        Some(value)
    }

    /// Goes on to the next byte boundary.
    pub fn align(&mut self) {
        self.consume(self.count % 8);
    }

    /// Lets go of the whole bytes in the buffer that came from the slice.
    pub fn give_back(&mut self) {
        let len = (self.count / 8).min(self.next as u32);
        self.next -= len as usize;
        self.count -= 8 * len;
        self.buf &= (1 << self.count) - 1;
    }

    /// The bytes that follow a byte boundary; at most `max_len`, and as many as are at hand.
    /// The buffer must hold nothing that did not come from the slice.
    pub fn take_bytes(&mut self, max_len: usize) -> &'a [u8] {
        self.give_back();
        debug_assert!(self.count == 0);
        let bytes = &self.bytes[self.next..];
        let bytes = &bytes[..bytes.len().min(max_len)];
        self.next += bytes.len();
        bytes
    }

    /// How far the position is behind the start of the slice, in bits; negative in bits that were
    /// left over from before.
    pub fn pos(&self) -> i64 {
        8 * self.next as i64 - i64::from(self.count)
    }

    /// How many bytes of the slice are not in the buffer yet.
    #[inline(always)]
    pub fn bytes_left(&self) -> usize {
        self.bytes.len() - self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 21] = *b"some bytes to take up";

    /// Bit `i` of `BYTES`, the slow way.
    fn bit(i: usize) -> u32 {
        u32::from(BYTES[i / 8] >> (i % 8) & 1)
    }

    #[test]
    fn every_bit_comes_once_whatever_the_steps() {
        for len in 1..=32 {
            let (mut bits, mut at) = (Bits::at(&BYTES, 0), 0);
            while let Some(value) = bits.take(len) {
                let expected = (0..len as usize).map(|i| bit(at + i) << i).sum::<u32>();
                assert_eq!(value, expected, "{len} bits at {at}");
                at += len as usize;
                assert_eq!(bits.pos(), at as i64);
            }
            assert!(at + len as usize > 8 * BYTES.len() && bits.pos() == at as i64);
        }
    }

    #[test]
    fn a_reader_begins_at_any_bit() {
        for at in 0..8 * BYTES.len() {
            assert_eq!(Bits::at(&BYTES, at as u64).take(1), Some(bit(at)));
        }
        for behind in [0, 1, 1000, u64::MAX >> 3] {
            assert_eq!(Bits::at(&BYTES, 8 * BYTES.len() as u64 + behind).take(1), None);
        }
    }

    #[test]
    fn a_reader_goes_on_in_the_next_slice() {
        for cut in 0..=BYTES.len() {
            for len in 1..=32 {
                let mut bits = Bits::at(&BYTES[..cut], 0);
                let mut at = 0;
                while bits.take(len).is_some() {
                    at += len as usize;
                }
                let (buf, count, used) = bits.save();
                let mut bits = Bits::resume(&BYTES[used..], buf, count);
                let expected = (at..8 * BYTES.len()).take(24);
                let expected = expected.enumerate().map(|(i, at)| bit(at) << i).sum::<u32>();
                bits.refill();
                let seen = bits.count().min(24);
                assert!(seen == 24 || seen as usize == 8 * BYTES.len() - at);
                assert_eq!(bits.take(seen), Some(expected), "cut {cut}, len {len}");
            }
        }
    }

    #[test]
    fn bytes_follow_bits() {
        let mut bits = Bits::at(&BYTES, 0);
        bits.take(3);
        bits.align();
        assert_eq!(bits.take_bytes(4), b"ome ");
        assert_eq!(bits.take(8), Some(b'b'.into()));
        assert_eq!(bits.take_bytes(100), b"ytes to take up");
        assert_eq!((bits.take_bytes(1), bits.take(1)), (&b""[..], None));
    }
}
