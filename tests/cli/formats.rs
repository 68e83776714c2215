//! Inputs in other formats than gzip's, through the program.

use crate::support::run::has_tool;
use crate::support::zip::{Entry, zip, zlib};
use crate::support::{Scratch, assert_same, data, gzip};

#[test]
fn compress_files_are_read() {
    if !has_tool("compress") {
        return;
    }
    let dir = Scratch::with_f();
    let packed = dir.tool("compress", ["-c", "f"]).status(0).into_stdout();
    dir.write("g.Z", &packed);
    dir.rigz(["-dc", "g.Z"]).status(0).stderr("").stdout(data::seq());
    dir.rigz(["-t", "g.Z"]).status(0).stdout("").stderr("");
    let list = dir.rigz(["-lv", "g.Z"]).status(0).stderr("").out_text();
    assert!(list.contains("\ncompr ffffffffffffffff ") && list.ends_with(" g\n"), "{list}");
    dir.rigz(["-d", "g.Z"]).status(0).stdout("").stderr("");
    assert_same(&dir.read("g"), &data::seq(), "g");
}

#[test]
fn a_compress_file_that_is_cut_is_not_removed() {
    // Codes have nine bits; here are eight of them.
    let dir = Scratch::with_file("x.Z", b"\x1f\x9d\x90\x61");
    dir.rigz(["-d", "x.Z"]).status(1).stdout("").stderr("\nrigz: x.Z: unexpected end of file\n");
    assert_eq!(dir.names(), ["x.Z"]);
}

#[test]
fn the_only_entry_of_a_zip_file_is_read() {
    for entry in [Entry::deflated(&data::seq()), Entry::stored(&data::seq())] {
        let dir = Scratch::with_file("z.zip", &zip(&[entry]));
        dir.rigz(["-dc", "z.zip"]).status(0).stderr("").stdout(data::seq());
        dir.rigz(["-S", ".zip", "-dk", "z.zip"]).status(0).stdout("").stderr("");
        assert_same(&dir.read("z"), &data::seq(), "z");
        std::fs::remove_file(dir.path("z")).unwrap();
        dir.rigz(["-d", "z.zip"]).status(0).stdout("").stderr("");
        assert_eq!(dir.names(), ["z"]);
    }
}

#[test]
fn a_zip_file_of_several_entries_is_never_replaced_by_its_first() {
    let dir = Scratch::with_file("z.zip", &zip(&[Entry::deflated(b"first"), Entry::deflated(b"second")]));
    let run = dir.rigz(["-dc", "z.zip"]).status(2).stdout("first");
    run.stderr("rigz: z.zip has more than one entry--rest ignored\n");
    let run = dir.rigz(["-d", "z.zip"]).status(1).stdout("");
    run.stderr_has("has more than one entry");
    assert_eq!(dir.names(), ["z.zip"]);
}

#[test]
fn zlib_streams_are_read() {
    let dir = Scratch::with_file("f.zz", &zlib(&data::seq()));
    dir.rigz(["-dc", "f.zz"]).status(0).stderr("").stdout(data::seq());
    dir.rigz(["-d", "f.zz"]).status(0).stdout("").stderr("");
    assert_same(&dir.read("f"), &data::seq(), "f");
}

#[test]
fn data_that_are_copied_if_unknown_are_not_taken_for_zlib() {
    let dir = Scratch::with_file("x", &zlib(b"text"));
    dir.rigz(["-dcf", "x"]).status(0).stderr("").stdout(dir.read("x"));
    dir.rigz(["-dcfz", "x"]).status(0).stderr("").stdout("text");
    // "x^" would be a zlib header.
    dir.rigz(["-dcf"]).stdin("x^2 is a square\n").status(0).stderr("").stdout("x^2 is a square\n");
}

#[test]
fn formats_follow_each_other_as_in_gzip() {
    if !has_tool("compress") {
        return;
    }
    let dir = Scratch::with_f();
    let packed = dir.tool("compress", ["-c", "f"]).status(0).into_stdout();
    let run = dir.rigz(["-dc"]).stdin([gzip(b"first"), packed].concat()).status(0).stderr("");
    assert_same(&run.out, &[b"first", &data::seq()[..]].concat(), "both");
}

/// A pack(1) file of bytes among `a` to `g`: with the end mark, eight codewords of three bits.
fn packed(letters: &[u8]) -> Vec<u8> {
    let mut out = [&b"\x1f\x1e"[..], &(letters.len() as u32).to_be_bytes(), b"\x03\0\0\x06abcdefg"].concat();
    let codewords = letters.iter().map(|letter| letter - b'a').chain([7]);
    let bits: String = codewords.map(|codeword| format!("{codeword:03b}")).collect();
    for byte in bits.as_bytes().chunks(8) {
        out.push(byte.iter().enumerate().map(|(i, bit)| (bit - b'0') << (7 - i)).sum());
    }
    out
}

/// A file of `compress -H` in which every byte is a block whose codes know this byte only.
fn lzh(text: &[u8]) -> Vec<u8> {
    let block = |byte: &u8| format!("{:016b}{:019b}{byte:09b}{:08b}", 1, 0, 0);
    let bits: String = text.iter().map(block).chain(["0".repeat(24)]).collect();
    let bytes = bits.as_bytes().chunks(8);
    let value = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')) << (8 - bits.len());
    [b"\x1f\xa0".to_vec(), bytes.map(value).collect()].concat()
}

#[test]
fn pack_and_lzh_files_are_read() {
    let dir = Scratch::with_file("p.z", &packed(b"bagged"));
    dir.write("l.z", &lzh(b"hello"));
    for (name, method, data) in [("p", "pack ", "bagged"), ("l", "lzh  ", "hello")] {
        let file = &format!("{name}.z");
        dir.rigz(["-dc", file]).status(0).stderr("").stdout(data);
        dir.rigz(["-dc"]).stdin(dir.read(file)).status(0).stderr("").stdout(data);
        dir.rigz(["-tv", file]).status(0).stdout("").stderr(format!("{file}:\t OK\n"));
        let list = dir.rigz(["-lv", file]).status(0).stderr("").out_text();
        assert!(list.contains(&format!("\n{method} ffffffffffffffff ")), "{list}");
        dir.rigz(["-d", file]).status(0).stdout("").stderr("");
        assert_eq!(dir.read(name), data.as_bytes());
    }
    assert_eq!(dir.names(), ["l", "p"]);
}

#[test]
fn zip_entries_do_not_name_the_output() {
    let dir = Scratch::with_f();
    dir.rigz(["-K", "f"]).status(0).stderr("");
    dir.tool("mv", ["f.zip", "x.zip"]).status(0);
    dir.rigz(["-dN", "x.zip"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["x"]);
}

#[test]
fn a_compress_file_that_begins_wrong_has_nothing_to_recover() {
    // The first code must be a byte; this one has nine bits set.
    let dir = Scratch::with_file("x.Z", b"\x1f\x9d\x90\xff\xff\xff");
    for args in [["-d", "x.Z"], ["-dc", "x.Z"], ["-t", "x.Z"]] {
        dir.rigz(args).status(1).stdout("").stderr("\nrigz: x.Z: corrupt input.\n");
    }
    assert_eq!(dir.names(), ["x.Z"]);
}
