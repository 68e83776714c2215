//! Damage, lies, and too little of everything: rigz must neither crash nor hang, must never pass
//! off wrong data as right, and must judge as GNU gzip does.

mod support;

use std::fs::File;
use std::io::{self, Read, Write};

use proptest::prelude::*;
use rigz::engine::Threads;
use rigz::engine::compress::{Source, compress};
use rigz::engine::decompress::{Settings, decompress};
use rigz::format::gzip::NewHeader;
use rigz::io::input::Input;
use rigz::plan::level::Level;
use rigz::plan::recipe::{Format, Recipe, Wanted};
use support::data::{self, Numbers};
use support::members::members;
use support::run::{Finished, Running};
use support::{Scratch, assert_same, gzip, rigz};

/// How closely rigz and gzip have to agree on damaged input, besides the exit status.
#[derive(Clone, Copy, PartialEq)]
enum Likeness {
    /// Same output, same words.
    Exact,
    /// Same words; outputs end at the same symbol or the one next to it.
    Words,
    /// One output begins with the other. Decoders notice damage at different places, and GNU
    /// gzip loses up to 32 KiB of good data before it.
    Prefix,
}

/// The longest DEFLATE match, which is the longest symbol.
const SYMBOL_LEN: usize = 258;

/// Decodes `packed` by gzip and, in each way there is, by rigz.
#[track_caller]
fn compare_with_gzip(packed: &[u8], likeness: Likeness, what: &str) {
    let dir = Scratch::with_file("x.gz", packed);
    let by_gzip = dir.tool("gzip", ["-dc"]).stdin(packed).finish();
    for (how, run) in [
        ("mapped, -p1", dir.rigz(["-dc", "-p1"]).stdin_file(dir.path("x.gz"))),
        ("mapped, -p2", dir.rigz(["-dc", "-p2"]).stdin_file(dir.path("x.gz"))),
        ("piped, -p2", dir.rigz(["-dc", "-p2"]).stdin(packed)),
    ] {
        let what = format!("{what}, {how}");
        agree(&run.finish(), &by_gzip, likeness, &what);
    }
}

#[track_caller]
fn agree(by_rigz: &Finished, by_gzip: &Finished, likeness: Likeness, what: &str) {
    assert_eq!(by_rigz.status, by_gzip.status, "{what}\n{by_rigz:?}\n{by_gzip:?}");
    let (ours, theirs) = (&by_rigz.out, &by_gzip.out);
    let short = ours.len().min(theirs.len());
    assert!(ours[..short] == theirs[..short], "{what}\n{by_rigz:?}\n{by_gzip:?}");
    let slack = match likeness {
        _ if by_gzip.status.code() != Some(1) => 0,
        Likeness::Exact => 0,
        Likeness::Words => SYMBOL_LEN,
        Likeness::Prefix => usize::MAX,
    };
    assert!(ours.len().abs_diff(theirs.len()) <= slack, "{what}\n{by_rigz:?}\n{by_gzip:?}");
    if likeness != Likeness::Prefix {
        let expected = by_gzip.err_text().replace("gzip: ", "rigz: ");
        assert_eq!(by_rigz.err_text(), expected, "{what}");
    }
}

/// A file for each way of decoding, all of them with several members or several buffers' worth.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let data = data::text(300_000);
    let pieces = [&data[..70_000], &[], &data[70_000..70_001], &data[70_001..200_000]];
    vec![
        ("RZ members", rigz(&["-n6", "--engine=libdeflate"], &data)),
        ("marked groups", rigz(&["-n6", "-b200", "-i"], &data)),
        ("BGZF", rigz(&["--bgzf"], &data)),
        ("one member", rigz(&["-n9"], &data)),
        ("members by gzip", pieces.iter().flat_map(|piece| gzip(piece)).collect()),
        ("small", gzip(b"hello hello hello hello\n")),
    ]
}

/// Offsets in `file` worth damaging: all near the ends of members, and some between.
fn places(file: &[u8], between: usize) -> Vec<usize> {
    let mut numbers = Numbers(file.len() as u64);
    let mut places: Vec<usize> = (0..between).map(|_| numbers.below(file.len())).collect();
    for member in members(file).iter().take(3) {
        let (start, end) = (member.place.start, member.place.end);
        places.extend(start..start + member.header.len() + 6);
        places.extend(end - 10..end);
    }
    places.retain(|place| *place < file.len());
    places.sort_unstable();
    places.dedup();
    places
}

