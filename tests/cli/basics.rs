//! Files replaced by files, standard input and output, several operands.

use crate::support::members::members;
use crate::support::{F_SECONDS, Scratch, assert_same, data, f_time, gunzip, gzip, rigz};

#[test]
fn a_file_is_replaced_by_its_compressed_form() {
    let dir = Scratch::with_f();
    dir.rigz(["f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.gz"]);
    dir.tool("gzip", ["-t", "f.gz"]).status(0).stderr("");
    assert_eq!(dir.mtime("f.gz"), f_time());
}

#[test]
fn a_compressed_file_is_replaced_by_its_content() {
    let dir = Scratch::with_f();
    dir.rigz(["f"]).status(0);
    dir.rigz(["-d", "f.gz"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f"]);
    assert_same(&dir.read("f"), &data::seq(), "f");
    assert_eq!(dir.mtime("f"), f_time());
}

#[test]
fn keep_leaves_the_input_in_place() {
    let dir = Scratch::with_f();
    dir.rigz(["-k", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f", "f.gz"]);
    std::fs::remove_file(dir.path("f")).unwrap();
    dir.rigz(["-dk", "f.gz"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f", "f.gz"]);
}

#[test]
fn stdout_leaves_the_input_in_place() {
    let dir = Scratch::with_f();
    let packed = dir.rigz(["-c", "f"]).status(0).stderr("").into_stdout();
    assert_same(&gunzip(&packed), &data::seq(), "f");
    dir.write("f.gz", &packed);
    dir.rigz(["-dc", "f.gz"]).status(0).stderr("").stdout(data::seq());
    assert_eq!(dir.names(), ["f", "f.gz"]);
}

#[test]
fn an_empty_file_is_compressed_too() {
    let dir = Scratch::with_file("e", b"");
    dir.rigz(["-n", "e"]).status(0).stdout("").stderr("");
    assert_eq!(dir.read("e.gz").len(), 20);
    dir.rigz(["-d", "e.gz"]).status(0).stdout("").stderr("");
    assert_eq!((dir.names(), dir.read("e")), (vec!["e".to_owned()], vec![]));
}

#[test]
fn the_header_has_name_and_time_of_a_file() {
    let dir = Scratch::with_f();
    std::fs::create_dir(dir.path("d")).unwrap();
    std::fs::rename(dir.path("f"), dir.path("d/f")).unwrap();
    let expected = [b"\x1f\x8b\x08\x08".as_slice(), &(F_SECONDS as u32).to_le_bytes(), b"\0\x03f\0"].concat();
    let packed = dir.rigz(["-c", "d/f"]).status(0).into_stdout();
    assert_eq!(packed[..12], expected);
}

#[test]
fn the_header_has_the_time_of_a_redirected_file() {
    let dir = Scratch::with_f();
    let packed = dir.rigz(["-c"]).stdin_file(dir.path("f")).status(0).into_stdout();
    assert_eq!(packed[..10], *b"\x1f\x8b\x08\0\x8c\xb6\xe6\x65\0\x03");
}

#[test]
fn the_header_of_a_stream_has_neither_name_nor_time() {
    for args in [&["-c"][..], &["-cN"], &["-cn"]] {
        assert_eq!(rigz(args, b"hello")[..10], *b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "{args:?}");
    }
}

#[test]
fn without_name_and_time_equal_data_give_equal_bytes() {
    let dir = Scratch::with_f();
    dir.write("other", &data::seq());
    let first = dir.rigz(["-n", "-c", "f"]).status(0).into_stdout();
    let second = dir.rigz(["--no-name", "-c", "other"]).status(0).into_stdout();
    assert_same(&second, &first, "other");
    assert_same(&rigz(&[], &data::seq()), &first, "a pipe");
    let named = dir.rigz(["-nN", "-c", "f"]).status(0).into_stdout();
    assert_eq!(named[3], 8, "the last of -n and -N wins");
}

#[test]
fn the_level_stands_in_the_header() {
    let dir = Scratch::with_f();
    for (args, xfl) in [
        (&["-1"][..], 4),
        (&["-2"], 0),
        (&["-6"], 0),
        (&["-8"], 0),
        (&["-9"], 2),
        (&["-0"], 0),
        (&["--fast"], 4),
        (&["--best"], 2),
        (&["-1", "-9"], 2),
        (&["-19"], 2),
        (&["-91"], 4),
        (&[], 0),
    ] {
        let packed = dir.rigz([args, &["-c", "f"]].concat()).status(0).into_stdout();
        assert_eq!((packed[8], packed[9], packed[3]), (xfl, 3, 8), "{args:?}");
        assert_eq!(packed[10..12], *b"f\0");
    }
}

#[test]
fn bundles_and_abbreviations_decompress() {
    let dir = Scratch::with_f_and_gz();
    for args in
        [&["-9dc"][..], &["-cd9"], &["--dec", "-c"], &["--uncompress", "--to-stdout"], &["-d", "--std"]]
    {
        dir.rigz([args, &["f.gz"]].concat()).status(0).stderr("").stdout(data::seq());
    }
    assert_eq!(dir.names(), ["f", "f.gz"]);
}

#[test]
fn options_may_follow_operands() {
    let dir = Scratch::with_f();
    dir.rigz(["f", "-9", "-k"]).status(0).stdout("").stderr("");
    assert_eq!((dir.names(), dir.read("f.gz")[8]), (vec!["f".to_owned(), "f.gz".to_owned()], 2));
}

#[test]
fn what_follows_two_dashes_is_an_operand() {
    let dir = Scratch::with_file("-x", b"hello");
    dir.rigz(["--", "-x"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["-x.gz"]);
}

#[test]
fn a_dash_is_standard_input_even_after_two_dashes() {
    Scratch::new().rigz(["-cdfq", "--", "-"]).stdin("x").status(0).stdout("x").stderr("");
    let packed = Scratch::new().rigz(["-"]).stdin("x").status(0).stderr("").into_stdout();
    assert_eq!(gunzip(&packed), b"x");
}

#[test]
fn standard_input_may_stand_between_files() {
    let dir = Scratch::with_file("a.gz", &gzip(b"three\n"));
    let run = |args: &[&str]| dir.rigz(args).stdin_file(dir.path("a.gz"));
    run(&["-dc", "a.gz", "-", "a.gz"]).status(0).stdout("three\n".repeat(3)).stderr("");
    run(&["-dc", "-", "a.gz", "-"])
        .status(1)
        .stdout("three\n".repeat(2))
        .stderr("\nrigz: stdin: unexpected end of file\n");
}

#[test]
fn standard_input_is_read_to_its_end_whatever_its_size() {
    let big = data::text(400_000);
    let dir = Scratch::with_file("b.gz", &gzip(&big));
    dir.write("b", &big);
    let twice = dir.rigz(["-dc", "-", "-"]).stdin_file(dir.path("b.gz")).status(1);
    twice.stdout(&big).stderr("\nrigz: stdin: unexpected end of file\n");
    let packed = dir.rigz(["-c", "-", "-"]).stdin_file(dir.path("b")).status(0).into_stdout();
    let lens: Vec<_> =
        members(&packed).iter().map(|member| member.data.len()).filter(|len| *len > 0).collect();
    assert_eq!(lens.iter().sum::<usize>(), big.len(), "the second time nothing is left");
}

#[test]
fn several_operands_give_one_output_each() {
    let dir = Scratch::with_file("a", b"first");
    dir.write("b", b"second");
    let packed = dir.rigz(["-c", "a", "b"]).status(0).stderr("").into_stdout();
    let data: Vec<_> = members(&packed).into_iter().map(|member| member.data).collect();
    assert_eq!(data, [b"first".to_vec(), b"second".to_vec()]);
    dir.rigz(["a", "b"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["a.gz", "b.gz"]);
    dir.rigz(["-dc", "a.gz", "b.gz"]).status(0).stdout("firstsecond").stderr("");
}

#[test]
fn a_missing_file_does_not_keep_others_from_being_compressed() {
    let dir = Scratch::with_file("ok", b"hello");
    let run = dir.rigz(["nofile", "ok"]).status(1).stdout("");
    run.stderr("rigz: nofile: No such file or directory\n");
    assert_eq!(dir.names(), ["ok.gz"]);
}

#[test]
fn a_missing_compressed_file_is_named_with_its_suffix() {
    let dir = Scratch::new();
    for args in [["-d", "nofile"], ["-t", "nofile"], ["-dc", "nofile"], ["-l", "nofile"]] {
        dir.rigz(args).status(1).stdout("").stderr("rigz: nofile.gz: No such file or directory\n");
    }
    dir.rigz(["-d", "nofile.gz"]).status(1).stderr("rigz: nofile.gz: No such file or directory\n");
    dir.rigz(["-d", "nofile.foo"]).status(1).stderr("rigz: nofile.foo.gz: No such file or directory\n");
}

#[test]
fn the_suffix_may_be_left_out() {
    for suffix in [".gz", ".z", "-z", ".Z"] {
        let dir = Scratch::with_file(&format!("f{suffix}"), &gzip(b"hello"));
        dir.rigz(["-d", "f"]).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.read("f")), (vec!["f".to_owned()], b"hello".to_vec()), "{suffix}");
    }
}

#[test]
fn files_with_a_known_suffix_are_not_compressed_again() {
    for name in ["f.gz", "f.tgz", "f.GZ", "f.Z", "f-gz", "f_z", "f.taz"] {
        let dir = Scratch::with_file(name, b"hello");
        let suffix = &name[1..];
        let run = dir.rigz([name]).status(0).stdout("");
        run.stderr(format!("rigz: {name} already has {suffix} suffix -- unchanged\n"));
        assert_eq!((dir.names(), dir.read(name)), (vec![name.to_owned()], b"hello".to_vec()));
        dir.rigz(["-q", name]).status(0).stdout("").stderr("");
    }
}

#[test]
fn force_and_stdout_compress_files_with_a_known_suffix() {
    let dir = Scratch::with_file("f.gz", b"hello");
    let packed = dir.rigz(["-c", "f.gz"]).status(0).stderr("").into_stdout();
    assert_eq!(gunzip(&packed), b"hello");
    dir.rigz(["-f", "f.gz"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.gz.gz"]);
}

#[test]
fn files_without_a_known_suffix_are_not_decompressed() {
    let dir = Scratch::with_file("f.foo", &gzip(b"hello"));
    dir.rigz(["-d", "f.foo"]).status(2).stdout("").stderr("rigz: f.foo: unknown suffix -- ignored\n");
    dir.rigz(["-dq", "f.foo"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.foo"]);
    for args in [["-dc", "f.foo"], ["-dc", "./f.foo"]] {
        dir.rigz(args).status(0).stdout("hello").stderr("");
    }
    dir.rigz(["-t", "f.foo"]).status(0).stdout("").stderr("");
    dir.write(".gz", &gzip(b"hello"));
    dir.rigz(["-d", ".gz"]).status(2).stderr("rigz: .gz: unknown suffix -- ignored\n");
}

#[test]
fn errors_win_over_warnings_in_either_order() {
    let dir = Scratch::with_file("f.foo", b"");
    dir.rigz(["-d", "f.foo", "nofile.gz"]).status(1);
    dir.rigz(["-d", "nofile.gz", "f.foo"]).status(1);
}

#[test]
fn each_suffix_is_taken_off_as_it_stands() {
    for (packed, plain) in [
        ("f.z", "f"),
        ("f.Z", "f"),
        ("f.taz", "f.tar"),
        ("f.tgz", "f.tar"),
        ("f-gz", "f"),
        ("f-z", "f"),
        ("f_z", "f"),
        ("f.TGZ", "f.tar"),
        ("f.GZ", "f"),
    ] {
        let dir = Scratch::with_file(packed, &gzip(b"hello"));
        dir.rigz(["-d", packed]).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.read(plain)), (vec![plain.to_owned()], b"hello".to_vec()), "{packed}");
    }
}

#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let dir = Scratch::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe\n");
    std::fs::write(dir.root().join(name), b"hello").unwrap();
    dir.rigz([name]).status(0).stdout("").stderr("");
    let packed = std::fs::read(dir.root().join(std::ffi::OsStr::from_bytes(b"\xff\xfe\n.gz"))).unwrap();
    assert_eq!(packed[10..14], *b"\xff\xfe\n\0");
}

#[test]
fn a_name_that_would_get_too_long_is_shortened() {
    let name = "a".repeat(253);
    let dir = Scratch::with_file(&name, b"data");
    let short = format!("{}.gz", "a".repeat(252));
    dir.rigz([&name]).status(0).stdout("").stderr(format!("rigz: {name} compressed to {short}\n"));
    assert_eq!(dir.names(), [short.as_str()]);
    dir.rigz(["-dN", &short]).status(0).stdout("").stderr("");
    assert_eq!((dir.names(), dir.read(&name)), (vec![name.clone()], b"data".to_vec()));

    let name = format!("{}.txt.html", "b".repeat(245));
    let dir = Scratch::with_file(&name, b"data");
    dir.rigz(["-q", &name]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), [format!("{}.txt.htm.gz", "b".repeat(244))]);
}

#[test]
fn names_that_no_file_can_have_are_errors() {
    let (long, endless) = ("n".repeat(256), "n".repeat(5000));
    for name in [&long, &endless] {
        let run = Scratch::new().rigz([name]).status(1).stdout("");
        run.stderr(format!("rigz: {name}: File name too long\n"));
    }
    Scratch::new().rigz([""]).status(1).stderr("rigz: : No such file or directory\n");
}

#[test]
fn a_long_tar_name_becomes_tgz() {
    let name = format!("{}.tar", "t".repeat(250));
    let short = format!("{}.tgz", "t".repeat(250));
    let dir = Scratch::with_file(&name, b"data");
    dir.rigz([&name]).status(0).stdout("").stderr(format!("rigz: {name} compressed to {short}\n"));
    dir.rigz(["-d", &short]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), [name]);
}
