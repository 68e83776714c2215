//! The command line itself: what is refused, what is printed, suffixes, names of the program.

use crate::support::{RIGZ, Scratch, assert_same, data, gunzip, gzip};

const TRY: &str = "Try `rigz --help' for more information.\n";

#[test]
fn wrong_options_are_refused_in_getopts_words() {
    for (args, message) in [
        (&["--bogus"][..], "unrecognized option '--bogus'"),
        (&["--bogus=x"], "unrecognized option '--bogus=x'"),
        (&["-y"], "invalid option -- 'y'"),
        (&["-cy"], "invalid option -- 'y'"),
        (&["-S"], "option requires an argument -- 'S'"),
        (&["--suffix"], "option '--suffix' requires an argument"),
        (&["--keep=x"], "option '--keep' doesn't allow an argument"),
    ] {
        let dir = Scratch::with_f();
        let run = dir.rigz([&["f"], args].concat()).status(1).stdout("");
        run.stderr(format!("rigz: {message}\n{TRY}"));
        assert_eq!(dir.names(), ["f"], "{args:?}");
    }
}

#[test]
fn ambiguous_abbreviations_are_refused() {
    let run = Scratch::new().rigz(["--s"]).status(1).stdout("");
    run.stderr_has("option '--s' is ambiguous; possibilities:").stderr_has(TRY);
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for args in [["-p", "0"], ["-p", "x"], ["-S", ""], ["-S", "a/b"]] {
        let dir = Scratch::with_f();
        let run = dir.rigz([&args[..], &["f"]].concat()).status(1).stdout("");
        assert!(!run.err.is_empty() && run.err_text().lines().count() == 1, "{run:?}");
        assert_eq!(dir.names(), ["f"], "{args:?}");
    }
    Scratch::new().rigz(["-S", ""]).status(1).stderr("rigz: invalid suffix ''\n");
    Scratch::new().rigz(["-S", "a/b"]).status(1).stderr_has("rigz: suffix contains '/'");
}

#[test]
fn a_suffix_may_be_chosen() {
    for args in [&["-S", ".foo"][..], &["-S.foo"], &["--suffix=.foo"], &["--suffix", ".foo"], &["--suf=.foo"]]
    {
        let dir = Scratch::with_f();
        dir.rigz([args, &["f"]].concat()).status(0).stdout("").stderr("");
        assert_eq!(dir.names(), ["f.foo"], "{args:?}");
        dir.rigz([args, &["-d", "f.foo"]].concat()).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.read("f")), (vec!["f".to_owned()], data::seq()), "{args:?}");
    }
}

#[test]
fn a_chosen_suffix_is_known_too() {
    let dir = Scratch::with_file("f.foo", &gzip(b"hello"));
    let run = dir.rigz(["-S", ".foo", "f.foo"]).status(0).stdout("");
    run.stderr("rigz: f.foo already has .foo suffix -- unchanged\n");
    dir.rigz(["-S", ".foo", "-d", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f"]);
}

#[test]
fn help_version_and_license_are_printed_on_stdout() {
    for (args, word) in
        [(["-h"], "Usage: rigz"), (["--help"], "Usage: rigz"), (["-V"], "rigz "), (["--version"], "rigz ")]
    {
        let run = Scratch::new().rigz(args).status(0).stderr("");
        assert!(run.out_text().starts_with(word) && run.out_text().ends_with('\n'), "{run:?}");
    }
    for args in [["-L"], ["--license"]] {
        assert!(!Scratch::new().rigz(args).status(0).stderr("").out.is_empty());
    }
}

#[test]
fn help_touches_no_operand() {
    let dir = Scratch::with_f();
    dir.rigz(["f", "--help"]).status(0);
    assert_eq!(dir.names(), ["f"]);
}

#[test]
fn printing_where_nothing_can_be_written_fails() {
    let dir = Scratch::with_f_and_gz();
    for what in ["--help", "--version", "--license", "-c f", "-dc f.gz", "-l f.gz"] {
        let run = dir.shell(&format!("exec $R {what} >/dev/full")).status(1);
        run.stderr("\nrigz: stdout: No space left on device\n");
    }
    for threads in [1, 2] {
        dir.write("big", &data::random(5 << 20, 3));
        for what in ["-1c", "-9c", "-0c"] {
            let run = dir.shell(&format!("exec $R -p{threads} {what} big >/dev/full")).status(1);
            run.stderr("\nrigz: stdout: No space left on device\n");
        }
        dir.tool("gzip", ["-1kf", "big"]).status(0);
        let run = dir.shell(&format!("exec $R -p{threads} -dc big.gz >/dev/full")).status(1);
        run.stderr("\nrigz: stdout: No space left on device\n");
    }
    assert_eq!(dir.names(), ["big", "big.gz", "f", "f.gz"]);
}

#[test]
fn a_table_that_cannot_be_written_is_one_error() {
    let dir = Scratch::with_f_and_gz();
    let run = dir.shell("exec $R -l f.gz f.gz >/dev/full").status(1);
    run.stderr("\nrigz: stdout: No space left on device\n");
}

#[test]
fn a_closed_standard_output_is_an_error_and_no_file_suffers() {
    let dir = Scratch::with_f_and_gz();
    let packed = dir.read("f.gz");
    for what in ["-c f", "-dc f.gz", "-c f f", "-c <f"] {
        let run = dir.shell(&format!("exec $R {what} >&-")).status(1);
        run.stderr_has("rigz: stdout: Bad file descriptor\n");
    }
    assert_eq!(dir.names(), ["f", "f.gz"]);
    assert_same(&dir.read("f"), &data::seq(), "f");
    assert_same(&dir.read("f.gz"), &packed, "f.gz");
}

#[test]
fn closed_standard_streams_do_not_keep_files_from_being_replaced() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"] {
        let dir = Scratch::with_f();
        dir.shell(&format!("exec $R -v f {closed}")).status(0).stdout("");
        assert_eq!(dir.names(), ["f.gz"], "{closed}");
        assert_same(&gunzip(&dir.read("f.gz")), &data::seq(), closed);
        dir.shell(&format!("exec $R -dv f.gz {closed}")).status(0).stdout("");
        assert_same(&dir.read("f"), &data::seq(), closed);
    }
}

