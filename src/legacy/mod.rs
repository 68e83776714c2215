//! The formats that gzip reads beside its own: `.Z`, `pack` and SCO's `compress -H`.
//!
//! Reading only, for archives made before gzip. [`crate::engine::decompress`] asks
//! [`Legacy::of`] what begins at the front of an input and gives the rest to [`Legacy::decode`].
//!
//! | file | format | how it ends |
//! |---|---|---|
//! | `lzw` | `.Z` of compress(1) | with the input |
//! | `pack` | `.z` of pack(1) | with a codeword of its own |
//! | `lzh` | SCO `compress -H` | with an empty block |
//!
//! `bits` reads the two that are written from the highest bit down, `output` collects what all
//! three decode. Memory: less than 1 MiB, whatever the input says. None of the formats has a
//! checksum; only pack knows its length. So damage is often seen late or never, and each decoder
//! refuses what no encoder writes, also where gzip goes on with whatever its memory holds.

mod bits;
pub mod lzh;
pub mod lzw;
mod output;
pub mod pack;

use crate::error::Error;
use crate::io::input::Input;

/// A format older than gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    /// `.Z`: LZW, by compress(1).
    Lzw,
    /// `.z`: Huffman codes only, by pack(1).
    Pack,
    /// LZ77 and Huffman codes, by `compress -H` of SCO Unix.
    Lzh,
}

/// What became of a stream that could be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of input that belong to the stream, its magic number included.
    ///
    /// What gzip does with the rest: LZW leaves none. After pack it looks for a further member of
    /// any format, as after a gzip member. After LZH it ignores the rest without a word.
    pub read: u64,
    /// Bytes of output.
    pub written: u64,
    /// The reserved bits that are set in the flags of a `.Z`: decoded all the same, but gzip
    /// warns "unknown flags 0x…". 0 for the other formats.
    pub unknown_flags: u8,
}

impl Legacy {
    /// The format whose magic number `bytes` begin with.
    pub fn of(bytes: &[u8]) -> Option<Legacy> {
        [Legacy::Lzw, Legacy::Pack, Legacy::Lzh].into_iter().find(|format| bytes.starts_with(&format.magic()))
    }

    /// The first two bytes of every such stream.
    pub fn magic(self) -> [u8; 2] {
        match self {
            Legacy::Lzw => [0x1f, 0x9d],
            Legacy::Pack => [0x1f, 0x1e],
            Legacy::Lzh => [0x1f, 0xa0],
        }
    }

    /// What `gzip -lv` calls the method, in five columns.
    pub fn method(self) -> &'static str {
        match self {
            Legacy::Lzw => "compr",
            Legacy::Pack => "pack ",
            Legacy::Lzh => "lzh  ",
        }
    }

    /// Decodes the stream at the front of `input` (its magic number included) and gives the data
    /// to `put`, in pieces of at least 64 KiB but for the last.
    ///
    /// # Errors
    /// What `put` says, and what is wrong with the stream; then `put` has been given everything
    /// before the damage.
    pub fn decode(
        self,
        input: &mut Input<'_>,
        put: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<Decoded, Error> {
        match self {
            Legacy::Lzw => lzw::decode(input, put),
            Legacy::Pack => pack::decode(input, put),
            Legacy::Lzh => lzh::decode(input, put),
        }
    }

    /// Passes over the magic number.
    fn enter(self, input: &mut Input<'_>) -> Result<(), Error> {
        let magic = self.magic();
        let bytes = input.peek_at_least(magic.len()).map_err(Error::Read)?;
        if bytes.starts_with(&magic) {
            input.consume(magic.len());
            Ok(())
        } else if magic.starts_with(bytes) {
            Err(Error::UnexpectedEof)
        } else {
            Err(Error::NotGzip)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_two_bytes() {
        for format in [Legacy::Lzw, Legacy::Pack, Legacy::Lzh] {
            let [a, b] = format.magic();
            assert_eq!(Legacy::of(&[a, b, 7]), Some(format));
            assert_eq!(Legacy::of(&[a]), None);
            assert_eq!(Legacy::of(&[b, a]), None);
        }
        assert_eq!(Legacy::of(b"\x1f\x8b"), None);
        assert_eq!(Legacy::of(b""), None);
    }

    #[test]
    fn a_stream_of_another_format_is_not_decoded() {
        for format in [Legacy::Lzw, Legacy::Pack, Legacy::Lzh] {
            let decode = |bytes| format.decode(&mut Input::from_slice(bytes), &mut |_| unreachable!());
            assert!(matches!(decode(b"\x1f\x8b\x08"), Err(Error::NotGzip)));
            assert!(matches!(decode(b"\x1f"), Err(Error::UnexpectedEof)));
            assert!(matches!(decode(b""), Err(Error::UnexpectedEof)));
        }
    }
}
