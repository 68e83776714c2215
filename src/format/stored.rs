//! Stored blocks on byte boundaries (RFC 1951 §3.2.4): a header of five bytes, then data as they are.
//!
//! They say their own lengths and look back to nothing, so a reader gets from one to the next without
//! decoding either.

/// Length of a block's header on a byte boundary, in bytes.
pub const HEADER_LEN: usize = 5;
/// The most data that one block holds, in bytes: its length field has 16 bits.
pub const MAX_DATA_LEN: usize = 0xffff;

/// The header of a block with `data_len` bytes.
///
/// # Panics
/// If these are more than [`MAX_DATA_LEN`].
pub fn header(data_len: usize, is_final: bool) -> [u8; HEADER_LEN] {
    let len = u16::try_from(data_len).expect("a stored block's length has 16 bits");
    let ([a, b], [c, d]) = (len.to_le_bytes(), (!len).to_le_bytes());
    [u8::from(is_final), a, b, c, d]
}

/// The blocks that hold `data`: header and data of each. None if there are no data.
pub fn blocks(data: &[u8], is_final: bool) -> impl Iterator<Item = ([u8; HEADER_LEN], &[u8])> {
    let count = data.len().div_ceil(MAX_DATA_LEN);
    let blocks = data.chunks(MAX_DATA_LEN).zip(1..);
    blocks.map(move |(block, number)| (header(block.len(), is_final && number == count), block))
}

/// Stored blocks in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Bytes of all blocks, headers included.
    pub packed_len: usize,
    /// Bytes of data in them.
    pub data_len: usize,
    /// Whether the last of them is the stream's last block.
    pub is_final: bool,
}

impl Run {
    /// Goes on over what is next, of which `bytes` are the first: true, and the run is longer, if these begin with the
    /// header of a block. Its data need not be there. All bits before the length must be as [`header`] has them.
    pub fn extend(&mut self, bytes: &[u8]) -> bool {
        let Some(found) = bytes.first_chunk().filter(|_| !self.is_final) else { return false };
        let data_len = usize::from(u16::from_le_bytes([found[1], found[2]]));
        let is_final = found[0] == 1;
        if *found != header(data_len, is_final) {
            return false;
        }
        self.packed_len += HEADER_LEN + data_len;
        self.data_len += data_len;
        self.is_final = is_final;
        true
    }
}

/// Whether `bytes` are whole stored blocks and nothing else, if there are bytes.
pub fn are_blocks(bytes: &[u8]) -> bool {
    let mut run = Run::default();
    while bytes.get(run.packed_len..).is_some_and(|rest| run.extend(rest)) {}
    run.packed_len == bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{self, Chunk};

    fn blocks(data: &[u8], is_last: bool) -> Vec<u8> {
        let mut packed = Vec::new();
        backend::stored::encode(Chunk { data, is_last, ..Chunk::default() }, &mut packed);
        packed
    }

    #[test]
    fn a_run_ends_with_the_last_block() {
        let data = vec![7; 200_000];
        let packed = [blocks(&data, false), blocks(b"end", true), blocks(b"behind", true)].concat();
        let mut run = Run::default();
        while packed.get(run.packed_len..).is_some_and(|rest| run.extend(rest)) {}
        assert_eq!(run, Run { packed_len: 200_000 + 4 * 5 + 5 + 3, data_len: 200_003, is_final: true });
    }

    #[test]
    fn only_whole_blocks_are_blocks() {
        let packed = blocks(&[7; 70_000], false);
        assert!(are_blocks(b"") && are_blocks(&packed) && are_blocks(&blocks(b"", true)));
        for cut in [1, 4, 5, 65_540, 65_541, packed.len() - 1] {
            assert_eq!(are_blocks(&packed[..cut]), cut == 65_540, "{cut}");
        }
        for bit in 0..8 * HEADER_LEN {
            let mut packed = packed.clone();
            packed[bit / 8] ^= 1 << (bit % 8);
            assert!(!are_blocks(&packed), "bit {bit}");
        }
    }
}
