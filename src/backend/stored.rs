//! Stored blocks (RFC 1951 §3.2.4): level 0.

use super::Chunk;
use crate::format::stored::{HEADER_LEN, MAX_DATA_LEN, blocks, header};

/// Appends `chunk` to `out` as stored blocks. The last block carries the final bit if the stream
/// ends there.
///
/// Blocks begin and end on byte boundaries, so the outputs for neighbouring chunks can simply be
/// joined. An empty chunk that is not the last one gives no bytes.
pub fn encode(chunk: Chunk<'_>, out: &mut Vec<u8>) {
    out.reserve(chunk.data.len() + HEADER_LEN * (chunk.data.len() / MAX_DATA_LEN + chunk.cuts.len() + 1));
    for (piece, is_last) in chunk.pieces() {
        if is_last && piece.is_empty() {
            out.extend_from_slice(&header(0, true));
        }
        for (header, data) in blocks(piece, is_last) {
            out.extend_from_slice(&header);
            out.extend_from_slice(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate::{self, Inflated};

    fn round_trip(data: &[u8], cut: usize) {
        let mut packed = Vec::new();
        encode(Chunk { data: &data[..cut], ..Chunk::default() }, &mut packed);
        let cuts = [1, (data.len() - cut).saturating_sub(1)];
        let cuts = if data.len() - cut > 2 { &cuts[..] } else { &[] };
        encode(Chunk { cuts, ..Chunk::whole(&data[cut..]) }, &mut packed);
        let mut out = vec![0; data.len()];
        let packed_len = packed.len();
        assert_eq!(
            libdeflate::inflate(&packed, &mut out),
            Inflated::Done { consumed: packed_len, produced: data.len() }
        );
        assert!(out == data);
    }

    #[test]
    fn chunks_join_to_one_stream() {
        let data: Vec<u8> = (0..200_000u32).map(|i| (i >> 3) as u8).collect();
        for cut in [0, 1, 65_534, 65_535, 65_536, 131_070, 200_000] {
            round_trip(&data, cut);
        }
        round_trip(b"", 0);
    }
}
