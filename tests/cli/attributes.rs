//! What files keep when they are replaced: times, modes, owners; and names from headers.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::time::{Duration, UNIX_EPOCH};

use crate::support::run::skipped;
use crate::support::{F_SECONDS, Scratch, assert_same, data, f_time, gzip};

#[test]
fn times_are_kept_to_the_nanosecond() {
    let dir = Scratch::with_f();
    let accessed = dir.metadata("f").atime();
    dir.rigz(["f"]).status(0);
    assert_eq!(dir.mtime("f.gz"), f_time());
    assert!(dir.metadata("f.gz").atime().abs_diff(accessed) < 60);
    dir.rigz(["-n", "-d", "f.gz"]).status(0);
    assert_eq!(dir.mtime("f"), f_time());
}

#[test]
fn modes_are_kept_whatever_the_umask() {
    for mode in [0o600, 0o644, 0o640, 0o777, 0o444, 0o400] {
        let dir = Scratch::with_f();
        dir.chmod("f", mode);
        dir.shell("umask 077; exec $R f").status(0).stdout("").stderr("");
        assert_eq!(dir.metadata("f.gz").permissions().mode() & 0o7777, mode);
        dir.shell("umask 0; exec $R -d f.gz").status(0).stdout("").stderr("");
        assert_eq!(dir.metadata("f").permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn nobody_else_can_read_an_unfinished_output() {
    let dir = Scratch::with_file("f", &data::random(24 << 20, 2));
    dir.chmod("f", 0o644);
    let running = dir.shell("umask 0; exec $R -9 f").start();
    while !dir.path("f.gz").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(dir.metadata("f.gz").permissions().mode() & 0o7777, 0o600);
    running.kill(rustix::process::Signal::KILL);
    running.finish().signal(libc::SIGKILL);
}

#[test]
fn owners_are_kept() {
    let dir = Scratch::with_f();
    if chown(dir.path("f"), Some(1234), Some(2345)).is_err() {
        return skipped("only root can give files away");
    }
    dir.chmod("f", 0o640);
    dir.rigz(["f"]).status(0).stderr("");
    let packed = dir.metadata("f.gz");
    assert_eq!((packed.uid(), packed.gid(), packed.mode() & 0o7777), (1234, 2345, 0o640));
}

#[test]
fn times_that_a_header_cannot_hold_are_a_warning() {
    let far = UNIX_EPOCH + Duration::from_secs(4_417_977_600);
    let early = UNIX_EPOCH - Duration::from_secs(86_400);
    for time in [far, early, UNIX_EPOCH] {
        let dir = Scratch::with_f();
        dir.set_mtime("f", time);
        dir.rigz(["-n", "-c", "f"]).status(0).stderr("");
        let run = dir.rigz(["f"]).status(2).stdout("");
        run.stderr("rigz: f: warning: file timestamp out of range for gzip format\n");
        assert_eq!((dir.names(), dir.read("f.gz")[4..8].to_vec()), (vec!["f.gz".to_owned()], vec![0; 4]));
        assert_eq!(dir.mtime("f.gz"), time);
    }
}

#[test]
fn the_stored_name_and_time_are_restored_on_demand_only() {
    for (args, name, time) in [
        (&["-d"][..], "g", UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
        (&["-dn"], "g", UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
        (&["-dN"], "f", UNIX_EPOCH + Duration::from_secs(F_SECONDS)),
        (&["-d", "--name"], "f", UNIX_EPOCH + Duration::from_secs(F_SECONDS)),
    ] {
        let dir = Scratch::with_f();
        let packed = dir.rigz(["-c", "f"]).status(0).into_stdout();
        std::fs::remove_file(dir.path("f")).unwrap();
        dir.write("g.gz", &packed);
        dir.set_mtime("g.gz", UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        dir.rigz([args, &["g.gz"]].concat()).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.mtime(name)), (vec![name.to_owned()], time), "{args:?}");
        assert_same(&dir.read(name), &data::seq(), name);
    }
}

/// A member whose header says this name.
fn named(name: &[u8]) -> Vec<u8> {
    [&b"\x1f\x8b\x08\x08\0\0\0\0\0\x03"[..], name, b"\0", &gzip(b"hello")[10..]].concat()
}

#[test]
fn a_stored_name_does_not_lead_out_of_the_folder() {
    for stored in [&b"../../etc/evil"[..], b"/etc/evil", b"a/b/evil", b"evil"] {
        let dir = Scratch::new();
        std::fs::create_dir(dir.path("d")).unwrap();
        dir.write("d/x.gz", &named(stored));
        dir.rigz(["-dN", "d/x.gz"]).status(0).stdout("").stderr("");
        assert_eq!((dir.names(), dir.read("d/evil")), (vec!["d".to_owned()], b"hello".to_vec()));
        assert!(!dir.path("d/x.gz").exists() && !dir.path("d/x").exists());
    }
}

#[test]
fn stored_names_that_are_none_are_not_used() {
    for stored in [&b""[..], b"..", b".", b"a/.."] {
        let dir = Scratch::with_file("x.gz", &named(stored));
        dir.rigz(["-dN", "x.gz"]).status(0).stdout("").stderr("");
        assert_eq!(dir.names(), ["x"], "{stored:?}");
    }
}

#[test]
fn the_other_fields_of_a_header_change_nothing() {
    let mut header = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x05\0XY\x01\0zstored\0comment\0".to_vec();
    let crc = rigz::checksum::crc32(&header) as u16;
    header.extend_from_slice(&crc.to_le_bytes());
    let dir = Scratch::with_file("x.gz", &[&header[..], &gzip(b"hello")[10..]].concat());
    dir.rigz(["-d", "x.gz"]).status(0).stdout("").stderr("");
    assert_eq!((dir.names(), dir.read("x")), (vec!["x".to_owned()], b"hello".to_vec()));
}

#[test]
fn names_as_long_as_they_may_be_are_restored() {
    let dir = Scratch::new();
    let (longest, too_long) = ("b".repeat(255), "c".repeat(300));
    dir.write("n.gz", &named(longest.as_bytes()));
    dir.rigz(["-dN", "n.gz"]).status(0).stderr("");
    assert_eq!(dir.names(), [longest.as_str()]);
    dir.write("n.gz", &named(too_long.as_bytes()));
    let warning = format!("rigz: {}: warning, name truncated\n", &too_long[..255]);
    dir.rigz(["-dN", "n.gz"]).status(2).stderr(warning);
    assert_eq!(dir.names(), [longest.as_str(), &too_long[..255]]);
}
