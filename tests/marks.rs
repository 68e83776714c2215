//! Seek marks: streams with them decode as those without, on every route, to every decoder; and a mark
//! that lies, or blocks that are not what a mark says, change nothing but the time it takes.

mod support;

use std::io::Write;

use rigz::backend::zlib_ng::{self, Tuning};
use rigz::backend::{self, Chunk, fixed};
use rigz::format::mark::{self, Mark};
use rigz::format::stored;
use support::data::{self, Kind, Numbers, random, text};
use support::decode::{Outcome, decode};
use support::marks::{self, EMPTY_STORED, Group, HEADER, groups, last_group, member};
use support::run::has_tool;
use support::zip::{Entry, zip};
use support::{Scratch, assert_same, gzip};

/// What a file whose first member has the header [`HEADER`] decodes to if its marks are not followed: those
/// count only from the first block on, and here another one is the first.
fn without_marks(file: &[u8]) -> Outcome {
    let (header, rest) = file.split_at(HEADER.len().min(file.len()));
    decode(&[header, &EMPTY_STORED, rest].concat())
}

/// Compares what becomes of `file` with what becomes of it if its marks are not followed.
#[track_caller]
fn same_as_without(file: &[u8], what: &str) -> Outcome {
    let (out, result) = decode(file);
    let (expected_out, expected) = without_marks(file);
    assert_same(&out, &expected_out, what);
    let facts = |result: Result<rigz::engine::decompress::Totals, String>| {
        result.map(|totals| (totals.written, totals.parts, totals.crc, totals.tail))
    };
    assert_eq!(facts(result.clone()), facts(expected), "{what}");
    (out, result)
}

/// Text in groups that are long enough for all routes; `count` of them.
fn some_groups(count: usize) -> Vec<Group> {
    groups(&text(count * 40_000 - 7), 40_000)
}

#[test]
fn marked_members_decode_to_their_data() {
    for kind in [Kind::Text, Kind::Binary, Kind::Zeros, Kind::Random, Kind::Compressed] {
        for (len, group_len) in [(300_000, 1000), (300_000, 70_000), (3_000_000, 700_000), (40_000, 40_000)] {
            let groups = groups(&kind.data(len), group_len);
            let (out, result) = same_as_without(&member(&groups), "a member");
            assert_same(&out, &marks::data(&groups), &format!("{kind:?}, {len} bytes by {group_len}"));
            assert_eq!(result.unwrap().written, len as u64);
        }
    }
}

#[test]
fn empty_groups_are_groups() {
    let mut groups = some_groups(4);
    groups.insert(2, Group::new(b"", vec![]));
    groups.insert(2, Group::new(b"", EMPTY_STORED.to_vec()));
    groups.insert(0, Group::new(b"", vec![]));
    groups.push(groups[6].clone());
    groups[6] = Group::new(b"", EMPTY_STORED.to_vec());
    let (out, _) = same_as_without(&member(&groups), "empty groups");
    assert_same(&out, &marks::data(&groups), "empty groups");
}

#[test]
fn every_number_of_threads_gives_the_same_from_files_and_pipes() {
    let groups = groups(&data::binary(6 << 20), 1 << 20);
    let dir = Scratch::with_file("x.gz", &member(&groups));
    for threads in ["-p1", "-p2", "-p3", "-p8"] {
        let from_file = dir.rigz(["-dc", threads, "x.gz"]).status(0).stderr("").into_stdout();
        assert_same(&from_file, &marks::data(&groups), threads);
        let from_pipe = dir.rigz(["-dc", threads]).stdin(dir.read("x.gz")).status(0).stderr("").into_stdout();
        assert_same(&from_pipe, &from_file, threads);
        dir.rigz(["-t", threads, "x.gz"]).status(0).stdout("").stderr("");
    }
    let table = dir.rigz(["-l", "x.gz"]).status(0).out_text();
    assert!(table.contains(&marks::data(&groups).len().to_string()), "{table}");
}

