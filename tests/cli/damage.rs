//! Damaged files on disk: what is reported, what is kept, what is removed.

use crate::support::{Scratch, assert_same, data, gzip};

/// `rigz -d x.gz` fails in these words, keeps `x.gz` and leaves nothing else.
#[track_caller]
fn refused(packed: &[u8], message: &str) {
    let dir = Scratch::with_file("x.gz", packed);
    dir.rigz(["-d", "x.gz"]).status(1).stdout("").stderr(message);
    dir.rigz(["-t", "x.gz"]).status(1).stdout("").stderr(message);
    dir.rigz(["-dq", "x.gz"]).status(1).stdout("").stderr(message);
    assert_eq!(dir.names(), ["x.gz"]);
    assert_same(&dir.read("x.gz"), packed, "x.gz");
}

const EOF: &str = "\nrigz: x.gz: unexpected end of file\n";
const NOT_GZIP: &str = "\nrigz: x.gz: not in gzip format\n";
const CRC: &str = "\nrigz: x.gz: invalid compressed data--crc error\n";
const LENGTH: &str = "\nrigz: x.gz: invalid compressed data--length error\n";
const VIOLATED: &str = "\nrigz: x.gz: invalid compressed data--format violated\n";

#[test]
fn what_is_not_gzip_is_refused() {
    refused(b"some text\n", NOT_GZIP);
    refused(b"\0\0\0\0", NOT_GZIP);
    refused(b"BZh91AY&SY", NOT_GZIP);
    refused(&vec![b'x'; 300_000], NOT_GZIP);
}

#[test]
fn an_empty_file_is_cut_off() {
    refused(b"", EOF);
    Scratch::new().rigz(["-dc"]).status(1).stdout("").stderr("\nrigz: stdin: unexpected end of file\n");
}

#[test]
fn a_cut_file_leaves_nothing_behind() {
    for data in [data::seq(), data::text(900_000)] {
        let packed = gzip(&data);
        refused(&packed[..packed.len() / 2], EOF);
        refused(&packed[..5], EOF);
        refused(&packed[..packed.len() - 4], EOF);
        refused(&packed[..packed.len() - 8], EOF);
        let dir = Scratch::with_file("x.gz", &packed[..packed.len() / 2]);
        let run = dir.rigz(["-dc", "x.gz"]).status(1).stderr(EOF);
        assert!(data.starts_with(&run.out) && run.out.len() > data.len() / 3, "{run:?}");
    }
}

#[test]
fn wrong_trailers_are_reported() {
    let packed = gzip(&data::seq());
    let with = |from_end: usize| {
        let mut damaged = packed.clone();
        damaged[packed.len() - from_end] ^= 0x10;
        damaged
    };
    refused(&with(8), CRC);
    refused(&with(1), LENGTH);
    refused(&[&packed[..], &with(5)].concat(), CRC);
    refused(&[&packed[..], &with(4)].concat(), LENGTH);
    refused(&[with(8), packed.clone()].concat(), CRC);
    let mut both = with(8);
    let len = both.len();
    both[len - 2] ^= 1;
    refused(&both, &format!("{CRC}{LENGTH}"));
}

#[test]
fn a_block_of_an_unknown_type_is_reported() {
    refused(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x07\0\0\0\0\0\0\0\0\0", VIOLATED);
}

#[test]
fn headers_that_are_not_supported_are_reported() {
    let with = |at: usize, value: u8| {
        let mut damaged = gzip(b"hello");
        damaged[at] = value;
        damaged
    };
    refused(&with(2, 7), "rigz: x.gz: unknown method 7 -- not supported\n");
    refused(&with(3, 0x80), "rigz: x.gz has flags 0x80 -- not supported\n");
    refused(&with(3, 0x20), "rigz: x.gz is encrypted -- not supported\n");
    let dir = Scratch::with_file("x.gz", &[&with(3, 2)[..10], &[0, 0], &gzip(b"hello")[10..]].concat());
    dir.rigz(["-d", "x.gz"])
        .status(1)
        .stdout("")
        .stderr_has("rigz: x.gz: header checksum 0x0000 != computed");
    assert_eq!(dir.names(), ["x.gz"]);
}

#[test]
fn zeros_at_the_end_are_no_damage() {
    for count in [1, 512, 200_000] {
        let packed = [gzip(&data::seq()), vec![0; count]].concat();
        let dir = Scratch::with_file("x.gz", &packed);
        dir.rigz(["-t", "x.gz"]).status(0).stdout("").stderr("");
        dir.rigz(["-tv", "x.gz"]).status(2).stdout("").stderr_has("trailing zero bytes ignored");
        dir.rigz(["-d", "x.gz"]).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.read("x")), (vec!["x".to_owned()], data::seq()));
    }
}

#[test]
fn garbage_at_the_end_is_a_warning() {
    let warning = "\nrigz: x.gz: decompression OK, trailing garbage ignored\n";
    for tail in [b"garbage".to_vec(), [&[0; 512], &b"garbage"[..]].concat()] {
        let dir = Scratch::with_file("x.gz", &[gzip(&data::seq()), tail].concat());
        dir.rigz(["-dc", "x.gz"]).status(2).stdout(data::seq()).stderr(warning);
        dir.rigz(["-dcq", "x.gz"]).status(2).stdout(data::seq()).stderr("");
        dir.rigz(["-t", "x.gz"]).status(2).stdout("").stderr(warning);
        dir.rigz(["-d", "x.gz"]).status(2).stdout("").stderr(warning);
        assert_eq!((dir.names(), dir.read("x")), (vec!["x".to_owned()], data::seq()));
    }
}

