//! Any data at any level, in any format, in chunks of any length: they come back, and the number of
//! threads does not show.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rigz::engine::Threads;
use rigz::engine::compress::{Source, compress};
use rigz::format::gzip::NewHeader;
use rigz::io::input::Input;
use rigz::plan::level::Level;
use rigz::plan::recipe::{Format, Recipe, Strategy, Wanted};
use rigz_fuzz::{Dribble, decompressed};

fn packed(data: &[u8], recipe: &Recipe, threads: usize) -> Vec<u8> {
    let (mut reader, mut out) = (Dribble::new(data), Vec::new());
    let (source, threads) = (Source::Stream(&mut reader), Threads::new(Some(threads)));
    compress(source, &mut out, recipe, &NewHeader::default(), &threads).expect("nothing can fail");
    out
}

fuzz_target!(|bytes: &[u8]| {
    let [level, kind, len, data @ ..] = bytes else { return };
    let mut wanted = Wanted {
        level: Level::new(level % 13).filter(|level| *level != Level::ZOPFLI).unwrap_or_default(),
        ..Wanted::default()
    };
    // Level 11 takes so long that it gets few and short inputs.
    if *level == 255 && data.len() < 300 {
        wanted.level = Level::ZOPFLI;
        wanted.zopfli.iterations = 1;
    }
    wanted.format = [Format::Gzip, Format::Zlib, Format::Zip, Format::Bgzf][usize::from(kind % 4)];
    wanted.strategy = match kind / 4 % 8 {
        6 => Strategy::Rle,
        7 => Strategy::HuffmanOnly,
        _ => Strategy::Usual,
    };
    wanted.is_rsyncable = kind & 32 != 0;
    wanted.is_independent = kind & 64 != 0;
    // Chunks far shorter than a user can ask for, so that short data have several.
    wanted.block_len =
        (kind & 128 != 0 && wanted.format != Format::Bgzf).then(|| 97 + 16 * usize::from(*len));
    let recipe = Recipe::new(&wanted);
    let file = packed(data, &recipe, 1);
    assert!(file == packed(data, &recipe, 2));
    let (back, totals) = decompressed(&mut Input::from_slice(&file), 2, data.len());
    assert!(back == data && totals.is_ok_and(|totals| totals.written == data.len() as u64));
});
