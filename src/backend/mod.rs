//! DEFLATE (RFC 1951) by libdeflate, by zlib-ng, by Zopfli, as stored blocks and as one fixed block.
//!
//! Plain functions on slices. The wrappers of libraries keep an encoder and a decoder per thread
//! where making one costs as much as a small file.

pub mod blocks;
pub mod fixed;
pub mod libdeflate;
pub mod stored;
pub mod zlib_ng;
pub mod zopfli;

/// A chunk, as the encoders take it that can continue a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chunk<'a> {
    /// At most 32 KiB before the chunk that matches may reach back into.
    pub window: &'a [u8],
    /// The bytes to encode.
    pub data: &'a [u8],
    /// Offsets in `data`, ascending and inside it, where the output must come to a byte boundary
    /// and a block must begin.
    pub cuts: &'a [usize],
    /// Whether the stream ends here. If not, the output ends on a byte boundary.
    pub is_last: bool,
}

impl<'a> Chunk<'a> {
    /// All of a stream.
    pub fn whole(data: &'a [u8]) -> Chunk<'a> {
        Chunk { data, is_last: true, ..Chunk::default() }
    }

    /// Whether it is all of a stream.
    pub fn is_whole(self) -> bool {
        self.window.is_empty() && self.cuts.is_empty() && self.is_last
    }

    /// The data between the cuts, and whether each piece ends the stream. There is at least one,
    /// possibly empty.
    pub fn pieces(self) -> impl Iterator<Item = (&'a [u8], bool)> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain([self.data.len()]);
        starts
            .zip(ends)
            .enumerate()
            .map(move |(i, (start, end))| (&self.data[start..end], self.is_last && i == self.cuts.len()))
    }
}
