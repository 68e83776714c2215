//! What the environment says: `GZIP`, `PIGZ`, `POSIXLY_CORRECT`, `RIGZ_CPU`, and the program's name.

use crate::support::{RIGZ, Scratch, assert_same, data, gunzip};

/// The "extra flags" byte of a header: 2 for level 9, 4 for level 1.
const XFL: usize = 8;

#[test]
fn of_gzips_variable_only_harmless_words_count() {
    let dir = Scratch::with_f();
    let packed =
        |words: &str, args: &[&str]| dir.rigz(args).env("GZIP", words).status(0).stderr("").into_stdout();
    assert_eq!(packed("-9", &["-c", "f"])[XFL], 2);
    assert_eq!(packed(" --fast\t", &["-c", "f"])[XFL], 4);
    assert_eq!(packed("-9", &["-1", "-c", "f"])[XFL], 4);
    for words in ["-9 -n -d -k bogus", "-9 -t", "-9 -l", "-9 --bogus", "-9 -q -S", "-9 -p0"] {
        let packed = packed(words, &["-c", "f"]);
        assert_eq!((packed[XFL], packed[3]), (2, 8), "{words}: level 9, and the name is kept");
        assert_same(&gunzip(&packed), &data::seq(), words);
    }
}

#[test]
fn pigzs_variable_may_hold_any_option_and_the_command_line_wins() {
    let dir = Scratch::with_f();
    dir.rigz(["-c", "f"]).env("PIGZ", "-9 -n").status(0).stderr("");
    let packed = dir.rigz(["-c", "f"]).env("PIGZ", "-9 -n").status(0).into_stdout();
    assert_eq!((packed[XFL], packed[3]), (2, 0));
    let packed = dir.rigz(["-1Nc", "f"]).env("PIGZ", "-9 -n").status(0).into_stdout();
    assert_eq!((packed[XFL], packed[3]), (4, 8));
    let packed = dir.rigz(["-c", "f"]).env("GZIP", "-1").env("PIGZ", "-9").status(0).into_stdout();
    assert_eq!(packed[XFL], 2);
    dir.rigz(["f"]).env("PIGZ", "-k -p 2 -b 512").status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f", "f.gz"]);
}

#[test]
fn wrong_words_in_pigzs_variable_are_refused() {
    let dir = Scratch::with_f();
    let run = dir.rigz(["f"]).env("PIGZ", "f").status(1).stdout("");
    run.stderr("rigz: cannot provide files in PIGZ environment variable\n");
    dir.rigz(["f"]).env("PIGZ", "--bogus").status(1).stderr_has("unrecognized option '--bogus'");
    assert_eq!(dir.names(), ["f"]);
}

#[test]
fn what_the_processor_has_does_not_show() {
    let dir = Scratch::new();
    let content = [data::binary(700_000), data::text(1_400_000)].concat();
    dir.write("f", &content);
    let run =
        |cpu: &str, args: &[&str]| dir.rigz(args).env("RIGZ_CPU", cpu).status(0).stderr("").into_stdout();
    for level in ["-1", "-2", "-3", "-4", "-5", "-6", "-7", "-9", "-10"] {
        let packed = run("", &["-c", level, "f"]);
        dir.write("f.gz", &packed);
        for cpu in ["portable", "avx2", "avx512"] {
            assert_same(&run(cpu, &["-c", level, "f"]), &packed, &format!("{level}, {cpu}"));
            assert_same(&run(cpu, &["-dc", "-p3", "f.gz"]), &content, &format!("{level}, back, {cpu}"));
        }
    }
}

#[test]
fn options_end_at_the_first_operand_where_posix_is_wanted() {
    let dir = Scratch::with_f();
    let run = dir.rigz(["f", "-k"]).env("POSIXLY_CORRECT", "").status(1).stdout("");
    run.stderr("rigz: -k: No such file or directory\n");
    assert_eq!(dir.names(), ["f.gz"]);
}

#[test]
fn messages_carry_the_name_of_the_program() {
    for name in ["gzip", "gunzip", "pigz", "zcat"] {
        let run = Scratch::new().rigz(["missing.gz"]).called(&format!("/usr/bin/{name}")).status(1);
        run.stderr(format!("{name}: missing.gz: No such file or directory\n"));
    }
}

#[test]
fn every_name_is_a_program() {
    for (name, args) in [("uncompress", &["f.gz"][..]), ("gunzip", &["f.gz"]), ("unpigz", &["f.gz"])] {
        let dir = Scratch::with_f_and_gz();
        std::fs::remove_file(dir.path("f")).unwrap();
        dir.tool(RIGZ, args).called(name).status(0).stdout("").stderr("");
        assert_eq!(dir.names(), ["f"], "{name}");
    }
    for name in ["gzip", "pigz", "rigz"] {
        let dir = Scratch::with_f();
        dir.tool(RIGZ, ["f"]).called(name).status(0).stdout("").stderr("");
        assert_eq!(dir.names(), ["f.gz"], "{name}");
    }
    for name in ["zcat", "gzcat"] {
        let dir = Scratch::with_f_and_gz();
        let run = dir.tool(RIGZ, ["f.gz"]).called(name).status(0).stderr("");
        assert_same(&run.out, &data::seq(), name);
    }
}

#[test]
fn threads_follow_the_processors_that_a_process_may_use() {
    if !crate::support::run::has_tool("taskset") {
        return;
    }
    // A pipe that nobody fills any more holds the program where its threads can be counted.
    let dir = Scratch::new();
    let mut running = dir.tool("taskset", ["-c", "0", RIGZ, "-c"]).stdin_piped().start();
    use std::io::Write;
    running.child.stdin.as_mut().unwrap().write_all(&data::text(1 << 20)).unwrap();
    running.wait_until_blocked();
    assert_eq!(running.proc_status("Threads"), 1);
    running.finish().status(0);
}
