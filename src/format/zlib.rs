//! zlib streams (RFC 1950): two bytes, DEFLATE data, Adler-32.

/// Bytes of a header.
pub const HEADER_LEN: usize = 2;
/// Bytes of a trailer: Adler-32 of the uncompressed data, most significant byte first.
pub const TRAILER_LEN: usize = 4;

/// CMF: DEFLATE (8) with a window of 32 KiB (7).
const CMF: u8 = 0x78;

/// The header for a level, as zlib writes it: FLEVEL (bits 6 and 7 of the second byte) tells
/// fastest, fast, default and densest apart.
pub fn header(level: u8) -> [u8; HEADER_LEN] {
    let flevel: u8 = match level {
        0 | 1 => 0,
        2..=5 => 1,
        6 => 2,
        _ => 3,
    };
    // FCHECK makes the two bytes a multiple of 31 as one number.
    let without = u16::from_be_bytes([CMF, flevel << 6]);
    (without + (31 - without % 31)).to_be_bytes()
}

/// Whether `bytes` begins with a zlib header that can be decoded: DEFLATE, a window of at most
/// 32 KiB, no preset dictionary, and the check bits are right.
pub fn begins_stream(bytes: &[u8]) -> bool {
    let &[cmf, flags, ..] = bytes else {
        return false;
    };
    cmf & 0x0f == 8
        && cmf >> 4 <= 7
        && flags & 0x20 == 0
        && u16::from_be_bytes([cmf, flags]).is_multiple_of(31)
}

/// The trailer for data with the checksum `adler`.
pub fn trailer(adler: u32) -> [u8; TRAILER_LEN] {
    adler.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_zlibs() {
        assert_eq!(
            [0, 1, 2, 5, 6, 7, 9, 11].map(|level| header(level)[1]),
            [0x01, 0x01, 0x5e, 0x5e, 0x9c, 0xda, 0xda, 0xda]
        );
        assert!((0..=11).all(|level| begins_stream(&header(level))));
    }

    #[test]
    fn what_is_no_zlib_header_is_told() {
        for bytes in [&b""[..], b"\x78", b"\x1f\x8b", b"\x78\x9d", b"\x88\x1c", b"\x79\x9c", b"\x78\xbb"] {
            assert!(!begins_stream(bytes), "{bytes:x?}");
        }
    }
}
