//! The header's extra field (RFC 1952 §2.3.1.1), where a member can say how long it is, so that a
//! reader finds the next one without decoding. Two kinds of subfield do:
//!
//! | subfield | payload | members |
//! |---|---|---|
//! | `BC` | u16, member length − 1 | BGZF (SAM specification §4.1): at most 64 KiB, ended by an empty member |
//! | `RZ` | u32, member length | rigz's own, for larger chunks (docs/FORMAT.md) |
//!
//! Numbers are little-endian. A reader must not believe them: see `engine::decompress::members`.

/// Which subfield carries the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subfield {
    /// BGZF's `BC`.
    Bc,
    /// rigz's `RZ`.
    Rz,
}

/// The member length that an extra field claims.
pub fn member_len(mut extra: &[u8]) -> Option<u64> {
    while let [id1, id2, len1, len2, rest @ ..] = extra {
        let len = usize::from(u16::from_le_bytes([*len1, *len2]));
        let payload = rest.get(..len)?;
        match ([*id1, *id2], payload) {
            ([b'B', b'C'], &[a, b]) => return Some(u64::from(u16::from_le_bytes([a, b])) + 1),
            ([b'R', b'Z'], &[a, b, c, d]) => return Some(u64::from(u32::from_le_bytes([a, b, c, d]))),
            _ => extra = &rest[len..],
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_subfields_are_passed_over() {
        assert_eq!(member_len(b"XY\x03\0abcBC\x02\0\x0f\0"), Some(16));
        assert_eq!(member_len(b"BC\x03\0abcRZ\x04\0\x07\0\0\0"), Some(7));
        for damaged in [&b""[..], b"BC", b"BC\x02\0\x01", b"RZ\xff\xff\x01\0\0\0", b"XY\0\0"] {
            assert_eq!(member_len(damaged), None, "{damaged:?}");
        }
    }
}