#[test]
fn cut_files_are_told_from_whole_ones_as_gzip_does() {
    for (name, file) in files() {
        for len in places(&file, 30) {
            compare_with_gzip(&file[..len], Likeness::Words, &format!("{name} cut to {len}"));
        }
    }
}

#[test]
fn changed_bits_are_judged_as_gzip_does() {
    for (name, file) in files() {
        let mut numbers = Numbers(3);
        for at in places(&file, 40) {
            let mut damaged = file.clone();
            let bit = numbers.below(8);
            damaged[at] ^= 1 << bit;
            compare_with_gzip(&damaged, Likeness::Prefix, &format!("{name}, bit {bit} of {at} changed"));
        }
    }
}

#[test]
fn changed_bytes_are_judged_as_gzip_does() {
    for (name, file) in files() {
        let mut numbers = Numbers(4);
        for at in places(&file, 40).into_iter().step_by(2) {
            let mut damaged = file.clone();
            damaged[at] = numbers.next() as u8;
            let value = damaged[at];
            compare_with_gzip(&damaged, Likeness::Prefix, &format!("{name}, {value:#x} at {at}"));
        }
    }
}

#[test]
fn wrong_trailers_are_reported_in_gzips_words() {
    for (name, file) in files() {
        for member in members(&file).iter().take(4) {
            for (from_end, mask) in [(8, 1), (5, 0x80), (4, 1), (1, 0x80), (1, 0xff)] {
                let mut damaged = file.clone();
                damaged[member.place.end - from_end] ^= mask;
                compare_with_gzip(&damaged, Likeness::Exact, &format!("{name}, {from_end} before an end"));
            }
            let mut damaged = file.clone();
            damaged[member.place.end - 8..member.place.end].fill(0xa5);
            compare_with_gzip(&damaged, Likeness::Exact, &format!("{name}, both fields"));
        }
    }
}

#[test]
fn what_follows_the_last_member_is_judged_as_gzip_does() {
    let zeros = [0; 512];
    let zeros_and_garbage = [&zeros[..], b"garbage"].concat();
    let zeros_and_member = [&zeros[..], &gzip(b"more")].concat();
    let no_method = b"\x1f\x8b\x07\0\0\0\0\0\0\0".as_slice();
    let tails: [&[u8]; 17] = [
        b"\0",
        &zeros,
        b"garbage",
        &zeros_and_garbage,
        &zeros_and_member,
        b"g",
        b"\x01",
        b"\0g",
        b"\0\0g",
        b"\x1f",
        b"\x1f\x8b",
        b"\x1f\x8b\x08",
        b"\x1fx",
        b"\0\x1f\x8b\x08",
        b"\x8b\x1f",
        b"ga",
        no_method,
    ];
    for (name, file) in files() {
        for tail in tails {
            let packed = [&file[..], tail].concat();
            let start = &tail[..tail.len().min(8)];
            compare_with_gzip(&packed, Likeness::Exact, &format!("{name} and {start:x?}"));
        }
    }
}

#[test]
fn long_runs_of_zeros_after_the_end_are_read_through() {
    let packed = [rigz(&["-n6"], &data::text(300_000)), vec![0; 3 << 20]].concat();
    compare_with_gzip(&packed, Likeness::Exact, "3 MiB of zeros");
    compare_with_gzip(&[&packed[..], b"x"].concat(), Likeness::Exact, "3 MiB of zeros and x");
}

/// A member with a subfield, its claim replaced.
fn with_claim(file: &[u8], member_start: usize, claim: &[u8]) -> Vec<u8> {
    let mut lying = file.to_vec();
    lying[member_start + 16..][..claim.len()].copy_from_slice(claim);
    lying
}

#[test]
fn wrong_lengths_in_rz_subfields_do_no_harm() {
    let data = data::text(600_000);
    let file = rigz(&["-n6", "--engine=libdeflate"], &data);
    let members = members(&file);
    assert!(members.len() >= 4);
    for (i, member) in members.iter().enumerate() {
        let (len, start) = (member.len(), member.place.start);
        let next = members.get(i + 1).map_or(5, |next| next.len());
        let left = file.len() - start;
        for claim in [
            0,
            1,
            19,
            27,
            28,
            29,
            len / 2,
            len - 8,
            len - 1,
            len + 1,
            len + 8,
            len + next / 2,
            len + next,
            left,
            left + 1,
            left + 8,
            1 << 22,
            (1 << 22) + 1,
            u32::MAX as usize,
        ] {
            let lying = with_claim(&file, start, &(claim as u32).to_le_bytes());
            compare_with_gzip(&lying, Likeness::Exact, &format!("member {i} of {len} claims {claim}"));
        }
    }
}

