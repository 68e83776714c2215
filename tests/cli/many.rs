//! Many operands at once: what is seen is what one after the other gives.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Scratch, assert_same, data, gunzip, gzip};

/// A folder with good files, damaged ones, and such as must be left alone.
fn mixed() -> Scratch {
    let dir = Scratch::new();
    for i in 0..50 {
        dir.write(&format!("f{i:02}"), &data::text(1 + i * 997 % 20_000));
    }
    dir.write("big1", &data::text(3_000_000));
    dir.write("big2", &data::random(1_500_000, 7));
    dir.write("f03.gz", b"exists");
    dir.write("x.gz", &gzip(b"x"));
    dir.chmod("f05", 0o4755);
    dir.chmod("f06", 0o640);
    dir.symlink("f07", "link");
    fs::hard_link(dir.path("f08"), dir.path("other")).unwrap();
    fs::create_dir(dir.path("folder")).unwrap();
    dir
}

/// Everything in the folder: modes and contents.
fn state(dir: &Scratch) -> BTreeMap<String, (u32, Vec<u8>)> {
    let content = |name: &String| {
        let metadata = dir.metadata(name);
        let bytes = if metadata.is_file() { dir.read(name) } else { Vec::new() };
        (metadata.permissions().mode(), bytes)
    };
    dir.names().into_iter().map(|name| (name.clone(), content(&name))).collect()
}

#[test]
fn threads_change_nothing_but_the_time() {
    let mut first: Option<Vec<_>> = None;
    for threads in ["-p1", "-p2", "-p4"] {
        let dir = mixed();
        let mut seen = Vec::new();
        let operands = dir.names();
        let operands = || operands.iter().map(String::as_str).chain(["missing", "f01", "./f02"]);
        let run = dir.rigz(["-v", "-n", threads].into_iter().chain(operands())).status(1);
        seen.push((run.out, run.err, state(&dir)));
        dir.write("f10.gz", b"\x1f\x8b\x08 damaged");
        let packed = dir.names();
        let run = dir.rigz(["-dv", threads].into_iter().chain(packed.iter().map(String::as_str))).status(1);
        seen.push((run.out, run.err, state(&dir)));
        let first = first.get_or_insert_with(|| seen.clone());
        for ((out, err, files), (first_out, first_err, first_files)) in seen.iter().zip(first.iter()) {
            assert_same(out, first_out, threads);
            assert_same(err, first_err, threads);
            assert!(files == first_files, "{threads}: {:?}", files.keys());
        }
    }
}

#[test]
fn outputs_and_messages_come_in_the_order_of_the_operands() {
    let dir = Scratch::new();
    let mut expected = Vec::new();
    let mut operands = Vec::new();
    for i in 0..40 {
        // The first ones take longest.
        let data = data::text(if i < 4 { 900_000 } else { 500 + i });
        let mut packed = gzip(&data);
        if i % 10 == 5 {
            packed.truncate(packed.len() - 4);
        }
        dir.write(&format!("{i}.gz"), &packed);
        operands.push(format!("{i}.gz"));
        expected.extend_from_slice(&data);
    }
    let complaints: String =
        [5, 15, 25, 35].map(|i| format!("\nrigz: {i}.gz: unexpected end of file\n")).concat();
    for threads in ["-p1", "-p2", "-p4"] {
        let args = |mode| [mode, threads].into_iter().chain(operands.iter().map(String::as_str));
        dir.rigz(args("-dc")).status(1).stderr(&complaints).stdout(&expected);
        dir.rigz(args("-t")).status(1).stderr(&complaints).stdout("");
        let list = dir.rigz(args("-l")).status(1).stderr(&complaints).out_text();
        let names: Vec<_> = list.lines().skip(1).map(|line| line.rsplit(' ').next().unwrap()).collect();
        let good = (0..40).filter(|i| i % 10 != 5).map(|i| i.to_string()).chain(["(totals)".to_owned()]);
        assert!(names.iter().copied().eq(good), "{list}");
    }
}

#[test]
fn compressed_members_come_in_order_too() {
    let dir = Scratch::new();
    let names: Vec<_> = (0..30).map(|i| format!("f{i:02}")).collect();
    let mut expected = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let data = data::text(i * 3000);
        dir.write(name, &data);
        expected.extend_from_slice(&data);
    }
    let args = |threads| ["-c", threads].into_iter().chain(names.iter().map(String::as_str));
    let one = dir.rigz(args("-p1")).status(0).stderr("").into_stdout();
    assert_same(&gunzip(&one), &expected, "all members");
    assert_same(&dir.rigz(args("-p3")).status(0).stderr("").into_stdout(), &one, "three threads");
}

#[test]
fn an_operand_named_twice_is_gone_the_second_time() {
    for threads in ["-p1", "-p2"] {
        let dir = Scratch::new();
        let names: Vec<_> = (0..20).map(|i| format!("f{i}")).collect();
        for name in &names {
            dir.write(name, name.as_bytes());
        }
        let twice = names.iter().flat_map(|name| [name.clone(), format!("./{name}")]);
        let run = dir.rigz([threads.to_owned()].into_iter().chain(twice)).status(1).stdout("");
        let expected: String =
            names.iter().map(|name| format!("rigz: ./{name}: No such file or directory\n")).collect();
        run.stderr(expected);
        assert!(dir.names().iter().all(|name| name.ends_with(".gz")));
    }
}

