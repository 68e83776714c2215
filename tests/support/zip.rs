//! Zip files and zlib streams, built field by field as APPNOTE.TXT and RFC 1950 give them.

use std::io::Write;

use flate2::write::{DeflateEncoder, ZlibEncoder};
use flate2::{Compression, Crc};

/// A data descriptor's form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Descriptor {
    pub(crate) has_magic: bool,
    pub(crate) has_long_lens: bool,
}

/// All of them.
pub(crate) const DESCRIPTORS: [Descriptor; 4] = [
    Descriptor { has_magic: true, has_long_lens: false },
    Descriptor { has_magic: true, has_long_lens: true },
    Descriptor { has_magic: false, has_long_lens: false },
    Descriptor { has_magic: false, has_long_lens: true },
];

/// An entry to be written. The fields may lie.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) packed_len: u64,
    pub(crate) data_len: u64,
    /// Follows the data and replaces the lengths in the header.
    pub(crate) descriptor: Option<Descriptor>,
    /// Whether the lengths in the header are given although they follow the data.
    pub(crate) gives_lens: bool,
    pub(crate) is_zip64: bool,
    pub(crate) packed: Vec<u8>,
}

impl Entry {
    fn new(method: u16, data: &[u8], packed: Vec<u8>) -> Entry {
        let mut crc = Crc::new();
        crc.update(data);
        Entry {
            method,
            flags: 0,
            crc: crc.sum(),
            packed_len: packed.len() as u64,
            data_len: data.len() as u64,
            descriptor: None,
            gives_lens: false,
            is_zip64: false,
            packed,
        }
    }

    pub(crate) fn stored(data: &[u8]) -> Entry {
        Entry::new(0, data, data.to_vec())
    }

    pub(crate) fn deflated(data: &[u8]) -> Entry {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).expect("memory takes everything");
        Entry::new(8, data, encoder.finish().expect("memory takes everything"))
    }

    /// The length of the local header.
    pub(crate) fn header_len(&self) -> usize {
        30 + NAME.len() + EXTRA.len() + if self.is_zip64 { 20 } else { 0 }
    }

    /// Local header, data and descriptor.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let in_header = |field| if self.descriptor.is_none() || self.gives_lens { field } else { 0 };
        let mut extra = EXTRA.to_vec();
        let mut lens = [in_header(self.packed_len) as u32, in_header(self.data_len) as u32];
        if self.is_zip64 {
            extra.extend_from_slice(&[1, 0, 16, 0]);
            extra.extend_from_slice(&in_header(self.data_len).to_le_bytes());
            extra.extend_from_slice(&in_header(self.packed_len).to_le_bytes());
            lens = [u32::MAX; 2];
        }
        let flags = self.flags | if self.descriptor.is_some() { 8 } else { 0 };
        let mut bytes = b"PK\x03\x04\x2d\0".to_vec();
        for field in [flags, self.method, 0x6000, 0x5821] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        for field in [in_header(u64::from(self.crc)) as u32, lens[0], lens[1]] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        for len in [NAME.len(), extra.len()] {
            bytes.extend_from_slice(&(len as u16).to_le_bytes());
        }
        bytes.extend_from_slice(NAME);
        bytes.extend_from_slice(&extra);
        bytes.extend_from_slice(&self.packed);
        if let Some(form) = self.descriptor {
            if form.has_magic {
                bytes.extend_from_slice(b"PK\x07\x08");
            }
            bytes.extend_from_slice(&self.crc.to_le_bytes());
            for len in [self.packed_len, self.data_len] {
                let width = if form.has_long_lens { 8 } else { 4 };
                bytes.extend_from_slice(&len.to_le_bytes()[..width]);
            }
        }
        bytes
    }
}

const NAME: &[u8] = b"dir/stored name";
/// A subfield that means nothing to rigz.
const EXTRA: &[u8] = b"UT\x05\0\x01\0\0\0\0";

/// `entries` and something like a central directory.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut file: Vec<u8> = entries.iter().flat_map(Entry::bytes).collect();
    let directory_at = file.len() as u32;
    for _ in entries {
        file.extend_from_slice(b"PK\x01\x02");
        file.extend_from_slice(&[0; 42]);
    }
    let directory_len = file.len() as u32 - directory_at;
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&directory_len.to_le_bytes());
    file.extend_from_slice(&directory_at.to_le_bytes());
    file.extend_from_slice(&[0; 2]);
    file
}

/// `data` as a zlib stream.
pub(crate) fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}