#[test]
fn wrong_lengths_in_bc_subfields_do_no_harm() {
    let file = rigz(&["--bgzf"], &data::text(400_000));
    let members = members(&file);
    for (i, member) in members.iter().enumerate() {
        let (len, start) = (member.len(), member.place.start);
        let next = members.get(i + 1).map_or(5, |next| next.len());
        for claim in [0, 1, 17, 25, 26, len / 2, len - 9, len - 2, len, len + 8, len + next - 1, 0xffff] {
            let lying = with_claim(&file, start, &(claim as u16).to_le_bytes());
            compare_with_gzip(&lying, Likeness::Exact, &format!("member {i} of {len} claims {claim} + 1"));
        }
    }
}

/// One member with an RZ subfield that claims `claim` bytes, around a single stored block.
fn stored_member(claim: u32, data: &[u8]) -> Vec<u8> {
    let mut member = b"\x1f\x8b\x08\x04\0\0\0\0\0\x03\x08\0RZ\x04\0".to_vec();
    member.extend_from_slice(&claim.to_le_bytes());
    member.push(1);
    let len = u16::try_from(data.len()).unwrap();
    member.extend_from_slice(&len.to_le_bytes());
    member.extend_from_slice(&(!len).to_le_bytes());
    member.extend_from_slice(data);
    member.extend_from_slice(&rigz::checksum::crc32(data).to_le_bytes());
    member.extend_from_slice(&u32::from(len).to_le_bytes());
    member
}

#[test]
fn a_length_that_points_to_a_member_inside_the_data_does_no_harm() {
    const DATA_AT: u32 = 25;
    let inner = stored_member(0, b"not to be seen");
    let inner_len = inner.len() as u32;
    let inner = with_claim(&inner, 0, &inner_len.to_le_bytes());
    // Before the inner member stands what a trailer of the bytes before it would be.
    let begin = b"0123456789";
    let fake = [&rigz::checksum::crc32(begin).to_le_bytes()[..], &10u32.to_le_bytes()].concat();
    let data = [begin, &fake[..], &inner, b"the end"].concat();
    let inner_at = DATA_AT + 18;
    for claim in [inner_at, inner_at + inner_len, DATA_AT, DATA_AT + 10] {
        let lying = stored_member(claim, &data);
        compare_with_gzip(&lying, Likeness::Exact, &format!("{claim}"));
        let twice = [&inner[..], &lying, &inner, &lying, &gzip(b"last")].concat();
        compare_with_gzip(&twice, Likeness::Exact, &format!("{claim}, among others"));
    }
}

#[test]
fn promises_of_four_gib_allocate_nothing_and_are_found_out() {
    for (name, file) in files() {
        for promise in [u32::MAX, 1 << 31, 4 << 20, (4 << 20) + 1] {
            let mut lying = file.clone();
            let first_end = members(&file)[0].place.end;
            for end in [first_end, file.len()] {
                lying[end - 4..end].copy_from_slice(&promise.to_le_bytes());
            }
            compare_with_gzip(&lying, Likeness::Exact, &format!("{name} promises {promise}"));
        }
    }
}

