//! The decoder of `rigz::inflate` beside zlib-ng's: the same bytes, the same verdict, the same end,
//! however input and output are cut, for what encoders write, for made-up blocks, and for damage.

use rigz::backend::{self, Chunk, zlib_ng};
use rigz::inflate::{Decoder, Stop};

/// A small generator of numbers that are random enough (Knuth's multiplier).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A number less than `end`.
    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }
}

/// What becomes of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// `NeedsInput` if the stream is cut off.
    stop: Stop,
    /// Bytes of input to the stream's end; 0 if it has none.
    consumed: usize,
    data: Vec<u8>,
}

fn by_zlib(packed: &[u8]) -> Outcome {
    let (mut decoder, mut data, mut at) = (zlib_ng::Decoder::new(), Vec::with_capacity(1 << 12), 0);
    loop {
        let step = decoder.decode(&packed[at..], &mut data);
        at += step.consumed;
        let (stop, consumed) = match step.stop {
            zlib_ng::Stop::End => (Stop::End, at),
            zlib_ng::Stop::Violated => (Stop::Violated, 0),
            zlib_ng::Stop::Pause if data.len() == data.capacity() => {
                data.reserve(1 << 16);
                continue;
            }
            zlib_ng::Stop::Pause => (Stop::NeedsInput, 0),
        };
        return Outcome { stop, consumed, data };
    }
}

/// Decodes in steps; `cut` says how much input and how much room each gets at most.
fn in_steps(packed: &[u8], mut cut: impl FnMut() -> (usize, usize)) -> Outcome {
    let (mut decoder, mut data, mut at, mut garbage) = (Decoder::new(), Vec::new(), 0, 0u8);
    let mut idle = 0;
    loop {
        let (input_len, room) = cut();
        let input = &packed[at..packed.len().min(at + input_len)];
        // Only the window is there, and the room is full of something else each time.
        let window_len = decoder.window_len();
        let mut buf = data[data.len() - window_len..].to_vec();
        garbage = garbage.wrapping_add(101);
        buf.resize(window_len + room, garbage);
        let step = decoder.decode(input, &mut buf, window_len);
        assert!(step.consumed <= input.len());
        data.extend_from_slice(&buf[window_len..step.out_pos]);
        at += step.consumed;
        assert!(decoder.pos() <= 8 * at as u64 && decoder.pos() + 64 > 8 * at as u64);
        idle = if step.consumed == 0 && step.out_pos == window_len { idle + 1 } else { 0 };
        let (stop, consumed) = match step.stop {
            Stop::End => (Stop::End, at),
            Stop::Violated => (Stop::Violated, 0),
            Stop::Block => panic!("nobody wants to know"),
            Stop::NeedsRoom => {
                assert!(step.out_pos == buf.len() && idle < 1000);
                continue;
            }
            Stop::NeedsInput => {
                assert!(step.consumed == input.len() && idle < 1000);
                if at < packed.len() {
                    continue;
                }
                (Stop::NeedsInput, 0)
            }
        };
        assert_eq!(decoder.decode(&packed[at..], &mut buf, step.out_pos).stop, stop, "said again");
        return Outcome { stop, consumed, data };
    }
}

fn at_once(packed: &[u8]) -> Outcome {
    in_steps(packed, || (usize::MAX >> 1, 1 << 20))
}

/// Compares all cuttings with zlib-ng, whose outcome it returns.
fn same_as_zlib(packed: &[u8], what: &str) -> Outcome {
    let expected = by_zlib(packed);
    let check = |outcome: Outcome, cutting: &str| {
        assert!(
            outcome == expected,
            "{what}, {cutting}: {:?} after {} and {} bytes, zlib: {:?} after {} and {} bytes",
            outcome.stop,
            outcome.consumed,
            outcome.data.len(),
            expected.stop,
            expected.consumed,
            expected.data.len(),
        );
    };
    check(at_once(packed), "at once");
    if expected.data.len() <= 3000 {
        check(in_steps(packed, || (1, 1 << 14)), "byte for byte in");
        check(in_steps(packed, || (1 << 14, 1)), "byte for byte out");
        check(in_steps(packed, || (1, 1)), "byte for byte");
    }
    let mut random = Random(packed.len() as u64);
    check(in_steps(packed, || (random.below(900), 1 + random.below(70_000))), "random cuts");
    if expected.data.len() <= 40_000 {
        check(in_steps(packed, || (random.below(40), random.below(400))), "short random cuts");
    }
    expected
}

