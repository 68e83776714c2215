//! Any data at any level, in chunks of any length: they come back, and the number of threads does
//! not show.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rigz::engine::Threads;
use rigz::engine::compress::{Source, compress};
use rigz::format::gzip::NewHeader;
use rigz::io::input::Input;
use rigz::plan::level::{Level, Recipe};
use rigz_fuzz::{Dribble, decompressed};

fn packed(data: &[u8], recipe: &Recipe, threads: usize) -> Vec<u8> {
    let (mut reader, mut out) = (Dribble::new(data), Vec::new());
    let (source, threads) = (Source::Stream(&mut reader), Threads::new(Some(threads)));
    compress(source, &mut out, recipe, &NewHeader::default(), &threads).expect("nothing can fail");
    out
}

fuzz_target!(|bytes: &[u8]| {
    let [kind, len, data @ ..] = bytes else { return };
    let level = Level::new(kind % 10).expect("0 to 9");
    // Chunks far shorter than a user can ask for, so that short data have several.
    let recipe = match kind / 10 % 3 {
        0 => Recipe::new(level, None),
        1 => Recipe::new(level, Some(97 + 16 * usize::from(*len))),
        _ => Recipe::bgzf(level),
    };
    let file = packed(data, &recipe, 1);
    assert!(file == packed(data, &recipe, 2));
    let (back, totals) = decompressed(&mut Input::from_slice(&file), 2, data.len());
    assert!(back == data && totals.is_ok_and(|totals| totals.read == file.len() as u64));
});
