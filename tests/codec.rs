//! Round trips: what rigz writes is read back by rigz and by others, byte for byte, and does not
//! depend on the number of threads or on how the data arrive.

mod support;

use std::collections::HashMap;
use std::io::{self, Read};

use proptest::prelude::*;
use rigz::engine::Threads;
use rigz::engine::compress::{Source, compress};
use rigz::engine::decompress::{Settings, decompress};
use rigz::format::gzip::NewHeader;
use rigz::io::input::Input;
use rigz::plan::level::Level;
use rigz::plan::recipe::{Format, Recipe, Strategy as Search, Wanted, ZopfliTuning};
use support::data::{self, Kind, Numbers};
use support::members::{Member, members};
use support::run::has_tool;
use support::{Scratch, assert_same, gunzip, rigz};

const KIB: usize = 1 << 10;
/// Chunks are whole numbers of this many bytes.
const UNIT: usize = 65_535;

/// Around the ends of chunks and of what counts as small; the last is many chunks long.
const LENS: [usize; 13] = [
    0,
    1,
    63,
    64,
    65,
    2 * UNIT - 1,
    2 * UNIT,
    2 * UNIT + 1,
    4 * UNIT,
    4 * UNIT + 1,
    8 * UNIT + 1,
    16 * UNIT + 1,
    39 * UNIT,
];

/// Above this an input has more than one chunk.
const FIRST_CHUNK_LEN: usize = 2 * UNIT;

/// Compresses the file `f` of `dir` in every way that must not matter.
fn compress_every_way(dir: &Scratch, args: &[&str], data: &[u8]) -> Vec<u8> {
    let by_file = |threads| {
        let args = [args, &["-nc", "-p", threads, "f"]].concat();
        dir.rigz(args).status(0).stderr("").into_stdout()
    };
    let by_pipe = |threads| {
        let args = [args, &["-nc", "-p", threads]].concat();
        dir.rigz(args).stdin(data).status(0).stderr("").into_stdout()
    };
    let packed = by_file("1");
    assert_same(&by_pipe("4"), &packed, "-p 4 by pipe");
    if data.len() > FIRST_CHUNK_LEN {
        assert_same(&by_file("2"), &packed, "-p 2 by file");
        assert_same(&by_pipe("1"), &packed, "-p 1 by pipe");
    }
    packed
}

/// Decodes `packed` in every way that must not matter.
fn decompress_every_way(dir: &Scratch, packed: &[u8], data: &[u8]) {
    dir.write("packed", packed);
    dir.rigz(["-dc", "-p1", "packed"]).status(0).stderr("").stdout(data);
    dir.rigz(["-dc", "-p2"]).stdin(packed).status(0).stderr("").stdout(data);
    dir.rigz(["-dc", "-p4"]).stdin_file(dir.path("packed")).status(0).stderr("").stdout(data);
    assert_same(&gunzip(packed), data, "by gzip");
}

/// Checks that there is one member, with no optional field.
fn check_member(level: &str, packed: &[u8]) {
    let members = members(packed);
    assert_eq!(members.len(), 1, "level {level}");
    assert_eq!((members[0].header[3], members[0].rz_len()), (0, None), "level {level}");
    check_fixed_fields(level, &members[0]);
}

fn check_fixed_fields(level: &str, member: &Member) {
    let xfl = match level {
        "-1" => 4,
        "-9" | "-10" | "-12" => 2,
        _ => 0,
    };
    assert_eq!(member.header[..3], [0x1f, 0x8b, 8]);
    assert_eq!(member.header[4..10], [0, 0, 0, 0, xfl, 3], "level {level}");
}

const LEVELS: [&str; 12] = ["-0", "-1", "-2", "-3", "-4", "-5", "-6", "-7", "-8", "-9", "-10", "-12"];

/// Long inputs take their time: one level for each container and engine will do for most kinds.
fn is_tried(kind: Kind, len: usize, level: &str) -> bool {
    if matches!(level, "-10" | "-12") {
        return len <= 4 * UNIT + 1;
    }
    kind == Kind::Text || len <= 8 * UNIT + 1 || matches!(level, "-0" | "-1" | "-6" | "-9")
}