#[test]
fn a_name_that_decompresses_does() {
    for name in ["gunzip", "unpigz"] {
        let dir = Scratch::with_f_and_gz();
        std::fs::remove_file(dir.path("f")).unwrap();
        dir.symlink(RIGZ, name);
        dir.tool(dir.path(name), ["f.gz"]).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.read("f")), (vec!["f".to_owned(), name.to_owned()], data::seq()));
    }
}

#[test]
fn a_name_that_ends_in_cat_prints() {
    for name in ["zcat", "gzcat"] {
        let dir = Scratch::with_f_and_gz();
        dir.symlink(RIGZ, name);
        dir.tool(dir.path(name), ["f.gz"]).status(0).stdout(data::seq()).stderr("");
        dir.tool(dir.path(name), ["f"])
            .status(1)
            .stdout("")
            .stderr(format!("\n{name}: f: not in gzip format\n"));
        dir.tool(dir.path(name), ["-f", "f"]).status(0).stdout(data::seq()).stderr("");
        assert_eq!(dir.names(), ["f", "f.gz", name]);
    }
}

#[test]
fn messages_begin_with_the_name_of_the_program() {
    for (name, base) in [("gzip", "gzip"), ("/usr/bin/pigz", "pigz")] {
        let run = Scratch::new().rigz(["nofile"]).called(name).status(1);
        run.stderr(format!("{base}: nofile: No such file or directory\n"));
    }
}

#[test]
fn threads_and_chunks_may_be_chosen_in_every_spelling() {
    for args in [&["-p4", "-b", "512"][..], &["-p", "4", "-b512"], &["--processes=4", "--blocksize", "512k"]]
    {
        let dir = Scratch::with_f();
        dir.rigz([args, &["f"]].concat()).status(0).stdout("").stderr("");
        assert_same(&gunzip(&dir.read("f.gz")), &data::seq(), "f");
    }
    // gzip's -b was for bits of LZW codes, and is still found in scripts.
    Scratch::new().rigz(["-b", "16", "-c"]).stdin("x").status(0).stderr("");
}

#[test]
fn a_value_may_follow_its_letter_and_an_equals_sign() {
    let dir = Scratch::with_f();
    dir.rigz(["-S=.x", "-p=2", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.x"]);
}

#[test]
fn text_conversion_is_accepted_and_mentioned() {
    let dir = Scratch::with_f();
    let run = dir.rigz(["-a", "-c", "f"]).status(0).stderr("rigz: option --ascii ignored on this system\n");
    assert_same(&gunzip(&run.out), &data::seq(), "f");
    dir.rigz(["-aq", "-c", "f"]).status(0).stderr("");
}

#[test]
fn help_that_nobody_can_get_is_an_error() {
    for what in ["--help", "--version", "--license"] {
        let run = Scratch::new().shell(&format!("exec $R {what} >&-")).status(1);
        run.stderr("\nrigz: stdout: Bad file descriptor\n");
    }
}

#[test]
fn levels_above_nine_are_denser() {
    let dir = Scratch::with_file("f", &data::text(200_000));
    let len = |level: &str| dir.rigz([level, "-c", "f"]).status(0).stderr("").into_stdout().len();
    assert!(len("-10") < len("-9"));
    assert!(len("-12") <= len("-10"));
    let dir = Scratch::with_f();
    dir.rigz(["-13", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.gz"], "-1 -3");
}

#[test]
fn of_several_suffixes_the_last_counts() {
    let dir = Scratch::with_f();
    dir.rigz(["-S", "", "-S", ".b", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.b"]);
    dir.rigz(["-dq", "f.b"]).status(0).stdout("").stderr("");
    dir.rigz(["-d", "f.b"]).status(2).stderr("rigz: f.b: unknown suffix -- ignored\n");
    assert_eq!(dir.names(), ["f.b"]);
}
