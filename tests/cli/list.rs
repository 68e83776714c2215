//! `-l`.

use crate::support::members::header_len;
use crate::support::{Scratch, data, f_time, gzip, rigz};

const HEAD: &str = "         compressed        uncompressed  ratio uncompressed_name\n";
const VERBOSE_HEAD: &str = "method  crc     date  time  ";

/// The columns that gzip prints, for a file of `packed_len` bytes with this much header and trailer.
fn columns(packed_len: usize, overhead: usize, data_len: usize, name: &str) -> String {
    let saved = data_len as f64 - (packed_len - overhead) as f64;
    let percent = if data_len == 0 { 0.0 } else { 100.0 * saved / data_len as f64 };
    format!("{packed_len:19} {data_len:19} {percent:5.1}% {name}\n")
}

fn row(packed: &[u8], data_len: usize, name: &str) -> String {
    columns(packed.len(), header_len(packed) + 8, data_len, name)
}

#[test]
fn a_file_has_a_headline_and_a_row() {
    let dir = Scratch::with_f_and_gz();
    let row = row(&dir.read("f.gz"), data::seq().len(), "f");
    for args in [&["-l", "f.gz"][..], &["--list", "f.gz"], &["-l", "f"], &["-ld", "f.gz"]] {
        if args[1] == "f" {
            std::fs::remove_file(dir.path("f")).unwrap();
        }
        dir.rigz(args).status(0).stdout(format!("{HEAD}{row}")).stderr("");
    }
    dir.rigz(["-lq", "f.gz"]).status(0).stdout(&row).stderr("");
    assert_eq!(dir.names(), ["f.gz"]);
}

#[test]
fn rows_equal_those_of_gzip() {
    let dir = Scratch::with_f_and_gz();
    std::fs::create_dir(dir.path("d")).unwrap();
    dir.write("d/g.tgz", &gzip(&data::text(100_000)));
    dir.write("empty.gz", &gzip(b""));
    dir.write("odd", &gzip(b"x"));
    for args in ["-l", "-lv", "-lq", "-lN", "-lvN", "-lvq"] {
        for name in ["f.gz", "d/g.tgz", "empty.gz", "odd"] {
            let by_gzip = dir.tool("gzip", [args, name]).status(0);
            dir.rigz([args, name]).status(0).stderr("").stdout(by_gzip.out);
        }
    }
}

#[test]
fn verbose_lists_have_checksum_and_local_time() {
    let dir = Scratch::with_f_and_gz();
    let crc = rigz::checksum::crc32(&data::seq());
    let row = row(&dir.read("f.gz"), data::seq().len(), "f");
    let expected = |date: &str| format!("{VERBOSE_HEAD}{HEAD}defla {crc:08x} {date} {row}");
    assert_eq!(dir.mtime("f.gz"), f_time());
    dir.rigz(["-lv", "f.gz"]).status(0).stderr("").stdout(expected("Mar  5 06:07"));
    dir.rigz(["-lv", "f.gz"]).env("TZ", "EST5").status(0).stdout(expected("Mar  5 01:07"));
    dir.rigz(["-lv", "f.gz"]).env("TZ", "XXX-20").status(0).stdout(expected("Mar  6 02:07"));
}

#[test]
fn several_files_have_totals() {
    let dir = Scratch::with_f_and_gz();
    let packed = dir.read("f.gz");
    let (row, len) = (row(&packed, data::seq().len(), "f"), data::seq().len());
    // gzip takes the header of the last file only off the total.
    let totals = columns(2 * packed.len(), header_len(&packed) + 8, 2 * len, "(totals)");
    dir.rigz(["-l", "f.gz", "f.gz"]).status(0).stderr("").stdout(format!("{HEAD}{row}{row}{totals}"));
    dir.rigz(["-lq", "f.gz", "f.gz"]).status(0).stderr("").stdout(format!("{row}{row}"));
    let verbose = dir.rigz(["-lv", "f.gz", "f.gz"]).status(0).out_text();
    assert_eq!(verbose.lines().last().unwrap(), format!("{}{}", " ".repeat(28), totals.trim_end()));
}