fn every_len_and_level(kind: Kind) {
    for len in LENS {
        let data = kind.data(len);
        let dir = Scratch::with_file("f", &data);
        for level in LEVELS.into_iter().filter(|level| is_tried(kind, len, level)) {
            let packed = compress_every_way(&dir, &[level], &data);
            check_member(level, &packed);
            decompress_every_way(&dir, &packed, &data);
        }
    }
}

#[test]
fn text_round_trips_at_every_length_and_level() {
    every_len_and_level(Kind::Text);
}

#[test]
fn binary_data_round_trip_at_every_length_and_level() {
    every_len_and_level(Kind::Binary);
}

#[test]
fn zeros_round_trip_at_every_length_and_level() {
    every_len_and_level(Kind::Zeros);
}

#[test]
fn random_bytes_round_trip_at_every_length_and_level() {
    every_len_and_level(Kind::Random);
}

#[test]
fn compressed_data_round_trip_at_every_length_and_level() {
    every_len_and_level(Kind::Compressed);
}

#[test]
fn what_does_not_compress_hardly_grows() {
    for len in [0, 1, 64, 65, 1000, FIRST_CHUNK_LEN, 3000 * KIB] {
        let data = data::random(len, 9);
        for level in LEVELS {
            let packed_len = rigz(&["-n", level], &data).len();
            let limit = len + len / 1000 + 40;
            assert!(packed_len <= limit, "{len} bytes become {packed_len} at level {level}");
        }
    }
}

#[test]
fn usual_levels_give_no_larger_outputs_than_gzip() {
    for (kind, slack) in [(Kind::Text, 2), (Kind::Binary, 2), (Kind::Zeros, 100)] {
        let data = kind.data(3000 * KIB);
        // Level 1 trades size for speed; the others promise what gzip's users are used to.
        for level in ["-6", "-9"] {
            let gzip = Scratch::new().tool("gzip", ["-n", level]).stdin(&*data).status(0).out.len();
            let len = rigz(&["-n", level], &data).len();
            assert!(len <= gzip + gzip / 100 * slack, "{kind:?} {level}: {len} bytes, {gzip} by gzip");
        }
    }
}

#[test]
fn levels_have_names_and_a_default() {
    let data = data::text(300 * KIB);
    assert_same(&rigz(&["-n"], &data), &rigz(&["-n6"], &data), "the default is 6");
    assert_same(&rigz(&["-n", "--fast"], &data), &rigz(&["-n1"], &data), "--fast");
    assert_same(&rigz(&["-n", "--best"], &data), &rigz(&["-n9"], &data), "--best");
}

/// BGZF: every member says its length in the place that the specification gives, holds at most
/// 64 KiB, and the last one is the end marker.
fn check_bgzf(packed: &[u8]) {
    const EOF: &[u8] = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x1b\0\x03\0\0\0\0\0\0\0\0\0";
    assert!(packed.ends_with(EOF));
    let members = members(packed);
    for member in &members {
        assert!(member.len() <= 64 * KIB && member.data.len() <= 64 * KIB);
        assert_eq!(member.header[..4], [0x1f, 0x8b, 8, 4]);
        assert_eq!(member.header[10..16], *b"\x06\0BC\x02\0");
        assert_eq!(member.bc_len(), Some(member.len()));
    }
    let empty = members.iter().filter(|member| member.data.is_empty()).count();
    assert_eq!(empty, 1, "only the end marker is empty");
}

#[test]
fn bgzf_round_trips_at_every_level() {
    for kind in [Kind::Text, Kind::Zeros, Kind::Random] {
        for len in [0, 1, 64, 0xff00 - 1, 0xff00, 0xff00 + 1, 16 * 0xff00 + 1] {
            let data = kind.data(len);
            let dir = Scratch::with_file("f", &data);
            for level in LEVELS {
                let packed = compress_every_way(&dir, &["--bgzf", level], &data);
                check_bgzf(&packed);
                decompress_every_way(&dir, &packed, &data);
            }
        }
    }
}