#[test]
fn thousands_of_tiny_members_come_back() {
    let lines: Vec<String> =
        (0..6000).map(|i| if i % 10 == 0 { String::new() } else { format!("{i}\n") }).collect();
    let expected = lines.concat();
    let plain = |line: &String| packed(line.as_bytes(), &Recipe::new(&Wanted::default()));
    let wanted = Wanted { format: Format::Bgzf, ..Wanted::default() };
    let bgzf = |line: &String| packed(line.as_bytes(), &Recipe::new(&wanted));
    let stored = |line: &String| {
        let member = stored_member(0, line.as_bytes());
        with_claim(&member, 0, &(member.len() as u32).to_le_bytes())
    };
    let all_plain: Vec<u8> = lines.iter().flat_map(plain).collect();
    let all_bgzf: Vec<u8> = lines.iter().flat_map(bgzf).collect();
    let mut i = 0;
    let mixed: Vec<u8> = lines
        .iter()
        .flat_map(|line| {
            i += 1;
            if i % 3 == 0 { plain(line) } else { stored(line) }
        })
        .collect();
    for (name, file) in [("plain", all_plain), ("BGZF", all_bgzf), ("mixed", mixed)] {
        let dir = Scratch::with_file("x.gz", &file);
        for threads in ["-p1", "-p2"] {
            dir.rigz(["-dc", threads, "x.gz"]).status(0).stderr("").stdout(&expected);
            dir.rigz(["-dc", threads]).stdin(&*file).status(0).stderr("").stdout(&expected);
        }
        compare_with_gzip(&file, Likeness::Exact, name);
        compare_with_gzip(&file[..file.len() - 3], Likeness::Words, name);
    }
}

/// A header with the fields that `flags` name, the checksum `crc_error` off.
fn header(flags: u8, crc_error: u8) -> Vec<u8> {
    let mut header = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3];
    if flags & 4 != 0 {
        header.extend_from_slice(b"\x07\0XY\x03\0abc");
    }
    if flags & 8 != 0 {
        header.extend_from_slice(b"a name\0");
    }
    if flags & 16 != 0 {
        header.extend_from_slice(b"a comment\0");
    }
    if flags & 2 != 0 {
        let crc = rigz::checksum::crc32(&header) as u16;
        header.extend_from_slice(&crc.to_le_bytes());
        *header.last_mut().unwrap() ^= crc_error;
    }
    header
}

#[test]
fn every_combination_of_header_fields_is_read() {
    let body = &gzip(b"hello")[10..];
    for flags in 0..32 {
        let file = [&header(flags, 0), body].concat();
        compare_with_gzip(&file, Likeness::Exact, &format!("flags {flags:#x}"));
        Scratch::new().rigz(["-dc"]).stdin(file).status(0).stdout("hello").stderr("");
    }
}

#[test]
fn headers_that_gzip_refuses_are_refused() {
    let body = &gzip(b"hello")[10..];
    for (flags, crc_error) in [(2, 1), (0x1f, 0x40), (0x20, 0), (0x40, 0), (0x80, 0), (0xff, 0)] {
        let file = [&header(flags, crc_error), body].concat();
        compare_with_gzip(&file, Likeness::Exact, &format!("flags {flags:#x}, {crc_error}"));
    }
    for method in [0, 7, 9, 255] {
        let mut file = gzip(b"hello");
        file[2] = method;
        compare_with_gzip(&file, Likeness::Exact, &format!("method {method}"));
    }
}

#[test]
fn a_name_of_a_hundred_thousand_bytes_is_read() {
    let name = vec![b'n'; 100_000];
    let file = [&header(0, 0)[..3], &[8], &header(0, 0)[4..], &name, b"\0", &gzip(b"hello")[10..]].concat();
    compare_with_gzip(&file, Likeness::Exact, "a long name");
    let two = [&rigz(&["-n6"], &data::text(200_000))[..], &file].concat();
    compare_with_gzip(&two, Likeness::Exact, "a long name in a later member");
    compare_with_gzip(&file[..90_000], Likeness::Exact, "a long name cut");
}

