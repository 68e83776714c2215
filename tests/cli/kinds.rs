//! Inputs that are not plain files, or must not be replaced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::support::run::has_tool;
use crate::support::{Scratch, assert_same, data, gunzip};

#[test]
fn symlinks_are_followed_only_where_nothing_is_replaced() {
    let dir = Scratch::with_f_and_gz();
    dir.symlink("f", "l");
    dir.symlink("f.gz", "m.gz");
    let refusal = |name: &str| format!("rigz: {name}: Too many levels of symbolic links\n");
    dir.rigz(["l"]).status(1).stdout("").stderr(refusal("l"));
    dir.rigz(["-k", "l"]).status(1).stdout("").stderr(refusal("l"));
    dir.rigz(["-d", "m.gz"]).status(1).stdout("").stderr(refusal("m.gz"));
    assert_eq!(dir.names(), ["f", "f.gz", "l", "m.gz"]);
    assert_same(&gunzip(&dir.rigz(["-c", "l"]).status(0).stderr("").out), &data::seq(), "l");
    dir.rigz(["-t", "m.gz"]).status(0).stdout("").stderr("");
    dir.rigz(["-l", "m.gz"]).status(0).stderr("");
    dir.rigz(["-dc", "m.gz"]).status(0).stdout(data::seq()).stderr("");
    assert_eq!(dir.names(), ["f", "f.gz", "l", "m.gz"]);
}

