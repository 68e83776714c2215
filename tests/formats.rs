//! What rigz reads beside plain gzip files: zip files, zlib streams, and parts in any order. The
//! verdicts are those of GNU gzip 1.14 unless a test says otherwise.

mod support;

use rigz::engine::decompress::{Method, Tail, Totals};
use rigz::legacy::Legacy;
use support::decode::{decode, decode_as};
use support::zip::{DESCRIPTORS, Descriptor, Entry, zip, zlib};
use support::{Scratch, assert_same, data, gzip};

/// Lengths around those of buffers.
const LENS: [usize; 4] = [1, 1000, 256 << 10, 700_000];

/// A member with a name and a modification time.
const NAMED: &[u8] = b"\x1f\x8b\x08\x08\x05\0\0\0\0\x03name\0\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0";

/// "abc", packed.
const PACKED: &[u8] = b"\x1f\x1e\0\0\0\x03\x02\0\x02abc\x1b";
/// "a" as `.Z`.
const LZW: &[u8] = b"\x1f\x9d\x90a\0";
/// "aaa" as LZH data.
const LZH: &[u8] = b"\x1f\xa0\0\x03\0\0\x06\x10\0\0\0";

/// Decodes `file`, which must be all right.
#[track_caller]
fn totals(file: &[u8], expected: &[u8]) -> Totals {
    let (out, totals) = decode(file);
    let totals = totals.unwrap_or_else(|error| panic!("{error}"));
    assert_same(&out, expected, "output");
    assert_eq!(totals.written, expected.len() as u64);
    totals
}

/// The message for `file`, which must not be all right, and what comes out before it.
#[track_caller]
fn refusal(file: &[u8]) -> (String, Vec<u8>) {
    let (out, result) = decode(file);
    (result.expect_err("a message").replace("x: ", ""), out)
}

/// Every kind of first entry whose end can be found. `data` must not be empty: that would say
/// that the length is not known.
fn entries(data: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for is_zip64 in [false, true] {
        for descriptor in [None].into_iter().chain(DESCRIPTORS.map(Some)) {
            let with = |entry, gives_lens| Entry { is_zip64, descriptor, gives_lens, ..entry };
            entries.push(with(Entry::deflated(data), false));
            entries.push(with(Entry::stored(data), true));
            if descriptor.is_none_or(|form| form.has_magic) {
                entries.push(with(Entry::stored(data), false));
            }
        }
    }
    entries
}

#[test]
fn every_kind_of_zip_entry_is_read() {
    for len in LENS {
        let data = data::text(len);
        for entry in entries(&data) {
            let what = format!("{len} bytes, {:?}, method {}", entry.descriptor, entry.method);
            let totals = totals(&zip(std::slice::from_ref(&entry)), &data);
            assert_eq!((totals.tail, totals.parts), (Tail::Clean, 1), "{what}");
            let method = if entry.method == 0 { Method::Stored } else { Method::Deflated };
            assert_eq!((totals.method, totals.crc, totals.overhead), (method, None, 0), "{what}");
        }
    }
}

#[test]
fn empty_zip_entries_are_read() {
    for entry in entries(b"").into_iter().filter(|entry| entry.method == 8 || entry.descriptor.is_none()) {
        totals(&zip(&[entry]), b"");
    }
    for is_zip64 in [false, true] {
        let form = Descriptor { has_magic: true, has_long_lens: is_zip64 };
        let entry = Entry { descriptor: Some(form), is_zip64, ..Entry::stored(b"") };
        assert_eq!(totals(&zip(&[entry.clone(), entry]), b"").tail, Tail::Entries);
    }
}

#[test]
fn further_entries_are_noticed_behind_every_kind_of_first_one() {
    let data = data::text(1000);
    for entry in entries(&data) {
        let totals = totals(&zip(&[entry.clone(), Entry::stored(b"second")]), &data);
        assert_eq!(totals.tail, Tail::Entries, "{:?}, method {}", entry.descriptor, entry.method);
    }
}

#[test]
fn stored_data_may_look_like_descriptors() {
    let mut data = b"PK\x07\x08PK\x07PK\x07\x08\0\0\0\0\x0b\0\0\0\x0c\0\0\0".to_vec();
    data.extend(Entry::stored(b"an entry in an entry").bytes());
    data.extend(Entry { descriptor: Some(DESCRIPTORS[0]), ..Entry::stored(b"and one more") }.bytes());
    data.extend(b"PK\x07\x08".repeat(100_000));
    data.extend(b"PK\x07");
    for form in DESCRIPTORS.into_iter().filter(|form| form.has_magic) {
        totals(&zip(&[Entry { descriptor: Some(form), ..Entry::stored(&data) }]), &data);
    }
}

