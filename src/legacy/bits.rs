//! Reads bits from the highest of each byte down, as pack and LZH are written.

use crate::error::Error;
use crate::io::input::Input;

/// As many bits as [`BitReader::refill`] makes sure of, unless the input ends.
pub(super) const MIN_BITS: u32 = 32;

/// Bits at the front of an input. Passes over the bytes only when their bits have been used.
pub(super) struct BitReader<'i, 'a> {
    input: &'i mut Input<'a>,
    /// The next bits, from the highest down. Those beyond `bit_count` are the ones to come, or 0.
    bit_buf: u64,
    bit_count: u32,
    /// Bytes at hand in `input` whose bits have been taken into `bit_buf`.
    taken: usize,
    /// Bytes passed over in `input`.
    passed: u64,
}

impl<'i, 'a> BitReader<'i, 'a> {
    pub(super) fn new(input: &'i mut Input<'a>) -> BitReader<'i, 'a> {
        BitReader { input, bit_buf: 0, bit_count: 0, taken: 0, passed: 0 }
    }

    /// Makes sure of [`MIN_BITS`] bits, or of all that are left.
    #[inline]
    pub(super) fn refill(&mut self) -> Result<(), Error> {
        if self.bit_count >= MIN_BITS {
            return Ok(());
        }
        match self.input.peek()[self.taken..].first_chunk() {
            Some(next) => {
                // All whole bytes that fit; the bits of one more may get in, and will do so again.
                self.bit_buf |= u64::from_be_bytes(*next) >> self.bit_count;
                let len = (63 - self.bit_count) / 8;
                self.taken += len as usize;
                self.bit_count += 8 * len;
                Ok(())
            }
            None => self.refill_slowly(),
        }
    }

    #[cold]
    fn refill_slowly(&mut self) -> Result<(), Error> {
        while self.bit_count < MIN_BITS {
            if let Some(&byte) = self.input.peek().get(self.taken) {
                self.bit_buf |= u64::from(byte) << (56 - self.bit_count);
                self.bit_count += 8;
                self.taken += 1;
                continue;
            }
            self.pass(self.bit_count.div_ceil(8));
            if !self.input.fill().map_err(Error::Read)? {
                break;
            }
        }
        Ok(())
    }

    /// Passes over the bytes that have been taken, but for the last `kept`.
    fn pass(&mut self, kept: u32) {
        let len = self.taken - kept as usize;
        self.input.consume(len);
        self.passed += len as u64;
        self.taken -= len;
    }

    /// How many bits are at hand.
    pub(super) fn bit_count(&self) -> u32 {
        self.bit_count
    }

    /// The next `count` bits, 32 at the most, as after a [`refill`](Self::refill); zeros follow
    /// the last one of the input.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> usize {
        ((self.bit_buf >> 1) >> (63 - count)) as usize
    }

    /// Passes over `count` bits; fails if the input has ended before that.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) -> Result<(), Error> {
        self.bit_count = self.bit_count.checked_sub(count).ok_or(Error::UnexpectedEof)?;
        self.bit_buf <<= count;
        Ok(())
    }

    /// Reads `count` bits, 32 at the most.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> Result<usize, Error> {
        self.refill()?;
        let bits = self.peek(count);
        self.skip(count)?;
        Ok(bits)
    }

    /// Reads eight bits.
    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(8)? as u8)
    }

    /// Leaves the input behind the last byte of which a bit was used; returns how many bytes that
    /// was since the beginning.
    pub(super) fn finish(mut self) -> u64 {
        self.pass(self.bit_count / 8);
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_from_the_highest_down_and_end_with_the_input() {
        let mut input = Input::from_slice(b"\x01\x23\x45\x67\x89\xab\xcd\xef\xff");
        let mut bits = BitReader::new(&mut input);
        assert_eq!(bits.take(20).unwrap(), 0x01234);
        assert_eq!(bits.take(0).unwrap(), 0);
        assert_eq!(bits.take(32).unwrap(), 0x5678_9abc);
        assert_eq!(bits.take(3).unwrap(), 0b110);
        assert_eq!(bits.take(13).unwrap(), 0x1eff);
        assert!(matches!(bits.take(5), Err(Error::UnexpectedEof)));
        assert_eq!(bits.peek(32), 0xf << 28);
        assert_eq!(bits.take(4).unwrap(), 0xf);
        assert_eq!(bits.peek(32), 0);
    }

    #[test]
    fn the_input_is_left_behind_the_last_byte_used() {
        let bytes = [0xaa; 100];
        for len in 0..=400u64 {
            let mut input = Input::from_slice(&bytes);
            let mut bits = BitReader::new(&mut input);
            for _ in 0..len {
                bits.take(2).unwrap();
            }
            assert_eq!(bits.finish(), len.div_ceil(4));
            assert_eq!(input.peek().len() as u64, 100 - len.div_ceil(4));
        }
    }
}
