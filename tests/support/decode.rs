//! Decoding by the library, in each way that must not matter.

use std::io::{self, Read};

use rigz::engine::Threads;
use rigz::engine::decompress::{Settings, Totals, decompress};
use rigz::io::input::Input;

use super::data::Numbers;

/// What decoding gives: all output that was written, and totals or error as text.
pub(crate) type Outcome = (Vec<u8>, Result<Totals, String>);

/// Decodes from memory and from streams, by one thread and by several, and returns what all agree on.
#[track_caller]
pub(crate) fn decode(file: &[u8]) -> Outcome {
    decode_as(file, false, true)
}

/// The same with settings.
#[track_caller]
pub(crate) fn decode_as(file: &[u8], leaves_tail: bool, reads_zlib: bool) -> Outcome {
    let decode = |mut input: Input<'_>, threads| {
        let mut out = Vec::new();
        let threads = Threads::new(Some(threads));
        let settings = Settings { threads: &threads, leaves_tail, reads_zlib };
        let result = decompress(&mut input, Some(&mut out), settings);
        (out, result.map_err(|error| error.lines("x").join("\n")))
    };
    let expected = decode(Input::from_slice(file), 1);
    for threads in [2, 3, 8] {
        let actual = decode(Input::from_slice(file), threads);
        assert_eq!(actual.1, expected.1, "{threads} threads");
        assert!(actual.0 == expected.0, "{threads} threads");
    }
    for threads in [1, 2, 8] {
        // One by one takes too long for many.
        let least = if file.len() < 20_000 { 1 } else { 500 };
        for max_len in [least, 700, usize::MAX] {
            let mut reader = Dribble { bytes: file, max_len, numbers: Numbers(file.len() as u64) };
            let actual = decode(Input::from_reader(&mut reader), threads);
            assert_eq!(actual.1, expected.1, "{threads} threads, {max_len} bytes at a time");
            assert!(actual.0 == expected.0, "{threads} threads, {max_len} bytes at a time");
        }
    }
    expected
}

/// Gives a few bytes at a time.
struct Dribble<'a> {
    bytes: &'a [u8],
    max_len: usize,
    numbers: Numbers,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let max_len = self.max_len.min(buf.len()).min(self.bytes.len());
        let len = max_len.min(1 + self.numbers.below(max_len.max(1)));
        buf[..len].copy_from_slice(&self.bytes[..len]);
        self.bytes = &self.bytes[len..];
        Ok(len)
    }
}