#[test]
fn a_name_without_end_is_an_error_in_bounded_memory() {
    let endless = [&header(0, 0)[..3], &[8], &header(0, 0)[4..], &vec![b'n'; 30 << 20]].concat();
    let mut running = Scratch::new().rigz(["-dc"]).stdin_piped().start();
    let mut stdin = running.child.stdin.take().unwrap();
    // It may well stop reading before the end.
    let _ = stdin.write_all(&endless);
    drop(stdin);
    let finished = running.finish().status(1).stdout("");
    assert!(!finished.err.is_empty());
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_read_is_an_error() {
    let data = data::random(16 << 20, 5);
    for (level, threads) in [("-0", "-p1"), ("-0", "-p2"), ("-1", "-p1"), ("-1", "-p2")] {
        for len_left in [0, 5_000] {
            let dir = Scratch::with_file("x.gz", &rigz(&["-n", level], &data));
            let running = dir.rigz(["-dc", threads, "x.gz"]).start();
            running.wait_until_blocked();
            File::options().write(true).open(dir.path("x.gz")).unwrap().set_len(len_left).unwrap();
            let finished = running.finish().status(1);
            assert!(finished.out.len() < data.len() && data.starts_with(&finished.out[..100_000]));
            finished.stderr("\nrigz: x.gz: file became shorter while it was read\n");
        }
    }
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_compressed_is_an_error() {
    for threads in ["-p1", "-p2"] {
        let dir = Scratch::with_file("f", &data::random(24 << 20, 6));
        let running = dir.rigz(["-c", threads, "f"]).start();
        running.wait_until_blocked();
        File::options().write(true).open(dir.path("f")).unwrap().set_len(100).unwrap();
        let finished = running.finish().status(1);
        finished.stderr("\nrigz: f: file became shorter while it was read\n");
    }
}

/// What memory a process may ever have used, in KiB.
const MAX_RSS_KIB: u64 = 64 << 10;

#[track_caller]
fn check_memory(running: &Running) {
    let peak = running.proc_status("VmHWM");
    assert!(peak <= MAX_RSS_KIB, "{peak} KiB at the peak");
    assert!(peak > 100, "that is not a measurement");
}

#[test]
fn compressing_a_long_stream_takes_bounded_memory() {
    for piece in [vec![0; 8 << 20], data::random(8 << 20, 7)] {
        let mut running =
            Scratch::new().rigz(["-6", "-p2"]).stdin_piped().stdout_to(std::process::Stdio::null()).start();
        let mut stdin = running.child.stdin.take().unwrap();
        for _ in 0..25 {
            stdin.write_all(&piece).unwrap();
        }
        check_memory(&running);
        drop(stdin);
        running.finish().status(0).stderr("");
    }
}

/// Reads `len` bytes of the output of `running`, looks at its memory, and reads the rest.
fn consume(mut running: Running, len: usize) {
    let mut stdout = running.child.stdout.take().unwrap();
    let mut buf = vec![0; 1 << 20];
    let mut left = len - (8 << 20);
    while left > 0 {
        let most = left.min(buf.len());
        let read = stdout.read(&mut buf[..most]).unwrap();
        assert!(read > 0);
        left -= read;
    }
    // It waits for somebody to read the last 8 MiB, so its peak is behind it, and it still lives.
    check_memory(&running);
    io::copy(&mut stdout, &mut io::sink()).unwrap();
    running.finish().status(0).stderr("");
}

#[test]
fn decompressing_a_gib_takes_bounded_memory() {
    let dir = Scratch::with_file("x.gz", &data::zeros_member(1 << 30));
    consume(dir.rigz(["-dc", "-p2", "x.gz"]).start(), 1 << 30);
    consume(dir.rigz(["-dc", "-p1"]).stdin_from(File::open(dir.path("x.gz")).unwrap()).start(), 1 << 30);
}

#[test]
fn decompressing_many_members_takes_bounded_memory() {
    // The longest that are decoded side by side: 4 MiB, from 4 KiB.
    let recipe = Recipe::new(&Wanted { block_len: Some(4 << 20), ..Wanted::default() });
    let member = packed(&vec![0; 4 << 20], &recipe);
    assert_eq!(members(&member).len(), 1);
    let claimed = packed(&vec![0; 8 << 20], &recipe);
    let dir = Scratch::with_file("x.gz", &claimed.repeat(40));
    for threads in ["-p1", "-p2"] {
        consume(dir.rigz(["-dc", threads, "x.gz"]).start(), 320 << 20);
        let packed = dir.read("x.gz");
        let mut running = dir.rigz(["-dc", threads]).stdin_piped().start();
        let mut stdin = running.child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || stdin.write_all(&packed));
        consume(running, 320 << 20);
        feeder.join().unwrap().unwrap();
    }
}

/// Threads of rigz while it waits for the reader of a full pipe.
fn threads_when_blocked(dir: &Scratch, args: &[&str]) -> u64 {
    let (reader, mut writer) = io::pipe().unwrap();
    // As large as rigz would make it, so that it is as full as it can be.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20);
    let len = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    writer.write_all(&vec![b'x'; len]).unwrap();
    let running = dir.rigz(args).stdout_to(writer).start();
    running.wait_until_blocked();
    let threads = running.proc_status("Threads");
    drop(reader);
    running.finish().signal(libc::SIGPIPE).stderr("");
    threads
}

#[test]
fn one_process_starts_no_thread() {
    let data = data::random(6 << 20, 8);
    let dir = Scratch::with_file("f", &data);
    for level in ["-1", "-9", "--bgzf"] {
        assert_eq!(threads_when_blocked(&dir, &["-p1", "-c", level, "f"]), 1, "compressing, {level}");
        dir.write("f.gz", &rigz(&["-n", level], &data));
        assert_eq!(threads_when_blocked(&dir, &["-p1", "-dc", "f.gz"]), 1, "decompressing, {level}");
    }
}

#[test]
fn small_inputs_start_no_thread() {
    let dir = Scratch::with_file("f", &data::random(100_000, 8));
    dir.tool("gzip", ["-k", "f"]).status(0);
    dir.write("bgzf.gz", &rigz(&["--bgzf"], &data::random(100_000, 8)));
    for args in [&["-6", "-c", "f"][..], &["-9", "-c", "f"], &["-dc", "f.gz"], &["-dc", "bgzf.gz"]] {
        assert_eq!(threads_when_blocked(&dir, &[&["-p4"], args].concat()), 1, "{args:?}");
    }
    let mut running = dir.rigz(["-p4"]).stdin_piped().start();
    running.child.stdin.as_mut().unwrap().write_all(b"not the end").unwrap();
    running.wait_until_blocked();
    assert_eq!(running.proc_status("Threads"), 1);
    running.finish().status(0);
}

#[test]
fn large_inputs_do_start_threads() {
    let data = data::random(6 << 20, 8);
    let dir = Scratch::with_file("f", &data);
    for level in ["-1", "-9"] {
        assert!(threads_when_blocked(&dir, &["-p2", "-c", level, "f"]) > 1, "compressing, {level}");
        dir.write("f.gz", &rigz(&["-n", level], &data));
        assert!(threads_when_blocked(&dir, &["-p2", "-dc", "f.gz"]) > 1, "decompressing, {level}");
    }
}

/// `data` compressed by the library.
fn packed(data: &[u8], recipe: &Recipe) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = data;
    let source = Source::Stream(&mut reader);
    compress(source, &mut out, recipe, &NewHeader::default(), &Threads::new(Some(1))).unwrap();
    out
}