#[test]
fn bgzf_is_what_other_tools_take_for_bgzf() {
    let data = data::text(1000 * KIB);
    let dir = Scratch::with_file("f", &data);
    dir.rigz(["--bgzf", "-k", "f"]).status(0).stdout("").stderr("");
    if has_tool("bgzip") {
        dir.tool("bgzip", ["-t", "f.gz"]).status(0);
        dir.tool("bgzip", ["-dc", "f.gz"]).status(0).stdout(&data);
        // Reads 10 bytes from the offset 500,000 by the lengths in the members.
        dir.tool("bgzip", ["-r", "f.gz"]).status(0);
        let part = &data[500_000..500_010];
        dir.tool("bgzip", ["-b", "500000", "-s", "10", "f.gz"]).status(0).stdout(part);
        let by_bgzip = dir.tool("bgzip", ["-c", "f"]).status(0).into_stdout();
        decompress_every_way(&dir, &by_bgzip, &data);
    }
}

#[test]
fn chunks_may_have_any_length() {
    for kind in [Kind::Text, Kind::Random, Kind::Zeros] {
        let data = kind.data(1500 * KIB);
        let dir = Scratch::with_file("f", &data);
        for level in ["-0", "-1", "-6", "-9"] {
            for block in ["32k", "100", "1m", "3M"] {
                let packed = compress_every_way(&dir, &["-b", block, level], &data);
                check_member(level, &packed);
                decompress_every_way(&dir, &packed, &data);
            }
        }
        let packed = compress_every_way(&dir, &["-b", "100", "--engine=libdeflate"], &data);
        assert_eq!(members(&packed)[0].data.len(), 100 * KIB);
    }
}

#[test]
fn engines_of_others_are_used_where_they_are_asked_for() {
    for len in [0, 1, 65, FIRST_CHUNK_LEN, FIRST_CHUNK_LEN + 1, 16 * UNIT + 1] {
        let data = Kind::Text.data(len);
        let dir = Scratch::with_file("f", &data);
        for level in &LEVELS[1..] {
            let of_rigz = compress_every_way(&dir, &[level, "--engine=rigz"], &data);
            for engine in ["--engine=libdeflate", "--engine=zlib-ng"] {
                let packed = compress_every_way(&dir, &[level, engine], &data);
                assert!(len < 100 || packed != of_rigz, "{engine} {level}");
                decompress_every_way(&dir, &packed, &data);
                if engine == "--engine=zlib-ng" || len <= FIRST_CHUNK_LEN {
                    check_member(level, &packed);
                    continue;
                }
                let members = members(&packed);
                assert!(members.len() > 1);
                for member in &members {
                    assert_eq!((member.header[3], member.rz_len()), (4, Some(member.len())), "level {level}");
                    check_fixed_fields(level, member);
                }
            }
        }
    }
    let dir = Scratch::with_file("f", b"data");
    dir.rigz(["--engine", "zopfli", "f"])
        .status(1)
        .stdout("")
        .stderr("rigz: invalid engine 'zopfli': there are auto, rigz, libdeflate, zlib-ng\n");
    assert_eq!(dir.names(), ["f"]);
}

#[test]
fn other_decoders_agree() {
    let data = data::binary(3000 * KIB);
    for level in ["-0", "-1", "-6", "-9", "--bgzf"] {
        let dir = Scratch::with_file("f.gz", &rigz(&["-n", level], &data));
        for tool in ["pigz", "igzip", "libdeflate-gzip"] {
            if has_tool(tool) {
                dir.tool(tool, ["-d", "-c", "f.gz"]).status(0).stdout(&data);
            }
        }
        if has_tool("7z") {
            dir.tool("7z", ["e", "-so", "f.gz"]).status(0).stdout(&data);
        }
        if has_tool("python3") {
            let script = "import gzip,sys; sys.stdout.buffer.write(gzip.open('f.gz').read())";
            dir.tool("python3", ["-c", script]).status(0).stdout(&data);
        }
    }
}

#[test]
fn rigz_reads_what_others_write() {
    let data = data::text(2000 * KIB);
    let dir = Scratch::with_file("f", &data);
    for (tool, levels) in [
        ("gzip", &["-1", "-6", "-9", "--rsyncable"][..]),
        ("pigz", &["-0", "-1", "-6", "-9", "-i", "-R"]),
        ("igzip", &["-0", "-1", "-3"]),
        ("libdeflate-gzip", &["-1", "-6", "-12"]),
    ] {
        if has_tool(tool) {
            for level in levels {
                let packed = dir.tool(tool, [level, "-c", "f"]).status(0).into_stdout();
                decompress_every_way(&dir, &packed, &data);
            }
        }
    }
}

