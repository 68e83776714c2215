//! Files that change while rigz works on them.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::run::Running;
use crate::support::{Run, Scratch, assert_same, data, gunzip, gzip};

/// Starts `run` and stops it as soon as `output` has been begun; `change` happens meanwhile.
fn interrupted_for(dir: &Scratch, run: Run, output: &str, change: impl FnOnce()) -> Running {
    let running = run.start();
    for _ in 0..20_000 {
        if dir.path(output).metadata().is_ok_and(|metadata| metadata.len() > 0) {
            running.kill(Signal::STOP);
            change();
            running.kill(Signal::CONT);
            return running;
        }
        sleep(Duration::from_millis(1));
    }
    panic!("{output} does not appear");
}

#[test]
fn what_is_appended_during_compression_is_compressed_too() {
    let data = data::random(24 << 20, 5);
    for args in [&["-9", "-p1"][..], &["-9", "-p2"], &["-6", "-p2", "--rsyncable"]] {
        let dir = Scratch::with_file("log", &data);
        let run = dir.rigz(args.iter().copied().chain(["log"]));
        let append = || dir.append("log", b"one more line\n");
        let run = interrupted_for(&dir, run, "log.gz", append).finish().status(0);
        run.stderr("rigz: log: file size changed while zipping\n");
        assert_eq!(dir.names(), ["log.gz"], "{args:?}");
        assert_same(&gunzip(&dir.read("log.gz")), &[&data, &b"one more line\n"[..]].concat(), "log.gz");
    }
}

#[test]
fn a_compressed_file_that_grows_is_not_removed() {
    let packed = [gzip(&data::random(24 << 20, 6)), data::zeros_member(1 << 30)].concat();
    for threads in ["-p1", "-p2"] {
        let dir = Scratch::with_file("log.gz", &packed);
        let append = || dir.append("log.gz", &gzip(b"one more line\n"));
        let run = interrupted_for(&dir, dir.rigz(["-d", threads, "log.gz"]), "log", append);
        run.finish().status(1).stderr("\nrigz: log.gz: file grew while it was read -- unchanged\n");
        assert_eq!(dir.names(), ["log.gz"]);
    }
}

#[test]
fn a_file_that_is_cut_short_is_kept() {
    let dir = Scratch::with_file("log", &data::random(24 << 20, 7));
    let cut = || fs::File::options().write(true).open(dir.path("log")).unwrap().set_len(100).unwrap();
    let run = interrupted_for(&dir, dir.rigz(["-9", "-p2", "log"]), "log.gz", cut);
    run.finish().status(1).stderr("\nrigz: log: file became shorter while it was read\n");
    assert_eq!(dir.names(), ["log"]);
}