#[test]
fn zlib_streams_and_zip_entries_may_have_marks() {
    let groups = some_groups(8);
    let (out, result) = decode(&marks::zlib(&groups));
    assert_same(&out, &marks::data(&groups), "zlib");
    assert_eq!(result.unwrap().written, out.len() as u64);
    let packed = marks::stream(&groups);
    let entry = Entry { packed_len: packed.len() as u64, packed, ..Entry::deflated(&out) };
    let (from_zip, result) = decode(&zip(&[entry]));
    assert_same(&from_zip, &out, "zip");
    assert_eq!(result.unwrap().written, out.len() as u64);
}

#[test]
fn other_decoders_see_no_marks() {
    let mut groups = groups(&text(600_000), 100_000);
    // Every digit of a mark at each of its values, each digit for itself.
    let last = groups.pop().unwrap();
    for value in [0, u64::MAX].into_iter().chain((0..62).flat_map(|at| [1 << at, 3 << at])) {
        let data_len = (value >> 32) as u32 % mark::DATA_LEN_END;
        let mark = Mark { packed_len: value as u32, data_len }.to_bytes().to_vec();
        groups.push(Group { data: vec![], packed: vec![], mark });
    }
    groups.push(last);
    let dir = Scratch::with_file("x.gz", &member(&groups));
    let python = "import sys,zlib; sys.stdout.buffer.write(zlib.decompress(open('x.gz','rb').read(), 31))";
    let perl = "use IO::Uncompress::Gunzip 'gunzip'; gunzip('x.gz' => '-') or die";
    let node = "const z = require('zlib'), f = require('fs').readFileSync('x.gz');
        const s = new Blob([f]).stream().pipeThrough(new DecompressionStream('gzip'));
        new Response(s).arrayBuffer().then(a => {
            if (Buffer.compare(Buffer.from(a), z.gunzipSync(f))) process.exit(1);
            process.stdout.write(Buffer.from(a));
        })";
    for command in [
        &["gzip", "-dc", "x.gz"][..],
        &["pigz", "-dc", "x.gz"],
        &["igzip", "-dc", "x.gz"],
        &["libdeflate-gunzip", "-c", "x.gz"],
        &["bgzip", "-dc", "x.gz"],
        &["7zz", "x", "-so", "x.gz"],
        &["busybox", "gunzip", "-c", "x.gz"],
        &["rapidgzip", "-dc", "x.gz"],
        &["python3", "-c", python],
        &["perl", "-e", perl],
        &["node", "-e", node],
    ] {
        if has_tool(command[0]) {
            let finished = dir.tool(command[0], &command[1..]).status(0);
            assert_same(&finished.out, &marks::data(&groups), command[0]);
        }
    }
}

/// Marks that do not say what follows them, to stand before `group`.
fn lies(group: &Group, next: &Group) -> Vec<Mark> {
    let (packed_len, data_len) = (group.packed.len() as u32, group.data.len() as u32);
    let mut lies = Vec::new();
    let whole_next = packed_len + mark::LEN as u32 + next.packed.len() as u32;
    for len in [0, 1, packed_len - 1, packed_len + 1, packed_len + mark::LEN as u32, whole_next, u32::MAX] {
        lies.push(Mark { packed_len: len, data_len });
    }
    for len in [0, 1, data_len - 1, data_len + 1, 8 << 20, mark::DATA_LEN_END - 1] {
        lies.push(Mark { packed_len, data_len: len });
    }
    // Two groups at once: the mark between is part of them, so this is the truth.
    lies.push(Mark { packed_len: whole_next, data_len: data_len + next.data.len() as u32 });
    lies.push(Mark { packed_len: 8 << 20, data_len: 8 << 20 });
    lies
}

