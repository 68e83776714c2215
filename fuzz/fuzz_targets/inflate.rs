//! Any bytes as raw DEFLATE: rigz's decoder and zlib-ng's agree on data, verdict and end, however
//! input and output are cut; and the decoder takes what the block finder finds, which is the same by all of
//! its kernels.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rigz::inflate::find::kernels;

#[path = "../../tests/support/inflate.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| {
    support::same_as_zlib(bytes, "the input");
    let (_, portable) = kernels().last().expect("one at least");
    for from in [0, 3, 8 * bytes.len() as u64 / 2] {
        let found = portable(bytes, from, u64::MAX);
        for (name, kernel) in kernels() {
            assert_eq!(kernel(bytes, from, u64::MAX), found, "{name}, from {from}");
        }
        if let Some(pos) = found {
            assert!(support::is_header(bytes, pos));
        }
    }
});
