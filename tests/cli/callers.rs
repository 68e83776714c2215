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