#[test]
fn marks_that_lie_do_no_harm() {
    let groups = some_groups(6);
    for at in [0, 1, 3, 4] {
        for lie in lies(&groups[at], &groups[at + 1]) {
            let mut groups = groups.clone();
            groups[at].mark = lie.to_bytes().to_vec();
            let (out, result) = same_as_without(&member(&groups), &format!("{lie:?} before group {at}"));
            assert_same(&out, &marks::data(&groups), &format!("{lie:?} before group {at}"));
            assert!(result.is_ok());
        }
    }
    // The last one, into the trailer and beyond.
    for (more, extra) in [(1, 0), (4, 0), (8, 0), (0, 1), (8, 8)] {
        let mut groups = groups.clone();
        let (packed_len, data_len) = (groups[5].packed.len() as u32, groups[5].data.len() as u32);
        let lie = Mark { packed_len: packed_len + more, data_len: data_len + extra };
        groups[5].mark = lie.to_bytes().to_vec();
        let file = [member(&groups), member(&groups)].concat();
        let (out, result) = same_as_without(&file, &format!("{lie:?} at the end"));
        assert_same(&out, &marks::data(&groups).repeat(2), &format!("{lie:?} at the end"));
        assert!(result.is_ok());
    }
    // All of them.
    let mut groups = groups;
    groups
        .iter_mut()
        .for_each(|group| group.mark = lies(&last_group(b"ab"), &last_group(b""))[3].to_bytes().to_vec());
    assert!(same_as_without(&member(&groups), "only lies").1.is_ok());
}

#[test]
fn marks_inside_groups_do_no_harm() {
    let inner = member(&some_groups(5));
    // A marked file stored in a group, with a mark as the group's first and last bytes.
    let mark = Mark { packed_len: 100, data_len: 100 }.to_bytes();
    let nested = [&mark[..], &inner, &mark].concat();
    let mut groups = some_groups(6);
    for (at, is_real) in [(2, false), (3, true)] {
        let mut packed = Vec::new();
        if is_real {
            // Marks that are blocks, in the middle of the group and before its end.
            let data = groups[at].data.clone();
            let (left, right) = data.split_at(10_000);
            zlib_ng::encode(Tuning::level(6), Chunk { data: left, ..Chunk::default() }, &mut packed);
            packed.extend_from_slice(&mark);
            zlib_ng::encode(Tuning::level(6), Chunk { data: right, ..Chunk::default() }, &mut packed);
            packed.extend_from_slice(&mark);
            groups[at] = Group::new(&data, packed);
        } else {
            backend::stored::encode(Chunk { data: &nested, ..Chunk::default() }, &mut packed);
            groups[at] = Group::new(&nested, packed);
        }
    }
    let (out, _) = same_as_without(&member(&groups), "marks inside");
    assert_same(&out, &marks::data(&groups), "marks inside");
    // A mark that points into the middle of what was stored, where a chain of true marks begins.
    let at = groups[2].packed.windows(mark::LEN).position(|bytes| Mark::read(bytes).is_some()).unwrap();
    let at = at + mark::LEN + HEADER.len();
    assert!(Mark::read(&groups[2].packed[at..]).is_some());
    groups[2].mark = Mark { packed_len: at as u32, data_len: at as u32 - 5 }.to_bytes().to_vec();
    let (out, _) = same_as_without(&member(&groups), "a chain inside");
    assert_same(&out, &marks::data(&groups), "a chain inside");
}

#[test]
fn groups_that_look_back_are_decoded_with_what_is_before_them() {
    let data = text(240_000);
    for level in [1, 9] {
        let mut groups = Vec::new();
        for (i, piece) in data.chunks(40_000).enumerate() {
            let start = 40_000 * i;
            // The third and the fifth one continue what is before them.
            let window = if i == 2 || i == 4 { &data[start - 32_768..start] } else { &[] };
            let mut packed = Vec::new();
            let chunk = Chunk { window, data: piece, cuts: &[], is_last: i == 5 };
            zlib_ng::encode(Tuning::level(level), chunk, &mut packed);
            groups.push(Group::new(piece, packed));
        }
        let (out, result) = same_as_without(&member(&groups), "groups that look back");
        assert_same(&out, &data, "groups that look back");
        assert!(result.is_ok());
    }
}

