//! pigz's own options.

use crate::support::run::has_tool;
use crate::support::{F_SECONDS, Scratch, assert_same, data, gunzip};

#[test]
fn zlib_files_are_written_and_read() {
    let dir = Scratch::with_f();
    dir.rigz(["-z", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.zz"]);
    let packed = dir.read("f.zz");
    assert!(packed[0] == 0x78 && u16::from_be_bytes([packed[0], packed[1]]).is_multiple_of(31));
    dir.rigz(["-z", "f.zz"]).status(0).stdout("").stderr("rigz: f.zz already has .zz suffix -- unchanged\n");
    dir.rigz(["-d", "f.zz"]).status(0).stdout("").stderr("");
    assert_same(&dir.read("f"), &data::seq(), "f");
    for level in ["-0", "-1", "-6", "-9", "-11"] {
        let packed = dir.rigz(["-z", level, "-p2"]).stdin(data::text(700_000)).status(0).into_stdout();
        let run = dir.rigz(["-dc"]).stdin(packed).status(0).stderr("");
        assert_same(&run.out, &data::text(700_000), level);
    }
}

#[test]
fn zip_files_are_written_and_read() {
    let dir = Scratch::with_f();
    dir.rigz(["-K", "f"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["f.zip"]);
    if has_tool("unzip") {
        dir.tool("unzip", ["-tq", "f.zip"]).status(0).stderr("");
        assert_same(&dir.tool("unzip", ["-p", "f.zip", "f"]).status(0).out, &data::seq(), "unzip");
    }
    if has_tool("7zz") {
        dir.tool("7zz", ["t", "f.zip"]).status(0);
    }
    dir.rigz(["-d", "f.zip"]).status(0).stdout("").stderr("");
    assert_same(&dir.read("f"), &data::seq(), "f");
    let entry = dir.rigz(["-K", "-A", "entry", "-C", "a remark"]).stdin("data").status(0).into_stdout();
    for text in [&b"entry"[..], b"a remark"] {
        assert!(entry.windows(text.len()).any(|window| window == text));
    }
    let packed = dir.rigz(["-K", "-p2"]).stdin(data::text(700_000)).status(0).into_stdout();
    assert_same(&dir.rigz(["-dc"]).stdin(packed).status(0).out, &data::text(700_000), "a stream");
}

#[test]
fn level_eleven_is_the_densest_and_the_same_for_any_number_of_threads() {
    let data = data::text(300_000);
    let packed =
        |args: &[&str]| Scratch::new().rigz(args).stdin(data.clone()).status(0).stderr("").into_stdout();
    let (nine, eleven) = (packed(&["-9"]), packed(&["-11", "-p2", "-b128"]));
    assert!(packed(&["-11"]).len() < nine.len());
    assert_same(&packed(&["-11", "-p1", "-b128"]), &eleven, "one thread");
    assert_eq!(eleven[8], 2);
    for args in [&["-11"][..], &["-11", "-F", "-O", "-I", "2"], &["-11", "-J3", "--iterations", "1"]] {
        assert_same(&gunzip(&packed(args)), &data, "level 11");
    }
    assert_same(&gunzip(&eleven), &data, "level 11");
}

#[test]
fn strategies_and_independent_chunks_decode() {
    let data = data::text(600_000);
    let packed =
        |args: &[&str]| Scratch::new().rigz(args).stdin(data.clone()).status(0).stderr("").into_stdout();
    let usual = packed(&["-n"]).len();
    for args in [["-U"], ["--rle"], ["-H"], ["--huffman"]] {
        let packed = packed(&args);
        assert!(packed.len() > usual, "{args:?} finds fewer repetitions");
        assert_same(&gunzip(&packed), &data, args[0]);
    }
    assert!(packed(&["-9", "-i", "-b32"]).len() > packed(&["-9", "-b32"]).len());
    assert_same(&gunzip(&packed(&["-9", "-i", "-b32", "-p3"])), &data, "-i");
}

#[test]
fn rsyncable_output_changes_near_by_only() {
    let data = data::text(2_000_000);
    let mut changed = data.clone();
    changed.splice(1000..1000, *b"inserted");
    for level in ["-1", "-6", "-9"] {
        let packed = |data: &[u8], option: &str| {
            Scratch::new().rigz([level, option]).stdin(data).status(0).stderr("").into_stdout()
        };
        let (before, after) = (packed(&data, "--rsyncable"), packed(&changed, "-R"));
        assert_same(&gunzip(&after), &changed, level);
        let blocks: std::collections::HashSet<&[u8]> = after.windows(700).collect();
        let reused = before.chunks_exact(700).filter(|block| blocks.contains(block)).count();
        assert!(reused * 100 >= 95 * (before.len() / 700), "{level}: {reused} of {}", before.len() / 700);
        let plain = packed(&data, "-n").len();
        assert!(before.len() * 100 <= plain * 101, "{level}: {} instead of {plain}", before.len());
    }
}

#[test]
fn rsyncable_is_accepted_for_decompression_too() {
    let dir = Scratch::with_f_and_gz();
    dir.rigz(["-dc", "--rsyncable", "f.gz"]).status(0).stderr("").stdout(data::seq());
}

#[test]
fn names_and_times_are_stored_one_by_one() {
    let dir = Scratch::with_f();
    let stored = |option: &str| {
        let packed = dir.rigz([option, "-c", "f"]).status(0).stderr("").into_stdout();
        (packed[3] & 8 != 0, u32::from_le_bytes(packed[4..8].try_into().unwrap()))
    };
    let time = F_SECONDS as u32;
    for (option, expected) in [
        ("-N", (true, time)),
        ("-n", (false, 0)),
        ("-m", (true, 0)),
        ("-T", (true, 0)),
        ("--no-time", (true, 0)),
        ("-nM", (false, time)),
        ("--time", (true, time)),
        ("-nN", (true, time)),
        ("-Nm", (true, 0)),
    ] {
        assert_eq!(stored(option), expected, "{option}");
    }
}

#[test]
fn names_and_times_are_restored_one_by_one() {
    for (option, name, restores_time) in
        [("-N", "f", true), ("-M", "g", true), ("-Nm", "f", false), ("-n", "g", false), ("-q", "g", false)]
    {
        let dir = Scratch::with_f();
        dir.rigz(["f"]).status(0);
        std::fs::rename(dir.path("f.gz"), dir.path("g.gz")).unwrap();
        let day = std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
        dir.set_mtime("g.gz", day);
        dir.rigz(["-d", option, "g.gz"]).status(0).stdout("").stderr("");
        assert_eq!(dir.names(), [name], "{option}");
        let expected = std::time::UNIX_EPOCH + std::time::Duration::from_secs(F_SECONDS);
        assert_eq!(dir.mtime(name), if restores_time { expected } else { day }, "{option}");
    }
}

#[test]
fn a_comment_goes_into_the_header() {
    let dir = Scratch::with_f();
    let packed = dir.rigz(["-C", "a remark", "-c", "f"]).status(0).stderr("").into_stdout();
    assert_eq!(packed[3], 8 | 16);
    assert_eq!(&packed[10..21], b"f\0a remark\0");
    assert_same(&gunzip(&packed), &data::seq(), "f");
}

#[test]
fn synchronous_output_is_complete_output() {
    for option in ["-Y", "--synchronous"] {
        let dir = Scratch::with_f();
        dir.rigz([option, "f"]).status(0).stdout("").stderr("");
        assert_eq!(dir.names(), ["f.gz"]);
        dir.rigz([option, "-d", "f.gz"]).status(0).stdout("").stderr("");
        dir.rigz([option, "-c", "f"]).status(0).stderr("");
        assert_same(&dir.read("f"), &data::seq(), option);
    }
}

#[test]
fn the_lines_of_dracut_and_of_administrators_are_accepted() {
    for args in [
        &["-9", "-n", "-T", "-R"][..],
        &["-n", "-9", "--rsyncable"],
        &["-p4", "-b", "512"],
        &["--processes", "2", "--blocksize", "64"],
        &["-6kp3"],
    ] {
        let packed = Scratch::new().rigz(args).stdin(data::seq()).status(0).stderr("").into_stdout();
        assert_same(&gunzip(&packed), &data::seq(), args[0]);
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for args in [["--bgzf", "-b64"], ["--bgzf", "-R"], ["--bgzf", "-U"], ["-H", "--bgzf"]] {
        let run = Scratch::with_f().rigz(args).status(1).stdout("");
        run.stderr_has("--bgzf");
    }
    Scratch::with_f().rigz(["-Z", "f"]).status(1).stderr_has("rigz: -Z not supported in this version\n");
}

#[test]
fn zip_entries_without_name_and_time_are_always_the_same() {
    let dir = Scratch::with_f();
    let first = dir.rigz(["-Knc", "f"]).status(0).stderr("").into_stdout();
    assert_eq!(first[10..14], [0, 0, 0x21, 0], "1980-01-01 00:00");
    dir.set_mtime("f", std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000));
    dir.tool("mv", ["f", "g"]).status(0);
    assert_same(&dir.rigz(["-Knc", "g"]).status(0).into_stdout(), &first, "another name and time");
}

#[test]
fn zlib_headers_tell_the_level_as_zlib_does() {
    for (level, header) in [
        ("-1", [0x78, 0x01]),
        ("-2", [0x78, 0x5e]),
        ("-5", [0x78, 0x5e]),
        ("-6", [0x78, 0x9c]),
        ("-9", [0x78, 0xda]),
    ] {
        let packed = Scratch::new().rigz(["-z", level]).stdin("data").status(0).into_stdout();
        assert_eq!(packed[..2], header, "{level}");
    }
}
