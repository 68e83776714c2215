//! gzip member headers and trailers (RFC 1952 §2.3).
//!
//! Reading works on a slice and says "more, please" where the slice ends inside the header, so
//! that callers decide how input arrives. Everything that a header claims is only a claim: no
//! length found here is trusted before the decoder confirmed it.

use crate::checksum::crc32;
use crate::error::Error;
use crate::format::extra;

/// Bytes of the fixed part of a header.
pub const FIXED_HEADER_LEN: usize = 10;
/// Bytes of a trailer: CRC-32 and length modulo 2^32.
pub const TRAILER_LEN: usize = 8;
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Written by gzip before version 0.5 and still read by it.
const OLD_MAGIC: [u8; 2] = [0x1f, 0x9e];
const METHOD_DEFLATE: u8 = 8;
/// "Unix" in the operating system field.
const OS_UNIX: u8 = 3;

/// The flag for a CRC-16 of the header behind it.
pub const FHCRC: u8 = 1 << 1;
/// The flag for an extra field.
pub const FEXTRA: u8 = 1 << 2;
/// The flag for the original name, ended by a zero.
pub const FNAME: u8 = 1 << 3;
/// The flag for a comment, ended by a zero.
pub const FCOMMENT: u8 = 1 << 4;
/// Not in the RFC; gzip before 1.0 marked encrypted files with it.
const ENCRYPTED: u8 = 1 << 5;
const RESERVED: u8 = 0b1100_0000;

/// Whether `bytes` begins like a member.
pub fn begins_member(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) || bytes.starts_with(&OLD_MAGIC)
}

/// What a member's header says, as far as rigz uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The original file name, without its terminating zero.
    pub name: Option<Vec<u8>>,
    /// The modification time in seconds since 1970; 0 if unknown.
    pub mtime: u32,
    /// Length of the extra field in bytes, if there is one.
    pub extra_len: Option<u16>,
    /// Length of the whole member in bytes, if a subfield claims it.
    pub member_len: Option<u64>,
    /// Length of this header in bytes.
    pub len: usize,
}

/// Reads the header at the start of `bytes`. `None`: the header is longer than `bytes`.
///
/// Errors come in the order in which gzip finds them, reading byte by byte.
pub fn read_header(bytes: &[u8]) -> Result<Option<Header>, Error> {
    let mut header = Header::default();
    match parse(&mut Cursor { bytes, at: 0 }, &mut header) {
        Ok(()) => Ok(Some(header)),
        Err(Stop::Short) => Ok(None),
        Err(Stop::Refused(error)) => Err(error),
    }
}

/// What `bytes`, the beginning of a header that [`read_header`] found to be longer, say. Fields
/// that they do not hold in full are left empty, and so is the header's length.
pub fn read_part(bytes: &[u8]) -> Header {
    let mut header = Header::default();
    let _ = parse(&mut Cursor { bytes, at: 0 }, &mut header);
    header
}

enum Stop {
    Short,
    Refused(Error),
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Stop> {
        let taken = self.bytes[self.at..].get(..len).ok_or(Stop::Short)?;
        self.at += len;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, Stop> {
        let taken = self.take(2)?;
        Ok(u16::from_le_bytes([taken[0], taken[1]]))
    }

    fn zero_terminated(&mut self) -> Result<&'a [u8], Stop> {
        let len = memchr::memchr(0, &self.bytes[self.at..]).ok_or(Stop::Short)?;
        Ok(&self.take(len + 1)?[..len])
    }
}

fn parse(cursor: &mut Cursor<'_>, header: &mut Header) -> Result<(), Stop> {
    if !begins_member(cursor.take(2)?) {
        return Err(Stop::Refused(Error::NotGzip));
    }
    let method = cursor.byte()?;
    if method != METHOD_DEFLATE {
        return Err(Stop::Refused(Error::Method(method)));
    }
    let flags = cursor.byte()?;
    if flags & ENCRYPTED != 0 {
        return Err(Stop::Refused(Error::Encrypted));
    }
    if flags & RESERVED != 0 {
        return Err(Stop::Refused(Error::Flags(flags)));
    }
    header.mtime = read_u32(cursor.take(4)?);
    cursor.take(2)?;
    if flags & FEXTRA != 0 {
        let len = cursor.u16()?;
        header.extra_len = Some(len);
        header.member_len = extra::member_len(cursor.take(usize::from(len))?);
    }
    if flags & FNAME != 0 {
        header.name = Some(cursor.zero_terminated()?.to_vec());
    }
    if flags & FCOMMENT != 0 {
        cursor.zero_terminated()?;
    }
    if flags & FHCRC != 0 {
        let computed = crc32(&cursor.bytes[..cursor.at]) as u16;
        let stored = cursor.u16()?;
        if stored != computed {
            return Err(Stop::Refused(Error::HeaderCrc { stored, computed }));
        }
    }
    header.len = cursor.at;
    Ok(())
}

/// What goes into a header: a gzip member's, or what corresponds to it in other formats.
#[derive(Clone, Debug, Default)]
pub struct NewHeader {
    /// The original file name, without zero bytes.
    pub name: Option<Vec<u8>>,
    /// A comment, without zero bytes.
    pub comment: Option<Vec<u8>>,
    /// The modification time in seconds since 1970; 0 if unknown.
    pub mtime: i64,
    /// How far local time was ahead of UTC at `mtime`, in seconds. ZIP alone wants to know.
    pub utc_offset: i32,
    /// The "extra flags" byte: 2 for the densest level, 4 for the fastest.
    pub xfl: u8,
}