/// What decoding gives: output, and totals or error as text.
fn outcome(mut input: Input<'_>, threads: usize) -> (Vec<u8>, String) {
    let mut out = Vec::new();
    let threads = Threads::new(Some(threads));
    let settings = Settings { threads: &threads, leaves_tail: false, reads_zlib: true };
    let result = decompress(&mut input, Some(&mut out), settings);
    (out, result.map_or_else(|error| error.lines("x").concat(), |totals| format!("{totals:?}")))
}

/// Gives a few bytes at a time.
struct Dribble<'a>(&'a [u8], Numbers);

impl Read for Dribble<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = (1 + self.1.below(700)).min(buf.len()).min(self.0.len());
        buf[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// What happens to a file on its way.
#[derive(Clone, Debug)]
enum Mishap {
    Set(usize, u8),
    Flip(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn some_mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, value)| Mishap::Set(at, value)),
        (any::<usize>(), 0..8u8).prop_map(|(at, bit)| Mishap::Flip(at, bit)),
        any::<usize>().prop_map(Mishap::Cut),
        (any::<usize>(), 1..50usize).prop_map(|(at, len)| Mishap::Remove(at, len)),
        (any::<usize>(), 1..500usize).prop_map(|(at, len)| Mishap::Repeat(at, len)),
    ]
}

