//! Writing bits in DEFLATE's order: from the lowest of each byte up (RFC 1951 §3.1.1).

/// Appends bits to a `Vec`.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// What does not fill a byte yet: below `bit_count` < 8 bits, zeros above.
    bit_buf: u64,
    bit_count: u32,
}

impl<'a> BitWriter<'a> {
    /// Goes on where `out` ends.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter { out, bit_buf: 0, bit_count: 0 }
    }

    /// Appends the low `count` bits of `bits`, at most 56; the others are zero.
    #[inline]
    pub(crate) fn put(&mut self, bits: u64, count: u32) {
        debug_assert!(count <= 56 && bits >> count == 0);
        self.bit_buf |= bits << self.bit_count;
        self.bit_count += count;
        // At most 63 bits are there, so at most 7 whole bytes.
        let whole = self.bit_count / 8;
        self.out.extend_from_slice(&self.bit_buf.to_le_bytes()[..whole as usize]);
        self.bit_buf >>= 8 * whole;
        self.bit_count %= 8;
    }

    /// Bits in the last byte, if it is not full: 0 to 7.
    pub(crate) fn bit_count(&self) -> u32 {
        self.bit_count
    }

    /// Fills up the last byte with zeros.
    pub(crate) fn align(&mut self) {
        self.put(0, (8 - self.bit_count) % 8);
    }

    /// Appends whole bytes; the writer is on a byte boundary.
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.bit_count, 0);
        self.out.extend_from_slice(bytes);
    }

    /// Hands out where bits go, and those that do not fill a byte yet with their number, to somebody who appends
    /// more of both in the same way.
    pub(super) fn with_parts(&mut self, append: impl FnOnce(&mut Vec<u8>, &mut (u64, u32))) {
        let mut rest = (self.bit_buf, self.bit_count);
        append(self.out, &mut rest);
        (self.bit_buf, self.bit_count) = rest;
        debug_assert!(self.bit_count < 8 && self.bit_buf >> self.bit_count == 0);
    }

    /// Appends for each of `items` the low bits that `bits` gives, with their number: at most 56; all
    /// others are zero. Together they have `total` bits at most.
    ///
    /// # Panics
    /// If there are more.
    #[inline(always)]
    pub(crate) fn put_all<T: Copy>(&mut self, items: &[T], total: u64, bits: impl Fn(T) -> (u64, u32)) {
        let start = self.out.len();
        // Eight bytes are stored at a time, whatever is in them.
        let room = (total / 8) as usize + 16;
        self.out.resize(start + room, 0);
        let out = &mut self.out[start..];
        let (mut bit_buf, mut bit_count, mut at) = (self.bit_buf, self.bit_count, 0);
        let mut put = |value: u64, count: u32| {
            bit_buf |= value << bit_count;
            bit_count += count;
            out[at..at + 8].copy_from_slice(&bit_buf.to_le_bytes());
            at += (bit_count / 8) as usize;
            // At most 63 bits are there, so this is less than 64.
            bit_buf >>= bit_count & !7;
            bit_count %= 8;
        };
        let mut pairs = items.chunks_exact(2);
        for pair in &mut pairs {
            let ((first, first_count), (second, second_count)) = (bits(pair[0]), bits(pair[1]));
            if first_count + second_count <= 56 {
                put(first | second << first_count, first_count + second_count);
            } else {
                put(first, first_count);
                put(second, second_count);
            }
        }
        for item in pairs.remainder() {
            let (value, count) = bits(*item);
            put(value, count);
        }
        (self.bit_buf, self.bit_count) = (bit_buf, bit_count);
        self.out.truncate(start + at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_fill_bytes_from_below() {
        let mut out = vec![0xaa];
        let mut bits = BitWriter::new(&mut out);
        bits.put(0b1, 1);
        bits.put(0b10, 2);
        bits.put(0x12_3456_789a_bcde, 56);
        bits.align();
        bits.put_bytes(b"z");
        bits.put_all(&[(1, 1), (0x7f_ffff_ffff_ffff, 55), (0, 0), (3, 7)], 63, |item| item);
        assert_eq!(bits.bit_count(), 7);
        bits.align();
        let shifted = (0x12_3456_789a_bcdeu64 << 3 | 0b101).to_le_bytes();
        let expected = [&[0xaa][..], &shifted, b"z", &[0xff; 7], &[3]].concat();
        assert_eq!(out, expected);
    }
}