#[test]
fn force_replaces_a_symlink_by_a_compressed_file() {
    let dir = Scratch::with_f();
    dir.symlink("f", "l");
    dir.rigz(["-f", "l"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f", "l.gz"]);
    assert!(dir.metadata("l.gz").is_file());
    assert_same(&gunzip(&dir.read("l.gz")), &data::seq(), "l.gz");
}

#[test]
fn files_with_other_names_are_left_alone() {
    let dir = Scratch::with_f();
    fs::hard_link(dir.path("f"), dir.path("g")).unwrap();
    for args in [&["f"][..], &["-k", "f"]] {
        dir.rigz(args).status(2).stdout("").stderr("rigz: f has 1 other link -- file ignored\n");
    }
    dir.rigz(["-q", "f"]).status(2).stdout("").stderr("");
    fs::hard_link(dir.path("f"), dir.path("h")).unwrap();
    dir.rigz(["f"]).status(2).stderr("rigz: f has 2 other links -- file ignored\n");
    assert_eq!(dir.names(), ["f", "g", "h"]);
    dir.rigz(["-c", "f"]).status(0).stderr("");
    dir.rigz(["-f", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.gz", "g", "h"]);
}

#[test]
fn special_permission_bits_are_not_lost() {
    for (mode, message) in [
        (0o4755, "rigz: f is set-user-ID on execution - ignored\n"),
        (0o2755, "rigz: f is set-group-ID on execution - ignored\n"),
        (0o1755, "rigz: f has the sticky bit set - file ignored\n"),
    ] {
        let dir = Scratch::with_f();
        dir.chmod("f", mode);
        dir.rigz(["f"]).status(2).stdout("").stderr(message);
        dir.rigz(["-c", "f"]).status(0).stderr("");
        assert_eq!(dir.names(), ["f"]);
        let status = if mode == 0o1755 { 0 } else { 2 };
        dir.rigz(["-f", "f"]).status(status).stdout("");
    }
}

#[test]
fn folders_are_left_alone() {
    let dir = Scratch::new();
    fs::create_dir(dir.path("d")).unwrap();
    for args in [&["d"][..], &["-c", "d"], &["-d", "d"], &["-f", "d"], &["-t", "d"]] {
        dir.rigz(args).status(2).stdout("").stderr("rigz: d is a directory -- ignored\n");
    }
    assert_eq!(dir.names(), ["d"]);
}

fn with_fifo() -> Scratch {
    let dir = Scratch::new();
    mknodat(CWD, dir.path("p"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    dir
}

#[test]
fn fifos_and_devices_are_not_replaced() {
    let dir = with_fifo();
    let start = Instant::now();
    dir.rigz(["p"]).status(2).stderr("rigz: p is not a directory or a regular file - ignored\n");
    assert!(start.elapsed() < Duration::from_secs(10), "nobody has to write to it");
    assert_eq!(dir.names(), ["p"]);
    let run = dir.rigz(["-k", "/dev/null"]).status(2);
    run.stderr("rigz: /dev/null is not a directory or a regular file - ignored\n");
}

#[test]
fn fifos_are_read_where_nothing_is_replaced() {
    let dir = with_fifo();
    // Open for both, so that there is a writer when rigz opens it.
    let mut fifo = File::options().read(true).write(true).open(dir.path("p")).unwrap();
    let running = dir.rigz(["-c", "p"]).start();
    fifo.write_all(b"hello").unwrap();
    running.wait_until_blocked();
    fifo.write_all(b" again").unwrap();
    running.wait_until_blocked();
    drop(fifo);
    let finished = running.finish().status(0).stderr("");
    assert_eq!(gunzip(&finished.out), b"hello again");
    assert_eq!(dir.names(), ["p"]);
}

#[test]
fn named_pipes_of_the_shell_are_read() {
    let dir = Scratch::with_f_and_gz();
    let bash = |script| dir.shell_of("bash", script);
    if !has_tool("bash") {
        return;
    }
    let packed = bash("$R -c <(cat f)").status(0).stderr("").into_stdout();
    assert_same(&gunzip(&packed), &data::seq(), "<(cat f)");
    bash("$R -t <(cat f.gz)").status(0).stdout("").stderr("");
    bash("$R -dc <(cat f.gz)").status(0).stdout(data::seq()).stderr("");
}

#[test]
fn a_closed_standard_input_is_an_error() {
    for what in ["", "-d", "-c -", "-t"] {
        let run = Scratch::new().shell(&format!("exec $R {what} <&-")).status(1).stdout("");
        run.stderr("rigz: standard input: Bad file descriptor\n");
    }
}

#[test]
fn a_folder_as_standard_input_is_an_error() {
    for what in ["", "-d", "-t", "-p2"] {
        let run = Scratch::new().shell(&format!("exec $R {what} <.")).status(1).stdout("");
        run.stderr("\nrigz: stdin: Is a directory\n");
    }
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    for (args, input) in [(["-c"], data::seq()), (["-dc"], crate::support::gzip(&data::seq()))] {
        let (reader, mut writer) = io::pipe().unwrap();
        rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK).unwrap();
        let running = Scratch::new().rigz(args).stdin_from(reader).start();
        std::thread::sleep(Duration::from_millis(200));
        // Fails if rigz has given up already, which the status tells in better words.
        let _ = writer.write_all(&input);
        drop(writer);
        let finished = running.finish().status(0).stderr("");
        let data = if args == ["-c"] { gunzip(&finished.out) } else { finished.out };
        assert_same(&data, &data::seq(), "what came late");
    }
}

#[test]
fn unreadable_files_are_kept() {
    let dir = Scratch::with_f();
    dir.chmod(".", 0o777);
    dir.chmod("f", 0);
    let Some(run) = dir.rigz_as_nobody(["f"]) else { return };
    run.status(1).stdout("").stderr("rigz: f: Permission denied\n");
    assert!(dir.path("f").exists() && !dir.path("f.gz").exists());
}

#[test]
fn files_in_folders_that_cannot_be_written_are_kept() {
    let dir = Scratch::with_f();
    dir.chmod("f", 0o644);
    let Some(run) = dir.rigz_as_nobody(["f"]) else { return };
    dir.chmod(".", 0o555);
    let finished = run.finish();
    dir.chmod(".", 0o755);
    finished.status(1).stdout("").stderr("\nrigz: f.gz: Permission denied\n");
    assert!(dir.path("f").exists() && !dir.path("f.gz").exists());
}

#[test]
fn a_fifo_without_a_writer_is_waited_for() {
    let dir = with_fifo();
    let running = dir.rigz(["-c", "p"]).start();
    running.wait_until_blocked();
    std::fs::write(dir.path("p"), b"hello").unwrap();
    assert_eq!(gunzip(&running.finish().status(0).stderr("").out), b"hello");
}

#[test]
fn a_file_never_takes_the_place_of_a_closed_stream() {
    let dir = Scratch::with_file("f", b"y\n");
    dir.write("f.gz", b"exists");
    let asked = "rigz: f.gz already exists; do you wish to overwrite (y or n)? \tnot overwritten\n";
    dir.shell("exec $R -k ---presume-input-tty f <&-").status(2).stdout("").stderr(asked);
    assert_same(&dir.read("f.gz"), b"exists", "f.gz");
    dir.shell("exec $R -kf f <&- >&-").status(0).stderr("");
    assert_same(&gunzip(&dir.read("f.gz")), b"y\n", "f.gz");
    dir.shell("exec $R -c f >&-").status(1).stderr("\nrigz: stdout: Bad file descriptor\n");
    dir.shell("exec $R -lk f.gz >&-").status(1).stderr("\nrigz: stdout: Bad file descriptor\n");
}
