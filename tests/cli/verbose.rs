//! `-v`, `-t` and `-q`.

use crate::support::{Scratch, data};

/// Checks `text` against `shape`, in which `%` stands for a percentage as gzip prints it.
#[track_caller]
fn has_shape(text: &str, shape: &str) {
    let (before, after) = shape.split_once('%').expect("one percentage");
    let middle = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let number = middle.and_then(|middle| middle.strip_suffix('%'));
    let is_percentage = |number: &str| {
        let value: Result<f64, _> = number.trim_start().parse();
        number.len() >= 5 && value.is_ok_and(|value| format!("{value:5.1}") == number)
    };
    assert!(number.is_some_and(is_percentage), "{text:?} is not like {shape:?}");
}

#[test]
fn verbose_says_what_became_of_each_file() {
    let dir = Scratch::with_f();
    let says = |args: &[&str]| dir.rigz(args).status(0).err_text();
    has_shape(&says(&["-vc", "f"]), "f:\t% -- replaced with stdout\n");
    has_shape(&says(&["-kv", "f"]), "f:\t% -- created f.gz\n");
    has_shape(&says(&["-fv", "f"]), "f:\t% -- replaced with f.gz\n");
    has_shape(&says(&["-dvc", "f.gz"]), "f.gz:\t% -- replaced with stdout\n");
    has_shape(&says(&["-dkv", "f.gz"]), "f.gz:\t% -- created f\n");
    has_shape(&says(&["-dfv", "f.gz"]), "f.gz:\t% -- replaced with f\n");
    assert_eq!(dir.names(), ["f"]);
}

#[test]
fn verbose_says_little_about_standard_input() {
    let dir = Scratch::with_f_and_gz();
    let run = dir.rigz(["-v"]).stdin(data::seq()).status(0);
    has_shape(&run.err_text(), "%\n");
    dir.rigz(["-dv"]).stdin_file(dir.path("f.gz")).status(0).stdout(data::seq()).stderr("");
}

#[test]
fn percentages_are_those_of_gzip() {
    let dir = Scratch::with_file("zeros", &vec![0; 100_000]);
    dir.write("empty", b"");
    dir.write("abc", b"abc");
    for name in ["empty", "abc"] {
        let by_gzip = dir.tool("gzip", ["-kv", name]).status(0).err_text();
        std::fs::remove_file(dir.path(&format!("{name}.gz"))).unwrap();
        dir.rigz(["-kv", name]).status(0).stderr(by_gzip);
        let by_gzip = dir.tool("gzip", ["-dvc", &format!("{name}.gz")]).status(0).err_text();
        dir.rigz(["-dvc", &format!("{name}.gz")]).status(0).stderr(by_gzip);
    }
    let text = dir.rigz(["-v", "zeros"]).status(0).err_text();
    assert_eq!(text, "zeros:\t 99.9% -- replaced with zeros.gz\n");
}

#[test]
fn testing_is_silent_unless_verbose() {
    let dir = Scratch::with_f_and_gz();
    dir.rigz(["-t", "f.gz"]).status(0).stdout("").stderr("");
    dir.rigz(["-tv", "f.gz"]).status(0).stdout("").stderr("f.gz:\t OK\n");
    dir.rigz(["-tv"]).stdin_file(dir.path("f.gz")).status(0).stdout("").stderr(" OK\n");
    dir.rigz(["-tc", "f.gz"]).status(0).stdout("").stderr("");
    dir.rigz(["-t", "-d", "f.gz"]).status(0).stdout("").stderr("");
    dir.rigz(["-d", "-t", "f.gz"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f", "f.gz"], "testing never replaces");
}

#[test]
fn quiet_and_verbose_undo_each_other() {
    let dir = Scratch::with_f_and_gz();
    dir.rigz(["-q", "-vt", "f.gz"]).status(0).stderr("f.gz:\t OK\n");
    dir.rigz(["-v", "-qt", "f.gz"]).status(0).stderr("");
}

#[test]
fn quiet_hides_warnings_but_not_errors() {
    let dir = Scratch::with_f();
    std::fs::create_dir(dir.path("d")).unwrap();
    dir.rigz(["-q", "d"]).status(2).stdout("").stderr("");
    dir.rigz(["-q", "nofile"]).status(1).stderr("rigz: nofile: No such file or directory\n");
    dir.rigz(["-dq"]).stdin("text").status(1).stderr("\nrigz: stdin: not in gzip format\n");
}

#[test]
fn an_extra_field_is_mentioned_once() {
    let dir = Scratch::with_file("big", &data::text(3_000_000));
    dir.rigz(["-6", "--engine=libdeflate", "big"]).status(0);
    assert!(crate::support::members::members(&dir.read("big.gz")).len() > 3);
    let remark = "rigz: big.gz: extra field of 8 bytes ignored\n";
    dir.rigz(["-tv", "big.gz"]).status(0).stdout("").stderr(format!("{remark}big.gz:\t OK\n"));
    dir.rigz(["-t", "big.gz"]).status(0).stdout("").stderr("");
}

#[test]
fn restored_times_are_told_to_those_who_ask_twice() {
    let dir = Scratch::with_f_and_gz();
    std::fs::remove_file(dir.path("f")).unwrap();
    let run = dir.rigz(["-dNvv", "f.gz"]).status(0).stdout("");
    assert!(run.err_text().starts_with("f.gz:\tf: timestamp restored\n "), "{run:?}");
}

#[test]
fn files_that_are_kept_on_demand_are_not_replaced_on_stdout() {
    let dir = Scratch::with_f_and_gz();
    has_shape(&dir.rigz(["-vkc", "f"]).status(0).err_text(), "f:\t% -- created stdout\n");
    has_shape(&dir.rigz(["-dvkc", "f.gz"]).status(0).err_text(), "f.gz:\t% -- created stdout\n");
}

#[test]
fn text_that_is_tested_with_force_is_ok() {
    let dir = Scratch::with_f();
    dir.rigz(["-tfv", "f"]).status(0).stdout("").stderr("f:\t OK\n");
    dir.rigz(["-tfv"]).stdin("text").status(0).stdout("").stderr(" OK\n");
}

#[test]
fn a_copied_tail_counts_on_both_sides() {
    let dir = Scratch::with_file("s", b"hi\n");
    dir.tool("gzip", ["s"]).status(0);
    dir.append("s.gz", b"tail-tail-tail");
    dir.rigz(["-dcfv", "s.gz"]).status(0).stderr("s.gz:\t-129.4% -- replaced with stdout\n");
}

#[test]
fn names_from_the_end_of_the_last_plane_are_printed_as_they_are() {
    let name = "a\u{10ff01}b\u{10ffff}";
    Scratch::new().rigz([name]).status(1).stderr(format!("rigz: {name}: No such file or directory\n"));
}
