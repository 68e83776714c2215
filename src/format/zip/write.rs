//! Writing an archive with one DEFLATE entry in one pass (APPNOTE.TXT §4.3–4.5), laid out as pigz
//! does:
//!
//! ```text
//! local header, ZIP64 field     sizes and checksum unknown, "see the descriptor" (bit 3)
//! DEFLATE data
//! data descriptor               checksum and sizes, 8 bytes each
//! central directory header      the same; ZIP64 field only if a size needs it
//! end of central directory      before it ZIP64's record and locator if an offset needs them
//! ```
//!
//! The local header always has a ZIP64 field: it is what says that the descriptor's sizes have
//! 8 bytes, and nobody knows beforehand whether 4 will do.

use crate::format::gzip::NewHeader;

/// "Needs version 4.5", the one of ZIP64.
const VERSION: u16 = 45;
/// Made by: that version, on a system that is not told (255). Readers then give the file the
/// permissions that new files have.
const MADE_BY: u16 = (0xff << 8) | VERSION;
const METHOD_DEFLATE: u16 = 8;
/// Sizes and checksum are in a data descriptor.
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// Name and comment are UTF-8.
const IS_UTF8: u16 = 1 << 11;
/// Field ids: sizes of ZIP64 and Info-ZIP's extended timestamp.
const ZIP64: u16 = 0x0001;
const TIMESTAMP: u16 = 0x5455;
/// The name of data that have none.
const NAMELESS: &[u8] = b"-";

/// What is known of the entry when all of it is written.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// CRC-32 of the data.
    pub crc: u32,
    /// Length of the data in bytes.
    pub len: u64,
    /// Length of the DEFLATE data in bytes.
    pub packed_len: u64,
}

/// Appends the local header to `out`.
pub fn write_local_header(header: &NewHeader, out: &mut Vec<u8>) {
    let name = name(header);
    let timestamp = timestamp(header.mtime);
    out.extend_from_slice(b"PK\x03\x04");
    write_common(header, out);
    put32(out, [0, u32::MAX, u32::MAX]);
    put16(out, [name.len() as u16, 20 + timestamp.len() as u16]);
    out.extend_from_slice(name);
    put16(out, [ZIP64, 16]);
    put64(out, [0, 0]);
    out.extend_from_slice(&timestamp);
}

/// Length of the local header in bytes.
pub fn local_header_len(header: &NewHeader) -> u64 {
    (30 + name(header).len() + 20 + timestamp(header.mtime).len()) as u64
}

/// Appends to `out` all that follows the DEFLATE data.
pub fn write_trailer(header: &NewHeader, totals: Totals, out: &mut Vec<u8>) {
    out.extend_from_slice(b"PK\x07\x08");
    put32(out, [totals.crc]);
    put64(out, [totals.packed_len, totals.len]);
    let directory_at = local_header_len(header) + totals.packed_len + DESCRIPTOR_LEN;
    let before = out.len();
    write_directory(header, totals, out);
    write_end(directory_at, (out.len() - before) as u64, out);
}

const DESCRIPTOR_LEN: u64 = 24;

fn write_directory(header: &NewHeader, totals: Totals, out: &mut Vec<u8>) {
    let (name, comment) = (name(header), comment(header));
    // Only the values that do not fit are in the field, in this order (§4.5.3).
    let long: Vec<u64> = [totals.len, totals.packed_len].into_iter().filter(|len| !fits(*len)).collect();
    let mut extra = Vec::new();
    if !long.is_empty() {
        put16(&mut extra, [ZIP64, 8 * long.len() as u16]);
        long.into_iter().for_each(|len| put64(&mut extra, [len]));
    }
    extra.extend_from_slice(&timestamp(header.mtime));
    out.extend_from_slice(b"PK\x01\x02");
    put16(out, [MADE_BY]);
    write_common(header, out);
    put32(out, [totals.crc, saturated(totals.packed_len), saturated(totals.len)]);
    put16(out, [name.len() as u16, extra.len() as u16, comment.len() as u16]);
    // Disk, internal attributes; external attributes and the local header's offset.
    put16(out, [0, 0]);
    put32(out, [0, 0]);
    out.extend_from_slice(name);
    out.extend_from_slice(&extra);
    out.extend_from_slice(comment);
}

