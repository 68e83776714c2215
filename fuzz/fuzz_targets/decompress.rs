//! Any bytes as a compressed file: every number of threads and every cutting gives the same data
//! and the same verdict.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rigz::io::input::Input;
use rigz_fuzz::{Dribble, decompressed};

/// The most that is written, in bytes.
const LIMIT: usize = 64 << 20;

fuzz_target!(|bytes: &[u8]| {
    let one = decompressed(&mut Input::from_slice(bytes), 1, LIMIT);
    assert!(one == decompressed(&mut Input::from_slice(bytes), 2, LIMIT));
    assert!(one == decompressed(&mut Input::from_reader(&mut Dribble::new(bytes)), 1, LIMIT));
});