/// A signature that is missing shows only because checksum and lengths fit, even if the checksum
/// itself reads like a signature.
#[test]
fn a_checksum_may_look_like_a_signature() {
    // Four bytes chosen so that the CRC-32 of the data is the signature.
    let mut data = b"data".to_vec();
    data.extend(crc_suffix(&data, u32::from_le_bytes(*b"PK\x07\x08")));
    let entry = Entry { descriptor: Some(DESCRIPTORS[2]), ..Entry::deflated(&data) };
    assert_eq!(entry.crc.to_le_bytes(), *b"PK\x07\x08");
    totals(&zip(&[entry]), &data);
}

/// The four bytes behind `data` that make the CRC-32 of everything `crc`.
fn crc_suffix(data: &[u8], crc: u32) -> [u8; 4] {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let forth = |mut crc: u32, byte: u8| {
        crc ^= u32::from(byte);
        (0..8).for_each(|_| crc = (crc >> 1) ^ if crc & 1 != 0 { POLYNOMIAL } else { 0 });
        crc
    };
    let state = data.iter().fold(!0, |crc, byte| forth(crc, *byte));
    // Backwards by 32 bits from the wanted state; what then is left is the difference.
    let mut wanted = !crc;
    for _ in 0..32 {
        wanted = if wanted >> 31 != 0 { ((wanted ^ POLYNOMIAL) << 1) | 1 } else { wanted << 1 };
    }
    (wanted ^ state).to_le_bytes()
}

#[test]
fn a_cut_zip_file_gives_its_good_prefix_and_is_an_error() {
    let data = data::text(300);
    for entry in entries(&data) {
        let whole = entry.bytes();
        for len in 0..whole.len() {
            let (message, out) = refusal(&whole[..len]);
            let expected = match len {
                0 | 1 => "unexpected end of file",
                2 | 3 => "not in gzip format",
                _ if len < entry.header_len() => "not a valid zip file",
                _ => "unexpected end of file",
            };
            assert_eq!(message, expected, "{len} bytes of {:?}", entry.descriptor);
            // Stored data of unknown length might go on with what is left of the descriptor.
            let seeks_end = entry.method == 0 && entry.descriptor.is_some() && !entry.gives_lens;
            assert!(data.starts_with(&out) || (seeks_end && out.starts_with(&data)), "{len} bytes");
            if entry.method == 0 && len > entry.header_len() {
                assert_eq!(out.len().min(data.len()), (len - entry.header_len()).min(data.len()));
            }
        }
        totals(&whole, &data);
    }
}

#[test]
fn what_is_wrong_with_a_zip_file_is_said_as_gzip_says_it() {
    const CRC: &str = "invalid compressed data--crc error";
    const LEN: &str = "invalid compressed data--length error";
    let data = data::text(1000);
    let both = format!("{CRC}\n{LEN}");
    for entry in entries(&data) {
        let what = format!("{:?}, method {}", entry.descriptor, entry.method);
        let (message, out) = refusal(&zip(&[Entry { crc: 1, ..entry.clone() }]));
        assert_eq!((message.as_str(), &out), (CRC, &data), "{what}");
        if entry.method == 8 {
            let (message, out) = refusal(&zip(&[Entry { data_len: 1, ..entry.clone() }]));
            assert_eq!((message.as_str(), &out), (LEN, &data), "{what}");
            let (message, out) = refusal(&zip(&[Entry { crc: 1, data_len: 1, ..entry.clone() }]));
            assert_eq!((&message, &out), (&both, &data), "{what}");
            let (message, out) = refusal(&zip(&[Entry { packed: vec![7], ..entry }]));
            assert_eq!((message.as_str(), &out[..]), ("invalid compressed data--format violated", &[][..]));
        }
    }
    let stored = Entry::stored(&data);
    for (entry, expected) in [
        (Entry { flags: 1, ..stored.clone() }, "encrypted file -- use unzip"),
        (Entry { method: 12, ..stored.clone() }, "first entry not deflated or stored -- use unzip"),
        (Entry { method: 99, flags: 1, ..stored.clone() }, "first entry not deflated or stored -- use unzip"),
        (Entry { data_len: 1, ..stored.clone() }, "invalid compressed data--length mismatch"),
        (Entry { data_len: 999, packed_len: 999, ..stored.clone() }, CRC),
        (
            Entry { data_len: 1 << 40, packed_len: 1 << 40, is_zip64: true, ..stored },
            "unexpected end of file",
        ),
    ] {
        assert_eq!(refusal(&zip(&[entry])).0, expected);
    }
    assert_eq!(refusal(&zip(&[])).0, "not in gzip format");
}

