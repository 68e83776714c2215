//! The engine in memory, one thread: what a level costs without files and processes.
//! `scripts/bench` measures whole runs beside other programs.
//!
//! usage: cargo bench

use std::path::Path;
use std::time::Duration;

use brunch::{Bench, Benches};
use rigz::engine::Threads;
use rigz::engine::compress::{Source, compress};
use rigz::engine::decompress::{Settings, decompress};
use rigz::format::gzip::NewHeader;
use rigz::io::input::Input;
use rigz::plan::level::Level;
use rigz::plan::recipe::{Format, Recipe, Strategy, Wanted};

/// This crate's own lock file and sources, over and over: text that every checkout has.
fn text() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files =
        ["Cargo.lock", "README.md", "src/cli/args.rs", "src/cli/operand.rs", "src/engine/compress.rs"];
    let once: Vec<u8> = files.iter().flat_map(|name| std::fs::read(root.join(name)).unwrap()).collect();
    once.into_iter().cycle().take(4 << 20).collect()
}

fn packed(data: &[u8], recipe: &Recipe) -> Vec<u8> {
    let (mut reader, mut out) = (data, Vec::new());
    let threads = Threads::new(Some(1));
    compress(Source::Stream(&mut reader), &mut out, recipe, &NewHeader::default(), &threads).unwrap();
    out
}

/// A bench of one job over [`text`]; few samples, since each takes milliseconds.
fn bench(name: String) -> Bench {
    Bench::new(name).with_samples(100).with_timeout(Duration::from_secs(10))
}

fn main() {
    let data = text();
    let threads = Threads::new(Some(1));
    let settings = Settings { threads: &threads, leaves_tail: false, reads_zlib: true };
    let mut benches = Benches::default();
    for number in [0, 1, 3, 6, 7, 9] {
        let recipe = Recipe::new(&Wanted { level: Level::new(number).unwrap(), ..Wanted::default() });
        benches.push(bench(format!("compress 4 MiB -{number}")).run(|| packed(&data, &recipe)));
    }
    let usual = Wanted::default();
    for (name, wanted) in [
        ("-z", Wanted { format: Format::Zlib, ..usual.clone() }),
        ("--rsyncable", Wanted { is_rsyncable: true, ..usual.clone() }),
        ("-H", Wanted { strategy: Strategy::HuffmanOnly, ..usual.clone() }),
        ("-U", Wanted { strategy: Strategy::Rle, ..usual }),
    ] {
        let recipe = Recipe::new(&wanted);
        benches.push(bench(format!("compress 4 MiB {name}")).run(|| packed(&data, &recipe)));
    }
    let level = Level::default();
    for (name, recipe) in [
        ("members", Recipe::new(&Wanted { level, ..Wanted::default() })),
        ("BGZF", Recipe::new(&Wanted { level, format: Format::Bgzf, ..Wanted::default() })),
        ("one member", Recipe::new(&Wanted { level: Level::DENSEST, ..Wanted::default() })),
    ] {
        let file = packed(&data, &recipe);
        let decode = || decompress(&mut Input::from_slice(&file), None, settings).unwrap();
        benches.push(bench(format!("decompress 4 MiB, {name}")).run(decode));
    }
    benches.finish();
}
