//! CRC-32 as gzip and ZIP use it (RFC 1952 §8) and Adler-32 as zlib does (RFC 1950 §8), computed by
//! libdeflate; CRC-32s are combined by crc32fast.
//!
//! libdeflate's kernels were the faster of the two on every buffer size that matters here
//! (docs/notes/optimizations.md, row CRC); only crc32fast can join the checksums of neighbours.

/// CRC-32 of `data`.
pub fn crc32(data: &[u8]) -> u32 {
    let mut crc = libdeflater::Crc::new();
    crc.update(data);
    crc.sum()
}

/// Adler-32 of `data`.
pub fn adler32(data: &[u8]) -> u32 {
    let mut adler = libdeflater::Adler32::new();
    adler.update(data);
    adler.sum()
}

/// Adler-32 of two pieces in a row, the second `len` bytes long, from their own.
fn adler32_combine(first: u32, second: u32, len: u64) -> u32 {
    /// The largest prime below 2^16, which both sums are taken modulo.
    const BASE: u64 = 65_521;
    let sums = |adler: u32| (u64::from(adler & 0xffff), u64::from(adler >> 16));
    let ((first_low, first_high), (second_low, second_high)) = (sums(first), sums(second));
    // The second piece was summed from 1 where the whole goes on from `first_low`; each of its
    // bytes adds the difference to the high sum once.
    let low = first_low + second_low + (BASE - 1);
    let high = first_high + second_high + len % BASE * (first_low + (BASE - 1));
    (((high % BASE) << 16) | (low % BASE)) as u32
}

/// Which checksum a format wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// CRC-32.
    #[default]
    Crc32,
    /// Adler-32.
    Adler32,
}

impl Kind {
    /// The checksum of `data`.
    pub fn of(self, data: &[u8]) -> u32 {
        match self {
            Kind::Crc32 => crc32(data),
            Kind::Adler32 => adler32(data),
        }
    }
}

/// The checksum of bytes that arrive in pieces.
pub enum Running {
    /// As gzip and zip want it.
    Crc32(libdeflater::Crc),
    /// As zlib wants it.
    Adler32(libdeflater::Adler32),
}

impl Running {
    /// The checksum of nothing.
    pub fn new(kind: Kind) -> Running {
        match kind {
            Kind::Crc32 => Running::Crc32(libdeflater::Crc::new()),
            Kind::Adler32 => Running::Adler32(libdeflater::Adler32::new()),
        }
    }

    /// Which checksum it is.
    pub fn kind(&self) -> Kind {
        match self {
            Running::Crc32(_) => Kind::Crc32,
            Running::Adler32(_) => Kind::Adler32,
        }
    }

    /// Appends `data`.
    pub fn update(&mut self, data: &[u8]) {
        match self {
            Running::Crc32(sum) => sum.update(data),
            Running::Adler32(sum) => sum.update(data),
        }
    }

    /// The checksum so far.
    pub fn sum(&self) -> u32 {
        match self {
            Running::Crc32(sum) => sum.sum(),
            Running::Adler32(sum) => sum.sum(),
        }
    }
}

/// The checksum of a stream whose pieces were checksummed elsewhere. By default CRC-32.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joined {
    kind: Kind,
    /// `None` before the first piece.
    sum: Option<u32>,
    len: u64,
}

impl Joined {
    /// The checksum of nothing.
    pub fn new(kind: Kind) -> Joined {
        Joined { kind, ..Joined::default() }
    }

    /// Which checksum it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Appends a piece of `len` bytes whose checksum is `sum`.
    pub fn join(&mut self, sum: u32, len: u64) {
        self.sum = Some(match (self.sum, self.kind) {
            (None, _) => sum,
            (Some(before), Kind::Adler32) => adler32_combine(before, sum, len),
            (Some(before), Kind::Crc32) => {
                let mut joined = crc32fast::Hasher::new_with_initial(before);
                joined.combine(&crc32fast::Hasher::new_with_initial_len(sum, len));
                joined.finalize()
            }
        });
        self.len += len;
    }

    /// The checksum of everything joined so far.
    pub fn sum(&self) -> u32 {
        self.sum.unwrap_or_else(|| self.kind.of(&[]))
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
        let data: Vec<u8> = (0..300_000u64).map(|i| ((i * i) >> 7) as u8 | 0x80).collect();
        for kind in [Kind::Crc32, Kind::Adler32] {
            for piece_len in [1, 7, 4096, 65_521, 65_522, 299_999, 300_000] {
                let mut joined = Joined::new(kind);
                for piece in data.chunks(piece_len) {
                    joined.join(kind.of(piece), piece.len() as u64);
                    joined.join(kind.of(&[]), 0);
                }
                assert_eq!(joined.sum(), kind.of(&data), "{kind:?}, pieces of {piece_len}");
                assert_eq!(joined.len(), data.len() as u64);
            }
        }
    }

    #[test]
    fn adler32_of_pieces_of_4_gib_is_joined() {
        // A piece of 2^32 + 1 zeros: the low sum stays 1, the high one is the length.
        let zeros = (1 << 32) + 1u64;
        let sum = (((zeros % 65_521) << 16) | 1) as u32;
        assert_eq!(adler32_combine(adler32(&[]), sum, zeros), sum);
        let twice = (((2 * zeros % 65_521) << 16) | 1) as u32;
        assert_eq!(adler32_combine(sum, sum, zeros), twice);
    }

    #[test]
    fn the_check_values_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"123456789"), 0x091e_01de);
        assert_eq!(Joined::default().sum(), 0);
        assert_eq!(Joined::new(Kind::Adler32).sum(), 1);
    }
}