#[test]
fn tiny_inputs_give_the_bytes_that_gzip_gives() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&rigz(&[], b"a")), "1f8b08000000000000034b040043beb7e801000000");
    assert_eq!(hex(&rigz(&[], b"")), "1f8b080000000000000303000000000000000000");
}

#[test]
fn standard_input_may_stand_in_the_middle_of_a_file() {
    let data = data::text(700 * KIB);
    for skipped in [1, 100_000, 600 * KIB, 700 * KIB] {
        let dir = Scratch::with_file("f", &data);
        // A subshell shares its standard input with what it runs; dd reads exactly that much.
        let skip = format!("dd bs={skipped} count=1 of=/dev/null 2>/dev/null");
        for threads in [1, 2] {
            let script = format!("({skip}; $R -p{threads} -n; cat) <f");
            let packed = dir.shell(&script).status(0).stderr("").into_stdout();
            assert_same(&gunzip(&packed), &data[skipped..], "the rest of the file");
        }
        let packed = [&data[..skipped], &rigz(&["-n"], &data)].concat();
        dir.write("x", &packed);
        dir.shell(&format!("({skip}; $R -dc; cat) <x")).status(0).stderr("").stdout(&data);
    }
}

#[test]
fn data_in_proc_are_compressed_although_their_length_is_said_to_be_zero() {
    let dir = Scratch::new();
    let packed = dir.rigz(["-c", "/proc/self/limits"]).status(0).stderr("").into_stdout();
    assert!(gunzip(&packed).starts_with(b"Limit"));
}

#[test]
fn four_gib_are_counted_in_full_and_checked_modulo_their_field() {
    let dir = Scratch::with_file("x.gz", &data::zeros_member(65 << 26));
    let listed = dir.rigz(["-l", "x.gz"]).status(0).stderr("").out_text();
    let expected = (65u64 << 26).to_string();
    assert_eq!(listed.lines().nth(1).unwrap().split_whitespace().nth(1), Some(&*expected), "{listed}");
}

#[test]
#[ignore = "takes two minutes"]
fn four_gib_of_holes_come_back() {
    let dir = Scratch::with_file("holes", b"");
    let holes = std::fs::File::options().write(true).open(dir.path("holes")).unwrap();
    holes.set_len((4 << 30) + 5).unwrap();
    for level in ["-1", "-9"] {
        dir.rigz([level, "-k", "holes"]).status(0).stdout("").stderr("");
        dir.shell("gzip -dc holes.gz | cmp - holes").status(0).stdout("").stderr("");
        dir.shell("$R -dc holes.gz | cmp - holes").status(0).stdout("").stderr("");
        std::fs::remove_file(dir.path("holes.gz")).unwrap();
    }
}

/// Gives as many bytes as it likes, at most a few thousand.
struct Fickle<'a> {
    bytes: &'a [u8],
    numbers: Numbers,
}

impl Read for Fickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.numbers.below(20) == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = if self.numbers.below(4) == 0 { 5 } else { 4000 };
        let len = (1 + self.numbers.below(most)).min(buf.len()).min(self.bytes.len());
        buf[..len].copy_from_slice(&self.bytes[..len]);
        self.bytes = &self.bytes[len..];
        Ok(len)
    }
}

fn fickle(bytes: &[u8], seed: u64) -> Fickle<'_> {
    Fickle { bytes, numbers: Numbers(seed) }
}

/// Compresses `data` as a stream cut at random.
fn packed_stream(data: &[u8], recipe: &Recipe, threads: usize, seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = fickle(data, seed);
    let threads = Threads::new(Some(threads));
    let totals =
        compress(Source::Stream(&mut reader), &mut out, recipe, &NewHeader::default(), &threads).unwrap();
    assert_eq!((totals.read, totals.written), (data.len() as u64, out.len() as u64));
    out
}

fn packed_file(data: &[u8], recipe: &Recipe, threads: usize) -> Vec<u8> {
    let dir = Scratch::with_file("f", data);
    let file = std::fs::File::open(dir.path("f")).unwrap();
    let source = Source::File { file: &file, start: 0, len: data.len() as u64 };
    let mut out = Vec::new();
    compress(source, &mut out, recipe, &NewHeader::default(), &Threads::new(Some(threads))).unwrap();
    out
}

