//! Outputs that exist already, and what is asked of a person at a terminal.

use std::fs;

use crate::support::run::{Finished, has_tool, skipped};
use crate::support::{RIGZ, Scratch, assert_same, data, gunzip, gzip};

fn with_both() -> Scratch {
    let dir = Scratch::with_f();
    dir.write("f.gz", b"precious");
    dir
}

#[test]
fn an_existing_output_is_not_overwritten() {
    let dir = with_both();
    for args in [&["f"][..], &["-k", "f"], &["-q", "f"], &["-v", "f"]] {
        dir.rigz(args).status(2).stdout("").stderr("rigz: f.gz already exists;\tnot overwritten\n");
    }
    assert_eq!((dir.names(), dir.read("f.gz")), (vec!["f".into(), "f.gz".into()], b"precious".to_vec()));
    assert_same(&dir.read("f"), &data::seq(), "f");
}

#[test]
fn an_existing_output_of_decompression_is_not_overwritten() {
    let dir = Scratch::with_file("f.gz", &gzip(b"new"));
    dir.write("f", b"precious");
    dir.rigz(["-d", "f.gz"]).status(2).stdout("").stderr("rigz: f already exists;\tnot overwritten\n");
    assert_eq!((dir.names(), dir.read("f")), (vec!["f".into(), "f.gz".into()], b"precious".to_vec()));
    dir.rigz(["-df", "f.gz"]).status(0).stdout("").stderr("");
    assert_eq!((dir.names(), dir.read("f")), (vec!["f".to_owned()], b"new".to_vec()));
}

