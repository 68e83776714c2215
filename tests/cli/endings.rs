//! Runs that are ended from outside: signals, readers that go away, limits.

use std::io::Read;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::run::{Running, has_tool, skipped};
use crate::support::{RIGZ, Run, Scratch, assert_same, data, gunzip};

/// Waits until `name` has been begun.
fn wait_for(dir: &Scratch, name: &str) {
    for _ in 0..20_000 {
        if dir.path(name).metadata().is_ok_and(|metadata| metadata.len() > 0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{name} does not appear");
}

/// Starts `run`, which writes `output` for a while.
fn start_writing(dir: &Scratch, run: Run, output: &str) -> Running {
    let running = run.start();
    wait_for(dir, output);
    running
}

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::XCPU];

#[test]
fn a_signal_during_compression_leaves_only_the_input() {
    let data = data::random(32 << 20, 12);
    for signal in SIGNALS {
        for threads in ["-p1", "-p2"] {
            let dir = Scratch::with_file("f", &data);
            let running = start_writing(&dir, dir.rigz([threads, "-9", "f"]), "f.gz");
            running.kill(signal);
            running.finish().signal(signal.as_raw()).stdout("").stderr("");
            assert_eq!(dir.names(), ["f"], "{signal:?}");
        }
    }
}

#[test]
fn a_signal_during_decompression_leaves_only_the_input() {
    let packed = data::zeros_member(2 << 30);
    for signal in SIGNALS {
        for threads in ["-p1", "-p2"] {
            let dir = Scratch::with_file("f.gz", &packed);
            let running = start_writing(&dir, dir.rigz([threads, "-d", "f.gz"]), "f");
            running.kill(signal);
            running.finish().signal(signal.as_raw()).stdout("").stderr("");
            assert_eq!(dir.names(), ["f.gz"], "{signal:?}");
        }
    }
}

#[test]
fn a_signal_leaves_outputs_that_are_complete() {
    let dir = Scratch::with_file("f", b"hello");
    dir.write("g", &data::random(32 << 20, 12));
    let running = start_writing(&dir, dir.rigz(["-9", "f", "g"]), "g.gz");
    running.kill(Signal::TERM);
    running.finish().signal(libc::SIGTERM);
    assert_eq!(dir.names(), ["f.gz", "g"]);
    assert_eq!(gunzip(&dir.read("f.gz")), b"hello");
}

#[test]
fn signals_that_were_ignored_stay_ignored() {
    let data = data::random(24 << 20, 12);
    for (name, signal) in [("HUP", Signal::HUP), ("INT", Signal::INT)] {
        let dir = Scratch::with_file("f", &data);
        let run = dir.shell(&format!("trap '' {name}; exec $R -9 f"));
        let running = start_writing(&dir, run, "f.gz");
        running.kill(signal);
        running.finish().status(0).stdout("").stderr("");
        assert_eq!(dir.names(), ["f.gz"]);
    }
}

#[test]
fn a_limit_on_file_sizes_leaves_only_the_input() {
    let data = data::random(2 << 20, 13);
    for threads in ["-p1", "-p2"] {
        let dir = Scratch::with_file("f", &data);
        dir.shell(&format!("ulimit -f 100; exec $R {threads} f")).finish().signal(libc::SIGXFSZ).stderr("");
        assert_eq!(dir.names(), ["f"]);
        let dir = Scratch::with_file("f", &data);
        let run = dir.shell(&format!("trap '' XFSZ; ulimit -f 100; exec $R {threads} f")).status(1);
        run.stderr("\nrigz: f.gz: File too large\n");
        assert_eq!(dir.names(), ["f"], "the signal ignored");
        assert_same(&dir.read("f"), &data, "f");
    }
}

/// Reads one byte of the output and goes away.
fn leave_early(run: Run) -> crate::support::run::Finished {
    let mut running = run.start();
    let mut stdout = running.child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    running.finish()
}

#[test]
fn a_reader_that_goes_away_ends_the_run_silently() {
    let data = data::random(8 << 20, 14);
    let dir = Scratch::with_file("f", &data);
    dir.rigz(["-1k", "f"]).status(0);
    for args in [["-dc", "-p1", "f.gz"], ["-dc", "-p2", "f.gz"], ["-1c", "-p1", "f"], ["-1c", "-p2", "f"]] {
        leave_early(dir.rigz(args)).signal(libc::SIGPIPE).stderr("");
    }
}

#[test]
fn a_reader_that_goes_away_is_a_warning_where_the_signal_is_ignored() {
    let dir = Scratch::with_file("f", &data::random(8 << 20, 14));
    dir.rigz(["-1k", "f"]).status(0);
    for args in ["-dc -p1 f.gz", "-dc -p2 f.gz", "-1c -p1 f", "-1c -p2 f"] {
        let run = leave_early(dir.shell(&format!("trap '' PIPE; exec $R {args}")));
        run.status(2).stderr("\nrigz: stdout: Broken pipe\n");
        let run = leave_early(dir.shell(&format!("trap '' PIPE; exec $R -q {args}")));
        run.status(2).stderr("");
    }
}

#[test]
fn a_full_disk_leaves_only_the_input() {
    if !has_tool("unshare") || !has_tool("mount") {
        return;
    }
    let dir = Scratch::new();
    dir.write("random", &data::random(700_000, 1));
    std::fs::create_dir(dir.path("disk")).unwrap();
    let script = "mount -t tmpfs -o size=1m none disk || exit 77; cp random disk/f && cd disk && $R -p2 f; \
        echo $?; ls; cmp f ../random";
    let script = script.replace("$R", RIGZ);
    let run = dir.tool("unshare", ["-rm", "sh", "-c", &script]).finish();
    if run.status.code() == Some(77) || run.out.is_empty() {
        return skipped("no file systems can be mounted here");
    }
    run.status(0).stdout("1\nf\n").stderr("\nrigz: f.gz: No space left on device\n");
}
