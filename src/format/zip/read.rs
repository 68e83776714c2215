//! Reading the first entry of a zip file (APPNOTE.TXT §4.3.7 and §4.3.9) from front to back:
//! its local header, and the data descriptor that may follow its data. The central directory at
//! the end of the file is not looked at, since a pipe does not have it at hand.
//!
//! A descriptor has no fixed form: its signature may be missing and its lengths may have 4 or 8
//! bytes, and writers do not agree on when. So a descriptor is not parsed but recognized: the form
//! that agrees best with the data is the right one.

use crate::error::Error;

/// How a local header begins.
pub const LOCAL_MAGIC: [u8; 4] = *b"PK\x03\x04";
/// How a data descriptor usually begins.
pub const DESCRIPTOR_MAGIC: [u8; 4] = *b"PK\x07\x08";
/// The length of the longest data descriptor in bytes.
pub const MAX_DESCRIPTOR_LEN: usize = 24;

/// Bytes of a local header before the name.
const FIXED_LEN: usize = 30;
/// The flag of an encrypted entry.
const ENCRYPTED: u16 = 1 << 0;
/// The flag of an entry with a data descriptor.
const HAS_DESCRIPTOR: u16 = 1 << 3;
const METHOD_STORED: u16 = 0;
const METHOD_DEFLATED: u16 = 8;
/// The extra field's subfield with 64-bit lengths.
const ZIP64: u16 = 1;
/// In a 32-bit length: look into the subfield.
const IN_ZIP64: u64 = 0xffff_ffff;

/// Checksum and lengths of an entry's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// CRC-32 of the uncompressed data.
    pub crc: u32,
    /// Bytes of compressed data.
    pub packed_len: u64,
    /// Bytes of uncompressed data.
    pub data_len: u64,
}

/// What an entry's local header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether the data are stored rather than deflated.
    pub is_stored: bool,
    /// Whether checksum and lengths follow the data. The header's then need not be true.
    pub has_descriptor: bool,
    /// Whether there are 64-bit lengths, so that a descriptor should have them, too.
    pub is_zip64: bool,
    /// Checksum and lengths as the header gives them.
    pub sizes: Sizes,
    /// Length of the local header in bytes.
    pub header_len: usize,
}

/// How many bytes the local header has that begins with `bytes`; the length of its fixed part if
/// they are too few to tell.
pub fn header_len(bytes: &[u8]) -> usize {
    match bytes.get(..FIXED_LEN) {
        Some(fixed) => FIXED_LEN + usize::from(u16_at(fixed, 26)) + usize::from(u16_at(fixed, 28)),
        None => FIXED_LEN,
    }
}

/// Reads the local header at the start of `bytes`, which must hold all of it.
///
/// # Errors
/// [`Error::NotZip`] if they do not; [`Error::ZipMethod`] and [`Error::ZipEncrypted`] for entries
/// that are not supported.
pub fn read_header(bytes: &[u8]) -> Result<Entry, Error> {
    let header_len = header_len(bytes);
    let bytes =
        bytes.get(..header_len).filter(|bytes| bytes.starts_with(&LOCAL_MAGIC)).ok_or(Error::NotZip)?;
    let flags = u16_at(bytes, 6);
    let is_stored = match u16_at(bytes, 8) {
        METHOD_STORED => true,
        METHOD_DEFLATED => false,
        _ => return Err(Error::ZipMethod),
    };
    if flags & ENCRYPTED != 0 {
        return Err(Error::ZipEncrypted);
    }
    let mut sizes = Sizes {
        crc: u32_at(bytes, 14),
        packed_len: u64::from(u32_at(bytes, 18)),
        data_len: u64::from(u32_at(bytes, 22)),
    };
    let extra = &bytes[FIXED_LEN + usize::from(u16_at(bytes, 26))..];
    let zip64 = zip64_subfield(extra);
    let mut lens = zip64.unwrap_or_default().chunks_exact(8).map(|len| u64_at(len, 0));
    for len in [&mut sizes.data_len, &mut sizes.packed_len] {
        if *len == IN_ZIP64 {
            *len = lens.next().unwrap_or(*len);
        }
    }
    Ok(Entry {
        is_stored,
        has_descriptor: flags & HAS_DESCRIPTOR != 0,
        is_zip64: zip64.is_some(),
        sizes,
        header_len,
    })
}

