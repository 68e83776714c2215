//! Zopfli, for those who tell it what to do.
//!
//! The crate can neither prime an encoder nor end without ending the stream. So window and data go
//! through one encoder, one behind the other, and [`super::blocks`] takes the data's blocks out of
//! what comes: the encoder begins a block with each piece it is given.

use std::io::Write;
use std::num::NonZeroU64;

use zopfli::{BlockType, DeflateEncoder, Options};

use super::{Chunk, blocks, stored};

/// What Zopfli is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How often a block's parse is improved; 0 counts as 1.
    pub iterations: u32,
    /// The most blocks that a chunk is split into; 1 for none, 0 for no limit.
    pub max_splits: u16,
}

impl Default for Tuning {
    /// What Zopfli's authors chose.
    fn default() -> Tuning {
        Tuning { iterations: 15, max_splits: 15 }
    }
}

/// Appends `chunk` to `out` as raw DEFLATE. At cuts, and at the end unless the stream ends there,
/// output comes to a byte boundary by an empty stored block.
pub fn encode(tuning: Tuning, chunk: Chunk<'_>, out: &mut Vec<u8>) {
    if chunk.data.is_empty() {
        return stored::encode(chunk, out);
    }
    let options = Options {
        iteration_count: NonZeroU64::new(tuning.iterations.into()).unwrap_or(NonZeroU64::MIN),
        maximum_block_splits: tuning.max_splits,
        ..Options::default()
    };
    let packed = pack(options, chunk).expect("writing to memory cannot fail");
    let ends: Vec<usize> =
        chunk.cuts.iter().chain([&chunk.data.len()]).map(|cut| chunk.window.len() + cut).collect();
    blocks::copy(&packed, chunk.window.len(), &ends, chunk.is_last, out);
}

/// Window and data as one complete stream.
fn pack(options: Options, chunk: Chunk<'_>) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(options, BlockType::Dynamic, Vec::new());
    if !chunk.window.is_empty() {
        encoder.write_all(chunk.window)?;
    }
    for (piece, _) in chunk.pieces() {
        encoder.write_all(piece)?;
    }
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};

    fn text(len: usize) -> Vec<u8> {
        (0..len as u32).map(|i| (i % 97 * (i >> 11)) as u8).collect()
    }

    #[test]
    fn primed_chunks_with_cuts_join_to_one_stream() {
        let data = text(60_000);
        let tuning = Tuning { iterations: 1, ..Tuning::default() };
        for cut in [0, 1, 100, 32_768, 59_999, 60_000] {
            let first = &data[..cut];
            let window = &first[cut.saturating_sub(32_768)..];
            let rest = &data[cut..];
            let inner = if rest.len() > 20_000 { &[1, 20_000][..] } else { &[] };
            let mut packed = Vec::new();
            encode(tuning, Chunk { data: first, ..Chunk::default() }, &mut packed);
            encode(tuning, Chunk { window, data: rest, cuts: inner, is_last: true }, &mut packed);
            let mut out = vec![0; data.len()];
            let consumed = packed.len();
            assert_eq!(
                inflate(&packed, &mut out),
                Inflated::Done { consumed, produced: data.len() },
                "cut {cut}"
            );
            assert!(out == data, "cut {cut}");
        }
    }

    #[test]
    fn a_window_saves_what_it_holds() {
        let data: Vec<u8> = (0..30_000u64).map(|i| (i.wrapping_mul(i) >> 5) as u8).collect();
        let packed_len = |window| {
            let mut out = Vec::new();
            encode(Tuning::default(), Chunk { window, data: &data, cuts: &[], is_last: true }, &mut out);
            out.len()
        };
        assert!(packed_len(&data) * 20 < packed_len(&[]));
    }
}