#[test]
fn damage_is_judged_as_without_marks() {
    let groups = some_groups(7);
    let file = member(&groups);
    let mut numbers = Numbers(5);
    let mut at = HEADER.len();
    let mut places = Vec::new();
    for group in &groups {
        places.extend((0..mark::LEN).step_by(3).map(|i| at + i));
        at += mark::LEN;
        places.extend([at, at + group.packed.len() - 1, at + group.packed.len() - 5]);
        places.extend((0..6).map(|_| at + numbers.below(group.packed.len())));
        at += group.packed.len();
    }
    places.extend(at..file.len());
    for at in places {
        let mut damaged = file.clone();
        let bit = numbers.below(8);
        damaged[at] ^= 1 << bit;
        let (_, result) = same_as_without(&damaged, &format!("bit {bit} of {at} changed"));
        assert!(at < file.len() - 8 || result.is_err());
    }
}

#[test]
fn cut_files_are_judged_as_without_marks() {
    let groups = some_groups(4);
    let file = member(&groups);
    let mut places: Vec<usize> = (HEADER.len()..file.len()).step_by(file.len() / 40).collect();
    let mut at = HEADER.len();
    for group in &groups {
        places.extend([at, at + 1, at + 20, at + mark::LEN, at + mark::LEN + 1]);
        at += mark::LEN + group.packed.len();
        places.extend([at - 1, at]);
    }
    places.extend(file.len() - 9..file.len());
    for len in places {
        let (out, result) = same_as_without(&file[..len], &format!("cut to {len}"));
        assert!(result.is_err() && marks::data(&groups).starts_with(&out), "cut to {len}");
    }
}

#[test]
fn other_damage_is_judged_as_without_marks() {
    let mut numbers = Numbers(77);
    let file = member(&some_groups(5));
    for turn in 0..60 {
        let mut damaged = file.clone();
        for _ in 0..1 + numbers.below(3) {
            let at = HEADER.len() + numbers.below(damaged.len() - HEADER.len());
            let end = damaged.len().min(at + 1 + numbers.below(200));
            match numbers.below(4) {
                0 => damaged[at] = numbers.next() as u8,
                1 => drop(damaged.drain(at..end)),
                2 => {
                    let piece = damaged[at..end].to_vec();
                    drop(damaged.splice(at..at, piece));
                }
                _ => damaged[at..end].fill(0),
            }
        }
        let (_, result) = same_as_without(&damaged, &format!("turn {turn}"));
        assert!(result.is_err(), "turn {turn}");
    }
}

#[test]
fn a_wrong_checksum_is_found() {
    let groups = some_groups(5);
    let mut file = member(&groups);
    // Two neighbours swap places: each is what its mark says.
    let mut swapped = groups.clone();
    swapped.swap(1, 2);
    let trailer = file.split_off(file.len() - 8);
    let mut other = member(&swapped);
    other.truncate(other.len() - 8);
    other.extend_from_slice(&trailer);
    let (out, result) = same_as_without(&other, "swapped");
    assert_same(&out, &marks::data(&swapped), "swapped");
    assert_eq!(result.unwrap_err(), "x: invalid compressed data--crc error");
}