/// GNU gzip compares a descriptor's lengths, too, where it takes one of another form for its own.
#[test]
fn a_packed_length_that_lies_does_no_harm() {
    let data = data::text(1000);
    for entry in entries(&data).into_iter().filter(|entry| entry.method == 8) {
        totals(&zip(&[Entry { packed_len: 1, ..entry }]), &data);
    }
}

#[test]
fn zlib_streams_are_read_where_they_are_expected() {
    for len in [0].into_iter().chain(LENS) {
        let data = data::text(len);
        let file = zlib(&data);
        let totals = totals(&file, &data);
        assert_eq!((totals.read, totals.tail, totals.crc), (file.len() as u64, Tail::Clean, None));
        let (out, result) = decode_as(&file, false, false);
        assert_eq!((out.len(), result.unwrap_err().as_str()), (0, "x: not in gzip format"));
    }
}

#[test]
fn what_follows_a_zlib_stream_is_judged() {
    let data = data::text(1000);
    let file = zlib(&data);
    let with = |tail: &[u8]| [&file, tail].concat();
    for (tail, expected) in [
        (&b""[..], Tail::Clean),
        (&[0], Tail::Zeros),
        (&[0; 5000], Tail::Zeros),
        (b"x", Tail::Garbage),
        (b"garbage", Tail::Garbage),
        (b"\0\0x", Tail::Garbage),
        (&file, Tail::Garbage),
        (NAMED, Tail::Garbage),
    ] {
        assert_eq!(totals(&with(tail), &data).tail, expected, "{tail:?}");
    }
    assert_eq!(decode_as(&with(b"x"), true, true).1.unwrap().tail, Tail::Left);
}

#[test]
fn a_damaged_zlib_stream_is_an_error() {
    let data = data::text(1000);
    let file = zlib(&data);
    for len in 0..file.len() {
        let (message, out) = refusal(&file[..len]);
        assert_eq!(message, "unexpected end of file", "{len} bytes");
        assert!(data.starts_with(&out), "{len} bytes");
    }
    for byte in 1..=4 {
        let mut file = file.clone();
        let at = file.len() - byte;
        file[at] ^= 1;
        assert_eq!(refusal(&file), ("invalid compressed data--crc error".to_owned(), data.clone()));
    }
}

#[test]
fn no_flipped_bit_passes_wrong_data_off_as_right() {
    let data = data::text(150);
    let mut files: Vec<_> = entries(&data).into_iter().map(|entry| zip(&[entry])).collect();
    files.push(zlib(&data));
    for file in files {
        for bit in 0..8 * file.len() {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            let (out, result) = decode(&file);
            // An entry whose lengths are elsewhere but whose flag does not say so is empty.
            let is_emptied = bit == 8 * 6 + 3 && out.is_empty();
            assert!(result.is_err() || out == data || is_emptied, "bit {bit} of {file:x?}");
        }
    }
}

#[test]
fn what_follows_a_gzip_member_is_judged_as_gzip_does() {
    for (tail, expected) in [
        (&b""[..], Ok(Tail::Clean)),
        (&[0], Ok(Tail::Zeros)),
        (&[0; 70_000], Ok(Tail::Zeros)),
        (b"\0x", Ok(Tail::Garbage)),
        (b"\0\0\0\0x", Ok(Tail::Garbage)),
        (b"garbage", Ok(Tail::Garbage)),
        (b"PK", Ok(Tail::Garbage)),
        (&zip(&[Entry::stored(b"x")]), Ok(Tail::Garbage)),
        (&zlib(b"x"), Ok(Tail::Garbage)),
        (b"\x1f\x1f", Ok(Tail::Garbage)),
        (b"\x1f\x1e", Err("unexpected end of file")),
        (b"x", Err("unexpected end of file")),
        (b"\x1f", Err("unexpected end of file")),
        (b"\x1f\x8b", Err("unexpected end of file")),
        (b"\x1f\x8b\x07", Err("unknown method 7 -- not supported")),
    ] {
        let file = [NAMED, tail].concat();
        let (out, result) = decode(&file);
        assert_eq!(out, b"a", "{tail:?}");
        let judged = result.map(|totals| totals.tail).map_err(|error| error.replace("x: ", ""));
        assert_eq!(judged, expected.map_err(str::to_owned), "{tail:?}");
        // Where the tail is left (-dcf), whatever is in no known format is.
        let left = match decode_as(&file, true, false).1 {
            Ok(totals) => totals.tail == Tail::Left,
            Err(_) => false,
        };
        let is_known = tail.starts_with(b"\x1f\x8b") || tail.starts_with(b"\x1f\x1e");
        assert_eq!(left, !tail.is_empty() && !is_known, "{tail:?}");
    }
}