/// Appends a header to `out`, with `extra` as its extra field unless that is empty. Times that
/// the field cannot hold (before 1970, after 2106) count as unknown.
pub fn write_header(header: &NewHeader, extra: &[u8], out: &mut Vec<u8>) {
    let mut flags = 0;
    if !extra.is_empty() {
        flags |= FEXTRA;
    }
    if header.name.is_some() {
        flags |= FNAME;
    }
    if header.comment.is_some() {
        flags |= FCOMMENT;
    }
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[METHOD_DEFLATE, flags]);
    out.extend_from_slice(&u32::try_from(header.mtime).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&[header.xfl, OS_UNIX]);
    if !extra.is_empty() {
        let len = u16::try_from(extra.len()).expect("extra fields are a few bytes");
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(extra);
    }
    for text in [&header.name, &header.comment].into_iter().flatten() {
        out.extend_from_slice(text);
        out.push(0);
    }
}

/// A member's trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// CRC-32 of the uncompressed data.
    pub crc: u32,
    /// Length of the uncompressed data modulo 2^32.
    pub len: u32,
}

impl Trailer {
    /// The trailer for data of `len` bytes with checksum `crc`.
    pub fn new(crc: u32, len: u64) -> Trailer {
        Trailer { crc, len: len as u32 }
    }

    /// Reads the trailer at the start of `bytes`; `None` if they are too few.
    pub fn read(bytes: &[u8]) -> Option<Trailer> {
        let bytes = bytes.get(..TRAILER_LEN)?;
        Some(Trailer { crc: read_u32(bytes), len: read_u32(&bytes[4..]) })
    }

    /// Appends the trailer to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
    }

    /// Checks this trailer, as found in a file, against what the data gave.
    pub fn verify(self, actual: Trailer) -> Result<(), Error> {
        if self == actual {
            return Ok(());
        }
        Err(Error::Trailer { crc: self.crc != actual.crc, len: self.len != actual.len })
    }
}

/// The first four bytes as a little-endian number.
fn read_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 10] = [0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 0, 3];

    /// A header with every field that the RFC knows.
    fn full() -> Vec<u8> {
        let mut bytes = PLAIN.to_vec();
        bytes[3] = 1 | FHCRC | FEXTRA | FNAME | FCOMMENT;
        bytes.extend_from_slice(&[6, 0, b'B', b'C', 2, 0, 27, 0]);
        bytes.extend_from_slice(b"name\0comment\0");
        let crc = crc32(&bytes) as u16;
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn every_field_is_read_and_every_prefix_asks_for_more() {
        let bytes = full();
        let header = read_header(&bytes).unwrap().unwrap();
        assert_eq!(
            header,
            Header {
                name: Some(b"name".to_vec()),
                mtime: 0x0403_0201,
                extra_len: Some(6),
                member_len: Some(28),
                len: bytes.len(),
            }
        );
        for len in 0..bytes.len() {
            assert_eq!(read_header(&bytes[..len]).unwrap(), None, "prefix of {len} bytes");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        let with = |at: usize, value: u8| {
            let mut bytes = PLAIN.to_vec();
            bytes[at] = value;
            read_header(&bytes).unwrap_err().to_string()
        };
        assert_eq!(with(0, 0x1e), "not in gzip format");
        assert_eq!(with(2, 7), "unknown method 7 -- not supported");
        assert_eq!(with(3, 0x20), "is encrypted -- not supported");
        assert_eq!(with(3, 0x80), "has flags 0x80 -- not supported");
        assert_eq!(with(3, 0x40), "has flags 0x40 -- not supported");
        let mut bytes = full();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(read_header(&bytes), Err(Error::HeaderCrc { .. })));
    }

    #[test]
    fn part_of_a_header_gives_the_fields_that_it_holds() {
        let bytes = full();
        let part = read_part(&bytes[..bytes.len() - 5]);
        assert_eq!((part.mtime, part.extra_len, part.len), (0x0403_0201, Some(6), 0));
        assert_eq!(part.name.as_deref(), Some(&b"name"[..]));
        assert_eq!(read_part(&bytes[..20]).name, None);
    }

    #[test]
    fn headers_written_are_read_back() {
        let mut bytes = Vec::new();
        let header = NewHeader { name: Some(b"f".to_vec()), mtime: 5, xfl: 2, ..NewHeader::default() };
        write_header(&header, b"", &mut bytes);
        assert_eq!(bytes, [0x1f, 0x8b, 8, 8, 5, 0, 0, 0, 2, 3, b'f', 0]);
        bytes.clear();
        let header = NewHeader { comment: Some(b"cc".to_vec()), ..header };
        write_header(&header, b"XY\0\0", &mut bytes);
        assert_eq!(bytes[3], FEXTRA | FNAME | FCOMMENT);
        assert_eq!(bytes[10..], *b"\x04\0XY\0\0f\0cc\0");
        let read = read_header(&bytes).unwrap().unwrap();
        assert_eq!((read.name.as_deref(), read.mtime, read.len), (Some(&b"f"[..]), 5, bytes.len()));
    }

    #[test]
    fn times_out_of_range_are_written_as_unknown() {
        for (mtime, field) in [(-1, 0), (1 << 32, 0), (u32::MAX.into(), u32::MAX)] {
            let mut bytes = Vec::new();
            write_header(&NewHeader { mtime, ..NewHeader::default() }, b"", &mut bytes);
            assert_eq!(read_u32(&bytes[4..]), field, "{mtime}");
        }
    }
}