#[test]
fn what_follows_the_last_mark_is_decoded() {
    let groups = some_groups(5);
    let data = marks::data(&groups);
    let rest = text(400_000);
    // The stream goes on without marks behind the fourth group, with matches that reach back into it.
    let mut unmarked = groups.clone();
    let before = marks::data(&groups[..4]);
    let mut packed = Vec::new();
    let window = &before[before.len() - 32_768..];
    zlib_ng::encode(Tuning::level(6), Chunk { window, data: &rest, cuts: &[], is_last: true }, &mut packed);
    unmarked[4] = Group { data: rest.clone(), packed, mark: vec![] };
    let file = member(&unmarked);
    let (out, _) = same_as_without(&file, "a stream that goes on without marks");
    assert_same(&out, &marks::data(&unmarked), "a stream that goes on without marks");
    for (what, tail, decodes_to) in [
        ("a member", gzip(&rest), &rest),
        ("a marked member", member(&groups), &data),
        ("a mark", groups[0].mark.clone(), &Vec::new()),
        ("zeros", vec![0; 300_000], &Vec::new()),
        ("garbage", b"garbage".to_vec(), &Vec::new()),
    ] {
        for first in [&member(&groups), &file] {
            let file = [&first[..], &tail].concat();
            let (out, result) = same_as_without(&file, what);
            assert!(result.is_ok() && out.ends_with(decodes_to), "{what}: {result:?}");
        }
    }
    // Members of all kinds.
    let many = [member(&groups), gzip(&rest), file, support::rigz(&["-1n"], &rest), member(&groups)].concat();
    let expected = [&data, &rest, &marks::data(&unmarked), &rest, &data].map(|data| &data[..]).concat();
    let (out, result) = same_as_without(&many, "many");
    assert_same(&out, &expected, "many");
    assert!(result.is_ok());
}

#[test]
fn many_lying_members_take_no_longer() {
    // Each claims what follows it as its own, up to the most that is believed.
    let lie = Mark { packed_len: 8 << 20, data_len: 8 << 20 }.to_bytes().to_vec();
    let group = Group { mark: lie, ..last_group(b"a few bytes") };
    let one = member(&[group]);
    let count = (12 << 20) / one.len();
    let dir = Scratch::with_file("x.gz", &one.repeat(count));
    for threads in ["-p1", "-p2"] {
        let finished = dir.rigz(["-dc", threads]).stdin(dir.read("x.gz")).status(0);
        assert_same(&finished.out, &b"a few bytes".repeat(count), threads);
    }
}

#[test]
fn long_groups_take_bounded_memory() {
    const MIB: usize = 1 << 20;
    // Text is packed to a third; random bytes are not.
    for (kind, data) in [("text", text(4 * MIB)), ("random", random(4 * MIB, 9))] {
        let group = |is_last| {
            let mut packed = Vec::new();
            zlib_ng::encode(
                Tuning::level(1),
                Chunk { window: &[], data: &data, cuts: &[], is_last },
                &mut packed,
            );
            Group::new(&data, packed)
        };
        let mut groups = vec![group(false); 15];
        groups.push(group(true));
        let dir = Scratch::with_file("x.gz", &member(&groups));
        for threads in ["-p1", "-p2"] {
            let mut running = dir.rigz(["-dc", threads]).stdin_piped().start();
            let (mut stdin, mut stdout) =
                (running.child.stdin.take().unwrap(), running.child.stdout.take().unwrap());
            let file = dir.read("x.gz");
            let feeder = std::thread::spawn(move || stdin.write_all(&file));
            let mut first = vec![0; 60 * MIB];
            std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
            let peak = running.proc_status("VmHWM");
            assert!(peak < 64 << 10, "{kind}, {threads}: {peak} KiB at the peak");
            std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
            feeder.join().unwrap().unwrap();
            running.finish().status(0).stderr("");
        }
    }
}

#[test]
fn absurd_claims_allocate_nothing() {
    let mut groups = some_groups(3);
    for claim in [
        Mark { packed_len: u32::MAX, data_len: mark::DATA_LEN_END - 1 },
        Mark { packed_len: groups[1].packed.len() as u32, data_len: mark::DATA_LEN_END - 1 },
        Mark { packed_len: 1, data_len: 8 << 20 },
    ] {
        groups[1].mark = claim.to_bytes().to_vec();
        let dir = Scratch::with_file("x.gz", &member(&groups));
        for threads in ["-p1", "-p2"] {
            // In KiB, of address space.
            let run = dir.rigz(["-dc", threads, "x.gz"]).limited("-v", "400000");
            assert_same(&run.status(0).out, &marks::data(&groups), threads);
        }
    }
}