#[test]
fn a_file_and_its_compressed_form_may_both_be_named() {
    for threads in ["-p1", "-p2"] {
        let dir = Scratch::new();
        let mut operands = vec![threads.to_owned(), "-f".to_owned()];
        for i in 0..12 {
            dir.write(&format!("f{i}"), b"data");
            operands.extend([format!("f{i}"), format!("f{i}.gz")]);
        }
        dir.rigz(&operands).status(0).stdout("").stderr("");
        assert_eq!(dir.names().len(), 12);
        assert!(dir.names().iter().all(|name| name.ends_with(".gz.gz")), "{:?}", dir.names());
        assert_same(&gunzip(&gunzip(&dir.read("f3.gz.gz"))), b"data", threads);
    }
}

#[test]
fn nobody_waits_for_a_reader_who_has_left() {
    let dir = Scratch::new();
    let names: Vec<_> = (0..24).map(|i| format!("{i}.gz")).collect();
    let packed = gzip(&vec![0; 6_000_000]);
    for name in &names {
        dir.write(name, &packed);
    }
    let all = names.join(" ");
    for threads in ["-p1", "-p2", "-p4"] {
        let run = dir.shell(&format!("$R -dc {threads} {all} >/dev/full")).status(1);
        run.stderr("\nrigz: stdout: No space left on device\n");
        let script =
            format!("(trap '' PIPE; $R -dc {threads} {all}; echo $? >status) | head -c 1000000 | wc -c");
        dir.shell(&script).status(0).stdout("1000000\n").stderr("\nrigz: stdout: Broken pipe\n");
        assert_eq!(dir.read("status"), b"2\n");
    }
}

#[test]
fn questions_are_asked_one_after_the_other() {
    for threads in ["-p1", "-p2"] {
        let dir = Scratch::new();
        for i in 0..10 {
            dir.write(&format!("f{i}"), b"new");
            dir.write(&format!("f{i}.gz"), b"old");
        }
        let names: Vec<_> = (0..10).map(|i| format!("f{i}")).collect();
        let args = ["---presume-input-tty", threads].into_iter().chain(names.iter().map(String::as_str));
        let run = dir.rigz(args).stdin("y\nn\ny\nn\ny\nn\ny\nn\ny\nn\n").status(2).stdout("");
        let question = |i| format!("rigz: f{i}.gz already exists; do you wish to overwrite (y or n)? ");
        let expected: String =
            (0..10).map(|i| question(i) + if i % 2 == 0 { "" } else { "\tnot overwritten\n" }).collect();
        run.stderr(expected);
        for i in 0..10 {
            assert_eq!(dir.read(&format!("f{i}.gz")) == b"old", i % 2 == 1, "{threads}: f{i}");
        }
    }
}

#[test]
fn an_interrupted_run_leaves_whole_files_only() {
    for (wait, signal) in [(1, Signal::TERM), (5, Signal::INT), (12, Signal::HUP), (25, Signal::TERM)] {
        let dir = Scratch::new();
        let names: Vec<_> = (0..300).map(|i| format!("f{i}")).collect();
        let data = data::text(60_000);
        for name in &names {
            dir.write(name, &data);
        }
        let running = dir.rigz(["-9", "-p3"].into_iter().chain(names.iter().map(String::as_str))).start();
        sleep(Duration::from_millis(wait));
        running.kill(signal);
        running.finish();
        let left = dir.names();
        for name in &names {
            let packed = format!("{name}.gz");
            let (is_there, is_packed) = (left.contains(name), left.contains(&packed));
            assert!(is_there || is_packed, "{name} is lost after {wait} ms");
            if is_packed {
                assert_same(&gunzip(&dir.read(&packed)), &data, &packed);
            }
        }
    }
}

#[test]
fn large_plain_files_are_decompressed_side_by_side() {
    let dir = Scratch::new();
    let data = data::random(1_200_000, 3);
    let packed = gzip(&data);
    for i in 0..4 {
        dir.write(&format!("{i}.gz"), &packed);
    }
    dir.rigz(["-d", "-p2", "0.gz", "1.gz", "2.gz", "3.gz"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["0", "1", "2", "3"]);
    for name in dir.names() {
        assert_same(&dir.read(&name), &data, &name);
    }
}

#[test]
fn both_streams_in_one_place_are_in_order() {
    let dir = Scratch::new();
    for i in 0..40 {
        dir.write(&format!("f{i:02}"), &data::text(100 + i));
    }
    let run = |threads: &str| {
        let script = format!("exec $R -cv {threads} f0* missing f1* f01 f2* ./missing f3* 2>&1");
        dir.shell(&script).status(1).into_stdout()
    };
    let in_turn = run("-p1");
    for threads in ["-p2", "-p4"] {
        assert_same(&run(threads), &in_turn, threads);
    }
}