#[test]
fn old_formats_and_members_follow_each_other() {
    let zeros = &[0; 9][..];
    let (deflated, legacy) = (Method::Deflated, Method::Legacy);
    for (parts, data, (method, tail)) in [
        (vec![LZW], "a", (legacy(Legacy::Lzw), Tail::Clean)),
        (vec![LZH], "aaa", (legacy(Legacy::Lzh), Tail::Clean)),
        (vec![PACKED], "abc", (legacy(Legacy::Pack), Tail::Clean)),
        (vec![PACKED, PACKED, zeros], "abcabc", (legacy(Legacy::Pack), Tail::Zeros)),
        (vec![PACKED, b"garbage"], "abc", (legacy(Legacy::Pack), Tail::Garbage)),
        (vec![NAMED, PACKED], "aabc", (legacy(Legacy::Pack), Tail::Clean)),
        (vec![NAMED, LZW], "aa", (legacy(Legacy::Lzw), Tail::Clean)),
        (vec![PACKED, NAMED], "abca", (deflated, Tail::Clean)),
        (vec![NAMED, PACKED, NAMED, NAMED, b"garbage"], "aabcaa", (deflated, Tail::Garbage)),
        // What follows LZH data is nothing to gzip.
        (vec![NAMED, LZH, NAMED], "aaaa", (legacy(Legacy::Lzh), Tail::Clean)),
        (vec![LZH, b"garbage"], "aaa", (legacy(Legacy::Lzh), Tail::Clean)),
    ] {
        let file = parts.concat();
        let totals = totals(&file, data.as_bytes());
        assert_eq!((totals.method, totals.tail), (method, tail), "{parts:?}");
        assert_eq!((totals.read, totals.overhead), (file.len() as u64, 0), "{parts:?}");
        assert_eq!(totals.crc.is_some(), method == deflated, "{parts:?}");
    }
    for file in [PACKED, LZH] {
        for len in 2..file.len() - 1 {
            assert_eq!(refusal(&file[..len]).0, "unexpected end of file", "{:x?}", &file[..len]);
        }
    }
    assert_eq!(decode(&[NAMED, b"\x1f\x9d\xf0a\0"].concat()).1.unwrap().unknown_flags, 0x60);
}

/// Each change of format ends a route; a file with many must not take long.
#[test]
fn many_changes_of_format_are_read() {
    let sized = b"\x1f\x8b\x08\x04\0\0\0\0\0\x03\x06\0BC\x02\0\x1c\0\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0";
    let file = [&sized[..], sized, NAMED, PACKED].concat().repeat(1000);
    let totals = totals(&file, "aaaabc".repeat(1000).as_bytes());
    assert_eq!(totals.parts, 4000);
}

#[test]
fn input_too_short_to_tell_its_format_is_left_only_where_all_unknown_is() {
    for (file, expected) in [
        (&b""[..], "unexpected end of file"),
        (b"\0", "not in gzip format"),
        (b"x", "unexpected end of file"),
        (b"\x1f", "unexpected end of file"),
        (b"PK\x03", "not in gzip format"),
    ] {
        assert_eq!(decode(file).1.unwrap_err(), format!("x: {expected}"), "{file:?}");
        assert_eq!(decode_as(file, true, false).1.unwrap_err(), "x: not in gzip format", "{file:?}");
    }
    assert_eq!(decode_as(b"\x1f\x8b", true, false).1.unwrap_err(), "x: unexpected end of file");
    assert_eq!(decode_as(b"PK\x03\x04", true, false).1.unwrap_err(), "x: not a valid zip file");
}