#[test]
fn names_are_without_suffix_or_from_the_header() {
    let dir = Scratch::with_f_and_gz();
    std::fs::rename(dir.path("f.gz"), dir.path("g.tgz")).unwrap();
    let packed = dir.read("g.tgz");
    let row = |name: &str| format!("{HEAD}{}", row(&packed, data::seq().len(), name));
    dir.rigz(["-l", "g.tgz"]).status(0).stdout(row("g.tar"));
    dir.rigz(["-l", "./g.tgz"]).status(0).stdout(row("./g.tar"));
    dir.rigz(["-lN", "g.tgz"]).status(0).stdout(row("f"));
    dir.rigz(["-l"]).stdin_file(dir.path("g.tgz")).status(0).stdout(row("stdout"));
    dir.rigz(["-l", "-"]).stdin(&*packed).status(0).stdout(row("stdout"));
    std::fs::rename(dir.path("g.tgz"), dir.path("g.foo")).unwrap();
    dir.rigz(["-l", "g.foo"]).status(0).stdout(row("g.foo"));
}

#[test]
fn several_members_are_added_up() {
    let packed = [gzip(b"one"), gzip(b"three")].concat();
    let dir = Scratch::with_file("x.gz", &packed);
    let listed = dir.rigz(["-l", "x.gz"]).status(0).stderr("").out_text();
    let fields: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(fields[..2], [packed.len().to_string(), "8".to_owned()]);
    let data = data::text(900_000);
    for level in ["-6", "-9", "--bgzf"] {
        dir.write("y.gz", &rigz(&[level], &data));
        let listed = dir.rigz(["-l", "y.gz"]).status(0).stderr("").out_text();
        let fields: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(fields[..2], [dir.read("y.gz").len().to_string(), "900000".to_owned()], "{level}");
    }
}

#[test]
fn damaged_files_have_no_row() {
    let packed = gzip(&data::seq());
    let dir = Scratch::with_file("x.gz", &packed[..packed.len() / 2]);
    dir.rigz(["-l", "x.gz"]).status(1).stdout("").stderr("\nrigz: x.gz: unexpected end of file\n");
    dir.write("t", b"text");
    dir.rigz(["-l", "t"]).status(1).stdout("").stderr("\nrigz: t: not in gzip format\n");
}

#[test]
fn garbage_at_the_end_is_a_warning() {
    let dir = Scratch::with_file("x.gz", &[gzip(&data::seq()), b"garbage".to_vec()].concat());
    let run = dir.rigz(["-l", "x.gz"]).status(2);
    assert!(run.out_text().ends_with(" x\n"), "it has a row all the same: {run:?}");
    run.stderr("\nrigz: x.gz: decompression OK, trailing garbage ignored\n");
}

#[test]
fn sizes_beyond_four_gib_are_told_as_they_are() {
    let packed = data::zeros_member(1 << 32);
    let dir = Scratch::with_file("big.gz", &packed);
    let list = dir.rigz(["-l", "big.gz"]).status(0).stderr("").out_text();
    assert!(
        list.lines().nth(1).unwrap().contains(&format!("{:19} {:19} ", packed.len(), 1u64 << 32)),
        "{list}"
    );
}

#[test]
fn a_pipe_has_the_time_zero() {
    let dir = Scratch::new();
    let packed = gzip(b"data");
    let listed = || dir.rigz(["-lv"]).stdin(&*packed).status(0).stderr("").out_text();
    assert!(listed().contains(" Jan  1 00:00 "), "{}", listed());
}

#[test]
fn files_without_data_have_no_totals() {
    let dir = Scratch::with_file("e.gz", &gzip(b""));
    let listed = dir.rigz(["-l", "e.gz", "e.gz"]).status(0).stderr("").out_text();
    assert_eq!(listed.lines().count(), 3, "{listed}");
}

#[test]
fn stored_names_are_listed_without_folders() {
    let member = [&b"\x1f\x8b\x08\x08\0\0\0\0\0\x03../../etc/evil\0"[..], &gzip(b"hello")[10..]].concat();
    let dir = Scratch::with_file("x.gz", &member);
    let listed = dir.rigz(["-lqN", "x.gz"]).status(0).stderr("").out_text();
    assert!(listed.ends_with("% evil\n"), "{listed}");
}
