//! Which of two tunings a chunk gets: the encoders try a sample of it.

use crate::backend::{Chunk, libdeflate, zlib_ng};
use crate::plan::cuts::UNIT;

/// Shorter chunks are not probed: a sample of them would tell nothing.
const MIN_PROBED_LEN: usize = 2 * UNIT;

/// A piece from the middle of a chunk that is long enough.
fn sample(data: &[u8]) -> Option<&[u8]> {
    const MIN_LEN: usize = 16 << 10;
    (data.len() >= MIN_PROBED_LEN).then(|| &data[data.len() / 2..][..MIN_LEN.max(data.len() / 32)])
}

/// The length of what `encode` appends to `scratch`, which is left as it was.
fn packed_len(scratch: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = scratch.len();
    encode(scratch);
    let len = scratch.len() - start;
    scratch.truncate(start);
    len
}

/// Whether a sample of `data` shrinks to less than a fifth at libdeflate's fastest level.
pub(super) fn is_repetitive(data: &[u8], scratch: &mut Vec<u8>) -> bool {
    sample(data).is_some_and(|sample| {
        5 * packed_len(scratch, |out| libdeflate::encode(1, sample, out)) < sample.len()
    })
}

/// Whether `rival` makes a sample of `data` smaller than `usual` does.
pub(super) fn rival_wins(
    usual: zlib_ng::Tuning,
    rival: zlib_ng::Tuning,
    data: &[u8],
    scratch: &mut Vec<u8>,
) -> bool {
    sample(data).is_some_and(|sample| {
        let [usual, rival] = [usual, rival]
            .map(|tuning| packed_len(scratch, |out| zlib_ng::encode(tuning, Chunk::whole(sample), out)));
        rival < usual
    })
}