fn write_end(directory_at: u64, directory_len: u64, out: &mut Vec<u8>) {
    if !fits(directory_at) {
        out.extend_from_slice(b"PK\x06\x06");
        // Length of what follows, versions, disks, entries, directory.
        put64(out, [44]);
        put16(out, [MADE_BY, VERSION]);
        put32(out, [0, 0]);
        put64(out, [1, 1, directory_len, directory_at]);
        out.extend_from_slice(b"PK\x06\x07");
        put32(out, [0]);
        put64(out, [directory_at + directory_len]);
        put32(out, [1]);
    }
    out.extend_from_slice(b"PK\x05\x06");
    put16(out, [0, 0, 1, 1]);
    put32(out, [saturated(directory_len), saturated(directory_at)]);
    put16(out, [0]);
}

/// The fields that both headers have: version needed, flags, method, time and date.
fn write_common(header: &NewHeader, out: &mut Vec<u8>) {
    let texts = [name(header), comment(header)];
    let needs_utf8 = texts.iter().any(|text| !text.is_ascii())
        && texts.iter().all(|text| std::str::from_utf8(text).is_ok());
    let flags = HAS_DESCRIPTOR | if needs_utf8 { IS_UTF8 } else { 0 };
    let (time, date) = dos_time(header);
    put16(out, [VERSION, flags, METHOD_DEFLATE, time, date]);
}

/// The entry's name, cut to what its length field can tell.
fn name(header: &NewHeader) -> &[u8] {
    let name = header.name.as_deref().unwrap_or(NAMELESS);
    &name[..name.len().min(usize::from(u16::MAX))]
}

/// The entry's comment, cut likewise.
fn comment(header: &NewHeader) -> &[u8] {
    let comment = header.comment.as_deref().unwrap_or_default();
    &comment[..comment.len().min(usize::from(u16::MAX))]
}

/// Info-ZIP's field with the modification time in UTC; empty if it is unknown or does not fit.
fn timestamp(mtime: i64) -> Vec<u8> {
    let mut field = Vec::new();
    if let Ok(seconds) = i32::try_from(mtime)
        && seconds != 0
    {
        put16(&mut field, [TIMESTAMP, 5]);
        field.push(1);
        field.extend_from_slice(&seconds.to_le_bytes());
    }
    field
}

/// Time and date as MS-DOS counts (§4.4.6): local, from 1980 to 2107, in steps of two seconds.
/// An unknown time is the first, a time outside the nearest.
fn dos_time(header: &NewHeader) -> (u16, u16) {
    const DAY: i64 = 24 * 60 * 60;
    /// The first day of 1980 and of 2108, counted from 1970.
    const DAYS: std::ops::Range<i64> = 3652..50403;
    let local = header.mtime.saturating_add(i64::from(header.utc_offset));
    // Odd seconds count up, so that no reader takes the copy for older than the original.
    let local = if header.mtime == 0 { 0 } else { local.saturating_add(local.rem_euclid(2)) };
    let local = local.clamp(DAYS.start * DAY, DAYS.end * DAY - 2);
    let (days, seconds) = (local / DAY, local % DAY);
    let (year, month, day) = civil(days);
    let time = ((seconds / 3600) << 11) | ((seconds / 60 % 60) << 5) | (seconds % 60 / 2);
    let date = ((year - 1980) << 9) | (month << 5) | day;
    (time as u16, date as u16)
}

/// Year, month and day of a day counted from 1970, in the Gregorian calendar, for the years 1970
/// to 2399: years are counted off in cycles of four, but for 2100, 2200 and 2300.
fn civil(mut days: i64) -> (i64, i64, i64) {
    let mut year = 1970;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for len in [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < len {
            break;
        }
        days -= len;
        month += 1;
    }
    (year, month, days + 1)
}

/// Whether `value` can stand in a field of 32 bits; the highest value says "see ZIP64".
fn fits(value: u64) -> bool {
    value < u64::from(u32::MAX)
}

