//! Writing bits in DEFLATE's order: from the lowest of each byte up (RFC 1951 §3.1.1).

/// Appends bits to a `Vec` that ends on a byte boundary.
pub(super) struct BitWriter<'a> {
    pub(super) out: &'a mut Vec<u8>,
    buf: u64,
    count: u32,
}

impl BitWriter<'_> {
    pub(super) fn new(out: &mut Vec<u8>) -> BitWriter<'_> {
        BitWriter { out, buf: 0, count: 0 }
    }

    /// Appends the low `count` bits of `bits`, at most 32; the others are zero.
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.buf |= u64::from(bits) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.buf as u8);
            self.buf >>= 8;
            self.count -= 8;
        }
    }

    /// Fills up the last byte with zeros.
    pub(super) fn align(&mut self) {
        self.put(0, (8 - self.count) % 8);
    }
}
