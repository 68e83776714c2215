//! `-r`: folders and all that is in them.

use std::fs;
use std::path::Path;

use crate::support::{Scratch, assert_same, data, gunzip, gzip};

/// `d` with files, a hidden folder and a hidden file.
fn tree() -> Scratch {
    let dir = Scratch::new();
    fs::create_dir_all(dir.path("d/e/.hidden")).unwrap();
    for name in ["d/a", "d/.b", "d/e/c", "d/e/.hidden/f"] {
        dir.write(name, name.as_bytes());
    }
    dir
}

/// All files below the folder, sorted.
fn files(dir: &Scratch) -> Vec<String> {
    fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                collect(root, &entry.path(), found);
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    collect(dir.root(), dir.root(), &mut found);
    found.sort();
    found
}

#[test]
fn everything_below_a_folder_is_compressed_and_decompressed() {
    for threads in ["-p1", "-p2"] {
        let dir = tree();
        dir.rigz(["-r", threads, "d"]).status(0).stdout("").stderr("");
        assert_eq!(files(&dir), ["d/.b.gz", "d/a.gz", "d/e/.hidden/f.gz", "d/e/c.gz"]);
        assert_eq!(gunzip(&dir.read("d/e/.hidden/f.gz")), b"d/e/.hidden/f");
        // What is compressed already is passed over in silence.
        dir.rigz(["-r", threads, "d"]).status(0).stdout("").stderr("");
        dir.write("d/plain.txt", b"x");
        dir.rigz(["-rd", threads, "d"]).status(0).stdout("").stderr("");
        assert_eq!(files(&dir), ["d/.b", "d/a", "d/e/.hidden/f", "d/e/c", "d/plain.txt"]);
    }
}

#[test]
fn without_r_a_folder_is_left_alone() {
    let dir = tree();
    dir.rigz(["d"]).status(2).stdout("").stderr("rigz: d is a directory -- ignored\n");
    dir.rigz(["-d", "d"]).status(2).stdout("").stderr("rigz: d is a directory -- ignored\n");
    assert_eq!(files(&dir), ["d/.b", "d/a", "d/e/.hidden/f", "d/e/c"]);
}

#[test]
fn a_folder_is_walked_through_by_name() {
    let dir = tree();
    let run = dir.rigz(["-rv", "-p2", "d"]).status(0).stdout("");
    let names: Vec<_> =
        run.err_text().lines().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["d/.b", "d/a", "d/e/.hidden/f", "d/e/c"]);
}

#[test]
fn links_are_refused_and_not_followed() {
    let dir = tree();
    dir.symlink("a", "d/link");
    dir.symlink("../d/e", "d/round");
    dir.symlink("d", "way");
    let links =
        "rigz: d/link: Too many levels of symbolic links\nrigz: d/round: Too many levels of symbolic links\n";
    dir.rigz(["-r", "d"]).status(1).stdout("").stderr(links);
    dir.rigz(["-r", "way"]).status(1).stderr("rigz: way: Too many levels of symbolic links\n");
    assert!(dir.metadata("d/link").is_symlink() && dir.metadata("d/round").is_symlink());
    assert!(files(&dir).contains(&"d/a.gz".to_owned()));
}

#[test]
fn a_loop_of_links_ends() {
    for args in [["-rf", "d"], ["-rc", "d"], ["-rt", "d"]] {
        let dir = tree();
        dir.symlink("..", "d/e/up");
        dir.rigz(args).status(1).stderr_has("rigz: d/e/up: file system loop\n");
        assert!(files(&dir).iter().all(|name| !name.contains(".gz.gz")), "{:?}", files(&dir));
    }
}

#[test]
fn what_is_no_file_is_left_alone() {
    let dir = tree();
    dir.tool("mkfifo", ["d/pipe"]).status(0);
    let run = dir.rigz(["-r", "d"]).status(2).stdout("");
    run.stderr("rigz: d/pipe is not a directory or a regular file - ignored\n");
    assert_eq!(files(&dir), ["d/.b.gz", "d/a.gz", "d/e/.hidden/f.gz", "d/e/c.gz", "d/pipe"]);
}

