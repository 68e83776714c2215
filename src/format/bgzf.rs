//! Writing members that say how long they are: BGZF's and rigz's own (see [`super::extra`]).

use crate::format::extra::Subfield;
use crate::format::gzip::{self, NewHeader};

/// The empty member that ends a BGZF file.
pub const EOF_MEMBER: [u8; 28] =
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0, 27, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The most data that goes into one BGZF member. Stored (5 bytes), with header and trailer (26),
/// it still fits in 64 KiB; htslib uses the same value.
pub const MAX_DATA_LEN: usize = 0xff00;

/// The longest BGZF member: its length less 1 has 16 bits.
pub const MAX_MEMBER_LEN: usize = 1 << 16;

/// Appends a header whose subfield has room for the member's length; [`set_member_len`] fills
/// it in. BGZF readers expect the subfield at a fixed place and nothing but it.
pub fn write_header(subfield: Subfield, header: &NewHeader, out: &mut Vec<u8>) {
    match subfield {
        Subfield::Bc => out.extend_from_slice(&EOF_MEMBER[..18]),
        Subfield::Rz => gzip::write_header(header, b"RZ\x04\0\0\0\0\0", out),
    }
}

/// Writes the length of the complete `member` into its header.
///
/// # Panics
/// If the length does not fit the subfield; chunk lengths are chosen so that it does.
pub fn set_member_len(subfield: Subfield, member: &mut [u8]) {
    /// Where the subfield's payload begins: fixed header, XLEN, id and payload length.
    const PAYLOAD: usize = gzip::FIXED_HEADER_LEN + 2 + 4;
    let len = member.len();
    match subfield {
        Subfield::Bc => {
            let last = u16::try_from(len - 1).expect("a BGZF member is at most 64 KiB long");
            member[PAYLOAD..PAYLOAD + 2].copy_from_slice(&last.to_le_bytes());
        }
        Subfield::Rz => {
            let len = u32::try_from(len).expect("a member is less than 4 GiB long");
            member[PAYLOAD..PAYLOAD + 4].copy_from_slice(&len.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_written_are_read_back() {
        for subfield in [Subfield::Bc, Subfield::Rz] {
            let mut member = Vec::new();
            write_header(subfield, &NewHeader::default(), &mut member);
            member.extend_from_slice(&[0; 1000]);
            set_member_len(subfield, &mut member);
            let header = gzip::read_header(&member).unwrap().unwrap();
            assert_eq!(header.member_len, Some(member.len() as u64), "{subfield:?}");
            assert_eq!(header.len, member.len() - 1000);
        }
    }

    #[test]
    fn the_end_member_says_its_own_length() {
        assert_eq!(gzip::read_header(&EOF_MEMBER).unwrap().unwrap().member_len, Some(28));
    }

    #[test]
    fn the_test_vector_of_the_format_document() {
        let vector = *b"\x1f\x8b\x08\x04\0\0\0\0\0\x03\x08\0RZ\x04\0\x22\0\0\0\
            \x2b\xca\x4c\xaf\x02\0\xe6\x22\x18\x3d\x04\0\0\0";
        let header = gzip::read_header(&vector).unwrap().unwrap();
        assert_eq!((header.len, header.member_len), (20, Some(34)));
        let mut member = Vec::new();
        write_header(Subfield::Rz, &NewHeader::default(), &mut member);
        member.extend_from_slice(&vector[20..]);
        set_member_len(Subfield::Rz, &mut member);
        assert_eq!(member, vector);
    }
}