fn zip64_subfield(mut extra: &[u8]) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let payload = extra.get(4..4 + usize::from(u16_at(extra, 2)))?;
        if u16_at(extra, 0) == ZIP64 {
            return Some(payload);
        }
        extra = &extra[4 + payload.len()..];
    }
    None
}

impl Entry {
    /// Checks the header's checksum and length against what the data gave.
    pub fn verify(&self, actual: Sizes) -> Result<(), Error> {
        verify(self.sizes, actual, if self.is_zip64 { 8 } else { 4 })
    }

    /// Checks the descriptor at the start of `bytes`, of which there are at least
    /// [`MAX_DESCRIPTOR_LEN`] unless the input ends, against what the data gave. Returns its
    /// length in bytes.
    ///
    /// # Errors
    /// [`Error::UnexpectedEof`] and [`Error::Trailer`].
    pub fn verify_descriptor(&self, bytes: &[u8], actual: Sizes) -> Result<usize, Error> {
        let mut best: Option<(u32, Form, Sizes)> = None;
        for form in self.forms() {
            let Some(found) = form.read(bytes) else { continue };
            let expected = form.cut(actual);
            let agreement = u32::from(found.crc == expected.crc)
                + u32::from(found.packed_len == expected.packed_len)
                + u32::from(found.data_len == expected.data_len);
            if best.is_none_or(|(most, ..)| agreement > most) {
                best = Some((agreement, form, found));
            }
        }
        match best {
            Some((3, form, _)) => Ok(form.len()),
            // Each zip file goes on behind its entries, so there must have been more.
            _ if bytes.len() < MAX_DESCRIPTOR_LEN => Err(Error::UnexpectedEof),
            Some((_, form, found)) => verify(found, actual, form.width).map(|()| form.len()),
            None => Err(Error::UnexpectedEof),
        }
    }

    /// Whether `bytes` begin with a descriptor that has a signature and gives both lengths as
    /// `len`. So the end of stored data is found if their length is not known beforehand.
    pub fn tells_len(&self, bytes: &[u8], len: u64) -> bool {
        self.forms().into_iter().filter(|form| form.has_magic).any(|form| {
            let is_told =
                |found: Sizes| found == form.cut(Sizes { crc: found.crc, packed_len: len, data_len: len });
            form.read(bytes).is_some_and(is_told)
        })
    }

    /// All forms of a descriptor, likely ones first.
    fn forms(&self) -> [Form; 4] {
        let (likely, other) = if self.is_zip64 { (8, 4) } else { (4, 8) };
        let form = |has_magic, width| Form { has_magic, width };
        [form(true, likely), form(true, other), form(false, likely), form(false, other)]
    }
}

/// A form that a descriptor can have.
#[derive(Clone, Copy)]
struct Form {
    has_magic: bool,
    /// Bytes of a length: 4 or 8.
    width: usize,
}

impl Form {
    fn len(self) -> usize {
        usize::from(self.has_magic) * DESCRIPTOR_MAGIC.len() + 4 + 2 * self.width
    }

    /// Reads a descriptor of this form at the start of `bytes`.
    fn read(self, bytes: &[u8]) -> Option<Sizes> {
        let mut bytes = bytes.get(..self.len())?;
        if self.has_magic {
            bytes = bytes.strip_prefix(&DESCRIPTOR_MAGIC)?;
        }
        let len_at = |at| if self.width == 8 { u64_at(bytes, at) } else { u64::from(u32_at(bytes, at)) };
        Some(Sizes { crc: u32_at(bytes, 0), packed_len: len_at(4), data_len: len_at(4 + self.width) })
    }

    /// What this form can hold of `sizes`.
    fn cut(self, sizes: Sizes) -> Sizes {
        Sizes {
            packed_len: cut(sizes.packed_len, self.width),
            data_len: cut(sizes.data_len, self.width),
            ..sizes
        }
    }
}

/// Checks checksum and length of the data. The packed length only helped to find the end.
fn verify(claimed: Sizes, actual: Sizes, width: usize) -> Result<(), Error> {
    let (crc, len) = (claimed.crc != actual.crc, claimed.data_len != cut(actual.data_len, width));
    if crc || len { Err(Error::Trailer { crc, len }) } else { Ok(()) }
}

/// What a field of `width` bytes can hold of `len`.
fn cut(len: u64, width: usize) -> u64 {
    if width == 8 { len } else { u64::from(len as u32) }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | (u32::from(u16_at(bytes, at + 2)) << 16)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}
