//! Levels 10 to 12, which take ten times as long: see [`rigz_fuzz::encoder`].

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rigz_fuzz::encoder::there_and_back(bytes, 10..=12));
