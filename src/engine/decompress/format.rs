//! Telling formats apart by their first bytes.

use crate::format::{gzip, zip, zlib};
use crate::legacy::Legacy;

/// Bytes of an input that tell its format.
pub(super) const MAX_MAGIC_LEN: usize = 4;

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// gzip members.
    Gzip,
    /// A zlib stream (RFC 1950).
    Zlib,
    /// A zip file.
    Zip,
    /// A format older than gzip.
    Legacy(Legacy),
}

impl Format {
    /// The format of an input that begins with `bytes`.
    pub(super) fn first(bytes: &[u8], reads_zlib: bool) -> Option<Format> {
        match Format::later(bytes) {
            None if bytes.starts_with(&zip::read::LOCAL_MAGIC) => Some(Format::Zip),
            None if reads_zlib && zlib::begins_stream(bytes) => Some(Format::Zlib),
            format => format,
        }
    }

    /// The format of what begins with `bytes` and follows another part.
    pub(super) fn later(bytes: &[u8]) -> Option<Format> {
        if gzip::begins_member(bytes) { Some(Format::Gzip) } else { Legacy::of(bytes).map(Format::Legacy) }
    }
}

/// How data are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// By DEFLATE.
    #[default]
    Deflated,
    /// As in a format older than gzip.
    Legacy(Legacy),
}

impl Method {
    /// The name in `gzip -lv`'s table: five characters.
    pub fn name(self) -> &'static str {
        match self {
            Method::Stored => "store",
            Method::Deflated => "defla",
            Method::Legacy(legacy) => legacy.method(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zlib_header_needs_all_its_marks() {
        for header in [[0x78, 0x01], [0x78, 0x5e], [0x78, 0x9c], [0x78, 0xda], [0x08, 0x1d]] {
            assert_eq!(Format::first(&header, true), Some(Format::Zlib), "{header:x?}");
            assert_eq!(Format::first(&header, false), None, "{header:x?}");
        }
        for header in [&[0x78, 0x9d][..], &[0x78, 0xbb], &[0x88, 0x1c], &[0x79, 0x9b], &[0x78]] {
            assert_eq!(Format::first(header, true), None, "{header:x?}");
        }
    }
}