#[test]
fn one_byte_at_the_end_might_begin_a_member() {
    for byte in [b'g', 1, 0x1f] {
        refused(&[gzip(&data::seq()), vec![byte]].concat(), EOF);
    }
}

#[test]
fn all_members_are_decoded() {
    for pieces in [&["one", "two"][..], &["one", "", "two"], &["", ""], &["", "x", ""]] {
        let packed: Vec<u8> = pieces.iter().flat_map(|piece| gzip(piece.as_bytes())).collect();
        let dir = Scratch::with_file("x.gz", &packed);
        dir.rigz(["-d", "x.gz"]).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.read("x")), (vec!["x".to_owned()], pieces.concat().into_bytes()));
    }
}

#[test]
fn force_and_stdout_copy_what_is_not_compressed() {
    let dir = Scratch::with_f_and_gz();
    dir.write("x", b"\x1f");
    dir.write("empty", b"");
    dir.rigz(["-dcf", "f"]).status(0).stdout(data::seq()).stderr("");
    dir.rigz(["-dcf"]).status(0).stdout("").stderr("");
    dir.rigz(["-dcf", "empty"]).status(0).stdout("").stderr("");
    dir.rigz(["-dcf", "x"]).status(0).stdout("\x1f").stderr("");
    dir.rigz(["-dcf", "f.gz", "f"]).status(0).stdout([data::seq(), data::seq()].concat()).stderr("");
    let big = data::random(700_000, 4);
    dir.write("big", &big);
    dir.rigz(["-dcf", "big"]).status(0).stdout(&big).stderr("");
    dir.rigz(["-dcf"]).stdin(&*big).status(0).stdout(&big).stderr("");
}

#[test]
fn force_and_stdout_copy_what_follows_the_last_member() {
    for tail in [&b"t\n"[..], b"\0\0\0", b"g", b"longer text\n"] {
        let packed = [&gzip(&data::seq()), tail].concat();
        let run = Scratch::new().rigz(["-dcf"]).stdin(packed).status(0);
        run.stdout([&data::seq(), tail].concat()).stderr("");
    }
}

#[test]
fn force_and_stdout_do_not_hide_that_a_header_is_cut_off() {
    let packed = gzip(b"hello");
    for len in [2, 3, 9] {
        let run = Scratch::new().rigz(["-dcf"]).stdin(&packed[..len]).status(1).stdout("");
        run.stderr("\nrigz: stdin: unexpected end of file\n");
    }
}

#[test]
fn force_alone_does_not_make_text_a_compressed_file() {
    let dir = Scratch::with_file("x.gz", b"text");
    dir.rigz(["-df", "x.gz"]).status(1).stdout("").stderr(NOT_GZIP);
    assert_eq!(dir.names(), ["x.gz"]);
}

#[test]
fn testing_with_force_accepts_text_and_prints_nothing() {
    let dir = Scratch::with_file("text", b"text");
    dir.rigz(["-tf", "text"]).status(0).stdout("").stderr("");
    dir.rigz(["-tcf", "text"]).status(0).stdout("").stderr("");
    dir.rigz(["-lcf", "text"]).status(1).stdout("").stderr("\nrigz: text: not in gzip format\n");
}

#[test]
fn a_bad_file_does_not_keep_others_from_being_tested() {
    let good = gzip(&data::seq());
    let dir = Scratch::with_file("ok.gz", &good);
    dir.write("ok2.gz", &good);
    dir.write("bad", b"text");
    dir.write("trunc.gz", &good[..100]);
    let mut damaged = good.clone();
    damaged[good.len() - 6] ^= 1;
    dir.write("crc.gz", &damaged);
    let run = dir.rigz(["-tv", "bad", "crc.gz", "ok.gz", "trunc.gz", "ok2.gz"]).status(1).stdout("");
    let text = run.err_text();
    let mut rest = text.as_str();
    for expected in [
        "rigz: bad: not in gzip format\n",
        "rigz: crc.gz: invalid compressed data--crc error\n",
        "ok.gz:\t OK\n",
        "rigz: trunc.gz: unexpected end of file\n",
        "ok2.gz:\t OK\n",
    ] {
        let at = rest.find(expected).unwrap_or_else(|| panic!("{expected:?} is missing in {text}"));
        rest = &rest[at + expected.len()..];
    }
    dir.rigz(["-d", "trunc.gz", "ok.gz", "ok2.gz"]).status(1);
    assert_eq!(dir.names(), ["bad", "crc.gz", "ok", "ok2", "trunc.gz"]);
}

#[test]
fn a_file_with_a_later_member_that_is_not_supported_is_kept() {
    let mut later = gzip(b"later");
    later[2] = 7;
    let dir = Scratch::with_file("f.gz", &[gzip(b"first"), later].concat());
    let run = dir.rigz(["-d", "f.gz"]).status(1).stdout("");
    run.stderr("rigz: f.gz: unknown method 7 -- not supported\n");
    assert_eq!(dir.names(), ["f.gz"]);
}

#[test]
fn force_given_twice_does_not_trust_a_bad_header() {
    for (flags, sum) in [(0x20, &b""[..]), (0x02, b"\0\0")] {
        let mut packed = gzip(b"data");
        packed[3] |= flags;
        packed.splice(10..10, sum.iter().copied());
        let dir = Scratch::with_file("f.gz", &packed);
        for force in ["-f", "-ff"] {
            dir.rigz(["-d", force, "f.gz"]).status(1).stdout("").stderr_has("rigz: f.gz");
            assert_eq!(dir.names(), ["f.gz"]);
        }
    }
}