#[test]
fn a_folder_named_twice_is_walked_after_the_first_time() {
    for threads in ["-p1", "-p2"] {
        let dir = tree();
        dir.rigz(["-r", threads, "d", "d", "d/e"]).status(0).stdout("").stderr("");
        assert_eq!(files(&dir), ["d/.b.gz", "d/a.gz", "d/e/.hidden/f.gz", "d/e/c.gz"]);
    }
}

#[test]
fn new_files_in_a_folder_are_not_met() {
    // With -f compressed files are compressed again, so meeting the new ones would never end.
    let dir = Scratch::new();
    fs::create_dir(dir.path("d")).unwrap();
    for i in 0..200 {
        dir.write(&format!("d/{i}"), b"x");
    }
    dir.rigz(["-rf", "-p2", "d"]).status(0).stdout("").stderr("");
    assert_eq!(files(&dir).len(), 200);
    assert!(files(&dir).iter().all(|name| !name.ends_with(".gz.gz")));
}

#[test]
fn testing_and_listing_look_at_compressed_files_only() {
    let dir = tree();
    dir.write("d/x.gz", &gzip(&data::text(100)));
    dir.rigz(["-rt", "d"]).status(0).stdout("").stderr("");
    let list = dir.rigz(["-rl", "d"]).status(0).stderr("").out_text();
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.ends_with(" d/x\n"), "{list}");
}

#[test]
fn archives_are_not_taken_apart_on_a_walk() {
    let dir = tree();
    dir.rigz(["-K", "d/a"]).status(0).stderr("");
    dir.rigz(["-rd", "d"]).status(0).stdout("").stderr("");
    assert!(files(&dir).contains(&"d/a.zip".to_owned()));
}

#[test]
fn an_unreadable_folder_does_not_hide_the_others() {
    let dir = tree();
    fs::create_dir(dir.path("closed")).unwrap();
    dir.write("closed/x", b"x");
    dir.chmod("closed", 0);
    dir.chmod("d/e/.hidden/f", 0o644);
    for folder in ["d", "d/e", "d/e/.hidden"] {
        dir.chmod(folder, 0o777);
    }
    if let Some(run) = dir.rigz_as_nobody(["-rc", "closed", "d"]) {
        let run = run.status(1);
        assert!(!run.out.is_empty());
        run.stderr("rigz: closed: Permission denied\n");
    }
    dir.chmod("closed", 0o755);
}

#[test]
fn files_that_links_lead_to_as_well_are_compressed_once() {
    for (file, target, link) in [("a/x", "../a", "b/l"), ("b/x", "../b", "a/l")] {
        for threads in ["-p1", "-p2"] {
            let dir = Scratch::new();
            for folder in ["a", "b"] {
                fs::create_dir(dir.path(folder)).unwrap();
            }
            dir.write(file, b"once");
            dir.symlink(target, link);
            dir.rigz(["-rf", threads, "."]).status(0).stdout("").stderr("");
            let mut expected = [format!("{file}.gz"), link.to_owned()];
            expected.sort();
            assert_eq!(files(&dir), expected);
            dir.rigz(["-rfd", threads, "."]).status(0).stdout("").stderr("");
            assert_same(&dir.read(file), b"once", file);
        }
    }
}

#[test]
fn where_nothing_is_replaced_links_are_followed_each_time() {
    let dir = Scratch::new();
    fs::create_dir(dir.path("a")).unwrap();
    dir.write("a/x", b"twice\n");
    dir.symlink("a", "l");
    let packed = dir.rigz(["-rc", "."]).status(0).stderr("").into_stdout();
    assert_same(&gunzip(&packed), b"twice\ntwice\n", "both ways");
}
