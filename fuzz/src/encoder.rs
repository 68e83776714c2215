//! Any data through our encoder, in chunks with windows and cuts: libdeflate, zlib-ng and our decoder give
//! them back, and neither kernels nor what an encoder did before show.

use std::ops::RangeInclusive;

use rigz::backend::libdeflate;
use rigz::backend::zlib_ng;
use rigz::cpu::{Cpu, limit_to};
use rigz::deflate::{Chunk, PADDING_LEN, Strategy, Tuning, encode};
use rigz::inflate::{Decoder, Stop};

/// How long repeats make the data: longer than two windows, as a chunk of two segments is.
const MAX_LEN: usize = 80_000;
/// The same for one kind, beyond several segments.
const MAX_LONG_LEN: usize = 1 << 20;
/// That kind.
const LONG: u8 = 0xf7;

/// `data` in chunks of `len` bytes.
fn packed(data: &[u8], tuning: Tuning, len: usize, has_cuts: bool) -> Vec<u8> {
    let mut packed = Vec::new();
    let padded = [data, &[0; PADDING_LEN]].concat();
    for start in (0..data.len().max(1)).step_by(len) {
        let (end, from) = (data.len().min(start + len), start.saturating_sub(32 << 10));
        let cut = (end - start) / 2;
        let chunk = Chunk {
            // What is behind the data is looked at, so it has to be the same: here it is what comes next.
            buf: &padded[from..end + PADDING_LEN],
            data: start - from..end - from,
            cuts: if has_cuts && cut > 0 { &[cut] } else { &[] },
            is_last: end == data.len(),
        };
        encode(tuning, &chunk, &mut packed);
    }
    packed
}

/// Encodes what `bytes` say at one of `levels`, by two kinds of kernels, and decodes it.
pub fn there_and_back(bytes: &[u8], levels: RangeInclusive<u8>) {
    let [level, kind, len, repeats, data @ ..] = bytes else { return };
    let (first, count) = (*levels.start(), levels.end() - levels.start() + 1);
    let strategy = match kind % 8 {
        6 => Strategy::Rle,
        7 => Strategy::HuffmanOnly,
        _ => Strategy::Usual,
    };
    let tuning = Tuning { level: first + level % count, strategy };
    let others = Cpu::ALL[usize::from(level / count) % Cpu::ALL.len()];
    // A few bytes go a long way: what is far apart has to be found, too.
    let count = if kind & 16 != 0 { 1 + usize::from(*repeats) } else { 1 };
    let max_len = if *kind == LONG { MAX_LONG_LEN } else { MAX_LEN };
    let data = data.repeat(count.min(max_len.div_ceil(data.len().max(1))));
    // Not too many chunks: each has a window to look at.
    let len =
        if kind & 32 != 0 { (1 + 97 * usize::from(*len)).max(data.len() / 8) } else { data.len().max(1) };
    let [stream, same] = [Cpu::ALL[0], others].map(|cpu| {
        limit_to(cpu);
        packed(&data, tuning, len, kind & 64 != 0)
    });
    assert!(stream == same, "{others:?}");
    let mut out = vec![0; data.len()];
    let done = libdeflate::Inflated::Done { consumed: stream.len(), produced: data.len() };
    assert_eq!(libdeflate::inflate(&stream, &mut out), done);
    assert!(out == data);
    let mut out = Vec::with_capacity(data.len() + 1);
    let step = zlib_ng::Decoder::new().decode(&stream, &mut out);
    assert_eq!((step.consumed, step.stop), (stream.len(), zlib_ng::Stop::End));
    assert!(out == data);
    let mut out = vec![0; data.len()];
    let step = Decoder::new().decode(&stream, &mut out, 0);
    assert_eq!((step.consumed, step.out_pos, step.stop), (stream.len(), data.len(), Stop::End));
    assert!(out == data);
}
