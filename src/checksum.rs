//! CRC-32 as gzip uses it (RFC 1952 §8), computed by libdeflate and combined by crc32fast.
//!
//! libdeflate's kernels were the faster of the two on every buffer size that matters here
//! (docs/notes/optimizations.md, row CRC); only crc32fast can join the checksums of neighbours.

/// CRC-32 of `data`.
pub fn crc32(data: &[u8]) -> u32 {
    let mut crc = libdeflater::Crc::new();
    crc.update(data);
    crc.sum()
}

/// The CRC-32 of bytes that arrive in pieces.
pub struct Running(libdeflater::Crc);

impl Running {
    /// The checksum of nothing.
    #[expect(clippy::new_without_default, reason = "`Default` would say nothing more")]
    pub fn new() -> Running {
        Running(libdeflater::Crc::new())
    }

    /// Appends `data`.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The checksum so far.
    pub fn sum(&self) -> u32 {
        self.0.sum()
    }
}

/// The CRC-32 of a stream whose pieces were checksummed elsewhere.
#[derive(Default)]
pub struct Joined {
    joined: crc32fast::Hasher,
    len: u64,
}

impl Joined {
    /// Appends a piece of `len` bytes whose checksum is `crc`.
    pub fn join(&mut self, crc: u32, len: u64) {
        let piece = crc32fast::Hasher::new_with_initial_len(crc, len);
        if self.len == 0 {
            self.joined = piece;
        } else {
            self.joined.combine(&piece);
        }
        self.len += len;
    }

    /// The checksum of everything joined so far.
    pub fn sum(&self) -> u32 {
        self.joined.clone().finalize()
    }

    /// The number of bytes joined so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was joined yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_pieces_equal_the_whole() {
        let data: Vec<u8> = (0..100_000u64).map(|i| ((i * i) >> 7) as u8).collect();
        for piece_len in [1, 7, 4096, 99_999, 100_000] {
            let mut crc = Joined::default();
            for piece in data.chunks(piece_len) {
                crc.join(crc32(piece), piece.len() as u64);
            }
            assert_eq!(crc.sum(), crc32(&data), "pieces of {piece_len}");
            assert_eq!(crc.len(), data.len() as u64);
        }
    }

    #[test]
    fn the_check_value_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(Joined::default().sum(), 0);
    }
}