/// Kinds of data, each of any length.
const KINDS: [&str; 7] = ["zeros", "text", "random", "records", "steep", "far", "runs"];

fn data(kind: &str, len: usize) -> Vec<u8> {
    let mut random = Random(len as u64);
    let mut data = Vec::with_capacity(len + 400);
    while data.len() < len {
        match kind {
            "zeros" => data.resize(len, 0),
            "text" => {
                const WORDS: [&str; 8] =
                    ["of ", "the ", "window, ", "and a ", "block\n", "codeword ", "is ", "17 "];
                data.extend_from_slice(WORDS[random.below(8).min(random.below(8))].as_bytes());
                if random.below(9) == 0 {
                    data.push(random.below(256) as u8);
                }
            }
            "random" => data.push(random.below(256) as u8),
            "records" => {
                let i = data.len() as u32;
                data.extend_from_slice(&[
                    1,
                    0,
                    0,
                    (i >> 6) as u8,
                    (i >> 14) as u8,
                    random.below(3) as u8,
                    9,
                    9,
                ]);
            }
            // The more of one byte, the fewer of the next: the longest codewords there can be.
            "steep" => data.push((random.next() | 1 << 27).trailing_zeros() as u8 * 7),
            "far" => {
                let back =
                    if data.len() < 300 { 0 } else { 200 + random.below(data.len().min(32_768) - 200) };
                let from = data.len() - back;
                data.extend_from_within(from..from + back.min(3 + random.below(300)).min(data.len() - from));
                data.push(random.below(256) as u8);
            }
            _ => data.resize(data.len() + random.below(600), random.below(256) as u8),
        }
    }
    data.truncate(len);
    data
}

/// `data` by every encoder there is; with a name each.
fn encodings(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for level in 0..=12 {
        let mut out = Vec::new();
        backend::libdeflate::encode(level, data, &mut out);
        all.push((format!("libdeflate {level}"), out));
    }
    let tunings = (1..=9).map(zlib_ng::Tuning::level);
    let others = [zlib_ng::Strategy::Rle, zlib_ng::Strategy::HuffmanOnly];
    let others = others.map(|strategy| zlib_ng::Tuning { level: 6, strategy });
    for tuning in tunings.chain(others) {
        let mut out = Vec::new();
        let cuts: Vec<usize> = (1..data.len()).step_by(50_000).collect();
        zlib_ng::encode(tuning, Chunk { cuts: &cuts, ..Chunk::whole(data) }, &mut out);
        all.push((format!("zlib-ng {tuning:?}"), out));
    }
    let mut out = Vec::new();
    backend::stored::encode(Chunk::whole(data), &mut out);
    all.push(("stored".into(), out));
    if data.len() <= backend::fixed::MAX_LEN {
        let mut out = Vec::new();
        backend::fixed::encode(data, &mut out);
        all.push(("fixed".into(), out));
    }
    if data.len() <= 4000 {
        let mut out = Vec::new();
        let tuning = backend::zopfli::Tuning { iterations: 1, ..Default::default() };
        backend::zopfli::encode(tuning, Chunk::whole(data), &mut out);
        all.push(("zopfli".into(), out));
    }
    all
}

#[test]
fn what_any_encoder_writes_comes_back() {
    for kind in KINDS {
        for len in [0, 1, 2, 3, 10, 300, 1000, 4000, 32_768, 32_769, 150_000, 700_000] {
            let data = data(kind, len);
            for (name, packed) in encodings(&data) {
                let what = format!("{len} bytes of {kind} by {name}");
                let outcome = same_as_zlib(&[&packed[..], b"trailer"].concat(), &what);
                assert!(outcome.stop == Stop::End && outcome.consumed == packed.len(), "{what}");
                assert!(outcome.data == data, "{what}");
            }
        }
    }
}