#[test]
fn force_replaces_an_existing_output() {
    let dir = with_both();
    dir.rigz(["-f", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.gz"]);
    assert_same(&gunzip(&dir.read("f.gz")), &data::seq(), "f.gz");
}

#[test]
fn force_replaces_a_symlink_and_not_what_it_points_to() {
    let dir = Scratch::with_f();
    dir.write("victim", b"precious");
    dir.symlink("victim", "f.gz");
    dir.rigz(["f"]).status(2).stderr("rigz: f.gz already exists;\tnot overwritten\n");
    dir.rigz(["-f", "f"]).status(0).stdout("").stderr("");
    assert_eq!(
        (dir.names(), dir.read("victim")),
        (vec!["f.gz".into(), "victim".into()], b"precious".to_vec())
    );
    assert!(dir.metadata("f.gz").is_file());
}

#[test]
fn a_dangling_symlink_is_an_existing_output() {
    let dir = Scratch::with_f();
    dir.symlink("nowhere", "f.gz");
    dir.rigz(["f"]).status(2).stderr("rigz: f.gz already exists;\tnot overwritten\n");
    assert_eq!(dir.names(), ["f", "f.gz"]);
}

#[test]
fn other_names_of_an_existing_output_keep_their_content() {
    let dir = with_both();
    fs::hard_link(dir.path("f.gz"), dir.path("other")).unwrap();
    dir.rigz(["-f", "f"]).status(0);
    assert_eq!((dir.names(), dir.read("other")), (vec!["f.gz".into(), "other".into()], b"precious".to_vec()));
}

#[test]
fn a_folder_in_the_outputs_place_is_an_error() {
    let dir = Scratch::with_f();
    fs::create_dir(dir.path("f.gz")).unwrap();
    dir.rigz(["-f", "f"]).status(1).stdout("").stderr("rigz: f.gz: Is a directory\n");
    assert_eq!(dir.names(), ["f", "f.gz"]);
    assert_same(&dir.read("f"), &data::seq(), "f");
}

#[test]
fn damage_does_not_cost_an_existing_output_without_force() {
    let packed = gzip(b"hello hello hello");
    let dir = Scratch::with_file("f.gz", &packed[..packed.len() - 9]);
    dir.write("f", b"precious");
    dir.rigz(["-d", "f.gz"]).status(2);
    assert_eq!((dir.names(), dir.read("f")), (vec!["f".into(), "f.gz".into()], b"precious".to_vec()));
}

#[test]
fn restoring_a_name_that_is_the_inputs_own_loses_nothing() {
    let dir = Scratch::with_file("x.gz", b"hello");
    let packed = dir.rigz(["-c", "x.gz"]).status(0).into_stdout();
    dir.write("x.gz", &packed);
    dir.rigz(["-dN", "x.gz"]).status(2).stderr("rigz: x.gz already exists;\tnot overwritten\n");
    assert_same(&dir.read("x.gz"), &packed, "x.gz");
    let run = dir.rigz(["-dNf", "x.gz"]).finish();
    assert_eq!(dir.names(), ["x.gz"], "the output must not be removed as if it were the input: {run:?}");
}

/// Runs rigz at a terminal, where `typed` is typed.
fn at_terminal(dir: &Scratch, command: &str, typed: &str) -> Option<Finished> {
    if !has_tool("script") {
        return None;
    }
    let command = command.replace("$R", &format!("'{RIGZ}'"));
    let finished = dir.tool("script", ["-qec", &command, "/dev/null"]).stdin(typed).finish();
    if finished.err_text().contains("script") {
        skipped("script(1) does not work here");
        return None;
    }
    Some(finished)
}

#[test]
fn a_person_is_asked_before_a_file_is_overwritten() {
    let question = "rigz: f.gz already exists; do you wish to overwrite (y or n)? ";
    for (typed, overwrites) in
        [("y\n", true), ("Yes\n", true), ("n\n", false), ("\n", false), ("oh y\n", false)]
    {
        let dir = with_both();
        let Some(run) = at_terminal(&dir, "$R f", typed) else { return };
        assert!(run.out_text().contains(question), "{typed:?} {run:?}");
        assert_eq!(run.out_text().contains("\tnot overwritten"), !overwrites, "{run:?}");
        let (status, names) = if overwrites { (0, vec!["f.gz"]) } else { (2, vec!["f", "f.gz"]) };
        assert_eq!(
            (run.status.code(), dir.names()),
            (Some(status), names.iter().map(|n| n.to_string()).collect())
        );
        assert_eq!(dir.read("f.gz") == b"precious", !overwrites, "{typed:?}");
    }
}

#[test]
fn nobody_is_asked_who_cannot_interrupt() {
    let dir = with_both();
    let Some(run) = at_terminal(&dir, "trap '' INT; $R f", "y\n") else { return };
    assert!(run.out_text().contains("rigz: f.gz already exists;\tnot overwritten"), "{run:?}");
    assert_eq!((run.status.code(), dir.names()), (Some(2), vec!["f".to_owned(), "f.gz".to_owned()]));
}

#[test]
fn nobody_is_asked_when_force_is_given() {
    let dir = with_both();
    let Some(run) = at_terminal(&dir, "$R -f f", "") else { return };
    assert_eq!((run.status.code(), dir.names()), (Some(0), vec!["f.gz".to_owned()]), "{run:?}");
}

#[test]
fn compressed_data_are_not_written_to_a_terminal() {
    let dir = Scratch::with_f_and_gz();
    let Some(run) = at_terminal(&dir, "$R <f", "") else { return };
    let text = run.out_text();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(text.contains("rigz: compressed data not written to a terminal. Use -f to force compression."));
    assert!(text.contains("For help, type: rigz -h"));
    assert!(!run.out.windows(2).any(|pair| pair == [0x1f, 0x8b]), "{run:?}");
}

#[test]
fn compressed_data_are_not_read_from_a_terminal() {
    let dir = Scratch::new();
    let Some(run) = at_terminal(&dir, "$R -d", "") else { return };
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(
        run.out_text()
            .contains("rigz: compressed data not read from a terminal. Use -f to force decompression.")
    );
}

#[test]
fn data_are_printed_on_a_terminal() {
    let dir = Scratch::with_file("x.gz", &gzip(b"hello"));
    let Some(run) = at_terminal(&dir, "$R -dc x.gz", "") else { return };
    assert!(run.status.success() && run.out_text().contains("hello"), "{run:?}");
}

#[test]
fn another_name_of_the_input_can_be_replaced() {
    let dir = Scratch::with_f();
    std::fs::hard_link(dir.path("f"), dir.path("f.gz")).unwrap();
    dir.rigz(["-f", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.gz"]);
    assert_same(&gunzip(&dir.read("f.gz")), &data::seq(), "f.gz");
}

#[test]
fn whoever_presumes_a_terminal_is_refused_as_at_one() {
    let dir = Scratch::new();
    let message = |what: &str, de: &str| {
        format!(
            "rigz: compressed data not {what} a terminal. Use -f to force {de}compression.\n\
             For help, type: rigz -h\n"
        )
    };
    dir.rigz(["---presume-input-tty"]).stdin("a").status(1).stdout("").stderr(message("written to", ""));
    dir.rigz(["---presume-input-tty", "-t"]).stdin("a").status(1).stderr(message("read from", "de"));
    dir.rigz(["---presume-input-tty", "-f"]).stdin("a").status(0).stderr("");
}
