//! zlib-ng, through flate2: streams that are primed with the window before them, and decoding
//! in bounded memory.
//!
//! Chunks that begin a stream use one compressor per thread and level, reset each time: a small
//! file then does not pay for ~300 KiB of state to be allocated and cleared. Primed chunks get a
//! new compressor. zlib-ng hashes four bytes at each of the dictionary's last positions, one of
//! them beyond its end, and a reset leaves there what the stream before had: the output would
//! depend on what the thread did earlier. In new memory the byte is cleared. On chunks of 128 KiB
//! and more the allocation cannot be measured (docs/notes/optimizations.md, row C2).

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The levels zlib-ng has, 0 to 9.
const LEVELS: usize = 10;

thread_local! {
    static COMPRESSORS: RefCell<[Option<Compress>; LEVELS]> = const { RefCell::new([const { None }; LEVELS]) };
}

/// Appends `data` to `out` as raw DEFLATE at `level` (1 to 9), with matches that may reach back
/// into `window` (at most 32 KiB, the bytes before `data`).
///
/// Ends on a byte boundary: with a sync flush (an empty stored block), or with the final block
/// if `is_last`.
pub fn encode(level: u8, window: &[u8], data: &[u8], is_last: bool, out: &mut Vec<u8>) {
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    if !window.is_empty() {
        let mut compressor = compressor(level);
        compressor.set_dictionary(window).expect("a new raw stream takes a dictionary");
        return run(&mut compressor, data, flush, out);
    }
    COMPRESSORS.with_borrow_mut(|compressors| {
        let cached = &mut compressors[usize::from(level)];
        if let Some(compressor) = cached {
            compressor.reset();
        }
        run(cached.get_or_insert_with(|| compressor(level)), data, flush, out);
    });
}

fn compressor(level: u8) -> Compress {
    Compress::new(Compression::new(u32::from(level)), false)
}

fn run(compressor: &mut Compress, data: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    out.reserve(bound(data.len()));
    let mut used = 0;
    loop {
        let before = compressor.total_in();
        let status =
            compressor.compress_vec(&data[used..], out, flush).expect("a consistent stream cannot fail");
        used += (compressor.total_in() - before) as usize;
        // Room left in the output means that the flush is complete.
        if status == Status::StreamEnd || (used == data.len() && out.len() < out.capacity()) {
            break;
        }
        out.reserve(bound(data.len() - used));
    }
}

/// Enough room for `len` bytes in practically all cases, so that one call does: data that do not
/// compress cost at most 5 bytes per 16 KiB block, and the flush a few more.
fn bound(len: usize) -> usize {
    len + len / 1024 + 64
}

/// One step of [`Decoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of input used.
    pub consumed: usize,
    /// What stopped the step.
    pub stop: Stop,
}

/// Why a step of [`Decoder::decode`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It needs more input or more room.
    Pause,
    /// The stream is complete.
    End,
    /// The data are damaged; what was decoded before the damage is in the output.
    Violated,
}

/// A resumable decoder of one raw DEFLATE stream.
pub struct Decoder(Decompress);

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Decoder {
        Decoder(Decompress::new(false))
    }

    /// Goes back to the start of a stream.
    pub fn reset(&mut self) {
        self.0.reset(false);
    }

    /// Decodes from `input` into the spare capacity of `out` until either is used up.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Step {
        let before = self.0.total_in();
        let result = self.0.decompress_vec(input, out, FlushDecompress::None);
        let consumed = (self.0.total_in() - before) as usize;
        let stop = match result {
            Ok(Status::StreamEnd) => Stop::End,
            Ok(Status::Ok | Status::BufError) => Stop::Pause,
            Err(_) => Stop::Violated,
        };
        Step { consumed, stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(packed: &[u8], step_len: usize) -> Vec<u8> {
        let (mut decoder, mut out, mut at) = (Decoder::new(), Vec::with_capacity(64), 0);
        loop {
            let end = (at + step_len).min(packed.len());
            let step = decoder.decode(&packed[at..end], &mut out);
            at += step.consumed;
            match step.stop {
                Stop::End => return out,
                Stop::Violated => panic!("violated at {at}"),
                Stop::Pause => out.reserve(64),
            }
        }
    }

    #[test]
    fn primed_chunks_join_to_one_stream() {
        let data: Vec<u8> = (0..150_000u32).map(|i| (i % 97 * (i >> 11)) as u8).collect();
        for level in 1..=9 {
            for cut in [0, 1, 32_768, 100_000, 150_000] {
                let mut packed = Vec::new();
                encode(level, &[], &data[..cut], false, &mut packed);
                encode(level, &data[cut.saturating_sub(32_768)..cut], &data[cut..], true, &mut packed);
                assert!(decode_all(&packed, 1000) == data, "level {level}, cut {cut}");
            }
        }
    }

    #[test]
    fn incompressible_data_fit_in_one_reservation() {
        let mut state = 1u64;
        let data: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(1 << 20)
        .collect();
        let mut packed = Vec::new();
        encode(9, &[], &data, true, &mut packed);
        assert!(packed.len() <= bound(data.len()));
        assert!(decode_all(&packed, usize::MAX >> 1) == data);
    }

    #[test]
    fn bytes_do_not_depend_on_what_the_thread_did_before() {
        let text: Vec<u8> = (0..400_000u32).map(|i| (i % 61 * (i >> 9) % 97) as u8).collect();
        for level in 1..=9 {
            let mut first: Option<Vec<u8>> = None;
            for earlier in [0, 1, 3_000, 70_000, 300_000] {
                encode(level, &[], &text[..earlier], true, &mut Vec::new());
                let mut packed = Vec::new();
                encode(level, &[], &text[50_000..250_000], false, &mut packed);
                encode(level, &text[100_000..132_768], &text[132_768..300_000], true, &mut packed);
                assert!(
                    *first.get_or_insert_with(|| packed.clone()) == packed,
                    "level {level} after {earlier}"
                );
            }
        }
    }

    #[test]
    fn damage_keeps_the_good_prefix() {
        let mut packed = Vec::new();
        encode(6, &[], b"the good prefix", false, &mut packed);
        packed.push(0b111);
        let mut out = Vec::with_capacity(100);
        assert_eq!(Decoder::new().decode(&packed, &mut out).stop, Stop::Violated);
        assert_eq!(out, b"the good prefix");
    }
}
