//! Any bytes as a stream of an old format: the same comes of them at once and in small pieces.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use rigz::error::Error;
use rigz::io::input::Input;
use rigz::legacy::{Decoded, Legacy};
use rigz_fuzz::{Bounded, Dribble};

fn decode(mut input: Input<'_>, format: Legacy) -> (Vec<u8>, Result<Decoded, String>) {
    let mut out = Bounded::new(1 << 20);
    let result = format.decode(&mut input, &mut |piece| out.write_all(piece).map_err(Error::Write));
    (out.bytes, result.map_err(|error| error.to_string()))
}

fuzz_target!(|bytes: &[u8]| {
    let Some(format) = Legacy::of(bytes) else { return };
    let whole = decode(Input::from_slice(bytes), format);
    if let Ok(decoded) = &whole.1 {
        assert!(decoded.written == whole.0.len() as u64 && decoded.read <= bytes.len() as u64);
    }
    assert!(whole == decode(Input::from_reader(&mut Dribble::new(bytes)), format));
});