/// What rigz makes of `data` for `wanted`, the same by one, two and three threads, from a file and
/// from a stream.
fn packed_every_way(data: &[u8], wanted: &Wanted) -> Vec<u8> {
    let recipe = Recipe::new(wanted);
    let packed = packed_stream(data, &recipe, 1, 1);
    for threads in [2, 3] {
        assert_same(&packed_stream(data, &recipe, threads, 2), &packed, &format!("{wanted:?} {threads}"));
        assert_same(&packed_file(data, &recipe, threads), &packed, &format!("{wanted:?}, file"));
    }
    packed
}

/// The DEFLATE stream at the start of `packed` by flate2, and what comes after it.
fn inflate(packed: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut decoder = flate2::bufread::DeflateDecoder::new(packed);
    let mut data = Vec::new();
    decoder.read_to_end(&mut data).unwrap();
    let len = decoder.total_in() as usize;
    (data, &packed[len..])
}

/// Checks that `packed` is `data` in `format`, all in one stream, with the right numbers around it.
fn check_format(format: Format, packed: &[u8], data: &[u8]) {
    let (crc, len) = (rigz::checksum::crc32(data).to_le_bytes(), (data.len() as u32).to_le_bytes());
    match format {
        Format::Gzip => {
            let (inflated, trailer) = inflate(&packed[10..]);
            assert_same(&inflated, data, "gzip");
            assert_eq!(trailer, [crc, len].concat());
        }
        Format::Bgzf => {
            check_bgzf(packed);
            assert_same(&gunzip(packed), data, "BGZF");
        }
        Format::Zlib => {
            let (inflated, trailer) = inflate(&packed[2..]);
            assert_same(&inflated, data, "zlib");
            assert_eq!(trailer.len(), 4);
            // This decoder checks header and checksum.
            let mut by_zlib = Vec::new();
            flate2::bufread::ZlibDecoder::new(packed).read_to_end(&mut by_zlib).unwrap();
            assert_same(&by_zlib, data, "zlib, checked");
        }
        Format::Zip => {
            // The local header of an entry "-" without a time.
            let start = 30 + 1 + 20;
            let (inflated, rest) = inflate(&packed[start..]);
            assert_same(&inflated, data, "ZIP");
            let packed_len = ((packed.len() - start - rest.len()) as u32).to_le_bytes();
            let zeros = [0; 4];
            assert_eq!(rest[..24], [*b"PK\x07\x08", crc, packed_len, zeros, len, zeros].concat());
            assert_eq!(rest[24..][..4], *b"PK\x01\x02");
            assert_eq!(rest[24..][16..28], [crc, packed_len, len].concat());
            let directory_at = (packed.len() - rest.len() + 24) as u32;
            assert_eq!(rest[rest.len() - 6..][..4], directory_at.to_le_bytes());
        }
    }
}

const FORMATS: [Format; 4] = [Format::Gzip, Format::Bgzf, Format::Zlib, Format::Zip];
/// Around the ends of chunks of 32 KiB.
const FEW_LENS: [usize; 6] = [0, 1, 32 * KIB - 1, 32 * KIB, 32 * KIB + 1, 100 * KIB];

fn all_levels() -> impl Iterator<Item = Level> {
    (0..=9).filter_map(Level::new)
}

#[test]
fn every_format_is_right_at_every_level_and_length() {
    for len in FEW_LENS.into_iter().chain([FIRST_CHUNK_LEN, FIRST_CHUNK_LEN + 1, 300 * KIB]) {
        let data = data::text(len);
        for level in all_levels() {
            for format in [Format::Zlib, Format::Zip] {
                for block_len in [None, Some(32 * KIB)] {
                    let wanted = Wanted { level, format, block_len, ..Wanted::default() };
                    check_format(format, &packed_every_way(&data, &wanted), &data);
                }
            }
        }
    }
}

#[test]
fn every_strategy_is_right_in_every_format() {
    let data = [data::text(40 * KIB), vec![7; 60 * KIB], data::binary(50 * KIB)].concat();
    for strategy in [Search::Rle, Search::HuffmanOnly] {
        for format in FORMATS {
            for level in all_levels() {
                let wanted = Wanted { level, format, strategy, ..Wanted::default() };
                let wanted = Wanted { block_len: Some(32 * KIB), ..wanted };
                check_format(format, &packed_every_way(&data, &wanted), &data);
            }
        }
    }
}

