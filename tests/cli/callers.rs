//! The command lines by which other programs call gzip.

use crate::support::run::has_tool;
use crate::support::{RIGZ, Scratch, assert_same, data, gunzip, gzip};

#[test]
fn tar_compresses_and_decompresses_with_rigz() {
    if !has_tool("tar") {
        return;
    }
    let dir = Scratch::with_f();
    dir.tool("tar", ["-I", RIGZ, "-cf", "f.tgz", "f"]).status(0).stderr("");
    assert_eq!(dir.read("f.tgz")[..2], [0x1f, 0x8b]);
    std::fs::remove_file(dir.path("f")).unwrap();
    dir.tool("tar", ["-I", RIGZ, "-tf", "f.tgz"]).status(0).stdout("f\n").stderr("");
    dir.tool("tar", ["-I", RIGZ, "-xf", "f.tgz"]).status(0).stderr("");
    assert_same(&dir.read("f"), &data::seq(), "f");
}

#[test]
fn tar_finds_rigz_as_gzip() {
    if !has_tool("tar") {
        return;
    }
    let dir = Scratch::with_f();
    dir.write("big", &data::text(3_000_000));
    std::fs::create_dir(dir.path("bin")).unwrap();
    dir.symlink(RIGZ, "bin/gzip");
    let path = format!("{}:{}", dir.path("bin").display(), std::env::var("PATH").unwrap());
    dir.tool("tar", ["czf", "x.tgz", "f", "big"]).env("PATH", &path).status(0).stderr("");
    dir.tool("tar", ["tzf", "x.tgz"]).env("PATH", &path).status(0).stdout("f\nbig\n").stderr("");
    let run = dir.tool("tar", ["tzf", "/dev/null"]).env("PATH", &path).finish();
    assert!(!run.status.success(), "{run:?}");
    run.stderr_has("gzip: stdin: unexpected end of file");
}

#[test]
fn the_kernels_build_compresses_a_stream() {
    let run = Scratch::new().rigz(["-n", "-f", "-9"]).stdin(data::seq()).status(0).stderr("");
    assert_same(&gunzip(&run.out), &data::seq(), "the stream");
}

#[test]
fn container_tools_decompress_a_stream() {
    let data = data::text(2_000_000);
    let dir = Scratch::new();
    dir.rigz(["-d", "-c"]).called("unpigz").stdin(gzip(&data)).status(0).stderr("").stdout(&data);
}

#[test]
fn zgrep_reads_plain_and_compressed_files() {
    let dir = Scratch::with_f_and_gz();
    for name in ["f", "f.gz"] {
        dir.rigz(["-cdfq", "--", name]).status(0).stdout(data::seq()).stderr("");
    }
}

#[test]
fn zforce_reads_the_method_of_a_redirected_file() {
    let dir = Scratch::with_f_and_gz();
    let run = dir.rigz(["-lv"]).stdin_file(dir.path("f.gz")).status(0).stderr("");
    assert!(run.out_text().lines().nth(1).unwrap().starts_with("defla "), "{run:?}");
}

#[test]
fn zdiff_and_gzexe_read_by_name() {
    let dir = Scratch::with_f_and_gz();
    dir.rigz(["-cd", "--", "f.gz"]).status(0).stdout(data::seq()).stderr("");
    let packed = dir.rigz(["-cv9", "f"]).status(0).into_stdout();
    assert_same(&gunzip(&packed), &data::seq(), "f");
}

/// A folder with `f`, `f.gz` and a `bin` in which rigz has gzip's and pigz's names, and the PATH
/// that begins with it.
fn with_names() -> (Scratch, String) {
    let dir = Scratch::with_f_and_gz();
    std::fs::create_dir(dir.path("bin")).unwrap();
    for name in ["gzip", "gunzip", "zcat", "gzcat", "uncompress", "pigz", "unpigz"] {
        dir.symlink(RIGZ, &format!("bin/{name}"));
    }
    let path = format!("{}:{}", dir.path("bin").display(), std::env::var("PATH").unwrap());
    (dir, path)
}

#[test]
fn zgrep_works_with_rigz() {
    if !has_tool("zgrep") {
        return;
    }
    let (dir, path) = with_names();
    let zgrep = |args: &[&str]| dir.tool("zgrep", args).env("PATH", &path);
    zgrep(&["-c", "99$", "f.gz", "f"]).status(0).stdout("f.gz:50\nf:50\n").stderr("");
    zgrep(&["^4999$", "f.gz"]).status(0).stdout("4999\n").stderr("");
    zgrep(&["-l", "nothing like it", "f.gz"]).status(1).stdout("").stderr("");
    zgrep(&["-h", "^1$"]).stdin(gzip(b"1\n2\n")).status(0).stdout("1\n").stderr("");
}