fn saturated(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn put16<const N: usize>(out: &mut Vec<u8>, values: [u16; N]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

fn put32<const N: usize>(out: &mut Vec<u8>, values: [u32; N]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

fn put64<const N: usize>(out: &mut Vec<u8>, values: [u64; N]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as `-K` has it for the file `f` of 2024-03-05 06:07:09 UTC.
    fn header() -> NewHeader {
        NewHeader { name: Some(b"f".to_vec()), mtime: 1_709_618_829, ..NewHeader::default() }
    }

    #[test]
    fn the_bytes_that_pigz_writes() {
        let mut local = Vec::new();
        write_local_header(&header(), &mut local);
        let expected =
            b"PK\x03\x04\x2d\0\x08\0\x08\0\xe5\x30\x65\x58\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\
            \x01\0\x1d\0f\x01\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0UT\x05\0\x01\x8d\xb6\xe6\x65";
        assert_eq!(local, expected);
        assert_eq!(local.len() as u64, local_header_len(&header()));
        let mut trailer = Vec::new();
        let totals = Totals { crc: 0xfb23_b145, len: 288_894, packed_len: 106_813 };
        write_trailer(&header(), totals, &mut trailer);
        let expected = b"PK\x07\x08\x45\xb1\x23\xfb\x3d\xa1\x01\0\0\0\0\0\x7e\x68\x04\0\0\0\0\0\
            PK\x01\x02\x2d\xff\x2d\0\x08\0\x08\0\xe5\x30\x65\x58\x45\xb1\x23\xfb\x3d\xa1\x01\0\x7e\x68\x04\0\
            \x01\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0fUT\x05\0\x01\x8d\xb6\xe6\x65\
            PK\x05\x06\0\0\0\0\x01\0\x01\0\x38\0\0\0\x91\xa1\x01\0\0\0";
        assert_eq!(trailer, expected);
    }

    fn u64_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    #[test]
    fn sizes_from_4_gib_on_are_in_zip64_fields() {
        let len = (5 << 30) + 7;
        for packed_len in [1000, u64::from(u32::MAX) - 200, u64::from(u32::MAX), 6 << 30] {
            let mut trailer = Vec::new();
            write_trailer(&header(), Totals { crc: 1, len, packed_len }, &mut trailer);
            assert_eq!((u64_at(&trailer, 8), u64_at(&trailer, 16)), (packed_len, len));
            let directory = &trailer[24..];
            let field = &directory[47..];
            assert_eq!(directory[24..28], [0xff; 4]);
            assert_eq!(u64_at(field, 4), len);
            let is_long = packed_len >= u64::from(u32::MAX);
            assert_eq!(directory[20..24] == [0xff; 4], is_long, "{packed_len}");
            assert_eq!(field[..4], [1, 0, if is_long { 16 } else { 8 }, 0]);
            if is_long {
                assert_eq!(u64_at(field, 12), packed_len);
                let end = &trailer[trailer.len() - 98..];
                let directory_at = local_header_len(&header()) + packed_len + 24;
                assert_eq!(end[..4], *b"PK\x06\x06");
                assert_eq!(u64_at(end, 48), directory_at);
                assert_eq!(end[56..60], *b"PK\x06\x07");
                assert_eq!(u64_at(end, 64), directory_at + u64_at(end, 40));
                assert_eq!(end[92..96], [0xff; 4]);
            }
        }
    }

    #[test]
    fn times_are_local_and_kept_in_range() {
        let dos = |mtime, utc_offset| dos_time(&NewHeader { mtime, utc_offset, ..NewHeader::default() });
        let date = |year: u16, month: u16, day: u16| ((year - 1980) << 9) | (month << 5) | day;
        assert_eq!(dos(0, 3600), (0, date(1980, 1, 1)));
        assert_eq!(dos(-5, 0), (0, date(1980, 1, 1)));
        assert_eq!(dos(i64::MIN, i32::MIN), (0, date(1980, 1, 1)));
        assert_eq!(dos(1_709_618_829, 9 * 3600), ((15 << 11) | (7 << 5) | 5, date(2024, 3, 5)));
        assert_eq!(dos(951_782_399, 0), (0, date(2000, 2, 29)));
        assert_eq!(dos(i64::MAX, i32::MAX), ((23 << 11) | (59 << 5) | 29, date(2107, 12, 31)));
    }

    #[test]
    fn what_is_not_ascii_is_declared_if_it_is_utf8() {
        let flags = |name: &[u8]| {
            let mut out = Vec::new();
            let header = NewHeader { name: Some(name.to_vec()), ..NewHeader::default() };
            write_local_header(&header, &mut out);
            u16::from_le_bytes([out[6], out[7]])
        };
        assert_eq!([flags(b"plain"), flags("é".as_bytes()), flags(b"\xe9")], [8, 0x808, 8]);
    }

    #[test]
    fn names_longer_than_their_field_are_cut() {
        let header = NewHeader {
            name: Some(vec![b'n'; 70_000]),
            comment: Some(vec![b'c'; 70_000]),
            ..NewHeader::default()
        };
        let mut out = Vec::new();
        write_local_header(&header, &mut out);
        assert_eq!(out.len() as u64, local_header_len(&header));
        out.clear();
        write_trailer(&header, Totals { crc: 0, len: 0, packed_len: 2 }, &mut out);
        assert_eq!(out.len(), 24 + 46 + 2 * 65_535 + 22);
    }
}