#[test]
fn strategies_search_less() {
    let len = |data: &[u8], strategy| {
        packed_stream(data, &Recipe::new(&Wanted { strategy, ..Wanted::default() }), 1, 1).len()
    };
    // Every run is found by either search, every repeated line by the usual one only, and codes
    // for single bytes are at least a bit long.
    let (text, zeros) = (data::text(200 * KIB), vec![0; 200 * KIB]);
    assert!(len(&zeros, Search::Rle) < 1000);
    assert!(len(&zeros, Search::HuffmanOnly) > zeros.len() / 8);
    assert!(len(&text, Search::Rle) > len(&text, Search::Usual) * 5 / 4);
}

#[test]
fn independent_chunks_need_nothing_before_them() {
    let noise = data::random(30 * KIB, 5);
    let data = [&noise[..], &noise, &noise].concat();
    for format in [Format::Gzip, Format::Zlib, Format::Zip] {
        for level in [1, 6, 9].map(|number| Level::new(number).unwrap()) {
            let wanted = Wanted { level, format, block_len: Some(noise.len()), ..Wanted::default() };
            let joined = packed_every_way(&data, &wanted);
            let alone = packed_every_way(&data, &Wanted { is_independent: true, ..wanted.clone() });
            check_format_or_members(format, &alone, &data);
            assert!(alone.len() > data.len(), "{format:?} {level:?}: a chunk without a window is noise");
            if Recipe::new(&wanted).window_len > 0 {
                assert!(joined.len() < data.len() / 2, "{format:?} {level:?}: the window has it all");
            }
        }
    }
}

/// [`check_format`], where gzip output may have several members.
fn check_format_or_members(format: Format, packed: &[u8], data: &[u8]) {
    if format == Format::Gzip {
        assert_same(&gunzip(packed), data, "members");
    } else {
        check_format(format, packed, data);
    }
}

#[test]
fn zopfli_is_right_in_every_format() {
    let zopfli = ZopfliTuning { iterations: 1, ..ZopfliTuning::default() };
    for len in FEW_LENS {
        let data = data::text(len);
        for format in FORMATS {
            for (is_independent, is_rsyncable) in [(false, false), (true, false), (false, true)] {
                let wanted = Wanted { level: Level::ZOPFLI, format, zopfli, ..Wanted::default() };
                let wanted = Wanted { block_len: Some(32 * KIB), is_independent, is_rsyncable, ..wanted };
                check_format(format, &packed_every_way(&data, &wanted), &data);
            }
        }
    }
}

#[test]
fn zopfli_is_the_smallest() {
    let data = data::text(60 * KIB);
    let len = |level| packed_stream(&data, &Recipe::new(&Wanted { level, ..Wanted::default() }), 1, 1).len();
    assert!(len(Level::ZOPFLI) < all_levels().map(len).min().unwrap());
}

/// How much of `before`, in blocks of 700 bytes, is found anywhere in `after`, as rsync finds it.
fn share_found(before: &[u8], after: &[u8]) -> f64 {
    const BLOCK_LEN: usize = 700;
    // rsync's weak checksum, or near enough: two sums that roll.
    let sums = |block: &[u8]| {
        block.iter().fold((0u32, 0u32), |(a, b), byte| {
            let a = a.wrapping_add((*byte).into());
            (a, b.wrapping_add(a))
        })
    };
    let mut missing: HashMap<(u32, u32), Vec<&[u8]>> = HashMap::new();
    let blocks: Vec<&[u8]> = before.chunks_exact(BLOCK_LEN).collect();
    blocks.iter().for_each(|block| missing.entry(sums(block)).or_default().push(block));
    let (mut a, mut b) = sums(&after[..BLOCK_LEN]);
    let mut found = 0;
    for at in 0..=after.len() - BLOCK_LEN {
        if at > 0 {
            let (out, next) = (u32::from(after[at - 1]), u32::from(after[at + BLOCK_LEN - 1]));
            a = a.wrapping_sub(out).wrapping_add(next);
            b = b.wrapping_sub(out * BLOCK_LEN as u32).wrapping_add(a);
        }
        if let Some(same) = missing.get_mut(&(a, b)) {
            let before = same.len();
            same.retain(|block| *block != &after[at..at + BLOCK_LEN]);
            found += before - same.len();
        }
    }
    found as f64 / blocks.len() as f64
}

