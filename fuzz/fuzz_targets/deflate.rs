//! Levels 1 to 9: see [`rigz_fuzz::encoder`].

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rigz_fuzz::encoder::there_and_back(bytes, 1..=9));