/// GNU gzip forgets the overhead of the first header as soon as it looks at what follows, and
/// counts everything it has read.
#[test]
fn totals_count_as_gzip_does() {
    let other_time = [&NAMED[..4], &[9, 0, 0, 0], &NAMED[8..]].concat();
    let no_time = [&NAMED[..4], &[0; 4], &NAMED[8..]].concat();
    for (file, data, (overhead, mtime, tail)) in [
        (NAMED.to_vec(), "a", (23, 5, Tail::Clean)),
        ([NAMED, &other_time].concat(), "aa", (0, 9, Tail::Clean)),
        ([NAMED, &no_time].concat(), "aa", (0, 5, Tail::Clean)),
        ([NAMED, &[0; 30]].concat(), "a", (0, 5, Tail::Zeros)),
        ([NAMED, b"garbage"].concat(), "a", (0, 5, Tail::Garbage)),
    ] {
        let totals = totals(&file, data.as_bytes());
        assert_eq!((totals.overhead, totals.mtime, totals.tail), (overhead, mtime, tail));
        assert_eq!((totals.read, totals.crc), (file.len() as u64, Some(0xe8b7_be43)));
    }
    let long = data::random(300_000, 1);
    let file = zip(&[Entry::stored(&long), Entry::stored(&long)]);
    assert_eq!(totals(&file, &long).read, 2 * (256 << 10));
    assert_eq!(totals(&zip(&[Entry::stored(&long)]), &long).read, zip(&[Entry::stored(&long)]).len() as u64);
}

#[test]
fn names_and_comments_of_any_length_are_passed_over() {
    let text = vec![b'n'; 3 << 20];
    let mut header =
        [b"\x1f\x8b\x08\x1e\x05\0\0\0\0\x03\x04\0XY\0\0", &text[..], b"\0", &text, b"\0"].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    header.extend_from_slice(&crc.sum().to_le_bytes()[..2]);
    let file = [&header, &NAMED[15..], NAMED].concat();
    let totals = totals(&file, b"aa");
    assert_eq!((totals.parts, totals.mtime, totals.read), (2, 5, file.len() as u64));
    for cut in [100, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 4 << 20, header.len() - 1, header.len()] {
        assert_eq!(refusal(&file[..cut]).0, "unexpected end of file", "{cut}");
    }
    let at = header.len() - 1;
    header[at] ^= 1;
    assert!(refusal(&[&header, &NAMED[15..]].concat()).0.starts_with("header checksum 0x"));
}

#[test]
fn a_zip_file_with_one_entry_can_be_replaced_by_it() {
    let data = data::seq();
    let dir = Scratch::with_file("z.zip", &zip(&[Entry::deflated(&data)]));
    dir.rigz(["-N", "-S.zip", "-d", "z.zip"]).status(0).stdout("").stderr("");
    assert_eq!(dir.names(), ["z"]);
    assert_same(&dir.read("z"), &data, "z");
}

#[test]
fn a_zip_file_with_more_entries_is_not_replaced_by_the_first() {
    let data = data::seq();
    let dir = Scratch::with_file("z.gz", &zip(&[Entry::deflated(&data), Entry::stored(b"second")]));
    let run = dir.rigz(["-dc", "z.gz"]).status(2).stdout(&data);
    run.stderr("rigz: z.gz has more than one entry--rest ignored\n");
    dir.rigz(["-t", "z.gz"]).status(2).stderr("rigz: z.gz has more than one entry--rest ignored\n");
    for args in [["-d", "z.gz"], ["-dk", "z.gz"]] {
        dir.rigz(args).status(1).stdout("").stderr("rigz: z.gz has more than one entry -- unchanged\n");
        assert_eq!(dir.names(), ["z.gz"]);
    }
}

#[test]
fn the_table_names_the_method_and_no_unknown_checksum() {
    let data = data::seq();
    let dir = Scratch::with_file("z", &zip(&[Entry::stored(&data)]));
    let rows = dir.rigz(["-lv", "z"]).status(0).stderr("").out_text();
    assert!(rows.lines().nth(1).unwrap().starts_with("store ffffffffffffffff "), "{rows}");
    dir.write("z", &zip(&[Entry::deflated(&data)]));
    let rows = dir.rigz(["-lv", "z"]).status(0).stderr("").out_text();
    assert!(rows.lines().nth(1).unwrap().starts_with("defla ffffffffffffffff "), "{rows}");
    dir.write("z", &gzip(&data));
    let rows = dir.rigz(["-lv", "z"]).status(0).stderr("").out_text();
    assert!(rows.lines().nth(1).unwrap().starts_with("defla "), "{rows}");
    assert!(!rows.contains("ffffffffffffffff"), "{rows}");
}

#[test]
fn a_zip_file_on_a_pipe_needs_no_directory() {
    let data = data::text(400_000);
    let form = Descriptor { has_magic: true, has_long_lens: true };
    let entry = Entry { descriptor: Some(form), is_zip64: true, ..Entry::deflated(&data) };
    let dir = Scratch::new();
    let out = dir.rigz(["-dc"]).stdin(entry.bytes()).status(0).stderr("").into_stdout();
    assert_same(&out, &data, "output");
}
