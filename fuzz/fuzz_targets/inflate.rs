//! Any bytes as raw DEFLATE: rigz's decoder and zlib-ng's agree on data, verdict and end, however
//! input and output are cut; and the decoder takes what the block finder finds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rigz::inflate::find;

#[path = "../../tests/support/inflate.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| {
    support::same_as_zlib(bytes, "the input");
    if let Some(pos) = find(bytes, 0, u64::MAX) {
        assert!(support::is_header(bytes, pos));
    }
});