#[test]
fn zdiff_and_zcmp_work_with_rigz() {
    if !has_tool("zdiff") || !has_tool("zcmp") {
        return;
    }
    let (dir, path) = with_names();
    dir.write("g", b"1\n2\n");
    dir.write("h.gz", &gzip(b"1\n3\n"));
    dir.tool("zdiff", ["f.gz", "f"]).env("PATH", &path).status(0).stdout("").stderr("");
    dir.tool("zdiff", ["g", "h.gz"]).env("PATH", &path).status(1).stdout("2c2\n< 2\n---\n> 3\n").stderr("");
    dir.tool("zcmp", ["f.gz", "f.gz"]).env("PATH", &path).status(0).stdout("").stderr("");
}

#[test]
fn zless_and_zmore_work_with_rigz() {
    let (dir, path) = with_names();
    for (pager, behind) in [("zless", "less"), ("zmore", "more")] {
        if has_tool(pager) && has_tool(behind) {
            let run = dir.tool(pager, ["f.gz"]).env("PATH", &path).status(0);
            assert!(run.out_text().contains("\n4999\n5000\n"), "{pager}: {run:?}");
        }
    }
}

#[test]
fn znew_and_zforce_work_with_rigz() {
    let (dir, path) = with_names();
    if has_tool("znew") && has_tool("compress") {
        dir.write("old", &data::seq());
        dir.tool("compress", ["old"]).status(0);
        dir.tool("znew", ["old.Z"]).env("PATH", &path).status(0).stdout("");
        assert_same(&gunzip(&dir.read("old.gz")), &data::seq(), "old.gz");
        assert!(!dir.names().contains(&"old.Z".to_owned()));
    }
    if has_tool("zforce") {
        std::fs::copy(dir.path("f.gz"), dir.path("packed")).unwrap();
        dir.tool("zforce", ["packed", "f"]).env("PATH", &path).finish();
        assert!(dir.names().contains(&"packed.gz".to_owned()) && dir.names().contains(&"f".to_owned()));
    }
}

#[test]
fn gzexe_works_with_rigz() {
    if !has_tool("gzexe") {
        return;
    }
    let (dir, path) = with_names();
    dir.write("program", b"#!/bin/sh\necho \"it runs: $1\"\n");
    dir.chmod("program", 0o755);
    dir.tool("gzexe", ["program"]).env("PATH", &path).status(0);
    assert!(dir.read("program").windows(2).any(|window| window == [0x1f, 0x8b]));
    dir.tool(dir.path("program"), ["x"]).env("PATH", &path).status(0).stdout("it runs: x\n");
    dir.tool("gzexe", ["-d", "program"]).env("PATH", &path).status(0);
    assert_eq!(&dir.read("program")[..9], b"#!/bin/sh");
}

#[test]
fn dpkg_deb_reads_archives_that_rigz_compressed() {
    if !has_tool("dpkg-deb") || !has_tool("ar") {
        return;
    }
    let (dir, path) = with_names();
    let script = "umask 022; mkdir -p p/DEBIAN && cp f p/f && \
        printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: m <m@example.org>\\nDescription: d\\n' >p/DEBIAN/control && \
        tar cf control.tar -C p/DEBIAN ./control && tar cf data.tar -C p ./f && gzip control.tar data.tar && \
        echo 2.0 >debian-binary && ar rc p.deb debian-binary control.tar.gz data.tar.gz && \
        dpkg-deb -I p.deb && dpkg-deb -x p.deb out && cmp f out/f";
    dir.shell(script).env("PATH", &path).status(0);
    let script = "umask 022; dpkg-deb -Zgzip -b p q.deb && mkdir q && cd q && ar x ../q.deb && gunzip -c data.tar.gz | tar xOf - ./f";
    let run = dir.shell(script).env("PATH", &path).status(0);
    assert!(run.out.ends_with(&data::seq()), "{run:?}");
}

#[test]
fn git_archives_are_made_and_read() {
    if !has_tool("git") {
        return;
    }
    let (dir, path) = with_names();
    let script = "git init -q r && cd r && cp ../f . && git add f && \
        git -c user.name=n -c user.email=e commit -qm m && \
        git -c tar.tar.gz.command='gzip -cn' archive --format=tar.gz HEAD >../r.tgz && cd .. && tar xzOf r.tgz f";
    let run = dir.shell(script).env("PATH", &path).env("HOME", dir.root()).status(0);
    assert_same(&run.out, &data::seq(), "f");
}

#[test]
fn dracut_asks_gzip_whether_it_knows_rsyncable() {
    let (dir, path) = with_names();
    dir.shell("gzip --help 2>&1 | grep -q rsyncable").env("PATH", &path).status(0);
    let run = dir.shell("pigz -9 -n -T -R <f | unpigz -d -c").env("PATH", &path).status(0).stderr("");
    assert_same(&run.out, &data::seq(), "f");
}
