//! zlib-ng: encoding of streams that are primed with the window before them, and decoding in
//! bounded memory (through flate2).

use flate2::{Decompress, FlushDecompress, Status};

mod encode;

pub use crate::deflate::{Strategy, Tuning};
pub use encode::encode;

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
    use crate::backend::Chunk;

    /// `data` after `window`, by `tuning`.
    fn encode_chunk(tuning: Tuning, window: &[u8], data: &[u8], is_last: bool, out: &mut Vec<u8>) {
        encode(tuning, Chunk { window, data, cuts: &[], is_last }, out);
    }

    /// Every level, and every strategy at one.
    fn tunings() -> impl Iterator<Item = Tuning> {
        let others = [Strategy::Rle, Strategy::HuffmanOnly].map(|strategy| Tuning { level: 6, strategy });
        (1..=9).map(Tuning::level).chain(others)
    }

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
        for tuning in tunings() {
            for cut in [0, 1, 32_768, 100_000, 150_000] {
                let mut packed = Vec::new();
                encode_chunk(tuning, &[], &data[..cut], false, &mut packed);
                encode_chunk(tuning, &data[cut.saturating_sub(32_768)..cut], &data[cut..], true, &mut packed);
                assert!(decode_all(&packed, 1000) == data, "{tuning:?}, cut {cut}");
            }
        }
    }

    #[test]
    fn pieces_between_cuts_begin_on_byte_boundaries_with_a_block() {
        let data: Vec<u8> = (0..150_000u32).map(|i| (i % 97 * (i >> 11)) as u8).collect();
        for tuning in tunings() {
            let (mut whole, mut first) = (Vec::new(), Vec::new());
            encode(
                tuning,
                Chunk { window: &[], data: &data, cuts: &[10, 50_000], is_last: true },
                &mut whole,
            );
            encode(
                tuning,
                Chunk { window: &[], data: &data[..50_000], cuts: &[10], is_last: false },
                &mut first,
            );
            assert!(whole.starts_with(&first) && first.ends_with(&[0, 0, 0xff, 0xff]), "{tuning:?}");
            assert!(decode_all(&whole, 1000) == data, "{tuning:?}");
        }
    }

    #[test]
    fn outputs_larger_than_their_first_reservation_are_complete() {
        let data = vec![7; 3 << 20];
        let cuts: Vec<usize> = (1..data.len()).step_by(3).collect();
        let mut packed = Vec::new();
        encode(Tuning::level(1), Chunk { window: &[], data: &data, cuts: &cuts, is_last: true }, &mut packed);
        assert!(packed.len() > data.len() && decode_all(&packed, 1 << 20) == data);
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
        encode_chunk(Tuning::level(9), &[], &data, true, &mut packed);
        assert!(packed.len() <= encode::bound(data.len()));
        assert!(decode_all(&packed, usize::MAX >> 1) == data);
    }

    #[test]
    fn bytes_do_not_depend_on_what_the_thread_did_before() {
        let text: Vec<u8> = (0..400_000u32).map(|i| (i % 61 * (i >> 9) % 97) as u8).collect();
        for tuning in tunings() {
            let mut first: Option<Vec<u8>> = None;
            for earlier in [0, 1, 3_000, 70_000, 300_000] {
                encode_chunk(tuning, &[], &text[..earlier], true, &mut Vec::new());
                let mut packed = Vec::new();
                encode_chunk(tuning, &[], &text[50_000..250_000], false, &mut packed);
                encode_chunk(tuning, &text[100_000..132_768], &text[132_768..300_000], true, &mut packed);
                assert!(*first.get_or_insert_with(|| packed.clone()) == packed, "{tuning:?} after {earlier}");
            }
        }
    }

    #[test]
    fn damage_keeps_the_good_prefix() {
        let mut packed = Vec::new();
        encode_chunk(Tuning::level(6), &[], b"the good prefix", false, &mut packed);
        packed.push(0b111);
        let mut out = Vec::with_capacity(100);
        assert_eq!(Decoder::new().decode(&packed, &mut out).stop, Stop::Violated);
        assert_eq!(out, b"the good prefix");
    }
}