#[test]
fn a_small_change_leaves_most_of_an_rsyncable_output_alone() {
    let data = data::text(2500 * KIB);
    // An odd number of bytes, so that nothing behind them is aligned as before.
    let changed = [&data[..5000], b"ADDED", &data[5000..]].concat();
    for level in [1, 6, 9].map(|number| Level::new(number).unwrap()) {
        for format in [Format::Gzip, Format::Zlib, Format::Zip] {
            let usual = Wanted { level, format, ..Wanted::default() };
            let usual_len = packed_stream(&data, &Recipe::new(&usual), 2, 1).len();
            let wanted = Wanted { is_rsyncable: true, ..usual };
            let before = packed_every_way(&data, &wanted);
            check_format(format, &before, &data);
            let after = packed_stream(&changed, &Recipe::new(&wanted), 2, 3);
            let share = share_found(&before, &after);
            assert!(share >= 0.95, "{format:?} {level:?}: {share}");
            assert!(
                before.len() * 100 <= usual_len * 101,
                "{format:?} {level:?}: {usual_len} bytes become {}",
                before.len()
            );
        }
    }
}

#[test]
fn rsyncable_outputs_come_back_whatever_the_data() {
    for kind in [Kind::Binary, Kind::Zeros, Kind::Random] {
        let data = kind.data(3000 * KIB);
        for level in [0, 1, 9].map(|number| Level::new(number).unwrap()) {
            for (format, is_independent) in
                [(Format::Gzip, false), (Format::Gzip, true), (Format::Bgzf, false)]
            {
                let wanted = Wanted { level, format, is_rsyncable: true, ..Wanted::default() };
                let packed = packed_every_way(&data, &Wanted { is_independent, ..wanted });
                check_format(format, &packed, &data);
            }
        }
    }
}

/// Data that repeat themselves in parts, so that matches reach over the ends of chunks.
fn some_data() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<u64>(), 0..3000usize).prop_map(|(seed, len)| data::random(len, seed)),
        (any::<u8>(), 0..5000usize).prop_map(|(byte, len)| vec![byte; len]),
        (0..20_000usize, 0..9000usize).prop_map(|(at, len)| data::text(at + len)[at..].to_vec()),
        (1..40usize, 0..9000usize).prop_map(|(period, len)| (0..len).map(|i| (i % period) as u8).collect()),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A recipe for gzip that small data already cut: chunks far shorter than the user can ask for.
fn some_recipe() -> impl Strategy<Value = Recipe> {
    let level = (0..=9u8).prop_map(|number| Level::new(number).unwrap());
    let format = prop_oneof![Just(Format::Gzip), Just(Format::Bgzf)];
    let strategy = prop_oneof![
        4 => Just(Search::Usual),
        1 => Just(Search::Rle),
        1 => Just(Search::HuffmanOnly),
    ];
    let switches = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (level, format, strategy, prop::option::of(97..20_000usize), switches).prop_map(
        |(level, format, strategy, block_len, (is_rsyncable, is_independent))| {
            let wanted = Wanted { level, format, strategy, block_len, ..Wanted::default() };
            Recipe::new(&Wanted { is_rsyncable, is_independent, ..wanted })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_data_cut_in_any_way_come_back(
        data in some_data(),
        recipe in some_recipe(),
        (threads, seed) in (1..=3usize, any::<u64>()),
    ) {
        let packed = packed_stream(&data, &recipe, threads, seed);
        prop_assert!(packed == packed_stream(&data, &recipe, 4 - threads, !seed), "other threads and cuts");
        prop_assert!(packed == packed_file(&data, &recipe, threads), "a file");
        let (mut from_slice, mut from_stream) = (Vec::new(), Vec::new());
        let threads = Threads::new(Some(threads));
        let settings = Settings { threads: &threads, leaves_tail: false, reads_zlib: true };
        let whole = decompress(&mut Input::from_slice(&packed), Some(&mut from_slice), settings).unwrap();
        prop_assert!(from_slice == data);
        let mut reader = fickle(&packed, seed);
        let cut = decompress(&mut Input::from_reader(&mut reader), Some(&mut from_stream), settings).unwrap();
        prop_assert!(from_stream == data);
        prop_assert_eq!(whole, cut);
        prop_assert_eq!((whole.read, whole.written), (packed.len() as u64, data.len() as u64));
    }
}