fn suffer(file: &mut Vec<u8>, mishap: &Mishap) {
    let len = file.len().max(1);
    match *mishap {
        _ if file.is_empty() => {}
        Mishap::Set(at, value) => file[at % len] = value,
        Mishap::Flip(at, bit) => file[at % len] ^= 1 << bit,
        Mishap::Cut(at) => file.truncate(at % len),
        Mishap::Remove(at, count) => drop(file.drain(at % len..(at % len + count).min(len))),
        Mishap::Repeat(at, count) => {
            let piece = file[at % len..(at % len + count).min(len)].to_vec();
            file.splice(at % len..at % len, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn damage_has_the_same_outcome_on_every_way(
        (len, level, block_len) in (0..20_000usize, 0..=9u8, 200..3000usize),
        kind in 0..3,
        mishaps in prop::collection::vec(some_mishap(), 1..4),
        seed in any::<u64>(),
    ) {
        let wanted = Wanted { level: Level::new(level).unwrap(), ..Wanted::default() };
        let data = data::text(len);
        let mut file = match kind {
            0 => packed(&data, &Recipe::new(&Wanted { block_len: Some(block_len), ..wanted })),
            1 => packed(&data, &Recipe::new(&Wanted { format: Format::Bgzf, ..wanted })),
            _ => data.chunks(block_len).flat_map(|piece| packed(piece, &Recipe::new(&wanted))).collect(),
        };
        mishaps.iter().for_each(|mishap| suffer(&mut file, mishap));
        let expected = outcome(Input::from_slice(&file), 1);
        prop_assert!(expected == outcome(Input::from_slice(&file), 2), "two threads");
        for threads in [1, 2] {
            let mut reader = Dribble(&file, Numbers(seed));
            let actual = outcome(Input::from_reader(&mut reader), threads);
            prop_assert_eq!(&actual.1, &expected.1, "a stream, {} threads", threads);
            prop_assert!(actual.0 == expected.0, "a stream, {} threads: {} bytes, not {}", threads, actual.0.len(), expected.0.len());
        }
    }
}

/// A damaged stream, short enough for libdeflate, which takes its codes; zlib, and so gzip, does not.
#[test]
fn what_only_libdeflate_takes_is_a_violation() {
    let wanted = Wanted { level: Level::new(3).unwrap(), block_len: Some(418), ..Wanted::default() };
    let mut file = packed(&data::text(17_865), &Recipe::new(&wanted));
    suffer(&mut file, &Mishap::Remove(17_923_187_285_036_594, 8));
    suffer(&mut file, &Mishap::Repeat(7_696_119_284_342_023_271, 389));
    compare_with_gzip(&file, Likeness::Prefix, "a short stream");
    let mut reader = Dribble(&file, Numbers(0));
    assert!(outcome(Input::from_slice(&file), 1) == outcome(Input::from_reader(&mut reader), 1));
}

#[test]
fn a_system_without_room_for_threads_is_no_reason_to_crash() {
    let dir = Scratch::with_file("f", &data::random(3 << 20, 8));
    dir.write("f.gz", &rigz(&["-1n"], &dir.read("f")));
    dir.write("one.gz", &rigz(&["-9n"], &dir.read("f")));
    for (args, expected) in [("-9c", "f"), ("-1c", "f"), ("-dc", "f.gz"), ("-dc", "one.gz")] {
        let Some(run) = dir.rigz_as_nobody([args, "-p2", expected]) else { return };
        // The limit does not hold for root.
        let finished = run.limited("-u", "1").finish();
        let is_fine = match finished.status.code() {
            Some(0) if args == "-dc" => finished.out == dir.read("f"),
            Some(0) => support::gunzip(&finished.out) == dir.read("f"),
            code => code == Some(1) && !finished.err_text().contains("panicked"),
        };
        assert!(is_fine, "{args}: {finished:?}");
    }
}

/// What a run with so many threads gives: status, data, messages.
fn decoded(dir: &Scratch, threads: &str) -> (Option<i32>, Vec<u8>, String) {
    let run = dir.rigz(["-dc", threads, "x.gz"]).finish();
    let said = run.err_text();
    (run.status.code(), run.out, said)
}

/// The same from a pipe; the messages as if the input had the file's name.
fn decoded_from_pipe(packed: &[u8], threads: &str) -> (Option<i32>, Vec<u8>, String) {
    let run = Scratch::new().rigz(["-dc", threads]).stdin(packed).finish();
    let said = run.err_text().replace("stdin", "x.gz");
    (run.status.code(), run.out, said)
}

/// A long member in which all kinds of blocks take turns: text, random bytes, zeros, and text again.
fn long_member() -> (Vec<u8>, Vec<u8>) {
    let parts =
        [data::text(3_000_000), data::random(3_000_000, 1), vec![0; 30_000_000], data::text(5_000_000)];
    let data = parts.concat();
    let packed = gzip(&data);
    (data, packed)
}

#[test]
fn a_long_member_decodes_to_the_same_on_any_number_of_threads() {
    let (data, packed) = long_member();
    let dir = Scratch::with_file("x.gz", &[&packed[..], &packed, b"tail"].concat());
    let expected = [&data[..], &data].concat();
    for threads in ["-p1", "-p2", "-p3", "-p8"] {
        let (status, out, said) = decoded(&dir, threads);
        assert_same(&out, &expected, threads);
        assert_eq!((status, &*said), (Some(2), "\nrigz: x.gz: decompression OK, trailing garbage ignored\n"));
        dir.rigz(["-t", threads, "x.gz"]).status(2).stdout("");
        let piped = decoded_from_pipe(&dir.read("x.gz"), threads);
        assert_same(&piped.1, &expected, threads);
        assert_eq!((piped.0, piped.2), (status, said));
    }
}

#[test]
fn damage_in_a_long_member_shows_the_same_on_any_number_of_threads() {
    let (data, packed) = long_member();
    let mut numbers = Numbers(99);
    for turn in 0..16 {
        let mut damaged = packed.clone();
        let at = 20 + numbers.below(packed.len() - 20);
        if turn % 4 == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << (turn % 8);
        }
        let dir = Scratch::with_file("x.gz", &damaged);
        let alone = decoded(&dir, "-p1");
        assert_eq!(alone.0, Some(1), "bit {turn} of byte {at}");
        // Up to the damage, and there is no damage in the first bytes.
        assert!(!alone.1.is_empty() && data[..1000].starts_with(&alone.1[..alone.1.len().min(1000)]));
        for threads in ["-p2", "-p4"] {
            for together in [decoded(&dir, threads), decoded_from_pipe(&damaged, threads)] {
                assert_same(&together.1, &alone.1, &format!("{threads}, byte {at}"));
                assert_eq!((together.0, together.2), (alone.0, alone.2.clone()), "{threads}, byte {at}");
            }
        }
        dir.rigz(["-d", "-p2", "x.gz"]).status(1);
        assert_eq!(dir.names(), ["x.gz"]);
    }
}

/// Short members, one long one among them, and some that hold members themselves, as they are. Their data
/// are the text and what follows it.
fn short_members() -> (Vec<u8>, Vec<u8>) {
    let (mut data, mut packed) = (Vec::new(), Vec::new());
    let text = data::text(2_000_000);
    for (i, piece) in text.chunks(700).enumerate() {
        let piece = if i % 200 == 99 { packed[packed.len() - 5000..].to_vec() } else { piece.to_vec() };
        packed.extend(gzip(&piece));
        data.extend(piece);
        if i == 1500 {
            packed.extend(gzip(&text));
            data.extend(&text);
        }
    }
    (data, packed)
}

#[test]
fn short_members_decode_to_the_same_on_any_number_of_threads() {
    let (data, packed) = short_members();
    for (tail, status, said) in [
        (&b""[..], 0, ""),
        (b"tail", 2, "\nrigz: x.gz: decompression OK, trailing garbage ignored\n"),
        (&[0; 5], 0, ""),
        (&packed[..9], 1, "\nrigz: x.gz: unexpected end of file\n"),
    ] {
        let dir = Scratch::with_file("x.gz", &[&packed[..], tail].concat());
        for threads in ["-p1", "-p2", "-p3", "-p8"] {
            let outcome = decoded(&dir, threads);
            assert_same(&outcome.1, &data, threads);
            assert_eq!((outcome.0, &*outcome.2), (Some(status), said), "{threads}");
            dir.rigz(["-t", threads, "x.gz"]).status(status).stdout("");
        }
    }
}

#[test]
fn damage_in_short_members_shows_the_same_on_any_number_of_threads() {
    let (_, packed) = short_members();
    let mut numbers = Numbers(7);
    for turn in 0..24 {
        let mut damaged = packed.clone();
        let at = 20 + numbers.below(packed.len() - 20);
        match turn % 4 {
            0 => damaged.truncate(at),
            1 => damaged[at..at + 3].copy_from_slice(&[0x1f, 0x8b, 8]),
            _ => damaged[at] ^= 1 << (turn % 8),
        }
        // A pipe is decoded in order.
        let alone = decoded_from_pipe(&damaged, "-p1");
        let dir = Scratch::with_file("x.gz", &damaged);
        for threads in ["-p1", "-p2", "-p4"] {
            let together = decoded(&dir, threads);
            assert_same(&together.1, &alone.1, &format!("{threads}, byte {at}"));
            assert_eq!((together.0, together.2), (alone.0, alone.2.clone()), "{threads}, byte {at}");
        }
    }
}
