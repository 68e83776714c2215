//! DEFLATE streams with seek marks, made of pieces by several encoders.

use rigz::backend::zlib_ng::{self, Tuning};
use rigz::backend::{Chunk, fixed, stored};
use rigz::checksum::{adler32, crc32};
use rigz::format::gzip::Trailer;
use rigz::format::mark::Mark;

/// An empty stored block that is not the last one, on a byte boundary.
pub(crate) const EMPTY_STORED: [u8; 5] = [0, 0, 0, 0xff, 0xff];
/// A gzip header without any field.
pub(crate) const HEADER: [u8; 10] = *b"\x1f\x8b\x08\0\0\0\0\0\0\xff";

/// A group: its data, and the blocks that decode to them.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) data: Vec<u8>,
    pub(crate) packed: Vec<u8>,
    /// What is written before it.
    pub(crate) mark: Vec<u8>,
}

impl Group {
    pub(crate) fn new(data: &[u8], packed: Vec<u8>) -> Group {
        let mark = Mark { packed_len: packed.len() as u32, data_len: data.len() as u32 };
        Group { data: data.to_vec(), packed, mark: mark.to_bytes().to_vec() }
    }
}

/// `data` in groups of `group_len` bytes, by zlib-ng at one level and another, and, one in five each, as
/// stored blocks and with byte boundaries inside.
pub(crate) fn groups(data: &[u8], group_len: usize) -> Vec<Group> {
    let count = data.len().div_ceil(group_len);
    let group = |(i, data): (usize, &[u8])| {
        let (mut packed, middle) = (Vec::new(), [data.len() / 2]);
        let cuts = if i % 5 == 3 && data.len() > 1 { &middle[..] } else { &[] };
        let chunk = Chunk { window: &[], data, cuts, is_last: i + 1 == count };
        match i % 5 {
            1 => stored::encode(chunk, &mut packed),
            _ => zlib_ng::encode(Tuning::level(1 + (5 * i % 9) as u8), chunk, &mut packed),
        }
        Group::new(data, packed)
    };
    data.chunks(group_len).enumerate().map(group).collect()
}

/// A group that ends the stream with `data`.
pub(crate) fn last_group(data: &[u8]) -> Group {
    let mut packed = Vec::new();
    fixed::encode(data, &mut packed);
    Group::new(data, packed)
}

/// The stream.
pub(crate) fn stream(groups: &[Group]) -> Vec<u8> {
    groups.iter().flat_map(|group| [&group.mark[..], &group.packed].concat()).collect()
}

/// What it decodes to.
pub(crate) fn data(groups: &[Group]) -> Vec<u8> {
    groups.iter().flat_map(|group| group.data.clone()).collect()
}

/// A gzip member with the stream.
pub(crate) fn member(groups: &[Group]) -> Vec<u8> {
    let mut member = [&HEADER[..], &stream(groups)].concat();
    let data = data(groups);
    Trailer::new(crc32(&data), data.len() as u64).write(&mut member);
    member
}

/// A zlib stream with it.
pub(crate) fn zlib(groups: &[Group]) -> Vec<u8> {
    [&b"\x78\x9c"[..], &stream(groups), &adler32(&data(groups)).to_be_bytes()].concat()
}
