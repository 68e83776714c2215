//! A second opinion on gzip files: flate2 says where members end, and their headers are read byte
//! by byte as RFC 1952 gives them.

use std::io::Read;
use std::ops::Range;

use flate2::bufread::GzDecoder;

/// One member of a gzip file.
pub(crate) struct Member {
    /// Where it is in the file.
    pub(crate) place: Range<usize>,
    /// Its whole header.
    pub(crate) header: Vec<u8>,
    /// What it holds.
    pub(crate) data: Vec<u8>,
}

/// All members of `file`, which must consist of nothing else.
#[track_caller]
pub(crate) fn members(file: &[u8]) -> Vec<Member> {
    let (mut members, mut at) = (Vec::new(), 0);
    while at < file.len() {
        let mut rest = &file[at..];
        let mut data = Vec::new();
        let result = GzDecoder::new(&mut rest).read_to_end(&mut data);
        result.unwrap_or_else(|error| panic!("member {} at {at}: {error}", members.len()));
        let place = at..file.len() - rest.len();
        let header = file[at..at + header_len(&file[at..])].to_vec();
        at = place.end;
        members.push(Member { place, header, data });
    }
    members
}

/// The length of the header at the start of `member`.
pub(crate) fn header_len(member: &[u8]) -> usize {
    let flags = member[3];
    let mut len = 10;
    if flags & 4 != 0 {
        len += 2 + usize::from(u16::from_le_bytes([member[10], member[11]]));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            len += 1 + member[len..].iter().position(|byte| *byte == 0).expect("a zero ends it");
        }
    }
    if flags & 2 != 0 { len + 2 } else { len }
}

impl Member {
    pub(crate) fn len(&self) -> usize {
        self.place.len()
    }

    /// The payload of the subfield `id` in the extra field.
    pub(crate) fn subfield(&self, id: [u8; 2]) -> Option<&[u8]> {
        if self.header[3] & 4 == 0 {
            return None;
        }
        let len = usize::from(u16::from_le_bytes([self.header[10], self.header[11]]));
        let mut extra = &self.header[12..12 + len];
        while let [a, b, c, d, rest @ ..] = extra {
            let len = usize::from(u16::from_le_bytes([*c, *d]));
            if [*a, *b] == id {
                return Some(&rest[..len]);
            }
            extra = &rest[len..];
        }
        None
    }

    /// The member length that rigz's subfield claims.
    pub(crate) fn rz_len(&self) -> Option<usize> {
        self.subfield(*b"RZ").map(|len| u32::from_le_bytes(len.try_into().expect("four bytes")) as usize)
    }

    /// The member length that BGZF's subfield claims.
    pub(crate) fn bc_len(&self) -> Option<usize> {
        let payload = self.subfield(*b"BC")?;
        Some(usize::from(u16::from_le_bytes(payload.try_into().expect("two bytes"))) + 1)
    }
}