#[test]
fn the_test_vectors_of_the_format_document() {
    let document = include_str!("../docs/FORMAT.md");
    let (_, section) = document.split_once("## Seek marks").expect("there is such a section");
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    };
    let mut blocks = section.split("```").skip(1).step_by(2);
    let mut count = 0;
    for line in blocks.next().expect("a table of marks").lines().filter(|line| !line.is_empty()) {
        let (lens, hex) = line.split_once(':').expect("lengths: bytes");
        let (packed_len, data_len) = lens.split_once(',').expect("two lengths");
        let number = |text: &str| text.trim().replace('_', "").parse().unwrap();
        let mark = Mark { packed_len: number(packed_len), data_len: number(data_len) };
        assert_eq!(mark.to_bytes()[..], bytes(hex), "{line}");
        assert_eq!(Mark::read(&bytes(hex)), Some(mark), "{line}");
        count += 1;
    }
    assert_eq!(count, 4);
    let file = bytes(blocks.next().expect("a file"));
    assert_eq!(decode(&file).0, b"rigz reads marks\n");
    // Its marks are those that this program would write.
    let mut first = Vec::new();
    backend::stored::encode(Chunk { data: b"rigz reads ", ..Chunk::default() }, &mut first);
    let mut last = Vec::new();
    fixed::encode(b"marks\n", &mut last);
    assert_eq!(file, member(&[Group::new(b"rigz reads ", first), Group::new(b"marks\n", last)]));
}

#[test]
fn groups_that_rigz_writes_can_be_decoded_one_by_one() {
    const MIB: usize = 1 << 20;
    let data = [text(3 * MIB), random(6 * MIB, 7), vec![0; 5 * MIB + 1]].concat();
    let [usual, dense, densest] = [32, 64, 128].map(|count| count * stored::MAX_DATA_LEN);
    for (args, group_len) in [
        (&["-n4"][..], usual),
        (&["-n6"], usual),
        (&["-n9"], dense),
        (&["-n10"], densest),
        (&["-n6i", "-b512"], MIB / 2),
    ] {
        let file = support::rigz(args, &data);
        let (mut at, mut seen, mut unmarked) = (HEADER.len(), 0, 0);
        while at < file.len() - 8 {
            let expected = &data[seen..data.len().min(seen + group_len)];
            let (start, mark) = match Mark::read(&file[at..]) {
                Some(mark) => (at + mark::LEN, mark),
                None => (at, stored_group(&file[at..], expected.len())),
            };
            unmarked += usize::from(start == at);
            at = start + mark.packed_len as usize;
            assert_eq!(mark.data_len as usize, expected.len(), "{args:?}");
            let mut out = Vec::with_capacity(expected.len() + 1);
            let step = zlib_ng::Decoder::new().decode(&file[start..at], &mut out);
            assert_eq!(step.consumed, mark.packed_len as usize, "{args:?}");
            assert_eq!(step.stop == zlib_ng::Stop::End, at == file.len() - 8, "{args:?}");
            assert_same(&out, expected, "a group by itself");
            seen += out.len();
        }
        assert_eq!((at, seen), (file.len() - 8, data.len()), "{args:?}");
        assert_eq!(unmarked > 0, group_len < densest, "{args:?}");
        assert_same(&support::gunzip(&file), &data, "by gzip");
    }
    // What is one group needs no mark.
    let file = support::rigz(&["-n6"], &data[..usual]);
    assert_eq!(Mark::read(&file[HEADER.len()..]), None);
}

/// What a mark would say of the stored blocks with `data_len` bytes that `packed` begins with.
fn stored_group(packed: &[u8], data_len: usize) -> Mark {
    let mut run = stored::Run::default();
    while run.data_len < data_len {
        assert!(run.extend(&packed[run.packed_len..]), "a mark or stored blocks");
    }
    Mark { packed_len: run.packed_len as u32, data_len: run.data_len as u32 }
}
